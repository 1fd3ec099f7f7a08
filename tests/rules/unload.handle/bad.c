/*
 * A key that a driver opens for each device and never closes: three handles of one place stay open.
 * EXPECT: unload.handle bad.c:@ in OpenKey
 */
#include <ntddk.h>

static NTSTATUS OpenKey(PUNICODE_STRING Path)
{
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key;

    InitializeObjectAttributes(&Attributes, Path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwOpenKey(&Key, KEY_READ, &Attributes); /* @ */
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status = STATUS_SUCCESS;

    DriverObject->DriverUnload = Unload;
    for (ULONG i = 0; i < 3 && NT_SUCCESS(Status); i++)
        Status = OpenKey(RegistryPath);
    return Status;
}
