/*
 * Spin locks of every family, on one mechanism: acquire raises (or expects) the level and spins; release checks the owner and
 * lowers.
 *
 * While held the lock word is the owning thread | 1 as in a checked build of Windows, so that a recursive acquisition, which a
 * free build hangs in, is found at once. With --build=free it is what it is there: 1, or the handle's address in a queued lock;
 * who holds it is looked up in the processor's list. Spinning is a delivery point: another processor goes on.
 *
 * (docs: KeAcquireSpinLock, KeAcquireInStackQueuedSpinLock, KeTryToAcquireSpinLockAtDpcLevel, KeReleaseSpinLockFromDpcLevel)
 */
#include "nt.h"

static inline UINT64 KiLockWord(PKLOCK_QUEUE_HANDLE Handle)
{
    if (!KiDoor->free_build)
        return (UINT64)KeGetCurrentThread() | 1;
    return Handle ? (UINT64)Handle : 1;
}

static inline BOOLEAN KiIsMine(PKSPIN_LOCK Lock)
{
    if (!KiDoor->free_build)
        return *Lock == KiLockWord(NULL);
    return *Lock && VfHoldsLock(&KiProcessor()->Held, Lock);
}

DECLSPEC_NOINLINE static VOID KiReportRecursion(PKSPIN_LOCK Lock)
{
    VfFinding("lock.recursive", 0x0F, (UINT64)Lock, 0, 0, 0);
    VfSubject("spin lock");
    VfText("the spin lock is acquired again by its owner");
    VfNoteCaller(NULL);
    VfNoteLevel();
    VfNote(DOOR_NOTE_OBJECT, VfTrackedStack(Lock), Lock, NULL, "Spin lock %%o was acquired at:");
    VfCommit();
    KiBugCheck(0x0F, (UINT64)Lock, 0, 0, 0); /* SPIN_LOCK_ALREADY_OWNED; nothing could go on here */
}

static inline VOID KiTake(PKSPIN_LOCK Lock, PKLOCK_QUEUE_HANDLE Handle, PVOID Site)
{
    PKI_PROCESSOR Processor = KiProcessor();

    *Lock = KiLockWord(Handle);
    Processor->SpinLocksHeld++;
    VfAcquiredLock(&Processor->Held, Lock, Site);
}

static inline VOID KiAcquireFor(PKSPIN_LOCK Lock, PKLOCK_QUEUE_HANDLE Handle, PVOID Site)
{
    VfWantsLock(Lock, VfSpinLock);
    while (*(volatile KSPIN_LOCK *)Lock) {
        if (KiIsMine(Lock))
            KiReportRecursion(Lock);
        KiSpin(Lock);
    }
    KiTake(Lock, Handle, Site);
}

static inline VOID KiAcquire(PKSPIN_LOCK Lock, PVOID Site)
{
    KiAcquireFor(Lock, NULL, Site);
}

DECLSPEC_NOINLINE static VOID KiReportNotHeld(PKSPIN_LOCK Lock)
{
    VfFinding("lock.not-held", 0x10, (UINT64)Lock, *Lock, 0, 0);
    VfSubject("spin lock");
    VfText("a spin lock is released that %s", *Lock ? "another thread holds" : "nobody holds");
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, 0, Lock, NULL, "The spin lock is %%o.");
    VfCommit();
}

static inline VOID KiRelease(PKSPIN_LOCK Lock)
{
    PKI_PROCESSOR Processor = KiProcessor();

    if (!KiIsMine(Lock))
        KiReportNotHeld(Lock);
    *Lock = 0;
    if (Processor->SpinLocksHeld)
        Processor->SpinLocksHeld--;
    VfReleasedLock(&Processor->Held, Lock);
}

static inline KIRQL KiRaiseForLock(PKSPIN_LOCK Lock, KIRQL Level, PVOID Site)
{
    KIRQL OldIrql = KiProcessor()->Irql;

    if (OldIrql < Level || KiDoor->free_build) { /* a free build sets the level, lower or not */
        KiRaiseIrql(Level);
        KiNoteRaise(OldIrql, Level, KiCauseSpinLock, Site, Lock);
    }
    return OldIrql;
}

static inline KIRQL KiAcquireRaise(PKSPIN_LOCK Lock, KIRQL Level, PVOID Site)
{
    KIRQL OldIrql = KiRaiseForLock(Lock, Level, Site);

    KiAcquire(Lock, Site);
    return OldIrql;
}

#define SITE __builtin_return_address(0)

KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    return KiAcquireRaise(SpinLock, DISPATCH_LEVEL, SITE);
}

KIRQL KeAcquireSpinLockRaiseToSynch(PKSPIN_LOCK SpinLock)
{
    return KiAcquireRaise(SpinLock, KI_SYNCH_LEVEL, SITE);
}

VOID KiExportKeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql)
{
    *OldIrql = KiAcquireRaise(SpinLock, DISPATCH_LEVEL, SITE);
}

VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    KiRelease(SpinLock);
    KiLowerIrql(NewIrql);
}

VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    KiAcquire(SpinLock, SITE);
}

VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    KiRelease(SpinLock);
}

/* The level for the forms that only DPCs call: a threaded one must raise, an ordinary one is there. Elsewhere a free build takes it
 * for an ordinary one. (docs: KeAcquireSpinLockForDpc, KeAcquireInStackQueuedSpinLockForDpc) */
static inline KIRQL KiRaiseForDpc(PKSPIN_LOCK Lock, PVOID Site)
{
    PKI_PROCESSOR Processor = KiProcessor();

    if (KiDoor->free_build && !Processor->ActiveThreadedDpc)
        return Processor->Irql;
    return KiRaiseForLock(Lock, DISPATCH_LEVEL, Site);
}

KIRQL KeAcquireSpinLockForDpc(PKSPIN_LOCK SpinLock)
{
    KIRQL OldIrql = KiRaiseForDpc(SpinLock, SITE);

    KiAcquire(SpinLock, SITE);
    return OldIrql;
}

VOID KeReleaseSpinLockForDpc(PKSPIN_LOCK SpinLock, KIRQL OldIrql)
{
    KiRelease(SpinLock);
    KiLowerIrql(OldIrql);
}

BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    if (*SpinLock)
        return FALSE;
    KiTake(SpinLock, NULL, SITE);
    return TRUE;
}

BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock)
{
    return *SpinLock == 0;
}

VOID KiExportKeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    *SpinLock = 0;
}

/* ---- In-stack queued ------------------------------------------------------------------------------------------------ */

#define KI_QUEUE_OWNER 2ull /* in a handle's Lock: it has the lock */

static inline VOID KiAcquireQueued(PKSPIN_LOCK Lock, PKLOCK_QUEUE_HANDLE Handle, KIRQL OldIrql, PVOID Site)
{
    Handle->LockQueue.Next = NULL;
    Handle->OldIrql = OldIrql;
    KiAcquireFor(Lock, Handle, Site);
    Handle->LockQueue.Lock = (PKSPIN_LOCK)((UINT64)Lock | KI_QUEUE_OWNER);
}

static inline VOID KiReleaseQueued(PKLOCK_QUEUE_HANDLE Handle)
{
    Handle->LockQueue.Lock = (PKSPIN_LOCK)((UINT64)Handle->LockQueue.Lock & ~KI_QUEUE_OWNER);
    KiRelease((PKSPIN_LOCK)Handle->LockQueue.Lock);
}

VOID KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiAcquireQueued(SpinLock, LockHandle, KiRaiseForLock(SpinLock, DISPATCH_LEVEL, SITE), SITE);
}

VOID KeAcquireInStackQueuedSpinLockRaiseToSynch(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiAcquireQueued(SpinLock, LockHandle, KiRaiseForLock(SpinLock, KI_SYNCH_LEVEL, SITE), SITE);
}

VOID KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiReleaseQueued(LockHandle);
    KiLowerIrql(LockHandle->OldIrql);
}

VOID KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiAcquireQueued(SpinLock, LockHandle, KiReadCr8(), SITE);
}

VOID KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiReleaseQueued(LockHandle);
}

VOID KeAcquireInStackQueuedSpinLockForDpc(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiAcquireQueued(SpinLock, LockHandle, KiRaiseForDpc(SpinLock, SITE), SITE);
}

VOID KeReleaseInStackQueuedSpinLockForDpc(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiReleaseQueued(LockHandle);
    KiLowerIrql(LockHandle->OldIrql);
}

/* ---- Queued, by number ---------------------------------------------------------------------------------------------- */

/* The system's own locks; a driver that knows a number shares the lock with whoever else does. The headers name 17 of them. */
static KSPIN_LOCK KiNumberedLock[LockQueueMaximumLock];

static PKSPIN_LOCK KiLockOf(KSPIN_LOCK_QUEUE_NUMBER Number)
{
    if (Number >= LockQueueMaximumLock)
        ExRaiseAccessViolation(); /* Windows reads behind its table */
    return &KiNumberedLock[Number];
}

KIRQL KeAcquireQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number)
{
    return KiAcquireRaise(KiLockOf(Number), DISPATCH_LEVEL, SITE);
}

KIRQL KeAcquireQueuedSpinLockRaiseToSynch(KSPIN_LOCK_QUEUE_NUMBER Number)
{
    return KiAcquireRaise(KiLockOf(Number), KI_SYNCH_LEVEL, SITE);
}

VOID KeReleaseQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number, KIRQL OldIrql)
{
    KiRelease(KiLockOf(Number));
    KiLowerIrql(OldIrql);
}

/* The level stays as it was when somebody holds the lock. */
static BOOLEAN KiTryNumbered(KSPIN_LOCK_QUEUE_NUMBER Number, PKIRQL OldIrql, KIRQL Level, PVOID Site)
{
    PKSPIN_LOCK Lock = KiLockOf(Number);

    if (*Lock)
        return FALSE;
    *OldIrql = KiAcquireRaise(Lock, Level, Site);
    return TRUE;
}

LOGICAL KeTryToAcquireQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number, PKIRQL OldIrql)
{
    return KiTryNumbered(Number, OldIrql, DISPATCH_LEVEL, SITE);
}

BOOLEAN KeTryToAcquireQueuedSpinLockRaiseToSynch(KSPIN_LOCK_QUEUE_NUMBER Number, PKIRQL OldIrql)
{
    return KiTryNumbered(Number, OldIrql, KI_SYNCH_LEVEL, SITE);
}
