/*
 * NtNotifyChangeKey (docs: ZwNotifyChangeKey): a key object's watch.
 *
 * The first call on a handle decides what is watched; from then on changes are remembered, so that one between two
 * calls is not lost. Asynchronous requests are completed by an event, and, for kernel callers, by queuing the work item
 * that stands in the place of the APC routine. A program's request is completed in its own thread, where its status block
 * is, and its APC routine is called in user mode. A synchronous one waits.
 */
#include "nt.h"
#include "cm/cmp.h"

typedef struct _CM_WATCH {
    LIST_ENTRY Entry; /* of the key */
    PCM_KEY Key;
    ULONG Filter;
    BOOLEAN WholeTree, Changed;
    LIST_ENTRY Requests;
} CM_WATCH, *PCM_WATCH;

typedef struct _CM_REQUEST {
    LIST_ENTRY Entry; /* itself once it is completed */
    PKEVENT Event;    /* referenced, or the waiting thread's own */
    PIO_STATUS_BLOCK Iosb;
    PWORK_QUEUE_ITEM Item;
    WORK_QUEUE_TYPE Queue;
    BOOLEAN Synchronous;
    PETHREAD Thread; /* a program's, referenced: Iosb and what follows are in user mode; */
    PKNORMAL_ROUTINE Routine;
    PVOID Context;
    NTSTATUS Result;
    KAPC Apc;
} CM_REQUEST, *PCM_REQUEST;

static ULONG CmpWatches; /* how many there are: mostly none */

/* ---- A program's request ------------------------------------------------------------------------------------------ */

static VOID NTAPI CmpFreeByRundown(PKAPC Apc)
{
    ExpFree(CONTAINING_RECORD(Apc, CM_REQUEST, Apc));
}

static VOID NTAPI CmpFreeByApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *First, PVOID *Second)
{
    CmpFreeByRundown(Apc);
}

static VOID CmpSignalRequest(PCM_REQUEST Request)
{
    if (!Request->Event)
        return;
    KeSetEvent(Request->Event, 0, FALSE);
    ObfDereferenceObject(Request->Event);
}

/* In its thread. The status block may have vanished: that is the program's affair. */
static VOID NTAPI CmpTellProgram(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *First, PVOID *Second)
{
    PCM_REQUEST Request = CONTAINING_RECORD(Apc, CM_REQUEST, Apc);
    IO_STATUS_BLOCK Result = {.Status = Request->Result};
    PETHREAD Thread = Request->Thread;
    MmWriteUser(Request->Iosb, &Result, sizeof(Result));
    CmpSignalRequest(Request);
    KeInitializeApc(&Request->Apc, &Thread->Tcb, CurrentApcEnvironment, CmpFreeByApc, CmpFreeByRundown,
                    Request->Routine, UserMode, Request->Context);
    if (!Request->Routine || !KeInsertQueueApc(&Request->Apc, Request->Iosb, NULL, 0))
        ExpFree(Request);
    ObfDereferenceObject(Thread);
}

/* The thread has ended: only the event is of use to anybody. */
static VOID NTAPI CmpTellNobody(PKAPC Apc)
{
    PCM_REQUEST Request = CONTAINING_RECORD(Apc, CM_REQUEST, Apc);
    CmpSignalRequest(Request);
    ObfDereferenceObject(Request->Thread);
    ExpFree(Request);
}

static VOID CmpCompleteInThread(PCM_REQUEST Request, NTSTATUS Status)
{
    Request->Result = Status;
    KeInitializeApc(&Request->Apc, &Request->Thread->Tcb, OriginalApcEnvironment, CmpTellProgram, CmpTellNobody, NULL,
                    KernelMode, NULL);
    if (!KeInsertQueueApc(&Request->Apc, NULL, NULL, 0))
        CmpTellNobody(&Request->Apc);
}

/* ---- Watches ------------------------------------------------------------------------------------------------------ */

static VOID CmpCompleteRequest(PCM_REQUEST Request, NTSTATUS Status)
{
    RemoveEntryList(&Request->Entry);
    InitializeListHead(&Request->Entry);
    if (Request->Thread) {
        CmpCompleteInThread(Request, Status);
        return;
    }
    Request->Iosb->Status = Status;
    Request->Iosb->Information = 0;
    if (Request->Event)
        KeSetEvent(Request->Event, 0, FALSE);
    if (Request->Synchronous)
        return; /* lies on the stack of who waits */
    if (Request->Event)
        ObfDereferenceObject(Request->Event);
    if (Request->Item)
        ExQueueWorkItem(Request->Item, Request->Queue);
    ExpFree(Request);
}

static VOID CmpCompleteWatch(PCM_WATCH Watch, NTSTATUS Status)
{
    LIST_ENTRY Requests;
    if (IsListEmpty(&Watch->Requests))
        return;
    Requests = Watch->Requests;
    Requests.Flink->Blink = Requests.Blink->Flink = &Requests;
    InitializeListHead(&Watch->Requests);
    Watch->Changed = FALSE;
    while (!IsListEmpty(&Requests)) /* an event may let the one run that closes the handle */
        CmpCompleteRequest(CONTAINING_RECORD(Requests.Flink, CM_REQUEST, Entry), Status);
}

/* Completing is a delivery point (an event is set): the key is held, and its watches are looked for anew each time. */
VOID CmpNotify(PCM_KEY Key, ULONG Filter)
{
    BOOLEAN Below = FALSE;
    if (!CmpWatches)
        return;
    CmpReferenceKey(Key);
    for (PCM_KEY On = Key; On; On = On->Parent, Below = TRUE) {
        for (PLIST_ENTRY Entry = On->Watches.Flink; Entry != &On->Watches; Entry = Entry->Flink) {
            PCM_WATCH Watch = CONTAINING_RECORD(Entry, CM_WATCH, Entry);
            if ((Watch->Filter & Filter) && (Watch->WholeTree || !Below))
                Watch->Changed = TRUE;
        }
    }
    for (PCM_KEY On = Key; On;) {
        PCM_WATCH Told = NULL;
        for (PLIST_ENTRY Entry = On->Watches.Flink; Entry != &On->Watches && !Told; Entry = Entry->Flink) {
            PCM_WATCH Watch = CONTAINING_RECORD(Entry, CM_WATCH, Entry);
            if (Watch->Changed && !IsListEmpty(&Watch->Requests))
                Told = Watch;
        }
        if (Told)
            CmpCompleteWatch(Told, STATUS_NOTIFY_ENUM_DIR);
        else
            On = On->Parent;
    }
    CmpDereferenceKey(Key);
}

static VOID CmpEndWatch(PCM_WATCH Watch, NTSTATUS Status)
{
    RemoveEntryList(&Watch->Entry);
    InitializeListHead(&Watch->Entry);
    CmpWatches--;
    CmpCompleteWatch(Watch, Status);
}

/* The key is deleted: whoever watched it is told once, and nobody can any more. */
VOID CmpWatchedKeyGoes(PCM_KEY Key)
{
    while (!IsListEmpty(&Key->Watches))
        CmpEndWatch(CONTAINING_RECORD(Key->Watches.Flink, CM_WATCH, Entry), STATUS_NOTIFY_ENUM_DIR);
}

VOID CmpCloseWatch(PCM_KEY_BODY Body)
{
    PCM_WATCH Watch = Body->Watch;
    if (!Watch)
        return;
    Body->Watch = NULL;
    if (!IsListEmpty(&Watch->Entry))
        CmpEndWatch(Watch, STATUS_NOTIFY_CLEANUP);
    ExpFree(Watch);
}

static PCM_WATCH CmpWatchOf(PCM_KEY_BODY Body, ULONG Filter, BOOLEAN WholeTree)
{
    if (!Body->Watch) {
        PCM_WATCH Watch = ExpAllocate(sizeof(*Watch), CM_TAG);
        Watch->Key = Body->Key;
        Watch->Filter = Filter;
        Watch->WholeTree = WholeTree;
        Watch->Changed = FALSE;
        InitializeListHead(&Watch->Requests);
        InsertTailList(&Body->Key->Watches, &Watch->Entry);
        CmpWatches++;
        Body->Watch = Watch;
    }
    return Body->Watch;
}

/* A status block where the caller has it. */
static NTSTATUS CmpGiveResult(PIO_STATUS_BLOCK Iosb, const IO_STATUS_BLOCK *Result)
{
    if (ExGetPreviousMode() != KernelMode)
        return MmWriteUser(Iosb, Result, sizeof(*Result));
    *Iosb = *Result;
    return STATUS_SUCCESS;
}

/* A program that ends while it waits takes its request back. */
static NTSTATUS CmpWaitForChange(PCM_WATCH Watch, PIO_STATUS_BLOCK Iosb)
{
    IO_STATUS_BLOCK Result = {0};
    KEVENT Event;
    CM_REQUEST Request = {.Event = &Event, .Iosb = &Result, .Synchronous = TRUE};
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    InsertTailList(&Watch->Requests, &Request.Entry);
    NTSTATUS Status = KeWaitForSingleObject(&Event, Executive, ExGetPreviousMode(), FALSE, NULL);
    if (Status != STATUS_SUCCESS && !IsListEmpty(&Request.Entry)) {
        RemoveEntryList(&Request.Entry);
        return Status;
    }
    Status = CmpGiveResult(Iosb, &Result);
    return NT_SUCCESS(Status) ? Result.Status : Status;
}

static NTSTATUS CmpWatchKey(PCM_KEY_BODY Body, HANDLE EventHandle, PVOID Routine, PVOID Context, PIO_STATUS_BLOCK Iosb,
                            ULONG Filter, BOOLEAN WholeTree, BOOLEAN Asynchronous)
{
    PKEVENT Event = NULL;
    NTSTATUS Status = CmpMayRead(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (EventHandle) {
        Status = ObReferenceObjectByHandle(EventHandle, EVENT_MODIFY_STATE, ObpEventType, ExGetPreviousMode(),
                                           (PVOID *)&Event, NULL);
        if (!NT_SUCCESS(Status))
            return Status;
        KeClearEvent(Event);
    }
    PCM_WATCH Watch = CmpWatchOf(Body, Filter, WholeTree);
    if (!Asynchronous && !Watch->Changed) {
        if (Event)
            ObfDereferenceObject(Event);
        return CmpWaitForChange(Watch, Iosb);
    }
    PCM_REQUEST Request = ExpAllocate(sizeof(*Request), CM_TAG);
    *Request = (CM_REQUEST){.Event = Event, .Iosb = Iosb};
    if (ExGetPreviousMode() != KernelMode) {
        Request->Thread = PsGetCurrentThread();
        ObfReferenceObject(Request->Thread);
        Request->Routine = (PKNORMAL_ROUTINE)(ULONG_PTR)Routine;
        Request->Context = Context;
    } else {
        Request->Item = Routine;
        Request->Queue = (ULONG)(ULONG_PTR)Context;
    }
    InsertTailList(&Watch->Requests, &Request->Entry);
    if (!Watch->Changed)
        return STATUS_PENDING;
    CmpCompleteWatch(Watch, STATUS_NOTIFY_ENUM_DIR);
    return Asynchronous ? STATUS_PENDING : STATUS_NOTIFY_ENUM_DIR;
}

/* docs: ZwNotifyChangeKey: Buffer and its length are reserved. */
NTSTATUS NTAPI NtNotifyChangeKey(HANDLE Handle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                 PIO_STATUS_BLOCK Iosb, ULONG Filter, BOOLEAN WatchTree, PVOID Buffer, ULONG Length,
                                 BOOLEAN Asynchronous)
{
    PCM_KEY_BODY Body;
    if (!Filter || (Filter & ~REG_LEGAL_CHANGE_FILTER) || Length)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status =
        ExGetPreviousMode() != KernelMode ? MmProbeUser(Iosb, sizeof(*Iosb), sizeof(PVOID), TRUE) : STATUS_SUCCESS;
    if (NT_SUCCESS(Status))
        Status = CmpReferenceBody(Handle, KEY_NOTIFY, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = CmpWatchKey(Body, Event, (PVOID)(ULONG_PTR)ApcRoutine, ApcContext, Iosb, Filter, WatchTree, Asynchronous);
    ObfDereferenceObject(Body);
    return Status;
}
