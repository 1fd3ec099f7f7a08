/*
 * Deleting, renaming and linking files of C: as newer file systems do: a name that goes with the handle that deleted it, names that
 * replace open files, further names. (docs: FILE_DISPOSITION_INFORMATION_EX, FILE_RENAME_INFORMATION, FILE_LINK_INFORMATION)
 */
#include "../io/test.h"

#define ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static IO_STATUS_BLOCK Iosb;

static NTSTATUS OpenWith(PCWSTR Text, ACCESS_MASK Access, ULONG Disposition, ULONG Options, ULONG Attributes,
                         PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(Handle, Access | SYNCHRONIZE, &Object, &Iosb, NULL, Attributes, ALL, Disposition,
                        Options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static NTSTATUS Open(PCWSTR Text, ULONG Disposition, PHANDLE Handle)
{
    return OpenWith(Text, GENERIC_READ | GENERIC_WRITE | DELETE, Disposition, 0, 0, Handle);
}

/* A file whose text is its own name's last letter. */
static HANDLE Make(PCWSTR Text)
{
    CHAR Letter = (CHAR)Text[wcslen(Text) - 1];
    HANDLE File = NULL;
    OK(Open(Text, FILE_CREATE, &File));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, &Letter, 1, NULL, NULL));
    return File;
}

static CHAR Letter(HANDLE File)
{
    LARGE_INTEGER Start = {.QuadPart = 0};
    CHAR Text = 0;
    return NT_SUCCESS(ZwReadFile(File, NULL, NULL, NULL, &Iosb, &Text, 1, &Start, NULL)) ? Text : 0;
}

static NTSTATUS Delete(HANDLE File, ULONG Flags)
{
    FILE_DISPOSITION_INFORMATION_EX Information = {Flags};
    return ZwSetInformationFile(File, &Iosb, &Information, sizeof(Information),
                                (FILE_INFORMATION_CLASS)FileDispositionInformationEx);
}

static NTSTATUS Name(HANDLE File, ULONG Class, ULONG Flags, PCWSTR To)
{
    UCHAR Buffer[128] __attribute__((aligned(8))) = {0};
    PFILE_RENAME_INFORMATION Rename = (PVOID)Buffer;
    *(PULONG)Buffer = Flags;
    Rename->FileNameLength = (ULONG)(wcslen(To) * sizeof(WCHAR));
    RtlCopyMemory(Rename->FileName, To, Rename->FileNameLength);
    return ZwSetInformationFile(File, &Iosb, Rename, sizeof(Buffer), (FILE_INFORMATION_CLASS)Class);
}

static FILE_STANDARD_INFORMATION Standard(HANDLE File)
{
    FILE_STANDARD_INFORMATION Information = {0};
    OK(ZwQueryInformationFile(File, &Iosb, &Information, sizeof(Information), FileStandardInformation));
    return Information;
}

static VOID a_posix_delete_takes_the_name_at_once(VOID)
{
    HANDLE One = Make(L"\\??\\C:\\p"), Two, New;
    FILE_INTERNAL_INFORMATION Before, After;
    OK(ZwQueryInformationFile(One, &Iosb, &Before, sizeof(Before), FileInternalInformation));
    OK(Open(L"\\??\\C:\\p", FILE_OPEN, &Two));
    OK(Delete(Two, FILE_DISPOSITION_DELETE | FILE_DISPOSITION_POSIX_SEMANTICS));
    STATUS(Open(L"\\??\\C:\\p", FILE_OPEN, &New), STATUS_DELETE_PENDING);
    OK(ZwClose(Two));
    STATUS(Open(L"\\??\\C:\\p", FILE_OPEN, &New), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(L"\\??\\C:\\p", FILE_CREATE, &New)); /* another of the same name */
    OK(ZwWriteFile(New, NULL, NULL, NULL, &Iosb, "n", 1, NULL, NULL));
    CHECK(Letter(One) == 'p' && Letter(New) == 'n');
    CHECK(Standard(One).NumberOfLinks == 0 && Standard(One).DeletePending);
    CHECK(Standard(New).NumberOfLinks == 1 && !Standard(New).DeletePending);
    OK(ZwQueryInformationFile(One, &Iosb, &After, sizeof(After), FileInternalInformation));
    CHECK(After.IndexNumber.QuadPart == Before.IndexNumber.QuadPart);
    OK(ZwQueryInformationFile(New, &Iosb, &After, sizeof(After), FileInternalInformation));
    CHECK(After.IndexNumber.QuadPart != Before.IndexNumber.QuadPart);
    STATUS(Delete(One, 0), STATUS_FILE_DELETED);
    STATUS(Name(One, FileRenameInformation, 0, L"q"), STATUS_FILE_DELETED);
    OK(ZwClose(One));
    CHECK(Letter(New) == 'n');
    OK(ZwClose(New));
    OK(Open(L"\\??\\C:\\p", FILE_OPEN, &New));
    OK(ZwClose(New));
}

static VOID a_plain_delete_waits_for_the_last_handle(VOID)
{
    HANDLE One = Make(L"\\??\\C:\\w"), Two;
    OK(Open(L"\\??\\C:\\w", FILE_OPEN, &Two));
    OK(Delete(Two, FILE_DISPOSITION_DELETE));
    OK(ZwClose(Two));
    STATUS(Open(L"\\??\\C:\\w", FILE_OPEN, &Two), STATUS_DELETE_PENDING);
    OK(Delete(One, FILE_DISPOSITION_DO_NOT_DELETE));
    OK(Open(L"\\??\\C:\\w", FILE_OPEN, &Two));
    OK(ZwClose(Two));
    STATUS(Delete(One, 0x80000000), STATUS_INVALID_PARAMETER);
    STATUS(Delete(One, FILE_DISPOSITION_ON_CLOSE), STATUS_NOT_SUPPORTED); /* it was not opened so */
    OK(ZwClose(One));
    OK(OpenWith(L"\\??\\C:\\w", DELETE, FILE_OPEN, FILE_DELETE_ON_CLOSE, 0, &One));
    OK(Delete(One, FILE_DISPOSITION_ON_CLOSE)); /* not after all */
    OK(ZwClose(One));
    OK(Open(L"\\??\\C:\\w", FILE_OPEN, &One));
    OK(ZwClose(One));
}

static VOID a_read_only_file_goes_when_that_is_ignored(VOID)
{
    HANDLE File;
    OK(OpenWith(L"\\??\\C:\\r", DELETE, FILE_CREATE, 0, FILE_ATTRIBUTE_READONLY, &File));
    STATUS(Delete(File, FILE_DISPOSITION_DELETE), STATUS_CANNOT_DELETE);
    OK(Delete(File, FILE_DISPOSITION_DELETE | FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE));
    OK(ZwClose(File));
    STATUS(Open(L"\\??\\C:\\r", FILE_OPEN, &File), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID an_open_file_is_replaced_by_a_posix_rename_only(VOID)
{
    HANDLE From = Make(L"\\??\\C:\\f"), To = Make(L"\\??\\C:\\t"), Again;
    STATUS(Name(From, FileRenameInformation, 0, L"t"), STATUS_OBJECT_NAME_COLLISION);
    STATUS(Name(From, FileRenameInformation, TRUE, L"t"), STATUS_ACCESS_DENIED);
    STATUS(Name(From, FileRenameInformationEx, FILE_RENAME_REPLACE_IF_EXISTS, L"t"), STATUS_ACCESS_DENIED);
    OK(Name(From, FileRenameInformationEx, FILE_RENAME_REPLACE_IF_EXISTS | FILE_RENAME_POSIX_SEMANTICS, L"t"));
    CHECK(Letter(To) == 't' && Standard(To).NumberOfLinks == 0);
    OK(Open(L"\\??\\C:\\t", FILE_OPEN, &Again));
    CHECK(Letter(Again) == 'f');
    OK(ZwClose(To)); /* takes nothing along */
    OK(ZwClose(Again));
    OK(ZwClose(From));
    OK(Open(L"\\??\\C:\\t", FILE_OPEN, &Again));
    OK(ZwClose(Again));
    From = Make(L"\\??\\C:\\f");
    OK(Name(From, FileRenameInformation, TRUE, L"t")); /* nobody has it open now */
    OK(ZwClose(From));
}

static VOID a_link_is_a_further_name(VOID)
{
    HANDLE File = Make(L"\\??\\C:\\a"), Other;
    OK(Name(File, FileLinkInformation, 0, L"b"));
    CHECK(Standard(File).NumberOfLinks == 2);
    STATUS(Name(File, FileLinkInformation, 0, L"t"), STATUS_OBJECT_NAME_COLLISION);
    OK(Name(File, FileLinkInformation, TRUE, L"t"));
    CHECK(Standard(File).NumberOfLinks == 3);
    OK(ZwClose(File));
    OK(Open(L"\\??\\C:\\b", FILE_OPEN, &Other));
    CHECK(Letter(Other) == 'a');
    OK(Delete(Other, FILE_DISPOSITION_DELETE));
    CHECK(Standard(Other).NumberOfLinks == 2);
    OK(ZwClose(Other));
    STATUS(Open(L"\\??\\C:\\b", FILE_OPEN, &Other), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(L"\\??\\C:\\a", FILE_OPEN, &Other));
    CHECK(Letter(Other) == 'a' && Standard(Other).NumberOfLinks == 2);
    OK(ZwClose(Other));
    OK(OpenWith(L"\\??\\C:\\d", DELETE, FILE_CREATE, FILE_DIRECTORY_FILE, 0, &File));
    STATUS(Name(File, FileLinkInformation, 0, L"e"), STATUS_FILE_IS_A_DIRECTORY);
    OK(ZwClose(File));
}

/* links.setup made it: the machine sees nothing in it, the host a pipe. */
static VOID a_directory_with_hidden_files_says_that_it_stays(VOID)
{
    HANDLE Directory;
    OK(OpenWith(L"\\??\\C:\\hides", DELETE | FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE, 0, &Directory));
    STATUS(Delete(Directory, FILE_DISPOSITION_DELETE), STATUS_DIRECTORY_NOT_EMPTY);
    OK(ZwClose(Directory));
    OK(OpenWith(L"\\??\\C:\\hides", DELETE, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE, 0, &Directory));
    OK(ZwClose(Directory));
    OK(OpenWith(L"\\??\\C:\\hides", DELETE, FILE_OPEN, FILE_DIRECTORY_FILE, 0, &Directory));
    OK(ZwClose(Directory));
}

TEST_MAIN(a_posix_delete_takes_the_name_at_once, a_plain_delete_waits_for_the_last_handle,
          a_read_only_file_goes_when_that_is_ignored, an_open_file_is_replaced_by_a_posix_rename_only,
          a_link_is_a_further_name, a_directory_with_hidden_files_says_that_it_stays)
