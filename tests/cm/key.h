/* Short forms of the registry's services, for its tests. */
#pragma once
#include "../io/test.h"

static NTSTATUS KeyOpen(HANDLE Root, PCWSTR Text, ULONG More, PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE | More, Root, NULL);
    return ZwOpenKey(Handle, KEY_ALL_ACCESS, &Attributes);
}

__attribute__((unused)) static NTSTATUS KeyCreate(HANDLE Root, PCWSTR Text, ULONG Options, PULONG Disposition,
                                                  PHANDLE Handle)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Root, NULL);
    return ZwCreateKey(Handle, KEY_ALL_ACCESS, &Attributes, 0, NULL, Options, Disposition);
}

static NTSTATUS KeySet(HANDLE Key, PCWSTR Text, ULONG Type, const void *Data, ULONG Bytes)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Text);
    return ZwSetValueKey(Key, &Name, 0, Type, (PVOID)Data, Bytes);
}

__attribute__((unused)) static NTSTATUS KeyDeleteValue(HANDLE Key, PCWSTR Text)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Text);
    return ZwDeleteValueKey(Key, &Name);
}

/* A REG_DWORD's number; the status if there is none. */
__attribute__((unused)) static NTSTATUS KeyNumber(HANDLE Key, PCWSTR Text, PULONG Number)
{
    struct {
        KEY_VALUE_PARTIAL_INFORMATION Fixed;
        UCHAR Room[16];
    } Value;
    UNICODE_STRING Name;
    ULONG Length;
    RtlInitUnicodeString(&Name, Text);
    NTSTATUS Status = ZwQueryValueKey(Key, &Name, KeyValuePartialInformation, &Value, sizeof(Value), &Length);
    if (NT_SUCCESS(Status))
        *Number = *(PULONG)Value.Fixed.Data;
    return Status;
}
