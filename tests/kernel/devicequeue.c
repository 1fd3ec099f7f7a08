/* Device queues: idle and busy, the order of insertion and of keys, removal from the middle; all at DISPATCH_LEVEL.
 * (docs: KeInitializeDeviceQueue, KeInsertDeviceQueue, KeInsertByKeyDeviceQueue, KeRemoveEntryDeviceQueue) */
#include "check.h"

#define ENTRIES 5

static KDEVICE_QUEUE Queue;
static KDEVICE_QUEUE_ENTRY First, Entry[ENTRIES];

/* A queue at DISPATCH_LEVEL that is busy with First and empty. */
static KIRQL BusyQueue(void)
{
    KIRQL Old;

    KeInitializeDeviceQueue(&Queue);
    RtlFillMemory(Entry, sizeof(Entry), 0x55);
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    CHECK(!KeInsertDeviceQueue(&Queue, &First));
    return Old;
}

TEST(initialize_writes_the_queue_and_nothing_else)
{
    struct {
        KDEVICE_QUEUE Queue;
        UCHAR Behind[32];
    } Room;

    RtlFillMemory(&Room, sizeof(Room), 0xaa);
    KeInitializeDeviceQueue(&Room.Queue);
    CHECK_IS(Room.Queue.Type, 20); /* DeviceQueueObject */
    CHECK_IS(Room.Queue.Size, sizeof(KDEVICE_QUEUE));
    CHECK(!Room.Queue.Busy);
    CHECK(IsListEmpty(&Room.Queue.DeviceListHead));
    for (ULONG i = 0; i < sizeof(Room.Behind); i++)
        CHECK_IS(Room.Behind[i], 0xaa);
}

TEST(an_idle_queue_becomes_busy_and_takes_no_entry)
{
    KIRQL Old;

    KeInitializeDeviceQueue(&Queue);
    First.Inserted = TRUE;
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    CHECK(!KeInsertByKeyDeviceQueue(&Queue, &First, 7));
    CHECK(!First.Inserted && Queue.Busy);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK(KeRemoveDeviceQueue(&Queue) == NULL);
    CHECK(!Queue.Busy);
    CHECK(!KeInsertDeviceQueue(&Queue, &First));
    CHECK(KeRemoveByKeyDeviceQueueIfBusy(&Queue, 0) == NULL);
    CHECK(!Queue.Busy);
    CHECK(KeRemoveByKeyDeviceQueueIfBusy(&Queue, 0) == NULL);
    KeLowerIrql(Old);
}

TEST(a_busy_queue_gives_its_entries_in_order)
{
    KIRQL Old = BusyQueue();

    for (ULONG i = 0; i < ENTRIES; i++) {
        CHECK(KeInsertDeviceQueue(&Queue, &Entry[i]));
        CHECK(Entry[i].Inserted);
    }
    for (ULONG i = 0; i < ENTRIES; i++) {
        CHECK(KeRemoveDeviceQueue(&Queue) == &Entry[i]);
        CHECK(!Entry[i].Inserted && Queue.Busy);
        CHECK_IRQL(DISPATCH_LEVEL);
    }
    CHECK(KeRemoveDeviceQueue(&Queue) == NULL);
    CHECK(!Queue.Busy);
    KeLowerIrql(Old);
}

TEST(keys_order_the_entries_and_equal_ones_stay_in_line)
{
    static const ULONG Key[ENTRIES] = {30, 10, 20, 10, 0xffffffff}, Order[ENTRIES] = {1, 3, 2, 0, 4};
    KIRQL Old = BusyQueue();

    for (ULONG i = 0; i < ENTRIES; i++)
        CHECK(KeInsertByKeyDeviceQueue(&Queue, &Entry[i], Key[i]));
    for (ULONG i = 0; i < ENTRIES; i++) {
        CHECK_IS(Entry[i].SortKey, Key[i]);
        CHECK(KeRemoveDeviceQueue(&Queue) == &Entry[Order[i]]);
    }
    CHECK(KeRemoveDeviceQueue(&Queue) == NULL);
    KeLowerIrql(Old);
}

/* docs: KeRemoveByKeyDeviceQueue: the first entry whose key is not lower; if there is none, the first of all. */
TEST(removal_by_key_goes_on_from_there)
{
    KIRQL Old = BusyQueue();

    for (ULONG i = 0; i < 3; i++)
        CHECK(KeInsertByKeyDeviceQueue(&Queue, &Entry[i], 10 * i));
    CHECK(KeRemoveByKeyDeviceQueue(&Queue, 10) == &Entry[1]);
    CHECK(KeRemoveByKeyDeviceQueue(&Queue, 11) == &Entry[2]);
    CHECK(KeRemoveByKeyDeviceQueue(&Queue, 11) == &Entry[0]);
    CHECK(KeRemoveByKeyDeviceQueue(&Queue, 0) == NULL);
    CHECK(!Queue.Busy);
    KeLowerIrql(Old);
}

TEST(an_entry_is_taken_out_of_the_middle_once)
{
    KIRQL Old = BusyQueue();

    for (ULONG i = 0; i < ENTRIES; i++)
        KeInsertDeviceQueue(&Queue, &Entry[i]);
    CHECK(KeRemoveEntryDeviceQueue(&Queue, &Entry[1]));
    CHECK(KeRemoveEntryDeviceQueue(&Queue, &Entry[3]));
    CHECK(!Entry[1].Inserted && !Entry[3].Inserted);
    CHECK(!KeRemoveEntryDeviceQueue(&Queue, &Entry[1]));
    for (ULONG i = 0; i < ENTRIES; i += 2)
        CHECK(KeRemoveDeviceQueue(&Queue) == &Entry[i]);
    CHECK(KeRemoveDeviceQueue(&Queue) == NULL);
    KeLowerIrql(Old);
}

CHECK_DRIVER(T(initialize_writes_the_queue_and_nothing_else), T(an_idle_queue_becomes_busy_and_takes_no_entry),
             T(a_busy_queue_gives_its_entries_in_order), T(keys_order_the_entries_and_equal_ones_stay_in_line),
             T(removal_by_key_goes_on_from_there), T(an_entry_is_taken_out_of_the_middle_once))
