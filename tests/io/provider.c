/*
 * A WMI provider that answers the requests itself: heard before it registers, a block that is expensive to collect, answers that
 * take much room, a method whose answer does not fit, an update that takes a block away. (docs: "Handling WMI Requests",
 * IRP_MN_ENABLE_COLLECTION, IRP_MN_ENABLE_EVENTS, WMIREGGUID)
 */
#include "test.h"
#include <wmistr.h>

static const GUID Costly = {0xbbbb0001, 2, 2, {1, 2, 3, 4, 5, 6, 7, 8}};
static const GUID Fires = {0xbbbb0002, 2, 2, {1, 2, 3, 4, 5, 6, 7, 8}};
static PDEVICE_OBJECT Device;
static ULONG EventsOn, EventsOff, CollectOn, CollectOff, TooSmall;
static BOOLEAN Update;

#define BIG 100000
#define HEAD 64

/* Two blocks; an update takes the second away and does not name the first. */
static ULONG Register(PWMIREGINFOW Info, ULONG Room)
{
    static const WCHAR Base[] = L"Big";
    ULONG Count = Update ? 1 : 2, Name = sizeof(*Info) + Count * sizeof(WMIREGGUIDW);
    ULONG Need = Name + sizeof(USHORT) + sizeof(Base) - sizeof(WCHAR);

    if (Room < Need) {
        *(PULONG)Info = Need;
        return sizeof(ULONG);
    }
    RtlZeroMemory(Info, Need);
    Info->BufferSize = Need;
    Info->GuidCount = Count;
    for (ULONG i = 0; i < Count; i++) {
        BOOLEAN Event = Update || i == 1;
        Info->WmiRegGuid[i].Guid = Event ? Fires : Costly;
        Info->WmiRegGuid[i].InstanceCount = 1;
        Info->WmiRegGuid[i].Flags = WMIREG_FLAG_INSTANCE_BASENAME | (Update  ? WMIREG_FLAG_REMOVE_GUID
                                                                     : Event ? WMIREG_FLAG_EVENT_ONLY_GUID
                                                                             : WMIREG_FLAG_EXPENSIVE);
        Info->WmiRegGuid[i].BaseNameOffset = Name;
    }
    *(PUSHORT)((PUCHAR)Info + Name) = sizeof(Base) - sizeof(WCHAR);
    RtlCopyMemory((PUCHAR)Info + Name + sizeof(USHORT), Base, sizeof(Base) - sizeof(WCHAR));
    return Need;
}

static ULONG Refuse(PWNODE_TOO_SMALL Small, ULONG Need)
{
    TooSmall++;
    Small->WnodeHeader.BufferSize = sizeof(*Small);
    Small->WnodeHeader.Flags |= WNODE_FLAG_TOO_SMALL;
    Small->SizeNeeded = Need;
    return sizeof(*Small);
}

static ULONG Answer(PVOID Buffer, ULONG Room, BOOLEAN All)
{
    PWNODE_SINGLE_INSTANCE One = Buffer;
    PWNODE_ALL_DATA Every = Buffer;

    if (Room < HEAD + BIG)
        return Refuse(Buffer, HEAD + BIG);
    if (All) {
        Every->InstanceCount = 1;
        Every->DataBlockOffset = HEAD + 16;
        Every->WnodeHeader.Flags |= WNODE_FLAG_FIXED_INSTANCE_SIZE;
        Every->FixedInstanceSize = BIG - 16;
    } else
        One->SizeDataBlock = BIG - 16;
    RtlFillMemory((PUCHAR)Buffer + HEAD + 16, BIG - 16, 0x3c);
    return ((PWNODE_HEADER)Buffer)->BufferSize = HEAD + BIG;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Unused, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PVOID Buffer = Stack->Parameters.WMI.Buffer;
    ULONG Room = Stack->Parameters.WMI.BufferSize;
    PWNODE_METHOD_ITEM Method = Buffer;
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Bytes = 0;

    switch (Stack->MinorFunction) {
    case IRP_MN_REGINFO_EX:
        Bytes = Register(Buffer, Room);
        break;
    case IRP_MN_ENABLE_EVENTS:
        EventsOn++;
        break;
    case IRP_MN_DISABLE_EVENTS:
        EventsOff++;
        break;
    case IRP_MN_ENABLE_COLLECTION:
        CollectOn++;
        break;
    case IRP_MN_DISABLE_COLLECTION:
        CollectOff++;
        break;
    case IRP_MN_QUERY_ALL_DATA:
    case IRP_MN_QUERY_SINGLE_INSTANCE:
        Bytes = Answer(Buffer, Room, Stack->MinorFunction == IRP_MN_QUERY_ALL_DATA);
        break;
    case IRP_MN_EXECUTE_METHOD: /* wants 40 bytes for its answer */
        if (Room - Method->DataBlockOffset < 40)
            Bytes = Refuse(Buffer, Method->DataBlockOffset + 40);
        else
            Bytes = Method->DataBlockOffset + (Method->SizeDataBlock = 40);
        break;
    default:
        Status = STATUS_INVALID_DEVICE_REQUEST;
    }
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Bytes;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID Settle(VOID) /* registration goes on in a system worker */
{
    LARGE_INTEGER Soon = {.QuadPart = -1000000};

    KeDelayExecutionThread(KernelMode, FALSE, &Soon);
}

static PVOID Listener, Reader;

static VOID NTAPI Event(PVOID Wnode, PVOID Context)
{
}

static VOID who_listens_before_is_heard(VOID)
{
    GUID Guid = Fires;

    Driver->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = Control;
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    OK(IoWMIOpenBlock(&Guid, 4 /* WMIGUID_NOTIFICATION */, &Listener));
    OK(IoWMISetNotificationCallback(Listener, Event, NULL));
    OK(IoWMIRegistrationControl(Device, WMIREG_ACTION_REGISTER));
    STATUS(IoWMIRegistrationControl(Device, WMIREG_ACTION_REGISTER), STATUS_OBJECT_NAME_EXISTS);
    Settle();
    CHECK(EventsOn == 1 && EventsOff == 0 && CollectOn == 0);
}

static VOID an_expensive_block_is_collected_while_it_is_open(VOID)
{
    GUID Guid = Costly;
    PVOID Second;

    OK(IoWMIOpenBlock(&Guid, 1 /* WMIGUID_QUERY */, &Reader));
    CHECK(CollectOn == 1);
    OK(IoWMIOpenBlock(&Guid, 1, &Second));
    CHECK(CollectOn == 1);
    ObDereferenceObject(Second);
    CHECK(CollectOff == 0);
}

static VOID long_answers_get_their_room(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"Big0");
    PUCHAR Buffer = ExAllocatePoolWithTag(PagedPool, 2 * BIG, 'tseT');
    PWNODE_SINGLE_INSTANCE One = (PVOID)Buffer;
    PWNODE_ALL_DATA All = (PVOID)Buffer;
    ULONG Bytes = 2 * BIG;

    OK(IoWMIQuerySingleInstance(Reader, &Name, &Bytes, Buffer));
    CHECK(Bytes == HEAD + BIG && TooSmall == 1 && One->SizeDataBlock == BIG - 16 && Buffer[BIG] == 0x3c);
    Bytes = 2 * BIG;
    OK(IoWMIQueryAllData(Reader, &Bytes, Buffer));
    CHECK(TooSmall == 2 && All->FixedInstanceSize == BIG - 16 && Buffer[BIG] == 0x3c);
    CHECK(Bytes > HEAD + BIG && All->WnodeHeader.BufferSize == Bytes); /* with the name */
    PULONG Names = (PULONG)(Buffer + All->OffsetInstanceNameOffsets);
    CHECK(*(PUSHORT)(Buffer + Names[0]) == 8 && RtlEqualMemory(Buffer + Names[0] + 2, L"Big0", 8));
    Bytes = BIG;
    STATUS(IoWMIQueryAllData(Reader, &Bytes, Buffer), STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes > HEAD + BIG && (All->WnodeHeader.Flags & WNODE_FLAG_TOO_SMALL));
    ExFreePool(Buffer);
}

static VOID a_method_says_what_its_answer_takes(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"Big0");
    UCHAR Buffer[64] = {0};
    ULONG Bytes = 8;

    STATUS(IoWMIExecuteMethod(Reader, &Name, 1, 8, &Bytes, Buffer), STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes == 40);
    OK(IoWMIExecuteMethod(Reader, &Name, 1, 8, &Bytes, Buffer));
    CHECK(Bytes == 40);
    STATUS(IoWMISetSingleInstance(Reader, &Name, 1, 0xFFFFFFF0, Buffer), STATUS_INSUFFICIENT_RESOURCES);
    STATUS(IoWMISetSingleItem(Reader, &Name, 1, 1, 8, Buffer), STATUS_INVALID_DEVICE_REQUEST);
}

static VOID an_update_changes_what_it_names(VOID)
{
    GUID Guid = Fires;
    PVOID Other;

    OK(IoWMIOpenBlock(&Guid, 1, &Other));
    ObDereferenceObject(Other);
    Update = TRUE;
    OK(IoWMIRegistrationControl(Device, WMIREG_ACTION_UPDATE_GUIDS));
    Settle();
    STATUS(IoWMIOpenBlock(&Guid, 1, &Other), STATUS_WMI_GUID_NOT_FOUND);
    Guid = Costly;
    OK(IoWMIOpenBlock(&Guid, 1, &Other));
    ObDereferenceObject(Other);
    CHECK(CollectOn == 1 && CollectOff == 0); /* it was on, and stays so */
}

static VOID the_last_reader_ends_collection(VOID)
{
    ULONG Before = CollectOff;

    ObDereferenceObject(Reader);
    CHECK(CollectOff == Before + 1);
    ObDereferenceObject(Listener);
    OK(IoWMIRegistrationControl(Device, WMIREG_ACTION_DEREGISTER));
    IoDeleteDevice(Device);
}

TEST_MAIN(who_listens_before_is_heard, an_expensive_block_is_collected_while_it_is_open, long_answers_get_their_room,
          a_method_says_what_its_answer_takes, an_update_changes_what_it_names, the_last_reader_ends_collection)
