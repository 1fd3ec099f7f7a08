/*
 * guard.sys: a driver that keeps a process from starting (the talk's T9), in a callback that runs at PASSIVE_LEVEL (T16).
 *
 *     irqlab run --scenario examples/guard/guard.lua build/examples/guard.sys
 *     irqlab run --client "build/examples/guard-client notepad.exe evil.exe" build/examples/guard.sys
 *
 * Before the first thread of a process runs, the kernel calls who has registered with PsSetCreateProcessNotifyRoutineEx. What
 * the callback leaves in CreationStatus is what the launcher gets: an error means that there is no process.
 *
 * The callback runs in the thread of the launcher at PASSIVE_LEVEL, so it may look at paged memory (the image's name is), read
 * the registry or wait. On Windows the driver's image must be linked with /INTEGRITYCHECK to register it.
 */
#include <ntddk.h>

/* Denied by the last part of the image's path, in any case of letters. */
static const UNICODE_STRING Denied = RTL_CONSTANT_STRING(L"evil.exe");
static LONG Seen, Refused;

static BOOLEAN IsDenied(PCUNICODE_STRING Path)
{
    UNICODE_STRING Name = *Path;

    for (USHORT i = Path->Length / sizeof(WCHAR); i; i--)
        if (Path->Buffer[i - 1] == L'\\') {
            Name.Buffer = &Path->Buffer[i];
            Name.Length = Name.MaximumLength = Path->Length - i * sizeof(WCHAR);
            break;
        }
    return RtlEqualUnicodeString(&Name, &Denied, TRUE);
}

static VOID NTAPI OnProcess(PEPROCESS Process, HANDLE Id, PPS_CREATE_NOTIFY_INFO Info)
{
    UNREFERENCED_PARAMETER(Process);
    PAGED_CODE();
    if (!Info) {
        DbgPrint("guard: process %u ends with status 0x%08x (level %u)\n", (ULONG)(ULONG_PTR)Id,
                 PsGetProcessExitStatus(Process), KeGetCurrentIrql());
        return;
    }
    InterlockedIncrement(&Seen);
    if (Info->ImageFileName && IsDenied(Info->ImageFileName)) {
        InterlockedIncrement(&Refused);
        Info->CreationStatus = STATUS_ACCESS_DENIED;
    }
    DbgPrint("guard: process %u, %wZ: %s (level %u)\n", (ULONG)(ULONG_PTR)Id, Info->ImageFileName,
             NT_SUCCESS(Info->CreationStatus) ? "may start" : "denied", KeGetCurrentIrql());
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    UNREFERENCED_PARAMETER(Driver);
    PsSetCreateProcessNotifyRoutineEx(OnProcess, TRUE);
    DbgPrint("guard: %d launches, %d denied\n", Seen, Refused);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    Driver->DriverUnload = Unload;
    return PsSetCreateProcessNotifyRoutineEx(OnProcess, FALSE);
}
