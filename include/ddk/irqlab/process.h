/* What ntddk.h of Windows 10's kit has and Debian's lacks: processes, threads, images, silos, start-up, activities. */
#pragma once

/* ---- Notification (docs: PsSetCreateProcessNotifyRoutineEx2, PsSetCreateThreadNotifyRoutineEx, IMAGE_INFO_EX) -------- */

typedef VOID NTAPI CREATE_PROCESS_NOTIFY_ROUTINE(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create);
typedef VOID NTAPI CREATE_PROCESS_NOTIFY_ROUTINE_EX(PEPROCESS Process, HANDLE ProcessId,
                                                    PPS_CREATE_NOTIFY_INFO CreateInfo);
typedef VOID NTAPI CREATE_THREAD_NOTIFY_ROUTINE(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create);
typedef VOID NTAPI LOAD_IMAGE_NOTIFY_ROUTINE(PUNICODE_STRING FullImageName, HANDLE ProcessId, PIMAGE_INFO ImageInfo);

typedef enum _PSCREATEPROCESSNOTIFYTYPE { PsCreateProcessNotifySubsystems = 0 } PSCREATEPROCESSNOTIFYTYPE;
typedef enum _PSCREATETHREADNOTIFYTYPE {
    PsCreateThreadNotifyNonSystem = 0,
    PsCreateThreadNotifySubsystems = 1
} PSCREATETHREADNOTIFYTYPE;
#define PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE 0x1

typedef enum _SUBSYSTEM_INFORMATION_TYPE {
    SubsystemInformationTypeWin32 = 0,
    SubsystemInformationTypeWSL,
    MaxSubsystemInformationType
} SUBSYSTEM_INFORMATION_TYPE;

NTKERNELAPI NTSTATUS NTAPI PsSetCreateProcessNotifyRoutineEx2(PSCREATEPROCESSNOTIFYTYPE NotifyType,
                                                              PVOID NotifyInformation, BOOLEAN Remove);
NTKERNELAPI NTSTATUS NTAPI PsSetCreateThreadNotifyRoutineEx(PSCREATETHREADNOTIFYTYPE NotifyType,
                                                            PVOID NotifyInformation);
NTKERNELAPI NTSTATUS NTAPI PsSetLoadImageNotifyRoutineEx(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine, ULONG_PTR Flags);

NTKERNELAPI NTSTATUS NTAPI PsGetProcessExitStatus(PEPROCESS Process);
NTKERNELAPI ULONGLONG NTAPI PsGetProcessStartKey(PEPROCESS Process);
NTKERNELAPI LONGLONG NTAPI PsGetThreadCreateTime(PETHREAD Thread);
NTKERNELAPI NTSTATUS NTAPI PsGetThreadExitStatus(PETHREAD Thread);
NTKERNELAPI PVOID NTAPI PsGetThreadProperty(PETHREAD Thread, ULONG_PTR Key, ULONG Flags);
NTKERNELAPI PVOID NTAPI PsGetCurrentThreadTeb(VOID);

/* docs: DRIVER_REINITIALIZE, RTL_GENERIC_TABLE routines: the types that declare such a routine */
typedef VOID NTAPI DRIVER_REINITIALIZE(PDRIVER_OBJECT DriverObject, PVOID Context, ULONG Count);
typedef NTSTATUS NTAPI RTL_QUERY_REGISTRY_ROUTINE(PWSTR ValueName, ULONG ValueType, PVOID ValueData, ULONG ValueLength,
                                                  PVOID Context, PVOID EntryContext);
typedef RTL_GENERIC_COMPARE_RESULTS NTAPI RTL_AVL_COMPARE_ROUTINE(RTL_AVL_TABLE *Table, PVOID FirstStruct,
                                                                  PVOID SecondStruct);
typedef PVOID NTAPI RTL_AVL_ALLOCATE_ROUTINE(RTL_AVL_TABLE *Table, CLONG ByteSize);
typedef VOID NTAPI RTL_AVL_FREE_ROUTINE(RTL_AVL_TABLE *Table, PVOID Buffer);

/* docs: KeExpandKernelStackAndCalloutEx, RtlRunOnceExecuteOnce */
IRQLAB_ROUTINE(EXPAND_STACK_CALLOUT);
IRQLAB_ROUTINE(RTL_RUN_ONCE_INIT_FN);

/* ---- Silos (docs: PsGetCurrentSilo) ---------------------------------------------------------------------------------- */

typedef struct _EJOB *PEJOB;
typedef PEJOB PESILO;
typedef struct _SILO_MONITOR *PSILO_MONITOR;
typedef VOID NTAPI SILO_CONTEXT_CLEANUP_CALLBACK(PVOID SiloContext);
typedef SILO_CONTEXT_CLEANUP_CALLBACK *PSILO_CONTEXT_CLEANUP_CALLBACK;
typedef NTSTATUS NTAPI SILO_MONITOR_CREATE_CALLBACK(PESILO Silo);
typedef SILO_MONITOR_CREATE_CALLBACK *PSILO_MONITOR_CREATE_CALLBACK;
typedef VOID NTAPI SILO_MONITOR_TERMINATE_CALLBACK(PESILO Silo);
typedef SILO_MONITOR_TERMINATE_CALLBACK *PSILO_MONITOR_TERMINATE_CALLBACK;

#define SILO_MONITOR_REGISTRATION_VERSION 1
#define INVALID_SILO_CONTEXT_SLOT ((ULONG)-1)
typedef struct _SILO_MONITOR_REGISTRATION {
    UCHAR Version;
    BOOLEAN MonitorHost;
    BOOLEAN MonitorExistingSilos;
    UCHAR Reserved[5];
    union {
        PUNICODE_STRING DriverObjectName;
        PUNICODE_STRING ComponentName;
    };
    PSILO_MONITOR_CREATE_CALLBACK CreateCallback;
    PSILO_MONITOR_TERMINATE_CALLBACK TerminateCallback;
} SILO_MONITOR_REGISTRATION, *PSILO_MONITOR_REGISTRATION;

typedef struct _IO_FOEXT_SILO_PARAMETERS {
    ULONG Length;
    union {
        struct {
            ULONG HasHardReference : 1;
            ULONG SpareFlags : 31;
        };
        ULONG Flags;
    };
    PESILO SiloContext;
} IO_FOEXT_SILO_PARAMETERS, *PIO_FOEXT_SILO_PARAMETERS;
NTKERNELAPI PIO_FOEXT_SILO_PARAMETERS NTAPI IoGetSiloParameters(PFILE_OBJECT FileObject);
NTKERNELAPI PESILO NTAPI PsGetCurrentSilo(VOID);
NTKERNELAPI PESILO NTAPI PsGetCurrentServerSilo(VOID);
NTKERNELAPI PESILO NTAPI PsGetThreadServerSilo(PETHREAD Thread);
NTKERNELAPI PESILO NTAPI PsGetParentSilo(PEJOB Job);
NTKERNELAPI PESILO NTAPI PsGetEffectiveServerSilo(PESILO Silo);
NTKERNELAPI PESILO NTAPI PsGetHostSilo(VOID);
NTKERNELAPI BOOLEAN NTAPI PsIsHostSilo(PESILO Silo);
NTKERNELAPI BOOLEAN NTAPI PsIsCurrentThreadInServerSilo(VOID);
NTKERNELAPI ULONG NTAPI PsGetServerSiloActiveConsoleId(PESILO Silo);
NTKERNELAPI PESILO NTAPI PsAttachSiloToCurrentThread(PESILO Silo);
NTKERNELAPI VOID NTAPI PsDetachSiloFromCurrentThread(PESILO PreviousSilo);
NTKERNELAPI NTSTATUS NTAPI PsCreateSiloContext(PESILO Silo, ULONG Size, POOL_TYPE PoolType,
                                               PSILO_CONTEXT_CLEANUP_CALLBACK ContextCleanupCallback,
                                               PVOID *ReturnedSiloContext);
NTKERNELAPI VOID NTAPI PsReferenceSiloContext(PVOID SiloContext);
NTKERNELAPI VOID NTAPI PsDereferenceSiloContext(PVOID SiloContext);
NTKERNELAPI NTSTATUS NTAPI PsAllocSiloContextSlot(ULONG_PTR Reserved, ULONG *ReturnedContextSlot);
NTKERNELAPI NTSTATUS NTAPI PsFreeSiloContextSlot(ULONG ContextSlot);
NTKERNELAPI NTSTATUS NTAPI PsInsertSiloContext(PESILO Silo, ULONG ContextSlot, PVOID SiloContext);
NTKERNELAPI NTSTATUS NTAPI PsReplaceSiloContext(PESILO Silo, ULONG ContextSlot, PVOID NewSiloContext,
                                                PVOID *OldSiloContext);
NTKERNELAPI NTSTATUS NTAPI PsInsertPermanentSiloContext(PESILO Silo, ULONG ContextSlot, PVOID SiloContext);
NTKERNELAPI NTSTATUS NTAPI PsMakeSiloContextPermanent(PESILO Silo, ULONG ContextSlot);
NTKERNELAPI NTSTATUS NTAPI PsGetSiloContext(PESILO Silo, ULONG ContextSlot, PVOID *ReturnedSiloContext);
NTKERNELAPI NTSTATUS NTAPI PsGetPermanentSiloContext(PESILO Silo, ULONG ContextSlot, PVOID *ReturnedSiloContext);
NTKERNELAPI NTSTATUS NTAPI PsRemoveSiloContext(PESILO Silo, ULONG ContextSlot, PVOID *RemovedSiloContext);
NTKERNELAPI NTSTATUS NTAPI PsRegisterSiloMonitor(PSILO_MONITOR_REGISTRATION Registration,
                                                 PSILO_MONITOR *ReturnedMonitor);
NTKERNELAPI NTSTATUS NTAPI PsStartSiloMonitor(PSILO_MONITOR Monitor);
NTKERNELAPI ULONG NTAPI PsGetSiloMonitorContextSlot(PSILO_MONITOR Monitor);
NTKERNELAPI VOID NTAPI PsUnregisterSiloMonitor(PSILO_MONITOR Monitor);

/* ---- Start-up (docs: IoRegisterBootDriverCallback, BDCB_IMAGE_INFORMATION) ----------------------------------------------- */

typedef enum _BDCB_CALLBACK_TYPE { BdCbStatusUpdate, BdCbInitializeImage } BDCB_CALLBACK_TYPE, *PBDCB_CALLBACK_TYPE;
typedef enum _BDCB_STATUS_UPDATE_TYPE {
    BdCbStatusPrepareForDependencyLoad,
    BdCbStatusPrepareForDriverLoad,
    BdCbStatusPrepareForUnload
} BDCB_STATUS_UPDATE_TYPE,
    *PBDCB_STATUS_UPDATE_TYPE;
typedef enum _BDCB_CLASSIFICATION {
    BdCbClassificationUnknownImage,
    BdCbClassificationKnownGoodImage,
    BdCbClassificationKnownBadImage,
    BdCbClassificationKnownBadImageBootCritical,
    BdCbClassificationEnd
} BDCB_CLASSIFICATION,
    *PBDCB_CLASSIFICATION;
typedef struct _BDCB_STATUS_UPDATE_CONTEXT {
    BDCB_STATUS_UPDATE_TYPE StatusType;
} BDCB_STATUS_UPDATE_CONTEXT, *PBDCB_STATUS_UPDATE_CONTEXT;
typedef struct _BDCB_IMAGE_INFORMATION {
    BDCB_CLASSIFICATION Classification;
    ULONG ImageFlags;
    UNICODE_STRING ImageName;
    UNICODE_STRING RegistryPath;
    UNICODE_STRING CertificatePublisher;
    UNICODE_STRING CertificateIssuer;
    PVOID ImageHash;
    PVOID CertificateThumbprint;
    ULONG ImageHashAlgorithm;
    ULONG ThumbprintHashAlgorithm;
    ULONG ImageHashLength;
    ULONG CertificateThumbprintLength;
} BDCB_IMAGE_INFORMATION, *PBDCB_IMAGE_INFORMATION;
typedef VOID NTAPI BOOT_DRIVER_CALLBACK_FUNCTION(PVOID CallbackContext, BDCB_CALLBACK_TYPE Classification,
                                                 PBDCB_IMAGE_INFORMATION ImageInformation);
typedef BOOT_DRIVER_CALLBACK_FUNCTION *PBOOT_DRIVER_CALLBACK_FUNCTION;
NTKERNELAPI PVOID NTAPI IoRegisterBootDriverCallback(PBOOT_DRIVER_CALLBACK_FUNCTION CallbackFunction,
                                                     PVOID CallbackContext);
NTKERNELAPI VOID NTAPI IoUnregisterBootDriverCallback(PVOID CallbackHandle);

/* ---- Requests --------------------------------------------------------------------------------------------------------- */

NTKERNELAPI NTSTATUS NTAPI IoGetActivityIdIrp(PIRP Irp, LPGUID Guid);
NTKERNELAPI NTSTATUS NTAPI IoSetActivityIdIrp(PIRP Irp, LPCGUID Guid);
NTKERNELAPI NTSTATUS NTAPI IoPropagateActivityIdToThread(PIRP Irp, LPGUID PropagatedId, LPCGUID *OriginalId);
NTKERNELAPI LPGUID NTAPI IoGetActivityIdThread(VOID);
NTKERNELAPI LPCGUID NTAPI IoSetActivityIdThread(LPCGUID ActivityId);
NTKERNELAPI VOID NTAPI IoClearActivityIdThread(LPCGUID OriginalId);
NTKERNELAPI VOID NTAPI IoTransferActivityId(LPCGUID ActivityId, LPCGUID RelatedActivityId);
NTKERNELAPI NTSTATUS NTAPI IoIncrementKeepAliveCount(PFILE_OBJECT FileObject, PEPROCESS Process);
NTKERNELAPI NTSTATUS NTAPI IoDecrementKeepAliveCount(PFILE_OBJECT FileObject, PEPROCESS Process);
NTKERNELAPI PEPROCESS NTAPI IoGetInitiatorProcess(PFILE_OBJECT FileObject);
NTKERNELAPI BOOLEAN NTAPI IoIsValidIrpStatus(NTSTATUS Status);
NTKERNELAPI NTSTATUS NTAPI IoQueryFullDriverPath(PDRIVER_OBJECT DriverObject, PUNICODE_STRING FullPath);
NTKERNELAPI NTSTATUS NTAPI IoReportRootDevice(PDRIVER_OBJECT DriverObject);
NTKERNELAPI VOID NTAPI IoSetMasterIrpStatus(PIRP MasterIrp, NTSTATUS Status);
NTKERNELAPI NTSTATUS NTAPI KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size,
                                                           BOOLEAN Wait, PVOID Context);

/* ---- Memory ---------------------------------------------------------------------------------------------------------- */

NTKERNELAPI VOID NTAPI MmProbeAndLockSelectedPages(PMDL MemoryDescriptorList, PFILE_SEGMENT_ELEMENT SegmentArray,
                                                   KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation);

/* ---- Rtl --------------------------------------------------------------------------------------------------------------- */

#define RTL_CORRELATION_VECTOR_STRING_LENGTH 129
#define RTL_CORRELATION_VECTOR_VERSION_1 ((CHAR)1)
#define RTL_CORRELATION_VECTOR_VERSION_2 ((CHAR)2)
#define RTL_CORRELATION_VECTOR_VERSION_CURRENT RTL_CORRELATION_VECTOR_VERSION_2
typedef struct CORRELATION_VECTOR {
    CHAR Version;
    CHAR Vector[RTL_CORRELATION_VECTOR_STRING_LENGTH];
} CORRELATION_VECTOR, *PCORRELATION_VECTOR;
NTSYSAPI ULONG NTAPI RtlInitializeCorrelationVector(PCORRELATION_VECTOR CorrelationVector, int Version,
                                                    const GUID *Guid);
NTSYSAPI ULONG NTAPI RtlIncrementCorrelationVector(PCORRELATION_VECTOR CorrelationVector);
NTSYSAPI ULONG NTAPI RtlExtendCorrelationVector(PCORRELATION_VECTOR CorrelationVector);
NTSYSAPI ULONG NTAPI RtlValidateCorrelationVector(PCORRELATION_VECTOR Vector);
NTSYSAPI BOOLEAN NTAPI RtlIsStateSeparationEnabled(VOID);
typedef enum _STATE_LOCATION_TYPE {
    LocationTypeRegistry = 0,
    LocationTypeFileSystem = 1,
    LocationTypeMaximum = 2
} STATE_LOCATION_TYPE;
NTSYSAPI NTSTATUS NTAPI RtlGetPersistedStateLocation(PCWSTR SourceID, PCWSTR CustomValue, PCWSTR DefaultPath,
                                                     STATE_LOCATION_TYPE StateLocationType, PWCHAR TargetPath,
                                                     ULONG BufferLengthIn, PULONG BufferLengthOut);
typedef struct _CUSTOM_SYSTEM_EVENT_TRIGGER_CONFIG {
    ULONG Size;
    PCWSTR TriggerId;
} CUSTOM_SYSTEM_EVENT_TRIGGER_CONFIG, *PCUSTOM_SYSTEM_EVENT_TRIGGER_CONFIG;
static inline VOID CUSTOM_SYSTEM_EVENT_TRIGGER_INIT(PCUSTOM_SYSTEM_EVENT_TRIGGER_CONFIG Config, PCWSTR TriggerId)
{
    Config->Size = sizeof(*Config);
    Config->TriggerId = TriggerId;
}
NTSYSAPI NTSTATUS NTAPI RtlRaiseCustomSystemEventTrigger(PCUSTOM_SYSTEM_EVENT_TRIGGER_CONFIG TriggerConfig);
NTSYSAPI NTSTATUS NTAPI RtlQueryRegistryValueWithFallback(HANDLE PrimaryHandle, HANDLE FallbackHandle,
                                                          PUNICODE_STRING ValueName, ULONG ValueLength,
                                                          PULONG ValueType, PVOID ValueData, PULONG ResultLength);
