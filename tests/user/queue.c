/* Requests that stay pending in a cancel-safe queue until they are released or cancelled. */
#include "device.h"

static IO_CSQ Csq;
static LIST_ENTRY List;
static KSPIN_LOCK Lock;
static ULONG Pending, Cancelled;

static VOID NTAPI Insert(PIO_CSQ Queue, PIRP Irp)
{
    InsertTailList(&List, &Irp->Tail.Overlay.ListEntry);
    Pending++;
}

static VOID NTAPI Remove(PIO_CSQ Queue, PIRP Irp)
{
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    Pending--;
}

static PIRP NTAPI Peek(PIO_CSQ Queue, PIRP Irp, PVOID Context)
{
    PLIST_ENTRY Next = Irp ? Irp->Tail.Overlay.ListEntry.Flink : List.Flink;
    return Next == &List ? NULL : CONTAINING_RECORD(Next, IRP, Tail.Overlay.ListEntry);
}

static VOID NTAPI Acquire(PIO_CSQ Queue, PKIRQL Irql)
{
    KeAcquireSpinLock(&Lock, Irql);
}

static VOID NTAPI Release(PIO_CSQ Queue, KIRQL Irql)
{
    KeReleaseSpinLock(&Lock, Irql);
}

static VOID NTAPI Cancel(PIO_CSQ Queue, PIRP Irp)
{
    Cancelled++;
    Finish(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PULONG Out = Irp->AssociatedIrp.SystemBuffer;
    PIRP First;

    switch (IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.IoControlCode) {
    case CODE(0, METHOD_BUFFERED):
    case CODE(3, METHOD_OUT_DIRECT):
        IoCsqInsertIrp(&Csq, Irp, NULL);
        return STATUS_PENDING;
    case CODE(1, METHOD_BUFFERED):
        Out[0] = Pending;
        Out[1] = Cancelled;
        return Finish(Irp, STATUS_SUCCESS, 8);
    case CODE(2, METHOD_BUFFERED): /* let the first go, with what it gets */
        First = IoCsqRemoveNextIrp(&Csq, NULL);
        if (First) {
            ULONG Room = IoGetCurrentIrpStackLocation(First)->Parameters.DeviceIoControl.OutputBufferLength;
            PULONG To = First->MdlAddress ? MmGetSystemAddressForMdlSafe(First->MdlAddress, NormalPagePriority)
                                          : First->AssociatedIrp.SystemBuffer;
            if (Room >= 4)
                *To = 0x1234;
            Finish(First, STATUS_SUCCESS, Room >= 4 ? 4 : 0);
        }
        return Finish(Irp, First ? STATUS_SUCCESS : STATUS_NOT_FOUND, 0);
    default:
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    InitializeListHead(&List);
    KeInitializeSpinLock(&Lock);
    IoCsqInitialize(&Csq, Insert, Remove, Peek, Acquire, Release, Cancel);
    return MakeDevice(Driver, L"\\Device\\Queue", L"\\??\\Queue", Control);
}
