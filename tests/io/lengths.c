/*
 * Lengths of zero and of 2^32 - 1, and strings without a terminator or with a length that can't be.
 *
 * The rules that the expected results follow from: the I/O manager makes a system buffer or an MDL only for a length above
 * zero; where it can make none the request never reaches the driver (STATUS_INSUFFICIENT_RESOURCES); with METHOD_NEITHER
 * everything goes down as it came. A UNICODE_STRING ends where its length says. (docs: Methods for Accessing Data Buffers,
 * Using Neither Buffered Nor Direct I/O, IoAllocateMdl: at most 4 GiB - PAGE_SIZE, UNICODE_STRING, ZwQueryValueKey)
 */
#include "test.h"

#define CODE(Method) CTL_CODE(0x22, 1, Method, FILE_ANY_ACCESS)
#define ALL_BITS 0xffffffffu

static ULONG Requests;
static struct {
    PVOID System, Neither, User;
    PMDL Mdl;
    ULONG In, Out;
} Seen;

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);

    Requests++;
    if (Stack->MajorFunction == IRP_MJ_DEVICE_CONTROL) {
        Seen.System = Irp->AssociatedIrp.SystemBuffer;
        Seen.Neither = Stack->Parameters.DeviceIoControl.Type3InputBuffer;
        Seen.User = Irp->UserBuffer;
        Seen.Mdl = Irp->MdlAddress;
        Seen.In = Stack->Parameters.DeviceIoControl.InputBufferLength;
        Seen.Out = Stack->Parameters.DeviceIoControl.OutputBufferLength;
    }
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS Ask(HANDLE File, ULONG Method, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes)
{
    IO_STATUS_BLOCK Iosb;

    RtlFillMemory(&Seen, sizeof(Seen), 0xcc);
    return ZwDeviceIoControlFile(File, NULL, NULL, NULL, &Iosb, CODE(Method), In, InBytes, Out, OutBytes);
}

static NTSTATUS Open(PCWSTR Path, ULONG Disposition, PHANDLE File)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;

    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(File, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, 0, Disposition,
                        FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static VOID control_codes(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Lengths");
    PDEVICE_OBJECT Device;
    UCHAR In[16], Out[16];
    HANDLE File;
    ULONG Before;

    OK(IoCreateDevice(Driver, 0, &Name, 0x22, 0, FALSE, &Device));
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Control;
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    OK(Open(L"\\Device\\Lengths", FILE_OPEN, &File));

    OK(Ask(File, METHOD_BUFFERED, In, 0, Out, 0));
    CHECK(!Seen.System && !Seen.Mdl && !Seen.In && !Seen.Out);
    OK(Ask(File, METHOD_BUFFERED, NULL, 0, Out, 8));
    CHECK(Seen.System && !Seen.In && Seen.Out == 8);
    OK(Ask(File, METHOD_OUT_DIRECT, In, 0, Out, 0));
    CHECK(!Seen.System && !Seen.Mdl);
    OK(Ask(File, METHOD_IN_DIRECT, In, 8, Out, 0));
    CHECK(Seen.System && !Seen.Mdl && Seen.In == 8);
    OK(Ask(File, METHOD_NEITHER, In, 0, Out, ALL_BITS));
    CHECK(Seen.Neither == In && Seen.User == Out && !Seen.In && Seen.Out == ALL_BITS);

    Before = Requests;
    STATUS(Ask(File, METHOD_BUFFERED, In, ALL_BITS, Out, 8), STATUS_INSUFFICIENT_RESOURCES);
    STATUS(Ask(File, METHOD_BUFFERED, In, 8, Out, ALL_BITS), STATUS_INSUFFICIENT_RESOURCES);
    STATUS(Ask(File, METHOD_OUT_DIRECT, In, 8, Out, ALL_BITS), STATUS_INSUFFICIENT_RESOURCES);
    STATUS(Ask(File, METHOD_IN_DIRECT, In, ALL_BITS, Out, 8), STATUS_INSUFFICIENT_RESOURCES);
    CHECK(Requests == Before);
    CHECK(!IoAllocateMdl(In, ALL_BITS, FALSE, FALSE, NULL));
    OK(ZwClose(File));
    IoDeleteDevice(Device);
}

static VOID files(VOID)
{
    FILE_STANDARD_INFORMATION Standard;
    LARGE_INTEGER Start = {.QuadPart = 0};
    IO_STATUS_BLOCK Iosb;
    CHAR Text[8] = "abcdefg";
    HANDLE File, Folder;

    OK(Open(L"\\??\\C:\\lengths.txt", FILE_OVERWRITE_IF, &File));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Text, 0, &Start, NULL));
    CHECK(Iosb.Information == 0);
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Text, 0, &Start, NULL)); /* at the end of the file, too */
    CHECK(Iosb.Information == 0);
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Text, 3, &Start, NULL));
    RtlFillMemory(Text, sizeof(Text), '.');
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Text, ALL_BITS, &Start, NULL)); /* no more than the file has */
    CHECK(Iosb.Information == 3 && !memcmp(Text, "abc.....", 8));
    STATUS(ZwQueryInformationFile(File, &Iosb, &Standard, 0, FileStandardInformation), STATUS_INFO_LENGTH_MISMATCH);
    OK(ZwQueryInformationFile(File, &Iosb, &Standard, ALL_BITS, FileStandardInformation));
    CHECK(Standard.EndOfFile.QuadPart == 3);
    STATUS(ZwSetInformationFile(File, &Iosb, &Start, 0, FileEndOfFileInformation), STATUS_INFO_LENGTH_MISMATCH);
    STATUS(ZwQueryVolumeInformationFile(File, &Iosb, &Standard, 0, FileFsSizeInformation), STATUS_INFO_LENGTH_MISMATCH);
    OK(ZwClose(File));
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\");
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwOpenFile(&Folder, FILE_LIST_DIRECTORY | SYNCHRONIZE, &Attributes, &Iosb, 0,
                  FILE_SYNCHRONOUS_IO_NONALERT | FILE_DIRECTORY_FILE));
    STATUS(ZwQueryDirectoryFile(Folder, NULL, NULL, NULL, &Iosb, Text, 0, FileDirectoryInformation, TRUE, NULL, TRUE),
           STATUS_INFO_LENGTH_MISMATCH);
    OK(ZwClose(Folder));
}

static NTSTATUS Create(USHORT Bytes, PWSTR Buffer, ULONG AttributesLength, ULONG Flags)
{
    UNICODE_STRING Name = {Bytes, Bytes, Buffer};
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    NTSTATUS Status;
    HANDLE File;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | Flags, NULL, NULL);
    Attributes.Length = AttributesLength;
    Status = ZwCreateFile(&File, GENERIC_WRITE, &Attributes, &Iosb, NULL, 0, 0, FILE_OVERWRITE_IF, 0, NULL, 0);
    if (NT_SUCCESS(Status))
        ZwClose(File);
    return Status;
}

static VOID names(VOID)
{
    static const WCHAR Path[] = L"\\??\\C:\\unended";
    const USHORT Bytes = sizeof(Path) - sizeof(WCHAR);
    const ULONG Whole = sizeof(OBJECT_ATTRIBUTES);
    PWSTR Exact = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, 'nghL'); /* a closed page lies behind it */

    if (!CHECK(Exact != NULL))
        return;
    RtlCopyMemory(Exact, Path, Bytes);
    OK(Create(Bytes, Exact, Whole, 0));
    STATUS(Create(Bytes - 1, Exact, Whole, 0), STATUS_OBJECT_NAME_INVALID);
    STATUS(Create(0, NULL, Whole, 0), STATUS_OBJECT_PATH_SYNTAX_BAD);
    STATUS(Create(Bytes - sizeof(WCHAR), Exact + 1, Whole, 0), STATUS_OBJECT_PATH_SYNTAX_BAD); /* no \ at its start */
    STATUS(Create(Bytes, Exact, Whole - 1, 0), STATUS_INVALID_PARAMETER);
    STATUS(Create(Bytes, Exact, 0, 0), STATUS_INVALID_PARAMETER);
    STATUS(Create(Bytes, Exact, Whole, 0x80000000), STATUS_INVALID_PARAMETER); /* no such attribute */
    ExFreePoolWithTag(Exact, 'nghL');
}

static VOID values(VOID)
{
    UNICODE_STRING Path = RTL_CONSTANT_STRING(L"\\Registry\\Machine\\SOFTWARE\\Lengths"),
                   Name = RTL_CONSTANT_STRING(L"unended"), Empty = RTL_CONSTANT_STRING(L"empty"), Read = {0, 0, NULL};
    static const WCHAR Text[3] = {'a', 'b', 'c'};
    RTL_QUERY_REGISTRY_TABLE Table[2] = {
        {.Flags = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED, .Name = L"unended", .EntryContext = &Read}};
    UCHAR Buffer[64];
    PKEY_VALUE_PARTIAL_INFORMATION Value = (PVOID)Buffer;
    OBJECT_ATTRIBUTES Attributes;
    ULONG Needed = 0;
    HANDLE Key;

    InitializeObjectAttributes(&Attributes, &Path, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateKey(&Key, KEY_ALL_ACCESS, &Attributes, 0, NULL, REG_OPTION_VOLATILE, NULL));
    OK(ZwSetValueKey(Key, &Empty, 0, REG_BINARY, NULL, 0));
    OK(ZwQueryValueKey(Key, &Empty, KeyValuePartialInformation, Value, sizeof(Buffer), &Needed));
    CHECK(Value->DataLength == 0 && Value->Type == REG_BINARY);
    OK(ZwSetValueKey(Key, &Name, 0, REG_SZ, (PVOID)Text, sizeof(Text)));
    STATUS(ZwQueryValueKey(Key, &Name, KeyValuePartialInformation, NULL, 0, &Needed), STATUS_BUFFER_TOO_SMALL);
    CHECK(Needed == FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data) + sizeof(Text));
    OK(ZwQueryValueKey(Key, &Name, KeyValuePartialInformation, Value, ALL_BITS, &Needed));
    CHECK(Value->DataLength == sizeof(Text));
    OK(RtlQueryRegistryValues(RTL_REGISTRY_HANDLE, (PCWSTR)Key, Table, NULL, NULL));
    CHECK(Read.Length == sizeof(Text) && Read.MaximumLength >= Read.Length + sizeof(WCHAR) && Read.Buffer &&
          Read.Buffer[3] == 0);
    RtlFreeUnicodeString(&Read);
    OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
}

TEST_MAIN(control_codes, files, names, values)
