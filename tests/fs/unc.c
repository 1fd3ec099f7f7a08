/*
 * Two redirectors in one driver: of the older model, whose paths are opened anew on its device, and of Windows Vista's, whose
 * requests come by way of \Device\Mup. Each takes the paths of one server and opens what is not called "missing".
 * (docs: FsRtlRegisterUncProvider, FsRtlRegisterUncProviderEx, IOCTL_REDIR_QUERY_PATH, IOCTL_REDIR_QUERY_PATH_EX)
 */
#include "../io/test.h"

static PDEVICE_OBJECT Old, New;
static HANDLE OldMup, NewMup;
static IO_STATUS_BLOCK Iosb;
static ULONG Asked, Opened, Closed;
static WCHAR Seen[64];
static const WCHAR *OldServer = L"\\old\\", *NewServer = L"\\new\\";

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static BOOLEAN Begins(PCWSTR Text, SIZE_T Bytes, PCWSTR With)
{
    SIZE_T Length = wcslen(With);
    return Bytes >= Length * sizeof(WCHAR) && !_wcsnicmp(Text, With, Length);
}

static NTSTATUS NTAPI Create(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    if (!File->FileName.Length) /* the device itself */
        return Finish(Irp, STATUS_SUCCESS, 0);
    CHECK(File->FileName.Length < sizeof(Seen));
    RtlZeroMemory(Seen, sizeof(Seen));
    RtlCopyMemory(Seen, File->FileName.Buffer, File->FileName.Length);
    if (wcsstr(Seen, L"missing"))
        return Finish(Irp, STATUS_OBJECT_NAME_NOT_FOUND, 0);
    Opened++;
    File->FsContext = Device;
    File->FsContext2 = File;
    return Finish(Irp, STATUS_SUCCESS, FILE_OPENED);
}

static NTSTATUS NTAPI Close(PDEVICE_OBJECT Device, PIRP Irp)
{
    if (IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext)
        Closed++;
    return Finish(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI Other(PDEVICE_OBJECT Device, PIRP Irp)
{
    return Finish(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI Read(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    CHECK(!Stack->FileObject->FsContext ||
          (Stack->FileObject->FsContext == Device && Stack->FileObject->FsContext2 == Stack->FileObject));
    *(PUCHAR)Irp->UserBuffer = 'r';
    return Finish(Irp, STATUS_SUCCESS, 1);
}

/* docs: QUERY_PATH_RESPONSE: LengthAccepted is of the prefix, in bytes. */
static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PQUERY_PATH_RESPONSE Response = Irp->UserBuffer;
    BOOLEAN Mine;
    CHECK(Irp->RequestorMode == KernelMode);
    CHECK(Stack->Parameters.DeviceIoControl.OutputBufferLength >= sizeof(*Response));
    Asked++;
    if (Device == New) {
        PQUERY_PATH_REQUEST_EX Request = Stack->Parameters.DeviceIoControl.Type3InputBuffer;
        CHECK(Stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_REDIR_QUERY_PATH_EX);
        CHECK(Stack->Parameters.DeviceIoControl.InputBufferLength == sizeof(*Request));
        CHECK(Request->pSecurityContext->AccessState != NULL);
        Mine = Begins(Request->PathName.Buffer, Request->PathName.Length, NewServer);
    } else {
        PQUERY_PATH_REQUEST Request = Stack->Parameters.DeviceIoControl.Type3InputBuffer;
        CHECK(Stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_REDIR_QUERY_PATH);
        CHECK(Stack->FileObject != NULL);
        CHECK(Request->SecurityContext->AccessState != NULL);
        Mine = Begins(Request->FilePathName, Request->PathNameLength, OldServer);
    }
    Response->LengthAccepted = Mine ? (ULONG)wcslen(L"\\old\\share") * sizeof(WCHAR) : 0;
    return Finish(Irp, Mine ? STATUS_SUCCESS : STATUS_BAD_NETWORK_PATH, 0);
}

static NTSTATUS OpenFrom(HANDLE Root, PCWSTR Text, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Root, NULL);
    return ZwCreateFile(Handle, GENERIC_READ | SYNCHRONIZE, &Object, &Iosb, NULL, 0, FILE_SHARE_READ, FILE_OPEN,
                        FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static NTSTATUS Open(PCWSTR Text, PHANDLE Handle)
{
    return OpenFrom(NULL, Text, Handle);
}

static VOID redirectors_register(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\OldRedirector"), Nothing = {0};
    UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\Device\\NewRedirector");
    HANDLE Again;
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Other;
    Driver->MajorFunction[IRP_MJ_CREATE] = Create;
    Driver->MajorFunction[IRP_MJ_CLOSE] = Close;
    Driver->MajorFunction[IRP_MJ_READ] = Read;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE, FALSE, &Old));
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE, FALSE, &New));
    Old->Flags &= ~DO_DEVICE_INITIALIZING;
    New->Flags &= ~DO_DEVICE_INITIALIZING;
    New->StackSize = 3;
    STATUS(FsRtlRegisterUncProvider(&OldMup, &Nothing, FALSE), STATUS_INVALID_USER_BUFFER);
    OK(FsRtlRegisterUncProvider(&OldMup, &Name, FALSE));
    OK(FsRtlRegisterUncProviderEx(&NewMup, &Link, New, 0));
    STATUS(FsRtlRegisterUncProviderEx(&Again, &Link, New, 0), STATUS_OBJECT_NAME_COLLISION);
    CHECK(!Asked && !Opened);
}

static VOID the_older_model_opens_on_its_device(VOID)
{
    PFILE_OBJECT File;
    HANDLE Handle;
    CHAR Byte = 0;
    OK(Open(L"\\??\\UNC\\old\\share\\file", &Handle));
    CHECK(Asked == 1 && Opened == 1 && !wcscmp(Seen, L"\\old\\share\\file"));
    OK(ObReferenceObjectByHandle(Handle, 0, *IoFileObjectType, KernelMode, (PVOID *)&File, NULL));
    CHECK(File->DeviceObject == Old);
    ObDereferenceObject(File);
    OK(ZwReadFile(Handle, NULL, NULL, NULL, &Iosb, &Byte, 1, &(LARGE_INTEGER){.QuadPart = 0}, NULL));
    CHECK(Byte == 'r');
    OK(ZwClose(Handle));
    STATUS(Open(L"\\??\\UNC\\old\\share\\missing", &Handle), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Opened == 1 && Closed == 1);
}

static VOID the_newer_model_is_passed_through(VOID)
{
    UNICODE_STRING Redirector = RTL_CONSTANT_STRING(L"\\Device\\NewRedirector");
    UCHAR Answer[128] __attribute__((aligned(8)));
    PFSRTL_MUP_PROVIDER_INFO_LEVEL_2 Whose = (PVOID)Answer;
    PFILE_OBJECT File;
    HANDLE Handle, Below;
    CHAR Byte = 0;
    Asked = Opened = Closed = 0;
    OK(Open(L"\\??\\UNC\\new\\share", &Handle));
    CHECK(Asked == 2 && Opened == 1 && !wcscmp(Seen, L"\\new\\share")); /* the one registered before was asked, too */
    OK(ObReferenceObjectByHandle(Handle, 0, *IoFileObjectType, KernelMode, (PVOID *)&File, NULL));
    CHECK(File->DeviceObject->DeviceType == FILE_DEVICE_MULTI_UNC_PROVIDER);
    ULONG32 Id = 0;
    ULONG Bytes = sizeof(Answer);
    OK(FsRtlMupGetProviderIdFromName(&Redirector, &Id));
    OK(FsRtlMupGetProviderInfoFromFileObject(File, 2, Answer, &Bytes));
    CHECK(Whose->ProviderId == Id && RtlEqualUnicodeString(&Whose->ProviderName, &Redirector, FALSE));
    Bytes = sizeof(ULONG32);
    OK(FsRtlMupGetProviderInfoFromFileObject(File, 1, Answer, &Bytes));
    STATUS(FsRtlMupGetProviderInfoFromFileObject(File, 2, Answer, &Bytes), STATUS_BUFFER_TOO_SMALL);
    CHECK(Bytes == sizeof(*Whose) + Redirector.Length);
    STATUS(FsRtlMupGetProviderInfoFromFileObject(File, 3, Answer, &Bytes), STATUS_INVALID_PARAMETER);
    ObDereferenceObject(File);
    OK(ZwReadFile(Handle, NULL, NULL, NULL, &Iosb, &Byte, 1, &(LARGE_INTEGER){.QuadPart = 0}, NULL));
    CHECK(Byte == 'r');
    OK(OpenFrom(Handle, L"file", &Below));
    CHECK(Asked == 2 && Opened == 2 && !wcscmp(Seen, L"file"));
    OK(ZwClose(Below));
    STATUS(OpenFrom(Handle, L"missing", &Below), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwClose(Handle));
    Asked = 0;
    OK(Open(L"\\Device\\NewRedirector\\;Z:0\\new\\share\\more", &Handle)); /* by its own name nobody is asked */
    CHECK(!Asked && Opened == 3 && !wcscmp(Seen, L"\\;Z:0\\new\\share\\more"));
    OK(ZwClose(Handle));
    OK(Open(L"\\Device\\NewRedirector", &Handle)); /* to control it */
    OK(ZwReadFile(Handle, NULL, NULL, NULL, &Iosb, &Byte, 1, &(LARGE_INTEGER){.QuadPart = 0}, NULL));
    OK(ZwClose(Handle));
    STATUS(Open(L"\\Device\\Mup\\;NewRedirect\\new\\share", &Handle), STATUS_BAD_NETWORK_PATH);
    STATUS(Open(L"\\??\\UNC\\new\\share\\missing", &Handle), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Opened == 3 && Closed == 3);
}

static VOID nobody_takes_the_rest(VOID)
{
    HANDLE Handle;
    Asked = 0;
    STATUS(Open(L"\\??\\UNC\\other\\share", &Handle), STATUS_BAD_NETWORK_PATH);
    CHECK(Asked == 2);
}

static VOID the_end_of_a_registration(VOID)
{
    HANDLE Handle;
    FsRtlDeregisterUncProvider(OldMup);
    Asked = 0;
    STATUS(Open(L"\\??\\UNC\\old\\share\\file", &Handle), STATUS_BAD_NETWORK_PATH);
    CHECK(Asked == 1);
    FsRtlDeregisterUncProvider(NewMup);
    STATUS(Open(L"\\??\\UNC\\new\\share\\file", &Handle), STATUS_BAD_NETWORK_PATH);
    STATUS(Open(L"\\Device\\NewRedirector\\new\\share\\file", &Handle), STATUS_OBJECT_PATH_NOT_FOUND);
    ULONG32 Id;
    UNICODE_STRING Redirector = RTL_CONSTANT_STRING(L"\\Device\\NewRedirector");
    STATUS(FsRtlMupGetProviderIdFromName(&Redirector, &Id), STATUS_OBJECT_NAME_NOT_FOUND);
    IoDeleteDevice(Old);
    IoDeleteDevice(New);
}

TEST_MAIN(redirectors_register, the_older_model_opens_on_its_device, the_newer_model_is_passed_through,
          nobody_takes_the_rest, the_end_of_a_registration)
