/*
 * Drivers: loaded and started, unloaded, and what a driver must have put away by then.
 *
 * DriverEntry and DriverUnload run on a system thread of their own, as on Windows, so that their stack is theirs. When
 * a driver goes (after its unload routine, or because DriverEntry failed) everything it has left in the kernel is a
 * finding. Where devices of it remain, the image stays: on Windows their references keep it too.
 */
#include "nt.h"

#define IOP_DRIVER_TAG 'virD'
#define IOP_SERVICES L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\"

LIST_ENTRY IopDrivers = {&IopDrivers, &IopDrivers};

/* ---- Driver objects ---------------------------------------------------------------------------------------------- */

static VOID IopMakeString(PUNICODE_STRING String, PCWSTR First, PCWSTR Second)
{
    UNICODE_STRING A, B;
    RtlInitUnicodeString(&A, First);
    RtlInitUnicodeString(&B, Second);
    String->Length = A.Length + B.Length;
    String->MaximumLength = String->Length + sizeof(WCHAR);
    String->Buffer = ExpAllocate(String->MaximumLength, IOP_DRIVER_TAG);
    RtlCopyMemory(String->Buffer, A.Buffer, A.Length);
    RtlCopyMemory((PUCHAR)String->Buffer + A.Length, B.Buffer, B.Length);
    String->Buffer[String->Length / sizeof(WCHAR)] = 0;
}

PDRIVER_OBJECT IopMakeDriver(PCWSTR ObjectName, PMI_IMAGE Image)
{
    static UNICODE_STRING Hardware = RTL_CONSTANT_STRING(L"\\REGISTRY\\MACHINE\\HARDWARE\\DESCRIPTION\\SYSTEM");
    PDRIVER_OBJECT Driver;
    ObpAllocateObject(IopDriverType, sizeof(DRIVER_OBJECT) + sizeof(IOP_DRIVER), (PVOID *)&Driver);
    PIOP_DRIVER Own = (PIOP_DRIVER)(Driver + 1);
    Driver->Type = IO_TYPE_DRIVER;
    Driver->Size = sizeof(*Driver);
    Driver->DriverExtension = &Own->Public;
    Driver->HardwareDatabase = &Hardware;
    Driver->Flags = DRVO_LEGACY_DRIVER; /* until it has an AddDevice routine */
    Own->Public.DriverObject = Driver;
    Own->Image = Image;
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = IopInvalidDeviceRequest;
    IopMakeString(&Driver->DriverName, ObjectName, L"");
    if (Image) {
        Driver->DriverStart = (PVOID)Image->Base;
        Driver->DriverSize = Image->Info.bytes;
        Driver->DriverInit = (PDRIVER_INITIALIZE)(Image->Info.entry ? Image->Base + Image->Info.entry : 0);
        RtlpFormat(Own->FileName, sizeof(Own->FileName), "%s", Image->Name);
    }
    NTSTATUS Status = ObpInsertName(Driver, &Driver->DriverName, OBJ_PERMANENT | OBJ_CASE_INSENSITIVE);
    if (!NT_SUCCESS(Status)) {
        ObfDereferenceObject(Driver);
        return NULL;
    }
    return Driver;
}

PDRIVER_OBJECT IopFindDriver(PCSTR FileName)
{
    for (PLIST_ENTRY Entry = IopDrivers.Flink; Entry != &IopDrivers; Entry = Entry->Flink) {
        PIOP_DRIVER Own = CONTAINING_RECORD(Entry, IOP_DRIVER, Entry);
        if (!_stricmp(Own->FileName, FileName))
            return Own->Public.DriverObject;
    }
    return NULL;
}

/* ---- What is left ------------------------------------------------------------------------------------------------ */

static VOID IopReportDevices(PDRIVER_OBJECT Driver)
{
    for (PDEVICE_OBJECT Device = Driver->DeviceObject; Device; Device = Device->NextDevice) {
        CHAR Name[96];
        ULONG Length = ObpNameOf(Device, Name, sizeof(Name));
        VfFinding("unload.device", 0xCE, (UINT64)Device, 0, 0, 0);
        VfSubject("device object");
        VfText("%s is unloaded and leaves a device object%s%s", IopDriverOf(Driver)->FileName, Length ? ": " : "",
               Name);
        VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Device)->CreatedBy, Device, NULL, "The device was created at:");
        VfCommit();
    }
}

static VOID IopReportLinks(PDRIVER_OBJECT Driver, PMI_IMAGE Image)
{
    for (PVOID Link = ObpNextLinkOf(NULL, Image->Base, Image->MappedBytes), Next; Link; Link = Next) {
        CHAR Name[96];
        Next = ObpNextLinkOf(Link, Image->Base, Image->MappedBytes);
        ObpNameOf(Link, Name, sizeof(Name));
        VfFinding("unload.symbolic-link", 0xCE, (UINT64)Link, 0, 0, 0);
        VfSubject("symbolic link");
        VfText("%s is unloaded and leaves a symbolic link: %s", IopDriverOf(Driver)->FileName, Name);
        VfNote(DOOR_NOTE_OBJECT, ObpLinkStack(Link), Link, NULL, "The link was created at:");
        VfCommit();
        ObpRemoveName(Link); /* the next load of the same driver would fail on it */
    }
}

/* I/O work items keep a driver on Windows too: they run first. */
static VOID IopWaitForWork(PIOP_DRIVER Own)
{
    KeInitializeEvent(&Own->WorkDone, NotificationEvent, FALSE);
    Own->Unloading = TRUE;
    if (Own->WorkItems)
        KeWaitForSingleObject(&Own->WorkDone, Executive, KernelMode, FALSE, NULL);
}

BOOLEAN IopCheckLeft(PDRIVER_OBJECT Driver)
{
    PMI_IMAGE Image = IopDriverOf(Driver)->Image;
    IopWaitForWork(IopDriverOf(Driver));
    VfImageGoes(Image->Base, Image->MappedBytes, Image->Name, (PVOID)Driver->DriverUnload);
    IopReportDevices(Driver);
    IopReportLinks(Driver, Image);
    ObpReportHandles(Image->Base, Image->Name);
    ExpReportLeaks(Image->Base, Image->MappedBytes, Image->Name);
    return Driver->DeviceObject == NULL;
}

/* The driver object and its image go. */
static VOID IopRemoveDriver(PDRIVER_OBJECT Driver, BOOLEAN ImageToo)
{
    PIOP_DRIVER Own = IopDriverOf(Driver);
    PMI_IMAGE Image = Own->Image;
    PVOID Section = Driver->DriverSection;
    IopDriverClaimsGo(Driver);
    RemoveEntryList(&Own->Entry);
    ObpRemoveName(Driver);
    ObfDereferenceObject(Driver);
    if (ImageToo) {
        PspRemoveModule(Section);
        MmUnloadImage(Image);
    }
}

/* ---- Load -------------------------------------------------------------------------------------------------------- */

typedef struct _IOP_JOB {
    PDRIVER_OBJECT Driver;
    NTSTATUS Status;
    BOOLEAN NothingLeft; /* of a driver that has gone */
    PIOP_TEST_ROUTINE Test;
} IOP_JOB, *PIOP_JOB;

static VOID IopCallDriverEntry(PVOID Context)
{
    PIOP_JOB Job = Context;
    PDRIVER_OBJECT Driver = Job->Driver;
    VF_CALLBACK Callback;
    IopEnter(&Callback, "DRIVER_INITIALIZE", "called to start the driver", (PVOID)(ULONG_PTR)Driver->DriverInit, NULL);
    Job->Status = Driver->DriverInit(Driver, &IopDriverOf(Driver)->RegistryPath);
    VfLeaveCallback(&Callback);
    if (!NT_SUCCESS(Job->Status))
        Job->NothingLeft = IopCheckLeft(Driver);
}

/* docs/testing.md: a test is an exported routine, called at PASSIVE_LEVEL after DriverEntry; its status says how it went. */
static VOID IopCallTest(PVOID Context)
{
    PIOP_JOB Job = Context;
    VF_CALLBACK Callback;
    IopEnter(&Callback, "TEST_ROUTINE", "called as a test", (PVOID)(ULONG_PTR)Job->Test, NULL);
    Job->Status = Job->Test(Job->Driver);
    VfLeaveCallback(&Callback);
}

static VOID IopCallUnload(PVOID Context)
{
    PIOP_JOB Job = Context;
    VF_CALLBACK Callback;
    IopEnter(&Callback, "DRIVER_UNLOAD", "called to unload the driver", (PVOID)(ULONG_PTR)Job->Driver->DriverUnload,
             NULL);
    Job->Driver->DriverUnload(Job->Driver);
    VfLeaveCallback(&Callback);
    Job->NothingLeft = IopCheckLeft(Job->Driver); /* at once: what is still queued must not get the chance to run */
    Job->Status = STATUS_SUCCESS;
}

static NTSTATUS IopRunJob(PKSTART_ROUTINE Routine, PIOP_JOB Job)
{
    PETHREAD Thread;
    Job->Status = STATUS_UNSUCCESSFUL; /* stays so if the driver ends the thread */
    NTSTATUS Status = PspCreateSystemThread(Routine, Job, FALSE, &Thread);
    if (!NT_SUCCESS(Status))
        return Status;
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObfDereferenceObject(Thread);
    return Job->Status;
}

/* "dir/x.sys" -> "x.sys", and the service's name "x". */
static PCSTR IopSplitName(PCSTR FileName, PWSTR Service, ULONG Characters)
{
    CHAR Text[64];
    PCSTR Name = FileName;
    ULONG n = 0;
    for (PCSTR p = FileName; *p; p++)
        if (*p == '/' || *p == '\\')
            Name = p + 1;
    for (; Name[n] && n + 1 < sizeof(Text); n++)
        Text[n] = Name[n];
    if (n > 4 && !_stricmp(Name + n - 4, ".sys"))
        n -= 4;
    Text[n] = 0;
    RtlpFromUtf8(Service, Characters, Text);
    return Name;
}

static NTSTATUS IopPrepareDriver(PMI_IMAGE Image, PCWSTR Service, PDRIVER_OBJECT *Result)
{
    WCHAR Name[96] = L"\\Driver\\";
    UNICODE_STRING Usual, Full, Base;
    PDRIVER_OBJECT Driver;
    wcscat(Name, Service);
    Driver = IopMakeDriver(Name, Image);
    if (!Driver)
        return STATUS_OBJECT_NAME_COLLISION;
    PIOP_DRIVER Own = IopDriverOf(Driver);
    IopMakeString(&Own->RegistryPath, IOP_SERVICES, Service);
    RtlInitUnicodeString(&Own->Public.ServiceKeyName, wcsrchr(Own->RegistryPath.Buffer, L'\\') + 1);
    RtlpFromUtf8(Name, RTL_NUMBER_OF(Name), Image->Name);
    IopMakeString(&Usual, L"\\SystemRoot\\System32\\drivers\\", Name);
    RtlInitUnicodeString(&Base, Service);
    CmpAddService(&Base, &Usual, &Full);
    Driver->DriverSection = PspEnterModule(Image, &Full);
    ExpFree(Usual.Buffer);
    ExpFree(Full.Buffer);
    InsertTailList(&IopDrivers, &Own->Entry);
    *Result = Driver;
    return STATUS_SUCCESS;
}

/* docs: DriverEntry: entries of the dispatch table a driver clears are answered for it. */
static VOID IopSettleDriver(PDRIVER_OBJECT Driver)
{
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        if (!Driver->MajorFunction[i])
            Driver->MajorFunction[i] = IopInvalidDeviceRequest;
    for (PDEVICE_OBJECT Device = Driver->DeviceObject; Device; Device = Device->NextDevice)
        Device->Flags &= ~DO_DEVICE_INITIALIZING;
    Driver->Flags |= DRVO_INITIALIZED;
    if (Driver->DriverExtension->AddDevice)
        Driver->Flags &= ~DRVO_LEGACY_DRIVER;
}

static PCSTR IopBaseName(PCSTR Path)
{
    PCSTR Name = Path;
    for (PCSTR p = Path; *p; p++)
        if (*p == '/' || *p == '\\')
            Name = p + 1;
    return Name;
}

NTSTATUS IopLoadService(PCWSTR Service, PCSTR FileName, BOOLEAN FromVolume, PDRIVER_OBJECT *Result)
{
    PCSTR Name = IopBaseName(FileName), Reason = "";
    PMI_IMAGE Image;
    IOP_JOB Job = {0};
    *Result = NULL;
    if (IopFindDriver(Name))
        return STATUS_IMAGE_ALREADY_LOADED;
    NTSTATUS Status = MmLoadImage(FileName, Name, FromVolume, &Image, &Reason);
    if (!NT_SUCCESS(Status)) {
        if (!FromVolume)
            VfRemark("%s was not loaded: %s", Name, Reason);
        return Status;
    }
    Status = Image->Info.entry ? IopPrepareDriver(Image, Service, &Job.Driver) : STATUS_INVALID_IMAGE_FORMAT;
    if (!NT_SUCCESS(Status)) {
        VfRemark(Image->Info.entry ? "%s: a driver of this name is there already" : "%s has no entry point", Name);
        MmUnloadImage(Image);
        return Status;
    }
    Status = IopBeforeStart(Job.Driver);
    Job.NothingLeft = TRUE;
    if (NT_SUCCESS(Status))
        Status = IopRunJob(IopCallDriverEntry, &Job);
    if (!NT_SUCCESS(Status)) {
        IopRemoveDriver(Job.Driver, Job.NothingLeft);
        return Status;
    }
    IopSettleDriver(Job.Driver);
    MmDiscardInit(Image);
    IopReinitialize(Job.Driver);
    *Result = Job.Driver;
    PnpDriverLoaded(Job.Driver);
    return STATUS_SUCCESS;
}

NTSTATUS IopLoadDriver(PCSTR FileName, PDRIVER_OBJECT *Result)
{
    WCHAR Service[64];
    IopSplitName(FileName, Service, RTL_NUMBER_OF(Service));
    return IopLoadService(Service, FileName, FALSE, Result);
}

/* What: "driver.sys!Routine". */
NTSTATUS IopRunTest(PCSTR What)
{
    CHAR File[512];
    PCSTR Mark = strchr(What, '!');
    IOP_JOB Job = {0};
    if (!Mark || (SIZE_T)(Mark - What) >= sizeof(File))
        return STATUS_OBJECT_NAME_INVALID;
    RtlCopyMemory(File, What, (SIZE_T)(Mark - What));
    File[Mark - What] = 0;
    Job.Driver = IopFindDriver(File);
    if (!Job.Driver)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    Job.Test = (PIOP_TEST_ROUTINE)KiDoor->image_export((UINT64)Job.Driver->DriverStart, Mark + 1);
    return Job.Test ? IopRunJob(IopCallTest, &Job) : STATUS_PROCEDURE_NOT_FOUND;
}

/* ---- Unload ------------------------------------------------------------------------------------------------------ */

/* docs: Writing an Unload Routine: not called while a file or another device is on one of its devices. */
static BOOLEAN IopInUse(PDRIVER_OBJECT Driver)
{
    for (PDEVICE_OBJECT Device = Driver->DeviceObject; Device; Device = Device->NextDevice)
        if (Device->ReferenceCount || Device->AttachedDevice)
            return TRUE;
    return FALSE;
}

static NTSTATUS IopUnloadOne(PDRIVER_OBJECT Driver)
{
    PCSTR Name = IopDriverOf(Driver)->FileName;
    IOP_JOB Job = {.Driver = Driver};
    if (!Driver->DriverUnload) {
        VfRemark("%s has no unload routine and stays loaded", Name);
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    Driver->Flags |= DRVO_UNLOAD_INVOKED; /* no device is given to it any more */
    NTSTATUS Status = PnpRemoveDriver(Driver);
    if (!NT_SUCCESS(Status) && !IopInUse(Driver)) {
        Driver->Flags &= ~DRVO_UNLOAD_INVOKED;
        VfRemark("%s stays loaded with its device, which is not to be removed", Name);
        return Status;
    }
    if (IopInUse(Driver)) {
        Driver->Flags &= ~DRVO_UNLOAD_INVOKED;
        IopDriverOf(Driver)->UnloadPending = TRUE;
        VfRemark("%s stays loaded until nobody uses its devices any more", Name);
        return STATUS_DEVICE_BUSY;
    }
    IopDriverOf(Driver)->UnloadPending = FALSE;
    Status = IopRunJob(IopCallUnload, &Job);
    if (NT_SUCCESS(Status))
        IopRemoveDriver(Driver, Job.NothingLeft);
    return Status;
}

/* A device's last user has gone: if its driver was to be unloaded, now is the time, in a thread of the system. */
static VOID NTAPI IopUnloadLater(PVOID Context)
{
    PIOP_DRIVER Own = CONTAINING_RECORD(Context, IOP_DRIVER, UnloadItem);
    PDRIVER_OBJECT Driver = Own->Public.DriverObject;
    Own->UnloadQueued = FALSE;
    if (Own->UnloadPending && !IopInUse(Driver))
        IopUnloadOne(Driver);
    ObfDereferenceObject(Driver);
}

VOID IopDriverIdle(PDRIVER_OBJECT Driver)
{
    PIOP_DRIVER Own = Driver ? IopDriverOf(Driver) : NULL;
    if (!Own || !Own->UnloadPending || Own->UnloadQueued || IopInUse(Driver))
        return;
    Own->UnloadQueued = TRUE;
    ObfReferenceObject(Driver);
    ExInitializeWorkItem(&Own->UnloadItem, IopUnloadLater, &Own->UnloadItem);
    ExQueueWorkItem(&Own->UnloadItem, DelayedWorkQueue);
}

/* docs: ZwUnloadDriver, by the driver object's name; a driver in use goes when it is no longer. */
NTSTATUS IopUnloadService(PCWSTR Service)
{
    WCHAR Text[96] = L"\\Driver\\";
    UNICODE_STRING Name = {.Length = 8 * sizeof(WCHAR), .MaximumLength = sizeof(Text), .Buffer = Text};
    PVOID Driver;
    NTSTATUS Status = RtlAppendUnicodeToString(&Name, Service);
    if (NT_SUCCESS(Status))
        Status = ObpLookupName(&Name, OBJ_CASE_INSENSITIVE, IopDriverType, 0, NULL, &Driver);
    if (!NT_SUCCESS(Status))
        return Status;
    if (!IopDriverOf((PDRIVER_OBJECT)Driver)->Image || (((PDRIVER_OBJECT)Driver)->Flags & DRVO_UNLOAD_INVOKED))
        Status = STATUS_INVALID_DEVICE_REQUEST;
    else
        Status = IopUnloadOne(Driver);
    ObfDereferenceObject(Driver);
    return Status == STATUS_DEVICE_BUSY ? STATUS_SUCCESS : Status;
}

NTSTATUS IopUnloadDriver(PCSTR FileName)
{
    WCHAR Service[64];
    if (*FileName) {
        PDRIVER_OBJECT Driver = IopFindDriver(IopSplitName(FileName, Service, RTL_NUMBER_OF(Service)));
        return Driver ? IopUnloadOne(Driver) : STATUS_OBJECT_NAME_NOT_FOUND;
    }
    if (PopOff)
        return STATUS_SUCCESS; /* the machine is off */
    PnpEndOfRun();
    for (PLIST_ENTRY Entry = IopDrivers.Blink, Before; Entry != &IopDrivers; Entry = Before) {
        Before = Entry->Blink;
        IopUnloadOne(CONTAINING_RECORD(Entry, IOP_DRIVER, Entry)->Public.DriverObject);
    }
    return STATUS_SUCCESS;
}

/* ---- Exports ----------------------------------------------------------------------------------------------------- */

/* docs: IoAllocateDriverObjectExtension: one area for each id, freed with the driver object. */
NTSTATUS NTAPI IoAllocateDriverObjectExtension(PDRIVER_OBJECT Driver, PVOID Id, ULONG Bytes, PVOID *Area)
{
    *Area = NULL;
    if (IoGetDriverObjectExtension(Driver, Id))
        return STATUS_OBJECT_NAME_COLLISION;
    PIOP_EXTENSION Extension = IopAllocate(sizeof(*Extension) + Bytes, IOP_DRIVER_TAG, 0);
    if (!Extension)
        return STATUS_INSUFFICIENT_RESOURCES;
    Extension->Id = Id;
    Extension->Bytes = Bytes;
    Extension->Next = IopDriverOf(Driver)->Extensions;
    IopDriverOf(Driver)->Extensions = Extension;
    *Area = Extension + 1;
    return STATUS_SUCCESS;
}

PVOID NTAPI IoGetDriverObjectExtension(PDRIVER_OBJECT Driver, PVOID Id)
{
    for (PIOP_EXTENSION Extension = IopDriverOf(Driver)->Extensions; Extension; Extension = Extension->Next)
        if (Extension->Id == Id)
            return Extension + 1;
    return NULL;
}
