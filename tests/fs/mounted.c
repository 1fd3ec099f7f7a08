/* A file system driver under the kernel: mounted at the first open, its files cached, locked, watched, deleted. */
#include "testfs.h"

static VOID the_first_open_mounts(VOID)
{
    HANDLE File;
    CHECK(StartFileSystem());
    CHECK(Disk->Vpb && !(Disk->Vpb->Flags & VPB_MOUNTED));
    STATUS(Open(L"\\Device\\TestDisk\\none", GENERIC_READ, SHARED, FILE_OPEN, SYNC, &File),
           STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Did.Mounts == 1 && (Disk->Vpb->Flags & VPB_MOUNTED) && Disk->Vpb->DeviceObject == Volume);
    OK(Open(L"\\Device\\TestDisk\\one", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_CREATE, SYNC, &File));
    CHECK(Iosb.Information == FILE_CREATED && Did.Mounts == 1);
    PFILE_OBJECT Object;
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    CHECK(Object->DeviceObject == Disk);
    CHECK(IoGetRelatedDeviceObject(Object) == Volume && IoGetBaseFileSystemDeviceObject(Object) == Volume);
    PDEVICE_OBJECT Below;
    OK(IoGetDiskDeviceObject(Volume, &Below));
    CHECK(Below == Disk);
    ObDereferenceObject(Below);
    STATUS(IoGetDiskDeviceObject(Control, &Below), STATUS_INVALID_PARAMETER);
    ObDereferenceObject(Object);
    OK(ZwClose(File));
    OK(IoVerifyVolume(Disk, FALSE));
    CHECK(Did.Verifies == 1);
    FILE_FS_SECTOR_SIZE_INFORMATION Sizes;
    GUID Guid;
    OK(FsRtlGetSectorSizeInformation(Disk, &Sizes));
    CHECK(Sizes.LogicalBytesPerSector == 512 && Sizes.PhysicalBytesPerSectorForAtomicity == 512);
    STATUS(FsRtlGetSectorSizeInformation(Volume, &Sizes), STATUS_INVALID_DEVICE_REQUEST); /* no geometry, no answer */
    STATUS(IoVolumeDeviceToGuid(Disk, &Guid), STATUS_INVALID_DEVICE_REQUEST);
}

static VOID what_is_written_is_cached_until_it_is_flushed(VOID)
{
    HANDLE File;
    CHAR Buffer[32] = {0};
    LARGE_INTEGER Zero = {.QuadPart = 0};
    OK(Open(L"\\Device\\TestDisk\\ONE", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, SYNC, &File));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, "hello world", 11, &Zero, NULL));
    CHECK(Iosb.Information == 11);
    CHECK(memcmp(DiskMemory + 0x2000, "hello", 5) != 0); /* only the cache knows */
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer), &Zero, NULL));
    CHECK(Iosb.Information == 11 && !memcmp(Buffer, "hello world", 11));
    CHECK(Did.FastReads > 0); /* synchronous and cached: without a request */
    OK(ZwFlushBuffersFile(File, &Iosb));
    CHECK(!memcmp(DiskMemory + 0x2000, "hello world", 11));
    CHECK(Did.PagingWrites > 0 && Did.LastWriteBytes == PAGE_SIZE && !Did.BadPaging);
    STATUS(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, 1, &(LARGE_INTEGER){.QuadPart = 11}, NULL),
           STATUS_END_OF_FILE);
    OK(ZwClose(File));
}

static VOID information_is_asked_for_without_a_request_first(VOID)
{
    FILE_STANDARD_INFORMATION Standard;
    HANDLE File;
    OK(Open(L"\\Device\\TestDisk\\ONE", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, SYNC, &File));
    ULONG Before = Did.FastQueries;
    OK(ZwQueryInformationFile(File, &Iosb, &Standard, sizeof(Standard), FileStandardInformation));
    CHECK(Did.FastQueries == Before + 1 && Standard.EndOfFile.QuadPart == 11 && Iosb.Information == sizeof(Standard));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, "!", 1, &(LARGE_INTEGER){.QuadPart = 11}, NULL));
    OK(ZwQueryInformationFile(File, &Iosb, &Standard, sizeof(Standard), FileStandardInformation)); /* it declines */
    CHECK(Did.FastQueries == Before + 1 && Standard.EndOfFile.QuadPart == 12);
    OK(ZwClose(File));
}

static VOID the_lazy_writer_writes_in_its_time(VOID)
{
    HANDLE File;
    LARGE_INTEGER At = {.QuadPart = 0x5000};
    OK(Open(L"\\Device\\TestDisk\\two", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_CREATE, SYNC, &File));
    ULONG Locks = Did.LazyLocks, ValidData = Did.ValidData;
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, "lazy", 4, &At, NULL));
    Sleep(1);
    CHECK(memcmp(DiskMemory + 0x2000 + SLOT_BYTES + 0x5000, "lazy", 4) != 0);
    Sleep(5);
    CHECK(!memcmp(DiskMemory + 0x2000 + SLOT_BYTES + 0x5000, "lazy", 4));
    CHECK(Did.LazyLocks > Locks && Did.ValidData > ValidData);
    OK(ZwClose(File));
}

static VOID a_paging_read_comes_at_apc_level(VOID)
{
    HANDLE File;
    CHAR Buffer[4];
    LARGE_INTEGER At = {.QuadPart = 0x5000};
    Sleep(5); /* the file leaves the cache */
    ULONG Reads = Did.PagingReads;
    OK(Open(L"\\Device\\TestDisk\\two", GENERIC_READ, SHARED, FILE_OPEN, SYNC, &File));
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, 4, &At, NULL));
    CHECK(!memcmp(Buffer, "lazy", 4));
    CHECK(Did.PagingReads == Reads + 1 && Did.PagingReadIrql == APC_LEVEL && Did.LastReadOffset == 0x5000);
    CHECK(!Did.BadPaging);
    OK(ZwClose(File));
}

static VOID locks_keep_others_away(VOID)
{
    HANDLE One, Two;
    LARGE_INTEGER At = {.QuadPart = 2}, Length = {.QuadPart = 4}, Zero = {.QuadPart = 0};
    CHAR Buffer[8];
    OK(Open(L"\\Device\\TestDisk\\one", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, SYNC, &One));
    OK(Open(L"\\Device\\TestDisk\\one", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, SYNC, &Two));
    OK(ZwLockFile(One, NULL, NULL, NULL, &Iosb, &At, &Length, 0, TRUE, TRUE));
    STATUS(ZwLockFile(Two, NULL, NULL, NULL, &Iosb, &At, &Length, 0, TRUE, FALSE), STATUS_LOCK_NOT_GRANTED);
    STATUS(ZwReadFile(Two, NULL, NULL, NULL, &Iosb, Buffer, 8, &Zero, NULL), STATUS_FILE_LOCK_CONFLICT);
    OK(ZwReadFile(Two, NULL, NULL, NULL, &Iosb, Buffer, 2, &Zero, NULL));
    OK(ZwReadFile(One, NULL, NULL, NULL, &Iosb, Buffer, 8, &Zero, NULL));
    STATUS(ZwUnlockFile(Two, &Iosb, &At, &Length, 0), STATUS_RANGE_NOT_LOCKED);
    OK(ZwUnlockFile(One, &Iosb, &At, &Length, 0));
    OK(ZwLockFile(Two, NULL, NULL, NULL, &Iosb, &At, &Length, 0, TRUE, FALSE)); /* shared: nobody may write */
    STATUS(ZwWriteFile(Two, NULL, NULL, NULL, &Iosb, "x", 1, &At, NULL), STATUS_FILE_LOCK_CONFLICT);
    OK(ZwClose(Two)); /* gives its locks up */
    OK(ZwWriteFile(One, NULL, NULL, NULL, &Iosb, "x", 1, &At, NULL));
    OK(ZwClose(One));
}

static VOID a_watched_directory_tells(VOID)
{
    HANDLE Directory, File, Event;
    static IO_STATUS_BLOCK Told;
    static UCHAR Buffer[256];
    FILE_DISPOSITION_INFORMATION Delete = {TRUE};
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    OK(Open(L"\\Device\\TestDisk\\", FILE_LIST_DIRECTORY, SHARED, FILE_OPEN, 0, &Directory));
    STATUS(ZwNotifyChangeDirectoryFile(Directory, Event, NULL, NULL, &Told, Buffer, sizeof(Buffer),
                                       FILE_NOTIFY_CHANGE_FILE_NAME, FALSE),
           STATUS_PENDING);
    OK(Open(L"\\Device\\TestDisk\\three", GENERIC_WRITE | DELETE, SHARED, FILE_CREATE, SYNC, &File));
    OK(ZwWaitForSingleObject(Event, FALSE, NULL));
    PFILE_NOTIFY_INFORMATION Change = (PVOID)Buffer;
    CHECK(Told.Status == STATUS_SUCCESS && Change->Action == FILE_ACTION_ADDED && Change->FileNameLength == 10 &&
          !memcmp(Change->FileName, L"three", 10));
    OK(ZwSetInformationFile(File, &Iosb, &Delete, sizeof(Delete), FileDispositionInformation));
    OK(ZwClose(File)); /* between two requests: kept */
    OK(ZwResetEvent(Event, NULL));
    ZwNotifyChangeDirectoryFile(Directory, Event, NULL, NULL, &Told, Buffer, sizeof(Buffer),
                                FILE_NOTIFY_CHANGE_FILE_NAME, FALSE);
    OK(ZwWaitForSingleObject(Event, FALSE, NULL));
    CHECK(Change->Action == FILE_ACTION_REMOVED);
    OK(ZwResetEvent(Event, NULL));
    STATUS(ZwNotifyChangeDirectoryFile(Directory, Event, NULL, NULL, &Told, Buffer, sizeof(Buffer),
                                       FILE_NOTIFY_CHANGE_FILE_NAME, FALSE),
           STATUS_PENDING);
    OK(ZwClose(Directory));
    OK(ZwWaitForSingleObject(Event, FALSE, NULL));
    CHECK(Told.Status == STATUS_NOTIFY_CLEANUP);
    OK(ZwClose(Event));
}

static HANDLE Opened;
static NTSTATUS OpenStatus;

static VOID NTAPI Opener(PVOID Context)
{
    OpenStatus = Open(L"\\Device\\TestDisk\\one", GENERIC_READ, SHARED, FILE_OPEN, SYNC, &Opened);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID an_oplock_is_broken_and_acknowledged(VOID)
{
    HANDLE File, Event, Thread, Other;
    static IO_STATUS_BLOCK Broken, Answer;
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    OK(Open(L"\\Device\\TestDisk\\one", GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, 0, &File));
    STATUS(ZwFsControlFile(File, Event, NULL, NULL, &Broken, FSCTL_REQUEST_OPLOCK_LEVEL_1, NULL, 0, NULL, 0),
           STATUS_PENDING);
    STATUS(Open(L"\\Device\\TestDisk\\one", GENERIC_READ, SHARED, FILE_OPEN, SYNC | FILE_COMPLETE_IF_OPLOCKED, &Other),
           STATUS_OPLOCK_BREAK_IN_PROGRESS);
    OK(ZwClose(Other)); /* open all the same */
    OK(ZwWaitForSingleObject(Event, FALSE, NULL));
    CHECK(Broken.Status == STATUS_SUCCESS && Broken.Information == FILE_OPLOCK_BROKEN_TO_LEVEL_2);
    OK(PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, Opener, NULL));
    Sleep(1);
    CHECK(!Opened); /* waits for us */
    STATUS(ZwFsControlFile(File, NULL, NULL, NULL, &Answer, FSCTL_OPLOCK_BREAK_ACKNOWLEDGE, NULL, 0, NULL, 0),
           STATUS_PENDING); /* and level 2 is held */
    OK(ZwWaitForSingleObject(Thread, FALSE, NULL));
    OK(OpenStatus);
    OK(ZwClose(Thread));
    OK(ZwClose(Opened));
    OK(ZwClose(File));
    CHECK(Answer.Status == STATUS_SUCCESS && Answer.Information == FILE_OPLOCK_BROKEN_TO_NONE);
    OK(ZwClose(Event));
}

static VOID everything_goes_at_the_end(VOID)
{
    Sleep(10);
    CHECK(IsListEmpty(&Fcbs)); /* the cache has let go of the files */
    StopFileSystem();
}

TEST_MAIN(the_first_open_mounts, what_is_written_is_cached_until_it_is_flushed,
          information_is_asked_for_without_a_request_first, the_lazy_writer_writes_in_its_time,
          a_paging_read_comes_at_apc_level, locks_keep_others_away, a_watched_directory_tells,
          an_oplock_is_broken_and_acknowledged, everything_goes_at_the_end)
