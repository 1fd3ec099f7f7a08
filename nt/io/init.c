/*
 * The I/O system's start, drivers' second starts, and shutdown notifications.
 */
#include "nt.h"
#include "cc/ccp.h"

/* ---- Reinitialization -------------------------------------------------------------------------------------------- */

typedef struct _IOP_REINIT {
    LIST_ENTRY Entry;
    PDRIVER_OBJECT Driver;
    PDRIVER_REINITIALIZE Routine;
    PVOID Context;
    ULONG Stack;
} IOP_REINIT, *PIOP_REINIT;

static LIST_ENTRY IopReinits = {&IopReinits, &IopReinits};

static VOID IopQueueReinit(PDRIVER_OBJECT Driver, PDRIVER_REINITIALIZE Routine, PVOID Context, ULONG Stack)
{
    PIOP_REINIT Reinit = ExpAllocate(sizeof(*Reinit), 'tiRI');
    *Reinit = (IOP_REINIT){.Driver = Driver, .Routine = Routine, .Context = Context, .Stack = Stack};
    InsertTailList(&IopReinits, &Reinit->Entry);
    VfTrack(Reinit, sizeof(*Reinit), VfCallbackObject, (PVOID)(ULONG_PTR)Routine, Stack);
}

VOID NTAPI IoRegisterDriverReinitialization(PDRIVER_OBJECT Driver, PDRIVER_REINITIALIZE Routine, PVOID Context)
{
    IopQueueReinit(Driver, Routine, Context, VfCaptureStack());
}

VOID NTAPI IoRegisterBootDriverReinitialization(PDRIVER_OBJECT Driver, PDRIVER_REINITIALIZE Routine, PVOID Context)
{
    IopQueueReinit(Driver, Routine, Context, VfCaptureStack());
}

/* docs: IoRegisterDriverReinitialization: after DriverEntry of all that load; a routine may queue itself again. */
VOID IopReinitialize(PDRIVER_OBJECT Driver)
{
    while (!IsListEmpty(&IopReinits)) {
        PIOP_REINIT Reinit = CONTAINING_RECORD(RemoveHeadList(&IopReinits), IOP_REINIT, Entry);
        IOP_REINIT Due = *Reinit;
        VF_CALLBACK Callback;
        VfUntrack(Reinit, VfCallbackObject);
        ExpFree(Reinit);
        Due.Driver->DriverExtension->Count++;
        IopEnter(&Callback, "DRIVER_REINITIALIZE", "reinitialization routine", (PVOID)(ULONG_PTR)Due.Routine, NULL);
        Due.Routine(Due.Driver, Due.Context, Due.Driver->DriverExtension->Count);
        VfLeaveCallback(&Callback);
    }
}

/* ---- Shutdown ---------------------------------------------------------------------------------------------------- */

typedef struct _IOP_SHUTDOWN {
    LIST_ENTRY Entry;
    PDEVICE_OBJECT Device;
} IOP_SHUTDOWN, *PIOP_SHUTDOWN;

static LIST_ENTRY IopShutdowns[2] = {{&IopShutdowns[0], &IopShutdowns[0]}, {&IopShutdowns[1], &IopShutdowns[1]}};

static NTSTATUS IopRegisterShutdown(PDEVICE_OBJECT Device, ULONG Phase)
{
    PIOP_SHUTDOWN Shutdown = ExpAllocate(sizeof(*Shutdown), 'nwdS');
    Shutdown->Device = Device;
    InsertHeadList(&IopShutdowns[Phase], &Shutdown->Entry);
    IopDeviceOf(Device)->ShutdownRegistered = TRUE;
    ObfReferenceObject(Device);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoRegisterShutdownNotification(PDEVICE_OBJECT Device)
{
    return IopRegisterShutdown(Device, 0);
}

NTSTATUS NTAPI IoRegisterLastChanceShutdownNotification(PDEVICE_OBJECT Device)
{
    return IopRegisterShutdown(Device, 1);
}

VOID IopCancelShutdown(PDEVICE_OBJECT Device)
{
    if (!IopDeviceOf(Device)->ShutdownRegistered)
        return;
    IopDeviceOf(Device)->ShutdownRegistered = FALSE;
    for (ULONG i = 0; i < RTL_NUMBER_OF(IopShutdowns); i++)
        for (PLIST_ENTRY Entry = IopShutdowns[i].Flink, Next; Entry != &IopShutdowns[i]; Entry = Next) {
            PIOP_SHUTDOWN Shutdown = CONTAINING_RECORD(Entry, IOP_SHUTDOWN, Entry);
            Next = Entry->Flink;
            if (Shutdown->Device == Device) {
                RemoveEntryList(Entry);
                ExpFree(Shutdown);
                ObfDereferenceObject(Device);
            }
        }
}

VOID NTAPI IoUnregisterShutdownNotification(PDEVICE_OBJECT Device)
{
    IopCancelShutdown(Device);
}

/* Last registered first: each device with a notification gets one IRP_MJ_SHUTDOWN. */
VOID IopShutdown(VOID)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(IopShutdowns); i++)
        while (!IsListEmpty(&IopShutdowns[i])) {
            PIOP_SHUTDOWN Shutdown = CONTAINING_RECORD(IopShutdowns[i].Flink, IOP_SHUTDOWN, Entry);
            PDEVICE_OBJECT Device = Shutdown->Device;
            PIRP Irp = IopAllocateIrp(IoGetAttachedDevice(Device)->StackSize, NULL);
            IO_STATUS_BLOCK Iosb;
            if (!Irp)
                KiInternalError("no memory for the shutdown");
            Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
            IoGetNextIrpStackLocation(Irp)->MajorFunction = IRP_MJ_SHUTDOWN;
            RemoveEntryList(&Shutdown->Entry);
            ExpFree(Shutdown);
            IopCallAndWait(IoGetAttachedDevice(Device), Irp, &Iosb);
            ObfDereferenceObject(Device);
        }
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

static VOID IopEnterBootModules(VOID)
{
    for (PLIST_ENTRY Entry = MiImages.Flink; Entry != &MiImages; Entry = Entry->Flink) {
        PMI_IMAGE Image = CONTAINING_RECORD(Entry, MI_IMAGE, Entry);
        WCHAR Text[96] = L"\\SystemRoot\\system32\\";
        UNICODE_STRING Name;
        RtlpFromUtf8(Text + wcslen(Text), 64, Image->Name);
        RtlInitUnicodeString(&Name, Text);
        PspEnterModule(Image, &Name);
    }
}

VOID IoInitialize(VOID)
{
    IopInitializeTypes();
    TmInitialize();
    IopInitializePorts();
    CmInitialize();
    IopEnterBootModules();
    CcpInitialize();
    FsdInitialize();
}
