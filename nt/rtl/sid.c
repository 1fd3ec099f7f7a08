/*
 * Security identifiers and access control lists: structures in the caller's memory, nothing is allocated but the text
 * of a SID. Every list is checked against its own size before it is walked, since it may come from a file or from user
 * mode.
 */
#include "nt.h"

#define SID_LENGTH(Count) (FIELD_OFFSET(SID, SubAuthority) + (Count) * (ULONG)sizeof(ULONG))

/* ---- Identifiers ----------------------------------------------------------------------------------------------- */

ULONG NTAPI RtlLengthRequiredSid(ULONG SubAuthorityCount)
{
    return SID_LENGTH(SubAuthorityCount);
}

ULONG NTAPI RtlLengthSid(PSID Sid)
{
    return SID_LENGTH(((PISID)Sid)->SubAuthorityCount);
}

BOOLEAN NTAPI RtlValidSid(PSID Sid)
{
    PISID S = Sid;

    return S && S->Revision == SID_REVISION && S->SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES;
}

NTSTATUS NTAPI RtlInitializeSid(PSID Sid, PSID_IDENTIFIER_AUTHORITY IdentifierAuthority, UCHAR SubAuthorityCount)
{
    PISID S = Sid;

    if (SubAuthorityCount > SID_MAX_SUB_AUTHORITIES)
        return STATUS_INVALID_PARAMETER;
    S->Revision = SID_REVISION;
    S->SubAuthorityCount = SubAuthorityCount;
    S->IdentifierAuthority = *IdentifierAuthority;
    return STATUS_SUCCESS;
}

PULONG NTAPI RtlSubAuthoritySid(PSID Sid, ULONG SubAuthority)
{
    return &((PISID)Sid)->SubAuthority[SubAuthority];
}

PUCHAR NTAPI RtlSubAuthorityCountSid(PSID Sid)
{
    return &((PISID)Sid)->SubAuthorityCount;
}

BOOLEAN NTAPI RtlEqualSid(PSID Sid1, PSID Sid2)
{
    return RtlLengthSid(Sid1) == RtlLengthSid(Sid2) && !memcmp(Sid1, Sid2, RtlLengthSid(Sid1));
}

NTSTATUS NTAPI RtlCopySid(ULONG Length, PSID Destination, PSID Source)
{
    if (RtlLengthSid(Source) > Length)
        return STATUS_BUFFER_TOO_SMALL;
    memmove(Destination, Source, RtlLengthSid(Source));
    return STATUS_SUCCESS;
}

VOID NTAPI RtlCopyLuid(PLUID DestinationLuid, PLUID SourceLuid)
{
    *DestinationLuid = *SourceLuid;
}

/* docs: RtlConvertSidToUnicodeString; S-1-authority-sub-sub..., an authority above 32 bits in hexadecimal. */
NTSTATUS NTAPI RtlConvertSidToUnicodeString(PUNICODE_STRING UnicodeString, PSID Sid, BOOLEAN AllocateDestinationString)
{
    CHAR Text[200];
    ANSI_STRING Ansi;
    PISID S = Sid;
    UINT64 Authority = 0;
    ULONG Length;

    if (!RtlValidSid(Sid))
        return STATUS_INVALID_SID;
    for (ULONG i = 0; i < 6; i++)
        Authority = Authority << 8 | S->IdentifierAuthority.Value[i];
    Length = RtlpFormat(Text, sizeof(Text), Authority > MAXULONG ? "S-1-0x%I64x" : "S-1-%I64u", Authority);
    for (ULONG i = 0; i < S->SubAuthorityCount; i++)
        Length += RtlpFormat(Text + Length, sizeof(Text) - Length, "-%u", S->SubAuthority[i]);
    RtlInitAnsiString(&Ansi, Text);
    return RtlAnsiStringToUnicodeString(UnicodeString, &Ansi, AllocateDestinationString);
}

/* ---- Access control lists -------------------------------------------------------------------------------------- */

NTSTATUS NTAPI RtlCreateAcl(PACL Acl, ULONG AclLength, ULONG AclRevision)
{
    if (AclLength < sizeof(ACL))
        return STATUS_BUFFER_TOO_SMALL;
    if (AclRevision < ACL_REVISION || AclRevision > ACL_REVISION_DS || AclLength > MAXUSHORT)
        return STATUS_INVALID_PARAMETER;
    RtlZeroMemory(Acl, sizeof(*Acl));
    Acl->AclRevision = (UCHAR)AclRevision;
    Acl->AclSize = (USHORT)(AclLength & ~3u);
    return STATUS_SUCCESS;
}

/* Offset of entry Index, or of the free space behind the last one; 0 = the list is damaged or has no such entry. */
static ULONG RtlpAceOffset(const ACL *Acl, ULONG Index)
{
    ULONG Offset = sizeof(ACL);

    if (Acl->AclRevision < ACL_REVISION || Acl->AclRevision > ACL_REVISION_DS || Index > Acl->AceCount ||
        Acl->AclSize < Offset)
        return 0;
    while (Index--) {
        const ACE_HEADER *Ace = (const ACE_HEADER *)((const CHAR *)Acl + Offset);
        if (Acl->AclSize - Offset < sizeof(*Ace) || Ace->AceSize < sizeof(*Ace) || Ace->AceSize > Acl->AclSize - Offset)
            return 0;
        Offset += Ace->AceSize;
    }
    return Offset;
}

NTSTATUS NTAPI RtlGetAce(PACL Acl, ULONG AceIndex, PVOID *Ace)
{
    ULONG Offset = RtlpAceOffset(Acl, AceIndex);

    if (!Offset || AceIndex >= Acl->AceCount)
        return STATUS_INVALID_PARAMETER;
    *Ace = (PCHAR)Acl + Offset;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlDeleteAce(PACL Acl, ULONG AceIndex)
{
    ULONG Offset = RtlpAceOffset(Acl, AceIndex), End = RtlpAceOffset(Acl, Acl->AceCount), Bytes;

    if (!Offset || !End || AceIndex >= Acl->AceCount)
        return STATUS_INVALID_PARAMETER;
    Bytes = ((PACE_HEADER)((PCHAR)Acl + Offset))->AceSize;
    memmove((PCHAR)Acl + Offset, (PCHAR)Acl + Offset + Bytes, End - Offset - Bytes);
    RtlZeroMemory((PCHAR)Acl + End - Bytes, Bytes);
    Acl->AceCount--;
    return STATUS_SUCCESS;
}

/* docs: RtlAddAce; the list's revision grows to that of its entries. Index MAXULONG = at the end. */
NTSTATUS NTAPI RtlAddAce(PACL Acl, ULONG AceRevision, ULONG StartingAceIndex, PVOID AceList, ULONG AceListLength)
{
    ULONG End = RtlpAceOffset(Acl, Acl->AceCount), Offset, Count = 0;

    if (!End || AceRevision < ACL_REVISION || AceRevision > ACL_REVISION_DS)
        return STATUS_INVALID_PARAMETER;
    for (Offset = 0; Offset < AceListLength; Count++) {
        const ACE_HEADER *Ace = (const ACE_HEADER *)((const CHAR *)AceList + Offset);
        if (AceListLength - Offset < sizeof(*Ace) || Ace->AceSize < sizeof(*Ace) ||
            Ace->AceSize > AceListLength - Offset)
            return STATUS_INVALID_PARAMETER;
        Offset += Ace->AceSize;
    }
    if (AceListLength > Acl->AclSize - End)
        return STATUS_BUFFER_TOO_SMALL;
    Offset = RtlpAceOffset(Acl, StartingAceIndex < Acl->AceCount ? StartingAceIndex : Acl->AceCount);
    memmove((PCHAR)Acl + Offset + AceListLength, (PCHAR)Acl + Offset, End - Offset);
    memcpy((PCHAR)Acl + Offset, AceList, AceListLength);
    Acl->AceCount = (USHORT)(Acl->AceCount + Count);
    if (AceRevision > Acl->AclRevision)
        Acl->AclRevision = (UCHAR)AceRevision;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAddAccessAllowedAceEx(PACL Acl, ULONG AceRevision, ULONG AceFlags, ACCESS_MASK AccessMask, PSID Sid)
{
    ULONG End, Bytes;
    PACCESS_ALLOWED_ACE Ace;

    if (!RtlValidSid(Sid))
        return STATUS_INVALID_SID;
    if (AceRevision > ACL_REVISION_DS || AceRevision < ACL_REVISION)
        return STATUS_REVISION_MISMATCH;
    End = RtlpAceOffset(Acl, Acl->AceCount);
    if (!End)
        return STATUS_INVALID_ACL;
    if (AceFlags & ~VALID_INHERIT_FLAGS)
        return STATUS_INVALID_PARAMETER;
    Bytes = FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart) + RtlLengthSid(Sid);
    if (Bytes > Acl->AclSize - End)
        return STATUS_ALLOTTED_SPACE_EXCEEDED;
    Ace = (PACCESS_ALLOWED_ACE)((PCHAR)Acl + End);
    Ace->Header.AceType = ACCESS_ALLOWED_ACE_TYPE;
    Ace->Header.AceFlags = (UCHAR)AceFlags;
    Ace->Header.AceSize = (USHORT)Bytes;
    Ace->Mask = AccessMask;
    memcpy(&Ace->SidStart, Sid, RtlLengthSid(Sid));
    Acl->AceCount++;
    if (AceRevision > Acl->AclRevision)
        Acl->AclRevision = (UCHAR)AceRevision;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAddAccessAllowedAce(PACL Acl, ULONG AceRevision, ACCESS_MASK AccessMask, PSID Sid)
{
    return RtlAddAccessAllowedAceEx(Acl, AceRevision, 0, AccessMask, Sid);
}

/* Used by security descriptors: is the list whole. */
BOOLEAN RtlpValidAcl(const ACL *Acl)
{
    return RtlpAceOffset(Acl, Acl->AceCount) != 0;
}
