/*
 * --build=free: events that five threads wait for, at PASSIVE_LEVEL and APC_LEVEL: who is woken by which routine, in which order, with
 * which priority; timers and DPCs made at HIGH_LEVEL; resources where a checked build stops. (docs: KeSetEvent, KePulseEvent,
 * KeInitializeTimerEx, KeInsertQueueDpc, ExConvertExclusiveToSharedLite)
 */
#include "check.h"

#define WAITERS 5

typedef LONG NTAPI SIGNAL(PRKEVENT, KPRIORITY, BOOLEAN);

static KEVENT Event;
static struct {
    PVOID Thread;
    volatile BOOLEAN Waits;
} Waiter[WAITERS];

static VOID Wait(PVOID Context)
{
    CHECK_IRQL(PASSIVE_LEVEL);
    *(volatile BOOLEAN *)Context = TRUE;
    CHECK_IS(WaitFor(&Event), STATUS_SUCCESS);
    CHECK_IRQL(PASSIVE_LEVEL);
}

/* Those that still wait, from First on, stand in the event's list in the order in which they came. */
static void Queued(ULONG First, LONG State)
{
    PLIST_ENTRY Entry = Event.Header.WaitListHead.Flink;

    CHECK_IS(KeReadStateEvent(&Event), State);
    for (ULONG i = First; i < WAITERS; i++) {
        CHECK(Entry != &Event.Header.WaitListHead);
        CHECK_IS(CONTAINING_RECORD(Entry, KWAIT_BLOCK, WaitListEntry)->Thread, Waiter[i].Thread);
        CHECK_IS(Entry->Flink->Blink, Entry);
        Entry = Entry->Flink;
    }
    CHECK_IS(Entry, &Event.Header.WaitListHead);
}

static KPRIORITY Boosted(KPRIORITY Increment)
{
    return Increment < 0 ? 8 : Increment > 7 ? 15 : 8 + Increment;
}

static void Waken(EVENT_TYPE Type, SIGNAL *Signal, KPRIORITY Increment, LONG After)
{
    BOOLEAN All = Type == NotificationEvent;

    KeInitializeEvent(&Event, Type, FALSE);
    for (ULONG i = 0; i < WAITERS; i++) {
        Waiter[i].Waits = FALSE;
        Waiter[i].Thread = StartThread(Wait, (PVOID)&Waiter[i].Waits);
        CHECK_IS(KeQueryPriorityThread(Waiter[i].Thread), 8);
        while (!Waiter[i].Waits)
            Sleep(1 * MS);
        Sleep(1 * MS);
    }
    for (ULONG i = 0; i < WAITERS; i++) {
        Queued(i, 0);
        CHECK_IS(Signal(&Event, Increment + (LONG)i, FALSE), 0);
        Queued(All ? WAITERS : i + 1, After);
        for (ULONG k = i; k < (All ? WAITERS : i + 1); k++) {
            CHECK_IS(WaitUpTo(Waiter[k].Thread, 100 * MS), STATUS_SUCCESS);
            CHECK_IS(KeQueryPriorityThread(Waiter[k].Thread), Boosted(Increment + (LONG)i));
            ObDereferenceObject(Waiter[k].Thread);
        }
        if (All)
            return;
        if (i + 1 < WAITERS)
            CHECK_IS(WaitUpTo(Waiter[i + 1].Thread, 1 * MS), STATUS_TIMEOUT);
    }
}

TEST(an_event_wakes_its_waiters_in_order_with_its_increment)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= APC_LEVEL; Level++) {
        KIRQL Old = KfRaiseIrql(Level);

        for (KPRIORITY Increment = -1; Increment <= 8; Increment++) {
            Waken(NotificationEvent, KeSetEvent, Increment, 1);
            Waken(SynchronizationEvent, KeSetEvent, Increment, 0);
            Waken(NotificationEvent, KePulseEvent, Increment, 0);
            Waken(SynchronizationEvent, KePulseEvent, Increment, 0);
            CHECK_IRQL(Level);
        }
        KeLowerIrql(Old);
    }
}

/* ---- Hand in hand: who is woken with a higher priority runs before its waker goes on --------------------------------- */

#define ROUNDS 1000

static struct {
    KEVENT Event, Ready;
    volatile ULONG Counter;
    ULONG Seen[ROUNDS];
    KPRIORITY Increment;
} Count;

static VOID Counting(PVOID Context)
{
    KeSetSystemAffinityThread(1); /* both on one processor */
    for (ULONG i = 0; i < ROUNDS; i++) {
        KeSetEvent(&Count.Ready, IO_NO_INCREMENT, TRUE);
        WaitFor(&Count.Event);
        Count.Seen[i] = Count.Counter;
    }
    CHECK_IS(KeQueryPriorityThread(KeGetCurrentThread()), Boosted(Count.Increment));
}

TEST(a_boosted_thread_runs_before_its_waker_goes_on)
{
    ULONG Wrong;
    PVOID Thread;

    KeSetSystemAffinityThread(1);
    for (Count.Increment = 0; Count.Increment <= 8; Count.Increment++) {
        KeInitializeEvent(&Count.Event, SynchronizationEvent, FALSE);
        KeInitializeEvent(&Count.Ready, SynchronizationEvent, FALSE);
        Count.Counter = 0;
        Thread = StartThread(Counting, NULL);
        for (ULONG i = 1; i <= ROUNDS; i++) {
            CHECK_IS(WaitFor(&Count.Ready), STATUS_SUCCESS);
            CHECK_IS(KeSetEvent(&Count.Event, Count.Increment, FALSE), 0);
            Count.Counter = i;
        }
        CHECK_IS(KeQueryPriorityThread(KeGetCurrentThread()), 8);
        EndThread(Thread);
        Wrong = 0;
        for (ULONG i = 0; i < ROUNDS; i++)
            Wrong += Count.Seen[i] != i && (Count.Increment || Count.Seen[i] != i + 1);
        CHECK_IS(Wrong, 0);
    }
    KeRevertToUserAffinityThread();
}

/* ---- HIGH_LEVEL ---------------------------------------------------------------------------------------------------- */

static VOID NeverRuns(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHECK(!"a DPC that was taken back ran");
}

TEST(timers_and_dpcs_are_made_at_high_level)
{
    KIRQL Old = KfRaiseIrql(HIGH_LEVEL);
    KTIMER Timer;
    KDPC Dpc;

    for (TIMER_TYPE Type = NotificationTimer; Type <= SynchronizationTimer; Type++) {
        RtlFillMemory(&Timer, sizeof(Timer), 0x55);
        KeInitializeTimerEx(&Timer, Type);
        CHECK_IS(Timer.Header.Type, 8 + Type);
        CHECK(!KeReadStateTimer(&Timer) && IsListEmpty(&Timer.Header.WaitListHead));
        CHECK_IRQL(HIGH_LEVEL);
    }
    KeInitializeDpc(&Dpc, NULL, NULL);
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    CHECK(KeRemoveQueueDpc(&Dpc));
    KeInitializeDpc(&Dpc, NeverRuns, NULL);
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    CHECK(!KeInsertQueueDpc(&Dpc, NULL, NULL));
    CHECK(KeRemoveQueueDpc(&Dpc));
    CHECK(!KeRemoveQueueDpc(&Dpc));
    KeLowerIrql(Old);
}

/* ---- Resources ----------------------------------------------------------------------------------------------------- */

NTKERNELAPI PVOID NTAPI ExEnterCriticalRegionAndAcquireResourceShared(PERESOURCE);
NTKERNELAPI PVOID NTAPI ExEnterCriticalRegionAndAcquireResourceExclusive(PERESOURCE);
NTKERNELAPI PVOID NTAPI ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(PERESOURCE);
NTKERNELAPI VOID FASTCALL ExReleaseResourceAndLeaveCriticalRegion(PERESOURCE);

static ERESOURCE Resource;

static void ResourceIs(BOOLEAN Exclusive, ULONG Count)
{
    CHECK_IS(ExIsResourceAcquiredExclusiveLite(&Resource), Exclusive);
    CHECK_IS(ExIsResourceAcquiredSharedLite(&Resource), Count);
    CHECK_IS(ExGetExclusiveWaiterCount(&Resource), 0);
    CHECK_IS(ExGetSharedWaiterCount(&Resource), 0);
}

static void ShortCuts(KIRQL Level)
{
    KIRQL Old = KfRaiseIrql(Level);

    CHECK_IS(ExEnterCriticalRegionAndAcquireResourceShared(&Resource), NULL); /* the thread's window, as it has none */
    CHECK_IS(ExEnterCriticalRegionAndAcquireResourceShared(&Resource), NULL);
    ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(&Resource);
    for (ULONG i = 3; i; i--) {
        ResourceIs(FALSE, i);
        CHECK(KeAreApcsDisabled());
        CHECK_IS(KeAreAllApcsDisabled(), Level >= APC_LEVEL);
        ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    }
    CHECK(!KeAreApcsDisabled());
    CHECK_IS(ExEnterCriticalRegionAndAcquireResourceExclusive(&Resource), NULL);
    CHECK_IS(ExEnterCriticalRegionAndAcquireResourceExclusive(&Resource), NULL);
    ResourceIs(TRUE, 2);
    ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    ResourceIs(TRUE, 1);
    CHECK(KeAreApcsDisabled());
    ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    ResourceIs(FALSE, 0);
    CHECK(!KeAreApcsDisabled());
    CHECK_IRQL(Level);
    KeLowerIrql(Old);
}

TEST(a_resource_is_made_and_used_where_a_checked_build_stops)
{
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);
    ULONG Count = 0;

    CHECK_IS(ExInitializeResourceLite(&Resource), STATUS_SUCCESS);
    KeLowerIrql(APC_LEVEL);
    CHECK_IS(ExDeleteResourceLite(&Resource), STATUS_SUCCESS);
    KeLowerIrql(Old);
    RtlFillMemory(&Resource, sizeof(Resource), 0x55);
    CHECK_IS(ExInitializeResourceLite(&Resource), STATUS_SUCCESS);
    CHECK_IS(Resource.SystemResourcesList.Flink->Blink, &Resource.SystemResourcesList);
    CHECK_IS(Resource.SystemResourcesList.Blink->Flink, &Resource.SystemResourcesList);
    CHECK(!Resource.ActiveCount && !Resource.Flag && !Resource.ContentionCount && !Resource.SpinLock);
    CHECK(!Resource.NumberOfSharedWaiters && !Resource.NumberOfExclusiveWaiters);
    KeEnterCriticalRegion();
    CHECK(ExAcquireResourceSharedLite(&Resource, FALSE) && ++Count);
    CHECK(ExAcquireSharedStarveExclusive(&Resource, TRUE) && ++Count);
    CHECK(ExAcquireSharedWaitForExclusive(&Resource, TRUE) && ++Count);
    CHECK(!ExAcquireResourceExclusiveLite(&Resource, FALSE));
    ExConvertExclusiveToSharedLite(&Resource); /* it is shared already */
    ResourceIs(FALSE, Count);
    while (Count--)
        ExReleaseResourceLite(&Resource);
    for (Count = 0; Count < 4;)
        CHECK(ExAcquireResourceExclusiveLite(&Resource, TRUE) && ++Count);
    CHECK(ExAcquireResourceSharedLite(&Resource, FALSE) && ++Count);
    ResourceIs(TRUE, Count);
    ExConvertExclusiveToSharedLite(&Resource);
    ResourceIs(FALSE, Count);
    while (Count--)
        ExReleaseResourceLite(&Resource);
    CHECK(ExAcquireResourceExclusiveLite(&Resource, FALSE));
    ExSetResourceOwnerPointer(&Resource, (PVOID)3);
    ExReleaseResourceForThreadLite(&Resource, 3);
    KeLeaveCriticalRegion();
    ResourceIs(FALSE, 0);
    ShortCuts(PASSIVE_LEVEL);
    ShortCuts(APC_LEVEL);
    CHECK_IS(ExReinitializeResourceLite(&Resource), STATUS_SUCCESS);
    ResourceIs(FALSE, 0);
    CHECK_IS(ExDeleteResourceLite(&Resource), STATUS_SUCCESS);
}

CHECK_DRIVER(T(an_event_wakes_its_waiters_in_order_with_its_increment),
             T(a_boosted_thread_runs_before_its_waker_goes_on), T(timers_and_dpcs_are_made_at_high_level),
             T(a_resource_is_made_and_used_where_a_checked_build_stops))
