/*
 * Security descriptors, absolute (with pointers) and self-relative (with offsets behind the same header).
 *
 * The parts of a descriptor are reached through RtlpPart, which knows both forms. Setting works on absolute ones only,
 * as documented.
 */
#include "nt.h"

BOOLEAN RtlpValidAcl(const ACL *Acl); /* sid.c */

enum { PartOwner, PartGroup, PartSacl, PartDacl };

static PVOID RtlpPart(PISECURITY_DESCRIPTOR Descriptor, ULONG Part)
{
    if (Descriptor->Control & SE_SELF_RELATIVE) {
        ULONG Offset = (&((PISECURITY_DESCRIPTOR_RELATIVE)Descriptor)->Owner)[Part];
        return Offset ? (PCHAR)Descriptor + Offset : NULL;
    }
    return ((PVOID *)&Descriptor->Owner)[Part];
}

/* A list that is not said to be present is none, whatever its field holds. */
static PACL RtlpList(PISECURITY_DESCRIPTOR Descriptor, ULONG Part)
{
    return Descriptor->Control & (Part == PartDacl ? SE_DACL_PRESENT : SE_SACL_PRESENT) ? RtlpPart(Descriptor, Part)
                                                                                        : NULL;
}

NTSTATUS NTAPI RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, ULONG Revision)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;

    if (Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    RtlZeroMemory(Descriptor, sizeof(*Descriptor));
    Descriptor->Revision = SECURITY_DESCRIPTOR_REVISION;
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI RtlValidSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    PISECURITY_DESCRIPTOR D = SecurityDescriptor;

    if (!D || D->Revision != SECURITY_DESCRIPTOR_REVISION)
        return FALSE;
    for (ULONG Part = PartOwner; Part <= PartGroup; Part++)
        if (RtlpPart(D, Part) && !RtlValidSid(RtlpPart(D, Part)))
            return FALSE;
    for (ULONG Part = PartSacl; Part <= PartDacl; Part++)
        if (RtlpList(D, Part) && !RtlpValidAcl(RtlpList(D, Part)))
            return FALSE;
    return TRUE;
}

/* ---- Setting --------------------------------------------------------------------------------------------------- */

static NTSTATUS RtlpSettable(PISECURITY_DESCRIPTOR Descriptor)
{
    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    return Descriptor->Control & SE_SELF_RELATIVE ? STATUS_INVALID_SECURITY_DESCR : STATUS_SUCCESS;
}

static VOID RtlpSetFlag(PISECURITY_DESCRIPTOR Descriptor, ULONG Flag, BOOLEAN Value)
{
    Descriptor->Control =
        (SECURITY_DESCRIPTOR_CONTROL)(Value ? Descriptor->Control | Flag : Descriptor->Control & ~Flag);
}

static NTSTATUS RtlpSetList(PISECURITY_DESCRIPTOR Descriptor, PACL *Field, ULONG PresentFlag, ULONG DefaultedFlag,
                            BOOLEAN Present, PACL List, BOOLEAN Defaulted)
{
    NTSTATUS Status = RtlpSettable(Descriptor);

    if (!NT_SUCCESS(Status))
        return Status;
    RtlpSetFlag(Descriptor, PresentFlag, Present);
    if (Present) {
        *Field = List;
        RtlpSetFlag(Descriptor, DefaultedFlag, Defaulted);
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlSetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN DaclPresent, PACL Dacl,
                                            BOOLEAN DaclDefaulted)
{
    PISECURITY_DESCRIPTOR D = SecurityDescriptor;

    return RtlpSetList(D, &D->Dacl, SE_DACL_PRESENT, SE_DACL_DEFAULTED, DaclPresent, Dacl, DaclDefaulted);
}

NTSTATUS NTAPI RtlSetSaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN SaclPresent, PACL Sacl,
                                            BOOLEAN SaclDefaulted)
{
    PISECURITY_DESCRIPTOR D = SecurityDescriptor;

    return RtlpSetList(D, &D->Sacl, SE_SACL_PRESENT, SE_SACL_DEFAULTED, SaclPresent, Sacl, SaclDefaulted);
}

static NTSTATUS RtlpSetSid(PISECURITY_DESCRIPTOR Descriptor, PSID *Field, ULONG DefaultedFlag, PSID Sid,
                           BOOLEAN Defaulted)
{
    NTSTATUS Status = RtlpSettable(Descriptor);

    if (!NT_SUCCESS(Status))
        return Status;
    *Field = Sid;
    RtlpSetFlag(Descriptor, DefaultedFlag, Defaulted);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlSetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID Owner,
                                             BOOLEAN OwnerDefaulted)
{
    PISECURITY_DESCRIPTOR D = SecurityDescriptor;

    return RtlpSetSid(D, &D->Owner, SE_OWNER_DEFAULTED, Owner, OwnerDefaulted);
}

NTSTATUS NTAPI RtlSetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID Group,
                                             BOOLEAN GroupDefaulted)
{
    PISECURITY_DESCRIPTOR D = SecurityDescriptor;

    return RtlpSetSid(D, &D->Group, SE_GROUP_DEFAULTED, Group, GroupDefaulted);
}

/* ---- Getting --------------------------------------------------------------------------------------------------- */

static NTSTATUS RtlpGetList(PISECURITY_DESCRIPTOR Descriptor, ULONG Part, PBOOLEAN Present, PACL *List,
                            PBOOLEAN Defaulted)
{
    ULONG PresentFlag = Part == PartDacl ? SE_DACL_PRESENT : SE_SACL_PRESENT;
    ULONG DefaultedFlag = Part == PartDacl ? SE_DACL_DEFAULTED : SE_SACL_DEFAULTED;

    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    *Present = (Descriptor->Control & PresentFlag) != 0;
    if (*Present) {
        *List = RtlpPart(Descriptor, Part);
        *Defaulted = (Descriptor->Control & DefaultedFlag) != 0;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PBOOLEAN DaclPresent, PACL *Dacl,
                                            PBOOLEAN DaclDefaulted)
{
    return RtlpGetList(SecurityDescriptor, PartDacl, DaclPresent, Dacl, DaclDefaulted);
}

NTSTATUS NTAPI RtlGetSaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PBOOLEAN SaclPresent, PACL *Sacl,
                                            PBOOLEAN SaclDefaulted)
{
    return RtlpGetList(SecurityDescriptor, PartSacl, SaclPresent, Sacl, SaclDefaulted);
}

static NTSTATUS RtlpGetSid(PISECURITY_DESCRIPTOR Descriptor, ULONG Part, PSID *Sid, PBOOLEAN Defaulted)
{
    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    *Sid = RtlpPart(Descriptor, Part);
    *Defaulted = (Descriptor->Control & (Part == PartOwner ? SE_OWNER_DEFAULTED : SE_GROUP_DEFAULTED)) != 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID *Owner,
                                             PBOOLEAN OwnerDefaulted)
{
    return RtlpGetSid(SecurityDescriptor, PartOwner, Owner, OwnerDefaulted);
}

NTSTATUS NTAPI RtlGetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID *Group,
                                             PBOOLEAN GroupDefaulted)
{
    return RtlpGetSid(SecurityDescriptor, PartGroup, Group, GroupDefaulted);
}

/* ---- Length, and the self-relative form ------------------------------------------------------------------------- */

static ULONG RtlpPartBytes(PISECURITY_DESCRIPTOR Descriptor, ULONG Part)
{
    if (Part <= PartGroup)
        return RtlpPart(Descriptor, Part) ? RtlLengthSid(RtlpPart(Descriptor, Part)) : 0;
    return RtlpList(Descriptor, Part) ? (RtlpList(Descriptor, Part)->AclSize + 3u) & ~3u : 0;
}

ULONG NTAPI RtlLengthSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    PISECURITY_DESCRIPTOR D = SecurityDescriptor;
    ULONG Bytes = D->Control & SE_SELF_RELATIVE ? sizeof(SECURITY_DESCRIPTOR_RELATIVE) : sizeof(SECURITY_DESCRIPTOR);

    for (ULONG Part = PartOwner; Part <= PartDacl; Part++)
        Bytes += RtlpPartBytes(D, Part);
    return Bytes;
}

/* docs: RtlAbsoluteToSelfRelativeSD; too small a buffer is told the length. Lists come first, then owner and group. */
NTSTATUS NTAPI RtlAbsoluteToSelfRelativeSD(PSECURITY_DESCRIPTOR AbsoluteSecurityDescriptor,
                                           PSECURITY_DESCRIPTOR SelfRelativeSecurityDescriptor, PULONG BufferLength)
{
    static const UCHAR Sequence[] = {PartSacl, PartDacl, PartOwner, PartGroup};
    PISECURITY_DESCRIPTOR From = AbsoluteSecurityDescriptor;
    PISECURITY_DESCRIPTOR_RELATIVE To = SelfRelativeSecurityDescriptor;
    ULONG Offset = sizeof(*To), Needed = sizeof(*To);

    if (From->Control & SE_SELF_RELATIVE)
        return STATUS_BAD_DESCRIPTOR_FORMAT;
    for (ULONG Part = PartOwner; Part <= PartDacl; Part++)
        Needed += RtlpPartBytes(From, Part);
    if (*BufferLength < Needed) {
        *BufferLength = Needed;
        return STATUS_BUFFER_TOO_SMALL;
    }
    RtlZeroMemory(To, Needed);
    To->Revision = From->Revision;
    To->Sbz1 = From->Sbz1;
    To->Control = From->Control | SE_SELF_RELATIVE;
    for (ULONG i = 0; i < sizeof(Sequence); i++) {
        ULONG Part = Sequence[i], Bytes = RtlpPartBytes(From, Part);
        if (!Bytes)
            continue;
        memcpy((PCHAR)To + Offset, RtlpPart(From, Part),
               Part <= PartGroup ? Bytes : ((PACL)RtlpPart(From, Part))->AclSize);
        (&To->Owner)[Part] = Offset;
        Offset += Bytes;
    }
    return STATUS_SUCCESS;
}
