/*
 * What a create tells of who opens: the subject's tokens, the access that was granted and what remains to be checked, and the
 * security of a new file. (docs: IRP_MJ_CREATE, Parameters.Create.SecurityContext; IO_SECURITY_CONTEXT, ACCESS_STATE)
 */
#include "test.h"

static PDEVICE_OBJECT Device;
static ACCESS_STATE Seen;
static ACCESS_MASK Desired;
static BOOLEAN System, HasOwner;

static NTSTATUS NTAPI Other(PDEVICE_OBJECT Self, PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Create(PDEVICE_OBJECT Self, PIRP Irp)
{
    PIO_SECURITY_CONTEXT Context = IoGetCurrentIrpStackLocation(Irp)->Parameters.Create.SecurityContext;
    PACCESS_STATE State = Context->AccessState;
    ULONG Session = 77;
    LUID Logon, SystemLogon = SYSTEM_LUID;
    OK(SeQuerySessionIdToken(SeQuerySubjectContextToken(&State->SubjectSecurityContext), &Session));
    CHECK(Session == 0);
    OK(SeQueryAuthenticationIdToken(SeQuerySubjectContextToken(&State->SubjectSecurityContext), &Logon));
    System = RtlEqualLuid(&Logon, &SystemLogon);
    SeLockSubjectContext(&State->SubjectSecurityContext);
    SeUnlockSubjectContext(&State->SubjectSecurityContext);
    if (State->SecurityDescriptor) {
        PSID Owner = NULL;
        BOOLEAN Defaulted;
        OK(RtlGetOwnerSecurityDescriptor(State->SecurityDescriptor, &Owner, &Defaulted));
        HasOwner = Owner && RtlEqualSid(Owner, SeExports->SeAliasAdminsSid);
    }
    Seen = *State;
    Desired = Context->DesiredAccess;
    return Other(Self, Irp);
}

static VOID Open(PCWSTR Text, ACCESS_MASK Access, PSECURITY_DESCRIPTOR Security)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Object;
    IO_STATUS_BLOCK Iosb;
    HANDLE Handle;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Object, &Name, OBJ_KERNEL_HANDLE, NULL, Security);
    OK(ZwCreateFile(&Handle, Access, &Object, &Iosb, NULL, 0, 0, FILE_OPEN, 0, NULL, 0));
    OK(ZwClose(Handle));
}

static VOID access_to_the_device_is_granted(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\AccessState");
    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    for (ULONG i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        Driver->MajorFunction[i] = Other;
    Driver->MajorFunction[IRP_MJ_CREATE] = Create;
    Open(L"\\Device\\AccessState", GENERIC_READ, NULL);
    CHECK(System && !Seen.SecurityDescriptor);
    CHECK(Desired == FILE_GENERIC_READ && Seen.OriginalDesiredAccess == FILE_GENERIC_READ);
    CHECK(Seen.PreviouslyGrantedAccess == FILE_GENERIC_READ && Seen.RemainingDesiredAccess == 0);
}

static VOID access_to_what_is_on_it_remains(VOID)
{
    SECURITY_DESCRIPTOR Security;
    OK(RtlCreateSecurityDescriptor(&Security, SECURITY_DESCRIPTOR_REVISION));
    OK(RtlSetOwnerSecurityDescriptor(&Security, SeExports->SeAliasAdminsSid, FALSE));
    Open(L"\\Device\\AccessState\\file", GENERIC_WRITE, &Security);
    CHECK(Desired == FILE_GENERIC_WRITE);
    CHECK(Seen.PreviouslyGrantedAccess == 0 && Seen.RemainingDesiredAccess == FILE_GENERIC_WRITE);
    CHECK(HasOwner);
    IoDeleteDevice(Device);
}

TEST_MAIN(access_to_the_device_is_granted, access_to_what_is_on_it_remains)
