/* Semaphores: counting, waking as many as were released. */
#include "check.h"

TEST(initialize_sets_the_header)
{
    KSEMAPHORE Semaphore;

    RtlFillMemory(&Semaphore, sizeof(Semaphore), 0x55);
    KeInitializeSemaphore(&Semaphore, 3, 7);
    CHECK_IS(Semaphore.Header.Type, 5);
    CHECK_IS(KeReadStateSemaphore(&Semaphore), 3);
    CHECK_IS(Semaphore.Limit, 7);
    CHECK(IsListEmpty(&Semaphore.Header.WaitListHead));
}

TEST(each_wait_takes_one)
{
    KSEMAPHORE Semaphore;

    KeInitializeSemaphore(&Semaphore, 3, 3);
    for (LONG i = 3; i > 0; i--) {
        CHECK_IS(KeReadStateSemaphore(&Semaphore), i);
        CHECK(Taken(&Semaphore));
    }
    CHECK(!Taken(&Semaphore));
    CHECK_IS(KeReadStateSemaphore(&Semaphore), 0);
}

TEST(release_gives_the_old_count)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KSEMAPHORE Semaphore;
        KIRQL Old;

        KeInitializeSemaphore(&Semaphore, 0, 10);
        Old = KfRaiseIrql(Level);
        CHECK_IS(KeReleaseSemaphore(&Semaphore, 0, 1, FALSE), 0);
        CHECK_IS(KeReleaseSemaphore(&Semaphore, 0, 5, FALSE), 1);
        CHECK_IS(KeReleaseSemaphore(&Semaphore, 0, 4, FALSE), 6);
        CHECK_IS(KeReadStateSemaphore(&Semaphore), 10);
        CHECK_IRQL(Level);
        KeLowerIrql(Old);
    }
}

static KSEMAPHORE Shared;
static LONG Woken;

static VOID Waiter(PVOID Context)
{
    CHECK_IS(WaitFor(&Shared), STATUS_SUCCESS);
    InterlockedIncrement(&Woken);
}

TEST(release_wakes_as_many_as_it_adds)
{
    PVOID Thread[6];

    KeInitializeSemaphore(&Shared, 0, 100);
    Woken = 0;
    for (int i = 0; i < 6; i++)
        Thread[i] = StartThread(Waiter, NULL);
    Sleep(1 * MS);
    CHECK_IS(KeReleaseSemaphore(&Shared, 0, 2, FALSE), 0);
    Sleep(1 * MS);
    CHECK_IS(Woken, 2);
    CHECK_IS(KeReadStateSemaphore(&Shared), 0);
    KeReleaseSemaphore(&Shared, 0, 7, FALSE);
    for (int i = 0; i < 6; i++)
        EndThread(Thread[i]);
    CHECK_IS(Woken, 6);
    CHECK_IS(KeReadStateSemaphore(&Shared), 3);
}

static LONG Produced, Consumed;

static VOID Consumer(PVOID Context)
{
    for (int i = 0; i < 100; i++) {
        WaitFor(&Shared);
        CHECK(Produced > Consumed);
        Consumed++;
    }
}

TEST(no_release_is_lost)
{
    PVOID Thread;

    KeInitializeSemaphore(&Shared, 0, 1000);
    Produced = Consumed = 0;
    Thread = StartThread(Consumer, NULL);
    for (int i = 0; i < 100; i++) {
        Produced++;
        KeReleaseSemaphore(&Shared, 0, 1, FALSE);
        if (i % 7 == 0)
            Sleep(1 * US);
    }
    EndThread(Thread);
    CHECK_IS(Consumed, 100);
    CHECK_IS(KeReadStateSemaphore(&Shared), 0);
}

TEST(release_with_wait_waits_without_a_gap)
{
    PVOID Thread;

    KeInitializeSemaphore(&Shared, 0, 10);
    Woken = 0;
    Thread = StartThread(Waiter, NULL);
    Sleep(1 * MS);
    KeReleaseSemaphore(&Shared, 0, 1, TRUE);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK_IS(WaitFor(Thread), STATUS_SUCCESS);
    CHECK_IRQL(PASSIVE_LEVEL);
    CHECK_IS(Woken, 1);
    ObDereferenceObject(Thread);
}

CHECK_DRIVER(T(initialize_sets_the_header), T(each_wait_takes_one), T(release_gives_the_old_count),
             T(release_wakes_as_many_as_it_adds), T(no_release_is_lost), T(release_with_wait_waits_without_a_gap))
