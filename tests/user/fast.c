/*
 * A device whose file is cached: its fast routine reads and writes the program's own memory, and refuses one length.
 */
#include "device.h"

#define REFUSED 5

static FSRTL_ADVANCED_FCB_HEADER Header;
static SECTION_OBJECT_POINTERS Sections;
static FAST_MUTEX Mutex;
static UCHAR Kept[64];
static FAST_IO_DISPATCH FastIo;

static BOOLEAN NTAPI FastRead(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, ULONG Key,
                              PVOID Buffer, PIO_STATUS_BLOCK Result, PDEVICE_OBJECT Device)
{
    if (Length == REFUSED || (ULONG_PTR)Buffer >= (ULONG_PTR)MmHighestUserAddress)
        return FALSE;
    RtlCopyMemory(Buffer, Kept, Length);
    *Result = (IO_STATUS_BLOCK){.Status = STATUS_SUCCESS, .Information = Length};
    return TRUE;
}

static BOOLEAN NTAPI FastWrite(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, ULONG Key,
                               PVOID Buffer, PIO_STATUS_BLOCK Result, PDEVICE_OBJECT Device)
{
    RtlCopyMemory(Kept, Buffer, Length);
    *Result = (IO_STATUS_BLOCK){.Status = STATUS_SUCCESS, .Information = Length};
    return TRUE;
}

static BOOLEAN NTAPI Take(PVOID Context, BOOLEAN Wait)
{
    return TRUE;
}

static VOID NTAPI Give(PVOID Context)
{
}

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    static CACHE_MANAGER_CALLBACKS Callbacks = {Take, Give, Take, Give};
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    if (Stack->MajorFunction == IRP_MJ_CREATE) {
        Stack->FileObject->FsContext = &Header;
        Stack->FileObject->SectionObjectPointer = &Sections;
        CcInitializeCacheMap(Stack->FileObject, (PCC_FILE_SIZES)&Header.AllocationSize, FALSE, &Callbacks, NULL);
    } else if (Stack->MajorFunction == IRP_MJ_CLEANUP) {
        CcUninitializeCacheMap(Stack->FileObject, NULL, NULL);
    } else if (Stack->MajorFunction == IRP_MJ_READ) {
        RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, "as a request", Stack->Parameters.Read.Length);
        return Finish(Irp, STATUS_SUCCESS, Stack->Parameters.Read.Length);
    }
    return Finish(Irp, STATUS_SUCCESS, 0);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status = MakeDevice(Driver, L"\\Device\\Fast", L"\\??\\Fast", Dispatch);
    if (!NT_SUCCESS(Status))
        return Status;
    FastIo.SizeOfFastIoDispatch = sizeof(FastIo);
    FastIo.FastIoRead = FastRead;
    FastIo.FastIoWrite = FastWrite;
    Driver->FastIoDispatch = &FastIo;
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Dispatch;
    Driver->DeviceObject->Flags |= DO_BUFFERED_IO;
    ExInitializeFastMutex(&Mutex);
    FsRtlSetupAdvancedHeader(&Header, &Mutex);
    Header.AllocationSize.QuadPart = Header.FileSize.QuadPart = Header.ValidDataLength.QuadPart = sizeof(Kept);
    return STATUS_SUCCESS;
}
