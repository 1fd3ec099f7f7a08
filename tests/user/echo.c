/* A device that gives back what it is given, by every method. */
#include <ntddk.h>

#define CODE(Number, Method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (Number), Method, FILE_ANY_ACCESS)

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Echo"),
                      LinkName = RTL_CONSTANT_STRING(L"\\??\\Echo");

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI OpenClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    static const char *const Names[] = {"create", "?", "close"};
    UCHAR Major = IoGetCurrentIrpStackLocation(Irp)->MajorFunction;
    DbgPrint("%s by process %u, mode %d, irql %d\n", Major < 3 ? Names[Major] : "cleanup",
             (ULONG)(ULONG_PTR)PsGetCurrentProcessId(), Irp->RequestorMode, KeGetCurrentIrql());
    return Finish(Irp, STATUS_SUCCESS, 0);
}

/* Its own requests, as kernel mode whatever the thread: none of many may be taken for the program's. */
static NTSTATUS AskMyself(VOID)
{
    UCHAR In[16] = {1}, Out[16];
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE File;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, &DeviceName, OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = ZwOpenFile(&File, GENERIC_READ | SYNCHRONIZE, &Attributes, &Iosb, 0, FILE_SYNCHRONOUS_IO_NONALERT);
    if (!NT_SUCCESS(Status))
        return Status;
    for (ULONG i = 0; i < 3000 && NT_SUCCESS(Status); i++)
        Status = ZwDeviceIoControlFile(File, NULL, NULL, NULL, &Iosb, CODE(0, METHOD_BUFFERED), In, sizeof(In), Out,
                                       sizeof(Out));
    ZwClose(File);
    return Status;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG In = Stack->Parameters.DeviceIoControl.InputBufferLength,
          Out = Stack->Parameters.DeviceIoControl.OutputBufferLength;
    ULONG Bytes = In < Out ? In : Out;

    switch (Stack->Parameters.DeviceIoControl.IoControlCode) {
    case CODE(0, METHOD_BUFFERED):
        return Finish(Irp, STATUS_SUCCESS, Bytes);
    case CODE(1, METHOD_OUT_DIRECT): {
        PVOID To = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
        RtlCopyMemory(To, Irp->AssociatedIrp.SystemBuffer, Bytes);
        return Finish(Irp, STATUS_SUCCESS, Bytes);
    }
    case CODE(2, METHOD_NEITHER):
        ProbeForRead(Stack->Parameters.DeviceIoControl.Type3InputBuffer, In, 1);
        ProbeForWrite(Irp->UserBuffer, Out, 1);
        RtlMoveMemory(Irp->UserBuffer, Stack->Parameters.DeviceIoControl.Type3InputBuffer, Bytes);
        return Finish(Irp, STATUS_SUCCESS, Bytes);
    case CODE(3, METHOD_BUFFERED):
        return Finish(Irp, AskMyself(), 0);
    case CODE(4, METHOD_BUFFERED): { /* what lies at a pointer in the buffer */
        UCHAR *From = *(PUCHAR *)Irp->AssociatedIrp.SystemBuffer;
        ProbeForRead(From, Out, 1);
        RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, From, Out);
        return Finish(Irp, STATUS_SUCCESS, Out);
    }
    case CODE(5, METHOD_OUT_DIRECT): /* written, and not told of */
        RtlFillMemory(MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority), Out, '5');
        return Finish(Irp, STATUS_SUCCESS, 0);
    default:
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(Driver, 0, &DeviceName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    IoCreateSymbolicLink(&LinkName, &DeviceName);
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLEANUP] = Driver->MajorFunction[IRP_MJ_CLOSE] =
        OpenClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
