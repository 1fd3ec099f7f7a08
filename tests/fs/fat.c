/*
 * A FAT16 file system over a removable medium (fatfs.h, fatvol.h), as users meet it: files cached and past the cache,
 * their sections, and volumes that are verified, locked, dismounted with and without open files, and taken out of the
 * drive. What reaches the medium is looked at on the medium.
 */
#include "fatvol.h"

#define SYNC (FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE)
#define DIRECT (SYNC | FILE_NO_INTERMEDIATE_BUFFERING)
#define AT(Offset) (&(LARGE_INTEGER){.QuadPart = (Offset)})

static IO_STATUS_BLOCK Iosb;
static UCHAR Buffer[16384];

static NTSTATUS Open(PCWSTR Name, ULONG Disposition, ULONG Options, PHANDLE File)
{
    WCHAR Text[64] = L"\\Device\\FatDrive";
    UNICODE_STRING Path;
    OBJECT_ATTRIBUTES Object;
    *File = NULL;
    RtlInitUnicodeString(&Path, wcscat(Text, Name));
    InitializeObjectAttributes(&Object, &Path, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwCreateFile(File, GENERIC_READ | GENERIC_WRITE | DELETE | SYNCHRONIZE, &Object, &Iosb, NULL, 0,
                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, Disposition, Options, NULL, 0);
}

static NTSTATUS ReadAt(HANDLE File, ULONG Bytes, LONGLONG Offset)
{
    return ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, Bytes, AT(Offset), NULL);
}

static NTSTATUS WriteAt(HANDLE File, const VOID *Data, ULONG Bytes, LONGLONG Offset)
{
    return ZwWriteFile(File, NULL, NULL, NULL, &Iosb, (PVOID)Data, Bytes, AT(Offset), NULL);
}

static NTSTATUS Tell(HANDLE File, ULONG Code)
{
    return ZwFsControlFile(File, NULL, NULL, NULL, &Iosb, Code, NULL, 0, NULL, 0);
}

static NTSTATUS SetEnd(HANDLE File, LONGLONG End)
{
    FILE_END_OF_FILE_INFORMATION Information = {.EndOfFile.QuadPart = End};
    return ZwSetInformationFile(File, &Iosb, &Information, sizeof(Information), FileEndOfFileInformation);
}

static NTSTATUS FlushFile(HANDLE File)
{
    return ZwFlushBuffersFile(File, &Iosb);
}

static VOID LetTimePass(VOID)
{
    KeDelayExecutionThread(KernelMode, FALSE, AT(-10LL * 10000000));
}

/* On the inserted medium: a file's entry, and how many clusters are in use. */
static const ENTRY *OnMedium(PCSTR Name)
{
    const ENTRY *Entry = (const ENTRY *)(Media[Inserted] + ROOT_START * SECTOR);
    for (ULONG i = 0; i < ROOT_ENTRIES; i++)
        if (RtlEqualMemory(Entry[i].Name, Name, 11))
            return &Entry[i];
    return NULL;
}

static ULONG UsedClusters(VOID)
{
    ULONG Used = 0;
    PUCHAR First = Media[Inserted] + FAT_START * SECTOR, Second = First + FAT_SECTORS * SECTOR;
    CHECK(RtlEqualMemory(First, Second, FAT_SECTORS * SECTOR));
    for (ULONG i = 2; i < CLUSTERS + 2; i++)
        Used += ((PUSHORT)First)[i] != 0;
    return Used;
}

static const UCHAR *FirstSector(PCSTR Name)
{
    return Media[Inserted] + (DATA_START + OnMedium(Name)->First - 2) * SECTOR;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static VOID a_file_is_cached_until_it_is_flushed(VOID)
{
    HANDLE File;
    UNICODE_STRING DriveName = RTL_CONSTANT_STRING(L"\\Device\\FatDrive"), Name = RTL_CONSTANT_STRING(L"\\FatFs");
    for (ULONG i = 0; i < 2; i++) {
        Media[i] = ExAllocatePoolWithTag(NonPagedPool, SECTORS * SECTOR, 'deMF');
        RtlFillMemory(Media[i], SECTORS * SECTOR, 0xCC); /* what somebody has left there */
        RtlZeroMemory(Media[i], DATA_START * SECTOR);
        Format(Media[i], 0x1000 + i);
    }
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Dispatch;
    OK(IoCreateDevice(Driver, 0, &DriveName, FILE_DEVICE_DISK, FILE_REMOVABLE_MEDIA, FALSE, &Drive));
    Drive->Flags |= DO_DIRECT_IO;
    Drive->Flags &= ~DO_DEVICE_INITIALIZING;
    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Control));
    IoRegisterFileSystem(Control);

    STATUS(Open(L"\\none", FILE_OPEN, SYNC, &File), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(L"\\one.txt", FILE_CREATE, SYNC, &File));
    CHECK(Did.Mounts == 1 && Iosb.Information == FILE_CREATED);
    OK(WriteAt(File, "cached", 6, 0));
    OK(WriteAt(File, "tail", 4, 5000)); /* and nothing in between */
    OK(ReadAt(File, sizeof(Buffer), 0));
    CHECK(Iosb.Information == 5004 && RtlEqualMemory(Buffer, "cached\0", 8) &&
          RtlEqualMemory(Buffer + 4998, "\0\0tail", 6));
    CHECK(!OnMedium("ONE     TXT") && UsedClusters() == 0);
    OK(FlushFile(File));
    CHECK(OnMedium("ONE     TXT") && OnMedium("ONE     TXT")->Size == 5004 && UsedClusters() == 10);
    CHECK(RtlEqualMemory(FirstSector("ONE     TXT"), "cached\0", 8));
    STATUS(ReadAt(File, 1, 5004), STATUS_END_OF_FILE);
    OK(ZwClose(File));
}

static VOID past_the_cache_and_through_it_is_the_same_file(VOID)
{
    HANDLE Cached, Direct;
    ULONG Reads;
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &Cached));
    OK(Open(L"\\ONE.TXT", FILE_OPEN, DIRECT, &Direct));
    OK(WriteAt(Cached, "CACHED", 6, 0));
    OK(ReadAt(Direct, SECTOR, 0)); /* flushes */
    CHECK(RtlEqualMemory(Buffer, "CACHED\0", 8));
    RtlFillMemory(Buffer, SECTOR, 'd');
    OK(WriteAt(Direct, Buffer, SECTOR, SECTOR)); /* purges */
    CHECK(FirstSector("ONE     TXT")[SECTOR] == 'd');
    RtlZeroMemory(Buffer, SECTOR);
    OK(ReadAt(Cached, SECTOR, SECTOR));
    CHECK(Buffer[0] == 'd' && Buffer[SECTOR - 1] == 'd');
    Reads = Did.PagingReads;
    OK(ReadAt(Cached, SECTOR, SECTOR)); /* it is in the cache again */
    CHECK(Did.PagingReads == Reads);
    STATUS(ReadAt(Direct, 10, 0), STATUS_INVALID_PARAMETER);
    OK(ReadAt(Direct, SECTOR, 9 * SECTOR));
    CHECK(Iosb.Information == 5004 - 9 * SECTOR);
    OK(ZwClose(Direct));
    OK(ZwClose(Cached));
}

static VOID a_truncated_file_gives_its_clusters_back(VOID)
{
    HANDLE File;
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &File));
    OK(SetEnd(File, 3));
    OK(SetEnd(File, 1200));
    OK(ReadAt(File, 2000, 0));
    CHECK(Iosb.Information == 1200 && RtlEqualMemory(Buffer, "CAC\0\0\0", 6) && !Buffer[600] && !Buffer[1199]);
    OK(FlushFile(File));
    CHECK(UsedClusters() == 3 && OnMedium("ONE     TXT")->Size == 1200);
    CHECK(RtlEqualMemory(FirstSector("ONE     TXT"), "CAC\0\0\0", 6) && !FirstSector("ONE     TXT")[1199]);
    OK(ZwClose(File));
}

static VOID a_section_shares_the_file_s_pages(VOID)
{
    HANDLE File, Section;
    PCHAR View = NULL;
    SIZE_T Bytes = 0;
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &File));
    OK(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, File));
    OK(ZwMapViewOfSection(Section, ZwCurrentProcess(), (PVOID *)&View, 0, 0, NULL, &Bytes, ViewUnmap, 0,
                          PAGE_READWRITE));
    CHECK(RtlEqualMemory(View, "CAC\0", 4));
    OK(WriteAt(File, "written", 7, 100));
    CHECK(RtlEqualMemory(View + 100, "written", 7));
    RtlCopyMemory(View + 200, "mapped", 6);
    OK(ReadAt(File, 6, 200));
    CHECK(RtlEqualMemory(Buffer, "mapped", 6));
    STATUS(SetEnd(File, 10), STATUS_USER_MAPPED_FILE);
    OK(ZwUnmapViewOfSection(ZwCurrentProcess(), View));
    OK(ZwClose(Section));
    OK(FlushFile(File));
    CHECK(RtlEqualMemory(FirstSector("ONE     TXT") + 200, "mapped", 6));
    OK(ZwClose(File));
}

static VOID a_deleted_file_is_gone_with_its_last_handle(VOID)
{
    HANDLE File, Other;
    FILE_DISPOSITION_INFORMATION Delete = {TRUE};
    OK(Open(L"\\two", FILE_CREATE, SYNC, &File));
    OK(WriteAt(File, Buffer, 3 * SECTOR, 0));
    OK(FlushFile(File));
    CHECK(UsedClusters() == 6);
    OK(Open(L"\\two", FILE_OPEN, SYNC, &Other));
    OK(ZwSetInformationFile(File, &Iosb, &Delete, sizeof(Delete), FileDispositionInformation));
    OK(ZwClose(File));
    OK(ReadAt(Other, SECTOR, 0));
    OK(ZwClose(Other));
    STATUS(Open(L"\\two", FILE_OPEN, SYNC, &File), STATUS_OBJECT_NAME_NOT_FOUND);
    LetTimePass(); /* the lazy writer */
    CHECK(UsedClusters() == 3 && !OnMedium("TWO        "));
}

/* ---- Volumes ----------------------------------------------------------------------------------------------------- */

static VOID the_same_medium_is_verified_and_goes_on(VOID)
{
    HANDLE File;
    ULONG Verifies = Did.Verifies;
    OK(Open(L"\\one.txt", FILE_OPEN, DIRECT, &File));
    Changed = TRUE;              /* out and in again */
    OK(ReadAt(File, SECTOR, 0)); /* learns it from the drive */
    CHECK(Did.Verifies == Verifies + 1 && RtlEqualMemory(Buffer, "CAC\0", 4) && !(Drive->Flags & DO_VERIFY_VOLUME));
    OK(ZwClose(File));
    Changed = TRUE;
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &File)); /* asks the drive */
    CHECK(Did.Verifies == Verifies + 2 && Did.Mounts == 1);
    Changed = TRUE;
    LetTimePass();
    OK(Tell(File, FSCTL_IS_VOLUME_MOUNTED));
    CHECK(Did.Verifies == Verifies + 3);
    OK(ZwClose(File));
}

static VOID a_locked_volume_is_one_handle_s(VOID)
{
    HANDLE Volume, Other, File;
    OK(Open(L"", FILE_OPEN, SYNC, &Volume));
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &File));
    STATUS(Tell(Volume, FSCTL_LOCK_VOLUME), STATUS_ACCESS_DENIED);
    STATUS(Tell(File, FSCTL_LOCK_VOLUME), STATUS_INVALID_PARAMETER);
    OK(WriteAt(File, "locked", 6, 0));
    OK(ZwClose(File));
    OK(Tell(Volume, FSCTL_LOCK_VOLUME));
    CHECK(RtlEqualMemory(FirstSector("ONE     TXT"), "locked", 6) && (Drive->Vpb->Flags & VPB_LOCKED));
    STATUS(Open(L"\\one.txt", FILE_OPEN, SYNC, &File), STATUS_ACCESS_DENIED);
    STATUS(Open(L"", FILE_OPEN, SYNC, &Other), STATUS_ACCESS_DENIED);
    OK(ReadAt(Volume, SECTOR, 0)); /* the owner reads the volume itself */
    CHECK(((BOOT_SECTOR *)Buffer)->Serial == 0x1000);
    OK(Tell(Volume, FSCTL_UNLOCK_VOLUME));
    STATUS(Tell(Volume, FSCTL_UNLOCK_VOLUME), STATUS_NOT_LOCKED);
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &File));
    OK(ReadAt(File, 6, 0));
    CHECK(RtlEqualMemory(Buffer, "locked", 6));
    OK(ZwClose(File));
    OK(Tell(Volume, FSCTL_LOCK_VOLUME));
    OK(ZwClose(Volume)); /* gives the lock up */
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &File));
    OK(ZwClose(File));
}

static VOID a_dismounted_volume_is_mounted_anew(VOID)
{
    HANDLE Volume, File;
    OK(Open(L"", FILE_OPEN, SYNC, &Volume));
    OK(Tell(Volume, FSCTL_LOCK_VOLUME));
    OK(Tell(Volume, FSCTL_DISMOUNT_VOLUME));
    STATUS(Tell(Volume, FSCTL_IS_VOLUME_MOUNTED), STATUS_VOLUME_DISMOUNTED);
    STATUS(ReadAt(Volume, SECTOR, 0), STATUS_VOLUME_DISMOUNTED);
    CHECK(!(Drive->Vpb->Flags & (VPB_MOUNTED | VPB_LOCKED)) && Did.Mounts == 1 && Did.Teardowns == 0);
    OK(ZwClose(Volume));
    LetTimePass();
    CHECK(Did.Teardowns == 1);
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &File));
    OK(ReadAt(File, 6, 0));
    CHECK(Did.Mounts == 2 && RtlEqualMemory(Buffer, "locked", 6));
    OK(ZwClose(File));
}

static VOID a_forced_dismount_leaves_open_files_behind(VOID)
{
    HANDLE Volume, Old, New;
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &Old));
    OK(WriteAt(Old, "forced", 6, 0));
    OK(Open(L"", FILE_OPEN, SYNC, &Volume));
    OK(Tell(Volume, FSCTL_DISMOUNT_VOLUME));
    CHECK(RtlEqualMemory(FirstSector("ONE     TXT"), "forced", 6));
    STATUS(ReadAt(Old, 6, 0), STATUS_VOLUME_DISMOUNTED);
    STATUS(WriteAt(Old, "stale", 5, 0), STATUS_VOLUME_DISMOUNTED);
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &New));
    OK(ReadAt(New, 6, 0));
    CHECK(Did.Mounts == 3 && RtlEqualMemory(Buffer, "forced", 6));
    OK(ZwClose(Volume));
    LetTimePass();
    CHECK(Did.Teardowns == 1); /* a file holds it */
    OK(ZwClose(Old));
    LetTimePass();
    CHECK(Did.Teardowns == 2);
    OK(ReadAt(New, 6, 0));
    OK(ZwClose(New));
}

static VOID another_medium_is_another_volume(VOID)
{
    HANDLE Old, Direct, New;
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &Old));
    OK(Open(L"\\one.txt", FILE_OPEN, DIRECT, &Direct));
    OK(WriteAt(Old, "unsaved", 7, 0));
    Inserted = 1;
    Changed = TRUE;
    STATUS(Open(L"\\one.txt", FILE_OPEN, SYNC, &New), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Did.Mounts == 4 && Drive->Vpb->SerialNumber == 0x1001);
    OK(Open(L"\\other", FILE_CREATE, SYNC, &New));
    OK(WriteAt(New, "other", 5, 0));
    STATUS(ReadAt(Old, 7, 0), STATUS_VOLUME_DISMOUNTED);
    STATUS(ReadAt(Direct, SECTOR, 0), STATUS_VOLUME_DISMOUNTED);
    OK(ZwClose(Direct));
    OK(ZwClose(Old));
    OK(ZwClose(New));
    LetTimePass();
    CHECK(Did.Teardowns == 3 && UsedClusters() == 1 && RtlEqualMemory(FirstSector("OTHER      "), "other", 5));
}

static VOID a_read_meets_another_medium(VOID)
{
    HANDLE Old, New;
    OK(Open(L"\\other", FILE_OPEN, DIRECT, &Old));
    Inserted = 0;
    Changed = TRUE;
    STATUS(ReadAt(Old, SECTOR, 0), STATUS_WRONG_VOLUME);
    CHECK(Did.Mounts == 5); /* IoVerifyVolume has mounted what is there */
    OK(Open(L"\\one.txt", FILE_OPEN, SYNC, &New));
    OK(ReadAt(New, 6, 0));
    CHECK(Did.Mounts == 5 && RtlEqualMemory(Buffer, "forced", 6)); /* what was not written is lost */
    OK(ZwClose(Old));
    OK(ZwClose(New));
}

static VOID a_volume_that_nobody_uses_is_retired_too(VOID)
{
    HANDLE File;
    LetTimePass();
    CHECK(Did.Mounts == 5 && Did.Teardowns == 4);
    Inserted = 1;
    Changed = TRUE;
    OK(Open(L"\\other", FILE_OPEN, SYNC, &File));
    OK(ReadAt(File, 5, 0));
    CHECK(Did.Mounts == 6 && RtlEqualMemory(Buffer, "other", 5));
    OK(ZwClose(File));
    LetTimePass();
    CHECK(Did.Teardowns == 5);
}

static VOID nothing_is_left(VOID)
{
    HANDLE Volume;
    OK(Open(L"", FILE_OPEN, SYNC, &Volume));
    OK(Tell(Volume, FSCTL_DISMOUNT_VOLUME));
    OK(ZwClose(Volume));
    LetTimePass();
    CHECK(Did.Teardowns == Did.Mounts && Drive->Vpb->ReferenceCount == 0);
    IoUnregisterFileSystem(Control);
    IoDeleteDevice(Control);
    IoDeleteDevice(Drive);
    ExFreePool(Media[0]);
    ExFreePool(Media[1]);
}

TEST_MAIN(a_file_is_cached_until_it_is_flushed, past_the_cache_and_through_it_is_the_same_file,
          a_truncated_file_gives_its_clusters_back, a_section_shares_the_file_s_pages,
          a_deleted_file_is_gone_with_its_last_handle, the_same_medium_is_verified_and_goes_on,
          a_locked_volume_is_one_handle_s, a_dismounted_volume_is_mounted_anew,
          a_forced_dismount_leaves_open_files_behind, another_medium_is_another_volume, a_read_meets_another_medium,
          a_volume_that_nobody_uses_is_retired_too, nothing_is_left)
