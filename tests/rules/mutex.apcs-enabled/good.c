/*
 * Acquires a fast mutex by the unsafe form inside a critical region.
 *
 * OPTIONS: --scenario tests/rules/opened.lua
 */
#include <ntddk.h>

static FAST_MUTEX Mutex;
#define BEGIN() ExInitializeFastMutex(&Mutex)
#define END()

static void Use(void)
{
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&Mutex);
    ExReleaseFastMutexUnsafe(&Mutex);
    KeLeaveCriticalRegion();
}
#define OPENED() Use()
#include "../opened.h"
