/*
 * The multiple UNC provider: \Device\Mup, to which \??\UNC leads, and the redirectors that register with it.
 *
 * A create asks the providers in the order of their registration whether the path is theirs. With one of the older model the
 * open begins anew under the name of its device, and we are out of the way. With one of Windows Vista's model, which has an
 * unnamed device, this request and all that follow on the file pass through us. The link made in its name leads to
 * \Device\Mup\;NAME, as object browsers show it: such a path is that provider's without a question, and it gets what follows.
 * A registration is an open file of \Device\Mup: closing its handle ends it. (docs: FsRtlRegisterUncProvider, FsRtlRegisterUncProviderEx, FsRtlDeregisterUncProvider,
 * IOCTL_REDIR_QUERY_PATH, IOCTL_REDIR_QUERY_PATH_EX, "Support for UNC Naming and MUP")
 *
 * DIFFERS: providers are asked anew at each create: no prefixes are kept. \Device\Mup exists from the first registration on.
 * It has no fast I/O routines: a file of a provider of Vista's model gets requests only.
 */
#include "nt.h"

#define UNC_TAG ' cnU'

typedef struct _UNC_PROVIDER {
    LIST_ENTRY Entry;
    ULONG Number;          /* ascending in the list */
    ULONG References;      /* its registration, each file that passes through us, each question */
    PDEVICE_OBJECT Device; /* NULL = the older model */
    UNICODE_STRING Name;   /* of its device, or of the link that leads to us; in memory that follows */
    UNICODE_STRING Last;   /* the name's last component */
} UNC_PROVIDER, *PUNC_PROVIDER;

static LIST_ENTRY UncProviders = {&UncProviders, &UncProviders};
static ULONG UncCount;
static PDEVICE_OBJECT UncMup;
static UNICODE_STRING UncMupName = RTL_CONSTANT_STRING(L"\\Device\\Mup");

static NTSTATUS UncFinish(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID UncDereference(PUNC_PROVIDER Provider)
{
    if (--Provider->References)
        return;
    if (Provider->Device)
        ObfDereferenceObject(Provider->Device);
    ExpFree(Provider);
}

/* ---- Whose is a path? -------------------------------------------------------------------------------------------- */

/* The provider after number After, referenced. */
static PUNC_PROVIDER UncNext(ULONG After)
{
    for (PLIST_ENTRY Entry = UncProviders.Flink; Entry != &UncProviders; Entry = Entry->Flink) {
        PUNC_PROVIDER Provider = CONTAINING_RECORD(Entry, UNC_PROVIDER, Entry);
        if (Provider->Number > After) {
            Provider->References++;
            return Provider;
        }
    }
    return NULL;
}

static NTSTATUS UncSend(PDEVICE_OBJECT Device, PFILE_OBJECT File, ULONG Code, PVOID Request, ULONG Bytes)
{
    QUERY_PATH_RESPONSE Response = {0};
    IO_STATUS_BLOCK Iosb;
    KEVENT Event;
    NTSTATUS Status;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    PIRP Irp =
        IoBuildDeviceIoControlRequest(Code, Device, Request, Bytes, &Response, sizeof(Response), FALSE, &Event, &Iosb);
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    Irp->RequestorMode = KernelMode;
    IoGetNextIrpStackLocation(Irp)->FileObject = File;
    Status = IofCallDriver(Device, Irp);
    if (Status == STATUS_PENDING) {
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
        Status = Iosb.Status;
    }
    return Status;
}

static NTSTATUS UncAskByName(PUNC_PROVIDER Provider, PUNICODE_STRING Path, PIO_SECURITY_CONTEXT Context)
{
    ULONG Bytes = sizeof(QUERY_PATH_REQUEST) + Path->Length;
    PQUERY_PATH_REQUEST Request = ExpTryAllocate(Bytes, UNC_TAG);
    PDEVICE_OBJECT Device;
    PFILE_OBJECT File;
    NTSTATUS Status;
    if (!Request)
        return STATUS_INSUFFICIENT_RESOURCES;
    Request->PathNameLength = Path->Length;
    Request->SecurityContext = Context;
    RtlCopyMemory(Request->FilePathName, Path->Buffer, Path->Length);
    Status = IoGetDeviceObjectPointer(&Provider->Name, FILE_READ_ATTRIBUTES, &File, &Device);
    if (NT_SUCCESS(Status)) {
        Status = UncSend(Device, File, IOCTL_REDIR_QUERY_PATH, Request, Bytes);
        ObfDereferenceObject(File);
    }
    ExpFree(Request);
    return Status;
}

static NTSTATUS UncAsk(PUNC_PROVIDER Provider, PUNICODE_STRING Path, PIRP Create)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Create);
    PIO_SECURITY_CONTEXT Context = Stack->Parameters.Create.SecurityContext;
    QUERY_PATH_REQUEST_EX Request = {.pSecurityContext = Context,
                                     .EaLength = Stack->Parameters.Create.EaLength,
                                     .pEaBuffer = Create->AssociatedIrp.SystemBuffer,
                                     .PathName = *Path};
    return Provider->Device ? UncSend(Provider->Device, NULL, IOCTL_REDIR_QUERY_PATH_EX, &Request, sizeof(Request))
                            : UncAskByName(Provider, Path, Context);
}

/* The first provider that takes the path, referenced. */
static PUNC_PROVIDER UncResolve(PUNICODE_STRING Path, PIRP Create)
{
    PUNC_PROVIDER Provider;
    for (ULONG After = 0; (Provider = UncNext(After)) != NULL; After = Provider->Number, UncDereference(Provider))
        if (NT_SUCCESS(UncAsk(Provider, Path, Create)))
            return Provider;
    return NULL;
}

/* The provider that a path \;NAME... names, referenced; the path without that. */
static PUNC_PROVIDER UncNamed(PUNICODE_STRING Path)
{
    UNICODE_STRING Name = {.Buffer = Path->Buffer + 2};
    while (Name.Length + 2 * sizeof(WCHAR) < Path->Length && Name.Buffer[Name.Length / sizeof(WCHAR)] != L'\\')
        Name.Length += sizeof(WCHAR);
    for (PLIST_ENTRY Entry = UncProviders.Flink; Entry != &UncProviders; Entry = Entry->Flink) {
        PUNC_PROVIDER Provider = CONTAINING_RECORD(Entry, UNC_PROVIDER, Entry);
        if (!Provider->Device || !RtlEqualUnicodeString(&Provider->Last, &Name, TRUE))
            continue;
        Path->Length -= Name.Length + 2 * sizeof(WCHAR);
        RtlMoveMemory(Path->Buffer, (PUCHAR)Name.Buffer + Name.Length, Path->Length);
        Provider->References++;
        return Provider;
    }
    return NULL;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static PUNC_PROVIDER UncProviderOf(PFILE_OBJECT File)
{
    PIOP_FILE_EXTENSION Extension = File ? File->FileObjectExtension : NULL;
    return Extension ? Extension->UncProvider : NULL;
}

/* The file passes through us from here on, if the provider opens it. Takes the reference. */
static NTSTATUS UncOpenThrough(PUNC_PROVIDER Provider, PFILE_OBJECT File, PIRP Irp)
{
    PIOP_FILE_EXTENSION Extension = IopFileExtension(File);
    NTSTATUS Status = Extension ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    if (Extension) {
        Extension->UncProvider = Provider;
        Status = IoForwardIrpSynchronously(Provider->Device, Irp) ? Irp->IoStatus.Status : STATUS_INVALID_PARAMETER;
    }
    if (!NT_SUCCESS(Status) || Status == STATUS_REPARSE) {
        if (Extension)
            Extension->UncProvider = NULL;
        UncDereference(Provider);
    }
    return UncFinish(Irp, Status);
}

/* The name of the provider's device before the path, and from the root again. Takes the reference. */
static NTSTATUS UncOpenAnew(PUNC_PROVIDER Provider, PFILE_OBJECT File, PIRP Irp)
{
    ULONG Bytes = (ULONG)Provider->Name.Length + File->FileName.Length;
    PWCHAR Text = Bytes < MAXUSHORT ? ExpTryAllocate(Bytes, UNC_TAG) : NULL;
    NTSTATUS Status = Bytes < MAXUSHORT ? STATUS_INSUFFICIENT_RESOURCES : STATUS_NAME_TOO_LONG;
    if (Text) {
        RtlCopyMemory(Text, Provider->Name.Buffer, Provider->Name.Length);
        RtlCopyMemory((PUCHAR)Text + Provider->Name.Length, File->FileName.Buffer, File->FileName.Length);
        Status = IoReplaceFileObjectName(File, Text, (USHORT)Bytes);
        ExpFree(Text);
    }
    UncDereference(Provider);
    if (NT_SUCCESS(Status)) {
        Irp->IoStatus.Information = IO_REPARSE;
        Status = STATUS_REPARSE;
    }
    return UncFinish(Irp, Status);
}

static NTSTATUS NTAPI UncCreate(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PUNC_PROVIDER Provider = UncProviderOf(File->RelatedFileObject);
    if (Provider) {
        Provider->References++;
        return UncOpenThrough(Provider, File, Irp);
    }
    if (File->FileName.Length <= sizeof(WCHAR))
        return UncFinish(Irp, STATUS_SUCCESS); /* of \Device\Mup itself */
    Provider = File->FileName.Buffer[1] == L';' ? UncNamed(&File->FileName) : UncResolve(&File->FileName, Irp);
    if (!Provider)
        return UncFinish(Irp, STATUS_BAD_NETWORK_PATH);
    return Provider->Device ? UncOpenThrough(Provider, File, Irp) : UncOpenAnew(Provider, File, Irp);
}

static VOID UncEnd(PUNC_PROVIDER Provider)
{
    RemoveEntryList(&Provider->Entry);
    if (Provider->Device)
        IoDeleteSymbolicLink(&Provider->Name);
    UncDereference(Provider);
}

static NTSTATUS NTAPI UncPass(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFILE_OBJECT File = Stack->FileObject;
    PUNC_PROVIDER Provider = UncProviderOf(File);
    UCHAR Major = Stack->MajorFunction;
    NTSTATUS Status;
    if (!Provider) {
        if (Major == IRP_MJ_CLEANUP && File->FsContext)
            UncEnd(File->FsContext);
        return UncFinish(Irp, Major == IRP_MJ_CLEANUP || Major == IRP_MJ_CLOSE ? STATUS_SUCCESS
                                                                               : STATUS_INVALID_DEVICE_REQUEST);
    }
    if (Major == IRP_MJ_CLOSE)
        ((PIOP_FILE_EXTENSION)File->FileObjectExtension)->UncProvider = NULL;
    IoSkipCurrentIrpStackLocation(Irp);
    Status = IofCallDriver(Provider->Device, Irp);
    if (Major == IRP_MJ_CLOSE)
        UncDereference(Provider);
    return Status;
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static VOID UncStart(VOID)
{
    UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\GLOBAL??\\UNC");
    PDRIVER_OBJECT Driver = IopMakeDriver(L"\\FileSystem\\Mup", NULL);
    KI_ASSERT(Driver);
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = UncPass;
    Driver->MajorFunction[IRP_MJ_CREATE] = UncCreate;
    KI_ASSERT(NT_SUCCESS(
        IoCreateDevice(Driver, 0, &UncMupName, FILE_DEVICE_MULTI_UNC_PROVIDER, FILE_REMOTE_DEVICE, FALSE, &UncMup)));
    UncMup->Flags &= ~DO_DEVICE_INITIALIZING;
    ObpCreateLink(&Link, &UncMupName); /* a driver may have made it before */
}

static NTSTATUS UncMakeLink(PUNC_PROVIDER Provider)
{
    UNICODE_STRING Target;
    USHORT Bytes = UncMupName.Length + 2 * sizeof(WCHAR) + Provider->Last.Length;
    NTSTATUS Status;
    Target = (UNICODE_STRING){0, Bytes, ExpTryAllocate(Bytes, UNC_TAG)};
    if (!Target.Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlAppendUnicodeStringToString(&Target, &UncMupName);
    RtlAppendUnicodeToString(&Target, L"\\;");
    RtlAppendUnicodeStringToString(&Target, &Provider->Last);
    Status = ObpCreateLink(&Provider->Name, &Target);
    ExpFree(Target.Buffer);
    return Status;
}

static NTSTATUS UncOpenMup(PUNC_PROVIDER Provider, PHANDLE Handle)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    PFILE_OBJECT File;
    NTSTATUS Status;
    InitializeObjectAttributes(&Attributes, &UncMupName, OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = IoCreateFile(Handle, GENERIC_READ, &Attributes, &Iosb, NULL, 0, FILE_SHARE_READ | FILE_SHARE_WRITE,
                          FILE_OPEN, 0, NULL, 0, CreateFileTypeNone, NULL, IO_NO_PARAMETER_CHECKING);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObReferenceObjectByHandle(*Handle, 0, *IoFileObjectType, KernelMode, (PVOID *)&File, NULL);
    KI_ASSERT(NT_SUCCESS(Status));
    File->FsContext = Provider;
    ObfDereferenceObject(File);
    return STATUS_SUCCESS;
}

static NTSTATUS UncRegister(PHANDLE Handle, PUNICODE_STRING Name, PDEVICE_OBJECT Device)
{
    PUNC_PROVIDER Provider = ExpTryAllocate(sizeof(*Provider) + Name->Length, UNC_TAG);
    NTSTATUS Status;
    if (!Provider)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!UncMup)
        UncStart();
    *Provider = (UNC_PROVIDER){.Number = ++UncCount,
                               .References = 1,
                               .Device = Device,
                               .Name = {Name->Length, Name->Length, (PWCHAR)(Provider + 1)}};
    RtlCopyMemory(Provider + 1, Name->Buffer, Name->Length);
    Provider->Last = (UNICODE_STRING){.Buffer = Provider->Name.Buffer + Name->Length / sizeof(WCHAR)};
    while (Provider->Last.Length < Name->Length && Provider->Last.Buffer[-1] != L'\\') {
        Provider->Last.Buffer--;
        Provider->Last.Length += sizeof(WCHAR);
    }
    Status = Device ? UncMakeLink(Provider) : STATUS_SUCCESS;
    if (NT_SUCCESS(Status)) {
        Status = UncOpenMup(Provider, Handle);
        if (!NT_SUCCESS(Status) && Device)
            IoDeleteSymbolicLink(&Provider->Name);
    }
    if (!NT_SUCCESS(Status)) {
        ExpFree(Provider);
        return Status;
    }
    if (Device) {
        ObfReferenceObject(Device);
        if (UncMup->StackSize <= Device->StackSize)
            UncMup->StackSize = Device->StackSize + 1;
    }
    InsertTailList(&UncProviders, &Provider->Entry);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI FsRtlRegisterUncProvider(PHANDLE Handle, PUNICODE_STRING Name, BOOLEAN MailslotsSupported)
{
    return Name->Length ? UncRegister(Handle, Name, NULL) : STATUS_INVALID_USER_BUFFER;
}

NTSTATUS NTAPI FsRtlRegisterUncProviderEx(PHANDLE Handle, PUNICODE_STRING Name, PDEVICE_OBJECT Device, ULONG Flags)
{
    return Name->Length && Device ? UncRegister(Handle, Name, Device) : STATUS_INVALID_PARAMETER;
}

VOID NTAPI FsRtlDeregisterUncProvider(HANDLE Handle)
{
    ObCloseHandle(Handle, KernelMode);
}

/* ---- Questions (docs: FsRtlMupGetProviderIdFromName, FsRtlMupGetProviderInfoFromFileObject) ----------------------- */

NTSTATUS NTAPI FsRtlMupGetProviderIdFromName(PUNICODE_STRING Name, PULONG32 Id)
{
    for (PLIST_ENTRY Entry = UncProviders.Flink; Entry != &UncProviders; Entry = Entry->Flink) {
        PUNC_PROVIDER Provider = CONTAINING_RECORD(Entry, UNC_PROVIDER, Entry);
        if (!RtlEqualUnicodeString(&Provider->Name, Name, TRUE))
            continue;
        *Id = Provider->Number;
        return STATUS_SUCCESS;
    }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

NTSTATUS NTAPI FsRtlMupGetProviderInfoFromFileObject(PFILE_OBJECT File, ULONG Level, PVOID Buffer, PULONG Bytes)
{
    PUNC_PROVIDER Provider = UncProviderOf(File);
    PFSRTL_MUP_PROVIDER_INFO_LEVEL_2 Information = Buffer;
    if (!Provider || (Level != 1 && Level != 2))
        return STATUS_INVALID_PARAMETER;
    ULONG Room = *Bytes, Name = Provider->Name.Length;
    *Bytes = Level == 1 ? sizeof(FSRTL_MUP_PROVIDER_INFO_LEVEL_1) : sizeof(*Information) + Name;
    if (Room < *Bytes)
        return STATUS_BUFFER_TOO_SMALL;
    Information->ProviderId = Provider->Number; /* first at both levels */
    if (Level == 2) {
        Information->ProviderName = (UNICODE_STRING){(USHORT)Name, (USHORT)Name, (PWSTR)(Information + 1)};
        RtlCopyMemory(Information + 1, Provider->Name.Buffer, Name);
    }
    return STATUS_SUCCESS;
}
