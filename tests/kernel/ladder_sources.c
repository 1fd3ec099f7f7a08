/*
 * What the operator fires, at its level, and held off by what is above it. Runs with 4 processors under ladder_sources.lua,
 * which says the order: everything is registered in DriverEntry and looked at when the driver is unloaded.
 */
#include "check.h"

typedef VOID OVERFLOW_HANDLER(ULONGLONG OverflowBits, HANDLE OwningHandle);

/* As of Windows 10; the headers have an older one. */
typedef struct _OVERFLOW_LIST {
    ULONG Count;
    struct {
        ULONG Type, Flags;
        union {
            ULONG CounterIndex;
            OVERFLOW_HANDLER *Handler;
            ULONG64 Reserved[2];
        } u;
    } Descriptors[2];
} OVERFLOW_LIST;

/* Each source notes what it saw. */
typedef struct _SOURCE {
    volatile LONG Times;
    KIRQL Irql;
    ULONG Processor;
} SOURCE;

static SOURCE Nmi, OtherNmi, Profile, Power, Added;
static PVOID NmiHandle, OtherNmiHandle, PowerHandle, AddedHandle, Holder;
static HANDLE Counters;
static PCALLBACK_OBJECT PowerObject;
static BOOLEAN OtherSawHandled;
static ULONG64 Bits;
static ULONG_PTR PowerEvent[4], PowerValue[4];
static ULONG AddStates, NewProcessor, SeenOnNew;
static volatile BOOLEAN Stop;
static LONG NmisHeld, ProfilesHeld;

static void Note(SOURCE *Source)
{
    Source->Irql = KeGetCurrentIrql();
    Source->Processor = KeGetCurrentProcessorNumberEx(NULL);
    Source->Times++;
}

static BOOLEAN NTAPI OnNmi(PVOID Context, BOOLEAN Handled)
{
    Note(Context);
    if (Context == &OtherNmi)
        OtherSawHandled = Handled;
    return Context == &Nmi;
}

static VOID OnOverflow(ULONGLONG OverflowBits, HANDLE Owner)
{
    Bits = OverflowBits;
    if (Owner == Counters)
        Note(&Profile);
}

static VOID NTAPI OnPower(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    if (Power.Times < 4) {
        PowerEvent[Power.Times] = (ULONG_PTR)Argument1;
        PowerValue[Power.Times] = (ULONG_PTR)Argument2;
    }
    Note(&Power);
}

static VOID NewDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    SeenOnNew = KeGetCurrentProcessorNumberEx(NULL);
}

static VOID NTAPI OnAdded(PVOID Context, PKE_PROCESSOR_CHANGE_NOTIFY_CONTEXT Change, PNTSTATUS Status)
{
    if (Change->NtNumber < 4)
        return; /* those that were there: told of because of KE_PROCESSOR_CHANGE_ADD_EXISTING */
    Note(&Added);
    AddStates = AddStates * 10 + Change->State + 1;
    NewProcessor = Change->NtNumber;
    if (Change->State == KeProcessorAddCompleteNotify) {
        static KDPC Dpc;
        KeInitializeDpc(&Dpc, NewDpc, NULL);
        KeSetTargetProcessorDpc(&Dpc, (CCHAR)Change->NtNumber);
        KeInsertQueueDpc(&Dpc, NULL, NULL);
        KeFlushQueuedDpcs();
    }
}

/* Processor 2 stays at HIGH_LEVEL for 20 ms. The script fires an NMI and a counter overflow there meanwhile. */
static VOID Hold(PVOID Context)
{
    KIRQL Old;

    KeSetSystemAffinityThread(1 << 2);
    Sleep(100 * MS);
    Old = KfRaiseIrql(HIGH_LEVEL);
    while (!Stop) {
        KeStallExecutionProcessor(50);
        YieldProcessor();
        if (Nmi.Times == 3)
            break;
    }
    for (int i = 0; i < 100; i++)
        YieldProcessor();
    NmisHeld = Nmi.Times;
    ProfilesHeld = Profile.Times;
    KeLowerIrql(Old);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    CheckName = "sources";
    Stop = TRUE;
    EndThread(Holder);
    CHECK_IS(Nmi.Times, 3);
    CHECK_IS(Nmi.Irql, HIGH_LEVEL);
    CHECK_IS(OtherNmi.Times, 3);
    CHECK(OtherSawHandled); /* the one registered last was called first, and took it */
    CHECK_IS(Profile.Irql, PROFILE_LEVEL);
    CHECK_IS(Profile.Processor, 2);
    CHECK_IS(Bits, 1 << 3);
    CHECK_IS(NmisHeld, 3);     /* nothing holds an NMI off */
    CHECK_IS(ProfilesHeld, 1); /* HIGH_LEVEL holds PROFILE_LEVEL off: they are the same */
    CHECK_IS(Profile.Times, 2);
    CHECK_IS(Power.Times, 2);
    CHECK_IS(Power.Irql, PASSIVE_LEVEL);
    CHECK_IS(PowerEvent[0], PO_CB_AC_STATUS);
    CHECK_IS(PowerValue[0], 0);
    CHECK_IS(PowerValue[1], 1);
    CHECK_IS(AddStates, 12); /* start, complete */
    CHECK_IS(Added.Irql, PASSIVE_LEVEL);
    CHECK_IS(NewProcessor, 4);
    CHECK_IS(SeenOnNew, 4);
    CHECK_IS(KeQueryActiveProcessorCount(NULL), 5);
    CHECK_IS(KeDeregisterNmiCallback(NmiHandle), STATUS_SUCCESS);
    CHECK_IS(KeDeregisterNmiCallback(OtherNmiHandle), STATUS_SUCCESS);
    CHECK_IS(KeDeregisterNmiCallback(NmiHandle), STATUS_INVALID_HANDLE);
    CHECK_IS(HalFreeHardwareCounters(Counters), STATUS_SUCCESS);
    ExUnregisterCallback(PowerHandle);
    ObDereferenceObject(PowerObject);
    KeDeregisterProcessorChangeCallback(AddedHandle);
    DbgPrint("%d checks, %d failed\n", CheckCount, CheckFailures);
    CheckUnload(Driver);
}

TEST(callbacks_can_be_registered)
{
    OVERFLOW_LIST List = {
        2, {{ResourceTypeSingle, 0, {.CounterIndex = 3}}, {ResourceTypeOverflow, 0, {.Handler = OnOverflow}}}};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Callback\\PowerState");
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Second;

    OtherNmiHandle = KeRegisterNmiCallback(OnNmi, &OtherNmi);
    NmiHandle = KeRegisterNmiCallback(OnNmi, &Nmi);
    CHECK_IS(HalAllocateHardwareCounters(NULL, 0, (PPHYSICAL_COUNTER_RESOURCE_LIST)&List, &Counters), STATUS_SUCCESS);
    CHECK_IS(HalAllocateHardwareCounters(NULL, 0, (PPHYSICAL_COUNTER_RESOURCE_LIST)&List, &Second),
             STATUS_INSUFFICIENT_RESOURCES);
    CHECK_IS(HalAllocateHardwareCounters(NULL, 0, NULL, &Second), STATUS_INSUFFICIENT_RESOURCES);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_IS(ExCreateCallback(&PowerObject, &Attributes, FALSE, TRUE), STATUS_SUCCESS);
    PowerHandle = ExRegisterCallback(PowerObject, OnPower, NULL);
    AddedHandle = KeRegisterProcessorChangeCallback(OnAdded, NULL, KE_PROCESSOR_CHANGE_ADD_EXISTING);
    CHECK(NmiHandle && OtherNmiHandle && PowerHandle && AddedHandle);
    CHECK_IS(Added.Times, 0);
    Holder = StartThread(Hold, NULL);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    CheckDriver = Driver;
    Driver->DriverUnload = Unload;
    CheckName = "callbacks_can_be_registered"; /* CheckRun would say now that all is well */
    callbacks_can_be_registered();
    (void)CheckRun;
    return CheckFailures ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}
