/*
 * Requests whose way tests/trace/check knows: through a filter whose completion routine lets them go on, and one of the
 * driver's own, which its completion routine keeps and frees.
 */
#include <ntddk.h>

#define CODE CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)

static PDEVICE_OBJECT Low, Top;

static NTSTATUS NTAPI GoOn(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Context);
    if (Irp->PendingReturned)
        IoMarkIrpPending(Irp);
    return STATUS_CONTINUE_COMPLETION;
}

static NTSTATUS NTAPI Keep(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Context);
    IoFreeIrp(Irp);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    if (Device == Top) {
        IoCopyCurrentIrpStackLocationToNext(Irp);
        IoSetCompletionRoutine(Irp, GoOn, NULL, TRUE, TRUE, TRUE);
        return IoCallDriver(Low, Irp);
    }
    NTSTATUS Status =
        IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_FLUSH_BUFFERS ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    IoDetachDevice(Low);
    IoDeleteDevice(Top);
    IoDeleteDevice(Low);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    UNICODE_STRING LowName = RTL_CONSTANT_STRING(L"\\Device\\Low");
    IO_STATUS_BLOCK Iosb;
    KEVENT Event;
    KIRQL Irql;
    PIRP Irp;

    UNREFERENCED_PARAMETER(Path);
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Dispatch;
    Driver->DriverUnload = Unload;
    if (!NT_SUCCESS(IoCreateDevice(Driver, 0, &LowName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Low)))
        return STATUS_UNSUCCESSFUL;
    Low->Flags &= ~DO_DEVICE_INITIALIZING;
    if (!NT_SUCCESS(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Top)) ||
        IoAttachDeviceToDeviceStack(Top, Low) != Low)
        return STATUS_UNSUCCESSFUL;

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Irp = IoBuildDeviceIoControlRequest(CODE, Top, NULL, 0, NULL, 0, FALSE, &Event, &Iosb);
    if (IoCallDriver(Top, Irp) == STATUS_PENDING)
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);

    /* From DISPATCH_LEVEL, with no thread to go back to. */
    Irp = IoAllocateIrp(Top->StackSize, FALSE);
    IoGetNextIrpStackLocation(Irp)->MajorFunction = IRP_MJ_FLUSH_BUFFERS;
    IoSetCompletionRoutine(Irp, Keep, NULL, TRUE, TRUE, TRUE);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    IoCallDriver(Top, Irp);
    KeLowerIrql(Irql);
    return STATUS_SUCCESS;
}
