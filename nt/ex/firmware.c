/*
 * The firmware and how the machine was started: a BIOS, without variables, started afresh and not in safe mode.
 * (docs: ExGetFirmwareType, ExGetFirmwareEnvironmentVariable: STATUS_NOT_IMPLEMENTED where the firmware has no variables)
 */
#include "nt.h"

ULONG InitSafeBootMode = 0;

FIRMWARE_TYPE NTAPI ExGetFirmwareType(VOID)
{
    return FirmwareTypeBios;
}

NTSTATUS NTAPI ExGetFirmwareEnvironmentVariable(PUNICODE_STRING VariableName, LPGUID VendorGuid, PVOID Value,
                                                PULONG ValueLength, PULONG Attributes)
{
    return STATUS_NOT_IMPLEMENTED;
}

NTSTATUS NTAPI ExSetFirmwareEnvironmentVariable(PUNICODE_STRING VariableName, LPGUID VendorGuid, PVOID Value,
                                                ULONG ValueLength, ULONG Attributes)
{
    return STATUS_NOT_IMPLEMENTED;
}

BOOLEAN NTAPI ExIsSoftBoot(VOID)
{
    return FALSE;
}
