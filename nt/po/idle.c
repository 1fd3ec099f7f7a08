/*
 * Idle detection: a device that nobody has used for a time is sent to a lower state. (docs: PoRegisterDeviceForIdleDetection,
 * PoSetDeviceBusyEx, PoStartDeviceBusy)
 *
 * The pointer a driver gets is a counter of idle seconds; PoSetDeviceBusy, a macro, sets it to zero. One timer goes round
 * each second while a device is registered. On battery the shorter, conservative time counts.
 */
#include "nt.h"

typedef struct _PO_IDLE {
    ULONG Count; /* what the driver's pointer points to */
    ULONG Busy;  /* PoStartDeviceBusy */
    LIST_ENTRY Entry;
    PDEVICE_OBJECT Device;
    ULONG Conservation, Performance; /* seconds; 0 = never, -1 = the class's default, here never */
    DEVICE_POWER_STATE State;
    BOOLEAN Asked; /* since it was last busy */
    ULONG Stack;
} PO_IDLE, *PPO_IDLE;

static LIST_ENTRY PopIdle = {&PopIdle, &PopIdle};
static KTIMER PopIdleTimer;
static KDPC PopIdleDpc;

static VOID PopIdleTick(PPO_IDLE Idle)
{
    ULONG Limit = KiMains ? Idle->Performance : Idle->Conservation;
    POWER_STATE State = {.DeviceState = Idle->State};
    if (Idle->Busy)
        Idle->Count = 0;
    if (!Idle->Count)
        Idle->Asked = FALSE;
    if (!Limit || Limit == (ULONG)-1)
        return;
    if (++Idle->Count < Limit || Idle->Asked || IopDeviceOf(Idle->Device)->PowerState != PowerDeviceD0)
        return;
    Idle->Asked = TRUE;
    PoRequestPowerIrp(Idle->Device, IRP_MN_SET_POWER, State, NULL, NULL, NULL);
}

static VOID NTAPI PopIdleRound(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    for (PLIST_ENTRY Entry = PopIdle.Flink, Next; Entry != &PopIdle; Entry = Next) {
        Next = Entry->Flink;
        PopIdleTick(CONTAINING_RECORD(Entry, PO_IDLE, Entry));
    }
}

static VOID PopStartIdleTimer(VOID)
{
    LARGE_INTEGER Due = {.QuadPart = -10000000};
    KeInitializeTimer(&PopIdleTimer);
    KeInitializeDpc(&PopIdleDpc, PopIdleRound, NULL);
    KeSetTimerEx(&PopIdleTimer, Due, 1000, &PopIdleDpc);
}

VOID PopForgetIdle(PDEVICE_OBJECT Device)
{
    PPO_IDLE Idle = IopDeviceOf(Device)->Idle;
    if (!Idle)
        return;
    IopDeviceOf(Device)->Idle = NULL;
    RemoveEntryList(&Idle->Entry);
    IopFree(Idle);
    if (IsListEmpty(&PopIdle))
        KeCancelTimer(&PopIdleTimer);
}

/* docs: both times zero end the detection and NULL is returned. */
PULONG NTAPI PoRegisterDeviceForIdleDetection(PDEVICE_OBJECT Device, ULONG ConservationIdleTime,
                                              ULONG PerformanceIdleTime, DEVICE_POWER_STATE State)
{
    PPO_IDLE Idle = IopDeviceOf(Device)->Idle;
    if (!ConservationIdleTime && !PerformanceIdleTime) {
        PopForgetIdle(Device);
        return NULL;
    }
    if (!Idle) {
        Idle = IopAllocate(sizeof(*Idle), PO_TAG, 0);
        if (!Idle)
            return NULL;
        Idle->Device = Device;
        IopDeviceOf(Device)->Idle = Idle;
        if (IsListEmpty(&PopIdle))
            PopStartIdleTimer();
        InsertTailList(&PopIdle, &Idle->Entry);
    }
    Idle->Conservation = ConservationIdleTime;
    Idle->Performance = PerformanceIdleTime;
    Idle->State = State;
    Idle->Count = 0;
    Idle->Asked = FALSE;
    return &Idle->Count;
}

VOID NTAPI PoSetDeviceBusyEx(PULONG IdlePointer)
{
    *IdlePointer = 0;
}

VOID NTAPI PoStartDeviceBusy(PULONG IdlePointer)
{
    PPO_IDLE Idle = CONTAINING_RECORD(IdlePointer, PO_IDLE, Count);
    Idle->Count = 0;
    Idle->Busy++;
}

VOID NTAPI PoEndDeviceBusy(PULONG IdlePointer)
{
    PPO_IDLE Idle = CONTAINING_RECORD(IdlePointer, PO_IDLE, Count);
    Idle->Count = 0;
    if (Idle->Busy)
        Idle->Busy--;
}
