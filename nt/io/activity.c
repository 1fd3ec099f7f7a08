/*
 * Activity ids: which activity a request, and the thread that works on it, belongs to (docs: IoSetActivityIdIrp,
 * IoSetActivityIdThread, IoPropagateActivityIdToThread, EtwActivityIdControl).
 *
 * A request's id lies in a block of its own, which goes with the request: at its completion, with IoFreeIrp, or with
 * IoReuseIrp. Its pointer lies where Windows has the IRP's extension. A thread shows the id of the memory that was set last;
 * that memory is the caller's until IoClearActivityIdThread. An I/O work item carries the id of the thread that queued it.
 */
#include "nt.h"
#include "etw/etwp.h"

#define IOP_HAS_ACTIVITY 0x80 /* in AllocationFlags: the pointer is valid */
#define IopActivityOf(Irp) (*(GUID **)((PUCHAR) & (Irp)->Tail + 0x50))

VOID IopForgetActivity(PIRP Irp)
{
    if (!(Irp->AllocationFlags & IOP_HAS_ACTIVITY))
        return;
    Irp->AllocationFlags &= ~IOP_HAS_ACTIVITY;
    ExpFree(IopActivityOf(Irp));
    IopActivityOf(Irp) = NULL;
}

LPCGUID PspActivityOf(PETHREAD Thread)
{
    static const GUID None;

    if (Thread->IoActivity)
        return Thread->IoActivity;
    return RtlEqualMemory(&Thread->ActivityId, &None, sizeof(None)) ? NULL : &Thread->ActivityId;
}

NTSTATUS NTAPI IoGetActivityIdIrp(PIRP Irp, LPGUID Guid)
{
    if (!(Irp->AllocationFlags & IOP_HAS_ACTIVITY))
        return STATUS_NOT_FOUND;
    *Guid = *IopActivityOf(Irp);
    return STATUS_SUCCESS;
}

/* docs: IoSetActivityIdIrp: without an id it is the current thread's, if that thread has issued the request. */
NTSTATUS NTAPI IoSetActivityIdIrp(PIRP Irp, LPCGUID Guid)
{
    if (!Guid && Irp->Tail.Overlay.Thread == PsGetCurrentThread())
        Guid = PspActivityOf(PsGetCurrentThread());
    if (!Guid)
        return STATUS_NOT_SUPPORTED;
    if (!(Irp->AllocationFlags & IOP_HAS_ACTIVITY)) {
        GUID *Room = ExpTryAllocate(sizeof(*Room), 'dIcA');
        if (!Room)
            return STATUS_INSUFFICIENT_RESOURCES;
        Irp->AllocationFlags |= IOP_HAS_ACTIVITY;
        IopActivityOf(Irp) = Room;
    }
    *IopActivityOf(Irp) = *Guid;
    return STATUS_SUCCESS;
}

LPGUID NTAPI IoGetActivityIdThread(VOID)
{
    return (LPGUID)(ULONG_PTR)PspActivityOf(PsGetCurrentThread());
}

LPCGUID NTAPI IoSetActivityIdThread(LPCGUID ActivityId)
{
    PETHREAD Thread = PsGetCurrentThread();
    LPCGUID Before = Thread->IoActivity;

    Thread->IoActivity = ActivityId;
    return Before;
}

VOID NTAPI IoClearActivityIdThread(LPCGUID OriginalId)
{
    PsGetCurrentThread()->IoActivity = OriginalId;
}

NTSTATUS NTAPI IoPropagateActivityIdToThread(PIRP Irp, LPGUID PropagatedId, LPCGUID *OriginalId)
{
    NTSTATUS Status = IoGetActivityIdIrp(Irp, PropagatedId);

    if (NT_SUCCESS(Status))
        *OriginalId = IoSetActivityIdThread(PropagatedId);
    return Status;
}

/* docs: IoTransferActivityId: an event of the I/O tracing provider that ties two ids together. */
VOID NTAPI IoTransferActivityId(LPCGUID ActivityId, LPCGUID RelatedActivityId)
{
    static const GUID Provider = {0xa103cabd, 0x8242, 0x4a93, {0x8d, 0xf5, 0x1c, 0xdf, 0x3b, 0x3f, 0x26, 0xa6}};

    EtwpTransfer(&Provider, ActivityId, RelatedActivityId);
}
