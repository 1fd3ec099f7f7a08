/*
 * Buses as drivers ask for them: PCI configuration space, translation of addresses and interrupt lines, and which
 * device object stands for which PCI function. (docs: HalGetBusDataByOffset, HalSetBusDataByOffset,
 * HalTranslateBusAddress, HalGetInterruptVector, HalAssignSlotResources)
 *
 * There is one bus, number 0. Bus addresses are physical addresses.
 */
#include "nt.h"

#define HALP_BINDINGS 32
#define HALP_NO_DATA 2 /* what is returned for a slot that is empty */

static struct {
    PDEVICE_OBJECT Device;
    ULONG Slot;
} HalpBindings[HALP_BINDINGS];

/* ---- Configuration space ------------------------------------------------------------------------------------------
 */

static VOID HalpSelect(ULONG Slot, ULONG Offset)
{
    PCI_SLOT_NUMBER Number = {.u.AsULONG = Slot};

    KiDoor->port(0xcf8, 4, 1,
                 0x80000000 | Number.u.bits.DeviceNumber << 11 | Number.u.bits.FunctionNumber << 8 | (Offset & 0xfc));
}

/* Address and data port go together: nobody may come in between, so at least at the level of the highest device. Code
 * of the kernel is not interrupted without a delivery point, so nothing needs to be done for that here. */
ULONG HalpReadConfig(ULONG Slot, ULONG Offset, ULONG Bytes)
{
    HalpSelect(Slot, Offset);
    return KiDoor->port(0xcfc + (Offset & 3), Bytes, 0, 0);
}

VOID HalpWriteConfig(ULONG Slot, ULONG Offset, ULONG Bytes, ULONG Value)
{
    HalpSelect(Slot, Offset);
    KiDoor->port(0xcfc + (Offset & 3), Bytes, 1, Value);
}

ULONG HalpFindCapability(ULONG Slot, UCHAR Id)
{
    ULONG Offset = HalpReadConfig(Slot, 6, 2) & PCI_STATUS_CAPABILITIES_LIST ? HalpReadConfig(Slot, 0x34, 1) : 0;

    for (ULONG i = 0; Offset >= 0x40 && i < 48; i++) {
        if (HalpReadConfig(Slot, Offset, 1) == Id)
            return Offset;
        Offset = HalpReadConfig(Slot, Offset + 1, 1) & 0xfc;
    }
    return 0;
}

static ULONG HalpConfigRange(ULONG Offset, ULONG Length)
{
    if (Offset >= sizeof(PCI_COMMON_CONFIG))
        return 0;
    return Length < sizeof(PCI_COMMON_CONFIG) - Offset ? Length : sizeof(PCI_COMMON_CONFIG) - Offset;
}

BOOLEAN HalpIsEmpty(ULONG Slot)
{
    return HalpReadConfig(Slot, 0, 2) == PCI_INVALID_VENDORID;
}

/* Registers are accessed in the widest way their place allows, as they would be by a bus driver. */
static ULONG HalpWidth(ULONG Offset, ULONG Left)
{
    return !(Offset & 3) && Left >= 4 ? 4 : !(Offset & 1) && Left >= 2 ? 2 : 1;
}

ULONG HalGetBusDataByOffset(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Offset,
                            ULONG Length)
{
    ULONG Bytes = HalpConfigRange(Offset, Length);

    if (BusDataType != PCIConfiguration || BusNumber)
        return 0;
    if (HalpIsEmpty(SlotNumber)) {
        if (Offset == 0 && Length >= sizeof(USHORT))
            *(PUSHORT)Buffer = PCI_INVALID_VENDORID;
        return HALP_NO_DATA;
    }
    for (ULONG Done = 0, Width; Done < Bytes; Done += Width) {
        ULONG Value;
        Width = HalpWidth(Offset + Done, Bytes - Done);
        Value = HalpReadConfig(SlotNumber, Offset + Done, Width);
        memcpy((PUCHAR)Buffer + Done, &Value, Width);
    }
    return Bytes;
}

ULONG HalSetBusDataByOffset(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Offset,
                            ULONG Length)
{
    ULONG Bytes = HalpConfigRange(Offset, Length);

    if (BusDataType != PCIConfiguration || BusNumber || HalpIsEmpty(SlotNumber))
        return 0;
    for (ULONG Done = 0, Width; Done < Bytes; Done += Width) {
        ULONG Value = 0;
        Width = HalpWidth(Offset + Done, Bytes - Done);
        memcpy(&Value, (PUCHAR)Buffer + Done, Width);
        HalpWriteConfig(SlotNumber, Offset + Done, Width, Value);
    }
    return Bytes;
}

ULONG HalGetBusData(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Length)
{
    return HalGetBusDataByOffset(BusDataType, BusNumber, SlotNumber, Buffer, 0, Length);
}

ULONG HalSetBusData(BUS_DATA_TYPE BusDataType, ULONG BusNumber, ULONG SlotNumber, PVOID Buffer, ULONG Length)
{
    return HalSetBusDataByOffset(BusDataType, BusNumber, SlotNumber, Buffer, 0, Length);
}

/* ---- Translation --------------------------------------------------------------------------------------------------
 */

BOOLEAN HalTranslateBusAddress(INTERFACE_TYPE InterfaceType, ULONG BusNumber, PHYSICAL_ADDRESS BusAddress,
                               PULONG AddressSpace, PPHYSICAL_ADDRESS TranslatedAddress)
{
    BOOLEAN Port = *AddressSpace == 1;

    if (BusNumber ||
        (InterfaceType != Isa && InterfaceType != PCIBus && InterfaceType != Internal && InterfaceType != Eisa) ||
        (Port && BusAddress.QuadPart > 0xffff))
        return FALSE;
    *TranslatedAddress = BusAddress;
    return TRUE;
}

ULONG HalGetInterruptVector(INTERFACE_TYPE InterfaceType, ULONG BusNumber, ULONG BusInterruptLevel,
                            ULONG BusInterruptVector, PKIRQL Irql, PKAFFINITY Affinity)
{
    ULONG Vector = BusNumber ? 0 : HalpVectorOfLine(BusInterruptLevel);

    *Irql = (KIRQL)(Vector >> 4);
    *Affinity = Vector ? KeQueryActiveProcessors() : 0;
    return Vector;
}

/* ---- Device objects -----------------------------------------------------------------------------------------------
 */

VOID HalpBindDevice(PDEVICE_OBJECT Device, ULONG Slot)
{
    ULONG Free = HALP_BINDINGS;

    for (ULONG i = HALP_BINDINGS; i-- > 0;)
        if (!HalpBindings[i].Device || HalpBindings[i].Device == Device || HalpBindings[i].Slot == Slot) {
            HalpBindings[i].Device = NULL;
            Free = i;
        }
    KI_ASSERT(Free < HALP_BINDINGS); /* there are fewer functions */
    HalpBindings[Free].Device = Device;
    HalpBindings[Free].Slot = Slot;
}

BOOLEAN HalpSlotOf(PDEVICE_OBJECT Device, ULONG *Slot)
{
    for (ULONG i = 0; Device && i < HALP_BINDINGS; i++)
        if (HalpBindings[i].Device == Device) {
            *Slot = HalpBindings[i].Slot;
            return TRUE;
        }
    return FALSE;
}

/* One base address register. Wide ones take two; *Next is the register behind it. FALSE: there is nothing. */
static BOOLEAN HalpReadBar(ULONG Slot, ULONG Offset, PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource, ULONG *Next)
{
    ULONG Low = HalpReadConfig(Slot, Offset, 4), High = 0, Size;
    BOOLEAN Port = Low & 1, Wide = !Port && (Low & 6) == 4;

    *Next = Offset + (Wide ? 8 : 4);
    HalpWriteConfig(Slot, Offset, 4, 0xffffffff);
    Size = HalpReadConfig(Slot, Offset, 4) & (Port ? ~3u : ~15u);
    HalpWriteConfig(Slot, Offset, 4, Low);
    if (!Size)
        return FALSE;
    if (Wide)
        High = HalpReadConfig(Slot, Offset + 4, 4);
    Resource->Type = Port ? CmResourceTypePort : CmResourceTypeMemory;
    Resource->ShareDisposition = CmResourceShareDeviceExclusive;
    Resource->Flags = Port ? CM_RESOURCE_PORT_IO : CM_RESOURCE_MEMORY_READ_WRITE;
    Resource->u.Generic.Start.QuadPart = (LONGLONG)((UINT64)High << 32 | (Low & (Port ? ~3u : ~15u)));
    Resource->u.Generic.Length = Port ? (~Size & 0xffff) + 1 : ~Size + 1;
    return TRUE;
}

static VOID HalpLineResource(ULONG Line, PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource)
{
    Resource->Type = CmResourceTypeInterrupt;
    Resource->ShareDisposition = CmResourceShareShared;
    Resource->Flags = CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE;
    Resource->u.Interrupt.Level = Line;
    Resource->u.Interrupt.Vector = Line;
    Resource->u.Interrupt.Affinity = KeQueryActiveProcessors();
}

/* The raw resources of a function as the firmware has assigned them; NULL = no memory. ExFreePool it. */
PCM_RESOURCE_LIST HalpSlotResources(ULONG Slot)
{
    ULONG Most = PCI_TYPE0_ADDRESSES + 1 + 8; /* the caller may add some */
    PCM_RESOURCE_LIST List;
    PCM_PARTIAL_RESOURCE_LIST Partial;

    List = ExAllocatePoolWithTag(PagedPool, sizeof(*List) + Most * sizeof(Partial->PartialDescriptors[0]), 'sRlH');
    if (!List)
        return NULL;
    List->Count = 1;
    List->List[0].InterfaceType = PCIBus;
    List->List[0].BusNumber = 0;
    Partial = &List->List[0].PartialResourceList;
    Partial->Version = Partial->Revision = 1;
    Partial->Count = 0;
    for (ULONG Offset = 0x10; Offset < 0x28;)
        if (HalpReadBar(Slot, Offset, &Partial->PartialDescriptors[Partial->Count], &Offset))
            Partial->Count++;
    if (HalpReadConfig(Slot, 0x3d, 1))
        HalpLineResource(HalpReadConfig(Slot, 0x3c, 1), &Partial->PartialDescriptors[Partial->Count++]);
    return List;
}

VOID HalpEnableSlot(ULONG Slot)
{
    ULONG Command = HalpReadConfig(Slot, 4, 2);

    HalpWriteConfig(Slot, 4, 2, Command | PCI_ENABLE_IO_SPACE | PCI_ENABLE_MEMORY_SPACE | PCI_ENABLE_BUS_MASTER);
}

/* docs: HalAssignSlotResources. Switches the device on; the list, of raw resources, is the caller's to free. */
NTSTATUS HalAssignSlotResources(PUNICODE_STRING RegistryPath, PUNICODE_STRING DriverClassName,
                                PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT DeviceObject, INTERFACE_TYPE BusType,
                                ULONG BusNumber, ULONG SlotNumber, PCM_RESOURCE_LIST *AllocatedResources)
{
    PCM_RESOURCE_LIST List;

    *AllocatedResources = NULL;
    if (BusType != PCIBus || BusNumber || HalpIsEmpty(SlotNumber))
        return STATUS_NO_SUCH_DEVICE;
    List = HalpSlotResources(SlotNumber);
    if (!List)
        return STATUS_INSUFFICIENT_RESOURCES;
    HalpEnableSlot(SlotNumber);
    if (DeviceObject)
        HalpBindDevice(DeviceObject, SlotNumber);
    *AllocatedResources = List;
    return STATUS_SUCCESS;
}
