/*
 * Virtual memory of processes, as the services give it: reserve, commit, protect, free, query.
 * (docs: ZwAllocateVirtualMemory, ZwFreeVirtualMemory, VirtualProtect, ZwQueryVirtualMemory)
 */
#include "nt.h"
#include "mm/space.h"

#define MI_PROTECTION_MODIFIERS (PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE)
#ifndef MEM_PHYSICAL
#define MEM_PHYSICAL 0x400000
#endif
#define MI_ALLOCATION_TYPES (MEM_COMMIT | MEM_RESERVE | MEM_TOP_DOWN)

/* The process of a handle, and the thread in it until MiLeave. */
typedef struct _MI_VISIT {
    PEPROCESS Process;
    PMI_SPACE Space;
} MI_VISIT, *PMI_VISIT;

static NTSTATUS MiVisit(PMI_VISIT Visit, HANDLE Handle, ULONG Access)
{
    NTSTATUS Status =
        ObReferenceObjectByHandle(Handle, Access, PspProcessType, ExGetPreviousMode(), (PVOID *)&Visit->Process, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    Visit->Space = Visit->Process->Space;
    if (Visit->Space && !Visit->Process->Exited)
        return STATUS_SUCCESS;
    ObfDereferenceObject(Visit->Process);
    return STATUS_PROCESS_IS_TERMINATING;
}

BOOLEAN MiIsValidProtection(ULONG Protect)
{
    ULONG Basic = Protect & ~MI_PROTECTION_MODIFIERS;

    return MiIsProtection(Basic) && (Basic != PAGE_NOACCESS || Basic == Protect);
}

/* ---- Allocation -----------------------------------------------------------------------------------------------------
 */

static NTSTATUS MiReserve(PMI_SPACE Space, UINT64 *Base, UINT64 *Bytes, UINT64 Top, ULONG Type, ULONG Protect,
                          PMI_VAD *Vad)
{
    UINT64 Start = *Base & ~(MI_GRANULARITY - 1), End;

    if (!*Base) {
        *Bytes = (*Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
        if (!(Start = MiChoose(Space, *Bytes, Top)))
            return STATUS_NO_MEMORY;
    } else {
        End = (*Base + *Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
        if (Start < Space->Low || End > Space->High || End < Start)
            return STATUS_INVALID_PARAMETER_2;
        *Bytes = End - Start;
        if (MiFirstOverlap(Space, Start, End))
            return STATUS_CONFLICTING_ADDRESSES;
    }
    *Vad = MiInsertVad(Space, Start, *Bytes, MEM_PRIVATE, Protect);
    *Base = Start;
    return *Vad ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static NTSTATUS MiCommit(PMI_SPACE Space, PMI_VAD Vad, UINT64 *Base, UINT64 *Bytes, ULONG Protect)
{
    UINT64 Start = *Base & ~(DOOR_PAGE - 1), End = (*Base + *Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);

    if (!Vad || End > Vad->End || End <= Start || Vad->OfMdl)
        return STATUS_CONFLICTING_ADDRESSES;
    if ((End - Start) / DOOR_PAGE > MiPageCount)
        return STATUS_COMMITMENT_LIMIT;
    if (!PspMayCommit(Space->Process, (End - Start) / DOOR_PAGE))
        return STATUS_COMMITMENT_LIMIT;
    *Base = Start;
    *Bytes = End - Start;
    return MiSetEntries(Space, Vad, Start, End, Protect) ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* docs: VirtualAlloc: MEM_RESET goes alone; MEM_PHYSICAL (pages that the program windows in) with MEM_RESERVE and nothing else. */
static BOOLEAN MiIsAllocationType(ULONG Type)
{
    if (Type & MEM_PHYSICAL)
        return (Type & ~(ULONG)MEM_TOP_DOWN) == (MEM_PHYSICAL | MEM_RESERVE);
    if (Type & MEM_RESET)
        return Type == MEM_RESET;
    return !(Type & ~MI_ALLOCATION_TYPES) && (Type & (MEM_COMMIT | MEM_RESERVE));
}

NTSTATUS NTAPI NtAllocateVirtualMemory(HANDLE Handle, PVOID *BaseAddress, ULONG_PTR ZeroBits, PSIZE_T RegionSize,
                                       ULONG Type, ULONG Protect)
{
    UINT64 Base = (UINT64)*BaseAddress, Bytes = *RegionSize, Top;
    NTSTATUS Status = STATUS_SUCCESS;
    BOOLEAN New = FALSE;
    MI_VISIT Visit;
    PMI_VAD Vad;

    if (ZeroBits > MI_ZERO_BITS && ZeroBits < 32)
        return STATUS_INVALID_PARAMETER_3;
    if (!MiIsAllocationType(Type))
        return STATUS_INVALID_PARAMETER_5;
    if (!MiIsValidProtection(Protect) || (Protect & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)))
        return STATUS_INVALID_PAGE_PROTECTION;
    if (Base >= DOOR_USER_END)
        return STATUS_INVALID_PARAMETER_2;
    if (!Bytes || Bytes > DOOR_USER_END - Base)
        return STATUS_INVALID_PARAMETER_4;
    Status = MiVisit(&Visit, Handle, 8 /* PROCESS_VM_OPERATION */);
    if (!NT_SUCCESS(Status))
        return Status;
    Top = MiTopOf(ZeroBits, Visit.Space->High);
    Vad = Base ? MiFindVad(Visit.Space, Base) : NULL;
    if ((Type & MEM_RESERVE) || (!Base && (Type & MEM_COMMIT))) {
        Status = MiReserve(Visit.Space, &Base, &Bytes, Top, Type, Protect, &Vad);
        New = NT_SUCCESS(Status);
    }
    if (NT_SUCCESS(Status) && (Type & MEM_COMMIT))
        Status = MiCommit(Visit.Space, Vad, &Base, &Bytes, Protect);
    else if (NT_SUCCESS(Status) && (Type & MEM_RESET) && !Vad) /* a hint; the contents may stay */
        Status = STATUS_CONFLICTING_ADDRESSES;
    if (!NT_SUCCESS(Status) && New)
        MiRemoveVad(Visit.Space, Vad);
    ObfDereferenceObject(Visit.Process);
    if (NT_SUCCESS(Status)) {
        *BaseAddress = (PVOID)Base;
        *RegionSize = Bytes;
    }
    return Status;
}

/* ---- Freeing --------------------------------------------------------------------------------------------------------
 */

/* What remains of a range when a part of it is released: the part before, and a new range for the one behind. */
static NTSTATUS MiSplit(PMI_SPACE Space, PMI_VAD Vad, UINT64 Start, UINT64 End)
{
    MI_VAD Whole = *Vad;
    UINT64 Part[2][2] = {{Whole.Start, Start}, {End, Whole.End}};
    UINT64 Leaves = ((Whole.End - Whole.Start) / DOOR_PAGE + MI_LEAF - 1) / MI_LEAF;

    MiSetEntries(Space, Vad, Start, End, 0);
    RtlDeleteElementGenericTableAvl(&Space->Vads, Vad);
    for (ULONG i = 0; i < 2; i++) {
        PMI_VAD New = Part[i][0] < Part[i][1]
                          ? MiInsertVad(Space, Part[i][0], Part[i][1] - Part[i][0], Whole.Type, Whole.Protection)
                          : NULL;
        for (UINT64 Va = Part[i][0]; New && Va < Part[i][1]; Va += DOOR_PAGE) {
            UINT64 *From = MiEntry(&Whole, Va, FALSE), *To = From && *From ? MiEntry(New, Va, TRUE) : NULL;
            if (To)
                *To = *From;
        }
    }
    for (UINT64 i = 0; i < Leaves; i++)
        if (Whole.Leaf[i])
            MiFreePages((UINT64)Whole.Leaf[i] - DOOR_LINEAR_BASE, 1);
    ExpFree(Whole.Leaf);
    return STATUS_SUCCESS;
}

static NTSTATUS MiFree(PMI_SPACE Space, UINT64 *Base, UINT64 *Bytes, ULONG Type)
{
    PMI_VAD Vad = MiFindVad(Space, *Base);
    UINT64 Start = *Base & ~(DOOR_PAGE - 1), End = (*Base + *Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);

    if (!Vad)
        return STATUS_MEMORY_NOT_ALLOCATED;
    if (!*Bytes && Start != Vad->Start)
        return STATUS_FREE_VM_NOT_AT_BASE;
    if (!*Bytes)
        End = Vad->End;
    if (End > Vad->End || End <= Start)
        return STATUS_UNABLE_TO_FREE_VM;
    if (Vad->Type != MEM_PRIVATE || Vad->OfMdl)
        return STATUS_UNABLE_TO_DELETE_SECTION;
    if (Vad->Secured)
        return STATUS_INVALID_PAGE_PROTECTION;
    *Base = Start;
    *Bytes = End - Start;
    if (Type == MEM_DECOMMIT)
        return MiSetEntries(Space, Vad, Start, End, 0) ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    if (Start != Vad->Start || End != Vad->End)
        return MiSplit(Space, Vad, Start, End);
    MiRemoveVad(Space, Vad);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtFreeVirtualMemory(HANDLE Handle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG Type)
{
    UINT64 Base = (UINT64)*BaseAddress, Bytes = *RegionSize;
    MI_VISIT Visit;
    NTSTATUS Status;

    if (Type != MEM_RELEASE && Type != MEM_DECOMMIT)
        return STATUS_INVALID_PARAMETER_4;
    if (Base >= DOOR_USER_END)
        return STATUS_INVALID_PARAMETER_2;
    if (Bytes > DOOR_USER_END - Base)
        return STATUS_INVALID_PARAMETER_3;
    Status = MiVisit(&Visit, Handle, 8);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = MiFree(Visit.Space, &Base, &Bytes, Type);
    ObfDereferenceObject(Visit.Process);
    if (NT_SUCCESS(Status)) {
        *BaseAddress = (PVOID)Base;
        *RegionSize = Bytes;
    }
    return Status;
}

/* ---- Protection -----------------------------------------------------------------------------------------------------
 */

static ULONG MiProtectionOf(UINT64 Entry)
{
    return (ULONG)(Entry & (MI_ENTRY_PROTECTION | MI_ENTRY_GUARD));
}

static BOOLEAN MiWrites(ULONG Protection)
{
    return (Protection & (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)) != 0;
}

static NTSTATUS MiProtectRange(PMI_SPACE Space, UINT64 Start, UINT64 End, ULONG Protect, PULONG Old)
{
    PMI_VAD Vad = MiFindVad(Space, Start);

    if (!Vad || End > Vad->End || End <= Start)
        return STATUS_CONFLICTING_ADDRESSES;
    for (UINT64 Va = Start; Va < End; Va += DOOR_PAGE) {
        UINT64 *Entry = MiEntry(Vad, Va, FALSE);
        if (!Entry || !(*Entry & MI_ENTRY_PROTECTION))
            return STATUS_NOT_COMMITTED;
        if (Va == Start)
            *Old = MiProtectionOf(*Entry);
    }
    if (Vad->Secured && (Protect == PAGE_NOACCESS || (Protect & PAGE_GUARD) ||
                         (Vad->SecuredAs == PAGE_READWRITE && !MiWrites(Protect))))
        return STATUS_INVALID_PAGE_PROTECTION;
    if (Vad->Segment && MiWrites(Protect) && !(Protect & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)) &&
        !MiWrites(Vad->Protection))
        return STATUS_SECTION_PROTECTION;
    return MiSetEntries(Space, Vad, Start, End, Protect & (MI_ENTRY_PROTECTION | PAGE_GUARD)) ? STATUS_SUCCESS
                                                                                              : STATUS_NO_MEMORY;
}

NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE Handle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG Protect, PULONG Old)
{
    UINT64 Start = (UINT64)*BaseAddress & ~(DOOR_PAGE - 1);
    UINT64 End = ((UINT64)*BaseAddress + *RegionSize + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    MI_VISIT Visit;
    NTSTATUS Status;

    if (!MiIsValidProtection(Protect))
        return STATUS_INVALID_PAGE_PROTECTION;
    if (!Old)
        return STATUS_ACCESS_VIOLATION;
    if ((UINT64)*BaseAddress >= DOOR_USER_END)
        return STATUS_INVALID_PARAMETER_2;
    if (!*RegionSize || *RegionSize > DOOR_USER_END - (UINT64)*BaseAddress)
        return STATUS_INVALID_PARAMETER_3;
    Status = MiVisit(&Visit, Handle, 8);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = MiProtectRange(Visit.Space, Start, End, Protect, Old);
    ObfDereferenceObject(Visit.Process);
    if (NT_SUCCESS(Status)) {
        *BaseAddress = (PVOID)Start;
        *RegionSize = End - Start;
    }
    return Status;
}

/* ---- Query ----------------------------------------------------------------------------------------------------------
 */

static VOID MiDescribeFree(PMI_SPACE Space, UINT64 Va, PMEMORY_BASIC_INFORMATION Information)
{
    PMI_VAD Next = MiFirstOverlap(Space, Va, DOOR_USER_END);

    Information->State = MEM_FREE;
    Information->Protect = PAGE_NOACCESS;
    Information->RegionSize = (Next ? Next->Start : DOOR_USER_END) - Va;
}

/* docs: MEMORY_BASIC_INFORMATION: as far as pages from Va on are alike. */
static VOID MiDescribeRange(PMI_VAD Vad, UINT64 Va, PMEMORY_BASIC_INFORMATION Information)
{
    UINT64 *Entry = MiEntry(Vad, Va, FALSE), End = Va;
    ULONG Protection = Entry ? MiProtectionOf(*Entry) : 0;

    Information->AllocationBase = (PVOID)Vad->Start;
    Information->AllocationProtect = Vad->Protection;
    Information->Type = Vad->Type;
    Information->State = Protection ? MEM_COMMIT : MEM_RESERVE;
    Information->Protect = Protection;
    while (End < Vad->End && (Entry = MiEntry(Vad, End, FALSE), (Entry ? MiProtectionOf(*Entry) : 0) == Protection))
        End += DOOR_PAGE;
    Information->RegionSize = End - Va;
}

NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE Handle, PVOID BaseAddress, MEMORY_INFORMATION_CLASS Class, PVOID Buffer,
                                    SIZE_T Bytes, PSIZE_T Returned)
{
    UINT64 Va = (UINT64)BaseAddress & ~(DOOR_PAGE - 1);
    PMEMORY_BASIC_INFORMATION Information = Buffer;
    MI_VISIT Visit;
    PMI_VAD Vad;

    if (Class != MemoryBasicInformation)
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < sizeof(*Information))
        return STATUS_INFO_LENGTH_MISMATCH;
    if ((UINT64)BaseAddress >= DOOR_USER_END)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = MiVisit(&Visit, Handle, 0x400 /* PROCESS_QUERY_INFORMATION */);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlZeroMemory(Information, sizeof(*Information));
    Information->BaseAddress = (PVOID)Va;
    Vad = MiFindVad(Visit.Space, Va);
    if (Vad)
        MiDescribeRange(Vad, Va, Information);
    else
        MiDescribeFree(Visit.Space, Va, Information);
    ObfDereferenceObject(Visit.Process);
    if (Returned)
        *Returned = sizeof(*Information);
    return STATUS_SUCCESS;
}

/* ---- Securing -------------------------------------------------------------------------------------------------------
 */

/* docs: MmSecureVirtualMemory: the range stays, and stays accessible as asked for. Of the current process. */
HANDLE NTAPI MmSecureVirtualMemory(PVOID Address, SIZE_T Size, ULONG ProbeMode)
{
    UINT64 Start = (UINT64)Address, End = Start + Size;
    PMI_SPACE Space = MiCurrentSpace();
    PMI_VAD Vad = Space ? MiFindVad(Space, Start) : NULL;

    if (!Vad || !Size || End < Start || End > Vad->End || (ProbeMode != PAGE_READONLY && ProbeMode != PAGE_READWRITE))
        return NULL;
    for (UINT64 Va = Start & ~(DOOR_PAGE - 1); Va < End; Va += DOOR_PAGE) {
        UINT64 *Entry = MiEntry(Vad, Va, FALSE);
        if (!Entry || !MiIsCommitted(Space, Va) || (ProbeMode == PAGE_READWRITE && !MiWrites((ULONG)*Entry)))
            return NULL;
    }
    Vad->Secured++;
    if (ProbeMode == PAGE_READWRITE || Vad->Secured == 1)
        Vad->SecuredAs = ProbeMode;
    return (HANDLE)(Vad->Start | 1);
}

VOID NTAPI MmUnsecureVirtualMemory(HANDLE SecureHandle)
{
    PMI_SPACE Space = MiCurrentSpace();
    PMI_VAD Vad = Space ? MiFindVad(Space, (UINT64)SecureHandle & ~1ull) : NULL;

    if (Vad && Vad->Secured)
        Vad->Secured--;
}
