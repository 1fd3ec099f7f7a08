/*
 * Device nodes: the tree, and each device's key in the registry.
 *
 * A node lives as long as its physical device object is not deleted. It holds a reference to the object; deleting the
 * object (IoDeleteDevice) takes the node out of the tree and gives that up.
 */
#include "nt.h"
#include "cm/cmp.h"
#include <stdarg.h>

PDEVICE_NODE PnpRoot;

PDEVICE_NODE PnpMakeNode(PDEVICE_NODE Parent, PDEVICE_OBJECT Pdo)
{
    PDEVICE_NODE Node = ExpAllocate(sizeof(*Node), PNP_TAG);
    Node->Pdo = Pdo;
    Node->Parent = Parent;
    InitializeListHead(&Node->Children);
    InitializeListHead(&Node->Properties);
    Node->Capabilities.Address = Node->Capabilities.UINumber = 0xffffffff;
    if (Parent) {
        Node->Level = Parent->Level + 1;
        InsertTailList(&Parent->Children, &Node->Sibling);
    }
    if (Pdo) {
        ObfReferenceObject(Pdo);
        Pdo->Flags |= DO_BUS_ENUMERATED_DEVICE;
        IopDeviceOf(Pdo)->DeviceNode = Node;
    }
    return Node;
}

static VOID PnpFreeText(PVOID Text)
{
    if (Text)
        ExpFree(Text);
}

static VOID PnpFreeNode(PDEVICE_NODE Node)
{
    PnpFreeProperties(&Node->Properties);
    PnpFreeText(Node->InstancePath.Buffer);
    PnpFreeText(Node->HardwareIds);
    PnpFreeText(Node->CompatibleIds);
    PnpFreeText(Node->Description);
    PnpFreeText(Node->Place);
    PnpFreeText(Node->Service);
    PnpFreeText(Node->Boot);
    PnpFreeText(Node->Raw);
    PnpFreeText(Node->Translated);
    PnpFreeText(Node->Requirements);
    ExpFree(Node);
}

VOID PnpDeviceGoes(PDEVICE_OBJECT Device)
{
    PDEVICE_NODE Node = PnpNodeOf(Device);
    if (!Node)
        return;
    PnpInterfacesGo(Node);
    /* Children whose objects remain hang on the bus above: their own driver still has to delete them. */
    while (!IsListEmpty(&Node->Children)) {
        PDEVICE_NODE Child = CONTAINING_RECORD(RemoveHeadList(&Node->Children), DEVICE_NODE, Sibling);
        Child->Parent = Node->Parent;
        Child->Missing = TRUE;
        InsertTailList(&Node->Parent->Children, &Child->Sibling);
    }
    RemoveEntryList(&Node->Sibling);
    IopDeviceOf(Device)->DeviceNode = NULL;
    PnpFreeNode(Node);
    ObfDereferenceObject(Device);
}

/* ---- Walking ----------------------------------------------------------------------------------------------------- */

PDEVICE_NODE PnpNextNode(PDEVICE_NODE Node, PDEVICE_NODE Top)
{
    if (!IsListEmpty(&Node->Children))
        return CONTAINING_RECORD(Node->Children.Flink, DEVICE_NODE, Sibling);
    for (; Node != Top; Node = Node->Parent)
        if (Node->Sibling.Flink != &Node->Parent->Children)
            return CONTAINING_RECORD(Node->Sibling.Flink, DEVICE_NODE, Sibling);
    return NULL;
}

/* The last child's last child ... */
PDEVICE_NODE PnpLastNode(PDEVICE_NODE Top)
{
    while (!IsListEmpty(&Top->Children))
        Top = CONTAINING_RECORD(Top->Children.Blink, DEVICE_NODE, Sibling);
    return Top;
}

PDEVICE_NODE PnpPreviousNode(PDEVICE_NODE Node, PDEVICE_NODE Top)
{
    if (Node == Top)
        return NULL;
    if (Node->Sibling.Blink != &Node->Parent->Children)
        return PnpLastNode(CONTAINING_RECORD(Node->Sibling.Blink, DEVICE_NODE, Sibling));
    return Node->Parent;
}

static BOOLEAN PnpBegins(PCWSTR Text, PCWSTR With)
{
    return !_wcsnicmp(Text, With, wcslen(With));
}

PDEVICE_NODE PnpFindNode(PCSTR Name)
{
    WCHAR Wide[256];
    if (!PnpRoot || !*Name)
        return NULL;
    RtlpFromUtf8(Wide, RTL_NUMBER_OF(Wide), Name);
    for (PDEVICE_NODE Node = PnpRoot; Node; Node = PnpNextNode(Node, PnpRoot)) {
        if (Node->InstancePath.Buffer && PnpBegins(Node->InstancePath.Buffer, Wide))
            return Node;
        for (PWSTR Id = Node->HardwareIds; Id && *Id; Id += wcslen(Id) + 1)
            if (!_wcsicmp(Id, Wide))
                return Node;
    }
    return NULL;
}

/* ---- Talking ----------------------------------------------------------------------------------------------------- */

VOID PnpRemark(PDEVICE_NODE Node, PCSTR Format, ...)
{
    CHAR Text[256];
    va_list List;
    va_start(List, Format);
    RtlpFormatV(Text, sizeof(Text), Format, List);
    va_end(List);
    VfRemark("device %wZ: %s", &Node->InstancePath, Text);
}

VOID PnpReport(PCSTR Rule, ULONG Code, ULONG SubCode, PVOID Routine, PVOID Object, PDEVICE_OBJECT Device, PCSTR Subject,
               PCSTR Text)
{
    VfFinding(Rule, Code, SubCode, Code == PNP_DETECTED_FATAL_ERROR ? (UINT64)Device : (UINT64)Routine, (UINT64)Object,
              Code == PNP_DETECTED_FATAL_ERROR ? 0 : (UINT64)Device);
    VfSubject(Subject);
    VfText("%s", Text);
    if (Routine) {
        UINT64 Frame = (UINT64)Routine + 1;
        VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), NULL, NULL, "");
    } else
        VfNoteCaller(NULL);
    if (Device && MmImageOf((UINT64)Device->DriverObject->DriverStart))
        VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Device)->CreatedBy, Device, NULL, "The device was created at:");
    VfCommit();
}

/* docs: Bug Check 0xCA, parameter 1 = 2. */
BOOLEAN PnpCheckPdo(PDEVICE_OBJECT Device, PCSTR Routine)
{
    CHAR Text[128];
    if (Device && PnpNodeOf(Device))
        return TRUE;
    RtlpFormat(Text, sizeof(Text), "%s is given a device object that is no physical device object", Routine);
    VfFinding("pnp.not-a-pdo", PNP_DETECTED_FATAL_ERROR, 2, (UINT64)Device, Device ? (UINT64)Device->DriverObject : 0,
              0);
    VfSubject(Routine);
    VfText("%s", Text);
    VfNoteCaller(NULL);
    if (Device)
        VfNote(DOOR_NOTE_OBJECT, IopDeviceOf(Device)->CreatedBy, Device, NULL, "The device was created at:");
    VfCommit();
    return FALSE;
}

/* ---- Strings and keys -------------------------------------------------------------------------------------------- */

PWSTR PnpCopyString(PCWSTR String)
{
    SIZE_T Bytes = (wcslen(String) + 1) * sizeof(WCHAR);
    PWSTR Copy = ExpAllocate(Bytes, PNP_TAG);
    RtlCopyMemory(Copy, String, Bytes);
    return Copy;
}

ULONG PnpListBytes(PCWSTR List)
{
    PCWSTR End = List;
    while (*End)
        End += wcslen(End) + 1;
    return (ULONG)((End - List + 1) * sizeof(WCHAR));
}

BOOLEAN PnpListHas(PCWSTR List, PCWSTR Text)
{
    for (; List && *List; List += wcslen(List) + 1)
        if (!_wcsicmp(List, Text))
            return TRUE;
    return FALSE;
}

PWSTR PnpCopyList(PCWSTR List)
{
    ULONG Bytes = PnpListBytes(List);
    PWSTR Copy = ExpAllocate(Bytes, PNP_TAG);
    RtlCopyMemory(Copy, List, Bytes);
    return Copy;
}

NTSTATUS PnpOpenKey(PCWSTR Path, BOOLEAN Create, ACCESS_MASK Access, PHANDLE Handle)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    NTSTATUS Status;
    RtlInitUnicodeString(&Name, Path);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = NtOpenKey(Handle, Access, &Attributes);
    if (NT_SUCCESS(Status) || !Create)
        return KiEndKernelMode(Mode, Status);
    /* From the machine's key down, so that keys in between come into being. */
    for (USHORT i = sizeof(L"\\Registry\\Machine\\") / sizeof(WCHAR); i <= wcslen(Path); i++) {
        if (Path[i] && Path[i] != L'\\')
            continue;
        Name.Length = (USHORT)(i * sizeof(WCHAR));
        Status = NtCreateKey(Handle, Access, &Attributes, 0, NULL, REG_OPTION_NON_VOLATILE, NULL);
        if (!NT_SUCCESS(Status))
            break;
        if (Path[i])
            NtClose(*Handle);
    }
    return KiEndKernelMode(Mode, Status);
}

static NTSTATUS PnpSetValue(HANDLE Key, PUNICODE_STRING Name, ULONG Type, PVOID Data, ULONG Bytes)
{
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    return KiEndKernelMode(Mode, NtSetValueKey(Key, Name, 0, Type, Data, Bytes));
}

static NTSTATUS PnpGetValue(HANDLE Key, PUNICODE_STRING Name, PVOID Value, ULONG Room, PULONG Bytes)
{
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    return KiEndKernelMode(Mode, NtQueryValueKey(Key, Name, KeyValuePartialInformation, Value, Room, Bytes));
}

NTSTATUS PnpOpenNode(PDEVICE_NODE Node, PCWSTR Subkey, BOOLEAN Create, PHANDLE Handle)
{
    WCHAR Path[512] = PNP_ENUM;
    wcscat(Path, Node->InstancePath.Buffer);
    if (Subkey) {
        wcscat(Path, L"\\");
        wcscat(Path, Subkey);
    }
    return PnpOpenKey(Path, Create, KEY_ALL_ACCESS, Handle);
}

NTSTATUS PnpWriteValue(PDEVICE_NODE Node, PCWSTR Subkey, PCWSTR Name, ULONG Type, PVOID Data, ULONG Bytes)
{
    UNICODE_STRING Value;
    HANDLE Handle;
    NTSTATUS Status = PnpOpenNode(Node, Subkey, TRUE, &Handle);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlInitUnicodeString(&Value, Name);
    Status = PnpSetValue(Handle, &Value, Type, Data, Bytes);
    ObCloseHandle(Handle, KernelMode);
    return Status;
}

NTSTATUS PnpDeleteValue(PDEVICE_NODE Node, PCWSTR Name)
{
    UNICODE_STRING Value;
    HANDLE Handle;
    NTSTATUS Status = PnpOpenNode(Node, NULL, FALSE, &Handle);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlInitUnicodeString(&Value, Name);
    Status = NtDeleteValueKey(Handle, &Value);
    NtClose(Handle);
    return Status;
}

NTSTATUS PnpReadFrom(HANDLE Key, PCWSTR Name, PKEY_VALUE_PARTIAL_INFORMATION *Value)
{
    UNICODE_STRING String;
    ULONG Bytes = 0;
    NTSTATUS Status;
    RtlInitUnicodeString(&String, Name);
    Status = PnpGetValue(Key, &String, NULL, 0, &Bytes);
    if (Status != STATUS_BUFFER_TOO_SMALL && Status != STATUS_BUFFER_OVERFLOW)
        return Status;
    *Value = ExpAllocate(Bytes + 2 * sizeof(WCHAR), PNP_TAG); /* terminated twice, whatever was stored */
    Status = PnpGetValue(Key, &String, *Value, Bytes, &Bytes);
    if (!NT_SUCCESS(Status)) {
        ExpFree(*Value);
        *Value = NULL;
    }
    return Status;
}

NTSTATUS PnpReadValue(PDEVICE_NODE Node, PCWSTR Subkey, PCWSTR Name, PKEY_VALUE_PARTIAL_INFORMATION *Value)
{
    HANDLE Handle;
    NTSTATUS Status = PnpOpenNode(Node, Subkey, FALSE, &Handle);
    *Value = NULL;
    if (NT_SUCCESS(Status)) {
        Status = PnpReadFrom(Handle, Name, Value);
        ObCloseHandle(Handle, KernelMode);
    }
    return Status;
}

NTSTATUS PnpReadClassValue(PDEVICE_NODE Node, PCWSTR Name, PKEY_VALUE_PARTIAL_INFORMATION *Value)
{
    PKEY_VALUE_PARTIAL_INFORMATION Class;
    WCHAR Path[256] = PNP_CLASS;
    HANDLE Handle;
    NTSTATUS Status = PnpReadValue(Node, NULL, L"ClassGUID", &Class);
    *Value = NULL;
    if (!NT_SUCCESS(Status))
        return Status;
    wcsncat(Path, (PWSTR)Class->Data, 64);
    ExpFree(Class);
    Status = PnpOpenKey(Path, FALSE, KEY_READ, &Handle);
    if (NT_SUCCESS(Status)) {
        Status = PnpReadFrom(Handle, Name, Value);
        ObCloseHandle(Handle, KernelMode);
    }
    return Status;
}
