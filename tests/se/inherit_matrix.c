/*
 * Every way in which a parent's entry and an explicit one can be marked: with and without parent and explicit list, each
 * defaulted or not, for containers and others; rights and names that stand for others, and such that do not.
 * (docs: SeAssignSecurity, ACE Inheritance Rules, SECURITY_DESCRIPTOR_CONTROL: a defaulted list yields to the parent's)
 */
#include "../io/test.h"

#ifndef SYSTEM_MANDATORY_LABEL_ACE_TYPE
#define SYSTEM_MANDATORY_LABEL_ACE_TYPE 0x11
#endif
#ifndef SEF_DEFAULT_OWNER_FROM_PARENT
#define SEF_DEFAULT_OWNER_FROM_PARENT 0x20
#define SEF_DEFAULT_GROUP_FROM_PARENT 0x40
#endif
#define INHERITS (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE)

typedef struct {
    PSID Sid;
    ACCESS_MASK Mask;
} RIGHT;

typedef struct {
    RIGHT Right;
    ULONG Flags;
} ENTRY;

/* One case: what the parent has and the object is to have, and what the two rights mean for the object. */
typedef struct {
    RIGHT Parent, ParentMeans, Own, OwnMeans;
    ULONG ParentFlags, OwnFlags;
    BOOLEAN HasParent, HasOwn, OwnDefaulted, Container;
} CASE;

/* Rights outside the last one mean nothing to the type, and go. */
static GENERIC_MAPPING Mapping = {STANDARD_RIGHTS_READ | 0x1001, STANDARD_RIGHTS_WRITE | 0x2002,
                                  STANDARD_RIGHTS_EXECUTE | 0x4004, STANDARD_RIGHTS_ALL | 0x800f};
static ULONGLONG ParentAcl[16], OwnAcl[16];

static VOID Describe(PSECURITY_DESCRIPTOR To, PACL Acl, RIGHT *Right, ULONG Flags, BOOLEAN Defaulted)
{
    RtlCreateSecurityDescriptor(To, SECURITY_DESCRIPTOR_REVISION);
    RtlCreateAcl(Acl, 64, ACL_REVISION);
    RtlAddAccessAllowedAceEx(Acl, ACL_REVISION, Flags, Right->Mask, Right->Sid);
    RtlSetDaclSecurityDescriptor(To, TRUE, Acl, Defaulted);
}

/* An entry that a container keeps for others only says what it said; one that also holds here may have to be two. */
static ULONG FromParent(const CASE *Case, ENTRY *Want)
{
    BOOLEAN Differs = Case->Parent.Sid != Case->ParentMeans.Sid || Case->Parent.Mask != Case->ParentMeans.Mask;
    ULONG Kept = Case->ParentFlags & INHERITS;
    if (!Case->Container || (Case->ParentFlags & NO_PROPAGATE_INHERIT_ACE)) {
        Want[0] = (ENTRY){Case->ParentMeans, 0};
        return 1;
    }
    if (!(Kept & CONTAINER_INHERIT_ACE)) {
        Want[0] = (ENTRY){Case->Parent, Kept | INHERIT_ONLY_ACE};
        return 1;
    }
    if (!Differs) {
        Want[0] = (ENTRY){Case->Parent, Kept};
        return 1;
    }
    Want[0] = (ENTRY){Case->ParentMeans, 0};
    Want[1] = (ENTRY){Case->Parent, Kept | INHERIT_ONLY_ACE};
    return 2;
}

static BOOLEAN ParentGives(const CASE *Case)
{
    if (!Case->HasParent)
        return FALSE;
    if (!Case->Container)
        return (Case->ParentFlags & OBJECT_INHERIT_ACE) != 0;
    return (Case->ParentFlags & CONTAINER_INHERIT_ACE) ||
           ((Case->ParentFlags & OBJECT_INHERIT_ACE) && !(Case->ParentFlags & NO_PROPAGATE_INHERIT_ACE));
}

static ULONG Expected(const CASE *Case, ENTRY *Want)
{
    if (Case->HasOwn && (!Case->OwnDefaulted || !ParentGives(Case))) {
        Want[0] = (ENTRY){Case->OwnFlags & INHERIT_ONLY_ACE ? Case->Own : Case->OwnMeans, Case->OwnFlags};
        return 1;
    }
    if (ParentGives(Case))
        return FromParent(Case, Want);
    Want[0] = (ENTRY){{SeExports->SeLocalSystemSid, Mapping.GenericAll}, 0};
    Want[1] = (ENTRY){{SeExports->SeAliasAdminsSid, STANDARD_RIGHTS_READ | 0x0005}, 0};
    return 2;
}

static BOOLEAN Same(PACL Dacl, const ENTRY *Want, ULONG Count)
{
    if (!Dacl || Dacl->AceCount != Count)
        return FALSE;
    for (ULONG i = 0; i < Count; i++) {
        PACCESS_ALLOWED_ACE Ace = NULL;
        RtlGetAce(Dacl, i, (PVOID *)&Ace);
        if (Ace->Mask != Want[i].Right.Mask || Ace->Header.AceFlags != Want[i].Flags ||
            !RtlEqualSid(&Ace->SidStart, Want[i].Right.Sid))
            return FALSE;
    }
    return TRUE;
}

static VOID Show(const CASE *Case, PACL Dacl)
{
    DbgPrint("    parent %u flags %x, explicit %u flags %x defaulted %u, container %u:\n", Case->HasParent,
             Case->ParentFlags, Case->HasOwn, Case->OwnFlags, Case->OwnDefaulted, Case->Container);
    for (ULONG i = 0; Dacl && i < Dacl->AceCount; i++) {
        PACCESS_ALLOWED_ACE Ace = NULL;
        RtlGetAce(Dacl, i, (PVOID *)&Ace);
        DbgPrint("    %x %x\n", Ace->Header.AceFlags, Ace->Mask);
    }
}

static VOID Try(CASE *Case, BOOLEAN ParentDefaulted)
{
    SECURITY_DESCRIPTOR Parent, Own;
    PSECURITY_DESCRIPTOR New = NULL;
    SECURITY_SUBJECT_CONTEXT Subject;
    BOOLEAN Present = FALSE, Defaulted = TRUE;
    ENTRY Want[2];
    PACL Dacl = NULL;
    PSID Sid;
    Describe(&Parent, (PACL)ParentAcl, &Case->Parent, Case->ParentFlags, ParentDefaulted);
    Describe(&Own, (PACL)OwnAcl, &Case->Own, Case->OwnFlags, Case->OwnDefaulted);
    SeCaptureSubjectContext(&Subject);
    OK(SeAssignSecurity(Case->HasParent ? &Parent : NULL, Case->HasOwn ? &Own : NULL, &New, Case->Container, &Subject,
                        &Mapping, PagedPool));
    SeReleaseSubjectContext(&Subject);
    RtlGetDaclSecurityDescriptor(New, &Present, &Dacl, &Defaulted);
    if (!CHECK(Present && !Defaulted && Same(Dacl, Want, Expected(Case, Want))))
        Show(Case, Dacl);
    RtlGetOwnerSecurityDescriptor(New, &Sid, &Defaulted);
    CHECK(!Defaulted && RtlEqualSid(Sid, SeExports->SeAliasAdminsSid));
    RtlGetGroupSecurityDescriptor(New, &Sid, &Defaulted);
    CHECK(!Defaulted && RtlEqualSid(Sid, SeExports->SeLocalSystemSid));
    OK(SeDeassignSecurity(&New));
}

static VOID EveryMark(CASE *Case)
{
    for (ULONG Flags = 0; Flags < 256; Flags++)
        for (ULONG How = 0; How < 32; How++) {
            Case->ParentFlags = Flags & 15;
            Case->OwnFlags = Flags >> 4;
            Case->OwnDefaulted = (How & 2) != 0;
            Case->Container = (How & 4) != 0;
            Case->HasParent = (How & 8) != 0;
            Case->HasOwn = (How & 16) != 0;
            Try(Case, How & 1);
        }
}

static VOID plain_rights(VOID)
{
    RIGHT World = {SeExports->SeWorldSid, READ_CONTROL}, System = {SeExports->SeLocalSystemSid, SYNCHRONIZE};
    CASE Case = {.Parent = World, .ParentMeans = World, .Own = System, .OwnMeans = System};
    EveryMark(&Case);
}

static VOID rights_and_names_that_stand_for_others(VOID)
{
    CASE Case = {.Parent = {SeExports->SeCreatorOwnerSid, GENERIC_READ},
                 .ParentMeans = {SeExports->SeAliasAdminsSid, STANDARD_RIGHTS_READ | 1},
                 .Own = {SeExports->SeCreatorGroupSid, GENERIC_EXECUTE},
                 .OwnMeans = {SeExports->SeCreatorGroupSid, STANDARD_RIGHTS_EXECUTE | 4}};
    EveryMark(&Case);
}

static VOID what_is_missing_has_a_status(VOID)
{
    SECURITY_SUBJECT_CONTEXT Subject;
    PSECURITY_DESCRIPTOR New = (PVOID)1;
    STATUS(SeAssignSecurity(NULL, NULL, &New, FALSE, NULL, &Mapping, PagedPool), STATUS_NO_TOKEN);
    CHECK(!New);
    SeCaptureSubjectContext(&Subject);
    for (ULONG Flags = SEF_DEFAULT_OWNER_FROM_PARENT; Flags <= 3 * SEF_DEFAULT_OWNER_FROM_PARENT;
         Flags += SEF_DEFAULT_OWNER_FROM_PARENT) {
        New = (PVOID)1;
        STATUS(SeAssignSecurityEx(NULL, NULL, &New, NULL, FALSE, Flags, &Subject, &Mapping, PagedPool),
               Flags == SEF_DEFAULT_GROUP_FROM_PARENT ? STATUS_INVALID_PRIMARY_GROUP : STATUS_INVALID_OWNER);
        CHECK(!New);
    }
    SeReleaseSubjectContext(&Subject);
}

/* A system list is inherited as the other is: audits and labels. */
static VOID system_lists_are_inherited_alike(VOID)
{
    SECURITY_DESCRIPTOR Parent;
    SECURITY_SUBJECT_CONTEXT Subject;
    PSECURITY_DESCRIPTOR New = NULL;
    BOOLEAN Present = FALSE, Defaulted;
    PACCESS_ALLOWED_ACE Ace = NULL;
    PACL Sacl = NULL;
    for (ULONG Label = 0; Label < 2; Label++) {
        RtlCreateSecurityDescriptor(&Parent, SECURITY_DESCRIPTOR_REVISION);
        RtlCreateAcl((PACL)ParentAcl, 64, ACL_REVISION);
        RtlAddAccessAllowedAceEx((PACL)ParentAcl, ACL_REVISION, OBJECT_INHERIT_ACE, Label ? 1 : READ_CONTROL,
                                 SeExports->SeCreatorOwnerSid);
        RtlGetAce((PACL)ParentAcl, 0, (PVOID *)&Ace);
        Ace->Header.AceType = Label ? SYSTEM_MANDATORY_LABEL_ACE_TYPE : SYSTEM_AUDIT_ACE_TYPE;
        RtlSetSaclSecurityDescriptor(&Parent, TRUE, (PACL)ParentAcl, FALSE);
        SeCaptureSubjectContext(&Subject);
        OK(SeAssignSecurity(&Parent, NULL, &New, FALSE, &Subject, &Mapping, PagedPool));
        SeReleaseSubjectContext(&Subject);
        OK(RtlGetSaclSecurityDescriptor(New, &Present, &Sacl, &Defaulted));
        if (CHECK(Present && Sacl && Sacl->AceCount == 1)) {
            RtlGetAce(Sacl, 0, (PVOID *)&Ace);
            CHECK(Ace->Header.AceFlags == 0 && Ace->Mask == (Label ? 1u : READ_CONTROL));
            CHECK(RtlEqualSid(&Ace->SidStart, SeExports->SeAliasAdminsSid));
        }
        OK(SeDeassignSecurity(&New));
    }
}

TEST_MAIN(what_is_missing_has_a_status, system_lists_are_inherited_alike, plain_rights,
          rights_and_names_that_stand_for_others)
