/*
 * GPT: a header in the second sector and its copy in the last one, each with a table of entries. (UEFI specification,
 * chapter 5)
 */
#include "nt.h"
#include "io/disk.h"

#pragma pack(push, 1)
typedef struct _IOP_GPT {
    UCHAR Magic[8]; /* "EFI PART" */
    ULONG Revision, HeaderBytes, HeaderCrc, Zero;
    UINT64 Here, Other, FirstUsable, LastUsable;
    GUID DiskId;
    UINT64 Entries;
    ULONG Count, EntryBytes, EntriesCrc;
} IOP_GPT, *PIOP_GPT;
#pragma pack(pop)
C_ASSERT(sizeof(IOP_GPT) == 92);

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

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

NTSTATUS IopReadGptId(PIOP_DISK Disk, GUID *Id)
{
    PIOP_GPT Gpt;
    NTSTATUS Status = IopReadSectors(Disk, 1, 1, (PVOID *)&Gpt);
    if (!NT_SUCCESS(Status))
        return Status;
    *Id = Gpt->DiskId;
    IopFree(Gpt);
    return STATUS_SUCCESS;
}

NTSTATUS IopLayoutOfGpt(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX *Result)
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

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

NTSTATUS IopWriteGpt(PIOP_DISK Disk, const GUID *DiskId, PIOP_GPT_ENTRY Entries, ULONG Count)
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

NTSTATUS IopWriteLayoutGpt(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX Layout)
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

/* Both copies; one that is bad is made anew from the other if so asked. */
NTSTATUS IopVerifyGpt(PIOP_DISK Disk, BOOLEAN FixErrors)
{
    PIOP_GPT Gpt[2] = {0};
    PIOP_GPT_ENTRY Entries[2] = {0};
    NTSTATUS First, Second, Status;
    First = IopReadGpt(Disk, 1, &Gpt[0], &Entries[0]);
    Second = IopReadGpt(Disk, Disk->Sectors - 1, &Gpt[1], &Entries[1]);
    Status = !NT_SUCCESS(First) ? First : Second;
    if (!NT_SUCCESS(Status) && FixErrors && (NT_SUCCESS(First) || NT_SUCCESS(Second))) {
        ULONG Good = NT_SUCCESS(First) ? 0 : 1;
        Status = IopWriteGpt(Disk, &Gpt[Good]->DiskId, Entries[Good], Gpt[Good]->Count);
    }
    for (ULONG i = 0; i < 2; i++)
        if (Gpt[i]) {
            IopFree(Gpt[i]);
            IopFree(Entries[i]);
        }
    return Status;
}
