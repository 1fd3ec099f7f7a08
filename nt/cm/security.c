/*
 * The security of keys.
 *
 * Each key has a descriptor of its own, shared with those that have the same one (ob/security.c). A new key's comes from its
 * maker and from what its parent passes on. An open by name is checked against the key it finds, a creation against the
 * parent (KEY_CREATE_SUB_KEY, for a link KEY_CREATE_LINK); keys on the way are not asked, as everybody may traverse.
 * (docs: Registry Key Security and Access Rights, SeAssignSecurityEx, REG_QUERY_KEY_SECURITY_INFORMATION)
 */
#include "nt.h"
#include "cm/cmp.h"

/* ---- New keys ---------------------------------------------------------------------------------------------------- */

/* What the last heir got, of which parent's descriptor and by which token: mostly the next one gets the same. */
static struct {
    PSECURITY_DESCRIPTOR Parent, Child; /* referenced, so that a pointer says which */
    LUID Token, Modified;
} CmpLast;

static BOOLEAN CmpIsLast(PSECURITY_DESCRIPTOR Parent, PSEP_TOKEN Token)
{
    return CmpLast.Child && CmpLast.Parent == Parent && RtlEqualLuid(&CmpLast.Token, &Token->TokenId) &&
           RtlEqualLuid(&CmpLast.Modified, &Token->ModifiedId);
}

static VOID CmpRemember(PSECURITY_DESCRIPTOR Parent, PSECURITY_DESCRIPTOR Child, PSEP_TOKEN Token)
{
    ObReferenceSecurityDescriptor(Parent, 1);
    ObReferenceSecurityDescriptor(Child, 1);
    if (CmpLast.Child) {
        ObDereferenceSecurityDescriptor(CmpLast.Parent, 1);
        ObDereferenceSecurityDescriptor(CmpLast.Child, 1);
    }
    CmpLast.Parent = Parent;
    CmpLast.Child = Child;
    CmpLast.Token = Token->TokenId;
    CmpLast.Modified = Token->ModifiedId;
}

NTSTATUS CmpMakeSecurity(PCM_KEY Parent, PSECURITY_DESCRIPTOR Explicit, PSECURITY_DESCRIPTOR *Shared)
{
    PSECURITY_DESCRIPTOR OfParent = Parent ? Parent->Security : NULL, New;
    ULONG Flags = SEF_DACL_AUTO_INHERIT | SEF_SACL_AUTO_INHERIT;
    PSEP_TOKEN Token = SepEffectiveToken();
    BOOLEAN Heir = OfParent && !Explicit;
    *Shared = NULL;
    if (Heir && CmpIsLast(OfParent, Token)) {
        ObReferenceSecurityDescriptor(CmpLast.Child, 1);
        *Shared = CmpLast.Child;
        return STATUS_SUCCESS;
    }
    if (ExGetPreviousMode() == KernelMode)
        Flags |= SEF_AVOID_OWNER_CHECK | SEF_AVOID_PRIVILEGE_CHECK;
    NTSTATUS Status =
        SepAssign(OfParent, Explicit, NULL, TRUE, Flags, Token, &CmpKeyType->Init.Mapping, PagedPool, &New);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObLogSecurityDescriptor(New, Shared, 1);
    SeDeassignSecurity(&New);
    if (Heir && NT_SUCCESS(Status))
        CmpRemember(OfParent, *Shared, Token);
    return Status;
}

/* What Windows 8 and later begin with; everything is passed on to subkeys. */
VOID CmpSetDefaultSecurity(PCM_KEY Key, CM_DEFAULT_SECURITY Kind)
{
    static const struct {
        SID Sid;
        ULONG Second;
    } AllPackages = {{SID_REVISION, 2, {{0, 0, 0, 0, 0, 15}}, {2}}, 1}; /* S-1-15-2-1 */
    const struct {
        PSID Sid;
        ACCESS_MASK Access;
    } Entries[][5] = {[CmSecurityOpen] = {{SeExports->SeLocalSystemSid, KEY_ALL_ACCESS},
                                          {SeExports->SeAliasAdminsSid, KEY_ALL_ACCESS},
                                          {SeExports->SeWorldSid, KEY_READ},
                                          {SeExports->SeRestrictedSid, KEY_READ},
                                          {(PSID)&AllPackages, KEY_READ}},
                      [CmSecurityHive] = {{SeExports->SeAliasUsersSid, KEY_READ},
                                          {SeExports->SeAliasAdminsSid, KEY_ALL_ACCESS},
                                          {SeExports->SeLocalSystemSid, KEY_ALL_ACCESS},
                                          {SeExports->SeCreatorOwnerSid, KEY_ALL_ACCESS},
                                          {(PSID)&AllPackages, KEY_READ}},
                      [CmSecurityClosed] = {{SeExports->SeLocalSystemSid, KEY_ALL_ACCESS},
                                            {SeExports->SeAliasAdminsSid, WRITE_DAC | READ_CONTROL}}};
    UCHAR Room[256];
    PACL Dacl = (PACL)Room;
    PSECURITY_DESCRIPTOR New, Shared;
    RtlCreateAcl(Dacl, sizeof(Room), ACL_REVISION);
    for (ULONG i = 0; i < 5 && Entries[Kind][i].Sid; i++)
        RtlAddAccessAllowedAceEx(Dacl, ACL_REVISION, CONTAINER_INHERIT_ACE, Entries[Kind][i].Access,
                                 Entries[Kind][i].Sid);
    SEP_PARTS Parts = {.Owner = SeExports->SeAliasAdminsSid,
                       .Group = SeExports->SeLocalSystemSid,
                       .HaveDacl = TRUE,
                       .Dacl = Dacl,
                       .Control = SE_DACL_PROTECTED};
    KI_ASSERT(NT_SUCCESS(SepBuild(&Parts, PagedPool, &New)));
    KI_ASSERT(NT_SUCCESS(ObLogSecurityDescriptor(New, &Shared, 1)));
    SeDeassignSecurity(&New);
    CmpReplaceSecurity(Key, Shared);
}

VOID CmpReplaceSecurity(PCM_KEY Key, PSECURITY_DESCRIPTOR Shared)
{
    if (Key->Security)
        ObDereferenceSecurityDescriptor(Key->Security, 1);
    Key->Security = Shared;
}

/* ---- Access ------------------------------------------------------------------------------------------------------ */

NTSTATUS CmpCheckKey(PCM_KEY Key, ACCESS_MASK Desired, KPROCESSOR_MODE Mode, PACCESS_MASK Granted)
{
    return ObpCheckDescriptor(Key->Security, CmpKeyType, Desired, Mode, Granted);
}

/* Who makes a key gets what he asks for; the right to see its system list is a privilege. */
NTSTATUS CmpCheckCreation(PCM_KEY Parent, BOOLEAN Link, ACCESS_MASK Desired, KPROCESSOR_MODE Mode, PACCESS_MASK Granted)
{
    ACCESS_MASK OfParent;
    NTSTATUS Status = CmpCheckKey(Parent, KEY_CREATE_SUB_KEY | (Link ? KEY_CREATE_LINK : 0), Mode, &OfParent);
    if (!NT_SUCCESS(Status))
        return Status;
    if ((Desired & ACCESS_SYSTEM_SECURITY) && !SepHasPrivilege(SE_SECURITY_PRIVILEGE, Mode))
        return STATUS_PRIVILEGE_NOT_HELD;
    return ObpCaptureAccess(CmpKeyType, Desired, Granted);
}

/* docs: RegCreateKeyEx: with REG_OPTION_BACKUP_RESTORE privileges stand in the place of the access asked for. */
BOOLEAN CmpAccessByPrivilege(KPROCESSOR_MODE Mode, PACCESS_MASK Granted)
{
    *Granted = 0;
    if (SepHasPrivilege(SE_BACKUP_PRIVILEGE, Mode))
        *Granted |= KEY_READ | ACCESS_SYSTEM_SECURITY;
    if (SepHasPrivilege(SE_RESTORE_PRIVILEGE, Mode))
        *Granted |= KEY_WRITE | DELETE | WRITE_DAC | WRITE_OWNER | ACCESS_SYSTEM_SECURITY;
    return *Granted != 0;
}

/* ---- The type's method ------------------------------------------------------------------------------------------- */

static NTSTATUS CmpQuerySecurity(PCM_KEY_BODY Body, PSECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor,
                                 PULONG Length)
{
    REG_QUERY_KEY_SECURITY_INFORMATION Information = {
        .Object = Body, .SecurityInformation = What, .SecurityDescriptor = Descriptor, .Length = Length};
    CM_CALL Call = CM_CALL_OF(RegNtPreQueryKeySecurity, RegNtPostQueryKeySecurity, Information);
    NTSTATUS Status;
    if (CmpBefore(&Call, &Status) && NT_SUCCESS(Status = CmpMayRead(Body)))
        Status = SeQuerySecurityDescriptorInfo(What, Descriptor, Length, &Body->Key->Security);
    return CmpAfter(&Call, Body, Status);
}

static NTSTATUS CmpChangeSecurity(PCM_KEY_BODY Body, PSECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor,
                                  POOL_TYPE Pool, PGENERIC_MAPPING Mapping)
{
    NTSTATUS Status = CmpMayWrite(Body);
    if (NT_SUCCESS(Status))
        Status = ObSetSecurityDescriptorInfo(Body, What, Descriptor, &Body->Key->Security, Pool, Mapping);
    if (!NT_SUCCESS(Status))
        return Status;
    CmpTouch(Body->Key);
    CmpNotify(Body->Key, REG_NOTIFY_CHANGE_SECURITY);
    return STATUS_SUCCESS;
}

NTSTATUS CmpSecurityMethod(PVOID Object, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                           PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects,
                           POOL_TYPE Pool, PGENERIC_MAPPING Mapping)
{
    NTSTATUS Status;
    if (Operation == QuerySecurityDescriptor)
        return CmpQuerySecurity(Object, What, Descriptor, Length);
    if (Operation != SetSecurityDescriptor)
        return STATUS_SUCCESS; /* the key has its own, whatever objects stand for it */
    REG_SET_KEY_SECURITY_INFORMATION Information = {
        .Object = Object, .SecurityInformation = What, .SecurityDescriptor = Descriptor};
    CM_CALL Call = CM_CALL_OF(RegNtPreSetKeySecurity, RegNtPostSetKeySecurity, Information);
    if (CmpBefore(&Call, &Status))
        Status = CmpChangeSecurity(Object, What, Descriptor, Pool, Mapping);
    return CmpAfter(&Call, Object, Status);
}
