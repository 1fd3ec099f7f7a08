/*
 * Have the worker's own stub wake who sleeps in the host's memory.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("futex", HostCall(FindStub(), SYS_futex, (UINT64)FindDoor(), 1 /* wake */, 1, 0, 0, 0));
}
