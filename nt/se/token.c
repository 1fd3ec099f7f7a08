/*
 * Tokens: made, copied, filtered; the ones a machine starts with.
 *
 * The user is UserAndGroups[0]. A token without a label counts as untrusted. The machine has three logons: the local
 * system (session 0), and one interactive user (session 1) with a full and a limited token, as User Account Control
 * splits an administrator's.
 */
#include "nt.h"

#define SEP_TOKEN_TAG 'ekoT'

POBJECT_TYPE SepTokenType;
POBJECT_TYPE *SeTokenObjectType;

PACL SePublicDefaultDacl, SePublicOpenDacl, SeSystemDefaultDacl;

static PSEP_TOKEN SepSystemToken, SepElevatedToken, SepLimitedToken;

/* Locally unique ids: the first 1000 are the well-known ones. */
LUID SepNewLuid(VOID)
{
    static ULONG Next = 1001;
    return (LUID){.LowPart = Next++};
}

static SIZE_T SepArrayBytes(PSID_AND_ATTRIBUTES Array, ULONG Count)
{
    SIZE_T Bytes = Count * sizeof(*Array);
    for (ULONG i = 0; i < Count; i++)
        Bytes += RtlLengthSid(Array[i].Sid);
    return (Bytes + 7) & ~7ull;
}

/* Array and its SIDs to At; returns what lies behind. */
static PUCHAR SepCopyArray(PUCHAR At, PSID_AND_ATTRIBUTES From, ULONG Count, PSID_AND_ATTRIBUTES *To)
{
    PSID_AND_ATTRIBUTES Array = (PVOID)At;
    PUCHAR Sids = At + Count * sizeof(*Array);
    for (ULONG i = 0; i < Count; i++) {
        ULONG Bytes = RtlLengthSid(From[i].Sid);
        RtlCopyMemory(Sids, From[i].Sid, Bytes);
        Array[i].Sid = Sids;
        Array[i].Attributes = From[i].Attributes;
        Sids += Bytes;
    }
    *To = Count ? Array : NULL;
    return At + SepArrayBytes(From, Count);
}

static ULONG SepFindIntegrity(const SEP_TOKEN *Token)
{
    for (ULONG i = 1; i < Token->UserAndGroupCount; i++)
        if (Token->UserAndGroups[i].Attributes & SE_GROUP_INTEGRITY)
            return i;
    return 0;
}

NTSTATUS SepMakeToken(const SEP_TOKEN_PARTS *Parts, PSEP_TOKEN *Result)
{
    const SEP_TOKEN *Like = Parts->Like;
    PSID_AND_ATTRIBUTES Groups = Parts->UserAndGroups ? Parts->UserAndGroups : Like->UserAndGroups;
    ULONG Count = Parts->UserAndGroups ? Parts->UserAndGroupCount : Like->UserAndGroupCount;
    PSID_AND_ATTRIBUTES Restricted = Parts->Restricted ? Parts->Restricted : Like->Restricted;
    ULONG RestrictedCount = Parts->Restricted ? Parts->RestrictedCount : Like->RestrictedCount;
    PSID Group = Parts->PrimaryGroup ? Parts->PrimaryGroup : Like->PrimaryGroup;
    PACL Dacl = Parts->DefaultDacl ? Parts->DefaultDacl : Like->DefaultDacl;
    PSEP_TOKEN Token;
    NTSTATUS Status = ObpAllocateObject(SepTokenType, 0, (PVOID *)&Token);
    if (!NT_SUCCESS(Status))
        return Status;
    *Token = *Like;
    ExInitializeResourceLite(&Token->Lock);
    Token->TokenId = SepNewLuid();
    Token->ModifiedId = Like->ModifiedId.LowPart ? Like->ModifiedId : SepNewLuid();
    Token->UserAndGroupCount = Count;
    Token->RestrictedCount = RestrictedCount;
    Token->Block = ExpAllocate(
        SepArrayBytes(Groups, Count) + SepArrayBytes(Restricted, RestrictedCount) + RtlLengthSid(Group), SEP_TOKEN_TAG);
    PUCHAR At = SepCopyArray(Token->Block, Groups, Count, &Token->UserAndGroups);
    At = SepCopyArray(At, Restricted, RestrictedCount, &Token->Restricted);
    RtlCopyMemory(At, Group, RtlLengthSid(Group));
    Token->PrimaryGroup = At;
    Token->DefaultDacl = NULL;
    if (Dacl) {
        Token->DefaultDacl = ExpAllocate(Dacl->AclSize, SEP_TOKEN_TAG);
        RtlCopyMemory(Token->DefaultDacl, Dacl, Dacl->AclSize);
    }
    Token->IntegrityIndex = SepFindIntegrity(Token);
    Token->Session = SepReferenceSession(Token->AuthenticationId);
    *Result = Token;
    return STATUS_SUCCESS;
}

static VOID SepDeleteToken(PVOID Body)
{
    PSEP_TOKEN Token = Body;
    ExDeleteResourceLite(&Token->Lock);
    if (Token->Session)
        SepDereferenceSession(Token->Session);
    if (Token->DefaultDacl)
        ExpFree(Token->DefaultDacl);
    if (Token->Block)
        ExpFree(Token->Block);
}

/* docs: ZwDuplicateToken: with EffectiveOnly, what is disabled is not copied and cannot be enabled again. */
NTSTATUS SepDuplicateToken(PSEP_TOKEN From, TOKEN_TYPE Type, SECURITY_IMPERSONATION_LEVEL Level, BOOLEAN EffectiveOnly,
                           PSEP_TOKEN *Result)
{
    SEP_TOKEN_PARTS Parts = {.Like = From};
    PSEP_TOKEN Token;
    NTSTATUS Status = SepMakeToken(&Parts, &Token);
    if (!NT_SUCCESS(Status))
        return Status;
    Token->Type = Type;
    Token->Level = Type == TokenImpersonation ? Level : SecurityAnonymous;
    if (EffectiveOnly) {
        ULONG Kept = 0;
        Token->Present &= Token->Enabled;
        for (ULONG i = 0; i < Token->UserAndGroupCount; i++) {
            SID_AND_ATTRIBUTES Group = Token->UserAndGroups[i];
            /* the user is kept; groups for deny only count as used */
            if (i && !(Group.Attributes & (SE_GROUP_ENABLED | SE_GROUP_USE_FOR_DENY_ONLY | SE_GROUP_INTEGRITY)))
                continue;
            if (i == Token->OwnerIndex)
                Token->OwnerIndex = Kept;
            Token->UserAndGroups[Kept++] = Group;
        }
        Token->UserAndGroupCount = Kept;
        Token->IntegrityIndex = SepFindIntegrity(Token);
    }
    *Result = Token;
    return STATUS_SUCCESS;
}

/* ---- Filtering --------------------------------------------------------------------------------------------------- */

#define SEP_FILTER_FLAGS (DISABLE_MAX_PRIVILEGE | SANDBOX_INERT | LUA_TOKEN | WRITE_RESTRICTED)

static VOID SepDisableSids(PSEP_TOKEN Token, PTOKEN_GROUPS Groups)
{
    for (ULONG g = 0; Groups && g < Groups->GroupCount; g++)
        for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
            if (RtlEqualSid(Token->UserAndGroups[i].Sid, Groups->Groups[g].Sid)) {
                PULONG Attributes = &Token->UserAndGroups[i].Attributes;
                *Attributes &= ~(SE_GROUP_ENABLED | SE_GROUP_ENABLED_BY_DEFAULT);
                *Attributes |= SE_GROUP_USE_FOR_DENY_ONLY;
                if (i == Token->OwnerIndex)
                    Token->OwnerIndex = 0;
            }
}

/* docs: SeFilterToken. Deletes privileges, disables groups for everything but refusal, adds restricting identifiers. */
NTSTATUS NTAPI SeFilterToken(PACCESS_TOKEN ExistingToken, ULONG Flags, PTOKEN_GROUPS SidsToDisable,
                             PTOKEN_PRIVILEGES PrivilegesToDelete, PTOKEN_GROUPS RestrictedSids,
                             PACCESS_TOKEN *FilteredToken)
{
    PSEP_TOKEN From = ExistingToken, Token;
    SEP_TOKEN_PARTS Parts = {.Like = From};
    *FilteredToken = NULL;
    if (Flags & ~SEP_FILTER_FLAGS)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; RestrictedSids && i < RestrictedSids->GroupCount; i++)
        if (RestrictedSids->Groups[i].Attributes) /* docs: must be zero */
            return STATUS_INVALID_PARAMETER;
    if (RestrictedSids && RestrictedSids->GroupCount) {
        Parts.Restricted = RestrictedSids->Groups;
        Parts.RestrictedCount = RestrictedSids->GroupCount;
    }
    NTSTATUS Status = SepMakeToken(&Parts, &Token);
    if (!NT_SUCCESS(Status))
        return Status;
    Token->ParentTokenId = From->TokenId;
    SepDisableSids(Token, SidsToDisable);
    for (ULONG i = 0; PrivilegesToDelete && i < PrivilegesToDelete->PrivilegeCount; i++) {
        LUID Luid = PrivilegesToDelete->Privileges[i].Luid;
        if (!Luid.HighPart && Luid.LowPart < 64)
            Token->Present &= ~SEP_BIT(Luid.LowPart);
    }
    if (Flags & DISABLE_MAX_PRIVILEGE) /* docs: all but SeChangeNotifyPrivilege */
        Token->Present &= SEP_BIT(SE_CHANGE_NOTIFY_PRIVILEGE);
    Token->Enabled &= Token->Present;
    Token->Default &= Token->Present;
    if (Parts.Restricted) {
        for (ULONG i = 0; i < Token->RestrictedCount; i++)
            Token->Restricted[i].Attributes = SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED;
        Token->Flags |= TOKEN_IS_RESTRICTED | (Flags & WRITE_RESTRICTED ? TOKEN_WRITE_RESTRICTED : 0);
    }
    Token->Flags |= TOKEN_IS_FILTERED | (Flags & SANDBOX_INERT ? TOKEN_SANDBOX_INERT : 0);
    *FilteredToken = Token;
    return STATUS_SUCCESS;
}

/* ---- Membership -------------------------------------------------------------------------------------------------- */

/* Does an entry for Sid speak of this token. Groups that are disabled count for nothing, those for deny only and a user
 * for deny only count in refusals. */
BOOLEAN SepIsMember(const SEP_TOKEN *Token, PSID Sid, BOOLEAN ForDeny, BOOLEAN InRestricted)
{
    PSID_AND_ATTRIBUTES Array = InRestricted ? Token->Restricted : Token->UserAndGroups;
    ULONG Count = InRestricted ? Token->RestrictedCount : Token->UserAndGroupCount;
    for (ULONG i = 0; i < Count; i++) {
        ULONG Attributes = Array[i].Attributes;
        if ((Attributes & SE_GROUP_INTEGRITY) || !RtlEqualSid(Array[i].Sid, Sid))
            continue;
        if (Attributes & SE_GROUP_USE_FOR_DENY_ONLY)
            return ForDeny;
        if ((i == 0 && !InRestricted) || (Attributes & SE_GROUP_ENABLED))
            return TRUE;
    }
    return FALSE;
}

/* ---- The tokens the machine starts with -------------------------------------------------------------------------- */

#define SEP_ON (SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED)
#define SEP_LABEL (SE_GROUP_INTEGRITY | SE_GROUP_INTEGRITY_ENABLED)

typedef struct _SEP_SID5 {
    UCHAR Revision, Count, Authority[6];
    ULONG Sub[5];
} SEP_SID5;

/* The machine's own domain, a user and its ordinary group in it, and the logon's identifier. */
static SEP_SID5 SepUserSid = {1, 5, {0, 0, 0, 0, 0, 5}, {21, 1717501290, 2024111723, 3141592653, 1001}};
static SEP_SID5 SepUsersGroup = {1, 5, {0, 0, 0, 0, 0, 5}, {21, 1717501290, 2024111723, 3141592653, 513}};
static SEP_SID5 SepLogonSid = {1, 3, {0, 0, 0, 0, 0, 5}, {5, 0, 0x1f4a0}};

static PACL SepMakeDacl(PSID First, PSID Second, ACCESS_MASK SecondAccess)
{
    ULONG Bytes =
        sizeof(ACL) + 2 * FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart) + RtlLengthSid(First) + RtlLengthSid(Second);
    PACL Dacl = ExpAllocate(Bytes, SEP_TOKEN_TAG);
    RtlCreateAcl(Dacl, Bytes, ACL_REVISION);
    RtlAddAccessAllowedAce(Dacl, ACL_REVISION, GENERIC_ALL, First);
    RtlAddAccessAllowedAce(Dacl, ACL_REVISION, SecondAccess, Second);
    return Dacl;
}

/* Everybody as said, the system and the administrators everything. */
static PACL SepMakeDacl3(PSID First, ACCESS_MASK FirstAccess)
{
    PACL Dacl = ExpAllocate(128, SEP_TOKEN_TAG);
    RtlCreateAcl(Dacl, 128, ACL_REVISION);
    RtlAddAccessAllowedAce(Dacl, ACL_REVISION, FirstAccess, First);
    RtlAddAccessAllowedAce(Dacl, ACL_REVISION, GENERIC_ALL, SeExports->SeLocalSystemSid);
    RtlAddAccessAllowedAce(Dacl, ACL_REVISION, GENERIC_ALL, SeExports->SeAliasAdminsSid);
    return Dacl;
}

/* docs: Privilege Constants: of the local system's privileges those that a driver's thread has enabled. */
static VOID SepMakeSystemToken(VOID)
{
    SID_AND_ATTRIBUTES Groups[] = {
        {SeExports->SeLocalSystemSid, 0},
        {SeExports->SeAliasAdminsSid, SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED | SE_GROUP_OWNER},
        {SeExports->SeWorldSid, SEP_ON},
        {SeExports->SeAuthenticatedUsersSid, SEP_ON},
        {SeExports->SeSystemMandatorySid, SEP_LABEL}};
    const UINT64 Off = SEP_BIT(SE_ASSIGNPRIMARYTOKEN_PRIVILEGE) | SEP_BIT(SE_INCREASE_QUOTA_PRIVILEGE) |
                       SEP_BIT(SE_SECURITY_PRIVILEGE) | SEP_BIT(SE_TAKE_OWNERSHIP_PRIVILEGE) |
                       SEP_BIT(SE_LOAD_DRIVER_PRIVILEGE) | SEP_BIT(SE_SYSTEMTIME_PRIVILEGE) |
                       SEP_BIT(SE_BACKUP_PRIVILEGE) | SEP_BIT(SE_RESTORE_PRIVILEGE) | SEP_BIT(SE_SHUTDOWN_PRIVILEGE) |
                       SEP_BIT(SE_SYSTEM_ENVIRONMENT_PRIVILEGE) | SEP_BIT(SE_UNDOCK_PRIVILEGE) |
                       SEP_BIT(SE_MANAGE_VOLUME_PRIVILEGE);
    const UINT64 Never = SEP_BIT(SE_UNSOLICITED_INPUT_PRIVILEGE) | SEP_BIT(SE_REMOTE_SHUTDOWN_PRIVILEGE) |
                         SEP_BIT(SE_SYNC_AGENT_PRIVILEGE) | SEP_BIT(SE_ENABLE_DELEGATION_PRIVILEGE);
    SEP_TOKEN Like = {.Source = {.SourceName = "*SYSTEM*"},
                      .AuthenticationId = SYSTEM_LUID,
                      .OriginatingSession = SYSTEM_LUID,
                      .ExpirationTime.QuadPart = MAXLONGLONG,
                      .Type = TokenPrimary,
                      .MandatoryPolicy = TOKEN_MANDATORY_POLICY_NO_WRITE_UP,
                      .ElevationType = 1,
                      .OwnerIndex = 1};
    Like.Present = ((SEP_BIT(SE_CREATE_SYMBOLIC_LINK_PRIVILEGE + 1) - 1) & ~3ull) & ~Never;
    Like.Enabled = Like.Default = Like.Present & ~Off;
    PACL Dacl = SepMakeDacl(SeExports->SeLocalSystemSid, SeExports->SeAliasAdminsSid,
                            GENERIC_READ | GENERIC_EXECUTE | READ_CONTROL);
    SEP_TOKEN_PARTS Parts = {.Like = &Like,
                             .UserAndGroups = Groups,
                             .UserAndGroupCount = RTL_NUMBER_OF(Groups),
                             .PrimaryGroup = SeExports->SeLocalSystemSid,
                             .DefaultDacl = Dacl};
    KI_ASSERT(NT_SUCCESS(SepMakeToken(&Parts, &SepSystemToken)));
    ExpFree(Dacl);
}

static PSEP_TOKEN SepMakeUserToken(BOOLEAN Elevated, LUID Logon)
{
    const UINT64 Limited = SEP_BIT(SE_SHUTDOWN_PRIVILEGE) | SEP_BIT(SE_CHANGE_NOTIFY_PRIVILEGE) |
                           SEP_BIT(SE_UNDOCK_PRIVILEGE) | SEP_BIT(SE_INC_WORKING_SET_PRIVILEGE) |
                           SEP_BIT(SE_TIME_ZONE_PRIVILEGE);
    const UINT64 Full = Limited | SEP_BIT(SE_INCREASE_QUOTA_PRIVILEGE) | SEP_BIT(SE_SECURITY_PRIVILEGE) |
                        SEP_BIT(SE_TAKE_OWNERSHIP_PRIVILEGE) | SEP_BIT(SE_LOAD_DRIVER_PRIVILEGE) |
                        SEP_BIT(SE_SYSTEM_PROFILE_PRIVILEGE) | SEP_BIT(SE_SYSTEMTIME_PRIVILEGE) |
                        SEP_BIT(SE_PROF_SINGLE_PROCESS_PRIVILEGE) | SEP_BIT(SE_INC_BASE_PRIORITY_PRIVILEGE) |
                        SEP_BIT(SE_CREATE_PAGEFILE_PRIVILEGE) | SEP_BIT(SE_BACKUP_PRIVILEGE) |
                        SEP_BIT(SE_RESTORE_PRIVILEGE) | SEP_BIT(SE_DEBUG_PRIVILEGE) |
                        SEP_BIT(SE_SYSTEM_ENVIRONMENT_PRIVILEGE) | SEP_BIT(SE_REMOTE_SHUTDOWN_PRIVILEGE) |
                        SEP_BIT(SE_MANAGE_VOLUME_PRIVILEGE) | SEP_BIT(SE_IMPERSONATE_PRIVILEGE) |
                        SEP_BIT(SE_CREATE_GLOBAL_PRIVILEGE) | SEP_BIT(SE_CREATE_SYMBOLIC_LINK_PRIVILEGE);
    SID_AND_ATTRIBUTES Groups[] = {
        {&SepUserSid, 0},
        {&SepUsersGroup, SEP_ON},
        {SeExports->SeWorldSid, SEP_ON},
        {SeExports->SeAliasAdminsSid, Elevated ? SEP_ON | SE_GROUP_OWNER : SE_GROUP_USE_FOR_DENY_ONLY},
        {SeExports->SeAliasUsersSid, SEP_ON},
        {SeExports->SeInteractiveSid, SEP_ON},
        {SeExports->SeAuthenticatedUsersSid, SEP_ON},
        {&SepLogonSid, SEP_ON | SE_GROUP_LOGON_ID},
        {SeExports->SeLocalSid, SEP_ON},
        {Elevated ? SeExports->SeHighMandatorySid : SeExports->SeMediumMandatorySid, SEP_LABEL}};
    SEP_TOKEN Like = {.Source = {.SourceName = "User32 "},
                      .AuthenticationId = Logon,
                      .OriginatingSession = SYSTEM_LUID,
                      .ExpirationTime.QuadPart = MAXLONGLONG,
                      .Type = TokenPrimary,
                      .SessionId = 1,
                      .MandatoryPolicy = TOKEN_MANDATORY_POLICY_NO_WRITE_UP | TOKEN_MANDATORY_POLICY_NEW_PROCESS_MIN,
                      .ElevationType = Elevated ? 2 : 3,
                      .OwnerIndex = Elevated ? 3 : 0,
                      .Present = Elevated ? Full : Limited,
                      .Enabled = SEP_BIT(SE_CHANGE_NOTIFY_PRIVILEGE)};
    if (Elevated)
        Like.Enabled |= SEP_BIT(SE_IMPERSONATE_PRIVILEGE) | SEP_BIT(SE_CREATE_GLOBAL_PRIVILEGE);
    Like.Default = Like.Enabled;
    PACL Dacl = SepMakeDacl(Elevated ? SeExports->SeAliasAdminsSid : (PSID)&SepUserSid, SeExports->SeLocalSystemSid,
                            GENERIC_ALL);
    SEP_TOKEN_PARTS Parts = {.Like = &Like,
                             .UserAndGroups = Groups,
                             .UserAndGroupCount = RTL_NUMBER_OF(Groups),
                             .PrimaryGroup = &SepUsersGroup,
                             .DefaultDacl = Dacl};
    PSEP_TOKEN Token;
    KI_ASSERT(NT_SUCCESS(SepMakeToken(&Parts, &Token)));
    ExpFree(Dacl);
    return Token;
}

static PSEP_TOKEN SepTokenOfUser(SEP_USER User)
{
    return User == SepUserSystem ? SepSystemToken : User == SepUserElevated ? SepElevatedToken : SepLimitedToken;
}

VOID SepSetProcessUser(PEPROCESS Process, SEP_USER User)
{
    PSEP_TOKEN Token;
    if (!NT_SUCCESS(SepDuplicateToken(SepTokenOfUser(User), TokenPrimary, SecurityAnonymous, FALSE, &Token)))
        return;
    SepProcessGoes(Process);
    Process->Token = Token;
}

PSEP_TOKEN SepPrimaryToken(PEPROCESS Process)
{
    if (Process == PsInitialSystemProcess || Process == PsIdleProcess)
        return SepSystemToken;
    if (!Process->Token)
        SepSetProcessUser(Process, SepUserElevated);
    return Process->Token ? Process->Token : SepElevatedToken;
}

VOID SepProcessGoes(PEPROCESS Process)
{
    PSEP_TOKEN Token = Process->Token;
    Process->Token = NULL;
    if (Token)
        ObfDereferenceObject(Token);
}

VOID SeInitialize(VOID)
{
    SepTokenType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"Token",
                                                 .BodyBytes = sizeof(SEP_TOKEN),
                                                 .ValidAccess = TOKEN_ALL_ACCESS,
                                                 .Mapping = {TOKEN_READ, TOKEN_WRITE, TOKEN_EXECUTE, TOKEN_ALL_ACCESS},
                                                 .SecurityRequired = TRUE,
                                                 .Delete = SepDeleteToken});
    SeTokenObjectType = (PVOID)SepTokenType;
    LUID System = SYSTEM_LUID, Elevated = {.LowPart = 0x1f4b1}, Limited = {.LowPart = 0x1f4d7};
    SepMakeSession(System);
    SepMakeSession(Elevated);
    SepMakeSession(Limited);
    SepMakeSystemToken();
    SepElevatedToken = SepMakeUserToken(TRUE, Elevated);
    SepLimitedToken = SepMakeUserToken(FALSE, Limited);
    SePublicDefaultDacl = SepMakeDacl3(SeExports->SeWorldSid, GENERIC_EXECUTE);
    SePublicOpenDacl = SepMakeDacl3(SeExports->SeWorldSid, GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE);
    SeSystemDefaultDacl = SepMakeDacl(SeExports->SeLocalSystemSid, SeExports->SeAliasAdminsSid,
                                      GENERIC_READ | GENERIC_EXECUTE | READ_CONTROL);
}

/* ---- Exports ----------------------------------------------------------------------------------------------------- */

TOKEN_TYPE NTAPI SeTokenType(PACCESS_TOKEN Token)
{
    return ((PSEP_TOKEN)Token)->Type;
}

SECURITY_IMPERSONATION_LEVEL NTAPI SeTokenImpersonationLevel(PACCESS_TOKEN Token)
{
    return ((PSEP_TOKEN)Token)->Level;
}

BOOLEAN NTAPI SeTokenIsAdmin(PACCESS_TOKEN Token)
{
    return SepIsMember(Token, SeExports->SeAliasAdminsSid, FALSE, FALSE);
}

BOOLEAN NTAPI SeTokenIsRestricted(PACCESS_TOKEN Token)
{
    return (((PSEP_TOKEN)Token)->Flags & TOKEN_IS_RESTRICTED) != 0;
}

BOOLEAN NTAPI SeTokenIsWriteRestricted(PACCESS_TOKEN Token)
{
    return (((PSEP_TOKEN)Token)->Flags & TOKEN_WRITE_RESTRICTED) != 0;
}

NTSTATUS NTAPI SeQueryAuthenticationIdToken(PACCESS_TOKEN Token, PLUID AuthenticationId)
{
    *AuthenticationId = ((PSEP_TOKEN)Token)->AuthenticationId;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeQuerySessionIdToken(PACCESS_TOKEN Token, PULONG SessionId)
{
    *SessionId = ((PSEP_TOKEN)Token)->SessionId;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeSetSessionIdToken(PACCESS_TOKEN Token, ULONG SessionId)
{
    PSEP_TOKEN Own = Token;
    Own->SessionId = SessionId;
    Own->ModifiedId = SepNewLuid();
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtAllocateLocallyUniqueId(PLUID Luid)
{
    *Luid = SepNewLuid();
    return STATUS_SUCCESS;
}
