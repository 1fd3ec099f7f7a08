/*
 * Write over the worker's own data, as far as it goes.
 *
 * EXPECT: (machine.destroyed|memory\..*|driver\..*).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    volatile UINT64 *At = (volatile UINT64 *)FindDoor();

    for (;;)
        *At++ = 0x4141414141414141;
}
