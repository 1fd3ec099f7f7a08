/* Events: states, the order in which waiters go, and Wait = TRUE. */
#include "check.h"

TEST(initialize_sets_the_header)
{
    KEVENT Event;

    for (int Round = 0; Round < 4; Round++) {
        RtlFillMemory(&Event, sizeof(Event), 0x55);
        KeInitializeEvent(&Event, Round & 1 ? SynchronizationEvent : NotificationEvent, Round >= 2);
        CHECK_IS(Event.Header.Type, Round & 1);
        CHECK_IS(Event.Header.Size, sizeof(Event) / sizeof(ULONG));
        CHECK_IS(KeReadStateEvent(&Event), Round >= 2);
        CHECK(IsListEmpty(&Event.Header.WaitListHead));
    }
}

TEST(set_reset_clear_give_the_old_state)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        for (int Type = NotificationEvent; Type <= SynchronizationEvent; Type++) {
            KEVENT Event;
            KIRQL Old = KfRaiseIrql(Level);

            KeInitializeEvent(&Event, Type, FALSE);
            CHECK_IS(KeSetEvent(&Event, 0, FALSE), 0);
            CHECK_IRQL(Level);
            CHECK_IS(KeReadStateEvent(&Event), 1);
            CHECK_IS(KeSetEvent(&Event, 0, FALSE), 1);
            CHECK_IS(KeResetEvent(&Event), 1);
            CHECK_IS(KeReadStateEvent(&Event), 0);
            CHECK_IS(KeResetEvent(&Event), 0);
            KeSetEvent(&Event, 0, FALSE);
            KeClearEvent(&Event);
            CHECK_IS(KeReadStateEvent(&Event), 0);
            CHECK_IS(KePulseEvent(&Event, 0, FALSE), 0);
            CHECK_IS(KeReadStateEvent(&Event), 0);
            KeSetEvent(&Event, 0, FALSE);
            CHECK_IS(KePulseEvent(&Event, 0, FALSE), 1);
            CHECK_IS(KeReadStateEvent(&Event), 0);
            CHECK_IRQL(Level);
            KeLowerIrql(Old);
        }
    }
}

TEST(notification_event_stays_set_and_synchronization_event_does_not)
{
    KEVENT Event;

    KeInitializeEvent(&Event, NotificationEvent, TRUE);
    CHECK(Taken(&Event));
    CHECK(Taken(&Event));
    KeInitializeEvent(&Event, SynchronizationEvent, TRUE);
    CHECK(Taken(&Event));
    CHECK(!Taken(&Event));
}

/* ---- Waiters --------------------------------------------------------------------------------------------------------
 */

#define WAITERS 5
static KEVENT Gate, Ready;
static ULONG Woken, Order[WAITERS];

static VOID Waiter(PVOID Number)
{
    KeSetEvent(&Ready, 0, FALSE);
    CHECK_IS(WaitFor(&Gate), STATUS_SUCCESS);
    Order[Woken++] = (ULONG)(ULONG_PTR)Number;
}

/* Start the waiters so that they wait in the order of their numbers. */
static void StartWaiters(PVOID Thread[WAITERS], EVENT_TYPE Type)
{
    KeInitializeEvent(&Gate, Type, FALSE);
    KeInitializeEvent(&Ready, SynchronizationEvent, FALSE);
    Woken = 0;
    for (ULONG_PTR i = 0; i < WAITERS; i++) {
        Thread[i] = StartThread(Waiter, (PVOID)i);
        WaitFor(&Ready);
        Sleep(1 * MS);
    }
    CHECK_IS(Woken, 0);
}

TEST(synchronization_event_wakes_one_waiter_in_order_of_arrival)
{
    PVOID Thread[WAITERS];

    StartWaiters(Thread, SynchronizationEvent);
    for (ULONG i = 0; i < WAITERS; i++) {
        CHECK_IS(KeSetEvent(&Gate, 0, FALSE), 0);
        Sleep(1 * MS);
        CHECK_IS(Woken, i + 1);
        CHECK_IS(Order[i], i);
        CHECK_IS(KeReadStateEvent(&Gate), 0);
    }
    for (ULONG i = 0; i < WAITERS; i++)
        EndThread(Thread[i]);
}

TEST(notification_event_wakes_all_waiters_in_order_of_arrival)
{
    PVOID Thread[WAITERS];

    StartWaiters(Thread, NotificationEvent);
    KeSetEvent(&Gate, 0, FALSE);
    Sleep(1 * MS);
    CHECK_IS(Woken, WAITERS);
    if (KeQueryActiveProcessorCount(NULL) == 1) /* with several, each may run on one of its own */
        for (ULONG i = 0; i < WAITERS; i++)
            CHECK_IS(Order[i], i);
    CHECK_IS(KeReadStateEvent(&Gate), 1);
    for (ULONG i = 0; i < WAITERS; i++)
        EndThread(Thread[i]);
}

TEST(pulse_wakes_who_waits_and_leaves_the_event_reset)
{
    PVOID Thread[WAITERS];

    StartWaiters(Thread, NotificationEvent);
    CHECK_IS(KePulseEvent(&Gate, 0, FALSE), 0);
    CHECK_IS(KeReadStateEvent(&Gate), 0);
    Sleep(1 * MS);
    CHECK_IS(Woken, WAITERS);
    for (ULONG i = 0; i < WAITERS; i++)
        EndThread(Thread[i]);

    StartWaiters(Thread, SynchronizationEvent);
    for (ULONG i = 0; i < WAITERS; i++) {
        KePulseEvent(&Gate, 0, FALSE);
        Sleep(1 * MS);
        CHECK_IS(Woken, i + 1);
    }
    CHECK_IS(KeReadStateEvent(&Gate), 0);
    for (ULONG i = 0; i < WAITERS; i++)
        EndThread(Thread[i]);
}

/* ---- Wait = TRUE ----------------------------------------------------------------------------------------------------
 */

static KEVENT Ping, Pong;

static VOID Answer(PVOID Context)
{
    for (int i = 0; i < 100; i++) {
        WaitFor(&Ping);
        KeSetEvent(&Pong, 0, FALSE);
    }
}

/* Nothing can come between the setting and the wait; the level is DISPATCH_LEVEL in between. (docs: KeSetEvent) */
TEST(set_with_wait_stays_in_the_dispatcher_until_the_wait)
{
    PVOID Thread;

    KeInitializeEvent(&Ping, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Pong, SynchronizationEvent, FALSE);
    Thread = StartThread(Answer, NULL);
    for (int i = 0; i < 100; i++) {
        KeSetEvent(&Ping, 0, TRUE);
        CHECK_IRQL(DISPATCH_LEVEL);
        CHECK_IS(WaitFor(&Pong), STATUS_SUCCESS);
        CHECK_IRQL(PASSIVE_LEVEL);
    }
    EndThread(Thread);
}

TEST(set_with_wait_at_apc_level_comes_back_to_apc_level)
{
    PVOID Thread;
    KIRQL Old;

    KeInitializeEvent(&Ping, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Pong, SynchronizationEvent, FALSE);
    Thread = StartThread(Answer, NULL);
    Old = KfRaiseIrql(APC_LEVEL);
    for (int i = 0; i < 100; i++) {
        KeSetEvent(&Ping, 0, TRUE);
        WaitFor(&Pong);
        CHECK_IRQL(APC_LEVEL);
    }
    KeLowerIrql(Old);
    EndThread(Thread);
}

/* ---- Boosts ---------------------------------------------------------------------------------------------------------
 */

static KPRIORITY Seen;

static VOID PriorityWaiter(PVOID Context)
{
    WaitFor(&Gate);
    Seen = KeQueryPriorityThread(KeGetCurrentThread());
}

TEST(the_increment_raises_the_priority_of_who_was_woken)
{
    for (KPRIORITY Increment = 0; Increment <= 8; Increment++) {
        PVOID Thread;

        KeInitializeEvent(&Gate, SynchronizationEvent, FALSE);
        Thread = StartThread(PriorityWaiter, NULL);
        Sleep(1 * MS);
        KeSetEvent(&Gate, Increment, FALSE);
        EndThread(Thread);
        CHECK_IS(Seen, 8 + Increment > 15 ? 15 : 8 + Increment);
    }
}

CHECK_DRIVER(T(initialize_sets_the_header), T(set_reset_clear_give_the_old_state),
             T(notification_event_stays_set_and_synchronization_event_does_not),
             T(synchronization_event_wakes_one_waiter_in_order_of_arrival),
             T(notification_event_wakes_all_waiters_in_order_of_arrival),
             T(pulse_wakes_who_waits_and_leaves_the_event_reset),
             T(set_with_wait_stays_in_the_dispatcher_until_the_wait),
             T(set_with_wait_at_apc_level_comes_back_to_apc_level),
             T(the_increment_raises_the_priority_of_who_was_woken))
