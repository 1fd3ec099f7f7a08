/*
 * Slide: the work item as it stands on the talk's slide.
 *
 * The way out of the trap is right: the timer's DPC, which may not write a file, queues a work item. But on the slide,
 * to keep it short, the item is a local variable. ExQueueWorkItem only links it into a queue; a worker thread reads it
 * later. By then the DPC has returned, its stack frame is gone, and the queue leads into whatever lies there now. On a
 * machine that nobody watches this works now and then, and otherwise destroys something that is not to blame.
 *
 * The memory of a work item stays until its routine has begun: take it from nonpaged pool (solved.c), or let
 * IoAllocateWorkItem do so.
 */
#include <ntddk.h>

static KTIMER Timer;
static KDPC TimerDpcObject;
static ULONG Seen;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static KDEFERRED_ROUTINE TimerDpc;
static WORKER_THREAD_ROUTINE Work;

static VOID NTAPI Work(PVOID Context)
{
    *(PULONG)Context += 1;
    DbgPrint("slide: the work item ran at IRQL %u\n", KeGetCurrentIrql());
}

static VOID NTAPI TimerDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    WORK_QUEUE_ITEM Item; /* the mistake: gone when this routine returns */

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);

    ExInitializeWorkItem(&Item, Work, &Seen);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);

    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    LARGE_INTEGER Due;

    UNREFERENCED_PARAMETER(RegistryPath);

    DriverObject->DriverUnload = Unload;
    KeInitializeDpc(&TimerDpcObject, TimerDpc, NULL);
    KeInitializeTimer(&Timer);

    Due.QuadPart = -10000000LL; /* one second from now */
    KeSetTimer(&Timer, Due, &TimerDpcObject);
    return STATUS_SUCCESS;
}
