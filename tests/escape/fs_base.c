/*
 * Take the C library's thread from under it.
 *
 * EXPECT: (machine.destroyed|memory\..*|driver\..*).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    __asm__ volatile("wrfsbase %0" ::"r"(0x1234567800) : "memory");
    DbgPrint("still here\n");
    *(volatile UCHAR *)0x7ffffffff000 = 0; /* a trap, in which the host needs it */
}
