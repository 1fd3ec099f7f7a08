/*
 * Event tracing: providers' registrations and events (docs: EtwRegister, EtwWrite and their relatives; "Adding Event
 * Tracing to Kernel-Mode Drivers").
 *
 * The machine is the one consumer: when the user asked for a trace, each provider is enabled as it registers (its
 * callback is driven), and events at the level and below go into the event record. Without one, providers are not
 * enabled and events go nowhere, as on Windows without a session.
 *
 * Events may be written at any level, so nothing here waits or allocates but EtwRegister.
 */
#include "nt.h"
#include "etw/etwp.h"

#ifndef EVENT_CONTROL_CODE_ENABLE_PROVIDER
#define EVENT_CONTROL_CODE_ENABLE_PROVIDER 1
#endif

typedef struct _ETW_REGISTRATION {
    LIST_ENTRY Entry;
    GUID Id;
    PETWENABLECALLBACK Callback;
    PVOID Context;
    ULONG Stack;
    BOOLEAN Tracked;
    ULONG64 Handle;
} ETW_REGISTRATION, *PETW_REGISTRATION;

static LIST_ENTRY EtwpRegistrations = {&EtwpRegistrations, &EtwpRegistrations};

#define ETWP_DATA_MOST 128     /* descriptors of an event (docs: EtwWrite, MAX_EVENT_DATA_DESCRIPTORS) */
#define ETWP_BYTES_MOST 0xff00 /* of an event */

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static PETW_REGISTRATION EtwpFind(REGHANDLE Handle)
{
    for (PLIST_ENTRY Entry = EtwpRegistrations.Flink; Entry != &EtwpRegistrations; Entry = Entry->Flink) {
        PETW_REGISTRATION Registration = CONTAINING_RECORD(Entry, ETW_REGISTRATION, Entry);
        if (Registration->Handle == Handle)
            return Registration;
    }
    return NULL;
}

/* docs: EtwRegister: the callback of a provider that a session wants already is called before it returns. */
static VOID EtwpEnable(PETW_REGISTRATION Registration, ULONG Code)
{
    VF_CALLBACK Callback = {.Contract = "ETWENABLECALLBACK",
                            .What = "enable callback of an event provider",
                            .Routine = (PVOID)(ULONG_PTR)Registration->Callback,
                            .Object = (PVOID)(ULONG_PTR)Registration->Callback,
                            .Stack = Registration->Stack,
                            .StackText = "The provider was registered at:"};
    static const GUID Source;
    if (!Registration->Callback)
        return;
    VfEnterCallback(&Callback);
    Registration->Callback(&Source, Code, (UCHAR)KiDoor->trace_level, ~0ull, 0, NULL, Registration->Context);
    VfLeaveCallback(&Callback);
}

NTSTATUS NTAPI EtwRegister(LPCGUID ProviderId, PETWENABLECALLBACK EnableCallback, PVOID CallbackContext,
                           PREGHANDLE RegHandle)
{
    static ULONG64 Next = 0x10000;
    if (!ProviderId || !RegHandle)
        return STATUS_INVALID_PARAMETER;
    PETW_REGISTRATION Registration = ExpAllocate(sizeof(*Registration), 'RwtE');
    RtlZeroMemory(Registration, sizeof(*Registration));
    Registration->Id = *ProviderId;
    Registration->Callback = EnableCallback;
    Registration->Context = CallbackContext;
    Registration->Stack = VfCaptureStack();
    Registration->Handle = Next += 16;
    InsertTailList(&EtwpRegistrations, &Registration->Entry);
    if (EnableCallback) {
        VfTrack(Registration, sizeof(*Registration), VfCallbackObject, (PVOID)(ULONG_PTR)EnableCallback,
                Registration->Stack);
        Registration->Tracked = TRUE;
    }
    *RegHandle = Registration->Handle;
    if (KiDoor->trace_level)
        EtwpEnable(Registration, EVENT_CONTROL_CODE_ENABLE_PROVIDER);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EtwUnregister(REGHANDLE RegHandle)
{
    PETW_REGISTRATION Registration = EtwpFind(RegHandle);
    if (!Registration)
        return STATUS_INVALID_HANDLE;
    if (Registration->Tracked)
        VfUntrack(Registration, VfCallbackObject);
    RemoveEntryList(&Registration->Entry);
    ExpFree(Registration);
    return STATUS_SUCCESS;
}

/* docs: EtwSetInformation: traits begin with their length; the rest are switches. */
NTSTATUS NTAPI EtwSetInformation(REGHANDLE RegHandle, ULONG Class, PVOID Information, ULONG Bytes)
{
    if (!EtwpFind(RegHandle))
        return STATUS_INVALID_HANDLE;
    switch (Class) {
    case 0: /* EventProviderBinaryTrackInfo */
        return STATUS_SUCCESS;
    case 2: /* EventProviderSetTraits */
        return Bytes >= sizeof(USHORT) && *(PUSHORT)Information == Bytes ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    case 3: /* EventProviderUseDescriptorType */
        return Bytes == sizeof(UCHAR) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

/* ---- Is it wanted ------------------------------------------------------------------------------------------------ */

/* docs: EtwProviderEnabled: level 0 is always in; any keyword is wanted here. */
static BOOLEAN EtwpWanted(UCHAR Level)
{
    return KiDoor->trace_level && Level <= KiDoor->trace_level;
}

BOOLEAN NTAPI EtwProviderEnabled(REGHANDLE RegHandle, UCHAR Level, ULONGLONG Keyword)
{
    return EtwpWanted(Level) && EtwpFind(RegHandle);
}

BOOLEAN NTAPI EtwEventEnabled(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR Event)
{
    return EtwProviderEnabled(RegHandle, Event->Level, Event->Keyword);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* The record's copy of the event being written: no delivery point lies between filling and recording it. */
static struct {
    struct door_event_etw Header;
    UCHAR Data[ETWP_BYTES_MOST];
} EtwpEvent;

VOID EtwpRecord(const struct door_event_etw *Header, const UCHAR *Data, ULONG Bytes)
{
    if (Data != EtwpEvent.Data)
        RtlCopyMemory(EtwpEvent.Data, Data, Bytes);
    EtwpEvent.Header = *Header;
    EtwpEvent.Header.bytes = Bytes;
    VfRecord(DOOR_EVENT_ETW, &EtwpEvent, sizeof(EtwpEvent.Header) + Bytes);
}

PUCHAR EtwpDataRoom(PULONG Bytes)
{
    *Bytes = ETWP_BYTES_MOST;
    return EtwpEvent.Data;
}

static VOID EtwpCopyId(UCHAR *To, LPCGUID Id)
{
    if (Id)
        RtlCopyMemory(To, Id, sizeof(GUID));
}

/* An event of the kernel's own that says that Related goes on with what Activity has begun. */
VOID EtwpTransfer(LPCGUID Provider, LPCGUID Activity, LPCGUID Related)
{
    struct door_event_etw Header = {.kind = DOOR_ETW_EVENT, .level = ETWP_INFORMATION};

    if (!EtwpWanted(ETWP_INFORMATION))
        return;
    EtwpCopyId(Header.provider, Provider);
    EtwpCopyId(Header.activity, Activity);
    EtwpCopyId(Header.related, Related);
    EtwpRecord(&Header, EtwpEvent.Data, 0);
}

static NTSTATUS EtwpWrite(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR Event, LPCGUID Activity, LPCGUID Related, ULONG Count,
                          PEVENT_DATA_DESCRIPTOR Data)
{
    PETW_REGISTRATION Registration = EtwpFind(RegHandle);
    ULONG Room, Bytes = 0;
    if (!Registration)
        return STATUS_INVALID_HANDLE;
    if (!Event || Count > ETWP_DATA_MOST || (Count && !Data))
        return STATUS_INVALID_PARAMETER;
    if (!EtwpWanted(Event->Level))
        return STATUS_SUCCESS;
    struct door_event_etw Header = {.kind = DOOR_ETW_EVENT,
                                    .id = Event->Id,
                                    .version = Event->Version,
                                    .channel = Event->Channel,
                                    .level = Event->Level,
                                    .opcode = Event->Opcode,
                                    .task = Event->Task,
                                    .keyword = Event->Keyword};
    PUCHAR To = EtwpDataRoom(&Room);
    for (ULONG i = 0; i < Count; i++) {
        if (Data[i].Size > Room - Bytes)
            return STATUS_INTEGER_OVERFLOW;
        RtlCopyMemory(To + Bytes, (PVOID)(ULONG_PTR)Data[i].Ptr, Data[i].Size);
        Bytes += Data[i].Size;
    }
    RtlCopyMemory(Header.provider, &Registration->Id, sizeof(GUID));
    if (Activity || KeGetCurrentIrql() <= DISPATCH_LEVEL)
        EtwpCopyId(Header.activity, Activity ? Activity : PspActivityOf(PsGetCurrentThread()));
    EtwpCopyId(Header.related, Related);
    EtwpRecord(&Header, To, Bytes);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI EtwWrite(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR Event, LPCGUID ActivityId, ULONG Count,
                        PEVENT_DATA_DESCRIPTOR Data)
{
    return EtwpWrite(RegHandle, Event, ActivityId, NULL, Count, Data);
}

NTSTATUS NTAPI EtwWriteTransfer(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR Event, LPCGUID ActivityId,
                                LPCGUID RelatedActivityId, ULONG Count, PEVENT_DATA_DESCRIPTOR Data)
{
    return EtwpWrite(RegHandle, Event, ActivityId, RelatedActivityId, Count, Data);
}

/* docs: EtwWriteEx: Filter names sessions to leave out; ours is not among what filters can name. */
NTSTATUS NTAPI EtwWriteEx(REGHANDLE RegHandle, PCEVENT_DESCRIPTOR Event, ULONG64 Filter, ULONG Flags,
                          LPCGUID ActivityId, LPCGUID RelatedActivityId, ULONG Count, PEVENT_DATA_DESCRIPTOR Data)
{
    return EtwpWrite(RegHandle, Event, ActivityId, RelatedActivityId, Count, Data);
}

NTSTATUS NTAPI EtwWriteString(REGHANDLE RegHandle, UCHAR Level, ULONGLONG Keyword, LPCGUID ActivityId, PCWSTR String)
{
    EVENT_DESCRIPTOR Event = {.Level = Level, .Keyword = Keyword};
    EVENT_DATA_DESCRIPTOR Data = {.Ptr = (ULONG_PTR)String};
    if (!String)
        return STATUS_INVALID_PARAMETER;
    Data.Size = ((ULONG)wcslen(String) + 1) * sizeof(WCHAR);
    return EtwpWrite(RegHandle, &Event, ActivityId, NULL, 1, &Data);
}

/* ---- Activities -------------------------------------------------------------------------------------------------- */

static GUID EtwpNewActivity(VOID)
{
    static ULONG64 Count;
    ULONG64 Half[2] = {++Count, KiDoor->seed ^ 0x6574775f61637469ull};
    GUID Id;
    RtlCopyMemory(&Id, Half, sizeof(Id));
    return Id;
}

/* docs: EtwActivityIdControl: the current thread's identifier. */
NTSTATUS NTAPI EtwActivityIdControl(ULONG ControlCode, LPGUID ActivityId)
{
    GUID *Current = &PsGetCurrentThread()->ActivityId, Before = *Current;
    if (!ActivityId)
        return STATUS_INVALID_PARAMETER;
    switch (ControlCode) {
    case EVENT_ACTIVITY_CTRL_GET_ID:
        *ActivityId = Before;
        break;
    case EVENT_ACTIVITY_CTRL_SET_ID:
        *Current = *ActivityId;
        break;
    case EVENT_ACTIVITY_CTRL_CREATE_ID:
        *ActivityId = EtwpNewActivity();
        break;
    case EVENT_ACTIVITY_CTRL_GET_SET_ID:
        *Current = *ActivityId;
        *ActivityId = Before;
        break;
    case EVENT_ACTIVITY_CTRL_CREATE_SET_ID:
        *ActivityId = Before;
        *Current = EtwpNewActivity();
        break;
    default:
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}
