/*
 * A reader that becomes a writer lets go of the resource in between, and does not look again.
 * DEPTH: 1
 * EXPECT: pool\.leak
 */
#include "../race.h"

static ERESOURCE resource;
static PVOID volatile cache;

static VOID get(PVOID context)
{
    BOOLEAN missing;

    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(&resource, TRUE);
    missing = cache == NULL;
    ExReleaseResourceLite(&resource);
    if (missing) {
        ExAcquireResourceExclusiveLite(&resource, TRUE);
        cache = ExAllocatePoolWithTag(PagedPool, 64, 'ecaR');
        ExReleaseResourceLite(&resource);
    }
    KeLeaveCriticalRegion();
}

static VOID unload(PDRIVER_OBJECT driver)
{
    ExDeleteResourceLite(&resource);
    ExFreePoolWithTag(cache, 'ecaR');
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    ExInitializeResourceLite(&resource);
    race(get, get);
    return STATUS_SUCCESS;
}
