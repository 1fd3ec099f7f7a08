/*
 * Performance counters of a driver: instances it has made, and instances that its callback tells of. (docs: PcwRegister)
 *
 * OPTIONS: --scenario tests/callbacks/counters.lua
 * EXPECT: callback 0: counters 0x6, \*
 * EXPECT: callback 3: counters 0x6, \*
 * EXPECT: callback 1: counters 0x6, \*
 * EXPECT: callback 2: counters 0x6, T\*
 * EXPECT: 21 checks, 0 failures
 * EXPECT: no findings
 */
#include "../io/test.h"

typedef struct _VALUES {
    ULONGLONG Large;
    ULONG Small;
} VALUES;

static PPCW_REGISTRATION Made, Told;
static PPCW_INSTANCE First, Second;
static VALUES Block[2] = {{1ull << 40, 5}, {7, 8}};
static BOOLEAN Refuse;

static NTSTATUS Add(PPCW_BUFFER Buffer, PCWSTR Text, ULONG Id, ULONG Bytes)
{
    VALUES Values = {Id * 10, Id};
    PCW_DATA Data = {&Values, Bytes};
    UNICODE_STRING Name;

    RtlInitUnicodeString(&Name, Text);
    return PcwAddInstance(Buffer, &Name, Id, 1, &Data);
}

static NTSTATUS NTAPI Callback(PCW_CALLBACK_TYPE Type, PPCW_CALLBACK_INFORMATION Info, PVOID Context)
{
    CHECK(KeGetCurrentIrql() <= APC_LEVEL && Context == &Refuse);
    if (Refuse)
        return STATUS_UNSUCCESSFUL;
    DbgPrint("callback %u: counters 0x%I64x, %wZ\n", Type, Info->AddCounter.CounterMask, Info->AddCounter.InstanceMask);
    if (Type != PcwCallbackEnumerateInstances && Type != PcwCallbackCollectData)
        return STATUS_SUCCESS;
    CHECK(Info->CollectData.InstanceId == PCW_ANY_INSTANCE_ID && Info->CollectData.CollectMultiple);
    STATUS(Add(Info->CollectData.Buffer, L"small", 1, 4),
           Type == PcwCallbackCollectData ? STATUS_INVALID_BUFFER_SIZE : STATUS_SUCCESS);
    OK(Add(Info->CollectData.Buffer, L"one", 1, sizeof(VALUES)));
    return Add(Info->CollectData.Buffer, L"two", 2, sizeof(VALUES));
}

static VOID sets_are_checked(VOID)
{
    PCW_COUNTER_DESCRIPTOR Counters[] = {{1, 0, FIELD_OFFSET(VALUES, Large), sizeof(ULONGLONG)},
                                         {2, 0, FIELD_OFFSET(VALUES, Small), sizeof(ULONG)}};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"Made"), Other = RTL_CONSTANT_STRING(L"Told"), Empty = {0};
    UNICODE_STRING A = RTL_CONSTANT_STRING(L"a"), B = RTL_CONSTANT_STRING(L"b");
    PCW_REGISTRATION_INFORMATION Info = {PCW_CURRENT_VERSION, &Name, 2, Counters, NULL, NULL};
    PCW_DATA Data[2] = {{&Block[0], sizeof(VALUES)}, {&Block[1], sizeof(VALUES)}};

    Info.Version = 0x300;
    STATUS(PcwRegister(&Made, &Info), STATUS_INVALID_PARAMETER_2);
    Info.Version = PCW_CURRENT_VERSION;
    Info.Name = &Empty;
    STATUS(PcwRegister(&Made, &Info), STATUS_INVALID_PARAMETER_2);
    Info.Name = &Name;
    OK(PcwRegister(&Made, &Info));
    STATUS(PcwCreateInstance(&First, Made, &A, 0, Data), STATUS_INVALID_PARAMETER_4);
    Data[0].Size = 10;
    STATUS(PcwCreateInstance(&First, Made, &A, 1, Data), STATUS_INVALID_BUFFER_SIZE);
    Data[0].Size = sizeof(VALUES);
    OK(PcwCreateInstance(&First, Made, &A, 1, Data));
    OK(PcwCreateInstance(&Second, Made, &B, 1, Data + 1));
    Info.Name = &Other;
    Info.Callback = Callback;
    Info.CallbackContext = &Refuse;
    OK(PcwRegister(&Told, &Info));
    Block[1].Small = 9; /* is read when it is asked for */
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    if (IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_DEVICE_CONTROL)
        Refuse = TRUE;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static PDEVICE_OBJECT Device;
static UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\??\\Counters"), Place = RTL_CONSTANT_STRING(L"\\Device\\Counters");

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    PcwUnregister(Told);
    PcwCloseInstance(First);
    PcwUnregister(Made);
    PcwCloseInstance(Second);
    IoDeleteSymbolicLink(&Link);
    IoDeleteDevice(Device);
    DbgPrint("%u checks, %u failures\n", Checks, Failures);
}

static VOID the_rest_is_the_operators(VOID)
{
    OK(IoCreateDevice(Driver, 0, &Place, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    OK(IoCreateSymbolicLink(&Link, &Place));
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLOSE] = Control;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
}

TEST_MAIN(sets_are_checked, the_rest_is_the_operators)
