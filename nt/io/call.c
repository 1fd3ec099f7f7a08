/*
 * Down the stack of devices, and up again.
 *
 * IofCallDriver calls the dispatch routine of the device below; IofCompleteRequest calls, from the lowest location that
 * was used upward, the completion routines that were set. Each dispatch call in progress is on record, so that what the
 * routine returns can be compared with what became of the request: this is where the pending rules are checked.
 * (docs: IoCompleteRequest, IoMarkIrpPending, Bug Check 0xC9)
 */
#include "nt.h"

VOID IopEndRequest(PIRP Irp, CCHAR Boost);
VOID IopCancelThread(PETHREAD Thread);

typedef struct _IOP_CALL {
    LIST_ENTRY Entry;
    PIRP Irp;
    PIO_STACK_LOCATION Stack;
    BOOLEAN Completed, Marked;
} IOP_CALL, *PIOP_CALL;

static LIST_ENTRY IopCalls = {&IopCalls, &IopCalls}; /* newest first */

VOID IopEnter(VF_CALLBACK *Callback, PCSTR Contract, PCSTR What, PVOID Routine, PVOID Object)
{
    *Callback = (VF_CALLBACK){.Contract = Contract, .What = What, .Routine = Routine, .Object = Object};
    VfEnterCallback(Callback);
}

/* A location is complete. Several calls share it when drivers passed the IRP on by IoSkipCurrentIrpStackLocation. */
static VOID IopNoteCompletion(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    for (PLIST_ENTRY Entry = IopCalls.Flink; Entry != &IopCalls; Entry = Entry->Flink) {
        PIOP_CALL Call = CONTAINING_RECORD(Entry, IOP_CALL, Entry);
        if (Call->Irp == Irp && Call->Stack == Stack && !Call->Completed) {
            Call->Completed = TRUE;
            Call->Marked = (Stack->Control & SL_PENDING_RETURNED) != 0;
        }
    }
}

/* A thread's stack goes: calls that never returned are on it if the thread ended inside a dispatch routine. */
VOID IopThreadEnds(PETHREAD Thread)
{
    for (PLIST_ENTRY Entry = IopCalls.Flink, Next; Entry != &IopCalls; Entry = Next) {
        Next = Entry->Flink;
        if ((PVOID)Entry >= Thread->Tcb.StackLimit && (PVOID)Entry < Thread->Tcb.StackBase)
            RemoveEntryList(Entry);
    }
    if (!IsListEmpty(&Thread->IrpList))
        IopCancelThread(Thread);
    if (Thread->IoObject)
        IopLetGo(Thread->IoObject);
    Thread->IoObject = NULL;
}

/* ---- Down -------------------------------------------------------------------------------------------------------- */

static VOID IopReport(PCSTR Rule, ULONG Code, PVOID Routine, PIRP Irp, PDEVICE_OBJECT Device, PCSTR Text)
{
    UINT64 Frame = (UINT64)Routine;
    VfFinding(Rule, DRIVER_VERIFIER_IOMANAGER_VIOLATION, Code, (UINT64)Routine, (UINT64)Irp, (UINT64)Device);
    VfSubject("IRP");
    VfText("%s", Text);
    if (Routine)
        VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), NULL, NULL, "The routine:");
    VfNoteCaller(NULL);
    VfCommit();
}

static VOID IopCheckReturn(PIOP_CALL Call, PDEVICE_OBJECT Device, PVOID Routine, NTSTATUS Status)
{
    if (!Call->Completed && Status != STATUS_PENDING) {
        IopReport("irp.lost", 0x226, Routine, Call->Irp, Device,
                  "a dispatch routine returned without completing its IRP, passing it on, or returning STATUS_PENDING");
        return;
    }
    BOOLEAN Marked = Call->Completed ? Call->Marked : (Call->Stack->Control & SL_PENDING_RETURNED) != 0;
    if (Status == STATUS_PENDING && !Marked)
        IopReport("irp.pending-not-marked", 0x23D, Routine, Call->Irp, Device,
                  "a dispatch routine returned STATUS_PENDING for an IRP it has not marked pending (IoMarkIrpPending)");
    else if (Status != STATUS_PENDING && Marked)
        IopReport("irp.marked-not-pending", 0x23E, Routine, Call->Irp, Device,
                  "a dispatch routine marked its IRP pending but did not return STATUS_PENDING");
}

static NTSTATUS IopDispatch(PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PDRIVER_OBJECT Driver = Device->DriverObject;
    PDRIVER_DISPATCH Routine = Driver->MajorFunction[Stack->MajorFunction];
    PMI_IMAGE Image = IopDriverOf(Driver)->Image;
    if (!Image || !Image->Driver || Routine == IopInvalidDeviceRequest)
        return Routine(Device, Irp);
    IOP_CALL Call = {.Irp = Irp, .Stack = Stack};
    VF_CALLBACK Callback;
    InsertHeadList(&IopCalls, &Call.Entry);
    IopEnter(&Callback, "DRIVER_DISPATCH", "dispatch routine of device %o", Routine, Device);
    NTSTATUS Status = Routine(Device, Irp);
    VfLeaveCallback(&Callback);
    RemoveEntryList(&Call.Entry);
    IopCheckReturn(&Call, Device, Routine, Status);
    return Status;
}

NTSTATUS FASTCALL IofCallDriver(PDEVICE_OBJECT Device, PIRP Irp)
{
    if (Irp->Type != IO_TYPE_IRP) {
        IopReport("irp.not-an-irp", 3, NULL, Irp, Device, "IoCallDriver given something that is no IRP");
        return STATUS_INVALID_PARAMETER;
    }
    if (--Irp->CurrentLocation <= 0) {
        VfFinding("irp.no-stack-location", NO_MORE_IRP_STACK_LOCATIONS, (UINT64)Irp, 0, 0, 0);
        VfSubject("IoCallDriver");
        VfText("IoCallDriver: the IRP has no stack location left for the next driver");
        VfNoteCaller(NULL);
        VfCommit();
        Irp->CurrentLocation++;
        return STATUS_INVALID_PARAMETER;
    }
    PIO_STACK_LOCATION Stack = --Irp->Tail.Overlay.CurrentStackLocation;
    if (Stack->MajorFunction == IRP_MJ_PNP || Stack->MajorFunction == IRP_MJ_POWER)
        PnpCheckCall(Irp, Stack, Device);
    Stack->DeviceObject = Device;
    if (!KiDoor->trace_io)
        return IopDispatch(Device, Irp, Stack);
    ULONG Number = IopTraceSent(Device, Irp, Stack);
    NTSTATUS Status = IopDispatch(Device, Irp, Stack);
    IopTraceReturned(Number, Device, Status);
    return Status;
}

/* What a driver answers for major functions it left alone. */
NTSTATUS NTAPI IopInvalidDeviceRequest(PDEVICE_OBJECT Device, PIRP Irp)
{
    NTSTATUS Status = STATUS_INVALID_DEVICE_REQUEST;
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* ---- Up ---------------------------------------------------------------------------------------------------------- */

VOID IopReportTwice(PIRP Irp, ULONG FreedAt)
{
    VfFinding("irp.completed-twice", MULTIPLE_IRP_COMPLETE_REQUESTS, (UINT64)Irp, 0, 0, 0);
    VfSubject("IoCompleteRequest");
    VfText("IoCompleteRequest called for an IRP that was completed already");
    VfNoteCaller(NULL);
    if (FreedAt)
        VfNote(DOOR_NOTE_OBJECT, FreedAt, Irp, NULL, "The IRP was completed or freed at:");
    VfCommit();
}

static BOOLEAN IopMayComplete(PIRP Irp)
{
    PVOID Cancel;
    ULONG FreedAt;
    if (ExpWasFreed(Irp, IOP_IRP_TAG, &FreedAt)) {
        IopReportTwice(Irp, FreedAt);
        return FALSE;
    }
    if (Irp->Type != IO_TYPE_IRP || Irp->CurrentLocation > Irp->StackCount + 1) {
        IopReportTwice(Irp, 0);
        return FALSE;
    }
    Cancel = (PVOID)(ULONG_PTR)Irp->CancelRoutine;
    if (Irp->IoStatus.Status == STATUS_PENDING || Irp->IoStatus.Status == (NTSTATUS)-1) {
        VfFinding("irp.completed-as-pending", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 6,
                  (UINT64)(LONG64)Irp->IoStatus.Status, (UINT64)Irp, 0);
        VfSubject("IoCompleteRequest");
        VfText("IoCompleteRequest called with the status 0x%08x, which is no result", Irp->IoStatus.Status);
        VfNoteCaller(NULL);
        VfCommit();
    }
    if (Cancel) {
        VfFinding("irp.completed-cancelable", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 7, (UINT64)Cancel, (UINT64)Irp, 0);
        VfSubject("IoCompleteRequest");
        VfText("IoCompleteRequest called for an IRP whose cancel routine is still set");
        VfNoteCaller(NULL);
        VfCommit();
    }
    return TRUE;
}

static BOOLEAN IopWantsCompletion(PIO_STACK_LOCATION Stack, PIRP Irp)
{
    return (NT_SUCCESS(Irp->IoStatus.Status) && (Stack->Control & SL_INVOKE_ON_SUCCESS)) ||
           (!NT_SUCCESS(Irp->IoStatus.Status) && (Stack->Control & SL_INVOKE_ON_ERROR)) ||
           (Irp->Cancel && (Stack->Control & SL_INVOKE_ON_CANCEL));
}

static NTSTATUS IopCallCompletion(PIO_COMPLETION_ROUTINE Routine, PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    PMI_IMAGE Image = MmImageOf((UINT64)Routine);
    if (Image && !Image->Driver)
        return Routine(Device, Irp, Context);
    VF_CALLBACK Callback;
    IopEnter(&Callback, "IO_COMPLETION_ROUTINE", "completion routine", Routine, Device);
    NTSTATUS Status = Routine(Device, Irp, Context);
    VfLeaveCallback(&Callback);
    return Status;
}

/* docs: IO_COMPLETION_ROUTINE: a location's completion routine belongs to the driver one location above, whose device
 * it is given; the top one's has none. */
VOID FASTCALL IofCompleteRequest(PIRP Irp, CCHAR Boost)
{
    if (!IopMayComplete(Irp))
        return;
    PIO_STACK_LOCATION First = Irp->Tail.Overlay.CurrentStackLocation;
    ULONG Traced = KiDoor->trace_io ? IopTraceCompleted(Irp) : 0;
    if (Irp->CurrentLocation <= Irp->StackCount &&
        (First->MajorFunction == IRP_MJ_PNP || First->MajorFunction == IRP_MJ_POWER))
        PnpCheckCompletion(Irp, First);
    while (Irp->CurrentLocation <= Irp->StackCount) {
        PIO_STACK_LOCATION Stack = Irp->Tail.Overlay.CurrentStackLocation;
        Irp->PendingReturned = (Stack->Control & SL_PENDING_RETURNED) != 0;
        IopNoteCompletion(Irp, Stack);
        Irp->CurrentLocation++;
        Irp->Tail.Overlay.CurrentStackLocation++;
        if (IopWantsCompletion(Stack, Irp)) {
            PDEVICE_OBJECT Device =
                Irp->CurrentLocation <= Irp->StackCount ? Irp->Tail.Overlay.CurrentStackLocation->DeviceObject : NULL;
            PIO_COMPLETION_ROUTINE Routine = Stack->CompletionRoutine;
            PVOID Context = Stack->Context;
            RtlZeroMemory((PUCHAR)Stack + FIELD_OFFSET(IO_STACK_LOCATION, DeviceObject),
                          sizeof(*Stack) - FIELD_OFFSET(IO_STACK_LOCATION, DeviceObject));
            Stack->Control = 0;
            if (Traced)
                IopTraceRoutine(Traced, DOOR_IO_ROUTINE, Routine);
            if (Irp->CurrentLocation > Irp->StackCount) /* before the call: a routine that keeps it may free it */
                Irp->AllocationFlags |= IOP_IRP_BACK;
            if (IopCallCompletion(Routine, Device, Irp, Context) == STATUS_MORE_PROCESSING_REQUIRED) {
                if (Traced)
                    IopTraceRoutine(Traced, DOOR_IO_KEPT, Routine);
                return;
            }
            Irp->AllocationFlags &= ~IOP_IRP_BACK;
        } else if (Irp->PendingReturned && Irp->CurrentLocation <= Irp->StackCount)
            IoMarkIrpPending(Irp);
    }
    Irp->CurrentLocation = Irp->StackCount + 2; /* a second completion is seen by it */
    if (Irp->Flags & IRP_ASSOCIATED_IRP) {
        PIRP Master = Irp->AssociatedIrp.MasterIrp;
        BOOLEAN Last = InterlockedDecrement(&Master->AssociatedIrp.IrpCount) == 0;
        IoFreeIrp(Irp);
        if (Last)
            IofCompleteRequest(Master, Boost);
        return;
    }
    IopEndRequest(Irp, Boost);
}

/* ---- Call and wait ----------------------------------------------------------------------------------------------- */

NTSTATUS IopCallAndWait(PDEVICE_OBJECT Device, PIRP Irp, PIO_STATUS_BLOCK Iosb)
{
    BOOLEAN Pended;
    return IopCallAndTell(Device, Irp, Iosb, &Pended);
}

NTSTATUS IopCallAndTell(PDEVICE_OBJECT Device, PIRP Irp, PIO_STATUS_BLOCK Iosb, PBOOLEAN Pended)
{
    KEVENT Event;
    BOOLEAN Paging = IopIsPaging(Irp);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Irp->UserEvent = &Event;
    Irp->UserIosb = Iosb;
    NTSTATUS Status = IofCallDriver(Device, Irp);
    *Pended = Status == STATUS_PENDING;
    if (*Pended) {
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb->Status;
    }
    if (!Paging && IsListEmpty(&Irp->ThreadListEntry)) {
        Irp->Type = 0;
        IopFree(Irp);
    }
    return Status;
}

static NTSTATUS NTAPI IopForwardDone(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event)
{
    if (Irp->PendingReturned)
        KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* docs: IoForwardIrpSynchronously: FALSE when the IRP has no location for the lower driver. */
BOOLEAN NTAPI IoForwardIrpSynchronously(PDEVICE_OBJECT Device, PIRP Irp)
{
    KEVENT Event;
    if (Irp->CurrentLocation <= 1)
        return FALSE;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, IopForwardDone, &Event, TRUE, TRUE, TRUE);
    if (IofCallDriver(Device, Irp) == STATUS_PENDING)
        KeWaitForSingleObject(&Event, Suspended, KernelMode, FALSE, NULL);
    return TRUE;
}
