/*
 * What drivers have handed to the kernel and must not take away: set timers, queued work items, initialised lookaside
 * lists, registered callbacks. Found by address, and by the page they lie in, so that freeing memory can ask cheaply.
 *
 * Queued DPCs are not entered here: the DPC queues, nearly always empty, are looked through instead.
 */
#include "nt.h"

typedef struct _VF_OBJECT {
    struct _VF_OBJECT *NextByAddress, *NextInPage;
    struct _VF_OBJECT **LinkInPage; /* what points at it: a page may hold many objects */
    PVOID Object;
    PVOID Routine;
    ULONG Bytes;
    ULONG Stack;
    UCHAR Kind;
} VF_OBJECT, *PVF_OBJECT;

static PVF_OBJECT *VfByAddress, *VfByPage;
static ULONG VfBuckets, VfObjects;
static PVF_OBJECT VfFree;

VF_PAGE VfPages[VF_PAGES];
ULONG VfObjectsOnStacks, VfDpcsOnStacks;

static const struct {
    PCSTR Name;  /* "timer %o" */
    PCSTR State; /* "is still set" */
    PCSTR Past;  /* "was set at:" */
    PCSTR Rule;
    ULONG Code, SubCode;
} VfKinds[] = {
    [VfTimer] = {"timer", "is still set", "It was set at:", "unload.timer", 0xC7, 0},
    [VfDpc] = {"DPC", "is still queued", "It was queued at:", "unload.dpc", 0xC7, 1},
    [VfTimerDpc] = {"DPC", "belongs to a timer that is still set", "The timer was set at:", "unload.timer", 0xC7, 1},
    [VfWorkItem] = {"work item", "is still queued", "It was queued at:", "unload.workitem", 0xE4, 0},
    [VfRunningItem] = {"work item", "still runs", "It was queued at:", "unload.workitem", 0xCE, 0},
    [VfLookaside] = {"lookaside list", "has not been deleted", "It was initialised at:", "unload.lookaside", 0xC4,
                     0xD2},
    [VfResource] = {"resource", "has not been deleted", "It was initialised at:", "unload.resource", 0xC4, 0xD2},
    [VfThread] = {"system thread", "still runs", "It was created at:", "unload.thread", 0xCE, 0},
    [VfInterrupt] = {"interrupt", "is still connected", "It was connected at:", "unload.interrupt", 0xCE, 0},
    [VfDmaAdapter] = {"DMA adapter", "has not been given back", "It was got at:", "unload.dma-adapter", 0xE6, 0},
    [VfExTimer] = {"timer", "has not been deleted", "It was allocated at:", "unload.ex-timer", 0xC7, 0},
    [VfCallbackObject] = {"callback", "is still registered", "It was registered at:", "unload.callback", 0xC4, 0xDA},
};

static ULONG VfHash(UINT64 Value)
{
    return (ULONG)((Value * 0x9e3779b97f4a7c15ull) >> 32) & (VfBuckets - 1);
}

static PVF_OBJECT *VfAddressBucket(PVOID Object)
{
    return &VfByAddress[VfHash((UINT64)Object >> 3)];
}

static PVF_OBJECT *VfPageBucket(PVOID Object)
{
    return &VfByPage[VfHash((UINT64)Object >> 12)];
}

static VOID VfEnterTables(PVF_OBJECT Entry)
{
    PVF_OBJECT *ByAddress = VfAddressBucket(Entry->Object), *ByPage = VfPageBucket(Entry->Object);

    Entry->NextByAddress = *ByAddress;
    *ByAddress = Entry;
    Entry->NextInPage = *ByPage;
    Entry->LinkInPage = ByPage;
    if (*ByPage)
        (*ByPage)->LinkInPage = &Entry->NextInPage;
    *ByPage = Entry;
}

static VOID VfGrow(VOID)
{
    PVF_OBJECT *Old = VfByAddress;
    ULONG OldBuckets = VfBuckets;

    VfBuckets = OldBuckets ? OldBuckets * 4 : 256;
    if (Old)
        ExpFree(VfByPage);
    VfByAddress = ExpAllocate(VfBuckets * sizeof(PVOID), 'jbOV');
    VfByPage = ExpAllocate(VfBuckets * sizeof(PVOID), 'jbOV');
    RtlZeroMemory(VfByAddress, VfBuckets * sizeof(PVOID));
    RtlZeroMemory(VfByPage, VfBuckets * sizeof(PVOID));
    for (ULONG i = 0; i < OldBuckets; i++) {
        for (PVF_OBJECT Entry = Old[i], Next; Entry; Entry = Next) {
            Next = Entry->NextByAddress;
            VfEnterTables(Entry);
        }
    }
    if (Old)
        ExpFree(Old);
}

static PVF_OBJECT VfNewEntry(VOID)
{
    PVF_OBJECT Entry = VfFree;

    if (!Entry) {
        Entry = ExpAllocate(64 * sizeof(VF_OBJECT), 'jbOV');
        for (ULONG i = 1; i < 64; i++) {
            Entry[i].NextByAddress = VfFree;
            VfFree = &Entry[i];
        }
        return Entry;
    }
    VfFree = Entry->NextByAddress;
    return Entry;
}

static PVF_OBJECT VfFind(PVOID Object)
{
    PVF_OBJECT Entry = VfBuckets ? *VfAddressBucket(Object) : NULL;

    while (Entry && Entry->Object != Object)
        Entry = Entry->NextByAddress;
    return Entry;
}

VOID VfTrack(PVOID Object, ULONG Bytes, VF_OBJECT_KIND Kind, PVOID Routine, ULONG Stack)
{
    PVF_OBJECT Entry = VfFind(Object);

    if (!Entry) {
        if (VfObjects == VfBuckets)
            VfGrow();
        Entry = VfNewEntry();
        Entry->Object = Object;
        VfEnterTables(Entry);
        VfObjects++;
        VfPageOf(Object)->Objects++;
        if (MiIsStack((UINT64)Object))
            VfObjectsOnStacks++;
    }
    Entry->Bytes = Bytes;
    Entry->Kind = (UCHAR)Kind;
    Entry->Routine = Routine;
    Entry->Stack = Stack;
}

VOID VfUntrack(PVOID Object, VF_OBJECT_KIND Kind)
{
    PVF_OBJECT *Link, Entry = VfFind(Object);

    if (!Entry || Entry->Kind != Kind)
        return;
    for (Link = VfAddressBucket(Object); *Link != Entry; Link = &(*Link)->NextByAddress)
        ;
    *Link = Entry->NextByAddress;
    *Entry->LinkInPage = Entry->NextInPage;
    if (Entry->NextInPage)
        Entry->NextInPage->LinkInPage = Entry->LinkInPage;
    Entry->NextByAddress = VfFree;
    VfFree = Entry;
    VfObjects--;
    VfPageOf(Object)->Objects--;
    if (MiIsStack((UINT64)Object))
        VfObjectsOnStacks--;
}

BOOLEAN VfIsTracked(PVOID Object)
{
    return VfFind(Object) != NULL;
}

ULONG VfTrackedStack(PVOID Object)
{
    PVF_OBJECT Entry = VfFind(Object);

    return Entry ? Entry->Stack : 0;
}

/* The first object that touches [Start, Start + Bytes); one may begin in the page before. */
static PVF_OBJECT VfFindInRange(UINT64 Start, UINT64 Bytes)
{
    if (!VfObjects)
        return NULL;
    for (UINT64 Page = (Start >> 12) - 1; Page <= (Start + Bytes - 1) >> 12; Page++) {
        for (PVF_OBJECT Entry = VfByPage[VfHash(Page)]; Entry; Entry = Entry->NextInPage) {
            UINT64 Object = (UINT64)Entry->Object;
            if (Object < Start + Bytes && Object + Entry->Bytes > Start)
                return Entry;
        }
    }
    return NULL;
}

/* The object cannot be left in the kernel's queues when its memory is gone: take it out as its owner should have. */
static VOID VfWithdraw(PVF_OBJECT Entry)
{
    PVOID Object = Entry->Object;

    if (Entry->Kind == VfTimer)
        KiRemoveTimer(Object);
    else if (Entry->Kind == VfTimerDpc)
        KiForgetTimerDpc(Object);
    else if (Entry->Kind == VfWorkItem)
        ExpWithdrawWorkItem(Object);
    VfUntrack(Object, Entry->Kind);
}

static VOID VfReportGone(PVF_OBJECT Entry, PCSTR Rule, ULONG Code, UINT64 P1, PCSTR Format, PCSTR Argument)
{
    CHAR Text[128];

    RtlpFormat(Text, sizeof(Text), Format, Argument);
    VfFinding(Rule, Code, P1, (UINT64)Entry->Object, (UINT64)Entry->Routine, 0);
    VfSubject(VfKinds[Entry->Kind].Name);
    VfText("%s while the %s in it %s", Text, VfKinds[Entry->Kind].Name, VfKinds[Entry->Kind].State);
    VfNoteCaller(NULL);
    if (MmImageOf((UINT64)Entry->Object)) /* it has a name */
        VfNote(DOOR_NOTE_OBJECT, Entry->Stack, Entry->Object, NULL, "The %s is %%o. %s", VfKinds[Entry->Kind].Name,
               VfKinds[Entry->Kind].Past);
    else
        VfNote(DOOR_NOTE_OBJECT, Entry->Stack, NULL, NULL, "%s", VfKinds[Entry->Kind].Past);
    VfCommit();
}

/* Memory with an object that threads wait for: they wait for ever. Routine: the one to blame, if it has returned already. */
static VOID VfWaitersLose(UINT64 Start, UINT64 Bytes, PCSTR Rule, PCSTR What, PCSTR Why, PVOID Routine)
{
    UINT64 Frame = (UINT64)Routine + 1; /* frames are return addresses */
    PVOID Object;
    PKTHREAD Thread = KiFindWaiter(Start, Bytes, &Object);
    CONTEXT Context; /* only what a walk needs is set */

    if (!Thread)
        return;
    KiWaitingContext(Thread, &Context);
    VfFinding(Rule, 0xC4, 0x93, (UINT64)Object, (UINT64)Thread, 0);
    VfSubject("event");
    VfText("%s is %s while a thread waits for an object in it", What, Why);
    if (Routine)
        VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), NULL, NULL, "");
    else
        VfNoteCaller(NULL);
    if (MmImageOf((UINT64)Object)) /* it has a name */
        VfNote(DOOR_NOTE_OBJECT, 0, Object, NULL, "The object is %%o.");
    VfNote(DOOR_NOTE_OTHER, VfCaptureStackFrom(&Context), NULL, NULL, "The thread waits at:");
    VfCommit();
}

VOID VfObjectsGo(UINT64 Start, UINT64 Bytes, PCSTR Why, VF_PAGE Here)
{
    PVF_OBJECT Entry;
    PKDPC Dpc;
    ULONG Stack;

    if (Here.Edges)
        VfLocksGo(Start, Bytes);
    while (Here.Objects && (Entry = VfFindInRange(Start, Bytes)) != NULL) {
        VfReportGone(Entry, "object.freed-in-use", VfKinds[Entry->Kind].Code, VfKinds[Entry->Kind].SubCode,
                     "memory is %s", Why);
        VfWithdraw(Entry);
    }
    while (Here.Dpcs && (Dpc = KiFindQueuedDpc(Start, Bytes, FALSE, &Stack)) != NULL) {
        VF_OBJECT Queued = {.Object = Dpc, .Routine = (PVOID)Dpc->DeferredRoutine, .Stack = Stack, .Kind = VfDpc};
        VfReportGone(&Queued, "object.freed-in-use", 0xC7, 1, "memory is %s", Why);
        KeRemoveQueueDpc(Dpc);
    }
    if (Here.Waits)
        VfWaitersLose(Start, Bytes, "object.freed-in-use", "memory", Why, NULL);
}

static VOID VfReportStackGone(PVF_OBJECT Entry, PVF_CALLBACK Callback)
{
    UINT64 Routine = (UINT64)Callback->Routine + 1; /* frames are return addresses */

    VfFinding("object.stack-gone", VfKinds[Entry->Kind].Code, VfKinds[Entry->Kind].SubCode, (UINT64)Entry->Object,
              (UINT64)Entry->Routine, 0);
    VfSubject(VfKinds[Entry->Kind].Name);
    VfText("a %s lies on the stack of a routine that has returned, and %s", VfKinds[Entry->Kind].Name,
           VfKinds[Entry->Kind].State);
    VfNote(DOOR_NOTE_CALLER, VfStackOf(&Routine, 1), Callback->Object, Callback->What, "");
    VfNote(DOOR_NOTE_OBJECT, Entry->Stack, NULL, NULL, "%s", VfKinds[Entry->Kind].Past);
    VfCommit();
    /* Our own frames lie where it was: the queue it is linked into can't be walked any more. */
    if (Entry->Kind == VfTimer || Entry->Kind == VfDpc || Entry->Kind == VfWorkItem)
        VfContinueIsImpossible();
}

/* A callback has returned: what lay on the stack below its frame is gone. */
VOID VfStackGoes(UINT64 Frame, PVF_CALLBACK Callback)
{
    UINT64 Bottom = (Frame & ~(DOOR_STACK_SLOT - 1));
    PVF_OBJECT Entry;
    PKDPC Dpc;
    ULONG Stack;

    while (VfObjectsOnStacks && (Entry = VfFindInRange(Bottom, Frame - Bottom)) != NULL) {
        VfReportStackGone(Entry, Callback);
        VfWithdraw(Entry);
    }
    while (VfDpcsOnStacks && (Dpc = KiFindQueuedDpc(Bottom, Frame - Bottom, FALSE, &Stack)) != NULL) {
        VF_OBJECT Queued = {.Object = Dpc, .Routine = (PVOID)Dpc->DeferredRoutine, .Stack = Stack, .Kind = VfDpc};
        VfReportStackGone(&Queued, Callback);
    }
}

/* Worker threads that are inside a routine of the image; a driver's own threads are entered as objects. */
static BOOLEAN VfReportRunning(UINT64 Base, UINT64 Bytes, PCSTR Name)
{
    BOOLEAN Any = FALSE;

    for (PKTHREAD Thread = PspNextThread(NULL); Thread; Thread = PspNextThread(Thread)) {
        for (PVF_CALLBACK Callback = VfIntact(Thread->Callback); Callback; Callback = VfIntact(Callback->Outer)) {
            VF_OBJECT Running = {.Object = Callback->Object,
                                 .Routine = Callback->Routine,
                                 .Stack = Callback->Stack,
                                 .Kind = VfRunningItem};
            if ((UINT64)Callback->Routine - Base >= Bytes || strcmp(Callback->Contract, "WORKER_THREAD_ROUTINE"))
                continue;
            VfReportGone(&Running, "unload.workitem", 0xCE, (UINT64)Callback->Routine, "%s is unloaded", Name);
            Any = TRUE;
        }
    }
    return Any;
}

static BOOLEAN VfReportThreads(UINT64 Base, UINT64 Bytes, PCSTR Name)
{
    BOOLEAN Any = FALSE;

    for (PKTHREAD Tcb = PspNextThread(NULL); Tcb; Tcb = PspNextThread(Tcb)) {
        PETHREAD Thread = CONTAINING_RECORD(Tcb, ETHREAD, Tcb);
        VF_OBJECT Running = {
            .Object = Thread, .Routine = (PVOID)Thread->StartRoutine, .Stack = Tcb->CreatedBy, .Kind = VfThread};
        if ((UINT64)Running.Routine - Base >= Bytes || Tcb->SystemThread || Thread->ExitTime.QuadPart)
            continue;
        VfReportGone(&Running, VfKinds[VfThread].Rule, VfKinds[VfThread].Code, VfKinds[VfThread].SubCode,
                     "%s is unloaded", Name);
        Any = TRUE;
    }
    return Any;
}

VOID VfImageGoes(UINT64 Base, UINT64 Bytes, PCSTR Name, PVOID Unload)
{
    VfLocksGo(Base, Bytes);
    BOOLEAN Own = VfReportRunning(Base, Bytes, Name);
    ULONG Stack;
    PKDPC Dpc;

    Own |= VfReportThreads(Base, Bytes, Name);
    if (!Own) /* or it is its own thread that waits */
        VfWaitersLose(Base, Bytes, "unload.event", Name, "unloaded", Unload);
    for (ULONG i = 0; i < VfBuckets; i++) {
        for (PVF_OBJECT Entry = VfByAddress[i], Next; Entry; Entry = Next) {
            Next = Entry->NextByAddress;
            if ((UINT64)Entry->Object - Base >= Bytes && (UINT64)Entry->Routine - Base >= Bytes)
                continue;
            VfReportGone(Entry, VfKinds[Entry->Kind].Rule, VfKinds[Entry->Kind].Code, VfKinds[Entry->Kind].SubCode,
                         "%s is unloaded", Name);
            VfWithdraw(Entry);
        }
    }
    while ((Dpc = KiFindQueuedDpc(Base, Bytes, FALSE, &Stack)) || (Dpc = KiFindQueuedDpc(Base, Bytes, TRUE, &Stack))) {
        VF_OBJECT Queued = {.Object = Dpc, .Routine = (PVOID)Dpc->DeferredRoutine, .Stack = Stack, .Kind = VfDpc};
        VfReportGone(&Queued, "unload.dpc", 0xCE, (UINT64)Dpc, "%s is unloaded", Name);
        KeRemoveQueueDpc(Dpc);
    }
}
