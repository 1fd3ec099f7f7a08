/*
 * Calls a routine of the INIT section in DriverEntry only.
 */
#include <ntddk.h>

__attribute__((section("INIT"), noinline)) ULONG InitRoutine(void)
{
    static volatile ULONG Calls;
    return ++Calls;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    InitRoutine();
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
