/*
 * Silos, as the host sees them: there is no container here, so every thread and process is in the host, whose silo is NULL.
 *
 * What a driver keeps for each silo lies in slots; the host has its own contents of them. A context is a block of the
 * driver's pool behind a header that counts its references; a monitor is a driver that wants to hear of silos, and of the host
 * if it asks for that. (docs: PsGetCurrentSilo, PsCreateSiloContext, PsInsertSiloContext, PsRegisterSiloMonitor)
 */
#include "nt.h"
#include "ex/poolp.h"

#define PSP_SLOTS 256
#define PSP_SILO_TAG 'oliS'

typedef struct DECLSPEC_ALIGN(16) _PSP_SILO_CONTEXT {
    volatile LONG References;
    PSILO_CONTEXT_CLEANUP_CALLBACK Cleanup;
} PSP_SILO_CONTEXT, *PPSP_SILO_CONTEXT;
C_ASSERT(sizeof(PSP_SILO_CONTEXT) == 16);

struct _SILO_MONITOR {
    SILO_MONITOR_REGISTRATION Registration;
    ULONG Slot, Stack;
    BOOLEAN Started;
};

static struct {
    BOOLEAN Allocated, Permanent;
    PVOID Context;
} PspSlots[PSP_SLOTS];

#define PspContextHeader(Context) ((PPSP_SILO_CONTEXT)(Context)-1)

/* ---- Who is in which silo -------------------------------------------------------------------------------------------- */

PESILO NTAPI PsGetHostSilo(VOID)
{
    return NULL;
}

BOOLEAN NTAPI PsIsHostSilo(PESILO Silo)
{
    return !Silo;
}

PESILO NTAPI PsGetCurrentSilo(VOID)
{
    return NULL;
}

PESILO NTAPI PsGetCurrentServerSilo(VOID)
{
    return NULL;
}

BOOLEAN NTAPI PsIsCurrentThreadInServerSilo(VOID)
{
    return FALSE;
}

PESILO NTAPI PsGetThreadServerSilo(PETHREAD Thread)
{
    return NULL;
}

PESILO NTAPI PsGetEffectiveServerSilo(PESILO Silo)
{
    return NULL;
}

PESILO NTAPI PsGetParentSilo(PEJOB Job)
{
    return NULL;
}

/* docs: PsGetServerSiloActiveConsoleId: the one session. */
ULONG NTAPI PsGetServerSiloActiveConsoleId(PESILO Silo)
{
    return 0;
}

/* docs: PsAttachSiloToCurrentThread: what the thread was attached to before, for PsDetachSiloFromCurrentThread. */
PESILO NTAPI PsAttachSiloToCurrentThread(PESILO Silo)
{
    return NULL;
}

VOID NTAPI PsDetachSiloFromCurrentThread(PESILO PreviousSilo)
{
}

/* ---- Contexts ----------------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI PsCreateSiloContext(PESILO Silo, ULONG Size, POOL_TYPE PoolType, PSILO_CONTEXT_CLEANUP_CALLBACK Cleanup,
                                   PVOID *ReturnedSiloContext)
{
    PPSP_SILO_CONTEXT Header;

    *ReturnedSiloContext = NULL;
    if (PoolType != NonPagedPoolNx && PoolType != PagedPool)
        return STATUS_INVALID_PARAMETER;
    Header = ExpAllocateForDriver(PoolType, sizeof(*Header) + Size, PSP_SILO_TAG, TRUE, VfCaptureStack(), NULL);
    if (!Header)
        return STATUS_INSUFFICIENT_RESOURCES;
    Header->References = 1;
    Header->Cleanup = Cleanup;
    *ReturnedSiloContext = Header + 1;
    return STATUS_SUCCESS;
}

VOID NTAPI PsReferenceSiloContext(PVOID SiloContext)
{
    InterlockedIncrement(&PspContextHeader(SiloContext)->References);
}

VOID NTAPI PsDereferenceSiloContext(PVOID SiloContext)
{
    PPSP_SILO_CONTEXT Header = PspContextHeader(SiloContext);
    VF_CALLBACK Callback = {.Contract = "SILO_CONTEXT_CLEANUP_CALLBACK",
                            .What = "cleanup of a silo context",
                            .Routine = (PVOID)(ULONG_PTR)Header->Cleanup,
                            .Object = SiloContext};

    if (InterlockedDecrement(&Header->References))
        return;
    if (Header->Cleanup) {
        VfEnterCallback(&Callback);
        Header->Cleanup(SiloContext);
        VfLeaveCallback(&Callback);
    }
    IopFree(Header);
}

/* ---- Slots -------------------------------------------------------------------------------------------------------------- */

static BOOLEAN PspIsSlot(ULONG Slot)
{
    return Slot < PSP_SLOTS && PspSlots[Slot].Allocated;
}

NTSTATUS NTAPI PsAllocSiloContextSlot(ULONG_PTR Reserved, ULONG *ReturnedContextSlot)
{
    if (Reserved)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < PSP_SLOTS; i++)
        if (!PspSlots[i].Allocated) {
            PspSlots[i].Allocated = TRUE;
            *ReturnedContextSlot = i;
            return STATUS_SUCCESS;
        }
    return STATUS_INSUFFICIENT_RESOURCES;
}

/* docs: PsFreeSiloContextSlot: the slot's contents go, in all silos. */
NTSTATUS NTAPI PsFreeSiloContextSlot(ULONG ContextSlot)
{
    PVOID Context;

    if (!PspIsSlot(ContextSlot))
        return STATUS_INVALID_PARAMETER;
    Context = PspSlots[ContextSlot].Context;
    RtlZeroMemory(&PspSlots[ContextSlot], sizeof(PspSlots[ContextSlot]));
    if (Context)
        PsDereferenceSiloContext(Context);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PsReplaceSiloContext(PESILO Silo, ULONG ContextSlot, PVOID NewSiloContext, PVOID *OldSiloContext)
{
    PVOID Old;

    if (!PspIsSlot(ContextSlot) || !NewSiloContext)
        return STATUS_INVALID_PARAMETER;
    if (PspSlots[ContextSlot].Permanent)
        return STATUS_NOT_SUPPORTED;
    PsReferenceSiloContext(NewSiloContext);
    Old = PspSlots[ContextSlot].Context;
    PspSlots[ContextSlot].Context = NewSiloContext;
    if (OldSiloContext)
        *OldSiloContext = Old;
    else if (Old)
        PsDereferenceSiloContext(Old);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PsInsertSiloContext(PESILO Silo, ULONG ContextSlot, PVOID SiloContext)
{
    if (PspIsSlot(ContextSlot) && PspSlots[ContextSlot].Context)
        return STATUS_NOT_SUPPORTED;
    return PsReplaceSiloContext(Silo, ContextSlot, SiloContext, NULL);
}

NTSTATUS NTAPI PsMakeSiloContextPermanent(PESILO Silo, ULONG ContextSlot)
{
    if (!PspIsSlot(ContextSlot))
        return STATUS_INVALID_PARAMETER;
    if (!PspSlots[ContextSlot].Context)
        return STATUS_NOT_FOUND;
    PspSlots[ContextSlot].Permanent = TRUE;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PsInsertPermanentSiloContext(PESILO Silo, ULONG ContextSlot, PVOID SiloContext)
{
    NTSTATUS Status = PsInsertSiloContext(Silo, ContextSlot, SiloContext);

    return NT_SUCCESS(Status) ? PsMakeSiloContextPermanent(Silo, ContextSlot) : Status;
}

NTSTATUS NTAPI PsGetSiloContext(PESILO Silo, ULONG ContextSlot, PVOID *ReturnedSiloContext)
{
    *ReturnedSiloContext = NULL;
    if (!PspIsSlot(ContextSlot))
        return STATUS_INVALID_PARAMETER;
    if (!PspSlots[ContextSlot].Context)
        return STATUS_NOT_FOUND;
    *ReturnedSiloContext = PspSlots[ContextSlot].Context;
    PsReferenceSiloContext(*ReturnedSiloContext);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PsGetPermanentSiloContext(PESILO Silo, ULONG ContextSlot, PVOID *ReturnedSiloContext)
{
    *ReturnedSiloContext = NULL;
    if (!PspIsSlot(ContextSlot) || !PspSlots[ContextSlot].Context)
        return STATUS_NOT_FOUND;
    if (!PspSlots[ContextSlot].Permanent)
        return STATUS_NOT_SUPPORTED;
    *ReturnedSiloContext = PspSlots[ContextSlot].Context;
    return STATUS_SUCCESS;
}

/* docs: PsRemoveSiloContext: the reference of the slot goes to the caller who asks for the context. */
NTSTATUS NTAPI PsRemoveSiloContext(PESILO Silo, ULONG ContextSlot, PVOID *RemovedSiloContext)
{
    PVOID Context;

    if (RemovedSiloContext)
        *RemovedSiloContext = NULL;
    if (!PspIsSlot(ContextSlot) || !PspSlots[ContextSlot].Context)
        return STATUS_NOT_FOUND;
    if (PspSlots[ContextSlot].Permanent)
        return STATUS_NOT_SUPPORTED;
    Context = PspSlots[ContextSlot].Context;
    PspSlots[ContextSlot].Context = NULL;
    if (RemovedSiloContext)
        *RemovedSiloContext = Context;
    else
        PsDereferenceSiloContext(Context);
    return STATUS_SUCCESS;
}

/* ---- Monitors ------------------------------------------------------------------------------------------------------------ */

NTSTATUS NTAPI PsRegisterSiloMonitor(PSILO_MONITOR_REGISTRATION Registration, PSILO_MONITOR *ReturnedMonitor)
{
    PSILO_MONITOR Monitor;
    NTSTATUS Status;

    *ReturnedMonitor = NULL;
    if (Registration->Version != SILO_MONITOR_REGISTRATION_VERSION || !Registration->ComponentName ||
        !Registration->TerminateCallback)
        return STATUS_INVALID_PARAMETER;
    Monitor = ExpTryAllocate(sizeof(*Monitor), PSP_SILO_TAG);
    if (!Monitor)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Monitor = (struct _SILO_MONITOR){.Registration = *Registration, .Stack = VfCaptureStack()};
    Status = PsAllocSiloContextSlot(0, &Monitor->Slot);
    if (!NT_SUCCESS(Status)) {
        ExpFree(Monitor);
        return Status;
    }
    VfTrack(Monitor, sizeof(*Monitor), VfCallbackObject, (PVOID)(ULONG_PTR)Registration->TerminateCallback,
            Monitor->Stack);
    *ReturnedMonitor = Monitor;
    return STATUS_SUCCESS;
}

ULONG NTAPI PsGetSiloMonitorContextSlot(PSILO_MONITOR Monitor)
{
    return Monitor->Slot;
}

static VF_CALLBACK PspMonitorCallback(PSILO_MONITOR Monitor, PCSTR Contract, PCSTR What, PVOID Routine)
{
    return (VF_CALLBACK){.Contract = Contract,
                         .What = What,
                         .Routine = Routine,
                         .Object = Routine,
                         .Stack = Monitor->Stack,
                         .StackText = "The monitor was registered at:"};
}

NTSTATUS NTAPI PsStartSiloMonitor(PSILO_MONITOR Monitor)
{
    PSILO_MONITOR_CREATE_CALLBACK Create = Monitor->Registration.CreateCallback;
    VF_CALLBACK Callback =
        PspMonitorCallback(Monitor, "SILO_MONITOR_CREATE_CALLBACK", "notification of a silo", (PVOID)(ULONG_PTR)Create);
    NTSTATUS Status = STATUS_SUCCESS;

    if (Monitor->Started)
        return STATUS_REQUEST_ABORTED;
    Monitor->Started = TRUE;
    if (Monitor->Registration.MonitorHost && Create) {
        VfEnterCallback(&Callback);
        Status = Create(PsGetHostSilo());
        VfLeaveCallback(&Callback);
    }
    return NT_SUCCESS(Status) ? STATUS_SUCCESS : STATUS_REQUEST_ABORTED;
}

/* docs: PsUnregisterSiloMonitor: silos that were announced are taken back, then slot and monitor go. */
VOID NTAPI PsUnregisterSiloMonitor(PSILO_MONITOR Monitor)
{
    PSILO_MONITOR_TERMINATE_CALLBACK Terminate = Monitor->Registration.TerminateCallback;
    VF_CALLBACK Callback = PspMonitorCallback(Monitor, "SILO_MONITOR_TERMINATE_CALLBACK",
                                              "notification of a silo's end", (PVOID)(ULONG_PTR)Terminate);

    if (Monitor->Started && Monitor->Registration.MonitorHost) {
        VfEnterCallback(&Callback);
        Terminate(PsGetHostSilo());
        VfLeaveCallback(&Callback);
    }
    VfUntrack(Monitor, VfCallbackObject);
    PsFreeSiloContextSlot(Monitor->Slot);
    ExpFree(Monitor);
}
