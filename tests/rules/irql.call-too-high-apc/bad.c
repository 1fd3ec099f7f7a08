/*
 * Zw calls of files need PASSIVE_LEVEL: their completion comes as an APC, which APC_LEVEL holds off. A fast mutex
 * raises to APC_LEVEL.
 *
 * EXPECT: irql.call-too-high bad.c:@ in CreateLog
 */
#include <ntddk.h>

static FAST_MUTEX Mutex;

static VOID CreateLog(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\log.txt");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE File;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    /* clang-format off */
    NTSTATUS Status = ZwCreateFile( /* @ */
        &File, GENERIC_WRITE, &Attributes, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL, 0, FILE_OVERWRITE_IF,
        FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
    /* clang-format on */
    if (NT_SUCCESS(Status))
        ZwClose(File);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    ExInitializeFastMutex(&Mutex);
    ExAcquireFastMutex(&Mutex);
    CreateLog();
    ExReleaseFastMutex(&Mutex);
    return STATUS_SUCCESS;
}
