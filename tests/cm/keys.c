/* Keys: creation, volatile keys, links, names, renaming, deletion, information classes, write times, many keys. */
#include "key.h"

NTSYSAPI NTSTATUS NTAPI ZwRenameKey(HANDLE, PUNICODE_STRING);
NTSYSAPI NTSTATUS NTAPI ZwSetInformationKey(HANDLE, KEY_SET_INFORMATION_CLASS, PVOID, ULONG);
NTSYSAPI NTSTATUS NTAPI ZwQueryMultipleValueKey(HANDLE, PKEY_VALUE_ENTRY, ULONG, PVOID, PULONG, PULONG);

static HANDLE Base;

static VOID a_key_is_made_only_below_an_existing_one(VOID)
{
    HANDLE Key;
    ULONG Disposition = 0;
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\CmTest", 0, &Disposition, &Base));
    CHECK(Disposition == REG_CREATED_NEW_KEY);
    STATUS(KeyCreate(Base, L"a\\b", 0, NULL, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(KeyCreate(Base, L"a", 0, &Disposition, &Key));
    OK(ZwClose(Key));
    OK(KeyCreate(Base, L"a\\b", 0, &Disposition, &Key));
    CHECK(Disposition == REG_CREATED_NEW_KEY);
    OK(ZwClose(Key));
    OK(KeyCreate(Base, L"A\\B\\", 0, &Disposition, &Key));
    CHECK(Disposition == REG_OPENED_EXISTING_KEY);
    OK(ZwClose(Key));
    STATUS(KeyOpen(NULL, L"\\Registry\\Machine\\None", 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(KeyOpen(NULL, L"Registry", 0, &Key), STATUS_OBJECT_PATH_SYNTAX_BAD);
    STATUS(KeyCreate(Base, L"a", 0x100, NULL, &Key), STATUS_INVALID_PARAMETER);
    OK(KeyOpen(Base, L"", 0, &Key));
    OK(ZwClose(Key));
}

static VOID names_have_limits(VOID)
{
    static WCHAR Long[300];
    HANDLE Key;
    for (ULONG i = 0; i < 256; i++)
        Long[i] = L'n';
    STATUS(KeyCreate(Base, Long, 0, NULL, &Key), STATUS_INVALID_PARAMETER);
    Long[255] = 0;
    OK(KeyCreate(Base, Long, 0, NULL, &Key));
    OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
}

/* What serial drivers do with the names of their ports. */
static VOID a_device_map_is_written_without_asking_for_volatile(VOID)
{
    WCHAR Text[8];
    RTL_QUERY_REGISTRY_TABLE Table[2] = {{.Flags = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED,
                                          .Name = L"\\Device\\Port0",
                                          .EntryContext = &(UNICODE_STRING){0, sizeof(Text), Text}}};
    OK(RtlWriteRegistryValue(RTL_REGISTRY_DEVICEMAP, L"TESTCOMM", L"\\Device\\Port0", REG_SZ, L"COM7", 10));
    OK(RtlQueryRegistryValues(RTL_REGISTRY_DEVICEMAP, L"TESTCOMM", Table, NULL, NULL));
    CHECK(!wcscmp(Text, L"COM7"));
    OK(RtlDeleteRegistryValue(RTL_REGISTRY_DEVICEMAP, L"TESTCOMM", L"\\Device\\Port0"));
}

static VOID below_a_volatile_key_all_is_volatile(VOID)
{
    HANDLE Key, Sub;
    OK(KeyCreate(Base, L"Volatile", REG_OPTION_VOLATILE, NULL, &Key));
    STATUS(KeyCreate(Key, L"Stays", 0, NULL, &Sub), STATUS_CHILD_MUST_BE_VOLATILE);
    OK(KeyCreate(Key, L"Goes", REG_OPTION_VOLATILE, NULL, &Sub));
    OK(ZwDeleteKey(Sub));
    OK(ZwClose(Sub));
    OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
}

static VOID a_link_stands_for_its_target(VOID)
{
    static const WCHAR Target[] = L"\\Registry\\Machine\\SOFTWARE\\CmTest\\a";
    HANDLE Link, Key, Same;
    ULONG One = 1, Number = 0, Length;
    WCHAR Room[100];
    struct {
        ULONG Length;
        WCHAR Name[100];
    } Path;
    OK(KeyCreate(Base, L"Link", REG_OPTION_CREATE_LINK | REG_OPTION_VOLATILE, NULL, &Link));
    STATUS(KeyOpen(Base, L"Link", 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(KeySet(Link, L"SymbolicLinkValue", REG_LINK, Target, sizeof(Target) - sizeof(WCHAR)));
    OK(KeyOpen(Base, L"Link", 0, &Key));
    OK(KeySet(Key, L"Number", REG_DWORD, &One, sizeof(One)));
    OK(KeyOpen(Base, L"a", 0, &Same));
    OK(KeyNumber(Same, L"Number", &Number));
    CHECK(Number == 1);
    OK(ZwQueryKey(Key, KeyNameInformation, &Path, sizeof(Path), &Length));
    CHECK(Path.Length == 2 * 35 && !memcmp(Path.Name, L"\\REGISTRY\\MACHINE\\SOFTWARE\\CmTest\\a", 2 * 35));
    OK(ZwClose(Same));
    OK(KeyOpen(Base, L"Link\\b", 0, &Same));
    OK(ZwClose(Same));
    OK(ZwClose(Key));
    OK(KeyOpen(Base, L"Link", OBJ_OPENLINK, &Key));
    OK(ZwQueryKey(Key, KeyNameInformation, &Path, sizeof(Path), &Length));
    CHECK(Path.Length == 2 * 38);
    OK(ZwClose(Key));
    STATUS(KeyCreate(Base, L"Link", REG_OPTION_CREATE_LINK, NULL, &Key), STATUS_OBJECT_NAME_COLLISION);
    memcpy(Room, L"\\Registry\\Machine\\SOFTWARE\\CmTest\\Link", 2 * 38);
    OK(KeySet(Link, L"SymbolicLinkValue", REG_LINK, Room, 2 * 38));
    STATUS(KeyOpen(Base, L"Link", 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwDeleteKey(Link));
    OK(ZwClose(Link));
}

static VOID a_renamed_key_has_its_new_name(VOID)
{
    UNICODE_STRING New = RTL_CONSTANT_STRING(L"z"), Bad = RTL_CONSTANT_STRING(L"x\\y"),
                   Taken = RTL_CONSTANT_STRING(L"A");
    HANDLE Key, Other;
    OK(KeyCreate(Base, L"m", 0, NULL, &Key));
    STATUS(ZwRenameKey(Key, &Bad), STATUS_INVALID_PARAMETER);
    STATUS(ZwRenameKey(Key, &Taken), STATUS_CANNOT_DELETE);
    OK(ZwRenameKey(Key, &New));
    STATUS(KeyOpen(Base, L"m", 0, &Other), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(KeyOpen(Base, L"Z", 0, &Other));
    OK(ZwClose(Other));
    OK(ZwDeleteKey(Key));
    STATUS(ZwRenameKey(Key, &New), STATUS_KEY_DELETED);
    OK(ZwClose(Key));
}

static VOID a_deleted_key_is_nothing_but_open(VOID)
{
    HANDLE Key, Sub;
    ULONG Length;
    UCHAR Room[64];
    OK(KeyCreate(Base, L"d", 0, NULL, &Key));
    OK(KeyCreate(Key, L"e", 0, NULL, &Sub));
    STATUS(ZwDeleteKey(Key), STATUS_CANNOT_DELETE);
    OK(ZwDeleteKey(Sub));
    OK(ZwDeleteKey(Key));
    STATUS(ZwDeleteKey(Key), STATUS_KEY_DELETED);
    STATUS(KeySet(Key, L"v", REG_DWORD, &Length, 4), STATUS_KEY_DELETED);
    STATUS(ZwEnumerateKey(Key, 0, KeyBasicInformation, Room, sizeof(Room), &Length), STATUS_KEY_DELETED);
    STATUS(KeyCreate(Key, L"e", 0, NULL, &Sub), STATUS_KEY_DELETED);
    OK(ZwClose(Key)); /* before its child */
    STATUS(ZwFlushKey(Sub), STATUS_KEY_DELETED);
    OK(ZwClose(Sub));
}

static VOID information_comes_in_classes(VOID)
{
    UNICODE_STRING Class = RTL_CONSTANT_STRING(L"Sort"), Name = RTL_CONSTANT_STRING(L"c");
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key;
    ULONG Length, Flags[3], Tags = 5;
    LARGE_INTEGER Time = {.QuadPart = 0x123456789};
    UCHAR Room[128];
    PKEY_NODE_INFORMATION Node = (PVOID)Room;
    PKEY_BASIC_INFORMATION Basic = (PVOID)Room;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, Base, NULL);
    OK(ZwCreateKey(&Key, KEY_ALL_ACCESS, &Attributes, 0, &Class, REG_OPTION_VOLATILE, NULL));
    OK(ZwQueryKey(Key, KeyNodeInformation, Room, sizeof(Room), &Length));
    CHECK(Length == 28 + 8 && Node->ClassOffset == 28 && Node->ClassLength == 8);
    CHECK(!memcmp(Room + 28, L"Sort", 8) && Node->NameLength == 2 && Node->Name[0] == L'c');
    OK(ZwSetInformationKey(Key, KeyWriteTimeInformation, &Time, sizeof(Time)));
    OK(ZwQueryKey(Key, KeyBasicInformation, Room, sizeof(Room), &Length));
    CHECK(Basic->LastWriteTime.QuadPart == Time.QuadPart);
    STATUS(ZwSetInformationKey(Key, KeyWriteTimeInformation, &Time, 4), STATUS_INFO_LENGTH_MISMATCH);
    STATUS(ZwSetInformationKey(Key, MaxKeySetInfoClass, &Time, 4), STATUS_INVALID_PARAMETER);
    OK(ZwQueryKey(Key, KeyFlagsInformation, Flags, sizeof(Flags), &Length));
    CHECK(Flags[1] == 1);
    OK(ZwSetInformationKey(Key, KeySetHandleTagsInformation, &Tags, sizeof(Tags)));
    OK(ZwQueryKey(Key, KeyHandleTagsInformation, Flags, sizeof(Flags), &Length));
    CHECK(Flags[0] == 5 && Length == 4);
    STATUS(ZwQueryKey(Key, MaxKeyInfoClass, Room, sizeof(Room), &Length), STATUS_INVALID_PARAMETER);
    STATUS(ZwQueryKey(Key, KeyBasicInformation, Room, 8, &Length), STATUS_BUFFER_TOO_SMALL);
    CHECK(Length == 18);
    STATUS(ZwQueryKey(Key, KeyBasicInformation, Room, 17, &Length), STATUS_BUFFER_OVERFLOW);
    STATUS(ZwQueryKey(Key, KeyNameInformation, Room, 10, &Length), STATUS_BUFFER_OVERFLOW);
    STATUS(ZwQueryKey(Key, KeyNameInformation, Room, 2, &Length), STATUS_BUFFER_TOO_SMALL);
    OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
}

static VOID several_values_come_at_once(VOID)
{
    UNICODE_STRING One = RTL_CONSTANT_STRING(L"One"), Two = RTL_CONSTANT_STRING(L"Two"),
                   Three = RTL_CONSTANT_STRING(L"3");
    KEY_VALUE_ENTRY Entries[2] = {{&One}, {&Two}}, Missing[1] = {{&Three}};
    UCHAR Room[16];
    ULONG Bytes = sizeof(Room), Needed = 0, Number = 0x01020304;
    OK(KeySet(Base, L"One", REG_BINARY, "abc", 3));
    OK(KeySet(Base, L"Two", REG_DWORD, &Number, 4));
    OK(ZwQueryMultipleValueKey(Base, Entries, 2, Room, &Bytes, &Needed));
    CHECK(Bytes == 8 && Needed == 8 && Entries[0].DataLength == 3 && Entries[0].Type == REG_BINARY);
    CHECK(Entries[1].DataOffset == 4 && *(PULONG)(Room + 4) == Number && !memcmp(Room, "abc", 3));
    Bytes = 4;
    STATUS(ZwQueryMultipleValueKey(Base, Entries, 2, Room, &Bytes, &Needed), STATUS_BUFFER_OVERFLOW);
    CHECK(Bytes == 3 && Needed == 8);
    STATUS(ZwQueryMultipleValueKey(Base, Missing, 1, Room, &Bytes, &Needed), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(KeyDeleteValue(Base, L"One"));
    OK(KeyDeleteValue(Base, L"Two"));
}

static VOID handles_of_other_kinds_are_refused(VOID)
{
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Event;
    ULONG Length;
    UCHAR Room[64];
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE));
    STATUS(ZwQueryKey(Event, KeyBasicInformation, Room, sizeof(Room), &Length), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ZwDeleteKey(Event), STATUS_OBJECT_TYPE_MISMATCH);
    OK(ZwClose(Event));
    STATUS(ZwQueryKey((HANDLE)0x7ffc, KeyBasicInformation, Room, sizeof(Room), &Length), STATUS_INVALID_HANDLE);
    STATUS(ZwDeleteKey(Base), STATUS_CANNOT_DELETE);
}

/* Numbers in letters, so that they come in order. */
static VOID Number(PWSTR Text, ULONG n)
{
    for (ULONG i = 6; i--; n /= 10)
        Text[i] = (WCHAR)(L'0' + n % 10);
    Text[6] = 0;
}

/* With a hundred thousand keys a quadratic step would not end within the test's time. */
static VOID many_keys_are_kept_in_order(VOID)
{
    enum { Many = 100000 };
    HANDLE Key, Sub;
    ULONG Length, Wrong = 0;
    WCHAR Text[8];
    UCHAR Room[64];
    PKEY_BASIC_INFORMATION Basic = (PVOID)Room;
    PKEY_FULL_INFORMATION Full = (PVOID)Room;
    OK(KeyCreate(Base, L"Many", 0, NULL, &Key));
    for (ULONG i = 0; i < Many; i++) {
        Number(Text, (i * 7919u) % Many);
        Wrong += !NT_SUCCESS(KeyCreate(Key, Text, 0, NULL, &Sub));
        ZwClose(Sub);
        Wrong += !NT_SUCCESS(KeySet(Key, Text, REG_DWORD, &i, sizeof(i)));
    }
    OK(ZwQueryKey(Key, KeyFullInformation, Room, sizeof(Room), &Length));
    CHECK(Full->SubKeys == Many && Full->Values == Many && Full->MaxNameLen == 12);
    for (ULONG i = 0; i < Many; i++) {
        Number(Text, i);
        Wrong += !NT_SUCCESS(ZwEnumerateKey(Key, i, KeyBasicInformation, Room, sizeof(Room), &Length));
        Wrong += Basic->NameLength != 12 || memcmp(Basic->Name, Text, 12);
    }
    STATUS(ZwEnumerateKey(Key, Many, KeyBasicInformation, Room, sizeof(Room), &Length), STATUS_NO_MORE_ENTRIES);
    for (ULONG i = 0; i < Many; i++) {
        Number(Text, i);
        Wrong += !NT_SUCCESS(KeyOpen(Key, Text, 0, &Sub));
        Wrong += !NT_SUCCESS(ZwDeleteKey(Sub));
        ZwClose(Sub);
        Wrong += !NT_SUCCESS(KeyDeleteValue(Key, Text));
    }
    CHECK(Wrong == 0);
    OK(ZwQueryKey(Key, KeyFullInformation, Room, sizeof(Room), &Length));
    CHECK(Full->SubKeys == 0 && Full->Values == 0 && Full->MaxNameLen == 0);
    OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
    OK(ZwClose(Base));
}

TEST_MAIN(a_key_is_made_only_below_an_existing_one, names_have_limits,
          a_device_map_is_written_without_asking_for_volatile, below_a_volatile_key_all_is_volatile,
          a_link_stands_for_its_target, a_renamed_key_has_its_new_name, a_deleted_key_is_nothing_but_open,
          information_comes_in_classes, several_values_come_at_once, handles_of_other_kinds_are_refused,
          many_keys_are_kept_in_order)
