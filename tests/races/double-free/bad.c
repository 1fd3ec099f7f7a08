/*
 * Whoever comes first frees the buffer; the pointer is cleared afterwards.
 * DEPTH: 1
 * EXPECT: pool\.double-free|race\.data
 */
#include "../race.h"

static PVOID volatile buffer;

static VOID drop(PVOID context)
{
    if (buffer) {
        ExFreePoolWithTag(buffer, 'ecaR');
        buffer = NULL;
    }
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
