/*
 * Where a driver may keep files: the directory of its image, and directories of its own and of its devices below
 * System32\drivers\DriverData, made when they are first asked for. (docs: IoGetDriverDirectory, IoGetDeviceDirectory,
 * IoGetDeviceNumaNode)
 *
 * DIFFERS: the names below DriverData are ours; drivers get handles, not names.
 */
#include "nt.h"

/* The directory, made if it is missing; the one above it exists or is made first. */
static NTSTATUS IopOpenDirectory(PCWSTR Path, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;

    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    return IoCreateFile(Handle, FILE_GENERIC_READ | FILE_GENERIC_WRITE, &Attributes, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL,
                        FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN_IF,
                        FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0, CreateFileTypeNone, NULL,
                        IO_NO_PARAMETER_CHECKING);
}

/* Parts below \SystemRoot\System32\drivers, one after the other; an instance's path has '#' for '\'. */
static NTSTATUS IopOpenBelowDrivers(const PCWSTR *Part, ULONG Parts, PHANDLE Handle)
{
    static const PCWSTR First[] = {L"System32", L"drivers"};
    WCHAR Path[300] = L"\\SystemRoot";
    NTSTATUS Status = IopOpenDirectory(Path, Handle);

    for (ULONG i = 0; i < RTL_NUMBER_OF(First) + Parts && NT_SUCCESS(Status); i++) {
        PCWSTR Next = i < RTL_NUMBER_OF(First) ? First[i] : Part[i - RTL_NUMBER_OF(First)];
        ULONG Length = (ULONG)wcslen(Path);
        NtClose(*Handle);
        if (Length + wcslen(Next) + 2 > RTL_NUMBER_OF(Path))
            return STATUS_NAME_TOO_LONG;
        Path[Length++] = L'\\';
        for (; *Next; Next++)
            Path[Length++] = *Next == L'\\' ? L'#' : *Next;
        Path[Length] = 0;
        Status = IopOpenDirectory(Path, Handle);
    }
    if (!NT_SUCCESS(Status))
        *Handle = NULL;
    return Status;
}

NTSTATUS NTAPI IoGetDriverDirectory(PDRIVER_OBJECT DriverObject, DRIVER_DIRECTORY_TYPE Type, ULONG Flags,
                                    PHANDLE Handle)
{
    PCWSTR Part[3] = {L"DriverData", NULL, Type == DriverDirectoryData ? L"Data" : L"SharedData"};

    if (!DriverObject || !Handle || Flags || (ULONG)Type > DriverDirectorySharedData)
        return STATUS_INVALID_PARAMETER;
    Part[1] = DriverObject->DriverExtension->ServiceKeyName.Buffer;
    if (!Part[1])
        return STATUS_INVALID_PARAMETER;
    return IopOpenBelowDrivers(Part, Type == DriverDirectoryImage ? 0 : 3, Handle);
}

NTSTATUS NTAPI IoGetDeviceDirectory(PDEVICE_OBJECT Pdo, DEVICE_DIRECTORY_TYPE Type, ULONG Flags, PVOID Reserved,
                                    PHANDLE Handle)
{
    PDEVICE_NODE Node = Pdo ? PnpNodeOf(Pdo) : NULL;
    PCWSTR Part[3] = {L"DriverData", L"Devices", NULL};

    if (!Node || !Node->InstancePath.Buffer || !Handle || Flags || Reserved || Type != DeviceDirectoryData)
        return STATUS_INVALID_PARAMETER;
    Part[2] = Node->InstancePath.Buffer;
    return IopOpenBelowDrivers(Part, 3, Handle);
}

/* One node: what is connected is connected to it. */
NTSTATUS NTAPI IoGetDeviceNumaNode(PDEVICE_OBJECT Pdo, PUSHORT NodeNumber)
{
    if (!Pdo || Pdo->Type != IO_TYPE_DEVICE || !PnpNodeOf(Pdo))
        return STATUS_INVALID_PARAMETER;
    *NodeNumber = 0;
    return STATUS_SUCCESS;
}
