/* DPCs in full: what their importance begins, threaded ones, targets, flushing and removing on all processors, and what
 * the watchdog says. Written for any number of processors. */
#include "check.h"

NTKERNELAPI BOOLEAN NTAPI KeRemoveQueueDpcEx(PRKDPC Dpc, BOOLEAN WaitIfActive);
NTKERNELAPI LOGICAL NTAPI KeIsExecutingDpc(VOID);
NTKERNELAPI LOGICAL NTAPI KeShouldYieldProcessor(VOID);

static ULONG Order[16], Runs;
static KIRQL SeenIrql;
static ULONG SeenProcessor;

static VOID NoteDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    SeenIrql = KeGetCurrentIrql();
    SeenProcessor = KeGetCurrentProcessorNumberEx(NULL);
    Order[Runs++ & 15] = (ULONG)(ULONG_PTR)Context;
}

static VOID Initialize(PKDPC Dpc, ULONG_PTR Number, KDPC_IMPORTANCE Importance)
{
    KeInitializeDpc(Dpc, NoteDpc, (PVOID)Number);
    KeSetImportanceDpc(Dpc, Importance);
}

TEST(a_dpc_of_low_importance_begins_nothing)
{
    KDPC Low, Medium;

    Initialize(&Low, 1, LowImportance);
    Initialize(&Medium, 2, MediumImportance);
    Runs = 0;
    CHECK(KeInsertQueueDpc(&Low, NULL, NULL));
    CHECK_IS(Runs, 0);
    CHECK(!KeInsertQueueDpc(&Low, NULL, NULL));
    CHECK(KeInsertQueueDpc(&Medium, NULL, NULL)); /* begins with the queue, so the other runs too, and first */
    CHECK_IS(Runs, 2);
    CHECK_IS(Order[0], 1);
    CHECK_IS(Order[1], 2);
}

TEST(a_dpc_of_low_importance_runs_when_the_processor_is_idle)
{
    KDPC Low;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);

    Initialize(&Low, 1, LowImportance);
    Runs = 0;
    KeInsertQueueDpc(&Low, NULL, NULL);
    CHECK_IS(Runs, 0);
    Sleep(1 * MS);
    CHECK_IS(Runs, 1);
    KeRevertToUserAffinityThreadEx(Old);
}

TEST(a_dpc_of_low_importance_runs_at_the_next_tick)
{
    KDPC Low;

    Initialize(&Low, 1, LowImportance);
    Runs = 0;
    KeInsertQueueDpc(&Low, NULL, NULL);
    CHECK_IS(Runs, 0);
    for (int i = 0; i < 16 && !Runs; i++)
        KeStallExecutionProcessor(1000);
    CHECK_IS(Runs, 1);
}

TEST(many_dpcs_of_low_importance_begin_the_queue)
{
    KDPC Low[8];

    Runs = 0;
    for (ULONG i = 0; i < 8; i++) {
        Initialize(&Low[i], i, LowImportance);
        KeInsertQueueDpc(&Low[i], NULL, NULL);
    }
    CHECK(Runs >= 4);
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, 8);
    for (ULONG i = 0; i < 8; i++)
        CHECK_IS(Order[i], i);
}

TEST(removing_works_from_every_processor)
{
    KDPC Dpc;
    ULONG Last = KeQueryActiveProcessorCount(NULL) - 1;
    KIRQL Old;

    Initialize(&Dpc, 1, LowImportance);
    Runs = 0;
    KeSetTargetProcessorDpc(&Dpc, (CCHAR)Last);
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    CHECK(KeRemoveQueueDpc(&Dpc));
    CHECK(!KeRemoveQueueDpc(&Dpc));
    KeLowerIrql(Old);
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, 0);
}

TEST(a_target_by_number_and_group)
{
    KDPC Dpc;
    PROCESSOR_NUMBER Number = {0};
    ULONG Last = KeQueryActiveProcessorCount(NULL) - 1;

    Initialize(&Dpc, 1, MediumHighImportance);
    Number.Number = 64;
    CHECK_IS(KeSetTargetProcessorDpcEx(&Dpc, &Number), STATUS_INVALID_PARAMETER);
    Number.Number = (UCHAR)Last;
    Number.Group = 1;
    CHECK_IS(KeSetTargetProcessorDpcEx(&Dpc, &Number), STATUS_INVALID_PARAMETER);
    Number.Group = 0;
    CHECK_IS(KeSetTargetProcessorDpcEx(&Dpc, &Number), STATUS_SUCCESS);
    Runs = 0;
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, 1);
    CHECK_IS(SeenProcessor, Last);
}

/* ---- Threaded DPCs ------------------------------------------------------------------------------------------------- */

static KDPC Ordinary;

static VOID ThreadedDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KSPIN_LOCK Lock;
    KIRQL Irql;

    SeenIrql = KeGetCurrentIrql();
    SeenProcessor = KeGetCurrentProcessorNumberEx(NULL);
    CHECK_IS(KeQueryPriorityThread((PKTHREAD)KeGetCurrentThread()), HIGH_PRIORITY);
    KeInitializeSpinLock(&Lock);
    Irql = KeAcquireSpinLockForDpc(&Lock);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeReleaseSpinLockForDpc(&Lock, Irql);
    CHECK_IRQL(PASSIVE_LEVEL);
    if (Context) {
        KeInsertQueueDpc(&Ordinary, NULL, NULL); /* comes in between */
        CHECK_IS(Order[Runs - 1], 7);
    }
    Order[Runs++ & 15] = 100;
}

TEST(a_threaded_dpc_runs_at_passive_level_on_its_processor)
{
    KDPC Dpc;
    ULONG Last = KeQueryActiveProcessorCount(NULL) - 1;

    RtlFillMemory(&Dpc, sizeof(Dpc), 0x55);
    KeInitializeThreadedDpc(&Dpc, ThreadedDpc, NULL);
    CHECK_IS(Dpc.Type, 24); /* ThreadedDpcObject */
    Runs = 0;
    SeenIrql = HIGH_LEVEL;
    KeSetTargetProcessorDpc(&Dpc, (CCHAR)Last);
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, 1);
    CHECK_IS(SeenIrql, PASSIVE_LEVEL);
    CHECK_IS(SeenProcessor, Last);
}

TEST(a_threaded_dpc_comes_before_every_other_thread_of_its_processor)
{
    KDPC Dpc;

    KeInitializeThreadedDpc(&Dpc, ThreadedDpc, NULL);
    Runs = 0;
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    CHECK_IS(Runs, 1); /* it has no target: it was this processor's */
}

TEST(an_ordinary_dpc_interrupts_a_threaded_one)
{
    KDPC Dpc;

    KeInitializeThreadedDpc(&Dpc, ThreadedDpc, &Dpc);
    KeInitializeDpc(&Ordinary, NoteDpc, (PVOID)7);
    Runs = 0;
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, 2);
    CHECK_IS(Order[0], 7);
    CHECK_IS(Order[1], 100);
}

TEST(a_threaded_dpc_queued_at_high_level_waits_for_the_level_to_fall)
{
    KDPC Dpc;
    KIRQL Old = KfRaiseIrql(HIGH_LEVEL);

    KeInitializeThreadedDpc(&Dpc, ThreadedDpc, NULL);
    Runs = 0;
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    CHECK(!KeInsertQueueDpc(&Dpc, NULL, NULL));
    KeLowerIrql(DISPATCH_LEVEL);
    CHECK_IS(Runs, 0);
    CHECK(KeRemoveQueueDpc(&Dpc));
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    KeLowerIrql(Old);
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, 1);
}

TEST(a_timer_may_have_a_threaded_dpc)
{
    KTIMER Timer;
    KDPC Dpc;

    KeInitializeThreadedDpc(&Dpc, ThreadedDpc, NULL);
    KeInitializeTimer(&Timer);
    Runs = 0;
    SeenIrql = HIGH_LEVEL;
    KeSetTimer(&Timer, In(1 * MS), &Dpc);
    Sleep(2 * MS);
    CHECK_IS(Runs, 1);
    CHECK_IS(SeenIrql, PASSIVE_LEVEL);
}

/* ---- Flushing --------------------------------------------------------------------------------------------------------- */

static VOID AgainDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    if (*(volatile BOOLEAN *)Context)
        KeInsertQueueDpc(Dpc, NULL, NULL);
    Runs++;
}

/* Flushing waits for what is queued, not for what such a DPC queues meanwhile: else this would go on for ever. */
TEST(flush_does_not_wait_for_what_comes_later)
{
    static volatile BOOLEAN Again;
    static KDPC Dpc;

    Again = TRUE;
    Runs = 0;
    KeInitializeDpc(&Dpc, AgainDpc, (PVOID)&Again);
    KeSetTargetProcessorDpc(&Dpc, (CCHAR)(KeQueryActiveProcessorCount(NULL) - 1));
    if (KeQueryActiveProcessorCount(NULL) == 1)
        return; /* such a DPC leaves nobody else the only processor */
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeFlushQueuedDpcs();
    CHECK(Runs >= 1);
    CHECK(Again);
    Again = FALSE;
    KeFlushQueuedDpcs();
    KeRevertToUserAffinityThreadEx(Old);
}

TEST(flush_waits_for_low_importance_on_all_processors)
{
    static KDPC Dpc[64];
    ULONG Count = KeQueryActiveProcessorCount(NULL);

    Runs = 0;
    for (ULONG i = 0; i < Count; i++) {
        Initialize(&Dpc[i], i, LowImportance);
        KeSetTargetProcessorDpc(&Dpc[i], (CCHAR)i);
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    }
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, Count);
    for (ULONG i = 0; i < Count; i++)
        CHECK(!Dpc[i].DpcData);
}

TEST(remove_ex_waits_for_a_call_under_way)
{
    KDPC Dpc;

    Initialize(&Dpc, 1, LowImportance);
    Runs = 0;
    CHECK(!KeRemoveQueueDpcEx(&Dpc, TRUE));
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    CHECK(KeRemoveQueueDpcEx(&Dpc, TRUE));
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, 0);
}

/* ---- The watchdog ------------------------------------------------------------------------------------------------------ */

static KDPC_WATCHDOG_INFORMATION Seen, Later;
static LOGICAL Yield, YieldLater;

static VOID WatchedDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHECK(KeIsExecutingDpc());
    CHECK_IS(KeQueryDpcWatchdogInformation(&Seen), STATUS_SUCCESS);
    Yield = KeShouldYieldProcessor();
    for (int i = 0; i < 15625 * 800; i += 15625 * 80) /* 800 of 1280 ticks */
        KeStallExecutionProcessor(15625 * 80);
    CHECK_IS(KeQueryDpcWatchdogInformation(&Later), STATUS_SUCCESS);
    YieldLater = KeShouldYieldProcessor();
    Runs++;
}

TEST(the_watchdog_counts_virtual_time)
{
    KDPC Dpc;
    KIRQL Old;

    Old = KfRaiseIrql(DISPATCH_LEVEL);
    CHECK(!KeIsExecutingDpc());
    CHECK_IS(KeQueryDpcWatchdogInformation(&Seen), STATUS_UNSUCCESSFUL);
    KeLowerIrql(Old);
    KeInitializeDpc(&Dpc, WatchedDpc, NULL);
    Runs = 0;
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    CHECK_IS(Runs, 1);
    CHECK_IS(Seen.DpcTimeLimit, 1280);
    CHECK_IS(Seen.DpcWatchdogLimit, 7680);
    CHECK_IS(Seen.DpcTimeCount, 1280);
    CHECK(Later.DpcTimeCount == 480 || Later.DpcTimeCount == 479); /* calls cost a little as well */
    CHECK_IS(Seen.DpcWatchdogCount - Later.DpcWatchdogCount, Seen.DpcTimeCount - Later.DpcTimeCount);
    CHECK(!Yield);
    CHECK(YieldLater);
}

/* Two hundred seconds under a lock, but never long at a time: no finding. */
TEST(the_count_begins_anew_when_the_level_falls)
{
    KSPIN_LOCK Lock;
    KIRQL Old;

    KeInitializeSpinLock(&Lock);
    for (int i = 0; i < 100; i++) {
        KeAcquireSpinLock(&Lock, &Old);
        for (int j = 0; j < 20; j++)
            KeStallExecutionProcessor(100000);
        KeReleaseSpinLock(&Lock, Old);
    }
    CHECK_IRQL(PASSIVE_LEVEL);
}

CHECK_DRIVER(T(a_dpc_of_low_importance_begins_nothing), T(a_dpc_of_low_importance_runs_when_the_processor_is_idle),
             T(a_dpc_of_low_importance_runs_at_the_next_tick), T(many_dpcs_of_low_importance_begin_the_queue),
             T(removing_works_from_every_processor), T(a_target_by_number_and_group),
             T(a_threaded_dpc_runs_at_passive_level_on_its_processor),
             T(a_threaded_dpc_comes_before_every_other_thread_of_its_processor),
             T(an_ordinary_dpc_interrupts_a_threaded_one),
             T(a_threaded_dpc_queued_at_high_level_waits_for_the_level_to_fall), T(a_timer_may_have_a_threaded_dpc),
             T(flush_does_not_wait_for_what_comes_later), T(flush_waits_for_low_importance_on_all_processors),
             T(remove_ex_waits_for_a_call_under_way), T(the_watchdog_counts_virtual_time),
             T(the_count_begins_anew_when_the_level_falls))
