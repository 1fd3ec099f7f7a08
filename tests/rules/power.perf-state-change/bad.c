/*
 * A driver asks for the next performance state before it has heard of the last one.
 *
 * EXPECT: power.perf-state-change bad.c:@ in Begin
 */
#include "../../pnp/simple.h"

static POHANDLE Handle;
static KEVENT Done;

static void NTAPI Changed(PVOID Context, ULONG Component, BOOLEAN Succeeded, PVOID Request)
{
    KeSetEvent(&Done, 0, FALSE);
}

static void Begin(PDEVICE_OBJECT Device)
{
    static PO_FX_COMPONENT_IDLE_STATE F0;
    static PO_FX_DEVICE_V1 Fx = {.Version = PO_FX_VERSION_V1, .ComponentCount = 1};
    PO_FX_COMPONENT_PERF_INFO States = {.PerfStateSetsCount = 1};
    PO_FX_PERF_STATE_CHANGE Change = {.StateValue = 50};
    KIRQL Old;

    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    Fx.Components[0].IdleStateCount = 1;
    Fx.Components[0].IdleStates = &F0;
    PoFxRegisterDevice(Extension(Device)->pdo, (PVOID)&Fx, &Handle);
    States.PerfStateSets[0].Unit = PoFxPerfStateUnitFrequency;
    States.PerfStateSets[0].Type = PoFxPerfStateTypeRange;
    States.PerfStateSets[0].Range.Maximum = 100;
    PoFxRegisterComponentPerfStates(Handle, 0, PO_FX_FLAG_PERF_PEP_OPTIONAL, Changed, &States, NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &Old); /* no other thread runs here */
    PoFxIssueComponentPerfStateChange(Handle, PO_FX_FLAG_ASYNC_ONLY, 0, &Change, NULL);
    PoFxIssueComponentPerfStateChange(Handle, 0, 0, &Change, NULL); /* @ */
    KeLowerIrql(Old);
}

static void End(PDEVICE_OBJECT Device)
{
    PoFxUnregisterDevice(Handle);
}

#define STARTED Begin
#define REMOVING End

#include "../../pnp/simple_body.h"
