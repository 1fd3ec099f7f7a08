/*
 * Have the worker's own stub sleep in the memory shared with programs by the host's clock.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    const UINT64 Shared = DOOR_LINEAR_BASE + DOOR_SHARE_PA;
    static const INT64 Time[2] = {0, 1000};

    Try("futex", HostCall(FindStub(), SYS_futex, Shared, 0 /* wait */, 0, (UINT64)Time, 0, 0));
}
