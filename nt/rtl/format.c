/*
 * The formatter: flags, width, precision, sizes and types of the C runtime that Windows' kernel carries, with the
 * kernel's own Z (counted strings).
 *
 * What differs from ISO C, all as on Windows: long has 32 bits; I64, I32 and I are size prefixes; %p is 16 upper-case
 * digits; %S and %C are "the other width" than the format itself; %s in a wide format is a wide string; h, l and w
 * before s, c and Z choose the width whatever the format; %n does nothing; floating point is not supported (docs:
 * DbgPrint): its argument is skipped and the conversion's letter printed.
 *
 * A string is never read past its precision, nor a counted string past its length.
 *
 * Narrow to wide conversion takes narrow text as code page 1252, not as UTF-8.
 */
#include "nt.h"
#include "rtl/format.h"
#include "rtl/codepage.h"

enum { FlagLeft = 1, FlagPlus = 2, FlagSpace = 4, FlagAlternate = 8, FlagZero = 16 };

typedef enum _RTLP_SIZE { SizeDefault, SizeChar, SizeShort, SizeLong, SizeWide, SizeInt64 } RTLP_SIZE;

/* One conversion: everything between '%' and the type letter. */
typedef struct _RTLP_SPEC {
    ULONG Flags;
    LONG Width, Precision; /* precision -1 = none given */
    RTLP_SIZE Size;
} RTLP_SPEC;

/* ---- The sink -------------------------------------------------------------------------------------------------- */

static void PutByte(RTLP_SINK *Sink, UCHAR Byte)
{
    if (Sink->Length < Sink->Room)
        ((PUCHAR)Sink->Buffer)[Sink->Length] = Byte;
    Sink->Length++;
}

/* A code point goes out whole or, where the room ends in its middle, not at all. */
static void PutUtf8(RTLP_SINK *Sink, ULONG Code)
{
    UCHAR Bytes[4];
    ULONG Count = RtlpEncodeUtf8(Bytes, Code);

    if (Sink->Length < Sink->Room && Sink->Length + Count > Sink->Room)
        Sink->Room = Sink->Length;
    for (ULONG i = 0; i < Count; i++)
        PutByte(Sink, Bytes[i]);
}

static void FlushSurrogate(RTLP_SINK *Sink)
{
    if (Sink->HighSurrogate) {
        Sink->HighSurrogate = 0;
        PutUtf8(Sink, 0xfffd);
    }
}

static void PutNarrow(RTLP_SINK *Sink, UCHAR Byte)
{
    if (Sink->Encoding == RtlpWide) {
        if (Sink->Length < Sink->Room)
            ((PWSTR)Sink->Buffer)[Sink->Length] = RtlpAnsiToWide(Byte);
        Sink->Length++;
    } else {
        FlushSurrogate(Sink);
        PutByte(Sink, Byte);
    }
}

static void PutWide(RTLP_SINK *Sink, WCHAR Unit)
{
    if (Sink->Encoding == RtlpWide) {
        if (Sink->Length < Sink->Room)
            ((PWSTR)Sink->Buffer)[Sink->Length] = Unit;
        Sink->Length++;
    } else if (Sink->Encoding == RtlpAnsi) {
        PutByte(Sink, RtlpWideToAnsi(Unit));
    } else if (Sink->HighSurrogate && Unit >= 0xdc00 && Unit < 0xe000) {
        ULONG Code = 0x10000 + ((ULONG)(Sink->HighSurrogate - 0xd800) << 10) + (Unit - 0xdc00);
        Sink->HighSurrogate = 0;
        PutUtf8(Sink, Code);
    } else {
        FlushSurrogate(Sink);
        if (Unit >= 0xd800 && Unit < 0xdc00)
            Sink->HighSurrogate = Unit;
        else
            PutUtf8(Sink, Unit >= 0xdc00 && Unit < 0xe000 ? 0xfffd : Unit);
    }
}

/* A width may be two thousand million: past the room padding is counted, not written. */
static void Pad(RTLP_SINK *Sink, CHAR Fill, LONG Count)
{
    while (Count > 0 && Sink->Length < Sink->Room) {
        PutNarrow(Sink, (UCHAR)Fill);
        Count--;
    }
    if (Count > 0)
        Sink->Length += (ULONG)Count;
}

/* ---- Conversions ----------------------------------------------------------------------------------------------- */

static void PrintText(RTLP_SINK *Sink, const RTLP_SPEC *Spec, BOOLEAN Wide, const VOID *Text, LONG Units)
{
    CHAR Fill = Spec->Flags & FlagZero ? '0' : ' ';

    if (!(Spec->Flags & FlagLeft))
        Pad(Sink, Fill, Spec->Width - Units);
    for (LONG i = 0; i < Units; i++) {
        if (Wide)
            PutWide(Sink, ((const WCHAR UNALIGNED *)Text)[i]);
        else
            PutNarrow(Sink, ((const UCHAR *)Text)[i]);
    }
    if (Spec->Flags & FlagLeft)
        Pad(Sink, ' ', Spec->Width - Units);
}

static void PrintString(RTLP_SINK *Sink, const RTLP_SPEC *Spec, BOOLEAN Wide, const VOID *Text)
{
    LONG Limit = Spec->Precision < 0 ? MAXLONG : Spec->Precision;
    LONG Units = 0;

    if (!Text) {
        Text = "(null)";
        Wide = FALSE;
    }
    if (Wide)
        while (Units < Limit && ((const WCHAR UNALIGNED *)Text)[Units])
            Units++;
    else
        while (Units < Limit && ((const CHAR *)Text)[Units])
            Units++;
    PrintText(Sink, Spec, Wide, Text, Units);
}

/* %Z: the precision does not apply. ANSI_STRING and UNICODE_STRING have one layout. */
static void PrintCounted(RTLP_SINK *Sink, const RTLP_SPEC *Spec, BOOLEAN Wide, PCUNICODE_STRING String)
{
    if (!String || !String->Buffer)
        PrintText(Sink, Spec, FALSE, "(null)", 6);
    else
        PrintText(Sink, Spec, Wide, String->Buffer, Wide ? String->Length / (LONG)sizeof(WCHAR) : String->Length);
}

static void PrintInteger(RTLP_SINK *Sink, const RTLP_SPEC *Spec, UINT64 Value, ULONG Base, BOOLEAN Upper, PCSTR Prefix)
{
    PCSTR Digits = Upper ? "0123456789ABCDEF" : "0123456789abcdef";
    CHAR Text[24];
    LONG Count = 0, Zeros, PrefixLength = 0, Total;

    for (; Value; Value /= Base)
        Text[Count++] = Digits[Value % Base];
    Zeros = (Spec->Precision < 0 ? 1 : Spec->Precision) - Count;
    if (Zeros < 0)
        Zeros = 0;
    if (Base == 8 && (Spec->Flags & FlagAlternate) && !Zeros)
        Zeros = 1;
    while (Prefix[PrefixLength])
        PrefixLength++;
    Total = PrefixLength + Count;
    if ((Spec->Flags & (FlagZero | FlagLeft)) == FlagZero && Spec->Precision < 0 && Spec->Width - Total > Zeros)
        Zeros = Spec->Width - Total;

    if (!(Spec->Flags & FlagLeft))
        Pad(Sink, ' ', Spec->Width - Total - Zeros);
    for (LONG i = 0; i < PrefixLength; i++)
        PutNarrow(Sink, (UCHAR)Prefix[i]);
    Pad(Sink, '0', Zeros);
    while (Count)
        PutNarrow(Sink, (UCHAR)Text[--Count]);
    if (Spec->Flags & FlagLeft)
        Pad(Sink, ' ', Spec->Width - Total - Zeros);
}

static void PrintSigned(RTLP_SINK *Sink, const RTLP_SPEC *Spec, INT64 Value)
{
    PCSTR Sign = "";

    if (Value < 0)
        Sign = "-";
    else if (Spec->Flags & FlagPlus)
        Sign = "+";
    else if (Spec->Flags & FlagSpace)
        Sign = " ";
    PrintInteger(Sink, Spec, Value < 0 ? 0 - (UINT64)Value : (UINT64)Value, 10, FALSE, Sign);
}

/* ---- Reading the format ---------------------------------------------------------------------------------------- */

typedef struct _RTLP_FORMAT {
    BOOLEAN Wide;
    const VOID *Next;
} RTLP_FORMAT;

static inline WCHAR Peek(const RTLP_FORMAT *Format)
{
    return Format->Wide ? *(const WCHAR UNALIGNED *)Format->Next : *(const UCHAR *)Format->Next;
}

static inline void Step(RTLP_FORMAT *Format)
{
    Format->Next = (const CHAR *)Format->Next + (Format->Wide ? sizeof(WCHAR) : sizeof(CHAR));
}

static BOOLEAN Accept(RTLP_FORMAT *Format, WCHAR Unit)
{
    if (Peek(Format) != Unit)
        return FALSE;
    Step(Format);
    return TRUE;
}

static BOOLEAN AcceptPair(RTLP_FORMAT *Format, WCHAR First, WCHAR Second)
{
    RTLP_FORMAT Before = *Format;

    if (Accept(Format, First) && Accept(Format, Second))
        return TRUE;
    *Format = Before;
    return FALSE;
}

/* A number too large for a LONG stays at the largest. */
static LONG ReadNumber(RTLP_FORMAT *Format)
{
    UINT64 Value = 0;

    for (; Peek(Format) >= '0' && Peek(Format) <= '9'; Step(Format))
        if (Value <= MAXLONG)
            Value = Value * 10 + (Peek(Format) - '0');
    return Value > MAXLONG ? MAXLONG : (LONG)Value;
}

static void ReadFlags(RTLP_FORMAT *Format, RTLP_SPEC *Spec)
{
    for (;; Step(Format)) {
        switch (Peek(Format)) {
        case '-':
            Spec->Flags |= FlagLeft;
            break;
        case '+':
            Spec->Flags |= FlagPlus;
            break;
        case ' ':
            Spec->Flags |= FlagSpace;
            break;
        case '#':
            Spec->Flags |= FlagAlternate;
            break;
        case '0':
            Spec->Flags |= FlagZero;
            break;
        default:
            return;
        }
    }
}

static void ReadSize(RTLP_FORMAT *Format, RTLP_SPEC *Spec)
{
    if (AcceptPair(Format, 'h', 'h'))
        Spec->Size = SizeChar;
    else if (Accept(Format, 'h'))
        Spec->Size = SizeShort;
    else if (AcceptPair(Format, 'l', 'l'))
        Spec->Size = SizeInt64;
    else if (Accept(Format, 'l'))
        Spec->Size = SizeLong;
    else if (Accept(Format, 'w'))
        Spec->Size = SizeWide;
    else if (Accept(Format, 'z') || Accept(Format, 't') || Accept(Format, 'j'))
        Spec->Size = SizeInt64;
    else if (Accept(Format, 'I')) {
        if (AcceptPair(Format, '3', '2'))
            Spec->Size = SizeDefault;
        else {
            (void)AcceptPair(Format, '6', '4');
            Spec->Size = SizeInt64;
        }
    }
}

static INT64 Narrowed(UINT64 Value, RTLP_SIZE Size)
{
    switch (Size) {
    case SizeChar:
        return (CHAR)Value;
    case SizeShort:
        return (SHORT)Value;
    case SizeInt64:
        return (INT64)Value;
    default:
        return (LONG)Value;
    }
}

static UINT64 NarrowedUnsigned(UINT64 Value, RTLP_SIZE Size)
{
    switch (Size) {
    case SizeChar:
        return (UCHAR)Value;
    case SizeShort:
        return (USHORT)Value;
    case SizeInt64:
        return Value;
    default:
        return (ULONG)Value;
    }
}

/* Is the text of this conversion wide: by prefix, else by the format's own width, the other one for S and C. */
static BOOLEAN IsWide(const RTLP_SPEC *Spec, BOOLEAN FormatIsWide, BOOLEAN Other)
{
    if (Spec->Size == SizeShort || Spec->Size == SizeChar)
        return FALSE;
    if (Spec->Size == SizeLong || Spec->Size == SizeWide || Spec->Size == SizeInt64)
        return TRUE;
    return FormatIsWide != Other;
}

/* Every variable argument fills 8 bytes in the x64 convention, so each is taken as a UINT64 and narrowed. */
static void Convert(RTLP_SINK *Sink, RTLP_SPEC *Spec, WCHAR Type, BOOLEAN FormatIsWide, UINT64 Argument)
{
    PCSTR Hex = Spec->Flags & FlagAlternate ? (Type == 'x' ? "0x" : "0X") : "";
    UINT64 Unsigned = NarrowedUnsigned(Argument, Spec->Size);
    WCHAR Character = (WCHAR)Argument;
    BOOLEAN Wide;

    switch (Type) {
    case 'd':
    case 'i':
        PrintSigned(Sink, Spec, Narrowed(Argument, Spec->Size));
        break;
    case 'u':
        PrintInteger(Sink, Spec, Unsigned, 10, FALSE, "");
        break;
    case 'o':
        PrintInteger(Sink, Spec, Unsigned, 8, FALSE, "");
        break;
    case 'x':
    case 'X':
        PrintInteger(Sink, Spec, Unsigned, 16, Type == 'X', Unsigned ? Hex : "");
        break;
    case 'p':
        Spec->Precision = 2 * sizeof(PVOID);
        PrintInteger(Sink, Spec, Argument, 16, TRUE, Hex);
        break;
    case 'c':
    case 'C':
        Wide = IsWide(Spec, FormatIsWide, Type == 'C');
        PrintText(Sink, Spec, Wide, &Character, 1);
        break;
    case 's':
    case 'S':
        PrintString(Sink, Spec, IsWide(Spec, FormatIsWide, Type == 'S'), (const VOID *)Argument);
        break;
    case 'Z':
        Wide = Spec->Size == SizeLong || Spec->Size == SizeWide;
        PrintCounted(Sink, Spec, Wide, (PCUNICODE_STRING)Argument);
        break;
    case 'n':
        break;
    default: /* e f g a and their capitals */
        PutNarrow(Sink, (UCHAR)Type);
        break;
    }
}

static BOOLEAN TakesArgument(WCHAR Type)
{
    if (!Type || Type > 'z')
        return FALSE;
    for (PCSTR Known = "diuoxXpcCsSZneEfFgGaA"; *Known; Known++)
        if (*Known == (CHAR)Type)
            return TRUE;
    return FALSE;
}

VOID RtlpPrint(RTLP_SINK *Sink, BOOLEAN Wide, const VOID *Text, va_list Arguments)
{
    RTLP_FORMAT Format = {Wide, Text};

    while (Peek(&Format)) {
        RTLP_SPEC Spec = {0, 0, -1, SizeDefault};
        WCHAR Unit = Peek(&Format);

        Step(&Format);
        if (Unit == '%' && Peek(&Format) != '%') {
            ReadFlags(&Format, &Spec);
            Spec.Width = Accept(&Format, '*') ? (LONG)va_arg(Arguments, UINT64) : ReadNumber(&Format);
            if (Spec.Width < 0) { /* a negative width is the flag '-' and its magnitude */
                Spec.Flags |= FlagLeft;
                Spec.Width = Spec.Width == (LONG)MINLONG ? MAXLONG : -Spec.Width;
            }
            if (Accept(&Format, '.')) {
                Spec.Precision = Accept(&Format, '*') ? (LONG)va_arg(Arguments, UINT64) : ReadNumber(&Format);
                if (Spec.Precision < 0)
                    Spec.Precision = -1;
            }
            ReadSize(&Format, &Spec);
            Unit = Peek(&Format);
            if (!Unit)
                break;
            Step(&Format);
            if (TakesArgument(Unit)) {
                Convert(Sink, &Spec, Unit, Wide, va_arg(Arguments, UINT64));
                continue;
            }
        } else if (Unit == '%') {
            Step(&Format);
        }
        if (Wide)
            PutWide(Sink, Unit);
        else
            PutNarrow(Sink, (UCHAR)Unit);
    }
    FlushSurrogate(Sink);
}

/* ---- For the kernel's own text --------------------------------------------------------------------------------- */

ULONG RtlpFormatV(PCHAR Buffer, ULONG Bytes, PCSTR Format, va_list Arguments)
{
    RTLP_SINK Sink = {RtlpUtf8, Buffer, Bytes ? Bytes - 1 : 0, 0, 0};
    SIZE_T Written;

    RtlpPrint(&Sink, FALSE, Format, Arguments);
    Written = Sink.Length < Sink.Room ? Sink.Length : Sink.Room;
    if (Bytes)
        Buffer[Written] = 0;
    return (ULONG)Written;
}

ULONG RtlpFormat(PCHAR Buffer, ULONG Bytes, PCSTR Format, ...)
{
    va_list Arguments;
    ULONG Written;

    va_start(Arguments, Format);
    Written = RtlpFormatV(Buffer, Bytes, Format, Arguments);
    va_end(Arguments);
    return Written;
}
