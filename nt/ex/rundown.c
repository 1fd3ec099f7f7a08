/*
 * Run-down protection: many may hold an object as long as nobody waits for its end; the one that waits gets it when all
 * have let go, and from then on nobody gets in. (docs: "Run-Down Protection")
 *
 * One word: the number of holders times two; once somebody waits, his block's address with bit 0 set; 1 when all is
 * over. The cache-aware form has the same meaning and is one such word here: there is nothing to gain from more on one
 * host thread.
 */
#include "nt.h"
#include "ex/poolp.h"

typedef struct _EX_RUNDOWN_WAIT {
    UINT64 Holders;
    KEVENT Over;
} EX_RUNDOWN_WAIT, *PEX_RUNDOWN_WAIT;

typedef struct _EX_RUNDOWN_REF_CACHE_AWARE {
    EX_RUNDOWN_REF Ref;
    BOOLEAN Allocated;
} EX_RUNDOWN_REF_CACHE_AWARE;

#define EX_RUNDOWN_OVER 1ull

VOID FASTCALL ExInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = 0;
}

VOID FASTCALL ExReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = 0;
}

VOID FASTCALL ExRundownCompleted(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = EX_RUNDOWN_OVER;
}

BOOLEAN FASTCALL ExAcquireRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    if (RunRef->Count & EX_RUNDOWN_OVER)
        return FALSE;
    RunRef->Count += 2 * (UINT64)Count;
    return TRUE;
}

BOOLEAN FASTCALL ExAcquireRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    return ExAcquireRundownProtectionEx(RunRef, 1);
}

VOID FASTCALL ExReleaseRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    PEX_RUNDOWN_WAIT Wait = (PEX_RUNDOWN_WAIT)(RunRef->Count & ~EX_RUNDOWN_OVER);

    if (!(RunRef->Count & EX_RUNDOWN_OVER) && RunRef->Count >= 2 * (UINT64)Count) {
        RunRef->Count -= 2 * (UINT64)Count;
    } else if ((RunRef->Count & EX_RUNDOWN_OVER) && Wait && Wait->Holders >= Count) {
        Wait->Holders -= Count;
        if (!Wait->Holders)
            KeSetEvent(&Wait->Over, EVENT_INCREMENT, FALSE);
    } else {
        VfFinding("rundown.not-held", 0x18, 0, (UINT64)RunRef, 0, RunRef->Count); /* REFERENCE_BY_POINTER */
        VfSubject("run-down protection");
        VfText("run-down protection was released more often than it was acquired");
        VfNoteCaller(NULL);
        VfNote(DOOR_NOTE_OBJECT, 0, RunRef, NULL, "The run-down reference is %%o.");
        VfCommit();
    }
}

VOID FASTCALL ExReleaseRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    ExReleaseRundownProtectionEx(RunRef, 1);
}

VOID FASTCALL ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef)
{
    EX_RUNDOWN_WAIT Wait;

    if (!RunRef->Count || RunRef->Count == EX_RUNDOWN_OVER) {
        RunRef->Count = EX_RUNDOWN_OVER;
        return;
    }
    Wait.Holders = RunRef->Count / 2;
    KeInitializeEvent(&Wait.Over, SynchronizationEvent, FALSE);
    RunRef->Count = (UINT64)&Wait | EX_RUNDOWN_OVER;
    KeWaitForSingleObject(&Wait.Over, WrRundown, KernelMode, FALSE, NULL);
    RunRef->Count = EX_RUNDOWN_OVER;
}

/* ---- Cache-aware ---------------------------------------------------------------------------------------------------
 */

SIZE_T NTAPI ExSizeOfRundownProtectionCacheAware(VOID)
{
    return sizeof(EX_RUNDOWN_REF_CACHE_AWARE);
}

PEX_RUNDOWN_REF_CACHE_AWARE NTAPI ExAllocateCacheAwareRundownProtection(POOL_TYPE PoolType, ULONG PoolTag)
{
    PEX_RUNDOWN_REF_CACHE_AWARE RunRef =
        ExpAllocateForDriver(PoolType, sizeof(*RunRef), PoolTag, TRUE, VfCaptureStack(), __builtin_return_address(0));
    if (RunRef)
        RunRef->Allocated = TRUE;
    return RunRef;
}

VOID NTAPI ExFreeCacheAwareRundownProtection(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ExpFreeForDriver((UINT64)RunRefCacheAware, 0, __builtin_return_address(0), ExpFreerStack());
}

VOID NTAPI ExInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, SIZE_T RunRefSize)
{
    RunRefCacheAware->Ref.Count = 0;
    RunRefCacheAware->Allocated = FALSE;
}

/* docs: ExInitializeRundownProtectionCacheAwareEx: Flags are reserved. */
NTSTATUS NTAPI ExInitializeRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Flags)
{
    ExInitializeRundownProtectionCacheAware(RunRefCacheAware, sizeof(*RunRefCacheAware));
    return STATUS_SUCCESS;
}

BOOLEAN FASTCALL ExAcquireRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    return ExAcquireRundownProtectionEx(&RunRefCacheAware->Ref, 1);
}

VOID FASTCALL ExReleaseRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    ExReleaseRundownProtectionEx(&RunRefCacheAware->Ref, 1);
}

BOOLEAN FASTCALL ExAcquireRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Count)
{
    return ExAcquireRundownProtectionEx(&RunRefCacheAware->Ref, Count);
}

VOID FASTCALL ExReleaseRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRef, ULONG Count)
{
    ExReleaseRundownProtectionEx(&RunRef->Ref, Count);
}

VOID FASTCALL ExWaitForRundownProtectionReleaseCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRef)
{
    ExWaitForRundownProtectionRelease(&RunRef->Ref);
}

VOID FASTCALL ExReInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    RunRefCacheAware->Ref.Count = 0;
}

VOID FASTCALL ExRundownCompletedCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware)
{
    RunRefCacheAware->Ref.Count = EX_RUNDOWN_OVER;
}
