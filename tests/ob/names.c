/*
 * Directories and symbolic links: made, listed, followed, refused; permanent and temporary objects.
 * (docs: ZwCreateDirectoryObject, NtQueryDirectoryObject, ZwOpenSymbolicLinkObject, ZwMakeTemporaryObject)
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI ZwQueryDirectoryObject(HANDLE Handle, PVOID Buffer, ULONG Length, BOOLEAN Single,
                                               BOOLEAN Restart, PULONG Context, PULONG Returned);
NTSYSAPI NTSTATUS NTAPI ZwCreateSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                                   PUNICODE_STRING Target);

typedef struct _ENTRY {
    UNICODE_STRING Name, TypeName;
} ENTRY;

static UNICODE_STRING Text;

static POBJECT_ATTRIBUTES At(HANDLE Root, PCWSTR Name, ULONG Flags)
{
    static OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Text, Name);
    InitializeObjectAttributes(&Attributes, &Text, OBJ_KERNEL_HANDLE | Flags, Root, NULL);
    return &Attributes;
}

static HANDLE Directory;

static VOID a_directory_lists_its_entries(VOID)
{
    HANDLE Event[3];
    ENTRY Buffer[32];
    ULONG Context = 0, Returned = 0, Found = 0;
    NTSTATUS Status;
    OK(ZwCreateDirectoryObject(&Directory, DIRECTORY_ALL_ACCESS, At(NULL, L"\\IrqlabNames", 0)));
    STATUS(ZwQueryDirectoryObject(Directory, Buffer, sizeof(Buffer), FALSE, TRUE, &Context, &Returned),
           STATUS_NO_MORE_ENTRIES);
    for (ULONG i = 0; i < 3; i++) {
        WCHAR Name[] = {L'E', (WCHAR)(L'0' + i), 0};
        OK(ZwCreateEvent(&Event[i], EVENT_ALL_ACCESS, At(Directory, Name, 0), NotificationEvent, FALSE));
    }
    STATUS(ZwQueryDirectoryObject(Directory, Buffer, 8, TRUE, TRUE, &Context, &Returned), STATUS_BUFFER_TOO_SMALL);
    CHECK(Returned > sizeof(ENTRY));
    for (Context = 0; (Status = ZwQueryDirectoryObject(Directory, Buffer, sizeof(Buffer), TRUE, FALSE, &Context,
                                                       &Returned)) == STATUS_SUCCESS;
         Found++) {
        CHECK(Buffer[0].Name.Length == 4 && Buffer[0].Name.Buffer[0] == L'E');
        CHECK(Buffer[0].TypeName.Length == 10 && !memcmp(Buffer[0].TypeName.Buffer, L"Event", 10));
        CHECK(Buffer[1].Name.Buffer == NULL);
    }
    CHECK(Found == 3 && Status == STATUS_NO_MORE_ENTRIES);
    OK(ZwQueryDirectoryObject(Directory, Buffer, sizeof(Buffer), FALSE, TRUE, &Context, &Returned));
    CHECK(Context == 3 && Buffer[2].Name.Length == 4 && Buffer[3].Name.Buffer == NULL);
    STATUS(ZwQueryDirectoryObject(Directory, Buffer, 2 * sizeof(ENTRY) + 16 + 8, FALSE, TRUE, &Context, &Returned),
           STATUS_MORE_ENTRIES);
    CHECK(Context == 1);
    STATUS(ZwQueryDirectoryObject(Event[0], Buffer, sizeof(Buffer), FALSE, TRUE, &Context, &Returned),
           STATUS_OBJECT_TYPE_MISMATCH);
    for (ULONG i = 0; i < 3; i++)
        OK(ZwClose(Event[i]));
    Context = 0;
    STATUS(ZwQueryDirectoryObject(Directory, Buffer, sizeof(Buffer), FALSE, TRUE, &Context, &Returned),
           STATUS_NO_MORE_ENTRIES);
}

static VOID links_are_followed_or_opened(VOID)
{
    UNICODE_STRING Target, Got;
    WCHAR Room[32];
    HANDLE Link, Same, Event, Second;
    ULONG Returned = 0;
    RtlInitUnicodeString(&Target, L"\\IrqlabNames\\Real");
    OK(ZwCreateSymbolicLinkObject(&Link, SYMBOLIC_LINK_ALL_ACCESS, At(Directory, L"Link", 0), &Target));
    STATUS(ZwOpenEvent(&Event, SYNCHRONIZE, At(Directory, L"Link", 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, At(Directory, L"Real", 0), NotificationEvent, FALSE));
    OK(ZwOpenEvent(&Second, SYNCHRONIZE, At(Directory, L"Link", 0)));
    OK(ZwClose(Second));
    STATUS(ZwOpenEvent(&Second, SYNCHRONIZE, At(Directory, L"lINK", 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwOpenEvent(&Second, SYNCHRONIZE, At(Directory, L"lINK", OBJ_CASE_INSENSITIVE)));
    OK(ZwClose(Second));
    OK(ZwOpenSymbolicLinkObject(&Same, SYMBOLIC_LINK_QUERY, At(Directory, L"Link", 0)));
    Got.Buffer = Room;
    Got.Length = 0;
    Got.MaximumLength = 4;
    STATUS(ZwQuerySymbolicLinkObject(Same, &Got, &Returned), STATUS_BUFFER_TOO_SMALL);
    CHECK(Returned == Target.MaximumLength);
    /* the terminator comes only for who asks for the length */
    Got.MaximumLength = Target.Length;
    STATUS(ZwQuerySymbolicLinkObject(Same, &Got, &Returned), STATUS_BUFFER_TOO_SMALL);
    CHECK(Got.Length == 0);
    Room[Target.Length / sizeof(WCHAR)] = L'x';
    OK(ZwQuerySymbolicLinkObject(Same, &Got, NULL));
    CHECK(Got.Length == Target.Length && Room[Target.Length / sizeof(WCHAR)] == L'x');
    Got.MaximumLength = Target.MaximumLength;
    OK(ZwQuerySymbolicLinkObject(Same, &Got, &Returned));
    CHECK(Got.Length == Target.Length && !Room[Target.Length / sizeof(WCHAR)]);
    Got.MaximumLength = sizeof(Room);
    OK(ZwQuerySymbolicLinkObject(Same, &Got, NULL));
    CHECK(RtlEqualUnicodeString(&Got, &Target, FALSE));
    STATUS(ZwQuerySymbolicLinkObject(Event, &Got, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ZwOpenSymbolicLinkObject(&Second, SYMBOLIC_LINK_QUERY, At(Directory, L"Real", 0)),
           STATUS_OBJECT_TYPE_MISMATCH);
    OK(ZwClose(Same));
    OK(ZwClose(Link));
    STATUS(ZwOpenEvent(&Second, SYNCHRONIZE, At(Directory, L"Link", 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwClose(Event));
    Second = (HANDLE)1;
    STATUS(ZwOpenSymbolicLinkObject(&Second, SYMBOLIC_LINK_QUERY, At(Directory, L"Link", 0)),
           STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(!Second);
    Target.Buffer = NULL;
    STATUS(ZwCreateSymbolicLinkObject(&Link, SYMBOLIC_LINK_ALL_ACCESS, At(Directory, L"Link", 0), &Target),
           STATUS_ACCESS_VIOLATION);
}

static VOID wrong_paths_have_their_statuses(VOID)
{
    HANDLE Handle;
    STATUS(ZwOpenEvent(&Handle, SYNCHRONIZE, At(NULL, L"NoRoot", 0)), STATUS_OBJECT_PATH_SYNTAX_BAD);
    STATUS(ZwOpenEvent(&Handle, SYNCHRONIZE, At(NULL, L"\\Nowhere\\At\\All", 0)), STATUS_OBJECT_PATH_NOT_FOUND);
    STATUS(ZwOpenEvent(&Handle, SYNCHRONIZE, At(NULL, L"\\IrqlabNames\\None", 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(ZwOpenEvent(&Handle, SYNCHRONIZE, At(Directory, L"\\Absolute", 0)), STATUS_OBJECT_PATH_SYNTAX_BAD);
    STATUS(ZwOpenDirectoryObject(&Handle, DIRECTORY_QUERY, At(NULL, L"\\??\\C:\\x", 0)), STATUS_OBJECT_TYPE_MISMATCH);
}

static VOID permanent_objects_stay(VOID)
{
    HANDLE Event;
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, At(Directory, L"Kept", OBJ_PERMANENT), NotificationEvent, FALSE));
    OK(ZwClose(Event));
    OK(ZwOpenEvent(&Event, DELETE, At(Directory, L"Kept", 0)));
    OK(ZwMakeTemporaryObject(Event));
    OK(ZwClose(Event));
    STATUS(ZwOpenEvent(&Event, SYNCHRONIZE, At(Directory, L"Kept", 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwClose(Directory));
    STATUS(ZwOpenDirectoryObject(&Directory, DIRECTORY_QUERY, At(NULL, L"\\IrqlabNames", 0)),
           STATUS_OBJECT_NAME_NOT_FOUND);
}

TEST_MAIN(a_directory_lists_its_entries, links_are_followed_or_opened, wrong_paths_have_their_statuses,
          permanent_objects_stay)
