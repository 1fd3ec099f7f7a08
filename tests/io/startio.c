/*
 * The I/O manager's queue for StartIo: one request at a time, order, keys, cancelling and deferral; cancel-safe queues
 * and requests' attributes. (docs: IoStartPacket, IoStartNextPacket, IoSetStartIoAttributes, IoCsqInsertIrpEx)
 */
#include "test.h"
#include <csq.h>

static PDEVICE_OBJECT Device;
static PIRP Started[16];
static ULONG StartedCount, Depth, Deepest, CompleteAtOnce;
static KIRQL StartedAt;
static PIRP Cancelled;

static VOID NTAPI StartIo(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    StartedAt = KeGetCurrentIrql();
    Started[StartedCount++] = Irp;
    CHECK(DeviceObject->CurrentIrp == Irp);
    if (++Depth > Deepest)
        Deepest = Depth;
    if (CompleteAtOnce) {
        CompleteAtOnce--;
        IoStartNextPacket(DeviceObject, FALSE);
    }
    Depth--;
}

static VOID NTAPI CancelIt(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    Cancelled = Irp;
    IoReleaseCancelSpinLock(Irp->CancelIrql);
}

static PIRP NewIrp(VOID)
{
    PIRP Irp = IoAllocateIrp(2, FALSE);
    IoSetNextIrpStackLocation(Irp);
    IoGetCurrentIrpStackLocation(Irp)->DeviceObject = Device;
    return Irp;
}

static VOID Begin(BOOLEAN Deferred, BOOLEAN NonCancelable)
{
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    Driver->DriverStartIo = StartIo;
    IoSetStartIoAttributes(Device, Deferred, NonCancelable);
    StartedCount = Depth = Deepest = CompleteAtOnce = 0;
    Cancelled = NULL;
}

static VOID End(PIRP *Irp, ULONG Count)
{
    while (Count--)
        IoFreeIrp(Irp[Count]);
    IoDeleteDevice(Device);
}

static VOID Next(BOOLEAN Cancelable)
{
    KIRQL Irql;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    IoStartNextPacket(Device, Cancelable);
    KeLowerIrql(Irql);
}

static VOID requests_are_started_one_after_the_other(VOID)
{
    PIRP Irp[3];
    Begin(FALSE, FALSE);
    for (ULONG i = 0; i < 3; i++) {
        Irp[i] = NewIrp();
        IoStartPacket(Device, Irp[i], NULL, NULL);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    }
    CHECK(StartedCount == 1 && Started[0] == Irp[0] && StartedAt == DISPATCH_LEVEL);
    Next(FALSE);
    Next(FALSE);
    CHECK(StartedCount == 3 && Started[1] == Irp[1] && Started[2] == Irp[2]);
    Next(FALSE);
    CHECK(StartedCount == 3 && Device->CurrentIrp == NULL && !Device->DeviceQueue.Busy);
    End(Irp, 3);
}

static VOID keys_decide_the_order(VOID)
{
    static const ULONG Keys[] = {5, 9, 1, 7};
    PIRP Irp[4];
    KIRQL Irql;
    Begin(FALSE, FALSE);
    for (ULONG i = 0; i < 4; i++) {
        ULONG Key = Keys[i];
        Irp[i] = NewIrp();
        IoStartPacket(Device, Irp[i], &Key, NULL);
    }
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    IoStartNextPacketByKey(Device, FALSE, 6);  /* the first at or above 6 */
    IoStartNextPacketByKey(Device, FALSE, 10); /* none: from the beginning */
    IoStartNextPacketByKey(Device, FALSE, 0);
    KeLowerIrql(Irql);
    CHECK(StartedCount == 4);
    CHECK(Started[1] == Irp[3] && Started[2] == Irp[2] && Started[3] == Irp[1]);
    Next(FALSE);
    End(Irp, 4);
}

static VOID a_waiting_request_can_be_cancelled(VOID)
{
    PIRP Irp[3];
    Begin(FALSE, FALSE);
    for (ULONG i = 0; i < 3; i++)
        Irp[i] = NewIrp();
    IoStartPacket(Device, Irp[0], NULL, CancelIt);
    IoStartPacket(Device, Irp[1], NULL, CancelIt);
    CHECK(Irp[0]->CancelRoutine == CancelIt && Irp[1]->CancelRoutine == CancelIt);
    CHECK(IoCancelIrp(Irp[1]));
    CHECK(Cancelled == Irp[1]);
    KIRQL Irql;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    CHECK(KeRemoveEntryDeviceQueue(&Device->DeviceQueue, &Irp[1]->Tail.Overlay.DeviceQueueEntry));
    KeLowerIrql(Irql);
    CHECK(!IoCancelIrp(Irp[1])); /* cancelled twice: nobody is called */
    /* one that was cancelled before it is queued goes to its routine at once */
    Cancelled = NULL;
    CHECK(!IoCancelIrp(Irp[2]) && Irp[2]->Cancel);
    IoStartPacket(Device, Irp[2], NULL, CancelIt);
    CHECK(Cancelled == Irp[2] && Irp[2]->CancelRoutine == NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    KeRemoveEntryDeviceQueue(&Device->DeviceQueue, &Irp[2]->Tail.Overlay.DeviceQueueEntry);
    KeLowerIrql(Irql);
    Next(TRUE);
    CHECK(StartedCount == 1);
    IoSetCancelRoutine(Irp[0], NULL);
    End(Irp, 3);
}

static VOID started_requests_may_be_uncancelable(VOID)
{
    PIRP Irp[2];
    Begin(FALSE, TRUE);
    for (ULONG i = 0; i < 2; i++) {
        Irp[i] = NewIrp();
        IoStartPacket(Device, Irp[i], NULL, CancelIt);
    }
    CHECK(Irp[0]->CancelRoutine == NULL && Irp[1]->CancelRoutine == CancelIt);
    Next(TRUE);
    CHECK(Irp[1]->CancelRoutine == NULL);
    Next(TRUE);
    End(Irp, 2);
}

static VOID deferral_keeps_start_io_from_calling_itself(VOID)
{
    PIRP Irp[6];
    Begin(TRUE, FALSE);
    for (ULONG i = 0; i < 6; i++) {
        Irp[i] = NewIrp();
        IoStartPacket(Device, Irp[i], NULL, NULL);
    }
    CompleteAtOnce = 5;
    Next(FALSE);
    CHECK(StartedCount == 6 && Deepest == 1);
    for (ULONG i = 0; i < 6; i++)
        CHECK(Started[i] == Irp[i]);
    End(Irp, 6);
    /* without it each start lies inside the one before */
    Begin(FALSE, FALSE);
    for (ULONG i = 0; i < 6; i++) {
        Irp[i] = NewIrp();
        IoStartPacket(Device, Irp[i], NULL, NULL);
    }
    CompleteAtOnce = 4;
    Next(FALSE);
    CHECK(StartedCount == 6 && Deepest == 5);
    Next(FALSE);
    End(Irp, 6);
}

/* ---- Cancel-safe queues ------------------------------------------------------------------------------------------ */

static IO_CSQ Queue;
static LIST_ENTRY Waiting;
static KSPIN_LOCK QueueLock;
static PIRP Refused;

static NTSTATUS NTAPI Insert(PIO_CSQ Csq, PIRP Irp, PVOID Context)
{
    if (Context)
        return STATUS_DEVICE_BUSY;
    InsertTailList(&Waiting, &Irp->Tail.Overlay.ListEntry);
    return STATUS_SUCCESS;
}

static VOID NTAPI Remove(PIO_CSQ Csq, PIRP Irp)
{
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
}

static PIRP NTAPI Peek(PIO_CSQ Csq, PIRP Irp, PVOID Context)
{
    PLIST_ENTRY Entry = Irp ? Irp->Tail.Overlay.ListEntry.Flink : Waiting.Flink;
    return Entry == &Waiting ? NULL : CONTAINING_RECORD(Entry, IRP, Tail.Overlay.ListEntry);
}

static VOID NTAPI LockQueue(PIO_CSQ Csq, PKIRQL Irql)
{
    KeAcquireSpinLock(&QueueLock, Irql);
}

static VOID NTAPI UnlockQueue(PIO_CSQ Csq, KIRQL Irql)
{
    KeReleaseSpinLock(&QueueLock, Irql);
}

static VOID NTAPI Refuse(PIO_CSQ Csq, PIRP Irp)
{
    Refused = Irp;
}

static VOID cancel_safe_queues_keep_their_promise(VOID)
{
    IO_CSQ_IRP_CONTEXT Context;
    PIRP Irp[3];
    InitializeListHead(&Waiting);
    KeInitializeSpinLock(&QueueLock);
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    OK(IoCsqInitializeEx(&Queue, Insert, Remove, Peek, LockQueue, UnlockQueue, Refuse));
    for (ULONG i = 0; i < 3; i++)
        Irp[i] = NewIrp();
    OK(IoCsqInsertIrpEx(&Queue, Irp[0], NULL, NULL));
    OK(IoCsqInsertIrpEx(&Queue, Irp[1], &Context, NULL));
    STATUS(IoCsqInsertIrpEx(&Queue, Irp[2], NULL, &Context), STATUS_DEVICE_BUSY);
    CHECK(!(IoGetCurrentIrpStackLocation(Irp[2])->Control & SL_PENDING_RETURNED));
    CHECK(IoGetCurrentIrpStackLocation(Irp[0])->Control & SL_PENDING_RETURNED);
    CHECK(IoCsqRemoveIrp(&Queue, &Context) == Irp[1]);
    CHECK(IoCsqRemoveIrp(&Queue, &Context) == NULL);
    CHECK(IoCancelIrp(Irp[0]) && Refused == Irp[0]);
    CHECK(IoCsqRemoveNextIrp(&Queue, NULL) == NULL);
    /* cancelled before it is inserted */
    Refused = NULL;
    IoCancelIrp(Irp[2]);
    OK(IoCsqInsertIrpEx(&Queue, Irp[2], NULL, NULL));
    CHECK(Refused == Irp[2] && IsListEmpty(&Waiting));
    End(Irp, 3);
}

/* ---- What requests say of themselves ----------------------------------------------------------------------------- */

static VOID requests_know_who_asked(VOID)
{
    PIRP Irp = NULL;
    ULONG Session = 7;
    Begin(FALSE, FALSE);
    Irp = NewIrp();
    CHECK(IoGetRequestorProcess(Irp) == NULL && IoGetRequestorProcessId(Irp) == 0);
    STATUS(IoGetRequestorSessionId(Irp, &Session), STATUS_UNSUCCESSFUL);
    CHECK(Session == (ULONG)-1);
    Irp->Tail.Overlay.Thread = PsGetCurrentThread();
    CHECK(IoGetRequestorProcess(Irp) == PsInitialSystemProcess && IoGetRequestorProcessId(Irp) == 4);
    OK(IoGetRequestorSessionId(Irp, &Session));
    CHECK(Session == 0);
    CHECK(!IoIsOperationSynchronous(Irp));
    Irp->Flags = IRP_SYNCHRONOUS_API;
    CHECK(IoIsOperationSynchronous(Irp));
    Irp->Flags |= IRP_PAGING_IO;
    CHECK(!IoIsOperationSynchronous(Irp));
    Irp->Flags |= IRP_SYNCHRONOUS_PAGING_IO;
    CHECK(IoIsOperationSynchronous(Irp));
    Irp->Flags = 0;
    CHECK(IoGetIoPriorityHint(Irp) == IoPriorityNormal);
    OK(IoSetIoPriorityHint(Irp, IoPriorityLow));
    CHECK(IoGetIoPriorityHint(Irp) == IoPriorityLow);
    STATUS(IoSetIoPriorityHint(Irp, (IO_PRIORITY_HINT)9), STATUS_INVALID_PARAMETER);
    CHECK(IoSetThreadHardErrorMode(FALSE));
    CHECK(!IoRaiseInformationalHardError(STATUS_DISK_FULL, NULL, NULL));
    CHECK(!IoSetThreadHardErrorMode(TRUE));
    CHECK(IoRaiseInformationalHardError(STATUS_DISK_FULL, NULL, NULL));
    End(&Irp, 1);
}

TEST_MAIN(requests_are_started_one_after_the_other, keys_decide_the_order, a_waiting_request_can_be_cancelled,
          started_requests_may_be_uncancelable, deferral_keeps_start_io_from_calling_itself,
          cancel_safe_queues_keep_their_promise, requests_know_who_asked)
