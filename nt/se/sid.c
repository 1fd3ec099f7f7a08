/*
 * Security identifiers (docs: SID): made, compared, printed.
 */
#include "nt.h"

#define SEP_MAXIMUM_SUB_AUTHORITIES 15

ULONG NTAPI RtlLengthRequiredSid(ULONG Count)
{
    return FIELD_OFFSET(SID, SubAuthority) + Count * sizeof(ULONG);
}

ULONG NTAPI RtlLengthSid(PSID Sid)
{
    return RtlLengthRequiredSid(((PISID)Sid)->SubAuthorityCount);
}

BOOLEAN NTAPI RtlValidSid(PSID Sid)
{
    PISID Body = Sid;
    return Body && (Body->Revision & 0xf) == SID_REVISION && Body->SubAuthorityCount <= SEP_MAXIMUM_SUB_AUTHORITIES;
}

NTSTATUS NTAPI RtlInitializeSid(PSID Sid, PSID_IDENTIFIER_AUTHORITY Authority, UCHAR Count)
{
    PISID Body = Sid;
    if (Count > SEP_MAXIMUM_SUB_AUTHORITIES)
        return STATUS_INVALID_PARAMETER;
    Body->Revision = SID_REVISION;
    Body->SubAuthorityCount = Count;
    Body->IdentifierAuthority = *Authority;
    return STATUS_SUCCESS;
}

PULONG NTAPI RtlSubAuthoritySid(PSID Sid, ULONG Index)
{
    return &((PISID)Sid)->SubAuthority[Index];
}

PUCHAR NTAPI RtlSubAuthorityCountSid(PSID Sid)
{
    return &((PISID)Sid)->SubAuthorityCount;
}

BOOLEAN NTAPI RtlEqualSid(PSID First, PSID Second)
{
    ULONG Bytes = RtlLengthSid(First);
    return Bytes == RtlLengthSid(Second) && RtlCompareMemory(First, Second, Bytes) == Bytes;
}

NTSTATUS NTAPI RtlCopySid(ULONG Room, PSID To, PSID From)
{
    ULONG Bytes = RtlLengthSid(From);
    if (Bytes > Room)
        return STATUS_BUFFER_TOO_SMALL;
    RtlMoveMemory(To, From, Bytes);
    return STATUS_SUCCESS;
}

/* "S-1-5-32-544"; an authority above 32 bits is written in hexadecimal. */
NTSTATUS NTAPI RtlConvertSidToUnicodeString(PUNICODE_STRING String, PSID Sid, BOOLEAN Allocate)
{
    CHAR Text[256];
    PISID Body = Sid;
    UNICODE_STRING Wide;
    ANSI_STRING Narrow;
    UINT64 Authority = 0;
    if (!RtlValidSid(Sid))
        return STATUS_INVALID_SID;
    for (ULONG i = 0; i < 6; i++)
        Authority = Authority << 8 | Body->IdentifierAuthority.Value[i];
    ULONG Length = RtlpFormat(Text, sizeof(Text), Authority >> 32 ? "S-1-0x%I64x" : "S-1-%I64u", Authority);
    for (ULONG i = 0; i < Body->SubAuthorityCount; i++)
        Length += RtlpFormat(Text + Length, sizeof(Text) - Length, "-%u", Body->SubAuthority[i]);
    RtlInitAnsiString(&Narrow, Text);
    if (Allocate)
        return RtlAnsiStringToUnicodeString(String, &Narrow, TRUE);
    if (String->MaximumLength < (Length + 1) * sizeof(WCHAR))
        return STATUS_BUFFER_OVERFLOW;
    Wide = *String;
    NTSTATUS Status = RtlAnsiStringToUnicodeString(&Wide, &Narrow, FALSE);
    String->Length = Wide.Length;
    return Status;
}
