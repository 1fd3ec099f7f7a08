/*
 * Make a system call by the 32-bit entry, whose numbers are others.
 *
 * EXPECT: driver.(system-call|exception) .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    ULONG Result;

    __asm__ volatile("int $0x80" : "=a"(Result) : "a"(20) /* getpid */ : "memory");
    Try("int 80h", (LONG)Result);
}
