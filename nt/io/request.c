/*
 * Requests ready made: the IRPs that drivers have built for them, and what the services share with them.
 *
 * Of the three ways a buffer reaches a driver: a copy in pool (buffered), the caller's pages locked and described by an
 * MDL (direct), or the bare address (neither). (docs: Methods for Accessing Data Buffers)
 */
#include "nt.h"

#define IOP_BUFFER_TAG 'fBoI'

static NTSTATUS IopLockBuffer(PIRP Irp, PVOID Buffer, ULONG Bytes, LOCK_OPERATION Operation)
{
    PMDL Mdl = IoAllocateMdl(Buffer, Bytes, FALSE, FALSE, Irp);
    if (!Mdl)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Irp->RequestorMode != KernelMode)
        return MmTryLockPages(Mdl, UserMode, Operation);
    MmProbeAndLockPages(Mdl, KernelMode, Operation);
    return STATUS_SUCCESS;
}

static NTSTATUS IopCopyBuffer(PIRP Irp, PVOID From, ULONG FromBytes, ULONG Bytes)
{
    Irp->AssociatedIrp.SystemBuffer = IopAllocate(Bytes, IOP_BUFFER_TAG, VfCaptureStack());
    if (!Irp->AssociatedIrp.SystemBuffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    Irp->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER;
    if (FromBytes && Irp->RequestorMode != KernelMode)
        return MmReadUser(Irp->AssociatedIrp.SystemBuffer, From, FromBytes);
    RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, From, FromBytes);
    return STATUS_SUCCESS;
}

static NTSTATUS IopProbe(PIRP Irp, PVOID Buffer, ULONG Bytes, BOOLEAN Write)
{
    return Irp->RequestorMode == KernelMode ? STATUS_SUCCESS : MmProbeUser(Buffer, Bytes, 1, Write);
}

NTSTATUS IopSetTransfer(PIRP Irp, PDEVICE_OBJECT Device, PVOID Buffer, ULONG Bytes, BOOLEAN Read)
{
    NTSTATUS Status = IopProbe(Irp, Buffer, Bytes, Read);
    Irp->UserBuffer = Buffer;
    if (!NT_SUCCESS(Status))
        return Status;
    if (Device->Flags & DO_BUFFERED_IO) {
        if (!Bytes)
            return STATUS_SUCCESS;
        if (Read)
            Irp->Flags |= IRP_INPUT_OPERATION;
        return IopCopyBuffer(Irp, Buffer, Read ? 0 : Bytes, Bytes);
    }
    if ((Device->Flags & DO_DIRECT_IO) && Bytes)
        return IopLockBuffer(Irp, Buffer, Bytes, Read ? IoWriteAccess : IoReadAccess);
    return STATUS_SUCCESS;
}

/* docs: Buffer Descriptions for I/O Control Codes. */
NTSTATUS IopSetControl(PIRP Irp, PIO_STACK_LOCATION Stack, ULONG Code, PVOID In, ULONG InBytes, PVOID Out,
                       ULONG OutBytes)
{
    ULONG Method = Code & 3;
    Stack->Parameters.DeviceIoControl.IoControlCode = Code;
    Stack->Parameters.DeviceIoControl.InputBufferLength = InBytes;
    Stack->Parameters.DeviceIoControl.OutputBufferLength = OutBytes;
    Irp->UserBuffer = Out;
    if (Method == METHOD_NEITHER) {
        Stack->Parameters.DeviceIoControl.Type3InputBuffer = In;
        return STATUS_SUCCESS;
    }
    if (Method == METHOD_BUFFERED) {
        ULONG Bytes = InBytes > OutBytes ? InBytes : OutBytes;
        NTSTATUS Probed = Out ? IopProbe(Irp, Out, OutBytes, TRUE) : STATUS_SUCCESS;
        if (!NT_SUCCESS(Probed))
            return Probed;
        if (OutBytes && Out)
            Irp->Flags |= IRP_INPUT_OPERATION;
        return Bytes ? IopCopyBuffer(Irp, In, In ? InBytes : 0, Bytes) : STATUS_SUCCESS;
    }
    NTSTATUS Status = InBytes && In ? IopCopyBuffer(Irp, In, InBytes, InBytes) : STATUS_SUCCESS;
    if (NT_SUCCESS(Status) && OutBytes && Out)
        return IopLockBuffer(Irp, Out, OutBytes, Method == METHOD_IN_DIRECT ? IoReadAccess : IoWriteAccess);
    return Status;
}

/* ---- Made for drivers -------------------------------------------------------------------------------------------- */

static VOID IopDiscard(PIRP Irp)
{
    if (Irp->Flags & IRP_DEALLOCATE_BUFFER)
        IopFree(Irp->AssociatedIrp.SystemBuffer);
    IoFreeIrp(Irp);
}

/* docs: IoBuildDeviceIoControlRequest: the caller's thread owns the request; the I/O manager frees it. */
PIRP NTAPI IoBuildDeviceIoControlRequest(ULONG Code, PDEVICE_OBJECT Device, PVOID In, ULONG InBytes, PVOID Out,
                                         ULONG OutBytes, BOOLEAN Internal, PKEVENT Event, PIO_STATUS_BLOCK Iosb)
{
    PIRP Irp = IopAllocateIrp(Device->StackSize, NULL);
    if (!Irp)
        return NULL;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = Internal ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL;
    if (!NT_SUCCESS(IopSetControl(Irp, Stack, Code, In, InBytes, Out, OutBytes))) {
        IopDiscard(Irp);
        return NULL;
    }
    Irp->UserIosb = Iosb;
    Irp->UserEvent = Event;
    IopQueueThreadIrp(Irp);
    return Irp;
}

/* docs: IoBuildAsynchronousFsdRequest: belongs to no thread; the driver's completion routine frees it. */
PIRP NTAPI IoBuildAsynchronousFsdRequest(ULONG Major, PDEVICE_OBJECT Device, PVOID Buffer, ULONG Bytes,
                                         PLARGE_INTEGER Offset, PIO_STATUS_BLOCK Iosb)
{
    PIRP Irp = IoAllocateIrp(Device->StackSize, FALSE);
    if (!Irp)
        return NULL;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = (UCHAR)Major;
    Irp->UserIosb = Iosb;
    Irp->Tail.Overlay.Thread = PsGetCurrentThread();
    if (Major != IRP_MJ_READ && Major != IRP_MJ_WRITE)
        return Irp;
    if (!NT_SUCCESS(IopSetTransfer(Irp, Device, Buffer, Bytes, Major == IRP_MJ_READ))) {
        IopDiscard(Irp);
        return NULL;
    }
    Stack->Parameters.Read.Length = Bytes;
    if (Offset)
        Stack->Parameters.Read.ByteOffset = *Offset;
    return Irp;
}

PIRP NTAPI IoBuildSynchronousFsdRequest(ULONG Major, PDEVICE_OBJECT Device, PVOID Buffer, ULONG Bytes,
                                        PLARGE_INTEGER Offset, PKEVENT Event, PIO_STATUS_BLOCK Iosb)
{
    PIRP Irp = IoBuildAsynchronousFsdRequest(Major, Device, Buffer, Bytes, Offset, Iosb);
    if (Irp) {
        Irp->UserEvent = Event;
        IopQueueThreadIrp(Irp);
    }
    return Irp;
}

/* ---- For the services -------------------------------------------------------------------------------------------- */

/* The thread may not wait on: its request is cancelled, if it is not complete yet, and its end awaited. */
static VOID IopAbortWait(PFILE_OBJECT File, PIRP Irp, PETHREAD Thread)
{
    for (PLIST_ENTRY Entry = Thread->IrpList.Flink; Entry != &Thread->IrpList; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, IRP, ThreadListEntry) == Irp) {
            IoCancelIrp(Irp);
            break;
        }
    KeWaitForSingleObject(&File->Event, Executive, KernelMode, FALSE, NULL);
}

NTSTATUS IopIssue(PDEVICE_OBJECT Device, PIRP Irp, PFILE_OBJECT File, BOOLEAN Synchronous, PIO_STATUS_BLOCK Iosb)
{
    KPROCESSOR_MODE Mode = Irp->RequestorMode;
    PETHREAD Thread = PsGetCurrentThread();
    Irp->UserIosb = Iosb;
    IoGetNextIrpStackLocation(Irp)->FileObject = File;
    KeClearEvent(&File->Event);
    IopQueueThreadIrp(Irp);
    if (Synchronous)
        ObfReferenceObject(File); /* completion gives up the first one */
    NTSTATUS Status = IofCallDriver(Device, Irp);
    if (!Synchronous)
        return Status;
    if (Status == STATUS_PENDING) {
        Status = KeWaitForSingleObject(&File->Event, Executive, Mode, (File->Flags & FO_ALERTABLE_IO) != 0, NULL);
        if (Status == STATUS_ALERTED || Status == STATUS_USER_APC)
            IopAbortWait(File, Irp, Thread);
        if (Status == STATUS_SUCCESS || Status == STATUS_ALERTED || Status == STATUS_USER_APC)
            Status = File->FinalStatus;
    }
    if (File->Flags & FO_SYNCHRONOUS_IO)
        IopUnlockFile(File);
    ObfDereferenceObject(File);
    return Status;
}
