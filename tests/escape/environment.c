/*
 * Look through the host's stack for the user's environment and the program's arguments.
 *
 * EXPECT: memory.invalid .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    /* They lie at the end of the highest page of a Linux process, below the program's name. */
    for (PCSTR At = (PCSTR)0x7fffffffeff0; At > (PCSTR)0x7fffffffe000; At--)
        if (RtlCompareMemory(At, "HOME=", 5) == 5 || RtlCompareMemory(At, "PATH=", 5) == 5)
            Escaped("the user's environment");
    *(volatile UCHAR *)0x7ffffffff000 = 0;
}
