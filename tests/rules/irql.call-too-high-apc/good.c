/*
 * Zw calls of files need PASSIVE_LEVEL: their completion comes as an APC, which APC_LEVEL holds off. A mutex leaves the
 * level at PASSIVE_LEVEL.
 */
#include <ntddk.h>

static KMUTEX Mutex;

static VOID CreateLog(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\log.txt");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE File;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS Status = ZwCreateFile(&File, GENERIC_WRITE, &Attributes, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL, 0,
                                   FILE_OVERWRITE_IF, FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
    if (NT_SUCCESS(Status))
        ZwClose(File);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeMutex(&Mutex, 0);
    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    CreateLog();
    KeReleaseMutex(&Mutex, FALSE);
    return STATUS_SUCCESS;
}
