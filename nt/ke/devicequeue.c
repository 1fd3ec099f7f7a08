/*
 * Device queues: requests in order while a device is busy; an insertion into an idle queue makes it busy and says that the
 * caller is to begin. (docs: KeInsertDeviceQueue, KeInsertByKeyDeviceQueue, KeRemoveByKeyDeviceQueue)
 */
#include "nt.h"

#define KI_DEVICE_QUEUE 20 /* DeviceQueueObject */

VOID KeInitializeDeviceQueue(PKDEVICE_QUEUE Queue)
{
    Queue->Type = KI_DEVICE_QUEUE;
    Queue->Size = sizeof(*Queue);
    InitializeListHead(&Queue->DeviceListHead);
    Queue->Lock = 0;
    Queue->Busy = FALSE;
}

static BOOLEAN KiBecomesBusy(PKDEVICE_QUEUE Queue, PKDEVICE_QUEUE_ENTRY Entry)
{
    Entry->Inserted = Queue->Busy;
    if (Queue->Busy)
        return FALSE;
    Queue->Busy = TRUE;
    return TRUE;
}

BOOLEAN KeInsertDeviceQueue(PKDEVICE_QUEUE Queue, PKDEVICE_QUEUE_ENTRY Entry)
{
    if (KiBecomesBusy(Queue, Entry))
        return FALSE;
    InsertTailList(&Queue->DeviceListHead, &Entry->DeviceListEntry);
    return TRUE;
}

/* Behind the last entry whose key is not greater. */
BOOLEAN KeInsertByKeyDeviceQueue(PKDEVICE_QUEUE Queue, PKDEVICE_QUEUE_ENTRY Entry, ULONG SortKey)
{
    PLIST_ENTRY Place = Queue->DeviceListHead.Blink;

    Entry->SortKey = SortKey;
    if (KiBecomesBusy(Queue, Entry))
        return FALSE;
    while (Place != &Queue->DeviceListHead &&
           CONTAINING_RECORD(Place, KDEVICE_QUEUE_ENTRY, DeviceListEntry)->SortKey > SortKey)
        Place = Place->Blink;
    InsertHeadList(Place, &Entry->DeviceListEntry);
    return TRUE;
}

static PKDEVICE_QUEUE_ENTRY KiTakeDeviceEntry(PKDEVICE_QUEUE Queue, PLIST_ENTRY Entry)
{
    PKDEVICE_QUEUE_ENTRY Taken;

    if (IsListEmpty(&Queue->DeviceListHead)) {
        Queue->Busy = FALSE;
        return NULL;
    }
    if (Entry == &Queue->DeviceListHead)
        Entry = Entry->Flink;
    RemoveEntryList(Entry);
    Taken = CONTAINING_RECORD(Entry, KDEVICE_QUEUE_ENTRY, DeviceListEntry);
    Taken->Inserted = FALSE;
    return Taken;
}

PKDEVICE_QUEUE_ENTRY KeRemoveDeviceQueue(PKDEVICE_QUEUE Queue)
{
    return KiTakeDeviceEntry(Queue, Queue->DeviceListHead.Flink);
}

/* The first entry whose key is not less; the first of all when there is none. */
PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueue(PKDEVICE_QUEUE Queue, ULONG SortKey)
{
    PLIST_ENTRY Entry = Queue->DeviceListHead.Flink;

    while (Entry != &Queue->DeviceListHead &&
           CONTAINING_RECORD(Entry, KDEVICE_QUEUE_ENTRY, DeviceListEntry)->SortKey < SortKey)
        Entry = Entry->Flink;
    return KiTakeDeviceEntry(Queue, Entry);
}

PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueueIfBusy(PKDEVICE_QUEUE Queue, ULONG SortKey)
{
    return Queue->Busy ? KeRemoveByKeyDeviceQueue(Queue, SortKey) : NULL;
}

BOOLEAN KeRemoveEntryDeviceQueue(PKDEVICE_QUEUE Queue, PKDEVICE_QUEUE_ENTRY Entry)
{
    if (!Entry->Inserted)
        return FALSE;
    RemoveEntryList(&Entry->DeviceListEntry);
    Entry->Inserted = FALSE;
    return TRUE;
}
