/*
 * A list of free blocks that a thread and a DPC use, each without a lock: the DPC interrupts the thread in the middle of
 * taking a block.
 * DEPTH: 1
 * EXPECT: race\.data|driver\.bugcheck
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

    (VOID) irql;
    KeQueryPerformanceCounter(NULL);
    entry = PopEntryList(&head);
    if (!entry)
        return;
    MUST(InterlockedIncrement(&owners[entry - entries]) == 1);
    InterlockedDecrement(&owners[entry - entries]);
    PushEntryList(&head, entry);
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
