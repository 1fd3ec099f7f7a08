/*
 * A DMA adapter is not given back before its driver is unloaded.
 *
 * EXPECT: unload.dma-adapter .*
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
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    OpenAdapter();
    return STATUS_SUCCESS;
}
