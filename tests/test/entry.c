/* DriverEntry fails: none of its tests may pass. */
#include <ntddk.h>

__declspec(dllexport) NTSTATUS NTAPI TestNothing(PDRIVER_OBJECT Driver)
{
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    return STATUS_NO_SUCH_DEVICE;
}
