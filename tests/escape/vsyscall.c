/*
 * Ask the page that every Linux process has for the host's time.
 *
 * EXPECT: (driver|memory|machine)\..*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UINT64 Time[2] = {0};

    HostCall(0xffffffffff600000, (UINT64)Time, 0, 0, 0, 0, 0, 0);
    Try("vsyscall", Time[0] ? 0 : -1);
}
