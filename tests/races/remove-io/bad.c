/*
 * Remove races with I/O: a request that is still under way uses what the removal has freed. The remove lock is missing.
 * DEPTH: 2
 * EXPECT: pool\.use-after-free
 */
#include "../race.h"

static struct extension {
    LONG size;
    LONG data[8];
} * extension;

static VOID io(PVOID context)
{
    struct extension *e = extension;

    if (!e)
        return;
    KeQueryPerformanceCounter(NULL);
    e->data[0] = e->size;
}

static VOID remove(PVOID context)
{
    struct extension *e = extension;

    extension = NULL;
    ExFreePoolWithTag(e, 'ecaR');
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    extension = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*extension), 'ecaR');
    if (!extension)
        return STATUS_INSUFFICIENT_RESOURCES;
    extension->size = 8;
    race(io, remove);
    return STATUS_SUCCESS;
}
