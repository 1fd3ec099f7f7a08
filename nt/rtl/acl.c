/*
 * More of access control lists, identifiers and descriptors: what security services beyond the plain ones need. Like
 * sid.c: in the caller's memory, every list checked against its own size before it is walked.
 */
#include "nt.h"

BOOLEAN RtlpValidAcl(const ACL *Acl); /* sid.c */

/* docs: GetAclInformation; the headers for drivers leave these out. */
enum { AclRevisionInformation = 1, AclSizeInformation = 2 };
typedef struct _ACL_SIZE_INFORMATION {
    ULONG AceCount, AclBytesInUse, AclBytesFree;
} ACL_SIZE_INFORMATION, *PACL_SIZE_INFORMATION;

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

static BOOLEAN RtlpValidAce(PACE_HEADER Ace)
{
    ULONG Sid = FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart);
    if (Ace->AceSize & 3)
        return FALSE;
    if (Ace->AceType > SYSTEM_ALARM_ACE_TYPE) /* what follows the mask differs; the size was checked */
        return TRUE;
    if (Ace->AceSize < Sid + FIELD_OFFSET(SID, SubAuthority))
        return FALSE;
    return RtlValidSid((PUCHAR)Ace + Sid) && Sid + RtlLengthSid((PUCHAR)Ace + Sid) <= Ace->AceSize;
}

BOOLEAN NTAPI RtlValidAcl(PACL Acl)
{
    PACE_HEADER Ace;
    if (!Acl || (Acl->AclSize & 3) || !RtlpValidAcl(Acl))
        return FALSE;
    for (ULONG i = 0; i < Acl->AceCount; i++)
        if (!NT_SUCCESS(RtlGetAce(Acl, i, (PVOID *)&Ace)) || !RtlpValidAce(Ace))
            return FALSE;
    return TRUE;
}

/* TRUE if the list is whole; *FirstFree is NULL when it is full. */
BOOLEAN NTAPI RtlFirstFreeAce(PACL Acl, PVOID *FirstFree)
{
    ULONG At = sizeof(ACL);
    PACE_HEADER Ace;
    *FirstFree = NULL;
    if (!RtlpValidAcl(Acl))
        return FALSE;
    for (ULONG i = 0; i < Acl->AceCount && NT_SUCCESS(RtlGetAce(Acl, i, (PVOID *)&Ace)); i++)
        At += Ace->AceSize;
    if (At < Acl->AclSize)
        *FirstFree = (PUCHAR)Acl + At;
    return TRUE;
}

NTSTATUS NTAPI RtlQueryInformationAcl(PACL Acl, PVOID Buffer, ULONG Bytes, ULONG Class)
{
    PVOID Free;
    if (!RtlFirstFreeAce(Acl, &Free))
        return STATUS_INVALID_PARAMETER;
    if (Class == AclRevisionInformation) {
        if (Bytes < sizeof(ULONG))
            return STATUS_BUFFER_TOO_SMALL;
        *(PULONG)Buffer = Acl->AclRevision;
        return STATUS_SUCCESS;
    }
    if (Class != AclSizeInformation)
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < sizeof(ACL_SIZE_INFORMATION))
        return STATUS_BUFFER_TOO_SMALL;
    PACL_SIZE_INFORMATION Size = Buffer;
    Size->AceCount = Acl->AceCount;
    Size->AclBytesInUse = Free ? (ULONG)((PUCHAR)Free - (PUCHAR)Acl) : Acl->AclSize;
    Size->AclBytesFree = Acl->AclSize - Size->AclBytesInUse;
    return STATUS_SUCCESS;
}

/* The next entry of this type from *Index on (NULL = from the first). */
PVOID NTAPI RtlFindAceByType(PACL Acl, UCHAR AceType, PULONG Index)
{
    PACE_HEADER Ace;
    for (ULONG i = Index ? *Index : 0; Acl && i < Acl->AceCount; i++)
        if (NT_SUCCESS(RtlGetAce(Acl, i, (PVOID *)&Ace)) && Ace->AceType == AceType) {
            if (Index)
                *Index = i;
            return Ace;
        }
    return NULL;
}

/* OWNER RIGHTS, S-1-3-4 */
static const struct {
    UCHAR Revision, Count, Authority[6];
    ULONG Sub;
} RtlpOwnerRights = {1, 1, {0, 0, 0, 0, 0, 3}, 4};

BOOLEAN NTAPI RtlOwnerAcesPresent(PACL Acl)
{
    PACCESS_ALLOWED_ACE Ace;
    for (ULONG i = 0; Acl && i < Acl->AceCount; i++)
        if (NT_SUCCESS(RtlGetAce(Acl, i, (PVOID *)&Ace)) && !(Ace->Header.AceFlags & INHERIT_ONLY_ACE) &&
            Ace->Header.AceType <= ACCESS_DENIED_ACE_TYPE && RtlEqualSid(&Ace->SidStart, (PSID)&RtlpOwnerRights))
            return TRUE;
    return FALSE;
}

/* ---- Adding entries ---------------------------------------------------------------------------------------------- */

static NTSTATUS RtlpAppendAce(PACL Acl, ULONG Revision, UCHAR Type, ULONG Flags, ULONG Valid, ACCESS_MASK Mask,
                              const GUID *ObjectType, const GUID *InheritedType, BOOLEAN Object, PSID Sid)
{
    ULONG Guids = (ObjectType != NULL) + (InheritedType != NULL);
    ULONG Header = Object ? FIELD_OFFSET(ACCESS_ALLOWED_OBJECT_ACE, ObjectType) + Guids * sizeof(GUID)
                          : FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart);
    PVOID Free;
    if (!RtlValidSid(Sid))
        return STATUS_INVALID_SID;
    if (Revision > ACL_REVISION_DS || Revision < ACL_REVISION || Acl->AclRevision > ACL_REVISION_DS)
        return STATUS_REVISION_MISMATCH;
    if (!RtlFirstFreeAce(Acl, &Free))
        return STATUS_INVALID_ACL;
    if (Flags & ~Valid)
        return STATUS_INVALID_PARAMETER;
    ULONG Bytes = Header + RtlLengthSid(Sid);
    if (!Free || (PUCHAR)Free + Bytes > (PUCHAR)Acl + Acl->AclSize)
        return STATUS_ALLOTTED_SPACE_EXCEEDED;
    PACCESS_ALLOWED_OBJECT_ACE Ace = Free;
    Ace->Header = (ACE_HEADER){.AceType = Type, .AceFlags = (UCHAR)Flags, .AceSize = (USHORT)Bytes};
    Ace->Mask = Mask;
    if (Object) {
        GUID *At = (GUID *)&Ace->ObjectType;
        Ace->Flags =
            (ObjectType ? ACE_OBJECT_TYPE_PRESENT : 0) | (InheritedType ? ACE_INHERITED_OBJECT_TYPE_PRESENT : 0);
        if (ObjectType)
            *At++ = *ObjectType;
        if (InheritedType)
            *At = *InheritedType;
    }
    memcpy((PUCHAR)Free + Header, Sid, RtlLengthSid(Sid));
    Acl->AceCount++;
    if (Revision > Acl->AclRevision)
        Acl->AclRevision = (UCHAR)Revision;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAddAccessDeniedAceEx(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Mask, PSID Sid)
{
    return RtlpAppendAce(Acl, Revision, ACCESS_DENIED_ACE_TYPE, Flags, VALID_INHERIT_FLAGS, Mask, NULL, NULL, FALSE,
                         Sid);
}

NTSTATUS NTAPI RtlAddAuditAccessAceEx(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Mask, PSID Sid,
                                      BOOLEAN Success, BOOLEAN Failure)
{
    Flags |= (Success ? SUCCESSFUL_ACCESS_ACE_FLAG : 0) | (Failure ? FAILED_ACCESS_ACE_FLAG : 0);
    return RtlpAppendAce(Acl, Revision, SYSTEM_AUDIT_ACE_TYPE, Flags,
                         VALID_INHERIT_FLAGS | SUCCESSFUL_ACCESS_ACE_FLAG | FAILED_ACCESS_ACE_FLAG, Mask, NULL, NULL,
                         FALSE, Sid);
}

NTSTATUS NTAPI RtlAddAccessAllowedObjectAce(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Mask, GUID *ObjectType,
                                            GUID *InheritedType, PSID Sid)
{
    BOOLEAN Object = ObjectType || InheritedType;
    return RtlpAppendAce(Acl, Revision, Object ? ACCESS_ALLOWED_OBJECT_ACE_TYPE : ACCESS_ALLOWED_ACE_TYPE, Flags,
                         VALID_INHERIT_FLAGS, Mask, ObjectType, InheritedType, Object, Sid);
}

NTSTATUS NTAPI RtlAddAccessDeniedObjectAce(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Mask, GUID *ObjectType,
                                           GUID *InheritedType, PSID Sid)
{
    BOOLEAN Object = ObjectType || InheritedType;
    return RtlpAppendAce(Acl, Revision, Object ? ACCESS_DENIED_OBJECT_ACE_TYPE : ACCESS_DENIED_ACE_TYPE, Flags,
                         VALID_INHERIT_FLAGS, Mask, ObjectType, InheritedType, Object, Sid);
}

/* ---- Identifiers and ids ----------------------------------------------------------------------------------------- */

/* docs: RtlInitializeSidEx: the subauthorities follow as arguments. */
NTSTATUS RtlInitializeSidEx(PSID Sid, PSID_IDENTIFIER_AUTHORITY Authority, UCHAR Count, ...)
{
    va_list Arguments;
    NTSTATUS Status = RtlInitializeSid(Sid, Authority, Count);
    if (!NT_SUCCESS(Status))
        return Status;
        /* its page has a UCHAR before the dots, which C would rather not */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wvarargs"
    va_start(Arguments, Count);
#pragma clang diagnostic pop
    for (ULONG i = 0; i < Count; i++)
        *RtlSubAuthoritySid(Sid, i) = va_arg(Arguments, ULONG);
    va_end(Arguments);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlCopySidAndAttributesArray(ULONG Count, PSID_AND_ATTRIBUTES From, ULONG SidBytes,
                                            PSID_AND_ATTRIBUTES To, PSID SidArea, PSID *NextSid, PULONG Left)
{
    PUCHAR At = SidArea;
    for (ULONG i = 0; i < Count; i++) {
        ULONG Bytes = RtlLengthSid(From[i].Sid);
        if (Bytes > SidBytes)
            return STATUS_BUFFER_TOO_SMALL;
        SidBytes -= Bytes;
        memcpy(At, From[i].Sid, Bytes);
        To[i].Sid = At;
        To[i].Attributes = From[i].Attributes;
        At += Bytes;
    }
    *NextSid = At;
    *Left = SidBytes;
    return STATUS_SUCCESS;
}

VOID NTAPI RtlCopyLuidAndAttributesArray(ULONG Count, PLUID_AND_ATTRIBUTES From, PLUID_AND_ATTRIBUTES To)
{
    memmove(To, From, Count * sizeof(*To));
}

/* ---- Descriptors ------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI RtlGetControlSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSECURITY_DESCRIPTOR_CONTROL Control,
                                               PULONG Revision)
{
    PISECURITY_DESCRIPTOR D = Descriptor;
    *Revision = D->Revision;
    if (D->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    *Control = D->Control;
    return STATUS_SUCCESS;
}

#define RTLP_SETTABLE                                                                                                  \
    (SE_DACL_UNTRUSTED | SE_SERVER_SECURITY | SE_DACL_AUTO_INHERIT_REQ | SE_SACL_AUTO_INHERIT_REQ |                    \
     SE_DACL_AUTO_INHERITED | SE_SACL_AUTO_INHERITED | SE_DACL_PROTECTED | SE_SACL_PROTECTED)
#ifndef SE_DACL_UNTRUSTED
#define SE_DACL_UNTRUSTED 0x40
#define SE_SERVER_SECURITY 0x80
#endif

/* docs: SetSecurityDescriptorControl: the flags about inheritance only. */
NTSTATUS NTAPI RtlSetControlSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, SECURITY_DESCRIPTOR_CONTROL Which,
                                               SECURITY_DESCRIPTOR_CONTROL Value)
{
    PISECURITY_DESCRIPTOR D = Descriptor;
    if (D->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    if ((Which & ~RTLP_SETTABLE) || (Value & ~Which))
        return STATUS_INVALID_PARAMETER;
    D->Control = (D->Control & ~Which) | Value;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlCreateSecurityDescriptorRelative(PISECURITY_DESCRIPTOR_RELATIVE Descriptor, ULONG Revision)
{
    if (Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    RtlZeroMemory(Descriptor, sizeof(*Descriptor));
    Descriptor->Revision = SECURITY_DESCRIPTOR_REVISION;
    Descriptor->Control = SE_SELF_RELATIVE;
    return STATUS_SUCCESS;
}

static BOOLEAN RtlpSidWithin(PUCHAR Base, ULONG Length, ULONG Offset)
{
    if (Offset & 3 || Offset < sizeof(SECURITY_DESCRIPTOR_RELATIVE) || Offset >= Length ||
        Length - Offset < FIELD_OFFSET(SID, SubAuthority))
        return FALSE;
    return RtlValidSid(Base + Offset) && RtlLengthSid(Base + Offset) <= Length - Offset;
}

static BOOLEAN RtlpAclWithin(PUCHAR Base, ULONG Length, ULONG Offset)
{
    if (Offset & 3 || Offset < sizeof(SECURITY_DESCRIPTOR_RELATIVE) || Offset >= Length ||
        Length - Offset < sizeof(ACL))
        return FALSE;
    return ((PACL)(Base + Offset))->AclSize <= Length - Offset && RtlValidAcl((PACL)(Base + Offset));
}

/* docs: RtlValidRelativeSecurityDescriptor: whole within Length, and with the parts that Required asks for. */
BOOLEAN NTAPI RtlValidRelativeSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Length,
                                                 SECURITY_INFORMATION Required)
{
    PISECURITY_DESCRIPTOR_RELATIVE D = Descriptor;
    PUCHAR Base = Descriptor;
    if (Length < sizeof(*D) || D->Revision != SECURITY_DESCRIPTOR_REVISION || !(D->Control & SE_SELF_RELATIVE))
        return FALSE;
    if (D->Owner ? !RtlpSidWithin(Base, Length, D->Owner) : (Required & OWNER_SECURITY_INFORMATION) != 0)
        return FALSE;
    if (D->Group ? !RtlpSidWithin(Base, Length, D->Group) : (Required & GROUP_SECURITY_INFORMATION) != 0)
        return FALSE;
    if (!(D->Control & SE_DACL_PRESENT) ? (Required & DACL_SECURITY_INFORMATION) != 0
                                        : D->Dacl && !RtlpAclWithin(Base, Length, D->Dacl))
        return FALSE;
    return !(D->Control & SE_SACL_PRESENT) ? !(Required & SACL_SECURITY_INFORMATION)
                                           : !D->Sacl || RtlpAclWithin(Base, Length, D->Sacl);
}

/* One part into the caller's room: its needed size is told in any case. */
static BOOLEAN RtlpFits(ULONG Need, PVOID Room, PULONG RoomBytes)
{
    BOOLEAN Fits = !Need || (Room && *RoomBytes >= Need);
    *RoomBytes = Need;
    return Fits;
}

/* docs: RtlSelfRelativeToAbsoluteSD: STATUS_BUFFER_TOO_SMALL when one of the buffers is; all sizes are told then. */
NTSTATUS NTAPI RtlSelfRelativeToAbsoluteSD(PSECURITY_DESCRIPTOR Relative, PSECURITY_DESCRIPTOR Absolute,
                                           PULONG AbsoluteBytes, PACL Dacl, PULONG DaclBytes, PACL Sacl,
                                           PULONG SaclBytes, PSID Owner, PULONG OwnerBytes, PSID Group,
                                           PULONG GroupBytes)
{
    PISECURITY_DESCRIPTOR From = Relative, To = Absolute;
    PSID FromOwner = NULL, FromGroup = NULL;
    PACL FromDacl = NULL, FromSacl = NULL;
    BOOLEAN Defaulted, Present;
    if (!(From->Control & SE_SELF_RELATIVE))
        return STATUS_BAD_DESCRIPTOR_FORMAT;
    RtlGetOwnerSecurityDescriptor(From, &FromOwner, &Defaulted);
    RtlGetGroupSecurityDescriptor(From, &FromGroup, &Defaulted);
    RtlGetDaclSecurityDescriptor(From, &Present, &FromDacl, &Defaulted);
    RtlGetSaclSecurityDescriptor(From, &Present, &FromSacl, &Defaulted);
    BOOLEAN Fits = RtlpFits(sizeof(*To), To, AbsoluteBytes);
    Fits &= RtlpFits(FromDacl ? FromDacl->AclSize : 0, Dacl, DaclBytes);
    Fits &= RtlpFits(FromSacl ? FromSacl->AclSize : 0, Sacl, SaclBytes);
    Fits &= RtlpFits(FromOwner ? RtlLengthSid(FromOwner) : 0, Owner, OwnerBytes);
    Fits &= RtlpFits(FromGroup ? RtlLengthSid(FromGroup) : 0, Group, GroupBytes);
    if (!Fits)
        return STATUS_BUFFER_TOO_SMALL;
    RtlZeroMemory(To, sizeof(*To));
    To->Revision = From->Revision;
    To->Sbz1 = From->Sbz1;
    To->Control = From->Control & ~SE_SELF_RELATIVE;
    if (FromOwner)
        To->Owner = memcpy(Owner, FromOwner, *OwnerBytes);
    if (FromGroup)
        To->Group = memcpy(Group, FromGroup, *GroupBytes);
    if (FromDacl)
        To->Dacl = memcpy(Dacl, FromDacl, *DaclBytes);
    if (FromSacl)
        To->Sacl = memcpy(Sacl, FromSacl, *SaclBytes);
    return STATUS_SUCCESS;
}

/* In place: the absolute form needs room for pointers where the other has offsets. */
NTSTATUS NTAPI RtlSelfRelativeToAbsoluteSD2(PSECURITY_DESCRIPTOR Descriptor, PULONG Bytes)
{
    PISECURITY_DESCRIPTOR_RELATIVE From = Descriptor;
    const ULONG Grown = sizeof(SECURITY_DESCRIPTOR) - sizeof(SECURITY_DESCRIPTOR_RELATIVE);
    if (!Descriptor)
        return STATUS_INVALID_PARAMETER_1;
    if (!Bytes)
        return STATUS_INVALID_PARAMETER_2;
    if (!(From->Control & SE_SELF_RELATIVE))
        return STATUS_BAD_DESCRIPTOR_FORMAT;
    ULONG Length = RtlLengthSecurityDescriptor(From);
    if (*Bytes < Length + Grown) {
        *Bytes = Length + Grown;
        return STATUS_BUFFER_TOO_SMALL;
    }
    SECURITY_DESCRIPTOR_RELATIVE Old = *From;
    PUCHAR Base = Descriptor;
    memmove(Base + sizeof(SECURITY_DESCRIPTOR), Base + sizeof(Old), Length - sizeof(Old));
    PISECURITY_DESCRIPTOR To = Descriptor;
    To->Control = Old.Control & ~SE_SELF_RELATIVE;
    To->Owner = Old.Owner ? Base + Old.Owner + Grown : NULL;
    To->Group = Old.Group ? Base + Old.Group + Grown : NULL;
    To->Sacl = Old.Sacl ? (PACL)(Base + Old.Sacl + Grown) : NULL;
    To->Dacl = Old.Dacl ? (PACL)(Base + Old.Dacl + Grown) : NULL;
    return STATUS_SUCCESS;
}

static VOID RtlpReplaceSid(PSID At, PSID Old, PSID New, PULONG Changes)
{
    if (At && RtlEqualSid(At, Old)) {
        memcpy(At, New, RtlLengthSid(New));
        ++*Changes;
    }
}

/* Both identifiers have the same length; *Changes: how often the old one was found. */
NTSTATUS NTAPI RtlReplaceSidInSd(PSECURITY_DESCRIPTOR Descriptor, PSID Old, PSID New, PULONG Changes)
{
    PSID Sid = NULL;
    PACL Lists[2] = {NULL, NULL};
    BOOLEAN Defaulted, Present;
    PACCESS_ALLOWED_ACE Ace;
    if (RtlLengthSid(Old) != RtlLengthSid(New))
        return STATUS_INVALID_PARAMETER;
    *Changes = 0;
    RtlGetOwnerSecurityDescriptor(Descriptor, &Sid, &Defaulted);
    RtlpReplaceSid(Sid, Old, New, Changes);
    RtlGetGroupSecurityDescriptor(Descriptor, &Sid, &Defaulted);
    RtlpReplaceSid(Sid, Old, New, Changes);
    RtlGetDaclSecurityDescriptor(Descriptor, &Present, &Lists[0], &Defaulted);
    RtlGetSaclSecurityDescriptor(Descriptor, &Present, &Lists[1], &Defaulted);
    for (ULONG n = 0; n < 2; n++)
        for (ULONG i = 0; Lists[n] && i < Lists[n]->AceCount; i++)
            if (NT_SUCCESS(RtlGetAce(Lists[n], i, (PVOID *)&Ace)) && Ace->Header.AceType <= SYSTEM_ALARM_ACE_TYPE)
                RtlpReplaceSid(&Ace->SidStart, Old, New, Changes);
    return STATUS_SUCCESS;
}

/* ---- Hashed arrays of identifiers (docs: SID_AND_ATTRIBUTES_HASH) ---------------------------------------------------- */

static ULONG RtlpSidByte(PSID Sid)
{
    PISID S = Sid;
    return S->SubAuthorityCount ? S->SubAuthority[S->SubAuthorityCount - 1] & 0xff : 0;
}

NTSTATUS NTAPI RtlSidHashInitialize(PSID_AND_ATTRIBUTES Sids, ULONG Count, PSID_AND_ATTRIBUTES_HASH Hash)
{
    if (!Hash)
        return STATUS_INVALID_PARAMETER_3;
    RtlZeroMemory(Hash, sizeof(*Hash));
    if (!Sids || !Count)
        return STATUS_SUCCESS;
    Hash->SidCount = Count;
    Hash->SidAttr = Sids;
    for (ULONG i = 0; i < Count && i < 8 * sizeof(SID_HASH_ENTRY); i++) {
        ULONG Byte = RtlpSidByte(Sids[i].Sid);
        Hash->Hash[Byte & 0xf] |= (SID_HASH_ENTRY)1 << i;
        Hash->Hash[16 + (Byte >> 4)] |= (SID_HASH_ENTRY)1 << i;
    }
    return STATUS_SUCCESS;
}

PSID_AND_ATTRIBUTES NTAPI RtlSidHashLookup(PSID_AND_ATTRIBUTES_HASH Hash, PSID Sid)
{
    if (!Hash || !Sid)
        return NULL;
    ULONG Byte = RtlpSidByte(Sid);
    SID_HASH_ENTRY Maybe = Hash->Hash[Byte & 0xf] & Hash->Hash[16 + (Byte >> 4)];
    for (ULONG i = 0; i < Hash->SidCount; i++)
        if ((i >= 8 * sizeof(SID_HASH_ENTRY) || (Maybe >> i & 1)) && RtlEqualSid(Hash->SidAttr[i].Sid, Sid))
            return &Hash->SidAttr[i];
    return NULL;
}
