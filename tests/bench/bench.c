/*
 * The work whose cost tests/bench/time.c measures from outside: virtual time says nothing about ours. What to do and
 * how often stands in C:\work.txt ("dpc 100000"). The loops hold nothing but the work.
 */
#include <ntifs.h>
#include <ntddk.h>

static ULONG Count;
static KEVENT Ping, Pong;
static KDPC Dpc;
static PVOID volatile Sink;

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

static PVOID Start(PKSTART_ROUTINE Routine, PVOID Context)
{
    HANDLE Handle;
    PVOID Thread = NULL;

    if (!NT_SUCCESS(PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, Context)))
        return NULL;
    ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, &Thread, NULL);
    ZwClose(Handle);
    return Thread;
}

static VOID End(PVOID Thread)
{
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
}

/* ---- The work --------------------------------------------------------------------------------------------------- */

static VOID Leaf(VOID)
{
    LONG Sum = 0;

    for (ULONG i = 0; i < Count; i++)
        Sum += KeReadStateEvent(&Ping);
    Sink = (PVOID)(LONG_PTR)Sum;
}

static VOID Raise(VOID)
{
    for (ULONG i = 0; i < Count; i++) {
        KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);

        KeLowerIrql(Old);
    }
}

static VOID Lock(VOID)
{
    KSPIN_LOCK SpinLock;
    KIRQL Old;

    KeInitializeSpinLock(&SpinLock);
    for (ULONG i = 0; i < Count; i++) {
        KeAcquireSpinLock(&SpinLock, &Old);
        KeReleaseSpinLock(&SpinLock, Old);
    }
}

static VOID EmptyDpc(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Dpcs(VOID)
{
    KeInitializeDpc(&Dpc, EmptyDpc, NULL);
    for (ULONG i = 0; i < Count; i++)
        KeInsertQueueDpc(&Dpc, NULL, NULL);
}

static WORK_QUEUE_ITEM Item;

static VOID SetPing(PVOID Context)
{
    KeSetEvent(&Ping, IO_NO_INCREMENT, FALSE);
}

static VOID Items(VOID)
{
    ExInitializeWorkItem(&Item, SetPing, NULL);
    for (ULONG i = 0; i < Count; i++) {
        ExQueueWorkItem(&Item, DelayedWorkQueue);
        KeWaitForSingleObject(&Ping, Executive, KernelMode, FALSE, NULL);
    }
}

/* Rounds of a thousand timers, set and fired into a DPC each. */
static VOID Timers(VOID)
{
    static KTIMER Timer[1000];
    static KDPC Fired[1000];
    LARGE_INTEGER Due, Rest = {.QuadPart = -2000};

    for (ULONG i = 0; i < 1000; i++) {
        KeInitializeTimer(&Timer[i]);
        KeInitializeDpc(&Fired[i], EmptyDpc, NULL);
    }
    for (ULONG Round = 0; Round < Count / 1000; Round++) {
        for (ULONG i = 0; i < 1000; i++) {
            Due.QuadPart = -(LONGLONG)(1 + i * 7919 % 1000);
            KeSetTimer(&Timer[i], Due, &Fired[i]);
        }
        KeDelayExecutionThread(KernelMode, FALSE, &Rest);
    }
}

/* All pending at once; then they fire. */
static VOID Pending(VOID)
{
    PKTIMER Timer = ExAllocatePoolWithTag(NonPagedPoolNx, Count * sizeof(*Timer) + 1, 'hcnB');
    LARGE_INTEGER Due, Rest = {.QuadPart = -20000000};

    if (!Timer) {
        DbgPrint("no memory\n");
        return;
    }
    for (ULONG i = 0; i < Count; i++) {
        KeInitializeTimer(&Timer[i]);
        Due.QuadPart = -(LONGLONG)(1 + i * 7919ull % 10000000);
        KeSetTimer(&Timer[i], Due, NULL);
    }
    KeDelayExecutionThread(KernelMode, FALSE, &Rest);
    for (ULONG i = 0; i < Count; i++)
        if (!KeReadStateTimer(&Timer[i]))
            DbgPrint("timer %u did not fire\n", i);
    ExFreePoolWithTag(Timer, 'hcnB');
}

static VOID Pool(VOID)
{
    for (ULONG i = 0; i < Count; i++) {
        PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'hcnB');

        Sink = Block;
        ExFreePoolWithTag(Block, 'hcnB');
    }
}

static VOID Answer(PVOID Context)
{
    for (ULONG i = 0; i < Count / 2; i++) {
        KeWaitForSingleObject(&Ping, Executive, KernelMode, FALSE, NULL);
        KeSetEvent(&Pong, IO_NO_INCREMENT, FALSE);
    }
}

/* Count ways: there and back are two. */
static VOID PingPong(VOID)
{
    PVOID Thread = Start(Answer, NULL);

    for (ULONG i = 0; i < Count / 2; i++) {
        KeSetEvent(&Ping, IO_NO_INCREMENT, FALSE);
        KeWaitForSingleObject(&Pong, Executive, KernelMode, FALSE, NULL);
    }
    End(Thread);
}

static KEVENT Go;
static LONG Arrived;

static VOID Wait(PVOID Context)
{
    Arrived++;
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
}

/* All alive at once, each having run and waiting. */
static VOID Threads(VOID)
{
    PVOID *Thread = ExAllocatePoolWithTag(NonPagedPoolNx, Count * sizeof(PVOID) + 1, 'hcnB');
    LARGE_INTEGER Rest = {.QuadPart = -10};
    ULONG Made = 0;

    if (!Thread)
        return;
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    while (Made < Count && (Thread[Made] = Start(Wait, NULL)) != NULL)
        Made++;
    KeDelayExecutionThread(KernelMode, FALSE, &Rest);
    if (Made < Count || Arrived != (LONG)Made)
        DbgPrint("%u threads made, %d arrived\n", Made, Arrived);
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    for (ULONG i = 0; i < Made; i++)
        End(Thread[i]);
    ExFreePoolWithTag(Thread, 'hcnB');
}

static VOID Nothing(VOID)
{
}

static const struct {
    PCSTR Name;
    VOID (*Do)(VOID);
} Works[] = {{"nothing", Nothing}, {"leaf", Leaf},         {"raise", Raise},    {"lock", Lock},
             {"dpc", Dpcs},        {"item", Items},        {"timers", Timers},  {"pending", Pending},
             {"pool", Pool},       {"pingpong", PingPong}, {"threads", Threads}};

/* ---- What to do ------------------------------------------------------------------------------------------------ */

static PVOID Worker;

static BOOLEAN ReadOrder(PCHAR Order, ULONG Bytes)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\work.txt");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE File;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(ZwOpenFile(&File, GENERIC_READ | SYNCHRONIZE, &Attributes, &Iosb, FILE_SHARE_READ,
                               FILE_SYNCHRONOUS_IO_NONALERT)))
        return FALSE;
    Status = ZwReadFile(File, NULL, NULL, NULL, &Iosb, Order, Bytes - 1, NULL, NULL);
    ZwClose(File);
    return NT_SUCCESS(Status);
}

static VOID Work(PVOID Do)
{
    ((VOID(*)(VOID))Do)();
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    End(Worker);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    CHAR Order[64] = {0};

    Driver->DriverUnload = Unload;
    KeInitializeEvent(&Ping, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Pong, SynchronizationEvent, FALSE);
    if (!ReadOrder(Order, sizeof(Order)))
        return STATUS_NO_SUCH_FILE;
    for (ULONG i = 0; i < ARRAYSIZE(Works); i++) {
        SIZE_T Length = strlen(Works[i].Name);

        if (strncmp(Order, Works[i].Name, Length) || Order[Length] != ' ')
            continue;
        Count = (ULONG)atol(Order + Length + 1);
        Worker = Start(Work, (PVOID)Works[i].Do); /* DriverEntry itself must return in time */
        return Worker ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_INVALID_PARAMETER;
}
