/*
 * Executes code in pool that is not executable.
 *
 * EXPECT: memory\.not-executable .*
 */
#include <ntddk.h>

#define TAG 'niwT'

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    static const UCHAR Code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
    ULONG (*Routine)(void) = (PVOID)ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(Code), TAG);

    if (!Routine)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory((PVOID)Routine, Code, sizeof(Code));
    if (Routine() != 42)
        return STATUS_UNSUCCESSFUL;
    ExFreePoolWithTag((PVOID)Routine, TAG);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
