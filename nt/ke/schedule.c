/*
 * Schedules: at a delivery point, what goes on next?
 *
 * The possibilities are listed in a fixed order (go on; each other processor that has work; the next ready thread of this
 * one; the next timer), the strategy picks one, and every pick other than the first is noted for replay. The machine's state
 * decides the list and the seed the picks, so equal input gives equal runs.
 *
 * "In order" is the ordinary run: go on, and hand over to the next busy processor after each thousandth call. The other
 * strategies see every call of a driver as a delivery point. (PCT: Burckhardt et al., ASPLOS 2010.)
 */
#include "nt.h"

#define KI_EVERY_TIME 100 /* virtual time of KI_EVERY calls: 10 us, so that a driver that polls makes the clock go on */
#define KI_OPTIONS (DOOR_PROCESSORS + 3)
#define KI_FLOWS 64
#define KI_CHANGES 16

typedef enum _KI_OPTION_KIND { KiGoOn, KiOtherProcessor, KiOtherThread, KiNextTimer } KI_OPTION_KIND;

typedef struct _KI_OPTION {
    KI_OPTION_KIND Kind;
    PKI_PROCESSOR Processor;
    PVOID Flow; /* what would run: a thread, a DPC's object, or the timers */
} KI_OPTION;

static struct {
    ULONG Strategy;
    ULONG Point;
    ULONG PlanNext;
    ULONG Calls; /* since the last hand-over, of the strategies that see each call */
    UINT64 Random;
    ULONG FlowCount;
    struct {
        PVOID Flow;
        UINT64 Priority;
    } Flow[KI_FLOWS];
    ULONG Change[KI_CHANGES]; /* PCT: points at which the running flow's priority falls */
} Ki;

/* ---- What could happen ------------------------------------------------------------------------------------------- */

/* Something the processor could do: not merely its idle loop. An idle processor stands still at DISPATCH_LEVEL in that
 * loop, which lowers the level first of all, or in the middle of a DPC. */
BOOLEAN KiHasWork(PKI_PROCESSOR Processor)
{
    if (!Processor->Idle || Processor->DpcRoutineActive || Processor->Irql > DISPATCH_LEVEL)
        return TRUE; /* the latter two: in an interrupt that came while it was idle */
    return Processor->NextThread || Processor->ReadySummary || KiFindElsewhere(Processor) ||
           (Processor->InterruptFlag && Processor->PendingLevels);
}

static PVOID KiFlowOf(PKI_PROCESSOR Processor)
{
    if (Processor->DpcRoutineActive && Processor->Callback)
        return Processor->Callback->Object;
    if (Processor->Idle && Processor->NextThread)
        return Processor->NextThread;
    return Processor->CurrentThread;
}

static ULONG KiListProcessors(PKI_PROCESSOR Self, KI_OPTION *Options, ULONG Count)
{
    for (ULONG i = 1; i < KiDoor->processors; i++) {
        PKI_PROCESSOR Other = KiProcessorBlock((Self->Number + i) % KiDoor->processors);
        if (KiHasWork(Other))
            Options[Count++] = (KI_OPTION){KiOtherProcessor, Other, KiFlowOf(Other)};
    }
    return Count;
}

/* Is there a next timer or device that a schedule may let come at once? The patience of whoever waits for the driver (the
 * operator, the limit of a run) is none: that the code is slow must not look as if it did not return. */
static BOOLEAN KiCanLetTimePass(VOID)
{
    UINT64 Next = KiNextEvent();

    return Next != (UINT64)-1 && KiIsWithinLimit(Next) && (Next == HalNextDeviceTime() || KiTimerBeforePatience());
}

static ULONG KiListOptions(PKI_PROCESSOR Self, KI_OPTION *Options, BOOLEAN Timers)
{
    ULONG Count = 1;
    PKTHREAD Thread = Self->CurrentThread;

    Options[0] = (KI_OPTION){KiGoOn, Self, KiFlowOf(Self)};
    Count = KiListProcessors(Self, Options, Count);
    if (Self->Irql < DISPATCH_LEVEL && Thread != Self->IdleThread && !IsListEmpty(&Self->Ready[Thread->Priority]))
        Options[Count++] =
            (KI_OPTION){KiOtherThread, Self,
                        CONTAINING_RECORD(Self->Ready[Thread->Priority].Flink, struct _KTHREAD, ReadyListEntry)};
    if (Timers && KiCanLetTimePass())
        Options[Count++] = (KI_OPTION){KiNextTimer, Self, &Ki};
    return Count;
}

/* ---- Which of it does ---------------------------------------------------------------------------------------------- */

static UINT64 KiRandom(VOID)
{
    Ki.Random ^= Ki.Random << 13;
    Ki.Random ^= Ki.Random >> 7;
    Ki.Random ^= Ki.Random << 17;
    return Ki.Random;
}

static ULONG KiPickPlanned(ULONG Count)
{
    struct door_schedule *Schedule = KiDoor->schedule;
    ULONG Pick;

    if (Ki.PlanNext >= Schedule->plan_picks || Schedule->plan[Ki.PlanNext].point != Ki.Point)
        return 0;
    Pick = Schedule->plan[Ki.PlanNext++].pick;
    if (Pick < Count)
        return Pick;
    Schedule->unmet++;
    return 0;
}

static UINT64 *KiPriorityOf(PVOID Flow)
{
    ULONG i;

    for (i = 0; i < Ki.FlowCount && Ki.Flow[i].Flow != Flow; i++)
        ;
    if (i == Ki.FlowCount) {
        if (i == KI_FLOWS)
            i = --Ki.FlowCount; /* more flows than we know apart: the last ones share a place */
        Ki.Flow[i].Flow = Flow;
        Ki.Flow[i].Priority = KI_CHANGES + (KiRandom() >> 8);
        Ki.FlowCount++;
        KiDoor->schedule->flows = Ki.FlowCount;
    }
    return &Ki.Flow[i].Priority;
}

static ULONG KiPickPct(const KI_OPTION *Options, ULONG Count)
{
    struct door_schedule *Schedule = KiDoor->schedule;
    ULONG Best = 0;

    for (ULONG i = 0; i + 1 < Schedule->depth && i < KI_CHANGES; i++)
        if (Ki.Change[i] == Ki.Point)
            *KiPriorityOf(Options[0].Flow) = i;
    for (ULONG i = 1; i < Count; i++)
        if (*KiPriorityOf(Options[i].Flow) > *KiPriorityOf(Options[Best].Flow))
            Best = i;
    return Best;
}

/* ---- Showing it ----------------------------------------------------------------------------------------------------- */

/* "thread of stuck.sys+0x1234 on processor 1" */
static VOID KiTellOption(const KI_OPTION *Option, ULONG Number, BOOLEAN Picked)
{
    PVOID Flow = Option->Flow;
    PKTHREAD Thread = Option->Processor->CurrentThread;
    BOOLEAN IsThread = Flow == Thread || Flow == Option->Processor->NextThread || Option->Kind == KiOtherThread;
    PVF_CALLBACK Callback = IsThread ? ((PKTHREAD)Flow)->Callback : NULL;
    UINT64 Place = Callback   ? (UINT64)Callback->Routine
                   : IsThread ? (UINT64)((PKTHREAD)Flow)->StartRoutine
                              : (UINT64)Flow;
    PMI_IMAGE Image = MmImageOf(Place);
    CHAR What[96];

    if (Option->Kind == KiNextTimer)
        RtlpFormat(What, sizeof(What), "the next timer");
    else if (Image)
        RtlpFormat(What, sizeof(What), "%s %s+0x%I64x on processor %u", IsThread ? "thread" : "callback of",
                   Image->Name, Place - Image->Base, Option->Processor->Number);
    else
        RtlpFormat(What, sizeof(What), "%s on processor %u", IsThread ? "a thread of the system" : "a callback",
                   Option->Processor->Number);
    VfRemark("  %u%s %s%s", Number, Picked ? "*" : ":", Option->Kind == KiGoOn ? "goes on: " : "", What);
}

static VOID KiTellPoint(const KI_OPTION *Options, ULONG Count, ULONG Pick)
{
    VfRemark("point %u of the schedule, on processor %u:", Ki.Point + 1, KiProcessor()->Number);
    for (ULONG i = 0; i < Count; i++)
        KiTellOption(&Options[i], i, i == Pick);
    if (KiDoor->schedule->debugger)
        __asm__ volatile("int3");
}

/* Decide among Count options; the first is what an ordinary run would do. */
static ULONG KiDecide(const KI_OPTION *Options, ULONG Count)
{
    struct door_schedule *Schedule = KiDoor->schedule;
    ULONG Pick = 0;

    if (Count < 2 || Ki.Strategy == DOOR_IN_ORDER)
        return 0;
    if (Ki.Strategy == DOOR_PLAN)
        Pick = KiPickPlanned(Count);
    else if (Ki.Strategy == DOOR_PCT)
        Pick = KiPickPct(Options, Count);
    else if (KiRandom() % 8 == 0)
        Pick = (ULONG)(KiRandom() % Count);
    if (Ki.Point + 1 == Schedule->stop_at)
        KiTellPoint(Options, Count, Pick);
    if (Ki.Point < DOOR_POINTS)
        Schedule->possible[Ki.Point] = (UCHAR)Count;
    if (Pick && Schedule->made_picks < DOOR_MADE_PICKS)
        Schedule->made[Schedule->made_picks++] = (struct door_pick){Ki.Point, (USHORT)Pick, (USHORT)Count};
    Schedule->points = ++Ki.Point;
    return Pick;
}

/* ---- Doing it -------------------------------------------------------------------------------------------------------- */

/* The code here was slow: the next timer or device comes before it goes on. Timers are processor 0's. */
static VOID KiLetTimePass(VOID)
{
    BOOLEAN Device;

    do {
        Device = HalNextDeviceTime() == KiNextEvent();
        KiAdvanceTo(KiNextEvent());
    } while (!KiTurnTimers(FALSE) && !Device && KiCanLetTimePass());
    KiDispatchPending();
}

/* The next ready thread of the same priority has its turn. */
static VOID KiRotateThreads(VOID)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);

    KiQuantumEnd();
    KiLowerIrql(OldIrql);
}

static VOID KiCarryOut(const KI_OPTION *Option)
{
    switch (Option->Kind) {
    case KiOtherProcessor:
        KiSwitchTo(Option->Processor);
        break;
    case KiOtherThread:
        KiRotateThreads();
        break;
    case KiNextTimer:
        KiLetTimePass();
        break;
    default:
        break;
    }
}

/* After KI_EVERY calls: time has passed, and whoever has work on another processor has a turn. */
static BOOLEAN KiHandOver(PKI_PROCESSOR Self)
{
    PKI_PROCESSOR Other;

    if (Ki.Strategy != DOOR_IN_ORDER && ++Ki.Calls < KI_EVERY)
        return FALSE;
    Ki.Calls = 0;
    KiSpendTime(KI_EVERY_TIME);
    if (Self->CurrentThread != Self->IdleThread && --Self->CurrentThread->Quantum == 0) {
        Self->QuantumEnd = TRUE;
        KiRequestInterrupt(Self, DISPATCH_LEVEL);
    }
    Other = KiNextBusy(Self);
    if (Other)
        KiSwitchTo(Other);
    return TRUE;
}

VOID KiDeliver(VOID)
{
    PKI_PROCESSOR Self = KiProcessor();
    KI_OPTION Options[KI_OPTIONS];

    Self->Points++;
    Self->Budget = Ki.Strategy == DOOR_IN_ORDER ? KI_EVERY : KiDoor->schedule->every;
    KiSpinRounds = 0;
    if (!KiHandOver(Self)) {
        ULONG Pick = KiDecide(Options, KiListOptions(Self, Options, TRUE));
        KiCarryOut(&Options[Pick]);
        if (Options[Pick].Kind == KiNextTimer) { /* whom the timer has woken may come first */
            Pick = KiDecide(Options, KiListOptions(Self, Options, FALSE));
            KiCarryOut(&Options[Pick]);
        }
    }
    KiDispatchPending();
}

/* Self has nothing to do, or must wait: which of the others goes on? */
PKI_PROCESSOR KiNextBusy(PKI_PROCESSOR Self)
{
    KI_OPTION Options[KI_OPTIONS];
    ULONG Count = KiListProcessors(Self, Options, 0);

    return Count ? Options[KiDecide(Options, Count)].Processor : NULL;
}

BOOLEAN KiPicksTimers(VOID)
{
    return Ki.Strategy != DOOR_IN_ORDER;
}

VOID KiBeginSchedule(VOID)
{
    struct door_schedule *Schedule = KiDoor->schedule;

    RtlZeroMemory(&Ki, sizeof(Ki));
    VfForgetAccesses();
    Ki.Strategy = Schedule->strategy;
    Ki.Random = (Schedule->seed + 1) * 0x9e3779b97f4a7c15ull;
    for (ULONG i = 0; i < KI_CHANGES; i++)
        Ki.Change[i] = Schedule->length ? (ULONG)(KiRandom() % Schedule->length) : 0;
    Schedule->points = Schedule->made_picks = Schedule->flows = Schedule->unmet = 0;
    for (ULONG i = 0; i < KiDoor->processors; i++)
        KiProcessorBlock(i)->Budget = Ki.Strategy == DOOR_IN_ORDER ? KI_EVERY : Schedule->every;
}
