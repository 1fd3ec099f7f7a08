/* A driver in the manner of Windows 10's kit: annotations, declared routine types, the newer pool and string routines. */
#include <ntddk.h>
#include <ntstrsafe.h>
#include <wdmsec.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
_Dispatch_type_(IRP_MJ_CREATE) static DRIVER_DISPATCH Create;
static EX_SPIN_LOCK Lock;
static KTIMER Timer;
static KDPC Dpc;

_Use_decl_annotations_ static VOID Unload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    PAGED_CODE();
    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
}

_Use_decl_annotations_ static NTSTATUS Create(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

_Function_class_(KDEFERRED_ROUTINE) _IRQL_requires_(DISPATCH_LEVEL) static VOID Tick(PKDPC D, PVOID C, PVOID A, PVOID B)
{
    KIRQL Old = ExAcquireSpinLockExclusive(&Lock);
    UNREFERENCED_PARAMETER(D);
    UNREFERENCED_PARAMETER(C);
    UNREFERENCED_PARAMETER(A);
    UNREFERENCED_PARAMETER(B);
    ExReleaseSpinLockExclusive(&Lock, Old);
#ifdef WRONG
    {
        KEVENT Event;
        KeInitializeEvent(&Event, NotificationEvent, FALSE);
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    }
#endif
}

_Use_decl_annotations_ NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};
    volatile UCHAR Large[5000];
    WCHAR Room[8];
    UNICODE_STRING String = {0, sizeof(Room), Room};
    PVOID Block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, 'lciE');
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(Path);
    if (!Block)
        return STATUS_INSUFFICIENT_RESOURCES;
    NT_ASSERT(RtlIsZeroMemory(Block, 100));
    ExFreePoolWithTag(Block, 'lciE');
    Large[0] = Large[4999] = 1;
    Status = RtlUnicodeStringPrintf(&String, L"%d-%ws", 12, L"abcdefgh");
    DbgPrint("the string is %wZ, %s\n", &String, Status == STATUS_BUFFER_OVERFLOW ? "cut" : "whole");
    WriteRelease(&Lock, Large[0] - Large[4999]);
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, Tick, NULL);
    KeSetTimer(&Timer, Due, &Dpc);
    Driver->DriverUnload = Unload;
    Driver->MajorFunction[IRP_MJ_CREATE] = Create;
    return STATUS_SUCCESS;
}
