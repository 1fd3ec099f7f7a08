/*
 * Code and data of the INIT section are gone once DriverEntry has returned. The DPC's routine lies there.
 *
 * EXPECT: memory.discarded .*Routine
 */
#include <ntddk.h>

static KTIMER Timer;
static KDPC Dpc;
static volatile ULONG Counter;

static __attribute__((section("INIT"), noinline)) VOID Prepare(VOID)
{
    Counter = 0;
}

static __attribute__((section("INIT"))) VOID Routine(PKDPC Which, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Counter++;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};

    Driver->DriverUnload = Unload;
    Prepare();
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeSetTimer(&Timer, Due, &Dpc);
    return STATUS_SUCCESS;
}
