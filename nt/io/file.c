/*
 * File objects: opened through a device's parse routine, closed by handle and by reference.
 *
 * Opening goes the way of Windows: the name leads to a device, its parse routine makes a FILE_OBJECT and sends
 * IRP_MJ_CREATE to the top of the device's stack. The last handle brings IRP_MJ_CLEANUP, the last reference
 * IRP_MJ_CLOSE (docs: IRP_MJ_CLEANUP, IRP_MJ_CLOSE).
 */
#include "nt.h"

#define IOP_NAME_TAG 'mNoI'
#define IOP_SYNCHRONOUS (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)

/* ---- Locks of synchronous files ---------------------------------------------------------------------------------- */

NTSTATUS IopLockFile(PFILE_OBJECT File)
{
    while (File->Busy) {
        File->Waiters++;
        NTSTATUS Status = KeWaitForSingleObject(&File->Lock, Executive, KernelMode, FALSE, NULL);
        File->Waiters--;
        if (Status != STATUS_SUCCESS)
            return Status;
    }
    File->Busy = TRUE;
    return STATUS_SUCCESS;
}

VOID IopUnlockFile(PFILE_OBJECT File)
{
    File->Busy = FALSE;
    if (File->Waiters)
        KeSetEvent(&File->Lock, IO_NO_INCREMENT, FALSE);
}

PIOP_FILE_EXTENSION IopFileExtension(PFILE_OBJECT File)
{
    if (!File->FileObjectExtension) {
        PIOP_FILE_EXTENSION Extension = ExpTryAllocate(sizeof(*Extension), 'xEoF');
        if (Extension)
            InitializeListHead(&Extension->Contexts);
        File->FileObjectExtension = Extension;
    }
    return File->FileObjectExtension;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

VOID IopInitializeFile(PFILE_OBJECT File, PDEVICE_OBJECT Device)
{
    File->Type = IO_TYPE_FILE;
    File->Size = sizeof(*File);
    File->DeviceObject = Device;
    KeInitializeEvent(&File->Lock, SynchronizationEvent, FALSE);
    KeInitializeEvent(&File->Event, NotificationEvent, FALSE);
    KeInitializeSpinLock(&File->IrpListLock);
    InitializeListHead(&File->IrpList);
}

static NTSTATUS IopMakeFile(PDEVICE_OBJECT Device, PUNICODE_STRING Name, PIOP_OPEN Open, PFILE_OBJECT *Result)
{
    static const struct {
        ULONG Option, Flag;
    } Kept[] = {{IOP_SYNCHRONOUS, FO_SYNCHRONOUS_IO},
                {FILE_SYNCHRONOUS_IO_ALERT, FO_ALERTABLE_IO},
                {FILE_NO_INTERMEDIATE_BUFFERING, FO_NO_INTERMEDIATE_BUFFERING},
                {FILE_WRITE_THROUGH, FO_WRITE_THROUGH},
                {FILE_SEQUENTIAL_ONLY, FO_SEQUENTIAL_ONLY},
                {FILE_RANDOM_ACCESS, FO_RANDOM_ACCESS}};
    PFILE_OBJECT File;
    NTSTATUS Status = ObpAllocateObject(IopFileType, sizeof(*File), (PVOID *)&File);
    if (!NT_SUCCESS(Status))
        return Status;
    IopInitializeFile(File, Device);
    File->RelatedFileObject = Open->Related;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Kept); i++)
        if (Open->Options & Kept[i].Option)
            File->Flags |= Kept[i].Flag;
    if (!(Open->ObjectAttributes & OBJ_CASE_INSENSITIVE))
        File->Flags |= FO_OPENED_CASE_SENSITIVE;
    if (Name->Length) {
        USHORT Room = Name->Length + sizeof(WCHAR); /* a file system may write here, and takes its own pool for more */
        File->FileName.Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Room, IOP_NAME_TAG);
        if (!File->FileName.Buffer) {
            File->DeviceObject = NULL;
            ObfDereferenceObject(File);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        File->FileName.Length = Name->Length;
        File->FileName.MaximumLength = Room;
        RtlCopyMemory(File->FileName.Buffer, Name->Buffer, Name->Length);
        File->FileName.Buffer[Name->Length / sizeof(WCHAR)] = 0;
    } else if (!Open->Related)
        File->Flags |= FO_VOLUME_OPEN;
    *Result = File;
    return STATUS_SUCCESS;
}

/* docs: IRP_MJ_CREATE: the subject's context, the access that was granted and what remains: access to a device itself has been
 * checked, access to what is on it is for its driver to check. */
static NTSTATUS IopMakeAccessState(PACCESS_STATE State, PVOID Aux, PFILE_OBJECT File, ULONG Access, PIOP_OPEN Open)
{
    NTSTATUS Status = SeCreateAccessState(State, Aux, Access, IoGetFileObjectGenericMapping());
    if (!NT_SUCCESS(Status))
        return Status;
    State->SecurityDescriptor = Open->Descriptor;
    if (!File->FileName.Length && !Open->Related) {
        State->PreviouslyGrantedAccess = State->RemainingDesiredAccess;
        State->RemainingDesiredAccess = 0;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS IopSendCreate(PDEVICE_OBJECT Device, PFILE_OBJECT File, ULONG Access, PIOP_OPEN Open)
{
    PDEVICE_OBJECT Top = Open->Top ? Open->Top : IoGetAttachedDevice(Device);
    ACCESS_STATE State;
    UINT64 Aux[SE_AUX_WORDS];
    IO_SECURITY_CONTEXT Security = {.AccessState = &State, .DesiredAccess = Access};
    NTSTATUS Status = IopMakeAccessState(&State, Aux, File, Access, Open);
    if (!NT_SUCCESS(Status))
        return Status;
    PIRP Irp = IopAllocateIrp(Top->StackSize, File);
    if (!Irp) {
        SeDeleteAccessState(&State);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Irp->Flags = IRP_CREATE_OPERATION | IRP_SYNCHRONOUS_API | IRP_DEFER_IO_COMPLETION;
    Irp->RequestorMode = Open->Mode;
    Irp->AssociatedIrp.SystemBuffer = Open->Ea;
    Irp->Tail.Overlay.AuxiliaryBuffer = Open->Extra;
    if (Open->HaveAllocationSize)
        Irp->Overlay.AllocationSize = Open->AllocationSize;
    Stack->MajorFunction = IRP_MJ_CREATE;
    Stack->FileObject = File;
    Stack->Flags = (UCHAR)Open->Flags;
    if (!(Open->ObjectAttributes & OBJ_CASE_INSENSITIVE))
        Stack->Flags |= SL_CASE_SENSITIVE;
    Stack->Parameters.Create.SecurityContext = &Security;
    Stack->Parameters.Create.Options = (Open->Options & 0xffffff) | Open->Disposition << 24;
    Stack->Parameters.Create.FileAttributes = (USHORT)Open->Attributes;
    Stack->Parameters.Create.ShareAccess = (USHORT)Open->Share;
    Stack->Parameters.Create.EaLength = Open->EaBytes;
    Status = IopCallAndWait(Top, Irp, &Open->Iosb);
    SeDeleteAccessState(&State);
    return Status;
}

/* docs: a device opened by its bare name for no more than a look is not mounted for it. */
#define IOP_LOOK (SYNCHRONIZE | FILE_READ_ATTRIBUTES | READ_CONTROL | ACCESS_SYSTEM_SECURITY | WRITE_OWNER | WRITE_DAC)

static BOOLEAN IopIsDirect(PUNICODE_STRING Rest, ULONG Access, PIOP_OPEN Open)
{
    if (Open->Related)
        return (Open->Related->Flags & FO_DIRECT_DEVICE_OPEN) != 0;
    return !Rest->Length && !(Access & ~IOP_LOOK);
}

static BOOLEAN IopIsStacked(PDEVICE_OBJECT Bottom, PDEVICE_OBJECT Device)
{
    while (Bottom && Bottom != Device)
        Bottom = Bottom->AttachedDevice;
    return Bottom != NULL;
}

/* docs: IRP_MJ_CREATE: STATUS_REPARSE with IO_REPARSE: the driver has put another name, from the root on, in the file
 * object's place; it becomes the rest, in memory that goes with it. */
static NTSTATUS IopTakeName(PFILE_OBJECT File, PIOP_OPEN Open, PUNICODE_STRING Rest)
{
    USHORT Bytes = File->FileName.Length;
    PWSTR Buffer;
    if (Open->Iosb.Information == IO_REMOUNT)
        return STATUS_REPARSE;
    if (Open->Iosb.Information != IO_REPARSE)
        return STATUS_IO_REPARSE_TAG_NOT_HANDLED; /* no reparse points */
    if (!(Buffer = ExpTryAllocate(Bytes + sizeof(WCHAR), IOP_NAME_TAG)))
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Buffer, File->FileName.Buffer, Bytes);
    *Rest = (UNICODE_STRING){Bytes, Bytes, Buffer};
    Open->Related = NULL;
    return STATUS_REPARSE;
}

static NTSTATUS IopTryOpen(PDEVICE_OBJECT Device, PUNICODE_STRING Rest, ULONG Access, PIOP_OPEN Open, PVOID *Object)
{
    PDEVICE_OBJECT Where = Device;
    PVPB Vpb = NULL;
    PFILE_OBJECT File;
    BOOLEAN Direct = IopIsDirect(Rest, Access, Open);
    NTSTATUS Status = STATUS_SUCCESS;
    if ((Device->Flags & DO_DEVICE_INITIALIZING) || IopDeviceOf(Device)->DeletePending || PnpIsSurprised(Device))
        return STATUS_NO_SUCH_DEVICE;
    if ((Device->Flags & DO_EXCLUSIVE) && Device->ReferenceCount && !Open->Related)
        return STATUS_ACCESS_DENIED;
    Status = IopCheckOpenAccess(Device, !Rest->Length && !Open->Related,
                                Open->ObjectAttributes & OBJ_FORCE_ACCESS_CHECK || (Open->Flags & IO_FORCE_ACCESS_CHECK)
                                    ? UserMode
                                    : Open->Mode,
                                &Access);
    if (!NT_SUCCESS(Status))
        return Status;
    Device->ReferenceCount++;
    if (Device->Vpb && !Direct)
        Status = IopMountedDevice(Device, &Where, &Vpb);
    if (NT_SUCCESS(Status) && Open->Top && !IopIsStacked(Where, Open->Top))
        Status = STATUS_INVALID_DEVICE_OBJECT_PARAMETER; /* docs: IoCreateFileSpecifyDeviceObjectHint */
    if (NT_SUCCESS(Status))
        Status = IopMakeFile(Device, Rest, Open, &File);
    if (NT_SUCCESS(Status)) {
        File->Vpb = Vpb;
        if (Direct)
            File->Flags |= FO_DIRECT_DEVICE_OPEN;
        Status = IopMarkFile(File, Open->Extra, Open->Top, Open->Transaction);
        if (NT_SUCCESS(Status))
            Status = IopSendCreate(Where, File, Access, Open);
        if (Status == STATUS_REPARSE)
            Status = IopTakeName(File, Open, Rest);
        if (!NT_SUCCESS(Status) || Status == STATUS_REPARSE) {
            File->DeviceObject = NULL; /* was never opened: no cleanup, no close */
            ObfDereferenceObject(File);
        }
    }
    if (!NT_SUCCESS(Status) || Status == STATUS_REPARSE) {
        if (Vpb)
            IopDereferenceVpb(Vpb);
        IopDereferenceDevice(Device);
        return Status;
    }
    if (Open->Related)
        ObfReferenceObject(Open->Related);
    KeSetEvent(&File->Event, IO_NO_INCREMENT, FALSE); /* the opening is a request that has ended */
    *Object = Open->File = File;
    return STATUS_SUCCESS; /* another success code is the opener's: Open->Iosb has it */
}

#define IOP_REMOUNTS 32

/* docs: IO_REMOUNT: the volume has been found to be another one: mount it, and try the same name again. */
static NTSTATUS IopOpenOn(PDEVICE_OBJECT Device, PUNICODE_STRING Rest, ULONG Access, PIOP_OPEN Open, PVOID *Object)
{
    for (ULONG i = 0; i < IOP_REMOUNTS; i++) {
        NTSTATUS Status = IopTryOpen(Device, Rest, Access, Open, Object);
        if (Status != STATUS_REPARSE || Open->Iosb.Information != IO_REMOUNT)
            return Status;
    }
    return STATUS_UNRECOGNIZED_VOLUME;
}

/* Without an open request a device's name names nothing that could be referenced (as on Windows). */
NTSTATUS IopParseDevice(PVOID Body, PUNICODE_STRING Rest, PULONG Access, PVOID Context, PVOID *Object)
{
    return Context ? IopOpenOn(Body, Rest, *Access, Context, Object) : STATUS_OBJECT_TYPE_MISMATCH;
}

NTSTATUS IopParseFile(PVOID Body, PUNICODE_STRING Rest, PULONG Access, PVOID Context, PVOID *Object)
{
    PIOP_OPEN Open = Context;
    PFILE_OBJECT Related = Body;
    if (!Open)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (Rest->Length && Rest->Buffer[0] == L'\\')
        return STATUS_INVALID_PARAMETER;
    Open->Related = Related;
    return IopOpenOn(Related->DeviceObject, Rest, *Access, Open, Object);
}

/*
 * docs: ZwCreateFile: the combinations it refuses. SYNCHRONIZE is demanded for synchronous files of user mode only: parameters of
 * kernel mode are not validated (IoCreateFile, IO_CHECK_CREATE_PARAMETERS), and many drivers open with GENERIC_READ alone.
 */
static NTSTATUS IopCheckOpen(ULONG Access, ULONG Attributes, ULONG Share, ULONG Disposition, ULONG Options,
                             KPROCESSOR_MODE Mode)
{
    ULONG Synchronous = Options & IOP_SYNCHRONOUS;
    if ((Attributes & ~FILE_ATTRIBUTE_VALID_FLAGS) || (Share & ~FILE_SHARE_VALID_FLAGS) ||
        Disposition > FILE_MAXIMUM_DISPOSITION || (Options & ~FILE_VALID_OPTION_FLAGS))
        return STATUS_INVALID_PARAMETER;
    if (Synchronous == IOP_SYNCHRONOUS || (Synchronous && Mode == UserMode && !(Access & SYNCHRONIZE)))
        return STATUS_INVALID_PARAMETER;
    if ((Options & FILE_DELETE_ON_CLOSE) && !(Access & (DELETE | GENERIC_ALL | MAXIMUM_ALLOWED)))
        return STATUS_INVALID_PARAMETER;
    if ((Options & FILE_DIRECTORY_FILE) &&
        ((Options & FILE_NON_DIRECTORY_FILE) ||
         (Disposition != FILE_CREATE && Disposition != FILE_OPEN && Disposition != FILE_OPEN_IF)))
        return STATUS_INVALID_PARAMETER;
    if ((Options & FILE_NO_INTERMEDIATE_BUFFERING) && (Access & FILE_APPEND_DATA) && !(Access & FILE_WRITE_DATA))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static NTSTATUS IopCreateFile(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES ObjectAttributes,
                              PIO_STATUS_BLOCK Iosb, PLARGE_INTEGER AllocationSize, ULONG Attributes, ULONG Share,
                              ULONG Disposition, ULONG Options, PVOID Ea, ULONG EaBytes, CREATE_FILE_TYPE Kind,
                              ULONG Flags, PIO_DRIVER_CREATE_CONTEXT Context)
{
    IOP_OPEN Open = {.Options = Options,
                     .Disposition = Disposition,
                     .Attributes = Attributes,
                     .Share = Share,
                     .Flags = Flags & 0xff,
                     .Mode = Flags & IO_NO_PARAMETER_CHECKING ? KernelMode : ExGetPreviousMode(),
                     .Ea = Ea,
                     .EaBytes = EaBytes,
                     .Extra = Context ? Context->ExtraCreateParameter : NULL,
                     .Top = Context ? Context->DeviceObjectHint : NULL,
                     .Transaction = Context ? Context->TxnParameters : NULL};
    if (Kind != CreateFileTypeNone)
        return STATUS_NOT_IMPLEMENTED; /* no pipes and mailslots here */
    if (!ObjectAttributes || ObjectAttributes->Length != sizeof(*ObjectAttributes))
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = STATUS_SUCCESS;
    if (!(Flags & IO_NO_PARAMETER_CHECKING))
        Status = IopCheckOpen(Access, Attributes, Share, Disposition, Options, Open.Mode);
    if (!NT_SUCCESS(Status))
        return Status;
    Open.ObjectAttributes = ObjectAttributes->Attributes;
    if (AllocationSize) {
        if (AllocationSize->QuadPart < 0)
            return STATUS_INVALID_PARAMETER;
        Open.AllocationSize = *AllocationSize;
        Open.HaveAllocationSize = TRUE;
    }
    Status = SeCaptureSecurityDescriptor(ObjectAttributes->SecurityDescriptor, Open.Mode, PagedPool, FALSE,
                                         &Open.Descriptor);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObpOpen(ObjectAttributes, IopFileType, Access, &Open, Handle);
    SeReleaseSecurityDescriptor(Open.Descriptor, Open.Mode, FALSE);
    if (Open.File)
        Open.File->Flags |= FO_HANDLE_CREATED;
    if (NT_SUCCESS(Status) || NT_WARNING(Status)) { /* an error leaves the caller's block alone, as Windows does */
        Iosb->Status = Open.Iosb.Status;
        Iosb->Information = Open.Iosb.Information;
    }
    if (NT_SUCCESS(Status) && NT_SUCCESS(Open.Iosb.Status))
        Status = Open.Iosb.Status;
    return Status;
}

NTSTATUS NTAPI IoCreateFile(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK Iosb, PLARGE_INTEGER AllocationSize, ULONG Attributes, ULONG Share,
                            ULONG Disposition, ULONG Options, PVOID Ea, ULONG EaBytes, CREATE_FILE_TYPE Kind,
                            PVOID Extra, ULONG Flags)
{
    return IopCreateFile(Handle, Access, ObjectAttributes, Iosb, AllocationSize, Attributes, Share, Disposition,
                         Options, Ea, EaBytes, Kind, Flags, NULL);
}

NTSTATUS NTAPI IoCreateFileEx(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES ObjectAttributes,
                              PIO_STATUS_BLOCK Iosb, PLARGE_INTEGER AllocationSize, ULONG Attributes, ULONG Share,
                              ULONG Disposition, ULONG Options, PVOID Ea, ULONG EaBytes, CREATE_FILE_TYPE Kind,
                              PVOID Extra, ULONG Flags, PIO_DRIVER_CREATE_CONTEXT Context)
{
    if (Context && Context->Size < (CSHORT)sizeof(*Context))
        return STATUS_INVALID_PARAMETER;
    return IopCreateFile(Handle, Access, ObjectAttributes, Iosb, AllocationSize, Attributes, Share, Disposition,
                         Options, Ea, EaBytes, Kind, Flags, Context);
}

/* docs: IoCreateFileSpecifyDeviceObjectHint: only the devices from the given one downward see this file. */
NTSTATUS NTAPI IoCreateFileSpecifyDeviceObjectHint(PHANDLE Handle, ACCESS_MASK Access,
                                                   POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK Iosb,
                                                   PLARGE_INTEGER AllocationSize, ULONG Attributes, ULONG Share,
                                                   ULONG Disposition, ULONG Options, PVOID Ea, ULONG EaBytes,
                                                   CREATE_FILE_TYPE Kind, PVOID Extra, ULONG Flags, PVOID Device)
{
    IO_DRIVER_CREATE_CONTEXT Context = {.Size = sizeof(Context), .DeviceObjectHint = Device};
    return IopCreateFile(Handle, Access, ObjectAttributes, Iosb, AllocationSize, Attributes, Share, Disposition,
                         Options, Ea, EaBytes, Kind, Flags, &Context);
}

NTSTATUS NTAPI NtCreateFile(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK Iosb, PLARGE_INTEGER AllocationSize, ULONG Attributes, ULONG Share,
                            ULONG Disposition, ULONG Options, PVOID Ea, ULONG EaBytes)
{
    return IoCreateFile(Handle, Access, ObjectAttributes, Iosb, AllocationSize, Attributes, Share, Disposition, Options,
                        Ea, EaBytes, CreateFileTypeNone, NULL, 0);
}

NTSTATUS NTAPI NtOpenFile(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES ObjectAttributes,
                          PIO_STATUS_BLOCK Iosb, ULONG Share, ULONG Options)
{
    return IoCreateFile(Handle, Access, ObjectAttributes, Iosb, NULL, 0, Share, FILE_OPEN, Options, NULL, 0,
                        CreateFileTypeNone, NULL, 0);
}

/* docs: ZwDeleteFile. */
NTSTATUS NTAPI NtDeleteFile(POBJECT_ATTRIBUTES ObjectAttributes)
{
    IO_STATUS_BLOCK Iosb;
    HANDLE Handle;
    NTSTATUS Status = NtOpenFile(&Handle, DELETE, ObjectAttributes, &Iosb,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_DELETE_ON_CLOSE);
    return NT_SUCCESS(Status) ? NtClose(Handle) : Status;
}

/* A file object that only tells a name of a device: nobody below has heard of it. */
PFILE_OBJECT IopMakeNamedFile(PDEVICE_OBJECT Device, PCWSTR Text)
{
    IOP_OPEN Open = {.ObjectAttributes = OBJ_CASE_INSENSITIVE};
    PFILE_OBJECT File;
    UNICODE_STRING Name;

    RtlInitUnicodeString(&Name, Text);
    if (!NT_SUCCESS(IopMakeFile(Device, &Name, &Open, &File)))
        return NULL;
    File->Vpb = Device->Vpb;
    if (File->Vpb)
        File->Vpb->ReferenceCount++;
    File->Flags |= FO_FILE_OPEN_CANCELLED;
    InterlockedIncrement(&Device->ReferenceCount);
    return File;
}

/* ---- Closing ----------------------------------------------------------------------------------------------------- */

static VOID IopSendClose(PFILE_OBJECT File, UCHAR Major)
{
    PDEVICE_OBJECT Top = IoGetRelatedDeviceObject(File);
    PIRP Irp = IopAllocateIrp(Top->StackSize, File);
    if (!Irp)
        KiInternalError("no memory to close a file");
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    IO_STATUS_BLOCK Iosb;
    Irp->Flags = IRP_CLOSE_OPERATION | IRP_SYNCHRONOUS_API;
    Stack->MajorFunction = Major;
    Stack->FileObject = File;
    IopCallAndWait(Top, Irp, &Iosb);
}

VOID IopCloseFile(PVOID Body, ULONG RemainingHandles)
{
    PFILE_OBJECT File = Body;
    if (RemainingHandles || !File->DeviceObject || (File->Flags & (FO_CLEANUP_COMPLETE | FO_FILE_OPEN_CANCELLED)))
        return;
    BOOLEAN Lock = (File->Flags & FO_SYNCHRONOUS_IO) != 0;
    if (Lock)
        IopLockFile(File);
    IopSendClose(File, IRP_MJ_CLEANUP);
    File->Flags |= FO_CLEANUP_COMPLETE;
    if (Lock)
        IopUnlockFile(File);
}

VOID IopDeleteFile(PVOID Body)
{
    PFILE_OBJECT File = Body;
    PDEVICE_OBJECT Device = File->DeviceObject;
    PVPB Last = NULL;
    if (Device && !(File->Flags & FO_FILE_OPEN_CANCELLED)) {
        if (!(File->Flags & FO_CLEANUP_COMPLETE) && (File->Flags & FO_HANDLE_CREATED))
            IopSendClose(File, IRP_MJ_CLEANUP);
        /* A file system that is told of a close asks whether others are left: this file no longer counts. */
        if (File->Vpb && IopReleaseVpb(File->Vpb))
            Last = File->Vpb;
        IopSendClose(File, IRP_MJ_CLOSE);
        if (File->RelatedFileObject)
            ObfDereferenceObject(File->RelatedFileObject);
    }
    if (File->FileName.Buffer)
        ExFreePool(File->FileName.Buffer); /* a file system may have put its own there */
    IopUntie(File);
    IopForgetKeepAlive(File);
    if (File->FileObjectExtension)
        ExpFree(File->FileObjectExtension);
    if (Last)
        IopFree(Last);
    else if (Device && File->Vpb && (File->Flags & FO_FILE_OPEN_CANCELLED))
        IopDereferenceVpb(File->Vpb);
    if (Device)
        IopDereferenceDevice(Device);
}
