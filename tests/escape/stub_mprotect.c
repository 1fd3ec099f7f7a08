/*
 * Have the worker's own stub make the host's code writable.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UINT64 Text = (UINT64)FindDoor()->map & ~0xfffull;

    Try("mprotect", HostCall(FindStub(), SYS_mprotect, Text, 4096, 7, 0, 0, 0));
}
