/*
 * Timers that the system allocates: ExAllocateTimer and its family. (docs: ExAllocateTimer, ExSetTimer, ExCancelTimer,
 * ExDeleteTimer, High-Resolution Timers, No-Wake Timers, Deleting a System-Allocated Timer Object)
 *
 * The object begins with a KTIMER, so it can be waited for. Its callback runs at DISPATCH_LEVEL, as the DPC of that timer.
 * ExDeleteTimer takes the object from its owner at once; it goes when it is no longer set and no callback is queued or
 * runs, and then the delete callback runs, also at DISPATCH_LEVEL.
 *
 * All timers here expire when they are due, so a high-resolution one differs in what may be asked of it, not in how exact
 * it is. Periods are at least half a millisecond, the finest clock Windows has.
 */
#include "nt.h"

#define EXP_FINEST 5000

struct _EX_TIMER {
    KI_LONG_TIMER Timer; /* must be first */
    LIST_ENTRY Entry;    /* in ExpTimers */
    KDPC Dpc;
    ULONG Attributes;
    PEXT_CALLBACK Callback;
    PVOID Context;
    ULONG AllocatedAt, SetAt; /* stacks */

    BOOLEAN Running;  /* the callback */
    BOOLEAN Deleting; /* the owner has given it up */
    PEXT_DELETE_CALLBACK DeleteCallback;
    PVOID DeleteContext;
    PKEVENT Deleted; /* somebody waits for its end */
};

static LIST_ENTRY ExpTimers = {&ExpTimers, &ExpTimers};
static ULONG ExpResolution = KI_TICK, ExpResolutionRequests;

static VOID ExpBadTimer(PCSTR Routine, PEX_TIMER Timer, PCSTR Why)
{
    VfFinding("timer.bad-request", 0xC7, 0, (UINT64)Timer, 0, 0);
    VfSubject(Routine);
    VfText("%s: %s", Routine, Why);
    VfNoteCaller(NULL);
    if (Timer)
        VfNote(DOOR_NOTE_OBJECT, Timer->AllocatedAt, Timer, NULL, "Timer %%o was allocated at:");
    VfCommit();
}

/* A timer whose owner has not given it up? One that is being deleted takes no requests any more, and that is no mistake: its
 * callback may be running meanwhile. (docs: Deleting a System-Allocated Timer Object) */
static BOOLEAN ExpIsTimer(PCSTR Routine, PEX_TIMER Timer)
{
    for (PLIST_ENTRY Entry = ExpTimers.Flink; Entry != &ExpTimers; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, struct _EX_TIMER, Entry) == Timer)
            return !Timer->Deleting;
    ExpBadTimer(Routine, NULL, "this is no timer of ExAllocateTimer, or it has been deleted");
    return FALSE;
}

/* ---- The end of a timer ------------------------------------------------------------------------------------------ */

static VOID ExpCallDelete(PEX_TIMER Timer)
{
    VF_CALLBACK Callback = {
        .Contract = "EXT_DELETE_CALLBACK",
        .What = "delete callback of timer %o",
        .Routine = (PVOID)Timer->DeleteCallback,
        .Object = Timer,
        .Stack = Timer->AllocatedAt,
        .StackText = "The timer was allocated at:",
    };

    VfEnterCallback(&Callback);
    Timer->DeleteCallback(Timer->DeleteContext);
    VfLeaveCallback(&Callback);
}

/* DISPATCH_LEVEL: the object goes if nothing holds it any more. */
static VOID ExpTryDelete(PEX_TIMER Timer)
{
    PKEVENT Deleted = Timer->Deleted;

    if (!Timer->Deleting || Timer->Running || Timer->Dpc.DpcData || Timer->Timer.Timer.Header.Inserted)
        return;
    if (Timer->DeleteCallback)
        ExpCallDelete(Timer);
    RemoveEntryList(&Timer->Entry);
    ExpFree(Timer);
    if (Deleted)
        KeSetEvent(Deleted, EVENT_INCREMENT, FALSE);
}

static VOID ExpTimerDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PEX_TIMER Timer = Context;
    VF_CALLBACK Callback = {
        .Contract = "EXT_CALLBACK",
        .What = "callback of timer %o",
        .Routine = (PVOID)Timer->Callback,
        .Object = Timer,
        .Stack = Timer->SetAt,
        .StackText = "The timer was set at:",
    };

    if (Timer->Callback) {
        Timer->Running = TRUE;
        VfEnterCallback(&Callback);
        Timer->Callback(Timer, Timer->Context);
        VfLeaveCallback(&Callback);
        Timer->Running = FALSE;
    }
    ExpTryDelete(Timer);
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

PEX_TIMER NTAPI ExAllocateTimer(PEXT_CALLBACK Callback, PVOID CallbackContext, ULONG Attributes)
{
    static const ULONG Known = EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE | EX_TIMER_NOTIFICATION;
    PEX_TIMER Timer;

    if ((Attributes & ~Known) || !(~Attributes & (EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE))) {
        ExpBadTimer("ExAllocateTimer", NULL, "the attributes are unknown, or exclude each other");
        return NULL;
    }
    Timer = ExpTryAllocate(sizeof(*Timer), 'mTxE');
    if (!Timer)
        return NULL;
    RtlZeroMemory(Timer, sizeof(*Timer));
    KiInitializeLongTimer(&Timer->Timer, Attributes & EX_TIMER_NOTIFICATION ? NotificationTimer : SynchronizationTimer,
                          !!(Attributes & EX_TIMER_NO_WAKE));
    KeInitializeDpc(&Timer->Dpc, ExpTimerDpc, Timer);
    Timer->Timer.Timer.Dpc = &Timer->Dpc;
    Timer->Attributes = Attributes;
    Timer->Callback = Callback;
    Timer->Context = CallbackContext;
    InsertTailList(&ExpTimers, &Timer->Entry);
    Timer->AllocatedAt = VfCaptureStack();
    VfTrack(Timer, sizeof(*Timer), VfExTimer, (PVOID)Callback, Timer->AllocatedAt);
    return Timer;
}

BOOLEAN NTAPI ExSetTimer(PEX_TIMER Timer, LONGLONG DueTime, LONGLONG Period, PEXT_SET_PARAMETERS Parameters)
{
    LONGLONG Tolerance = Parameters ? Parameters->NoWakeTolerance : 0;
    LARGE_INTEGER Due = {.QuadPart = DueTime};
    KIRQL OldIrql;
    BOOLEAN WasSet;

    if (!ExpIsTimer("ExSetTimer", Timer))
        return FALSE;
    if (Period < 0 || Tolerance < EX_TIMER_UNLIMITED_TOLERANCE ||
        ((Timer->Attributes & EX_TIMER_HIGH_RESOLUTION) && DueTime >= 0)) {
        ExpBadTimer("ExSetTimer", Timer,
                    "a period or tolerance is negative, or a high-resolution timer is given an absolute time");
        return FALSE;
    }
    OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    WasSet = KiRemoveTimer(&Timer->Timer.Timer);
    Timer->SetAt = VfCaptureStack();
    KiInsertLongTimer(&Timer->Timer, Due, Period && Period < EXP_FINEST ? EXP_FINEST : (UINT64)Period,
                      Timer->Timer.NoWake ? (UINT64)Tolerance : 0);
    KiExitDispatcher(OldIrql);
    return WasSet;
}

BOOLEAN NTAPI ExCancelTimer(PEX_TIMER Timer, PEXT_CANCEL_PARAMETERS Parameters)
{
    KIRQL OldIrql;
    BOOLEAN WasSet;

    if (!ExpIsTimer("ExCancelTimer", Timer))
        return FALSE;
    OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    WasSet = KiRemoveTimer(&Timer->Timer.Timer);
    KiExitDispatcher(OldIrql);
    return WasSet;
}

BOOLEAN NTAPI ExDeleteTimer(PEX_TIMER Timer, BOOLEAN Cancel, BOOLEAN Wait, PEXT_DELETE_PARAMETERS Parameters)
{
    BOOLEAN Cancelled = FALSE;
    KEVENT Deleted;
    KIRQL OldIrql;

    if (!ExpIsTimer("ExDeleteTimer", Timer))
        return FALSE;
    if (Wait && !Cancel) {
        ExpBadTimer("ExDeleteTimer", Timer, "Wait without Cancel: the wait could be for ever");
        Wait = FALSE;
    }
    OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    VfUntrack(Timer, VfExTimer);
    Timer->Deleting = TRUE;
    Timer->Timer.Period = 0; /* what is set expires once more at most */
    if (Parameters) {
        Timer->DeleteCallback = Parameters->DeleteCallback;
        Timer->DeleteContext = Parameters->DeleteContext;
    }
    if (Cancel)
        Cancelled = KiRemoveTimer(&Timer->Timer.Timer);
    if (Wait && OldIrql < DISPATCH_LEVEL) {
        KeInitializeEvent(&Deleted, NotificationEvent, FALSE);
        Timer->Deleted = &Deleted;
    }
    ExpTryDelete(Timer);
    KiExitDispatcher(OldIrql);
    if (Wait && OldIrql < DISPATCH_LEVEL)
        KeWaitForSingleObject(&Deleted, Executive, KernelMode, FALSE, NULL);
    return Cancelled;
}

/* In 100 ns. (docs: ExQueryTimerResolution) */
VOID NTAPI ExQueryTimerResolution(PULONG MaximumTime, PULONG MinimumTime, PULONG CurrentTime)
{
    *MaximumTime = KI_TICK;
    *MinimumTime = EXP_FINEST;
    *CurrentTime = ExpResolution;
}

/* Drivers together get the finest that one of them asked for, until all have taken it back. DIFFERS: nothing but the
 * number changes, since timers are exact anyway. (docs: ExSetTimerResolution) */
ULONG NTAPI ExSetTimerResolution(ULONG DesiredTime, BOOLEAN SetResolution)
{
    if (SetResolution) {
        ULONG Wanted = DesiredTime < EXP_FINEST ? EXP_FINEST : DesiredTime > KI_TICK ? KI_TICK : DesiredTime;
        ExpResolutionRequests++;
        if (Wanted < ExpResolution)
            ExpResolution = Wanted;
    } else if (ExpResolutionRequests && !--ExpResolutionRequests) {
        ExpResolution = KI_TICK;
    }
    return ExpResolution;
}
