/*
 * A small file system driver over a RAM disk of its own, written as published file system drivers are: it is
 * registered, mounts its volume at the first open, caches its files and its directory through Cc, and leaves locks,
 * notification and oplocks to FsRtl. It counts and notes what the kernel asks of it.
 *
 * The disk: 4 KiB that begin with "TESTFS01", 4 KiB of directory (64 entries of 64 bytes), then a slot of 64 KiB for
 * each of 16 files.
 */
#pragma once
#include "../io/test.h"
#include <ntdddisk.h>

NTSYSAPI NTSTATUS NTAPI ZwNotifyChangeDirectoryFile(HANDLE File, HANDLE Event, PIO_APC_ROUTINE Apc, PVOID Context,
                                                    PIO_STATUS_BLOCK Status, PVOID Buffer, ULONG Bytes, ULONG Filter,
                                                    BOOLEAN Tree);

#define SLOTS 6
#define SLOT_BYTES 0x60000
#define DISK_BYTES (0x2000 + SLOTS * SLOT_BYTES)

typedef struct _ENTRY {
    WCHAR Name[20];
    ULONG Used, Size, Spare[4];
} ENTRY;
C_ASSERT(sizeof(ENTRY) == 64);

typedef struct _FCB {
    FSRTL_ADVANCED_FCB_HEADER Header;
    LIST_ENTRY Link;
    ERESOURCE Main, Paging;
    FAST_MUTEX Mutex;
    SECTION_OBJECT_POINTERS Section;
    FILE_LOCK Lock;
    OPLOCK Oplock;
    SHARE_ACCESS Share;
    LONGLONG DiskOffset;
    ULONG Slot, Opens, Handles;
    BOOLEAN Delete;
} FCB, *PFCB;

static PDEVICE_OBJECT Disk, Control, Volume;
static PUCHAR DiskMemory;
static PFILE_OBJECT DirectoryFile; /* stream file object: the directory, cached */
static FCB DirectoryFcb;
static LIST_ENTRY Fcbs = {&Fcbs, &Fcbs};
static PNOTIFY_SYNC NotifySync;
static LIST_ENTRY NotifyList = {&NotifyList, &NotifyList};

/* What happened. */
static struct {
    ULONG Mounts, Verifies, PagingReads, PagingWrites, CachedReads, CachedWrites, FastReads, FastWrites, LazyLocks,
        AheadLocks, ValidData, BadPaging, Closes, FastQueries;
    KIRQL PagingReadIrql;
    ULONG LastReadBytes, LastWriteBytes;
    LONGLONG LastReadOffset, LastWriteOffset;
} Did;

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_DISK_INCREMENT);
    return Status;
}

/* ---- The disk ---------------------------------------------------------------------------------------------------- */

static NTSTATUS DiskTransfer(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    LONGLONG Offset = Stack->Parameters.Read.ByteOffset.QuadPart;
    ULONG Bytes = Stack->Parameters.Read.Length;
    if (Offset < 0 || Offset + Bytes > DISK_BYTES || (Offset | Bytes) % 512)
        return Finish(Irp, STATUS_INVALID_PARAMETER, 0);
    PVOID Memory = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
    if (Stack->MajorFunction == IRP_MJ_READ)
        RtlCopyMemory(Memory, DiskMemory + Offset, Bytes);
    else
        RtlCopyMemory(DiskMemory + Offset, Memory, Bytes);
    return Finish(Irp, STATUS_SUCCESS, Bytes);
}

static NTSTATUS NTAPI DiskDone(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event)
{
    KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* A request's pages to or from the disk, by a request of our own; at any level below DISPATCH_LEVEL. */
static NTSTATUS ToDisk(UCHAR Major, PMDL Mdl, LONGLONG Offset, ULONG Bytes)
{
    PIRP Irp = IoAllocateIrp(Disk->StackSize, FALSE);
    KEVENT Event;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = Major;
    Stack->Parameters.Read.Length = Bytes;
    Stack->Parameters.Read.ByteOffset.QuadPart = Offset;
    Irp->MdlAddress = Mdl;
    IoSetCompletionRoutine(Irp, DiskDone, &Event, TRUE, TRUE, TRUE);
    IoCallDriver(Disk, Irp);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    NTSTATUS Status = Irp->IoStatus.Status;
    Irp->MdlAddress = NULL;
    IoFreeIrp(Irp);
    return Status;
}

/* ---- Locks for Cc ------------------------------------------------------------------------------------------------ */

static BOOLEAN NTAPI LockLazy(PVOID Context, BOOLEAN Wait)
{
    Did.LazyLocks++;
    if (!ExAcquireResourceSharedLite(&((PFCB)Context)->Main, Wait))
        return FALSE;
    IoSetTopLevelIrp((PIRP)FSRTL_CACHE_TOP_LEVEL_IRP);
    return TRUE;
}

static BOOLEAN NTAPI LockAhead(PVOID Context, BOOLEAN Wait)
{
    Did.AheadLocks++;
    if (!ExAcquireResourceSharedLite(&((PFCB)Context)->Main, Wait))
        return FALSE;
    IoSetTopLevelIrp((PIRP)FSRTL_CACHE_TOP_LEVEL_IRP);
    return TRUE;
}

static VOID NTAPI UnlockFcb(PVOID Context)
{
    IoSetTopLevelIrp(NULL);
    ExReleaseResourceLite(&((PFCB)Context)->Main);
}

static CACHE_MANAGER_CALLBACKS Callbacks = {LockLazy, UnlockFcb, LockAhead, UnlockFcb};

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static VOID InitializeFcb(PFCB Fcb, LONGLONG DiskOffset, ULONG Allocation, ULONG Size)
{
    RtlZeroMemory(Fcb, sizeof(*Fcb));
    ExInitializeResourceLite(&Fcb->Main);
    ExInitializeResourceLite(&Fcb->Paging);
    ExInitializeFastMutex(&Fcb->Mutex);
    FsRtlSetupAdvancedHeader(&Fcb->Header, &Fcb->Mutex);
    Fcb->Header.NodeTypeCode = 0x1234;
    Fcb->Header.Resource = &Fcb->Main;
    Fcb->Header.PagingIoResource = &Fcb->Paging;
    Fcb->Header.AllocationSize.QuadPart = Allocation;
    Fcb->Header.FileSize.QuadPart = Fcb->Header.ValidDataLength.QuadPart = Size;
    Fcb->Header.IsFastIoPossible = FastIoIsPossible;
    Fcb->DiskOffset = DiskOffset;
    FsRtlInitializeFileLock(&Fcb->Lock, NULL, NULL);
    FsRtlInitializeOplock(&Fcb->Oplock);
}

static VOID DeleteFcb(PFCB Fcb)
{
    FsRtlUninitializeOplock(&Fcb->Oplock);
    FsRtlUninitializeFileLock(&Fcb->Lock);
    FsRtlTeardownPerStreamContexts(&Fcb->Header);
    ExDeleteResourceLite(&Fcb->Paging);
    ExDeleteResourceLite(&Fcb->Main);
}

static VOID StartCache(PFILE_OBJECT File, PFCB Fcb)
{
    if (!File->PrivateCacheMap)
        CcInitializeCacheMap(File, (PCC_FILE_SIZES)&Fcb->Header.AllocationSize, Fcb == &DirectoryFcb, &Callbacks, Fcb);
}

/* The directory's entry of a slot, pinned; CcUnpinData gives it back. */
static ENTRY *PinEntry(ULONG Slot, PVOID *Bcb)
{
    LARGE_INTEGER Zero = {.QuadPart = 0};
    PVOID Buffer;
    if (!CcPinRead(DirectoryFile, &Zero, PAGE_SIZE, PIN_WAIT, Bcb, &Buffer))
        return NULL;
    return (ENTRY *)Buffer + Slot;
}

static VOID WriteEntry(ULONG Slot, PCWSTR Name, ULONG Used, ULONG Size)
{
    PVOID Bcb;
    ENTRY *Entry = PinEntry(Slot, &Bcb);
    if (Name)
        wcscpy(Entry->Name, Name);
    Entry->Used = Used;
    Entry->Size = Size;
    CcSetDirtyPinnedData(Bcb, NULL);
    CcUnpinData(Bcb);
}

static ULONG FindSlot(PCUNICODE_STRING Name, BOOLEAN Free)
{
    LARGE_INTEGER Zero = {.QuadPart = 0};
    ULONG Found = SLOTS;
    PVOID Bcb;
    ENTRY *Entry;
    CcMapData(DirectoryFile, &Zero, PAGE_SIZE, MAP_WAIT, &Bcb, (PVOID *)&Entry);
    for (ULONG i = 0; i < SLOTS && Found == SLOTS; i++) {
        UNICODE_STRING Text;
        RtlInitUnicodeString(&Text, Entry[i].Name);
        if (Free ? !Entry[i].Used : Entry[i].Used && RtlEqualUnicodeString(&Text, Name, TRUE))
            Found = i;
    }
    CcUnpinData(Bcb);
    return Found;
}

static ULONG SizeOf(ULONG Slot)
{
    PVOID Bcb;
    ULONG Size = PinEntry(Slot, &Bcb)->Size;
    CcUnpinData(Bcb);
    return Size;
}

static VOID Report(PFILE_OBJECT File, ULONG Filter, ULONG Action)
{
    FsRtlNotifyFullReportChange(NotifySync, &NotifyList, (PSTRING)&File->FileName, sizeof(WCHAR), NULL, NULL, Filter,
                                Action, NULL);
}

static NTSTATUS CreateFile(PFILE_OBJECT File, PIO_STACK_LOCATION Stack, PIRP Irp, PULONG_PTR Information)
{
    ULONG Disposition = Stack->Parameters.Create.Options >> 24, Access;
    WCHAR Text[20];
    PFCB Fcb = NULL;
    NTSTATUS Oplock = STATUS_SUCCESS; /* STATUS_OPLOCK_BREAK_IN_PROGRESS is a success */
    if (!File->FileName.Length)       /* the volume */
        return STATUS_SUCCESS;
    if (File->FileName.Length == sizeof(WCHAR)) { /* the directory, to watch it */
        File->FsContext = &DirectoryFcb;
        File->FsContext2 = File;
        return STATUS_SUCCESS;
    }
    UNICODE_STRING Name = {File->FileName.Length - sizeof(WCHAR), File->FileName.Length, File->FileName.Buffer + 1};
    if (Name.Length >= sizeof(Text) || FsRtlDoesNameContainWildCards(&Name))
        return STATUS_OBJECT_NAME_INVALID;
    ULONG Slot = FindSlot(&Name, FALSE);
    if (Slot == SLOTS && (Disposition == FILE_OPEN || Disposition == FILE_OVERWRITE))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (Slot != SLOTS && Disposition == FILE_CREATE)
        return STATUS_OBJECT_NAME_COLLISION;
    *Information = FILE_OPENED;
    if (Slot == SLOTS) {
        Slot = FindSlot(&Name, TRUE);
        if (Slot == SLOTS)
            return STATUS_DISK_FULL;
        RtlZeroMemory(Text, sizeof(Text));
        RtlCopyMemory(Text, Name.Buffer, Name.Length);
        WriteEntry(Slot, Text, 1, 0);
        *Information = FILE_CREATED;
    }
    for (PLIST_ENTRY Link = Fcbs.Flink; Link != &Fcbs; Link = Link->Flink)
        if (CONTAINING_RECORD(Link, FCB, Link)->Slot == Slot)
            Fcb = CONTAINING_RECORD(Link, FCB, Link);
    Access = Stack->Parameters.Create.SecurityContext->DesiredAccess;
    if (!Fcb) {
        Fcb = ExAllocatePoolWithTag(NonPagedPool, sizeof(*Fcb), 'bcFT');
        InitializeFcb(Fcb, 0x2000 + Slot * SLOT_BYTES, SLOT_BYTES, SizeOf(Slot));
        Fcb->Slot = Slot;
        InsertTailList(&Fcbs, &Fcb->Link);
        IoSetShareAccess(Access, Stack->Parameters.Create.ShareAccess, File, &Fcb->Share);
    } else {
        Oplock = FsRtlCheckOplock(&Fcb->Oplock, Irp, NULL, NULL, NULL);
        if (!NT_SUCCESS(Oplock))
            return Oplock;
        NTSTATUS Status = IoCheckShareAccess(Access, Stack->Parameters.Create.ShareAccess, File, &Fcb->Share, TRUE);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    Fcb->Opens++;
    Fcb->Handles++;
    File->FsContext = Fcb;
    File->FsContext2 = File;
    File->SectionObjectPointer = &Fcb->Section;
    File->Vpb = Disk->Vpb;
    if (*Information == FILE_CREATED)
        Report(File, FILE_NOTIFY_CHANGE_FILE_NAME, FILE_ACTION_ADDED);
    return Oplock;
}

static NTSTATUS Cleanup(PIRP Irp, PFILE_OBJECT File)
{
    PFCB Fcb = File->FsContext;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    if (!Fcb)
        return Finish(Irp, STATUS_SUCCESS, 0);
    if (Fcb == &DirectoryFcb) {
        if (File != DirectoryFile)
            FsRtlNotifyCleanup(NotifySync, &NotifyList, File->FsContext2);
        return Finish(Irp, STATUS_SUCCESS, 0);
    }
    FsRtlFastUnlockAll(&Fcb->Lock, File, IoGetCurrentProcess(), NULL);
    FsRtlCheckOplock(&Fcb->Oplock, Irp, NULL, NULL, NULL);
    IoRemoveShareAccess(File, &Fcb->Share);
    ULONG Size = (ULONG)Fcb->Header.FileSize.QuadPart;
    if (--Fcb->Handles == 0 && Fcb->Delete) {
        Size = 0;
        WriteEntry(Fcb->Slot, L"", 0, 0);
        Report(File, FILE_NOTIFY_CHANGE_FILE_NAME, FILE_ACTION_REMOVED);
    } else
        WriteEntry(Fcb->Slot, NULL, 1, Size);
    CcUninitializeCacheMap(File, Fcb->Delete && !Fcb->Handles ? &Zero : NULL, NULL);
    return Finish(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS Close(PIRP Irp, PFILE_OBJECT File)
{
    PFCB Fcb = File->FsContext;
    Did.Closes++;
    if (Fcb && Fcb != &DirectoryFcb && --Fcb->Opens == 0) {
        RemoveEntryList(&Fcb->Link);
        DeleteFcb(Fcb);
        ExFreePool(Fcb);
    }
    return Finish(Irp, STATUS_SUCCESS, 0);
}

/* ---- Read, write ------------------------------------------------------------------------------------------------- */

static NTSTATUS Paging(PIRP Irp, PIO_STACK_LOCATION Stack, PFCB Fcb)
{
    LONGLONG Offset = Stack->Parameters.Read.ByteOffset.QuadPart;
    ULONG Bytes = Stack->Parameters.Read.Length;
    BOOLEAN Read = Stack->MajorFunction == IRP_MJ_READ, IsPaging = (Irp->Flags & IRP_PAGING_IO) != 0;
    if (IsPaging) {
        if (Offset % PAGE_SIZE || Bytes % PAGE_SIZE || !Irp->MdlAddress ||
            !(Irp->MdlAddress->MdlFlags & MDL_PAGES_LOCKED) ||
            (Irp->MdlAddress->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) || !(Irp->Flags & IRP_NOCACHE))
            Did.BadPaging++;
        if (Read) {
            Did.PagingReads++;
            Did.PagingReadIrql = KeGetCurrentIrql();
            Did.LastReadOffset = Offset;
            Did.LastReadBytes = Bytes;
        } else {
            Did.PagingWrites++;
            Did.LastWriteOffset = Offset;
            Did.LastWriteBytes = Bytes;
        }
    }
    if (Offset >= Fcb->Header.AllocationSize.QuadPart || (Read && Offset >= Fcb->Header.FileSize.QuadPart))
        return Finish(Irp, STATUS_END_OF_FILE, 0);
    if (Offset + Bytes > Fcb->Header.AllocationSize.QuadPart)
        Bytes = (ULONG)(Fcb->Header.AllocationSize.QuadPart - Offset);
    NTSTATUS Status = ToDisk(Stack->MajorFunction, Irp->MdlAddress, Fcb->DiskOffset + Offset, Bytes);
    if (!IsPaging && Read && NT_SUCCESS(Status) && Offset + Bytes > Fcb->Header.FileSize.QuadPart)
        Bytes = (ULONG)(Fcb->Header.FileSize.QuadPart - Offset);
    return Finish(Irp, Status, NT_SUCCESS(Status) ? Bytes : 0);
}

static NTSTATUS ReadFile(PIRP Irp, PIO_STACK_LOCATION Stack, PFILE_OBJECT File, PFCB Fcb)
{
    LARGE_INTEGER Offset = Stack->Parameters.Read.ByteOffset;
    ULONG Bytes = Stack->Parameters.Read.Length;
    if (Irp->Flags & IRP_NOCACHE)
        return Paging(Irp, Stack, Fcb);
    if (!FsRtlCheckLockForReadAccess(&Fcb->Lock, Irp))
        return Finish(Irp, STATUS_FILE_LOCK_CONFLICT, 0);
    Did.CachedReads++;
    ExAcquireResourceSharedLite(&Fcb->Main, TRUE);
    if (Offset.QuadPart >= Fcb->Header.FileSize.QuadPart) {
        ExReleaseResourceLite(&Fcb->Main);
        return Finish(Irp, STATUS_END_OF_FILE, 0);
    }
    if (Offset.QuadPart + Bytes > Fcb->Header.FileSize.QuadPart)
        Bytes = (ULONG)(Fcb->Header.FileSize.QuadPart - Offset.QuadPart);
    StartCache(File, Fcb);
    IO_STATUS_BLOCK Copied;
    CcCopyRead(File, &Offset, Bytes, TRUE, MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority), &Copied);
    ExReleaseResourceLite(&Fcb->Main);
    if (File->Flags & FO_SYNCHRONOUS_IO)
        File->CurrentByteOffset.QuadPart = Offset.QuadPart + (LONGLONG)Copied.Information;
    return Finish(Irp, STATUS_SUCCESS, Copied.Information);
}

static NTSTATUS WriteFile(PIRP Irp, PIO_STACK_LOCATION Stack, PFILE_OBJECT File, PFCB Fcb)
{
    LARGE_INTEGER Offset = Stack->Parameters.Write.ByteOffset;
    ULONG Bytes = Stack->Parameters.Write.Length;
    if (Irp->Flags & IRP_NOCACHE)
        return Paging(Irp, Stack, Fcb);
    if (!FsRtlCheckLockForWriteAccess(&Fcb->Lock, Irp))
        return Finish(Irp, STATUS_FILE_LOCK_CONFLICT, 0);
    NTSTATUS Status = FsRtlCheckOplock(&Fcb->Oplock, Irp, NULL, NULL, NULL);
    if (Status != STATUS_SUCCESS)
        return Finish(Irp, Status, 0);
    if (!CcCanIWrite(File, Bytes, TRUE, FALSE) || Offset.QuadPart + Bytes > SLOT_BYTES)
        return Finish(Irp, STATUS_DISK_FULL, 0);
    Did.CachedWrites++;
    ExAcquireResourceExclusiveLite(&Fcb->Main, TRUE);
    StartCache(File, Fcb);
    if (Offset.QuadPart + Bytes > Fcb->Header.FileSize.QuadPart) {
        Fcb->Header.FileSize.QuadPart = Offset.QuadPart + Bytes;
        CcSetFileSizes(File, (PCC_FILE_SIZES)&Fcb->Header.AllocationSize);
    }
    if (Offset.QuadPart > Fcb->Header.ValidDataLength.QuadPart)
        CcZeroData(File, &Fcb->Header.ValidDataLength, &Offset, TRUE);
    CcCopyWrite(File, &Offset, Bytes, TRUE, MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority));
    if (Offset.QuadPart + Bytes > Fcb->Header.ValidDataLength.QuadPart)
        Fcb->Header.ValidDataLength.QuadPart = Offset.QuadPart + Bytes;
    ExReleaseResourceLite(&Fcb->Main);
    if (File->Flags & FO_SYNCHRONOUS_IO)
        File->CurrentByteOffset.QuadPart = Offset.QuadPart + Bytes;
    Report(File, FILE_NOTIFY_CHANGE_SIZE, FILE_ACTION_MODIFIED);
    return Finish(Irp, STATUS_SUCCESS, Bytes);
}

static BOOLEAN NTAPI FastRead(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Bytes, BOOLEAN Wait, ULONG Key,
                              PVOID Buffer, PIO_STATUS_BLOCK Status, PDEVICE_OBJECT Device)
{
    Did.FastReads++;
    return FsRtlCopyRead(File, Offset, Bytes, Wait, Key, Buffer, Status, Device);
}

static BOOLEAN NTAPI FastWrite(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Bytes, BOOLEAN Wait, ULONG Key,
                               PVOID Buffer, PIO_STATUS_BLOCK Status, PDEVICE_OBJECT Device)
{
    Did.FastWrites++;
    return FsRtlCopyWrite(File, Offset, Bytes, Wait, Key, Buffer, Status, Device);
}

/* Asked when there are locks. */
static BOOLEAN NTAPI FastCheck(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Bytes, BOOLEAN Wait, ULONG Key,
                               BOOLEAN Read, PIO_STATUS_BLOCK Status, PDEVICE_OBJECT Device)
{
    LARGE_INTEGER Length = {.QuadPart = Bytes};
    PFCB Fcb = File->FsContext;
    return Read ? FsRtlFastCheckLockForRead(&Fcb->Lock, Offset, &Length, Key, File, PsGetCurrentProcess())
                : FsRtlFastCheckLockForWrite(&Fcb->Lock, Offset, &Length, Key, File, PsGetCurrentProcess());
}

/* Only for the odd sizes: the rest gets a request. */
static BOOLEAN NTAPI FastStandard(PFILE_OBJECT File, BOOLEAN Wait, PFILE_STANDARD_INFORMATION Standard,
                                  PIO_STATUS_BLOCK Result, PDEVICE_OBJECT Device)
{
    PFCB Fcb = File->FsContext;
    if (!(Fcb->Header.FileSize.QuadPart & 1))
        return FALSE;
    Did.FastQueries++;
    RtlZeroMemory(Standard, sizeof(*Standard));
    Standard->AllocationSize = Fcb->Header.AllocationSize;
    Standard->EndOfFile = Fcb->Header.FileSize;
    Standard->NumberOfLinks = 1;
    Result->Status = STATUS_SUCCESS;
    Result->Information = sizeof(*Standard);
    return TRUE;
}

static FAST_IO_DISPATCH Fast = {.SizeOfFastIoDispatch = sizeof(Fast),
                                .FastIoQueryStandardInfo = FastStandard,
                                .FastIoCheckIfPossible = FastCheck,
                                .FastIoRead = FastRead,
                                .FastIoWrite = FastWrite};

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

static NTSTATUS SetInformation(PIRP Irp, PIO_STACK_LOCATION Stack, PFILE_OBJECT File, PFCB Fcb)
{
    PFILE_END_OF_FILE_INFORMATION End = Irp->AssociatedIrp.SystemBuffer;
    switch ((ULONG)Stack->Parameters.SetFile.FileInformationClass) {
    case FileEndOfFileInformation:
        if (Stack->Parameters.SetFile.AdvanceOnly) {
            Did.ValidData++;
            return Finish(Irp, STATUS_SUCCESS, 0);
        }
        ExAcquireResourceExclusiveLite(&Fcb->Main, TRUE);
        Fcb->Header.FileSize = End->EndOfFile;
        if (Fcb->Header.ValidDataLength.QuadPart > End->EndOfFile.QuadPart)
            Fcb->Header.ValidDataLength = End->EndOfFile;
        CcSetFileSizes(File, (PCC_FILE_SIZES)&Fcb->Header.AllocationSize);
        ExReleaseResourceLite(&Fcb->Main);
        return Finish(Irp, STATUS_SUCCESS, 0);
    case FileDispositionInformation:
        Fcb->Delete = ((PFILE_DISPOSITION_INFORMATION)Irp->AssociatedIrp.SystemBuffer)->DeleteFile;
        return Finish(Irp, STATUS_SUCCESS, 0);
    }
    return Finish(Irp, STATUS_INVALID_PARAMETER, 0);
}

static NTSTATUS QueryInformation(PIRP Irp, PIO_STACK_LOCATION Stack, PFCB Fcb)
{
    PFILE_STANDARD_INFORMATION Standard = Irp->AssociatedIrp.SystemBuffer;
    if ((ULONG)Stack->Parameters.QueryFile.FileInformationClass != FileStandardInformation)
        return Finish(Irp, STATUS_INVALID_PARAMETER, 0);
    RtlZeroMemory(Standard, sizeof(*Standard));
    Standard->AllocationSize = Fcb->Header.AllocationSize;
    Standard->EndOfFile = Fcb->Header.FileSize;
    Standard->NumberOfLinks = 1;
    return Finish(Irp, STATUS_SUCCESS, sizeof(*Standard));
}

static NTSTATUS Mount(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PVPB Vpb = Stack->Parameters.MountVolume.Vpb;
    if (Vpb->RealDevice != Disk || memcmp(DiskMemory, "TESTFS01", 8))
        return Finish(Irp, STATUS_UNRECOGNIZED_VOLUME, 0);
    Did.Mounts++;
    if (!NT_SUCCESS(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Volume)))
        return Finish(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    Volume->Flags |= DO_DIRECT_IO;
    Volume->Flags &= ~DO_DEVICE_INITIALIZING;
    Vpb->DeviceObject = Volume;
    Volume->StackSize = Stack->Parameters.MountVolume.DeviceObject->StackSize + 1;
    InitializeFcb(&DirectoryFcb, 0x1000, PAGE_SIZE, PAGE_SIZE);
    DirectoryFile = IoCreateStreamFileObject(NULL, Vpb->RealDevice);
    DirectoryFile->Vpb = Vpb;
    DirectoryFile->FsContext = &DirectoryFcb;
    DirectoryFile->SectionObjectPointer = &DirectoryFcb.Section;
    StartCache(DirectoryFile, &DirectoryFcb);
    ObDereferenceObject(
        Stack->Parameters.MountVolume.DeviceObject); /* the I/O manager's reference, given to who mounts */
    return Finish(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS FileSystemControl(PIRP Irp, PIO_STACK_LOCATION Stack, PFCB Fcb)
{
    if (Stack->MinorFunction == IRP_MN_MOUNT_VOLUME)
        return Mount(Irp, Stack);
    if (Stack->MinorFunction == IRP_MN_VERIFY_VOLUME) {
        Did.Verifies++;
        CHECK(Stack->Parameters.VerifyVolume.DeviceObject == Volume && Stack->Parameters.VerifyVolume.Vpb == Disk->Vpb);
        return Finish(Irp, STATUS_SUCCESS, 0);
    }
    if (!Fcb)
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    ULONG Code = Stack->Parameters.FileSystemControl.FsControlCode;
    BOOLEAN Shared = Code == FSCTL_REQUEST_OPLOCK_LEVEL_2;
    return FsRtlOplockFsctrl(&Fcb->Oplock, Irp,
                             Shared ? FsRtlAreThereCurrentOrInProgressFileLocks(&Fcb->Lock) : Fcb->Handles);
}

static NTSTATUS Watch(PIRP Irp, PIO_STACK_LOCATION Stack, PFILE_OBJECT File)
{
    if (Stack->MinorFunction != IRP_MN_NOTIFY_CHANGE_DIRECTORY)
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    FsRtlNotifyFullChangeDirectory(NotifySync, &NotifyList, File->FsContext2, (PSTRING)&File->FileName,
                                   (Stack->Flags & SL_WATCH_TREE) != 0, FALSE,
                                   Stack->Parameters.NotifyDirectory.CompletionFilter, Irp, NULL, NULL);
    return STATUS_PENDING;
}

static NTSTATUS VolumeRequest(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFILE_OBJECT File = Stack->FileObject;
    PFCB Fcb = File ? File->FsContext : NULL;
    ULONG_PTR Information = 0;
    NTSTATUS Status;
    switch (Stack->MajorFunction) {
    case IRP_MJ_CREATE:
        Status = CreateFile(File, Stack, Irp, &Information);
        return Finish(Irp, Status, Information);
    case IRP_MJ_CLEANUP:
        return Cleanup(Irp, File);
    case IRP_MJ_CLOSE:
        return Close(Irp, File);
    case IRP_MJ_READ:
        return ReadFile(Irp, Stack, File, Fcb);
    case IRP_MJ_WRITE:
        return WriteFile(Irp, Stack, File, Fcb);
    case IRP_MJ_FLUSH_BUFFERS: {
        IO_STATUS_BLOCK Flushed;
        CcFlushCache(&Fcb->Section, NULL, 0, &Flushed);
        return Finish(Irp, Flushed.Status, 0);
    }
    case IRP_MJ_LOCK_CONTROL:
        Fcb->Header.IsFastIoPossible = FastIoIsQuestionable;
        return FsRtlProcessFileLock(&Fcb->Lock, Irp, NULL);
    case IRP_MJ_SET_INFORMATION:
        return SetInformation(Irp, Stack, File, Fcb);
    case IRP_MJ_QUERY_INFORMATION:
        return QueryInformation(Irp, Stack, Fcb);
    case IRP_MJ_DIRECTORY_CONTROL:
        return Watch(Irp, Stack, File);
    }
    return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status;
    if (Device == Disk) {
        if (Stack->MajorFunction == IRP_MJ_READ || Stack->MajorFunction == IRP_MJ_WRITE)
            return DiskTransfer(Irp, Stack);
        if (Stack->MajorFunction == IRP_MJ_CREATE || Stack->MajorFunction == IRP_MJ_CLEANUP ||
            Stack->MajorFunction == IRP_MJ_CLOSE)
            return Finish(Irp, STATUS_SUCCESS, 0);
        if (Stack->MajorFunction == IRP_MJ_DEVICE_CONTROL &&
            Stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_DISK_GET_DRIVE_GEOMETRY) {
            *(PDISK_GEOMETRY)Irp->AssociatedIrp.SystemBuffer =
                (DISK_GEOMETRY){{.QuadPart = DISK_BYTES / 512}, FixedMedia, 1, 1, 512};
            return Finish(Irp, STATUS_SUCCESS, sizeof(DISK_GEOMETRY));
        }
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    FsRtlEnterFileSystem();
    Status = Stack->MajorFunction == IRP_MJ_FILE_SYSTEM_CONTROL
                 ? FileSystemControl(Irp, Stack, Stack->FileObject ? Stack->FileObject->FsContext : NULL)
             : Device == Volume ? VolumeRequest(Irp, Stack)
                                : Finish(Irp, STATUS_SUCCESS, 0);
    FsRtlExitFileSystem();
    return Status;
}

/* ---- Start and end ----------------------------------------------------------------------------------------------- */

static BOOLEAN StartFileSystem(VOID)
{
    UNICODE_STRING DiskName = RTL_CONSTANT_STRING(L"\\Device\\TestDisk"), FsName = RTL_CONSTANT_STRING(L"\\TestFs");
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Dispatch;
    Driver->FastIoDispatch = &Fast;
    DiskMemory = ExAllocatePoolWithTag(NonPagedPool, DISK_BYTES, 'ksDT');
    RtlZeroMemory(DiskMemory, DISK_BYTES);
    RtlCopyMemory(DiskMemory, "TESTFS01", 8);
    FsRtlNotifyInitializeSync(&NotifySync);
    if (!NT_SUCCESS(IoCreateDevice(Driver, 0, &DiskName, FILE_DEVICE_DISK, 0, FALSE, &Disk)) ||
        !NT_SUCCESS(IoCreateDevice(Driver, 0, &FsName, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &Control)))
        return FALSE;
    Disk->Flags |= DO_DIRECT_IO;
    Disk->Flags &= ~DO_DEVICE_INITIALIZING;
    IoRegisterFileSystem(Control);
    return TRUE;
}

static VOID StopFileSystem(VOID)
{
    KIRQL Irql;
    IO_STATUS_BLOCK Status;
    IoUnregisterFileSystem(Control);
    if (Volume) {
        CcFlushCache(&DirectoryFcb.Section, NULL, 0, &Status);
        CcUninitializeCacheMap(DirectoryFile, NULL, NULL);
        ObDereferenceObject(DirectoryFile);
        DeleteFcb(&DirectoryFcb);
        IoAcquireVpbSpinLock(&Irql);
        Disk->Vpb->Flags &= ~VPB_MOUNTED;
        Disk->Vpb->DeviceObject = NULL;
        IoReleaseVpbSpinLock(Irql);
        IoDeleteDevice(Volume);
    }
    IoDeleteDevice(Control);
    IoDeleteDevice(Disk);
    FsRtlNotifyUninitializeSync(&NotifySync);
    ExFreePool(DiskMemory);
}

/* ---- For the tests ----------------------------------------------------------------------------------------------- */

static IO_STATUS_BLOCK Iosb;

static NTSTATUS Open(PCWSTR Text, ULONG Access, ULONG Share, ULONG Disposition, ULONG Options, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(Handle, Access | SYNCHRONIZE, &Attributes, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL, Share,
                        Disposition, Options, NULL, 0);
}

#define SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define SYNC FILE_SYNCHRONOUS_IO_NONALERT

static VOID Sleep(LONG Seconds)
{
    LARGE_INTEGER Due = {.QuadPart = -10000000ll * Seconds};
    KeDelayExecutionThread(KernelMode, FALSE, &Due);
}
