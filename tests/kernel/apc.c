/* Kernel APCs, critical and guarded regions. */
#include "check.h"

/* Exported and not in every version of the headers. */
typedef enum { Original, Attached, Current } ENVIRONMENT;
NTKERNELAPI VOID NTAPI KeInitializeApc(PRKAPC, PRKTHREAD, ENVIRONMENT, PVOID, PVOID, PVOID, KPROCESSOR_MODE, PVOID);
NTKERNELAPI BOOLEAN NTAPI KeInsertQueueApc(PRKAPC, PVOID, PVOID, KPRIORITY);

static KAPC Apc, Other;
static ULONG KernelRan, NormalRan, Order[8], Steps;
static PVOID Saw[3];

static VOID NTAPI KernelRoutine(PKAPC Which, PVOID *Normal, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
    CHECK_IRQL(APC_LEVEL);
    KernelRan++;
    Order[Steps++ & 7] = Which == &Apc ? 1 : 2;
    Saw[0] = *Context;
    Saw[1] = *Argument1;
    Saw[2] = *Argument2;
}

static VOID NTAPI NormalRoutine(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHECK_IRQL(PASSIVE_LEVEL);
    NormalRan++;
    Order[Steps++ & 7] = 10;
    CHECK(Context == (PVOID)3 && Argument1 == (PVOID)4 && Argument2 == (PVOID)5);
}

static void Fresh(PKAPC Which, BOOLEAN Normal)
{
    KeInitializeApc(Which, KeGetCurrentThread(), Original, KernelRoutine, NULL, Normal ? NormalRoutine : NULL,
                    KernelMode, (PVOID)3);
}

static void Reset(void)
{
    KernelRan = NormalRan = Steps = 0;
}

TEST(special_apc_runs_at_once_at_passive_level)
{
    Reset();
    Fresh(&Apc, FALSE);
    CHECK(KeInsertQueueApc(&Apc, (PVOID)4, (PVOID)5, 0));
    CHECK_IS(KernelRan, 1);
    CHECK_IS(NormalRan, 0);
    CHECK(Saw[1] == (PVOID)4 && Saw[2] == (PVOID)5);
    CHECK(!Apc.Inserted);
}

TEST(normal_apc_runs_both_routines)
{
    Reset();
    Fresh(&Apc, TRUE);
    CHECK(KeInsertQueueApc(&Apc, (PVOID)4, (PVOID)5, 0));
    CHECK_IS(KernelRan, 1);
    CHECK_IS(NormalRan, 1);
    CHECK_IS(Order[0], 1);
    CHECK_IS(Order[1], 10);
    CHECK(Saw[0] == (PVOID)3);
}

TEST(apc_level_holds_apcs_off)
{
    for (KIRQL Level = APC_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KIRQL Old = KfRaiseIrql(Level);

        Reset();
        Fresh(&Apc, FALSE);
        CHECK(KeInsertQueueApc(&Apc, NULL, NULL, 0));
        CHECK_IS(KernelRan, 0);
        CHECK(Apc.Inserted);
        CHECK(!KeInsertQueueApc(&Apc, NULL, NULL, 0));
        KeLowerIrql(Old);
        CHECK_IS(KernelRan, 1);
    }
}

TEST(critical_region_holds_normal_apcs_off_and_special_ones_not)
{
    Reset();
    KeEnterCriticalRegion();
    CHECK(KeAreApcsDisabled());
    CHECK(!KeAreAllApcsDisabled());
    Fresh(&Apc, TRUE);
    KeInsertQueueApc(&Apc, (PVOID)4, (PVOID)5, 0);
    CHECK_IS(KernelRan, 0);
    Fresh(&Other, FALSE);
    KeInsertQueueApc(&Other, NULL, NULL, 0);
    CHECK_IS(KernelRan, 1);
    KeLeaveCriticalRegion();
    CHECK_IS(KernelRan, 2);
    CHECK_IS(NormalRan, 1);
    CHECK_IS(Order[0], 2);
    CHECK_IS(Order[1], 1);
}

TEST(guarded_region_holds_all_apcs_off)
{
    Reset();
    KeEnterGuardedRegion();
    CHECK(KeAreApcsDisabled());
    CHECK(KeAreAllApcsDisabled());
    Fresh(&Apc, FALSE);
    KeInsertQueueApc(&Apc, NULL, NULL, 0);
    CHECK_IS(KernelRan, 0);
    KeLeaveGuardedRegion();
    CHECK_IS(KernelRan, 1);
}

TEST(regions_nest_and_mix)
{
    Reset();
    KeEnterCriticalRegion();
    KeEnterGuardedRegion();
    KeEnterCriticalRegion();
    Fresh(&Apc, TRUE);
    KeInsertQueueApc(&Apc, (PVOID)4, (PVOID)5, 0);
    KeLeaveCriticalRegion();
    KeLeaveGuardedRegion();
    CHECK(KeAreApcsDisabled());
    CHECK(!KeAreAllApcsDisabled());
    CHECK_IS(KernelRan, 0);
    KeLeaveCriticalRegion();
    CHECK(!KeAreApcsDisabled());
    CHECK_IS(NormalRan, 1);
}

TEST(are_all_apcs_disabled_knows_the_level)
{
    KIRQL Old;

    CHECK(!KeAreAllApcsDisabled());
    Old = KfRaiseIrql(APC_LEVEL);
    CHECK(KeAreAllApcsDisabled());
    CHECK(!KeAreApcsDisabled());
    KeLowerIrql(Old);
}

TEST(special_apcs_go_before_normal_ones)
{
    KIRQL Old = KfRaiseIrql(APC_LEVEL);

    Reset();
    Fresh(&Apc, TRUE);
    Fresh(&Other, FALSE);
    KeInsertQueueApc(&Apc, (PVOID)4, (PVOID)5, 0);
    KeInsertQueueApc(&Other, NULL, NULL, 0);
    KeLowerIrql(Old);
    CHECK_IS(Steps, 3);
    CHECK_IS(Order[0], 2);
    CHECK_IS(Order[1], 1);
    CHECK_IS(Order[2], 10);
}

/* ---- Another thread's ---------------------------------------------------------------------------------------------
 */

static KEVENT Gate, Ready;
static NTSTATUS Result;
static LONGLONG Ended;
static enum { SIMPLE, IN_REGION, AT_APC, TIMED } How;

static VOID Waiter(PVOID Context)
{
    KIRQL Old = PASSIVE_LEVEL;

    KeSetEvent(&Ready, 0, FALSE);
    if (How == IN_REGION)
        KeEnterCriticalRegion();
    if (How == AT_APC)
        Old = KfRaiseIrql(APC_LEVEL);
    Result = How == TIMED ? WaitUpTo(&Gate, 10 * MS) : WaitFor(&Gate);
    Ended = Now();
    CHECK(How == SIMPLE || How == TIMED || NormalRan == 0);
    if (How == AT_APC)
        KeLowerIrql(Old);
    if (How == IN_REGION)
        KeLeaveCriticalRegion();
    CHECK_IS(NormalRan, 1);
}

static PVOID StartWaiter(int Kind)
{
    PVOID Thread;

    How = Kind;
    Reset();
    KeInitializeEvent(&Gate, NotificationEvent, FALSE);
    KeInitializeEvent(&Ready, NotificationEvent, FALSE);
    Thread = StartThread(Waiter, NULL);
    WaitFor(&Ready);
    Sleep(1 * MS);
    KeInitializeApc(&Apc, Thread, Original, KernelRoutine, NULL, NormalRoutine, KernelMode, (PVOID)3);
    CHECK(KeInsertQueueApc(&Apc, (PVOID)4, (PVOID)5, 0));
    return Thread;
}

TEST(an_apc_interrupts_a_wait_which_then_goes_on)
{
    PVOID Thread = StartWaiter(SIMPLE);

    Sleep(1 * MS);
    CHECK_IS(NormalRan, 1);
    CHECK_IS(WaitUpTo(Thread, 0), STATUS_TIMEOUT);
    KeSetEvent(&Gate, 0, FALSE);
    EndThread(Thread);
    CHECK_IS(Result, STATUS_SUCCESS);
}

TEST(an_interrupted_wait_keeps_its_time_out)
{
    LONGLONG Start = Now();
    PVOID Thread = StartWaiter(TIMED);

    EndThread(Thread);
    CHECK_IS(Result, STATUS_TIMEOUT);
    CHECK_IS(Ended - Start, 10 * MS);
}

TEST(a_wait_in_a_critical_region_is_not_interrupted)
{
    PVOID Thread = StartWaiter(IN_REGION);

    Sleep(1 * MS);
    CHECK_IS(NormalRan, 0);
    KeSetEvent(&Gate, 0, FALSE);
    EndThread(Thread);
    CHECK_IS(NormalRan, 1);
}

TEST(a_wait_at_apc_level_is_not_interrupted)
{
    PVOID Thread = StartWaiter(AT_APC);

    Sleep(1 * MS);
    CHECK_IS(NormalRan, 0);
    KeSetEvent(&Gate, 0, FALSE);
    EndThread(Thread);
    CHECK_IS(NormalRan, 1);
}

/* Begin a wait with an APC already pending that the region holds off. */
TEST(a_wait_may_begin_with_an_apc_held_off)
{
    Reset();
    KeEnterCriticalRegion();
    Fresh(&Apc, TRUE);
    KeInsertQueueApc(&Apc, (PVOID)4, (PVOID)5, 0);
    Sleep(1 * MS);
    CHECK_IS(NormalRan, 0);
    KeLeaveCriticalRegion();
    CHECK_IS(NormalRan, 1);
}

/* A thread that is ready, not running, has its APC when it runs. */
static volatile BOOLEAN Started;

static VOID Late(PVOID Context)
{
    CHECK_IS(KernelRan, 1);
    Started = TRUE;
}

TEST(an_apc_for_a_thread_that_is_ready_runs_first_when_it_runs)
{
    PVOID Thread;

    Reset();
    Started = FALSE;
    KeEnterCriticalRegion();
    KeSetPriorityThread(KeGetCurrentThread(), 20);
    Thread = StartThread(Late, NULL);
    if (KeQueryActiveProcessorCount(NULL) == 1) {
        CHECK(!Started);
        KeInitializeApc(&Apc, Thread, Original, KernelRoutine, NULL, NULL, KernelMode, NULL);
        CHECK(KeInsertQueueApc(&Apc, NULL, NULL, 0));
        CHECK_IS(KernelRan, 0);
    } else {
        KernelRan = 1;
    }
    EndThread(Thread);
    CHECK(Started);
    KeSetPriorityThread(KeGetCurrentThread(), 8);
    KeLeaveCriticalRegion();
}

CHECK_DRIVER(T(special_apc_runs_at_once_at_passive_level), T(normal_apc_runs_both_routines),
             T(apc_level_holds_apcs_off), T(critical_region_holds_normal_apcs_off_and_special_ones_not),
             T(guarded_region_holds_all_apcs_off), T(regions_nest_and_mix), T(are_all_apcs_disabled_knows_the_level),
             T(special_apcs_go_before_normal_ones), T(an_apc_interrupts_a_wait_which_then_goes_on),
             T(an_interrupted_wait_keeps_its_time_out), T(a_wait_in_a_critical_region_is_not_interrupted),
             T(a_wait_at_apc_level_is_not_interrupted), T(a_wait_may_begin_with_an_apc_held_off),
             T(an_apc_for_a_thread_that_is_ready_runs_first_when_it_runs))
