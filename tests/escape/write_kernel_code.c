/*
 * Write over the executive's code.
 *
 * EXPECT: memory.invalid .*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    *(volatile UCHAR *)(KERNEL + 0x1000) = 0xc3;
    Escaped("wrote to the kernel's code");
}
