/*
 * Have the worker's own stub sleep in the memory shared with programs by the host's clock.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    struct door *Door = FindDoor();
    UINT64 Shared = (UINT64)Door->user->data + Door->user_bytes - 4096;
    static const INT64 Time[2] = {0, 1000};

    Try("futex", HostCall(FindStub(), SYS_futex, Shared, 0 /* wait */, 0, (UINT64)Time, 0, 0));
}
