/*
 * On whose behalf: impersonation, and the subject of an access captured for later checks.
 *
 * A thread acts as its process until it impersonates. A captured subject holds references to both tokens; while it is
 * locked neither changes, because locking takes the tokens' locks shared and setting takes them exclusive.
 * (docs: SeCaptureSubjectContext, SeLockSubjectContext, PsImpersonateClient, SeCreateClientSecurity)
 */
#include "nt.h"

/* ---- Impersonation ----------------------------------------------------------------------------------------------- */

static PETHREAD SepCurrentThread(VOID)
{
    return (PETHREAD)KeGetCurrentThread();
}

static VOID SepSetImpersonation(PETHREAD Thread, const SEP_IMPERSONATION *New)
{
    PSEP_TOKEN Old = Thread->Impersonation.Token;
    Thread->Impersonation = *New;
    if (New->Token)
        ObfReferenceObject(New->Token);
    if (Old)
        ObfDereferenceObject(Old);
}

VOID SepThreadGoes(PETHREAD Thread)
{
    SepSetImpersonation(Thread, &(SEP_IMPERSONATION){0});
}

PACCESS_TOKEN NTAPI PsReferencePrimaryToken(PEPROCESS Process)
{
    PSEP_TOKEN Token = SepPrimaryToken(Process);
    ObfReferenceObject(Token);
    return Token;
}

#undef PsDereferencePrimaryToken
#undef PsDereferenceImpersonationToken
VOID NTAPI PsDereferencePrimaryToken(PACCESS_TOKEN PrimaryToken)
{
    ObfDereferenceObject(PrimaryToken);
}

/* docs: PsDereferenceImpersonationToken: NULL is allowed. */
VOID NTAPI PsDereferenceImpersonationToken(PACCESS_TOKEN ImpersonationToken)
{
    if (ImpersonationToken)
        ObfDereferenceObject(ImpersonationToken);
}

PACCESS_TOKEN NTAPI PsReferenceImpersonationToken(PETHREAD Thread, PBOOLEAN CopyOnOpen, PBOOLEAN EffectiveOnly,
                                                  PSECURITY_IMPERSONATION_LEVEL Level)
{
    SEP_IMPERSONATION Own = Thread->Impersonation;
    if (!Own.Token)
        return NULL;
    ObfReferenceObject(Own.Token);
    *CopyOnOpen = Own.CopyOnOpen;
    *EffectiveOnly = Own.EffectiveOnly;
    *Level = Own.Level;
    return Own.Token;
}

BOOLEAN NTAPI PsIsThreadImpersonating(PETHREAD Thread)
{
    return Thread->Impersonation.Token != NULL;
}

/* docs: PsImpersonateClient: a NULL token ends the impersonation. The level is lowered to the token's own. */
NTSTATUS NTAPI PsImpersonateClient(PETHREAD Thread, PACCESS_TOKEN Token, BOOLEAN CopyOnOpen, BOOLEAN EffectiveOnly,
                                   SECURITY_IMPERSONATION_LEVEL Level)
{
    PSEP_TOKEN Own = Token;
    if (Own && Own->Type == TokenImpersonation && Own->Level < Level)
        Level = Own->Level;
    SepSetImpersonation(Thread, &(SEP_IMPERSONATION){.Token = Own,
                                                     .Level = Level,
                                                     .CopyOnOpen = Own ? CopyOnOpen : FALSE,
                                                     .EffectiveOnly = Own ? EffectiveOnly : FALSE});
    return STATUS_SUCCESS;
}

VOID NTAPI PsRevertToSelf(VOID)
{
    SepThreadGoes(SepCurrentThread());
}

VOID NTAPI PsRevertThreadToSelf(PETHREAD Thread)
{
    SepThreadGoes(Thread);
}

/* docs: PsDisableImpersonation: TRUE if there was an impersonation; its token's reference passes to the state. */
BOOLEAN NTAPI PsDisableImpersonation(PETHREAD Thread, PSE_IMPERSONATION_STATE State)
{
    SEP_IMPERSONATION Own = Thread->Impersonation;
    Thread->Impersonation = (SEP_IMPERSONATION){0};
    State->Token = Own.Token;
    State->CopyOnOpen = Own.CopyOnOpen;
    State->EffectiveOnly = Own.EffectiveOnly;
    State->Level = Own.Level;
    return Own.Token != NULL;
}

VOID NTAPI PsRestoreImpersonation(PETHREAD Thread, PSE_IMPERSONATION_STATE State)
{
    PsImpersonateClient(Thread, State->Token, State->CopyOnOpen, State->EffectiveOnly, State->Level);
    if (State->Token)
        ObfDereferenceObject(State->Token);
}

/* docs: PsAssignImpersonationToken: the handle names an impersonation token; NULL ends the impersonation. */
NTSTATUS NTAPI PsAssignImpersonationToken(PETHREAD Thread, HANDLE TokenHandle)
{
    PSEP_TOKEN Token;
    if (!TokenHandle) {
        SepThreadGoes(Thread);
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ObReferenceObjectByHandle(TokenHandle, TOKEN_IMPERSONATE, SepTokenType, ExGetPreviousMode(),
                                                (PVOID *)&Token, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Token->Type == TokenImpersonation)
        Status = PsImpersonateClient(Thread, Token, FALSE, FALSE, Token->Level);
    else
        Status = STATUS_BAD_TOKEN_TYPE;
    ObfDereferenceObject(Token);
    return Status;
}

PSEP_TOKEN SepEffectiveToken(VOID)
{
    PETHREAD Thread = SepCurrentThread();
    return Thread->Impersonation.Token ? Thread->Impersonation.Token : SepPrimaryToken(PsGetCurrentProcess());
}

/* ---- Subject contexts -------------------------------------------------------------------------------------------- */

VOID NTAPI SeCaptureSubjectContextEx(PETHREAD Thread, PEPROCESS Process, PSECURITY_SUBJECT_CONTEXT Subject)
{
    BOOLEAN CopyOnOpen, EffectiveOnly;
    Subject->ImpersonationLevel = SecurityAnonymous;
    Subject->ClientToken =
        Thread ? PsReferenceImpersonationToken(Thread, &CopyOnOpen, &EffectiveOnly, &Subject->ImpersonationLevel)
               : NULL;
    Subject->PrimaryToken = PsReferencePrimaryToken(Process);
    Subject->ProcessAuditId = Process->UniqueProcessId;
}

VOID NTAPI SeCaptureSubjectContext(PSECURITY_SUBJECT_CONTEXT Subject)
{
    SeCaptureSubjectContextEx(SepCurrentThread(), PsGetCurrentProcess(), Subject);
}

VOID NTAPI SeReleaseSubjectContext(PSECURITY_SUBJECT_CONTEXT Subject)
{
    PVOID Primary = Subject->PrimaryToken, Client = Subject->ClientToken;
    Subject->PrimaryToken = Subject->ClientToken = NULL;
    if (Primary)
        ObfDereferenceObject(Primary);
    if (Client)
        ObfDereferenceObject(Client);
}

VOID NTAPI SeLockSubjectContext(PSECURITY_SUBJECT_CONTEXT Subject)
{
    PSEP_TOKEN Primary = Subject->PrimaryToken, Client = Subject->ClientToken;
    KeEnterCriticalRegion();
    if (Primary)
        ExAcquireResourceSharedLite(&Primary->Lock, TRUE);
    if (Client)
        ExAcquireResourceSharedLite(&Client->Lock, TRUE);
}

VOID NTAPI SeUnlockSubjectContext(PSECURITY_SUBJECT_CONTEXT Subject)
{
    PSEP_TOKEN Primary = Subject->PrimaryToken, Client = Subject->ClientToken;
    if (Client)
        ExReleaseResourceLite(&Client->Lock);
    if (Primary)
        ExReleaseResourceLite(&Primary->Lock);
    KeLeaveCriticalRegion();
}

/* ---- Access states ----------------------------------------------------------------------------------------------- */

/* The caller's block behind an access state: the first fields of it are all that is used. */
typedef struct _SEP_AUX_DATA {
    PPRIVILEGE_SET Privileges;
    GENERIC_MAPPING Mapping;
    ULONG Spare;
} SEP_AUX_DATA, *PSEP_AUX_DATA;
C_ASSERT(sizeof(SEP_AUX_DATA) <= SE_AUX_WORDS * sizeof(UINT64));

NTSTATUS NTAPI SeCreateAccessStateEx(PETHREAD Thread, PEPROCESS Process, PACCESS_STATE State, PVOID AuxData,
                                     ACCESS_MASK Access, PGENERIC_MAPPING Mapping)
{
    PSEP_AUX_DATA Aux = AuxData;
    RtlZeroMemory(State, sizeof(*State));
    RtlZeroMemory(Aux, sizeof(*Aux));
    SeCaptureSubjectContextEx(Thread, Process, &State->SubjectSecurityContext);
    if (Mapping) {
        RtlMapGenericMask(&Access, Mapping);
        Aux->Mapping = *Mapping;
    }
    Aux->Privileges = (PPRIVILEGE_SET)&State->Privileges;
    State->AuxData = Aux;
    State->RemainingDesiredAccess = State->OriginalDesiredAccess = Access;
    State->OperationID = SepNewLuid();
    PSEP_TOKEN Token = SeQuerySubjectContextToken(&State->SubjectSecurityContext);
    if (Token->Enabled & SEP_BIT(SE_CHANGE_NOTIFY_PRIVILEGE))
        State->Flags = TOKEN_HAS_TRAVERSE_PRIVILEGE;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeCreateAccessState(PACCESS_STATE State, PVOID AuxData, ACCESS_MASK Access, PGENERIC_MAPPING Mapping)
{
    return SeCreateAccessStateEx(SepCurrentThread(), PsGetCurrentProcess(), State, AuxData, Access, Mapping);
}

VOID NTAPI SeDeleteAccessState(PACCESS_STATE State)
{
    PSEP_AUX_DATA Aux = State->AuxData;
    if (State->PrivilegesAllocated && Aux)
        ExFreePoolWithTag(Aux->Privileges, 0);
    if (State->ObjectName.Buffer)
        ExFreePoolWithTag(State->ObjectName.Buffer, 0);
    if (State->ObjectTypeName.Buffer)
        ExFreePoolWithTag(State->ObjectTypeName.Buffer, 0);
    SeReleaseSubjectContext(&State->SubjectSecurityContext);
}

VOID NTAPI SeSetAccessStateGenericMapping(PACCESS_STATE State, PGENERIC_MAPPING Mapping)
{
    ((PSEP_AUX_DATA)State->AuxData)->Mapping = *Mapping;
}

/* docs: SeAppendPrivileges: the state itself has room for three; beyond that a block in pool takes their place. */
NTSTATUS NTAPI SeAppendPrivileges(PACCESS_STATE State, PPRIVILEGE_SET Privileges)
{
    PSEP_AUX_DATA Aux = State->AuxData;
    PPRIVILEGE_SET Held = Aux->Privileges, New;
    ULONG Total = Held->PrivilegeCount + Privileges->PrivilegeCount;
    if (Total > INITIAL_PRIVILEGE_COUNT) {
        New = ExAllocatePoolWithTag(
            PagedPool, FIELD_OFFSET(PRIVILEGE_SET, Privilege) + Total * sizeof(LUID_AND_ATTRIBUTES), 'rPeS');
        if (!New)
            return STATUS_INSUFFICIENT_RESOURCES;
        RtlCopyMemory(New, Held,
                      FIELD_OFFSET(PRIVILEGE_SET, Privilege) + Held->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES));
        if (State->PrivilegesAllocated)
            ExFreePoolWithTag(Held, 0);
        Aux->Privileges = Held = New;
        State->PrivilegesAllocated = TRUE;
    }
    RtlCopyMemory(&Held->Privilege[Held->PrivilegeCount], Privileges->Privilege,
                  Privileges->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES));
    Held->PrivilegeCount = Total;
    return STATUS_SUCCESS;
}

/* ---- Client security --------------------------------------------------------------------------------------------- */

static NTSTATUS SepClientSecurity(PSEP_TOKEN Token, BOOLEAN IsClient, SECURITY_IMPERSONATION_LEVEL Level,
                                  BOOLEAN EffectiveOnly, PSECURITY_QUALITY_OF_SERVICE Quality, BOOLEAN Remote,
                                  PSECURITY_CLIENT_CONTEXT Context)
{
    PSEP_TOKEN Own = Token;
    if (IsClient && Quality->ImpersonationLevel > Level)
        return STATUS_BAD_IMPERSONATION_LEVEL;
    if (IsClient && Remote && Level != SecurityDelegation) /* docs: beyond one machine only delegation reaches */
        return STATUS_BAD_IMPERSONATION_LEVEL;
    RtlZeroMemory(Context, sizeof(*Context));
    if (Quality->ContextTrackingMode == SECURITY_STATIC_TRACKING) {
        NTSTATUS Status =
            SepDuplicateToken(Token, TokenImpersonation, Quality->ImpersonationLevel, Quality->EffectiveOnly, &Own);
        if (!NT_SUCCESS(Status))
            return Status;
    } else {
        ObfReferenceObject(Own);
        Context->DirectlyAccessClientToken = TRUE;
        Context->DirectAccessEffectiveOnly = EffectiveOnly || Quality->EffectiveOnly;
        Context->ClientTokenControl = (TOKEN_CONTROL){.TokenId = Own->TokenId,
                                                      .AuthenticationId = Own->AuthenticationId,
                                                      .ModifiedId = Own->ModifiedId,
                                                      .TokenSource = Own->Source};
    }
    Context->SecurityQos = *Quality;
    Context->SecurityQos.Length = sizeof(SECURITY_QUALITY_OF_SERVICE);
    Context->ServerIsRemote = Remote;
    Context->ClientToken = Own;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeCreateClientSecurity(PETHREAD Thread, PSECURITY_QUALITY_OF_SERVICE Quality, BOOLEAN Remote,
                                      PSECURITY_CLIENT_CONTEXT Context)
{
    SEP_IMPERSONATION Own = Thread->Impersonation;
    PSEP_TOKEN Token = Own.Token ? Own.Token : SepPrimaryToken((PEPROCESS)Thread->Tcb.Process);
    return SepClientSecurity(Token, Own.Token != NULL, Own.Level, Own.EffectiveOnly, Quality, Remote, Context);
}

NTSTATUS NTAPI SeCreateClientSecurityFromSubjectContext(PSECURITY_SUBJECT_CONTEXT Subject,
                                                        PSECURITY_QUALITY_OF_SERVICE Quality, BOOLEAN Remote,
                                                        PSECURITY_CLIENT_CONTEXT Context)
{
    return SepClientSecurity(SeQuerySubjectContextToken(Subject), Subject->ClientToken != NULL,
                             Subject->ImpersonationLevel, FALSE, Quality, Remote, Context);
}

/* docs: SeImpersonateClientEx: NULL is the current thread. */
NTSTATUS NTAPI SeImpersonateClientEx(PSECURITY_CLIENT_CONTEXT Context, PETHREAD ServerThread)
{
    BOOLEAN EffectiveOnly =
        Context->DirectlyAccessClientToken ? Context->DirectAccessEffectiveOnly : Context->SecurityQos.EffectiveOnly;
    return PsImpersonateClient(ServerThread ? ServerThread : SepCurrentThread(), Context->ClientToken, TRUE,
                               EffectiveOnly, Context->SecurityQos.ImpersonationLevel);
}

VOID NTAPI SeImpersonateClient(PSECURITY_CLIENT_CONTEXT Context, PETHREAD ServerThread)
{
    SeImpersonateClientEx(Context, ServerThread);
}
