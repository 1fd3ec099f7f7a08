/*
 * What the power manager says of the machine: it runs on mains, has no battery, sleeps in S1 to S3. (docs: ZwPowerInformation,
 * SYSTEM_POWER_CAPABILITIES, PROCESSOR_POWER_INFORMATION)
 */
#include "nt.h"
#include <ntpoapi.h>
#include "po/pop.h"

#define POP_MHZ (DOOR_CYCLES * 10)

/* PROCESSOR_POWER_INFORMATION and SYSTEM_POWER_INFORMATION, which pages give and no header has. */
typedef struct _POP_PROCESSOR {
    ULONG Number, MaxMhz, CurrentMhz, MhzLimit, MaxIdleState, CurrentIdleState;
} POP_PROCESSOR;

typedef struct _POP_SYSTEM {
    ULONG MaxIdlenessAllowed, Idleness, TimeRemaining;
    UCHAR CoolingMode;
} POP_SYSTEM;

static NTSTATUS PopGive(PVOID Out, ULONG OutBytes, const VOID *Answer, ULONG Bytes)
{
    if (!Out || OutBytes < Bytes)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyMemory(Out, Answer, Bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS PopGiveCapabilities(PVOID Out, ULONG OutBytes)
{
    SYSTEM_POWER_CAPABILITIES Capabilities = {
        .SystemS1 = TRUE,
        .SystemS2 = TRUE,
        .SystemS3 = TRUE,
        .SystemS5 = TRUE,
        .AcOnLineWake = PowerSystemSleeping3,
        .RtcWake = PowerSystemSleeping3,
        .MinDeviceWakeState = PowerSystemSleeping3,
        .DefaultLowLatencyWake = PowerSystemUnspecified,
    };
    return PopGive(Out, OutBytes, &Capabilities, sizeof(Capabilities));
}

static NTSTATUS PopGiveProcessors(PVOID Out, ULONG OutBytes)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    POP_PROCESSOR *Processor = Out;
    if (!Out || OutBytes < Count * sizeof(*Processor))
        return STATUS_BUFFER_TOO_SMALL;
    for (ULONG i = 0; i < Count; i++)
        Processor[i] = (POP_PROCESSOR){.Number = i, .MaxMhz = POP_MHZ, .CurrentMhz = POP_MHZ, .MhzLimit = POP_MHZ};
    return STATUS_SUCCESS;
}

/* DIFFERS: levels that set policies, and those that ask for them, are refused. */
NTSTATUS NTAPI NtPowerInformation(POWER_INFORMATION_LEVEL Level, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes)
{
    SYSTEM_BATTERY_STATE Battery = {.AcOnLine = TRUE};
    POP_SYSTEM System = {.CoolingMode = 2 /* PO_TZ_INVALID_MODE: not cooled by policy */};
    ULONG State = PopExecutionState();
    if (In || InBytes)
        return STATUS_INVALID_PARAMETER; /* docs: of all levels that are answered here */
    switch ((ULONG)Level) {
    case SystemBatteryState:
        return PopGive(Out, OutBytes, &Battery, sizeof(Battery));
    case SystemPowerCapabilities:
        return PopGiveCapabilities(Out, OutBytes);
    case SystemPowerInformation:
        return PopGive(Out, OutBytes, &System, sizeof(System));
    case SystemExecutionState:
        return PopGive(Out, OutBytes, &State, sizeof(State));
    case ProcessorInformation:
        return PopGiveProcessors(Out, OutBytes);
    case LastSleepTime:
        return PopGive(Out, OutBytes, &PopLastSleep, sizeof(PopLastSleep));
    case LastWakeTime:
        return PopGive(Out, OutBytes, &PopLastWake, sizeof(PopLastWake));
    default:
        return STATUS_NOT_SUPPORTED;
    }
}
