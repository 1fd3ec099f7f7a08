/*
 * The way of each request through the machine, for --trace io: sent to a device, returned by its dispatch routine,
 * completed, seen by completion routines, back at its issuer. Callers have looked at KiDoor->trace_io.
 *
 * A request is told by a number. It has it from the time it is first sent until it is back, or its IRP is freed or
 * initialized again; addresses of IRPs come again too soon to tell one from another.
 */
#include "nt.h"

typedef struct _IOP_TRACED {
    LIST_ENTRY Entry;
    PIRP Irp;
    ULONG Number;
} IOP_TRACED, *PIOP_TRACED;

static LIST_ENTRY IopTraced = {&IopTraced, &IopTraced};

static PIOP_TRACED IopFindTraced(PIRP Irp)
{
    for (PLIST_ENTRY Entry = IopTraced.Flink; Entry != &IopTraced; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, IOP_TRACED, Entry)->Irp == Irp)
            return CONTAINING_RECORD(Entry, IOP_TRACED, Entry);
    return NULL;
}

static ULONG IopNumberOf(PIRP Irp)
{
    static ULONG Last;
    PIOP_TRACED Traced = IopFindTraced(Irp);
    if (!Traced) {
        Traced = ExpAllocate(sizeof(*Traced), 'rToI');
        Traced->Irp = Irp;
        Traced->Number = ++Last;
        InsertHeadList(&IopTraced, &Traced->Entry);
    }
    return Traced->Number;
}

VOID IopTraceForget(PIRP Irp)
{
    PIOP_TRACED Traced = IopFindTraced(Irp);
    if (!Traced)
        return;
    RemoveEntryList(&Traced->Entry);
    ExpFree(Traced);
}

static VOID IopNameDevice(struct door_event_io *Event, PDEVICE_OBJECT Device)
{
    if (!Device)
        return;
    PCSTR File = IopDriverOf(Device->DriverObject)->FileName;
    if (*File)
        RtlpFormat(Event->driver, sizeof(Event->driver), "%s", File);
    else
        ObpNameOf(Device->DriverObject, Event->driver, sizeof(Event->driver));
    ObpNameOf(Device, Event->device, sizeof(Event->device));
}

static VOID IopNameParameters(struct door_event_io *Event, PIO_STACK_LOCATION Stack)
{
    Event->major = Stack->MajorFunction;
    Event->minor = Stack->MinorFunction;
    switch (Stack->MajorFunction) {
    case IRP_MJ_DEVICE_CONTROL:
    case IRP_MJ_INTERNAL_DEVICE_CONTROL:
        Event->code = Stack->Parameters.DeviceIoControl.IoControlCode;
        Event->input = Stack->Parameters.DeviceIoControl.InputBufferLength;
        Event->output = Stack->Parameters.DeviceIoControl.OutputBufferLength;
        break;
    case IRP_MJ_READ:
        Event->output = Stack->Parameters.Read.Length;
        break;
    case IRP_MJ_WRITE:
        Event->input = Stack->Parameters.Write.Length;
        break;
    }
}

ULONG IopTraceSent(PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PETHREAD Issuer = Irp->Tail.Overlay.Thread;
    struct door_event_io Event = {.what = DOOR_IO_SENT,
                                  .irp = IopNumberOf(Irp),
                                  .location = (uint8_t)(Irp->StackCount - Irp->CurrentLocation + 1),
                                  .locations = (uint8_t)Irp->StackCount,
                                  .process = Issuer ? (uint32_t)(ULONG_PTR)PsGetThreadProcessId(Issuer) : 0};
    IopNameDevice(&Event, Device);
    IopNameParameters(&Event, Stack);
    VfRecord(DOOR_EVENT_IO, &Event, sizeof(Event));
    return Event.irp;
}

VOID IopTraceReturned(ULONG Number, PDEVICE_OBJECT Device, NTSTATUS Status)
{
    struct door_event_io Event = {.what = DOOR_IO_RETURNED, .irp = Number, .status = (uint32_t)Status};
    IopNameDevice(&Event, Device);
    VfRecord(DOOR_EVENT_IO, &Event, sizeof(Event));
}

/* The number for what follows: a completion routine may free the IRP. */
ULONG IopTraceCompleted(PIRP Irp)
{
    struct door_event_io Event = {.what = DOOR_IO_COMPLETED,
                                  .irp = IopNumberOf(Irp),
                                  .status = (uint32_t)Irp->IoStatus.Status,
                                  .information = Irp->IoStatus.Information};
    if (Irp->CurrentLocation <= Irp->StackCount)
        IopNameDevice(&Event, Irp->Tail.Overlay.CurrentStackLocation->DeviceObject);
    VfRecord(DOOR_EVENT_IO, &Event, sizeof(Event));
    return Event.irp;
}

VOID IopTraceRoutine(ULONG Number, ULONG What, PVOID Routine)
{
    struct door_event_io Event = {.what = What, .irp = Number, .routine = (UINT64)Routine};
    VfRecord(DOOR_EVENT_IO, &Event, sizeof(Event));
}

VOID IopTraceBack(PIRP Irp, PETHREAD Issuer)
{
    struct door_event_io Event = {.what = DOOR_IO_BACK,
                                  .irp = IopNumberOf(Irp),
                                  .status = (uint32_t)Irp->IoStatus.Status,
                                  .information = Irp->IoStatus.Information,
                                  .process = Issuer ? (uint32_t)(ULONG_PTR)PsGetThreadProcessId(Issuer) : 0};
    VfRecord(DOOR_EVENT_IO, &Event, sizeof(Event));
    IopTraceForget(Irp);
}
