/*
 * The security of keys: what the machine begins with (as Windows 8 and later), inheritance, a maker's own descriptor, query
 * and set with their callbacks and notification, and the checks of OBJ_FORCE_ACCESS_CHECK under a restricted token.
 */
#include "key.h"

NTSYSAPI NTSTATUS NTAPI ZwQuerySecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, ULONG, PULONG);
NTSYSAPI NTSTATUS NTAPI ZwSetSecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR);

#define ALL (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION)

static ULONGLONG Room[64];
static PSECURITY_DESCRIPTOR Descriptor = Room;

static PACL ListOf(HANDLE Key)
{
    ULONG Length = 0;
    BOOLEAN Present = FALSE, Defaulted = FALSE;
    PACL Dacl = NULL;
    STATUS(ZwQuerySecurityObject(Key, ALL, NULL, 0, &Length), STATUS_BUFFER_TOO_SMALL);
    CHECK(Length > sizeof(SECURITY_DESCRIPTOR_RELATIVE) && Length <= sizeof(Room));
    OK(ZwQuerySecurityObject(Key, ALL, Descriptor, sizeof(Room), &Length));
    OK(RtlGetDaclSecurityDescriptor(Descriptor, &Present, &Dacl, &Defaulted));
    CHECK(Present && Dacl);
    return Dacl;
}

static BOOLEAN IsEntry(PACL Dacl, ULONG Index, PSID Sid, ACCESS_MASK Access, UCHAR Flags)
{
    PACCESS_ALLOWED_ACE Ace;
    if (!NT_SUCCESS(RtlGetAce(Dacl, Index, (PVOID *)&Ace)))
        return FALSE;
    return Ace->Header.AceType == ACCESS_ALLOWED_ACE_TYPE && Ace->Header.AceFlags == Flags && Ace->Mask == Access &&
           RtlEqualSid(&Ace->SidStart, Sid);
}

static VOID the_roots_are_open_to_read(VOID)
{
    static const PCWSTR Names[] = {L"\\Registry", L"\\Registry\\Machine", L"\\Registry\\User",
                                   L"\\Registry\\Machine\\HARDWARE"};
    HANDLE Key;
    for (ULONG i = 0; i < 4; i++) {
        OK(KeyOpen(NULL, Names[i], 0, &Key));
        PACL Dacl = ListOf(Key);
        CHECK(Dacl->AceCount == 5);
        CHECK(IsEntry(Dacl, 0, SeExports->SeLocalSystemSid, KEY_ALL_ACCESS, CONTAINER_INHERIT_ACE));
        CHECK(IsEntry(Dacl, 1, SeExports->SeAliasAdminsSid, KEY_ALL_ACCESS, CONTAINER_INHERIT_ACE));
        CHECK(IsEntry(Dacl, 2, SeExports->SeWorldSid, KEY_READ, CONTAINER_INHERIT_ACE));
        CHECK(IsEntry(Dacl, 3, SeExports->SeRestrictedSid, KEY_READ, CONTAINER_INHERIT_ACE));
        OK(ZwClose(Key));
    }
}

static VOID hives_are_for_users_to_read(VOID)
{
    PSID Owner = NULL, Group = NULL;
    BOOLEAN Defaulted = TRUE;
    HANDLE Key;
    OK(KeyOpen(NULL, L"\\Registry\\Machine\\SOFTWARE", 0, &Key));
    PACL Dacl = ListOf(Key);
    CHECK(Dacl->AceCount == 5);
    CHECK(IsEntry(Dacl, 0, SeExports->SeAliasUsersSid, KEY_READ, CONTAINER_INHERIT_ACE));
    CHECK(IsEntry(Dacl, 1, SeExports->SeAliasAdminsSid, KEY_ALL_ACCESS, CONTAINER_INHERIT_ACE));
    CHECK(IsEntry(Dacl, 2, SeExports->SeLocalSystemSid, KEY_ALL_ACCESS, CONTAINER_INHERIT_ACE));
    CHECK(IsEntry(Dacl, 3, SeExports->SeCreatorOwnerSid, KEY_ALL_ACCESS, CONTAINER_INHERIT_ACE));
    OK(RtlGetOwnerSecurityDescriptor(Descriptor, &Owner, &Defaulted));
    CHECK(RtlEqualSid(Owner, SeExports->SeAliasAdminsSid) && !Defaulted);
    OK(RtlGetGroupSecurityDescriptor(Descriptor, &Group, &Defaulted));
    CHECK(RtlEqualSid(Group, SeExports->SeLocalSystemSid) && !Defaulted);
    OK(ZwClose(Key));
    OK(KeyOpen(NULL, L"\\Registry\\Machine\\SECURITY", 0, &Key));
    Dacl = ListOf(Key);
    CHECK(Dacl->AceCount == 2 &&
          IsEntry(Dacl, 1, SeExports->SeAliasAdminsSid, WRITE_DAC | READ_CONTROL, CONTAINER_INHERIT_ACE));
    OK(ZwClose(Key));
}

static HANDLE Base;

static VOID a_subkey_inherits(VOID)
{
    UCHAR Passed = CONTAINER_INHERIT_ACE | INHERITED_ACE;
    HANDLE Deep;
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\Secured", 0, NULL, &Base));
    OK(KeyCreate(Base, L"Deep", 0, NULL, &Deep));
    PACL Dacl = ListOf(Deep);
    CHECK(IsEntry(Dacl, 0, SeExports->SeAliasUsersSid, KEY_READ, Passed));
    CHECK(IsEntry(Dacl, 1, SeExports->SeAliasAdminsSid, KEY_ALL_ACCESS, Passed));
    CHECK(IsEntry(Dacl, 2, SeExports->SeLocalSystemSid, KEY_ALL_ACCESS, Passed));
    /* the creator's entry holds for him and is passed on as it was */
    CHECK(IsEntry(Dacl, 3, SeExports->SeAliasAdminsSid, KEY_ALL_ACCESS, INHERITED_ACE));
    CHECK(IsEntry(Dacl, 4, SeExports->SeCreatorOwnerSid, KEY_ALL_ACCESS, Passed | INHERIT_ONLY_ACE));
    OK(ZwDeleteKey(Deep));
    OK(ZwClose(Deep));
}

static SECURITY_DESCRIPTOR Own;
static ULONGLONG OwnRoom[16];

/* Administrators may do everything, nobody else anything. */
static VOID MakeOwn(VOID)
{
    PACL Dacl = (PACL)OwnRoom;
    OK(RtlCreateAcl(Dacl, sizeof(OwnRoom), ACL_REVISION));
    OK(RtlAddAccessAllowedAce(Dacl, ACL_REVISION, GENERIC_ALL, SeExports->SeAliasAdminsSid));
    OK(RtlCreateSecurityDescriptor(&Own, SECURITY_DESCRIPTOR_REVISION));
    OK(RtlSetDaclSecurityDescriptor(&Own, TRUE, Dacl, FALSE));
    Own.Control |= SE_DACL_PROTECTED;
}

static VOID who_makes_a_key_says_who_may(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"Explicit");
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key, Below;
    MakeOwn();
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, Base, &Own);
    OK(ZwCreateKey(&Key, KEY_ALL_ACCESS, &Attributes, 0, NULL, 0, NULL));
    PACL Dacl = ListOf(Key);
    CHECK(Dacl->AceCount == 1 && IsEntry(Dacl, 0, SeExports->SeAliasAdminsSid, KEY_ALL_ACCESS, 0));
    OK(KeyCreate(Key, L"Below", 0, NULL, &Below)); /* nothing to inherit: the token's list */
    Dacl = ListOf(Below);
    CHECK(Dacl->AceCount == 2 && IsEntry(Dacl, 0, SeExports->SeLocalSystemSid, KEY_ALL_ACCESS, 0));
    OK(ZwDeleteKey(Below));
    OK(ZwClose(Below));
    OK(ZwDeleteKey(Key));
    STATUS(ZwQuerySecurityObject(Key, ALL, Descriptor, sizeof(Room), (PULONG)&Room[63]), STATUS_KEY_DELETED);
    OK(ZwClose(Key));
}

static VOID a_change_is_told(VOID)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb = {0};
    LARGE_INTEGER Now = {0};
    HANDLE Key, Event;
    OK(KeyCreate(Base, L"Changed", 0, NULL, &Key));
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE));
    STATUS(ZwNotifyChangeKey(Key, Event, NULL, NULL, &Iosb, REG_NOTIFY_CHANGE_SECURITY, FALSE, NULL, 0, TRUE),
           STATUS_PENDING);
    MakeOwn();
    OK(ZwSetSecurityObject(Key, DACL_SECURITY_INFORMATION, &Own));
    OK(ZwWaitForSingleObject(Event, FALSE, &Now));
    CHECK(Iosb.Status == STATUS_NOTIFY_ENUM_DIR);
    PACL Dacl = ListOf(Key);
    CHECK(Dacl->AceCount == 1);
    STATUS(ZwSetSecurityObject(Key, OWNER_SECURITY_INFORMATION, &Own), STATUS_INVALID_SECURITY_DESCR);
    OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
    OK(ZwClose(Event));
}

/* ---- Under another token ------------------------------------------------------------------------------------------ */

static NTSTATUS Open(PCWSTR Text, ACCESS_MASK Access, ULONG Flags, BOOLEAN Create)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | Flags, Base, NULL);
    NTSTATUS Status = Create ? ZwCreateKey(&Key, Access, &Attributes, 0, NULL, REG_OPTION_VOLATILE, NULL)
                             : ZwOpenKey(&Key, Access, &Attributes);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Create)
        OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
    return Status;
}

static VOID a_forced_check_is_made(VOID)
{
    PACCESS_TOKEN Token = (PACCESS_TOKEN)PsReferencePrimaryToken(PsInitialSystemProcess), Filtered;
    TOKEN_GROUPS Restrict = {.GroupCount = 1, .Groups = {{SeExports->SeAliasUsersSid, 0}}};
    UNICODE_STRING Empty = {0};
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key;
    OK(SeFilterToken(Token, DISABLE_MAX_PRIVILEGE, NULL, NULL, &Restrict, &Filtered));
    OK(Open(L"", KEY_ALL_ACCESS, OBJ_FORCE_ACCESS_CHECK, FALSE)); /* the system may */
    OK(PsImpersonateClient(PsGetCurrentThread(), Filtered, FALSE, FALSE, SecurityImpersonation));
    OK(Open(L"", KEY_READ, OBJ_FORCE_ACCESS_CHECK, FALSE));
    STATUS(Open(L"", KEY_SET_VALUE, OBJ_FORCE_ACCESS_CHECK, FALSE), STATUS_ACCESS_DENIED);
    STATUS(Open(L"", GENERIC_WRITE, OBJ_FORCE_ACCESS_CHECK, FALSE), STATUS_ACCESS_DENIED);
    STATUS(Open(L"", ACCESS_SYSTEM_SECURITY, OBJ_FORCE_ACCESS_CHECK, FALSE), STATUS_PRIVILEGE_NOT_HELD);
    STATUS(Open(L"New", KEY_READ, OBJ_FORCE_ACCESS_CHECK, TRUE), STATUS_ACCESS_DENIED);
    STATUS(Open(L"New", KEY_READ, OBJ_FORCE_ACCESS_CHECK, FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Open(L"", KEY_ALL_ACCESS, 0, FALSE)); /* a driver's own access is not checked */
    OK(Open(L"New", KEY_ALL_ACCESS, 0, TRUE));
    InitializeObjectAttributes(&Attributes, &Empty, OBJ_KERNEL_HANDLE | OBJ_FORCE_ACCESS_CHECK, Base, NULL);
    OK(ZwOpenKey(&Key, MAXIMUM_ALLOWED, &Attributes));
    OBJECT_HANDLE_INFORMATION Handle = {0};
    PVOID Object;
    OK(ObReferenceObjectByHandle(Key, 0, NULL, KernelMode, &Object, &Handle));
    CHECK(Handle.GrantedAccess == KEY_READ);
    ObDereferenceObject(Object);
    OK(ZwClose(Key));
    PsRevertToSelf();
    ObDereferenceObject(Filtered);
    ObDereferenceObject(Token);
}

/* ---- Callbacks ---------------------------------------------------------------------------------------------------- */

static ULONG Seen[MaxRegNtNotifyClass];
static NTSTATUS Answer;

static NTSTATUS NTAPI Callback(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    REG_NOTIFY_CLASS Class = (REG_NOTIFY_CLASS)(ULONG_PTR)Argument1;
    Seen[Class]++;
    if (Class == RegNtPreQueryKeySecurity) {
        PREG_QUERY_KEY_SECURITY_INFORMATION Query = Argument2;
        CHECK(*Query->SecurityInformation == ALL && *Query->Length == sizeof(Room));
    }
    if (Class == RegNtPreSetKeySecurity) {
        PREG_SET_KEY_SECURITY_INFORMATION Set = Argument2;
        CHECK(*Set->SecurityInformation == DACL_SECURITY_INFORMATION &&
              RtlValidSecurityDescriptor(Set->SecurityDescriptor));
    }
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    return Class == RegNtPreQueryKeySecurity || Class == RegNtPreSetKeySecurity ? Answer : STATUS_SUCCESS;
}

static VOID callbacks_see_it_and_block_it(VOID)
{
    UNICODE_STRING Altitude = RTL_CONSTANT_STRING(L"1000");
    LARGE_INTEGER Cookie;
    ULONG Length = 0;
    OK(CmRegisterCallbackEx(Callback, &Altitude, Driver, NULL, &Cookie, NULL));
    MakeOwn();
    OK(ZwQuerySecurityObject(Base, ALL, Descriptor, sizeof(Room), &Length));
    OK(ZwSetSecurityObject(Base, DACL_SECURITY_INFORMATION, &Own));
    CHECK(Seen[RegNtPreQueryKeySecurity] == 1 && Seen[RegNtPostQueryKeySecurity] == 1);
    CHECK(Seen[RegNtPreSetKeySecurity] == 1 && Seen[RegNtPostSetKeySecurity] == 1);
    Answer = STATUS_ACCESS_DENIED;
    STATUS(ZwQuerySecurityObject(Base, ALL, Descriptor, sizeof(Room), &Length), STATUS_ACCESS_DENIED);
    STATUS(ZwSetSecurityObject(Base, DACL_SECURITY_INFORMATION, &Own), STATUS_ACCESS_DENIED);
    CHECK(Seen[RegNtPostSetKeySecurity] == 1);
    OK(CmUnRegisterCallback(Cookie));
    OK(ZwDeleteKey(Base));
    OK(ZwClose(Base));
}

TEST_MAIN(the_roots_are_open_to_read, hives_are_for_users_to_read, a_subkey_inherits, who_makes_a_key_says_who_may,
          a_change_is_told, a_forced_check_is_made, callbacks_see_it_and_block_it)
