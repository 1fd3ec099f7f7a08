/*
 * Write over every stack there is.
 *
 * EXPECT: (machine.destroyed|memory\..*|driver\..*).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    for (UINT64 Slot = 0; Slot < 64; Slot++)
        RtlFillMemory((PVOID)(DOOR_STACK_BASE + (Slot + 1) * DOOR_STACK_SLOT - 0x1000), 0x1000, 0x41);
    DbgPrint("still here\n");
}
