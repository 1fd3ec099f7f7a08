/*
 * Two items are announced by setting an event twice. If nobody took the first notice yet, the second is lost, and the
 * consumer waits for ever.
 * DEPTH: 0 (the ordinary run has it)
 * EXPECT: driver\.machine-stuck
 */
#include "../race.h"

static KEVENT ready;

static VOID produce(PVOID context)
{
    KeSetEvent(&ready, 0, FALSE);
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
    KeInitializeEvent(&ready, SynchronizationEvent, FALSE);
    PKTHREAD consumer = race_start(consume, NULL);
    race(produce, produce);
    race_join(consumer);
    return STATUS_SUCCESS;
}
