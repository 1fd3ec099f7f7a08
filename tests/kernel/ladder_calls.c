/* Calls on all processors: KeIpiGenericCall and KeGenericCallDpc. Written for any number of processors. */
#include "check.h"

NTKERNELAPI VOID NTAPI KeGenericCallDpc(PKDEFERRED_ROUTINE Routine, PVOID Context);
NTKERNELAPI VOID NTAPI KeSignalCallDpcDone(PVOID SystemArgument1);
NTKERNELAPI LOGICAL NTAPI KeSignalCallDpcSynchronize(PVOID SystemArgument2);

static volatile LONG Calls, Last, Wrong;
static volatile LONG64 Seen;

static ULONG_PTR NTAPI Worker(ULONG_PTR Context)
{
    ULONG Number = KeGetCurrentProcessorNumberEx(NULL);

    if (KeGetCurrentIrql() != 14 || Context != 0x1234)
        Wrong++;
    InterlockedOr64(&Seen, 1ll << Number);
    InterlockedIncrement(&Calls);
    return 100 + Number;
}

TEST(every_processor_is_called_at_ipi_level)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL), Number;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);

    for (KIRQL Level = PASSIVE_LEVEL; Level <= 12; Level++) {
        KIRQL Before = KfRaiseIrql(Level);
        Calls = Wrong = 0;
        Seen = 0;
        Number = KeGetCurrentProcessorNumberEx(NULL);
        CHECK_IS(KeIpiGenericCall(Worker, 0x1234), 100 + Number); /* the caller's own result */
        CHECK_IRQL(Level);
        KeLowerIrql(Before);
        CHECK_IS(Calls, Count);
        CHECK_IS(Wrong, 0);
        CHECK_IS(Seen, KeQueryActiveProcessors());
    }
    KeRevertToUserAffinityThreadEx(Old);
}

/* It lasts long, so that the caller's own call is over while others are still in theirs. */
static ULONG_PTR NTAPI Long(ULONG_PTR Context)
{
    for (int i = 0; i < 3000 && KeGetCurrentProcessorNumberEx(NULL) != Context; i++) /* calls: others have their turn */
        KeGetCurrentIrql();
    InterlockedIncrement(&Calls);
    return 0;
}

TEST(the_caller_goes_on_when_all_have_returned)
{
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);

    Calls = 0;
    KeIpiGenericCall(Long, 0);
    CHECK_IS(Calls, KeQueryActiveProcessorCount(NULL));
    KeRevertToUserAffinityThreadEx(Old);
}

/* Several threads call at once; each call is whole. */
static volatile LONG Inside;

static ULONG_PTR NTAPI Whole(ULONG_PTR Context)
{
    static volatile ULONG_PTR Present;

    if (InterlockedIncrement(&Inside) == 1)
        Present = Context;
    else if (Present != Context)
        Wrong++;
    InterlockedIncrement(&Calls);
    InterlockedDecrement(&Inside);
    return Context;
}

static VOID CallOften(PVOID Context)
{
    for (int i = 0; i < 50; i++)
        if (KeIpiGenericCall(Whole, (ULONG_PTR)Context) != (ULONG_PTR)Context)
            Wrong++;
}

TEST(calls_from_several_threads_come_one_after_the_other)
{
    PVOID Thread[4];

    Calls = Wrong = Inside = 0;
    for (ULONG i = 0; i < 4; i++)
        Thread[i] = StartThread(CallOften, (PVOID)(ULONG_PTR)(i + 1));
    for (ULONG i = 0; i < 4; i++)
        EndThread(Thread[i]);
    CHECK_IS(Calls, 4 * 50 * KeQueryActiveProcessorCount(NULL));
    CHECK_IS(Wrong, 0);
}

/* An IPI comes in where only lower levels are held off: at DISPATCH_LEVEL, under a spin lock. */
static volatile LONG Holding, Stop;

static VOID HoldLock(PVOID Lock)
{
    KIRQL Old;

    KeAcquireSpinLock((PKSPIN_LOCK)Lock, &Old);
    Holding = 1;
    while (!Stop)
        YieldProcessor();
    KeReleaseSpinLock((PKSPIN_LOCK)Lock, Old);
}

TEST(an_ipi_interrupts_dispatch_level)
{
    static KSPIN_LOCK Lock;
    PVOID Thread;

    if (KeQueryActiveProcessorCount(NULL) == 1)
        return;
    KeInitializeSpinLock(&Lock);
    Holding = Stop = 0;
    Thread = StartThread(HoldLock, &Lock);
    while (!Holding)
        YieldProcessor();
    Calls = Wrong = 0;
    KeIpiGenericCall(Worker, 0x1234);
    CHECK_IS(Calls, KeQueryActiveProcessorCount(NULL));
    Stop = 1;
    EndThread(Thread);
}

/* ---- As DPCs ------------------------------------------------------------------------------------------------------------ */

static volatile LONG Chosen, Phase[2];

static VOID NTAPI Everywhere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LONG Count = (LONG)KeQueryActiveProcessorCount(NULL);

    if (KeGetCurrentIrql() != DISPATCH_LEVEL || Context != (PVOID)7)
        Wrong++;
    InterlockedOr64(&Seen, 1ll << KeGetCurrentProcessorNumberEx(NULL));
    InterlockedIncrement(&Calls);
    for (int i = 0; i < 2; i++) {
        InterlockedIncrement(&Phase[i]);
        if (KeSignalCallDpcSynchronize(Argument2))
            InterlockedIncrement(&Chosen);
        if (Phase[i] != Count) /* all have come before anybody goes on */
            Wrong++;
    }
    KeSignalCallDpcDone(Argument1);
}

TEST(generic_dpc_runs_on_every_processor_with_barriers)
{
    for (int Round = 0; Round < 3; Round++) {
        Calls = Wrong = Chosen = Phase[0] = Phase[1] = 0;
        Seen = 0;
        KeGenericCallDpc(Everywhere, (PVOID)7);
        CHECK_IRQL(PASSIVE_LEVEL);
        CHECK_IS(Calls, KeQueryActiveProcessorCount(NULL));
        CHECK_IS(Seen, KeQueryActiveProcessors());
        CHECK_IS(Wrong, 0);
        CHECK_IS(Chosen, 2); /* one processor a barrier */
    }
}

static VOID NTAPI Simple(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement(&Calls);
    KeSignalCallDpcSynchronize(Argument2);
    KeSignalCallDpcDone(Argument1);
}

static VOID CallDpcOften(PVOID Context)
{
    for (int i = 0; i < 20; i++)
        KeGenericCallDpc(Simple, NULL);
}

TEST(generic_dpcs_of_several_threads_come_one_after_the_other)
{
    PVOID Thread[3];

    Calls = 0;
    for (ULONG i = 0; i < 3; i++)
        Thread[i] = StartThread(CallDpcOften, NULL);
    for (ULONG i = 0; i < 3; i++)
        EndThread(Thread[i]);
    CHECK_IS(Calls, 3 * 20 * KeQueryActiveProcessorCount(NULL));
}

CHECK_DRIVER(T(every_processor_is_called_at_ipi_level), T(the_caller_goes_on_when_all_have_returned),
             T(calls_from_several_threads_come_one_after_the_other), T(an_ipi_interrupts_dispatch_level),
             T(generic_dpc_runs_on_every_processor_with_barriers),
             T(generic_dpcs_of_several_threads_come_one_after_the_other))
