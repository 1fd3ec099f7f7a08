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

/* Fast walk over .pdata: return addresses from Context outward, innermost (Context->Rip) first. Never faults: it stops
 * at the first frame whose stack memory is not on the current stack. */
ULONG RtlpWalkStack(const CONTEXT *Context, UINT64 *Frames, ULONG Count);

/* Make an exception happen in ordinary context: first-chance dispatch over the frames from Context outward. Returns
 * FALSE if nobody handles it; does not return if somebody does. Trap (or NULL) is resumed on continue-execution. */
BOOLEAN RtlpDispatchException(PEXCEPTION_RECORD Record, PCONTEXT Context);
/* Continue at Context: all integer and xmm registers, flags, Rip. */
DECLSPEC_NORETURN VOID RtlpRestoreContext(const CONTEXT *Context);
