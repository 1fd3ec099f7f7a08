/*
 * DbgPrint may be called at any level, but wide characters need tables that are pageable. This prints a narrow one.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    Old = KeRaiseIrqlToDpcLevel();
    DbgPrint("%s\n", "narrow");
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
