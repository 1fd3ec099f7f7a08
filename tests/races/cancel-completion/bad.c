/*
 * The request is completed when its data arrive, unless it has been cancelled; but it may be cancelled right after that was
 * looked at, and then the cancel routine completes it too.
 * DEPTH: 2
 * EXPECT: driver\.bugcheck|irp\..*
 */
#include "../race.h"

static PDEVICE_OBJECT device;
static PIRP irp;
static LONG completions;

static NTSTATUS completed(PDEVICE_OBJECT object, PIRP request, PVOID context)
{
    MUST(InterlockedIncrement(&completions) == 1);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static VOID finish(PIRP request, NTSTATUS status)
{
    request->IoStatus.Status = status;
    request->IoStatus.Information = 0;
    IoCompleteRequest(request, IO_NO_INCREMENT);
}

static VOID cancel(PDEVICE_OBJECT object, PIRP request)
{
    IoReleaseCancelSpinLock(request->CancelIrql);
    finish(request, STATUS_CANCELLED);
}

static NTSTATUS read(PDEVICE_OBJECT object, PIRP request)
{
    IoMarkIrpPending(request);
    IoSetCancelRoutine(request, cancel);
    return STATUS_PENDING;
}

/* The data have come: what an ISR's DPC would do. */
static VOID arrive(PVOID context)
{
    if (irp->Cancel)
        return;
    IoSetCancelRoutine(irp, NULL);
    finish(irp, STATUS_SUCCESS);
}

static VOID change_mind(PVOID context)
{
    IoCancelIrp(irp);
}

static VOID unload(PDRIVER_OBJECT driver)
{
    IoDeleteDevice(device);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NTSTATUS status;

    driver->DriverUnload = unload;
    driver->MajorFunction[IRP_MJ_READ] = read;
    status = IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    irp = IoAllocateIrp(device->StackSize, FALSE);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
    IoSetCompletionRoutine(irp, completed, NULL, TRUE, TRUE, TRUE);
    IoCallDriver(device, irp);
    race(arrive, change_mind);
    MUST(completions == 1);
    IoFreeIrp(irp);
    return STATUS_SUCCESS;
}
