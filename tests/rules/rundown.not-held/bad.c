/*
 * Releases run-down protection that it has not acquired.
 *
 * EXPECT: rundown\.not-held bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

static EX_RUNDOWN_REF Rundown;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeRundownProtection(&Rundown);
    ExReleaseRundownProtection(&Rundown);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
