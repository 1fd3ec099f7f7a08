/*
 * Key objects: opening and creating keys by name, and the services on keys as such.
 */
#include "nt.h"
#include "cm/cmp.h"

POBJECT_TYPE CmpKeyType;
POBJECT_TYPE *CmKeyObjectType;

#define CM_LINKS_FOLLOWED 64

/* What an opener hands to the parse routine. */
typedef struct _CM_PARSE {
    POBJECT_ATTRIBUTES Attributes;
    PUNICODE_STRING Class;
    ULONG Options, Disposition;
    BOOLEAN Create;
    ACCESS_MASK Desired, Granted;
    KPROCESSOR_MODE Mode;          /* whose access is checked */
    PSECURITY_DESCRIPTOR Explicit; /* for a new key, captured */
    struct _CM_TRANSACTION *Transaction;
} CM_PARSE, *PCM_PARSE;

/* ---- Key objects ------------------------------------------------------------------------------------------------- */

NTSTATUS CmpNewBody(PCM_KEY Key, struct _CM_TRANSACTION *Transaction, PVOID *Object)
{
    NTSTATUS Status = ObpAllocateObject(CmpKeyType, sizeof(CM_KEY_BODY), Object);
    if (NT_SUCCESS(Status)) {
        PCM_KEY_BODY Body = *Object;
        Body->Key = Key;
        Body->Transaction = Transaction;
        CmpReferenceKey(Key);
        if (Transaction)
            CmpReferenceTransaction(Transaction);
    }
    return Status;
}

/* docs: RegNtPreKeyHandleClose: the key object is being destroyed, its count is zero. */
static VOID CmpDeleteBody(PVOID Object)
{
    PCM_KEY_BODY Body = Object;
    REG_KEY_HANDLE_CLOSE_INFORMATION Information = {.Object = Body};
    CM_CALL Call = CM_CALL_OF(RegNtPreKeyHandleClose, RegNtPostKeyHandleClose, Information);
    NTSTATUS Status;
    CmpBefore(&Call, &Status);
    CmpCloseWatch(Body);
    CmpAfter(&Call, Body, STATUS_SUCCESS);
    CmpContextsGo(Body);
    if (Body->Name)
        ExpFree(Body->Name);
    if (Body->Transaction)
        CmpDereferenceTransaction(Body->Transaction);
    CmpDereferenceKey(Body->Key);
    CmpHiveReleased();
}

/* docs: ZwNotifyChangeKey: closing the handle ends what waits on it. */
static VOID CmpCloseBody(PVOID Body, ULONG RemainingHandles)
{
    if (!RemainingHandles)
        CmpCloseWatch(Body);
}

NTSTATUS CmpReferenceBody(HANDLE Handle, ACCESS_MASK Access, PCM_KEY_BODY *Body)
{
    return ObReferenceObjectByHandle(Handle, Access, CmpKeyType, ExGetPreviousMode(), (PVOID *)Body, NULL);
}

NTSTATUS CmpMayRead(PCM_KEY_BODY Body)
{
    if (Body->Transaction && !CmpIsActive(Body->Transaction))
        return STATUS_TRANSACTION_NOT_ACTIVE;
    return (Body->Key->Flags & CM_DELETED) || !CmpSees(&Body->Key->Mark, Body->Transaction) ? STATUS_KEY_DELETED
                                                                                            : STATUS_SUCCESS;
}

NTSTATUS CmpMayWrite(PCM_KEY_BODY Body)
{
    NTSTATUS Status = CmpMayRead(Body);
    return NT_SUCCESS(Status) ? CmpOwn(Body->Key, Body->Transaction) : Status;
}

ULONG CmpPathOf(PCM_KEY Key, PWSTR Buffer)
{
    ULONG Bytes = 0;
    for (PCM_KEY On = Key; On; On = On->Parent)
        Bytes += On->Name.Length + sizeof(WCHAR);
    ULONG End = Bytes;
    for (PCM_KEY On = Key; On && Buffer; On = On->Parent) {
        End -= On->Name.Length;
        RtlCopyMemory((PUCHAR)Buffer + End, On->Name.Buffer, On->Name.Length);
        End -= sizeof(WCHAR);
        *(PWCHAR)((PUCHAR)Buffer + End) = L'\\';
    }
    return Bytes;
}

static NTSTATUS CmpQueryName(PVOID Object, PWSTR Buffer, ULONG Bytes, PULONG Length)
{
    PCM_KEY_BODY Body = Object;
    if (Body->Key->Flags & CM_DELETED)
        return STATUS_KEY_DELETED;
    *Length = CmpPathOf(Body->Key, NULL);
    if (*Length > Bytes)
        return STATUS_INFO_LENGTH_MISMATCH;
    CmpPathOf(Body->Key, Buffer);
    return STATUS_SUCCESS;
}

/* docs: REG_NOTIFY_CLASS: RegNtPreQueryKeyName comes when a key's path is asked for. DIFFERS: not when a registry callback
 * asks: one that wants the name of every key it hears of would never end. */
static NTSTATUS CmpAskName(PVOID Object, POBJECT_NAME_INFORMATION Answer, ULONG Bytes, PULONG Returned)
{
    REG_QUERY_KEY_NAME Information = {
        .Object = Object, .ObjectNameInfo = Answer, .Length = Bytes, .ReturnLength = Returned};
    CM_CALL Call = CM_CALL_OF(RegNtPreQueryKeyName, RegNtPostQueryKeyName, Information);
    NTSTATUS Status;
    if (CmpInCallback())
        return ObpQueryName(Object, Answer, Bytes, Returned);
    if (CmpBefore(&Call, &Status))
        Status = ObpQueryName(Object, Answer, Bytes, Returned);
    return CmpAfter(&Call, Object, Status);
}

/* ---- Walking a path ------------------------------------------------------------------------------------------------
 */

typedef struct _CM_WALK {
    PCM_PARSE Parse;
    PCM_KEY Key;
    UNICODE_STRING Rest;
    PWSTR Buffer; /* the path with a link's target in it */
    ULONG Links;
} CM_WALK, *PCM_WALK;

static BOOLEAN CmpNextName(PUNICODE_STRING Rest, PUNICODE_STRING Name)
{
    while (Rest->Length && Rest->Buffer[0] == L'\\') {
        Rest->Buffer++;
        Rest->Length -= sizeof(WCHAR);
    }
    Name->Buffer = Rest->Buffer;
    Name->Length = 0;
    while (Name->Length + sizeof(WCHAR) <= Rest->Length && Rest->Buffer[Name->Length / sizeof(WCHAR)] != L'\\')
        Name->Length += sizeof(WCHAR);
    Name->MaximumLength = Name->Length;
    Rest->Buffer += Name->Length / sizeof(WCHAR);
    Rest->Length -= Name->Length;
    return Name->Length != 0;
}

static BOOLEAN CmpIsLast(PCUNICODE_STRING Rest)
{
    for (ULONG i = 0; i < Rest->Length / sizeof(WCHAR); i++)
        if (Rest->Buffer[i] != L'\\')
            return FALSE;
    return TRUE;
}

/* The walk begins anew at the root with the link's target in the path. */
static NTSTATUS CmpFollowLink(PCM_WALK Walk, PCM_KEY Link, struct _CM_TRANSACTION *Transaction)
{
    static const UNICODE_STRING Prefix = RTL_CONSTANT_STRING(L"\\REGISTRY");
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"SymbolicLinkValue");
    PCM_VALUE Value = CmpFindValue(Link, &Name, Transaction);
    if (!Value || Value->Type != REG_LINK || Value->Bytes > 0xfffc || ++Walk->Links > CM_LINKS_FOLLOWED)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    UNICODE_STRING Target = {(USHORT)(Value->Bytes & ~1u), (USHORT)(Value->Bytes & ~1u), Value->Data};
    if (!RtlPrefixUnicodeString(&Prefix, &Target, TRUE))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    Target.Buffer += Prefix.Length / sizeof(WCHAR);
    Target.Length -= Prefix.Length;
    ULONG Bytes = Target.Length + Walk->Rest.Length;
    if (Bytes > 0xfffc)
        return STATUS_NAME_TOO_LONG;
    PWSTR Buffer = ExpAllocate(Bytes + sizeof(WCHAR), CM_TAG);
    RtlCopyMemory(Buffer, Target.Buffer, Target.Length);
    RtlCopyMemory((PUCHAR)Buffer + Target.Length, Walk->Rest.Buffer, Walk->Rest.Length);
    if (Walk->Buffer)
        ExpFree(Walk->Buffer);
    Walk->Buffer = Walk->Rest.Buffer = Buffer;
    Walk->Rest.Length = Walk->Rest.MaximumLength = (USHORT)Bytes;
    Walk->Key = CmpRoot;
    return STATUS_SUCCESS;
}

/* HARDWARE is never written: all of that hive is for this boot, whatever its makers ask for (RTL_REGISTRY_DEVICEMAP). */
static BOOLEAN CmpInVolatileHive(PCM_KEY Key)
{
    while (Key->Parent && !(Key->Flags & CM_HIVE))
        Key = Key->Parent;
    return (Key->Flags & (CM_HIVE | CM_VOLATILE)) == (CM_HIVE | CM_VOLATILE);
}

/* docs: ZwCreateKey, "Registry Key Object Routines". Below the root, MACHINE and USER only hives are mounted. */
static NTSTATUS CmpCreateBelow(PCM_WALK Walk, PCUNICODE_STRING Name)
{
    PCM_PARSE Parse = Walk->Parse;
    PCM_KEY Parent = Walk->Key;
    if (Parent->Flags & CM_FIXED)
        return STATUS_INVALID_PARAMETER;
    BOOLEAN Volatile = (Parse->Options & REG_OPTION_VOLATILE) || CmpInVolatileHive(Parent);
    if ((Parent->Flags & CM_VOLATILE) && !Volatile)
        return STATUS_CHILD_MUST_BE_VOLATILE;
    if (CmpDepth(Parent) >= CM_DEPTH_MOST)
        return STATUS_INVALID_PARAMETER;
    PSECURITY_DESCRIPTOR Security;
    NTSTATUS Status = CmpCheckCreation(Parent, (Parse->Options & REG_OPTION_CREATE_LINK) != 0, Parse->Desired,
                                       Parse->Mode, &Parse->Granted);
    if (NT_SUCCESS(Status))
        Status = CmpOwn(Parent, Parse->Transaction);
    if (NT_SUCCESS(Status))
        Status = CmpMakeSecurity(Parent, Parse->Explicit, &Security);
    if (!NT_SUCCESS(Status))
        return Status;
    PCM_KEY Key = CmpMakeKey(Parent, Name, Security);
    if (Volatile)
        Key->Flags |= CM_VOLATILE;
    if (Parse->Options & REG_OPTION_CREATE_LINK)
        Key->Flags |= CM_LINK;
    if (Parse->Class && Parse->Class->Length)
        CmpSetClass(Key, Parse->Class);
    CmpMarkCreated(Parent, &Key->Mark, Parse->Transaction);
    Parse->Disposition = REG_CREATED_NEW_KEY;
    Walk->Key = Key;
    return STATUS_SUCCESS;
}

static NTSTATUS CmpStep(PCM_WALK Walk, PCUNICODE_STRING Name)
{
    PCM_PARSE Parse = Walk->Parse;
    BOOLEAN Last = CmpIsLast(&Walk->Rest);
    if (Name->Length > CM_NAME_MOST)
        return STATUS_INVALID_PARAMETER;
    PCM_KEY Child = CmpFindKey(Walk->Key, Name, Parse->Transaction);
    if (!Child)
        return Parse->Create && Last ? CmpCreateBelow(Walk, Name) : STATUS_OBJECT_NAME_NOT_FOUND;
    if (Child == CmpAppRoot) /* docs: RegLoadAppKey: no name leads into an application hive */
        return STATUS_ACCESS_DENIED;
    if (Parse->Create && Last && (Parse->Options & REG_OPTION_CREATE_LINK))
        return STATUS_OBJECT_NAME_COLLISION;
    BOOLEAN OpenLink = (Parse->Options & REG_OPTION_OPEN_LINK) ||
                       (Parse->Attributes && (Parse->Attributes->Attributes & OBJ_OPENLINK));
    if ((Child->Flags & CM_LINK) && !(Last && OpenLink))
        return CmpFollowLink(Walk, Child, Parse->Transaction);
    Walk->Key = Child;
    return STATUS_SUCCESS;
}

/* docs: ZwOpenKey: what is there is opened as its security allows. */
static NTSTATUS CmpOpenFound(PCM_PARSE Parse, PCM_KEY Key)
{
    if (Parse->Disposition == REG_CREATED_NEW_KEY ||
        ((Parse->Options & REG_OPTION_BACKUP_RESTORE) && CmpAccessByPrivilege(Parse->Mode, &Parse->Granted)))
        return STATUS_SUCCESS;
    return CmpCheckKey(Key, Parse->Desired, Parse->Mode, &Parse->Granted);
}

static NTSTATUS CmpWalkPath(PCM_KEY_BODY Root, PUNICODE_STRING Path, PCM_PARSE Parse, PVOID *Object)
{
    CM_WALK Walk = {.Parse = Parse, .Key = Root->Key, .Rest = *Path};
    UNICODE_STRING Name;
    NTSTATUS Status = CmpMayRead(Root);
    while (NT_SUCCESS(Status) && CmpNextName(&Walk.Rest, &Name))
        Status = CmpStep(&Walk, &Name);
    if (NT_SUCCESS(Status))
        Status = CmpOpenFound(Parse, Walk.Key);
    if (NT_SUCCESS(Status))
        Status = CmpNewBody(Walk.Key, Parse->Transaction, Object);
    PCM_KEY Made = NT_SUCCESS(Status) && Parse->Disposition == REG_CREATED_NEW_KEY ? Walk.Key : NULL;
    if (Walk.Buffer)
        ExpFree(Walk.Buffer);
    if (Made && !Parse->Transaction)
        CmpNotify(Made->Parent, REG_NOTIFY_CHANGE_NAME); /* the new key object holds it */
    return Status;
}

/* A callback may turn success into failure after the operation, and is then to give up the object; if it has not, we
 * do. */
static NTSTATUS CmpAfterOpen(PCM_CALL Call, PVOID *Object, NTSTATUS Status)
{
    if (!NT_SUCCESS(Status) || !*Object)
        return CmpAfter(Call, NULL, Status);
    ObfReferenceObject(*Object);
    LONG_PTR Count = ObpHeaderOf(*Object)->PointerCount;
    NTSTATUS After = CmpAfter(Call, *Object, Status);
    if (!NT_SUCCESS(After) && ObpHeaderOf(*Object)->PointerCount >= Count)
        ObfDereferenceObject(*Object);
    ObfDereferenceObject(*Object);
    return After;
}

/* docs: REG_CREATE_KEY_INFORMATION_V1, REG_OPEN_KEY_INFORMATION_V1. */
static NTSTATUS CmpParseKey(PVOID Body, PUNICODE_STRING Path, PULONG Access, PVOID Context, PVOID *Object)
{
    CM_PARSE Plain = {.Desired = *Access, .Mode = ExGetPreviousMode()};
    PCM_PARSE Parse = Context ? Context : &Plain; /* none: an open that knows nothing of keys */
    POBJECT_ATTRIBUTES Attributes = Parse->Attributes;
    UNICODE_STRING Remaining = *Path;
    REG_CREATE_KEY_INFORMATION_V1 Information = {
        .CompleteName = Attributes && Attributes->ObjectName ? Attributes->ObjectName : &Remaining,
        .RootObject = Body,
        .ObjectType = CmpKeyType,
        .Options = Parse->Options,
        .Class = Parse->Class,
        .SecurityDescriptor = Attributes ? Attributes->SecurityDescriptor : NULL,
        .SecurityQualityOfService = Attributes ? Attributes->SecurityQualityOfService : NULL,
        .DesiredAccess = *Access,
        .GrantedAccess = *Access,
        .Disposition = &Parse->Disposition,
        .ResultObject = Object,
        .Transaction = Parse->Transaction ? CmpTransactionObject(Parse->Transaction) : NULL,
        .Version = 1,
        .RemainingName = &Remaining,
        .Attributes = Attributes ? Attributes->Attributes : 0,
        .CheckAccessMode = Parse->Mode};
    CM_CALL Call = {.Pre = Parse->Create ? RegNtPreCreateKeyEx : RegNtPreOpenKeyEx,
                    .Post = Parse->Create ? RegNtPostCreateKeyEx : RegNtPostOpenKeyEx,
                    .Information = &Information,
                    .Object = Body,
                    .CallContext = &Information.CallContext,
                    .ObjectContext = &Information.RootObjectContext};
    NTSTATUS Status;
    *Object = NULL;
    Parse->Disposition = REG_OPENED_EXISTING_KEY;
    if (CmpBefore(&Call, &Status)) {
        Status = CmpWalkPath(Body, &Remaining, Parse, Object);
        *Access = Parse->Granted;
    } else if (NT_SUCCESS(Status) && (!*Object || ObpTypeOf(*Object) != CmpKeyType))
        Status = STATUS_OBJECT_TYPE_MISMATCH; /* bypassed without a key object */
    else
        *Access = Information.GrantedAccess; /* who opens it himself says with what access */
    return CmpAfterOpen(&Call, Object, Status);
}

VOID CmInitialize(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\REGISTRY");
    PVOID Root;
    CmpKeyType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"Key",
                                               .BodyBytes = sizeof(CM_KEY_BODY),
                                               .ValidAccess = KEY_ALL_ACCESS,
                                               .Mapping = {KEY_READ, KEY_WRITE, KEY_EXECUTE, KEY_ALL_ACCESS},
                                               .Close = CmpCloseBody,
                                               .Delete = CmpDeleteBody,
                                               .Parse = CmpParseKey,
                                               .Security = CmpSecurityMethod,
                                               .QueryName = CmpQueryName,
                                               .AskName = CmpAskName,
                                               .CaseInsensitive = TRUE});
    CmKeyObjectType = (PVOID)CmpKeyType;
    KI_ASSERT(NT_SUCCESS(CmpNewBody(CmpBuildTree(), NULL, &Root)));
    KI_ASSERT(NT_SUCCESS(ObpInsertName(Root, &Name, OBJ_PERMANENT)));
    ObfDereferenceObject(Root);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static NTSTATUS CmpOpen(PCM_PARSE Parse, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, HANDLE Transaction,
                        PHANDLE Handle)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    NTSTATUS Status = STATUS_SUCCESS;
    if (!Attributes || (Parse->Options & ~REG_LEGAL_OPTION))
        return STATUS_INVALID_PARAMETER;
    Parse->Attributes = Attributes;
    Parse->Mode = ObpOpenMode(Attributes->Attributes);
    Parse->Desired = Access;
    RtlMapGenericMask(&Parse->Desired, &CmpKeyType->Init.Mapping);
    if (Parse->Create)
        Status = SeCaptureSecurityDescriptor(Attributes->SecurityDescriptor, Mode, PagedPool, FALSE, &Parse->Explicit);
    if (NT_SUCCESS(Status) && Transaction)
        Status = CmpEnlist(Transaction, &Parse->Transaction);
    if (NT_SUCCESS(Status))
        Status = ObpOpen(Attributes, CmpKeyType, Access, Parse, Handle);
    if (Parse->Transaction)
        CmpDereferenceTransaction(Parse->Transaction);
    SeReleaseSecurityDescriptor(Parse->Explicit, Mode, FALSE);
    return Status;
}

static NTSTATUS CmpCreate(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, PUNICODE_STRING Class,
                          ULONG Options, HANDLE Transaction, PULONG Disposition)
{
    CM_PARSE Parse = {.Class = Class, .Options = Options, .Create = TRUE};
    NTSTATUS Status = CmpOpen(&Parse, Access, Attributes, Transaction, Handle);
    if (NT_SUCCESS(Status) && Disposition)
        *Disposition = Parse.Disposition;
    return Status;
}

NTSTATUS NTAPI NtCreateKey(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG TitleIndex,
                           PUNICODE_STRING Class, ULONG Options, PULONG Disposition)
{
    return CmpCreate(Handle, Access, Attributes, Class, Options, NULL, Disposition);
}

NTSTATUS NTAPI NtOpenKeyEx(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG Options)
{
    CM_PARSE Parse = {.Options = Options};
    if (Options & ~(REG_OPTION_BACKUP_RESTORE | REG_OPTION_OPEN_LINK))
        return STATUS_INVALID_PARAMETER;
    return CmpOpen(&Parse, Access, Attributes, NULL, Handle);
}

NTSTATUS NTAPI NtOpenKey(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    return NtOpenKeyEx(Handle, Access, Attributes, 0);
}

/* docs: ZwCreateKeyTransacted, ZwOpenKeyTransacted, ZwOpenKeyTransactedEx. */
NTSTATUS NTAPI NtCreateKeyTransacted(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                     ULONG TitleIndex, PUNICODE_STRING Class, ULONG Options, HANDLE Transaction,
                                     PULONG Disposition)
{
    return Transaction ? CmpCreate(Handle, Access, Attributes, Class, Options, Transaction, Disposition)
                       : STATUS_INVALID_PARAMETER;
}

NTSTATUS NTAPI NtOpenKeyTransactedEx(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG Options,
                                     HANDLE Transaction)
{
    CM_PARSE Parse = {.Options = Options};
    if (!Transaction || (Options & ~(REG_OPTION_BACKUP_RESTORE | REG_OPTION_OPEN_LINK)))
        return STATUS_INVALID_PARAMETER;
    return CmpOpen(&Parse, Access, Attributes, Transaction, Handle);
}

NTSTATUS NTAPI NtOpenKeyTransacted(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                   HANDLE Transaction)
{
    return NtOpenKeyTransactedEx(Handle, Access, Attributes, 0, Transaction);
}

/* The key object behind a name, for services that take OBJECT_ATTRIBUTES. */
NTSTATUS CmpOpenBody(POBJECT_ATTRIBUTES Attributes, ULONG Options, PCM_KEY_BODY *Body)
{
    HANDLE Handle;
    NTSTATUS Status = NtOpenKeyEx(&Handle, KEY_READ, Attributes, Options);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = CmpReferenceBody(Handle, 0, Body);
    NtClose(Handle);
    return Status;
}

/* ---- The key as a whole ------------------------------------------------------------------------------------------ */

/* docs: ZwDeleteKey: a key with subkeys stays (STATUS_CANNOT_DELETE). */
static NTSTATUS CmpDelete(PCM_KEY_BODY Body, PVOID Asked)
{
    PCM_KEY Key = Body->Key, Parent = Key->Parent;
    NTSTATUS Status = CmpMayWrite(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (!Parent || (Key->Flags & (CM_FIXED | CM_HIVE)) || CmpKeyCount(Key, Body->Transaction))
        return STATUS_CANNOT_DELETE;
    Status = CmpOwn(Parent, Body->Transaction);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Body->Transaction && !Key->Mark.CreatedBy) {
        CmpMarkDeleted(Parent, &Key->Mark, Body->Transaction);
        return STATUS_SUCCESS;
    }
    CmpForget(&Key->Mark, Parent);
    CmpReferenceKey(Parent);
    CmpUnlinkKey(Key);
    CmpNotify(Parent, REG_NOTIFY_CHANGE_NAME);
    CmpDereferenceKey(Parent);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtDeleteKey(HANDLE Handle)
{
    REG_DELETE_KEY_INFORMATION Information = {0};
    return CmpRun(Handle, DELETE, DeleteKey, Information, CmpDelete);
}

static NTSTATUS CmpFlush(PCM_KEY_BODY Body, PVOID Asked)
{
    NTSTATUS Status = CmpMayRead(Body);
    return NT_SUCCESS(Status) ? CmpFlushKey(Body->Key) : Status;
}

NTSTATUS NTAPI NtFlushKey(HANDLE Handle)
{
    REG_FLUSH_KEY_INFORMATION Information = {0};
    return CmpRun(Handle, 0, FlushKey, Information, CmpFlush);
}

/* docs: ZwRenameKey. DIFFERS: not in a transaction. */
static NTSTATUS CmpRename(PCM_KEY_BODY Body, PVOID Asked)
{
    PUNICODE_STRING NewName = ((PREG_RENAME_KEY_INFORMATION)Asked)->NewName;
    PCM_KEY Key = Body->Key;
    NTSTATUS Status = CmpMayWrite(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (!NewName || !NewName->Length || NewName->Length > CM_NAME_MOST)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < NewName->Length / sizeof(WCHAR); i++)
        if (NewName->Buffer[i] == L'\\')
            return STATUS_INVALID_PARAMETER;
    if (!Key->Parent || (Key->Flags & (CM_FIXED | CM_HIVE)))
        return STATUS_ACCESS_DENIED;
    if (Body->Transaction)
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    PCM_KEY Same = CmpFindKey(Key->Parent, NewName, NULL);
    if (Same && Same != Key)
        return STATUS_CANNOT_DELETE;
    CmpRenameKey(Key, NewName);
    CmpNotify(Key->Parent, REG_NOTIFY_CHANGE_NAME);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtRenameKey(HANDLE Handle, PUNICODE_STRING NewName)
{
    REG_RENAME_KEY_INFORMATION Information = {.NewName = NewName};
    return CmpRun(Handle, KEY_WRITE, RenameKey, Information, CmpRename);
}

/* docs: KEY_SET_INFORMATION_CLASS. */
static NTSTATUS CmpSetInformation(PCM_KEY_BODY Body, PVOID Context)
{
    PREG_SET_INFORMATION_KEY_INFORMATION Asked = Context;
    ULONG Class = Asked->KeySetInformationClass;
    PVOID Buffer = Asked->KeySetInformation;
    static const ULONG Sizes[] = {[KeyWriteTimeInformation] = sizeof(KEY_WRITE_TIME_INFORMATION),
                                  [KeyWow64FlagsInformation] = sizeof(ULONG),
                                  [KeyControlFlagsInformation] = sizeof(ULONG),
                                  [KeySetVirtualizationInformation] = sizeof(ULONG),
                                  [KeySetHandleTagsInformation] = sizeof(ULONG)};
    PCM_KEY Key = Body->Key;
    if (Class >= RTL_NUMBER_OF(Sizes) || !Sizes[Class])
        return STATUS_INVALID_PARAMETER;
    if (Asked->KeySetInformationLength != Sizes[Class])
        return STATUS_INFO_LENGTH_MISMATCH;
    if (!Buffer)
        return STATUS_ACCESS_VIOLATION;
    NTSTATUS Status = CmpMayWrite(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    switch (Class) {
    case KeyWriteTimeInformation:
        Key->WriteTime = ((PKEY_WRITE_TIME_INFORMATION)Buffer)->LastWriteTime;
        break;
    case KeyWow64FlagsInformation:
        Key->UserFlags = *(PULONG)Buffer;
        break;
    case KeyControlFlagsInformation:
        Key->ControlFlags = *(PULONG)Buffer;
        break;
    case KeySetVirtualizationInformation:
        if (*(PULONG)Buffer & ~7u)
            return STATUS_INVALID_PARAMETER;
        Key->Virtualization = *(PULONG)Buffer;
        break;
    default:
        Body->HandleTags = *(PULONG)Buffer;
        return STATUS_SUCCESS;
    }
    CmpNotify(Key, REG_NOTIFY_CHANGE_ATTRIBUTES);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtSetInformationKey(HANDLE Handle, KEY_SET_INFORMATION_CLASS Class, PVOID Buffer, ULONG Bytes)
{
    REG_SET_INFORMATION_KEY_INFORMATION Information = {
        .KeySetInformationClass = Class, .KeySetInformation = Buffer, .KeySetInformationLength = Bytes};
    return CmpRun(Handle, Class == KeySetHandleTagsInformation ? 0 : KEY_SET_VALUE, SetInformationKey, Information,
                  CmpSetInformation);
}
