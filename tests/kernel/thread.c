/* System threads: life and end, the thread as an object to wait for, priorities, who runs. */
#include "check.h"

static LONG Ran;
static PVOID Seen;

static VOID NoteThread(PVOID Context)
{
    CHECK_IRQL(PASSIVE_LEVEL);
    Seen = KeGetCurrentThread();
    Ran = (LONG)(ULONG_PTR)Context;
}

TEST(a_thread_runs_with_its_context_at_passive_level)
{
    PVOID Thread;

    Ran = 0;
    Thread = StartThread(NoteThread, (PVOID)42);
    CHECK_IS(WaitFor(Thread), STATUS_SUCCESS);
    CHECK_IS(Ran, 42);
    CHECK(Seen == Thread);
    CHECK(Seen != KeGetCurrentThread());
    ObDereferenceObject(Thread);
}

TEST(a_thread_object_stays_signalled_after_the_end)
{
    PVOID Thread = StartThread(NoteThread, NULL);

    for (int i = 0; i < 3; i++)
        CHECK_IS(WaitFor(Thread), STATUS_SUCCESS);
    CHECK(PsIsThreadTerminating(Thread));
    ObDereferenceObject(Thread);
}

static VOID Sleeper(PVOID Context)
{
    Sleep(10 * MS);
}

TEST(a_thread_is_not_signalled_before_its_end)
{
    LONGLONG Start = Now();
    PVOID Thread = StartThread(Sleeper, NULL);

    CHECK_IS(WaitUpTo(Thread, 0), STATUS_TIMEOUT);
    CHECK_IS(WaitUpTo(Thread, 5 * MS), STATUS_TIMEOUT);
    CHECK_IS(WaitFor(Thread), STATUS_SUCCESS);
    CHECK_IS(Now() - Start, 10 * MS);
    ObDereferenceObject(Thread);
}

static VOID Terminator(PVOID Context)
{
    Ran = 1;
    PsTerminateSystemThread(STATUS_NOT_FOUND);
    Ran = 2;
}

TEST(terminate_does_not_return)
{
    PVOID Thread;

    Ran = 0;
    Thread = StartThread(Terminator, NULL);
    WaitFor(Thread);
    CHECK_IS(Ran, 1);
    ObDereferenceObject(Thread);
}

TEST(the_handle_can_be_waited_for_and_gives_the_id)
{
    HANDLE Handle;
    CLIENT_ID Id;

    CHECK_IS(PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, &Id, Sleeper, NULL), STATUS_SUCCESS);
    CHECK(Id.UniqueThread != NULL);
    CHECK(Id.UniqueProcess == PsGetProcessId(PsInitialSystemProcess));
    CHECK_IS(ZwWaitForSingleObject(Handle, FALSE, NULL), STATUS_SUCCESS);
    CHECK_IS(ZwClose(Handle), STATUS_SUCCESS);
}

TEST(each_thread_has_its_own_id_and_stack)
{
    PVOID First = StartThread(Sleeper, NULL), Second = StartThread(Sleeper, NULL);

    CHECK(PsGetThreadId(First) != PsGetThreadId(Second));
    CHECK(PsGetThreadId(First) != PsGetCurrentThreadId());
    EndThread(First);
    EndThread(Second);
}

TEST(the_stack_has_at_least_twenty_kilobytes)
{
    ULONG_PTR Here = (ULONG_PTR)&Here;
    ULONG_PTR Low, High;

    IoGetStackLimits(&Low, &High);
    CHECK(Here > Low && Here < High);
    CHECK(High - Low >= 20 * 1024 && High - Low <= 24 * 1024);
    CHECK(IoGetRemainingStackSize() == Here - Low || IoGetRemainingStackSize() < High - Low);
}

/* ---- Who runs -------------------------------------------------------------------------------------------------------
 */

static ULONG Order[8], Steps;
static KEVENT Gate;

static VOID Note(PVOID Number)
{
    WaitFor(&Gate);
    Order[Steps++ & 7] = (ULONG)(ULONG_PTR)Number;
}

TEST(system_threads_begin_at_priority_8)
{
    CHECK_IS(KeQueryPriorityThread(KeGetCurrentThread()), 8);
}

TEST(set_priority_gives_the_old_one)
{
    PKTHREAD Self = KeGetCurrentThread();

    CHECK_IS(KeSetPriorityThread(Self, 12), 8);
    CHECK_IS(KeQueryPriorityThread(Self), 12);
    CHECK_IS(KeSetPriorityThread(Self, LOW_REALTIME_PRIORITY), 12);
    CHECK_IS(KeSetPriorityThread(Self, 8), LOW_REALTIME_PRIORITY);
}

TEST(base_priority_is_relative_to_the_process)
{
    PKTHREAD Self = KeGetCurrentThread();

    CHECK_IS(KeSetBasePriorityThread(Self, 2), 0);
    CHECK_IS(KeQueryPriorityThread(Self), 10);
    CHECK_IS(KeSetBasePriorityThread(Self, -1), 2);
    CHECK_IS(KeQueryPriorityThread(Self), 7);
    CHECK_IS(KeSetBasePriorityThread(Self, 0), -1);
    CHECK_IS(KeQueryPriorityThread(Self), 8);
}

TEST(higher_priority_runs_first)
{
    PVOID Thread[4];
    static const KPRIORITY Priority[4] = {9, 11, 10, 12};

    if (KeQueryActiveProcessorCount(NULL) > 1)
        return;
    KeInitializeEvent(&Gate, NotificationEvent, FALSE);
    Steps = 0;
    for (ULONG_PTR i = 0; i < 4; i++) {
        Thread[i] = StartThread(Note, (PVOID)(ULONG_PTR)Priority[i]);
        KeSetPriorityThread(Thread[i], Priority[i]);
    }
    Sleep(1 * MS);
    KeSetEvent(&Gate, 0, FALSE);
    for (ULONG i = 0; i < 4; i++)
        EndThread(Thread[i]);
    CHECK_IS(Steps, 4);
    for (ULONG i = 0; i < 4; i++)
        CHECK_IS(Order[i], 12 - i);
}

TEST(a_better_thread_preempts_when_it_is_woken)
{
    PVOID Thread;

    if (KeQueryActiveProcessorCount(NULL) > 1)
        return;
    KeInitializeEvent(&Gate, NotificationEvent, FALSE);
    Steps = 0;
    Thread = StartThread(Note, NULL);
    KeSetPriorityThread(Thread, 12);
    Sleep(1 * MS);
    KeSetEvent(&Gate, 0, FALSE);
    CHECK_IS(Steps, 1);
    EndThread(Thread);
}

TEST(dispatch_level_holds_the_switch_off)
{
    PVOID Thread;
    KIRQL Old;

    if (KeQueryActiveProcessorCount(NULL) > 1)
        return;
    KeInitializeEvent(&Gate, NotificationEvent, FALSE);
    Steps = 0;
    Thread = StartThread(Note, NULL);
    KeSetPriorityThread(Thread, 12);
    Sleep(1 * MS);
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    KeSetEvent(&Gate, 0, FALSE);
    CHECK_IS(Steps, 0);
    KeStallExecutionProcessor(50);
    CHECK_IS(Steps, 0);
    KeLowerIrql(Old);
    CHECK_IS(Steps, 1);
    EndThread(Thread);
}

TEST(lowering_the_own_priority_lets_a_better_one_run)
{
    PVOID Thread;

    if (KeQueryActiveProcessorCount(NULL) > 1)
        return;
    KeInitializeEvent(&Gate, NotificationEvent, TRUE);
    Steps = 0;
    KeSetPriorityThread(KeGetCurrentThread(), 15);
    Thread = StartThread(Note, NULL);
    KeSetPriorityThread(Thread, 12);
    CHECK_IS(Steps, 0);
    KeSetPriorityThread(KeGetCurrentThread(), 8);
    CHECK_IS(Steps, 1);
    EndThread(Thread);
}

/* Time slices: of two threads of one priority that never wait, both get on. */
static volatile LONG Flag;

static VOID RaiseFlag(PVOID Context)
{
    Flag = 1;
}

TEST(threads_of_equal_priority_share_the_processor)
{
    PVOID Thread;
    ULONG Rounds = 0;

    Flag = 0;
    Thread = StartThread(RaiseFlag, NULL);
    while (!Flag && Rounds < 200000) {
        KeStallExecutionProcessor(10);
        Rounds++;
    }
    CHECK(Flag);
    EndThread(Thread);
}

static KPRIORITY AtFirst, AtLast;

static VOID Boosted(PVOID Context)
{
    PKTHREAD Self = KeGetCurrentThread();

    WaitFor(&Gate);
    AtFirst = KeQueryPriorityThread(Self);
    for (int i = 0; i < 100000 && KeQueryPriorityThread(Self) > 8; i++)
        KeStallExecutionProcessor(50);
    AtLast = KeQueryPriorityThread(Self);
}

TEST(a_boost_wears_off)
{
    PVOID Thread;

    KeInitializeEvent(&Gate, NotificationEvent, FALSE);
    Thread = StartThread(Boosted, NULL);
    Sleep(1 * MS);
    KeSetEvent(&Gate, 3, FALSE);
    EndThread(Thread);
    CHECK_IS(AtFirst, 11);
    CHECK_IS(AtLast, 8);
}

static VOID Yielder(PVOID Number)
{
    for (int i = 0; i < 3; i++) {
        Order[Steps++ & 7] = (ULONG)(ULONG_PTR)Number;
        Sleep(0);
    }
}

TEST(a_delay_of_nothing_gives_the_turn_to_others)
{
    PVOID First, Second;

    if (KeQueryActiveProcessorCount(NULL) > 1)
        return;
    Steps = 0;
    KeEnterCriticalRegion();
    First = StartThread(Yielder, (PVOID)1);
    Second = StartThread(Yielder, (PVOID)2);
    KeLeaveCriticalRegion();
    EndThread(First);
    EndThread(Second);
    CHECK_IS(Steps, 6);
    for (ULONG i = 0; i < 6; i++)
        CHECK_IS(Order[i], 1 + i % 2);
}

TEST(a_yield_gives_the_turn_to_any_ready_thread)
{
    static const KPRIORITY Priority[] = {8, 3};
    PVOID Thread;

    if (KeQueryActiveProcessorCount(NULL) > 1)
        return;
    CHECK_IS(ZwYieldExecution(), STATUS_NO_YIELD_PERFORMED);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Priority); i++) {
        KeInitializeEvent(&Gate, NotificationEvent, TRUE);
        Steps = 0;
        Thread = StartThread(Note, NULL);
        KeSetPriorityThread(Thread, Priority[i]);
        CHECK_IS(Steps, 0);
        CHECK_IS(ZwYieldExecution(), STATUS_SUCCESS);
        CHECK_IS(Steps, 1);
        EndThread(Thread);
    }
}

TEST(a_thousand_threads_come_and_go)
{
    static PVOID Thread[1000];

    for (int i = 0; i < 1000; i++)
        Thread[i] = StartThread(Sleeper, NULL);
    for (int i = 0; i < 1000; i++) {
        if (!CHECK(Thread[i] != NULL))
            return;
        EndThread(Thread[i]);
    }
}

CHECK_DRIVER(T(a_thread_runs_with_its_context_at_passive_level), T(a_thread_object_stays_signalled_after_the_end),
             T(a_thread_is_not_signalled_before_its_end), T(terminate_does_not_return),
             T(the_handle_can_be_waited_for_and_gives_the_id), T(each_thread_has_its_own_id_and_stack),
             T(the_stack_has_at_least_twenty_kilobytes), T(system_threads_begin_at_priority_8),
             T(set_priority_gives_the_old_one), T(base_priority_is_relative_to_the_process),
             T(higher_priority_runs_first), T(a_better_thread_preempts_when_it_is_woken),
             T(dispatch_level_holds_the_switch_off), T(lowering_the_own_priority_lets_a_better_one_run),
             T(threads_of_equal_priority_share_the_processor), T(a_boost_wears_off),
             T(a_delay_of_nothing_gives_the_turn_to_others), T(a_yield_gives_the_turn_to_any_ready_thread),
             T(a_thousand_threads_come_and_go))
