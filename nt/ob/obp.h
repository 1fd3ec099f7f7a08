/*
 * Objects, handles, the namespace.
 *
 * An object is a header and a body. Its memory stays as long as references remain; a handle and a name in the
 * namespace hold one reference each. All of this may run up to DISPATCH_LEVEL as far as references go (the last
 * reference given up there is worked off at PASSIVE_LEVEL); names and handles are for PASSIVE_LEVEL.
 */
#pragma once

typedef NTSTATUS OB_SECURITY_METHOD(PVOID Body, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                                    PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects,
                                    POOL_TYPE Pool, PGENERIC_MAPPING Mapping);

typedef struct _OB_TYPE_INIT {
    PCWSTR Name;
    ULONG BodyBytes; /* 0 = given at creation */
    ULONG ValidAccess;
    GENERIC_MAPPING Mapping;
    VOID (*Close)(PVOID Body, ULONG RemainingHandles); /* a handle was closed */
    VOID (*Delete)(PVOID Body);                        /* last reference gone */
    VOID (*Free)(PVOID Memory);                        /* gives back ObpInitializeObject's memory; NULL = pool */
    /* Rest of a path below this object (devices, files); NULL = none can follow. Context: what the opener handed to
     * ObpLookupName. *Access: what kernel mode would be granted; on return, what the opener is. The object returned is
     * referenced. STATUS_REPARSE: Rest is a name to begin anew with, its buffer by ExpAllocate, freed by the walk. */
    NTSTATUS (*Parse)(PVOID Body, PUNICODE_STRING Rest, PULONG Access, PVOID Context, PVOID *Object);
    /* The name of objects that are not entered in the namespace themselves (files, keys), ObpFullName's way; may copy what
     * fits and say STATUS_BUFFER_OVERFLOW. NULL = the name in the namespace. */
    NTSTATUS (*QueryName)(PVOID Body, PWSTR Buffer, ULONG Bytes, PULONG Length);
    /* Around ObpQueryName where somebody hears of the question (keys); NULL = nobody. */
    NTSTATUS (*AskName)(PVOID Body, POBJECT_NAME_INFORMATION Information, ULONG Bytes, PULONG Returned);
    BOOLEAN CaseInsensitive; /* names of this type are compared so even when the opener does not ask for it */
    BOOLEAN Waitable;        /* body starts with a DISPATCHER_HEADER, or WaitOffset says where one is */
    ULONG WaitOffset;
    ULONG InvalidAttributes;  /* OBJ_ flags that an opener may not give */
    BOOLEAN SecurityRequired; /* objects without a name have a security descriptor too */
    BOOLEAN ObjectCallbacks;  /* ObRegisterCallbacks may be asked for this type */
    /* Query, set, assign, delete the security of an object (ObpSecurityMethod's way); NULL = in its header. */
    OB_SECURITY_METHOD *Security;
} OB_TYPE_INIT;

/*
 * What POBJECT_TYPE points to. TypeList comes first and is empty, as on Windows where nobody asked for it to be kept:
 * so the first word points at the type itself, and drivers built from headers that import the exported type variables
 * with one indirection too many (mingw-w64's) find the same type.
 */
struct _OBJECT_TYPE {
    LIST_ENTRY TypeList;
    UNICODE_STRING Name;
    OB_TYPE_INIT Init;
    ULONG TotalObjects, TotalHandles;
    ULONG Index;
    struct _OBP_DRIVER_TYPE *Driver; /* the methods of a type that a driver made; NULL = ours */
};

struct _OBP_NAME;

typedef struct _OBP_HEADER {
    LONG_PTR PointerCount;
    union {
        LONG_PTR HandleCount;         /* PointerCount is never below it */
        struct _OBP_HEADER *NextDead; /* waits for deletion at PASSIVE_LEVEL */
    };
    struct _OBP_NAME *Name;
    POBJECT_TYPE Type;
    PSECURITY_DESCRIPTOR Security; /* shared, see ObLogSecurityDescriptor; NULL = anybody may do anything */
    ULONG CreatedBy;               /* stack id */
    UCHAR Permanent : 1, Dead : 1;
    UCHAR Created : 1; /* by ObCreateObject, not yet inserted */
    UCHAR Spare;
    USHORT Exclusive; /* number of the process that alone may have handles; 0 = any may */
} OBP_HEADER, *POBP_HEADER;
C_ASSERT(sizeof(OBP_HEADER) == 48); /* as Windows' own, and keeps bodies 16-byte aligned */

#define ObpHeaderOf(Body) ((POBP_HEADER)(Body)-1)
#define ObpTypeOf(Body) (ObpHeaderOf(Body)->Type)

VOID ObInitialize(VOID);
POBJECT_TYPE ObpCreateType(const OB_TYPE_INIT *Init);
/* A new object with one reference, zeroed. Nonpaged. */
NTSTATUS ObpAllocateObject(POBJECT_TYPE Type, ULONG BodyBytes, PVOID *Body);
/* The same in memory the caller brings (zeroed, sizeof(OBP_HEADER) more than the body); returns the body. */
PVOID ObpInitializeObject(POBJECT_TYPE Type, PVOID Memory);
/* Enter into the namespace; Name is absolute ("\\Device\\X"). The namespace holds a reference until made temporary. */
NTSTATUS ObpInsertName(PVOID Body, PCUNICODE_STRING Name, ULONG Attributes);
VOID ObpRemoveName(PVOID Body);
NTSTATUS ObpLookupName(PCUNICODE_STRING Name, ULONG Attributes, POBJECT_TYPE Type, ULONG Access, PVOID Context,
                       PVOID *Body);
/* The same, where Name may be relative to Root (a directory, device, file or key). Root NULL = absolute. */
NTSTATUS ObpLookupFrom(PVOID Root, PCUNICODE_STRING Name, ULONG Attributes, POBJECT_TYPE Type, ULONG Access,
                       PVOID Context, PVOID *Body);
/* Lookup by OBJECT_ATTRIBUTES, and a handle on what was found. */
NTSTATUS ObpOpen(POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type, ULONG Access, PVOID Context, PHANDLE Handle);
/* Give a new object its name (if Attributes have one) and a handle; takes over the caller's reference in any case.
 * With OBJ_OPENIF an object that has the name already is opened instead: STATUS_OBJECT_NAME_EXISTS. */
NTSTATUS ObpInsertObject(PVOID Body, POBJECT_ATTRIBUTES Attributes, ULONG Access, PHANDLE Handle);
NTSTATUS ObpCloseHandle(HANDLE Handle, KPROCESSOR_MODE Mode);
NTSTATUS ObpCreateHandle(PVOID Body, ULONG Access, ULONG Attributes, PHANDLE Handle); /* takes a reference of its own */
/* UTF-8 name for reports; "" if it has none. */
ULONG ObpNameOf(PVOID Body, PCHAR Buffer, ULONG Bytes);
/* Absolute name as UTF-16, "" if none; *Length in bytes. STATUS_INFO_LENGTH_MISMATCH when Bytes do not suffice. */
NTSTATUS ObpFullName(PVOID Body, PWSTR Buffer, ULONG Bytes, PULONG Length);
/* The dispatcher header to wait on for an object. */
PVOID ObpWaitableOf(PVOID Body);

/* ---- Handle tables (also the table of process and thread ids) ---------------------------------------------------- */

#define OBP_TABLE_CHUNK 256

typedef struct _OBP_ENTRY {
    PVOID Object; /* NULL = free */
    ULONG Access;
    union {
        ULONG Attributes;
        ULONG NextFree; /* 0 = none */
    };
    ULONG Stack, Spare; /* of a kernel handle: where it was made */
} OBP_ENTRY, *POBP_ENTRY;

/* Entry n stands for the value 4n; entry 0 is never used. Freed entries come back first in, first out, so that a stale
 * value stays stale for long. */
typedef struct _OBP_TABLE {
    POBP_ENTRY *Chunk;
    ULONG Chunks, ChunkRoom;
    ULONG Count;
    ULONG FirstFree, LastFree;
} OBP_TABLE, *POBP_TABLE;

ULONG ObpTableInsert(POBP_TABLE Table, PVOID Object, ULONG Access, ULONG Attributes); /* the index */
POBP_ENTRY ObpTableEntry(POBP_TABLE Table, ULONG Index);                              /* NULL = free or none */
VOID ObpTableRemove(POBP_TABLE Table, ULONG Index);
VOID ObpCloseTable(POBP_TABLE Table); /* every handle of a process that ends, in its context */
VOID ObpFreeTable(POBP_TABLE Table);

/* ---- Between the files of ob ------------------------------------------------------------------------------------- */

VOID ObpInitializeNames(VOID);
/* leak.c: what the driver at Base leaves open. */
VOID ObpReportHandles(UINT64 Base, PCSTR Driver);
VOID ObpInitializeEvents(VOID);
VOID ObpInitializeTimers(VOID);
VOID ObpThreadEnds(struct _ETHREAD *Thread); /* its timers have nobody to tell any more */
VOID ObpInitializeMoreTypes(VOID);
VOID ObpHandleClosed(PVOID Body); /* bookkeeping after the entry of a handle is gone; gives up its reference */
NTSTATUS ObpQueryName(PVOID Object, POBJECT_NAME_INFORMATION Information, ULONG Bytes, PULONG Returned);
NTSTATUS ObpCaptureAccess(POBJECT_TYPE Type, ULONG Desired, PULONG Granted);
/* Which access a caller of Mode gets to an object. */
NTSTATUS ObpGrantAccess(PVOID Body, ACCESS_MASK Desired, KPROCESSOR_MODE Mode, PULONG Granted);
/* The same, by its descriptor; NULL = there is none, everything is granted. */
NTSTATUS ObpCheckDescriptor(PSECURITY_DESCRIPTOR Descriptor, POBJECT_TYPE Type, ACCESS_MASK Desired,
                            KPROCESSOR_MODE Mode, PULONG Granted);
/* The mode an open request is checked for: that of who made it, UserMode where OBJ_FORCE_ACCESS_CHECK asks for it. */
KPROCESSOR_MODE ObpOpenMode(ULONG Attributes);
/* Give a new object its security: what its maker asks for, what its directory passes on, what the maker's token says. */
VOID ObpSecureDirectories(VOID); /* when all of them are there */
NTSTATUS ObpAssignSecurity(PVOID Body, PVOID Directory, PSECURITY_DESCRIPTOR Explicit);
VOID ObpReleaseSecurity(POBP_HEADER Header);
/* Every process has its table; the System process's is the kernel's. */
POBP_TABLE ObpTableOf(PEPROCESS Process);
VOID ObpInheritHandles(PEPROCESS From, PEPROCESS To);
/* Before and after a handle to an object whose type allows it is made (callback.c). */
typedef struct _OBP_OPERATION {
    ULONG Kind; /* OB_OPERATION_HANDLE_CREATE... */
    PVOID Body;
    ACCESS_MASK Access; /* asked for; less after ObpCallBefore, if a driver took something away */
    BOOLEAN KernelHandle;
    PVOID Source, Target; /* processes of a duplication */
    PVOID *Context;
} OBP_OPERATION, *POBP_OPERATION;
VOID ObpCallBefore(POBP_OPERATION Operation);
VOID ObpCallAfter(POBP_OPERATION Operation, NTSTATUS Status);
/* Methods of drivers' types (type.c). */
NTSTATUS ObpCallOpen(PVOID Body, ULONG Reason, ACCESS_MASK Access);
BOOLEAN ObpMayClose(PEPROCESS Process, PVOID Body, HANDLE Handle, KPROCESSOR_MODE Mode); /* it lets this handle go */
VOID ObpDeleteSecurity(PVOID Body); /* told before the delete method */

/* What a driver's parse method is asked. Path, from Rest on, is not parsed yet. STATUS_REPARSE: Rest is then a name to
 * begin anew with, its buffer by ExpAllocate. */
typedef struct _OBP_PARSE {
    POBJECT_TYPE Wanted;
    ULONG Attributes;
    ACCESS_MASK Access;
    PVOID Context;
    UNICODE_STRING Path;
    PUNICODE_STRING Rest;
} OBP_PARSE, *POBP_PARSE;
BOOLEAN ObpParses(POBJECT_TYPE Type);
NTSTATUS ObpCallParse(PVOID Body, POBP_PARSE Parse, PVOID *Object);
VOID ObpForgetCreation(PVOID Body);
ULONG ObpCountHandles(PEPROCESS Process, PVOID Body);
extern POBJECT_TYPE ObpTypeType, ObpDirectoryType, ObpSymbolicLinkType, ObpEventType, ObpSemaphoreType, ObpMutantType,
    ObpTimerType;
/* Symbolic links that code of an image has made and not removed. */
PVOID ObpNextLinkOf(PVOID Previous, UINT64 Base, UINT64 Bytes);
ULONG ObpLinkStack(PVOID Link);
NTSTATUS ObpCreateLink(PUNICODE_STRING Name, PUNICODE_STRING Target);
NTSTATUS ObpNameLink(PUNICODE_STRING Name, PUNICODE_STRING Target, PSECURITY_DESCRIPTOR Security, ULONG Stack);
