/*
 * Write over the host's code.
 *
 * EXPECT: memory.invalid .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    *(volatile UCHAR *)FindDoor()->map = 0xc3;
    Escaped("wrote to the host's code");
}
