/*
 * The hardware abstraction layer: interrupts of devices, buses, DMA.
 *
 * Vectors are those of x64: the level of a vector is its upper four bits, so device interrupts have levels 3 to 11. A
 * line of the interrupt controller has one vector for good (HalpVectorOfLine); messages get vectors that no line has.
 */
#pragma once

#define HALP_FIRST_LEVEL 3
#define HALP_LAST_LEVEL 11
#define HALP_NO_LINE 0xff

/* ---- For ke ------------------------------------------------------------------------------------------------------ */

/* Virtual time of the next thing a device does by itself, (UINT64)-1 = none. */
static inline UINT64 HalNextDeviceTime(void)
{
    return KiDoor->device_due;
}

/* The clock goes on to Time: devices do what is due until then, each thing at its own time. Any level. */
VOID HalRunDevices(UINT64 Time);

/* An interrupt of Level has been let through on this processor. FALSE: no device has such a level. */
BOOLEAN HalDispatchInterrupt(KIRQL Level);

VOID HalInitializeTables(VOID); /* table.c */

/* ---- For mm ------------------------------------------------------------------------------------------------------ */

static inline BOOLEAN HalIsDeviceMemory(UINT64 Physical, UINT64 Bytes)
{
    return Physical - DOOR_DEVICE_PA < DOOR_DEVICE_BYTES && Bytes <= DOOR_DEVICE_BYTES - (Physical - DOOR_DEVICE_PA);
}

/* ---- Interrupt objects ------------------------------------------------------------------------------------------- */

struct _KINTERRUPT {
    CSHORT Type, Size;
    LIST_ENTRY Entry; /* in its vector's chain */
    PKSERVICE_ROUTINE ServiceRoutine;
    PKMESSAGE_SERVICE_ROUTINE MessageRoutine; /* in its place */
    PVOID ServiceContext;
    KSPIN_LOCK SpinLock;
    PKSPIN_LOCK ActualLock;
    ULONG Vector, MessageId;
    KIRQL Irql, SynchronizeIrql;
    BOOLEAN ShareVector, Active;
    KINTERRUPT_MODE Mode;
    ULONG Processor;
    ULONG Stack;                   /* who connected it */
    struct _HALP_PASSIVE *Passive; /* of a passive-level one */
};

/* interrupt.c. Interrupts to be connected are filled in but for Processor. */
ULONG HalpVectorOfLine(ULONG Line);
ULONG HalpLineOfVector(ULONG Vector);                              /* HALP_NO_LINE: it belongs to messages */
ULONG HalpAllocateVectors(KIRQL Level, ULONG Count, BOOLEAN Keep); /* consecutive, aligned to Count; 0 = none left */
NTSTATUS HalpConnect(PKINTERRUPT Interrupt, KAFFINITY Affinity);
VOID HalpDisconnect(PKINTERRUPT Interrupt);
VOID HalpSetActive(PKINTERRUPT Interrupt, BOOLEAN Active);
BOOLEAN HalpCallService(PKINTERRUPT Interrupt); /* at its Irql */
VOID HalpEndOfPassive(PKINTERRUPT Interrupt);   /* its routine has run: the line counts again */

/* connect.c */
#define HALP_INTERRUPT_TAG 'tnIH'
PKINTERRUPT HalpCreateInterrupt(PVOID ServiceRoutine, PVOID Context, PKSPIN_LOCK SpinLock, ULONG Vector, KIRQL Irql,
                                KIRQL SynchronizeIrql, KINTERRUPT_MODE Mode, BOOLEAN Share);
VOID HalpDeleteInterrupt(PKINTERRUPT Interrupt);

/* message.c. The first vector of a function's messages as its resources have them, at most Limit; 0 = it has its line. */
ULONG HalpAssignMessages(ULONG Slot, ULONG Limit, ULONG *Count);
BOOLEAN HalpHasMessages(ULONG Slot);
VOID HalpEnableMessage(ULONG Vector); /* the function that it is assigned to, if any, sends from now on */
NTSTATUS HalpConnectMessages(PIO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS Message, ULONG Slot, ULONG Stack);
VOID HalpDisconnectMessages(PIO_INTERRUPT_MESSAGE_INFO Table);

/* passive.c */
BOOLEAN HalpCreatePassive(PKINTERRUPT Interrupt);
VOID HalpDeletePassive(PKINTERRUPT Interrupt); /* waits until its routine runs no more */
VOID HalpWakePassive(PKINTERRUPT Interrupt);   /* any level */
VOID HalpAcquirePassive(PKINTERRUPT Interrupt);
VOID HalpReleasePassive(PKINTERRUPT Interrupt);

/* ---- PCI --------------------------------------------------------------------------------------------------------- */

ULONG HalpReadConfig(ULONG Slot, ULONG Offset, ULONG Bytes); /* 1, 2 or 4; Slot as in PCI_SLOT_NUMBER */
VOID HalpWriteConfig(ULONG Slot, ULONG Offset, ULONG Bytes, ULONG Value);
ULONG HalpFindCapability(ULONG Slot, UCHAR Id); /* offset, 0 = has none */

/* Device is, or stands for, the PCI function in Slot. */
VOID HalpBindDevice(PDEVICE_OBJECT Device, ULONG Slot);
BOOLEAN HalpSlotOf(PDEVICE_OBJECT Device, ULONG *Slot);
BOOLEAN HalpIsEmpty(ULONG Slot);
PCM_RESOURCE_LIST HalpSlotResources(ULONG Slot);
VOID HalpEnableSlot(ULONG Slot); /* decoding and bus mastering */

/* The exports, for code of the kernel (the headers say that they are imported). */
ULONG HalGetBusDataByOffset(BUS_DATA_TYPE Type, ULONG Bus, ULONG Slot, PVOID Buffer, ULONG Offset, ULONG Length);
ULONG HalSetBusDataByOffset(BUS_DATA_TYPE Type, ULONG Bus, ULONG Slot, PVOID Buffer, ULONG Offset, ULONG Length);
BOOLEAN HalTranslateBusAddress(INTERFACE_TYPE Type, ULONG Bus, PHYSICAL_ADDRESS Address, PULONG Space,
                               PPHYSICAL_ADDRESS Translated);

/* display.c: a bug check wants the screen back. */
typedef BOOLEAN NTAPI (*HAL_RESET_DISPLAY)(ULONG Columns, ULONG Rows);
VOID HalAcquireDisplay(VOID);
