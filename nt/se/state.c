/*
 * Access checks with what a token was seen to hold, and a token's contents for them (TokenAccessInformation).
 *
 * A caller keeps TOKEN_ACCESS_INFORMATION instead of the token. It is taken for a token that has nothing else, so these
 * checks decide as SeAccessCheck does. (docs: SeAccessCheckFromState, SeAccessCheckFromStateEx, TOKEN_ACCESS_INFORMATION)
 */
#include "nt.h"

NTSTATUS NTAPI RtlSidHashInitialize(PSID_AND_ATTRIBUTES Sids, ULONG Count, PSID_AND_ATTRIBUTES_HASH Hash);

/* As it is since Windows 8; Debian's header ends it after Flags. */
typedef struct _SEP_ACCESS_INFORMATION {
    TOKEN_ACCESS_INFORMATION Common;
    ULONG AppContainerNumber;
    PSID PackageSid;
    PSID_AND_ATTRIBUTES_HASH CapabilitiesHash;
    PSID TrustLevelSid;
    PVOID SecurityAttributes;
} SEP_ACCESS_INFORMATION, *PSEP_ACCESS_INFORMATION;

static ULONG SepAlign(ULONG Bytes)
{
    return (Bytes + 7) & ~7u;
}

static ULONG SepPrivilegeBytes(const SEP_TOKEN *Token)
{
    return SepAlign(FIELD_OFFSET(TOKEN_PRIVILEGES, Privileges) +
                    SepCountPrivileges(Token) * sizeof(LUID_AND_ATTRIBUTES));
}

ULONG SepAccessInformationBytes(const SEP_TOKEN *Token)
{
    return sizeof(SEP_ACCESS_INFORMATION) + 3 * sizeof(SID_AND_ATTRIBUTES_HASH) + SepPrivilegeBytes(Token) +
           SepAlign(SepArraySize(Token->UserAndGroups, Token->UserAndGroupCount)) +
           SepArraySize(Token->Restricted, Token->RestrictedCount);
}

VOID SepPutAccessInformation(const SEP_TOKEN *Token, PVOID Buffer)
{
    PSEP_ACCESS_INFORMATION To = Buffer;
    PSID_AND_ATTRIBUTES_HASH Hash = (PVOID)(To + 1);
    PTOKEN_PRIVILEGES Privileges = (PVOID)(Hash + 3);
    PSID_AND_ATTRIBUTES Groups = (PVOID)((PUCHAR)Privileges + SepPrivilegeBytes(Token));
    PSID_AND_ATTRIBUTES Restricted =
        (PVOID)((PUCHAR)Groups + SepAlign(SepArraySize(Token->UserAndGroups, Token->UserAndGroupCount)));
    RtlZeroMemory(To, sizeof(*To));
    SepPutArray(Groups, Token->UserAndGroups, Token->UserAndGroupCount);
    SepPutArray(Restricted, Token->Restricted, Token->RestrictedCount);
    RtlSidHashInitialize(Groups, Token->UserAndGroupCount, &Hash[0]);
    RtlSidHashInitialize(Restricted, Token->RestrictedCount, &Hash[1]);
    RtlSidHashInitialize(NULL, 0, &Hash[2]);
    Privileges->PrivilegeCount = SepCountPrivileges(Token);
    SepPutPrivileges(Token, Privileges->Privileges);
    To->Common.SidHash = &Hash[0];
    To->Common.RestrictedSidHash = &Hash[1];
    To->CapabilitiesHash = &Hash[2];
    To->Common.Privileges = Privileges;
    To->Common.AuthenticationId = Token->AuthenticationId;
    To->Common.TokenType = Token->Type;
    To->Common.ImpersonationLevel = Token->Level;
    To->Common.MandatoryPolicy.Policy = Token->MandatoryPolicy;
    To->Common.Flags = Token->Flags;
}

/* A token that access checks can look at; it owns nothing. */
static VOID SepFromState(const TOKEN_ACCESS_INFORMATION *State, PSEP_TOKEN Token)
{
    RtlZeroMemory(Token, sizeof(*Token));
    Token->Type = State->TokenType;
    Token->Level = State->ImpersonationLevel;
    Token->MandatoryPolicy = State->MandatoryPolicy.Policy;
    Token->Flags = State->Flags;
    Token->UserAndGroups = State->SidHash->SidAttr;
    Token->UserAndGroupCount = State->SidHash->SidCount;
    if (State->RestrictedSidHash && State->RestrictedSidHash->SidCount) {
        Token->Restricted = State->RestrictedSidHash->SidAttr;
        Token->RestrictedCount = State->RestrictedSidHash->SidCount;
        Token->Flags |= TOKEN_IS_RESTRICTED;
    }
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
        if (Token->UserAndGroups[i].Attributes & SE_GROUP_INTEGRITY)
            Token->IntegrityIndex = i;
    for (ULONG i = 0; State->Privileges && i < State->Privileges->PrivilegeCount; i++) {
        PLUID_AND_ATTRIBUTES Privilege = &State->Privileges->Privileges[i];
        if ((Privilege->Attributes & SE_PRIVILEGE_ENABLED) && !Privilege->Luid.HighPart && Privilege->Luid.LowPart < 64)
            Token->Enabled |= SEP_BIT(Privilege->Luid.LowPart);
    }
}

BOOLEAN NTAPI SeAccessCheckFromStateEx(PSECURITY_DESCRIPTOR Descriptor, PACCESS_TOKEN Primary, PACCESS_TOKEN Client,
                                       ACCESS_MASK Desired, ACCESS_MASK Previous, PPRIVILEGE_SET *Privileges,
                                       PGENERIC_MAPPING Mapping, KPROCESSOR_MODE Mode, PACCESS_MASK Granted,
                                       PNTSTATUS Status)
{
    PSEP_TOKEN Token = Client ? Client : Primary;
    if (Client && Token->Level < SecurityImpersonation)
        Token = NULL;
    return SepAccessCheck(Descriptor, Token, Desired, Previous, Privileges, Mapping, Mode, Granted, Status);
}

BOOLEAN NTAPI SeAccessCheckFromState(PSECURITY_DESCRIPTOR Descriptor, PTOKEN_ACCESS_INFORMATION Primary,
                                     PTOKEN_ACCESS_INFORMATION Client, ACCESS_MASK Desired, ACCESS_MASK Previous,
                                     PPRIVILEGE_SET *Privileges, PGENERIC_MAPPING Mapping, KPROCESSOR_MODE Mode,
                                     PACCESS_MASK Granted, PNTSTATUS Status)
{
    SEP_TOKEN Token;
    SepFromState(Client ? Client : Primary, &Token);
    return SeAccessCheckFromStateEx(Descriptor, &Token, Client ? &Token : NULL, Desired, Previous, Privileges, Mapping,
                                    Mode, Granted, Status);
}
