/*
 * Read a file of the host's.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("openat", Syscall(SYS_openat, AT_FDCWD, (UINT64)SECRET, 0, 0, 0));
}
