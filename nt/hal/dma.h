/*
 * What the DMA adapters' files share: dma.c has the adapter and versions 1 and 2 of its operations, dma3.c version 3.
 */
#pragma once

#define HALP_TAG 'amDH'
#define HALP_MAP_REGISTERS 256 /* of one transfer: 1 MiB */

/* Map registers of one transfer. */
typedef struct _HALP_MAP {
    ULONG Count;
    BOOLEAN Bounce;
    BOOLEAN Started;
    UINT64 Physical;
    UINT64 FirstPage; /* of the buffer, or of the offset in its MDLs, that the first register stands for */
} HALP_MAP, *PHALP_MAP;

struct _ADAPTER_OBJECT {
    DMA_ADAPTER Public;
    BOOLEAN ScatterGather;
    BOOLEAN Busy;     /* a channel is allocated */
    PHALP_MAP Holder; /* its map registers, as long as they go with it */
    UINT64 Highest;   /* address the device can reach */
    ULONG AddressWidth;
    ULONG MapRegisters;
    ULONG Lists, Buffers, Maps; /* handed out and not given back */
    ULONG Stack;
    LIST_ENTRY Waiting; /* HALP_WAITER */
};
typedef struct _ADAPTER_OBJECT *PHALP_ADAPTER;

typedef struct _HALP_WAITER {
    LIST_ENTRY Entry;
    PDEVICE_OBJECT Device;
    PDRIVER_CONTROL Routine;
    PVOID Context;
    PVOID Transfer; /* version 3: the request's DMA transfer context */
    ULONG Registers;
    ULONG Stack;
} HALP_WAITER, *PHALP_WAITER;

/* A list as we make it: the public part begins where drivers see it. */
typedef struct _HALP_LIST {
    PHALP_MAP Map; /* when the device can't reach the pages themselves */
    PMDL Mdl;
    PVOID CurrentVa;
    ULONG Length;
    BOOLEAN OfDriver; /* the memory is */
    SCATTER_GATHER_LIST Public;
} HALP_LIST, *PHALP_LIST;

static inline PHALP_ADAPTER HalpAdapter(PDMA_ADAPTER Adapter)
{
    return CONTAINING_RECORD(Adapter, struct _ADAPTER_OBJECT, Public);
}

/* Pages of the driver's own will not do. */
BOOLEAN HalpNeedsMap(PHALP_ADAPTER Adapter);
PVOID HalpAllocateBuffer(PHALP_ADAPTER Adapter, ULONG Length, UINT64 Lowest, UINT64 Highest, PPHYSICAL_ADDRESS Logical);
VOID HalpFreeBuffer(PHALP_ADAPTER Adapter, PVOID Buffer);

PHALP_MAP HalpCreateMap(PHALP_ADAPTER Adapter, ULONG Count);
VOID HalpDeleteMap(PHALP_ADAPTER Adapter, PHALP_MAP Map);
/* Bytes left in this MDL from CurrentVa on; the buffer may go on in the next. */
ULONG HalpLeftIn(PMDL Mdl, PVOID CurrentVa);
UINT64 HalpPhysicalOf(PMDL Mdl, PVOID CurrentVa);
/* Bytes from CurrentVa on, in this MDL, that lie one behind the other in RAM. */
ULONG HalpRun(PMDL Mdl, PVOID CurrentVa, ULONG Length);
/* Between a buffer, which may go on through a chain of MDLs, and map registers. */
VOID HalpCopy(PMDL Mdl, PVOID CurrentVa, UINT64 Register, ULONG Length, BOOLEAN FromDriver);

NTSTATUS HalpAllocateChannel(PHALP_ADAPTER Adapter, const HALP_WAITER *Request);
VOID HalpReleaseChannel(PHALP_ADAPTER Adapter);

/* Elements that a list of the buffer needs at most, and the bytes of such a list. */
ULONG HalpElements(PMDL Mdl, PVOID CurrentVa, ULONG Length);
ULONG HalpListBytes(PMDL Mdl, PVOID CurrentVa, ULONG Length);
VOID HalpAddElement(PSCATTER_GATHER_LIST List, UINT64 Address, ULONG Length);
BOOLEAN HalpReaches(PMDL Mdl, PVOID CurrentVa, ULONG Length);
NTSTATUS HalpPrepareList(PHALP_ADAPTER Adapter, PHALP_LIST List, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                         BOOLEAN WriteToDevice);
VOID HalpGiveList(PHALP_LIST List, PDEVICE_OBJECT Device, PDRIVER_LIST_CONTROL Routine, PVOID Context, ULONG Stack);

PDMA_OPERATIONS HalpOperationsOfVersion3(const DMA_OPERATIONS *Version2);
