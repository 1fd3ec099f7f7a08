/*
 * Jump to a system call instruction of the C library.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

/* Where "jmp [rip + displacement]" goes to, if that is what stands here and its slot lies a little further on in the program. */
static UINT64 Target(const UCHAR *Code)
{
    LONG Displacement = *(LONG *)(Code + 2);
    UINT64 Slot = (UINT64)(Code + 6 + Displacement);

    return Code[0] == 0xff && Code[1] == 0x25 && Displacement > 0 && Displacement < 0x1000000 && Slot % 8 == 0
               ? *(UINT64 *)Slot
               : 0;
}

static VOID Attempt(VOID)
{
    const UCHAR *Jump = (const UCHAR *)FindDoor()->map;
    UINT64 At, Number = SYS_openat, Result;

    do /* down to the program's jumps to the library */
        Jump--;
    while ((At = Target(Jump)) < 0x7f0000000000 || At >= 0x800000000000);
    while (*(UCHAR *)At != 0x0f || *(UCHAR *)(At + 1) != 0x05)
        At++;
    __asm__ volatile("callq *%1"
                     : "=a"(Result)
                     : "r"(At), "a"(Number), "D"((UINT64)AT_FDCWD), "S"(SECRET), "d"(0)
                     : "rcx", "r11", "memory");
    Try("openat of the library", (LONG64)Result);
}
