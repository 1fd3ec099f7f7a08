/* Several processors: DPCs with a target, affinity, spin locks between processors, interlocked counting. Runs with 4.
 */
#include "check.h"

#define MANY 4
static ULONG On[64];
static LONG Ran;

static VOID WhereDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHECK_IRQL(DISPATCH_LEVEL);
    On[(ULONG_PTR)Context] = KeGetCurrentProcessorNumber();
    InterlockedIncrement(&Ran);
}

TEST(four_processors_are_active)
{
    KAFFINITY Active;

    CHECK_IS(KeQueryActiveProcessorCount(&Active), MANY);
    CHECK_IS(Active, (1 << MANY) - 1);
    CHECK_IS(KeQueryActiveProcessors(), (1 << MANY) - 1);
    CHECK_IS(KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS), MANY);
    CHECK(KeQueryMaximumProcessorCountEx(0) >= MANY); /* more may be added */
    CHECK(KeGetCurrentProcessorNumber() < MANY);
    CHECK_IS(KeGetCurrentProcessorNumberEx(NULL), KeGetCurrentProcessorNumber());
}

TEST(one_node_has_them_all)
{
    GROUP_AFFINITY Affinity[2];
    USHORT Count = 99;

    CHECK_IS(KeQueryNodeActiveProcessorCount(0), MANY);
    CHECK_IS(KeQueryNodeActiveProcessorCount(1), 0);
    CHECK_IS(KeQueryNodeActiveProcessorCount(0xffff), 0);
    RtlFillMemory(Affinity, sizeof(Affinity), 0xaa);
    CHECK_IS(KeQueryNodeActiveAffinity2(0, Affinity, 2, &Count), STATUS_SUCCESS);
    CHECK_IS(Count, 1);
    CHECK_IS(Affinity[0].Mask, (1 << MANY) - 1);
    CHECK_IS(Affinity[0].Group, 0);
    CHECK_IS(Affinity[1].Mask, 0xaaaaaaaaaaaaaaaa); /* no more than there is */
    Count = 99;
    CHECK_IS(KeQueryNodeActiveAffinity2(0, NULL, 0, &Count), STATUS_BUFFER_TOO_SMALL);
    CHECK_IS(Count, 1);
    CHECK_IS(KeQueryNodeActiveAffinity2(1, Affinity, 2, &Count), STATUS_INVALID_PARAMETER);
}

TEST(a_dpc_runs_on_its_target_processor)
{
    KDPC Dpc[MANY];

    Ran = 0;
    for (ULONG_PTR i = 0; i < MANY; i++) {
        On[i] = 99;
        KeInitializeDpc(&Dpc[i], WhereDpc, (PVOID)i);
        KeSetTargetProcessorDpc(&Dpc[i], (CCHAR)i);
        CHECK(KeInsertQueueDpc(&Dpc[i], NULL, NULL));
    }
    Sleep(1 * MS);
    CHECK_IS(Ran, MANY);
    for (ULONG i = 0; i < MANY; i++)
        CHECK_IS(On[i], i);
}

TEST(flush_waits_for_all_processors)
{
    KDPC Dpc[MANY];

    Ran = 0;
    for (ULONG_PTR i = 0; i < MANY; i++) {
        KeInitializeDpc(&Dpc[i], WhereDpc, (PVOID)i);
        KeSetTargetProcessorDpc(&Dpc[i], (CCHAR)i);
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    }
    KeFlushQueuedDpcs();
    CHECK_IS(Ran, MANY);
}

TEST(a_timer_dpc_runs_on_its_target_processor)
{
    KTIMER Timer;
    KDPC Dpc;

    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, WhereDpc, (PVOID)0);
    KeSetTargetProcessorDpc(&Dpc, 2);
    KeSetTimer(&Timer, In(1 * MS), &Dpc);
    Sleep(2 * MS);
    CHECK_IS(On[0], 2);
}

static VOID Affine(PVOID Number)
{
    ULONG Cpu = (ULONG)(ULONG_PTR)Number;

    KeSetSystemAffinityThread((KAFFINITY)1 << Cpu);
    for (int i = 0; i < 10; i++) {
        CHECK_IS(KeGetCurrentProcessorNumber(), Cpu);
        Sleep(1 * MS);
    }
    KeRevertToUserAffinityThread();
}

TEST(affinity_is_kept)
{
    PVOID Thread[MANY];

    for (ULONG_PTR i = 0; i < MANY; i++)
        Thread[i] = StartThread(Affine, (PVOID)i);
    for (ULONG i = 0; i < MANY; i++)
        EndThread(Thread[i]);
}

TEST(set_affinity_gives_the_old_one_to_revert_to)
{
    KAFFINITY First = KeSetSystemAffinityThreadEx(2), Second;

    CHECK_IS(First, 0);
    CHECK_IS(KeGetCurrentProcessorNumber(), 1);
    Second = KeSetSystemAffinityThreadEx(8);
    CHECK_IS(Second, 2);
    CHECK_IS(KeGetCurrentProcessorNumber(), 3);
    KeRevertToUserAffinityThreadEx(Second);
    CHECK_IS(KeGetCurrentProcessorNumber(), 1);
    KeRevertToUserAffinityThreadEx(First);
}

/* docs: KeSetSystemAffinityThreadEx: the previous system affinity, or 0 if there was none; all processors are one, too. */
TEST(a_system_affinity_of_all_is_not_none)
{
    KAFFINITY All = KeQueryActiveProcessors();

    KeRevertToUserAffinityThreadEx(2); /* nothing was set: nothing to revert */
    CHECK_IS(KeSetSystemAffinityThreadEx(All), 0);
    CHECK_IS(KeSetSystemAffinityThreadEx(1), All);
    CHECK_IS(KeSetSystemAffinityThreadEx(~(KAFFINITY)0), 1);
    KeRevertToUserAffinityThreadEx(All);
    CHECK_IS(KeSetSystemAffinityThreadEx(1), All);
    KeRevertToUserAffinityThreadEx(0);
    CHECK_IS(KeSetSystemAffinityThreadEx(1), 0);
    KeRevertToUserAffinityThreadEx((KAFFINITY)1 << 40); /* no active processor: as without any */
    CHECK_IS(KeGetCurrentProcessorNumber(), 0);
    KeRevertToUserAffinityThreadEx(0);
}

static KSPIN_LOCK Lock;
static LONG Count, Most, Inside;

static VOID Locker(PVOID Number)
{
    KeSetSystemAffinityThread((KAFFINITY)1 << (ULONG_PTR)Number);
    for (int i = 0; i < 1000; i++) {
        KIRQL Old;

        KeAcquireSpinLock(&Lock, &Old);
        if (++Inside > Most)
            Most = Inside;
        Count++;
        if (i % 50 == 0)
            YieldProcessor(); /* a place where another processor goes on: it must find the lock held */
        Inside--;
        KeReleaseSpinLock(&Lock, Old);
        if (i % 30 == 0)
            YieldProcessor();
    }
}

TEST(a_spin_lock_excludes_the_other_processors)
{
    PVOID Thread[MANY];

    KeInitializeSpinLock(&Lock);
    Count = Most = Inside = 0;
    for (ULONG_PTR i = 0; i < MANY; i++)
        Thread[i] = StartThread(Locker, (PVOID)i);
    for (ULONG i = 0; i < MANY; i++)
        EndThread(Thread[i]);
    CHECK_IS(Count, 1000 * MANY);
    CHECK_IS(Most, 1);
}

/* DISPATCH_LEVEL stops one processor only: a DPC of another runs meanwhile. */
TEST(dispatch_level_does_not_stop_other_processors)
{
    KDPC Dpc;
    ULONG Rounds = 0;
    KIRQL Old;

    KeSetSystemAffinityThread(1);
    KeInitializeDpc(&Dpc, WhereDpc, (PVOID)0);
    KeSetTargetProcessorDpc(&Dpc, 3);
    Ran = 0;
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    while (!*(volatile LONG *)&Ran && Rounds++ < 10000)
        YieldProcessor();
    CHECK_IS(Ran, 1);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeLowerIrql(Old);
    KeRevertToUserAffinityThread();
}

/* DPCs of different processors that spin for one lock: each must get it. */
static VOID LockingDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeAcquireSpinLockAtDpcLevel(&Lock);
    for (int i = 0; i < 3; i++)
        YieldProcessor();
    On[(ULONG_PTR)Context] = KeGetCurrentProcessorNumber();
    KeReleaseSpinLockFromDpcLevel(&Lock);
    InterlockedIncrement(&Ran);
}

TEST(dpcs_on_all_processors_share_a_lock)
{
    KDPC Dpc[MANY];

    KeInitializeSpinLock(&Lock);
    Ran = 0;
    for (ULONG_PTR i = 0; i < MANY; i++) {
        KeInitializeDpc(&Dpc[i], LockingDpc, (PVOID)i);
        KeSetTargetProcessorDpc(&Dpc[i], (CCHAR)(MANY - 1 - i));
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    }
    Sleep(1 * MS);
    CHECK_IS(Ran, MANY);
    for (ULONG i = 0; i < MANY; i++)
        CHECK_IS(On[i], MANY - 1 - i);
    KeFlushQueuedDpcs();
}

/* A thread's turn on one processor does not depend on what another is doing. */
static volatile LONG Flag;

static VOID RaiseFlag(PVOID Context)
{
    Flag = 1;
}

TEST(an_idle_processor_takes_a_ready_thread)
{
    PVOID Thread;
    KIRQL Old;
    ULONG Rounds = 0;

    Flag = 0;
    KeEnterCriticalRegion();
    Thread = StartThread(RaiseFlag, NULL);
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    while (!Flag && Rounds++ < 10000)
        YieldProcessor();
    CHECK(Flag);
    KeLowerIrql(Old);
    KeLeaveCriticalRegion();
    EndThread(Thread);
}

/* docs: KeQueryPerformanceCounter: one counter for all processors. */
TEST(the_performance_counter_never_goes_back)
{
    LONGLONG Last = KeQueryPerformanceCounter(NULL).QuadPart, Now;

    for (int Round = 0; Round < 200; Round++)
        for (ULONG i = 0; i < KeQueryActiveProcessorCount(NULL); i++) {
            KeSetSystemAffinityThread((KAFFINITY)1 << i);
            CHECK_IS(KeGetCurrentProcessorNumber(), i);
            Now = KeQueryPerformanceCounter(NULL).QuadPart;
            CHECK(Now >= Last);
            Last = Now;
        }
    KeRevertToUserAffinityThread();
}

CHECK_DRIVER(T(the_performance_counter_never_goes_back), T(four_processors_are_active), T(one_node_has_them_all),
             T(a_dpc_runs_on_its_target_processor), T(flush_waits_for_all_processors),
             T(a_timer_dpc_runs_on_its_target_processor), T(affinity_is_kept),
             T(set_affinity_gives_the_old_one_to_revert_to), T(a_system_affinity_of_all_is_not_none),
             T(a_spin_lock_excludes_the_other_processors), T(dispatch_level_does_not_stop_other_processors),
             T(dpcs_on_all_processors_share_a_lock), T(an_idle_processor_takes_a_ready_thread))
