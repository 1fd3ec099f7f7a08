/* Names and patterns (docs: FsRtlDissectName, FsRtlIsNameInExpression, FsRtlIsFatDbcsLegal, FsRtlRemoveDotsFromPath).
 */
#include "../io/test.h"

static UNICODE_STRING U(PCWSTR Text)
{
    UNICODE_STRING String;
    RtlInitUnicodeString(&String, Text);
    return String;
}

static ANSI_STRING A(PCSTR Text)
{
    ANSI_STRING String;
    RtlInitAnsiString(&String, Text);
    return String;
}

static BOOLEAN Is(PCUNICODE_STRING String, PCWSTR Text)
{
    UNICODE_STRING Want = U(Text);
    return RtlEqualUnicodeString(String, &Want, FALSE);
}

static VOID names_are_taken_apart_at_backslashes(VOID)
{
    static const struct {
        PCWSTR Name, First, Remaining;
    } Rows[] = {{L"", L"", L""},         {L"\\", L"", L""},           {L"a", L"a", L""},
                {L"\\abc", L"abc", L""}, {L"a\\b\\c", L"a", L"b\\c"}, {L"\\a\\", L"a", L""},
                {L"\\\\a", L"", L"a"},   {L"a\\\\b", L"a", L"\\b"},   {L"/a/b", L"/a/b", L""},
                {L"\\\\", L"", L""},     {L"\\\\\\", L"", L"\\"}};
    UNICODE_STRING First, Remaining;
    ANSI_STRING NarrowFirst, NarrowRemaining;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rows); i++) {
        FsRtlDissectName(U(Rows[i].Name), &First, &Remaining);
        CHECK(Is(&First, Rows[i].First));
        CHECK(Is(&Remaining, Rows[i].Remaining));
    }
    FsRtlDissectDbcs(A("\\one\\two"), &NarrowFirst, &NarrowRemaining);
    CHECK(NarrowFirst.Length == 3 && NarrowFirst.Buffer[0] == 'o');
    CHECK(NarrowRemaining.Length == 3 && NarrowRemaining.Buffer[0] == 't');
}

static VOID patterns_match_as_the_page_says(VOID)
{
    static const struct {
        PCWSTR Pattern, Name;
        BOOLEAN Matches;
    } Rows[] = {
        {L"", L"", TRUE},
        {L"", L"a", FALSE},
        {L"*", L"", FALSE},
        {L"*", L"a", TRUE},
        {L"*a", L"ba", TRUE},
        {L"*a", L"ab", FALSE},
        {L"a*b*c", L"aXbYc", TRUE},
        {L"a*b*c", L"abbc", TRUE},
        {L"a*b*c", L"ab", FALSE},
        {L"?", L"a", TRUE},
        {L"?", L"ab", FALSE},
        {L"a?", L"a", FALSE},
        {L"*.*", L"a", FALSE},
        {L"*.*", L"a.b", TRUE},
        {L"<.b", L"a.b", TRUE},
        {L"<", L"abc", TRUE},
        {L"<.c", L"a.b.c", TRUE},
        {L"<c", L"a.b.c", TRUE},
        {L"<\"*", L"a.b", TRUE},
        {L"<\"*", L"ab", TRUE},
        {L">>>", L"ab", TRUE},
        {L">>>", L"abcd", FALSE},
        {L">>>.b", L"a.b", TRUE},
        {L"ab\"", L"ab", TRUE},
        {L"ab\"", L"ab.", TRUE},
        {L"ab\"c", L"abc", FALSE},
        {L"A", L"a", FALSE},
        {L"xy<sys", L"xy.sys", TRUE},
        {L"xy<sys", L"xyz.sys", TRUE},
        {L"xy<sys", L"xyzsys", TRUE},
        {L"x<y.sys", L"x.y.sys", TRUE},
        {L"x<y.sys", L"x.yz.sys", FALSE},
        {L"x.y<sys", L"x.yz.sys", TRUE},
        {L"x<", L"xy.sys", FALSE},
        {L"x<", L"xy.", TRUE},
        {L"<<<.<", L".", TRUE},
        {L"**", L"", FALSE},
        {L"?*?", L"a", FALSE},
        {L"?*?", L"ab", TRUE},
        {L"a.*??.b", L"a.c.b", FALSE},
        {L"a.*?*.b", L"a.c.b", TRUE},
        {L"x>z.sys", L"xz.sys", FALSE},
        {L"x>>>sys", L"xyz.sys", FALSE},
        {L"x\"\"y", L"x.y", FALSE},
        {L"x.\"y", L"x.y", FALSE},
        {L"x.y\"", L"x.y", TRUE},
        {L"F<\"*", L"F", TRUE},
        {L"F<\"*", L"F.", TRUE},
        {L"F<\"*", L"Fg.h", TRUE},
        {L".*", L".", TRUE},
        {L".*", L"1.txt", FALSE},
        {L"*a*ab*abc", L"aabaabcdadabdabc", TRUE},
    };
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rows); i++) {
        UNICODE_STRING Pattern = U(Rows[i].Pattern), Name = U(Rows[i].Name);
        if (!CHECK(FsRtlIsNameInExpression(&Pattern, &Name, FALSE, NULL) == Rows[i].Matches))
            DbgPrint("    '%wZ' and '%wZ'\n", &Pattern, &Name);
    }
    UNICODE_STRING Upper = U(L"A*Z"), Lower = U(L"abcz");
    CHECK(FsRtlIsNameInExpression(&Upper, &Lower, TRUE, NULL));
    ANSI_STRING Narrow = A("*.sys"), Name = A("a.sys");
    CHECK(FsRtlIsDbcsInExpression(&Narrow, &Name));
}

/* No pattern takes exponential time. */
static VOID stars_do_not_multiply(VOID)
{
    UNICODE_STRING Pattern = U(L"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"),
                   Name = U(L"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    CHECK(!FsRtlIsNameInExpression(&Pattern, &Name, FALSE, NULL));
}

static VOID wild_characters_are_found(VOID)
{
    static const PCWSTR Wild[] = {L"*", L"a?", L"<x", L"a>b", L"\""};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Wild); i++) {
        UNICODE_STRING Name = U(Wild[i]);
        CHECK(FsRtlDoesNameContainWildCards(&Name));
    }
    UNICODE_STRING Tame = U(L"a.b c|d");
    CHECK(!FsRtlDoesNameContainWildCards(&Tame));
    UNICODE_STRING One = U(L"Readme"), Two = U(L"README");
    CHECK(FsRtlAreNamesEqual(&One, &Two, TRUE, NULL));
    CHECK(!FsRtlAreNamesEqual(&One, &Two, FALSE, NULL));
}

static VOID legal_names(VOID)
{
    static const struct {
        PCSTR Name;
        BOOLEAN Fat, Hpfs;
    } Rows[] = {
        {"", FALSE, FALSE},      {"A", TRUE, TRUE},      {"ABCDEFGH.TXT", TRUE, TRUE}, {"ABCDEFGHI", FALSE, TRUE},
        {"A.TEXT", FALSE, TRUE}, {"A.B.C", FALSE, TRUE}, {".A", FALSE, TRUE},          {"A.", FALSE, FALSE},
        {"A ", FALSE, FALSE},    {"A .B", FALSE, TRUE},  {"A+B", FALSE, TRUE},         {"A*", FALSE, FALSE},
        {"A:B", FALSE, FALSE},   {".", TRUE, TRUE},      {"..", TRUE, TRUE},           {"A\\B", FALSE, FALSE}};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rows); i++) {
        if (!CHECK(FsRtlIsFatDbcsLegal(A(Rows[i].Name), FALSE, FALSE, FALSE) == Rows[i].Fat) ||
            !CHECK(FsRtlIsHpfsDbcsLegal(A(Rows[i].Name), FALSE, FALSE, FALSE) == Rows[i].Hpfs))
            DbgPrint("    '%s'\n", Rows[i].Name);
    }
    CHECK(FsRtlIsFatDbcsLegal(A("A*.?"), TRUE, FALSE, FALSE));
    CHECK(FsRtlIsFatDbcsLegal(A("A\\B.C"), FALSE, TRUE, FALSE));
    CHECK(!FsRtlIsFatDbcsLegal(A("\\A\\B.C"), FALSE, TRUE, FALSE));
    CHECK(FsRtlIsFatDbcsLegal(A("\\A\\B.C"), FALSE, TRUE, TRUE));
    CHECK(!FsRtlIsFatDbcsLegal(A("A\\\\B"), FALSE, TRUE, FALSE));
    CHECK(FsRtlIsFatDbcsLegal(A("A\\B\\"), FALSE, TRUE, FALSE) && FsRtlIsHpfsDbcsLegal(A("A\\"), FALSE, TRUE, FALSE));
    CHECK(!FsRtlIsFatDbcsLegal(A("A\\\\"), FALSE, TRUE, FALSE) && !FsRtlIsFatDbcsLegal(A("A\\"), FALSE, FALSE, FALSE));
}

static VOID dots_leave_a_path(VOID)
{
    static const struct {
        PCWSTR Path, Result; /* NULL = refused */
    } Rows[] = {{L"", L""},
                {L"a", L"a"},
                {L"\\a\\b", L"\\a\\b"},
                {L"\\a\\.\\b", L"\\a\\b"},
                {L"\\a\\..\\b", L"\\b"},
                {L"\\a\\b\\..", L"\\a"},
                {L"\\a\\..", L"\\"},
                {L"a\\..", L""},
                {L".", L""},
                {L"\\.", L"\\"},
                {L"a\\.", L"a"},
                {L"..", NULL},
                {L"\\..", NULL},
                {L"\\a\\..\\..", NULL},
                {L"\\\\..", L"\\"},
                {L"..\\a", NULL},
                {L"..a", L"..a"},
                {L"a..\\.b", L"a..\\.b"}};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rows); i++) {
        WCHAR Text[32];
        USHORT Bytes = 0;
        ULONG Length = (ULONG)wcslen(Rows[i].Path) * sizeof(WCHAR);
        RtlCopyMemory(Text, Rows[i].Path, Length);
        NTSTATUS Status = FsRtlRemoveDotsFromPath(Text, (USHORT)Length, &Bytes);
        UNICODE_STRING Got = {Bytes, Bytes, Text};
        BOOLEAN Good = Rows[i].Result ? NT_SUCCESS(Status) && Is(&Got, Rows[i].Result) &&
                                            (Bytes == Length || !Text[Bytes / sizeof(WCHAR)])
                                      : Status == STATUS_IO_REPARSE_DATA_INVALID;
        if (!CHECK(Good))
            DbgPrint("    '%S' became '%wZ', 0x%08x\n", Rows[i].Path, &Got, Status);
    }
}

TEST_MAIN(names_are_taken_apart_at_backslashes, patterns_match_as_the_page_says, stars_do_not_multiply,
          wild_characters_are_found, legal_names, dots_leave_a_path)
