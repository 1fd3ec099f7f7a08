/*
 * Go on without a stack.
 *
 * EXPECT: (memory|driver|machine)\..*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    __asm__ volatile("movq $0x1234567890, %%rsp\n\tpushq $0\n\tcallq DbgPrint" ::: "memory");
    Escaped("no stack");
}
