/*
 * Map another of the worker's files than RAM.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("mmap", HostCall(FindStub(), SYS_mmap, DOOR_MAPPING_BASE, 4096, 3, 0x11 /* shared, fixed */, 5, 0));
}
