/*
 * The host is the only silo; what a driver keeps for each silo it keeps for the host. (docs: PsCreateSiloContext,
 * PsInsertSiloContext, PsRegisterSiloMonitor)
 */
#include "test.h"

static ULONG Cleaned, Created, Ended;

static VOID NTAPI Clean(PVOID Context)
{
    Cleaned++;
    *(PULONG)Context = 0;
}

static VOID everybody_is_in_the_host(VOID)
{
    CHECK(PsIsHostSilo(PsGetCurrentSilo()) && PsIsHostSilo(PsGetCurrentServerSilo()) && PsIsHostSilo(PsGetHostSilo()));
    CHECK(PsIsHostSilo(PsGetThreadServerSilo(PsGetCurrentThread())) && PsIsHostSilo(PsGetParentSilo(NULL)));
    CHECK(!PsIsCurrentThreadInServerSilo());
}

static VOID a_context_lives_as_long_as_it_is_referenced(VOID)
{
    PVOID Context, Other, Got;
    ULONG Slot;

    STATUS(PsCreateSiloContext(PsGetHostSilo(), 8, NonPagedPool, Clean, &Context), STATUS_INVALID_PARAMETER);
    OK(PsCreateSiloContext(PsGetHostSilo(), 8, NonPagedPoolNx, Clean, &Context));
    OK(PsCreateSiloContext(PsGetHostSilo(), 8, PagedPool, NULL, &Other));
    OK(PsAllocSiloContextSlot(0, &Slot));
    STATUS(PsGetSiloContext(PsGetHostSilo(), Slot, &Got), STATUS_NOT_FOUND);
    STATUS(PsGetSiloContext(PsGetHostSilo(), 100000, &Got), STATUS_INVALID_PARAMETER);
    OK(PsInsertSiloContext(PsGetHostSilo(), Slot, Context));
    STATUS(PsInsertSiloContext(PsGetHostSilo(), Slot, Other), STATUS_NOT_SUPPORTED);
    PsDereferenceSiloContext(Context);
    OK(PsGetSiloContext(PsGetHostSilo(), Slot, &Got));
    CHECK(Got == Context && !Cleaned);
    OK(PsReplaceSiloContext(PsGetHostSilo(), Slot, Other, &Context));
    PsDereferenceSiloContext(Context);
    CHECK(!Cleaned);
    PsDereferenceSiloContext(Got);
    CHECK(Cleaned == 1);
    STATUS(PsGetPermanentSiloContext(PsGetHostSilo(), Slot, &Got), STATUS_NOT_SUPPORTED);
    OK(PsMakeSiloContextPermanent(PsGetHostSilo(), Slot));
    OK(PsGetPermanentSiloContext(PsGetHostSilo(), Slot, &Got));
    CHECK(Got == Other);
    STATUS(PsRemoveSiloContext(PsGetHostSilo(), Slot, NULL), STATUS_NOT_SUPPORTED);
    PsDereferenceSiloContext(Other);
    OK(PsFreeSiloContextSlot(Slot)); /* and with it the context: the pool is looked through at unload */
}

static NTSTATUS NTAPI Create(PESILO Silo)
{
    Created += PsIsHostSilo(Silo);
    return STATUS_SUCCESS;
}

static VOID NTAPI End(PESILO Silo)
{
    Ended += PsIsHostSilo(Silo);
}

static VOID a_monitor_hears_of_the_host_if_it_wants_to(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"Test");
    SILO_MONITOR_REGISTRATION Registration = {.Version = SILO_MONITOR_REGISTRATION_VERSION,
                                              .ComponentName = &Name,
                                              .CreateCallback = Create,
                                              .TerminateCallback = End};
    PSILO_MONITOR Monitor;

    for (ULONG i = 0; i < 2; i++) {
        Registration.MonitorHost = i;
        OK(PsRegisterSiloMonitor(&Registration, &Monitor));
        CHECK(PsGetSiloMonitorContextSlot(Monitor) != INVALID_SILO_CONTEXT_SLOT);
        OK(PsStartSiloMonitor(Monitor));
        CHECK(Created == i);
        PsUnregisterSiloMonitor(Monitor);
        CHECK(Ended == i);
    }
    Registration.TerminateCallback = NULL;
    STATUS(PsRegisterSiloMonitor(&Registration, &Monitor), STATUS_INVALID_PARAMETER);
}

TEST_MAIN(everybody_is_in_the_host, a_context_lives_as_long_as_it_is_referenced,
          a_monitor_hears_of_the_host_if_it_wants_to)
