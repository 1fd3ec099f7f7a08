/*
 * What a driver needs that writes crash dumps itself: the header of a dump file, and arrays of memory blocks for small ones.
 *
 * The header says what is true of this machine; pages that would hold Windows' own tables (page frames, debugger data) do not
 * exist here and stay zero, and what nobody fills stays the pattern "PAGE".
 * (docs: KeInitializeCrashDumpHeader, KeInitializeTriageDumpDataArray, KeAddTriageDumpDataBlock)
 */
#include "nt.h"
#include "mm/page.h"
#include "dump.h"

NTSTATUS KeInitializeCrashDumpHeader(ULONG DumpType, ULONG Flags, PVOID Buffer, ULONG BufferSize, PULONG BufferNeeded)
{
    PKI_DUMP_HEADER Header = Buffer;

    if (DumpType != KI_DUMP_FULL)
        return STATUS_INVALID_PARAMETER_1;
    if (Flags)
        return STATUS_INVALID_PARAMETER_2;
    if (BufferNeeded)
        *BufferNeeded = KI_DUMP_BYTES;
    if (BufferSize < KI_DUMP_BYTES)
        return STATUS_BUFFER_TOO_SMALL;
    for (ULONG i = 0; i < KI_DUMP_BYTES / sizeof(ULONG); i++)
        ((ULONG *)Buffer)[i] = 'EGAP';
    RtlZeroMemory(Header, FIELD_OFFSET(KI_DUMP_HEADER, Fill1));
    Header->Signature = 'EGAP';
    Header->ValidDump = '46UD';
    Header->MajorVersion = 15; /* of a free build */
    Header->MinorVersion = KiDoor->os_build;
    Header->PsLoadedModuleList = (UINT64)&PsLoadedModuleList;
    Header->MachineImageType = 0x8664;
    Header->NumberProcessors = KiDoor->processors;
    Header->PhysicalMemory.NumberOfRuns = 1;
    Header->PhysicalMemory.NumberOfPages = Header->PhysicalMemory.Run[0].PageCount = MiPageCount;
    Header->DumpType = KI_DUMP_FULL;
    Header->RequiredDumpSpace = KI_DUMP_BYTES + MiPageCount * DOOR_PAGE;
    Header->SystemTime = (UINT64)KiSystemTime();
    Header->SystemUpTime = KiNow();
    RtlZeroMemory(Header->Comment, sizeof(Header->Comment));
    Header->MiniDumpFields = Header->SecondaryDataState = 0;
    Header->ProductType = 1; /* workstation */
    Header->SuiteMask = 1 << SingleUserTS;
    return STATUS_SUCCESS;
}

/* ---- Blocks of a small dump ------------------------------------------------------------------------------------------- */

C_ASSERT(FIELD_OFFSET(KTRIAGE_DUMP_DATA_ARRAY, Blocks) == 0x30);

NTSTATUS KeInitializeTriageDumpDataArray(PKTRIAGE_DUMP_DATA_ARRAY Array, ULONG Size)
{
    if (!Array)
        return STATUS_INVALID_PARAMETER_1;
    if (Size < sizeof(*Array))
        return STATUS_INVALID_PARAMETER_2;
    RtlZeroMemory(Array, Size);
    InitializeListHead(&Array->List);
    Array->NumBlocksTotal = (Size - FIELD_OFFSET(KTRIAGE_DUMP_DATA_ARRAY, Blocks)) / sizeof(Array->Blocks[0]);
    return STATUS_SUCCESS;
}

/* A block that lies in one that is there already, or goes on where one ends, needs no place of its own. */
NTSTATUS KeAddTriageDumpDataBlock(PKTRIAGE_DUMP_DATA_ARRAY Array, PVOID Address, SIZE_T Size)
{
    UINT64 Start = (UINT64)Address;

    if (!Size || Start + Size < Start)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < Array->NumBlocksUsed; i++) {
        UINT64 First = (UINT64)Array->Blocks[i].Address, End = First + Array->Blocks[i].Size;
        if (Start < First || Start > End)
            continue;
        if (Start + Size > End) {
            Array->DataSize += (ULONG)(Start + Size - End);
            Array->Blocks[i].Size += Start + Size - End;
        }
        return STATUS_SUCCESS;
    }
    if (Array->NumBlocksUsed == Array->NumBlocksTotal)
        return STATUS_BUFFER_OVERFLOW;
    Array->Blocks[Array->NumBlocksUsed].Address = Address;
    Array->Blocks[Array->NumBlocksUsed++].Size = Size;
    Array->DataSize += (ULONG)Size;
    return STATUS_SUCCESS;
}
