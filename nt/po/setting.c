/*
 * Power settings and requests that the system stay up.
 *
 * A driver that registers for a setting is told its present value at once, and each new one later, at PASSIVE_LEVEL. (docs:
 * PoRegisterPowerSettingCallback, "Power Setting GUIDs") A power request is an object with a count for each kind (docs:
 * PoCreatePowerRequest, PoSetPowerRequest, PoClearPowerRequest, PoRegisterSystemState).
 */
#include "nt.h"

static struct {
    PCSTR Name;
    GUID Guid;
    BOOLEAN Known;
    ULONG Value;
} PopSettings[16] = {
    {"source",
     {0x5d3e9a59, 0xe9d5, 0x4b00, {0xa6, 0xbd, 0xff, 0x34, 0xff, 0x51, 0x65, 0x48}},
     TRUE,
     0}, /* GUID_ACDC_POWER_SOURCE */
    {"battery",
     {0xa7ad8041, 0xb45a, 0x4cae, {0x87, 0xa3, 0xee, 0xcb, 0xb4, 0x68, 0xa9, 0xe1}},
     TRUE,
     100}, /* GUID_BATTERY_PERCENTAGE_REMAINING */
    {"monitor",
     {0x02731015, 0x4510, 0x4526, {0x99, 0xe6, 0xe5, 0xa1, 0x7e, 0xbd, 0x1a, 0xea}},
     TRUE,
     1}, /* GUID_MONITOR_POWER_ON */
    {"display",
     {0x6fe69556, 0x704a, 0x47a0, {0x8f, 0x24, 0xc2, 0x8d, 0x93, 0x6f, 0xda, 0x47}},
     TRUE,
     1}, /* GUID_CONSOLE_DISPLAY_STATE */
    {"lid",
     {0xba3e0f4d, 0xb817, 0x4094, {0xa2, 0xd1, 0xd5, 0x63, 0x79, 0xe6, 0xa0, 0xf3}},
     TRUE,
     1}, /* GUID_LIDSWITCH_STATE_CHANGE */
    {"saver",
     {0xe00958c0, 0xc213, 0x4ace, {0xac, 0x77, 0xfe, 0xcc, 0xed, 0x2e, 0xee, 0xa5}},
     TRUE,
     0}, /* GUID_POWER_SAVING_STATUS */
    {"away",
     {0x98a7f580, 0x01f7, 0x48aa, {0x9c, 0x0f, 0x44, 0x35, 0x2c, 0x29, 0xe5, 0xc0}},
     TRUE,
     0}, /* GUID_SYSTEM_AWAYMODE */
};

typedef struct _PO_LISTENER {
    LIST_ENTRY Entry;
    GUID Guid;
    PPOWER_SETTING_CALLBACK Routine;
    PVOID Context;
    ULONG Stack;
    BOOLEAN Gone;
    ULONG Busy;
} PO_LISTENER, *PPO_LISTENER;

static LIST_ENTRY PopListeners = {&PopListeners, &PopListeners};

/* ---- Settings ---------------------------------------------------------------------------------------------------- */

static VOID PopRelease(PPO_LISTENER Listener)
{
    if (--Listener->Busy)
        return;
    RemoveEntryList(&Listener->Entry);
    ExpFree(Listener);
}

static VOID PopTell(PPO_LISTENER Listener, ULONG Value)
{
    VF_CALLBACK Callback;
    IopEnter(&Callback, "POWER_SETTING_CALLBACK", "power setting callback", (PVOID)(ULONG_PTR)Listener->Routine, NULL);
    Callback.Stack = Listener->Stack;
    Callback.StackText = "It was registered at:";
    Listener->Routine(&Listener->Guid, &Value, sizeof(Value), Listener->Context);
    VfLeaveCallback(&Callback);
}

static ULONG PopFindSetting(const GUID *Guid)
{
    ULONG i = 0;
    while (i < RTL_NUMBER_OF(PopSettings) && PopSettings[i].Known &&
           !RtlEqualMemory(&PopSettings[i].Guid, Guid, sizeof(GUID)))
        i++;
    return i;
}

NTSTATUS PopSetSetting(PCSTR Text, ULONG Value)
{
    WCHAR Wide[64];
    UNICODE_STRING String;
    GUID Guid;
    ULONG Index = 0;
    while (Index < RTL_NUMBER_OF(PopSettings) && !(PopSettings[Index].Name && !_stricmp(PopSettings[Index].Name, Text)))
        Index++;
    if (Index == RTL_NUMBER_OF(PopSettings)) {
        RtlpFromUtf8(Wide, RTL_NUMBER_OF(Wide), Text);
        RtlInitUnicodeString(&String, Wide);
        if (!NT_SUCCESS(RtlGUIDFromString(&String, &Guid)))
            return STATUS_INVALID_PARAMETER;
        Index = PopFindSetting(&Guid);
        if (Index == RTL_NUMBER_OF(PopSettings))
            return STATUS_INSUFFICIENT_RESOURCES;
        PopSettings[Index].Guid = Guid;
        PopSettings[Index].Known = TRUE;
    }
    PopSettings[Index].Value = Value;
    for (PLIST_ENTRY Entry = PopListeners.Flink, Next; Entry != &PopListeners; Entry = Next) {
        PPO_LISTENER Listener = CONTAINING_RECORD(Entry, PO_LISTENER, Entry);
        Listener->Busy++;
        if (!Listener->Gone && RtlEqualMemory(&Listener->Guid, &PopSettings[Index].Guid, sizeof(GUID)))
            PopTell(Listener, Value);
        Next = Entry->Flink;
        PopRelease(Listener);
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PoRegisterPowerSettingCallback(PDEVICE_OBJECT DeviceObject, LPCGUID SettingGuid,
                                              PPOWER_SETTING_CALLBACK Routine, PVOID Context, PVOID *Handle)
{
    ULONG Stack = VfCaptureStack(), Index;
    PPO_LISTENER Listener;
    if (!SettingGuid || !Routine)
        return STATUS_INVALID_PARAMETER;
    Listener = ExpTryAllocate(sizeof(*Listener), PO_TAG);
    if (!Listener)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Listener = (PO_LISTENER){.Guid = *SettingGuid, .Routine = Routine, .Context = Context, .Stack = Stack, .Busy = 1};
    InsertTailList(&PopListeners, &Listener->Entry);
    VfTrack(Listener, sizeof(*Listener), VfCallbackObject, (PVOID)(ULONG_PTR)Routine, Stack);
    if (Handle)
        *Handle = Listener;
    Index = PopFindSetting(SettingGuid);
    if (Index < RTL_NUMBER_OF(PopSettings) && PopSettings[Index].Known) {
        Listener->Busy++;
        PopTell(Listener, PopSettings[Index].Value);
        PopRelease(Listener);
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PoUnregisterPowerSettingCallback(PVOID Handle)
{
    PPO_LISTENER Listener = Handle;
    if (!Listener)
        return STATUS_INVALID_PARAMETER;
    Listener->Gone = TRUE;
    VfUntrack(Listener, VfCallbackObject);
    PopRelease(Listener);
    return STATUS_SUCCESS;
}

/* ---- What is wanted of the system: how many want each flag ------------------------------------------------------- */

static LONG PopWanted[32];

static VOID PopWant(ULONG Flags, LONG Change)
{
    for (ULONG i = 0; i < 32; i++)
        if (Flags >> i & 1)
            PopWanted[i] += Change;
}

ULONG PopExecutionState(VOID)
{
    ULONG State = 0;
    for (ULONG i = 0; i < 31; i++) /* ES_CONTINUOUS is no wish */
        State |= PopWanted[i] > 0 ? 1u << i : 0;
    return State;
}

/* docs: POWER_REQUEST_TYPE: the display, the system, away mode; the fourth is the process's. */
static ULONG PopFlagOf(POWER_REQUEST_TYPE Type)
{
    static const ULONG Flags[] = {ES_DISPLAY_REQUIRED, ES_SYSTEM_REQUIRED, 0x40 /* ES_AWAYMODE_REQUIRED */, 0};
    return Flags[Type];
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

typedef struct _PO_NEED {
    PDEVICE_OBJECT Device; /* referenced */
    LONG Count[4];         /* by POWER_REQUEST_TYPE */
} PO_NEED, *PPO_NEED;

NTSTATUS NTAPI PoCreatePowerRequest(PVOID *PowerRequest, PDEVICE_OBJECT DeviceObject, PCOUNTED_REASON_CONTEXT Context)
{
    PPO_NEED Need;
    *PowerRequest = NULL;
    if (Context && (Context->Version != POWER_REQUEST_CONTEXT_VERSION ||
                    !(Context->Flags & (POWER_REQUEST_CONTEXT_SIMPLE_STRING | POWER_REQUEST_CONTEXT_DETAILED_STRING))))
        return STATUS_INVALID_PARAMETER;
    Need = IopAllocate(sizeof(*Need), PO_TAG, VfCaptureStack()); /* never deleted: the caller's leak */
    if (!Need)
        return STATUS_INSUFFICIENT_RESOURCES;
    Need->Device = DeviceObject;
    ObfReferenceObject(DeviceObject);
    *PowerRequest = Need;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PoSetPowerRequest(PVOID PowerRequest, POWER_REQUEST_TYPE Type)
{
    if ((ULONG)Type >= RTL_NUMBER_OF(((PPO_NEED)0)->Count))
        return STATUS_INVALID_PARAMETER;
    ((PPO_NEED)PowerRequest)->Count[Type]++;
    PopWant(PopFlagOf(Type), 1);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PoClearPowerRequest(PVOID PowerRequest, POWER_REQUEST_TYPE Type)
{
    PPO_NEED Need = PowerRequest;
    if ((ULONG)Type >= RTL_NUMBER_OF(Need->Count))
        return STATUS_INVALID_PARAMETER;
    if (!Need->Count[Type])
        return STATUS_UNSUCCESSFUL;
    Need->Count[Type]--;
    PopWant(PopFlagOf(Type), -1);
    return STATUS_SUCCESS;
}

VOID NTAPI PoDeletePowerRequest(PVOID PowerRequest)
{
    PPO_NEED Need = PowerRequest;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Need->Count); i++)
        PopWant(PopFlagOf((POWER_REQUEST_TYPE)i), -Need->Count[i]);
    ObfDereferenceObject(Need->Device);
    IopFree(Need);
}

/* docs: PoRegisterSystemState: NULL makes a new one; the flags stay until they are changed. */
PVOID NTAPI PoRegisterSystemState(PVOID StateHandle, EXECUTION_STATE Flags)
{
    PULONG State = StateHandle;
    if (State)
        PopWant(*State, -1);
    else
        State = IopAllocate(sizeof(*State), PO_TAG, VfCaptureStack());
    if (State) {
        *State = Flags;
        PopWant(Flags, 1);
    }
    return State;
}

VOID NTAPI PoUnregisterSystemState(PVOID StateHandle)
{
    PopWant(*(PULONG)StateHandle, -1);
    IopFree(StateHandle);
}

/* docs: PoSetSystemState: the system's idle timers begin anew; there are none that would send it to sleep. */
VOID NTAPI PoSetSystemState(EXECUTION_STATE Flags)
{
}
