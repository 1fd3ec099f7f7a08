/*
 * Device interfaces: a device's promise to behave as a class says, under a symbolic link that goes to the device while the
 * interface is enabled. (docs: IoRegisterDeviceInterface, IoSetDeviceInterfaceState, IoGetDeviceInterfaces)
 *
 * The link is \??\ and the device's instance path with # for \, then the class in braces, then the reference string. An
 * interface stays registered as long as its device; its keys lie below Control\DeviceClasses.
 */
#include "nt.h"
#include "cm/cmp.h"

#define PNP_CLASSES L"\\Registry\\Machine\\System\\CurrentControlSet\\Control\\DeviceClasses\\"

typedef struct _PNP_INTERFACE {
    LIST_ENTRY Entry;
    PDEVICE_NODE Node;
    GUID Class;
    UNICODE_STRING Link, Target; /* Buffer is ours, terminated */
    PWSTR Reference;             /* "" = none */
    BOOLEAN Enabled, Linked;
    LIST_ENTRY Properties;
} PNP_INTERFACE, *PPNP_INTERFACE;

static LIST_ENTRY PnpInterfaces = {&PnpInterfaces, &PnpInterfaces}; /* in order of registration */

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static VOID PnpClassText(const GUID *Class, PWSTR Text)
{
    CHAR Narrow[48];
    RtlpFormat(Narrow, sizeof(Narrow), "{%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}", Class->Data1, Class->Data2,
               Class->Data3, Class->Data4[0], Class->Data4[1], Class->Data4[2], Class->Data4[3], Class->Data4[4],
               Class->Data4[5], Class->Data4[6], Class->Data4[7]);
    RtlpFromUtf8(Text, 48, Narrow);
}

static VOID PnpLinkName(PDEVICE_NODE Node, const GUID *Class, PCWSTR Reference, PWSTR Text)
{
    wcscpy(Text, L"\\??\\");
    wcscat(Text, Node->InstancePath.Buffer);
    for (PWSTR p = Text + 4; *p; p++)
        if (*p == L'\\')
            *p = L'#';
    wcscat(Text, L"#");
    PnpClassText(Class, Text + wcslen(Text));
    if (*Reference) {
        wcscat(Text, L"\\");
        wcscat(Text, Reference);
    }
}

/* docs: IoSetDeviceInterfaceState. \??\ or \\?\, something, #, and a class in braces before the next backslash. Where the
 * class begins; NULL = this is no interface's link. */
static PWSTR PnpParseLink(PUNICODE_STRING Name)
{
    USHORT n = Name ? Name->Length / sizeof(WCHAR) : 0, End = 4, Open;
    PWSTR Text = Name ? Name->Buffer : NULL;
    if (!Text || n < 4 + 1 + 38 || (wcsncmp(Text, L"\\??\\", 4) && wcsncmp(Text, L"\\\\?\\", 4)))
        return NULL;
    while (End < n && Text[End] != L'\\')
        End++;
    if (End < 4 + 39 || Text[End - 1] != L'}')
        return NULL;
    Open = End - 38;
    return Text[Open] == L'{' && Text[Open - 1] == L'#' ? Text + Open : NULL;
}

static PPNP_INTERFACE PnpFindInterface(PUNICODE_STRING Name)
{
    UNICODE_STRING Tail;
    if (!PnpParseLink(Name))
        return NULL;
    Tail = (UNICODE_STRING){Name->Length - 8, Name->Length - 8, Name->Buffer + 4};
    for (PLIST_ENTRY Entry = PnpInterfaces.Flink; Entry != &PnpInterfaces; Entry = Entry->Flink) {
        PPNP_INTERFACE Interface = CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry);
        UNICODE_STRING Own = {Interface->Link.Length - 8, Interface->Link.Length - 8, Interface->Link.Buffer + 4};
        if (RtlEqualUnicodeString(&Own, &Tail, TRUE))
            return Interface;
    }
    return NULL;
}

/* Allocated as drivers free it: RtlFreeUnicodeString. */
static NTSTATUS PnpGiveName(PCUNICODE_STRING From, PUNICODE_STRING To)
{
    PWSTR Buffer = ExAllocatePoolWithTag(PagedPool, From->Length + sizeof(WCHAR), PNP_TAG);
    if (!Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(Buffer, From->Buffer, From->Length);
    Buffer[From->Length / sizeof(WCHAR)] = 0;
    To->Buffer = Buffer;
    To->Length = From->Length;
    To->MaximumLength = From->Length + sizeof(WCHAR);
    return STATUS_SUCCESS;
}

/* ...\DeviceClasses\{class}\##?#ROOT#ECHO#0000#{class}[\#reference] */
static VOID PnpInterfacePath(PPNP_INTERFACE Interface, BOOLEAN WithReference, PWSTR Path)
{
    PWSTR End;
    wcscpy(Path, PNP_CLASSES);
    PnpClassText(&Interface->Class, Path + wcslen(Path));
    wcscat(Path, L"\\##?#");
    End = Path + wcslen(Path);
    wcscpy(End, Interface->Link.Buffer + 4);
    if (wcschr(End, L'\\'))
        *wcschr(End, L'\\') = 0;
    if (WithReference) {
        wcscat(Path, L"\\#");
        wcscat(Path, Interface->Reference);
    }
}

static VOID PnpRecordInterface(PPNP_INTERFACE Interface)
{
    WCHAR Path[768];
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"DeviceInstance"), Linked = RTL_CONSTANT_STRING(L"SymbolicLink");
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    HANDLE Key;
    PnpInterfacePath(Interface, FALSE, Path);
    if (NT_SUCCESS(PnpOpenKey(Path, TRUE, KEY_ALL_ACCESS, &Key))) {
        NtSetValueKey(Key, &Name, 0, REG_SZ, Interface->Node->InstancePath.Buffer,
                      Interface->Node->InstancePath.Length + 2);
        NtClose(Key);
    }
    PnpInterfacePath(Interface, TRUE, Path);
    if (NT_SUCCESS(PnpOpenKey(Path, TRUE, KEY_ALL_ACCESS, &Key))) {
        NtSetValueKey(Key, &Linked, 0, REG_SZ, Interface->Link.Buffer, Interface->Link.Length + 2);
        NtClose(Key);
    }
    KiEndKernelMode(Mode, STATUS_SUCCESS);
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static BOOLEAN PnpGoodReference(PUNICODE_STRING Reference)
{
    for (USHORT i = 0; Reference && i < Reference->Length / sizeof(WCHAR); i++)
        if (Reference->Buffer[i] == L'\\' || Reference->Buffer[i] == L'/' || !Reference->Buffer[i])
            return FALSE;
    return !Reference || Reference->Length <= 200 * sizeof(WCHAR);
}

static NTSTATUS PnpMakeInterface(PDEVICE_NODE Node, const GUID *Class, PCWSTR Reference, PCWSTR Link,
                                 PPNP_INTERFACE *Result)
{
    WCHAR Target[128];
    ULONG Length;
    PPNP_INTERFACE Interface;
    if (!NT_SUCCESS(ObpFullName(Node->Pdo, Target, sizeof(Target) - 2, &Length)) || !Length)
        return STATUS_INVALID_DEVICE_REQUEST; /* docs: the physical device object needs a name */
    Target[Length / sizeof(WCHAR)] = 0;
    Interface = ExpAllocate(sizeof(*Interface), PNP_TAG);
    Interface->Node = Node;
    Interface->Class = *Class;
    Interface->Reference = PnpCopyString(Reference);
    InitializeListHead(&Interface->Properties);
    RtlInitUnicodeString(&Interface->Link, PnpCopyString(Link));
    RtlInitUnicodeString(&Interface->Target, PnpCopyString(Target));
    InsertTailList(&PnpInterfaces, &Interface->Entry);
    PnpRecordInterface(Interface);
    *Result = Interface;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoRegisterDeviceInterface(PDEVICE_OBJECT Pdo, const GUID *Class, PUNICODE_STRING ReferenceString,
                                         PUNICODE_STRING SymbolicLinkName)
{
    WCHAR Link[768], Reference[204] = {0};
    UNICODE_STRING Name;
    PPNP_INTERFACE Interface;
    PDEVICE_NODE Node = Pdo && Pdo->DeviceObjectExtension ? PnpNodeOf(Pdo) : NULL;
    if (!Node || Node->Pdo != Pdo || !Node->InstancePath.Buffer || !PnpGoodReference(ReferenceString))
        return STATUS_INVALID_DEVICE_REQUEST;
    if (ReferenceString && ReferenceString->Length)
        RtlCopyMemory(Reference, ReferenceString->Buffer, ReferenceString->Length);
    PnpLinkName(Node, Class, Reference, Link);
    RtlInitUnicodeString(&Name, Link);
    Interface = PnpFindInterface(&Name);
    if (!Interface) {
        NTSTATUS Status = PnpMakeInterface(Node, Class, Reference, Link, &Interface);
        if (!NT_SUCCESS(Status))
            return Status;
    }
    return PnpGiveName(&Interface->Link, SymbolicLinkName);
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

/* The name that is linked: without the reference string, so that opening ...\ref gives the device \ref as its file name. */
static UNICODE_STRING PnpLinkedName(PPNP_INTERFACE Interface)
{
    UNICODE_STRING Name = Interface->Link;
    if (*Interface->Reference)
        Name.Length -= (USHORT)((wcslen(Interface->Reference) + 1) * sizeof(WCHAR));
    return Name;
}

static NTSTATUS PnpLink(PPNP_INTERFACE Interface)
{
    UNICODE_STRING Name = PnpLinkedName(Interface);
    NTSTATUS Status = ObpCreateLink(&Name, &Interface->Target);
    return Status == STATUS_OBJECT_NAME_COLLISION ? STATUS_SUCCESS : Status; /* several references share one link */
}

static BOOLEAN PnpSharesLink(PPNP_INTERFACE Interface)
{
    for (PLIST_ENTRY Entry = PnpInterfaces.Flink; Entry != &PnpInterfaces; Entry = Entry->Flink) {
        PPNP_INTERFACE Other = CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry);
        if (Other != Interface && Other->Enabled && Other->Node == Interface->Node &&
            RtlEqualMemory(&Other->Class, &Interface->Class, sizeof(GUID)))
            return TRUE;
    }
    return FALSE;
}

static VOID PnpUnlink(PPNP_INTERFACE Interface)
{
    UNICODE_STRING Name = PnpLinkedName(Interface);
    if (!PnpSharesLink(Interface))
        IoDeleteSymbolicLink(&Name);
}

static VOID PnpDisable(PPNP_INTERFACE Interface)
{
    Interface->Enabled = FALSE;
    PnpUnlink(Interface);
    PnpNotifyInterface(&Interface->Class, &Interface->Link, FALSE);
}

NTSTATUS NTAPI IoSetDeviceInterfaceState(PUNICODE_STRING SymbolicLinkName, BOOLEAN Enable)
{
    PPNP_INTERFACE Interface;
    NTSTATUS Status;
    if (!PnpParseLink(SymbolicLinkName))
        return STATUS_INVALID_PARAMETER;
    Interface = PnpFindInterface(SymbolicLinkName);
    if (!Interface)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (Interface->Enabled == !!Enable)
        return Enable ? STATUS_OBJECT_NAME_EXISTS : STATUS_OBJECT_NAME_NOT_FOUND;
    if (!Enable) {
        PnpDisable(Interface);
        return STATUS_SUCCESS;
    }
    Status = PnpLink(Interface);
    if (!NT_SUCCESS(Status))
        return Status;
    Interface->Enabled = TRUE;
    PnpNotifyInterface(&Interface->Class, &Interface->Link, TRUE);
    return STATUS_SUCCESS;
}

VOID PnpInterfacesEnd(PDEVICE_NODE Node)
{
    for (PLIST_ENTRY Entry = PnpInterfaces.Flink; Entry != &PnpInterfaces; Entry = Entry->Flink) {
        PPNP_INTERFACE Interface = CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry);
        if (Interface->Node == Node && Interface->Enabled)
            PnpDisable(Interface);
    }
}

VOID PnpInterfacesGo(PDEVICE_NODE Node)
{
    PnpInterfacesEnd(Node);
    for (PLIST_ENTRY Entry = PnpInterfaces.Flink, Next; Entry != &PnpInterfaces; Entry = Next) {
        PPNP_INTERFACE Interface = CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry);
        Next = Entry->Flink;
        if (Interface->Node != Node)
            continue;
        RemoveEntryList(&Interface->Entry);
        PnpFreeProperties(&Interface->Properties);
        ExpFree(Interface->Link.Buffer);
        ExpFree(Interface->Target.Buffer);
        ExpFree(Interface->Reference);
        ExpFree(Interface);
    }
}

/* ---- Finding them ------------------------------------------------------------------------------------------------ */

static BOOLEAN PnpIsListed(PPNP_INTERFACE Interface, const GUID *Class, PDEVICE_OBJECT Pdo, ULONG Flags)
{
    return RtlEqualMemory(&Interface->Class, Class, sizeof(GUID)) && (!Pdo || Interface->Node->Pdo == Pdo) &&
           (Interface->Enabled || (Flags & DEVICE_INTERFACE_INCLUDE_NONACTIVE));
}

NTSTATUS NTAPI IoGetDeviceInterfaces(const GUID *Class, PDEVICE_OBJECT Pdo, ULONG Flags, PWSTR *SymbolicLinkList)
{
    ULONG Characters = 1;
    PWSTR List, To;
    if (Pdo && !PnpNodeOf(Pdo))
        return STATUS_INVALID_DEVICE_REQUEST;
    for (PLIST_ENTRY Entry = PnpInterfaces.Flink; Entry != &PnpInterfaces; Entry = Entry->Flink)
        if (PnpIsListed(CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry), Class, Pdo, Flags))
            Characters += CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry)->Link.Length / sizeof(WCHAR) + 1;
    To = List = ExAllocatePoolWithTag(PagedPool, Characters * sizeof(WCHAR), PNP_TAG);
    if (!List)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (PLIST_ENTRY Entry = PnpInterfaces.Flink; Entry != &PnpInterfaces; Entry = Entry->Flink) {
        PPNP_INTERFACE Interface = CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry);
        if (!PnpIsListed(Interface, Class, Pdo, Flags))
            continue;
        wcscpy(To, Interface->Link.Buffer);
        To += Interface->Link.Length / sizeof(WCHAR) + 1;
    }
    *To = 0;
    *SymbolicLinkList = List;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoGetDeviceInterfaceAlias(PUNICODE_STRING SymbolicLinkName, const GUID *AliasClass,
                                         PUNICODE_STRING Alias)
{
    PPNP_INTERFACE Interface;
    if (!PnpParseLink(SymbolicLinkName))
        return STATUS_INVALID_PARAMETER;
    Interface = PnpFindInterface(SymbolicLinkName);
    if (!Interface)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    for (PLIST_ENTRY Entry = PnpInterfaces.Flink; Entry != &PnpInterfaces; Entry = Entry->Flink) {
        PPNP_INTERFACE Other = CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry);
        if (Other->Node == Interface->Node && RtlEqualMemory(&Other->Class, AliasClass, sizeof(GUID)) &&
            !_wcsicmp(Other->Reference, Interface->Reference))
            return PnpGiveName(&Other->Link, Alias);
    }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

VOID PnpForEachInterface(const GUID *Class, VOID (*Do)(PCUNICODE_STRING Link, PVOID Context), PVOID Context)
{
    for (PLIST_ENTRY Entry = PnpInterfaces.Flink; Entry != &PnpInterfaces; Entry = Entry->Flink)
        if (PnpIsListed(CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry), Class, NULL, 0))
            Do(&CONTAINING_RECORD(Entry, PNP_INTERFACE, Entry)->Link, Context);
}

PDEVICE_NODE PnpInterfaceFacts(PUNICODE_STRING Link, GUID *Class, PBOOLEAN Enabled)
{
    PPNP_INTERFACE Interface = PnpFindInterface(Link);
    if (!Interface)
        return NULL;
    *Class = Interface->Class;
    *Enabled = Interface->Enabled;
    return Interface->Node;
}

PLIST_ENTRY PnpInterfaceProperties(PUNICODE_STRING Link)
{
    PPNP_INTERFACE Interface = PnpFindInterface(Link);
    return Interface ? &Interface->Properties : NULL;
}

/* docs: IoOpenDeviceInterfaceRegistryKey: "Device Parameters" of the interface's own key. */
NTSTATUS NTAPI IoOpenDeviceInterfaceRegistryKey(PUNICODE_STRING SymbolicLinkName, ACCESS_MASK Access, PHANDLE Handle)
{
    WCHAR Path[768];
    PPNP_INTERFACE Interface;
    if (!PnpParseLink(SymbolicLinkName))
        return STATUS_INVALID_PARAMETER;
    Interface = PnpFindInterface(SymbolicLinkName);
    if (!Interface)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    PnpInterfacePath(Interface, TRUE, Path);
    wcscat(Path, L"\\Device Parameters");
    return PnpOpenKey(Path, TRUE, Access, Handle);
}
