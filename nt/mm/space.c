/*
 * Address spaces: the ranges of a process and the words of their pages. See space.h.
 *
 * Nothing here reaches a delivery point, so a space needs no lock.
 */
#include "nt.h"
#include "mm/space.h"

#define MI_TAG_SPACE 'dapS'

static RTL_GENERIC_COMPARE_RESULTS NTAPI MiCompareVads(PRTL_AVL_TABLE Table, PVOID First, PVOID Second)
{
    PMI_VAD A = First, B = Second;

    if (A->End <= B->Start)
        return GenericLessThan;
    return A->Start >= B->End ? GenericGreaterThan : GenericEqual;
}

static PVOID NTAPI MiAllocateVad(PRTL_AVL_TABLE Table, CLONG Bytes)
{
    return ExpTryAllocate(Bytes, 'ldaV');
}

static VOID NTAPI MiFreeVad(PRTL_AVL_TABLE Table, PVOID Memory)
{
    ExpFree(Memory);
}

/*
 * Each process chooses its addresses in a part of its own, so that a pointer of one process hardly ever means anything
 * in another; as address space layout randomisation does it, but the same in every run.
 */
PMI_SPACE MiCreateSpace(PEPROCESS Process, BOOLEAN Wow64)
{
    PMI_SPACE Space = ExpTryAllocate(sizeof(*Space), MI_TAG_SPACE);
    UINT64 Number = (UINT64)Process->UniqueProcessId / 4;

    if (!Space)
        return NULL;
    RtlInitializeGenericTableAvl(&Space->Vads, MiCompareVads, MiAllocateVad, MiFreeVad, NULL);
    Space->Process = Process;
    Space->Low = DOOR_USER_BASE;
    Space->High = Wow64 ? 0x7fff0000ull : DOOR_USER_END - MI_GRANULARITY;
    Space->First =
        Wow64 ? 0x10000000ull + Number % 96 * 0x1000000ull : 0x10000000000ull + Number % 3000 * 0x100000000ull;
    return Space;
}

VOID MiDeleteSpace(PMI_SPACE Space)
{
    PMI_VAD Vad;

    while ((Vad = RtlGetElementGenericTableAvl(&Space->Vads, 0)) != NULL)
        MiRemoveVad(Space, Vad);
    MiCloseShare(Space);
    ExpFree(Space);
}

PMI_VAD MiFirstOverlap(PMI_SPACE Space, UINT64 Start, UINT64 End)
{
    MI_VAD Key = {.Start = Start, .End = End};
    PMI_VAD Vad = RtlLookupElementGenericTableAvl(&Space->Vads, &Key), Before;

    while (Vad) { /* any that overlaps was found: the first is wanted */
        Key.End = Vad->Start;
        if (Key.End <= Start || !(Before = RtlLookupElementGenericTableAvl(&Space->Vads, &Key)))
            break;
        Vad = Before;
    }
    return Vad;
}

PMI_VAD MiFindVad(PMI_SPACE Space, UINT64 Va)
{
    MI_VAD Key = {.Start = Va, .End = Va + 1};

    return RtlLookupElementGenericTableAvl(&Space->Vads, &Key);
}

static UINT64 MiChooseIn(PMI_SPACE Space, UINT64 Bytes, UINT64 From, UINT64 Top)
{
    UINT64 At = (From + MI_GRANULARITY - 1) & ~(MI_GRANULARITY - 1);

    while (At < Top && Bytes <= Top - At) {
        PMI_VAD Vad = MiFirstOverlap(Space, At, At + Bytes);
        UINT64 Behind = Vad ? Vad->End : MiSharedHeld(Space, At, At + Bytes);
        if (!Behind)
            return At;
        At = (Behind + MI_GRANULARITY - 1) & ~(MI_GRANULARITY - 1);
    }
    return 0;
}

UINT64 MiChoose(PMI_SPACE Space, UINT64 Bytes, UINT64 Top)
{
    UINT64 At = 0;

    if (Top > Space->High)
        Top = Space->High;
    if (Space->First < Top)
        At = MiChooseIn(Space, Bytes, Space->First, Top);
    return At ? At : MiChooseIn(Space, Bytes, Space->Low, Top);
}

PMI_VAD MiInsertVad(PMI_SPACE Space, UINT64 Start, UINT64 Bytes, ULONG Type, ULONG Protection)
{
    MI_VAD Made = {.Start = Start, .End = Start + Bytes, .Type = Type, .Protection = Protection};
    UINT64 Leaves = (Bytes / DOOR_PAGE + MI_LEAF - 1) / MI_LEAF;
    BOOLEAN New;
    PMI_VAD Vad;

    Made.Leaf = ExpTryAllocate(Leaves * sizeof(UINT64 *), 'fdaV');
    if (!Made.Leaf)
        return NULL;
    Vad = RtlInsertElementGenericTableAvl(&Space->Vads, &Made, sizeof(Made), &New);
    if (!Vad)
        ExpFree(Made.Leaf);
    KI_ASSERT(!Vad || New);
    return Vad;
}

UINT64 *MiEntry(PMI_VAD Vad, UINT64 Va, BOOLEAN Make)
{
    UINT64 Page = (Va - Vad->Start) / DOOR_PAGE;
    UINT64 **Leaf = &Vad->Leaf[Page / MI_LEAF];

    if (!*Leaf) {
        UINT64 Physical = Make ? MiAllocatePages(1) : 0;
        if (!Physical)
            return NULL;
        *Leaf = MiLinear(Physical);
    }
    return &(*Leaf)[Page % MI_LEAF];
}

/* Memory that a program of the host sees has its page as soon as it is committed. */
static BOOLEAN MiIsShared(PMI_SPACE Space, PMI_VAD Vad, UINT64 Va)
{
    return Space->Share && Vad->Type == MEM_PRIVATE && !Vad->OfMdl && Va >= Space->First && Va < Space->ShareEnd;
}

VOID MiDropPage(UINT64 *Entry)
{
    UINT64 Physical = MI_ENTRY_PHYSICAL(*Entry);

    if (Physical && (*Entry & MI_ENTRY_PRIVATE))
        MiFreeUserPage(Physical);
    *Entry &= DOOR_PAGE - 1 - MI_ENTRY_PRIVATE;
}

BOOLEAN MiSetEntries(PMI_SPACE Space, PMI_VAD Vad, UINT64 Start, UINT64 End, ULONG Protection)
{
    UINT64 Bits = (Protection & MI_ENTRY_PROTECTION) | (Protection & PAGE_GUARD ? MI_ENTRY_GUARD : 0);

    MiCloseUserRange(Space, Start, End);
    for (UINT64 Va = Start; Va < End; Va += DOOR_PAGE) {
        UINT64 *Entry = MiEntry(Vad, Va, Protection != 0);
        if (!Entry) {
            if (Protection)
                return FALSE;
            Va = Vad->Start + (((Va - Vad->Start) / DOOR_PAGE | (MI_LEAF - 1))) * DOOR_PAGE;
            continue;
        }
        if (Protection && !MI_ENTRY_PHYSICAL(*Entry) && MiIsShared(Space, Vad, Va)) {
            UINT64 Physical = MiTakeShared(Space, Va);
            if (!Physical)
                return FALSE;
            *Entry |= Physical | MI_ENTRY_PRIVATE;
        }
        Space->Committed += (Protection != 0) - ((*Entry & MI_ENTRY_PROTECTION) != 0);
        if (!Protection)
            MiDropPage(Entry);
        *Entry = (*Entry & ~(MI_ENTRY_PROTECTION | MI_ENTRY_GUARD)) | Bits;
        /* A page that was copied when it was written stays the process's own. */
        if ((*Entry & MI_ENTRY_PRIVATE) && MI_ENTRY_PHYSICAL(*Entry) && Vad->Segment &&
            (Bits & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)))
            *Entry =
                (*Entry & ~MI_ENTRY_PROTECTION) | (Bits & PAGE_WRITECOPY ? PAGE_READWRITE : PAGE_EXECUTE_READWRITE);
    }
    return TRUE;
}

VOID MiRemoveVad(PMI_SPACE Space, PMI_VAD Vad)
{
    UINT64 Leaves = ((Vad->End - Vad->Start) / DOOR_PAGE + MI_LEAF - 1) / MI_LEAF;
    struct _MI_SEGMENT *Segment = Vad->Segment;

    MiSetEntries(Space, Vad, Vad->Start, Vad->End, 0);
    for (UINT64 i = 0; i < Leaves; i++)
        if (Vad->Leaf[i])
            MiFreePages((UINT64)Vad->Leaf[i] - DOOR_LINEAR_BASE, 1);
    ExpFree(Vad->Leaf);
    RtlDeleteElementGenericTableAvl(&Space->Vads, Vad);
    if (Segment)
        MiSectionUnmapped(Segment);
}
