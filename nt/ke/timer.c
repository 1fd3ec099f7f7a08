/*
 * Timers: a hierarchical wheel of LIST_ENTRYs, so that setting, cancelling and expiring cost the same with one timer
 * pending as with a million.
 *
 * Level k has 64 slots of 64^k units (100 ns); a timer stands at the level of the highest 6-bit digit in which its due time
 * differs from the wheel's present time KiWheelTime. When the wheel reaches a slot of level k > 0, its timers move to lower
 * levels; a slot of level 0 is due. Moving keeps the order of insertion, so timers of equal due time expire in the order in
 * which they were set.
 *
 * All of it at DISPATCH_LEVEL. A timer's DPC and wake-ups happen in KiExpireTimers, from the DISPATCH_LEVEL interrupt.
 *
 * A timer with a tolerance expires at the next multiple of a round time that its tolerance allows, so that those of many
 * drivers expire together. A timer that does not wake a processor stands in the wheel at its latest time, and is looked
 * at whenever a processor is awake for something else.
 * (docs: KeSetTimerEx, KeCancelTimer, KeSetCoalescableTimer, No-Wake Timers, Timer Objects and DPCs)
 */
#include "nt.h"

#define KI_LEVELS 11

static LIST_ENTRY KiWheel[KI_LEVELS][64];
static UINT64 KiWheelBits[KI_LEVELS];
static ULONG KiWheelLevels; /* bit k: level k is not empty */
static UINT64 KiWheelTime;
LIST_ENTRY KiExpired;
static LIST_ENTRY KiNoWake; /* KI_LONG_TIMERs set that wait for somebody awake */

/* KTIMER.Processor: zero for an ordinary timer, else whether it is a KI_LONG_TIMER, which of the spacings it is
 * rounded to (1-based), and by how much this expiry was put off. */
#define KI_TIMER_LONG 0x80000000u
#define KI_TIMER_PATIENCE 0x40000000u /* see KiSetPatience */
#define KI_TIMER_SPACING(Timer) ((Timer)->Processor >> 24 & 7)
#define KI_TIMER_DELAY(Timer) ((Timer)->Processor & 0xffffff)

/* In 100 ns: two ticks, then what the page names as good periods. */
static const ULONG KiSpacings[] = {0, 2 * KI_TICK, 500000, 1000000, 2500000, 5000000, 10000000};

VOID KiInitializeTimers(VOID)
{
    for (ULONG Level = 0; Level < KI_LEVELS; Level++)
        for (ULONG Slot = 0; Slot < 64; Slot++)
            InitializeListHead(&KiWheel[Level][Slot]);
    InitializeListHead(&KiExpired);
    InitializeListHead(&KiNoWake);
}

static VOID KiEnterWheel(PKTIMER Timer)
{
    UINT64 Due = Timer->DueTime.QuadPart;
    ULONG Level, Slot;

    if (Due <= KiWheelTime) {
        InsertTailList(&KiExpired, &Timer->TimerListEntry);
        return;
    }
    Level = (63 - __builtin_clzll(Due ^ KiWheelTime)) / 6;
    Slot = (Due >> (6 * Level)) & 63;
    InsertTailList(&KiWheel[Level][Slot], &Timer->TimerListEntry);
    KiWheelBits[Level] |= 1ull << Slot;
    KiWheelLevels |= 1u << Level;
}

static VOID KiLeaveWheel(PKTIMER Timer)
{
    PLIST_ENTRY Head = Timer->TimerListEntry.Flink;

    /* The last of its list: Head is the slot, and the slot becomes empty. */
    if (RemoveEntryList(&Timer->TimerListEntry) && Head != &KiExpired) {
        ULONG Index = (ULONG)(Head - &KiWheel[0][0]);
        KiWheelBits[Index / 64] &= ~(1ull << (Index % 64));
        if (!KiWheelBits[Index / 64])
            KiWheelLevels &= ~(1u << (Index / 64));
    }
}

/* No timer is due before this; one may be due at it. */
UINT64 KiNextDueTime(VOID)
{
    ULONG Level, Slot;

    if (!IsListEmpty(&KiExpired))
        return KiWheelTime;
    if (!KiWheelLevels)
        return (UINT64)-1;
    Level = __builtin_ctz(KiWheelLevels);
    Slot = __builtin_ctzll(KiWheelBits[Level]);
    return (((KiWheelTime >> (6 * Level)) & ~63ull) | Slot) << (6 * Level);
}

VOID KiSetPatience(PKTHREAD Thread, BOOLEAN Patience)
{
    Thread->Timer.Processor = Patience ? KI_TIMER_PATIENCE : 0;
}

/* Is a timer set that expires before anybody's patience ends? The first list that is not empty has the earliest timers. */
BOOLEAN KiTimerBeforePatience(VOID)
{
    UINT64 Due[2] = {(UINT64)-1, (UINT64)-1}; /* the earliest of ordinary timers; of patience */
    PLIST_ENTRY Head = &KiExpired;

    if (IsListEmpty(Head) && KiWheelLevels) {
        ULONG Level = __builtin_ctz(KiWheelLevels);
        Head = &KiWheel[Level][__builtin_ctzll(KiWheelBits[Level])];
    }
    for (PLIST_ENTRY Entry = Head->Flink; Entry != Head; Entry = Entry->Flink) {
        PKTIMER Timer = CONTAINING_RECORD(Entry, KTIMER, TimerListEntry);
        UINT64 *Earliest = &Due[(Timer->Processor & KI_TIMER_PATIENCE) != 0];
        if ((UINT64)Timer->DueTime.QuadPart < *Earliest)
            *Earliest = (UINT64)Timer->DueTime.QuadPart;
    }
    return Due[0] < Due[1];
}

/* Turn the wheel to Time: what is due goes to KiExpired, in order. */
static VOID KiTurnWheel(UINT64 Time)
{
    while (KiWheelLevels) {
        ULONG Level = __builtin_ctz(KiWheelLevels);
        ULONG Slot = __builtin_ctzll(KiWheelBits[Level]);
        UINT64 Start = (((KiWheelTime >> (6 * Level)) & ~63ull) | Slot) << (6 * Level);
        LIST_ENTRY Moving;

        if (Start > Time)
            break;
        KiWheelTime = Start;
        Moving = KiWheel[Level][Slot];
        Moving.Flink->Blink = &Moving;
        Moving.Blink->Flink = &Moving;
        InitializeListHead(&KiWheel[Level][Slot]);
        KiWheelBits[Level] &= ~(1ull << Slot);
        if (!KiWheelBits[Level])
            KiWheelLevels &= ~(1u << Level);
        while (!IsListEmpty(&Moving))
            KiEnterWheel(CONTAINING_RECORD(RemoveHeadList(&Moving), KTIMER, TimerListEntry));
    }
    KiWheelTime = Time;
}

static VOID KiWakeNoWakeTimers(VOID)
{
    for (PLIST_ENTRY Entry = KiNoWake.Flink, Next; Entry != &KiNoWake; Entry = Next) {
        PKI_LONG_TIMER Timer = CONTAINING_RECORD(Entry, KI_LONG_TIMER, NoWakeEntry);
        Next = Entry->Flink;
        if (Timer->NominalDue > KiDoor->now || Timer->Timer.Header.Expired)
            continue;
        if (Timer->Timer.TimerListEntry.Flink)
            KiLeaveWheel(&Timer->Timer);
        InsertTailList(&KiExpired, &Timer->Timer.TimerListEntry);
        Timer->Timer.Header.Expired = TRUE;
    }
}

BOOLEAN KiTurnTimers(BOOLEAN Awake)
{
    KiTurnWheel(KiDoor->now);
    if (Awake || !IsListEmpty(&KiExpired))
        KiWakeNoWakeTimers();
    return !IsListEmpty(&KiExpired);
}

/* Put the expiry off to where others expire too. */
static VOID KiCoalesce(PKTIMER Timer)
{
    ULONG Spacing = KiSpacings[KI_TIMER_SPACING(Timer)];
    ULONG Delay;

    if (!Spacing)
        return;
    Delay = (ULONG)((Spacing - Timer->DueTime.QuadPart % Spacing) % Spacing);
    Timer->DueTime.QuadPart += Delay;
    Timer->Processor = (Timer->Processor & 0xff000000) | Delay;
}

/* Into the wheel, at Timer->DueTime. */
static VOID KiStartTimer(PKTIMER Timer)
{
    Timer->Header.SignalState = FALSE;
    Timer->Header.Inserted = TRUE;
    Timer->Header.Expired = FALSE;
    if (Timer->DueTime.QuadPart <= KiDoor->now) {
        KiTurnWheel(KiDoor->now); /* so that earlier ones stay ahead of it */
        InsertTailList(&KiExpired, &Timer->TimerListEntry);
        KiRequestInterrupt(KiProcessor(), DISPATCH_LEVEL);
    } else {
        KiEnterWheel(Timer);
    }
}

static UINT64 KiDueTime(LARGE_INTEGER DueTime)
{
    INT64 Absolute = (INT64)KiDoor->now + DueTime.QuadPart - KiSystemTime();

    if (DueTime.QuadPart < 0)
        return KiDoor->now + (UINT64)-DueTime.QuadPart;
    return Absolute > (INT64)KiDoor->now ? (UINT64)Absolute : KiDoor->now;
}

BOOLEAN KiInsertTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG Stack)
{
    Timer->DueTime.QuadPart = KiDueTime(DueTime);
    Timer->Header.Absolute = DueTime.QuadPart >= 0;
    Timer->Period = Period;
    KiCoalesce(Timer);
    KiStartTimer(Timer);
    return TRUE;
}

static VOID KiStartLongTimer(PKI_LONG_TIMER Timer)
{
    BOOLEAN Never = Timer->NoWake && Timer->Tolerance == (UINT64)-1;

    Timer->Timer.DueTime.QuadPart = Timer->NominalDue + (Timer->NoWake && !Never ? Timer->Tolerance : 0);
    Timer->Timer.TimerListEntry.Flink = NULL;
    if (Timer->NoWake)
        InsertTailList(&KiNoWake, &Timer->NoWakeEntry);
    if (!Never || Timer->NominalDue <= KiDoor->now) {
        KiStartTimer(&Timer->Timer);
        Timer->Timer.Header.Expired = Timer->Timer.DueTime.QuadPart <= KiDoor->now;
    } else {
        Timer->Timer.Header.SignalState = FALSE;
        Timer->Timer.Header.Inserted = TRUE;
        Timer->Timer.Header.Expired = FALSE;
    }
}

VOID KiInitializeLongTimer(PKI_LONG_TIMER Timer, TIMER_TYPE Type, BOOLEAN NoWake)
{
    RtlZeroMemory(Timer, sizeof(*Timer));
    KeInitializeTimerEx(&Timer->Timer, Type);
    Timer->Timer.Processor = KI_TIMER_LONG;
    Timer->NoWake = NoWake;
}

VOID KiInsertLongTimer(PKI_LONG_TIMER Timer, LARGE_INTEGER DueTime, UINT64 Period, UINT64 Tolerance)
{
    Timer->NominalDue = KiDueTime(DueTime);
    Timer->Timer.Header.Absolute = DueTime.QuadPart >= 0;
    Timer->Period = Period;
    Timer->Tolerance = Tolerance;
    KiStartLongTimer(Timer);
}

static PKI_LONG_TIMER KiLongTimer(PKTIMER Timer)
{
    return Timer->Processor & KI_TIMER_LONG ? CONTAINING_RECORD(Timer, KI_LONG_TIMER, Timer) : NULL;
}

BOOLEAN KiRemoveTimer(PKTIMER Timer)
{
    PKI_LONG_TIMER Long = KiLongTimer(Timer);

    if (!Timer->Header.Inserted)
        return FALSE;
    if (Long && Long->NoWake)
        RemoveEntryList(&Long->NoWakeEntry);
    if (!Long || Timer->TimerListEntry.Flink)
        KiLeaveWheel(Timer);
    Timer->Header.Inserted = FALSE;
    return TRUE;
}

/* A period starts anew; FALSE: it has none. */
static BOOLEAN KiStartPeriod(PKTIMER Timer)
{
    PKI_LONG_TIMER Long = KiLongTimer(Timer);

    Timer->Header.Absolute = FALSE; /* periods are time that passes */
    if (Long && Long->NoWake)
        RemoveEntryList(&Long->NoWakeEntry);
    if (Long && Long->Period) {
        if (Long->NominalDue + Long->Period <= KiDoor->now) /* periods gone by while the timer could not expire */
            Long->NominalDue += (KiDoor->now - Long->NominalDue) / Long->Period * Long->Period;
        else
            Long->NominalDue += Long->Period;
        KiStartLongTimer(Long);
        return TRUE;
    }
    if (Timer->Period) {
        Timer->DueTime.QuadPart += (UINT64)Timer->Period * 10000 - KI_TIMER_DELAY(Timer);
        KiCoalesce(Timer);
        KiEnterWheel(Timer);
        return TRUE;
    }
    Timer->Header.Inserted = FALSE;
    return FALSE;
}

/* A driver's timer is no longer set, so it and its DPC may go. */
static VOID KiForgetTimer(PKTIMER Timer)
{
    VfUntrack(Timer, VfTimer);
    if (Timer->Dpc)
        VfUntrack(Timer->Dpc, VfTimerDpc);
}

/* One expiry: the timer is signalled, its waiters go, its DPC is queued, and a period starts anew. */
static VOID KiExpireTimer(PKTIMER Timer)
{
    PKDPC Dpc = Timer->Dpc;
    ULONG Stack = VfTrackedStack(Timer);

    if (!KiStartPeriod(Timer))
        KiForgetTimer(Timer);
    Timer->Header.SignalState = TRUE;
    if (!IsListEmpty(&Timer->Header.WaitListHead))
        KiWaitTest(Timer, 0);
    if (Dpc)
        KiQueueTimerDpc(Dpc, Timer, Stack);
}

/* DISPATCH_LEVEL. Timers that become due meanwhile wait for their own interrupt. */
VOID KiExpireTimers(VOID)
{
    while (!IsListEmpty(&KiExpired))
        KiExpireTimer(CONTAINING_RECORD(RemoveHeadList(&KiExpired), KTIMER, TimerListEntry));
}

/* ---- Another system time ------------------------------------------------------------------------------------------ */

/* Into a list by due time; mostly it is the last. */
static VOID KiInsertByDueTime(PLIST_ENTRY Head, PKTIMER Timer)
{
    PLIST_ENTRY Before = Head->Blink;
    while (Before != Head &&
           CONTAINING_RECORD(Before, KTIMER, TimerListEntry)->DueTime.QuadPart > Timer->DueTime.QuadPart)
        Before = Before->Blink;
    InsertHeadList(Before, &Timer->TimerListEntry);
}

static VOID KiTakeAbsolute(PLIST_ENTRY Head, PLIST_ENTRY Taken)
{
    for (PLIST_ENTRY Entry = Head->Flink, Next; Entry != Head; Entry = Next) {
        PKTIMER Timer = CONTAINING_RECORD(Entry, KTIMER, TimerListEntry);
        Next = Entry->Flink;
        if (!Timer->Header.Absolute || Timer->Header.Expired)
            continue;
        KiLeaveWheel(Timer);
        KiInsertByDueTime(Taken, Timer);
    }
}

/* The system time is Shift later than it was: timers with an absolute due time are due so much earlier. Those that have
 * expired are left alone. (docs: KeSetTimer, KeWaitForSingleObject: absolute times track changes of the system time) */
VOID KiMoveAbsoluteTimers(INT64 Shift)
{
    LIST_ENTRY Taken;

    InitializeListHead(&Taken);
    for (ULONG i = 0; i < KI_LEVELS * 64; i++)
        KiTakeAbsolute(&KiWheel[0][i], &Taken);
    for (PLIST_ENTRY Entry = KiNoWake.Flink; Entry != &KiNoWake; Entry = Entry->Flink) {
        PKI_LONG_TIMER Timer = CONTAINING_RECORD(Entry, KI_LONG_TIMER, NoWakeEntry);
        if (Timer->Timer.Header.Absolute && !Timer->Timer.TimerListEntry.Flink)
            Timer->NominalDue = (UINT64)max((INT64)Timer->NominalDue - Shift, 0);
    }
    while (!IsListEmpty(&Taken)) {
        PKTIMER Timer = CONTAINING_RECORD(RemoveHeadList(&Taken), KTIMER, TimerListEntry);
        PKI_LONG_TIMER Long = KiLongTimer(Timer);
        if (Long)
            Long->NominalDue = (UINT64)max((INT64)Long->NominalDue - Shift, 0);
        Timer->DueTime.QuadPart = (UINT64)max((INT64)Timer->DueTime.QuadPart - Shift, 0);
        KiStartTimer(Timer);
        if (Long)
            Timer->Header.Expired = Timer->DueTime.QuadPart <= KiDoor->now;
    }
}

static VOID KiForgetDpcIn(PLIST_ENTRY Head, PKDPC Dpc)
{
    for (PLIST_ENTRY Entry = Head->Flink; Entry != Head; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, KTIMER, TimerListEntry)->Dpc == Dpc)
            CONTAINING_RECORD(Entry, KTIMER, TimerListEntry)->Dpc = NULL;
}

/* For the verifier: the memory of a set timer's DPC has gone. */
VOID KiForgetTimerDpc(PKDPC Dpc)
{
    KiForgetDpcIn(&KiExpired, Dpc);
    for (ULONG i = 0; i < KI_LEVELS * 64; i++)
        KiForgetDpcIn(&KiWheel[0][i], Dpc);
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

VOID KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    if (VfTrackedStack(Timer)) {
        VfFinding("object.reinitialized-in-use", 0xC7, 0, (UINT64)Timer, 0, 0);
        VfSubject("KeInitializeTimer");
        VfText("a timer is initialised again while it is set");
        VfNoteCaller(NULL);
        VfNote(DOOR_NOTE_OBJECT, VfTrackedStack(Timer), Timer, NULL, "Timer %%o was set at:");
        VfCommit(); /* passed over, it stays set: Windows' list still has it, too */
    } else {
        UCHAR Flags = Timer->Header.TimerControlFlags; /* written when it is set: Windows leaves them here, too */
        RtlZeroMemory(Timer, sizeof(*Timer));
        Timer->Header.TimerControlFlags = Flags;
        InitializeListHead(&Timer->Header.WaitListHead);
    }
    Timer->Header.SignalState = 0;
    Timer->Header.Type = Type == NotificationTimer ? TimerNotificationObject : TimerSynchronizationObject;
}

VOID KeInitializeTimer(PKTIMER Timer)
{
    KeInitializeTimerEx(Timer, NotificationTimer);
}

static BOOLEAN KiSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, ULONG Tolerance, PKDPC Dpc)
{
    ULONG Spacing = RTL_NUMBER_OF(KiSpacings) - 1;
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    BOOLEAN WasSet = KiRemoveTimer(Timer);
    ULONG Stack = VfCaptureStack();

    if (WasSet)
        KiForgetTimer(Timer);
    while (KiSpacings[Spacing] > Tolerance * 10000ull)
        Spacing--;
    Timer->Processor = Spacing << 24;
    Timer->Dpc = Dpc;
    if (Dpc)
        VfTrack(Dpc, sizeof(*Dpc), VfTimerDpc, (PVOID)Dpc->DeferredRoutine, Stack);
    VfTrack(Timer, sizeof(*Timer), VfTimer, Dpc ? (PVOID)Dpc->DeferredRoutine : NULL, Stack);
    KiInsertTimer(Timer, DueTime, Period > 0 ? (ULONG)Period : 0, Stack);
    KiExitDispatcher(OldIrql);
    return WasSet;
}

BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    return KiSetTimer(Timer, DueTime, Period, 0, Dpc);
}

BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return KiSetTimer(Timer, DueTime, 0, 0, Dpc);
}

BOOLEAN KeSetCoalescableTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG TolerableDelay, PKDPC Dpc)
{
    return KiSetTimer(Timer, DueTime, (LONG)Period, TolerableDelay, Dpc);
}

BOOLEAN KeCancelTimer(PKTIMER Timer)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    BOOLEAN WasSet = KiRemoveTimer(Timer);

    if (WasSet)
        KiForgetTimer(Timer);
    Timer->Period = 0;
    KiExitDispatcher(OldIrql);
    return WasSet;
}

BOOLEAN KeReadStateTimer(PKTIMER Timer)
{
    return (BOOLEAN)(Timer->Header.SignalState != 0);
}
