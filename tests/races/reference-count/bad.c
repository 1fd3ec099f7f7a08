/*
 * The reference count is no interlocked one: two last releases, and nobody or both free the object.
 * DEPTH: 1
 * EXPECT: race\.data|pool\..*
 */
#include "../race.h"

static struct object {
    volatile LONG references;
} * object;

static VOID release(PVOID context)
{
    if (--object->references == 0)
        ExFreePoolWithTag(object, 'ecaR');
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    object = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*object), 'ecaR');
    if (!object)
        return STATUS_INSUFFICIENT_RESOURCES;
    object->references = 2;
    race(release, release);
    return STATUS_SUCCESS;
}
