/*
 * Executive resources (ERESOURCE): owned exclusively by one thread, or shared by many; owners may acquire again.
 *
 * Who gets it: an exclusive owner's last release lets in all that wait to share, and only if there are none the first
 * that waits exclusively; the last sharer's release lets in the first that waits exclusively. A new sharer queues
 * behind waiting exclusives, except by ExAcquireSharedStarveExclusive. (docs: "Introduction to ERESOURCE Routines")
 *
 * The public layout is kept as far as drivers look at it. The two waiter fields hold chains of the waiters' own blocks,
 * on their stacks, oldest first; ownership is handed over by the releaser, so a waiter that wakes is an owner.
 *
 * DIFFERS: owners' priorities are not boosted, hence ExDisableResourceBoostLite changes nothing.
 */
#include "nt.h"

C_ASSERT(sizeof(ERESOURCE) == 104);

typedef struct _EX_RESOURCE_WAITER {
    struct _EX_RESOURCE_WAITER *Next;
    ERESOURCE_THREAD Owner;
    KEVENT Granted;
} EX_RESOURCE_WAITER, *PEX_RESOURCE_WAITER;

#define EX_TABLE_STEP 4
#define EX_TAG_TABLE 'boeR'

static inline ERESOURCE_THREAD ExpMe(VOID)
{
    return (ERESOURCE_THREAD)KeGetCurrentThread();
}

/* ---- Owners --------------------------------------------------------------------------------------------------------
 */

static POWNER_ENTRY ExpFindOwner(PERESOURCE Resource, ERESOURCE_THREAD Owner)
{
    if (Resource->OwnerEntry.OwnerThread == Owner && Resource->OwnerEntry.OwnerCount)
        return &Resource->OwnerEntry;
    if (Resource->OwnerTable && !(Resource->Flag & ResourceOwnedExclusive))
        for (ULONG i = 1; i < Resource->OwnerTable->TableSize; i++)
            if (Resource->OwnerTable[i].OwnerThread == Owner && Resource->OwnerTable[i].OwnerCount)
                return &Resource->OwnerTable[i];
    return NULL;
}

static POWNER_ENTRY ExpFreeOwner(PERESOURCE Resource)
{
    POWNER_ENTRY Old = Resource->OwnerTable, New;
    ULONG Size = Old ? Old->TableSize : 1;

    if (!Resource->OwnerEntry.OwnerCount)
        return &Resource->OwnerEntry;
    for (ULONG i = 1; i < Size; i++)
        if (!Old[i].OwnerCount)
            return &Old[i];
    New = ExpAllocate((Size + EX_TABLE_STEP) * sizeof(*New), EX_TAG_TABLE);
    for (ULONG i = 1; i < Size; i++)
        New[i] = Old[i];
    New->TableSize = Size + EX_TABLE_STEP;
    Resource->OwnerTable = New;
    if (Old)
        ExpFree(Old);
    return &New[Size];
}

static VOID ExpAddOwner(PERESOURCE Resource, ERESOURCE_THREAD Owner, BOOLEAN Exclusive)
{
    POWNER_ENTRY Entry = Exclusive ? &Resource->OwnerEntry : ExpFindOwner(Resource, Owner);

    if (!Exclusive && Entry) {
        Entry->OwnerCount++;
        return;
    }
    if (!Exclusive)
        Entry = ExpFreeOwner(Resource);
    Entry->OwnerThread = Owner;
    Entry->OwnerCount = 1;
    Resource->ActiveEntries++;
    Resource->ActiveCount = 1;
    if (Exclusive)
        Resource->Flag |= ResourceOwnedExclusive;
}

/* ---- Waiters -------------------------------------------------------------------------------------------------------
 */

static inline PEX_RESOURCE_WAITER *ExpChain(PERESOURCE Resource, BOOLEAN Exclusive)
{
    return (PEX_RESOURCE_WAITER *)(Exclusive ? (PVOID)&Resource->ExclusiveWaiters : (PVOID)&Resource->SharedWaiters);
}

static inline volatile ULONG *ExpWaiterCount(PERESOURCE Resource, BOOLEAN Exclusive)
{
    return Exclusive ? &Resource->NumberOfExclusiveWaiters : &Resource->NumberOfSharedWaiters;
}

static VOID ExpWaitFor(PERESOURCE Resource, BOOLEAN Exclusive)
{
    EX_RESOURCE_WAITER Waiter = {.Owner = ExpMe()};
    PEX_RESOURCE_WAITER *Link = ExpChain(Resource, Exclusive);

    KeInitializeEvent(&Waiter.Granted, SynchronizationEvent, FALSE);
    while (*Link)
        Link = &(*Link)->Next;
    *Link = &Waiter;
    ++*ExpWaiterCount(Resource, Exclusive);
    Resource->ContentionCount++;
    KeWaitForSingleObject(&Waiter.Granted, WrResource, KernelMode, FALSE, NULL);
}

/* The oldest waiter becomes an owner. Its block is gone once its event is set. */
static VOID ExpGrant(PERESOURCE Resource, BOOLEAN Exclusive)
{
    PEX_RESOURCE_WAITER *Chain = ExpChain(Resource, Exclusive), Waiter = *Chain;

    *Chain = Waiter->Next;
    --*ExpWaiterCount(Resource, Exclusive);
    ExpAddOwner(Resource, Waiter->Owner, Exclusive);
    KeSetEvent(&Waiter->Granted, EVENT_INCREMENT, FALSE);
}

static VOID ExpGrantShared(PERESOURCE Resource)
{
    for (ULONG Count = Resource->NumberOfSharedWaiters; Count; Count--)
        ExpGrant(Resource, FALSE);
}

/* ---- Findings ------------------------------------------------------------------------------------------------------
 */

static VOID ExpReportResource(PERESOURCE Resource, PCSTR Rule, ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4,
                              PCSTR Text)
{
    VfFinding(Rule, Code, P1, P2, P3, P4);
    VfSubject("ERESOURCE");
    VfText("%s", Text);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, VfTrackedStack(Resource), Resource, NULL, "The resource is %%o.");
    VfCommit();
}

/* docs: ExAcquireResourceExclusiveLite: normal kernel APCs are disabled by the caller, or the thread could be suspended
 * while it owns the resource. Windows asks this of threads that belong to user mode; nobody suspends the system's. */
static VOID ExpCheckAcquire(PERESOURCE Resource)
{
    PKTHREAD Thread = KeGetCurrentThread();
    KIRQL Irql = KeGetCurrentIrql();

    if ((UINT64)Resource & 7)
        ExpReportResource(Resource, "resource.misaligned", 0xC4, 0x3D, 0, 0, (UINT64)Resource,
                          "a resource is not aligned to 8 bytes");
    if (Irql < APC_LEVEL && !Thread->CombinedApcDisable && !PsIsSystemThread((PETHREAD)Thread))
        ExpReportResource(Resource, "resource.apcs-enabled", 0xC4, 0x37, Irql, Thread->CombinedApcDisable,
                          (UINT64)Resource, "a resource is acquired outside of a critical region");
}

/* ---- Acquire -------------------------------------------------------------------------------------------------------
 */

#undef ExAcquireResourceExclusiveLite
BOOLEAN NTAPI ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait)
{
    POWNER_ENTRY Mine = ExpFindOwner(Resource, ExpMe());

    ExpCheckAcquire(Resource);
    if (!Resource->ActiveEntries) {
        ExpAddOwner(Resource, ExpMe(), TRUE);
        return TRUE;
    }
    if (Mine && (Resource->Flag & ResourceOwnedExclusive)) {
        Mine->OwnerCount++;
        return TRUE;
    }
    if (!Wait)
        return FALSE;
    if (Mine) {
        ExpReportResource(Resource, "resource.shared-to-exclusive", 0xC4, 0x1000, (UINT64)Resource, 0, 0,
                          "a thread that shares a resource waits to own it exclusively: it waits for itself");
        VfContinueIsImpossible();
    }
    ExpWaitFor(Resource, TRUE);
    return TRUE;
}

BOOLEAN NTAPI ExTryToAcquireResourceExclusiveLite(PERESOURCE Resource)
{
    return ExAcquireResourceExclusiveLite(Resource, FALSE);
}

/* Behind: 0 = behind waiting exclusives unless it shares already, 1 = never, 2 = always. */
static BOOLEAN ExpAcquireShared(PERESOURCE Resource, BOOLEAN Wait, ULONG Behind)
{
    POWNER_ENTRY Mine = ExpFindOwner(Resource, ExpMe());
    BOOLEAN Exclusive = (Resource->Flag & ResourceOwnedExclusive) != 0;

    ExpCheckAcquire(Resource);
    if (Mine && (Exclusive || !Resource->NumberOfExclusiveWaiters || Behind != 2)) {
        Mine->OwnerCount++;
        return TRUE;
    }
    if (!Exclusive && (!Resource->NumberOfExclusiveWaiters || Behind == 1)) {
        ExpAddOwner(Resource, ExpMe(), FALSE);
        return TRUE;
    }
    if (!Wait)
        return FALSE;
    ExpWaitFor(Resource, FALSE);
    return TRUE;
}

#undef ExAcquireResourceSharedLite
BOOLEAN NTAPI ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait)
{
    return ExpAcquireShared(Resource, Wait, 0);
}

BOOLEAN NTAPI ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
    return ExpAcquireShared(Resource, Wait, 1);
}

BOOLEAN NTAPI ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
    return ExpAcquireShared(Resource, Wait, 2);
}

/* Those that begin a critical region return the thread's Win32 part, of which there is none here. */
PVOID NTAPI ExEnterCriticalRegionAndAcquireResourceExclusive(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(Resource, TRUE);
    return NULL;
}

PVOID NTAPI ExEnterCriticalRegionAndAcquireResourceShared(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExpAcquireShared(Resource, TRUE, 0);
    return NULL;
}

PVOID NTAPI ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExpAcquireShared(Resource, TRUE, 2);
    return NULL;
}

/* ---- Release -------------------------------------------------------------------------------------------------------
 */

static VOID ExpRelease(PERESOURCE Resource, ERESOURCE_THREAD Owner)
{
    POWNER_ENTRY Entry = ExpFindOwner(Resource, Owner);
    BOOLEAN Exclusive = (Resource->Flag & ResourceOwnedExclusive) != 0;

    if (!Entry) {
        /* RESOURCE_NOT_OWNED */
        ExpReportResource(Resource, "resource.not-owned", 0xE3, (UINT64)Resource, Owner, (UINT64)Resource->OwnerTable,
                          3, "a resource was released for a thread that does not own it");
        return;
    }
    if (--Entry->OwnerCount)
        return;
    Entry->OwnerThread = 0;
    if (--Resource->ActiveEntries)
        return;
    Resource->ActiveCount = 0;
    Resource->Flag &= (USHORT)~ResourceOwnedExclusive;
    if (Resource->NumberOfSharedWaiters && (Exclusive || !Resource->NumberOfExclusiveWaiters))
        ExpGrantShared(Resource);
    else if (Resource->NumberOfExclusiveWaiters)
        ExpGrant(Resource, TRUE);
}

#undef ExReleaseResourceLite
VOID FASTCALL ExReleaseResourceLite(PERESOURCE Resource)
{
    ExpRelease(Resource, ExpMe());
}

VOID NTAPI ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId)
{
    ExpRelease(Resource, ResourceThreadId);
}

VOID FASTCALL ExReleaseResourceAndLeaveCriticalRegion(PERESOURCE Resource)
{
    ExpRelease(Resource, ExpMe());
    KeLeaveCriticalRegion();
}

VOID NTAPI ExConvertExclusiveToSharedLite(PERESOURCE Resource)
{
    BOOLEAN Exclusive = (Resource->Flag & ResourceOwnedExclusive) && ExpFindOwner(Resource, ExpMe());

    if (!Exclusive && KiDoor->free_build) { /* only a checked build looks */
        VfRemark("a free build goes on: a resource is converted that is not owned exclusively");
    } else if (!Exclusive) {
        ExpReportResource(Resource, "resource.not-owned", 0xE3, (UINT64)Resource, ExpMe(), (UINT64)Resource->OwnerTable,
                          3, "a resource was converted by a thread that does not own it exclusively");
        return;
    }
    Resource->Flag &= (USHORT)~ResourceOwnedExclusive;
    ExpGrantShared(Resource);
}

/* ---- Queries and owner pointers ------------------------------------------------------------------------------------
 */

BOOLEAN NTAPI ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource)
{
    return (Resource->Flag & ResourceOwnedExclusive) && ExpFindOwner(Resource, ExpMe());
}

#undef ExIsResourceAcquiredSharedLite
ULONG NTAPI ExIsResourceAcquiredSharedLite(PERESOURCE Resource)
{
    POWNER_ENTRY Entry = ExpFindOwner(Resource, ExpMe());
    return Entry ? Entry->OwnerCount : 0;
}

ULONG NTAPI ExGetExclusiveWaiterCount(PERESOURCE Resource)
{
    return Resource->NumberOfExclusiveWaiters;
}

ULONG NTAPI ExGetSharedWaiterCount(PERESOURCE Resource)
{
    return Resource->NumberOfSharedWaiters;
}

VOID NTAPI ExDisableResourceBoostLite(PERESOURCE Resource)
{
    Resource->Flag |= 0x0008; /* as Windows marks it */
}

VOID NTAPI ExSetResourceOwnerPointer(PERESOURCE Resource, PVOID OwnerPointer)
{
    POWNER_ENTRY Entry = ExpFindOwner(Resource, ExpMe());

    if (Entry)
        Entry->OwnerThread = (ERESOURCE_THREAD)OwnerPointer;
}

VOID NTAPI ExSetResourceOwnerPointerEx(PERESOURCE Resource, PVOID OwnerPointer, ULONG Flags)
{
    ExSetResourceOwnerPointer(Resource, OwnerPointer);
}

/* ---- Beginning and end ---------------------------------------------------------------------------------------------
 */

NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource)
{
    if (VfIsTracked(Resource))
        ExpReportResource(Resource, "object.reinitialized-in-use", 0xC4, 0xD0, (UINT64)Resource, 0, 0,
                          "a resource was initialised that is in use already");
    __stosb((PUCHAR)Resource, 0, sizeof(*Resource));
    InitializeListHead(&Resource->SystemResourcesList);
    VfTrack(Resource, sizeof(*Resource), VfResource, NULL, VfCaptureStack());
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ExReinitializeResourceLite(PERESOURCE Resource)
{
    POWNER_ENTRY Table = Resource->OwnerTable;

    if (Resource->ActiveEntries)
        ExpReportResource(Resource, "resource.deleted-owned", 0xC4, 0x100B, (UINT64)Resource,
                          Resource->OwnerEntry.OwnerThread, 0,
                          "a resource was initialised anew while a thread owns it");
    if (Table)
        ExpFree(Table);
    __stosb((PUCHAR)Resource, 0, sizeof(*Resource));
    InitializeListHead(&Resource->SystemResourcesList);
    return STATUS_SUCCESS;
}

/* No page forbids that its only owner deletes a resource, and published file systems' libraries do. */
static BOOLEAN ExpIsWanted(PERESOURCE Resource)
{
    ULONG Mine = ExpFindOwner(Resource, ExpMe()) ? 1 : 0;

    return (ULONG)Resource->ActiveEntries > Mine || Resource->NumberOfSharedWaiters ||
           Resource->NumberOfExclusiveWaiters;
}

NTSTATUS NTAPI ExDeleteResourceLite(PERESOURCE Resource)
{
    if (!VfIsTracked(Resource)) {
        ExpReportResource(Resource, "object.not-initialized", 0xC4, 0xD1, (UINT64)Resource, 0, 0,
                          "a resource was deleted that is not initialised, or for the second time");
        return STATUS_INVALID_PARAMETER;
    }
    if (ExpIsWanted(Resource))
        ExpReportResource(Resource, "resource.deleted-owned", 0xC4, 0x100B, (UINT64)Resource,
                          Resource->OwnerEntry.OwnerThread, 0,
                          "a resource was deleted while another thread owns it or waits for it");
    if (Resource->OwnerTable)
        ExpFree(Resource->OwnerTable);
    Resource->OwnerTable = NULL;
    VfUntrack(Resource, VfResource);
    return STATUS_SUCCESS;
}
