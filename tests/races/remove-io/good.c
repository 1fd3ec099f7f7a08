/*
 * Its twin: the remove lock is held during the request, and the removal waits for it.
 */
#include "../race.h"

static struct extension {
    LONG size;
    LONG data[8];
} * extension;
static IO_REMOVE_LOCK lock;

static VOID io(PVOID context)
{
    struct extension *e = extension;

    if (!NT_SUCCESS(IoAcquireRemoveLock(&lock, NULL)))
        return;
    KeQueryPerformanceCounter(NULL);
    e->data[0] = e->size;
    IoReleaseRemoveLock(&lock, NULL);
}

static VOID remove(PVOID context)
{
    struct extension *e = extension;

    IoAcquireRemoveLock(&lock, NULL);
    IoReleaseRemoveLockAndWait(&lock, NULL);
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
    IoInitializeRemoveLock(&lock, 'ecaR', 0, 0);
    race(io, remove);
    return STATUS_SUCCESS;
}
