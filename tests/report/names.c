/* A driver whose symbols symbols_test.c looks up, built with DWARF and with a PDB. Never run. */
#include <ntddk.h>

static KTIMER StaticTimer;
static KDPC StaticDpc;
int Counter[4] = {1};

__attribute__((noinline)) static void Helper(int x)
{
    DbgPrint("%d\n", x);
    Counter[1] = x;
}

static void NTAPI TimerDpc(PKDPC Dpc, PVOID Context, PVOID A, PVOID B)
{
    Helper(++Counter[2]);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER due = {.QuadPart = -10000000};
    StaticDpc.DeferredRoutine = TimerDpc;
    KeInitializeTimer(&StaticTimer);
    KeSetTimerEx(&StaticTimer, due, 1000, &StaticDpc);
    Helper(7); /* line 27 */
    return 0;
}
