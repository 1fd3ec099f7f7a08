/*
 * I/O request packets: made, reused, freed; and their end in the thread that issued them.
 *
 * An IRP whose issuer is a thread hangs on that thread's list until the end of its completion, which runs in the
 * thread's context (a special kernel APC): only there may results be copied to the issuer's buffers.
 */
#include "nt.h"
#include "ex/poolp.h"

#define IOP_LARGE_IRP 8

PVOID IopAllocate(SIZE_T Bytes, ULONG Tag, ULONG Stack)
{
    return ExpAllocateForDriver(NonPagedPoolNx, Bytes, Tag, TRUE, Stack, NULL);
}

VOID IopFree(PVOID Memory)
{
    ExpFreeForDriver((UINT64)Memory, 0, __builtin_return_address(0), VfCaptureStack());
}

VOID NTAPI IoInitializeIrp(PIRP Irp, USHORT Size, CCHAR StackSize)
{
    if (KiDoor->trace_io)
        IopTraceForget(Irp);
    RtlZeroMemory(Irp, Size);
    Irp->Type = IO_TYPE_IRP;
    Irp->Size = Size;
    Irp->StackCount = StackSize;
    Irp->CurrentLocation = StackSize + 1;
    Irp->ApcEnvironment = 0;
    InitializeListHead(&Irp->ThreadListEntry);
    Irp->Tail.Overlay.CurrentStackLocation = IopStackOf(Irp, Irp->CurrentLocation);
}

/* docs: IoAllocateIrp: NULL when there is no memory. ChargeQuota charges nothing: there are no quotas here. The flags say
 * what Windows' would: IRPs of up to eight locations come from its lookaside lists and have one of their sizes. */
PIRP NTAPI IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota)
{
    if (StackSize < 0)
        return NULL;
    /* Windows' sizes leave room behind the locations asked for; only a free build is to find it. */
    USHORT Bytes = IoSizeOfIrp(KiDoor->free_build && StackSize > 1 ? max(StackSize, IOP_LARGE_IRP) : StackSize);
    PIRP Irp = IopAllocate(Bytes, IOP_IRP_TAG, VfCaptureStack());
    if (!Irp)
        return NULL;
    IoInitializeIrp(Irp, Bytes, StackSize);
    if (StackSize <= IOP_LARGE_IRP)
        Irp->AllocationFlags = IRP_ALLOCATED_FIXED_SIZE | (ChargeQuota ? IRP_LOOKASIDE_ALLOCATION : 0);
    else if (ChargeQuota)
        Irp->AllocationFlags = IRP_QUOTA_CHARGED;
    return Irp;
}

PIRP IopAllocateIrp(CCHAR StackSize, PFILE_OBJECT File)
{
    PIRP Irp = IoAllocateIrp(StackSize, FALSE);
    if (Irp) {
        Irp->Tail.Overlay.Thread = PsGetCurrentThread();
        Irp->Tail.Overlay.OriginalFileObject = File;
        Irp->RequestorMode = KernelMode;
        Irp->ApcEnvironment = (CCHAR)KeGetCurrentThread()->ApcStateIndex;
    }
    return Irp;
}

VOID NTAPI IoReuseIrp(PIRP Irp, NTSTATUS Status)
{
    IopForgetActivity(Irp);
    UCHAR Flags = Irp->AllocationFlags & ~IOP_IRP_BACK;
    IoInitializeIrp(Irp, Irp->Size, Irp->StackCount);
    Irp->AllocationFlags = Flags;
    Irp->IoStatus.Status = Status;
}

static VOID IopReportFree(PIRP Irp, ULONG Code, PCSTR Text)
{
    VfFinding("irp.bad-free", DRIVER_VERIFIER_IOMANAGER_VIOLATION, Code, (UINT64)Irp, 0, 0);
    VfSubject("IoFreeIrp");
    VfText("IoFreeIrp given %s", Text);
    VfNoteCaller(NULL);
    VfCommit();
}

VOID NTAPI IoFreeIrp(PIRP Irp)
{
    if (Irp->Type != IO_TYPE_IRP) {
        IopReportFree(Irp, 1, "something that is no IRP");
        return;
    }
    if (!IsListEmpty(&Irp->ThreadListEntry)) {
        IopReportFree(Irp, 2, "an IRP that still belongs to the thread that issued it");
        return;
    }
    if (KiDoor->trace_io)
        IopTraceForget(Irp);
    IopForgetActivity(Irp);
    Irp->Type = 0;
    IopFree(Irp);
}

/* docs: IoMakeAssociatedIrp. */
PIRP NTAPI IoMakeAssociatedIrp(PIRP Master, CCHAR StackSize)
{
    PIRP Irp = IoAllocateIrp(StackSize, FALSE);
    if (Irp) {
        Irp->Flags |= IRP_ASSOCIATED_IRP;
        Irp->AssociatedIrp.MasterIrp = Master;
        Irp->Tail.Overlay.Thread = Master->Tail.Overlay.Thread;
    }
    return Irp;
}

VOID IopQueueThreadIrp(PIRP Irp)
{
    InsertTailList(&((PETHREAD)Irp->Tail.Overlay.Thread)->IrpList, &Irp->ThreadListEntry);
}

VOID NTAPI IoQueueThreadIrp(PIRP Irp)
{
    IopQueueThreadIrp(Irp);
}

/* ---- The end of a request ---------------------------------------------------------------------------------------- */

static VOID IopFreeMdls(PIRP Irp)
{
    for (PMDL Mdl = Irp->MdlAddress, Next; Mdl; Mdl = Next) {
        Next = Mdl->Next;
        IoFreeMdl(Mdl);
    }
    Irp->MdlAddress = NULL;
}

/* A program that has given its status block back meanwhile hears nothing. */
static VOID IopStoreStatus(PIRP Irp)
{
    if (Irp->RequestorMode == KernelMode)
        *Irp->UserIosb = Irp->IoStatus;
    else
        MmWriteUserStatus(Irp->UserIosb, &Irp->IoStatus);
}

/* Hand the result out, as the issuer sees it (docs: IoBuildDeviceIoControlRequest). An error is told once: by what the
 * service returns where it knows, that is where the request was never pending or the service waits on a synchronous file;
 * else by status block and event. */
static BOOLEAN IopSignal(PIRP Irp, PFILE_OBJECT File)
{
    BOOLEAN Kept = FALSE;
    BOOLEAN Synchronous = (Irp->Flags & IRP_SYNCHRONOUS_API) || (File && (File->Flags & FO_SYNCHRONOUS_IO));
    BOOLEAN Failed = NT_ERROR(Irp->IoStatus.Status);
    PKEVENT Event = Irp->UserEvent;
    if (Failed && Irp->PendingReturned && File && (File->Flags & FO_SYNCHRONOUS_IO)) {
        File->FinalStatus = Irp->IoStatus.Status;
        KeSetEvent(&File->Event, 0, FALSE);
    } else if (!Failed || Irp->PendingReturned) {
        if (Irp->UserIosb)
            IopStoreStatus(Irp);
        if (Event)
            KeSetEvent(Event, 0, FALSE);
        if (File && (!Event || Synchronous)) {
            File->FinalStatus = Irp->IoStatus.Status;
            if (Synchronous || !(File->Flags & FO_SKIP_SET_EVENT))
                KeSetEvent(&File->Event, 0, FALSE);
        }
        if (File)
            Kept = IopTellEnd(Irp, File);
    }
    /* An event that came by handle was referenced for this request; a driver's own was not. */
    if (File && Event && Event != &File->Event)
        ObfDereferenceObject(Event);
    return Kept;
}

static VOID IopFinish(PIRP Irp, PFILE_OBJECT File, PETHREAD Issuer)
{
    if (Irp->Flags & IRP_BUFFERED_IO) {
        if ((Irp->Flags & IRP_INPUT_OPERATION) && !NT_ERROR(Irp->IoStatus.Status) &&
            Irp->IoStatus.Status != STATUS_VERIFY_REQUIRED && Irp->RequestorMode != KernelMode) {
            NTSTATUS Written = MmWriteUser(Irp->UserBuffer, Irp->AssociatedIrp.SystemBuffer, Irp->IoStatus.Information);
            if (!NT_SUCCESS(Written))
                Irp->IoStatus.Status = Written;
        } else if ((Irp->Flags & IRP_INPUT_OPERATION) && !NT_ERROR(Irp->IoStatus.Status) &&
                   Irp->IoStatus.Status != STATUS_VERIFY_REQUIRED)
            RtlCopyMemory(Irp->UserBuffer, Irp->AssociatedIrp.SystemBuffer, Irp->IoStatus.Information);
        if (Irp->Flags & IRP_DEALLOCATE_BUFFER)
            IopFree(Irp->AssociatedIrp.SystemBuffer);
    }
    if (Irp->Flags & (IRP_READ_OPERATION | IRP_WRITE_OPERATION) && !NT_ERROR(Irp->IoStatus.Status))
        IopCountBytes(IopRequestorProcess(Irp), (Irp->Flags & IRP_READ_OPERATION) != 0, Irp->IoStatus.Information);
    IopFreeMdls(Irp);
    if (KiDoor->trace_io)
        IopTraceBack(Irp, Issuer);
    if (!IsListEmpty(&Irp->ThreadListEntry)) {
        RemoveEntryList(&Irp->ThreadListEntry);
        InitializeListHead(&Irp->ThreadListEntry);
    }
    if (!IopSignal(Irp, File)) {
        Irp->Type = 0;
        IopFree(Irp);
    }
    if (File)
        ObfDereferenceObject(File);
}

static VOID NTAPI IopFinishApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *File, PVOID *Unused)
{
    IopFinish(CONTAINING_RECORD(Apc, IRP, Tail.Apc), *File, PsGetCurrentThread());
}

/* The thread has ended before its request: nobody wants the result. */
static VOID NTAPI IopFinishRundown(PKAPC Apc)
{
    PIRP Irp = CONTAINING_RECORD(Apc, IRP, Tail.Apc);
    PFILE_OBJECT File = Apc->SystemArgument1;
    Irp->Flags &= ~IRP_INPUT_OPERATION;
    Irp->UserIosb = NULL;
    Irp->Overlay.AsynchronousParameters.UserApcRoutine = NULL;
    IopFinish(Irp, File, NULL);
}

/* Called by IofCompleteRequest once no completion routine is left. */
VOID IopEndRequest(PIRP Irp, CCHAR Boost)
{
    PETHREAD Thread = Irp->Tail.Overlay.Thread;
    PFILE_OBJECT File = Irp->Tail.Overlay.OriginalFileObject;
    IopForgetActivity(Irp);
    BOOLEAN Paging = IopIsPaging(Irp);
    if ((Irp->Flags & IOP_ISSUER_WAITS) || Paging) {
        PKEVENT Event = Irp->UserEvent;
        if (KiDoor->trace_io)
            IopTraceBack(Irp, Thread);
        *Irp->UserIosb = Irp->IoStatus;
        if (Paging)
            IoFreeIrp(Irp);
        KeSetEvent(Event, Boost, FALSE);
        return;
    }
    if (Irp->Tail.Overlay.AuxiliaryBuffer) {
        IopFree(Irp->Tail.Overlay.AuxiliaryBuffer);
        Irp->Tail.Overlay.AuxiliaryBuffer = NULL;
    }
    for (PMDL Mdl = Irp->MdlAddress; Mdl; Mdl = Mdl->Next)
        if (Mdl->MdlFlags & MDL_PAGES_LOCKED)
            MmUnlockPages(Mdl);
    if (!Thread && (Irp->AllocationFlags & IOP_IRP_BACK)) {
        IopReportTwice(Irp, 0);
        return;
    }
    if (!Thread) {
        /* A driver's own IRP, whose completion routine let it through. Windows would fault on the missing thread. */
        VfFinding("irp.completed-unowned", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x239, (UINT64)Irp, 0, 0);
        VfSubject("IoCompleteRequest");
        VfText("an IRP from IoAllocateIrp was completed up to the I/O manager: its completion routine must free it and "
               "return STATUS_MORE_PROCESSING_REQUIRED");
        VfNoteCaller(NULL);
        VfCommit();
        return;
    }
    /* In the issuer's own thread the APC would come at once; a request that was never pending is not even put off by
     * a guarded region, because its issuer is in the middle of the service that will return the result. */
    KIRQL Irql = KeGetCurrentIrql();
    BOOLEAN Deferred = (Irp->Flags & IRP_DEFER_IO_COMPLETION) && !Irp->PendingReturned;
    if (Thread == PsGetCurrentThread() && Irql < DISPATCH_LEVEL &&
        (Deferred || (Irql == PASSIVE_LEVEL && !Thread->Tcb.SpecialApcDisable))) {
        IopFinish(Irp, File, Thread);
        return;
    }
    KeInitializeApc(&Irp->Tail.Apc, &Thread->Tcb, Irp->ApcEnvironment, IopFinishApc, IopFinishRundown, NULL, KernelMode,
                    NULL);
    if (!KeInsertQueueApc(&Irp->Tail.Apc, File, NULL, Boost)) {
        Irp->Tail.Apc.SystemArgument1 = File;
        IopFinishRundown(&Irp->Tail.Apc);
    }
}

/* docs: PsTerminateSystemThread: a thread's requests are cancelled when it ends. What is not complete after that goes
 * on without an issuer. */
VOID IopCancelThread(PETHREAD Thread)
{
    for (PLIST_ENTRY Entry = Thread->IrpList.Flink, Next; Entry != &Thread->IrpList; Entry = Next) {
        Next = Entry->Flink;
        IoCancelIrp(CONTAINING_RECORD(Entry, IRP, ThreadListEntry));
    }
    LARGE_INTEGER Step = {.QuadPart = -100 * 10000};
    for (ULONG i = 0; !IsListEmpty(&Thread->IrpList) && i < 3000; i++)
        KeDelayExecutionThread(KernelMode, FALSE, &Step);
    while (!IsListEmpty(&Thread->IrpList)) {
        PIRP Irp = CONTAINING_RECORD(RemoveHeadList(&Thread->IrpList), IRP, ThreadListEntry);
        InitializeListHead(&Irp->ThreadListEntry);
    }
}
