/* Timers: both kinds, relative and absolute, one-shot and periodic, their order, their DPCs, cancelling. */
#include "check.h"

static ULONG Order[32], Runs;
static LONGLONG At[32];

static VOID NoteDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHECK_IRQL(DISPATCH_LEVEL);
    At[Runs & 31] = Now();
    Order[Runs++ & 31] = (ULONG)(ULONG_PTR)Context;
}

TEST(initialize_sets_the_header)
{
    KTIMER Timer;

    for (int Round = 0; Round < 2; Round++) {
        RtlFillMemory(&Timer, sizeof(Timer), 0x55);
        KeInitializeTimerEx(&Timer, Round ? SynchronizationTimer : NotificationTimer);
        CHECK_IS(Timer.Header.Type, Round ? 9 : 8);
        CHECK_IS(Timer.Header.SignalState, 0);
        CHECK_IS(Timer.Header.Size, 0); /* timers have flags in this byte */
        CHECK(IsListEmpty(&Timer.Header.WaitListHead));
        CHECK(!KeReadStateTimer(&Timer));
        CHECK_IS(Timer.Period, 0);
    }
}

TEST(timer_can_be_initialized_up_to_dispatch_level)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KTIMER Timer;
        KIRQL Old = KfRaiseIrql(Level);

        KeInitializeTimer(&Timer);
        CHECK_IS(Timer.Header.Type, 8);
        CHECK(!KeCancelTimer(&Timer));
        CHECK_IRQL(Level);
        KeLowerIrql(Old);
    }
}

TEST(relative_timer_is_signalled_exactly_when_due)
{
    KTIMER Timer;
    LONGLONG Start = Now();

    KeInitializeTimer(&Timer);
    CHECK(!KeSetTimer(&Timer, In(250 * MS), NULL));
    CHECK(!KeReadStateTimer(&Timer));
    CHECK_IS(WaitFor(&Timer), STATUS_SUCCESS);
    CHECK_IS(Now() - Start, 250 * MS);
    CHECK(KeReadStateTimer(&Timer));
}

TEST(absolute_timer_is_signalled_exactly_when_due)
{
    KTIMER Timer;
    LARGE_INTEGER Due;

    KeQuerySystemTime(&Due);
    Due.QuadPart += 3 * SEC;
    LONGLONG Start = Now();
    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, Due, NULL);
    WaitFor(&Timer);
    CHECK_IS(Now() - Start, 3 * SEC);
}

TEST(a_time_in_the_past_is_due_at_once)
{
    KTIMER Timer;
    LARGE_INTEGER Past = {.QuadPart = 1}, Zero = {.QuadPart = 0};
    LONGLONG Start = Now();

    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, Past, NULL);
    CHECK(KeReadStateTimer(&Timer));
    KeSetTimer(&Timer, Zero, NULL);
    CHECK(KeReadStateTimer(&Timer));
    CHECK_IS(WaitFor(&Timer), STATUS_SUCCESS);
    CHECK_IS(Now(), Start);
}

TEST(due_at_once_waits_while_the_level_is_dispatch)
{
    KTIMER Timer;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);

    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, Zero, NULL);
    CHECK(!KeReadStateTimer(&Timer));
    KeLowerIrql(Old);
    CHECK(KeReadStateTimer(&Timer));
}

TEST(notification_timer_stays_signalled_and_synchronization_timer_does_not)
{
    KTIMER Notification, Synchronization;

    KeInitializeTimerEx(&Notification, NotificationTimer);
    KeInitializeTimerEx(&Synchronization, SynchronizationTimer);
    KeSetTimer(&Notification, In(1 * MS), NULL);
    KeSetTimer(&Synchronization, In(1 * MS), NULL);
    CHECK_IS(WaitFor(&Synchronization), STATUS_SUCCESS);
    CHECK(!KeReadStateTimer(&Synchronization));
    CHECK_IS(WaitFor(&Notification), STATUS_SUCCESS);
    CHECK(KeReadStateTimer(&Notification));
    CHECK_IS(WaitFor(&Notification), STATUS_SUCCESS);
}

TEST(setting_again_replaces_the_due_time_and_clears_the_signal)
{
    KTIMER Timer;
    LONGLONG Start = Now();

    KeInitializeTimer(&Timer);
    CHECK(!KeSetTimer(&Timer, In(10 * MS), NULL));
    CHECK(KeSetTimer(&Timer, In(30 * MS), NULL));
    WaitFor(&Timer);
    CHECK_IS(Now() - Start, 30 * MS);
    CHECK(!KeSetTimer(&Timer, In(5 * MS), NULL)); /* it is no longer set, though signalled */
    CHECK(!KeReadStateTimer(&Timer));
    WaitFor(&Timer);
    CHECK_IS(Now() - Start, 35 * MS);
}

TEST(cancel_says_whether_it_was_set)
{
    KTIMER Timer;
    KDPC Dpc;

    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    Runs = 0;
    CHECK(!KeCancelTimer(&Timer));
    KeSetTimer(&Timer, In(1 * MS), &Dpc);
    CHECK(KeCancelTimer(&Timer));
    CHECK(!KeCancelTimer(&Timer));
    Sleep(5 * MS);
    CHECK_IS(Runs, 0);
    CHECK(!KeReadStateTimer(&Timer));
    KeSetTimer(&Timer, In(1 * MS), &Dpc);
    Sleep(5 * MS);
    CHECK(!KeCancelTimer(&Timer));
    CHECK(KeReadStateTimer(&Timer)); /* cancelling does not touch the signal */
    CHECK_IS(Runs, 1);
}

TEST(timer_dpc_runs_at_dispatch_level_when_due)
{
    KTIMER Timer;
    KDPC Dpc;
    LONGLONG Start = Now();

    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, NoteDpc, (PVOID)5);
    Runs = 0;
    KeSetTimer(&Timer, In(7 * MS), &Dpc);
    Sleep(20 * MS);
    CHECK_IS(Runs, 1);
    CHECK_IS(Order[0], 5);
    CHECK_IS(At[0] - Start, 7 * MS);
}

TEST(timers_expire_in_the_order_of_their_due_times)
{
    KTIMER Timer[16];
    KDPC Dpc[16];
    LONGLONG Start = Now();

    Runs = 0;
    for (ULONG i = 0; i < 16; i++) {
        KeInitializeTimer(&Timer[i]);
        KeInitializeDpc(&Dpc[i], NoteDpc, (PVOID)(ULONG_PTR)((i * 7) % 16));
        KeSetTimer(&Timer[i], In((1 + (i * 7) % 16) * 13 * MS), &Dpc[i]);
    }
    Sleep(1 * SEC);
    CHECK_IS(Runs, 16);
    for (ULONG i = 0; i < 16; i++) {
        CHECK_IS(Order[i], i);
        CHECK_IS(At[i] - Start, (1 + i) * 13 * MS);
    }
}

TEST(timers_of_equal_due_time_expire_in_the_order_they_were_set)
{
    KTIMER Timer[8];
    KDPC Dpc[8];

    Runs = 0;
    LONGLONG Start = Now();
    for (ULONG i = 0; i < 8; i++) {
        KeInitializeTimer(&Timer[i]);
        KeInitializeDpc(&Dpc[i], NoteDpc, (PVOID)(ULONG_PTR)i);
        KeSetTimer(&Timer[i], In(100 * MS - (Now() - Start)), &Dpc[i]);
    }
    Sleep(1 * SEC);
    CHECK_IS(Runs, 8);
    for (ULONG i = 0; i < 8; i++) {
        CHECK_IS(Order[i], i);
        CHECK_IS(At[i] - Start, 100 * MS);
    }
}

TEST(periodic_timer_keeps_its_period_exactly)
{
    KTIMER Timer;
    KDPC Dpc;
    LONGLONG Start = Now();

    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    Runs = 0;
    CHECK(!KeSetTimerEx(&Timer, In(10 * MS), 25, &Dpc));
    Sleep(10 * MS + 4 * 25 * MS + 1 * MS);
    CHECK_IS(Runs, 5);
    for (ULONG i = 0; i < 5; i++)
        CHECK_IS(At[i] - Start, (10 + 25 * i) * MS);
    CHECK(KeCancelTimer(&Timer));
    Sleep(1 * SEC);
    CHECK_IS(Runs, 5);
    CHECK(!KeCancelTimer(&Timer));
}

TEST(periodic_synchronization_timer_wakes_one_wait_a_period)
{
    KTIMER Timer;
    LONGLONG Start = Now();

    KeInitializeTimerEx(&Timer, SynchronizationTimer);
    KeSetTimerEx(&Timer, In(10 * MS), 10, NULL);
    for (int i = 1; i <= 5; i++) {
        CHECK_IS(WaitFor(&Timer), STATUS_SUCCESS);
        CHECK_IS(Now() - Start, i * 10 * MS);
    }
    CHECK(KeCancelTimer(&Timer));
    CHECK_IS(WaitUpTo(&Timer, 50 * MS), STATUS_TIMEOUT);
}

/* While its DPC waits in the queue, further periods do not queue it again. */
TEST(missed_periods_run_the_dpc_once)
{
    KTIMER Timer;
    KDPC Dpc;
    KIRQL Old;

    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    Runs = 0;
    KeSetSystemAffinityThread(1); /* timers are the first processor's */
    KeSetTimerEx(&Timer, In(1 * MS), 1, &Dpc);
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    for (int i = 0; i < 100; i++)
        KeStallExecutionProcessor(50);
    CHECK_IS(Runs, 0);
    KeLowerIrql(Old);
    CHECK_IS(Runs, 1);
    CHECK(KeCancelTimer(&Timer));
    KeRevertToUserAffinityThread();
}

/* A DPC may set its own timer again. */
static KTIMER Again;

static VOID AgainDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    At[Runs++] = Now();
    if (Runs < 6)
        CHECK(!KeSetTimer(&Again, In((LONGLONG)Runs * MS), Dpc));
}

TEST(a_dpc_may_set_its_timer_again)
{
    KDPC Dpc;
    LONGLONG Start = Now(), Due = 1 * MS;

    KeInitializeTimer(&Again);
    KeInitializeDpc(&Dpc, AgainDpc, NULL);
    Runs = 0;
    KeSetTimer(&Again, In(Due), &Dpc);
    Sleep(1 * SEC);
    CHECK_IS(Runs, 6);
    for (ULONG i = 0; i < 6; i++) {
        CHECK_IS(At[i] - Start, Due);
        Due += (i + 1) * MS;
    }
}

TEST(far_and_near_timers_live_together)
{
    static const LONGLONG After[] = {1,    63,     64,     65,       4095,       4096,
                                     4097, 262143, 262144, 10 * SEC, 3600 * SEC, 86400 * SEC};
    KTIMER Timer[ARRAYSIZE(After)];
    KDPC Dpc[ARRAYSIZE(After)];
    LONGLONG Start = Now();

    Runs = 0;
    for (int i = ARRAYSIZE(After) - 1; i >= 0; i--) {
        KeInitializeTimer(&Timer[i]);
        KeInitializeDpc(&Dpc[i], NoteDpc, (PVOID)(ULONG_PTR)i);
        KeSetTimer(&Timer[i], In(After[i]), &Dpc[i]);
    }
    WaitFor(&Timer[9]); /* ten seconds; the next is an hour away, the last a day */
    CHECK(KeCancelTimer(&Timer[11]));
    CHECK(KeCancelTimer(&Timer[10]));
    CHECK_IS(Runs, 10);
    for (ULONG i = 0; i < Runs && i < 10; i++) {
        CHECK_IS(Order[i], i);
        CHECK_IS(At[i] - Start, After[i]);
    }
}

TEST(setting_a_timer_at_dispatch_level_works)
{
    KTIMER Timer;
    KDPC Dpc;
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);

    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    Runs = 0;
    KeSetTimerEx(&Timer, In(2 * MS), 0, &Dpc);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeLowerIrql(Old);
    Sleep(3 * MS);
    CHECK_IS(Runs, 1);
}

TEST(coalescable_timer_is_due_within_its_tolerance)
{
    KTIMER Timer;
    LONGLONG Start = Now();

    KeInitializeTimer(&Timer);
    CHECK(!KeSetCoalescableTimer(&Timer, In(20 * MS), 0, 10, NULL));
    WaitFor(&Timer);
    CHECK(Now() - Start >= 20 * MS && Now() - Start <= 30 * MS);
}

CHECK_DRIVER(T(initialize_sets_the_header), T(timer_can_be_initialized_up_to_dispatch_level),
             T(relative_timer_is_signalled_exactly_when_due), T(absolute_timer_is_signalled_exactly_when_due),
             T(a_time_in_the_past_is_due_at_once), T(due_at_once_waits_while_the_level_is_dispatch),
             T(notification_timer_stays_signalled_and_synchronization_timer_does_not),
             T(setting_again_replaces_the_due_time_and_clears_the_signal), T(cancel_says_whether_it_was_set),
             T(timer_dpc_runs_at_dispatch_level_when_due), T(timers_expire_in_the_order_of_their_due_times),
             T(timers_of_equal_due_time_expire_in_the_order_they_were_set), T(periodic_timer_keeps_its_period_exactly),
             T(periodic_synchronization_timer_wakes_one_wait_a_period), T(missed_periods_run_the_dpc_once),
             T(a_dpc_may_set_its_timer_again), T(far_and_near_timers_live_together),
             T(setting_a_timer_at_dispatch_level_works), T(coalescable_timer_is_due_within_its_tolerance))
