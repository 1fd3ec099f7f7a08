/*
 * Check, then act: two threads that each want to be the one who initialises look at a flag, and set it one kernel call
 * later. Nothing keeps the second from looking in between. (depth 1)
 * EXPECT: driver.bugcheck
 */
#include <ntddk.h>

static LONG started;
static volatile LONG initialised;
static PVOID threads[2];

static VOID initialise_once(PVOID context)
{
    LARGE_INTEGER now;
    if (!initialised) {
        now = KeQueryPerformanceCounter(NULL);
        initialised = 1;
        if (InterlockedIncrement(&started) != 1)
            KeBugCheckEx(0xE2, 1, 0, 0, 0);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    for (int i = 0; i < 2; i++) {
        HANDLE handle;
        NTSTATUS status = PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, initialise_once, NULL);
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
