/*
 * A device deleted by two paths of the driver. It is open, or its memory would be gone by then.
 * EXPECT: device.deleted-twice bad.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;

    DriverObject->DriverUnload = Unload;
    IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    ObReferenceObject(Device); /* so that it is still there */
    IoDeleteDevice(Device);
    IoDeleteDevice(Device);
    ObDereferenceObject(Device);
    return STATUS_SUCCESS;
}
