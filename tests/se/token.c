/*
 * Tokens as drivers see them: System's own, queried in every class, duplicated, adjusted and filtered; and the statuses
 * of wrong questions. (docs: SeQueryInformationToken, ZwQueryInformationToken, SeFilterToken, ZwDuplicateToken)
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI ZwAdjustPrivilegesToken(HANDLE Token, BOOLEAN DisableAll, PTOKEN_PRIVILEGES New, ULONG Length,
                                                PTOKEN_PRIVILEGES Previous, PULONG Returned);
NTSYSAPI NTSTATUS NTAPI ZwOpenProcessToken(HANDLE Process, ACCESS_MASK Access, PHANDLE Token);
NTSYSAPI NTSTATUS NTAPI ZwOpenThreadToken(HANDLE Thread, ACCESS_MASK Access, BOOLEAN Self, PHANDLE Token);
NTSYSAPI NTSTATUS NTAPI ZwDuplicateToken(HANDLE Token, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                         BOOLEAN EffectiveOnly, TOKEN_TYPE Type, PHANDLE New);
NTSYSAPI NTSTATUS NTAPI ZwSetInformationToken(HANDLE Token, TOKEN_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length);
NTKERNELAPI SECURITY_IMPERSONATION_LEVEL NTAPI SeTokenImpersonationLevel(PACCESS_TOKEN Token);

#define GROUP_ENABLED 4
#define GROUP_DENY_ONLY 0x10

static VOID system_token_is_the_local_systems(VOID)
{
    PACCESS_TOKEN Token = (PACCESS_TOKEN)PsReferencePrimaryToken(PsInitialSystemProcess);
    PTOKEN_USER User;
    PTOKEN_STATISTICS Statistics;
    PTOKEN_TYPE Type;
    PVOID Level;
    ULONG_PTR Session = ~0ull, Integrity = 0;
    LUID Id;
    CHECK(SeTokenType(Token) == TokenPrimary);
    CHECK(SeTokenIsAdmin(Token));
    CHECK(!SeTokenIsRestricted(Token));
    OK(SeQueryInformationToken(Token, TokenUser, (PVOID *)&User));
    CHECK(RtlEqualSid(User->User.Sid, SeExports->SeLocalSystemSid));
    ExFreePool(User);
    OK(SeQueryAuthenticationIdToken(Token, &Id));
    CHECK(Id.LowPart == 0x3e7 && Id.HighPart == 0);
    OK(SeQueryInformationToken(Token, TokenStatistics, (PVOID *)&Statistics));
    CHECK(Statistics->AuthenticationId.LowPart == 0x3e7);
    CHECK(Statistics->TokenType == TokenPrimary);
    CHECK(Statistics->GroupCount > 2 && Statistics->PrivilegeCount > 20);
    ExFreePool(Statistics);
    OK(SeQueryInformationToken(Token, TokenType, (PVOID *)&Type));
    CHECK(*Type == TokenPrimary);
    ExFreePool(Type);
    /* these two are stored in place of the pointer */
    OK(SeQueryInformationToken(Token, TokenSessionId, (PVOID *)&Session));
    CHECK((ULONG)Session == 0);
    OK(SeQueryInformationToken(Token, TokenIntegrityLevel, (PVOID *)&Integrity));
    CHECK((ULONG)Integrity == 0x4000);
    /* only an impersonation token has a level */
    STATUS(SeQueryInformationToken(Token, TokenImpersonationLevel, &Level), STATUS_INVALID_INFO_CLASS);
    STATUS(SeQueryInformationToken(Token, (TOKEN_INFORMATION_CLASS)200, &Level), STATUS_INVALID_INFO_CLASS);
    ObDereferenceObject(Token);
}

static VOID groups_owner_and_default_dacl_are_told(VOID)
{
    PACCESS_TOKEN Token = (PACCESS_TOKEN)PsReferencePrimaryToken(PsInitialSystemProcess);
    PTOKEN_GROUPS Groups;
    PTOKEN_OWNER Owner;
    PTOKEN_PRIMARY_GROUP Group;
    PTOKEN_DEFAULT_DACL Dacl;
    PTOKEN_PRIVILEGES Privileges;
    PTOKEN_SOURCE Source;
    BOOLEAN Everyone = FALSE, ChangeNotify = FALSE;
    OK(SeQueryInformationToken(Token, TokenGroups, (PVOID *)&Groups));
    for (ULONG i = 0; i < Groups->GroupCount; i++)
        if (RtlEqualSid(Groups->Groups[i].Sid, SeExports->SeWorldSid))
            Everyone = (Groups->Groups[i].Attributes & GROUP_ENABLED) != 0;
    CHECK(Everyone);
    ExFreePool(Groups);
    OK(SeQueryInformationToken(Token, TokenOwner, (PVOID *)&Owner));
    CHECK(RtlEqualSid(Owner->Owner, SeExports->SeAliasAdminsSid));
    ExFreePool(Owner);
    OK(SeQueryInformationToken(Token, TokenPrimaryGroup, (PVOID *)&Group));
    CHECK(RtlEqualSid(Group->PrimaryGroup, SeExports->SeLocalSystemSid));
    ExFreePool(Group);
    OK(SeQueryInformationToken(Token, TokenDefaultDacl, (PVOID *)&Dacl));
    CHECK(Dacl->DefaultDacl && Dacl->DefaultDacl->AceCount == 2);
    ExFreePool(Dacl);
    OK(SeQueryInformationToken(Token, TokenPrivileges, (PVOID *)&Privileges));
    for (ULONG i = 0; i < Privileges->PrivilegeCount; i++)
        if (Privileges->Privileges[i].Luid.LowPart == SE_CHANGE_NOTIFY_PRIVILEGE)
            ChangeNotify = (Privileges->Privileges[i].Attributes & SE_PRIVILEGE_ENABLED) != 0;
    CHECK(ChangeNotify);
    ExFreePool(Privileges);
    OK(SeQueryInformationToken(Token, TokenSource, (PVOID *)&Source));
    CHECK(!memcmp(Source->SourceName, "*SYSTEM*", 8));
    ExFreePool(Source);
    ObDereferenceObject(Token);
}

static VOID services_tell_the_length_needed(VOID)
{
    HANDLE Token, Wrong;
    ULONG Needed = 0;
    UCHAR Buffer[256];
    OK(ZwOpenProcessToken(ZwCurrentProcess(), TOKEN_QUERY | TOKEN_QUERY_SOURCE, &Token));
    STATUS(ZwQueryInformationToken(Token, TokenUser, NULL, 0, &Needed), STATUS_BUFFER_TOO_SMALL);
    CHECK(Needed == sizeof(TOKEN_USER) + 12);
    STATUS(ZwQueryInformationToken(Token, TokenUser, Buffer, Needed - 1, &Needed), STATUS_BUFFER_TOO_SMALL);
    OK(ZwQueryInformationToken(Token, TokenUser, Buffer, sizeof(Buffer), &Needed));
    CHECK(RtlEqualSid(((PTOKEN_USER)Buffer)->User.Sid, SeExports->SeLocalSystemSid));
    OK(ZwQueryInformationToken(Token, TokenSessionId, Buffer, sizeof(ULONG), &Needed));
    CHECK(Needed == 4 && *(PULONG)Buffer == 0);
    OK(ZwQueryInformationToken(Token, TokenElevation, Buffer, sizeof(Buffer), &Needed));
    CHECK(*(PULONG)Buffer == 1);
    OK(ZwQueryInformationToken(Token, TokenIntegrityLevel, Buffer, sizeof(Buffer), &Needed));
    CHECK(*RtlSubAuthoritySid(((PTOKEN_MANDATORY_LABEL)Buffer)->Label.Sid, 0) == 0x4000);
    STATUS(ZwQueryInformationToken(Token, (TOKEN_INFORMATION_CLASS)0, Buffer, sizeof(Buffer), &Needed),
           STATUS_INVALID_INFO_CLASS);
    STATUS(ZwQueryInformationToken(ZwCurrentProcess(), TokenUser, Buffer, sizeof(Buffer), &Needed),
           STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ZwQueryInformationToken((HANDLE)0x7ffc, TokenUser, Buffer, sizeof(Buffer), &Needed), STATUS_INVALID_HANDLE);
    STATUS(ZwOpenProcessToken(ZwCurrentThread(), TOKEN_QUERY, &Wrong), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ZwOpenThreadToken(ZwCurrentThread(), TOKEN_QUERY, TRUE, &Wrong), STATUS_NO_TOKEN);
    OK(ZwClose(Token));
}

static VOID privileges_are_adjusted_and_restored(VOID)
{
    HANDLE Token, Copy;
    TOKEN_PRIVILEGES New = {.PrivilegeCount = 1}, Before;
    ULONG Returned = 0;
    OK(ZwOpenProcessToken(ZwCurrentProcess(), TOKEN_ALL_ACCESS, &Token));
    OK(ZwDuplicateToken(Token, TOKEN_ALL_ACCESS, NULL, FALSE, TokenPrimary, &Copy));
    New.Privileges[0].Luid.LowPart = SE_LOAD_DRIVER_PRIVILEGE;
    New.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    STATUS(ZwAdjustPrivilegesToken(Copy, FALSE, &New, 4, &Before, &Returned), STATUS_BUFFER_TOO_SMALL);
    CHECK(Returned == sizeof(TOKEN_PRIVILEGES));
    OK(ZwAdjustPrivilegesToken(Copy, FALSE, &New, sizeof(Before), &Before, &Returned));
    CHECK(Before.PrivilegeCount == 1 && !(Before.Privileges[0].Attributes & SE_PRIVILEGE_ENABLED));
    OK(ZwAdjustPrivilegesToken(Copy, FALSE, &New, sizeof(Before), &Before, &Returned));
    CHECK(Before.PrivilegeCount == 0); /* it was on already */
    New.Privileges[0].Luid.LowPart = 63;
    STATUS(ZwAdjustPrivilegesToken(Copy, FALSE, &New, 0, NULL, NULL), STATUS_NOT_ALL_ASSIGNED);
    OK(ZwClose(Copy));
    OK(ZwClose(Token));
}

static VOID a_token_is_duplicated_within_its_level(VOID)
{
    SECURITY_QUALITY_OF_SERVICE Quality = {.Length = sizeof(Quality), .ImpersonationLevel = SecurityIdentification};
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Token, Copy, Second;
    PVOID Object;
    ULONG Level, Returned;
    InitializeObjectAttributes(&Attributes, NULL, 0, NULL, NULL);
    Attributes.SecurityQualityOfService = &Quality;
    OK(ZwOpenProcessToken(ZwCurrentProcess(), TOKEN_ALL_ACCESS, &Token));
    OK(ZwDuplicateToken(Token, TOKEN_ALL_ACCESS, &Attributes, FALSE, TokenImpersonation, &Copy));
    OK(ZwQueryInformationToken(Copy, TokenImpersonationLevel, &Level, sizeof(Level), &Returned));
    CHECK(Level == SecurityIdentification);
    OK(ObReferenceObjectByHandle(Copy, 0, *(POBJECT_TYPE *)SeTokenObjectType, KernelMode, &Object, NULL));
    CHECK(SeTokenType(Object) == TokenImpersonation && SeTokenImpersonationLevel(Object) == SecurityIdentification);
    ObDereferenceObject(Object);
    Quality.ImpersonationLevel = SecurityImpersonation;
    STATUS(ZwDuplicateToken(Copy, TOKEN_ALL_ACCESS, &Attributes, FALSE, TokenImpersonation, &Second),
           STATUS_BAD_IMPERSONATION_LEVEL);
    STATUS(ZwDuplicateToken(Copy, TOKEN_ALL_ACCESS, &Attributes, FALSE, TokenPrimary, &Second),
           STATUS_BAD_IMPERSONATION_LEVEL);
    STATUS(ZwDuplicateToken(Copy, TOKEN_ALL_ACCESS, &Attributes, FALSE, (TOKEN_TYPE)3, &Second),
           STATUS_INVALID_PARAMETER);
    OK(ZwClose(Copy));
    OK(ZwClose(Token));
}

static VOID filtering_takes_privileges_and_groups_away(VOID)
{
    PACCESS_TOKEN Token = (PACCESS_TOKEN)PsReferencePrimaryToken(PsInitialSystemProcess), Filtered;
    TOKEN_GROUPS Disable = {.GroupCount = 1}, Restrict = {.GroupCount = 1};
    PTOKEN_PRIVILEGES Privileges;
    PTOKEN_GROUPS Groups;
    ULONG_PTR Room[16];
    HANDLE Handle;
    ULONG Length;
    OK(SeFilterToken(Token, 1 /* DISABLE_MAX_PRIVILEGE */, NULL, NULL, NULL, &Filtered));
    OK(SeQueryInformationToken(Filtered, TokenPrivileges, (PVOID *)&Privileges));
    CHECK(Privileges->PrivilegeCount == 1);
    CHECK(Privileges->Privileges[0].Luid.LowPart == SE_CHANGE_NOTIFY_PRIVILEGE);
    ExFreePool(Privileges);
    CHECK(!SeTokenIsRestricted(Filtered));
    ObDereferenceObject(Filtered);
    Disable.Groups[0].Sid = SeExports->SeAliasAdminsSid;
    Restrict.Groups[0].Sid = SeExports->SeWorldSid;
    OK(SeFilterToken(Token, 0, &Disable, NULL, &Restrict, &Filtered));
    CHECK(SeTokenIsRestricted(Filtered));
    CHECK(!SeTokenIsAdmin(Filtered) && SeTokenIsAdmin(Token));
    OK(SeQueryInformationToken(Filtered, TokenGroups, (PVOID *)&Groups));
    for (ULONG i = 0; i < Groups->GroupCount; i++)
        if (RtlEqualSid(Groups->Groups[i].Sid, SeExports->SeAliasAdminsSid))
            CHECK((Groups->Groups[i].Attributes & (GROUP_DENY_ONLY | GROUP_ENABLED)) == GROUP_DENY_ONLY);
    ExFreePool(Groups);
    /* SeQueryInformationToken does not know this class */
    STATUS(SeQueryInformationToken(Filtered, TokenRestrictedSids, (PVOID *)&Groups), STATUS_INVALID_INFO_CLASS);
    OK(ObOpenObjectByPointer(Filtered, OBJ_KERNEL_HANDLE, NULL, TOKEN_QUERY, *SeTokenObjectType, KernelMode, &Handle));
    OK(ZwQueryInformationToken(Handle, TokenRestrictedSids, Room, sizeof(Room), &Length));
    CHECK(((PTOKEN_GROUPS)Room)->GroupCount == 1 &&
          RtlEqualSid(((PTOKEN_GROUPS)Room)->Groups[0].Sid, SeExports->SeWorldSid));
    OK(ZwClose(Handle));
    ObDereferenceObject(Filtered);
    Restrict.Groups[0].Attributes = GROUP_ENABLED;
    STATUS(SeFilterToken(Token, 0, NULL, NULL, &Restrict, &Filtered), STATUS_INVALID_PARAMETER);
    STATUS(SeFilterToken(Token, 0x100, NULL, NULL, NULL, &Filtered), STATUS_INVALID_PARAMETER);
    ObDereferenceObject(Token);
}

static VOID what_can_be_set_is_set(VOID)
{
    HANDLE Token, Copy;
    TOKEN_OWNER Owner = {SeExports->SeLocalSystemSid};
    TOKEN_OWNER Wrong = {SeExports->SeWorldSid};
    UCHAR Buffer[64];
    ULONG Returned;
    OK(ZwOpenProcessToken(ZwCurrentProcess(), TOKEN_ALL_ACCESS, &Token));
    OK(ZwDuplicateToken(Token, TOKEN_ALL_ACCESS, NULL, FALSE, TokenPrimary, &Copy));
    STATUS(ZwSetInformationToken(Copy, TokenOwner, &Owner, 4), STATUS_INFO_LENGTH_MISMATCH);
    STATUS(ZwSetInformationToken(Copy, TokenOwner, &Wrong, sizeof(Wrong)), STATUS_INVALID_OWNER);
    OK(ZwSetInformationToken(Copy, TokenOwner, &Owner, sizeof(Owner)));
    OK(ZwQueryInformationToken(Copy, TokenOwner, Buffer, sizeof(Buffer), &Returned));
    CHECK(RtlEqualSid(((PTOKEN_OWNER)Buffer)->Owner, SeExports->SeLocalSystemSid));
    STATUS(ZwSetInformationToken(Copy, TokenUser, &Owner, sizeof(Owner)), STATUS_INVALID_INFO_CLASS);
    OK(ZwClose(Copy));
    OK(ZwClose(Token));
}

TEST_MAIN(system_token_is_the_local_systems, groups_owner_and_default_dacl_are_told, services_tell_the_length_needed,
          privileges_are_adjusted_and_restored, a_token_is_duplicated_within_its_level,
          filtering_takes_privileges_and_groups_away, what_can_be_set_is_set)
