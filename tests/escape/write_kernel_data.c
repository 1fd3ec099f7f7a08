/*
 * Write over the executive's data.
 *
 * EXPECT: (machine.destroyed|memory\..*|driver\..*).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    PUCHAR Header = (PUCHAR)KERNEL + *(ULONG *)(KERNEL + 0x3c);
    PUCHAR Section = Header + 24 + *(USHORT *)(Header + 20);

    for (USHORT i = 0; i < *(USHORT *)(Header + 6); i++, Section += 40)
        if (*(ULONG *)(Section + 36) & 0x80000000)
            RtlFillMemory((PVOID)(KERNEL + *(ULONG *)(Section + 12)), *(ULONG *)(Section + 8), 0x41);
    DbgPrint("still here\n");
}
