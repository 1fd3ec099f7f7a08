/*
 * Fast mutexes and guarded mutexes: a count (1 = free), the owner, and an event to wait on. Drivers initialise a fast
 * mutex inline (ExInitializeFastMutex), so the layout and the meaning of the count are Windows': of a fast mutex it falls by one
 * with each waiter; of a guarded one bit 0 says that it is free, and each waiter adds four.
 *
 * The two differ in what they keep away from the owner: a fast mutex raises to APC_LEVEL, a guarded one begins a
 * guarded region; the "unsafe" forms leave that to the caller. Neither can be acquired twice by one thread: it would
 * wait for itself for ever, which is reported here instead. (docs: "Fast Mutexes and Guarded Mutexes",
 * ExAcquireFastMutex)
 */
#include "nt.h"

C_ASSERT(FIELD_OFFSET(FAST_MUTEX, Event) == FIELD_OFFSET(KGUARDED_MUTEX, Gate));
C_ASSERT(FIELD_OFFSET(FAST_MUTEX, Owner) == FIELD_OFFSET(KGUARDED_MUTEX, Owner));

typedef struct _EXP_KIND {
    PCSTR Name;
    KWAIT_REASON Reason;
    LONG Waiter; /* what each adds to the count */
} EXP_KIND;

static const EXP_KIND ExpFast = {"fast mutex", WrFastMutex, -1}, ExpGuarded = {"guarded mutex", WrGuardedMutex, 4};

static VOID ExpReportRecursion(PFAST_MUTEX Mutex, PCSTR Kind)
{
    VfFinding("mutex.recursive", 0xC4, 0x1000, (UINT64)Mutex, 0, 0);
    VfSubject(Kind);
    VfText("a thread acquires a %s that it holds already, and would wait for itself for ever", Kind);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, 0, Mutex, NULL, "The %s is %%o.", Kind);
    VfCommit();
    VfContinueIsImpossible();
}

static VOID ExpReportNotOwned(PFAST_MUTEX Mutex, PCSTR Kind)
{
    VfFinding("mutex.not-owned", 0xC4, Mutex->Owner ? 0x1004 : 0x1007, (UINT64)Mutex, (UINT64)Mutex->Owner,
              (UINT64)KeGetCurrentThread());
    VfSubject(Kind);
    VfText(Mutex->Owner ? "a %s was released by a thread that does not hold it" : "a %s was released that nobody holds",
           Kind);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, 0, Mutex, NULL, "The %s is %%o.", Kind);
    VfCommit();
}

/* Is it free, and if so, no longer? */
static BOOLEAN ExpTake(PFAST_MUTEX Mutex)
{
    if (Mutex->Count != 1)
        return FALSE;
    Mutex->Count = 0;
    return TRUE;
}

static VOID ExpAcquire(PFAST_MUTEX Mutex, const EXP_KIND *Kind, PVOID Site)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (Mutex->Owner == Thread && Mutex->Count != 1)
        ExpReportRecursion(Mutex, Kind->Name);
    VfWantsLock(Mutex, VfFastMutex);
    if (!ExpTake(Mutex)) {
        Mutex->Count += Kind->Waiter;
        Mutex->Contention++;
        KeWaitForSingleObject(&Mutex->Event, Kind->Reason, KernelMode, FALSE, NULL);
    }
    Mutex->Owner = Thread;
    VfAcquiredLock(&Thread->Held, Mutex, Site);
}

static BOOLEAN ExpTryAcquire(PFAST_MUTEX Mutex, PVOID Site)
{
    if (!ExpTake(Mutex))
        return FALSE;
    Mutex->Owner = KeGetCurrentThread();
    VfAcquiredLock(&KeGetCurrentThread()->Held, Mutex, Site);
    return TRUE;
}

static BOOLEAN ExpRelease(PFAST_MUTEX Mutex, const EXP_KIND *Kind)
{
    BOOLEAN Waiters = Kind->Waiter < 0 ? Mutex->Count < 0 : Mutex->Count >= Kind->Waiter;

    if (Mutex->Owner != KeGetCurrentThread()) {
        ExpReportNotOwned(Mutex, Kind->Name);
        if (!KiDoor->free_build)
            return FALSE;
    }
    VfReleasedLock(&KeGetCurrentThread()->Held, Mutex);
    Mutex->Owner = NULL;
    if (Waiters) {
        Mutex->Count -= Kind->Waiter;
        KeSetEvent(&Mutex->Event, EVENT_INCREMENT, FALSE);
    } else if (Kind->Waiter < 0) {
        Mutex->Count++;
    } else {
        Mutex->Count ^= 1;
    }
    return TRUE;
}

/* ---- Fast mutexes --------------------------------------------------------------------------------------------------
 */

VOID FASTCALL ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL OldIrql = KiRaiseIrql(APC_LEVEL);

    KiNoteRaise(OldIrql, APC_LEVEL, KiCauseMutex, __builtin_return_address(0), FastMutex);
    ExpAcquire(FastMutex, &ExpFast, __builtin_return_address(0));
    FastMutex->OldIrql = OldIrql;
}

BOOLEAN FASTCALL ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL OldIrql;

    if (!ExpTryAcquire(FastMutex, __builtin_return_address(0)))
        return FALSE;
    OldIrql = KiRaiseIrql(APC_LEVEL);
    KiNoteRaise(OldIrql, APC_LEVEL, KiCauseMutex, __builtin_return_address(0), FastMutex);
    FastMutex->OldIrql = OldIrql;
    return TRUE;
}

VOID FASTCALL ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    ULONG OldIrql = FastMutex->OldIrql;

    if (ExpRelease(FastMutex, &ExpFast) && OldIrql <= (KiDoor->free_build ? HIGH_LEVEL : APC_LEVEL))
        KiLowerIrql((KIRQL)OldIrql);
}

/* docs: ExAcquireFastMutexUnsafe: the caller has held normal APCs off, at APC_LEVEL or in a critical region. As for resources
 * nothing is asked of the system's threads, which nobody suspends. */
static VOID ExpCheckApcsHeldOff(PCSTR Routine, ULONG SubCode, PFAST_MUTEX Mutex)
{
    if (KiReadCr8() >= APC_LEVEL || KeAreApcsDisabled() || PsIsSystemThread(PsGetCurrentThread()))
        return;
    VfFinding("mutex.apcs-enabled", 0xC4, SubCode, KiReadCr8(), (UINT64)Mutex, 0);
    VfSubject(Routine);
    VfText("%s called at PASSIVE_LEVEL outside any critical region", Routine);
    VfNoteCaller(NULL);
    VfCommit();
}

VOID FASTCALL ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ExpCheckApcsHeldOff("ExAcquireFastMutexUnsafe", 0x39, FastMutex);
    ExpAcquire(FastMutex, &ExpFast, __builtin_return_address(0));
}

VOID FASTCALL ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ExpCheckApcsHeldOff("ExReleaseFastMutexUnsafe", 0x3A, FastMutex);
    ExpRelease(FastMutex, &ExpFast);
}

VOID FASTCALL ExEnterCriticalRegionAndAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    KeEnterCriticalRegion();
    ExpAcquire(FastMutex, &ExpFast, __builtin_return_address(0));
}

VOID FASTCALL ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(PFAST_MUTEX FastMutex)
{
    ExpRelease(FastMutex, &ExpFast);
    KeLeaveCriticalRegion();
}

/* ---- Guarded mutexes -----------------------------------------------------------------------------------------------
 */

VOID FASTCALL KeInitializeGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    GuardedMutex->Count = 1;
    GuardedMutex->Owner = NULL;
    GuardedMutex->Contention = 0;
    KeInitializeEvent((PKEVENT)&GuardedMutex->Gate, SynchronizationEvent, FALSE);
}

/* The thread's count, for a checked build to compare at the release; a free build never writes it. */
static VOID ExpNoteRegion(PKGUARDED_MUTEX GuardedMutex)
{
    if (!KiDoor->free_build)
        GuardedMutex->SpecialApcDisable = KeGetCurrentThread()->SpecialApcDisable;
}

VOID FASTCALL KeAcquireGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    KeEnterGuardedRegion();
    ExpAcquire((PFAST_MUTEX)GuardedMutex, &ExpGuarded, __builtin_return_address(0));
    ExpNoteRegion(GuardedMutex);
}

BOOLEAN FASTCALL KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    if (!ExpTryAcquire((PFAST_MUTEX)GuardedMutex, __builtin_return_address(0)))
        return FALSE;
    KeEnterGuardedRegion();
    ExpNoteRegion(GuardedMutex);
    return TRUE;
}

VOID FASTCALL KeReleaseGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    if (ExpRelease((PFAST_MUTEX)GuardedMutex, &ExpGuarded))
        KeLeaveGuardedRegion();
}

VOID FASTCALL KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX GuardedMutex)
{
    ExpAcquire((PFAST_MUTEX)GuardedMutex, &ExpGuarded, __builtin_return_address(0));
}

VOID FASTCALL KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX GuardedMutex)
{
    ExpRelease((PFAST_MUTEX)GuardedMutex, &ExpGuarded);
}
