/*
 * Message-signalled interrupts of PCI functions (MSI): the vectors of a function's messages, the registers that say so, and
 * connecting all of them at once. (docs: IoConnectInterruptEx, IO_INTERRUPT_MESSAGE_INFO, "Enabling Message-Signaled
 * Interrupts in the Registry")
 *
 * Vectors that are in the function's resources stay with it (HalpAssignMessages). Another function that can send messages
 * gets its vectors when it is connected. DIFFERS: on Windows that one has its line only.
 */
#include "nt.h"

#define HALP_MSI 5
#define HALP_MSI_ENABLE 1

typedef struct _HALP_MESSAGES {
    ULONG First, Count;
    BOOLEAN Forbidden;
} HALP_MESSAGES, *PHALP_MESSAGES;

static HALP_MESSAGES HalpMessages[256]; /* by slot */

/* ---- Vectors ----------------------------------------------------------------------------------------------------- */

/* How many the function can send. */
static ULONG HalpMessagesOf(ULONG Slot)
{
    ULONG Msi = HalpFindCapability(Slot, HALP_MSI);
    return Msi ? 1u << (HalpReadConfig(Slot, Msi + 2, 2) >> 1 & 7) : 0;
}

/* At the level of the function's line. */
static ULONG HalpTakeVectors(ULONG Slot, ULONG Count, BOOLEAN Keep)
{
    ULONG Line = HalpVectorOfLine(HalpReadConfig(Slot, 0x3c, 1));
    return HalpAllocateVectors((KIRQL)(Line ? Line >> 4 : HALP_FIRST_LEVEL), Count, Keep);
}

ULONG HalpAssignMessages(ULONG Slot, ULONG Limit, ULONG *Count)
{
    PHALP_MESSAGES Own = &HalpMessages[Slot & 0xff];
    ULONG Wanted = HalpMessagesOf(Slot);
    Own->Forbidden = !Limit;
    while (Wanted > Limit)
        Wanted >>= 1;
    if (Wanted && !Own->Count) {
        Own->First = HalpTakeVectors(Slot, Wanted, TRUE);
        Own->Count = Own->First ? Wanted : 0;
    }
    *Count = Wanted ? Own->Count : 0;
    return *Count ? Own->First : 0;
}

BOOLEAN HalpHasMessages(ULONG Slot)
{
    return !HalpMessages[Slot & 0xff].Forbidden && HalpMessagesOf(Slot);
}

static VOID HalpWriteMsi(ULONG Slot, ULONG Count, ULONG Vector)
{
    ULONG Msi = HalpFindCapability(Slot, HALP_MSI);
    ULONG Control = HalpReadConfig(Slot, Msi + 2, 2);
    ULONG Data = Control & 0x80 ? Msi + 12 : Msi + 8; /* behind a 64-bit address, or a 32-bit one */

    HalpWriteConfig(Slot, Msi + 4, 4, 0xfee00000);
    if (Control & 0x80)
        HalpWriteConfig(Slot, Msi + 8, 4, 0);
    HalpWriteConfig(Slot, Data, 2, Vector);
    Control = (Control & ~0x70u) | (ULONG)__builtin_ctz(Count) << 4 | HALP_MSI_ENABLE;
    HalpWriteConfig(Slot, Msi + 2, 2, Control);
}

VOID HalpEnableMessage(ULONG Vector)
{
    for (ULONG Slot = 0; Slot < RTL_NUMBER_OF(HalpMessages); Slot++)
        if (Vector - HalpMessages[Slot].First < HalpMessages[Slot].Count)
            HalpWriteMsi(Slot, HalpMessages[Slot].Count, HalpMessages[Slot].First);
}

/* ---- Connecting -------------------------------------------------------------------------------------------------- */

/* The table for Count messages, each with its interrupt object, none connected. */
static PIO_INTERRUPT_MESSAGE_INFO HalpCreateMessages(PIO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS Message,
                                                     ULONG First, ULONG Count, ULONG Stack)
{
    PIO_INTERRUPT_MESSAGE_INFO Table =
        ExpTryAllocate(FIELD_OFFSET(IO_INTERRUPT_MESSAGE_INFO, MessageInfo) + Count * sizeof(Table->MessageInfo[0]),
                       HALP_INTERRUPT_TAG);
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

NTSTATUS HalpConnectMessages(PIO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS Message, ULONG Slot, ULONG Stack)
{
    PHALP_MESSAGES Own = &HalpMessages[Slot & 0xff];
    ULONG Count = Own->Count ? Own->Count : HalpMessagesOf(Slot);
    ULONG First = Own->Count ? Own->First : HalpTakeVectors(Slot, Count, FALSE);
    PIO_INTERRUPT_MESSAGE_INFO Table = First ? HalpCreateMessages(Message, First, Count, Stack) : NULL;

    if (!Table || Table->MessageCount < Count) {
        if (Table)
            HalpDeleteMessages(Table);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (ULONG i = 0; i < Count; i++)
        if (!NT_SUCCESS(HalpConnect(Table->MessageInfo[i].InterruptObject, 1)))
            KiInternalError("a message's vector is taken");
    HalpWriteMsi(Slot, Count, First);
    *Message->ConnectionContext.InterruptMessageTable = Table;
    return STATUS_SUCCESS;
}

VOID HalpDisconnectMessages(PIO_INTERRUPT_MESSAGE_INFO Table)
{
    for (ULONG i = 0; i < Table->MessageCount; i++)
        HalpDisconnect(Table->MessageInfo[i].InterruptObject);
    HalpDeleteMessages(Table);
}
