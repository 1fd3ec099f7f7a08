/*
 * Devices of the power management framework, between its files. See fx.c.
 */
#pragma once

typedef struct _PO_FX_STATE {
    UINT64 Latency, Residency;
} PO_FX_STATE;

typedef struct _PO_FX_PART {
    ULONG States, Wakeable;
    PO_FX_STATE *State;
    LONG References;
    ULONG Current, Target;
    BOOLEAN Active;
    BOOLEAN IdlePending;  /* PoFxCompleteIdleCondition is due */
    BOOLEAN StatePending; /* PoFxCompleteIdleState is due */
    BOOLEAN Wake;
    UINT64 Latency, Residency; /* what is tolerated, what is expected; -1 = anything */
    struct _PO_FX_PERF *Perf;  /* fxperf.c */
} PO_FX_PART;

typedef struct _PO_FX {
    PDEVICE_OBJECT Pdo;
    LIST_ENTRY Entry;
    PPO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK ActiveCondition;
    PPO_FX_COMPONENT_IDLE_CONDITION_CALLBACK IdleCondition;
    PPO_FX_COMPONENT_IDLE_STATE_CALLBACK IdleState;
    PPO_FX_DEVICE_POWER_REQUIRED_CALLBACK Required;
    PPO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK NotRequired;
    PVOID Context;
    BOOLEAN Started, Running, Again, Unregistering;
    BOOLEAN Powered, RequiredPending, NotRequiredPending;
    BOOLEAN TimerSet, TimeOver;
    UINT64 IdleTimeout;
    KTIMER Timer;
    KDPC Dpc;
    WORK_QUEUE_ITEM Item;
    BOOLEAN ItemQueued;
    KEVENT Changed; /* pulsed after each change, for those who wait */
    DEVICE_POWER_STATE TargetDrips;
    ULONG Stack;
    ULONG Parts;
    PO_FX_PART Part[1];
} PO_FX, *PPO_FX;

extern LIST_ENTRY PopFxDevices;
/* NULL after the finding: there is no such component. */
PO_FX_PART *PopFxPart(PPO_FX Fx, ULONG Component, PCSTR Routine);

VOID PopFxFreePerf(PO_FX_PART *Part);
BOOLEAN PopFxPerfPending(PO_FX_PART *Part); /* a change is under way */

/* Call a driver's routine. */
#define POP_FX_CALL(Fx, Contract, What, Routine, ...)                                                                  \
    do {                                                                                                               \
        VF_CALLBACK Callback;                                                                                          \
        IopEnter(&Callback, Contract, What, (PVOID)(ULONG_PTR)(Routine), NULL);                                        \
        Callback.Stack = (Fx)->Stack;                                                                                  \
        Callback.StackText = "The device was registered at:";                                                          \
        (Routine)((Fx)->Context, ##__VA_ARGS__);                                                                       \
        VfLeaveCallback(&Callback);                                                                                    \
    } while (0)
