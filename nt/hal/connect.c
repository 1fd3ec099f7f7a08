/*
 * Connecting service routines, and running code that excludes them.
 * (docs: IoConnectInterrupt, IoConnectInterruptEx, IoDisconnectInterruptEx, IoReportInterruptActive,
 * KeSynchronizeExecution, KeAcquireInterruptSpinLock)
 *
 * IoConnectInterruptEx finds the interrupts of a device object by the PCI function it was bound to (HalpBindDevice).
 * For a device that has no message-signalled interrupts it falls back on the line, as documented.
 */
#include "nt.h"

PKINTERRUPT HalpCreateInterrupt(PVOID ServiceRoutine, PVOID Context, PKSPIN_LOCK SpinLock, ULONG Vector, KIRQL Irql,
                                KIRQL SynchronizeIrql, KINTERRUPT_MODE Mode, BOOLEAN Share)
{
    PKINTERRUPT Interrupt = ExpTryAllocate(sizeof(*Interrupt), HALP_INTERRUPT_TAG);

    if (!Interrupt)
        return NULL;
    RtlZeroMemory(Interrupt, sizeof(*Interrupt));
    Interrupt->Type = 22; /* InterruptObject */
    Interrupt->Size = sizeof(*Interrupt);
    Interrupt->ServiceRoutine = ServiceRoutine;
    Interrupt->ServiceContext = Context;
    Interrupt->ActualLock = SpinLock ? SpinLock : &Interrupt->SpinLock;
    Interrupt->Vector = Vector;
    Interrupt->Irql = Irql;
    Interrupt->SynchronizeIrql = SynchronizeIrql;
    Interrupt->Mode = Mode;
    Interrupt->ShareVector = Share;
    return Interrupt;
}

VOID HalpDeleteInterrupt(PKINTERRUPT Interrupt)
{
    if (Interrupt->Passive)
        HalpDeletePassive(Interrupt);
    ExpFree(Interrupt);
}

static NTSTATUS HalpConnectLine(PKINTERRUPT *Result, PVOID ServiceRoutine, PVOID Context, PKSPIN_LOCK SpinLock,
                                ULONG Vector, KIRQL Irql, KIRQL SynchronizeIrql, KINTERRUPT_MODE Mode, BOOLEAN Share,
                                KAFFINITY Affinity, ULONG Stack)
{
    PKINTERRUPT Interrupt =
        HalpCreateInterrupt(ServiceRoutine, Context, SpinLock, Vector, Irql, SynchronizeIrql, Mode, Share);
    NTSTATUS Status = STATUS_INSUFFICIENT_RESOURCES;

    *Result = NULL;
    if (!Interrupt)
        return STATUS_INSUFFICIENT_RESOURCES;
    Interrupt->Stack = Stack;
    if (!ServiceRoutine)
        Status = STATUS_INVALID_PARAMETER;
    else if (Irql != PASSIVE_LEVEL || HalpCreatePassive(Interrupt))
        Status = HalpConnect(Interrupt, Affinity);
    if (NT_SUCCESS(Status)) {
        *Result = Interrupt;
        HalpEnableMessage(Vector);
    } else
        HalpDeleteInterrupt(Interrupt);
    return Status;
}

NTSTATUS IoConnectInterrupt(PKINTERRUPT *InterruptObject, PKSERVICE_ROUTINE ServiceRoutine, PVOID ServiceContext,
                            PKSPIN_LOCK SpinLock, ULONG Vector, KIRQL Irql, KIRQL SynchronizeIrql,
                            KINTERRUPT_MODE InterruptMode, BOOLEAN ShareVector, KAFFINITY ProcessorEnableMask,
                            BOOLEAN FloatingSave)
{
    return HalpConnectLine(InterruptObject, (PVOID)ServiceRoutine, ServiceContext, SpinLock, Vector, Irql,
                           SynchronizeIrql, InterruptMode, ShareVector, ProcessorEnableMask, VfCaptureStack());
}

VOID IoDisconnectInterrupt(PKINTERRUPT InterruptObject)
{
    HalpDisconnect(InterruptObject);
    HalpDeleteInterrupt(InterruptObject);
}

/* ---- By device --------------------------------------------------------------------------------------------------- */

static NTSTATUS HalpConnectDeviceLine(PIO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS Line, ULONG Stack)
{
    ULONG Slot, Number, Vector;
    KIRQL Irql;

    if (!HalpSlotOf(Line->PhysicalDeviceObject, &Slot) || !HalpReadConfig(Slot, 0x3d, 1))
        return STATUS_NOT_FOUND;
    Number = HalpReadConfig(Slot, 0x3c, 1);
    Vector = HalpVectorOfLine(Number);
    if (!Vector)
        return STATUS_NOT_FOUND;
    Irql = (KIRQL)(Vector >> 4);
    /* docs: with a spin lock the caller says the level, else it is the interrupt's own. */
    return HalpConnectLine(Line->InterruptObject, (PVOID)Line->ServiceRoutine, Line->ServiceContext, Line->SpinLock,
                           Vector, Irql, Line->SynchronizeIrql > Irql ? Line->SynchronizeIrql : Irql, LevelSensitive,
                           TRUE, KeQueryActiveProcessors(), Stack);
}

static NTSTATUS HalpConnectMessageBased(PIO_CONNECT_INTERRUPT_PARAMETERS Parameters, ULONG Stack)
{
    PIO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS Message = &Parameters->MessageBased;
    IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS Line = {0};
    ULONG Slot;

    if (!HalpSlotOf(Message->PhysicalDeviceObject, &Slot))
        return STATUS_NOT_FOUND;
    if (HalpHasMessages(Slot))
        return HalpConnectMessages(Message, Slot, Stack);
    if (!Message->FallBackServiceRoutine)
        return STATUS_NOT_FOUND;
    Line.PhysicalDeviceObject = Message->PhysicalDeviceObject;
    Line.InterruptObject = Message->ConnectionContext.InterruptObject;
    Line.ServiceRoutine = Message->FallBackServiceRoutine;
    Line.ServiceContext = Message->ServiceContext;
    Line.SpinLock = Message->SpinLock;
    Line.SynchronizeIrql = Message->SynchronizeIrql;
    Parameters->Version = CONNECT_LINE_BASED; /* so that the driver knows what it got */
    return HalpConnectDeviceLine(&Line, Stack);
}

NTSTATUS IoConnectInterruptEx(PIO_CONNECT_INTERRUPT_PARAMETERS Parameters)
{
    PIO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS Full = &Parameters->FullySpecified;
    ULONG Stack = VfCaptureStack();

    switch (Parameters->Version) {
    case CONNECT_FULLY_SPECIFIED:
    case CONNECT_FULLY_SPECIFIED_GROUP:
        if (Parameters->Version == CONNECT_FULLY_SPECIFIED_GROUP && Full->Group)
            return STATUS_INVALID_PARAMETER;
        return HalpConnectLine(Full->InterruptObject, (PVOID)Full->ServiceRoutine, Full->ServiceContext, Full->SpinLock,
                               Full->Vector, Full->Irql, Full->SynchronizeIrql, Full->InterruptMode, Full->ShareVector,
                               Full->ProcessorEnableMask, Stack);
    case CONNECT_LINE_BASED:
        return HalpConnectDeviceLine(&Parameters->LineBased, Stack);
    case CONNECT_MESSAGE_BASED:
        return HalpConnectMessageBased(Parameters, Stack);
    default:
        Parameters->Version = CONNECT_FULLY_SPECIFIED_GROUP; /* docs: the highest one known here */
        return STATUS_NOT_SUPPORTED;
    }
}

VOID IoDisconnectInterruptEx(PIO_DISCONNECT_INTERRUPT_PARAMETERS Parameters)
{
    if (Parameters->Version == CONNECT_MESSAGE_BASED)
        HalpDisconnectMessages(Parameters->ConnectionContext.InterruptMessageTable);
    else
        IoDisconnectInterrupt(Parameters->ConnectionContext.InterruptObject);
}

static VOID HalpReport(PIO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS Parameters, BOOLEAN Active)
{
    PIO_INTERRUPT_MESSAGE_INFO Table = Parameters->ConnectionContext.InterruptMessageTable;

    if (Parameters->Version != CONNECT_MESSAGE_BASED) {
        HalpSetActive(Parameters->ConnectionContext.InterruptObject, Active);
        return;
    }
    for (ULONG i = 0; i < Table->MessageCount; i++)
        HalpSetActive(Table->MessageInfo[i].InterruptObject, Active);
}

VOID IoReportInterruptActive(PIO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS Parameters)
{
    HalpReport(Parameters, TRUE);
}

VOID IoReportInterruptInactive(PIO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS Parameters)
{
    HalpReport(Parameters, FALSE);
}

/* ---- Excluding the service routine ------------------------------------------------------------------------------- */

/* The row knows device levels in general; which one is too high depends on the object. */
static VOID HalpCheckLevel(PKINTERRUPT Interrupt, PCSTR Routine)
{
    KIRQL Irql = KiReadCr8();

    if (Irql <= Interrupt->SynchronizeIrql)
        return;
    VfFinding("irql.call-too-high", 0x0A, (UINT64)Interrupt, Irql, 8, 0);
    VfSubject(Routine);
    VfText("%s called at %s, above the interrupt's own %s", Routine, VfLevelName(Irql),
           VfLevelName(Interrupt->SynchronizeIrql));
    VfNoteCaller(NULL);
    VfNoteLevel();
    VfNote(DOOR_NOTE_OBJECT, Interrupt->Stack, Interrupt, NULL, "The interrupt was connected at:");
    VfCommit();
}

static KIRQL HalpAcquire(PKINTERRUPT Interrupt, PCSTR Routine, PVOID Site)
{
    KIRQL OldIrql = KiReadCr8();

    HalpCheckLevel(Interrupt, Routine);
    if (Interrupt->Passive) {
        HalpAcquirePassive(Interrupt);
        return OldIrql;
    }
    if (OldIrql < Interrupt->SynchronizeIrql) {
        KiRaiseIrql(Interrupt->SynchronizeIrql);
        KiNoteRaise(OldIrql, Interrupt->SynchronizeIrql, KiCauseSpinLock, Site, Interrupt->ActualLock);
    }
    KeAcquireSpinLockAtDpcLevel(Interrupt->ActualLock);
    return OldIrql;
}

static VOID HalpRelease(PKINTERRUPT Interrupt, KIRQL OldIrql)
{
    if (Interrupt->Passive) {
        HalpReleasePassive(Interrupt);
        return;
    }
    KeReleaseSpinLockFromDpcLevel(Interrupt->ActualLock);
    KiLowerIrql(OldIrql);
}

KIRQL KeAcquireInterruptSpinLock(PKINTERRUPT Interrupt)
{
    return HalpAcquire(Interrupt, "KeAcquireInterruptSpinLock", __builtin_return_address(0));
}

VOID KeReleaseInterruptSpinLock(PKINTERRUPT Interrupt, KIRQL OldIrql)
{
    HalpRelease(Interrupt, OldIrql);
}

BOOLEAN KeSynchronizeExecution(PKINTERRUPT Interrupt, PKSYNCHRONIZE_ROUTINE SynchronizeRoutine,
                               PVOID SynchronizeContext)
{
    KIRQL OldIrql = HalpAcquire(Interrupt, "KeSynchronizeExecution", __builtin_return_address(0));
    VF_CALLBACK Callback = {0};
    BOOLEAN Result;

    Callback.Contract = "KSYNCHRONIZE_ROUTINE";
    Callback.What = "routine synchronized with interrupt %o";
    Callback.StackText = "KeSynchronizeExecution was called at:";
    Callback.Routine = (PVOID)SynchronizeRoutine;
    Callback.Object = Interrupt;
    Callback.Stack = VfCaptureStack();
    VfEnterCallback(&Callback);
    Result = SynchronizeRoutine(SynchronizeContext);
    VfLeaveCallback(&Callback);
    HalpRelease(Interrupt, OldIrql);
    return Result;
}

NTSTATUS IoGetAffinityInterrupt(PKINTERRUPT InterruptObject, PGROUP_AFFINITY GroupAffinity)
{
    RtlZeroMemory(GroupAffinity, sizeof(*GroupAffinity));
    GroupAffinity->Mask = (KAFFINITY)1 << InterruptObject->Processor;
    return STATUS_SUCCESS;
}
