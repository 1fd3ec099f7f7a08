/*
 * Encodings, one character at a time, and the two conversions the kernel uses for names and reports.
 *
 * The machine's ANSI and OEM code pages are both 1252. Its five bytes without a character (81, 8D, 8F, 90, 9D) stand
 * for the control characters of the same number, as in Windows' table. DIFFERS: the OEM page of a Western Windows
 * is 437 or 850; and no "best fit" is done (a letter outside the page becomes '?', where Windows drops some accents).
 */
#include "nt.h"
#include "rtl/codepage.h"

const WCHAR RtlpCodePageHigh[32] = {
    0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178,
};

/* What drivers see of the pages (docs: FsRtlIsLeadDbcsCharacter): one byte a character in both, so no byte leads. */
static USHORT RtlpLeadBytes[256];
USHORT NlsAnsiCodePage = 1252, NlsOemCodePage = 1252;
PUSHORT NlsLeadByteInfo = RtlpLeadBytes, NlsOemLeadByteInfo = RtlpLeadBytes;
BOOLEAN NlsMbCodePageTag, NlsMbOemCodePageTag;

UCHAR RtlpWideToAnsi(WCHAR Unit)
{
    if (Unit < 0x80 || (Unit >= 0xa0 && Unit < 0x100))
        return (UCHAR)Unit;
    for (ULONG i = 0; i < 32; i++)
        if (RtlpCodePageHigh[i] == Unit)
            return (UCHAR)(0x80 + i);
    return '?';
}

ULONG RtlpEncodeUtf8(UCHAR Bytes[4], ULONG Code)
{
    if (Code > 0x10ffff || (Code >= 0xd800 && Code < 0xe000))
        Code = 0xfffd;
    if (Code < 0x80) {
        Bytes[0] = (UCHAR)Code;
        return 1;
    }
    if (Code < 0x800) {
        Bytes[0] = (UCHAR)(0xc0 | Code >> 6);
        Bytes[1] = (UCHAR)(0x80 | (Code & 0x3f));
        return 2;
    }
    if (Code < 0x10000) {
        Bytes[0] = (UCHAR)(0xe0 | Code >> 12);
        Bytes[1] = (UCHAR)(0x80 | (Code >> 6 & 0x3f));
        Bytes[2] = (UCHAR)(0x80 | (Code & 0x3f));
        return 3;
    }
    Bytes[0] = (UCHAR)(0xf0 | Code >> 18);
    Bytes[1] = (UCHAR)(0x80 | (Code >> 12 & 0x3f));
    Bytes[2] = (UCHAR)(0x80 | (Code >> 6 & 0x3f));
    Bytes[3] = (UCHAR)(0x80 | (Code & 0x3f));
    return 4;
}

ULONG RtlpDecodeUtf8(const UCHAR **Next, const UCHAR *End)
{
    const UCHAR *Byte = *Next;
    UCHAR First = *Byte++, Low = 0x80, High = 0xbf; /* what the second byte may be: no overlong form, no surrogate */
    ULONG Code, More;

    if (First < 0x80) {
        *Next = Byte;
        return First;
    }
    if (First >= 0xc2 && First < 0xe0) {
        Code = First & 0x1f;
        More = 1;
    } else if (First >= 0xe0 && First < 0xf0) {
        Code = First & 0x0f;
        More = 2;
        if (First == 0xe0)
            Low = 0xa0;
        if (First == 0xed)
            High = 0x9f;
    } else if (First >= 0xf0 && First < 0xf5) {
        Code = First & 0x07;
        More = 3;
        if (First == 0xf0)
            Low = 0x90;
        if (First == 0xf4)
            High = 0x8f;
    } else {
        *Next = Byte;
        return 0xfffd;
    }
    for (; More; More--, Byte++, Low = 0x80, High = 0xbf) {
        if (Byte == End || *Byte < Low || *Byte > High) {
            *Next = Byte;
            return 0xfffd;
        }
        Code = Code << 6 | (*Byte & 0x3f);
    }
    *Next = Byte;
    return Code;
}

ULONG RtlpDecodeUtf16(const WCHAR **Next, const WCHAR *End)
{
    const WCHAR UNALIGNED *Unit = *Next;
    ULONG First = *Unit++;

    *Next = (const WCHAR *)Unit;
    if (First < 0xd800 || First >= 0xe000)
        return First;
    if (First >= 0xdc00 || Unit == End || *Unit < 0xdc00 || *Unit >= 0xe000)
        return 0xfffd;
    *Next = (const WCHAR *)Unit + 1;
    return 0x10000 + ((First - 0xd800) << 10) + (*Unit - 0xdc00u);
}

ULONG RtlpToUtf8(PCHAR Buffer, ULONG Bytes, PCWSTR Text, ULONG Characters)
{
    const WCHAR *Next = Text, *End = Text + Characters;
    ULONG Written = 0;

    if (!Bytes)
        return 0;
    while (Next < End) {
        UCHAR Encoded[4];
        ULONG Count = RtlpEncodeUtf8(Encoded, RtlpDecodeUtf16(&Next, End));
        if (Written + Count >= Bytes)
            break;
        for (ULONG i = 0; i < Count; i++)
            Buffer[Written++] = (CHAR)Encoded[i];
    }
    Buffer[Written] = 0;
    return Written;
}

ULONG RtlpFromUtf8(PWSTR Buffer, ULONG Characters, PCSTR Text)
{
    const UCHAR *Next = (const UCHAR *)Text, *End = Next;
    ULONG Written = 0;

    if (!Characters)
        return 0;
    while (*End)
        End++;
    while (Next < End) {
        ULONG Code = RtlpDecodeUtf8(&Next, End);
        ULONG Count = Code >= 0x10000 ? 2 : 1;
        if (Written + Count >= Characters)
            break;
        if (Count == 2) {
            Buffer[Written++] = (WCHAR)(0xd800 + ((Code - 0x10000) >> 10));
            Code = 0xdc00 + (Code & 0x3ff);
        }
        Buffer[Written++] = (WCHAR)Code;
    }
    Buffer[Written] = 0;
    return Written;
}
