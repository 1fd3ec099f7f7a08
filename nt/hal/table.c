/*
 * HalDispatchTable: routines that drivers call, or look at, through pointers. It lies in writable memory, as on Windows.
 * Entries for what exists here are its checked routine; the others name themselves when they are called.
 * (docs: HalExamineMBR, pHalQuerySystemInformation, HAL_QUERY_INFORMATION_CLASS)
 */
#include "nt.h"
#include "io/disk.h"

/* The headers make these names stand for the table's entries. */
#undef HalQuerySystemInformation
#undef HalSetSystemInformation
#undef HalGetDmaAdapter
#undef HalGetCachedAcpiTable

HAL_DISPATCH HalDispatchTable;
static NTSTATUS HalpGive(PVOID Buffer, ULONG Bytes, PULONG Returned, const VOID *Answer, ULONG Size)
{
    *Returned = Size;
    if (Bytes < Size)
        return STATUS_INFO_LENGTH_MISMATCH;
    RtlCopyMemory(Buffer, Answer, Size);
    return STATUS_SUCCESS;
}

/* PCI's configuration mechanism 1. What firmware wants there it may have. */
static NTSTATUS NTAPI HalpConfigurationPorts(BOOLEAN Read, ULONG Address, ULONG Bytes, PULONG Data)
{
    PVOID Port = (PVOID)(ULONG_PTR)Address;

    if (Address < 0xcf8 || Address + Bytes > 0xd00 || (Bytes != 1 && Bytes != 2 && Bytes != 4))
        return STATUS_UNSUCCESSFUL;
    if (Bytes == 4 && Read)
        *Data = READ_PORT_ULONG(Port);
    else if (Bytes == 4)
        WRITE_PORT_ULONG(Port, *Data);
    else if (Bytes == 2 && Read)
        *Data = READ_PORT_USHORT(Port);
    else if (Bytes == 2)
        WRITE_PORT_USHORT(Port, (USHORT)*Data);
    else if (Read)
        *Data = READ_PORT_UCHAR(Port);
    else
        WRITE_PORT_UCHAR(Port, (UCHAR)*Data);
    return STATUS_SUCCESS;
}

/* The ports that firmware's own code does not reach, since Windows XP: always (trigger 0), or unless it is older than that (1). */
static const HAL_AMLI_BAD_IO_ADDRESS_LIST HalpKeptPorts[] = {
    {0x000, 0x10, 1, NULL}, {0x020, 0x02, 0, NULL}, {0x040, 0x04, 1, NULL},
    {0x048, 0x04, 1, NULL}, {0x070, 0x02, 1, NULL}, {0x074, 0x03, 1, NULL},
    {0x081, 0x03, 1, NULL}, {0x087, 0x01, 1, NULL}, {0x089, 0x01, 1, NULL},
    {0x08a, 0x02, 1, NULL}, {0x08f, 0x01, 1, NULL}, {0x090, 0x02, 1, NULL},
    {0x093, 0x02, 1, NULL}, {0x096, 0x02, 1, NULL}, {0x0a0, 0x02, 0, NULL},
    {0x0c0, 0x20, 1, NULL}, {0x4d0, 0x02, 0, NULL}, {0xcf8, 0x08, 1, HalpConfigurationPorts},
    {0, 0, 0, NULL},
};

static NTSTATUS NTAPI HalpQuerySystemInformation(HAL_QUERY_INFORMATION_CLASS Class, ULONG Bytes, PVOID Buffer,
                                                 PULONG Returned)
{
    HAL_BUS_INFORMATION Bus = {.BusType = PCIBus, .ConfigurationType = PCIConfiguration};
    ULONG MHz = DOOR_CYCLES * 10;

    *Returned = 0;
    switch (Class) {
    case HalInstalledBusInformation:
        return HalpGive(Buffer, Bytes, Returned, &Bus, sizeof(Bus));
    case HalProcessorSpeedInformation:
        return HalpGive(Buffer, Bytes, Returned, &MHz, sizeof(MHz));
    case HalQueryAMLIIllegalIOPortAddresses:
        return HalpGive(Buffer, Bytes, Returned, HalpKeptPorts, sizeof(HalpKeptPorts));
    default:
        return STATUS_INVALID_LEVEL;
    }
}

static NTSTATUS NTAPI HalpSetSystemInformation(HAL_SET_INFORMATION_CLASS Class, ULONG Bytes, PVOID Buffer)
{
    return STATUS_INVALID_LEVEL;
}

static struct _DMA_ADAPTER *NTAPI HalpGetDmaAdapter(PVOID Context, struct _DEVICE_DESCRIPTION *Description,
                                                    PULONG Registers)
{
    return IoGetDmaAdapter(Context, Description, Registers);
}

/* There are no ACPI tables. */
static PVOID NTAPI HalpGetAcpiTable(ULONG Signature, PCSTR OemId, PCSTR OemTableId)
{
    return NULL;
}

VOID HalInitializeTables(VOID)
{
    static const PCSTR Names[] = {
        "Version",
        "HalQuerySystemInformation",
        "HalSetSystemInformation",
        "HalQueryBusSlots",
        "Spare1",
        "HalExamineMBR",
        "HalIoAssignDriveLetters",
        "HalIoReadPartitionTable",
        "HalIoSetPartitionInformation",
        "HalIoWritePartitionTable",
        "HalReferenceHandlerForBus",
        "HalReferenceBusHandler",
        "HalDereferenceBusHandler",
        "HalInitPnpDriver",
        "HalInitPowerManagement",
        "HalGetDmaAdapter",
        "HalGetInterruptTranslator",
        "HalStartMirroring",
        "HalEndMirroring",
        "HalMirrorPhysicalMemory",
        "HalEndOfBoot",
        "HalMirrorVerify",
        "HalGetCachedAcpiTable",
        "HalSetPciErrorHandlerCallback",
    };
    CHAR Name[64];

    C_ASSERT(sizeof(Names) == sizeof(HalDispatchTable));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Names); i++) {
        RtlpFormat(Name, sizeof(Name), "HalDispatchTable.%s", Names[i]);
        ((UINT64 *)&HalDispatchTable)[i] = VfBindAbsent("ntoskrnl.exe", Name);
    }
    HalDispatchTable.Spare1 = 0;
    HalDispatchTable.Version = HAL_DISPATCH_VERSION + 1; /* with the entry for PCI errors */
#define ENTRY(Field, Contract, Routine) HalDispatchTable.Field = (PVOID)VfBindRoutine(Contract, (UINT64)(Routine))
    ENTRY(HalQuerySystemInformation, "", HalpQuerySystemInformation);
    ENTRY(HalSetSystemInformation, "", HalpSetSystemInformation);
    ENTRY(HalExamineMBR, "", IopExamineMbr);
    ENTRY(HalIoReadPartitionTable, "IoReadPartitionTable", IoReadPartitionTable);
    ENTRY(HalIoSetPartitionInformation, "IoSetPartitionInformation", IoSetPartitionInformation);
    ENTRY(HalIoWritePartitionTable, "IoWritePartitionTable", IoWritePartitionTable);
    ENTRY(HalGetDmaAdapter, "IoGetDmaAdapter", HalpGetDmaAdapter);
    ENTRY(HalGetCachedAcpiTable, "", HalpGetAcpiTable);
#undef ENTRY
}
