/*
 * The I/O manager's own queue of requests: one at a time to a driver's StartIo routine, the others wait in the device's
 * queue. (docs: IoStartPacket, IoStartNextPacket, IoSetStartIoAttributes, DRIVER_STARTIO)
 *
 * StartIo runs at DISPATCH_LEVEL. A driver whose StartIo routine may be through with a request at once, and so would
 * call itself through IoStartNextPacket ever deeper, asks for deferral: then the next request is started when the routine
 * has returned.
 */
#include "nt.h"

static VOID IopCallStartIo(PDEVICE_OBJECT Device, PIRP Irp)
{
    PDRIVER_STARTIO Routine = Device->DriverObject->DriverStartIo;
    VF_CALLBACK Callback;
    IopEnter(&Callback, "DRIVER_STARTIO", "StartIo routine of device %o", (PVOID)(ULONG_PTR)Routine, Device);
    Routine(Device, Irp);
    VfLeaveCallback(&Callback);
}

/* The request that was taken from the queue becomes the device's current one. Cancelable: the cancel lock is held. */
static VOID IopMakeCurrent(PDEVICE_OBJECT Device, PIRP Irp, BOOLEAN Cancelable, KIRQL Irql)
{
    Device->CurrentIrp = Irp;
    if (Cancelable) {
        if (IopDeviceOf(Device)->StartIoNotCancelable)
            IoSetCancelRoutine(Irp, NULL);
        IoReleaseCancelSpinLock(Irql);
    }
    IopCallStartIo(Device, Irp);
}

/* At DISPATCH_LEVEL. */
static VOID IopStartNext(PDEVICE_OBJECT Device, BOOLEAN Cancelable, BOOLEAN ByKey, ULONG Key)
{
    KIRQL Irql = DISPATCH_LEVEL;
    if (Cancelable)
        IoAcquireCancelSpinLock(&Irql);
    Device->CurrentIrp = NULL;
    PKDEVICE_QUEUE_ENTRY Entry =
        ByKey ? KeRemoveByKeyDeviceQueue(&Device->DeviceQueue, Key) : KeRemoveDeviceQueue(&Device->DeviceQueue);
    if (Entry)
        IopMakeCurrent(Device, CONTAINING_RECORD(Entry, IRP, Tail.Overlay.DeviceQueueEntry), Cancelable, Irql);
    else if (Cancelable)
        IoReleaseCancelSpinLock(Irql);
}

/* With deferral only the outermost of nested calls starts requests; the inner ones leave word. */
static VOID IopStartDeferred(PDEVICE_OBJECT Device, BOOLEAN Cancelable, BOOLEAN ByKey, ULONG Key)
{
    PIOP_DEVICE Own = IopDeviceOf(Device);
    Own->StartIoCancelable = Cancelable;
    Own->StartIoByKey = ByKey;
    Own->StartIoKey = Key;
    if (Own->StartIoCount++)
        return;
    do
        IopStartNext(Device, Own->StartIoCancelable, Own->StartIoByKey, Own->StartIoKey);
    while (--Own->StartIoCount);
}

static VOID IopStart(PDEVICE_OBJECT Device, BOOLEAN Cancelable, BOOLEAN ByKey, ULONG Key)
{
    if (IopDeviceOf(Device)->StartIoDeferred)
        IopStartDeferred(Device, Cancelable, ByKey, Key);
    else
        IopStartNext(Device, Cancelable, ByKey, Key);
}

/* docs: IoStartPacket: with a cancel routine the request is cancellable while it waits; one that was cancelled before is
 * handed to it at once. */
VOID NTAPI IoStartPacket(PDEVICE_OBJECT Device, PIRP Irp, PULONG Key, PDRIVER_CANCEL CancelFunction)
{
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL), CancelIrql = DISPATCH_LEVEL;
    if (CancelFunction) {
        IoAcquireCancelSpinLock(&CancelIrql);
        IoSetCancelRoutine(Irp, CancelFunction);
    }
    PKDEVICE_QUEUE_ENTRY Entry = &Irp->Tail.Overlay.DeviceQueueEntry;
    BOOLEAN Queued = Key ? KeInsertByKeyDeviceQueue(&Device->DeviceQueue, Entry, *Key)
                         : KeInsertDeviceQueue(&Device->DeviceQueue, Entry);
    if (!Queued) {
        PIOP_DEVICE Own = IopDeviceOf(Device);
        /* requests that complete inside StartIo wait for their successors until it has returned */
        if (Own->StartIoDeferred)
            Own->StartIoCount++;
        IopMakeCurrent(Device, Irp, CancelFunction != NULL, CancelIrql);
        if (Own->StartIoDeferred)
            while (--Own->StartIoCount)
                IopStartNext(Device, Own->StartIoCancelable, Own->StartIoByKey, Own->StartIoKey);
    } else if (CancelFunction) {
        if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL)) {
            VF_CALLBACK Callback;
            Irp->CancelIrql = CancelIrql;
            IopEnter(&Callback, "DRIVER_CANCEL", "cancel routine of IRP %o", (PVOID)(ULONG_PTR)CancelFunction, Irp);
            Callback.SpinLocks--; /* it releases the lock */
            CancelFunction(Device, Irp);
            VfLeaveCallback(&Callback);
        } else
            IoReleaseCancelSpinLock(CancelIrql);
    }
    KeLowerIrql(Old);
}

VOID NTAPI IoStartNextPacket(PDEVICE_OBJECT Device, BOOLEAN Cancelable)
{
    IopStart(Device, Cancelable, FALSE, 0);
}

VOID NTAPI IoStartNextPacketByKey(PDEVICE_OBJECT Device, BOOLEAN Cancelable, ULONG Key)
{
    IopStart(Device, Cancelable, TRUE, Key);
}

VOID NTAPI IoSetStartIoAttributes(PDEVICE_OBJECT Device, BOOLEAN DeferredStartIo, BOOLEAN NonCancelable)
{
    IopDeviceOf(Device)->StartIoDeferred = DeferredStartIo;
    IopDeviceOf(Device)->StartIoNotCancelable = NonCancelable;
}
