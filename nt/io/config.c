/*
 * What drivers from before Plug and Play ask for: controllers that several devices share, counts of devices, the hardware
 * description, resources claimed without a bus driver. (docs: IoCreateController, IoAllocateController,
 * IoGetConfigurationInformation, IoQueryDeviceDescription, IoReportResourceForDetection, IoAssignResources)
 */
#include "nt.h"
#include "cm/cmp.h"

#define IOP_CONFIG_TAG 'gfCI'

/* ---- Controllers ------------------------------------------------------------------------------------------------- */

typedef struct _IOP_CONTROLLER {
    CONTROLLER_OBJECT Public;
    PDEVICE_OBJECT Owner; /* whose routine keeps it */
} IOP_CONTROLLER, *PIOP_CONTROLLER;

static POBJECT_TYPE IopControllerType;

PCONTROLLER_OBJECT NTAPI IoCreateController(ULONG Size)
{
    PCONTROLLER_OBJECT Controller;
    if (!IopControllerType)
        IopControllerType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"Controller", .ValidAccess = FILE_ALL_ACCESS});
    if (!NT_SUCCESS(ObpAllocateObject(IopControllerType, sizeof(IOP_CONTROLLER) + Size, (PVOID *)&Controller)))
        return NULL;
    Controller->Type = 2; /* IO_TYPE_CONTROLLER */
    Controller->Size = (CSHORT)(sizeof(*Controller) + Size);
    Controller->ControllerExtension = (PIOP_CONTROLLER)Controller + 1;
    KeInitializeDeviceQueue(&Controller->DeviceWaitQueue);
    return Controller;
}

VOID NTAPI IoDeleteController(PCONTROLLER_OBJECT Controller)
{
    ObfDereferenceObject(Controller);
}

static IO_ALLOCATION_ACTION IopControl(PCONTROLLER_OBJECT Controller, PDEVICE_OBJECT Device, PDRIVER_CONTROL Routine,
                                       PVOID Context)
{
    IO_ALLOCATION_ACTION Action;
    VF_CALLBACK Callback;
    IopEnter(&Callback, "DRIVER_CONTROL", "controller routine of device %o", (PVOID)(ULONG_PTR)Routine, Device);
    Action = Routine(Device, Device->CurrentIrp, Controller->ControllerExtension, Context);
    VfLeaveCallback(&Callback);
    return Action;
}

/* docs: IoAllocateController: at once when it is free, else when whoever has it frees it. DISPATCH_LEVEL. */
VOID NTAPI IoAllocateController(PCONTROLLER_OBJECT Controller, PDEVICE_OBJECT Device, PDRIVER_CONTROL Routine,
                                PVOID Context)
{
    Device->Queue.Wcb.DeviceRoutine = (PVOID)(ULONG_PTR)Routine;
    Device->Queue.Wcb.DeviceContext = Context;
    if (KeInsertDeviceQueue(&Controller->DeviceWaitQueue, &Device->Queue.Wcb.WaitQueueEntry))
        return;
    if (IopControl(Controller, Device, Routine, Context) == DeallocateObject)
        IoFreeController(Controller);
}

VOID NTAPI IoFreeController(PCONTROLLER_OBJECT Controller)
{
    PKDEVICE_QUEUE_ENTRY Entry;
    while ((Entry = KeRemoveDeviceQueue(&Controller->DeviceWaitQueue)) != NULL) {
        PDEVICE_OBJECT Device = CONTAINING_RECORD(Entry, DEVICE_OBJECT, Queue.Wcb.WaitQueueEntry);
        if (IopControl(Controller, Device, (PVOID)(ULONG_PTR)Device->Queue.Wcb.DeviceRoutine,
                       Device->Queue.Wcb.DeviceContext) != DeallocateObject)
            return;
    }
}

/* ---- Descriptions ------------------------------------------------------------------------------------------------ */

PCONFIGURATION_INFORMATION NTAPI IoGetConfigurationInformation(VOID)
{
    static CONFIGURATION_INFORMATION Information = {.Version = sizeof(CONFIGURATION_INFORMATION)};
    return &Information; /* drivers count their devices here themselves */
}

static VOID IopDescription(PCWSTR Path, PCWSTR Value, PKEY_VALUE_FULL_INFORMATION *Result)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    HANDLE Key;
    ULONG Bytes = 0;
    *Result = NULL;
    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    if (!NT_SUCCESS(NtOpenKey(&Key, KEY_READ, &Attributes))) {
        KiEndKernelMode(Mode, STATUS_OBJECT_NAME_NOT_FOUND);
        return;
    }
    RtlInitUnicodeString(&Name, Value);
    NtQueryValueKey(Key, &Name, KeyValueFullInformation, NULL, 0, &Bytes);
    if (Bytes) {
        *Result = ExpAllocate(Bytes, IOP_CONFIG_TAG);
        if (!NT_SUCCESS(NtQueryValueKey(Key, &Name, KeyValueFullInformation, *Result, Bytes, &Bytes))) {
            ExpFree(*Result);
            *Result = NULL;
        }
    }
    KiEndKernelMode(Mode, NtClose(Key));
}

static const struct {
    INTERFACE_TYPE Type;
    PCSTR Name;
} IopAdapters[] = {{Isa, "Isa"}, {Eisa, "Eisa"}, {PCIBus, "Multifunction"}, {MicroChannel, "MicroChannel"}};

static const PCSTR IopControllers[] = {
    [DiskController] = "DiskController",         [SerialController] = "SerialController",
    [ParallelController] = "ParallelController", [PointerController] = "PointerController",
    [KeyboardController] = "KeyboardController", [DisplayController] = "DisplayController",
};

static PCSTR IopPeripheral(CONFIGURATION_TYPE Type)
{
    return Type == DiskPeripheral         ? "DiskPeripheral"
           : Type == FloppyDiskPeripheral ? "FloppyDiskPeripheral"
           : Type == KeyboardPeripheral   ? "KeyboardPeripheral"
           : Type == PointerPeripheral    ? "PointerPeripheral"
           : Type == MonitorPeripheral    ? "MonitorPeripheral"
           : Type == PrinterPeripheral    ? "PrinterPeripheral"
                                          : NULL;
}

typedef struct _IOP_SEARCH {
    PIO_QUERY_DEVICE_ROUTINE Routine;
    PVOID Context;
    INTERFACE_TYPE Bus;
    ULONG BusNumber;
    PCONFIGURATION_TYPE Controller, Peripheral;
    PULONG ControllerNumber, PeripheralNumber;
    BOOLEAN Found;
} IOP_SEARCH, *PIOP_SEARCH;

static const PCWSTR IopValues[IoQueryDeviceMaxData] = {L"Identifier", L"Configuration Data", L"Component Information"};

/* One place that is there: the routine is called with what its key says. */
static NTSTATUS IopFoundDevice(PIOP_SEARCH Search, PCWSTR Paths[3], ULONG ControllerNumber, ULONG PeripheralNumber)
{
    PKEY_VALUE_FULL_INFORMATION Data[3][IoQueryDeviceMaxData];
    UNICODE_STRING Name;
    NTSTATUS Status;
    for (ULONG i = 0; i < 3; i++)
        for (ULONG j = 0; j < IoQueryDeviceMaxData; j++)
            if (Paths[i])
                IopDescription(Paths[i], IopValues[j], &Data[i][j]);
            else
                Data[i][j] = NULL;
    RtlInitUnicodeString(&Name, Paths[2] ? Paths[2] : Paths[1] ? Paths[1] : Paths[0]);
    Search->Found = TRUE;
    Status = Search->Routine(Search->Context, &Name, Search->Bus, Search->BusNumber, Data[0],
                             Search->Controller ? *Search->Controller : 0, ControllerNumber, Data[1],
                             Search->Peripheral ? *Search->Peripheral : 0, PeripheralNumber, Data[2]);
    for (ULONG i = 0; i < 3; i++)
        for (ULONG j = 0; j < IoQueryDeviceMaxData; j++)
            if (Data[i][j])
                ExpFree(Data[i][j]);
    return Status;
}

static BOOLEAN IopKeyExists(PCWSTR Path)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    HANDLE Key;
    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    NTSTATUS Status = NtOpenKey(&Key, KEY_READ, &Attributes);
    if (NT_SUCCESS(KiEndKernelMode(Mode, Status)))
        ObCloseHandle(Key, KernelMode);
    return NT_SUCCESS(Status);
}

static VOID IopAppend(PWSTR Path, PCSTR Name, ULONG Number)
{
    CHAR Text[64];
    RtlpFormat(Text, sizeof(Text), "\\%s\\%u", Name, Number);
    RtlpFromUtf8(Path + wcslen(Path), 64, Text);
}

static NTSTATUS IopSearchPeripherals(PIOP_SEARCH Search, PCWSTR Bus, PCWSTR Controller, ULONG Number)
{
    PCSTR Name = IopPeripheral(*Search->Peripheral);
    WCHAR Path[300];
    for (ULONG i = 0; Name && i < 64; i++) {
        PCWSTR Paths[3] = {Bus, Controller, Path};
        if (Search->PeripheralNumber && *Search->PeripheralNumber != i)
            continue;
        wcscpy(Path, Controller);
        IopAppend(Path, Name, i);
        if (!IopKeyExists(Path))
            break;
        NTSTATUS Status = IopFoundDevice(Search, Paths, Number, i);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS IopSearchBus(PIOP_SEARCH Search, PCWSTR Bus)
{
    WCHAR Path[200];
    PCWSTR Paths[3] = {Bus, NULL, NULL};
    PCSTR Name;
    if (!Search->Controller)
        return IopFoundDevice(Search, Paths, 0, 0);
    Name = (ULONG)*Search->Controller < RTL_NUMBER_OF(IopControllers) ? IopControllers[*Search->Controller] : NULL;
    for (ULONG i = 0; Name && i < 64; i++) {
        NTSTATUS Status;
        if (Search->ControllerNumber && *Search->ControllerNumber != i)
            continue;
        wcscpy(Path, Bus);
        IopAppend(Path, Name, i);
        if (!IopKeyExists(Path))
            break;
        Paths[1] = Path;
        Status = Search->Peripheral ? IopSearchPeripherals(Search, Bus, Path, i) : IopFoundDevice(Search, Paths, i, 0);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    return STATUS_SUCCESS;
}

/* The tree below HARDWARE\DESCRIPTION\System, which firmware fills in; here the user's registry may. Nothing found:
 * STATUS_OBJECT_NAME_NOT_FOUND. */
NTSTATUS NTAPI IoQueryDeviceDescription(PINTERFACE_TYPE BusType, PULONG BusNumber, PCONFIGURATION_TYPE ControllerType,
                                        PULONG ControllerNumber, PCONFIGURATION_TYPE PeripheralType,
                                        PULONG PeripheralNumber, PIO_QUERY_DEVICE_ROUTINE CalloutRoutine, PVOID Context)
{
    IOP_SEARCH Search = {.Routine = CalloutRoutine,
                         .Context = Context,
                         .Controller = ControllerType,
                         .ControllerNumber = ControllerNumber,
                         .Peripheral = PeripheralType,
                         .PeripheralNumber = PeripheralNumber};
    if (!CalloutRoutine || !BusType)
        return STATUS_NOT_IMPLEMENTED; /* docs: without a bus type nothing can be found */
    for (ULONG i = 0; i < RTL_NUMBER_OF(IopAdapters); i++) {
        if (IopAdapters[i].Type != *BusType)
            continue;
        for (ULONG n = 0; n < 16; n++) {
            WCHAR Bus[128] = L"\\Registry\\Machine\\Hardware\\Description\\System";
            CHAR Name[48];
            NTSTATUS Status;
            if (BusNumber && *BusNumber != n)
                continue;
            RtlpFormat(Name, sizeof(Name), "%sAdapter", IopAdapters[i].Name);
            IopAppend(Bus, Name, n);
            if (!IopKeyExists(Bus))
                continue;
            Search.Bus = *BusType;
            Search.BusNumber = n;
            Status = IopSearchBus(&Search, Bus);
            if (!NT_SUCCESS(Status))
                return Status;
        }
    }
    return Search.Found ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* ---- Resources claimed ------------------------------------------------------------------------------------------- */

typedef struct _IOP_CLAIM {
    LIST_ENTRY Entry;
    PDRIVER_OBJECT Driver;
    PDEVICE_OBJECT Device; /* NULL = the driver's own */
    PCM_RESOURCE_LIST List;
} IOP_CLAIM, *PIOP_CLAIM;

static LIST_ENTRY IopClaims = {&IopClaims, &IopClaims};

static VOID IopDropClaim(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Device)
{
    for (PLIST_ENTRY Entry = IopClaims.Flink, Next; Entry != &IopClaims; Entry = Next) {
        PIOP_CLAIM Claim = CONTAINING_RECORD(Entry, IOP_CLAIM, Entry);
        Next = Entry->Flink;
        if (Claim->Driver != Driver || Claim->Device != Device)
            continue;
        RemoveEntryList(Entry);
        ExpFree(Claim->List);
        ExpFree(Claim);
    }
}

static BOOLEAN IopConflicts(PCM_RESOURCE_LIST List, PDRIVER_OBJECT Driver, PDEVICE_OBJECT Device)
{
    for (PLIST_ENTRY Entry = IopClaims.Flink; Entry != &IopClaims; Entry = Entry->Flink) {
        PIOP_CLAIM Claim = CONTAINING_RECORD(Entry, IOP_CLAIM, Entry);
        if ((Claim->Driver != Driver || Claim->Device != Device) && PnpListsOverlap(Claim->List, List))
            return TRUE;
    }
    return PnpRoot && PnpIsTaken(List);
}

static NTSTATUS IopClaim(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Device, PCM_RESOURCE_LIST List, BOOLEAN Override,
                         PBOOLEAN Conflict)
{
    PIOP_CLAIM Claim;
    if (List && List->Count && IopConflicts(List, Driver, Device)) {
        *Conflict = TRUE;
        if (!Override)
            return STATUS_CONFLICTING_ADDRESSES;
    }
    IopDropClaim(Driver, Device);
    if (!List || !List->Count)
        return STATUS_SUCCESS; /* an empty list takes the claim back */
    Claim = ExpAllocate(sizeof(*Claim), IOP_CONFIG_TAG);
    *Claim = (IOP_CLAIM){.Driver = Driver, .Device = Device, .List = PnpCopyResources(List)};
    InsertTailList(&IopClaims, &Claim->Entry);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoReportResourceUsage(PUNICODE_STRING DriverClassName, PDRIVER_OBJECT DriverObject,
                                     PCM_RESOURCE_LIST DriverList, ULONG DriverListSize, PDEVICE_OBJECT DeviceObject,
                                     PCM_RESOURCE_LIST DeviceList, ULONG DeviceListSize, BOOLEAN OverrideConflict,
                                     PBOOLEAN ConflictDetected)
{
    NTSTATUS Status = STATUS_SUCCESS;
    *ConflictDetected = FALSE;
    if (DriverList || !DeviceObject)
        Status = IopClaim(DriverObject, NULL, DriverList, OverrideConflict, ConflictDetected);
    if (NT_SUCCESS(Status) && DeviceObject)
        Status = IopClaim(DriverObject, DeviceObject, DeviceList, OverrideConflict, ConflictDetected);
    return Status;
}

NTSTATUS NTAPI IoReportResourceForDetection(PDRIVER_OBJECT DriverObject, PCM_RESOURCE_LIST DriverList,
                                            ULONG DriverListSize, PDEVICE_OBJECT DeviceObject,
                                            PCM_RESOURCE_LIST DeviceList, ULONG DeviceListSize,
                                            PBOOLEAN ConflictDetected)
{
    return IoReportResourceUsage(NULL, DriverObject, DriverList, DriverListSize, DeviceObject, DeviceList,
                                 DeviceListSize, FALSE, ConflictDetected);
}

/* docs: IoAssignResources: a list that satisfies the requirements is claimed and returned; NULL takes the claim back. */
NTSTATUS NTAPI IoAssignResources(PUNICODE_STRING RegistryPath, PUNICODE_STRING DriverClassName,
                                 PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT DeviceObject,
                                 PIO_RESOURCE_REQUIREMENTS_LIST RequestedResources,
                                 PCM_RESOURCE_LIST *AllocatedResources)
{
    PCM_RESOURCE_LIST Raw = NULL, Given;
    BOOLEAN Conflict = FALSE;
    NTSTATUS Status;
    if (AllocatedResources)
        *AllocatedResources = NULL;
    if (!RequestedResources) {
        IopDropClaim(DriverObject, DeviceObject);
        return STATUS_SUCCESS;
    }
    PnpInitialize();
    Status = PnpAssign(RequestedResources, NULL, NULL, &Raw);
    if (NT_SUCCESS(Status) && Raw)
        Status = IopClaim(DriverObject, DeviceObject, Raw, FALSE, &Conflict);
    if (NT_SUCCESS(Status) && Raw && AllocatedResources) {
        Given = ExAllocatePoolWithTag(PagedPool, PnpResourceBytes(Raw), IOP_CONFIG_TAG);
        if (Given)
            RtlCopyMemory(*AllocatedResources = Given, Raw, PnpResourceBytes(Raw));
        else
            Status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (Raw)
        ExpFree(Raw);
    return Status;
}

VOID IopDriverClaimsGo(PDRIVER_OBJECT Driver)
{
    for (PLIST_ENTRY Entry = IopClaims.Flink, Next; Entry != &IopClaims; Entry = Next) {
        PIOP_CLAIM Claim = CONTAINING_RECORD(Entry, IOP_CLAIM, Entry);
        Next = Entry->Flink;
        if (Claim->Driver != Driver)
            continue;
        RemoveEntryList(Entry);
        ExpFree(Claim->List);
        ExpFree(Claim);
    }
}
