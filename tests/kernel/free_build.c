/*
 * --build=free: misuse that a free build of Windows has no check for is done as it is done there, and the run goes on.
 * Conformance suites rely on it. (docs: KeRaiseIrql, KeLowerIrql: the checks are those of checked builds and Driver Verifier)
 */
#include "check.h"

TEST(raising_downward_sets_the_level)
{
    KIRQL Old = 99, Inner = 99;

    KeRaiseIrql(HIGH_LEVEL, &Old);
    CHECK_IS(Old, PASSIVE_LEVEL);
    Inner = KfRaiseIrql(APC_LEVEL);
    CHECK_IS(Inner, HIGH_LEVEL);
    CHECK_IRQL(APC_LEVEL);
    Inner = KfRaiseIrql(PASSIVE_LEVEL);
    CHECK_IS(Inner, APC_LEVEL);
    CHECK_IRQL(PASSIVE_LEVEL);
}

TEST(lowering_upward_sets_the_level)
{
    KeLowerIrql(APC_LEVEL);
    CHECK_IRQL(APC_LEVEL);
    KeLowerIrql(HIGH_LEVEL);
    CHECK_IRQL(HIGH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
}

TEST(a_spin_lock_is_held_at_dispatch_level_even_from_above)
{
    KSPIN_LOCK Lock;
    KLOCK_QUEUE_HANDLE Handle;
    KIRQL Old;

    KeInitializeSpinLock(&Lock);
    KeLowerIrql(HIGH_LEVEL);
    KeAcquireSpinLock(&Lock, &Old);
    CHECK_IS(Old, HIGH_LEVEL);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeReleaseSpinLock(&Lock, Old);
    CHECK_IRQL(HIGH_LEVEL);
    KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeReleaseInStackQueuedSpinLock(&Handle);
    CHECK_IRQL(HIGH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
}

TEST(acquired_in_one_way_and_released_in_the_other)
{
    KSPIN_LOCK Lock;
    KIRQL Old;

    KeInitializeSpinLock(&Lock);
    KeAcquireSpinLockAtDpcLevel(&Lock);
    CHECK_IRQL(PASSIVE_LEVEL);
    KeReleaseSpinLock(&Lock, PASSIVE_LEVEL);
    CHECK_IRQL(PASSIVE_LEVEL);
    CHECK_IS(Lock, 0);
    KeAcquireSpinLock(&Lock, &Old);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK_IS(Lock, 0);
    KeReleaseSpinLock(&Lock, PASSIVE_LEVEL); /* nobody holds it */
    CHECK_IRQL(PASSIVE_LEVEL);
    CHECK_IS(Lock, 0);
}

TEST(a_fast_mutex_that_nobody_holds_is_released)
{
    FAST_MUTEX Mutex;

    ExInitializeFastMutex(&Mutex);
    ExReleaseFastMutexUnsafe(&Mutex);
    CHECK_IS(Mutex.Count, 2);
    CHECK(!Mutex.Owner);
    Mutex.Count--;
    ExAcquireFastMutex(&Mutex);
    CHECK_IRQL(APC_LEVEL);
    ExReleaseFastMutexUnsafe(&Mutex);
    CHECK_IS(Mutex.Count, 1);
    CHECK_IRQL(APC_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    ExAcquireFastMutexUnsafe(&Mutex);
    CHECK_IS(Mutex.Count, 0);
    CHECK_IRQL(PASSIVE_LEVEL);
    ExReleaseFastMutex(&Mutex);
    CHECK_IS(Mutex.Count, 1);
    CHECK_IRQL(PASSIVE_LEVEL);
}

TEST(regions_are_left_that_were_not_entered)
{
    KeLeaveCriticalRegion();
    CHECK(KeAreApcsDisabled());
    CHECK(!KeAreAllApcsDisabled());
    KeEnterCriticalRegion();
    CHECK(!KeAreApcsDisabled());
    KeLeaveGuardedRegion();
    CHECK(KeAreApcsDisabled());
    CHECK(KeAreAllApcsDisabled());
    KeEnterGuardedRegion();
    CHECK(!KeAreAllApcsDisabled());
}

TEST(routines_work_above_their_levels)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"name"), Upper = {0, 16, (WCHAR[8]){0}};
    KIRQL Old;

    KeRaiseIrql(HIGH_LEVEL, &Old);
    CHECK_IS(RtlUpcaseUnicodeString(&Upper, &Name, FALSE), STATUS_SUCCESS);
    KeLowerIrql(Old);
    CHECK(Upper.Buffer[0] == L'N');
}

TEST(paged_pool_is_there_at_dispatch_level)
{
    volatile ULONG *Paged = ExAllocatePoolWithTag(PagedPool, 64, 'dgaP');
    KIRQL Old;

    if (!CHECK(Paged))
        return;
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    Paged[3] = 5;
    CHECK_IS(Paged[3], 5);
    ExFreePoolWithTag((PVOID)Paged, 'dgaP');
    KeLowerIrql(Old);
}

TEST(a_handle_that_is_not_open_is_refused)
{
    CHECK_IS(ZwClose((HANDLE)0x7ffc), STATUS_INVALID_HANDLE);
    CHECK_IS(ZwClose((HANDLE)-0x1234560), STATUS_INVALID_HANDLE);
}

static VOID CountDpc(PKDPC Dpc, PVOID Context, PVOID A, PVOID B)
{
    ++*(PULONG)Context;
}

TEST(a_set_timer_that_is_initialized_again_stays_set)
{
    LARGE_INTEGER Due = {.QuadPart = -20 * MS}, Later = {.QuadPart = -40 * MS};
    ULONG Count = 0;
    KTIMER Timer;
    KDPC Dpc;

    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, CountDpc, &Count);
    KeSetTimer(&Timer, Due, &Dpc);
    KeInitializeTimerEx(&Timer, SynchronizationTimer);
    CHECK_IS(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Later), STATUS_SUCCESS);
    CHECK_IS(Count, 1);
    CHECK(!KeReadStateTimer(&Timer));
}

TEST(the_location_above_an_irps_top_reads_as_zero)
{
    PIRP Irp = IoAllocateIrp(2, FALSE);

    CHECK_IS(IoGetCurrentIrpStackLocation(Irp)->Control, 0);
    IoFreeIrp(Irp);
}

TEST(pool_takes_any_tag_and_no_bytes)
{
    PVOID Block = ExAllocatePoolWithTag(NonPagedPool, 0, 0);

    CHECK(Block);
    ExFreePoolWithTag(Block, 0);
}

CHECK_DRIVER({"raising_downward_sets_the_level", raising_downward_sets_the_level},
             {"lowering_upward_sets_the_level", lowering_upward_sets_the_level},
             {"a_spin_lock_is_held_at_dispatch_level_even_from_above",
              a_spin_lock_is_held_at_dispatch_level_even_from_above},
             {"acquired_in_one_way_and_released_in_the_other", acquired_in_one_way_and_released_in_the_other},
             {"a_fast_mutex_that_nobody_holds_is_released", a_fast_mutex_that_nobody_holds_is_released},
             {"regions_are_left_that_were_not_entered", regions_are_left_that_were_not_entered},
             {"routines_work_above_their_levels", routines_work_above_their_levels},
             {"paged_pool_is_there_at_dispatch_level", paged_pool_is_there_at_dispatch_level},
             {"a_handle_that_is_not_open_is_refused", a_handle_that_is_not_open_is_refused},
             {"a_set_timer_that_is_initialized_again_stays_set", a_set_timer_that_is_initialized_again_stays_set},
             {"the_location_above_an_irps_top_reads_as_zero", the_location_above_an_irps_top_reads_as_zero},
             {"pool_takes_any_tag_and_no_bytes", pool_takes_any_tag_and_no_bytes})
