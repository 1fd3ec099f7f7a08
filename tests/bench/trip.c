/*
 * A device whose requests are answered at once, and that makes round trips to itself: as many as asked for, by the path of a
 * driver (ZwDeviceIoControlFile) or by that of a program (NtDeviceIoControlFile on its thread, with its handle and memory).
 * A read is direct I/O: it copies from a block of the driver's to the mapped MDL.
 * tests/client/bench.c measures them from outside.
 */
#include <ntifs.h>
#include <ntddk.h>
#include "trip.h"

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Trip"),
                      LinkName = RTL_CONSTANT_STRING(L"\\??\\Trip");

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS AsDriver(ULONG Count)
{
    UCHAR In[16] = {1}, Out[16];
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE File;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, &DeviceName, OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = ZwOpenFile(&File, GENERIC_READ | SYNCHRONIZE, &Attributes, &Iosb, 0, FILE_SYNCHRONOUS_IO_NONALERT);
    if (!NT_SUCCESS(Status))
        return Status;
    for (ULONG i = 0; i < Count && NT_SUCCESS(Status); i++) {
        Status = ZwDeviceIoControlFile(File, NULL, NULL, NULL, &Iosb, TRIP_ECHO, In, sizeof(In), Out, sizeof(Out));
        if (Iosb.Information != sizeof(Out))
            Status = STATUS_UNSUCCESSFUL;
    }
    ZwClose(File);
    return Status;
}

/* Given: the program's memory for the IO_STATUS_BLOCK and both buffers, which is that of the request's own. */
static NTSTATUS AsProgram(const TRIP *Trip, PUCHAR Memory)
{
    NTSTATUS Status = STATUS_SUCCESS;

    for (ULONG i = 0; i < Trip->Count && NT_SUCCESS(Status); i++)
        Status = NtDeviceIoControlFile((HANDLE)(ULONG_PTR)Trip->File, NULL, NULL, NULL, (PIO_STATUS_BLOCK)Memory,
                                       TRIP_ECHO, Memory + 16, 16, Memory + 32, 16);
    return Status;
}

static PUCHAR Block; /* TRIP_READ bytes */

static NTSTATUS NTAPI Read(PDEVICE_OBJECT Device, PIRP Irp)
{
    ULONG Bytes = IoGetCurrentIrpStackLocation(Irp)->Parameters.Read.Length;
    PVOID To = Bytes ? MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority) : NULL;

    if (Bytes > TRIP_READ)
        return Finish(Irp, STATUS_INVALID_PARAMETER, 0);
    if (Bytes && !To)
        return Finish(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    RtlCopyMemory(To, Block, Bytes);
    return Finish(Irp, STATUS_SUCCESS, Bytes);
}

/* Each into the next of TRIP_ROOMS pieces of the program's memory, behind a page of it. */
static NTSTATUS ReadsAsProgram(const TRIP *Trip, PUCHAR Memory)
{
    NTSTATUS Status = STATUS_SUCCESS;

    for (ULONG i = 0; i < Trip->Count && NT_SUCCESS(Status); i++)
        Status = NtReadFile((HANDLE)(ULONG_PTR)Trip->File, NULL, NULL, NULL, (PIO_STATUS_BLOCK)Memory,
                            Memory + PAGE_SIZE + i % TRIP_ROOMS * TRIP_READ, TRIP_READ, NULL, NULL);
    return Status;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG In = Stack->Parameters.DeviceIoControl.InputBufferLength,
          Out = Stack->Parameters.DeviceIoControl.OutputBufferLength;
    TRIP Trip;

    if (Stack->Parameters.DeviceIoControl.IoControlCode == TRIP_ECHO)
        return Finish(Irp, STATUS_SUCCESS, In < Out ? In : Out);
    if (In < sizeof(Trip) || Out < TRIP_ROOM)
        return Finish(Irp, STATUS_BUFFER_TOO_SMALL, 0);
    ProbeForRead(Stack->Parameters.DeviceIoControl.Type3InputBuffer, sizeof(Trip), 4);
    RtlCopyMemory(&Trip, Stack->Parameters.DeviceIoControl.Type3InputBuffer, sizeof(Trip));
    switch (Stack->Parameters.DeviceIoControl.IoControlCode) {
    case TRIP_AS_DRIVER:
        return Finish(Irp, AsDriver(Trip.Count), 0);
    case TRIP_AS_PROGRAM:
        return Finish(Irp, AsProgram(&Trip, Irp->UserBuffer), 0);
    case TRIP_READS_AS_PROGRAM:
        return Finish(Irp, ReadsAsProgram(&Trip, Irp->UserBuffer), 0);
    default:
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

static NTSTATUS NTAPI OpenClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    return Finish(Irp, STATUS_SUCCESS, 0);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(Driver->DeviceObject);
    ExFreePoolWithTag(Block, 'pirT');
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(Driver, 0, &DeviceName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);

    if (!NT_SUCCESS(Status))
        return Status;
    Block = ExAllocatePoolWithTag(NonPagedPoolNx, TRIP_READ, 'pirT');
    if (!Block) {
        IoDeleteDevice(Device);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlFillMemory(Block, TRIP_READ, 'x');
    Device->Flags |= DO_DIRECT_IO;
    Driver->MajorFunction[IRP_MJ_READ] = Read;
    IoCreateSymbolicLink(&LinkName, &DeviceName);
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLEANUP] = Driver->MajorFunction[IRP_MJ_CLOSE] =
        OpenClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
