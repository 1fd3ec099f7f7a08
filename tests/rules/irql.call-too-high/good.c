/*
 * A routine may only be called at the levels its documentation states: files are for PASSIVE_LEVEL. The DPC queues a
 * work item that does.
 */
#include <ntddk.h>

static KTIMER Timer;
static KDPC Dpc;
static WORK_QUEUE_ITEM Item;
static KEVENT Done;

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

static VOID Work(PVOID Context)
{
    CreateLog();
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static VOID TimerDpc(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    ExQueueWorkItem(&Item, DelayedWorkQueue);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};

    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, TimerDpc, NULL);
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Item, Work, NULL);
    KeSetTimer(&Timer, Due, &Dpc);
    return STATUS_SUCCESS;
}
