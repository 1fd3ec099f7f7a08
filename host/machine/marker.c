/*
 * Instructions that answer for the host instead of faulting, marked by the patcher: their first byte became hlt. Emulated
 * here from the original bytes.
 */
#include "machine/operand.h"
#include "machine/msr.h"

#include <string.h>

bool marker_emulate(struct trap *t)
{
    return false;
}
