/*
 * Acquires a fast mutex by the unsafe form outside of a critical region, in a program's thread.
 *
 * EXPECT: mutex\.apcs-enabled bad\.c:@ in Use
 * OPTIONS: --scenario tests/rules/opened.lua
 */
#include <ntddk.h>

static FAST_MUTEX Mutex;
#define BEGIN() ExInitializeFastMutex(&Mutex)
#define END()

static void Use(void)
{
    ExAcquireFastMutexUnsafe(&Mutex); /* @ */
    ExReleaseFastMutexUnsafe(&Mutex);
}
#define OPENED() Use()
#include "../opened.h"
