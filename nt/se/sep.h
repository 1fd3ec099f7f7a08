/*
 * Security: tokens, access checks, descriptors of objects.
 *
 * A token's identifiers and lists lie in one block of its own; what changes in a token's life is a few fields and the
 * default DACL, under its lock. Privileges are sets of bits: privilege n (its LUID) is bit n.
 *
 * A primary token belongs to a process (SepPrimaryToken makes it when first asked for), an impersonation token to a
 * thread for a while. Audit is off, as on a system whose policy asks for none: nothing is written, and the routines
 * that ask whether an access is audited say no.
 */
#pragma once

typedef struct _SEP_SESSION SEP_SESSION, *PSEP_SESSION;

typedef struct _SEP_TOKEN {
    TOKEN_SOURCE Source;
    LUID TokenId, AuthenticationId, ParentTokenId, ModifiedId, OriginatingSession;
    LARGE_INTEGER ExpirationTime;
    TOKEN_TYPE Type;
    SECURITY_IMPERSONATION_LEVEL Level;
    ULONG SessionId;
    ULONG Flags; /* TOKEN_IS_RESTRICTED... */
    ULONG MandatoryPolicy;
    ULONG ElevationType; /* 1 default, 2 full, 3 limited */
    ULONG UserAndGroupCount, RestrictedCount;
    ULONG OwnerIndex, IntegrityIndex; /* into UserAndGroups; 0 of the latter = no label */
    PSID_AND_ATTRIBUTES UserAndGroups, Restricted;
    PSID PrimaryGroup;
    UINT64 Present, Enabled, Default; /* privileges */
    PACL DefaultDacl;                 /* a block of its own, or NULL */
    PVOID Block;                      /* holds the arrays and their SIDs */
    PSEP_SESSION Session;
    ERESOURCE Lock;
} SEP_TOKEN, *PSEP_TOKEN;

/* What a new token is made of; everything is copied. Groups are those behind the user. */
typedef struct _SEP_TOKEN_PARTS {
    const SEP_TOKEN *Like; /* scalars are taken from it, and what is NULL below */
    ULONG UserAndGroupCount, RestrictedCount;
    PSID_AND_ATTRIBUTES UserAndGroups, Restricted;
    PSID PrimaryGroup;
    PACL DefaultDacl;
} SEP_TOKEN_PARTS;

/* Who a process is launched as. */
typedef enum _SEP_USER { SepUserSystem, SepUserElevated, SepUserLimited } SEP_USER;

typedef struct _SEP_IMPERSONATION {
    PSEP_TOKEN Token;
    SECURITY_IMPERSONATION_LEVEL Level;
    BOOLEAN CopyOnOpen, EffectiveOnly;
} SEP_IMPERSONATION, *PSEP_IMPERSONATION;

VOID SeInitialize(VOID); /* needs objects and pool; before processes */
extern POBJECT_TYPE SepTokenType;

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

NTSTATUS SepMakeToken(const SEP_TOKEN_PARTS *Parts, PSEP_TOKEN *Token);
NTSTATUS SepDuplicateToken(PSEP_TOKEN From, TOKEN_TYPE Type, SECURITY_IMPERSONATION_LEVEL Level, BOOLEAN EffectiveOnly,
                           PSEP_TOKEN *Token);
/* A process's primary token, not referenced. A process that was given none is System's, or an elevated user's. */
PSEP_TOKEN SepPrimaryToken(PEPROCESS Process);
VOID SepSetProcessUser(PEPROCESS Process, SEP_USER User);
VOID SepProcessGoes(PEPROCESS Process); /* gives up its token */
VOID SepThreadGoes(PETHREAD Thread);    /* ends an impersonation */
/* The token an access of the current thread is checked with: of its impersonation, or else of its process. */
PSEP_TOKEN SepEffectiveToken(VOID);
LUID SepNewLuid(VOID);
NTSTATUS NTAPI SeCreateAccessState(PACCESS_STATE State, PVOID AuxData, ACCESS_MASK Access, PGENERIC_MAPPING Mapping);
VOID NTAPI SeDeleteAccessState(PACCESS_STATE State);
#define SE_AUX_WORDS 8 /* of 64 bits: what SeCreateAccessState needs behind an access state */
BOOLEAN SepIsMember(const SEP_TOKEN *Token, PSID Sid, BOOLEAN ForDeny, BOOLEAN InRestricted);
static inline ULONG SepIntegrityOf(const SEP_TOKEN *Token)
{
    PISID Sid = Token->IntegrityIndex ? Token->UserAndGroups[Token->IntegrityIndex].Sid : NULL;
    return Sid ? Sid->SubAuthority[Sid->SubAuthorityCount - 1] : SECURITY_MANDATORY_UNTRUSTED_RID;
}
#define SEP_BIT(Privilege) (1ull << (Privilege))

/* ---- Logon sessions ---------------------------------------------------------------------------------------------- */

PSEP_SESSION SepReferenceSession(LUID Id); /* NULL = there is none */
VOID SepDereferenceSession(PSEP_SESSION Session);
PSEP_SESSION SepMakeSession(LUID Id);

/* ---- Checks and descriptors -------------------------------------------------------------------------------------- */

BOOLEAN SepCheckAccess(PSECURITY_DESCRIPTOR Descriptor, const SEP_TOKEN *Token, ACCESS_MASK Desired,
                       ACCESS_MASK Previous, const GENERIC_MAPPING *Mapping, PACCESS_MASK Granted, PUINT64 Used,
                       PNTSTATUS Status);
/* SeAccessCheck for a token that is locked. Token NULL = a client whose level allows no access. */
BOOLEAN SepAccessCheck(PSECURITY_DESCRIPTOR Descriptor, const SEP_TOKEN *Token, ACCESS_MASK Desired,
                       ACCESS_MASK Previous, PPRIVILEGE_SET *Privileges, PGENERIC_MAPPING Mapping, KPROCESSOR_MODE Mode,
                       PACCESS_MASK Granted, PNTSTATUS Status);
BOOLEAN SepHasPrivilege(ULONG Privilege, KPROCESSOR_MODE Mode);

/* What queries are answered with. */
ULONG SepArraySize(PSID_AND_ATTRIBUTES Array, ULONG Count);
PUCHAR SepPutArray(PSID_AND_ATTRIBUTES To, PSID_AND_ATTRIBUTES From, ULONG Count); /* returns what lies behind */
ULONG SepCountPrivileges(const SEP_TOKEN *Token);
VOID SepPutPrivileges(const SEP_TOKEN *Token, PLUID_AND_ATTRIBUTES To);
ULONG SepAccessInformationBytes(const SEP_TOKEN *Token);
VOID SepPutAccessInformation(const SEP_TOKEN *Token, PVOID Buffer);

/* One part of a descriptor in either form. A list that is not said to be present is NULL. */
PSID SepOwnerOf(PSECURITY_DESCRIPTOR Descriptor);
PSID SepGroupOf(PSECURITY_DESCRIPTOR Descriptor);
PACL SepDaclOf(PSECURITY_DESCRIPTOR Descriptor);
PACL SepSaclOf(PSECURITY_DESCRIPTOR Descriptor);
/* Parts put together to a self-relative descriptor in a block of Type. Control: its flags but SE_SELF_RELATIVE and the
 * two that say a list is present, which follow from HaveDacl and HaveSacl. */
typedef struct _SEP_PARTS {
    PSID Owner, Group;
    PACL Dacl, Sacl;
    BOOLEAN HaveDacl, HaveSacl;
    USHORT Control;
} SEP_PARTS;
NTSTATUS SepBuild(const SEP_PARTS *Parts, POOL_TYPE Type, PSECURITY_DESCRIPTOR *Result);
VOID SepTakeApart(PSECURITY_DESCRIPTOR Descriptor, SEP_PARTS *Parts);
/* The security of a new object. *Result lies in pool of Type, freed by SeDeassignSecurity. */
NTSTATUS SepAssign(PSECURITY_DESCRIPTOR Parent, PSECURITY_DESCRIPTOR Explicit, GUID *ObjectType, BOOLEAN Container,
                   ULONG Flags, const SEP_TOKEN *Token, const GENERIC_MAPPING *Mapping, POOL_TYPE Type,
                   PSECURITY_DESCRIPTOR *Result);
/* May a subject make Owner the owner of something. */
BOOLEAN SepMayBeOwner(const SEP_TOKEN *Token, PSID Owner);
/* Lists that the system gives objects of its own. */
extern PACL SePublicDefaultDacl, SePublicOpenDacl, SeSystemDefaultDacl;
#define SEP_TAG 'dSeS'

/* Declared by no header of ours. */
NTSTATUS NTAPI ObSetSecurityDescriptorInfo(PVOID Object, PSECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor,
                                           PSECURITY_DESCRIPTOR *Objects, POOL_TYPE Pool, PGENERIC_MAPPING Mapping);
NTSTATUS NTAPI ObLogSecurityDescriptor(PSECURITY_DESCRIPTOR Input, PSECURITY_DESCRIPTOR *Output, ULONG Bias);
VOID NTAPI ObReferenceSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Count);
VOID NTAPI ObDereferenceSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Count);
BOOLEAN NTAPI RtlValidAcl(PACL Acl);
NTSTATUS NTAPI SeCaptureSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, KPROCESSOR_MODE Mode, POOL_TYPE Pool,
                                           BOOLEAN Always, PSECURITY_DESCRIPTOR *Captured);
VOID NTAPI SeReleaseSecurityDescriptor(PSECURITY_DESCRIPTOR Captured, KPROCESSOR_MODE Mode, BOOLEAN Always);
