/*
 * Runtime library internals used by other parts: formatted text without allocation, UTF conversion, unwinding.
 */
#pragma once

/* Formats as DbgPrint does (%d %u %x %p %s %S %ws %wZ %Z %I64x ...), always terminates; returns the length written. */
ULONG RtlpFormat(PCHAR Buffer, ULONG Bytes, PCSTR Format, ...);
ULONG RtlpFormatV(PCHAR Buffer, ULONG Bytes, PCSTR Format, va_list Arguments);

/* UTF-16 -> UTF-8, always terminated; returns bytes without terminator. */
ULONG RtlpToUtf8(PCHAR Buffer, ULONG Bytes, PCWSTR Text, ULONG Characters);
ULONG RtlpFromUtf8(PWSTR Buffer, ULONG Characters, PCSTR Text);

/* Fast walk over .pdata: return addresses from Context outward, innermost (Context->Rip) first. Needs Rip, Rsp and the
 * nonvolatile integer registers of Context. Never faults: it stops at the first frame whose stack memory is not on the
 * current stack, and where a return address lies in no image. */
ULONG RtlpWalkStack(const CONTEXT *Context, UINT64 *Frames, ULONG Count);
/* The same, ending at the frame whose return address lies at End or above. Slots (or NULL) receives where each frame but
 * the last has its return address; Slots[0] is NULL when that is not known. */
ULONG RtlpWalkStackTo(const CONTEXT *Context, UINT64 *Frames, UINT64 **Slots, ULONG Count, UINT64 End);
/* An image came or went: what the walk remembers of its code holds no more. */
VOID RtlpForgetFrames(VOID);

/* Make an exception happen in ordinary context: first-chance dispatch over the frames from Context outward. TRUE: a
 * filter asked to continue at *Context, which the caller then does. FALSE: nobody handles it. Does not return if
 * somebody does. */
BOOLEAN RtlpDispatchException(PEXCEPTION_RECORD Record, PCONTEXT Context);
/* Continue at Context: all integer and xmm registers, flags, Rip. */
DECLSPEC_NORETURN VOID RtlpRestoreContext(const CONTEXT *Context);
