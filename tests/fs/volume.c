/* C: as a file system: locks, notification, oplocks, times, attributes, renaming, APCs; and filters over it. */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI ZwNotifyChangeDirectoryFile(HANDLE File, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                                                    PIO_STATUS_BLOCK Status, PVOID Buffer, ULONG Bytes, ULONG Filter,
                                                    BOOLEAN Tree);

static IO_STATUS_BLOCK Iosb;
#define SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define SYNC FILE_SYNCHRONOUS_IO_NONALERT

static NTSTATUS OpenAs(PCWSTR Text, ULONG Access, ULONG Attributes, ULONG Share, ULONG Disposition, ULONG Options,
                       PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(Handle, Access | SYNCHRONIZE, &Object, &Iosb, NULL, Attributes, Share, Disposition, Options,
                        NULL, 0);
}

static NTSTATUS Open(PCWSTR Text, ULONG Access, ULONG Share, ULONG Disposition, ULONG Options, PHANDLE Handle)
{
    return OpenAs(Text, Access, FILE_ATTRIBUTE_NORMAL, Share, Disposition, Options, Handle);
}

static VOID byte_ranges_are_locked(VOID)
{
    HANDLE One, Two, Event;
    static IO_STATUS_BLOCK Later;
    LARGE_INTEGER At = {.QuadPart = 2}, Length = {.QuadPart = 4}, Zero = {.QuadPart = 0}, Huge = {.QuadPart = -1};
    CHAR Buffer[8];
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    OK(Open(L"\\??\\C:\\locked", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_CREATE, SYNC, &One));
    OK(ZwWriteFile(One, NULL, NULL, NULL, &Iosb, "abcdefgh", 8, &Zero, NULL));
    OK(Open(L"\\??\\C:\\locked", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, 0, &Two));
    OK(ZwLockFile(One, NULL, NULL, NULL, &Iosb, &At, &Length, 7, TRUE, TRUE));
    STATUS(ZwLockFile(One, NULL, NULL, NULL, &Iosb, &Length, &Huge, 7, TRUE, TRUE), STATUS_INVALID_LOCK_RANGE);
    STATUS(ZwLockFile(Two, NULL, NULL, NULL, &Iosb, &At, &Length, 0, TRUE, FALSE), STATUS_LOCK_NOT_GRANTED);
    STATUS(ZwLockFile(Two, Event, NULL, NULL, &Later, &At, &Length, 0, FALSE, TRUE), STATUS_PENDING);
    STATUS(ZwReadFile(Two, NULL, NULL, NULL, &Iosb, Buffer, 8, &Zero, NULL), STATUS_FILE_LOCK_CONFLICT);
    STATUS(ZwUnlockFile(One, &Iosb, &At, &Length, 8), STATUS_RANGE_NOT_LOCKED); /* the key counts */
    OK(ZwUnlockFile(One, &Iosb, &At, &Length, 7));
    OK(ZwWaitForSingleObject(Event, FALSE, NULL)); /* the next one in the line */
    OK(Later.Status);
    STATUS(ZwWriteFile(One, NULL, NULL, NULL, &Iosb, "x", 1, &At, NULL), STATUS_FILE_LOCK_CONFLICT);
    OK(ZwClose(Two));
    OK(ZwWriteFile(One, NULL, NULL, NULL, &Iosb, "x", 1, &At, NULL));
    OK(ZwClose(One));
    OK(ZwClose(Event));
}

static ULONG Apcs;
static PVOID ApcContext;

static VOID NTAPI Apc(PVOID Context, PIO_STATUS_BLOCK Status, ULONG Reserved)
{
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL || KeGetCurrentIrql() == APC_LEVEL);
    CHECK(Status == &Iosb && Status->Information == 3);
    ApcContext = Context;
    Apcs++;
}

static VOID an_apc_tells_the_end(VOID)
{
    HANDLE File;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    CHAR Buffer[3];
    OK(Open(L"\\??\\C:\\locked", GENERIC_READ, SHARED, FILE_OPEN, 0, &File));
    NTSTATUS Status = ZwReadFile(File, NULL, Apc, &Zero, &Iosb, Buffer, 3, &Zero, NULL);
    CHECK(Status == STATUS_SUCCESS || Status == STATUS_PENDING);
    LARGE_INTEGER Soon = {.QuadPart = -10};
    KeDelayExecutionThread(KernelMode, FALSE, &Soon);
    CHECK(Apcs == 1 && ApcContext == &Zero);
    STATUS(ZwReadFile(File, NULL, Apc, &Zero, &Iosb, Buffer, 3, NULL, NULL), STATUS_INVALID_PARAMETER);
    KeDelayExecutionThread(KernelMode, FALSE, &Soon);
    CHECK(Apcs == 1); /* refused: no APC */
    OK(ZwClose(File));
}

static VOID times_and_attributes_are_kept(VOID)
{
    HANDLE File;
    FILE_BASIC_INFORMATION Basic = {0}, Got;
    OK(OpenAs(L"\\??\\C:\\times", GENERIC_WRITE, FILE_ATTRIBUTE_HIDDEN, SHARED, FILE_CREATE, SYNC, &File));
    OK(ZwQueryInformationFile(File, &Iosb, &Got, sizeof(Got), FileBasicInformation));
    CHECK(Got.FileAttributes == (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_ARCHIVE));
    Basic.CreationTime.QuadPart = 0x01d0000000000000;
    Basic.LastWriteTime.QuadPart = 0x01d1000000000000;
    Basic.FileAttributes = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_SYSTEM;
    OK(ZwSetInformationFile(File, &Iosb, &Basic, sizeof(Basic), FileBasicInformation));
    OK(ZwClose(File));
    STATUS(Open(L"\\??\\C:\\times", GENERIC_WRITE, SHARED, FILE_OPEN, SYNC, &File), STATUS_ACCESS_DENIED);
    OK(Open(L"\\??\\C:\\times", FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES, SHARED, FILE_OPEN, SYNC, &File));
    OK(ZwQueryInformationFile(File, &Iosb, &Got, sizeof(Got), FileBasicInformation));
    CHECK(Got.FileAttributes == (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_SYSTEM));
    CHECK(Got.CreationTime.QuadPart == Basic.CreationTime.QuadPart &&
          Got.LastWriteTime.QuadPart == Basic.LastWriteTime.QuadPart);
    Basic = (FILE_BASIC_INFORMATION){.FileAttributes = FILE_ATTRIBUTE_NORMAL};
    OK(ZwSetInformationFile(File, &Iosb, &Basic, sizeof(Basic), FileBasicInformation));
    OK(ZwQueryInformationFile(File, &Iosb, &Got, sizeof(Got), FileBasicInformation));
    CHECK(Got.FileAttributes == FILE_ATTRIBUTE_NORMAL && Got.CreationTime.QuadPart == 0x01d0000000000000);
    Basic.FileAttributes = FILE_ATTRIBUTE_DIRECTORY;
    STATUS(ZwSetInformationFile(File, &Iosb, &Basic, sizeof(Basic), FileBasicInformation), STATUS_INVALID_PARAMETER);
    OK(ZwClose(File));
}

static NTSTATUS Rename(HANDLE File, HANDLE Root, PCWSTR Text, BOOLEAN Replace)
{
    static UCHAR Buffer[256];
    PFILE_RENAME_INFORMATION Information = (PVOID)Buffer;
    RtlZeroMemory(Buffer, sizeof(Buffer));
    Information->ReplaceIfExists = Replace;
    Information->RootDirectory = Root;
    Information->FileNameLength = (ULONG)wcslen(Text) * sizeof(WCHAR);
    RtlCopyMemory(Information->FileName, Text, Information->FileNameLength);
    return ZwSetInformationFile(File, &Iosb, Information, sizeof(*Information) + Information->FileNameLength,
                                FileRenameInformation);
}

static VOID names_change(VOID)
{
    HANDLE File, Directory, Other;
    OK(Open(L"\\??\\C:\\dir", FILE_LIST_DIRECTORY | FILE_TRAVERSE, SHARED, FILE_CREATE, SYNC | FILE_DIRECTORY_FILE,
            &Directory));
    OK(Open(L"\\??\\C:\\old", GENERIC_WRITE | DELETE, SHARED, FILE_CREATE, SYNC, &File));
    OK(Rename(File, NULL, L"new", FALSE));
    OK(Rename(File, NULL, L"\\??\\C:\\dir\\full", FALSE));
    OK(Rename(File, Directory, L"relative", FALSE));
    STATUS(Open(L"\\??\\C:\\dir\\full", GENERIC_READ, SHARED, FILE_OPEN, SYNC, &Other), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(L"\\??\\C:\\dir\\RELATIVE", GENERIC_READ, SHARED, FILE_OPEN, SYNC, &Other));
    OK(ZwClose(Other));
    OK(Open(L"\\??\\C:\\dir\\taken", GENERIC_READ, SHARED, FILE_CREATE, SYNC, &Other));
    OK(ZwClose(Other));
    STATUS(Rename(File, Directory, L"taken", FALSE), STATUS_OBJECT_NAME_COLLISION);
    OK(Rename(File, Directory, L"taken", TRUE));
    STATUS(Rename(File, NULL, L"\\??\\C:\\nowhere\\x", FALSE), STATUS_OBJECT_PATH_NOT_FOUND);
    STATUS(Rename(File, NULL, L"a\\b", FALSE), STATUS_OBJECT_NAME_INVALID);
    OK(ZwClose(File));
    OK(ZwClose(Directory));
}

static VOID the_target_directory_is_opened(VOID)
{
    HANDLE Target;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\dir\\some");
    OBJECT_ATTRIBUTES Object;
    PFILE_OBJECT File;
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(IoCreateFile(&Target, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &Object, &Iosb, NULL, 0, SHARED, FILE_OPEN, SYNC, NULL,
                    0, CreateFileTypeNone, NULL, IO_OPEN_TARGET_DIRECTORY));
    CHECK(Iosb.Information == FILE_DOES_NOT_EXIST);
    OK(ObReferenceObjectByHandle(Target, 0, *IoFileObjectType, KernelMode, (PVOID *)&File, NULL));
    CHECK(File->FileName.Length == 8 && !memcmp(File->FileName.Buffer, L"some", 8));
    ObDereferenceObject(File);
    OK(ZwClose(Target));
}

static VOID what_it_cannot_do_it_says(VOID)
{
    HANDLE File;
    UCHAR Buffer[128];
    static FILE_FULL_EA_INFORMATION Ea = {.EaNameLength = 0};
    OK(Open(L"\\??\\C:\\locked", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, SYNC, &File));
    STATUS(ZwQueryEaFile(File, &Iosb, Buffer, sizeof(Buffer), FALSE, NULL, 0, NULL, TRUE), STATUS_EAS_NOT_SUPPORTED);
    STATUS(ZwSetEaFile(File, &Iosb, &Ea, sizeof(Ea)), STATUS_EAS_NOT_SUPPORTED);
    STATUS(ZwQueryInformationFile(File, &Iosb, Buffer, sizeof(Buffer), FileAlternateNameInformation),
           STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(ZwQueryInformationFile(File, &Iosb, Buffer, sizeof(Buffer), FileRenameInformation),
           STATUS_INVALID_INFO_CLASS);
    STATUS(ZwQueryInformationFile(File, &Iosb, Buffer, 3, FileStandardInformation), STATUS_INFO_LENGTH_MISMATCH);
    OK(ZwQueryInformationFile(File, &Iosb, Buffer, sizeof(Buffer), FileStreamInformation));
    CHECK(((PFILE_STREAM_INFORMATION)Buffer)->StreamSize.QuadPart == 8);
    STATUS(ZwFsControlFile(File, NULL, NULL, NULL, &Iosb, FSCTL_GET_REPARSE_POINT, NULL, 0, Buffer, sizeof(Buffer)),
           STATUS_NOT_A_REPARSE_POINT);
    STATUS(ZwFsControlFile(File, NULL, NULL, NULL, &Iosb, CTL_CODE(FILE_DEVICE_FILE_SYSTEM, 999, METHOD_BUFFERED, 0),
                           NULL, 0, Buffer, sizeof(Buffer)),
           STATUS_INVALID_DEVICE_REQUEST);
    OK(ZwClose(File));
}

static VOID a_directory_is_watched(VOID)
{
    HANDLE Directory, File, Event;
    static IO_STATUS_BLOCK Told;
    static UCHAR Buffer[512];
    PFILE_NOTIFY_INFORMATION Change = (PVOID)Buffer;
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    OK(Open(L"\\??\\C:\\", FILE_LIST_DIRECTORY, SHARED, FILE_OPEN, 0, &Directory));
    STATUS(ZwNotifyChangeDirectoryFile(Directory, Event, NULL, NULL, &Told, Buffer, sizeof(Buffer),
                                       FILE_NOTIFY_CHANGE_FILE_NAME, TRUE),
           STATUS_PENDING);
    OK(Open(L"\\??\\C:\\dir\\watched", GENERIC_WRITE | DELETE, SHARED, FILE_CREATE, SYNC, &File));
    OK(ZwWaitForSingleObject(Event, FALSE, NULL));
    CHECK(Change->Action == FILE_ACTION_ADDED && Change->FileNameLength == 22 &&
          !memcmp(Change->FileName, L"dir\\watched", 22));
    OK(ZwResetEvent(Event, NULL));
    STATUS(ZwNotifyChangeDirectoryFile(Directory, Event, NULL, NULL, &Told, Buffer, sizeof(Buffer),
                                       FILE_NOTIFY_CHANGE_FILE_NAME, TRUE),
           STATUS_PENDING);
    OK(Rename(File, NULL, L"seen", FALSE));
    OK(ZwWaitForSingleObject(Event, FALSE, NULL));
    CHECK(Change->Action == FILE_ACTION_RENAMED_OLD_NAME && Change->NextEntryOffset);
    Change = (PVOID)(Buffer + Change->NextEntryOffset);
    CHECK(Change->Action == FILE_ACTION_RENAMED_NEW_NAME && Change->FileNameLength == 16);
    STATUS(ZwNotifyChangeDirectoryFile(Directory, NULL, NULL, NULL, &Told, Buffer, sizeof(Buffer), 0, TRUE),
           STATUS_INVALID_PARAMETER);
    STATUS(ZwNotifyChangeDirectoryFile(Directory, NULL, NULL, NULL, &Told, Buffer, 4, FILE_NOTIFY_CHANGE_SIZE, TRUE),
           STATUS_PENDING);
    OK(ZwCancelIoFile(Directory, &Iosb));
    CHECK(Told.Status == STATUS_CANCELLED);
    OK(ZwClose(File));
    OK(ZwClose(Directory));
    OK(ZwClose(Event));
}

/* ---- A legacy filter --------------------------------------------------------------------------------------------- */

static PDEVICE_OBJECT Filter, Below;
static ULONG Creates, Told;

static NTSTATUS NTAPI Pass(PDEVICE_OBJECT Device, PIRP Irp)
{
    if (IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_CREATE)
        Creates++;
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Below, Irp);
}

static VOID NTAPI FsChanged(PDEVICE_OBJECT Device, BOOLEAN Active)
{
    CHECK(Active && Device->DeviceType == FILE_DEVICE_DISK_FILE_SYSTEM);
    Told++;
}

static PDEVICE_OBJECT VolumeOf(PCWSTR Text)
{
    HANDLE File;
    PFILE_OBJECT Object;
    if (!NT_SUCCESS(Open(Text, FILE_READ_ATTRIBUTES, SHARED, FILE_OPEN, SYNC, &File)))
        return NULL;
    ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL);
    PDEVICE_OBJECT Volume = IoGetBaseFileSystemDeviceObject(Object);
    CHECK(Object->DeviceObject != Volume && Object->DeviceObject->Vpb->DeviceObject == Volume);
    ObDereferenceObject(Object);
    ZwClose(File);
    return Volume;
}

static VOID a_filter_sees_what_goes_to_the_volume(VOID)
{
    PDEVICE_OBJECT Volume = VolumeOf(L"\\??\\C:\\locked"), Disk, List[4];
    ULONG Count;
    HANDLE File;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\locked");
    OBJECT_ATTRIBUTES Object;
    OK(IoRegisterFsRegistrationChange(Driver, FsChanged));
    CHECK(Told == 1); /* those that are there */
    IoUnregisterFsRegistrationChange(Driver, FsChanged);
    OK(IoGetDiskDeviceObject(Volume, &Disk));
    CHECK(Disk->DeviceType == FILE_DEVICE_DISK);
    ObDereferenceObject(Disk);
    OK(IoEnumerateDeviceObjectList(Volume->DriverObject, List, sizeof(List), &Count));
    CHECK(Count == 2); /* the control device and the volume */
    for (ULONG i = 0; i < Count; i++)
        ObDereferenceObject(List[i]);
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Pass;
    OK(IoCreateDevice(Driver, 0, NULL, Volume->DeviceType, 0, FALSE, &Filter));
    Filter->Flags &= ~DO_DEVICE_INITIALIZING;
    Below = IoAttachDeviceToDeviceStack(Filter, Volume);
    CHECK(Below == Volume);
    OK(Open(L"\\??\\C:\\locked", GENERIC_READ, SHARED, FILE_OPEN, SYNC, &File));
    CHECK(Creates == 1);
    OK(ZwClose(File));
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(IoCreateFileSpecifyDeviceObjectHint(&File, GENERIC_READ | SYNCHRONIZE, &Object, &Iosb, NULL, 0, SHARED,
                                           FILE_OPEN, SYNC, NULL, 0, CreateFileTypeNone, NULL, 0, Below));
    CHECK(Creates == 1); /* not past the filter */
    OK(ZwClose(File));
    IoDetachDevice(Below);
    IoDeleteDevice(Filter);
}

static VOID contexts_and_keys(VOID)
{
    static const GUID Type = {1, 2, 3, {4}};
    PECP_LIST List, Found;
    PVOID Context;
    ULONG Bytes;
    OK(FsRtlAllocateExtraCreateParameterList(0, &List));
    OK(FsRtlAllocateExtraCreateParameter(&Type, 24, 0, NULL, 'pcET', &Context));
    CHECK(((ULONG_PTR)Context & 15) == 0 && !FsRtlIsEcpAcknowledged(Context));
    OK(FsRtlInsertExtraCreateParameter(List, Context));
    STATUS(FsRtlInsertExtraCreateParameter(List, Context), STATUS_INVALID_PARAMETER);
    OK(FsRtlFindExtraCreateParameter(List, &Type, (PVOID *)&Found, &Bytes));
    CHECK(Found == Context && Bytes == 24);
    FsRtlAcknowledgeEcp(Context);
    CHECK(FsRtlIsEcpAcknowledged(Context));
    FsRtlFreeExtraCreateParameterList(List);
}

TEST_MAIN(byte_ranges_are_locked, an_apc_tells_the_end, times_and_attributes_are_kept, names_change,
          the_target_directory_is_opened, what_it_cannot_do_it_says, a_directory_is_watched,
          a_filter_sees_what_goes_to_the_volume, contexts_and_keys)
