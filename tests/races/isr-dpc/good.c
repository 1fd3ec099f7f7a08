/* The count is taken and cleared under the interrupt's lock, at its level. */
#include "isr.h"

static BOOLEAN take(PVOID context)
{
    *(LONG *)context = arrived;
    arrived = 0;
    return TRUE;
}

static VOID in_dpc(PKDPC self, PVOID context, PVOID one, PVOID two)
{
    LONG come = 0;

    KeSynchronizeExecution(interrupt, take, &come);
    KeQueryPerformanceCounter(NULL);
    served += come;
}
