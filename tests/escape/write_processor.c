/*
 * Write over the processor's own area.
 *
 * EXPECT: (machine.destroyed|memory\..*|driver\..*|irql\..*|lock\..*).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    RtlFillMemory((PVOID)(DOOR_PROCESSOR_BASE + 0x60), DOOR_PROCESSOR_BYTES - 0x60, 0x41);
    DbgPrint("still here\n");
}
