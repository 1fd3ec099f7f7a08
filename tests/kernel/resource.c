/* ERESOURCE: who gets in, in which order. */
#include "check.h"

static ERESOURCE Resource;
static LONG Order;
static KEVENT Go;

typedef struct _WANT {
    BOOLEAN Exclusive;
    LONG Got; /* as which one it got the resource, 0 = not yet */
} WANT;

/* Waits for the resource, notes its turn, holds it until told to go. */
static VOID Wanter(PVOID Context)
{
    WANT *Want = Context;

    KeEnterCriticalRegion();
    if (Want->Exclusive)
        ExAcquireResourceExclusiveLite(&Resource, TRUE);
    else
        ExAcquireResourceSharedLite(&Resource, TRUE);
    Want->Got = InterlockedIncrement(&Order);
    WaitFor(&Go);
    ExReleaseResourceLite(&Resource);
    KeLeaveCriticalRegion();
}

static VOID Begin(void)
{
    ExInitializeResourceLite(&Resource);
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    Order = 0;
    KeEnterCriticalRegion();
}

static VOID End(void)
{
    KeLeaveCriticalRegion();
    CHECK_IS(ExDeleteResourceLite(&Resource), STATUS_SUCCESS);
}

static VOID Finish(PVOID Thread)
{
    WaitFor(Thread);
    ObDereferenceObject(Thread);
}

TEST(exclusive_owner_acquires_again_in_both_modes)
{
    Begin();
    CHECK(ExAcquireResourceExclusiveLite(&Resource, FALSE));
    CHECK(ExAcquireResourceExclusiveLite(&Resource, FALSE));
    CHECK(ExAcquireResourceSharedLite(&Resource, FALSE));
    CHECK(ExIsResourceAcquiredExclusiveLite(&Resource));
    CHECK_IS(ExIsResourceAcquiredSharedLite(&Resource), 3);
    ExReleaseResourceLite(&Resource);
    ExReleaseResourceLite(&Resource);
    CHECK(ExIsResourceAcquiredExclusiveLite(&Resource));
    ExReleaseResourceLite(&Resource);
    CHECK(!ExIsResourceAcquiredExclusiveLite(&Resource));
    CHECK_IS(ExIsResourceAcquiredSharedLite(&Resource), 0);
    End();
}

TEST(sharers_share_and_keep_an_exclusive_out)
{
    WANT First = {FALSE, 0}, Second = {FALSE, 0}, Third = {TRUE, 0};
    PVOID A, B, C;

    Begin();
    CHECK(ExAcquireResourceSharedLite(&Resource, TRUE));
    A = StartThread(Wanter, &First);
    B = StartThread(Wanter, &Second);
    Sleep(MS);
    CHECK(First.Got && Second.Got);
    C = StartThread(Wanter, &Third);
    Sleep(MS);
    CHECK_IS(Third.Got, 0);
    CHECK_IS(ExGetExclusiveWaiterCount(&Resource), 1);
    KeSetEvent(&Go, 0, FALSE);
    Sleep(MS);
    CHECK_IS(Third.Got, 0);
    ExReleaseResourceLite(&Resource);
    Finish(A);
    Finish(B);
    Finish(C);
    CHECK_IS(Third.Got, 3);
    End();
}

TEST(new_sharer_waits_behind_an_exclusive_waiter)
{
    WANT Writer = {TRUE, 0}, Reader = {FALSE, 0};
    PVOID A, B;

    Begin();
    ExAcquireResourceSharedLite(&Resource, TRUE);
    A = StartThread(Wanter, &Writer);
    Sleep(MS);
    B = StartThread(Wanter, &Reader);
    Sleep(MS);
    CHECK_IS(Reader.Got, 0);
    CHECK_IS(ExGetSharedWaiterCount(&Resource), 1);
    CHECK(ExAcquireResourceSharedLite(&Resource, FALSE)); /* who shares already may again */
    ExReleaseResourceLite(&Resource);
    ExReleaseResourceLite(&Resource);
    Sleep(MS);
    CHECK_IS(Writer.Got, 1);
    KeSetEvent(&Go, 0, FALSE);
    Finish(A);
    Finish(B);
    CHECK_IS(Reader.Got, 2);
    End();
}

static VOID Starver(PVOID Context)
{
    LONG *Got = Context;

    KeEnterCriticalRegion();
    *Got = ExAcquireSharedWaitForExclusive(&Resource, FALSE) ? 1 : 0;
    if (*Got)
        ExReleaseResourceLite(&Resource);
    *Got |= ExAcquireSharedStarveExclusive(&Resource, FALSE) ? 2 : 0;
    if (*Got & 2)
        ExReleaseResourceLite(&Resource);
    KeLeaveCriticalRegion();
}

TEST(starving_goes_before_an_exclusive_waiter)
{
    WANT Writer = {TRUE, 0};
    LONG Got = 0;
    PVOID A;

    Begin();
    ExAcquireResourceSharedLite(&Resource, TRUE);
    A = StartThread(Wanter, &Writer);
    Sleep(MS);
    Finish(StartThread(Starver, &Got));
    CHECK_IS(Got, 2);
    KeSetEvent(&Go, 0, FALSE);
    ExReleaseResourceLite(&Resource);
    Finish(A);
    End();
}

TEST(exclusive_release_lets_sharers_in_first)
{
    WANT Writer = {TRUE, 0}, Reader = {FALSE, 0}, Other = {FALSE, 0};
    PVOID A, B, C;

    Begin();
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    A = StartThread(Wanter, &Writer);
    Sleep(MS);
    B = StartThread(Wanter, &Reader);
    C = StartThread(Wanter, &Other);
    Sleep(MS);
    ExReleaseResourceLite(&Resource);
    Sleep(MS);
    CHECK(Reader.Got && Other.Got);
    CHECK_IS(Writer.Got, 0);
    KeSetEvent(&Go, 0, FALSE);
    Finish(A);
    Finish(B);
    Finish(C);
    CHECK_IS(Writer.Got, 3);
    End();
}

TEST(converted_owner_lets_sharers_in)
{
    WANT Reader = {FALSE, 0};
    PVOID A;

    Begin();
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    A = StartThread(Wanter, &Reader);
    Sleep(MS);
    CHECK_IS(Reader.Got, 0);
    ExConvertExclusiveToSharedLite(&Resource);
    CHECK(!ExIsResourceAcquiredExclusiveLite(&Resource));
    CHECK_IS(ExIsResourceAcquiredSharedLite(&Resource), 1);
    Sleep(MS);
    CHECK_IS(Reader.Got, 1);
    KeSetEvent(&Go, 0, FALSE);
    Finish(A);
    ExReleaseResourceLite(&Resource);
    End();
}

static VOID Releaser(PVOID Context)
{
    ExReleaseResourceForThreadLite(&Resource, (ERESOURCE_THREAD)Context);
}

TEST(another_thread_releases_for_an_owner_pointer)
{
    static UCHAR Owner[16] __attribute__((aligned(16)));

    Begin();
    ExAcquireResourceSharedLite(&Resource, TRUE);
    ExSetResourceOwnerPointer(&Resource, (PVOID)((ULONG_PTR)Owner | 3));
    CHECK_IS(ExIsResourceAcquiredSharedLite(&Resource), 0);
    Finish(StartThread(Releaser, (PVOID)((ULONG_PTR)Owner | 3)));
    CHECK(ExAcquireResourceExclusiveLite(&Resource, FALSE));
    ExReleaseResourceLite(&Resource);
    End();
}

#define MANY 20

TEST(many_sharers_are_all_known)
{
    WANT Want[MANY] = {0};
    PVOID Thread[MANY];

    Begin();
    for (int i = 0; i < MANY; i++)
        Thread[i] = StartThread(Wanter, &Want[i]);
    Sleep(MS);
    CHECK_IS(Order, MANY);
    CHECK(!ExAcquireResourceExclusiveLite(&Resource, FALSE));
    KeSetEvent(&Go, 0, FALSE);
    for (int i = 0; i < MANY; i++)
        Finish(Thread[i]);
    CHECK(ExAcquireResourceExclusiveLite(&Resource, FALSE));
    ExReleaseResourceLite(&Resource);
    End();
}

CHECK_DRIVER(T(exclusive_owner_acquires_again_in_both_modes), T(sharers_share_and_keep_an_exclusive_out),
             T(new_sharer_waits_behind_an_exclusive_waiter), T(starving_goes_before_an_exclusive_waiter),
             T(exclusive_release_lets_sharers_in_first), T(converted_owner_lets_sharers_in),
             T(another_thread_releases_for_an_owner_pointer), T(many_sharers_are_all_known))
