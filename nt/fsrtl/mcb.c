/*
 * Map control blocks: which sectors of a disk (Lbn) the sectors of a file (Vbn) are, run by run.
 *
 * A run is told by the Vbn behind its end and its first Lbn; -1 is a hole. The map begins at Vbn 0 and never ends with
 * a hole, and neighbours that continue each other are one run. All changes go through FsRtlpReplace, which sets the
 * whole of a range. Kernel code is atomic between delivery points, so a map needs no lock. (docs:
 * FsRtlAddLargeMcbEntry)
 */
#include "nt.h"

#define FSRTLP_FIRST_PAIRS 15
#define FSRTLP_HOLE (-1ll)
#define FSRTLP_MCB_TAG 'bcMF'

typedef struct _FSRTLP_RUN {
    LONGLONG Next; /* Vbn behind the run */
    LONGLONG Lbn;
} FSRTLP_RUN, *PFSRTLP_RUN;

#define RunsOf(Mcb) ((PFSRTLP_RUN)(Mcb)->Mapping)

static LONGLONG FsRtlpStartOf(PBASE_MCB Mcb, ULONG i)
{
    return i ? RunsOf(Mcb)[i - 1].Next : 0;
}

static LONGLONG FsRtlpEndOf(PBASE_MCB Mcb)
{
    return FsRtlpStartOf(Mcb, Mcb->PairCount);
}

/* The run that holds Vbn; PairCount if it lies behind the end. */
static ULONG FsRtlpRunAt(PBASE_MCB Mcb, LONGLONG Vbn)
{
    ULONG Low = 0, High = Mcb->PairCount;
    while (Low < High) {
        ULONG Middle = (Low + High) / 2;
        if (RunsOf(Mcb)[Middle].Next <= Vbn)
            Low = Middle + 1;
        else
            High = Middle;
    }
    return Low;
}

/* docs: FsRtlAddLargeMcbEntry raises when there is no memory. */
static VOID FsRtlpReserve(PBASE_MCB Mcb, ULONG Pairs)
{
    if (Pairs <= Mcb->MaximumPairCount)
        return;
    ULONG Room = Mcb->MaximumPairCount * 2 > Pairs ? Mcb->MaximumPairCount * 2 : Pairs;
    PFSRTLP_RUN Runs = ExAllocatePoolWithTag(Mcb->PoolType, Room * sizeof(*Runs), FSRTLP_MCB_TAG);
    if (!Runs)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    RtlCopyMemory(Runs, Mcb->Mapping, Mcb->PairCount * sizeof(*Runs));
    ExFreePoolWithTag(Mcb->Mapping, FSRTLP_MCB_TAG);
    Mcb->Mapping = Runs;
    Mcb->MaximumPairCount = Room;
}

/* Put Count runs in place of Old ones at Index. */
static VOID FsRtlpSplice(PBASE_MCB Mcb, ULONG Index, ULONG Old, const FSRTLP_RUN *New, ULONG Count)
{
    FsRtlpReserve(Mcb, Mcb->PairCount - Old + Count);
    PFSRTLP_RUN Runs = RunsOf(Mcb);
    RtlMoveMemory(Runs + Index + Count, Runs + Index + Old, (Mcb->PairCount - Index - Old) * sizeof(*Runs));
    RtlCopyMemory(Runs + Index, New, Count * sizeof(*Runs));
    Mcb->PairCount = Mcb->PairCount - Old + Count;
}

static BOOLEAN FsRtlpContinues(LONGLONG Lbn, LONGLONG Length, LONGLONG Next)
{
    return Lbn == FSRTLP_HOLE ? Next == FSRTLP_HOLE : Next == Lbn + Length;
}

/* Make one run of those at Index - 1 and Index if the second continues the first. */
static VOID FsRtlpJoin(PBASE_MCB Mcb, ULONG Index)
{
    PFSRTLP_RUN Runs = RunsOf(Mcb);
    if (!Index || Index >= Mcb->PairCount ||
        !FsRtlpContinues(Runs[Index - 1].Lbn, Runs[Index - 1].Next - FsRtlpStartOf(Mcb, Index - 1), Runs[Index].Lbn))
        return;
    FSRTLP_RUN One = {Runs[Index].Next, Runs[Index - 1].Lbn};
    FsRtlpSplice(Mcb, Index - 1, 2, &One, 1);
}

static VOID FsRtlpTrim(PBASE_MCB Mcb)
{
    while (Mcb->PairCount && RunsOf(Mcb)[Mcb->PairCount - 1].Lbn == FSRTLP_HOLE)
        Mcb->PairCount--;
}

/* Everything in [Vbn, Vbn + Count) is Lbn onward from now on, or a hole. */
static VOID FsRtlpReplace(PBASE_MCB Mcb, LONGLONG Vbn, LONGLONG Count, LONGLONG Lbn)
{
    LONGLONG End = Vbn + Count;
    FSRTLP_RUN New[3];
    ULONG n = 0;
    if (Vbn > FsRtlpEndOf(Mcb)) {
        FSRTLP_RUN Hole = {Vbn, FSRTLP_HOLE};
        FsRtlpSplice(Mcb, Mcb->PairCount, 0, &Hole, 1);
    }
    ULONG First = FsRtlpRunAt(Mcb, Vbn), Last = FsRtlpRunAt(Mcb, End);
    LONGLONG Start = FsRtlpStartOf(Mcb, First);
    if (First < Mcb->PairCount && Start < Vbn)
        New[n++] = (FSRTLP_RUN){Vbn, RunsOf(Mcb)[First].Lbn};
    New[n++] = (FSRTLP_RUN){End, Lbn};
    ULONG Old = Last - First;
    if (Last < Mcb->PairCount) { /* its rest stays */
        FSRTLP_RUN Rest = RunsOf(Mcb)[Last];
        if (Rest.Lbn != FSRTLP_HOLE)
            Rest.Lbn += End - FsRtlpStartOf(Mcb, Last);
        New[n++] = Rest;
        Old++;
    }
    FsRtlpSplice(Mcb, First, Old, New, n);
    for (ULONG i = First + n; i-- > First;)
        FsRtlpJoin(Mcb, i + 1);
    FsRtlpJoin(Mcb, First);
    FsRtlpTrim(Mcb);
}

/* ---- Base maps ------------------------------------------------------------------------------------------------------
 */

BOOLEAN NTAPI FsRtlInitializeBaseMcbEx(PBASE_MCB Mcb, POOL_TYPE PoolType, USHORT Flags)
{
    RtlZeroMemory(Mcb, sizeof(*Mcb));
    Mcb->Mapping = ExAllocatePoolWithTag(PoolType, FSRTLP_FIRST_PAIRS * sizeof(FSRTLP_RUN), FSRTLP_MCB_TAG);
    if (!Mcb->Mapping) {
        if (Flags & MCB_FLAG_RAISE_ON_ALLOCATION_FAILURE)
            ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
        return FALSE;
    }
    Mcb->PoolType = (USHORT)PoolType;
    Mcb->Flags = Flags;
    Mcb->MaximumPairCount = FSRTLP_FIRST_PAIRS;
    return TRUE;
}

VOID NTAPI FsRtlInitializeBaseMcb(PBASE_MCB Mcb, POOL_TYPE PoolType)
{
    FsRtlInitializeBaseMcbEx(Mcb, PoolType, MCB_FLAG_RAISE_ON_ALLOCATION_FAILURE);
}

VOID NTAPI FsRtlUninitializeBaseMcb(PBASE_MCB Mcb)
{
    if (Mcb->Mapping)
        ExFreePoolWithTag(Mcb->Mapping, FSRTLP_MCB_TAG);
    Mcb->Mapping = NULL;
    Mcb->PairCount = Mcb->MaximumPairCount = 0;
}

VOID NTAPI FsRtlResetBaseMcb(PBASE_MCB Mcb)
{
    Mcb->PairCount = 0;
}

VOID NTAPI FsRtlTruncateBaseMcb(PBASE_MCB Mcb, LONGLONG Vbn)
{
    ULONG Index = FsRtlpRunAt(Mcb, Vbn);
    if (Index >= Mcb->PairCount)
        return;
    Mcb->PairCount = Index;
    if (FsRtlpStartOf(Mcb, Index) < Vbn) {
        RunsOf(Mcb)[Index].Next = Vbn;
        Mcb->PairCount++;
    }
    FsRtlpTrim(Mcb);
}

/* docs: FsRtlAddLargeMcbEntry: FALSE when part of the range is mapped already to something else. */
BOOLEAN NTAPI FsRtlAddBaseMcbEntry(PBASE_MCB Mcb, LONGLONG Vbn, LONGLONG Lbn, LONGLONG Count)
{
    if (Vbn < 0 || Count <= 0 || Vbn + Count < Vbn)
        return FALSE;
    for (ULONG i = FsRtlpRunAt(Mcb, Vbn); i < Mcb->PairCount; i++) {
        LONGLONG Start = FsRtlpStartOf(Mcb, i), Here = RunsOf(Mcb)[i].Lbn;
        if (Start >= Vbn + Count)
            break;
        if (Here != FSRTLP_HOLE && Here - Start != Lbn - Vbn)
            return FALSE;
    }
    FsRtlpReplace(Mcb, Vbn, Count, Lbn);
    return TRUE;
}

NTSTATUS NTAPI FsRtlAddBaseMcbEntryEx(PBASE_MCB Mcb, LONGLONG Vbn, LONGLONG Lbn, LONGLONG Count)
{
    return FsRtlAddBaseMcbEntry(Mcb, Vbn, Lbn, Count) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

BOOLEAN NTAPI FsRtlRemoveBaseMcbEntry(PBASE_MCB Mcb, LONGLONG Vbn, LONGLONG Count)
{
    LONGLONG End = FsRtlpEndOf(Mcb);
    if (Vbn < 0 || Count <= 0 || Vbn >= End)
        return TRUE;
    FsRtlpReplace(Mcb, Vbn, Count < End - Vbn ? Count : End - Vbn, FSRTLP_HOLE);
    return TRUE;
}

BOOLEAN NTAPI FsRtlLookupBaseMcbEntry(PBASE_MCB Mcb, LONGLONG Vbn, PLONGLONG Lbn, PLONGLONG Count, PLONGLONG StartLbn,
                                      PLONGLONG StartCount, PULONG Index)
{
    ULONG i = FsRtlpRunAt(Mcb, Vbn);
    if (Vbn < 0 || i >= Mcb->PairCount)
        return FALSE;
    LONGLONG Start = FsRtlpStartOf(Mcb, i), First = RunsOf(Mcb)[i].Lbn, Next = RunsOf(Mcb)[i].Next;
    if (Lbn)
        *Lbn = First == FSRTLP_HOLE ? FSRTLP_HOLE : First + (Vbn - Start);
    if (Count)
        *Count = Next - Vbn;
    if (StartLbn)
        *StartLbn = First;
    if (StartCount)
        *StartCount = Next - Start;
    if (Index)
        *Index = i;
    return TRUE;
}

BOOLEAN NTAPI FsRtlLookupLastBaseMcbEntryAndIndex(PBASE_MCB Mcb, PLONGLONG Vbn, PLONGLONG Lbn, PULONG Index)
{
    if (!Mcb->PairCount)
        return FALSE;
    ULONG i = Mcb->PairCount - 1;
    LONGLONG Length = RunsOf(Mcb)[i].Next - FsRtlpStartOf(Mcb, i);
    *Vbn = RunsOf(Mcb)[i].Next - 1;
    *Lbn = RunsOf(Mcb)[i].Lbn + Length - 1;
    *Index = i;
    return TRUE;
}

BOOLEAN NTAPI FsRtlLookupLastBaseMcbEntry(PBASE_MCB Mcb, PLONGLONG Vbn, PLONGLONG Lbn)
{
    ULONG Index;
    return FsRtlLookupLastBaseMcbEntryAndIndex(Mcb, Vbn, Lbn, &Index);
}

ULONG NTAPI FsRtlNumberOfRunsInBaseMcb(PBASE_MCB Mcb)
{
    return Mcb->PairCount;
}

BOOLEAN NTAPI FsRtlGetNextBaseMcbEntry(PBASE_MCB Mcb, ULONG Run, PLONGLONG Vbn, PLONGLONG Lbn, PLONGLONG Count)
{
    if (Run >= Mcb->PairCount)
        return FALSE;
    *Vbn = FsRtlpStartOf(Mcb, Run);
    *Lbn = RunsOf(Mcb)[Run].Lbn;
    *Count = RunsOf(Mcb)[Run].Next - *Vbn;
    return TRUE;
}

/* docs: FsRtlSplitLargeMcb: what lies at Vbn and behind it moves up by Amount; a hole opens. */
BOOLEAN NTAPI FsRtlSplitBaseMcb(PBASE_MCB Mcb, LONGLONG Vbn, LONGLONG Amount)
{
    ULONG Index = FsRtlpRunAt(Mcb, Vbn);
    if (Index >= Mcb->PairCount)
        return TRUE;
    FSRTLP_RUN Run = RunsOf(Mcb)[Index], New[3];
    LONGLONG Start = FsRtlpStartOf(Mcb, Index);
    ULONG n = 0;
    if (Run.Lbn == FSRTLP_HOLE)
        New[n++] = Run;
    else {
        if (Start < Vbn)
            New[n++] = (FSRTLP_RUN){Vbn, Run.Lbn};
        New[n++] = (FSRTLP_RUN){Vbn, FSRTLP_HOLE}; /* moved up with the rest below */
        New[n++] = (FSRTLP_RUN){Run.Next, Run.Lbn + (Vbn - Start)};
    }
    FsRtlpSplice(Mcb, Index, 1, New, n);
    ULONG From = Run.Lbn == FSRTLP_HOLE ? Index : Start < Vbn ? Index + 1 : Index;
    for (ULONG i = From; i < Mcb->PairCount; i++)
        RunsOf(Mcb)[i].Next += Amount;
    FsRtlpJoin(Mcb, From);
    return TRUE;
}

/* ---- Large maps: a base map, and in Windows a lock ------------------------------------------------------------------
 */

VOID NTAPI FsRtlInitializeLargeMcb(PLARGE_MCB Mcb, POOL_TYPE PoolType)
{
    Mcb->GuardedMutex = NULL;
    FsRtlInitializeBaseMcb(&Mcb->BaseMcb, PoolType);
}

VOID NTAPI FsRtlUninitializeLargeMcb(PLARGE_MCB Mcb)
{
    FsRtlUninitializeBaseMcb(&Mcb->BaseMcb);
}

VOID NTAPI FsRtlResetLargeMcb(PLARGE_MCB Mcb, BOOLEAN SelfSynchronized)
{
    FsRtlResetBaseMcb(&Mcb->BaseMcb);
}

VOID NTAPI FsRtlTruncateLargeMcb(PLARGE_MCB Mcb, LONGLONG Vbn)
{
    FsRtlTruncateBaseMcb(&Mcb->BaseMcb, Vbn);
}

BOOLEAN NTAPI FsRtlAddLargeMcbEntry(PLARGE_MCB Mcb, LONGLONG Vbn, LONGLONG Lbn, LONGLONG Count)
{
    return FsRtlAddBaseMcbEntry(&Mcb->BaseMcb, Vbn, Lbn, Count);
}

VOID NTAPI FsRtlRemoveLargeMcbEntry(PLARGE_MCB Mcb, LONGLONG Vbn, LONGLONG Count)
{
    FsRtlRemoveBaseMcbEntry(&Mcb->BaseMcb, Vbn, Count);
}

BOOLEAN NTAPI FsRtlLookupLargeMcbEntry(PLARGE_MCB Mcb, LONGLONG Vbn, PLONGLONG Lbn, PLONGLONG Count, PLONGLONG StartLbn,
                                       PLONGLONG StartCount, PULONG Index)
{
    return FsRtlLookupBaseMcbEntry(&Mcb->BaseMcb, Vbn, Lbn, Count, StartLbn, StartCount, Index);
}

BOOLEAN NTAPI FsRtlLookupLastLargeMcbEntry(PLARGE_MCB Mcb, PLONGLONG Vbn, PLONGLONG Lbn)
{
    return FsRtlLookupLastBaseMcbEntry(&Mcb->BaseMcb, Vbn, Lbn);
}

BOOLEAN NTAPI FsRtlLookupLastLargeMcbEntryAndIndex(PLARGE_MCB Mcb, PLONGLONG Vbn, PLONGLONG Lbn, PULONG Index)
{
    return FsRtlLookupLastBaseMcbEntryAndIndex(&Mcb->BaseMcb, Vbn, Lbn, Index);
}

ULONG NTAPI FsRtlNumberOfRunsInLargeMcb(PLARGE_MCB Mcb)
{
    return FsRtlNumberOfRunsInBaseMcb(&Mcb->BaseMcb);
}

BOOLEAN NTAPI FsRtlGetNextLargeMcbEntry(PLARGE_MCB Mcb, ULONG Run, PLONGLONG Vbn, PLONGLONG Lbn, PLONGLONG Count)
{
    return FsRtlGetNextBaseMcbEntry(&Mcb->BaseMcb, Run, Vbn, Lbn, Count);
}

BOOLEAN NTAPI FsRtlSplitLargeMcb(PLARGE_MCB Mcb, LONGLONG Vbn, LONGLONG Amount)
{
    return FsRtlSplitBaseMcb(&Mcb->BaseMcb, Vbn, Amount);
}

/* ---- The first kind, with 32 bits -----------------------------------------------------------------------------------
 */

#define BaseOf(Mcb) (&(Mcb)->DummyFieldThatSizesThisStructureCorrectly.BaseMcb)

VOID NTAPI FsRtlInitializeMcb(PMCB Mcb, POOL_TYPE PoolType)
{
    FsRtlInitializeLargeMcb(&Mcb->DummyFieldThatSizesThisStructureCorrectly, PoolType);
}

VOID NTAPI FsRtlUninitializeMcb(PMCB Mcb)
{
    FsRtlUninitializeBaseMcb(BaseOf(Mcb));
}

VOID NTAPI FsRtlTruncateMcb(PMCB Mcb, VBN Vbn)
{
    FsRtlTruncateBaseMcb(BaseOf(Mcb), Vbn);
}

BOOLEAN NTAPI FsRtlAddMcbEntry(PMCB Mcb, VBN Vbn, LBN Lbn, ULONG Count)
{
    return FsRtlAddBaseMcbEntry(BaseOf(Mcb), Vbn, Lbn, Count);
}

VOID NTAPI FsRtlRemoveMcbEntry(PMCB Mcb, VBN Vbn, ULONG Count)
{
    FsRtlRemoveBaseMcbEntry(BaseOf(Mcb), Vbn, Count);
}

BOOLEAN NTAPI FsRtlLookupMcbEntry(PMCB Mcb, VBN Vbn, PLBN Lbn, PULONG Count, PULONG Index)
{
    LONGLONG Long, LongCount;
    if (!FsRtlLookupBaseMcbEntry(BaseOf(Mcb), Vbn, &Long, &LongCount, NULL, NULL, Index))
        return FALSE;
    *Lbn = (LBN)Long;
    if (Count)
        *Count = (ULONG)LongCount;
    return TRUE;
}

BOOLEAN NTAPI FsRtlLookupLastMcbEntry(PMCB Mcb, PVBN Vbn, PLBN Lbn)
{
    LONGLONG LongVbn, LongLbn;
    if (!FsRtlLookupLastBaseMcbEntry(BaseOf(Mcb), &LongVbn, &LongLbn))
        return FALSE;
    *Vbn = (VBN)LongVbn;
    *Lbn = (LBN)LongLbn;
    return TRUE;
}

ULONG NTAPI FsRtlNumberOfRunsInMcb(PMCB Mcb)
{
    return FsRtlNumberOfRunsInBaseMcb(BaseOf(Mcb));
}

BOOLEAN NTAPI FsRtlGetNextMcbEntry(PMCB Mcb, ULONG Run, PVBN Vbn, PLBN Lbn, PULONG Count)
{
    LONGLONG LongVbn, LongLbn, LongCount;
    if (!FsRtlGetNextBaseMcbEntry(BaseOf(Mcb), Run, &LongVbn, &LongLbn, &LongCount))
        return FALSE;
    *Vbn = (VBN)LongVbn;
    *Lbn = (LBN)LongLbn;
    *Count = (ULONG)LongCount;
    return TRUE;
}
