/* Fast mutexes and guarded mutexes: the level or region they imply, exclusion, the try forms. */
#include "check.h"

NTKERNELAPI VOID FASTCALL KeAcquireGuardedMutex(PKGUARDED_MUTEX);
NTKERNELAPI VOID FASTCALL KeReleaseGuardedMutex(PKGUARDED_MUTEX);
NTKERNELAPI BOOLEAN FASTCALL KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX);
NTKERNELAPI VOID NTAPI KeInitializeGuardedMutex(PKGUARDED_MUTEX);

static FAST_MUTEX Mutex;

TEST(acquire_raises_to_apc_level_and_release_restores)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= APC_LEVEL; Level++) {
        KIRQL Old = KfRaiseIrql(Level);

        ExInitializeFastMutex(&Mutex);
        CHECK_IS(Mutex.Count, 1);
        CHECK(Mutex.Owner == NULL);
        ExAcquireFastMutex(&Mutex);
        CHECK_IRQL(APC_LEVEL);
        CHECK_IS(Mutex.OldIrql, Level);
        CHECK(Mutex.Owner == KeGetCurrentThread());
        ExReleaseFastMutex(&Mutex);
        CHECK_IRQL(Level);
        CHECK(Mutex.Owner == NULL);
        KeLowerIrql(Old);
    }
}

TEST(unsafe_forms_leave_the_level_alone)
{
    KIRQL Old;

    ExInitializeFastMutex(&Mutex);
    Old = KfRaiseIrql(APC_LEVEL);
    ExAcquireFastMutexUnsafe(&Mutex);
    CHECK_IRQL(APC_LEVEL);
    ExReleaseFastMutexUnsafe(&Mutex);
    CHECK_IRQL(APC_LEVEL);
    KeLowerIrql(Old);
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&Mutex);
    CHECK_IRQL(PASSIVE_LEVEL);
    ExReleaseFastMutexUnsafe(&Mutex);
    KeLeaveCriticalRegion();
}

static BOOLEAN Got;
static KEVENT Held, LetGo;

/* Threads cannot be made at APC_LEVEL, so another thread holds the mutex. */
static VOID HoldFast(PVOID Context)
{
    ExAcquireFastMutex(&Mutex);
    KeSetEvent(&Held, 0, FALSE);
    WaitFor(&LetGo);
    ExReleaseFastMutex(&Mutex);
}

static VOID TryFast(PVOID Context)
{
    Got = ExTryToAcquireFastMutex(&Mutex);
    if (Got) {
        CHECK_IRQL(APC_LEVEL);
        ExReleaseFastMutex(&Mutex);
    }
    CHECK_IRQL(PASSIVE_LEVEL);
}

TEST(try_says_whether_it_got_it)
{
    PVOID Holding;

    KeInitializeEvent(&Held, SynchronizationEvent, FALSE);
    KeInitializeEvent(&LetGo, SynchronizationEvent, FALSE);
    ExInitializeFastMutex(&Mutex);
    EndThread(StartThread(TryFast, NULL));
    CHECK(Got);
    Holding = StartThread(HoldFast, NULL);
    WaitFor(&Held);
    EndThread(StartThread(TryFast, NULL));
    CHECK(!Got);
    KeSetEvent(&LetGo, 0, FALSE);
    EndThread(Holding);
}

static LONG Inside, Most, Rounds;

static VOID Contender(PVOID Context)
{
    for (int i = 0; i < 10; i++) {
        ExAcquireFastMutex(&Mutex);
        CHECK_IRQL(APC_LEVEL);
        if (++Inside > Most)
            Most = Inside;
        Sleep(1 * MS);
        Inside--;
        Rounds++;
        ExReleaseFastMutex(&Mutex);
        CHECK_IRQL(PASSIVE_LEVEL);
    }
}

TEST(only_one_thread_is_inside)
{
    PVOID Thread[4];

    ExInitializeFastMutex(&Mutex);
    Inside = Most = Rounds = 0;
    for (int i = 0; i < 4; i++)
        Thread[i] = StartThread(Contender, NULL);
    for (int i = 0; i < 4; i++)
        EndThread(Thread[i]);
    CHECK_IS(Most, 1);
    CHECK_IS(Rounds, 40);
    CHECK_IS(Mutex.Count, 1);
}

static KGUARDED_MUTEX Guarded;

TEST(guarded_mutex_holds_all_apcs_off_and_leaves_the_level)
{
    KeInitializeGuardedMutex(&Guarded);
    KeAcquireGuardedMutex(&Guarded);
    CHECK_IRQL(PASSIVE_LEVEL);
    CHECK(KeAreAllApcsDisabled());
    KeReleaseGuardedMutex(&Guarded);
    CHECK(!KeAreAllApcsDisabled());
}

/* Threads cannot be made at APC_LEVEL, so another thread holds the mutex. */
static VOID HoldGuarded(PVOID Context)
{
    KeAcquireGuardedMutex(&Guarded);
    KeSetEvent(&Held, 0, FALSE);
    WaitFor(&LetGo);
    KeReleaseGuardedMutex(&Guarded);
}

static VOID TryGuarded(PVOID Context)
{
    Got = KeTryToAcquireGuardedMutex(&Guarded);
    if (Got)
        KeReleaseGuardedMutex(&Guarded);
    CHECK(!KeAreApcsDisabled());
}

TEST(guarded_try_says_whether_it_got_it)
{
    PVOID Holding;

    KeInitializeEvent(&Held, SynchronizationEvent, FALSE);
    KeInitializeEvent(&LetGo, SynchronizationEvent, FALSE);
    KeInitializeGuardedMutex(&Guarded);
    EndThread(StartThread(TryGuarded, NULL));
    CHECK(Got);
    Holding = StartThread(HoldGuarded, NULL);
    WaitFor(&Held);
    EndThread(StartThread(TryGuarded, NULL));
    CHECK(!Got);
    KeSetEvent(&LetGo, 0, FALSE);
    EndThread(Holding);
}

CHECK_DRIVER(T(acquire_raises_to_apc_level_and_release_restores), T(unsafe_forms_leave_the_level_alone),
             T(try_says_whether_it_got_it), T(only_one_thread_is_inside),
             T(guarded_mutex_holds_all_apcs_off_and_leaves_the_level), T(guarded_try_says_whether_it_got_it))
