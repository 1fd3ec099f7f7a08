/* Run-down protection, push locks, reader-writer spin locks, interlocked lists, callback objects. */
#include "check.h"

/* Not in Debian's headers. */
typedef volatile LONG RW_LOCK;
NTKERNELAPI KIRQL ExAcquireSpinLockShared(RW_LOCK *SpinLock);
NTKERNELAPI KIRQL ExAcquireSpinLockExclusive(RW_LOCK *SpinLock);
NTKERNELAPI VOID ExReleaseSpinLockShared(RW_LOCK *SpinLock, KIRQL OldIrql);
NTKERNELAPI VOID ExReleaseSpinLockExclusive(RW_LOCK *SpinLock, KIRQL OldIrql);
NTKERNELAPI VOID ExAcquireSpinLockSharedAtDpcLevel(RW_LOCK *SpinLock);
NTKERNELAPI VOID ExReleaseSpinLockSharedFromDpcLevel(RW_LOCK *SpinLock);
NTKERNELAPI ULONG ExTryConvertSharedSpinLockExclusive(RW_LOCK *SpinLock);
NTKERNELAPI VOID ExReleaseSpinLockExclusiveFromDpcLevel(RW_LOCK *SpinLock);
NTKERNELAPI VOID FASTCALL ExfAcquirePushLockExclusive(PULONG_PTR PushLock);
NTKERNELAPI VOID FASTCALL ExfAcquirePushLockShared(PULONG_PTR PushLock);
NTKERNELAPI VOID FASTCALL ExfReleasePushLock(PULONG_PTR PushLock);
NTKERNELAPI VOID FASTCALL ExfReleasePushLockExclusive(PULONG_PTR PushLock);
NTKERNELAPI VOID FASTCALL ExfReleasePushLockShared(PULONG_PTR PushLock);
NTKERNELAPI BOOLEAN FASTCALL ExfTryAcquirePushLockShared(PULONG_PTR PushLock);

static EX_RUNDOWN_REF Rundown;
static LONG Over;

static VOID WaitForEnd(PVOID Context)
{
    ExWaitForRundownProtectionRelease(&Rundown);
    Over = 1;
}

TEST(rundown_waits_for_the_last_holder)
{
    PVOID Thread;

    ExInitializeRundownProtection(&Rundown);
    Over = 0;
    CHECK(ExAcquireRundownProtection(&Rundown));
    CHECK(ExAcquireRundownProtectionEx(&Rundown, 3));
    Thread = StartThread(WaitForEnd, NULL);
    Sleep(MS);
    CHECK_IS(Over, 0);
    CHECK(!ExAcquireRundownProtection(&Rundown));
    ExReleaseRundownProtectionEx(&Rundown, 3);
    Sleep(MS);
    CHECK_IS(Over, 0);
    ExReleaseRundownProtection(&Rundown);
    WaitFor(Thread);
    ObDereferenceObject(Thread);
    CHECK_IS(Over, 1);
    CHECK(!ExAcquireRundownProtection(&Rundown));
    ExReInitializeRundownProtection(&Rundown);
    CHECK(ExAcquireRundownProtection(&Rundown));
    ExReleaseRundownProtection(&Rundown);
    ExRundownCompleted(&Rundown);
    CHECK(!ExAcquireRundownProtection(&Rundown));
}

TEST(cache_aware_rundown_is_the_same)
{
    PEX_RUNDOWN_REF_CACHE_AWARE Ref = ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, 'wodR');

    if (!CHECK(Ref != NULL))
        return;
    CHECK(ExAcquireRundownProtectionCacheAware(Ref));
    ExReleaseRundownProtectionCacheAware(Ref);
    ExWaitForRundownProtectionReleaseCacheAware(Ref);
    CHECK(!ExAcquireRundownProtectionCacheAware(Ref));
    ExFreeCacheAwareRundownProtection(Ref);
}

static ULONG_PTR PushLock;
static LONG Turn;
static KEVENT Go;

typedef struct _WANT {
    BOOLEAN Exclusive;
    LONG Got;
} WANT;

static VOID Wanter(PVOID Context)
{
    WANT *Want = Context;

    KeEnterCriticalRegion();
    if (Want->Exclusive)
        ExfAcquirePushLockExclusive(&PushLock);
    else
        ExfAcquirePushLockShared(&PushLock);
    Want->Got = ++Turn;
    WaitFor(&Go);
    ExfReleasePushLock(&PushLock);
    KeLeaveCriticalRegion();
}

TEST(push_lock_serves_in_order)
{
    WANT Want[5] = {{FALSE, 0}, {FALSE, 0}, {TRUE, 0}, {FALSE, 0}, {TRUE, 0}};
    PVOID Thread[5];

    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    PushLock = 0;
    Turn = 0;
    KeEnterCriticalRegion();
    ExfAcquirePushLockExclusive(&PushLock);
    for (int i = 0; i < 5; i++) {
        Thread[i] = StartThread(Wanter, &Want[i]);
        Sleep(MS);
    }
    CHECK_IS(Turn, 0);
    CHECK(!ExfTryAcquirePushLockShared(&PushLock));
    ExfReleasePushLock(&PushLock);
    Sleep(MS);
    CHECK(Want[0].Got && Want[1].Got);
    CHECK_IS(Turn, 2);
    KeSetEvent(&Go, 0, FALSE);
    for (int i = 0; i < 5; i++) {
        WaitFor(Thread[i]);
        ObDereferenceObject(Thread[i]);
    }
    CHECK_IS(Want[2].Got, 3);
    CHECK_IS(Want[3].Got, 4);
    CHECK_IS(Want[4].Got, 5);
    CHECK_IS(PushLock, 0);
    KeLeaveCriticalRegion();
}

/* What debuggers know of the word and of the blocks of who waits. */
typedef struct _WAIT_BLOCK {
    KEVENT Event;
    struct _WAIT_BLOCK *Next, *Last, *Previous;
    LONG Sharers, Flags;
} WAIT_BLOCK, *PWAIT_BLOCK;

TEST(push_lock_word_counts_sharers)
{
    KeEnterCriticalRegion();
    PushLock = 0;
    ExfAcquirePushLockExclusive(&PushLock);
    CHECK_IS(PushLock, 1);
    ExfReleasePushLockExclusive(&PushLock);
    CHECK_IS(PushLock, 0);
    for (ULONG i = 1; i <= 4; i++) {
        ExfAcquirePushLockShared(&PushLock);
        CHECK_IS(PushLock, 1 + i * 16);
    }
    for (ULONG i = 4; i-- > 1;) {
        ExfReleasePushLockShared(&PushLock);
        CHECK_IS(PushLock, 1 + i * 16);
    }
    ExfReleasePushLock(&PushLock);
    CHECK_IS(PushLock, 0);
    KeLeaveCriticalRegion();
}

/* Three share it; an exclusive waiter is there, then a sharing one, which does not join the others. */
TEST(push_lock_waiters_lead_from_the_newest_to_the_oldest)
{
    WANT Want[2] = {{TRUE, 0}, {FALSE, 0}};
    PWAIT_BLOCK Newest, Oldest;
    PVOID Thread[2];

    KeInitializeEvent(&Go, NotificationEvent, TRUE);
    PushLock = 0;
    Turn = 0;
    KeEnterCriticalRegion();
    for (int i = 0; i < 3; i++)
        ExfAcquirePushLockShared(&PushLock);
    for (int i = 0; i < 2; i++) {
        Thread[i] = StartThread(Wanter, &Want[i]);
        Sleep(MS);
    }
    CHECK_IS(PushLock & 15, 1 | 2 | 8);
    Newest = (PWAIT_BLOCK)(PushLock & ~15ull);
    Oldest = Newest->Last;
    CHECK(Newest != Oldest && Newest->Next == Oldest && Oldest->Previous == Newest && !Newest->Previous);
    CHECK((Oldest->Flags & 1) && !(Newest->Flags & 1));
    for (LONG i = 3; i > 1; i--) {
        CHECK_IS(Oldest->Sharers, i);
        ExfReleasePushLockShared(&PushLock);
        CHECK_IS(PushLock & 15, 1 | 2 | 8);
    }
    CHECK_IS(Turn, 0);
    ExfReleasePushLockShared(&PushLock);
    KeLeaveCriticalRegion();
    for (int i = 0; i < 2; i++) {
        WaitFor(Thread[i]);
        ObDereferenceObject(Thread[i]);
        CHECK_IS(Want[i].Got, i + 1);
    }
    CHECK_IS(PushLock, 0);
}

TEST(reader_writer_spin_lock_raises_and_restores)
{
    static RW_LOCK Lock;
    KIRQL Old;

    Old = ExAcquireSpinLockShared(&Lock);
    CHECK_IS(Old, PASSIVE_LEVEL);
    CHECK_IRQL(DISPATCH_LEVEL);
    ExAcquireSpinLockSharedAtDpcLevel(&Lock);
    CHECK(!ExTryConvertSharedSpinLockExclusive(&Lock));
    ExReleaseSpinLockSharedFromDpcLevel(&Lock);
    CHECK(ExTryConvertSharedSpinLockExclusive(&Lock));
    ExReleaseSpinLockExclusive(&Lock, Old);
    CHECK_IRQL(PASSIVE_LEVEL);
    Old = ExAcquireSpinLockExclusive(&Lock);
    CHECK_IRQL(DISPATCH_LEVEL);
    ExReleaseSpinLockExclusive(&Lock, Old);
    CHECK_IS(Lock, 0);
}

TEST(slist_is_last_in_first_out_and_counts)
{
    static SLIST_HEADER Head;
    static SLIST_ENTRY Entry[3];

    InitializeSListHead(&Head);
    CHECK(InterlockedPopEntrySList(&Head) == NULL);
    CHECK(InterlockedPushEntrySList(&Head, &Entry[0]) == NULL);
    CHECK(InterlockedPushEntrySList(&Head, &Entry[1]) == &Entry[0]);
    InterlockedPushEntrySList(&Head, &Entry[2]);
    CHECK_IS(ExQueryDepthSList(&Head), 3);
    CHECK(InterlockedPopEntrySList(&Head) == &Entry[2]);
    CHECK_IS(ExQueryDepthSList(&Head), 2);
    CHECK(InterlockedFlushSList(&Head) == &Entry[1]);
    CHECK(Entry[1].Next == &Entry[0]);
    CHECK_IS(ExQueryDepthSList(&Head), 0);
}

TEST(interlocked_lists_say_what_was_there)
{
    LIST_ENTRY Head, A, B;
    KSPIN_LOCK Lock;
    LARGE_INTEGER Sum = {.QuadPart = 5}, Step = {.QuadPart = 1ll << 40};
    ULONG Small = 7;

    KeInitializeSpinLock(&Lock);
    InitializeListHead(&Head);
    CHECK(ExInterlockedRemoveHeadList(&Head, &Lock) == NULL);
    CHECK(ExInterlockedInsertTailList(&Head, &A, &Lock) == NULL);
    CHECK(ExInterlockedInsertHeadList(&Head, &B, &Lock) == &A);
    CHECK(ExInterlockedRemoveHeadList(&Head, &Lock) == &B);
    CHECK(ExInterlockedRemoveHeadList(&Head, &Lock) == &A);
    CHECK(IsListEmpty(&Head));
    CHECK_IS(ExInterlockedAddLargeInteger(&Sum, Step, &Lock).QuadPart, 5);
    CHECK_IS(Sum.QuadPart, (1ll << 40) + 5);
    CHECK_IS(ExInterlockedAddUlong(&Small, 3, &Lock), 7);
    CHECK_IS(Small, 10);
}

static LONG Called[2];

static VOID Callback(PVOID Context, PVOID First, PVOID Second)
{
    CHECK_IRQL(PASSIVE_LEVEL);
    CHECK((ULONG_PTR)First == 11 && (ULONG_PTR)Second == 22);
    ++*(LONG *)Context;
}

TEST(callback_objects_call_whom_they_know)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    PCALLBACK_OBJECT Object, Same;
    PVOID First, Second;

    RtlInitUnicodeString(&Name, L"\\Callback\\CheckDriver");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK(!NT_SUCCESS(ExCreateCallback(&Object, &Attributes, FALSE, TRUE)));
    if (!CHECK_IS(ExCreateCallback(&Object, &Attributes, TRUE, TRUE), STATUS_SUCCESS))
        return;
    CHECK_IS(ExCreateCallback(&Same, &Attributes, FALSE, TRUE), STATUS_SUCCESS);
    CHECK(Same == Object);
    First = ExRegisterCallback(Object, Callback, &Called[0]);
    Second = ExRegisterCallback(Same, Callback, &Called[1]);
    CHECK(First && Second);
    ExNotifyCallback(Object, (PVOID)11, (PVOID)22);
    CHECK_IS(Called[0], 1);
    CHECK_IS(Called[1], 1);
    ExUnregisterCallback(First);
    ExNotifyCallback(Object, (PVOID)11, (PVOID)22);
    CHECK_IS(Called[0], 1);
    CHECK_IS(Called[1], 2);
    ExUnregisterCallback(Second);
    ObDereferenceObject(Same);
    ObDereferenceObject(Object);
    RtlInitUnicodeString(&Name, L"\\Callback\\PowerState");
    CHECK_IS(ExCreateCallback(&Object, &Attributes, FALSE, TRUE), STATUS_SUCCESS);
    ObDereferenceObject(Object);
}

TEST(uuids_differ)
{
    UUID A, B;

    CHECK_IS(ExUuidCreate(&A), STATUS_SUCCESS);
    CHECK_IS(ExUuidCreate(&B), STATUS_SUCCESS);
    CHECK(RtlCompareMemory(&A, &B, sizeof(A)) != sizeof(A));
    CHECK_IS(A.Data3 >> 12, 1);
    CHECK_IS(A.Data4[0] >> 6, 2);
}

/* The time in it is that of the system, counted from 15 October 1582. */
TEST(a_uuid_tells_when_it_was_made)
{
    LARGE_INTEGER Now;
    UUID Id;
    LONGLONG Time;

    ExUuidCreate(&Id);
    KeQuerySystemTime(&Now);
    Time = (LONGLONG)(Id.Data3 & 0xfff) << 48 | (LONGLONG)Id.Data2 << 32 | Id.Data1;
    Time -= 5748192000000000;
    CHECK(Time < Now.QuadPart + 1 * MS && Time > Now.QuadPart - 1 * MS);
}

CHECK_DRIVER(T(rundown_waits_for_the_last_holder), T(cache_aware_rundown_is_the_same), T(push_lock_serves_in_order),
             T(push_lock_word_counts_sharers), T(push_lock_waiters_lead_from_the_newest_to_the_oldest),
             T(reader_writer_spin_lock_raises_and_restores), T(slist_is_last_in_first_out_and_counts),
             T(interlocked_lists_say_what_was_there), T(callback_objects_call_whom_they_know), T(uuids_differ),
             T(a_uuid_tells_when_it_was_made))
