/*
 * How much is read and written: by all, in variables that file systems count on with, and by each process (ZwQueryInformationProcess,
 * ProcessIoCounters). Counted are the services' operations as they are sent, and bytes as they are done.
 */
#include "nt.h"

KSPIN_LOCK IoStatisticsLock;
ULONG IoReadOperationCount, IoWriteOperationCount, IoOtherOperationCount;
LARGE_INTEGER IoReadTransferCount, IoWriteTransferCount, IoOtherTransferCount;

static PEPROCESS IopWho(VOID)
{
    return (PEPROCESS)KeGetCurrentThread()->Process;
}

VOID IopCountOperation(UCHAR Major)
{
    PEPROCESS Process = IopWho();

    if (Major == IRP_MJ_READ) {
        IoReadOperationCount++;
        Process->Io.ReadOperationCount++;
    } else if (Major == IRP_MJ_WRITE) {
        IoWriteOperationCount++;
        Process->Io.WriteOperationCount++;
    } else {
        IoOtherOperationCount++;
        Process->Io.OtherOperationCount++;
    }
}

VOID IopCountBytes(PEPROCESS Process, BOOLEAN Read, ULONG_PTR Bytes)
{
    (Read ? &IoReadTransferCount : &IoWriteTransferCount)->QuadPart += Bytes;
    *(Read ? &Process->Io.ReadTransferCount : &Process->Io.WriteTransferCount) += Bytes;
}
