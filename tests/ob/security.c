/*
 * The security of objects: what they get, how it is asked for and changed, and that it is checked where a check is
 * forced. (docs: ObGetObjectSecurity, ZwQuerySecurityObject, ZwSetSecurityObject, OBJ_FORCE_ACCESS_CHECK)
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI ZwQuerySecurityObject(HANDLE Handle, SECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor,
                                              ULONG Length, PULONG Needed);
NTSYSAPI NTSTATUS NTAPI ZwSetSecurityObject(HANDLE Handle, SECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor);
NTKERNELAPI NTSTATUS NTAPI ObLogSecurityDescriptor(PSECURITY_DESCRIPTOR In, PSECURITY_DESCRIPTOR *Out, ULONG Bias);
NTKERNELAPI VOID NTAPI ObReferenceSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Count);
NTKERNELAPI VOID NTAPI ObDereferenceSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Count);

__declspec(dllimport) extern POBJECT_TYPE *IoDeviceObjectType;

static ULONGLONG AclMemory[8];
static SECURITY_DESCRIPTOR Only;

/* A list that gives Access to everybody and nothing else to anybody. */
static PSECURITY_DESCRIPTOR Give(ACCESS_MASK Access)
{
    RtlCreateSecurityDescriptor(&Only, SECURITY_DESCRIPTOR_REVISION);
    RtlCreateAcl((PACL)AclMemory, sizeof(AclMemory), ACL_REVISION);
    RtlAddAccessAllowedAce((PACL)AclMemory, ACL_REVISION, Access, SeExports->SeWorldSid);
    RtlSetDaclSecurityDescriptor(&Only, TRUE, (PACL)AclMemory, FALSE);
    return &Only;
}

static HANDLE NewEvent(PCWSTR Name, PSECURITY_DESCRIPTOR Descriptor)
{
    OBJECT_ATTRIBUTES Object;
    UNICODE_STRING Text;
    HANDLE Handle = NULL;
    RtlInitUnicodeString(&Text, Name);
    InitializeObjectAttributes(&Object, Name ? &Text : NULL, OBJ_KERNEL_HANDLE, NULL, Descriptor);
    OK(ZwCreateEvent(&Handle, EVENT_ALL_ACCESS, &Object, NotificationEvent, FALSE));
    return Handle;
}

static VOID named_objects_have_security(VOID)
{
    HANDLE Named = NewEvent(L"\\BaseNamedObjects\\Secured", NULL), Unnamed = NewEvent(NULL, NULL);
    PSECURITY_DESCRIPTOR Descriptor;
    BOOLEAN Allocated;
    PVOID Object;
    OK(ObReferenceObjectByHandle(Named, 0, NULL, KernelMode, &Object, NULL));
    OK(ObGetObjectSecurity(Object, &Descriptor, &Allocated));
    CHECK(Descriptor != NULL);
    CHECK(RtlValidSecurityDescriptor(Descriptor));
    ObReleaseObjectSecurity(Descriptor, Allocated);
    ObDereferenceObject(Object);
    OK(ObReferenceObjectByHandle(Unnamed, 0, NULL, KernelMode, &Object, NULL));
    OK(ObGetObjectSecurity(Object, &Descriptor, &Allocated));
    CHECK(Descriptor == NULL);
    ObReleaseObjectSecurity(Descriptor, Allocated);
    ObDereferenceObject(Object);
    OK(ZwClose(Named));
    OK(ZwClose(Unnamed));
}

static VOID security_is_asked_for_and_changed(VOID)
{
    HANDLE Event = NewEvent(L"\\BaseNamedObjects\\Changed", Give(EVENT_MODIFY_STATE));
    UCHAR Buffer[256];
    ULONG Needed = 0;
    BOOLEAN Present, Defaulted;
    PACL Dacl;
    PVOID Ace;
    STATUS(ZwQuerySecurityObject(Event, DACL_SECURITY_INFORMATION, NULL, 0, &Needed), STATUS_BUFFER_TOO_SMALL);
    CHECK(Needed > 20 && Needed < sizeof(Buffer));
    OK(ZwQuerySecurityObject(Event, DACL_SECURITY_INFORMATION, Buffer, sizeof(Buffer), &Needed));
    OK(RtlGetDaclSecurityDescriptor(Buffer, &Present, &Dacl, &Defaulted));
    CHECK(Present && Dacl->AceCount == 1);
    OK(RtlGetAce(Dacl, 0, &Ace));
    CHECK(((PACCESS_ALLOWED_ACE)Ace)->Mask == EVENT_MODIFY_STATE);
    OK(ZwSetSecurityObject(Event, DACL_SECURITY_INFORMATION, Give(GENERIC_ALL)));
    OK(ZwQuerySecurityObject(Event, DACL_SECURITY_INFORMATION, Buffer, sizeof(Buffer), &Needed));
    OK(RtlGetDaclSecurityDescriptor(Buffer, &Present, &Dacl, &Defaulted));
    OK(RtlGetAce(Dacl, 0, &Ace));
    CHECK(((PACCESS_ALLOWED_ACE)Ace)->Mask == EVENT_ALL_ACCESS); /* generic rights became the type's */
    STATUS(ZwSetSecurityObject(Event, OWNER_SECURITY_INFORMATION, &Only), STATUS_INVALID_SECURITY_DESCR);
    STATUS(ZwSetSecurityObject((HANDLE)0x7ffc0, DACL_SECURITY_INFORMATION, &Only), STATUS_INVALID_HANDLE);
    Only.Revision = 7;
    STATUS(ZwSetSecurityObject(Event, DACL_SECURITY_INFORMATION, &Only), STATUS_UNKNOWN_REVISION);
    OK(ZwClose(Event));
    /* an object that has none cannot be changed */
    Event = NewEvent(NULL, NULL);
    STATUS(ZwSetSecurityObject(Event, DACL_SECURITY_INFORMATION, Give(1)), STATUS_NO_SECURITY_ON_OBJECT);
    OK(ZwClose(Event));
}

static VOID a_forced_check_is_made(VOID)
{
    static UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\BaseNamedObjects\\Checked");
    HANDLE Event = NewEvent(Name.Buffer, Give(EVENT_QUERY_STATE)), Second;
    OBJECT_ATTRIBUTES Object;
    PVOID Body;
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwOpenEvent(&Second, EVENT_MODIFY_STATE, &Object)); /* kernel mode */
    OK(ZwClose(Second));
    Object.Attributes |= OBJ_FORCE_ACCESS_CHECK;
    STATUS(ZwOpenEvent(&Second, EVENT_MODIFY_STATE, &Object), STATUS_ACCESS_DENIED);
    OK(ZwOpenEvent(&Second, EVENT_QUERY_STATE, &Object));
    OK(ZwClose(Second));
    OK(ObReferenceObjectByHandle(Event, 0, NULL, KernelMode, &Body, NULL));
    STATUS(
        ObOpenObjectByPointer(Body, OBJ_KERNEL_HANDLE, NULL, EVENT_MODIFY_STATE, *ExEventObjectType, UserMode, &Second),
        STATUS_ACCESS_DENIED);
    ObDereferenceObject(Body);
    OK(ZwClose(Event));
}

static VOID descriptors_are_shared_by_their_bytes(VOID)
{
    PSECURITY_DESCRIPTOR First, Second;
    ULONGLONG Relative[32];
    ULONG Bytes = sizeof(Relative);
    OK(RtlAbsoluteToSelfRelativeSD(Give(0x5a5a), Relative, &Bytes));
    OK(ObLogSecurityDescriptor(Relative, &First, 2));
    OK(ObLogSecurityDescriptor(Relative, &Second, 1));
    CHECK(First == Second && First != (PVOID)Relative);
    ObReferenceSecurityDescriptor(First, 1);
    ObDereferenceSecurityDescriptor(First, 4);
}

static VOID a_device_can_be_protected_by_handle(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\SecurityTest");
    PDEVICE_OBJECT Device;
    OBJECT_ATTRIBUTES Object;
    IO_STATUS_BLOCK Iosb;
    UCHAR Buffer[256];
    ULONG Needed;
    HANDLE Handle, File;
    PACL Dacl;
    BOOLEAN Present, Defaulted;
    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    /* as wdmsec.lib does it for IoCreateDeviceSecure */
    OK(ObOpenObjectByPointer(Device, OBJ_KERNEL_HANDLE, NULL, WRITE_DAC | READ_CONTROL, *IoDeviceObjectType, KernelMode,
                             &Handle));
    OK(ZwQuerySecurityObject(Handle, DACL_SECURITY_INFORMATION | OWNER_SECURITY_INFORMATION, Buffer, sizeof(Buffer),
                             &Needed));
    OK(RtlGetDaclSecurityDescriptor(Buffer, &Present, &Dacl, &Defaulted));
    CHECK(Present && Dacl && Dacl->AceCount >= 3); /* the default */
    OK(ZwSetSecurityObject(Handle, DACL_SECURITY_INFORMATION, Give(FILE_GENERIC_READ)));
    OK(ZwQuerySecurityObject(Handle, DACL_SECURITY_INFORMATION, Buffer, sizeof(Buffer), &Needed));
    OK(RtlGetDaclSecurityDescriptor(Buffer, &Present, &Dacl, &Defaulted));
    CHECK(Present && Dacl->AceCount == 1);
    OK(ZwClose(Handle));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE | OBJ_FORCE_ACCESS_CHECK, NULL, NULL);
    STATUS(ZwOpenFile(&File, FILE_WRITE_DATA, &Object, &Iosb, 0, 0), STATUS_ACCESS_DENIED);
    IoDeleteDevice(Device);
}

/* What the system's own directories allow, and what they pass on to what is made in them. */
static VOID directories_have_security(VOID)
{
    static const struct {
        PCWSTR Name;
        ULONG Entries;
        ACCESS_MASK First; /* what the first entry gives, */
        BOOLEAN World;     /* to everybody, or to the system */
    } Rows[] = {{L"\\", 4, 0x20003, TRUE},
                {L"\\Device", 4, 0x20003, TRUE},
                {L"\\Driver", 2, 0xf000f, FALSE},
                {L"\\GLOBAL??", 6, 0x20003, TRUE},
                {L"\\Callback", 3, 0x20003, TRUE},
                {L"\\BaseNamedObjects", 3, 0x2000f, TRUE},
                {L"\\ObjectTypes", 2, 0xf000f, FALSE}};
    UNICODE_STRING Name, Link = RTL_CONSTANT_STRING(L"\\??\\SecuredLink"), Target = RTL_CONSTANT_STRING(L"\\Device\\X");
    OBJECT_ATTRIBUTES Attributes;
    BOOLEAN Present = FALSE, Defaulted = TRUE;
    UCHAR Buffer[512];
    PACCESS_ALLOWED_ACE Ace;
    ULONG Needed;
    PACL Dacl = NULL;
    HANDLE Handle;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rows); i++) {
        RtlInitUnicodeString(&Name, Rows[i].Name);
        InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
        OK(ZwOpenDirectoryObject(&Handle, READ_CONTROL, &Attributes));
        OK(ZwQuerySecurityObject(Handle, DACL_SECURITY_INFORMATION, Buffer, sizeof(Buffer), &Needed));
        OK(RtlGetDaclSecurityDescriptor(Buffer, &Present, &Dacl, &Defaulted));
        if (CHECK(Present && !Defaulted && Dacl && Dacl->AceCount == Rows[i].Entries)) {
            OK(RtlGetAce(Dacl, 0, (PVOID *)&Ace));
            CHECK(Ace->Mask == Rows[i].First);
            CHECK(RtlEqualSid(&Ace->SidStart, Rows[i].World ? SeExports->SeWorldSid : SeExports->SeLocalSystemSid));
        }
        OK(ZwClose(Handle));
    }
    OK(IoCreateSymbolicLink(&Link, &Target));
    InitializeObjectAttributes(&Attributes, &Link, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwOpenSymbolicLinkObject(&Handle, READ_CONTROL, &Attributes));
    OK(ZwQuerySecurityObject(Handle, DACL_SECURITY_INFORMATION, Buffer, sizeof(Buffer), &Needed));
    OK(RtlGetDaclSecurityDescriptor(Buffer, &Present, &Dacl, &Defaulted));
    OK(RtlGetAce(Dacl, 0, (PVOID *)&Ace));
    CHECK(Ace->Mask == 0x20001 && RtlEqualSid(&Ace->SidStart, SeExports->SeWorldSid)); /* SYMBOLIC_LINK_QUERY */
    OK(ZwClose(Handle));
    OK(IoDeleteSymbolicLink(&Link));
}

TEST_MAIN(named_objects_have_security, security_is_asked_for_and_changed, a_forced_check_is_made,
          descriptors_are_shared_by_their_bytes, a_device_can_be_protected_by_handle, directories_have_security)
