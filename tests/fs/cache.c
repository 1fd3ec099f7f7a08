/* The cache manager's routines one by one, over the test file system (docs: CcMapData, CcPinRead, CcSetFileSizes, ...).
 */
#include "testfs.h"

static HANDLE File;
static PFILE_OBJECT Object;
static PFCB Fcb;

static VOID OpenFilled(VOID)
{
    static UCHAR Pattern[0x3000];
    LARGE_INTEGER Zero = {.QuadPart = 0};
    for (ULONG i = 0; i < sizeof(Pattern); i++)
        Pattern[i] = (UCHAR)(i / PAGE_SIZE * 16 + i % 13);
    OK(Open(L"\\Device\\TestDisk\\f", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN_IF, SYNC, &File));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Pattern, sizeof(Pattern), &Zero, NULL));
    OK(ZwFlushBuffersFile(File, &Iosb));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    Fcb = Object->FsContext;
    Zero.QuadPart = 0;
}

static VOID CloseFilled(VOID)
{
    ObDereferenceObject(Object);
    OK(ZwClose(File));
}

static VOID a_map_is_counted_and_found(VOID)
{
    CHECK(StartFileSystem());
    OpenFilled();
    CHECK(CcIsFileCached(Object) && Object->PrivateCacheMap);
    CHECK(CcGetFileSizePointer(Object)->QuadPart == 0x3000);
    CHECK(CcGetFileObjectFromSectionPtrs(&Fcb->Section) == Object);
    OK(CcWaitForCurrentLazyWriterActivity()); /* the directory's entry as well */
    CHECK(!CcIsThereDirtyData(Disk->Vpb));
    CHECK(CcGetFlushedValidData(&Fcb->Section, FALSE).QuadPart == 0x3000);
}

static VOID mapped_data_is_the_files(VOID)
{
    LARGE_INTEGER At = {.QuadPart = 0x1004};
    PVOID Bcb, Again;
    PUCHAR Buffer, Second;
    CHECK(CcMapData(Object, &At, 8, MAP_WAIT, &Bcb, (PVOID *)&Buffer));
    CHECK(Buffer[0] == (UCHAR)(16 + 0x1004 % 13));
    CHECK(CcMapData(Object, &At, 8, 0, &Again, (PVOID *)&Second)); /* there already */
    CHECK(Second == Buffer);
    CHECK(!CcPurgeCacheSection(&Fcb->Section, NULL, 0, 0)); /* in use */
    CcUnpinData(Again);
    CcUnpinData(Bcb);
    CHECK(CcPurgeCacheSection(&Fcb->Section, NULL, 0, 0));
    CHECK(!CcMapData(Object, &At, 8, 0, &Bcb, (PVOID *)&Buffer)); /* would have to wait */
}

static VOID pins_are_shared_and_exclusive(VOID)
{
    LARGE_INTEGER At = {.QuadPart = 0x1010}, Inside = {.QuadPart = 0x1800};
    PVOID Bcb, Same;
    PUCHAR Buffer, Second;
    FsRtlEnterFileSystem();
    CHECK(!CcPinRead(Object, &At, 16, PIN_IF_BCB | PIN_WAIT, &Bcb, (PVOID *)&Buffer));
    CHECK(CcPinRead(Object, &At, 16, PIN_WAIT, &Bcb, (PVOID *)&Buffer));
    PPUBLIC_BCB Public = Bcb;
    CHECK(Public->NodeTypeCode == 0x2fd && Public->MappedLength == PAGE_SIZE &&
          Public->MappedFileOffset.QuadPart == 0x1000);
    CHECK(CcPinRead(Object, &Inside, 16, PIN_WAIT, &Same, (PVOID *)&Second));
    CHECK(Same == Bcb && Second == Buffer + 0x7f0);
    CHECK(CcGetFileObjectFromBcb(Bcb) == Object);
    Buffer[0] = 0xaa;
    CcSetDirtyPinnedData(Bcb, NULL);
    CcUnpinData(Same);
    CcUnpinData(Bcb);
    CHECK(CcIsThereDirtyData(Disk->Vpb));
    CHECK(CcGetFlushedValidData(&Fcb->Section, FALSE).QuadPart == 0x1000);
    CcFlushCache(&Fcb->Section, &At, 16, &Iosb);
    OK(Iosb.Status);
    CHECK(!CcIsThereDirtyData(Disk->Vpb) && DiskMemory[Fcb->DiskOffset + 0x1010] == 0xaa);
    FsRtlExitFileSystem();
}

static VOID a_mapped_piece_becomes_pinned(VOID)
{
    LARGE_INTEGER At = {.QuadPart = 0x2000};
    PVOID Bcb, Mapped;
    PUCHAR Buffer;
    FsRtlEnterFileSystem();
    CHECK(CcMapData(Object, &At, 64, MAP_WAIT, &Bcb, (PVOID *)&Buffer));
    Mapped = Bcb;
    CHECK(CcPinMappedData(Object, &At, 64, PIN_WAIT, &Bcb));
    CHECK(((PPUBLIC_BCB)Bcb)->MappedFileOffset.QuadPart == 0x2000 && Bcb != Mapped);
    CHECK(CcPinMappedData(Object, &At, 64, PIN_WAIT, &Bcb)); /* is pinned */
    CcRepinBcb(Bcb);
    Buffer[1] = 0xbb;
    CcSetDirtyPinnedData(Bcb, NULL);
    CcUnpinData(Bcb);
    CcUnpinRepinnedBcb(Bcb, TRUE, &Iosb);
    OK(Iosb.Status);
    CHECK(DiskMemory[Fcb->DiskOffset + 0x2001] == 0xbb);
    FsRtlExitFileSystem();
}

static VOID whole_pages_are_written_without_a_read(VOID)
{
    LARGE_INTEGER At = {.QuadPart = 0x1000}, Part = {.QuadPart = 0x2100};
    static UCHAR Page[PAGE_SIZE];
    CHECK(CcPurgeCacheSection(&Fcb->Section, NULL, 0, 0));
    ULONG Reads = Did.PagingReads;
    memset(Page, 0x5c, sizeof(Page));
    CHECK(CcCopyWrite(Object, &At, PAGE_SIZE, TRUE, Page));
    CHECK(Did.PagingReads == Reads);
    CHECK(!CcCopyWrite(Object, &Part, 16, FALSE, Page)); /* a part: would have to read */
    CHECK(CcCopyWrite(Object, &Part, 16, TRUE, Page));
    CHECK(Did.PagingReads == Reads + 1 && Did.LastReadOffset == 0x2000 && Did.LastReadBytes == PAGE_SIZE);
    OK(ZwFlushBuffersFile(File, &Iosb));
    CHECK(Did.LastWriteOffset == 0x1000 && Did.LastWriteBytes == 2 * PAGE_SIZE); /* in one */
    CHECK(DiskMemory[Fcb->DiskOffset + 0x2100] == 0x5c && DiskMemory[Fcb->DiskOffset + 0x2110] != 0x5c);
}

static VOID mdls_describe_the_cache(VOID)
{
    LARGE_INTEGER At = {.QuadPart = 0x1800};
    PMDL Chain = NULL;
    CcMdlRead(Object, &At, 0x1000, &Chain, &Iosb);
    OK(Iosb.Status);
    CHECK(Chain && Iosb.Information == 0x1000 && MmGetMdlByteCount(Chain) == 0x1000 && !Chain->Next);
    CHECK(((PUCHAR)MmGetSystemAddressForMdlSafe(Chain, NormalPagePriority))[0] == 0x5c);
    CcMdlReadComplete(Object, Chain);
    Chain = NULL;
    CcPrepareMdlWrite(Object, &At, 16, &Chain, &Iosb);
    memset(MmGetSystemAddressForMdlSafe(Chain, NormalPagePriority), 0x77, 16);
    CcMdlWriteComplete(Object, &At, Chain);
    OK(ZwFlushBuffersFile(File, &Iosb));
    CHECK(DiskMemory[Fcb->DiskOffset + 0x1800] == 0x77 && DiskMemory[Fcb->DiskOffset + 0x1810] == 0x5c);
}

static VOID a_shorter_file_loses_its_end(VOID)
{
    FILE_END_OF_FILE_INFORMATION End = {.EndOfFile.QuadPart = 0x1804};
    LARGE_INTEGER At = {.QuadPart = 0x1800}, Far = {.QuadPart = 0x2fff};
    UCHAR Buffer[16];
    OK(ZwSetInformationFile(File, &Iosb, &End, sizeof(End), FileEndOfFileInformation));
    CHECK(CcGetFileSizePointer(Object)->QuadPart == 0x1804);
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, "z", 1, &Far, NULL));
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, 16, &At, NULL));
    CHECK(Buffer[3] == 0x77 && Buffer[4] == 0 && Buffer[15] == 0); /* what was cut off is zero */
}

static VOID zeroing_and_the_log(VOID)
{
    LARGE_INTEGER From = {.QuadPart = 0x10}, To = {.QuadPart = 0x1010};
    UCHAR Buffer[1];
    CHECK(CcZeroData(Object, &From, &To, TRUE));
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, 1, &From, NULL));
    CHECK(Buffer[0] == 0);
    CHECK(CcCanIWrite(Object, 100, FALSE, FALSE));
    OK(CcWaitForCurrentLazyWriterActivity());
    CHECK(!CcIsThereDirtyData(Disk->Vpb));
}

static LARGE_INTEGER Flushed;

static VOID NTAPI FlushToLsn(PVOID Handle, LARGE_INTEGER Lsn)
{
    CHECK(Handle == &Flushed);
    Flushed = Lsn;
}

static VOID NTAPI CountDirty(PFILE_OBJECT Cached, PLARGE_INTEGER Offset, ULONG Length, PLARGE_INTEGER Oldest,
                             PLARGE_INTEGER Newest, PVOID Count, PVOID Unused)
{
    CHECK(Cached == Object && Offset->QuadPart == 0 && Length == PAGE_SIZE && Oldest->QuadPart == 5 &&
          Newest->QuadPart == 9);
    ++*(PULONG)Count;
}

static VOID the_log_is_written_first(VOID)
{
    LARGE_INTEGER At = {.QuadPart = 0}, First = {.QuadPart = 5}, Second = {.QuadPart = 9};
    ULONG Count = 0;
    PVOID Bcb;
    PUCHAR Buffer;
    FsRtlEnterFileSystem();
    CcSetLogHandleForFile(Object, &Flushed, FlushToLsn);
    CHECK(CcPinRead(Object, &At, 16, PIN_WAIT | PIN_EXCLUSIVE, &Bcb, (PVOID *)&Buffer));
    CcSetDirtyPinnedData(Bcb, &Second);
    CcSetDirtyPinnedData(Bcb, &First);
    CcUnpinData(Bcb);
    CHECK(CcGetDirtyPages(&Flushed, CountDirty, &Count, NULL).QuadPart == 5 && Count == 1);
    CcFlushCache(&Fcb->Section, NULL, 0, &Iosb);
    CHECK(Flushed.QuadPart == 9);
    CHECK(CcGetDirtyPages(&Flushed, CountDirty, &Count, NULL).QuadPart == 0 && Count == 1);
    FsRtlExitFileSystem();
}

static VOID sequential_reads_are_read_ahead(VOID)
{
    static UCHAR Big[SLOT_BYTES];
    LARGE_INTEGER At = {.QuadPart = 0};
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Big, sizeof(Big), &At, NULL));
    OK(ZwFlushBuffersFile(File, &Iosb));
    CHECK(CcPurgeCacheSection(&Fcb->Section, NULL, 0, 0));
    ULONG Ahead = Did.AheadLocks;
    for (ULONG i = 0; i < 4; i++, At.QuadPart += PAGE_SIZE)
        OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Big, PAGE_SIZE, &At, NULL));
    Sleep(1);
    CHECK(Did.AheadLocks > Ahead);
    ULONG Reads = Did.PagingReads;
    At.QuadPart = 0x8000;
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Big, PAGE_SIZE, &At, NULL));
    CHECK(Did.PagingReads == Reads); /* was there */
}

static VOID pages_written_behind_the_caches_back_are_marked(VOID)
{
    LARGE_INTEGER At = {.QuadPart = 0};
    PVOID Bcb;
    PUCHAR Buffer;
    CcFlushCache(&Fcb->Section, NULL, 0, &Iosb);
    CHECK(CcMapData(Object, &At, 16, MAP_WAIT, &Bcb, (PVOID *)&Buffer));
    ULONG Writes = Did.PagingWrites;
    Buffer[3] = 0x5a;
    CHECK(!MmSetAddressRangeModified(&Failures, 4)); /* not the cache's */
    CHECK(MmSetAddressRangeModified(Buffer + 3, 1));
    CHECK(!MmSetAddressRangeModified(Buffer + 3, 1)); /* it is already */
    CcUnpinData(Bcb);
    CcFlushCache(&Fcb->Section, NULL, 0, &Iosb);
    CHECK(Did.PagingWrites == Writes + 1);
    CHECK(CcPurgeCacheSection(&Fcb->Section, NULL, 0, 0));
    CHECK(CcMapData(Object, &At, 16, MAP_WAIT, &Bcb, (PVOID *)&Buffer));
    CHECK(Buffer[3] == 0x5a);
    CcUnpinData(Bcb);
}

static VOID pages_are_fetched_beforehand(VOID)
{
    struct {
        READ_LIST List;
        FILE_SEGMENT_ELEMENT More[2];
    } Wanted = {.List = {.FileObject = Object, .NumberOfEntries = 3}};
    PREAD_LIST Lists[1] = {&Wanted.List};
    LARGE_INTEGER At = {.QuadPart = 0x2000};
    PVOID Bcb;
    PUCHAR Buffer;
    FILE_OBJECT Other = {0};
    Wanted.List.List[0].Alignment = 0x1000;
    Wanted.List.List[1].Alignment = 0x2000;
    Wanted.List.List[2].Alignment = 0x7fff0000; /* behind the end */
    CHECK(CcPurgeCacheSection(&Fcb->Section, NULL, 0, 0));
    ULONG Reads = Did.PagingReads;
    OK(MmPrefetchPages(1, Lists));
    CHECK(Did.PagingReads == Reads + 2);
    CHECK(CcMapData(Object, &At, 16, 0, &Bcb, (PVOID *)&Buffer)); /* there already */
    CcUnpinData(Bcb);
    OK(MmPrefetchPages(1, Lists));
    CHECK(Did.PagingReads == Reads + 2);
    Wanted.List.FileObject = &Other;
    STATUS(MmPrefetchPages(1, Lists), STATUS_INVALID_PARAMETER);
}

static VOID what_was_left_behind_is_given_up(VOID)
{
    static UCHAR Piece[0x10000];
    LARGE_INTEGER At = {.QuadPart = 0x40000};
    FILE_END_OF_FILE_INFORMATION End = {.EndOfFile.QuadPart = 0x80000};
    PVOID Bcb;
    PUCHAR Buffer;
    OK(ZwSetInformationFile(File, &Iosb, &End, sizeof(End), FileEndOfFileInformation));
    CcSetAdditionalCacheAttributesEx(Object, CC_AGGRESSIVE_UNMAP_BEHIND | CC_DISABLE_READ_AHEAD);
    for (At.QuadPart = 0x30000; At.QuadPart < 0x50000; At.QuadPart += sizeof(Piece))
        OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Piece, sizeof(Piece), &At, NULL));
    At.QuadPart = 0x30000;
    CHECK(!CcMapData(Object, &At, 16, 0, &Bcb, (PVOID *)&Buffer)); /* would have to be read */
    CcSetAdditionalCacheAttributesEx(Object, 0);
}

static VOID the_cache_lets_go(VOID)
{
    CloseFilled();
    Sleep(5);
    CHECK(IsListEmpty(&Fcbs) && !Did.BadPaging);
    StopFileSystem();
}

TEST_MAIN(a_map_is_counted_and_found, mapped_data_is_the_files, pins_are_shared_and_exclusive,
          a_mapped_piece_becomes_pinned, whole_pages_are_written_without_a_read, mdls_describe_the_cache,
          a_shorter_file_loses_its_end, zeroing_and_the_log, the_log_is_written_first, sequential_reads_are_read_ahead,
          pages_written_behind_the_caches_back_are_marked, pages_are_fetched_beforehand,
          what_was_left_behind_is_given_up, the_cache_lets_go)
