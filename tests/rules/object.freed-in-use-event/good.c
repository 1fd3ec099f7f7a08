/*
 * Memory that the kernel still uses is not freed. The event is set, and the thread has gone on, before it is freed.
 */
#include <ntddk.h>

static PVOID Thread;
static PKEVENT Event;

static VOID Routine(PVOID Context)
{
    KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, NULL);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    ObDereferenceObject(Thread);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    LARGE_INTEGER Delay = {.QuadPart = -10000};
    HANDLE Handle;

    Event = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Event), 'eluR');
    if (!Event)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeEvent(Event, NotificationEvent, FALSE);
    PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, NULL);
    ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, &Thread, NULL);
    ZwClose(Handle);
    KeDelayExecutionThread(KernelMode, FALSE, &Delay);
    KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ExFreePoolWithTag(Event, 'eluR');
    return STATUS_SUCCESS;
}
