/*
 * Plug and Play: the tree of devices, and what is sent to the stacks on them.
 *
 * Everything that changes the tree or sends a Plug and Play request runs in a system worker thread at PASSIVE_LEVEL, one
 * action at a time, in the order in which they were asked for (action.c): so the tree needs no lock. Drivers' questions
 * about devices (properties, interfaces) are answered in their own thread from what the tree knows.
 *
 * A device is matched with its drivers by what the user has bound to one of its hardware or compatible ids (match.c), or
 * by the values Service, UpperFilters and LowerFilters of its key below Enum. It waits until all of them are loaded.
 */
#pragma once

#define PNP_TAG ' pnP'
#define PNP_ENUM L"\\Registry\\Machine\\System\\CurrentControlSet\\Enum\\"
#define PNP_CLASS_KEY L"\\Registry\\Machine\\System\\CurrentControlSet\\Control\\Class"
#define PNP_CLASS PNP_CLASS_KEY L"\\"

#ifndef PNP_DETECTED_FATAL_ERROR
#define PNP_DETECTED_FATAL_ERROR 0xCA
#endif

typedef enum _PNP_STATE {
    PnpEnumerated, /* ids are known; no driver but the bus driver's */
    PnpStarted,
    PnpStopped,   /* for new resources */
    PnpFailed,    /* Problem says why */
    PnpSurprised, /* the hardware is gone, the stack is not yet removed because a handle is open */
} PNP_STATE;

/* docs: Device Manager Error Messages */
#define PNP_PROBLEM_FAILED_START 10
#define PNP_PROBLEM_FAILED_ADD 31
#define PNP_PROBLEM_NO_DRIVER 28
#define PNP_PROBLEM_INVALID_ID 19
#define PNP_PROBLEM_DISABLED 22
#define PNP_PROBLEM_FAILED_POST_START 43
#define PNP_PROBLEM_NO_RESOURCES 12
#define PNP_PROBLEM_HELD 24

typedef struct _DEVICE_NODE {
    struct _DEVICE_NODE *Parent;
    LIST_ENTRY Sibling, Children;
    PDEVICE_OBJECT Pdo; /* referenced */
    PNP_STATE State;
    ULONG Problem;
    UNICODE_STRING InstancePath;                          /* "ROOT\ECHO\0000" */
    PWSTR HardwareIds, CompatibleIds, Description, Place; /* lists end with an empty string; NULL = none */
    PWSTR Service;                                        /* of the function driver; NULL = none */
    PDRIVER_OBJECT Own;                                   /* a bus of ours: its driver */
    DEVICE_CAPABILITIES Capabilities;
    PNP_BUS_INFORMATION Bus;
    BOOLEAN HaveBus;
    GUID Container;
    PCM_RESOURCE_LIST Boot, Raw, Translated;
    PIO_RESOURCE_REQUIREMENTS_LIST Requirements;
    ULONG Level;
    BOOLEAN Seen;     /* in the relations just asked for */
    BOOLEAN Missing;  /* its bus no longer reports it */
    BOOLEAN Removing; /* its stack is being removed; its children's objects may go too */
    BOOLEAN Queried;  /* has agreed to be removed or stopped */
    BOOLEAN Reported; /* IoReportDetectedDevice: driver and device were there before the node */
    BOOLEAN Disabled; /* removed by the user: does not start again by itself */
    PNP_DEVICE_STATE UserFlags;
    LIST_ENTRY Properties; /* IoSetDevicePropertyData */
} DEVICE_NODE, *PDEVICE_NODE;

extern PDEVICE_NODE PnpRoot; /* NULL = Plug and Play has not been needed */

VOID PnpInitialize(VOID); /* makes PnpRoot and the buses below it; at the first need */
static inline PDEVICE_NODE PnpNodeOf(PDEVICE_OBJECT Pdo)
{
    return IopDeviceOf(Pdo)->DeviceNode;
}

/* ---- action.c ------------------------------------------------------------------------------------------------------ */

typedef NTSTATUS PNP_ROUTINE(PDEVICE_OBJECT Device, PVOID Context);
/* Run Routine in the worker. Device is referenced meanwhile; NULL = none. At DISPATCH_LEVEL or below. */
NTSTATUS PnpQueue(PNP_ROUTINE *Routine, PDEVICE_OBJECT Device, PVOID Context);
/* The same, and wait for it; in the worker itself it is called at once. PASSIVE_LEVEL. */
NTSTATUS PnpRun(PNP_ROUTINE *Routine, PDEVICE_OBJECT Device, PVOID Context);

/* ---- node.c -------------------------------------------------------------------------------------------------------- */

/* Of a physical device object: its hardware has been pulled out. */
static inline BOOLEAN PnpIsSurprised(PDEVICE_OBJECT Pdo)
{
    return PnpNodeOf(Pdo) && PnpNodeOf(Pdo)->State == PnpSurprised;
}

PDEVICE_NODE PnpMakeNode(PDEVICE_NODE Parent, PDEVICE_OBJECT Pdo);
/* The object is deleted: its node leaves the tree. */
VOID PnpDeviceGoes(PDEVICE_OBJECT Device);
PDEVICE_NODE PnpNextNode(PDEVICE_NODE Node, PDEVICE_NODE Top);     /* parents first; NULL behind the last */
PDEVICE_NODE PnpLastNode(PDEVICE_NODE Top);                        /* children first: begin here, */
PDEVICE_NODE PnpPreviousNode(PDEVICE_NODE Node, PDEVICE_NODE Top); /* and go on so */
/* The first whose instance path is Name or begins with it, or that has the hardware id Name. */
PDEVICE_NODE PnpFindNode(PCSTR Name);
/* A finding, and FALSE: this is no physical device object of a device that is known. */
BOOLEAN PnpCheckPdo(PDEVICE_OBJECT Device, PCSTR Routine);
VOID PnpRemark(PDEVICE_NODE Node, PCSTR Format, ...);
PWSTR PnpCopyString(PCWSTR String); /* one string */
PWSTR PnpCopyList(PCWSTR List);     /* with all that follow, to the empty one */
ULONG PnpListBytes(PCWSTR List);    /* with both terminators */
/* A value of the device's key below Enum, or of the key Subkey of it (NULL = itself). */
NTSTATUS PnpOpenNode(PDEVICE_NODE Node, PCWSTR Subkey, BOOLEAN Create, PHANDLE Handle);
NTSTATUS PnpReadFrom(HANDLE Key, PCWSTR Name, PKEY_VALUE_PARTIAL_INFORMATION *Value); /* ExpFree it */
NTSTATUS PnpWriteValue(PDEVICE_NODE Node, PCWSTR Subkey, PCWSTR Name, ULONG Type, PVOID Data, ULONG Bytes);
NTSTATUS PnpDeleteValue(PDEVICE_NODE Node, PCWSTR Name);
NTSTATUS PnpReadValue(PDEVICE_NODE Node, PCWSTR Subkey, PCWSTR Name,
                      PKEY_VALUE_PARTIAL_INFORMATION *Value); /* ExpFree it */
BOOLEAN PnpListHas(PCWSTR List, PCWSTR Text);                 /* NULL: nothing */
NTSTATUS PnpReadClassValue(PDEVICE_NODE Node, PCWSTR Name,
                           PKEY_VALUE_PARTIAL_INFORMATION *Value); /* of its class's key */
/* Of the device's driver, "...Class\\{class}\\0000", made when it is first asked for; Path has room for 256 units. */
VOID PnpDriverKey(PDEVICE_NODE Node, PWSTR Path);
/* configure.c: what an INF file left for it; once, ConfigFlags in its key says that it is done */
VOID PnpConfigure(PDEVICE_NODE Node);
BOOLEAN PnpIsConfigured(PDEVICE_NODE Node);
NTSTATUS PnpOpenKey(PCWSTR Path, BOOLEAN Create, ACCESS_MASK Access, PHANDLE Handle); /* absolute; makes all of it */

/* ---- request.c ----------------------------------------------------------------------------------------------------- */

/* Send an IRP_MJ_PNP to the top of the stack on Device. Information: in and out; NULL = 0, dropped. */
NTSTATUS PnpSend(PDEVICE_OBJECT Device, UCHAR Minor, const IO_STACK_LOCATION *Parameters, PULONG_PTR Information);
NTSTATUS PnpSendSimple(PDEVICE_OBJECT Device, UCHAR Minor);
NTSTATUS PnpQueryId(PDEVICE_OBJECT Device, BUS_QUERY_ID_TYPE Type, PWSTR *Id); /* ExFreePool it */
NTSTATUS PnpQueryText(PDEVICE_OBJECT Device, DEVICE_TEXT_TYPE Type, PWSTR *Text);
NTSTATUS PnpQueryCapabilities(PDEVICE_OBJECT Device, PDEVICE_CAPABILITIES Capabilities);
NTSTATUS PnpQueryRelations(PDEVICE_OBJECT Device, DEVICE_RELATION_TYPE Type, PDEVICE_RELATIONS *Relations);

/* ---- enum.c -------------------------------------------------------------------------------------------------------- */

/* What the bus says of a device that is new. FALSE: it cannot be used. */
BOOLEAN PnpIdentify(PDEVICE_NODE Node);
PNP_ROUTINE PnpEnumerate; /* ask a bus for its children; start new ones, remove missing ones */
PNP_ROUTINE PnpStartAll;  /* every device that has all it needs and is not started */

/* ---- match.c ------------------------------------------------------------------------------------------------------- */

typedef struct _PNP_STACK {
    ULONG Count;
    PDRIVER_OBJECT Driver[16];
    ULONG Function; /* index; Count = none */
} PNP_STACK, *PPNP_STACK;

/* "Root\Echo=echo.sys,upper=filter.sys": the ids that begin so are driven by it. */
NTSTATUS PnpBind(PCSTR Text);
/* The drivers of a device from the lowest up. STATUS_NO_SUCH_DEVICE: none is bound; STATUS_DEVICE_NOT_READY: not all of
 * them are loaded. */
NTSTATUS PnpMatch(PDEVICE_NODE Node, PPNP_STACK Stack);
/* Does a binding name this driver? */
BOOLEAN PnpIsBound(PDRIVER_OBJECT Driver);

/* ---- start.c, remove.c --------------------------------------------------------------------------------------------- */

NTSTATUS PnpStartNode(PDEVICE_NODE Node);   /* drivers' AddDevice, resources, IRP_MN_START_DEVICE */
NTSTATUS PnpRestartNode(PDEVICE_NODE Node); /* stop, and start with resources assigned anew */
PNP_ROUTINE PnpInvalidateState;
/* Orderly: STATUS_PLUGPLAY_QUERY_VETOED when a driver, a listener or an open handle forbids it. */
NTSTATUS PnpRemoveTree(PDEVICE_NODE Node);
/* The hardware of the node has gone. */
VOID PnpSurpriseTree(PDEVICE_NODE Node);
PNP_ROUTINE PnpEject;
/* The last handle on a stack was closed. */
VOID PnpDeviceClosed(PDEVICE_OBJECT Device);
/* Send IRP_MN_REMOVE_DEVICE to one stack and look at what remains of it. */
VOID PnpRemoveStack(PDEVICE_NODE Node);
/* All devices it drives, before it is unloaded. Fails if one is refused: then it stays loaded. */
NTSTATUS PnpRemoveDriver(PDRIVER_OBJECT Driver);
extern BOOLEAN PnpHaveAsked; /* the run ends: what is up now has refused */

/* ---- root.c, pci.c: buses of ours ---------------------------------------------------------------------------------- */

extern PDRIVER_OBJECT PnpManager;
VOID PnpInitializeRoot(VOID);
/* A device that nothing but its name tells of. Ids: lists; Instance "0000" or NULL = the next one free. */
NTSTATUS PnpMakeRootDevice(PCWSTR DeviceId, PCWSTR Instance, PCWSTR HardwareIds, PDEVICE_OBJECT *Pdo);
VOID PnpDeleteRootDevice(PDEVICE_OBJECT Pdo); /* it is no longer reported */
BOOLEAN PnpIsRootDevice(PDEVICE_OBJECT Pdo);
VOID PciInitialize(VOID);

/* ---- resource.c ---------------------------------------------------------------------------------------------------- */

ULONG PnpResourceBytes(PCM_RESOURCE_LIST List);
PCM_RESOURCE_LIST PnpTranslate(PCM_RESOURCE_LIST Raw); /* ExpFree it; NULL for NULL */
PCM_RESOURCE_LIST PnpCopyResources(PCM_RESOURCE_LIST List);
BOOLEAN PnpListsOverlap(PCM_RESOURCE_LIST One, PCM_RESOURCE_LIST Other);
BOOLEAN PnpIsTaken(PCM_RESOURCE_LIST List);
/* A list that satisfies the requirements; STATUS_CONFLICTING_ADDRESSES. Prefer: what the firmware had assigned. */
NTSTATUS PnpAssign(PIO_RESOURCE_REQUIREMENTS_LIST Requirements, PCM_RESOURCE_LIST Prefer, PDEVICE_NODE Node,
                   PCM_RESOURCE_LIST *Raw);

/* ---- interface.c, notify.c, property.c ----------------------------------------------------------------------------- */

VOID PnpInterfacesEnd(PDEVICE_NODE Node); /* the device is removed: those its driver left enabled are disabled */
VOID PnpInterfacesGo(PDEVICE_NODE Node);  /* the device is deleted */
VOID PnpForEachInterface(const GUID *Class, VOID (*Do)(PCUNICODE_STRING Link, PVOID Context),
                         PVOID Context); /* enabled */
/* proptype.c: data of a property are what its type says */
BOOLEAN PnpIsProperty(LCID Lcid, DEVPROPTYPE Type, ULONG Bytes, PVOID Data);
PDEVICE_NODE PnpInterfaceFacts(PUNICODE_STRING Link, GUID *Class, PBOOLEAN Enabled); /* NULL = no such interface */
PLIST_ENTRY PnpInterfaceProperties(PUNICODE_STRING Link);                            /* NULL = no such interface */
/* Tell the listeners, in the worker, later. */
VOID PnpNotifyInterface(const GUID *Class, PCUNICODE_STRING Link, BOOLEAN Arrival);
/* Tell the listeners of a device now. A query's answer is the first status that is an error; who was asked before is then
 * told that the removal was cancelled. */
NTSTATUS PnpNotifyTarget(PDEVICE_NODE Node, const GUID *Event);
NTSTATUS PnpNotifyProfile(const GUID *Event); /* the same for the hardware profile */
VOID PnpFreeProperties(PLIST_ENTRY List);

/* ---- check.c: what drivers owe each other --------------------------------------------------------------------------- */

VOID PnpCheckCall(PIRP Irp, PIO_STACK_LOCATION Stack, PDEVICE_OBJECT Device); /* before a dispatch routine is called */
VOID PnpCheckCompletion(PIRP Irp, PIO_STACK_LOCATION Stack);                  /* IoCompleteRequest was called */
VOID PnpCheckAdded(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Device);
VOID PnpCheckDelete(PDEVICE_OBJECT Device);
VOID PnpReport(PCSTR Rule, ULONG Code, ULONG SubCode, PVOID Routine, PVOID Object, PDEVICE_OBJECT Device, PCSTR Subject,
               PCSTR Text);

/* ---- For the operator ---------------------------------------------------------------------------------------------- */

/* A driver has been started (its AddDevice routine is set or not): its devices begin. */
VOID PnpDriverLoaded(PDRIVER_OBJECT Driver);
VOID PnpEndOfRun(VOID); /* every device is removed */
NTSTATUS PnpOperate(struct door_command *Command);
