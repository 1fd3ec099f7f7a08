/*
 * A driver's own keys (docs: IoOpenDriverRegistryKey, DRIVER_REGKEY_TYPE): below its service's key, so that it need not
 * build paths.
 */
#include "nt.h"
#include "cm/cmp.h"

static NTSTATUS CmpOpenBelow(HANDLE Root, PCWSTR Text, BOOLEAN Create, ACCESS_MASK Access, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, Root, NULL);
    return Create ? NtCreateKey(Handle, Access, &Attributes, 0, NULL, 0, NULL) : NtOpenKey(Handle, Access, &Attributes);
}

/* The handle is the kernel's, whoever the thread works for. State that lasts is made when it is missing; parameters are
 * the installer's. */
NTSTATUS NTAPI IoOpenDriverRegistryKey(PDRIVER_OBJECT DriverObject, DRIVER_REGKEY_TYPE RegKeyType, ACCESS_MASK Access,
                                       ULONG Flags, PHANDLE Handle)
{
    static const PCWSTR Names[] = {[DriverRegKeyParameters] = L"Parameters",
                                   [DriverRegKeyPersistentState] = L"PersistentState",
                                   [DriverRegKeySharedPersistentState] = L"SharedPersistentState"};
    PUNICODE_STRING Service = DriverObject ? &IopDriverOf(DriverObject)->RegistryPath : NULL;
    HANDLE Root;
    if (!Service || !Service->Length || !Handle || Flags || (ULONG)RegKeyType >= RTL_NUMBER_OF(Names))
        return STATUS_INVALID_PARAMETER;
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    NTSTATUS Status = CmpOpenBelow(NULL, Service->Buffer, FALSE, KEY_READ, &Root);
    if (NT_SUCCESS(Status)) {
        Status = CmpOpenBelow(Root, Names[RegKeyType], RegKeyType != DriverRegKeyParameters, Access, Handle);
        NtClose(Root);
    }
    return KiEndKernelMode(Mode, Status);
}
