/*
 * Have the worker's own stub map memory over the host's code.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UINT64 Text = (UINT64)FindDoor()->map & ~0xfffull;

    Try("mmap", HostCall(FindStub(), SYS_mmap, Text, 4096, 7, 0x32 /* private, fixed, anonymous */, (UINT64)-1, 0));
}
