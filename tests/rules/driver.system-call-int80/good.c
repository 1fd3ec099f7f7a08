/*
 * Kernel code does not make system calls, by the old instruction neither.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    DbgPrint("no system call\n");
    return STATUS_SUCCESS;
}
