/*
 * Access checks with a token's contents kept by the caller, and with tokens. (docs: SeAccessCheckFromState,
 * SeAccessCheckFromStateEx, TOKEN_ACCESS_INFORMATION)
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI RtlSidHashInitialize(PSID_AND_ATTRIBUTES Sids, ULONG Count, PSID_AND_ATTRIBUTES_HASH Hash);
NTSYSAPI PSID_AND_ATTRIBUTES NTAPI RtlSidHashLookup(PSID_AND_ATTRIBUTES_HASH Hash, PSID Sid);

static GENERIC_MAPPING Mapping = {0x20001, 0x20002, 0x20004, 0x1f0007};
static ULONGLONG AclMemory[64];
#define Dacl ((PACL)AclMemory)
static SECURITY_DESCRIPTOR Descriptor;

static VOID Allow(ACCESS_MASK Mask, PSID Sid)
{
    RtlCreateSecurityDescriptor(&Descriptor, SECURITY_DESCRIPTOR_REVISION);
    RtlCreateAcl(Dacl, sizeof(AclMemory), ACL_REVISION);
    OK(RtlAddAccessAllowedAce(Dacl, ACL_REVISION, Mask, Sid));
    RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, Dacl, FALSE);
    RtlSetOwnerSecurityDescriptor(&Descriptor, SeExports->SeNetworkServiceSid, FALSE);
    RtlSetGroupSecurityDescriptor(&Descriptor, SeExports->SeNetworkServiceSid, FALSE);
}

static PACCESS_TOKEN Token;
static PTOKEN_ACCESS_INFORMATION State;

static NTSTATUS Ask(ACCESS_MASK Desired, PTOKEN_ACCESS_INFORMATION Client, KPROCESSOR_MODE Mode, PACCESS_MASK Granted)
{
    PPRIVILEGE_SET Used = (PVOID)1;
    NTSTATUS Status = 0x1234;
    BOOLEAN Passed =
        SeAccessCheckFromState(&Descriptor, State, Client, Desired, 0, &Used, &Mapping, Mode, Granted, &Status);
    CHECK(Passed == NT_SUCCESS(Status));
    if (Used)
        SeFreePrivileges(Used);
    return Status;
}

static VOID a_token_tells_what_it_holds(VOID)
{
    Token = PsReferencePrimaryToken(PsGetCurrentProcess());
    OK(SeQueryInformationToken(Token, TokenAccessInformation, (PVOID *)&State));
    CHECK(State->SidHash->SidCount && RtlEqualSid(State->SidHash->SidAttr[0].Sid, SeExports->SeLocalSystemSid));
    CHECK(RtlSidHashLookup(State->SidHash, SeExports->SeAliasAdminsSid) != NULL);
    CHECK(RtlSidHashLookup(State->SidHash, SeExports->SeNetworkServiceSid) == NULL);
    CHECK(!State->RestrictedSidHash->SidCount && State->Privileges->PrivilegeCount > 10);
    CHECK(State->TokenType == TokenPrimary);
}

static VOID a_check_needs_no_token(VOID)
{
    ACCESS_MASK Granted;
    Allow(1, SeExports->SeLocalSystemSid);
    OK(Ask(1, NULL, UserMode, &Granted));
    CHECK(Granted == 1);
    STATUS(Ask(2, NULL, UserMode, &Granted), STATUS_ACCESS_DENIED);
    CHECK(Granted == 0);
    OK(Ask(2, NULL, KernelMode, &Granted));
    CHECK(Granted == 2);
    Allow(1, SeExports->SeNetworkServiceSid);
    STATUS(Ask(1, NULL, UserMode, &Granted), STATUS_ACCESS_DENIED);
}

static VOID a_client_is_asked_before_the_process(VOID)
{
    TOKEN_ACCESS_INFORMATION Client = *State;
    SID_AND_ATTRIBUTES Who = {SeExports->SeNetworkServiceSid, SE_GROUP_ENABLED};
    SID_AND_ATTRIBUTES_HASH Hash;
    ACCESS_MASK Granted;
    OK(RtlSidHashInitialize(&Who, 1, &Hash));
    Client.SidHash = &Hash;
    Client.Privileges = NULL;
    Client.TokenType = TokenImpersonation;
    Client.ImpersonationLevel = SecurityImpersonation;
    Client.MandatoryPolicy.Policy = 0;
    Allow(1, SeExports->SeNetworkServiceSid);
    OK(Ask(1, &Client, UserMode, &Granted));
    STATUS(Ask(ACCESS_SYSTEM_SECURITY, &Client, UserMode, &Granted), STATUS_PRIVILEGE_NOT_HELD);
    Client.ImpersonationLevel = SecurityIdentification;
    STATUS(Ask(1, &Client, UserMode, &Granted), STATUS_BAD_IMPERSONATION_LEVEL);
}

static VOID privileges_that_were_used_are_told(VOID)
{
    PPRIVILEGE_SET Used = NULL;
    ACCESS_MASK Granted;
    NTSTATUS Status;
    for (ULONG i = 0; i < State->Privileges->PrivilegeCount; i++)
        if (State->Privileges->Privileges[i].Luid.LowPart == SE_TAKE_OWNERSHIP_PRIVILEGE)
            State->Privileges->Privileges[i].Attributes |= SE_PRIVILEGE_ENABLED;
    Allow(1, SeExports->SeNetworkServiceSid);
    CHECK(
        SeAccessCheckFromState(&Descriptor, State, NULL, WRITE_OWNER, 0, &Used, &Mapping, UserMode, &Granted, &Status));
    CHECK(Granted == WRITE_OWNER);
    if (CHECK(Used != NULL)) {
        CHECK(Used->PrivilegeCount == 1 && Used->Privilege[0].Luid.LowPart == SE_TAKE_OWNERSHIP_PRIVILEGE);
        SeFreePrivileges(Used);
    }
}

static VOID it_may_be_asked_at_dispatch_level(VOID)
{
    ACCESS_MASK Granted;
    NTSTATUS Status;
    KIRQL Irql;
    ULONG Bytes = sizeof(AclMemory);
    PACL List = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, 'tseT');
    Allow(1, SeExports->SeLocalSystemSid);
    RtlCopyMemory(List, Dacl, Bytes);
    RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, List, FALSE);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    BOOLEAN Passed =
        SeAccessCheckFromStateEx(&Descriptor, Token, NULL, 1, 0, NULL, &Mapping, UserMode, &Granted, &Status);
    KeLowerIrql(Irql);
    CHECK(Passed && Granted == 1);
    CHECK(!SeAccessCheckFromStateEx(&Descriptor, Token, NULL, 2, 0, NULL, &Mapping, UserMode, &Granted, &Status));
    ExFreePool(List);
    ExFreePool(State);
    PsDereferencePrimaryToken(Token);
}

TEST_MAIN(a_token_tells_what_it_holds, a_check_needs_no_token, a_client_is_asked_before_the_process,
          privileges_that_were_used_are_told, it_may_be_asked_at_dispatch_level)
