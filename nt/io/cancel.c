/*
 * Cancelling requests, and the cancel-safe queue built on it.
 *
 * A cancel routine is called with the cancel spin lock held and releases it itself, at Irp->CancelIrql
 * (docs: IoCancelIrp, DRIVER_CANCEL). The IoCsq routines follow the page "Cancel-Safe IRP Queues": whoever clears the
 * cancel routine owns the IRP.
 */
#include "nt.h"
#include <csq.h>

static KSPIN_LOCK IopCancelLock;

VOID NTAPI IoAcquireCancelSpinLock(PKIRQL Irql)
{
    *Irql = KeAcquireSpinLockRaiseToDpc(&IopCancelLock);
}

VOID NTAPI IoReleaseCancelSpinLock(KIRQL Irql)
{
    KeReleaseSpinLock(&IopCancelLock, Irql);
}

/* The routine gives back a lock it has not taken, so the callback is not held to the rules of others. */
BOOLEAN NTAPI IoCancelIrp(PIRP Irp)
{
    KIRQL Irql;
    VF_CALLBACK Callback;
    IoAcquireCancelSpinLock(&Irql);
    Irp->Cancel = TRUE;
    PDRIVER_CANCEL Routine = IoSetCancelRoutine(Irp, NULL);
    if (!Routine) {
        IoReleaseCancelSpinLock(Irql);
        return FALSE;
    }
    Irp->CancelIrql = Irql;
    PDEVICE_OBJECT Device = NULL; /* of an IRP that was never sent */
    if (Irp->CurrentLocation <= Irp->StackCount)
        Device = IoGetCurrentIrpStackLocation(Irp)->DeviceObject;
    IopEnter(&Callback, "DRIVER_CANCEL", "cancel routine of IRP %o", (PVOID)(ULONG_PTR)Routine, Irp);
    Callback.SpinLocks--; /* on return the level is the caller's again and the lock is released */
    Callback.Irql = Irql;
    Routine(Device, Irp);
    VfLeaveCallback(&Callback);
    return TRUE;
}

/* Those of a thread's requests on File that were given this status block (NULL: all). How many. */
static ULONG IopCancelOf(PETHREAD Thread, PFILE_OBJECT File, PIO_STATUS_BLOCK Given)
{
    ULONG Count = 0;
    for (PLIST_ENTRY Entry = Thread->IrpList.Flink, Next; Entry != &Thread->IrpList; Entry = Next) {
        PIRP Irp = CONTAINING_RECORD(Entry, IRP, ThreadListEntry);
        Next = Entry->Flink;
        if (Irp->Tail.Overlay.OriginalFileObject != File || (Given && Irp->UserIosb != Given))
            continue;
        IoCancelIrp(Irp);
        Count++;
    }
    return Count;
}

/* docs: CancelIoEx: requests of any thread of the process. */
NTSTATUS NTAPI NtCancelIoFileEx(HANDLE Handle, PIO_STATUS_BLOCK Given, PIO_STATUS_BLOCK Iosb)
{
    PKPROCESS Process = KeGetCurrentThread()->Process;
    ULONG Count = 0;
    PFILE_OBJECT File;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, IopFileType, ExGetPreviousMode(), (PVOID *)&File, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    for (PLIST_ENTRY Entry = Process->ThreadListHead.Flink, Next; Entry != &Process->ThreadListHead; Entry = Next) {
        Next = Entry->Flink;
        Count += IopCancelOf((PETHREAD)CONTAINING_RECORD(Entry, struct _KTHREAD, ThreadListEntry), File, Given);
    }
    Iosb->Status = Count ? STATUS_SUCCESS : STATUS_NOT_FOUND;
    Iosb->Information = 0;
    ObfDereferenceObject(File);
    return Iosb->Status;
}

NTSTATUS NTAPI NtCancelIoFile(HANDLE Handle, PIO_STATUS_BLOCK Iosb)
{
    PFILE_OBJECT File;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, IopFileType, ExGetPreviousMode(), (PVOID *)&File, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    IopCancelOf(PsGetCurrentThread(), File, NULL);
    Iosb->Status = STATUS_SUCCESS;
    Iosb->Information = 0;
    ObfDereferenceObject(File);
    return STATUS_SUCCESS;
}

/* ---- Cancel-safe queues ------------------------------------------------------------------------------------------ */

#define IOP_CSQ_CONTEXT(Irp) ((Irp)->Tail.Overlay.DriverContext[3])

static VOID IopFillCsq(PIO_CSQ Csq, ULONG Type, PIO_CSQ_INSERT_IRP Insert, PIO_CSQ_REMOVE_IRP Remove,
                       PIO_CSQ_PEEK_NEXT_IRP Peek, PIO_CSQ_ACQUIRE_LOCK Acquire, PIO_CSQ_RELEASE_LOCK Release,
                       PIO_CSQ_COMPLETE_CANCELED_IRP Complete)
{
    Csq->Type = Type;
    Csq->CsqInsertIrp = Insert;
    Csq->CsqRemoveIrp = Remove;
    Csq->CsqPeekNextIrp = Peek;
    Csq->CsqAcquireLock = Acquire;
    Csq->CsqReleaseLock = Release;
    Csq->CsqCompleteCanceledIrp = Complete;
    Csq->ReservePointer = NULL;
}

NTSTATUS NTAPI IoCsqInitialize(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP Insert, PIO_CSQ_REMOVE_IRP Remove,
                               PIO_CSQ_PEEK_NEXT_IRP Peek, PIO_CSQ_ACQUIRE_LOCK Acquire, PIO_CSQ_RELEASE_LOCK Release,
                               PIO_CSQ_COMPLETE_CANCELED_IRP Complete)
{
    IopFillCsq(Csq, IO_TYPE_CSQ, Insert, Remove, Peek, Acquire, Release, Complete);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoCsqInitializeEx(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP_EX Insert, PIO_CSQ_REMOVE_IRP Remove,
                                 PIO_CSQ_PEEK_NEXT_IRP Peek, PIO_CSQ_ACQUIRE_LOCK Acquire, PIO_CSQ_RELEASE_LOCK Release,
                                 PIO_CSQ_COMPLETE_CANCELED_IRP Complete)
{
    IopFillCsq(Csq, IO_TYPE_CSQ_EX, (PIO_CSQ_INSERT_IRP)(ULONG_PTR)Insert, Remove, Peek, Acquire, Release, Complete);
    return STATUS_SUCCESS;
}

/* The queue an IRP is in: directly, or by way of the context it was inserted with. */
static PIO_CSQ IopCsqOf(PIRP Irp, PIO_CSQ_IRP_CONTEXT *Context)
{
    PIO_CSQ Csq = IOP_CSQ_CONTEXT(Irp);
    *Context = NULL;
    if (Csq->Type == IO_TYPE_CSQ_IRP_CONTEXT) {
        *Context = (PIO_CSQ_IRP_CONTEXT)Csq;
        Csq = (*Context)->Csq;
    }
    return Csq;
}

static VOID NTAPI IopCsqCancel(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_CSQ_IRP_CONTEXT Context;
    PIO_CSQ Csq = IopCsqOf(Irp, &Context);
    KIRQL Irql;
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Csq->CsqAcquireLock(Csq, &Irql);
    Csq->CsqRemoveIrp(Csq, Irp);
    if (Context)
        Context->Irp = NULL;
    IOP_CSQ_CONTEXT(Irp) = NULL;
    Csq->CsqReleaseLock(Csq, Irql);
    Csq->CsqCompleteCanceledIrp(Csq, Irp);
}

NTSTATUS NTAPI IoCsqInsertIrpEx(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context, PVOID InsertContext)
{
    NTSTATUS Status = STATUS_SUCCESS;
    KIRQL Irql;
    Csq->CsqAcquireLock(Csq, &Irql);
    if (Context) {
        Context->Type = IO_TYPE_CSQ_IRP_CONTEXT;
        Context->Irp = Irp;
        Context->Csq = Csq;
        IOP_CSQ_CONTEXT(Irp) = Context;
    } else
        IOP_CSQ_CONTEXT(Irp) = Csq;
    if (Csq->Type == IO_TYPE_CSQ_EX)
        Status = ((PIO_CSQ_INSERT_IRP_EX)(ULONG_PTR)Csq->CsqInsertIrp)(Csq, Irp, InsertContext);
    else
        Csq->CsqInsertIrp(Csq, Irp);
    if (!NT_SUCCESS(Status)) {
        Csq->CsqReleaseLock(Csq, Irql);
        return Status;
    }
    IoMarkIrpPending(Irp);
    IoSetCancelRoutine(Irp, IopCsqCancel);
    /* Cancelled before the routine was set: then nobody calls it, unless IoCancelIrp has taken it just now. */
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL)) {
        Csq->CsqRemoveIrp(Csq, Irp);
        if (Context)
            Context->Irp = NULL;
        IOP_CSQ_CONTEXT(Irp) = NULL;
        Csq->CsqReleaseLock(Csq, Irql);
        Csq->CsqCompleteCanceledIrp(Csq, Irp);
        return Status;
    }
    Csq->CsqReleaseLock(Csq, Irql);
    return Status;
}

VOID NTAPI IoCsqInsertIrp(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context)
{
    IoCsqInsertIrpEx(Csq, Irp, Context, NULL);
}

PIRP NTAPI IoCsqRemoveIrp(PIO_CSQ Csq, PIO_CSQ_IRP_CONTEXT Context)
{
    KIRQL Irql;
    Csq->CsqAcquireLock(Csq, &Irql);
    PIRP Irp = Context->Irp;
    if (Irp && IoSetCancelRoutine(Irp, NULL)) {
        Csq->CsqRemoveIrp(Csq, Irp);
        Context->Irp = NULL;
        IOP_CSQ_CONTEXT(Irp) = NULL;
    } else
        Irp = NULL;
    Csq->CsqReleaseLock(Csq, Irql);
    return Irp;
}

PIRP NTAPI IoCsqRemoveNextIrp(PIO_CSQ Csq, PVOID PeekContext)
{
    PIO_CSQ_IRP_CONTEXT Context;
    KIRQL Irql;
    Csq->CsqAcquireLock(Csq, &Irql);
    PIRP Irp = Csq->CsqPeekNextIrp(Csq, NULL, PeekContext);
    while (Irp && !IoSetCancelRoutine(Irp, NULL)) /* its cancel routine is on its way */
        Irp = Csq->CsqPeekNextIrp(Csq, Irp, PeekContext);
    if (Irp) {
        IopCsqOf(Irp, &Context);
        Csq->CsqRemoveIrp(Csq, Irp);
        if (Context)
            Context->Irp = NULL;
        IOP_CSQ_CONTEXT(Irp) = NULL;
    }
    Csq->CsqReleaseLock(Csq, Irql);
    return Irp;
}
