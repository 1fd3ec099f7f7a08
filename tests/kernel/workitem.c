/* Work items of both kinds, on every queue. */
#include "check.h"

static KEVENT Done;
static LONG Ran;
static PVOID SeenContext, SeenObject, SeenItem, SeenThread;
static KIRQL SeenIrql;
static KPRIORITY SeenPriority;

static VOID NTAPI Work(PVOID Context)
{
    SeenIrql = KeGetCurrentIrql();
    SeenContext = Context;
    SeenThread = KeGetCurrentThread();
    SeenPriority = KeQueryPriorityThread(KeGetCurrentThread());
    InterlockedIncrement(&Ran);
    KeSetEvent(&Done, 0, FALSE);
}

static const WORK_QUEUE_TYPE Queues[] = {DelayedWorkQueue, CriticalWorkQueue, HyperCriticalWorkQueue};

TEST(a_work_item_runs_at_passive_level_in_another_thread)
{
    for (ULONG i = 0; i < ARRAYSIZE(Queues); i++) {
        static WORK_QUEUE_ITEM Item;

        KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
        Ran = 0;
        ExInitializeWorkItem(&Item, Work, (PVOID)(ULONG_PTR)(i + 1));
        CHECK(Item.WorkerRoutine == Work);
        CHECK(Item.List.Flink == NULL);
        ExQueueWorkItem(&Item, Queues[i]);
        CHECK_IS(WaitUpTo(&Done, 1 * SEC), STATUS_SUCCESS);
        CHECK_IS(Ran, 1);
        CHECK_IS(SeenIrql, PASSIVE_LEVEL);
        CHECK(SeenContext == (PVOID)(ULONG_PTR)(i + 1));
        CHECK(SeenThread != KeGetCurrentThread());
    }
}

TEST(critical_workers_have_more_priority_than_delayed_ones)
{
    static WORK_QUEUE_ITEM Item;
    KPRIORITY Priority[3];

    for (ULONG i = 0; i < ARRAYSIZE(Queues); i++) {
        KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
        ExInitializeWorkItem(&Item, Work, NULL);
        ExQueueWorkItem(&Item, Queues[i]);
        WaitFor(&Done);
        Priority[i] = SeenPriority;
    }
    CHECK(Priority[0] < Priority[1]);
    CHECK(Priority[1] < Priority[2]);
}

TEST(a_work_item_can_be_queued_at_dispatch_level_and_runs_later)
{
    static WORK_QUEUE_ITEM Item;
    KIRQL Old;

    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    Ran = 0;
    ExInitializeWorkItem(&Item, Work, NULL);
    Old = KfRaiseIrql(DISPATCH_LEVEL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    CHECK_IS(Ran, 0);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeLowerIrql(Old);
    WaitFor(&Done);
    CHECK_IS(Ran, 1);
}

/* The talk's way out: a DPC queues it. */
static WORK_QUEUE_ITEM FromDpc;

static VOID QueueingDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHECK_IRQL(DISPATCH_LEVEL);
    ExQueueWorkItem(&FromDpc, DelayedWorkQueue);
}

TEST(a_timer_dpc_queues_a_work_item)
{
    KTIMER Timer;
    KDPC Dpc;
    LONGLONG Start = Now();

    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    ExInitializeWorkItem(&FromDpc, Work, (PVOID)9);
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, QueueingDpc, NULL);
    KeSetTimer(&Timer, In(1 * SEC), &Dpc);
    WaitFor(&Done);
    CHECK_IS(SeenIrql, PASSIVE_LEVEL);
    CHECK_IS(Now() - Start, 1 * SEC);
}

/* A routine may free its item, and queue another. */
static VOID NTAPI FreeingWork(PVOID Item)
{
    ExFreePoolWithTag(Item, 'kroW');
    KeSetEvent(&Done, 0, FALSE);
}

TEST(a_routine_may_free_its_item)
{
    PWORK_QUEUE_ITEM Item = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Item), 'kroW');

    if (!CHECK(Item != NULL))
        return;
    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    ExInitializeWorkItem(Item, FreeingWork, Item);
    ExQueueWorkItem(Item, CriticalWorkQueue);
    CHECK_IS(WaitUpTo(&Done, 1 * SEC), STATUS_SUCCESS);
}

static WORK_QUEUE_ITEM Repeated;

static VOID NTAPI RepeatingWork(PVOID Context)
{
    if (++Ran < 5) {
        ExInitializeWorkItem(&Repeated, RepeatingWork, NULL);
        ExQueueWorkItem(&Repeated, DelayedWorkQueue);
    } else {
        KeSetEvent(&Done, 0, FALSE);
    }
}

TEST(a_routine_may_queue_its_item_again)
{
    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    Ran = 0;
    ExInitializeWorkItem(&Repeated, RepeatingWork, NULL);
    ExQueueWorkItem(&Repeated, DelayedWorkQueue);
    CHECK_IS(WaitUpTo(&Done, 1 * SEC), STATUS_SUCCESS);
    CHECK_IS(Ran, 5);
}

static ULONG Order[20], Steps;

static VOID NTAPI OrderedWork(PVOID Number)
{
    Order[Steps++] = (ULONG)(ULONG_PTR)Number;
    if (Steps == 20)
        KeSetEvent(&Done, 0, FALSE);
}

TEST(items_of_one_queue_start_in_order)
{
    static WORK_QUEUE_ITEM Item[20];

    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    Steps = 0;
    for (ULONG_PTR i = 0; i < 20; i++) {
        ExInitializeWorkItem(&Item[i], OrderedWork, (PVOID)i);
        ExQueueWorkItem(&Item[i], DelayedWorkQueue);
    }
    CHECK_IS(WaitUpTo(&Done, 1 * SEC), STATUS_SUCCESS);
    CHECK_IS(Steps, 20);
    if (KeQueryActiveProcessorCount(NULL) == 1)
        for (ULONG i = 0; i < 20; i++)
            CHECK_IS(Order[i], i);
}

/* A routine that waits does not stop the items behind it. */
static KEVENT Gate;

static VOID NTAPI BlockingWork(PVOID Context)
{
    WaitFor(&Gate);
    KeSetEvent(&Done, 0, FALSE);
}

static VOID NTAPI OpeningWork(PVOID Context)
{
    KeSetEvent(&Gate, 0, FALSE);
}

TEST(a_routine_that_waits_does_not_stop_the_queue)
{
    static WORK_QUEUE_ITEM Blocking, Opening;

    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Gate, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Blocking, BlockingWork, NULL);
    ExInitializeWorkItem(&Opening, OpeningWork, NULL);
    ExQueueWorkItem(&Blocking, DelayedWorkQueue);
    ExQueueWorkItem(&Opening, DelayedWorkQueue);
    CHECK_IS(WaitUpTo(&Done, 1 * SEC), STATUS_SUCCESS);
}

/* ---- IoAllocateWorkItem --------------------------------------------------------------------------------------------
 */

static VOID NTAPI IoWork(PDEVICE_OBJECT Device, PVOID Context)
{
    SeenIrql = KeGetCurrentIrql();
    SeenObject = Device;
    SeenContext = Context;
    KeSetEvent(&Done, 0, FALSE);
}

static VOID NTAPI IoWorkEx(PVOID Object, PVOID Context, PIO_WORKITEM Item)
{
    SeenIrql = KeGetCurrentIrql();
    SeenObject = Object;
    SeenContext = Context;
    SeenItem = Item;
    KeSetEvent(&Done, 0, FALSE);
}

TEST(an_io_work_item_gets_its_device_and_context)
{
    PDEVICE_OBJECT Device;
    PIO_WORKITEM Item;

    if (!CHECK(NT_SUCCESS(IoCreateDevice(CheckDriver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device))))
        return;
    Item = IoAllocateWorkItem(Device);
    CHECK(Item != NULL);
    for (ULONG i = 0; Item && i < ARRAYSIZE(Queues); i++) {
        KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
        IoQueueWorkItem(Item, IoWork, Queues[i], (PVOID)(ULONG_PTR)(i + 1));
        CHECK_IS(WaitUpTo(&Done, 1 * SEC), STATUS_SUCCESS);
        CHECK_IS(SeenIrql, PASSIVE_LEVEL);
        CHECK(SeenObject == Device);
        CHECK(SeenContext == (PVOID)(ULONG_PTR)(i + 1));
        KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
        IoQueueWorkItemEx(Item, IoWorkEx, Queues[i], (PVOID)7);
        CHECK_IS(WaitUpTo(&Done, 1 * SEC), STATUS_SUCCESS);
        CHECK(SeenObject == Device);
        CHECK(SeenItem == Item);
    }
    if (Item)
        IoFreeWorkItem(Item);
    IoDeleteDevice(Device);
}

CHECK_DRIVER(T(a_work_item_runs_at_passive_level_in_another_thread),
             T(critical_workers_have_more_priority_than_delayed_ones),
             T(a_work_item_can_be_queued_at_dispatch_level_and_runs_later), T(a_timer_dpc_queues_a_work_item),
             T(a_routine_may_free_its_item), T(a_routine_may_queue_its_item_again),
             T(items_of_one_queue_start_in_order), T(a_routine_that_waits_does_not_stop_the_queue),
             T(an_io_work_item_gets_its_device_and_context))
