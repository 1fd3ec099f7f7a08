/* Short forms for tests of hives and their files. */
#pragma once
#include "key.h"

NTSYSAPI NTSTATUS NTAPI ZwQuerySecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, ULONG, PULONG);

#define VOLUME L"\\??\\C:\\"

static UCHAR Image[0x100000];

static VOID FilePath(PCWSTR Text, PWSTR Buffer, PUNICODE_STRING Path, POBJECT_ATTRIBUTES Attributes)
{
    RtlInitEmptyUnicodeString(Path, Buffer, 200);
    RtlAppendUnicodeToString(Path, VOLUME);
    RtlAppendUnicodeToString(Path, Text);
    InitializeObjectAttributes(Attributes, Path, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
}

static NTSTATUS FileOpen(PCWSTR Text, ULONG Disposition, PHANDLE File)
{
    WCHAR Buffer[100];
    UNICODE_STRING Path;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    FilePath(Text, Buffer, &Path, &Attributes);
    return ZwCreateFile(File, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, FILE_SHARE_READ,
                        Disposition, FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

/* Its bytes in Image; how many. */
static ULONG FileRead(HANDLE File)
{
    IO_STATUS_BLOCK Iosb = {0};
    LARGE_INTEGER Start = {0};
    return NT_SUCCESS(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Image, sizeof(Image), &Start, NULL))
               ? (ULONG)Iosb.Information
               : 0;
}

static NTSTATUS Load(PCWSTR KeyName, PCWSTR File)
{
    WCHAR Buffer[100];
    UNICODE_STRING Name, Path;
    OBJECT_ATTRIBUTES Target, Source;
    RtlInitUnicodeString(&Name, KeyName);
    InitializeObjectAttributes(&Target, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    FilePath(File, Buffer, &Path, &Source);
    return ZwLoadKey(&Target, &Source);
}

static NTSTATUS Unload(PCWSTR KeyName, ULONG Flags)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Target;
    RtlInitUnicodeString(&Name, KeyName);
    InitializeObjectAttributes(&Target, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return Flags ? ZwUnloadKey2(&Target, Flags) : ZwUnloadKey(&Target);
}

__attribute__((unused)) static NTSTATUS Replace(HANDLE Key, PCWSTR NewFile, PCWSTR OldFile)
{
    WCHAR NewBuffer[100], OldBuffer[100];
    UNICODE_STRING NewPath, OldPath;
    OBJECT_ATTRIBUTES New, Old;
    FilePath(NewFile, NewBuffer, &NewPath, &New);
    FilePath(OldFile, OldBuffer, &OldPath, &Old);
    return ZwReplaceKey(&New, Key, &Old);
}
