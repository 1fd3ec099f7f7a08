/*
 * Names and places: addresses as text, prefix tables, 8.3 names, range lists, further C runtime routines.
 */
#include "test.h"

NTSTATUS NTAPI RtlIpv4StringToAddressW(PCWSTR, BOOLEAN, PCWSTR *, PUCHAR);
NTSTATUS NTAPI RtlIpv4StringToAddressExA(PCSTR, BOOLEAN, PUCHAR, PUSHORT);
NTSTATUS NTAPI RtlIpv6StringToAddressA(PCSTR, PCSTR *, PUCHAR);
NTSTATUS NTAPI RtlIpv6StringToAddressExA(PCSTR, PUCHAR, PULONG, PUSHORT);
PSTR NTAPI RtlIpv4AddressToStringA(const VOID *, PSTR);
PSTR NTAPI RtlIpv6AddressToStringA(const VOID *, PSTR);
NTSTATUS NTAPI RtlIpv4AddressToStringExA(const UCHAR *, USHORT, PSTR, PULONG);
NTSTATUS NTAPI RtlIpv6AddressToStringExA(const UCHAR *, ULONG, USHORT, PSTR, PULONG);
PSTR NTAPI RtlEthernetAddressToStringA(const UCHAR *, PSTR);
NTSTATUS NTAPI RtlEthernetStringToAddressA(PCSTR, PCSTR *, PUCHAR);

static VOID Ipv4(VOID)
{
    static const struct {
        PCWSTR Text;
        BOOLEAN Strict;
        NTSTATUS Status;
        ULONG Used;
        UCHAR Address[4];
    } Rows[] = {{L"1.2.3.4", TRUE, 0, 7, {1, 2, 3, 4}},
                {L"1.2.3.4x", TRUE, 0, 7, {1, 2, 3, 4}},
                {L"256.1.1.1", TRUE, STATUS_INVALID_PARAMETER, 0, {0}},
                {L"1.2.3", TRUE, STATUS_INVALID_PARAMETER, 0, {0}},
                {L"1.2.3", FALSE, 0, 5, {1, 2, 0, 3}},
                {L"0x7f.1", FALSE, 0, 6, {127, 0, 0, 1}},
                {L"017.1.1.1", FALSE, 0, 9, {15, 1, 1, 1}},
                {L"4294967295", FALSE, 0, 10, {255, 255, 255, 255}},
                {L"", FALSE, STATUS_INVALID_PARAMETER, 0, {0}},
                {L"1.2.3.", TRUE, STATUS_INVALID_PARAMETER, 0, {0}}};
    UCHAR Address[4];
    USHORT Port;
    CHAR Text[32];
    ULONG Room = sizeof(Text);
    for (ULONG i = 0; i < ARRAYSIZE(Rows); i++) {
        PCWSTR End = NULL;
        EQUAL(RtlIpv4StringToAddressW(Rows[i].Text, Rows[i].Strict, &End, Address), Rows[i].Status);
        if (Rows[i].Status)
            continue;
        CHECK(End == Rows[i].Text + Rows[i].Used && !memcmp(Address, Rows[i].Address, 4));
    }
    EQUAL(RtlIpv4StringToAddressExA("10.0.0.1:80", TRUE, Address, &Port), STATUS_SUCCESS);
    CHECK(Address[0] == 10 && Port == 0x5000);
    EQUAL(RtlIpv4StringToAddressExA("10.0.0.1:", TRUE, Address, &Port), STATUS_INVALID_PARAMETER);
    EQUAL(RtlIpv4StringToAddressExA("10.0.0.1 ", TRUE, Address, &Port), STATUS_INVALID_PARAMETER);
    EQUAL(RtlIpv4AddressToStringExA(Address, 0x5000, Text, &Room), STATUS_SUCCESS);
    SAME(Text, "10.0.0.1:80");
    EQUAL(Room, 12);
    Room = 11;
    EQUAL(RtlIpv4AddressToStringExA(Address, 0x5000, Text, &Room), STATUS_INVALID_PARAMETER);
    EQUAL(Room, 12);
    CHECK(RtlIpv4AddressToStringA("\xff\x00\x01\x02", Text) == Text + 9);
    SAME(Text, "255.0.1.2");
}

static VOID Ipv6(VOID)
{
    static const struct {
        PCSTR Text, Again; /* NULL: refused */
    } Rows[] = {{"::", "::"},
                {"::1", "::1"},
                {"1::", "1::"},
                {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
                {"fe80::1:2", "fe80::1:2"},
                {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
                {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
                {"::1.2.3.4", "::1.2.3.4"},
                {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
                {"1:2:3:4:5:6:7", NULL},
                {"1:2:3:4:5:6:7:", NULL},
                {":1", NULL},
                {"1::2::3", NULL},
                {"12345::", NULL},
                {"", NULL}};
    UCHAR Address[16];
    CHAR Text[70];
    ULONG Scope, Room = sizeof(Text);
    USHORT Port;
    for (ULONG i = 0; i < ARRAYSIZE(Rows); i++) {
        PCSTR End;
        NTSTATUS Status = RtlIpv6StringToAddressA(Rows[i].Text, &End, Address);
        if (NT_SUCCESS(Status) != (Rows[i].Again != NULL))
            TestFail(__FILE_NAME__, __LINE__, Rows[i].Text);
        if (!NT_SUCCESS(Status))
            continue;
        CHECK(*End == 0);
        PSTR Back = RtlIpv6AddressToStringA(Address, Text);
        SAME(Text, Rows[i].Again);
        CHECK(Back == Text + strlen(Text));
    }
    EQUAL(RtlIpv6StringToAddressExA("[fe80::1%3]:443", Address, &Scope, &Port), STATUS_SUCCESS);
    CHECK(Scope == 3 && Port == 0xbb01 && Address[0] == 0xfe && Address[15] == 1);
    EQUAL(RtlIpv6AddressToStringExA(Address, Scope, Port, Text, &Room), STATUS_SUCCESS);
    SAME(Text, "[fe80::1%3]:443");
    EQUAL(RtlIpv6StringToAddressExA("[fe80::1", Address, &Scope, &Port), STATUS_INVALID_PARAMETER);
    EQUAL(RtlIpv6StringToAddressExA("fe80::1:80]", Address, &Scope, &Port), STATUS_INVALID_PARAMETER);
}

static VOID Ethernet(VOID)
{
    UCHAR Address[6];
    CHAR Text[20];
    PCSTR End;
    EQUAL(RtlEthernetStringToAddressA("00-1a-2B-3c-4d-5e", &End, Address), STATUS_SUCCESS);
    RtlEthernetAddressToStringA(Address, Text);
    SAME(Text, "00-1A-2B-3C-4D-5E");
    EQUAL(RtlEthernetStringToAddressA("00-1a:2b-3c-4d-5e", &End, Address), STATUS_INVALID_PARAMETER);
}

static UNICODE_PREFIX_TABLE Table;

static PUNICODE_PREFIX_TABLE_ENTRY Find(PCWSTR Text, ULONG Index)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Text);
    return RtlFindUnicodePrefix(&Table, &Name, Index);
}

static VOID Prefixes(VOID)
{
    static PCWSTR const Texts[] = {L"\\", L"\\a", L"\\a\\b", L"\\a\\bc", L"\\A\\B", L"\\d\\e\\f", L"\\x"};
    UNICODE_STRING Names[ARRAYSIZE(Texts)];
    UNICODE_PREFIX_TABLE_ENTRY Entries[ARRAYSIZE(Texts)], Extra;
    ULONG Count = 0;
    RtlInitializeUnicodePrefix(&Table);
    CHECK(!Find(L"\\a", 0) && !RtlNextUnicodePrefix(&Table, TRUE));
    for (ULONG i = 0; i < ARRAYSIZE(Texts); i++) {
        RtlInitUnicodeString(&Names[i], Texts[i]);
        CHECK(RtlInsertUnicodePrefix(&Table, &Names[i], &Entries[i]));
    }
    CHECK(!RtlInsertUnicodePrefix(&Table, &Names[2], &Extra));
    CHECK(Find(L"\\a\\b\\c", 0) == &Entries[2]);
    CHECK(Find(L"\\A\\B\\c", 0) == &Entries[4]);
    CHECK(Find(L"\\A\\b\\c", 0) == &Entries[0]);
    CHECK(Find(L"\\A\\b\\c", 1) == &Entries[2] || Find(L"\\A\\b\\c", 1) == &Entries[4]);
    CHECK(Find(L"\\a\\bc", 0) == &Entries[3]);
    CHECK(Find(L"\\a\\bcd", 0) == &Entries[1]);
    CHECK(Find(L"\\d\\e", 0) == &Entries[0]);
    CHECK(Find(L"\\d\\e\\f\\g\\h", 0) == &Entries[5]);
    for (PUNICODE_PREFIX_TABLE_ENTRY On = RtlNextUnicodePrefix(&Table, TRUE); On;
         On = RtlNextUnicodePrefix(&Table, FALSE))
        Count++;
    EQUAL(Count, ARRAYSIZE(Texts));
    RtlRemoveUnicodePrefix(&Table, &Entries[2]);
    CHECK(Find(L"\\A\\B\\c", 0) == &Entries[4] && Find(L"\\a\\b\\c", 0) == &Entries[1]);
    for (ULONG i = 0; i < ARRAYSIZE(Texts); i++)
        if (i != 2)
            RtlRemoveUnicodePrefix(&Table, &Entries[i]);
    CHECK(!Find(L"\\a\\b", 0));
}

static BOOLEAN IsShort(PCWSTR Text, PBOOLEAN Spaces)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Text);
    return RtlIsNameLegalDOS8Dot3(&Name, NULL, Spaces);
}

static VOID Short(GENERATE_NAME_CONTEXT *Context, PCWSTR Text, PCWSTR Want)
{
    WCHAR Room[13] = {0};
    UNICODE_STRING Name, Result = {0, 24, Room};
    RtlInitUnicodeString(&Name, Text);
    EQUAL(RtlGenerate8dot3Name(&Name, FALSE, Context, &Result), STATUS_SUCCESS);
    Room[Result.Length / 2] = 0;
    SAMEW(Room, Want);
}

static VOID ShortNames(VOID)
{
    BOOLEAN Spaces = FALSE;
    GENERATE_NAME_CONTEXT Context = {0}, Other = {0};
    CHECK(IsShort(L"README.TXT", &Spaces) && !Spaces);
    CHECK(IsShort(L"a b.c", &Spaces) && Spaces);
    CHECK(IsShort(L"12345678.123", NULL) && IsShort(L".", NULL) && IsShort(L"..", NULL));
    CHECK(!IsShort(L"123456789", NULL) && !IsShort(L"a.b.c", NULL) && !IsShort(L"a.1234", NULL) && !IsShort(L"", NULL));
    CHECK(!IsShort(L"a+b", NULL) && !IsShort(L".a", NULL) && !IsShort(L"a.", NULL) && !IsShort(L"a .b", NULL));
    Short(&Context, L"Long File Name.text", L"LONGFI~1.TEX");
    Short(&Context, L"Long File Name.text", L"LONGFI~2.TEX");
    Short(&Context, L"Long File Name.text", L"LONGFI~3.TEX");
    Short(&Context, L"Long File Name.text", L"LONGFI~4.TEX");
    WCHAR Room[13] = {0};
    UNICODE_STRING Name, Result = {0, 24, Room};
    RtlInitUnicodeString(&Name, L"Long File Name.text");
    EQUAL(RtlGenerate8dot3Name(&Name, FALSE, &Context, &Result), STATUS_SUCCESS);
    CHECK(Room[0] == L'L' && Room[1] == L'O' && Room[6] == L'~' && Room[7] == L'1' && Context.CheckSumInserted);
    Short(&Other, L"a+b;cd.e", L"A_B_CD~1.E");
}

typedef struct {
    LIST_ENTRY Head;
    ULONG Flags, Count, Stamp;
} RANGES;
typedef struct {
    ULONGLONG Start, End;
    PVOID UserData, Owner;
    UCHAR Attributes, Flags;
} RANGE;
typedef struct {
    PVOID Some[3];
    ULONG Stamp;
} ITERATOR;
VOID NTAPI RtlInitializeRangeList(RANGES *);
VOID NTAPI RtlFreeRangeList(RANGES *);
NTSTATUS NTAPI RtlAddRange(RANGES *, ULONGLONG, ULONGLONG, UCHAR, ULONG, PVOID, PVOID);
NTSTATUS NTAPI RtlDeleteRange(RANGES *, ULONGLONG, ULONGLONG, PVOID);
NTSTATUS NTAPI RtlGetFirstRange(RANGES *, ITERATOR *, RANGE **);
NTSTATUS NTAPI RtlGetNextRange(ITERATOR *, RANGE **, BOOLEAN);
NTSTATUS NTAPI RtlIsRangeAvailable(RANGES *, ULONGLONG, ULONGLONG, ULONG, UCHAR, PVOID, PVOID, PBOOLEAN);
NTSTATUS NTAPI RtlFindRange(RANGES *, ULONGLONG, ULONGLONG, ULONG, ULONG, ULONG, UCHAR, PVOID, PVOID, PULONGLONG);

static VOID Ranges(VOID)
{
    RANGES List;
    RANGE *Range;
    ITERATOR At;
    BOOLEAN Free;
    ULONGLONG Start;
    RtlInitializeRangeList(&List);
    EQUAL(RtlGetFirstRange(&List, &At, &Range), STATUS_NO_MORE_ENTRIES);
    CHECK(!Range);
    EQUAL(RtlAddRange(&List, 10, 19, 0, 0, NULL, &List), STATUS_SUCCESS);
    EQUAL(RtlAddRange(&List, 5, 4, 0, 0, NULL, NULL), STATUS_INVALID_PARAMETER);
    EQUAL(RtlAddRange(&List, 19, 30, 0, 0, NULL, NULL), STATUS_RANGE_LIST_CONFLICT);
    EQUAL(RtlAddRange(&List, 0, 9, 0, 0, NULL, NULL), STATUS_SUCCESS);
    EQUAL(RtlAddRange(&List, 40, 49, 0, 2, NULL, NULL), STATUS_SUCCESS);
    EQUAL(RtlAddRange(&List, 45, 60, 0, 2, NULL, NULL), STATUS_SUCCESS);
    EQUAL(RtlGetFirstRange(&List, &At, &Range), STATUS_SUCCESS);
    EQUAL(Range->Start, 0);
    EQUAL(RtlGetNextRange(&At, &Range, TRUE), STATUS_SUCCESS);
    CHECK(Range->Start == 10 && Range->Owner == &List);
    EQUAL(RtlIsRangeAvailable(&List, 20, 39, 0, 0, NULL, NULL, &Free), STATUS_SUCCESS);
    CHECK(Free);
    RtlIsRangeAvailable(&List, 40, 44, 0, 0, NULL, NULL, &Free);
    CHECK(!Free);
    RtlIsRangeAvailable(&List, 40, 44, 1, 0, NULL, NULL, &Free);
    CHECK(Free);
    EQUAL(RtlFindRange(&List, 0, 60, 10, 8, 0, 0, NULL, NULL, &Start), STATUS_SUCCESS);
    EQUAL(Start, 24);
    EQUAL(RtlFindRange(&List, 0, 60, 30, 1, 0, 0, NULL, NULL, &Start), STATUS_UNSUCCESSFUL);
    EQUAL(RtlDeleteRange(&List, 10, 19, NULL), STATUS_RANGE_NOT_FOUND);
    EQUAL(RtlDeleteRange(&List, 10, 19, &List), STATUS_SUCCESS);
    EQUAL(RtlGetNextRange(&At, &Range, TRUE), STATUS_INVALID_PARAMETER);
    RtlFreeRangeList(&List);
}

typedef struct {
    RTL_DYNAMIC_HASH_TABLE_ENTRY Entry;
    ULONG Number;
} ITEM;

static ULONG Walk(PRTL_DYNAMIC_HASH_TABLE Hash, BOOLEAN Weak)
{
    RTL_DYNAMIC_HASH_TABLE_ENUMERATOR At;
    ULONG Count = 0, Sum = 0;
    CHECK(Weak ? RtlInitWeakEnumerationHashTable(Hash, &At) : RtlInitEnumerationHashTable(Hash, &At));
    for (PRTL_DYNAMIC_HASH_TABLE_ENTRY On;
         (On = Weak ? RtlWeaklyEnumerateEntryHashTable(Hash, &At) : RtlEnumerateEntryHashTable(Hash, &At)); Count++)
        Sum += CONTAINING_RECORD(On, ITEM, Entry)->Number;
    if (Weak)
        RtlEndWeakEnumerationHashTable(Hash, &At);
    else
        RtlEndEnumerationHashTable(Hash, &At);
    return Sum * 10000 + Count;
}

static VOID HashTables(VOID)
{
    enum { Items = 1000 };
    static ITEM Item[Items], Twin[3];
    PRTL_DYNAMIC_HASH_TABLE Hash = NULL;
    RTL_DYNAMIC_HASH_TABLE_CONTEXT Context = {0};
    ULONG Found = 0, Twins = 0, Sum = 0;
    CHECK(RtlCreateHashTable(&Hash, 0, 0));
    for (ULONG i = 0; i < Items; i++) {
        Item[i].Number = i;
        Sum += i;
        RtlInsertEntryHashTable(Hash, &Item[i].Entry, (ULONG_PTR)i * 64, NULL);
        if (i % 2)
            CHECK(RtlExpandHashTable(Hash));
    }
    EQUAL(Hash->NumEntries, Items);
    EQUAL(Hash->TableSize, 128 + Items / 2);
    for (ULONG i = 0; i < 3; i++)
        RtlInsertEntryHashTable(Hash, &Twin[i].Entry, 77 * 64, NULL);
    for (PRTL_DYNAMIC_HASH_TABLE_ENTRY On = RtlLookupEntryHashTable(Hash, 77 * 64, &Context); On;
         On = RtlGetNextEntryHashTable(Hash, &Context))
        Twins++;
    EQUAL(Twins, 4);
    for (ULONG i = 0; i < 3; i++)
        RtlRemoveEntryHashTable(Hash, &Twin[i].Entry, NULL);
    CHECK(!RtlLookupEntryHashTable(Hash, 12345, NULL));
    EQUAL(Walk(Hash, FALSE), Sum * 10000 + Items);
    EQUAL(Walk(Hash, TRUE), Sum * 10000 + Items);
    while (RtlContractHashTable(Hash))
        ;
    EQUAL(Hash->TableSize, 128);
    for (ULONG i = 0; i < Items; i++) {
        PRTL_DYNAMIC_HASH_TABLE_ENTRY On = RtlLookupEntryHashTable(Hash, i ? (ULONG_PTR)i * 64 : 1, NULL);
        Found += On == &Item[i].Entry;
        RtlRemoveEntryHashTable(Hash, &Item[i].Entry, NULL);
    }
    EQUAL(Found, Items);
    EQUAL(Hash->NumEntries, 0);
    EQUAL(Hash->NonEmptyBuckets, 0);
    RtlDeleteHashTable(Hash);
}

static VOID Runtime(VOID)
{
    char *End;
    EQUAL(strtol("-0x10z", &End, 0), (UINT64)(long)-16);
    CHECK(*End == 'z');
    EQUAL(strtol("99999999999", NULL, 10), 0x7fffffff);
    EQUAL(strtol("-99999999999", NULL, 10), (UINT64)(long)0x80000000);
    EQUAL(strtoul("4294967295", NULL, 10), 0xffffffff);
    EQUAL(wcstol(L" 077", NULL, 0), 63);
    EQUAL(_atoi64("-9000000000"), (UINT64)-9000000000ll);
    EQUAL(strcspn("abc,d", ",;"), 3);
    CHECK(!strpbrk("abc", "xyz") && *strpbrk("abc", "xc") == 'c' && *wcspbrk(L"abc", L"b") == L'b');
    CHECK(isalpha('z') && !isalpha('1') && isalnum('1') && iswxdigit(L'F') && !iswxdigit(L'g') && iswalpha(L'\xe9'));
    CHECK(!_memicmp("ABC", "abc", 3) && _memicmp("abc", "abd", 3) < 0);
}

const RTL_TEST NameTests[] = {
    {"ipv4_addresses_are_read_and_written", Ipv4},
    {"ipv6_addresses_are_read_and_written", Ipv6},
    {"ethernet_addresses_are_read_and_written", Ethernet},
    {"the_longest_prefix_is_found", Prefixes},
    {"short_names_are_known_and_made", ShortNames},
    {"ranges_conflict_share_and_are_found", Ranges},
    {"a_hash_table_grows_shrinks_and_is_walked", HashTables},
    {"numbers_and_sets_of_characters_are_read", Runtime},
    {0},
};
