/*
 * Access checks: what lists, ownership, privileges, restricting identifiers and labels give and refuse; subjects and
 * access states. (docs: SeAccessCheck, How DACLs Control Access to an Object, Mandatory Integrity Control)
 */
#include "../io/test.h"

NTKERNELAPI NTSTATUS NTAPI SeCreateAccessState(PACCESS_STATE State, PVOID Aux, ACCESS_MASK Access,
                                               PGENERIC_MAPPING Mapping);
NTKERNELAPI VOID NTAPI SeDeleteAccessState(PACCESS_STATE State);
NTSYSAPI NTSTATUS NTAPI RtlAddAccessDeniedAceEx(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Mask, PSID Sid);

static GENERIC_MAPPING Mapping = {0x20001, 0x20002, 0x20004, 0x1f0007};
static ULONGLONG AclMemory[64];
#define Dacl ((PACL)AclMemory)
static SECURITY_DESCRIPTOR Descriptor;

static VOID Fresh(VOID)
{
    RtlCreateSecurityDescriptor(&Descriptor, SECURITY_DESCRIPTOR_REVISION);
    RtlCreateAcl(Dacl, sizeof(AclMemory), ACL_REVISION);
    RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, Dacl, FALSE);
    RtlSetOwnerSecurityDescriptor(&Descriptor, SeExports->SeNetworkServiceSid, FALSE);
    RtlSetGroupSecurityDescriptor(&Descriptor, SeExports->SeNetworkServiceSid, FALSE);
}

/* The current subject asks in UserMode. */
static NTSTATUS Ask(ACCESS_MASK Desired, PACCESS_MASK Granted)
{
    SECURITY_SUBJECT_CONTEXT Subject;
    NTSTATUS Status = STATUS_SUCCESS;
    PPRIVILEGE_SET Privileges = NULL;
    SeCaptureSubjectContext(&Subject);
    SeLockSubjectContext(&Subject);
    BOOLEAN Passed =
        SeAccessCheck(&Descriptor, &Subject, TRUE, Desired, 0, &Privileges, &Mapping, UserMode, Granted, &Status);
    SeUnlockSubjectContext(&Subject);
    SeReleaseSubjectContext(&Subject);
    if (Privileges)
        SeFreePrivileges(Privileges);
    CHECK(Passed == NT_SUCCESS(Status));
    return Status;
}

static VOID kernel_mode_gets_what_it_asks_for(VOID)
{
    SECURITY_SUBJECT_CONTEXT Subject;
    ACCESS_MASK Granted;
    NTSTATUS Status;
    Fresh();
    SeCaptureSubjectContext(&Subject);
    CHECK(SeAccessCheck(&Descriptor, &Subject, FALSE, 5, 2, NULL, &Mapping, KernelMode, &Granted, &Status));
    CHECK(Granted == 7 && Status == STATUS_SUCCESS);
    CHECK(
        SeAccessCheck(&Descriptor, &Subject, FALSE, MAXIMUM_ALLOWED, 0, NULL, &Mapping, KernelMode, &Granted, &Status));
    CHECK(Granted == Mapping.GenericAll);
    CHECK(!SeAccessCheck(NULL, &Subject, FALSE, 1, 0, NULL, &Mapping, UserMode, &Granted, &Status));
    CHECK(Status == STATUS_ACCESS_DENIED && Granted == 0);
    SeReleaseSubjectContext(&Subject);
    CHECK(Subject.PrimaryToken == NULL);
}

static VOID entries_are_taken_in_order(VOID)
{
    ACCESS_MASK Granted;
    Fresh();
    STATUS(Ask(1, &Granted), STATUS_ACCESS_DENIED); /* an empty list gives nothing */
    OK(RtlAddAccessAllowedAce(Dacl, ACL_REVISION, 1, SeExports->SeWorldSid));
    OK(Ask(1, &Granted));
    CHECK(Granted == 1);
    STATUS(Ask(3, &Granted), STATUS_ACCESS_DENIED);
    OK(RtlAddAccessAllowedAce(Dacl, ACL_REVISION, 2, SeExports->SeLocalSystemSid));
    OK(Ask(3, &Granted)); /* two entries together */
    OK(RtlAddAccessDeniedAceEx(Dacl, ACL_REVISION, 0, 1, SeExports->SeWorldSid));
    OK(Ask(1, &Granted)); /* granted before it is denied */
    OK(RtlDeleteAce(Dacl, 0));
    STATUS(Ask(1, &Granted), STATUS_ACCESS_DENIED);
    OK(Ask(MAXIMUM_ALLOWED, &Granted));
    CHECK((Granted & 7) == 2);
    RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, NULL, FALSE);
    OK(Ask(7, &Granted)); /* no list protects nothing */
    OK(RtlAddAccessAllowedAceEx(Dacl, ACL_REVISION, INHERIT_ONLY_ACE | CONTAINER_INHERIT_ACE, 4,
                                SeExports->SeWorldSid));
    RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, Dacl, FALSE);
    STATUS(Ask(4, &Granted), STATUS_ACCESS_DENIED); /* an entry that is only passed on */
}

static VOID owners_may_read_and_change_the_list(VOID)
{
    ACCESS_MASK Granted;
    Fresh();
    STATUS(Ask(WRITE_DAC, &Granted), STATUS_ACCESS_DENIED);
    RtlSetOwnerSecurityDescriptor(&Descriptor, SeExports->SeLocalSystemSid, FALSE);
    OK(Ask(WRITE_DAC | READ_CONTROL, &Granted));
    CHECK(Granted == (WRITE_DAC | READ_CONTROL));
    OK(RtlAddAccessAllowedAce(Dacl, ACL_REVISION, READ_CONTROL, SeExports->SeOwnerRightsSid));
    OK(Ask(READ_CONTROL, &Granted));
    STATUS(Ask(WRITE_DAC, &Granted), STATUS_ACCESS_DENIED); /* OWNER RIGHTS takes their place */
}

static VOID system_security_needs_a_privilege(VOID)
{
    ACCESS_MASK Granted;
    Fresh();
    OK(RtlAddAccessAllowedAce(Dacl, ACL_REVISION, GENERIC_ALL, SeExports->SeWorldSid));
    /* the local system has it, but not enabled */
    STATUS(Ask(ACCESS_SYSTEM_SECURITY, &Granted), STATUS_PRIVILEGE_NOT_HELD);
    OK(Ask(GENERIC_READ, &Granted));
    CHECK(Granted == Mapping.GenericRead);
}

static VOID a_restricted_subject_must_pass_twice(VOID)
{
    PACCESS_TOKEN Token = (PACCESS_TOKEN)PsReferencePrimaryToken(PsInitialSystemProcess), Filtered;
    TOKEN_GROUPS Restrict = {.GroupCount = 1};
    SECURITY_SUBJECT_CONTEXT Subject;
    ACCESS_MASK Granted;
    NTSTATUS Status;
    Restrict.Groups[0].Sid = SeExports->SeWorldSid;
    OK(SeFilterToken(Token, 0, NULL, NULL, &Restrict, &Filtered));
    Fresh();
    OK(RtlAddAccessAllowedAce(Dacl, ACL_REVISION, 3, SeExports->SeLocalSystemSid));
    OK(RtlAddAccessAllowedAce(Dacl, ACL_REVISION, 1, SeExports->SeWorldSid));
    OK(PsImpersonateClient(PsGetCurrentThread(), Filtered, FALSE, FALSE, SecurityImpersonation));
    SeCaptureSubjectContext(&Subject);
    CHECK(Subject.ClientToken == Filtered && Subject.ImpersonationLevel == SecurityImpersonation);
    CHECK(SeAccessCheck(&Descriptor, &Subject, FALSE, 1, 0, NULL, &Mapping, UserMode, &Granted, &Status));
    CHECK(!SeAccessCheck(&Descriptor, &Subject, FALSE, 2, 0, NULL, &Mapping, UserMode, &Granted, &Status));
    CHECK(Status == STATUS_ACCESS_DENIED);
    SeReleaseSubjectContext(&Subject);
    OK(PsImpersonateClient(PsGetCurrentThread(), Filtered, FALSE, FALSE, SecurityIdentification));
    STATUS(Ask(1, &Granted), STATUS_BAD_IMPERSONATION_LEVEL);
    PsRevertToSelf();
    OK(Ask(2, &Granted));
    ObDereferenceObject(Filtered);
    ObDereferenceObject(Token);
}

static VOID privileges_are_checked_for_user_mode(VOID)
{
    struct {
        PRIVILEGE_SET Set;
        LUID_AND_ATTRIBUTES More;
    } Two = {.Set = {.PrivilegeCount = 2, .Control = PRIVILEGE_SET_ALL_NECESSARY}};
    SECURITY_SUBJECT_CONTEXT Subject;
    Two.Set.Privilege[0].Luid.LowPart = SE_CHANGE_NOTIFY_PRIVILEGE;
    Two.More.Luid.LowPart = SE_LOAD_DRIVER_PRIVILEGE; /* held, not enabled */
    SeCaptureSubjectContext(&Subject);
    CHECK(SePrivilegeCheck(&Two.Set, &Subject, KernelMode));
    CHECK(!SePrivilegeCheck(&Two.Set, &Subject, UserMode));
    CHECK(Two.Set.Privilege[0].Attributes & SE_PRIVILEGE_USED_FOR_ACCESS);
    CHECK(!(Two.More.Attributes & SE_PRIVILEGE_USED_FOR_ACCESS));
    Two.Set.Control = 0;
    CHECK(SePrivilegeCheck(&Two.Set, &Subject, UserMode)); /* one of them is enough */
    SeReleaseSubjectContext(&Subject);
    CHECK(SeSinglePrivilegeCheck(Two.Set.Privilege[0].Luid, UserMode));
    CHECK(!SeSinglePrivilegeCheck(Two.More.Luid, UserMode));
    CHECK(SeSinglePrivilegeCheck(Two.More.Luid, KernelMode));
}

static VOID an_access_state_carries_subject_and_privileges(VOID)
{
    ACCESS_STATE State;
    ULONGLONG Aux[32];
    struct {
        PRIVILEGE_SET Set;
        LUID_AND_ATTRIBUTES More[3];
    } Four = {.Set = {.PrivilegeCount = 2}};
    OK(SeCreateAccessState(&State, Aux, GENERIC_READ | 4, &Mapping));
    CHECK(State.OriginalDesiredAccess == (Mapping.GenericRead | 4));
    CHECK(State.RemainingDesiredAccess == State.OriginalDesiredAccess && State.PreviouslyGrantedAccess == 0);
    CHECK(State.SubjectSecurityContext.PrimaryToken != NULL);
    OK(SeAppendPrivileges(&State, &Four.Set));
    CHECK(State.Privileges.PrivilegeSet.PrivilegeCount == 2 && !State.PrivilegesAllocated);
    OK(SeAppendPrivileges(&State, &Four.Set));
    CHECK(State.PrivilegesAllocated);
    CHECK((*(PPRIVILEGE_SET *)Aux)->PrivilegeCount == 4);
    SeDeleteAccessState(&State);
}

static VOID client_security_is_static_or_dynamic(VOID)
{
    SECURITY_QUALITY_OF_SERVICE Quality = {.Length = sizeof(Quality), .ImpersonationLevel = SecurityImpersonation};
    SECURITY_CLIENT_CONTEXT Context;
    SECURITY_SUBJECT_CONTEXT Subject;
    Quality.ContextTrackingMode = SECURITY_STATIC_TRACKING;
    OK(SeCreateClientSecurity(PsGetCurrentThread(), &Quality, FALSE, &Context));
    CHECK(SeTokenType(Context.ClientToken) == TokenImpersonation && !Context.DirectlyAccessClientToken);
    OK(SeImpersonateClientEx(&Context, NULL));
    SeCaptureSubjectContext(&Subject);
    CHECK(Subject.ClientToken == Context.ClientToken);
    SeReleaseSubjectContext(&Subject);
    PsRevertToSelf();
    SeDeleteClientSecurity(&Context);
    Quality.ContextTrackingMode = SECURITY_DYNAMIC_TRACKING;
    OK(SeCreateClientSecurity(PsGetCurrentThread(), &Quality, FALSE, &Context));
    CHECK(Context.DirectlyAccessClientToken && SeTokenType(Context.ClientToken) == TokenPrimary);
    SeDeleteClientSecurity(&Context);
}

TEST_MAIN(kernel_mode_gets_what_it_asks_for, entries_are_taken_in_order, owners_may_read_and_change_the_list,
          system_security_needs_a_privilege, a_restricted_subject_must_pass_twice, privileges_are_checked_for_user_mode,
          an_access_state_carries_subject_and_privileges, client_security_is_static_or_dynamic)
