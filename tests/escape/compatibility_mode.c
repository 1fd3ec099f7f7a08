/*
 * Change to 32-bit mode by a far return, where system calls look different.
 *
 * EXPECT: (driver|memory|machine)\..*
 */
#include "escape.h"

static VOID Attempt(VOID)
{
    __asm__ volatile("pushq $0x23\n\tpushq $0x10000\n\tlretq" ::: "memory");
    Escaped("32-bit mode");
}
