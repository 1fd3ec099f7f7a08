/*
 * A volume whose host directory holds links, a pipe and names that Windows cannot say (outside.setup): drivers see none of
 * them, no form of a path leads out, and each attempt has its status. (docs: ZwCreateFile, "Naming Files")
 */
#include "../io/test.h"

static IO_STATUS_BLOCK Iosb;

static NTSTATUS Open(PCWSTR Text, ACCESS_MASK Access, ULONG Disposition, ULONG Options, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(Handle, Access | SYNCHRONIZE, &Object, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL,
                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, Disposition,
                        Options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static NTSTATUS Try(PCWSTR Text, ULONG Disposition)
{
    HANDLE Handle;
    NTSTATUS Status = Open(Text, GENERIC_READ, Disposition, 0, &Handle);
    if (NT_SUCCESS(Status))
        ZwClose(Handle);
    return Status;
}

static VOID links_and_pipes_do_not_exist(VOID)
{
    OK(Try(L"\\??\\C:\\plain", FILE_OPEN));
    STATUS(Try(L"\\??\\C:\\link", FILE_OPEN), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Try(L"\\??\\C:\\LINK", FILE_OPEN), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Try(L"\\??\\C:\\link", FILE_OPEN_IF), STATUS_ACCESS_DENIED); /* the host has the name */
    STATUS(Try(L"\\??\\C:\\link", FILE_SUPERSEDE), STATUS_ACCESS_DENIED);
    STATUS(Try(L"\\??\\C:\\pipe", FILE_OPEN), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Try(L"\\??\\C:\\root\\etc\\passwd", FILE_OPEN), STATUS_OBJECT_PATH_NOT_FOUND);
    STATUS(Try(L"\\??\\C:\\d\\up\\f", FILE_OPEN), STATUS_OBJECT_PATH_NOT_FOUND);
    STATUS(Try(L"\\??\\C:\\d\\up\\new", FILE_CREATE), STATUS_OBJECT_PATH_NOT_FOUND);
}

static VOID no_form_of_a_path_leads_out(VOID)
{
    static const PCWSTR Bad[] = {
        L"\\??\\C:\\..\\etc\\passwd",
        L"\\??\\C:\\d\\..\\plain",
        L"\\??\\C:\\d\\..",
        L"\\??\\C:\\d\\\\..\\plain",
        L"\\??\\C:\\/etc/passwd",
        L"\\??\\C:\\d/../plain",
        L"\\??\\C:\\a:b",
        L"\\??\\C:\\plain::$DATA",
        L"\\??\\C:\\pl*in",
        L"\\??\\C:\\plai?",
        L"\\??\\C:\\\"plain\"",
        L"\\??\\C:\\<plain>",
        L"\\??\\C:\\pl|in",
        L"\\??\\C:\\plain\\..\\..",
        L"\\Device\\HarddiskVolume1\\..\\..\\etc\\passwd",
    };
    for (ULONG i = 0; i < RTL_NUMBER_OF(Bad); i++) {
        NTSTATUS Status = Try(Bad[i], FILE_OPEN);
        if (Status != STATUS_OBJECT_NAME_INVALID)
            DbgPrint("%S: 0x%08x\n", Bad[i], Status);
        CHECK(Status == STATUS_OBJECT_NAME_INVALID);
    }
    OK(Try(L"\\Device\\HarddiskVolume1\\plain", FILE_OPEN));
    OK(Try(L"\\??\\C:\\\\plain", FILE_OPEN)); /* two separators at the beginning are one */
    STATUS(Try(L"\\??\\C:\\.\\plain", FILE_OPEN), STATUS_OBJECT_PATH_NOT_FOUND);
    STATUS(Try(L"\\??\\C:\\plain\\x", FILE_OPEN), STATUS_OBJECT_PATH_NOT_FOUND);
    STATUS(Try(L"\\??\\C:\\plain\\", FILE_OPEN), STATUS_OBJECT_NAME_INVALID);
}

static VOID names_are_as_long_as_windows_lets_them(VOID)
{
    static WCHAR Text[300] = L"\\??\\C:\\";
    HANDLE Handle;
    for (ULONG i = 7; i < 7 + 256; i++)
        Text[i] = L'n';
    STATUS(Try(Text, FILE_OPEN), STATUS_OBJECT_NAME_INVALID);
    Text[7 + 255] = 0;
    STATUS(Try(Text, FILE_OPEN), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(Text, GENERIC_READ | DELETE, FILE_CREATE, FILE_DELETE_ON_CLOSE, &Handle));
    OK(ZwClose(Handle));
}

static VOID only_one_of_two_that_differ_in_case(VOID)
{
    HANDLE Handle;
    UCHAR Buffer[512];
    UNICODE_STRING Pattern = RTL_CONSTANT_STRING(L"upper.*");
    PFILE_NAMES_INFORMATION Entry = (PVOID)Buffer;
    OK(Open(L"\\??\\C:\\", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE, &Handle));
    OK(ZwQueryDirectoryFile(Handle, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer), FileNamesInformation, FALSE,
                            &Pattern, TRUE));
    CHECK(!Entry->NextEntryOffset && !memcmp(Entry->FileName, L"UPPER.txt", 18));
    OK(ZwClose(Handle));
    OK(Try(L"\\??\\C:\\uPPer.txt", FILE_OPEN));
}

static VOID the_listing_shows_what_can_be_opened(VOID)
{
    static UCHAR Buffer[4096];
    HANDLE Handle;
    ULONG Count = 0;
    OK(Open(L"\\??\\C:\\", FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE, &Handle));
    OK(ZwQueryDirectoryFile(Handle, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer), FileNamesInformation, FALSE, NULL,
                            TRUE));
    for (PFILE_NAMES_INFORMATION Entry = (PVOID)Buffer;; Entry = (PVOID)((PUCHAR)Entry + Entry->NextEntryOffset)) {
        Count++;
        if (!Entry->NextEntryOffset)
            break;
    }
    CHECK(Count == 4); /* d, plain, secret, UPPER.txt */
    OK(ZwClose(Handle));
}

TEST_MAIN(links_and_pipes_do_not_exist, no_form_of_a_path_leads_out, names_are_as_long_as_windows_lets_them,
          only_one_of_two_that_differ_in_case, the_listing_shows_what_can_be_opened)
