/*
 * Timers that have handles and names.
 *
 * With a routine (docs: ZwSetTimer) the expiry is told to the thread that has set the timer: a DPC queues an APC to it,
 * of the mode it was set from, once or in each period. The timer is in its thread's list as long as that may happen: a
 * timer that is set anew, cancelled or gone, and a thread that ends, undo it. The list keeps a reference.
 */
#include "nt.h"

typedef struct _OBP_TIMER {
    KTIMER Timer;
    BOOLEAN HasRoutine; /* Entry is in the list of Apc's thread: */
    BOOLEAN Periodic;
    LIST_ENTRY Entry;
    KDPC Dpc;
    KAPC Apc;
} OBP_TIMER, *POBP_TIMER;

POBJECT_TYPE *ExTimerObjectType;

static VOID ObpForgetRoutine(POBP_TIMER Timer)
{
    Timer->HasRoutine = FALSE;
    RemoveEntryList(&Timer->Entry);
    ObfDereferenceObject(Timer);
}

static VOID ObpStopTimer(POBP_TIMER Timer)
{
    KeCancelTimer(&Timer->Timer);
    if (!Timer->HasRoutine)
        return;
    KeRemoveQueueDpc(&Timer->Dpc);
    KeRemoveQueueApc(&Timer->Apc);
    ObpForgetRoutine(Timer);
}

VOID ObpThreadEnds(PETHREAD Thread)
{
    while (!IsListEmpty(&Thread->TimerList))
        ObpStopTimer(CONTAINING_RECORD(Thread->TimerList.Flink, OBP_TIMER, Entry));
}

static VOID ObpTimerDue(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    POBP_TIMER Timer = Context;
    UINT64 Time = (UINT64)KiSystemTime();
    if (Timer->HasRoutine)
        KeInsertQueueApc(&Timer->Apc, (PVOID)(ULONG_PTR)(ULONG)Time, (PVOID)(ULONG_PTR)(Time >> 32), 0);
}

/* In the thread, before its routine. */
static VOID NTAPI ObpTimerApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *Low, PVOID *High)
{
    POBP_TIMER Timer = CONTAINING_RECORD(Apc, OBP_TIMER, Apc);
    if (Timer->HasRoutine && !Timer->Periodic)
        ObpForgetRoutine(Timer);
}

NTSTATUS NTAPI NtCreateTimer(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, TIMER_TYPE Kind)
{
    POBP_TIMER Timer;
    if (Kind != NotificationTimer && Kind != SynchronizationTimer)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = ObpAllocateObject(ObpTimerType, 0, (PVOID *)&Timer);
    if (!NT_SUCCESS(Status))
        return Status;
    KeInitializeTimerEx(&Timer->Timer, Kind);
    KeInitializeDpc(&Timer->Dpc, ObpTimerDue, Timer);
    return ObpInsertObject(Timer, Attributes, Access, Handle);
}

NTSTATUS NTAPI NtOpenTimer(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    return ObpOpen(Attributes, ObpTimerType, Access, NULL, Handle);
}

NTSTATUS NTAPI NtSetTimer(HANDLE Handle, PLARGE_INTEGER Due, PTIMER_APC_ROUTINE Routine, PVOID Context, BOOLEAN Resume,
                          LONG Period, PBOOLEAN Previous)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PETHREAD Thread = PsGetCurrentThread();
    POBP_TIMER Timer;
    if (Period < 0)
        return STATUS_INVALID_PARAMETER_6;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, TIMER_MODIFY_STATE, ObpTimerType, Mode, (PVOID *)&Timer, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    BOOLEAN State = KeReadStateTimer(&Timer->Timer) != 0;
    ObpStopTimer(Timer);
    if (Routine) {
        KeInitializeApc(&Timer->Apc, &Thread->Tcb, CurrentApcEnvironment, ObpTimerApc, NULL, (PKNORMAL_ROUTINE)Routine,
                        Mode, Context);
        Timer->HasRoutine = TRUE;
        Timer->Periodic = Period != 0;
        InsertTailList(&Thread->TimerList, &Timer->Entry);
        ObfReferenceObject(Timer);
    }
    KeSetTimerEx(&Timer->Timer, *Due, Period, Routine ? &Timer->Dpc : NULL);
    if (Previous)
        *Previous = State;
    ObfDereferenceObject(Timer);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtCancelTimer(HANDLE Handle, PBOOLEAN Previous)
{
    POBP_TIMER Timer;
    NTSTATUS Status =
        ObReferenceObjectByHandle(Handle, TIMER_MODIFY_STATE, ObpTimerType, ExGetPreviousMode(), (PVOID *)&Timer, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    ObpStopTimer(Timer);
    if (Previous)
        *Previous = KeReadStateTimer(&Timer->Timer) != 0;
    ObfDereferenceObject(Timer);
    return STATUS_SUCCESS;
}

static VOID ObpDeleteTimer(PVOID Body)
{
    ObpStopTimer(Body);
}

VOID ObpInitializeTimers(VOID)
{
    ObpTimerType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"Timer",
                                                 .BodyBytes = sizeof(OBP_TIMER),
                                                 .Waitable = TRUE,
                                                 .ValidAccess = TIMER_ALL_ACCESS,
                                                 .Mapping = {STANDARD_RIGHTS_READ | TIMER_QUERY_STATE,
                                                             STANDARD_RIGHTS_WRITE | TIMER_MODIFY_STATE,
                                                             STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, TIMER_ALL_ACCESS},
                                                 .Delete = ObpDeleteTimer});
    ExTimerObjectType = (PVOID)ObpTimerType;
}
