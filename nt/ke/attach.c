/*
 * Being in another process: its memory is what user addresses mean, and APCs of the thread's own process wait.
 * (docs: KeStackAttachProcess, KeUnstackDetachProcess)
 */
#include "nt.h"

#define KI_NOTHING_TO_UNDO ((PKPROCESS)1) /* in a caller's KAPC_STATE.Process: it was in that process already */

static VOID KiMoveApcState(PKAPC_STATE From, PKAPC_STATE To)
{
    *To = *From;
    for (ULONG Mode = 0; Mode < 2; Mode++) {
        if (IsListEmpty(&From->ApcListHead[Mode])) {
            InitializeListHead(&To->ApcListHead[Mode]);
        } else {
            To->ApcListHead[Mode].Flink->Blink = &To->ApcListHead[Mode];
            To->ApcListHead[Mode].Blink->Flink = &To->ApcListHead[Mode];
        }
    }
}

static VOID KiBeIn(PKTHREAD Thread, PKPROCESS Process)
{
    InitializeListHead(&Thread->ApcState.ApcListHead[KernelMode]);
    InitializeListHead(&Thread->ApcState.ApcListHead[UserMode]);
    Thread->ApcState.Process = Process;
    Thread->ApcState.KernelApcInProgress = Thread->ApcState.KernelApcPending = Thread->ApcState.UserApcPending = FALSE;
    MiEnterProcess(Process);
}

static VOID KiReportBadAttach(PKPROCESS Process, PCSTR Text)
{
    PKTHREAD Thread = KeGetCurrentThread();

    VfFinding("process.bad-attach", 0x05, (UINT64)Process, (UINT64)Thread->ApcState.Process, Thread->ApcStateIndex,
              KiProcessor()->DpcRoutineActive);
    VfSubject("KeStackAttachProcess");
    VfText("%s", Text);
    VfNoteCaller(NULL);
    VfCommit();
}

static VOID KiAttach(PKPROCESS Process, PKAPC_STATE Saved)
{
    PKTHREAD Thread = KeGetCurrentThread();
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);

    KiMoveApcState(&Thread->ApcState, Saved);
    if (Saved == &Thread->SavedApcState) {
        Thread->ApcStatePointer[0] = &Thread->SavedApcState;
        Thread->ApcStatePointer[1] = &Thread->ApcState;
        Thread->ApcStateIndex = 1;
    }
    KiBeIn(Thread, Process);
    KiLowerIrql(OldIrql);
}

static VOID KiDetach(PKAPC_STATE Saved)
{
    PKTHREAD Thread = KeGetCurrentThread();
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);

    KiMoveApcState(Saved, &Thread->ApcState);
    if (Saved == &Thread->SavedApcState) {
        Thread->SavedApcState.Process = NULL;
        Thread->ApcStatePointer[0] = &Thread->ApcState;
        Thread->ApcStatePointer[1] = &Thread->SavedApcState;
        Thread->ApcStateIndex = 0;
    }
    MiEnterProcess(Thread->ApcState.Process);
    if (Thread->ApcState.KernelApcPending)
        KiRequestInterrupt(KiProcessor(), APC_LEVEL);
    KiLowerIrql(OldIrql);
}

VOID NTAPI KeStackAttachProcess(PKPROCESS Process, PKAPC_STATE ApcState)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (KiProcessor()->DpcRoutineActive) {
        KiReportBadAttach(Process, "KeStackAttachProcess in a DPC: the thread that was interrupted is anybody's");
        return;
    }
    if (Thread->ApcState.Process == Process) {
        ApcState->Process = KI_NOTHING_TO_UNDO;
    } else if (Thread->ApcStateIndex) {
        KiAttach(Process, ApcState);
    } else {
        KiAttach(Process, &Thread->SavedApcState);
        ApcState->Process = NULL;
    }
}

VOID NTAPI KeUnstackDetachProcess(PKAPC_STATE ApcState)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (ApcState->Process == KI_NOTHING_TO_UNDO)
        return;
    if (!Thread->ApcStateIndex) {
        VfFinding("process.bad-detach", 0x06, 0, 0, 0, 0);
        VfSubject("KeUnstackDetachProcess");
        VfText("KeUnstackDetachProcess called by a thread that is attached to no process");
        VfNoteCaller(NULL);
        VfCommit();
        return;
    }
    if (ApcState->Process)
        KiDetach(ApcState);
    else
        KiDetach(&Thread->SavedApcState);
}

/* Undocumented, widely used: the form that does not nest. */
VOID NTAPI KeAttachProcess(PKPROCESS Process)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (Thread->ApcState.Process == Process)
        return;
    if (Thread->ApcStateIndex)
        KiReportBadAttach(Process, "KeAttachProcess called by a thread that is attached to another process");
    else
        KiAttach(Process, &Thread->SavedApcState);
}

VOID NTAPI KeDetachProcess(VOID)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (Thread->ApcStateIndex)
        KiDetach(&Thread->SavedApcState);
}
