/*
 * Timers are cancelled at unload, their DPCs not waited for: on the other processor one may be queued or running when its
 * memory is freed.
 * BOUND: 1
 * EXPECT: object.freed-in-use
 */
#include <ntddk.h>

struct work {
    KTIMER timer;
    KDPC dpc;
    LONG ticks;
};

static struct work *work[2];

static VOID on_timer(PKDPC dpc, PVOID context, PVOID a, PVOID b)
{
    struct work *w = context;

    DbgPrint("tick\n");
    w->ticks++;
}

static VOID unload(PDRIVER_OBJECT driver)
{
    for (int i = 0; i < 2; i++)
        KeCancelTimer(&work[i]->timer);
    for (int i = 0; i < 2; i++)
        ExFreePoolWithTag(work[i], 'kroW');
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    LARGE_INTEGER due = {.QuadPart = -10000000};

    driver->DriverUnload = unload;
    for (int i = 0; i < 2; i++) {
        work[i] = ExAllocatePoolWithTag(NonPagedPool, sizeof(*work[i]), 'kroW');
        if (!work[i])
            return STATUS_INSUFFICIENT_RESOURCES;
        work[i]->ticks = 0;
        KeInitializeTimer(&work[i]->timer);
        KeInitializeDpc(&work[i]->dpc, on_timer, work[i]);
        KeSetTargetProcessorDpc(&work[i]->dpc, (CCHAR)i);
        KeSetTimerEx(&work[i]->timer, due, 4000, &work[i]->dpc);
    }
    return STATUS_SUCCESS;
}
