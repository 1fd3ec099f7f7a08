/*
 * Completion routines that keep their driver loaded until they have returned (docs: IoSetCompletionRoutineEx), and requests
 * allocated for a device (docs: IoAllocateIrpEx).
 */
#include "nt.h"

typedef struct _IOP_KEPT {
    PDEVICE_OBJECT Device;
    PIO_COMPLETION_ROUTINE Routine;
    PVOID Context;
} IOP_KEPT, *PIOP_KEPT;

static NTSTATUS NTAPI IopCallKept(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    IOP_KEPT Kept = *(PIOP_KEPT)Context;
    VF_CALLBACK Callback;
    ExpFree(Context);
    IopEnter(&Callback, "IO_COMPLETION_ROUTINE", "completion routine", (PVOID)(ULONG_PTR)Kept.Routine, Device);
    NTSTATUS Status = Kept.Routine(Device, Irp, Kept.Context);
    VfLeaveCallback(&Callback);
    ObfDereferenceObject(Kept.Device);
    return Status;
}

NTSTATUS NTAPI IoSetCompletionRoutineEx(PDEVICE_OBJECT Device, PIRP Irp, PIO_COMPLETION_ROUTINE Routine, PVOID Context,
                                        BOOLEAN OnSuccess, BOOLEAN OnError, BOOLEAN OnCancel)
{
    PIOP_KEPT Kept = ExpTryAllocate(sizeof(*Kept), 'rCoI');
    if (!Kept)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Kept = (IOP_KEPT){.Device = Device, .Routine = Routine, .Context = Context};
    ObfReferenceObject(Device);
    IoSetCompletionRoutine(Irp, IopCallKept, Kept, OnSuccess, OnError, OnCancel);
    return STATUS_SUCCESS;
}

/* docs: IoAllocateIrpEx: as IoAllocateIrp; the device is who will send it. */
PIRP NTAPI IoAllocateIrpEx(PDEVICE_OBJECT Device, CCHAR StackSize, BOOLEAN ChargeQuota)
{
    return IoAllocateIrp(StackSize, ChargeQuota);
}
