/*
 * Providers: registration of devices and what they register. (docs: IoWMIRegistrationControl, IRP_MN_REGINFO_EX,
 * WMIREGINFO, WMIREGGUID)
 *
 * The registration itself only notes the device; it is asked for its blocks later, in a system worker, because drivers
 * register in the middle of starting their device.
 */
#include "nt.h"

LIST_ENTRY WmipProviders = {&WmipProviders, &WmipProviders};
static ULONG WmipNextId = 1;

VOID WmipRecord(ULONG What, const GUID *Guid, ULONG Provider, ULONG Count, const VOID *Data, ULONG Bytes)
{
    struct door_event_wmi Event = {.what = What, .provider = Provider, .count = Count, .bytes = Bytes};
    memcpy(Event.guid, Guid, sizeof(Event.guid));
    if (Bytes > sizeof(Event.data))
        Bytes = sizeof(Event.data);
    if (Bytes)
        memcpy(Event.data, Data, Bytes);
    VfRecord(DOOR_EVENT_WMI, &Event, sizeof(Event));
}

NTSTATUS WmipSend(PDEVICE_OBJECT Device, UCHAR Minor, PVOID DataPath, PVOID Buffer, ULONG Bytes, PULONG Information)
{
    PDEVICE_OBJECT Top = IoGetAttachedDeviceReference(Device);
    IO_STATUS_BLOCK Iosb = {.Status = STATUS_NOT_SUPPORTED};
    PIRP Irp = IopAllocateIrp(Top->StackSize, NULL);
    PIO_STACK_LOCATION Stack;
    if (!Irp) {
        ObfDereferenceObject(Top);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = IRP_MJ_SYSTEM_CONTROL;
    Stack->MinorFunction = Minor;
    Stack->Parameters.WMI.ProviderId = (ULONG_PTR)Device;
    Stack->Parameters.WMI.DataPath = DataPath;
    Stack->Parameters.WMI.Buffer = Buffer;
    Stack->Parameters.WMI.BufferSize = Bytes;
    Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
    Irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    IopCallAndWait(Top, Irp, &Iosb);
    ObfDereferenceObject(Top);
    if (Information)
        *Information = (ULONG)Iosb.Information;
    return Iosb.Status;
}

PWMI_BLOCK WmipFindBlock(PWMI_PROVIDER Provider, const GUID *Guid)
{
    for (ULONG i = 0; i < Provider->Blocks; i++)
        if (RtlEqualMemory(&Provider->Block[i].Guid, Guid, sizeof(GUID)))
            return &Provider->Block[i];
    return NULL;
}

BOOLEAN WmipInstanceName(PWMI_BLOCK Block, ULONG Index, PWSTR Name)
{
    CHAR Number[16];
    if (Block->Names) {
        wcsncpy(Name, Block->Names[Index], WMI_NAMES_LENGTH - 1);
        Name[WMI_NAMES_LENGTH - 1] = 0;
        return TRUE;
    }
    if (!Block->Base)
        return FALSE;
    wcsncpy(Name, Block->Base, WMI_NAMES_LENGTH - 16);
    Name[WMI_NAMES_LENGTH - 16] = 0;
    RtlpFormat(Number, sizeof(Number), "%u", Index);
    RtlpFromUtf8(Name + wcslen(Name), 16, Number);
    return TRUE;
}

/* ---- What a device registers ------------------------------------------------------------------------------------- */

static VOID WmipFreeBlock(PWMI_BLOCK Block)
{
    for (ULONG i = 0; Block->Names && i < Block->Instances; i++)
        ExpFree(Block->Names[i]);
    if (Block->Names)
        ExpFree(Block->Names);
    if (Block->Base)
        ExpFree(Block->Base);
}

static VOID WmipFreeBlocks(PWMI_PROVIDER Provider)
{
    for (ULONG i = 0; i < Provider->Blocks; i++)
        WmipFreeBlock(&Provider->Block[i]);
    if (Provider->Block)
        ExpFree(Provider->Block);
    Provider->Block = NULL;
    Provider->Blocks = 0;
}

/* A counted string in the driver's answer: USHORT bytes, then characters. NULL = it does not lie within. */
static PWSTR WmipCounted(PUCHAR Info, ULONG Bytes, ULONG Offset, PULONG Next)
{
    USHORT Length;
    PWSTR Copy;
    if (Offset > Bytes || Bytes - Offset < sizeof(USHORT))
        return NULL;
    Length = *(USHORT UNALIGNED *)(Info + Offset);
    if (Length > Bytes - Offset - sizeof(USHORT))
        return NULL;
    Copy = ExpAllocate(Length + sizeof(WCHAR), WMI_TAG);
    RtlCopyMemory(Copy, Info + Offset + sizeof(USHORT), Length);
    *Next = Offset + sizeof(USHORT) + Length;
    return Copy;
}

/* docs: WMIREG_FLAG_INSTANCE_PDO: names are the device's instance path; the reference to it is ours now. */
static PWSTR WmipPdoBase(PDEVICE_OBJECT Pdo)
{
    PDEVICE_NODE Node = Pdo ? PnpNodeOf(Pdo) : NULL;
    PWSTR Base = ExpAllocate(WMI_NAMES_LENGTH * sizeof(WCHAR), WMI_TAG);
    if (Node && Node->InstancePath.Buffer)
        wcsncpy(Base, Node->InstancePath.Buffer, WMI_NAMES_LENGTH - 20);
    wcscat(Base, L"_");
    return Base;
}

static VOID WmipReadNames(PWMI_BLOCK Block, PWMIREGGUIDW From, PUCHAR Info, ULONG Bytes)
{
    ULONG Next = From->InstanceNameList;
    if (From->Flags & WMIREG_FLAG_INSTANCE_PDO) {
        Block->Base = WmipPdoBase((PDEVICE_OBJECT)From->Pdo);
        if (From->Pdo)
            ObfDereferenceObject((PVOID)From->Pdo);
    } else if (From->Flags & WMIREG_FLAG_INSTANCE_BASENAME)
        Block->Base = WmipCounted(Info, Bytes, From->BaseNameOffset, &Next);
    else if ((From->Flags & WMIREG_FLAG_INSTANCE_LIST) && Block->Instances && Block->Instances < 65536) {
        Block->Names = ExpAllocate(Block->Instances * sizeof(PWSTR), WMI_TAG);
        for (ULONG i = 0; i < Block->Instances; i++)
            if (!(Block->Names[i] = WmipCounted(Info, Bytes, Next, &Next)))
                Block->Names[i] = PnpCopyString(L"");
    }
}

static BOOLEAN WmipForgetBlock(PWMI_PROVIDER Provider, const GUID *Guid)
{
    PWMI_BLOCK Old = WmipFindBlock(Provider, Guid);
    if (!Old)
        return FALSE;
    WmipFreeBlock(Old);
    *Old = Provider->Block[--Provider->Blocks];
    return TRUE;
}

/* docs: WMIREGGUID: an update names blocks that are new, have changed, or go; the others stay. */
static VOID WmipReadInfo(PWMI_PROVIDER Provider, PUCHAR Info, ULONG Bytes, BOOLEAN Update)
{
    PWMIREGINFOW Registered = (PVOID)Info;
    PWMI_BLOCK Before = Provider->Block;
    if (Bytes < sizeof(*Registered) || Registered->GuidCount > (Bytes - sizeof(*Registered)) / sizeof(WMIREGGUIDW))
        return;
    if (!Update) {
        WmipFreeBlocks(Provider);
        Before = NULL;
    }
    Provider->Block = ExpAllocate((Provider->Blocks + Registered->GuidCount + 1) * sizeof(WMI_BLOCK), WMI_TAG);
    if (Before) {
        RtlCopyMemory(Provider->Block, Before, Provider->Blocks * sizeof(WMI_BLOCK));
        ExpFree(Before);
    }
    for (ULONG i = 0; i < Registered->GuidCount; i++) {
        PWMIREGGUIDW From = &Registered->WmiRegGuid[i];
        BOOLEAN Known = WmipForgetBlock(Provider, &From->Guid);
        if (From->Flags & WMIREG_FLAG_REMOVE_GUID)
            continue;
        PWMI_BLOCK Block = &Provider->Block[Provider->Blocks++];
        RtlZeroMemory(Block, sizeof(*Block));
        Block->Fresh = !Known;
        Block->Guid = From->Guid;
        Block->Flags = From->Flags;
        Block->Instances = From->InstanceCount;
        WmipReadNames(Block, From, Info, Bytes);
        WmipRecord(DOOR_WMI_REGISTERED, &Block->Guid, Provider->Id, Block->Instances, NULL, 0);
    }
    WmipSwitchOn(Provider);
}

/* docs: IRP_MN_REGINFO_EX: a buffer that is too small comes back with the size wanted in its first ULONG. Drivers from
 * before Windows XP know IRP_MN_REGINFO only. */
static NTSTATUS WmipAsk(PWMI_PROVIDER Provider, ULONG Path)
{
    ULONG Bytes = 4096, Given;
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG Try = 0; Try < 2; Try++) {
        PVOID Info = ExpTryAllocate(Bytes, WMI_TAG);
        if (!Info)
            return STATUS_INSUFFICIENT_RESOURCES;
        Status = WmipSend(Provider->Device, IRP_MN_REGINFO_EX, (PVOID)(ULONG_PTR)Path, Info, Bytes, &Given);
        if (Status == STATUS_NOT_SUPPORTED || Status == STATUS_INVALID_DEVICE_REQUEST)
            Status = WmipSend(Provider->Device, IRP_MN_REGINFO, (PVOID)(ULONG_PTR)Path, Info, Bytes, &Given);
        if (NT_SUCCESS(Status) && Given > sizeof(ULONG))
            WmipReadInfo(Provider, Info, Given < Bytes ? Given : Bytes, Path == WMIUPDATE);
        else if ((Status == STATUS_BUFFER_TOO_SMALL || NT_SUCCESS(Status)) && Given == sizeof(ULONG) &&
                 *(PULONG)Info > Bytes && *(PULONG)Info < 0x100000) {
            Bytes = *(PULONG)Info;
            ExpFree(Info);
            continue;
        }
        ExpFree(Info);
        break;
    }
    return Status;
}

static NTSTATUS WmipRegisterAction(PDEVICE_OBJECT Device, PVOID Context)
{
    PWMI_PROVIDER Provider = IopDeviceOf(Device)->Provider;
    return Provider ? WmipAsk(Provider, (ULONG)(ULONG_PTR)Context) : STATUS_SUCCESS;
}

/* ---- For drivers ------------------------------------------------------------------------------------------------- */

static NTSTATUS WmipRegister(PDEVICE_OBJECT Device)
{
    PWMI_PROVIDER Provider;
    if (IopDeviceOf(Device)->Provider)
        return STATUS_OBJECT_NAME_EXISTS;
    Provider = ExpTryAllocate(sizeof(*Provider), WMI_TAG);
    if (!Provider)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(Provider, sizeof(*Provider));
    Provider->Device = Device;
    Provider->Id = WmipNextId++;
    InsertTailList(&WmipProviders, &Provider->Entry);
    IopDeviceOf(Device)->Provider = Provider;
    return PnpQueue(WmipRegisterAction, Device, (PVOID)WMIREGISTER);
}

VOID WmipDeviceGoes(PDEVICE_OBJECT Device)
{
    static const GUID None;
    PWMI_PROVIDER Provider = IopDeviceOf(Device)->Provider;
    if (!Provider)
        return;
    IopDeviceOf(Device)->Provider = NULL;
    RemoveEntryList(&Provider->Entry);
    WmipRecord(DOOR_WMI_UNREGISTERED, &None, Provider->Id, 0, NULL, 0);
    WmipFreeBlocks(Provider);
    ExpFree(Provider);
}

NTSTATUS NTAPI IoWMIRegistrationControl(PDEVICE_OBJECT DeviceObject, ULONG Action)
{
    switch (Action) {
    case WMIREG_ACTION_REGISTER:
        return WmipRegister(DeviceObject);
    case WMIREG_ACTION_DEREGISTER:
        if (!IopDeviceOf(DeviceObject)->Provider)
            return STATUS_INVALID_PARAMETER;
        WmipDeviceGoes(DeviceObject);
        return STATUS_SUCCESS;
    case WMIREG_ACTION_REREGISTER:
        WmipDeviceGoes(DeviceObject);
        return WmipRegister(DeviceObject);
    case WMIREG_ACTION_UPDATE_GUIDS:
        if (!IopDeviceOf(DeviceObject)->Provider)
            return STATUS_INVALID_PARAMETER;
        return PnpQueue(WmipRegisterAction, DeviceObject, (PVOID)WMIUPDATE);
    case WMIREG_ACTION_BLOCK_IRPS:
        if (!IopDeviceOf(DeviceObject)->Provider)
            return STATUS_INVALID_PARAMETER;
        WmipFreeBlocks(IopDeviceOf(DeviceObject)->Provider); /* nothing is asked of it any more */
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

ULONG NTAPI IoWMIDeviceObjectToProviderId(PDEVICE_OBJECT DeviceObject)
{
    PWMI_PROVIDER Provider = IopDeviceOf(DeviceObject)->Provider;
    return Provider ? Provider->Id : 0;
}

/* docs: IoWMIAllocateInstanceIds: numbers that this GUID has not had before. */
NTSTATUS NTAPI IoWMIAllocateInstanceIds(GUID *Guid, ULONG InstanceCount, ULONG *FirstInstanceId)
{
    typedef struct _WMI_IDS {
        LIST_ENTRY Entry;
        GUID Guid;
        ULONG Next;
    } WMI_IDS;
    static LIST_ENTRY All = {&All, &All};
    WMI_IDS *Ids = NULL;
    for (PLIST_ENTRY Entry = All.Flink; Entry != &All; Entry = Entry->Flink)
        if (RtlEqualMemory(&CONTAINING_RECORD(Entry, WMI_IDS, Entry)->Guid, Guid, sizeof(GUID)))
            Ids = CONTAINING_RECORD(Entry, WMI_IDS, Entry);
    if (!Ids) {
        Ids = ExpTryAllocate(sizeof(*Ids), WMI_TAG);
        if (!Ids)
            return STATUS_INSUFFICIENT_RESOURCES;
        Ids->Guid = *Guid;
        Ids->Next = 0;
        InsertTailList(&All, &Ids->Entry);
    }
    if (Ids->Next + InstanceCount < Ids->Next)
        return STATUS_UNSUCCESSFUL;
    *FirstInstanceId = Ids->Next;
    Ids->Next += InstanceCount;
    return STATUS_SUCCESS;
}

/* docs: IoWMISuggestInstanceName: from the device's description, or its interface's link; combined where asked for. */
NTSTATUS NTAPI IoWMISuggestInstanceName(PDEVICE_OBJECT Pdo, PUNICODE_STRING SymbolicLinkName, BOOLEAN CombineNames,
                                        PUNICODE_STRING Suggested)
{
    WCHAR Name[WMI_NAMES_LENGTH * 2] = {0};
    PDEVICE_NODE Node = Pdo ? PnpNodeOf(Pdo) : NULL;
    PWSTR Copy;
    if (Node)
        wcsncpy(Name, Node->Description ? Node->Description : Node->InstancePath.Buffer, WMI_NAMES_LENGTH - 1);
    if (SymbolicLinkName && (CombineNames || !*Name)) {
        ULONG Length = SymbolicLinkName->Length / sizeof(WCHAR);
        if (*Name)
            wcscat(Name, L"_");
        wcsncat(Name, SymbolicLinkName->Buffer, Length < WMI_NAMES_LENGTH - 2 ? Length : WMI_NAMES_LENGTH - 2);
    }
    if (!*Name)
        return STATUS_INVALID_PARAMETER;
    Copy = ExAllocatePoolWithTag(PagedPool, (wcslen(Name) + 1) * sizeof(WCHAR), WMI_TAG);
    if (!Copy)
        return STATUS_INSUFFICIENT_RESOURCES;
    wcscpy(Copy, Name);
    RtlInitUnicodeString(Suggested, Copy);
    return STATUS_SUCCESS;
}
