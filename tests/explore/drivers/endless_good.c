/* A correct driver that a run of ten thousand hours takes too long for: a timer every millisecond. */
#include <ntddk.h>

static KTIMER timer;
static KDPC dpc;

static VOID beat(PKDPC self, PVOID context, PVOID one, PVOID two)
{
}

static VOID unload(PDRIVER_OBJECT driver)
{
    KeCancelTimer(&timer);
    KeFlushQueuedDpcs();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    LARGE_INTEGER due = {.QuadPart = -10};

    driver->DriverUnload = unload;
    KeInitializeTimer(&timer);
    KeInitializeDpc(&dpc, beat, NULL);
    KeSetTimerEx(&timer, due, 1, &dpc);
    return STATUS_SUCCESS;
}
