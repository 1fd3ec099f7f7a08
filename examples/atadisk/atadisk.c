/*
 * A driver that commands a hard disk directly (talk, T8): the ports of the first ATA channel, its interrupt, and DMA.
 *
 *     irqlab run --disk disk.img atadisk.sys
 *
 * One command is under way at a time. Whoever gives it waits; the interrupt service routine (DIRQL) asks the disk what
 * is the matter, which also makes it take the interrupt back, and queues the DPC; the DPC (DISPATCH_LEVEL) moves the
 * sector through the data port and wakes the one who waits. Everything begins in a work item, at PASSIVE_LEVEL:
 * DriverEntry could wait as well, but real drivers must not hold up the start of the system.
 *
 * It writes a pattern to the last sector and puts back what was there.
 */
#include <ntddk.h>

/* Of <ntddk.h>; Debian's hides them. */
NTHALAPI ULONG NTAPI HalGetBusData(BUS_DATA_TYPE Type, ULONG Bus, ULONG Slot, PVOID Buffer, ULONG Length);
NTHALAPI ULONG NTAPI HalGetInterruptVector(INTERFACE_TYPE Type, ULONG Bus, ULONG Level, ULONG Vector, PKIRQL Irql,
                                           PKAFFINITY Affinity);

#define SECTOR 512
#define TAG 'ksiD'

/* Registers of the first channel, and its interrupt line. */
#define PORT_DATA 0x1f0
#define PORT_ERROR 0x1f1
#define PORT_COUNT 0x1f2
#define PORT_LOW 0x1f3
#define PORT_MIDDLE 0x1f4
#define PORT_HIGH 0x1f5
#define PORT_SELECT 0x1f6
#define PORT_STATUS 0x1f7
#define PORT_CONTROL 0x3f6
#define LINE 14

#define STATUS_ERROR_BIT 0x01
#define STATUS_DATA 0x08
#define STATUS_BUSY 0x80

#define COMMAND_READ 0x20
#define COMMAND_WRITE 0x30
#define COMMAND_READ_DMA 0xc8
#define COMMAND_WRITE_DMA 0xca
#define COMMAND_FLUSH 0xe7
#define COMMAND_IDENTIFY 0xec

/* The bus master: ports behind BASE, and an entry of its table. */
#define MASTER_COMMAND 0
#define MASTER_STATUS 2
#define MASTER_TABLE 4
#define MASTER_START 1
#define MASTER_TO_MEMORY 8

typedef struct _REGION {
    ULONG Address;
    USHORT Bytes;
    USHORT Flags; /* 0x8000: the last */
} REGION;

typedef struct _DISK {
    PDEVICE_OBJECT Device;
    PKINTERRUPT Interrupt;
    PIO_WORKITEM Work;
    KEVENT Idle; /* the work item has finished */
    KEVENT Done; /* the command has */
    /* Of the present command; the service routine and the DPC read it. */
    UCHAR Command;
    PUSHORT Data;
    /* Written by the service routine, read by the DPC through KeSynchronizeExecution. */
    UCHAR Status;
    ULONG Interrupts;
    /* Of the DPC. */
    NTSTATUS Result;
    /* DMA. */
    ULONG Master; /* its ports, 0 = there is none */
    PDMA_ADAPTER Adapter;
    REGION *Table;
    PHYSICAL_ADDRESS TableAddress;
    PSCATTER_GATHER_LIST List;
} DISK, *PDISK;

static void Out(ULONG Port, UCHAR Value)
{
    WRITE_PORT_UCHAR((PUCHAR)(ULONG_PTR)Port, Value);
}

static UCHAR In(ULONG Port)
{
    return READ_PORT_UCHAR((PUCHAR)(ULONG_PTR)Port);
}

/* ---- Interrupt --------------------------------------------------------------------------------------------------- */

static BOOLEAN Service(PKINTERRUPT Interrupt, PVOID Context)
{
    PDISK Disk = Context;

    Disk->Status = In(PORT_STATUS);
    Disk->Interrupts++;
    if (Disk->Master) {
        UCHAR Master = In(Disk->Master + MASTER_STATUS);
        Out(Disk->Master + MASTER_COMMAND, 0);
        Out(Disk->Master + MASTER_STATUS, Master | 4);
    }
    IoRequestDpc(Disk->Device, NULL, Disk);
    return TRUE;
}

typedef struct _SNAPSHOT {
    PDISK Disk;
    UCHAR Status;
} SNAPSHOT;

static BOOLEAN TakeStatus(PVOID Context)
{
    SNAPSHOT *Snapshot = Context;

    Snapshot->Status = Snapshot->Disk->Status;
    return TRUE;
}

static VOID AfterInterrupt(PKDPC Dpc, PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    PDISK Disk = Context;
    SNAPSHOT Snapshot = {Disk, 0};

    KeSynchronizeExecution(Disk->Interrupt, TakeStatus, &Snapshot);
    Disk->Result = Snapshot.Status & STATUS_ERROR_BIT ? STATUS_IO_DEVICE_ERROR : STATUS_SUCCESS;
    if (NT_SUCCESS(Disk->Result) && Snapshot.Status & STATUS_DATA)
        READ_PORT_BUFFER_USHORT((PUSHORT)PORT_DATA, Disk->Data, SECTOR / 2);
    KeSetEvent(&Disk->Done, IO_DISK_INCREMENT, FALSE);
}

/* ---- Commands, at PASSIVE_LEVEL ---------------------------------------------------------------------------------- */

static BOOLEAN WaitReady(UCHAR Wanted)
{
    for (ULONG i = 0; i < 10000; i++) {
        UCHAR Status = In(PORT_CONTROL); /* the alternate status: does not take the interrupt back */
        if (!(Status & STATUS_BUSY) && (Status & Wanted) == Wanted)
            return TRUE;
        KeStallExecutionProcessor(1);
    }
    return FALSE;
}

static VOID Address(ULONG Sector)
{
    Out(PORT_SELECT, (UCHAR)(0xe0 | Sector >> 24));
    Out(PORT_COUNT, 1);
    Out(PORT_LOW, (UCHAR)Sector);
    Out(PORT_MIDDLE, (UCHAR)(Sector >> 8));
    Out(PORT_HIGH, (UCHAR)(Sector >> 16));
}

/* Data is in nonpaged memory: the DPC touches it. */
static NTSTATUS Run(PDISK Disk, UCHAR Command, ULONG Sector, PVOID Data)
{
    LARGE_INTEGER Limit = {.QuadPart = -10000000}; /* a second */

    if (!WaitReady(0))
        return STATUS_DEVICE_NOT_READY;
    Disk->Command = Command;
    Disk->Data = Data;
    KeClearEvent(&Disk->Done);
    Address(Sector);
    Out(PORT_STATUS, Command);
    if (Command == COMMAND_WRITE) {
        if (!WaitReady(STATUS_DATA))
            return STATUS_DEVICE_NOT_READY;
        WRITE_PORT_BUFFER_USHORT((PUSHORT)PORT_DATA, Data, SECTOR / 2);
    }
    if (KeWaitForSingleObject(&Disk->Done, Executive, KernelMode, FALSE, &Limit) == STATUS_TIMEOUT)
        return STATUS_IO_TIMEOUT;
    return Disk->Result;
}

/* ---- DMA --------------------------------------------------------------------------------------------------------- */

static VOID FillTable(PDEVICE_OBJECT Device, PIRP Irp, PSCATTER_GATHER_LIST List, PVOID Context)
{
    PDISK Disk = Context;

    Disk->List = List;
    for (ULONG i = 0; i < List->NumberOfElements; i++) {
        Disk->Table[i].Address = List->Elements[i].Address.LowPart;
        Disk->Table[i].Bytes = (USHORT)List->Elements[i].Length;
        Disk->Table[i].Flags = i + 1 == List->NumberOfElements ? 0x8000 : 0;
    }
}

static NTSTATUS RunDma(PDISK Disk, ULONG Sector, PVOID Data, BOOLEAN Write)
{
    PMDL Mdl = IoAllocateMdl(Data, SECTOR, FALSE, FALSE, NULL);
    NTSTATUS Status;
    KIRQL OldIrql;

    if (!Mdl)
        return STATUS_INSUFFICIENT_RESOURCES;
    MmBuildMdlForNonPagedPool(Mdl);
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    Status = Disk->Adapter->DmaOperations->GetScatterGatherList(Disk->Adapter, Disk->Device, Mdl, Data, SECTOR,
                                                                FillTable, Disk, Write);
    KeLowerIrql(OldIrql);
    if (NT_SUCCESS(Status)) {
        WRITE_PORT_ULONG((PULONG)(ULONG_PTR)(Disk->Master + MASTER_TABLE), Disk->TableAddress.LowPart);
        Out(Disk->Master + MASTER_STATUS, 6);
        Out(Disk->Master + MASTER_COMMAND, Write ? MASTER_START : MASTER_START | MASTER_TO_MEMORY);
        Status = Run(Disk, Write ? COMMAND_WRITE_DMA : COMMAND_READ_DMA, Sector, NULL);
        KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
        Disk->Adapter->DmaOperations->PutScatterGatherList(Disk->Adapter, Disk->List, Write);
        KeLowerIrql(OldIrql);
    }
    IoFreeMdl(Mdl);
    return Status;
}

/* The IDE function says where its bus master is. */
static ULONG FindMaster(VOID)
{
    for (ULONG Device = 0; Device < PCI_MAX_DEVICES; Device++) {
        PCI_COMMON_CONFIG Config;
        PCI_SLOT_NUMBER Slot = {.u.bits.DeviceNumber = Device};
        if (HalGetBusData(PCIConfiguration, 0, Slot.u.AsULONG, &Config, PCI_COMMON_HDR_LENGTH) != PCI_COMMON_HDR_LENGTH)
            continue;
        if (Config.BaseClass == 1 && Config.SubClass == 1 && Config.ProgIf & 0x80)
            return Config.u.type0.BaseAddresses[4] & 0xfff0;
    }
    return 0;
}

static VOID OpenDma(PDISK Disk)
{
    DEVICE_DESCRIPTION Description = {0};
    ULONG Registers, Master = FindMaster();

    Description.Version = DEVICE_DESCRIPTION_VERSION;
    Description.Master = Description.ScatterGather = Description.Dma32BitAddresses = TRUE;
    Description.InterfaceType = PCIBus;
    Description.MaximumLength = 0x10000;
    if (!Master)
        return;
    Disk->Adapter = IoGetDmaAdapter(NULL, &Description, &Registers);
    if (!Disk->Adapter)
        return;
    Disk->Table =
        Disk->Adapter->DmaOperations->AllocateCommonBuffer(Disk->Adapter, PAGE_SIZE, &Disk->TableAddress, FALSE);
    if (Disk->Table)
        Disk->Master = Master;
}

static VOID CloseDma(PDISK Disk)
{
    if (Disk->Table)
        Disk->Adapter->DmaOperations->FreeCommonBuffer(Disk->Adapter, PAGE_SIZE, Disk->TableAddress, Disk->Table,
                                                       FALSE);
    if (Disk->Adapter)
        Disk->Adapter->DmaOperations->PutDmaAdapter(Disk->Adapter);
}

/* ---- What it does -------------------------------------------------------------------------------------------------
 */

static NTSTATUS Identify(PDISK Disk, PUSHORT Data, PULONG Sectors)
{
    CHAR Model[41];
    ULONG i;
    NTSTATUS Status = Run(Disk, COMMAND_IDENTIFY, 0, Data);

    if (!NT_SUCCESS(Status))
        return Status;
    for (i = 0; i < 20; i++) { /* two letters a word, the first one in the upper byte */
        Model[2 * i] = (CHAR)(Data[27 + i] >> 8);
        Model[2 * i + 1] = (CHAR)Data[27 + i];
    }
    for (i = 40; i > 0 && Model[i - 1] == ' '; i--)
        ;
    Model[i] = 0;
    *Sectors = Data[60] | (ULONG)Data[61] << 16;
    DbgPrint("atadisk: %s, %u sectors\n", Model, *Sectors);
    return STATUS_SUCCESS;
}

typedef NTSTATUS MOVE(PDISK Disk, ULONG Sector, PVOID Data, BOOLEAN Write);

static NTSTATUS MoveByPorts(PDISK Disk, ULONG Sector, PVOID Data, BOOLEAN Write)
{
    return Run(Disk, Write ? COMMAND_WRITE : COMMAND_READ, Sector, Data);
}

/* Read, write a pattern, read it back, restore. Buffers: three sectors. */
static NTSTATUS TryOut(PDISK Disk, PCSTR How, MOVE *Move, ULONG Sector, PUCHAR Buffers)
{
    PUCHAR Before = Buffers, Pattern = Buffers + SECTOR, After = Buffers + 2 * SECTOR;
    NTSTATUS Status = Move(Disk, 0, Before, FALSE);

    if (NT_SUCCESS(Status))
        DbgPrint("atadisk: %s: sector 0 begins with %02x %02x %02x %02x and ends with %02x %02x\n", How, Before[0],
                 Before[1], Before[2], Before[3], Before[510], Before[511]);
    if (NT_SUCCESS(Status))
        Status = Move(Disk, Sector, Before, FALSE);
    for (ULONG i = 0; i < SECTOR; i++)
        Pattern[i] = (UCHAR)(i * 7 + 1);
    if (NT_SUCCESS(Status))
        Status = Move(Disk, Sector, Pattern, TRUE);
    if (NT_SUCCESS(Status))
        Status = Move(Disk, Sector, After, FALSE);
    if (NT_SUCCESS(Status))
        DbgPrint("atadisk: %s: sector %u was written and read back %s\n", How, Sector,
                 RtlCompareMemory(Pattern, After, SECTOR) == SECTOR ? "the same" : "DIFFERENT");
    if (NT_SUCCESS(Status))
        Status = Move(Disk, Sector, Before, TRUE);
    if (NT_SUCCESS(Status))
        Status = Run(Disk, COMMAND_FLUSH, 0, NULL);
    return Status;
}

static VOID Work(PDEVICE_OBJECT Device, PVOID Context)
{
    PDISK Disk = Context;
    PUCHAR Buffers = ExAllocatePoolWithTag(NonPagedPoolNx, 3 * SECTOR, TAG);
    ULONG Sectors = 0;
    NTSTATUS Status = Buffers ? Identify(Disk, (PUSHORT)Buffers, &Sectors) : STATUS_INSUFFICIENT_RESOURCES;

    if (NT_SUCCESS(Status))
        Status = TryOut(Disk, "ports", MoveByPorts, Sectors - 1, Buffers);
    if (NT_SUCCESS(Status))
        OpenDma(Disk);
    if (NT_SUCCESS(Status) && Disk->Master)
        Status = TryOut(Disk, "DMA", RunDma, Sectors - 1, Buffers);
    if (NT_SUCCESS(Status) && Run(Disk, COMMAND_READ, Sectors, Buffers) == STATUS_IO_DEVICE_ERROR)
        DbgPrint("atadisk: sector %u, which is not there: error %02x\n", Sectors, In(PORT_ERROR));
    DbgPrint("atadisk: ended with 0x%08x after %u interrupts\n", Status, Disk->Interrupts);
    if (Buffers)
        ExFreePoolWithTag(Buffers, TAG);
    KeSetEvent(&Disk->Idle, IO_NO_INCREMENT, FALSE);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    PDISK Disk = Driver->DeviceObject->DeviceExtension;

    KeWaitForSingleObject(&Disk->Idle, Executive, KernelMode, FALSE, NULL);
    Out(PORT_CONTROL, 2); /* no interrupts any more */
    IoDisconnectInterrupt(Disk->Interrupt);
    CloseDma(Disk);
    IoFreeWorkItem(Disk->Work);
    IoDeleteDevice(Disk->Device);
}

static NTSTATUS Start(PDISK Disk)
{
    KIRQL Irql;
    KAFFINITY Affinity;
    ULONG Vector = HalGetInterruptVector(Isa, 0, LINE, LINE, &Irql, &Affinity);
    NTSTATUS Status;

    Out(PORT_CONTROL, 0);
    Status =
        IoConnectInterrupt(&Disk->Interrupt, Service, Disk, NULL, Vector, Irql, Irql, Latched, FALSE, Affinity, FALSE);
    if (!NT_SUCCESS(Status))
        return Status;
    Disk->Work = IoAllocateWorkItem(Disk->Device);
    if (!Disk->Work) {
        IoDisconnectInterrupt(Disk->Interrupt);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    IoQueueWorkItem(Disk->Work, Work, DelayedWorkQueue, Disk);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;
    PDISK Disk;
    NTSTATUS Status;

    if (In(PORT_STATUS) == 0xff) {
        DbgPrint("atadisk: there is no disk (irqlab run --disk FILE)\n");
        return STATUS_NO_SUCH_DEVICE;
    }
    Status = IoCreateDevice(Driver, sizeof(DISK), NULL, FILE_DEVICE_DISK, FILE_DEVICE_SECURE_OPEN, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    Disk = Device->DeviceExtension;
    Disk->Device = Device;
    KeInitializeEvent(&Disk->Idle, NotificationEvent, FALSE);
    KeInitializeEvent(&Disk->Done, SynchronizationEvent, FALSE);
    IoInitializeDpcRequest(Device, AfterInterrupt);
    Driver->DriverUnload = Unload;
    Status = Start(Disk);
    if (!NT_SUCCESS(Status))
        IoDeleteDevice(Device);
    return Status;
}
