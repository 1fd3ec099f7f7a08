/*
 * Drivers loaded and unloaded by their service key: who is found, started once, and gone when nobody uses it.
 * (docs: ZwLoadDriver, ZwUnloadDriver)
 * VOLUME: loaded
 * EXPECT: loaded.sys starts
 * EXPECT: checks, 0 failures
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI ZwLoadDriver(PUNICODE_STRING Service);
NTSYSAPI NTSTATUS NTAPI ZwUnloadDriver(PUNICODE_STRING Service);

#define SERVICES L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\"

static NTSTATUS Load(PCWSTR Key)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Key);
    return ZwLoadDriver(&Name);
}

static NTSTATUS Unload(PCWSTR Key)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Key);
    return ZwUnloadDriver(&Name);
}

static VOID MakeService(PCWSTR Key, PCWSTR ImagePath)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name, Value;
    ULONG Type = 1;
    HANDLE Handle;
    RtlInitUnicodeString(&Name, Key);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwCreateKey(&Handle, KEY_ALL_ACCESS, &Attributes, 0, NULL, 0, NULL));
    RtlInitUnicodeString(&Value, L"Type");
    OK(ZwSetValueKey(Handle, &Value, 0, REG_DWORD, &Type, sizeof(Type)));
    RtlInitUnicodeString(&Value, L"ImagePath");
    OK(ZwSetValueKey(Handle, &Value, 0, REG_SZ, (PVOID)ImagePath, (ULONG)(wcslen(ImagePath) + 1) * sizeof(WCHAR)));
    OK(ZwClose(Handle));
}

static VOID a_service_is_loaded_and_unloaded(VOID)
{
    STATUS(Load(SERVICES L"Nobody"), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Unload(SERVICES L"Nobody"), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(Load(L""), STATUS_OBJECT_NAME_INVALID);
    MakeService(SERVICES L"Missing", L"\\SystemRoot\\System32\\drivers\\missing.sys");
    CHECK(!NT_SUCCESS(Load(SERVICES L"Missing")));
    STATUS(Unload(SERVICES L"Missing"), STATUS_OBJECT_NAME_NOT_FOUND);
    MakeService(SERVICES L"FromVolume", L"System32\\drivers\\loaded.sys");
    OK(Load(SERVICES L"FromVolume"));
    STATUS(Load(SERVICES L"FromVolume"), STATUS_IMAGE_ALREADY_LOADED);
    OK(Unload(SERVICES L"FromVolume"));
    STATUS(Unload(SERVICES L"FromVolume"), STATUS_OBJECT_NAME_NOT_FOUND);
    /* this driver itself, which has no unload routine yet */
    STATUS(Load(SERVICES L"services"), STATUS_IMAGE_ALREADY_LOADED);
    Driver->DriverUnload = NULL;
    STATUS(Unload(SERVICES L"services"), STATUS_INVALID_DEVICE_REQUEST);
    Driver->DriverUnload = TestUnload;
}

TEST_MAIN(a_service_is_loaded_and_unloaded)
