/*
 * The life of a device up to IRP_MN_START_DEVICE, stop and start anew, and what a driver says of its device's state.
 *
 * Order, as documented ("Adding a PnP Device to a Running System"): AddDevice of the lower filters, the function driver, the
 * upper filters; IRP_MN_FILTER_RESOURCE_REQUIREMENTS; IRP_MN_START_DEVICE; IRP_MN_QUERY_CAPABILITIES again;
 * IRP_MN_QUERY_PNP_DEVICE_STATE; IRP_MN_QUERY_DEVICE_RELATIONS for the children.
 */
#include "nt.h"

static VOID PnpFail(PDEVICE_NODE Node, ULONG Problem)
{
    Node->State = PnpFailed;
    Node->Problem = Problem;
}

/* ---- AddDevice --------------------------------------------------------------------------------------------------- */

static NTSTATUS PnpCallAddDevice(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Pdo)
{
    PDRIVER_ADD_DEVICE Routine = Driver->DriverExtension->AddDevice;
    PDEVICE_OBJECT Before = IoGetAttachedDevice(Pdo), Top;
    VF_CALLBACK Callback;
    NTSTATUS Status;
    if (!Routine)
        return STATUS_NOT_SUPPORTED;
    if (!IopDriverOf(Driver)->Image)
        return Routine(Driver, Pdo);
    IopEnter(&Callback, "DRIVER_ADD_DEVICE", "called to add the driver to device %o", (PVOID)(ULONG_PTR)Routine, Pdo);
    Status = Routine(Driver, Pdo);
    VfLeaveCallback(&Callback);
    Top = IoGetAttachedDevice(Pdo);
    if (NT_SUCCESS(Status) && Top != Before)
        PnpCheckAdded(Driver, Top);
    return Status;
}

static VOID PnpNoteService(PDEVICE_NODE Node, PPNP_STACK Stack)
{
    PIOP_DRIVER Own;
    if (Stack->Function >= Stack->Count || Node->Own)
        return;
    Own = IopDriverOf(Stack->Driver[Stack->Function]);
    PWSTR Name = Own->Public.ServiceKeyName.Buffer;
    if (!Name)
        return;
    if (Node->Service)
        ExpFree(Node->Service);
    Node->Service = PnpCopyString(Name);
    PnpWriteValue(Node, NULL, L"Service", REG_SZ, Node->Service, (ULONG)(wcslen(Node->Service) + 1) * sizeof(WCHAR));
}

/* STATUS_DEVICE_NOT_READY: the device waits for a driver. */
static NTSTATUS PnpAddDrivers(PDEVICE_NODE Node)
{
    PNP_STACK Stack;
    NTSTATUS Status = PnpMatch(Node, &Stack);
    if (Status == STATUS_NO_SUCH_DEVICE && Node->Capabilities.RawDeviceOK)
        return STATUS_SUCCESS;
    if (!NT_SUCCESS(Status))
        return STATUS_DEVICE_NOT_READY;
    PnpNoteService(Node, &Stack);
    for (ULONG i = 0; i < Stack.Count && NT_SUCCESS(Status); i++) {
        Status = PnpCallAddDevice(Stack.Driver[i], Node->Pdo);
        if (!NT_SUCCESS(Status))
            PnpRemark(Node, "AddDevice of %s returned 0x%08x", IopDriverOf(Stack.Driver[i])->FileName, Status);
    }
    if (NT_SUCCESS(Status))
        return STATUS_SUCCESS;
    PnpFail(Node, PNP_PROBLEM_FAILED_ADD);
    if (Node->Pdo->AttachedDevice)
        PnpRemoveStack(Node);
    return Status;
}

/* ---- Resources --------------------------------------------------------------------------------------------------- */

static VOID PnpFreeList(PVOID *List)
{
    if (*List)
        ExpFree(*List);
    *List = NULL;
}

/* docs: IRP_MN_FILTER_RESOURCE_REQUIREMENTS: a driver may exchange the list; then it has freed the one it was given. */
static PIO_RESOURCE_REQUIREMENTS_LIST PnpFilter(PDEVICE_NODE Node)
{
    PIO_RESOURCE_REQUIREMENTS_LIST Given = NULL;
    IO_STACK_LOCATION Stack = {0};
    ULONG_PTR Information = 0;
    if (Node->Requirements) {
        Given = ExAllocatePoolWithTag(PagedPool, Node->Requirements->ListSize, PNP_TAG);
        if (!Given)
            return NULL;
        RtlCopyMemory(Given, Node->Requirements, Node->Requirements->ListSize);
    }
    Stack.Parameters.FilterResourceRequirements.IoResourceRequirementList = Given;
    Information = (ULONG_PTR)Given;
    NTSTATUS Status = PnpSend(Node->Pdo, IRP_MN_FILTER_RESOURCE_REQUIREMENTS, &Stack, &Information);
    return NT_SUCCESS(Status) ? (PVOID)Information : Given;
}

static NTSTATUS PnpAssignResources(PDEVICE_NODE Node)
{
    PIO_RESOURCE_REQUIREMENTS_LIST Requirements = PnpFilter(Node);
    NTSTATUS Status = STATUS_SUCCESS;
    PnpFreeList((PVOID *)&Node->Raw);
    PnpFreeList((PVOID *)&Node->Translated);
    if (Requirements) {
        Status = PnpAssign(Requirements, Node->Boot, Node, &Node->Raw);
        ExFreePool(Requirements);
    } else
        Node->Raw = PnpCopyResources(Node->Boot);
    if (!NT_SUCCESS(Status)) {
        PnpFail(Node, PNP_PROBLEM_NO_RESOURCES);
        return Status;
    }
    Node->Translated = PnpTranslate(Node->Raw);
    if (Node->Raw)
        PnpWriteValue(Node, L"Control", L"AllocConfig", REG_RESOURCE_LIST, Node->Raw, PnpResourceBytes(Node->Raw));
    return STATUS_SUCCESS;
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

static NTSTATUS PnpSendStart(PDEVICE_NODE Node)
{
    IO_STACK_LOCATION Stack = {0};
    Stack.Parameters.StartDevice.AllocatedResources = Node->Raw;
    Stack.Parameters.StartDevice.AllocatedResourcesTranslated = Node->Translated;
    return PnpSend(Node->Pdo, IRP_MN_START_DEVICE, &Stack, NULL);
}

/* What the manager wants to know of a device that has started. Few drivers know IRP_MN_QUERY_LEGACY_BUS_INFORMATION: the
 * others leave it as it is. */
static VOID PnpStartedNode(PDEVICE_NODE Node)
{
    DEVICE_CAPABILITIES Capabilities;
    ULONG_PTR Legacy = 0;
    if (NT_SUCCESS(PnpSend(Node->Pdo, IRP_MN_QUERY_LEGACY_BUS_INFORMATION, NULL, &Legacy)) && Legacy)
        ExFreePool((PVOID)Legacy);
    if (NT_SUCCESS(PnpQueryCapabilities(Node->Pdo, &Capabilities)))
        Node->Capabilities = Capabilities;
    PnpInvalidateState(Node->Pdo, NULL);
    if (Node->State != PnpStarted)
        return;
    PnpEnumerate(Node->Pdo, NULL);
}

NTSTATUS PnpStartNode(PDEVICE_NODE Node)
{
    NTSTATUS Status = Node->Reported ? STATUS_SUCCESS : PnpAddDrivers(Node);
    if (NT_SUCCESS(Status)) {
        Status = PnpAssignResources(Node);
        if (NT_SUCCESS(Status)) {
            Status = PnpSendStart(Node);
            if (!NT_SUCCESS(Status)) {
                PnpRemark(Node, "IRP_MN_START_DEVICE failed with 0x%08x", Status);
                PnpFail(Node, PNP_PROBLEM_FAILED_START);
            }
        }
        if (!NT_SUCCESS(Status))
            PnpRemoveStack(Node);
    }
    if (!NT_SUCCESS(Status))
        return Status;
    Node->State = PnpStarted;
    Node->Problem = 0;
    PnpStartedNode(Node);
    return STATUS_SUCCESS;
}

/* docs: "Stopping a Device to Rebalance Resources". A device that no longer starts is removed. */
NTSTATUS PnpRestartNode(PDEVICE_NODE Node)
{
    NTSTATUS Status;
    if (Node->State != PnpStarted)
        return STATUS_DEVICE_NOT_READY;
    Status = PnpSendSimple(Node->Pdo, IRP_MN_QUERY_STOP_DEVICE);
    if (!NT_SUCCESS(Status) || Status == STATUS_RESOURCE_REQUIREMENTS_CHANGED) {
        PnpSendSimple(Node->Pdo, IRP_MN_CANCEL_STOP_DEVICE);
        return NT_SUCCESS(Status) ? STATUS_UNSUCCESSFUL : Status;
    }
    PnpSendSimple(Node->Pdo, IRP_MN_STOP_DEVICE);
    Node->State = PnpStopped;
    Status = PnpAssignResources(Node);
    if (NT_SUCCESS(Status))
        Status = PnpSendStart(Node);
    if (!NT_SUCCESS(Status)) {
        PnpRemark(Node, "IRP_MN_START_DEVICE after a stop failed with 0x%08x", Status);
        PnpFail(Node, PNP_PROBLEM_FAILED_START);
        PnpRemoveStack(Node);
        return Status;
    }
    Node->State = PnpStarted;
    PnpEnumerate(Node->Pdo, NULL);
    return STATUS_SUCCESS;
}

/* ---- What the drivers say of the device -------------------------------------------------------------------------- */

/* docs: IRP_MN_QUERY_PNP_DEVICE_STATE, PNP_DEVICE_STATE */
NTSTATUS PnpInvalidateState(PDEVICE_OBJECT Device, PVOID Context)
{
    PDEVICE_NODE Node = PnpNodeOf(Device);
    ULONG_PTR Information = 0;
    if (!Node || Node->State != PnpStarted)
        return STATUS_NO_SUCH_DEVICE;
    NTSTATUS Status = PnpSend(Device, IRP_MN_QUERY_PNP_DEVICE_STATE, NULL, &Information);
    if (!NT_SUCCESS(Status))
        return Status;
    Node->UserFlags = (PNP_DEVICE_STATE)Information;
    if (Node->UserFlags & (PNP_DEVICE_FAILED | PNP_DEVICE_REMOVED)) {
        PnpRemark(Node, "its driver says that it %s", Node->UserFlags & PNP_DEVICE_FAILED ? "has failed" : "has gone");
        PnpSurpriseTree(Node);
        if (PnpNodeOf(Device))
            PnpFail(PnpNodeOf(Device), PNP_PROBLEM_FAILED_POST_START);
    } else if (Node->UserFlags & PNP_DEVICE_DISABLED) {
        PnpRemoveTree(Node);
        if (PnpNodeOf(Device))
            PnpFail(PnpNodeOf(Device), PNP_PROBLEM_DISABLED);
    } else if (Node->UserFlags & PNP_DEVICE_RESOURCE_REQUIREMENTS_CHANGED)
        PnpRestartNode(Node);
    return STATUS_SUCCESS;
}

VOID NTAPI IoInvalidateDeviceState(PDEVICE_OBJECT Device)
{
    if (PnpCheckPdo(Device, "IoInvalidateDeviceState"))
        PnpQueue(PnpInvalidateState, Device, NULL);
}
