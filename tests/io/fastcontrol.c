/*
 * The fast routine for device control: asked first, with the caller's buffers and no request; what it declines becomes a
 * request. (docs: FAST_IO_DISPATCH, ZwDeviceIoControlFile)
 */
#include "test.h"

#define FAST CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define SLOW CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)

static ULONG Asked, Requests, In = 7, Out;
static KIRQL Level;

static BOOLEAN NTAPI FastControl(PFILE_OBJECT File, BOOLEAN Wait, PVOID Input, ULONG InputBytes, PVOID Output,
                                 ULONG OutputBytes, ULONG Code, PIO_STATUS_BLOCK Iosb, PDEVICE_OBJECT Device)
{
    Asked++;
    Level = KeGetCurrentIrql();
    CHECK(Wait && File->DeviceObject == Device && Input == &In && Output == &Out);
    CHECK(InputBytes == sizeof(In) && OutputBytes == sizeof(Out));
    if (Code != FAST)
        return FALSE;
    *(PULONG)Output = *(PULONG)Input + 1;
    Iosb->Status = STATUS_DEVICE_BUSY;
    Iosb->Information = 3;
    return TRUE;
}

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    Requests += IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_DEVICE_CONTROL;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static VOID fast_routine_is_asked_first(VOID)
{
    static FAST_IO_DISPATCH Fast = {.SizeOfFastIoDispatch = sizeof(Fast), .FastIoDeviceControl = FastControl};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\FastControl");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    PDEVICE_OBJECT Device;
    HANDLE File, Event;
    PKEVENT Signal;

    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLOSE] = Dispatch;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Dispatch;
    Driver->FastIoDispatch = &Fast;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwOpenFile(&File, FILE_READ_DATA, &Attributes, &Iosb, FILE_SHARE_READ, 0));
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    OK(ObReferenceObjectByHandle(Event, EVENT_ALL_ACCESS, *ExEventObjectType, KernelMode, (PVOID *)&Signal, NULL));

    STATUS(ZwDeviceIoControlFile(File, Event, NULL, NULL, &Iosb, FAST, &In, sizeof(In), &Out, sizeof(Out)),
           STATUS_DEVICE_BUSY);
    CHECK(Out == 8 && Iosb.Status == STATUS_DEVICE_BUSY && Iosb.Information == 3 && Requests == 0 && Asked == 1);
    CHECK(KeReadStateEvent(Signal) != 0 && Level == PASSIVE_LEVEL);

    OK(ZwDeviceIoControlFile(File, NULL, NULL, NULL, &Iosb, SLOW, &In, sizeof(In), &Out, sizeof(Out)));
    CHECK(Requests == 1 && Asked == 2);

    Fast.SizeOfFastIoDispatch = FIELD_OFFSET(FAST_IO_DISPATCH, FastIoDeviceControl); /* a table that ends before it */
    OK(ZwDeviceIoControlFile(File, NULL, NULL, NULL, &Iosb, FAST, &In, sizeof(In), &Out, sizeof(Out)));
    CHECK(Requests == 2 && Asked == 2);

    ObDereferenceObject(Signal);
    OK(ZwClose(Event));
    OK(ZwClose(File));
    Driver->FastIoDispatch = NULL;
    IoDeleteDevice(Device);
}

TEST_MAIN(fast_routine_is_asked_first)
