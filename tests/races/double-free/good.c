/*
 * Its twin: taking the pointer and clearing it are one step.
 */
#include "../race.h"

static PVOID volatile buffer;

static VOID drop(PVOID context)
{
    PVOID mine = InterlockedExchangePointer(&buffer, NULL);

    if (mine)
        ExFreePoolWithTag(mine, 'ecaR');
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    buffer = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'ecaR');
    if (!buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    race(drop, drop);
    return STATUS_SUCCESS;
}
