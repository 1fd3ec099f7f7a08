/*
 * More files open at once than the process has descriptors for (handles.descriptors): each is read, written, renamed and deleted
 * by its handle as if it were the only one.
 */
#include "../io/test.h"

#define FILES 2000

static IO_STATUS_BLOCK Iosb;
static HANDLE Handle[FILES];

static NTSTATUS Open(ULONG Number, ACCESS_MASK Access, ULONG Disposition, PHANDLE File)
{
    WCHAR Text[] = L"\\??\\C:\\file-0000";
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    for (ULONG i = RTL_NUMBER_OF(Text) - 2; Number; i--, Number /= 10)
        Text[i] = (WCHAR)(L'0' + Number % 10);
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(File, Access | SYNCHRONIZE, &Object, &Iosb, NULL, 0, FILE_SHARE_READ, Disposition,
                        FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static NTSTATUS Rename(HANDLE File, PCWSTR To)
{
    UCHAR Buffer[128] __attribute__((aligned(8))) = {0};
    PFILE_RENAME_INFORMATION Rename = (PVOID)Buffer;
    Rename->FileNameLength = (ULONG)(wcslen(To) * sizeof(WCHAR));
    RtlCopyMemory(Rename->FileName, To, Rename->FileNameLength);
    return ZwSetInformationFile(File, &Iosb, Rename, sizeof(Buffer), FileRenameInformation);
}

static VOID all_are_open_and_each_is_itself(VOID)
{
    LARGE_INTEGER Start = {.QuadPart = 0};
    ULONG Made = 0, Written = 0, Read = 0, Value;
    for (ULONG i = 0; i < FILES; i++)
        Made += NT_SUCCESS(Open(i, GENERIC_READ | GENERIC_WRITE | DELETE, FILE_CREATE, &Handle[i]));
    CHECK(Made == FILES);
    for (ULONG i = 0; i < FILES; i++)
        Written += NT_SUCCESS(ZwWriteFile(Handle[i], NULL, NULL, NULL, &Iosb, &i, sizeof(i), &Start, NULL));
    CHECK(Written == FILES);
    for (ULONG i = 0; i < FILES; i++)
        Read += NT_SUCCESS(ZwReadFile(Handle[i], NULL, NULL, NULL, &Iosb, &Value, sizeof(Value), &Start, NULL)) &&
                Value == i;
    CHECK(Read == FILES);
}

static VOID they_are_renamed_and_deleted_by_their_handles(VOID)
{
    FILE_DISPOSITION_INFORMATION Delete = {TRUE};
    ULONG Gone = 0;
    OK(Rename(Handle[0], L"renamed"));
    OK(ZwClose(Handle[0]));
    STATUS(Open(0, GENERIC_READ, FILE_OPEN, &Handle[0]), STATUS_OBJECT_NAME_NOT_FOUND);
    for (ULONG i = 1; i < FILES; i++)
        Gone += NT_SUCCESS(ZwSetInformationFile(Handle[i], &Iosb, &Delete, sizeof(Delete), FileDispositionInformation));
    CHECK(Gone == FILES - 1);
    STATUS(Open(7, GENERIC_READ, FILE_OPEN, &Handle[0]), STATUS_DELETE_PENDING);
    STATUS(Open(7, GENERIC_READ, FILE_CREATE, &Handle[0]), STATUS_DELETE_PENDING);
    for (ULONG i = 1; i < FILES; i++)
        ZwClose(Handle[i]);
    STATUS(Open(7, GENERIC_READ, FILE_OPEN, &Handle[0]), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* docs: FILE_RENAME_INFORMATION: a directory moves only when nothing below it is open. */
static VOID a_directory_with_open_files_is_not_renamed(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\d"), Below = RTL_CONSTANT_STRING(L"\\??\\C:\\d\\f");
    OBJECT_ATTRIBUTES Object;
    HANDLE Directory, File;
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwCreateFile(&Directory, DELETE | SYNCHRONIZE, &Object, &Iosb, NULL, 0, FILE_SHARE_READ, FILE_CREATE,
                    FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0));
    Object.ObjectName = &Below;
    OK(ZwCreateFile(&File, GENERIC_READ | SYNCHRONIZE, &Object, &Iosb, NULL, 0, FILE_SHARE_READ, FILE_CREATE,
                    FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0));
    STATUS(Rename(Directory, L"e"), STATUS_ACCESS_DENIED);
    OK(ZwClose(File));
    OK(Rename(Directory, L"e"));
    OK(ZwClose(Directory));
}

TEST_MAIN(all_are_open_and_each_is_itself, they_are_renamed_and_deleted_by_their_handles,
          a_directory_with_open_files_is_not_renamed)
