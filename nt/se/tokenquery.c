/*
 * What a token says of itself, and what of it can be set.
 *
 * Every class is made in two steps: how many bytes it takes, and the filling of a buffer that has them. Arrays of
 * identifiers come as array, then the identifiers, with pointers into the caller's buffer.
 * (docs: ZwQueryInformationToken, SeQueryInformationToken, ZwSetInformationToken)
 */
#include "nt.h"
#include "ex/poolp.h"

#define SEP_QUERY_TAG 'uQeS'
/* Classes that today's headers know beyond ours. */
#define SEP_TOKEN_IS_APP_CONTAINER 29
#define SEP_TOKEN_CAPABILITIES 30
#define SEP_TOKEN_APP_CONTAINER_SID 31
#define SEP_TOKEN_IS_RESTRICTED 40

ULONG SepArraySize(PSID_AND_ATTRIBUTES Array, ULONG Count)
{
    ULONG Bytes = Count * sizeof(*Array);
    for (ULONG i = 0; i < Count; i++)
        Bytes += RtlLengthSid(Array[i].Sid);
    return Bytes;
}

PUCHAR SepPutArray(PSID_AND_ATTRIBUTES To, PSID_AND_ATTRIBUTES From, ULONG Count)
{
    PUCHAR Sid = (PUCHAR)(To + Count);
    for (ULONG i = 0; i < Count; i++) {
        ULONG Bytes = RtlLengthSid(From[i].Sid);
        RtlCopyMemory(Sid, From[i].Sid, Bytes);
        To[i].Sid = Sid;
        To[i].Attributes = From[i].Attributes;
        Sid += Bytes;
    }
    return Sid;
}

ULONG SepCountPrivileges(const SEP_TOKEN *Token)
{
    return (ULONG)__builtin_popcountll(Token->Present);
}

VOID SepPutPrivileges(const SEP_TOKEN *Token, PLUID_AND_ATTRIBUTES To)
{
    for (ULONG i = 0; i < 64; i++)
        if (Token->Present & SEP_BIT(i)) {
            To->Luid = (LUID){.LowPart = i};
            To->Attributes = (Token->Enabled & SEP_BIT(i) ? SE_PRIVILEGE_ENABLED : 0) |
                             (Token->Default & SEP_BIT(i) ? SE_PRIVILEGE_ENABLED_BY_DEFAULT : 0);
            To++;
        }
}

/* The classes that are one number. FALSE = another kind of class. */
static BOOLEAN SepQueryNumber(const SEP_TOKEN *Token, ULONG Class, PULONG Value)
{
    switch (Class) {
    case TokenType:
        *Value = Token->Type;
        return TRUE;
    case TokenSessionId:
        *Value = Token->SessionId;
        return TRUE;
    case TokenSandBoxInert:
        *Value = (Token->Flags & TOKEN_SANDBOX_INERT) != 0;
        return TRUE;
    case TokenElevationType:
        *Value = Token->ElevationType;
        return TRUE;
    case TokenElevation: /* the full half of a split token, and tokens that are never split */
        *Value = Token->ElevationType != 3 && SepIsMember(Token, SeExports->SeAliasAdminsSid, FALSE, FALSE);
        return TRUE;
    case TokenHasRestrictions:
        *Value = (Token->Flags & (TOKEN_IS_RESTRICTED | TOKEN_IS_FILTERED)) != 0;
        return TRUE;
    case TokenVirtualizationAllowed:
        *Value = (Token->Flags & TOKEN_VIRTUALIZE_ALLOWED) != 0;
        return TRUE;
    case TokenVirtualizationEnabled:
        *Value = (Token->Flags & TOKEN_VIRTUALIZE_ENABLED) != 0;
        return TRUE;
    case TokenUIAccess:
        *Value = (Token->Flags & TOKEN_UIACCESS) != 0;
        return TRUE;
    case TokenMandatoryPolicy:
        *Value = Token->MandatoryPolicy;
        return TRUE;
    case SEP_TOKEN_IS_APP_CONTAINER:
        *Value = FALSE;
        return TRUE;
    case SEP_TOKEN_IS_RESTRICTED:
        *Value = (Token->Flags & TOKEN_IS_RESTRICTED) != 0;
        return TRUE;
    }
    return FALSE;
}

static ULONG SepFindLogonSid(const SEP_TOKEN *Token)
{
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
        if ((Token->UserAndGroups[i].Attributes & SE_GROUP_LOGON_ID) == SE_GROUP_LOGON_ID)
            return i;
    return 0;
}

static NTSTATUS SepClassBytes(const SEP_TOKEN *Token, ULONG Class, PULONG Bytes)
{
    PSID_AND_ATTRIBUTES User = Token->UserAndGroups;
    ULONG Number;
    *Bytes = sizeof(ULONG);
    if (SepQueryNumber(Token, Class, &Number))
        return STATUS_SUCCESS;
    switch (Class) {
    case TokenUser:
        *Bytes = sizeof(TOKEN_USER) + RtlLengthSid(User->Sid);
        break;
    case TokenGroups:
        *Bytes = FIELD_OFFSET(TOKEN_GROUPS, Groups) + SepArraySize(User + 1, Token->UserAndGroupCount - 1);
        break;
    case TokenRestrictedSids:
        *Bytes = FIELD_OFFSET(TOKEN_GROUPS, Groups) + SepArraySize(Token->Restricted, Token->RestrictedCount);
        break;
    case TokenPrivileges:
        *Bytes = FIELD_OFFSET(TOKEN_PRIVILEGES, Privileges) + SepCountPrivileges(Token) * sizeof(LUID_AND_ATTRIBUTES);
        break;
    case TokenOwner:
        *Bytes = sizeof(TOKEN_OWNER) + RtlLengthSid(User[Token->OwnerIndex].Sid);
        break;
    case TokenPrimaryGroup:
        *Bytes = sizeof(TOKEN_PRIMARY_GROUP) + RtlLengthSid(Token->PrimaryGroup);
        break;
    case TokenDefaultDacl:
        *Bytes = sizeof(TOKEN_DEFAULT_DACL) + (Token->DefaultDacl ? Token->DefaultDacl->AclSize : 0);
        break;
    case TokenSource:
        *Bytes = sizeof(TOKEN_SOURCE);
        break;
    case TokenImpersonationLevel:
        if (Token->Type != TokenImpersonation)
            return STATUS_INVALID_INFO_CLASS;
        *Bytes = sizeof(SECURITY_IMPERSONATION_LEVEL);
        break;
    case TokenStatistics:
        *Bytes = sizeof(TOKEN_STATISTICS);
        break;
    case TokenGroupsAndPrivileges:
        *Bytes = sizeof(TOKEN_GROUPS_AND_PRIVILEGES) + SepArraySize(User, Token->UserAndGroupCount) +
                 SepArraySize(Token->Restricted, Token->RestrictedCount) +
                 SepCountPrivileges(Token) * sizeof(LUID_AND_ATTRIBUTES);
        break;
    case TokenOrigin:
        *Bytes = sizeof(TOKEN_ORIGIN);
        break;
    case TokenAccessInformation:
        *Bytes = SepAccessInformationBytes(Token);
        break;
    case TokenIntegrityLevel:
        *Bytes =
            sizeof(TOKEN_MANDATORY_LABEL) + (Token->IntegrityIndex ? RtlLengthSid(User[Token->IntegrityIndex].Sid) : 0);
        break;
    case TokenLogonSid:
        if (!SepFindLogonSid(Token))
            return STATUS_NOT_FOUND;
        *Bytes = sizeof(TOKEN_GROUPS) + RtlLengthSid(User[SepFindLogonSid(Token)].Sid);
        break;
    case SEP_TOKEN_CAPABILITIES:
        *Bytes = sizeof(TOKEN_GROUPS);
        break;
    case SEP_TOKEN_APP_CONTAINER_SID:
        *Bytes = sizeof(PSID);
        break;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
    return STATUS_SUCCESS;
}

static VOID SepPutOneSid(PVOID *Field, PSID Sid)
{
    *Field = Field + 1;
    RtlCopyMemory(Field + 1, Sid, RtlLengthSid(Sid));
}

static VOID SepPutStatistics(const SEP_TOKEN *Token, PTOKEN_STATISTICS To)
{
    To->TokenId = Token->TokenId;
    To->AuthenticationId = Token->AuthenticationId;
    To->ExpirationTime = Token->ExpirationTime;
    To->TokenType = Token->Type;
    To->ImpersonationLevel = Token->Level;
    To->DynamicCharged = 4096; /* what Windows sets aside for default DACL and primary group */
    To->DynamicAvailable =
        4096 - RtlLengthSid(Token->PrimaryGroup) - (Token->DefaultDacl ? Token->DefaultDacl->AclSize : 0);
    To->GroupCount = Token->UserAndGroupCount - 1;
    To->PrivilegeCount = SepCountPrivileges(Token);
    To->ModifiedId = Token->ModifiedId;
}

static VOID SepPutGroupsAndPrivileges(const SEP_TOKEN *Token, PTOKEN_GROUPS_AND_PRIVILEGES To)
{
    To->SidCount = Token->UserAndGroupCount;
    To->SidLength = SepArraySize(Token->UserAndGroups, Token->UserAndGroupCount);
    To->RestrictedSidCount = Token->RestrictedCount;
    To->RestrictedSidLength = SepArraySize(Token->Restricted, Token->RestrictedCount);
    To->PrivilegeCount = SepCountPrivileges(Token);
    To->PrivilegeLength = To->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES);
    To->AuthenticationId = Token->AuthenticationId;
    To->Sids = (PVOID)(To + 1);
    PUCHAR At = SepPutArray(To->Sids, Token->UserAndGroups, To->SidCount);
    To->RestrictedSids = To->RestrictedSidCount ? (PVOID)At : NULL;
    At = SepPutArray((PVOID)At, Token->Restricted, To->RestrictedSidCount);
    To->Privileges = (PVOID)At;
    SepPutPrivileges(Token, To->Privileges);
}

/* Buffer has SepClassBytes. */
static VOID SepFillClass(const SEP_TOKEN *Token, ULONG Class, PVOID Buffer)
{
    PSID_AND_ATTRIBUTES User = Token->UserAndGroups;
    if (SepQueryNumber(Token, Class, Buffer))
        return;
    switch (Class) {
    case TokenUser:
        SepPutArray(Buffer, User, 1);
        break;
    case TokenGroups:
        ((PTOKEN_GROUPS)Buffer)->GroupCount = Token->UserAndGroupCount - 1;
        SepPutArray(((PTOKEN_GROUPS)Buffer)->Groups, User + 1, Token->UserAndGroupCount - 1);
        break;
    case TokenRestrictedSids:
        ((PTOKEN_GROUPS)Buffer)->GroupCount = Token->RestrictedCount;
        SepPutArray(((PTOKEN_GROUPS)Buffer)->Groups, Token->Restricted, Token->RestrictedCount);
        break;
    case TokenPrivileges:
        ((PTOKEN_PRIVILEGES)Buffer)->PrivilegeCount = SepCountPrivileges(Token);
        SepPutPrivileges(Token, ((PTOKEN_PRIVILEGES)Buffer)->Privileges);
        break;
    case TokenOwner:
        SepPutOneSid(Buffer, User[Token->OwnerIndex].Sid);
        break;
    case TokenPrimaryGroup:
        SepPutOneSid(Buffer, Token->PrimaryGroup);
        break;
    case TokenDefaultDacl:
        ((PTOKEN_DEFAULT_DACL)Buffer)->DefaultDacl =
            Token->DefaultDacl ? (PACL)((PTOKEN_DEFAULT_DACL)Buffer + 1) : NULL;
        if (Token->DefaultDacl)
            RtlCopyMemory((PTOKEN_DEFAULT_DACL)Buffer + 1, Token->DefaultDacl, Token->DefaultDacl->AclSize);
        break;
    case TokenSource:
        *(PTOKEN_SOURCE)Buffer = Token->Source;
        break;
    case TokenImpersonationLevel:
        *(PSECURITY_IMPERSONATION_LEVEL)Buffer = Token->Level;
        break;
    case TokenStatistics:
        SepPutStatistics(Token, Buffer);
        break;
    case TokenGroupsAndPrivileges:
        SepPutGroupsAndPrivileges(Token, Buffer);
        break;
    case TokenOrigin:
        ((PTOKEN_ORIGIN)Buffer)->OriginatingLogonSession = Token->OriginatingSession;
        break;
    case TokenAccessInformation:
        SepPutAccessInformation(Token, Buffer);
        break;
    case TokenIntegrityLevel:
        if (Token->IntegrityIndex)
            SepPutArray(Buffer, &User[Token->IntegrityIndex], 1);
        else
            RtlZeroMemory(Buffer, sizeof(TOKEN_MANDATORY_LABEL));
        break;
    case TokenLogonSid:
        ((PTOKEN_GROUPS)Buffer)->GroupCount = 1;
        SepPutArray(((PTOKEN_GROUPS)Buffer)->Groups, &User[SepFindLogonSid(Token)], 1);
        break;
    case SEP_TOKEN_CAPABILITIES:
        RtlZeroMemory(Buffer, sizeof(TOKEN_GROUPS));
        break;
    case SEP_TOKEN_APP_CONTAINER_SID:
        *(PSID *)Buffer = NULL;
        break;
    }
}

/* docs: SeQueryInformationToken: the session id is stored in place of the pointer. Windows does the same with the
 * integrity level, as a number, and with the classes that are one flag of the kernel's own use. */
NTSTATUS NTAPI SeQueryInformationToken(PACCESS_TOKEN AccessToken, TOKEN_INFORMATION_CLASS Class, PVOID *Information)
{
    PSEP_TOKEN Token = AccessToken;
    ULONG Bytes;
    switch ((ULONG)Class) {
    case TokenIntegrityLevel:
        *(PULONG)Information = SepIntegrityOf(Token);
        return STATUS_SUCCESS;
    case TokenOrigin: /* these are for ZwQueryInformationToken only */
    case TokenGroupsAndPrivileges:
    case TokenRestrictedSids:
    case TokenSandBoxInert:
        return STATUS_INVALID_INFO_CLASS;
    case TokenSessionId:
    case TokenVirtualizationAllowed:
    case TokenVirtualizationEnabled:
    case TokenUIAccess:
    case TokenHasRestrictions:
    case SEP_TOKEN_IS_APP_CONTAINER:
        SepQueryNumber(Token, Class, (PULONG)Information);
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = SepClassBytes(Token, Class, &Bytes);
    if (!NT_SUCCESS(Status))
        return Status;
    PVOID Buffer = ExpAllocateForDriver(PagedPool, Bytes, SEP_QUERY_TAG, TRUE, VfCaptureStack(), NULL);
    if (!Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    SepFillClass(Token, Class, Buffer);
    *Information = Buffer;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtQueryInformationToken(HANDLE Handle, TOKEN_INFORMATION_CLASS Class, PVOID Buffer, ULONG Bytes,
                                       PULONG Returned)
{
    PSEP_TOKEN Token;
    ULONG Need;
    if ((ULONG)Class == 0 || (ULONG)Class > SEP_TOKEN_IS_RESTRICTED)
        return STATUS_INVALID_INFO_CLASS;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, Class == TokenSource ? TOKEN_QUERY_SOURCE : TOKEN_QUERY,
                                                SepTokenType, ExGetPreviousMode(), (PVOID *)&Token, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = SepClassBytes(Token, Class, &Need);
    if (NT_SUCCESS(Status)) {
        *Returned = Need;
        if (Bytes < Need || !Buffer)
            Status = STATUS_BUFFER_TOO_SMALL;
        else
            SepFillClass(Token, Class, Buffer);
    }
    ObfDereferenceObject(Token);
    return Status;
}

/* ---- Setting ----------------------------------------------------------------------------------------------------- */

static NTSTATUS SepSetOwner(PSEP_TOKEN Token, PSID Owner)
{
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
        if (RtlEqualSid(Token->UserAndGroups[i].Sid, Owner) &&
            (i == 0 ? !(Token->UserAndGroups[i].Attributes & SE_GROUP_USE_FOR_DENY_ONLY)
                    : (Token->UserAndGroups[i].Attributes & SE_GROUP_OWNER))) {
            Token->OwnerIndex = i;
            return STATUS_SUCCESS;
        }
    return STATUS_INVALID_OWNER;
}

static NTSTATUS SepSetPrimaryGroup(PSEP_TOKEN Token, PSID Group)
{
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
        if (RtlEqualSid(Token->UserAndGroups[i].Sid, Group)) {
            Token->PrimaryGroup = Token->UserAndGroups[i].Sid;
            return STATUS_SUCCESS;
        }
    return STATUS_INVALID_PRIMARY_GROUP;
}

static NTSTATUS SepSetDefaultDacl(PSEP_TOKEN Token, PACL Dacl)
{
    PACL Copy = NULL;
    if (Dacl) {
        if (!RtlValidAcl(Dacl))
            return STATUS_INVALID_ACL;
        Copy = ExpTryAllocate(Dacl->AclSize, SEP_TAG);
        if (!Copy)
            return STATUS_INSUFFICIENT_RESOURCES;
        RtlCopyMemory(Copy, Dacl, Dacl->AclSize);
    }
    if (Token->DefaultDacl)
        ExpFree(Token->DefaultDacl);
    Token->DefaultDacl = Copy;
    return STATUS_SUCCESS;
}

/* A label may be lowered freely, and raised by who holds SeTcbPrivilege. */
static NTSTATUS SepSetIntegrity(PSEP_TOKEN Token, PSID Sid)
{
    PISID New = Sid;
    if (!RtlValidSid(Sid) || New->SubAuthorityCount != 1 || New->IdentifierAuthority.Value[5] != 16)
        return STATUS_INVALID_SID;
    if (New->SubAuthority[0] > SepIntegrityOf(Token) && !SepHasPrivilege(SE_TCB_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    if (!Token->IntegrityIndex)
        return STATUS_INVALID_PARAMETER;
    ((PISID)Token->UserAndGroups[Token->IntegrityIndex].Sid)->SubAuthority[0] = New->SubAuthority[0];
    return STATUS_SUCCESS;
}

static NTSTATUS SepSetFlag(PSEP_TOKEN Token, ULONG Flag, ULONG Value)
{
    Token->Flags = Value ? Token->Flags | Flag : Token->Flags & ~Flag;
    return STATUS_SUCCESS;
}

static ULONG SepSetBytes(ULONG Class)
{
    switch (Class) {
    case TokenOwner:
    case TokenPrimaryGroup:
    case TokenDefaultDacl:
        return sizeof(PVOID);
    case TokenIntegrityLevel:
        return sizeof(TOKEN_MANDATORY_LABEL);
    case TokenOrigin:
        return sizeof(TOKEN_ORIGIN);
    case TokenSessionId:
    case TokenVirtualizationAllowed:
    case TokenVirtualizationEnabled:
    case TokenUIAccess:
    case TokenMandatoryPolicy:
        return sizeof(ULONG);
    }
    return 0;
}

static NTSTATUS SepSetClass(PSEP_TOKEN Token, ULONG Class, PVOID Buffer)
{
    switch (Class) {
    case TokenOwner:
        return SepSetOwner(Token, *(PSID *)Buffer);
    case TokenPrimaryGroup:
        return SepSetPrimaryGroup(Token, *(PSID *)Buffer);
    case TokenDefaultDacl:
        return SepSetDefaultDacl(Token, *(PACL *)Buffer);
    case TokenIntegrityLevel:
        return SepSetIntegrity(Token, ((PTOKEN_MANDATORY_LABEL)Buffer)->Label.Sid);
    }
    if (!SepHasPrivilege(SE_TCB_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    switch (Class) {
    case TokenSessionId:
        Token->SessionId = *(PULONG)Buffer;
        return STATUS_SUCCESS;
    case TokenOrigin:
        Token->OriginatingSession = *(PLUID)Buffer;
        return STATUS_SUCCESS;
    case TokenVirtualizationAllowed:
        return SepSetFlag(Token, TOKEN_VIRTUALIZE_ALLOWED, *(PULONG)Buffer);
    case TokenVirtualizationEnabled:
        return SepSetFlag(Token, TOKEN_VIRTUALIZE_ENABLED, *(PULONG)Buffer);
    case TokenUIAccess:
        return SepSetFlag(Token, TOKEN_UIACCESS, *(PULONG)Buffer);
    default: /* TokenMandatoryPolicy */
        if (*(PULONG)Buffer & ~TOKEN_MANDATORY_POLICY_VALID_MASK)
            return STATUS_INVALID_PARAMETER;
        Token->MandatoryPolicy = *(PULONG)Buffer;
        return STATUS_SUCCESS;
    }
}

NTSTATUS NTAPI NtSetInformationToken(HANDLE Handle, TOKEN_INFORMATION_CLASS Class, PVOID Buffer, ULONG Bytes)
{
    PSEP_TOKEN Token;
    if (!SepSetBytes(Class))
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < SepSetBytes(Class))
        return STATUS_INFO_LENGTH_MISMATCH;
    NTSTATUS Status =
        ObReferenceObjectByHandle(Handle, TOKEN_ADJUST_DEFAULT | (Class == TokenSessionId ? TOKEN_ADJUST_SESSIONID : 0),
                                  SepTokenType, ExGetPreviousMode(), (PVOID *)&Token, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Token->Lock, TRUE);
    Status = SepSetClass(Token, Class, Buffer);
    if (NT_SUCCESS(Status))
        Token->ModifiedId = SepNewLuid();
    ExReleaseResourceLite(&Token->Lock);
    KeLeaveCriticalRegion();
    ObfDereferenceObject(Token);
    return Status;
}
