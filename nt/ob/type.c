/*
 * Types that drivers make, and objects of them.
 *
 * A driver describes its type with an OBJECT_TYPE_INITIALIZER. Its layout is in no public header; of the two that are
 * in use one is told from the other by its length: 0x78 bytes are Windows 8's and later, 0x70 those of Server 2003,
 * which the public conformance suites are written for. Their methods stand at the same places, but take other arguments.
 *
 * All methods but the dump method, which only a debugger would call, are called where Windows calls them: open when a
 * handle is made, close when it is gone, okay-to-close before it goes, parse for what follows an object in a path (and to
 * open the object itself), query-name for ObQueryNameString, security in place of the descriptor in the header, delete
 * last. DIFFERS: the end of a process closes its handles without asking whether it may.
 *
 * ObCreateObject only makes the body; ObInsertObject gives it name, security and handle, or gives up its reference.
 */
#include "nt.h"

#define OBP_TYPE_TAG 'TjbO'

typedef VOID NTAPI OBP_CLOSE_2003(PEPROCESS Process, PVOID Object, ACCESS_MASK Access, ULONG ProcessHandles,
                                  ULONG SystemHandles);
typedef VOID NTAPI OBP_CLOSE(PEPROCESS Process, PVOID Object, ULONG_PTR ProcessHandles, ULONG_PTR SystemHandles);
typedef NTSTATUS NTAPI OBP_OPEN_2003(ULONG Reason, PEPROCESS Process, PVOID Object, ACCESS_MASK Access, ULONG Handles);
typedef NTSTATUS NTAPI OBP_OPEN(ULONG Reason, KPROCESSOR_MODE Mode, PEPROCESS Process, PVOID Object,
                                PACCESS_MASK Access, ULONG Handles);
typedef VOID NTAPI OBP_DELETE(PVOID Object);
typedef NTSTATUS NTAPI OBP_PARSE_METHOD(PVOID Object, POBJECT_TYPE Type, PACCESS_STATE State, KPROCESSOR_MODE Mode,
                                        ULONG Attributes, PUNICODE_STRING Path, PUNICODE_STRING Rest, PVOID Context,
                                        PSECURITY_QUALITY_OF_SERVICE Quality, PVOID *Found);
/* Server 2003's Security and QueryName have no last argument, which they then don't see. */
typedef NTSTATUS NTAPI OBP_SECURITY(PVOID Object, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                                    PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects,
                                    POOL_TYPE Pool, PGENERIC_MAPPING Mapping, KPROCESSOR_MODE Mode);
typedef NTSTATUS NTAPI OBP_QUERY_NAME(PVOID Object, BOOLEAN HasName, POBJECT_NAME_INFORMATION Information, ULONG Bytes,
                                      PULONG Returned, KPROCESSOR_MODE Mode);
typedef BOOLEAN NTAPI OBP_OKAY_TO_CLOSE(PEPROCESS Process, PVOID Object, HANDLE Handle, KPROCESSOR_MODE Mode);

typedef struct _OBP_DRIVER_TYPE {
    BOOLEAN Old; /* the layout and methods of Server 2003 */
    PVOID Open, Close, Delete, Parse, Security, QueryName, OkayToClose;
    ULONG Stack;
} OBP_DRIVER_TYPE, *POBP_DRIVER_TYPE;

/* Both layouts, as far as they are used. */
typedef struct _OBP_INITIALIZER_2003 {
    USHORT Length;
    BOOLEAN UseDefaultObject, CaseInsensitive;
    ULONG InvalidAttributes;
    GENERIC_MAPPING Mapping;
    ACCESS_MASK ValidAccess;
    BOOLEAN SecurityRequired, MaintainHandleCount, MaintainTypeList;
    ULONG PoolType, PagedCharge, NonPagedCharge;
    PVOID Dump, Open, Close, Delete, Parse, Security, QueryName, OkayToClose;
} OBP_INITIALIZER_2003;
C_ASSERT(sizeof(OBP_INITIALIZER_2003) == 0x70 && FIELD_OFFSET(OBP_INITIALIZER_2003, Dump) == 0x30);

typedef struct _OBP_INITIALIZER {
    USHORT Length;
    USHORT CaseInsensitive : 1, UnnamedObjectsOnly : 1, UseDefaultObject : 1, SecurityRequired : 1,
        MaintainHandleCount : 1, MaintainTypeList : 1, SupportsObjectCallbacks : 1, CacheAligned : 1,
        UseExtendedParameters : 1;
    ULONG TypeCode, InvalidAttributes;
    GENERIC_MAPPING Mapping;
    ACCESS_MASK ValidAccess, RetainAccess;
    ULONG PoolType, PagedCharge, NonPagedCharge;
    PVOID Dump, Open, Close, Delete, Parse, Security, QueryName, OkayToClose;
    ULONG WaitFlagMask;
    USHORT WaitFlagOffset, WaitPointerOffset;
} OBP_INITIALIZER;
C_ASSERT(sizeof(OBP_INITIALIZER) == 0x78 && FIELD_OFFSET(OBP_INITIALIZER, Dump) == 0x30);

/* ---- Calling a driver's methods ---------------------------------------------------------------------------------- */

static VOID ObpEnterMethod(VF_CALLBACK *Callback, POBP_DRIVER_TYPE Own, PCSTR What, PVOID Routine, PVOID Body)
{
    *Callback = (VF_CALLBACK){.Contract = "OB_TYPE_METHOD",
                              .What = What,
                              .Routine = Routine,
                              .Object = Body,
                              .Stack = Own->Stack,
                              .StackText = "The type was made at:"};
    VfEnterCallback(Callback);
}

NTSTATUS ObpCallOpen(PVOID Body, ULONG Reason, ACCESS_MASK Access)
{
    POBP_DRIVER_TYPE Own = ObpTypeOf(Body)->Driver;
    VF_CALLBACK Callback;
    NTSTATUS Status;
    if (!Own || !Own->Open)
        return STATUS_SUCCESS;
    PEPROCESS Process = PsGetCurrentProcess();
    ULONG Handles = ObpCountHandles(Process, Body) + 1;
    ObpEnterMethod(&Callback, Own, "open method for object %o", Own->Open, Body);
    if (Own->Old) {
        Status = ((OBP_OPEN_2003 *)Own->Open)(Reason, Process, Body, Access, Handles);
    } else
        Status = ((OBP_OPEN *)Own->Open)(Reason, ExGetPreviousMode(), Process, Body, &Access, Handles);
    VfLeaveCallback(&Callback);
    return Status;
}

/* The handle is gone already: the counts are those with it. */
static VOID ObpCloseMethod(PVOID Body, ULONG Remaining)
{
    POBP_DRIVER_TYPE Own = ObpTypeOf(Body)->Driver;
    PEPROCESS Process = PsGetCurrentProcess();
    VF_CALLBACK Callback;
    ULONG Handles = ObpCountHandles(Process, Body) + 1;
    ObpEnterMethod(&Callback, Own, "close method for object %o", Own->Close, Body);
    if (Own->Old)
        ((OBP_CLOSE_2003 *)Own->Close)(Process, Body, 0, Handles, Remaining + 1);
    else
        ((OBP_CLOSE *)Own->Close)(Process, Body, Handles, Remaining + 1);
    VfLeaveCallback(&Callback);
}

static VOID ObpDeleteMethod(PVOID Body)
{
    POBP_DRIVER_TYPE Own = ObpTypeOf(Body)->Driver;
    VF_CALLBACK Callback;
    ObpEnterMethod(&Callback, Own, "delete method for object %o", Own->Delete, Body);
    ((OBP_DELETE *)Own->Delete)(Body);
    VfLeaveCallback(&Callback);
}

BOOLEAN ObpMayClose(PEPROCESS Process, PVOID Body, HANDLE Handle, KPROCESSOR_MODE Mode)
{
    POBP_DRIVER_TYPE Own = ObpTypeOf(Body)->Driver;
    VF_CALLBACK Callback;
    if (!Own || !Own->OkayToClose)
        return TRUE;
    ObpEnterMethod(&Callback, Own, "okay-to-close method for object %o", Own->OkayToClose, Body);
    BOOLEAN May = ((OBP_OKAY_TO_CLOSE *)Own->OkayToClose)(Process, Body, Handle, Mode);
    VfLeaveCallback(&Callback);
    return May;
}

static NTSTATUS ObpDriverQueryName(PVOID Body, POBJECT_NAME_INFORMATION Information, ULONG Bytes, PULONG Returned)
{
    POBP_DRIVER_TYPE Own = ObpTypeOf(Body)->Driver;
    VF_CALLBACK Callback;
    ObpEnterMethod(&Callback, Own, "query-name method for object %o", Own->QueryName, Body);
    NTSTATUS Status = ((OBP_QUERY_NAME *)Own->QueryName)(Body, ObpHeaderOf(Body)->Name != NULL, Information, Bytes,
                                                         Returned, ExGetPreviousMode());
    VfLeaveCallback(&Callback);
    return Status;
}

/* What the method makes of the place in the header is its own affair. */
static NTSTATUS ObpDriverSecurity(PVOID Body, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                                  PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects,
                                  POOL_TYPE Pool, PGENERIC_MAPPING Mapping)
{
    POBP_DRIVER_TYPE Own = ObpTypeOf(Body)->Driver;
    VF_CALLBACK Callback;
    ObpEnterMethod(&Callback, Own, "security method for object %o", Own->Security, Body);
    NTSTATUS Status = ((OBP_SECURITY *)Own->Security)(Body, Operation, What, Descriptor, Length, Objects, Pool, Mapping,
                                                      ExGetPreviousMode());
    VfLeaveCallback(&Callback);
    return Status;
}

VOID ObpDeleteSecurity(PVOID Body)
{
    POBP_HEADER Header = ObpHeaderOf(Body);
    if (!Header->Type->Driver || !Header->Type->Driver->Security || !Header->Security)
        return;
    ObpDriverSecurity(Body, DeleteSecurityDescriptor, NULL, NULL, NULL, &Header->Security, PagedPool, NULL);
    Header->Security = NULL; /* the driver's, given back or not */
}

BOOLEAN ObpParses(POBJECT_TYPE Type)
{
    return Type->Init.Parse || (Type->Driver && Type->Driver->Parse);
}

/* The path that the method sees is a copy in pool, which it may replace where it lets the walk begin anew. */
NTSTATUS ObpCallParse(PVOID Body, POBP_PARSE Parse, PVOID *Object)
{
    POBP_DRIVER_TYPE Own = ObpTypeOf(Body)->Driver;
    POBJECT_TYPE Type = Parse->Wanted ? Parse->Wanted : ObpTypeOf(Body);
    UINT64 Aux[SE_AUX_WORDS];
    ACCESS_STATE State;
    VF_CALLBACK Callback;
    UNICODE_STRING Path = Parse->Path, Rest = *Parse->Rest;
    *Object = NULL;
    Path.MaximumLength = Path.Length + sizeof(WCHAR);
    Path.Buffer = ExAllocatePoolWithTag(PagedPool, Path.MaximumLength, OBP_TYPE_TAG);
    if (!Path.Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Path.Buffer, Parse->Path.Buffer, Path.Length);
    Path.Buffer[Path.Length / sizeof(WCHAR)] = 0;
    Rest.Buffer = Path.Buffer + (Path.Length - Rest.Length) / sizeof(WCHAR);
    NTSTATUS Status = SeCreateAccessState(&State, Aux, Parse->Access, &Type->Init.Mapping);
    if (NT_SUCCESS(Status)) {
        ObpEnterMethod(&Callback, Own, "parse method for object %o", Own->Parse, Body);
        Status = ((OBP_PARSE_METHOD *)Own->Parse)(Body, Parse->Wanted, &State, ObpOpenMode(Parse->Attributes),
                                                  Parse->Attributes, &Path, &Rest, Parse->Context, NULL, Object);
        VfLeaveCallback(&Callback);
        SeDeleteAccessState(&State);
    }
    if (Status == STATUS_REPARSE) {
        Parse->Rest->Buffer = ExpAllocate(Path.Length + sizeof(WCHAR), OBP_TYPE_TAG);
        RtlCopyMemory(Parse->Rest->Buffer, Path.Buffer, Path.Length);
        Parse->Rest->Length = Parse->Rest->MaximumLength = Path.Length;
    } else if (NT_SUCCESS(Status) && !*Object)
        Status = STATUS_OBJECT_NAME_NOT_FOUND;
    if (Path.Buffer)
        ExFreePoolWithTag(Path.Buffer, 0);
    return Status;
}

/* ---- Types ------------------------------------------------------------------------------------------------------- */

static BOOLEAN ObpReadInitializer(PVOID Initializer, OB_TYPE_INIT *Init, POBP_DRIVER_TYPE Own)
{
    OBP_INITIALIZER_2003 *Old = Initializer;
    OBP_INITIALIZER *New = Initializer;
    Own->Old = Old->Length == sizeof(*Old);
    if (!Own->Old && New->Length != sizeof(*New))
        return FALSE;
    Init->InvalidAttributes = Own->Old ? Old->InvalidAttributes : New->InvalidAttributes;
    Init->Mapping = Own->Old ? Old->Mapping : New->Mapping;
    Init->ValidAccess = Own->Old ? Old->ValidAccess : New->ValidAccess;
    Init->SecurityRequired = Own->Old ? Old->SecurityRequired : New->SecurityRequired;
    Init->CaseInsensitive = Own->Old ? Old->CaseInsensitive : New->CaseInsensitive;
    Own->Open = Old->Open;
    Own->Close = Old->Close;
    Own->Delete = Old->Delete;
    Own->Parse = Old->Parse;
    Own->Security = Old->Security;
    Own->QueryName = Old->QueryName;
    Own->OkayToClose = Old->OkayToClose;
    if (!Own->Old && New->UseExtendedParameters && Own->Parse) {
        VfRemark("ObCreateObjectType: parse methods with extended parameters are not called; the type is refused");
        return FALSE;
    }
    /* who wants handles counted is told of them; what is waited for by its own address is never paged */
    if ((Own->Old ? Old->MaintainHandleCount : New->MaintainHandleCount) && !Own->Open && !Own->Close)
        return FALSE;
    if (!(Own->Old ? Old->UseDefaultObject : New->UseDefaultObject) &&
        ((Own->Old ? Old->PoolType : New->PoolType) & PagedPool))
        return FALSE;
    return !(Init->InvalidAttributes & ~OBJ_VALID_ATTRIBUTES);
}

/* Undocumented: STATUS_OBJECT_NAME_COLLISION for a type of that name, STATUS_INVALID_PARAMETER for bad descriptions. */
NTSTATUS NTAPI ObCreateObjectType(PUNICODE_STRING Name, PVOID Initializer, PSECURITY_DESCRIPTOR Descriptor,
                                  POBJECT_TYPE *Result)
{
    OB_TYPE_INIT Init = {0};
    OBP_DRIVER_TYPE Own = {.Stack = VfCaptureStack()};
    UNICODE_STRING Full = {.MaximumLength = 0};
    PVOID Existing;
    if (!Name || !Name->Length || (Name->Length & 1) || !Name->Buffer || !Initializer || !Result)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++)
        if (Name->Buffer[i] == L'\\')
            return STATUS_OBJECT_NAME_INVALID;
    if (!ObpReadInitializer(Initializer, &Init, &Own))
        return STATUS_INVALID_PARAMETER;
    Full.MaximumLength = Name->Length + 14 * sizeof(WCHAR);
    Full.Buffer = ExpAllocate(Full.MaximumLength, OBP_TYPE_TAG);
    RtlAppendUnicodeToString(&Full, L"\\ObjectTypes\\");
    RtlAppendUnicodeStringToString(&Full, Name);
    Full.Buffer[Full.Length / sizeof(WCHAR)] = 0;
    NTSTATUS Status = ObpLookupName(&Full, 0, NULL, 0, NULL, &Existing);
    if (NT_SUCCESS(Status)) {
        ObfDereferenceObject(Existing);
        ExpFree(Full.Buffer);
        return STATUS_OBJECT_NAME_COLLISION;
    }
    Init.Name = Full.Buffer + 13;
    Init.Close = Own.Close ? ObpCloseMethod : NULL;
    Init.Delete = Own.Delete ? ObpDeleteMethod : NULL;
    Init.AskName = Own.QueryName ? ObpDriverQueryName : NULL;
    Init.Security = Own.Security ? ObpDriverSecurity : NULL;
    POBJECT_TYPE Type = ObpCreateType(&Init);
    if (!Type) {
        ExpFree(Full.Buffer);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Type->Driver = ExpAllocate(sizeof(Own), OBP_TYPE_TAG);
    *Type->Driver = Own;
    *Result = Type;
    return STATUS_SUCCESS;
}

/* ---- Objects between creation and insertion ---------------------------------------------------------------------- */

typedef struct _OBP_CREATION {
    struct _OBP_CREATION *Next;
    PVOID Body;
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    PSECURITY_DESCRIPTOR Descriptor; /* captured */
} OBP_CREATION, *POBP_CREATION;

static POBP_CREATION ObpCreations; /* few at a time */

static VOID ObpFreeCreation(POBP_CREATION Creation)
{
    SeReleaseSecurityDescriptor(Creation->Descriptor, KernelMode, TRUE);
    if (Creation->Name.Buffer)
        ExpFree(Creation->Name.Buffer);
    ExpFree(Creation);
}

static POBP_CREATION ObpTakeCreation(PVOID Body)
{
    POBP_CREATION *Place = &ObpCreations;
    while (*Place && (*Place)->Body != Body)
        Place = &(*Place)->Next;
    POBP_CREATION Creation = *Place;
    if (Creation)
        *Place = Creation->Next;
    ObpHeaderOf(Body)->Created = FALSE;
    return Creation;
}

/* The object goes without having been inserted. */
VOID ObpForgetCreation(PVOID Body)
{
    POBP_CREATION Creation = ObpTakeCreation(Body);
    if (Creation)
        ObpFreeCreation(Creation);
}

static NTSTATUS ObpCapture(POBJECT_ATTRIBUTES From, KPROCESSOR_MODE Mode, POBP_CREATION To)
{
    if (!From)
        return STATUS_SUCCESS;
    if (From->Length != sizeof(*From) || (From->Attributes & ~OBJ_VALID_ATTRIBUTES))
        return STATUS_INVALID_PARAMETER;
    To->Attributes = *From;
    To->Attributes.ObjectName = NULL;
    To->Attributes.SecurityDescriptor = NULL;
    To->Attributes.SecurityQualityOfService = NULL;
    if (From->ObjectName && From->ObjectName->Length) {
        if ((From->ObjectName->Length & 1) || !From->ObjectName->Buffer)
            return STATUS_OBJECT_NAME_INVALID;
        To->Name = *From->ObjectName;
        To->Name.MaximumLength = To->Name.Length;
        To->Name.Buffer = ExpAllocate(To->Name.Length, OBP_TYPE_TAG);
        RtlCopyMemory(To->Name.Buffer, From->ObjectName->Buffer, To->Name.Length);
        To->Attributes.ObjectName = &To->Name;
    }
    return SeCaptureSecurityDescriptor(From->SecurityDescriptor, Mode, PagedPool, TRUE, &To->Descriptor);
}

NTSTATUS NTAPI ObCreateObject(KPROCESSOR_MODE ProbeMode, POBJECT_TYPE Type, POBJECT_ATTRIBUTES Attributes,
                              KPROCESSOR_MODE OwnershipMode, PVOID ParseContext, ULONG Bytes, ULONG PagedCharge,
                              ULONG NonPagedCharge, PVOID *Object)
{
    PVOID Body;
    *Object = NULL;
    if (Attributes && (Attributes->Attributes & Type->Init.InvalidAttributes))
        return STATUS_INVALID_PARAMETER;
    POBP_CREATION Creation = ExpAllocate(sizeof(*Creation), OBP_TYPE_TAG);
    Creation->Attributes.Length = sizeof(OBJECT_ATTRIBUTES);
    NTSTATUS Status = ObpCapture(Attributes, ProbeMode, Creation);
    if (NT_SUCCESS(Status))
        Status = ObpAllocateObject(Type, Bytes, &Body);
    if (!NT_SUCCESS(Status)) {
        ObpFreeCreation(Creation);
        return Status;
    }
    if ((Creation->Attributes.Attributes & OBJ_PERMANENT) &&
        !SepHasPrivilege(SE_CREATE_PERMANENT_PRIVILEGE, ProbeMode)) {
        ObpFreeCreation(Creation);
        ObfDereferenceObject(Body);
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    Creation->Body = Body;
    Creation->Next = ObpCreations;
    ObpCreations = Creation;
    ObpHeaderOf(Body)->Created = TRUE;
    *Object = Body;
    return STATUS_SUCCESS;
}

/* docs: ObInsertObject. Takes over the creator's reference, unless NewObject asks for it back (with Bias more). */
NTSTATUS NTAPI ObInsertObject(PVOID Object, PACCESS_STATE State, ACCESS_MASK Access, ULONG Bias, PVOID *NewObject,
                              PHANDLE Handle)
{
    POBP_CREATION Creation = ObpTakeCreation(Object);
    HANDLE Made = NULL;
    PVOID Body = NULL;
    if (!Creation) {
        ObfDereferenceObject(Object);
        return STATUS_INVALID_PARAMETER;
    }
    Creation->Attributes.SecurityDescriptor = Creation->Descriptor;
    if (State)
        Access = State->RemainingDesiredAccess | State->PreviouslyGrantedAccess;
    /* an unnamed object whose caller wants no handle only gets its security */
    if (!Handle && !NewObject && !Creation->Attributes.ObjectName) {
        ObpFreeCreation(Creation);
        ObfDereferenceObject(Object);
        return STATUS_SUCCESS;
    }
    if (NewObject)
        ObfReferenceObject(Object);
    NTSTATUS Status = ObpInsertObject(Object, &Creation->Attributes, Access, Handle ? &Made : NULL);
    if (NT_SUCCESS(Status) && Handle)
        *Handle = Made;
    if (NewObject) {
        /* with OBJ_OPENIF another object may have been found */
        if (NT_SUCCESS(Status) && Handle && Status == STATUS_OBJECT_NAME_EXISTS) {
            ObReferenceObjectByHandle(Made, 0, NULL, KernelMode, &Body, NULL);
            ObfDereferenceObject(Object);
            Object = Body;
        }
        if (NT_SUCCESS(Status)) {
            ObpHeaderOf(Object)->PointerCount += Bias;
            *NewObject = Object;
        } else
            ObfDereferenceObject(Object);
    }
    ObpFreeCreation(Creation);
    return Status;
}
