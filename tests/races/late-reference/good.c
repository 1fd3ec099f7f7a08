/*
 * Its twin: the reference is taken under the lock.
 */
#include "../race.h"

static struct object {
    LONG references;
} * object;
static KSPIN_LOCK lock;

static VOID release(struct object *o)
{
    if (InterlockedDecrement(&o->references) == 0)
        ExFreePoolWithTag(o, 'ecaR');
}

static VOID find(PVOID context)
{
    struct object *o;
    KIRQL irql;

    KeAcquireSpinLock(&lock, &irql);
    o = object;
    if (o)
        InterlockedIncrement(&o->references);
    KeReleaseSpinLock(&lock, irql);
    if (o)
        release(o);
}

static VOID close(PVOID context)
{
    struct object *o;
    KIRQL irql;

    KeAcquireSpinLock(&lock, &irql);
    o = object;
    object = NULL;
    KeReleaseSpinLock(&lock, irql);
    release(o);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeSpinLock(&lock);
    object = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*object), 'ecaR');
    if (!object)
        return STATUS_INSUFFICIENT_RESOURCES;
    object->references = 1;
    race(find, close);
    return STATUS_SUCCESS;
}
