/* A driver for run_test.c that does not start. */
#include <ntddk.h>

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    DbgPrint("fails: no\n");
    return STATUS_NO_SUCH_DEVICE;
}
