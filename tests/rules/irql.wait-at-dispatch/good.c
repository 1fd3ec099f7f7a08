/*
 * At DISPATCH_LEVEL one can look whether an object is signalled: a timeout of zero never blocks.
 *
 * OPTIONS: --build free
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    LARGE_INTEGER Now = {.QuadPart = 0};
    KEVENT Event;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KIRQL Before = KeRaiseIrqlToDpcLevel();
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Now);
    KeLowerIrql(Before);
    return STATUS_SUCCESS;
}
