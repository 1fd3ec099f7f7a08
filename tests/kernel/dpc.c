/* DPC objects: their fields, when they run, in which order, with which arguments. */
#include "check.h"

static ULONG Order[16], Runs;
static PVOID SeenContext, Seen1, Seen2;
static PKDPC SeenDpc;
static KIRQL SeenIrql;

static VOID NoteDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    SeenDpc = Dpc;
    SeenContext = Context;
    Seen1 = Argument1;
    Seen2 = Argument2;
    SeenIrql = KeGetCurrentIrql();
    Order[Runs++ & 15] = (ULONG)(ULONG_PTR)Context;
}

#define CONTEXT_OF(n) ((PVOID)(ULONG_PTR)(n))

TEST(initialize_sets_the_public_fields)
{
    KDPC Dpc;

    RtlFillMemory(&Dpc, sizeof(Dpc), 0x55);
    KeInitializeDpc(&Dpc, NoteDpc, &Dpc);
    CHECK_IS(Dpc.Type, 19); /* DpcObject */
    CHECK_IS(Dpc.Importance, MediumImportance);
    CHECK_IS(Dpc.Number, 0);
    CHECK(Dpc.DeferredRoutine == NoteDpc);
    CHECK(Dpc.DeferredContext == &Dpc);
    CHECK(Dpc.DpcData == NULL);
}

TEST(dpc_runs_at_dispatch_level_with_its_arguments)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, NoteDpc, CONTEXT_OF(7));
    Runs = 0;
    CHECK(KeInsertQueueDpc(&Dpc, CONTEXT_OF(0x1234567812345678), CONTEXT_OF(-1LL)));
    CHECK_IS(Runs, 1);
    CHECK_IS(SeenIrql, DISPATCH_LEVEL);
    CHECK(SeenDpc == &Dpc);
    CHECK(SeenContext == CONTEXT_OF(7));
    CHECK(Seen1 == CONTEXT_OF(0x1234567812345678));
    CHECK(Seen2 == CONTEXT_OF(-1LL));
    CHECK(Dpc.DpcData == NULL);
}

TEST(dpc_runs_before_insert_returns_below_dispatch)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    for (KIRQL Level = PASSIVE_LEVEL; Level <= APC_LEVEL; Level++) {
        KIRQL Old = KfRaiseIrql(Level);

        Runs = 0;
        KeInsertQueueDpc(&Dpc, NULL, NULL);
        CHECK_IS(Runs, 1);
        CHECK_IS(SeenIrql, DISPATCH_LEVEL);
        CHECK_IRQL(Level);
        KeLowerIrql(Old);
    }
}

TEST(dpc_waits_while_the_level_is_dispatch_or_above)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    for (KIRQL Level = DISPATCH_LEVEL; Level <= HIGH_LEVEL; Level++) {
        KIRQL Old = KfRaiseIrql(Level);

        Runs = 0;
        CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
        CHECK_IRQL(Level);
        CHECK(Dpc.DpcData != NULL);
        KeLowerIrql(DISPATCH_LEVEL);
        CHECK_IS(Runs, 0);
        KeLowerIrql(Old);
        CHECK_IS(Runs, 1);
    }
}

TEST(second_insert_fails_and_keeps_the_arguments)
{
    KDPC Dpc;
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);

    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    Runs = 0;
    CHECK(KeInsertQueueDpc(&Dpc, CONTEXT_OF(1), CONTEXT_OF(2)));
    CHECK(!KeInsertQueueDpc(&Dpc, CONTEXT_OF(3), CONTEXT_OF(4)));
    KeLowerIrql(Old);
    CHECK_IS(Runs, 1);
    CHECK(Seen1 == CONTEXT_OF(1) && Seen2 == CONTEXT_OF(2));
}

TEST(remove_says_whether_it_was_queued)
{
    KDPC Dpc;
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);

    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    Runs = 0;
    CHECK(!KeRemoveQueueDpc(&Dpc));
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    CHECK(KeRemoveQueueDpc(&Dpc));
    CHECK(Dpc.DpcData == NULL);
    CHECK(!KeRemoveQueueDpc(&Dpc));
    KeLowerIrql(Old);
    CHECK_IS(Runs, 0);
    CHECK(!KeRemoveQueueDpc(&Dpc));
}

TEST(dpcs_run_in_the_order_of_insertion)
{
    KDPC Dpc[5];
    KIRQL Old = KfRaiseIrql(HIGH_LEVEL);

    Runs = 0;
    for (ULONG i = 0; i < 5; i++) {
        KeInitializeDpc(&Dpc[i], NoteDpc, CONTEXT_OF(i));
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    }
    KeLowerIrql(Old);
    CHECK_IS(Runs, 5);
    for (ULONG i = 0; i < 5; i++)
        CHECK_IS(Order[i], i);
}

TEST(high_importance_goes_to_the_front)
{
    KDPC Dpc[4];
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);

    Runs = 0;
    for (ULONG i = 0; i < 4; i++)
        KeInitializeDpc(&Dpc[i], NoteDpc, CONTEXT_OF(i));
    KeSetImportanceDpc(&Dpc[1], LowImportance);
    KeSetImportanceDpc(&Dpc[2], HighImportance);
    KeSetImportanceDpc(&Dpc[3], MediumHighImportance);
    for (ULONG i = 0; i < 4; i++)
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    KeLowerIrql(Old);
    CHECK_IS(Runs, 4);
    CHECK_IS(Order[0], 2);
    CHECK_IS(Order[1], 0);
    CHECK_IS(Order[2], 1);
    CHECK_IS(Order[3], 3);
}

/* A DPC that queues itself again runs again, before the level falls. */
static VOID AgainDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHECK_IRQL(DISPATCH_LEVEL);
    if (++Runs < 5)
        CHECK(KeInsertQueueDpc(Dpc, NULL, NULL));
}

TEST(a_dpc_may_queue_itself)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, AgainDpc, NULL);
    Runs = 0;
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    CHECK_IS(Runs, 5);
}

/* One DPC is not interrupted by another: the second waits for the first to return. */
static KDPC Second;

static VOID FirstDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Order[Runs++] = 1;
    KeInsertQueueDpc(&Second, NULL, NULL);
    CHECK_IS(Runs, 1);
    KfRaiseIrql(HIGH_LEVEL);
    KeLowerIrql(DISPATCH_LEVEL);
    CHECK_IS(Runs, 1);
}

TEST(dpcs_do_not_nest)
{
    KDPC First;

    KeInitializeDpc(&First, FirstDpc, NULL);
    KeInitializeDpc(&Second, NoteDpc, CONTEXT_OF(2));
    Runs = 0;
    KeInsertQueueDpc(&First, NULL, NULL);
    CHECK_IS(Runs, 2);
    CHECK_IS(Order[1], 2);
}

/* A DPC may free its own object: the kernel doesn't touch it after the call. */
static VOID FreeingDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    ExFreePoolWithTag(Dpc, 'cpdT');
    Runs++;
}

TEST(a_dpc_may_free_itself)
{
    PKDPC Dpc = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Dpc), 'cpdT');

    Runs = 0;
    if (!CHECK(Dpc != NULL))
        return;
    KeInitializeDpc(Dpc, FreeingDpc, NULL);
    KeInsertQueueDpc(Dpc, NULL, NULL);
    CHECK_IS(Runs, 1);
}

TEST(flush_returns_when_all_have_run)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    KeSetTargetProcessorDpc(&Dpc, (CCHAR)(KeQueryActiveProcessorCount(NULL) - 1));
    Runs = 0;
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    KeFlushQueuedDpcs();
    CHECK_IS(Runs, 1);
}

/* The thread that a DPC interrupts is the current one there; its priority does not matter. */
static PVOID SeenThread;

static VOID ThreadDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    SeenThread = KeGetCurrentThread();
}

TEST(a_dpc_runs_in_the_context_of_the_interrupted_thread)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, ThreadDpc, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    CHECK(SeenThread == KeGetCurrentThread());
}

static VOID SetEventDpc(PKDPC Dpc, PVOID Event, PVOID Argument1, PVOID Argument2)
{
    CHECK_IS(KeSetEvent(Event, IO_NO_INCREMENT, FALSE), 0);
    CHECK_IRQL(DISPATCH_LEVEL);
}

TEST(a_dpc_wakes_a_thread)
{
    KDPC Dpc;
    KEVENT Event;
    KTIMER Timer;

    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    KeInitializeDpc(&Dpc, SetEventDpc, &Event);
    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, In(1 * MS), &Dpc);
    CHECK_IS(WaitFor(&Event), STATUS_SUCCESS);
    CHECK_IRQL(PASSIVE_LEVEL);
}

CHECK_DRIVER(T(initialize_sets_the_public_fields), T(dpc_runs_at_dispatch_level_with_its_arguments),
             T(dpc_runs_before_insert_returns_below_dispatch), T(dpc_waits_while_the_level_is_dispatch_or_above),
             T(second_insert_fails_and_keeps_the_arguments), T(remove_says_whether_it_was_queued),
             T(dpcs_run_in_the_order_of_insertion), T(high_importance_goes_to_the_front), T(a_dpc_may_queue_itself),
             T(dpcs_do_not_nest), T(a_dpc_may_free_itself), T(flush_returns_when_all_have_run),
             T(a_dpc_runs_in_the_context_of_the_interrupted_thread), T(a_dpc_wakes_a_thread))
