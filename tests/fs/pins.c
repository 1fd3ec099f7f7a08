/*
 * Mapped and pinned data of a cached file: what two threads get of the same pages, what is refused without waiting, what
 * is known to be written, and what lies behind the end of the file. (docs: CcMapData, CcPinRead, CcPinMappedData,
 * CcGetFlushedValidData, CcCopyWrite)
 */
#include "../io/test.h"

#define SIZE 0x4000
#define MARK 0xdeadbabe /* at 0x3000 */
#define VIEW 0x40000    /* what the cache maps at a time */

#ifndef MAP_WAIT
#define MAP_WAIT 1
#endif

typedef struct {
    FSRTL_ADVANCED_FCB_HEADER Header;
    SECTION_OBJECT_POINTERS Sections;
    FAST_MUTEX Mutex;
} FCB;

typedef struct {
    PVOID Bcb, Buffer;
    ULONG Length;
} HELD;

static PDEVICE_OBJECT Device;
static PFILE_OBJECT File;
static FCB *Fcb;
static ULONG Reads, Writes;

static NTSTATUS NTAPI Read(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    LONGLONG Offset = Stack->Parameters.Read.ByteOffset.QuadPart;
    ULONG Length = Stack->Parameters.Read.Length;
    PMDL Mdl = Irp->MdlAddress;
    Reads++;
    CHECK((Irp->Flags & (IRP_NOCACHE | IRP_PAGING_IO)) == (IRP_NOCACHE | IRP_PAGING_IO));
    CHECK(KeGetCurrentIrql() == APC_LEVEL && Stack->FileObject == File);
    CHECK(Offset % PAGE_SIZE == 0 && Length % PAGE_SIZE == 0 && !Irp->AssociatedIrp.SystemBuffer);
    CHECK(Mdl && (Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_IO_PAGE_READ | MDL_SOURCE_IS_NONPAGED_POOL)) ==
                     (MDL_PAGES_LOCKED | MDL_IO_PAGE_READ));
    PUCHAR Buffer = MmGetSystemAddressForMdlSafe(Mdl, NormalPagePriority);
    memset(Buffer, 0xba, Length);
    if (Offset <= 0x3000 && Offset + Length > 0x3000)
        *(PULONG)(Buffer + 0x3000 - Offset) = MARK;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = Length;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Write(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    Writes++;
    CHECK(Irp->Flags & IRP_PAGING_IO && Stack->Parameters.Write.Length % PAGE_SIZE == 0);
    CHECK(KeGetCurrentIrql() < DISPATCH_LEVEL && !(Irp->MdlAddress->MdlFlags & MDL_IO_PAGE_READ));
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = Stack->Parameters.Write.Length;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Succeed(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static BOOLEAN NTAPI Take(PVOID Context, BOOLEAN Wait)
{
    return TRUE;
}

static VOID NTAPI Give(PVOID Context)
{
}

/* As a file system does it: with kernel APCs off. */
static VOID BeginFile(VOID)
{
    FsRtlEnterFileSystem();
    static CACHE_MANAGER_CALLBACKS Callbacks = {Take, Give, Take, Give};
    CC_FILE_SIZES Sizes = {{.QuadPart = SIZE}, {.QuadPart = SIZE}, {.QuadPart = SIZE}};
    Fcb = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Fcb), 'niPT');
    RtlZeroMemory(Fcb, sizeof(*Fcb));
    ExInitializeFastMutex(&Fcb->Mutex);
    FsRtlSetupAdvancedHeader(&Fcb->Header, &Fcb->Mutex);
    Fcb->Header.AllocationSize.QuadPart = Fcb->Header.FileSize.QuadPart = Fcb->Header.ValidDataLength.QuadPart = SIZE;
    File = IoCreateStreamFileObject(NULL, Device);
    File->FsContext = Fcb;
    File->SectionObjectPointer = &Fcb->Sections;
    CcInitializeCacheMap(File, &Sizes, TRUE, &Callbacks, NULL);
    CHECK(CcIsFileCached(File));
}

static VOID EndFile(VOID)
{
    LARGE_INTEGER Zero = {.QuadPart = 0};
    CACHE_UNINITIALIZE_EVENT Gone;
    KeInitializeEvent(&Gone.Event, NotificationEvent, FALSE);
    if (!CcUninitializeCacheMap(File, &Zero, &Gone))
        KeWaitForSingleObject(&Gone.Event, Executive, KernelMode, FALSE, NULL);
    FsRtlTeardownPerStreamContexts(&Fcb->Header);
    File->FsContext = NULL;
    File->SectionObjectPointer = NULL;
    ExFreePool(Fcb);
    ObDereferenceObject(File);
    FsRtlExitFileSystem();
}

static BOOLEAN Map(LONGLONG Where, ULONG Length, ULONG Flags, PVOID *Bcb, PVOID Buffer)
{
    LARGE_INTEGER Offset = {.QuadPart = Where};
    return CcMapData(File, &Offset, Length, Flags, Bcb, Buffer);
}

static BOOLEAN Pin(LONGLONG Where, ULONG Length, ULONG Flags, PVOID *Bcb, PVOID Buffer)
{
    LARGE_INTEGER Offset = {.QuadPart = Where};
    return CcPinRead(File, &Offset, Length, Flags, Bcb, Buffer);
}

/* In a thread of its own: what somebody holds already is still held by that somebody. */
static VOID Elsewhere(PKSTART_ROUTINE Routine, HELD *Held)
{
    HANDLE Thread;
    OK(PsCreateSystemThread(&Thread, 0, NULL, NULL, NULL, Routine, Held));
    OK(ZwWaitForSingleObject(Thread, FALSE, NULL));
    OK(ZwClose(Thread));
}

static VOID the_data_are_the_files(VOID)
{
    for (ULONG i = 0; i < 6; i++) {
        ULONG Start = i % 3 * 0x1000;
        PUCHAR Buffer;
        PVOID Bcb;
        BeginFile();
        CHECK(i < 3 ? Map(Start, SIZE - Start, MAP_WAIT, &Bcb, &Buffer)
                    : Pin(Start, SIZE - Start, PIN_WAIT, &Bcb, &Buffer));
        CHECK(*(PULONG)(Buffer + 0x3000 - Start) == MARK && Buffer[0] == 0xba);
        CcUnpinData(Bcb);
        EndFile();
    }
}

static VOID NTAPI MapAgain(PVOID Context)
{
    HELD *Held = Context;
    PVOID Bcb, Buffer;
    FsRtlEnterFileSystem();
    CHECK(Map(0x1000, Held->Length, MAP_WAIT, &Bcb, &Buffer) && Buffer == Held->Buffer);
    CcUnpinData(Bcb);
    CHECK(Pin(0x1000, Held->Length, PIN_WAIT, &Bcb, &Buffer) && Bcb != Held->Bcb && Buffer == Held->Buffer);
    CcUnpinData(Bcb);
    CHECK(!Pin(0x1000, Held->Length, PIN_IF_BCB, &Bcb, &Buffer)); /* what is mapped is not pinned */
    CHECK(Pin(0x1000, Held->Length, PIN_WAIT | PIN_EXCLUSIVE, &Bcb, &Buffer) && Buffer == Held->Buffer);
    CcUnpinData(Bcb);
    CHECK(Map(0x1500, Held->Length - 0x500, MAP_WAIT, &Bcb, &Buffer) && Buffer == (PUCHAR)Held->Buffer + 0x500);
    CcUnpinData(Bcb);
    FsRtlExitFileSystem();
}

static VOID what_is_mapped_is_mapped_for_all(VOID)
{
    HELD Held = {.Length = SIZE - 0x1000};
    BeginFile();
    CHECK(Map(0x1000, Held.Length, MAP_WAIT, &Held.Bcb, &Held.Buffer));
    Elsewhere(MapAgain, &Held);
    Held.Length -= 0x1000;
    Elsewhere(MapAgain, &Held);
    CcUnpinData(Held.Bcb);
    EndFile();
}

static VOID NTAPI PinAgain(PVOID Context)
{
    HELD *Held = Context;
    PVOID Bcb, Buffer;
    FsRtlEnterFileSystem();
    for (ULONG Into = 0; Into <= 0x500; Into += 0x500)
        for (ULONG Only = 0; Only < 2; Only++) {
            CHECK(Pin(0x1000 + Into, Held->Length - Into, PIN_WAIT | (Only ? PIN_IF_BCB : 0), &Bcb, &Buffer));
            CHECK(Bcb == Held->Bcb && Buffer == (PUCHAR)Held->Buffer + Into);
            CcUnpinData(Bcb);
        }
    CHECK(Map(0x1000, Held->Length, MAP_WAIT, &Bcb, &Buffer) && Bcb != Held->Bcb && Buffer == Held->Buffer);
    CcUnpinData(Bcb);
    FsRtlExitFileSystem();
}

static VOID NTAPI PinInVain(PVOID Context)
{
    HELD *Held = Context;
    PVOID Bcb, Buffer;
    FsRtlEnterFileSystem();
    CHECK(!Pin(0x1000, Held->Length, PIN_EXCLUSIVE, &Bcb, &Buffer));
    CHECK(!Pin(0x1500, Held->Length - 0x500, PIN_IF_BCB, &Bcb, &Buffer));
    CHECK(!Pin(0x1500, Held->Length - 0x500, 0, &Bcb, &Buffer));
    CHECK(Map(0x1500, Held->Length - 0x500, 0, &Bcb, &Buffer) && Bcb != Held->Bcb);
    CHECK(Buffer == (PUCHAR)Held->Buffer + 0x500);
    CcUnpinData(Bcb);
    FsRtlExitFileSystem();
}

static VOID what_is_pinned_is_shared_or_one_threads(VOID)
{
    HELD Held = {.Length = SIZE - 0x1000};
    BeginFile();
    CHECK(!Pin(0x1000, Held.Length, PIN_WAIT | PIN_IF_BCB, &Held.Bcb, &Held.Buffer)); /* nobody has pinned it */
    CHECK(Pin(0x1000, Held.Length, PIN_WAIT, &Held.Bcb, &Held.Buffer));
    Elsewhere(PinAgain, &Held);
    Held.Length -= 0x1000;
    Elsewhere(PinAgain, &Held);
    CcUnpinData(Held.Bcb);
    Held.Length = SIZE - 0x1000;
    CHECK(Pin(0x1000, Held.Length, PIN_WAIT | PIN_EXCLUSIVE, &Held.Bcb, &Held.Buffer));
    Elsewhere(PinInVain, &Held);
    CcUnpinData(Held.Bcb);
    EndFile();
}

static VOID NTAPI PinTheMapped(PVOID Context)
{
    LARGE_INTEGER Start = {.QuadPart = 0};
    HELD *Held = Context;
    PVOID Bcb, Pinned, Buffer;
    FsRtlEnterFileSystem();
    CHECK(Map(0, SIZE, MAP_WAIT, &Bcb, &Buffer) && Bcb != Held->Bcb && Buffer == Held->Buffer);
    Pinned = Bcb;
    CHECK(!CcPinMappedData(File, &Start, SIZE, PIN_EXCLUSIVE, &Pinned) && Pinned == Bcb);
    if (Held->Length) /* shared: a second one gets the same block */
        CHECK(CcPinMappedData(File, &Start, SIZE, PIN_WAIT, &Pinned) && Pinned == Held->Bcb);
    else
        CHECK(!CcPinMappedData(File, &Start, SIZE, 0, &Pinned) && Pinned == Bcb);
    CcUnpinData(Pinned);
    FsRtlExitFileSystem();
}

/* docs: CcPinMappedData: the mapped block becomes a pinned one, which all who pin share. */
static VOID what_is_mapped_becomes_pinned(VOID)
{
    LARGE_INTEGER Start = {.QuadPart = 0};
    PVOID Bcb, Pinned, Buffer;
    HELD Held;
    BeginFile();
    CHECK(Map(0, SIZE, MAP_WAIT, &Bcb, &Buffer));
    Pinned = Bcb;
    CHECK(!CcPinMappedData(File, &Start, SIZE, PIN_WAIT | PIN_IF_BCB, &Pinned) && Pinned == Bcb);
    CHECK(CcPinMappedData(File, &Start, SIZE, PIN_WAIT, &Pinned) && *(PUSHORT)Pinned == 0x2fd);
    CcUnpinData(Pinned);
    for (Held.Length = 0; Held.Length < 2; Held.Length++) {
        CHECK(Pin(0, SIZE, PIN_WAIT | (Held.Length ? 0 : PIN_EXCLUSIVE), &Held.Bcb, &Held.Buffer));
        Elsewhere(PinTheMapped, &Held);
        CcUnpinData(Held.Bcb);
    }
    EndFile();
}

static VOID Dirty(LONGLONG Where)
{
    PVOID Bcb, Buffer;
    CHECK(Pin(Where, PAGE_SIZE, PIN_WAIT, &Bcb, &Buffer));
    CcSetDirtyPinnedData(Bcb, NULL);
    CcUnpinData(Bcb);
}

/* docs: CcGetFlushedValidData: up to the first byte that was not written; of a file that is not cached, no limit. */
static VOID what_is_flushed_is_known(VOID)
{
    static SECTION_OBJECT_POINTERS Nothing;
    IO_STATUS_BLOCK Iosb;
    CHECK(CcGetFlushedValidData(&Nothing, FALSE).QuadPart == MAXLONGLONG);
    BeginFile();
    CcSetAdditionalCacheAttributes(File, FALSE, TRUE); /* no lazy writer */
    CHECK(CcGetFlushedValidData(&Fcb->Sections, FALSE).QuadPart == SIZE);
    Dirty(0x2000);
    CHECK(CcGetFlushedValidData(&Fcb->Sections, FALSE).QuadPart == 0x2000);
    Dirty(0);
    CHECK(CcGetFlushedValidData(&Fcb->Sections, FALSE).QuadPart == 0 && !Writes);
    CcFlushCache(&Fcb->Sections, NULL, 0, &Iosb);
    OK(Iosb.Status);
    CHECK(CcGetFlushedValidData(&Fcb->Sections, FALSE).QuadPart == SIZE && Writes);
    EndFile();
}

/* Only what is written in part is read before; without waiting it must be there. A buffer that is not there is the
 * caller's mistake, whatever the fault was. */
static VOID writes_read_what_they_must(VOID)
{
    LARGE_INTEGER Offset = {.QuadPart = 0};
    UCHAR Buffer[16] = {0};
    BeginFile();
    Reads = 0;
    CHECK(CcCopyWrite(File, &Offset, 0, TRUE, NULL) && !Reads);
    Offset.QuadPart = 2 * PAGE_SIZE;
    CHECK(CcCopyWrite(File, &Offset, 10, TRUE, Buffer) && Reads == 1);
    CHECK(CcCopyWrite(File, &Offset, 10, FALSE, Buffer) && Reads == 1);
    Offset.QuadPart = PAGE_SIZE;
    CHECK(!CcCopyWrite(File, &Offset, 10, FALSE, Buffer));
    EndFile();
}

/* The section is as long as whole views: a page behind the file's end is in it, a view behind it is not. */
static VOID there_is_little_behind_the_end(VOID)
{
    PVOID Bcb, Buffer;
    for (ULONG Pins = 0; Pins < 2; Pins++) {
        BOOLEAN (*Get)(LONGLONG, ULONG, ULONG, PVOID *, PVOID) = Pins ? Pin : Map;
        BeginFile();
        if (CHECK(Get(SIZE + 0x1000, 0x1000, MAP_WAIT, &Bcb, &Buffer)))
            CcUnpinData(Bcb);
        CHECK(!Get(0, 0x1000 + VIEW, 0, &Bcb, &Buffer)); /* never more than a view */
        EndFile();
    }
}

static VOID make_the_device(VOID)
{
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Succeed;
    Driver->MajorFunction[IRP_MJ_READ] = Read;
    Driver->MajorFunction[IRP_MJ_WRITE] = Write;
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Device));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
}

static VOID delete_the_device(VOID)
{
    IoDeleteDevice(Device);
}

TEST_MAIN(make_the_device, the_data_are_the_files, what_is_mapped_is_mapped_for_all,
          what_is_pinned_is_shared_or_one_threads, what_is_mapped_becomes_pinned, what_is_flushed_is_known,
          writes_read_what_they_must, there_is_little_behind_the_end, delete_the_device)
