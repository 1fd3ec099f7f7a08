/*
 * Push locks: reader-writer locks of one word, for code in a critical region. Waiters are served in order: one
 * exclusive waiter, or all the sharing ones before the next exclusive. (docs: ExInitializePushLock,
 * ExAcquirePushLockExclusiveEx)
 *
 * The word: 0 free; bit 0 held; bit 1 somebody waits. Without waiters, the number of sharers times 16. With waiters,
 * the address of the first waiter's block, which keeps that number.
 */
#include "nt.h"

#undef EX_PUSH_LOCK
#undef PEX_PUSH_LOCK

#define EX_PUSH_HELD 1ull
#define EX_PUSH_WAITERS 2ull

typedef struct DECLSPEC_ALIGN(16) _EX_PUSH_WAITER {
    struct _EX_PUSH_WAITER *Next;
    UINT64 Sharers; /* of the lock; kept by the first waiter only */
    BOOLEAN Exclusive;
    KEVENT Granted;
} EX_PUSH_WAITER, *PEX_PUSH_WAITER;

static inline PEX_PUSH_WAITER ExpFirstWaiter(PULONG_PTR Lock)
{
    return *Lock & EX_PUSH_WAITERS ? (PEX_PUSH_WAITER)(*Lock & ~15ull) : NULL;
}

static inline UINT64 ExpSharers(PULONG_PTR Lock)
{
    PEX_PUSH_WAITER First = ExpFirstWaiter(Lock);
    return First ? First->Sharers : *Lock >> 4;
}

static VOID ExpSetLock(PULONG_PTR Lock, BOOLEAN Held, UINT64 Sharers, PEX_PUSH_WAITER First)
{
    if (First)
        First->Sharers = Sharers;
    *Lock = (Held ? EX_PUSH_HELD : 0) | (First ? (UINT64)First | EX_PUSH_WAITERS : Sharers << 4);
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
    EX_PUSH_WAITER Waiter = {.Exclusive = Exclusive};
    PEX_PUSH_WAITER Last = ExpFirstWaiter(Lock);

    KeInitializeEvent(&Waiter.Granted, SynchronizationEvent, FALSE);
    if (Last) {
        while (Last->Next)
            Last = Last->Next;
        Last->Next = &Waiter;
    } else {
        ExpSetLock(Lock, TRUE, ExpSharers(Lock), &Waiter);
    }
    KeWaitForSingleObject(&Waiter.Granted, WrPushLock, KernelMode, FALSE, NULL);
}

/* The lock has become free: it goes to those that waited longest. */
static VOID ExpHandOver(PULONG_PTR Lock)
{
    PEX_PUSH_WAITER First = ExpFirstWaiter(Lock), Rest = First, Next;
    UINT64 Sharers = 0;

    if (!First) {
        *Lock = 0;
        return;
    }
    if (First->Exclusive) {
        ExpSetLock(Lock, TRUE, 0, First->Next);
        KeSetEvent(&First->Granted, EVENT_INCREMENT, FALSE);
        return;
    }
    for (; Rest && !Rest->Exclusive; Rest = Rest->Next)
        Sharers++;
    ExpSetLock(Lock, TRUE, Sharers, Rest);
    for (; First != Rest; First = Next) {
        Next = First->Next; /* the block is gone once its event is set */
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
    if (!*Lock || (!ExpFirstWaiter(Lock) && ExpSharers(Lock)))
        ExpSetLock(Lock, TRUE, ExpSharers(Lock) + 1, NULL);
    else
        ExpWait(Lock, FALSE);
}

static VOID ExpReleaseLock(PULONG_PTR Lock)
{
    UINT64 Sharers = ExpSharers(Lock);

    ExpCheckApcs(Lock, 0xEB);
    if (!(*Lock & EX_PUSH_HELD)) {
        ExpReportPushLock(Lock, 0x1007, "pushlock.not-held", "a push lock was released that nobody holds");
        return;
    }
    if (Sharers > 1)
        ExpSetLock(Lock, TRUE, Sharers - 1, ExpFirstWaiter(Lock));
    else
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
    if (*PushLock && (ExpFirstWaiter(PushLock) || !ExpSharers(PushLock)))
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
