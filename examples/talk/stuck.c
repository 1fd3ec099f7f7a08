/*
 * Stuck: the driver of the talk as it was first written.
 *
 * A driver wants to write a line to a file once a second. It sets a kernel timer with a DPC, and does the writing where
 * the timer's routine is called. That looks natural, compiles, and loads; and one second later the machine is down with
 * IRQL_NOT_LESS_OR_EQUAL.
 *
 * The reason: a DPC runs at DISPATCH_LEVEL. Opening and writing a file means waiting for a disk, which only a thread
 * can do, so ZwCreateFile and ZwWriteFile may be called at PASSIVE_LEVEL only. solved.c shows the way out.
 */
#include <ntddk.h>

static KTIMER StuckTimer;
static KDPC StuckDpc;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static KDEFERRED_ROUTINE TimerDpc;

static VOID NTAPI TimerDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    static CHAR Line[] = "tick\r\n";
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Status;
    HANDLE File;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);

    RtlInitUnicodeString(&Name, L"\\??\\C:\\talk.log");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (NT_SUCCESS(ZwCreateFile(&File, FILE_APPEND_DATA | SYNCHRONIZE, &Attributes, &Status, NULL,
                                FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ, FILE_OPEN_IF, FILE_SYNCHRONOUS_IO_NONALERT,
                                NULL, 0))) {
        ZwWriteFile(File, NULL, NULL, NULL, &Status, Line, sizeof(Line) - 1, NULL, NULL);
        ZwClose(File);
    }
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);

    KeCancelTimer(&StuckTimer);
    KeFlushQueuedDpcs();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    LARGE_INTEGER Due;

    UNREFERENCED_PARAMETER(RegistryPath);

    DriverObject->DriverUnload = Unload;
    KeInitializeDpc(&StuckDpc, TimerDpc, NULL);
    KeInitializeTimer(&StuckTimer);

    Due.QuadPart = -10000000LL; /* one second from now, then once a second */
    KeSetTimerEx(&StuckTimer, Due, 1000, &StuckDpc);
    return STATUS_SUCCESS;
}
