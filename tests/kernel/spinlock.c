/* Spin locks of every family: the level while held, the level given back, the lock word, from each legal level. */
#include "check.h"

#define SYNCH_LEVEL 12

/* Exported and not in the headers. */
NTKERNELAPI KIRQL KeAcquireSpinLockRaiseToSynch(PKSPIN_LOCK);
NTKERNELAPI VOID KeAcquireInStackQueuedSpinLockRaiseToSynch(PKSPIN_LOCK, PKLOCK_QUEUE_HANDLE);

static KSPIN_LOCK Lock;

TEST(a_new_lock_is_free)
{
    Lock = 0x123;
    KeInitializeSpinLock(&Lock);
    CHECK_IS(Lock, 0);
    CHECK(KeTestSpinLock(&Lock));
}

TEST(acquire_raises_to_dispatch_and_release_restores)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KIRQL Before = KfRaiseIrql(Level), Old = 0xff;

        KeAcquireSpinLock(&Lock, &Old);
        CHECK_IS(Old, Level);
        CHECK_IRQL(DISPATCH_LEVEL);
        CHECK(Lock != 0);
        CHECK(!KeTestSpinLock(&Lock));
        KeReleaseSpinLock(&Lock, Old);
        CHECK_IRQL(Level);
        CHECK_IS(Lock, 0);
        KeLowerIrql(Before);
    }
}

TEST(synch_form_raises_to_synch_level)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KIRQL Before = KfRaiseIrql(Level), Old = KeAcquireSpinLockRaiseToSynch(&Lock);

        CHECK_IS(Old, Level);
        CHECK_IRQL(SYNCH_LEVEL);
        KeLowerIrql(DISPATCH_LEVEL);
        KeReleaseSpinLock(&Lock, Old);
        CHECK_IRQL(Level);
        KeLowerIrql(Before);
    }
}

TEST(at_dpc_level_form_leaves_the_level_alone)
{
    for (KIRQL Level = DISPATCH_LEVEL; Level <= HIGH_LEVEL; Level++) {
        KIRQL Before = KfRaiseIrql(Level);

        KeAcquireSpinLockAtDpcLevel(&Lock);
        CHECK_IRQL(Level);
        CHECK(Lock != 0);
        KeReleaseSpinLockFromDpcLevel(&Lock);
        CHECK_IRQL(Level);
        CHECK_IS(Lock, 0);
        KeLowerIrql(Before);
    }
}

TEST(for_dpc_form_raises_only_below_dispatch)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KIRQL Before = KfRaiseIrql(Level), Old = KeAcquireSpinLockForDpc(&Lock);

        CHECK_IS(Old, Level);
        CHECK_IRQL(DISPATCH_LEVEL);
        KeReleaseSpinLockForDpc(&Lock, Old);
        CHECK_IRQL(Level);
        KeLowerIrql(Before);
    }
}

TEST(try_acquire_takes_a_free_lock_and_not_a_held_one)
{
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);

    CHECK(KeTryToAcquireSpinLockAtDpcLevel(&Lock));
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK(!KeTestSpinLock(&Lock));
    CHECK(!KeTryToAcquireSpinLockAtDpcLevel(&Lock));
    CHECK_IRQL(DISPATCH_LEVEL);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    CHECK(KeTryToAcquireSpinLockAtDpcLevel(&Lock));
    KeReleaseSpinLockFromDpcLevel(&Lock);
    KeLowerIrql(Old);
}

TEST(acquire_with_and_release_without_level_go_together)
{
    KIRQL Old;

    KeAcquireSpinLock(&Lock, &Old);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeLowerIrql(Old);
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    KeAcquireSpinLockAtDpcLevel(&Lock);
    KeReleaseSpinLock(&Lock, Old);
    CHECK_IRQL(Old);
    CHECK_IS(Lock, 0);
}

TEST(queued_lock_keeps_level_and_lock_in_the_handle)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KLOCK_QUEUE_HANDLE Handle;
        KIRQL Before = KfRaiseIrql(Level);

        RtlFillMemory(&Handle, sizeof(Handle), 0x55);
        KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
        CHECK_IRQL(DISPATCH_LEVEL);
        CHECK_IS(Handle.OldIrql, Level);
        CHECK(Handle.LockQueue.Next == NULL);
        CHECK(Lock != 0);
        KeReleaseInStackQueuedSpinLock(&Handle);
        CHECK_IRQL(Level);
        CHECK_IS(Lock, 0);
        KeLowerIrql(Before);
    }
}

TEST(queued_lock_at_dpc_level_leaves_the_level_alone)
{
    for (KIRQL Level = DISPATCH_LEVEL; Level <= HIGH_LEVEL; Level++) {
        KLOCK_QUEUE_HANDLE Handle;
        KIRQL Before = KfRaiseIrql(Level);

        KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Handle);
        CHECK_IRQL(Level);
        CHECK(Lock != 0);
        KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
        CHECK_IRQL(Level);
        CHECK_IS(Lock, 0);
        KeLowerIrql(Before);
    }
}

TEST(queued_lock_for_dpc_and_to_synch)
{
    KLOCK_QUEUE_HANDLE Handle;

    KeAcquireInStackQueuedSpinLockForDpc(&Lock, &Handle);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK_IS(Handle.OldIrql, PASSIVE_LEVEL);
    KeReleaseInStackQueuedSpinLockForDpc(&Handle);
    CHECK_IRQL(PASSIVE_LEVEL);
    KeAcquireInStackQueuedSpinLockRaiseToSynch(&Lock, &Handle);
    CHECK_IRQL(SYNCH_LEVEL);
    CHECK_IS(Handle.OldIrql, PASSIVE_LEVEL);
    KeLowerIrql(DISPATCH_LEVEL);
    KeReleaseInStackQueuedSpinLock(&Handle);
    CHECK_IRQL(PASSIVE_LEVEL);
}

TEST(two_locks_nest)
{
    KSPIN_LOCK Inner;
    KIRQL Old, InnerOld;

    KeInitializeSpinLock(&Inner);
    KeAcquireSpinLock(&Lock, &Old);
    KeAcquireSpinLock(&Inner, &InnerOld);
    CHECK_IS(InnerOld, DISPATCH_LEVEL);
    KeReleaseSpinLock(&Inner, InnerOld);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK(!KeTestSpinLock(&Lock));
    KeReleaseSpinLock(&Lock, Old);
}

/* Releasing the lock lets the DPC in that its level held off. */
static volatile LONG Ran;

static VOID LockingDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeAcquireSpinLockAtDpcLevel(&Lock);
    Ran++;
    CHECK_IRQL(DISPATCH_LEVEL);
    KeReleaseSpinLockFromDpcLevel(&Lock);
}

TEST(a_dpc_waits_until_the_lock_is_released)
{
    KDPC Dpc;
    KIRQL Old;

    KeInitializeDpc(&Dpc, LockingDpc, NULL);
    KeAcquireSpinLock(&Lock, &Old);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    CHECK_IS(Ran, 0);
    KeReleaseSpinLock(&Lock, Old);
    CHECK_IS(Ran, 1);
}

CHECK_DRIVER(T(a_new_lock_is_free), T(acquire_raises_to_dispatch_and_release_restores),
             T(synch_form_raises_to_synch_level), T(at_dpc_level_form_leaves_the_level_alone),
             T(for_dpc_form_raises_only_below_dispatch), T(try_acquire_takes_a_free_lock_and_not_a_held_one),
             T(acquire_with_and_release_without_level_go_together), T(queued_lock_keeps_level_and_lock_in_the_handle),
             T(queued_lock_at_dpc_level_leaves_the_level_alone), T(queued_lock_for_dpc_and_to_synch), T(two_locks_nest),
             T(a_dpc_waits_until_the_lock_is_released))
