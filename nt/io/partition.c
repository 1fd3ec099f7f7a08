/*
 * Partition tables: read from and written to the disk that a device object stands for, of either kind; mbr.c and gpt.c know
 * the kinds. (docs: IoReadPartitionTableEx, IoWritePartitionTableEx, IoReadDiskSignature, IoCreateDisk,
 * IoVerifyPartitionTable)
 */
#include "nt.h"
#include "io/disk.h"

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
    Signature->PartitionStyle = PARTITION_STYLE_GPT;
    return IopReadGptId(&Disk, &Signature->Gpt.DiskId);
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

NTSTATUS NTAPI IoVerifyPartitionTable(PDEVICE_OBJECT Device, BOOLEAN FixErrors)
{
    IOP_DISK Disk;
    NTSTATUS Status = IopOpenDisk(Device, &Disk);
    return NT_SUCCESS(Status) && IopIsGpt(&Disk) ? IopVerifyGpt(&Disk, FixErrors) : Status;
}
