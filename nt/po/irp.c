/*
 * Power requests. (docs: PoRequestPowerIrp, IRP_MJ_POWER, "Rules for Handling Power IRPs", Bug Check 0x9F)
 *
 * A request goes to the top of the stack; when it is complete the routine that asked is called and the next one of the
 * stack is sent. It is sent at once where the caller's level allows: at PASSIVE_LEVEL, or at DISPATCH_LEVEL when the top
 * device's power code is not pageable (DO_POWER_PAGABLE); otherwise a system worker sends it. A request for a state that is
 * not complete after ten minutes of virtual time is a finding. Since Windows Vista PoCallDriver is IoCallDriver, and
 * PoStartNextPowerIrp has nothing to start.
 */
#include "nt.h"

#define POP_WATCH 6000000000ull /* ten minutes */
#define POP_IRP_WAKES 0x04000000
#define POP_LOCATIONS 2 /* Windows' own, above the stack's: the routine that asked finds the last of them current */

typedef struct _PO_REQUEST {
    LIST_ENTRY Entry; /* in the list of Bottom */
    LIST_ENTRY All;   /* in PopRequests */
    PIRP Irp;
    PDEVICE_OBJECT Device, Top, Bottom; /* Device is who was named; all are referenced */
    UCHAR Minor;
    POWER_STATE State;
    PREQUEST_POWER_COMPLETE Routine;
    PVOID Context;
    BOOLEAN Sent, Waits; /* Waits: IRP_MN_WAIT_WAKE, which others do not wait for */
    BOOLEAN Watched;     /* Timer is set */
    ULONG Stack;
    UINT64 Due;
    KTIMER Timer;
    KDPC Dpc;
    WORK_QUEUE_ITEM Item;
    PKEVENT Done; /* PopSystemRequest waits */
    PNTSTATUS Status;
} PO_REQUEST, *PPO_REQUEST;

static LIST_ENTRY PopRequests = {&PopRequests, &PopRequests};

static PDEVICE_OBJECT PopBottomOf(PDEVICE_OBJECT Device)
{
    while (IopDeviceOf(Device)->AttachedTo)
        Device = IopDeviceOf(Device)->AttachedTo;
    return Device;
}

/* Who has the request now; NULL: nobody yet, or nobody any longer. */
static PDEVICE_OBJECT PopHolderOf(PPO_REQUEST Request)
{
    PIRP Irp = Request->Irp;
    return Irp->CurrentLocation <= Irp->StackCount ? IoGetCurrentIrpStackLocation(Irp)->DeviceObject : NULL;
}

/* ---- Watching ---------------------------------------------------------------------------------------------------- */

static VOID NTAPI PopBlocked(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PPO_REQUEST Request = Context;
    PIRP Irp = Request->Irp;
    PDEVICE_OBJECT Holder = PopHolderOf(Request);
    VfFinding("power.irp-blocked", DRIVER_POWER_STATE_FAILURE, 3, (UINT64)Request->Bottom, (UINT64)Request->Top,
              (UINT64)Irp);
    VfSubject("IRP_MJ_POWER");
    VfText("a driver has kept a power request for ten minutes");
    if (Holder) {
        UINT64 Frame = (UINT64)(ULONG_PTR)Holder->DriverObject->MajorFunction[IRP_MJ_POWER] + 1;
        VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), Holder, "dispatch routine of device %o", "");
    }
    if (Request->Stack)
        VfNote(DOOR_NOTE_OBJECT, Request->Stack, NULL, NULL, "The request was made at:");
    VfCommit();
}

static VOID PopWatch(PPO_REQUEST Request)
{
    LARGE_INTEGER Due = {.QuadPart = -(LONGLONG)POP_WATCH};
    if (Request->Waits)
        return;
    Request->Due = KiNow() + POP_WATCH;
    /* A strategy that picks timers would let the ten minutes pass while others could still run. */
    if (KiPicksTimers())
        return;
    Request->Watched = TRUE;
    KeInitializeTimer(&Request->Timer);
    KeInitializeDpc(&Request->Dpc, PopBlocked, Request);
    KeSetTimer(&Request->Timer, Due, &Request->Dpc);
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

static VOID PopSend(PPO_REQUEST Request);

static VOID PopStartNext(PDEVICE_OBJECT Bottom)
{
    PLIST_ENTRY Head = &IopDeviceOf(Bottom)->PowerIrps;
    PPO_REQUEST Next = NULL;
    for (PLIST_ENTRY Entry = Head->Flink; Entry != Head; Entry = Entry->Flink) {
        PPO_REQUEST Request = CONTAINING_RECORD(Entry, PO_REQUEST, Entry);
        if (Request->Waits)
            continue;
        if (Request->Sent)
            return;
        if (!Next)
            Next = Request;
    }
    if (Next)
        PopSend(Next);
}

static VOID PopCallRoutine(PPO_REQUEST Request, PIO_STATUS_BLOCK Iosb)
{
    VF_CALLBACK Callback;
    PMI_IMAGE Image = MmImageOf((UINT64)(ULONG_PTR)Request->Routine);
    if (!Request->Routine)
        return;
    if (!Image || !Image->Driver) {
        Request->Routine(Request->Device, Request->Minor, Request->State, Request->Context, Iosb);
        return;
    }
    IopEnter(&Callback, "REQUEST_POWER_COMPLETE", "completion of a power request for device %o",
             (PVOID)(ULONG_PTR)Request->Routine, Request->Device);
    Callback.Stack = Request->Stack;
    Callback.StackText = "It was requested at:";
    Request->Routine(Request->Device, Request->Minor, Request->State, Request->Context, Iosb);
    VfLeaveCallback(&Callback);
}

static NTSTATUS NTAPI PopCompleted(PDEVICE_OBJECT Unused, PIRP Irp, PVOID Context)
{
    PPO_REQUEST Request = Context;
    PDEVICE_OBJECT Bottom = Request->Bottom;
    if (Request->Watched)
        KeCancelTimer(&Request->Timer);
    RemoveEntryList(&Request->Entry);
    RemoveEntryList(&Request->All);
    PopCallRoutine(Request, &Irp->IoStatus); /* docs: REQUEST_POWER_COMPLETE: the completed IRP's own */
    if (Request->Status)
        *Request->Status = Irp->IoStatus.Status;
    if (Request->Done)
        KeSetEvent(Request->Done, 0, FALSE);
    Irp->Type = 0;
    IopFree(Irp);
    PopStartNext(Bottom);
    ObfDereferenceObject(Request->Device);
    ObfDereferenceObject(Request->Top);
    ObfDereferenceObject(Bottom);
    ExpFree(Request);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static VOID NTAPI PopSendWorker(PVOID Context)
{
    PPO_REQUEST Request = Context;
    IofCallDriver(Request->Top, Request->Irp);
}

static VOID PopSend(PPO_REQUEST Request)
{
    KIRQL Irql = KeGetCurrentIrql();
    Request->Sent = TRUE;
    PopWatch(Request);
    if (Irql == PASSIVE_LEVEL || (Irql == DISPATCH_LEVEL && !(Request->Top->Flags & DO_POWER_PAGABLE))) {
        IofCallDriver(Request->Top, Request->Irp);
        return;
    }
    ExInitializeWorkItem(&Request->Item, PopSendWorker, Request);
    ExQueueWorkItem(&Request->Item, CriticalWorkQueue);
}

static PPO_REQUEST PopMake(PDEVICE_OBJECT Device, UCHAR Minor, POWER_STATE_TYPE Type, POWER_STATE State,
                           POWER_ACTION Action)
{
    PPO_REQUEST Request = ExpTryAllocate(sizeof(*Request), PO_TAG);
    PDEVICE_OBJECT Top;
    PIO_STACK_LOCATION Stack;
    if (!Request)
        return NULL;
    RtlZeroMemory(Request, sizeof(*Request));
    InitializeListHead(&Request->All);
    Top = IoGetAttachedDeviceReference(Device);
    Request->Irp = IoAllocateIrp(Top->StackSize + POP_LOCATIONS, FALSE);
    if (!Request->Irp) {
        ObfDereferenceObject(Top);
        ExpFree(Request);
        return NULL;
    }
    Request->Device = Device;
    Request->Top = Top;
    Request->Bottom = PopBottomOf(Device);
    ObfReferenceObject(Device);
    ObfReferenceObject(Request->Bottom);
    Request->Minor = Minor;
    Request->State = State;
    Request->Waits = Minor == IRP_MN_WAIT_WAKE;
    Request->Irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    for (ULONG i = 0; i < POP_LOCATIONS; i++)
        IoSetNextIrpStackLocation(Request->Irp);
    Stack = IoGetNextIrpStackLocation(Request->Irp);
    Stack->MajorFunction = IRP_MJ_POWER;
    Stack->MinorFunction = Minor;
    if (Request->Waits)
        Stack->Parameters.WaitWake.PowerState = State.SystemState;
    else {
        Stack->Parameters.Power.Type = Type;
        Stack->Parameters.Power.State = State;
        Stack->Parameters.Power.ShutdownType = Action;
    }
    IoSetCompletionRoutine(Request->Irp, PopCompleted, Request, TRUE, TRUE, TRUE);
    return Request;
}

/* In turn: one request for a state at a time. */
static VOID PopSubmit(PPO_REQUEST Request)
{
    PDEVICE_OBJECT Bottom = Request->Bottom;
    InsertTailList(&IopDeviceOf(Bottom)->PowerIrps, &Request->Entry);
    InsertTailList(&PopRequests, &Request->All);
    if (Request->Waits)
        PopSend(Request);
    else
        PopStartNext(Bottom);
}

NTSTATUS NTAPI PoRequestPowerIrp(PDEVICE_OBJECT DeviceObject, UCHAR MinorFunction, POWER_STATE PowerState,
                                 PREQUEST_POWER_COMPLETE CompletionFunction, PVOID Context, PIRP *Irp)
{
    ULONG Stack = VfCaptureStack();
    PPO_REQUEST Request;
    if (MinorFunction != IRP_MN_SET_POWER && MinorFunction != IRP_MN_QUERY_POWER && MinorFunction != IRP_MN_WAIT_WAKE)
        return STATUS_INVALID_PARAMETER_2;
    Request = PopMake(DeviceObject, MinorFunction, DevicePowerState, PowerState, PowerActionNone);
    if (!Request)
        return STATUS_INSUFFICIENT_RESOURCES;
    Request->Routine = CompletionFunction;
    Request->Context = Context;
    Request->Stack = Stack;
    PIO_STACK_LOCATION Own = IoGetCurrentIrpStackLocation(Request->Irp);
    Own->Parameters.Others.Argument1 = DeviceObject;
    Own->Parameters.Others.Argument2 = (PVOID)(ULONG_PTR)MinorFunction;
    Own->Parameters.Others.Argument3 = (PVOID)(ULONG_PTR)PowerState.SystemState;
    Own->Parameters.Others.Argument4 = Context;
    if (Irp)
        *Irp = Request->Irp;
    PopSubmit(Request);
    return STATUS_PENDING;
}

/* System requests do not wait for device requests, which they bring about. */
NTSTATUS PopSystemRequest(PDEVICE_OBJECT Device, UCHAR Minor, SYSTEM_POWER_STATE State, POWER_ACTION Action)
{
    POWER_STATE Power = {.SystemState = State};
    NTSTATUS Status = STATUS_UNSUCCESSFUL;
    PPO_REQUEST Request = PopMake(Device, Minor, SystemPowerState, Power, Action);
    LIST_ENTRY Alone;
    KEVENT Done;
    if (!Request)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    Request->Done = &Done;
    Request->Status = &Status;
    InitializeListHead(&Alone);
    InsertTailList(&Alone, &Request->Entry);
    InsertTailList(&PopRequests, &Request->All);
    PopSend(Request);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    return Status;
}

/* ---- For drivers ------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI PoCallDriver(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IofCallDriver(Device, Irp);
}

VOID NTAPI PoStartNextPowerIrp(PIRP Irp)
{
}

/* docs: PoSetPowerState: notes the device's new state, returns the one before. System states are the system's to set.
 */
POWER_STATE NTAPI PoSetPowerState(PDEVICE_OBJECT Device, POWER_STATE_TYPE Type, POWER_STATE State)
{
    POWER_STATE Before = {.DeviceState = (DEVICE_POWER_STATE)IopDeviceOf(Device)->PowerState};
    if (Type != DevicePowerState)
        return State;
    IopDeviceOf(Device)->PowerState = (UCHAR)State.DeviceState;
    return Before;
}

/* docs: PoSetSystemWake, PoGetSystemWake: a wake request is marked as the one that woke the system. */
VOID NTAPI PoSetSystemWake(PIRP Irp)
{
    Irp->Flags |= POP_IRP_WAKES;
}

BOOLEAN NTAPI PoGetSystemWake(PIRP Irp)
{
    return (Irp->Flags & POP_IRP_WAKES) != 0;
}

/* docs: PoQueryWatchdogTime: seconds until a request on this stack counts as blocked. */
BOOLEAN NTAPI PoQueryWatchdogTime(PDEVICE_OBJECT Pdo, PULONG SecondsRemaining)
{
    PLIST_ENTRY Head = &IopDeviceOf(PopBottomOf(Pdo))->PowerIrps;
    for (PLIST_ENTRY Entry = Head->Flink; Entry != Head; Entry = Entry->Flink) {
        PPO_REQUEST Request = CONTAINING_RECORD(Entry, PO_REQUEST, Entry);
        if (!Request->Sent || Request->Waits)
            continue;
        *SecondsRemaining = Request->Due > KiNow() ? (ULONG)((Request->Due - KiNow()) / 10000000) : 0;
        return TRUE;
    }
    return FALSE;
}

/* docs: Bug Check 0x9F, parameter 1 = 1: who has the request, whose routine it will call, the bottom that it has yet to reach. */
VOID PopDeviceGoes(PDEVICE_OBJECT Device)
{
    PopForgetIdle(Device);
    for (PLIST_ENTRY Entry = PopRequests.Flink; Entry != &PopRequests; Entry = Entry->Flink) {
        PPO_REQUEST Request = CONTAINING_RECORD(Entry, PO_REQUEST, All);
        PDEVICE_OBJECT Holder = PopHolderOf(Request);
        if (!Holder ||
            (Holder != Device && Request->Bottom != Device && (Request->Device != Device || !Request->Routine)))
            continue;
        VfFinding("power.request-outstanding", DRIVER_POWER_STATE_FAILURE, 1, (UINT64)Device, 0, 0);
        VfSubject("IoDeleteDevice");
        VfText("a device is deleted while a power request of its stack is not complete");
        VfNoteCaller(NULL);
        if (Request->Stack)
            VfNote(DOOR_NOTE_OBJECT, Request->Stack, NULL, NULL, "The request was made at:");
        VfCommit();
        return;
    }
}
