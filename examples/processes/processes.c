/*
 * A driver that looks at its callers: it runs in kernel mode, they in user mode, one of them as a 32-bit program (T1 of the
 * talk); and at their memory: the same address is another memory in each process (T4), and a process that crashes takes
 * nobody else down (T5).
 *
 *   irqlab run --scenario examples/processes/processes.lua build/examples/processes.sys
 */
#include <ntifs.h>

#define IOCTL_LOOK CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_NEITHER, FILE_READ_ACCESS | FILE_WRITE_ACCESS)

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Looker"),
                      LinkName = RTL_CONSTANT_STRING(L"\\??\\Looker");

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI OpenClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);

    if (Stack->MajorFunction == IRP_MJ_CLEANUP)
        DbgPrint("process %u: handle closed\n", (ULONG)(ULONG_PTR)PsGetCurrentProcessId());
    return Finish(Irp, STATUS_SUCCESS);
}

static PCSTR ModeName(KPROCESSOR_MODE Mode)
{
    return Mode == KernelMode ? "kernel" : "user";
}

/* METHOD_NEITHER: the bare address, which means something only here, in the caller's context and below DISPATCH_LEVEL. */
static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PCSTR User = Stack->Parameters.DeviceIoControl.Type3InputBuffer;

    if (Stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_LOOK)
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST);
    ProbeForRead((PVOID)User, Stack->Parameters.DeviceIoControl.InputBufferLength, 1);
    DbgPrint("process %u, %s program in %s mode, address 0x%p: \"%s\"\n", (ULONG)(ULONG_PTR)PsGetCurrentProcessId(),
             IoIs32bitProcess(Irp) ? "32-bit" : "64-bit", ModeName(Irp->RequestorMode), User, User);
    return Finish(Irp, STATUS_SUCCESS);
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
    DbgPrint("process %u, the driver in %s mode, its code at 0x%p\n", (ULONG)(ULONG_PTR)PsGetCurrentProcessId(),
             ModeName(ExGetPreviousMode()), (PVOID)(ULONG_PTR)Control);
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLEANUP] = Driver->MajorFunction[IRP_MJ_CLOSE] =
        OpenClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
