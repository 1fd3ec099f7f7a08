/*
 * The common buffer is freed before the adapter is given back.
 */
#include "../../devices/card.h"

static PDMA_ADAPTER Adapter;
static PHYSICAL_ADDRESS Logical;
static PVOID Buffer;

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
    Adapter->DmaOperations->FreeCommonBuffer(Adapter, PAGE_SIZE, Logical, Buffer, FALSE);
    Adapter->DmaOperations->PutDmaAdapter(Adapter);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    OpenAdapter();
    Buffer = Adapter->DmaOperations->AllocateCommonBuffer(Adapter, PAGE_SIZE, &Logical, FALSE);
    return STATUS_SUCCESS;
}
