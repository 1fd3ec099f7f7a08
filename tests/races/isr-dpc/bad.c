/*
 * The interrupt service routine counts what has come, the DPC takes the count and clears it, without
 * KeSynchronizeExecution: an interrupt between the two is never served. A spin lock would not help: the ISR runs
 * above DISPATCH_LEVEL.
 * DEPTH: 1 (the device interrupts in the middle of the DPC)
 * EXPECT: driver\.bugcheck|race\.data
 */
#include "isr.h"

static VOID in_dpc(PKDPC self, PVOID context, PVOID one, PVOID two)
{
    LONG come = arrived;

    KeQueryPerformanceCounter(NULL);
    arrived = 0;
    served += come;
}
