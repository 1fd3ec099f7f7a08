/*
 * wdmsec.lib: the kit's static library behind IoCreateDeviceSecure and its neighbours, which wdmsec.h renames. Linked into
 * drivers by `irqlab cc`; nothing of it is exported by the kernel.
 * (docs: WdmlibIoCreateDeviceSecure, WdmlibIoValidateDeviceIoControlAccess, WdmlibRtlInitUnicodeStringEx)
 */
#include "sddl.h"
#include <wdmsec.h>

#define DESCRIPTOR(Name, Text)                                                                                         \
    const UNICODE_STRING Name = {sizeof(L"D:P" Text) - sizeof(WCHAR), sizeof(L"D:P" Text), (PWSTR)L"D:P" Text}

DESCRIPTOR(SDDL_DEVOBJ_KERNEL_ONLY, L"");
DESCRIPTOR(SDDL_DEVOBJ_SYS_ALL, L"(A;;GA;;;SY)");
DESCRIPTOR(SDDL_DEVOBJ_SYS_ALL_ADM_ALL, L"(A;;GA;;;SY)(A;;GA;;;BA)");
DESCRIPTOR(SDDL_DEVOBJ_SYS_ALL_ADM_RX, L"(A;;GA;;;SY)(A;;GRGX;;;BA)");
DESCRIPTOR(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R, L"(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)");
DESCRIPTOR(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R_RES_R, L"(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)(A;;GR;;;RC)");
DESCRIPTOR(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_RW_RES_R, L"(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GRGW;;;WD)(A;;GR;;;RC)");
DESCRIPTOR(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_RWX_RES_RWX,
           L"(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GRGWGX;;;WD)(A;;GRGWGX;;;RC)");

/* What the class's key says for all its devices takes the place of what the driver asks for. */
static VOID AskClass(LPCGUID Class, PULONG Type, PULONG Characteristics, PULONG Exclusive)
{
    RTL_QUERY_REGISTRY_TABLE Table[4] = {{.Name = L"DeviceType", .EntryContext = Type},
                                         {.Name = L"DeviceCharacteristics", .EntryContext = Characteristics},
                                         {.Name = L"Exclusive", .EntryContext = Exclusive}};
    WCHAR Path[64] = L"Class\\";
    UNICODE_STRING Text;

    for (ULONG i = 0; i < 3; i++) {
        Table[i].Flags = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_TYPECHECK;
        Table[i].DefaultType = REG_DWORD << RTL_QUERY_REGISTRY_TYPECHECK_SHIFT | REG_NONE;
    }
    if (!NT_SUCCESS(RtlStringFromGUID(Class, &Text)))
        return;
    RtlCopyMemory(Path + 6, Text.Buffer, Text.Length);
    RtlCopyMemory(Path + 6 + Text.Length / sizeof(WCHAR), L"\\Properties", sizeof(L"\\Properties"));
    RtlFreeUnicodeString(&Text);
    RtlQueryRegistryValues(RTL_REGISTRY_CONTROL, Path, Table, NULL, NULL);
}

static NTSTATUS Secure(PDEVICE_OBJECT Device, PACL Acl, SECURITY_DESCRIPTOR_CONTROL Control)
{
    SECURITY_INFORMATION What = DACL_SECURITY_INFORMATION;
    SECURITY_DESCRIPTOR Descriptor;
    HANDLE Handle;

    RtlCreateSecurityDescriptor(&Descriptor, SECURITY_DESCRIPTOR_REVISION);
    RtlSetDaclSecurityDescriptor(&Descriptor, TRUE, Acl, FALSE);
    Descriptor.Control |= Control;
    NTSTATUS Status = ObOpenObjectByPointer(Device, OBJ_KERNEL_HANDLE, NULL, WRITE_DAC, NULL, KernelMode, &Handle);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ZwSetSecurityObject(Handle, What, &Descriptor);
    ZwClose(Handle);
    return Status;
}

NTSTATUS WdmlibIoCreateDeviceSecure(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
                                    DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                                    PCUNICODE_STRING DefaultSDDLString, LPCGUID DeviceClassGuid,
                                    PDEVICE_OBJECT *DeviceObject)
{
    ULONG Type = DeviceType, Alone = Exclusive;
    SECURITY_DESCRIPTOR_CONTROL Control;
    PACL Acl;

    *DeviceObject = NULL;
    NTSTATUS Status = SddlAclFromText(DefaultSDDLString, &Acl, &Control);
    if (!NT_SUCCESS(Status))
        return Status;
    if (DeviceClassGuid)
        AskClass(DeviceClassGuid, &Type, &DeviceCharacteristics, &Alone);
    Status = IoCreateDevice(DriverObject, DeviceExtensionSize, DeviceName, Type, DeviceCharacteristics, Alone != 0,
                            DeviceObject);
    if (NT_SUCCESS(Status)) {
        Status = Secure(*DeviceObject, Acl, Control);
        if (!NT_SUCCESS(Status)) {
            IoDeleteDevice(*DeviceObject);
            *DeviceObject = NULL;
        }
    }
    ExFreePoolWithTag(Acl, SDDL_TAG);
    return Status;
}

#undef IoValidateDeviceIoControlAccess
NTKERNELAPI NTSTATUS NTAPI IoValidateDeviceIoControlAccess(PIRP Irp, ULONG RequiredAccess);
NTSTATUS WdmlibIoValidateDeviceIoControlAccess(PIRP Irp, ULONG RequiredAccess)
{
    return IoValidateDeviceIoControlAccess(Irp, RequiredAccess);
}

/* docs: a string that is too long for the structure is an error instead of a shortened one. */
NTSTATUS WdmlibRtlInitUnicodeStringEx(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    SIZE_T Bytes = 0;

    DestinationString->Length = DestinationString->MaximumLength = 0;
    DestinationString->Buffer = (PWSTR)SourceString;
    if (!SourceString)
        return STATUS_SUCCESS;
    while (SourceString[Bytes / sizeof(WCHAR)])
        Bytes += sizeof(WCHAR);
    if (Bytes > MAXUSHORT - 1 - sizeof(WCHAR))
        return STATUS_NAME_TOO_LONG;
    DestinationString->Length = (USHORT)Bytes;
    DestinationString->MaximumLength = (USHORT)(Bytes + sizeof(WCHAR));
    return STATUS_SUCCESS;
}
