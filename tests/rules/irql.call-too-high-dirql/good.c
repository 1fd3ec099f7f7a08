/*
 * Above DISPATCH_LEVEL, where interrupt routines run, the dispatcher must not be entered: no events are set there. This
 * queues a DPC, which is what an interrupt routine may do.
 */
#include <ntddk.h>

static KEVENT Event;
static KDPC Dpc;

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeSetEvent(&Event, IO_NO_INCREMENT, FALSE);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeRaiseIrql(5, &Old);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
