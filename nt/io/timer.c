/*
 * Timers of devices: a routine called once a second at DISPATCH_LEVEL (docs: IoInitializeTimer).
 *
 * One kernel timer serves all of them; it runs while at least one is started.
 */
#include "nt.h"

struct _IO_TIMER {
    SHORT Type, Running;
    LIST_ENTRY Entry;
    PIO_TIMER_ROUTINE Routine;
    PVOID Context;
    PDEVICE_OBJECT Device;
    ULONG Stack;
};

#define IOP_TIMER_PERIOD 1000 /* ms */

static LIST_ENTRY IopTimers = {&IopTimers, &IopTimers};
static ULONG IopRunning;
static KTIMER IopTimer;
static KDPC IopTimerDpc;

static VOID NTAPI IopTimerTick(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    for (PLIST_ENTRY Entry = IopTimers.Flink, Next; Entry != &IopTimers; Entry = Next) {
        PIO_TIMER Timer = CONTAINING_RECORD(Entry, struct _IO_TIMER, Entry);
        Next = Entry->Flink;
        if (!Timer->Running)
            continue;
        VF_CALLBACK Callback = {.Contract = "IO_TIMER_ROUTINE",
                                .What = "timer of device %o",
                                .Routine = (PVOID)(ULONG_PTR)Timer->Routine,
                                .Object = Timer->Device,
                                .Stack = Timer->Stack,
                                .StackText = "The timer was initialized at:"};
        VfEnterCallback(&Callback);
        Timer->Routine(Timer->Device, Timer->Context);
        VfLeaveCallback(&Callback);
    }
}

NTSTATUS NTAPI IoInitializeTimer(PDEVICE_OBJECT Device, PIO_TIMER_ROUTINE Routine, PVOID Context)
{
    PIO_TIMER Timer = Device->Timer;
    if (Timer) {
        VfFinding("device.timer-initialized-twice", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x0A, (UINT64)Device, 0, 0);
        VfSubject("IoInitializeTimer");
        VfText("IoInitializeTimer called for a device whose timer is initialized already");
        VfNoteCaller(NULL);
        VfCommit();
    } else {
        Timer = ExpAllocate(sizeof(*Timer), 'iTOI');
        RtlZeroMemory(Timer, sizeof(*Timer));
        Timer->Type = IO_TYPE_TIMER;
        Timer->Device = Device;
        Device->Timer = Timer;
        InsertTailList(&IopTimers, &Timer->Entry);
    }
    Timer->Routine = Routine;
    Timer->Context = Context;
    Timer->Stack = VfCaptureStack();
    VfTrack(Timer, sizeof(*Timer), VfCallbackObject, (PVOID)(ULONG_PTR)Routine, Timer->Stack);
    return STATUS_SUCCESS;
}

VOID NTAPI IoStartTimer(PDEVICE_OBJECT Device)
{
    LARGE_INTEGER Due = {.QuadPart = -10000LL * IOP_TIMER_PERIOD};
    if (Device->Timer->Running || IopDeviceOf(Device)->DeletePending)
        return;
    Device->Timer->Running = TRUE;
    if (IopRunning++)
        return;
    KeInitializeDpc(&IopTimerDpc, IopTimerTick, NULL);
    KeInitializeTimerEx(&IopTimer, SynchronizationTimer);
    KeSetTimerEx(&IopTimer, Due, IOP_TIMER_PERIOD, &IopTimerDpc);
}

VOID NTAPI IoStopTimer(PDEVICE_OBJECT Device)
{
    if (!Device->Timer || !Device->Timer->Running)
        return;
    Device->Timer->Running = FALSE;
    if (--IopRunning == 0)
        KeCancelTimer(&IopTimer);
}

/* The device is deleted. */
VOID IopTimerGoes(PDEVICE_OBJECT Device)
{
    if (!Device->Timer)
        return;
    IoStopTimer(Device);
    VfUntrack(Device->Timer, VfCallbackObject);
    RemoveEntryList(&Device->Timer->Entry);
    ExpFree(Device->Timer);
    Device->Timer = NULL;
}
