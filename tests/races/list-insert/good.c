/*
 * Its twin: with a lock.
 */
#include "../race.h"

static LIST_ENTRY head, entries[2];
static KSPIN_LOCK lock;

static VOID insert(LIST_ENTRY *entry)
{
    KIRQL irql;

    KeAcquireSpinLock(&lock, &irql);
    InsertTailList(&head, entry);
    KeReleaseSpinLock(&lock, irql);
}

static VOID one(PVOID context)
{
    insert(&entries[0]);
}

static VOID other(PVOID context)
{
    insert(&entries[1]);
}

static ULONG length(VOID)
{
    ULONG count = 0;

    for (LIST_ENTRY *entry = head.Flink; entry != &head; entry = entry->Flink)
        count++;
    return count;
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeSpinLock(&lock);
    InitializeListHead(&head);
    race(one, other);
    MUST(length() == 2);
    return STATUS_SUCCESS;
}
