/*
 * Reach other processes by signals (number 0 does them no harm).
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("kill", Syscall(SYS_kill, (UINT64)-1, 0, 0, 0, 0));
}
