/* Timers that tolerate a delay, timers that the system allocates, and those that wake no processor. */
#include "check.h"

NTKERNELAPI VOID NTAPI ExQueryTimerResolution(PULONG MaximumTime, PULONG MinimumTime, PULONG CurrentTime);

static ULONG Runs, Deletes;
static LONGLONG At[32];
static KIRQL SeenIrql, DeleteIrql;
static PEX_TIMER SeenTimer;
static PVOID SeenContext, DeleteContext;

static VOID NoteDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    At[Runs++ & 31] = Now();
}

/* ---- Tolerance ---------------------------------------------------------------------------------------------------------- */

/* Timers of different due times whose tolerance allows it expire together. */
TEST(tolerant_timers_expire_together)
{
    KTIMER Timer[5];
    KDPC Dpc[5];
    LONGLONG Start = Now();

    Runs = 0;
    for (ULONG i = 0; i < 5; i++) {
        KeInitializeTimer(&Timer[i]);
        KeInitializeDpc(&Dpc[i], NoteDpc, NULL);
        CHECK(!KeSetCoalescableTimer(&Timer[i], In((1010 + i * 3) * MS), 0, 100, &Dpc[i]));
    }
    Sleep(3 * SEC);
    CHECK_IS(Runs, 5);
    for (ULONG i = 0; i < 5; i++) {
        CHECK(At[i] - Start >= (1010 + i * 3) * MS - 10);
        CHECK(At[i] - Start <= (1110 + i * 3) * MS);
        CHECK_IS(At[i], At[0]);
    }
}

TEST(no_tolerance_is_exact)
{
    KTIMER Timer;
    LONGLONG Start = Now();

    KeInitializeTimer(&Timer);
    KeSetCoalescableTimer(&Timer, In(1013 * MS), 0, 0, NULL);
    WaitFor(&Timer);
    CHECK_IS(Now() - Start, 1013 * MS);
    Start = Now();
    KeSetCoalescableTimer(&Timer, In(1013 * MS), 0, 31, NULL); /* less than two ticks: nothing to gain */
    WaitFor(&Timer);
    CHECK_IS(Now() - Start, 1013 * MS);
}

TEST(a_tolerant_period_does_not_drift)
{
    KTIMER Timer;
    KDPC Dpc;
    LONGLONG Start = Now();

    Runs = 0;
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    KeSetCoalescableTimer(&Timer, In(70 * MS), 70, 60, &Dpc);
    Sleep(20 * 70 * MS + 61 * MS);
    CHECK(KeCancelTimer(&Timer));
    CHECK(Runs >= 20);
    for (ULONG i = 0; i < 20; i++) {
        CHECK(At[i] - Start >= (i + 1) * 70 * MS);
        CHECK(At[i] - Start <= ((i + 1) * 70 + 60) * MS);
    }
}

TEST(setting_a_timer_again_forgets_its_tolerance)
{
    KTIMER Timer;
    LONGLONG Start = Now();

    KeInitializeTimer(&Timer);
    KeSetCoalescableTimer(&Timer, In(10 * SEC), 0, 1000, NULL);
    CHECK(KeSetTimer(&Timer, In(123 * MS), NULL));
    WaitFor(&Timer);
    CHECK_IS(Now() - Start, 123 * MS);
}

/* ---- Allocated by the system ---------------------------------------------------------------------------------------------- */

static VOID NTAPI NoteTimer(PEX_TIMER Timer, PVOID Context)
{
    SeenIrql = KeGetCurrentIrql();
    SeenTimer = Timer;
    SeenContext = Context;
    At[Runs++ & 31] = Now();
}

static VOID NTAPI NoteDelete(PVOID Context)
{
    DeleteIrql = KeGetCurrentIrql();
    DeleteContext = Context;
    Deletes++;
}

TEST(callback_runs_at_dispatch_level_when_due)
{
    PEX_TIMER Timer = ExAllocateTimer(NoteTimer, &Runs, 0);
    LONGLONG Start = Now();

    if (!CHECK(Timer != NULL))
        return;
    Runs = 0;
    CHECK(!ExSetTimer(Timer, -7 * MS, 0, NULL));
    Sleep(20 * MS);
    CHECK_IS(Runs, 1);
    CHECK_IS(SeenIrql, DISPATCH_LEVEL);
    CHECK(SeenTimer == Timer && SeenContext == &Runs);
    CHECK_IS(At[0] - Start, 7 * MS);
    CHECK(!ExCancelTimer(Timer, NULL));
    CHECK(!ExDeleteTimer(Timer, TRUE, TRUE, NULL));
}

TEST(periods_are_in_100_ns)
{
    PEX_TIMER Timer = ExAllocateTimer(NoteTimer, NULL, EX_TIMER_HIGH_RESOLUTION);
    LONGLONG Start = Now();

    Runs = 0;
    CHECK(!ExSetTimer(Timer, -1 * MS, 12345, NULL));
    Sleep(1 * MS + 4 * 12345 + 1);
    CHECK_IS(Runs, 5);
    for (ULONG i = 0; i < 5; i++)
        CHECK_IS(At[i] - Start, 1 * MS + 12345 * i);
    CHECK(ExSetTimer(Timer, -5 * MS, 0, NULL));
    CHECK(ExCancelTimer(Timer, NULL));
    CHECK(!ExCancelTimer(Timer, NULL));
    Sleep(10 * MS);
    CHECK_IS(Runs, 5);
    ExDeleteTimer(Timer, TRUE, FALSE, NULL);
}

TEST(it_can_be_waited_for)
{
    PEX_TIMER Notification = ExAllocateTimer(NULL, NULL, EX_TIMER_NOTIFICATION);
    PEX_TIMER Synchronization = ExAllocateTimer(NULL, NULL, 0);
    LONGLONG Start = Now();

    ExSetTimer(Notification, -3 * MS, 0, NULL);
    ExSetTimer(Synchronization, -3 * MS, 0, NULL);
    CHECK_IS(WaitFor(Synchronization), STATUS_SUCCESS);
    CHECK_IS(Now() - Start, 3 * MS);
    CHECK_IS(WaitUpTo(Synchronization, 1 * MS), STATUS_TIMEOUT);
    CHECK_IS(WaitFor(Notification), STATUS_SUCCESS);
    CHECK_IS(WaitFor(Notification), STATUS_SUCCESS);
    ExDeleteTimer(Notification, TRUE, FALSE, NULL);
    ExDeleteTimer(Synchronization, TRUE, FALSE, NULL);
}

TEST(delete_cancels_and_calls_back_at_dispatch_level)
{
    EXT_DELETE_PARAMETERS Parameters;
    PEX_TIMER Timer = ExAllocateTimer(NoteTimer, NULL, 0);

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.DeleteCallback = NoteDelete;
    Parameters.DeleteContext = &Deletes;
    Runs = Deletes = 0;
    ExSetTimer(Timer, -1 * MS, 0, NULL);
    CHECK(ExDeleteTimer(Timer, TRUE, TRUE, &Parameters));
    CHECK_IS(Deletes, 1);
    CHECK_IS(DeleteIrql, DISPATCH_LEVEL);
    CHECK(DeleteContext == &Deletes);
    Sleep(5 * MS);
    CHECK_IS(Runs, 0);
}

TEST(delete_without_cancel_lets_it_expire_once)
{
    EXT_DELETE_PARAMETERS Parameters;
    PEX_TIMER Timer = ExAllocateTimer(NoteTimer, NULL, 0);

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.DeleteCallback = NoteDelete;
    Runs = Deletes = 0;
    ExSetTimer(Timer, -1 * MS, 1 * MS, NULL);
    CHECK(!ExDeleteTimer(Timer, FALSE, FALSE, &Parameters));
    CHECK_IS(Deletes, 0);
    Sleep(10 * MS);
    CHECK_IS(Runs, 1);
    CHECK_IS(Deletes, 1);
}

/* From its own callback: the object stays until the callback has returned, and takes no requests. */
static VOID NTAPI DeleteSelf(PEX_TIMER Timer, PVOID Context)
{
    EXT_DELETE_PARAMETERS *Parameters = Context;

    CHECK(ExDeleteTimer(Timer, TRUE, FALSE, Parameters)); /* it is periodic, so set */
    CHECK_IS(Deletes, 0);
    CHECK(!ExSetTimer(Timer, -1 * MS, 0, NULL));
    CHECK(!ExCancelTimer(Timer, NULL));
    Runs++;
}

TEST(a_callback_may_delete_its_timer)
{
    EXT_DELETE_PARAMETERS Parameters;
    PEX_TIMER Timer = ExAllocateTimer(DeleteSelf, &Parameters, 0);

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.DeleteCallback = NoteDelete;
    Runs = Deletes = 0;
    ExSetTimer(Timer, -1 * MS, 1 * MS, NULL);
    Sleep(10 * MS);
    CHECK_IS(Runs, 1);
    CHECK_IS(Deletes, 1);
}

/* ---- Waking no processor ---------------------------------------------------------------------------------------------------- */

TEST(a_no_wake_timer_waits_for_somebody_awake)
{
    PEX_TIMER Timer = ExAllocateTimer(NoteTimer, NULL, EX_TIMER_NO_WAKE);
    EXT_SET_PARAMETERS Parameters;
    LONGLONG Start = Now();

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.NoWakeTolerance = EX_TIMER_UNLIMITED_TOLERANCE;
    Runs = 0;
    ExSetTimer(Timer, -10 * MS, 0, &Parameters);
    Sleep(35 * MS); /* our own timer wakes the processor */
    CHECK_IS(Runs, 1);
    CHECK_IS(At[0] - Start, 35 * MS);
    CHECK(!ExSetTimer(Timer, -10 * MS, 0, &Parameters));
    CHECK(ExCancelTimer(Timer, NULL));
    Sleep(20 * MS);
    CHECK_IS(Runs, 1);
    ExDeleteTimer(Timer, TRUE, TRUE, NULL);
}

TEST(a_no_wake_timer_wakes_when_its_tolerance_is_over)
{
    PEX_TIMER Timer = ExAllocateTimer(NoteTimer, NULL, EX_TIMER_NO_WAKE);
    EXT_SET_PARAMETERS Parameters;
    LONGLONG Start = Now();

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.NoWakeTolerance = 15 * MS;
    Runs = 0;
    ExSetTimer(Timer, -10 * MS, 10 * MS, &Parameters);
    Sleep(100 * MS);
    CHECK(Runs >= 4);
    CHECK_IS(At[0] - Start, 25 * MS);
    CHECK_IS(At[1] - Start, 35 * MS); /* the second period was nominally over at 20 ms */
    CHECK(ExDeleteTimer(Timer, TRUE, TRUE, NULL));
}

TEST(a_busy_processor_is_awake)
{
    PEX_TIMER Timer = ExAllocateTimer(NoteTimer, NULL, EX_TIMER_NO_WAKE);
    EXT_SET_PARAMETERS Parameters;

    RtlZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.NoWakeTolerance = EX_TIMER_UNLIMITED_TOLERANCE;
    Runs = 0;
    ExSetTimer(Timer, -1 * MS, 0, &Parameters);
    for (int i = 0; i < 20 && !Runs; i++)
        KeStallExecutionProcessor(1000);
    CHECK_IS(Runs, 1);
    ExDeleteTimer(Timer, TRUE, TRUE, NULL);
}

/* ---- Resolution ------------------------------------------------------------------------------------------------------------ */

TEST(the_finest_resolution_asked_for_counts)
{
    ULONG Maximum, Minimum, Current;

    ExQueryTimerResolution(&Maximum, &Minimum, &Current);
    CHECK_IS(Maximum, KeQueryTimeIncrement());
    CHECK_IS(Minimum, 5000);
    CHECK_IS(Current, Maximum);
    CHECK_IS(ExSetTimerResolution(20000, TRUE), 20000);
    CHECK_IS(ExSetTimerResolution(10000, TRUE), 10000);
    CHECK_IS(ExSetTimerResolution(50000, TRUE), 10000);
    CHECK_IS(ExSetTimerResolution(0, FALSE), 10000);
    ExSetTimerResolution(0, FALSE);
    CHECK_IS(ExSetTimerResolution(0, FALSE), Maximum);
}

CHECK_DRIVER(T(tolerant_timers_expire_together), T(no_tolerance_is_exact), T(a_tolerant_period_does_not_drift),
             T(setting_a_timer_again_forgets_its_tolerance), T(callback_runs_at_dispatch_level_when_due),
             T(periods_are_in_100_ns), T(it_can_be_waited_for), T(delete_cancels_and_calls_back_at_dispatch_level),
             T(delete_without_cancel_lets_it_expire_once), T(a_callback_may_delete_its_timer),
             T(a_no_wake_timer_waits_for_somebody_awake), T(a_no_wake_timer_wakes_when_its_tolerance_is_over),
             T(a_busy_processor_is_awake), T(the_finest_resolution_asked_for_counts))
