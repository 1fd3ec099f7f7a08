/*
 * Become root of a name space of our own.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("unshare", Syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */, 0, 0, 0, 0));
}
