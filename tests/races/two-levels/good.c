/*
 * Its twin: a spin lock, which keeps the DPC away as well.
 */
#include "../race.h"

static SINGLE_LIST_ENTRY entries[3], head;
static LONG owners[3];
static KDPC dpc;
static KSPIN_LOCK lock;

/* Take a block and give it back: nobody else may have it meanwhile. */
static VOID use(VOID)
{
    PSINGLE_LIST_ENTRY entry;
    KIRQL irql;

    KeAcquireSpinLock(&lock, &irql);
    entry = PopEntryList(&head);
    KeReleaseSpinLock(&lock, irql);
    if (!entry)
        return;
    MUST(InterlockedIncrement(&owners[entry - entries]) == 1);
    InterlockedDecrement(&owners[entry - entries]);
    KeAcquireSpinLock(&lock, &irql);
    PushEntryList(&head, entry);
    KeReleaseSpinLock(&lock, irql);
}

static VOID in_dpc(PKDPC self, PVOID context, PVOID one, PVOID two)
{
    use();
}

static VOID in_thread(PVOID context)
{
    use();
}

static VOID queue(PVOID context)
{
    KeInsertQueueDpc(&dpc, NULL, NULL);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeSpinLock(&lock);
    KeInitializeDpc(&dpc, in_dpc, NULL);
    for (int i = 0; i < 3; i++)
        PushEntryList(&head, &entries[i]);
    race(in_thread, queue);
    KeFlushQueuedDpcs();
    return STATUS_SUCCESS;
}
