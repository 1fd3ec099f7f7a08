/*
 * Counted strings of UTF-16: make, copy, append, compare, upper and lower case, numbers, GUIDs.
 *
 * Lengths are in bytes; an odd last byte is ignored as on Windows. A string whose buffer was allocated here comes from
 * paged pool, as the documentation of RtlFreeUnicodeString and its makers implies, and is freed by
 * RtlFreeUnicodeString. None of these routines writes past MaximumLength.
 */
#include "nt.h"
#include "rtl/ascii.h"

#define RTLP_STRING_TAG 'grtS'
#define RTLP_MAXIMUM_BYTES 0xfffe /* the longest even USHORT */

/* ---- Make, free ------------------------------------------------------------------------------------------------ */

VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    /* docs: RtlInitUnicodeString; a text too long for the counts is cut so that the terminator still counts. */
    SIZE_T Bytes = SourceString ? wcslen(SourceString) * sizeof(WCHAR) : 0;

    if (Bytes > RTLP_MAXIMUM_BYTES - sizeof(WCHAR))
        Bytes = RTLP_MAXIMUM_BYTES - sizeof(WCHAR);
    DestinationString->Length = (USHORT)Bytes;
    DestinationString->MaximumLength = SourceString ? (USHORT)(Bytes + sizeof(WCHAR)) : 0;
    DestinationString->Buffer = (PWSTR)SourceString;
}

NTSTATUS NTAPI RtlInitUnicodeStringEx(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    if (SourceString && wcslen(SourceString) * sizeof(WCHAR) > RTLP_MAXIMUM_BYTES - sizeof(WCHAR)) {
        DestinationString->Length = DestinationString->MaximumLength = 0;
        DestinationString->Buffer = NULL;
        return STATUS_NAME_TOO_LONG;
    }
    RtlInitUnicodeString(DestinationString, SourceString);
    return STATUS_SUCCESS;
}

static NTSTATUS RtlpAllocateString(PUNICODE_STRING String, SIZE_T Bytes)
{
    if (Bytes > RTLP_MAXIMUM_BYTES)
        return STATUS_NAME_TOO_LONG;
    String->Buffer =
        ExAllocatePoolWithTag(PagedPool, max(Bytes, 1), RTLP_STRING_TAG); /* an empty string has memory, too */
    if (!String->Buffer)
        return STATUS_NO_MEMORY;
    String->MaximumLength = (USHORT)Bytes;
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI RtlCreateUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    SIZE_T Bytes = (wcslen(SourceString) + 1) * sizeof(WCHAR);

    if (!NT_SUCCESS(RtlpAllocateString(DestinationString, Bytes)))
        return FALSE;
    memcpy(DestinationString->Buffer, SourceString, Bytes);
    DestinationString->Length = (USHORT)(Bytes - sizeof(WCHAR));
    return TRUE;
}

VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING UnicodeString)
{
    if (UnicodeString->Buffer) {
        ExFreePool(UnicodeString->Buffer);
        RtlZeroMemory(UnicodeString, sizeof(*UnicodeString));
    }
}

static BOOLEAN RtlpIsValid(PCUNICODE_STRING String)
{
    return !String || (!(String->Length & 1) && !(String->MaximumLength & 1) &&
                       String->Length <= String->MaximumLength && (String->Buffer || !String->MaximumLength));
}

/* docs: RtlValidateUnicodeString; no flags are defined. */
NTSTATUS NTAPI RtlValidateUnicodeString(ULONG Flags, PCUNICODE_STRING String)
{
    return !Flags && RtlpIsValid(String) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS NTAPI RtlDuplicateUnicodeString(ULONG Flags, PCUNICODE_STRING SourceString, PUNICODE_STRING DestinationString)
{
    BOOLEAN Terminate = (Flags & RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE) != 0;
    BOOLEAN Always = (Flags & RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING) != 0;
    UNICODE_STRING Result = {0};
    NTSTATUS Status;

    if (!SourceString || !DestinationString || !RtlpIsValid(SourceString) || (Always && !Terminate) || Flags > 3)
        return STATUS_INVALID_PARAMETER;
    if (SourceString->Length || Always) {
        Status = RtlpAllocateString(&Result, SourceString->Length + (Terminate ? sizeof(WCHAR) : 0ull));
        if (!NT_SUCCESS(Status))
            return Status;
        Result.Length = SourceString->Length;
        memcpy(Result.Buffer, SourceString->Buffer, Result.Length);
        if (Terminate)
            Result.Buffer[Result.Length / sizeof(WCHAR)] = 0;
    }
    *DestinationString = Result;
    return STATUS_SUCCESS;
}

/* ---- Copy, append ---------------------------------------------------------------------------------------------- */

VOID NTAPI RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    USHORT Bytes = SourceString ? SourceString->Length : 0;

    if (Bytes > DestinationString->MaximumLength)
        Bytes = DestinationString->MaximumLength & ~1;
    if (Bytes)
        memmove(DestinationString->Buffer, SourceString->Buffer, Bytes);
    DestinationString->Length = Bytes;
    if (Bytes + sizeof(WCHAR) <= DestinationString->MaximumLength)
        DestinationString->Buffer[Bytes / sizeof(WCHAR)] = 0;
}

static NTSTATUS RtlpAppendUnits(PUNICODE_STRING Destination, PCWSTR Text, SIZE_T Bytes)
{
    SIZE_T Total = Destination->Length + Bytes;

    if (Total > Destination->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    memmove((PUCHAR)Destination->Buffer + Destination->Length, Text, Bytes);
    Destination->Length = (USHORT)Total;
    if (Total + sizeof(WCHAR) <= Destination->MaximumLength)
        Destination->Buffer[Total / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return Source->Length ? RtlpAppendUnits(Destination, Source->Buffer, Source->Length) : STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source)
{
    return Source ? RtlpAppendUnits(Destination, Source, wcslen(Source) * sizeof(WCHAR)) : STATUS_SUCCESS;
}

/* ---- Compare --------------------------------------------------------------------------------------------------- */

static inline WCHAR RtlpFold(WCHAR Unit, BOOLEAN Fold)
{
    return Fold ? RtlUpcaseUnicodeChar(Unit) : Unit;
}

LONG NTAPI RtlCompareUnicodeStrings(PCWCH String1, SIZE_T String1Length, PCWCH String2, SIZE_T String2Length,
                                    BOOLEAN CaseInSensitive)
{
    SIZE_T Common = String1Length < String2Length ? String1Length : String2Length;

    for (SIZE_T i = 0; i < Common; i++) {
        LONG Difference = 0;
        if (String1[i] != String2[i])
            Difference = RtlpFold(String1[i], CaseInSensitive) - RtlpFold(String2[i], CaseInSensitive);
        if (Difference)
            return Difference;
    }
    return (LONG)((INT64)String1Length - (INT64)String2Length);
}

LONG NTAPI RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    return RtlCompareUnicodeStrings(String1->Buffer, String1->Length / sizeof(WCHAR), String2->Buffer,
                                    String2->Length / sizeof(WCHAR), CaseInSensitive);
}

BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    return String1->Length == String2->Length && !RtlCompareUnicodeString(String1, String2, CaseInSensitive);
}

BOOLEAN NTAPI RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    SIZE_T Units = String1->Length / sizeof(WCHAR);

    return String1->Length <= String2->Length &&
           !RtlCompareUnicodeStrings(String1->Buffer, Units, String2->Buffer, Units, CaseInSensitive);
}

/* docs: RtlHashUnicodeString; X65599 is hash * 65599 + unit over the string. */
NTSTATUS NTAPI RtlHashUnicodeString(PCUNICODE_STRING String, BOOLEAN CaseInSensitive, ULONG HashAlgorithm,
                                    PULONG HashValue)
{
    ULONG Hash = 0;

    if (!String || !HashValue || HashAlgorithm > HASH_STRING_ALGORITHM_X65599)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < String->Length / sizeof(WCHAR); i++)
        Hash = Hash * 65599 + RtlpFold(String->Buffer[i], CaseInSensitive);
    *HashValue = Hash;
    return STATUS_SUCCESS;
}

/* ---- Case ------------------------------------------------------------------------------------------------------ */

static NTSTATUS RtlpChangeCase(PUNICODE_STRING Destination, PCUNICODE_STRING Source, BOOLEAN Allocate,
                               WCHAR(NTAPI *Change)(WCHAR))
{
    if (Allocate) {
        NTSTATUS Status = RtlpAllocateString(Destination, Source->Length);
        if (!NT_SUCCESS(Status))
            return Status;
    } else if (Source->Length > Destination->MaximumLength) {
        return STATUS_BUFFER_OVERFLOW;
    }
    for (ULONG i = 0; i < Source->Length / sizeof(WCHAR); i++)
        Destination->Buffer[i] = Change(Source->Buffer[i]);
    Destination->Length = Source->Length;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUpcaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
                                      BOOLEAN AllocateDestinationString)
{
    return RtlpChangeCase(DestinationString, SourceString, AllocateDestinationString, RtlUpcaseUnicodeChar);
}

NTSTATUS NTAPI RtlDowncaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
                                        BOOLEAN AllocateDestinationString)
{
    return RtlpChangeCase(DestinationString, SourceString, AllocateDestinationString, RtlDowncaseUnicodeChar);
}

/* ---- Numbers --------------------------------------------------------------------------------------------------- */

static NTSTATUS RtlpWriteInteger(ULONGLONG Value, ULONG Base, PUNICODE_STRING String)
{
    CHAR Digits[64];
    ULONG Count = 0, Bytes;

    if (!Base)
        Base = 10;
    if (Base != 2 && Base != 8 && Base != 10 && Base != 16)
        return STATUS_INVALID_PARAMETER;
    do
        Digits[Count++] = "0123456789ABCDEF"[Value % Base];
    while (Value /= Base);
    Bytes = Count * sizeof(WCHAR);
    if (Bytes > String->MaximumLength)
        return STATUS_BUFFER_OVERFLOW;
    for (ULONG i = 0; i < Count; i++)
        String->Buffer[i] = (WCHAR)Digits[Count - 1 - i];
    if (Bytes + sizeof(WCHAR) <= String->MaximumLength)
        String->Buffer[Count] = 0;
    String->Length = (USHORT)Bytes;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String)
{
    return RtlpWriteInteger(Value, Base, String);
}

NTSTATUS NTAPI RtlInt64ToUnicodeString(ULONGLONG Value, ULONG Base, PUNICODE_STRING String)
{
    return RtlpWriteInteger(Value, Base, String);
}

/* docs: RtlUnicodeStringToInteger, RtlCharToInteger; blanks, a sign, and with base 0 a prefix 0x, 0o or 0b. Reading
 * stops at the first other character; overflow is not told. Unit gives the unit at an index, 0 behind the end. */
static NTSTATUS RtlpParseInteger(WCHAR (*Unit)(const VOID *, ULONG), const VOID *Text, ULONG Base, PULONG Value)
{
    ULONG At = 0, Result = 0;
    BOOLEAN Negative;

    while (Unit(Text, At) && Unit(Text, At) <= ' ')
        At++;
    Negative = Unit(Text, At) == '-';
    if (Negative || Unit(Text, At) == '+')
        At++;
    if (!Base) {
        WCHAR Letter = Unit(Text, At) == '0' ? Unit(Text, At + 1) : 0;
        Base = Letter == 'x' ? 16 : Letter == 'o' ? 8 : Letter == 'b' ? 2 : 10;
        if (Base != 10)
            At += 2;
    } else if (Base != 2 && Base != 8 && Base != 10 && Base != 16) {
        return STATUS_INVALID_PARAMETER;
    }
    for (ULONG Digit; (Digit = RtlpDigit(Unit(Text, At))) < Base; At++)
        Result = Result * Base + Digit;
    *Value = Negative ? 0 - Result : Result;
    return STATUS_SUCCESS;
}

static WCHAR RtlpUnitOfString(const VOID *Text, ULONG Index)
{
    PCUNICODE_STRING String = Text;
    return Index < String->Length / sizeof(WCHAR) ? String->Buffer[Index] : 0;
}

static WCHAR RtlpUnitOfChars(const VOID *Text, ULONG Index)
{
    return ((const UCHAR *)Text)[Index];
}

NTSTATUS NTAPI RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value)
{
    return RtlpParseInteger(RtlpUnitOfString, String, Base, Value);
}

NTSTATUS NTAPI RtlCharToInteger(PCSZ String, ULONG Base, PULONG Value)
{
    return RtlpParseInteger(RtlpUnitOfChars, String, Base, Value);
}

/* ---- GUIDs ----------------------------------------------------------------------------------------------------- */

#define RTLP_GUID_UNITS 38 /* {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx} */

NTSTATUS NTAPI RtlStringFromGUID(REFGUID Guid, PUNICODE_STRING GuidString)
{
    CHAR Text[RTLP_GUID_UNITS + 1];
    NTSTATUS Status = RtlpAllocateString(GuidString, sizeof(Text) * sizeof(WCHAR));

    if (!NT_SUCCESS(Status))
        return Status;
    RtlpFormat(Text, sizeof(Text), "{%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}", Guid->Data1, Guid->Data2,
               Guid->Data3, Guid->Data4[0], Guid->Data4[1], Guid->Data4[2], Guid->Data4[3], Guid->Data4[4],
               Guid->Data4[5], Guid->Data4[6], Guid->Data4[7]);
    for (ULONG i = 0; i < sizeof(Text); i++)
        GuidString->Buffer[i] = (WCHAR)Text[i];
    GuidString->Length = RTLP_GUID_UNITS * sizeof(WCHAR);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGUIDFromString(PUNICODE_STRING GuidString, GUID *Guid)
{
    static const CHAR Pattern[] = "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}";
    UCHAR Bytes[16] = {0};
    ULONG Nibble = 0;

    if (GuidString->Length < RTLP_GUID_UNITS * sizeof(WCHAR))
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < RTLP_GUID_UNITS; i++) {
        WCHAR Unit = GuidString->Buffer[i];
        if (Pattern[i] != 'x') {
            if (Unit != (WCHAR)Pattern[i])
                return STATUS_INVALID_PARAMETER;
            continue;
        }
        if (RtlpDigit(Unit) > 15)
            return STATUS_INVALID_PARAMETER;
        Bytes[Nibble / 2] = (UCHAR)(Bytes[Nibble / 2] << 4 | RtlpDigit(Unit));
        Nibble++;
    }
    Guid->Data1 = (ULONG)Bytes[0] << 24 | (ULONG)Bytes[1] << 16 | (ULONG)Bytes[2] << 8 | Bytes[3];
    Guid->Data2 = (USHORT)(Bytes[4] << 8 | Bytes[5]);
    Guid->Data3 = (USHORT)(Bytes[6] << 8 | Bytes[7]);
    memcpy(Guid->Data4, Bytes + 8, 8);
    return STATUS_SUCCESS;
}
