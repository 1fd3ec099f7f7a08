/*
 * Make a system call by the instruction of 32-bit programs.
 *
 * EXPECT: driver.(system-call|exception) .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    ULONG Result;

    __asm__ volatile("sysenter" : "=a"(Result) : "a"(20) : "rcx", "rdx", "memory");
    Try("sysenter", (LONG)Result);
}
