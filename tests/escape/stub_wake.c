/*
 * Wake the supervisor without a request, again and again.
 *
 * EXPECT: (machine.destroyed|driver\.).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UINT64 Stub = FindStub();

    for (int i = 0; i < 100000; i++)
        HostCall(Stub, SYS_write, 3, KERNEL, 1, 0, 0, 0);
}
