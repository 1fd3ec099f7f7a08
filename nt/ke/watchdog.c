/*
 * The DPC watchdog, by virtual time: one DPC may take 20 s, and a processor may stay at DISPATCH_LEVEL or above for 120 s,
 * which is what Windows 10 allows. (For code that spends no virtual time at all there is a watchdog of host time, rule
 * driver.spins.) Time counts for the processor that spends it, not for those that stand still meanwhile.
 *
 * The second count begins anew when the level has been below DISPATCH_LEVEL; the DISPATCH_LEVEL interrupt, asked for here,
 * knows that it has. (docs: DPC_WATCHDOG_VIOLATION, KeQueryDpcWatchdogInformation)
 */
#include "nt.h"

#define KI_DPC_LIMIT (1280ull * KI_TICK)    /* 20 s */
#define KI_RAISED_LIMIT (7680ull * KI_TICK) /* 120 s */

static VOID KiReportWatchdog(UINT64 Kind, UINT64 Spent, UINT64 Limit)
{
    VfFinding(Kind ? "irql.raised-too-long" : "dpc.too-long", 0x133, Kind, Spent / KI_TICK, Limit / KI_TICK, 0);
    VfText("%s for more than %llu s of virtual time",
           Kind ? "the level stays at DISPATCH_LEVEL or above" : "a DPC routine runs", Limit / 10000000);
    VfNoteCaller(NULL);
    VfNoteLevel();
    VfCommit();
}

VOID KiChargeTime(UINT64 Duration)
{
    PKI_PROCESSOR Processor = KiProcessor();

    KiChargeThread(Processor, Duration);
    if (Processor->Irql < DISPATCH_LEVEL ||
        (Processor->Idle && Processor->Irql == DISPATCH_LEVEL && !Processor->DpcRoutineActive))
        return;
    Processor->RaisedTime += Duration;
    if (Processor->RaisedTime > KI_TICK)
        KiRequestInterrupt(Processor, DISPATCH_LEVEL);
    if (Processor->DpcRoutineActive && (Processor->DpcTime += Duration) > KI_DPC_LIMIT) {
        UINT64 Spent = Processor->DpcTime;
        Processor->DpcTime = 0;
        KiReportWatchdog(0, Spent, KI_DPC_LIMIT);
    }
    if (Processor->RaisedTime > KI_RAISED_LIMIT) {
        UINT64 Spent = Processor->RaisedTime;
        Processor->RaisedTime = 0;
        KiReportWatchdog(1, Spent, KI_RAISED_LIMIT);
    }
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

NTSTATUS KeQueryDpcWatchdogInformation(PKDPC_WATCHDOG_INFORMATION WatchdogInformation)
{
    PKI_PROCESSOR Processor = KiProcessor();

    if (!Processor->DpcRoutineActive)
        return STATUS_UNSUCCESSFUL;
    WatchdogInformation->DpcTimeLimit = KI_DPC_LIMIT / KI_TICK;
    WatchdogInformation->DpcTimeCount = (ULONG)((KI_DPC_LIMIT - Processor->DpcTime) / KI_TICK);
    WatchdogInformation->DpcWatchdogLimit = KI_RAISED_LIMIT / KI_TICK;
    WatchdogInformation->DpcWatchdogCount = (ULONG)((KI_RAISED_LIMIT - Processor->RaisedTime) / KI_TICK);
    WatchdogInformation->Reserved = 0;
    return STATUS_SUCCESS;
}

/* A DPC that has much to do asks whether it should leave the rest to another: when half of its time is gone, or others wait.
 * (docs: KeShouldYieldProcessor) */
LOGICAL KeShouldYieldProcessor(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();

    return Processor->DpcTime > KI_DPC_LIMIT / 2 || Processor->RaisedTime > KI_RAISED_LIMIT / 2 ||
           Processor->QuantumEnd || Processor->NextThread;
}
