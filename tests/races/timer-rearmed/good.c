/*
 * Its twin: looking at the flag and setting the timer are one step, as are telling and cancelling.
 */
#include "../race.h"

static KTIMER timer;
static KDPC dpc;
static volatile LONG stopping;
static KSPIN_LOCK lock;

static VOID beat(PKDPC self, PVOID context, PVOID one, PVOID two)
{
    LARGE_INTEGER due = MILLISECONDS(400);

    KeAcquireSpinLockAtDpcLevel(&lock);
    if (!stopping)
        KeSetTimer(&timer, due, &dpc);
    KeReleaseSpinLockFromDpcLevel(&lock);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    KIRQL irql;

    KeSetSystemAffinityThread(1); /* not the processor of the DPC */
    KeAcquireSpinLock(&lock, &irql);
    stopping = 1;
    KeCancelTimer(&timer);
    KeReleaseSpinLock(&lock, irql);
    KeFlushQueuedDpcs();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    LARGE_INTEGER due = MILLISECONDS(400);

    driver->DriverUnload = unload;
    KeInitializeSpinLock(&lock);
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, beat, NULL);
    KeSetTargetProcessorDpc(&dpc, 1);
    KeSetTimer(&timer, due, &dpc);
    return STATUS_SUCCESS;
}
