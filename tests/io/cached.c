/*
 * Reading and writing through a file that is cached: the fast routine is asked first, with the caller's own buffer, and
 * what it refuses or ends otherwise goes as a request. Every status, at once and pending, with and without the fast way:
 * what the service returns, and whether the status block, the event and the buffer hear of it.
 * (docs: FAST_IO_DISPATCH, FastIoRead, ZwReadFile, IoCompleteRequest)
 */
#include "test.h"

#define SIZE 17
#define KEY_FAST 0x100
#define KEY_PENDING 0x200

static const NTSTATUS Statuses[] = {
    STATUS_SUCCESS,         STATUS_WAIT_1,          STATUS_OBJECT_NAME_EXISTS, STATUS_DATATYPE_MISALIGNMENT,
    STATUS_BUFFER_OVERFLOW, STATUS_PARTIAL_COPY,    STATUS_DEVICE_BUSY,        STATUS_VERIFY_REQUIRED,
    STATUS_UNSUCCESSFUL,    STATUS_NOT_IMPLEMENTED, STATUS_ACCESS_VIOLATION,   STATUS_IN_PAGE_ERROR,
    STATUS_END_OF_FILE,     STATUS_ACCESS_DENIED};

typedef struct {
    FSRTL_ADVANCED_FCB_HEADER Header;
    SECTION_OBJECT_POINTERS Sections;
    FAST_MUTEX Mutex;
} FCB;

static PDEVICE_OBJECT Device;
static ULONG FastCalls, Requests;
static PVOID FastBuffer;
static BOOLEAN Cached;

static NTSTATUS Move(BOOLEAN Read, PUCHAR Buffer, ULONG Length, ULONG Key, PIO_STATUS_BLOCK Result)
{
    if (Read && !Length) {
        *Result = (IO_STATUS_BLOCK){.Status = STATUS_BUFFER_OVERFLOW, .Information = SIZE};
    } else {
        Length = Read ? min(Length, SIZE) : Length;
        if (Read)
            memset(Buffer, (UCHAR)(Key >> 16), Length);
        else
            for (ULONG i = 0; i < Length; i++)
                CHECK(Buffer[i] == 0x33);
        *Result = (IO_STATUS_BLOCK){.Status = Statuses[Key & 0xff], .Information = Length};
    }
    return Key & KEY_PENDING ? STATUS_PENDING : Result->Status;
}

static BOOLEAN Fast(BOOLEAN Read, PFILE_OBJECT File, ULONG Length, BOOLEAN Wait, ULONG Key, PVOID Buffer,
                    PIO_STATUS_BLOCK Result, PDEVICE_OBJECT Of)
{
    FastCalls++;
    FastBuffer = Buffer;
    CHECK(Cached && Wait && Of == Device && KeGetCurrentIrql() == PASSIVE_LEVEL);
    return Move(Read, Buffer, Length, Key, Result) != STATUS_PENDING && (Key & KEY_FAST) != 0;
}

static BOOLEAN NTAPI FastRead(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, ULONG Key,
                              PVOID Buffer, PIO_STATUS_BLOCK Result, PDEVICE_OBJECT Of)
{
    return Fast(TRUE, File, Length, Wait, Key, Buffer, Result, Of);
}

static BOOLEAN NTAPI FastWrite(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, ULONG Key,
                               PVOID Buffer, PIO_STATUS_BLOCK Result, PDEVICE_OBJECT Of)
{
    return Fast(FALSE, File, Length, Wait, Key, Buffer, Result, Of);
}

static FAST_IO_DISPATCH FastIo = {
    .SizeOfFastIoDispatch = sizeof(FastIo), .FastIoRead = FastRead, .FastIoWrite = FastWrite};

static BOOLEAN NTAPI NeverAcquired(PVOID Context, BOOLEAN Wait)
{
    CHECK(!"called back by the cache");
    return TRUE;
}

static VOID NTAPI NeverReleased(PVOID Context)
{
    CHECK(!"called back by the cache");
}

static VOID OpenFile(PFILE_OBJECT File)
{
    static CACHE_MANAGER_CALLBACKS Callbacks = {NeverAcquired, NeverReleased, NeverAcquired, NeverReleased};
    FCB *Fcb = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Fcb), 'FoiT');
    RtlZeroMemory(Fcb, sizeof(*Fcb));
    ExInitializeFastMutex(&Fcb->Mutex);
    FsRtlSetupAdvancedHeader(&Fcb->Header, &Fcb->Mutex);
    Fcb->Header.AllocationSize.QuadPart = Fcb->Header.FileSize.QuadPart = Fcb->Header.ValidDataLength.QuadPart = SIZE;
    File->FsContext = Fcb;
    File->SectionObjectPointer = &Fcb->Sections;
    if (Cached)
        CcInitializeCacheMap(File, (PCC_FILE_SIZES)&Fcb->Header.AllocationSize, FALSE, &Callbacks, NULL);
}

static VOID CloseFile(PFILE_OBJECT File)
{
    CACHE_UNINITIALIZE_EVENT Gone;
    FCB *Fcb = File->FsContext;
    KeInitializeEvent(&Gone.Event, NotificationEvent, FALSE);
    if (!CcUninitializeCacheMap(File, NULL, &Gone))
        KeWaitForSingleObject(&Gone.Event, Executive, KernelMode, FALSE, NULL);
    FsRtlTeardownPerStreamContexts(&Fcb->Header);
    ExFreePool(Fcb);
    File->FsContext = NULL;
}

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = STATUS_SUCCESS;
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    Irp->IoStatus.Information = 0;
    if (Stack->MajorFunction == IRP_MJ_CREATE) {
        OpenFile(Stack->FileObject);
    } else if (Stack->MajorFunction == IRP_MJ_CLEANUP) {
        CloseFile(Stack->FileObject);
    } else if (Stack->MajorFunction != IRP_MJ_CLOSE) {
        Requests++;
        Status = Move(Stack->MajorFunction == IRP_MJ_READ, Irp->AssociatedIrp.SystemBuffer,
                      Stack->Parameters.Read.Length, Stack->Parameters.Read.Key, &Irp->IoStatus);
    }
    if (Status == STATUS_PENDING)
        IoMarkIrpPending(Irp);
    else
        Irp->IoStatus.Status = Status;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static HANDLE Open(PCWSTR Text)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    IO_STATUS_BLOCK Iosb;
    HANDLE File = NULL;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateFile(&File, FILE_ALL_ACCESS, &Attributes, &Iosb, NULL, 0, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT,
                    NULL, 0));
    return File;
}

static VOID One(HANDLE File, HANDLE Event, BOOLEAN Read, ULONG Key, ULONG Length)
{
    NTSTATUS Status = Read && !Length ? STATUS_BUFFER_OVERFLOW : Statuses[Key & 0xff];
    BOOLEAN Error = NT_ERROR(Status);
    BOOLEAN DoneFast = Cached && (Key & KEY_FAST) && !(Key & KEY_PENDING) &&
                       (Status == STATUS_SUCCESS || Status == STATUS_BUFFER_OVERFLOW || Status == STATUS_END_OF_FILE);
    IO_STATUS_BLOCK Iosb = {.Status = 0x55555555, .Information = 0x55555555};
    LARGE_INTEGER Offset = {0};
    UCHAR Buffer[32];
    memset(Buffer, Read ? 0x55 : 0x33, sizeof(Buffer));
    FastCalls = Requests = 0;
    NTSTATUS Got = Read ? ZwReadFile(File, Event, NULL, NULL, &Iosb, Buffer, Length, &Offset, &Key)
                        : ZwWriteFile(File, Event, NULL, NULL, &Iosb, Buffer, Length, &Offset, &Key);
    STATUS(Got, Status);
    CHECK(FastCalls == (Cached ? 1u : 0u) && Requests == (DoneFast ? 0u : 1u));
    if (Cached)
        CHECK(FastBuffer == Buffer);
    if (DoneFast || !Error) {
        CHECK(Iosb.Status == Status && Iosb.Information == (Read ? SIZE : Length));
        CHECK(ZwWaitForSingleObject(Event, FALSE, &Offset) == STATUS_SUCCESS);
    } else {
        CHECK(Iosb.Status == 0x55555555 && Iosb.Information == 0x55555555);
        CHECK(ZwWaitForSingleObject(Event, FALSE, &Offset) == STATUS_TIMEOUT);
    }
    if (Read && Length) {
        /* a request's answer is copied unless it is an error, or is to be asked again; the fast routine has written it */
        BOOLEAN Written = Cached || (!Error && Status != STATUS_VERIFY_REQUIRED);
        CHECK(Buffer[0] == (Written ? 0x44 : 0x55) && Buffer[SIZE - 1] == Buffer[0] && Buffer[SIZE] == 0x55);
    } else if (Read)
        CHECK(Buffer[0] == 0x55);
}

static VOID every_status_reaches_whom_it_should(VOID)
{
    HANDLE Event, File;
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    for (Cached = FALSE; Cached <= TRUE; Cached++) {
        File = Open(L"\\Device\\IrqlabCached\\file");
        for (ULONG Key = 0; Key < 4 * RTL_NUMBER_OF(Statuses); Key++) {
            ULONG Full = Key % RTL_NUMBER_OF(Statuses) | (Key / RTL_NUMBER_OF(Statuses)) << 8 | 0x440000;
            One(File, Event, TRUE, Full, 32);
            One(File, Event, FALSE, Full, 32);
            One(File, Event, FALSE, Full, 0);
            if (!(Full & KEY_PENDING))
                One(File, Event, TRUE, Full, 0);
        }
        OK(ZwClose(File));
    }
    OK(ZwClose(Event));
}

static VOID make_the_device(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\IrqlabCached");
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Dispatch;
    Driver->FastIoDispatch = &FastIo;
    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    Device->Flags |= DO_BUFFERED_IO;
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
}

static VOID delete_the_device(VOID)
{
    IoDeleteDevice(Device);
}

TEST_MAIN(make_the_device, every_status_reaches_whom_it_should, delete_the_device)
