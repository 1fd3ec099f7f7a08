/*
 * What a driver puts into a program's memory, and keeps of the program: pool shown by an MDL, a program's buffer at a reserved
 * address, views of a section in two processes, quota, a job. (docs: MmMapLockedPagesSpecifyCache, MmMapLockedPages,
 * MmMapLockedPagesWithReservedMapping, ZwMapViewOfSection, PsChargeProcessPoolQuota)
 */
#include "device.h"

__declspec(dllimport) extern POBJECT_TYPE *PsJobType;
NTSYSAPI PVOID NTAPI PsGetProcessJob(PEPROCESS Process);
NTSYSAPI NTSTATUS NTAPI ZwQueryInformationJobObject(HANDLE Job, ULONG Class, PVOID Buffer, ULONG Bytes,
                                                    PULONG Returned);
NTKERNELAPI NTSTATUS NTAPI PsChargeProcessPagedPoolQuota(PEPROCESS, SIZE_T);
NTKERNELAPI VOID NTAPI PsReturnProcessPagedPoolQuota(PEPROCESS, SIZE_T);
NTKERNELAPI PVOID NTAPI MmMapLockedPages(PMDL Mdl, KPROCESSOR_MODE Mode);

#define TAG 'spaM'
#define WORDS 2560 /* two pages and a half */

static PULONG Block;
static PMDL Shown; /* Block but for its first 16 bytes */
static PVOID Mapped, Reserved;
static PEPROCESS Charged;
static HANDLE Job;

typedef struct _ASK {
    UINT64 Address, Flags, Process;
} ASK;

static NTSTATUS Map(PVOID Address, ULONG Flags, BOOLEAN Old)
{
    __try {
        Mapped =
            Old ? MmMapLockedPages(Shown, UserMode)
                : MmMapLockedPagesSpecifyCache(Shown, UserMode, MmCached, Address, FALSE, NormalPagePriority | Flags);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Mapped = NULL;
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/* The words of the program's buffer, turned over in it. */
static NTSTATUS TurnOver(PMDL Mdl)
{
    PULONG Words = MmMapLockedPagesWithReservedMapping(Reserved, TAG, Mdl, MmCached);

    if (!Words)
        return STATUS_BUFFER_OVERFLOW;
    for (ULONG i = 0; i < MmGetMdlByteCount(Mdl) / sizeof(ULONG); i++)
        Words[i] = ~Words[i];
    MmUnmapReservedMapping(Reserved, TAG, Mdl);
    return STATUS_SUCCESS;
}

/* One section in the caller and in another process; its handle is closed before either is used. */
static NTSTATUS Share(const ASK *Ask, UINT64 *Out)
{
    LARGE_INTEGER Size = {.QuadPart = 0x20000};
    OBJECT_ATTRIBUTES Attributes;
    CLIENT_ID Id = {(HANDLE)Ask->Process, NULL};
    HANDLE Section, Other;
    PVOID Here = NULL, There = NULL;
    SIZE_T Bytes = 0;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = ZwOpenProcess(&Other, PROCESS_ALL_ACCESS, &Attributes, &Id);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ZwCreateSection(&Section, SECTION_ALL_ACCESS, &Attributes, &Size, PAGE_READWRITE, SEC_COMMIT, NULL);
    if (NT_SUCCESS(Status)) {
        Status =
            ZwMapViewOfSection(Section, NtCurrentProcess(), &Here, 0, 0, NULL, &Bytes, ViewUnmap, 0, PAGE_READWRITE);
        Bytes = 0;
        if (NT_SUCCESS(Status))
            Status = ZwMapViewOfSection(Section, Other, &There, 0, 0, NULL, &Bytes, ViewUnmap, 0, PAGE_READONLY);
        ZwClose(Section);
    }
    ZwClose(Other);
    Out[0] = (UINT64)Here;
    Out[1] = (UINT64)There;
    return Status;
}

static NTSTATUS KeepJob(VOID)
{
    PVOID Object = PsGetProcessJob(PsGetCurrentProcess());

    return Object ? ObOpenObjectByPointer(Object, OBJ_KERNEL_HANDLE, NULL, 0x1F003F, *PsJobType, KernelMode, &Job)
                  : STATUS_NOT_FOUND;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    UINT64 *Out = Irp->AssociatedIrp.SystemBuffer;
    const ASK *Ask = (const ASK *)Out;
    NTSTATUS Status = STATUS_SUCCESS;

    switch (Stack->Parameters.DeviceIoControl.IoControlCode) {
    case CODE(0, METHOD_BUFFERED):
    case CODE(1, METHOD_BUFFERED):
        Status = Map((PVOID)Ask->Address, (ULONG)Ask->Flags,
                     Stack->Parameters.DeviceIoControl.IoControlCode == CODE(1, METHOD_BUFFERED));
        Out[0] = (UINT64)Mapped;
        return Finish(Irp, Status, NT_SUCCESS(Status) ? 8 : 0);
    case CODE(2, METHOD_BUFFERED):
        MmUnmapLockedPages(Mapped, Shown);
        return Finish(Irp, STATUS_SUCCESS, 0);
    case CODE(3, METHOD_BUFFERED): /* the last word as the driver sees it, which writes a new one */
        *(PULONG)Out = Block[WORDS - 1];
        Block[WORDS - 1] = 0x600D;
        return Finish(Irp, STATUS_SUCCESS, 4);
    case CODE(4, METHOD_OUT_DIRECT):
        return Finish(Irp, TurnOver(Irp->MdlAddress), 0);
    case CODE(5, METHOD_BUFFERED):
        Status = Share(Ask, Out);
        return Finish(Irp, Status, 16);
    case CODE(6, METHOD_BUFFERED):
        Charged = PsGetCurrentProcess();
        ObReferenceObject(Charged);
        return Finish(Irp, PsChargeProcessPagedPoolQuota(Charged, 4096), 0);
    case CODE(7, METHOD_BUFFERED): /* the process may be gone; its object is not */
        PsReturnProcessPagedPoolQuota(Charged, 4096);
        ObDereferenceObject(Charged);
        return Finish(Irp, STATUS_SUCCESS, 0);
    case CODE(8, METHOD_BUFFERED):
        return Finish(Irp, KeepJob(), 0);
    case CODE(9, METHOD_BUFFERED): /* the job's counts */
        Status = ZwQueryInformationJobObject(Job, 1, Out, 48, NULL);
        ZwClose(Job);
        return Finish(Irp, Status, 48);
    default:
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoFreeMdl(Shown);
    ExFreePoolWithTag(Block, TAG);
    MmFreeMappingAddress(Reserved, TAG);
    UnloadDevice(Driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    NTSTATUS Status = MakeDevice(Driver, L"\\Device\\Maps", L"\\??\\Maps", Control);

    if (!NT_SUCCESS(Status))
        return Status;
    Reserved = MmAllocateMappingAddress(2 * PAGE_SIZE, TAG);
    Block = ExAllocatePoolWithTag(NonPagedPoolNx, WORDS * sizeof(ULONG), TAG);
    for (ULONG i = 0; i < WORDS; i++)
        Block[i] = i;
    Shown = IoAllocateMdl(Block + 4, (WORDS - 4) * sizeof(ULONG), FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(Shown);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
