/*
 * The unload routine must return. This one prints for ever.
 *
 * EXPECT: driver.does-not-return bad.c:@ in Unload
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
    for (;;)
        DbgPrint("still here\n"); /* @ */
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
