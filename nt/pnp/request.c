/*
 * Plug and Play requests. Each goes to the top of a stack, begins with STATUS_NOT_SUPPORTED, and is waited for; what comes
 * back untouched was understood by nobody. (docs: IRP_MJ_PNP, "Rules for Handling PnP IRPs")
 */
#include "nt.h"

NTSTATUS PnpSend(PDEVICE_OBJECT Device, UCHAR Minor, const IO_STACK_LOCATION *Parameters, PULONG_PTR Information)
{
    PDEVICE_OBJECT Top = IoGetAttachedDeviceReference(Device);
    IO_STATUS_BLOCK Iosb = {.Status = STATUS_NOT_SUPPORTED};
    PIRP Irp = IopAllocateIrp(Top->StackSize, NULL);
    NTSTATUS Status = STATUS_INSUFFICIENT_RESOURCES;
    if (Irp) {
        PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
        if (Parameters)
            Stack->Parameters = Parameters->Parameters;
        Stack->MajorFunction = IRP_MJ_PNP;
        Stack->MinorFunction = Minor;
        Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
        Irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
        Irp->IoStatus.Information = Information ? *Information : 0;
        IopCallAndWait(Top, Irp, &Iosb);
        Status = Iosb.Status;
    }
    if (Information)
        *Information = Iosb.Information;
    ObfDereferenceObject(Top);
    return Status;
}

NTSTATUS PnpSendSimple(PDEVICE_OBJECT Device, UCHAR Minor)
{
    return PnpSend(Device, Minor, NULL, NULL);
}

/* Something that the driver allocated, or an error. */
static NTSTATUS PnpAsk(PDEVICE_OBJECT Device, UCHAR Minor, const IO_STACK_LOCATION *Parameters, PVOID *Answer)
{
    ULONG_PTR Information = 0;
    NTSTATUS Status = PnpSend(Device, Minor, Parameters, &Information);
    *Answer = NT_SUCCESS(Status) ? (PVOID)Information : NULL;
    return NT_SUCCESS(Status) && !Information ? STATUS_NOT_SUPPORTED : Status;
}

NTSTATUS PnpQueryId(PDEVICE_OBJECT Device, BUS_QUERY_ID_TYPE Type, PWSTR *Id)
{
    IO_STACK_LOCATION Stack = {.Parameters.QueryId.IdType = Type};
    return PnpAsk(Device, IRP_MN_QUERY_ID, &Stack, (PVOID *)Id);
}

NTSTATUS PnpQueryText(PDEVICE_OBJECT Device, DEVICE_TEXT_TYPE Type, PWSTR *Text)
{
    IO_STACK_LOCATION Stack = {.Parameters.QueryDeviceText = {.DeviceTextType = Type, .LocaleId = 0x409}};
    return PnpAsk(Device, IRP_MN_QUERY_DEVICE_TEXT, &Stack, (PVOID *)Text);
}

NTSTATUS PnpQueryRelations(PDEVICE_OBJECT Device, DEVICE_RELATION_TYPE Type, PDEVICE_RELATIONS *Relations)
{
    IO_STACK_LOCATION Stack = {.Parameters.QueryDeviceRelations.Type = Type};
    return PnpAsk(Device, IRP_MN_QUERY_DEVICE_RELATIONS, &Stack, (PVOID *)Relations);
}

/* docs: IRP_MN_QUERY_CAPABILITIES: what the sender sets before. */
NTSTATUS PnpQueryCapabilities(PDEVICE_OBJECT Device, PDEVICE_CAPABILITIES Capabilities)
{
    IO_STACK_LOCATION Stack = {.Parameters.DeviceCapabilities.Capabilities = Capabilities};
    RtlZeroMemory(Capabilities, sizeof(*Capabilities));
    Capabilities->Size = sizeof(*Capabilities);
    Capabilities->Version = 1;
    Capabilities->Address = Capabilities->UINumber = 0xffffffff;
    return PnpSend(Device, IRP_MN_QUERY_CAPABILITIES, &Stack, NULL);
}
