/*
 * File systems and volumes: registration, volume parameter blocks, mounting at the first open, verification.
 *
 * A device of a mass storage type has a VPB. Whoever opens something on it makes the I/O manager ask the registered
 * file systems, last registered first, whether they know the volume (IRP_MN_MOUNT_VOLUME); the one that does sets
 * Vpb->DeviceObject, and file objects on the device lead to the stack of that device from then on. Where nobody knows
 * it, the request goes to the device itself, as Windows' raw file system would do for the volume as a whole. (docs:
 * IoRegisterFileSystem, IRP_MN_MOUNT_VOLUME, IoVerifyVolume, VPB)
 */
#include "nt.h"

NTSTATUS NTAPI NtOpenSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE Handle, PUNICODE_STRING Target, PULONG Returned);

#define IOP_VPB_TAG ' bpV'

typedef struct _IOP_FILE_SYSTEM {
    LIST_ENTRY Entry;
    PDEVICE_OBJECT Device;
} IOP_FILE_SYSTEM, *PIOP_FILE_SYSTEM;

typedef struct _IOP_FS_CHANGE {
    LIST_ENTRY Entry;
    PDRIVER_OBJECT Driver;
    PDRIVER_FS_NOTIFICATION Routine;
} IOP_FS_CHANGE, *PIOP_FS_CHANGE;

static LIST_ENTRY IopFileSystems = {&IopFileSystems, &IopFileSystems}; /* in the order in which they are asked */
static LIST_ENTRY IopFsChanges = {&IopFsChanges, &IopFsChanges};
static KSPIN_LOCK IopVpbLock;

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static VOID IopTellChange(PIOP_FS_CHANGE Change, PDEVICE_OBJECT Device, BOOLEAN Active)
{
    VF_CALLBACK Callback;
    IopEnter(&Callback, "DRIVER_FS_NOTIFICATION", "file system notification", (PVOID)(ULONG_PTR)Change->Routine,
             Device);
    Change->Routine(Device, Active);
    VfLeaveCallback(&Callback);
}

static VOID IopTellChanges(PDEVICE_OBJECT Device, BOOLEAN Active)
{
    for (PLIST_ENTRY Entry = IopFsChanges.Flink, Next; Entry != &IopFsChanges; Entry = Next) {
        Next = Entry->Flink;
        IopTellChange(CONTAINING_RECORD(Entry, IOP_FS_CHANGE, Entry), Device, Active);
    }
}

VOID NTAPI IoRegisterFileSystem(PDEVICE_OBJECT Device)
{
    PIOP_FILE_SYSTEM System = ExpAllocate(sizeof(*System), 'sFoI');
    System->Device = Device;
    Device->ReferenceCount++;
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    if (Device->Flags & DO_LOW_PRIORITY_FILESYSTEM)
        InsertTailList(&IopFileSystems, &System->Entry);
    else
        InsertHeadList(&IopFileSystems, &System->Entry);
    IopTellChanges(Device, TRUE);
}

VOID NTAPI IoUnregisterFileSystem(PDEVICE_OBJECT Device)
{
    for (PLIST_ENTRY Entry = IopFileSystems.Flink; Entry != &IopFileSystems; Entry = Entry->Flink) {
        PIOP_FILE_SYSTEM System = CONTAINING_RECORD(Entry, IOP_FILE_SYSTEM, Entry);
        if (System->Device != Device)
            continue;
        RemoveEntryList(Entry);
        ExpFree(System);
        IopTellChanges(Device, FALSE);
        IopDereferenceDevice(Device);
        return;
    }
}

/* docs: IoRegisterFsRegistrationChange: told of those that are there, too. */
NTSTATUS NTAPI IoRegisterFsRegistrationChange(PDRIVER_OBJECT Driver, PDRIVER_FS_NOTIFICATION Routine)
{
    for (PLIST_ENTRY Entry = IopFsChanges.Flink; Entry != &IopFsChanges; Entry = Entry->Flink) {
        PIOP_FS_CHANGE Known = CONTAINING_RECORD(Entry, IOP_FS_CHANGE, Entry);
        if (Known->Driver == Driver && Known->Routine == Routine)
            return STATUS_DEVICE_ALREADY_ATTACHED;
    }
    PIOP_FS_CHANGE Change = ExpTryAllocate(sizeof(*Change), 'cFoI');
    if (!Change)
        return STATUS_INSUFFICIENT_RESOURCES;
    Change->Driver = Driver;
    Change->Routine = Routine;
    InsertTailList(&IopFsChanges, &Change->Entry);
    VfTrack(Change, sizeof(*Change), VfCallbackObject, (PVOID)(ULONG_PTR)Routine, VfCaptureStack());
    for (PLIST_ENTRY Entry = IopFileSystems.Flink, Next; Entry != &IopFileSystems; Entry = Next) {
        Next = Entry->Flink;
        IopTellChange(Change, CONTAINING_RECORD(Entry, IOP_FILE_SYSTEM, Entry)->Device, TRUE);
    }
    return STATUS_SUCCESS;
}

/* docs: ...MountAware: the same, without holding up mounts meanwhile; nothing here holds them up. */
NTSTATUS NTAPI IoRegisterFsRegistrationChangeMountAware(PDRIVER_OBJECT Driver, PDRIVER_FS_NOTIFICATION Routine,
                                                        BOOLEAN SynchronizeWithMounts)
{
    return IoRegisterFsRegistrationChange(Driver, Routine);
}

VOID NTAPI IoUnregisterFsRegistrationChange(PDRIVER_OBJECT Driver, PDRIVER_FS_NOTIFICATION Routine)
{
    for (PLIST_ENTRY Entry = IopFsChanges.Flink; Entry != &IopFsChanges; Entry = Entry->Flink) {
        PIOP_FS_CHANGE Change = CONTAINING_RECORD(Entry, IOP_FS_CHANGE, Entry);
        if (Change->Driver != Driver || Change->Routine != Routine)
            continue;
        VfUntrack(Change, VfCallbackObject);
        RemoveEntryList(Entry);
        ExpFree(Change);
        return;
    }
}

/* docs: IoEnumerateRegisteredFiltersList: each is referenced. Who came last has attached himself above the others. */
NTSTATUS NTAPI IoEnumerateRegisteredFiltersList(PDRIVER_OBJECT *DriverObjectList, ULONG DriverObjectListSize,
                                                PULONG ActualNumberDriverObjects)
{
    ULONG Count = 0, Room = DriverObjectList ? DriverObjectListSize / sizeof(PDRIVER_OBJECT) : 0;
    for (PLIST_ENTRY Entry = IopFsChanges.Blink; Entry != &IopFsChanges; Entry = Entry->Blink, Count++) {
        PDRIVER_OBJECT Driver = CONTAINING_RECORD(Entry, IOP_FS_CHANGE, Entry)->Driver;
        if (Count >= Room)
            continue;
        ObfReferenceObject(Driver);
        DriverObjectList[Count] = Driver;
    }
    *ActualNumberDriverObjects = Count;
    return Count > Room ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

/* ---- Volume parameter blocks ------------------------------------------------------------------------------------- */

VOID IopMakeVpb(PDEVICE_OBJECT Device)
{
    switch (Device->DeviceType) {
    case FILE_DEVICE_DISK:
    case FILE_DEVICE_VIRTUAL_DISK:
    case FILE_DEVICE_CD_ROM:
    case FILE_DEVICE_TAPE:
        break;
    default:
        return;
    }
    PVPB Vpb = IopAllocate(sizeof(*Vpb), IOP_VPB_TAG, 0);
    if (!Vpb)
        return;
    Vpb->Type = IO_TYPE_VPB;
    Vpb->Size = sizeof(*Vpb);
    Vpb->RealDevice = Device;
    Device->Vpb = Vpb;
}

/* The device goes. Its file system may have put another block in place of the first one. */
VOID IopDropVpb(PDEVICE_OBJECT Device)
{
    if (Device->Vpb && !Device->Vpb->ReferenceCount && !(Device->Vpb->Flags & VPB_MOUNTED))
        IopFree(Device->Vpb);
    Device->Vpb = NULL;
}

VOID NTAPI IoAcquireVpbSpinLock(PKIRQL Irql)
{
    *Irql = KeAcquireSpinLockRaiseToDpc(&IopVpbLock);
}

VOID NTAPI IoReleaseVpbSpinLock(KIRQL Irql)
{
    KeReleaseSpinLock(&IopVpbLock, Irql);
}

/* ---- Mounting ---------------------------------------------------------------------------------------------------- */

static ULONG IopSystemTypeOf(PDEVICE_OBJECT Device)
{
    switch (Device->DeviceType) {
    case FILE_DEVICE_CD_ROM:
        return FILE_DEVICE_CD_ROM_FILE_SYSTEM;
    case FILE_DEVICE_TAPE:
        return FILE_DEVICE_TAPE_FILE_SYSTEM;
    default:
        return FILE_DEVICE_DISK_FILE_SYSTEM;
    }
}

static NTSTATUS IopSendVolume(PDEVICE_OBJECT System, UCHAR Minor, PVPB Vpb, PDEVICE_OBJECT Device, UCHAR Flags)
{
    PDEVICE_OBJECT Top = IoGetAttachedDevice(System);
    PIRP Irp = IopAllocateIrp(Top->StackSize, NULL);
    IO_STATUS_BLOCK Iosb = {0};
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Irp->Flags = IRP_MOUNT_COMPLETION | IRP_SYNCHRONOUS_PAGING_IO;
    Stack->MajorFunction = IRP_MJ_FILE_SYSTEM_CONTROL;
    Stack->MinorFunction = Minor;
    Stack->Flags = Flags;
    Stack->Parameters.MountVolume.Vpb = Vpb; /* VerifyVolume and LoadFileSystem lie there, too */
    Stack->Parameters.MountVolume.DeviceObject = Device;
    return IopCallAndWait(Top, Irp, &Iosb);
}

/* A recognizer has seen a volume of its kind: let it load the file system, which takes its place. */
static NTSTATUS IopLoadFileSystem(PDEVICE_OBJECT Recognizer)
{
    return IopSendVolume(Recognizer, IRP_MN_LOAD_FILE_SYSTEM, NULL, NULL, 0);
}

/* The caller holds the device's lock. */
static NTSTATUS IopMount(PDEVICE_OBJECT Device, BOOLEAN AllowRaw)
{
    PDEVICE_OBJECT Target = IoGetAttachedDevice(Device);
    ULONG Type = IopSystemTypeOf(Device);
    NTSTATUS Status = STATUS_UNRECOGNIZED_VOLUME;
    for (PLIST_ENTRY Entry = IopFileSystems.Flink, Next; Entry != &IopFileSystems; Entry = Next) {
        PIOP_FILE_SYSTEM System = CONTAINING_RECORD(Entry, IOP_FILE_SYSTEM, Entry);
        PDEVICE_OBJECT Control = System->Device;
        Next = Entry->Flink;
        if (Control->DeviceType != Type)
            continue;
        Control->ReferenceCount++; /* it may unregister meanwhile */
        PVPB Vpb = Device->Vpb;
        ObfReferenceObject(Target); /* the file system's, if it mounts: it keeps it or gives it back (fastfat, cdfs) */
        Status = IopSendVolume(Control, IRP_MN_MOUNT_VOLUME, Vpb, Target, AllowRaw ? SL_ALLOW_RAW_MOUNT : 0);
        if (!NT_SUCCESS(Status))
            ObfDereferenceObject(Target);
        if (NT_SUCCESS(Status)) {
            Vpb = Device->Vpb;
            Vpb->Flags |= VPB_MOUNTED;
            if (Vpb->DeviceObject) {
                Vpb->DeviceObject->StackSize = Target->StackSize + 1;
                IopDeviceOf(Vpb->DeviceObject)->Vpb = Vpb;
            }
        } else if (Status == STATUS_FS_DRIVER_REQUIRED && NT_SUCCESS(IopLoadFileSystem(Control))) {
            IopDereferenceDevice(Control);
            Next = IopFileSystems.Flink; /* from the beginning: the file system has registered */
            continue;
        }
        IopDereferenceDevice(Control);
        /* docs: only a volume that is not its own lets the next one look. */
        if (Status != STATUS_UNRECOGNIZED_VOLUME && Status != STATUS_FS_DRIVER_REQUIRED)
            return Status;
    }
    return Status;
}

/* Where a request on something below Device goes. Unrecognized: to the device itself. */
NTSTATUS IopMountedDevice(PDEVICE_OBJECT Device, PDEVICE_OBJECT *Where, PVPB *Vpb)
{
    NTSTATUS Status = STATUS_SUCCESS;
    *Where = Device;
    *Vpb = NULL;
    if (!Device->Vpb)
        return STATUS_SUCCESS;
    KeWaitForSingleObject(&Device->DeviceLock, Executive, KernelMode, FALSE, NULL);
    if (!(Device->Vpb->Flags & VPB_MOUNTED))
        Status = IopMount(Device, TRUE);
    if (Device->Vpb->Flags & VPB_LOCKED)
        Status = STATUS_ACCESS_DENIED;
    else if (NT_SUCCESS(Status)) {
        *Vpb = Device->Vpb;
        (*Vpb)->ReferenceCount++;
        *Where = (*Vpb)->DeviceObject;
    } else if (Status == STATUS_UNRECOGNIZED_VOLUME || Status == STATUS_FS_DRIVER_REQUIRED)
        Status = STATUS_SUCCESS;
    KeSetEvent(&Device->DeviceLock, IO_NO_INCREMENT, FALSE);
    return Status;
}

/* docs: VPB: a block that a file system has replaced goes with its last reference, unless it frees it itself. */
BOOLEAN IopReleaseVpb(PVPB Vpb)
{
    return !--Vpb->ReferenceCount && Vpb->RealDevice->Vpb != Vpb && !(Vpb->Flags & VPB_PERSISTENT);
}

VOID IopDereferenceVpb(PVPB Vpb)
{
    if (IopReleaseVpb(Vpb))
        IopFree(Vpb);
}

/* docs: IoVerifyVolume: the file system looks whether its volume is still there; another one is mounted anew. */
NTSTATUS NTAPI IoVerifyVolume(PDEVICE_OBJECT Device, BOOLEAN AllowRaw)
{
    NTSTATUS Status = STATUS_SUCCESS;
    BOOLEAN Mount = TRUE;
    if (!Device->Vpb)
        return STATUS_INVALID_DEVICE_REQUEST;
    KeWaitForSingleObject(&Device->DeviceLock, Executive, KernelMode, FALSE, NULL);
    PVPB Vpb = Device->Vpb;
    if (Vpb->Flags & VPB_MOUNTED) {
        Status = IopSendVolume(Vpb->DeviceObject, IRP_MN_VERIFY_VOLUME, Vpb, Vpb->DeviceObject,
                               AllowRaw ? SL_ALLOW_RAW_MOUNT : 0); /* docs: the volume's device, not the disk's */
        Mount = Status == STATUS_WRONG_VOLUME;
    }
    if (Mount) {
        NTSTATUS Mounted = IopMount(Device, AllowRaw);
        if (Mounted != STATUS_SUCCESS)
            Device->Flags &= ~DO_VERIFY_VOLUME;
        if (!(Status == STATUS_WRONG_VOLUME && NT_SUCCESS(Mounted)))
            Status = Mounted;
    }
    KeSetEvent(&Device->DeviceLock, IO_NO_INCREMENT, FALSE);
    return Status;
}

PDEVICE_OBJECT NTAPI IoGetDeviceToVerify(PETHREAD Thread)
{
    return Thread->DeviceToVerify;
}

VOID NTAPI IoSetDeviceToVerify(PETHREAD Thread, PDEVICE_OBJECT Device)
{
    Thread->DeviceToVerify = Device;
}

/* docs: IoSetHardErrorOrVerifyDevice: for the thread that issued the request. */
VOID NTAPI IoSetHardErrorOrVerifyDevice(PIRP Irp, PDEVICE_OBJECT Device)
{
    if (Irp->Tail.Overlay.Thread)
        ((PETHREAD)Irp->Tail.Overlay.Thread)->DeviceToVerify = Device;
}

/* ---- Top-level requests ------------------------------------------------------------------------------------------ */

PIRP NTAPI IoGetTopLevelIrp(VOID)
{
    return (PIRP)PsGetCurrentThread()->TopLevelIrp;
}

VOID NTAPI IoSetTopLevelIrp(PIRP Irp)
{
    PsGetCurrentThread()->TopLevelIrp = (ULONG_PTR)Irp;
}

/* ---- Which device is where --------------------------------------------------------------------------------------- */

static PDEVICE_OBJECT IopFileSystemOf(PFILE_OBJECT File)
{
    if (File->Vpb && File->Vpb->DeviceObject)
        return File->Vpb->DeviceObject;
    if (!(File->Flags & FO_DIRECT_DEVICE_OPEN) && File->DeviceObject->Vpb && File->DeviceObject->Vpb->DeviceObject)
        return File->DeviceObject->Vpb->DeviceObject;
    return File->DeviceObject;
}

PDEVICE_OBJECT NTAPI IoGetRelatedDeviceObject(PFILE_OBJECT File)
{
    PIOP_FILE_EXTENSION Extension = File->FileObjectExtension;
    if (Extension && Extension->TopDevice)
        return Extension->TopDevice;
    return IoGetAttachedDevice(IopFileSystemOf(File));
}

PDEVICE_OBJECT NTAPI IoGetBaseFileSystemDeviceObject(PFILE_OBJECT File)
{
    return IopFileSystemOf(File);
}

/* docs: IoGetDiskDeviceObject: the disk below a file system's volume. */
NTSTATUS NTAPI IoGetDiskDeviceObject(PDEVICE_OBJECT FileSystem, PDEVICE_OBJECT *Disk)
{
    PIOP_FILE_SYSTEM System;
    for (PLIST_ENTRY Entry = IopFileSystems.Flink; Entry != &IopFileSystems; Entry = Entry->Flink) {
        System = CONTAINING_RECORD(Entry, IOP_FILE_SYSTEM, Entry);
        if (System->Device == FileSystem)
            return STATUS_INVALID_PARAMETER; /* a control device has none */
    }
    PVPB Vpb = IopDeviceOf(FileSystem)->Vpb ? IopDeviceOf(FileSystem)->Vpb : FileSystem->Vpb;
    if (!Vpb || !(Vpb->Flags & VPB_MOUNTED))
        return Vpb ? STATUS_VOLUME_DISMOUNTED : STATUS_INVALID_PARAMETER;
    ObfReferenceObject(Vpb->RealDevice);
    *Disk = Vpb->RealDevice;
    return STATUS_SUCCESS;
}

/* docs: IoVolumeDeviceToDosName: the letter whose link goes to the device; the caller frees the buffer. */
NTSTATUS NTAPI IoVolumeDeviceToDosName(PVOID VolumeDeviceObject, PUNICODE_STRING DosName)
{
    WCHAR Name[128], Target[128], Link[] = L"\\??\\A:";
    UNICODE_STRING Device, LinkName, To;
    ULONG Bytes;
    if (!NT_SUCCESS(ObpFullName(VolumeDeviceObject, Name, sizeof(Name), &Bytes)) || !Bytes)
        return STATUS_INVALID_DEVICE_REQUEST;
    Device = (UNICODE_STRING){(USHORT)Bytes, (USHORT)Bytes, Name};
    for (WCHAR Letter = L'A'; Letter <= L'Z'; Letter++) {
        OBJECT_ATTRIBUTES Attributes;
        HANDLE Handle;
        NTSTATUS Status;
        Link[4] = Letter;
        RtlInitUnicodeString(&LinkName, Link);
        InitializeObjectAttributes(&Attributes, &LinkName, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
        KPROCESSOR_MODE Mode = KiBeginKernelMode();
        Status = NtOpenSymbolicLinkObject(&Handle, 1, &Attributes);
        To = (UNICODE_STRING){0, sizeof(Target), Target};
        if (NT_SUCCESS(Status)) {
            Status = NtQuerySymbolicLinkObject(Handle, &To, NULL);
            NtClose(Handle);
        }
        KiEndKernelMode(Mode, Status);
        if (!NT_SUCCESS(Status) || !RtlEqualUnicodeString(&To, &Device, TRUE))
            continue;
        DosName->Buffer = ExAllocatePoolWithTag(PagedPool, 3 * sizeof(WCHAR), IOP_VPB_TAG);
        if (!DosName->Buffer)
            return STATUS_INSUFFICIENT_RESOURCES;
        DosName->Length = 2 * sizeof(WCHAR);
        DosName->MaximumLength = 3 * sizeof(WCHAR);
        memcpy(DosName->Buffer, Link + 4, 3 * sizeof(WCHAR));
        return STATUS_SUCCESS;
    }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

/* docs: RtlVolumeDeviceToDosName: the older name. */
NTSTATUS NTAPI RtlVolumeDeviceToDosName(PVOID VolumeDeviceObject, PUNICODE_STRING DosName)
{
    return IoVolumeDeviceToDosName(VolumeDeviceObject, DosName);
}

/* docs: IoVolumeDeviceToGuid, IoVolumeDeviceToGuidPath: names that the mount manager has given. There is none, so no volume
 * has one. */
NTSTATUS NTAPI IoVolumeDeviceToGuid(PVOID VolumeDeviceObject, GUID *Guid)
{
    return STATUS_INVALID_DEVICE_REQUEST;
}

NTSTATUS NTAPI IoVolumeDeviceToGuidPath(PVOID VolumeDeviceObject, PUNICODE_STRING GuidPath)
{
    return STATUS_INVALID_DEVICE_REQUEST;
}

PGENERIC_MAPPING NTAPI IoGetFileObjectGenericMapping(VOID)
{
    return &IopFileType->Init.Mapping;
}

/* ---- Stream file objects ----------------------------------------------------------------------------------------- */

/* docs: IoCreateStreamFileObject: a file object that nobody has opened, for a file system's own use of the cache. The
 * last handle on it is gone from the beginning, so the file system gets IRP_MJ_CLEANUP at once. */
static PFILE_OBJECT IopMakeStream(PFILE_OBJECT File, PDEVICE_OBJECT Device, BOOLEAN Lite)
{
    PFILE_OBJECT Stream;
    if (File)
        Device = File->DeviceObject;
    if (!NT_SUCCESS(ObpAllocateObject(IopFileType, sizeof(*Stream), (PVOID *)&Stream)))
        return NULL;
    IopInitializeFile(Stream, Device);
    Device->ReferenceCount++;
    Stream->Flags |= FO_STREAM_FILE;
    if (Device->Vpb)
        Device->Vpb->ReferenceCount++;
    Stream->Vpb = Device->Vpb;
    if (Lite)
        Stream->Flags |= FO_CLEANUP_COMPLETE;
    else
        IopCloseFile(Stream, 0);
    return Stream;
}

PFILE_OBJECT NTAPI IoCreateStreamFileObject(PFILE_OBJECT File, PDEVICE_OBJECT Device)
{
    PFILE_OBJECT Stream = IopMakeStream(File, Device, FALSE);
    if (!Stream)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return Stream;
}

PFILE_OBJECT NTAPI IoCreateStreamFileObjectEx(PFILE_OBJECT File, PDEVICE_OBJECT Device, PHANDLE Handle)
{
    PFILE_OBJECT Stream = IopMakeStream(File, Device, Handle != NULL);
    if (!Stream)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    if (Handle) { /* cleanup comes with it */
        Stream->Flags &= ~FO_CLEANUP_COMPLETE;
        NTSTATUS Status = ObpCreateHandle(Stream, FILE_READ_DATA, OBJ_KERNEL_HANDLE, Handle);
        if (!NT_SUCCESS(Status)) {
            ObfDereferenceObject(Stream);
            ExRaiseStatus(Status);
        }
        Stream->Flags |= FO_HANDLE_CREATED;
    }
    return Stream;
}

/* docs: IoCreateStreamFileObjectEx2: with a device to send requests to, by the options. */
NTSTATUS NTAPI IoCreateStreamFileObjectEx2(PIO_CREATE_STREAM_FILE_OPTIONS Options, PFILE_OBJECT File,
                                           PDEVICE_OBJECT Device, PFILE_OBJECT *Result, PHANDLE Handle)
{
    *Result = NULL;
    if (!Options || Options->Size < sizeof(*Options))
        return STATUS_INVALID_PARAMETER;
    PFILE_OBJECT Stream = IopMakeStream(File, Device, TRUE);
    if (!Stream)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS Status = IopMarkFile(Stream, NULL, Options->TargetDeviceObject, NULL);
    if (NT_SUCCESS(Status) && Handle) {
        Stream->Flags &= ~FO_CLEANUP_COMPLETE;
        Status = ObpCreateHandle(Stream, FILE_READ_DATA, OBJ_KERNEL_HANDLE, Handle);
        Stream->Flags |= FO_HANDLE_CREATED;
    } else if (NT_SUCCESS(Status)) {
        Stream->Flags &= ~FO_CLEANUP_COMPLETE;
        IopCloseFile(Stream, 0);
    }
    if (NT_SUCCESS(Status))
        *Result = Stream;
    else
        ObfDereferenceObject(Stream);
    return Status;
}

PFILE_OBJECT NTAPI IoCreateStreamFileObjectLite(PFILE_OBJECT File, PDEVICE_OBJECT Device)
{
    PFILE_OBJECT Stream = IopMakeStream(File, Device, TRUE);
    if (!Stream)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return Stream;
}

/* ---- Paging ------------------------------------------------------------------------------------------------------ */

/* The cache's and the memory manager's own transfers: whole pages, past the cache, at the level documented for the
 * paging path ("Dispatch Routine IRQL and Thread Context"). Waits. */
NTSTATUS IopPageTransfer(PFILE_OBJECT File, PMDL Mdl, LONGLONG Offset, BOOLEAN Write, PIO_STATUS_BLOCK Iosb)
{
    PDEVICE_OBJECT Top = IoGetRelatedDeviceObject(File);
    PIRP Irp = IopAllocateIrp(Top->StackSize, File);
    if (!Irp)
        return Iosb->Status = STATUS_INSUFFICIENT_RESOURCES;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Irp->Flags = IRP_PAGING_IO | IRP_NOCACHE | IRP_SYNCHRONOUS_PAGING_IO;
    Irp->MdlAddress = Mdl;
    Irp->UserBuffer = (PUCHAR)Mdl->StartVa + Mdl->ByteOffset;
    Stack->MajorFunction = Write ? IRP_MJ_WRITE : IRP_MJ_READ;
    Stack->FileObject = File;
    Stack->Parameters.Read.Length = MmGetMdlByteCount(Mdl);
    Stack->Parameters.Read.ByteOffset.QuadPart = Offset;
    Iosb->Information = 0;
    return Iosb->Status = IopCallAndWait(Top, Irp, Iosb);
}

NTSTATUS NTAPI IoPageRead(PFILE_OBJECT File, PMDL Mdl, PLARGE_INTEGER Offset, PKEVENT Event, PIO_STATUS_BLOCK Iosb)
{
    NTSTATUS Status = IopPageTransfer(File, Mdl, Offset->QuadPart, FALSE, Iosb);
    KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
    return Status;
}

NTSTATUS NTAPI IoSynchronousPageWrite(PFILE_OBJECT File, PMDL Mdl, PLARGE_INTEGER Offset, PKEVENT Event,
                                      PIO_STATUS_BLOCK Iosb)
{
    NTSTATUS Status = IopPageTransfer(File, Mdl, Offset->QuadPart, TRUE, Iosb);
    KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
    return Status;
}
