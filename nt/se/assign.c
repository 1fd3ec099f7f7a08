/*
 * The security of a new object: what its maker asks for, what the container passes on, what the maker's token has by
 * default, in this order.
 *
 * An inheritable entry becomes one that holds on the object, or one that is only passed on, or both: where it holds,
 * generic rights are replaced by the type's and the two creator identifiers by the new owner and group; where it is
 * passed on it stays as it was. (docs: SeAssignSecurityEx, ACE Inheritance Rules, DACL for a New Object)
 */
#include "nt.h"

#define SEP_INHERIT_FLAGS (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE | NO_PROPAGATE_INHERIT_ACE | INHERIT_ONLY_ACE)

typedef struct _SEP_INHERIT {
    PACL List; /* NULL = only count */
    ULONG Bytes, Count;
    PSID Owner, Group;
    const GENERIC_MAPPING *Mapping;
    const GUID *ObjectType;
    BOOLEAN Container, Auto;
} SEP_INHERIT, *PSEP_INHERIT;

static BOOLEAN SepIsObjectAce(PACE_HEADER Ace)
{
    return Ace->AceType >= ACCESS_MIN_MS_OBJECT_ACE_TYPE && Ace->AceType <= ACCESS_MAX_MS_OBJECT_ACE_TYPE;
}

/* Where the identifier of an entry begins. */
static ULONG SepSidOffset(PACE_HEADER Ace)
{
    PACCESS_ALLOWED_OBJECT_ACE Object = (PVOID)Ace;
    if (!SepIsObjectAce(Ace))
        return FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart);
    return FIELD_OFFSET(ACCESS_ALLOWED_OBJECT_ACE, ObjectType) +
           (Object->Flags & ACE_OBJECT_TYPE_PRESENT ? sizeof(GUID) : 0) +
           (Object->Flags & ACE_INHERITED_OBJECT_TYPE_PRESENT ? sizeof(GUID) : 0);
}

static PSID SepCreatorReplacement(PSEP_INHERIT To, PSID Sid)
{
    if (RtlEqualSid(Sid, SeExports->SeCreatorOwnerSid))
        return To->Owner;
    return RtlEqualSid(Sid, SeExports->SeCreatorGroupSid) ? To->Group : NULL;
}

/* What an entry's rights are where it holds: the type's own, and nothing that the type does not know. */
static ACCESS_MASK SepEffectiveMask(PSEP_INHERIT To, PACE_HEADER Ace)
{
    ACCESS_MASK Mask = ((PACCESS_ALLOWED_ACE)Ace)->Mask;
    RtlMapGenericMask(&Mask, (PGENERIC_MAPPING)To->Mapping);
    return Ace->AceType == SYSTEM_MANDATORY_LABEL_ACE_TYPE ? Mask : Mask & To->Mapping->GenericAll;
}

/* Does anything in it become something else where it holds? */
static BOOLEAN SepChanges(PSEP_INHERIT To, PACE_HEADER Ace)
{
    return SepEffectiveMask(To, Ace) != ((PACCESS_ALLOWED_ACE)Ace)->Mask ||
           SepCreatorReplacement(To, (PUCHAR)Ace + SepSidOffset(Ace));
}

/* Append Ace, its flags replaced; Effective: with rights mapped and creators replaced. */
static VOID SepAppend(PSEP_INHERIT To, PACE_HEADER Ace, UCHAR Flags, BOOLEAN Effective)
{
    ULONG Offset = SepSidOffset(Ace);
    PSID Sid = (PUCHAR)Ace + Offset, New = Effective ? SepCreatorReplacement(To, Sid) : NULL;
    ULONG Rest = Ace->AceSize - Offset - RtlLengthSid(Sid); /* what callback entries have behind the identifier */
    ULONG Bytes = Offset + RtlLengthSid(New ? New : Sid) + Rest;
    if (To->List) {
        PACCESS_ALLOWED_ACE At = (PVOID)((PUCHAR)To->List + To->Bytes);
        RtlCopyMemory(At, Ace, Offset);
        RtlCopyMemory((PUCHAR)At + Offset, New ? New : Sid, RtlLengthSid(New ? New : Sid));
        RtlCopyMemory((PUCHAR)At + Bytes - Rest, (PUCHAR)Ace + Ace->AceSize - Rest, Rest);
        At->Header.AceSize = (USHORT)Bytes;
        At->Header.AceFlags = Flags;
        if (Effective)
            At->Mask = SepEffectiveMask(To, Ace);
    }
    To->Bytes += Bytes;
    To->Count++;
}

/* An entry that names the type of object it is for, and this is another. */
static BOOLEAN SepOtherType(PSEP_INHERIT To, PACE_HEADER Ace)
{
    PACCESS_ALLOWED_OBJECT_ACE Object = (PVOID)Ace;
    if (!SepIsObjectAce(Ace) || !(Object->Flags & ACE_INHERITED_OBJECT_TYPE_PRESENT))
        return FALSE;
    const GUID *Guid = Object->Flags & ACE_OBJECT_TYPE_PRESENT ? &Object->InheritedObjectType : &Object->ObjectType;
    return !To->ObjectType || memcmp(Guid, To->ObjectType, sizeof(GUID)) != 0;
}

static VOID SepInheritAce(PSEP_INHERIT To, PACE_HEADER Ace)
{
    UCHAR Flags = Ace->AceFlags, Kept = Flags & ~(SEP_INHERIT_FLAGS | INHERITED_ACE);
    UCHAR Passed = Flags & (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE);
    BOOLEAN Holds = (Flags & (To->Container ? CONTAINER_INHERIT_ACE : OBJECT_INHERIT_ACE)) && !SepOtherType(To, Ace);
    BOOLEAN Passes = To->Container && Passed && !(Flags & NO_PROPAGATE_INHERIT_ACE);
    if (To->Auto)
        Kept |= INHERITED_ACE;
    if (Holds && Passes) {
        if (!SepChanges(To, Ace)) { /* one entry does for both */
            SepAppend(To, Ace, Kept | Passed, FALSE);
            return;
        }
        SepAppend(To, Ace, Kept, TRUE);
        SepAppend(To, Ace, Kept | Passed | INHERIT_ONLY_ACE, FALSE);
    } else if (Holds)
        SepAppend(To, Ace, Kept, TRUE);
    else if (Passes)
        SepAppend(To, Ace, Kept | Passed | INHERIT_ONLY_ACE, FALSE);
}

/* An entry the maker asked for holds on the object with the type's rights. Whom it names stays, creators too, unless
 * inheritance is automatic. */
static VOID SepOwnAce(PSEP_INHERIT To, PACE_HEADER Ace)
{
    UCHAR Passed = Ace->AceFlags & (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE);
    if (Ace->AceFlags & INHERIT_ONLY_ACE)
        SepAppend(To, Ace, Ace->AceFlags, FALSE);
    else if (!To->Auto) {
        PSID Owner = To->Owner, Group = To->Group;
        To->Owner = To->Group = NULL;
        SepAppend(To, Ace, Ace->AceFlags, TRUE);
        To->Owner = Owner;
        To->Group = Group;
    } else if (To->Container && Passed && SepChanges(To, Ace)) {
        SepAppend(To, Ace, Ace->AceFlags & ~SEP_INHERIT_FLAGS, TRUE);
        SepAppend(To, Ace, Ace->AceFlags | INHERIT_ONLY_ACE, FALSE);
    } else
        SepAppend(To, Ace, Ace->AceFlags, TRUE);
}

static VOID SepWalkLists(PSEP_INHERIT To, PACL Own, PACL Parent)
{
    PACE_HEADER Ace;
    To->Bytes = sizeof(ACL);
    To->Count = 0;
    for (ULONG i = 0; Own && i < Own->AceCount; i++)
        if (NT_SUCCESS(RtlGetAce(Own, i, (PVOID *)&Ace)) && !(Parent && (Ace->AceFlags & INHERITED_ACE)))
            SepOwnAce(To, Ace);
    for (ULONG i = 0; Parent && i < Parent->AceCount; i++)
        if (NT_SUCCESS(RtlGetAce(Parent, i, (PVOID *)&Ace)))
            SepInheritAce(To, Ace);
}

/* The new list of the maker's entries and the container's; NULL = no entries came of it. */
static PACL SepMakeList(PSEP_INHERIT To, PACL Own, PACL Parent)
{
    UCHAR Revision = ACL_REVISION;
    if (Own && Own->AclRevision > Revision)
        Revision = Own->AclRevision;
    if (Parent && Parent->AclRevision > Revision)
        Revision = Parent->AclRevision;
    To->List = NULL;
    SepWalkLists(To, Own, Parent);
    if (!To->Count && !Own)
        return NULL;
    ULONG Bytes = To->Bytes;
    PACL List = ExpAllocate(Bytes, SEP_TAG);
    RtlCreateAcl(List, Bytes, Revision);
    To->List = List;
    SepWalkLists(To, Own, Parent);
    List->AceCount = (USHORT)To->Count;
    return List;
}

typedef struct _SEP_CHOICE {
    PACL List;
    BOOLEAN Present, Inherited;
} SEP_CHOICE;

/* docs: DACL for a New Object (and the same for a SACL, which has no default). */
static SEP_CHOICE SepChoose(PSEP_INHERIT To, BOOLEAN HaveOwn, PACL Own, USHORT OwnControl, BOOLEAN HaveParent,
                            PACL Parent, PACL Default, BOOLEAN Auto, USHORT Protected, USHORT Defaulted)
{
    SEP_CHOICE Choice = {0};
    BOOLEAN Explicit = HaveOwn && !(OwnControl & Defaulted);
    if (!HaveParent)
        Parent = NULL;
    if (Explicit) {
        BOOLEAN Merge = Auto && Own && !(OwnControl & Protected);
        Choice.Present = TRUE;
        Choice.List = Own ? SepMakeList(To, Own, Merge ? Parent : NULL) : NULL;
        Choice.Inherited = Merge;
        return Choice;
    }
    Choice.List = Parent ? SepMakeList(To, NULL, Parent) : NULL;
    if (Choice.List) {
        Choice.Present = TRUE;
        Choice.Inherited = Auto;
        return Choice;
    }
    if (HaveOwn)
        Default = Own;
    else if (!Default)
        return Choice;
    Choice.Present = TRUE;
    Choice.List = Default ? SepMakeList(To, Default, NULL) : NULL;
    return Choice;
}

BOOLEAN SepMayBeOwner(const SEP_TOKEN *Token, PSID Owner)
{
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
        if (RtlEqualSid(Token->UserAndGroups[i].Sid, Owner) &&
            (i == 0 || (Token->UserAndGroups[i].Attributes & SE_GROUP_OWNER)))
            return TRUE;
    return (Token->Enabled & SEP_BIT(SE_RESTORE_PRIVILEGE)) != 0;
}

NTSTATUS SepAssign(PSECURITY_DESCRIPTOR ParentDescriptor, PSECURITY_DESCRIPTOR ExplicitDescriptor, GUID *ObjectType,
                   BOOLEAN Container, ULONG Flags, const SEP_TOKEN *Token, const GENERIC_MAPPING *Mapping,
                   POOL_TYPE Pool, PSECURITY_DESCRIPTOR *Result)
{
    SEP_PARTS Parent, Own, New = {0};
    SepTakeApart(ParentDescriptor, &Parent);
    SepTakeApart(ExplicitDescriptor, &Own);
    *Result = NULL;
    New.Owner = Own.Owner                                 ? Own.Owner
                : (Flags & SEF_DEFAULT_OWNER_FROM_PARENT) ? Parent.Owner
                                                          : Token->UserAndGroups[Token->OwnerIndex].Sid;
    New.Group = Own.Group ? Own.Group : (Flags & SEF_DEFAULT_GROUP_FROM_PARENT) ? Parent.Group : Token->PrimaryGroup;
    if (!New.Owner)
        return STATUS_INVALID_OWNER;
    if (!New.Group)
        return STATUS_INVALID_PRIMARY_GROUP;
    if (Own.Owner && !(Flags & SEF_AVOID_OWNER_CHECK) && !SepMayBeOwner(Token, Own.Owner))
        return STATUS_INVALID_OWNER;
    if (Own.HaveSacl && Own.Sacl && Own.Sacl->AceCount && !(Flags & SEF_AVOID_PRIVILEGE_CHECK) &&
        !(Token->Enabled & SEP_BIT(SE_SECURITY_PRIVILEGE)))
        return STATUS_PRIVILEGE_NOT_HELD;
    SEP_INHERIT To = {.Owner = New.Owner,
                      .Group = New.Group,
                      .Mapping = Mapping,
                      .ObjectType = ObjectType,
                      .Container = Container,
                      .Auto = (Flags & SEF_DACL_AUTO_INHERIT) != 0};
    SEP_CHOICE Dacl = SepChoose(&To, Own.HaveDacl, Own.Dacl, Own.Control, Parent.HaveDacl, Parent.Dacl,
                                Token->DefaultDacl, To.Auto, SE_DACL_PROTECTED, SE_DACL_DEFAULTED);
    To.Auto = (Flags & SEF_SACL_AUTO_INHERIT) != 0;
    SEP_CHOICE Sacl = SepChoose(&To, Own.HaveSacl, Own.Sacl, Own.Control, Parent.HaveSacl, Parent.Sacl, NULL, To.Auto,
                                SE_SACL_PROTECTED, SE_SACL_DEFAULTED);
    New.HaveDacl = Dacl.Present;
    New.Dacl = Dacl.List;
    New.HaveSacl = Sacl.Present;
    New.Sacl = Sacl.List;
    New.Control = (Own.Control & (SE_DACL_PROTECTED | SE_SACL_PROTECTED | SE_RM_CONTROL_VALID)) |
                  (Dacl.Inherited ? SE_DACL_AUTO_INHERITED : 0) | (Sacl.Inherited ? SE_SACL_AUTO_INHERITED : 0);
    NTSTATUS Status = SepBuild(&New, Pool, Result);
    if (Dacl.List)
        ExpFree(Dacl.List);
    if (Sacl.List)
        ExpFree(Sacl.List);
    return Status;
}

/* ---- Exports ----------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI SeAssignSecurityEx(PSECURITY_DESCRIPTOR Parent, PSECURITY_DESCRIPTOR Explicit,
                                  PSECURITY_DESCRIPTOR *NewDescriptor, GUID *ObjectType, BOOLEAN IsDirectory,
                                  ULONG AutoInheritFlags, PSECURITY_SUBJECT_CONTEXT Subject, PGENERIC_MAPPING Mapping,
                                  POOL_TYPE PoolType)
{
    if (!Subject) {
        *NewDescriptor = NULL;
        return STATUS_NO_TOKEN;
    }
    if (Subject->ClientToken && Subject->ImpersonationLevel < SecurityImpersonation) {
        *NewDescriptor = NULL;
        return STATUS_BAD_IMPERSONATION_LEVEL;
    }
    return SepAssign(Parent, Explicit, ObjectType, IsDirectory, AutoInheritFlags, SeQuerySubjectContextToken(Subject),
                     Mapping, PoolType, NewDescriptor);
}

NTSTATUS NTAPI SeAssignSecurity(PSECURITY_DESCRIPTOR Parent, PSECURITY_DESCRIPTOR Explicit,
                                PSECURITY_DESCRIPTOR *NewDescriptor, BOOLEAN IsDirectory,
                                PSECURITY_SUBJECT_CONTEXT Subject, PGENERIC_MAPPING Mapping, POOL_TYPE PoolType)
{
    return SeAssignSecurityEx(Parent, Explicit, NewDescriptor, NULL, IsDirectory, 0, Subject, Mapping, PoolType);
}

/* docs: SeDeassignSecurity: the pointer is cleared. */
NTSTATUS NTAPI SeDeassignSecurity(PSECURITY_DESCRIPTOR *Descriptor)
{
    if (*Descriptor)
        ExFreePoolWithTag(*Descriptor, 0);
    *Descriptor = NULL;
    return STATUS_SUCCESS;
}
