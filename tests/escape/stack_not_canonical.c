/*
 * Go on with a stack where no address can be.
 *
 * EXPECT: (memory|driver|machine)\..*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    __asm__ volatile("movabsq $0x8000000000000000, %%rsp\n\tpushq $0" ::: "memory");
    Escaped("no stack");
}
