/*
 * WMILIB: drivers hand their IRP_MJ_SYSTEM_CONTROL here and get callbacks with a block's number and data in place of WNODEs.
 * wmilib.sys forwards to these. (docs: WmiSystemControl, WmiCompleteRequest, WmiFireEvent, WMILIB_CONTEXT)
 *
 * A request that has reached a callback is completed by the driver with WmiCompleteRequest, which puts the WNODE right; for
 * the others *IrpDisposition says what the driver has to do.
 */
#include "nt.h"
#include <wmilib.h>

static ULONG WmipLibAlign(ULONG Offset)
{
    return (Offset + 7) & ~7u;
}

static NTSTATUS WmipNotCompleted(PIRP Irp, PSYSCTL_IRP_DISPOSITION Disposition, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    *Disposition = IrpNotCompleted;
    return Status;
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static ULONG WmipPutCounted(PUCHAR Info, ULONG Offset, PUNICODE_STRING String)
{
    USHORT Length = String ? String->Length : 0;
    *(USHORT UNALIGNED *)(Info + Offset) = Length;
    if (Length)
        RtlCopyMemory(Info + Offset + sizeof(USHORT), String->Buffer, Length);
    return Offset + sizeof(USHORT) + Length;
}

static ULONG WmipBuildInfo(PWMILIB_CONTEXT Lib, PUCHAR Info, ULONG Room, ULONG Flags, PUNICODE_STRING Base,
                           PUNICODE_STRING Registry, PUNICODE_STRING Mof, PDEVICE_OBJECT Pdo)
{
    PWMIREGINFOW Registered = (PVOID)Info;
    ULONG Names = sizeof(*Registered) + Lib->GuidCount * sizeof(WMIREGGUIDW), At;
    ULONG Needed = Names + 3 * sizeof(USHORT) + Base->Length + (Registry ? Registry->Length : 0) + Mof->Length;
    if (Needed > Room) {
        *(PULONG)Info = Needed;
        return sizeof(ULONG);
    }
    RtlZeroMemory(Info, Needed);
    Registered->BufferSize = Needed;
    Registered->GuidCount = Lib->GuidCount;
    At = WmipPutCounted(Info, Names, Base);
    Registered->RegistryPath = At;
    At = WmipPutCounted(Info, At, Registry);
    Registered->MofResourceName = At;
    WmipPutCounted(Info, At, Mof);
    for (ULONG i = 0; i < Lib->GuidCount; i++) {
        PWMIREGGUIDW To = &Registered->WmiRegGuid[i];
        To->Guid = *Lib->GuidList[i].Guid;
        To->Flags = Lib->GuidList[i].Flags | Flags;
        To->InstanceCount = Lib->GuidList[i].InstanceCount;
        if (Flags & WMIREG_FLAG_INSTANCE_PDO) {
            To->Pdo = (ULONG_PTR)Pdo;
            ObfReferenceObject(Pdo);
        } else if (Flags & WMIREG_FLAG_INSTANCE_BASENAME)
            To->BaseNameOffset = Names;
    }
    return Needed;
}

static NTSTATUS WmipLibRegister(PWMILIB_CONTEXT Lib, PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    UNICODE_STRING Base = {0}, Mof = {0}, *Registry = NULL;
    PDEVICE_OBJECT Pdo = NULL;
    ULONG Flags = 0, Used;
    NTSTATUS Status = Lib->QueryWmiRegInfo(Device, &Flags, &Base, &Registry, &Mof, &Pdo);
    if (NT_SUCCESS(Status) && (Flags & WMIREG_FLAG_INSTANCE_PDO) && !Pdo)
        Status = STATUS_INVALID_DEVICE_REQUEST;
    if (NT_SUCCESS(Status)) {
        Used = WmipBuildInfo(Lib, Stack->Parameters.WMI.Buffer, Stack->Parameters.WMI.BufferSize, Flags, &Base,
                             Registry, &Mof, Pdo);
        Irp->IoStatus.Information = Used;
        Status = Used == sizeof(ULONG) ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
    }
    if (Base.Buffer)
        ExFreePool(Base.Buffer); /* docs: DpWmiQueryReginfo: the name is the library's to free */
    return Status;
}

/* ---- Data -------------------------------------------------------------------------------------------------------- */

/* Where the data of a QUERY_ALL_DATA begin: behind an offset and a length for each instance. */
static ULONG WmipDataOffset(ULONG Instances)
{
    return WmipLibAlign(FIELD_OFFSET(WNODE_ALL_DATA, OffsetInstanceDataAndLength) +
                        Instances * sizeof(OFFSETINSTANCEDATAANDLENGTH));
}

static NTSTATUS WmipLibQueryAll(PWMILIB_CONTEXT Lib, PDEVICE_OBJECT Device, PIRP Irp, ULONG Index, PVOID Buffer,
                                ULONG Bytes)
{
    PWNODE_ALL_DATA Node = Buffer;
    ULONG Count = Lib->GuidList[Index].InstanceCount, Offset = WmipDataOffset(Count);
    PULONG Lengths = (PULONG)Node->OffsetInstanceDataAndLength;
    BOOLEAN Fits = Offset <= Bytes;
    Node->InstanceCount = Count;
    Node->WnodeHeader.Flags &= ~WNODE_FLAG_FIXED_INSTANCE_SIZE;
    if (Fits) {
        RtlZeroMemory(Lengths, Count * sizeof(ULONG)); /* spread out when the request is completed */
        Node->DataBlockOffset = Offset;
    }
    return Lib->QueryWmiDataBlock(Device, Irp, Index, 0, Count, Fits ? Lengths : NULL, Fits ? Bytes - Offset : 0,
                                  Fits ? (PUCHAR)Buffer + Offset : NULL);
}

static NTSTATUS WmipLibQueryOne(PWMILIB_CONTEXT Lib, PDEVICE_OBJECT Device, PIRP Irp, ULONG Index, PVOID Buffer,
                                ULONG Bytes)
{
    PWNODE_SINGLE_INSTANCE Node = Buffer;
    ULONG Offset = Node->DataBlockOffset;
    BOOLEAN Fits = Offset < Bytes;
    Node->SizeDataBlock = 0;
    return Lib->QueryWmiDataBlock(Device, Irp, Index, Node->InstanceIndex, 1, &Node->SizeDataBlock,
                                  Fits ? Bytes - Offset : 0, Fits ? (PUCHAR)Buffer + Offset : NULL);
}

static NTSTATUS WmipLibChange(PWMILIB_CONTEXT Lib, PDEVICE_OBJECT Device, PIRP Irp, UCHAR Minor, ULONG Index,
                              PVOID Buffer, ULONG Bytes)
{
    PWNODE_SINGLE_INSTANCE One = Buffer;
    PWNODE_SINGLE_ITEM Item = Buffer;
    PWNODE_METHOD_ITEM Method = Buffer;
    if (Minor == IRP_MN_CHANGE_SINGLE_INSTANCE)
        return Lib->SetWmiDataBlock(Device, Irp, Index, One->InstanceIndex, One->SizeDataBlock,
                                    (PUCHAR)Buffer + One->DataBlockOffset);
    if (Minor == IRP_MN_CHANGE_SINGLE_ITEM)
        return Lib->SetWmiDataItem(Device, Irp, Index, Item->InstanceIndex, Item->ItemId, Item->SizeDataItem,
                                   (PUCHAR)Buffer + Item->DataBlockOffset);
    return Lib->ExecuteWmiMethod(Device, Irp, Index, Method->InstanceIndex, Method->MethodId, Method->SizeDataBlock,
                                 Bytes - Method->DataBlockOffset, (PUCHAR)Buffer + Method->DataBlockOffset);
}

static BOOLEAN WmipHasCallback(PWMILIB_CONTEXT Lib, UCHAR Minor)
{
    switch (Minor) {
    case IRP_MN_QUERY_ALL_DATA:
    case IRP_MN_QUERY_SINGLE_INSTANCE:
        return Lib->QueryWmiDataBlock != NULL;
    case IRP_MN_CHANGE_SINGLE_INSTANCE:
        return Lib->SetWmiDataBlock != NULL;
    case IRP_MN_CHANGE_SINGLE_ITEM:
        return Lib->SetWmiDataItem != NULL;
    case IRP_MN_EXECUTE_METHOD:
        return Lib->ExecuteWmiMethod != NULL;
    default:
        return Lib->WmiFunctionControl != NULL;
    }
}

static NTSTATUS WmipLibCall(PWMILIB_CONTEXT Lib, PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack, ULONG Index)
{
    UCHAR Minor = Stack->MinorFunction;
    PVOID Buffer = Stack->Parameters.WMI.Buffer;
    ULONG Bytes = Stack->Parameters.WMI.BufferSize;
    switch (Minor) {
    case IRP_MN_QUERY_ALL_DATA:
        return WmipLibQueryAll(Lib, Device, Irp, Index, Buffer, Bytes);
    case IRP_MN_QUERY_SINGLE_INSTANCE:
        return WmipLibQueryOne(Lib, Device, Irp, Index, Buffer, Bytes);
    case IRP_MN_ENABLE_EVENTS:
    case IRP_MN_DISABLE_EVENTS:
    case IRP_MN_ENABLE_COLLECTION:
    case IRP_MN_DISABLE_COLLECTION:
        return Lib->WmiFunctionControl(
            Device, Irp, Index,
            Minor == IRP_MN_ENABLE_EVENTS || Minor == IRP_MN_DISABLE_EVENTS ? WmiEventControl : WmiDataBlockControl,
            Minor == IRP_MN_ENABLE_EVENTS || Minor == IRP_MN_ENABLE_COLLECTION);
    default:
        return WmipLibChange(Lib, Device, Irp, Minor, Index, Buffer, Bytes);
    }
}

NTSTATUS NTAPI WmiSystemControl(PWMILIB_CONTEXT WmiLibInfo, PDEVICE_OBJECT DeviceObject, PIRP Irp,
                                PSYSCTL_IRP_DISPOSITION IrpDisposition)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Index = 0;
    if ((PDEVICE_OBJECT)Stack->Parameters.WMI.ProviderId != DeviceObject) {
        *IrpDisposition = IrpForward;
        return STATUS_SUCCESS;
    }
    if (Stack->MinorFunction > IRP_MN_REGINFO_EX || Stack->MinorFunction == 0x0a) {
        *IrpDisposition = IrpNotWmi;
        return STATUS_SUCCESS;
    }
    if (Stack->MinorFunction == IRP_MN_REGINFO || Stack->MinorFunction == IRP_MN_REGINFO_EX)
        return WmipNotCompleted(Irp, IrpDisposition, WmipLibRegister(WmiLibInfo, DeviceObject, Irp, Stack));
    while (Index < WmiLibInfo->GuidCount &&
           !RtlEqualMemory(WmiLibInfo->GuidList[Index].Guid, Stack->Parameters.WMI.DataPath, sizeof(GUID)))
        Index++;
    if (Index == WmiLibInfo->GuidCount)
        return WmipNotCompleted(Irp, IrpDisposition, STATUS_WMI_GUID_NOT_FOUND);
    if (!WmipHasCallback(WmiLibInfo, Stack->MinorFunction)) {
        Irp->IoStatus.Information = 0;
        return WmipNotCompleted(
            Irp, IrpDisposition,
            Stack->MinorFunction >= IRP_MN_ENABLE_EVENTS && Stack->MinorFunction <= IRP_MN_DISABLE_COLLECTION
                ? STATUS_SUCCESS
            : Stack->MinorFunction == IRP_MN_CHANGE_SINGLE_INSTANCE || Stack->MinorFunction == IRP_MN_CHANGE_SINGLE_ITEM
                ? STATUS_WMI_READ_ONLY
                : STATUS_INVALID_DEVICE_REQUEST);
    }
    *IrpDisposition = IrpProcessed;
    return WmipLibCall(WmiLibInfo, DeviceObject, Irp, Stack, Index);
}

/* ---- Completion -------------------------------------------------------------------------------------------------- */

/* Lengths that the callback wrote side by side become pairs of offset and length, from the last one down. */
static VOID WmipSpread(PWNODE_ALL_DATA Node)
{
    PULONG Lengths = (PULONG)Node->OffsetInstanceDataAndLength;
    ULONG Offset = Node->DataBlockOffset;
    for (ULONG i = 0; i < Node->InstanceCount; i++)
        Offset += WmipLibAlign(Lengths[i]);
    for (ULONG i = Node->InstanceCount; i-- > 0;) {
        ULONG Length = Lengths[i];
        Offset -= WmipLibAlign(Length);
        Node->OffsetInstanceDataAndLength[i].LengthInstanceData = Length;
        Node->OffsetInstanceDataAndLength[i].OffsetInstanceData = Offset;
    }
}

static NTSTATUS WmipLibTooSmall(PIO_STACK_LOCATION Stack, ULONG Needed, PULONG Information)
{
    PWNODE_TOO_SMALL Small = Stack->Parameters.WMI.Buffer;
    if (Stack->Parameters.WMI.BufferSize < sizeof(*Small))
        return STATUS_BUFFER_TOO_SMALL;
    Small->WnodeHeader.BufferSize = sizeof(*Small);
    Small->WnodeHeader.Flags = WNODE_FLAG_TOO_SMALL;
    Small->SizeNeeded = Needed;
    *Information = sizeof(*Small);
    return STATUS_SUCCESS;
}

static NTSTATUS WmipFinishRequest(PIO_STACK_LOCATION Stack, NTSTATUS Status, ULONG Used, PULONG Information)
{
    PWNODE_ALL_DATA All = Stack->Parameters.WMI.Buffer;
    PWNODE_SINGLE_INSTANCE One = Stack->Parameters.WMI.Buffer;
    PWNODE_METHOD_ITEM Method = Stack->Parameters.WMI.Buffer;
    ULONG Offset;
    *Information = 0;
    switch (Stack->MinorFunction) {
    case IRP_MN_QUERY_ALL_DATA:
        Offset = WmipDataOffset(All->InstanceCount);
        if (Status == STATUS_BUFFER_TOO_SMALL)
            return WmipLibTooSmall(Stack, Offset + Used, Information);
        if (!NT_SUCCESS(Status))
            return Status;
        WmipSpread(All);
        KeQuerySystemTime(&All->WnodeHeader.TimeStamp);
        *Information = All->WnodeHeader.BufferSize = Offset + Used;
        return Status;
    case IRP_MN_QUERY_SINGLE_INSTANCE:
        if (Status == STATUS_BUFFER_TOO_SMALL)
            return WmipLibTooSmall(Stack, One->DataBlockOffset + Used, Information);
        if (!NT_SUCCESS(Status))
            return Status;
        One->SizeDataBlock = Used;
        KeQuerySystemTime(&One->WnodeHeader.TimeStamp);
        *Information = One->WnodeHeader.BufferSize = One->DataBlockOffset + Used;
        return Status;
    case IRP_MN_EXECUTE_METHOD:
        if (Status == STATUS_BUFFER_TOO_SMALL)
            return WmipLibTooSmall(Stack, Method->DataBlockOffset + Used, Information);
        if (!NT_SUCCESS(Status))
            return Status;
        Method->SizeDataBlock = Used;
        *Information = Method->WnodeHeader.BufferSize = Method->DataBlockOffset + Used;
        return Status;
    default:
        return Status;
    }
}

NTSTATUS NTAPI WmiCompleteRequest(PDEVICE_OBJECT DeviceObject, PIRP Irp, NTSTATUS Status, ULONG BufferUsed,
                                  CCHAR PriorityBoost)
{
    ULONG Information;
    Status = WmipFinishRequest(IoGetCurrentIrpStackLocation(Irp), Status, BufferUsed, &Information);
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IofCompleteRequest(Irp, PriorityBoost);
    return Status;
}

/* docs: WmiFireEvent: the data are the library's to free. */
NTSTATUS NTAPI WmiFireEvent(PDEVICE_OBJECT DeviceObject, LPCGUID Guid, ULONG InstanceIndex, ULONG EventDataSize,
                            PVOID EventData)
{
    ULONG Offset = WmipLibAlign(sizeof(WNODE_SINGLE_INSTANCE)), Bytes = Offset + EventDataSize;
    PWNODE_SINGLE_INSTANCE Node = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, WMI_TAG);
    NTSTATUS Status = STATUS_INSUFFICIENT_RESOURCES;
    if (Node) {
        RtlZeroMemory(Node, Offset);
        Node->WnodeHeader.BufferSize = Bytes;
        Node->WnodeHeader.ProviderId = IoWMIDeviceObjectToProviderId(DeviceObject);
        Node->WnodeHeader.Guid = *Guid;
        Node->WnodeHeader.Flags = WNODE_FLAG_SINGLE_INSTANCE | WNODE_FLAG_EVENT_ITEM | WNODE_FLAG_STATIC_INSTANCE_NAMES;
        KeQuerySystemTime(&Node->WnodeHeader.TimeStamp);
        Node->InstanceIndex = InstanceIndex;
        Node->DataBlockOffset = Offset;
        Node->SizeDataBlock = EventDataSize;
        if (EventDataSize)
            RtlCopyMemory((PUCHAR)Node + Offset, EventData, EventDataSize);
        Status = IoWMIWriteEvent(Node);
        if (!NT_SUCCESS(Status))
            ExFreePool(Node);
    }
    if (EventData)
        ExFreePool(EventData);
    return Status;
}
