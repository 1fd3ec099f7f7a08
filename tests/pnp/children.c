/*
 * A bus operated by a program, whose thread carries the kernel's work: what is registered and opened there is the kernel's. A
 * child keeps the letters of the id that the bus gives it, and is not opened again once it has been pulled out.
 *
 * OPTIONS: --for 1s
 */
#include "pnp.h"
#define DEVICE_ID L"Toy\\Child"
#define CHILD_COMPLETED Completed
#include "bus.h"
#include <devpropdef.h>
#include <ntstrsafe.h>

static const GUID BusClass = {0x21111111, 0x2222, 0x3333, {0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb}};
static const GUID ChildClass = {0x31111111, 0x2222, 0x3333, {0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb}};
static const DEVPROPKEY Key = {{0x41111111, 0x2222, 0x3333, {0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb}}, 2};
static UNICODE_STRING BusLink, ChildLink;

static void Completed(PDEVICE_OBJECT Device, UCHAR Minor)
{
    if (Minor == IRP_MN_REMOVE_DEVICE && Device != Child[0])
        IoDeleteDevice(Device);
}

/* The child works without a function driver. */
static BOOLEAN RawPnp(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    if (Extension(Device)->lower || Minor != IRP_MN_QUERY_CAPABILITIES)
        return BusPnp(Device, Irp, Minor, Status);
    IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceCapabilities.Capabilities->RawDeviceOK = TRUE;
    *Status = Complete(Irp, STATUS_SUCCESS);
    return TRUE;
}

static void RegisterChild(void)
{
    UNICODE_STRING Begin = RTL_CONSTANT_STRING(L"\\??\\Toy#Child#");
    OK(IoRegisterDeviceInterface(Child[0], &ChildClass, NULL, &ChildLink));
    CHECK(RtlPrefixUnicodeString(&Begin, &ChildLink, FALSE));
    OK(IoSetDeviceInterfaceState(&ChildLink, TRUE));
}

static void AskAboutChild(void)
{
    ULONG Value = 5, Back = 0;
    DEVPROPTYPE Type;
    HANDLE Handle;
    OK(IoOpenDeviceRegistryKey(Child[0], PLUGPLAY_REGKEY_DEVICE, KEY_ALL_ACCESS, &Handle));
    OK(ZwClose(Handle));
    OK(IoSetDevicePropertyData(Child[0], &Key, LOCALE_NEUTRAL, 0, DEVPROP_TYPE_UINT32, sizeof(Value), &Value));
    OK(IoGetDevicePropertyData(Child[0], &Key, LOCALE_NEUTRAL, 0, sizeof(Back), &Back, NULL, &Type));
    CHECK(Back == 5 && Type == DEVPROP_TYPE_UINT32);
}

/* Gives the program the child's name and its link. */
static ULONG NameChild(PWSTR Out, ULONG Room)
{
    UCHAR Buffer[256];
    POBJECT_NAME_INFORMATION Name = (PVOID)Buffer;
    PDEVICE_OBJECT Device;
    PFILE_OBJECT File;
    ULONG Bytes;
    OK(ObQueryNameString(Child[0], Name, sizeof(Buffer), &Bytes));
    OK(IoGetDeviceObjectPointer(&Name->Name, FILE_READ_ATTRIBUTES, &File, &Device));
    CHECK(Device == Child[0]);
    ObDereferenceObject(File);
    OK(RtlStringCbPrintfW(Out, Room, L"%wZ %wZ", &Name->Name, &ChildLink));
    RtlFreeUnicodeString(&ChildLink);
    return (ULONG)wcslen(Out) * sizeof(WCHAR);
}

/* docs: IRP_MN_QUERY_CAPABILITIES: the root bus says which states its devices take, and nothing about the rest. */
static void AskRoot(PDEVICE_OBJECT Pdo)
{
    DEVICE_CAPABILITIES Capabilities = {.Size = sizeof(Capabilities), .Version = 1, .Address = 7, .UINumber = 8};
    IO_STATUS_BLOCK Iosb;
    KEVENT Event;
    PIRP Irp;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Irp = IoBuildSynchronousFsdRequest(IRP_MJ_PNP, Pdo, NULL, 0, NULL, &Event, &Iosb);
    Irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    IoGetNextIrpStackLocation(Irp)->MinorFunction = IRP_MN_QUERY_CAPABILITIES;
    IoGetNextIrpStackLocation(Irp)->Parameters.DeviceCapabilities.Capabilities = &Capabilities;
    OK(IoCallDriver(Pdo, Irp));
    CHECK(Capabilities.Address == 7 && Capabilities.UINumber == 8 && !Capabilities.UniqueID);
    CHECK(!Capabilities.SilentInstall && !Capabilities.SurpriseRemovalOK && !Capabilities.RawDeviceOK);
    CHECK(Capabilities.DeviceState[PowerSystemWorking] == PowerDeviceD0);
    CHECK(Capabilities.DeviceState[PowerSystemSleeping3] == PowerDeviceD3);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    CHECK(ExGetPreviousMode() == UserMode);
    if (Stack->Parameters.DeviceIoControl.IoControlCode == CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, 0)) {
        RegisterChild();
        AskAboutChild();
        AskRoot(Extension(Device)->pdo);
        Irp->IoStatus.Information =
            NameChild(Irp->AssociatedIrp.SystemBuffer, Stack->Parameters.DeviceIoControl.OutputBufferLength);
    } else {
        Child[0] = NULL;
        IoInvalidateDeviceRelations(Extension(Device)->pdo, BusRelations);
    }
    return Complete(Irp, STATUS_SUCCESS);
}

static void Begin(PDEVICE_OBJECT Device)
{
    MakeChildren(Device);
    Device->DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    OK(IoRegisterDeviceInterface(Extension(Device)->pdo, &BusClass, NULL, &BusLink));
}

static void Go(PDEVICE_OBJECT Device)
{
    OK(IoSetDeviceInterfaceState(&BusLink, TRUE));
}

static void End(PDEVICE_OBJECT Device)
{
    OK(IoSetDeviceInterfaceState(&BusLink, FALSE));
    RtlFreeUnicodeString(&BusLink);
    DeleteChildren(Device);
}

static void Sum(void)
{
    SUM();
}

#undef PNP_HOOK
#undef ADDED
#undef REMOVING
#define PNP_HOOK RawPnp
#define ADDED Begin
#define STARTED Go
#define REMOVING End
#define UNLOADING Sum
#include "simple_body.h"
