/*
 * Text to numbers and numbers to text: the C runtime's routines, narrow and wide.
 *
 * Reading is one routine over a cursor that knows the width; writing is one routine that makes digits, then copies
 * them. Values out of range stick at the limits, as documented for strtoul and its family; atoi and atol wrap as in
 * Windows.
 */
#include "nt.h"
#include "rtl/ascii.h"

typedef struct _RTLP_NUMBER {
    UINT64 Value;
    BOOLEAN Negative, Overflow;
    const VOID *End; /* behind the last digit; where it began if there is none */
} RTLP_NUMBER;

static int RtlpUnitAt(const VOID *Text, BOOLEAN Wide, SIZE_T Index)
{
    return Wide ? ((const WCHAR *)Text)[Index] : ((const UCHAR *)Text)[Index];
}

/* Base 0: 0x and 0 tell it. */
static RTLP_NUMBER RtlpReadNumber(const VOID *Text, BOOLEAN Wide, ULONG Base)
{
    RTLP_NUMBER Number = {0, FALSE, FALSE, Text};
    SIZE_T At = 0;

    while (RtlpIsSpace(RtlpUnitAt(Text, Wide, At)))
        At++;
    if (RtlpUnitAt(Text, Wide, At) == '-' || RtlpUnitAt(Text, Wide, At) == '+')
        Number.Negative = RtlpUnitAt(Text, Wide, At++) == '-';
    if ((!Base || Base == 16) && RtlpUnitAt(Text, Wide, At) == '0' &&
        RtlpAsciiLower(RtlpUnitAt(Text, Wide, At + 1)) == 'x' && RtlpDigit(RtlpUnitAt(Text, Wide, At + 2)) < 16) {
        At += 2;
        Base = 16;
    }
    if (!Base)
        Base = RtlpUnitAt(Text, Wide, At) == '0' ? 8 : 10;
    for (ULONG Digit; (Digit = RtlpDigit(RtlpUnitAt(Text, Wide, At))) < Base; At++) {
        if (Number.Value > (~0ull - Digit) / Base)
            Number.Overflow = TRUE;
        Number.Value = Number.Value * Base + Digit;
        Number.End = (const CHAR *)Text + (At + 1) * (Wide ? sizeof(WCHAR) : sizeof(CHAR));
    }
    return Number;
}

static ULONG RtlpToUlong(RTLP_NUMBER Number)
{
    if (Number.Overflow || Number.Value > MAXULONG)
        return MAXULONG;
    return Number.Negative ? 0 - (ULONG)Number.Value : (ULONG)Number.Value;
}

static LONG RtlpToLong(RTLP_NUMBER Number)
{
    return (LONG)(Number.Negative ? 0 - Number.Value : Number.Value);
}

unsigned long wcstoul(const wchar_t *Text, wchar_t **End, int Base)
{
    RTLP_NUMBER Number = RtlpReadNumber(Text, TRUE, (ULONG)Base);

    if (End)
        *End = (wchar_t *)Number.End;
    return RtlpToUlong(Number);
}

unsigned long long _strtoui64(const char *Text, char **End, int Base)
{
    RTLP_NUMBER Number = RtlpReadNumber(Text, FALSE, (ULONG)Base);

    if (End)
        *End = (char *)Number.End;
    if (Number.Overflow)
        return ~0ull;
    return Number.Negative ? 0 - Number.Value : Number.Value;
}

unsigned long strtoul(const char *Text, char **End, int Base)
{
    RTLP_NUMBER Number = RtlpReadNumber(Text, FALSE, (ULONG)Base);

    if (End)
        *End = (char *)Number.End;
    return RtlpToUlong(Number);
}

/* docs: strtol: LONG_MAX or LONG_MIN when out of range. */
static LONG RtlpToLongInRange(RTLP_NUMBER Number)
{
    if (Number.Negative)
        return Number.Overflow || Number.Value > 0x80000000ull ? (LONG)0x80000000 : (LONG)(0 - Number.Value);
    return Number.Overflow || Number.Value > 0x7fffffffull ? 0x7fffffff : (LONG)Number.Value;
}

long strtol(const char *Text, char **End, int Base)
{
    RTLP_NUMBER Number = RtlpReadNumber(Text, FALSE, (ULONG)Base);

    if (End)
        *End = (char *)Number.End;
    return RtlpToLongInRange(Number);
}

long wcstol(const wchar_t *Text, wchar_t **End, int Base)
{
    RTLP_NUMBER Number = RtlpReadNumber(Text, TRUE, (ULONG)Base);

    if (End)
        *End = (wchar_t *)Number.End;
    return RtlpToLongInRange(Number);
}

long long _atoi64(const char *Text)
{
    RTLP_NUMBER Number = RtlpReadNumber(Text, FALSE, 10);
    return (long long)(Number.Negative ? 0 - Number.Value : Number.Value);
}

int atoi(const char *Text)
{
    return RtlpToLong(RtlpReadNumber(Text, FALSE, 10));
}

long atol(const char *Text)
{
    return RtlpToLong(RtlpReadNumber(Text, FALSE, 10));
}

int _wtoi(const wchar_t *Text)
{
    return RtlpToLong(RtlpReadNumber(Text, TRUE, 10));
}

long _wtol(const wchar_t *Text)
{
    return RtlpToLong(RtlpReadNumber(Text, TRUE, 10));
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

/* Room in units with the terminator. docs: _itoa_s; what does not fit leaves an empty string. */
static errno_t RtlpWriteNumber(UINT64 Value, BOOLEAN Negative, PVOID Buffer, SIZE_T Room, ULONG Base, BOOLEAN Wide)
{
    CHAR Digits[66];
    ULONG Count = 0;
    errno_t Result = 0;

    if (!Buffer || !Room)
        return EINVAL;
    if (Base < 2 || Base > 36) {
        Result = EINVAL;
    } else {
        if (Negative)
            Value = 0 - Value;
        do
            Digits[Count++] = "0123456789abcdefghijklmnopqrstuvwxyz"[Value % Base];
        while (Value /= Base);
        if (Negative)
            Digits[Count++] = '-';
        if (Count >= Room)
            Result = ERANGE;
    }
    if (Result)
        Count = 0;
    for (ULONG i = 0; i <= Count; i++) {
        CHAR Unit = i < Count ? Digits[Count - 1 - i] : 0;
        if (Wide)
            ((PWSTR)Buffer)[i] = (WCHAR)Unit;
        else
            ((PCHAR)Buffer)[i] = Unit;
    }
    return Result;
}

/* A sign is written in base 10 only; other bases show the bits. */
static errno_t RtlpWriteLong(LONG Value, PVOID Buffer, SIZE_T Room, int Base, BOOLEAN Wide)
{
    BOOLEAN Negative = Base == 10 && Value < 0;

    return RtlpWriteNumber(Negative ? (UINT64)(INT64)Value : (ULONG)Value, Negative, Buffer, Room, (ULONG)Base, Wide);
}

char *_itoa(int Value, char *Buffer, int Base)
{
    RtlpWriteLong(Value, Buffer, 34, Base, FALSE);
    return Buffer;
}

wchar_t *_itow(int Value, wchar_t *Buffer, int Base)
{
    RtlpWriteLong(Value, Buffer, 34, Base, TRUE);
    return Buffer;
}

errno_t _itoa_s(int Value, char *Buffer, size_t Room, int Base)
{
    return RtlpWriteLong(Value, Buffer, Room, Base, FALSE);
}

errno_t _itow_s(int Value, wchar_t *Buffer, size_t Room, int Base)
{
    return RtlpWriteLong(Value, Buffer, Room, Base, TRUE);
}

errno_t _ltoa_s(long Value, char *Buffer, size_t Room, int Base)
{
    return RtlpWriteLong(Value, Buffer, Room, Base, FALSE);
}

errno_t _ltow_s(long Value, wchar_t *Buffer, size_t Room, int Base)
{
    return RtlpWriteLong(Value, Buffer, Room, Base, TRUE);
}

errno_t _ultoa_s(unsigned long Value, char *Buffer, size_t Room, int Base)
{
    return RtlpWriteNumber(Value, FALSE, Buffer, Room, (ULONG)Base, FALSE);
}

errno_t _ultow_s(unsigned long Value, wchar_t *Buffer, size_t Room, int Base)
{
    return RtlpWriteNumber(Value, FALSE, Buffer, Room, (ULONG)Base, TRUE);
}

errno_t _i64toa_s(long long Value, char *Buffer, size_t Room, int Base)
{
    return RtlpWriteNumber((UINT64)Value, Base == 10 && Value < 0, Buffer, Room, (ULONG)Base, FALSE);
}

errno_t _i64tow_s(long long Value, wchar_t *Buffer, size_t Room, int Base)
{
    return RtlpWriteNumber((UINT64)Value, Base == 10 && Value < 0, Buffer, Room, (ULONG)Base, TRUE);
}

errno_t _ui64toa_s(unsigned long long Value, char *Buffer, size_t Room, int Base)
{
    return RtlpWriteNumber(Value, FALSE, Buffer, Room, (ULONG)Base, FALSE);
}

errno_t _ui64tow_s(unsigned long long Value, wchar_t *Buffer, size_t Room, int Base)
{
    return RtlpWriteNumber(Value, FALSE, Buffer, Room, (ULONG)Base, TRUE);
}
