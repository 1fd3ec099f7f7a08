/*
 * The disk that a device object stands for, for the partition tables: its size and its sectors, by requests to the device.
 */
#include "nt.h"
#include "io/disk.h"

static NTSTATUS IopRequest(PIRP Irp, PDEVICE_OBJECT Device, PKEVENT Event, PIO_STATUS_BLOCK Iosb)
{
    NTSTATUS Status;
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = IofCallDriver(Device, Irp);
    if (Status == STATUS_PENDING) {
        KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb->Status;
    }
    return Status;
}

NTSTATUS IopTransfer(PIOP_DISK Disk, ULONG Major, UINT64 Sector, PVOID Buffer, ULONG Bytes)
{
    LARGE_INTEGER Offset = {.QuadPart = (LONGLONG)(Sector * Disk->Sector)};
    IO_STATUS_BLOCK Iosb = {0};
    KEVENT Event;
    PIRP Irp;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Irp = IoBuildSynchronousFsdRequest(Major, Disk->Device, Buffer, Bytes, &Offset, &Event, &Iosb);
    if (Irp)
        IoGetNextIrpStackLocation(Irp)->Flags |= SL_OVERRIDE_VERIFY_VOLUME;
    return IopRequest(Irp, Disk->Device, &Event, &Iosb);
}

NTSTATUS IopControlDisk(PDEVICE_OBJECT Device, ULONG Code, PVOID Out, ULONG Bytes)
{
    IO_STATUS_BLOCK Iosb = {0};
    KEVENT Event;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    return IopRequest(IoBuildDeviceIoControlRequest(Code, Device, NULL, 0, Out, Bytes, FALSE, &Event, &Iosb), Device,
                      &Event, &Iosb);
}

NTSTATUS IopOpenDisk(PDEVICE_OBJECT Device, PIOP_DISK Disk)
{
    DISK_GEOMETRY Geometry;
    GET_LENGTH_INFORMATION Length;
    NTSTATUS Status = IopControlDisk(Device, IOCTL_DISK_GET_DRIVE_GEOMETRY, &Geometry, sizeof(Geometry));
    if (!NT_SUCCESS(Status))
        return Status;
    if (Geometry.BytesPerSector < 512 || Geometry.BytesPerSector > 4096)
        return STATUS_INVALID_BUFFER_SIZE;
    Disk->Device = Device;
    Disk->Sector = Geometry.BytesPerSector;
    Disk->Sectors = (UINT64)Geometry.Cylinders.QuadPart * Geometry.TracksPerCylinder * Geometry.SectorsPerTrack;
    if (NT_SUCCESS(IopControlDisk(Device, IOCTL_DISK_GET_LENGTH_INFO, &Length, sizeof(Length))))
        Disk->Sectors = (UINT64)Length.Length.QuadPart / Disk->Sector;
    return STATUS_SUCCESS;
}

NTSTATUS IopReadSectors(PIOP_DISK Disk, UINT64 Sector, ULONG Count, PVOID *Buffer)
{
    NTSTATUS Status;
    *Buffer = IopAllocate(Count * Disk->Sector, IOP_DISK_TAG, 0);
    if (!*Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = IopTransfer(Disk, IRP_MJ_READ, Sector, *Buffer, Count * Disk->Sector);
    if (NT_SUCCESS(Status))
        return Status;
    IopFree(*Buffer);
    *Buffer = NULL;
    return Status;
}
