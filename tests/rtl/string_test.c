/*
 * Counted strings: counts, cuts, terminators, statuses as documented.
 */
#include "test.h"

NTSTATUS NTAPI RtlUpcaseUnicodeStringToAnsiString(PANSI_STRING, PCUNICODE_STRING, BOOLEAN);

static WCHAR Room[64];
static UNICODE_STRING Target;

static VOID Empty(USHORT Bytes)
{
    for (ULONG i = 0; i < ARRAYSIZE(Room); i++)
        Room[i] = L'!';
    RtlInitEmptyUnicodeString(&Target, Room, Bytes);
}

static VOID Init(VOID)
{
    UNICODE_STRING String;
    ANSI_STRING Ansi;
    static WCHAR Long[40000];

    RtlInitUnicodeString(&String, L"abc");
    CHECK(String.Length == 6 && String.MaximumLength == 8);
    RtlInitUnicodeString(&String, NULL);
    CHECK(!String.Length && !String.MaximumLength && !String.Buffer);
    for (ULONG i = 0; i + 1 < ARRAYSIZE(Long); i++)
        Long[i] = L'x';
    RtlInitUnicodeString(&String, Long);
    CHECK(String.Length == 0xfffc && String.MaximumLength == 0xfffe);
    EQUAL(RtlInitUnicodeStringEx(&String, Long), STATUS_NAME_TOO_LONG);
    RtlInitAnsiString(&Ansi, "abc");
    CHECK(Ansi.Length == 3 && Ansi.MaximumLength == 4);
}

static VOID CopyAppend(VOID)
{
    UNICODE_STRING Source = RTL_CONSTANT_STRING(L"abcdef");

    Empty(9); /* four units and an odd byte */
    RtlCopyUnicodeString(&Target, &Source);
    CHECK(Target.Length == 8 && Room[3] == L'd' && Room[4] == L'!');
    Empty(20);
    RtlCopyUnicodeString(&Target, &Source);
    CHECK(Target.Length == 12 && Room[6] == 0);
    EQUAL(RtlAppendUnicodeToString(&Target, L"gh"), STATUS_SUCCESS);
    SAMEW(Room, L"abcdefgh");
    EQUAL(RtlAppendUnicodeStringToString(&Target, &Source), STATUS_BUFFER_TOO_SMALL);
    CHECK(Target.Length == 16);
    EQUAL(RtlAppendUnicodeToString(&Target, L"ij"), STATUS_SUCCESS);
    CHECK(Target.Length == 20 && Room[10] == L'!');
    RtlCopyUnicodeString(&Target, NULL);
    CHECK(!Target.Length);
}

static VOID Compare(VOID)
{
    UNICODE_STRING A = RTL_CONSTANT_STRING(L"Str\x00e4\x00dfe"), B = RTL_CONSTANT_STRING(L"sTR\x00c4\x00dfE");
    UNICODE_STRING Prefix = RTL_CONSTANT_STRING(L"STR");
    ULONG Hash, Other;

    CHECK(!RtlEqualUnicodeString(&A, &B, FALSE) && RtlEqualUnicodeString(&A, &B, TRUE));
    CHECK(RtlCompareUnicodeString(&A, &B, FALSE) < 0);
    CHECK(RtlPrefixUnicodeString(&Prefix, &A, TRUE) && !RtlPrefixUnicodeString(&Prefix, &A, FALSE));
    CHECK(!RtlPrefixUnicodeString(&A, &Prefix, TRUE));
    EQUAL(RtlHashUnicodeString(&A, TRUE, HASH_STRING_ALGORITHM_X65599, &Hash), STATUS_SUCCESS);
    EQUAL(RtlHashUnicodeString(&B, TRUE, HASH_STRING_ALGORITHM_DEFAULT, &Other), STATUS_SUCCESS);
    EQUAL(Hash, Other);
    EQUAL(RtlHashUnicodeString(&Prefix, FALSE, HASH_STRING_ALGORITHM_X65599, &Hash), STATUS_SUCCESS);
    EQUAL(Hash, (ULONG)(('S' * 65599 + 'T') * 65599u + 'R'));
    CHECK(RtlUpcaseUnicodeChar(0x0451) == 0x0401 && RtlDowncaseUnicodeChar(0x03a9) == 0x03c9);
    CHECK(RtlUpcaseUnicodeChar(0x0131) == 0x0131 && RtlUpcaseUnicodeChar(0x00ff) == 0x0178);
}

static VOID CaseIsAnInvolution(VOID)
{
    for (ULONG i = 0; i < 0x10000; i++) {
        WCHAR Lower = RtlDowncaseUnicodeChar((WCHAR)i), Upper = RtlUpcaseUnicodeChar((WCHAR)i);
        if (Lower != i)
            EQUAL(RtlUpcaseUnicodeChar(Lower), i);
        if (Upper != i)
            EQUAL(RtlDowncaseUnicodeChar(Upper), i);
    }
}

static VOID Allocated(VOID)
{
    UNICODE_STRING Source = RTL_CONSTANT_STRING(L"Abc"), Result;
    ANSI_STRING Ansi = RTL_CONSTANT_STRING("x\x80"), Narrow;

    CHECK(RtlCreateUnicodeString(&Result, L"new"));
    CHECK(Result.Length == 6 && Result.MaximumLength == 8);
    RtlFreeUnicodeString(&Result);
    CHECK(!Result.Buffer);
    RtlFreeUnicodeString(&Result);
    EQUAL(RtlUpcaseUnicodeString(&Result, &Source, TRUE), STATUS_SUCCESS);
    CHECK(Result.Length == 6 && Result.Buffer[2] == L'C');
    RtlFreeUnicodeString(&Result);
    EQUAL(RtlAnsiStringToUnicodeString(&Result, &Ansi, TRUE), STATUS_SUCCESS);
    SAMEW(Result.Buffer, L"x\x20ac");
    EQUAL(RtlUnicodeStringToAnsiString(&Narrow, &Result, TRUE), STATUS_SUCCESS);
    SAME(Narrow.Buffer, "x\x80");
    RtlFreeUnicodeString(&Result);
    RtlFreeAnsiString(&Narrow);
    EQUAL(RtlDuplicateUnicodeString(1, &Source, &Result), STATUS_SUCCESS);
    CHECK(Result.MaximumLength == 8 && !Result.Buffer[3]);
    RtlFreeUnicodeString(&Result);
    EQUAL(RtlDuplicateUnicodeString(2, &Source, &Result), STATUS_INVALID_PARAMETER);
    RtlInitEmptyUnicodeString(&Source, NULL, 0);
    EQUAL(RtlDuplicateUnicodeString(0, &Source, &Result), STATUS_SUCCESS);
    CHECK(!Result.Buffer);
}

static VOID IntoTheCallersBuffer(VOID)
{
    UNICODE_STRING Source = RTL_CONSTANT_STRING(L"abcdef");
    ANSI_STRING Ansi = RTL_CONSTANT_STRING("abcd");
    CHAR Bytes[8] = "!!!!!!!";
    ANSI_STRING Narrow = {0, 4, Bytes};

    EQUAL(RtlUnicodeStringToAnsiString(&Narrow, &Source, FALSE), STATUS_BUFFER_OVERFLOW);
    SAME(Bytes, "abc");
    CHECK(Narrow.Length == 3 && Bytes[4] == '!');
    Empty(8);
    EQUAL(RtlAnsiStringToUnicodeString(&Target, &Ansi, FALSE), STATUS_BUFFER_OVERFLOW);
    EQUAL(RtlOemStringToCountedUnicodeString(&Target, &Ansi, FALSE), STATUS_SUCCESS);
    CHECK(Target.Length == 8 && Room[4] == L'!');
    Empty(10);
    EQUAL(RtlAnsiStringToUnicodeString(&Target, &Ansi, FALSE), STATUS_SUCCESS);
    SAMEW(Room, L"abcd");
    EQUAL(RtlUpcaseUnicodeString(&Target, &Source, FALSE), STATUS_BUFFER_OVERFLOW);
}

static VOID Integers(VOID)
{
    UNICODE_STRING Hex = RTL_CONSTANT_STRING(L" 0x1Fz"), Binary = RTL_CONSTANT_STRING(L"-0b101");
    ULONG Value;

    Empty(12);
    EQUAL(RtlIntegerToUnicodeString(12345, 0, &Target), STATUS_SUCCESS);
    SAMEW(Room, L"12345");
    EQUAL(RtlIntegerToUnicodeString(123456, 10, &Target), STATUS_SUCCESS);
    CHECK(Target.Length == 12 && Room[6] == L'!');
    EQUAL(RtlIntegerToUnicodeString(1234567, 10, &Target), STATUS_BUFFER_OVERFLOW);
    EQUAL(RtlIntegerToUnicodeString(1, 3, &Target), STATUS_INVALID_PARAMETER);
    Empty(128);
    EQUAL(RtlInt64ToUnicodeString(0xfedcba9876543210, 16, &Target), STATUS_SUCCESS);
    SAMEW(Room, L"FEDCBA9876543210");
    EQUAL(RtlUnicodeStringToInteger(&Hex, 0, &Value), STATUS_SUCCESS);
    EQUAL(Value, 0x1f);
    EQUAL(RtlUnicodeStringToInteger(&Binary, 0, &Value), STATUS_SUCCESS);
    EQUAL(Value, (ULONG)-5);
    EQUAL(RtlCharToInteger("777", 8, &Value), STATUS_SUCCESS);
    EQUAL(Value, 0777);
    EQUAL(RtlCharToInteger("1", 7, &Value), STATUS_INVALID_PARAMETER);
}

static VOID Guids(VOID)
{
    GUID Guid, Wanted = {0x53f56307, 0xb6bf, 0x11d0, {0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}};
    UNICODE_STRING Text;

    EQUAL(RtlStringFromGUID(&Wanted, &Text), STATUS_SUCCESS);
    SAMEW(Text.Buffer, L"{53f56307-b6bf-11d0-94f2-00a0c91efb8b}");
    EQUAL(RtlGUIDFromString(&Text, &Guid), STATUS_SUCCESS);
    EQUAL(memcmp(&Guid, &Wanted, sizeof(Guid)), 0);
    Text.Buffer[9] = L'_';
    EQUAL(RtlGUIDFromString(&Text, &Guid), STATUS_INVALID_PARAMETER);
    RtlFreeUnicodeString(&Text);
}

static VOID Utf8(VOID)
{
    CHAR Bytes[16];
    ULONG Count;

    EQUAL(RtlUnicodeToUTF8N(NULL, 0, &Count, L"a\x00e4\x20ac", 6), STATUS_SUCCESS);
    EQUAL(Count, 6);
    EQUAL(RtlUnicodeToUTF8N(Bytes, 4, &Count, L"a\x00e4\x20ac", 6), STATUS_BUFFER_TOO_SMALL);
    EQUAL(Count, 3);
    EQUAL(RtlUnicodeToUTF8N(Bytes, 16, &Count, L"\xd800z", 4), STATUS_SOME_NOT_MAPPED);
    EQUAL(Count, 4);
    EQUAL(RtlUTF8ToUnicodeN(Room, sizeof(Room), &Count, "\xf0\x9f\x98\x80\xc3", 5), STATUS_SOME_NOT_MAPPED);
    EQUAL(Count, 6);
    CHECK(Room[0] == 0xd83d && Room[1] == 0xde00 && Room[2] == 0xfffd);
    EQUAL(RtlUTF8ToUnicodeN(Room, sizeof(Room), &Count, "\xef\xbf\xbd", 3), STATUS_SUCCESS);
}

static VOID Narrow(VOID)
{
    CHAR Bytes[8];
    STRING A = RTL_CONSTANT_STRING("ab\xe4"), B = RTL_CONSTANT_STRING("AB\xc4"), To = {0, 5, Bytes};

    CHECK(RtlEqualString(&A, &B, TRUE) && !RtlEqualString(&A, &B, FALSE));
    RtlCopyString(&To, &A);
    EQUAL(RtlAppendStringToString(&To, &B), STATUS_BUFFER_TOO_SMALL);
    CHECK(To.Length == 3);
    RtlUpperString(&To, &A);
    CHECK(RtlEqualString(&To, &B, FALSE));
    EQUAL((UCHAR)RtlUpperChar((CHAR)0xff), 0x9f);
}

const RTL_TEST StringTests[] = {
    {"init_counts_and_cuts", Init},
    {"copy_and_append_keep_the_room", CopyAppend},
    {"compare_prefix_and_hash", Compare},
    {"upper_and_lower_case_are_inverse", CaseIsAnInvolution},
    {"allocated_strings_are_freed_once", Allocated},
    {"conversion_into_a_small_buffer", IntoTheCallersBuffer},
    {"integers_as_text", Integers},
    {"guids_as_text", Guids},
    {"utf8_conversion_tells_damage", Utf8},
    {"narrow_counted_strings", Narrow},
    {0},
};
