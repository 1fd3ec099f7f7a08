/*
 * Tables of the firmware, for NtQuerySystemInformation. (docs: GetSystemFirmwareTable, EnumSystemFirmwareTables,
 * AuxKlibGetSystemFirmwareTable, RawSMBIOSData; DMTF's SMBIOS specification for the table)
 *
 * RSMB has the SMBIOS table with what says who made the machine. ACPI has no tables, for there is no ACPI; FIRM, the BIOS in
 * memory, has no ranges. Other providers are drivers', of which none can register.
 */
#include "nt.h"

typedef struct _EXP_TABLE_REQUEST {
    ULONG Provider, Action, TableId, Length;
    UCHAR Table[];
} EXP_TABLE_REQUEST, *PEXP_TABLE_REQUEST;
C_ASSERT(sizeof(EXP_TABLE_REQUEST) == 16);

#define EXP_ENUMERATE 0
#define EXP_GET 1

#pragma pack(push, 1)
/* As Windows gives it: a head, then the structures. Each structure's strings follow it, numbered from 1, and an empty one. */
static const struct {
    UCHAR CallingMethod, Major, Minor, DmiRevision;
    ULONG Length;
    struct {
        UCHAR Type, Length;
        USHORT Handle;
        UCHAR Vendor, Version;
        USHORT StartingSegment;
        UCHAR ReleaseDate, RomSize;
        UINT64 Characteristics;
        UCHAR Extension[2], Major, Minor, ControllerMajor, ControllerMinor;
        CHAR Strings[sizeof("irqlab\0001.0\00001/01/2024\0")];
    } Bios;
    struct {
        UCHAR Type, Length;
        USHORT Handle;
        UCHAR Manufacturer, Product, Version, Serial, Uuid[16], WakeUp, Sku, Family;
        CHAR Strings[sizeof("irqlab\000Virtual machine\0001.0\0000\0")];
    } System;
    struct {
        UCHAR Type, Length;
        USHORT Handle;
        CHAR Strings[2];
    } End;
} ExpSmbios = {
    .Major = 2,
    .Minor = 4,
    .Length = sizeof(ExpSmbios) - 8,
    .Bios = {.Length = 24,
             .Handle = 0,
             .Vendor = 1,
             .Version = 2,
             .StartingSegment = 0xE800,
             .ReleaseDate = 3,
             .Characteristics = 8, /* has no characteristics */
             .Strings = "irqlab\0001.0\00001/01/2024\0"},
    .System = {.Type = 1,
               .Length = 27,
               .Handle = 1,
               .Manufacturer = 1,
               .Product = 2,
               .Version = 3,
               .Serial = 4,
               .WakeUp = 6, /* the power switch */
               .Strings = "irqlab\000Virtual machine\0001.0\0000\0"},
    .End = {.Type = 127, .Length = 4, .Handle = 2},
};
#pragma pack(pop)
C_ASSERT(FIELD_OFFSET(typeof(ExpSmbios), Bios.Strings) == 8 + 24);
C_ASSERT(sizeof(ExpSmbios.System) - sizeof(ExpSmbios.System.Strings) == 27);

/* The answer to a request; FALSE: there is no such provider. */
static BOOLEAN ExpFirmware(PEXP_TABLE_REQUEST Request, const VOID **Data, PULONG Bytes, NTSTATUS *Status)
{
    static const ULONG Smbios = 0; /* the id of its one table */
    BOOLEAN Enumerate = Request->Action == EXP_ENUMERATE;
    *Data = NULL;
    *Bytes = 0;
    *Status = STATUS_SUCCESS;
    switch (Request->Provider) {
    case 'RSMB':
        *Data = Enumerate ? (const VOID *)&Smbios : &ExpSmbios;
        *Bytes = Enumerate ? sizeof(Smbios) : sizeof(ExpSmbios);
        if (!Enumerate && Request->TableId != Smbios)
            *Status = STATUS_NOT_FOUND;
        return TRUE;
    case 'ACPI':
    case 'FIRM':
        if (!Enumerate)
            *Status = STATUS_NOT_FOUND;
        return TRUE;
    }
    return FALSE;
}

NTSTATUS ExpQueryFirmwareTable(PVOID Buffer, ULONG Length, PULONG Returned)
{
    PEXP_TABLE_REQUEST Request = Buffer;
    const VOID *Data;
    ULONG Bytes;
    NTSTATUS Status;
    if (!SepHasPrivilege(SE_SYSTEM_ENVIRONMENT_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    if (Returned)
        *Returned = sizeof(*Request);
    if (Length < sizeof(*Request))
        return STATUS_INFO_LENGTH_MISMATCH;
    if (Request->Action > EXP_GET)
        return STATUS_INVALID_PARAMETER;
    if (!ExpFirmware(Request, &Data, &Bytes, &Status))
        return STATUS_NOT_IMPLEMENTED;
    if (!NT_SUCCESS(Status))
        return Status;
    Request->Length = Bytes;
    if (Returned)
        *Returned = sizeof(*Request) + Bytes;
    if (Length - sizeof(*Request) < Bytes)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyMemory(Request->Table, Data, Bytes);
    return STATUS_SUCCESS;
}
