/*
 * Notifications: interfaces that come and go, what happens to a device somebody has open, the hardware profile.
 * (docs: IoRegisterPlugPlayNotification, "Using PnP Notification", IoReportTargetDeviceChange)
 *
 * Listeners are called in a system thread at PASSIVE_LEVEL, in the order in which they registered; a removal is told to the
 * last first. An entry that is unregistered while its routine runs goes when the routine has returned.
 */
#include "nt.h"
#include <initguid.h>
#include <wdmguid.h>

typedef struct _PNP_LISTENER {
    LIST_ENTRY Entry;
    IO_NOTIFICATION_EVENT_CATEGORY Category;
    GUID Class;         /* of interfaces */
    PFILE_OBJECT File;  /* of a target device; not referenced, or the device could never be closed for its removal */
    PDEVICE_OBJECT Pdo; /* below File; referenced */
    PDRIVER_OBJECT Driver;
    PDRIVER_NOTIFICATION_CALLBACK_ROUTINE Routine;
    PVOID Context;
    ULONG Stack;
    LONG Busy; /* calls under way, and one while it is registered */
    BOOLEAN Gone;
    BOOLEAN Asked;   /* whether it agrees to a removal or change: a cancellation is for those only */
    PKEVENT Idle;    /* who unregisters it waits for this */
    PKTHREAD Caller; /* the thread that is in the routine */
} PNP_LISTENER, *PPNP_LISTENER;

static LIST_ENTRY PnpListeners = {&PnpListeners, &PnpListeners};

static VOID PnpRelease(PPNP_LISTENER Listener)
{
    if (--Listener->Busy)
        return;
    RemoveEntryList(&Listener->Entry);
    if (Listener->Idle)
        KeSetEvent(Listener->Idle, 0, FALSE);
    if (Listener->Pdo)
        ObfDereferenceObject(Listener->Pdo);
    ObfDereferenceObject(Listener->Driver);
    ExpFree(Listener);
}

/* docs: Bug Check 0xCA, parameter 1 = 0xA, is what the verifier's callback checks are. */
static NTSTATUS PnpCallListener(PPNP_LISTENER Listener, PVOID Structure)
{
    VF_CALLBACK Callback;
    NTSTATUS Status;
    PKTHREAD Before = Listener->Caller;
    PMI_IMAGE Image = MmImageOf((UINT64)(ULONG_PTR)Listener->Routine);
    if (!Image || !Image->Driver)
        return Listener->Routine(Structure, Listener->Context);
    Listener->Caller = KeGetCurrentThread();
    IopEnter(&Callback, "DRIVER_NOTIFICATION_CALLBACK_ROUTINE", "Plug and Play notification",
             (PVOID)(ULONG_PTR)Listener->Routine, NULL);
    Callback.Stack = Listener->Stack;
    Callback.StackText = "It was registered at:";
    Status = Listener->Routine(Structure, Listener->Context);
    VfLeaveCallback(&Callback);
    Listener->Caller = Before;
    return Status;
}

/* ---- Walking: the list may change in a routine -------------------------------------------------------------------- */

typedef struct _PNP_EVENT {
    IO_NOTIFICATION_EVENT_CATEGORY Category;
    const GUID *Class;
    PDEVICE_OBJECT Pdo;
    PVOID Structure;
    BOOLEAN Backward, Query, Cancel;
} PNP_EVENT, *PPNP_EVENT;

static BOOLEAN PnpWants(PPNP_LISTENER Listener, PPNP_EVENT Event)
{
    if (Listener->Gone || Listener->Category != Event->Category)
        return FALSE;
    if (Event->Class && !RtlEqualMemory(Event->Class, &Listener->Class, sizeof(GUID)))
        return FALSE;
    if (Event->Cancel && !Listener->Asked)
        return FALSE;
    return !Event->Pdo || Listener->Pdo == Event->Pdo;
}

static NTSTATUS PnpTell(PPNP_EVENT Event)
{
    NTSTATUS Status = STATUS_SUCCESS;
    PLIST_ENTRY Entry = Event->Backward ? PnpListeners.Blink : PnpListeners.Flink, Next;
    for (; Entry != &PnpListeners && NT_SUCCESS(Status); Entry = Next) {
        PPNP_LISTENER Listener = CONTAINING_RECORD(Entry, PNP_LISTENER, Entry);
        NTSTATUS Answer = STATUS_SUCCESS;
        Listener->Busy++; /* keeps it in the list */
        if (PnpWants(Listener, Event)) {
            if (Event->Category == EventCategoryTargetDeviceChange)
                ((PTARGET_DEVICE_REMOVAL_NOTIFICATION)Event->Structure)->FileObject = Listener->File;
            Listener->Asked = Event->Query;
            Answer = PnpCallListener(Listener, Event->Structure);
        }
        Next = Event->Backward ? Entry->Blink : Entry->Flink;
        if (Event->Query && !NT_SUCCESS(Answer))
            Status = Answer;
        PnpRelease(Listener);
    }
    return Status;
}

/* ---- Interfaces -------------------------------------------------------------------------------------------------- */

typedef struct _PNP_CHANGE {
    BOOLEAN Arrival;
    GUID Class;
    UNICODE_STRING Link;
    WCHAR Text[1];
} PNP_CHANGE, *PPNP_CHANGE;

static DEVICE_INTERFACE_CHANGE_NOTIFICATION PnpInterfaceStructure(PPNP_CHANGE Change)
{
    return (DEVICE_INTERFACE_CHANGE_NOTIFICATION){
        .Version = 1,
        .Size = sizeof(DEVICE_INTERFACE_CHANGE_NOTIFICATION),
        .Event = Change->Arrival ? GUID_DEVICE_INTERFACE_ARRIVAL : GUID_DEVICE_INTERFACE_REMOVAL,
        .InterfaceClassGuid = Change->Class,
        .SymbolicLinkName = &Change->Link,
    };
}

static NTSTATUS PnpTellInterface(PDEVICE_OBJECT Device, PVOID Context)
{
    PPNP_CHANGE Change = Context;
    DEVICE_INTERFACE_CHANGE_NOTIFICATION Structure = PnpInterfaceStructure(Change);
    PNP_EVENT Event = {
        .Category = EventCategoryDeviceInterfaceChange, .Class = &Change->Class, .Structure = &Structure};
    PnpTell(&Event);
    ExpFree(Change);
    return STATUS_SUCCESS;
}

static PPNP_CHANGE PnpMakeChange(const GUID *Class, PCUNICODE_STRING Link, BOOLEAN Arrival)
{
    PPNP_CHANGE Change = ExpAllocate(sizeof(*Change) + Link->Length, PNP_TAG);
    Change->Arrival = Arrival;
    Change->Class = *Class;
    RtlCopyMemory(Change->Text, Link->Buffer, Link->Length);
    Change->Link = (UNICODE_STRING){Link->Length, Link->Length + sizeof(WCHAR), Change->Text};
    return Change;
}

VOID PnpNotifyInterface(const GUID *Class, PCUNICODE_STRING Link, BOOLEAN Arrival)
{
    BOOLEAN Wanted = FALSE;
    for (PLIST_ENTRY Entry = PnpListeners.Flink; Entry != &PnpListeners; Entry = Entry->Flink)
        Wanted |= CONTAINING_RECORD(Entry, PNP_LISTENER, Entry)->Category == EventCategoryDeviceInterfaceChange;
    if (Wanted)
        PnpQueue(PnpTellInterface, NULL, PnpMakeChange(Class, Link, Arrival));
}

/* docs: PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES: before the registration returns. */
static VOID PnpTellExisting(PCUNICODE_STRING Link, PVOID Context)
{
    PPNP_LISTENER Listener = Context;
    PPNP_CHANGE Change = PnpMakeChange(&Listener->Class, Link, TRUE);
    DEVICE_INTERFACE_CHANGE_NOTIFICATION Structure = PnpInterfaceStructure(Change);
    Listener->Busy++;
    PnpCallListener(Listener, &Structure);
    PnpRelease(Listener);
    ExpFree(Change);
}

/* ---- Target devices, profile ------------------------------------------------------------------------------------- */

static NTSTATUS PnpAskListeners(PPNP_EVENT Event, PGUID Name, const GUID *Query, const GUID *Cancel)
{
    NTSTATUS Status;
    Event->Query = RtlEqualMemory(Name, Query, sizeof(GUID));
    Event->Cancel = RtlEqualMemory(Name, Cancel, sizeof(GUID));
    Status = PnpTell(Event);
    if (NT_SUCCESS(Status))
        return Status;
    *Name = *Cancel;
    Event->Query = FALSE;
    Event->Cancel = TRUE;
    PnpTell(Event);
    return Status;
}

NTSTATUS PnpNotifyTarget(PDEVICE_NODE Node, const GUID *Name)
{
    TARGET_DEVICE_REMOVAL_NOTIFICATION Structure = {.Version = 1, .Size = sizeof(Structure), .Event = *Name};
    PNP_EVENT Event = {.Category = EventCategoryTargetDeviceChange, .Pdo = Node->Pdo, .Structure = &Structure};
    Event.Backward = !RtlEqualMemory(Name, &GUID_TARGET_DEVICE_REMOVE_CANCELLED, sizeof(GUID));
    return PnpAskListeners(&Event, &Structure.Event, &GUID_TARGET_DEVICE_QUERY_REMOVE,
                           &GUID_TARGET_DEVICE_REMOVE_CANCELLED);
}

NTSTATUS PnpNotifyProfile(const GUID *Name)
{
    HWPROFILE_CHANGE_NOTIFICATION Structure = {.Version = 1, .Size = sizeof(Structure), .Event = *Name};
    PNP_EVENT Event = {.Category = EventCategoryHardwareProfileChange, .Structure = &Structure};
    return PnpAskListeners(&Event, &Structure.Event, &GUID_HWPROFILE_QUERY_CHANGE, &GUID_HWPROFILE_CHANGE_CANCELLED);
}

/* ---- Custom events ----------------------------------------------------------------------------------------------- */

typedef struct _PNP_CUSTOM {
    PDEVICE_CHANGE_COMPLETE_CALLBACK Done;
    PVOID Context;
    TARGET_DEVICE_CUSTOM_NOTIFICATION Structure;
} PNP_CUSTOM, *PPNP_CUSTOM;

static NTSTATUS PnpTellCustom(PDEVICE_OBJECT Device, PVOID Context)
{
    PPNP_CUSTOM Custom = Context;
    PNP_EVENT Event = {.Category = EventCategoryTargetDeviceChange, .Pdo = Device, .Structure = &Custom->Structure};
    PnpTell(&Event);
    if (Custom->Done) {
        VF_CALLBACK Callback;
        IopEnter(&Callback, "DEVICE_CHANGE_COMPLETE_CALLBACK", "end of a target device notification",
                 (PVOID)(ULONG_PTR)Custom->Done, NULL);
        Custom->Done(Custom->Context);
        VfLeaveCallback(&Callback);
    }
    ExpFree(Custom);
    return STATUS_SUCCESS;
}

/* docs: the events of removal are the manager's own: STATUS_INVALID_DEVICE_REQUEST. */
static NTSTATUS PnpMakeCustom(PDEVICE_OBJECT Pdo, PTARGET_DEVICE_CUSTOM_NOTIFICATION Structure, PCSTR Routine,
                              PPNP_CUSTOM *Result)
{
    static const GUID *const Reserved[] = {&GUID_TARGET_DEVICE_QUERY_REMOVE, &GUID_TARGET_DEVICE_REMOVE_CANCELLED,
                                           &GUID_TARGET_DEVICE_REMOVE_COMPLETE};
    if (!PnpCheckPdo(Pdo, Routine))
        return STATUS_INVALID_DEVICE_REQUEST;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Reserved); i++)
        if (RtlEqualMemory(Reserved[i], &Structure->Event, sizeof(GUID)))
            return STATUS_INVALID_DEVICE_REQUEST;
    if (Structure->Size < FIELD_OFFSET(TARGET_DEVICE_CUSTOM_NOTIFICATION, CustomDataBuffer))
        return STATUS_INVALID_PARAMETER;
    *Result = ExpTryAllocate(sizeof(PNP_CUSTOM) + Structure->Size, PNP_TAG);
    if (!*Result)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(&(*Result)->Structure, Structure, Structure->Size);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoReportTargetDeviceChange(PDEVICE_OBJECT Pdo, PVOID NotificationStructure)
{
    PPNP_CUSTOM Custom;
    NTSTATUS Status = PnpMakeCustom(Pdo, NotificationStructure, "IoReportTargetDeviceChange", &Custom);
    return NT_SUCCESS(Status) ? PnpRun(PnpTellCustom, Pdo, Custom) : Status;
}

NTSTATUS NTAPI IoReportTargetDeviceChangeAsynchronous(PDEVICE_OBJECT Pdo, PVOID NotificationStructure,
                                                      PDEVICE_CHANGE_COMPLETE_CALLBACK Done, PVOID Context)
{
    PPNP_CUSTOM Custom;
    NTSTATUS Status = PnpMakeCustom(Pdo, NotificationStructure, "IoReportTargetDeviceChangeAsynchronous", &Custom);
    if (!NT_SUCCESS(Status))
        return Status;
    Custom->Done = Done;
    Custom->Context = Context;
    Status = PnpQueue(PnpTellCustom, Pdo, Custom);
    return NT_SUCCESS(Status) ? STATUS_PENDING : Status;
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

/* docs: IRP_MN_QUERY_DEVICE_RELATIONS, TargetDeviceRelation: who the file's device really is. */
static NTSTATUS PnpFindTarget(PFILE_OBJECT File, PDEVICE_OBJECT *Pdo)
{
    PDEVICE_RELATIONS Relations;
    NTSTATUS Status = PnpQueryRelations(IoGetRelatedDeviceObject(File), TargetDeviceRelation, &Relations);
    *Pdo = NULL;
    if (!NT_SUCCESS(Status))
        return STATUS_INVALID_DEVICE_REQUEST;
    if (Relations->Count)
        *Pdo = Relations->Objects[0]; /* with the reference */
    ExFreePool(Relations);
    return *Pdo ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
}

NTSTATUS NTAPI IoRegisterPlugPlayNotification(IO_NOTIFICATION_EVENT_CATEGORY Category, ULONG Flags, PVOID Data,
                                              PDRIVER_OBJECT DriverObject,
                                              PDRIVER_NOTIFICATION_CALLBACK_ROUTINE Routine, PVOID Context,
                                              PVOID *NotificationEntry)
{
    ULONG Stack = VfCaptureStack();
    PDEVICE_OBJECT Pdo = NULL;
    PPNP_LISTENER Listener;
    *NotificationEntry = NULL;
    if (Category < EventCategoryHardwareProfileChange || Category > EventCategoryTargetDeviceChange)
        return STATUS_INVALID_PARAMETER;
    if (Category == EventCategoryTargetDeviceChange) {
        NTSTATUS Status = PnpFindTarget(Data, &Pdo);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    Listener = ExpTryAllocate(sizeof(*Listener), PNP_TAG);
    if (!Listener) {
        if (Pdo)
            ObfDereferenceObject(Pdo);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *Listener = (PNP_LISTENER){.Category = Category,
                               .Pdo = Pdo,
                               .Driver = DriverObject,
                               .Routine = Routine,
                               .Context = Context,
                               .Stack = Stack,
                               .Busy = 1};
    ObfReferenceObject(DriverObject);
    if (Category == EventCategoryDeviceInterfaceChange)
        Listener->Class = *(GUID *)Data;
    if (Category == EventCategoryTargetDeviceChange)
        Listener->File = Data;
    InsertTailList(&PnpListeners, &Listener->Entry);
    VfTrack(Listener, sizeof(*Listener), VfCallbackObject, (PVOID)(ULONG_PTR)Routine, Stack);
    *NotificationEntry = Listener;
    if (Category == EventCategoryDeviceInterfaceChange &&
        (Flags & PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES))
        PnpForEachInterface(&Listener->Class, PnpTellExisting, Listener);
    return STATUS_SUCCESS;
}

static VOID PnpUnregister(PPNP_LISTENER Listener, BOOLEAN Wait)
{
    KEVENT Idle;
    if (Listener->Gone)
        return;
    Listener->Gone = TRUE;
    VfUntrack(Listener, VfCallbackObject);
    if (Wait && Listener->Busy > 1 && Listener->Caller != KeGetCurrentThread()) {
        KeInitializeEvent(&Idle, NotificationEvent, FALSE);
        Listener->Idle = &Idle;
        PnpRelease(Listener);
        KeWaitForSingleObject(&Idle, Executive, KernelMode, FALSE, NULL);
        return;
    }
    PnpRelease(Listener);
}

NTSTATUS NTAPI IoUnregisterPlugPlayNotification(PVOID NotificationEntry)
{
    PnpUnregister(NotificationEntry, FALSE);
    return STATUS_SUCCESS;
}

/* docs: IoUnregisterPlugPlayNotificationEx: no call of the routine is under way when it returns. */
NTSTATUS NTAPI IoUnregisterPlugPlayNotificationEx(PVOID NotificationEntry)
{
    PnpUnregister(NotificationEntry, TRUE);
    return STATUS_SUCCESS;
}
