/*
 * May the subject have this access: privileges, the integrity label, the access control list.
 *
 * An access is granted by what privileges and ownership give, then by the list, entry by entry, until nothing is left
 * to grant or an entry denies something of it. Before, the label bars what a lower subject may not do at all.
 * (docs: SeAccessCheck, How DACLs Control Access to an Object, Mandatory Integrity Control)
 */
#include "nt.h"

/* ---- Masks ------------------------------------------------------------------------------------------------------- */

/* docs: RtlMapGenericMask. */
VOID NTAPI RtlMapGenericMask(PACCESS_MASK Access, PGENERIC_MAPPING Mapping)
{
    if (*Access & GENERIC_READ)
        *Access |= Mapping->GenericRead;
    if (*Access & GENERIC_WRITE)
        *Access |= Mapping->GenericWrite;
    if (*Access & GENERIC_EXECUTE)
        *Access |= Mapping->GenericExecute;
    if (*Access & GENERIC_ALL)
        *Access |= Mapping->GenericAll;
    *Access &= ~(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL);
}

BOOLEAN NTAPI RtlAreAllAccessesGranted(ACCESS_MASK Granted, ACCESS_MASK Desired)
{
    return (~Granted & Desired) == 0;
}

BOOLEAN NTAPI RtlAreAnyAccessesGranted(ACCESS_MASK Granted, ACCESS_MASK Desired)
{
    return (Granted & Desired) != 0;
}

/* ---- Privileges -------------------------------------------------------------------------------------------------- */

/* docs: SeSinglePrivilegeCheck: kernel mode has every privilege. */
BOOLEAN SepHasPrivilege(ULONG Privilege, KPROCESSOR_MODE Mode)
{
    return SeSinglePrivilegeCheck((LUID){.LowPart = Privilege}, Mode);
}

BOOLEAN NTAPI SeSinglePrivilegeCheck(LUID Privilege, KPROCESSOR_MODE Mode)
{
    SECURITY_SUBJECT_CONTEXT Subject;
    PRIVILEGE_SET Set = {.PrivilegeCount = 1, .Control = PRIVILEGE_SET_ALL_NECESSARY, .Privilege[0].Luid = Privilege};
    if (Mode == KernelMode)
        return TRUE;
    SeCaptureSubjectContext(&Subject);
    BOOLEAN Held = SePrivilegeCheck(&Set, &Subject, Mode);
    SeReleaseSubjectContext(&Subject);
    return Held;
}

/* docs: SePrivilegeCheck: privileges found are marked as used for access. */
BOOLEAN NTAPI SePrivilegeCheck(PPRIVILEGE_SET Required, PSECURITY_SUBJECT_CONTEXT Subject, KPROCESSOR_MODE Mode)
{
    PSEP_TOKEN Token = SeQuerySubjectContextToken(Subject);
    ULONG Found = 0;
    if (Mode == KernelMode)
        return TRUE;
    if (Subject->ClientToken && Subject->ImpersonationLevel < SecurityImpersonation)
        return FALSE;
    for (ULONG i = 0; i < Required->PrivilegeCount; i++) {
        LUID Luid = Required->Privilege[i].Luid;
        if (Luid.HighPart || Luid.LowPart >= 64 || !(Token->Enabled & SEP_BIT(Luid.LowPart)))
            continue;
        Required->Privilege[i].Attributes |= SE_PRIVILEGE_USED_FOR_ACCESS;
        Found++;
    }
    return Required->Control & PRIVILEGE_SET_ALL_NECESSARY ? Found == Required->PrivilegeCount : Found > 0;
}

VOID NTAPI SeFreePrivileges(PPRIVILEGE_SET Privileges)
{
    ExFreePoolWithTag(Privileges, 0);
}

static NTSTATUS SepMakePrivilegeSet(UINT64 Used, PPRIVILEGE_SET *Set)
{
    ULONG Count = (ULONG)__builtin_popcountll(Used);
    *Set = NULL;
    if (!Count)
        return STATUS_SUCCESS;
    /* SeAccessCheckFromState may come at DISPATCH_LEVEL */
    POOL_TYPE Type = KeGetCurrentIrql() < DISPATCH_LEVEL ? PagedPool : NonPagedPoolNx;
    PPRIVILEGE_SET New = ExAllocatePoolWithTag(
        Type, FIELD_OFFSET(PRIVILEGE_SET, Privilege) + Count * sizeof(LUID_AND_ATTRIBUTES), 'rPeS');
    if (!New)
        return STATUS_INSUFFICIENT_RESOURCES;
    New->PrivilegeCount = 0;
    New->Control = 0;
    for (ULONG i = 0; i < 64; i++)
        if (Used & SEP_BIT(i))
            New->Privilege[New->PrivilegeCount++] =
                (LUID_AND_ATTRIBUTES){.Luid.LowPart = i, .Attributes = SE_PRIVILEGE_USED_FOR_ACCESS};
    *Set = New;
    return STATUS_SUCCESS;
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

typedef enum { SepOther, SepAllow, SepDeny } SEP_ACE_KIND;

/* What an entry does to the object itself. An object entry that names an object type speaks of a property of it. */
static SEP_ACE_KIND SepAce(PACE_HEADER Ace, PACCESS_MASK Mask, PSID *Sid)
{
    PACCESS_ALLOWED_ACE Plain = (PVOID)Ace;
    PACCESS_ALLOWED_OBJECT_ACE Object = (PVOID)Ace;
    if (Ace->AceFlags & INHERIT_ONLY_ACE)
        return SepOther;
    *Mask = Plain->Mask;
    switch (Ace->AceType) {
    case ACCESS_ALLOWED_ACE_TYPE:
    case ACCESS_DENIED_ACE_TYPE:
        *Sid = &Plain->SidStart;
        return Ace->AceType == ACCESS_ALLOWED_ACE_TYPE ? SepAllow : SepDeny;
    case ACCESS_ALLOWED_OBJECT_ACE_TYPE:
    case ACCESS_DENIED_OBJECT_ACE_TYPE:
        if (Object->Flags & ACE_OBJECT_TYPE_PRESENT)
            return SepOther;
        *Sid = Object->Flags & ACE_INHERITED_OBJECT_TYPE_PRESENT ? (PSID)&Object->InheritedObjectType
                                                                 : (PSID)&Object->ObjectType;
        return Ace->AceType == ACCESS_ALLOWED_OBJECT_ACE_TYPE ? SepAllow : SepDeny;
    }
    return SepOther;
}

/* All that a list grants and does not deny before: what MAXIMUM_ALLOWED asks for. OWNER RIGHTS speaks of the owner. */
static ACCESS_MASK SepWalk(PACL Dacl, const SEP_TOKEN *Token, BOOLEAN Restricted, BOOLEAN IsOwner,
                           const GENERIC_MAPPING *Mapping, PBOOLEAN OwnerRights)
{
    ACCESS_MASK Granted = 0, Denied = 0;
    for (ULONG i = 0; i < Dacl->AceCount; i++) {
        PACE_HEADER Ace;
        ACCESS_MASK Mask;
        PSID Sid;
        if (!NT_SUCCESS(RtlGetAce(Dacl, i, (PVOID *)&Ace)))
            break;
        SEP_ACE_KIND Kind = SepAce(Ace, &Mask, &Sid);
        if (Kind == SepOther)
            continue;
        BOOLEAN Owner = RtlEqualSid(Sid, SeExports->SeOwnerRightsSid);
        if (Owner)
            *OwnerRights = TRUE;
        if (Owner ? !IsOwner : !SepIsMember(Token, Sid, Kind == SepDeny, Restricted))
            continue;
        RtlMapGenericMask(&Mask, (PGENERIC_MAPPING)Mapping);
        if (Kind == SepAllow)
            Granted |= Mask & ~Denied;
        else
            Denied |= Mask & ~Granted;
    }
    return Granted;
}

/* docs: Mandatory Integrity Control: no label means medium, and no writing up. */
static ACCESS_MASK SepBarred(PSECURITY_DESCRIPTOR Descriptor, const SEP_TOKEN *Token, const GENERIC_MAPPING *Mapping)
{
    PACL Sacl = SepSaclOf(Descriptor);
    ULONG Level = SECURITY_MANDATORY_MEDIUM_RID, Policy = SYSTEM_MANDATORY_LABEL_NO_WRITE_UP;
    ACCESS_MASK Allowed = 0;
    if (!(Token->MandatoryPolicy & TOKEN_MANDATORY_POLICY_NO_WRITE_UP))
        return 0;
    for (ULONG i = 0; Sacl && i < Sacl->AceCount; i++) {
        PSYSTEM_MANDATORY_LABEL_ACE Ace;
        if (!NT_SUCCESS(RtlGetAce(Sacl, i, (PVOID *)&Ace)))
            break;
        if (Ace->Header.AceType != SYSTEM_MANDATORY_LABEL_ACE_TYPE || (Ace->Header.AceFlags & INHERIT_ONLY_ACE))
            continue;
        PISID Sid = (PISID)&Ace->SidStart;
        Level = Sid->SubAuthorityCount ? Sid->SubAuthority[Sid->SubAuthorityCount - 1] : 0;
        Policy = Ace->Mask;
        break;
    }
    if (SepIntegrityOf(Token) >= Level)
        return 0;
    if (!(Policy & SYSTEM_MANDATORY_LABEL_NO_READ_UP))
        Allowed |= Mapping->GenericRead;
    if (!(Policy & SYSTEM_MANDATORY_LABEL_NO_WRITE_UP))
        Allowed |= Mapping->GenericWrite;
    if (!(Policy & SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP))
        Allowed |= Mapping->GenericExecute;
    return Policy & SYSTEM_MANDATORY_LABEL_NO_WRITE_UP ? ~(Allowed | SYNCHRONIZE | MAXIMUM_ALLOWED)
                                                       : ~(Allowed | MAXIMUM_ALLOWED);
}

/* ---- The check --------------------------------------------------------------------------------------------------- */

/* What privileges give of Desired; *Used: which. */
static ACCESS_MASK SepByPrivilege(const SEP_TOKEN *Token, ACCESS_MASK Desired, PUINT64 Used)
{
    ACCESS_MASK Granted = 0;
    if ((Desired & ACCESS_SYSTEM_SECURITY) && (Token->Enabled & SEP_BIT(SE_SECURITY_PRIVILEGE))) {
        Granted |= ACCESS_SYSTEM_SECURITY;
        *Used |= SEP_BIT(SE_SECURITY_PRIVILEGE);
    }
    if ((Desired & WRITE_OWNER) && (Token->Enabled & SEP_BIT(SE_TAKE_OWNERSHIP_PRIVILEGE))) {
        Granted |= WRITE_OWNER;
        *Used |= SEP_BIT(SE_TAKE_OWNERSHIP_PRIVILEGE);
    }
    return Granted;
}

/* All the lists give, restricting identifiers included. */
static ACCESS_MASK SepByLists(PSECURITY_DESCRIPTOR Descriptor, const SEP_TOKEN *Token, const GENERIC_MAPPING *Mapping)
{
    PACL Dacl = SepDaclOf(Descriptor);
    PSID Owner = SepOwnerOf(Descriptor);
    BOOLEAN IsOwner = Owner && SepIsMember(Token, Owner, FALSE, FALSE), OwnerRights = FALSE;
    if (!Dacl)
        return Mapping->GenericAll | STANDARD_RIGHTS_ALL | SPECIFIC_RIGHTS_ALL;
    ACCESS_MASK Granted = SepWalk(Dacl, Token, FALSE, IsOwner, Mapping, &OwnerRights);
    if (Token->Flags & TOKEN_IS_RESTRICTED) {
        BOOLEAN Unused = FALSE, RestrictedOwner = Owner && SepIsMember(Token, Owner, FALSE, TRUE);
        ACCESS_MASK Second = SepWalk(Dacl, Token, TRUE, RestrictedOwner, Mapping, &Unused);
        if (RestrictedOwner && !OwnerRights)
            Second |= READ_CONTROL | WRITE_DAC;
        if (Token->Flags & TOKEN_WRITE_RESTRICTED) /* docs: the second check is for writing only */
            Second |= (Mapping->GenericRead | Mapping->GenericExecute) & ~Mapping->GenericWrite;
        if (IsOwner && !OwnerRights)
            Granted |= READ_CONTROL | WRITE_DAC;
        return Granted & Second;
    }
    if (IsOwner && !OwnerRights)
        Granted |= READ_CONTROL | WRITE_DAC;
    return Granted;
}

/* Desired must have been mapped. *Granted: what was asked for and given, with Previous. */
BOOLEAN SepCheckAccess(PSECURITY_DESCRIPTOR Descriptor, const SEP_TOKEN *Token, ACCESS_MASK Desired,
                       ACCESS_MASK Previous, const GENERIC_MAPPING *Mapping, PACCESS_MASK Granted, PUINT64 Used,
                       PNTSTATUS Status)
{
    ACCESS_MASK Barred = SepBarred(Descriptor, Token, Mapping);
    ACCESS_MASK Given = SepByPrivilege(Token, Desired, Used);
    ACCESS_MASK Left = Desired & ~(Given | MAXIMUM_ALLOWED);
    *Granted = 0;
    *Status = STATUS_ACCESS_DENIED;
    if (Left & ACCESS_SYSTEM_SECURITY) {
        *Status = STATUS_PRIVILEGE_NOT_HELD;
        return FALSE;
    }
    if (Left & Barred)
        return FALSE;
    if (!Left && !(Desired & MAXIMUM_ALLOWED)) {
        *Granted = Given | Previous;
        *Status = *Granted ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
        return *Granted != 0;
    }
    ACCESS_MASK Listed = SepByLists(Descriptor, Token, Mapping) & ~Barred;
    if (Left & ~Listed)
        return FALSE;
    if (Desired & MAXIMUM_ALLOWED) {
        if (Token->Enabled & SEP_BIT(SE_TAKE_OWNERSHIP_PRIVILEGE))
            Given |= WRITE_OWNER;
        Given |= Listed & (Mapping->GenericAll | STANDARD_RIGHTS_ALL);
    }
    *Granted = Given | Left | Previous;
    if (!*Granted)
        return FALSE;
    *Status = STATUS_SUCCESS;
    return TRUE;
}

BOOLEAN SepAccessCheck(PSECURITY_DESCRIPTOR Descriptor, const SEP_TOKEN *Token, ACCESS_MASK Desired,
                       ACCESS_MASK Previous, PPRIVILEGE_SET *Privileges, PGENERIC_MAPPING Mapping, KPROCESSOR_MODE Mode,
                       PACCESS_MASK Granted, PNTSTATUS Status)
{
    UINT64 Used = 0;
    if (Privileges)
        *Privileges = NULL;
    if (Mode == KernelMode) {
        *Granted = Desired & MAXIMUM_ALLOWED ? (Desired & ~MAXIMUM_ALLOWED) | Mapping->GenericAll | Previous
                                             : Desired | Previous;
        *Status = STATUS_SUCCESS;
        return TRUE;
    }
    *Granted = 0;
    if (!Descriptor) {
        *Status = STATUS_ACCESS_DENIED;
        return FALSE;
    }
    if (!Token) {
        *Status = STATUS_BAD_IMPERSONATION_LEVEL;
        return FALSE;
    }
    if (!Desired) {
        *Granted = Previous;
        *Status = Previous ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
        return Previous != 0;
    }
    RtlMapGenericMask(&Desired, Mapping);
    BOOLEAN Passed = SepCheckAccess(Descriptor, Token, Desired, Previous, Mapping, Granted, &Used, Status);
    if (Passed && Privileges && !NT_SUCCESS(SepMakePrivilegeSet(Used, Privileges))) {
        *Granted = 0;
        *Status = STATUS_INSUFFICIENT_RESOURCES;
        return FALSE;
    }
    return Passed;
}

BOOLEAN NTAPI SeAccessCheck(PSECURITY_DESCRIPTOR Descriptor, PSECURITY_SUBJECT_CONTEXT Subject, BOOLEAN Locked,
                            ACCESS_MASK Desired, ACCESS_MASK Previous, PPRIVILEGE_SET *Privileges,
                            PGENERIC_MAPPING Mapping, KPROCESSOR_MODE Mode, PACCESS_MASK Granted, PNTSTATUS Status)
{
    PSEP_TOKEN Token = NULL;
    if (Mode != KernelMode && !(Subject->ClientToken && Subject->ImpersonationLevel < SecurityImpersonation))
        Token = SeQuerySubjectContextToken(Subject);
    return SepAccessCheck(Descriptor, Token, Desired, Previous, Privileges, Mapping, Mode, Granted, Status);
}
