/*
 * Counted strings of bytes (ANSI_STRING, OEM_STRING): make, copy, append, compare.
 *
 * The code page is 1252, see codepage.c. Unlike its Unicode sister no routine here writes a terminator into a
 * caller's buffer: RtlCopyString copies the counted bytes and nothing more (docs: RtlCopyString).
 */
#include "nt.h"

VOID NTAPI RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString)
{
    SIZE_T Bytes = SourceString ? strlen(SourceString) : 0;

    /* A text too long for the counts is cut, so that the terminator still counts. */
    if (Bytes > MAXUSHORT - 1)
        Bytes = MAXUSHORT - 1;
    DestinationString->Length = (USHORT)Bytes;
    DestinationString->MaximumLength = SourceString ? (USHORT)(Bytes + 1) : 0;
    DestinationString->Buffer = (PCHAR)SourceString;
}

VOID NTAPI RtlInitString(PSTRING DestinationString, PCSZ SourceString)
{
    RtlInitAnsiString(DestinationString, SourceString);
}

NTSTATUS NTAPI RtlInitAnsiStringEx(PANSI_STRING DestinationString, PCSZ SourceString)
{
    if (SourceString && strlen(SourceString) > MAXUSHORT - 1) {
        DestinationString->Length = DestinationString->MaximumLength = 0;
        DestinationString->Buffer = NULL;
        return STATUS_NAME_TOO_LONG;
    }
    RtlInitAnsiString(DestinationString, SourceString);
    return STATUS_SUCCESS;
}

VOID NTAPI RtlFreeAnsiString(PANSI_STRING AnsiString)
{
    if (AnsiString->Buffer) {
        ExFreePool(AnsiString->Buffer);
        RtlZeroMemory(AnsiString, sizeof(*AnsiString));
    }
}

VOID NTAPI RtlFreeOemString(POEM_STRING OemString)
{
    if (OemString->Buffer)
        ExFreePool(OemString->Buffer);
}

VOID NTAPI RtlCopyString(PSTRING DestinationString, const PSTRING SourceString)
{
    USHORT Bytes = SourceString ? SourceString->Length : 0;

    if (Bytes > DestinationString->MaximumLength)
        Bytes = DestinationString->MaximumLength;
    if (Bytes)
        memmove(DestinationString->Buffer, SourceString->Buffer, Bytes);
    DestinationString->Length = Bytes;
}

static NTSTATUS RtlpAppendBytes(PSTRING Destination, PCSZ Text, SIZE_T Bytes)
{
    if (Destination->Length + Bytes > Destination->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    memmove(Destination->Buffer + Destination->Length, Text, Bytes);
    Destination->Length = (USHORT)(Destination->Length + Bytes);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAppendStringToString(PSTRING Destination, const STRING *Source)
{
    return Source->Length ? RtlpAppendBytes(Destination, Source->Buffer, Source->Length) : STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAppendAsciizToString(PSTRING Destination, PCSZ Source)
{
    return Source ? RtlpAppendBytes(Destination, Source, strlen(Source)) : STATUS_SUCCESS;
}

static LONG RtlpCompareBytes(PCSZ Left, PCSZ Right, SIZE_T Bytes, BOOLEAN Fold)
{
    for (SIZE_T i = 0; i < Bytes; i++) {
        UCHAR A = (UCHAR)(Fold ? RtlUpperChar(Left[i]) : Left[i]);
        UCHAR B = (UCHAR)(Fold ? RtlUpperChar(Right[i]) : Right[i]);
        if (A != B)
            return A - B;
    }
    return 0;
}

LONG NTAPI RtlCompareString(const PSTRING String1, const PSTRING String2, BOOLEAN CaseInSensitive)
{
    USHORT Common = String1->Length < String2->Length ? String1->Length : String2->Length;
    LONG Order = RtlpCompareBytes(String1->Buffer, String2->Buffer, Common, CaseInSensitive);

    return Order ? Order : String1->Length - String2->Length;
}

BOOLEAN NTAPI RtlEqualString(const PSTRING String1, const PSTRING String2, BOOLEAN CaseInSensitive)
{
    return String1->Length == String2->Length && !RtlCompareString(String1, String2, CaseInSensitive);
}

BOOLEAN NTAPI RtlPrefixString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
    return String1->Length <= String2->Length &&
           !RtlpCompareBytes(String1->Buffer, String2->Buffer, String1->Length, CaseInSensitive);
}

/* docs: RtlUpperString; what does not fit is left out. */
VOID NTAPI RtlUpperString(PSTRING DestinationString, const PSTRING SourceString)
{
    RtlCopyString(DestinationString, SourceString);
    for (USHORT i = 0; i < DestinationString->Length; i++)
        DestinationString->Buffer[i] = RtlUpperChar(DestinationString->Buffer[i]);
}
