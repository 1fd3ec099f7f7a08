/*
 * Conversion between UTF-16 and the narrow encodings: code page 1252 (for both ANSI and OEM) and UTF-8.
 *
 * The page has one byte a character, so sizes follow from counts. The N routines work on bare buffers and cut what does
 * not fit; the String routines either fail whole or, from Unicode to a narrow buffer of the caller, cut and say
 * STATUS_BUFFER_OVERFLOW, as documented. Allocated results come from paged pool.
 */
#include "nt.h"
#include "rtl/codepage.h"

#define RTLP_STRING_TAG 'grtS'

/* ---- Bare buffers ---------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI RtlMultiByteToUnicodeN(PWCH UnicodeString, ULONG MaxBytesInUnicodeString, PULONG BytesInUnicodeString,
                                      const CHAR *MultiByteString, ULONG BytesInMultiByteString)
{
    ULONG Units = MaxBytesInUnicodeString / sizeof(WCHAR);

    if (Units > BytesInMultiByteString)
        Units = BytesInMultiByteString;
    if (BytesInUnicodeString)
        *BytesInUnicodeString = Units * sizeof(WCHAR);
    for (ULONG i = 0; i < Units; i++)
        UnicodeString[i] = RtlpAnsiToWide((UCHAR)MultiByteString[i]);
    return STATUS_SUCCESS;
}

static NTSTATUS RtlpNarrow(PCHAR To, ULONG Room, PULONG Written, PCWCH From, ULONG Bytes, BOOLEAN Upper)
{
    ULONG Units = Bytes / sizeof(WCHAR);

    if (Units > Room)
        Units = Room;
    if (Written)
        *Written = Units;
    for (ULONG i = 0; i < Units; i++)
        To[i] = (CHAR)RtlpWideToAnsi(Upper ? RtlUpcaseUnicodeChar(From[i]) : From[i]);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUnicodeToMultiByteN(PCHAR MultiByteString, ULONG MaxBytesInMultiByteString,
                                      PULONG BytesInMultiByteString, PCWCH UnicodeString, ULONG BytesInUnicodeString)
{
    return RtlpNarrow(MultiByteString, MaxBytesInMultiByteString, BytesInMultiByteString, UnicodeString,
                      BytesInUnicodeString, FALSE);
}

NTSTATUS NTAPI RtlUpcaseUnicodeToMultiByteN(PCHAR MultiByteString, ULONG MaxBytesInMultiByteString,
                                            PULONG BytesInMultiByteString, PCWCH UnicodeString,
                                            ULONG BytesInUnicodeString)
{
    return RtlpNarrow(MultiByteString, MaxBytesInMultiByteString, BytesInMultiByteString, UnicodeString,
                      BytesInUnicodeString, TRUE);
}

NTSTATUS NTAPI RtlUnicodeToOemN(PCHAR OemString, ULONG MaxBytesInOemString, PULONG BytesInOemString,
                                PCWCH UnicodeString, ULONG BytesInUnicodeString)
{
    return RtlpNarrow(OemString, MaxBytesInOemString, BytesInOemString, UnicodeString, BytesInUnicodeString, FALSE);
}

NTSTATUS NTAPI RtlUpcaseUnicodeToOemN(PCHAR OemString, ULONG MaxBytesInOemString, PULONG BytesInOemString,
                                      PCWCH UnicodeString, ULONG BytesInUnicodeString)
{
    return RtlpNarrow(OemString, MaxBytesInOemString, BytesInOemString, UnicodeString, BytesInUnicodeString, TRUE);
}

NTSTATUS NTAPI RtlOemToUnicodeN(PWSTR UnicodeString, ULONG MaxBytesInUnicodeString, PULONG BytesInUnicodeString,
                                PCCH OemString, ULONG BytesInOemString)
{
    return RtlMultiByteToUnicodeN(UnicodeString, MaxBytesInUnicodeString, BytesInUnicodeString, OemString,
                                  BytesInOemString);
}

NTSTATUS NTAPI RtlMultiByteToUnicodeSize(PULONG BytesInUnicodeString, const CHAR *MultiByteString,
                                         ULONG BytesInMultiByteString)
{
    *BytesInUnicodeString = BytesInMultiByteString * sizeof(WCHAR);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUnicodeToMultiByteSize(PULONG BytesInMultiByteString, PCWCH UnicodeString, ULONG BytesInUnicodeString)
{
    *BytesInMultiByteString = BytesInUnicodeString / sizeof(WCHAR);
    return STATUS_SUCCESS;
}

/* Sizes with the terminator. */
ULONG NTAPI RtlxAnsiStringToUnicodeSize(PCANSI_STRING AnsiString)
{
    return (AnsiString->Length + 1u) * sizeof(WCHAR);
}

ULONG NTAPI RtlxOemStringToUnicodeSize(PCOEM_STRING OemString)
{
    return (OemString->Length + 1u) * sizeof(WCHAR);
}

ULONG NTAPI RtlxUnicodeStringToAnsiSize(PCUNICODE_STRING UnicodeString)
{
    return UnicodeString->Length / sizeof(WCHAR) + 1;
}

ULONG NTAPI RtlxUnicodeStringToOemSize(PCUNICODE_STRING UnicodeString)
{
    return UnicodeString->Length / sizeof(WCHAR) + 1;
}

WCHAR NTAPI RtlAnsiCharToUnicodeChar(PUCHAR *SourceCharacter)
{
    return RtlpAnsiToWide(*(*SourceCharacter)++);
}

/* docs: RtlIsValidOemCharacter: valid is what has a byte; what has none becomes the default character, which is not valid itself. */
BOOLEAN NTAPI RtlIsValidOemCharacter(PWCHAR Char)
{
    WCHAR Upper = RtlUpcaseUnicodeChar(*Char);
    UCHAR Byte = RtlpWideToAnsi(Upper);

    *Char = Byte == '?' ? Upper : RtlUpcaseUnicodeChar(RtlpAnsiToWide(Byte));
    return Byte != '?';
}

/* ---- Narrow strings to Unicode --------------------------------------------------------------------------------- */

static NTSTATUS RtlpWiden(PUNICODE_STRING Destination, const STRING *Source, BOOLEAN Allocate, BOOLEAN Terminate)
{
    ULONG Bytes = Source->Length * sizeof(WCHAR), Room = Bytes + (Terminate ? sizeof(WCHAR) : 0);

    if (Room > MAXUSHORT)
        return STATUS_INVALID_PARAMETER_2;
    if (Allocate) {
        Destination->Buffer = Room ? ExAllocatePoolWithTag(PagedPool, Room, RTLP_STRING_TAG) : NULL;
        if (Room && !Destination->Buffer)
            return STATUS_NO_MEMORY;
        Destination->MaximumLength = (USHORT)Room;
    } else if (Room > Destination->MaximumLength) {
        return STATUS_BUFFER_OVERFLOW;
    }
    RtlMultiByteToUnicodeN(Destination->Buffer, Bytes, NULL, Source->Buffer, Source->Length);
    Destination->Length = (USHORT)Bytes;
    if (Terminate)
        Destination->Buffer[Source->Length] = 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString,
                                            BOOLEAN AllocateDestinationString)
{
    return RtlpWiden(DestinationString, SourceString, AllocateDestinationString, TRUE);
}

NTSTATUS NTAPI RtlOemStringToUnicodeString(PUNICODE_STRING DestinationString, PCOEM_STRING SourceString,
                                           BOOLEAN AllocateDestinationString)
{
    return RtlpWiden(DestinationString, SourceString, AllocateDestinationString, TRUE);
}

NTSTATUS NTAPI RtlOemStringToCountedUnicodeString(PUNICODE_STRING DestinationString, PCOEM_STRING SourceString,
                                                  BOOLEAN AllocateDestinationString)
{
    return RtlpWiden(DestinationString, SourceString, AllocateDestinationString, FALSE);
}

/* ---- Unicode strings to narrow ones ---------------------------------------------------------------------------- */

static NTSTATUS RtlpNarrowString(PSTRING Destination, PCUNICODE_STRING Source, BOOLEAN Allocate, BOOLEAN Terminate,
                                 BOOLEAN Upper)
{
    ULONG Bytes = Source->Length / sizeof(WCHAR), Room = Bytes + (Terminate ? 1 : 0);
    NTSTATUS Status = STATUS_SUCCESS;

    if (Allocate) {
        Destination->Buffer = Room ? ExAllocatePoolWithTag(PagedPool, Room, RTLP_STRING_TAG) : NULL;
        if (Room && !Destination->Buffer)
            return STATUS_NO_MEMORY;
        Destination->MaximumLength = (USHORT)Room;
    } else if (Room > Destination->MaximumLength) {
        Status = STATUS_BUFFER_OVERFLOW;
        if (!Destination->MaximumLength)
            return Status;
        Bytes = Destination->MaximumLength - (Terminate ? 1u : 0u);
    }
    RtlpNarrow(Destination->Buffer, Bytes, NULL, Source->Buffer, Source->Length, Upper);
    Destination->Length = (USHORT)Bytes;
    if (Terminate)
        Destination->Buffer[Bytes] = 0;
    return Status;
}

NTSTATUS NTAPI RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
                                            BOOLEAN AllocateDestinationString)
{
    return RtlpNarrowString(DestinationString, SourceString, AllocateDestinationString, TRUE, FALSE);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
                                                  BOOLEAN AllocateDestinationString)
{
    return RtlpNarrowString(DestinationString, SourceString, AllocateDestinationString, TRUE, TRUE);
}

NTSTATUS NTAPI RtlUnicodeStringToOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                           BOOLEAN AllocateDestinationString)
{
    return RtlpNarrowString(DestinationString, SourceString, AllocateDestinationString, TRUE, FALSE);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                                 BOOLEAN AllocateDestinationString)
{
    return RtlpNarrowString(DestinationString, SourceString, AllocateDestinationString, TRUE, TRUE);
}

NTSTATUS NTAPI RtlUnicodeStringToCountedOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                                  BOOLEAN AllocateDestinationString)
{
    return RtlpNarrowString(DestinationString, SourceString, AllocateDestinationString, FALSE, FALSE);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToCountedOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                                        BOOLEAN AllocateDestinationString)
{
    return RtlpNarrowString(DestinationString, SourceString, AllocateDestinationString, FALSE, TRUE);
}

/* ---- UTF-8 ----------------------------------------------------------------------------------------------------- */

/* docs: RtlUnicodeToUTF8N; without a destination it counts. Damaged text becomes U+FFFD and is told. */
NTSTATUS NTAPI RtlUnicodeToUTF8N(PCHAR UTF8StringDestination, ULONG UTF8StringMaxByteCount,
                                 PULONG UTF8StringActualByteCount, PCWCH UnicodeStringSource,
                                 ULONG UnicodeStringByteCount)
{
    const WCHAR *Next = UnicodeStringSource, *End = Next + UnicodeStringByteCount / sizeof(WCHAR);
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Written = 0;

    if (!UnicodeStringSource)
        return STATUS_INVALID_PARAMETER_4;
    if (UnicodeStringByteCount & 1)
        return STATUS_INVALID_PARAMETER_5;
    if (!UTF8StringDestination && !UTF8StringActualByteCount)
        return STATUS_INVALID_PARAMETER;
    while (Next < End) {
        const WCHAR *Before = Next;
        UCHAR Bytes[4];
        ULONG Code = RtlpDecodeUtf16(&Next, End), Count = RtlpEncodeUtf8(Bytes, Code);
        if (UTF8StringDestination && Written + Count > UTF8StringMaxByteCount) {
            Status = STATUS_BUFFER_TOO_SMALL;
            break;
        }
        if (Code == 0xfffd && *Before != 0xfffd)
            Status = STATUS_SOME_NOT_MAPPED;
        if (UTF8StringDestination)
            memcpy(UTF8StringDestination + Written, Bytes, Count);
        Written += Count;
    }
    if (UTF8StringActualByteCount)
        *UTF8StringActualByteCount = Written;
    return Status;
}

/* docs: RtlUTF8ToUnicodeN */
NTSTATUS NTAPI RtlUTF8ToUnicodeN(PWSTR UnicodeStringDestination, ULONG UnicodeStringMaxByteCount,
                                 PULONG UnicodeStringActualByteCount, PCCH UTF8StringSource, ULONG UTF8StringByteCount)
{
    const UCHAR *Next = (const UCHAR *)UTF8StringSource, *End = Next + UTF8StringByteCount;
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Units = 0, Room = UnicodeStringMaxByteCount / sizeof(WCHAR);

    if (!UTF8StringSource)
        return STATUS_INVALID_PARAMETER_4;
    if (!UnicodeStringDestination && !UnicodeStringActualByteCount)
        return STATUS_INVALID_PARAMETER;
    while (Next < End) {
        const UCHAR *Before = Next;
        ULONG Code = RtlpDecodeUtf8(&Next, End), Count = Code >= 0x10000 ? 2 : 1;
        if (UnicodeStringDestination && Units + Count > Room) {
            Status = STATUS_BUFFER_TOO_SMALL;
            break;
        }
        if (Code == 0xfffd && !(Next - Before == 3 && Before[0] == 0xef && Before[1] == 0xbf && Before[2] == 0xbd))
            Status = STATUS_SOME_NOT_MAPPED;
        if (UnicodeStringDestination && Count == 2) {
            UnicodeStringDestination[Units] = (WCHAR)(0xd800 + ((Code - 0x10000) >> 10));
            UnicodeStringDestination[Units + 1] = (WCHAR)(0xdc00 + (Code & 0x3ff));
        } else if (UnicodeStringDestination) {
            UnicodeStringDestination[Units] = (WCHAR)Code;
        }
        Units += Count;
    }
    if (UnicodeStringActualByteCount)
        *UnicodeStringActualByteCount = Units * sizeof(WCHAR);
    return Status;
}
