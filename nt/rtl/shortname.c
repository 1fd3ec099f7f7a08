/*
 * 8.3 names (docs: RtlIsNameLegalDOS8Dot3, RtlGenerate8dot3Name).
 *
 * A short name keeps up to six characters of the name's base and "~N"; from the fifth on two characters, a checksum of
 * the long name as four hexadecimal digits, and "~N", so that a directory with many similar names finds free ones soon.
 * DIFFERS: the checksum is another number than Windows'.
 */
#include "nt.h"
#include "rtl/codepage.h"

static BOOLEAN RtlpIsDosCharacter(WCHAR Unit)
{
    static const char Forbidden[] = "\"*+,/:;<=>?[\\]|";
    if (Unit <= L' ' || Unit == 0x7f)
        return FALSE;
    for (PCSTR On = Forbidden; *On; On++)
        if (Unit == (UCHAR)*On)
            return FALSE;
    return TRUE;
}

/* docs: RtlIsNameLegalDOS8Dot3: OemName gets the upper case name; *SpacesInName is told only for a legal one. */
BOOLEAN NTAPI RtlIsNameLegalDOS8Dot3(PCUNICODE_STRING Name, POEM_STRING OemName, PBOOLEAN SpacesInName)
{
    CHAR Room[12];
    OEM_STRING Own = {0, sizeof(Room), Room};
    POEM_STRING Text = OemName ? OemName : &Own;
    ULONG Characters = Name->Length / sizeof(WCHAR), Dot = MAXULONG;
    BOOLEAN Spaces = FALSE;
    if (!Characters || Characters > 12)
        return FALSE;
    if (!NT_SUCCESS(RtlUpcaseUnicodeStringToCountedOemString(Text, (PUNICODE_STRING)Name, FALSE)) || Text->Length > 12)
        return FALSE;
    if ((Text->Length == 1 && Text->Buffer[0] == '.') || (Text->Length == 2 && !memcmp(Text->Buffer, "..", 2))) {
        if (SpacesInName)
            *SpacesInName = FALSE;
        return TRUE;
    }
    for (ULONG i = 0; i < Text->Length; i++) {
        UCHAR Byte = (UCHAR)Text->Buffer[i];
        if (Byte == '.') {
            /* one dot, not first, base without a space before it */
            if (Dot != MAXULONG || i == 0 || Text->Buffer[i - 1] == ' ' || i + 1 == Text->Length)
                return FALSE;
            Dot = i;
        } else if (Byte == ' ')
            Spaces = TRUE;
        else if (!RtlpIsDosCharacter(Byte))
            return FALSE;
    }
    ULONG Base = Dot == MAXULONG ? Text->Length : Dot, Extension = Dot == MAXULONG ? 0 : Text->Length - Dot - 1;
    if (Base > 8 || Extension > 3 || Text->Buffer[Text->Length - 1] == ' ')
        return FALSE;
    if (SpacesInName)
        *SpacesInName = Spaces;
    return TRUE;
}

static USHORT RtlpNameChecksum(PCUNICODE_STRING Name)
{
    USHORT Sum = 0;
    for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++)
        Sum = (USHORT)((Sum << 7 | Sum >> 9) + Name->Buffer[i]);
    return Sum;
}

/* What a character becomes in a short name; 0: it is left out. */
static WCHAR RtlpShortCharacter(WCHAR Unit, BOOLEAN AllowExtended)
{
    if (Unit == L' ' || Unit == L'.')
        return 0;
    Unit = RtlUpcaseUnicodeChar(Unit);
    if (Unit >= 0x80 && (!AllowExtended || (RtlpWideToAnsi(Unit) == '?')))
        return L'_';
    return RtlpIsDosCharacter(Unit) ? Unit : L'_';
}

static VOID RtlpStartShortName(PCUNICODE_STRING Name, BOOLEAN AllowExtended, PGENERATE_NAME_CONTEXT Context)
{
    ULONG Characters = Name->Length / sizeof(WCHAR), Dot = Characters, First = 0;
    while (First < Characters && (Name->Buffer[First] == L'.' || Name->Buffer[First] == L' '))
        First++; /* leading dots begin no extension */
    for (ULONG i = First; i < Characters; i++)
        if (Name->Buffer[i] == L'.')
            Dot = i;
    for (ULONG i = First; i < Dot && Context->NameLength < 6; i++) {
        WCHAR Unit = RtlpShortCharacter(Name->Buffer[i], AllowExtended);
        if (Unit)
            Context->NameBuffer[Context->NameLength++] = Unit;
    }
    for (ULONG i = Dot + 1; i < Characters && Context->ExtensionLength < 4; i++) {
        WCHAR Unit = RtlpShortCharacter(Name->Buffer[i], AllowExtended);
        if (!Context->ExtensionLength && Unit)
            Context->ExtensionBuffer[Context->ExtensionLength++] = L'.';
        if (Unit && Context->ExtensionLength < 4)
            Context->ExtensionBuffer[Context->ExtensionLength++] = Unit;
    }
}

static VOID RtlpInsertChecksum(PCUNICODE_STRING Name, PGENERATE_NAME_CONTEXT Context)
{
    Context->Checksum = RtlpNameChecksum(Name);
    Context->NameLength = min(Context->NameLength, 2);
    for (ULONG i = 0; i < 4; i++)
        Context->NameBuffer[Context->NameLength++] = L"0123456789ABCDEF"[Context->Checksum >> (12 - 4 * i) & 15];
    Context->CheckSumInserted = TRUE;
    Context->LastIndexValue = 1;
}

NTSTATUS NTAPI RtlGenerate8dot3Name(PCUNICODE_STRING Name, BOOLEAN AllowExtended, PGENERATE_NAME_CONTEXT Context,
                                    PUNICODE_STRING Short)
{
    WCHAR Tail[8];
    ULONG Digits = 0;
    if (!Context->LastIndexValue) {
        RtlpStartShortName(Name, AllowExtended, Context);
        Context->LastIndexValue = 1;
        /* docs: names of no or few usable characters get the checksum at once */
        if (Context->NameLength <= 2)
            RtlpInsertChecksum(Name, Context);
    } else if (++Context->LastIndexValue > 4 && !Context->CheckSumInserted)
        RtlpInsertChecksum(Name, Context);
    if (Context->LastIndexValue > 999999)
        return STATUS_FILE_SYSTEM_LIMITATION;
    for (ULONG n = Context->LastIndexValue; n; n /= 10)
        Tail[Digits++] = (WCHAR)(L'0' + n % 10);
    Tail[Digits++] = L'~';
    ULONG Base = min(Context->NameLength, 8 - Digits);
    ULONG Bytes = (Base + Digits + Context->ExtensionLength) * sizeof(WCHAR);
    if (Bytes > Short->MaximumLength)
        return STATUS_BUFFER_OVERFLOW;
    PWSTR To = Short->Buffer;
    RtlCopyMemory(To, Context->NameBuffer, Base * sizeof(WCHAR));
    for (ULONG i = 0; i < Digits; i++)
        To[Base + i] = Tail[Digits - 1 - i];
    RtlCopyMemory(To + Base + Digits, Context->ExtensionBuffer, Context->ExtensionLength * sizeof(WCHAR));
    Short->Length = (USHORT)Bytes;
    return STATUS_SUCCESS;
}
