/*
 * A ring with one producer and one consumer needs no lock, but order: here the producer announces the slot before it has
 * filled it.
 * DEPTH: 2
 * EXPECT: driver\.bugcheck
 */
#include "../race.h"

#define SLOTS 4

static struct {
    volatile ULONG head, tail;
    volatile LONG slot[SLOTS];
} ring;
static volatile LONG produced;

static VOID produce(PVOID context)
{
    for (LONG i = 1; i <= 2; i++) {
        ring.head++;
        ring.slot[(ring.head - 1) % SLOTS] = i;
    }
    produced = 1;
}

static VOID consume(PVOID context)
{
    LONG expected = 1;

    for (int looks = 0; looks < 3 && expected <= 2; looks++) {
        if (ring.tail == ring.head)
            continue;
        MUST(ring.slot[ring.tail % SLOTS] == expected);
        expected++;
        ring.tail++;
    }
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    race(produce, consume);
    return STATUS_SUCCESS;
}
