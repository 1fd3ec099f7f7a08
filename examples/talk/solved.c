/*
 * Solved: the same driver after its author understood what IRQL means.
 *
 * The timer's DPC still runs at DISPATCH_LEVEL, but now it only does what is allowed there: it takes a piece of
 * nonpaged memory, puts into it what the work needs, and queues a work item. A system worker thread picks the item up
 * and calls its routine at PASSIVE_LEVEL, with the context that travelled along. There a file can be opened and
 * written.
 *
 * Two things a real driver must not forget. The work item's memory belongs to the system until the routine has begun,
 * so it comes from pool and is freed by the routine. And nothing may be left behind at unload: the timer is cancelled,
 * a DPC on its way is let finish, and the last routine is waited for.
 */
#include <ntddk.h>

#define TALK_TAG 'klaT'

typedef struct _TICK {
    WORK_QUEUE_ITEM Item;
    ULONG Number;
} TICK, *PTICK;

static KTIMER Timer;
static KDPC TimerDpcObject;
static ULONG Ticks;

/* Work items that are queued or running, and one more for the driver itself; Done is set when the last is gone. */
static LONG Pending = 1;
static KEVENT Done;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static KDEFERRED_ROUTINE TimerDpc;
static WORKER_THREAD_ROUTINE WriteTick;

static VOID Release(VOID)
{
    if (InterlockedDecrement(&Pending) == 0)
        KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS AppendLine(PCHAR Line, ULONG Bytes)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Result;
    HANDLE File;
    NTSTATUS Status;

    RtlInitUnicodeString(&Name, L"\\??\\C:\\talk.log");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    Status = ZwCreateFile(&File, FILE_APPEND_DATA | SYNCHRONIZE, &Attributes, &Result, NULL, FILE_ATTRIBUTE_NORMAL,
                          FILE_SHARE_READ, FILE_OPEN_IF, FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ZwWriteFile(File, NULL, NULL, NULL, &Result, Line, Bytes, NULL, NULL);
    ZwClose(File);
    return Status;
}

/* "tick 12\r\n"; returns its length. */
static ULONG FormatTick(PCHAR Line, ULONG Number)
{
    CHAR Digits[10];
    ULONG Count = 0, Length = 0;

    do {
        Digits[Count++] = (CHAR)('0' + Number % 10);
        Number /= 10;
    } while (Number);
    RtlCopyMemory(Line, "tick ", 5);
    for (Length = 5; Count; Length++)
        Line[Length] = Digits[--Count];
    Line[Length++] = '\r';
    Line[Length++] = '\n';
    return Length;
}

/* PASSIVE_LEVEL, in a system worker thread. */
static VOID NTAPI WriteTick(PVOID Context)
{
    PTICK Tick = Context;
    CHAR Line[32];
    ULONG Length = FormatTick(Line, Tick->Number);
    NTSTATUS Status = AppendLine(Line, Length);

    if (NT_SUCCESS(Status))
        DbgPrint("solved: wrote tick %u at IRQL %u\n", Tick->Number, KeGetCurrentIrql());
    else
        DbgPrint("solved: tick %u was not written, status 0x%08x\n", Tick->Number, Status);
    ExFreePoolWithTag(Tick, TALK_TAG);
    Release();
}

/* DISPATCH_LEVEL. */
static VOID NTAPI TimerDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PTICK Tick;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);

    Tick = ExAllocatePoolWithTag(NonPagedPool, sizeof(*Tick), TALK_TAG);
    if (!Tick)
        return; /* a tick is lost, nothing else */
    Tick->Number = ++Ticks;
    ExInitializeWorkItem(&Tick->Item, WriteTick, Tick);
    InterlockedIncrement(&Pending);
    ExQueueWorkItem(&Tick->Item, DelayedWorkQueue);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);

    KeCancelTimer(&Timer); /* no further DPC is queued */
    KeFlushQueuedDpcs();   /* one that was is through, so no further work item is queued */
    Release();
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    LARGE_INTEGER Due;

    UNREFERENCED_PARAMETER(RegistryPath);

    DriverObject->DriverUnload = Unload;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    KeInitializeDpc(&TimerDpcObject, TimerDpc, NULL);
    KeInitializeTimer(&Timer);

    Due.QuadPart = -10000000LL; /* one second from now, then once a second */
    KeSetTimerEx(&Timer, Due, 1000, &TimerDpcObject);
    return STATUS_SUCCESS;
}
