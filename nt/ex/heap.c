/*
 * Heaps of drivers (docs: RtlCreateHeap, RtlAllocateHeap, RtlFreeHeap, RtlDestroyHeap): a list of pool blocks that go
 * together.
 *
 * DIFFERS: a heap is not bounded by the sizes it was created with, and commit routines are not called.
 */
#include "nt.h"

#define EXP_HEAP_TAG 'paeH'

typedef struct _EXP_HEAP {
    LIST_ENTRY Blocks;
    ULONG Flags;
} EXP_HEAP, *PEXP_HEAP;

typedef struct DECLSPEC_ALIGN(16) _EXP_HEAP_BLOCK {
    LIST_ENTRY Entry;
    PEXP_HEAP Heap;
    SIZE_T Bytes;
} EXP_HEAP_BLOCK, *PEXP_HEAP_BLOCK;

PVOID NTAPI RtlCreateHeap(ULONG Flags, PVOID HeapBase, SIZE_T ReserveSize, SIZE_T CommitSize, PVOID Lock,
                          PRTL_HEAP_PARAMETERS Parameters)
{
    PEXP_HEAP Heap = IopAllocate(sizeof(*Heap), EXP_HEAP_TAG, VfCaptureStack());
    if (!Heap)
        return NULL;
    InitializeListHead(&Heap->Blocks);
    Heap->Flags = Flags;
    return Heap;
}

PVOID NTAPI RtlAllocateHeap(PVOID HeapHandle, ULONG Flags, SIZE_T Bytes)
{
    PEXP_HEAP Heap = HeapHandle;
    if (Bytes > MAXLONG64 - sizeof(EXP_HEAP_BLOCK))
        return NULL;
    PEXP_HEAP_BLOCK Block = IopAllocate(sizeof(*Block) + Bytes, EXP_HEAP_TAG, VfCaptureStack());
    if (!Block) {
        if ((Heap->Flags | Flags) & HEAP_GENERATE_EXCEPTIONS)
            ExRaiseStatus(STATUS_NO_MEMORY);
        return NULL;
    }
    Block->Heap = Heap;
    Block->Bytes = Bytes;
    InsertTailList(&Heap->Blocks, &Block->Entry);
    return Block + 1;
}

BOOLEAN NTAPI RtlFreeHeap(PVOID HeapHandle, ULONG Flags, PVOID Base)
{
    PEXP_HEAP_BLOCK Block = (PEXP_HEAP_BLOCK)Base - 1;
    if (!Base)
        return TRUE;
    if (Block->Heap != HeapHandle)
        return FALSE;
    RemoveEntryList(&Block->Entry);
    Block->Heap = NULL;
    IopFree(Block);
    return TRUE;
}

/* docs: RtlDestroyHeap: what was allocated from it goes with it; NULL says it is gone. */
PVOID NTAPI RtlDestroyHeap(PVOID HeapHandle)
{
    PEXP_HEAP Heap = HeapHandle;
    while (!IsListEmpty(&Heap->Blocks))
        IopFree(CONTAINING_RECORD(RemoveHeadList(&Heap->Blocks), EXP_HEAP_BLOCK, Entry));
    IopFree(Heap);
    return NULL;
}
