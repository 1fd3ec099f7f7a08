/*
 * Asks for the routine, and does without it where it does not exist.
 */
#include <ntddk.h>

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"KeThisDoesNotExist");
    VOID(NTAPI * Routine)(ULONG Number) = MmGetSystemRoutineAddress(&Name);

    if (Routine)
        Routine(1);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
