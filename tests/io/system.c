/*
 * What drivers ask of the I/O manager beside requests: threads that hold their driver, links that anybody may change, who has
 * registered as a filter, keys of oplocks, counts that keep applications alive.
 */
#include "test.h"

/* ---- Threads ------------------------------------------------------------------------------------------------------- */

static KEVENT Go;
static ULONG Ran;

static VOID NTAPI Thread(PVOID Context)
{
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL && PsGetCurrentProcess() == PsInitialSystemProcess);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    Ran += (ULONG)(ULONG_PTR)Context;
}

static VOID a_thread_holds_its_device(VOID)
{
    LARGE_INTEGER Due = {.QuadPart = -10000000};
    PDEVICE_OBJECT Device;
    CLIENT_ID Id = {0};
    HANDLE Handle;
    PVOID Object;

    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    OK(IoCreateSystemThread(Device, &Handle, THREAD_ALL_ACCESS, NULL, NULL, &Id, Thread, (PVOID)2));
    CHECK(Id.UniqueThread != NULL);
    OK(ObReferenceObjectByHandle(Handle, 0, *PsThreadType, KernelMode, &Object, NULL));
    CHECK(PsGetThreadProperty(Object, 1, 0) == NULL);
    OK(ZwClose(Handle));
    KeSetEvent(&Go, 0, FALSE);
    OK(KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL));
    CHECK(Ran == 2);
    ObDereferenceObject(Object);
    IoDeleteDevice(Device);
    STATUS(IoCreateSystemThread(Driver, &Handle, THREAD_ALL_ACCESS, NULL, (HANDLE)0x7654, NULL, Thread, NULL),
           STATUS_INVALID_HANDLE);
    /* this one runs when the driver is unloaded, which waits for it */
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    OK(IoCreateSystemThread(Driver, &Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Thread, (PVOID)3));
    OK(ZwClose(Handle));
    KeDelayExecutionThread(KernelMode, FALSE, &Due);
    CHECK(Ran == 2);
}

/* ---- Links ---------------------------------------------------------------------------------------------------------- */

static VOID a_link_may_be_unprotected(VOID)
{
    UNICODE_STRING Open = RTL_CONSTANT_STRING(L"\\??\\RowsOpen"), Closed = RTL_CONSTANT_STRING(L"\\??\\RowsClosed");
    UNICODE_STRING Target = RTL_CONSTANT_STRING(L"\\Device\\Null");
    static ULONGLONG Room[64];
    PSECURITY_DESCRIPTOR Security = Room;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Handle;
    BOOLEAN Present, Defaulted;
    ULONG Bytes;
    PACL Dacl;

    OK(IoCreateUnprotectedSymbolicLink(&Open, &Target));
    OK(IoCreateSymbolicLink(&Closed, &Target));
    STATUS(IoCreateUnprotectedSymbolicLink(&Open, &Target), STATUS_OBJECT_NAME_COLLISION);
    for (ULONG i = 0; i < 2; i++) {
        InitializeObjectAttributes(&Attributes, i ? &Closed : &Open, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL,
                                   NULL);
        OK(ZwOpenSymbolicLinkObject(&Handle, GENERIC_READ | READ_CONTROL, &Attributes));
        OK(ZwQuerySecurityObject(Handle, DACL_SECURITY_INFORMATION, Security, sizeof(Room), &Bytes));
        OK(RtlGetDaclSecurityDescriptor(Security, &Present, &Dacl, &Defaulted));
        CHECK(i ? Present && Dacl : Present && !Dacl);
        OK(ZwClose(Handle));
    }
    OK(IoDeleteSymbolicLink(&Open));
    OK(IoDeleteSymbolicLink(&Closed));
}

/* ---- Filters ---------------------------------------------------------------------------------------------------------- */

static VOID NTAPI Told(PDEVICE_OBJECT Device, BOOLEAN Active)
{
}

static VOID registered_filters_are_listed(VOID)
{
    PDRIVER_OBJECT List[4] = {0};
    ULONG Count = 99, Before;

    IoEnumerateRegisteredFiltersList(NULL, 0, &Before);
    OK(IoRegisterFsRegistrationChange(Driver, Told));
    STATUS(IoEnumerateRegisteredFiltersList(NULL, 0, &Count), STATUS_BUFFER_TOO_SMALL);
    CHECK(Count == Before + 1);
    OK(IoEnumerateRegisteredFiltersList(List, sizeof(List), &Count));
    CHECK(Count == Before + 1 && List[0] == Driver);
    for (ULONG i = 0; i < Count; i++)
        ObDereferenceObject(List[i]);
    IoUnregisterFsRegistrationChange(Driver, Told);
}

/* ---- Files ----------------------------------------------------------------------------------------------------------- */

static const GUID DualKey = {0x41621a14, 0xb08b, 0x4df1, {0xb6, 0x76, 0xa0, 0x5f, 0xfd, 0xf0, 0x1b, 0xea}};
static const GUID SingleKey = {0x48850596, 0x3050, 0x4be7, {0x98, 0x63, 0xfe, 0xc3, 0x50, 0xce, 0x8d, 0x7f}};

static PFILE_OBJECT OpenWith(const GUID *Kind, PVOID Context, ULONG Bytes, PHANDLE Handle)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\rows.txt");
    IO_DRIVER_CREATE_CONTEXT Create;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    PECP_LIST List = NULL;
    PVOID Ecp, File = NULL;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    IoInitializeDriverCreateContext(&Create);
    if (Kind) {
        OK(FsRtlAllocateExtraCreateParameterList(0, &List));
        OK(FsRtlAllocateExtraCreateParameter(Kind, Bytes, 0, NULL, 'tseT', &Ecp));
        RtlCopyMemory(Ecp, Context, Bytes);
        OK(FsRtlInsertExtraCreateParameter(List, Ecp));
        Create.ExtraCreateParameter = List;
    }
    OK(IoCreateFileEx(Handle, FILE_GENERIC_READ | FILE_GENERIC_WRITE, &Attributes, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL,
                      7, FILE_OPEN_IF, FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0, CreateFileTypeNone, NULL, 0, &Create));
    if (List)
        FsRtlFreeExtraCreateParameterList(List);
    OK(ObReferenceObjectByHandle(*Handle, 0, *IoFileObjectType, KernelMode, &File, NULL));
    return File;
}

static VOID Close(PFILE_OBJECT File, HANDLE Handle)
{
    ObDereferenceObject(File);
    OK(ZwClose(Handle));
}

static VOID a_file_knows_its_oplock_keys(VOID)
{
    DUAL_OPLOCK_KEY_ECP_CONTEXT Dual = {{1}, {2}, TRUE, TRUE};
    OPLOCK_KEY_ECP_CONTEXT Single = {{3}, 0};
    POPLOCK_KEY_CONTEXT Keys;
    PFILE_OBJECT File;
    HANDLE Handle;

    File = OpenWith(NULL, NULL, 0, &Handle);
    CHECK(!IoGetOplockKeyContextEx(File));
    Close(File, Handle);
    File = OpenWith(&DualKey, &Dual, sizeof(Dual), &Handle);
    Keys = IoGetOplockKeyContextEx(File);
    if (CHECK(Keys != NULL)) {
        CHECK(Keys->Version == OPLOCK_KEY_VERSION_WIN8);
        CHECK(Keys->Flags == (OPLOCK_KEY_FLAG_PARENT_KEY | OPLOCK_KEY_FLAG_TARGET_KEY));
        CHECK(Keys->ParentOplockKey.Data1 == 1 && Keys->TargetOplockKey.Data1 == 2);
    }
    Close(File, Handle);
    Dual.OplockKeySet = FALSE;
    File = OpenWith(&DualKey, &Dual, sizeof(Dual), &Handle);
    CHECK(IoGetOplockKeyContextEx(File)->Flags == OPLOCK_KEY_FLAG_PARENT_KEY && !IoGetOplockKeyContext(File));
    Close(File, Handle);
    File = OpenWith(&SingleKey, &Single, sizeof(Single), &Handle);
    Keys = IoGetOplockKeyContextEx(File);
    CHECK(Keys->Version == OPLOCK_KEY_VERSION_WIN7 && Keys->Flags == OPLOCK_KEY_FLAG_TARGET_KEY);
    CHECK(Keys->TargetOplockKey.Data1 == 3 && IoGetOplockKeyContext(File)->OplockKey.Data1 == 3);
    Close(File, Handle);
}

static VOID applications_are_kept_alive_by_count(VOID)
{
    PEPROCESS Process = PsGetCurrentProcess();
    PFILE_OBJECT File;
    HANDLE Handle;

    File = OpenWith(NULL, NULL, 0, &Handle);
    STATUS(IoDecrementKeepAliveCount(File, Process), STATUS_INVALID_PARAMETER);
    OK(IoIncrementKeepAliveCount(File, Process));
    OK(IoIncrementKeepAliveCount(File, Process));
    OK(IoDecrementKeepAliveCount(File, Process));
    OK(IoDecrementKeepAliveCount(File, Process));
    STATUS(IoDecrementKeepAliveCount(File, Process), STATUS_INVALID_PARAMETER);
    OK(IoIncrementKeepAliveCount(File, Process)); /* goes with the file */
    Close(File, Handle);
}

static VOID a_volume_gets_its_folder(VOID)
{
    UNICODE_STRING Root = RTL_CONSTANT_STRING(L"\\??\\C:\\"), Nowhere = RTL_CONSTANT_STRING(L"\\??\\Q:");
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\System Volume Information");
    OBJECT_ATTRIBUTES Attributes;
    FILE_NETWORK_OPEN_INFORMATION Found;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    STATUS(ZwQueryFullAttributesFile(&Attributes, &Found), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(RtlCreateSystemVolumeInformationFolder(&Root));
    OK(RtlCreateSystemVolumeInformationFolder(&Root));
    OK(ZwQueryFullAttributesFile(&Attributes, &Found));
    CHECK((Found.FileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM)) ==
          (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM));
    STATUS(RtlCreateSystemVolumeInformationFolder(&Nowhere), STATUS_OBJECT_PATH_NOT_FOUND);
}

static VOID the_system_partition_is_noted(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\HarddiskVolume1"), Empty = {0}, Found = {0};
    RTL_QUERY_REGISTRY_TABLE Table[2] = {{.Flags = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED,
                                          .Name = L"SystemPartition",
                                          .EntryContext = &Found}};

    STATUS(IoSetSystemPartition(&Empty), STATUS_INVALID_PARAMETER);
    OK(IoSetSystemPartition(&Name));
    OK(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, L"\\Registry\\Machine\\SYSTEM\\Setup", Table, NULL, NULL));
    CHECK(RtlEqualUnicodeString(&Found, &Name, FALSE));
    RtlFreeUnicodeString(&Found);
}

static VOID state_lies_where_the_caller_says(VOID)
{
    CUSTOM_SYSTEM_EVENT_TRIGGER_CONFIG Trigger;
    WCHAR Path[16];
    ULONG Bytes = 0;

    STATUS(RtlGetPersistedStateLocation(L"Id", NULL, NULL, LocationTypeRegistry, Path, sizeof(Path), &Bytes),
           STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(RtlGetPersistedStateLocation(L"Id", NULL, L"C:\\here", LocationTypeFileSystem, Path, 4, &Bytes),
           STATUS_BUFFER_OVERFLOW);
    CHECK(Bytes == 16);
    OK(RtlGetPersistedStateLocation(L"Id", NULL, L"C:\\here", LocationTypeFileSystem, Path, Bytes, &Bytes));
    CHECK(!wcscmp(Path, L"C:\\here") && Bytes == 16);
    STATUS(RtlGetPersistedStateLocation(L"Id", NULL, L"x", LocationTypeMaximum, Path, sizeof(Path), &Bytes),
           STATUS_INVALID_PARAMETER);
    CUSTOM_SYSTEM_EVENT_TRIGGER_INIT(&Trigger, L"mine");
    STATUS(RtlRaiseCustomSystemEventTrigger(&Trigger), STATUS_INSTANCE_NOT_AVAILABLE);
    Trigger.Size = 0;
    STATUS(RtlRaiseCustomSystemEventTrigger(&Trigger), STATUS_INVALID_PARAMETER);
    CHECK(RtlQueryProcessPlaceholderCompatibilityMode() == PHCM_ERROR_NO_PEB); /* System's thread */
}

static VOID the_volume_has_a_letter(VOID)
{
    UNICODE_STRING Letter = {0};
    PFILE_OBJECT File;
    HANDLE Handle;

    File = OpenWith(NULL, NULL, 0, &Handle);
    CHECK(!IoGetSiloParameters(File));
    OK(RtlVolumeDeviceToDosName(File->DeviceObject, &Letter));
    CHECK(Letter.Length == 4 && !wcscmp(Letter.Buffer, L"C:"));
    ExFreePool(Letter.Buffer);
    Close(File, Handle);
}

static VOID domains_are_refused(VOID)
{
    STATUS(IoGetIommuInterface(1, NULL), STATUS_NOT_SUPPORTED);
}

static VOID NTAPI LastUnload(PDRIVER_OBJECT DriverObject)
{
    KeSetEvent(&Go, 0, FALSE);
}

static VOID unload_waits_for_the_thread(VOID)
{
    Driver->DriverUnload = LastUnload;
}

TEST_MAIN(a_thread_holds_its_device, a_link_may_be_unprotected, registered_filters_are_listed,
          a_file_knows_its_oplock_keys, applications_are_kept_alive_by_count, a_volume_gets_its_folder,
          the_system_partition_is_noted, state_lies_where_the_caller_says, the_volume_has_a_letter, domains_are_refused,
          unload_waits_for_the_thread)
