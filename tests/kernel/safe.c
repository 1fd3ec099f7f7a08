/*
 * The kit's inline helpers as its own headers are known to behave: counted strings that are printed, copied and continued with
 * what is left behind them, and integers that say that they do not fit. (docs: RtlUnicodeStringPrintf, RtlUnicodeStringPrintfEx,
 * RtlUnicodeStringCopyEx, RtlUnicodeStringCatEx, "Safe integer functions")
 */
#include "check.h"
#include <ntstrsafe.h>
#include <ntintsafe.h>

static WCHAR Text[16];
static UNICODE_STRING String, Rest;

/* A string of `Room` characters on a page's worth of 0xAA, holding `Length` of them. */
static void Fresh(USHORT Length, USHORT Room)
{
    RtlFillMemory(Text, sizeof(Text), 0xAA);
    for (USHORT i = 0; i < Length; i++)
        Text[i] = (WCHAR)('a' + i);
    String = (UNICODE_STRING){(USHORT)(Length * 2), (USHORT)(Room * 2), Text};
    Rest = (UNICODE_STRING){7, 7, NULL};
}

static BOOLEAN Holds(PCWSTR Wanted)
{
    UNICODE_STRING Other;

    RtlInitUnicodeString(&Other, Wanted);
    return RtlEqualUnicodeString(&String, &Other, FALSE);
}

/* The rest is what lies behind the string in its memory. */
static BOOLEAN IsRest(void)
{
    return Rest.Buffer == String.Buffer + String.Length / 2 && !Rest.Length &&
           Rest.MaximumLength == String.MaximumLength - String.Length;
}

TEST(what_is_printed_ends_with_nul_where_there_is_room)
{
    UNICODE_STRING None = {0};

    CHECK_IRQL(PASSIVE_LEVEL);
    Fresh(0, 6);
    CHECK_IS(RtlUnicodeStringPrintf(&String, L"%d %d %d", 1, 2, 3), STATUS_SUCCESS);
    CHECK(Holds(L"1 2 3"));
    CHECK_IS(String.MaximumLength, 12);
    CHECK_IS(Text[5], 0);
    CHECK_IS(Text[6], 0xAAAA);
    Fresh(0, 5);
    CHECK_IS(RtlUnicodeStringPrintf(&String, L"%d %d %d", 1, 2, 3), STATUS_SUCCESS);
    CHECK(Holds(L"1 2 3"));
    CHECK_IS(Text[5], 0xAAAA);
    for (USHORT Room = 0; Room < 5; Room++) {
        Fresh(0, Room);
        CHECK_IS(RtlUnicodeStringPrintf(&String, L"%d %d %d", 1, 2, 3), STATUS_BUFFER_OVERFLOW);
        CHECK_IS(String.Length, String.MaximumLength);
        CHECK(!memcmp(Text, L"1 2 3", Room * 2));
        CHECK_IS(Text[Room], 0xAAAA);
    }
    Fresh(0, 7);
    CHECK_IS(RtlUnicodeStringPrintf(&String, L"%s %s %s", L"0123", L"4567", L"89AB"), STATUS_BUFFER_OVERFLOW);
    CHECK(Holds(L"0123 45"));
    /* No memory at all: two answers. */
    CHECK_IS(RtlUnicodeStringPrintf(&None, L"%s", L"AAA"), STATUS_BUFFER_OVERFLOW);
    CHECK_IS(RtlUnicodeStringPrintfEx(&None, NULL, 0, L"%s", L"AAA"), STATUS_INVALID_PARAMETER);
    CHECK_IS(RtlUnicodeStringPrintfEx(&None, NULL, 0, L""), STATUS_SUCCESS);
    CHECK_IRQL(PASSIVE_LEVEL);
}

TEST(what_is_printed_tells_what_is_left)
{
    Fresh(0, 12);
    CHECK_IS(RtlUnicodeStringPrintfEx(&String, &Rest, STRSAFE_FILL_BEHIND | 0x5C, L"%d %d %d", 1, 2, 3),
             STATUS_SUCCESS);
    CHECK(Holds(L"1 2 3"));
    CHECK(IsRest());
    for (int i = 5; i < 12; i++)
        CHECK_IS(Text[i], 0x5C5C);
    CHECK_IS(Text[12], 0xAAAA);

    Fresh(0, 8);
    CHECK_IS(RtlUnicodeStringPrintfEx(&String, &Rest, 0, L"%s %s %s", L"AAA", L"BBB", L"CCC"), STATUS_BUFFER_OVERFLOW);
    CHECK(Holds(L"AAA BBB "));
    CHECK(IsRest());
    CHECK_IS(Rest.MaximumLength, 0);

    Fresh(0, 8);
    CHECK_IS(RtlUnicodeStringPrintfEx(&String, &Rest, STRSAFE_FILL_ON_FAILURE | 0x33, L"%s", L"123456789"),
             STATUS_BUFFER_OVERFLOW);
    CHECK_IS(String.Length, 0);
    CHECK(IsRest());
    for (int i = 0; i < 8; i++)
        CHECK_IS(Text[i], 0x3333);
    CHECK_IS(Text[8], 0xAAAA);

    Fresh(3, 8);
    CHECK_IS(RtlUnicodeStringPrintfEx(&String, NULL, STRSAFE_ZERO_LENGTH_ON_FAILURE, L"123456789"),
             STATUS_BUFFER_OVERFLOW);
    CHECK_IS(String.Length, 0);
    Fresh(3, 8);
    CHECK_IS(RtlUnicodeStringPrintfEx(&String, NULL, STRSAFE_IGNORE_NULLS, NULL), STATUS_SUCCESS);
    CHECK_IS(String.Length, 0);
    CHECK_IS(RtlUnicodeStringPrintfEx(NULL, NULL, STRSAFE_IGNORE_NULLS, NULL), STATUS_SUCCESS);
    CHECK_IS(RtlUnicodeStringPrintfEx(NULL, NULL, STRSAFE_IGNORE_NULLS, L"x"), STATUS_INVALID_PARAMETER);
    CHECK_IS(RtlUnicodeStringPrintfEx(NULL, NULL, 0, L""), STATUS_INVALID_PARAMETER);
    CHECK_IS(RtlUnicodeStringPrintfEx(&String, NULL, 0x80000000, L""), STATUS_INVALID_PARAMETER);
}

TEST(copies_and_continuations_tell_what_is_left)
{
    UNICODE_STRING Six, Odd = {3, 6, Text};

    RtlInitUnicodeString(&Six, L"123456");
    Fresh(2, 8);
    CHECK_IS(RtlUnicodeStringCatEx(&String, &Six, &Rest, 0), STATUS_SUCCESS);
    CHECK(Holds(L"ab123456"));
    CHECK(IsRest());
    Fresh(3, 8);
    CHECK_IS(RtlUnicodeStringCatEx(&String, &Six, &Rest, 0), STATUS_BUFFER_OVERFLOW);
    CHECK(Holds(L"abc12345"));
    CHECK(IsRest());
    Fresh(3, 8);
    CHECK_IS(RtlUnicodeStringCatEx(&String, &Six, &Rest, STRSAFE_NO_TRUNCATION), STATUS_BUFFER_OVERFLOW);
    CHECK(Holds(L"abc"));
    CHECK(IsRest());
    Fresh(3, 4);
    CHECK_IS(RtlUnicodeStringCopyEx(&String, &Six, &Rest, STRSAFE_NO_TRUNCATION), STATUS_BUFFER_OVERFLOW);
    CHECK_IS(String.Length, 0);
    CHECK(IsRest());
    Fresh(3, 8);
    CHECK_IS(RtlUnicodeStringCchCopyNEx(&String, &Six, 2, &Rest, STRSAFE_FILL_BEHIND), STATUS_SUCCESS);
    CHECK(Holds(L"12"));
    CHECK(IsRest());
    CHECK_IS(Text[2], 0);
    CHECK_IS(Text[7], 0);
    CHECK_IS(Text[8], 0xAAAA);
    Fresh(1, 8);
    CHECK_IS(RtlUnicodeStringCbCatNEx(&String, &Six, 6, NULL, 0), STATUS_SUCCESS);
    CHECK(Holds(L"a123"));
    CHECK_IS(RtlUnicodeStringCatStringEx(&String, L"xyz", &Rest, 0), STATUS_SUCCESS);
    CHECK(Holds(L"a123xyz"));
    CHECK_IS(RtlUnicodeStringCchCatStringNEx(&String, L"56", 1, &Rest, 0), STATUS_SUCCESS);
    CHECK(Holds(L"a123xyz5"));
    CHECK(IsRest());
    CHECK_IS(RtlUnicodeStringCbCopyStringNEx(&String, L"56", 2, &Rest, 0), STATUS_SUCCESS);
    CHECK(Holds(L"5"));
    CHECK_IS(RtlUnicodeStringCopyStringEx(&String, NULL, &Rest, STRSAFE_IGNORE_NULLS), STATUS_SUCCESS);
    CHECK(Holds(L""));
    /* A rest is a string to go on with. */
    CHECK_IS(RtlUnicodeStringCopyStringEx(&String, L"one", &Rest, 0), STATUS_SUCCESS);
    CHECK_IS(RtlUnicodeStringCopyStringEx(&Rest, L"two", NULL, 0), STATUS_SUCCESS);
    CHECK(!memcmp(Text, L"onetwo", 12));
    CHECK_IS(RtlUnicodeStringCopyEx(&Odd, &Six, NULL, 0), STATUS_INVALID_PARAMETER);
    CHECK_IS(RtlUnicodeStringCopyEx(&String, &Odd, NULL, 0), STATUS_INVALID_PARAMETER);
}

/* What does not fit is all ones (docs: the safe integer functions give their type's ERROR value). */
#define FITS(Call, Type, Value)                                                                                        \
    do {                                                                                                               \
        Type Result = (Type)0x76543210;                                                                                \
        CHECK_IS(Call, STATUS_SUCCESS);                                                                                \
        CHECK_IS(Result, (Type)(Value));                                                                               \
    } while (0)
#define MISFITS(Call, Type)                                                                                            \
    do {                                                                                                               \
        Type Result = (Type)0x76543210;                                                                                \
        CHECK_IS(Call, STATUS_INTEGER_OVERFLOW);                                                                       \
        CHECK_IS(Result, (Type)-1);                                                                                    \
    } while (0)

TEST(integers_say_that_they_do_not_fit)
{
    KIRQL Old = KfRaiseIrql(HIGH_LEVEL);

    FITS(RtlUInt8ToInt8(127, &Result), INT8, 127);
    MISFITS(RtlUInt8ToInt8(128, &Result), INT8);
    FITS(RtlULongToUShort(0xffff, &Result), USHORT, 0xffff);
    MISFITS(RtlULongToUShort(0x10000, &Result), USHORT);
    FITS(RtlULongToInt(0x7fffffff, &Result), INT, 0x7fffffff);
    MISFITS(RtlULongToInt(0x80000000, &Result), INT);
    FITS(RtlULongToUInt(0xffffffff, &Result), UINT, 0xffffffff);
    MISFITS(RtlInt8ToUInt8(-1, &Result), UINT8);
    MISFITS(RtlInt8ToUShort(-128, &Result), USHORT);
    FITS(RtlLongToUShort(0xffff, &Result), USHORT, 0xffff);
    MISFITS(RtlLongToUShort(-1, &Result), USHORT);
    MISFITS(RtlLongToUInt((LONG)0x80000000, &Result), UINT);
    FITS(RtlIntToInt8(-128, &Result), INT8, -128);
    MISFITS(RtlIntToInt8(-129, &Result), INT8);
    FITS(RtlIntToShort(-32768, &Result), SHORT, -32768);
    MISFITS(RtlIntToShort(32768, &Result), SHORT);
    FITS(RtlUInt8Add(254, 1, &Result), UINT8, 255);
    MISFITS(RtlUInt8Add(255, 1, &Result), UINT8);
    FITS(RtlInt8Add(127, -128, &Result), INT8, -1);
    MISFITS(RtlInt8Add(-128, -1, &Result), INT8);
    FITS(RtlLongLongAdd(0xffffffffLL, 0xffffffffLL, &Result), LONGLONG, 0x1fffffffeLL);
    MISFITS(RtlLongLongAdd(LONGLONG_MAX, 1, &Result), LONGLONG);
    MISFITS(RtlULongAdd(ULONG_MAX, 1, &Result), ULONG);
    MISFITS(RtlULongSub(0, 1, &Result), ULONG);
    FITS(RtlULongMult(0xffff, 0x10001, &Result), ULONG, 0xffffffff);
    MISFITS(RtlULongMult(0x10000, 0x10000, &Result), ULONG);
    MISFITS(RtlSizeTAdd(SIZE_T_MAX, 1, &Result), SIZE_T);
    MISFITS(RtlSizeTMult((SIZE_T)1 << 32, (SIZE_T)1 << 32, &Result), SIZE_T);
    CHECK_IS(ULONG_ERROR, (ULONG)-1);
    CHECK_IS(SHORT_ERROR, -1);
    CHECK_IS(LONGLONG_MIN, MINLONGLONG);
    MISFITS(RtlULongLongMult(1ULL << 63, 2, &Result), ULONGLONG);
    CHECK_IRQL(HIGH_LEVEL);
    KeLowerIrql(Old);
}

CHECK_DRIVER(T(what_is_printed_ends_with_nul_where_there_is_room), T(what_is_printed_tells_what_is_left),
             T(copies_and_continuations_tell_what_is_left), T(integers_say_that_they_do_not_fit))
