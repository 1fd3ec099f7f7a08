/*
 * The namespace: a tree of directories in which objects have names.
 *
 * A walk goes from the root (or from the object of a root handle) component by component. It follows symbolic links
 * by starting anew with the link's target put before the rest, and hands the rest of a path to the first object whose
 * type can parse one (a device, a key, a file). The same walk finds the place for a new name.
 *
 * \DosDevices leads to \??, and \?? is \GLOBAL??.
 * DIFFERS: one set of DOS devices for all sessions and users.
 */
#include "nt.h"
#include "ob/link.h"

#define OBP_LINKS_FOLLOWED 32 /* what Windows follows before it gives up */

typedef struct _OBP_NAME {
    struct _OBP_NAME *Next; /* in the bucket */
    ULONG Hash;
    PVOID Directory; /* NULL = the root itself */
    PVOID Body;
    UNICODE_STRING Text;
} OBP_NAME, *POBP_NAME;

typedef struct _OBP_DIRECTORY {
    POBP_NAME *Bucket;
    ULONG Buckets, Count;
} OBP_DIRECTORY, *POBP_DIRECTORY;

typedef struct _OBP_WALK {
    POBJECT_TYPE Type;
    ULONG Access, Attributes;
    PVOID Context;
    BOOLEAN Insensitive, OpenLink, Insert;
    ULONG Links;
    PWSTR Buffer; /* the substituted path, or NULL */
    PWSTR Start;  /* of the path whose end Rest is */
    UNICODE_STRING Rest;
    PVOID Parent;        /* for a new name: its directory, */
    UNICODE_STRING Last; /* and component */
} OBP_WALK, *POBP_WALK;

static PVOID ObpRoot;

/* ---- Directories ------------------------------------------------------------------------------------------------- */

static ULONG ObpHash(PCUNICODE_STRING Text)
{
    ULONG Hash = 2166136261u;
    for (ULONG i = 0; i < Text->Length / sizeof(WCHAR); i++)
        Hash = (Hash ^ RtlUpcaseUnicodeChar(Text->Buffer[i])) * 16777619u;
    return Hash;
}

static POBP_NAME ObpFind(POBP_DIRECTORY Directory, PCUNICODE_STRING Text, BOOLEAN Insensitive)
{
    if (!Directory->Buckets)
        return NULL;
    ULONG Hash = ObpHash(Text);
    for (POBP_NAME Name = Directory->Bucket[Hash % Directory->Buckets]; Name; Name = Name->Next)
        if (Name->Hash == Hash && RtlEqualUnicodeString(&Name->Text, Text, Insensitive))
            return Name;
    return NULL;
}

static VOID ObpGrow(POBP_DIRECTORY Directory)
{
    ULONG Buckets = Directory->Buckets ? Directory->Buckets * 4 : 16;
    POBP_NAME *Bucket = ExpAllocate(Buckets * sizeof(*Bucket), OBP_NAME_TAG);
    RtlZeroMemory(Bucket, Buckets * sizeof(*Bucket));
    for (ULONG i = 0; i < Directory->Buckets; i++)
        for (POBP_NAME Name = Directory->Bucket[i], Next; Name; Name = Next) {
            Next = Name->Next;
            Name->Next = Bucket[Name->Hash % Buckets];
            Bucket[Name->Hash % Buckets] = Name;
        }
    if (Directory->Bucket)
        ExpFree(Directory->Bucket);
    Directory->Bucket = Bucket;
    Directory->Buckets = Buckets;
}

static VOID ObpEnter(PVOID DirectoryBody, PVOID Body, PCUNICODE_STRING Text)
{
    POBP_DIRECTORY Directory = DirectoryBody;
    if (Directory && Directory->Count >= Directory->Buckets)
        ObpGrow(Directory);
    POBP_NAME Name = ExpAllocate(sizeof(*Name) + Text->Length, OBP_NAME_TAG);
    RtlZeroMemory(Name, sizeof(*Name));
    Name->Text.Buffer = (PWSTR)(Name + 1);
    Name->Text.Length = Name->Text.MaximumLength = Text->Length;
    RtlCopyMemory(Name->Text.Buffer, Text->Buffer, Text->Length);
    Name->Hash = ObpHash(Text);
    Name->Body = Body;
    Name->Directory = DirectoryBody;
    if (Directory) {
        Name->Next = Directory->Bucket[Name->Hash % Directory->Buckets];
        Directory->Bucket[Name->Hash % Directory->Buckets] = Name;
        Directory->Count++;
        ObfReferenceObject(DirectoryBody);
    }
    ObpHeaderOf(Body)->Name = Name;
    ObfReferenceObject(Body);
}

VOID ObpRemoveName(PVOID Body)
{
    POBP_HEADER Header = ObpHeaderOf(Body);
    POBP_NAME Name = Header->Name;
    if (!Name || !Name->Directory)
        return;
    POBP_DIRECTORY Directory = Name->Directory;
    POBP_NAME *Place = &Directory->Bucket[Name->Hash % Directory->Buckets];
    while (*Place != Name)
        Place = &(*Place)->Next;
    *Place = Name->Next;
    Directory->Count--;
    Header->Name = NULL;
    Header->Permanent = FALSE;
    ExpFree(Name);
    ObfDereferenceObject(Directory);
    ObfDereferenceObject(Body);
}

static VOID ObpDeleteDirectory(PVOID Body)
{
    POBP_DIRECTORY Directory = Body;
    if (Directory->Bucket)
        ExpFree(Directory->Bucket);
}

/* ---- Walking ----------------------------------------------------------------------------------------------------- */

/* The path becomes the link's target and the rest. */
static NTSTATUS ObpSubstitute(POBP_WALK Walk, POBP_LINK Link)
{
    ULONG Bytes = Link->Target.Length + Walk->Rest.Length;
    if (++Walk->Links > OBP_LINKS_FOLLOWED)
        return STATUS_OBJECT_NAME_INVALID;
    if (Bytes > 0xfffc)
        return STATUS_NAME_TOO_LONG;
    PWSTR Buffer = ExpAllocate(Bytes + sizeof(WCHAR), OBP_NAME_TAG);
    RtlCopyMemory(Buffer, Link->Target.Buffer, Link->Target.Length);
    RtlCopyMemory((PUCHAR)Buffer + Link->Target.Length, Walk->Rest.Buffer, Walk->Rest.Length);
    if (Walk->Buffer)
        ExpFree(Walk->Buffer);
    Walk->Buffer = Walk->Start = Buffer;
    Walk->Rest.Buffer = Buffer;
    Walk->Rest.Length = Walk->Rest.MaximumLength = (USHORT)Bytes;
    return STATUS_SUCCESS;
}

/* A parse routine gives another name to begin anew with, in memory that is the walk's now. */
static NTSTATUS ObpBeginAnew(POBP_WALK Walk)
{
    if (Walk->Buffer)
        ExpFree(Walk->Buffer);
    Walk->Buffer = Walk->Start = Walk->Rest.Buffer;
    if (++Walk->Links > OBP_LINKS_FOLLOWED)
        return STATUS_OBJECT_NAME_INVALID;
    return Walk->Rest.Length && Walk->Rest.Buffer[0] == L'\\' ? STATUS_SUCCESS : STATUS_OBJECT_PATH_SYNTAX_BAD;
}

/* The object's type takes the rest. */
static NTSTATUS ObpParse(POBP_WALK Walk, PVOID Body, PVOID *Found)
{
    POBJECT_TYPE Type = ObpTypeOf(Body);
    if (Type->Init.Parse)
        return Type->Init.Parse(Body, &Walk->Rest, &Walk->Access, Walk->Context, Found);
    OBP_PARSE Parse = {Walk->Type, Walk->Attributes, Walk->Access, Walk->Context, .Rest = &Walk->Rest};
    Parse.Path.Buffer = Walk->Start;
    Parse.Path.Length = (USHORT)((PUCHAR)Walk->Rest.Buffer - (PUCHAR)Walk->Start + Walk->Rest.Length);
    return ObpCallParse(Body, &Parse, Found);
}

/* Cut "\component" off the rest. */
static NTSTATUS ObpNextComponent(PUNICODE_STRING Rest, PUNICODE_STRING Component)
{
    ULONG Characters = Rest->Length / sizeof(WCHAR), n = 0;
    if (Characters && Rest->Buffer[0] == L'\\') {
        Rest->Buffer++;
        Characters--;
    }
    while (n < Characters && Rest->Buffer[n] != L'\\')
        n++;
    Component->Buffer = Rest->Buffer;
    Component->Length = Component->MaximumLength = (USHORT)(n * sizeof(WCHAR));
    Rest->Buffer += n;
    Rest->Length = Rest->MaximumLength = (USHORT)((Characters - n) * sizeof(WCHAR));
    return n ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
}

/* One step from Directory. *Body: where the walk stands then; *Done: it has arrived (*Body is referenced). */
static NTSTATUS ObpStep(POBP_WALK Walk, PVOID *Body, PBOOLEAN Done)
{
    UNICODE_STRING Component;
    NTSTATUS Status = ObpNextComponent(&Walk->Rest, &Component);
    if (!NT_SUCCESS(Status))
        return Status;
    POBP_NAME Name = ObpFind(*Body, &Component, Walk->Insensitive);
    if (!Name) {
        if (Walk->Rest.Length)
            return STATUS_OBJECT_PATH_NOT_FOUND;
        Walk->Parent = *Body;
        Walk->Last = Component;
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    POBJECT_TYPE Type = ObpTypeOf(Name->Body);
    *Body = Name->Body;
    if (Type == ObpDirectoryType && Walk->Rest.Length)
        return STATUS_SUCCESS;
    if (Type == ObpSymbolicLinkType && (Walk->Rest.Length || !(Walk->OpenLink || Walk->Type == ObpSymbolicLinkType))) {
        *Body = ObpRoot;
        return ObpSubstitute(Walk, (POBP_LINK)Name->Body);
    }
    *Done = TRUE;
    if (ObpParses(Type) && !Walk->Insert) {
        Status = ObpParse(Walk, Name->Body, Body);
        if (Status != STATUS_REPARSE)
            return Status;
        *Done = FALSE;
        *Body = ObpRoot;
        return ObpBeginAnew(Walk);
    }
    if (Walk->Rest.Length)
        return STATUS_OBJECT_TYPE_MISMATCH;
    ObfReferenceObject(*Body);
    return STATUS_SUCCESS;
}

static NTSTATUS ObpWalk(POBP_WALK Walk, PVOID Root, PCUNICODE_STRING Path, PVOID *Found)
{
    PVOID Body = Root ? Root : ObpRoot;
    BOOLEAN Done = FALSE;
    Walk->Rest = *Path;
    Walk->Start = Path->Buffer;
    if (Path->Length & 1)
        return STATUS_OBJECT_NAME_INVALID;
    if (!Root && (Path->Length < sizeof(WCHAR) || Path->Buffer[0] != L'\\'))
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    if (Root && Path->Length && Path->Buffer[0] == L'\\' && ObpTypeOf(Root) == ObpDirectoryType)
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    if (Root && ObpTypeOf(Root) != ObpDirectoryType) {
        if (!ObpParses(ObpTypeOf(Root)))
            return STATUS_OBJECT_TYPE_MISMATCH;
        NTSTATUS Status = ObpParse(Walk, Root, Found);
        if (Status != STATUS_REPARSE)
            return Status;
        Body = ObpRoot;
        Status = ObpBeginAnew(Walk);
        if (!NT_SUCCESS(Status))
            return Status;
    } else if (Path->Length == (Root ? 0 : sizeof(WCHAR))) {
        ObfReferenceObject(Body);
        Done = TRUE;
    }
    while (!Done) {
        NTSTATUS Status = ObpStep(Walk, &Body, &Done);
        if (Status != STATUS_SUCCESS)
            return Status;
    }
    *Found = Body;
    return STATUS_SUCCESS;
}

static NTSTATUS ObpLookup(PVOID Root, PCUNICODE_STRING Path, ULONG Attributes, POBJECT_TYPE Type, PULONG Access,
                          PVOID Context, PVOID *Found)
{
    OBP_WALK Walk = {.Type = Type, .Access = *Access, .Attributes = Attributes, .Context = Context};
    Walk.OpenLink = (Attributes & OBJ_OPENLINK) != 0;
    Walk.Insensitive = (Attributes & OBJ_CASE_INSENSITIVE) || !Type || Type->Init.CaseInsensitive;
    NTSTATUS Status = ObpWalk(&Walk, Root, Path, Found);
    if (Walk.Buffer)
        ExpFree(Walk.Buffer);
    if (Status == STATUS_SUCCESS && Type && ObpTypeOf(*Found) != Type) {
        ObfDereferenceObject(*Found);
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    *Access = Walk.Access;
    return Status;
}

NTSTATUS ObpLookupFrom(PVOID Root, PCUNICODE_STRING Path, ULONG Attributes, POBJECT_TYPE Type, ULONG Access,
                       PVOID Context, PVOID *Found)
{
    return ObpLookup(Root, Path, Attributes, Type, &Access, Context, Found);
}

NTSTATUS ObpLookupName(PCUNICODE_STRING Name, ULONG Attributes, POBJECT_TYPE Type, ULONG Access, PVOID Context,
                       PVOID *Body)
{
    return ObpLookupFrom(NULL, Name, Attributes, Type, Access, Context, Body);
}

/* Enter Body under Root. When the name is taken: STATUS_OBJECT_NAME_COLLISION and *Existing, referenced. */
static NTSTATUS ObpInsertFrom(PVOID Root, PVOID Body, PCUNICODE_STRING Path, ULONG Attributes, PVOID *Existing)
{
    OBP_WALK Walk = {.Type = ObpTypeOf(Body), .Attributes = Attributes, .Insert = TRUE};
    Walk.Insensitive = (Attributes & OBJ_CASE_INSENSITIVE) || Walk.Type->Init.CaseInsensitive;
    *Existing = NULL;
    NTSTATUS Status = ObpWalk(&Walk, Root, Path, Existing);
    if (Status == STATUS_SUCCESS)
        Status = STATUS_OBJECT_NAME_COLLISION;
    else if (Status == STATUS_OBJECT_NAME_NOT_FOUND && Walk.Parent) {
        ObpEnter(Walk.Parent, Body, &Walk.Last);
        ObpHeaderOf(Body)->Permanent = (Attributes & OBJ_PERMANENT) != 0;
        Status = STATUS_SUCCESS;
    }
    if (Walk.Buffer)
        ExpFree(Walk.Buffer);
    return Status;
}

NTSTATUS ObpInsertName(PVOID Body, PCUNICODE_STRING Name, ULONG Attributes)
{
    PVOID Existing;
    NTSTATUS Status = ObpInsertFrom(NULL, Body, Name, Attributes, &Existing);
    if (Existing)
        ObfDereferenceObject(Existing);
    return Status;
}

/* ---- By OBJECT_ATTRIBUTES ---------------------------------------------------------------------------------------- */

static NTSTATUS ObpRootOf(POBJECT_ATTRIBUTES Attributes, PVOID *Root)
{
    *Root = NULL;
    if (!Attributes || Attributes->Length != sizeof(*Attributes) || (Attributes->Attributes & ~OBJ_VALID_ATTRIBUTES))
        return STATUS_INVALID_PARAMETER;
    if (!Attributes->RootDirectory)
        return STATUS_SUCCESS;
    return ObReferenceObjectByHandle(Attributes->RootDirectory, 0, NULL, ExGetPreviousMode(), Root, NULL);
}

NTSTATUS ObpOpen(POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type, ULONG Access, PVOID Context, PHANDLE Handle)
{
    static const UNICODE_STRING Empty;
    PVOID Root, Body;
    ULONG Granted;
    NTSTATUS Status = ObpRootOf(Attributes, &Root);
    if (!NT_SUCCESS(Status))
        return Status;
    ObpCaptureAccess(Type, Access, &Granted);
    Status = ObpLookup(Root, Attributes->ObjectName ? Attributes->ObjectName : &Empty, Attributes->Attributes, Type,
                       &Granted, Context, &Body);
    if (Root)
        ObfDereferenceObject(Root);
    if (!NT_SUCCESS(Status))
        return Status;
    /* what a type's parse routine opened (files, keys) it has checked itself */
    NTSTATUS Made = ObpTypeOf(Body)->Init.Parse
                        ? STATUS_SUCCESS
                        : ObpGrantAccess(Body, Access, ObpOpenMode(Attributes->Attributes), &Granted);
    if (NT_SUCCESS(Made))
        Made = ObpCreateHandle(Body, Granted, Attributes->Attributes, Handle);
    ObfDereferenceObject(Body);
    return NT_SUCCESS(Made) ? Status : Made;
}

/* A named object has security, and one whose maker or type asks for it. */
static NTSTATUS ObpSecure(PVOID Body, POBJECT_ATTRIBUTES Attributes)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PSECURITY_DESCRIPTOR Explicit = NULL;
    POBP_NAME Name = ObpHeaderOf(Body)->Name;
    if (!Name && !ObpTypeOf(Body)->Init.SecurityRequired && !(Attributes && Attributes->SecurityDescriptor))
        return STATUS_SUCCESS;
    NTSTATUS Status =
        Attributes ? SeCaptureSecurityDescriptor(Attributes->SecurityDescriptor, Mode, PagedPool, FALSE, &Explicit)
                   : STATUS_SUCCESS;
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObpAssignSecurity(Body, Name ? Name->Directory : NULL, Explicit);
    SeReleaseSecurityDescriptor(Explicit, Mode, FALSE);
    return Status;
}

NTSTATUS ObpInsertObject(PVOID Body, POBJECT_ATTRIBUTES Attributes, ULONG Access, PHANDLE Handle)
{
    NTSTATUS Status = STATUS_SUCCESS, Made;
    POBJECT_TYPE Type = ObpTypeOf(Body);
    ULONG Granted, Flags = Attributes ? Attributes->Attributes : 0;
    PVOID Existing = NULL;
    if (Attributes && Attributes->ObjectName && Attributes->ObjectName->Length) {
        PVOID Root;
        Status = ObpRootOf(Attributes, &Root);
        if (NT_SUCCESS(Status))
            Status = ObpInsertFrom(Root, Body, Attributes->ObjectName, Flags, &Existing);
        if (Root)
            ObfDereferenceObject(Root);
        if (Existing && (Flags & OBJ_OPENIF)) {
            Status = ObpTypeOf(Existing) == Type ? STATUS_OBJECT_NAME_EXISTS : STATUS_OBJECT_TYPE_MISMATCH;
            ObfDereferenceObject(Body);
            Body = Existing;
        } else if (Existing)
            ObfDereferenceObject(Existing);
    }
    if (Status == STATUS_SUCCESS) {
        Status = ObpSecure(Body, Attributes);
        if (!NT_SUCCESS(Status))
            ObpRemoveName(Body);
    }
    if (NT_SUCCESS(Status) && Handle) {
        /* who makes an object gets what he asks for; who finds it, what its security gives him */
        Made = Status == STATUS_OBJECT_NAME_EXISTS ? ObpGrantAccess(Body, Access, ObpOpenMode(Flags), &Granted)
                                                   : ObpCaptureAccess(Type, Access, &Granted);
        if (NT_SUCCESS(Made))
            Made = ObpCreateHandle(Body, Granted, Flags, Handle);
        Status = NT_SUCCESS(Made) ? Status : Made;
    }
    ObfDereferenceObject(Body);
    return Status;
}

/* ---- Names for others -------------------------------------------------------------------------------------------- */

NTSTATUS ObpFullName(PVOID Body, PWSTR Buffer, ULONG Bytes, PULONG Length)
{
    ULONG Need = 0;
    POBP_NAME Start = ObpHeaderOf(Body)->Name;
    for (POBP_NAME Name = Start; Name && Name->Directory; Name = ObpHeaderOf(Name->Directory)->Name)
        Need += sizeof(WCHAR) + Name->Text.Length;
    BOOLEAN Root = Start && !Start->Directory;
    *Length = Root ? sizeof(WCHAR) : Need;
    if (*Length > Bytes)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (Root)
        Buffer[0] = L'\\';
    for (POBP_NAME Name = Start; Name && Name->Directory; Name = ObpHeaderOf(Name->Directory)->Name) {
        Need -= Name->Text.Length;
        RtlCopyMemory((PUCHAR)Buffer + Need, Name->Text.Buffer, Name->Text.Length);
        Need -= sizeof(WCHAR);
        Buffer[Need / sizeof(WCHAR)] = L'\\';
    }
    return STATUS_SUCCESS;
}

ULONG ObpNameOf(PVOID Body, PCHAR Buffer, ULONG Bytes)
{
    WCHAR Wide[128];
    ULONG Length;
    if (!NT_SUCCESS(ObpFullName(Body, Wide, sizeof(Wide), &Length)))
        Length = 0;
    return RtlpToUtf8(Buffer, Bytes, Wide, Length / sizeof(WCHAR));
}

/* ---- Directories' services --------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtCreateDirectoryObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    PVOID Body;
    *Handle = NULL;
    NTSTATUS Status = ObpAllocateObject(ObpDirectoryType, sizeof(OBP_DIRECTORY), &Body);
    return NT_SUCCESS(Status) ? ObpInsertObject(Body, Attributes, Access, Handle) : Status;
}

NTSTATUS NTAPI NtOpenDirectoryObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    return ObpOpen(Attributes, ObpDirectoryType, Access, NULL, Handle);
}

/* What a directory says of its entries: names, then an entry of zeros, then the texts. */
typedef struct _OBP_DIRECTORY_ENTRY {
    UNICODE_STRING Name, TypeName;
} OBP_DIRECTORY_ENTRY, *POBP_DIRECTORY_ENTRY;

static POBP_NAME ObpNextName(POBP_DIRECTORY Directory, POBP_NAME Name, PULONG Bucket)
{
    if (Name && Name->Next)
        return Name->Next;
    for (Name ? ++*Bucket : 0; *Bucket < Directory->Buckets; ++*Bucket)
        if (Directory->Bucket[*Bucket])
            return Directory->Bucket[*Bucket];
    return NULL;
}

static VOID ObpPutText(PUNICODE_STRING To, PCUNICODE_STRING From, PUCHAR *At)
{
    To->Buffer = (PWSTR)*At;
    To->Length = From->Length;
    To->MaximumLength = From->Length + sizeof(WCHAR);
    RtlCopyMemory(*At, From->Buffer, From->Length);
    *(PWSTR)(*At + From->Length) = 0;
    *At += To->MaximumLength;
}

static NTSTATUS ObpListDirectory(POBP_DIRECTORY Directory, POBP_DIRECTORY_ENTRY Buffer, ULONG Bytes, BOOLEAN Single,
                                 PULONG Context, PULONG Returned)
{
    ULONG Skip = *Context, Bucket = 0, Count = 0, Need = sizeof(OBP_DIRECTORY_ENTRY), One = 0;
    POBP_NAME Name = ObpNextName(Directory, NULL, &Bucket), First;
    while (Skip-- && Name)
        Name = ObpNextName(Directory, Name, &Bucket);
    ULONG FirstBucket = Bucket;
    First = Name;
    for (; Name && !(Single && Count); Name = ObpNextName(Directory, Name, &Bucket), Count++) {
        One = sizeof(OBP_DIRECTORY_ENTRY) + Name->Text.Length + ObpTypeOf(Name->Body)->Name.Length + 2 * sizeof(WCHAR);
        if (Need + One > Bytes)
            break;
        Need += One;
    }
    if (Returned)
        *Returned = Count ? Need : First ? Need + One : 0;
    if (!Count)
        return First ? STATUS_BUFFER_TOO_SMALL : STATUS_NO_MORE_ENTRIES;
    PUCHAR At = (PUCHAR)(Buffer + Count + 1);
    Name = First;
    for (ULONG i = 0; i < Count; i++, Name = ObpNextName(Directory, Name, &FirstBucket)) {
        ObpPutText(&Buffer[i].Name, &Name->Text, &At);
        ObpPutText(&Buffer[i].TypeName, &ObpTypeOf(Name->Body)->Name, &At);
    }
    RtlZeroMemory(&Buffer[Count], sizeof(*Buffer));
    *Context += Count;
    return !Single && Name ? STATUS_MORE_ENTRIES : STATUS_SUCCESS;
}

/* docs: NtQueryDirectoryObject. */
NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE Handle, PVOID Buffer, ULONG Bytes, BOOLEAN Single, BOOLEAN Restart,
                                      PULONG Context, PULONG Returned)
{
    POBP_DIRECTORY Directory;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, DIRECTORY_QUERY, ObpDirectoryType, ExGetPreviousMode(),
                                                (PVOID *)&Directory, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Restart)
        *Context = 0;
    Status = ObpListDirectory(Directory, Buffer, Bytes, Single, Context, Returned);
    ObfDereferenceObject(Directory);
    return Status;
}

/* ---- Start ------------------------------------------------------------------------------------------------------- */

static VOID ObpMakeDirectory(PCWSTR Text)
{
    UNICODE_STRING Name;
    PVOID Body;
    RtlInitUnicodeString(&Name, Text);
    ObpAllocateObject(ObpDirectoryType, sizeof(OBP_DIRECTORY), &Body);
    KI_ASSERT(ObpInsertName(Body, &Name, OBJ_PERMANENT) == STATUS_SUCCESS);
    ObfDereferenceObject(Body);
}

static VOID ObpMakeLink(PCWSTR Text, PCWSTR To)
{
    UNICODE_STRING Name, Target;
    RtlInitUnicodeString(&Name, Text);
    RtlInitUnicodeString(&Target, To);
    KI_ASSERT(ObpCreateLink(&Name, &Target) == STATUS_SUCCESS);
}

VOID ObpInitializeNames(VOID)
{
    static const PCWSTR Directories[] = {L"\\Device",   L"\\Driver",      L"\\FileSystem",       L"\\GLOBAL??",
                                         L"\\Callback", L"\\ObjectTypes", L"\\BaseNamedObjects", L"\\KernelObjects",
                                         L"\\Security", L"\\Windows",     L"\\RPC Control"};
    static const UNICODE_STRING Nothing;
    ObpTypeType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"Type", .Mapping.GenericAll = 0xF0001});
    ObpDirectoryType = ObpCreateType(&(OB_TYPE_INIT){
        .Name = L"Directory",
        .BodyBytes = sizeof(OBP_DIRECTORY),
        .ValidAccess = DIRECTORY_ALL_ACCESS,
        .Mapping = {STANDARD_RIGHTS_READ | DIRECTORY_QUERY | DIRECTORY_TRAVERSE,
                    STANDARD_RIGHTS_WRITE | DIRECTORY_CREATE_OBJECT | DIRECTORY_CREATE_SUBDIRECTORY,
                    STANDARD_RIGHTS_EXECUTE | DIRECTORY_QUERY | DIRECTORY_TRAVERSE, DIRECTORY_ALL_ACCESS},
        .Delete = ObpDeleteDirectory,
        .CaseInsensitive = TRUE});
    ObpInitializeLinks();
    ObpAllocateObject(ObpDirectoryType, sizeof(OBP_DIRECTORY), &ObpRoot);
    ObpEnter(NULL, ObpRoot, &Nothing);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Directories); i++)
        ObpMakeDirectory(Directories[i]);
    ObpMakeLink(L"\\??", L"\\GLOBAL??");
    ObpMakeLink(L"\\DosDevices", L"\\??");
    ObpMakeLink(L"\\GLOBAL??\\GLOBALROOT", L"");
    ObpMakeLink(L"\\GLOBAL??\\Global", L"\\GLOBAL??");
    ObpMakeLink(L"\\GLOBAL??\\C:", L"\\Device\\HarddiskVolume1");
    ObpMakeLink(L"\\SystemRoot", L"\\Device\\HarddiskVolume1\\Windows");
}
