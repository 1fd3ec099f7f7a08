/*
 * What WPP's code calls (docs: WmiTraceMessage, WmiTraceMessageVa, WmiQueryTraceInformation, "WPP Software Tracing").
 *
 * A logger's handle is a number: logger in the low 16 bits, level in the next 8, flags in the upper half (docs: the
 * context that comes with a request to enable tracing, WNODE_HEADER). Logger 1 is the machine's event record, when a
 * trace is asked for.
 */
#include "nt.h"
#include "etw/etwp.h"
#include <wmistr.h>

#define ETWP_LOGGER 1
#define ETWP_SEQUENCE 1  /* TRACE_MESSAGE_SEQUENCE */
#define ETWP_COMPONENT 4 /* TRACE_MESSAGE_COMPONENTID: the GUID is a number */

/* Arguments: pointer and size_t in turn, NULL at the end. */
NTSTATUS NTAPI WmiTraceMessageVa(TRACEHANDLE LoggerHandle, ULONG MessageFlags, LPCGUID MessageGuid,
                                 USHORT MessageNumber, va_list Arguments)
{
    struct door_event_etw Header = {
        .kind = DOOR_ETW_MESSAGE, .id = MessageNumber, .level = (UCHAR)(LoggerHandle >> 16)};
    ULONG Room, Bytes = 0;
    PUCHAR To = EtwpDataRoom(&Room);
    if (!KiDoor->trace_level || (USHORT)LoggerHandle != ETWP_LOGGER)
        return STATUS_INVALID_HANDLE;
    if (MessageGuid)
        RtlCopyMemory(Header.provider, MessageGuid, MessageFlags & ETWP_COMPONENT ? sizeof(ULONG) : sizeof(GUID));
    for (PVOID Data; (Data = va_arg(Arguments, PVOID));) {
        SIZE_T Size = va_arg(Arguments, SIZE_T);
        if (Size > Room - Bytes)
            return STATUS_BUFFER_OVERFLOW;
        RtlCopyMemory(To + Bytes, Data, Size);
        Bytes += (ULONG)Size;
    }
    EtwpRecord(&Header, To, Bytes);
    return STATUS_SUCCESS;
}

/* The documented prototype ends in a USHORT, which va_start need not take; the x64 convention has it in a slot like
 * all. */
#pragma clang diagnostic ignored "-Wvarargs"
NTSTATUS WmiTraceMessage(TRACEHANDLE LoggerHandle, ULONG MessageFlags, LPCGUID MessageGuid, USHORT MessageNumber, ...)
{
    va_list Arguments;
    va_start(Arguments, MessageNumber);
    NTSTATUS Status = WmiTraceMessageVa(LoggerHandle, MessageFlags, MessageGuid, MessageNumber, Arguments);
    va_end(Arguments);
    return Status;
}

/* docs: WmiQueryTraceInformation: Buffer is the WNODE_HEADER of the request. */
NTSTATUS NTAPI WmiQueryTraceInformation(TRACE_INFORMATION_CLASS Class, PVOID Information, ULONG Bytes, PULONG Required,
                                        PVOID Buffer)
{
    PWNODE_HEADER Header = Buffer;
    ULONG Need = Class == TraceHandleClass ? sizeof(TRACEHANDLE) : sizeof(ULONG);
    if (Required)
        *Required = 0;
    if (Class > TraceEnableLevelClass)
        return Class == GlobalLoggerHandleClass ? STATUS_NOT_FOUND : STATUS_NOT_SUPPORTED;
    if (Required)
        *Required = Need;
    if (Bytes != Need)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (!Header || Header->BufferSize < sizeof(WNODE_HEADER))
        return STATUS_INVALID_PARAMETER;
    ULONG64 Context = Header->HistoricalContext;
    switch (Class) {
    case TraceIdClass:
        *(PULONG)Information = (USHORT)Context;
        break;
    case TraceHandleClass:
        *(TRACEHANDLE *)Information = Context;
        break;
    case TraceEnableFlagsClass:
        *(PULONG)Information = (ULONG)(Context >> 32);
        break;
    default:
        *(PULONG)Information = (UCHAR)(Context >> 16);
    }
    return STATUS_SUCCESS;
}
