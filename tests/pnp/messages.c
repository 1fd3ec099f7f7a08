/*
 * Message-signalled interrupts as the registry wants them (messages.reg): in the device's resources, with vectors by which they
 * can be connected; and a card that has its line although it could send messages.
 *
 * OPTIONS: --for 1s --registry tests/pnp/messages.reg --device 'PCI\VEN_494C&DEV_0001=messages.sys'
 */
#include "pnp.h"
#include "simple.h"
#include "../devices/card.h"

static ULONG Lines, Messages;
static CARD Registers;
static volatile LONG Calls;

static BOOLEAN NTAPI Serve(PKINTERRUPT Interrupt, PVOID Context)
{
    Registers[R_STATUS] = S_ALL;
    InterlockedIncrement(&Calls);
    return TRUE;
}

static BOOLEAN NTAPI MessageService(PKINTERRUPT Interrupt, PVOID Context, ULONG Message)
{
    CHECK(Message == 0);
    return Serve(Interrupt, Context);
}

/* The card fills a block and says so. */
static void Ring(void)
{
    LARGE_INTEGER Wait = {.QuadPart = -10000};
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'tseT');
    Registers[R_CONTROL] = C_DMA_INTERRUPT;
    *(volatile ULONGLONG *)&Registers[R_DESTINATION] = MmGetPhysicalAddress(Block).QuadPart;
    Registers[R_LENGTH] = 64;
    Registers[R_COMMAND] = M_FILL;
    Registers[R_DOORBELL] = 1;
    OK(KeDelayExecutionThread(KernelMode, FALSE, &Wait));
    ExFreePool(Block);
}

static void Fully(PDEVICE_OBJECT Pdo, PCM_PARTIAL_RESOURCE_DESCRIPTOR Translated)
{
    IO_CONNECT_INTERRUPT_PARAMETERS Parameters = {.Version = CONNECT_FULLY_SPECIFIED};
    IO_DISCONNECT_INTERRUPT_PARAMETERS Disconnect = {.Version = CONNECT_FULLY_SPECIFIED};
    PKINTERRUPT Interrupt = NULL;
    Parameters.FullySpecified.PhysicalDeviceObject = Pdo;
    Parameters.FullySpecified.InterruptObject = &Interrupt;
    Parameters.FullySpecified.ServiceRoutine = Serve;
    Parameters.FullySpecified.Vector = Translated->u.MessageInterrupt.Translated.Vector;
    Parameters.FullySpecified.Irql = (KIRQL)Translated->u.MessageInterrupt.Translated.Level;
    Parameters.FullySpecified.SynchronizeIrql = Parameters.FullySpecified.Irql;
    Parameters.FullySpecified.ProcessorEnableMask = Translated->u.MessageInterrupt.Translated.Affinity;
    Parameters.FullySpecified.InterruptMode = Latched;
    OK(IoConnectInterruptEx(&Parameters));
    Calls = 0;
    Ring();
    CHECK(Calls == 1);
    Disconnect.ConnectionContext.InterruptObject = Interrupt;
    IoDisconnectInterruptEx(&Disconnect);
}

/* Vector: of the only message; 0 = the device has its line. */
static void ByMessage(PDEVICE_OBJECT Pdo, ULONG Vector)
{
    IO_CONNECT_INTERRUPT_PARAMETERS Parameters = {.Version = CONNECT_MESSAGE_BASED};
    IO_DISCONNECT_INTERRUPT_PARAMETERS Disconnect = {0};
    PVOID Connection = NULL;
    Parameters.MessageBased.PhysicalDeviceObject = Pdo;
    Parameters.MessageBased.ConnectionContext.Generic = &Connection;
    Parameters.MessageBased.MessageServiceRoutine = MessageService;
    Parameters.MessageBased.FallBackServiceRoutine = Serve;
    OK(IoConnectInterruptEx(&Parameters));
    CHECK(Parameters.Version == (Vector ? CONNECT_MESSAGE_BASED : CONNECT_LINE_BASED));
    if (Vector) {
        PIO_INTERRUPT_MESSAGE_INFO Table = Connection;
        CHECK(Table->MessageCount == 1 && Table->MessageInfo[0].Vector == Vector);
    }
    Calls = 0;
    Ring();
    CHECK(Calls == 1);
    Disconnect.Version = Parameters.Version;
    Disconnect.ConnectionContext.Generic = Connection;
    IoDisconnectInterruptEx(&Disconnect);
}

static void Resources(PDEVICE_OBJECT Pdo, PCM_RESOURCE_LIST Raw, PCM_RESOURCE_LIST Translated)
{
    PCM_PARTIAL_RESOURCE_LIST R = &Raw->List[0].PartialResourceList, T = &Translated->List[0].PartialResourceList;
    ULONG Vector = 0;
    CHECK(R->Count == 2 && T->Count == 2 && R->PartialDescriptors[1].Type == CmResourceTypeInterrupt);
    CHECK(R->PartialDescriptors[1].Flags == T->PartialDescriptors[1].Flags);
    Registers = MmMapIoSpace(T->PartialDescriptors[0].u.Memory.Start, PAGE_SIZE, MmNonCached);
    if (R->PartialDescriptors[1].Flags & CM_RESOURCE_INTERRUPT_MESSAGE) {
        Messages++;
        CHECK(R->PartialDescriptors[1].Flags & CM_RESOURCE_INTERRUPT_LATCHED);
        CHECK(R->PartialDescriptors[1].u.MessageInterrupt.Raw.MessageCount == 1);
        Vector = T->PartialDescriptors[1].u.MessageInterrupt.Translated.Vector;
        CHECK(Vector == R->PartialDescriptors[1].u.MessageInterrupt.Raw.Vector);
        CHECK(T->PartialDescriptors[1].u.MessageInterrupt.Translated.Level == Vector >> 4);
        Fully(Pdo, &T->PartialDescriptors[1]);
        Fully(Pdo, &T->PartialDescriptors[1]); /* its vector is still the device's */
    } else
        Lines++;
    ByMessage(Pdo, Vector);
    Registers[R_CONTROL] = C_RESET;
    MmUnmapIoSpace((PVOID)Registers, PAGE_SIZE);
}

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    if (Minor != IRP_MN_START_DEVICE)
        return FALSE;
    CHECK(IoForwardIrpSynchronously(Extension(Device)->lower, Irp));
    Resources(Extension(Device)->pdo, Stack->Parameters.StartDevice.AllocatedResources,
              Stack->Parameters.StartDevice.AllocatedResourcesTranslated);
    *Status = Complete(Irp, STATUS_SUCCESS);
    return TRUE;
}

static void End(void)
{
    CHECK(Messages == 1 && Lines == 1);
    SUM();
}

#define PNP_HOOK(Device, Irp, Minor, Status) Hook(Device, Irp, Minor, Status)
#define UNLOADING() End()
#include "simple_body.h"
