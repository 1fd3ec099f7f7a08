/*
 * Virtual time. One counter of 100 ns units since boot (KiDoor->now); the host reads it for rdtsc.
 *
 * It goes on by what is spent (stalls, clock reads, long runs of calls) and, when every processor is idle, jumps to the next
 * timer. Passing a timer's due time makes the clock interrupt pending on processor 0; that interrupt asks for the
 * DISPATCH_LEVEL interrupt in which timers expire. Passing a multiple of KI_TICK makes it pending on every processor that
 * is not idle: the tick, which charges the running thread's quantum and begins with DPCs that asked for no interrupt.
 *
 * DIFFERS: timers expire at their exact due time, not at the next tick of a 15.6 ms clock.
 */
#include "nt.h"

/* The page drivers read as 0xFFFFF78000000000; offsets as documented for KUSER_SHARED_DATA. */
#define SHARED(Offset, Type) (*(volatile Type *)(DOOR_SHARED_DATA + (Offset)))

static UINT64 KiTicks; /* since boot */
static UINT64 KiTimeLimit, KiBusyLeft;
static PCSTR KiTimeLimitWhat;
static INT64 KiSystemTimeShift; /* system time = now + this */
ULONG KeMaximumIncrement = KI_TICK;

static VOID KiStoreSystemTime(ULONG Offset, UINT64 Value)
{
    SHARED(Offset + 8, LONG) = (LONG)(Value >> 32); /* High2Time first, as readers expect */
    SHARED(Offset, UINT64) = Value;
}

static VOID KiUpdateShared(VOID)
{
    UINT64 Now = KiDoor->now;

    KiStoreSystemTime(0x08, Now);
    KiStoreSystemTime(0x14, Now + KiSystemTimeShift);
    KiStoreSystemTime(0x320, Now / KI_TICK);
}

VOID KiInitializeClock(VOID)
{
    UINT64 Page = MiAllocatePages(1);
    static const WCHAR Root[] = L"C:\\Windows";

    if (!Page || KiDoor->map(DOOR_SHARED_DATA, Page, DOOR_PAGE, DOOR_READ | DOOR_WRITE) != DOOR_OK)
        KiInternalError("no memory for the shared page");
    KiSystemTimeShift = (INT64)KiDoor->boot_time;
    SHARED(0x04, ULONG) = 0x0fa00000; /* TickCountMultiplier: milliseconds a tick << 24 */
    memcpy((PVOID)(DOOR_SHARED_DATA + 0x30), Root, sizeof(Root));
    SHARED(0x260, ULONG) = KiDoor->os_build;
    SHARED(0x264, ULONG) = 1; /* NtProductWinNt */
    SHARED(0x268, UCHAR) = TRUE;
    SHARED(0x26a, USHORT) = 9; /* PROCESSOR_ARCHITECTURE_AMD64 */
    SHARED(0x26c, ULONG) = KiDoor->os_major;
    SHARED(0x270, ULONG) = KiDoor->os_minor;
    SHARED(0x3c0, ULONG) = KiDoor->processors;
    KiUpdateShared();
}

INT64 KiSystemTime(VOID)
{
    return (INT64)KiDoor->now + KiSystemTimeShift;
}

INT64 KiSetSystemTime(INT64 Time)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    INT64 Shift = Time - KiSystemTime();

    KiSystemTimeShift += Shift;
    KiUpdateShared();
    KiMoveAbsoluteTimers(Shift);
    KiLowerIrql(OldIrql);
    return Time - Shift;
}

VOID KiSetTimeLimit(UINT64 Limit, UINT64 Busy, PCSTR What)
{
    KiTimeLimit = Limit;
    KiBusyLeft = Busy;
    KiTimeLimitWhat = What;
}

BOOLEAN KiIsWithinLimit(UINT64 Time)
{
    return !KiTimeLimit || Time < KiTimeLimit;
}

static VOID KiReportLimit(BOOLEAN Busy)
{
    KiTimeLimit = KiBusyLeft = 0;
    VfFinding("driver.does-not-return", 0xE2, KiDoor->now, 0, 0, 0);
    if (Busy) {
        VfText("%s keeps the processors busy and does not return", KiTimeLimitWhat);
        if (KeGetCurrentThread() == KiProcessor()->IdleThread && !KiProcessor()->DpcRoutineActive)
            VfNoteWaiters();
        else
            VfNoteCaller(NULL);
        VfNoteLevel();
    } else {
        VfText("%s has not returned in the time the run has", KiTimeLimitWhat);
        VfNoteWaiters();
        VfNoteRunning();
    }
    VfCommit();
    KiDoor->halt(DOOR_HALT_STOP, "a driver's routine does not return");
}

static VOID KiTick(VOID)
{
    UINT64 Ticks = KiDoor->now / KI_TICK;

    if (Ticks == KiTicks)
        return;
    KiTicks = Ticks;
    for (ULONG i = 0; i < KiDoor->processors; i++) {
        PKI_PROCESSOR Processor = KiProcessorBlock(i);
        if (!Processor->Idle) {
            Processor->PendingTick = TRUE;
            KiRequestInterrupt(Processor, KI_CLOCK_LEVEL);
        }
    }
}

VOID KiAdvanceTo(UINT64 Time)
{
    HalRunDevices(Time);
    if (Time > KiDoor->now)
        KiDoor->now = Time;
    KiUpdateShared();
    KiTick();
    if (KiTimeLimit && KiDoor->now >= KiTimeLimit)
        KiReportLimit(FALSE);
    if (KiNextDueTime() <= KiDoor->now)
        KiRequestInterrupt(KiProcessorBlock(0), KI_CLOCK_LEVEL);
}

VOID KiCountBusy(UINT64 Duration)
{
    if (KiBusyLeft && Duration >= KiBusyLeft)
        KiReportLimit(TRUE);
    if (KiBusyLeft)
        KiBusyLeft -= Duration;
}

VOID KiPassTime(UINT64 Duration)
{
    KiAdvanceTo(KiDoor->now + Duration);
    KiChargeTime(Duration);
}

VOID KiSpendTime(UINT64 Duration)
{
    KiCountBusy(Duration);
    KiPassTime(Duration);
}

/* The processor's share of the tick. A thread has KI_QUANTUM / 3 ticks. */
static VOID KiChargeTick(PKI_PROCESSOR Processor)
{
    PKTHREAD Thread = Processor->CurrentThread;

    Processor->PendingTick = FALSE;
    if (Thread != Processor->IdleThread) {
        if (Thread->Quantum <= 3)
            Processor->QuantumEnd = TRUE; /* which gives it a new one */
        else
            Thread->Quantum -= 3;
    }
    if (Processor->QuantumEnd || Processor->DpcCount)
        KiRequestInterrupt(Processor, DISPATCH_LEVEL);
}

/* CLOCK_LEVEL. If a timer is due, its work is for DISPATCH_LEVEL. */
VOID KiClockInterrupt(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();

    if (KiTurnTimers(Processor->PendingTick))
        KiRequestInterrupt(Processor, DISPATCH_LEVEL);
    if (Processor->PendingTick)
        KiChargeTick(Processor);
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

VOID KiExportKeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    KiSpendTime(1);
    CurrentTime->QuadPart = KiDoor->now + KiSystemTimeShift;
}

VOID KiExportKeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime)
{
    KiExportKeQuerySystemTime(CurrentTime);
}

ULONGLONG KiExportKeQueryInterruptTime(VOID)
{
    KiSpendTime(1);
    return KiDoor->now;
}

ULONGLONG KiExportKeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp)
{
    KiSpendTime(1);
    if (QpcTimeStamp)
        *QpcTimeStamp = KiDoor->now;
    return KiDoor->now;
}

ULONGLONG KiExportKeQueryUnbiasedInterruptTime(VOID)
{
    KiSpendTime(1);
    return KiDoor->now;
}

VOID KiExportKeQueryTickCount(PLARGE_INTEGER TickCount)
{
    KiSpendTime(1);
    TickCount->QuadPart = KiDoor->now / KI_TICK;
}

ULONG KeQueryTimeIncrement(VOID)
{
    return KI_TICK;
}

/* 10 MHz, as on Windows 10. */
LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
    LARGE_INTEGER Now;

    KiSpendTime(1);
    if (PerformanceFrequency)
        PerformanceFrequency->QuadPart = 10000000;
    Now.QuadPart = KiDoor->now;
    return Now;
}

/* Waiting for a device: others' interrupts come in meanwhile, on their processors and on this one. */
VOID KeStallExecutionProcessor(ULONG Microseconds)
{
    PKI_PROCESSOR Other;

    KiPassTime((UINT64)Microseconds * 10);
    Other = KiNextBusy(KiProcessor());
    if (Other)
        KiSwitchTo(Other);
    KiDispatchPending();
}
