/* What the drivers of these tests share: two threads, waited for. */
#pragma once

#include <ntddk.h>

static inline NTSTATUS run_two_threads(PKSTART_ROUTINE routine)
{
    PVOID threads[2];

    for (ULONG_PTR i = 0; i < 2; i++) {
        HANDLE handle;
        NTSTATUS status = PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, routine, (PVOID)i);
        if (!NT_SUCCESS(status))
            return status;
        ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, NULL, KernelMode, &threads[i], NULL);
        ZwClose(handle);
    }
    for (int i = 0; i < 2; i++) {
        KeWaitForSingleObject(threads[i], Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(threads[i]);
    }
    return STATUS_SUCCESS;
}
