/* DMA adapters: common buffers, map registers, scatter/gather lists, with the test card as the device. */
#define CHECK_ON_PROCESSOR_0
#include "../kernel/check.h"
#include "card.h"

static PDMA_ADAPTER Open(BOOLEAN ScatterGather, ULONG Length, PULONG Registers)
{
    DEVICE_DESCRIPTION Description = {0};
    ULONG Count;

    Description.Version = DEVICE_DESCRIPTION_VERSION;
    Description.Master = TRUE;
    Description.ScatterGather = ScatterGather;
    Description.Dma32BitAddresses = TRUE;
    Description.Dma64BitAddresses = ScatterGather;
    Description.InterfaceType = PCIBus;
    Description.MaximumLength = Length;
    return IoGetDmaAdapter(NULL, &Description, Registers ? Registers : &Count);
}

#define OPS(Adapter) (Adapter)->DmaOperations

/* The card moves Bytes between two logical addresses; polled. */
static BOOLEAN Move(CARD Card, ULONGLONG To, ULONGLONG From, ULONG Bytes)
{
    *(volatile ULONGLONG *)&Card[R_SOURCE] = From;
    *(volatile ULONGLONG *)&Card[R_DESTINATION] = To;
    Card[R_LENGTH] = Bytes;
    Card[R_COMMAND] = M_COPY;
    Card[R_STATUS] = S_ALL;
    Card[R_DOORBELL] = 1;
    while (Card[R_STATUS] & S_BUSY)
        ;
    return (Card[R_STATUS] & S_ALL) == S_DMA;
}

TEST(only_bus_masters_get_an_adapter)
{
    DEVICE_DESCRIPTION Description = {
        .Version = DEVICE_DESCRIPTION_VERSION, .InterfaceType = Isa, .MaximumLength = 4096};
    ULONG Registers;

    CHECK(IoGetDmaAdapter(NULL, &Description, &Registers) == NULL);
    PDMA_ADAPTER Adapter = Open(TRUE, 65536, &Registers);
    CHECK(Registers >= 16 && Registers <= 256);
    CHECK_IS(OPS(Adapter)->GetDmaAlignment(Adapter), 1);
    CHECK_IS(OPS(Adapter)->Size, sizeof(DMA_OPERATIONS));
    OPS(Adapter)->PutDmaAdapter(Adapter);
}

TEST(a_common_buffer_is_seen_by_both)
{
    CARD Card = OpenCard(0);
    PDMA_ADAPTER Adapter = Open(TRUE, 65536, NULL);
    PHYSICAL_ADDRESS Logical;
    ULONG *Buffer = OPS(Adapter)->AllocateCommonBuffer(Adapter, 3 * PAGE_SIZE, &Logical, TRUE);

    CHECK(Buffer != NULL && !(Logical.QuadPart & (PAGE_SIZE - 1)));
    Buffer[0] = 0xfeedface;
    CHECK(Move(Card, Logical.QuadPart + 2 * PAGE_SIZE, Logical.QuadPart, 16));
    CHECK_IS(Buffer[2 * PAGE_SIZE / 4], 0xfeedface);
    OPS(Adapter)->FreeCommonBuffer(Adapter, 3 * PAGE_SIZE, Logical, Buffer, TRUE);
    OPS(Adapter)->PutDmaAdapter(Adapter);
    CloseCard(Card);
}

TEST(memory_that_is_not_there_fails_the_transfer)
{
    CARD Card = OpenCard(0);

    CHECK(!Move(Card, 0x8000000000, 0, 16));
    CHECK_IS(Card[R_STATUS] & S_ALL, S_DMA_FAILED);
    CloseCard(Card);
}

TEST(without_bus_mastering_there_is_no_dma)
{
    CARD Card = OpenCard(0);
    USHORT Command = PCI_ENABLE_MEMORY_SPACE;

    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(0), &Command, 4, 2);
    CHECK(!Move(Card, 0x1000, 0x1000, 16));
    CloseCard(Card);
}

/* ---- Scatter/gather ---------------------------------------------------------------------------------------------- */

typedef struct _GOT {
    ULONG Calls;
    KIRQL Irql;
    PSCATTER_GATHER_LIST List;
} GOT;

static VOID TakeList(PDEVICE_OBJECT Device, PIRP Irp, PSCATTER_GATHER_LIST List, PVOID Context)
{
    GOT *Got = Context;

    Got->Calls++;
    Got->Irql = KeGetCurrentIrql();
    Got->List = List;
}

static void PutList(PDMA_ADAPTER Adapter, PSCATTER_GATHER_LIST List, BOOLEAN Write)
{
    KIRQL OldIrql;

    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    OPS(Adapter)->PutScatterGatherList(Adapter, List, Write);
    KeLowerIrql(OldIrql);
}

static NTSTATUS GetList(PDMA_ADAPTER Adapter, PDEVICE_OBJECT Device, PMDL Mdl, PVOID Va, ULONG Bytes, GOT *Got,
                        BOOLEAN Write)
{
    KIRQL OldIrql;
    NTSTATUS Status;

    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    Status = OPS(Adapter)->GetScatterGatherList(Adapter, Device, Mdl, Va, Bytes, TakeList, Got, Write);
    KeLowerIrql(OldIrql);
    return Status;
}

TEST(a_list_covers_the_buffer)
{
    CARD Card = OpenCard(0);
    PDMA_ADAPTER Adapter = Open(TRUE, 65536, NULL);
    PDEVICE_OBJECT Device = MakeDevice(CheckDriver);
    ULONG Bytes = 3 * PAGE_SIZE + 300, Sum = 0;
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, 4 * PAGE_SIZE + 100, 'tseT');
    PUCHAR Buffer = Block + 100, Copy = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, 'tseT');
    PMDL Mdl = IoAllocateMdl(Buffer, Bytes, FALSE, FALSE, NULL);
    GOT Got = {0};

    MmBuildMdlForNonPagedPool(Mdl);
    for (ULONG i = 0; i < Bytes; i++)
        Buffer[i] = (UCHAR)(i * 31);
    CHECK_IS(GetList(Adapter, Device, Mdl, Buffer, Bytes, &Got, TRUE), STATUS_SUCCESS);
    CHECK_IS(Got.Calls, 1);
    CHECK_IS(Got.Irql, DISPATCH_LEVEL);
    for (ULONG i = 0; i < Got.List->NumberOfElements; i++) {
        /* Copy is contiguous or not; the card is told piece by piece. */
        ULONG Length = Got.List->Elements[i].Length;
        for (ULONG Done = 0, Part; Done < Length; Done += Part) {
            Part = PAGE_SIZE - (ULONG)((ULONG_PTR)(Copy + Sum) & (PAGE_SIZE - 1));
            Part = Part < Length - Done ? Part : Length - Done;
            CHECK(Move(Card, MmGetPhysicalAddress(Copy + Sum).QuadPart, Got.List->Elements[i].Address.QuadPart + Done,
                       Part));
            Sum += Part;
        }
    }
    CHECK_IS(Sum, Bytes);
    CHECK_IS(RtlCompareMemory(Buffer, Copy, Bytes), Bytes);
    PutList(Adapter, Got.List, TRUE);
    CHECK_IS(GetList(Adapter, Device, Mdl, Buffer, Bytes + 1, &Got, TRUE), STATUS_BUFFER_TOO_SMALL);
    CHECK_IS(Got.Calls, 1);
    IoFreeMdl(Mdl);
    ExFreePool(Block);
    ExFreePool(Copy);
    OPS(Adapter)->PutDmaAdapter(Adapter);
    IoDeleteDevice(Device);
    CloseCard(Card);
}

TEST(a_list_can_lie_in_the_drivers_memory)
{
    PDMA_ADAPTER Adapter = Open(TRUE, 65536, NULL);
    PDEVICE_OBJECT Device = MakeDevice(CheckDriver);
    PUCHAR Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, 'tseT');
    PMDL Mdl = IoAllocateMdl(Buffer, PAGE_SIZE, FALSE, FALSE, NULL);
    ULONG Bytes, Registers;
    GOT Got = {0};
    PVOID List;
    KIRQL OldIrql;

    MmBuildMdlForNonPagedPool(Mdl);
    CHECK_IS(OPS(Adapter)->CalculateScatterGatherList(Adapter, Mdl, Buffer, PAGE_SIZE, &Bytes, &Registers),
             STATUS_SUCCESS);
    CHECK(Registers >= 1 && Bytes >= sizeof(SCATTER_GATHER_LIST));
    List = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, 'tseT');
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK_IS(OPS(Adapter)->BuildScatterGatherList(Adapter, Device, Mdl, Buffer, PAGE_SIZE, TakeList, &Got, TRUE, List,
                                                  Bytes - 1),
             STATUS_BUFFER_TOO_SMALL);
    CHECK_IS(OPS(Adapter)->BuildScatterGatherList(Adapter, Device, Mdl, Buffer, PAGE_SIZE, TakeList, &Got, TRUE, List,
                                                  Bytes),
             STATUS_SUCCESS);
    KeLowerIrql(OldIrql);
    CHECK_IS(Got.Calls, 1);
    CHECK((PUCHAR)Got.List >= (PUCHAR)List && (PUCHAR)Got.List < (PUCHAR)List + Bytes);
    CHECK_IS(Got.List->Elements[0].Address.QuadPart, MmGetPhysicalAddress(Buffer).QuadPart);
    PutList(Adapter, Got.List, TRUE);
    ExFreePool(List);
    IoFreeMdl(Mdl);
    ExFreePool(Buffer);
    OPS(Adapter)->PutDmaAdapter(Adapter);
    IoDeleteDevice(Device);
}

/* ---- Map registers ----------------------------------------------------------------------------------------------- */

static PVOID MapBase;
static ULONG ControlCalls;
static IO_ALLOCATION_ACTION Action;
static IO_ALLOCATION_ACTION TakeChannel(PDEVICE_OBJECT Device, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    CHECK_IRQL(DISPATCH_LEVEL);
    ControlCalls++;
    MapBase = MapRegisterBase;
    return Action;
}

TEST(map_registers_make_the_buffer_contiguous)
{
    CARD Card = OpenCard(0);
    PDMA_ADAPTER Adapter = Open(FALSE, 65536, NULL);
    PDEVICE_OBJECT Device = MakeDevice(CheckDriver);
    ULONG Bytes = 2 * PAGE_SIZE, Length = Bytes;
    PUCHAR Block = ExAllocatePoolWithTag(NonPagedPoolNx, 4 * PAGE_SIZE, 'tseT');
    PUCHAR Buffer = Block + 40;
    PMDL Mdl = IoAllocateMdl(Buffer, Bytes, FALSE, FALSE, NULL);
    PHYSICAL_ADDRESS Logical;
    KIRQL OldIrql;

    MmBuildMdlForNonPagedPool(Mdl);
    Action = DeallocateObjectKeepRegisters;
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK_IS(OPS(Adapter)->AllocateAdapterChannel(Adapter, Device, 3, TakeChannel, NULL), STATUS_SUCCESS);
    CHECK_IS(ControlCalls, 1);
    KeLowerIrql(OldIrql);
    /* To the device: half of it is moved within the registers by the card. */
    RtlFillMemory(Buffer, Bytes, 0x5a);
    Logical = OPS(Adapter)->MapTransfer(Adapter, Mdl, MapBase, Buffer, &Length, TRUE);
    CHECK_IS(Length, Bytes);
    CHECK(Logical.QuadPart != MmGetPhysicalAddress(Buffer).QuadPart);
    CHECK(OPS(Adapter)->FlushAdapterBuffers(Adapter, Mdl, MapBase, Buffer, Bytes, TRUE));
    /* From the device: nothing is seen before the flush. */
    RtlZeroMemory(Buffer, Bytes);
    Logical = OPS(Adapter)->MapTransfer(Adapter, Mdl, MapBase, Buffer, &Length, FALSE);
    Card[R_SCRATCH] = 0x77777777;
    *(volatile ULONGLONG *)&Card[R_DESTINATION] = Logical.QuadPart;
    Card[R_LENGTH] = Bytes;
    Card[R_COMMAND] = M_FILL;
    Card[R_DOORBELL] = 1;
    while (Card[R_STATUS] & S_BUSY)
        ;
    CHECK_IS(Buffer[Bytes - 1], 0);
    CHECK(OPS(Adapter)->FlushAdapterBuffers(Adapter, Mdl, MapBase, Buffer, Bytes, FALSE));
    CHECK_IS(Buffer[0], 0x77);
    CHECK_IS(Buffer[Bytes - 1], 0x77);
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    OPS(Adapter)->FreeMapRegisters(Adapter, MapBase, 3);
    KeLowerIrql(OldIrql);
    IoFreeMdl(Mdl);
    ExFreePool(Block);
    OPS(Adapter)->PutDmaAdapter(Adapter);
    IoDeleteDevice(Device);
    CloseCard(Card);
}

TEST(a_kept_channel_makes_the_next_one_wait)
{
    PDMA_ADAPTER Adapter = Open(FALSE, 65536, NULL);
    PDEVICE_OBJECT Device = MakeDevice(CheckDriver);
    KIRQL OldIrql;
    PVOID First;

    ControlCalls = 0;
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK_IS(OPS(Adapter)->AllocateAdapterChannel(Adapter, Device, 10000, TakeChannel, NULL),
             STATUS_INSUFFICIENT_RESOURCES);
    Action = KeepObject;
    OPS(Adapter)->AllocateAdapterChannel(Adapter, Device, 1, TakeChannel, NULL);
    First = MapBase;
    Action = DeallocateObject;
    CHECK_IS(OPS(Adapter)->AllocateAdapterChannel(Adapter, Device, 1, TakeChannel, NULL), STATUS_SUCCESS);
    CHECK_IS(ControlCalls, 1);
    OPS(Adapter)->FreeMapRegisters(Adapter, First, 1);
    OPS(Adapter)->FreeAdapterChannel(Adapter);
    CHECK_IS(ControlCalls, 2);
    KeLowerIrql(OldIrql);
    OPS(Adapter)->PutDmaAdapter(Adapter);
    IoDeleteDevice(Device);
}

CHECK_DRIVER(T(only_bus_masters_get_an_adapter), T(a_common_buffer_is_seen_by_both),
             T(memory_that_is_not_there_fails_the_transfer), T(without_bus_mastering_there_is_no_dma),
             T(a_list_covers_the_buffer), T(a_list_can_lie_in_the_drivers_memory),
             T(map_registers_make_the_buffer_contiguous), T(a_kept_channel_makes_the_next_one_wait))
