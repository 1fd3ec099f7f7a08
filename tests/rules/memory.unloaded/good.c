/*
 * Takes its routine back from the other driver before it is unloaded.
 *
 * OPTIONS: build/tests/rules/memory.unloaded/other.sys
 */
#include <ntddk.h>

static VOID NTAPI Called(VOID)
{
    DbgPrint("called\n");
}

static NTSTATUS Give(PVOID Value)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Other");
    IO_STATUS_BLOCK Result;
    PDEVICE_OBJECT Device;
    PFILE_OBJECT File;
    KEVENT Done;
    PIRP Irp;
    NTSTATUS Status = IoGetDeviceObjectPointer(&Name, FILE_READ_ATTRIBUTES, &File, &Device);

    if (!NT_SUCCESS(Status))
        return Status;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    Irp = IoBuildDeviceIoControlRequest(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS), Device,
                                        &Value, sizeof(Value), NULL, 0, FALSE, &Done, &Result);
    Status = Irp ? IoCallDriver(Device, Irp) : STATUS_INSUFFICIENT_RESOURCES;
    if (Status == STATUS_PENDING) {
        KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
        Status = Result.Status;
    }
    ObDereferenceObject(File);
    return Status;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    Give(NULL);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    Driver->DriverUnload = Unload;
    return Give((PVOID)Called);
}
