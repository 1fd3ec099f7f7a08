/* Says of each process whether it is in a job, once its parent has had time to assign it; and has a job itself. */
#include <ntifs.h>

__declspec(dllimport) extern POBJECT_TYPE *PsJobType;
NTSYSAPI PVOID NTAPI PsGetProcessJob(PEPROCESS Process);
NTSYSAPI ULONG NTAPI PsGetJobSessionId(PVOID Job);
NTSYSAPI NTSTATUS NTAPI ZwCreateJobObject(PHANDLE Job, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSYSAPI NTSTATUS NTAPI ZwQueryInformationJobObject(HANDLE Job, ULONG Class, PVOID Buffer, ULONG Bytes,
                                                    PULONG Returned);
NTSYSAPI NTSTATUS NTAPI ZwIsProcessInJob(HANDLE Process, HANDLE Job);

static VOID NTAPI Created(HANDLE ParentId, HANDLE Id, BOOLEAN Create)
{
    PEPROCESS Parent;

    if (!Create || !NT_SUCCESS(PsLookupProcessByProcessId(ParentId, &Parent)))
        return;
    DbgPrint("job: process %u is in %s\n", (ULONG)(ULONG_PTR)ParentId, PsGetProcessJob(Parent) ? "a job" : "none");
    ObDereferenceObject(Parent);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    PsSetCreateProcessNotifyRoutine(Created, TRUE);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    OBJECT_ATTRIBUTES Attributes;
    ULONG Counts[12], Returned = 0;
    PVOID Object;
    HANDLE Job;

    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    if (NT_SUCCESS(ZwCreateJobObject(&Job, 0x1F003F, &Attributes))) {
        if (NT_SUCCESS(ZwQueryInformationJobObject(Job, 1, Counts, sizeof(Counts), &Returned)) &&
            Returned == sizeof(Counts) && !Counts[9] && ZwIsProcessInJob(NtCurrentProcess(), Job) == 0x123 &&
            NT_SUCCESS(ObReferenceObjectByHandle(Job, 0, *PsJobType, KernelMode, &Object, NULL))) {
            if (PsGetJobSessionId(Object) == 0)
                DbgPrint("job: a kernel's job works\n");
            ObDereferenceObject(Object);
        }
        ZwClose(Job);
    }
    Driver->DriverUnload = Unload;
    return PsSetCreateProcessNotifyRoutine(Created, FALSE);
}
