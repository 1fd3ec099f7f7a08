/* Version 3 of the DMA operations: offsets in chains of MDLs, contexts, and doing it at once or not at all. */
#define CHECK_ON_PROCESSOR_0
#include "../kernel/check.h"
#include "card.h"

typedef struct {
    ULONG Version, MapRegisterCount, ScatterGatherElementCount, ScatterGatherListSize, LogicalPageCount;
} TRANSFER_INFO;

typedef struct {
    ULONG Version, ReadDmaCounterAvailable, ScatterGatherLimit, DmaAddressWidth, Flags, MinimumTransferUnit;
} ADAPTER_INFO;

typedef struct {
    DEVICE_DESCRIPTION Old;
    ULONG DmaAddressWidth, DmaControllerInstance, DmaRequestLine;
    PHYSICAL_ADDRESS DeviceAddress;
} DESCRIPTION3;

typedef struct {
    DMA_OPERATIONS Old;
    NTSTATUS (*GetDmaAdapterInfo)(PDMA_ADAPTER, ADAPTER_INFO *);
    NTSTATUS (*GetDmaTransferInfo)(PDMA_ADAPTER, PMDL, ULONGLONG, ULONG, BOOLEAN, TRANSFER_INFO *);
    NTSTATUS (*InitializeDmaTransferContext)(PDMA_ADAPTER, PVOID);
    PVOID (*AllocateCommonBufferEx)(PDMA_ADAPTER, PPHYSICAL_ADDRESS, ULONG, PPHYSICAL_ADDRESS, BOOLEAN, ULONG);
    NTSTATUS(*AllocateAdapterChannelEx)
    (PDMA_ADAPTER, PDEVICE_OBJECT, PVOID, ULONG, ULONG, PDRIVER_CONTROL, PVOID, PVOID *);
    NTSTATUS (*ConfigureAdapterChannel)(PDMA_ADAPTER, ULONG, PVOID);
    BOOLEAN (*CancelAdapterChannel)(PDMA_ADAPTER, PDEVICE_OBJECT, PVOID);
    NTSTATUS(*MapTransferEx)
    (PDMA_ADAPTER, PMDL, PVOID, ULONGLONG, ULONG, PULONG, BOOLEAN, PSCATTER_GATHER_LIST, ULONG, PVOID, PVOID);
    NTSTATUS(*GetScatterGatherListEx)
    (PDMA_ADAPTER, PDEVICE_OBJECT, PVOID, PMDL, ULONGLONG, ULONG, ULONG, PDRIVER_LIST_CONTROL, PVOID, BOOLEAN, PVOID,
     PVOID, PSCATTER_GATHER_LIST *);
    NTSTATUS(*BuildScatterGatherListEx)
    (PDMA_ADAPTER, PDEVICE_OBJECT, PVOID, PMDL, ULONGLONG, ULONG, ULONG, PDRIVER_LIST_CONTROL, PVOID, BOOLEAN, PVOID,
     ULONG, PVOID, PVOID, PSCATTER_GATHER_LIST *);
    NTSTATUS (*FlushAdapterBuffersEx)(PDMA_ADAPTER, PMDL, PVOID, ULONGLONG, ULONG, BOOLEAN);
    VOID (*FreeAdapterObject)(PDMA_ADAPTER, IO_ALLOCATION_ACTION);
    NTSTATUS (*CancelMappedTransfer)(PDMA_ADAPTER, PVOID);
    PVOID AllocateDomainCommonBuffer;
    NTSTATUS (*FlushDmaBuffer)(PDMA_ADAPTER, PMDL, BOOLEAN);
    PVOID JoinDmaDomain, LeaveDmaDomain, GetDmaDomain;
    PVOID(*AllocateCommonBufferWithBounds)
    (PDMA_ADAPTER, PPHYSICAL_ADDRESS, PPHYSICAL_ADDRESS, ULONG, ULONG, MEMORY_CACHING_TYPE *, ULONG, PPHYSICAL_ADDRESS);
    NTSTATUS(*AllocateCommonBufferVector)
    (PDMA_ADAPTER, PHYSICAL_ADDRESS, PHYSICAL_ADDRESS, MEMORY_CACHING_TYPE, ULONG, ULONG, ULONG, ULONGLONG, PVOID *);
    VOID (*GetCommonBufferFromVectorByIndex)(PDMA_ADAPTER, PVOID, ULONG, PVOID *, PPHYSICAL_ADDRESS);
    VOID (*FreeCommonBufferFromVector)(PDMA_ADAPTER, PVOID, ULONG);
    VOID (*FreeCommonBufferVector)(PDMA_ADAPTER, PVOID);
    PVOID CreateCommonBufferFromMdl;
} OPERATIONS3;

#define OPS3(Adapter) ((OPERATIONS3 *)(Adapter)->DmaOperations)
#define AT_ONCE 1 /* DMA_SYNCHRONOUS_CALLBACK */

static ULONG_PTR Context[16], OtherContext[16]; /* DMA_TRANSFER_CONTEXT_SIZE_V1: 128 bytes */

static PDMA_ADAPTER Open(BOOLEAN ScatterGather, ULONG Width)
{
    DESCRIPTION3 Description = {.Old = {.Version = 3,
                                        .Master = TRUE,
                                        .ScatterGather = ScatterGather,
                                        .InterfaceType = PCIBus,
                                        .MaximumLength = 65536},
                                .DmaAddressWidth = Width};
    ULONG Registers = 0;
    PDMA_ADAPTER Adapter = IoGetDmaAdapter(NULL, &Description.Old, &Registers);

    CHECK(Adapter && Registers >= 17);
    if (Adapter) {
        CHECK_IS(OPS3(Adapter)->InitializeDmaTransferContext(Adapter, Context), STATUS_SUCCESS);
        CHECK_IS(OPS3(Adapter)->InitializeDmaTransferContext(Adapter, OtherContext), STATUS_SUCCESS);
    }
    return Adapter;
}

static PDEVICE_OBJECT Device(VOID)
{
    PDEVICE_OBJECT Object = NULL;

    CHECK_IS(IoCreateDevice(CheckDriver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Object), STATUS_SUCCESS);
    return Object;
}

/* A buffer of three pages in two MDLs: 100 bytes into the first page, the second MDL begins 8 bytes into the third. */
#define FIRST (PAGE_SIZE - 100)
#define SECOND 500
static PUCHAR Buffer;
static PMDL Chain;

static VOID MakeChain(VOID)
{
    Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, 3 * PAGE_SIZE, 'tseT');
    Chain = IoAllocateMdl(Buffer + 100, FIRST, FALSE, FALSE, NULL);
    Chain->Next = IoAllocateMdl(Buffer + 2 * PAGE_SIZE + 8, SECOND, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(Chain);
    MmBuildMdlForNonPagedPool(Chain->Next);
    for (ULONG i = 0; i < 3 * PAGE_SIZE; i++)
        Buffer[i] = (UCHAR)(i * 7);
}

static VOID DropChain(VOID)
{
    IoFreeMdl(Chain->Next);
    IoFreeMdl(Chain);
    ExFreePool(Buffer);
}

static LONGLONG PhysicalOf(PVOID Va)
{
    return MmGetPhysicalAddress(Va).QuadPart;
}

TEST(the_version_says_which_operations_there_are)
{
    PDMA_ADAPTER Adapter = Open(TRUE, 40);
    ADAPTER_INFO Info = {.Version = 1};

    CHECK_IS(Adapter->Version, 3);
    CHECK_IS(Adapter->DmaOperations->Size, sizeof(OPERATIONS3));
    CHECK_IS(OPS3(Adapter)->GetDmaAdapterInfo(Adapter, &Info), STATUS_SUCCESS);
    CHECK_IS(Info.DmaAddressWidth, 40);
    CHECK(!Info.ReadDmaCounterAvailable && Info.ScatterGatherLimit >= 17);
    Info.Version = 9;
    CHECK_IS(OPS3(Adapter)->GetDmaAdapterInfo(Adapter, &Info), STATUS_NOT_SUPPORTED);
    OPS3(Adapter)->Old.PutDmaAdapter(Adapter);
}

TEST(a_transfer_says_what_it_needs)
{
    PDMA_ADAPTER Adapter = Open(TRUE, 64);
    TRANSFER_INFO Info = {.Version = 2};

    MakeChain();
    CHECK_IS(OPS3(Adapter)->GetDmaTransferInfo(Adapter, Chain, 0, FIRST + SECOND, TRUE, &Info), STATUS_SUCCESS);
    CHECK_IS(Info.MapRegisterCount, 2);
    CHECK_IS(Info.ScatterGatherElementCount, 2);
    CHECK_IS(Info.LogicalPageCount, 2);
    CHECK_IS(OPS3(Adapter)->GetDmaTransferInfo(Adapter, Chain, FIRST, SECOND, TRUE, &Info), STATUS_SUCCESS);
    CHECK_IS(Info.MapRegisterCount, 1);
    CHECK_IS(OPS3(Adapter)->GetDmaTransferInfo(Adapter, Chain, FIRST, SECOND + 1, TRUE, &Info),
             STATUS_INVALID_PARAMETER);
    CHECK_IS(OPS3(Adapter)->GetDmaTransferInfo(Adapter, Chain, FIRST + SECOND, 1, TRUE, &Info),
             STATUS_INVALID_PARAMETER);
    DropChain();
    OPS3(Adapter)->Old.PutDmaAdapter(Adapter);
}

TEST(a_list_goes_on_through_the_chain)
{
    PDMA_ADAPTER Adapter = Open(TRUE, 64);
    PDEVICE_OBJECT Object = Device();
    PSCATTER_GATHER_LIST List = NULL;
    KIRQL OldIrql;

    MakeChain();
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK_IS(OPS3(Adapter)->GetScatterGatherListEx(Adapter, Object, Context, Chain, 50, FIRST - 50 + 20, AT_ONCE, NULL,
                                                   NULL, TRUE, NULL, NULL, &List),
             STATUS_SUCCESS);
    CHECK_IS(List->NumberOfElements, 2);
    CHECK_IS(List->Elements[0].Address.QuadPart, PhysicalOf(Buffer + 150));
    CHECK_IS(List->Elements[0].Length, FIRST - 50);
    CHECK_IS(List->Elements[1].Address.QuadPart, PhysicalOf(Buffer + 2 * PAGE_SIZE + 8));
    CHECK_IS(List->Elements[1].Length, 20);
    OPS3(Adapter)->Old.PutScatterGatherList(Adapter, List, TRUE);
    CHECK_IS(OPS3(Adapter)->GetScatterGatherListEx(Adapter, Object, Context, Chain, 0, FIRST + SECOND + 1, AT_ONCE,
                                                   NULL, NULL, TRUE, NULL, NULL, &List),
             STATUS_INVALID_PARAMETER);
    CHECK_IS(OPS3(Adapter)->GetScatterGatherListEx(Adapter, Object, Context, Chain, 0, 8, 0, NULL, NULL, TRUE, NULL,
                                                   NULL, &List),
             STATUS_INVALID_PARAMETER);
    KeLowerIrql(OldIrql);
    DropChain();
    OPS3(Adapter)->Old.PutDmaAdapter(Adapter);
    IoDeleteDevice(Object);
}

TEST(a_list_can_be_built_in_the_drivers_memory)
{
    PDMA_ADAPTER Adapter = Open(TRUE, 64);
    PDEVICE_OBJECT Object = Device();
    TRANSFER_INFO Info = {.Version = 1};
    PSCATTER_GATHER_LIST List = NULL;
    PVOID Memory;
    KIRQL OldIrql;

    MakeChain();
    OPS3(Adapter)->GetDmaTransferInfo(Adapter, Chain, 0, FIRST + SECOND, TRUE, &Info);
    Memory = ExAllocatePoolWithTag(NonPagedPoolNx, Info.ScatterGatherListSize, 'tseT');
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK_IS(OPS3(Adapter)->BuildScatterGatherListEx(Adapter, Object, Context, Chain, 0, FIRST + SECOND, AT_ONCE, NULL,
                                                     NULL, TRUE, Memory, Info.ScatterGatherListSize - 1, NULL, NULL,
                                                     &List),
             STATUS_BUFFER_TOO_SMALL);
    CHECK_IS(OPS3(Adapter)->BuildScatterGatherListEx(Adapter, Object, Context, Chain, 0, FIRST + SECOND, AT_ONCE, NULL,
                                                     NULL, TRUE, Memory, Info.ScatterGatherListSize, NULL, NULL, &List),
             STATUS_SUCCESS);
    CHECK((PUCHAR)List >= (PUCHAR)Memory && (PUCHAR)List < (PUCHAR)Memory + Info.ScatterGatherListSize);
    CHECK_IS(List->NumberOfElements, 2);
    OPS3(Adapter)->Old.PutScatterGatherList(Adapter, List, TRUE);
    KeLowerIrql(OldIrql);
    ExFreePool(Memory);
    DropChain();
    OPS3(Adapter)->Old.PutDmaAdapter(Adapter);
    IoDeleteDevice(Object);
}

TEST(map_registers_gather_the_chain)
{
    CARD Card = OpenCard(0);
    PDMA_ADAPTER Adapter = Open(FALSE, 32);
    PDEVICE_OBJECT Object = Device();
    union {
        SCATTER_GATHER_LIST List;
        UCHAR Bytes[FIELD_OFFSET(SCATTER_GATHER_LIST, Elements) + sizeof(SCATTER_GATHER_ELEMENT)];
    } Here;
    ULONG Length = FIRST + SECOND;
    PVOID Base = NULL;
    KIRQL OldIrql;

    MakeChain();
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK_IS(OPS3(Adapter)->AllocateAdapterChannelEx(Adapter, Object, Context, 2, AT_ONCE, NULL, NULL, &Base),
             STATUS_SUCCESS);
    CHECK_IS(OPS3(Adapter)->MapTransferEx(Adapter, Chain, Base, 0, 0, &Length, FALSE, &Here.List, sizeof(Here) - 1,
                                          NULL, NULL),
             STATUS_BUFFER_TOO_SMALL);
    CHECK_IS(
        OPS3(Adapter)->MapTransferEx(Adapter, Chain, Base, 0, 0, &Length, FALSE, &Here.List, sizeof(Here), NULL, NULL),
        STATUS_SUCCESS);
    KeLowerIrql(OldIrql);
    CHECK_IS(Length, FIRST + SECOND);
    CHECK_IS(Here.List.NumberOfElements, 1);
    CHECK_IS(Here.List.Elements[0].Length, FIRST + SECOND);
    Card[R_SCRATCH] = 0x5a5a5a5a;
    *(volatile ULONGLONG *)&Card[R_DESTINATION] = Here.List.Elements[0].Address.QuadPart;
    Card[R_LENGTH] = FIRST + SECOND;
    Card[R_COMMAND] = M_FILL;
    Card[R_DOORBELL] = 1;
    while (Card[R_STATUS] & S_BUSY)
        ;
    CHECK(Buffer[100] != 0x5a);
    CHECK_IS(OPS3(Adapter)->FlushAdapterBuffersEx(Adapter, Chain, Base, 0, FIRST + SECOND, FALSE), STATUS_SUCCESS);
    CHECK(Buffer[99] != 0x5a && Buffer[100] == 0x5a && Buffer[PAGE_SIZE - 1] == 0x5a);
    CHECK(Buffer[2 * PAGE_SIZE + 7] != 0x5a && Buffer[2 * PAGE_SIZE + 8] == 0x5a);
    CHECK(Buffer[2 * PAGE_SIZE + 8 + SECOND - 1] == 0x5a && Buffer[2 * PAGE_SIZE + 8 + SECOND] != 0x5a);
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    OPS3(Adapter)->FreeAdapterObject(Adapter, DeallocateObject);
    KeLowerIrql(OldIrql);
    DropChain();
    OPS3(Adapter)->Old.PutDmaAdapter(Adapter);
    IoDeleteDevice(Object);
    CloseCard(Card);
}

static ULONG Calls;
static IO_ALLOCATION_ACTION TakeChannel(PDEVICE_OBJECT Object, PIRP Irp, PVOID MapRegisterBase, PVOID Unused)
{
    CHECK_IRQL(DISPATCH_LEVEL);
    Calls++;
    return DeallocateObject;
}

TEST(at_once_or_not_at_all)
{
    PDMA_ADAPTER Adapter = Open(TRUE, 64);
    PDEVICE_OBJECT Object = Device();
    PVOID Base, Other;
    KIRQL OldIrql;

    Calls = 0;
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK_IS(OPS3(Adapter)->AllocateAdapterChannelEx(Adapter, Object, Context, 1, AT_ONCE, NULL, NULL, &Base),
             STATUS_SUCCESS);
    CHECK_IS(OPS3(Adapter)->AllocateAdapterChannelEx(Adapter, Object, OtherContext, 1, AT_ONCE, NULL, NULL, &Other),
             STATUS_INSUFFICIENT_RESOURCES);
    CHECK_IS(OPS3(Adapter)->AllocateAdapterChannelEx(Adapter, Object, OtherContext, 1, 0, NULL, NULL, &Other),
             STATUS_INVALID_PARAMETER);
    CHECK_IS(OPS3(Adapter)->AllocateAdapterChannelEx(Adapter, Object, OtherContext, 1, 0, TakeChannel, NULL, NULL),
             STATUS_SUCCESS);
    CHECK_IS(Calls, 0);
    CHECK(!OPS3(Adapter)->CancelAdapterChannel(Adapter, Object, Context));
    CHECK(OPS3(Adapter)->CancelAdapterChannel(Adapter, Object, OtherContext));
    CHECK(!OPS3(Adapter)->CancelAdapterChannel(Adapter, Object, OtherContext));
    CHECK_IS(OPS3(Adapter)->AllocateAdapterChannelEx(Adapter, Object, OtherContext, 1, 0, TakeChannel, NULL, NULL),
             STATUS_SUCCESS);
    OPS3(Adapter)->FreeAdapterObject(Adapter, DeallocateObjectKeepRegisters);
    CHECK_IS(Calls, 1);
    OPS3(Adapter)->Old.FreeMapRegisters(Adapter, Base, 1);
    CHECK_IS(OPS3(Adapter)->AllocateAdapterChannelEx(Adapter, Object, Context + 1, 1, AT_ONCE, NULL, NULL, &Base),
             STATUS_INVALID_PARAMETER);
    KeLowerIrql(OldIrql);
    OPS3(Adapter)->Old.PutDmaAdapter(Adapter);
    IoDeleteDevice(Object);
}

TEST(common_buffers_keep_to_their_bounds)
{
    PDMA_ADAPTER Adapter = Open(TRUE, 64);
    PHYSICAL_ADDRESS Most = {.QuadPart = 0xffffff}, Least = {.QuadPart = 0x100000}, Logical;
    PVOID One = OPS3(Adapter)->AllocateCommonBufferEx(Adapter, &Most, PAGE_SIZE, &Logical, TRUE, 0);
    PVOID Vector = NULL, Part;

    CHECK(One && Logical.QuadPart + PAGE_SIZE - 1 <= Most.QuadPart && Logical.QuadPart == PhysicalOf(One));
    OPS3(Adapter)->Old.FreeCommonBuffer(Adapter, PAGE_SIZE, Logical, One, TRUE);
    One = OPS3(Adapter)->AllocateCommonBufferWithBounds(Adapter, &Least, NULL, PAGE_SIZE, 0, NULL, 0, &Logical);
    CHECK(One && Logical.QuadPart >= Least.QuadPart);
    OPS3(Adapter)->Old.FreeCommonBuffer(Adapter, PAGE_SIZE, Logical, One, TRUE);
    Least.QuadPart = 0;
    CHECK_IS(OPS3(Adapter)->AllocateCommonBufferVector(Adapter, Least, Most, MmCached, 0, 0, 3, PAGE_SIZE, &Vector),
             STATUS_SUCCESS);
    OPS3(Adapter)->GetCommonBufferFromVectorByIndex(Adapter, Vector, 2, &Part, &Logical);
    CHECK(Part && Logical.QuadPart == PhysicalOf(Part) && Logical.QuadPart < Most.QuadPart);
    OPS3(Adapter)->FreeCommonBufferFromVector(Adapter, Vector, 2);
    OPS3(Adapter)->GetCommonBufferFromVectorByIndex(Adapter, Vector, 2, &Part, &Logical);
    CHECK(!Part);
    OPS3(Adapter)->FreeCommonBufferVector(Adapter, Vector);
    CHECK_IS(OPS3(Adapter)->AllocateCommonBufferVector(Adapter, Least, Most, MmCached, 0, 0, 0, PAGE_SIZE, &Vector),
             STATUS_INVALID_PARAMETER);
    OPS3(Adapter)->Old.PutDmaAdapter(Adapter);
}

CHECK_DRIVER(T(the_version_says_which_operations_there_are), T(a_transfer_says_what_it_needs),
             T(a_list_goes_on_through_the_chain), T(a_list_can_be_built_in_the_drivers_memory),
             T(map_registers_gather_the_chain), T(at_once_or_not_at_all), T(common_buffers_keep_to_their_bounds))
