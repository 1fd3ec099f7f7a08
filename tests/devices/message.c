/* IoConnectInterruptEx: message-signalled, line-based, fully specified and passive-level interrupts. */
#define CHECK_ON_PROCESSOR_0
#include "../kernel/check.h"
#include "card.h"

typedef struct _SEEN {
    CARD Card;
    ULONG Calls, Message[4];
    KIRQL Irql;
    BOOLEAN Apcs;
    PVOID Thread;
} SEEN;

static BOOLEAN MessageRoutine(PKINTERRUPT Interrupt, PVOID Context, ULONG MessageId)
{
    SEEN *Seen = Context;

    Seen->Calls++;
    Seen->Message[MessageId & 3]++;
    Seen->Irql = KeGetCurrentIrql();
    Seen->Card[R_STATUS] = S_ALL;
    return TRUE;
}

static BOOLEAN LineRoutine(PKINTERRUPT Interrupt, PVOID Context)
{
    SEEN *Seen = Context;
    ULONG Status = Seen->Card[R_STATUS] & S_ALL;

    Seen->Calls++;
    Seen->Irql = KeGetCurrentIrql();
    Seen->Thread = KeGetCurrentThread();
    Seen->Card[R_STATUS] = Status;
    return Status != 0;
}

/* A device object that stands for card 0, and what the bus gave it. */
static PDEVICE_OBJECT BindCard(void)
{
    PDEVICE_OBJECT Device = MakeDevice(CheckDriver);
    PCM_RESOURCE_LIST List;
    PCM_PARTIAL_RESOURCE_LIST Partial;

    CHECK_IS(HalAssignSlotResources(NULL, NULL, CheckDriver, Device, PCIBus, 0, CardSlot(0), &List), STATUS_SUCCESS);
    Partial = &List->List[0].PartialResourceList;
    CHECK_IS(Partial->Count, 2);
    CHECK_IS(Partial->PartialDescriptors[0].Type, CmResourceTypeMemory);
    CHECK_IS(Partial->PartialDescriptors[0].u.Memory.Length, PAGE_SIZE);
    CHECK_IS(Partial->PartialDescriptors[1].Type, CmResourceTypeInterrupt);
    CHECK_IS(Partial->PartialDescriptors[1].u.Interrupt.Level, CARD_LINE);
    ExFreePool(List);
    return Device;
}

static NTSTATUS ConnectMessages(PDEVICE_OBJECT Device, SEEN *Seen, PVOID *Connection, ULONG *Version)
{
    IO_CONNECT_INTERRUPT_PARAMETERS Parameters = {.Version = CONNECT_MESSAGE_BASED};
    NTSTATUS Status;

    Parameters.MessageBased.PhysicalDeviceObject = Device;
    Parameters.MessageBased.ConnectionContext.Generic = Connection;
    Parameters.MessageBased.MessageServiceRoutine = MessageRoutine;
    Parameters.MessageBased.ServiceContext = Seen;
    Parameters.MessageBased.FallBackServiceRoutine = LineRoutine;
    Status = IoConnectInterruptEx(&Parameters);
    *Version = Parameters.Version;
    return Status;
}

static void Disconnect(PVOID Connection, ULONG Version)
{
    IO_DISCONNECT_INTERRUPT_PARAMETERS Parameters = {.Version = Version};

    Parameters.ConnectionContext.Generic = Connection;
    IoDisconnectInterruptEx(&Parameters);
}

TEST(each_source_has_its_message)
{
    PDEVICE_OBJECT Device = BindCard();
    SEEN Seen = {OpenCard(0)};
    PIO_INTERRUPT_MESSAGE_INFO Table;
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'tseT');
    ULONG Version;

    CHECK_IS(ConnectMessages(Device, &Seen, (PVOID *)&Table, &Version), STATUS_SUCCESS);
    CHECK_IS(Version, CONNECT_MESSAGE_BASED);
    CHECK_IS(Table->MessageCount, 2);
    CHECK_IS(Table->MessageInfo[0].Vector + 1, Table->MessageInfo[1].Vector);
    CHECK_IS(Table->MessageInfo[0].Vector >> 4, Table->MessageInfo[0].Irql);
    CHECK(Table->UnifiedIrql > DISPATCH_LEVEL);
    Seen.Card[R_CONTROL] = C_DMA_INTERRUPT | C_COUNT_INTERRUPT;
    *(volatile ULONGLONG *)&Seen.Card[R_DESTINATION] = MmGetPhysicalAddress(Block).QuadPart;
    Seen.Card[R_LENGTH] = 64;
    Seen.Card[R_COMMAND] = M_FILL;
    Seen.Card[R_DOORBELL] = 1;
    Sleep(100 * US);
    CHECK_IS(Seen.Message[0], 1);
    CHECK_IS(Seen.Message[1], 0);
    CHECK_IS(Seen.Irql, Table->UnifiedIrql);
    Seen.Card[R_PERIOD] = 50;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(120 * US);
    CHECK_IS(Seen.Message[1], 2);
    CHECK_IS(Seen.Message[0], 1);
    Disconnect(Table, Version);
    Sleep(120 * US);
    CHECK_IS(Seen.Calls, 3);
    CloseCard(Seen.Card);
    ExFreePool(Block);
    IoDeleteDevice(Device);
}

TEST(one_lock_for_all_messages)
{
    PDEVICE_OBJECT Device = BindCard();
    SEEN Seen = {OpenCard(0)};
    PIO_INTERRUPT_MESSAGE_INFO Table;
    ULONG Version;
    KIRQL OldIrql;

    ConnectMessages(Device, &Seen, (PVOID *)&Table, &Version);
    Seen.Card[R_PERIOD] = 50;
    OldIrql = KeAcquireInterruptSpinLock(Table->MessageInfo[0].InterruptObject);
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    KeStallExecutionProcessor(70);
    CHECK_IS(Seen.Calls, 0); /* message 1 is held back by the lock of message 0 */
    KeReleaseInterruptSpinLock(Table->MessageInfo[0].InterruptObject, OldIrql);
    CHECK_IS(Seen.Calls, 1);
    Seen.Card[R_CONTROL] = 0;
    Disconnect(Table, Version);
    CloseCard(Seen.Card);
    IoDeleteDevice(Device);
}

TEST(without_messages_there_is_the_line)
{
    /* The IDE function has neither messages nor a pin. */
    PDEVICE_OBJECT Device = MakeDevice(CheckDriver), Unknown = MakeDevice(CheckDriver);
    PCM_RESOURCE_LIST List;
    PCI_SLOT_NUMBER Slot = {.u.bits.DeviceNumber = 1};
    SEEN Seen = {0};
    PVOID Connection;
    ULONG Version;

    CHECK_IS(HalAssignSlotResources(NULL, NULL, CheckDriver, Device, PCIBus, 0, Slot.u.AsULONG, &List), STATUS_SUCCESS);
    CHECK_IS(List->List[0].PartialResourceList.Count, 1);
    CHECK_IS(List->List[0].PartialResourceList.PartialDescriptors[0].Type, CmResourceTypePort);
    CHECK_IS(List->List[0].PartialResourceList.PartialDescriptors[0].u.Port.Length, 16);
    ExFreePool(List);
    CHECK_IS(ConnectMessages(Device, &Seen, &Connection, &Version), STATUS_NOT_FOUND);
    CHECK_IS(Version, CONNECT_LINE_BASED);
    CHECK_IS(ConnectMessages(Unknown, &Seen, &Connection, &Version), STATUS_NOT_FOUND);
    CHECK_IS(Version, CONNECT_MESSAGE_BASED);
    IoDeleteDevice(Device);
    IoDeleteDevice(Unknown);
}

TEST(the_line_of_a_device)
{
    PDEVICE_OBJECT Device = BindCard();
    SEEN Seen = {OpenCard(0)};
    IO_CONNECT_INTERRUPT_PARAMETERS Parameters = {.Version = CONNECT_LINE_BASED};
    PKINTERRUPT Interrupt;
    USHORT Control = 0;
    KIRQL Irql;

    CardVector(&Irql);
    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(0), &Control, 0x52, 2); /* messages were on */
    Parameters.LineBased.PhysicalDeviceObject = Device;
    Parameters.LineBased.InterruptObject = &Interrupt;
    Parameters.LineBased.ServiceRoutine = LineRoutine;
    Parameters.LineBased.ServiceContext = &Seen;
    CHECK_IS(IoConnectInterruptEx(&Parameters), STATUS_SUCCESS);
    Seen.Card[R_PERIOD] = 50;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(120 * US);
    CHECK_IS(Seen.Calls, 2);
    CHECK_IS(Seen.Irql, Irql);
    Seen.Card[R_CONTROL] = 0;
    Disconnect(Interrupt, CONNECT_LINE_BASED);
    CloseCard(Seen.Card);
    IoDeleteDevice(Device);
}

static NTSTATUS ConnectFully(SEEN *Seen, KIRQL Irql, PKINTERRUPT *Interrupt)
{
    IO_CONNECT_INTERRUPT_PARAMETERS Parameters = {.Version = CONNECT_FULLY_SPECIFIED};
    KIRQL Own;

    Parameters.FullySpecified.InterruptObject = Interrupt;
    Parameters.FullySpecified.ServiceRoutine = LineRoutine;
    Parameters.FullySpecified.ServiceContext = Seen;
    Parameters.FullySpecified.Vector = CardVector(&Own);
    Parameters.FullySpecified.Irql = Parameters.FullySpecified.SynchronizeIrql =
        Irql == PASSIVE_LEVEL ? PASSIVE_LEVEL : Own;
    Parameters.FullySpecified.InterruptMode = LevelSensitive;
    Parameters.FullySpecified.ShareVector = TRUE;
    Parameters.FullySpecified.ProcessorEnableMask = 1;
    return IoConnectInterruptEx(&Parameters);
}

TEST(an_inactive_interrupt_is_not_called)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    IO_DISCONNECT_INTERRUPT_PARAMETERS Parameters = {.Version = CONNECT_FULLY_SPECIFIED};

    CHECK_IS(ConnectFully(&Seen, HIGH_LEVEL, &Interrupt), STATUS_SUCCESS);
    Parameters.ConnectionContext.InterruptObject = Interrupt;
    IoReportInterruptInactive((PIO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS)&Parameters); /* the same shape */
    Seen.Card[R_PERIOD] = 50;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(120 * US);
    CHECK_IS(Seen.Calls, 0);
    IoReportInterruptActive((PIO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS)&Parameters);
    KeStallExecutionProcessor(1);
    CHECK_IS(Seen.Calls, 1);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterruptEx(&Parameters);
    CloseCard(Seen.Card);
}

static BOOLEAN Synchronized(PVOID Context)
{
    SEEN *Seen = Context;
    LONGLONG Before = Seen->Calls;

    CHECK_IRQL(PASSIVE_LEVEL);
    Sleep(500 * US); /* may wait, as the routine itself may */
    return Seen->Calls == Before;
}

TEST(a_passive_level_routine_runs_on_a_thread)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    KIRQL OldIrql;

    CHECK_IS(ConnectFully(&Seen, PASSIVE_LEVEL, &Interrupt), STATUS_SUCCESS);
    Seen.Card[R_PERIOD] = 50;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(120 * US);
    CHECK_IS(Seen.Calls, 2);
    CHECK_IS(Seen.Irql, PASSIVE_LEVEL);
    CHECK(Seen.Thread != KeGetCurrentThread());
    CHECK(KeSynchronizeExecution(Interrupt, Synchronized, &Seen));
    Sleep(10 * US);
    CHECK(Seen.Calls > 2);
    OldIrql = KeAcquireInterruptSpinLock(Interrupt);
    CHECK_IRQL(PASSIVE_LEVEL);
    KeReleaseInterruptSpinLock(Interrupt, OldIrql);
    Seen.Card[R_CONTROL] = 0;
    Disconnect(Interrupt, CONNECT_FULLY_SPECIFIED);
    CloseCard(Seen.Card);
}

TEST(an_unknown_version_is_told_the_known_one)
{
    IO_CONNECT_INTERRUPT_PARAMETERS Parameters = {.Version = 99};

    CHECK_IS(IoConnectInterruptEx(&Parameters), STATUS_NOT_SUPPORTED);
    CHECK_IS(Parameters.Version, CONNECT_FULLY_SPECIFIED_GROUP);
}

CHECK_DRIVER(T(each_source_has_its_message), T(one_lock_for_all_messages), T(without_messages_there_is_the_line),
             T(the_line_of_a_device), T(an_inactive_interrupt_is_not_called),
             T(a_passive_level_routine_runs_on_a_thread), T(an_unknown_version_is_told_the_known_one))
