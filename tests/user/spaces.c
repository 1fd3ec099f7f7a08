/*
 * What a driver sees of processes: the same address in two of them, copying between them, locked pages that outlive the
 * process's own giving back, a mapping into user space, the environment block, 32-bit callers.
 */
#include "device.h"

NTKERNELAPI PVOID NTAPI PsGetProcessPeb(PEPROCESS Process);
NTKERNELAPI PVOID NTAPI PsGetProcessWow64Process(PEPROCESS Process);
NTKERNELAPI HANDLE NTAPI PsGetProcessInheritedFromUniqueProcessId(PEPROCESS Process);
NTKERNELAPI NTSTATUS NTAPI MmCopyVirtualMemory(PEPROCESS FromProcess, PVOID FromAddress, PEPROCESS ToProcess,
                                               PVOID ToAddress, SIZE_T BufferSize, KPROCESSOR_MODE PreviousMode,
                                               PSIZE_T Copied);

static PMDL Kept;
static PVOID Mapped;

typedef struct _COPY {
    UINT64 FromProcess, From, To, Bytes;
} COPY;

static NTSTATUS Copy(const COPY *What)
{
    PEPROCESS From;
    SIZE_T Done;
    NTSTATUS Status = PsLookupProcessByProcessId((HANDLE)What->FromProcess, &From);

    if (!NT_SUCCESS(Status))
        return Status;
    Status = MmCopyVirtualMemory(From, (PVOID)What->From, PsGetCurrentProcess(), (PVOID)What->To, What->Bytes, UserMode,
                                 &Done);
    ObDereferenceObject(From);
    return Status;
}

/* The word at an address of another process, by being there. */
static NTSTATUS Visit(const COPY *What, PULONG Word)
{
    PEPROCESS Process;
    KAPC_STATE State;
    NTSTATUS Status = PsLookupProcessByProcessId((HANDLE)What->FromProcess, &Process);

    if (!NT_SUCCESS(Status))
        return Status;
    KeStackAttachProcess((PVOID)Process, &State);
    *Word = PsGetCurrentProcess() == Process ? *(volatile ULONG *)What->From : 0;
    KeUnstackDetachProcess(&State);
    ObDereferenceObject(Process);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PVOID System = Irp->AssociatedIrp.SystemBuffer;
    UINT64 *Out = System;

    switch (Stack->Parameters.DeviceIoControl.IoControlCode) {
    case CODE(0, METHOD_NEITHER): /* the word behind the bare address, in the caller's process */
        *(volatile ULONG *)Irp->UserBuffer = *(volatile ULONG *)Stack->Parameters.DeviceIoControl.Type3InputBuffer;
        return Finish(Irp, STATUS_SUCCESS, 4);
    case CODE(1, METHOD_BUFFERED):
        return Finish(Irp, Copy(System), 0);
    case CODE(2, METHOD_BUFFERED):
        return Finish(Irp, Visit(System, System), 4);
    case CODE(3, METHOD_IN_DIRECT): /* keep the pages */
        Kept = IoAllocateMdl(MmGetMdlVirtualAddress(Irp->MdlAddress), MmGetMdlByteCount(Irp->MdlAddress), FALSE, FALSE,
                             NULL);
        MmProbeAndLockPages(Kept, UserMode, IoReadAccess);
        return Finish(Irp, STATUS_SUCCESS, 0);
    case CODE(4, METHOD_BUFFERED): /* and look at them when the process has given its memory back */
        *(PULONG)System = *(PULONG)MmGetSystemAddressForMdlSafe(Kept, NormalPagePriority);
        MmUnlockPages(Kept);
        IoFreeMdl(Kept);
        return Finish(Irp, STATUS_SUCCESS, 4);
    case CODE(5, METHOD_BUFFERED): { /* a page of ours, shown to the caller */
        static ULONG Page[1024] __attribute__((aligned(4096)));
        Page[7] = 0x7777;
        Kept = IoAllocateMdl(Page, sizeof(Page), FALSE, FALSE, NULL);
        MmBuildMdlForNonPagedPool(Kept);
        Mapped = MmMapLockedPagesSpecifyCache(Kept, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
        Out[0] = (UINT64)Mapped;
        return Finish(Irp, STATUS_SUCCESS, 8);
    }
    case CODE(6, METHOD_BUFFERED):
        MmUnmapLockedPages(Mapped, Kept);
        IoFreeMdl(Kept);
        return Finish(Irp, STATUS_SUCCESS, 0);
    case CODE(7, METHOD_BUFFERED): /* who asks */
        Out[0] = (UINT64)PsGetCurrentProcessId();
        Out[1] = (UINT64)PsGetProcessInheritedFromUniqueProcessId(PsGetCurrentProcess());
        Out[2] = (UINT64)PsGetProcessPeb(PsGetCurrentProcess());
        Out[3] = (UINT64)PsGetProcessWow64Process(PsGetCurrentProcess());
        Out[4] = IoIs32bitProcess(Irp);
        Out[5] = ExGetPreviousMode();
        return Finish(Irp, STATUS_SUCCESS, 48);
    default:
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    return MakeDevice(Driver, L"\\Device\\Spaces", L"\\??\\Spaces", Control);
}
