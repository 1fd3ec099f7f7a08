/*
 * User sessions coming and going, for drivers that want to hear of it. (docs: IoRegisterContainerNotification,
 * IO_SESSION_STATE_NOTIFICATION, IO_SESSION_NOTIFICATION_FUNCTION, IoGetContainerInformation)
 *
 * Session 0 is where everything here runs; no event ever concerns it. What happens in others the operator says: they are
 * numbers with a state, which a driver asks for with the object that its routine was called with. No device belongs to a
 * session, so every registration hears of all.
 */
#include "nt.h"

typedef struct _IOP_SESSION {
    LIST_ENTRY Entry;
    ULONG Id;
    IO_SESSION_STATE State;
} IOP_SESSION, *PIOP_SESSION;

typedef struct _IOP_SESSION_WATCH {
    LIST_ENTRY Entry;
    IO_SESSION_STATE_NOTIFICATION What;
    PIO_SESSION_NOTIFICATION_FUNCTION Routine;
    ULONG Stack;
} IOP_SESSION_WATCH, *PIOP_SESSION_WATCH;

static LIST_ENTRY IopSessions = {&IopSessions, &IopSessions};
static LIST_ENTRY IopSessionWatches = {&IopSessionWatches, &IopSessionWatches};

static NTSTATUS IopCheckWatch(PIO_SESSION_STATE_NOTIFICATION What)
{
    POBJECT_TYPE Type;
    if (!What || What->Size != sizeof(*What) || What->Flags || !What->IoObject ||
        !(What->EventMask & IO_SESSION_STATE_VALID_EVENT_MASK))
        return STATUS_INVALID_PARAMETER_3;
    Type = ObpTypeOf(What->IoObject);
    if (Type != IopDriverType && Type != IopDeviceType && Type != IopFileType)
        return STATUS_INVALID_PARAMETER_3;
    for (PLIST_ENTRY Entry = IopSessionWatches.Flink; Entry != &IopSessionWatches; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, IOP_SESSION_WATCH, Entry)->What.IoObject == What->IoObject)
            return STATUS_ALREADY_COMMITTED;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoRegisterContainerNotification(IO_CONTAINER_NOTIFICATION_CLASS NotificationClass,
                                               PIO_CONTAINER_NOTIFICATION_FUNCTION CallbackFunction,
                                               PVOID NotificationInformation, ULONG NotificationInformationLength,
                                               PVOID CallbackRegistration)
{
    PIOP_SESSION_WATCH Watch;
    NTSTATUS Status;
    if (NotificationClass != IoSessionStateNotification)
        return STATUS_INVALID_PARAMETER_1;
    if (!CallbackFunction)
        return STATUS_INVALID_PARAMETER_2;
    if (NotificationInformationLength != sizeof(IO_SESSION_STATE_NOTIFICATION))
        return STATUS_INVALID_PARAMETER_4;
    if (!CallbackRegistration)
        return STATUS_INVALID_PARAMETER_5;
    Status = IopCheckWatch(NotificationInformation);
    if (!NT_SUCCESS(Status))
        return Status;
    Watch = ExpTryAllocate(sizeof(*Watch), 'sSoI');
    if (!Watch)
        return STATUS_INSUFFICIENT_RESOURCES;
    Watch->What = *(PIO_SESSION_STATE_NOTIFICATION)NotificationInformation;
    Watch->Routine = (PIO_SESSION_NOTIFICATION_FUNCTION)CallbackFunction;
    Watch->Stack = VfCaptureStack();
    InsertTailList(&IopSessionWatches, &Watch->Entry);
    VfTrack(Watch, sizeof(*Watch), VfCallbackObject, (PVOID)(ULONG_PTR)Watch->Routine, Watch->Stack);
    *(PVOID *)CallbackRegistration = Watch;
    return STATUS_SUCCESS;
}

VOID NTAPI IoUnregisterContainerNotification(PVOID CallbackRegistration)
{
    PIOP_SESSION_WATCH Watch = CallbackRegistration;
    VfUntrack(Watch, VfCallbackObject);
    RemoveEntryList(&Watch->Entry);
    ExpFree(Watch);
}

NTSTATUS NTAPI IoGetContainerInformation(IO_CONTAINER_INFORMATION_CLASS InformationClass, PVOID ContainerObject,
                                         PVOID Buffer, ULONG BufferLength)
{
    PIOP_SESSION Session = ContainerObject;
    PIO_SESSION_STATE_INFORMATION State = Buffer;
    if (InformationClass != IoSessionStateInformation)
        return STATUS_INVALID_PARAMETER_1;
    if (!Session)
        return STATUS_INVALID_PARAMETER_2;
    if (!Buffer)
        return STATUS_INVALID_PARAMETER_3;
    if (BufferLength < sizeof(*State))
        return STATUS_INVALID_PARAMETER_4;
    *State = (IO_SESSION_STATE_INFORMATION){Session->Id, Session->State, TRUE};
    return STATUS_SUCCESS;
}

/* ---- The operator ------------------------------------------------------------------------------------------------ */

static PIOP_SESSION IopFindSession(ULONG Id)
{
    for (PLIST_ENTRY Entry = IopSessions.Flink; Entry != &IopSessions; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, IOP_SESSION, Entry)->Id == Id)
            return CONTAINING_RECORD(Entry, IOP_SESSION, Entry);
    return NULL;
}

static VOID IopTellSession(PIOP_SESSION Session, ULONG Event)
{
    IO_SESSION_CONNECT_INFO Payload = {Session->Id, TRUE};
    for (PLIST_ENTRY Entry = IopSessionWatches.Flink, Next; Entry != &IopSessionWatches; Entry = Next) {
        PIOP_SESSION_WATCH Watch = CONTAINING_RECORD(Entry, IOP_SESSION_WATCH, Entry);
        VF_CALLBACK Callback;
        Next = Entry->Flink;
        if (!(Watch->What.EventMask >> (Event - 1) & 1))
            continue;
        IopEnter(&Callback, "IO_SESSION_NOTIFICATION_FUNCTION", "session notification",
                 (PVOID)(ULONG_PTR)Watch->Routine, NULL);
        Callback.Stack = Watch->Stack;
        Callback.StackText = "The notification was registered at:";
        Watch->Routine(Session, Watch->What.IoObject, Event, Watch->What.Context, &Payload, sizeof(Payload));
        VfLeaveCallback(&Callback);
    }
}

/* What state an event leads to; 0 = it cannot happen in this one. */
static IO_SESSION_STATE IopSessionAfter(IO_SESSION_STATE State, ULONG Event)
{
    BOOLEAN On = State == IoSessionStateLoggedOn || State == IoSessionStateDisconnectedLoggedOn;
    BOOLEAN There = State != IoSessionStateDisconnected && State != IoSessionStateDisconnectedLoggedOn;
    switch (Event) {
    case IoSessionEventTerminated:
        return IoSessionStateTerminated;
    case IoSessionEventConnected:
        return On ? IoSessionStateLoggedOn : IoSessionStateConnected;
    case IoSessionEventDisconnected:
        return !There ? 0 : On ? IoSessionStateDisconnectedLoggedOn : IoSessionStateDisconnected;
    case IoSessionEventLogon:
        return There && !On ? IoSessionStateLoggedOn : 0;
    case IoSessionEventLogoff:
        return On ? IoSessionStateLoggedOff : 0;
    }
    return 0;
}

NTSTATUS IopSessionEvent(PCSTR Text, ULONG Id)
{
    static const PCSTR Events[] = {"create", "terminate", "connect", "disconnect", "logon", "logoff"};
    PIOP_SESSION Session = IopFindSession(Id);
    ULONG Event = 1;
    while (Event <= RTL_NUMBER_OF(Events) && strcmp(Events[Event - 1], Text))
        Event++;
    if (Event > RTL_NUMBER_OF(Events) || !Id)
        return STATUS_INVALID_PARAMETER;
    if (Event == IoSessionEventCreated) {
        if (Session)
            return STATUS_OBJECT_NAME_COLLISION;
        Session = ExpAllocate(sizeof(*Session), 'sSoI');
        *Session = (IOP_SESSION){.Id = Id, .State = IoSessionStateCreated};
        InsertTailList(&IopSessions, &Session->Entry);
    } else {
        if (!Session)
            return STATUS_NOT_FOUND;
        if (!IopSessionAfter(Session->State, Event))
            return STATUS_INVALID_DEVICE_STATE;
        Session->State = IopSessionAfter(Session->State, Event);
    }
    IopTellSession(Session, Event);
    if (Event == IoSessionEventTerminated) {
        RemoveEntryList(&Session->Entry);
        ExpFree(Session);
    }
    return STATUS_SUCCESS;
}
