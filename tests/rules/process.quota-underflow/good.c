/*
 * Returns what it charged.
 *
 * OPTIONS: --scenario tests/rules/process.quota-underflow/scenario.lua
 */
#include <ntifs.h>

NTKERNELAPI NTSTATUS NTAPI PsChargeProcessPagedPoolQuota(PEPROCESS Process, ULONG_PTR Amount);
NTKERNELAPI VOID NTAPI PsReturnPoolQuota(PEPROCESS Process, POOL_TYPE Type, ULONG_PTR Amount);

#define CHARGED 100

static VOID NTAPI Notify(HANDLE Parent, HANDLE Id, BOOLEAN Created)
{
    PEPROCESS Process;

    if (!Created || !NT_SUCCESS(PsLookupProcessByProcessId(Id, &Process)))
        return;
    if (NT_SUCCESS(PsChargeProcessPagedPoolQuota(Process, CHARGED)))
        PsReturnPoolQuota(Process, PagedPool, CHARGED);
    ObDereferenceObject(Process);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    PsSetCreateProcessNotifyRoutine(Notify, TRUE);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return PsSetCreateProcessNotifyRoutine(Notify, FALSE);
}
