/*
 * A driver counts components from one.
 *
 * EXPECT: power.no-such-component bad.c:@ in Begin
 */
#include "../../pnp/simple.h"

static POHANDLE Handle;

static void Begin(PDEVICE_OBJECT Device)
{
    static PO_FX_COMPONENT_IDLE_STATE F0;
    static PO_FX_DEVICE_V1 Fx = {.Version = PO_FX_VERSION_V1, .ComponentCount = 1};
    Fx.Components[0].IdleStateCount = 1;
    Fx.Components[0].IdleStates = &F0;
    PoFxRegisterDevice(Extension(Device)->pdo, (PVOID)&Fx, &Handle);
    PoFxStartDevicePowerManagement(Handle);
    PoFxActivateComponent(Handle, 1, 0); /* @ */
    PoFxIdleComponent(Handle, 0, 0);
}

static void End(PDEVICE_OBJECT Device)
{
    PoFxUnregisterDevice(Handle);
}

#define STARTED Begin
#define REMOVING End

#include "../../pnp/simple_body.h"
