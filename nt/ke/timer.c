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
 * (docs: KeSetTimerEx, KeCancelTimer, Timer Objects and DPCs)
 */
#include "nt.h"

#define KI_LEVELS 11

static LIST_ENTRY KiWheel[KI_LEVELS][64];
static UINT64 KiWheelBits[KI_LEVELS];
static ULONG KiWheelLevels; /* bit k: level k is not empty */
static UINT64 KiWheelTime;
static LIST_ENTRY KiExpired; /* due, in order; still "inserted" for their owners */

VOID KiInitializeTimers(VOID)
{
    for (ULONG Level = 0; Level < KI_LEVELS; Level++)
        for (ULONG Slot = 0; Slot < 64; Slot++)
            InitializeListHead(&KiWheel[Level][Slot]);
    InitializeListHead(&KiExpired);
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

/* The clock ticks (CLOCK_LEVEL): if a timer is due, its work is for DISPATCH_LEVEL. */
VOID KiClockInterrupt(VOID)
{
    KiTurnWheel(KiDoor->now);
    if (!IsListEmpty(&KiExpired))
        KiRequestInterrupt(KiProcessor(), DISPATCH_LEVEL);
}

BOOLEAN KiInsertTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG Stack)
{
    UINT64 Now = KiDoor->now;
    INT64 Absolute = DueTime.QuadPart - (INT64)KiDoor->boot_time;

    if (DueTime.QuadPart < 0)
        Timer->DueTime.QuadPart = Now + (UINT64)-DueTime.QuadPart;
    else
        Timer->DueTime.QuadPart = Absolute > (INT64)Now ? (UINT64)Absolute : Now;
    Timer->Period = Period;
    Timer->Header.SignalState = FALSE;
    Timer->Header.Inserted = TRUE;
    if (Timer->DueTime.QuadPart <= Now) {
        KiTurnWheel(Now); /* so that earlier ones stay ahead of it */
        InsertTailList(&KiExpired, &Timer->TimerListEntry);
        KiRequestInterrupt(KiProcessor(), DISPATCH_LEVEL);
    } else {
        KiEnterWheel(Timer);
    }
    return TRUE;
}

BOOLEAN KiRemoveTimer(PKTIMER Timer)
{
    if (!Timer->Header.Inserted)
        return FALSE;
    KiLeaveWheel(Timer);
    Timer->Header.Inserted = FALSE;
    return TRUE;
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
    ULONG Stack;

    if (Timer->Period) {
        Timer->DueTime.QuadPart += (UINT64)Timer->Period * 10000;
        KiEnterWheel(Timer);
    } else {
        Timer->Header.Inserted = FALSE;
    }
    Stack = VfTrackedStack(Timer);
    if (!Timer->Period)
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

BOOLEAN KiTimersPending(VOID)
{
    return !IsListEmpty(&KiExpired);
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
        VfCommit();
        KiRemoveTimer(Timer);
        VfUntrack(Timer, VfTimer);
    }
    RtlZeroMemory(Timer, sizeof(*Timer));
    Timer->Header.Type = Type == NotificationTimer ? TimerNotificationObject : TimerSynchronizationObject;
    Timer->Header.Hand = sizeof(KTIMER) / sizeof(ULONG);
    InitializeListHead(&Timer->Header.WaitListHead);
}

VOID KeInitializeTimer(PKTIMER Timer)
{
    KeInitializeTimerEx(Timer, NotificationTimer);
}

BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    BOOLEAN WasSet = KiRemoveTimer(Timer);
    ULONG Stack = VfCaptureStack();

    if (WasSet)
        KiForgetTimer(Timer);
    Timer->Dpc = Dpc;
    if (Dpc)
        VfTrack(Dpc, sizeof(*Dpc), VfTimerDpc, (PVOID)Dpc->DeferredRoutine, Stack);
    VfTrack(Timer, sizeof(*Timer), VfTimer, Dpc ? (PVOID)Dpc->DeferredRoutine : NULL, Stack);
    KiInsertTimer(Timer, DueTime, Period > 0 ? (ULONG)Period : 0, Stack);
    KiExitDispatcher(OldIrql);
    return WasSet;
}

BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}

BOOLEAN KeSetCoalescableTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG TolerableDelay, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, (LONG)Period, Dpc); /* delay 0 is within any tolerance */
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
