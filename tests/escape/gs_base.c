/*
 * Give the kernel another processor area than its own.
 *
 * EXPECT: (machine.destroyed|memory\..*|driver\..*).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    static UCHAR Area[0x4000] __attribute__((aligned(4096)));
    LARGE_INTEGER Interval = {.QuadPart = -10000};

    __asm__ volatile("wrgsbase %0" ::"r"((UINT64)Area) : "memory");
    KeDelayExecutionThread(KernelMode, FALSE, &Interval);
    Escaped("ran on a processor of our own");
}
