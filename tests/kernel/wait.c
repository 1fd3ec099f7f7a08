/* Waits: single and multiple, any and all, every kind of time-out, every kind of object. */
#include "check.h"

static NTSTATUS WaitMany(ULONG Count, PVOID *Objects, WAIT_TYPE Type, LONGLONG Duration)
{
    static KWAIT_BLOCK Blocks[MAXIMUM_WAIT_OBJECTS];
    LARGE_INTEGER Due = In(Duration);

    return KeWaitForMultipleObjects(Count, Objects, Type, Executive, KernelMode, FALSE, Duration < 0 ? NULL : &Due,
                                    Count > THREAD_WAIT_OBJECTS ? Blocks : NULL);
}

TEST(zero_timeout_never_waits)
{
    KEVENT Event;
    LONGLONG Start = Now();

    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    CHECK_IS(WaitUpTo(&Event, 0), STATUS_TIMEOUT);
    KeSetEvent(&Event, 0, FALSE);
    CHECK_IS(WaitUpTo(&Event, 0), STATUS_SUCCESS);
    CHECK_IS(WaitUpTo(&Event, 0), STATUS_TIMEOUT);
    CHECK_IS(Now(), Start);
}

TEST(zero_timeout_is_allowed_at_dispatch_level)
{
    KEVENT Event;
    KIRQL Old;

    KeInitializeEvent(&Event, SynchronizationEvent, TRUE);
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    CHECK_IS(WaitUpTo(&Event, 0), STATUS_SUCCESS);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK_IS(WaitUpTo(&Event, 0), STATUS_TIMEOUT);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeLowerIrql(Old);
}

TEST(relative_timeout_ends_exactly)
{
    KEVENT Event;
    LONGLONG Start = Now();

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    CHECK_IS(WaitUpTo(&Event, 17 * MS), STATUS_TIMEOUT);
    CHECK_IS(Now() - Start, 17 * MS);
}

TEST(absolute_timeout_ends_exactly)
{
    KEVENT Event;
    LARGE_INTEGER Due;
    LONGLONG Start = Now();

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeQuerySystemTime(&Due);
    Due.QuadPart += 5 * SEC;
    CHECK_IS(KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Due), STATUS_TIMEOUT);
    CHECK_IS(Now() - Start, 5 * SEC);
}

TEST(absolute_timeout_in_the_past_ends_at_once)
{
    KEVENT Event;
    LARGE_INTEGER Due = {.QuadPart = 1};
    LONGLONG Start = Now();

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    CHECK_IS(KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Due), STATUS_TIMEOUT);
    CHECK_IS(Now(), Start);
    KeSetEvent(&Event, 0, FALSE);
    CHECK_IS(KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Due), STATUS_SUCCESS);
}

static KEVENT Late;

static VOID SetLate(PVOID Context)
{
    Sleep((LONGLONG)(ULONG_PTR)Context);
    KeSetEvent(&Late, 0, FALSE);
}

TEST(a_signal_before_the_timeout_ends_the_wait)
{
    PVOID Thread;
    LONGLONG Start = Now();

    KeInitializeEvent(&Late, SynchronizationEvent, FALSE);
    Thread = StartThread(SetLate, (PVOID)(10 * MS));
    CHECK_IS(WaitUpTo(&Late, 20 * MS), STATUS_SUCCESS);
    CHECK_IS(Now() - Start, 10 * MS);
    EndThread(Thread);
    Sleep(50 * MS); /* the time-out that was given up must not come */
    CHECK_IS(Now() - Start, 60 * MS);
}

TEST(a_signal_after_the_timeout_is_kept)
{
    PVOID Thread;

    KeInitializeEvent(&Late, SynchronizationEvent, FALSE);
    Thread = StartThread(SetLate, (PVOID)(10 * MS));
    CHECK_IS(WaitUpTo(&Late, 5 * MS), STATUS_TIMEOUT);
    EndThread(Thread);
    CHECK_IS(WaitUpTo(&Late, 0), STATUS_SUCCESS);
}

TEST(wait_any_gives_the_lowest_signalled_index)
{
    KEVENT Event[THREAD_WAIT_OBJECTS];
    PVOID Objects[THREAD_WAIT_OBJECTS];

    for (ULONG i = 0; i < THREAD_WAIT_OBJECTS; i++) {
        KeInitializeEvent(&Event[i], SynchronizationEvent, FALSE);
        Objects[i] = &Event[i];
    }
    CHECK_IS(WaitMany(3, Objects, WaitAny, 0), STATUS_TIMEOUT);
    KeSetEvent(&Event[2], 0, FALSE);
    KeSetEvent(&Event[1], 0, FALSE);
    CHECK_IS(WaitMany(3, Objects, WaitAny, -1), STATUS_WAIT_1);
    CHECK_IS(WaitMany(3, Objects, WaitAny, -1), STATUS_WAIT_2);
    CHECK_IS(WaitMany(3, Objects, WaitAny, 2 * MS), STATUS_TIMEOUT);
}

TEST(wait_all_takes_nothing_before_it_can_take_all)
{
    KEVENT Event[3];
    PVOID Objects[3] = {&Event[0], &Event[1], &Event[2]};

    for (ULONG i = 0; i < 3; i++)
        KeInitializeEvent(&Event[i], SynchronizationEvent, FALSE);
    KeSetEvent(&Event[0], 0, FALSE);
    KeSetEvent(&Event[2], 0, FALSE);
    CHECK_IS(WaitMany(3, Objects, WaitAll, 0), STATUS_TIMEOUT);
    CHECK_IS(WaitMany(3, Objects, WaitAll, 1 * MS), STATUS_TIMEOUT);
    CHECK_IS(KeReadStateEvent(&Event[0]), 1);
    CHECK_IS(KeReadStateEvent(&Event[2]), 1);
    KeSetEvent(&Event[1], 0, FALSE);
    CHECK_IS(WaitMany(3, Objects, WaitAll, -1), STATUS_SUCCESS);
    for (ULONG i = 0; i < 3; i++)
        CHECK_IS(KeReadStateEvent(&Event[i]), 0);
}

TEST(wait_for_64_objects_with_own_wait_blocks)
{
    static KEVENT Event[MAXIMUM_WAIT_OBJECTS];
    PVOID Objects[MAXIMUM_WAIT_OBJECTS];

    for (ULONG i = 0; i < MAXIMUM_WAIT_OBJECTS; i++) {
        KeInitializeEvent(&Event[i], SynchronizationEvent, FALSE);
        Objects[i] = &Event[i];
    }
    CHECK_IS(WaitMany(MAXIMUM_WAIT_OBJECTS, Objects, WaitAny, 3 * MS), STATUS_TIMEOUT);
    KeSetEvent(&Event[63], 0, FALSE);
    CHECK_IS(WaitMany(MAXIMUM_WAIT_OBJECTS, Objects, WaitAny, -1), STATUS_WAIT_63);
    for (ULONG i = 0; i < MAXIMUM_WAIT_OBJECTS; i++) {
        CHECK(IsListEmpty(&Event[i].Header.WaitListHead));
        KeSetEvent(&Event[i], 0, FALSE);
    }
    CHECK_IS(WaitMany(MAXIMUM_WAIT_OBJECTS, Objects, WaitAll, -1), STATUS_SUCCESS);
}

/* ---- A thread that waits for several, set one by one ----------------------------------------------------------------
 */

static KEVENT Several[3];
static NTSTATUS Result;
static BOOLEAN Returned;

static VOID WaitForSeveral(PVOID Type)
{
    PVOID Objects[3] = {&Several[0], &Several[1], &Several[2]};

    Result = WaitMany(3, Objects, (WAIT_TYPE)(ULONG_PTR)Type, -1);
    Returned = TRUE;
}

TEST(a_blocked_wait_all_ends_with_the_last_signal)
{
    PVOID Thread;

    for (ULONG i = 0; i < 3; i++)
        KeInitializeEvent(&Several[i], SynchronizationEvent, FALSE);
    Returned = FALSE;
    Thread = StartThread(WaitForSeveral, (PVOID)WaitAll);
    Sleep(1 * MS);
    for (ULONG i = 0; i < 3; i++) {
        CHECK(!Returned);
        KeSetEvent(&Several[2 - i], 0, FALSE);
        Sleep(1 * MS);
    }
    CHECK(Returned);
    CHECK_IS(Result, STATUS_SUCCESS);
    for (ULONG i = 0; i < 3; i++)
        CHECK_IS(KeReadStateEvent(&Several[i]), 0);
    EndThread(Thread);
}

TEST(a_blocked_wait_any_takes_one_signal_only)
{
    PVOID Thread;

    for (ULONG i = 0; i < 3; i++)
        KeInitializeEvent(&Several[i], SynchronizationEvent, FALSE);
    Thread = StartThread(WaitForSeveral, (PVOID)WaitAny);
    Sleep(1 * MS);
    KeSetEvent(&Several[1], 0, FALSE);
    KeSetEvent(&Several[0], 0, FALSE);
    EndThread(Thread);
    CHECK_IS(Result, STATUS_WAIT_1);
    CHECK_IS(KeReadStateEvent(&Several[0]), 1);
    CHECK_IS(KeReadStateEvent(&Several[1]), 0);
}

static VOID Nothing(PVOID Context)
{
}

TEST(every_kind_of_object_can_be_waited_for)
{
    KEVENT Event;
    KTIMER Timer;
    KMUTEX Mutex;
    KSEMAPHORE Semaphore;
    PVOID Thread = StartThread(Nothing, NULL);
    PVOID Objects[5] = {&Event, &Timer, &Mutex, &Semaphore, Thread};

    KeInitializeEvent(&Event, NotificationEvent, TRUE);
    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, In(1 * MS), NULL);
    KeInitializeMutex(&Mutex, 0);
    KeInitializeSemaphore(&Semaphore, 1, 1);
    CHECK_IS(WaitMany(5, Objects, WaitAll, -1), STATUS_SUCCESS);
    CHECK_IS(KeReadStateSemaphore(&Semaphore), 0);
    CHECK_IS(KeReadStateMutex(&Mutex), 0);
    KeReleaseMutex(&Mutex, FALSE);
    ObDereferenceObject(Thread);
}

TEST(the_level_is_the_same_after_every_wait)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= APC_LEVEL; Level++) {
        KEVENT Event;
        KIRQL Old;
        LARGE_INTEGER Due = In(1 * MS);

        KeInitializeEvent(&Event, NotificationEvent, FALSE);
        Old = KfRaiseIrql(Level);
        CHECK_IS(WaitUpTo(&Event, 1 * MS), STATUS_TIMEOUT);
        CHECK_IRQL(Level);
        KeDelayExecutionThread(KernelMode, FALSE, &Due);
        CHECK_IRQL(Level);
        KeSetEvent(&Event, 0, FALSE);
        CHECK_IS(WaitFor(&Event), STATUS_SUCCESS);
        CHECK_IRQL(Level);
        KeLowerIrql(Old);
    }
}

TEST(many_threads_wait_for_one_timer)
{
    PVOID Thread[8];
    LONGLONG Start = Now();
    static KTIMER Timer;

    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, In(10 * MS), NULL);
    for (int i = 0; i < 8; i++)
        Thread[i] = StartThread((PKSTART_ROUTINE)WaitFor, &Timer);
    for (int i = 0; i < 8; i++)
        EndThread(Thread[i]);
    CHECK_IS(Now() - Start, 10 * MS);
}

CHECK_DRIVER(T(zero_timeout_never_waits), T(zero_timeout_is_allowed_at_dispatch_level),
             T(relative_timeout_ends_exactly), T(absolute_timeout_ends_exactly),
             T(absolute_timeout_in_the_past_ends_at_once), T(a_signal_before_the_timeout_ends_the_wait),
             T(a_signal_after_the_timeout_is_kept), T(wait_any_gives_the_lowest_signalled_index),
             T(wait_all_takes_nothing_before_it_can_take_all), T(wait_for_64_objects_with_own_wait_blocks),
             T(a_blocked_wait_all_ends_with_the_last_signal), T(a_blocked_wait_any_takes_one_signal_only),
             T(every_kind_of_object_can_be_waited_for), T(the_level_is_the_same_after_every_wait),
             T(many_threads_wait_for_one_timer))
