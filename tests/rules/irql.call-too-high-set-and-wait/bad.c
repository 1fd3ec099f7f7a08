/*
 * KeSetEvent with Wait = TRUE announces a wait, so it needs APC_LEVEL or below. Here it is called at DISPATCH_LEVEL.
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
    Old = KeRaiseIrqlToDpcLevel();
    KeSetEvent(&Event, IO_NO_INCREMENT, TRUE); /* @ */
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
