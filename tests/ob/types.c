/*
 * A driver's own object types: made, their objects created, inserted, opened, closed and deleted, their methods called
 * in order; types as objects. (ObCreateObjectType, ObCreateObject: as drivers and the public suites use them;
 * docs: ObInsertObject)
 */
#include "../io/test.h"

/* No public header has it; the layout of Windows 8 and later. */
typedef struct _TYPE_INITIALIZER {
    USHORT Length, Flags; /* 4: the default object, 16: handles are counted */
    ULONG TypeCode, InvalidAttributes;
    GENERIC_MAPPING Mapping;
    ACCESS_MASK ValidAccess, RetainAccess;
    ULONG PoolType, PagedCharge, NonPagedCharge;
    PVOID Dump, Open, Close, Delete, Parse, Security, QueryName, OkayToClose;
    ULONG WaitFlagMask;
    USHORT WaitFlagOffset, WaitPointerOffset;
} TYPE_INITIALIZER;
C_ASSERT(sizeof(TYPE_INITIALIZER) == 0x78);

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
static ULONG Opened, Closed, Deleted, Reason;
static ULONG_PTR ProcessHandles, SystemHandles;
static PVOID Seen;

static NTSTATUS NTAPI OpenIt(ULONG Why, KPROCESSOR_MODE Mode, PEPROCESS Process, PVOID Object, PACCESS_MASK Access,
                             ULONG Handles)
{
    Opened++;
    Reason = Why;
    Seen = Object;
    CHECK(Process == PsInitialSystemProcess && Mode == KernelMode);
    return STATUS_SUCCESS;
}

static VOID NTAPI CloseIt(PEPROCESS Process, PVOID Object, ULONG_PTR OfProcess, ULONG_PTR OfSystem)
{
    Closed++;
    ProcessHandles = OfProcess;
    SystemHandles = OfSystem;
    CHECK(Object == Seen && KeGetCurrentIrql() == PASSIVE_LEVEL);
}

static VOID NTAPI DeleteIt(PVOID Object)
{
    Deleted++;
    CHECK(Object == Seen);
}

static VOID a_type_is_made_once(VOID)
{
    UNICODE_STRING Name, Full;
    TYPE_INITIALIZER Initializer = {.Length = sizeof(Initializer),
                                    .PoolType = NonPagedPool,
                                    .ValidAccess = 0x1f0003,
                                    .Mapping = {0x20001, 0x20002, 0x20000, 0x1f0003},
                                    .InvalidAttributes = OBJ_OPENLINK,
                                    .Open = OpenIt,
                                    .Close = CloseIt,
                                    .Delete = DeleteIt};
    POBJECT_TYPE Second;
    PVOID Body;
    RtlInitUnicodeString(&Name, L"IrqlabThing");
    STATUS(ObCreateObjectType(NULL, &Initializer, NULL, &Type), STATUS_INVALID_PARAMETER);
    Initializer.Length = 12;
    STATUS(ObCreateObjectType(&Name, &Initializer, NULL, &Type), STATUS_INVALID_PARAMETER);
    Initializer.Length = sizeof(Initializer);
    Initializer.PoolType = PagedPool;
    STATUS(ObCreateObjectType(&Name, &Initializer, NULL, &Type), STATUS_INVALID_PARAMETER);
    Initializer.PoolType = NonPagedPool;
    Initializer.Flags = 16;
    Initializer.Open = Initializer.Close = NULL;
    STATUS(ObCreateObjectType(&Name, &Initializer, NULL, &Type), STATUS_INVALID_PARAMETER);
    Initializer.Open = OpenIt;
    Initializer.Close = CloseIt;
    Initializer.InvalidAttributes = 1;
    STATUS(ObCreateObjectType(&Name, &Initializer, NULL, &Type), STATUS_INVALID_PARAMETER);
    Initializer.InvalidAttributes = OBJ_OPENLINK;
    RtlInitUnicodeString(&Full, L"a\\b");
    STATUS(ObCreateObjectType(&Full, &Initializer, NULL, &Type), STATUS_OBJECT_NAME_INVALID);
    OK(ObCreateObjectType(&Name, &Initializer, NULL, &Type));
    STATUS(ObCreateObjectType(&Name, &Initializer, NULL, &Second), STATUS_OBJECT_NAME_COLLISION);
    RtlInitUnicodeString(&Full, L"\\ObjectTypes\\IrqlabThing");
    OK(ObReferenceObjectByName(&Full, 0, NULL, 0, NULL, KernelMode, NULL, &Body));
    CHECK(Body == Type);
    ObDereferenceObject(Body);
    RtlInitUnicodeString(&Full, L"\\ObjectTypes\\Process");
    OK(ObReferenceObjectByName(&Full, 0, NULL, 0, NULL, KernelMode, NULL, &Body));
    CHECK(Body == *PsProcessType);
    ObDereferenceObject(Body);
}

static VOID an_object_lives_and_dies(VOID)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    HANDLE First, Second;
    PVOID Object, Same = NULL;
    UCHAR Buffer[128];
    ULONG Returned;
    RtlInitUnicodeString(&Name, L"\\BaseNamedObjects\\Thing");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ObCreateObject(KernelMode, Type, &Attributes, KernelMode, NULL, 64, 0, 0, &Object));
    Seen = Object;
    OK(ObInsertObject(Object, NULL, 3, 0, &Same, &First));
    CHECK(Same == Object && Opened == 1 && Reason == 0);
    OK(ZwQueryObject(First, ObjectTypeInformation, Buffer, sizeof(Buffer), &Returned));
    CHECK(((PPUBLIC_OBJECT_TYPE_INFORMATION)Buffer)->TypeName.Length == 22);
    OK(ObOpenObjectByName(&Attributes, Type, KernelMode, NULL, GENERIC_READ, NULL, &Second));
    CHECK(Opened == 2 && Reason == 1);
    OK(ZwClose(Second));
    CHECK(Closed == 1 && ProcessHandles == 2 && SystemHandles == 2);
    OK(ZwClose(First));
    CHECK(Closed == 2 && ProcessHandles == 1 && Deleted == 0);
    STATUS(ObOpenObjectByName(&Attributes, Type, KernelMode, NULL, 1, NULL, &Second), STATUS_OBJECT_NAME_NOT_FOUND);
    ObDereferenceObject(Object);
    CHECK(Deleted == 1);
}

static VOID names_collide_or_are_opened(VOID)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    HANDLE First, Second = NULL;
    PVOID Object, Other;
    RtlInitUnicodeString(&Name, L"\\BaseNamedObjects\\Twice");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ObCreateObject(KernelMode, Type, &Attributes, KernelMode, NULL, 16, 0, 0, &Object));
    Seen = Object;
    OK(ObInsertObject(Object, NULL, 3, 0, NULL, &First));
    OK(ObCreateObject(KernelMode, Type, &Attributes, KernelMode, NULL, 16, 0, 0, &Other));
    Deleted = 0;
    Seen = Other;
    STATUS(ObInsertObject(Other, NULL, 3, 0, NULL, &Second), STATUS_OBJECT_NAME_COLLISION);
    CHECK(Deleted == 1 && Second == NULL); /* its only reference was given up */
    Attributes.Attributes |= OBJ_OPENIF;
    OK(ObCreateObject(KernelMode, Type, &Attributes, KernelMode, NULL, 16, 0, 0, &Other));
    Seen = Other;
    Deleted = 0;
    NTSTATUS Status = ObInsertObject(Other, NULL, 3, 0, NULL, &Second);
    CHECK(Status == STATUS_OBJECT_NAME_EXISTS);
    CHECK(Second && Seen == Object);
    OK(ZwClose(Second));
    OK(ZwClose(First));
    Attributes.Attributes = OBJ_OPENLINK;
    STATUS(ObCreateObject(KernelMode, Type, &Attributes, KernelMode, NULL, 16, 0, 0, &Object),
           STATUS_INVALID_PARAMETER);
    /* created and given up without having been inserted */
    Attributes.Attributes = 0;
    OK(ObCreateObject(KernelMode, Type, &Attributes, KernelMode, NULL, 16, 0, 0, &Object));
    Seen = Object;
    Deleted = 0;
    ObDereferenceObject(Object);
    CHECK(Deleted == 1);
}

/* Whatever is wrong with the name, the object goes with its one reference. */
static VOID insertion_fails_whole(VOID)
{
    static const struct {
        PCWSTR Name;
        NTSTATUS Status;
    } Rows[] = {{L"\\Nowhere\\Thing", STATUS_OBJECT_PATH_NOT_FOUND},
                {L"\\BaseNamedObjects\\", STATUS_OBJECT_NAME_INVALID},
                {L"Thing", STATUS_OBJECT_PATH_SYNTAX_BAD},
                {L"\\", STATUS_OBJECT_NAME_COLLISION}};
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Rows); i++) {
        HANDLE Handle = NULL;
        PVOID Object;
        RtlInitUnicodeString(&Name, Rows[i].Name);
        InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
        OK(ObCreateObject(KernelMode, Type, &Attributes, KernelMode, NULL, 16, 0, 0, &Object));
        Seen = Object;
        Deleted = 0;
        STATUS(ObInsertObject(Object, NULL, STANDARD_RIGHTS_ALL, 0, NULL, &Handle), Rows[i].Status);
        CHECK(Deleted == 1 && !Handle);
    }
}

TEST_MAIN(a_type_is_made_once, an_object_lives_and_dies, names_collide_or_are_opened, insertion_fails_whole)
