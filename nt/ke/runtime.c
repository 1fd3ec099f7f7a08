/*
 * Processor time of threads: the virtual time that stalls, clock reads and long runs of calls take, charged to the thread that
 * runs. Time of DPCs and of interrupts' service routines belongs to no thread.
 * (docs: KeQueryRuntimeThread, KeQueryTotalCycleTimeThread, PsQueryTotalCycleTimeProcess)
 *
 * DIFFERS: programs take no time, since user mode has no code.
 */
#include "nt.h"

VOID KiChargeThread(PKI_PROCESSOR Processor, UINT64 Duration)
{
    PKTHREAD Thread = Processor->CurrentThread;

    if (Thread == Processor->IdleThread || Processor->DpcRoutineActive || Processor->Irql > DISPATCH_LEVEL)
        return;
    Thread->KernelTime += Duration;
    Thread->Process->KernelTime += Duration;
}

/* In ticks of KeQueryTimeIncrement. */
ULONG KeQueryRuntimeThread(PKTHREAD Thread, PULONG UserTime)
{
    *UserTime = 0;
    return (ULONG)(Thread->KernelTime / KI_TICK);
}

static ULONG64 KiCycles(UINT64 Time, PULONG64 Stamp)
{
    *Stamp = KiNow() * DOOR_CYCLES;
    return Time * DOOR_CYCLES;
}

ULONG64 KeQueryTotalCycleTimeThread(PKTHREAD Thread, PULONG64 CycleTimeStamp)
{
    return KiCycles(Thread->KernelTime, CycleTimeStamp);
}

ULONG64 PsQueryTotalCycleTimeProcess(PEPROCESS Process, PULONG64 CycleTimeStamp)
{
    return KiCycles(Process->Pcb.KernelTime, CycleTimeStamp);
}

/* docs: "Global Flag Reference" (gflags): none is set. */
ULONG NtGlobalFlag;
