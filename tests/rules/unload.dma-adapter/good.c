/*
 * The adapter is given back in the unload routine.
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
    Driver->DriverUnload = Unload;
    OpenAdapter();
    return STATUS_SUCCESS;
}
