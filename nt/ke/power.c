/*
 * POWER_LEVEL: the mains fail, or come back. On x64 the level has the value of IPI_LEVEL, and no routine of a driver runs
 * there: the interrupt is the kernel's own. It notes the state and hands over, by a DPC and an event, to the operator's
 * thread, which tells drivers at PASSIVE_LEVEL through \Callback\PowerState (nt/io/operator.c).
 * (docs: Using a System-Defined Callback Object)
 */
#include "nt.h"

static VOID KiPowerDpcRoutine(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeSetEvent(&KiPowerEvent, 0, FALSE);
}

static KDPC KiPowerDpc = {.Type = DpcObject, .Importance = HighImportance, .DeferredRoutine = KiPowerDpcRoutine};
KEVENT KiPowerEvent = {
    .Header = {.Type = EventSynchronizationObject,
               .Size = sizeof(KEVENT) / sizeof(ULONG),
               .WaitListHead = {&KiPowerEvent.Header.WaitListHead, &KiPowerEvent.Header.WaitListHead}}};

BOOLEAN KiMains = TRUE; /* set by the operator before the interrupt */

VOID KiPowerInterrupt(VOID)
{
    VfRemark("power interrupt on processor %u at IRQL %u: the mains %s", KiProcessor()->Number, (ULONG)KiReadCr8(),
             KiMains ? "are back" : "fail");
    KiQueueDpc(&KiPowerDpc, KI_DPC_QUEUED, 0, NULL, NULL);
}
