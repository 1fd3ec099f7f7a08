/*
 * The compiler's own checks found damaged data and stopped the system before worse happens.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    DbgPrint("nothing damaged\n");
    return STATUS_SUCCESS;
}
