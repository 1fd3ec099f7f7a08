/*
 * Have the worker's own stub wake who sleeps in the host's memory.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    struct door *Door = FindDoor();
    UINT64 Shared = (UINT64)Door->user->data + Door->user_bytes - 4096;

    Try("futex", HostCall(FindStub(), SYS_futex, (Shared & ~0xffffffffull) + 0x100000000, 1 /* wake */, 1, 0, 0, 0));
}
