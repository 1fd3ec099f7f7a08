/*
 * Make a file in memory to run from.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("memfd_create", Syscall(SYS_memfd_create, (UINT64) "x", 0, 0, 0, 0));
}
