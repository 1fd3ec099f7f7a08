/*
 * The machine's test card (docs/devices.md) as the drivers of this folder see it.
 */
#pragma once

#include <ntddk.h>

/* Declared by <ntddk.h> where <wdm.h> was not included before; Debian's includes it always. */
NTHALAPI ULONG NTAPI HalGetBusData(BUS_DATA_TYPE Type, ULONG Bus, ULONG Slot, PVOID Buffer, ULONG Length);
NTHALAPI ULONG NTAPI HalGetBusDataByOffset(BUS_DATA_TYPE Type, ULONG Bus, ULONG Slot, PVOID Buffer, ULONG Offset,
                                           ULONG Length);
NTHALAPI ULONG NTAPI HalSetBusDataByOffset(BUS_DATA_TYPE Type, ULONG Bus, ULONG Slot, PVOID Buffer, ULONG Offset,
                                           ULONG Length);
NTHALAPI ULONG NTAPI HalGetInterruptVector(INTERFACE_TYPE Type, ULONG Bus, ULONG Level, ULONG Vector, PKIRQL Irql,
                                           PKAFFINITY Affinity);
NTHALAPI BOOLEAN NTAPI HalTranslateBusAddress(INTERFACE_TYPE Type, ULONG Bus, PHYSICAL_ADDRESS Address, PULONG Space,
                                              PPHYSICAL_ADDRESS Translated);
NTHALAPI NTSTATUS NTAPI HalAssignSlotResources(PUNICODE_STRING Path, PUNICODE_STRING Class, PDRIVER_OBJECT Driver,
                                               PDEVICE_OBJECT Device, INTERFACE_TYPE Type, ULONG Bus, ULONG Slot,
                                               PCM_RESOURCE_LIST *Resources);

#define CARD_VENDOR 0x494c
#define CARD_DEVICE 0x0001
#define CARD_LINE 11

/* Registers, in ULONGs. */
enum {
    R_ID = 0,
    R_CONTROL = 1,
    R_STATUS = 2,
    R_TICKS = 3,
    R_PERIOD = 4,
    R_SCRATCH = 5,
    R_SOURCE = 6,
    R_DESTINATION = 8,
    R_LENGTH = 10,
    R_COMMAND = 11,
    R_DOORBELL = 12,
    R_RESULT = 13,
    R_FIFO = 14,
    R_PLAIN = 16
};
enum { C_DMA_INTERRUPT = 1, C_COUNT = 2, C_COUNT_INTERRUPT = 4 };
#define C_RESET 0x80000000u
enum { S_DMA = 1, S_DMA_FAILED = 2, S_TICK = 4, S_ALL = 7 };
#define S_BUSY 0x80000000u
enum { M_COPY, M_FILL, M_SUM };

typedef volatile ULONG *CARD;

static inline ULONG CardSlot(ULONG Number)
{
    PCI_SLOT_NUMBER Slot = {.u.bits.DeviceNumber = 2 + Number};
    return Slot.u.AsULONG;
}

static __attribute__((unused)) CARD OpenCard(ULONG Number)
{
    ULONG Bar[2];
    USHORT Command = PCI_ENABLE_MEMORY_SPACE | PCI_ENABLE_BUS_MASTER;
    PHYSICAL_ADDRESS Base;
    CARD Card;

    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(Number), &Command, 4, sizeof(Command));
    HalGetBusDataByOffset(PCIConfiguration, 0, CardSlot(Number), Bar, 0x10, sizeof(Bar));
    Base.QuadPart = (LONGLONG)((ULONGLONG)Bar[1] << 32 | (Bar[0] & ~15u));
    Card = MmMapIoSpace(Base, PAGE_SIZE, MmNonCached);
    Card[R_CONTROL] = C_RESET;
    return Card;
}

static __attribute__((unused)) void CloseCard(CARD Card)
{
    Card[R_CONTROL] = C_RESET;
    MmUnmapIoSpace((PVOID)Card, PAGE_SIZE);
}

static __attribute__((unused)) PDEVICE_OBJECT MakeDevice(PDRIVER_OBJECT Driver)
{
    PDEVICE_OBJECT Device = NULL;

    IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    return Device;
}

static __attribute__((unused)) ULONG CardVector(PKIRQL Irql)
{
    KAFFINITY Affinity;
    return HalGetInterruptVector(PCIBus, 0, CARD_LINE, CARD_LINE, Irql, &Affinity);
}
