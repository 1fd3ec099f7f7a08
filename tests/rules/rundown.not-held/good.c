/*
 * Releases run-down protection that it has acquired, and waits for its end.
 */
#include <ntddk.h>

static EX_RUNDOWN_REF Rundown;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeRundownProtection(&Rundown);
    if (ExAcquireRundownProtection(&Rundown))
        ExReleaseRundownProtection(&Rundown);
    ExWaitForRundownProtectionRelease(&Rundown);
    if (ExAcquireRundownProtection(&Rundown))
        return STATUS_UNSUCCESSFUL;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
