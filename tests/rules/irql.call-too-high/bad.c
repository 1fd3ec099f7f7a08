/*
 * A routine may only be called at the levels its documentation states: files are for PASSIVE_LEVEL. A timer's DPC
 * creates one.
 *
 * EXPECT: irql.call-too-high bad.c:@ in CreateLog
 */
#include <ntddk.h>

static KTIMER Timer;
static KDPC Dpc;

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

static VOID TimerDpc(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CreateLog();
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};

    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, TimerDpc, NULL);
    KeSetTimer(&Timer, Due, &Dpc);
    return STATUS_SUCCESS;
}
