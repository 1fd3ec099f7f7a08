/*
 * A filter above C: that sends opens elsewhere: another name (STATUS_REPARSE, IO_REPARSE), the same name once more
 * (IO_REMOUNT), and both without an end. (docs: IRP_MJ_CREATE, IoReplaceFileObjectName)
 */
#include "../io/test.h"

static IO_STATUS_BLOCK Iosb;
static PDEVICE_OBJECT Filter, Below;
static ULONG Redirected, Remounts, Wanted, Passed;

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static BOOLEAN Begins(PUNICODE_STRING Name, PCWSTR With)
{
    UNICODE_STRING Prefix;
    RtlInitUnicodeString(&Prefix, With);
    return RtlPrefixUnicodeString(&Prefix, Name, TRUE);
}

static NTSTATUS NTAPI Pass(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFILE_OBJECT File = Stack->FileObject;
    if (Stack->MajorFunction == IRP_MJ_CREATE && Begins(&File->FileName, L"\\from\\")) {
        static const WCHAR To[] = L"\\??\\C:\\to\\file";
        Redirected++;
        OK(IoReplaceFileObjectName(File, (PWSTR)To, sizeof(To) - sizeof(WCHAR)));
        return Finish(Irp, STATUS_REPARSE, IO_REPARSE);
    }
    if (Stack->MajorFunction == IRP_MJ_CREATE && Begins(&File->FileName, L"\\loop")) {
        static const WCHAR To[] = L"\\Device\\HarddiskVolume1\\loop";
        Redirected++;
        OK(IoReplaceFileObjectName(File, (PWSTR)To, sizeof(To) - sizeof(WCHAR)));
        return Finish(Irp, STATUS_REPARSE, IO_REPARSE);
    }
    if (Stack->MajorFunction == IRP_MJ_CREATE && Begins(&File->FileName, L"\\relative")) {
        static const WCHAR To[] = L"to\\file";
        OK(IoReplaceFileObjectName(File, (PWSTR)To, sizeof(To) - sizeof(WCHAR)));
        return Finish(Irp, STATUS_REPARSE, IO_REPARSE);
    }
    if (Stack->MajorFunction == IRP_MJ_CREATE && Begins(&File->FileName, L"\\tag"))
        return Finish(Irp, STATUS_REPARSE, 0xA000000Cul);
    if (Stack->MajorFunction == IRP_MJ_CREATE && Remounts < Wanted) {
        Remounts++;
        return Finish(Irp, STATUS_REPARSE, IO_REMOUNT);
    }
    if (Stack->MajorFunction == IRP_MJ_CREATE)
        Passed++;
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Below, Irp);
}

static NTSTATUS OpenFrom(HANDLE Root, PCWSTR Text, ULONG Disposition, ULONG Options, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Root, NULL);
    return ZwCreateFile(Handle, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &Object, &Iosb, NULL, 0,
                        FILE_SHARE_READ | FILE_SHARE_WRITE, Disposition, FILE_SYNCHRONOUS_IO_NONALERT | Options, NULL,
                        0);
}

static NTSTATUS Open(PCWSTR Text, ULONG Disposition, PHANDLE Handle)
{
    return OpenFrom(NULL, Text, Disposition, 0, Handle);
}

static VOID Attach(VOID)
{
    PFILE_OBJECT Object;
    HANDLE File;
    OK(OpenFrom(NULL, L"\\??\\C:\\to", FILE_CREATE, FILE_DIRECTORY_FILE, &File));
    OK(ZwClose(File));
    OK(Open(L"\\??\\C:\\to\\file", FILE_CREATE, &File));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, "target", 6, NULL, NULL));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    PDEVICE_OBJECT Volume = IoGetBaseFileSystemDeviceObject(Object);
    ObDereferenceObject(Object);
    OK(ZwClose(File));
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Pass;
    OK(IoCreateDevice(Driver, 0, NULL, Volume->DeviceType, 0, FALSE, &Filter));
    Filter->Flags &= ~DO_DEVICE_INITIALIZING;
    Below = IoAttachDeviceToDeviceStack(Filter, Volume);
}

static VOID another_name_is_opened(VOID)
{
    HANDLE File, Root;
    CHAR Text[8] = "";
    Attach();
    LONG Before = Below->ReferenceCount, Volume = 0;
    OK(Open(L"\\??\\C:\\from\\anything", FILE_OPEN, &File));
    CHECK(Redirected == 1 && Passed == 1);
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Text, 6, &(LARGE_INTEGER){.QuadPart = 0}, NULL));
    CHECK(!strcmp(Text, "target"));
    PFILE_OBJECT Object;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\to\\file");
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    CHECK(RtlEqualUnicodeString(&Object->FileName, &Name, FALSE));
    Volume = Object->Vpb->ReferenceCount;
    ObDereferenceObject(Object);
    OK(ZwClose(File));
    CHECK(Below->ReferenceCount == Before);
    OK(OpenFrom(NULL, L"\\??\\C:\\", FILE_OPEN, FILE_DIRECTORY_FILE, &Root));
    OK(OpenFrom(Root, L"to\\file", FILE_OPEN, 0, &File));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    CHECK(Object->Vpb->ReferenceCount == Volume + 1); /* the root's; what was redirected left nothing */
    ObDereferenceObject(Object);
    OK(ZwClose(File));
    OK(ZwClose(Root));
}

static VOID what_leads_nowhere_ends(VOID)
{
    HANDLE File;
    Redirected = 0;
    STATUS(Open(L"\\??\\C:\\loop", FILE_OPEN, &File), STATUS_OBJECT_NAME_INVALID);
    CHECK(Redirected > 10 && Redirected < 100);
    STATUS(Open(L"\\??\\C:\\relative", FILE_OPEN, &File), STATUS_OBJECT_PATH_SYNTAX_BAD);
    STATUS(Open(L"\\??\\C:\\tag", FILE_OPEN, &File), STATUS_IO_REPARSE_TAG_NOT_HANDLED);
}

static VOID the_same_name_is_tried_again(VOID)
{
    HANDLE File;
    Wanted = 3;
    OK(Open(L"\\??\\C:\\to\\file", FILE_OPEN, &File));
    CHECK(Remounts == 3);
    OK(ZwClose(File));
    Remounts = 0;
    Wanted = 1000;
    STATUS(Open(L"\\??\\C:\\to\\file", FILE_OPEN, &File), STATUS_UNRECOGNIZED_VOLUME);
    CHECK(Remounts > 1 && Remounts < 1000);
    IoDetachDevice(Below);
    IoDeleteDevice(Filter);
}

TEST_MAIN(another_name_is_opened, what_leads_nowhere_ends, the_same_name_is_tried_again)
