/*
 * The security of new objects: what is asked for, inherited, and taken from the token; and descriptors asked for and
 * changed in parts. (docs: SeAssignSecurityEx, ACE Inheritance Rules, SeQuerySecurityDescriptorInfo)
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI RtlSelfRelativeToAbsoluteSD(PSECURITY_DESCRIPTOR From, PSECURITY_DESCRIPTOR To, PULONG ToBytes,
                                                    PACL Dacl, PULONG DaclBytes, PACL Sacl, PULONG SaclBytes,
                                                    PSID Owner, PULONG OwnerBytes, PSID Group, PULONG GroupBytes);

static GENERIC_MAPPING Mapping = {0x20001, 0x20002, 0x20004, 0x1f0007};
static ULONGLONG ParentAcl[64], OwnAcl[64];
static SECURITY_DESCRIPTOR Parent, Own;

static VOID Fresh(VOID)
{
    RtlCreateSecurityDescriptor(&Parent, SECURITY_DESCRIPTOR_REVISION);
    RtlCreateSecurityDescriptor(&Own, SECURITY_DESCRIPTOR_REVISION);
    RtlCreateAcl((PACL)ParentAcl, sizeof(ParentAcl), ACL_REVISION);
    RtlCreateAcl((PACL)OwnAcl, sizeof(OwnAcl), ACL_REVISION);
    RtlSetDaclSecurityDescriptor(&Parent, TRUE, (PACL)ParentAcl, FALSE);
}

static PSECURITY_DESCRIPTOR Assign(PSECURITY_DESCRIPTOR From, PSECURITY_DESCRIPTOR Explicit, BOOLEAN Container,
                                   ULONG Flags, NTSTATUS Expected)
{
    SECURITY_SUBJECT_CONTEXT Subject;
    PSECURITY_DESCRIPTOR New = (PVOID)1;
    SeCaptureSubjectContext(&Subject);
    STATUS(SeAssignSecurityEx(From, Explicit, &New, NULL, Container, Flags, &Subject, &Mapping, PagedPool), Expected);
    SeReleaseSubjectContext(&Subject);
    return New;
}

static PACL DaclOf(PSECURITY_DESCRIPTOR New)
{
    BOOLEAN Present = FALSE, Defaulted;
    PACL Dacl = NULL;
    OK(RtlGetDaclSecurityDescriptor(New, &Present, &Dacl, &Defaulted));
    return Present ? Dacl : NULL;
}

static PACCESS_ALLOWED_ACE Entry(PACL Dacl, ULONG Index)
{
    PVOID Ace = NULL;
    OK(RtlGetAce(Dacl, Index, &Ace));
    return Ace;
}

static VOID without_anything_the_token_decides(VOID)
{
    PSECURITY_DESCRIPTOR New = Assign(NULL, NULL, FALSE, 0, STATUS_SUCCESS);
    PSID Sid;
    BOOLEAN Defaulted;
    CHECK(RtlValidSecurityDescriptor(New));
    CHECK(((PISECURITY_DESCRIPTOR)New)->Control == (SE_SELF_RELATIVE | SE_DACL_PRESENT));
    OK(RtlGetOwnerSecurityDescriptor(New, &Sid, &Defaulted));
    CHECK(RtlEqualSid(Sid, SeExports->SeAliasAdminsSid));
    OK(RtlGetGroupSecurityDescriptor(New, &Sid, &Defaulted));
    CHECK(RtlEqualSid(Sid, SeExports->SeLocalSystemSid));
    CHECK(DaclOf(New)->AceCount == 2);
    CHECK(Entry(DaclOf(New), 0)->Mask == Mapping.GenericAll);
    OK(SeDeassignSecurity(&New));
    CHECK(New == NULL);
}

static VOID an_explicit_list_wins(VOID)
{
    Fresh();
    RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, OBJECT_INHERIT_ACE, 1, SeExports->SeWorldSid);
    RtlAddAccessAllowedAce((PACL)OwnAcl, ACL_REVISION, GENERIC_READ, SeExports->SeNetworkSid);
    RtlSetDaclSecurityDescriptor(&Own, TRUE, (PACL)OwnAcl, FALSE);
    PSECURITY_DESCRIPTOR New = Assign(&Parent, &Own, FALSE, 0, STATUS_SUCCESS);
    CHECK(DaclOf(New)->AceCount == 1);
    CHECK(Entry(DaclOf(New), 0)->Mask == Mapping.GenericRead);
    OK(SeDeassignSecurity(&New));
    /* with automatic inheritance the inherited entries follow, marked */
    New = Assign(&Parent, &Own, FALSE, 1 /* SEF_DACL_AUTO_INHERIT */, STATUS_SUCCESS);
    CHECK(DaclOf(New)->AceCount == 2);
    CHECK(Entry(DaclOf(New), 1)->Header.AceFlags == INHERITED_ACE);
    CHECK(((PISECURITY_DESCRIPTOR)New)->Control & SE_DACL_AUTO_INHERITED);
    OK(SeDeassignSecurity(&New));
    /* a protected list takes none */
    Own.Control |= SE_DACL_PROTECTED;
    New = Assign(&Parent, &Own, FALSE, 1, STATUS_SUCCESS);
    CHECK(DaclOf(New)->AceCount == 1);
    OK(SeDeassignSecurity(&New));
    /* no entries at all, and no list at all */
    Fresh();
    RtlSetDaclSecurityDescriptor(&Own, TRUE, NULL, FALSE);
    New = Assign(NULL, &Own, FALSE, 0, STATUS_SUCCESS);
    CHECK((((PISECURITY_DESCRIPTOR)New)->Control & SE_DACL_PRESENT) && DaclOf(New) == NULL);
    OK(SeDeassignSecurity(&New));
    RtlSetDaclSecurityDescriptor(&Own, TRUE, (PACL)OwnAcl, FALSE);
    New = Assign(NULL, &Own, FALSE, 0, STATUS_SUCCESS);
    CHECK(DaclOf(New) && DaclOf(New)->AceCount == 0);
    OK(SeDeassignSecurity(&New));
}

static VOID objects_inherit_object_entries(VOID)
{
    Fresh();
    RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, CONTAINER_INHERIT_ACE, 2, SeExports->SeWorldSid);
    RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, OBJECT_INHERIT_ACE, GENERIC_READ,
                             SeExports->SeCreatorOwnerSid);
    RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, 0, 4, SeExports->SeWorldSid);
    PSECURITY_DESCRIPTOR New = Assign(&Parent, NULL, FALSE, 0, STATUS_SUCCESS);
    PACL Dacl = DaclOf(New);
    CHECK(Dacl->AceCount == 1);
    CHECK(Entry(Dacl, 0)->Header.AceFlags == 0);
    CHECK(Entry(Dacl, 0)->Mask == Mapping.GenericRead);
    CHECK(RtlEqualSid(&Entry(Dacl, 0)->SidStart, SeExports->SeAliasAdminsSid)); /* the owner it got */
    OK(SeDeassignSecurity(&New));
}

static VOID containers_hold_and_pass_on(VOID)
{
    Fresh();
    RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, CONTAINER_INHERIT_ACE, 2, SeExports->SeWorldSid);
    RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, OBJECT_INHERIT_ACE, 4, SeExports->SeWorldSid);
    RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, CONTAINER_INHERIT_ACE | NO_PROPAGATE_INHERIT_ACE, 1,
                             SeExports->SeWorldSid);
    RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, CONTAINER_INHERIT_ACE, GENERIC_WRITE,
                             SeExports->SeWorldSid);
    PSECURITY_DESCRIPTOR New = Assign(&Parent, NULL, TRUE, 0, STATUS_SUCCESS);
    PACL Dacl = DaclOf(New);
    CHECK(Dacl->AceCount == 5);
    CHECK(Entry(Dacl, 0)->Header.AceFlags == CONTAINER_INHERIT_ACE);
    CHECK(Entry(Dacl, 1)->Header.AceFlags == (OBJECT_INHERIT_ACE | INHERIT_ONLY_ACE));
    CHECK(Entry(Dacl, 2)->Header.AceFlags == 0 && Entry(Dacl, 2)->Mask == 1);
    /* generic rights hold as the type's, and are passed on as they were */
    CHECK(Entry(Dacl, 3)->Header.AceFlags == 0 && Entry(Dacl, 3)->Mask == Mapping.GenericWrite);
    CHECK(Entry(Dacl, 4)->Header.AceFlags == (CONTAINER_INHERIT_ACE | INHERIT_ONLY_ACE));
    CHECK(Entry(Dacl, 4)->Mask == GENERIC_WRITE);
    OK(SeDeassignSecurity(&New));
}

static VOID owners_are_checked(VOID)
{
    Fresh();
    RtlSetOwnerSecurityDescriptor(&Own, SeExports->SeNetworkServiceSid, FALSE);
    CHECK(Assign(NULL, &Own, FALSE, 0, STATUS_INVALID_OWNER) == NULL);
    PSECURITY_DESCRIPTOR New = Assign(NULL, &Own, FALSE, 0x10 /* SEF_AVOID_OWNER_CHECK */, STATUS_SUCCESS);
    OK(SeDeassignSecurity(&New));
    RtlSetOwnerSecurityDescriptor(&Own, SeExports->SeLocalSystemSid, FALSE);
    New = Assign(NULL, &Own, FALSE, 0, STATUS_SUCCESS);
    OK(SeDeassignSecurity(&New));
    /* from the parent, where asked for and there is one */
    CHECK(Assign(&Parent, NULL, FALSE, 0x20 /* SEF_DEFAULT_OWNER_FROM_PARENT */, STATUS_INVALID_OWNER) == NULL);
}

static VOID parts_are_asked_for_and_changed(VOID)
{
    PSECURITY_DESCRIPTOR New = Assign(NULL, NULL, FALSE, 0, STATUS_SUCCESS), Before, Nothing = NULL;
    UCHAR Buffer[256];
    ULONG Length = 0;
    SECURITY_INFORMATION What = OWNER_SECURITY_INFORMATION;
    STATUS(SeQuerySecurityDescriptorInfo(&What, Buffer, &Length, &New), STATUS_BUFFER_TOO_SMALL);
    CHECK(Length == 20 + RtlLengthSid(SeExports->SeAliasAdminsSid));
    Length = sizeof(Buffer);
    OK(SeQuerySecurityDescriptorInfo(&What, Buffer, &Length, &New));
    CHECK(((PISECURITY_DESCRIPTOR_RELATIVE)Buffer)->Owner && !((PISECURITY_DESCRIPTOR_RELATIVE)Buffer)->Group);
    CHECK(((PISECURITY_DESCRIPTOR_RELATIVE)Buffer)->Control == SE_SELF_RELATIVE);
    Fresh();
    RtlAddAccessAllowedAce((PACL)OwnAcl, ACL_REVISION, GENERIC_ALL, SeExports->SeWorldSid);
    RtlSetDaclSecurityDescriptor(&Own, TRUE, (PACL)OwnAcl, FALSE);
    What = DACL_SECURITY_INFORMATION;
    Before = New;
    OK(SeSetSecurityDescriptorInfo(NULL, &What, &Own, &New, PagedPool, &Mapping));
    CHECK(New != Before); /* the old one stays the caller's */
    ExFreePool(Before);
    CHECK(DaclOf(New)->AceCount == 1 && Entry(DaclOf(New), 0)->Mask == Mapping.GenericAll);
    STATUS(SeSetSecurityDescriptorInfo(NULL, &What, &Own, &Nothing, PagedPool, &Mapping), STATUS_NO_SECURITY_ON_OBJECT);
    What = OWNER_SECURITY_INFORMATION; /* which the modification does not have */
    STATUS(SeSetSecurityDescriptorInfo(NULL, &What, &Own, &New, PagedPool, &Mapping), STATUS_INVALID_OWNER);
    OK(SeDeassignSecurity(&New));
}

static VOID relative_and_absolute_are_each_others_form(VOID)
{
    PSECURITY_DESCRIPTOR New = Assign(NULL, NULL, FALSE, 0, STATUS_SUCCESS);
    SECURITY_DESCRIPTOR Absolute;
    ULONGLONG Dacl[16], Owner[4], Group[4];
    ULONG Bytes = 0, DaclBytes = 0, SaclBytes = 0, OwnerBytes = 0, GroupBytes = 0;
    CHECK(SeValidSecurityDescriptor(RtlLengthSecurityDescriptor(New), New));
    CHECK(!SeValidSecurityDescriptor(RtlLengthSecurityDescriptor(New) - 4, New));
    STATUS(RtlSelfRelativeToAbsoluteSD(New, &Absolute, &Bytes, NULL, &DaclBytes, NULL, &SaclBytes, NULL, &OwnerBytes,
                                       NULL, &GroupBytes),
           STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes == sizeof(SECURITY_DESCRIPTOR) && OwnerBytes == 16 && GroupBytes == 12 && SaclBytes == 0);
    OK(RtlSelfRelativeToAbsoluteSD(New, &Absolute, &Bytes, (PACL)Dacl, &DaclBytes, NULL, &SaclBytes, Owner, &OwnerBytes,
                                   Group, &GroupBytes));
    CHECK(RtlValidSecurityDescriptor(&Absolute) && !(Absolute.Control & SE_SELF_RELATIVE));
    CHECK(Absolute.Owner == Owner && Absolute.Dacl == (PACL)Dacl && Absolute.Sacl == NULL);
    STATUS(RtlSelfRelativeToAbsoluteSD(&Absolute, &Absolute, &Bytes, NULL, &DaclBytes, NULL, &SaclBytes, NULL,
                                       &OwnerBytes, NULL, &GroupBytes),
           STATUS_BAD_DESCRIPTOR_FORMAT);
    OK(SeDeassignSecurity(&New));
}

TEST_MAIN(without_anything_the_token_decides, an_explicit_list_wins, objects_inherit_object_entries,
          containers_hold_and_pass_on, owners_are_checked, parts_are_asked_for_and_changed,
          relative_and_absolute_are_each_others_form)
