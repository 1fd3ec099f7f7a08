/*
 * A routine whose last act is a call ends, optimised, with a jump, and has left no frame when the call is found to be wrong. The
 * report names it nevertheless, and not the line that called it.
 *
 * EXPECT: irql.call-too-high .*Pause
 */
#include <ntddk.h>

static volatile LONG Calls;

static __attribute__((noinline)) NTSTATUS Pause(PLARGE_INTEGER Time)
{
    Calls++;
    return KeDelayExecutionThread(KernelMode, FALSE, Time);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Time = {.QuadPart = -10000};
    KIRQL Irql;

    Driver->DriverUnload = Unload;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    Pause(&Time);
    KeLowerIrql(Irql);
    return Calls == 1 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
