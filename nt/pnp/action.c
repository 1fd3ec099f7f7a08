/*
 * Actions on the device tree: one after the other, in a system worker thread. (docs: IoInvalidateDeviceRelations, which
 * only queues one)
 *
 * An action that asks for another one (a driver's AddDevice calls IoInvalidateDeviceRelations) has it run afterwards, or
 * at once where it waits for it.
 */
#include "nt.h"

typedef struct _PNP_ACTION {
    LIST_ENTRY Entry;
    PNP_ROUTINE *Routine;
    PDEVICE_OBJECT Device;
    PVOID Context;
    PKEVENT Done; /* NULL = nobody waits */
    PNTSTATUS Status;
} PNP_ACTION, *PPNP_ACTION;

static LIST_ENTRY PnpActions = {&PnpActions, &PnpActions};
static WORK_QUEUE_ITEM PnpItem;
static PKTHREAD PnpWorker; /* the thread that works on them; NULL = none does */
static BOOLEAN PnpQueued;

static VOID NTAPI PnpWork(PVOID Context)
{
    PnpWorker = KeGetCurrentThread();
    while (!IsListEmpty(&PnpActions)) {
        PPNP_ACTION Action = CONTAINING_RECORD(RemoveHeadList(&PnpActions), PNP_ACTION, Entry);
        NTSTATUS Status = Action->Routine(Action->Device, Action->Context);
        if (Action->Device)
            ObfDereferenceObject(Action->Device);
        if (Action->Status)
            *Action->Status = Status;
        if (Action->Done)
            KeSetEvent(Action->Done, 0, FALSE);
        ExpFree(Action);
    }
    PnpWorker = NULL;
    PnpQueued = FALSE;
}

static NTSTATUS PnpInsert(PNP_ROUTINE *Routine, PDEVICE_OBJECT Device, PVOID Context, PKEVENT Done, PNTSTATUS Status)
{
    PPNP_ACTION Action = ExpTryAllocate(sizeof(*Action), PNP_TAG);
    if (!Action)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Action = (PNP_ACTION){.Routine = Routine, .Device = Device, .Context = Context, .Done = Done, .Status = Status};
    if (Device)
        ObfReferenceObject(Device);
    InsertTailList(&PnpActions, &Action->Entry);
    if (!PnpQueued) {
        PnpQueued = TRUE;
        ExInitializeWorkItem(&PnpItem, PnpWork, NULL);
        ExQueueWorkItem(&PnpItem, DelayedWorkQueue);
    }
    return STATUS_SUCCESS;
}

NTSTATUS PnpQueue(PNP_ROUTINE *Routine, PDEVICE_OBJECT Device, PVOID Context)
{
    return PnpInsert(Routine, Device, Context, NULL, NULL);
}

NTSTATUS PnpRun(PNP_ROUTINE *Routine, PDEVICE_OBJECT Device, PVOID Context)
{
    KEVENT Done;
    NTSTATUS Result = STATUS_UNSUCCESSFUL;
    if (PnpWorker == KeGetCurrentThread())
        return Routine(Device, Context);
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    NTSTATUS Status = PnpInsert(Routine, Device, Context, &Done, &Result);
    if (!NT_SUCCESS(Status))
        return Status;
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    return Result;
}
