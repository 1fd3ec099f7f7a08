/* Mutexes and mutants: ownership, recursion, the critical region they imply, misuse. */
#include "check.h"

TEST(initialize_sets_the_header)
{
    KMUTEX Mutex;

    RtlFillMemory(&Mutex, sizeof(Mutex), 0x55);
    KeInitializeMutex(&Mutex, 0);
    CHECK_IS(Mutex.Header.Type, 2); /* MutantObject */
    CHECK_IS(KeReadStateMutex(&Mutex), 1);
    CHECK(Mutex.OwnerThread == NULL);
    CHECK(!Mutex.Abandoned);
    CHECK_IS(Mutex.ApcDisable, 1);
    CHECK(IsListEmpty(&Mutex.Header.WaitListHead));
}

TEST(owner_holds_it_and_normal_apcs_off)
{
    KMUTEX Mutex;

    KeInitializeMutex(&Mutex, 0);
    CHECK_IS(WaitFor(&Mutex), STATUS_SUCCESS);
    CHECK_IS(KeReadStateMutex(&Mutex), 0);
    CHECK(Mutex.OwnerThread == KeGetCurrentThread());
    CHECK_IRQL(PASSIVE_LEVEL);
    CHECK(KeAreApcsDisabled());
    CHECK(!KeAreAllApcsDisabled());
    CHECK_IS(KeReleaseMutex(&Mutex, FALSE), 0);
    CHECK_IS(KeReadStateMutex(&Mutex), 1);
    CHECK(!KeAreApcsDisabled());
}

TEST(recursion_is_counted)
{
    KMUTEX Mutex;

    KeInitializeMutex(&Mutex, 0);
    for (LONG i = 0; i < 10; i++) {
        CHECK_IS(WaitFor(&Mutex), STATUS_SUCCESS);
        CHECK_IS(KeReadStateMutex(&Mutex), -i);
    }
    for (LONG i = 9; i >= 0; i--) {
        CHECK(KeAreApcsDisabled());
        CHECK_IS(KeReleaseMutex(&Mutex, FALSE), -i);
        CHECK_IS(KeReadStateMutex(&Mutex), 1 - i);
    }
    CHECK(Mutex.OwnerThread == NULL);
}

static KMUTEX Shared;
static LONG Inside, Most;

static VOID Contender(PVOID Context)
{
    for (int i = 0; i < 5; i++) {
        CHECK_IS(WaitFor(&Shared), STATUS_SUCCESS);
        if (InterlockedIncrement(&Inside) > Most)
            Most = Inside;
        Sleep(1 * MS);
        InterlockedDecrement(&Inside);
        KeReleaseMutex(&Shared, FALSE);
    }
}

TEST(only_one_thread_is_inside)
{
    PVOID Thread[4];

    KeInitializeMutex(&Shared, 0);
    Inside = Most = 0;
    for (int i = 0; i < 4; i++)
        Thread[i] = StartThread(Contender, NULL);
    for (int i = 0; i < 4; i++)
        EndThread(Thread[i]);
    CHECK_IS(Most, 1);
    CHECK_IS(KeReadStateMutex(&Shared), 1);
}

static VOID TryIt(PVOID Context)
{
    CHECK_IS(WaitUpTo(&Shared, 0), STATUS_TIMEOUT);
    CHECK_IS(WaitUpTo(&Shared, 3 * MS), STATUS_TIMEOUT);
    CHECK(!KeAreApcsDisabled());
}

TEST(another_thread_does_not_get_a_held_mutex)
{
    KeInitializeMutex(&Shared, 0);
    WaitFor(&Shared);
    EndThread(StartThread(TryIt, NULL));
    CHECK_IS(KeReadStateMutex(&Shared), 0);
    KeReleaseMutex(&Shared, FALSE);
}

static KEVENT Got, Go;

static VOID TakeIt(PVOID Context)
{
    WaitFor(&Shared);
    KeSetEvent(&Got, 0, FALSE);
    WaitFor(&Go);
    KeReleaseMutex(&Shared, FALSE);
}

TEST(release_hands_it_to_the_waiter)
{
    PVOID Thread;

    KeInitializeEvent(&Got, NotificationEvent, FALSE);
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    KeInitializeMutex(&Shared, 0);
    WaitFor(&Shared);
    Thread = StartThread(TakeIt, NULL);
    Sleep(1 * MS);
    CHECK(!KeReadStateEvent(&Got));
    KeReleaseMutex(&Shared, FALSE);
    CHECK(Shared.OwnerThread == Thread);
    WaitFor(&Got);
    KeSetEvent(&Go, 0, FALSE);
    EndThread(Thread);
    CHECK(Shared.OwnerThread == NULL);
}

TEST(release_with_wait_waits_without_a_gap)
{
    PVOID Thread;

    KeInitializeEvent(&Got, NotificationEvent, FALSE);
    KeInitializeEvent(&Go, NotificationEvent, TRUE);
    KeInitializeMutex(&Shared, 0);
    WaitFor(&Shared);
    Thread = StartThread(TakeIt, NULL);
    Sleep(1 * MS);
    KeReleaseMutex(&Shared, TRUE);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK_IS(WaitFor(&Got), STATUS_SUCCESS);
    CHECK_IRQL(PASSIVE_LEVEL);
    EndThread(Thread);
}

TEST(two_mutexes_may_be_released_in_any_order)
{
    KMUTEX First, Second;

    KeInitializeMutex(&First, 0);
    KeInitializeMutex(&Second, 0);
    WaitFor(&First);
    WaitFor(&Second);
    KeReleaseMutex(&First, FALSE);
    CHECK(KeAreApcsDisabled());
    KeReleaseMutex(&Second, FALSE);
    CHECK(!KeAreApcsDisabled());
}

TEST(a_timeout_leaves_no_trace)
{
    KMUTEX Mutex;

    KeInitializeMutex(&Mutex, 0);
    CHECK(Taken(&Mutex));
    CHECK(Taken(&Mutex)); /* the owner gets it again, without waiting */
    KeReleaseMutex(&Mutex, FALSE);
    KeReleaseMutex(&Mutex, FALSE);
    CHECK_IS(KeReadStateMutex(&Mutex), 1);
}

CHECK_DRIVER(T(initialize_sets_the_header), T(owner_holds_it_and_normal_apcs_off), T(recursion_is_counted),
             T(only_one_thread_is_inside), T(another_thread_does_not_get_a_held_mutex),
             T(release_hands_it_to_the_waiter), T(release_with_wait_waits_without_a_gap),
             T(two_mutexes_may_be_released_in_any_order), T(a_timeout_leaves_no_trace))
