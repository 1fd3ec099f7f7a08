/*
 * SIDs, access control lists, security descriptors.
 */
#include "test.h"

static SID Everyone = {1, 1, {{0, 0, 0, 0, 0, 1}}, {0}};

static VOID Sids(VOID)
{
    UCHAR Buffer[32];
    SID_IDENTIFIER_AUTHORITY Nt = {{0, 0, 0, 0, 0, 5}}, Large = {{1, 2, 3, 4, 5, 6}};
    UNICODE_STRING Text;

    EQUAL(RtlLengthRequiredSid(2), 16);
    EQUAL(RtlInitializeSid(Buffer, &Nt, 2), STATUS_SUCCESS);
    *RtlSubAuthoritySid(Buffer, 0) = 32;
    *RtlSubAuthoritySid(Buffer, 1) = 544;
    EQUAL(RtlConvertSidToUnicodeString(&Text, Buffer, TRUE), STATUS_SUCCESS);
    SAMEW(Text.Buffer, L"S-1-5-32-544");
    RtlFreeUnicodeString(&Text);
    CHECK(RtlValidSid(Buffer) && !RtlEqualSid(Buffer, &Everyone) && RtlEqualSid(&Everyone, &Everyone));
    EQUAL(RtlCopySid(11, Buffer, &Everyone), STATUS_BUFFER_TOO_SMALL);
    EQUAL(RtlInitializeSid(Buffer, &Nt, 16), STATUS_INVALID_PARAMETER);
    RtlInitializeSid(Buffer, &Large, 0);
    EQUAL(RtlConvertSidToUnicodeString(&Text, Buffer, TRUE), STATUS_SUCCESS);
    SAMEW(Text.Buffer, L"S-1-0x10203040506");
    RtlFreeUnicodeString(&Text);
    Buffer[0] = 2;
    EQUAL(RtlConvertSidToUnicodeString(&Text, Buffer, TRUE), STATUS_INVALID_SID);
}

static VOID Acls(VOID)
{
    UCHAR Buffer[8 + 3 * 20];
    PACL Acl = (PACL)Buffer;
    PACCESS_ALLOWED_ACE Ace;

    EQUAL(RtlCreateAcl(Acl, 7, ACL_REVISION), STATUS_BUFFER_TOO_SMALL);
    EQUAL(RtlCreateAcl(Acl, sizeof(Buffer), 1), STATUS_INVALID_PARAMETER);
    EQUAL(RtlCreateAcl(Acl, sizeof(Buffer), ACL_REVISION), STATUS_SUCCESS);
    for (ULONG i = 1; i <= 3; i++)
        EQUAL(RtlAddAccessAllowedAce(Acl, ACL_REVISION, i, &Everyone), STATUS_SUCCESS);
    EQUAL(RtlAddAccessAllowedAce(Acl, ACL_REVISION, 4, &Everyone), STATUS_ALLOTTED_SPACE_EXCEEDED);
    EQUAL(RtlGetAce(Acl, 1, (PVOID *)&Ace), STATUS_SUCCESS);
    CHECK(Ace->Mask == 2 && Ace->Header.AceSize == 20 && RtlEqualSid(&Ace->SidStart, &Everyone));
    EQUAL(RtlGetAce(Acl, 3, (PVOID *)&Ace), STATUS_INVALID_PARAMETER);
    EQUAL(RtlDeleteAce(Acl, 0), STATUS_SUCCESS);
    EQUAL(RtlGetAce(Acl, 0, (PVOID *)&Ace), STATUS_SUCCESS);
    CHECK(Acl->AceCount == 2 && Ace->Mask == 2);
    {
        UCHAR Copy[20];
        memcpy(Copy, Ace, sizeof(Copy));
        ((PACCESS_ALLOWED_ACE)Copy)->Mask = 9;
        EQUAL(RtlAddAce(Acl, ACL_REVISION, 1, Copy, sizeof(Copy)), STATUS_SUCCESS);
        EQUAL(RtlAddAce(Acl, ACL_REVISION, 1, Copy, sizeof(Copy)), STATUS_BUFFER_TOO_SMALL);
    }
    RtlGetAce(Acl, 1, (PVOID *)&Ace);
    EQUAL(Ace->Mask, 9);
    RtlGetAce(Acl, 2, (PVOID *)&Ace);
    EQUAL(Ace->Mask, 3);
    Ace->Header.AceSize = 400; /* reaches behind the list */
    EQUAL(RtlAddAce(Acl, ACL_REVISION, 0, NULL, 0), STATUS_INVALID_PARAMETER);
}

static VOID Descriptors(VOID)
{
    UCHAR List[64], Relative[200];
    SECURITY_DESCRIPTOR Descriptor;
    PACL Dacl = (PACL)List, Found;
    PSID Owner;
    BOOLEAN Present, Defaulted;
    ULONG Bytes = 0;

    RtlCreateAcl(Dacl, sizeof(List), ACL_REVISION);
    RtlAddAccessAllowedAce(Dacl, ACL_REVISION, 0x1f, &Everyone);
    EQUAL(RtlCreateSecurityDescriptor(&Descriptor, 2), STATUS_UNKNOWN_REVISION);
    EQUAL(RtlCreateSecurityDescriptor(&Descriptor, SECURITY_DESCRIPTOR_REVISION), STATUS_SUCCESS);
    EQUAL(RtlGetDaclSecurityDescriptor(&Descriptor, &Present, &Found, &Defaulted), STATUS_SUCCESS);
    CHECK(!Present);
    EQUAL(RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, Dacl, FALSE), STATUS_SUCCESS);
    EQUAL(RtlSetOwnerSecurityDescriptor(&Descriptor, &Everyone, TRUE), STATUS_SUCCESS);
    CHECK(RtlValidSecurityDescriptor(&Descriptor));
    EQUAL(RtlLengthSecurityDescriptor(&Descriptor), sizeof(Descriptor) + 64 + 12);
    EQUAL(RtlAbsoluteToSelfRelativeSD(&Descriptor, Relative, &Bytes), STATUS_BUFFER_TOO_SMALL);
    EQUAL(Bytes, 20 + 64 + 12);
    EQUAL(RtlAbsoluteToSelfRelativeSD(&Descriptor, Relative, &Bytes), STATUS_SUCCESS);
    CHECK(RtlValidSecurityDescriptor(Relative));
    EQUAL(RtlGetDaclSecurityDescriptor(Relative, &Present, &Found, &Defaulted), STATUS_SUCCESS);
    CHECK(Present && (PUCHAR)Found == Relative + 20 && !memcmp(Found, Dacl, 64));
    EQUAL(RtlGetOwnerSecurityDescriptor(Relative, &Owner, &Defaulted), STATUS_SUCCESS);
    CHECK(Defaulted && RtlEqualSid(Owner, &Everyone));
    EQUAL(RtlSetDaclSecurityDescriptor(Relative, FALSE, NULL, FALSE), STATUS_INVALID_SECURITY_DESCR);
    Found->AceCount = 9;
    CHECK(!RtlValidSecurityDescriptor(Relative));
}

const RTL_TEST SecurityTests[] = {
    {"sids_as_structures_and_text", Sids},
    {"access_control_lists_keep_their_size", Acls},
    {"security_descriptors_in_both_forms", Descriptors},
    {0},
};
