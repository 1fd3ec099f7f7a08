/*
 * Partition tables: read from and written to the disk that a device object stands for, by read and write requests to it.
 * (docs: IoReadPartitionTableEx, IoWritePartitionTableEx, IoSetPartitionInformation, IoReadDiskSignature, IoCreateDisk)
 *
 * MBR: the first sector has four entries; one of them may be an extended partition, a chain of sectors with tables of their
 * own. Lists have four entries for each table, as on Windows. GPT: a header in the second sector and its copy in the last
 * one, each with a table of entries (UEFI specification, chapter 5).
 */
#include "nt.h"
#include <ntdddisk.h>

NTSTATUS NTAPI NtOpenSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE Handle, PUNICODE_STRING Target, PULONG Returned);

#define IOP_DISK_TAG 'traP'
#define IOP_TABLES 32 /* of an extended chain */
#define IOP_GPT_ENTRIES 128

#pragma pack(push, 1)
typedef struct _IOP_MBR_ENTRY {
    UCHAR Active, StartChs[3], Type, EndChs[3];
    ULONG First, Sectors;
} IOP_MBR_ENTRY;

typedef struct _IOP_MBR {
    UCHAR Code[440];
    ULONG Signature;
    USHORT Zero;
    IOP_MBR_ENTRY Entry[4];
    USHORT Magic;
} IOP_MBR, *PIOP_MBR;

typedef struct _IOP_GPT {
    UCHAR Magic[8]; /* "EFI PART" */
    ULONG Revision, HeaderBytes, HeaderCrc, Zero;
    UINT64 Here, Other, FirstUsable, LastUsable;
    GUID DiskId;
    UINT64 Entries;
    ULONG Count, EntryBytes, EntriesCrc;
} IOP_GPT, *PIOP_GPT;

typedef struct _IOP_GPT_ENTRY {
    GUID Type, Id;
    UINT64 First, Last, Attributes;
    WCHAR Name[36];
} IOP_GPT_ENTRY, *PIOP_GPT_ENTRY;
#pragma pack(pop)
C_ASSERT(sizeof(IOP_MBR) == 512 && sizeof(IOP_GPT) == 92 && sizeof(IOP_GPT_ENTRY) == 128);

struct _CREATE_DISK { /* docs: CREATE_DISK */
    PARTITION_STYLE PartitionStyle;
    union {
        struct {
            ULONG Signature;
        } Mbr;
        struct {
            GUID DiskId;
            ULONG MaxPartitionCount;
        } Gpt;
    };
};

typedef struct _IOP_DISK {
    PDEVICE_OBJECT Device;
    ULONG Sector;
    UINT64 Sectors;
} IOP_DISK, *PIOP_DISK;

/* ---- The disk ---------------------------------------------------------------------------------------------------- */

static NTSTATUS IopRequest(PIRP Irp, PDEVICE_OBJECT Device, PKEVENT Event, PIO_STATUS_BLOCK Iosb)
{
    NTSTATUS Status;
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = IofCallDriver(Device, Irp);
    if (Status == STATUS_PENDING) {
        KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb->Status;
    }
    return Status;
}

/* Whole sectors. */
static NTSTATUS IopTransfer(PIOP_DISK Disk, ULONG Major, UINT64 Sector, PVOID Buffer, ULONG Bytes)
{
    LARGE_INTEGER Offset = {.QuadPart = (LONGLONG)(Sector * Disk->Sector)};
    IO_STATUS_BLOCK Iosb = {0};
    KEVENT Event;
    PIRP Irp;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Irp = IoBuildSynchronousFsdRequest(Major, Disk->Device, Buffer, Bytes, &Offset, &Event, &Iosb);
    if (Irp)
        IoGetNextIrpStackLocation(Irp)->Flags |= SL_OVERRIDE_VERIFY_VOLUME;
    return IopRequest(Irp, Disk->Device, &Event, &Iosb);
}

static NTSTATUS IopControlDisk(PDEVICE_OBJECT Device, ULONG Code, PVOID Out, ULONG Bytes)
{
    IO_STATUS_BLOCK Iosb = {0};
    KEVENT Event;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    return IopRequest(IoBuildDeviceIoControlRequest(Code, Device, NULL, 0, Out, Bytes, FALSE, &Event, &Iosb), Device,
                      &Event, &Iosb);
}

static NTSTATUS IopOpenDisk(PDEVICE_OBJECT Device, PIOP_DISK Disk)
{
    DISK_GEOMETRY Geometry;
    GET_LENGTH_INFORMATION Length;
    NTSTATUS Status = IopControlDisk(Device, IOCTL_DISK_GET_DRIVE_GEOMETRY, &Geometry, sizeof(Geometry));
    if (!NT_SUCCESS(Status))
        return Status;
    if (Geometry.BytesPerSector < 512 || Geometry.BytesPerSector > 4096)
        return STATUS_INVALID_BUFFER_SIZE;
    Disk->Device = Device;
    Disk->Sector = Geometry.BytesPerSector;
    Disk->Sectors = (UINT64)Geometry.Cylinders.QuadPart * Geometry.TracksPerCylinder * Geometry.SectorsPerTrack;
    if (NT_SUCCESS(IopControlDisk(Device, IOCTL_DISK_GET_LENGTH_INFO, &Length, sizeof(Length))))
        Disk->Sectors = (UINT64)Length.Length.QuadPart / Disk->Sector;
    return STATUS_SUCCESS;
}

/* Freed by IopFree. */
static NTSTATUS IopReadSectors(PIOP_DISK Disk, UINT64 Sector, ULONG Count, PVOID *Buffer)
{
    NTSTATUS Status;
    *Buffer = IopAllocate(Count * Disk->Sector, IOP_DISK_TAG, 0);
    if (!*Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = IopTransfer(Disk, IRP_MJ_READ, Sector, *Buffer, Count * Disk->Sector);
    if (NT_SUCCESS(Status))
        return Status;
    IopFree(*Buffer);
    *Buffer = NULL;
    return Status;
}

/* ---- MBR, reading ------------------------------------------------------------------------------------------------ */

static BOOLEAN IopIsExtended(UCHAR Type)
{
    return Type == PARTITION_EXTENDED || Type == PARTITION_XINT13_EXTENDED;
}

typedef struct _IOP_LIST {
    ULONG Signature, Count;
    PARTITION_INFORMATION Entry[4 * IOP_TABLES];
} IOP_LIST, *PIOP_LIST;

static VOID IopAddEntry(PIOP_LIST List, PIOP_DISK Disk, const IOP_MBR_ENTRY *From, UINT64 Base, UINT64 Extended,
                        BOOLEAN InChain, PULONG Number)
{
    PPARTITION_INFORMATION To = &List->Entry[List->Count++];
    UINT64 First = (IopIsExtended(From->Type) && InChain ? Extended : Base) + From->First;
    To->PartitionType = From->Type;
    To->BootIndicator = From->Active == 0x80;
    if (From->Type == PARTITION_ENTRY_UNUSED)
        return;
    To->StartingOffset.QuadPart = (LONGLONG)(First * Disk->Sector);
    To->PartitionLength.QuadPart = (LONGLONG)((UINT64)From->Sectors * Disk->Sector);
    To->HiddenSectors = (ULONG)(First - (InChain ? Base : 0));
    To->RecognizedPartition = !IopIsExtended(From->Type) && IsRecognizedPartition(From->Type);
    if (!IopIsExtended(From->Type))
        To->PartitionNumber = ++*Number;
}

/* STATUS_UNRECOGNIZED_MEDIA never: a disk without a table has an empty list, as on Windows. */
static NTSTATUS IopReadMbr(PIOP_DISK Disk, PIOP_LIST List)
{
    UINT64 Sector = 0, Extended = 0;
    ULONG Number = 0;
    BOOLEAN More = TRUE;
    RtlZeroMemory(List, sizeof(*List));
    for (ULONG Table = 0; More && Table < IOP_TABLES; Table++) {
        PIOP_MBR Mbr;
        UINT64 Next = 0;
        NTSTATUS Status = IopReadSectors(Disk, Sector, 1, (PVOID *)&Mbr);
        if (!NT_SUCCESS(Status))
            return Status;
        More = Mbr->Magic == 0xaa55;
        if (!Table)
            List->Signature = Mbr->Signature;
        for (ULONG i = 0; i < 4 && More; i++) {
            IopAddEntry(List, Disk, &Mbr->Entry[i], Sector, Extended, Table != 0, &Number);
            if (IopIsExtended(Mbr->Entry[i].Type))
                Next = Extended + Mbr->Entry[i].First;
        }
        if (More && !Table)
            Extended = Next;
        Sector = Next;
        More = More && Next != 0;
        IopFree(Mbr);
    }
    return STATUS_SUCCESS;
}

static BOOLEAN IopIsListed(PPARTITION_INFORMATION Entry, BOOLEAN RecognizedOnly)
{
    return !RecognizedOnly || Entry->RecognizedPartition;
}

NTSTATUS FASTCALL IoReadPartitionTable(PDEVICE_OBJECT Device, ULONG SectorSize, BOOLEAN ReturnRecognizedPartitions,
                                       PDRIVE_LAYOUT_INFORMATION *PartitionBuffer)
{
    IOP_DISK Disk = {.Device = Device, .Sector = SectorSize < 512 ? 512 : SectorSize};
    PIOP_LIST List = ExpTryAllocate(sizeof(*List), IOP_DISK_TAG);
    PDRIVE_LAYOUT_INFORMATION Layout = NULL;
    NTSTATUS Status = List ? IopReadMbr(&Disk, List) : STATUS_INSUFFICIENT_RESOURCES;
    *PartitionBuffer = NULL;
    if (NT_SUCCESS(Status)) {
        Layout = ExAllocatePoolWithTag(NonPagedPoolNx,
                                       sizeof(*Layout) + List->Count * sizeof(Layout->PartitionEntry[0]), IOP_DISK_TAG);
        Status = Layout ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (Layout) {
        Layout->Signature = List->Signature;
        Layout->PartitionCount = 0;
        for (ULONG i = 0; i < List->Count; i++)
            if (IopIsListed(&List->Entry[i], ReturnRecognizedPartitions))
                Layout->PartitionEntry[Layout->PartitionCount++] = List->Entry[i];
        *PartitionBuffer = Layout;
    }
    if (List)
        ExpFree(List);
    return Status;
}

/* ---- GPT, reading ------------------------------------------------------------------------------------------------ */

static ULONG IopCrc(const VOID *Data, SIZE_T Bytes)
{
    ULONG Crc = 0xffffffff;
    for (SIZE_T i = 0; i < Bytes; i++) {
        Crc ^= ((const UCHAR *)Data)[i];
        for (ULONG j = 0; j < 8; j++)
            Crc = Crc >> 1 ^ (Crc & 1 ? 0xedb88320 : 0);
    }
    return ~Crc;
}

static ULONG IopEntrySectors(PIOP_DISK Disk, PIOP_GPT Gpt)
{
    return (Gpt->Count * Gpt->EntryBytes + Disk->Sector - 1) / Disk->Sector;
}

/* Header at Sector and its entries. Both are freed by IopFree. */
static NTSTATUS IopReadGpt(PIOP_DISK Disk, UINT64 Sector, PIOP_GPT *Header, PIOP_GPT_ENTRY *Entries)
{
    PIOP_GPT Gpt;
    ULONG Crc;
    NTSTATUS Status = IopReadSectors(Disk, Sector, 1, (PVOID *)&Gpt);
    if (!NT_SUCCESS(Status))
        return Status;
    Crc = Gpt->HeaderCrc;
    Gpt->HeaderCrc = 0;
    if (memcmp(Gpt->Magic, "EFI PART", 8) || Gpt->HeaderBytes < sizeof(*Gpt) || Gpt->HeaderBytes > Disk->Sector ||
        IopCrc(Gpt, Gpt->HeaderBytes) != Crc || Gpt->EntryBytes != sizeof(IOP_GPT_ENTRY) || !Gpt->Count ||
        Gpt->Count > 1024) {
        IopFree(Gpt);
        return STATUS_DISK_CORRUPT_ERROR;
    }
    Gpt->HeaderCrc = Crc;
    Status = IopReadSectors(Disk, Gpt->Entries, IopEntrySectors(Disk, Gpt), (PVOID *)Entries);
    if (NT_SUCCESS(Status) && IopCrc(*Entries, Gpt->Count * Gpt->EntryBytes) != Gpt->EntriesCrc) {
        IopFree(*Entries);
        Status = STATUS_DISK_CORRUPT_ERROR;
    }
    if (!NT_SUCCESS(Status)) {
        IopFree(Gpt);
        return Status;
    }
    *Header = Gpt;
    return STATUS_SUCCESS;
}

static BOOLEAN IopIsGpt(PIOP_DISK Disk)
{
    PIOP_MBR Mbr;
    BOOLEAN Is = FALSE;
    if (!NT_SUCCESS(IopReadSectors(Disk, 0, 1, (PVOID *)&Mbr)))
        return FALSE;
    for (ULONG i = 0; i < 4; i++)
        Is |= Mbr->Magic == 0xaa55 && Mbr->Entry[i].Type == 0xee;
    IopFree(Mbr);
    return Is;
}

static NTSTATUS IopLayoutOfGpt(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX *Result)
{
    PIOP_GPT Gpt;
    PIOP_GPT_ENTRY Entries;
    PDRIVE_LAYOUT_INFORMATION_EX Layout;
    static const GUID None;
    NTSTATUS Status = IopReadGpt(Disk, 1, &Gpt, &Entries);
    if (!NT_SUCCESS(Status))
        Status = IopReadGpt(Disk, Disk->Sectors - 1, &Gpt, &Entries);
    if (!NT_SUCCESS(Status))
        return Status;
    Layout = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Layout) + Gpt->Count * sizeof(Layout->PartitionEntry[0]),
                                   IOP_DISK_TAG);
    if (Layout) {
        RtlZeroMemory(Layout, sizeof(*Layout) + Gpt->Count * sizeof(Layout->PartitionEntry[0]));
        Layout->PartitionStyle = PARTITION_STYLE_GPT;
        Layout->Gpt.DiskId = Gpt->DiskId;
        Layout->Gpt.StartingUsableOffset.QuadPart = (LONGLONG)(Gpt->FirstUsable * Disk->Sector);
        Layout->Gpt.UsableLength.QuadPart = (LONGLONG)((Gpt->LastUsable - Gpt->FirstUsable + 1) * Disk->Sector);
        Layout->Gpt.MaxPartitionCount = Gpt->Count;
        for (ULONG i = 0; i < Gpt->Count; i++) {
            PPARTITION_INFORMATION_EX To = &Layout->PartitionEntry[Layout->PartitionCount];
            if (RtlEqualMemory(&Entries[i].Type, &None, sizeof(GUID)))
                continue;
            To->PartitionStyle = PARTITION_STYLE_GPT;
            To->PartitionNumber = ++Layout->PartitionCount;
            To->StartingOffset.QuadPart = (LONGLONG)(Entries[i].First * Disk->Sector);
            To->PartitionLength.QuadPart = (LONGLONG)((Entries[i].Last - Entries[i].First + 1) * Disk->Sector);
            To->Gpt.PartitionType = Entries[i].Type;
            To->Gpt.PartitionId = Entries[i].Id;
            To->Gpt.Attributes = Entries[i].Attributes;
            RtlCopyMemory(To->Gpt.Name, Entries[i].Name, sizeof(To->Gpt.Name));
        }
        *Result = Layout;
    }
    IopFree(Gpt);
    IopFree(Entries);
    return Layout ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS IopLayoutOfMbr(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX *Result)
{
    PIOP_LIST List = ExpTryAllocate(sizeof(*List), IOP_DISK_TAG);
    PDRIVE_LAYOUT_INFORMATION_EX Layout = NULL;
    NTSTATUS Status = List ? IopReadMbr(Disk, List) : STATUS_INSUFFICIENT_RESOURCES;
    if (NT_SUCCESS(Status)) {
        ULONG Bytes = sizeof(*Layout) + List->Count * sizeof(Layout->PartitionEntry[0]);
        Layout = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, IOP_DISK_TAG);
        Status = Layout ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
        if (Layout)
            RtlZeroMemory(Layout, Bytes);
    }
    for (ULONG i = 0; Layout && i < List->Count; i++) {
        PPARTITION_INFORMATION_EX To = &Layout->PartitionEntry[i];
        To->PartitionStyle = PARTITION_STYLE_MBR;
        To->StartingOffset = List->Entry[i].StartingOffset;
        To->PartitionLength = List->Entry[i].PartitionLength;
        To->PartitionNumber = List->Entry[i].PartitionNumber;
        To->Mbr.PartitionType = List->Entry[i].PartitionType;
        To->Mbr.BootIndicator = List->Entry[i].BootIndicator;
        To->Mbr.RecognizedPartition = List->Entry[i].RecognizedPartition;
        To->Mbr.HiddenSectors = List->Entry[i].HiddenSectors;
    }
    if (Layout) {
        Layout->PartitionStyle = PARTITION_STYLE_MBR;
        Layout->PartitionCount = List->Count;
        Layout->Mbr.Signature = List->Signature;
        *Result = Layout;
    }
    if (List)
        ExpFree(List);
    return Status;
}

NTSTATUS NTAPI IoReadPartitionTableEx(PDEVICE_OBJECT Device, PDRIVE_LAYOUT_INFORMATION_EX *PartitionBuffer)
{
    IOP_DISK Disk;
    NTSTATUS Status = IopOpenDisk(Device, &Disk);
    *PartitionBuffer = NULL;
    if (!NT_SUCCESS(Status))
        return Status;
    return IopIsGpt(&Disk) ? IopLayoutOfGpt(&Disk, PartitionBuffer) : IopLayoutOfMbr(&Disk, PartitionBuffer);
}

NTSTATUS NTAPI IoReadDiskSignature(PDEVICE_OBJECT Device, ULONG BytesPerSector, PDISK_SIGNATURE Signature)
{
    IOP_DISK Disk = {.Device = Device, .Sector = BytesPerSector < 512 ? 512 : BytesPerSector};
    PIOP_MBR Mbr;
    PIOP_GPT Gpt;
    NTSTATUS Status = IopReadSectors(&Disk, 0, 1, (PVOID *)&Mbr);
    ULONG Sum = 0;
    if (!NT_SUCCESS(Status))
        return Status;
    RtlZeroMemory(Signature, sizeof(*Signature));
    if (Mbr->Magic != 0xaa55)
        Status = STATUS_DISK_CORRUPT_ERROR;
    for (ULONG i = 0; i < 128; i++)
        Sum += ((PULONG)Mbr)[i];
    Signature->PartitionStyle = PARTITION_STYLE_MBR;
    Signature->Mbr.Signature = Mbr->Signature;
    Signature->Mbr.CheckSum = ~Sum + 1;
    IopFree(Mbr);
    if (!NT_SUCCESS(Status) || !IopIsGpt(&Disk))
        return Status;
    Status = IopReadSectors(&Disk, 1, 1, (PVOID *)&Gpt);
    if (!NT_SUCCESS(Status))
        return Status;
    Signature->PartitionStyle = PARTITION_STYLE_GPT;
    Signature->Gpt.DiskId = Gpt->DiskId;
    IopFree(Gpt);
    return STATUS_SUCCESS;
}

/* ---- MBR, writing ------------------------------------------------------------------------------------------------ */

static VOID IopChs(UINT64 Sector, ULONG PerTrack, ULONG Heads, UCHAR Chs[3])
{
    UINT64 Cylinder = PerTrack && Heads ? Sector / PerTrack / Heads : 1024;
    if (Cylinder > 1023) {
        Chs[0] = 0xfe;
        Chs[1] = Chs[2] = 0xff;
        return;
    }
    Chs[0] = (UCHAR)(Sector / PerTrack % Heads);
    Chs[1] = (UCHAR)((Sector % PerTrack + 1) | (Cylinder >> 2 & 0xc0));
    Chs[2] = (UCHAR)Cylinder;
}

/* The list's entries four by four: the first table is the disk's, the others lie where the extended entry before says. */
NTSTATUS FASTCALL IoWritePartitionTable(PDEVICE_OBJECT Device, ULONG SectorSize, ULONG SectorsPerTrack,
                                        ULONG NumberOfHeads, PDRIVE_LAYOUT_INFORMATION Layout)
{
    IOP_DISK Disk = {.Device = Device, .Sector = SectorSize < 512 ? 512 : SectorSize};
    UINT64 Sector = 0, Extended = 0;
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG Table = 0; Table * 4 < Layout->PartitionCount && NT_SUCCESS(Status); Table++) {
        PIOP_MBR Mbr;
        UINT64 Next = 0;
        BOOLEAN Write = FALSE;
        Status = IopReadSectors(&Disk, Sector, 1, (PVOID *)&Mbr);
        if (!NT_SUCCESS(Status))
            return Status;
        if (!Table && Mbr->Signature != Layout->Signature) {
            Mbr->Signature = Layout->Signature;
            Write = TRUE;
        }
        if (Mbr->Magic != 0xaa55)
            RtlZeroMemory(Mbr->Entry, sizeof(Mbr->Entry));
        Mbr->Magic = 0xaa55;
        for (ULONG i = 0; i < 4 && Table * 4 + i < Layout->PartitionCount; i++) {
            PPARTITION_INFORMATION From = &Layout->PartitionEntry[Table * 4 + i];
            UINT64 First = (UINT64)From->StartingOffset.QuadPart / Disk.Sector;
            UINT64 Count = (UINT64)From->PartitionLength.QuadPart / Disk.Sector;
            IOP_MBR_ENTRY *To = &Mbr->Entry[i];
            if (IopIsExtended(From->PartitionType))
                Next = First;
            if (!From->RewritePartition)
                continue;
            Write = TRUE;
            RtlZeroMemory(To, sizeof(*To));
            if (From->PartitionType == PARTITION_ENTRY_UNUSED)
                continue;
            To->Type = From->PartitionType;
            To->Active = From->BootIndicator ? 0x80 : 0;
            To->First = (ULONG)(First - (IopIsExtended(From->PartitionType) && Table ? Extended : Sector));
            To->Sectors = (ULONG)Count;
            IopChs(First, SectorsPerTrack, NumberOfHeads, To->StartChs);
            IopChs(First + Count - 1, SectorsPerTrack, NumberOfHeads, To->EndChs);
        }
        if (Write)
            Status = IopTransfer(&Disk, IRP_MJ_WRITE, Sector, Mbr, Disk.Sector);
        IopFree(Mbr);
        if (!Table)
            Extended = Next;
        if (!Next)
            break;
        Sector = Next;
    }
    return Status;
}

NTSTATUS FASTCALL IoSetPartitionInformation(PDEVICE_OBJECT Device, ULONG SectorSize, ULONG PartitionNumber,
                                            ULONG PartitionType)
{
    PDRIVE_LAYOUT_INFORMATION Layout;
    DISK_GEOMETRY Geometry = {0};
    NTSTATUS Status = IoReadPartitionTable(Device, SectorSize, FALSE, &Layout);
    BOOLEAN Found = FALSE;
    if (!NT_SUCCESS(Status))
        return Status;
    for (ULONG i = 0; i < Layout->PartitionCount; i++)
        if (PartitionNumber && Layout->PartitionEntry[i].PartitionNumber == PartitionNumber) {
            Layout->PartitionEntry[i].PartitionType = (UCHAR)PartitionType;
            Layout->PartitionEntry[i].RewritePartition = Found = TRUE;
        }
    IopControlDisk(Device, IOCTL_DISK_GET_DRIVE_GEOMETRY, &Geometry, sizeof(Geometry));
    Status =
        Found ? IoWritePartitionTable(Device, SectorSize, Geometry.SectorsPerTrack, Geometry.TracksPerCylinder, Layout)
              : STATUS_BAD_DEVICE_TYPE;
    ExFreePool(Layout);
    return Status;
}

/* ---- GPT, writing ------------------------------------------------------------------------------------------------ */

static NTSTATUS IopWriteGpt(PIOP_DISK Disk, const GUID *DiskId, PIOP_GPT_ENTRY Entries, ULONG Count)
{
    ULONG Bytes = Count * sizeof(IOP_GPT_ENTRY), Sectors = (Bytes + Disk->Sector - 1) / Disk->Sector;
    PIOP_GPT Gpt = IopAllocate(Disk->Sector, IOP_DISK_TAG, 0);
    NTSTATUS Status = Gpt ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    for (ULONG Copy = 0; Copy < 2 && NT_SUCCESS(Status); Copy++) {
        memcpy(Gpt->Magic, "EFI PART", 8);
        Gpt->Revision = 0x10000;
        Gpt->HeaderBytes = sizeof(*Gpt);
        Gpt->HeaderCrc = Gpt->Zero = 0;
        Gpt->Here = Copy ? Disk->Sectors - 1 : 1;
        Gpt->Other = Copy ? 1 : Disk->Sectors - 1;
        Gpt->FirstUsable = 2 + Sectors;
        Gpt->LastUsable = Disk->Sectors - 2 - Sectors;
        Gpt->DiskId = *DiskId;
        Gpt->Entries = Copy ? Disk->Sectors - 1 - Sectors : 2;
        Gpt->Count = Count;
        Gpt->EntryBytes = sizeof(IOP_GPT_ENTRY);
        Gpt->EntriesCrc = IopCrc(Entries, Bytes);
        Gpt->HeaderCrc = IopCrc(Gpt, sizeof(*Gpt));
        Status = IopTransfer(Disk, IRP_MJ_WRITE, Gpt->Entries, Entries, Sectors * Disk->Sector);
        if (NT_SUCCESS(Status))
            Status = IopTransfer(Disk, IRP_MJ_WRITE, Gpt->Here, Gpt, Disk->Sector);
    }
    if (Gpt)
        IopFree(Gpt);
    return Status;
}

/* The table that keeps systems without GPT off the disk; or an empty one. */
static NTSTATUS IopWriteFirstSector(PIOP_DISK Disk, BOOLEAN Protective, ULONG Signature, BOOLEAN Clear)
{
    PIOP_MBR Mbr = IopAllocate(Disk->Sector, IOP_DISK_TAG, 0);
    NTSTATUS Status;
    if (!Mbr)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!Clear) {
        Mbr->Magic = 0xaa55;
        Mbr->Signature = Signature;
    }
    if (Protective) {
        Mbr->Entry[0].Type = 0xee;
        Mbr->Entry[0].First = 1;
        Mbr->Entry[0].Sectors = Disk->Sectors - 1 > 0xffffffff ? 0xffffffff : (ULONG)(Disk->Sectors - 1);
        Mbr->Entry[0].StartChs[1] = 2;
        IopChs((UINT64)-1, 0, 0, Mbr->Entry[0].EndChs);
    }
    Status = IopTransfer(Disk, IRP_MJ_WRITE, 0, Mbr, Disk->Sector);
    IopFree(Mbr);
    return Status;
}

static NTSTATUS IopWriteLayoutGpt(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX Layout)
{
    ULONG Count = IOP_GPT_ENTRIES;
    PIOP_GPT_ENTRY Entries = IopAllocate(Count * sizeof(*Entries), IOP_DISK_TAG, 0);
    NTSTATUS Status;
    if (!Entries)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Layout->PartitionCount > Count) {
        IopFree(Entries);
        return STATUS_INVALID_PARAMETER;
    }
    for (ULONG i = 0; i < Layout->PartitionCount; i++) {
        PPARTITION_INFORMATION_EX From = &Layout->PartitionEntry[i];
        Entries[i].Type = From->Gpt.PartitionType;
        Entries[i].Id = From->Gpt.PartitionId;
        Entries[i].First = (UINT64)From->StartingOffset.QuadPart / Disk->Sector;
        Entries[i].Last = Entries[i].First + (UINT64)From->PartitionLength.QuadPart / Disk->Sector - 1;
        Entries[i].Attributes = From->Gpt.Attributes;
        RtlCopyMemory(Entries[i].Name, From->Gpt.Name, sizeof(Entries[i].Name));
    }
    Status = IopWriteFirstSector(Disk, TRUE, 0, FALSE);
    if (NT_SUCCESS(Status))
        Status = IopWriteGpt(Disk, &Layout->Gpt.DiskId, Entries, Count);
    IopFree(Entries);
    return Status;
}

static NTSTATUS IopWriteLayoutMbr(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX Layout)
{
    ULONG Count = Layout->PartitionCount;
    PDRIVE_LAYOUT_INFORMATION Old = ExpTryAllocate(sizeof(*Old) + Count * sizeof(Old->PartitionEntry[0]), IOP_DISK_TAG);
    DISK_GEOMETRY Geometry = {0};
    NTSTATUS Status;
    if (!Old)
        return STATUS_INSUFFICIENT_RESOURCES;
    Old->PartitionCount = Count;
    Old->Signature = Layout->Mbr.Signature;
    for (ULONG i = 0; i < Count; i++) {
        PPARTITION_INFORMATION_EX From = &Layout->PartitionEntry[i];
        Old->PartitionEntry[i] = (PARTITION_INFORMATION){.StartingOffset = From->StartingOffset,
                                                         .PartitionLength = From->PartitionLength,
                                                         .PartitionType = From->Mbr.PartitionType,
                                                         .BootIndicator = From->Mbr.BootIndicator,
                                                         .RewritePartition = From->RewritePartition};
    }
    IopControlDisk(Disk->Device, IOCTL_DISK_GET_DRIVE_GEOMETRY, &Geometry, sizeof(Geometry));
    Status =
        IoWritePartitionTable(Disk->Device, Disk->Sector, Geometry.SectorsPerTrack, Geometry.TracksPerCylinder, Old);
    ExpFree(Old);
    return Status;
}

NTSTATUS NTAPI IoWritePartitionTableEx(PDEVICE_OBJECT Device, PDRIVE_LAYOUT_INFORMATION_EX Layout)
{
    IOP_DISK Disk;
    NTSTATUS Status = IopOpenDisk(Device, &Disk);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Layout->PartitionStyle == PARTITION_STYLE_GPT)
        return IopWriteLayoutGpt(&Disk, Layout);
    return Layout->PartitionStyle == PARTITION_STYLE_MBR ? IopWriteLayoutMbr(&Disk, Layout) : STATUS_NOT_SUPPORTED;
}

NTSTATUS NTAPI IoSetPartitionInformationEx(PDEVICE_OBJECT Device, ULONG PartitionNumber,
                                           struct _SET_PARTITION_INFORMATION_EX *Set)
{
    IOP_DISK Disk;
    PDRIVE_LAYOUT_INFORMATION_EX Layout;
    BOOLEAN Found = FALSE;
    NTSTATUS Status = IopOpenDisk(Device, &Disk);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Set->PartitionStyle == PARTITION_STYLE_MBR)
        return IopIsGpt(&Disk)
                   ? STATUS_INVALID_PARAMETER
                   : IoSetPartitionInformation(Device, Disk.Sector, PartitionNumber, Set->Mbr.PartitionType);
    Status = IoReadPartitionTableEx(Device, &Layout);
    if (!NT_SUCCESS(Status))
        return Status;
    for (ULONG i = 0; Layout->PartitionStyle == PARTITION_STYLE_GPT && i < Layout->PartitionCount; i++)
        if (Layout->PartitionEntry[i].PartitionNumber == PartitionNumber) {
            Layout->PartitionEntry[i].Gpt = Set->Gpt;
            Found = TRUE;
        }
    Status = Found ? IopWriteLayoutGpt(&Disk, Layout) : STATUS_INVALID_PARAMETER;
    ExFreePool(Layout);
    return Status;
}

/* ---- New disks, checks ------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI IoCreateDisk(PDEVICE_OBJECT Device, struct _CREATE_DISK *Create)
{
    IOP_DISK Disk;
    NTSTATUS Status = IopOpenDisk(Device, &Disk);
    PIOP_GPT_ENTRY Entries;
    if (!NT_SUCCESS(Status))
        return Status;
    if (!Create || Create->PartitionStyle == PARTITION_STYLE_RAW)
        return IopWriteFirstSector(&Disk, FALSE, 0, TRUE);
    if (Create->PartitionStyle == PARTITION_STYLE_MBR)
        return IopWriteFirstSector(&Disk, FALSE, Create->Mbr.Signature, FALSE);
    if (Create->PartitionStyle != PARTITION_STYLE_GPT)
        return STATUS_INVALID_PARAMETER;
    Entries = IopAllocate(IOP_GPT_ENTRIES * sizeof(*Entries), IOP_DISK_TAG, 0);
    if (!Entries)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = IopWriteFirstSector(&Disk, TRUE, 0, FALSE);
    if (NT_SUCCESS(Status))
        Status = IopWriteGpt(&Disk, &Create->Gpt.DiskId, Entries, IOP_GPT_ENTRIES);
    IopFree(Entries);
    return Status;
}

/* docs: IoVerifyPartitionTable: of a GPT disk both copies; one that is bad is made anew from the other if so asked. */
NTSTATUS NTAPI IoVerifyPartitionTable(PDEVICE_OBJECT Device, BOOLEAN FixErrors)
{
    IOP_DISK Disk;
    PIOP_GPT Gpt[2] = {0};
    PIOP_GPT_ENTRY Entries[2] = {0};
    NTSTATUS First, Second, Status = IopOpenDisk(Device, &Disk);
    if (!NT_SUCCESS(Status) || !IopIsGpt(&Disk))
        return Status;
    First = IopReadGpt(&Disk, 1, &Gpt[0], &Entries[0]);
    Second = IopReadGpt(&Disk, Disk.Sectors - 1, &Gpt[1], &Entries[1]);
    Status = !NT_SUCCESS(First) ? First : Second;
    if (!NT_SUCCESS(Status) && FixErrors && (NT_SUCCESS(First) || NT_SUCCESS(Second))) {
        ULONG Good = NT_SUCCESS(First) ? 0 : 1;
        Status = IopWriteGpt(&Disk, &Gpt[Good]->DiskId, Entries[Good], Gpt[Good]->Count);
    }
    for (ULONG i = 0; i < 2; i++)
        if (Gpt[i]) {
            IopFree(Gpt[i]);
            IopFree(Entries[i]);
        }
    return Status;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* docs: IoVolumeDeviceToDosName: the letter whose link goes to the device; the caller frees the buffer. */
NTSTATUS NTAPI IoVolumeDeviceToDosName(PVOID VolumeDeviceObject, PUNICODE_STRING DosName)
{
    WCHAR Name[128], Target[128], Link[] = L"\\??\\A:";
    UNICODE_STRING Device, LinkName, To;
    ULONG Bytes;
    if (!NT_SUCCESS(ObpFullName(VolumeDeviceObject, Name, sizeof(Name), &Bytes)) || !Bytes)
        return STATUS_INVALID_DEVICE_REQUEST;
    Device = (UNICODE_STRING){(USHORT)Bytes, (USHORT)Bytes, Name};
    for (WCHAR Letter = L'A'; Letter <= L'Z'; Letter++) {
        OBJECT_ATTRIBUTES Attributes;
        HANDLE Handle;
        NTSTATUS Status;
        Link[4] = Letter;
        RtlInitUnicodeString(&LinkName, Link);
        InitializeObjectAttributes(&Attributes, &LinkName, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
        if (!NT_SUCCESS(NtOpenSymbolicLinkObject(&Handle, 1, &Attributes)))
            continue;
        To = (UNICODE_STRING){0, sizeof(Target), Target};
        Status = NtQuerySymbolicLinkObject(Handle, &To, NULL);
        NtClose(Handle);
        if (!NT_SUCCESS(Status) || !RtlEqualUnicodeString(&To, &Device, TRUE))
            continue;
        DosName->Buffer = ExAllocatePoolWithTag(PagedPool, 3 * sizeof(WCHAR), IOP_DISK_TAG);
        if (!DosName->Buffer)
            return STATUS_INSUFFICIENT_RESOURCES;
        DosName->Length = 2 * sizeof(WCHAR);
        DosName->MaximumLength = 3 * sizeof(WCHAR);
        memcpy(DosName->Buffer, Link + 4, 3 * sizeof(WCHAR));
        return STATUS_SUCCESS;
    }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}
