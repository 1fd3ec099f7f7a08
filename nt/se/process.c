/*
 * What a process was started from (docs: SeLocateProcessImageName).
 */
#include "nt.h"

/* The structure and its text are one block of pool, the caller's to free. System has the empty name. */
NTSTATUS NTAPI SeLocateProcessImageName(PEPROCESS Process, PUNICODE_STRING *Name)
{
    USHORT Length = Process->ImagePath.Length;
    PUNICODE_STRING New = ExAllocatePoolWithTag(PagedPool, sizeof(*New) + Length + sizeof(WCHAR), 'pNeS');
    *Name = New;
    if (!New)
        return STATUS_NO_MEMORY;
    New->Buffer = (PWSTR)(New + 1);
    New->Length = Length;
    New->MaximumLength = Length + sizeof(WCHAR);
    RtlCopyMemory(New->Buffer, Process->ImagePath.Buffer, Length);
    New->Buffer[Length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}
