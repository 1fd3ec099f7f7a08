/*
 * Talk to the network.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("socket", Syscall(SYS_socket, 2, 1, 0, 0, 0));
}
