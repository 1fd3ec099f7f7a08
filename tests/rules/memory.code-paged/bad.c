/*
 * Calls a routine of a PAGE section at DISPATCH_LEVEL.
 *
 * EXPECT: memory\.code-paged bad\.c:[0-9]+ in DriverEntry
 */
#include <ntddk.h>

__attribute__((section("PAGE"), noinline)) static ULONG PagedRoutine(void)
{
    static volatile ULONG Calls;
    return ++Calls;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    KIRQL Irql;

    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    PagedRoutine();
    KeLowerIrql(Irql);
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
