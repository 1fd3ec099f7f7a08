/*
 * EX_SPIN_LOCK: reader-writer spin locks. Bit 31 says held exclusively, bit 30 that somebody waits to hold it so, which
 * keeps new sharers out; the rest counts the sharers. Spinning is a delivery point. (docs: ExAcquireSpinLockShared)
 */
#include "nt.h"

#define EX_SPIN_EXCLUSIVE 0x80000000u
#define EX_SPIN_WAITS 0x40000000u
#define EX_SPIN_SHARERS 0x3fffffffu

typedef volatile LONG *PEX_LOCK_WORD;

#define WORD (*(volatile ULONG *)SpinLock)

static inline VOID ExpHold(VOID)
{
    KiProcessor()->SpinLocksHeld++;
}

static inline VOID ExpLetGo(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();
    if (Processor->SpinLocksHeld)
        Processor->SpinLocksHeld--;
}

static VOID ExpSpinShared(PEX_LOCK_WORD SpinLock)
{
    while (WORD & (EX_SPIN_EXCLUSIVE | EX_SPIN_WAITS))
        KiSpin((PVOID)SpinLock);
    WORD++;
    ExpHold();
}

static VOID ExpSpinExclusive(PEX_LOCK_WORD SpinLock)
{
    while (WORD & ~EX_SPIN_WAITS) {
        WORD |= EX_SPIN_WAITS;
        KiSpin((PVOID)SpinLock);
    }
    WORD = EX_SPIN_EXCLUSIVE;
    ExpHold();
}

static VOID ExpReportNotHeld(PEX_LOCK_WORD SpinLock, PCSTR How)
{
    VfFinding("lock.not-held", 0x10, (UINT64)SpinLock, WORD, 0, 0); /* SPIN_LOCK_NOT_OWNED */
    VfSubject("EX_SPIN_LOCK");
    VfText("a reader-writer spin lock was released that nobody holds %s", How);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, 0, (PVOID)SpinLock, NULL, "The lock is %%o.");
    VfCommit();
}

static VOID ExpReleaseShared(PEX_LOCK_WORD SpinLock)
{
    if (!(WORD & EX_SPIN_SHARERS) || (WORD & EX_SPIN_EXCLUSIVE)) {
        ExpReportNotHeld(SpinLock, "in shared mode");
        return;
    }
    WORD--;
    ExpLetGo();
}

static VOID ExpReleaseExclusive(PEX_LOCK_WORD SpinLock)
{
    if (!(WORD & EX_SPIN_EXCLUSIVE)) {
        ExpReportNotHeld(SpinLock, "exclusively");
        return;
    }
    WORD &= ~EX_SPIN_EXCLUSIVE;
    ExpLetGo();
}

static KIRQL ExpRaise(PEX_LOCK_WORD SpinLock, PVOID Site)
{
    KIRQL OldIrql = KeGetCurrentIrql();

    if (OldIrql < DISPATCH_LEVEL) {
        KiRaiseIrql(DISPATCH_LEVEL);
        KiNoteRaise(OldIrql, DISPATCH_LEVEL, KiCauseSpinLock, Site, (PVOID)SpinLock);
    }
    return OldIrql;
}

KIRQL ExAcquireSpinLockShared(PEX_LOCK_WORD SpinLock)
{
    KIRQL OldIrql = ExpRaise(SpinLock, __builtin_return_address(0));

    ExpSpinShared(SpinLock);
    return OldIrql;
}

KIRQL ExAcquireSpinLockExclusive(PEX_LOCK_WORD SpinLock)
{
    KIRQL OldIrql = ExpRaise(SpinLock, __builtin_return_address(0));

    ExpSpinExclusive(SpinLock);
    return OldIrql;
}

VOID ExReleaseSpinLockShared(PEX_LOCK_WORD SpinLock, KIRQL OldIrql)
{
    ExpReleaseShared(SpinLock);
    KiLowerIrql(OldIrql);
}

VOID ExReleaseSpinLockExclusive(PEX_LOCK_WORD SpinLock, KIRQL OldIrql)
{
    ExpReleaseExclusive(SpinLock);
    KiLowerIrql(OldIrql);
}

VOID ExAcquireSpinLockSharedAtDpcLevel(PEX_LOCK_WORD SpinLock)
{
    ExpSpinShared(SpinLock);
}

VOID ExAcquireSpinLockExclusiveAtDpcLevel(PEX_LOCK_WORD SpinLock)
{
    ExpSpinExclusive(SpinLock);
}

VOID ExReleaseSpinLockSharedFromDpcLevel(PEX_LOCK_WORD SpinLock)
{
    ExpReleaseShared(SpinLock);
}

VOID ExReleaseSpinLockExclusiveFromDpcLevel(PEX_LOCK_WORD SpinLock)
{
    ExpReleaseExclusive(SpinLock);
}

LOGICAL ExTryAcquireSpinLockSharedAtDpcLevel(PEX_LOCK_WORD SpinLock)
{
    if (WORD & (EX_SPIN_EXCLUSIVE | EX_SPIN_WAITS))
        return FALSE;
    ExpSpinShared(SpinLock);
    return TRUE;
}

LOGICAL ExTryAcquireSpinLockExclusiveAtDpcLevel(PEX_LOCK_WORD SpinLock)
{
    if (WORD & ~EX_SPIN_WAITS)
        return FALSE;
    ExpSpinExclusive(SpinLock);
    return TRUE;
}

/* docs: ExTryConvertSharedSpinLockExclusive: only the one sharer can, and only if nobody waits. */
LOGICAL ExTryConvertSharedSpinLockExclusive(PEX_LOCK_WORD SpinLock)
{
    if (WORD != 1)
        return FALSE;
    WORD = EX_SPIN_EXCLUSIVE;
    return TRUE;
}
