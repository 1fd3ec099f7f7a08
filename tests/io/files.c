/* Files of the volume as a driver sees them: dispositions, positions, sharing, deletion, names, directories. */
#include "test.h"

static IO_STATUS_BLOCK Iosb;

static NTSTATUS Open(PCWSTR Text, ULONG Access, ULONG Share, ULONG Disposition, ULONG Options, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    Iosb.Information = 77;
    return ZwCreateFile(Handle, Access | SYNCHRONIZE, &Attributes, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL, Share,
                        Disposition, Options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static NTSTATUS Write(HANDLE File, PCSTR Text, PLARGE_INTEGER Offset)
{
    return ZwWriteFile(File, NULL, NULL, NULL, &Iosb, (PVOID)Text, (ULONG)strlen(Text), Offset, NULL);
}

static BOOLEAN Holds(HANDLE File, PCSTR Text)
{
    CHAR Buffer[64];
    LARGE_INTEGER Start = {.QuadPart = 0};
    NTSTATUS Status = ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer), &Start, NULL);
    if (Status == STATUS_END_OF_FILE)
        return *Text == 0;
    return NT_SUCCESS(Status) && Iosb.Information == strlen(Text) && !memcmp(Buffer, Text, Iosb.Information);
}

static VOID dispositions_follow_the_page(VOID)
{
    HANDLE File;
    STATUS(Open(L"\\??\\C:\\a.txt", FILE_READ_DATA, 0, FILE_OPEN, 0, &File), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Open(L"\\??\\C:\\none\\a.txt", FILE_READ_DATA, 0, FILE_OPEN_IF, 0, &File), STATUS_OBJECT_PATH_NOT_FOUND);
    STATUS(Open(L"\\??\\C:\\a.txt", FILE_READ_DATA, 0, FILE_OVERWRITE, 0, &File), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(L"\\??\\C:\\a.txt", GENERIC_WRITE, 0, FILE_CREATE, 0, &File));
    CHECK(Iosb.Information == FILE_CREATED);
    OK(Write(File, "hello", NULL));
    CHECK(Iosb.Information == 5);
    OK(ZwClose(File));
    STATUS(Open(L"\\??\\C:\\a.txt", GENERIC_WRITE, 0, FILE_CREATE, 0, &File), STATUS_OBJECT_NAME_COLLISION);
    OK(Open(L"\\DosDevices\\C:\\A.TXT", GENERIC_READ, 0, FILE_OPEN, 0, &File));
    CHECK(Iosb.Information == FILE_OPENED);
    CHECK(Holds(File, "hello"));
    OK(ZwClose(File));
    OK(Open(L"\\??\\C:\\a.txt", GENERIC_READ | GENERIC_WRITE, 0, FILE_OPEN_IF, 0, &File));
    CHECK(Iosb.Information == FILE_OPENED);
    OK(ZwClose(File));
    OK(Open(L"\\Device\\HarddiskVolume1\\a.txt", GENERIC_READ | GENERIC_WRITE, 0, FILE_OVERWRITE_IF, 0, &File));
    CHECK(Iosb.Information == FILE_OVERWRITTEN);
    CHECK(Holds(File, ""));
    OK(ZwClose(File));
    OK(Open(L"\\??\\C:\\a.txt", GENERIC_READ | GENERIC_WRITE, 0, FILE_SUPERSEDE, 0, &File));
    CHECK(Iosb.Information == FILE_SUPERSEDED);
    OK(ZwClose(File));
    STATUS(Open(L"\\??\\C:\\a.txt", GENERIC_READ, 0, 6, 0, &File), STATUS_INVALID_PARAMETER);
    STATUS(Open(L"C:\\a.txt", GENERIC_READ, 0, FILE_OPEN, 0, &File), STATUS_OBJECT_PATH_SYNTAX_BAD);
    STATUS(Open(L"\\??\\Q:\\a.txt", GENERIC_READ, 0, FILE_OPEN, 0, &File), STATUS_OBJECT_PATH_NOT_FOUND);
    STATUS(Open(L"\\??\\C:\\a\\\\b", GENERIC_READ, 0, FILE_OPEN, 0, &File), STATUS_OBJECT_NAME_INVALID);
    STATUS(Open(L"\\??\\C:\\a*b", GENERIC_READ, 0, FILE_OPEN, 0, &File), STATUS_OBJECT_NAME_INVALID);
    STATUS(Open(L"\\??\\C:\\a.txt\\b", GENERIC_READ, 0, FILE_OPEN, 0, &File), STATUS_OBJECT_PATH_NOT_FOUND);
}

static VOID the_position_moves_and_appending_goes_to_the_end(VOID)
{
    HANDLE File, Append;
    LARGE_INTEGER Offset = {.QuadPart = 1}, End = {.LowPart = FILE_WRITE_TO_END_OF_FILE, .HighPart = -1};
    FILE_POSITION_INFORMATION Position;
    CHAR Buffer[8];
    OK(Open(L"\\??\\C:\\pos.txt", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_CREATE, 0,
            &File));
    OK(Write(File, "abc", NULL));
    OK(Write(File, "def", NULL));
    CHECK(Holds(File, "abcdef"));
    OK(Write(File, "X", &Offset));
    CHECK(Holds(File, "aXcdef"));
    OK(ZwQueryInformationFile(File, &Iosb, &Position, sizeof(Position), FilePositionInformation));
    CHECK(Position.CurrentByteOffset.QuadPart == 6);
    OK(Write(File, "gh", &End));
    CHECK(Holds(File, "aXcdefgh"));
    Position.CurrentByteOffset.QuadPart = 2;
    OK(ZwSetInformationFile(File, &Iosb, &Position, sizeof(Position), FilePositionInformation));
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, 3, NULL, NULL));
    CHECK(Iosb.Information == 3 && !memcmp(Buffer, "cde", 3));
    OK(Open(L"\\??\\C:\\pos.txt", FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, &Append));
    OK(Write(Append, "!", &Offset));
    CHECK(Holds(File, "aXcdefgh!"));
    OK(ZwClose(Append));
    Position.CurrentByteOffset.QuadPart = 9;
    OK(ZwSetInformationFile(File, &Iosb, &Position, sizeof(Position), FilePositionInformation));
    STATUS(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, 3, NULL, NULL), STATUS_END_OF_FILE);
    OK(ZwFlushBuffersFile(File, &Iosb));
    OK(ZwClose(File));
}

static VOID sharing_is_checked_both_ways(VOID)
{
    HANDLE First, Second;
    OK(Open(L"\\??\\C:\\share.txt", GENERIC_READ, FILE_SHARE_READ, FILE_CREATE, 0, &First));
    OK(Open(L"\\??\\C:\\share.txt", GENERIC_READ, FILE_SHARE_READ, FILE_OPEN, 0, &Second));
    OK(ZwClose(Second));
    STATUS(Open(L"\\??\\C:\\share.txt", GENERIC_WRITE, FILE_SHARE_READ, FILE_OPEN, 0, &Second),
           STATUS_SHARING_VIOLATION);
    STATUS(Open(L"\\??\\C:\\share.txt", GENERIC_READ, 0, FILE_OPEN, 0, &Second), STATUS_SHARING_VIOLATION);
    STATUS(Open(L"\\??\\C:\\share.txt", DELETE, FILE_SHARE_READ, FILE_OPEN, 0, &Second), STATUS_SHARING_VIOLATION);
    OK(Open(L"\\??\\C:\\share.txt", FILE_READ_ATTRIBUTES, 0, FILE_OPEN, 0, &Second));
    OK(ZwClose(Second));
    OK(ZwClose(First));
    OK(Open(L"\\??\\C:\\share.txt", GENERIC_WRITE, 0, FILE_OPEN, 0, &Second));
    OK(ZwClose(Second));
}

static VOID deletion_happens_at_the_last_cleanup(VOID)
{
    HANDLE File, Other;
    FILE_DISPOSITION_INFORMATION Gone = {TRUE};
    FILE_STANDARD_INFORMATION Standard;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\del3.txt");
    OBJECT_ATTRIBUTES Attributes;
    ULONG Share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    OK(Open(L"\\??\\C:\\del1.txt", DELETE, Share, FILE_CREATE, FILE_DELETE_ON_CLOSE, &File));
    OK(Open(L"\\??\\C:\\del1.txt", GENERIC_READ, Share, FILE_OPEN, 0, &Other));
    OK(ZwClose(File));
    STATUS(Open(L"\\??\\C:\\del1.txt", GENERIC_READ, Share, FILE_OPEN, 0, &File), STATUS_DELETE_PENDING);
    OK(ZwQueryInformationFile(Other, &Iosb, &Standard, sizeof(Standard), FileStandardInformation));
    CHECK(Standard.DeletePending && Standard.NumberOfLinks == 0);
    OK(ZwClose(Other));
    STATUS(Open(L"\\??\\C:\\del1.txt", GENERIC_READ, Share, FILE_OPEN, 0, &File), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(L"\\??\\C:\\del2.txt", DELETE, Share, FILE_CREATE, 0, &File));
    OK(ZwSetInformationFile(File, &Iosb, &Gone, sizeof(Gone), FileDispositionInformation));
    OK(ZwClose(File));
    STATUS(Open(L"\\??\\C:\\del2.txt", GENERIC_READ, Share, FILE_OPEN, 0, &File), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(L"\\??\\C:\\del3.txt", GENERIC_WRITE, Share, FILE_CREATE, 0, &File));
    OK(ZwClose(File));
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwDeleteFile(&Attributes));
    STATUS(ZwDeleteFile(&Attributes), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Open(L"\\??\\C:\\x", GENERIC_READ, Share, FILE_OPEN_IF, FILE_DELETE_ON_CLOSE, &File),
           STATUS_INVALID_PARAMETER);
}

static VOID sizes_and_names_can_be_set(VOID)
{
    HANDLE File;
    FILE_END_OF_FILE_INFORMATION End = {.EndOfFile.QuadPart = 3};
    FILE_STANDARD_INFORMATION Standard;
    struct {
        FILE_RENAME_INFORMATION Fixed;
        WCHAR Room[64];
    } Rename = {0};
    struct {
        FILE_NAME_INFORMATION Fixed;
        WCHAR Room[64];
    } Name;
    static const WCHAR To[] = L"\\??\\C:\\renamed.txt";
    OK(Open(L"\\??\\C:\\size.txt", GENERIC_READ | GENERIC_WRITE | DELETE, 0, FILE_CREATE, 0, &File));
    OK(Write(File, "abcdef", NULL));
    OK(ZwSetInformationFile(File, &Iosb, &End, sizeof(End), FileEndOfFileInformation));
    CHECK(Holds(File, "abc"));
    OK(ZwQueryInformationFile(File, &Iosb, &Standard, sizeof(Standard), FileStandardInformation));
    CHECK(Standard.EndOfFile.QuadPart == 3 && !Standard.Directory && !Standard.DeletePending);
    STATUS(ZwQueryInformationFile(File, &Iosb, &Standard, 4, FileStandardInformation), STATUS_INFO_LENGTH_MISMATCH);
    STATUS(ZwQueryInformationFile(File, &Iosb, &Standard, sizeof(Standard), 9999), STATUS_INVALID_INFO_CLASS);
    Rename.Fixed.FileNameLength = sizeof(To) - sizeof(WCHAR);
    memcpy(Rename.Fixed.FileName, To, Rename.Fixed.FileNameLength);
    OK(ZwSetInformationFile(File, &Iosb, &Rename, sizeof(Rename), FileRenameInformation));
    OK(ZwQueryInformationFile(File, &Iosb, &Name, sizeof(Name), FileNameInformation));
    CHECK(Name.Fixed.FileNameLength == 24 && !memcmp(Name.Fixed.FileName, L"\\renamed.txt", 24));
    STATUS(ZwQueryInformationFile(File, &Iosb, &Name, sizeof(FILE_NAME_INFORMATION), FileNameInformation),
           STATUS_BUFFER_OVERFLOW);
    OK(ZwClose(File));
    OK(Open(L"\\??\\C:\\renamed.txt", GENERIC_READ | DELETE, 0, FILE_OPEN, 0, &File));
    CHECK(Holds(File, "abc"));
    memcpy(Rename.Fixed.FileName, L"a.txt", 10);
    Rename.Fixed.FileNameLength = 10;
    STATUS(ZwSetInformationFile(File, &Iosb, &Rename, sizeof(Rename), FileRenameInformation),
           STATUS_OBJECT_NAME_COLLISION);
    Rename.Fixed.ReplaceIfExists = TRUE;
    OK(ZwSetInformationFile(File, &Iosb, &Rename, sizeof(Rename), FileRenameInformation));
    OK(ZwClose(File));
}

/* Names in an enumeration with a pattern, one after another, separated by blanks. */
static VOID ListNames(HANDLE Directory, PCWSTR Pattern, BOOLEAN Single, PCHAR Text)
{
    static UCHAR Buffer[2048];
    UNICODE_STRING Name;
    NTSTATUS Status;
    *Text = 0;
    RtlInitUnicodeString(&Name, Pattern);
    while ((Status = ZwQueryDirectoryFile(Directory, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer),
                                          FileNamesInformation, Single, &Name, FALSE)) == STATUS_SUCCESS) {
        for (PFILE_NAMES_INFORMATION Entry = (PVOID)Buffer;; Entry = (PVOID)((PUCHAR)Entry + Entry->NextEntryOffset)) {
            for (ULONG i = 0; i < Entry->FileNameLength / sizeof(WCHAR); i++)
                *Text++ = (CHAR)Entry->FileName[i];
            *Text++ = ' ';
            *Text = 0;
            if (!Entry->NextEntryOffset)
                break;
        }
    }
    CHECK(Status == STATUS_NO_MORE_FILES);
}

static VOID directories_are_made_listed_and_removed(VOID)
{
    HANDLE Directory, File, Again;
    CHAR Text[256];
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Relative = RTL_CONSTANT_STRING(L"inner.txt");
    FILE_DISPOSITION_INFORMATION Gone = {TRUE};
    FILE_NETWORK_OPEN_INFORMATION Network;
    ULONG Share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    OK(Open(L"\\??\\C:\\dir", GENERIC_READ | DELETE, Share, FILE_CREATE, FILE_DIRECTORY_FILE, &Directory));
    CHECK(Iosb.Information == FILE_CREATED);
    STATUS(Open(L"\\??\\C:\\dir", GENERIC_READ, Share, FILE_OPEN, FILE_NON_DIRECTORY_FILE, &File),
           STATUS_FILE_IS_A_DIRECTORY);
    STATUS(Open(L"\\??\\C:\\a.txt", GENERIC_READ, Share, FILE_OPEN, FILE_DIRECTORY_FILE, &File),
           STATUS_NOT_A_DIRECTORY);
    STATUS(Open(L"\\??\\C:\\dir", GENERIC_READ, Share, FILE_OVERWRITE, FILE_DIRECTORY_FILE, &File),
           STATUS_INVALID_PARAMETER);
    OK(Open(L"\\??\\C:\\dir\\b.log", GENERIC_WRITE, Share, FILE_CREATE, 0, &File));
    OK(ZwClose(File));
    InitializeObjectAttributes(&Attributes, &Relative, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Directory, NULL);
    OK(ZwCreateFile(&File, GENERIC_WRITE | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, Share, FILE_CREATE,
                    FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0));
    OK(Write(File, "1234567", NULL));
    OK(ZwClose(File));
    RtlInitUnicodeString(&Relative, L"\\??\\C:\\dir\\INNER.txt");
    InitializeObjectAttributes(&Attributes, &Relative, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwQueryFullAttributesFile(&Attributes, &Network));
    CHECK(Network.EndOfFile.QuadPart == 7 && Network.FileAttributes == FILE_ATTRIBUTE_ARCHIVE);
    ListNames(Directory, L"*", FALSE, Text);
    CHECK(!strcmp(Text, ". .. b.log inner.txt "));
    OK(Open(L"\\??\\C:\\dir\\", GENERIC_READ, Share, FILE_OPEN, FILE_DIRECTORY_FILE, &Again));
    ListNames(Again, L"*.LOG", TRUE, Text);
    CHECK(!strcmp(Text, "b.log "));
    OK(ZwClose(Again));
    OK(Open(L"\\??\\C:\\dir", GENERIC_READ, Share, FILE_OPEN, FILE_DIRECTORY_FILE, &Again));
    RtlInitUnicodeString(&Relative, L"*.nothing");
    STATUS(ZwQueryDirectoryFile(Again, NULL, NULL, NULL, &Iosb, Text, sizeof(Text), FileBothDirectoryInformation, FALSE,
                                &Relative, FALSE),
           STATUS_NO_SUCH_FILE);
    OK(ZwClose(Again));
    STATUS(ZwSetInformationFile(Directory, &Iosb, &Gone, sizeof(Gone), FileDispositionInformation),
           STATUS_DIRECTORY_NOT_EMPTY);
    OK(Open(L"\\??\\C:\\dir\\b.log", DELETE, Share, FILE_OPEN, FILE_DELETE_ON_CLOSE, &File));
    OK(ZwClose(File));
    OK(Open(L"\\??\\C:\\dir\\inner.txt", DELETE, Share, FILE_OPEN, FILE_DELETE_ON_CLOSE, &File));
    OK(ZwClose(File));
    OK(ZwSetInformationFile(Directory, &Iosb, &Gone, sizeof(Gone), FileDispositionInformation));
    OK(ZwClose(Directory));
    STATUS(Open(L"\\??\\C:\\dir", GENERIC_READ, Share, FILE_OPEN, 0, &File), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID the_volume_says_what_it_is(VOID)
{
    HANDLE File;
    FILE_FS_SIZE_INFORMATION Size;
    FILE_FS_DEVICE_INFORMATION Device;
    OK(Open(L"\\??\\C:\\", FILE_LIST_DIRECTORY, FILE_SHARE_READ, FILE_OPEN, FILE_DIRECTORY_FILE, &File));
    OK(ZwQueryVolumeInformationFile(File, &Iosb, &Size, sizeof(Size), FileFsSizeInformation));
    CHECK(Size.BytesPerSector == 512 && Size.TotalAllocationUnits.QuadPart >= Size.AvailableAllocationUnits.QuadPart);
    OK(ZwQueryVolumeInformationFile(File, &Iosb, &Device, sizeof(Device), FileFsDeviceInformation));
    CHECK(Device.DeviceType == FILE_DEVICE_DISK);
    OK(ZwClose(File));
}

/* 200,000 bytes through paged memory: more than one piece of the file system's buffer. */
static VOID large_transfers_keep_every_byte(VOID)
{
    HANDLE File;
    ULONG Bytes = 200000;
    LARGE_INTEGER Start = {.QuadPart = 0};
    PUCHAR Out = ExAllocatePoolWithTag(PagedPool, Bytes, 'tseT'), In = ExAllocatePoolWithTag(PagedPool, Bytes, 'tseT');
    for (ULONG i = 0; i < Bytes; i++)
        Out[i] = (UCHAR)(i * 7 + i / 251);
    OK(Open(L"\\??\\C:\\large.bin", GENERIC_READ | GENERIC_WRITE, 0, FILE_CREATE, 0, &File));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Out, Bytes, NULL, NULL));
    CHECK(Iosb.Information == Bytes);
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, In, Bytes, &Start, NULL));
    CHECK(Iosb.Information == Bytes && !memcmp(In, Out, Bytes));
    OK(ZwClose(File));
    ExFreePoolWithTag(In, 'tseT');
    ExFreePoolWithTag(Out, 'tseT');
}

/* User mode has to ask for SYNCHRONIZE; the parameters of kernel mode are not validated. */
static VOID kernel_mode_opens_synchronously_without_synchronize(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\sync.txt");
    OBJECT_ATTRIBUTES Attributes;
    HANDLE File;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwCreateFile(&File, GENERIC_READ | GENERIC_WRITE, &Attributes, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL, 0,
                    FILE_CREATE, FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0));
    OK(Write(File, "at once", NULL));
    CHECK(Holds(File, "at once"));
    OK(ZwClose(File));
    STATUS(ZwCreateFile(&File, GENERIC_READ, &Attributes, &Iosb, NULL, 0, 0, FILE_OPEN,
                        FILE_SYNCHRONOUS_IO_NONALERT | FILE_SYNCHRONOUS_IO_ALERT, NULL, 0),
           STATUS_INVALID_PARAMETER);
}

TEST_MAIN(kernel_mode_opens_synchronously_without_synchronize, dispositions_follow_the_page,
          the_position_moves_and_appending_goes_to_the_end, sharing_is_checked_both_ways,
          deletion_happens_at_the_last_cleanup, sizes_and_names_can_be_set, directories_are_made_listed_and_removed,
          the_volume_says_what_it_is, large_transfers_keep_every_byte)
