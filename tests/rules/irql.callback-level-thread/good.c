/*
 * A driver's routine returns at the level at which it was called.
 */
#include <ntddk.h>

static PVOID Thread;

static VOID Routine(PVOID Context)
{
    KIRQL Old = KeRaiseIrqlToDpcLevel();

    KeLowerIrql(Old);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    HANDLE Handle;

    PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, NULL);
    ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, &Thread, NULL);
    ZwClose(Handle);
    return STATUS_SUCCESS;
}
