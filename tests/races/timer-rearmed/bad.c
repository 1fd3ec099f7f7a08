/*
 * The timer's DPC sets it again unless it is told to stop. Unload tells it, cancels the timer and waits for the DPC; but the
 * DPC may have looked at the flag before and sets the timer after it was cancelled.
 * DEPTH: 2
 * EXPECT: unload\.(timer|dpc)|memory\.unloaded
 */
#include "../race.h"

static KTIMER timer;
static KDPC dpc;
static volatile LONG stopping;

static VOID beat(PKDPC self, PVOID context, PVOID one, PVOID two)
{
    LARGE_INTEGER due = MILLISECONDS(400);

    if (stopping)
        return;
    KeQueryPerformanceCounter(NULL);
    KeSetTimer(&timer, due, &dpc);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    KeSetSystemAffinityThread(1); /* not the processor of the DPC */
    stopping = 1;
    KeCancelTimer(&timer);
    KeFlushQueuedDpcs();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    LARGE_INTEGER due = MILLISECONDS(400);

    driver->DriverUnload = unload;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, beat, NULL);
    KeSetTargetProcessorDpc(&dpc, 1);
    KeSetTimer(&timer, due, &dpc);
    return STATUS_SUCCESS;
}
