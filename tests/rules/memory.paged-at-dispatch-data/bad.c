/*
 * Data in a pageable section may be touched below DISPATCH_LEVEL only.
 *
 * EXPECT: memory.paged-at-dispatch bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static __attribute__((section("PAGEDATA"))) volatile ULONG Counter = 1;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Old;

    Driver->DriverUnload = Unload;
    Old = KeRaiseIrqlToDpcLevel();
    Counter++; /* @ */
    KeLowerIrql(Old);
    return STATUS_SUCCESS;
}
