/*
 * End the worker as if the machine had ended well.
 *
 * EXPECT: machine.destroyed.*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    HostCall(FindStub(), SYS_exit_group, 0, 0, 0, 0, 0, 0);
    Escaped("exit_group returned");
}
