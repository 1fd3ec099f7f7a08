/*
 * What drivers print, and their breakpoints.
 *
 * Text goes to the event record with time, processor and level; the host prints it. A message is cut at 512 bytes, the
 * size of Windows' buffer (docs: DbgPrint).
 * DIFFERS: the component filter of DbgPrintEx lets everything through, because whoever runs a driver here wants to read
 * what it says; on Windows the default shows errors only.
 */
#include "nt.h"

#define KDP_BYTES 512
#define KDP_BUSY 10 /* what a line takes on a host, in 100 ns: nobody prints for ever */

BOOLEAN KdDebuggerEnabled = FALSE;
BOOLEAN KdDebuggerNotPresent = TRUE;

static ULONG KdpPrint(PCSTR Prefix, PCSTR Format, va_list Arguments)
{
    CHAR Text[KDP_BYTES + 1];
    ULONG Start = Prefix ? RtlpFormat(Text, sizeof(Text), "%s", Prefix) : 0;
    ULONG Length = Start + RtlpFormatV(Text + Start, sizeof(Text) - Start, Format, Arguments);
    VfRecord(DOOR_EVENT_PRINT, Text, Length);
    KiCountBusy(KDP_BUSY);
    return STATUS_SUCCESS;
}

ULONG NTAPI vDbgPrintExWithPrefix(PCCH Prefix, ULONG Component, ULONG Level, PCCH Format, va_list Arguments)
{
    return KdpPrint(Prefix, Format, Arguments);
}

ULONG NTAPI vDbgPrintEx(ULONG Component, ULONG Level, PCCH Format, va_list Arguments)
{
    return KdpPrint(NULL, Format, Arguments);
}

ULONG __cdecl DbgPrint(PCSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    ULONG Status = KdpPrint(NULL, Format, Arguments);
    va_end(Arguments);
    return Status;
}

ULONG __cdecl DbgPrintEx(ULONG Component, ULONG Level, PCSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    ULONG Status = KdpPrint(NULL, Format, Arguments);
    va_end(Arguments);
    return Status;
}

ULONG __cdecl DbgPrintReturnControlC(PCCH Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    ULONG Status = KdpPrint(NULL, Format, Arguments);
    va_end(Arguments);
    return Status;
}

/* Everything is let through, see above: so every level is on, and the mask has nothing to set. */
NTSTATUS NTAPI DbgQueryDebugFilterState(ULONG Component, ULONG Level)
{
    return TRUE;
}

/* An instruction, as on Windows: without a debugger it is an exception, which a driver may handle (docs: DbgBreakPoint). */
__attribute__((naked)) VOID NTAPI DbgBreakPoint(VOID)
{
    __asm__("int3\n\tretq");
}

__attribute__((naked)) VOID NTAPI DbgBreakPointWithStatus(ULONG Status)
{
    __asm__("int3\n\tretq");
}

BOOLEAN NTAPI KdRefreshDebuggerNotPresent(VOID)
{
    return KdDebuggerNotPresent;
}

NTSTATUS NTAPI KdDisableDebugger(VOID)
{
    return STATUS_DEBUGGER_INACTIVE;
}

NTSTATUS NTAPI KdEnableDebugger(VOID)
{
    return STATUS_DEBUGGER_INACTIVE;
}

/* docs: RtlAssert: the sentence, then a break. Nobody answers "break, ignore...": there is no prompt. */
VOID NTAPI RtlAssert(PVOID Assertion, PVOID FileName, ULONG Line, PSTR Message)
{
    DbgPrint("*** Assertion failed: %s%s\n***   Source File: %s, line %u\n", Message ? Message : "", (PCSTR)Assertion,
             (PCSTR)FileName, Line);
    DbgBreakPoint();
}
