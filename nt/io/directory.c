/*
 * Where a driver may keep files: the directory of its image, and directories of its own and of its devices below
 * System32\drivers\DriverData, made when they are first asked for; a volume's directory for the system. (docs: IoGetDriverDirectory, IoGetDeviceDirectory,
 * IoGetDeviceNumaNode)
 *
 * DIFFERS: the names below DriverData are ours; drivers get handles, not names.
 */
#include "nt.h"

static NTSTATUS IopMakeDirectory(PUNICODE_STRING Name, ULONG FileAttributes, PSECURITY_DESCRIPTOR Security,
                                 PHANDLE Handle)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;

    InitializeObjectAttributes(&Attributes, Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, Security);
    return IoCreateFile(Handle, FILE_GENERIC_READ | FILE_GENERIC_WRITE, &Attributes, &Iosb, NULL, FileAttributes,
                        FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN_IF,
                        FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0, CreateFileTypeNone, NULL,
                        IO_NO_PARAMETER_CHECKING);
}

/* The directory, made if it is missing; the one above it exists or is made first. */
static NTSTATUS IopOpenDirectory(PCWSTR Path, PHANDLE Handle)
{
    UNICODE_STRING Name;

    RtlInitUnicodeString(&Name, Path);
    return IopMakeDirectory(&Name, FILE_ATTRIBUTE_NORMAL, NULL, Handle);
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
        ObCloseHandle(*Handle, KernelMode);
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

/* docs: RtlCreateSystemVolumeInformationFolder: hidden, and the system's alone, with all that is made in it. */
NTSTATUS NTAPI RtlCreateSystemVolumeInformationFolder(PCUNICODE_STRING VolumeRootPath)
{
    static const WCHAR Folder[] = L"\\System Volume Information";
    UNICODE_STRING Path = *VolumeRootPath;
    SECURITY_DESCRIPTOR Security;
    ULONGLONG List[16];
    HANDLE Handle;
    NTSTATUS Status;

    while (Path.Length && Path.Buffer[Path.Length / sizeof(WCHAR) - 1] == L'\\')
        Path.Length -= sizeof(WCHAR);
    Path.MaximumLength = Path.Length + sizeof(Folder);
    Path.Buffer = ExpTryAllocate(Path.MaximumLength, 'dDoI');
    if (!Path.Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Path.Buffer, VolumeRootPath->Buffer, Path.Length);
    RtlAppendUnicodeToString(&Path, Folder);
    RtlCreateSecurityDescriptor(&Security, SECURITY_DESCRIPTOR_REVISION);
    RtlCreateAcl((PACL)List, sizeof(List), ACL_REVISION);
    RtlAddAccessAllowedAceEx((PACL)List, ACL_REVISION, CONTAINER_INHERIT_ACE | OBJECT_INHERIT_ACE, FILE_ALL_ACCESS,
                             SeExports->SeLocalSystemSid);
    RtlSetDaclSecurityDescriptor(&Security, TRUE, (PACL)List, FALSE);
    Status = IopMakeDirectory(&Path, FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM, &Security, &Handle);
    ExpFree(Path.Buffer);
    if (NT_SUCCESS(Status))
        NtClose(Handle);
    return Status;
}
