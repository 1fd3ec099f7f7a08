/*
 * Tokens by handle: opened from a process or a thread, duplicated, their privileges and groups adjusted.
 * (docs: ZwOpenProcessTokenEx, ZwOpenThreadTokenEx, ZwDuplicateToken, AdjustTokenPrivileges)
 */
#include "nt.h"

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtOpenProcessTokenEx(HANDLE ProcessHandle, ACCESS_MASK Access, ULONG Attributes, PHANDLE TokenHandle)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PEPROCESS Process;
    *TokenHandle = NULL;
    NTSTATUS Status = ObReferenceObjectByHandle(ProcessHandle, PROCESS_QUERY_INFORMATION, PspProcessType, Mode,
                                                (PVOID *)&Process, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    PACCESS_TOKEN Token = PsReferencePrimaryToken(Process);
    ObfDereferenceObject(Process);
    Status = ObOpenObjectByPointer(Token, Attributes, NULL, Access, SepTokenType, Mode, TokenHandle);
    ObfDereferenceObject(Token);
    return Status;
}

NTSTATUS NTAPI NtOpenProcessToken(HANDLE ProcessHandle, ACCESS_MASK Access, PHANDLE TokenHandle)
{
    return NtOpenProcessTokenEx(ProcessHandle, Access, 0, TokenHandle);
}

/* docs: ZwOpenThreadTokenEx: a thread that impersonates nobody has no token; one that impersonates anonymously must not
 * be opened. OpenAsSelf matters for the access check alone, which is passed by kernel mode. */
NTSTATUS NTAPI NtOpenThreadTokenEx(HANDLE ThreadHandle, ACCESS_MASK Access, BOOLEAN OpenAsSelf, ULONG Attributes,
                                   PHANDLE TokenHandle)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    SECURITY_IMPERSONATION_LEVEL Level;
    BOOLEAN CopyOnOpen, EffectiveOnly;
    PETHREAD Thread;
    *TokenHandle = NULL;
    NTSTATUS Status =
        ObReferenceObjectByHandle(ThreadHandle, THREAD_QUERY_INFORMATION, PspThreadType, Mode, (PVOID *)&Thread, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    PSEP_TOKEN Token = PsReferenceImpersonationToken(Thread, &CopyOnOpen, &EffectiveOnly, &Level), Copy;
    ObfDereferenceObject(Thread);
    if (!Token)
        return STATUS_NO_TOKEN;
    if (Level == SecurityAnonymous) {
        ObfDereferenceObject(Token);
        return STATUS_CANT_OPEN_ANONYMOUS;
    }
    if (CopyOnOpen) {
        Status = SepDuplicateToken(Token, TokenImpersonation, Level, EffectiveOnly, &Copy);
        ObfDereferenceObject(Token);
        if (!NT_SUCCESS(Status))
            return Status;
        Token = Copy;
    }
    Status = ObOpenObjectByPointer(Token, Attributes, NULL, Access, SepTokenType, Mode, TokenHandle);
    ObfDereferenceObject(Token);
    return Status;
}

NTSTATUS NTAPI NtOpenThreadToken(HANDLE ThreadHandle, ACCESS_MASK Access, BOOLEAN OpenAsSelf, PHANDLE TokenHandle)
{
    return NtOpenThreadTokenEx(ThreadHandle, Access, OpenAsSelf, 0, TokenHandle);
}

/* ---- Copies ------------------------------------------------------------------------------------------------------ */

/* docs: ZwDuplicateToken: the level comes with the quality of service; an impersonation token is not duplicated to a
 * higher one, and one below SecurityImpersonation never becomes a primary token. */
NTSTATUS NTAPI NtDuplicateToken(HANDLE ExistingHandle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                BOOLEAN EffectiveOnly, TOKEN_TYPE Kind, PHANDLE NewHandle)
{
    OBJECT_HANDLE_INFORMATION Held;
    PSEP_TOKEN Token, Copy;
    *NewHandle = NULL;
    if (Kind != TokenPrimary && Kind != TokenImpersonation)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = ObReferenceObjectByHandle(ExistingHandle, TOKEN_DUPLICATE, SepTokenType, ExGetPreviousMode(),
                                                (PVOID *)&Token, &Held);
    if (!NT_SUCCESS(Status))
        return Status;
    PSECURITY_QUALITY_OF_SERVICE Quality = Attributes ? Attributes->SecurityQualityOfService : NULL;
    SECURITY_IMPERSONATION_LEVEL Level = Quality ? Quality->ImpersonationLevel : SecurityAnonymous;
    if ((ULONG)Level > SecurityDelegation ||
        (Token->Type == TokenImpersonation &&
         (Kind == TokenPrimary ? Token->Level < SecurityImpersonation : Level > Token->Level)))
        Status = (ULONG)Level > SecurityDelegation ? STATUS_INVALID_PARAMETER : STATUS_BAD_IMPERSONATION_LEVEL;
    else
        Status = SepDuplicateToken(Token, Kind, Level, EffectiveOnly, &Copy);
    ObfDereferenceObject(Token);
    if (!NT_SUCCESS(Status))
        return Status;
    return ObpInsertObject(Copy, Attributes, Access ? Access : Held.GrantedAccess, NewHandle);
}

/* ---- Adjusting --------------------------------------------------------------------------------------------------- */

/* One privilege as asked for. FALSE: the token does not hold it. */
static BOOLEAN SepAdjustOne(PSEP_TOKEN Token, PLUID_AND_ATTRIBUTES To, PTOKEN_PRIVILEGES Before, ULONG Room)
{
    UINT64 Bit, Old = Token->Enabled;
    if (To->Luid.HighPart || To->Luid.LowPart >= 64)
        return FALSE;
    Bit = SEP_BIT(To->Luid.LowPart);
    if (!(Token->Present & Bit))
        return FALSE;
    if (To->Attributes & SE_PRIVILEGE_REMOVED) {
        Token->Present &= ~Bit;
        Token->Enabled &= ~Bit;
        Token->Default &= ~Bit;
    } else if (To->Attributes & SE_PRIVILEGE_ENABLED)
        Token->Enabled |= Bit;
    else
        Token->Enabled &= ~Bit;
    if (Before && Token->Enabled != Old && Before->PrivilegeCount < Room) {
        PLUID_AND_ATTRIBUTES Entry = &Before->Privileges[Before->PrivilegeCount++];
        Entry->Luid = To->Luid;
        Entry->Attributes =
            (Old & Bit ? SE_PRIVILEGE_ENABLED : 0) | (Token->Default & Bit ? SE_PRIVILEGE_ENABLED_BY_DEFAULT : 0);
    }
    return TRUE;
}

/* How many privileges a call will change: what the previous state must have room for. */
static ULONG SepCountChanges(const SEP_TOKEN *Token, BOOLEAN DisableAll, PTOKEN_PRIVILEGES New)
{
    ULONG Count = 0;
    if (DisableAll)
        return (ULONG)__builtin_popcountll(Token->Enabled);
    for (ULONG i = 0; i < New->PrivilegeCount; i++) {
        LUID_AND_ATTRIBUTES To = New->Privileges[i];
        if (To.Luid.HighPart || To.Luid.LowPart >= 64 || !(Token->Present & SEP_BIT(To.Luid.LowPart)))
            continue;
        BOOLEAN On = (To.Attributes & SE_PRIVILEGE_ENABLED) && !(To.Attributes & SE_PRIVILEGE_REMOVED);
        Count += On != ((Token->Enabled & SEP_BIT(To.Luid.LowPart)) != 0);
    }
    return Count;
}

static NTSTATUS SepAdjustPrivileges(PSEP_TOKEN Token, BOOLEAN DisableAll, PTOKEN_PRIVILEGES New, ULONG Bytes,
                                    PTOKEN_PRIVILEGES Before, PULONG Returned)
{
    ULONG Missing = 0, Changes = SepCountChanges(Token, DisableAll, New);
    ULONG Need = FIELD_OFFSET(TOKEN_PRIVILEGES, Privileges) + Changes * sizeof(LUID_AND_ATTRIBUTES);
    if (Before) {
        *Returned = Need;
        if (Bytes < Need)
            return STATUS_BUFFER_TOO_SMALL; /* docs: nothing is changed then */
        Before->PrivilegeCount = 0;
    }
    for (ULONG i = 0; DisableAll && i < 64; i++)
        if (Token->Enabled & SEP_BIT(i))
            SepAdjustOne(Token, &(LUID_AND_ATTRIBUTES){.Luid.LowPart = i}, Before, Changes);
    for (ULONG i = 0; !DisableAll && i < New->PrivilegeCount; i++)
        Missing += !SepAdjustOne(Token, &New->Privileges[i], Before, Changes);
    Token->ModifiedId = SepNewLuid();
    return Missing ? STATUS_NOT_ALL_ASSIGNED : STATUS_SUCCESS;
}

NTSTATUS NTAPI NtAdjustPrivilegesToken(HANDLE Handle, BOOLEAN DisableAll, PTOKEN_PRIVILEGES New, ULONG Bytes,
                                       PTOKEN_PRIVILEGES Before, PULONG Returned)
{
    PSEP_TOKEN Token;
    if (!DisableAll && !New)
        return STATUS_INVALID_PARAMETER;
    if (Before && !Returned)
        return STATUS_ACCESS_VIOLATION; /* docs: the length goes with the previous state */
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, TOKEN_ADJUST_PRIVILEGES | (Before ? TOKEN_QUERY : 0),
                                                SepTokenType, ExGetPreviousMode(), (PVOID *)&Token, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Token->Lock, TRUE);
    Status = SepAdjustPrivileges(Token, DisableAll, New, Bytes, Before, Returned);
    ExReleaseResourceLite(&Token->Lock);
    KeLeaveCriticalRegion();
    ObfDereferenceObject(Token);
    return Status;
}
