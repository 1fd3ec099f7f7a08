/*
 * Enumeration: who is on a bus, and what the bus says of it.
 *
 * The list a bus returns is all there is: a device that was there before and is not in it has gone. An enumeration asks, for
 * each new device, its ids, capabilities, texts, bus and resources, and then starts it if its drivers are there.
 * (docs: "Adding a PnP Device to a Running System", IRP_MN_QUERY_DEVICE_RELATIONS, IRP_MN_QUERY_ID)
 */
#include "nt.h"

/* ---- One device -------------------------------------------------------------------------------------------------- */

/* docs: IRP_MN_QUERY_ID: characters from 0x20 to 0x7F without the comma; of lists each string. Kind: as in bug check 0xCA. */
static BOOLEAN PnpCheckId(PDEVICE_OBJECT Pdo, PCWSTR Id, ULONG Kind)
{
    BOOLEAN List = Kind > 2;
    ULONG Length = 0;
    for (PCWSTR p = Id; *p || (List && Length && p[1]); p++, Length++)
        if (*p && (*p < 0x20 || *p > 0x7f || *p == L',' || Length >= (List ? 2048 : 200))) {
            VfFinding("pnp.invalid-id", PNP_DETECTED_FATAL_ERROR, 3, (UINT64)Pdo, (UINT64)Id, Kind);
            VfSubject("IRP_MN_QUERY_ID");
            VfText("a bus driver returned an id with a character that ids may not have, or without an end: %.60ws", Id);
            VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Pdo)->CreatedBy, Pdo, NULL, "The device was created at:");
            VfCommit();
            return FALSE;
        }
    return TRUE;
}

/* The driver's string becomes one of ours. */
static PWSTR PnpAskId(PDEVICE_NODE Node, BUS_QUERY_ID_TYPE Type, ULONG Kind)
{
    PWSTR Id, Copy = NULL;
    if (!NT_SUCCESS(PnpQueryId(Node->Pdo, Type, &Id)))
        return NULL;
    if (PnpCheckId(Node->Pdo, Id, Kind))
        Copy = Kind > 2 ? PnpCopyList(Id) : PnpCopyString(Id);
    ExFreePool(Id);
    return Copy;
}

static PWSTR PnpAskText(PDEVICE_NODE Node, DEVICE_TEXT_TYPE Type)
{
    PWSTR Text, Copy;
    if (!NT_SUCCESS(PnpQueryText(Node->Pdo, Type, &Text)))
        return NULL;
    Copy = PnpCopyString(Text);
    ExFreePool(Text);
    return Copy;
}

static VOID PnpMakePath(PDEVICE_NODE Node, PCWSTR DeviceId, PCWSTR Instance)
{
    WCHAR Path[512];
    CHAR Prefix[32] = "";
    if (!Node->Capabilities.UniqueID && !PnpIsRootDevice(Node->Pdo)) {
        ULONG Hash = 0;
        RtlHashUnicodeString(&Node->Parent->InstancePath, TRUE, HASH_STRING_ALGORITHM_X65599, &Hash);
        RtlpFormat(Prefix, sizeof(Prefix), "%x&%x&0%s", Node->Level, Hash, *Instance ? "&" : "");
    }
    wcscpy(Path, DeviceId);
    wcscat(Path, L"\\");
    RtlpFromUtf8(Path + wcslen(Path), sizeof(Prefix), Prefix);
    wcscat(Path, Instance);
    if (PnpIsRootDevice(Node->Pdo)) /* an installer names those, in capitals; others keep their bus driver's letters */
        _wcsupr(Path);
    RtlInitUnicodeString(&Node->InstancePath, PnpCopyString(Path));
}

/* docs: Bug Check 0xCA, parameter 1 = 1. */
static BOOLEAN PnpIsDuplicate(PDEVICE_NODE Node)
{
    for (PDEVICE_NODE Other = PnpRoot; Other; Other = PnpNextNode(Other, PnpRoot)) {
        if (Other == Node || Other->Missing || !Other->InstancePath.Buffer ||
            !RtlEqualUnicodeString(&Other->InstancePath, &Node->InstancePath, TRUE))
            continue;
        if (Other->Parent == Node->Parent) {
            VfFinding("pnp.duplicate-pdo", PNP_DETECTED_FATAL_ERROR, 1, (UINT64)Node->Pdo, (UINT64)Other->Pdo, 0);
            VfSubject("IRP_MN_QUERY_DEVICE_RELATIONS");
            VfText("a bus driver reported two devices with the same device id and instance id: %.60wZ",
                   &Node->InstancePath);
            VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Node->Pdo)->CreatedBy, Node->Pdo, NULL,
                   "The new device was created at:");
            VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Other->Pdo)->CreatedBy, Other->Pdo, NULL,
                   "The older one was created at:");
            VfCommit();
        }
        return TRUE;
    }
    return FALSE;
}

static VOID PnpAskBus(PDEVICE_NODE Node)
{
    ULONG_PTR Information = 0;
    if (!NT_SUCCESS(PnpSend(Node->Pdo, IRP_MN_QUERY_BUS_INFORMATION, NULL, &Information)) || !Information)
        return;
    Node->Bus = *(PPNP_BUS_INFORMATION)Information;
    Node->HaveBus = TRUE;
    ExFreePool((PVOID)Information);
}

static VOID PnpAskResources(PDEVICE_NODE Node)
{
    ULONG_PTR Information = 0;
    if (NT_SUCCESS(PnpSend(Node->Pdo, IRP_MN_QUERY_RESOURCES, NULL, &Information)) && Information) {
        Node->Boot = PnpCopyResources((PCM_RESOURCE_LIST)Information);
        ExFreePool((PVOID)Information);
    }
    Information = 0;
    if (NT_SUCCESS(PnpSend(Node->Pdo, IRP_MN_QUERY_RESOURCE_REQUIREMENTS, NULL, &Information)) && Information) {
        PIO_RESOURCE_REQUIREMENTS_LIST List = (PVOID)Information;
        Node->Requirements = ExpAllocate(List->ListSize, PNP_TAG);
        RtlCopyMemory(Node->Requirements, List, List->ListSize);
        ExFreePool(List);
    }
}

static VOID PnpRegister(PDEVICE_NODE Node)
{
    if (Node->HardwareIds)
        PnpWriteValue(Node, NULL, L"HardwareID", REG_MULTI_SZ, Node->HardwareIds, PnpListBytes(Node->HardwareIds));
    if (Node->CompatibleIds)
        PnpWriteValue(Node, NULL, L"CompatibleIDs", REG_MULTI_SZ, Node->CompatibleIds,
                      PnpListBytes(Node->CompatibleIds));
    if (Node->Description && !PnpIsConfigured(Node))
        PnpWriteValue(Node, NULL, L"DeviceDesc", REG_SZ, Node->Description,
                      (ULONG)(wcslen(Node->Description) + 1) * sizeof(WCHAR));
    if (Node->Place)
        PnpWriteValue(Node, NULL, L"LocationInformation", REG_SZ, Node->Place,
                      (ULONG)(wcslen(Node->Place) + 1) * sizeof(WCHAR));
    ULONG Capabilities = Node->Capabilities.LockSupported | Node->Capabilities.EjectSupported << 1 |
                         Node->Capabilities.Removable << 2 | Node->Capabilities.DockDevice << 3 |
                         Node->Capabilities.UniqueID << 4 | Node->Capabilities.SilentInstall << 5 |
                         Node->Capabilities.RawDeviceOK << 6 | Node->Capabilities.SurpriseRemovalOK << 7;
    PnpWriteValue(Node, NULL, L"Capabilities", REG_DWORD, &Capabilities, sizeof(Capabilities));
}

/* docs: "Overview of Container IDs": what the bus says; else a removable device is a container of its own, and another lies
 * in its parent's, at last the computer's. */
static VOID PnpSetContainer(PDEVICE_NODE Node)
{
    PWSTR Container = PnpAskId(Node, BusQueryContainerID, 2);
    if (Container) {
        UNICODE_STRING Text;
        RtlInitUnicodeString(&Text, Container);
        RtlGUIDFromString(&Text, &Node->Container);
        ExpFree(Container);
    } else if (Node->Capabilities.Removable)
        ExUuidCreate(&Node->Container);
    else if (Node->Parent)
        Node->Container = Node->Parent->Container;
}

BOOLEAN PnpIdentify(PDEVICE_NODE Node)
{
    PWSTR DeviceId = PnpAskId(Node, BusQueryDeviceID, 1), Instance;
    if (!DeviceId) {
        Node->State = PnpFailed;
        Node->Problem = PNP_PROBLEM_INVALID_ID;
        return FALSE;
    }
    PnpQueryCapabilities(Node->Pdo, &Node->Capabilities);
    Instance = PnpAskId(Node, BusQueryInstanceID, 2);
    PnpMakePath(Node, DeviceId, Instance ? Instance : L"");
    ExpFree(DeviceId);
    if (Instance)
        ExpFree(Instance);
    if (PnpIsDuplicate(Node)) {
        Node->State = PnpFailed;
        Node->Problem = PNP_PROBLEM_INVALID_ID;
        return FALSE;
    }
    Node->HardwareIds = PnpAskId(Node, BusQueryHardwareIDs, 3);
    Node->CompatibleIds = PnpAskId(Node, BusQueryCompatibleIDs, 4);
    PnpSetContainer(Node);
    Node->Description = PnpAskText(Node, DeviceTextDescription);
    Node->Place = PnpAskText(Node, DeviceTextLocationInformation);
    PnpAskBus(Node);
    PnpRegister(Node);
    PnpConfigure(Node);
    PnpAskResources(Node);
    if (Node->Pdo->DriverObject->DriverStart)
        PnpSendSimple(Node->Pdo, IRP_MN_DEVICE_ENUMERATED);
    return TRUE;
}

/* ---- A bus's children -------------------------------------------------------------------------------------------- */

/* The device of the bus's function driver, which has filled in the list. NULL: the bus is its own. */
static PDEVICE_OBJECT PnpFunctionOf(PDEVICE_NODE Node)
{
    PDEVICE_OBJECT Device = Node->Service ? Node->Pdo->AttachedDevice : NULL;
    for (; Device; Device = Device->AttachedDevice) {
        PWSTR Name = Device->DriverObject->DriverExtension->ServiceKeyName.Buffer;
        if (Name && !_wcsicmp(Name, Node->Service))
            return Device;
    }
    return NULL;
}

/* There is nothing to point at but the routine that has answered. */
static VOID PnpReportNull(PDEVICE_NODE Bus, ULONG Count, ULONG Index)
{
    PDEVICE_OBJECT Device = PnpFunctionOf(Bus);
    VfFinding("pnp.null-pdo", PNP_DETECTED_FATAL_ERROR, 8, (UINT64)Bus->Pdo, Count, Index);
    VfSubject("IRP_MN_QUERY_DEVICE_RELATIONS");
    VfText("a bus driver returned a list of its devices in which one is NULL");
    if (Device) {
        UINT64 Frame = (UINT64)(ULONG_PTR)Device->DriverObject->MajorFunction[IRP_MJ_PNP] + 1;
        VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), Device, "dispatch routine of device %o", "");
    }
    VfCommit();
}

static VOID PnpReportRelation(PDEVICE_OBJECT Pdo, PCSTR Text)
{
    VfSubject("IRP_MN_QUERY_DEVICE_RELATIONS");
    VfText("%s", Text);
    VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Pdo)->CreatedBy, Pdo, NULL, "The device was created at:");
    VfCommit();
}

/* TRUE: it may become, or is, a node. */
static BOOLEAN PnpAcceptRelation(PDEVICE_NODE Bus, PDEVICE_RELATIONS Relations, ULONG Index)
{
    PDEVICE_OBJECT Pdo = Relations->Objects[Index];
    if (!Pdo) {
        PnpReportNull(Bus, Relations->Count, Index);
        return FALSE;
    }
    if (IopDeviceOf(Pdo)->DeletePending) {
        VfFinding("pnp.deleted-pdo", PNP_DETECTED_FATAL_ERROR, 4, (UINT64)Pdo, 0, 0);
        PnpReportRelation(Pdo, "a bus driver reported a device that it had deleted before");
        return FALSE;
    }
    if (IopDeviceOf(Pdo)->AttachedTo) {
        VfFinding("pnp.relation-not-a-pdo", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x248, 0, (UINT64)Pdo, 0);
        PnpReportRelation(Pdo, "a bus driver reported a device object that is attached to another one, so no physical "
                               "device object");
        return FALSE;
    }
    return TRUE;
}

static VOID PnpTakeRelations(PDEVICE_NODE Bus, PDEVICE_RELATIONS Relations)
{
    for (ULONG i = 0; i < Relations->Count; i++) {
        PDEVICE_OBJECT Pdo = Relations->Objects[i];
        PDEVICE_NODE Node;
        if (!PnpAcceptRelation(Bus, Relations, i)) {
            if (Pdo)
                ObfDereferenceObject(Pdo);
            continue;
        }
        Node = PnpNodeOf(Pdo);
        if (!Node) {
            Node = PnpMakeNode(Bus, Pdo);
            Pdo->Flags &= ~DO_DEVICE_INITIALIZING;
            Node->Seen = TRUE;
            PnpIdentify(Node);
        } else
            Node->Seen = TRUE;
        ObfDereferenceObject(Pdo); /* the bus driver's reference was ours to keep; the node has one */
    }
}

static VOID PnpRemoveMissing(PDEVICE_NODE Bus)
{
    for (PLIST_ENTRY Entry = Bus->Children.Flink, Next; Entry != &Bus->Children; Entry = Next) {
        PDEVICE_NODE Node = CONTAINING_RECORD(Entry, DEVICE_NODE, Sibling);
        Next = Entry->Flink;
        if (Node->Seen || Node->Missing || Node->Reported)
            continue;
        PnpSurpriseTree(Node);
        Next = Bus->Children.Flink; /* nodes may have come and gone meanwhile; those done are marked */
    }
}

NTSTATUS PnpEnumerate(PDEVICE_OBJECT Device, PVOID Context)
{
    PDEVICE_NODE Bus = PnpNodeOf(Device);
    PDEVICE_RELATIONS Relations;
    if (!Bus || Bus->State != PnpStarted)
        return STATUS_NO_SUCH_DEVICE;
    NTSTATUS Status = PnpQueryRelations(Device, BusRelations, &Relations);
    if (!NT_SUCCESS(Status))
        return Status;
    for (PLIST_ENTRY Entry = Bus->Children.Flink; Entry != &Bus->Children; Entry = Entry->Flink)
        CONTAINING_RECORD(Entry, DEVICE_NODE, Sibling)->Seen = FALSE;
    PnpTakeRelations(Bus, Relations);
    ExFreePool(Relations);
    PnpRemoveMissing(Bus);
    return PnpStartAll(NULL, NULL);
}

/* A start may make new nodes (a bus's children start within their bus's start) and take others away: begin anew then. */
NTSTATUS PnpStartAll(PDEVICE_OBJECT Device, PVOID Context)
{
    static ULONG Depth;
    BOOLEAN Started = !Depth;
    Depth++;
    while (Started) {
        Started = FALSE;
        for (PDEVICE_NODE Node = PnpRoot; Node && !Started; Node = PnpNextNode(Node, PnpRoot))
            if (Node->State == PnpEnumerated && !Node->Missing && !Node->Disabled && Node->Parent &&
                Node->Parent->State == PnpStarted)
                Started = PnpStartNode(Node) != STATUS_DEVICE_NOT_READY && Node->State != PnpEnumerated;
    }
    Depth--;
    return STATUS_SUCCESS;
}

/* ---- Asked for by drivers ---------------------------------------------------------------------------------------- */

static NTSTATUS PnpInvalidated(PDEVICE_OBJECT Device, PVOID Context)
{
    switch ((DEVICE_RELATION_TYPE)(ULONG_PTR)Context) {
    case BusRelations:
    case SingleBusRelations:
    case TransportRelations:
        return PnpEnumerate(Device, NULL);
    default: /* asked for anew whenever they are needed */
        return STATUS_SUCCESS;
    }
}

VOID NTAPI IoInvalidateDeviceRelations(PDEVICE_OBJECT Device, DEVICE_RELATION_TYPE Type)
{
    if (PnpCheckPdo(Device, "IoInvalidateDeviceRelations"))
        PnpQueue(PnpInvalidated, Device, (PVOID)(ULONG_PTR)Type);
}

/* docs: IoSynchronousInvalidateDeviceRelations: returns when the devices have been enumerated. */
NTSTATUS NTAPI IoSynchronousInvalidateDeviceRelations(PDEVICE_OBJECT Device, DEVICE_RELATION_TYPE Type)
{
    if (!PnpCheckPdo(Device, "IoSynchronousInvalidateDeviceRelations"))
        return STATUS_NO_SUCH_DEVICE;
    if (Type != BusRelations)
        return STATUS_NOT_SUPPORTED;
    return PnpRun(PnpInvalidated, Device, (PVOID)(ULONG_PTR)Type);
}
