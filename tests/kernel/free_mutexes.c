/*
 * --build=free: fast and guarded mutexes at every level, released by another form than they were acquired by, and by nobody who
 * holds them. What is looked at are the fields that drivers' own debugging code looks at: the count, the owner, the contention, the
 * saved level. (docs: Fast Mutexes and Guarded Mutexes, ExAcquireFastMutex, KeAcquireGuardedMutex)
 */
#include "check.h"

NTKERNELAPI VOID NTAPI ExEnterCriticalRegionAndAcquireFastMutexUnsafe(PFAST_MUTEX);
NTKERNELAPI VOID NTAPI ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(PFAST_MUTEX);

static const KIRQL Levels[] = {PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL};

/* ---- Fast mutexes -------------------------------------------------------------------------------------------------- */

static FAST_MUTEX Fast;

#define FAST_IS(Count_, Owner_, Old_, Level_)                                                                          \
    (CHECK_IS(Fast.Count, Count_), CHECK_IS(Fast.Owner, Owner_), CHECK_IS(Fast.OldIrql, Old_), CHECK_IRQL(Level_),     \
     CHECK_IS(Fast.Contention, 0), CHECK(!KeAreApcsDisabled()))

static void FastAt(KIRQL Level)
{
    PVOID Me = KeGetCurrentThread();

    ExAcquireFastMutex(&Fast);
    FAST_IS(0, Me, Level, APC_LEVEL);
    CHECK(!ExTryToAcquireFastMutex(&Fast));
    FAST_IS(0, Me, Level, APC_LEVEL);
    ExReleaseFastMutex(&Fast);
    FAST_IS(1, NULL, Level, Level);
    CHECK(ExTryToAcquireFastMutex(&Fast));
    FAST_IS(0, Me, Level, APC_LEVEL);
    ExReleaseFastMutex(&Fast);
    FAST_IS(1, NULL, Level, Level);
    ExAcquireFastMutexUnsafe(&Fast);
    FAST_IS(0, Me, Level, Level);
    ExReleaseFastMutexUnsafe(&Fast);
    FAST_IS(1, NULL, Level, Level);
    /* one form in, the other out */
    ExAcquireFastMutex(&Fast);
    ExReleaseFastMutexUnsafe(&Fast);
    FAST_IS(1, NULL, Level, APC_LEVEL);
    KeLowerIrql(Level);
    Fast.OldIrql = 0x55555555;
    ExAcquireFastMutexUnsafe(&Fast);
    FAST_IS(0, Me, 0x55555555, Level);
    Fast.OldIrql = PASSIVE_LEVEL;
    ExReleaseFastMutex(&Fast);
    FAST_IS(1, NULL, PASSIVE_LEVEL, PASSIVE_LEVEL);
    KeLowerIrql(Level);
    /* nobody holds it */
    ExReleaseFastMutexUnsafe(&Fast);
    FAST_IS(2, NULL, PASSIVE_LEVEL, Level);
    Fast.Count--;
    Fast.OldIrql = Level;
    ExReleaseFastMutex(&Fast);
    FAST_IS(2, NULL, Level, Level);
    Fast.Count--;
}

TEST(a_fast_mutex_sets_apc_level_and_gives_the_level_back)
{
    RtlFillMemory(&Fast, sizeof(Fast), 0x55);
    ExInitializeFastMutex(&Fast);
    FAST_IS(1, NULL, 0x55555555, PASSIVE_LEVEL);
    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++) {
        KIRQL Old = KfRaiseIrql(Levels[i]);

        FastAt(Levels[i]);
        KeLowerIrql(Old);
    }
}

TEST(the_short_cuts_enter_and_leave_a_critical_region)
{
    ExInitializeFastMutex(&Fast);
    ExEnterCriticalRegionAndAcquireFastMutexUnsafe(&Fast);
    CHECK(KeAreApcsDisabled() && !KeAreAllApcsDisabled());
    CHECK_IS(Fast.Count, 0);
    CHECK_IRQL(PASSIVE_LEVEL);
    ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(&Fast);
    CHECK(!KeAreApcsDisabled());
    CHECK_IS(Fast.Count, 1);
}

/* ---- Guarded mutexes ----------------------------------------------------------------------------------------------- */

static KGUARDED_MUTEX Guarded;

/* Depth: of guarded regions, beside Around that are entered already. The mutex's own two counts a free build never writes. */
#define GUARDED_IS(Count_, Owner_, Depth, Level_)                                                                      \
    (CHECK_IS(Guarded.Count, Count_), CHECK_IS(Guarded.Owner, Owner_), CHECK_IS(Guarded.Contention, 0),                \
     CHECK_IS(Guarded.CombinedApcDisable, 0x55555555), CHECK_IRQL(Level_),                                             \
     CHECK_IS(KeAreAllApcsDisabled(), (Depth) != 0 || (Level_) >= APC_LEVEL))

static void GuardedAt(KIRQL Level, LONG Around)
{
    PVOID Me = KeGetCurrentThread();

    GUARDED_IS(1, NULL, Around, Level);
    KeAcquireGuardedMutex(&Guarded);
    GUARDED_IS(0, Me, Around + 1, Level);
    CHECK(!KeTryToAcquireGuardedMutex(&Guarded));
    GUARDED_IS(0, Me, Around + 1, Level);
    KeReleaseGuardedMutex(&Guarded);
    GUARDED_IS(1, NULL, Around, Level);
    CHECK(KeTryToAcquireGuardedMutex(&Guarded));
    GUARDED_IS(0, Me, Around + 1, Level);
    KeReleaseGuardedMutex(&Guarded);
    GUARDED_IS(1, NULL, Around, Level);
    KeAcquireGuardedMutexUnsafe(&Guarded);
    GUARDED_IS(0, Me, Around, Level);
    KeReleaseGuardedMutexUnsafe(&Guarded);
    GUARDED_IS(1, NULL, Around, Level);
    /* one form in, the other out */
    KeAcquireGuardedMutex(&Guarded);
    KeReleaseGuardedMutexUnsafe(&Guarded);
    GUARDED_IS(1, NULL, Around + 1, Level);
    KeLeaveGuardedRegion();
    KeAcquireGuardedMutexUnsafe(&Guarded);
    KeReleaseGuardedMutex(&Guarded);
    GUARDED_IS(1, NULL, Around - 1, Level);
    KeEnterGuardedRegion();
    GUARDED_IS(1, NULL, Around, Level);
    /* Nobody holds it. Bit 0 says that it is free, and a release turns it over; the rest counts waiters. */
    KeReleaseGuardedMutexUnsafe(&Guarded);
    GUARDED_IS(0, NULL, Around, Level);
    KeReleaseGuardedMutex(&Guarded);
    GUARDED_IS(1, NULL, Around - 1, Level);
    KeReleaseGuardedMutex(&Guarded);
    GUARDED_IS(0, NULL, Around - 2, Level);
    KeReleaseGuardedMutex(&Guarded);
    GUARDED_IS(1, NULL, Around - 3, Level);
    for (int i = 0; i < 3; i++)
        KeEnterGuardedRegion();
}

TEST(a_guarded_mutex_leaves_the_level_alone)
{
    RtlFillMemory(&Guarded, sizeof(Guarded), 0x55);
    KeInitializeGuardedMutex(&Guarded);
    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++)
        for (LONG Critical = 0; Critical <= 3; Critical++)
            for (LONG Around = 0; Around <= 2; Around++) {
                KIRQL Old;

                for (LONG k = 0; k < Critical; k++)
                    KeEnterCriticalRegion();
                for (LONG k = 0; k < Around; k++)
                    KeEnterGuardedRegion();
                Old = KfRaiseIrql(Levels[i]);
                GuardedAt(Levels[i], Around);
                KeLowerIrql(Old);
                for (LONG k = 0; k < Around; k++)
                    KeLeaveGuardedRegion();
                for (LONG k = 0; k < Critical; k++)
                    KeLeaveCriticalRegion();
            }
}

typedef struct _HOLDER {
    KIRQL Level;
    BOOLEAN Unsafe;
    KEVENT Has, Go;
    PVOID Thread;
} HOLDER, *PHOLDER;

static VOID Hold(PVOID Context)
{
    PHOLDER Holder = Context;
    KIRQL Old = KfRaiseIrql(Holder->Level);

    if (Holder->Unsafe)
        KeAcquireGuardedMutexUnsafe(&Guarded);
    else
        KeAcquireGuardedMutex(&Guarded);
    CHECK_IRQL(Holder->Level);
    KeSetEvent(&Holder->Has, 0, TRUE);
    CHECK_IS(WaitFor(&Holder->Go), STATUS_SUCCESS);
    if (Holder->Unsafe)
        KeReleaseGuardedMutexUnsafe(&Guarded);
    else
        KeReleaseGuardedMutex(&Guarded);
    KeLowerIrql(Old);
}

static void Begin(PHOLDER Holder, KIRQL Level, BOOLEAN Unsafe)
{
    Holder->Level = Level;
    Holder->Unsafe = Unsafe;
    KeInitializeEvent(&Holder->Has, NotificationEvent, FALSE);
    KeInitializeEvent(&Holder->Go, NotificationEvent, FALSE);
    Holder->Thread = StartThread(Hold, Holder);
    Sleep(1 * MS);
}

#define CONTENDED(Count_, Owner_, Contention_)                                                                         \
    (CHECK_IS(Guarded.Count, Count_), CHECK_IS(Guarded.Owner, Owner_), CHECK_IS(Guarded.Contention, Contention_))

/* Each waiter counts four. */
TEST(waiters_of_a_guarded_mutex_have_it_in_order)
{
    HOLDER A, B, C, D;

    KeInitializeGuardedMutex(&Guarded);
    Begin(&A, PASSIVE_LEVEL, FALSE);
    CONTENDED(0, A.Thread, 0);
    Begin(&B, APC_LEVEL, FALSE);
    CONTENDED(4, A.Thread, 1);
    KeSetEvent(&A.Go, 0, FALSE);
    EndThread(A.Thread);
    CHECK_IS(WaitFor(&B.Has), STATUS_SUCCESS);
    CONTENDED(0, B.Thread, 1);
    Begin(&C, APC_LEVEL, TRUE);
    CONTENDED(4, B.Thread, 2);
    Begin(&D, PASSIVE_LEVEL, FALSE);
    CONTENDED(8, B.Thread, 3);
    KeSetEvent(&B.Go, 0, FALSE);
    EndThread(B.Thread);
    CHECK_IS(WaitFor(&C.Has), STATUS_SUCCESS);
    CONTENDED(4, C.Thread, 3);
    KeSetEvent(&C.Go, 0, FALSE);
    EndThread(C.Thread);
    CHECK_IS(WaitFor(&D.Has), STATUS_SUCCESS);
    CONTENDED(0, D.Thread, 3);
    KeSetEvent(&D.Go, 0, FALSE);
    EndThread(D.Thread);
    CONTENDED(1, NULL, 3);
}

CHECK_DRIVER(T(a_fast_mutex_sets_apc_level_and_gives_the_level_back),
             T(the_short_cuts_enter_and_leave_a_critical_region), T(a_guarded_mutex_leaves_the_level_alone),
             T(waiters_of_a_guarded_mutex_have_it_in_order))
