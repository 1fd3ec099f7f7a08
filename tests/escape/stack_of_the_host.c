/*
 * Go on with a stack in the host's memory.
 *
 * EXPECT: (memory|driver|machine)\..*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UINT64 Door = (UINT64)FindDoor();

    __asm__ volatile("movq %0, %%rsp\n\tpushq $0\n\tud2" ::"r"(Door + 0x800) : "memory");
    Escaped("the host's stack");
}
