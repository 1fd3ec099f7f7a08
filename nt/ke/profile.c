/*
 * PROFILE_LEVEL: the processor's performance counters, shared by those who allocated some. When one overflows, the handlers
 * of all sets on that processor are called, with the counters of their set that overflowed. On x64 the level has the value
 * of HIGH_LEVEL. The operator makes them overflow.
 *
 * A set without a list of resources has the whole unit for itself. (docs: HalAllocateHardwareCounters,
 * HalFreeHardwareCounters, PHYSICAL_COUNTER_RESOURCE_DESCRIPTOR, PPHYSICAL_COUNTER_OVERFLOW_HANDLER)
 */
#include "nt.h"

#define KI_COUNTERS 8 /* of a processor */

typedef VOID KI_OVERFLOW_HANDLER(ULONGLONG OverflowBits, HANDLE OwningHandle);

/* As of Windows 10; the DDK headers here have an older, shorter one. */
typedef struct _KI_COUNTER_RESOURCE {
    ULONG Type; /* PHYSICAL_COUNTER_RESOURCE_DESCRIPTOR_TYPE; 4 and 5 are newer than the headers */
    ULONG Flags;
    union {
        ULONG CounterIndex;
        struct {
            ULONG Begin, End;
        } Range;
        KI_OVERFLOW_HANDLER *OverflowHandler;
        UINT64 EventBuffer[2];
    } u;
} KI_COUNTER_RESOURCE;

typedef struct _KI_COUNTER_RESOURCE_LIST {
    ULONG Count;
    KI_COUNTER_RESOURCE Descriptors[];
} KI_COUNTER_RESOURCE_LIST;

typedef struct _KI_COUNTER_SET {
    struct _KI_COUNTER_SET *Next;
    KAFFINITY Processors;
    ULONG Counters; /* bit n: counter n */
    BOOLEAN Exclusive;
    KI_OVERFLOW_HANDLER *Handler;
    ULONG Stack;
} KI_COUNTER_SET, *PKI_COUNTER_SET;

static PKI_COUNTER_SET KiCounterSets;

static VOID KiCallHandler(PKI_COUNTER_SET Set)
{
    VF_CALLBACK Callback = {
        .Contract = "PPHYSICAL_COUNTER_OVERFLOW_HANDLER",
        .What = "counter overflow handler",
        .Routine = (PVOID)Set->Handler,
        .Object = (PVOID)Set->Handler,
        .Stack = Set->Stack,
        .StackText = "The counters were allocated at:",
    };

    VfEnterCallback(&Callback);
    Set->Handler(Set->Counters, (HANDLE)Set);
    VfLeaveCallback(&Callback);
}

VOID KiProfileInterrupt(VOID)
{
    ULONG Number = KiProcessor()->Number;

    for (PKI_COUNTER_SET Set = KiCounterSets; Set; Set = Set->Next)
        if (Set->Handler && (Set->Processors >> Number & 1))
            KiCallHandler(Set);
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

static NTSTATUS KiReadResource(PKI_COUNTER_SET Set, const KI_COUNTER_RESOURCE *Resource)
{
    switch (Resource->Type) {
    case ResourceTypeSingle:
        if (Resource->u.CounterIndex >= KI_COUNTERS)
            return STATUS_INSUFFICIENT_RESOURCES;
        Set->Counters |= 1u << Resource->u.CounterIndex;
        return STATUS_SUCCESS;
    case ResourceTypeRange:
        if (Resource->u.Range.Begin > Resource->u.Range.End || Resource->u.Range.End >= KI_COUNTERS)
            return STATUS_INSUFFICIENT_RESOURCES;
        Set->Counters |= (2u << Resource->u.Range.End) - (1u << Resource->u.Range.Begin);
        return STATUS_SUCCESS;
    case ResourceTypeOverflow:
        Set->Handler = Resource->u.OverflowHandler;
        return STATUS_SUCCESS;
    default:
        return STATUS_NOT_SUPPORTED;
    }
}

static NTSTATUS KiReadRequest(PKI_COUNTER_SET Set, const GROUP_AFFINITY *Affinity, ULONG Groups,
                              const KI_COUNTER_RESOURCE_LIST *List)
{
    NTSTATUS Status = STATUS_SUCCESS;

    Set->Processors = Affinity ? 0 : KeQueryActiveProcessors();
    for (ULONG i = 0; Affinity && i < Groups; i++) {
        if (Affinity[i].Group || !(Affinity[i].Mask & KeQueryActiveProcessors()))
            return STATUS_INVALID_PARAMETER;
        Set->Processors |= Affinity[i].Mask & KeQueryActiveProcessors();
    }
    if (!Set->Processors)
        return STATUS_INVALID_PARAMETER;
    Set->Exclusive = !List;
    Set->Counters = List ? 0 : (1u << KI_COUNTERS) - 1;
    for (ULONG i = 0; List && i < List->Count && NT_SUCCESS(Status); i++)
        Status = KiReadResource(Set, &List->Descriptors[i]);
    return Status;
}

NTSTATUS HalAllocateHardwareCounters(PGROUP_AFFINITY GroupAffinty, ULONG GroupCount,
                                     PPHYSICAL_COUNTER_RESOURCE_LIST ResourceList, PHANDLE CounterSetHandle)
{
    KI_COUNTER_SET New = {0};
    PKI_COUNTER_SET Set;
    NTSTATUS Status = KiReadRequest(&New, GroupAffinty, GroupCount, (const KI_COUNTER_RESOURCE_LIST *)ResourceList);

    *CounterSetHandle = NULL;
    if (!NT_SUCCESS(Status))
        return Status;
    for (Set = KiCounterSets; Set; Set = Set->Next)
        if ((Set->Processors & New.Processors) && (Set->Counters & New.Counters))
            return STATUS_INSUFFICIENT_RESOURCES;
    Set = ExpTryAllocate(sizeof(*Set), 'tnCK');
    if (!Set)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Set = New;
    Set->Stack = VfCaptureStack();
    Set->Next = KiCounterSets;
    KiCounterSets = Set;
    VfTrack(Set, sizeof(*Set), VfCallbackObject, (PVOID)Set->Handler, Set->Stack);
    *CounterSetHandle = (HANDLE)Set;
    return STATUS_SUCCESS;
}

NTSTATUS HalFreeHardwareCounters(HANDLE CounterSetHandle)
{
    for (PKI_COUNTER_SET *Link = &KiCounterSets; *Link; Link = &(*Link)->Next) {
        PKI_COUNTER_SET Set = *Link;
        if ((HANDLE)Set != CounterSetHandle)
            continue;
        *Link = Set->Next;
        VfUntrack(Set, VfCallbackObject);
        ExpFree(Set);
        return STATUS_SUCCESS;
    }
    return STATUS_INVALID_PARAMETER;
}

/* ---- Thread profiling ----------------------------------------------------------------------------------------------- */

/* What threads would be profiled with. No program here can profile one, so no counter is ever enabled. (docs:
 * KeSetHardwareCounterConfiguration) */
static HARDWARE_COUNTER KiProfiled[MAX_HW_COUNTERS];
static ULONG KiProfiledCount;

NTSTATUS NTAPI KeSetHardwareCounterConfiguration(PHARDWARE_COUNTER CounterArray, ULONG Count)
{
    if (Count > MAX_HW_COUNTERS || (Count && !CounterArray))
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < Count; i++)
        KiProfiled[i] = CounterArray[i];
    KiProfiledCount = Count;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI KeQueryHardwareCounterConfiguration(PHARDWARE_COUNTER CounterArray, ULONG MaximumCount, PULONG Count)
{
    *Count = KiProfiledCount;
    if (MaximumCount < KiProfiledCount)
        return STATUS_BUFFER_TOO_SMALL;
    for (ULONG i = 0; i < KiProfiledCount; i++)
        CounterArray[i] = KiProfiled[i];
    return STATUS_SUCCESS;
}
