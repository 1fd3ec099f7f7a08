/*
 * A device that keeps a request of any transfer method, so that the program can take the buffers away meanwhile, and then uses
 * them as a driver must: what it may rely on, it relies on; user addresses are used in the program's context, guarded.
 */
#include "device.h"

static PIRP Kept;
static HANDLE Owner;

/* Into the request's output, wherever that is. */
static NTSTATUS Fill(PIRP Irp, PULONG Bytes)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = STATUS_SUCCESS;
    PVOID To;

    *Bytes = Stack->Parameters.DeviceIoControl.OutputBufferLength;
    switch (Stack->Parameters.DeviceIoControl.IoControlCode & 3) {
    case METHOD_BUFFERED:
        memset(Irp->AssociatedIrp.SystemBuffer, 'b', *Bytes);
        return STATUS_SUCCESS;
    case METHOD_IN_DIRECT: /* the buffer is input: only read */
        To = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
        *Bytes = *(volatile UCHAR *)To;
        return STATUS_SUCCESS;
    case METHOD_OUT_DIRECT:
        To = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
        memset(To, 'd', *Bytes);
        return STATUS_SUCCESS;
    default:
        __try {
            ProbeForWrite(Irp->UserBuffer, *Bytes, 1);
            memset(Irp->UserBuffer, 'n', *Bytes);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            Status = GetExceptionCode();
            *Bytes = 0;
        }
        return Status;
    }
}

static VOID NTAPI Cancel(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    if (InterlockedExchangePointer((PVOID *)&Kept, NULL) == Irp)
        Finish(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    ULONG Code = IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.IoControlCode, Bytes = 0;
    NTSTATUS Status;
    PIRP First;

    if (Code >> 2 & 1) { /* CODE(1, ...): go on with the one that is kept, in the context of whoever asks */
        First = InterlockedExchangePointer((PVOID *)&Kept, NULL);
        if (!First || !IoSetCancelRoutine(First, NULL))
            return Finish(Irp, STATUS_NOT_FOUND, 0);
        Status = PsGetCurrentProcessId() == Owner ? Fill(First, &Bytes) : STATUS_INVALID_DEVICE_REQUEST;
        Finish(First, Status, Bytes);
        return Finish(Irp, Status, 0);
    }
    Owner = PsGetCurrentProcessId();
    IoMarkIrpPending(Irp);
    Kept = Irp;
    IoSetCancelRoutine(Irp, Cancel);
    return STATUS_PENDING;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    return MakeDevice(Driver, L"\\Device\\Vanish", L"\\??\\Vanish", Control);
}
