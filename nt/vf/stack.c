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

    while (VfIntact(Callback) && Callback->Outer)
        Callback = Callback->Outer;
    return (UINT64)Callback > Rsp && (UINT64)Callback < End ? (UINT64)Callback : End;
}

/* A place that captures often does so from the same stack: if all return addresses are still where they were the last time,
 * it is that stack. */
typedef struct _VF_REPEAT {
    UINT64 Caller;
    PUINT64 Top; /* where Caller lies */
    ULONG Count, Stack;
    struct {
        PUINT64 Slot;
        UINT64 Frame;         /* what lay there */
    } Below[DOOR_FRAMES - 1]; /* Count of them, the caller's own caller first */
} VF_REPEAT;

static VF_REPEAT VfRepeats[256];

static inline BOOLEAN VfIsRepeat(const VF_REPEAT *Repeat, UINT64 Caller, PUINT64 Top)
{
    if (Repeat->Caller != Caller || Repeat->Top != Top)
        return FALSE;
    for (ULONG i = 0; i < Repeat->Count; i++)
        if (*Repeat->Below[i].Slot != Repeat->Below[i].Frame)
            return FALSE;
    return TRUE;
}

/* The walk begins in this frame, which it drops, as that of VfCaptureStack if it is still there. */
DECLSPEC_NOINLINE static ULONG VfWalkFrom(VF_REPEAT *Repeat, UINT64 Caller, PUINT64 Top)
{
    ULONG First = (PUINT64)_AddressOfReturnAddress() == Top ? 1 : 2, Count;
    UINT64 Frame[DOOR_FRAMES + 2], *Slot[DOOR_FRAMES + 2]; /* Frame[i + 1] was read from Slot[i] */
    CONTEXT Context;                                       /* only the fields a walk needs are set */

    KiCaptureFrame(&Context);
    Count = RtlpWalkStackTo(&Context, Frame, Slot, First + DOOR_FRAMES, VfStackEnd(Context.Rsp));
    Repeat->Stack = Count > First ? VfStackOf(Frame + First, Count - First) : 0;
    Repeat->Caller = Count && Slot[0] ? Caller : 0; /* no slots: no repeat can be told */
    Repeat->Top = Top;
    Repeat->Count = 0;
    if (!Repeat->Caller)
        return Repeat->Stack;
    for (ULONG i = First; i + 1 < Count && Repeat->Count < DOOR_FRAMES - 1; i++) {
        Repeat->Below[Repeat->Count].Slot = Slot[i];
        Repeat->Below[Repeat->Count++].Frame = Frame[i + 1];
    }
    return Repeat->Stack;
}

/* noinline: its return address is where the stack begins. */
DECLSPEC_NOINLINE ULONG VfCaptureStack(VOID)
{
    UINT64 Caller = (UINT64)__builtin_return_address(0);
    PUINT64 Top = _AddressOfReturnAddress();
    VF_REPEAT *Repeat = &VfRepeats[(Caller ^ (UINT64)Top) * 0x9e3779b97f4a7c15ull >> 56];

    return VfIsRepeat(Repeat, Caller, Top) ? Repeat->Stack : VfWalkFrom(Repeat, Caller, Top);
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

/* Of a block, a handle: a string that RtlAnsiStringToUnicodeString made is the caller's. */
BOOLEAN VfStackIsOf(ULONG Stack, UINT64 Base)
{
    UINT64 Frames[DOOR_FRAMES];
    ULONG Count = VfStackFrames(Stack, Frames);

    for (ULONG i = 0; i < Count; i++) {
        PMI_IMAGE Image = MmImageOf(Frames[i] - 1);
        if (Image && Image->Driver)
            return Image->Base == Base;
    }
    return FALSE;
}
