/* Io, Cm and Ob of wdm.h, and the declaring types of routines that Debian's headers have only as pointers. */
#pragma once

/* ---- Routines' types ------------------------------------------------------------------------------------------- */

typedef NTSTATUS NTAPI DRIVER_DISPATCH_PAGED(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef NTSTATUS NTAPI DRIVER_DISPATCH_RAISED(PDEVICE_OBJECT DeviceObject, PIRP Irp);

/* docs: IoCsqInitializeEx, DMA_COMPLETION_ROUTINE, ExInitializeLookasideListEx: what Debian's headers have as pointers. */
#define IRQLAB_ROUTINE(Name) typedef __typeof__(*(P##Name)0) Name
IRQLAB_ROUTINE(ALLOCATE_FUNCTION_EX);
IRQLAB_ROUTINE(FREE_FUNCTION_EX);
IRQLAB_ROUTINE(IO_CSQ_INSERT_IRP);
IRQLAB_ROUTINE(IO_CSQ_INSERT_IRP_EX);
IRQLAB_ROUTINE(IO_CSQ_REMOVE_IRP);
IRQLAB_ROUTINE(IO_CSQ_PEEK_NEXT_IRP);
IRQLAB_ROUTINE(IO_CSQ_ACQUIRE_LOCK);
IRQLAB_ROUTINE(IO_CSQ_RELEASE_LOCK);
IRQLAB_ROUTINE(IO_CSQ_COMPLETE_CANCELED_IRP);

#ifndef DECLARE_GLOBAL_CONST_UNICODE_STRING
#define DECLARE_GLOBAL_CONST_UNICODE_STRING(Name, Text)                                                                \
    const WCHAR Name##_buffer[] = Text;                                                                                \
    const UNICODE_STRING Name = {sizeof(Text) - sizeof(WCHAR), sizeof(Text), (PWCH)Name##_buffer}
#endif

/* ---- Devices (docs: "Specifying Device Characteristics", DEVICE_OBJECT) ------------------------------------------- */

#ifndef FILE_DEVICE_ALLOW_APPCONTAINER_TRAVERSAL
#define FILE_DEVICE_ALLOW_APPCONTAINER_TRAVERSAL 0x00020000
#endif
#ifndef DO_DEVICE_TO_BE_RESET
#define DO_DEVICE_TO_BE_RESET 0x04000000
#endif

#ifndef CmResourceTypeConnection
#define CmResourceTypeConnection 132
#define CM_RESOURCE_CONNECTION_CLASS_GPIO 1
#define CM_RESOURCE_CONNECTION_CLASS_SERIAL 2
#define CM_RESOURCE_CONNECTION_TYPE_GPIO_IO 2
#define CM_RESOURCE_CONNECTION_TYPE_SERIAL_I2C 1
#define CM_RESOURCE_CONNECTION_TYPE_SERIAL_SPI 2
#define CM_RESOURCE_CONNECTION_TYPE_SERIAL_UART 3
#endif

typedef enum _DEVICE_DIRECTORY_TYPE { DeviceDirectoryData } DEVICE_DIRECTORY_TYPE, *PDEVICE_DIRECTORY_TYPE;
typedef enum _DRIVER_DIRECTORY_TYPE {
    DriverDirectoryImage,
    DriverDirectoryData,
    DriverDirectorySharedData
} DRIVER_DIRECTORY_TYPE,
    *PDRIVER_DIRECTORY_TYPE;
typedef enum _DRIVER_REGKEY_TYPE {
    DriverRegKeyParameters,
    DriverRegKeyPersistentState,
    DriverRegKeySharedPersistentState
} DRIVER_REGKEY_TYPE,
    *PDRIVER_REGKEY_TYPE;

#ifndef LOCALE_NEUTRAL
#define LOCALE_NEUTRAL ((LCID)0) /* the neutral language, sorted as usual */
#endif
NTKERNELAPI NTSTATUS NTAPI IoGetDeviceDirectory(PDEVICE_OBJECT PhysicalDeviceObject,
                                                DEVICE_DIRECTORY_TYPE DirectoryType, ULONG Flags, PVOID Reserved,
                                                PHANDLE DeviceDirectoryHandle);
NTKERNELAPI NTSTATUS NTAPI IoGetDriverDirectory(PDRIVER_OBJECT DriverObject, DRIVER_DIRECTORY_TYPE DirectoryType,
                                                ULONG Flags, PHANDLE DriverDirectoryHandle);
NTKERNELAPI NTSTATUS NTAPI IoOpenDriverRegistryKey(PDRIVER_OBJECT DriverObject, DRIVER_REGKEY_TYPE RegKeyType,
                                                   ACCESS_MASK DesiredAccess, ULONG Flags, PHANDLE DriverRegKey);
NTKERNELAPI NTSTATUS NTAPI IoGetDeviceInterfacePropertyData(PUNICODE_STRING SymbolicLinkName,
                                                            const DEVPROPKEY *PropertyKey, LCID Lcid, ULONG Flags,
                                                            ULONG Size, PVOID Data, PULONG RequiredSize,
                                                            PDEVPROPTYPE Type);
NTKERNELAPI NTSTATUS NTAPI IoSetDeviceInterfacePropertyData(PUNICODE_STRING SymbolicLinkName,
                                                            const DEVPROPKEY *PropertyKey, LCID Lcid, ULONG Flags,
                                                            DEVPROPTYPE Type, ULONG Size, PVOID Data);

/* docs: GUID_DEVICE_RESET_INTERFACE_STANDARD, DEVICE_RESET_INTERFACE_STANDARD */
typedef enum _DEVICE_RESET_TYPE { FunctionLevelDeviceReset, PlatformLevelDeviceReset } DEVICE_RESET_TYPE;
typedef struct _FUNCTION_LEVEL_DEVICE_RESET_PARAMETERS {
    ULONG Size;
    VOID(NTAPI *DeviceResetCompletion)(NTSTATUS Status, PVOID Context);
    PVOID CompletionContext;
} FUNCTION_LEVEL_DEVICE_RESET_PARAMETERS, *PFUNCTION_LEVEL_DEVICE_RESET_PARAMETERS;
typedef NTSTATUS(NTAPI *PDEVICE_RESET_HANDLER)(PVOID InterfaceContext, DEVICE_RESET_TYPE ResetType, ULONG Flags,
                                               PVOID ResetParameters);
typedef struct _DEVICE_RESET_INTERFACE_STANDARD {
    USHORT Size;
    USHORT Version;
    PVOID Context;
    PINTERFACE_REFERENCE InterfaceReference;
    PINTERFACE_DEREFERENCE InterfaceDereference;
    PDEVICE_RESET_HANDLER DeviceReset;
    ULONG SupportedResetTypes;
    PVOID Reserved;
} DEVICE_RESET_INTERFACE_STANDARD, *PDEVICE_RESET_INTERFACE_STANDARD;

/* docs: D3COLD_SUPPORT_INTERFACE */
typedef enum _D3COLD_LAST_TRANSITION_STATUS {
    LastDStateTransitionStatusUnknown,
    LastDStateTransitionD3hot,
    LastDStateTransitionD3cold
} D3COLD_LAST_TRANSITION_STATUS,
    *PD3COLD_LAST_TRANSITION_STATUS;
typedef enum _DEVICE_WAKE_DEPTH {
    DeviceWakeDepthNotWakeable,
    DeviceWakeDepthD0,
    DeviceWakeDepthD1,
    DeviceWakeDepthD2,
    DeviceWakeDepthD3hot,
    DeviceWakeDepthD3cold,
    DeviceWakeDepthMaximum
} DEVICE_WAKE_DEPTH,
    *PDEVICE_WAKE_DEPTH;
typedef struct _D3COLD_SUPPORT_INTERFACE {
    USHORT Size;
    USHORT Version;
    PVOID Context;
    PINTERFACE_REFERENCE InterfaceReference;
    PINTERFACE_DEREFERENCE InterfaceDereference;
    VOID(NTAPI *SetD3ColdSupport)(PVOID Context, BOOLEAN D3ColdSupport);
    NTSTATUS(NTAPI *GetIdleWakeInfo)
    (PVOID Context, SYSTEM_POWER_STATE SystemPowerState, PDEVICE_WAKE_DEPTH DeepestWakeableDstate);
    NTSTATUS(NTAPI *GetD3ColdCapability)(PVOID Context, PBOOLEAN D3ColdSupported);
    NTSTATUS(NTAPI *GetBusDriverD3ColdSupport)(PVOID Context, PBOOLEAN D3ColdSupported);
    VOID(NTAPI *GetLastTransitionStatus)(PVOID Context, PD3COLD_LAST_TRANSITION_STATUS LastTransitionStatus);
} D3COLD_SUPPORT_INTERFACE, *PD3COLD_SUPPORT_INTERFACE;

#ifndef STATUS_FT_READ_FROM_COPY
#define STATUS_FT_READ_FROM_COPY ((NTSTATUS)0x40000035)
#endif

/* ---- Requests and files -------------------------------------------------------------------------------------------- */

typedef struct _LINK_SHARE_ACCESS {
    ULONG OpenCount;
    ULONG Deleters;
    ULONG SharedDelete;
} LINK_SHARE_ACCESS, *PLINK_SHARE_ACCESS;

#define IO_SHARE_ACCESS_NO_WRITE_PERMISSION 0x80000000
#define IO_SHARE_ACCESS_NON_PRIMARY_STREAM 0x00000080
#define IO_CHECK_SHARE_ACCESS_UPDATE_SHARE_ACCESS 0x00000001
#define IO_CHECK_SHARE_ACCESS_DONT_UPDATE_FILE_OBJECT 0x00000002
#define IO_CHECK_SHARE_ACCESS_DONT_CHECK_READ 0x00000004
#define IO_CHECK_SHARE_ACCESS_DONT_CHECK_WRITE 0x00000008
#define IO_CHECK_SHARE_ACCESS_DONT_CHECK_DELETE 0x00000010
#define IO_CHECK_SHARE_ACCESS_FORCE_CHECK 0x00000020
#define IO_CHECK_SHARE_ACCESS_FORCE_USING_SCB 0x00000040

NTKERNELAPI PIRP NTAPI IoAllocateIrpEx(PDEVICE_OBJECT DeviceObject, CCHAR StackSize, BOOLEAN ChargeQuota);
NTKERNELAPI NTSTATUS NTAPI IoCheckLinkShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess,
                                                  PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess,
                                                  PLINK_SHARE_ACCESS LinkShareAccess, ULONG IoShareAccessFlags);
NTKERNELAPI VOID NTAPI IoSetLinkShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess,
                                            PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess,
                                            PLINK_SHARE_ACCESS LinkShareAccess, ULONG IoShareAccessFlags);
NTKERNELAPI VOID NTAPI IoUpdateLinkShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess,
                                               PLINK_SHARE_ACCESS LinkShareAccess);
NTKERNELAPI VOID NTAPI IoRemoveLinkShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess,
                                               PLINK_SHARE_ACCESS LinkShareAccess);
NTKERNELAPI NTSTATUS NTAPI IoCreateSystemThread(PVOID IoObject, PHANDLE ThreadHandle, ULONG DesiredAccess,
                                                POBJECT_ATTRIBUTES ObjectAttributes, HANDLE ProcessHandle,
                                                PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine, PVOID StartContext);
NTKERNELAPI NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE PreviousMode);
NTKERNELAPI BOOLEAN NTAPI ObReferenceObjectSafe(PVOID Object);
NTSYSAPI NTSTATUS NTAPI ZwQueryInformationByName(POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                                                 PVOID FileInformation, ULONG Length,
                                                 FILE_INFORMATION_CLASS FileInformationClass);

/* ---- Interrupts and DMA (docs: IoReportInterruptActive, DMA_ADAPTER_INFO, DMA_TRANSFER_INFO) ------------------------ */

typedef struct _IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS {
    ULONG Version;
    union {
        PVOID Generic;
        PKINTERRUPT InterruptObject;
        PIO_INTERRUPT_MESSAGE_INFO InterruptMessageTable;
    } ConnectionContext;
} IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS, *PIO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS;

NTKERNELAPI VOID NTAPI IoReportInterruptActive(PIO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS Parameters);
NTKERNELAPI VOID NTAPI IoReportInterruptInactive(PIO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS Parameters);

/* ---- Registry (docs: RtlQueryRegistryValues, ExRegisterCallback routines, REG_QUERY_KEY_NAME) ------------------------ */

#ifndef RTL_QUERY_REGISTRY_TYPECHECK
#define RTL_QUERY_REGISTRY_TYPECHECK 0x00000100
#define RTL_QUERY_REGISTRY_TYPECHECK_SHIFT 24
#define RTL_QUERY_REGISTRY_TYPECHECK_MASK (0xffu << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT)
#endif

typedef struct _REG_QUERY_KEY_NAME {
    PVOID Object;
    POBJECT_NAME_INFORMATION ObjectNameInfo;
    ULONG Length;
    PULONG ReturnLength;
    PVOID CallContext;
    PVOID ObjectContext;
    PVOID Reserved;
} REG_QUERY_KEY_NAME, *PREG_QUERY_KEY_NAME;

NTKERNELAPI NTSTATUS NTAPI CmCallbackGetKeyObjectIDEx(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID,
                                                      PCUNICODE_STRING *ObjectName, ULONG Flags);
NTKERNELAPI VOID NTAPI CmCallbackReleaseKeyObjectIDEx(PCUNICODE_STRING ObjectName);

NTKERNELAPI NTSTATUS NTAPI SeEtwWriteKMCveEvent(PCUNICODE_STRING CveId, PCUNICODE_STRING AdditionalDetails);

typedef struct _DMA_IOMMU_INTERFACE DMA_IOMMU_INTERFACE, *PDMA_IOMMU_INTERFACE;
NTKERNELAPI NTSTATUS NTAPI IoGetIommuInterface(ULONG Version, PDMA_IOMMU_INTERFACE InterfaceOut);

/* ---- Performance counters of a driver's own (docs: PcwRegister) ---------------------------------------------------- */

typedef struct _PCW_REGISTRATION *PPCW_REGISTRATION;
typedef struct _PCW_INSTANCE *PPCW_INSTANCE;
typedef struct _PCW_BUFFER *PPCW_BUFFER;
typedef struct _PCW_DATA {
    const VOID *Data;
    ULONG Size;
} PCW_DATA, *PPCW_DATA;
typedef struct _PCW_COUNTER_DESCRIPTOR {
    USHORT Id;
    USHORT StructIndex;
    USHORT Offset;
    USHORT Size;
} PCW_COUNTER_DESCRIPTOR, *PPCW_COUNTER_DESCRIPTOR;
typedef enum _PCW_CALLBACK_TYPE {
    PcwCallbackAddCounter = 0,
    PcwCallbackRemoveCounter,
    PcwCallbackEnumerateInstances,
    PcwCallbackCollectData
} PCW_CALLBACK_TYPE,
    *PPCW_CALLBACK_TYPE;
typedef struct _PCW_COUNTER_INFORMATION {
    ULONG64 CounterMask;
    PCUNICODE_STRING InstanceMask;
} PCW_COUNTER_INFORMATION, *PPCW_COUNTER_INFORMATION;
typedef struct _PCW_MASK_INFORMATION {
    ULONG64 CounterMask;
    PCUNICODE_STRING InstanceMask;
    ULONG InstanceId;
    BOOLEAN CollectMultiple;
    PPCW_BUFFER Buffer;
    PKEVENT CancelEvent;
} PCW_MASK_INFORMATION, *PPCW_MASK_INFORMATION;
typedef union _PCW_CALLBACK_INFORMATION {
    PCW_COUNTER_INFORMATION AddCounter;
    PCW_COUNTER_INFORMATION RemoveCounter;
    PCW_MASK_INFORMATION EnumerateInstances;
    PCW_MASK_INFORMATION CollectData;
} PCW_CALLBACK_INFORMATION, *PPCW_CALLBACK_INFORMATION;
typedef NTSTATUS NTAPI PCW_CALLBACK(PCW_CALLBACK_TYPE Type, PPCW_CALLBACK_INFORMATION Info, PVOID Context);
typedef PCW_CALLBACK *PPCW_CALLBACK;
#define PCW_VERSION_1 0x0100
#define PCW_VERSION_2 0x0200
#define PCW_CURRENT_VERSION PCW_VERSION_1
#define PCW_ANY_INSTANCE_ID 0xFFFFFFFF
typedef enum _PCW_REGISTRATION_FLAGS { PcwRegistrationNone = 0, PcwRegistrationSiloNeutral = 1 } PCW_REGISTRATION_FLAGS;
typedef struct _PCW_REGISTRATION_INFORMATION {
    ULONG Version;
    PCUNICODE_STRING Name;
    ULONG CounterCount;
    PPCW_COUNTER_DESCRIPTOR Counters;
    PPCW_CALLBACK Callback;
    PVOID CallbackContext;
    PCW_REGISTRATION_FLAGS Flags; /* PCW_VERSION_2 */
} PCW_REGISTRATION_INFORMATION, *PPCW_REGISTRATION_INFORMATION;
NTKERNELAPI NTSTATUS NTAPI PcwRegister(PPCW_REGISTRATION *Registration, PPCW_REGISTRATION_INFORMATION Info);
NTKERNELAPI VOID NTAPI PcwUnregister(PPCW_REGISTRATION Registration);
NTKERNELAPI NTSTATUS NTAPI PcwCreateInstance(PPCW_INSTANCE *Instance, PPCW_REGISTRATION Registration,
                                             PCUNICODE_STRING Name, ULONG Count, PPCW_DATA Data);
NTKERNELAPI VOID NTAPI PcwCloseInstance(PPCW_INSTANCE Instance);
NTKERNELAPI NTSTATUS NTAPI PcwAddInstance(PPCW_BUFFER Buffer, PCUNICODE_STRING Name, ULONG Id, ULONG Count,
                                          PPCW_DATA Data);
