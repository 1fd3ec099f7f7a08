/*
 * A device timer set up a second time.
 * EXPECT: device.timer-initialized-twice bad.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    IoDeleteDevice(DriverObject->DeviceObject);
}

static VOID NTAPI Second(PDEVICE_OBJECT Device, PVOID Context)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;

    DriverObject->DriverUnload = Unload;
    IoCreateDevice(DriverObject, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    IoInitializeTimer(Device, Second, NULL);
    IoInitializeTimer(Device, Second, NULL);
    return STATUS_SUCCESS;
}
