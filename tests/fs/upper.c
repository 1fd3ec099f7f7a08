/*
 * An oplock of a file system that lies above another: it grants no more than the lower one has, and breaks when that is broken.
 * (docs: FsRtlUpperOplockFsctrl, FsRtlCheckUpperOplock)
 */
#include "../io/test.h"

#define R OPLOCK_LEVEL_CACHE_READ
#define H OPLOCK_LEVEL_CACHE_HANDLE
#define W OPLOCK_LEVEL_CACHE_WRITE

static OPLOCK Oplock;
static ULONG Lower, Completions, Before;
static PDEVICE_OBJECT Device;
static HANDLE File, Event;
static IO_STATUS_BLOCK Iosb;
static REQUEST_OPLOCK_OUTPUT_BUFFER Answer;

static NTSTATUS NTAPI Dispatch(PDEVICE_OBJECT Self, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    if (Stack->MajorFunction == IRP_MJ_FILE_SYSTEM_CONTROL)
        return FsRtlUpperOplockFsctrl(&Oplock, Irp, FsRtlOplockIsSharedRequest(Irp) ? 0 : 1, Lower, 0);
    if (Stack->MajorFunction == IRP_MJ_CLEANUP)
        FsRtlCheckOplock(&Oplock, Irp, NULL, NULL, NULL);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS Ask(ULONG Level, ULONG Flags)
{
    REQUEST_OPLOCK_INPUT_BUFFER Input = {.StructureVersion = REQUEST_OPLOCK_CURRENT_VERSION,
                                         .StructureLength = sizeof(Input),
                                         .RequestedOplockLevel = Level,
                                         .Flags = Flags};
    RtlZeroMemory(&Answer, sizeof(Answer));
    return ZwFsControlFile(File, Event, NULL, NULL, &Iosb, FSCTL_REQUEST_OPLOCK, &Input, sizeof(Input), &Answer,
                           sizeof(Answer));
}

static BOOLEAN IsBroken(VOID)
{
    LARGE_INTEGER Now = {.QuadPart = 0};
    return ZwWaitForSingleObject(Event, FALSE, &Now) == STATUS_SUCCESS;
}

static VOID NTAPI Completed(PVOID Context, PIRP Irp)
{
    CHECK(Context == &Completions && !Irp);
    Completions++;
}

static VOID NTAPI Pending(PVOID Context, PIRP Irp)
{
    CHECK(Context == &Completions && !Irp);
    Before++;
}

static VOID it_is_opened(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Upper");
    OBJECT_ATTRIBUTES Object;
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Dispatch;
    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_FILE_SYSTEM, 0, FALSE, &Device));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    FsRtlInitializeOplock(&Oplock);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateFile(&File, GENERIC_READ, &Object, &Iosb, NULL, 0, FILE_SHARE_READ, FILE_OPEN, 0, NULL, 0));
    InitializeObjectAttributes(&Object, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &Object, NotificationEvent, FALSE));
}

static VOID no_more_is_granted_than_below(VOID)
{
    Lower = R;
    STATUS(Ask(R | H, REQUEST_OPLOCK_INPUT_FLAG_REQUEST), STATUS_OPLOCK_NOT_GRANTED);
    STATUS(ZwFsControlFile(File, Event, NULL, NULL, &Iosb, FSCTL_REQUEST_BATCH_OPLOCK, NULL, 0, NULL, 0),
           STATUS_OPLOCK_NOT_GRANTED);
    Lower = R | H;
    STATUS(Ask(R | H | W, REQUEST_OPLOCK_INPUT_FLAG_REQUEST), STATUS_OPLOCK_NOT_GRANTED);
    STATUS(Ask(R | H, REQUEST_OPLOCK_INPUT_FLAG_REQUEST), STATUS_PENDING);
    CHECK(!IsBroken());
}

static VOID a_break_below_is_one_here(VOID)
{
    OK(FsRtlCheckUpperOplock(&Oplock, R | H, &Completions, Completed, Pending, 0));
    CHECK(!IsBroken() && !Completions);
    STATUS(FsRtlCheckUpperOplock(&Oplock, 8, &Completions, Completed, Pending, 0), STATUS_INVALID_PARAMETER);
    STATUS(FsRtlCheckUpperOplock(&Oplock, R, &Completions, Completed, Pending, 0), STATUS_PENDING);
    CHECK(IsBroken() && Answer.OriginalOplockLevel == (R | H) && Answer.NewOplockLevel == R);
    CHECK((Answer.Flags & REQUEST_OPLOCK_OUTPUT_FLAG_ACK_REQUIRED) && Before == 1 && !Completions);
    STATUS(FsRtlCheckUpperOplock(&Oplock, R, &Completions, Completed, Pending, OPLOCK_FLAG_COMPLETE_IF_OPLOCKED),
           STATUS_OPLOCK_BREAK_IN_PROGRESS);
    Lower = R;
    STATUS(Ask(R, REQUEST_OPLOCK_INPUT_FLAG_ACK), STATUS_PENDING); /* it is held on, as R */
    CHECK(Completions == 1 && !IsBroken());
    OK(FsRtlCheckUpperOplock(&Oplock, 0, &Completions, Completed, Pending, 0)); /* needs no answer */
    CHECK(IsBroken() && Answer.NewOplockLevel == 0 && Completions == 1);
    OK(FsRtlCheckUpperOplock(&Oplock, 0, &Completions, Completed, Pending, 0)); /* nobody has it */
}

static VOID it_is_closed(VOID)
{
    OK(ZwClose(File));
    OK(ZwClose(Event));
    FsRtlUninitializeOplock(&Oplock);
    IoDeleteDevice(Device);
}

TEST_MAIN(it_is_opened, no_more_is_granted_than_below, a_break_below_is_one_here, it_is_closed)
