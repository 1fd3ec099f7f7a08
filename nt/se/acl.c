/*
 * Access control lists and security descriptors (docs: ACL, SECURITY_DESCRIPTOR).
 *
 * A descriptor is absolute (pointers) or self-relative (offsets); the readers here take both, the setters the absolute
 * form only.
 */
#include "nt.h"

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

#define SEP_ACE_AT(Acl, Offset) ((PACE_HEADER)((PUCHAR)(Acl) + (Offset)))

NTSTATUS NTAPI RtlCreateAcl(PACL Acl, ULONG Bytes, ULONG Revision)
{
    if (Bytes < sizeof(ACL))
        return STATUS_BUFFER_TOO_SMALL;
    if (Revision < ACL_REVISION || Revision > ACL_REVISION_DS || Bytes > 0xffff)
        return STATUS_INVALID_PARAMETER;
    RtlZeroMemory(Acl, sizeof(*Acl));
    Acl->AclRevision = (UCHAR)Revision;
    Acl->AclSize = (USHORT)(Bytes & ~3u);
    return STATUS_SUCCESS;
}

/* Offset behind the last entry; FALSE when the list is damaged. */
static BOOLEAN SepFirstFree(PACL Acl, PULONG Offset)
{
    ULONG At = sizeof(ACL);
    for (ULONG i = 0; i < Acl->AceCount; i++) {
        if (At + sizeof(ACE_HEADER) > Acl->AclSize || SEP_ACE_AT(Acl, At)->AceSize < sizeof(ACE_HEADER) ||
            At + SEP_ACE_AT(Acl, At)->AceSize > Acl->AclSize)
            return FALSE;
        At += SEP_ACE_AT(Acl, At)->AceSize;
    }
    *Offset = At;
    return TRUE;
}

BOOLEAN NTAPI RtlValidAcl(PACL Acl)
{
    ULONG Offset;
    return Acl->AclRevision >= ACL_REVISION1 && Acl->AclRevision <= ACL_REVISION_DS && Acl->AclSize >= sizeof(ACL) &&
           SepFirstFree(Acl, &Offset);
}

NTSTATUS NTAPI RtlGetAce(PACL Acl, ULONG Index, PVOID *Ace)
{
    ULONG At = sizeof(ACL);
    if (Index >= Acl->AceCount)
        return STATUS_INVALID_PARAMETER;
    for (; Index; Index--)
        At += SEP_ACE_AT(Acl, At)->AceSize;
    *Ace = SEP_ACE_AT(Acl, At);
    return STATUS_SUCCESS;
}

/* docs: RtlAddAce: the entries of a buffer go before the Index-th one; MAXULONG = at the end. */
NTSTATUS NTAPI RtlAddAce(PACL Acl, ULONG Revision, ULONG Index, PVOID List, ULONG Bytes)
{
    ULONG Free, At = sizeof(ACL), Count = 0;
    if (!RtlValidAcl(Acl) || !SepFirstFree(Acl, &Free))
        return STATUS_INVALID_PARAMETER;
    for (ULONG Seen = 0; Seen < Bytes; Count++) {
        PACE_HEADER Ace = SEP_ACE_AT(List, Seen);
        if (Bytes - Seen < sizeof(*Ace) || Ace->AceSize < sizeof(*Ace) || Ace->AceSize > Bytes - Seen)
            return STATUS_INVALID_PARAMETER;
        Seen += Ace->AceSize;
    }
    if (Free + Bytes > Acl->AclSize)
        return STATUS_BUFFER_TOO_SMALL;
    for (ULONG i = 0; i < Index && i < Acl->AceCount; i++)
        At += SEP_ACE_AT(Acl, At)->AceSize;
    RtlMoveMemory((PUCHAR)Acl + At + Bytes, (PUCHAR)Acl + At, Free - At);
    RtlCopyMemory((PUCHAR)Acl + At, List, Bytes);
    Acl->AceCount += (USHORT)Count;
    if (Revision > Acl->AclRevision)
        Acl->AclRevision = (UCHAR)Revision;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlDeleteAce(PACL Acl, ULONG Index)
{
    PVOID Ace;
    ULONG Free;
    if (!RtlValidAcl(Acl) || !NT_SUCCESS(RtlGetAce(Acl, Index, &Ace)) || !SepFirstFree(Acl, &Free))
        return STATUS_INVALID_PARAMETER;
    ULONG Bytes = ((PACE_HEADER)Ace)->AceSize;
    PUCHAR End = (PUCHAR)Acl + Free, Next = (PUCHAR)Ace + Bytes;
    RtlMoveMemory(Ace, Next, (SIZE_T)(End - Next));
    RtlZeroMemory(End - Bytes, Bytes);
    Acl->AceCount--;
    return STATUS_SUCCESS;
}

static NTSTATUS SepAddAce(PACL Acl, ULONG Revision, ULONG Flags, ULONG Access, PSID Sid, UCHAR Type)
{
    ULONG Free, Bytes;
    if (!RtlValidSid(Sid))
        return STATUS_INVALID_SID;
    if (Acl->AclRevision > ACL_REVISION_DS || Revision > ACL_REVISION_DS)
        return STATUS_REVISION_MISMATCH;
    if (!SepFirstFree(Acl, &Free))
        return STATUS_INVALID_ACL;
    Bytes = FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart) + RtlLengthSid(Sid);
    if (Free + Bytes > Acl->AclSize)
        return STATUS_ALLOTTED_SPACE_EXCEEDED;
    PACCESS_ALLOWED_ACE Ace = (PACCESS_ALLOWED_ACE)SEP_ACE_AT(Acl, Free);
    Ace->Header.AceType = Type;
    Ace->Header.AceFlags = (UCHAR)Flags;
    Ace->Header.AceSize = (USHORT)Bytes;
    Ace->Mask = Access;
    RtlCopyMemory(&Ace->SidStart, Sid, RtlLengthSid(Sid));
    Acl->AceCount++;
    if (Revision > Acl->AclRevision)
        Acl->AclRevision = (UCHAR)Revision;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAddAccessAllowedAce(PACL Acl, ULONG Revision, ACCESS_MASK Access, PSID Sid)
{
    return SepAddAce(Acl, Revision, 0, Access, Sid, ACCESS_ALLOWED_ACE_TYPE);
}

NTSTATUS NTAPI RtlAddAccessAllowedAceEx(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Access, PSID Sid)
{
    return SepAddAce(Acl, Revision, Flags, Access, Sid, ACCESS_ALLOWED_ACE_TYPE);
}

/* ---- Descriptors ------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Revision)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    if (Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    RtlZeroMemory(Body, sizeof(*Body));
    Body->Revision = (UCHAR)Revision;
    return STATUS_SUCCESS;
}

typedef enum { SepOwner, SepGroup, SepSacl, SepDacl } SEP_PART;

/* A part of a descriptor of either form; NULL = has none. */
static PVOID SepPartOf(PISECURITY_DESCRIPTOR Body, SEP_PART Part)
{
    if (Body->Control & SE_SELF_RELATIVE) {
        PISECURITY_DESCRIPTOR_RELATIVE Relative = (PISECURITY_DESCRIPTOR_RELATIVE)Body;
        const ULONG Offset[] = {Relative->Owner, Relative->Group, Relative->Sacl, Relative->Dacl};
        return Offset[Part] ? (PUCHAR)Body + Offset[Part] : NULL;
    }
    const PVOID Pointer[] = {Body->Owner, Body->Group, Body->Sacl, Body->Dacl};
    return Pointer[Part];
}

static PACL SepListOf(PISECURITY_DESCRIPTOR Body, SEP_PART Part)
{
    return Body->Control & (Part == SepDacl ? SE_DACL_PRESENT : SE_SACL_PRESENT) ? SepPartOf(Body, Part) : NULL;
}

BOOLEAN NTAPI RtlValidSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    PSID Owner, Group;
    PACL Sacl, Dacl;
    if (!Body || Body->Revision != SECURITY_DESCRIPTOR_REVISION)
        return FALSE;
    Owner = SepPartOf(Body, SepOwner);
    Group = SepPartOf(Body, SepGroup);
    Sacl = SepListOf(Body, SepSacl);
    Dacl = SepListOf(Body, SepDacl);
    return (!Owner || RtlValidSid(Owner)) && (!Group || RtlValidSid(Group)) && (!Sacl || RtlValidAcl(Sacl)) &&
           (!Dacl || RtlValidAcl(Dacl));
}

ULONG NTAPI RtlLengthSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    ULONG Bytes = Body->Control & SE_SELF_RELATIVE ? sizeof(SECURITY_DESCRIPTOR_RELATIVE) : sizeof(SECURITY_DESCRIPTOR);
    PSID Owner = SepPartOf(Body, SepOwner), Group = SepPartOf(Body, SepGroup);
    PACL Sacl = SepListOf(Body, SepSacl), Dacl = SepListOf(Body, SepDacl);
    Bytes += Owner ? (RtlLengthSid(Owner) + 3) & ~3u : 0;
    Bytes += Group ? (RtlLengthSid(Group) + 3) & ~3u : 0;
    Bytes += Sacl ? (Sacl->AclSize + 3) & ~3u : 0;
    return Bytes + (Dacl ? (Dacl->AclSize + 3) & ~3u : 0);
}

static NTSTATUS SepMaySet(PISECURITY_DESCRIPTOR Body)
{
    if (Body->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    return Body->Control & SE_SELF_RELATIVE ? STATUS_INVALID_SECURITY_DESCR : STATUS_SUCCESS;
}

static VOID SepSetFlag(PISECURITY_DESCRIPTOR Body, USHORT Flag, BOOLEAN On)
{
    Body->Control = On ? Body->Control | Flag : Body->Control & ~Flag;
}

NTSTATUS NTAPI RtlSetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, BOOLEAN Present, PACL Dacl,
                                            BOOLEAN Defaulted)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    NTSTATUS Status = SepMaySet(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    SepSetFlag(Body, SE_DACL_PRESENT, Present);
    if (Present) {
        Body->Dacl = Dacl;
        SepSetFlag(Body, SE_DACL_DEFAULTED, Defaulted);
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlSetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSID Owner, BOOLEAN Defaulted)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    NTSTATUS Status = SepMaySet(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    Body->Owner = Owner;
    SepSetFlag(Body, SE_OWNER_DEFAULTED, Defaulted);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlSetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSID Group, BOOLEAN Defaulted)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    NTSTATUS Status = SepMaySet(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    Body->Group = Group;
    SepSetFlag(Body, SE_GROUP_DEFAULTED, Defaulted);
    return STATUS_SUCCESS;
}

static NTSTATUS SepGetList(PSECURITY_DESCRIPTOR Descriptor, SEP_PART Part, PBOOLEAN Present, PACL *List,
                           PBOOLEAN Defaulted)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    if (Body->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    *Present = (Body->Control & (Part == SepDacl ? SE_DACL_PRESENT : SE_SACL_PRESENT)) != 0;
    if (*Present) {
        *List = SepPartOf(Body, Part);
        *Defaulted = (Body->Control & (Part == SepDacl ? SE_DACL_DEFAULTED : SE_SACL_DEFAULTED)) != 0;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PBOOLEAN Present, PACL *Dacl,
                                            PBOOLEAN Defaulted)
{
    return SepGetList(Descriptor, SepDacl, Present, Dacl, Defaulted);
}

NTSTATUS NTAPI RtlGetSaclSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PBOOLEAN Present, PACL *Sacl,
                                            PBOOLEAN Defaulted)
{
    return SepGetList(Descriptor, SepSacl, Present, Sacl, Defaulted);
}

NTSTATUS NTAPI RtlGetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSID *Owner, PBOOLEAN Defaulted)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    if (Body->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    *Owner = SepPartOf(Body, SepOwner);
    *Defaulted = (Body->Control & SE_OWNER_DEFAULTED) != 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSID *Group, PBOOLEAN Defaulted)
{
    PISECURITY_DESCRIPTOR Body = Descriptor;
    if (Body->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    *Group = SepPartOf(Body, SepGroup);
    *Defaulted = (Body->Control & SE_GROUP_DEFAULTED) != 0;
    return STATUS_SUCCESS;
}
