/*
 * Stack walks, made at every allocation and timer of a driver, so a step must cost next to nothing.
 *
 * For nearly every place in code the way to the caller is fixed: the return address lies a constant distance from the
 * stack pointer, or from rbp where that is the frame register, and so does the saved rbp. A direct-mapped table
 * remembers this by address, learnt from the unwinder on the first visit. What has no such rule (another frame
 * register, interrupted code, an epilogue) is walked from the start by the unwinder itself, with all registers.
 *
 * Only memory between the stack pointer and the end of the stack is read. A walk ends there, or at a return address
 * that lies in no image.
 */
#include "nt.h"
#include "rtl/unwind.h"

typedef struct _RTLP_STEP {
    UINT64 Rip;
    LONG Return; /* from the base to the return address; bit 0: the base is rbp, else rsp */
    LONG Rbp;    /* from the base to the caller's rbp; RTLP_RBP_KEPT = it is in rbp still */
} RTLP_STEP;

#define RTLP_STEPS 4096
#define RTLP_RBP_KEPT MAXLONG

static RTLP_STEP RtlpSteps[RTLP_STEPS];

static inline RTLP_STEP *RtlpStepOf(UINT64 Rip)
{
    return &RtlpSteps[Rip * 0x9e3779b97f4a7c15ull >> 52];
}

C_ASSERT(RTLP_STEPS == 1 << (64 - 52));

VOID RtlpForgetFrames(VOID)
{
    RtlZeroMemory(RtlpSteps, sizeof(RtlpSteps));
}

/* ---- With all registers ---------------------------------------------------------------------------------------- */

static ULONG RtlpWalkSlowly(const CONTEXT *Context, UINT64 *Frames, ULONG Count)
{
    UINT64 Register[RegisterCount];
    RTLP_UNWIND State = {.Register = Register, .High = RtlpStackEnd(Context->Rsp), .Interrupted = TRUE};
    ULONG Done = 0;

    memcpy(Register, &Context->Rax, sizeof(Register));
    while (Done < Count) {
        RTLP_PLACE Place = RtlpLookup(Register[RegisterRip]);
        if (!Place.Image && Done)
            break;
        Frames[Done++] = Register[RegisterRip];
        State.Low = Register[RegisterRsp];
        if (!RtlpUnwindFrame(&State, &Place) || Register[RegisterRsp] <= State.Low)
            break;
        State.Interrupted = State.MachineFrame;
    }
    return Done;
}

/* ---- Learning -------------------------------------------------------------------------------------------------- */

typedef enum _RTLP_LEARNT { RtlpStepFixed, RtlpStepNotFixed, RtlpNoCode, RtlpNoFrame } RTLP_LEARNT;

static RTLP_LEARNT RtlpLearn(RTLP_STEP *Step, UINT64 Rip, UINT64 Rsp, UINT64 Rbp, BOOLEAN Interrupted)
{
    UINT64 Register[RegisterCount] = {[RegisterRsp] = Rsp, [RegisterRbp] = Rbp, [RegisterRip] = Rip};
    KNONVOLATILE_CONTEXT_POINTERS Pointers = {0};
    RTLP_UNWIND State = {
        .Register = Register, .Low = Rsp, .High = RtlpStackEnd(Rsp), .Interrupted = Interrupted, .Pointers = &Pointers};
    RTLP_PLACE Place = RtlpLookup(Rip);
    UINT64 Base;

    if (!Place.Image)
        return RtlpNoCode;
    if (!RtlpUnwindFrame(&State, &Place)) /* with another frame register the failure means nothing */
        return State.ByFrameRegister && State.FrameRegister != RegisterRbp ? RtlpStepNotFixed : RtlpNoFrame;
    if (State.MachineFrame || State.InEpilogue || (State.ByFrameRegister && State.FrameRegister != RegisterRbp))
        return RtlpStepNotFixed;
    Base = State.ByFrameRegister ? Rbp : Rsp;
    Step->Rip = Rip;
    Step->Return = (LONG)(Register[RegisterRsp] - sizeof(UINT64) - Base) | (State.ByFrameRegister ? 1 : 0);
    Step->Rbp = RTLP_RBP_KEPT;
    if (Pointers.IntegerContext[RegisterRbp])
        Step->Rbp = (LONG)((UINT64)Pointers.IntegerContext[RegisterRbp] - Base);
    return RtlpStepFixed;
}

/* ---- The walk -------------------------------------------------------------------------------------------------- */

ULONG RtlpWalkStackTo(const CONTEXT *Context, UINT64 *Frames, UINT64 **Slots, ULONG Count, UINT64 End)
{
    UINT64 Rip = Context->Rip, Rsp = Context->Rsp, Rbp = Context->Rbp;
    ULONG Done = 0;

    while (Done < Count) {
        RTLP_STEP *Step = RtlpStepOf(Rip);
        UINT64 Base, Slot;
        if (!Rip && Done)
            break; /* behind the first frame of a stack */
        if (Step->Rip != Rip) {
            RTLP_LEARNT Learnt = RtlpLearn(Step, Rip, Rsp, Rbp, Done == 0);
            if (Learnt == RtlpStepNotFixed || (Learnt == RtlpNoCode && !Done)) {
                if (Slots)
                    Slots[0] = NULL;
                return RtlpWalkSlowly(Context, Frames, Count);
            }
            if (Learnt == RtlpNoFrame)
                Frames[Done++] = Rip;
            if (Learnt != RtlpStepFixed)
                break;
        }
        Frames[Done++] = Rip;
        Base = Step->Return & 1 ? Rbp : Rsp;
        Slot = Base + (UINT64)(INT64)(Step->Return & ~1);
        if (Slot < Rsp || Slot >= End || (Slot & 7))
            break;
        if (Step->Rbp != RTLP_RBP_KEPT) {
            UINT64 Saved = Base + (UINT64)(INT64)Step->Rbp;
            if (Saved < Rsp || Saved >= End || (Saved & 7))
                break;
            Rbp = *(const UINT64 *)Saved;
        }
        if (Slots)
            Slots[Done - 1] = (UINT64 *)Slot;
        Rip = *(const UINT64 *)Slot;
        Rsp = Slot + sizeof(UINT64);
    }
    return Done;
}

ULONG RtlpWalkStack(const CONTEXT *Context, UINT64 *Frames, ULONG Count)
{
    return RtlpWalkStackTo(Context, Frames, NULL, Count, RtlpStackEnd(Context->Rsp));
}

/* ---- Public calls ---------------------------------------------------------------------------------------------- */

#define RTLP_BACKTRACE_LIMIT 128

/* docs: RtlCaptureStackBackTrace; the routine's own frame is not in it, the hash is the sum of the addresses. */
USHORT NTAPI RtlCaptureStackBackTrace(ULONG FramesToSkip, ULONG FramesToCapture, PVOID *BackTrace, PULONG BackTraceHash)
{
    CONTEXT Context;
    UINT64 Frames[RTLP_BACKTRACE_LIMIT];
    ULONG Count, Hash = 0, Captured = 0;

    KiCaptureFrame(&Context);
    Count = RtlpWalkStack(&Context, Frames, RTLP_BACKTRACE_LIMIT);
    for (UINT64 i = (UINT64)FramesToSkip + 1; i < Count && Captured < FramesToCapture; i++) {
        BackTrace[Captured++] = (PVOID)Frames[i];
        Hash += (ULONG)Frames[i];
    }
    if (BackTraceHash && Captured)
        *BackTraceHash = Hash;
    return (USHORT)Captured;
}

/* Undocumented, in the public headers: flag bit 0 asks for the user stack, bits 8 and up for frames to skip. */
ULONG NTAPI RtlWalkFrameChain(PVOID *Callers, ULONG Count, ULONG Flags)
{
    CONTEXT Context;
    UINT64 Frames[RTLP_BACKTRACE_LIMIT];
    ULONG Walked, Captured = 0;

    if ((Flags & 1) || !Callers)
        return 0;
    KiCaptureFrame(&Context);
    Walked = RtlpWalkStack(&Context, Frames, RTLP_BACKTRACE_LIMIT);
    for (ULONG i = (Flags >> 8) + 1; i < Walked && Captured < Count; i++)
        Callers[Captured++] = (PVOID)Frames[i];
    return Captured;
}
