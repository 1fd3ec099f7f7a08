/*
 * Partition tables, between their files: the disk (disk.c), the two kinds of tables (mbr.c, gpt.c), and what drivers call
 * for either (partition.c).
 */
#pragma once

#include <ntdddisk.h>

#define IOP_DISK_TAG 'traP'
#define IOP_GPT_ENTRIES 128

/* What a device object stands for, asked by IopOpenDisk. */
typedef struct _IOP_DISK {
    PDEVICE_OBJECT Device;
    ULONG Sector;
    UINT64 Sectors;
} IOP_DISK, *PIOP_DISK;

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

typedef struct _IOP_GPT_ENTRY {
    GUID Type, Id;
    UINT64 First, Last, Attributes;
    WCHAR Name[36];
} IOP_GPT_ENTRY, *PIOP_GPT_ENTRY;
#pragma pack(pop)
C_ASSERT(sizeof(IOP_MBR) == 512 && sizeof(IOP_GPT_ENTRY) == 128);

/* disk.c */
NTSTATUS IopOpenDisk(PDEVICE_OBJECT Device, PIOP_DISK Disk);
NTSTATUS IopControlDisk(PDEVICE_OBJECT Device, ULONG Code, PVOID Out, ULONG Bytes);
/* Whole sectors. */
NTSTATUS IopTransfer(PIOP_DISK Disk, ULONG Major, UINT64 Sector, PVOID Buffer, ULONG Bytes);
/* Freed by IopFree. */
NTSTATUS IopReadSectors(PIOP_DISK Disk, UINT64 Sector, ULONG Count, PVOID *Buffer);

/* mbr.c */
BOOLEAN IopIsGpt(PIOP_DISK Disk); /* the first sector says there is one */
/* The table that keeps systems without GPT off the disk; or an empty one. */
NTSTATUS IopWriteFirstSector(PIOP_DISK Disk, BOOLEAN Protective, ULONG Signature, BOOLEAN Clear);
NTSTATUS IopLayoutOfMbr(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX *Result);
VOID FASTCALL IopExamineMbr(PDEVICE_OBJECT Device, ULONG SectorSize, ULONG Type, PVOID *Buffer);
NTSTATUS IopWriteLayoutMbr(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX Layout);

/* gpt.c */
NTSTATUS IopReadGptId(PIOP_DISK Disk, GUID *Id);
NTSTATUS IopWriteGpt(PIOP_DISK Disk, const GUID *DiskId, PIOP_GPT_ENTRY Entries, ULONG Count);
NTSTATUS IopLayoutOfGpt(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX *Result);
NTSTATUS IopWriteLayoutGpt(PIOP_DISK Disk, PDRIVE_LAYOUT_INFORMATION_EX Layout);
NTSTATUS IopVerifyGpt(PIOP_DISK Disk, BOOLEAN FixErrors);
