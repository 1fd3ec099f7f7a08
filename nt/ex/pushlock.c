/*
 * Push locks: reader-writer locks of one word, for code in a critical region. Waiters are served in order: one
 * exclusive waiter, or all the sharing ones before the next exclusive. (docs: ExInitializePushLock,
 * ExAcquirePushLockExclusiveEx)
 *
 * The word: 0 free; bit 0 held; bit 1 somebody waits; bit 3 several sharers hold it while others wait. Without waiters, the number
 * of sharers times 16. With waiters, the address of the newest one's block; each leads to the next older one, the newest to the
 * oldest, which keeps the number of sharers. Word and blocks are as debuggers know them from Windows.
 */
#include "nt.h"

#undef EX_PUSH_LOCK
#undef PEX_PUSH_LOCK

#define EX_PUSH_HELD 1ull
#define EX_PUSH_WAITERS 2ull
#define EX_PUSH_SEVERAL 8ull
#define EX_PUSH_SHARER 16ull

#define EX_WAITS_EXCLUSIVE 1
#define EX_WAITS 2

typedef struct DECLSPEC_ALIGN(16) _EX_PUSH_WAITER {
    KEVENT Granted;
    struct _EX_PUSH_WAITER *Next;     /* older; of the oldest: nothing */
    struct _EX_PUSH_WAITER *Last;     /* of the newest: the oldest */
    struct _EX_PUSH_WAITER *Previous; /* newer */
    LONG Sharers;                     /* of the oldest, with EX_PUSH_SEVERAL: how many hold the lock */
    LONG Flags;
} EX_PUSH_WAITER, *PEX_PUSH_WAITER;

static inline PEX_PUSH_WAITER ExpNewest(PULONG_PTR Lock)
{
    return *Lock & EX_PUSH_WAITERS ? (PEX_PUSH_WAITER)(*Lock & ~15ull) : NULL;
}

/* Held by Sharers (0: exclusively), with these waiters. */
static VOID ExpSetLock(PULONG_PTR Lock, LONG Sharers, PEX_PUSH_WAITER Newest, PEX_PUSH_WAITER Oldest)
{
    if (!Newest) {
        *Lock = EX_PUSH_HELD | (UINT64)Sharers * EX_PUSH_SHARER;
        return;
    }
    Newest->Last = Oldest;
    Oldest->Sharers = Sharers > 1 ? Sharers : 0;
    *Lock = (UINT64)Newest | EX_PUSH_HELD | EX_PUSH_WAITERS | (Sharers > 1 ? EX_PUSH_SEVERAL : 0);
}

/* Nobody waits, and who holds it shares it. */
static inline BOOLEAN ExpIsShared(PULONG_PTR Lock)
{
    return !(*Lock & EX_PUSH_WAITERS) && *Lock >= EX_PUSH_SHARER;
}

static VOID ExpReportPushLock(PULONG_PTR Lock, ULONG SubCode, PCSTR Rule, PCSTR Text)
{
    VfFinding(Rule, 0xC4, SubCode, KeGetCurrentIrql(), KeGetCurrentThread()->CombinedApcDisable, (UINT64)Lock);
    VfSubject("push lock");
    VfText("%s", Text);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, 0, Lock, NULL, "The push lock is %%o.");
    VfCommit();
}

/* Driver Verifier, 0xC4 subcodes 0xEA and 0xEB. */
static VOID ExpCheckApcs(PULONG_PTR Lock, ULONG SubCode)
{
    if (KeGetCurrentIrql() < APC_LEVEL && !KeGetCurrentThread()->CombinedApcDisable)
        ExpReportPushLock(Lock, SubCode, "pushlock.apcs-enabled",
                          SubCode == 0xEA ? "a push lock is acquired outside of a critical region"
                                          : "a push lock is released outside of a critical region");
}

static VOID ExpWait(PULONG_PTR Lock, BOOLEAN Exclusive)
{
    EX_PUSH_WAITER Waiter = {.Flags = EX_WAITS | (Exclusive ? EX_WAITS_EXCLUSIVE : 0)};
    PEX_PUSH_WAITER Newest = ExpNewest(Lock);

    KeInitializeEvent(&Waiter.Granted, SynchronizationEvent, FALSE);
    if (Newest) {
        Waiter.Next = Newest;
        Waiter.Last = Newest->Last;
        Newest->Previous = &Waiter;
        *Lock = (UINT64)&Waiter | (*Lock & 15);
    } else {
        ExpSetLock(Lock, (LONG)(*Lock / EX_PUSH_SHARER), &Waiter, &Waiter);
    }
    KeWaitForSingleObject(&Waiter.Granted, WrPushLock, KernelMode, FALSE, NULL);
}

/* The lock has become free: it goes to those that waited longest, one exclusively or all sharers before the next such one. */
static VOID ExpHandOver(PULONG_PTR Lock)
{
    PEX_PUSH_WAITER Newest = ExpNewest(Lock), First = Newest ? Newest->Last : NULL, Rest = First, Next;
    LONG Sharers = 0;

    if (!First) {
        *Lock = 0;
        return;
    }
    if (First->Flags & EX_WAITS_EXCLUSIVE)
        Rest = First->Previous;
    else
        for (; Rest && !(Rest->Flags & EX_WAITS_EXCLUSIVE); Rest = Rest->Previous)
            Sharers++;
    ExpSetLock(Lock, Sharers, Rest ? Newest : NULL, Rest);
    for (; First != Rest; First = Next) {
        Next = First->Previous; /* the block is gone once its event is set */
        KeSetEvent(&First->Granted, EVENT_INCREMENT, FALSE);
    }
}

static VOID ExpAcquireExclusive(PULONG_PTR Lock)
{
    ExpCheckApcs(Lock, 0xEA);
    if (*Lock)
        ExpWait(Lock, TRUE);
    else
        *Lock = EX_PUSH_HELD;
}

static VOID ExpAcquireShared(PULONG_PTR Lock)
{
    ExpCheckApcs(Lock, 0xEA);
    if (!*Lock || ExpIsShared(Lock))
        *Lock = (*Lock | EX_PUSH_HELD) + EX_PUSH_SHARER;
    else
        ExpWait(Lock, FALSE);
}

static VOID ExpReleaseLock(PULONG_PTR Lock)
{
    ExpCheckApcs(Lock, 0xEB);
    if (!(*Lock & EX_PUSH_HELD)) {
        ExpReportPushLock(Lock, 0x1007, "pushlock.not-held", "a push lock was released that nobody holds");
        return;
    }
    if (!(*Lock & EX_PUSH_WAITERS))
        *Lock = *Lock >= 2 * EX_PUSH_SHARER ? *Lock - EX_PUSH_SHARER : 0;
    else if (!(*Lock & EX_PUSH_SEVERAL) || !--ExpNewest(Lock)->Last->Sharers)
        ExpHandOver(Lock);
}

/* ---- Routines of the public interface ------------------------------------------------------------------------------
 */

VOID NTAPI ExInitializePushLock(PULONG_PTR PushLock)
{
    *PushLock = 0;
}

VOID FASTCALL ExfAcquirePushLockExclusive(PULONG_PTR PushLock)
{
    ExpAcquireExclusive(PushLock);
}

VOID FASTCALL ExfAcquirePushLockShared(PULONG_PTR PushLock)
{
    ExpAcquireShared(PushLock);
}

BOOLEAN FASTCALL ExfTryAcquirePushLockShared(PULONG_PTR PushLock)
{
    if (*PushLock && !ExpIsShared(PushLock))
        return FALSE;
    ExpAcquireShared(PushLock);
    return TRUE;
}

VOID FASTCALL ExfReleasePushLock(PULONG_PTR PushLock)
{
    ExpReleaseLock(PushLock);
}

VOID FASTCALL ExfReleasePushLockExclusive(PULONG_PTR PushLock)
{
    ExpReleaseLock(PushLock);
}

VOID FASTCALL ExfReleasePushLockShared(PULONG_PTR PushLock)
{
    ExpReleaseLock(PushLock);
}

/* Flags only tell Windows whether to look after priorities. */
VOID FASTCALL ExAcquirePushLockExclusiveEx(PULONG_PTR PushLock, ULONG Flags)
{
    ExpAcquireExclusive(PushLock);
}

VOID FASTCALL ExAcquirePushLockSharedEx(PULONG_PTR PushLock, ULONG Flags)
{
    ExpAcquireShared(PushLock);
}

VOID FASTCALL ExReleasePushLockExclusiveEx(PULONG_PTR PushLock, ULONG Flags)
{
    ExpReleaseLock(PushLock);
}

VOID FASTCALL ExReleasePushLockSharedEx(PULONG_PTR PushLock, ULONG Flags)
{
    ExpReleaseLock(PushLock);
}

VOID FASTCALL ExReleasePushLockEx(PULONG_PTR PushLock, ULONG Flags)
{
    ExpReleaseLock(PushLock);
}
