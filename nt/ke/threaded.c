/*
 * Threaded DPCs: each processor has a thread of the highest priority that runs them at PASSIVE_LEVEL, one after the other.
 * Ordinary DPCs and interrupts come in between, other threads don't. A routine must be written so that it can also run as an
 * ordinary DPC, for the user may have switched threaded ones off (KeAcquireSpinLockForDpc knows both).
 *
 * The thread is woken from the DISPATCH_LEVEL interrupt, because a DPC may be queued at any level.
 * (docs: Introduction to Threaded DPCs, KeInitializeThreadedDpc)
 */
#include "nt.h"

BOOLEAN KiThreadedDpcs = TRUE;

static VOID KiRunThreadedDpcs(PKI_PROCESSOR Processor)
{
    while (!IsListEmpty(&Processor->ThreadedDpcList)) {
        PKDPC Dpc = CONTAINING_RECORD(Processor->ThreadedDpcList.Flink, KDPC, DpcListEntry);
        KiUnqueueDpc(Processor, Dpc);
        Processor->ActiveThreadedDpc = Dpc;
        KiCallDpc(Dpc, "threaded DPC %o");
        Processor->ActiveThreadedDpc = NULL;
    }
}

static VOID KiDpcThread(PVOID Context)
{
    PKI_PROCESSOR Processor = Context;
    PKTHREAD Thread = KeGetCurrentThread();

    KeSetPriorityThread(Thread, HIGH_PRIORITY);
    KeSetAffinityThread(Thread, 1ull << Processor->Number);
    for (;;) {
        KiRunThreadedDpcs(Processor);
        KeWaitForSingleObject(&Processor->ThreadedDpcEvent, Executive, KernelMode, FALSE, NULL);
    }
}

VOID KiStartDpcThread(PKI_PROCESSOR Processor)
{
    PETHREAD Thread;

    if (!NT_SUCCESS(PspCreateSystemThread(KiDpcThread, Processor, FALSE, &Thread)))
        KiInternalError("no memory for the DPC thread of processor %u", Processor->Number);
    ObfDereferenceObject(Thread);
}

VOID KiStartDpcThreads(VOID)
{
    for (ULONG i = 0; i < KiDoor->processors; i++)
        KiStartDpcThread(KiProcessorBlock(i));
}

VOID KiWakeDpcThread(PKI_PROCESSOR Processor)
{
    KeSetEvent(&Processor->ThreadedDpcEvent, 0, FALSE);
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

VOID KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    KeInitializeDpc(Dpc, DeferredRoutine, DeferredContext);
    Dpc->Type = ThreadedDpcObject;
}
