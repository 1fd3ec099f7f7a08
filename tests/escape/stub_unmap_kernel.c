/*
 * Unmap the kernel: its ranges are ours to change, and it is gone.
 *
 * EXPECT: (machine.destroyed|memory\..*|driver\..*).*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    Try("munmap", HostCall(FindStub(), SYS_munmap, KERNEL, 0x100000, 0, 0, 0, 0) == 0 ? -1 : 0);
    DbgPrint("still here\n");
}
