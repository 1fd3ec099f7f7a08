/*
 * Who is attached to no process has none to leave.
 *
 * EXPECT: process.bad-detach bad.c:@ in DriverEntry
 */
#include <ntddk.h>

typedef struct _APC_STATE {
    PVOID Words[16];
} APC_STATE;
NTKERNELAPI VOID NTAPI KeAttachProcess(PVOID Process);
NTKERNELAPI VOID NTAPI KeDetachProcess(VOID);
NTKERNELAPI VOID NTAPI KeStackAttachProcess(PVOID Process, APC_STATE *State);
NTKERNELAPI VOID NTAPI KeUnstackDetachProcess(APC_STATE *State);

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    APC_STATE State = {{0}};

    Driver->DriverUnload = Unload;
    KeUnstackDetachProcess(&State); /* @ */
    return STATUS_SUCCESS;
}
