/*
 * Performance states of components, and what else a power engine plug-in would be asked. (docs: "Device Performance State
 * Management", PoFxRegisterComponentPerfStates, PoFxIssueComponentPerfStateChange, PoFxPowerControl,
 * PoFxRegisterCrashdumpDevice)
 *
 * There is no plug-in. A driver that can do without one says so and brings its own states; its changes succeed, are noted, and
 * come back to it by its callback, one at a time for each component. All else a plug-in would do is refused as on a platform
 * without one. A set begins in its first state, or at its maximum.
 */
#include "nt.h"
#include "po/fx.h"

typedef struct _PO_FX_SET {
    BOOLEAN Discrete;
    ULONG Count;
    UINT64 Minimum, Maximum;
    UINT64 Current; /* an index if Discrete, else a value */
} PO_FX_SET;

typedef struct _PO_FX_PERF {
    PPO_FX Fx;
    ULONG Component;
    PPO_FX_COMPONENT_PERF_STATE_CALLBACK Routine;
    BOOLEAN Pending, Succeeded;
    PVOID Context;
    WORK_QUEUE_ITEM Item;
    ULONG Sets;
    PO_FX_SET Set[1];
} PO_FX_PERF, *PPO_FX_PERF;

VOID PopFxFreePerf(PO_FX_PART *Part)
{
    if (Part->Perf)
        ExpFree(Part->Perf);
}

BOOLEAN PopFxPerfPending(PO_FX_PART *Part)
{
    return Part->Perf && Part->Perf->Pending;
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static BOOLEAN PopFxTakeSet(PO_FX_SET *Set, const PO_FX_COMPONENT_PERF_SET *From)
{
    if ((ULONG)From->Unit >= PoFxPerfStateUnitMaximum || (ULONG)From->Type >= PoFxPerfStateTypeMaximum)
        return FALSE;
    Set->Discrete = From->Type == PoFxPerfStateTypeDiscrete;
    if (Set->Discrete) {
        Set->Count = From->Discrete.Count;
        return Set->Count && From->Discrete.States;
    }
    Set->Minimum = From->Range.Minimum;
    Set->Maximum = Set->Current = From->Range.Maximum;
    return Set->Minimum <= Set->Maximum;
}

NTSTATUS NTAPI PoFxRegisterComponentPerfStates(POHANDLE Handle, ULONG Component, ULONGLONG Flags,
                                               PPO_FX_COMPONENT_PERF_STATE_CALLBACK ComponentPerfStateCallback,
                                               PPO_FX_COMPONENT_PERF_INFO InputStateInfo,
                                               PPO_FX_COMPONENT_PERF_INFO *OutputStateInfo)
{
    PO_FX_PART *Part = PopFxPart((PPO_FX)Handle, Component, "PoFxRegisterComponentPerfStates");
    PPO_FX_PERF Perf;
    SIZE_T Bytes;
    if (!Part || !InputStateInfo == !OutputStateInfo || !ComponentPerfStateCallback || Part->Perf)
        return STATUS_INVALID_PARAMETER;
    if (InputStateInfo && (!InputStateInfo->PerfStateSetsCount || InputStateInfo->PerfStateSetsCount > 1024))
        return STATUS_INVALID_PARAMETER;
    if (OutputStateInfo || !(Flags & PO_FX_FLAG_PERF_PEP_OPTIONAL))
        return STATUS_NOT_IMPLEMENTED; /* the plug-in's part */
    Bytes = sizeof(*Perf) + InputStateInfo->PerfStateSetsCount * sizeof(Perf->Set[0]);
    Perf = ExpTryAllocate(Bytes, PO_TAG);
    if (!Perf)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(Perf, Bytes);
    *Perf = (PO_FX_PERF){.Fx = (PPO_FX)Handle, .Component = Component, .Routine = ComponentPerfStateCallback};
    for (; Perf->Sets < InputStateInfo->PerfStateSetsCount; Perf->Sets++)
        if (!PopFxTakeSet(&Perf->Set[Perf->Sets], &InputStateInfo->PerfStateSets[Perf->Sets])) {
            ExpFree(Perf);
            return STATUS_INVALID_PARAMETER;
        }
    Part->Perf = Perf;
    return STATUS_SUCCESS;
}

/* ---- Changes ----------------------------------------------------------------------------------------------------- */

static BOOLEAN PopFxFits(PPO_FX_PERF Perf, const PO_FX_PERF_STATE_CHANGE *Change)
{
    PO_FX_SET *Set = &Perf->Set[Change->Set];
    if (Change->Set >= Perf->Sets)
        return FALSE;
    return Set->Discrete ? Change->StateIndex < Set->Count
                         : Change->StateValue >= Set->Minimum && Change->StateValue <= Set->Maximum;
}

static VOID NTAPI PopFxTellPerf(PVOID Context)
{
    PPO_FX_PERF Perf = Context;
    Perf->Pending = FALSE; /* the routine may ask for the next one */
    POP_FX_CALL(Perf->Fx, "PO_FX_COMPONENT_PERF_STATE_CALLBACK", "performance state callback", Perf->Routine,
                Perf->Component, Perf->Succeeded, Perf->Context);
    KeSetEvent(&Perf->Fx->Changed, 0, FALSE);
}

static BOOLEAN PopFxMayChange(PPO_FX Fx, PO_FX_PART *Part, ULONG Component, PCSTR Routine)
{
    if (!Part)
        return FALSE;
    if (Part->Perf && !Part->Perf->Pending)
        return TRUE;
    VfFinding("power.perf-state-change", 0xA0 /* INTERNAL_POWER_ERROR */, 0x614, (UINT64)Fx, Component,
              Part->Perf != NULL);
    VfSubject(Routine);
    VfText(Part->Perf ? "%s was called for component %u while its last change of state is under way"
                      : "%s was called for component %u, which has registered no performance states",
           Routine, Component);
    VfNoteCaller(NULL);
    VfCommit();
    return FALSE;
}

/* All changes or none. */
VOID NTAPI PoFxIssueComponentPerfStateChangeMultiple(POHANDLE Handle, ULONG Flags, ULONG Component,
                                                     ULONG PerfChangesCount, PO_FX_PERF_STATE_CHANGE PerfChanges[],
                                                     PVOID Context)
{
    PPO_FX Fx = (PPO_FX)Handle;
    PO_FX_PART *Part = PopFxPart(Fx, Component, "PoFxIssueComponentPerfStateChange");
    PPO_FX_PERF Perf = Part ? Part->Perf : NULL;
    if (!PopFxMayChange(Fx, Part, Component, "PoFxIssueComponentPerfStateChange"))
        return;
    Perf->Pending = TRUE;
    Perf->Context = Context;
    Perf->Succeeded = PerfChangesCount != 0;
    for (ULONG i = 0; i < PerfChangesCount; i++)
        Perf->Succeeded &= PopFxFits(Perf, &PerfChanges[i]);
    for (ULONG i = 0; i < PerfChangesCount && Perf->Succeeded; i++) {
        PO_FX_SET *Set = &Perf->Set[PerfChanges[i].Set];
        Set->Current = Set->Discrete ? PerfChanges[i].StateIndex : PerfChanges[i].StateValue;
    }
    if (Flags & PO_FX_FLAG_ASYNC_ONLY) {
        ExInitializeWorkItem(&Perf->Item, PopFxTellPerf, Perf);
        ExQueueWorkItem(&Perf->Item, CriticalWorkQueue);
    } else
        PopFxTellPerf(Perf);
}

VOID NTAPI PoFxIssueComponentPerfStateChange(POHANDLE Handle, ULONG Flags, ULONG Component,
                                             PPO_FX_PERF_STATE_CHANGE PerfChange, PVOID Context)
{
    PoFxIssueComponentPerfStateChangeMultiple(Handle, Flags, Component, 1, PerfChange, Context);
}

NTSTATUS NTAPI PoFxQueryCurrentComponentPerfState(POHANDLE Handle, ULONG Flags, ULONG Component, ULONG SetIndex,
                                                  PULONGLONG CurrentPerf)
{
    PPO_FX Fx = (PPO_FX)Handle;
    PPO_FX_PERF Perf = Component < Fx->Parts ? Fx->Part[Component].Perf : NULL;
    if (Flags || !Perf || SetIndex >= Perf->Sets)
        return STATUS_INVALID_PARAMETER;
    *CurrentPerf = Perf->Set[SetIndex].Current;
    return STATUS_SUCCESS;
}

/* ---- What only a plug-in could do -------------------------------------------------------------------------------- */

NTSTATUS NTAPI PoFxPowerControl(POHANDLE Handle, LPCGUID PowerControlCode, PVOID InBuffer, SIZE_T InBufferSize,
                                PVOID OutBuffer, SIZE_T OutBufferSize, PSIZE_T BytesReturned)
{
    if (BytesReturned)
        *BytesReturned = 0;
    return STATUS_NOT_SUPPORTED;
}

static BOOLEAN PopFxIsHandle(POHANDLE Handle)
{
    for (PLIST_ENTRY Entry = PopFxDevices.Flink; Entry != &PopFxDevices; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, PO_FX, Entry) == (PPO_FX)Handle)
            return TRUE;
    return FALSE;
}

NTSTATUS NTAPI PoFxRegisterCrashdumpDevice(POHANDLE Handle)
{
    return PopFxIsHandle(Handle) ? STATUS_UNSUCCESSFUL : STATUS_INVALID_PARAMETER;
}

/* No device got as far as being registered. */
NTSTATUS NTAPI PoFxPowerOnCrashdumpDevice(POHANDLE Handle, PVOID Context)
{
    return PoFxRegisterCrashdumpDevice(Handle);
}

/* docs: PoFxSetTargetDripsDevicePowerState: no plug-in constrains the device, so any working state is one it may ask for. */
NTSTATUS NTAPI PoFxSetTargetDripsDevicePowerState(POHANDLE Handle, DEVICE_POWER_STATE TargetState)
{
    if (!PopFxIsHandle(Handle) || (ULONG)TargetState > PowerDeviceD3)
        return STATUS_INVALID_PARAMETER;
    ((PPO_FX)Handle)->TargetDrips = TargetState;
    return STATUS_SUCCESS;
}

/* docs: PoSetSystemWakeDevice: whose wake-up it was, if the device has a PDO. */
VOID NTAPI PoSetSystemWakeDevice(PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_OBJECT Lowest = DeviceObject;
    while (IopDeviceOf(Lowest)->AttachedTo)
        Lowest = IopDeviceOf(Lowest)->AttachedTo;
    if (PnpNodeOf(Lowest))
        VfRemark("%wZ says that it has woken the system", &PnpNodeOf(Lowest)->InstancePath);
}
