/* Processor time of threads: what stalls take is the running thread's; what it sleeps, and what DPCs take, is not. */
#include "check.h"

NTKERNELAPI ULONG64 NTAPI KeQueryTotalCycleTimeThread(PKTHREAD Thread, PULONG64 CycleTimeStamp);

#define TICK 156250LL
#define CYCLES 300 /* in 100 ns */

static ULONG64 Cycles(VOID)
{
    ULONG64 Stamp;

    return KeQueryTotalCycleTimeThread(KeGetCurrentThread(), &Stamp);
}

TEST(a_stall_is_charged_to_the_thread)
{
    ULONG64 Before = Cycles(), Stamp, Process = PsQueryTotalCycleTimeProcess(PsGetCurrentProcess(), &Stamp);

    KeStallExecutionProcessor(1000);
    CHECK_IS(Cycles() - Before, 1 * MS * CYCLES);
    CHECK(PsQueryTotalCycleTimeProcess(PsGetCurrentProcess(), &Stamp) - Process >= 1 * MS * CYCLES);
}

TEST(run_time_is_told_in_ticks)
{
    ULONG User = 1, Before = KeQueryRuntimeThread(KeGetCurrentThread(), &User);

    CHECK_IS(User, 0);
    CHECK_IS(KeQueryTimeIncrement(), TICK);
    KeStallExecutionProcessor(3 * TICK / US);
    CHECK_IS(KeQueryRuntimeThread(KeGetCurrentThread(), &User) - Before, 3);
}

TEST(sleep_is_not_charged)
{
    ULONG64 Before = Cycles();
    LARGE_INTEGER Due = In(10 * SEC);

    KeDelayExecutionThread(KernelMode, FALSE, &Due);
    CHECK_IS(Cycles(), Before);
}

static VOID NTAPI StallInDpc(PKDPC Dpc, PVOID Context, PVOID A, PVOID B)
{
    KeStallExecutionProcessor(50);
}

TEST(a_dpc_is_not_charged_to_the_thread_it_interrupts)
{
    ULONG64 Before = Cycles();
    KDPC Dpc;

    KeInitializeDpc(&Dpc, StallInDpc, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeFlushQueuedDpcs();
    CHECK_IS(Cycles(), Before);
}

static VOID NTAPI Work(PVOID Context)
{
    KeStallExecutionProcessor(20);
}

TEST(a_thread_that_has_ended_keeps_its_time)
{
    PETHREAD Thread;
    HANDLE Handle;
    ULONG64 Before = Cycles(), Stamp;

    PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Work, NULL);
    ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, (PVOID *)&Thread, NULL);
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    CHECK_IS(KeQueryTotalCycleTimeThread((PKTHREAD)Thread, &Stamp), 20 * US * CYCLES);
    CHECK_IS(Stamp, (ULONG64)Now() * CYCLES);
    CHECK_IS(Cycles(), Before);
    ObDereferenceObject(Thread);
    ZwClose(Handle);
}

CHECK_DRIVER(T(a_stall_is_charged_to_the_thread), T(run_time_is_told_in_ticks), T(sleep_is_not_charged),
             T(a_dpc_is_not_charged_to_the_thread_it_interrupts), T(a_thread_that_has_ended_keeps_its_time))
