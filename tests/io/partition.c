/*
 * Partition tables of a disk in memory: MBR with an extended chain, GPT with its copy; types set, signatures read, a damaged
 * table found and mended. (docs: IoReadPartitionTableEx, IoWritePartitionTableEx, IoSetPartitionInformation, IoCreateDisk)
 */
#include "test.h"
#include <ntdddisk.h>

#define SECTOR 512u
#define SECTORS 4096u

NTKERNELAPI NTSTATUS NTAPI IoCreateDisk(PDEVICE_OBJECT, struct _CREATE_DISK *);
NTKERNELAPI NTSTATUS NTAPI IoReadDiskSignature(PDEVICE_OBJECT, ULONG, PDISK_SIGNATURE);
NTKERNELAPI NTSTATUS NTAPI IoReadPartitionTableEx(PDEVICE_OBJECT, PDRIVE_LAYOUT_INFORMATION_EX *);
NTKERNELAPI NTSTATUS NTAPI IoWritePartitionTableEx(PDEVICE_OBJECT, PDRIVE_LAYOUT_INFORMATION_EX);
NTKERNELAPI NTSTATUS NTAPI IoVerifyPartitionTable(PDEVICE_OBJECT, BOOLEAN);

static UCHAR Disk[SECTORS * SECTOR];
static PDEVICE_OBJECT Device;

static NTSTATUS NTAPI Transfer(PDEVICE_OBJECT Unused, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Bytes = Stack->Parameters.Read.Length;
    ULONGLONG At = (ULONGLONG)Stack->Parameters.Read.ByteOffset.QuadPart;
    PVOID Buffer = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
    NTSTATUS Status = At + Bytes <= sizeof(Disk) && At % SECTOR == 0 && Bytes % SECTOR == 0 ? STATUS_SUCCESS
                                                                                            : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(Status) && Stack->MajorFunction == IRP_MJ_READ)
        memcpy(Buffer, Disk + At, Bytes);
    else if (NT_SUCCESS(Status))
        memcpy(Disk + At, Buffer, Bytes);
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = NT_SUCCESS(Status) ? Bytes : 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Unused, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = STATUS_INVALID_DEVICE_REQUEST;
    Irp->IoStatus.Information = 0;
    if (Stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_DISK_GET_DRIVE_GEOMETRY) {
        *(PDISK_GEOMETRY)Irp->AssociatedIrp.SystemBuffer = (DISK_GEOMETRY){.Cylinders.QuadPart = SECTORS / (16 * 64),
                                                                           .MediaType = FixedMedia,
                                                                           .TracksPerCylinder = 16,
                                                                           .SectorsPerTrack = 64,
                                                                           .BytesPerSector = SECTOR};
        Irp->IoStatus.Information = sizeof(DISK_GEOMETRY);
        Status = STATUS_SUCCESS;
    }
    Irp->IoStatus.Status = Status;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID a_new_disk_has_no_partitions(VOID)
{
    PDRIVE_LAYOUT_INFORMATION_EX Layout = NULL;
    DISK_SIGNATURE Signature;
    Driver->MajorFunction[IRP_MJ_READ] = Driver->MajorFunction[IRP_MJ_WRITE] = Transfer;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_DISK, 0, FALSE, &Device));
    Device->Flags |= DO_DIRECT_IO;
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    memset(Disk, 0xa5, sizeof(Disk));
    OK(IoCreateDisk(Device, NULL));
    OK(IoReadPartitionTableEx(Device, &Layout));
    CHECK(Layout->PartitionStyle == PARTITION_STYLE_MBR && Layout->PartitionCount == 0);
    ExFreePool(Layout);
    STATUS(IoReadDiskSignature(Device, SECTOR, &Signature), STATUS_DISK_CORRUPT_ERROR);
}

#define ROOM (sizeof(DRIVE_LAYOUT_INFORMATION_EX) + 8 * sizeof(PARTITION_INFORMATION_EX))

static VOID Part(PDRIVE_LAYOUT_INFORMATION_EX Layout, ULONG i, UCHAR Type, ULONG First, ULONG Sectors)
{
    Layout->PartitionEntry[i] = (PARTITION_INFORMATION_EX){.PartitionStyle = PARTITION_STYLE_MBR,
                                                           .StartingOffset.QuadPart = First * SECTOR,
                                                           .PartitionLength.QuadPart = Sectors * SECTOR,
                                                           .RewritePartition = TRUE,
                                                           .Mbr.PartitionType = Type,
                                                           .Mbr.BootIndicator = i == 0};
}

static BOOLEAN IsPart(PDRIVE_LAYOUT_INFORMATION_EX Layout, ULONG i, UCHAR Type, ULONG First, ULONG Sectors,
                      ULONG Number)
{
    PPARTITION_INFORMATION_EX Entry = &Layout->PartitionEntry[i];
    return Entry->Mbr.PartitionType == Type && Entry->StartingOffset.QuadPart == First * SECTOR &&
           Entry->PartitionLength.QuadPart == Sectors * SECTOR && Entry->PartitionNumber == Number;
}

/* Two primary partitions and an extended one, in which two more are. */
static VOID an_extended_chain_is_read_as_it_was_written(VOID)
{
    static ULONGLONG Room[(ROOM + 7) / 8];
    PDRIVE_LAYOUT_INFORMATION_EX Layout = (PVOID)Room, Read = NULL;
    PDRIVE_LAYOUT_INFORMATION Old = NULL;
    DISK_SIGNATURE Signature;
    Layout->PartitionStyle = PARTITION_STYLE_MBR;
    Layout->Mbr.Signature = 0x12345678;
    Layout->PartitionCount = 8;
    Part(Layout, 0, PARTITION_IFS, 64, 936);
    Part(Layout, 1, PARTITION_FAT32, 1000, 24);
    Part(Layout, 2, PARTITION_EXTENDED, 1024, 2048);
    Part(Layout, 4, PARTITION_IFS, 1088, 900);
    Part(Layout, 5, PARTITION_EXTENDED, 2048, 1024);
    OK(IoWritePartitionTableEx(Device, Layout));
    OK(IoReadPartitionTableEx(Device, &Read));
    CHECK(Read->Mbr.Signature == 0x12345678 && Disk[510] == 0x55 && Disk[511] == 0xaa && Disk[446] == 0x80);
    CHECK(IsPart(Read, 0, PARTITION_IFS, 64, 936, 1) && IsPart(Read, 1, PARTITION_FAT32, 1000, 24, 2));
    CHECK(IsPart(Read, 2, PARTITION_EXTENDED, 1024, 2048, 0) && IsPart(Read, 4, PARTITION_IFS, 1088, 900, 3));
    CHECK(IsPart(Read, 5, PARTITION_EXTENDED, 2048, 1024, 0) && Read->PartitionCount >= 8);
    ExFreePool(Read);
    OK(IoReadPartitionTable(Device, SECTOR, TRUE, &Old)); /* those that can be mounted */
    CHECK(Old->PartitionCount == 3 && Old->PartitionEntry[2].StartingOffset.QuadPart == 1088 * SECTOR);
    ExFreePool(Old);
    OK(IoSetPartitionInformation(Device, SECTOR, 3, PARTITION_FAT_16));
    STATUS(IoSetPartitionInformation(Device, SECTOR, 9, PARTITION_FAT_16), STATUS_BAD_DEVICE_TYPE);
    OK(IoReadPartitionTableEx(Device, &Read));
    CHECK(IsPart(Read, 4, PARTITION_FAT_16, 1088, 900, 3) && IsPart(Read, 0, PARTITION_IFS, 64, 936, 1));
    ExFreePool(Read);
    OK(IoReadDiskSignature(Device, SECTOR, &Signature));
    CHECK(Signature.PartitionStyle == PARTITION_STYLE_MBR && Signature.Mbr.Signature == 0x12345678);
    ULONG Sum = Signature.Mbr.CheckSum;
    for (ULONG i = 0; i < 128; i++)
        Sum += ((PULONG)Disk)[i];
    CHECK(Sum == 0);
    PVOID Sector = NULL;
    HalDispatchTable->HalExamineMBR(Device, SECTOR, PARTITION_IFS, &Sector); /* the first one's type */
    if (CHECK(Sector != NULL)) {
        CHECK(RtlEqualMemory(Sector, Disk, SECTOR));
        ExFreePool(Sector);
    }
    HalDispatchTable->HalExamineMBR(Device, SECTOR, 0x55 /* EZ-Drive */, &Sector);
    CHECK(!Sector);
    Disk[510] = 0;
    HalDispatchTable->HalExamineMBR(Device, SECTOR, PARTITION_IFS, &Sector); /* no table any more */
    CHECK(!Sector);
    Disk[510] = 0x55;
}

static const GUID DiskId = {1, 2, 3, {4}}, Type = {5, 6, 7, {8}}, Id = {9, 10, 11, {12}};

static VOID a_gpt_has_a_copy(VOID)
{
    static ULONGLONG Room[(ROOM + 7) / 8];
    PDRIVE_LAYOUT_INFORMATION_EX Layout = (PVOID)Room, Read = NULL;
    DISK_SIGNATURE Signature;
    Layout->PartitionStyle = PARTITION_STYLE_GPT;
    Layout->PartitionCount = 1;
    Layout->Gpt.DiskId = DiskId;
    Layout->PartitionEntry[0] =
        (PARTITION_INFORMATION_EX){.PartitionStyle = PARTITION_STYLE_GPT,
                                   .StartingOffset.QuadPart = 100 * SECTOR,
                                   .PartitionLength.QuadPart = 1000 * SECTOR,
                                   .Gpt = {.PartitionType = Type, .PartitionId = Id, .Attributes = 1, .Name = L"data"}};
    OK(IoWritePartitionTableEx(Device, Layout));
    OK(IoVerifyPartitionTable(Device, FALSE));
    OK(IoReadDiskSignature(Device, SECTOR, &Signature));
    CHECK(Signature.PartitionStyle == PARTITION_STYLE_GPT && !memcmp(&Signature.Gpt.DiskId, &DiskId, sizeof(GUID)));
    for (ULONG Damage = 0; Damage < 3; Damage++) { /* none, the first header, the first entries */
        if (Damage)
            Disk[Damage == 1 ? SECTOR + 60 : 2 * SECTOR + 5] ^= 1;
        OK(IoReadPartitionTableEx(Device, &Read));
        CHECK(Read->PartitionStyle == PARTITION_STYLE_GPT && Read->PartitionCount == 1);
        CHECK(Read->PartitionEntry[0].StartingOffset.QuadPart == 100 * SECTOR &&
              Read->PartitionEntry[0].PartitionLength.QuadPart == 1000 * SECTOR &&
              !memcmp(&Read->PartitionEntry[0].Gpt.PartitionId, &Id, sizeof(GUID)) &&
              !memcmp(Read->PartitionEntry[0].Gpt.Name, L"data", 10));
        ExFreePool(Read);
        if (!Damage)
            continue;
        STATUS(IoVerifyPartitionTable(Device, FALSE), STATUS_DISK_CORRUPT_ERROR);
        OK(IoVerifyPartitionTable(Device, TRUE));
        OK(IoVerifyPartitionTable(Device, FALSE));
    }
    Disk[SECTOR] ^= 1; /* both headers: nothing is left to go by */
    Disk[(SECTORS - 1) * SECTOR] ^= 1;
    STATUS(IoReadPartitionTableEx(Device, &Read), STATUS_DISK_CORRUPT_ERROR);
    CHECK(Read == NULL);
    STATUS(IoVerifyPartitionTable(Device, TRUE), STATUS_DISK_CORRUPT_ERROR);
    IoDeleteDevice(Device);
}

TEST_MAIN(a_new_disk_has_no_partitions, an_extended_chain_is_read_as_it_was_written, a_gpt_has_a_copy)
