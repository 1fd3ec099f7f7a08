/*
 * I/O work items: system work items that hold their device, and with it the driver, until the routine has returned
 * (docs: IoQueueWorkItem). That is why they are safe at unload where ExQueueWorkItem is not: IopUnloadDriver waits for
 * those that are queued or running before it looks at what is left.
 */
#include "nt.h"

struct _IO_WORKITEM {
    WORK_QUEUE_ITEM Item; /* handed to the system's queues; its routine is ours */
    PVOID IoObject;       /* device or driver object */
    PVOID Routine, Context;
    BOOLEAN Extended, Queued, HasActivity;
    ULONG Stack;
    GUID Activity; /* of the thread that queued it */
};

static PDRIVER_OBJECT IopDriverOfObject(PVOID IoObject)
{
    return ObpTypeOf(IoObject) == IopDriverType ? IoObject : ((PDEVICE_OBJECT)IoObject)->DriverObject;
}

/* It holds its object, and with it the driver, no longer. */
VOID IopHold(PVOID IoObject)
{
    ObfReferenceObject(IoObject);
    IopDriverOf(IopDriverOfObject(IoObject))->WorkItems++;
}

VOID IopLetGo(PVOID IoObject)
{
    PIOP_DRIVER Driver = IopDriverOf(IopDriverOfObject(IoObject));

    if (--Driver->WorkItems == 0 && Driver->Unloading)
        KeSetEvent(&Driver->WorkDone, 0, FALSE);
    ObfDereferenceObject(IoObject);
}

static VOID NTAPI IopRunWorkItem(PVOID Context)
{
    PIO_WORKITEM Work = Context;
    struct _IO_WORKITEM Due = *Work; /* the routine may free it or queue it again */
    VF_CALLBACK Callback = {.Contract = Due.Extended ? "IO_WORKITEM_ROUTINE_EX" : "IO_WORKITEM_ROUTINE",
                            .What = "work item %o",
                            .Routine = Due.Routine,
                            .Object = Work,
                            .Stack = Due.Stack,
                            .StackText = "The work item was queued at:"};
    LPCGUID Before = Due.HasActivity ? IoSetActivityIdThread(&Due.Activity) : NULL;
    Work->Queued = FALSE;
    VfUntrack(Work, VfWorkItem);
    VfEnterCallback(&Callback);
    if (Due.Extended)
        ((PIO_WORKITEM_ROUTINE_EX)Due.Routine)(Due.IoObject, Due.Context, Work);
    else
        ((PIO_WORKITEM_ROUTINE)Due.Routine)(Due.IoObject, Due.Context);
    VfLeaveCallback(&Callback);
    if (Due.HasActivity)
        IoClearActivityIdThread(Before);
    IopLetGo(Due.IoObject);
}

/* The verifier has taken a queued item out of its queue: its memory is going away. */
VOID IopForgetWorkItem(PWORK_QUEUE_ITEM Item)
{
    PIO_WORKITEM Work = CONTAINING_RECORD(Item, struct _IO_WORKITEM, Item);

    if (Item->WorkerRoutine != IopRunWorkItem)
        return;
    Work->Queued = FALSE;
    IopLetGo(Work->IoObject);
}

static VOID IopQueueWork(PIO_WORKITEM Work, PVOID Routine, WORK_QUEUE_TYPE Queue, PVOID Context, BOOLEAN Extended,
                         ULONG Stack)
{
    if (Work->Queued) {
        VfFinding("workitem.queued-twice", 0xE4 /* WORKER_INVALID */, 1, (UINT64)&Work->Item, (UINT64)Work, 0);
        VfSubject("work item");
        VfText("IoQueueWorkItem called for a work item that is queued already");
        VfNoteCaller(NULL);
        VfNote(DOOR_NOTE_OBJECT, Work->Stack, Work, NULL, "The work item was queued at:");
        VfCommit();
        return;
    }
    LPCGUID Activity = PspActivityOf(PsGetCurrentThread());
    Work->HasActivity = Activity != NULL;
    if (Activity)
        Work->Activity = *Activity;
    Work->Routine = Routine;
    Work->Context = Context;
    Work->Extended = Extended;
    Work->Stack = Stack;
    Work->Queued = TRUE;
    IopHold(Work->IoObject);
    VfTrack(Work, sizeof(*Work), VfWorkItem, NULL, Stack); /* no routine: the driver cannot go before it has run */
    ExInitializeWorkItem(&Work->Item, IopRunWorkItem, Work);
    ExQueueWorkItem(&Work->Item, Queue);
}

VOID NTAPI IoQueueWorkItem(PIO_WORKITEM Work, PIO_WORKITEM_ROUTINE Routine, WORK_QUEUE_TYPE Queue, PVOID Context)
{
    IopQueueWork(Work, (PVOID)(ULONG_PTR)Routine, Queue, Context, FALSE, VfCaptureStack());
}

VOID NTAPI IoQueueWorkItemEx(PIO_WORKITEM Work, PIO_WORKITEM_ROUTINE_EX Routine, WORK_QUEUE_TYPE Queue, PVOID Context)
{
    IopQueueWork(Work, (PVOID)(ULONG_PTR)Routine, Queue, Context, TRUE, VfCaptureStack());
}

/* docs: IoSizeofWorkItem, IoInitializeWorkItem: a work item in the driver's own memory. */
ULONG NTAPI IoSizeofWorkItem(VOID)
{
    return sizeof(struct _IO_WORKITEM);
}

VOID NTAPI IoInitializeWorkItem(PVOID IoObject, PIO_WORKITEM Work)
{
    RtlZeroMemory(Work, sizeof(*Work));
    Work->IoObject = IoObject;
}

static VOID IopCheckIdle(PIO_WORKITEM Work, PCSTR Routine)
{
    if (!Work->Queued)
        return;
    VfFinding("workitem.freed-while-queued", 0xE4 /* WORKER_INVALID */, 0, (UINT64)Work, (UINT64)&Work->Item, 0);
    VfSubject(Routine);
    VfText("%s called for a work item that is still queued", Routine);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, Work->Stack, Work, NULL, "The work item was queued at:");
    VfCommit();
}

VOID NTAPI IoUninitializeWorkItem(PIO_WORKITEM Work)
{
    IopCheckIdle(Work, "IoUninitializeWorkItem");
}

PIO_WORKITEM NTAPI IoAllocateWorkItem(PDEVICE_OBJECT Device)
{
    PIO_WORKITEM Work = IopAllocate(sizeof(*Work), 'tWoI', VfCaptureStack());
    if (Work)
        IoInitializeWorkItem(Device, Work);
    return Work;
}

VOID NTAPI IoFreeWorkItem(PIO_WORKITEM Work)
{
    IopCheckIdle(Work, "IoFreeWorkItem");
    if (!Work->Queued) /* going on after the finding: the queue still holds it */
        IopFree(Work);
}
