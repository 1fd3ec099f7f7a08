/* ZwNotifyChangeKey: by event, by work item, waiting; what counts as a change; changes between two calls; the handle's
 * end. */
#include "key.h"

static HANDLE Base, Sub;
static IO_STATUS_BLOCK Iosb;

static NTSTATUS Watch(HANDLE Key, HANDLE Event, PVOID Item, ULONG Filter, BOOLEAN Tree, BOOLEAN Asynchronous)
{
    Iosb.Status = 0x55;
    return ZwNotifyChangeKey(Key, Event, (PIO_APC_ROUTINE)Item, Item ? (PVOID)DelayedWorkQueue : NULL, &Iosb, Filter,
                             Tree, NULL, 0, Asynchronous);
}

static HANDLE NewEvent(VOID)
{
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Event = NULL;
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE));
    return Event;
}

static BOOLEAN IsSet(HANDLE Event)
{
    LARGE_INTEGER Now = {0};
    return ZwWaitForSingleObject(Event, FALSE, &Now) == STATUS_SUCCESS;
}

static VOID an_event_tells_of_a_value(VOID)
{
    HANDLE Key, Event = NewEvent();
    ULONG One = 1;
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\Watched", 0, NULL, &Base));
    OK(KeyCreate(Base, L"Sub", 0, NULL, &Sub));
    OK(KeyOpen(Base, L"", 0, &Key));
    STATUS(Watch(Key, Event, NULL, REG_NOTIFY_CHANGE_LAST_SET, FALSE, TRUE), STATUS_PENDING);
    OK(KeySet(Sub, L"Elsewhere", REG_DWORD, &One, 4));
    CHECK(!IsSet(Event));
    OK(KeySet(Base, L"Here", REG_DWORD, &One, 4));
    CHECK(IsSet(Event) && Iosb.Status == STATUS_NOTIFY_ENUM_DIR && Iosb.Information == 0);
    OK(KeySet(Base, L"Here", REG_DWORD, &One, 4)); /* nobody asks, but the handle remembers */
    STATUS(Watch(Key, Event, NULL, REG_NOTIFY_CHANGE_LAST_SET, FALSE, TRUE), STATUS_PENDING);
    CHECK(IsSet(Event));
    STATUS(Watch(Key, Event, NULL, REG_NOTIFY_CHANGE_LAST_SET, FALSE, TRUE), STATUS_PENDING);
    CHECK(!IsSet(Event));
    OK(ZwClose(Key));
    CHECK(IsSet(Event) && Iosb.Status == STATUS_NOTIFY_CLEANUP);
    OK(ZwClose(Event));
}

static VOID a_tree_is_watched_as_a_whole(VOID)
{
    HANDLE Key, New, Event = NewEvent();
    OK(KeyOpen(Base, L"", 0, &Key));
    STATUS(Watch(Key, Event, NULL, REG_NOTIFY_CHANGE_NAME, TRUE, TRUE), STATUS_PENDING);
    OK(KeyDeleteValue(Sub, L"Elsewhere"));
    CHECK(!IsSet(Event));
    OK(KeyCreate(Sub, L"New", 0, NULL, &New));
    CHECK(IsSet(Event));
    STATUS(Watch(Key, Event, NULL, REG_NOTIFY_CHANGE_NAME, TRUE, TRUE), STATUS_PENDING);
    OK(ZwDeleteKey(New));
    CHECK(IsSet(Event));
    OK(ZwClose(New));
    OK(ZwClose(Key));
    OK(ZwClose(Event));
}

static VOID a_deleted_key_tells_its_watchers(VOID)
{
    HANDLE Key, Event = NewEvent();
    OK(KeyCreate(Base, L"Doomed", 0, NULL, &Key));
    STATUS(Watch(Key, Event, NULL, REG_NOTIFY_CHANGE_LAST_SET, FALSE, TRUE), STATUS_PENDING);
    OK(ZwDeleteKey(Key));
    CHECK(IsSet(Event));
    STATUS(Watch(Key, Event, NULL, REG_NOTIFY_CHANGE_LAST_SET, FALSE, TRUE), STATUS_KEY_DELETED);
    OK(ZwClose(Key));
    OK(ZwClose(Event));
}

static KEVENT Ran;
static KIRQL RanAt;

static VOID NTAPI Worker(PVOID Context)
{
    RanAt = KeGetCurrentIrql();
    KeSetEvent(&Ran, 0, FALSE);
}

static VOID a_work_item_is_queued(VOID)
{
    static WORK_QUEUE_ITEM Item;
    ULONG One = 1;
    HANDLE Key;
    KeInitializeEvent(&Ran, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Item, Worker, NULL);
    OK(KeyOpen(Base, L"", 0, &Key));
    STATUS(Watch(Key, NULL, &Item, REG_NOTIFY_CHANGE_LAST_SET, FALSE, TRUE), STATUS_PENDING);
    OK(KeySet(Base, L"Here", REG_DWORD, &One, 4));
    OK(KeWaitForSingleObject(&Ran, Executive, KernelMode, FALSE, NULL));
    CHECK(RanAt == PASSIVE_LEVEL && Iosb.Status == STATUS_NOTIFY_ENUM_DIR);
    OK(ZwClose(Key));
}

static VOID NTAPI Changer(PVOID Context)
{
    LARGE_INTEGER Second = {.QuadPart = -10000000};
    ULONG Two = 2;
    KeDelayExecutionThread(KernelMode, FALSE, &Second);
    KeySet(Base, L"Here", REG_DWORD, &Two, 4);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID a_synchronous_call_waits(VOID)
{
    HANDLE Key, Thread;
    PVOID Object;
    LARGE_INTEGER Before, After;
    OK(KeyOpen(Base, L"", 0, &Key));
    KeQuerySystemTime(&Before);
    OK(PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, Changer, NULL));
    STATUS(Watch(Key, NULL, NULL, REG_NOTIFY_CHANGE_LAST_SET, FALSE, FALSE), STATUS_NOTIFY_ENUM_DIR);
    KeQuerySystemTime(&After);
    CHECK(After.QuadPart - Before.QuadPart >= 10000000);
    OK(ObReferenceObjectByHandle(Thread, 0, *PsThreadType, KernelMode, &Object, NULL));
    OK(KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL));
    ObDereferenceObject(Object);
    OK(ZwClose(Thread));
    OK(ZwClose(Key));
}

static VOID bad_requests_are_refused(VOID)
{
    HANDLE Event = NewEvent();
    STATUS(Watch(Base, NULL, NULL, 0, FALSE, TRUE), STATUS_INVALID_PARAMETER);
    STATUS(Watch(Base, NULL, NULL, 0x100, FALSE, TRUE), STATUS_INVALID_PARAMETER);
    STATUS(Watch(Event, NULL, NULL, REG_NOTIFY_CHANGE_NAME, FALSE, TRUE), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(Watch(Base, Base, NULL, REG_NOTIFY_CHANGE_NAME, FALSE, TRUE), STATUS_OBJECT_TYPE_MISMATCH);
    OK(ZwClose(Event));
    OK(ZwDeleteKey(Sub));
    OK(ZwClose(Sub));
    OK(ZwDeleteKey(Base));
    OK(ZwClose(Base));
}

TEST_MAIN(an_event_tells_of_a_value, a_tree_is_watched_as_a_whole, a_deleted_key_tells_its_watchers,
          a_work_item_is_queued, a_synchronous_call_waits, bad_requests_are_refused)
