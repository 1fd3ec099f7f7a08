/*
 * The C runtime's strings, numbers, sorting.
 */
#include "test.h"

unsigned long long _strtoui64(const char *Text, char **End, int Base);

static VOID Narrow(VOID)
{
    CHAR Text[16] = "abc";
    PCHAR Next = NULL;

    EQUAL(strlen("abc"), 3);
    EQUAL(strnlen("abc", 2), 2);
    CHECK(strcmp("a", "b") < 0 && strcmp("b", "a") > 0 && !strcmp("a", "a") && strcmp("a", "\x80") < 0);
    EQUAL(strncmp("abc", "abd", 2), 0);
    EQUAL(_stricmp("HeLLo", "hEllO"), 0);
    CHECK(_strnicmp("abX", "ABy", 3) < 0);
    CHECK(!strcmp(strchr("hello", 'l'), "llo") && !strcmp(strrchr("hello", 'l'), "lo") && !strchr("a", 'b'));
    CHECK(!*strchr("abc", 0));
    CHECK(!strcmp(strstr("xaab", "aab"), "aab") && !strstr("aa", "aab") && strstr("a", ""));
    EQUAL(strspn("aabc", "ab"), 3);
    SAME(strcat(Text, "def"), "abcdef");
    SAME(_strrev(Text), "fedcba");
    SAME(_strupr(Text), "FEDCBA");
    strncpy(Text, "xy", 4);
    CHECK(Text[2] == 0 && Text[3] == 0 && Text[4] == 'B');
    SAME(strncat(Text, "zzz", 2), "xyzz");
    EQUAL(strcpy_s(Text, 3, "abc"), ERANGE);
    SAME(Text, "");
    EQUAL(strcpy_s(Text, 4, "abc"), 0);
    EQUAL(strcat_s(Text, 6, "de"), 0);
    SAME(Text, "abcde");
    EQUAL(strcat_s(Text, 6, "f"), ERANGE);
    SAME(Text, "");
    EQUAL(strncpy_s(Text, 4, "abcdef", _TRUNCATE), STRUNCATE);
    SAME(Text, "abc");
    EQUAL(strncpy_s(Text, 4, "abcdef", 2), 0);
    SAME(Text, "ab");
    EQUAL(strcpy_s(Text, 4, NULL), EINVAL);
    strcpy(Text, ",a,,bc");
    SAME(strtok_s(Text, ",", &Next), "a");
    SAME(strtok_s(NULL, ",", &Next), "bc");
    CHECK(!strtok_s(NULL, ",", &Next));
}

static VOID Wide(VOID)
{
    WCHAR Text[16] = L"abc";

    EQUAL(wcslen(L"abc"), 3);
    CHECK(wcscmp(L"a", L"b") < 0 && !wcscmp(L"a", L"a"));
    EQUAL(_wcsicmp(L"HeLLo", L"hEllO"), 0);
    CHECK(_wcsnicmp(L"abX", L"ABy", 3) < 0);
    SAMEW(wcsstr(L"\\Device\\Null", L"\\N"), L"\\Null");
    SAMEW(wcsrchr(L"a\\b\\c", L'\\'), L"\\c");
    EQUAL(wcscspn(L"abc.d", L".,"), 3);
    SAMEW(wcscat(Text, L"def"), L"abcdef");
    SAMEW(_wcsupr(Text), L"ABCDEF");
    EQUAL(wcscpy_s(Text, 3, L"abc"), ERANGE);
    SAMEW(Text, L"");
    EQUAL(wcsncat_s(Text, 4, L"abcdef", _TRUNCATE), STRUNCATE);
    SAMEW(Text, L"abc");
    EQUAL(mbstowcs(Text, "x\x80", 16), 2);
    SAMEW(Text, L"x\x20ac");
}

static VOID Numbers(VOID)
{
    CHAR Text[40];
    WCHAR Wide[40];
    PWSTR End;
    PCHAR NarrowEnd;

    EQUAL(atoi("  -42x"), -42);
    EQUAL(_wtoi(L"+7"), 7);
    EQUAL(wcstoul(L"0x1fg", &End, 0), 0x1f);
    SAMEW(End, L"g");
    EQUAL(wcstoul(L"0x", &End, 0), 0);
    SAMEW(End, L"x");
    EQUAL(wcstoul(L"99999999999", NULL, 10), 0xffffffff);
    EQUAL(wcstoul(L"-1", NULL, 10), 0xffffffff);
    EQUAL(wcstoul(L"077", NULL, 0), 63);
    EQUAL(_strtoui64("18446744073709551615", &NarrowEnd, 10), ~0ull);
    EQUAL(_strtoui64("18446744073709551616", NULL, 10), ~0ull);
    EQUAL(_strtoui64("zz", &NarrowEnd, 36), 35 * 36 + 35);
    CHECK(!*NarrowEnd);
    SAME(_itoa(-255, Text, 10), "-255");
    SAME(_itoa(-1, Text, 16), "ffffffff");
    SAMEW(_itow(5, Wide, 2), L"101");
    EQUAL(_itoa_s(1234, Text, 4, 10), ERANGE);
    SAME(Text, "");
    EQUAL(_i64toa_s((INT64)1 << 63, Text, 40, 10), 0);
    SAME(Text, "-9223372036854775808");
    EQUAL(_ui64toa_s(~0ull, Text, 65, 2), 0);
}

static int Descending(const void *Left, const void *Right)
{
    return *(const LONG *)Right - *(const LONG *)Left;
}

static VOID Sorting(VOID)
{
    LONG Numbers[200], Key;

    srand(7);
    for (ULONG i = 0; i < 200; i++)
        Numbers[i] = rand() % 100;
    qsort(Numbers, 200, sizeof(LONG), Descending);
    for (ULONG i = 1; i < 200; i++)
        CHECK(Numbers[i - 1] >= Numbers[i]);
    for (ULONG i = 0; i < 200; i++) {
        Key = Numbers[i];
        CHECK(*(PLONG)bsearch(&Key, Numbers, 200, sizeof(LONG), Descending) == Key);
    }
    Key = 1000;
    CHECK(!bsearch(&Key, Numbers, 200, sizeof(LONG), Descending));
    srand(1);
    EQUAL(rand(), 41);
    EQUAL(rand(), 18467);
}

const RTL_TEST CStringTests[] = {
    {"narrow_strings", Narrow},
    {"wide_strings", Wide},
    {"numbers_and_text", Numbers},
    {"qsort_sorts_and_bsearch_finds", Sorting},
    {0},
};
