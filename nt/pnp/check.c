/*
 * What drivers owe each other in Plug and Play and power requests, as Driver Verifier looks at it (docs: Bug Check 0xC9, the
 * I/O verification errors 0x20E to 0x248; "Rules for Handling PnP IRPs", "Passing Power IRPs").
 *
 * A driver in the middle of a stack passes on what it does not fail; whoever fails a request completes it. So a request
 * that is completed above the lowest device must have been passed down before, unless its status is an error. Whether it
 * was is seen in the location below: IoCallDriver has filled it.
 */
#include "nt.h"

static BOOLEAN PnpIsDriversDevice(PDEVICE_OBJECT Device)
{
    PMI_IMAGE Image = Device ? IopDriverOf(Device->DriverObject)->Image : NULL;
    return Image && Image->Driver;
}

static PVOID PnpRoutineOf(PDEVICE_OBJECT Device, UCHAR Major)
{
    return (PVOID)(ULONG_PTR)Device->DriverObject->MajorFunction[Major];
}

static VOID PnpBlame(PCSTR Rule, ULONG Code, PIRP Irp, PIO_STACK_LOCATION Stack, PCSTR Subject, PCSTR Text)
{
    VfFinding(Rule, DRIVER_VERIFIER_IOMANAGER_VIOLATION, Code,
              (UINT64)PnpRoutineOf(Stack->DeviceObject, Stack->MajorFunction), (UINT64)Irp,
              (UINT64)Stack->DeviceObject);
    VfSubject(Subject);
    VfText("%s", Text);
    VfNoteCaller(NULL);
    VfCommit();
}

/* ---- Down -------------------------------------------------------------------------------------------------------- */

/* Whose location this was before: nobody's in a request that has just been made. */
VOID PnpCheckCall(PIRP Irp, PIO_STACK_LOCATION Stack, PDEVICE_OBJECT Device)
{
    BOOLEAN Power = Stack->MajorFunction == IRP_MJ_POWER;
    NTSTATUS Status = Irp->IoStatus.Status;
    BOOLEAN First = Irp->CurrentLocation == Irp->StackCount && !Stack->DeviceObject;
    if (NT_SUCCESS(Status) ? !First : Status == STATUS_NOT_SUPPORTED)
        return;
    VfFinding(First ? "pnp.bad-initial-status" : "pnp.failed-passed-down", DRIVER_VERIFIER_IOMANAGER_VIOLATION,
              First ? (Power ? 0x20F : 0x20E) : (Power ? 0x219 : 0x215), 0, (UINT64)Irp, (UINT64)Device);
    VfSubject(Power ? "IRP_MJ_POWER" : "IRP_MJ_PNP");
    if (First)
        VfText("a request is sent with the status 0x%08x; it has to begin with STATUS_NOT_SUPPORTED", Status);
    else
        VfText("a request is passed down with the status 0x%08x; who fails it has to complete it", Status);
    VfNoteCaller(NULL);
    VfCommit();
}

/* ---- Up ---------------------------------------------------------------------------------------------------------- */

/* docs: PnpRemove rule: requests that cannot be failed. */
static BOOLEAN PnpMayNotFail(UCHAR Minor)
{
    return Minor == IRP_MN_REMOVE_DEVICE || Minor == IRP_MN_SURPRISE_REMOVAL || Minor == IRP_MN_CANCEL_REMOVE_DEVICE ||
           Minor == IRP_MN_CANCEL_STOP_DEVICE || Minor == IRP_MN_STOP_DEVICE;
}

static BOOLEAN PnpWasPassedDown(PIRP Irp)
{
    return Irp->CurrentLocation <= 1 || IopStackOf(Irp, Irp->CurrentLocation - 1)->MajorFunction != 0;
}

static VOID PnpCheckPnp(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    NTSTATUS Status = Irp->IoStatus.Status;
    if (!NT_SUCCESS(Status) && Status != STATUS_NOT_SUPPORTED && PnpMayNotFail(Stack->MinorFunction)) {
        PnpBlame(
            "pnp.remove-failed", 0x247, Irp, Stack, "IRP_MJ_PNP",
            "a driver failed a request that cannot be failed (remove, surprise removal, stop or a cancel request)");
        return;
    }
    if (!NT_SUCCESS(Status) && Status != STATUS_NOT_SUPPORTED &&
        Stack->MinorFunction == IRP_MN_QUERY_LEGACY_BUS_INFORMATION) {
        PnpBlame("pnp.status-changed", 0x213, Irp, Stack, "IRP_MJ_PNP",
                 "a driver changed the status of a request that it does not know");
        return;
    }
    /* docs: IRP_MN_QUERY_INTERFACE may be completed by the driver that has the interface. */
    if (!IopDeviceOf(Stack->DeviceObject)->AttachedTo || Stack->MinorFunction == IRP_MN_QUERY_INTERFACE ||
        (!NT_SUCCESS(Status) && Status != STATUS_NOT_SUPPORTED) || PnpWasPassedDown(Irp))
        return;
    PnpBlame("pnp.not-passed", NT_SUCCESS(Status) ? 0x22E : 0x22F, Irp, Stack, "IRP_MJ_PNP",
             "a driver that is not at the bottom of the stack completed a request instead of passing it down");
}

static VOID PnpCheckPower(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    NTSTATUS Status = Irp->IoStatus.Status;
    if (!IopDeviceOf(Stack->DeviceObject)->AttachedTo || (!NT_SUCCESS(Status) && Status != STATUS_NOT_SUPPORTED) ||
        PnpWasPassedDown(Irp))
        return;
    PnpBlame("power.not-passed", NT_SUCCESS(Status) ? 0x231 : 0x232, Irp, Stack, "IRP_MJ_POWER",
             "a driver that is not at the bottom of the stack completed a power request instead of passing it down");
}

VOID PnpCheckCompletion(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    if (!PnpIsDriversDevice(Stack->DeviceObject))
        return;
    if (Stack->MajorFunction == IRP_MJ_PNP)
        PnpCheckPnp(Irp, Stack);
    else
        PnpCheckPower(Irp, Stack);
}

/* ---- AddDevice, IoDeleteDevice ----------------------------------------------------------------------------------- */

VOID PnpCheckAdded(PDRIVER_OBJECT Driver, PDEVICE_OBJECT Device)
{
    UINT64 Frame = (UINT64)(ULONG_PTR)Driver->DriverExtension->AddDevice + 1;
    if (Device->DriverObject != Driver || !(Device->Flags & DO_DEVICE_INITIALIZING))
        return;
    VfFinding("pnp.still-initializing", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x243, (UINT64)Device, 0, 0);
    VfSubject("AddDevice");
    VfText("AddDevice returned and left DO_DEVICE_INITIALIZING set in its device");
    VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), NULL, NULL, "");
    VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Device)->CreatedBy, Device, NULL, "The device was created at:");
    VfCommit();
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
}

/* docs: Bug Check 0xC9, 0x221: a physical device object goes when its bus no longer reports it, or with its bus. */
VOID PnpCheckDelete(PDEVICE_OBJECT Device)
{
    PDEVICE_NODE Node = PnpNodeOf(Device);
    if (!Node || Node->Missing || !PnpIsDriversDevice(Device))
        return;
    for (PDEVICE_NODE Bus = Node->Parent; Bus; Bus = Bus->Parent)
        if (Bus->Removing || Bus->State == PnpSurprised || Bus->State == PnpFailed)
            return;
    VfFinding("pnp.pdo-deleted", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x221, (UINT64)Device,
              (UINT64)PnpRoutineOf(Device, IRP_MJ_PNP), 0);
    VfSubject("IoDeleteDevice");
    VfText("a bus driver deletes a physical device object that it still reports as present: %.60wZ",
           &Node->InstancePath);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Device)->CreatedBy, Device, NULL, "The device was created at:");
    VfCommit();
}
