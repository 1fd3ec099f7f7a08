/* A driver for run_test.c: it calls what does not exist here, in its unload routine (in a loop: no tail call). */
#include <ntddk.h>

__declspec(dllimport) VOID NTAPI KeThisDoesNotExist(ULONG Number);

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    ULONG number;

    for (number = 1; number < 3; number++)
        KeThisDoesNotExist(number);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
