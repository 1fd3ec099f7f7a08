/*
 * Who holds which lock, and in which order locks are acquired.
 *
 * Spin locks are held by a processor, mutexes by a thread; each keeps a short list of what it holds and where that was
 * acquired. Whoever waits for a lock while holding others adds an edge from each of these to it. Edges that form a circle are
 * a deadlock waiting for its schedule: found in any run that takes both ways once, without a preemption. (Windows' Driver
 * Verifier calls it deadlock detection, bug check 0xC4 0x1001.)
 *
 * No circle is reported that cannot close: when two of its edges were always taken under one common lock (a gate), or when
 * an acquisition only tried, or waited with a time-out. Locks are told apart by address, so edges of locks in memory that
 * is given back are forgotten. Reader-writer locks and resources are not followed.
 */
#include "nt.h"

#define VF_EDGES 4096
#define VF_EDGE_BUCKETS 1024
#define VF_GATES 4
#define VF_CIRCLE 8 /* locks in the longest circle looked for */

typedef struct _VF_EDGE {
    PVOID From, To; /* From NULL = unused */
    UINT64 FromSite;
    ULONG Stack; /* To is acquired while From is held */
    USHORT Next; /* same bucket of From; 0 = last */
    BOOLEAN Reported;
    UCHAR GateCount;
    PVOID Gate[VF_GATES]; /* what else was held, each time */
} VF_EDGE, *PVF_EDGE;

static VF_EDGE VfEdge[VF_EDGES]; /* 0 is not used */
static USHORT VfEdgeBucket[VF_EDGE_BUCKETS], VfFreeEdge, VfNextEdge = 1;

static const PCSTR VfLockNames[] = {[VfSpinLock] = "spin lock", [VfFastMutex] = "fast mutex", [VfMutex] = "mutex"};

static ULONG VfEdgeHash(PVOID From)
{
    return (ULONG)((UINT64)From * 0x9e3779b97f4a7c15ull >> 54);
}

C_ASSERT(VF_EDGE_BUCKETS == 1 << (64 - 54));

/* ---- The graph --------------------------------------------------------------------------------------------------- */

static PVF_EDGE VfFindEdge(PVOID From, PVOID To)
{
    for (USHORT i = VfEdgeBucket[VfEdgeHash(From)]; i; i = VfEdge[i].Next)
        if (VfEdge[i].From == From && VfEdge[i].To == To)
            return &VfEdge[i];
    return NULL;
}

static PVF_EDGE VfNewEdge(PVOID From, PVOID To)
{
    USHORT Number = VfFreeEdge, *Bucket = &VfEdgeBucket[VfEdgeHash(From)];
    PVF_EDGE Edge;

    if (Number)
        VfFreeEdge = VfEdge[Number].Next;
    else if (VfNextEdge < VF_EDGES)
        Number = VfNextEdge++;
    else
        return NULL; /* so many locks: the first ones must do */
    Edge = &VfEdge[Number];
    RtlZeroMemory(Edge, sizeof(*Edge));
    Edge->From = From;
    Edge->To = To;
    Edge->Next = *Bucket;
    *Bucket = Number;
    VfPageOf(From)->Edges++;
    VfPageOf(To)->Edges++;
    return Edge;
}

VOID VfLocksGo(UINT64 Start, UINT64 Bytes)
{
    for (ULONG i = 0; i < VF_EDGE_BUCKETS; i++) {
        for (USHORT *Link = &VfEdgeBucket[i]; *Link;) {
            USHORT Number = *Link;
            PVF_EDGE Edge = &VfEdge[Number];
            if ((UINT64)Edge->From - Start >= Bytes && (UINT64)Edge->To - Start >= Bytes) {
                Link = &Edge->Next;
                continue;
            }
            *Link = Edge->Next;
            VfPageOf(Edge->From)->Edges--;
            VfPageOf(Edge->To)->Edges--;
            Edge->From = NULL;
            Edge->Next = VfFreeEdge;
            VfFreeEdge = Number;
        }
    }
}

static BOOLEAN VfCommonGate(const VF_EDGE *One, const VF_EDGE *Other)
{
    for (ULONG i = 0; i < One->GateCount; i++)
        for (ULONG k = 0; k < Other->GateCount; k++)
            if (One->Gate[i] == Other->Gate[k])
                return TRUE;
    return FALSE;
}

/* Path holds Count edges; is there a way on to Target, without a lock twice and without a common gate? */
static ULONG VfFindCircle(PVF_EDGE *Path, ULONG Count, PVOID Target)
{
    PVOID At = Path[Count - 1]->To;

    if (At == Target)
        return Count;
    for (USHORT i = Count < VF_CIRCLE ? VfEdgeBucket[VfEdgeHash(At)] : 0; i; i = VfEdge[i].Next) {
        BOOLEAN Usable = VfEdge[i].From == At;
        ULONG Found;
        for (ULONG k = 0; k < Count && Usable; k++)
            Usable = VfEdge[i].To != Path[k]->To && !VfCommonGate(&VfEdge[i], Path[k]);
        if (!Usable)
            continue;
        Path[Count] = &VfEdge[i];
        Found = VfFindCircle(Path, Count + 1, Target);
        if (Found)
            return Found;
    }
    return 0;
}

/* ---- Findings ---------------------------------------------------------------------------------------------------- */

static VOID VfNoteSite(ULONG Kind, UINT64 Site, PVOID Lock, PCSTR Text)
{
    UINT64 Unused = 0;

    if (Site)
        MmUnpatch(&Site, &Unused);
    VfNote(Kind, Site ? VfStackOf(&Site, 1) : 0, Lock, NULL, "%s", Text);
}

static VOID VfReportOrder(PVF_EDGE *Path, ULONG Count, VF_LOCK_KIND Kind)
{
    PVF_EDGE Now = Path[0];

    for (ULONG i = 0; i < Count; i++)
        Path[i]->Reported = TRUE;
    VfFinding("lock.wrong-order", 0xC4, 0x1001, (UINT64)Now->To, (UINT64)Now->From, 0);
    VfSubject(VfLockNames[Kind]);
    if (Count == 2)
        VfText("two locks are acquired in one order here and in the other there: each side can wait for the other for "
               "ever");
    else
        VfText("%u locks are acquired in orders that form a circle: all sides can wait for each other for ever", Count);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, 0, Now->To, NULL, "The lock acquired here is %%o.");
    VfNoteSite(DOOR_NOTE_OBJECT, Now->FromSite, Now->From, "Held meanwhile is %o. It was acquired at:");
    for (ULONG i = 1; i < Count; i++) {
        VfNote(DOOR_NOTE_OTHER, Path[i]->Stack, Path[i]->To, NULL,
               Count == 2 ? "The other order: %%o was acquired while the first was held at:"
                          : "And %%o after that at:");
        VfDropKernel();
    }
    VfCommit();
}

/* ---- Acquiring --------------------------------------------------------------------------------------------------- */

static VOID VfSetGates(PVF_EDGE Edge, const KI_HELD *List, PVOID *Gates, ULONG *Count)
{
    for (ULONG i = 0; i < List->Count && *Count < VF_GATES; i++)
        if (List->Entry[i].Lock != Edge->From && List->Entry[i].Lock != Edge->To)
            Gates[(*Count)++] = List->Entry[i].Lock;
}

/* The edge is taken again: gates that are not held this time are none. TRUE = it has fewer than before. */
static BOOLEAN VfKeepGates(PVF_EDGE Edge, PVOID *Gates, ULONG Count)
{
    VF_EDGE Now = {.GateCount = (UCHAR)Count};
    ULONG Kept = 0;

    memcpy(Now.Gate, Gates, Count * sizeof(PVOID));
    for (ULONG i = 0; i < Edge->GateCount; i++) {
        VF_EDGE One = {.GateCount = 1, .Gate = {Edge->Gate[i]}};
        if (VfCommonGate(&One, &Now))
            Edge->Gate[Kept++] = Edge->Gate[i];
    }
    if (Kept == Edge->GateCount)
        return FALSE;
    Edge->GateCount = (UCHAR)Kept;
    return TRUE;
}

static VOID VfAddEdge(PVOID From, UINT64 FromSite, PVOID To, VF_LOCK_KIND Kind, ULONG *Stack)
{
    PVF_EDGE Edge = VfFindEdge(From, To), Path[VF_CIRCLE + 1];
    BOOLEAN New = !Edge;
    PVOID Gates[VF_GATES];
    ULONG Count = 0;

    if (New && !(Edge = VfNewEdge(From, To)))
        return;
    VfSetGates(Edge, &KiProcessor()->Held, Gates, &Count);
    if (!KiProcessor()->DpcRoutineActive)
        VfSetGates(Edge, &KeGetCurrentThread()->Held, Gates, &Count);
    if (New) {
        Edge->FromSite = FromSite;
        Edge->Stack = *Stack = *Stack ? *Stack : VfCaptureStack();
        Edge->GateCount = (UCHAR)Count;
        memcpy(Edge->Gate, Gates, Count * sizeof(PVOID));
    } else if (!Edge->GateCount || !VfKeepGates(Edge, Gates, Count))
        return;
    Path[0] = Edge;
    Count = Edge->Reported ? 0 : VfFindCircle(Path, 1, From);
    if (Count)
        VfReportOrder(Path, Count, Kind);
}

VOID VfWaitsForLock(PVOID Lock, VF_LOCK_KIND Kind)
{
    KI_HELD *Lists[2] = {&KiProcessor()->Held, KiProcessor()->DpcRoutineActive ? NULL : &KeGetCurrentThread()->Held};
    ULONG Stack = 0;

    for (ULONG k = 0; k < 2; k++)
        for (ULONG i = 0; Lists[k] && i < Lists[k]->Count; i++)
            if (Lists[k]->Entry[i].Lock != Lock)
                VfAddEdge(Lists[k]->Entry[i].Lock, Lists[k]->Entry[i].Site, Lock, Kind, &Stack);
}

/* Released in another order than that of acquisition, or not in the list. */
VOID VfReleasedInside(KI_HELD *List, PVOID Lock)
{
    for (ULONG i = List->Count; i-- > 0;)
        if (List->Entry[i].Lock == Lock) {
            List->Count--;
            memmove(&List->Entry[i], &List->Entry[i + 1], (List->Count - i) * sizeof(List->Entry[0]));
            return;
        }
}

/* ---- For reports ------------------------------------------------------------------------------------------------- */

/* Note who holds Lock, and where that was acquired. */
VOID VfNoteHolder(PVOID Lock)
{
    CHAR Text[96];

    for (ULONG i = 0; i < KiDoor->processors; i++) {
        const KI_HELD *List = &KiProcessorBlock(i)->Held;
        for (ULONG k = 0; k < List->Count; k++)
            if (List->Entry[k].Lock == Lock) {
                RtlpFormat(Text, sizeof(Text), "Processor %u holds %%o. It was acquired at:", i);
                VfNoteSite(DOOR_NOTE_OTHER, List->Entry[k].Site, Lock, Text);
            }
    }
    for (PKTHREAD Thread = PspNextThread(NULL); Thread; Thread = PspNextThread(Thread))
        for (ULONG k = 0; k < Thread->Held.Count; k++)
            if (Thread->Held.Entry[k].Lock == Lock) {
                RtlpFormat(Text, sizeof(Text), "Thread %u holds %%o. It was acquired at:", PspThreadNumber(Thread));
                VfNoteSite(DOOR_NOTE_OTHER, Thread->Held.Entry[k].Site, Lock, Text);
            }
}
