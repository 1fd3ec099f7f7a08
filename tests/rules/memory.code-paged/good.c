/*
 * Calls a routine of a PAGE section at PASSIVE_LEVEL.
 */
#include <ntddk.h>

__attribute__((section("PAGE"), noinline)) static ULONG PagedRoutine(void)
{
    static volatile ULONG Calls;
    return ++Calls;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PagedRoutine();
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
