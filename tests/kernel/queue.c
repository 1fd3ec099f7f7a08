/* Kernel queues (KQUEUE): order of entries, time-outs, the limit of running threads, rundown. */
#include "check.h"

static KQUEUE Queue;
static LIST_ENTRY Entry[8];

static PLIST_ENTRY Take(LONGLONG Duration)
{
    LARGE_INTEGER Due = In(Duration);

    return KeRemoveQueue(&Queue, KernelMode, &Due);
}

static PLIST_ENTRY Rundown(void)
{
    return KeRundownQueue(&Queue);
}

TEST(entries_come_out_in_order)
{
    KeInitializeQueue(&Queue, 0);
    CHECK_IS(KeReadStateQueue(&Queue), 0);
    for (LONG i = 0; i < 4; i++)
        CHECK_IS(KeInsertQueue(&Queue, &Entry[i]), i);
    CHECK_IS(KeInsertHeadQueue(&Queue, &Entry[4]), 4);
    CHECK_IS(KeReadStateQueue(&Queue), 5);
    CHECK(Take(0) == &Entry[4]);
    for (ULONG i = 0; i < 4; i++)
        CHECK(Take(0) == &Entry[i]);
    CHECK_IS(KeReadStateQueue(&Queue), 0);
    CHECK(Rundown() == NULL);
}

TEST(an_empty_queue_times_out)
{
    LONGLONG Start = Now();

    KeInitializeQueue(&Queue, 0);
    CHECK(Take(0) == (PLIST_ENTRY)STATUS_TIMEOUT);
    CHECK(Take(4 * MS) == (PLIST_ENTRY)STATUS_TIMEOUT);
    CHECK_IS(Now() - Start, 4 * MS);
    CHECK_IRQL(PASSIVE_LEVEL);
    Rundown();
}

static LONG Served, Running, Most;
static PLIST_ENTRY Stop = (PLIST_ENTRY)STATUS_ABANDONED;

static VOID Server(PVOID Context)
{
    while (KeRemoveQueue(&Queue, KernelMode, NULL) != Stop) {
        if (InterlockedIncrement(&Running) > Most)
            Most = Running;
        InterlockedIncrement(&Served);
        for (int i = 0; i < 50; i++)
            KeStallExecutionProcessor(10);
        InterlockedDecrement(&Running);
    }
}

TEST(waiting_threads_are_served_and_rundown_ends_them)
{
    PVOID Thread[3];

    KeInitializeQueue(&Queue, 0);
    Served = Running = Most = 0;
    for (int i = 0; i < 3; i++)
        Thread[i] = StartThread(Server, NULL);
    Sleep(1 * MS);
    for (int i = 0; i < 8; i++)
        KeInsertQueue(&Queue, &Entry[i]);
    Sleep(100 * MS);
    CHECK_IS(Served, 8);
    CHECK(Most <= (LONG)KeQueryActiveProcessorCount(NULL));
    CHECK(Rundown() == NULL);
    for (int i = 0; i < 3; i++)
        EndThread(Thread[i]);
}

TEST(rundown_gives_back_what_was_left)
{
    PLIST_ENTRY First;

    KeInitializeQueue(&Queue, 1);
    KeInsertQueue(&Queue, &Entry[0]);
    KeInsertQueue(&Queue, &Entry[1]);
    First = Rundown();
    CHECK(First == &Entry[0]);
    CHECK(First->Flink == &Entry[1]);
    CHECK(First->Blink == &Entry[1]);
}

/* A thread that waits for something else makes room for another (the reason why queues exist). */
static KEVENT Block;

static VOID BlockingServer(PVOID Context)
{
    while (KeRemoveQueue(&Queue, KernelMode, NULL) != Stop) {
        InterlockedIncrement(&Served);
        WaitFor(&Block);
    }
}

TEST(a_thread_that_blocks_lets_another_run)
{
    PVOID Thread[3];

    KeInitializeQueue(&Queue, 1);
    KeInitializeEvent(&Block, NotificationEvent, FALSE);
    Served = 0;
    for (int i = 0; i < 3; i++)
        Thread[i] = StartThread(BlockingServer, NULL);
    Sleep(1 * MS);
    for (int i = 0; i < 3; i++)
        KeInsertQueue(&Queue, &Entry[i]);
    Sleep(1 * MS);
    CHECK_IS(Served, 3);
    KeSetEvent(&Block, 0, FALSE);
    Sleep(1 * MS);
    Rundown();
    for (int i = 0; i < 3; i++)
        EndThread(Thread[i]);
}

/* The limit counts running threads of this queue only while it exists: one that served and ended is not counted. */
static VOID ServeOnce(PVOID Context)
{
    KeRemoveQueue(&Queue, KernelMode, NULL);
    InterlockedIncrement(&Served);
}

TEST(a_thread_that_ends_leaves_its_queue)
{
    KeInitializeQueue(&Queue, 1);
    Served = 0;
    for (int i = 0; i < 3; i++) {
        PVOID Thread = StartThread(ServeOnce, NULL);

        KeInsertQueue(&Queue, &Entry[i]);
        CHECK_IS(WaitUpTo(Thread, 1 * SEC), STATUS_SUCCESS);
        ObDereferenceObject(Thread);
    }
    CHECK_IS(Served, 3);
    if (Served != 3) /* let them go, or the driver's end waits for them */
        Rundown();
    else
        CHECK(Rundown() == NULL);
}

/* The thread that took from a queue must not touch it after rundown: its memory may be gone. */
TEST(after_rundown_the_queue_may_be_freed)
{
    PKQUEUE Pooled = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Pooled), 'ueuQ');
    LARGE_INTEGER Zero = {.QuadPart = 0};

    if (!CHECK(Pooled != NULL))
        return;
    KeInitializeQueue(Pooled, 0);
    KeInsertQueue(Pooled, &Entry[0]);
    CHECK(KeRemoveQueue(Pooled, KernelMode, &Zero) == &Entry[0]);
    KeRundownQueue(Pooled);
    ExFreePoolWithTag(Pooled, 'ueuQ');
    Sleep(1 * MS);
    CHECK_IRQL(PASSIVE_LEVEL);
}

CHECK_DRIVER(T(entries_come_out_in_order), T(an_empty_queue_times_out),
             T(waiting_threads_are_served_and_rundown_ends_them), T(rundown_gives_back_what_was_left),
             T(a_thread_that_blocks_lets_another_run), T(a_thread_that_ends_leaves_its_queue),
             T(after_rundown_the_queue_may_be_freed))
