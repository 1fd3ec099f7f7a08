/*
 * Acquires a resource inside a critical region; a thread of the system does without one.
 *
 * OPTIONS: --scenario tests/rules/opened.lua
 */
#include <ntddk.h>

static ERESOURCE Resource;
#define BEGIN() Begin()
#define END() ExDeleteResourceLite(&Resource)

static void Begin(void)
{
    ExInitializeResourceLite(&Resource);
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    ExReleaseResourceLite(&Resource);
}

static void Use(void)
{
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    ExReleaseResourceLite(&Resource);
    KeLeaveCriticalRegion();
}
#define OPENED() Use()
#include "../opened.h"
