/* The same at PASSIVE_LEVEL. */
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

    Driver->DriverUnload = Unload;
    Pause(&Time);
    return Calls == 1 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
