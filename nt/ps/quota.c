/*
 * Pool quota of processes: counted, up to all of RAM; the System process is never charged. Disk counters, which are off.
 * (docs: PsChargePoolQuota, PsReturnPoolQuota, PsUpdateDiskCounters)
 */
#include "nt.h"

static NTSTATUS PspCharge(PEPROCESS Process, ULONG Kind, SIZE_T Amount)
{
    if (!PspIsUser(Process))
        return STATUS_SUCCESS;
    if (Amount > KiDoor->ram_bytes - Process->Quota[Kind])
        return STATUS_QUOTA_EXCEEDED;
    Process->Quota[Kind] += Amount;
    Process->QuotaPeak[Kind] = max(Process->QuotaPeak[Kind], Process->Quota[Kind]);
    return STATUS_SUCCESS;
}

static VOID PspReturn(PEPROCESS Process, ULONG Kind, SIZE_T Amount)
{
    if (!PspIsUser(Process))
        return;
    if (Amount > Process->Quota[Kind]) {
        UINT64 Missing = Amount - Process->Quota[Kind];
        VfFinding("process.quota-underflow", 0x21, (UINT64)Process, Kind, Amount, Missing);
        VfText("0x%llx bytes of quota are returned to a process; 0x%llx of them were not charged", Amount, Missing);
        VfNoteCaller(NULL);
        VfCommit();
        KiBugCheck(0x21, (UINT64)Process, Kind, Amount, Missing); /* a free build stops too */
    }
    Process->Quota[Kind] -= Amount;
}

NTSTATUS NTAPI PsChargeProcessNonPagedPoolQuota(PEPROCESS Process, SIZE_T Amount)
{
    return PspCharge(Process, NonPagedPool, Amount);
}

NTSTATUS NTAPI PsChargeProcessPagedPoolQuota(PEPROCESS Process, SIZE_T Amount)
{
    return PspCharge(Process, PagedPool, Amount);
}

VOID NTAPI PsChargePoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount)
{
    NTSTATUS Status = PspCharge(Process, PoolType & 1, Amount);

    if (!NT_SUCCESS(Status))
        ExRaiseStatus(Status);
}

VOID NTAPI PsReturnProcessNonPagedPoolQuota(PEPROCESS Process, SIZE_T Amount)
{
    PspReturn(Process, NonPagedPool, Amount);
}

VOID NTAPI PsReturnProcessPagedPoolQuota(PEPROCESS Process, SIZE_T Amount)
{
    PspReturn(Process, PagedPool, Amount);
}

VOID NTAPI PsReturnPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount)
{
    PspReturn(Process, PoolType & 1, Amount);
}

BOOLEAN NTAPI PsIsDiskCountersEnabled(VOID)
{
    return FALSE;
}

/* docs: without effect while the counters are not enabled. */
VOID NTAPI PsUpdateDiskCounters(PEPROCESS Process, ULONG64 BytesRead, ULONG64 BytesWritten, ULONG ReadCount,
                                ULONG WriteCount, ULONG FlushCount)
{
}
