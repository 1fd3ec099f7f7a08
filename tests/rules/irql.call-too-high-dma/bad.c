/*
 * The routines of an adapter's table have levels like any other: common buffers are allocated at PASSIVE_LEVEL.
 *
 * EXPECT: irql.call-too-high bad.c:@ in DriverEntry
 */
#include "../../devices/card.h"

static PDMA_ADAPTER Adapter;

static VOID OpenAdapter(VOID)
{
    DEVICE_DESCRIPTION Description = {.Version = DEVICE_DESCRIPTION_VERSION,
                                      .Master = TRUE,
                                      .ScatterGather = TRUE,
                                      .Dma32BitAddresses = TRUE,
                                      .InterfaceType = PCIBus,
                                      .MaximumLength = PAGE_SIZE};
    ULONG Registers;

    Adapter = IoGetDmaAdapter(NULL, &Description, &Registers);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    Adapter->DmaOperations->PutDmaAdapter(Adapter);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PHYSICAL_ADDRESS Logical;
    KIRQL OldIrql;

    Driver->DriverUnload = Unload;
    OpenAdapter();
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    Adapter->DmaOperations->AllocateCommonBuffer(Adapter, PAGE_SIZE, &Logical, FALSE); /* @ */
    KeLowerIrql(OldIrql);
    return STATUS_SUCCESS;
}
