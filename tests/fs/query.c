/*
 * What files, directories and the volume are asked: every class with too little room, just enough and a name that is cut;
 * directories by event and by APC, entry by entry, begun anew, and while files go. (docs: ZwQueryDirectoryFile,
 * ZwQueryInformationFile, ZwQueryVolumeInformationFile, IoCreateFileSpecifyDeviceObjectHint)
 */
#include "../io/test.h"

static IO_STATUS_BLOCK Iosb;
static UCHAR Buffer[0x2000];

static NTSTATUS Open(PCWSTR Text, ACCESS_MASK Access, ULONG Disposition, ULONG Options, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(Handle, Access | SYNCHRONIZE, &Object, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL,
                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, Disposition, Options, NULL, 0);
}

static VOID Make(PCWSTR Text, ULONG Options)
{
    HANDLE Handle;
    OK(Open(Text, GENERIC_READ, FILE_CREATE, Options, &Handle));
    OK(ZwClose(Handle));
}

static NTSTATUS Ask(HANDLE Directory, ULONG Bytes, ULONG Class, BOOLEAN Single, PCWSTR Text, BOOLEAN Restart)
{
    UNICODE_STRING Pattern;
    RtlInitUnicodeString(&Pattern, Text);
    return ZwQueryDirectoryFile(Directory, NULL, NULL, NULL, &Iosb, Buffer, Bytes, Class, Single,
                                Text ? &Pattern : NULL, Restart);
}

static BOOLEAN Got(PCWSTR Text)
{
    PFILE_NAMES_INFORMATION Entry = (PVOID)Buffer;
    return Entry->FileNameLength == wcslen(Text) * 2 && !memcmp(Entry->FileName, Text, Entry->FileNameLength);
}

#define SYNC FILE_SYNCHRONOUS_IO_NONALERT

static VOID entries_come_one_by_one_and_anew(VOID)
{
    HANDLE Directory, Other;
    Make(L"\\??\\C:\\q", FILE_DIRECTORY_FILE);
    Make(L"\\??\\C:\\q\\a.txt", 0);
    Make(L"\\??\\C:\\q\\b.txt", 0);
    Make(L"\\??\\C:\\q\\c.txt", 0);
    Make(L"\\??\\C:\\q\\Long name.Text", 0);
    OK(Open(L"\\??\\C:\\q", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE | SYNC, &Directory));
    OK(Ask(Directory, sizeof(Buffer), FileNamesInformation, TRUE, L"*.txt", FALSE));
    CHECK(Got(L"a.txt") && Iosb.Information == FIELD_OFFSET(FILE_NAMES_INFORMATION, FileName) + 10);
    OK(Ask(Directory, sizeof(Buffer), FileNamesInformation, TRUE, L"b*", FALSE)); /* the first pattern stays */
    CHECK(Got(L"b.txt"));
    OK(Open(L"\\??\\C:\\q\\b.txt", DELETE, FILE_OPEN, FILE_DELETE_ON_CLOSE, &Other));
    OK(ZwClose(Other));
    OK(Open(L"\\??\\C:\\q\\a.txt", DELETE, FILE_OPEN, FILE_DELETE_ON_CLOSE, &Other));
    OK(ZwClose(Other));
    OK(Open(L"\\??\\C:\\q", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE | SYNC, &Other));
    OK(Ask(Other, sizeof(Buffer), FileNamesInformation, TRUE, L"*.txt", FALSE)); /* another scan begins meanwhile */
    CHECK(Got(L"c.txt"));
    OK(Ask(Directory, sizeof(Buffer), FileNamesInformation, TRUE, NULL, FALSE));
    CHECK(Got(L"c.txt")); /* none was missed, none came twice */
    STATUS(Ask(Directory, sizeof(Buffer), FileNamesInformation, TRUE, NULL, FALSE), STATUS_NO_MORE_FILES);
    CHECK(Iosb.Information == 0);
    OK(Ask(Directory, sizeof(Buffer), FileNamesInformation, TRUE, NULL, TRUE));
    CHECK(Got(L"c.txt"));
    OK(ZwClose(Other));
    OK(ZwClose(Directory));
}

static VOID a_name_is_found_without_a_scan(VOID)
{
    HANDLE Directory;
    OK(Open(L"\\??\\C:\\q", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE | SYNC, &Directory));
    OK(Ask(Directory, sizeof(Buffer), FileNamesInformation, FALSE, L"LONG NAME.TEXT", FALSE));
    CHECK(Got(L"Long name.Text") && !((PFILE_NAMES_INFORMATION)Buffer)->NextEntryOffset);
    STATUS(Ask(Directory, sizeof(Buffer), FileNamesInformation, FALSE, NULL, FALSE), STATUS_NO_MORE_FILES);
    OK(Ask(Directory, sizeof(Buffer), FileNamesInformation, FALSE, NULL, TRUE));
    CHECK(Got(L"Long name.Text"));
    OK(ZwClose(Directory));
    OK(Open(L"\\??\\C:\\q", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE | SYNC, &Directory));
    STATUS(Ask(Directory, sizeof(Buffer), FileNamesInformation, FALSE, L"nothing", FALSE), STATUS_NO_SUCH_FILE);
    STATUS(Ask(Directory, sizeof(Buffer), FileNamesInformation, FALSE, NULL, FALSE), STATUS_NO_MORE_FILES);
    OK(ZwClose(Directory));
}

static VOID what_does_not_fit_is_cut_or_refused(VOID)
{
    static const struct {
        ULONG Class, Name;
    } Classes[] = {{FileDirectoryInformation, FIELD_OFFSET(FILE_DIRECTORY_INFORMATION, FileName)},
                   {FileFullDirectoryInformation, FIELD_OFFSET(FILE_FULL_DIR_INFORMATION, FileName)},
                   {FileIdFullDirectoryInformation, FIELD_OFFSET(FILE_ID_FULL_DIR_INFORMATION, FileName)},
                   {FileBothDirectoryInformation, FIELD_OFFSET(FILE_BOTH_DIR_INFORMATION, FileName)},
                   {FileIdBothDirectoryInformation, FIELD_OFFSET(FILE_ID_BOTH_DIR_INFORMATION, FileName)},
                   {FileNamesInformation, FIELD_OFFSET(FILE_NAMES_INFORMATION, FileName)}};
    HANDLE Directory;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Classes); i++) {
        OK(Open(L"\\??\\C:\\q", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE | SYNC, &Directory));
        STATUS(Ask(Directory, Classes[i].Name, Classes[i].Class, TRUE, L"Long*", FALSE), STATUS_INFO_LENGTH_MISMATCH);
        STATUS(Ask(Directory, Classes[i].Name + 8, Classes[i].Class, TRUE, L"Long*", TRUE), STATUS_BUFFER_OVERFLOW);
        CHECK(Iosb.Information == Classes[i].Name + 8 && !memcmp(Buffer + Classes[i].Name, L"Long", 8));
        OK(Ask(Directory, Classes[i].Name + 28, Classes[i].Class, TRUE, NULL, TRUE));
        CHECK(Iosb.Information == Classes[i].Name + 28);
        OK(ZwClose(Directory));
    }
    OK(Open(L"\\??\\C:\\q", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE | SYNC, &Directory));
    STATUS(Ask(Directory, sizeof(Buffer), FileBasicInformation, TRUE, NULL, FALSE), STATUS_INVALID_INFO_CLASS);
    OK(ZwClose(Directory));
    OK(Open(L"\\??\\C:\\q\\c.txt", FILE_LIST_DIRECTORY, FILE_OPEN, SYNC, &Directory));
    STATUS(Ask(Directory, sizeof(Buffer), FileNamesInformation, TRUE, NULL, FALSE), STATUS_INVALID_PARAMETER);
    OK(ZwClose(Directory));
}

static ULONG Apcs;

static VOID NTAPI Apc(PVOID Context, PIO_STATUS_BLOCK Status, ULONG Reserved)
{
    Apcs++;
    CHECK(Context == Buffer && Status == &Iosb && Status->Status == STATUS_SUCCESS && Got(L"c.txt"));
}

static VOID a_directory_answers_by_event_and_by_apc(VOID)
{
    UNICODE_STRING Pattern = RTL_CONSTANT_STRING(L"c*");
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Directory, Event;
    LARGE_INTEGER Soon = {.QuadPart = -10};
    NTSTATUS Status;
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE));
    OK(Open(L"\\??\\C:\\q", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE, &Directory));
    Iosb.Status = STATUS_PENDING;
    Status = ZwQueryDirectoryFile(Directory, Event, NULL, NULL, &Iosb, Buffer, sizeof(Buffer), FileNamesInformation,
                                  TRUE, &Pattern, TRUE);
    CHECK(Status == STATUS_SUCCESS || Status == STATUS_PENDING);
    OK(ZwWaitForSingleObject(Event, FALSE, NULL));
    CHECK(Iosb.Status == STATUS_SUCCESS && Got(L"c.txt"));
    Status = ZwQueryDirectoryFile(Directory, NULL, Apc, Buffer, &Iosb, Buffer, sizeof(Buffer), FileNamesInformation,
                                  TRUE, NULL, TRUE);
    CHECK(Status == STATUS_SUCCESS || Status == STATUS_PENDING);
    KeDelayExecutionThread(KernelMode, TRUE, &Soon);
    KeDelayExecutionThread(KernelMode, TRUE, &Soon);
    CHECK(Apcs == 1);
    OK(ZwClose(Directory));
    OK(ZwClose(Event));
}

static VOID every_class_of_a_file_has_its_length(VOID)
{
    static const struct {
        ULONG Class, Bytes, Whole; /* the least, and what a file with the name \q\c.txt gives */
    } Classes[] = {
        {FileBasicInformation, sizeof(FILE_BASIC_INFORMATION), 40},
        {FileStandardInformation, sizeof(FILE_STANDARD_INFORMATION), 24},
        {FileInternalInformation, 8, 8},
        {FileEaInformation, 4, 4},
        {FileAccessInformation, 4, 4},
        {FileNameInformation, 8, 4 + 16},
        {FilePositionInformation, 8, 8},
        {FileModeInformation, 4, 4},
        {FileAlignmentInformation, 4, 4},
        {FileAllInformation, 104, 96 + 4 + 16},
        {FileStreamInformation, sizeof(FILE_STREAM_INFORMATION), 24 + 14},
        {FileCompressionInformation, 16, 16},
        {FileNetworkOpenInformation, 56, 56},
        {FileAttributeTagInformation, 8, 8},
        {FileStandardLinkInformation, 12, 12},
        {FileIsRemoteDeviceInformation, 1, 1},
        {FileStatInformation, 72, 72},
        {FileCaseSensitiveInformation, 4, 4},
        {FileIdInformation, 24, 24},
    };
    HANDLE File;
    OK(Open(L"\\??\\C:\\q\\c.txt", GENERIC_READ, FILE_OPEN, SYNC, &File));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Classes); i++) {
        STATUS(ZwQueryInformationFile(File, &Iosb, Buffer, Classes[i].Bytes - 1, Classes[i].Class),
               STATUS_INFO_LENGTH_MISMATCH);
        OK(ZwQueryInformationFile(File, &Iosb, Buffer, sizeof(Buffer), Classes[i].Class));
        if (Iosb.Information != Classes[i].Whole)
            DbgPrint("class %u: %u bytes\n", Classes[i].Class, (ULONG)Iosb.Information);
        CHECK(Iosb.Information == Classes[i].Whole);
    }
    STATUS(ZwQueryInformationFile(File, &Iosb, Buffer, 4 + 6, FileNameInformation), STATUS_BUFFER_OVERFLOW);
    CHECK(Iosb.Information == 10 && *(PULONG)Buffer == 16 && !memcmp(Buffer + 4, L"\\q\\", 6));
    STATUS(ZwQueryInformationFile(File, &Iosb, Buffer, 104, FileAllInformation), STATUS_BUFFER_OVERFLOW);
    CHECK(Iosb.Information == 104 && ((PFILE_ALL_INFORMATION)Buffer)->NameInformation.FileNameLength == 16);
    STATUS(ZwQueryInformationFile(File, &Iosb, Buffer, sizeof(Buffer), 9999), STATUS_INVALID_INFO_CLASS);
    STATUS(ZwQueryInformationFile(File, &Iosb, Buffer, sizeof(Buffer), FileDispositionInformation),
           STATUS_INVALID_INFO_CLASS);
    OK(ZwClose(File));
}

static VOID every_class_of_the_volume_has_its_length(VOID)
{
    static const struct {
        ULONG Class, Bytes, Whole;
    } Classes[] = {{FileFsVolumeInformation, 24, 18},   {FileFsSizeInformation, 24, 24},
                   {FileFsDeviceInformation, 8, 8},     {FileFsAttributeInformation, 16, 12 + 8},
                   {FileFsFullSizeInformation, 32, 32}, {FileFsSectorSizeInformation, 28, 28}};
    HANDLE File;
    OK(Open(L"\\??\\C:\\", GENERIC_READ, FILE_OPEN, SYNC, &File));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Classes); i++) {
        STATUS(ZwQueryVolumeInformationFile(File, &Iosb, Buffer, Classes[i].Bytes - 1, Classes[i].Class),
               STATUS_INFO_LENGTH_MISMATCH);
        OK(ZwQueryVolumeInformationFile(File, &Iosb, Buffer, sizeof(Buffer), Classes[i].Class));
        CHECK(Iosb.Information == Classes[i].Whole);
    }
    STATUS(ZwQueryVolumeInformationFile(File, &Iosb, Buffer, 16, FileFsAttributeInformation), STATUS_BUFFER_OVERFLOW);
    CHECK(Iosb.Information == 16 && ((PFILE_FS_ATTRIBUTE_INFORMATION)Buffer)->FileSystemNameLength == 8);
    STATUS(ZwQueryVolumeInformationFile(File, &Iosb, Buffer, sizeof(Buffer), 99), STATUS_INVALID_INFO_CLASS);
    OK(ZwClose(File));
}

/* docs: the hint must be a device of the stack that the name leads to. */
static VOID a_hint_must_be_of_the_stack(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\q\\c.txt");
    OBJECT_ATTRIBUTES Object;
    PFILE_OBJECT FileObject;
    PDEVICE_OBJECT Volume, Stranger;
    HANDLE File;
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(Open(L"\\??\\C:\\q\\c.txt", GENERIC_READ, FILE_OPEN, SYNC, &File));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&FileObject, NULL));
    Volume = IoGetBaseFileSystemDeviceObject(FileObject);
    ObDereferenceObject(FileObject);
    OK(ZwClose(File));
    OK(IoCreateFileSpecifyDeviceObjectHint(&File, GENERIC_READ | SYNCHRONIZE, &Object, &Iosb, NULL, 0, FILE_SHARE_READ,
                                           FILE_OPEN, SYNC, NULL, 0, CreateFileTypeNone, NULL, 0, Volume));
    OK(ZwClose(File));
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Stranger));
    STATUS(IoCreateFileSpecifyDeviceObjectHint(&File, GENERIC_READ | SYNCHRONIZE, &Object, &Iosb, NULL, 0,
                                               FILE_SHARE_READ, FILE_OPEN, SYNC, NULL, 0, CreateFileTypeNone, NULL, 0,
                                               Stranger),
           STATUS_INVALID_DEVICE_OBJECT_PARAMETER);
    IoDeleteDevice(Stranger);
}

TEST_MAIN(entries_come_one_by_one_and_anew, a_name_is_found_without_a_scan, what_does_not_fit_is_cut_or_refused,
          a_directory_answers_by_event_and_by_apc, every_class_of_a_file_has_its_length,
          every_class_of_the_volume_has_its_length, a_hint_must_be_of_the_stack)
