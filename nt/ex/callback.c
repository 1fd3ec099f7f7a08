/*
 * Callback objects: named lists of routines that somebody calls with two arguments. (docs: "Callback Objects",
 * ExCreateCallback, ExRegisterCallback, ExNotifyCallback)
 *
 * Routines are called in order of registration, at the level of the notifier. A registration holds a reference on the
 * object; unregistering waits until a call that is under way has returned.
 */
#include "nt.h"

#define EX_TAG_REGISTRATION 'geRC'

struct _CALLBACK_OBJECT {
    LIST_ENTRY Registrations;
    BOOLEAN AllowMultiple;
};

typedef struct _EX_REGISTRATION {
    LIST_ENTRY Entry;
    PCALLBACK_OBJECT Object;
    PCALLBACK_FUNCTION Routine;
    PVOID Context;
    ULONG Busy; /* calls under way */
    BOOLEAN Leaving;
    KEVENT Idle;
    ULONG Stack; /* registered at */
} EX_REGISTRATION, *PEX_REGISTRATION;

static POBJECT_TYPE ExpCallbackType;

/* Types that the window system (which does not exist here) would make objects of. */
POBJECT_TYPE *ExWindowStationObjectType, *ExDesktopObjectType;

static VOID ExpCreateWindowTypes(VOID)
{
    ExWindowStationObjectType = (PVOID)ObpCreateType(&(OB_TYPE_INIT){
        .Name = L"WindowStation", .ValidAccess = 0xF037F, .Mapping = {0x20303, 0x2001C, 0x20060, 0xF037F}});
    ExDesktopObjectType = (PVOID)ObpCreateType(
        &(OB_TYPE_INIT){.Name = L"Desktop", .ValidAccess = 0xF01FF, .Mapping = {0x20041, 0x200BE, 0x20100, 0xF01FF}});
}

VOID ExpInitializeCallbacks(VOID)
{
    static const OB_TYPE_INIT Type = {
        .Name = L"Callback",
        .BodyBytes = sizeof(struct _CALLBACK_OBJECT),
        .ValidAccess = STANDARD_RIGHTS_ALL | 1,
        .CaseInsensitive = TRUE,
    };
    /* What Windows makes at its start. */
    static PCWSTR const Names[] = {L"\\Callback\\SetSystemTime", L"\\Callback\\PowerState",
                                   L"\\Callback\\ProcessorAdd"};

    ExpCallbackType = ObpCreateType(&Type);
    ExpCreateWindowTypes();
    for (ULONG i = 0; i < RTL_NUMBER_OF(Names); i++) {
        OBJECT_ATTRIBUTES Attributes;
        PCALLBACK_OBJECT Object;
        UNICODE_STRING Name;
        RtlInitUnicodeString(&Name, Names[i]);
        InitializeObjectAttributes(&Attributes, &Name, OBJ_PERMANENT | OBJ_CASE_INSENSITIVE, NULL, NULL);
        if (!NT_SUCCESS(ExCreateCallback(&Object, &Attributes, TRUE, TRUE)))
            KiInternalError("no callback objects");
        ObDereferenceObject(Object);
    }
}

NTSTATUS NTAPI ExCreateCallback(PCALLBACK_OBJECT *CallbackObject, POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN Create,
                                BOOLEAN AllowMultipleCallbacks)
{
    PUNICODE_STRING Name = ObjectAttributes->ObjectName;
    NTSTATUS Status = STATUS_OBJECT_NAME_NOT_FOUND;
    PVOID Object = NULL;

    *CallbackObject = NULL;
    if (Name)
        Status = ObpLookupFrom(NULL, Name, ObjectAttributes->Attributes, ExpCallbackType, 0, NULL, &Object);
    if (!NT_SUCCESS(Status) && Create) {
        Status = ObpAllocateObject(ExpCallbackType, 0, &Object);
        if (!NT_SUCCESS(Status))
            return Status;
        InitializeListHead(&((PCALLBACK_OBJECT)Object)->Registrations);
        ((PCALLBACK_OBJECT)Object)->AllowMultiple = AllowMultipleCallbacks;
        if (Name && !NT_SUCCESS(Status = ObpInsertName(Object, Name, ObjectAttributes->Attributes))) {
            ObDereferenceObject(Object);
            return Status;
        }
    }
    if (NT_SUCCESS(Status))
        *CallbackObject = Object;
    return Status;
}

PVOID NTAPI ExRegisterCallback(PCALLBACK_OBJECT CallbackObject, PCALLBACK_FUNCTION CallbackFunction,
                               PVOID CallbackContext)
{
    PEX_REGISTRATION Registration;

    if (!CallbackObject->AllowMultiple && !IsListEmpty(&CallbackObject->Registrations))
        return NULL;
    Registration = ExpTryAllocate(sizeof(*Registration), EX_TAG_REGISTRATION);
    if (!Registration)
        return NULL;
    ObReferenceObject(CallbackObject);
    Registration->Object = CallbackObject;
    Registration->Routine = CallbackFunction;
    Registration->Context = CallbackContext;
    Registration->Stack = VfCaptureStack();
    KeInitializeEvent(&Registration->Idle, NotificationEvent, FALSE);
    InsertTailList(&CallbackObject->Registrations, &Registration->Entry);
    VfTrack(Registration, sizeof(*Registration), VfCallbackObject, (PVOID)CallbackFunction, Registration->Stack);
    return Registration;
}

static VOID ExpDropRegistration(PEX_REGISTRATION Registration)
{
    PCALLBACK_OBJECT Object = Registration->Object;

    RemoveEntryList(&Registration->Entry);
    ExpFree(Registration);
    ObDereferenceObject(Object);
}

VOID NTAPI ExUnregisterCallback(PVOID CallbackRegistration)
{
    PEX_REGISTRATION Registration = CallbackRegistration;

    if (!VfIsTracked(Registration)) {
        VfFinding("object.not-initialized", 0xC4, 0x16, 0, (UINT64)CallbackRegistration, 0);
        VfSubject("ExUnregisterCallback");
        VfText("ExUnregisterCallback was called with something that is no registration, or no longer");
        VfNoteCaller(NULL);
        VfCommit();
        return;
    }
    VfUntrack(Registration, VfCallbackObject);
    Registration->Leaving = TRUE;
    if (Registration->Busy)
        KeWaitForSingleObject(&Registration->Idle, Executive, KernelMode, FALSE, NULL);
    ExpDropRegistration(Registration);
}

static VOID ExpCall(PEX_REGISTRATION Registration, PVOID Argument1, PVOID Argument2)
{
    VF_CALLBACK Callback = {
        .Contract = "CALLBACK_FUNCTION",
        .What = "callback",
        .Routine = (PVOID)Registration->Routine,
        .Object = Registration->Object,
        .Stack = Registration->Stack,
        .StackText = "The callback was registered at:",
    };

    VfEnterCallback(&Callback);
    Registration->Routine(Registration->Context, Argument1, Argument2);
    VfLeaveCallback(&Callback);
}

VOID NTAPI ExNotifyCallback(PCALLBACK_OBJECT CallbackObject, PVOID Argument1, PVOID Argument2)
{
    PLIST_ENTRY Head = &CallbackObject->Registrations, Entry = Head->Flink;

    while (Entry != Head) {
        PEX_REGISTRATION Registration = CONTAINING_RECORD(Entry, EX_REGISTRATION, Entry);
        if (Registration->Leaving) {
            Entry = Entry->Flink;
            continue;
        }
        Registration->Busy++; /* it stays in the list while its routine runs */
        ExpCall(Registration, Argument1, Argument2);
        Entry = Registration->Entry.Flink;
        if (!--Registration->Busy && Registration->Leaving)
            KeSetEvent(&Registration->Idle, EVENT_INCREMENT, FALSE);
    }
}
