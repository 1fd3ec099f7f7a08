/*
 * Newer forms of file services: queries with flags, flushes of a kind, information by name; sections of a file object, the
 * volume's features, data that could not be written. (docs: ZwQueryDirectoryFileEx, ZwFlushBuffersFileEx,
 * ZwQueryInformationByName, FsRtlCreateSectionForDataScan, FsRtlLogCcFlushError)
 */
#include "../io/test.h"

static IO_STATUS_BLOCK Iosb;

static OBJECT_ATTRIBUTES Named(PUNICODE_STRING Name, PCWSTR Text)
{
    OBJECT_ATTRIBUTES Object;
    RtlInitUnicodeString(Name, Text);
    InitializeObjectAttributes(&Object, Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return Object;
}

static NTSTATUS Open(PCWSTR Text, ACCESS_MASK Access, ULONG Disposition, ULONG Options, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object = Named(&Name, Text);
    return ZwCreateFile(Handle, Access | SYNCHRONIZE, &Object, &Iosb, NULL, 0,
                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, Disposition,
                        Options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

/* The first letter of the next name, 0 = no more, '?' = something else. */
static WCHAR Next(HANDLE Directory, ULONG Flags)
{
    UCHAR Buffer[128] __attribute__((aligned(8)));
    UNICODE_STRING Pattern = RTL_CONSTANT_STRING(L"?.txt");
    NTSTATUS Status = ZwQueryDirectoryFileEx(Directory, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer),
                                             FileNamesInformation, Flags, &Pattern);
    if (Status == STATUS_NO_MORE_FILES)
        return 0;
    return NT_SUCCESS(Status) ? ((PFILE_NAMES_INFORMATION)Buffer)->FileName[0] : L'?';
}

static VOID a_query_can_leave_its_place(VOID)
{
    static const PCWSTR Names[] = {L"\\??\\C:\\n\\a.txt", L"\\??\\C:\\n\\b.txt", L"\\??\\C:\\n\\c.txt"};
    HANDLE Directory, File;
    OK(Open(L"\\??\\C:\\n", FILE_LIST_DIRECTORY, FILE_CREATE, FILE_DIRECTORY_FILE, &Directory));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Names); i++) {
        OK(Open(Names[i], GENERIC_READ, FILE_CREATE, 0, &File));
        OK(ZwClose(File));
    }
    CHECK(Next(Directory, SL_RETURN_SINGLE_ENTRY) == L'a');
    CHECK(Next(Directory, SL_RETURN_SINGLE_ENTRY | SL_NO_CURSOR_UPDATE_QUERY) == L'b');
    CHECK(Next(Directory, SL_RETURN_SINGLE_ENTRY) == L'b');
    CHECK(Next(Directory, SL_RETURN_SINGLE_ENTRY) == L'c');
    CHECK(Next(Directory, SL_RETURN_SINGLE_ENTRY) == 0);
    CHECK(Next(Directory, SL_RETURN_SINGLE_ENTRY | SL_RESTART_SCAN) == L'a');
    CHECK(Next(Directory, 0x100) == L'?');
    OK(ZwClose(Directory));
}

/* ---- Flushes: a filter sees which kind it is --------------------------------------------------------------------- */

static UCHAR Minor;
static PDEVICE_OBJECT Lower;

static NTSTATUS NTAPI See(PDEVICE_OBJECT Device, PIRP Irp)
{
    if (IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_FLUSH_BUFFERS)
        Minor = IoGetCurrentIrpStackLocation(Irp)->MinorFunction;
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Lower, Irp);
}

static NTSTATUS Flush(HANDLE File, ULONG Flags)
{
    Minor = 0xff;
    return ZwFlushBuffersFileEx(File, Flags, NULL, 0, &Iosb);
}

static VOID a_flush_says_its_kind(VOID)
{
    PDEVICE_OBJECT Device;
    PFILE_OBJECT Object;
    HANDLE File;
    OK(Open(L"\\??\\C:\\flushed", GENERIC_READ | GENERIC_WRITE, FILE_CREATE, 0, &File));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Device));
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = See;
    OK(IoAttachDeviceToDeviceStackSafe(Device, IoGetRelatedDeviceObject(Object), &Lower));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    OK(Flush(File, 0));
    CHECK(Minor == 0);
    OK(Flush(File, FLUSH_FLAGS_FILE_DATA_ONLY));
    CHECK(Minor == IRP_MN_FLUSH_DATA_ONLY);
    OK(Flush(File, FLUSH_FLAGS_NO_SYNC));
    CHECK(Minor == IRP_MN_FLUSH_NO_SYNC);
    OK(Flush(File, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY));
    CHECK(Minor == IRP_MN_FLUSH_DATA_SYNC_ONLY);
    STATUS(Flush(File, 0x80), STATUS_INVALID_PARAMETER);
    CHECK(Minor == 0xff);
    STATUS(ZwFlushBuffersFileEx(File, 0, &Device, sizeof(Device), &Iosb), STATUS_INVALID_PARAMETER);
    IoDetachDevice(Lower);
    IoDeleteDevice(Device);
    ObDereferenceObject(Object);
    OK(ZwClose(File));
}

static VOID information_comes_by_name(VOID)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object = Named(&Name, L"\\??\\C:\\flushed");
    FILE_STAT_INFORMATION Stat = {0};
    FILE_BASIC_INFORMATION Basic;
    HANDLE File;
    OK(Open(L"\\??\\C:\\flushed", GENERIC_WRITE, FILE_OPEN, 0, &File));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, "12345", 5, NULL, NULL));
    OK(ZwClose(File));
    OK(ZwQueryInformationByName(&Object, &Iosb, &Stat, sizeof(Stat), (FILE_INFORMATION_CLASS)FileStatInformation));
    CHECK(Stat.EndOfFile.QuadPart == 5 && Stat.NumberOfLinks == 1);
    CHECK(Iosb.Information == sizeof(Stat));
    STATUS(ZwQueryInformationByName(&Object, &Iosb, &Basic, sizeof(Basic), FileBasicInformation),
           STATUS_INVALID_INFO_CLASS);
    Object = Named(&Name, L"\\??\\C:\\none");
    STATUS(ZwQueryInformationByName(&Object, &Iosb, &Stat, sizeof(Stat), (FILE_INFORMATION_CLASS)FileStatInformation),
           STATUS_OBJECT_NAME_NOT_FOUND);
}

/* ---- Sections and the rest --------------------------------------------------------------------------------------- */

static VOID a_file_object_is_scanned_through_a_section(VOID)
{
    LARGE_INTEGER Size = {.QuadPart = 0};
    SIZE_T Bytes = 0;
    PFILE_OBJECT Object;
    PVOID Section, View = NULL;
    HANDLE File, Handle;
    OK(Open(L"\\??\\C:\\flushed", GENERIC_READ, FILE_OPEN, 0, &File));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    OK(FsRtlCreateSectionForDataScan(&Handle, &Section, &Size, Object, SECTION_MAP_READ | SECTION_QUERY, NULL, NULL,
                                     PAGE_READONLY, SEC_COMMIT, 0));
    CHECK(Size.QuadPart == 5);
    OK(MmMapViewInSystemSpace(Section, &View, &Bytes));
    CHECK(View && !memcmp(View, "12345", 5));
    OK(MmUnmapViewInSystemSpace(View));
    ObDereferenceObject(Section);
    OK(ZwClose(Handle));
    STATUS(FsRtlCreateSectionForDataScan(&Handle, &Section, NULL, Object, SECTION_MAP_READ, NULL, NULL, PAGE_EXECUTE,
                                         SEC_COMMIT, 0),
           STATUS_INVALID_PARAMETER);
    ObDereferenceObject(Object);
    OK(ZwClose(File));
    OK(Open(L"\\??\\C:\\empty", GENERIC_READ, FILE_CREATE, 0, &File));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    STATUS(FsRtlCreateSectionForDataScan(&Handle, &Section, NULL, Object, SECTION_MAP_READ, NULL, NULL, PAGE_READONLY,
                                         SEC_COMMIT, 0),
           STATUS_END_OF_FILE);
    ObDereferenceObject(Object);
    OK(ZwClose(File));
}

static VOID mdls_come_by_request_where_nothing_is_cached(VOID)
{
    LARGE_INTEGER Start = {.QuadPart = 0};
    PFILE_OBJECT Object;
    PMDL Chain = (PMDL)1;
    HANDLE File;
    ULONG Features = ~0u;
    OK(Open(L"\\??\\C:\\flushed", GENERIC_READ, FILE_OPEN, 0, &File));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    STATUS(FsRtlMdlReadEx(Object, &Start, 5, 0, &Chain, &Iosb), STATUS_NOT_SUPPORTED); /* C: has no cache */
    CHECK(Chain == NULL);
    OK(FsRtlGetSupportedFeatures(IoGetRelatedDeviceObject(Object), &Features));
    CHECK(Features == 0);
    STATUS(FsRtlNotifyVolumeEventEx(Object, FSRTL_VOLUME_LOCK, NULL),
           FsRtlNotifyVolumeEvent(Object, FSRTL_VOLUME_LOCK));
    ObDereferenceObject(Object);
    OK(ZwClose(File));
}

static VOID data_that_are_lost_are_told_of(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\lost");
    OK(FsRtlLogCcFlushError(&Name, Lower, NULL, STATUS_DISK_FULL, FSRTL_CC_FLUSH_ERROR_FLAG_NO_HARD_ERROR));
    OK(FsRtlLogCcFlushError(&Name, Lower, NULL, STATUS_DISK_FULL, FSRTL_CC_FLUSH_ERROR_FLAG_NO_LOG_ENTRY));
}

TEST_MAIN(a_query_can_leave_its_place, a_flush_says_its_kind, information_comes_by_name,
          a_file_object_is_scanned_through_a_section, mdls_come_by_request_where_nothing_is_cached,
          data_that_are_lost_are_told_of)
