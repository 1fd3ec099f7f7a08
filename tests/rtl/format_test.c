/*
 * The formatter and the sprintf family, against what Windows prints.
 */
#include "test.h"

int _snprintf(char *Buffer, size_t Count, const char *Format, ...);
int _snwprintf(wchar_t *Buffer, size_t Count, const wchar_t *Format, ...);
int _snprintf_s(char *Buffer, size_t Room, size_t Count, const char *Format, ...);
int sprintf(char *Buffer, const char *Format, ...);
int sprintf_s(char *Buffer, size_t Room, const char *Format, ...);
int swprintf(wchar_t *Buffer, const wchar_t *Format, ...);

static CHAR Text[256];
static WCHAR Wide[256];

#define PRINTS(Wanted, ...) (RtlpFormat(Text, sizeof(Text), __VA_ARGS__), SAME(Text, Wanted))
#define WPRINTS(Wanted, ...) (swprintf(Wide, __VA_ARGS__), SAMEW(Wide, Wanted))

static VOID Integers(VOID)
{
    PRINTS("5 -5 4294967291", "%d %i %u", 5, -5, -5);
    PRINTS("    5|5    |00005|+5| 5", "%5d|%-5d|%05d|%+d|% d", 5, 5, 5, 5, 5);
    PRINTS("-0005|  -05", "%05d|%5.2d", -5, -5);
    PRINTS("ff FF 0xff 0XFF 0 377 0377", "%x %X %#x %#X %#x %o %#o", 255, 255, 255, 255, 0, 255, 255);
    PRINTS("0x00ff|00ff", "%#06x|%04x", 255, 255);
    PRINTS("||0", "%.0d|%.d|%#.0o", 0, 0, 0);
    PRINTS("00042", "%.5u", 42);
    PRINTS("  42|42  |", "%*d|%*d|", 4, 42, -4, 42);
    PRINTS("042", "%.*d", 3, 42);
    PRINTS("42", "%.*d", -3, 42);
    PRINTS("-2147483648 -9223372036854775808", "%d %I64d", (int)0x80000000, (INT64)1 << 63);
    PRINTS("1311768467463790320", "%llu", 0x123456789abcdef0ull);
    PRINTS("123456789abcdef0 9abcdef0 9abcdef0 def0 f0", "%I64x %lx %I32x %hx %hhx", 0x123456789abcdef0,
           0x123456789abcdef0, 0x123456789abcdef0, 0x123456789abcdef0, 0x123456789abcdef0);
    PRINTS("-1 -1 4294967295", "%Id %zd %lu", (INT64)-1, (INT64)-1, -1);
    PRINTS("-2 254", "%hhd %hhu", 0xfe, 0xfe);
}

static VOID Pointers(VOID)
{
    PRINTS("00001A0000001234", "%p", (PVOID)0x1a0000001234);
    PRINTS("0000000000000000", "%p", NULL);
    PRINTS("  FFFFF78000000000|", "%18p|", (PVOID)0xFFFFF78000000000);
}

static VOID Strings(VOID)
{
    ANSI_STRING Ansi = {3, 4, "abcd"};
    UNICODE_STRING Unicode = {6, 8, L"wxyz"};
    UNICODE_STRING Empty = {0, 0, NULL};

    PRINTS("text wide wide wide", "%s %S %ws %ls", "text", L"wide", L"wide", L"wide");
    PRINTS("  ab|ab  |ab", "%4s|%-4s|%.2s", "ab", "ab", "abc");
    PRINTS("(null) (null)", "%s %ws", NULL, NULL);
    PRINTS("abc wxy   wxy| (null)", "%Z %wZ %5wZ| %wZ", &Ansi, &Unicode, &Unicode, &Empty);
    PRINTS("(null)", "%wZ", NULL);
    PRINTS("a b c", "%c %C %wc", 'a', L'b', L'c');
    PRINTS("narrow", "%hs", "narrow");
    PRINTS("100%", "%d%%", 100);
    WPRINTS(L"wide narrow narrow wide", L"%s %S %hs %ls", L"wide", "narrow", "narrow", L"wide");
    WPRINTS(L"wxy a b", L"%wZ %c %C", &Unicode, L'a', 'b');
    WPRINTS(L"007|0x1F", L"%03d|0x%X", 7, 31);
}

/* No terminator within reach: a read past the precision would run into other text. */
static VOID PrecisionBoundsReading(VOID)
{
    CHAR Bare[3] = {'a', 'b', 'c'};
    WCHAR BareWide[2] = {L'x', L'y'};

    PRINTS("abc|xy", "%.3s|%.2ws", Bare, BareWide);
    PRINTS("|", "%.0s|%.*s", (PCSTR)1, 0, (PCSTR)1);
}

static VOID Odd(VOID)
{
    PRINTS("f 7", "%f %d", 1.5, 7);
    PRINTS("y", "%y");
    PRINTS("a", "a%");
    PRINTS("a", "a%-5");
    EQUAL(RtlpFormat(Text, 8, "%2000000000d", 1), 7);
    SAME(Text, "       ");
    PRINTS(" 7", "%n %d", (PVOID)1, 7);
}

static VOID Utf8(VOID)
{
    PRINTS("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "%ws %ws %ws", L"\x00e4", L"\x20ac", L"\xd83d\xde00");
    PRINTS("\xef\xbf\xbd|\xef\xbf\xbd", "%ws|%ws", L"\xd83d", L"\xde00");
    EQUAL(RtlpFormat(Text, 3, "a%ws", L"\x20ac"), 1);
    SAME(Text, "a");
    EQUAL(sprintf(Text, "%S", L"\x20ac\x00e4\x0416"), 3);
    SAME(Text, "\x80\xe4?");
    swprintf(Wide, L"%S", "\x80\xe4");
    SAMEW(Wide, L"\x20ac\x00e4");
    EQUAL(RtlpToUtf8(Text, 6, L"ab\x20acz", 4), 5);
    SAME(Text, "ab\xe2\x82\xac");
    EQUAL(RtlpToUtf8(Text, 5, L"ab\x20acz", 4), 2);
    EQUAL(RtlpFromUtf8(Wide, 16, "\xc3\xa4\xf0\x9f\x98\x80\xff\xe2\x82x\xed\xa0\x80"), 9);
    SAMEW(Wide, L"\x00e4\xd83d\xde00\xfffd\xfffdx\xfffd\xfffd\xfffd");
}

static VOID Counted(VOID)
{
    Text[5] = '!';
    EQUAL(_snprintf(Text, 5, "%s", "12345"), 5);
    CHECK(Text[4] == '5' && Text[5] == '!');
    EQUAL(_snprintf(Text, 5, "%s", "123456"), -1);
    CHECK(Text[4] == '5' && Text[5] == '!');
    EQUAL(_snprintf(Text, 5, "%s", "1234"), 4);
    SAME(Text, "1234");
    EQUAL(_snprintf(NULL, 0, "%s", "1234"), 4);
    EQUAL(_snwprintf(Wide, 3, L"%s", L"abcd"), -1);
    CHECK(Wide[0] == L'a' && Wide[2] == L'c');
    EQUAL(sprintf_s(Text, 5, "%s", "12345"), -1);
    SAME(Text, "");
    EQUAL(sprintf_s(Text, 6, "%s", "12345"), 5);
    EQUAL(_snprintf_s(Text, 5, _TRUNCATE, "%s", "12345"), -1);
    SAME(Text, "1234");
    EQUAL(_snprintf_s(Text, 5, 2, "%s", "12345"), -1);
    SAME(Text, "12");
    EQUAL(sprintf(Text, "%s-%d", "a", 3), 3);
    SAME(Text, "a-3");
}

const RTL_TEST FormatTests[] = {
    {"integers_print_as_on_windows", Integers},
    {"pointers_are_sixteen_capital_digits", Pointers},
    {"strings_of_every_kind_print", Strings},
    {"precision_bounds_reading", PrecisionBoundsReading},
    {"odd_formats_do_no_harm", Odd},
    {"text_is_converted_between_encodings", Utf8},
    {"counted_forms_return_minus_one_when_cut", Counted},
    {0},
};
