/*
 * Power: requests to devices, the system's states, idle devices, settings, and the runtime power framework.
 *
 * A stack has one request for a state under way at a time; later ones wait in its lowest device's list (irp.c). What the
 * framework (fx.c) and idle detection (idle.c) decide goes through the same door.
 */
#pragma once

#define PO_TAG 'rwoP'

#ifndef DRIVER_POWER_STATE_FAILURE
#define DRIVER_POWER_STATE_FAILURE 0x9F
#endif

/* Send a system power request to the stack on Device and wait for it. PASSIVE_LEVEL. */
NTSTATUS PopSystemRequest(PDEVICE_OBJECT Device, UCHAR Minor, SYSTEM_POWER_STATE State, POWER_ACTION Action);
/* The device object is deleted: a finding for each request that is under way on it. */
VOID PopDeviceGoes(PDEVICE_OBJECT Device);
VOID PopForgetIdle(PDEVICE_OBJECT Device);

/* The system goes to State and, where it is a sleeping one, comes back. PowerSystemShutdown: everything is told that the
 * machine goes off. */
NTSTATUS PopTransition(SYSTEM_POWER_STATE State);
extern BOOLEAN PopOff; /* the machine has been shut down: nothing is unloaded any more */

extern UINT64 PopLastSleep, PopLastWake; /* interrupt time; 0 = never */

/* What anybody wants of the system, EXECUTION_STATE's flags. */
ULONG PopExecutionState(VOID);

/* \Callback\PowerState (nt/io/operator.c) */
VOID PopTellPowerState(ULONG_PTR Event, ULONG_PTR Value);

/* A power setting has a new value: its listeners are told. "AC", "monitor"... or a GUID in braces. */
NTSTATUS PopSetSetting(PCSTR Text, ULONG Value);
