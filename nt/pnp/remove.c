/*
 * The end of a device: asked for first (query remove), or by surprise; ejection.
 *
 * In an orderly removal the listeners of target device changes are asked, then the stacks, children before parents. Who says
 * no is the last one asked, and all who had agreed are told that nothing will come of it. An open handle forbids the
 * removal, too. After that come the end of interfaces, the listeners' farewell, and IRP_MN_REMOVE_DEVICE, children first.
 * (docs: "Removing a Device", IRP_MN_QUERY_REMOVE_DEVICE, IRP_MN_SURPRISE_REMOVAL, "Using PnP Notification")
 */
#include "nt.h"
#include <initguid.h>
#include <wdmguid.h>

#define PNP_STACK_DEPTH 16

/* ---- One stack --------------------------------------------------------------------------------------------------- */

/* The devices above the physical one, referenced. */
static ULONG PnpListStack(PDEVICE_OBJECT Pdo, PDEVICE_OBJECT *Devices)
{
    ULONG Count = 0;
    for (PDEVICE_OBJECT Device = Pdo->AttachedDevice; Device && Count < PNP_STACK_DEPTH;
         Device = Device->AttachedDevice) {
        ObfReferenceObject(Device);
        Devices[Count++] = Device;
    }
    return Count;
}

static PVOID PnpDispatchOf(PDEVICE_OBJECT Device)
{
    return (PVOID)(ULONG_PTR)Device->DriverObject->MajorFunction[IRP_MJ_PNP];
}

static VOID PnpReportStays(PDEVICE_OBJECT Device, ULONG Code, PCSTR Rule, PCSTR Text)
{
    UINT64 Frame = (UINT64)PnpDispatchOf(Device) + 1;
    VfFinding(Rule, DRIVER_VERIFIER_IOMANAGER_VIOLATION, Code, (UINT64)Device, (UINT64)PnpDispatchOf(Device), 0);
    VfSubject("IRP_MJ_PNP");
    VfText("%s", Text);
    VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), NULL, NULL, "");
    VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Device)->CreatedBy, Device, NULL, "The device was created at:");
    VfCommit();
}

static BOOLEAN PnpIsDrivers(PDEVICE_OBJECT Device)
{
    PMI_IMAGE Image = Device->DriverObject ? IopDriverOf(Device->DriverObject)->Image : NULL;
    return Image && Image->Driver;
}

static VOID PnpCheckRemoved(PDEVICE_OBJECT Device)
{
    if (!PnpIsDrivers(Device))
        return;
    if (IopDeviceOf(Device)->AttachedTo)
        PnpReportStays(Device, 0x21D, "pnp.not-detached",
                       "a driver handled IRP_MN_REMOVE_DEVICE and left its device attached to the stack below");
    else if (!IopDeviceOf(Device)->DeletePending)
        PnpReportStays(Device, 0x21E, "pnp.not-deleted",
                       "a driver handled IRP_MN_REMOVE_DEVICE and did not delete its device");
}

VOID PnpRemoveStack(PDEVICE_NODE Node)
{
    PDEVICE_OBJECT Devices[PNP_STACK_DEPTH], Pdo = Node->Pdo;
    ULONG Count = PnpListStack(Pdo, Devices);
    ULONG Problem = Node->State == PnpFailed ? Node->Problem : 0;
    ObfReferenceObject(Pdo);
    Node->Removing = TRUE;
    PnpSendSimple(Pdo, IRP_MN_REMOVE_DEVICE);
    for (ULONG i = Count; i-- > 0;) {
        PnpCheckRemoved(Devices[i]);
        ObfDereferenceObject(Devices[i]);
    }
    Node = PnpNodeOf(Pdo); /* NULL: the bus driver has deleted the object */
    if (Node) {
        PnpInterfacesEnd(Node);
        Node->Removing = FALSE;
        Node->State = Problem ? PnpFailed : PnpEnumerated;
        Node->Problem = Problem;
    }
    ObfDereferenceObject(Pdo);
}

static BOOLEAN PnpIsOpen(PDEVICE_OBJECT Pdo)
{
    for (PDEVICE_OBJECT Device = Pdo; Device; Device = Device->AttachedDevice)
        if (Device->ReferenceCount)
            return TRUE;
    return FALSE;
}

/* ---- Trees ------------------------------------------------------------------------------------------------------- */

/* The nodes of a tree, children first, with their devices referenced: the tree changes while stacks are removed. */
typedef struct _PNP_LIST {
    ULONG Count, Room;
    PDEVICE_OBJECT *Pdo;
} PNP_LIST, *PPNP_LIST;

static VOID PnpAddToList(PPNP_LIST List, PDEVICE_OBJECT Pdo)
{
    for (ULONG i = 0; i < List->Count; i++)
        if (List->Pdo[i] == Pdo)
            return;
    if (List->Count == List->Room) {
        PDEVICE_OBJECT *More = ExpAllocate((List->Room + 32) * sizeof(*More), PNP_TAG);
        RtlCopyMemory(More, List->Pdo, List->Count * sizeof(*More));
        if (List->Pdo)
            ExpFree(List->Pdo);
        List->Pdo = More;
        List->Room += 32;
    }
    ObfReferenceObject(Pdo);
    List->Pdo[List->Count++] = Pdo;
}

static VOID PnpListTree(PPNP_LIST List, PDEVICE_NODE Top)
{
    for (PDEVICE_NODE Node = PnpLastNode(Top); Node; Node = PnpPreviousNode(Node, Top))
        PnpAddToList(List, Node->Pdo);
}

/* docs: IRP_MN_QUERY_DEVICE_RELATIONS: devices that go when this one goes. */
static VOID PnpListRelations(PPNP_LIST List, PDEVICE_NODE Top, DEVICE_RELATION_TYPE Type)
{
    PDEVICE_RELATIONS Relations;
    if (Top->State != PnpStarted || !NT_SUCCESS(PnpQueryRelations(Top->Pdo, Type, &Relations)))
        return;
    for (ULONG i = 0; i < Relations->Count; i++) {
        PDEVICE_OBJECT Pdo = Relations->Objects[i];
        if (!Pdo)
            continue;
        if (IopDeviceOf(Pdo)->DeletePending) {
            VfFinding("pnp.deleted-relation", PNP_DETECTED_FATAL_ERROR, 0xB, (UINT64)Pdo, (UINT64)Relations, 0);
            VfSubject("IRP_MN_QUERY_DEVICE_RELATIONS");
            VfText("a driver named a device among its relations that has been deleted");
            VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Pdo)->CreatedBy, Pdo, NULL, "The device was created at:");
            VfCommit();
        } else if (PnpNodeOf(Pdo))
            PnpListTree(List, PnpNodeOf(Pdo));
        ObfDereferenceObject(Pdo);
    }
    ExFreePool(Relations);
}

static VOID PnpFreeDeviceList(PPNP_LIST List)
{
    for (ULONG i = 0; i < List->Count; i++)
        ObfDereferenceObject(List->Pdo[i]);
    if (List->Pdo)
        ExpFree(List->Pdo);
}

static BOOLEAN PnpIsUp(PDEVICE_NODE Node)
{
    return Node && (Node->State == PnpStarted || Node->State == PnpStopped);
}

/* ---- Orderly ----------------------------------------------------------------------------------------------------- */

static NTSTATUS PnpQueryOne(PDEVICE_NODE Node)
{
    NTSTATUS Status = PnpNotifyTarget(Node, &GUID_TARGET_DEVICE_QUERY_REMOVE);
    if (!NT_SUCCESS(Status)) {
        PnpRemark(Node, "a listener does not let it be removed");
        return STATUS_PLUGPLAY_QUERY_VETOED;
    }
    Node->Queried = TRUE; /* and has to be told if it does not come to it */
    Status = PnpSendSimple(Node->Pdo, IRP_MN_QUERY_REMOVE_DEVICE);
    if (!NT_SUCCESS(Status) && Status != STATUS_NOT_SUPPORTED) {
        PnpRemark(Node, "IRP_MN_QUERY_REMOVE_DEVICE failed with 0x%08x", Status);
        return STATUS_PLUGPLAY_QUERY_VETOED;
    }
    if (PnpIsOpen(Node->Pdo)) {
        PnpRemark(Node, "it is open and cannot be removed");
        return STATUS_PLUGPLAY_QUERY_VETOED;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS PnpQueryList(PPNP_LIST List)
{
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG i = 0; i < List->Count && NT_SUCCESS(Status); i++)
        if (PnpIsUp(PnpNodeOf(List->Pdo[i])))
            Status = PnpQueryOne(PnpNodeOf(List->Pdo[i]));
    if (NT_SUCCESS(Status))
        return STATUS_SUCCESS;
    for (ULONG i = List->Count; i-- > 0;) { /* parents first */
        PDEVICE_NODE Node = PnpNodeOf(List->Pdo[i]);
        if (!Node || !Node->Queried)
            continue;
        Node->Queried = FALSE;
        PnpSendSimple(Node->Pdo, IRP_MN_CANCEL_REMOVE_DEVICE);
        PnpNotifyTarget(Node, &GUID_TARGET_DEVICE_REMOVE_CANCELLED);
    }
    return Status;
}

static VOID PnpRemoveList(PPNP_LIST List)
{
    for (ULONG i = 0; i < List->Count; i++)
        if (PnpIsUp(PnpNodeOf(List->Pdo[i])))
            PnpNotifyTarget(PnpNodeOf(List->Pdo[i]), &GUID_TARGET_DEVICE_REMOVE_COMPLETE);
    /* A bus's children are its to delete once its own stack goes. */
    for (ULONG i = 0; i < List->Count; i++) {
        PDEVICE_NODE Node = PnpNodeOf(List->Pdo[i]);
        if (!Node)
            continue;
        BOOLEAN Up = PnpIsUp(Node) || (Node->State == PnpEnumerated && Node->Parent != PnpRoot);
        Node->Queried = FALSE;
        if (Up)
            PnpRemoveStack(Node);
    }
}

NTSTATUS PnpRemoveTree(PDEVICE_NODE Top)
{
    PNP_LIST List = {0};
    PnpListTree(&List, Top);
    PnpListRelations(&List, Top, RemovalRelations);
    NTSTATUS Status = PnpQueryList(&List);
    if (NT_SUCCESS(Status))
        PnpRemoveList(&List);
    PnpFreeDeviceList(&List);
    return Status;
}

/* ---- By surprise ------------------------------------------------------------------------------------------------- */

/* docs: Bug Check 0xC9, 0x241 and 0x242 */
static VOID PnpCheckSurprised(PDEVICE_OBJECT *Devices, ULONG Count)
{
    for (ULONG i = Count; i-- > 0;) {
        if (PnpIsDrivers(Devices[i])) {
            if (IopDeviceOf(Devices[i])->DeletePending)
                PnpReportStays(
                    Devices[i], 0x242, "pnp.deleted-on-surprise",
                    "a driver deleted its device in IRP_MN_SURPRISE_REMOVAL; IRP_MN_REMOVE_DEVICE is still to come");
            else if (!IopDeviceOf(Devices[i])->AttachedTo)
                PnpReportStays(
                    Devices[i], 0x241, "pnp.detached-on-surprise",
                    "a driver detached its device in IRP_MN_SURPRISE_REMOVAL; IRP_MN_REMOVE_DEVICE is still to come");
        }
        ObfDereferenceObject(Devices[i]);
    }
}

static VOID PnpSurpriseOne(PDEVICE_NODE Node)
{
    PDEVICE_OBJECT Devices[PNP_STACK_DEPTH], Pdo = Node->Pdo;
    ULONG Count;
    if (!PnpIsUp(Node))
        return;
    Count = PnpListStack(Pdo, Devices);
    PnpSendSimple(Pdo, IRP_MN_SURPRISE_REMOVAL);
    PnpCheckSurprised(Devices, Count);
    if (PnpNodeOf(Pdo)) {
        Node->State = PnpSurprised;
        PnpInterfacesEnd(Node);
        PnpNotifyTarget(Node, &GUID_TARGET_DEVICE_REMOVE_COMPLETE);
    }
}

/* docs: IRP_MN_SURPRISE_REMOVAL: IRP_MN_REMOVE_DEVICE follows when all handles are closed. */
static VOID PnpFinishSurprise(PDEVICE_NODE Node)
{
    if (Node->State == PnpSurprised && PnpIsOpen(Node->Pdo))
        return;
    PnpRemoveStack(Node);
}

static VOID PnpSurpriseList(PPNP_LIST List)
{
    for (ULONG i = 0; i < List->Count; i++)
        if (PnpNodeOf(List->Pdo[i]))
            PnpSurpriseOne(PnpNodeOf(List->Pdo[i]));
    for (ULONG i = 0; i < List->Count; i++)
        if (PnpNodeOf(List->Pdo[i]))
            PnpFinishSurprise(PnpNodeOf(List->Pdo[i]));
}

VOID PnpSurpriseTree(PDEVICE_NODE Top)
{
    PNP_LIST List = {0};
    PnpListTree(&List, Top);
    if (!Top->Seen)
        Top->Missing = TRUE;
    PnpSurpriseList(&List);
    PnpFreeDeviceList(&List);
}

static NTSTATUS PnpClosed(PDEVICE_OBJECT Device, PVOID Context)
{
    PDEVICE_NODE Node = PnpNodeOf(Device);
    if (Node && Node->State == PnpSurprised)
        PnpFinishSurprise(Node);
    return STATUS_SUCCESS;
}

VOID PnpDeviceClosed(PDEVICE_OBJECT Device)
{
    if (!PnpRoot)
        return;
    while (IopDeviceOf(Device)->AttachedTo)
        Device = IopDeviceOf(Device)->AttachedTo;
    if (PnpNodeOf(Device) && PnpNodeOf(Device)->State == PnpSurprised)
        PnpQueue(PnpClosed, Device, NULL);
}

/* ---- Ejection ---------------------------------------------------------------------------------------------------- */

/* docs: IoRequestDeviceEject: removed with its ejection relations, then IRP_MN_EJECT; the bus says whether it has gone. */
NTSTATUS PnpEject(PDEVICE_OBJECT Device, PVOID Context)
{
    PDEVICE_NODE Node = PnpNodeOf(Device);
    PNP_LIST List = {0};
    NTSTATUS Status;
    if (!Node)
        return STATUS_NO_SUCH_DEVICE;
    PDEVICE_OBJECT Bus = Node->Parent->Pdo;
    PnpListTree(&List, Node);
    PnpListRelations(&List, Node, EjectionRelations);
    Status = PnpQueryList(&List);
    if (NT_SUCCESS(Status)) {
        PnpRemoveList(&List);
        Status = PnpSendSimple(Device, IRP_MN_EJECT);
        if (PnpNodeOf(Device))
            PnpNodeOf(Device)->Disabled = TRUE; /* if it has not gone it is not started again by itself */
        if (Bus)
            PnpEnumerate(Bus, NULL);
    }
    PnpFreeDeviceList(&List);
    return Status;
}

VOID NTAPI IoRequestDeviceEject(PDEVICE_OBJECT Device)
{
    if (PnpCheckPdo(Device, "IoRequestDeviceEject"))
        PnpQueue(PnpEject, Device, NULL);
}

/* ---- Drivers that go --------------------------------------------------------------------------------------------- */

static BOOLEAN PnpHasDriver(PDEVICE_NODE Node, PDRIVER_OBJECT Driver)
{
    for (PDEVICE_OBJECT Device = Node->Pdo ? Node->Pdo->AttachedDevice : NULL; Device; Device = Device->AttachedDevice)
        if (Device->DriverObject == Driver)
            return TRUE;
    return FALSE;
}

BOOLEAN PnpHaveAsked;

static NTSTATUS PnpRemoveDriverAction(PDEVICE_OBJECT Device, PVOID Context)
{
    NTSTATUS Status = STATUS_SUCCESS;
    BOOLEAN Again = TRUE;
    while (Again && NT_SUCCESS(Status)) {
        Again = FALSE;
        for (PDEVICE_NODE Node = PnpRoot; Node && !Again; Node = PnpNextNode(Node, PnpRoot))
            if (PnpIsUp(Node) && PnpHasDriver(Node, Context)) {
                Status = PnpHaveAsked ? STATUS_PLUGPLAY_QUERY_VETOED : PnpRemoveTree(Node);
                Again = TRUE;
            }
    }
    return Status;
}

NTSTATUS PnpRemoveDriver(PDRIVER_OBJECT Driver)
{
    return PnpRoot ? PnpRun(PnpRemoveDriverAction, NULL, Driver) : STATUS_SUCCESS;
}
