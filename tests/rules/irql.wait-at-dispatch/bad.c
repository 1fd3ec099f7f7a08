/*
 * Nothing waits at DISPATCH_LEVEL. A free build looks at the level only when the wait would have to block.
 *
 * EXPECT: irql.wait-at-dispatch bad.c:@ in DriverEntry
 * OPTIONS: --build free
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KEVENT Event;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KIRQL Before = KeRaiseIrqlToDpcLevel();
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL); /* @ */
    KeLowerIrql(Before);
    return STATUS_SUCCESS;
}
