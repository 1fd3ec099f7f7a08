/*
 * The power management framework: components of a device that are active or idle, their F-states, and whether the device
 * needs power at all. (docs: PoFxRegisterDevice, "Component-Level Power Management", PoFxActivateComponent,
 * PoFxIdleComponent, PoFxCompleteIdleState)
 *
 * A component is active while somebody holds it active. Each change is a conversation: the framework calls the driver, the
 * driver says that it is done (PoFxComplete...), and only then the next change is begun. An idle component goes to the
 * deepest F-state whose latency is not above what is tolerated, whose residency requirement is not above the expected idle
 * time, and from which it can still wake if it has to. When all are idle the device needs no power after its idle
 * time-out. Registration holds all components active until PoFxStartDevicePowerManagement.
 *
 * PopFxRun makes all changes that can be made now. Callbacks run in the thread that brought the change about, or in a
 * system worker where the caller says so (PO_FX_FLAG_ASYNC_ONLY); what they call comes back to the loop that runs.
 */
#include "nt.h"
#include "po/fx.h"

LIST_ENTRY PopFxDevices = {&PopFxDevices, &PopFxDevices};

/* ---- One change -------------------------------------------------------------------------------------------------- */

static ULONG PopFxChoose(PO_FX_PART *Part)
{
    ULONG Deepest = 0;
    for (ULONG i = 1; i < Part->States; i++)
        if (Part->State[i].Latency <= Part->Latency && Part->State[i].Residency <= Part->Residency &&
            (!Part->Wake || i <= Part->Wakeable))
            Deepest = i;
    return Deepest;
}

static BOOLEAN PopFxSetState(PPO_FX Fx, ULONG Index, ULONG State)
{
    PO_FX_PART *Part = &Fx->Part[Index];
    if (Part->Current == State)
        return FALSE;
    Part->Target = State;
    if (!Fx->IdleState) {
        Part->Current = State;
        return TRUE;
    }
    Part->StatePending = TRUE;
    POP_FX_CALL(Fx, "PO_FX_COMPONENT_IDLE_STATE_CALLBACK", "idle state callback", Fx->IdleState, Index, State);
    return TRUE;
}

static BOOLEAN PopFxNeedPower(PPO_FX Fx)
{
    if (Fx->RequiredPending || Fx->NotRequiredPending)
        return FALSE;
    if (!Fx->Required) {
        Fx->Powered = TRUE;
        return TRUE;
    }
    Fx->RequiredPending = TRUE;
    POP_FX_CALL(Fx, "PO_FX_DEVICE_POWER_REQUIRED_CALLBACK", "device power required callback", Fx->Required);
    return TRUE;
}

static BOOLEAN PopFxActivate(PPO_FX Fx, ULONG Index)
{
    PO_FX_PART *Part = &Fx->Part[Index];
    if (Part->Active)
        return FALSE;
    if (!Fx->Powered)
        return PopFxNeedPower(Fx);
    if (Part->Current)
        return PopFxSetState(Fx, Index, 0);
    Part->Active = TRUE;
    if (Fx->ActiveCondition)
        POP_FX_CALL(Fx, "PO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK", "active condition callback", Fx->ActiveCondition,
                    Index);
    return TRUE;
}

/* TRUE: something has changed. */
static BOOLEAN PopFxStepPart(PPO_FX Fx, ULONG Index)
{
    PO_FX_PART *Part = &Fx->Part[Index];
    if (Part->IdlePending || Part->StatePending)
        return FALSE;
    if (Part->References > 0)
        return PopFxActivate(Fx, Index);
    if (Part->Active) {
        Part->Active = FALSE;
        if (!Fx->IdleCondition)
            return TRUE;
        Part->IdlePending = TRUE;
        POP_FX_CALL(Fx, "PO_FX_COMPONENT_IDLE_CONDITION_CALLBACK", "idle condition callback", Fx->IdleCondition, Index);
        return TRUE;
    }
    return Fx->Powered && !Fx->NotRequiredPending && PopFxSetState(Fx, Index, PopFxChoose(Part));
}

static VOID NTAPI PopFxTimeOver(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2);

static BOOLEAN PopFxIsIdle(PPO_FX Fx)
{
    for (ULONG i = 0; i < Fx->Parts; i++)
        if (Fx->Part[i].References > 0 || Fx->Part[i].Active || Fx->Part[i].IdlePending || Fx->Part[i].StatePending)
            return FALSE;
    return TRUE;
}

static BOOLEAN PopFxStepDevice(PPO_FX Fx)
{
    if (!PopFxIsIdle(Fx)) {
        if (Fx->TimerSet)
            KeCancelTimer(&Fx->Timer);
        Fx->TimerSet = Fx->TimeOver = FALSE;
        return FALSE;
    }
    if (!Fx->Started || !Fx->Powered || Fx->RequiredPending || Fx->NotRequiredPending || !Fx->NotRequired)
        return FALSE;
    if (Fx->IdleTimeout && !Fx->TimeOver) {
        LARGE_INTEGER Due = {.QuadPart = -(LONGLONG)Fx->IdleTimeout};
        if (!Fx->TimerSet)
            KeSetTimer(&Fx->Timer, Due, &Fx->Dpc);
        Fx->TimerSet = TRUE;
        return FALSE;
    }
    Fx->TimerSet = Fx->TimeOver = FALSE;
    Fx->NotRequiredPending = TRUE;
    POP_FX_CALL(Fx, "PO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK", "device power not required callback", Fx->NotRequired);
    return TRUE;
}

static VOID PopFxRun(PPO_FX Fx)
{
    Fx->Again = TRUE;
    if (Fx->Running)
        return;
    Fx->Running = TRUE;
    while (Fx->Again) {
        Fx->Again = FALSE;
        for (ULONG i = 0; i < Fx->Parts; i++)
            while (PopFxStepPart(Fx, i))
                Fx->Again = TRUE;
        if (PopFxStepDevice(Fx))
            Fx->Again = TRUE;
    }
    Fx->Running = FALSE;
    KeSetEvent(&Fx->Changed, 0, FALSE);
}

static VOID NTAPI PopFxTimeOver(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PPO_FX Fx = Context;
    Fx->TimeOver = TRUE;
    Fx->TimerSet = FALSE;
    PopFxRun(Fx);
}

static VOID NTAPI PopFxWork(PVOID Context)
{
    PPO_FX Fx = Context;
    Fx->ItemQueued = FALSE;
    PopFxRun(Fx);
}

static VOID PopFxGo(PPO_FX Fx, ULONG Flags)
{
    if (!(Flags & PO_FX_FLAG_ASYNC_ONLY)) {
        PopFxRun(Fx);
        return;
    }
    if (Fx->ItemQueued)
        return;
    Fx->ItemQueued = TRUE;
    ExInitializeWorkItem(&Fx->Item, PopFxWork, Fx);
    ExQueueWorkItem(&Fx->Item, CriticalWorkQueue);
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static BOOLEAN PopFxAddPart(PO_FX_PART *Part, ULONG States, ULONG Wakeable, PPO_FX_COMPONENT_IDLE_STATE State)
{
    if (!States || !State)
        return FALSE;
    Part->States = States;
    Part->Wakeable = Wakeable;
    Part->Latency = Part->Residency = PO_FX_UNKNOWN_TIME;
    Part->References = 1; /* until PoFxStartDevicePowerManagement */
    Part->Active = TRUE;
    Part->State = ExpTryAllocate(States * sizeof(PO_FX_STATE), PO_TAG);
    if (!Part->State)
        return FALSE;
    for (ULONG i = 0; i < States; i++)
        Part->State[i] = (PO_FX_STATE){State[i].TransitionLatency, State[i].ResidencyRequirement};
    return TRUE;
}

static VOID PopFxFree(PPO_FX Fx)
{
    for (ULONG i = 0; i < Fx->Parts; i++) {
        if (Fx->Part[i].State)
            ExpFree(Fx->Part[i].State);
        PopFxFreePerf(&Fx->Part[i]);
    }
    ExpFree(Fx);
}

/* What the versions have in common, in other places. */
#define POP_FX_TAKE(Fx, Device)                                                                                        \
    do {                                                                                                               \
        (Fx)->ActiveCondition = (Device)->ComponentActiveConditionCallback;                                            \
        (Fx)->IdleCondition = (Device)->ComponentIdleConditionCallback;                                                \
        (Fx)->IdleState = (Device)->ComponentIdleStateCallback;                                                        \
        (Fx)->Required = (Device)->DevicePowerRequiredCallback;                                                        \
        (Fx)->NotRequired = (Device)->DevicePowerNotRequiredCallback;                                                  \
        (Fx)->Context = (Device)->DeviceContext;                                                                       \
    } while (0)

static BOOLEAN PopFxFill(PPO_FX Fx, PVOID Device, ULONG Version)
{
    PPO_FX_COMPONENT_V1 First = ((PPO_FX_DEVICE_V1)Device)->Components;
    PPO_FX_COMPONENT_V2 Later =
        Version == 2 ? ((PPO_FX_DEVICE_V2)Device)->Components : ((PPO_FX_DEVICE_V3)Device)->Components;
    BOOLEAN Good = TRUE;
    if (Version == 1)
        POP_FX_TAKE(Fx, (PPO_FX_DEVICE_V1)Device);
    else if (Version == 2)
        POP_FX_TAKE(Fx, (PPO_FX_DEVICE_V2)Device);
    else
        POP_FX_TAKE(Fx, (PPO_FX_DEVICE_V3)Device);
    for (ULONG i = 0; i < Fx->Parts && Good; i++)
        Good = Version == 1 ? PopFxAddPart(&Fx->Part[i], First[i].IdleStateCount, First[i].DeepestWakeableIdleState,
                                           First[i].IdleStates)
                            : PopFxAddPart(&Fx->Part[i], Later[i].IdleStateCount, Later[i].DeepestWakeableIdleState,
                                           Later[i].IdleStates);
    return Good;
}

static ULONG PopFxCount(PVOID Device, ULONG Version)
{
    return Version == 1   ? ((PPO_FX_DEVICE_V1)Device)->ComponentCount
           : Version == 2 ? ((PPO_FX_DEVICE_V2)Device)->ComponentCount
           : Version == 3 ? ((PPO_FX_DEVICE_V3)Device)->ComponentCount
                          : 0;
}

NTSTATUS NTAPI PoFxRegisterDevice(PDEVICE_OBJECT Pdo, PPO_FX_DEVICE Device, POHANDLE *Handle)
{
    ULONG Stack = VfCaptureStack(), Version = Device->Version;
    ULONG Parts = PopFxCount(Device, Version);
    PPO_FX Fx;
    if (!Parts || Parts > 1024)
        return STATUS_INVALID_PARAMETER;
    if (!PnpCheckPdo(Pdo, "PoFxRegisterDevice"))
        return STATUS_INVALID_PARAMETER;
    Fx = ExpTryAllocate(sizeof(*Fx) + Parts * sizeof(Fx->Part[0]), PO_TAG);
    if (!Fx)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(Fx, sizeof(*Fx) + Parts * sizeof(Fx->Part[0]));
    Fx->Parts = Parts;
    Fx->Pdo = Pdo;
    Fx->Stack = Stack;
    Fx->Powered = TRUE;
    KeInitializeEvent(&Fx->Changed, SynchronizationEvent, FALSE);
    KeInitializeTimer(&Fx->Timer);
    KeInitializeDpc(&Fx->Dpc, PopFxTimeOver, Fx);
    if (!PopFxFill(Fx, Device, Version)) {
        PopFxFree(Fx);
        return STATUS_INVALID_PARAMETER;
    }
    InsertTailList(&PopFxDevices, &Fx->Entry);
    VfTrack(Fx, sizeof(*Fx), VfCallbackObject, (PVOID)(ULONG_PTR)Fx->IdleCondition, Stack);
    *Handle = (POHANDLE)Fx;
    return STATUS_SUCCESS;
}

VOID NTAPI PoFxStartDevicePowerManagement(POHANDLE Handle)
{
    PPO_FX Fx = (PPO_FX)Handle;
    if (Fx->Started)
        return;
    Fx->Started = TRUE;
    for (ULONG i = 0; i < Fx->Parts; i++)
        Fx->Part[i].References--;
    PopFxRun(Fx);
}

/* docs: PoFxUnregisterDevice: all components are brought to F0, and the device to power, before it returns. */
VOID NTAPI PoFxUnregisterDevice(POHANDLE Handle)
{
    PPO_FX Fx = (PPO_FX)Handle;
    BOOLEAN Up = FALSE;
    for (ULONG i = 0; i < Fx->Parts; i++)
        Fx->Part[i].References++;
    while (!Up) {
        PopFxRun(Fx);
        Up = !Fx->Running && !Fx->ItemQueued;
        for (ULONG i = 0; i < Fx->Parts; i++)
            Up &= Fx->Part[i].Active && !PopFxPerfPending(&Fx->Part[i]);
        if (!Up)
            KeWaitForSingleObject(&Fx->Changed, Executive, KernelMode, FALSE, NULL);
    }
    KeCancelTimer(&Fx->Timer);
    VfUntrack(Fx, VfCallbackObject);
    RemoveEntryList(&Fx->Entry);
    PopFxFree(Fx);
}

/* ---- Components -------------------------------------------------------------------------------------------------- */

PO_FX_PART *PopFxPart(PPO_FX Fx, ULONG Component, PCSTR Routine)
{
    if (Component < Fx->Parts)
        return &Fx->Part[Component];
    VfFinding("power.no-such-component", 0xA0 /* INTERNAL_POWER_ERROR */, 0x614, (UINT64)Fx, Component, Fx->Parts);
    VfSubject(Routine);
    VfText("%s names component %u of a device that has %u", Routine, Component, Fx->Parts);
    VfNoteCaller(NULL);
    VfCommit();
    return NULL;
}

VOID NTAPI PoFxActivateComponent(POHANDLE Handle, ULONG Component, ULONG Flags)
{
    PPO_FX Fx = (PPO_FX)Handle;
    PO_FX_PART *Part = PopFxPart(Fx, Component, "PoFxActivateComponent");
    if (!Part)
        return;
    Part->References++;
    PopFxGo(Fx, Flags);
    while ((Flags & PO_FX_FLAG_BLOCKING) && !Part->Active)
        KeWaitForSingleObject(&Fx->Changed, Executive, KernelMode, FALSE, NULL);
}

VOID NTAPI PoFxIdleComponent(POHANDLE Handle, ULONG Component, ULONG Flags)
{
    PPO_FX Fx = (PPO_FX)Handle;
    PO_FX_PART *Part = PopFxPart(Fx, Component, "PoFxIdleComponent");
    if (!Part || !Part->References)
        return;
    Part->References--;
    PopFxGo(Fx, Flags);
    while ((Flags & PO_FX_FLAG_BLOCKING) && Part->Active && !Part->References)
        KeWaitForSingleObject(&Fx->Changed, Executive, KernelMode, FALSE, NULL);
}

VOID NTAPI PoFxCompleteIdleCondition(POHANDLE Handle, ULONG Component)
{
    PPO_FX Fx = (PPO_FX)Handle;
    PO_FX_PART *Part = PopFxPart(Fx, Component, "PoFxCompleteIdleCondition");
    if (!Part)
        return;
    Part->IdlePending = FALSE;
    PopFxRun(Fx);
}

VOID NTAPI PoFxCompleteIdleState(POHANDLE Handle, ULONG Component)
{
    PPO_FX Fx = (PPO_FX)Handle;
    PO_FX_PART *Part = PopFxPart(Fx, Component, "PoFxCompleteIdleState");
    if (!Part || !Part->StatePending)
        return;
    Part->StatePending = FALSE;
    Part->Current = Part->Target;
    PopFxRun(Fx);
}

VOID NTAPI PoFxSetComponentLatency(POHANDLE Handle, ULONG Component, ULONGLONG Latency)
{
    PO_FX_PART *Part = PopFxPart((PPO_FX)Handle, Component, "PoFxSetComponentLatency");
    if (!Part)
        return;
    Part->Latency = Latency;
    PopFxRun((PPO_FX)Handle);
}

VOID NTAPI PoFxSetComponentResidency(POHANDLE Handle, ULONG Component, ULONGLONG Residency)
{
    PO_FX_PART *Part = PopFxPart((PPO_FX)Handle, Component, "PoFxSetComponentResidency");
    if (!Part)
        return;
    Part->Residency = Residency;
    PopFxRun((PPO_FX)Handle);
}

VOID NTAPI PoFxSetComponentWake(POHANDLE Handle, ULONG Component, BOOLEAN WakeHint)
{
    PO_FX_PART *Part = PopFxPart((PPO_FX)Handle, Component, "PoFxSetComponentWake");
    if (!Part)
        return;
    Part->Wake = WakeHint;
    PopFxRun((PPO_FX)Handle);
}

/* ---- The device -------------------------------------------------------------------------------------------------- */

VOID NTAPI PoFxCompleteDevicePowerNotRequired(POHANDLE Handle)
{
    PPO_FX Fx = (PPO_FX)Handle;
    if (!Fx->NotRequiredPending)
        return;
    Fx->NotRequiredPending = FALSE;
    Fx->Powered = FALSE;
    PopFxRun(Fx);
}

VOID NTAPI PoFxReportDevicePoweredOn(POHANDLE Handle)
{
    PPO_FX Fx = (PPO_FX)Handle;
    Fx->RequiredPending = FALSE;
    Fx->Powered = TRUE;
    PopFxRun(Fx);
}

VOID NTAPI PoFxSetDeviceIdleTimeout(POHANDLE Handle, ULONGLONG IdleTimeout)
{
    ((PPO_FX)Handle)->IdleTimeout = IdleTimeout;
    PopFxRun((PPO_FX)Handle);
}

/* docs: PoFxNotifySurprisePowerOn: the device has power again without having been asked for it. */
VOID NTAPI PoFxNotifySurprisePowerOn(PDEVICE_OBJECT Pdo)
{
    for (PLIST_ENTRY Entry = PopFxDevices.Flink, Next; Entry != &PopFxDevices; Entry = Next) {
        PPO_FX Fx = CONTAINING_RECORD(Entry, PO_FX, Entry);
        Next = Entry->Flink;
        if (Fx->Pdo == Pdo && !Fx->Powered && !Fx->RequiredPending)
            PopFxNeedPower(Fx);
    }
}
