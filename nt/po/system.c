/*
 * The system's own states: sleep and resume, shutdown.
 *
 * Every device is asked first (IRP_MN_QUERY_POWER), then told (IRP_MN_SET_POWER): children before their buses on the way
 * down, buses first on the way up. If one refuses, those that were asked are told that the system goes on working. (docs:
 * "System Power State Transitions", IRP_MN_QUERY_POWER, "Handling System Query-Power IRPs")
 *
 * DIFFERS: a sleep takes no virtual time.
 */
#include "nt.h"

BOOLEAN PopOff;

static BOOLEAN PopIsUp(PDEVICE_NODE Node)
{
    return Node->State == PnpStarted && Node != PnpRoot;
}

/* The stacks, children first, referenced. */
static PDEVICE_OBJECT *PopList(PULONG Count)
{
    PDEVICE_OBJECT *List;
    ULONG n = 0;
    for (PDEVICE_NODE Node = PnpRoot; Node; Node = PnpNextNode(Node, PnpRoot))
        n += PopIsUp(Node);
    List = ExpAllocate((n + 1) * sizeof(*List), PO_TAG);
    n = 0;
    for (PDEVICE_NODE Node = PnpLastNode(PnpRoot); Node; Node = PnpPreviousNode(Node, PnpRoot))
        if (PopIsUp(Node)) {
            ObfReferenceObject(Node->Pdo);
            List[n++] = Node->Pdo;
        }
    *Count = n;
    return List;
}

static NTSTATUS PopAsk(PDEVICE_OBJECT *List, ULONG Count, SYSTEM_POWER_STATE State)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Asked = 0;
    while (Asked < Count && NT_SUCCESS(Status)) {
        Status = PopSystemRequest(List[Asked++], IRP_MN_QUERY_POWER, State, PowerActionSleep);
        if (Status == STATUS_NOT_SUPPORTED)
            Status = STATUS_SUCCESS;
    }
    if (NT_SUCCESS(Status))
        return Status;
    if (PnpNodeOf(List[Asked - 1]))
        PnpRemark(PnpNodeOf(List[Asked - 1]), "it does not let the system sleep: 0x%08x", Status);
    while (Asked-- > 0)
        PopSystemRequest(List[Asked], IRP_MN_SET_POWER, PowerSystemWorking, PowerActionSleep);
    return Status;
}

UINT64 PopLastSleep, PopLastWake;

static NTSTATUS PopSleep(PDEVICE_OBJECT *List, ULONG Count, SYSTEM_POWER_STATE State)
{
    NTSTATUS Status = PopAsk(List, Count, State);
    if (!NT_SUCCESS(Status))
        return Status;
    PopTellPowerState(PO_CB_SYSTEM_STATE_LOCK, 0);
    PopLastSleep = KiNow();
    for (ULONG i = 0; i < Count; i++)
        PopSystemRequest(List[i], IRP_MN_SET_POWER, State, PowerActionSleep);
    PopLastWake = KiNow();
    for (ULONG i = Count; i-- > 0;)
        PopSystemRequest(List[i], IRP_MN_SET_POWER, PowerSystemWorking, PowerActionSleep);
    PopTellPowerState(PO_CB_SYSTEM_STATE_LOCK, 1);
    return STATUS_SUCCESS;
}

static NTSTATUS PopTransitionAction(PDEVICE_OBJECT Device, PVOID Context)
{
    SYSTEM_POWER_STATE State = (SYSTEM_POWER_STATE)(ULONG_PTR)Context;
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Count;
    PDEVICE_OBJECT *List = PopList(&Count);
    if (State == PowerSystemShutdown)
        for (ULONG i = 0; i < Count; i++)
            PopSystemRequest(List[i], IRP_MN_SET_POWER, State, PowerActionShutdownOff);
    else
        Status = PopSleep(List, Count, State);
    for (ULONG i = 0; i < Count; i++)
        ObfDereferenceObject(List[i]);
    ExpFree(List);
    return Status;
}

/* In the Plug and Play worker, so that no device comes or goes meanwhile. docs: IoRegisterShutdownNotification: shutdown
 * requests come before the devices' power goes. */
NTSTATUS PopTransition(SYSTEM_POWER_STATE State)
{
    if (State < PowerSystemSleeping1 || State > PowerSystemShutdown)
        return STATUS_INVALID_PARAMETER;
    if (State == PowerSystemShutdown) {
        if (PopOff)
            return STATUS_SUCCESS;
        PopOff = TRUE;
        CmShutdown();
        IopShutdown();
    }
    return PnpRoot ? PnpRun(PopTransitionAction, NULL, (PVOID)(ULONG_PTR)State) : STATUS_SUCCESS;
}
