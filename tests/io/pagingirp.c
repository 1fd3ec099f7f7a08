/*
 * A driver sends a request of its own by the paging path: it is complete at once, at APC_LEVEL too, without an APC, and the I/O
 * manager frees it. Redirectors talk to their helpers like that. (docs: IoBuildDeviceIoControlRequest, "Flow of Control for
 * IRPs with the IRP_PAGING_IO flag"; IRP flags in ntifs.h)
 */
#include "test.h"

static PDEVICE_OBJECT Device;
static PIRP Held;

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Self, PIRP Irp)
{
    if (IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.InputBufferLength) {
        IoMarkIrpPending(Irp);
        Held = Irp;
        return STATUS_PENDING;
    }
    Irp->IoStatus.Status = STATUS_BUFFER_OVERFLOW;
    Irp->IoStatus.Information = 7;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_BUFFER_OVERFLOW;
}

static PIRP Build(ULONG Bytes, PKEVENT Event, PIO_STATUS_BLOCK Iosb)
{
    static CHAR Buffer[8];
    PIRP Irp = IoBuildDeviceIoControlRequest(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_NEITHER, FILE_ANY_ACCESS),
                                             Device, Bytes ? Buffer : NULL, Bytes, NULL, 0, TRUE, Event, Iosb);
    KIRQL Irql;
    KeInitializeEvent(Event, NotificationEvent, FALSE);
    Irp->Flags |= IRP_PAGING_IO | IRP_SYNCHRONOUS_API | IRP_SYNCHRONOUS_PAGING_IO;
    KeRaiseIrql(APC_LEVEL, &Irql); /* it is freed without its thread: out of its list */
    RemoveEntryList(&Irp->ThreadListEntry);
    InitializeListHead(&Irp->ThreadListEntry);
    KeLowerIrql(Irql);
    return Irp;
}

static VOID it_is_complete_and_gone_at_apc_level(VOID)
{
    IO_STATUS_BLOCK Iosb = {0};
    KEVENT Event;
    KIRQL Irql;
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    Driver->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = Control;
    PIRP Irp = Build(0, &Event, &Iosb);
    KeRaiseIrql(APC_LEVEL, &Irql);
    STATUS(IoCallDriver(Device, Irp), STATUS_BUFFER_OVERFLOW);
    CHECK(KeReadStateEvent(&Event) != 0);
    CHECK(Iosb.Status == STATUS_BUFFER_OVERFLOW && Iosb.Information == 7);
    KeLowerIrql(Irql);
}

static VOID it_may_be_pending(VOID)
{
    IO_STATUS_BLOCK Iosb = {0};
    KEVENT Event;
    PIRP Irp = Build(8, &Event, &Iosb);
    STATUS(IoCallDriver(Device, Irp), STATUS_PENDING);
    CHECK(Held == Irp && !KeReadStateEvent(&Event));
    Held->IoStatus.Status = STATUS_SUCCESS;
    Held->IoStatus.Information = 3;
    IoCompleteRequest(Held, IO_NO_INCREMENT);
    OK(KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL));
    CHECK(Iosb.Status == STATUS_SUCCESS && Iosb.Information == 3);
    IoDeleteDevice(Device);
}

TEST_MAIN(it_is_complete_and_gone_at_apc_level, it_may_be_pending)
