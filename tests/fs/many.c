/* A directory of many files: made, found without regard to case, listed, in time that grows with their number alone. */
#include "../io/test.h"

#ifndef FILES
#define FILES 5000
#endif

static IO_STATUS_BLOCK Iosb;

static NTSTATUS Open(ULONG Number, BOOLEAN Upper, ULONG Disposition, PHANDLE Handle)
{
    WCHAR Text[48];
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    wcscpy(Text, Upper ? L"\\??\\C:\\D\\FILE-000000.TXT" : L"\\??\\C:\\d\\file-000000.txt");
    for (ULONG i = 19; Number; i--, Number /= 10)
        Text[i] = (WCHAR)(L'0' + Number % 10);
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(Handle, GENERIC_READ | SYNCHRONIZE, &Object, &Iosb, NULL, 0, FILE_SHARE_READ, Disposition,
                        FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static VOID they_are_made_and_found(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\d");
    OBJECT_ATTRIBUTES Object;
    HANDLE Handle;
    ULONG Made = 0, Found = 0;
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwCreateFile(&Handle, FILE_LIST_DIRECTORY | SYNCHRONIZE, &Object, &Iosb, NULL, 0, FILE_SHARE_READ, FILE_CREATE,
                    FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0));
    OK(ZwClose(Handle));
    for (ULONG i = 0; i < FILES; i++)
        if (NT_SUCCESS(Open(i, FALSE, FILE_CREATE, &Handle))) {
            Made++;
            ZwClose(Handle);
        }
    CHECK(Made == FILES);
    for (ULONG i = 0; i < FILES; i += 10)
        if (NT_SUCCESS(Open(i, TRUE, FILE_OPEN, &Handle))) {
            Found++;
            ZwClose(Handle);
        }
    CHECK(Found == FILES / 10);
    STATUS(Open(FILES, TRUE, FILE_OPEN, &Handle), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID they_are_listed_once(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\d"), Pattern = RTL_CONSTANT_STRING(L"*9.TXT");
    OBJECT_ATTRIBUTES Object;
    HANDLE Handle;
    ULONG Count = 0;
    PUCHAR Buffer = ExAllocatePoolWithTag(PagedPool, 0x10000, 'tseT');
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwOpenFile(&Handle, FILE_LIST_DIRECTORY | SYNCHRONIZE, &Object, &Iosb, FILE_SHARE_READ,
                  FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT));
    for (;;) {
        NTSTATUS Status = ZwQueryDirectoryFile(Handle, NULL, NULL, NULL, &Iosb, Buffer, 0x10000, FileNamesInformation,
                                               FALSE, &Pattern, FALSE);
        if (!NT_SUCCESS(Status)) {
            CHECK(Status == STATUS_NO_MORE_FILES);
            break;
        }
        PFILE_NAMES_INFORMATION Entry = (PVOID)Buffer;
        for (;; Entry = (PVOID)((PUCHAR)Entry + Entry->NextEntryOffset)) {
            Count++;
            if (!Entry->NextEntryOffset)
                break;
        }
    }
    CHECK(Count == FILES / 10);
    OK(ZwClose(Handle));
    ExFreePool(Buffer);
}

TEST_MAIN(they_are_made_and_found, they_are_listed_once)
