/*
 * Processors: their areas, the switch from one to another, the idle loop, and spinning.
 *
 * All processors share one host thread. Exactly one runs; the others stand still at a delivery point with their registers on
 * the stack they were on. A processor keeps running until it has nothing to do, spins, or the schedule decides otherwise.
 *
 * Time passes when all processors are idle: the clock jumps to the next timer.
 */
#include "nt.h"

/* Rounds that all processors may spin without virtual time to go to before a lock is called dead. */
#define KI_SPIN_ROUNDS 1000

#define KI_WAKE_UP 10 /* what being woken counts as busy: 1 us, so that short waits for ever have an end too */

ULONG KiSpinRounds;

VOID KiSwapProcessor(PKI_PROCESSOR From, PKI_PROCESSOR To);
VOID KiSwapProcessorByDoor(PKI_PROCESSOR From, PKI_PROCESSOR To, void(DOOR_CALL *Select)(uint64_t));
VOID KiStackStart(VOID);

/* Lay out a stack on which the first switch to it calls Routine(Argument): the frame that context.S restores. */
VOID KiBuildStack(PVOID StackBase, VOID (*Routine)(PVOID), PVOID Argument, UINT64 *Stack)
{
    UINT64 *Top = (UINT64 *)((UINT64)StackBase & ~15ull) - 6;
    UINT64 *Frame = Top - 9; /* r15 r14 r13 r12 rsi rdi rbx rbp return */

    RtlZeroMemory(Frame, 15 * sizeof(UINT64));
    Frame[3] = (UINT64)Argument; /* r12 */
    Frame[6] = (UINT64)Routine;  /* rbx */
    Frame[8] = (UINT64)KiStackStart;
    *Stack = (UINT64)Frame - 0xa8;
    RtlZeroMemory((PVOID)*Stack, 0xa8);
}

VOID KiInitializeArea(ULONG Number)
{
    PKI_PROCESSOR Processor = KiProcessorBlock(Number);

    Processor->Self = Processor;
    Processor->CurrentPrcb = (PUCHAR)Processor + 0x180;
    Processor->Irql = DISPATCH_LEVEL;
    Processor->MajorVersion = Processor->MinorVersion = 1;
    Processor->StallScaleFactor = 3000;
    Processor->LegacyNumber = (UCHAR)Number;
    Processor->ObsoleteNumber = (UCHAR)Number;
    Processor->Number = Number;
    Processor->MxCsr = 0x1f80;
    Processor->InterruptFlag = 1;
    Processor->Budget = KI_EVERY;
    InitializeListHead(&Processor->DpcList);
    InitializeListHead(&Processor->ThreadedDpcList);
    KeInitializeEvent(&Processor->ThreadedDpcEvent, SynchronizationEvent, FALSE);
    for (ULONG i = 0; i < 32; i++)
        InitializeListHead(&Processor->Ready[i]);
}

/* Before MmInitialize: the areas' memory is taken straight from the unused end of the boot images. */
VOID KiInitializeProcessors(VOID)
{
    UINT64 Bytes = KiDoor->processors * DOOR_PROCESSOR_BYTES;

    if (KiDoor->map(DOOR_PROCESSOR_BASE, KiDoor->ram_used, Bytes, DOOR_READ | DOOR_WRITE) != DOOR_OK)
        KiDoor->halt(DOOR_HALT_INTERNAL, "no memory for processor areas");
    KiDoor->ram_used += Bytes;
    KeNumberProcessors = (CCHAR)KiDoor->processors;
    for (ULONG i = 0; i < KiDoor->processors; i++)
        KiInitializeArea(i);
    KiDoor->processor_select(DOOR_PROCESSOR_BASE);
}

VOID KiSwitchTo(PKI_PROCESSOR Target)
{
    PKI_PROCESSOR Self = KiProcessor();

    if (Target == Self)
        return;
    if (KiDoor->fsgsbase)
        KiSwapProcessor(Self, Target);
    else
        KiSwapProcessorByDoor(Self, Target, KiDoor->processor_select);
    MiEnterProcess(Self->CurrentThread->ApcState.Process);
    /* We go on: what another processor opened meanwhile must be closed to us if we stand above APC_LEVEL. */
    if (MiOpenWindows && KiReadCr8() >= DISPATCH_LEVEL)
        MiCloseWindows();
}

/* Every flow stands still and no timer is set: nothing will ever happen again. */
static VOID KiEverythingWaits(VOID)
{
    VfFinding("driver.machine-stuck", 0xE2, 0, 0, 0, 0);
    VfText("every thread waits and nothing is pending: the machine would stand still for ever");
    VfNoteWaiters();
    VfCommit();
    KiDoor->halt(DOOR_HALT_STOP, "everything waits");
}

UINT64 KiNextEvent(VOID)
{
    UINT64 Timer = KiNextDueTime(), Device = HalNextDeviceTime();
    return Timer < Device ? Timer : Device;
}

/* Move the clock to the next thing that is due. */
static VOID KiAdvanceToNextEvent(VOID)
{
    UINT64 Due = KiNextEvent();

    if (Due == (UINT64)-1)
        KiEverythingWaits();
    KiCountBusy(KI_WAKE_UP);
    KiAdvanceTo(Due);
}

/*
 * The idle thread of a processor, at DISPATCH_LEVEL between looks. It leaves by a thread switch and comes back when
 * there is no thread to run.
 */
DECLSPEC_NORETURN VOID KiIdleLoop(PVOID Context)
{
    for (;;) {
        PKI_PROCESSOR Self = KiProcessor();
        PKI_PROCESSOR Other;

        Self->Points++;
        Self->Idle = TRUE;
        if (Self->DpcCount) /* those that asked for no interrupt */
            KiRequestInterrupt(Self, DISPATCH_LEVEL);
        KiLowerIrql(PASSIVE_LEVEL);
        KiRaiseIrql(DISPATCH_LEVEL);
        if (Self->NextThread || Self->ReadySummary || KiFindElsewhere(Self)) {
            Self->Idle = FALSE;
            KiSwapThread();
            continue;
        }
        Other = KiNextBusy(Self);
        if (Other)
            KiSwitchTo(Other);
        else if (!KiHasWork(Self))
            KiAdvanceToNextEvent();
    }
}

/*
 * The running processor waits for something that another flow does. Let the others go on; when none of them can, let time
 * go on; when there is no time to go to, FALSE: the wait will never end.
 */
BOOLEAN KiSpinOnce(VOID)
{
    PKI_PROCESSOR Self = KiProcessor();
    PKI_PROCESSOR Other = KiNextBusy(Self);

    Self->Points++;
    if (!Other || ++KiSpinRounds > KI_SPIN_ROUNDS * KiDoor->processors) {
        UINT64 Due = KiNextEvent();
        if (Due == (UINT64)-1 || KiSpinRounds > 2 * KI_SPIN_ROUNDS * KiDoor->processors)
            return FALSE;
        KiSpinRounds++;
        KiAdvanceTo(Due);
        Other = KiNextBusy(Self);
    }
    if (Other)
        KiSwitchTo(Other);
    KiDispatchPending();
    return TRUE;
}

/* A processor waits for Lock, which another flow holds. */
VOID KiSpin(PVOID Lock)
{
    if (KiSpinOnce())
        return;
    VfFinding("lock.never-released", 0x0F, (UINT64)Lock, 0, 0, 0);
    VfText("the spin lock is held and its holder will never release it");
    VfNoteCaller(NULL);
    VfNoteLevel();
    VfNoteHolder(Lock);
    VfCommit();
    KiDoor->halt(DOOR_HALT_STOP, "a spin lock is never released");
}
