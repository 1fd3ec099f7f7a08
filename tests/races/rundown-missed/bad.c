/*
 * Run-down protection is let go before the last use of what it protects.
 * DEPTH: 2
 * EXPECT: pool\.use-after-free
 */
#include "../race.h"

static struct object {
    LONG value;
} * object;
static EX_RUNDOWN_REF rundown;

static VOID use(PVOID context)
{
    if (!ExAcquireRundownProtection(&rundown))
        return;
    ExReleaseRundownProtection(&rundown);
    object->value++;
}

static VOID stop(PVOID context)
{
    ExWaitForRundownProtectionRelease(&rundown);
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
    object->value = 0;
    ExInitializeRundownProtection(&rundown);
    race(use, stop);
    return STATUS_SUCCESS;
}
