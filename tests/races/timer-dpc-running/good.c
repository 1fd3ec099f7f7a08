/*
 * Its twin: queued DPCs are waited for before the memory goes.
 */
#include "../race.h"

static struct state {
    KTIMER timer;
    KDPC dpc;
    volatile LONG beats;
} * state;

static VOID beat(PKDPC dpc, PVOID context, PVOID one, PVOID two)
{
    struct state *s = context;

    KeQueryPerformanceCounter(NULL);
    s->beats++;
}

static VOID unload(PDRIVER_OBJECT driver)
{
    KeSetSystemAffinityThread(1); /* not the processor of the DPC */
    KeCancelTimer(&state->timer);
    KeFlushQueuedDpcs();
    ExFreePoolWithTag(state, 'ecaR');
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    LARGE_INTEGER due = MILLISECONDS(1500);

    driver->DriverUnload = unload;
    state = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*state), 'ecaR');
    if (!state)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeTimer(&state->timer);
    KeInitializeDpc(&state->dpc, beat, state);
    KeSetTargetProcessorDpc(&state->dpc, 1);
    state->beats = 0;
    KeSetTimer(&state->timer, due, &state->dpc);
    return STATUS_SUCCESS;
}
