/*
 * DbgPrint may be called at any level, but wide characters need tables that are pageable. This prints a wide string at
 * DISPATCH_LEVEL.
 *
 * EXPECT: irql.call-too-high bad.c:@ in DriverEntry
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
    DbgPrint("%ws\n", L"wide"); /* @ */
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
