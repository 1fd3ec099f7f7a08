/*
 * Code that runs at DISPATCH_LEVEL must not lie in a pageable section. This DPC calls into one.
 *
 * EXPECT: memory.code-paged .*in Count
 */
#include <ntddk.h>

static KDPC Dpc;
static volatile ULONG Counter;

__attribute__((section("PAGE"))) static __attribute__((noinline)) VOID Count(VOID)
{
    Counter++;
}

static VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Count();
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return STATUS_SUCCESS;
}
