/*
 * Opportunistic locks (docs: FsRtlOplockFsctrl, FsRtlCheckOplock, "Overview of Oplocks", "Breaking Oplocks").
 *
 * An oplock lets its owner cache reads (R), writes (W) and the open handle (H). The four older kinds are such sets,
 * too: level 1 is RW, batch is RWH, filter is RH, level 2 is R; they differ in who may have them and how a break is
 * told. Whoever owns W (or filter) owns the oplock alone; R and RH may have many owners. The request that asked for an
 * oplock is pending as long as it is held; its completion is the break. An owner that loses W or H must acknowledge,
 * and until then those whose operation broke the oplock wait: a request is posted or its thread blocks.
 *
 * Owners are told apart by oplock key, which a file object has from its create's extra parameter, else it is its own.
 */
#include "nt.h"

#define R OPLOCK_LEVEL_CACHE_READ
#define H OPLOCK_LEVEL_CACHE_HANDLE
#define W OPLOCK_LEVEL_CACHE_WRITE
#ifndef STATUS_OPLOCK_SWITCHED_TO_NEW_HANDLE
#define STATUS_OPLOCK_SWITCHED_TO_NEW_HANDLE ((NTSTATUS)0x00000215)
#endif
#define FSRTLP_OPLOCK_TAG 'lpOF'

typedef struct _FSRTLP_HOLDER {
    LIST_ENTRY Entry;
    PFILE_OBJECT File;
    PIRP Irp; /* NULL while breaking */
    ULONG Level, BreakTo;
    BOOLEAN Legacy, Filter;
    BOOLEAN Breaking;     /* an acknowledgement is due */
    BOOLEAN ClosePending; /* it will come as a close */
} FSRTLP_HOLDER, *PFSRTLP_HOLDER;

typedef struct _FSRTLP_OPWAIT {
    LIST_ENTRY Entry;
    PIRP Irp; /* NULL: a thread waits, or somebody without a request */
    PVOID Context;
    POPLOCK_WAIT_COMPLETE_ROUTINE Completion;
    PKEVENT Event; /* instead: a thread waits */
    struct _FSRTLP_OPLOCK *Oplock;
} FSRTLP_OPWAIT, *PFSRTLP_OPWAIT;

typedef struct _FSRTLP_OPLOCK {
    LIST_ENTRY Holders, Waiting;
} FSRTLP_OPLOCK, *PFSRTLP_OPLOCK;

VOID NTAPI FsRtlInitializeOplock(POPLOCK Oplock)
{
    *Oplock = NULL; /* made with the first request */
}

static PFSRTLP_OPLOCK FsRtlpOplockOf(POPLOCK Oplock)
{
    PFSRTLP_OPLOCK Own = *Oplock;
    if (!Own) {
        Own = ExpTryAllocate(sizeof(*Own), FSRTLP_OPLOCK_TAG);
        if (!Own)
            return NULL;
        InitializeListHead(&Own->Holders);
        InitializeListHead(&Own->Waiting);
        *Oplock = Own;
    }
    return Own;
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

/* docs: FsRtlOplockKeysEqual. */
BOOLEAN NTAPI FsRtlOplockKeysEqual(PFILE_OBJECT One, PFILE_OBJECT Two)
{
    if (!One || !Two || One == Two)
        return One && One == Two;
    PIOP_FILE_EXTENSION First = One->FileObjectExtension, Second = Two->FileObjectExtension;
    return First && Second && First->HasOplockKey && Second->HasOplockKey &&
           RtlCompareMemory(&First->OplockKey, &Second->OplockKey, sizeof(GUID)) == sizeof(GUID);
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

static BOOLEAN FsRtlpIsBreaking(PFSRTLP_OPLOCK Oplock)
{
    for (PLIST_ENTRY Entry = Oplock->Holders.Flink; Entry != &Oplock->Holders; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, FSRTLP_HOLDER, Entry)->Breaking)
            return TRUE;
    return FALSE;
}

static VOID FsRtlpEndWait(PFSRTLP_OPWAIT Wait)
{
    FSRTLP_OPWAIT Due = *Wait;
    if (Due.Event) {
        KeSetEvent(Due.Event, IO_NO_INCREMENT, FALSE);
        return;
    }
    ExpFree(Wait);
    VF_CALLBACK Callback;
    IopEnter(&Callback, "POPLOCK_WAIT_COMPLETE_ROUTINE", "completion of an oplock break",
             (PVOID)(ULONG_PTR)Due.Completion, Due.Irp);
    Due.Completion(Due.Context, Due.Irp);
    VfLeaveCallback(&Callback);
}

/* Nobody is asked for an acknowledgement any more: those that wait go on. */
static VOID FsRtlpReleaseWaiters(PFSRTLP_OPLOCK Oplock)
{
    if (FsRtlpIsBreaking(Oplock))
        return;
    for (PLIST_ENTRY Entry = Oplock->Waiting.Flink; Entry != &Oplock->Waiting;) {
        PFSRTLP_OPWAIT Wait = CONTAINING_RECORD(Entry, FSRTLP_OPWAIT, Entry);
        Entry = Entry->Flink;
        if (Wait->Irp && !IoSetCancelRoutine(Wait->Irp, NULL))
            continue;
        RemoveEntryList(&Wait->Entry);
        if (Wait->Irp)
            Wait->Irp->IoStatus.Status = STATUS_SUCCESS;
        FsRtlpEndWait(Wait);
        Entry = Oplock->Waiting.Flink;
    }
}

static VOID NTAPI FsRtlpCancelOpwait(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFSRTLP_OPWAIT Wait = (PVOID)Irp->IoStatus.Information;
    RemoveEntryList(&Wait->Entry);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Irp->IoStatus.Status = STATUS_CANCELLED;
    FsRtlpEndWait(Wait);
}

static VOID NTAPI FsRtlpNotified(PVOID Context, PIRP Irp)
{
    Irp->IoStatus.Information = 0;
    IofCompleteRequest(Irp, IO_DISK_INCREMENT);
}

static NTSTATUS FsRtlpPost(PFSRTLP_OPLOCK Oplock, PIRP Irp, PVOID Context, POPLOCK_WAIT_COMPLETE_ROUTINE Completion,
                           POPLOCK_FS_PREPOST_IRP Post)
{
    PFSRTLP_OPWAIT Wait = ExpTryAllocate(sizeof(*Wait), FSRTLP_OPLOCK_TAG);
    if (!Wait)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    *Wait = (FSRTLP_OPWAIT){.Irp = Irp, .Context = Context, .Completion = Completion, .Oplock = Oplock};
    if (Post) {
        VF_CALLBACK Callback;
        IopEnter(&Callback, "POPLOCK_FS_PREPOST_IRP", "routine before an oplock wait", (PVOID)(ULONG_PTR)Post, Irp);
        Post(Context, Irp);
        VfLeaveCallback(&Callback);
    }
    InsertTailList(&Oplock->Waiting, &Wait->Entry);
    Irp->IoStatus.Information = (ULONG_PTR)Wait;
    IoMarkIrpPending(Irp);
    IoSetCancelRoutine(Irp, FsRtlpCancelOpwait);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL)) {
        RemoveEntryList(&Wait->Entry);
        Irp->IoStatus.Status = STATUS_CANCELLED;
        FsRtlpEndWait(Wait);
    } else
        FsRtlpReleaseWaiters(Oplock); /* what the routine above did may have ended the break */
    return STATUS_PENDING;
}

static NTSTATUS FsRtlpBlock(PFSRTLP_OPLOCK Oplock)
{
    KEVENT Event;
    FSRTLP_OPWAIT Wait = {.Event = &Event, .Oplock = Oplock};
    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    InsertTailList(&Oplock->Waiting, &Wait.Entry);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    return STATUS_SUCCESS;
}

/* ---- Ends and breaks --------------------------------------------------------------------------------------------- */

static VOID FsRtlpDropHolder(PFSRTLP_HOLDER Holder)
{
    RemoveEntryList(&Holder->Entry);
    ExpFree(Holder);
}

/* Tell the owner. The new requests are answered with a structure, the old ones with a number. */
static VOID FsRtlpTellBreak(PIRP Irp, BOOLEAN Legacy, ULONG Old, ULONG New, BOOLEAN Acknowledge)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    if (Legacy)
        Irp->IoStatus.Information = New & R ? FILE_OPLOCK_BROKEN_TO_LEVEL_2 : FILE_OPLOCK_BROKEN_TO_NONE;
    else {
        PREQUEST_OPLOCK_OUTPUT_BUFFER Reply = Irp->AssociatedIrp.SystemBuffer;
        RtlZeroMemory(Reply, sizeof(*Reply));
        Reply->StructureVersion = REQUEST_OPLOCK_CURRENT_VERSION;
        Reply->StructureLength = sizeof(*Reply);
        Reply->OriginalOplockLevel = Old;
        Reply->NewOplockLevel = New;
        Reply->Flags = Acknowledge ? REQUEST_OPLOCK_OUTPUT_FLAG_ACK_REQUIRED : 0;
        Irp->IoStatus.Information = sizeof(*Reply);
    }
    IofCompleteRequest(Irp, IO_DISK_INCREMENT);
}

static VOID NTAPI FsRtlpCancelHolder(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFSRTLP_HOLDER Holder = (PVOID)Irp->IoStatus.Information;
    FsRtlpDropHolder(Holder);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Irp->IoStatus.Status = STATUS_CANCELLED;
    Irp->IoStatus.Information = 0;
    IofCompleteRequest(Irp, IO_DISK_INCREMENT);
}

/* Take caching away from one owner. TRUE: he was told, which is a delivery point. docs: "Breaking Oplocks": losing W or
 * H wants an acknowledgement, save that RH falls to nothing, and R alone always, without one. */
static BOOLEAN FsRtlpBreak(PFSRTLP_HOLDER Holder, ULONG To)
{
    PIRP Irp = Holder->Irp;
    ULONG Old = Holder->Level;
    if (Holder->Breaking) { /* further down than was asked for first */
        Holder->BreakTo &= To;
        return FALSE;
    }
    if (!Irp || !IoSetCancelRoutine(Irp, NULL))
        return FALSE; /* being cancelled: it is as good as gone */
    if (Holder->Legacy && !(To & R))
        To = 0;
    BOOLEAN Acknowledge = (Old & W) || Holder->Filter || ((Old & H) && To);
    Holder->Irp = NULL;
    Holder->BreakTo = To;
    Holder->Breaking = Acknowledge;
    BOOLEAN Legacy = Holder->Legacy;
    if (!Acknowledge)
        FsRtlpDropHolder(Holder);
    FsRtlpTellBreak(Irp, Legacy, Old, To, Acknowledge);
    return TRUE;
}

/* An owner closes his last handle. */
static VOID FsRtlpCleanup(PFSRTLP_OPLOCK Oplock, PFILE_OBJECT File)
{
    for (PLIST_ENTRY Entry = Oplock->Holders.Flink; Entry != &Oplock->Holders;) {
        PFSRTLP_HOLDER Holder = CONTAINING_RECORD(Entry, FSRTLP_HOLDER, Entry);
        Entry = Entry->Flink;
        if (Holder->File != File)
            continue;
        PIRP Irp = Holder->Irp;
        if (Irp && !IoSetCancelRoutine(Irp, NULL))
            continue;
        ULONG Old = Holder->Level;
        BOOLEAN Legacy = Holder->Legacy;
        FsRtlpDropHolder(Holder);
        if (Irp)
            FsRtlpTellBreak(Irp, Legacy, Old, 0, FALSE);
        Entry = Oplock->Holders.Flink;
    }
    FsRtlpReleaseWaiters(Oplock);
}

VOID NTAPI FsRtlUninitializeOplock(POPLOCK Opaque)
{
    PFSRTLP_OPLOCK Oplock = *Opaque;
    if (!Oplock)
        return;
    while (!IsListEmpty(&Oplock->Holders)) {
        PFSRTLP_HOLDER Holder = CONTAINING_RECORD(Oplock->Holders.Flink, FSRTLP_HOLDER, Entry);
        PIRP Irp = Holder->Irp;
        BOOLEAN Mine = Irp && IoSetCancelRoutine(Irp, NULL), Legacy = Holder->Legacy;
        ULONG Old = Holder->Level;
        FsRtlpDropHolder(Holder);
        if (Mine)
            FsRtlpTellBreak(Irp, Legacy, Old, 0, FALSE);
    }
    FsRtlpReleaseWaiters(Oplock);
    *Opaque = NULL;
    ExpFree(Oplock);
}

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

static NTSTATUS FsRtlpFinish(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IofCompleteRequest(Irp, IO_DISK_INCREMENT);
    return Status;
}

static NTSTATUS FsRtlpHold(PFSRTLP_OPLOCK Oplock, PIRP Irp, ULONG Level, BOOLEAN Legacy, BOOLEAN Filter)
{
    PFSRTLP_HOLDER Holder = ExpTryAllocate(sizeof(*Holder), FSRTLP_OPLOCK_TAG);
    if (!Holder)
        return FsRtlpFinish(Irp, STATUS_INSUFFICIENT_RESOURCES);
    *Holder = (FSRTLP_HOLDER){.File = IoGetCurrentIrpStackLocation(Irp)->FileObject,
                              .Irp = Irp,
                              .Level = Level,
                              .Legacy = Legacy,
                              .Filter = Filter};
    InsertTailList(&Oplock->Holders, &Holder->Entry);
    Irp->IoStatus.Information = (ULONG_PTR)Holder;
    IoMarkIrpPending(Irp);
    IoSetCancelRoutine(Irp, FsRtlpCancelHolder);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL)) {
        FsRtlpDropHolder(Holder);
        FsRtlpFinish(Irp, STATUS_CANCELLED);
    }
    return STATUS_PENDING;
}

/* docs: FSCTL_REQUEST_OPLOCK and its older forms: who may have what beside whom. An owner's earlier oplock of a lower
 * level gives way to his new one (STATUS_OPLOCK_SWITCHED_TO_NEW_HANDLE). */
static BOOLEAN FsRtlpMayHold(PFSRTLP_OPLOCK Oplock, PFILE_OBJECT File, ULONG Level, BOOLEAN Exclusive)
{
    for (PLIST_ENTRY Entry = Oplock->Holders.Flink; Entry != &Oplock->Holders; Entry = Entry->Flink) {
        PFSRTLP_HOLDER Holder = CONTAINING_RECORD(Entry, FSRTLP_HOLDER, Entry);
        BOOLEAN Own = FsRtlOplockKeysEqual(Holder->File, File);
        if (Holder->Breaking || ((Holder->Level & W) && !Own) || (Holder->Filter && !Own) || (Exclusive && !Own))
            return FALSE;
        if (Own && (Holder->Level & ~Level)) /* an owner can only gain */
            return FALSE;
    }
    return TRUE;
}

static VOID FsRtlpSwitch(PFSRTLP_OPLOCK Oplock, PFILE_OBJECT File)
{
    for (PLIST_ENTRY Entry = Oplock->Holders.Flink; Entry != &Oplock->Holders;) {
        PFSRTLP_HOLDER Holder = CONTAINING_RECORD(Entry, FSRTLP_HOLDER, Entry);
        PIRP Irp = Holder->Irp;
        Entry = Entry->Flink;
        if (!FsRtlOplockKeysEqual(Holder->File, File) || !Irp || !IoSetCancelRoutine(Irp, NULL))
            continue;
        BOOLEAN Legacy = Holder->Legacy;
        ULONG Old = Holder->Level;
        FsRtlpDropHolder(Holder);
        if (Legacy)
            FsRtlpTellBreak(Irp, TRUE, Old, 0, FALSE);
        else
            FsRtlpFinish(Irp, STATUS_OPLOCK_SWITCHED_TO_NEW_HANDLE);
        Entry = Oplock->Holders.Flink;
    }
}

static NTSTATUS FsRtlpAsk(POPLOCK Opaque, PIRP Irp, ULONG Count, ULONG Level, BOOLEAN Legacy, BOOLEAN Filter,
                          ULONG Flags)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PFSRTLP_OPLOCK Oplock = FsRtlpOplockOf(Opaque);
    BOOLEAN Exclusive = (Level & W) || Filter;
    if (!Oplock)
        return FsRtlpFinish(Irp, STATUS_INSUFFICIENT_RESOURCES);
    /* docs: Count: handles for an exclusive one, byte range locks for a shared one. */
    if ((File->Flags & FO_SYNCHRONOUS_IO) ||
        (Exclusive ? Count > 1 && !(Flags & OPLOCK_FSCTRL_FLAG_ALL_KEYS_MATCH) : Count != 0) ||
        !FsRtlpMayHold(Oplock, File, Level, Exclusive))
        return FsRtlpFinish(Irp, STATUS_OPLOCK_NOT_GRANTED);
    FsRtlpSwitch(Oplock, File);
    return FsRtlpHold(Oplock, Irp, Level, Legacy, Filter);
}

static PFSRTLP_HOLDER FsRtlpBreakingHolder(PFSRTLP_OPLOCK Oplock, PFILE_OBJECT File)
{
    for (PLIST_ENTRY Entry = Oplock ? Oplock->Holders.Flink : NULL; Entry && Entry != &Oplock->Holders;
         Entry = Entry->Flink) {
        PFSRTLP_HOLDER Holder = CONTAINING_RECORD(Entry, FSRTLP_HOLDER, Entry);
        if (Holder->Breaking && FsRtlOplockKeysEqual(Holder->File, File))
            return Holder;
    }
    return NULL;
}

/* The owner agrees to lose what he was told to; what he keeps he holds by this request. */
static NTSTATUS FsRtlpAcknowledge(POPLOCK Opaque, PIRP Irp, ULONG Keep, BOOLEAN Legacy)
{
    PFSRTLP_OPLOCK Oplock = *Opaque;
    PFSRTLP_HOLDER Holder = FsRtlpBreakingHolder(Oplock, IoGetCurrentIrpStackLocation(Irp)->FileObject);
    if (!Holder || Holder->ClosePending)
        return FsRtlpFinish(Irp, STATUS_INVALID_OPLOCK_PROTOCOL);
    Keep &= Holder->BreakTo;
    FsRtlpDropHolder(Holder);
    NTSTATUS Status = Keep ? FsRtlpHold(Oplock, Irp, Keep, Legacy, FALSE) : FsRtlpFinish(Irp, STATUS_SUCCESS);
    FsRtlpReleaseWaiters(Oplock);
    return Status;
}

static NTSTATUS FsRtlpAskNew(POPLOCK Opaque, PIRP Irp, ULONG Count, ULONG Flags)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PREQUEST_OPLOCK_INPUT_BUFFER Input = Irp->AssociatedIrp.SystemBuffer;
    if (!Input || Stack->Parameters.FileSystemControl.InputBufferLength < sizeof(*Input) ||
        Stack->Parameters.FileSystemControl.OutputBufferLength < sizeof(REQUEST_OPLOCK_OUTPUT_BUFFER))
        return FsRtlpFinish(Irp, STATUS_BUFFER_TOO_SMALL);
    ULONG Level = Input->RequestedOplockLevel;
    if (Input->StructureVersion != REQUEST_OPLOCK_CURRENT_VERSION || Input->StructureLength < sizeof(*Input) ||
        (Level & ~(R | H | W)))
        return FsRtlpFinish(Irp, STATUS_INVALID_PARAMETER);
    if (Input->Flags & REQUEST_OPLOCK_INPUT_FLAG_ACK)
        return FsRtlpAcknowledge(Opaque, Irp, Level, FALSE);
    if (!(Input->Flags & REQUEST_OPLOCK_INPUT_FLAG_REQUEST) || !(Level & R))
        return FsRtlpFinish(Irp, STATUS_INVALID_PARAMETER);
    return FsRtlpAsk(Opaque, Irp, Count, Level, FALSE, FALSE, Flags);
}

NTSTATUS NTAPI FsRtlOplockFsctrlEx(POPLOCK Opaque, PIRP Irp, ULONG Count, ULONG Flags)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFSRTLP_OPLOCK Oplock = *Opaque;
    PFSRTLP_HOLDER Holder;
    if (Stack->MajorFunction == IRP_MJ_CREATE) /* FILE_OPEN_REQUIRING_OPLOCK: not kept here */
        return STATUS_OPLOCK_NOT_GRANTED;
    switch (Stack->Parameters.FileSystemControl.FsControlCode) {
    case FSCTL_REQUEST_OPLOCK_LEVEL_1:
        return FsRtlpAsk(Opaque, Irp, Count, R | W, TRUE, FALSE, Flags);
    case FSCTL_REQUEST_OPLOCK_LEVEL_2:
        return FsRtlpAsk(Opaque, Irp, Count, R, TRUE, FALSE, Flags);
    case FSCTL_REQUEST_BATCH_OPLOCK:
        return FsRtlpAsk(Opaque, Irp, Count, R | W | H, TRUE, FALSE, Flags);
    case FSCTL_REQUEST_FILTER_OPLOCK:
        return FsRtlpAsk(Opaque, Irp, Count, R | H, TRUE, TRUE, Flags);
    case FSCTL_REQUEST_OPLOCK:
        return FsRtlpAskNew(Opaque, Irp, Count, Flags);
    case FSCTL_OPLOCK_BREAK_ACKNOWLEDGE:
        return FsRtlpAcknowledge(Opaque, Irp, R, TRUE);
    case FSCTL_OPLOCK_BREAK_ACK_NO_2:
        return FsRtlpAcknowledge(Opaque, Irp, 0, TRUE);
    case FSCTL_OPBATCH_ACK_CLOSE_PENDING:
        Holder = FsRtlpBreakingHolder(Oplock, Stack->FileObject);
        if (!Holder)
            return FsRtlpFinish(Irp, STATUS_INVALID_OPLOCK_PROTOCOL);
        Holder->ClosePending = TRUE;
        return FsRtlpFinish(Irp, STATUS_SUCCESS);
    case FSCTL_OPLOCK_BREAK_NOTIFY:
        if (Oplock && FsRtlpIsBreaking(Oplock))
            return FsRtlpPost(Oplock, Irp, NULL, FsRtlpNotified, NULL);
        return FsRtlpFinish(Irp, STATUS_SUCCESS);
    default:
        return FsRtlpFinish(Irp, STATUS_INVALID_PARAMETER);
    }
}

NTSTATUS NTAPI FsRtlOplockFsctrl(POPLOCK Oplock, PIRP Irp, ULONG Count)
{
    return FsRtlOplockFsctrlEx(Oplock, Irp, Count, 0);
}

/* ---- What an operation breaks ------------------------------------------------------------------------------------ */

#define FSRTLP_NOTHING 0x100 /* no break at all */
#define QUIET_ACCESS (FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | SYNCHRONIZE)
#define FILTER_ACCESS (QUIET_ACCESS | FILE_READ_DATA | FILE_READ_EA | FILE_EXECUTE | READ_CONTROL)

typedef struct _FSRTLP_OPERATION {
    ULONG Keep;       /* what others may keep caching */
    ULONG KeepShared; /* the same for owners of R alone, however the key is */
    BOOLEAN Filter;   /* filter oplocks are broken, too */
} FSRTLP_OPERATION;

static FSRTLP_OPERATION FsRtlpCreateBreaks(PIO_STACK_LOCATION Stack)
{
    ULONG Access = Stack->Parameters.Create.SecurityContext->DesiredAccess;
    ULONG Disposition = Stack->Parameters.Create.Options >> 24, Options = Stack->Parameters.Create.Options;
    BOOLEAN Overwrites =
        Disposition == FILE_SUPERSEDE || Disposition == FILE_OVERWRITE || Disposition == FILE_OVERWRITE_IF;
    if (Overwrites)
        return (FSRTLP_OPERATION){0, 0, TRUE};
    if (!(Access & ~QUIET_ACCESS) && !(Options & FILE_RESERVE_OPFILTER))
        return (FSRTLP_OPERATION){FSRTLP_NOTHING, FSRTLP_NOTHING, FALSE};
    return (FSRTLP_OPERATION){R | H, FSRTLP_NOTHING,
                              (Access & ~FILTER_ACCESS) && !(Stack->Parameters.Create.ShareAccess & FILE_SHARE_READ)};
}

static FSRTLP_OPERATION FsRtlpBreaks(PIRP Irp)
{
    const FSRTLP_OPERATION Nothing = {FSRTLP_NOTHING, FSRTLP_NOTHING, FALSE}, All = {0, 0, TRUE};
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    switch (Stack->MajorFunction) {
    case IRP_MJ_CREATE:
        return FsRtlpCreateBreaks(Stack);
    case IRP_MJ_READ:
        return Irp->Flags & IRP_PAGING_IO ? Nothing : (FSRTLP_OPERATION){R | H, FSRTLP_NOTHING, FALSE};
    case IRP_MJ_WRITE:
        return Irp->Flags & IRP_PAGING_IO ? Nothing : All;
    case IRP_MJ_FLUSH_BUFFERS:
        return (FSRTLP_OPERATION){R | H, FSRTLP_NOTHING, FALSE};
    case IRP_MJ_LOCK_CONTROL:
        return All;
    case IRP_MJ_SET_INFORMATION:
        switch ((ULONG)Stack->Parameters.SetFile.FileInformationClass) {
        case FileEndOfFileInformation: /* docs: not when the lazy writer advances it */
            if (Stack->Parameters.SetFile.AdvanceOnly)
                return Nothing;
            return All;
        case FileAllocationInformation:
        case FileValidDataLengthInformation:
            return All;
        case FileRenameInformation:
        case FileLinkInformation:
        case FileShortNameInformation:
        case FileDispositionInformation:
            return (FSRTLP_OPERATION){R | W, FSRTLP_NOTHING, TRUE};
        }
        return Nothing;
    case IRP_MJ_FILE_SYSTEM_CONTROL:
        return Stack->Parameters.FileSystemControl.FsControlCode == FSCTL_SET_ZERO_DATA ? All : Nothing;
    }
    return Nothing;
}

static BOOLEAN FsRtlpMustBreak(PFSRTLP_HOLDER Holder, PFILE_OBJECT File, const FSRTLP_OPERATION *Operation, ULONG Flags,
                               PULONG To)
{
    BOOLEAN Own = !(Flags & OPLOCK_FLAG_IGNORE_OPLOCK_KEYS) && FsRtlOplockKeysEqual(Holder->File, File);
    BOOLEAN Level2 = Holder->Legacy && Holder->Level == R;
    if (Level2 && !Holder->Breaking) { /* docs: its own owner's writes break it as well */
        *To = 0;
        return Operation->KeepShared == 0;
    }
    if (Own || Operation->Keep == FSRTLP_NOTHING || (Holder->Filter && !Operation->Filter))
        return FALSE;
    *To = Operation->Keep & Holder->Level;
    return *To != Holder->Level || Holder->Breaking;
}

/* Break what the operation breaks, and wait if that takes an answer. */
static NTSTATUS FsRtlpCheck(POPLOCK Opaque, PIRP Irp, ULONG Flags, const FSRTLP_OPERATION *Operation, PVOID Context,
                            POPLOCK_WAIT_COMPLETE_ROUTINE Completion, POPLOCK_FS_PREPOST_IRP Post)
{
    PFSRTLP_OPLOCK Oplock = *Opaque;
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    BOOLEAN Wait = FALSE;
    ULONG To;
    if (!Oplock || (Flags & OPLOCK_FLAG_OPLOCK_KEY_CHECK_ONLY))
        return STATUS_SUCCESS;
    for (PLIST_ENTRY Entry = Oplock->Holders.Flink; Entry != &Oplock->Holders;) {
        PFSRTLP_HOLDER Holder = CONTAINING_RECORD(Entry, FSRTLP_HOLDER, Entry);
        Entry = Entry->Flink;
        if (!FsRtlpMustBreak(Holder, Stack->FileObject, Operation, Flags, &To))
            continue;
        Wait = TRUE;
        if (FsRtlpBreak(Holder, To))
            Entry = Oplock->Holders.Flink;
    }
    if (!Wait || !FsRtlpIsBreaking(Oplock))
        return STATUS_SUCCESS;
    if ((Flags & OPLOCK_FLAG_COMPLETE_IF_OPLOCKED) ||
        (Stack->MajorFunction == IRP_MJ_CREATE && (Stack->Parameters.Create.Options & FILE_COMPLETE_IF_OPLOCKED)))
        return STATUS_OPLOCK_BREAK_IN_PROGRESS;
    return Completion ? FsRtlpPost(Oplock, Irp, Context, Completion, Post) : FsRtlpBlock(Oplock);
}

NTSTATUS NTAPI FsRtlCheckOplockEx(POPLOCK Oplock, PIRP Irp, ULONG Flags, PVOID Context,
                                  POPLOCK_WAIT_COMPLETE_ROUTINE Completion, POPLOCK_FS_PREPOST_IRP Post)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    if (!*Oplock)
        return STATUS_SUCCESS;
    if (Stack->MajorFunction == IRP_MJ_CLEANUP) {
        FsRtlpCleanup(*Oplock, Stack->FileObject);
        return STATUS_SUCCESS;
    }
    FSRTLP_OPERATION Operation = FsRtlpBreaks(Irp);
    return FsRtlpCheck(Oplock, Irp, Flags, &Operation, Context, Completion, Post);
}

NTSTATUS NTAPI FsRtlCheckOplock(POPLOCK Oplock, PIRP Irp, PVOID Context, POPLOCK_WAIT_COMPLETE_ROUTINE Completion,
                                POPLOCK_FS_PREPOST_IRP Post)
{
    return FsRtlCheckOplockEx(Oplock, Irp, 0, Context, Completion, Post);
}

NTSTATUS NTAPI FsRtlOplockBreakToNoneEx(POPLOCK Oplock, PIRP Irp, ULONG Flags, PVOID Context,
                                        POPLOCK_WAIT_COMPLETE_ROUTINE Completion, POPLOCK_FS_PREPOST_IRP Post)
{
    const FSRTLP_OPERATION All = {0, 0, TRUE};
    return FsRtlpCheck(Oplock, Irp, Flags, &All, Context, Completion, Post);
}

NTSTATUS NTAPI FsRtlOplockBreakToNone(POPLOCK Oplock, PIO_STACK_LOCATION Stack, PIRP Irp, PVOID Context,
                                      POPLOCK_WAIT_COMPLETE_ROUTINE Completion, POPLOCK_FS_PREPOST_IRP Post)
{
    return FsRtlOplockBreakToNoneEx(Oplock, Irp, 0, Context, Completion, Post);
}

/* docs: FsRtlOplockBreakH: a create met a sharing violation; perhaps those who only cache their handles close them. */
NTSTATUS NTAPI FsRtlOplockBreakH(POPLOCK Oplock, PIRP Irp, ULONG Flags, PVOID Context,
                                 POPLOCK_WAIT_COMPLETE_ROUTINE Completion, POPLOCK_FS_PREPOST_IRP Post)
{
    const FSRTLP_OPERATION Handles = {R | W, FSRTLP_NOTHING, TRUE};
    return FsRtlpCheck(Oplock, Irp, Flags, &Handles, Context, Completion, Post);
}

/* ---- Above another oplock: what is held here is never more than the lower one grants ------------------------------- */

/* The level that a request asks for; an acknowledgement asks for none. */
static ULONG FsRtlpAskedLevel(PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PREQUEST_OPLOCK_INPUT_BUFFER Input = Irp->AssociatedIrp.SystemBuffer;
    switch (Stack->Parameters.FileSystemControl.FsControlCode) {
    case FSCTL_REQUEST_OPLOCK_LEVEL_1:
        return R | W;
    case FSCTL_REQUEST_OPLOCK_LEVEL_2:
        return R;
    case FSCTL_REQUEST_BATCH_OPLOCK:
        return R | W | H;
    case FSCTL_REQUEST_FILTER_OPLOCK:
        return R | H;
    case FSCTL_REQUEST_OPLOCK:
        return Input && Stack->Parameters.FileSystemControl.InputBufferLength >= sizeof(*Input) &&
                       !(Input->Flags & REQUEST_OPLOCK_INPUT_FLAG_ACK)
                   ? Input->RequestedOplockLevel
                   : 0;
    default:
        return 0;
    }
}

NTSTATUS NTAPI FsRtlUpperOplockFsctrl(POPLOCK Oplock, PIRP Irp, ULONG Count, ULONG LowerState, ULONG Flags)
{
    if (FsRtlpAskedLevel(Irp) & ~LowerState)
        return FsRtlpFinish(Irp, STATUS_OPLOCK_NOT_GRANTED);
    return FsRtlOplockFsctrlEx(Oplock, Irp, Count, Flags);
}

/* docs: FsRtlCheckUpperOplock: the lower one has been broken to this; the routines are called without a request. */
NTSTATUS NTAPI FsRtlCheckUpperOplock(POPLOCK Opaque, ULONG NewLowerState, PVOID Context,
                                     POPLOCK_WAIT_COMPLETE_ROUTINE Completion, POPLOCK_FS_PREPOST_IRP Post, ULONG Flags)
{
    PFSRTLP_OPLOCK Oplock = *Opaque;
    if (NewLowerState & ~(R | H | W))
        return STATUS_INVALID_PARAMETER;
    for (PLIST_ENTRY Entry = Oplock ? Oplock->Holders.Flink : NULL; Entry && Entry != &Oplock->Holders;) {
        PFSRTLP_HOLDER Holder = CONTAINING_RECORD(Entry, FSRTLP_HOLDER, Entry);
        Entry = Entry->Flink;
        if ((Holder->Level & ~NewLowerState) && FsRtlpBreak(Holder, Holder->Level & NewLowerState))
            Entry = Oplock->Holders.Flink;
    }
    if (!Oplock || !FsRtlpIsBreaking(Oplock))
        return STATUS_SUCCESS;
    if (Flags & OPLOCK_FLAG_COMPLETE_IF_OPLOCKED)
        return STATUS_OPLOCK_BREAK_IN_PROGRESS;
    if (!Completion)
        return FsRtlpBlock(Oplock);
    PFSRTLP_OPWAIT Wait = ExpTryAllocate(sizeof(*Wait), FSRTLP_OPLOCK_TAG);
    if (!Wait)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Wait = (FSRTLP_OPWAIT){.Context = Context, .Completion = Completion, .Oplock = Oplock};
    if (Post)
        Post(Context, NULL);
    InsertTailList(&Oplock->Waiting, &Wait->Entry);
    FsRtlpReleaseWaiters(Oplock); /* what the routine did may have ended the break */
    return STATUS_PENDING;
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */

static BOOLEAN FsRtlpAnyHolder(POPLOCK Opaque, ULONG Bits)
{
    PFSRTLP_OPLOCK Oplock = *Opaque;
    for (PLIST_ENTRY Entry = Oplock ? Oplock->Holders.Flink : NULL; Entry && Entry != &Oplock->Holders;
         Entry = Entry->Flink)
        if (!Bits || (CONTAINING_RECORD(Entry, FSRTLP_HOLDER, Entry)->Level & Bits))
            return TRUE;
    return FALSE;
}

BOOLEAN NTAPI FsRtlCurrentOplock(POPLOCK Oplock)
{
    return FsRtlpAnyHolder(Oplock, 0);
}

BOOLEAN NTAPI FsRtlCurrentOplockH(POPLOCK Oplock)
{
    return FsRtlpAnyHolder(Oplock, H);
}

/* docs: batch or filter, which both keep the handle. */
BOOLEAN NTAPI FsRtlCurrentBatchOplock(POPLOCK Oplock)
{
    return FsRtlpAnyHolder(Oplock, H);
}

/* docs: FsRtlOplockIsFastIoPossible: not while somebody may have to be told. */
BOOLEAN NTAPI FsRtlOplockIsFastIoPossible(POPLOCK Opaque)
{
    PFSRTLP_OPLOCK Oplock = *Opaque;
    return !Oplock || (IsListEmpty(&Oplock->Holders) && IsListEmpty(&Oplock->Waiting));
}

BOOLEAN NTAPI FsRtlOplockIsSharedRequest(PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    if (Stack->MajorFunction != IRP_MJ_FILE_SYSTEM_CONTROL)
        return FALSE;
    if (Stack->Parameters.FileSystemControl.FsControlCode == FSCTL_REQUEST_OPLOCK_LEVEL_2)
        return TRUE;
    PREQUEST_OPLOCK_INPUT_BUFFER Input = Irp->AssociatedIrp.SystemBuffer;
    return Stack->Parameters.FileSystemControl.FsControlCode == FSCTL_REQUEST_OPLOCK && Input &&
           Stack->Parameters.FileSystemControl.InputBufferLength >= sizeof(*Input) &&
           !(Input->RequestedOplockLevel & W);
}
