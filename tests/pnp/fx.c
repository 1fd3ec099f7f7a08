/*
 * The power management framework: one component with three F-states, a device that can go without power.
 *
 * OPTIONS: --for 1s
 */
#include "pnp.h"
#include "simple.h"

static POHANDLE Handle;
static ULONG Actives, Idles, States, Last, Required, NotRequired;

static void NTAPI Active(PVOID Context, ULONG Component)
{
    CHECK(Context == &Handle && Component == 0);
    Actives++;
}

static void NTAPI Idle(PVOID Context, ULONG Component)
{
    Idles++;
    PoFxCompleteIdleCondition(Handle, Component);
}

static void NTAPI State(PVOID Context, ULONG Component, ULONG To)
{
    States++;
    Last = To;
    PoFxCompleteIdleState(Handle, Component);
}

static void NTAPI PowerRequired(PVOID Context)
{
    Required++;
    PoFxReportDevicePoweredOn(Handle);
}

static void NTAPI PowerNotRequired(PVOID Context)
{
    NotRequired++;
    PoFxCompleteDevicePowerNotRequired(Handle);
}

static void Wait(LONGLONG Milliseconds)
{
    LARGE_INTEGER Interval = {.QuadPart = -10000 * Milliseconds};
    KeDelayExecutionThread(KernelMode, FALSE, &Interval);
}

static void Begin(PDEVICE_OBJECT Device)
{
    static PO_FX_COMPONENT_IDLE_STATE F[3] = {{0, 0, 1000}, {100, 1000, 100}, {100000, 1000000, 1}};
    static PO_FX_DEVICE_V1 Fx;
    Fx.Version = PO_FX_VERSION_V1;
    Fx.ComponentCount = 1;
    Fx.ComponentActiveConditionCallback = Active;
    Fx.ComponentIdleConditionCallback = Idle;
    Fx.ComponentIdleStateCallback = State;
    Fx.DevicePowerRequiredCallback = PowerRequired;
    Fx.DevicePowerNotRequiredCallback = PowerNotRequired;
    Fx.DeviceContext = &Handle;
    Fx.Components[0].IdleStateCount = 3;
    Fx.Components[0].DeepestWakeableIdleState = 1;
    Fx.Components[0].IdleStates = F;
    OK(PoFxRegisterDevice(Extension(Device)->pdo, (PVOID)&Fx, &Handle));
    PoFxSetDeviceIdleTimeout(Handle, 5000000); /* half a second */
    PoFxActivateComponent(Handle, 0, PO_FX_FLAG_BLOCKING);
    PoFxStartDevicePowerManagement(Handle);
    CHECK(Idles == 0 && NotRequired == 0);
    PoFxSetComponentLatency(Handle, 0, 500); /* F2 takes too long */
    PoFxIdleComponent(Handle, 0, 0);
    CHECK(Idles == 1 && States == 1 && Last == 1);
    PoFxSetComponentLatency(Handle, 0, 200000);
    CHECK(States == 2 && Last == 2);
    PoFxSetComponentWake(Handle, 0, TRUE);
    CHECK(States == 3 && Last == 1);
    PoFxSetComponentResidency(Handle, 0, 10);
    CHECK(States == 4 && Last == 0);
    PoFxActivateComponent(Handle, 0, 0);
    CHECK(Actives == 1 && States == 4);
    PoFxIdleComponent(Handle, 0, PO_FX_FLAG_ASYNC_ONLY);
    Wait(400);
    CHECK(Idles == 2 && !NotRequired);
    Wait(200);
    CHECK(NotRequired == 1 && !Required);
    PoFxActivateComponent(Handle, 0, PO_FX_FLAG_BLOCKING);
    CHECK(Required == 1 && Actives == 2);
    PoFxUnregisterDevice(Handle);
}

static void Sum(void)
{
    SUM();
}

#define STARTED Begin
#define UNLOADING Sum
#include "simple_body.h"
