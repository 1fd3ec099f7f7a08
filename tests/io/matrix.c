/*
 * What the caller of a service sees of a request: every status a dispatch routine may return, with every status the
 * request is completed with, at once or later, by each way of handing over buffers, for synchronous and asynchronous
 * handles. (docs: IoCompleteRequest, IoMarkIrpPending, Methods for Accessing Data Buffers, ZwDeviceIoControlFile)
 *
 * The rules that the expected results follow from:
 *   The service returns what the dispatch routine returned; where that was STATUS_PENDING and the handle is synchronous,
 *   what the request was completed with. The status block and the event are written when the request was completed with
 *   success, information or a warning; with an error only where it was pending and the handle is asynchronous. A
 *   buffered result is copied back, to the length given, unless it is an error.
 */
#include "test.h"

#define FILL 0xdeadf00d

static const NTSTATUS Statuses[] = {0x00000000, 0x00000102, 0x0eadbeef, 0x40000000, 0x4eadbeef,
                                    0x80000000, 0x80000005, 0xc0000001, 0xceadbeef};
static const ULONG Methods[] = {METHOD_BUFFERED, METHOD_OUT_DIRECT, METHOD_NEITHER};
enum { AtOnce, MarkedAtOnce, Later, Ways };

static PDEVICE_OBJECT Device;
static NTSTATUS Returns, Completes;
static ULONG Way;
static KTIMER Timer;
static KDPC Dpc;
static PIRP Waiting;

static VOID Finish(PIRP Irp)
{
    Irp->IoStatus.Status = Completes;
    Irp->IoStatus.Information = 4;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
}

static VOID NTAPI FinishLater(PKDPC Unused, PVOID Context, PVOID A, PVOID B)
{
    Finish(Waiting);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Method = Stack->Parameters.DeviceIoControl.IoControlCode & 3;
    PULONG Buffer = Method == METHOD_BUFFERED  ? Irp->AssociatedIrp.SystemBuffer
                    : Method == METHOD_NEITHER ? Irp->UserBuffer
                                               : MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
    Buffer[0] = 0x11111111;
    Buffer[1] = 0x22222222;
    if (Way == AtOnce) {
        Finish(Irp);
        return Returns;
    }
    IoMarkIrpPending(Irp);
    if (Way == MarkedAtOnce)
        Finish(Irp);
    else {
        LARGE_INTEGER Due = {.QuadPart = -10000};
        Waiting = Irp;
        KeSetTimer(&Timer, Due, &Dpc);
    }
    return STATUS_PENDING;
}

static NTSTATUS NTAPI Succeed(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

typedef struct _SEEN {
    NTSTATUS Returned, Status;
    ULONG Information, First, Second;
    BOOLEAN Event;
} SEEN;

static SEEN Ask(HANDLE File, HANDLE EventHandle, PKEVENT Event, ULONG Method)
{
    LARGE_INTEGER Patience = {.QuadPart = -100000};
    IO_STATUS_BLOCK Iosb = {.Status = (NTSTATUS)FILL, .Information = FILL};
    ULONG Buffer[2] = {0xaaaaaaaa, 0xbbbbbbbb};
    SEEN Seen;
    KeClearEvent(Event);
    Seen.Returned =
        ZwDeviceIoControlFile(File, EventHandle, NULL, NULL, &Iosb, CTL_CODE(0x22, 1, Method, FILE_ANY_ACCESS), Buffer,
                              sizeof(Buffer), Buffer, sizeof(Buffer));
    if (Seen.Returned == STATUS_PENDING)
        KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, &Patience);
    Seen.Status = Iosb.Status;
    Seen.Information = (ULONG)Iosb.Information;
    Seen.First = Buffer[0];
    Seen.Second = Buffer[1];
    Seen.Event = KeReadStateEvent(Event) != 0;
    return Seen;
}

static BOOLEAN Same(const SEEN *A, const SEEN *B)
{
    return A->Returned == B->Returned && A->Status == B->Status && A->Information == B->Information &&
           A->First == B->First && A->Second == B->Second && A->Event == B->Event;
}

static VOID One(HANDLE File, BOOLEAN Synchronous, HANDLE EventHandle, PKEVENT Event, ULONG Method)
{
    BOOLEAN Pending = Way != AtOnce, Failed = NT_ERROR(Completes), Told = !Failed || (Pending && !Synchronous);
    SEEN Expected = {.Returned = !Pending      ? Returns
                                 : Synchronous ? Completes
                                               : STATUS_PENDING,
                     .Status = Told ? Completes : (NTSTATUS)FILL,
                     .Information = Told ? 4 : FILL,
                     .Event = Told};
    /* only the driver of a buffered request has another buffer than the caller; four bytes of it come back */
    BOOLEAN Buffered = Method == METHOD_BUFFERED;
    Expected.First = Buffered && Failed ? 0xaaaaaaaa : 0x11111111;
    Expected.Second = Buffered ? 0xbbbbbbbb : 0x22222222;
    SEEN Seen = Ask(File, EventHandle, Event, Method);
    if (!CHECK(Same(&Seen, &Expected)))
        DbgPrint("  %s, method %u, way %u, returned 0x%08x, completed 0x%08x: 0x%08x 0x%08x %u 0x%x 0x%x %u\n",
                 Synchronous ? "synchronous" : "asynchronous", Method, Way, Returns, Completes, Seen.Returned,
                 Seen.Status, Seen.Information, Seen.First, Seen.Second, Seen.Event);
}

static VOID All(BOOLEAN Synchronous)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Matrix");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE File, EventHandle;
    PKEVENT Event;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwOpenFile(&File, SYNCHRONIZE | FILE_READ_DATA, &Attributes, &Iosb, 0,
                  Synchronous ? FILE_SYNCHRONOUS_IO_NONALERT : 0));
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateEvent(&EventHandle, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE));
    OK(ObReferenceObjectByHandle(EventHandle, 0, *ExEventObjectType, KernelMode, (PVOID *)&Event, NULL));
    for (Way = AtOnce; Way < Ways; Way++)
        for (ULONG m = 0; m < 3; m++)
            for (ULONG s = 0; s < 9; s++)
                for (ULONG r = 0; r < (Way == AtOnce ? 9 : 1); r++) {
                    Completes = Statuses[s];
                    Returns = Statuses[r];
                    One(File, Synchronous, EventHandle, Event, Methods[m]);
                }
    ObDereferenceObject(Event);
    OK(ZwClose(EventHandle));
    OK(ZwClose(File));
}

static VOID synchronous_handles(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Matrix");
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, FinishLater, NULL);
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLEANUP] = Driver->MajorFunction[IRP_MJ_CLOSE] =
        Succeed;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    All(TRUE);
}

static VOID asynchronous_handles(VOID)
{
    All(FALSE);
    IoDeleteDevice(Device);
}

TEST_MAIN(synchronous_handles, asynchronous_handles)
