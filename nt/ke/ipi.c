/*
 * Calls on all processors: at IPI_LEVEL (KeIpiGenericCall) and at DISPATCH_LEVEL (KeGenericCallDpc).
 *
 * KeIpiGenericCall: the caller, at SYNCH_LEVEL, waits until every other processor has come to IPI_LEVEL; then all call
 * the routine, and the caller goes on when all have returned. KeGenericCallDpc: the caller calls the routine itself at
 * DISPATCH_LEVEL and the others as a DPC; KeSignalCallDpcSynchronize is a barrier they may use, KeSignalCallDpcDone says that
 * a processor is done. One call of each kind is under way at a time.
 *
 * A wait that can never end (a processor that stays above IPI_LEVEL or runs with interrupts off; a routine that forgets to
 * signal) is a finding; Windows would hang. (docs: KeIpiGenericCall, KIPI_BROADCAST_WORKER; the DPC form is undocumented,
 * its shape is known from those who use it)
 */
#include "nt.h"

/* ---- At IPI_LEVEL -------------------------------------------------------------------------------------------------- */

static struct {
    BOOLEAN Busy;
    BOOLEAN Released; /* all have come: call */
    PKIPI_BROADCAST_WORKER Routine;
    ULONG_PTR Context;
    ULONG Stack; /* who called KeIpiGenericCall */
    ULONG Arrived, Done;
} KiCall;

static VOID KiReportNoEnd(PCSTR Rule, ULONG Code, UINT64 P1, PCSTR Text, PCSTR Note, ULONG Stack)
{
    VfFinding(Rule, Code, P1, 0, 0, KiProcessor()->Number);
    VfText("%s", Text);
    VfNoteCaller(NULL);
    VfNoteLevel();
    if (Stack)
        VfNote(DOOR_NOTE_OTHER, Stack, NULL, NULL, "%s", Note);
    VfCommit();
    VfContinueIsImpossible();
}

static VOID KiIpiWait(VOID)
{
    if (!KiSpinOnce())
        KiReportNoEnd("ipi.not-taken", 0x101, 0,
                      "a processor does not take the interprocessor interrupt, and never will",
                      "KeIpiGenericCall was called at:", KiCall.Stack);
}

static ULONG_PTR KiCallWorker(VOID)
{
    VF_CALLBACK Callback = {
        .Contract = "KIPI_BROADCAST_WORKER",
        .What = "call on all processors",
        .Routine = (PVOID)KiCall.Routine,
        .Object = (PVOID)KiCall.Routine,
        .Stack = KiCall.Stack,
        .StackText = "KeIpiGenericCall was called at:",
    };
    ULONG_PTR Result;

    VfEnterCallback(&Callback);
    Result = KiCall.Routine(KiCall.Context);
    VfLeaveCallback(&Callback);
    return Result;
}

static VOID KiAnswerCall(VOID)
{
    KiCall.Arrived++;
    while (!KiCall.Released)
        KiIpiWait();
    KiCallWorker();
    KiCall.Done++;
}

/* IPI_LEVEL, which is POWER_LEVEL too: what has been asked of this processor. */
VOID KiIpiInterrupt(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();
    ULONG Requests = Processor->IpiRequests;

    Processor->IpiRequests = 0;
    if (Requests & KI_IPI_POWER)
        KiPowerInterrupt();
    if (Requests & KI_IPI_CALL)
        KiAnswerCall();
}

ULONG_PTR KeIpiGenericCall(PKIPI_BROADCAST_WORKER BroadcastFunction, ULONG_PTR Context)
{
    ULONG Self = KiProcessor()->Number, Others = 0;
    KIRQL OldIrql = KiReadCr8();
    ULONG_PTR Result;

    if (OldIrql < KI_SYNCH_LEVEL)
        KiRaiseIrql(KI_SYNCH_LEVEL);
    Self = KiProcessor()->Number;
    while (KiCall.Busy)
        KiIpiWait();
    KiCall.Busy = TRUE;
    KiCall.Routine = BroadcastFunction;
    KiCall.Context = Context;
    KiCall.Stack = VfCaptureStack();
    KiCall.Arrived = KiCall.Done = 0;
    KiCall.Released = FALSE;
    for (ULONG i = 0; i < KiDoor->processors; i++) {
        if (i == Self)
            continue;
        Others++;
        KiProcessorBlock(i)->IpiRequests |= KI_IPI_CALL;
        KiRequestInterrupt(KiProcessorBlock(i), KI_IPI_LEVEL);
    }
    while (KiCall.Arrived < Others)
        KiIpiWait();
    if (OldIrql < KI_IPI_LEVEL)
        KiRaiseIrql(KI_IPI_LEVEL);
    KiCall.Released = TRUE;
    Result = KiCallWorker();
    while (KiCall.Done < Others)
        KiIpiWait();
    KiCall.Busy = FALSE;
    KiLowerIrql(OldIrql);
    return Result;
}

/* ---- At DISPATCH_LEVEL --------------------------------------------------------------------------------------------- */

#define KI_SENSE 0x80000000u

/* SystemArgument1 and 2 of the caller's routine point at Running and Barrier; the words are laid out as drivers know them. */
typedef struct _KI_DPC_CALL {
    ULONG Running; /* not yet done */
    ULONG Barrier; /* not yet come to the barrier; KI_SENSE changes when it opens */
    ULONG Total;
    ULONG Stack;
    KDPC Dpc[];
} KI_DPC_CALL, *PKI_DPC_CALL;

/* One at a time: two calls would wait for each other's processors. */
static KEVENT KiDpcCallFree = {
    .Header = {.Type = EventSynchronizationObject,
               .Size = sizeof(KEVENT) / sizeof(ULONG),
               .SignalState = 1,
               .WaitListHead = {&KiDpcCallFree.Header.WaitListHead, &KiDpcCallFree.Header.WaitListHead}}};

static VOID KiDpcCallWait(PKI_DPC_CALL Call)
{
    if (!KiSpinOnce())
        KiReportNoEnd("dpc.call-without-end", 0x133, 1,
                      "a processor has not come to KeSignalCallDpcSynchronize or KeSignalCallDpcDone, and never will",
                      "KeGenericCallDpc was called at:", Call->Stack);
}

static VOID KiCallHere(PKI_DPC_CALL Call, PKDEFERRED_ROUTINE Routine, PVOID Context)
{
    VF_CALLBACK Callback = {
        .Contract = "KDEFERRED_ROUTINE",
        .What = "DPC on all processors",
        .Routine = (PVOID)Routine,
        .Object = (PVOID)Routine,
        .Stack = Call->Stack,
        .StackText = "KeGenericCallDpc was called at:",
    };

    VfEnterCallback(&Callback);
    Routine(&Call->Dpc[KiProcessor()->Number], Context, &Call->Running, &Call->Barrier);
    VfLeaveCallback(&Callback);
}

VOID KeGenericCallDpc(PKDEFERRED_ROUTINE Routine, PVOID Context)
{
    ULONG Stack = VfCaptureStack();
    PKI_DPC_CALL Call;
    KIRQL OldIrql;

    KeWaitForSingleObject(&KiDpcCallFree, Executive, KernelMode, FALSE, NULL);
    Call = ExpAllocate(sizeof(*Call) + KiDoor->processors * sizeof(KDPC), 'CcpD');
    RtlZeroMemory(Call, sizeof(*Call));
    Call->Stack = Stack;
    Call->Total = Call->Running = Call->Barrier = KiDoor->processors;
    OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    for (ULONG i = 0; i < Call->Total; i++) {
        PKDPC Dpc = &Call->Dpc[i];
        KeInitializeDpc(Dpc, Routine, Context);
        Dpc->Importance = HighImportance;
        Dpc->Number = (USHORT)(MAXIMUM_PROC_PER_GROUP + i);
        if (i != KiProcessor()->Number)
            KiQueueDpc(Dpc, KI_DPC_QUEUED, Stack, &Call->Running, &Call->Barrier);
    }
    KiCallHere(Call, Routine, Context);
    while (Call->Running)
        KiDpcCallWait(Call);
    KiLowerIrql(OldIrql);
    ExpFree(Call);
    KeSetEvent(&KiDpcCallFree, 0, FALSE);
}

VOID KeSignalCallDpcDone(PVOID SystemArgument1)
{
    PULONG Running = SystemArgument1;

    if (*Running)
        --*Running;
}

/* TRUE for one processor a round: the last to come. */
LOGICAL KeSignalCallDpcSynchronize(PVOID SystemArgument2)
{
    PKI_DPC_CALL Call = CONTAINING_RECORD(SystemArgument2, KI_DPC_CALL, Barrier);
    ULONG Sense = Call->Barrier & KI_SENSE;

    if (--Call->Barrier == Sense) {
        Call->Barrier = (Sense ^ KI_SENSE) | Call->Total;
        return TRUE;
    }
    while ((Call->Barrier & KI_SENSE) == Sense)
        KiDpcCallWait(Call);
    return FALSE;
}
