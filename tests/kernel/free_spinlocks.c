/*
 * --build=free: spin locks of every family from PASSIVE_LEVEL to HIGH_LEVEL, one family's acquisition released by another's routine.
 * The lock word is what a free build has: 1 in an ordinary lock, the handle's address in a queued one, whose handle notes in bit 1
 * that it owns the lock. (docs: KeAcquireSpinLock, KeAcquireInStackQueuedSpinLock, KeTryToAcquireSpinLockAtDpcLevel)
 */
#include "check.h"

#define SYNCH_LEVEL 12

/* Exported and not in the headers. */
NTKERNELAPI KIRQL KeAcquireSpinLockRaiseToSynch(PKSPIN_LOCK);
NTKERNELAPI VOID KeAcquireInStackQueuedSpinLockRaiseToSynch(PKSPIN_LOCK, PKLOCK_QUEUE_HANDLE);
NTKERNELAPI KIRQL KeAcquireQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER);
NTKERNELAPI KIRQL KeAcquireQueuedSpinLockRaiseToSynch(KSPIN_LOCK_QUEUE_NUMBER);
NTKERNELAPI VOID KeReleaseQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER, KIRQL);
NTKERNELAPI LOGICAL KeTryToAcquireQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER, PKIRQL);
NTKERNELAPI BOOLEAN KeTryToAcquireQueuedSpinLockRaiseToSynch(KSPIN_LOCK_QUEUE_NUMBER, PKIRQL);

static const KIRQL Levels[] = {PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL};
static KSPIN_LOCK Lock;
static KLOCK_QUEUE_HANDLE Handle;

static void AtEach(void (*Routine)(KIRQL Level))
{
    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++) {
        KIRQL Old = KfRaiseIrql(Levels[i]);

        KeInitializeSpinLock(&Lock);
        Routine(Levels[i]);
        CHECK_IS(Lock, 0);
        CHECK_IRQL(Levels[i]);
        CHECK(!KeAreApcsDisabled());
        KeLowerIrql(Old);
    }
}

#define HELD(Word, Level) (CHECK_IS(Lock, Word), CHECK_IS(KeTestSpinLock(&Lock), !(Word)), CHECK_IRQL(Level))

static void Normal(KIRQL Level)
{
    KIRQL Old = 0x55;

    KeAcquireSpinLock(&Lock, &Old);
    CHECK_IS(Old, Level);
    HELD(1, DISPATCH_LEVEL);
    KeReleaseSpinLock(&Lock, Old);
    HELD(0, Level);
    Old = KeAcquireSpinLockRaiseToSynch(&Lock);
    CHECK_IS(Old, Level);
    HELD(1, SYNCH_LEVEL);
    KeReleaseSpinLock(&Lock, Old);
    HELD(0, Level);
    KeAcquireSpinLockAtDpcLevel(&Lock);
    HELD(1, Level);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    HELD(0, Level);
    KeAcquireSpinLockAtDpcLevel(&Lock);
    KeReleaseSpinLock(&Lock, Old);
    HELD(0, Level);
    KeAcquireSpinLock(&Lock, &Old);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    HELD(0, DISPATCH_LEVEL);
    KeLowerIrql(Level);
    CHECK(KeTryToAcquireSpinLockAtDpcLevel(&Lock));
    HELD(1, Level);
    CHECK(!KeTryToAcquireSpinLockAtDpcLevel(&Lock));
    HELD(1, Level);
    KeReleaseSpinLockFromDpcLevel(&Lock);
}

TEST(an_ordinary_lock)
{
    AtEach(Normal);
}

#define QUEUED(Held, Level_, Current)                                                                                  \
    (HELD((Held) ? (KSPIN_LOCK)&Handle : 0, Current), CHECK_IS(Handle.LockQueue.Next, NULL),                           \
     CHECK_IS(Handle.LockQueue.Lock, (ULONG_PTR)&Lock | ((Held) ? 2 : 0)), CHECK_IS(Handle.OldIrql, Level_))

static void InStack(KIRQL Level)
{
    RtlFillMemory(&Handle, sizeof(Handle), 0x55);
    KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
    QUEUED(TRUE, Level, DISPATCH_LEVEL);
    KeReleaseInStackQueuedSpinLock(&Handle);
    QUEUED(FALSE, Level, Level);
    KeAcquireInStackQueuedSpinLockRaiseToSynch(&Lock, &Handle);
    QUEUED(TRUE, Level, SYNCH_LEVEL);
    KeReleaseInStackQueuedSpinLock(&Handle);
    QUEUED(FALSE, Level, Level);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Handle);
    QUEUED(TRUE, Level, Level);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
    QUEUED(FALSE, Level, Level);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Handle);
    KeReleaseInStackQueuedSpinLock(&Handle);
    QUEUED(FALSE, Level, Level);
    KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
    QUEUED(FALSE, Level, DISPATCH_LEVEL);
    KeLowerIrql(Level);
}

TEST(a_queued_lock_with_its_handle_on_the_stack)
{
    AtEach(InStack);
}

/* Only a threaded DPC is raised: outside one the form takes it that the level is right. */
static void ForDpc(KIRQL Level)
{
    KeAcquireInStackQueuedSpinLockForDpc(&Lock, &Handle);
    QUEUED(TRUE, Level, Level);
    KeReleaseInStackQueuedSpinLockForDpc(&Handle);
    QUEUED(FALSE, Level, Level);
    KeAcquireInStackQueuedSpinLockForDpc(&Lock, &Handle);
    KeReleaseInStackQueuedSpinLock(&Handle);
    QUEUED(FALSE, Level, Level);
}

TEST(the_form_for_dpcs_outside_one)
{
    AtEach(ForDpc);
}

static void Numbered(KIRQL Level)
{
    KIRQL Old = KeAcquireQueuedSpinLock(LockQueueVacbLock), Other = 0x55;

    CHECK_IS(Old, Level);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeReleaseQueuedSpinLock(LockQueueVacbLock, Old);
    CHECK_IRQL(Level);
    CHECK_IS(KeTryToAcquireQueuedSpinLock(LockQueueVacbLock, &Old), TRUE);
    CHECK_IS(Old, Level);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK_IS(KeTryToAcquireQueuedSpinLock(LockQueueVacbLock, &Other), FALSE);
    CHECK_IS(Other, 0x55);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeReleaseQueuedSpinLock(LockQueueVacbLock, Old);
    CHECK_IRQL(Level);
    Old = KeAcquireQueuedSpinLockRaiseToSynch(LockQueueVacbLock);
    CHECK_IRQL(SYNCH_LEVEL);
    CHECK_IS(KeTryToAcquireQueuedSpinLockRaiseToSynch(LockQueueVacbLock, &Other), FALSE);
    CHECK_IRQL(SYNCH_LEVEL);
    KeReleaseQueuedSpinLock(LockQueueVacbLock, Old);
    CHECK_IRQL(Level);
}

TEST(a_lock_of_the_systems_by_number)
{
    AtEach(Numbered);
}

TEST(any_word_but_zero_is_a_lock_that_is_held)
{
    static const KSPIN_LOCK Words[] = {1, 2, ~0ull, 1ull << 63};

    for (ULONG i = 0; i < ARRAYSIZE(Words); i++) {
        Lock = Words[i];
        CHECK(!KeTestSpinLock(&Lock));
    }
    Lock = 0;
    CHECK(KeTestSpinLock(&Lock));
}

CHECK_DRIVER(T(an_ordinary_lock), T(a_queued_lock_with_its_handle_on_the_stack), T(the_form_for_dpcs_outside_one),
             T(a_lock_of_the_systems_by_number), T(any_word_but_zero_is_a_lock_that_is_held))
