/*
 * A callback is taken back once.
 */
#include <ntddk.h>

static PCALLBACK_OBJECT Object;
static PVOID Registration;

static VOID Called(PVOID Context, PVOID First, PVOID Second)
{
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    ExUnregisterCallback(Registration);
    ObDereferenceObject(Object);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Callback\\SetSystemTime");
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    Driver->DriverUnload = Unload;
    NTSTATUS Status = ExCreateCallback(&Object, &Attributes, FALSE, TRUE);
    if (!NT_SUCCESS(Status))
        return Status;
    Registration = ExRegisterCallback(Object, Called, NULL);
    if (!Registration)
        ObDereferenceObject(Object);
    return Registration ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}
