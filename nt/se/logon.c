/*
 * Logon sessions: what the tokens of one logon have in common, and the notification when the last of them goes.
 *
 * A session ends with its last token. Drivers (redirectors) that keep something for a session register a routine and
 * mark the sessions they want to hear of. The routines run at PASSIVE_LEVEL, in a system worker, because the last token
 * may go anywhere. (docs: SeRegisterLogonSessionTerminatedRoutine, SeMarkLogonSessionForTerminationNotification)
 */
#include "nt.h"

struct _SEP_SESSION {
    LIST_ENTRY Entry;
    LUID Id;
    ULONG References;
    BOOLEAN Marked;
    WORK_QUEUE_ITEM Item;
};

typedef struct _SEP_TERMINATED {
    LIST_ENTRY Entry;
    PSE_LOGON_SESSION_TERMINATED_ROUTINE Routine;
    ULONG Stack;
} SEP_TERMINATED, *PSEP_TERMINATED;

static LIST_ENTRY SepSessions = {&SepSessions, &SepSessions};
static LIST_ENTRY SepRoutines = {&SepRoutines, &SepRoutines};

static PSEP_SESSION SepFindSession(LUID Id)
{
    for (PLIST_ENTRY Entry = SepSessions.Flink; Entry != &SepSessions; Entry = Entry->Flink) {
        PSEP_SESSION Session = CONTAINING_RECORD(Entry, SEP_SESSION, Entry);
        if (Session->Id.LowPart == Id.LowPart && Session->Id.HighPart == Id.HighPart)
            return Session;
    }
    return NULL;
}

PSEP_SESSION SepMakeSession(LUID Id)
{
    PSEP_SESSION Session = ExpAllocate(sizeof(*Session), 'sLeS');
    Session->Id = Id;
    InsertTailList(&SepSessions, &Session->Entry);
    return Session;
}

PSEP_SESSION SepReferenceSession(LUID Id)
{
    PSEP_SESSION Session = SepFindSession(Id);
    if (Session)
        Session->References++;
    return Session;
}

static VOID NTAPI SepTellTerminated(PVOID Context)
{
    PSEP_SESSION Session = Context;
    for (PLIST_ENTRY Entry = SepRoutines.Flink, Next; Entry != &SepRoutines; Entry = Next) {
        SEP_TERMINATED Told = *CONTAINING_RECORD(Entry, SEP_TERMINATED, Entry);
        Next = Entry->Flink;
        VF_CALLBACK Callback = {.Contract = "PSE_LOGON_SESSION_TERMINATED_ROUTINE",
                                .What = "notification of a logon session's end",
                                .Routine = (PVOID)(ULONG_PTR)Told.Routine,
                                .Object = (PVOID)(ULONG_PTR)Told.Routine,
                                .Stack = Told.Stack,
                                .StackText = "The routine was registered at:"};
        VfEnterCallback(&Callback);
        Told.Routine(&Session->Id);
        VfLeaveCallback(&Callback);
    }
    ExpFree(Session);
}

VOID SepDereferenceSession(PSEP_SESSION Session)
{
    if (--Session->References)
        return;
    RemoveEntryList(&Session->Entry);
    if (!Session->Marked || IsListEmpty(&SepRoutines)) {
        ExpFree(Session);
        return;
    }
    ExInitializeWorkItem(&Session->Item, SepTellTerminated, Session);
    ExQueueWorkItem(&Session->Item, DelayedWorkQueue);
}

/* docs: SeMarkLogonSessionForTerminationNotification: STATUS_NOT_FOUND for an id that is none. */
NTSTATUS NTAPI SeMarkLogonSessionForTerminationNotification(PLUID LogonId)
{
    PSEP_SESSION Session = SepFindSession(*LogonId);
    if (!Session)
        return STATUS_NOT_FOUND;
    Session->Marked = TRUE;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeRegisterLogonSessionTerminatedRoutine(PSE_LOGON_SESSION_TERMINATED_ROUTINE Routine)
{
    if (!Routine)
        return STATUS_INVALID_PARAMETER;
    PSEP_TERMINATED New = ExpTryAllocate(sizeof(*New), 'sLeS');
    if (!New)
        return STATUS_INSUFFICIENT_RESOURCES;
    New->Routine = Routine;
    New->Stack = VfCaptureStack();
    InsertTailList(&SepRoutines, &New->Entry);
    VfTrack(New, sizeof(*New), VfCallbackObject, (PVOID)(ULONG_PTR)Routine, New->Stack);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeUnregisterLogonSessionTerminatedRoutine(PSE_LOGON_SESSION_TERMINATED_ROUTINE Routine)
{
    if (!Routine)
        return STATUS_INVALID_PARAMETER;
    for (PLIST_ENTRY Entry = SepRoutines.Flink; Entry != &SepRoutines; Entry = Entry->Flink) {
        PSEP_TERMINATED Own = CONTAINING_RECORD(Entry, SEP_TERMINATED, Entry);
        if (Own->Routine != Routine)
            continue;
        RemoveEntryList(Entry);
        VfUntrack(Own, VfCallbackObject);
        ExpFree(Own);
        return STATUS_SUCCESS;
    }
    return STATUS_NOT_FOUND;
}
