/*
 * The part of ntstrsafe.h that works on counted strings (docs: "Summary of Kernel-Mode Safe String Functions"). Debian's
 * header has the zero-terminated one. What does not fit is cut and said with STATUS_BUFFER_OVERFLOW; a string that is none
 * is STATUS_INVALID_PARAMETER.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#define NTSTRSAFE_UNICODE_STRING_MAX_CCH (0xffff / sizeof(WCHAR))

FORCEINLINE NTSTATUS RtlUnicodeStringValidateEx(PCUNICODE_STRING String, ULONG Flags)
{
    (void)Flags;
    if (!String)
        return STATUS_SUCCESS;
    if (String->Length % sizeof(WCHAR) || String->MaximumLength % sizeof(WCHAR) ||
        String->Length > String->MaximumLength)
        return STATUS_INVALID_PARAMETER;
    return !String->Buffer && (String->Length || String->MaximumLength) ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

FORCEINLINE NTSTATUS RtlUnicodeStringValidate(PCUNICODE_STRING String)
{
    return RtlUnicodeStringValidateEx(String, 0);
}

FORCEINLINE SIZE_T RtlpSafeLength(const WCHAR *Text, SIZE_T Most)
{
    SIZE_T Count = 0;
    while (Text && Count < Most && Text[Count])
        Count++;
    return Count;
}

FORCEINLINE NTSTATUS RtlUnicodeStringInitEx(PUNICODE_STRING Destination, const WCHAR *Source, ULONG Flags)
{
    SIZE_T Count = RtlpSafeLength(Source, NTSTRSAFE_UNICODE_STRING_MAX_CCH);
    (void)Flags;
    if (Source && Count == NTSTRSAFE_UNICODE_STRING_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    Destination->Buffer = (PWCH)Source;
    Destination->Length = (USHORT)(Count * sizeof(WCHAR));
    Destination->MaximumLength = Source ? (USHORT)((Count + 1) * sizeof(WCHAR)) : 0;
    return STATUS_SUCCESS;
}

FORCEINLINE NTSTATUS RtlUnicodeStringInit(PUNICODE_STRING Destination, const WCHAR *Source)
{
    return RtlUnicodeStringInitEx(Destination, Source, 0);
}

/* Put `Count` characters behind the first `Kept` of the destination. */
FORCEINLINE NTSTATUS RtlpSafePut(PUNICODE_STRING Destination, SIZE_T Kept, const WCHAR *Source, SIZE_T Count)
{
    SIZE_T Room = Destination->MaximumLength / sizeof(WCHAR) - Kept;
    SIZE_T Put = Count < Room ? Count : Room;
    if (Put)
        RtlMoveMemory(Destination->Buffer + Kept, Source, Put * sizeof(WCHAR));
    Destination->Length = (USHORT)((Kept + Put) * sizeof(WCHAR));
    return Put < Count ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* The source's first characters, at most Most, over or behind the destination's. */
FORCEINLINE NTSTATUS RtlpSafeMove(PUNICODE_STRING Destination, BOOLEAN Behind, PCUNICODE_STRING Source, SIZE_T Most)
{
    SIZE_T Count;
    if (!Destination || !NT_SUCCESS(RtlUnicodeStringValidate(Destination)) ||
        !NT_SUCCESS(RtlUnicodeStringValidate(Source)))
        return STATUS_INVALID_PARAMETER;
    Count = Source ? Source->Length / sizeof(WCHAR) : 0;
    return RtlpSafePut(Destination, Behind ? Destination->Length / sizeof(WCHAR) : 0, Source ? Source->Buffer : NULL,
                       Count < Most ? Count : Most);
}

FORCEINLINE NTSTATUS RtlpSafeMoveText(PUNICODE_STRING Destination, BOOLEAN Behind, const WCHAR *Source, SIZE_T Most)
{
    if (!Destination || !NT_SUCCESS(RtlUnicodeStringValidate(Destination)))
        return STATUS_INVALID_PARAMETER;
    return RtlpSafePut(Destination, Behind ? Destination->Length / sizeof(WCHAR) : 0, Source,
                       RtlpSafeLength(Source, Most));
}

#define RTLP_ALL ((SIZE_T)-1)

FORCEINLINE NTSTATUS RtlUnicodeStringCopy(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return RtlpSafeMove(Destination, FALSE, Source, RTLP_ALL);
}

FORCEINLINE NTSTATUS RtlUnicodeStringCchCopyN(PUNICODE_STRING Destination, PCUNICODE_STRING Source, SIZE_T Count)
{
    return RtlpSafeMove(Destination, FALSE, Source, Count);
}

FORCEINLINE NTSTATUS RtlUnicodeStringCbCopyN(PUNICODE_STRING Destination, PCUNICODE_STRING Source, SIZE_T Bytes)
{
    return RtlpSafeMove(Destination, FALSE, Source, Bytes / sizeof(WCHAR));
}

FORCEINLINE NTSTATUS RtlUnicodeStringCat(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return RtlpSafeMove(Destination, TRUE, Source, RTLP_ALL);
}

FORCEINLINE NTSTATUS RtlUnicodeStringCchCatN(PUNICODE_STRING Destination, PCUNICODE_STRING Source, SIZE_T Count)
{
    return RtlpSafeMove(Destination, TRUE, Source, Count);
}

FORCEINLINE NTSTATUS RtlUnicodeStringCbCatN(PUNICODE_STRING Destination, PCUNICODE_STRING Source, SIZE_T Bytes)
{
    return RtlpSafeMove(Destination, TRUE, Source, Bytes / sizeof(WCHAR));
}

FORCEINLINE NTSTATUS RtlUnicodeStringCopyString(PUNICODE_STRING Destination, const WCHAR *Source)
{
    return RtlpSafeMoveText(Destination, FALSE, Source, RTLP_ALL);
}

FORCEINLINE NTSTATUS RtlUnicodeStringCchCopyStringN(PUNICODE_STRING Destination, const WCHAR *Source, SIZE_T Count)
{
    return RtlpSafeMoveText(Destination, FALSE, Source, Count);
}

FORCEINLINE NTSTATUS RtlUnicodeStringCbCopyStringN(PUNICODE_STRING Destination, const WCHAR *Source, SIZE_T Bytes)
{
    return RtlpSafeMoveText(Destination, FALSE, Source, Bytes / sizeof(WCHAR));
}

FORCEINLINE NTSTATUS RtlUnicodeStringCatString(PUNICODE_STRING Destination, const WCHAR *Source)
{
    return RtlpSafeMoveText(Destination, TRUE, Source, RTLP_ALL);
}

FORCEINLINE NTSTATUS RtlUnicodeStringCchCatStringN(PUNICODE_STRING Destination, const WCHAR *Source, SIZE_T Count)
{
    return RtlpSafeMoveText(Destination, TRUE, Source, Count);
}

FORCEINLINE NTSTATUS RtlUnicodeStringCbCatStringN(PUNICODE_STRING Destination, const WCHAR *Source, SIZE_T Bytes)
{
    return RtlpSafeMoveText(Destination, TRUE, Source, Bytes / sizeof(WCHAR));
}

FORCEINLINE NTSTATUS RtlUnicodeStringVPrintf(PUNICODE_STRING Destination, const WCHAR *Format, va_list Arguments)
{
    SIZE_T Room;
    int Count;
    if (!Destination || !NT_SUCCESS(RtlUnicodeStringValidate(Destination)))
        return STATUS_INVALID_PARAMETER;
    Room = Destination->MaximumLength / sizeof(WCHAR);
    Count = Format && Room ? _vsnwprintf(Destination->Buffer, Room, Format, Arguments) : Format && *Format ? -1 : 0;
    Destination->Length = (USHORT)((Count < 0 ? Room : (SIZE_T)Count) * sizeof(WCHAR));
    return Count < 0 ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static inline __attribute__((unused)) NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING Destination, const WCHAR *Format,
                                                                      ...)
{
    va_list Arguments;
    NTSTATUS Status;
    va_start(Arguments, Format);
    Status = RtlUnicodeStringVPrintf(Destination, Format, Arguments);
    va_end(Arguments);
    return Status;
}

/*
 * The Ex forms: what is left behind the string, and flags for NULLs and for bytes that are not used. A destination without
 * any memory is STATUS_INVALID_PARAMETER here, where the plain forms say STATUS_BUFFER_OVERFLOW (docs: RtlUnicodeStringPrintf,
 * RtlUnicodeStringPrintfEx).
 */
#define STRSAFE_FILL_BEHIND 0x200
#define STRSAFE_ZERO_LENGTH_ON_FAILURE 0x800

/* May the call go on? STATUS_PENDING: yes; else its status. `Any`: there are characters to put. */
FORCEINLINE NTSTATUS RtlpSafeStartEx(PUNICODE_STRING Destination, BOOLEAN Any, ULONG Flags)
{
    if (Flags & ~0x1fffU || (!Destination && (Any || !(Flags & STRSAFE_IGNORE_NULLS))) ||
        !NT_SUCCESS(RtlUnicodeStringValidate(Destination)) || (Destination && Any && !Destination->Buffer))
        return STATUS_INVALID_PARAMETER;
    return Destination ? STATUS_PENDING : STATUS_SUCCESS;
}

/* `Before`: the length that a destination keeps if the whole does not fit. */
FORCEINLINE NTSTATUS RtlpSafeEndEx(PUNICODE_STRING Destination, USHORT Before, NTSTATUS Status,
                                   PUNICODE_STRING Remaining, ULONG Flags)
{
    if (!NT_SUCCESS(Status) && Flags & STRSAFE_NO_TRUNCATION)
        Destination->Length = Before;
    if (!NT_SUCCESS(Status) && Flags & (STRSAFE_FILL_ON_FAILURE | STRSAFE_ZERO_LENGTH_ON_FAILURE))
        Destination->Length = 0;
    if (NT_SUCCESS(Status) ? Flags & STRSAFE_FILL_BEHIND : Flags & STRSAFE_FILL_ON_FAILURE)
        RtlFillMemory((PUCHAR)Destination->Buffer + Destination->Length,
                      Destination->MaximumLength - Destination->Length, (UCHAR)Flags);
    if (Remaining) {
        Remaining->Buffer = Destination->Buffer ? Destination->Buffer + Destination->Length / sizeof(WCHAR) : NULL;
        Remaining->Length = 0;
        Remaining->MaximumLength = (USHORT)(Destination->MaximumLength - Destination->Length);
    }
    return Status;
}

FORCEINLINE NTSTATUS RtlpSafePutEx(PUNICODE_STRING Destination, BOOLEAN Behind, const WCHAR *Source, SIZE_T Count,
                                   PUNICODE_STRING Remaining, ULONG Flags)
{
    NTSTATUS Status = RtlpSafeStartEx(Destination, Count != 0, Flags);
    USHORT Before;
    if (Status != STATUS_PENDING)
        return Status;
    Before = Behind ? Destination->Length : 0;
    Status = RtlpSafePut(Destination, Before / sizeof(WCHAR), Source, Count);
    return RtlpSafeEndEx(Destination, Before, Status, Remaining, Flags);
}

FORCEINLINE NTSTATUS RtlpSafeMoveEx(PUNICODE_STRING Destination, BOOLEAN Behind, PCUNICODE_STRING Source, SIZE_T Most,
                                    PUNICODE_STRING Remaining, ULONG Flags)
{
    SIZE_T Count = Source ? Source->Length / sizeof(WCHAR) : 0;
    if (!NT_SUCCESS(RtlUnicodeStringValidate(Source)))
        return STATUS_INVALID_PARAMETER;
    return RtlpSafePutEx(Destination, Behind, Source ? Source->Buffer : NULL, Count < Most ? Count : Most, Remaining,
                         Flags);
}

#define RTLP_SAFE_EX(Name, Behind)                                                                                     \
    FORCEINLINE NTSTATUS RtlUnicodeString##Name##Ex(PUNICODE_STRING Destination, PCUNICODE_STRING Source,              \
                                                    PUNICODE_STRING Remaining, ULONG Flags)                            \
    {                                                                                                                  \
        return RtlpSafeMoveEx(Destination, Behind, Source, RTLP_ALL, Remaining, Flags);                                \
    }                                                                                                                  \
    FORCEINLINE NTSTATUS RtlUnicodeStringCch##Name##NEx(PUNICODE_STRING Destination, PCUNICODE_STRING Source,          \
                                                        SIZE_T Count, PUNICODE_STRING Remaining, ULONG Flags)          \
    {                                                                                                                  \
        return RtlpSafeMoveEx(Destination, Behind, Source, Count, Remaining, Flags);                                   \
    }                                                                                                                  \
    FORCEINLINE NTSTATUS RtlUnicodeStringCb##Name##NEx(PUNICODE_STRING Destination, PCUNICODE_STRING Source,           \
                                                       SIZE_T Bytes, PUNICODE_STRING Remaining, ULONG Flags)           \
    {                                                                                                                  \
        return RtlpSafeMoveEx(Destination, Behind, Source, Bytes / sizeof(WCHAR), Remaining, Flags);                   \
    }                                                                                                                  \
    FORCEINLINE NTSTATUS RtlUnicodeString##Name##StringEx(PUNICODE_STRING Destination, const WCHAR *Source,            \
                                                          PUNICODE_STRING Remaining, ULONG Flags)                      \
    {                                                                                                                  \
        return RtlpSafePutEx(Destination, Behind, Source, RtlpSafeLength(Source, RTLP_ALL), Remaining, Flags);         \
    }                                                                                                                  \
    FORCEINLINE NTSTATUS RtlUnicodeStringCch##Name##StringNEx(PUNICODE_STRING Destination, const WCHAR *Source,        \
                                                              SIZE_T Count, PUNICODE_STRING Remaining, ULONG Flags)    \
    {                                                                                                                  \
        return RtlpSafePutEx(Destination, Behind, Source, RtlpSafeLength(Source, Count), Remaining, Flags);            \
    }                                                                                                                  \
    FORCEINLINE NTSTATUS RtlUnicodeStringCb##Name##StringNEx(PUNICODE_STRING Destination, const WCHAR *Source,         \
                                                             SIZE_T Bytes, PUNICODE_STRING Remaining, ULONG Flags)     \
    {                                                                                                                  \
        return RtlpSafePutEx(Destination, Behind, Source, RtlpSafeLength(Source, Bytes / sizeof(WCHAR)), Remaining,    \
                             Flags);                                                                                   \
    }

RTLP_SAFE_EX(Copy, FALSE)
RTLP_SAFE_EX(Cat, TRUE)

FORCEINLINE NTSTATUS RtlUnicodeStringVPrintfEx(PUNICODE_STRING Destination, PUNICODE_STRING Remaining, ULONG Flags,
                                               const WCHAR *Format, va_list Arguments)
{
    NTSTATUS Status = RtlpSafeStartEx(Destination, Format && *Format, Flags);
    if (Status != STATUS_PENDING)
        return Status;
    Status = RtlUnicodeStringVPrintf(Destination, Format, Arguments);
    return RtlpSafeEndEx(Destination, 0, Status, Remaining, Flags);
}

static inline __attribute__((unused)) NTSTATUS
RtlUnicodeStringPrintfEx(PUNICODE_STRING Destination, PUNICODE_STRING Remaining, ULONG Flags, const WCHAR *Format, ...)
{
    va_list Arguments;
    NTSTATUS Status;
    va_start(Arguments, Format);
    Status = RtlUnicodeStringVPrintfEx(Destination, Remaining, Flags, Format, Arguments);
    va_end(Arguments);
    return Status;
}

/* A counted string into a zero-terminated buffer. */
FORCEINLINE NTSTATUS RtlStringCchCopyUnicodeString(PWSTR Destination, SIZE_T Room, PCUNICODE_STRING Source)
{
    SIZE_T Count, Put;
    if (!Room || Room > NTSTRSAFE_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    *Destination = 0;
    if (!NT_SUCCESS(RtlUnicodeStringValidate(Source)))
        return STATUS_INVALID_PARAMETER;
    Count = Source ? Source->Length / sizeof(WCHAR) : 0;
    Put = Count < Room ? Count : Room - 1;
    if (Put)
        RtlMoveMemory(Destination, Source->Buffer, Put * sizeof(WCHAR));
    Destination[Put] = 0;
    return Put < Count ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

FORCEINLINE NTSTATUS RtlStringCbCopyUnicodeString(PWSTR Destination, SIZE_T Bytes, PCUNICODE_STRING Source)
{
    return RtlStringCchCopyUnicodeString(Destination, Bytes / sizeof(WCHAR), Source);
}
