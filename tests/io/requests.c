/* Devices and requests: create and close, the buffer methods, pending and completion, cancelling, queues, work items.
 */
#include "test.h"
#include <csq.h>

#define IOCTL_BUFFERED CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_NEITHER CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_NEITHER, FILE_ANY_ACCESS)
#define IOCTL_OUT_DIRECT CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_OUT_DIRECT, FILE_ANY_ACCESS)
#define IOCTL_PEND CTL_CODE(FILE_DEVICE_UNKNOWN, 0x803, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_QUEUE CTL_CODE(FILE_DEVICE_UNKNOWN, 0x804, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_FAIL CTL_CODE(FILE_DEVICE_UNKNOWN, 0x805, METHOD_BUFFERED, FILE_ANY_ACCESS)

typedef struct {
    ULONG Seen[IRP_MJ_MAXIMUM_FUNCTION + 1];
    KTIMER Timer;
    KDPC Dpc;
    PIRP Pending;
    PDEVICE_OBJECT Lower;
    ULONG Order;
} EXTENSION;

static PDEVICE_OBJECT Device, Upper;
static IO_STATUS_BLOCK Iosb;
static IO_CSQ Csq;
static LIST_ENTRY Queue;
static KSPIN_LOCK QueueLock;
static ULONG Cancelled;

/* ---- A driver to be tested ------------------------------------------------------------------------------------------
 */

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID NTAPI PendDpc(PKDPC Dpc, PVOID Context, PVOID A, PVOID B)
{
    EXTENSION *Own = Context;
    PIRP Irp = Own->Pending;
    CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
    memcpy(Irp->AssociatedIrp.SystemBuffer, "later", 5);
    Finish(Irp, STATUS_SUCCESS, 5);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Object, PIRP Irp)
{
    EXTENSION *Own = Object->DeviceExtension;
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    LARGE_INTEGER Due = {.QuadPart = -10000};
    PUCHAR Out;
    switch (Stack->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_BUFFERED:
        for (ULONG i = 0; i < Stack->Parameters.DeviceIoControl.InputBufferLength; i++)
            ((PUCHAR)Irp->AssociatedIrp.SystemBuffer)[i] ^= 0xff;
        return Finish(Irp, STATUS_SUCCESS, Stack->Parameters.DeviceIoControl.InputBufferLength);
    case IOCTL_NEITHER:
        CHECK(Irp->UserBuffer == Stack->Parameters.DeviceIoControl.Type3InputBuffer);
        return Finish(Irp, STATUS_SUCCESS, 1);
    case IOCTL_OUT_DIRECT:
        Out = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
        CHECK(MmGetMdlByteCount(Irp->MdlAddress) == 4);
        memcpy(Out, Irp->AssociatedIrp.SystemBuffer, 4);
        return Finish(Irp, STATUS_SUCCESS, 4);
    case IOCTL_PEND:
        IoMarkIrpPending(Irp);
        Own->Pending = Irp;
        KeSetTimer(&Own->Timer, Due, &Own->Dpc);
        return STATUS_PENDING;
    case IOCTL_QUEUE:
        IoCsqInsertIrp(&Csq, Irp, NULL);
        return STATUS_PENDING;
    default:
        return Finish(Irp, STATUS_ACCESS_DENIED, 0);
    }
}

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Object, PIRP Irp)
{
    EXTENSION *Own = Object->DeviceExtension;
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    Own->Seen[Stack->MajorFunction]++;
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    CHECK(Stack->DeviceObject == Object);
    if (Own->Lower) {
        Own->Order = 1;
        IoSkipCurrentIrpStackLocation(Irp);
        return IoCallDriver(Own->Lower, Irp);
    }
    switch (Stack->MajorFunction) {
    case IRP_MJ_DEVICE_CONTROL:
        return Control(Object, Irp);
    case IRP_MJ_READ:
        memset(Irp->AssociatedIrp.SystemBuffer, 'r', Stack->Parameters.Read.Length);
        return Finish(Irp, STATUS_SUCCESS, Stack->Parameters.Read.Length);
    case IRP_MJ_WRITE:
        CHECK(!memcmp(Irp->AssociatedIrp.SystemBuffer, "write", 5));
        return Finish(Irp, STATUS_SUCCESS, Stack->Parameters.Write.Length);
    default:
        return Finish(Irp, STATUS_SUCCESS, 0);
    }
}

static VOID NTAPI CsqInsert(PIO_CSQ Own, PIRP Irp)
{
    InsertTailList(&Queue, &Irp->Tail.Overlay.ListEntry);
}

static VOID NTAPI CsqRemove(PIO_CSQ Own, PIRP Irp)
{
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
}

static PIRP NTAPI CsqPeek(PIO_CSQ Own, PIRP Irp, PVOID Context)
{
    PLIST_ENTRY Next = Irp ? Irp->Tail.Overlay.ListEntry.Flink : Queue.Flink;
    return Next == &Queue ? NULL : CONTAINING_RECORD(Next, IRP, Tail.Overlay.ListEntry);
}

static VOID NTAPI CsqAcquire(PIO_CSQ Own, PKIRQL Irql)
{
    KeAcquireSpinLock(&QueueLock, Irql);
}

static VOID NTAPI CsqRelease(PIO_CSQ Own, KIRQL Irql)
{
    KeReleaseSpinLock(&QueueLock, Irql);
}

static VOID NTAPI CsqCancel(PIO_CSQ Own, PIRP Irp)
{
    Cancelled++;
    Finish(Irp, STATUS_CANCELLED, 0);
}

static PDEVICE_OBJECT Make(PCWSTR Text, ULONG Flags)
{
    UNICODE_STRING Name;
    PDEVICE_OBJECT Object = NULL;
    EXTENSION *Own;
    RtlInitUnicodeString(&Name, Text);
    OK(IoCreateDevice(Driver, sizeof(EXTENSION), Text ? &Name : NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Object));
    Own = Object->DeviceExtension;
    CHECK((PUCHAR)Own == (PUCHAR)Object + 0x150 && Object->Size == 0x150 + sizeof(EXTENSION));
    CHECK(Own->Order == 0 && Object->Flags & DO_DEVICE_INITIALIZING);
    KeInitializeTimer(&Own->Timer);
    KeInitializeDpc(&Own->Dpc, PendDpc, Own);
    Object->Flags |= Flags;
    Object->Flags &= ~DO_DEVICE_INITIALIZING;
    return Object;
}

/* ---- Tests ---------------------------------------------------------------------------------------------------------
 */

static NTSTATUS Open(PCWSTR Text, ULONG Options, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(Handle, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, 0, FILE_OPEN,
                        Options, NULL, 0);
}

static VOID a_driver_object_is_as_on_windows(VOID)
{
    CHECK(Driver->Type == 4 && Driver->Size == 336 && Driver->DriverStart && Driver->DriverSection);
    CHECK(Driver->DriverName.Length == 32 && !memcmp(Driver->DriverName.Buffer, L"\\Driver\\requests", 32));
    CHECK(Driver->DriverExtension->DriverObject == Driver);
    for (ULONG i = 1; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        CHECK(Driver->MajorFunction[i] == Driver->MajorFunction[0]);
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Dispatch;
}

static VOID a_device_is_made_once_under_a_name(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\IoTest"), Link = RTL_CONSTANT_STRING(L"\\DosDevices\\IoTest");
    PDEVICE_OBJECT Again;
    Device = Make(L"\\Device\\IoTest", DO_BUFFERED_IO);
    STATUS(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Again), STATUS_OBJECT_NAME_COLLISION);
    OK(IoCreateSymbolicLink(&Link, &Name));
    STATUS(IoCreateSymbolicLink(&Link, &Name), STATUS_OBJECT_NAME_COLLISION);
}

static VOID opening_and_closing_reach_the_driver(VOID)
{
    EXTENSION *Own = Device->DeviceExtension;
    HANDLE Handle;
    PFILE_OBJECT File;
    OK(Open(L"\\??\\IoTest", FILE_SYNCHRONOUS_IO_NONALERT, &Handle));
    CHECK(Own->Seen[IRP_MJ_CREATE] == 1 && Device->ReferenceCount == 1);
    OK(ObReferenceObjectByHandle(Handle, 0, *IoFileObjectType, KernelMode, (PVOID *)&File, NULL));
    CHECK(File->DeviceObject == Device && File->Type == 5 && File->Size == 216);
    OK(ZwClose(Handle));
    CHECK(Own->Seen[IRP_MJ_CLEANUP] == 1 && Own->Seen[IRP_MJ_CLOSE] == 0);
    ObDereferenceObject(File);
    CHECK(Own->Seen[IRP_MJ_CLOSE] == 1 && Device->ReferenceCount == 0);
}

static VOID reading_and_writing_are_buffered(VOID)
{
    HANDLE Handle;
    CHAR Buffer[8] = "write";
    OK(Open(L"\\??\\IoTest\\some\\path", FILE_SYNCHRONOUS_IO_NONALERT, &Handle));
    OK(ZwWriteFile(Handle, NULL, NULL, NULL, &Iosb, Buffer, 5, NULL, NULL));
    CHECK(Iosb.Information == 5);
    OK(ZwReadFile(Handle, NULL, NULL, NULL, &Iosb, Buffer, 4, NULL, NULL));
    CHECK(Iosb.Information == 4 && !memcmp(Buffer, "rrrre", 5));
    OK(ZwClose(Handle));
}

static NTSTATUS Ask(ULONG Code, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes)
{
    KEVENT Event;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    PIRP Irp =
        IoBuildDeviceIoControlRequest(Code, Upper ? Upper : Device, In, InBytes, Out, OutBytes, FALSE, &Event, &Iosb);
    NTSTATUS Status = IoCallDriver(Upper ? Upper : Device, Irp);
    if (Status == STATUS_PENDING) {
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb.Status;
    }
    return Status;
}

static VOID each_method_brings_its_buffers(VOID)
{
    UCHAR In[4] = {1, 2, 3, 4}, Out[4] = {0};
    PUCHAR Paged = ExAllocatePoolWithTag(PagedPool, 8, 'tseT');
    OK(Ask(IOCTL_BUFFERED, In, 4, Out, 4));
    CHECK(Iosb.Information == 4 && Out[0] == 0xfe && Out[3] == 0xfb && In[0] == 1);
    OK(Ask(IOCTL_NEITHER, In, 4, In, 4));
    OK(Ask(IOCTL_OUT_DIRECT, In, 4, Out, 4));
    CHECK(!memcmp(In, Out, 4));
    memset(Paged, 0, 8);
    OK(Ask(IOCTL_OUT_DIRECT, In, 4, Paged + 1, 4));
    CHECK(!memcmp(In, Paged + 1, 4) && !Paged[0] && !Paged[5]);
    ExFreePoolWithTag(Paged, 'tseT');
}

static VOID an_error_at_once_leaves_the_status_block_alone(VOID)
{
    Iosb.Status = 0x1234;
    STATUS(Ask(IOCTL_FAIL, NULL, 0, NULL, 0), STATUS_ACCESS_DENIED);
    CHECK(Iosb.Status == 0x1234);
}

static VOID a_pending_request_completes_in_its_thread(VOID)
{
    CHAR *Out = ExAllocatePoolWithTag(PagedPool, 8, 'tseT'); /* written at the end, not in the DPC */
    HANDLE Handle, Event;
    memset(Out, 0, 8);
    OK(Ask(IOCTL_PEND, NULL, 0, Out, 8));
    CHECK(Iosb.Information == 5 && !memcmp(Out, "later", 5));
    memset(Out, 0, 8);
    OK(Open(L"\\??\\IoTest", FILE_SYNCHRONOUS_IO_NONALERT, &Handle));
    OK(ZwDeviceIoControlFile(Handle, NULL, NULL, NULL, &Iosb, IOCTL_PEND, NULL, 0, Out, 8));
    CHECK(Iosb.Information == 5 && !memcmp(Out, "later", 5));
    OK(ZwClose(Handle));
    memset(Out, 0, 8);
    OK(Open(L"\\??\\IoTest", 0, &Handle));
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    STATUS(ZwDeviceIoControlFile(Handle, Event, NULL, NULL, &Iosb, IOCTL_PEND, NULL, 0, Out, 8), STATUS_PENDING);
    CHECK(Out[0] == 0);
    OK(ZwWaitForSingleObject(Event, FALSE, NULL));
    CHECK(Iosb.Status == STATUS_SUCCESS && Iosb.Information == 5 && !memcmp(Out, "later", 5));
    OK(ZwClose(Event));
    OK(ZwClose(Handle));
    ExFreePoolWithTag(Out, 'tseT');
}

static VOID a_queued_request_can_be_cancelled_or_taken(VOID)
{
    HANDLE Handle;
    IO_STATUS_BLOCK First, Second;
    InitializeListHead(&Queue);
    KeInitializeSpinLock(&QueueLock);
    OK(IoCsqInitialize(&Csq, CsqInsert, CsqRemove, CsqPeek, CsqAcquire, CsqRelease, CsqCancel));
    OK(Open(L"\\??\\IoTest", 0, &Handle));
    STATUS(ZwDeviceIoControlFile(Handle, NULL, NULL, NULL, &First, IOCTL_QUEUE, NULL, 0, NULL, 0), STATUS_PENDING);
    STATUS(ZwDeviceIoControlFile(Handle, NULL, NULL, NULL, &Second, IOCTL_QUEUE, NULL, 0, NULL, 0), STATUS_PENDING);
    PIRP Irp = IoCsqRemoveNextIrp(&Csq, NULL);
    CHECK(Irp != NULL && Irp->CancelRoutine == NULL);
    Finish(Irp, STATUS_SUCCESS, 0);
    CHECK(First.Status == STATUS_SUCCESS);
    Irp = CsqPeek(&Csq, NULL, NULL);
    CHECK(IoCancelIrp(Irp) && Cancelled == 1);
    CHECK(Second.Status == STATUS_CANCELLED && IsListEmpty(&Queue));
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    OK(ZwClose(Handle));
}

static IO_STATUS_BLOCK ThreadIosb;

static VOID NTAPI Asker(PVOID Handle)
{
    STATUS(ZwDeviceIoControlFile(Handle, NULL, NULL, NULL, &ThreadIosb, IOCTL_QUEUE, NULL, 0, NULL, 0), STATUS_PENDING);
}

static VOID the_requests_of_a_thread_that_ends_are_cancelled(VOID)
{
    HANDLE Handle, Thread;
    Cancelled = 0;
    OK(Open(L"\\??\\IoTest", 0, &Handle));
    OK(PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, Asker, Handle));
    OK(ZwWaitForSingleObject(Thread, FALSE, NULL));
    CHECK(Cancelled == 1 && ThreadIosb.Status == STATUS_CANCELLED && IsListEmpty(&Queue));
    OK(ZwClose(Thread));
    OK(ZwClose(Handle));
}

static ULONG CompletionCalls;

static NTSTATUS NTAPI Done(PDEVICE_OBJECT Object, PIRP Irp, PVOID Context)
{
    CompletionCalls++;
    CHECK(Object == NULL); /* the top of the stack: no device above it */
    if (Irp->PendingReturned)
        KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static VOID a_driver_s_own_request_comes_back_to_it(VOID)
{
    KEVENT Event;
    UCHAR Buffer[8];
    PIRP Irp = IoAllocateIrp(Device->StackSize, FALSE);
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    CHECK(Irp->Size == sizeof(IRP) + sizeof(IO_STACK_LOCATION) && Irp->CurrentLocation == 2);
    Irp->AssociatedIrp.SystemBuffer = Buffer;
    Stack->MajorFunction = IRP_MJ_DEVICE_CONTROL;
    Stack->Parameters.DeviceIoControl.IoControlCode = IOCTL_PEND;
    IoSetCompletionRoutine(Irp, Done, &Event, TRUE, TRUE, TRUE);
    STATUS(IoCallDriver(Device, Irp), STATUS_PENDING);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    CHECK(CompletionCalls == 1 && Irp->IoStatus.Information == 5 && !memcmp(Buffer, "later", 5));
    IoReuseIrp(Irp, STATUS_UNSUCCESSFUL);
    CHECK(Irp->CurrentLocation == 2 && Irp->IoStatus.Status == STATUS_UNSUCCESSFUL);
    IoFreeIrp(Irp);
}

static ULONG CancelledUnsent;
static BOOLEAN CancelledWithoutDevice;

static VOID NTAPI NoteCancel(PDEVICE_OBJECT Object, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    CancelledUnsent++;
    CancelledWithoutDevice = Object == NULL;
}

static VOID a_request_that_was_never_sent_can_be_cancelled(VOID)
{
    PIRP Irp = IoAllocateIrp(1, FALSE);
    CHECK(!IoCancelIrp(Irp));
    CHECK(Irp->Cancel);
    Irp->Cancel = FALSE;
    IoSetCancelRoutine(Irp, NoteCancel);
    CHECK(IoCancelIrp(Irp));
    CHECK(Irp->Cancel && CancelledUnsent == 1 && CancelledWithoutDevice && KeGetCurrentIrql() == PASSIVE_LEVEL);
    CHECK(!IoSetCancelRoutine(Irp, NULL));
    IoFreeIrp(Irp);
}

static VOID an_irp_knows_where_it_came_from(VOID)
{
    PIRP Small = IoAllocateIrp(8, FALSE), Charged = IoAllocateIrp(2, TRUE), Large = IoAllocateIrp(9, TRUE);
    CHECK(Small->AllocationFlags == IRP_ALLOCATED_FIXED_SIZE);
    CHECK(Charged->AllocationFlags == (IRP_ALLOCATED_FIXED_SIZE | IRP_LOOKASIDE_ALLOCATION));
    CHECK(Large->AllocationFlags == IRP_QUOTA_CHARGED);
    IoReuseIrp(Small, STATUS_SUCCESS);
    CHECK(Small->AllocationFlags == IRP_ALLOCATED_FIXED_SIZE);
    IoFreeIrp(Small);
    IoFreeIrp(Charged);
    IoFreeIrp(Large);
}

static VOID an_attached_device_comes_first(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\IoTest");
    PFILE_OBJECT File;
    PDEVICE_OBJECT Found;
    EXTENSION *Own;
    UCHAR Buffer[8] = {1};
    Upper = Make(NULL, DO_BUFFERED_IO);
    Own = Upper->DeviceExtension;
    OK(IoAttachDeviceToDeviceStackSafe(Upper, Device, &Own->Lower));
    CHECK(Own->Lower == Device && Upper->StackSize == 2 && IoGetAttachedDevice(Device) == Upper);
    OK(IoGetDeviceObjectPointer(&Name, FILE_READ_DATA, &File, &Found));
    CHECK(Found == Upper && File->DeviceObject == Device && Own->Order == 1);
    ObDereferenceObject(File);
    OK(Ask(IOCTL_BUFFERED, Buffer, 1, Buffer, 1));
    CHECK(Buffer[0] == 0xfe);
    OK(Ask(IOCTL_PEND, NULL, 0, Buffer, 8));
    IoDetachDevice(Device);
    IoDeleteDevice(Upper);
    Upper = NULL;
}

static KEVENT WorkDone;
static ULONG WorkRuns;

static VOID NTAPI WorkRoutine(PDEVICE_OBJECT Object, PVOID Context)
{
    CHECK(Object == Device && Context == &WorkRuns && KeGetCurrentIrql() == PASSIVE_LEVEL);
    WorkRuns++;
    KeSetEvent(&WorkDone, 0, FALSE);
}

static VOID a_work_item_runs_with_its_device(VOID)
{
    PIO_WORKITEM Work = IoAllocateWorkItem(Device);
    KeInitializeEvent(&WorkDone, SynchronizationEvent, FALSE);
    for (ULONG i = 1; i <= 3; i++) {
        IoQueueWorkItem(Work, WorkRoutine, DelayedWorkQueue, &WorkRuns);
        KeWaitForSingleObject(&WorkDone, Executive, KernelMode, FALSE, NULL);
        CHECK(WorkRuns == i);
    }
    IoFreeWorkItem(Work);
}

static ULONG Ticks;

static VOID NTAPI Tick(PDEVICE_OBJECT Object, PVOID Context)
{
    CHECK(Object == Device && KeGetCurrentIrql() == DISPATCH_LEVEL);
    Ticks++;
}

static VOID a_device_timer_ticks_once_a_second(VOID)
{
    LARGE_INTEGER Interval = {.QuadPart = -35000000};
    OK(IoInitializeTimer(Device, Tick, NULL));
    IoStartTimer(Device);
    KeDelayExecutionThread(KernelMode, FALSE, &Interval);
    CHECK(Ticks == 3);
    IoStopTimer(Device);
    KeDelayExecutionThread(KernelMode, FALSE, &Interval);
    CHECK(Ticks == 3);
}

static VOID a_remove_lock_counts_its_holders(VOID)
{
    static IO_REMOVE_LOCK Lock;
    IoInitializeRemoveLock(&Lock, 'tseT', 0, 0);
    OK(IoAcquireRemoveLock(&Lock, &Lock));
    OK(IoAcquireRemoveLock(&Lock, NULL));
    IoReleaseRemoveLock(&Lock, NULL);
    IoReleaseRemoveLockAndWait(&Lock, &Lock);
    STATUS(IoAcquireRemoveLock(&Lock, &Lock), STATUS_DELETE_PENDING);
}

static VOID an_extension_is_found_by_its_id(VOID)
{
    PVOID Area, Again;
    OK(IoAllocateDriverObjectExtension(Driver, &Ticks, 64, &Area));
    CHECK(IoGetDriverObjectExtension(Driver, &Ticks) == Area && !IoGetDriverObjectExtension(Driver, &WorkRuns));
    STATUS(IoAllocateDriverObjectExtension(Driver, &Ticks, 64, &Again), STATUS_OBJECT_NAME_COLLISION);
}

static VOID what_was_made_goes(VOID)
{
    UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\IoTest");
    HANDLE Handle;
    OK(IoDeleteSymbolicLink(&Link));
    STATUS(IoDeleteSymbolicLink(&Link), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Open(L"\\??\\IoTest", 0, &Handle), STATUS_OBJECT_NAME_NOT_FOUND);
    IoDeleteDevice(Device);
    STATUS(Open(L"\\Device\\IoTest", 0, &Handle), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Driver->DeviceObject == NULL);
}

TEST_MAIN(a_driver_object_is_as_on_windows, a_device_is_made_once_under_a_name, opening_and_closing_reach_the_driver,
          reading_and_writing_are_buffered, each_method_brings_its_buffers,
          an_error_at_once_leaves_the_status_block_alone, a_pending_request_completes_in_its_thread,
          a_queued_request_can_be_cancelled_or_taken, the_requests_of_a_thread_that_ends_are_cancelled,
          a_driver_s_own_request_comes_back_to_it, a_request_that_was_never_sent_can_be_cancelled,
          an_irp_knows_where_it_came_from, an_attached_device_comes_first, a_work_item_runs_with_its_device,
          a_device_timer_ticks_once_a_second, a_remove_lock_counts_its_holders, an_extension_is_found_by_its_id,
          what_was_made_goes)
