/*
 * A DMA adapter is given back while a common buffer of it is in use.
 *
 * EXPECT: dma.adapter-in-use bad.c:@ in Unload
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
    Adapter->DmaOperations->PutDmaAdapter(Adapter); /* @ */
    Adapter = NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PHYSICAL_ADDRESS Logical;

    Driver->DriverUnload = Unload;
    OpenAdapter();
    Adapter->DmaOperations->AllocateCommonBuffer(Adapter, PAGE_SIZE, &Logical, FALSE);
    return STATUS_SUCCESS;
}
