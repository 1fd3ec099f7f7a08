/*
 * Activity ids of requests and threads; work items carry them on. (docs: IoSetActivityIdIrp, IoPropagateActivityIdToThread)
 */
#include "test.h"

static const GUID One = {1, 2, 3, {4}}, Two = {5, 6, 7, {8}};

static VOID a_request_has_the_id_it_was_given(VOID)
{
    PIRP Irp = IoAllocateIrp(1, FALSE);
    GUID Id = {0};

    STATUS(IoGetActivityIdIrp(Irp, &Id), STATUS_NOT_FOUND);
    STATUS(IoSetActivityIdIrp(Irp, NULL), STATUS_NOT_SUPPORTED);
    OK(IoSetActivityIdIrp(Irp, &One));
    OK(IoSetActivityIdIrp(Irp, &Two));
    OK(IoGetActivityIdIrp(Irp, &Id));
    CHECK(RtlEqualMemory(&Id, &Two, sizeof(Id)));
    IoReuseIrp(Irp, STATUS_SUCCESS);
    STATUS(IoGetActivityIdIrp(Irp, &Id), STATUS_NOT_FOUND);
    OK(IoSetActivityIdIrp(Irp, &One));
    IoFreeIrp(Irp);
}

static VOID a_thread_takes_on_the_id_of_a_request(VOID)
{
    PIRP Irp = IoAllocateIrp(1, FALSE);
    GUID Propagated;
    LPCGUID Original = &One;

    STATUS(IoPropagateActivityIdToThread(Irp, &Propagated, &Original), STATUS_NOT_FOUND);
    CHECK(!IoGetActivityIdThread() && Original == &One);
    OK(IoSetActivityIdIrp(Irp, &Two));
    CHECK(IoSetActivityIdThread(&One) == NULL);
    OK(IoPropagateActivityIdToThread(Irp, &Propagated, &Original));
    CHECK(Original == &One && IoGetActivityIdThread() == &Propagated);
    CHECK(RtlEqualMemory(&Propagated, &Two, sizeof(Two)));
    IoClearActivityIdThread(Original);
    CHECK(IoGetActivityIdThread() == &One);
    IoClearActivityIdThread(NULL);
    CHECK(!IoGetActivityIdThread());
    IoTransferActivityId(&One, &Two);
    IoFreeIrp(Irp);
}

static VOID a_request_takes_the_id_of_its_thread(VOID)
{
    PIRP Irp = IoAllocateIrp(1, FALSE);
    GUID Id;

    IoSetActivityIdThread(&One);
    STATUS(IoSetActivityIdIrp(Irp, NULL), STATUS_NOT_SUPPORTED); /* nobody's request */
    Irp->Tail.Overlay.Thread = PsGetCurrentThread();
    OK(IoSetActivityIdIrp(Irp, NULL));
    OK(IoGetActivityIdIrp(Irp, &Id));
    CHECK(RtlEqualMemory(&Id, &One, sizeof(Id)));
    IoClearActivityIdThread(NULL);
    IoFreeIrp(Irp);
}

static KEVENT Ran;
static BOOLEAN Same;

static VOID NTAPI Look(PVOID IoObject, PVOID Context, PIO_WORKITEM Work)
{
    LPGUID Id = IoGetActivityIdThread();

    Same = Context ? Id && RtlEqualMemory(Id, Context, sizeof(GUID)) : !Id;
    KeSetEvent(&Ran, 0, FALSE);
}

static BOOLEAN RunsWith(PIO_WORKITEM Work, LPCGUID Id)
{
    Same = FALSE;
    IoSetActivityIdThread(Id);
    IoQueueWorkItemEx(Work, Look, DelayedWorkQueue, (PVOID)Id);
    IoClearActivityIdThread(NULL);
    KeWaitForSingleObject(&Ran, Executive, KernelMode, FALSE, NULL);
    return Same;
}

static VOID a_work_item_carries_the_id_on(VOID)
{
    PIO_WORKITEM Work = ExAllocatePoolWithTag(NonPagedPoolNx, IoSizeofWorkItem(), 'tseT');

    KeInitializeEvent(&Ran, SynchronizationEvent, FALSE);
    IoInitializeWorkItem(Driver, Work);
    CHECK(RunsWith(Work, &Two));
    CHECK(RunsWith(Work, NULL));
    IoUninitializeWorkItem(Work);
    ExFreePoolWithTag(Work, 'tseT');
}

TEST_MAIN(a_request_has_the_id_it_was_given, a_thread_takes_on_the_id_of_a_request,
          a_request_takes_the_id_of_its_thread, a_work_item_carries_the_id_on)
