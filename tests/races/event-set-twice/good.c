/*
 * Its twin: a semaphore counts.
 */
#include "../race.h"

static KSEMAPHORE ready;

static VOID produce(PVOID context)
{
    KeReleaseSemaphore(&ready, 0, 1, FALSE);
}

static VOID consume(PVOID context)
{
    for (int i = 0; i < 2; i++)
        KeWaitForSingleObject(&ready, Executive, KernelMode, FALSE, NULL);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeSemaphore(&ready, 0, MAXLONG);
    PKTHREAD consumer = race_start(consume, NULL);
    race(produce, produce);
    race_join(consumer);
    return STATUS_SUCCESS;
}
