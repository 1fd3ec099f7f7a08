/*
 * A FAT16 file system driver in small, and the drive below it: a RAM disk with two media to choose from.
 *
 * The structures of the volume (both FATs, the root directory) are reached through a stream file object on the whole
 * volume, the files through file objects of their own; all of them are cached by Cc and share one way to the disk,
 * Transfer, which a file's LARGE_MCB of sectors leads. Only 8.3 names in the root directory, one sector a cluster.
 *
 * Locks, in their order: Vcb->Lock (the FATs, the directory, which files there are), Fcb->Main (a file's sizes and
 * cached data), Fcb->Paging (its sectors). Answer takes them and lets them go, so that whatever Cc raises finds them.
 *
 * A drive says STATUS_VERIFY_REQUIRED until the file system has looked whether its medium is still there: the outermost
 * request of a thread does that, after it has let its locks go, and is then answered again. (docs: IoVerifyVolume,
 * IoSetHardErrorOrVerifyDevice, IRP_MN_VERIFY_VOLUME, FSCTL_LOCK_VOLUME, FSCTL_DISMOUNT_VOLUME)
 */
#pragma once
#include "../io/test.h"
#include <ntdddisk.h>

#define SECTOR 512
#define FAT_SECTORS 17
#define ROOT_ENTRIES 64
#define FAT_START 1
#define ROOT_START (FAT_START + 2 * FAT_SECTORS)
#define DATA_START (ROOT_START + ROOT_ENTRIES * 32 / SECTOR)
#define CLUSTERS 4096 /* fewer than 4085 would be FAT12 */
#define SECTORS (DATA_START + CLUSTERS)
#define LAST_CLUSTER 0xFFFF

#include <pshpack1.h>
typedef struct _BOOT_SECTOR {
    UCHAR Jump[3], Oem[8];
    USHORT SectorBytes;
    UCHAR ClusterSectors;
    USHORT ReservedSectors;
    UCHAR Fats;
    USHORT RootEntries, Sectors;
    UCHAR Media;
    USHORT FatSectors, TrackSectors, Heads;
    ULONG HiddenSectors, LargeSectors;
    UCHAR DriveNumber, Reserved, Signature;
    ULONG Serial;
    UCHAR Label[11], System[8], Code[448];
    USHORT Mark;
} BOOT_SECTOR;
typedef struct _ENTRY {
    UCHAR Name[11], Attributes, Reserved[10];
    USHORT Time, Date, First;
    ULONG Size;
} ENTRY;
#include <poppack.h>
C_ASSERT(sizeof(BOOT_SECTOR) == SECTOR && sizeof(ENTRY) == 32);

typedef struct _VCB *PVCB;

typedef struct _FCB {
    FSRTL_ADVANCED_FCB_HEADER Header;
    PVCB Vcb;
    LIST_ENTRY Link; /* in Vcb->Files */
    ERESOURCE Main, Paging;
    FAST_MUTEX Mutex;
    SECTION_OBJECT_POINTERS Section;
    SHARE_ACCESS Share;
    LARGE_MCB Sectors;
    ULONG Entry; /* where its directory entry is on the volume; 0: this is the volume */
    USHORT First;
    ULONG Opens, Handles;
    BOOLEAN Delete;
} FCB, *PFCB;

typedef struct _VCB {
    PDEVICE_OBJECT Device, Disk;
    PVPB Vpb;
    ERESOURCE Lock;
    FCB Volume;            /* its size: the structures', for the files' sectors are in the cache of their files */
    PFILE_OBJECT Metadata; /* Volume, cached */
    LIST_ENTRY Files;
    PFILE_OBJECT Locker;
    LONG References; /* its file objects, and the requests that are under way */
    ULONG Handles;
    BOOLEAN Gone; /* dismounted, or the medium is another one */
} VCB;

static PDEVICE_OBJECT Drive, Control;
static PUCHAR Media[2];
static ULONG Inserted;
static BOOLEAN Changed;
static struct {
    ULONG Mounts, Verifies, Teardowns, PagingReads, PagingWrites;
} Did;

/* ---- The drive --------------------------------------------------------------------------------------------------- */

static VOID Format(PUCHAR Medium, ULONG Serial)
{
    BOOT_SECTOR *Boot = (BOOT_SECTOR *)Medium;
    *Boot = (BOOT_SECTOR){.Jump = {0xEB, 0x3C, 0x90},
                          .SectorBytes = SECTOR,
                          .ClusterSectors = 1,
                          .ReservedSectors = 1,
                          .Fats = 2,
                          .RootEntries = ROOT_ENTRIES,
                          .Sectors = SECTORS,
                          .Media = 0xF8,
                          .FatSectors = FAT_SECTORS,
                          .Signature = 0x29,
                          .Serial = Serial,
                          .Mark = 0xAA55};
    RtlCopyMemory(Boot->Oem, "IRQLAB  ", sizeof(Boot->Oem));
    RtlCopyMemory(Boot->Label, "NO NAME    ", sizeof(Boot->Label));
    RtlCopyMemory(Boot->System, "FAT16   ", sizeof(Boot->System));
    for (ULONG i = 0; i < 2; i++)
        *(PULONG)(Medium + (FAT_START + i * FAT_SECTORS) * SECTOR) = 0xFFFFFFF8; /* the two first are no clusters */
}

static NTSTATUS DriveAnswer(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    LONGLONG Offset = Stack->Parameters.Read.ByteOffset.QuadPart;
    ULONG Bytes = Stack->Parameters.Read.Length;
    UCHAR Major = Stack->MajorFunction;
    if (Major == IRP_MJ_CREATE || Major == IRP_MJ_CLEANUP || Major == IRP_MJ_CLOSE)
        return STATUS_SUCCESS;
    if (Changed && (Drive->Vpb->Flags & VPB_MOUNTED))
        Drive->Flags |= DO_VERIFY_VOLUME;
    Changed = FALSE;
    if ((Drive->Flags & DO_VERIFY_VOLUME) && !(Stack->Flags & SL_OVERRIDE_VERIFY_VOLUME)) {
        IoSetHardErrorOrVerifyDevice(Irp, Drive);
        return STATUS_VERIFY_REQUIRED;
    }
    if (Major == IRP_MJ_DEVICE_CONTROL)
        return Stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_DISK_CHECK_VERIFY
                   ? STATUS_SUCCESS
                   : STATUS_INVALID_DEVICE_REQUEST;
    if (Major != IRP_MJ_READ && Major != IRP_MJ_WRITE)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (Offset < 0 || Offset + Bytes > SECTORS * SECTOR || (Offset | Bytes) % SECTOR)
        return STATUS_INVALID_PARAMETER;
    PUCHAR Memory = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority),
           Medium = Media[Inserted] + Offset;
    if (!Memory)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Major == IRP_MJ_READ ? Memory : Medium, Major == IRP_MJ_READ ? Medium : Memory, Bytes);
    Irp->IoStatus.Information = Bytes;
    return STATUS_SUCCESS;
}

/* ---- To the drive ------------------------------------------------------------------------------------------------ */

static NTSTATUS CallAndWait(PDEVICE_OBJECT Device, PIRP Irp, PKEVENT Event, PIO_STATUS_BLOCK Iosb)
{
    NTSTATUS Status = IoCallDriver(Device, Irp);
    if (Status == STATUS_PENDING) {
        KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb->Status;
    }
    return Status;
}

/* The boot sector, whatever the drive thinks of its medium. */
static NTSTATUS ReadBoot(PDEVICE_OBJECT Device, BOOT_SECTOR *Boot)
{
    KEVENT Event;
    IO_STATUS_BLOCK Iosb;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    PIRP Irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, Device, Boot, SECTOR, &Zero, &Event, &Iosb);
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    IoGetNextIrpStackLocation(Irp)->Flags |= SL_OVERRIDE_VERIFY_VOLUME;
    NTSTATUS Status = CallAndWait(Device, Irp, &Event, &Iosb);
    if (NT_SUCCESS(Status) &&
        (Boot->Mark != 0xAA55 || Boot->SectorBytes != SECTOR || Boot->ClusterSectors != 1 || Boot->Fats != 2 ||
         Boot->FatSectors != FAT_SECTORS || Boot->RootEntries != ROOT_ENTRIES || Boot->Sectors != SECTORS))
        return STATUS_UNRECOGNIZED_VOLUME;
    return Status;
}

/* Removable media: what is cached says nothing about what is in the drive, so it is asked. */
static NTSTATUS CheckMedium(PVCB Vcb)
{
    KEVENT Event;
    IO_STATUS_BLOCK Iosb;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    PIRP Irp =
        IoBuildDeviceIoControlRequest(IOCTL_DISK_CHECK_VERIFY, Vcb->Disk, NULL, 0, NULL, 0, FALSE, &Event, &Iosb);
    return Irp ? CallAndWait(Vcb->Disk, Irp, &Event, &Iosb) : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS NTAPI RunDone(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event)
{
    KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Part of a request's buffer, At bytes behind its beginning, to or from sectors that lie together. */
static NTSTATUS TransferRun(PVCB Vcb, PIRP Master, ULONG At, LONGLONG Offset, ULONG Bytes)
{
    PIO_STACK_LOCATION Whole = IoGetCurrentIrpStackLocation(Master);
    PCHAR Address = (PCHAR)MmGetMdlVirtualAddress(Master->MdlAddress) + At;
    KEVENT Event;
    PIRP Irp = IoAllocateIrp(Vcb->Disk->StackSize, FALSE);
    PMDL Mdl = Irp ? IoAllocateMdl(Address, Bytes, FALSE, FALSE, Irp) : NULL;
    if (!Mdl) {
        if (Irp)
            IoFreeIrp(Irp);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    IoBuildPartialMdl(Master->MdlAddress, Mdl, Address, Bytes);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = Whole->MajorFunction;
    Stack->Parameters.Read.Length = Bytes;
    Stack->Parameters.Read.ByteOffset.QuadPart = Offset;
    Irp->Tail.Overlay.Thread = PsGetCurrentThread(); /* who is to verify */
    IoSetCompletionRoutine(Irp, RunDone, &Event, TRUE, TRUE, TRUE);
    IoCallDriver(Vcb->Disk, Irp);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    NTSTATUS Status = Irp->IoStatus.Status;
    IoFreeMdl(Mdl);
    IoFreeIrp(Irp);
    return Status;
}

static NTSTATUS Transfer(PFCB Fcb, PIRP Irp, LONGLONG Offset, ULONG Bytes)
{
    for (ULONG At = 0, Run; At < Bytes; At += Run) {
        LONGLONG Sector, Count;
        if (!FsRtlLookupLargeMcbEntry(&Fcb->Sectors, (Offset + At) / SECTOR, &Sector, &Count, NULL, NULL, NULL))
            return STATUS_FILE_CORRUPT_ERROR;
        Run = (ULONG)min(Count * SECTOR, Bytes - At);
        NTSTATUS Status = TransferRun(Fcb->Vcb, Irp, At, Sector * SECTOR, Run);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    return STATUS_SUCCESS;
}

/* ---- The structures of the volume: Vcb->Lock exclusively, what Cc raises goes on ---------------------------------- */

/* Bytes of the volume, in the cache: to change (the caller sets them dirty) or to look at. */
static PVOID Pin(PVCB Vcb, ULONG Offset, ULONG Bytes, BOOLEAN Change, PVOID *Bcb)
{
    LARGE_INTEGER At = {.QuadPart = Offset};
    PVOID Buffer;
    if (!(Change ? CcPinRead(Vcb->Metadata, &At, Bytes, PIN_WAIT, Bcb, &Buffer)
                 : CcMapData(Vcb->Metadata, &At, Bytes, MAP_WAIT, Bcb, &Buffer)))
        ExRaiseStatus(STATUS_CANT_WAIT);
    return Buffer;
}

static VOID Unpin(PVOID Bcb, BOOLEAN Change)
{
    if (Change)
        CcSetDirtyPinnedData(Bcb, NULL);
    CcUnpinData(Bcb);
}

static USHORT NextCluster(PVCB Vcb, ULONG Cluster)
{
    PVOID Bcb;
    USHORT Next = *(PUSHORT)Pin(Vcb, FAT_START * SECTOR + Cluster * 2, 2, FALSE, &Bcb);
    Unpin(Bcb, FALSE);
    return Next;
}

static VOID SetNextCluster(PVCB Vcb, ULONG Cluster, USHORT Next)
{
    for (ULONG i = 0; i < 2; i++) {
        PVOID Bcb;
        *(PUSHORT)Pin(Vcb, (FAT_START + i * FAT_SECTORS) * SECTOR + Cluster * 2, 2, TRUE, &Bcb) = Next;
        Unpin(Bcb, TRUE);
    }
}

static USHORT NewCluster(PVCB Vcb)
{
    for (USHORT Cluster = 2; Cluster < CLUSTERS + 2; Cluster++)
        if (!NextCluster(Vcb, Cluster)) {
            SetNextCluster(Vcb, Cluster, LAST_CLUSTER);
            return Cluster;
        }
    ExRaiseStatus(STATUS_DISK_FULL);
}

static USHORT ClusterOf(PFCB Fcb, ULONG Index)
{
    LONGLONG Sector;
    FsRtlLookupLargeMcbEntry(&Fcb->Sectors, Index, &Sector, NULL, NULL, NULL, NULL);
    return (USHORT)(Sector - DATA_START + 2);
}

/* Give the file as many clusters as Size needs. */
static VOID SetAllocation(PFCB Fcb, LONGLONG Size)
{
    PVCB Vcb = Fcb->Vcb;
    ULONG Want = (ULONG)((Size + SECTOR - 1) / SECTOR), Have = (ULONG)(Fcb->Header.AllocationSize.QuadPart / SECTOR);
    for (; Have < Want; Have++) {
        USHORT Cluster = NewCluster(Vcb);
        if (Have)
            SetNextCluster(Vcb, ClusterOf(Fcb, Have - 1), Cluster);
        else
            Fcb->First = Cluster;
        FsRtlAddLargeMcbEntry(&Fcb->Sectors, Have, DATA_START + Cluster - 2, 1);
        Fcb->Header.AllocationSize.QuadPart += SECTOR;
    }
    for (ULONG i = Want; i < Have; i++)
        SetNextCluster(Vcb, ClusterOf(Fcb, i), 0);
    if (Want && Want < Have)
        SetNextCluster(Vcb, ClusterOf(Fcb, Want - 1), LAST_CLUSTER);
    if (!Want)
        Fcb->First = 0;
    FsRtlTruncateLargeMcb(&Fcb->Sectors, Want);
    Fcb->Header.AllocationSize.QuadPart = (LONGLONG)Want * SECTOR;
}

static VOID WriteEntry(PFCB Fcb)
{
    PVOID Bcb;
    ENTRY *Entry = Pin(Fcb->Vcb, Fcb->Entry, sizeof(*Entry), TRUE, &Bcb);
    Entry->First = Fcb->First;
    Entry->Size = Fcb->Header.FileSize.LowPart;
    if (Fcb->Delete)
        Entry->Name[0] = 0xE5;
    Unpin(Bcb, TRUE);
}

static BOOLEAN ShortName(PCUNICODE_STRING Text, PUCHAR Name)
{
    ULONG To = 0, End = 8;
    RtlFillMemory(Name, 11, ' ');
    for (ULONG i = 0; i < Text->Length / sizeof(WCHAR); i++) {
        WCHAR Letter = RtlUpcaseUnicodeChar(Text->Buffer[i]);
        if (Letter == L'.' && End == 8 && i) {
            To = 8;
            End = 11;
        } else if (Letter > 126 || !FsRtlIsAnsiCharacterLegalFat((CHAR)Letter, FALSE) || Letter == L'.' || To == End)
            return FALSE;
        else
            Name[To++] = (UCHAR)Letter;
    }
    return To > 0;
}

/* Where the name's entry is; *Free: the first that could be its. 0: there is none. */
static ULONG FindEntry(PVCB Vcb, const UCHAR *Name, PULONG Free)
{
    *Free = 0;
    for (ULONG At = ROOT_START * SECTOR; At < DATA_START * SECTOR; At += sizeof(ENTRY)) {
        PVOID Bcb;
        ENTRY *Entry = Pin(Vcb, At, sizeof(*Entry), FALSE, &Bcb);
        UCHAR First = Entry->Name[0];
        BOOLEAN Same = RtlEqualMemory(Entry->Name, Name, 11);
        Unpin(Bcb, FALSE);
        if (Same)
            return At;
        if ((!First || First == 0xE5) && !*Free)
            *Free = At;
        if (!First)
            break;
    }
    return 0;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static BOOLEAN NTAPI LockForCache(PVOID Context, BOOLEAN Wait)
{
    if (!ExAcquireResourceSharedLite(&((PFCB)Context)->Main, Wait))
        return FALSE;
    IoSetTopLevelIrp((PIRP)FSRTL_CACHE_TOP_LEVEL_IRP);
    return TRUE;
}

static VOID NTAPI UnlockForCache(PVOID Context)
{
    IoSetTopLevelIrp(NULL);
    ExReleaseResourceLite(&((PFCB)Context)->Main);
}

static CACHE_MANAGER_CALLBACKS Callbacks = {LockForCache, UnlockForCache, LockForCache, UnlockForCache};

static VOID InitializeFcb(PFCB Fcb, PVCB Vcb, ULONG Entry, ULONG Size)
{
    RtlZeroMemory(Fcb, sizeof(*Fcb));
    Fcb->Vcb = Vcb;
    Fcb->Entry = Entry;
    ExInitializeResourceLite(&Fcb->Main);
    ExInitializeResourceLite(&Fcb->Paging);
    ExInitializeFastMutex(&Fcb->Mutex);
    FsRtlSetupAdvancedHeader(&Fcb->Header, &Fcb->Mutex);
    Fcb->Header.Resource = &Fcb->Main;
    Fcb->Header.PagingIoResource = &Fcb->Paging;
    Fcb->Header.IsFastIoPossible = FastIoIsNotPossible;
    Fcb->Header.FileSize.QuadPart = Fcb->Header.ValidDataLength.QuadPart = Size;
    FsRtlInitializeLargeMcb(&Fcb->Sectors, NonPagedPool);
}

static VOID DeleteFcb(PFCB Fcb)
{
    FsRtlTeardownPerStreamContexts(&Fcb->Header);
    FsRtlUninitializeLargeMcb(&Fcb->Sectors);
    ExDeleteResourceLite(&Fcb->Paging);
    ExDeleteResourceLite(&Fcb->Main);
}

static VOID StartCache(PFILE_OBJECT File, PFCB Fcb)
{
    if (!File->PrivateCacheMap)
        CcInitializeCacheMap(File, (PCC_FILE_SIZES)&Fcb->Header.AllocationSize, !Fcb->Entry, &Callbacks, Fcb);
}

static PFCB FindFcb(PVCB Vcb, ULONG At)
{
    for (PLIST_ENTRY Link = Vcb->Files.Flink; Link != &Vcb->Files; Link = Link->Flink)
        if (CONTAINING_RECORD(Link, FCB, Link)->Entry == At && !CONTAINING_RECORD(Link, FCB, Link)->Delete)
            return CONTAINING_RECORD(Link, FCB, Link);
    PVOID Bcb;
    ENTRY Entry = *(ENTRY *)Pin(Vcb, At, sizeof(ENTRY), FALSE, &Bcb);
    Unpin(Bcb, FALSE);
    PFCB Fcb = ExAllocatePoolWithTag(NonPagedPool, sizeof(*Fcb), 'bcFT');
    if (!Fcb)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    InitializeFcb(Fcb, Vcb, At, Entry.Size);
    Fcb->First = Entry.First;
    InsertTailList(&Vcb->Files, &Fcb->Link);
    ULONG Count = 0;
    for (USHORT i = Fcb->First; i >= 2 && i < CLUSTERS + 2; i = NextCluster(Vcb, i))
        FsRtlAddLargeMcbEntry(&Fcb->Sectors, Count++, DATA_START + i - 2, 1);
    Fcb->Header.AllocationSize.QuadPart = (LONGLONG)Count * SECTOR;
    return Fcb;
}

static NTSTATUS Create(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFILE_OBJECT File = Stack->FileObject;
    ULONG Disposition = Stack->Parameters.Create.Options >> 24, Free;
    ACCESS_MASK Access = Stack->Parameters.Create.SecurityContext->DesiredAccess;
    PFCB Fcb = &Vcb->Volume;
    UCHAR Name[11];
    NTSTATUS Status = Vcb->Gone ? STATUS_VOLUME_DISMOUNTED : CheckMedium(Vcb);
    if (!NT_SUCCESS(Status))
        return Status;
    Irp->IoStatus.Information = FILE_OPENED;
    if (File->FileName.Length) {
        UNICODE_STRING Text = {File->FileName.Length - sizeof(WCHAR), 0, File->FileName.Buffer + 1};
        if (!ShortName(&Text, Name))
            return STATUS_OBJECT_NAME_INVALID;
        ULONG At = FindEntry(Vcb, Name, &Free);
        if (At && Disposition == FILE_CREATE)
            return STATUS_OBJECT_NAME_COLLISION;
        if (!At && Disposition != FILE_CREATE && Disposition != FILE_OPEN_IF)
            return STATUS_OBJECT_NAME_NOT_FOUND;
        if (!At && !Free)
            return STATUS_DISK_FULL;
        if (!At) {
            PVOID Bcb;
            ENTRY *Entry = Pin(Vcb, At = Free, sizeof(*Entry), TRUE, &Bcb);
            *Entry = (ENTRY){.Attributes = FILE_ATTRIBUTE_ARCHIVE};
            RtlCopyMemory(Entry->Name, Name, sizeof(Name));
            Unpin(Bcb, TRUE);
            Irp->IoStatus.Information = FILE_CREATED;
        }
        Fcb = FindFcb(Vcb, At);
        if (Fcb->Handles)
            Status = IoCheckShareAccess(Access, Stack->Parameters.Create.ShareAccess, File, &Fcb->Share, TRUE);
        else
            IoSetShareAccess(Access, Stack->Parameters.Create.ShareAccess, File, &Fcb->Share);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    Fcb->Opens++;
    Fcb->Handles++;
    InterlockedIncrement(&Vcb->References);
    Vcb->Handles++;
    File->FsContext = Fcb;
    File->FsContext2 = File; /* the stream file object has none */
    File->SectionObjectPointer = Fcb->Entry ? &Fcb->Section : NULL;
    return STATUS_SUCCESS;
}

static VOID UnlockVolume(PVCB Vcb)
{
    KIRQL Irql;
    IoAcquireVpbSpinLock(&Irql);
    Vcb->Vpb->Flags &= ~VPB_LOCKED;
    Vcb->Locker = NULL;
    IoReleaseVpbSpinLock(Irql);
}

static NTSTATUS Cleanup(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFILE_OBJECT File = Stack->FileObject;
    PFCB Fcb = File->FsContext;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    BOOLEAN Delete = --Fcb->Handles == 0 && Fcb->Delete;
    Vcb->Handles--;
    if (Vcb->Locker == File)
        UnlockVolume(Vcb);
    if (!Fcb->Entry)
        return STATUS_SUCCESS;
    IoRemoveShareAccess(File, &Fcb->Share);
    if (Delete) {
        ExAcquireResourceExclusiveLite(&Fcb->Paging, TRUE);
        Fcb->Header.FileSize = Fcb->Header.ValidDataLength = Zero;
        if (!Vcb->Gone)
            SetAllocation(Fcb, 0);
        ExReleaseResourceLite(&Fcb->Paging);
    }
    if (!Vcb->Gone)
        WriteEntry(Fcb);
    CcUninitializeCacheMap(File, Delete ? &Zero : NULL, NULL);
    return STATUS_SUCCESS;
}

static VOID DropFcb(PFCB Fcb)
{
    if (--Fcb->Opens || !Fcb->Entry)
        return;
    RemoveEntryList(&Fcb->Link);
    DeleteFcb(Fcb);
    ExFreePool(Fcb);
}

static NTSTATUS Close(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    InterlockedDecrement(&Vcb->References);
    DropFcb(Stack->FileObject->FsContext);
    return STATUS_SUCCESS;
}

/* ---- Read and write ---------------------------------------------------------------------------------------------- */

/* Whole pages of Cc and Mm: what lies behind the last sector is nowhere. */
static NTSTATUS Paging(PFCB Fcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    LONGLONG Offset = Stack->Parameters.Read.ByteOffset.QuadPart, Left = Fcb->Header.AllocationSize.QuadPart - Offset;
    ULONG Bytes = Stack->Parameters.Read.Length;
    BOOLEAN Read = Stack->MajorFunction == IRP_MJ_READ;
    *(Read ? &Did.PagingReads : &Did.PagingWrites) += 1;
    if (Fcb->Vcb->Gone)
        return STATUS_VOLUME_DISMOUNTED;
    if (Left <= 0)
        return STATUS_END_OF_FILE;
    if (Bytes > Left && Read) {
        PCHAR Memory = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
        if (!Memory)
            return STATUS_INSUFFICIENT_RESOURCES;
        RtlZeroMemory(Memory + Left, Bytes - (ULONG)Left);
    }
    Irp->IoStatus.Information = Bytes;
    return Transfer(Fcb, Irp, Offset, (ULONG)min(Bytes, Left));
}

/* The disk is to have what the cache has, before somebody reads past it or, then to forget, writes past it. */
static VOID LeaveCache(PFCB Fcb, PLARGE_INTEGER Offset, ULONG Bytes, BOOLEAN Forget)
{
    IO_STATUS_BLOCK Iosb;
    CcFlushCache(&Fcb->Section, Offset, Bytes, &Iosb);
    if (!NT_SUCCESS(Iosb.Status))
        ExRaiseStatus(Iosb.Status);
    if (Forget && !CcPurgeCacheSection(&Fcb->Section, Offset, Bytes, FALSE))
        ExRaiseStatus(STATUS_USER_MAPPED_FILE);
}

static LONGLONG EndOf(PFCB Fcb)
{
    return Fcb->Entry ? Fcb->Header.FileSize.QuadPart : SECTORS * SECTOR;
}

static PVOID BufferOf(PIRP Irp)
{
    PVOID Buffer = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
    if (!Buffer)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return Buffer;
}

static NTSTATUS Read(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFILE_OBJECT File = Stack->FileObject;
    PFCB Fcb = File->FsContext;
    LARGE_INTEGER Offset = Stack->Parameters.Read.ByteOffset;
    LONGLONG Left = EndOf(Fcb) - Offset.QuadPart;
    ULONG Wanted = Stack->Parameters.Read.Length, Bytes = (ULONG)min(Wanted, max(Left, 0));
    NTSTATUS Status = STATUS_SUCCESS;
    if (!Bytes)
        return Wanted ? STATUS_END_OF_FILE : STATUS_SUCCESS;
    if (Fcb->Entry && !(Irp->Flags & IRP_NOCACHE)) {
        IO_STATUS_BLOCK Copied;
        StartCache(File, Fcb);
        CcCopyRead(File, &Offset, Bytes, TRUE, BufferOf(Irp), &Copied);
        Status = Copied.Status;
    } else {
        if ((Offset.QuadPart | Wanted) % SECTOR)
            return STATUS_INVALID_PARAMETER;
        LeaveCache(Fcb, &Offset, Bytes, FALSE);
        Status = Transfer(Fcb, Irp, Offset.QuadPart, (Bytes + SECTOR - 1) & ~(SECTOR - 1));
    }
    if (!NT_SUCCESS(Status))
        return Status;
    Irp->IoStatus.Information = Bytes;
    if (File->Flags & FO_SYNCHRONOUS_IO)
        File->CurrentByteOffset.QuadPart = Offset.QuadPart + Bytes;
    return STATUS_SUCCESS;
}

/* A new end of the file, Fcb->Paging held meanwhile: Mm must see sectors and sizes that fit. */
static VOID SetSize(PFILE_OBJECT File, PFCB Fcb, LONGLONG Size)
{
    ExAcquireResourceExclusiveLite(&Fcb->Paging, TRUE);
    __try {
        SetAllocation(Fcb, Size);
        Fcb->Header.FileSize.QuadPart = Size;
        if (Fcb->Header.ValidDataLength.QuadPart > Size)
            Fcb->Header.ValidDataLength.QuadPart = Size;
    } __finally {
        ExReleaseResourceLite(&Fcb->Paging);
    }
    CcSetFileSizes(File, (PCC_FILE_SIZES)&Fcb->Header.AllocationSize);
}

/* A file's new sectors have what somebody left there: nobody gets to see it. */
static VOID ZeroUpTo(PFILE_OBJECT File, PFCB Fcb, LARGE_INTEGER End)
{
    if (End.QuadPart <= Fcb->Header.ValidDataLength.QuadPart)
        return;
    StartCache(File, Fcb);
    CcZeroData(File, &Fcb->Header.ValidDataLength, &End, TRUE);
    Fcb->Header.ValidDataLength = End;
}

static NTSTATUS Write(PVCB Vcb, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PFILE_OBJECT File = Stack->FileObject;
    PFCB Fcb = File->FsContext;
    LARGE_INTEGER Offset = Stack->Parameters.Write.ByteOffset;
    ULONG Bytes = Stack->Parameters.Write.Length;
    BOOLEAN Cached = Fcb->Entry && !(Irp->Flags & IRP_NOCACHE);
    NTSTATUS Status = CheckMedium(Vcb);
    if (!NT_SUCCESS(Status) || !Bytes)
        return Status;
    LONGLONG End = Offset.QuadPart + Bytes;
    if (!Cached && (Offset.QuadPart | Bytes) % SECTOR)
        return STATUS_INVALID_PARAMETER;
    if (!Fcb->Entry && End > EndOf(Fcb))
        return STATUS_END_OF_FILE;
    if (End > EndOf(Fcb))
        SetSize(File, Fcb, End);
    if (Fcb->Entry)
        ZeroUpTo(File, Fcb, Offset);
    if (Cached) {
        StartCache(File, Fcb);
        CcCopyWrite(File, &Offset, Bytes, TRUE, BufferOf(Irp));
    } else {
        LeaveCache(Fcb, &Offset, Bytes, TRUE);
        Status = Transfer(Fcb, Irp, Offset.QuadPart, Bytes);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    if (Fcb->Entry && End > Fcb->Header.ValidDataLength.QuadPart)
        Fcb->Header.ValidDataLength.QuadPart = End;
    Irp->IoStatus.Information = Bytes;
    if (File->Flags & FO_SYNCHRONOUS_IO)
        File->CurrentByteOffset.QuadPart = End;
    return STATUS_SUCCESS;
}
