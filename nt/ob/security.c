/*
 * The security of objects.
 *
 * Descriptors are shared: most objects of a kind have the same one, so each different descriptor exists once, found by
 * its bytes, and counts who uses it. A new object gets its own where its maker asks for one, where it has a name, or
 * where its type always has one; else it has none and whoever holds a pointer or handle may do what he likes.
 * (docs: ObGetObjectSecurity, ZwQuerySecurityObject, ZwSetSecurityObject; SeAssignSecurity)
 */
#include "nt.h"

#define OBP_SECURITY_TAG 'cSbO'

/* ---- Shared descriptors ------------------------------------------------------------------------------------------ */

typedef struct _OBP_SHARED {
    struct _OBP_SHARED *Next;
    LONG_PTR References;
    ULONG Hash, Bytes;
    ULONGLONG Descriptor[]; /* SECURITY_DESCRIPTOR_RELATIVE */
} OBP_SHARED, *POBP_SHARED;

static POBP_SHARED ObpShared[256];

#define ObpSharedOf(Body) CONTAINING_RECORD(Body, OBP_SHARED, Descriptor)

/* Undocumented but used by file systems: the shared form of a self-relative descriptor, Bias references of it. */
NTSTATUS NTAPI ObLogSecurityDescriptor(PSECURITY_DESCRIPTOR Input, PSECURITY_DESCRIPTOR *Output, ULONG Bias)
{
    ULONG Bytes = RtlLengthSecurityDescriptor(Input), Hash = 2166136261u;
    for (ULONG i = 0; i < Bytes; i++)
        Hash = (Hash ^ ((PUCHAR)Input)[i]) * 16777619u;
    POBP_SHARED *Bucket = &ObpShared[Hash % RTL_NUMBER_OF(ObpShared)], Shared;
    *Output = NULL;
    for (Shared = *Bucket; Shared; Shared = Shared->Next)
        if (Shared->Hash == Hash && Shared->Bytes == Bytes && !memcmp(Shared->Descriptor, Input, Bytes))
            break;
    if (!Shared) {
        Shared = ExpTryAllocate(sizeof(*Shared) + Bytes, OBP_SECURITY_TAG);
        if (!Shared)
            return STATUS_INSUFFICIENT_RESOURCES;
        *Shared = (OBP_SHARED){.Next = *Bucket, .Hash = Hash, .Bytes = Bytes};
        RtlCopyMemory(Shared->Descriptor, Input, Bytes);
        *Bucket = Shared;
    }
    Shared->References += Bias;
    *Output = Shared->Descriptor;
    return STATUS_SUCCESS;
}

VOID NTAPI ObReferenceSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Count)
{
    ObpSharedOf(Descriptor)->References += Count;
}

VOID NTAPI ObDereferenceSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Count)
{
    POBP_SHARED Shared = ObpSharedOf(Descriptor), *Place = &ObpShared[Shared->Hash % RTL_NUMBER_OF(ObpShared)];
    Shared->References -= Count;
    if (Shared->References > 0)
        return;
    while (*Place != Shared)
        Place = &(*Place)->Next;
    *Place = Shared->Next;
    ExpFree(Shared);
}

/* Make New, a block of pool that goes, the value of *Place, and give up what was there. */
static NTSTATUS ObpReplace(PSECURITY_DESCRIPTOR *Place, PSECURITY_DESCRIPTOR New)
{
    PSECURITY_DESCRIPTOR Shared, Old = *Place;
    NTSTATUS Status = ObLogSecurityDescriptor(New, &Shared, 1);
    ExFreePoolWithTag(New, 0);
    if (!NT_SUCCESS(Status))
        return Status;
    *Place = Shared;
    if (Old)
        ObDereferenceSecurityDescriptor(Old, 1);
    return STATUS_SUCCESS;
}

VOID ObpReleaseSecurity(POBP_HEADER Header)
{
    if (Header->Security)
        ObDereferenceSecurityDescriptor(Header->Security, 1);
    Header->Security = NULL;
}

/* ---- The method of types that have none of their own --------------------------------------------------------------- */

static NTSTATUS ObpSecurityMethod(PVOID Body, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                                  PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects,
                                  POOL_TYPE Pool, PGENERIC_MAPPING Mapping)
{
    switch (Operation) {
    case SetSecurityDescriptor:
        return ObSetSecurityDescriptorInfo(Body, What, Descriptor, Objects, Pool, Mapping);
    case QuerySecurityDescriptor:
        return SeQuerySecurityDescriptorInfo(What, Descriptor, Length, Objects);
    case AssignSecurityDescriptor:
        return ObpReplace(Objects, Descriptor);
    default:
        ObpReleaseSecurity(ObpHeaderOf(Body));
        return STATUS_SUCCESS;
    }
}

static NTSTATUS ObpCallSecurity(PVOID Body, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                                PSECURITY_DESCRIPTOR Descriptor, PULONG Length)
{
    POBJECT_TYPE Type = ObpTypeOf(Body);
    return (Type->Init.Security ? Type->Init.Security : ObpSecurityMethod)(
        Body, Operation, What, Descriptor, Length, &ObpHeaderOf(Body)->Security, PagedPool, &Type->Init.Mapping);
}

NTSTATUS NTAPI ObSetSecurityDescriptorInfo(PVOID Object, PSECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor,
                                           PSECURITY_DESCRIPTOR *Objects, POOL_TYPE Pool, PGENERIC_MAPPING Mapping)
{
    PSECURITY_DESCRIPTOR New = *Objects;
    NTSTATUS Status = SeSetSecurityDescriptorInfo(Object, What, Descriptor, &New, Pool, Mapping);
    return NT_SUCCESS(Status) ? ObpReplace(Objects, New) : Status;
}

/* A descriptor put together for one object: *Descriptor is a block of pool. */
static NTSTATUS ObpMakeSecurity(PVOID Body, PVOID Directory, PSECURITY_DESCRIPTOR Explicit, PSECURITY_DESCRIPTOR *New)
{
    POBJECT_TYPE Type = ObpTypeOf(Body);
    /* who makes objects in kernel mode may name any owner and any SACL: nobody checks him */
    ULONG Flags = ExGetPreviousMode() == KernelMode ? SEF_AVOID_OWNER_CHECK | SEF_AVOID_PRIVILEGE_CHECK : 0;
    return SepAssign(Directory ? ObpHeaderOf(Directory)->Security : NULL, Explicit, NULL, Type == ObpDirectoryType,
                     Flags, SepEffectiveToken(), &Type->Init.Mapping, PagedPool, New);
}

/* New is a block of pool: the method's, unless a driver's refuses it. */
static NTSTATUS ObpCallAssign(PVOID Body, PSECURITY_DESCRIPTOR New)
{
    SECURITY_INFORMATION All = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    NTSTATUS Status = ObpCallSecurity(Body, AssignSecurityDescriptor, &All, New, NULL);
    if (!NT_SUCCESS(Status) && ObpTypeOf(Body)->Driver && ObpTypeOf(Body)->Init.Security)
        ExFreePoolWithTag(New, 0);
    return Status;
}

NTSTATUS ObpAssignSecurity(PVOID Body, PVOID Directory, PSECURITY_DESCRIPTOR Explicit)
{
    PSECURITY_DESCRIPTOR New;
    NTSTATUS Status = ObpMakeSecurity(Body, Directory, Explicit, &New);
    return NT_SUCCESS(Status) ? ObpCallAssign(Body, New) : Status;
}

/* ---- Access ------------------------------------------------------------------------------------------------------ */

KPROCESSOR_MODE ObpOpenMode(ULONG Attributes)
{
    return Attributes & OBJ_FORCE_ACCESS_CHECK ? UserMode : ExGetPreviousMode();
}

NTSTATUS ObpCheckDescriptor(PSECURITY_DESCRIPTOR Descriptor, POBJECT_TYPE Type, ACCESS_MASK Desired,
                            KPROCESSOR_MODE Mode, PULONG Granted)
{
    SECURITY_SUBJECT_CONTEXT Subject;
    NTSTATUS Status;
    if (Mode == KernelMode || !Descriptor)
        return ObpCaptureAccess(Type, Desired, Granted);
    RtlMapGenericMask(&Desired, &Type->Init.Mapping);
    SeCaptureSubjectContext(&Subject);
    SeLockSubjectContext(&Subject);
    SeAccessCheck(Descriptor, &Subject, TRUE, Desired, 0, NULL, &Type->Init.Mapping, Mode, Granted, &Status);
    SeUnlockSubjectContext(&Subject);
    SeReleaseSubjectContext(&Subject);
    return Status;
}

NTSTATUS ObpGrantAccess(PVOID Body, ACCESS_MASK Desired, KPROCESSOR_MODE Mode, PULONG Granted)
{
    PSECURITY_DESCRIPTOR Descriptor;
    BOOLEAN Allocated;
    if (Mode == KernelMode)
        return ObpCaptureAccess(ObpTypeOf(Body), Desired, Granted);
    NTSTATUS Status = ObGetObjectSecurity(Body, &Descriptor, &Allocated);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObpCheckDescriptor(Descriptor, ObpTypeOf(Body), Desired, Mode, Granted);
    ObReleaseObjectSecurity(Descriptor, Allocated);
    return Status;
}

BOOLEAN NTAPI ObCheckObjectAccess(PVOID Object, PACCESS_STATE State, BOOLEAN TypeLocked, KPROCESSOR_MODE Mode,
                                  PNTSTATUS Status)
{
    ULONG Granted;
    *Status = ObpGrantAccess(Object, State->RemainingDesiredAccess, Mode, &Granted);
    if (!NT_SUCCESS(*Status))
        return FALSE;
    State->PreviouslyGrantedAccess |= Granted;
    State->RemainingDesiredAccess &= ~(Granted | MAXIMUM_ALLOWED);
    return TRUE;
}

/* ---- For drivers ------------------------------------------------------------------------------------------------- */

/* docs: ObGetObjectSecurity: NULL where the object has none; MemoryAllocated says how it is given back. */
NTSTATUS NTAPI ObGetObjectSecurity(PVOID Object, PSECURITY_DESCRIPTOR *Descriptor, PBOOLEAN MemoryAllocated)
{
    POBJECT_TYPE Type = ObpTypeOf(Object);
    SECURITY_INFORMATION All =
        OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | SACL_SECURITY_INFORMATION;
    ULONG Length = 0;
    *MemoryAllocated = FALSE;
    if (!Type->Init.Security) {
        *Descriptor = ObpHeaderOf(Object)->Security;
        if (*Descriptor)
            ObReferenceSecurityDescriptor(*Descriptor, 1);
        return STATUS_SUCCESS;
    }
    *Descriptor = NULL;
    NTSTATUS Status = ObpCallSecurity(Object, QuerySecurityDescriptor, &All, NULL, &Length);
    if (Status != STATUS_BUFFER_TOO_SMALL)
        return Status;
    PVOID Buffer = ExAllocatePoolWithTag(PagedPool, Length, OBP_SECURITY_TAG);
    if (!Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = ObpCallSecurity(Object, QuerySecurityDescriptor, &All, Buffer, &Length);
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(Buffer, 0);
        return Status;
    }
    *Descriptor = Buffer;
    *MemoryAllocated = TRUE;
    return STATUS_SUCCESS;
}

VOID NTAPI ObReleaseObjectSecurity(PSECURITY_DESCRIPTOR Descriptor, BOOLEAN MemoryAllocated)
{
    if (!Descriptor)
        return;
    if (MemoryAllocated)
        ExFreePoolWithTag(Descriptor, 0);
    else
        ObDereferenceSecurityDescriptor(Descriptor, 1);
}

NTSTATUS NTAPI ObAssignSecurity(PACCESS_STATE State, PSECURITY_DESCRIPTOR Parent, PVOID Object, POBJECT_TYPE Type)
{
    PSECURITY_DESCRIPTOR New;
    NTSTATUS Status = SeAssignSecurity(Parent, State->SecurityDescriptor, &New, Type == ObpDirectoryType,
                                       &State->SubjectSecurityContext, &Type->Init.Mapping, PagedPool);
    return NT_SUCCESS(Status) ? ObpCallAssign(Object, New) : Status;
}

NTSTATUS NTAPI ObSetSecurityObjectByPointer(PVOID Object, SECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor)
{
    return ObpCallSecurity(Object, SetSecurityDescriptor, &What, Descriptor, NULL);
}

/* ---- Drivers' links ---------------------------------------------------------------------------------------------- */

static NTSTATUS ObpLinkFor(PUNICODE_STRING Name, PUNICODE_STRING Target, PACL Dacl, ULONG Stack)
{
    SECURITY_DESCRIPTOR Security;
    RtlCreateSecurityDescriptor(&Security, SECURITY_DESCRIPTOR_REVISION);
    RtlSetDaclSecurityDescriptor(&Security, TRUE, Dacl, FALSE);
    return ObpNameLink(Name, Target, &Security, Stack);
}

/* Everybody may follow and read it. */
NTSTATUS NTAPI IoCreateSymbolicLink(PUNICODE_STRING Name, PUNICODE_STRING Target)
{
    return ObpLinkFor(Name, Target, SePublicDefaultDacl, VfCaptureStack());
}

/* docs: IoCreateUnprotectedSymbolicLink: anybody may do anything with the link. */
NTSTATUS NTAPI IoCreateUnprotectedSymbolicLink(PUNICODE_STRING Name, PUNICODE_STRING Target)
{
    return ObpLinkFor(Name, Target, NULL, VfCaptureStack());
}

/* ---- Services ---------------------------------------------------------------------------------------------------- */

static ACCESS_MASK ObpAccessToSet(SECURITY_INFORMATION What)
{
    return (What & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION) ? WRITE_OWNER
                                                                                                          : 0) |
           (What & DACL_SECURITY_INFORMATION ? WRITE_DAC : 0) |
           (What & SACL_SECURITY_INFORMATION ? ACCESS_SYSTEM_SECURITY : 0);
}

NTSTATUS NTAPI NtSetSecurityObject(HANDLE Handle, SECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PSECURITY_DESCRIPTOR Captured;
    PVOID Object;
    if (!Descriptor)
        return STATUS_ACCESS_VIOLATION;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, ObpAccessToSet(What), NULL, Mode, &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = SeCaptureSecurityDescriptor(Descriptor, Mode, PagedPool, TRUE, &Captured);
    if (NT_SUCCESS(Status)) {
        SEP_PARTS Parts;
        SepTakeApart(Captured, &Parts);
        if (((What & OWNER_SECURITY_INFORMATION) && !Parts.Owner) ||
            ((What & GROUP_SECURITY_INFORMATION) && !Parts.Group))
            Status = STATUS_INVALID_SECURITY_DESCR;
        else
            Status = ObpCallSecurity(Object, SetSecurityDescriptor, &What, Captured, NULL);
        SeReleaseSecurityDescriptor(Captured, Mode, TRUE);
    }
    ObfDereferenceObject(Object);
    return Status;
}

NTSTATUS NTAPI NtQuerySecurityObject(HANDLE Handle, SECURITY_INFORMATION What, PSECURITY_DESCRIPTOR Descriptor,
                                     ULONG Bytes, PULONG Needed)
{
    PVOID Object;
    ACCESS_MASK Access = (What & ~SACL_SECURITY_INFORMATION ? READ_CONTROL : 0) |
                         (What & SACL_SECURITY_INFORMATION ? ACCESS_SYSTEM_SECURITY : 0);
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, Access, NULL, ExGetPreviousMode(), &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    ULONG Length = Bytes;
    Status = ObpCallSecurity(Object, QuerySecurityDescriptor, &What, Descriptor, &Length);
    *Needed = Length;
    ObfDereferenceObject(Object);
    return Status;
}

/* ---- The system's directories ------------------------------------------------------------------------------------ */

#define OBP_READ (STANDARD_RIGHTS_READ | DIRECTORY_QUERY | DIRECTORY_TRAVERSE)
#define OBP_USE (OBP_READ | DIRECTORY_CREATE_OBJECT | DIRECTORY_CREATE_SUBDIRECTORY)
#define OBP_ALL DIRECTORY_ALL_ACCESS

/* What everybody, the system, administrators and restricted programs may do in them. What is made below \GLOBAL?? is its
 * maker's, the system's and administrators', and everybody may use it. */
static const struct {
    PCWSTR Name;
    ACCESS_MASK World, System, Admins, Restricted;
    BOOLEAN PassesOn;
} ObpDirectories[] = {{L"\\", OBP_READ, OBP_ALL, OBP_ALL, OBP_READ, FALSE},
                      {L"\\Device", OBP_READ, OBP_ALL, OBP_ALL, OBP_READ, FALSE},
                      {L"\\Driver", 0, OBP_ALL, OBP_READ, 0, FALSE},
                      {L"\\FileSystem", 0, OBP_ALL, OBP_READ, 0, FALSE},
                      {L"\\GLOBAL??", OBP_READ, OBP_ALL, 0, 0, TRUE},
                      {L"\\Callback", OBP_READ, OBP_ALL, OBP_ALL, 0, FALSE},
                      {L"\\ObjectTypes", 0, OBP_ALL, OBP_READ, 0, FALSE},
                      {L"\\BaseNamedObjects", OBP_USE, OBP_ALL, 0, DIRECTORY_TRAVERSE, FALSE},
                      {L"\\KernelObjects", OBP_READ, OBP_ALL, OBP_ALL, 0, FALSE}};

static VOID ObpGrant(PACL Dacl, ULONG Flags, ACCESS_MASK Access, PSID Sid)
{
    if (Access)
        RtlAddAccessAllowedAceEx(Dacl, ACL_REVISION, Flags, Access, Sid);
}

VOID ObpSecureDirectories(VOID)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(ObpDirectories); i++) {
        const ULONG Passed = INHERIT_ONLY_ACE | CONTAINER_INHERIT_ACE | OBJECT_INHERIT_ACE;
        ULONG Room[64];
        PACL Dacl = (PACL)Room;
        PSECURITY_DESCRIPTOR New;
        UNICODE_STRING Name;
        PVOID Body;
        RtlInitUnicodeString(&Name, ObpDirectories[i].Name);
        RtlCreateAcl(Dacl, sizeof(Room), ACL_REVISION);
        ObpGrant(Dacl, 0, ObpDirectories[i].World, SeExports->SeWorldSid);
        ObpGrant(Dacl, 0, ObpDirectories[i].System, SeExports->SeLocalSystemSid);
        ObpGrant(Dacl, 0, ObpDirectories[i].Admins, SeExports->SeAliasAdminsSid);
        ObpGrant(Dacl, 0, ObpDirectories[i].Restricted, SeExports->SeRestrictedSid);
        if (ObpDirectories[i].PassesOn) {
            ObpGrant(Dacl, Passed, GENERIC_EXECUTE, SeExports->SeWorldSid);
            ObpGrant(Dacl, Passed, GENERIC_ALL, SeExports->SeAliasAdminsSid);
            ObpGrant(Dacl, Passed, GENERIC_ALL, SeExports->SeLocalSystemSid);
            ObpGrant(Dacl, Passed, GENERIC_ALL, SeExports->SeCreatorOwnerSid);
        }
        SEP_PARTS Parts = {
            .Owner = SeExports->SeAliasAdminsSid, .Group = SeExports->SeLocalSystemSid, .HaveDacl = TRUE, .Dacl = Dacl};
        KI_ASSERT(NT_SUCCESS(SepBuild(&Parts, NonPagedPoolNx, &New))); /* the machine starts at DISPATCH_LEVEL */
        KI_ASSERT(NT_SUCCESS(ObpLookupName(&Name, 0, NULL, 0, NULL, &Body)));
        KI_ASSERT(NT_SUCCESS(ObpReplace(&ObpHeaderOf(Body)->Security, New)));
        ObfDereferenceObject(Body);
    }
}
