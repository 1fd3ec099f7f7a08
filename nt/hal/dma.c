/*
 * DMA adapters. (docs: IoGetDmaAdapter, DMA_OPERATIONS, "Splitting DMA Transfer Requests", GetScatterGatherList)
 *
 * Logical addresses are physical addresses. A device that can do scatter/gather and reach all of RAM works on the
 * driver's own pages; any other works on map registers: pages of ours, contiguous and within its reach, to which
 * MapTransfer copies what the device shall read, and from which FlushAdapterBuffers copies what it has written. So a
 * driver that forgets the flush sees it here, as it would on a machine with more memory than the device can address.
 *
 * The routines of the table are called through thunks made from their contracts, as imports are.
 *
 * DIFFERS: there is no system DMA controller, so devices that are no bus masters get no adapter. Map registers never
 * run out: a channel waits only for the adapter itself.
 */
#include "nt.h"

#include "hal/dma.h"

BOOLEAN HalpNeedsMap(PHALP_ADAPTER Adapter)
{
    UINT64 End = KiDoor->shares ? DOOR_SHARE_PA + DOOR_SHARES * DOOR_SHARE_BYTES : KiDoor->ram_bytes;

    return !Adapter->ScatterGather || End - 1 > Adapter->Highest;
}

/* ---- Common buffers -------------------------------------------------------------------------------------------------
 */

PVOID HalpAllocateBuffer(PHALP_ADAPTER Adapter, ULONG Length, UINT64 Lowest, UINT64 Highest, PPHYSICAL_ADDRESS Logical)
{
    PHYSICAL_ADDRESS None = {.QuadPart = 0}, Low = {.QuadPart = (LONGLONG)Lowest};
    PHYSICAL_ADDRESS High = {.QuadPart = (LONGLONG)(Highest < Adapter->Highest ? Highest : Adapter->Highest)};
    PVOID Buffer = Length ? MmAllocateContiguousMemorySpecifyCache(Length, Low, High, None, MmCached) : NULL;

    if (!Buffer)
        return NULL;
    Adapter->Buffers++;
    *Logical = MmGetPhysicalAddress(Buffer);
    return Buffer;
}

VOID HalpFreeBuffer(PHALP_ADAPTER Adapter, PVOID Buffer)
{
    Adapter->Buffers--;
    MmFreeContiguousMemory(Buffer);
}

static PVOID HalpAllocateCommonBuffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress,
                                      BOOLEAN CacheEnabled)
{
    return HalpAllocateBuffer(HalpAdapter(DmaAdapter), Length, 0, ~0ull, LogicalAddress);
}

static VOID HalpFreeCommonBuffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PHYSICAL_ADDRESS LogicalAddress,
                                 PVOID VirtualAddress, BOOLEAN CacheEnabled)
{
    HalpFreeBuffer(HalpAdapter(DmaAdapter), VirtualAddress);
}

/* ---- Map registers ----------------------------------------------------------------------------------------------- */

PHALP_MAP HalpCreateMap(PHALP_ADAPTER Adapter, ULONG Count)
{
    PHALP_MAP Map = ExpTryAllocate(sizeof(*Map), HALP_TAG);

    if (!Map)
        return NULL;
    RtlZeroMemory(Map, sizeof(*Map));
    Map->Count = Count;
    Map->Bounce = HalpNeedsMap(Adapter);
    if (Map->Bounce && Count && !(Map->Physical = MiAllocatePages(Count))) {
        ExpFree(Map);
        return NULL;
    }
    Adapter->Maps++;
    return Map;
}

VOID HalpDeleteMap(PHALP_ADAPTER Adapter, PHALP_MAP Map)
{
    Adapter->Maps--;
    if (Adapter->Holder == Map)
        Adapter->Holder = NULL;
    if (Map->Physical)
        MiFreePages(Map->Physical, Map->Count);
    ExpFree(Map);
}

UINT64 HalpPhysicalOf(PMDL Mdl, PVOID CurrentVa)
{
    UINT64 Page = ((UINT64)CurrentVa >> PAGE_SHIFT) - ((UINT64)Mdl->StartVa >> PAGE_SHIFT);

    return ((UINT64)MmGetMdlPfnArray(Mdl)[Page] << PAGE_SHIFT) + BYTE_OFFSET(CurrentVa);
}

ULONG HalpRun(PMDL Mdl, PVOID CurrentVa, ULONG Length)
{
    UINT64 Start = HalpPhysicalOf(Mdl, CurrentVa);
    ULONG Run = PAGE_SIZE - BYTE_OFFSET(CurrentVa);

    while (Run < Length && HalpPhysicalOf(Mdl, (PUCHAR)CurrentVa + Run) == Start + Run)
        Run += PAGE_SIZE;
    return Run < Length ? Run : Length;
}

ULONG HalpLeftIn(PMDL Mdl, PVOID CurrentVa)
{
    return (ULONG)((PUCHAR)MmGetMdlVirtualAddress(Mdl) + MmGetMdlByteCount(Mdl) - (PUCHAR)CurrentVa);
}

VOID HalpCopy(PMDL Mdl, PVOID CurrentVa, UINT64 Register, ULONG Length, BOOLEAN FromDriver)
{
    PUCHAR Va = CurrentVa, Ours = MiLinear(Register);

    for (ULONG Part; Length; Length -= Part, Va += Part, Ours += Part) {
        PHYSICAL_ADDRESS Page;
        PVOID Driver;
        for (; Mdl && !HalpLeftIn(Mdl, Va); Va = Mdl ? MmGetMdlVirtualAddress(Mdl) : NULL)
            Mdl = Mdl->Next;
        if (!Mdl)
            return;
        Page.QuadPart = (LONGLONG)HalpPhysicalOf(Mdl, Va);
        Driver = MmGetVirtualForPhysical(Page);
        Part = PAGE_SIZE - BYTE_OFFSET(Va);
        Part = Part < Length ? Part : Length;
        Part = Part < HalpLeftIn(Mdl, Va) ? Part : HalpLeftIn(Mdl, Va);
        memcpy(FromDriver ? Ours : Driver, FromDriver ? Driver : Ours, Part);
    }
}

/* The register behind an address of the buffer, and how far the registers reach from there. */
static UINT64 HalpRegisterOf(PHALP_MAP Map, PVOID CurrentVa, ULONG *Length)
{
    UINT64 Offset = (UINT64)CurrentVa - (Map->FirstPage << PAGE_SHIFT);
    UINT64 Bytes = (UINT64)Map->Count << PAGE_SHIFT;

    if (Offset >= Bytes)
        *Length = 0;
    else if (*Length > Bytes - Offset)
        *Length = (ULONG)(Bytes - Offset);
    return Map->Physical + Offset;
}

static PHYSICAL_ADDRESS HalpMapTransfer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                        PULONG Length, BOOLEAN WriteToDevice)
{
    PHALP_MAP Map = MapRegisterBase;
    PHYSICAL_ADDRESS Logical;

    if (!Map || !Map->Bounce) { /* docs: without map registers, the run at this place */
        *Length = HalpRun(Mdl, CurrentVa, *Length);
        Logical.QuadPart = (LONGLONG)HalpPhysicalOf(Mdl, CurrentVa);
        return Logical;
    }
    if (!Map->Started) {
        Map->Started = TRUE;
        Map->FirstPage = (UINT64)CurrentVa >> PAGE_SHIFT;
    }
    Logical.QuadPart = (LONGLONG)HalpRegisterOf(Map, CurrentVa, Length);
    if (WriteToDevice)
        HalpCopy(Mdl, CurrentVa, (UINT64)Logical.QuadPart, *Length, TRUE);
    return Logical;
}

static BOOLEAN HalpFlushAdapterBuffers(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                       ULONG Length, BOOLEAN WriteToDevice)
{
    PHALP_MAP Map = MapRegisterBase;
    UINT64 Register;

    if (!Map || !Map->Bounce || !Map->Started)
        return TRUE;
    Register = HalpRegisterOf(Map, CurrentVa, &Length);
    if (!WriteToDevice)
        HalpCopy(Mdl, CurrentVa, Register, Length, FALSE);
    Map->Started = FALSE; /* the registers stand for the next transfer */
    return TRUE;
}

static VOID HalpFreeMapRegisters(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase, ULONG NumberOfMapRegisters)
{
    if (MapRegisterBase)
        HalpDeleteMap(HalpAdapter(DmaAdapter), MapRegisterBase);
}

/* ---- The channel ------------------------------------------------------------------------------------------------- */

/* DISPATCH_LEVEL. The adapter is the caller's; its routine says what becomes of it. */
static VOID HalpRunChannel(PHALP_ADAPTER Adapter, const HALP_WAITER *Waiter, PHALP_MAP Map)
{
    VF_CALLBACK Callback = {0};
    IO_ALLOCATION_ACTION Action;

    Callback.Contract = "DRIVER_CONTROL";
    Callback.What = "AdapterControl routine of device %o";
    Callback.StackText = "The channel was asked for at:";
    Callback.Routine = (PVOID)Waiter->Routine;
    Callback.Object = Waiter->Device;
    Callback.Stack = Waiter->Stack;
    Adapter->Holder = Map;
    VfEnterCallback(&Callback);
    Action = Waiter->Routine(Waiter->Device, Waiter->Device->CurrentIrp, Map, Waiter->Context);
    VfLeaveCallback(&Callback);
    if (Action == DeallocateObjectKeepRegisters)
        Adapter->Holder = NULL;
    if (Action == DeallocateObject && Map)
        HalpDeleteMap(Adapter, Map);
    if (Action != KeepObject)
        HalpReleaseChannel(Adapter);
}

VOID HalpReleaseChannel(PHALP_ADAPTER Adapter)
{
    PHALP_WAITER Waiter;
    PHALP_MAP Map;

    if (IsListEmpty(&Adapter->Waiting)) {
        Adapter->Busy = FALSE;
        return;
    }
    Waiter = CONTAINING_RECORD(RemoveHeadList(&Adapter->Waiting), HALP_WAITER, Entry);
    Map = HalpCreateMap(Adapter, Waiter->Registers);
    if (!Map)
        KiInternalError("no memory for map registers");
    HalpRunChannel(Adapter, Waiter, Map);
    ExpFree(Waiter);
}

NTSTATUS HalpAllocateChannel(PHALP_ADAPTER Adapter, const HALP_WAITER *Request)
{
    PHALP_WAITER Waiter;
    PHALP_MAP Map;

    if (Request->Registers > Adapter->MapRegisters)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Adapter->Busy) {
        if (!(Waiter = ExpTryAllocate(sizeof(*Waiter), HALP_TAG)))
            return STATUS_INSUFFICIENT_RESOURCES;
        *Waiter = *Request;
        InsertTailList(&Adapter->Waiting, &Waiter->Entry);
        return STATUS_SUCCESS;
    }
    if (!(Map = HalpCreateMap(Adapter, Request->Registers)))
        return STATUS_INSUFFICIENT_RESOURCES;
    Adapter->Busy = TRUE;
    HalpRunChannel(Adapter, Request, Map);
    return STATUS_SUCCESS;
}

static NTSTATUS HalpAllocateAdapterChannel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                           ULONG NumberOfMapRegisters, PDRIVER_CONTROL ExecutionRoutine, PVOID Context)
{
    HALP_WAITER Request = {.Device = DeviceObject,
                           .Routine = ExecutionRoutine,
                           .Context = Context,
                           .Registers = NumberOfMapRegisters,
                           .Stack = VfCaptureStack()};

    return HalpAllocateChannel(HalpAdapter(DmaAdapter), &Request);
}

static VOID HalpFreeAdapterChannel(PDMA_ADAPTER DmaAdapter)
{
    HalpReleaseChannel(HalpAdapter(DmaAdapter));
}

static ULONG HalpGetDmaAlignment(PDMA_ADAPTER DmaAdapter)
{
    return 1;
}

static ULONG HalpReadDmaCounter(PDMA_ADAPTER DmaAdapter)
{
    return 0; /* of the system's DMA controller: there is none */
}

/* ---- Scatter/gather ---------------------------------------------------------------------------------------------- */

ULONG HalpElements(PMDL Mdl, PVOID CurrentVa, ULONG Length)
{
    ULONG Count = 0;
    PUCHAR Va = CurrentVa;

    for (; Mdl && Length; Mdl = Mdl->Next, Va = Mdl ? MmGetMdlVirtualAddress(Mdl) : NULL) {
        ULONG Here = HalpLeftIn(Mdl, Va);
        Here = Here < Length ? Here : Length;
        Count += (ULONG)ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, Here);
        Length -= Here;
    }
    return Count + (ULONG)ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, Length); /* without MDLs: as the addresses say */
}

ULONG HalpListBytes(PMDL Mdl, PVOID CurrentVa, ULONG Length)
{
    return FIELD_OFFSET(HALP_LIST, Public.Elements) +
           HalpElements(Mdl, CurrentVa, Length) * sizeof(SCATTER_GATHER_ELEMENT);
}

VOID HalpAddElement(PSCATTER_GATHER_LIST List, UINT64 Address, ULONG Length)
{
    PSCATTER_GATHER_ELEMENT Element = &List->Elements[List->NumberOfElements++];

    Element->Address.QuadPart = (LONGLONG)Address;
    Element->Length = Length;
    Element->Reserved = 0;
}

/* The chain from here on holds so much. */
BOOLEAN HalpReaches(PMDL Mdl, PVOID CurrentVa, ULONG Length)
{
    for (PUCHAR Va = CurrentVa; Mdl; Mdl = Mdl->Next, Va = Mdl ? MmGetMdlVirtualAddress(Mdl) : NULL) {
        ULONG Here = HalpLeftIn(Mdl, Va);
        if (Here >= Length)
            return TRUE;
        Length -= Here;
    }
    return FALSE;
}

static VOID HalpFillList(PHALP_LIST List, BOOLEAN WriteToDevice)
{
    PUCHAR Va = List->CurrentVa;
    PMDL Mdl = List->Mdl;
    ULONG Left = List->Length;

    List->Public.NumberOfElements = 0;
    if (List->Map) {
        UINT64 Physical = List->Map->Physical + BYTE_OFFSET(Va);
        if (WriteToDevice)
            HalpCopy(Mdl, Va, Physical, Left, TRUE);
        HalpAddElement(&List->Public, Physical, Left);
        return;
    }
    while (Left && Mdl) {
        ULONG Here = HalpLeftIn(Mdl, Va), Run;
        if (!Here) {
            Mdl = Mdl->Next;
            Va = Mdl ? MmGetMdlVirtualAddress(Mdl) : NULL;
            continue;
        }
        Run = HalpRun(Mdl, Va, Here < Left ? Here : Left);
        HalpAddElement(&List->Public, HalpPhysicalOf(Mdl, Va), Run);
        Va += Run;
        Left -= Run;
    }
}

NTSTATUS HalpPrepareList(PHALP_ADAPTER Adapter, PHALP_LIST List, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                         BOOLEAN WriteToDevice)
{
    ULONG Pages = (ULONG)ADDRESS_AND_SIZE_TO_SPAN_PAGES(CurrentVa, Length);

    List->Map = NULL;
    List->Mdl = Mdl;
    List->CurrentVa = CurrentVa;
    List->Length = Length;
    if (HalpNeedsMap(Adapter) && !(List->Map = HalpCreateMap(Adapter, Pages)))
        return STATUS_INSUFFICIENT_RESOURCES;
    HalpFillList(List, WriteToDevice);
    Adapter->Lists++;
    return STATUS_SUCCESS;
}

VOID HalpGiveList(PHALP_LIST List, PDEVICE_OBJECT Device, PDRIVER_LIST_CONTROL Routine, PVOID Context, ULONG Stack)
{
    VF_CALLBACK Callback = {0};

    Callback.Contract = "DRIVER_LIST_CONTROL";
    Callback.What = "AdapterListControl routine of device %o";
    Callback.StackText = "The list was asked for at:";
    Callback.Routine = (PVOID)Routine;
    Callback.Object = Device;
    Callback.Stack = Stack;
    VfEnterCallback(&Callback);
    Routine(Device, Device->CurrentIrp, &List->Public, Context);
    VfLeaveCallback(&Callback);
}

static NTSTATUS HalpGetScatterGatherList(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                         PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                         PVOID Context, BOOLEAN WriteToDevice)
{
    ULONG Stack = VfCaptureStack();
    PHALP_LIST List;
    NTSTATUS Status;

    if (!Length || !HalpReaches(Mdl, CurrentVa, Length))
        return STATUS_BUFFER_TOO_SMALL;
    if (!(List = ExpTryAllocate(HalpListBytes(Mdl, CurrentVa, Length), HALP_TAG)))
        return STATUS_INSUFFICIENT_RESOURCES;
    List->OfDriver = FALSE;
    Status = HalpPrepareList(HalpAdapter(DmaAdapter), List, Mdl, CurrentVa, Length, WriteToDevice);
    if (NT_SUCCESS(Status))
        HalpGiveList(List, DeviceObject, ExecutionRoutine, Context, Stack);
    else
        ExpFree(List);
    return Status;
}

static VOID HalpPutScatterGatherList(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather, BOOLEAN WriteToDevice)
{
    PHALP_ADAPTER Adapter = HalpAdapter(DmaAdapter);
    PHALP_LIST List = CONTAINING_RECORD(ScatterGather, HALP_LIST, Public);

    if (List->Map) {
        if (!WriteToDevice)
            HalpCopy(List->Mdl, List->CurrentVa, List->Map->Physical + BYTE_OFFSET(List->CurrentVa), List->Length,
                     FALSE);
        HalpDeleteMap(Adapter, List->Map);
    }
    Adapter->Lists--;
    if (!List->OfDriver)
        ExpFree(List);
}

static NTSTATUS HalpCalculateScatterGatherList(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                               PULONG ScatterGatherListSize, PULONG NumberOfMapRegisters)
{
    *ScatterGatherListSize = HalpListBytes(Mdl, CurrentVa, Length);
    if (NumberOfMapRegisters)
        *NumberOfMapRegisters = (ULONG)ADDRESS_AND_SIZE_TO_SPAN_PAGES(CurrentVa, Length);
    return STATUS_SUCCESS;
}

static NTSTATUS HalpBuildScatterGatherList(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                           PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                           PVOID Context, BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                           ULONG ScatterGatherLength)
{
    ULONG Stack = VfCaptureStack();
    PHALP_LIST List = ScatterGatherBuffer;
    NTSTATUS Status;

    if (ScatterGatherLength < HalpListBytes(Mdl, CurrentVa, Length))
        return STATUS_BUFFER_TOO_SMALL;
    List->OfDriver = TRUE;
    Status = HalpPrepareList(HalpAdapter(DmaAdapter), List, Mdl, CurrentVa, Length, WriteToDevice);
    if (NT_SUCCESS(Status))
        HalpGiveList(List, DeviceObject, ExecutionRoutine, Context, Stack);
    return Status;
}

static NTSTATUS HalpBuildMdlFromScatterGatherList(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                                  PMDL OriginalMdl, PMDL *TargetMdl)
{
    PHALP_LIST List = CONTAINING_RECORD(ScatterGather, HALP_LIST, Public);

    if (List->Map)
        return STATUS_NOT_SUPPORTED; /* logical addresses are not the driver's pages */
    *TargetMdl = OriginalMdl;
    return STATUS_SUCCESS;
}

/* ---- Adapters ---------------------------------------------------------------------------------------------------- */

static VOID HalpReportInUse(PHALP_ADAPTER Adapter)
{
    VfFinding("dma.adapter-in-use", 0xE6, 0, (UINT64)Adapter, Adapter->Buffers, Adapter->Lists + Adapter->Maps);
    VfSubject("PutDmaAdapter");
    VfText("a DMA adapter is given back with %u common buffers, %u scatter/gather lists and %u sets of map registers "
           "in use",
           Adapter->Buffers, Adapter->Lists, Adapter->Maps);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, Adapter->Stack, Adapter, NULL, "The adapter was got at:");
    VfCommit();
}

static VOID HalpPutAdapter(PDMA_ADAPTER DmaAdapter)
{
    PHALP_ADAPTER Adapter = HalpAdapter(DmaAdapter);

    if (Adapter->Buffers || Adapter->Lists || Adapter->Maps)
        HalpReportInUse(Adapter);
    VfUntrack(Adapter, VfDmaAdapter);
    ExpFree(Adapter);
}

static DMA_OPERATIONS HalpOperations;

static VOID HalpFillOperations(VOID)
{
#define OPERATION(Field, Type, Routine) HalpOperations.Field = (Type)VfBindRoutine(#Type, (UINT64)(Routine))
    if (HalpOperations.Size)
        return;
    OPERATION(PutDmaAdapter, PPUT_DMA_ADAPTER, HalpPutAdapter);
    OPERATION(AllocateCommonBuffer, PALLOCATE_COMMON_BUFFER, HalpAllocateCommonBuffer);
    OPERATION(FreeCommonBuffer, PFREE_COMMON_BUFFER, HalpFreeCommonBuffer);
    OPERATION(AllocateAdapterChannel, PALLOCATE_ADAPTER_CHANNEL, HalpAllocateAdapterChannel);
    OPERATION(FlushAdapterBuffers, PFLUSH_ADAPTER_BUFFERS, HalpFlushAdapterBuffers);
    OPERATION(FreeAdapterChannel, PFREE_ADAPTER_CHANNEL, HalpFreeAdapterChannel);
    OPERATION(FreeMapRegisters, PFREE_MAP_REGISTERS, HalpFreeMapRegisters);
    OPERATION(MapTransfer, PMAP_TRANSFER, HalpMapTransfer);
    OPERATION(GetDmaAlignment, PGET_DMA_ALIGNMENT, HalpGetDmaAlignment);
    OPERATION(ReadDmaCounter, PREAD_DMA_COUNTER, HalpReadDmaCounter);
    OPERATION(GetScatterGatherList, PGET_SCATTER_GATHER_LIST, HalpGetScatterGatherList);
    OPERATION(PutScatterGatherList, PPUT_SCATTER_GATHER_LIST, HalpPutScatterGatherList);
    OPERATION(CalculateScatterGatherList, PCALCULATE_SCATTER_GATHER_LIST_SIZE, HalpCalculateScatterGatherList);
    OPERATION(BuildScatterGatherList, PBUILD_SCATTER_GATHER_LIST, HalpBuildScatterGatherList);
    OPERATION(BuildMdlFromScatterGatherList, PBUILD_MDL_FROM_SCATTER_GATHER_LIST, HalpBuildMdlFromScatterGatherList);
#undef OPERATION
    HalpOperations.Size = sizeof(HalpOperations);
}

#define DEVICE_DESCRIPTION_VERSION3 3

/* What version 3 has behind the rest. (docs: DEVICE_DESCRIPTION) */
typedef struct _HALP_DESCRIPTION3 {
    DEVICE_DESCRIPTION Version2;
    ULONG DmaAddressWidth;
    ULONG DmaControllerInstance;
    ULONG DmaRequestLine;
    PHYSICAL_ADDRESS DeviceAddress;
} HALP_DESCRIPTION3;
C_ASSERT(FIELD_OFFSET(HALP_DESCRIPTION3, DmaAddressWidth) == 0x28 &&
         FIELD_OFFSET(HALP_DESCRIPTION3, DeviceAddress) == 0x38);

/* Bits of an address that the device has. */
static ULONG HalpAddressWidth(PDEVICE_DESCRIPTION Description)
{
    ULONG Width =
        Description->Version == DEVICE_DESCRIPTION_VERSION3 ? ((HALP_DESCRIPTION3 *)Description)->DmaAddressWidth : 0;

    if (Width)
        return Width < 64 ? Width : 64;
    if (Description->Dma64BitAddresses)
        return 64;
    return Description->Dma32BitAddresses || Description->InterfaceType == PCIBus ? 32 : 24;
}

static PHALP_ADAPTER HalpCreateAdapter(PDEVICE_DESCRIPTION Description, PULONG NumberOfMapRegisters, PVOID Site,
                                       ULONG Stack)
{
    PHALP_ADAPTER Adapter;
    ULONG Registers;

    if (Description->Version > DEVICE_DESCRIPTION_VERSION3 || !Description->Master || !Description->MaximumLength ||
        !(Adapter = ExpTryAllocate(sizeof(*Adapter), HALP_TAG)))
        return NULL;
    HalpFillOperations();
    RtlZeroMemory(Adapter, sizeof(*Adapter));
    Adapter->Public.Version = Description->Version < DEVICE_DESCRIPTION_VERSION3 ? 1 : 3; /* docs: DMA_ADAPTER */
    Adapter->Public.Size = sizeof(*Adapter);
    Adapter->Public.DmaOperations =
        Adapter->Public.Version == 1 ? &HalpOperations : HalpOperationsOfVersion3(&HalpOperations);
    Adapter->ScatterGather = Description->ScatterGather;
    Adapter->AddressWidth = HalpAddressWidth(Description);
    Adapter->Highest = Adapter->AddressWidth == 64 ? ~0ull : (1ull << Adapter->AddressWidth) - 1;
    Adapter->Stack = Stack;
    InitializeListHead(&Adapter->Waiting);
    Registers = (ULONG)((UINT64)Description->MaximumLength / PAGE_SIZE + 2);
    Adapter->MapRegisters = Registers < HALP_MAP_REGISTERS ? Registers : HALP_MAP_REGISTERS;
    *NumberOfMapRegisters = Adapter->MapRegisters;
    VfTrack(Adapter, sizeof(*Adapter), VfDmaAdapter, Site, Stack); /* whose image the call came from */
    return Adapter;
}

PDMA_ADAPTER IoGetDmaAdapter(PDEVICE_OBJECT PhysicalDeviceObject, PDEVICE_DESCRIPTION DeviceDescription,
                             PULONG NumberOfMapRegisters)
{
    PHALP_ADAPTER Adapter =
        HalpCreateAdapter(DeviceDescription, NumberOfMapRegisters, __builtin_return_address(0), VfCaptureStack());
    return Adapter ? &Adapter->Public : NULL;
}

/* ---- The older names --------------------------------------------------------------------------------------------- */

PADAPTER_OBJECT HalGetAdapter(PDEVICE_DESCRIPTION DeviceDescription, PULONG NumberOfMapRegisters)
{
    return HalpCreateAdapter(DeviceDescription, NumberOfMapRegisters, __builtin_return_address(0), VfCaptureStack());
}

VOID HalPutDmaAdapter(PADAPTER_OBJECT DmaAdapter)
{
    HalpPutAdapter(&DmaAdapter->Public);
}

PVOID HalExportAllocateCommonBuffer(PADAPTER_OBJECT AdapterObject, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress,
                                    BOOLEAN CacheEnabled)
{
    return HalpAllocateCommonBuffer(&AdapterObject->Public, Length, LogicalAddress, CacheEnabled);
}

VOID HalExportFreeCommonBuffer(PADAPTER_OBJECT AdapterObject, ULONG Length, PHYSICAL_ADDRESS LogicalAddress,
                               PVOID VirtualAddress, BOOLEAN CacheEnabled)
{
    HalpFreeCommonBuffer(&AdapterObject->Public, Length, LogicalAddress, VirtualAddress, CacheEnabled);
}

NTSTATUS HalExportAllocateAdapterChannel(PADAPTER_OBJECT AdapterObject, PDEVICE_OBJECT DeviceObject,
                                         ULONG NumberOfMapRegisters, PDRIVER_CONTROL ExecutionRoutine, PVOID Context)
{
    HALP_WAITER Request = {.Device = DeviceObject,
                           .Routine = ExecutionRoutine,
                           .Context = Context,
                           .Registers = NumberOfMapRegisters,
                           .Stack = VfCaptureStack()};

    return HalpAllocateChannel(AdapterObject, &Request);
}

BOOLEAN HalExportFlushAdapterBuffers(PADAPTER_OBJECT AdapterObject, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                     ULONG Length, BOOLEAN WriteToDevice)
{
    return HalpFlushAdapterBuffers(&AdapterObject->Public, Mdl, MapRegisterBase, CurrentVa, Length, WriteToDevice);
}

VOID HalExportFreeAdapterChannel(PADAPTER_OBJECT AdapterObject)
{
    HalpReleaseChannel(AdapterObject);
}

VOID HalExportFreeMapRegisters(PADAPTER_OBJECT AdapterObject, PVOID MapRegisterBase, ULONG NumberOfMapRegisters)
{
    HalpFreeMapRegisters(&AdapterObject->Public, MapRegisterBase, NumberOfMapRegisters);
}

PHYSICAL_ADDRESS HalExportMapTransfer(PADAPTER_OBJECT AdapterObject, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                      PULONG Length, BOOLEAN WriteToDevice)
{
    return HalpMapTransfer(&AdapterObject->Public, Mdl, MapRegisterBase, CurrentVa, Length, WriteToDevice);
}

ULONG HalExportReadDmaCounter(PADAPTER_OBJECT AdapterObject)
{
    return HalpReadDmaCounter(&AdapterObject->Public);
}
