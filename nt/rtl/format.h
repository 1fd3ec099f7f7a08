/*
 * The one formatter behind DbgPrint, the sprintf family and the kernel's own reports.
 *
 * Text goes to a sink of bytes or of UTF-16 units. Room counts units and leaves no place for a terminator by itself:
 * who wants one asks for one unit less. Length counts everything the format makes, also what no longer fits, so a
 * caller sees truncation as Length > Room.
 */
#pragma once

typedef enum _RTLP_ENCODING {
    RtlpAnsi, /* code page 1252; what has no place in it becomes '?' */
    RtlpUtf8, /* narrow text is passed through, wide text is encoded */
    RtlpWide,
} RTLP_ENCODING;

typedef struct _RTLP_SINK {
    RTLP_ENCODING Encoding;
    PVOID Buffer;
    SIZE_T Room, Length;
    WCHAR HighSurrogate; /* UTF-8: first half of a pair, waiting for the second */
} RTLP_SINK;

/* Format is a PCWSTR when Wide, else a PCSTR. Any level, if what is printed is resident. */
VOID RtlpPrint(RTLP_SINK *Sink, BOOLEAN Wide, const VOID *Format, va_list Arguments);
