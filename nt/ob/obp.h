/*
 * Objects, handles, the namespace.
 */
#pragma once

typedef struct _OB_TYPE_INIT {
    PCWSTR Name;
    ULONG BodyBytes;        /* 0 = given at creation */
    ULONG ValidAccess;
    GENERIC_MAPPING Mapping;
    VOID (*Close)(PVOID Body, ULONG RemainingHandles); /* a handle was closed */
    VOID (*Delete)(PVOID Body);                        /* last reference gone */
    /* Rest of a path below this object (devices, files); NULL = none can follow. */
    NTSTATUS (*Parse)(PVOID Body, PUNICODE_STRING Rest, ULONG Access, PVOID Context, PVOID *Object);
    BOOLEAN Waitable;       /* body starts with a DISPATCHER_HEADER, or WaitOffset says where one is */
    ULONG WaitOffset;
} OB_TYPE_INIT;

VOID ObInitialize(VOID);
POBJECT_TYPE ObpCreateType(const OB_TYPE_INIT *Init);
/* A new object with one reference, zeroed. Nonpaged. */
NTSTATUS ObpAllocateObject(POBJECT_TYPE Type, ULONG BodyBytes, PVOID *Body);
/* Enter into the namespace; Name is absolute ("\\Device\\X"). The namespace holds a reference until made temporary. */
NTSTATUS ObpInsertName(PVOID Body, PCUNICODE_STRING Name, ULONG Attributes);
VOID ObpRemoveName(PVOID Body);
NTSTATUS ObpLookupName(PCUNICODE_STRING Name, ULONG Attributes, POBJECT_TYPE Type, ULONG Access, PVOID Context,
                       PVOID *Body);
NTSTATUS ObpCreateHandle(PVOID Body, ULONG Access, ULONG Attributes, PHANDLE Handle); /* takes a reference of its own */
/* UTF-8 name for reports; "" if it has none. */
ULONG ObpNameOf(PVOID Body, PCHAR Buffer, ULONG Bytes);
/* The dispatcher header to wait on for an object. */
PVOID ObpWaitableOf(PVOID Body);
