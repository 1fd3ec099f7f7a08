/*
 * Devices that go while somebody is still there: deleted while open, with something attached, exclusive ones; and what
 * an IRP is made of. (docs: IoDeleteDevice, IoAttachDeviceToDeviceStackSafe, IoAllocateIrp, IoReuseIrp,
 * IoMakeAssociatedIrp, IoCancelIrp)
 */
#include "test.h"

static UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Going");
static ULONG Creates, Cleanups, Closes;

static NTSTATUS NTAPI Count(PDEVICE_OBJECT Device, PIRP Irp)
{
    UCHAR Major = IoGetCurrentIrpStackLocation(Irp)->MajorFunction;
    Creates += Major == IRP_MJ_CREATE;
    Cleanups += Major == IRP_MJ_CLEANUP;
    Closes += Major == IRP_MJ_CLOSE;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS Open(PHANDLE File)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwOpenFile(File, FILE_READ_DATA, &Attributes, &Iosb, 0, 0);
}

static PDEVICE_OBJECT New(BOOLEAN Exclusive)
{
    PDEVICE_OBJECT Device = NULL;
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLEANUP] = Driver->MajorFunction[IRP_MJ_CLOSE] =
        Count;
    OK(IoCreateDevice(Driver, 8, &Name, FILE_DEVICE_UNKNOWN, 0, Exclusive, &Device));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    Creates = Cleanups = Closes = 0;
    return Device;
}

static VOID a_device_deleted_while_open_lives_until_it_is_closed(VOID)
{
    PDEVICE_OBJECT Device = New(FALSE);
    HANDLE File, Second;
    PVOID Extension = Device->DeviceExtension;
    OK(Open(&File));
    CHECK(Device->ReferenceCount == 1);
    IoDeleteDevice(Device);
    CHECK(Driver->DeviceObject == NULL); /* out of the driver's list at once */
    *(volatile ULONG *)Extension = 1;    /* its memory is there */
    STATUS(Open(&Second), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Creates == 1 && Cleanups == 0);
    OK(ZwClose(File));
    CHECK(Cleanups == 1 && Closes == 1);
    /* the name is free again */
    IoDeleteDevice(New(FALSE));
}

static VOID an_exclusive_device_is_opened_once(VOID)
{
    PDEVICE_OBJECT Device = New(TRUE);
    HANDLE First, Second;
    OK(Open(&First));
    STATUS(Open(&Second), STATUS_ACCESS_DENIED);
    OK(ZwClose(First));
    OK(Open(&First));
    OK(ZwClose(First));
    IoDeleteDevice(Device);
}

static VOID stacks_are_built_and_taken_apart(VOID)
{
    PDEVICE_OBJECT Lower = New(FALSE), Upper, Top, Attached = NULL;
    PFILE_OBJECT File;
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Upper));
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Top));
    Lower->AlignmentRequirement = FILE_LONG_ALIGNMENT;
    OK(IoAttachDeviceToDeviceStackSafe(Upper, Lower, &Attached));
    CHECK(Attached == Lower && Upper->StackSize == 2 && Upper->AlignmentRequirement == FILE_LONG_ALIGNMENT);
    /* nothing is attached to a device that is still being initialised */
    STATUS(IoAttachDeviceToDeviceStackSafe(Top, Lower, &Attached), STATUS_NO_SUCH_DEVICE);
    Upper->Flags &= ~DO_DEVICE_INITIALIZING;
    CHECK(IoAttachDeviceToDeviceStack(Top, Lower) == Upper && Top->StackSize == 3);
    CHECK(IoGetAttachedDevice(Lower) == Top);
    CHECK(IoGetLowerDeviceObject(Lower) == NULL && IoGetLowerDeviceObject(Upper) == Lower);
    CHECK(IoGetLowerDeviceObject(Top) == Upper && IoGetDeviceAttachmentBaseRef(Top) == Lower);
    ObDereferenceObject(Lower);
    ObDereferenceObject(Lower);
    ObDereferenceObject(Upper);
    PDEVICE_OBJECT Found;
    OK(IoGetDeviceObjectPointer(&Name, FILE_READ_DATA, &File, &Found));
    CHECK(Found == Top && File->DeviceObject == Lower);
    ObDereferenceObject(File);
    IoDetachDevice(Upper);
    IoDeleteDevice(Top);
    IoDetachDevice(Lower);
    CHECK(Lower->AttachedDevice == NULL);
    IoDeleteDevice(Upper);
    IoDeleteDevice(Lower);
}

static VOID irps_have_their_fields(VOID)
{
    PIRP Irp = IoAllocateIrp(3, FALSE);
    CHECK(Irp->Type == IO_TYPE_IRP && Irp->Size == IoSizeOfIrp(3));
    CHECK(IoSizeOfIrp(3) == sizeof(IRP) + 3 * sizeof(IO_STACK_LOCATION));
    CHECK(sizeof(IRP) == 0xd0 && sizeof(IO_STACK_LOCATION) == 0x48);
    CHECK(Irp->StackCount == 3 && Irp->CurrentLocation == 4);
    CHECK(Irp->Tail.Overlay.CurrentStackLocation == (PIO_STACK_LOCATION)(Irp + 1) + 3);
    CHECK(IsListEmpty(&Irp->ThreadListEntry) && !Irp->Cancel && !Irp->CancelRoutine);
    IoSetNextIrpStackLocation(Irp);
    CHECK(Irp->CurrentLocation == 3);
    Irp->Cancel = TRUE;
    Irp->UserBuffer = Irp;
    IoReuseIrp(Irp, STATUS_UNSUCCESSFUL);
    CHECK(Irp->IoStatus.Status == STATUS_UNSUCCESSFUL && !Irp->Cancel && !Irp->UserBuffer && Irp->CurrentLocation == 4);
    PIRP Part = IoMakeAssociatedIrp(Irp, 1);
    CHECK(Part->AssociatedIrp.MasterIrp == Irp && (Part->Flags & IRP_ASSOCIATED_IRP) && Part->StackCount == 1);
    IoFreeIrp(Part);
    IoFreeIrp(Irp);
    ULONGLONG Memory[64];
    PIRP Own = (PIRP)Memory;
    IoInitializeIrp(Own, IoSizeOfIrp(2), 2);
    CHECK(Own->Type == IO_TYPE_IRP && Own->Size == IoSizeOfIrp(2) && Own->CurrentLocation == 3);
}

/* ---- Completion routines ----------------------------------------------------------------------------------------- */

static CHAR Order[16];
static ULONG Ordered;
static BOOLEAN Pendings[4];
static PDEVICE_OBJECT Given[4];
static ULONG Stop = 9;

static NTSTATUS NTAPI Done(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    ULONG Which = (ULONG)(ULONG_PTR)Context;
    Order[Ordered++] = (CHAR)('0' + Which);
    Pendings[Which] = Irp->PendingReturned;
    Given[Which] = Device;
    if (Irp->PendingReturned && Irp->CurrentLocation <= Irp->StackCount)
        IoMarkIrpPending(Irp);
    return Which == Stop ? STATUS_MORE_PROCESSING_REQUIRED : STATUS_CONTINUE_COMPLETION;
}

/* Three locations, whose completion routines are 2 (the lowest), 1 and 0, for the kinds of results in Wanted. */
static PIRP Build(PDEVICE_OBJECT Device, const CHAR *Wanted)
{
    PIRP Irp = IoAllocateIrp(3, FALSE);
    Ordered = 0;
    for (ULONG i = 0; i < 3; i++) {
        CHAR When = Wanted[i];
        IoSetCompletionRoutine(Irp, Done, (PVOID)(ULONG_PTR)i, When == 's' || When == '*', When == 'e' || When == '*',
                               When == 'c' || When == '*');
        IoSetNextIrpStackLocation(Irp);
        IoGetCurrentIrpStackLocation(Irp)->DeviceObject = Device + i;
    }
    return Irp;
}

static VOID completion_routines_run_from_below(VOID)
{
    static DEVICE_OBJECT Devices[3];
    PIRP Irp = Build(Devices, "***");
    Stop = 0;
    IoMarkIrpPending(Irp);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    CHECK(Ordered == 3 && !memcmp(Order, "210", 3));
    CHECK(Pendings[2] && Pendings[1] && Pendings[0]); /* handed upward by each */
    CHECK(Given[2] == &Devices[1] && Given[1] == &Devices[0] && Given[0] == NULL);
    IoFreeIrp(Irp);
    /* stopped in the middle, and gone on with later */
    Irp = Build(Devices, "***");
    Stop = 1;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    CHECK(Ordered == 2 && Irp->CurrentLocation == 3);
    Stop = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    CHECK(Ordered == 3 && !memcmp(Order, "210", 3) && !Pendings[0]);
    IoFreeIrp(Irp);
}

static VOID routines_are_called_for_the_results_they_want(VOID)
{
    static DEVICE_OBJECT Devices[3];
    Stop = 0;
    PIRP Irp = Build(Devices, "*es");
    Irp->IoStatus.Status = STATUS_UNSUCCESSFUL;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    CHECK(Ordered == 2 && !memcmp(Order, "10", 2));
    IoFreeIrp(Irp);
    Irp = Build(Devices, "*es");
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    CHECK(Ordered == 2 && !memcmp(Order, "20", 2));
    IoFreeIrp(Irp);
    Irp = Build(Devices, "*ce");
    CHECK(!IoCancelIrp(Irp) && Irp->Cancel);
    CHECK(!IoCancelIrp(Irp)); /* twice does no harm */
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    CHECK(Ordered == 2 && !memcmp(Order, "10", 2));
    IoFreeIrp(Irp);
    /* without a routine the pending mark is handed upward by the I/O manager */
    Irp = Build(Devices, "*--");
    IoMarkIrpPending(Irp);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    CHECK(Ordered == 1 && Pendings[0]);
    IoFreeIrp(Irp);
}

TEST_MAIN(a_device_deleted_while_open_lives_until_it_is_closed, an_exclusive_device_is_opened_once,
          stacks_are_built_and_taken_apart, irps_have_their_fields, completion_routines_run_from_below,
          routines_are_called_for_the_results_they_want)
