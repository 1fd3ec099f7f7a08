/*
 * Write to our own text by way of /proc.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("openat", Syscall(SYS_openat, AT_FDCWD, (UINT64) "/proc/self/mem", 2, 0, 0));
}
