/*
 * Data blocks as their readers see them, and events. (docs: IoWMIOpenBlock, IoWMIQueryAllData, IoWMIQuerySingleInstance,
 * IoWMISetNotificationCallback, IoWMIWriteEvent, WNODE_HEADER)
 *
 * An open block is an object; ObDereferenceObject closes it. Several providers may have the same block: all their data come
 * in one buffer, one WNODE_ALL_DATA behind the other. Names of instances that a provider has registered are put in by us.
 */
#include "nt.h"

typedef struct _WMI_OBJECT {
    GUID Guid;
    LIST_ENTRY Entry;
    WMI_NOTIFICATION_CALLBACK Callback;
    PVOID Context;
    ULONG Stack;
    BOOLEAN Reads; /* opened for more than to listen */
} WMI_OBJECT, *PWMI_OBJECT;

#define WMI_ROOM 0x10000        /* for an answer at first */
#define WMI_ROOM_MOST 0x1000000 /* and when the provider says that it wants more */

static LIST_ENTRY WmipObjects = {&WmipObjects, &WmipObjects};
static POBJECT_TYPE WmipType;

/* ---- Objects ----------------------------------------------------------------------------------------------------- */

/* To every provider of the block; Flag not 0: if it has registered the block with that flag. */
static VOID WmipSwitch(const GUID *Guid, UCHAR Minor, ULONG Flag)
{
    for (PLIST_ENTRY Entry = WmipProviders.Flink, Next; Entry != &WmipProviders; Entry = Next) {
        PWMI_PROVIDER Provider = CONTAINING_RECORD(Entry, WMI_PROVIDER, Entry);
        PWMI_BLOCK Block = WmipFindBlock(Provider, Guid);
        Next = Entry->Flink;
        if (Block && (!Flag || (Block->Flags & Flag)))
            WmipSend(Provider->Device, Minor, (PVOID)Guid, NULL, 0, NULL);
    }
}

static BOOLEAN WmipIsHeard(const GUID *Guid)
{
    for (PLIST_ENTRY Entry = WmipObjects.Flink; Entry != &WmipObjects; Entry = Entry->Flink) {
        PWMI_OBJECT Object = CONTAINING_RECORD(Entry, WMI_OBJECT, Entry);
        if (Object->Callback && RtlEqualMemory(&Object->Guid, Guid, sizeof(GUID)))
            return TRUE;
    }
    return FALSE;
}

static BOOLEAN WmipIsRead(const GUID *Guid)
{
    for (PLIST_ENTRY Entry = WmipObjects.Flink; Entry != &WmipObjects; Entry = Entry->Flink) {
        PWMI_OBJECT Object = CONTAINING_RECORD(Entry, WMI_OBJECT, Entry);
        if (Object->Reads && RtlEqualMemory(&Object->Guid, Guid, sizeof(GUID)))
            return TRUE;
    }
    return FALSE;
}

VOID WmipSwitchOn(PWMI_PROVIDER Provider)
{
    for (ULONG i = 0; i < Provider->Blocks; i++) {
        GUID Guid = Provider->Block[i].Guid;
        BOOLEAN Fresh = Provider->Block[i].Fresh, Costly = (Provider->Block[i].Flags & WMIREG_FLAG_EXPENSIVE) != 0;
        Provider->Block[i].Fresh = FALSE;
        if (Fresh && WmipIsHeard(&Guid))
            WmipSend(Provider->Device, IRP_MN_ENABLE_EVENTS, &Guid, NULL, 0, NULL);
        if (Fresh && Costly && WmipIsRead(&Guid))
            WmipSend(Provider->Device, IRP_MN_ENABLE_COLLECTION, &Guid, NULL, 0, NULL);
    }
}

static VOID WmipDeleteObject(PVOID Body)
{
    PWMI_OBJECT Object = Body;
    RemoveEntryList(&Object->Entry);
    if (Object->Reads && !WmipIsRead(&Object->Guid))
        WmipSwitch(&Object->Guid, IRP_MN_DISABLE_COLLECTION, WMIREG_FLAG_EXPENSIVE);
    if (!Object->Callback)
        return;
    VfUntrack(Object, VfCallbackObject);
    if (!WmipIsHeard(&Object->Guid))
        WmipSwitch(&Object->Guid, IRP_MN_DISABLE_EVENTS, 0);
}

static BOOLEAN WmipIsProvided(const GUID *Guid)
{
    for (PLIST_ENTRY Entry = WmipProviders.Flink; Entry != &WmipProviders; Entry = Entry->Flink)
        if (WmipFindBlock(CONTAINING_RECORD(Entry, WMI_PROVIDER, Entry), Guid))
            return TRUE;
    return FALSE;
}

#define WMI_NOTIFICATION_ACCESS 4 /* WMIGUID_NOTIFICATION: a block may be listened to before anybody provides it */

NTSTATUS NTAPI IoWMIOpenBlock(GUID *Guid, ULONG DesiredAccess, PVOID *DataBlockObject)
{
    PWMI_OBJECT Object;
    NTSTATUS Status;
    *DataBlockObject = NULL;
    if (!(DesiredAccess & WMI_NOTIFICATION_ACCESS) && !WmipIsProvided(Guid))
        return STATUS_WMI_GUID_NOT_FOUND;
    if (!WmipType)
        WmipType = ObpCreateType(&(OB_TYPE_INIT){
            .Name = L"WmiGuid", .BodyBytes = sizeof(WMI_OBJECT), .ValidAccess = 0x1fffff, .Delete = WmipDeleteObject});
    Status = ObpAllocateObject(WmipType, sizeof(*Object), (PVOID *)&Object);
    if (!NT_SUCCESS(Status))
        return Status;
    BOOLEAN Read = WmipIsRead(Guid);
    Object->Guid = *Guid;
    Object->Reads = (DesiredAccess & ~WMI_NOTIFICATION_ACCESS) != 0;
    InsertTailList(&WmipObjects, &Object->Entry);
    *DataBlockObject = Object;
    if (Object->Reads && !Read) /* docs: IRP_MN_ENABLE_COLLECTION: now the data are to be accumulated */
        WmipSwitch(Guid, IRP_MN_ENABLE_COLLECTION, WMIREG_FLAG_EXPENSIVE);
    return STATUS_SUCCESS;
}

/* ---- All instances ----------------------------------------------------------------------------------------------- */

static ULONG WmipAlign(ULONG Offset)
{
    return (Offset + 7) & ~7u;
}

/* The names of a block's instances, behind the data: an array of offsets, then counted strings. */
static ULONG WmipAddNames(PWNODE_ALL_DATA Node, PWMI_BLOCK Block, ULONG Used, ULONG Room)
{
    WCHAR Name[WMI_NAMES_LENGTH];
    ULONG Count = Node->InstanceCount, Offsets = WmipAlign(Used), At = Offsets + Count * sizeof(ULONG);
    if (!(Node->WnodeHeader.Flags & WNODE_FLAG_STATIC_INSTANCE_NAMES) || Count > Block->Instances || At > Room)
        return Used;
    for (ULONG i = 0; i < Count; i++) {
        USHORT Bytes;
        if (!WmipInstanceName(Block, i, Name))
            return Used;
        Bytes = (USHORT)(wcslen(Name) * sizeof(WCHAR));
        if (At + sizeof(USHORT) + Bytes > Room)
            return Used;
        *(PULONG)((PUCHAR)Node + Offsets + i * sizeof(ULONG)) = At;
        *(USHORT UNALIGNED *)((PUCHAR)Node + At) = Bytes;
        RtlCopyMemory((PUCHAR)Node + At + sizeof(USHORT), Name, Bytes);
        At += sizeof(USHORT) + ((Bytes + 1) & ~1u);
    }
    Node->OffsetInstanceNameOffsets = Offsets;
    return At;
}

/* Room that names take behind the data, at most. */
static ULONG WmipNamesRoom(PWMI_BLOCK Block)
{
    WCHAR Name[WMI_NAMES_LENGTH];
    ULONG Bytes = 8;
    for (ULONG i = 0; i < Block->Instances && WmipInstanceName(Block, i, Name); i++)
        Bytes += sizeof(ULONG) + sizeof(USHORT) + (ULONG)wcslen(Name) * sizeof(WCHAR);
    return Bytes;
}

/* A query, asked again with more room when the provider wants it. Head begins the node; *Node is a block with *Bytes of answer
 * and Spare behind them, which the caller frees after success. */
static NTSTATUS WmipAnswer(PWMI_PROVIDER Provider, UCHAR Minor, const VOID *Head, ULONG HeadBytes, ULONG Spare,
                           PVOID *Node, PULONG Bytes)
{
    GUID Guid = ((const WNODE_HEADER *)Head)->Guid;
    ULONG Room = WMI_ROOM;
    for (ULONG Try = 0; Try < 3; Try++) {
        PWNODE_TOO_SMALL Answer = ExpTryAllocate(Room + Spare, WMI_TAG);
        NTSTATUS Status;
        if (!Answer)
            return STATUS_INSUFFICIENT_RESOURCES;
        RtlCopyMemory(Answer, Head, HeadBytes);
        *Bytes = 0;
        Status = WmipSend(Provider->Device, Minor, &Guid, Answer, Room, Bytes);
        if (NT_SUCCESS(Status) && *Bytes >= sizeof(WNODE_HEADER) && *Bytes <= Room &&
            !(Answer->WnodeHeader.Flags & WNODE_FLAG_TOO_SMALL)) {
            *Node = Answer;
            return STATUS_SUCCESS;
        }
        BOOLEAN More = NT_SUCCESS(Status) && *Bytes >= sizeof(*Answer) &&
                       (Answer->WnodeHeader.Flags & WNODE_FLAG_TOO_SMALL) && Answer->SizeNeeded > Room &&
                       Answer->SizeNeeded <= WMI_ROOM_MOST;
        if (More)
            Room = Answer->SizeNeeded;
        ExpFree(Answer);
        if (!More)
            return NT_SUCCESS(Status) ? STATUS_UNSUCCESSFUL : Status;
    }
    return STATUS_UNSUCCESSFUL;
}

static NTSTATUS WmipQueryAll(PWMI_PROVIDER Provider, PWMI_BLOCK Block, PVOID *Buffer, PULONG Used)
{
    WNODE_ALL_DATA Head = {
        .WnodeHeader = {.BufferSize = sizeof(Head), .ProviderId = Provider->Id, .Guid = Block->Guid}};
    ULONG Spare = WmipNamesRoom(Block), Bytes;
    NTSTATUS Status;
    Head.WnodeHeader.Flags = WNODE_FLAG_ALL_DATA | (Block->Base || Block->Names ? WNODE_FLAG_STATIC_INSTANCE_NAMES : 0);
    Status = WmipAnswer(Provider, IRP_MN_QUERY_ALL_DATA, &Head, sizeof(Head), Spare, Buffer, &Bytes);
    if (!NT_SUCCESS(Status))
        return Status;
    PWNODE_ALL_DATA Node = *Buffer;
    Block = WmipFindBlock(Provider, &Head.WnodeHeader.Guid); /* it may have told its blocks anew meanwhile */
    *Used = Block ? WmipAddNames(Node, Block, Bytes, Bytes + Spare) : Bytes;
    Node->WnodeHeader.BufferSize = *Used;
    Node->WnodeHeader.Linkage = 0;
    return STATUS_SUCCESS;
}

/* docs: a buffer that is too small gets a WNODE_TOO_SMALL. */
static NTSTATUS WmipTooSmall(ULONG Needed, PULONG InOutBufferSize, PVOID OutBuffer)
{
    PWNODE_TOO_SMALL Small = OutBuffer;
    if (OutBuffer && *InOutBufferSize >= sizeof(*Small)) {
        RtlZeroMemory(Small, sizeof(*Small));
        Small->WnodeHeader.BufferSize = sizeof(*Small);
        Small->WnodeHeader.Flags = WNODE_FLAG_TOO_SMALL;
        Small->SizeNeeded = Needed;
    }
    *InOutBufferSize = Needed;
    return STATUS_BUFFER_TOO_SMALL;
}

static NTSTATUS WmipCollect(PWMI_OBJECT *Objects, ULONG Count, PULONG InOutBufferSize, PUCHAR OutBuffer)
{
    ULONG Total = 0, Last = 0, Found = 0;
    for (ULONG i = 0; i < Count; i++)
        for (PLIST_ENTRY Entry = WmipProviders.Flink, Next; Entry != &WmipProviders; Entry = Next) {
            PWMI_PROVIDER Provider = CONTAINING_RECORD(Entry, WMI_PROVIDER, Entry);
            PWMI_BLOCK Block = WmipFindBlock(Provider, &Objects[i]->Guid);
            PVOID Buffer;
            ULONG Used = 0;
            Next = Entry->Flink;
            if (!Block || (Block->Flags & WMIREG_FLAG_EVENT_ONLY_GUID) ||
                !NT_SUCCESS(WmipQueryAll(Provider, Block, &Buffer, &Used)))
                continue;
            Total = WmipAlign(Total);
            if (OutBuffer && Total + Used <= *InOutBufferSize) {
                RtlCopyMemory(OutBuffer + Total, Buffer, Used);
                if (Found)
                    ((PWNODE_HEADER)(OutBuffer + Last))->Linkage = Total - Last;
            }
            ExpFree(Buffer);
            Last = Total;
            Total += Used;
            Found++;
        }
    if (!Found)
        return STATUS_WMI_GUID_NOT_FOUND;
    if (!OutBuffer || Total > *InOutBufferSize)
        return WmipTooSmall(Total, InOutBufferSize, OutBuffer);
    *InOutBufferSize = Total;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoWMIQueryAllData(PVOID DataBlockObject, ULONG *InOutBufferSize, PVOID OutBuffer)
{
    return WmipCollect((PWMI_OBJECT *)&DataBlockObject, 1, InOutBufferSize, OutBuffer);
}

NTSTATUS NTAPI IoWMIQueryAllDataMultiple(PVOID *DataBlockObjectList, ULONG ObjectCount, ULONG *InOutBufferSize,
                                         PVOID OutBuffer)
{
    return WmipCollect((PWMI_OBJECT *)DataBlockObjectList, ObjectCount, InOutBufferSize, OutBuffer);
}

/* ---- One instance ------------------------------------------------------------------------------------------------ */

static PWMI_PROVIDER WmipFindInstance(const GUID *Guid, PUNICODE_STRING Instance, PULONG Index)
{
    WCHAR Text[WMI_NAMES_LENGTH];
    UNICODE_STRING Name;
    for (PLIST_ENTRY Entry = WmipProviders.Flink; Entry != &WmipProviders; Entry = Entry->Flink) {
        PWMI_PROVIDER Provider = CONTAINING_RECORD(Entry, WMI_PROVIDER, Entry);
        PWMI_BLOCK Block = WmipFindBlock(Provider, Guid);
        for (*Index = 0; Block && *Index < Block->Instances && WmipInstanceName(Block, *Index, Text); (*Index)++) {
            RtlInitUnicodeString(&Name, Text);
            if (RtlEqualUnicodeString(&Name, Instance, TRUE))
                return Provider;
        }
    }
    return NULL;
}

static VOID WmipFillHeader(PWNODE_HEADER Header, PWMI_PROVIDER Provider, const GUID *Guid, ULONG Bytes, ULONG Flag,
                           ULONG Version)
{
    RtlZeroMemory(Header, sizeof(*Header));
    Header->BufferSize = Bytes;
    Header->ProviderId = Provider->Id;
    Header->Version = Version;
    Header->Guid = *Guid;
    Header->Flags = Flag | WNODE_FLAG_STATIC_INSTANCE_NAMES;
}

/* *Node: a block with the answer, which the caller frees; *Bytes of it were filled. */
static NTSTATUS WmipQueryOne(PWMI_OBJECT Object, PUNICODE_STRING InstanceName, PVOID *Node, PULONG Bytes)
{
    WNODE_SINGLE_INSTANCE Head = {.DataBlockOffset = WmipAlign(sizeof(Head))};
    ULONG Index;
    PWMI_PROVIDER Provider = WmipFindInstance(&Object->Guid, InstanceName, &Index);
    if (!Provider)
        return STATUS_WMI_INSTANCE_NOT_FOUND;
    WmipFillHeader(&Head.WnodeHeader, Provider, &Object->Guid, sizeof(Head), WNODE_FLAG_SINGLE_INSTANCE, 0);
    Head.InstanceIndex = Index;
    return WmipAnswer(Provider, IRP_MN_QUERY_SINGLE_INSTANCE, &Head, sizeof(Head), 0, Node, Bytes);
}

/* The instances one behind the other, linked. One that is not there, or that its provider does not give, ends it. */
static NTSTATUS WmipQueryThese(PWMI_OBJECT *Objects, PUNICODE_STRING Names, ULONG Count, PULONG InOutBufferSize,
                               PUCHAR OutBuffer)
{
    ULONG Total = 0, Last = 0;
    for (ULONG i = 0; i < Count; i++) {
        PVOID Node;
        ULONG Bytes;
        NTSTATUS Status = WmipQueryOne(Objects[i], &Names[i], &Node, &Bytes);
        if (!NT_SUCCESS(Status))
            return Status;
        Total = WmipAlign(Total);
        if (OutBuffer && Total + Bytes <= *InOutBufferSize) {
            RtlCopyMemory(OutBuffer + Total, Node, Bytes);
            if (i)
                ((PWNODE_HEADER)(OutBuffer + Last))->Linkage = Total - Last;
        }
        Last = Total;
        Total += Bytes;
        ExpFree(Node);
    }
    if (!OutBuffer || Total > *InOutBufferSize)
        return WmipTooSmall(Total, InOutBufferSize, OutBuffer);
    *InOutBufferSize = Total;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoWMIQuerySingleInstance(PVOID DataBlockObject, PUNICODE_STRING InstanceName, ULONG *InOutBufferSize,
                                        PVOID OutBuffer)
{
    return WmipQueryThese((PWMI_OBJECT *)&DataBlockObject, InstanceName, 1, InOutBufferSize, OutBuffer);
}

NTSTATUS NTAPI IoWMIQuerySingleInstanceMultiple(PVOID *DataBlockObjectList, PUNICODE_STRING InstanceNames,
                                                ULONG ObjectCount, ULONG *InOutBufferSize, PVOID OutBuffer)
{
    if (!ObjectCount)
        return STATUS_INVALID_PARAMETER;
    return WmipQueryThese((PWMI_OBJECT *)DataBlockObjectList, InstanceNames, ObjectCount, InOutBufferSize, OutBuffer);
}

NTSTATUS NTAPI IoWMISetSingleInstance(PVOID DataBlockObject, PUNICODE_STRING InstanceName, ULONG Version,
                                      ULONG ValueBufferSize, PVOID ValueBuffer)
{
    PWMI_OBJECT Object = DataBlockObject;
    ULONG Index, Offset = WmipAlign(sizeof(WNODE_SINGLE_INSTANCE)), Bytes = Offset + ValueBufferSize;
    PWMI_PROVIDER Provider = WmipFindInstance(&Object->Guid, InstanceName, &Index);
    PWNODE_SINGLE_INSTANCE Node;
    NTSTATUS Status;
    if (!Provider)
        return STATUS_WMI_INSTANCE_NOT_FOUND;
    Node = Bytes >= Offset ? ExpTryAllocate(Bytes, WMI_TAG) : NULL;
    if (!Node)
        return STATUS_INSUFFICIENT_RESOURCES;
    WmipFillHeader(&Node->WnodeHeader, Provider, &Object->Guid, Bytes, WNODE_FLAG_SINGLE_INSTANCE, Version);
    Node->OffsetInstanceName = 0;
    Node->InstanceIndex = Index;
    Node->DataBlockOffset = Offset;
    Node->SizeDataBlock = ValueBufferSize;
    RtlCopyMemory((PUCHAR)Node + Offset, ValueBuffer, ValueBufferSize);
    Status = WmipSend(Provider->Device, IRP_MN_CHANGE_SINGLE_INSTANCE, &Object->Guid, Node, Bytes, NULL);
    ExpFree(Node);
    return Status;
}

NTSTATUS NTAPI IoWMISetSingleItem(PVOID DataBlockObject, PUNICODE_STRING InstanceName, ULONG DataItemId, ULONG Version,
                                  ULONG ValueBufferSize, PVOID ValueBuffer)
{
    PWMI_OBJECT Object = DataBlockObject;
    ULONG Index, Offset = WmipAlign(sizeof(WNODE_SINGLE_ITEM)), Bytes = Offset + ValueBufferSize;
    PWMI_PROVIDER Provider = WmipFindInstance(&Object->Guid, InstanceName, &Index);
    PWNODE_SINGLE_ITEM Node;
    NTSTATUS Status;
    if (!Provider)
        return STATUS_WMI_INSTANCE_NOT_FOUND;
    Node = Bytes >= Offset ? ExpTryAllocate(Bytes, WMI_TAG) : NULL;
    if (!Node)
        return STATUS_INSUFFICIENT_RESOURCES;
    WmipFillHeader(&Node->WnodeHeader, Provider, &Object->Guid, Bytes, WNODE_FLAG_SINGLE_ITEM, Version);
    Node->OffsetInstanceName = 0;
    Node->InstanceIndex = Index;
    Node->ItemId = DataItemId;
    Node->DataBlockOffset = Offset;
    Node->SizeDataItem = ValueBufferSize;
    RtlCopyMemory((PUCHAR)Node + Offset, ValueBuffer, ValueBufferSize);
    Status = WmipSend(Provider->Device, IRP_MN_CHANGE_SINGLE_ITEM, &Object->Guid, Node, Bytes, NULL);
    ExpFree(Node);
    return Status;
}

NTSTATUS NTAPI IoWMIExecuteMethod(PVOID DataBlockObject, PUNICODE_STRING InstanceName, ULONG MethodId,
                                  ULONG InBufferSize, PULONG OutBufferSize, PUCHAR InOutBuffer)
{
    PWMI_OBJECT Object = DataBlockObject;
    ULONG Index, Offset = WmipAlign(sizeof(WNODE_METHOD_ITEM));
    ULONG Room = InBufferSize > *OutBufferSize ? InBufferSize : *OutBufferSize, Bytes = Offset + Room;
    PWMI_PROVIDER Provider = WmipFindInstance(&Object->Guid, InstanceName, &Index);
    PWNODE_METHOD_ITEM Node;
    NTSTATUS Status;
    if (!Provider)
        return STATUS_WMI_INSTANCE_NOT_FOUND;
    Node = Bytes >= Offset ? ExpTryAllocate(Bytes, WMI_TAG) : NULL;
    if (!Node)
        return STATUS_INSUFFICIENT_RESOURCES;
    WmipFillHeader(&Node->WnodeHeader, Provider, &Object->Guid, Bytes, WNODE_FLAG_METHOD_ITEM, 0);
    Node->OffsetInstanceName = 0;
    Node->InstanceIndex = Index;
    Node->MethodId = MethodId;
    Node->DataBlockOffset = Offset;
    Node->SizeDataBlock = InBufferSize;
    RtlCopyMemory((PUCHAR)Node + Offset, InOutBuffer, InBufferSize);
    Status = WmipSend(Provider->Device, IRP_MN_EXECUTE_METHOD, &Object->Guid, Node, Bytes, NULL);
    if (NT_SUCCESS(Status)) {
        ULONG Out = Node->SizeDataBlock;
        if (Node->WnodeHeader.Flags & WNODE_FLAG_TOO_SMALL) {
            *OutBufferSize = ((PWNODE_TOO_SMALL)Node)->SizeNeeded - Offset; /* the data, without the node's head */
            Status = STATUS_BUFFER_TOO_SMALL;
        } else if (Out > *OutBufferSize) {
            *OutBufferSize = Out;
            Status = STATUS_BUFFER_TOO_SMALL;
        } else {
            RtlCopyMemory(InOutBuffer, (PUCHAR)Node + Offset, Out);
            *OutBufferSize = Out;
        }
    }
    ExpFree(Node);
    return Status;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI IoWMIDeviceObjectToInstanceName(PVOID DataBlockObject, PDEVICE_OBJECT DeviceObject,
                                               PUNICODE_STRING InstanceName)
{
    PWMI_PROVIDER Provider = IopDeviceOf(DeviceObject)->Provider;
    PWMI_BLOCK Block = Provider ? WmipFindBlock(Provider, &((PWMI_OBJECT)DataBlockObject)->Guid) : NULL;
    WCHAR Name[WMI_NAMES_LENGTH];
    PWSTR Copy;
    if (!Block || !Block->Instances || !WmipInstanceName(Block, 0, Name))
        return STATUS_WMI_INSTANCE_NOT_FOUND;
    Copy = ExAllocatePoolWithTag(PagedPool, (wcslen(Name) + 1) * sizeof(WCHAR), WMI_TAG);
    if (!Copy)
        return STATUS_INSUFFICIENT_RESOURCES;
    wcscpy(Copy, Name);
    RtlInitUnicodeString(InstanceName, Copy);
    return STATUS_SUCCESS;
}

/* docs: IoWMIHandleToInstanceName: of the device that the file is open on, the lowest of its stack (a PDO registers, or those
 * above it do). */
NTSTATUS NTAPI IoWMIHandleToInstanceName(PVOID DataBlockObject, HANDLE FileHandle, PUNICODE_STRING InstanceName)
{
    PFILE_OBJECT File;
    PDEVICE_OBJECT Device;
    NTSTATUS Status = ObReferenceObjectByHandle(FileHandle, 0, IopFileType, ExGetPreviousMode(), (PVOID *)&File, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = STATUS_WMI_INSTANCE_NOT_FOUND;
    for (Device = IoGetRelatedDeviceObject(File); Device && Status == STATUS_WMI_INSTANCE_NOT_FOUND;
         Device = IopDeviceOf(Device)->AttachedTo)
        Status = IoWMIDeviceObjectToInstanceName(DataBlockObject, Device, InstanceName);
    ObfDereferenceObject(File);
    return Status;
}

/* ---- Events ------------------------------------------------------------------------------------------------------ */

NTSTATUS NTAPI IoWMISetNotificationCallback(PVOID Object, WMI_NOTIFICATION_CALLBACK Callback, PVOID Context)
{
    PWMI_OBJECT Own = Object;
    BOOLEAN Heard = WmipIsHeard(&Own->Guid);
    Own->Callback = Callback;
    Own->Context = Context;
    Own->Stack = VfCaptureStack();
    if (Callback)
        VfTrack(Own, sizeof(*Own), VfCallbackObject, (PVOID)(ULONG_PTR)Callback, Own->Stack);
    else
        VfUntrack(Own, VfCallbackObject);
    if (Callback && !Heard)
        WmipSwitch(&Own->Guid, IRP_MN_ENABLE_EVENTS, 0);
    return STATUS_SUCCESS;
}

static NTSTATUS WmipDeliver(PDEVICE_OBJECT Device, PVOID Context)
{
    PWNODE_HEADER Event = Context;
    for (PLIST_ENTRY Entry = WmipObjects.Flink, Next; Entry != &WmipObjects; Entry = Next) {
        PWMI_OBJECT Object = CONTAINING_RECORD(Entry, WMI_OBJECT, Entry);
        VF_CALLBACK Callback;
        ObfReferenceObject(Object);
        if (Object->Callback && RtlEqualMemory(&Object->Guid, &Event->Guid, sizeof(GUID))) {
            IopEnter(&Callback, "WMI_NOTIFICATION_CALLBACK", "WMI event callback", (PVOID)(ULONG_PTR)Object->Callback,
                     NULL);
            Callback.Stack = Object->Stack;
            Callback.StackText = "It was registered at:";
            Object->Callback(Event, Object->Context);
            VfLeaveCallback(&Callback);
        }
        Next = Entry->Flink;
        ObfDereferenceObject(Object);
    }
    ExFreePool(Event);
    return STATUS_SUCCESS;
}

/* docs: IoWMIWriteEvent: after success the memory is the system's, which frees it; traced events stay the driver's. */
NTSTATUS NTAPI IoWMIWriteEvent(PVOID WnodeEventItem)
{
    PWNODE_HEADER Event = WnodeEventItem;
    if (Event->Flags & WNODE_FLAG_TRACED_GUID) {
        const GUID *Guid = Event->Flags & WNODE_FLAG_USE_GUID_PTR ? *(const GUID *const *)&Event->Guid : &Event->Guid;
        WmipRecord(DOOR_WMI_EVENT, Guid, Event->ProviderId, 1, NULL, 0);
        return STATUS_SUCCESS;
    }
    if (Event->BufferSize < sizeof(*Event) || !(Event->Flags & (WNODE_FLAG_EVENT_ITEM | WNODE_FLAG_EVENT_REFERENCE)))
        return STATUS_INVALID_PARAMETER;
    if (Event->BufferSize > WMI_ROOM)
        return STATUS_BUFFER_OVERFLOW;
    WmipRecord(DOOR_WMI_EVENT, &Event->Guid, Event->ProviderId, 1, Event + 1, Event->BufferSize - sizeof(*Event));
    return PnpQueue(WmipDeliver, NULL, Event);
}
