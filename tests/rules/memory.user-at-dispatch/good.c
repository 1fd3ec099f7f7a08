/*
 * User memory may be touched below DISPATCH_LEVEL only: it is pageable, and it may be another process's. Without a
 * valid user pointer nothing is touched.
 */
#include <ntddk.h>

static PVOID volatile UserPointer = (PVOID)0x10000;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    Old = KeRaiseIrqlToDpcLevel();
    if ((ULONG_PTR)UserPointer > MM_USER_PROBE_ADDRESS)
        *(volatile ULONG *)UserPointer = 1;
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
