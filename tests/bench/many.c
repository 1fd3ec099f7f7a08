/*
 * Many of one kind at once, for tests/bench/growth.c, which measures from outside whether each still costs what it costs among few.
 * What and how many stands in C:\work.txt ("handles 100000"). All are there together before the first goes; they go in another
 * order than they came.
 */
#include <ntifs.h>
#include <ntddk.h>

static ULONG Count;
static PDRIVER_OBJECT Self;
static PVOID *Kept; /* Count of them */

/* The order in which they go: a walk with a step that has no divisor in common with Count. */
static ULONG Step(VOID)
{
    ULONG Step = Count * 5 / 8 | 1;

    for (;; Step += 2) {
        ULONG A = Step, B = Count;
        while (B) {
            ULONG Rest = A % B;
            A = B;
            B = Rest;
        }
        if (A == 1)
            return Step;
    }
}

#define FOR_EACH_MIXED(Index) for (ULONG i_ = 0, S_ = Step(), Index = 0; i_ < Count; i_++, Index = (Index + S_) % Count)

static VOID Check(NTSTATUS Status, PCSTR What)
{
    if (!NT_SUCCESS(Status)) {
        DbgPrint("%s: status %x\n", What, Status);
        KeBugCheck(Status);
    }
}

/* ---- Handles and names ------------------------------------------------------------------------------------------- */

static VOID Handles(VOID)
{
    PKEVENT Event;

    for (ULONG i = 0; i < Count; i++)
        Check(ZwCreateEvent(&Kept[i], EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE), "a handle");
    FOR_EACH_MIXED(i)
    {
        Check(ObReferenceObjectByHandle(Kept[i], 0, *ExEventObjectType, KernelMode, (PVOID *)&Event, NULL),
              "its object");
        ObDereferenceObject(Event);
    }
    FOR_EACH_MIXED(i) ZwClose(Kept[i]);
}

static VOID Name(PUNICODE_STRING String, PWSTR Buffer, PCWSTR Folder, ULONG Number)
{
    PWSTR At = Buffer;

    while (*Folder)
        *At++ = *Folder++;
    for (ULONG Divisor = 100000; Divisor; Divisor /= 10)
        *At++ = (WCHAR)(L'0' + Number / Divisor % 10);
    *At = 0;
    RtlInitUnicodeString(String, Buffer);
}

static VOID Names(VOID)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING String;
    WCHAR Buffer[64];
    HANDLE Again;

    InitializeObjectAttributes(&Attributes, &String, OBJ_KERNEL_HANDLE, NULL, NULL);
    for (ULONG i = 0; i < Count; i++) {
        Name(&String, Buffer, L"\\BaseNamedObjects\\many", i);
        Check(ZwCreateEvent(&Kept[i], EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE), "a name");
    }
    FOR_EACH_MIXED(i)
    {
        Name(&String, Buffer, L"\\BaseNamedObjects\\many", i);
        Check(ZwOpenEvent(&Again, EVENT_ALL_ACCESS, &Attributes), "the same name");
        ZwClose(Again);
    }
    FOR_EACH_MIXED(i) ZwClose(Kept[i]);
}

static VOID Keys(VOID)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING String, Value = RTL_CONSTANT_STRING(L"value");
    WCHAR Buffer[64];
    HANDLE Key;

    InitializeObjectAttributes(&Attributes, &String, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    for (int Pass = 0; Pass < 3; Pass++)
        FOR_EACH_MIXED(i)
        {
            Name(&String, Buffer, L"\\Registry\\Machine\\SOFTWARE\\many", i);
            Check(Pass == 0 ? ZwCreateKey(&Key, KEY_ALL_ACCESS, &Attributes, 0, NULL, REG_OPTION_VOLATILE, NULL)
                            : ZwOpenKey(&Key, KEY_ALL_ACCESS, &Attributes),
                  "a key");
            if (Pass == 0)
                Check(ZwSetValueKey(Key, &Value, 0, REG_DWORD, &i, sizeof(i)), "a value");
            if (Pass == 2)
                Check(ZwDeleteKey(Key), "a key that goes");
            ZwClose(Key);
        }
}

/* ---- Timers, threads, devices, requests -------------------------------------------------------------------------- */

static VOID Timers(VOID)
{
    PKTIMER Timer = ExAllocatePoolWithTag(NonPagedPoolNx, Count * sizeof(*Timer) + 1, 'ynaM');
    LARGE_INTEGER Due;

    Check(Timer ? STATUS_SUCCESS : STATUS_NO_MEMORY, "timers");
    for (ULONG i = 0; i < Count; i++) {
        KeInitializeTimer(&Timer[i]);
        Due.QuadPart = -(LONGLONG)(100000000 + i * 7919ull % 10000000);
        KeSetTimer(&Timer[i], Due, NULL);
    }
    FOR_EACH_MIXED(i) if (!KeCancelTimer(&Timer[i])) DbgPrint("timer %u was not set\n", i);
    ExFreePoolWithTag(Timer, 'ynaM');
}

static KEVENT Go;

static VOID Wait(PVOID Context)
{
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
}

static PVOID Start(PKSTART_ROUTINE Routine, PVOID Context)
{
    HANDLE Handle;
    PVOID Thread;

    Check(PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, Context), "a thread");
    ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, &Thread, NULL);
    ZwClose(Handle);
    return Thread;
}

static VOID End(PVOID Thread)
{
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
}

static VOID Threads(VOID)
{
    LARGE_INTEGER Rest = {.QuadPart = -10};

    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    for (ULONG i = 0; i < Count; i++)
        Kept[i] = Start(Wait, NULL);
    KeDelayExecutionThread(KernelMode, FALSE, &Rest);
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    FOR_EACH_MIXED(i) End(Kept[i]);
}

static VOID Devices(VOID)
{
    UNICODE_STRING String;
    WCHAR Buffer[64];
    PFILE_OBJECT File;
    PDEVICE_OBJECT Device;

    for (ULONG i = 0; i < Count; i++) {
        Name(&String, Buffer, L"\\Device\\Many", i);
        Check(IoCreateDevice(Self, 0, &String, FILE_DEVICE_UNKNOWN, 0, FALSE, (PDEVICE_OBJECT *)&Kept[i]), "a device");
        ((PDEVICE_OBJECT)Kept[i])->Flags &= ~DO_DEVICE_INITIALIZING;
    }
    FOR_EACH_MIXED(i)
    {
        Name(&String, Buffer, L"\\Device\\Many", i);
        Check(IoGetDeviceObjectPointer(&String, FILE_READ_DATA, &File, &Device), "an open device");
        ObDereferenceObject(File);
    }
    FOR_EACH_MIXED(i) IoDeleteDevice(Kept[i]);
}

/* Of one thread, on one device, that answers none before all are there. */
static VOID Requests(VOID)
{
    PIO_STATUS_BLOCK Iosb = ExAllocatePoolWithTag(NonPagedPoolNx, Count * sizeof(*Iosb), 'ynaM');
    PDEVICE_OBJECT Device;
    KEVENT Event;

    Check(Iosb ? STATUS_SUCCESS : STATUS_NO_MEMORY, "room for results");
    Check(IoCreateDevice(Self, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device), "a device");
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    for (ULONG i = 0; i < Count; i++) {
        Kept[i] = IoBuildDeviceIoControlRequest(0, Device, NULL, 0, NULL, 0, FALSE, &Event, &Iosb[i]);
        Check(Kept[i] ? STATUS_SUCCESS : STATUS_NO_MEMORY, "a request");
        if (IoCallDriver(Device, Kept[i]) != STATUS_PENDING)
            DbgPrint("request %u is not kept\n", i);
    }
    FOR_EACH_MIXED(i)
    {
        PIRP Irp = Kept[i];
        Irp->IoStatus.Status = STATUS_SUCCESS;
        Irp->IoStatus.Information = 42;
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
    }
    for (ULONG i = 0; i < Count; i++)
        if (Iosb[i].Information != 42)
            DbgPrint("request %u did not come back\n", i);
    IoDeleteDevice(Device);
    ExFreePoolWithTag(Iosb, 'ynaM');
}

static NTSTATUS NTAPI Keep(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoMarkIrpPending(Irp);
    return STATUS_PENDING;
}

static NTSTATUS NTAPI OpenClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

/* ---- Files: each is made, opened again and deleted; the directory is listed -------------------------------------- */

static NTSTATUS Open(PHANDLE File, PCWSTR Path, ULONG Number, ACCESS_MASK Access, ULONG Disposition, ULONG Options)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING String;
    IO_STATUS_BLOCK Iosb;
    WCHAR Buffer[64];

    Name(&String, Buffer, Path, Number);
    InitializeObjectAttributes(&Attributes, &String, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    return ZwCreateFile(File, Access | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, FILE_SHARE_READ, Disposition,
                        Options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

static ULONG List(HANDLE Directory)
{
    static UCHAR Buffer[65536] __attribute__((aligned(8)));
    IO_STATUS_BLOCK Iosb;
    ULONG Found = 0;

    while (NT_SUCCESS(ZwQueryDirectoryFile(Directory, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer),
                                           FileNamesInformation, FALSE, NULL, FALSE)))
        for (PFILE_NAMES_INFORMATION At = (PVOID)Buffer;; At = (PVOID)((PUCHAR)At + At->NextEntryOffset)) {
            Found++;
            if (!At->NextEntryOffset)
                break;
        }
    return Found;
}

static VOID Files(VOID)
{
    HANDLE Directory, File;
    ULONG Found;

    Check(Open(&Directory, L"\\??\\C:\\many", 0, FILE_LIST_DIRECTORY, FILE_CREATE, FILE_DIRECTORY_FILE), "a directory");
    for (int Pass = 0; Pass < 2; Pass++) {
        FOR_EACH_MIXED(i)
        {
            Check(Open(&File, L"\\??\\C:\\many000000\\file", i, Pass ? DELETE : FILE_WRITE_DATA,
                       Pass ? FILE_OPEN : FILE_CREATE, Pass ? FILE_DELETE_ON_CLOSE : 0),
                  "a file");
            ZwClose(File);
        }
        if (!Pass && (Found = List(Directory)) != Count + 2)
            DbgPrint("%u files, %u are listed\n", Count, Found);
    }
    ZwClose(Directory);
    Check(Open(&Directory, L"\\??\\C:\\many", 0, DELETE, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE),
          "its end");
    ZwClose(Directory);
}

/* All of them open at once; each is a file of its own. */
static VOID OpenFiles(VOID)
{
    HANDLE Directory;

    Check(Open(&Directory, L"\\??\\C:\\many", 0, DELETE, FILE_CREATE, FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE),
          "a directory");
    for (ULONG i = 0; i < Count; i++)
        Check(Open(&Kept[i], L"\\??\\C:\\many000000\\file", i, FILE_READ_DATA | FILE_WRITE_DATA | DELETE, FILE_CREATE,
                   FILE_DELETE_ON_CLOSE),
              "an open file");
    FOR_EACH_MIXED(i)
    {
        IO_STATUS_BLOCK Iosb;
        Check(ZwWriteFile(Kept[i], NULL, NULL, NULL, &Iosb, &i, sizeof(i), NULL, NULL), "a write");
    }
    FOR_EACH_MIXED(i) ZwClose(Kept[i]);
    ZwClose(Directory);
}

/* ---- What to do -------------------------------------------------------------------------------------------------- */

static const struct {
    PCSTR Name;
    VOID (*Do)(VOID);
} Works[] = {{"handles", Handles}, {"names", Names},       {"keys", Keys},   {"timers", Timers}, {"threads", Threads},
             {"devices", Devices}, {"requests", Requests}, {"files", Files}, {"open", OpenFiles}};

static PVOID Worker;

static VOID Work(PVOID Do)
{
    Kept = ExAllocatePoolWithTag(NonPagedPoolNx, (Count + 1) * sizeof(*Kept), 'ynaM');
    Check(Kept ? STATUS_SUCCESS : STATUS_NO_MEMORY, "room for all");
    if (Count)
        ((VOID(*)(VOID))Do)();
    ExFreePoolWithTag(Kept, 'ynaM');
}

static BOOLEAN ReadOrder(PCHAR Order, ULONG Bytes)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\work.txt");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE File;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(ZwOpenFile(&File, GENERIC_READ | SYNCHRONIZE, &Attributes, &Iosb, FILE_SHARE_READ,
                               FILE_SYNCHRONOUS_IO_NONALERT)))
        return FALSE;
    Status = ZwReadFile(File, NULL, NULL, NULL, &Iosb, Order, Bytes - 1, NULL, NULL);
    ZwClose(File);
    return NT_SUCCESS(Status);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    End(Worker);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    CHAR Order[64] = {0};

    Self = Driver;
    Driver->DriverUnload = Unload;
    Driver->MajorFunction[IRP_MJ_CREATE] = Driver->MajorFunction[IRP_MJ_CLEANUP] = Driver->MajorFunction[IRP_MJ_CLOSE] =
        OpenClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Keep;
    if (!ReadOrder(Order, sizeof(Order)))
        return STATUS_NO_SUCH_FILE;
    for (ULONG i = 0; i < ARRAYSIZE(Works); i++) {
        SIZE_T Length = strlen(Works[i].Name);

        if (strncmp(Order, Works[i].Name, Length) || Order[Length] != ' ')
            continue;
        Count = (ULONG)atol(Order + Length + 1);
        Worker = Start(Work, (PVOID)Works[i].Do);
        return STATUS_SUCCESS;
    }
    return STATUS_INVALID_PARAMETER;
}
