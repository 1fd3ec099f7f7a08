/*
 * Jump to a system call instruction of the C library.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    const UCHAR *Jump = (const UCHAR *)FindDoor()->map;
    UINT64 At, Number = SYS_openat, Result;

    do /* down to the program's jumps to the library: jmp [rip + displacement] */
        Jump--;
    while (Jump[0] != 0xff || Jump[1] != 0x25 || (At = *(UINT64 *)(Jump + 6 + *(LONG *)(Jump + 2))) < 0x7f0000000000);
    while (*(UCHAR *)At != 0x0f || *(UCHAR *)(At + 1) != 0x05)
        At++;
    __asm__ volatile("callq *%1"
                     : "=a"(Result)
                     : "r"(At), "a"(Number), "D"((UINT64)AT_FDCWD), "S"(SECRET), "d"(0)
                     : "rcx", "r11", "memory");
    Try("openat of the library", (LONG64)Result);
}
