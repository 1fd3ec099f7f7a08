/*
 * WMI: a provider on WMILIB, and its blocks as another driver reads, writes, calls and hears them.
 *
 * OPTIONS: --for 2s
 */
#include "pnp.h"
#include "simple.h"
#include <wmistr.h>
#include <wmilib.h>

static const GUID Block = {0xaaaa0001, 1, 1, {1, 2, 3, 4, 5, 6, 7, 8}};
static const GUID Fires = {0xaaaa0002, 1, 1, {1, 2, 3, 4, 5, 6, 7, 8}};
static const GUID Nobody = {0xaaaa0003, 1, 1, {1, 2, 3, 4, 5, 6, 7, 8}};
static WMIGUIDREGINFO Guids[] = {{&Block, 2, 0}, {&Fires, 1, WMIREG_FLAG_EVENT_ONLY_GUID}};
static ULONG Values[2] = {100, 200}, Enabled, Disabled, Heard, Calls;
static UNICODE_STRING Path = RTL_CONSTANT_STRING(L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\wmi");
static UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\??\\WmiTest"), Place;
static PVOID Listener;
static PDEVICE_OBJECT Mine;

static NTSTATUS NTAPI Register(PDEVICE_OBJECT Device, PULONG Flags, PUNICODE_STRING Name, PUNICODE_STRING *RegistryPath,
                               PUNICODE_STRING Mof, PDEVICE_OBJECT *Pdo)
{
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    *Flags = WMIREG_FLAG_INSTANCE_PDO;
    *RegistryPath = &Path;
    *Pdo = Extension(Device)->pdo;
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Query(PDEVICE_OBJECT Device, PIRP Irp, ULONG Guid, ULONG Index, ULONG Count, PULONG Lengths,
                            ULONG Room, PUCHAR Buffer)
{
    ULONG Needed = Count * 8;
    CHECK(Guid == 0);
    if (Room < Needed)
        return WmiCompleteRequest(Device, Irp, STATUS_BUFFER_TOO_SMALL, Needed, IO_NO_INCREMENT);
    for (ULONG i = 0; i < Count; i++) {
        *(PULONG)(Buffer + i * 8) = Values[Index + i];
        Lengths[i] = sizeof(ULONG);
    }
    return WmiCompleteRequest(Device, Irp, STATUS_SUCCESS, Needed, IO_NO_INCREMENT);
}

static NTSTATUS NTAPI Set(PDEVICE_OBJECT Device, PIRP Irp, ULONG Guid, ULONG Index, ULONG Bytes, PUCHAR Buffer)
{
    CHECK(Guid == 0 && Bytes == sizeof(ULONG));
    Values[Index] = *(PULONG)Buffer;
    return WmiCompleteRequest(Device, Irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
}

static NTSTATUS NTAPI Method(PDEVICE_OBJECT Device, PIRP Irp, ULONG Guid, ULONG Index, ULONG Id, ULONG In, ULONG Out,
                             PUCHAR Buffer)
{
    Calls++;
    CHECK(Id == 9 && In == sizeof(ULONG));
    *(PULONG)Buffer *= 2;
    return WmiCompleteRequest(Device, Irp, STATUS_SUCCESS, sizeof(ULONG), IO_NO_INCREMENT);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp, ULONG Guid, WMIENABLEDISABLECONTROL Function,
                              BOOLEAN Enable)
{
    CHECK(Function == WmiEventControl && Guid == 1);
    Enable ? Enabled++ : Disabled++;
    return WmiCompleteRequest(Device, Irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
}

static WMILIB_CONTEXT Lib = {ARRAYSIZE(Guids), Guids, Register, Query, Set, NULL, Method, Control};

static BOOLEAN SystemControlHook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    SYSCTL_IRP_DISPOSITION Disposition;
    *Status = WmiSystemControl(&Lib, Device, Irp, &Disposition);
    if (Disposition == IrpProcessed)
        return TRUE;
    if (Disposition != IrpNotCompleted)
        return FALSE;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return TRUE;
}

static void NTAPI Event(PVOID Wnode, PVOID Context)
{
    PWNODE_SINGLE_INSTANCE Node = Wnode;
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    CHECK(Context == &Heard);
    CHECK(RtlEqualMemory(&Node->WnodeHeader.Guid, &Fires, sizeof(GUID)));
    CHECK(Node->SizeDataBlock == 4 && *(PULONG)((PUCHAR)Node + Node->DataBlockOffset) == 77);
    Heard++;
}

static void Read(PVOID Object)
{
    static UCHAR Buffer[2048];
    PWNODE_ALL_DATA All = (PVOID)Buffer;
    ULONG Bytes = 10;
    PULONG Names;
    STATUS(IoWMIQueryAllData(Object, &Bytes, Buffer), STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes > sizeof(WNODE_ALL_DATA));
    Bytes = sizeof(Buffer);
    OK(IoWMIQueryAllData(Object, &Bytes, Buffer));
    CHECK(All->InstanceCount == 2 && !All->WnodeHeader.Linkage);
    CHECK(*(PULONG)(Buffer + All->OffsetInstanceDataAndLength[1].OffsetInstanceData) == 200);
    CHECK(All->OffsetInstanceDataAndLength[1].LengthInstanceData == 4);
    Names = (PULONG)(Buffer + All->OffsetInstanceNameOffsets);
    CHECK(*(PUSHORT)(Buffer + Names[1]) == sizeof(L"ROOT\\WMI\\0000_1") - 2);
    CHECK(!wcsncmp((PWSTR)(Buffer + Names[1] + 2), L"ROOT\\WMI\\0000_1", 15));
}

static void ReadOne(PVOID Object)
{
    static UCHAR Buffer[1024];
    PWNODE_SINGLE_INSTANCE One = (PVOID)Buffer;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"ROOT\\WMI\\0000_1"), Wrong = RTL_CONSTANT_STRING(L"ROOT\\WMI\\0000_2");
    ULONG Bytes = sizeof(Buffer), Value = 4711, InOut = 21, Size = sizeof(InOut);
    OK(IoWMIQuerySingleInstance(Object, &Name, &Bytes, Buffer));
    CHECK(*(PULONG)(Buffer + One->DataBlockOffset) == 200);
    STATUS(IoWMIQuerySingleInstance(Object, &Wrong, &Bytes, Buffer), STATUS_WMI_INSTANCE_NOT_FOUND);
    OK(IoWMISetSingleInstance(Object, &Name, 1, sizeof(Value), &Value));
    CHECK(Values[1] == 4711);
    STATUS(IoWMISetSingleItem(Object, &Name, 1, 1, sizeof(Value), &Value), STATUS_WMI_READ_ONLY);
    OK(IoWMIExecuteMethod(Object, &Name, 9, sizeof(InOut), &Size, (PUCHAR)&InOut));
    CHECK(InOut == 42 && Size == 4 && Calls == 1);
}

/* Two instances in one buffer, linked; one that is not there ends it. */
static void ReadTwo(PVOID Object)
{
    static UCHAR Buffer[1024];
    UNICODE_STRING Names[2] = {RTL_CONSTANT_STRING(L"ROOT\\WMI\\0000_1"), RTL_CONSTANT_STRING(L"ROOT\\WMI\\0000_0")};
    PVOID Objects[2] = {Object, Object};
    PWNODE_SINGLE_INSTANCE One = (PVOID)Buffer, Two;
    ULONG Bytes = 8;

    STATUS(IoWMIQuerySingleInstanceMultiple(Objects, Names, 0, &Bytes, Buffer), STATUS_INVALID_PARAMETER);
    STATUS(IoWMIQuerySingleInstanceMultiple(Objects, Names, 2, &Bytes, Buffer), STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes > 2 * sizeof(*One));
    OK(IoWMIQuerySingleInstanceMultiple(Objects, Names, 2, &Bytes, Buffer));
    Two = (PVOID)(Buffer + One->WnodeHeader.Linkage);
    CHECK(One->WnodeHeader.Linkage && !Two->WnodeHeader.Linkage && One->InstanceIndex == 1 && Two->InstanceIndex == 0);
    CHECK(*(PULONG)((PUCHAR)One + One->DataBlockOffset) == Values[1]);
    CHECK(*(PULONG)((PUCHAR)Two + Two->DataBlockOffset) == Values[0]);
    Names[1].Length -= 2;
    STATUS(IoWMIQuerySingleInstanceMultiple(Objects, Names, 2, &Bytes, Buffer), STATUS_WMI_INSTANCE_NOT_FOUND);
}

/* A file open on the device says which instance is meant. */
static void NameOfHandle(PDEVICE_OBJECT Device, PVOID Object)
{
    UNICODE_STRING Volume = RTL_CONSTANT_STRING(L"\\??\\C:\\"), Found;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE Handle;

    OK(ObOpenObjectByPointer(Device, OBJ_KERNEL_HANDLE, NULL, 0, NULL, KernelMode, &Handle));
    STATUS(IoWMIHandleToInstanceName(Object, Handle, &Found), STATUS_OBJECT_TYPE_MISMATCH); /* no file */
    OK(ZwClose(Handle));
    InitializeObjectAttributes(&Attributes, &Volume, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwOpenFile(&Handle, SYNCHRONIZE, &Attributes, &Iosb, 7, FILE_SYNCHRONOUS_IO_NONALERT));
    STATUS(IoWMIHandleToInstanceName(Object, Handle, &Found), STATUS_WMI_INSTANCE_NOT_FOUND);
    OK(ZwClose(Handle));
    RtlInitUnicodeString(&Volume, L"\\??\\WmiTest");
    OK(ZwOpenFile(&Handle, SYNCHRONIZE, &Attributes, &Iosb, 7, FILE_SYNCHRONOUS_IO_NONALERT));
    OK(IoWMIHandleToInstanceName(Object, Handle, &Found));
    CHECK(!wcsncmp(Found.Buffer, L"ROOT\\WMI\\0000_0", Found.Length / sizeof(WCHAR)));
    ExFreePool(Found.Buffer);
    OK(IoWMIDeviceObjectToInstanceName(Object, Device, &Found));
    ExFreePool(Found.Buffer);
    OK(ZwClose(Handle));
}

static void NTAPI Later(PDEVICE_OBJECT Device, PVOID Context)
{
    PVOID Object;
    ULONG First, *Data = ExAllocatePoolWithTag(NonPagedPool, sizeof(ULONG), 'tnvE');
    GUID Guid = Nobody;
    *Data = 77;
    CHECK(IoWMIDeviceObjectToProviderId(Device) != 0);
    STATUS(IoWMIOpenBlock(&Guid, 1, &Object), STATUS_WMI_GUID_NOT_FOUND);
    Guid = Block;
    OK(IoWMIOpenBlock(&Guid, 1, &Object));
    Values[1] = 200;
    Read(Object);
    ReadOne(Object);
    ReadTwo(Object);
    NameOfHandle(Device, Object);
    ObDereferenceObject(Object);
    Guid = Fires;
    OK(IoWMIOpenBlock(&Guid, 4, &Listener));
    OK(IoWMISetNotificationCallback(Listener, Event, &Heard));
    CHECK(Enabled == 1);
    OK(WmiFireEvent(Device, &Fires, 0, sizeof(ULONG), Data));
    OK(IoWMIAllocateInstanceIds(&Guid, 5, &First));
    CHECK(First == 0);
    OK(IoWMIAllocateInstanceIds(&Guid, 1, &First));
    CHECK(First == 5);
    IoFreeWorkItem(Context);
}

static void Begin(PDEVICE_OBJECT Device)
{
    static WCHAR Name[64];
    ULONG Bytes;

    Mine = Device;
    OK(IoGetDeviceProperty(Extension(Device)->pdo, DevicePropertyPhysicalDeviceObjectName, sizeof(Name), Name, &Bytes));
    RtlInitUnicodeString(&Place, Name);
    STATUS(IoWMIRegistrationControl(Device, WMIREG_ACTION_DEREGISTER), STATUS_INVALID_PARAMETER);
    STATUS(IoWMIRegistrationControl(Device, 17), STATUS_INVALID_PARAMETER);
    OK(IoWMIRegistrationControl(Device, WMIREG_ACTION_REGISTER));
    OK(IoCreateSymbolicLink(&Link, &Place));
}

static KTIMER Timer;
static KDPC Dpc;

static void NTAPI Tick(PKDPC D, PVOID Context, PVOID A, PVOID B)
{
    PIO_WORKITEM Item = IoAllocateWorkItem(Mine);
    IoQueueWorkItem(Item, Later, DelayedWorkQueue, Item);
}

static BOOLEAN Hook(PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, NTSTATUS *Status)
{
    LARGE_INTEGER Due = {.QuadPart = -10000000};
    if (Minor == IRP_MN_QUERY_PNP_DEVICE_STATE) {
        KeInitializeTimer(&Timer);
        KeInitializeDpc(&Dpc, Tick, NULL);
        KeSetTimer(&Timer, Due, &Dpc);
    }
    return FALSE;
}

static void End(PDEVICE_OBJECT Device)
{
    ObDereferenceObject(Listener);
    CHECK(Disabled == 1);
    OK(IoDeleteSymbolicLink(&Link));
    OK(IoWMIRegistrationControl(Device, WMIREG_ACTION_DEREGISTER));
}

static void Sum(void)
{
    CHECK(Heard == 1);
    SUM();
}

#define PNP_HOOK Hook
#define CONTROL_HOOK SystemControlHook
#define STARTED Begin
#define REMOVING End
#define UNLOADING Sum
#include "simple_body.h"
