/*
 * Have the worker's own stub do something else in the memory shared with programs than wait and wake.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    const UINT64 Shared = DOOR_LINEAR_BASE + DOOR_SHARE_PA;

    Try("futex", HostCall(FindStub(), SYS_futex, Shared, 4 /* compare and requeue */, 0, 1, Shared + 64, 0));
}
