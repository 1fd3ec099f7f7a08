/*
 * The start of the system, as boot-start drivers see it: they may judge those that come after them, and learn where the system
 * was loaded from. (docs: IoRegisterBootDriverCallback, BDCB_IMAGE_INFORMATION, IoGetBootDiskInformation, "Early launch
 * antimalware")
 *
 * A driver is a boot driver when its service says so (Start = 0). The start lasts as long as the operator loads nothing else;
 * then the callbacks are told that it is over. Before the first driver that they judge they are told of drivers' libraries, of
 * which there are none, and of drivers. What is not to run is not loaded, by the policy at Control\EarlyLaunch.
 */
#include "nt.h"

typedef struct _IOP_BOOT_CALLBACK {
    LIST_ENTRY Entry;
    PBOOT_DRIVER_CALLBACK_FUNCTION Routine;
    PVOID Context;
    BOOLEAN Prepared;
    ULONG Stack;
} IOP_BOOT_CALLBACK, *PIOP_BOOT_CALLBACK;

static LIST_ENTRY IopBootCallbacks = {&IopBootCallbacks, &IopBootCallbacks};
static BOOLEAN IopBooted;

PVOID NTAPI IoRegisterBootDriverCallback(PBOOT_DRIVER_CALLBACK_FUNCTION CallbackFunction, PVOID CallbackContext)
{
    PIOP_BOOT_CALLBACK New = IopBooted || !CallbackFunction ? NULL : ExpTryAllocate(sizeof(*New), 'bBoI');
    if (!New)
        return NULL;
    *New = (IOP_BOOT_CALLBACK){.Routine = CallbackFunction, .Context = CallbackContext, .Stack = VfCaptureStack()};
    InsertTailList(&IopBootCallbacks, &New->Entry);
    VfTrack(New, sizeof(*New), VfCallbackObject, (PVOID)(ULONG_PTR)CallbackFunction, New->Stack);
    return New;
}

VOID NTAPI IoUnregisterBootDriverCallback(PVOID CallbackHandle)
{
    PIOP_BOOT_CALLBACK Old = CallbackHandle;
    if (!Old)
        return;
    VfUntrack(Old, VfCallbackObject);
    RemoveEntryList(&Old->Entry);
    ExpFree(Old);
}

static VOID IopCallBoot(PIOP_BOOT_CALLBACK Known, BDCB_CALLBACK_TYPE Type, PVOID What)
{
    VF_CALLBACK Callback;
    IopEnter(&Callback, "BOOT_DRIVER_CALLBACK_FUNCTION", "boot driver callback", (PVOID)(ULONG_PTR)Known->Routine,
             NULL);
    Callback.Stack = Known->Stack;
    Callback.StackText = "The callback was registered at:";
    Known->Routine(Known->Context, Type, What);
    VfLeaveCallback(&Callback);
}

static VOID IopTellBoot(PIOP_BOOT_CALLBACK Known, BDCB_STATUS_UPDATE_TYPE Type)
{
    BDCB_STATUS_UPDATE_CONTEXT Context = {Type};
    IopCallBoot(Known, BdCbStatusUpdate, &Context);
}

/* docs: DriverLoadPolicy: 8 only good ones, 1 unknown ones as well, 3 bad ones that the system needs, 7 all. */
static BOOLEAN IopMayLoad(BDCB_CLASSIFICATION Class)
{
    ULONG Policy = CmpControlNumber(L"EarlyLaunch", L"DriverLoadPolicy", 3);
    switch (Class) {
    case BdCbClassificationKnownGoodImage:
        return TRUE;
    case BdCbClassificationKnownBadImage:
        return Policy == 7;
    case BdCbClassificationKnownBadImageBootCritical:
        return Policy == 3 || Policy == 7;
    default:
        return Policy != 8;
    }
}

/* The worst that any callback says of it. */
static BDCB_CLASSIFICATION IopClassify(PUNICODE_STRING Image, PUNICODE_STRING Service)
{
    BDCB_CLASSIFICATION Class = BdCbClassificationUnknownImage;
    for (PLIST_ENTRY Entry = IopBootCallbacks.Flink, Next; Entry != &IopBootCallbacks; Entry = Next) {
        PIOP_BOOT_CALLBACK Known = CONTAINING_RECORD(Entry, IOP_BOOT_CALLBACK, Entry);
        BDCB_IMAGE_INFORMATION About = {.ImageName = *Image, .RegistryPath = *Service};
        Next = Entry->Flink;
        if (!Known->Prepared) {
            Known->Prepared = TRUE;
            IopTellBoot(Known, BdCbStatusPrepareForDependencyLoad);
            IopTellBoot(Known, BdCbStatusPrepareForDriverLoad);
        }
        IopCallBoot(Known, BdCbInitializeImage, &About);
        if (About.Classification > Class && About.Classification < BdCbClassificationEnd)
            Class = About.Classification;
    }
    return Class;
}

NTSTATUS IopBeforeStart(PDRIVER_OBJECT Driver)
{
    PIOP_DRIVER Own = IopDriverOf(Driver);
    PUNICODE_STRING Image = PspModulePath(Driver->DriverSection);
    if (CmpServiceNumber(&Own->Public.ServiceKeyName, L"Start", SERVICE_DEMAND_START) != SERVICE_BOOT_START)
        IopEndBoot();
    if (IopBooted || IsListEmpty(&IopBootCallbacks) || IopMayLoad(IopClassify(Image, &Own->RegistryPath)))
        return STATUS_SUCCESS;
    VfRemark("%s is not started: a boot driver says that it is bad", Own->FileName);
    return STATUS_DRIVER_BLOCKED;
}

VOID IopEndBoot(VOID)
{
    if (IopBooted)
        return;
    IopBooted = TRUE;
    for (PLIST_ENTRY Entry = IopBootCallbacks.Flink, Next; Entry != &IopBootCallbacks; Entry = Next) {
        Next = Entry->Flink;
        IopTellBoot(CONTAINING_RECORD(Entry, IOP_BOOT_CALLBACK, Entry), BdCbStatusPrepareForUnload);
    }
}

/* docs: IoGetBootDiskInformation: for boot drivers, while they start.
 * DIFFERS: C: lies on no disk, so offset and signature are 0. */
NTSTATUS NTAPI IoGetBootDiskInformation(PBOOTDISK_INFORMATION BootDiskInformation, ULONG Size)
{
    if (Size < sizeof(BOOTDISK_INFORMATION))
        return STATUS_INVALID_PARAMETER;
    if (IopBooted)
        return STATUS_TOO_LATE;
    RtlZeroMemory(BootDiskInformation, Size < sizeof(BOOTDISK_INFORMATION_EX) ? sizeof(BOOTDISK_INFORMATION)
                                                                              : sizeof(BOOTDISK_INFORMATION_EX));
    return STATUS_SUCCESS;
}

/* docs: IoSetSystemPartition: the system's set-up finds its volume by this value. */
NTSTATUS NTAPI IoSetSystemPartition(PUNICODE_STRING VolumeNameString)
{
    WCHAR Text[128] = {0};
    ULONG Bytes = VolumeNameString->Length;
    if (!Bytes || (Bytes & 1))
        return STATUS_INVALID_PARAMETER;
    if (Bytes >= sizeof(Text))
        return STATUS_NAME_TOO_LONG;
    RtlCopyMemory(Text, VolumeNameString->Buffer, Bytes);
    return RtlWriteRegistryValue(RTL_REGISTRY_ABSOLUTE, L"\\Registry\\Machine\\SYSTEM\\Setup", L"SystemPartition",
                                 REG_SZ, Text, Bytes + sizeof(WCHAR));
}
