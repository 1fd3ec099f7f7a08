/*
 * A pointer into a table is kept over the end of the lock, and the table moves when it grows.
 * DEPTH: 2
 * EXPECT: pool\.use-after-free
 */
#include "../race.h"

static struct table {
    ULONG count;
    LONG *item;
} table;
static FAST_MUTEX lock;

static VOID grow(PVOID context)
{
    LONG *more = ExAllocatePoolWithTag(NonPagedPoolNx, 8 * sizeof(*more), 'ecaR');

    if (!more)
        return;
    ExAcquireFastMutex(&lock);
    RtlCopyMemory(more, table.item, table.count * sizeof(*more));
    ExFreePoolWithTag(table.item, 'ecaR');
    table.item = more;
    table.count = 8;
    ExReleaseFastMutex(&lock);
}

static VOID change(PVOID context)
{
    LONG *item;

    ExAcquireFastMutex(&lock);
    item = &table.item[1];
    ExReleaseFastMutex(&lock);
    *item = 7;
}

static VOID unload(PDRIVER_OBJECT driver)
{
    ExFreePoolWithTag(table.item, 'ecaR');
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    ExInitializeFastMutex(&lock);
    table.item = ExAllocatePoolWithTag(NonPagedPoolNx, 4 * sizeof(LONG), 'ecaR');
    if (!table.item)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(table.item, 4 * sizeof(LONG));
    table.count = 4;
    race(change, grow);
    return STATUS_SUCCESS;
}
