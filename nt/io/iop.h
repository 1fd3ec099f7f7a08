/*
 * I/O manager, drivers and devices, files on volumes, and the operator that carries out the host's commands.
 *
 * A request is an IRP that goes down a stack of devices. IofCallDriver makes every call of a driver's dispatch routine,
 * IofCompleteRequest every call of a completion routine: what drivers owe each other there is checked in irp.c alone.
 */
#pragma once

VOID IoInitialize(VOID);
/* Load and start (DriverEntry on a system thread of its own), or unload, by file name. */
NTSTATUS IopLoadDriver(PCSTR FileName, PDRIVER_OBJECT *Driver);
typedef NTSTATUS IOP_TEST_ROUTINE(PDRIVER_OBJECT Driver);
typedef IOP_TEST_ROUTINE *PIOP_TEST_ROUTINE;
NTSTATUS IopRunTest(PCSTR What);
/* The same by the name of a service key; FileName with '/'. */
NTSTATUS IopLoadService(PCWSTR Service, PCSTR FileName, BOOLEAN FromVolume, PDRIVER_OBJECT *Driver);
NTSTATUS IopUnloadService(PCWSTR Service);
VOID IopDriverIdle(PDRIVER_OBJECT Driver); /* one of its devices is no longer open, or attached to */
NTSTATUS IopUnloadDriver(PCSTR FileName);  /* "" = all, last loaded first */
/* The first thread of the machine: asks the host for commands until END. */
VOID IopOperator(PVOID Context);

#ifndef DRIVER_VERIFIER_IOMANAGER_VIOLATION
#define DRIVER_VERIFIER_IOMANAGER_VIOLATION 0xC9
#endif

/* Memory that drivers write to: from their pools, so that an overrun or a use after the end is found like one of their
 * own blocks. Zeroed; NULL = no memory. Stack: who is to be blamed when it is never freed; 0 = nobody. */
PVOID IopAllocate(SIZE_T Bytes, ULONG Tag, ULONG Stack);
VOID IopFree(PVOID Memory);

/* trace.c: when KiDoor->trace_io is set. IopTraceSent and IopTraceCompleted return the request's number, never 0. */
ULONG IopTraceSent(PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack);
VOID IopTraceReturned(ULONG Number, PDEVICE_OBJECT Device, NTSTATUS Status);
ULONG IopTraceCompleted(PIRP Irp);
VOID IopTraceRoutine(ULONG Number, ULONG What, PVOID Routine);
VOID IopTraceBack(PIRP Irp, PETHREAD Issuer); /* Issuer NULL: its thread is gone */
VOID IopTraceForget(PIRP Irp);

/* ---- Drivers -------------------------------------------------------------------------------------------------------
 */

typedef struct _IOP_EXTENSION {
    struct _IOP_EXTENSION *Next;
    PVOID Id;
    ULONG Bytes, Spare;
} IOP_EXTENSION, *PIOP_EXTENSION;

/* What follows a DRIVER_OBJECT in its object. */
typedef struct _IOP_DRIVER {
    DRIVER_EXTENSION Public;     /* DriverObject->DriverExtension */
    UNICODE_STRING RegistryPath; /* its service's key; ServiceKeyName is the end of it */
    PMI_IMAGE Image;             /* NULL = part of the kernel */
    LIST_ENTRY Entry;            /* in IopDrivers, load order */
    PIOP_EXTENSION Extensions;   /* IoAllocateDriverObjectExtension */
    PVOID FilterCallbacks;       /* FsRtlRegisterFileSystemFilterCallbacks */
    LONG WorkItems;              /* queued or running, and threads of IoCreateSystemThread */
    BOOLEAN Unloading;
    BOOLEAN UnloadPending, UnloadQueued; /* once nobody uses its devices */
    WORK_QUEUE_ITEM UnloadItem;
    KEVENT WorkDone; /* no work item is left */
    CHAR FileName[64];
} IOP_DRIVER, *PIOP_DRIVER;

#define IopDriverOf(DriverObject) ((PIOP_DRIVER)(DriverObject)->DriverExtension)
extern LIST_ENTRY IopDrivers;
extern POBJECT_TYPE IopDriverType, IopDeviceType, IopFileType;

PDRIVER_OBJECT IopMakeDriver(PCWSTR ObjectName, PMI_IMAGE Image);
PDRIVER_OBJECT IopFindDriver(PCSTR FileName);
DRIVER_DISPATCH IopInvalidDeviceRequest;
/* Findings for everything a driver left behind. TRUE: the image may go away. */
BOOLEAN IopCheckLeft(PDRIVER_OBJECT Driver);
/* workitem.c */
VOID IopForgetWorkItem(PWORK_QUEUE_ITEM Item);
/* A driver or device whose driver stays as long as something of it runs. */
VOID IopHold(PVOID IoObject);
VOID IopLetGo(PVOID IoObject);
VOID IopInitializeTypes(VOID);

/* ---- Devices -------------------------------------------------------------------------------------------------------
 */

/* What DEVICE_OBJECT's DeviceObjectExtension points to. The first three fields are public; those up to Vpb lie where
 * they lie on Windows, because drivers are known to read them. */
typedef struct _IOP_DEVICE {
    CSHORT Type;
    USHORT Size;
    PDEVICE_OBJECT DeviceObject;
    ULONG PowerFlags;
    PVOID Dope;
    ULONG ExtensionFlags;
    struct _DEVICE_NODE *DeviceNode; /* NULL: not a physical device object */
    PDEVICE_OBJECT AttachedTo;
    LONG StartIoCount, StartIoKey;
    ULONG StartIoFlags;
    PVPB Vpb; /* of a file system's volume device */
    /* Ours: */
    BOOLEAN DeletePending, ShutdownRegistered;
    UCHAR PowerState; /* DEVICE_POWER_STATE */
    UCHAR Spare;
    PDEVICE_OBJECT Before; /* in the driver's list; NULL = it is the first, or not known */
    ULONG CreatedBy;
    LIST_ENTRY PowerIrps;           /* of the lowest device of a stack: power requests, the first ones under way */
    struct _PO_IDLE *Idle;          /* PoRegisterDeviceForIdleDetection */
    struct _WMI_PROVIDER *Provider; /* IoWMIRegistrationControl */
    /* StartIo (startio.c), at DISPATCH_LEVEL: */
    BOOLEAN StartIoDeferred, StartIoNotCancelable; /* as the driver wants it */
    BOOLEAN StartIoCancelable, StartIoByKey;       /* what the next deferred start was asked for */
} IOP_DEVICE, *PIOP_DEVICE;
C_ASSERT(FIELD_OFFSET(IOP_DEVICE, DeviceNode) == 0x28);
C_ASSERT(FIELD_OFFSET(IOP_DEVICE, AttachedTo) == 0x30);
C_ASSERT(FIELD_OFFSET(IOP_DEVICE, Vpb) == 0x48);

#define IopDeviceOf(DeviceObject) ((PIOP_DEVICE)(DeviceObject)->DeviceObjectExtension)
VOID IopDereferenceDevice(PDEVICE_OBJECT Device); /* a file object on it has gone */
VOID IopTimerGoes(PDEVICE_OBJECT Device);
VOID IopCancelShutdown(PDEVICE_OBJECT Device);
/* Security of devices and files (security.c): the methods of their types; a referenced descriptor for a new device; what a
 * caller of Mode is granted that opens a device, or a file on it (Rest not empty). */
NTSTATUS IopDeviceSecurity(PVOID Body, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                           PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects,
                           POOL_TYPE Pool, PGENERIC_MAPPING Mapping);
NTSTATUS IopFileSecurity(PVOID Body, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                         PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects, POOL_TYPE Pool,
                         PGENERIC_MAPPING Mapping);
PSECURITY_DESCRIPTOR IopDefaultSecurity(DEVICE_TYPE Type);
NTSTATUS IopCheckOpenAccess(PDEVICE_OBJECT Device, BOOLEAN WholeDevice, KPROCESSOR_MODE Mode, PULONG Access);

/* ---- Requests ------------------------------------------------------------------------------------------------------
 */

#define IopStackOf(Irp, Location) ((PIO_STACK_LOCATION)((Irp) + 1) + (Location)-1)
/* Completion wants nothing but the status block and the event: the issuer, still there, does the rest. */
#define IOP_ISSUER_WAITS (IRP_CLOSE_OPERATION | IRP_CREATE_OPERATION)
/* The same at any level, after which the IRP is gone. The second bit alone means something else. */
#define IOP_PAGING (IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO)
#define IopIsPaging(Irp) (((Irp)->Flags & IOP_PAGING) == IOP_PAGING)

PIRP IopAllocateIrp(CCHAR StackSize, PFILE_OBJECT File);
/* Send an IRP whose issuer waits and whose completion is IOP_ISSUER_WAITS or IOP_PAGING; it is gone then. */
NTSTATUS IopCallAndWait(PDEVICE_OBJECT Device, PIRP Irp, PIO_STATUS_BLOCK Iosb);
/* The same; was it pending? */
NTSTATUS IopCallAndTell(PDEVICE_OBJECT Device, PIRP Irp, PIO_STATUS_BLOCK Iosb, PBOOLEAN Pended);
VOID IopQueueThreadIrp(PIRP Irp);
VOID IopForgetActivity(PIRP Irp); /* activity.c */
/* count.c: an operation of the current process; bytes that a process has read or written. */
VOID IopCountOperation(UCHAR Major);
VOID IopCountBytes(PEPROCESS Process, BOOLEAN Read, ULONG_PTR Bytes);
VOID IopThreadEnds(PETHREAD Thread);
/* completion.c: the issuer's procedure or the file's port is told. TRUE: the IRP is the procedure's APC, which frees
 * it. */
BOOLEAN IopTellEnd(PIRP Irp, PFILE_OBJECT File);
ULONG IopEndModes(PFILE_OBJECT File);
NTSTATUS IopSetEndModes(PFILE_OBJECT File, ULONG Modes);
/* A request without an IRP has ended. Event: by handle, or NULL. */
VOID IopTellFastEnd(PFILE_OBJECT File, PKEVENT Event);
NTSTATUS NTAPI IoSetIoCompletion(PVOID Port, PVOID Key, PVOID Context, NTSTATUS Status, ULONG_PTR Information,
                                 BOOLEAN Quota);
NTSTATUS IopReferencePort(HANDLE Handle, KPROCESSOR_MODE Mode, PVOID *Port);
NTSTATUS IopTieToPort(PFILE_OBJECT File, HANDLE Port, PVOID Key, KPROCESSOR_MODE Mode);
VOID IopUntie(PFILE_OBJECT File);
VOID IopInitializePorts(VOID);
/* Buffers of a read or write as the device wants them. Event by handle is the caller's to set. */
NTSTATUS IopSetTransfer(PIRP Irp, PDEVICE_OBJECT Device, PVOID Buffer, ULONG Bytes, BOOLEAN Read);
/* In all of these the IRP's RequestorMode says whose addresses the buffers are: those of user mode are probed, and
 * captured with a status instead of an exception. */
/* Buffers of a control request, by the method in its code. */
NTSTATUS IopSetControl(PIRP Irp, PIO_STACK_LOCATION Stack, ULONG Code, PVOID In, ULONG InBytes, PVOID Out,
                       ULONG OutBytes);
/* Send an IRP of this thread on a file (whose reference it takes over) and give the result as the service returns it.
 */
NTSTATUS IopIssue(PDEVICE_OBJECT Device, PIRP Irp, PFILE_OBJECT File, BOOLEAN Synchronous, PIO_STATUS_BLOCK Iosb);
/* A driver's routine is about to be called on behalf of Device. */
#define IOP_IRP_TAG ' prI'
/* In AllocationFlags, where Windows has nothing: its owner's completion routine has it back. */
#define IOP_IRP_BACK 0x20
/* FreedAt: where its memory went, at its first completion or otherwise; 0 = it is there. */
VOID IopReportTwice(PIRP Irp, ULONG FreedAt);

/* "\\Device\\X", the path of a device of Plug and Play, or whose it is; for reports. FALSE: Object is no device (any more). */
BOOLEAN IopDescribeDevice(PVOID Object, PCHAR Buffer, ULONG Bytes);
VOID IopEnter(struct _VF_CALLBACK *Callback, PCSTR Contract, PCSTR What, PVOID Routine, PVOID Object);

/* ---- Files ---------------------------------------------------------------------------------------------------------
 */

/* What a create request carries through the namespace to a device's parse routine. */
typedef struct _IOP_OPEN {
    PFILE_OBJECT File; /* result */
    PFILE_OBJECT Related;
    ULONG Access, Options, Disposition, Attributes, Share, Flags;
    ULONG ObjectAttributes;
    PVOID Ea;
    ULONG EaBytes;
    LARGE_INTEGER AllocationSize;
    BOOLEAN HaveAllocationSize;
    KPROCESSOR_MODE Mode; /* of the requestor */
    PVOID Extra;          /* ECP_LIST */
    PDEVICE_OBJECT Top;   /* instead of the stack's top */
    PTXN_PARAMETER_BLOCK Transaction;
    PSECURITY_DESCRIPTOR Descriptor; /* for a new file */
    IO_STATUS_BLOCK Iosb;
} IOP_OPEN, *PIOP_OPEN;

NTSTATUS IopParseDevice(PVOID Body, PUNICODE_STRING Rest, PULONG Access, PVOID Context, PVOID *Object);
NTSTATUS IopQueryFileName(PVOID Body, PWSTR Buffer, ULONG Bytes, PULONG Length);
NTSTATUS IopParseFile(PVOID Body, PUNICODE_STRING Rest, PULONG Access, PVOID Context, PVOID *Object);
PFILE_OBJECT IopMakeNamedFile(PDEVICE_OBJECT Device, PCWSTR Text); /* NULL = no memory */
VOID IopCloseFile(PVOID Body, ULONG RemainingHandles);
VOID IopDeleteFile(PVOID Body);
NTSTATUS IopLockFile(PFILE_OBJECT File);
VOID IopUnlockFile(PFILE_OBJECT File);

/* What a file object has beside its fields: made when it is first asked for. NULL = no memory. */
typedef struct _IOP_FILE_EXTENSION {
    LIST_ENTRY Contexts; /* FSRTL_PER_FILEOBJECT_CONTEXT */
    BOOLEAN HasOplockKey, Remote, IgnoreSharing;
    GUID OplockKey;
    OPLOCK_KEY_CONTEXT KeyContext; /* IoGetOplockKeyContextEx; Flags 0 = the file has no key */
    PTXN_PARAMETER_BLOCK Transaction;
    PDEVICE_OBJECT TopDevice; /* where requests go instead of the stack's top */
    PVOID UncProvider;        /* fsrtl/unc.c */
} IOP_FILE_EXTENSION, *PIOP_FILE_EXTENSION;

PIOP_FILE_EXTENSION IopFileExtension(PFILE_OBJECT File);
VOID IopForgetKeepAlive(PFILE_OBJECT File);
/* What a create's extra parameters (ECP_LIST or NULL) and context say about the file object. */
NTSTATUS IopMarkFile(PFILE_OBJECT File, PVOID Ecps, PDEVICE_OBJECT Top, PTXN_PARAMETER_BLOCK Transaction);
/* Fixed part of an information class: less room than that is STATUS_INFO_LENGTH_MISMATCH. 0 = no such class. */
ULONG IopClassBytes(FILE_INFORMATION_CLASS Class, BOOLEAN Set);
extern PDEVICE_OBJECT FsdDisk;                                    /* C:'s */
VOID IopInitializeFile(PFILE_OBJECT File, PDEVICE_OBJECT Device); /* of zeroed memory */

/* By the driver's fast I/O routine, if it has one and agrees. FALSE: send a request. */
BOOLEAN IopFastTransfer(PFILE_OBJECT File, PDEVICE_OBJECT Device, BOOLEAN Read, PVOID Buffer, ULONG Bytes,
                        PLARGE_INTEGER Offset, PULONG Key, PIO_STATUS_BLOCK Iosb);
BOOLEAN IopFastControl(PFILE_OBJECT File, PDEVICE_OBJECT Device, ULONG Code, PVOID In, ULONG InBytes, PVOID Out,
                       ULONG OutBytes, PIO_STATUS_BLOCK Result);
BOOLEAN IopFastLock(PFILE_OBJECT File, PDEVICE_OBJECT Device, BOOLEAN Lock, PLARGE_INTEGER Offset,
                    PLARGE_INTEGER Length, ULONG Key, BOOLEAN FailImmediately, BOOLEAN Exclusive,
                    PIO_STATUS_BLOCK Iosb);
BOOLEAN IopFastQuery(PFILE_OBJECT File, PDEVICE_OBJECT Device, FILE_INFORMATION_CLASS Class, PVOID Buffer,
                     PIO_STATUS_BLOCK Iosb);

/* Volumes (volume.c). */
VOID IopMakeVpb(PDEVICE_OBJECT Device);
VOID IopDropVpb(PDEVICE_OBJECT Device);
/* Where what is opened below Device goes; mounts. *Vpb (NULL = not mounted) is referenced. */
NTSTATUS IopMountedDevice(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Where, PVPB *Vpb);
BOOLEAN IopReleaseVpb(PVPB Vpb); /* TRUE: nobody has it any more; IopFree it */
VOID IopDereferenceVpb(PVPB Vpb);
/* Whole pages, past the cache; waits. */
NTSTATUS IopPageTransfer(PFILE_OBJECT File, PMDL Mdl, LONGLONG Offset, BOOLEAN Write, PIO_STATUS_BLOCK Iosb);

static inline PEPROCESS IopRequestorProcess(PIRP Irp)
{
    PETHREAD Thread = Irp->Tail.Overlay.Thread;
    return Thread ? IoThreadToProcess(Thread) : PsInitialSystemProcess;
}

VOID FsdInitialize(VOID); /* the volume C: */

/* ---- Start, end ----------------------------------------------------------------------------------------------------
 */

VOID IopReinitialize(PDRIVER_OBJECT Driver);
NTSTATUS IopSessionEvent(PCSTR Text, ULONG Id); /* session.c */
/* boot.c. A driver is about to be started: STATUS_DRIVER_BLOCKED, boot drivers do not let it. */
NTSTATUS IopBeforeStart(PDRIVER_OBJECT Driver);
VOID IopEndBoot(VOID); /* the start is over, if it is not already */

/* etw/pcw.c: what a performance counter set tells, as records of the registry's answers (door.h: DOOR_REGISTRY_COUNTERS). */
typedef NTSTATUS (*PCWP_TELL)(ULONG Op, PCUNICODE_STRING Key, PCUNICODE_STRING Name, ULONG Type, const VOID *Data,
                              ULONG Bytes);
NTSTATUS PcwpCollect(PCUNICODE_STRING Name, PCUNICODE_STRING Instances, BOOLEAN Values, PCWP_TELL Tell);
VOID IopShutdown(VOID);
VOID IopDriverClaimsGo(PDRIVER_OBJECT Driver); /* resources that it claimed */

/* ---- The registry (nt/cm) ------------------------------------------------------------------------------------------
 */

VOID TmInitialize(VOID); /* nt/tm */
VOID CmInitialize(VOID);
VOID CmShutdown(VOID); /* loaded hives are written */
VOID CmpCommand(struct door_command *Command);
/* The key a driver finds by its RegistryPath; Path is what it says of the image's place, from the root on (ExpFree). */
VOID CmpAddService(PCUNICODE_STRING Service, PCUNICODE_STRING ImagePath, PUNICODE_STRING Path);
/* A number of a service's key, or of the key Below of the current set's Control; Usual when it has none. */
ULONG CmpServiceNumber(PCUNICODE_STRING Service, PCWSTR Name, ULONG Usual);
ULONG CmpControlNumber(PCWSTR Below, PCWSTR Name, ULONG Usual);
