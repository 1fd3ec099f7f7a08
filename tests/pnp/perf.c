/*
 * Performance states of a component without a power engine plug-in, and what only a plug-in could do. (docs:
 * PoFxRegisterComponentPerfStates)
 */
#include "pnp.h"
#include "simple.h"

static POHANDLE Handle;
static ULONG Heard, Good;
static KEVENT Done;
static PVOID Request;
static BOOLEAN SameThread;
static PKTHREAD Asker;

static void NTAPI Changed(PVOID Context, ULONG Component, BOOLEAN Succeeded, PVOID RequestContext)
{
    CHECK(Context == &Handle && Component == 0);
    Heard++;
    Good += Succeeded;
    Request = RequestContext;
    SameThread = KeGetCurrentThread() == Asker;
    KeSetEvent(&Done, 0, FALSE);
}

static union {
    PO_FX_COMPONENT_PERF_INFO Info;
    UCHAR Room[sizeof(PO_FX_COMPONENT_PERF_INFO) + sizeof(PO_FX_COMPONENT_PERF_SET)];
} States;

static void Registration(void)
{
    static PO_FX_PERF_STATE Three[3] = {{100, NULL}, {50, NULL}, {10, NULL}};
    PPO_FX_COMPONENT_PERF_INFO Told;
    PPO_FX_COMPONENT_PERF_SET Set = States.Info.PerfStateSets;
    ULONGLONG Now;

    STATUS(PoFxQueryCurrentComponentPerfState(Handle, 0, 0, 0, &Now), STATUS_INVALID_PARAMETER);
    STATUS(PoFxRegisterComponentPerfStates(Handle, 0, 1, Changed, &States.Info, NULL), STATUS_INVALID_PARAMETER);
    STATUS(PoFxRegisterComponentPerfStates(Handle, 0, 1, Changed, NULL, NULL), STATUS_INVALID_PARAMETER);
    STATUS(PoFxRegisterComponentPerfStates(Handle, 0, 0, Changed, NULL, &Told), STATUS_NOT_IMPLEMENTED);
    States.Info.PerfStateSetsCount = 2;
    Set[0].Unit = PoFxPerfStateUnitFrequency;
    Set[0].Type = PoFxPerfStateTypeDiscrete;
    Set[0].Discrete.Count = 3;
    Set[1].Unit = PoFxPerfStateUnitBandwidth;
    Set[1].Type = PoFxPerfStateTypeRange;
    Set[1].Range.Minimum = 200;
    Set[1].Range.Maximum = 900;
    STATUS(PoFxRegisterComponentPerfStates(Handle, 0, 1, Changed, &States.Info, NULL), STATUS_INVALID_PARAMETER);
    Set[0].Discrete.States = Three;
    STATUS(PoFxRegisterComponentPerfStates(Handle, 0, 0, Changed, &States.Info, NULL), STATUS_NOT_IMPLEMENTED);
    OK(PoFxRegisterComponentPerfStates(Handle, 0, PO_FX_FLAG_PERF_PEP_OPTIONAL, Changed, &States.Info, NULL));
    OK(PoFxQueryCurrentComponentPerfState(Handle, 0, 0, 1, &Now));
    CHECK(Now == 900);
    STATUS(PoFxQueryCurrentComponentPerfState(Handle, 0, 0, 2, &Now), STATUS_INVALID_PARAMETER);
}

static void Changes(void)
{
    PO_FX_PERF_STATE_CHANGE Two[2] = {{.Set = 0, .StateIndex = 2}, {.Set = 1, .StateValue = 300}};
    ULONGLONG Now;

    Asker = KeGetCurrentThread();
    PoFxIssueComponentPerfStateChangeMultiple(Handle, PO_FX_FLAG_BLOCKING, 0, 2, Two, Two);
    CHECK(Heard == 1 && Good == 1 && Request == Two && SameThread);
    OK(PoFxQueryCurrentComponentPerfState(Handle, 0, 0, 0, &Now));
    CHECK(Now == 2);
    OK(PoFxQueryCurrentComponentPerfState(Handle, 0, 0, 1, &Now));
    CHECK(Now == 300);
    Two[0].StateIndex = 1;
    Two[1].StateValue = 1000; /* beyond: neither is changed */
    PoFxIssueComponentPerfStateChangeMultiple(Handle, 0, 0, 2, Two, NULL);
    CHECK(Heard == 2 && Good == 1);
    OK(PoFxQueryCurrentComponentPerfState(Handle, 0, 0, 0, &Now));
    CHECK(Now == 2);
    KeClearEvent(&Done);
    PoFxIssueComponentPerfStateChange(Handle, PO_FX_FLAG_ASYNC_ONLY, 0, Two, NULL);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    CHECK(Heard == 3 && Good == 2 && !SameThread);
}

static void Begin(PDEVICE_OBJECT Device)
{
    static PO_FX_COMPONENT_IDLE_STATE F0;
    static PO_FX_DEVICE_V1 Fx = {.Version = PO_FX_VERSION_V1, .ComponentCount = 1, .DeviceContext = &Handle};
    static const GUID Code = {1};
    SIZE_T Returned = 7;

    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    Fx.Components[0].IdleStateCount = 1;
    Fx.Components[0].IdleStates = &F0;
    OK(PoFxRegisterDevice(Extension(Device)->pdo, (PVOID)&Fx, &Handle));
    Registration();
    PoFxStartDevicePowerManagement(Handle);
    Changes();
    STATUS(PoFxPowerControl(Handle, &Code, NULL, 0, NULL, 0, &Returned), STATUS_NOT_SUPPORTED);
    CHECK(Returned == 0);
    STATUS(PoFxRegisterCrashdumpDevice(Handle), STATUS_UNSUCCESSFUL);
    STATUS(PoFxRegisterCrashdumpDevice((POHANDLE)&Fx), STATUS_INVALID_PARAMETER);
    STATUS(PoFxPowerOnCrashdumpDevice(Handle, NULL), STATUS_UNSUCCESSFUL);
    OK(PoFxSetTargetDripsDevicePowerState(Handle, PowerDeviceD2));
    OK(PoFxSetTargetDripsDevicePowerState(Handle, PowerDeviceUnspecified));
    STATUS(PoFxSetTargetDripsDevicePowerState(Handle, PowerDeviceMaximum), STATUS_INVALID_PARAMETER);
    PoFxUnregisterDevice(Handle);
    PoSetSystemWakeDevice(Device);
}

static void Sum(void)
{
    SUM();
}

#define STARTED Begin
#define UNLOADING Sum
#include "simple_body.h"
