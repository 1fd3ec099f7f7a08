/*
 * Fast mutexes and guarded mutexes: a count (1 = free), the owner, and an event to wait on. Drivers initialise a fast
 * mutex inline (ExInitializeFastMutex), so the layout and the meaning of the count are Windows'.
 *
 * The two differ in what they keep away from the owner: a fast mutex raises to APC_LEVEL, a guarded one begins a
 * guarded region; the "unsafe" forms leave that to the caller. Neither can be acquired twice by one thread: it would
 * wait for itself for ever, which is reported here instead. (docs: "Fast Mutexes and Guarded Mutexes",
 * ExAcquireFastMutex)
 */
#include "nt.h"

C_ASSERT(FIELD_OFFSET(FAST_MUTEX, Event) == FIELD_OFFSET(KGUARDED_MUTEX, Gate));
C_ASSERT(FIELD_OFFSET(FAST_MUTEX, Owner) == FIELD_OFFSET(KGUARDED_MUTEX, Owner));

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

static VOID ExpAcquire(PFAST_MUTEX Mutex, PCSTR Kind, KWAIT_REASON Reason, PVOID Site)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (Mutex->Owner == Thread && Mutex->Count <= 0)
        ExpReportRecursion(Mutex, Kind);
    VfWantsLock(Mutex, VfFastMutex);
    if (--Mutex->Count) {
        Mutex->Contention++;
        KeWaitForSingleObject(&Mutex->Event, Reason, KernelMode, FALSE, NULL);
    }
    Mutex->Owner = Thread;
    VfAcquiredLock(&Thread->Held, Mutex, Site);
}

static BOOLEAN ExpTryAcquire(PFAST_MUTEX Mutex, PVOID Site)
{
    if (Mutex->Count != 1)
        return FALSE;
    Mutex->Count = 0;
    Mutex->Owner = KeGetCurrentThread();
    VfAcquiredLock(&KeGetCurrentThread()->Held, Mutex, Site);
    return TRUE;
}

static BOOLEAN ExpRelease(PFAST_MUTEX Mutex, PCSTR Kind)
{
    if (Mutex->Owner != KeGetCurrentThread()) {
        ExpReportNotOwned(Mutex, Kind);
        if (!KiDoor->free_build)
            return FALSE;
    }
    VfReleasedLock(&KeGetCurrentThread()->Held, Mutex);
    Mutex->Owner = NULL;
    if (++Mutex->Count <= 0)
        KeSetEvent(&Mutex->Event, EVENT_INCREMENT, FALSE);
    return TRUE;
}

/* ---- Fast mutexes --------------------------------------------------------------------------------------------------
 */

VOID FASTCALL ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL OldIrql = KiRaiseIrql(APC_LEVEL);

    KiNoteRaise(OldIrql, APC_LEVEL, KiCauseMutex, __builtin_return_address(0), FastMutex);
    ExpAcquire(FastMutex, "fast mutex", WrFastMutex, __builtin_return_address(0));
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
    KIRQL OldIrql = (KIRQL)FastMutex->OldIrql;

    if (ExpRelease(FastMutex, "fast mutex") && OldIrql <= APC_LEVEL)
        KiLowerIrql(OldIrql);
}

/* docs: ExAcquireFastMutexUnsafe: the caller has held normal APCs off, at APC_LEVEL or in a critical region. */
static VOID ExpCheckApcsHeldOff(PCSTR Routine, ULONG SubCode, PFAST_MUTEX Mutex)
{
    if (KiReadCr8() >= APC_LEVEL || KeAreApcsDisabled())
        return;
    VfFinding("irql.call-too-low", 0xC4, SubCode, KiReadCr8(), (UINT64)Mutex, 0);
    VfSubject(Routine);
    VfText("%s called at PASSIVE_LEVEL outside any critical region", Routine);
    VfNoteCaller(NULL);
    VfCommit();
}

VOID FASTCALL ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ExpCheckApcsHeldOff("ExAcquireFastMutexUnsafe", 0x39, FastMutex);
    ExpAcquire(FastMutex, "fast mutex", WrFastMutex, __builtin_return_address(0));
}

VOID FASTCALL ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ExpCheckApcsHeldOff("ExReleaseFastMutexUnsafe", 0x3A, FastMutex);
    ExpRelease(FastMutex, "fast mutex");
}

/* ---- Guarded mutexes -----------------------------------------------------------------------------------------------
 */

VOID FASTCALL KeInitializeGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    GuardedMutex->Count = 1;
    GuardedMutex->Owner = NULL;
    GuardedMutex->Contention = 0;
    GuardedMutex->CombinedApcDisable = 0;
    KeInitializeEvent((PKEVENT)&GuardedMutex->Gate, SynchronizationEvent, FALSE);
}

VOID FASTCALL KeAcquireGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    KeEnterGuardedRegion();
    ExpAcquire((PFAST_MUTEX)GuardedMutex, "guarded mutex", WrGuardedMutex, __builtin_return_address(0));
    GuardedMutex->CombinedApcDisable = KeGetCurrentThread()->CombinedApcDisable;
}

BOOLEAN FASTCALL KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    if (!ExpTryAcquire((PFAST_MUTEX)GuardedMutex, __builtin_return_address(0)))
        return FALSE;
    KeEnterGuardedRegion();
    GuardedMutex->CombinedApcDisable = KeGetCurrentThread()->CombinedApcDisable;
    return TRUE;
}

VOID FASTCALL KeReleaseGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    if (ExpRelease((PFAST_MUTEX)GuardedMutex, "guarded mutex"))
        KeLeaveGuardedRegion();
}

VOID FASTCALL KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX GuardedMutex)
{
    ExpAcquire((PFAST_MUTEX)GuardedMutex, "guarded mutex", WrGuardedMutex, __builtin_return_address(0));
}

VOID FASTCALL KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX GuardedMutex)
{
    ExpRelease((PFAST_MUTEX)GuardedMutex, "guarded mutex");
}
