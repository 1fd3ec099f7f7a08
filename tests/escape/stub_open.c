/*
 * Have the worker's own system call stub open a file.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("openat", HostCall(FindStub(), SYS_openat, AT_FDCWD, (UINT64)VICTIM "/stub", O_WRONLY | O_CREAT, 0666, 0, 0));
}
