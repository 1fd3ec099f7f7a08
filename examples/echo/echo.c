/*
 * echo.sys: one walk through the system (the talk's T3): a program's buffer, the IRP, the driver, a device, and back.
 *
 *     irqlab run --client build/examples/echo-client build/examples/echo.sys
 *     irqlab run --scenario examples/echo/echo.lua build/examples/echo.sys
 *
 * The device is the machine's test card (docs/devices.md): it copies memory by itself and then interrupts. Each step prints a
 * line, whose head shows at which level it runs:
 *
 *   PASSIVE   the dispatch routine, in the program's thread: the system has copied the program's buffer (METHOD_BUFFERED) and
 *             made an IRP of it; the driver marks it pending and queues it
 *   DISPATCH  the start routine, with the one IRP the device works on: the data go where the device can reach them, and it is
 *             told to go
 *   DIRQL     the interrupt service routine: the device is done. Here only what cannot wait is done
 *   DISPATCH  the DPC: the data come back, the IRP is completed, the next one is started
 *   then the system copies the result into the program's buffer, in the program's thread, and the call returns.
 */
#include <ntddk.h>

/* In no header of Debian's that goes with <ntddk.h>. */
NTHALAPI ULONG NTAPI HalGetBusDataByOffset(BUS_DATA_TYPE Type, ULONG Bus, ULONG Slot, PVOID Buffer, ULONG Offset,
                                           ULONG Length);
NTHALAPI ULONG NTAPI HalSetBusDataByOffset(BUS_DATA_TYPE Type, ULONG Bus, ULONG Slot, PVOID Buffer, ULONG Offset,
                                           ULONG Length);
NTHALAPI ULONG NTAPI HalGetInterruptVector(INTERFACE_TYPE Type, ULONG Bus, ULONG Level, ULONG Vector, PKIRQL Irql,
                                           PKAFFINITY Affinity);

#define IOCTL_ECHO CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define CARD_LINE 11
#define LARGEST 4096

/* The card's registers, in ULONGs. */
enum { CONTROL = 1, STATUS = 2, SOURCE = 6, DESTINATION = 8, LENGTH = 10, COMMAND = 11, DOORBELL = 12 };
enum { CONTROL_INTERRUPT = 1, STATUS_DONE = 1, STATUS_FAILED = 2 };
#define CONTROL_RESET 0x80000000u

typedef struct _ECHO {
    volatile ULONG *Card;
    PKINTERRUPT Interrupt;
    PDMA_ADAPTER Adapter;
    PUCHAR Memory; /* that driver and card share: the first half goes to the card, the second comes from it */
    PHYSICAL_ADDRESS Logical;
    ULONG Status; /* of the card; by the service routine for the DPC */
} ECHO, *PECHO;

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Echo"),
                      LinkName = RTL_CONSTANT_STRING(L"\\??\\Echo");

static ULONG CardSlot(void)
{
    PCI_SLOT_NUMBER Slot = {.u.bits.DeviceNumber = 2};
    return Slot.u.AsULONG;
}

/* ---- The walk ---------------------------------------------------------------------------------------------------------- */

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Bytes)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Bytes;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID Start(PDEVICE_OBJECT Device, PIRP Irp)
{
    PECHO Echo = Device->DeviceExtension;
    ULONG Bytes = IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.InputBufferLength;

    Device->CurrentIrp = Irp;
    DbgPrint("start: the device is told to take %u bytes\n", Bytes);
    RtlCopyMemory(Echo->Memory, Irp->AssociatedIrp.SystemBuffer, Bytes);
    *(volatile ULONGLONG *)&Echo->Card[SOURCE] = Echo->Logical.QuadPart;
    *(volatile ULONGLONG *)&Echo->Card[DESTINATION] = Echo->Logical.QuadPart + LARGEST;
    Echo->Card[LENGTH] = Bytes;
    Echo->Card[COMMAND] = 0; /* copy */
    Echo->Card[DOORBELL] = 1;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Bytes = Stack->Parameters.DeviceIoControl.InputBufferLength;
    KIRQL Irql;

    if (Stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_ECHO)
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    if (!Bytes || Bytes > LARGEST || Stack->Parameters.DeviceIoControl.OutputBufferLength < Bytes)
        return Complete(Irp, STATUS_INVALID_PARAMETER, 0);
    DbgPrint("dispatch: an IRP of process %u; %u bytes, copied to the system's buffer; queued\n",
             (ULONG)(ULONG_PTR)PsGetCurrentProcessId(), Bytes);
    IoMarkIrpPending(Irp);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    if (!KeInsertDeviceQueue(&Device->DeviceQueue, &Irp->Tail.Overlay.DeviceQueueEntry))
        Start(Device, Irp); /* the device was idle */
    KeLowerIrql(Irql);
    return STATUS_PENDING;
}

static BOOLEAN NTAPI Serve(PKINTERRUPT Interrupt, PVOID Context)
{
    PDEVICE_OBJECT Device = Context;
    PECHO Echo = Device->DeviceExtension;
    ULONG Status = Echo->Card[STATUS] & (STATUS_DONE | STATUS_FAILED);

    UNREFERENCED_PARAMETER(Interrupt);
    if (!Status)
        return FALSE; /* another device's, on the same line */
    Echo->Card[STATUS] = Status;
    Echo->Status = Status;
    DbgPrint("interrupt: the device is done; a DPC is asked for\n");
    IoRequestDpc(Device, Device->CurrentIrp, NULL);
    return TRUE;
}

static VOID NTAPI Finish(PKDPC Dpc, PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    PECHO Echo = Device->DeviceExtension;
    ULONG Bytes = IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.InputBufferLength;
    PKDEVICE_QUEUE_ENTRY Next;
    BOOLEAN Good = !(Echo->Status & STATUS_FAILED);

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    if (Good)
        RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, Echo->Memory + LARGEST, Bytes);
    DbgPrint("DPC: %u bytes are back; the IRP is completed\n", Good ? Bytes : 0);
    Next = KeRemoveDeviceQueue(&Device->DeviceQueue);
    Device->CurrentIrp = NULL;
    if (Next)
        Start(Device, CONTAINING_RECORD(Next, IRP, Tail.Overlay.DeviceQueueEntry));
    Complete(Irp, Good ? STATUS_SUCCESS : STATUS_IO_DEVICE_ERROR, Good ? Bytes : 0);
}

static NTSTATUS NTAPI OpenOrClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

/* ---- The device -------------------------------------------------------------------------------------------------------- */

static NTSTATUS OpenCard(PDEVICE_OBJECT Device)
{
    PECHO Echo = Device->DeviceExtension;
    DEVICE_DESCRIPTION Description = {.Version = DEVICE_DESCRIPTION_VERSION,
                                      .Master = TRUE,
                                      .ScatterGather = TRUE,
                                      .Dma32BitAddresses = TRUE,
                                      .Dma64BitAddresses = TRUE,
                                      .InterfaceType = PCIBus,
                                      .MaximumLength = 2 * LARGEST};
    USHORT Enable = PCI_ENABLE_MEMORY_SPACE | PCI_ENABLE_BUS_MASTER;
    ULONG Bar[2], Registers, Vector;
    PHYSICAL_ADDRESS Base;
    KAFFINITY Affinity;
    KIRQL Irql;

    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(), &Enable, 4, sizeof(Enable));
    HalGetBusDataByOffset(PCIConfiguration, 0, CardSlot(), Bar, 0x10, sizeof(Bar));
    Base.QuadPart = (LONGLONG)((ULONGLONG)Bar[1] << 32 | (Bar[0] & ~15u));
    Echo->Card = MmMapIoSpace(Base, PAGE_SIZE, MmNonCached);
    Echo->Adapter = IoGetDmaAdapter(NULL, &Description, &Registers);
    if (!Echo->Card || !Echo->Adapter)
        return STATUS_INSUFFICIENT_RESOURCES;
    Echo->Memory = Echo->Adapter->DmaOperations->AllocateCommonBuffer(Echo->Adapter, 2 * LARGEST, &Echo->Logical, TRUE);
    if (!Echo->Memory)
        return STATUS_INSUFFICIENT_RESOURCES;
    Vector = HalGetInterruptVector(PCIBus, 0, CARD_LINE, CARD_LINE, &Irql, &Affinity);
    Echo->Card[CONTROL] = CONTROL_RESET;
    Echo->Card[CONTROL] = CONTROL_INTERRUPT;
    return IoConnectInterrupt(&Echo->Interrupt, Serve, Device, NULL, Vector, Irql, Irql, LevelSensitive, TRUE, Affinity,
                              FALSE);
}

static VOID CloseCard(PECHO Echo)
{
    if (Echo->Card)
        Echo->Card[CONTROL] = CONTROL_RESET;
    if (Echo->Interrupt)
        IoDisconnectInterrupt(Echo->Interrupt);
    if (Echo->Memory)
        Echo->Adapter->DmaOperations->FreeCommonBuffer(Echo->Adapter, 2 * LARGEST, Echo->Logical, Echo->Memory, TRUE);
    if (Echo->Adapter)
        Echo->Adapter->DmaOperations->PutDmaAdapter(Echo->Adapter);
    if (Echo->Card)
        MmUnmapIoSpace((PVOID)Echo->Card, PAGE_SIZE);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteSymbolicLink(&LinkName);
    CloseCard(Driver->DeviceObject->DeviceExtension);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status =
        IoCreateDevice(Driver, sizeof(ECHO), &DeviceName, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &Device);

    UNREFERENCED_PARAMETER(RegistryPath);
    if (!NT_SUCCESS(Status))
        return Status;
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    IoInitializeDpcRequest(Device, Finish);
    Status = OpenCard(Device);
    if (NT_SUCCESS(Status))
        Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
    if (!NT_SUCCESS(Status)) {
        CloseCard(Device->DeviceExtension);
        IoDeleteDevice(Device);
    }
    return Status;
}
