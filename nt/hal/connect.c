/*
 * Connecting service routines, and running code that excludes them.
 * (docs: IoConnectInterrupt, IoConnectInterruptEx, IoDisconnectInterruptEx, IoReportInterruptActive,
 * KeSynchronizeExecution, KeAcquireInterruptSpinLock)
 *
 * IoConnectInterruptEx finds the interrupts of a device object by the PCI function it was bound to (HalpBindDevice).
 * For a device that has no message-signalled interrupts it falls back on the line, as documented.
 */
#include "nt.h"

#define HALP_TAG 'tnIH'
#define HALP_MSI 5
#define HALP_MSI_ENABLE 1

static PKINTERRUPT HalpCreateInterrupt(PVOID ServiceRoutine, PVOID Context, PKSPIN_LOCK SpinLock, ULONG Vector,
                                       KIRQL Irql, KIRQL SynchronizeIrql, KINTERRUPT_MODE Mode, BOOLEAN Share)
{
    PKINTERRUPT Interrupt = ExpTryAllocate(sizeof(*Interrupt), HALP_TAG);

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

static VOID HalpDeleteInterrupt(PKINTERRUPT Interrupt)
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
    if (NT_SUCCESS(Status))
        *Result = Interrupt;
    else
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

/* The table for Count messages, each with its interrupt object, none connected. */
static PIO_INTERRUPT_MESSAGE_INFO HalpCreateMessages(PIO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS Message,
                                                     ULONG First, ULONG Count, ULONG Stack)
{
    PIO_INTERRUPT_MESSAGE_INFO Table = ExpTryAllocate(
        FIELD_OFFSET(IO_INTERRUPT_MESSAGE_INFO, MessageInfo) + Count * sizeof(Table->MessageInfo[0]), HALP_TAG);
    KIRQL Irql = (KIRQL)(First >> 4);
    KIRQL Synchronize = Message->SynchronizeIrql > Irql ? Message->SynchronizeIrql : Irql;

    if (!Table)
        return NULL;
    Table->UnifiedIrql = Synchronize;
    for (Table->MessageCount = 0; Table->MessageCount < Count; Table->MessageCount++) {
        PIO_INTERRUPT_MESSAGE_INFO_ENTRY Entry = &Table->MessageInfo[Table->MessageCount];
        PKINTERRUPT Interrupt = HalpCreateInterrupt(NULL, Message->ServiceContext, Message->SpinLock,
                                                    First + Table->MessageCount, Irql, Synchronize, Latched, FALSE);
        if (!Interrupt)
            break;
        Interrupt->MessageRoutine = Message->MessageServiceRoutine;
        Interrupt->MessageId = Table->MessageCount;
        Interrupt->Stack = Stack;
        /* One lock for all of a device's messages unless the driver says which. */
        if (!Message->SpinLock && Table->MessageCount)
            Interrupt->ActualLock = Table->MessageInfo[0].InterruptObject->ActualLock;
        Entry->InterruptObject = Interrupt;
        Entry->MessageAddress.QuadPart = 0xfee00000;
        Entry->MessageData = Entry->Vector = Interrupt->Vector;
        Entry->TargetProcessorSet = 1;
        Entry->Irql = Irql;
        Entry->Mode = Latched;
        Entry->Polarity = InterruptActiveHigh;
    }
    return Table;
}

static VOID HalpDeleteMessages(PIO_INTERRUPT_MESSAGE_INFO Table)
{
    for (ULONG i = 0; i < Table->MessageCount; i++)
        HalpDeleteInterrupt(Table->MessageInfo[i].InterruptObject);
    ExpFree(Table);
}

static VOID HalpWriteMsi(ULONG Slot, ULONG Msi, ULONG Count, ULONG Vector)
{
    ULONG Control = HalpReadConfig(Slot, Msi + 2, 2);
    ULONG Data = Control & 0x80 ? Msi + 12 : Msi + 8; /* behind a 64-bit address, or a 32-bit one */

    HalpWriteConfig(Slot, Msi + 4, 4, 0xfee00000);
    if (Control & 0x80)
        HalpWriteConfig(Slot, Msi + 8, 4, 0);
    HalpWriteConfig(Slot, Data, 2, Vector);
    Control = (Control & ~0x70u) | (ULONG)__builtin_ctz(Count) << 4 | HALP_MSI_ENABLE;
    HalpWriteConfig(Slot, Msi + 2, 2, Control);
}

static NTSTATUS HalpConnectMessages(PIO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS Message, ULONG Slot, ULONG Msi,
                                    ULONG Stack)
{
    ULONG Count = 1u << (HalpReadConfig(Slot, Msi + 2, 2) >> 1 & 7);
    ULONG Line = HalpVectorOfLine(HalpReadConfig(Slot, 0x3c, 1));
    ULONG First = HalpAllocateVectors((KIRQL)(Line ? Line >> 4 : HALP_FIRST_LEVEL), Count);
    PIO_INTERRUPT_MESSAGE_INFO Table = First ? HalpCreateMessages(Message, First, Count, Stack) : NULL;

    if (!Table || Table->MessageCount < Count) {
        if (Table)
            HalpDeleteMessages(Table);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (ULONG i = 0; i < Count; i++)
        if (!NT_SUCCESS(HalpConnect(Table->MessageInfo[i].InterruptObject, 1)))
            KiInternalError("a message's vector is taken");
    HalpWriteMsi(Slot, Msi, Count, First);
    *Message->ConnectionContext.InterruptMessageTable = Table;
    return STATUS_SUCCESS;
}

static NTSTATUS HalpConnectMessageBased(PIO_CONNECT_INTERRUPT_PARAMETERS Parameters, ULONG Stack)
{
    PIO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS Message = &Parameters->MessageBased;
    IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS Line = {0};
    ULONG Slot, Msi;

    if (!HalpSlotOf(Message->PhysicalDeviceObject, &Slot))
        return STATUS_NOT_FOUND;
    if ((Msi = HalpFindCapability(Slot, HALP_MSI)) != 0)
        return HalpConnectMessages(Message, Slot, Msi, Stack);
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

static VOID HalpDisconnectMessages(PIO_INTERRUPT_MESSAGE_INFO Table)
{
    for (ULONG i = 0; i < Table->MessageCount; i++)
        HalpDisconnect(Table->MessageInfo[i].InterruptObject);
    HalpDeleteMessages(Table);
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
