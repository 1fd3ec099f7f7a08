/*
 * The driver that bad.c and good.c give a routine to: called when this one is unloaded, which is after them, unless it was
 * taken back.
 */
#include <ntddk.h>

typedef VOID(NTAPI *PROUTINE)(VOID);

static PROUTINE Routine;

static NTSTATUS NTAPI Open(PDEVICE_OBJECT Device, PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    Routine = *(PROUTINE *)Irp->AssociatedIrp.SystemBuffer;
    return Open(Device, Irp);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    if (Routine)
        Routine();
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Other");
    PDEVICE_OBJECT Device;

    Driver->DriverUnload = Unload;
    Driver->MajorFunction[IRP_MJ_CREATE] = Open;
    Driver->MajorFunction[IRP_MJ_CLOSE] = Open;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    return IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
}
