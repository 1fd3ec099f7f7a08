/*
 * The end of asynchronous requests, as programs hear of it: completion ports, and the procedures that run in the issuer.
 *
 * A port is a kernel queue of packets. A file that is tied to one (FileCompletionInformation) sends it a packet for each
 * request that ends, unless the request was made without a context. A request made with a procedure becomes the APC that
 * runs it. (docs: I/O Completion Ports, CreateIoCompletionPort, ReadFileEx)
 */
#include "nt.h"

#define IOP_PORT_QUERY 1
#define IOP_PORT_MODIFY 2
#define IOP_TAG_PACKET 'cPoI'

typedef struct _IOP_PACKET {
    LIST_ENTRY Entry;
    PVOID Key, Context;
    IO_STATUS_BLOCK Iosb;
} IOP_PACKET, *PIOP_PACKET;

static POBJECT_TYPE IopPortType;

static VOID IopDeletePort(PVOID Body)
{
    PLIST_ENTRY First = KeRundownQueue(Body), Entry = First;

    while (Entry) {
        PLIST_ENTRY Next = Entry->Flink == First ? NULL : Entry->Flink;
        ExpFree(CONTAINING_RECORD(Entry, IOP_PACKET, Entry));
        Entry = Next;
    }
}

VOID IopInitializePorts(VOID)
{
    IopPortType = ObpCreateType(
        &(OB_TYPE_INIT){.Name = L"IoCompletion",
                        .BodyBytes = sizeof(KQUEUE),
                        .ValidAccess = 0x1F0003,
                        .Waitable = TRUE,
                        .Mapping = {STANDARD_RIGHTS_READ | IOP_PORT_QUERY, STANDARD_RIGHTS_WRITE | IOP_PORT_MODIFY,
                                    STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, 0x1F0003},
                        .Delete = IopDeletePort});
}

/* Undocumented, exported: as NtSetIoCompletion, with the port's pointer. */
NTSTATUS NTAPI IoSetIoCompletion(PVOID Port, PVOID Key, PVOID Context, NTSTATUS Status, ULONG_PTR Information,
                                 BOOLEAN Quota)
{
    PIOP_PACKET Packet = ExpTryAllocate(sizeof(*Packet), IOP_TAG_PACKET);

    if (!Packet)
        return STATUS_NO_MEMORY;
    Packet->Key = Key;
    Packet->Context = Context;
    Packet->Iosb.Status = Status;
    Packet->Iosb.Information = Information;
    KeInsertQueue(Port, &Packet->Entry);
    return STATUS_SUCCESS;
}

/* ---- Ends of requests ----------------------------------------------------------------------------------------------- */

static VOID NTAPI IopFreeByApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *First, PVOID *Second)
{
    IopFree(CONTAINING_RECORD(Apc, IRP, Tail.Apc));
}

static VOID NTAPI IopFreeByRundown(PKAPC Apc)
{
    IopFree(CONTAINING_RECORD(Apc, IRP, Tail.Apc));
}

BOOLEAN IopTellEnd(PIRP Irp, PFILE_OBJECT File)
{
    PIO_APC_ROUTINE Routine = Irp->Overlay.AsynchronousParameters.UserApcRoutine;
    PVOID Context = Irp->Overlay.AsynchronousParameters.UserApcContext;
    PETHREAD Thread = Irp->Tail.Overlay.Thread;
    PIO_STATUS_BLOCK Iosb = Irp->UserIosb;

    if (Routine) {
        KeInitializeApc(&Irp->Tail.Apc, &Thread->Tcb, CurrentApcEnvironment, IopFreeByApc, IopFreeByRundown,
                        (PKNORMAL_ROUTINE)(ULONG_PTR)Routine, Irp->RequestorMode, Context);
        return KeInsertQueueApc(&Irp->Tail.Apc, Iosb, NULL, 2);
    }
    if (File->CompletionContext && Context && !(File->Flags & FO_SYNCHRONOUS_IO) &&
        !((File->Flags & FO_SKIP_COMPLETION_PORT) && NT_SUCCESS(Irp->IoStatus.Status) && !Irp->PendingReturned))
        IoSetIoCompletion(File->CompletionContext->Port, File->CompletionContext->Key, Context, Irp->IoStatus.Status,
                          Irp->IoStatus.Information, FALSE);
    return FALSE;
}

NTSTATUS IopReferencePort(HANDLE Handle, KPROCESSOR_MODE Mode, PVOID *Port)
{
    return ObReferenceObjectByHandle(Handle, IOP_PORT_MODIFY, IopPortType, Mode, Port, NULL);
}

/* docs: FILE_COMPLETION_INFORMATION: once, and only for a file that is not synchronous. */
NTSTATUS IopTieToPort(PFILE_OBJECT File, HANDLE Port, PVOID Key, KPROCESSOR_MODE Mode)
{
    PIO_COMPLETION_CONTEXT Context;
    PVOID Queue;
    NTSTATUS Status;

    if (File->CompletionContext || (File->Flags & FO_SYNCHRONOUS_IO))
        return STATUS_INVALID_PARAMETER;
    Status = IopReferencePort(Port, Mode, &Queue);
    if (!NT_SUCCESS(Status))
        return Status;
    Context = ExpTryAllocate(sizeof(*Context), IOP_TAG_PACKET);
    if (!Context) {
        ObfDereferenceObject(Queue);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Context->Port = Queue;
    Context->Key = Key;
    File->CompletionContext = Context;
    return STATUS_SUCCESS;
}

VOID IopUntie(PFILE_OBJECT File)
{
    if (!File->CompletionContext)
        return;
    ObfDereferenceObject(File->CompletionContext->Port);
    ExpFree(File->CompletionContext);
}

/* docs: FILE_IO_COMPLETION_NOTIFICATION_INFORMATION, SetFileCompletionNotificationModes: what is not told of a request that
 * ends well at once. A mode that was set stays. */
static const struct {
    ULONG Mode, Flag;
} IopModes[] = {{FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, FO_SKIP_COMPLETION_PORT},
                {FILE_SKIP_SET_EVENT_ON_HANDLE, FO_SKIP_SET_EVENT},
                {FILE_SKIP_SET_USER_EVENT_ON_FAST_IO, FO_SKIP_SET_FAST_IO}};

ULONG IopEndModes(PFILE_OBJECT File)
{
    ULONG Modes = 0;

    for (ULONG i = 0; i < RTL_NUMBER_OF(IopModes); i++)
        if (File->Flags & IopModes[i].Flag)
            Modes |= IopModes[i].Mode;
    return Modes;
}

NTSTATUS IopSetEndModes(PFILE_OBJECT File, ULONG Modes)
{
    ULONG Flags = 0;

    for (ULONG i = 0; i < RTL_NUMBER_OF(IopModes); i++)
        if (Modes & IopModes[i].Mode) {
            Flags |= IopModes[i].Flag;
            Modes &= ~IopModes[i].Mode;
        }
    if (Modes)
        return STATUS_INVALID_PARAMETER;
    File->Flags |= Flags;
    return STATUS_SUCCESS;
}

VOID IopTellFastEnd(PFILE_OBJECT File, PKEVENT Event)
{
    if (Event && !(File->Flags & FO_SKIP_SET_FAST_IO))
        KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
}

/* ---- Services ------------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtCreateIoCompletion(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG Count)
{
    PVOID Port;
    NTSTATUS Status = ObpAllocateObject(IopPortType, sizeof(KQUEUE), &Port);

    if (!NT_SUCCESS(Status))
        return Status;
    KeInitializeQueue(Port, Count);
    return ObpInsertObject(Port, Attributes, Access, Handle);
}

NTSTATUS NTAPI NtSetIoCompletion(HANDLE Handle, PVOID Key, PVOID Context, NTSTATUS Result, ULONG_PTR Information)
{
    PVOID Port;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, IOP_PORT_MODIFY, IopPortType, ExGetPreviousMode(), &Port, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    Status = IoSetIoCompletion(Port, Key, Context, Result, Information, TRUE);
    ObfDereferenceObject(Port);
    return Status;
}

NTSTATUS NTAPI NtRemoveIoCompletion(HANDLE Handle, PVOID *Key, PVOID *Context, PIO_STATUS_BLOCK Iosb,
                                    PLARGE_INTEGER Timeout)
{
    PVOID Port;
    PLIST_ENTRY Entry;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, IOP_PORT_MODIFY, IopPortType, ExGetPreviousMode(), &Port, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    Entry = KeRemoveQueue(Port, ExGetPreviousMode(), Timeout);
    Status = (NTSTATUS)(LONG_PTR)Entry;
    if (Status != STATUS_TIMEOUT && Status != STATUS_USER_APC && Status != STATUS_ABANDONED &&
        Status != STATUS_ALERTED) {
        PIOP_PACKET Packet = CONTAINING_RECORD(Entry, IOP_PACKET, Entry);
        *Key = Packet->Key;
        *Context = Packet->Context;
        *Iosb = Packet->Iosb;
        ExpFree(Packet);
        Status = STATUS_SUCCESS;
    }
    ObfDereferenceObject(Port);
    return Status;
}
