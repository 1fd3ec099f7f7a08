/* What the system's ntifs.h lacks of the services on keys and hives. */
#pragma once

NTSYSAPI NTSTATUS NTAPI ZwSaveKeyEx(HANDLE KeyHandle, HANDLE FileHandle, ULONG Format);
NTSYSAPI NTSTATUS NTAPI ZwLoadKeyEx(POBJECT_ATTRIBUTES TargetKey, POBJECT_ATTRIBUTES SourceFile, ULONG Flags,
                                    HANDLE TrustClassKey, HANDLE Event, ACCESS_MASK DesiredAccess, PHANDLE RootHandle,
                                    PVOID Reserved);
NTSYSAPI NTSTATUS NTAPI ZwUnloadKey2(POBJECT_ATTRIBUTES TargetKey, ULONG Flags);
NTSYSAPI NTSTATUS NTAPI ZwUnloadKeyEx(POBJECT_ATTRIBUTES TargetKey, HANDLE Event);
