/*
 * Power requests through two devices of a legacy driver: what comes back, in which order, at which level, also pending and from
 * DISPATCH_LEVEL; one after the other for a stack. Settings, requests that the system stay up, idle detection.
 *
 * OPTIONS: --for 30s
 */
#include "pnp.h"
#include <ntpoapi.h>

enum { PASS, SUCCEED, FAIL, PEND };

static PDEVICE_OBJECT Lower, Upper;
static ULONG Mode, Order, UpperAt, LowerAt, DoneAt, SettingCalls, SettingValue, IdleRequests;
static NTSTATUS DoneStatus;
static KIRQL DoneIrql, UpperIrql;
static PIRP Kept;
static KEVENT Done;

static NTSTATUS NTAPI Power(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    STATUS(Irp->IoStatus.Status, STATUS_NOT_SUPPORTED);
    PoStartNextPowerIrp(Irp);
    if (Device == Upper) {
        UpperAt = ++Order;
        UpperIrql = KeGetCurrentIrql();
        IoSkipCurrentIrpStackLocation(Irp);
        return PoCallDriver(Lower, Irp);
    }
    LowerAt = ++Order;
    if (Stack->MinorFunction == IRP_MN_SET_POWER && Stack->Parameters.Power.Type == DevicePowerState) {
        PoSetPowerState(Device, DevicePowerState, Stack->Parameters.Power.State);
        if (Stack->Parameters.Power.State.DeviceState == PowerDeviceD3)
            IdleRequests++;
    }
    if (Mode == PEND) {
        IoMarkIrpPending(Irp);
        Kept = Irp;
        return STATUS_PENDING;
    }
    Irp->IoStatus.Status = Mode == FAIL ? STATUS_DEVICE_BUSY : STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Mode == FAIL ? STATUS_DEVICE_BUSY : STATUS_SUCCESS;
}

static void NTAPI Finished(PDEVICE_OBJECT Device, UCHAR Minor, POWER_STATE State, PVOID Context, PIO_STATUS_BLOCK Iosb)
{
    PIRP Irp = CONTAINING_RECORD(Iosb, IRP, IoStatus); /* the status block is the completed IRP's */
    CHECK(Device == Context);
    CHECK(Irp->Type == IO_TYPE_IRP && Irp->CurrentLocation <= Irp->StackCount && !Irp->Tail.Overlay.Thread);
    DoneAt = ++Order;
    DoneStatus = Iosb->Status;
    DoneIrql = KeGetCurrentIrql();
    KeSetEvent(&Done, 0, FALSE);
}

static NTSTATUS Ask(PDEVICE_OBJECT Device, UCHAR Minor, DEVICE_POWER_STATE To)
{
    POWER_STATE State = {.DeviceState = To};
    Order = UpperAt = LowerAt = DoneAt = 0;
    KeClearEvent(&Done);
    return PoRequestPowerIrp(Device, Minor, State, Finished, Device, NULL);
}

static void Complete(void)
{
    PIRP Irp = Kept;
    Kept = NULL;
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
}

static void Requests(void)
{
    KIRQL Old;
    ULONG Seconds = 0;
    POWER_STATE State = {.DeviceState = PowerDeviceD0};
    STATUS(PoRequestPowerIrp(Lower, IRP_MN_POWER_SEQUENCE, State, NULL, NULL, NULL), STATUS_INVALID_PARAMETER_2);
    Mode = SUCCEED;
    STATUS(Ask(Lower, IRP_MN_SET_POWER, PowerDeviceD0), STATUS_PENDING); /* goes to the top of the stack, too */
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    CHECK(UpperAt == 1 && LowerAt == 2 && DoneAt == 3);
    STATUS(DoneStatus, STATUS_SUCCESS);
    Mode = FAIL;
    STATUS(Ask(Upper, IRP_MN_QUERY_POWER, PowerDeviceD2), STATUS_PENDING);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    STATUS(DoneStatus, STATUS_DEVICE_BUSY);
    Mode = PEND;
    STATUS(Ask(Upper, IRP_MN_SET_POWER, PowerDeviceD1), STATUS_PENDING);
    CHECK(LowerAt == 2 && !DoneAt && Kept);
    CHECK(PoQueryWatchdogTime(Lower, &Seconds) && Seconds > 500 && Seconds <= 600);
    Mode = SUCCEED;
    STATUS(PoRequestPowerIrp(Upper, IRP_MN_SET_POWER, State, Finished, Upper, NULL), STATUS_PENDING);
    CHECK(LowerAt == 2); /* waits for the first one */
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    Complete();
    KeLowerIrql(Old);
    CHECK(DoneAt == 6 && LowerAt == 5); /* first one done, second one down and done */
    CHECK(!PoQueryWatchdogTime(Lower, &Seconds));
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    STATUS(Ask(Upper, IRP_MN_SET_POWER, PowerDeviceD0), STATUS_PENDING);
    KeLowerIrql(Old);
    CHECK(UpperIrql == DISPATCH_LEVEL && DoneIrql == DISPATCH_LEVEL);
    Upper->Flags |= DO_POWER_PAGABLE;
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    STATUS(Ask(Upper, IRP_MN_SET_POWER, PowerDeviceD0), STATUS_PENDING);
    CHECK(!UpperAt);
    KeLowerIrql(Old);
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    CHECK(UpperIrql == PASSIVE_LEVEL);
}

static NTSTATUS NTAPI Setting(LPCGUID Guid, PVOID Value, ULONG Bytes, PVOID Context)
{
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL && Bytes == sizeof(ULONG) && Context == &SettingCalls);
    SettingCalls++;
    SettingValue = *(PULONG)Value;
    if (SettingCalls == 3)
        IoDetachDevice(Lower); /* a driver is not unloaded while a device of it is attached to */
    return STATUS_SUCCESS;
}

static PVOID SettingHandle;

/* What anybody wants of the system. */
static ULONG Wanted(void)
{
    ULONG State = ~0u;
    OK(ZwPowerInformation(SystemExecutionState, NULL, 0, &State, sizeof(State)));
    return State;
}

static void Settings(void)
{
    static const GUID Source = {0x5d3e9a59, 0xe9d5, 0x4b00, {0xa6, 0xbd, 0xff, 0x34, 0xff, 0x51, 0x65, 0x48}};
    COUNTED_REASON_CONTEXT Reason = {.Version = POWER_REQUEST_CONTEXT_VERSION,
                                     .Flags = POWER_REQUEST_CONTEXT_SIMPLE_STRING};
    PVOID Request, State;
    OK(PoRegisterPowerSettingCallback(Lower, &Source, Setting, &SettingCalls, &SettingHandle));
    CHECK(SettingCalls == 1 && SettingValue == 0); /* the present value, at once */
    RtlInitUnicodeString(&Reason.SimpleString, L"test");
    OK(PoCreatePowerRequest(&Request, Lower, &Reason));
    OK(PoSetPowerRequest(Request, PowerRequestSystemRequired));
    CHECK(Wanted() == ES_SYSTEM_REQUIRED);
    OK(PoClearPowerRequest(Request, PowerRequestSystemRequired));
    STATUS(PoSetPowerRequest(Request, 55), STATUS_INVALID_PARAMETER);
    PoDeletePowerRequest(Request);
    CHECK(Wanted() == 0);
    State = PoRegisterSystemState(NULL, ES_SYSTEM_REQUIRED | ES_CONTINUOUS);
    CHECK(Wanted() == ES_SYSTEM_REQUIRED);
    CHECK(State && PoRegisterSystemState(State, ES_CONTINUOUS) == State);
    CHECK(Wanted() == 0);
    OK(PoRegisterSystemState(State, ES_DISPLAY_REQUIRED) == State ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
    CHECK(Wanted() == ES_DISPLAY_REQUIRED);
    PoUnregisterSystemState(State);
    CHECK(Wanted() == 0);
}

/* docs: ZwPowerInformation, SYSTEM_BATTERY_STATE, SYSTEM_POWER_CAPABILITIES, PROCESSOR_POWER_INFORMATION. */
static void Information(void)
{
    SYSTEM_POWER_CAPABILITIES Capabilities;
    SYSTEM_BATTERY_STATE Battery;
    ULONG Processor[6 * 32] = {0};
    OK(ZwPowerInformation(SystemBatteryState, NULL, 0, &Battery, sizeof(Battery)));
    CHECK(Battery.AcOnLine && !Battery.BatteryPresent);
    OK(ZwPowerInformation(SystemPowerCapabilities, NULL, 0, &Capabilities, sizeof(Capabilities)));
    CHECK(Capabilities.SystemS3 && Capabilities.SystemS5 && !Capabilities.SystemBatteriesPresent);
    OK(ZwPowerInformation(ProcessorInformation, NULL, 0, Processor, sizeof(Processor)));
    CHECK(Processor[0] == 0 && Processor[1] && Processor[1] == Processor[2]);
    STATUS(ZwPowerInformation(SystemBatteryState, NULL, 0, &Battery, sizeof(Battery) - 1), STATUS_BUFFER_TOO_SMALL);
    STATUS(ZwPowerInformation(SystemBatteryState, &Battery, sizeof(Battery), &Battery, sizeof(Battery)),
           STATUS_INVALID_PARAMETER);
    STATUS(ZwPowerInformation((POWER_INFORMATION_LEVEL)1000, NULL, 0, &Battery, sizeof(Battery)), STATUS_NOT_SUPPORTED);
}

static void NTAPI Unload(PDRIVER_OBJECT Driver)
{
    CHECK(SettingCalls == 3 && SettingValue == 0);
    OK(PoUnregisterPowerSettingCallback(SettingHandle));
    CHECK(IdleRequests == 1); /* after ten seconds without use, once */
    CHECK(!PoRegisterDeviceForIdleDetection(Lower, 0, 0, PowerDeviceD3));
    IoDeleteDevice(Upper);
    IoDeleteDevice(Lower);
    SUM();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Driver->MajorFunction[IRP_MJ_POWER] = Power;
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Lower));
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Upper));
    Lower->Flags &= ~DO_DEVICE_INITIALIZING;
    CHECK(IoAttachDeviceToDeviceStack(Upper, Lower) == Lower);
    Requests();
    Settings();
    Information();
    Mode = SUCCEED;
    CHECK(PoRegisterDeviceForIdleDetection(Lower, 5, 10, PowerDeviceD3) != NULL);
    return STATUS_SUCCESS;
}
