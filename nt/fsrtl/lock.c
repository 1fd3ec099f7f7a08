/*
 * Byte range locks of a file (docs: FsRtlProcessFileLock, LockFileEx).
 *
 * FILE_LOCK.LockInformation leads to the locks that are held, in order of their granting, and the requests that wait,
 * in order of their coming. An exclusive lock overlaps nothing; a shared one may overlap shared ones, and exclusive
 * ones of the same owner (file object, process and key). A lock of no bytes only conflicts with what it lies inside of.
 *
 * A request that must wait is pending and cancelable; it is looked at again whenever a lock goes. Requests are
 * completed by the file system's own routine if it gave one. Nothing here is a delivery point but those routines and
 * completion, so a list is always walked anew after them.
 */
#include "nt.h"

#define FSRTLP_LOCK_TAG 'klLF'

typedef struct _FSRTLP_LOCK {
    LIST_ENTRY Entry;
    FILE_LOCK_INFO Info;
} FSRTLP_LOCK, *PFSRTLP_LOCK;

typedef struct _FSRTLP_LOCK_WAIT {
    LIST_ENTRY Entry;
    FILE_LOCK_INFO Info;
    PIRP Irp;
    PVOID Context;
    PFILE_LOCK Lock;
} FSRTLP_LOCK_WAIT, *PFSRTLP_LOCK_WAIT;

typedef struct _FSRTLP_LOCKS {
    LIST_ENTRY Held, Waiting;
} FSRTLP_LOCKS, *PFSRTLP_LOCKS;

static PFSRTLP_LOCKS FsRtlpLocksOf(PFILE_LOCK Lock)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    if (!Locks) {
        Locks = ExpTryAllocate(sizeof(*Locks), FSRTLP_LOCK_TAG);
        if (!Locks)
            ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
        InitializeListHead(&Locks->Held);
        InitializeListHead(&Locks->Waiting);
        Lock->LockInformation = Locks;
    }
    return Locks;
}

VOID NTAPI FsRtlInitializeFileLock(PFILE_LOCK Lock, PCOMPLETE_LOCK_IRP_ROUTINE Complete, PUNLOCK_ROUTINE Unlock)
{
    RtlZeroMemory(Lock, sizeof(*Lock));
    Lock->CompleteLockIrpRoutine = Complete;
    Lock->UnlockRoutine = Unlock;
}

PFILE_LOCK NTAPI FsRtlAllocateFileLock(PCOMPLETE_LOCK_IRP_ROUTINE Complete, PUNLOCK_ROUTINE Unlock)
{
    PFILE_LOCK Lock = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Lock), FSRTLP_LOCK_TAG);
    if (Lock)
        FsRtlInitializeFileLock(Lock, Complete, Unlock);
    return Lock;
}

VOID NTAPI FsRtlFreeFileLock(PFILE_LOCK Lock)
{
    FsRtlUninitializeFileLock(Lock);
    ExFreePoolWithTag(Lock, FSRTLP_LOCK_TAG);
}

/* ---- Who is in whose way --------------------------------------------------------------------------------------------
 */

/* EndingByte of a lock of no bytes is one below its start, which at 0 would be the end of the world. */
static BOOLEAN FsRtlpOverlap(const FILE_LOCK_INFO *One, const FILE_LOCK_INFO *Two)
{
    if ((!One->Length.QuadPart && !One->StartingByte.QuadPart) ||
        (!Two->Length.QuadPart && !Two->StartingByte.QuadPart))
        return FALSE;
    return (ULONGLONG)One->StartingByte.QuadPart <= (ULONGLONG)Two->EndingByte.QuadPart &&
           (ULONGLONG)Two->StartingByte.QuadPart <= (ULONGLONG)One->EndingByte.QuadPart;
}

static BOOLEAN FsRtlpSameOwner(const FILE_LOCK_INFO *One, const FILE_LOCK_INFO *Two)
{
    return One->FileObject == Two->FileObject && One->ProcessId == Two->ProcessId && One->Key == Two->Key;
}

static BOOLEAN FsRtlpMayLock(PFSRTLP_LOCKS Locks, const FILE_LOCK_INFO *Wanted)
{
    for (PLIST_ENTRY Entry = Locks->Held.Flink; Entry != &Locks->Held; Entry = Entry->Flink) {
        const FILE_LOCK_INFO *Held = &CONTAINING_RECORD(Entry, FSRTLP_LOCK, Entry)->Info;
        if (FsRtlpOverlap(Held, Wanted) &&
            (Wanted->ExclusiveLock || (Held->ExclusiveLock && !FsRtlpSameOwner(Held, Wanted))))
            return FALSE;
    }
    return TRUE;
}

/* docs: FsRtlFastCheckLockForRead, ...Write: a shared lock keeps everybody from writing, its owner too. */
static BOOLEAN FsRtlpMayTransfer(PFILE_LOCK Lock, PLARGE_INTEGER Offset, PLARGE_INTEGER Length, ULONG Key,
                                 PFILE_OBJECT File, PVOID Process, BOOLEAN Write)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    FILE_LOCK_INFO Wanted = {.StartingByte = *Offset,
                             .Length = *Length,
                             .Key = Key,
                             .FileObject = File,
                             .ProcessId = Process,
                             .EndingByte.QuadPart = Offset->QuadPart + Length->QuadPart - 1};
    if (!Locks || !Length->QuadPart)
        return TRUE;
    for (PLIST_ENTRY Entry = Locks->Held.Flink; Entry != &Locks->Held; Entry = Entry->Flink) {
        const FILE_LOCK_INFO *Held = &CONTAINING_RECORD(Entry, FSRTLP_LOCK, Entry)->Info;
        if (Held->Length.QuadPart && FsRtlpOverlap(Held, &Wanted) &&
            (Held->ExclusiveLock ? !FsRtlpSameOwner(Held, &Wanted) : Write))
            return FALSE;
    }
    return TRUE;
}

BOOLEAN NTAPI FsRtlFastCheckLockForRead(PFILE_LOCK Lock, PLARGE_INTEGER Offset, PLARGE_INTEGER Length, ULONG Key,
                                        PFILE_OBJECT File, PVOID Process)
{
    return FsRtlpMayTransfer(Lock, Offset, Length, Key, File, Process, FALSE);
}

BOOLEAN NTAPI FsRtlFastCheckLockForWrite(PFILE_LOCK Lock, PLARGE_INTEGER Offset, PLARGE_INTEGER Length, ULONG Key,
                                         PFILE_OBJECT File, PVOID Process)
{
    return FsRtlpMayTransfer(Lock, Offset, Length, Key, File, Process, TRUE);
}

static BOOLEAN FsRtlpMayRequest(PFILE_LOCK Lock, PIRP Irp, BOOLEAN Write)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    LARGE_INTEGER Length = {.QuadPart = Stack->Parameters.Read.Length};
    return FsRtlpMayTransfer(Lock, &Stack->Parameters.Read.ByteOffset, &Length, Stack->Parameters.Read.Key,
                             Stack->FileObject, IopRequestorProcess(Irp), Write);
}

BOOLEAN NTAPI FsRtlCheckLockForReadAccess(PFILE_LOCK Lock, PIRP Irp)
{
    return FsRtlpMayRequest(Lock, Irp, FALSE);
}

BOOLEAN NTAPI FsRtlCheckLockForWriteAccess(PFILE_LOCK Lock, PIRP Irp)
{
    return FsRtlpMayRequest(Lock, Irp, TRUE);
}

/* ---- The end of a request ---------------------------------------------------------------------------------------- */

static NTSTATUS FsRtlpEndLockIrp(PFILE_LOCK Lock, PVOID Context, PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    if (!Lock->CompleteLockIrpRoutine) {
        IofCompleteRequest(Irp, IO_DISK_INCREMENT);
        return Status;
    }
    VF_CALLBACK Callback;
    KIRQL Irql = KfRaiseIrql(APC_LEVEL); /* docs: COMPLETE_LOCK_IRP_ROUTINE */
    IopEnter(&Callback, "PCOMPLETE_LOCK_IRP_ROUTINE", "completion routine of file locks",
             (PVOID)(ULONG_PTR)Lock->CompleteLockIrpRoutine, Irp);
    Status = Lock->CompleteLockIrpRoutine(Context, Irp);
    VfLeaveCallback(&Callback);
    KeLowerIrql(Irql);
    return Status;
}

static VOID FsRtlpGrant(PFILE_LOCK Lock, PFSRTLP_LOCKS Locks, PFSRTLP_LOCK New, const FILE_LOCK_INFO *Info)
{
    New->Info = *Info;
    InsertTailList(&Locks->Held, &New->Entry);
    Lock->FastIoIsQuestionable = TRUE;
    Info->FileObject->LastLock = New;
}

static VOID FsRtlpDropLock(PFILE_LOCK Lock, PFSRTLP_LOCKS Locks, PFSRTLP_LOCK Held)
{
    RemoveEntryList(&Held->Entry);
    if (Lock->LastReturnedLock == Held)
        Lock->LastReturnedLock = NULL;
    if (Held->Info.FileObject->LastLock == Held)
        Held->Info.FileObject->LastLock = NULL;
    ExpFree(Held);
    Lock->FastIoIsQuestionable = !IsListEmpty(&Locks->Held);
}

/* A lock is gone: those that wait, first come first served, for whom the way is free now. */
static VOID FsRtlpGrantWaiting(PFILE_LOCK Lock)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    PLIST_ENTRY Entry = Locks->Waiting.Flink;
    while (Entry != &Locks->Waiting) {
        PFSRTLP_LOCK_WAIT Wait = CONTAINING_RECORD(Entry, FSRTLP_LOCK_WAIT, Entry);
        Entry = Entry->Flink;
        if (!FsRtlpMayLock(Locks, &Wait->Info))
            continue;
        PFSRTLP_LOCK New = ExpTryAllocate(sizeof(*New), FSRTLP_LOCK_TAG);
        if (!IoSetCancelRoutine(Wait->Irp, NULL)) {
            if (New)
                ExpFree(New);
            continue; /* being cancelled */
        }
        RemoveEntryList(&Wait->Entry);
        FSRTLP_LOCK_WAIT Due = *Wait;
        ExpFree(Wait);
        if (New)
            FsRtlpGrant(Lock, Locks, New, &Due.Info);
        NTSTATUS Status =
            FsRtlpEndLockIrp(Lock, Due.Context, Due.Irp, New ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
        if (New && !NT_SUCCESS(Status)) /* docs: COMPLETE_LOCK_IRP_ROUTINE: an error takes the lock back */
            FsRtlpDropLock(Lock, Locks, New);
        Entry = Locks->Waiting.Flink;
    }
}

static VOID NTAPI FsRtlpCancelLock(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFSRTLP_LOCK_WAIT Wait = (PVOID)Irp->IoStatus.Information;
    PFILE_LOCK Lock = Wait->Lock;
    PVOID Context = Wait->Context;
    RemoveEntryList(&Wait->Entry);
    ExpFree(Wait);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    FsRtlpEndLockIrp(Lock, Context, Irp, STATUS_CANCELLED);
}

/* ---- Lock -------------------------------------------------------------------------------------------------------- */

static VOID FsRtlpWaitForLock(PFILE_LOCK Lock, PFSRTLP_LOCKS Locks, const FILE_LOCK_INFO *Info, PIRP Irp, PVOID Context)
{
    PFSRTLP_LOCK_WAIT Wait = ExpTryAllocate(sizeof(*Wait), FSRTLP_LOCK_TAG);
    if (!Wait)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    *Wait = (FSRTLP_LOCK_WAIT){.Info = *Info, .Irp = Irp, .Context = Context, .Lock = Lock};
    InsertTailList(&Locks->Waiting, &Wait->Entry);
    Irp->IoStatus.Information = (ULONG_PTR)Wait;
    IoMarkIrpPending(Irp);
    IoSetCancelRoutine(Irp, FsRtlpCancelLock);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL)) {
        RemoveEntryList(&Wait->Entry);
        ExpFree(Wait);
        FsRtlpEndLockIrp(Lock, Context, Irp, STATUS_CANCELLED);
    }
}

/* TRUE: decided, *Iosb has the result (or STATUS_PENDING). FALSE, without an Irp alone: it would have to wait. */
BOOLEAN NTAPI FsRtlPrivateLock(PFILE_LOCK Lock, PFILE_OBJECT File, PLARGE_INTEGER Offset, PLARGE_INTEGER Length,
                               PEPROCESS Process, ULONG Key, BOOLEAN FailImmediately, BOOLEAN Exclusive,
                               PIO_STATUS_BLOCK Iosb, PIRP Irp, PVOID Context, BOOLEAN AlreadySynchronized)
{
    FILE_LOCK_INFO Info = {.StartingByte = *Offset,
                           .Length = *Length,
                           .ExclusiveLock = Exclusive,
                           .Key = Key,
                           .FileObject = File,
                           .ProcessId = Process,
                           .EndingByte.QuadPart = Offset->QuadPart + Length->QuadPart - 1};
    PFSRTLP_LOCKS Locks = FsRtlpLocksOf(Lock);
    PFSRTLP_LOCK New = NULL;
    NTSTATUS Status;
    if (Length->QuadPart && (ULONGLONG)Info.EndingByte.QuadPart < (ULONGLONG)Offset->QuadPart)
        Status = STATUS_INVALID_LOCK_RANGE;
    else if (FsRtlpMayLock(Locks, &Info)) {
        New = ExpTryAllocate(sizeof(*New), FSRTLP_LOCK_TAG);
        if (!New)
            ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
        FsRtlpGrant(Lock, Locks, New, &Info);
        Status = STATUS_SUCCESS;
    } else if (FailImmediately)
        Status = STATUS_LOCK_NOT_GRANTED;
    else if (!Irp)
        return FALSE;
    else {
        Iosb->Status = STATUS_PENDING;
        Iosb->Information = 0;
        FsRtlpWaitForLock(Lock, Locks, &Info, Irp, Context);
        return TRUE;
    }
    if (Irp) {
        NTSTATUS Ended = FsRtlpEndLockIrp(Lock, Context, Irp, Status);
        if (New && !NT_SUCCESS(Ended))
            FsRtlpDropLock(Lock, Locks, New);
        Status = Ended;
    }
    Iosb->Status = Status;
    Iosb->Information = 0;
    return TRUE;
}

/* ---- Unlock ------------------------------------------------------------------------------------------------------ */

static VOID FsRtlpUnlock(PFILE_LOCK Lock, PFSRTLP_LOCK Held, PVOID Context)
{
    FILE_LOCK_INFO Info = Held->Info;
    FsRtlpDropLock(Lock, Lock->LockInformation, Held);
    if (Lock->UnlockRoutine) {
        VF_CALLBACK Callback;
        IopEnter(&Callback, "PUNLOCK_ROUTINE", "unlock routine of file locks", (PVOID)(ULONG_PTR)Lock->UnlockRoutine,
                 Lock);
        Lock->UnlockRoutine(Context, &Info);
        VfLeaveCallback(&Callback);
    }
}

/* docs: LockFileEx: of an exclusive and a shared lock on the same range the exclusive one goes first. */
NTSTATUS NTAPI FsRtlFastUnlockSingle(PFILE_LOCK Lock, PFILE_OBJECT File, PLARGE_INTEGER Offset, PLARGE_INTEGER Length,
                                     PEPROCESS Process, ULONG Key, PVOID Context, BOOLEAN AlreadySynchronized)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    FILE_LOCK_INFO Owner = {.FileObject = File, .ProcessId = Process, .Key = Key};
    PFSRTLP_LOCK Found = NULL;
    if (!Locks)
        return STATUS_RANGE_NOT_LOCKED;
    for (PLIST_ENTRY Entry = Locks->Held.Flink; Entry != &Locks->Held; Entry = Entry->Flink) {
        PFSRTLP_LOCK Held = CONTAINING_RECORD(Entry, FSRTLP_LOCK, Entry);
        if (Held->Info.StartingByte.QuadPart == Offset->QuadPart && Held->Info.Length.QuadPart == Length->QuadPart &&
            FsRtlpSameOwner(&Held->Info, &Owner) &&
            (!Found || (Held->Info.ExclusiveLock && !Found->Info.ExclusiveLock)))
            Found = Held;
    }
    if (!Found)
        return STATUS_RANGE_NOT_LOCKED;
    FsRtlpUnlock(Lock, Found, Context);
    FsRtlpGrantWaiting(Lock);
    return STATUS_SUCCESS;
}

/* All of an owner's; Key NULL = with any key. Requests of that owner that wait are granted or wait on: a file that is
 * cleaned up has cancelled them before. */
static NTSTATUS FsRtlpUnlockAll(PFILE_LOCK Lock, PFILE_OBJECT File, PEPROCESS Process, PULONG Key, PVOID Context)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    BOOLEAN Any = FALSE;
    if (!Locks)
        return STATUS_RANGE_NOT_LOCKED;
    for (PLIST_ENTRY Entry = Locks->Held.Flink; Entry != &Locks->Held;) {
        PFSRTLP_LOCK Held = CONTAINING_RECORD(Entry, FSRTLP_LOCK, Entry);
        Entry = Entry->Flink;
        if (Held->Info.FileObject != File || Held->Info.ProcessId != Process || (Key && Held->Info.Key != *Key))
            continue;
        FsRtlpUnlock(Lock, Held, Context);
        Any = TRUE;
        Entry = Locks->Held.Flink;
    }
    if (Any)
        FsRtlpGrantWaiting(Lock);
    return Any ? STATUS_SUCCESS : STATUS_RANGE_NOT_LOCKED;
}

NTSTATUS NTAPI FsRtlFastUnlockAll(PFILE_LOCK Lock, PFILE_OBJECT File, PEPROCESS Process, PVOID Context)
{
    return FsRtlpUnlockAll(Lock, File, Process, NULL, Context);
}

NTSTATUS NTAPI FsRtlFastUnlockAllByKey(PFILE_LOCK Lock, PFILE_OBJECT File, PEPROCESS Process, ULONG Key, PVOID Context)
{
    return FsRtlpUnlockAll(Lock, File, Process, &Key, Context);
}

VOID NTAPI FsRtlUninitializeFileLock(PFILE_LOCK Lock)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    if (!Locks)
        return;
    while (!IsListEmpty(&Locks->Held))
        ExpFree(CONTAINING_RECORD(RemoveHeadList(&Locks->Held), FSRTLP_LOCK, Entry));
    for (PLIST_ENTRY Entry = Locks->Waiting.Flink; Entry != &Locks->Waiting;) {
        PFSRTLP_LOCK_WAIT Wait = CONTAINING_RECORD(Entry, FSRTLP_LOCK_WAIT, Entry);
        Entry = Entry->Flink;
        if (!IoSetCancelRoutine(Wait->Irp, NULL))
            continue;
        FSRTLP_LOCK_WAIT Due = *Wait;
        RemoveEntryList(&Wait->Entry);
        ExpFree(Wait);
        FsRtlpEndLockIrp(Lock, Due.Context, Due.Irp, STATUS_RANGE_NOT_LOCKED);
        Entry = Locks->Waiting.Flink;
    }
    Lock->LockInformation = NULL;
    ExpFree(Locks);
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

/* docs: FsRtlProcessFileLock: completes the request, or leaves it pending. */
NTSTATUS NTAPI FsRtlProcessFileLock(PFILE_LOCK Lock, PIRP Irp, PVOID Context)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PEPROCESS Process = IopRequestorProcess(Irp);
    IO_STATUS_BLOCK Iosb = {0};
    NTSTATUS Status;
    switch (Stack->MinorFunction) {
    case IRP_MN_LOCK:
        FsRtlPrivateLock(Lock, Stack->FileObject, &Stack->Parameters.LockControl.ByteOffset,
                         Stack->Parameters.LockControl.Length, Process, Stack->Parameters.LockControl.Key,
                         (Stack->Flags & SL_FAIL_IMMEDIATELY) != 0, (Stack->Flags & SL_EXCLUSIVE_LOCK) != 0, &Iosb, Irp,
                         Context, FALSE);
        return Iosb.Status;
    case IRP_MN_UNLOCK_SINGLE:
        Status = FsRtlFastUnlockSingle(Lock, Stack->FileObject, &Stack->Parameters.LockControl.ByteOffset,
                                       Stack->Parameters.LockControl.Length, Process, Stack->Parameters.LockControl.Key,
                                       Context, FALSE);
        break;
    case IRP_MN_UNLOCK_ALL:
        Status = FsRtlFastUnlockAll(Lock, Stack->FileObject, Process, Context);
        break;
    case IRP_MN_UNLOCK_ALL_BY_KEY:
        Status = FsRtlFastUnlockAllByKey(Lock, Stack->FileObject, Process, Stack->Parameters.LockControl.Key, Context);
        break;
    default:
        Status = STATUS_INVALID_DEVICE_REQUEST;
    }
    return FsRtlpEndLockIrp(Lock, Context, Irp, Status);
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */

/* docs: FsRtlGetNextFileLock: a copy, good until the next call. */
PFILE_LOCK_INFO NTAPI FsRtlGetNextFileLock(PFILE_LOCK Lock, BOOLEAN Restart)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    PFSRTLP_LOCK Last = Lock->LastReturnedLock;
    if (!Locks || (!Restart && !Last))
        return NULL;
    PLIST_ENTRY Next = Restart ? Locks->Held.Flink : Last->Entry.Flink;
    if (Next == &Locks->Held)
        return NULL;
    Last = CONTAINING_RECORD(Next, FSRTLP_LOCK, Entry);
    Lock->LastReturnedLock = Last;
    Lock->LastReturnedLockInfo = Last->Info;
    return &Lock->LastReturnedLockInfo;
}

BOOLEAN NTAPI FsRtlAreThereCurrentOrInProgressFileLocks(PFILE_LOCK Lock)
{
    return Lock->FastIoIsQuestionable || Lock->LockRequestsInProgress > 0;
}

BOOLEAN NTAPI FsRtlAreThereWaitingFileLocks(PFILE_LOCK Lock)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    return Locks && !IsListEmpty(&Locks->Waiting);
}

/* docs: FsRtlCheckLockForOplockRequest: no lock may lie beyond the bytes that exist. */
BOOLEAN NTAPI FsRtlCheckLockForOplockRequest(PFILE_LOCK Lock, PLARGE_INTEGER AllocationSize)
{
    PFSRTLP_LOCKS Locks = Lock->LockInformation;
    if (!Locks)
        return TRUE;
    for (PLIST_ENTRY Entry = Locks->Held.Flink; Entry != &Locks->Held; Entry = Entry->Flink) {
        const FILE_LOCK_INFO *Held = &CONTAINING_RECORD(Entry, FSRTLP_LOCK, Entry)->Info;
        if (Held->Length.QuadPart && (ULONGLONG)Held->StartingByte.QuadPart < (ULONGLONG)AllocationSize->QuadPart)
            return FALSE;
    }
    return TRUE;
}
