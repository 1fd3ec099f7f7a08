/*
 * Accesses of drivers to memory as delivery points, and data races between them.
 *
 * When the explorer asks for it, the loader puts a call in front of each instruction that may touch shared memory, and it
 * arrives here (VfAccess). The flow stands at its access while the schedule lets others go on. If one of them comes to an
 * access of the same memory meanwhile, both are about to touch it at the same time, with nothing between them: had they held
 * a lock in common, one of them would not stand here. So there are no false alarms by guessed locks. (The criterion is that
 * of DataCollider, Erickson et al., OSDI 2010; here both stacks are at hand, and nothing has to be waited for.)
 *
 * Not every such pair is a mistake: a flag that one thread sets and another polls is none on this processor. Reported are
 * those after which a change is lost whatever the outcome was meant to be (DOOR_RACES_HARMFUL):
 *   - a place is loaded, changed and stored, or changed by one instruction without lock on another processor, and someone
 *     else writes it in between;
 *   - two different pointers are stored to one place.
 * DOOR_RACES_ALL reports every pair with a write, unless both are locked instructions.
 *
 * Not seen: accesses that kernel routines make for a driver, and instructions the loader found no room to patch.
 */
#include "nt.h"

#define VF_SITES 4096
#define VF_SITE_VISITS 16 /* each of the first so many visits to a site is a delivery point, then each power of two */

typedef struct _VF_ACCESS {
    struct _VF_ACCESS *Next;
    const struct door_access *Site;
    UINT64 Address, Bytes;
    PCONTEXT Context;
    PVF_CALLBACK Callback;
    ULONG Processor;
} VF_ACCESS, *PVF_ACCESS;

/* Who stands at an access. Entries lie on the flows' stacks. */
static PVF_ACCESS VfStanding;

static struct {
    UINT64 Site;
    ULONG Visits;
} VfSite[VF_SITES];

/* ---- Is it harmful? ---------------------------------------------------------------------------------------------- */

#define IS(Access, Flag) ((Access)->Site->flags & DOOR_ACCESS_##Flag)

/* What the access will write; FALSE = not known. */
static BOOLEAN VfValueOf(const VF_ACCESS *Access, UINT64 *Value)
{
    const struct door_access *Site = Access->Site;

    if (Site->value == DOOR_VALUE_UNKNOWN || Site->bytes > 8)
        return FALSE;
    *Value = Site->value == DOOR_VALUE_CONSTANT ? (UINT64)(INT64)Site->constant : (&Access->Context->Rax)[Site->value];
    if (Site->bytes < 8)
        *Value &= (1ull << Site->bytes * 8) - 1;
    return TRUE;
}

/* Reads and writes in one instruction that another processor can come between. */
static BOOLEAN VfIsPlainChange(const VF_ACCESS *Access)
{
    return IS(Access, READ) && IS(Access, WRITE) && !IS(Access, ATOMIC);
}

static BOOLEAN VfIsPointer(UINT64 Value)
{
    return Value >= DOOR_KERNEL_BASE && Value < DOOR_KERNEL_END;
}

static BOOLEAN VfDifferentPointers(const VF_ACCESS *One, const VF_ACCESS *Other)
{
    UINT64 First, Second;

    return One->Site->bytes == 8 && Other->Site->bytes == 8 && One->Address == Other->Address &&
           VfValueOf(One, &First) && VfValueOf(Other, &Second) && First != Second &&
           (VfIsPointer(First) || VfIsPointer(Second)) && (VfIsPointer(First) || !First) &&
           (VfIsPointer(Second) || !Second);
}

/* NULL = no harm that is certain. */
static PCSTR VfHarm(const VF_ACCESS *One, const VF_ACCESS *Other)
{
    BOOLEAN Apart = One->Processor != Other->Processor;

    if (!IS(One, WRITE) || !IS(Other, WRITE))
        return NULL;
    if (IS(One, UPDATE) || IS(Other, UPDATE) || (Apart && (VfIsPlainChange(One) || VfIsPlainChange(Other))))
        return "one change is lost";
    return VfDifferentPointers(One, Other) ? "one pointer is lost" : NULL;
}

/* ---- Findings ---------------------------------------------------------------------------------------------------- */

static UINT64 VfPlaceOf(const VF_ACCESS *Access)
{
    UINT64 Rip = Access->Context->Rip, Unused = 0;

    MmUnpatch(&Rip, &Unused);
    return Rip;
}

static ULONG VfStackAtAccess(const VF_ACCESS *Access)
{
    UINT64 Frames[DOOR_FRAMES];
    ULONG Count = RtlpWalkStack(Access->Context, Frames, DOOR_FRAMES);

    Frames[0] = VfPlaceOf(Access) + 1; /* frames are return addresses */
    return VfStackOf(Frames, Count ? Count : 1);
}

static PCSTR VfKindOf(const VF_ACCESS *Access)
{
    if (IS(Access, ATOMIC))
        return "locked instruction";
    if (VfIsPlainChange(Access))
        return "change";
    return IS(Access, WRITE) ? "write" : "read";
}

static VOID VfNoteAccess(ULONG Kind, const VF_ACCESS *Access, PCSTR Who)
{
    CHAR What[64] = "";
    UINT64 Value;

    if (VfValueOf(Access, &Value))
        RtlpFormat(What, sizeof(What), " of 0x%llx", Value);
    VfNote(Kind, VfStackAtAccess(Access), Access->Callback ? Access->Callback->Object : NULL,
           Access->Callback ? Access->Callback->What : NULL,
           "%s on processor %u stands before a %s%s, %llu byte%s:", Who, Access->Processor, VfKindOf(Access), What,
           Access->Bytes, Access->Bytes == 1 ? "" : "s");
}

/* The user says that it is meant (--benign). */
static BOOLEAN VfIsBenign(UINT64 Address)
{
    PMI_IMAGE Image = KiDoor->benigns ? MmImageOf(Address) : NULL;

    for (ULONG i = 0; Image && i < KiDoor->benigns; i++) {
        const struct door_benign *Benign = &KiDoor->benign[i];
        if (!strcmp(Benign->image, Image->Name) && Address - Image->Base >= Benign->low &&
            Address - Image->Base < Benign->high)
            return TRUE;
    }
    return FALSE;
}

/* "The memory is 'Count' and holds 0x3." */
static VOID VfNoteMemory(const VF_ACCESS *Access)
{
    UINT64 Value = 0;

    if (Access->Bytes > 8 || !MmIsAddressValid((PVOID)Access->Address) ||
        !MmIsAddressValid((PVOID)(Access->Address + Access->Bytes - 1))) {
        VfNote(DOOR_NOTE_OBJECT, 0, (PVOID)Access->Address, NULL, "The memory is %%o.");
        return;
    }
    memcpy(&Value, (PVOID)Access->Address, Access->Bytes);
    VfNote(DOOR_NOTE_OBJECT, 0, (PVOID)Access->Address, NULL, "The memory is %%o and holds 0x%llx until then.", Value);
}

static VOID VfReportRace(const VF_ACCESS *Now, const VF_ACCESS *Before, PCSTR Harm)
{
    VfFinding("race.data", 0xC4, 0x3D, Now->Address, VfPlaceOf(Before), VfPlaceOf(Now));
    VfSubject("memory");
    VfText("two threads of execution are at the same memory at the same time%s%s", Harm ? ": " : "", Harm ? Harm : "");
    VfNoteAccess(DOOR_NOTE_CALLER, Now, "One");
    VfNoteAccess(DOOR_NOTE_OTHER, Before, "The other");
    VfNoteMemory(Now);
    VfCommit();
}

static VOID VfLookForRace(const VF_ACCESS *Now)
{
    for (PVF_ACCESS Other = VfStanding; Other; Other = Other->Next) {
        PCSTR Harm;

        if (Other->Address >= Now->Address + Now->Bytes || Now->Address >= Other->Address + Other->Bytes)
            continue;
        if (!(IS(Now, WRITE) || IS(Other, WRITE)) || (IS(Now, ATOMIC) && IS(Other, ATOMIC)))
            continue;
        Harm = VfHarm(Now, Other);
        if ((Harm || KiDoor->races == DOOR_RACES_ALL) && !VfIsBenign(Now->Address) && !VfIsBenign(VfPlaceOf(Now)) &&
            !VfIsBenign(VfPlaceOf(Other)))
            VfReportRace(Now, Other, Harm);
    }
}

/* ---- The access -------------------------------------------------------------------------------------------------- */

/* A loop would make a point of each round. */
static BOOLEAN VfIsPoint(UINT64 Site)
{
    ULONG i = (ULONG)(Site * 0x9e3779b97f4a7c15ull >> 52);
    C_ASSERT(VF_SITES == 1 << (64 - 52));

    if (VfSite[i].Site != Site) {
        VfSite[i].Site = Site;
        VfSite[i].Visits = 0;
    }
    VfSite[i].Visits++;
    return VfSite[i].Visits <= VF_SITE_VISITS || !(VfSite[i].Visits & (VfSite[i].Visits - 1));
}

VOID VfForgetAccesses(VOID)
{
    RtlZeroMemory(VfSite, sizeof(VfSite));
}

/* From KiPatchedAccess: the driver is about to carry out the instruction that Site describes, at Address. */
VOID VfAccess(const struct door_access *Site, UINT64 Address, PCONTEXT Context)
{
    PKI_PROCESSOR Processor = KiProcessor();
    PVF_ACCESS *Link;
    VF_ACCESS Here = {.Site = Site, .Address = Address, .Bytes = Site->bytes, .Context = Context};

    if (IS(&Here, REPEATED))
        Here.Bytes *= Context->Rcx;
    if (Here.Bytes && KiDoor->races) {
        Here.Callback = VfCurrentCallback();
        Here.Processor = Processor->Number;
        VfLookForRace(&Here);
    }
    if (!VfIsPoint((UINT64)Site)) {
        Processor->Budget = 1;
        return;
    }
    Here.Next = VfStanding;
    VfStanding = &Here;
    KiDeliver();
    for (Link = &VfStanding; *Link != &Here; Link = &(*Link)->Next)
        ;
    *Link = Here.Next;
}
