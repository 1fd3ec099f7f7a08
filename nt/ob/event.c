/*
 * Synchronization objects that have handles and names, and waiting on handles.
 *
 * The objects themselves are the kernel core's; here they only get headers, names and access rights (timers: timer.c).
 * Semaphores and mutants have types only: Windows exports their services to user mode alone.
 */
#include "nt.h"

#define OBP_MUTANT_QUERY 1u

/* ---- Events ------------------------------------------------------------------------------------------------------ */

NTSTATUS NTAPI NtCreateEvent(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, EVENT_TYPE Kind,
                             BOOLEAN Signalled)
{
    PVOID Event;
    if (Kind != NotificationEvent && Kind != SynchronizationEvent)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = ObpAllocateObject(ObpEventType, 0, &Event);
    if (!NT_SUCCESS(Status))
        return Status;
    KeInitializeEvent(Event, Kind, Signalled);
    return ObpInsertObject(Event, Attributes, Access, Handle);
}

NTSTATUS NTAPI NtOpenEvent(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    return ObpOpen(Attributes, ObpEventType, Access, NULL, Handle);
}

typedef enum { ObpSet, ObpReset, ObpClear, ObpPulse } OBP_EVENT_ACTION;

static NTSTATUS ObpEventAction(HANDLE Handle, PLONG Previous, OBP_EVENT_ACTION Action)
{
    PKEVENT Event;
    LONG State = 0;
    NTSTATUS Status =
        ObReferenceObjectByHandle(Handle, EVENT_MODIFY_STATE, ObpEventType, ExGetPreviousMode(), (PVOID *)&Event, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    switch (Action) {
    case ObpSet:
        State = KeSetEvent(Event, 1, FALSE);
        break;
    case ObpReset:
        State = KeResetEvent(Event);
        break;
    case ObpClear:
        KeClearEvent(Event);
        break;
    case ObpPulse:
        State = KePulseEvent(Event, 1, FALSE);
        break;
    }
    ObfDereferenceObject(Event);
    if (Previous)
        *Previous = State;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtSetEvent(HANDLE Handle, PLONG Previous)
{
    return ObpEventAction(Handle, Previous, ObpSet);
}

NTSTATUS NTAPI NtResetEvent(HANDLE Handle, PLONG Previous)
{
    return ObpEventAction(Handle, Previous, ObpReset);
}

NTSTATUS NTAPI NtClearEvent(HANDLE Handle)
{
    return ObpEventAction(Handle, NULL, ObpClear);
}

NTSTATUS NTAPI NtPulseEvent(HANDLE Handle, PLONG Previous)
{
    return ObpEventAction(Handle, Previous, ObpPulse);
}

/* docs: IoCreateNotificationEvent: made signalled, or opened when it exists; the caller closes the handle. */
static PKEVENT ObpNamedEvent(PUNICODE_STRING Name, PHANDLE Handle, EVENT_TYPE Kind)
{
    OBJECT_ATTRIBUTES Attributes;
    PKEVENT Event = NULL;
    InitializeObjectAttributes(&Attributes, Name, OBJ_OPENIF | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(NtCreateEvent(Handle, EVENT_ALL_ACCESS, &Attributes, Kind, TRUE)))
        return NULL;
    ObReferenceObjectByHandle(*Handle, 0, ObpEventType, KernelMode, (PVOID *)&Event, NULL);
    ObfDereferenceObject(Event); /* the handle keeps it */
    return Event;
}

PKEVENT NTAPI IoCreateNotificationEvent(PUNICODE_STRING Name, PHANDLE Handle)
{
    return ObpNamedEvent(Name, Handle, NotificationEvent);
}

PKEVENT NTAPI IoCreateSynchronizationEvent(PUNICODE_STRING Name, PHANDLE Handle)
{
    return ObpNamedEvent(Name, Handle, SynchronizationEvent);
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode(); /* what ends the process ends a program's wait */
    PVOID Object;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, SYNCHRONIZE, NULL, Mode, &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    PVOID Waitable = ObpWaitableOf(Object);
    Status =
        Waitable ? KeWaitForSingleObject(Waitable, UserRequest, Mode, Alertable, Timeout) : STATUS_OBJECT_TYPE_MISMATCH;
    ObfDereferenceObject(Object);
    return Status;
}

/* The caller's handles. User memory that is not there is a status for drivers, too; kernel memory is a bug check. */
static NTSTATUS ObpCaptureHandles(PHANDLE To, PHANDLE From, ULONG Count)
{
    SIZE_T Bytes = Count * sizeof(*To);
    if ((UINT64)From <= (UINT64)MmHighestUserAddress)
        return MmReadUser(To, From, Bytes);
    RtlCopyMemory(To, From, Bytes);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtWaitForMultipleObjects(ULONG Count, PHANDLE Handles, WAIT_TYPE Type, BOOLEAN Alertable,
                                        PLARGE_INTEGER Timeout)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PVOID Object[MAXIMUM_WAIT_OBJECTS], Waitable[MAXIMUM_WAIT_OBJECTS];
    HANDLE Captured[MAXIMUM_WAIT_OBJECTS];
    ULONG Held = 0;
    if (Count == 0 || Count > MAXIMUM_WAIT_OBJECTS)
        return STATUS_INVALID_PARAMETER_1;
    if (Type != WaitAll && Type != WaitAny)
        return STATUS_INVALID_PARAMETER_3;
    NTSTATUS Status = ObpCaptureHandles(Captured, Handles, Count);
    while (Held < Count && NT_SUCCESS(Status)) {
        Status = ObReferenceObjectByHandle(Captured[Held], SYNCHRONIZE, NULL, Mode, &Object[Held], NULL);
        if (!NT_SUCCESS(Status))
            break;
        Waitable[Held] = ObpWaitableOf(Object[Held]);
        if (!Waitable[Held++])
            Status = STATUS_OBJECT_TYPE_MISMATCH;
    }
    if (NT_SUCCESS(Status)) {
        PKWAIT_BLOCK Blocks = ExpAllocate(Count * sizeof(*Blocks), 'tiaW');
        Status = KeWaitForMultipleObjects(Count, Waitable, Type, UserRequest, Mode, Alertable, Timeout, Blocks);
        ExpFree(Blocks);
    }
    while (Held)
        ObfDereferenceObject(Object[--Held]);
    return Status;
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

POBJECT_TYPE *ExEventObjectType, *ExSemaphoreObjectType;

VOID ObpInitializeEvents(VOID)
{
    ObpEventType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"Event",
                                                 .BodyBytes = sizeof(KEVENT),
                                                 .Waitable = TRUE,
                                                 .ValidAccess = EVENT_ALL_ACCESS,
                                                 .Mapping = {STANDARD_RIGHTS_READ | EVENT_QUERY_STATE,
                                                             STANDARD_RIGHTS_WRITE | EVENT_MODIFY_STATE,
                                                             STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, EVENT_ALL_ACCESS}});
    ObpSemaphoreType = ObpCreateType(
        &(OB_TYPE_INIT){.Name = L"Semaphore",
                        .BodyBytes = sizeof(KSEMAPHORE),
                        .Waitable = TRUE,
                        .ValidAccess = SEMAPHORE_ALL_ACCESS,
                        .Mapping = {STANDARD_RIGHTS_READ | 1, STANDARD_RIGHTS_WRITE | SEMAPHORE_MODIFY_STATE,
                                    STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, SEMAPHORE_ALL_ACCESS}});
    ObpMutantType =
        ObpCreateType(&(OB_TYPE_INIT){.Name = L"Mutant",
                                      .BodyBytes = sizeof(KMUTANT),
                                      .Waitable = TRUE,
                                      .ValidAccess = 0x1F0001,
                                      .Mapping = {STANDARD_RIGHTS_READ | OBP_MUTANT_QUERY, STANDARD_RIGHTS_WRITE,
                                                  STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, 0x1F0001}});
    ExEventObjectType = (PVOID)ObpEventType;
    ExSemaphoreObjectType = (PVOID)ObpSemaphoreType;
}
