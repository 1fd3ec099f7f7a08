/* The registry: the service's key, values of each class, enumeration, deletion, RtlQueryRegistryValues. */
#include "test.h"

static HANDLE Parameters;

static NTSTATUS Open(HANDLE Root, PCWSTR Text, BOOLEAN Create, PULONG Disposition, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Root, NULL);
    return Create ? ZwCreateKey(Handle, KEY_ALL_ACCESS, &Attributes, 0, NULL, 0, Disposition)
                  : ZwOpenKey(Handle, KEY_ALL_ACCESS, &Attributes);
}

static NTSTATUS Set(PCWSTR Text, ULONG Type, PVOID Data, ULONG Bytes)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Text);
    return ZwSetValueKey(Parameters, &Name, 0, Type, Data, Bytes);
}

static VOID the_service_has_its_key(VOID)
{
    HANDLE Key, Same;
    ULONG Disposition, Length, Start = 3;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"start");
    struct {
        KEY_VALUE_PARTIAL_INFORMATION Fixed;
        UCHAR Room[64];
    } Value;
    OK(Open(NULL, L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\registry", FALSE, NULL, &Key));
    OK(Open(NULL, L"\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\services\\REGISTRY", TRUE, &Disposition, &Same));
    CHECK(Disposition == REG_OPENED_EXISTING_KEY);
    OK(ZwClose(Same));
    OK(ZwQueryValueKey(Key, &Name, KeyValuePartialInformation, &Value, sizeof(Value), &Length));
    CHECK(Value.Fixed.Type == REG_DWORD && Value.Fixed.DataLength == 4 && !memcmp(Value.Fixed.Data, &Start, 4));
    CHECK(Length == FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data) + 4);
    OK(Open(Key, L"Parameters", FALSE, NULL, &Parameters));
    OK(ZwClose(Key));
    STATUS(Open(NULL, L"\\Registry\\Machine\\Nothing", FALSE, NULL, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Open(NULL, L"\\Registry\\Machine\\Nothing\\Below", TRUE, NULL, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID values_are_set_read_and_cut(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"Text"), Default = {0};
    ULONG Length, Number = 7;
    UCHAR Room[128];
    PKEY_VALUE_FULL_INFORMATION Full = (PVOID)Room;
    PKEY_VALUE_PARTIAL_INFORMATION Partial = (PVOID)Room;
    OK(Set(L"Text", REG_SZ, L"value", 12));
    OK(Set(L"text", REG_SZ, L"other", 12));
    OK(Set(L"Number", REG_DWORD, &Number, 4));
    OK(ZwSetValueKey(Parameters, &Default, 0, REG_BINARY, "ab", 2));
    OK(ZwQueryValueKey(Parameters, &Name, KeyValueFullInformation, Room, sizeof(Room), &Length));
    CHECK(Full->NameLength == 8 && !memcmp(Full->Name, L"Text", 8) && Full->DataLength == 12);
    CHECK(!memcmp(Room + Full->DataOffset, L"other", 12) && Length == Full->DataOffset + 12);
    STATUS(ZwQueryValueKey(Parameters, &Name, KeyValuePartialInformation, Room, 16, &Length), STATUS_BUFFER_OVERFLOW);
    CHECK(Length == 24 && Partial->DataLength == 12 && !memcmp(Partial->Data, L"ot", 4));
    STATUS(ZwQueryValueKey(Parameters, &Name, KeyValuePartialInformation, Room, 4, &Length), STATUS_BUFFER_TOO_SMALL);
    CHECK(Length == 24);
    RtlInitUnicodeString(&Name, L"none");
    STATUS(ZwQueryValueKey(Parameters, &Name, KeyValuePartialInformation, Room, 64, &Length),
           STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(ZwDeleteValueKey(Parameters, &Name), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwDeleteValueKey(Parameters, &Default));
    OK(ZwEnumerateValueKey(Parameters, 1, KeyValueFullInformation, Room, sizeof(Room), &Length));
    CHECK(Full->NameLength == 12 && !memcmp(Full->Name, L"Number", 12));
    STATUS(ZwEnumerateValueKey(Parameters, 2, KeyValueFullInformation, Room, sizeof(Room), &Length),
           STATUS_NO_MORE_ENTRIES);
}

static VOID keys_are_listed_and_deleted(VOID)
{
    HANDLE One, Two, Again;
    ULONG Disposition, Length;
    UCHAR Room[128];
    PKEY_BASIC_INFORMATION Basic = (PVOID)Room;
    PKEY_FULL_INFORMATION Full = (PVOID)Room;
    OK(Open(Parameters, L"Two", TRUE, &Disposition, &Two));
    CHECK(Disposition == REG_CREATED_NEW_KEY);
    OK(Open(Parameters, L"One", TRUE, NULL, &One));
    OK(ZwEnumerateKey(Parameters, 0, KeyBasicInformation, Room, sizeof(Room), &Length));
    CHECK(Basic->NameLength == 6 && !memcmp(Basic->Name, L"One", 6));
    STATUS(ZwEnumerateKey(Parameters, 2, KeyBasicInformation, Room, sizeof(Room), &Length), STATUS_NO_MORE_ENTRIES);
    OK(ZwQueryKey(Parameters, KeyFullInformation, Room, sizeof(Room), &Length));
    CHECK(Full->SubKeys == 2 && Full->Values == 2 && Full->MaxNameLen == 6 && Full->MaxValueNameLen == 12);
    STATUS(ZwDeleteKey(Parameters), STATUS_CANNOT_DELETE);
    OK(ZwDeleteKey(One));
    STATUS(ZwQueryKey(One, KeyFullInformation, Room, sizeof(Room), &Length), STATUS_KEY_DELETED);
    STATUS(Open(Parameters, L"One", FALSE, NULL, &Again), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwClose(One));
    OK(ZwDeleteKey(Two));
    OK(ZwClose(Two));
}

static ULONG Calls;

static NTSTATUS NTAPI Query(PWSTR Name, ULONG Type, PVOID Data, ULONG Bytes, PVOID Context, PVOID Entry)
{
    CHECK(Context == &Calls && Entry == &Parameters);
    Calls = Calls * 10 + Type;
    return STATUS_SUCCESS;
}

static WCHAR Given[40];
static ULONG GivenCount;

static NTSTATUS NTAPI Collect(PWSTR ValueName, ULONG Type, PVOID Data, ULONG Bytes, PVOID Context, PVOID EntryContext)
{
    CHECK(Type == REG_SZ && Bytes == (wcslen(Data) + 1) * sizeof(WCHAR));
    wcscat(Given, Data);
    wcscat(Given, L";");
    GivenCount++;
    return STATUS_SUCCESS;
}

/* docs: RtlQueryRegistryValues: a REG_MULTI_SZ comes string by string; the terminator of the list is its last character,
 * so empty strings are strings. */
static VOID strings_of_a_list_come_one_by_one(VOID)
{
    static const struct {
        PCWSTR Data;
        ULONG Bytes, Count;
        PCWSTR Text;
    } Cases[] = {{L"", 0, 0, L""},
                 {L"", 2, 0, L""},
                 {L"\0", 4, 1, L";"},
                 {L"one", 8, 1, L"one;"},
                 {L"one\0", 10, 1, L"one;"},
                 {L"one\0two\0", 18, 2, L"one;two;"},
                 {L"one\0\0two\0", 20, 3, L"one;;two;"}};
    RTL_QUERY_REGISTRY_TABLE Table[] = {{Collect, 0, L"Strings", NULL, REG_NONE, NULL, 0}, {0}};
    for (ULONG i = 0; i < sizeof(Cases) / sizeof(Cases[0]); i++) {
        OK(RtlWriteRegistryValue(RTL_REGISTRY_SERVICES, L"registry\\Parameters", L"Strings", REG_MULTI_SZ,
                                 (PVOID)Cases[i].Data, Cases[i].Bytes));
        Given[0] = 0;
        GivenCount = 0;
        OK(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"registry\\Parameters", Table, NULL, NULL));
        CHECK(GivenCount == Cases[i].Count && !wcscmp(Given, Cases[i].Text));
    }
    OK(RtlDeleteRegistryValue(RTL_REGISTRY_SERVICES, L"registry\\Parameters", L"Strings"));
    Table[0].DefaultType = REG_MULTI_SZ; /* a default without a length ends at its first empty string */
    Table[0].DefaultData = L"one\0\0two\0";
    Given[0] = 0;
    OK(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"registry\\Parameters", Table, NULL, NULL));
    CHECK(!wcscmp(Given, L"one;"));
}

static VOID the_table_is_followed(VOID)
{
    ULONG Number = 0, Absent = 5, Default = 9;
    UNICODE_STRING Text = {0};
    WCHAR Small[3];
    UNICODE_STRING TooSmall = {0, sizeof(Small), Small};
    RTL_QUERY_REGISTRY_TABLE Table[] = {
        {NULL, RTL_QUERY_REGISTRY_DIRECT, L"Number", &Number, REG_NONE, NULL, 0},
        {NULL, RTL_QUERY_REGISTRY_DIRECT, L"Absent", &Absent, REG_DWORD, &Default, 4},
        {NULL, RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED, L"Text", &Text, REG_NONE, NULL, 0},
        {Query, 0, L"Many", &Parameters, REG_NONE, NULL, 0},
        {0},
    };
    RTL_QUERY_REGISTRY_TABLE Missing[] = {
        {NULL, RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED, L"Absent", &Absent, REG_NONE, NULL, 0}, {0}};
    RTL_QUERY_REGISTRY_TABLE Tight[] = {{NULL, RTL_QUERY_REGISTRY_DIRECT, L"Text", &TooSmall, REG_NONE, NULL, 0}, {0}};
    OK(Set(L"Many", REG_MULTI_SZ, L"a\0bb\0", 12));
    OK(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"registry\\Parameters", Table, &Calls, NULL));
    CHECK(Number == 7 && Absent == 9 && Calls == 11);
    CHECK(Text.Length == 10 && Text.MaximumLength == 12 && !memcmp(Text.Buffer, L"other", 12));
    ExFreePool(Text.Buffer);
    STATUS(RtlQueryRegistryValues(RTL_REGISTRY_HANDLE, (PCWSTR)Parameters, Missing, NULL, NULL),
           STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(RtlQueryRegistryValues(RTL_REGISTRY_HANDLE, (PCWSTR)Parameters, Tight, NULL, NULL), STATUS_BUFFER_TOO_SMALL);
    STATUS(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, L"nobody", Missing, NULL, NULL), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES | RTL_REGISTRY_OPTIONAL, L"nobody", Missing, NULL, NULL));
    OK(RtlWriteRegistryValue(RTL_REGISTRY_SERVICES, L"registry\\Parameters", L"Number", REG_DWORD, &Default, 4));
    OK(RtlQueryRegistryValues(RTL_REGISTRY_HANDLE, (PCWSTR)Parameters, Table + 3, &Calls, NULL));
    OK(RtlDeleteRegistryValue(RTL_REGISTRY_SERVICES, L"registry\\Parameters", L"Many"));
    OK(RtlCheckRegistryKey(RTL_REGISTRY_SERVICES, L"registry"));
    OK(ZwClose(Parameters));
}

static VOID security_descriptors_hold_their_lists(VOID)
{
    SECURITY_DESCRIPTOR Descriptor;
    UCHAR Room[64];
    PACL List = (PACL)Room, Found;
    PACCESS_ALLOWED_ACE Ace;
    BOOLEAN Present, Defaulted;
    UNICODE_STRING Text;
    OK(RtlCreateSecurityDescriptor(&Descriptor, SECURITY_DESCRIPTOR_REVISION));
    STATUS(RtlCreateSecurityDescriptor(&Descriptor, 2), STATUS_UNKNOWN_REVISION);
    OK(RtlCreateAcl(List, sizeof(Room), ACL_REVISION));
    OK(RtlAddAccessAllowedAce(List, ACL_REVISION, GENERIC_ALL, SeExports->SeLocalSystemSid));
    OK(RtlAddAccessAllowedAce(List, ACL_REVISION, GENERIC_READ, SeExports->SeAliasAdminsSid));
    STATUS(RtlAddAccessAllowedAce(List, ACL_REVISION, GENERIC_READ, SeExports->SeWorldSid),
           STATUS_ALLOTTED_SPACE_EXCEEDED);
    OK(RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, List, FALSE));
    CHECK(RtlValidSecurityDescriptor(&Descriptor));
    OK(RtlGetDaclSecurityDescriptor(&Descriptor, &Present, &Found, &Defaulted));
    CHECK(Present && Found == List && !Defaulted && List->AceCount == 2);
    OK(RtlGetAce(List, 1, (PVOID *)&Ace));
    CHECK(Ace->Mask == GENERIC_READ && RtlEqualSid(&Ace->SidStart, SeExports->SeAliasAdminsSid));
    OK(RtlConvertSidToUnicodeString(&Text, &Ace->SidStart, TRUE));
    CHECK(Text.Length == 24 && !memcmp(Text.Buffer, L"S-1-5-32-544", 24));
    RtlFreeUnicodeString(&Text);
}

TEST_MAIN(the_service_has_its_key, values_are_set_read_and_cut, keys_are_listed_and_deleted,
          strings_of_a_list_come_one_by_one, the_table_is_followed, security_descriptors_hold_their_lists)
