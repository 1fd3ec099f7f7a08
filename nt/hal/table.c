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
