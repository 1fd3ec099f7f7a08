/*
 * Write over the table of calls the kernel has for the host, and let the kernel use it.
 *
 * EXPECT: (machine.destroyed|memory\..*|driver\..*).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    struct door *Door = FindDoor();
    LARGE_INTEGER Interval = {.QuadPart = -10000};

    RtlFillMemory((PVOID)&Door->map, sizeof(*Door) - FIELD_OFFSET(struct door, map), 0x41);
    DbgPrint("next\n");
    KeDelayExecutionThread(KernelMode, FALSE, &Interval);
}
