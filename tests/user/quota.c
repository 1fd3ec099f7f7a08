/*
 * Pool quota of a process: charged, given back, and refused beyond what there is; the System process is never charged. Each
 * line of the answer is one status. (docs: PsChargePoolQuota, PsChargeProcessPoolQuota, PsReturnPoolQuota)
 */
#include "device.h"

NTKERNELAPI NTSTATUS NTAPI PsChargeProcessNonPagedPoolQuota(PEPROCESS, SIZE_T);
NTKERNELAPI NTSTATUS NTAPI PsChargeProcessPagedPoolQuota(PEPROCESS, SIZE_T);
NTKERNELAPI VOID NTAPI PsReturnProcessNonPagedPoolQuota(PEPROCESS, SIZE_T);
NTKERNELAPI VOID NTAPI PsReturnProcessPagedPoolQuota(PEPROCESS, SIZE_T);

#define MUCH ((SIZE_T)1 << 44)

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PEPROCESS Caller = PsGetCurrentProcess();
    NTSTATUS *Out = Irp->AssociatedIrp.SystemBuffer;
    KIRQL Old;

    Out[0] = PsChargeProcessPagedPoolQuota(Caller, 4096);
    Out[1] = PsChargeProcessNonPagedPoolQuota(Caller, 100);
    Out[2] = PsChargeProcessPagedPoolQuota(Caller, MUCH);
    Out[3] = PsChargeProcessNonPagedPoolQuota(Caller, MUCH);
    Out[4] = PsChargeProcessNonPagedPoolQuota(Caller, 0);
    Out[5] = PsChargeProcessPagedPoolQuota(PsInitialSystemProcess, MUCH);
    PsReturnProcessPagedPoolQuota(PsInitialSystemProcess, MUCH);
    KeRaiseIrql(APC_LEVEL, &Old);
    PsReturnProcessPagedPoolQuota(Caller, 4096);
    PsReturnProcessNonPagedPoolQuota(Caller, 100);
    KeLowerIrql(Old);
    /* What has been charged by one routine is given back by the other. */
    PsChargePoolQuota(Caller, PagedPool, 64);
    PsReturnProcessPagedPoolQuota(Caller, 64);
    Out[6] = STATUS_SUCCESS;
    __try {
        PsChargePoolQuota(Caller, NonPagedPool, MUCH);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Out[6] = GetExceptionCode();
    }
    /* One byte too many is charged nothing of. */
    if (IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.InputBufferLength)
        PsReturnProcessNonPagedPoolQuota(Caller, 1);
    return Finish(Irp, STATUS_SUCCESS, 7 * sizeof(NTSTATUS));
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    return MakeDevice(Driver, L"\\Device\\Quota", L"\\??\\Quota", Control);
}
