/* A driver that writes to a file in each run: what it wrote in another schedule's run is never there. */
#include "threads.h"

static VOID write(PVOID context)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\??\\C:\\log.txt");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK iosb;
    HANDLE file;
    NTSTATUS status;

    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (!context) {
        status = ZwCreateFile(&file, GENERIC_WRITE | SYNCHRONIZE, &attributes, &iosb, NULL, FILE_ATTRIBUTE_NORMAL, 0,
                              FILE_CREATE, FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
        if (!NT_SUCCESS(status))
            KeBugCheckEx(0xE2, 3, (ULONG_PTR)status, 0, 0); /* it is there already */
        ZwWriteFile(file, NULL, NULL, NULL, &iosb, "text", 4, NULL, NULL);
        ZwClose(file);
    } else {
        DbgPrint("other thread\n");
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    return run_two_threads(write);
}
