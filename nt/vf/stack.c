/*
 * Captured stacks: a depot in which equal stacks are stored once, so that an object's history is one number.
 *
 * Capturing happens at every timer set, work item queued and block allocated by a driver, so it must be cheap: the walk uses
 * cached frame sizes (RtlpWalkStack), and the depot is one hash table that never forgets.
 */
#include "nt.h"

#define VF_CHUNK 1024 /* stacks in a piece of the depot */
#define VF_CHUNKS 1024

typedef struct _VF_STACK {
    ULONG Next; /* in the hash chain */
    ULONG Count;
    UINT64 Frame[DOOR_FRAMES];
} VF_STACK;

static VF_STACK *VfChunk[VF_CHUNKS];
static ULONG VfStackCount = 1; /* number 0 is "none" */
static ULONG VfBucket[4096];

static VF_STACK *VfStackAt(ULONG Number)
{
    return &VfChunk[Number / VF_CHUNK][Number % VF_CHUNK];
}

static VF_STACK *VfNewStack(ULONG *Number)
{
    if (VfStackCount == VF_CHUNK * VF_CHUNKS)
        return NULL;
    *Number = VfStackCount++;
    if (!VfChunk[*Number / VF_CHUNK])
        VfChunk[*Number / VF_CHUNK] = ExpAllocate(VF_CHUNK * sizeof(VF_STACK), 'ktSV');
    return VfStackAt(*Number);
}

ULONG VfStackOf(const UINT64 *Frames, ULONG Count)
{
    UINT64 Hash = Count;
    ULONG *Bucket, Number;
    VF_STACK *Stack;

    for (ULONG i = 0; i < Count; i++)
        Hash = (Hash ^ Frames[i]) * 0x9e3779b97f4a7c15ull;
    Bucket = &VfBucket[Hash >> 52];
    for (Number = *Bucket; Number; Number = Stack->Next) {
        Stack = VfStackAt(Number);
        if (Stack->Count == Count && !memcmp(Stack->Frame, Frames, Count * sizeof(UINT64)))
            return Number;
    }
    Stack = VfNewStack(&Number);
    if (!Stack)
        return 0;
    Stack->Count = Count;
    memcpy(Stack->Frame, Frames, Count * sizeof(UINT64));
    Stack->Next = *Bucket;
    *Bucket = Number;
    return Number;
}

ULONG VfCaptureStackFrom(const CONTEXT *Context)
{
    UINT64 Frames[DOOR_FRAMES], Unused = 0;
    ULONG Count = RtlpWalkStack(Context, Frames, DOOR_FRAMES);

    if (Count)
        MmUnpatch(&Frames[0], &Unused); /* interrupted in a stub */
    return VfStackOf(Frames, Count);
}

/* Where the driver's frames end: at the kernel's frame that called it first (it holds the outermost callback). */
static UINT64 VfStackEnd(UINT64 Rsp)
{
    PKI_PROCESSOR Processor = KiProcessor();
    UINT64 End = (Rsp & ~(DOOR_STACK_SLOT - 1)) + DOOR_STACK_SLOT;
    PVF_CALLBACK Callback = Processor->DpcRoutineActive ? Processor->Callback : Processor->CurrentThread->Callback;

    while (Callback && Callback->Outer)
        Callback = Callback->Outer;
    return (UINT64)Callback > Rsp && (UINT64)Callback < End ? (UINT64)Callback : End;
}

/* A place that captures often does so from the same stack: if all return addresses are still where they were the last time,
 * it is that stack. */
typedef struct _VF_REPEAT {
    UINT64 Caller, Rsp;
    ULONG Count, Stack;
    UINT64 Frame[DOOR_FRAMES + 1];
    UINT64 *Slot[DOOR_FRAMES + 1]; /* Frame[i + 1] was read from Slot[i] */
} VF_REPEAT;

static VF_REPEAT VfRepeats[256];

static BOOLEAN VfIsRepeat(const VF_REPEAT *Repeat, UINT64 Caller, UINT64 Rsp)
{
    if (Repeat->Caller != Caller || Repeat->Rsp != Rsp)
        return FALSE;
    for (ULONG i = 0; i + 1 < Repeat->Count; i++)
        if (*Repeat->Slot[i] != Repeat->Frame[i + 1])
            return FALSE;
    return TRUE;
}

/* noinline: the walk begins in this frame, which it drops. */
__attribute__((noinline)) ULONG VfCaptureStack(VOID)
{
    UINT64 Caller = (UINT64)__builtin_return_address(0), Rsp = (UINT64)_AddressOfReturnAddress();
    VF_REPEAT *Repeat = &VfRepeats[(Caller ^ Rsp) * 0x9e3779b97f4a7c15ull >> 56];
    CONTEXT Context; /* only the fields a walk needs are set */

    if (VfIsRepeat(Repeat, Caller, Rsp))
        return Repeat->Stack;
    KiCaptureFrame(&Context);
    Repeat->Count = RtlpWalkStackTo(&Context, Repeat->Frame, Repeat->Slot, DOOR_FRAMES + 1, VfStackEnd(Context.Rsp));
    Repeat->Stack = Repeat->Count > 1 ? VfStackOf(Repeat->Frame + 1, Repeat->Count - 1) : 0;
    Repeat->Caller = Repeat->Count && Repeat->Slot[0] ? Caller : 0;
    Repeat->Rsp = Rsp;
    return Repeat->Stack;
}

ULONG VfStackFrames(ULONG Number, UINT64 Frames[DOOR_FRAMES])
{
    VF_STACK *Stack;

    if (!Number || Number >= VfStackCount)
        return 0;
    Stack = VfStackAt(Number);
    memcpy(Frames, Stack->Frame, Stack->Count * sizeof(UINT64));
    return Stack->Count;
}
