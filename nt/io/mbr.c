/*
 * MBR: the first sector has four entries; one of them may be an extended partition, a chain of sectors with tables of their
 * own. Lists have four entries for each table, as on Windows. (docs: IoReadPartitionTable, IoWritePartitionTable,
 * IoSetPartitionInformation)
 */
#include "nt.h"
#include "io/disk.h"

#define IOP_TABLES 32 /* of an extended chain */

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

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

BOOLEAN IopIsGpt(PIOP_DISK Disk)
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

NTSTATUS IopLayoutOfMbr(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX *Result)
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

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

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

NTSTATUS IopWriteFirstSector(PIOP_DISK Disk, BOOLEAN Protective, ULONG Signature, BOOLEAN Clear)
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

NTSTATUS IopWriteLayoutMbr(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX Layout)
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

/* docs: HalExamineMBR: the first sector, for ExFreePool, if its first partition is of the type; 512 bytes at least. */
VOID FASTCALL IopExamineMbr(PDEVICE_OBJECT Device, ULONG SectorSize, ULONG Type, PVOID *Buffer)
{
    IOP_DISK Disk = {.Device = Device, .Sector = SectorSize < sizeof(IOP_MBR) ? sizeof(IOP_MBR) : SectorSize};
    PIOP_MBR Mbr;

    *Buffer = NULL;
    if (!NT_SUCCESS(IopReadSectors(&Disk, 0, 1, (PVOID *)&Mbr)))
        return;
    if (Mbr->Magic == 0xaa55 && Mbr->Entry[0].Type == Type)
        *Buffer = Mbr;
    else
        IopFree(Mbr);
}
