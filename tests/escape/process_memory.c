/*
 * Read the supervisor's memory.
 *
 * EXPECT: driver.system-call .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    UCHAR Byte;
    UINT64 Local[2] = {(UINT64)&Byte, 1}, Remote[2] = {0x400000, 1};

    Try("process_vm_readv", Syscall(SYS_process_vm_readv, 1, (UINT64)Local, 1, (UINT64)Remote, 1));
}
