/*
 * Version 3 of the DMA operations: what an adapter gets whose description says DEVICE_DESCRIPTION_VERSION3. Places in a
 * buffer are offsets in a chain of MDLs; a request has a context of the driver's, by which it can be cancelled; and
 * with DMA_SYNCHRONOUS_CALLBACK a request that cannot be met at once fails. (docs: DMA_OPERATIONS, Version 3 of the DMA
 * Operations Interface)
 *
 * DIFFERS: there are no DMA domains (no IOMMU): the five operations on them, and CreateCommonBufferFromMdl, are
 * missing, by name when they are called.
 */
#include "nt.h"
#include "hal/dma.h"

#define DMA_SYNCHRONOUS_CALLBACK 1
#define ADAPTER_INFO_SYNCHRONOUS_CALLBACK 1

/* In the driver's context of 128 bytes (DMA_TRANSFER_CONTEXT_SIZE_V1). */
typedef struct _HALP_TRANSFER {
    PHALP_ADAPTER Adapter;
    struct _HALP_TRANSFER *Self; /* of one that was initialised */
} HALP_TRANSFER, *PHALP_TRANSFER;

typedef struct _HALP_ADAPTER_INFO {
    ULONG Version; /* 1 */
    ULONG ReadDmaCounterAvailable;
    ULONG ScatterGatherLimit;
    ULONG DmaAddressWidth;
    ULONG Flags;
    ULONG MinimumTransferUnit;
} HALP_ADAPTER_INFO, *PHALP_ADAPTER_INFO;

typedef struct _HALP_TRANSFER_INFO {
    ULONG Version; /* 1; 2 has one field more */
    ULONG MapRegisterCount;
    ULONG ScatterGatherElementCount;
    ULONG ScatterGatherListSize;
    ULONG LogicalPageCount;
} HALP_TRANSFER_INFO, *PHALP_TRANSFER_INFO;

typedef struct _HALP_VECTOR {
    ULONG Count;
    ULONG Bytes;
    PVOID Buffer[1];
} HALP_VECTOR, *PHALP_VECTOR;

/* ---- Places ------------------------------------------------------------------------------------------------------ */

/* The MDL of the chain, and the address in it, that Offset means. FALSE: the chain is shorter. */
static BOOLEAN HalpSeek(PMDL *Mdl, UINT64 Offset, PVOID *Va)
{
    while (*Mdl && Offset >= MmGetMdlByteCount(*Mdl)) {
        Offset -= MmGetMdlByteCount(*Mdl);
        *Mdl = (*Mdl)->Next;
    }
    *Va = *Mdl ? (PUCHAR)MmGetMdlVirtualAddress(*Mdl) + Offset : NULL;
    return *Mdl != NULL;
}

static BOOLEAN HalpIsTransfer(PHALP_ADAPTER Adapter, PVOID Context)
{
    PHALP_TRANSFER Transfer = Context;

    return Transfer && Transfer->Self == Transfer && Transfer->Adapter == Adapter;
}

/* ---- What is possible, what is needed ---------------------------------------------------------------------------- */

static NTSTATUS HalpGetDmaAdapterInfo(PDMA_ADAPTER DmaAdapter, PHALP_ADAPTER_INFO AdapterInfo)
{
    PHALP_ADAPTER Adapter = HalpAdapter(DmaAdapter);

    if (AdapterInfo->Version != 1)
        return STATUS_NOT_SUPPORTED;
    AdapterInfo->ReadDmaCounterAvailable = FALSE;
    AdapterInfo->ScatterGatherLimit = HalpNeedsMap(Adapter) ? 1 : Adapter->MapRegisters;
    AdapterInfo->DmaAddressWidth = Adapter->AddressWidth;
    AdapterInfo->Flags = ADAPTER_INFO_SYNCHRONOUS_CALLBACK;
    AdapterInfo->MinimumTransferUnit = 1;
    return STATUS_SUCCESS;
}

static NTSTATUS HalpGetDmaTransferInfo(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                       BOOLEAN WriteOnly, PHALP_TRANSFER_INFO TransferInfo)
{
    PVOID Va;

    if (TransferInfo->Version != 1 && TransferInfo->Version != 2)
        return STATUS_NOT_SUPPORTED;
    if (!Length || !HalpSeek(&Mdl, Offset, &Va) || !HalpReaches(Mdl, Va, Length))
        return STATUS_INVALID_PARAMETER;
    TransferInfo->MapRegisterCount = HalpElements(Mdl, Va, Length);
    TransferInfo->ScatterGatherElementCount =
        HalpNeedsMap(HalpAdapter(DmaAdapter)) ? 1 : TransferInfo->MapRegisterCount;
    TransferInfo->ScatterGatherListSize = HalpListBytes(Mdl, Va, Length);
    if (TransferInfo->Version == 2)
        TransferInfo->LogicalPageCount = TransferInfo->MapRegisterCount;
    return STATUS_SUCCESS;
}

static NTSTATUS HalpInitializeDmaTransferContext(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext)
{
    PHALP_TRANSFER Transfer = DmaTransferContext;

    RtlZeroMemory(DmaTransferContext, 128);
    Transfer->Adapter = HalpAdapter(DmaAdapter);
    Transfer->Self = Transfer;
    return STATUS_SUCCESS;
}

/* ---- The channel ------------------------------------------------------------------------------------------------- */

/* At once or not at all; without a routine the caller goes on with the registers itself. */
static NTSTATUS HalpAllocateNow(PHALP_ADAPTER Adapter, const HALP_WAITER *Request, PVOID *MapRegisterBase)
{
    PHALP_MAP Map;

    if (Adapter->Busy || Request->Registers > Adapter->MapRegisters)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Request->Routine)
        return HalpAllocateChannel(Adapter, Request);
    if (!MapRegisterBase)
        return STATUS_INVALID_PARAMETER;
    if (!(Map = HalpCreateMap(Adapter, Request->Registers)))
        return STATUS_INSUFFICIENT_RESOURCES;
    Adapter->Busy = TRUE;
    Adapter->Holder = Map;
    *MapRegisterBase = Map;
    return STATUS_SUCCESS;
}

static NTSTATUS HalpAllocateAdapterChannelEx(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                             PVOID DmaTransferContext, ULONG NumberOfMapRegisters, ULONG Flags,
                                             PDRIVER_CONTROL ExecutionRoutine, PVOID ExecutionContext,
                                             PVOID *MapRegisterBase)
{
    PHALP_ADAPTER Adapter = HalpAdapter(DmaAdapter);
    HALP_WAITER Request = {.Device = DeviceObject,
                           .Routine = ExecutionRoutine,
                           .Context = ExecutionContext,
                           .Transfer = DmaTransferContext,
                           .Registers = NumberOfMapRegisters,
                           .Stack = VfCaptureStack()};

    if (!HalpIsTransfer(Adapter, DmaTransferContext))
        return STATUS_INVALID_PARAMETER;
    if (Flags & DMA_SYNCHRONOUS_CALLBACK)
        return HalpAllocateNow(Adapter, &Request, MapRegisterBase);
    return ExecutionRoutine ? HalpAllocateChannel(Adapter, &Request) : STATUS_INVALID_PARAMETER;
}

/* TRUE: the request was still waiting, and its routine is not called any more. */
static BOOLEAN HalpCancelAdapterChannel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext)
{
    PHALP_ADAPTER Adapter = HalpAdapter(DmaAdapter);

    for (PLIST_ENTRY Entry = Adapter->Waiting.Flink; Entry != &Adapter->Waiting; Entry = Entry->Flink) {
        PHALP_WAITER Waiter = CONTAINING_RECORD(Entry, HALP_WAITER, Entry);
        if (Waiter->Transfer != DmaTransferContext || Waiter->Device != DeviceObject)
            continue;
        RemoveEntryList(Entry);
        ExpFree(Waiter);
        return TRUE;
    }
    return FALSE;
}

/* docs: PFREE_ADAPTER_OBJECT. As a routine's return value says it, but later. */
static VOID HalpFreeAdapterObject(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction)
{
    PHALP_ADAPTER Adapter = HalpAdapter(DmaAdapter);
    PHALP_MAP Map = Adapter->Holder;

    if (AllocationAction == KeepObject)
        return;
    Adapter->Holder = NULL;
    if (AllocationAction == DeallocateObject && Map)
        HalpDeleteMap(Adapter, Map);
    HalpReleaseChannel(Adapter);
}

/* Channels of the system's DMA controller have functions and mapped transfers; bus masters have none. */
static NTSTATUS HalpConfigureAdapterChannel(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber, PVOID Context)
{
    return STATUS_NOT_SUPPORTED;
}

static NTSTATUS HalpCancelMappedTransfer(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext)
{
    return STATUS_UNSUCCESSFUL;
}

/* ---- Transfers --------------------------------------------------------------------------------------------------- */

/* Runs of the driver's own pages, as many as the list has room and the transfer registers for. */
static ULONG HalpListRuns(PMDL Mdl, PVOID Va, ULONG Length, ULONG Registers, PSCATTER_GATHER_LIST List, ULONG Room)
{
    ULONG Done = 0, Used = 0, Run, Pages;

    while (Done < Length && Mdl && List->NumberOfElements < Room && Used < Registers) {
        ULONG Here = HalpLeftIn(Mdl, Va);
        if (!Here) {
            Mdl = Mdl->Next;
            Va = Mdl ? MmGetMdlVirtualAddress(Mdl) : NULL;
            continue;
        }
        Run = HalpRun(Mdl, Va, Here < Length - Done ? Here : Length - Done);
        Pages = (ULONG)ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, Run);
        if (Pages > Registers - Used) {
            Pages = Registers - Used;
            Run = Pages * PAGE_SIZE - BYTE_OFFSET(Va);
        }
        HalpAddElement(List, HalpPhysicalOf(Mdl, Va), Run);
        Va = (PUCHAR)Va + Run;
        Used += Pages;
        Done += Run;
    }
    return Done;
}

/* The register for Offset, which lies at Va. Those of a transfer are counted from its first offset. */
static UINT64 HalpRegisterAt(PHALP_MAP Map, UINT64 Offset, PVOID Va, ULONG *Length)
{
    UINT64 Bytes = (UINT64)Map->Count << PAGE_SHIFT, At;

    if (!Map->Started) {
        Map->Started = TRUE;
        Map->FirstPage = Offset - BYTE_OFFSET(Va); /* may be below 0, and wraps back */
    }
    At = Offset - Map->FirstPage;
    if (At >= Bytes)
        *Length = 0;
    else if (*Length > Bytes - At)
        *Length = (ULONG)(Bytes - At);
    return Map->Physical + At;
}

static NTSTATUS HalpMapTransferEx(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset,
                                  ULONG DeviceOffset, PULONG Length, BOOLEAN WriteToDevice,
                                  PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                                  PVOID DmaCompletionRoutine, PVOID CompletionContext)
{
    PHALP_MAP Map = MapRegisterBase;
    ULONG Room, Bytes = *Length;
    PVOID Va;

    if (!Map || !Bytes || !ScatterGatherBuffer || !HalpSeek(&Mdl, Offset, &Va) || !HalpReaches(Mdl, Va, Bytes))
        return STATUS_INVALID_PARAMETER;
    if (ScatterGatherBufferLength < FIELD_OFFSET(SCATTER_GATHER_LIST, Elements) + sizeof(SCATTER_GATHER_ELEMENT))
        return STATUS_BUFFER_TOO_SMALL;
    Room = (ScatterGatherBufferLength - FIELD_OFFSET(SCATTER_GATHER_LIST, Elements)) / sizeof(SCATTER_GATHER_ELEMENT);
    ScatterGatherBuffer->NumberOfElements = 0;
    ScatterGatherBuffer->Reserved = 0;
    if (!Map->Bounce) {
        Bytes = HalpListRuns(Mdl, Va, Bytes, Map->Count, ScatterGatherBuffer, Room);
    } else {
        UINT64 Register = HalpRegisterAt(Map, Offset, Va, &Bytes);
        if (Bytes && WriteToDevice)
            HalpCopy(Mdl, Va, Register, Bytes, TRUE);
        if (Bytes)
            HalpAddElement(ScatterGatherBuffer, Register, Bytes);
    }
    *Length = Bytes;
    return Bytes ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS HalpFlushAdapterBuffersEx(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset,
                                          ULONG Length, BOOLEAN WriteToDevice)
{
    PHALP_MAP Map = MapRegisterBase;
    UINT64 Register;
    PVOID Va;

    if (!HalpSeek(&Mdl, Offset, &Va))
        return STATUS_INVALID_PARAMETER;
    if (!Map || !Map->Bounce || !Map->Started)
        return STATUS_SUCCESS;
    Register = HalpRegisterAt(Map, Offset, Va, &Length);
    if (!WriteToDevice)
        HalpCopy(Mdl, Va, Register, Length, FALSE);
    Map->Started = FALSE; /* the registers stand for the next transfer */
    return STATUS_SUCCESS;
}

/* ---- Scatter/gather ---------------------------------------------------------------------------------------------- */

/* List: made here, or the driver's memory. Resources are at hand or not: nobody waits for them. */
static NTSTATUS HalpListEx(PHALP_ADAPTER Adapter, const HALP_WAITER *Request, PMDL Mdl, PVOID Va, ULONG Length,
                           PDRIVER_LIST_CONTROL Routine, BOOLEAN WriteToDevice, PHALP_LIST List,
                           PSCATTER_GATHER_LIST *Out)
{
    NTSTATUS Status = HalpPrepareList(Adapter, List, Mdl, Va, Length, WriteToDevice);

    if (!NT_SUCCESS(Status))
        return Status;
    if (Out)
        *Out = &List->Public;
    if (Routine)
        HalpGiveList(List, Request->Device, Routine, Request->Context, Request->Stack);
    return STATUS_SUCCESS;
}

static NTSTATUS HalpGetScatterGatherListEx(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                           PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                           ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                           BOOLEAN WriteToDevice, PVOID DmaCompletionRoutine, PVOID CompletionContext,
                                           PSCATTER_GATHER_LIST *ScatterGatherList)
{
    PHALP_ADAPTER Adapter = HalpAdapter(DmaAdapter);
    HALP_WAITER Request = {.Device = DeviceObject, .Context = Context, .Stack = VfCaptureStack()};
    PHALP_LIST List;
    NTSTATUS Status;
    PVOID Va;

    if (!HalpIsTransfer(Adapter, DmaTransferContext) || !Length || !HalpSeek(&Mdl, Offset, &Va) ||
        !HalpReaches(Mdl, Va, Length) ||
        (!ExecutionRoutine && !(Flags & DMA_SYNCHRONOUS_CALLBACK && ScatterGatherList)))
        return STATUS_INVALID_PARAMETER;
    if (!(List = ExpTryAllocate(HalpListBytes(Mdl, Va, Length), HALP_TAG)))
        return STATUS_INSUFFICIENT_RESOURCES;
    List->OfDriver = FALSE;
    Status = HalpListEx(Adapter, &Request, Mdl, Va, Length, ExecutionRoutine, WriteToDevice, List, ScatterGatherList);
    if (!NT_SUCCESS(Status))
        ExpFree(List);
    return Status;
}

static NTSTATUS HalpBuildScatterGatherListEx(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                             PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                             ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                             BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                             ULONG ScatterGatherLength, PVOID DmaCompletionRoutine,
                                             PVOID CompletionContext, PSCATTER_GATHER_LIST *ScatterGatherList)
{
    PHALP_ADAPTER Adapter = HalpAdapter(DmaAdapter);
    HALP_WAITER Request = {.Device = DeviceObject, .Context = Context, .Stack = VfCaptureStack()};
    PHALP_LIST List = ScatterGatherBuffer;
    PVOID Va;

    if (!HalpIsTransfer(Adapter, DmaTransferContext) || !Length || !HalpSeek(&Mdl, Offset, &Va) ||
        !HalpReaches(Mdl, Va, Length) ||
        (!ExecutionRoutine && !(Flags & DMA_SYNCHRONOUS_CALLBACK && ScatterGatherList)))
        return STATUS_INVALID_PARAMETER;
    if (ScatterGatherLength < HalpListBytes(Mdl, Va, Length))
        return STATUS_BUFFER_TOO_SMALL;
    List->OfDriver = TRUE;
    return HalpListEx(Adapter, &Request, Mdl, Va, Length, ExecutionRoutine, WriteToDevice, List, ScatterGatherList);
}

/* The device sees what the processor sees: nothing is cached in between. */
static NTSTATUS HalpFlushDmaBuffer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, BOOLEAN ReadOperation)
{
    return STATUS_SUCCESS;
}

/* ---- Common buffers ---------------------------------------------------------------------------------------------- */

static PVOID HalpAllocateCommonBufferEx(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                        PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled, ULONG PreferredNode)
{
    return HalpAllocateBuffer(HalpAdapter(DmaAdapter), Length, 0,
                              MaximumAddress ? (UINT64)MaximumAddress->QuadPart : ~0ull, LogicalAddress);
}

static PVOID HalpAllocateCommonBufferWithBounds(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MinimumAddress,
                                                PPHYSICAL_ADDRESS MaximumAddress, ULONG Length, ULONG Flags,
                                                MEMORY_CACHING_TYPE *CacheType, ULONG PreferredNode,
                                                PPHYSICAL_ADDRESS LogicalAddress)
{
    return HalpAllocateBuffer(HalpAdapter(DmaAdapter), Length, MinimumAddress ? (UINT64)MinimumAddress->QuadPart : 0,
                              MaximumAddress ? (UINT64)MaximumAddress->QuadPart : ~0ull, LogicalAddress);
}

static VOID HalpFreeCommonBufferFromVector(PDMA_ADAPTER DmaAdapter, PHALP_VECTOR Vector, ULONG Index)
{
    if (Index >= Vector->Count || !Vector->Buffer[Index])
        return;
    HalpFreeBuffer(HalpAdapter(DmaAdapter), Vector->Buffer[Index]);
    Vector->Buffer[Index] = NULL;
}

static VOID HalpFreeCommonBufferVector(PDMA_ADAPTER DmaAdapter, PHALP_VECTOR Vector)
{
    for (ULONG i = 0; i < Vector->Count; i++)
        HalpFreeCommonBufferFromVector(DmaAdapter, Vector, i);
    ExpFree(Vector);
}

static NTSTATUS HalpAllocateCommonBufferVector(PDMA_ADAPTER DmaAdapter, PHYSICAL_ADDRESS LowAddress,
                                               PHYSICAL_ADDRESS HighAddress, MEMORY_CACHING_TYPE CacheType,
                                               ULONG IdealNode, ULONG Flags, ULONG NumberOfElements,
                                               ULONGLONG SizeOfElements, PHALP_VECTOR *VectorOut)
{
    PHYSICAL_ADDRESS Logical;
    PHALP_VECTOR Vector;

    if (!NumberOfElements || !SizeOfElements || SizeOfElements > 0xffffffff || NumberOfElements > 0x100000)
        return STATUS_INVALID_PARAMETER;
    Vector = ExpTryAllocate(FIELD_OFFSET(HALP_VECTOR, Buffer) + NumberOfElements * sizeof(PVOID), HALP_TAG);
    if (!Vector)
        return STATUS_INSUFFICIENT_RESOURCES;
    Vector->Bytes = (ULONG)SizeOfElements;
    for (Vector->Count = 0; Vector->Count < NumberOfElements; Vector->Count++) {
        Vector->Buffer[Vector->Count] =
            HalpAllocateBuffer(HalpAdapter(DmaAdapter), Vector->Bytes, (UINT64)LowAddress.QuadPart,
                               (UINT64)HighAddress.QuadPart, &Logical);
        if (!Vector->Buffer[Vector->Count]) {
            HalpFreeCommonBufferVector(DmaAdapter, Vector);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    *VectorOut = Vector;
    return STATUS_SUCCESS;
}

static VOID HalpGetCommonBufferFromVectorByIndex(PDMA_ADAPTER DmaAdapter, PHALP_VECTOR Vector, ULONG Index,
                                                 PVOID *VirtualAddressOut, PPHYSICAL_ADDRESS LogicalAddressOut)
{
    PVOID Buffer = Index < Vector->Count ? Vector->Buffer[Index] : NULL;

    *VirtualAddressOut = Buffer;
    LogicalAddressOut->QuadPart = Buffer ? MmGetPhysicalAddress(Buffer).QuadPart : 0;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static struct {
    DMA_OPERATIONS Version2;
    UINT64 Version3[24];
} HalpOperations3;
C_ASSERT(sizeof(DMA_OPERATIONS) == 0x80);

/* In the table's order. */
static const struct {
    PCSTR Contract; /* or the name of one that is missing */
    PVOID Routine;
} HalpRoutines3[] = {
    {"PGET_DMA_ADAPTER_INFO", HalpGetDmaAdapterInfo},
    {"PGET_DMA_TRANSFER_INFO", HalpGetDmaTransferInfo},
    {"PINITIALIZE_DMA_TRANSFER_CONTEXT", HalpInitializeDmaTransferContext},
    {"PALLOCATE_COMMON_BUFFER_EX", HalpAllocateCommonBufferEx},
    {"PALLOCATE_ADAPTER_CHANNEL_EX", HalpAllocateAdapterChannelEx},
    {"PCONFIGURE_ADAPTER_CHANNEL", HalpConfigureAdapterChannel},
    {"PCANCEL_ADAPTER_CHANNEL", HalpCancelAdapterChannel},
    {"PMAP_TRANSFER_EX", HalpMapTransferEx},
    {"PGET_SCATTER_GATHER_LIST_EX", HalpGetScatterGatherListEx},
    {"PBUILD_SCATTER_GATHER_LIST_EX", HalpBuildScatterGatherListEx},
    {"PFLUSH_ADAPTER_BUFFERS_EX", HalpFlushAdapterBuffersEx},
    {"PFREE_ADAPTER_OBJECT", HalpFreeAdapterObject},
    {"PCANCEL_MAPPED_TRANSFER", HalpCancelMappedTransfer},
    {"AllocateDomainCommonBuffer", NULL},
    {"PFLUSH_DMA_BUFFER", HalpFlushDmaBuffer},
    {"JoinDmaDomain", NULL},
    {"LeaveDmaDomain", NULL},
    {"GetDmaDomain", NULL},
    {"PALLOCATE_COMMON_BUFFER_WITH_BOUNDS", HalpAllocateCommonBufferWithBounds},
    {"PALLOCATE_COMMON_BUFFER_VECTOR", HalpAllocateCommonBufferVector},
    {"PGET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX", HalpGetCommonBufferFromVectorByIndex},
    {"PFREE_COMMON_BUFFER_FROM_VECTOR", HalpFreeCommonBufferFromVector},
    {"PFREE_COMMON_BUFFER_VECTOR", HalpFreeCommonBufferVector},
    {"CreateCommonBufferFromMdl", NULL},
};
C_ASSERT(ARRAYSIZE(HalpRoutines3) == 24);

PDMA_OPERATIONS HalpOperationsOfVersion3(const DMA_OPERATIONS *Version2)
{
    if (HalpOperations3.Version2.Size)
        return &HalpOperations3.Version2;
    for (ULONG i = 0; i < ARRAYSIZE(HalpRoutines3); i++)
        HalpOperations3.Version3[i] =
            HalpRoutines3[i].Routine
                ? VfBindRoutine(HalpRoutines3[i].Contract, (UINT64)HalpRoutines3[i].Routine)
                : VfBind(&(struct door_import){.module = "DMA_OPERATIONS", .name = HalpRoutines3[i].Contract});
    HalpOperations3.Version2 = *Version2;
    HalpOperations3.Version2.Size = sizeof(HalpOperations3);
    return &HalpOperations3.Version2;
}

/* docs: IoGetIommuInterface: what manages domains; the machine has no IOMMU. */
NTSTATUS NTAPI IoGetIommuInterface(ULONG Version, PDMA_IOMMU_INTERFACE InterfaceOut)
{
    return STATUS_NOT_SUPPORTED;
}
