/*
 * A driver's own directories, its service's name, and the table of the hardware abstraction layer.
 * (docs: IoGetDriverDirectory, DRIVER_EXTENSION, HalExamineMBR)
 */
#include "test.h"

static NTSTATUS Open(HANDLE Directory, PCWSTR Text, ULONG Disposition, PHANDLE File)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    UNICODE_STRING Name;

    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Directory, NULL);
    return ZwCreateFile(File, GENERIC_READ | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, 7, Disposition,
                        FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static VOID a_driver_keeps_files_in_its_directory(VOID)
{
    HANDLE Directory, Other, File;

    STATUS(IoGetDriverDirectory(NULL, DriverDirectoryData, 0, &Directory), STATUS_INVALID_PARAMETER);
    STATUS(IoGetDriverDirectory(Driver, DriverDirectoryData, 1, &Directory), STATUS_INVALID_PARAMETER);
    STATUS(IoGetDriverDirectory(Driver, 9, 0, &Directory), STATUS_INVALID_PARAMETER);
    OK(IoGetDriverDirectory(Driver, DriverDirectoryData, 0, &Directory));
    OK(Open(Directory, L"state.bin", FILE_CREATE, &File));
    ZwClose(File);
    ZwClose(Directory);
    OK(IoGetDriverDirectory(Driver, DriverDirectoryData, 0, &Directory));
    OK(Open(Directory, L"state.bin", FILE_OPEN, &File));
    ZwClose(File);
    OK(IoGetDriverDirectory(Driver, DriverDirectorySharedData, 0, &Other));
    STATUS(Open(Other, L"state.bin", FILE_OPEN, &File), STATUS_OBJECT_NAME_NOT_FOUND);
    ZwClose(Other);
    ZwClose(Directory);
    OK(IoGetDriverDirectory(Driver, DriverDirectoryImage, 0, &Directory));
    OK(Open(Directory, L"DriverData", FILE_OPEN, &File));
    ZwClose(File);
    ZwClose(Directory);
    STATUS(IoGetDeviceDirectory(NULL, DeviceDirectoryData, 0, NULL, &Directory), STATUS_INVALID_PARAMETER);
}

static VOID the_service_key_name_is_no_path(VOID)
{
    PUNICODE_STRING Name = &Driver->DriverExtension->ServiceKeyName;
    UNICODE_STRING Want = RTL_CONSTANT_STRING(L"directories");

    CHECK(RtlEqualUnicodeString(Name, &Want, FALSE));
    CHECK(!Name->Buffer[Name->Length / sizeof(WCHAR)]);
}

static VOID the_hal_answers_through_its_table(VOID)
{
    HAL_BUS_INFORMATION Bus;
    ULONG Returned, Speed = 0;
    PDEVICE_OBJECT Device;

    CHECK(HalDispatchTable->Version >= 3);
    OK(HalQuerySystemInformation(HalInstalledBusInformation, sizeof(Bus), &Bus, &Returned));
    CHECK(Returned == sizeof(Bus) && Bus.BusType == PCIBus && Bus.BusNumber == 0);
    STATUS(HalQuerySystemInformation(HalProcessorSpeedInformation, 2, &Speed, &Returned), STATUS_INFO_LENGTH_MISMATCH);
    OK(HalQuerySystemInformation(HalProcessorSpeedInformation, 4, &Speed, &Returned));
    CHECK(Speed == 3000);
    STATUS(HalQuerySystemInformation(HalCpeLogInformation, 4, &Speed, &Returned), STATUS_INVALID_LEVEL);
    CHECK(!HalGetCachedAcpiTable('TDSD', NULL, NULL));
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_DISK, 0, FALSE, &Device));
    PVOID Buffer = Device;
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    HalDispatchTable->HalExamineMBR(Device, 512, 7, &Buffer); /* which answers no read */
    CHECK(!Buffer);
    IoDeleteDevice(Device);
}

TEST_MAIN(a_driver_keeps_files_in_its_directory, the_service_key_name_is_no_path, the_hal_answers_through_its_table)
