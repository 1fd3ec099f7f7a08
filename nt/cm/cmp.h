/*
 * The registry: a tree of keys in memory, and the key objects that handles name.
 *
 * A key stays as long as it is not deleted; a deleted one as long as handles remain (every service on them gives
 * STATUS_KEY_DELETED). Names keep their letter case and are compared without it.
 */
#pragma once

typedef struct _CM_VALUE {
    LIST_ENTRY Entry;
    UNICODE_STRING Name; /* Buffer is ours */
    ULONG Type, Bytes;
    PVOID Data;
} CM_VALUE, *PCM_VALUE;

typedef struct _CM_KEY {
    LIST_ENTRY Entry;       /* in the parent's Children, name order */
    struct _CM_KEY *Parent; /* NULL = the root */
    struct _CM_KEY *Link;   /* another key this one stands for */
    LIST_ENTRY Children, Values;
    ULONG ChildCount, ValueCount;
    ULONG References; /* key objects */
    BOOLEAN Deleted;
    UNICODE_STRING Name, Class;
    LARGE_INTEGER WriteTime;
} CM_KEY, *PCM_KEY;

/* What a handle to a key refers to. */
typedef struct _CM_KEY_BODY {
    PCM_KEY Key;
} CM_KEY_BODY, *PCM_KEY_BODY;

/* What NtCreateKey hands to the parse routine. */
typedef struct _CM_CREATE {
    PUNICODE_STRING Class;
    ULONG Options, Disposition;
} CM_CREATE, *PCM_CREATE;

#define CM_TAG '  MC'
extern POBJECT_TYPE CmpKeyType;

PCM_KEY CmpFindKey(PCM_KEY Parent, PCUNICODE_STRING Name);
PCM_KEY CmpMakeKey(PCM_KEY Parent, PCUNICODE_STRING Name);
PCM_VALUE CmpFindValue(PCM_KEY Key, PCUNICODE_STRING Name);
NTSTATUS CmpSetValue(PCM_KEY Key, PCUNICODE_STRING Name, ULONG Type, PVOID Data, ULONG Bytes);
VOID CmpRemoveValue(PCM_KEY Key, PCM_VALUE Value);
VOID CmpReleaseKey(PCM_KEY Key);
/* Nth of a list, NULL = fewer. */
PLIST_ENTRY CmpNth(PLIST_ENTRY Head, ULONG Index);

/* The services, for the routines built on them. */
NTSTATUS NTAPI NtCreateKey(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG TitleIndex,
                           PUNICODE_STRING Class, ULONG Options, PULONG Disposition);
NTSTATUS NTAPI NtOpenKey(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtSetValueKey(HANDLE Handle, PUNICODE_STRING Name, ULONG TitleIndex, ULONG Type, PVOID Data,
                             ULONG Bytes);
NTSTATUS NTAPI NtDeleteValueKey(HANDLE Handle, PUNICODE_STRING Name);
