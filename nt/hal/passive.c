/*
 * Passive-level interrupts: the service routine runs on a thread of its own, at PASSIVE_LEVEL, under a lock that is an
 * event. The line counts for nothing until the routine has returned.
 * (docs: "Supporting Passive-Level Interrupts", KeSynchronizeExecution)
 */
#include "nt.h"

typedef struct _HALP_PASSIVE {
    KEVENT Lock; /* signalled: free */
    KEVENT Wake;
    KDPC Dpc; /* sets Wake: the line may be found asserted at any level */
    PETHREAD Thread;
    BOOLEAN Stop;
} HALP_PASSIVE, *PHALP_PASSIVE;

static VOID HalpPassiveDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeSetEvent(&((PKINTERRUPT)Context)->Passive->Wake, IO_NO_INCREMENT, FALSE);
}

static VOID HalpPassiveThread(PVOID Context)
{
    PKINTERRUPT Interrupt = Context;
    PHALP_PASSIVE Passive = Interrupt->Passive;

    for (;;) {
        KeWaitForSingleObject(&Passive->Wake, Executive, KernelMode, FALSE, NULL);
        if (Passive->Stop)
            break;
        HalpAcquirePassive(Interrupt);
        HalpCallService(Interrupt);
        HalpReleasePassive(Interrupt);
        HalpEndOfPassive(Interrupt);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

BOOLEAN HalpCreatePassive(PKINTERRUPT Interrupt)
{
    PHALP_PASSIVE Passive = ExpTryAllocate(sizeof(*Passive), 'sPlH');

    if (!Passive)
        return FALSE;
    RtlZeroMemory(Passive, sizeof(*Passive));
    KeInitializeEvent(&Passive->Lock, SynchronizationEvent, TRUE);
    KeInitializeEvent(&Passive->Wake, SynchronizationEvent, FALSE);
    KeInitializeDpc(&Passive->Dpc, HalpPassiveDpc, Interrupt);
    Interrupt->Passive = Passive;
    if (NT_SUCCESS(PspCreateSystemThread(HalpPassiveThread, Interrupt, FALSE, &Passive->Thread)))
        return TRUE;
    Interrupt->Passive = NULL;
    ExpFree(Passive);
    return FALSE;
}

VOID HalpDeletePassive(PKINTERRUPT Interrupt)
{
    PHALP_PASSIVE Passive = Interrupt->Passive;

    KeRemoveQueueDpc(&Passive->Dpc);
    Passive->Stop = TRUE;
    KeSetEvent(&Passive->Wake, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(Passive->Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Passive->Thread);
    Interrupt->Passive = NULL;
    ExpFree(Passive);
}

VOID HalpWakePassive(PKINTERRUPT Interrupt)
{
    KeInsertQueueDpc(&Interrupt->Passive->Dpc, NULL, NULL);
}

VOID HalpAcquirePassive(PKINTERRUPT Interrupt)
{
    KeEnterCriticalRegion();
    KeWaitForSingleObject(&Interrupt->Passive->Lock, Executive, KernelMode, FALSE, NULL);
}

VOID HalpReleasePassive(PKINTERRUPT Interrupt)
{
    KeSetEvent(&Interrupt->Passive->Lock, IO_NO_INCREMENT, FALSE);
    KeLeaveCriticalRegion();
}
