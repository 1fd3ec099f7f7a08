/*
 * The other methods of a driver's own type: parse, security, query-name, okay-to-close, each asked where Windows asks it.
 * (No page documents them; the forms are those of the public symbols.)
 */
#include "../io/test.h"

/* No public header has it; the layout of Windows 8 and later. */
typedef struct _TYPE_INITIALIZER {
    USHORT Length, Flags; /* 8: always secured, 256: the parse method takes extended parameters */
    ULONG TypeCode, InvalidAttributes;
    GENERIC_MAPPING Mapping;
    ACCESS_MASK ValidAccess, RetainAccess;
    ULONG PoolType, PagedCharge, NonPagedCharge;
    PVOID Dump, Open, Close, Delete, Parse, Security, QueryName, OkayToClose;
    ULONG WaitFlagMask;
    USHORT WaitFlagOffset, WaitPointerOffset;
} TYPE_INITIALIZER;

NTKERNELAPI NTSTATUS NTAPI ObCreateObjectType(PUNICODE_STRING Name, PVOID Initializer, PSECURITY_DESCRIPTOR Descriptor,
                                              POBJECT_TYPE *Type);
NTKERNELAPI NTSTATUS NTAPI ObCreateObject(KPROCESSOR_MODE Probe, POBJECT_TYPE Type, POBJECT_ATTRIBUTES Attributes,
                                          KPROCESSOR_MODE Owner, PVOID Context, ULONG Bytes, ULONG Paged,
                                          ULONG NonPaged, PVOID *Object);
NTKERNELAPI NTSTATUS NTAPI ObOpenObjectByName(POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type, KPROCESSOR_MODE Mode,
                                              PACCESS_STATE State, ACCESS_MASK Access, PVOID Context, PHANDLE Handle);
NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByName(PUNICODE_STRING Name, ULONG Attributes, PACCESS_STATE State,
                                                   ACCESS_MASK Access, POBJECT_TYPE Type, KPROCESSOR_MODE Mode,
                                                   PVOID Context, PVOID *Object);

static POBJECT_TYPE Type;
static PVOID Store, Inside;
static BOOLEAN Closable = TRUE, Nothing;
static ULONG Asked, Parsed, Assigned, Dropped, Deleted, Queried;
static HANDLE AskedHandle;

static BOOLEAN Is(PCUNICODE_STRING Text, PCWSTR Want)
{
    UNICODE_STRING Wanted;
    RtlInitUnicodeString(&Wanted, Want);
    return RtlEqualUnicodeString(Text, &Wanted, FALSE);
}

static NTSTATUS NTAPI ParseIt(PVOID Object, POBJECT_TYPE Wanted, PACCESS_STATE State, KPROCESSOR_MODE Mode,
                              ULONG Attributes, PUNICODE_STRING Path, PUNICODE_STRING Rest, PVOID Context,
                              PSECURITY_QUALITY_OF_SERVICE Quality, PVOID *Found)
{
    static const WCHAR Elsewhere[] = L"\\BaseNamedObjects\\Store";
    PWSTR New;
    Parsed++;
    CHECK(Object == Store && Mode == KernelMode && (Attributes & OBJ_CASE_INSENSITIVE));
    CHECK((PUCHAR)Rest->Buffer + Rest->Length == (PUCHAR)Path->Buffer + Path->Length);
    if (Is(Rest, L"\\gone") || Nothing)
        return Nothing ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
    if (Is(Rest, L"\\again")) {
        CHECK(Is(Path, L"\\BaseNamedObjects\\Store\\again"));
        New = ExAllocatePoolWithTag(PagedPool, sizeof(Elsewhere), 'tseT');
        RtlCopyMemory(New, Elsewhere, sizeof(Elsewhere));
        ExFreePool(Path->Buffer);
        RtlInitUnicodeString(Path, New);
        return STATUS_REPARSE;
    }
    if (Is(Rest, L"\\inside")) {
        CHECK(Context == &Inside && Wanted == Type && State->RemainingDesiredAccess == 1);
        *Found = Inside;
    } else if (Rest->Length == 0) {
        *Found = Object;
    } else {
        return STATUS_OBJECT_PATH_NOT_FOUND;
    }
    ObReferenceObject(*Found);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI SecureIt(PVOID Object, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                               PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects,
                               POOL_TYPE Pool, PGENERIC_MAPPING Mapping, KPROCESSOR_MODE Mode)
{
    CHECK(Mode == KernelMode);
    switch (Operation) {
    case AssignSecurityDescriptor:
        Assigned++;
        *Objects = Descriptor; /* pool, ours now */
        return STATUS_SUCCESS;
    case QuerySecurityDescriptor:
        Queried++;
        return SeQuerySecurityDescriptorInfo(What, Descriptor, Length, Objects);
    case DeleteSecurityDescriptor:
        Dropped++;
        CHECK(Deleted == 0);
        ExFreePool(*Objects);
        *Objects = NULL;
        return STATUS_SUCCESS;
    default:
        return STATUS_NOT_SUPPORTED;
    }
}

static NTSTATUS NTAPI NameIt(PVOID Object, BOOLEAN HasName, POBJECT_NAME_INFORMATION Information, ULONG Bytes,
                             PULONG Returned, KPROCESSOR_MODE Mode)
{
    *Returned = sizeof(*Information) + 8;
    if (Bytes < *Returned)
        return STATUS_INFO_LENGTH_MISMATCH;
    Information->Name.Buffer = (PWSTR)(Information + 1);
    Information->Name.Length = 6;
    Information->Name.MaximumLength = 8;
    RtlCopyMemory(Information->Name.Buffer, HasName ? L"yes" : L"non", 8);
    return STATUS_SUCCESS;
}

static BOOLEAN NTAPI MayClose(PEPROCESS Process, PVOID Object, HANDLE Handle, KPROCESSOR_MODE Mode)
{
    Asked++;
    AskedHandle = Handle;
    CHECK(Process == PsInitialSystemProcess && Object == Store && Mode == KernelMode);
    return Closable;
}

static VOID NTAPI DeleteIt(PVOID Object)
{
    Deleted++;
}

static HANDLE MakeStore(VOID)
{
    TYPE_INITIALIZER Initializer = {.Length = sizeof(Initializer),
                                    .Flags = 8 | 256,
                                    .PoolType = NonPagedPool,
                                    .ValidAccess = 0x1f0003,
                                    .Mapping = {0x20001, 0x20002, 0x20000, 0x1f0003},
                                    .Delete = DeleteIt,
                                    .Parse = ParseIt,
                                    .Security = SecureIt,
                                    .QueryName = NameIt,
                                    .OkayToClose = MayClose};
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    HANDLE Handle;
    RtlInitUnicodeString(&Name, L"IrqlabStore");
    STATUS(ObCreateObjectType(&Name, &Initializer, NULL, &Type), STATUS_INVALID_PARAMETER);
    Initializer.Flags = 8;
    OK(ObCreateObjectType(&Name, &Initializer, NULL, &Type));
    RtlInitUnicodeString(&Name, L"\\BaseNamedObjects\\Store");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ObCreateObject(KernelMode, Type, &Attributes, KernelMode, NULL, 64, 0, 0, &Store));
    OK(ObInsertObject(Store, NULL, 3, 0, NULL, &Handle));
    OK(ObCreateObject(KernelMode, Type, NULL, KernelMode, NULL, 64, 0, 0, &Inside));
    CHECK(Parsed == 0 && Assigned == 1);
    return Handle;
}

static VOID Parse(HANDLE Handle)
{
    static const struct {
        PCWSTR Name;
        NTSTATUS Status;
    } Rows[] = {{L"\\BaseNamedObjects\\Store\\gone", STATUS_OBJECT_NAME_NOT_FOUND},
                {L"\\BaseNamedObjects\\Store\\a\\b", STATUS_OBJECT_PATH_NOT_FOUND},
                {L"\\BaseNamedObjects\\Store\\again", STATUS_SUCCESS},
                {L"\\BaseNamedObjects\\store", STATUS_SUCCESS},
                {L"\\BaseNamedObjects\\Store\\inside", STATUS_SUCCESS}};
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    PVOID Body;
    HANDLE Opened;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rows); i++) {
        Body = NULL;
        Parsed = 0;
        RtlInitUnicodeString(&Name, Rows[i].Name);
        STATUS(ObReferenceObjectByName(&Name, OBJ_CASE_INSENSITIVE, NULL, 1, Type, KernelMode, &Inside, &Body),
               Rows[i].Status);
        CHECK(Parsed == (i == 2 ? 2u : 1u));
        if (!NT_SUCCESS(Rows[i].Status))
            continue;
        CHECK(Body == (i == 4 ? Inside : Store));
        ObDereferenceObject(Body);
    }
    Nothing = TRUE;
    STATUS(ObReferenceObjectByName(&Name, OBJ_CASE_INSENSITIVE, NULL, 1, Type, KernelMode, &Inside, &Body),
           STATUS_OBJECT_NAME_NOT_FOUND);
    Nothing = FALSE;
    /* below a handle too, and the handle made goes by the same methods */
    RtlInitUnicodeString(&Name, L"");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Handle, NULL);
    OK(ObOpenObjectByName(&Attributes, Type, KernelMode, NULL, 1, NULL, &Opened));
    Asked = 0;
    OK(ZwClose(Opened));
    CHECK(Asked == 1 && AskedHandle == Opened);
}

static VOID every_method_is_called(VOID)
{
    struct {
        OBJECT_NAME_INFORMATION Head;
        WCHAR Text[16];
    } Answer;
    PSECURITY_DESCRIPTOR Descriptor;
    SECURITY_DESCRIPTOR Empty;
    BOOLEAN Allocated;
    ULONG Returned;
    HANDLE Handle = MakeStore(), Second;
    Parse(Handle);
    OK(ObQueryNameString(Store, &Answer.Head, sizeof(Answer), &Returned));
    CHECK(Is(&Answer.Head.Name, L"yes") && Returned == sizeof(Answer.Head) + 8);
    OK(ObQueryNameString(Inside, &Answer.Head, sizeof(Answer), &Returned));
    CHECK(Is(&Answer.Head.Name, L"non"));
    STATUS(ZwQueryObject(Handle, 1, &Answer, sizeof(Answer.Head), &Returned), STATUS_INFO_LENGTH_MISMATCH);
    OK(ObGetObjectSecurity(Store, &Descriptor, &Allocated));
    CHECK(Allocated && Queried == 2 && RtlValidSecurityDescriptor(Descriptor));
    ObReleaseObjectSecurity(Descriptor, Allocated);
    OK(RtlCreateSecurityDescriptor(&Empty, SECURITY_DESCRIPTOR_REVISION));
    STATUS(ZwSetSecurityObject(Handle, DACL_SECURITY_INFORMATION, &Empty), STATUS_NOT_SUPPORTED); /* it says */
    Closable = FALSE;
    STATUS(ZwClose(Handle), STATUS_HANDLE_NOT_CLOSABLE);
    /* the duplicate is made, the source stays */
    OK(ZwDuplicateObject(NtCurrentProcess(), Handle, NtCurrentProcess(), &Second, 0, OBJ_KERNEL_HANDLE,
                         DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    Closable = TRUE;
    OK(ZwClose(Second));
    CHECK(Deleted == 0 && Dropped == 0);
    OK(ZwClose(Handle));
    CHECK(Deleted == 1 && Dropped == 1);
    ObDereferenceObject(Inside);
    CHECK(Deleted == 2 && Dropped == 1); /* it was never secured */
}

TEST_MAIN(every_method_is_called)
