/*
 * Calls of drivers' routines by the kernel: what must be as it was when they return.
 *
 * Each callback notes level, held spin locks and stack pointer on entry. On return the level must be the same, no lock may be
 * held that was not, and nothing the kernel still uses may lie on the stack that has just been given up (talk, T22).
 * (docs: DRIVER_VERIFIER_DETECTED_VIOLATION 0xC4, IRQL_UNEXPECTED_VALUE 0xC8, WORKER_THREAD_RETURNED_AT_BAD_IRQL 0xE1)
 */
#include "nt.h"

static PVF_CALLBACK *VfChain(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();

    return Processor->DpcRoutineActive ? &Processor->Callback : &Processor->CurrentThread->Callback;
}

VOID VfEnterCallback(PVF_CALLBACK Callback)
{
    PVF_CALLBACK *Chain = VfChain();
    PKI_PROCESSOR Processor = KiProcessor();

    Callback->Seal = VF_SEAL(Callback);
    Callback->Outer = *Chain;
    Callback->Irql = Processor->Irql;
    Callback->SpinLocks = Processor->SpinLocksHeld;
    Callback->Frame = (UINT64)_AddressOfReturnAddress();
    *Chain = Callback;
}

VOID VfNoteCallback(PVF_CALLBACK Callback)
{
    UINT64 Frame = (UINT64)Callback->Routine + 1; /* frames are return addresses */

    VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), Callback->Object, Callback->What, "");
    if (Callback->Stack)
        VfNote(DOOR_NOTE_OBJECT, Callback->Stack, Callback->Object, NULL, "%s", Callback->StackText);
}

static VOID VfReportLevel(PVF_CALLBACK Callback, KIRQL Irql)
{
    BOOLEAN Worker = !strcmp(Callback->Contract, "WORKER_THREAD_ROUTINE");

    VfFinding("irql.callback-level", Worker ? 0xE1 : 0xC8, (UINT64)Callback->Routine, Irql, Callback->Irql, 0);
    VfSubject(Callback->Contract);
    VfText("the routine was called at %s and returned at %s", VfLevelName(Callback->Irql), VfLevelName(Irql));
    VfNoteCallback(Callback);
    VfNoteLevel();
    VfCommit();
}

static VOID VfReportLocks(PVF_CALLBACK Callback, LONG More)
{
    ULONG Count = More > 0 ? More : -More;

    VfFinding("lock.held-on-return", 0xC8, (UINT64)Callback->Routine, KiProcessor()->SpinLocksHeld, Callback->SpinLocks,
              0);
    VfSubject(Callback->Contract);
    VfText("the routine returned holding %u spin lock%s %s than when it was called", Count, Count == 1 ? "" : "s",
           More > 0 ? "more" : "fewer");
    VfNoteCallback(Callback);
    VfNoteLevel();
    VfCommit();
}

/* Routines that begin and end a piece of work leave no region entered. Dispatch routines may, for their completion. */
static BOOLEAN VfMustLeaveRegions(PVF_CALLBACK Callback)
{
    return !strcmp(Callback->Contract, "DRIVER_INITIALIZE") || !strcmp(Callback->Contract, "DRIVER_UNLOAD") ||
           !strcmp(Callback->Contract, "KSTART_ROUTINE");
}

static VOID VfCheckRegions(PVF_CALLBACK Callback)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (!Thread->CombinedApcDisable || !IsListEmpty(&Thread->MutantListHead) || !VfMustLeaveRegions(Callback))
        return;
    VfFinding("apc.region-unbalanced", 0x01, (UINT64)Callback->Routine, 0, Thread->CombinedApcDisable, 0);
    VfSubject(Callback->Contract);
    VfText("the routine returned inside a %s region", Thread->SpecialApcDisable ? "guarded" : "critical");
    VfNoteCallback(Callback);
    VfCommit();
    Thread->CombinedApcDisable = 0;
}

VOID VfLeaveCallback(PVF_CALLBACK Callback)
{
    PKI_PROCESSOR Processor = KiProcessor();

    if (Processor->SpinLocksHeld != Callback->SpinLocks) {
        VfReportLocks(Callback, (LONG)(Processor->SpinLocksHeld - Callback->SpinLocks));
        Processor->SpinLocksHeld = Callback->SpinLocks;
        if (!Processor->SpinLocksHeld)
            Processor->Held.Count = 0;
    }
    if (Processor->Irql != Callback->Irql) {
        VfReportLevel(Callback, Processor->Irql);
        if (Processor->Irql > Callback->Irql)
            KiLowerIrql(Callback->Irql);
        else
            KiRaiseIrql(Callback->Irql);
    }
    VfCheckRegions(Callback);
    *VfChain() = Callback->Outer;
    if (VfObjectsOnStacks | VfDpcsOnStacks)
        VfStackGoes(Callback->Frame, Callback);
}
