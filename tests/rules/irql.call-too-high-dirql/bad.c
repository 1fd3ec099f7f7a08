/*
 * Above DISPATCH_LEVEL, where interrupt routines run, the dispatcher must not be entered: no events are set there. This
 * sets one.
 *
 * EXPECT: irql.call-too-high bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static KEVENT Event;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeRaiseIrql(5, &Old);
    KeSetEvent(&Event, IO_NO_INCREMENT, FALSE); /* @ */
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
