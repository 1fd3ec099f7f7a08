/* Ke and Ex of wdm.h: spin locks, DPCs, timers, times, bug check data, firmware. Each name has its documentation page. */
#pragma once

/* Reader and writer spin locks (docs: ExAcquireSpinLockExclusive and its family) */
typedef LONG EX_SPIN_LOCK, *PEX_SPIN_LOCK;

NTKERNELAPI KIRQL ExAcquireSpinLockExclusive(volatile LONG *SpinLock);
NTKERNELAPI VOID ExAcquireSpinLockExclusiveAtDpcLevel(volatile LONG *SpinLock);
NTKERNELAPI KIRQL ExAcquireSpinLockShared(volatile LONG *SpinLock);
NTKERNELAPI VOID ExAcquireSpinLockSharedAtDpcLevel(volatile LONG *SpinLock);
NTKERNELAPI VOID ExReleaseSpinLockExclusive(volatile LONG *SpinLock, KIRQL OldIrql);
NTKERNELAPI VOID ExReleaseSpinLockExclusiveFromDpcLevel(volatile LONG *SpinLock);
NTKERNELAPI VOID ExReleaseSpinLockShared(volatile LONG *SpinLock, KIRQL OldIrql);
NTKERNELAPI VOID ExReleaseSpinLockSharedFromDpcLevel(volatile LONG *SpinLock);
NTKERNELAPI LOGICAL ExTryConvertSharedSpinLockExclusive(volatile LONG *SpinLock);
NTKERNELAPI LOGICAL ExTryAcquireSpinLockExclusiveAtDpcLevel(volatile LONG *SpinLock);
NTKERNELAPI LOGICAL ExTryAcquireSpinLockSharedAtDpcLevel(volatile LONG *SpinLock);

/* Push locks (docs: ExAcquirePushLockExclusive and its family, macros over the exports) */
#define EX_PUSH_LOCK ULONG_PTR
#define PEX_PUSH_LOCK PULONG_PTR
NTKERNELAPI VOID FASTCALL ExAcquirePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags);
NTKERNELAPI VOID FASTCALL ExAcquirePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags);
NTKERNELAPI VOID FASTCALL ExReleasePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags);
NTKERNELAPI VOID FASTCALL ExReleasePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags);
NTKERNELAPI VOID FASTCALL ExReleasePushLockEx(PEX_PUSH_LOCK PushLock, ULONG Flags);
#define EX_DEFAULT_PUSH_LOCK_FLAGS 0
#define ExAcquirePushLockExclusive(Lock) ExAcquirePushLockExclusiveEx(Lock, EX_DEFAULT_PUSH_LOCK_FLAGS)
#define ExAcquirePushLockShared(Lock) ExAcquirePushLockSharedEx(Lock, EX_DEFAULT_PUSH_LOCK_FLAGS)
#define ExReleasePushLockExclusive(Lock) ExReleasePushLockExclusiveEx(Lock, EX_DEFAULT_PUSH_LOCK_FLAGS)
#define ExReleasePushLockShared(Lock) ExReleasePushLockSharedEx(Lock, EX_DEFAULT_PUSH_LOCK_FLAGS)
#define ExReleasePushLock(Lock) ExReleasePushLockEx(Lock, EX_DEFAULT_PUSH_LOCK_FLAGS)

NTKERNELAPI NTSTATUS NTAPI ExInitializeRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware,
                                                                     ULONG Flags);

NTKERNELAPI PSLIST_ENTRY NTAPI FirstEntrySList(const SLIST_HEADER *ListHead);
NTHALAPI VOID FASTCALL KfLowerIrql(KIRQL NewIrql);

/* Timers and DPCs */
#ifndef TIMER_ALL_ACCESS /* docs: ZwCreateTimer */
#define TIMER_QUERY_STATE 0x0001
#define TIMER_MODIFY_STATE 0x0002
#define TIMER_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | TIMER_QUERY_STATE | TIMER_MODIFY_STATE)
#endif
NTKERNELAPI VOID NTAPI ExQueryTimerResolution(PULONG MaximumTime, PULONG MinimumTime, PULONG CurrentTime);
NTKERNELAPI BOOLEAN NTAPI KeRemoveQueueDpcEx(PRKDPC Dpc, BOOLEAN WaitIfActive);
NTKERNELAPI LOGICAL NTAPI KeIsExecutingDpc(VOID);
NTKERNELAPI LOGICAL NTAPI KeShouldYieldProcessor(VOID);
FORCEINLINE VOID ExInitializeDeleteTimerParameters(PEXT_DELETE_PARAMETERS Parameters)
{
    RtlZeroMemory(Parameters, sizeof(*Parameters));
}

/* A thread's SSE state is its own at every level up to DISPATCH_LEVEL: on x64 the kit answers these itself. */
#ifndef _NTOSKRNL_
FORCEINLINE NTSTATUS KeSaveFloatingPointState(PKFLOATING_SAVE FloatSave)
{
    (void)FloatSave;
    return STATUS_SUCCESS;
}

FORCEINLINE NTSTATUS KeRestoreFloatingPointState(PKFLOATING_SAVE FloatSave)
{
    (void)FloatSave;
    return STATUS_SUCCESS;
}
#endif

/* Times */
NTKERNELAPI ULONG64 NTAPI KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp);
NTKERNELAPI VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime);
NTKERNELAPI ULONG NTAPI KeQueryNodeActiveProcessorCount(USHORT NodeNumber);
NTKERNELAPI NTSTATUS NTAPI KeQueryNodeActiveAffinity2(USHORT NodeNumber, PGROUP_AFFINITY GroupAffinities,
                                                      USHORT GroupAffinitiesCount, PUSHORT GroupAffinitiesRequired);
NTKERNELAPI NTSTATUS NTAPI KeConvertAuxiliaryCounterToPerformanceCounter(ULONG64 AuxiliaryCounterValue,
                                                                         PULONG64 PerformanceCounterValue,
                                                                         PULONG64 ConversionError);
NTKERNELAPI NTSTATUS NTAPI KeConvertPerformanceCounterToAuxiliaryCounter(ULONG64 PerformanceCounterValue,
                                                                         PULONG64 AuxiliaryCounterValue,
                                                                         PULONG64 ConversionError);
NTKERNELAPI NTSTATUS NTAPI KeQueryAuxiliaryCounterFrequency(PULONG64 AuxiliaryCounterFrequency);
NTKERNELAPI ULONG64 NTAPI PsQueryTotalCycleTimeProcess(PEPROCESS Process, PULONG64 CycleTimeStamp);

/* Bound exceptions (docs: KeRegisterBoundCallback) */
typedef enum _BOUND_CALLBACK_STATUS {
    BoundExceptionContinueSearch,
    BoundExceptionHandled,
    BoundExceptionError,
    BoundExceptionMaximum
} BOUND_CALLBACK_STATUS,
    *PBOUND_CALLBACK_STATUS;
typedef BOUND_CALLBACK_STATUS NTAPI BOUND_CALLBACK(VOID);
typedef BOUND_CALLBACK *PBOUND_CALLBACK;
NTKERNELAPI PVOID NTAPI KeRegisterBoundCallback(PBOUND_CALLBACK CallbackRoutine);
NTKERNELAPI NTSTATUS NTAPI KeDeregisterBoundCallback(PVOID Handle);

/* Dump data (docs: KTRIAGE_DUMP_DATA_ARRAY, KBUGCHECK_TRIAGE_DUMP_DATA, KBUGCHECK_REMOVE_PAGES) */
typedef struct _KADDRESS_RANGE {
    PVOID Address;
    SIZE_T Size;
} KADDRESS_RANGE, *PKADDRESS_RANGE;
typedef struct _KADDRESS_RANGE_DESCRIPTOR {
    const KADDRESS_RANGE *AddressRanges;
    SIZE_T AddressRangeCount;
} KADDRESS_RANGE_DESCRIPTOR, *PKADDRESS_RANGE_DESCRIPTOR;
typedef struct _KTRIAGE_DUMP_DATA_ARRAY {
    LIST_ENTRY List;
    ULONG NumBlocksUsed;
    ULONG NumBlocksTotal;
    ULONG DataSize;
    ULONG MaxDataSize;
    ULONG ComponentNameBufferLength;
    PUCHAR ComponentName;
    KADDRESS_RANGE Blocks[ANYSIZE_ARRAY];
} KTRIAGE_DUMP_DATA_ARRAY, *PKTRIAGE_DUMP_DATA_ARRAY;
typedef struct _KBUGCHECK_TRIAGE_DUMP_DATA {
    PKTRIAGE_DUMP_DATA_ARRAY DataArray;
    ULONG Flags;
    ULONG MaxVirtMemSize;
    ULONG BugCheckCode;
    ULONG_PTR BugCheckParameter1;
    ULONG_PTR BugCheckParameter2;
    ULONG_PTR BugCheckParameter3;
    ULONG_PTR BugCheckParameter4;
} KBUGCHECK_TRIAGE_DUMP_DATA, *PKBUGCHECK_TRIAGE_DUMP_DATA;
typedef struct _KBUGCHECK_REMOVE_PAGES {
    PVOID Context;
    ULONG Flags;
    ULONG BugCheckCode;
    ULONG_PTR Address;
    ULONG_PTR Count;
} KBUGCHECK_REMOVE_PAGES, *PKBUGCHECK_REMOVE_PAGES;
NTKERNELAPI NTSTATUS NTAPI KeInitializeTriageDumpDataArray(PKTRIAGE_DUMP_DATA_ARRAY KtriageDumpDataArray, ULONG Size);
NTKERNELAPI NTSTATUS NTAPI KeAddTriageDumpDataBlock(PKTRIAGE_DUMP_DATA_ARRAY KtriageDumpDataArray, PVOID Address,
                                                    SIZE_T Size);
NTKERNELAPI NTSTATUS NTAPI KeInitializeCrashDumpHeader(ULONG DumpType, ULONG Flags, PVOID Buffer, ULONG BufferSize,
                                                       PULONG BufferNeeded);

/* Firmware */
#ifndef _WINBASE_
typedef enum _FIRMWARE_TYPE {
    FirmwareTypeUnknown,
    FirmwareTypeBios,
    FirmwareTypeUefi,
    FirmwareTypeMax
} FIRMWARE_TYPE,
    *PFIRMWARE_TYPE;
#endif
NTKERNELAPI FIRMWARE_TYPE NTAPI ExGetFirmwareType(VOID);
NTKERNELAPI BOOLEAN NTAPI ExIsSoftBoot(VOID);
NTKERNELAPI NTSTATUS NTAPI ExGetFirmwareEnvironmentVariable(PUNICODE_STRING VariableName, LPGUID VendorGuid,
                                                            PVOID Value, PULONG ValueLength, PULONG Attributes);
NTKERNELAPI NTSTATUS NTAPI ExSetFirmwareEnvironmentVariable(PUNICODE_STRING VariableName, LPGUID VendorGuid,
                                                            PVOID Value, ULONG ValueLength, ULONG Attributes);

/* Events of a driver's own (docs: EtwSetInformation, ETWENABLECALLBACK) */
typedef VOID NTAPI ETWENABLECALLBACK(LPCGUID SourceId, ULONG ControlCode, UCHAR Level, ULONGLONG MatchAnyKeyword,
                                     ULONGLONG MatchAllKeyword, PEVENT_FILTER_DESCRIPTOR FilterData,
                                     PVOID CallbackContext);
NTKERNELAPI NTSTATUS NTAPI EtwSetInformation(REGHANDLE RegHandle, ULONG InformationClass, PVOID EventInformation,
                                             ULONG InformationLength);
