/*
 * Security descriptors as the kernel keeps them: self-relative, in one block; taken apart, put together, captured,
 * asked for and changed in parts.
 * (docs: SeQuerySecurityDescriptorInfo, SeSetSecurityDescriptorInfo, SECURITY_INFORMATION)
 */
#include "nt.h"

#ifndef LABEL_SECURITY_INFORMATION
#define LABEL_SECURITY_INFORMATION 0x10
#endif

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

VOID SepTakeApart(PSECURITY_DESCRIPTOR Descriptor, SEP_PARTS *Parts)
{
    PISECURITY_DESCRIPTOR D = Descriptor;
    BOOLEAN Defaulted, Present;
    *Parts = (SEP_PARTS){0};
    if (!D)
        return;
    Parts->Control = D->Control & ~(SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_SACL_PRESENT);
    RtlGetOwnerSecurityDescriptor(D, &Parts->Owner, &Defaulted);
    RtlGetGroupSecurityDescriptor(D, &Parts->Group, &Defaulted);
    if (NT_SUCCESS(RtlGetDaclSecurityDescriptor(D, &Present, &Parts->Dacl, &Defaulted)))
        Parts->HaveDacl = Present;
    if (NT_SUCCESS(RtlGetSaclSecurityDescriptor(D, &Present, &Parts->Sacl, &Defaulted)))
        Parts->HaveSacl = Present;
}

PSID SepOwnerOf(PSECURITY_DESCRIPTOR Descriptor)
{
    SEP_PARTS Parts;
    SepTakeApart(Descriptor, &Parts);
    return Parts.Owner;
}

PSID SepGroupOf(PSECURITY_DESCRIPTOR Descriptor)
{
    SEP_PARTS Parts;
    SepTakeApart(Descriptor, &Parts);
    return Parts.Group;
}

PACL SepDaclOf(PSECURITY_DESCRIPTOR Descriptor)
{
    SEP_PARTS Parts;
    SepTakeApart(Descriptor, &Parts);
    return Parts.HaveDacl ? Parts.Dacl : NULL;
}

PACL SepSaclOf(PSECURITY_DESCRIPTOR Descriptor)
{
    SEP_PARTS Parts;
    SepTakeApart(Descriptor, &Parts);
    return Parts.HaveSacl ? Parts.Sacl : NULL;
}

static ULONG SepListBytes(BOOLEAN Have, PACL List)
{
    return Have && List ? (List->AclSize + 3u) & ~3u : 0;
}

static ULONG SepPartsBytes(const SEP_PARTS *Parts)
{
    return sizeof(SECURITY_DESCRIPTOR_RELATIVE) + SepListBytes(Parts->HaveSacl, Parts->Sacl) +
           SepListBytes(Parts->HaveDacl, Parts->Dacl) + (Parts->Owner ? RtlLengthSid(Parts->Owner) : 0) +
           (Parts->Group ? RtlLengthSid(Parts->Group) : 0);
}

static ULONG SepPut(PISECURITY_DESCRIPTOR_RELATIVE To, PULONG At, const VOID *Part, ULONG Bytes, ULONG Room)
{
    ULONG Offset = *At;
    RtlCopyMemory((PUCHAR)To + Offset, Part, Bytes);
    *At += Room;
    return Offset;
}

/* To has SepPartsBytes, zeroed. */
static VOID SepWrite(const SEP_PARTS *Parts, PISECURITY_DESCRIPTOR_RELATIVE To)
{
    ULONG At = sizeof(*To);
    To->Revision = SECURITY_DESCRIPTOR_REVISION;
    To->Control = Parts->Control | SE_SELF_RELATIVE | (Parts->HaveDacl ? SE_DACL_PRESENT : 0) |
                  (Parts->HaveSacl ? SE_SACL_PRESENT : 0);
    if (SepListBytes(Parts->HaveSacl, Parts->Sacl))
        To->Sacl = SepPut(To, &At, Parts->Sacl, Parts->Sacl->AclSize, SepListBytes(TRUE, Parts->Sacl));
    if (SepListBytes(Parts->HaveDacl, Parts->Dacl))
        To->Dacl = SepPut(To, &At, Parts->Dacl, Parts->Dacl->AclSize, SepListBytes(TRUE, Parts->Dacl));
    if (Parts->Owner)
        To->Owner = SepPut(To, &At, Parts->Owner, RtlLengthSid(Parts->Owner), RtlLengthSid(Parts->Owner));
    if (Parts->Group)
        To->Group = SepPut(To, &At, Parts->Group, RtlLengthSid(Parts->Group), RtlLengthSid(Parts->Group));
}

NTSTATUS SepBuild(const SEP_PARTS *Parts, POOL_TYPE Type, PSECURITY_DESCRIPTOR *Result)
{
    ULONG Bytes = SepPartsBytes(Parts);
    PVOID New = ExAllocatePoolWithTag(Type, Bytes, SEP_TAG);
    *Result = New;
    if (!New)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(New, Bytes);
    SepWrite(Parts, New);
    return STATUS_SUCCESS;
}

/* ---- Captured ---------------------------------------------------------------------------------------------------- */

/* A SID or a list of a program's, copied. Its first four bytes say how long it is, as they were when they were read. */
static NTSTATUS SepReadPart(const VOID *User, BOOLEAN List, PVOID *Copy)
{
    UCHAR Head[8];
    ULONG Bytes;
    NTSTATUS Status =
        (UINT64)User % sizeof(ULONG) ? STATUS_DATATYPE_MISALIGNMENT : MmReadUser(Head, User, sizeof(Head));
    if (!NT_SUCCESS(Status))
        return Status;
    Bytes = List ? *(PUSHORT)(Head + 2) : RtlLengthRequiredSid(Head[1]);
    if (Bytes < sizeof(Head))
        return List ? STATUS_INVALID_ACL : STATUS_INVALID_SID;
    if (!(*Copy = ExpTryAllocate(Bytes, SEP_TAG)))
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = MmReadUser(*Copy, User, Bytes);
    RtlCopyMemory(*Copy, Head, sizeof(ULONG));
    return Status;
}

static VOID SepFreeParts(SEP_PARTS *Parts)
{
    PVOID All[] = {Parts->Owner, Parts->Group, Parts->Dacl, Parts->Sacl};
    for (ULONG i = 0; i < RTL_NUMBER_OF(All); i++)
        if (All[i])
            ExpFree(All[i]);
}

/* The parts of a program's descriptor, either form. An error: there are none. */
static NTSTATUS SepReadUser(const VOID *User, SEP_PARTS *Parts, PUCHAR Revision)
{
    SECURITY_DESCRIPTOR_RELATIVE Head;
    SECURITY_DESCRIPTOR Whole = {0};
    PVOID *To[] = {(PVOID *)&Parts->Owner, (PVOID *)&Parts->Group, (PVOID *)&Parts->Dacl, (PVOID *)&Parts->Sacl};
    NTSTATUS Status = MmReadUser(&Head, User, sizeof(Head));
    *Parts = (SEP_PARTS){0};
    if ((UINT64)User % sizeof(ULONG))
        return STATUS_DATATYPE_MISALIGNMENT;
    if (NT_SUCCESS(Status) && !(Head.Control & SE_SELF_RELATIVE))
        Status = MmReadUser(&Whole, User, sizeof(Whole));
    if (!NT_SUCCESS(Status))
        return Status;
    const ULONG Offset[] = {Head.Owner, Head.Group, Head.Dacl, Head.Sacl};
    const VOID *const Pointer[] = {Whole.Owner, Whole.Group, Whole.Dacl, Whole.Sacl};
    *Revision = Head.Revision;
    Parts->Control = Head.Control & ~(SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_SACL_PRESENT);
    Parts->HaveDacl = (Head.Control & SE_DACL_PRESENT) != 0;
    Parts->HaveSacl = (Head.Control & SE_SACL_PRESENT) != 0;
    for (ULONG i = 0; i < RTL_NUMBER_OF(To) && NT_SUCCESS(Status); i++) {
        const VOID *From = Head.Control & SE_SELF_RELATIVE ? Offset[i] ? (PUCHAR)User + Offset[i] : NULL : Pointer[i];
        if (From && (i < 2 || (i == 2 ? Parts->HaveDacl : Parts->HaveSacl)))
            Status = SepReadPart(From, i >= 2, To[i]);
    }
    if (!NT_SUCCESS(Status))
        SepFreeParts(Parts);
    return Status;
}

static NTSTATUS SepCheckParts(const SEP_PARTS *Parts, UCHAR Revision)
{
    if (Revision != SECURITY_DESCRIPTOR_REVISION)
        return STATUS_UNKNOWN_REVISION;
    if ((Parts->Owner && !RtlValidSid(Parts->Owner)) || (Parts->Group && !RtlValidSid(Parts->Group)))
        return STATUS_INVALID_SID;
    if ((Parts->HaveDacl && Parts->Dacl && !RtlValidAcl(Parts->Dacl)) ||
        (Parts->HaveSacl && Parts->Sacl && !RtlValidAcl(Parts->Sacl)))
        return STATUS_INVALID_ACL;
    return STATUS_SUCCESS;
}

static NTSTATUS SepCaptureUser(const VOID *User, POOL_TYPE Pool, PSECURITY_DESCRIPTOR *Captured)
{
    SEP_PARTS Parts;
    UCHAR Revision = 0;
    NTSTATUS Status = SepReadUser(User, &Parts, &Revision);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = SepCheckParts(&Parts, Revision);
    if (NT_SUCCESS(Status))
        Status = SepBuild(&Parts, Pool, Captured);
    SepFreeParts(&Parts);
    return Status;
}

NTSTATUS NTAPI SeCaptureSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, KPROCESSOR_MODE Mode, POOL_TYPE Pool,
                                           BOOLEAN Always, PSECURITY_DESCRIPTOR *Captured)
{
    PISECURITY_DESCRIPTOR D = Descriptor;
    SEP_PARTS Parts;
    *Captured = NULL;
    if (!D)
        return STATUS_SUCCESS;
    if (Mode == KernelMode && !Always) { /* kernel mode is trusted: its own memory is used */
        *Captured = Descriptor;
        return STATUS_SUCCESS;
    }
    if (Mode != KernelMode)
        return SepCaptureUser(D, Pool, Captured);
    SepTakeApart(D, &Parts);
    NTSTATUS Status = SepCheckParts(&Parts, D->Revision);
    return NT_SUCCESS(Status) ? SepBuild(&Parts, Pool, Captured) : Status;
}

VOID NTAPI SeReleaseSecurityDescriptor(PSECURITY_DESCRIPTOR Captured, KPROCESSOR_MODE Mode, BOOLEAN Always)
{
    if (Captured && (Mode != KernelMode || Always))
        ExFreePoolWithTag(Captured, 0);
}

/* docs: SeValidSecurityDescriptor: self-relative, whole within Length. */
BOOLEAN NTAPI SeValidSecurityDescriptor(ULONG Length, PSECURITY_DESCRIPTOR Descriptor)
{
    return RtlValidRelativeSecurityDescriptor(Descriptor, Length, 0);
}

/* ---- Asked for --------------------------------------------------------------------------------------------------- */

/* What a label request shows of a SACL: its label entries. Buffer has AclSize bytes. */
static PACL SepLabelsOf(PACL Sacl, PACL Buffer)
{
    RtlCreateAcl(Buffer, Sacl->AclSize, Sacl->AclRevision);
    PUCHAR At = (PUCHAR)(Buffer + 1);
    for (ULONG i = 0; i < Sacl->AceCount; i++) {
        PACE_HEADER Ace;
        if (!NT_SUCCESS(RtlGetAce(Sacl, i, (PVOID *)&Ace)) || Ace->AceType != SYSTEM_MANDATORY_LABEL_ACE_TYPE)
            continue;
        RtlCopyMemory(At, Ace, Ace->AceSize);
        At += Ace->AceSize;
        Buffer->AceCount++;
    }
    Buffer->AclSize = (USHORT)(At - (PUCHAR)Buffer);
    return Buffer;
}

NTSTATUS NTAPI SeQuerySecurityDescriptorInfo(PSECURITY_INFORMATION Wanted, PSECURITY_DESCRIPTOR Buffer, PULONG Length,
                                             PSECURITY_DESCRIPTOR *ObjectsDescriptor)
{
    SECURITY_INFORMATION What = *Wanted;
    SEP_PARTS Parts;
    PACL Labels = NULL;
    SepTakeApart(*ObjectsDescriptor, &Parts);
    Parts.Control &= SE_RM_CONTROL_VALID;
    PISECURITY_DESCRIPTOR Own = *ObjectsDescriptor;
    USHORT Control = Own ? Own->Control : 0;
    if (What & OWNER_SECURITY_INFORMATION)
        Parts.Control |= Control & SE_OWNER_DEFAULTED;
    else
        Parts.Owner = NULL;
    if (What & GROUP_SECURITY_INFORMATION)
        Parts.Control |= Control & SE_GROUP_DEFAULTED;
    else
        Parts.Group = NULL;
    if (What & DACL_SECURITY_INFORMATION)
        Parts.Control |= Control & (SE_DACL_DEFAULTED | SE_DACL_PROTECTED | SE_DACL_AUTO_INHERITED);
    else
        Parts.HaveDacl = FALSE;
    if (What & (SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION))
        Parts.Control |= Control & (SE_SACL_DEFAULTED | SE_SACL_PROTECTED | SE_SACL_AUTO_INHERITED);
    else
        Parts.HaveSacl = FALSE;
    if (Parts.HaveSacl && Parts.Sacl && !(What & SACL_SECURITY_INFORMATION)) {
        Labels = ExpAllocate(Parts.Sacl->AclSize, SEP_TAG);
        Parts.Sacl = SepLabelsOf(Parts.Sacl, Labels);
    }
    ULONG Need = SepPartsBytes(&Parts), Room = *Length;
    NTSTATUS Status = Room < Need ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
    *Length = Need;
    if (NT_SUCCESS(Status)) {
        RtlZeroMemory(Buffer, Need);
        SepWrite(&Parts, Buffer);
    }
    if (Labels)
        ExpFree(Labels);
    return Status;
}

/* ---- Changed ----------------------------------------------------------------------------------------------------- */

/* A copy of List with generic rights replaced, for the object it now protects. */
static PACL SepMapList(PACL List, const GENERIC_MAPPING *Mapping)
{
    PACL Copy = ExpAllocate(List->AclSize, SEP_TAG);
    RtlCopyMemory(Copy, List, List->AclSize);
    for (ULONG i = 0; i < Copy->AceCount; i++) {
        PACCESS_ALLOWED_ACE Ace;
        if (!NT_SUCCESS(RtlGetAce(Copy, i, (PVOID *)&Ace)))
            break;
        if (!(Ace->Header.AceFlags & INHERIT_ONLY_ACE) && Ace->Header.AceType <= SYSTEM_AUDIT_ACE_TYPE)
            RtlMapGenericMask(&Ace->Mask, (PGENERIC_MAPPING)Mapping);
    }
    return Copy;
}

/* A label request replaces the label entries of a SACL and keeps the others. */
static PACL SepMergeLabels(PACL Old, PACL Labels)
{
    ULONG Bytes = sizeof(ACL) + (Old ? Old->AclSize : 0) + (Labels ? Labels->AclSize : 0);
    PACL New = ExpAllocate(Bytes, SEP_TAG);
    RtlCreateAcl(New, Bytes, ACL_REVISION_DS);
    for (ULONG Round = 0; Round < 2; Round++) {
        PACL From = Round ? Labels : Old;
        for (ULONG i = 0; From && i < From->AceCount; i++) {
            PACE_HEADER Ace;
            if (NT_SUCCESS(RtlGetAce(From, i, (PVOID *)&Ace)) &&
                (Ace->AceType == SYSTEM_MANDATORY_LABEL_ACE_TYPE) == (Round == 1))
                RtlAddAce(New, ACL_REVISION_DS, MAXULONG, Ace, Ace->AceSize);
        }
    }
    return New;
}

#define SEP_DACL_FLAGS (SE_DACL_DEFAULTED | SE_DACL_PROTECTED | SE_DACL_AUTO_INHERITED)
#define SEP_SACL_FLAGS (SE_SACL_DEFAULTED | SE_SACL_PROTECTED | SE_SACL_AUTO_INHERITED)

/* docs: SeSetSecurityDescriptorInfo: the old descriptor stays the caller's to free. */
NTSTATUS NTAPI SeSetSecurityDescriptorInfoEx(PVOID Object, PSECURITY_INFORMATION Changed,
                                             PSECURITY_DESCRIPTOR Modification, PSECURITY_DESCRIPTOR *ObjectsDescriptor,
                                             ULONG AutoInheritFlags, POOL_TYPE Pool, PGENERIC_MAPPING Mapping)
{
    SECURITY_INFORMATION What = *Changed;
    SEP_PARTS New, From;
    PACL Dacl = NULL, Sacl = NULL;
    if (!*ObjectsDescriptor)
        return STATUS_NO_SECURITY_ON_OBJECT;
    SepTakeApart(*ObjectsDescriptor, &New);
    SepTakeApart(Modification, &From);
    if (What & OWNER_SECURITY_INFORMATION) {
        if (!From.Owner ||
            (!(AutoInheritFlags & SEF_AVOID_OWNER_CHECK) && !SepMayBeOwner(SepEffectiveToken(), From.Owner)))
            return STATUS_INVALID_OWNER;
        New.Owner = From.Owner;
        New.Control = (New.Control & ~SE_OWNER_DEFAULTED) | (From.Control & SE_OWNER_DEFAULTED);
    }
    if (What & GROUP_SECURITY_INFORMATION) {
        if (!From.Group)
            return STATUS_INVALID_PRIMARY_GROUP;
        New.Group = From.Group;
        New.Control = (New.Control & ~SE_GROUP_DEFAULTED) | (From.Control & SE_GROUP_DEFAULTED);
    }
    if (What & DACL_SECURITY_INFORMATION) {
        New.HaveDacl = From.HaveDacl;
        New.Dacl = From.HaveDacl && From.Dacl ? (Dacl = SepMapList(From.Dacl, Mapping)) : NULL;
        New.Control = (New.Control & ~SEP_DACL_FLAGS) | (From.Control & SEP_DACL_FLAGS);
    }
    if (What & SACL_SECURITY_INFORMATION) {
        New.HaveSacl = From.HaveSacl;
        New.Sacl = From.HaveSacl && From.Sacl ? (Sacl = SepMapList(From.Sacl, Mapping)) : NULL;
        New.Control = (New.Control & ~SEP_SACL_FLAGS) | (From.Control & SEP_SACL_FLAGS);
    } else if (What & LABEL_SECURITY_INFORMATION) {
        New.Sacl = Sacl = SepMergeLabels(New.HaveSacl ? New.Sacl : NULL, From.HaveSacl ? From.Sacl : NULL);
        New.HaveSacl = TRUE;
    }
    NTSTATUS Status = SepBuild(&New, Pool, &Modification);
    if (NT_SUCCESS(Status))
        *ObjectsDescriptor = Modification;
    if (Dacl)
        ExpFree(Dacl);
    if (Sacl)
        ExpFree(Sacl);
    return Status;
}

NTSTATUS NTAPI SeSetSecurityDescriptorInfo(PVOID Object, PSECURITY_INFORMATION Changed,
                                           PSECURITY_DESCRIPTOR Modification, PSECURITY_DESCRIPTOR *ObjectsDescriptor,
                                           POOL_TYPE Pool, PGENERIC_MAPPING Mapping)
{
    return SeSetSecurityDescriptorInfoEx(Object, Changed, Modification, ObjectsDescriptor, 0, Pool, Mapping);
}
