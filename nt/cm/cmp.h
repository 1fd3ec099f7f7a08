/*
 * The registry: a tree of keys in memory, and the key objects that handles name.
 *
 * A key stays as long as it is not deleted; a deleted one as long as key objects or deleted keys below it remain (every
 * service on them gives STATUS_KEY_DELETED). Names keep their letter case and are compared without it. Keys of one
 * parent and values of one key stand in trees that know their sizes, so that finding by name and by number is
 * logarithmic.
 *
 * What a transaction has done and not committed carries its mark: entries it made (CreatedBy) are seen by it alone,
 * entries it took away (DeletedBy) by everybody else. A key with such marks below it belongs to one transaction (Owner)
 * at a time.
 *
 * Nothing here reaches a delivery point, save where a driver's callback is called: code that calls one holds a
 * reference on the key object, and looks at the tree anew afterwards.
 */
#pragma once

/* ---- Ordered trees (index.c) ---------------------------------------------------------------------------------------
 */

typedef struct _CM_NODE {
    struct _CM_NODE *Left, *Right;
    ULONG Heat;    /* heap order: random, but the same in every run */
    ULONG Count;   /* nodes of this subtree */
    ULONG Own[2];  /* two sizes whose largest one is asked for */
    ULONG Most[2]; /* the largest ones in this subtree */
} CM_NODE, *PCM_NODE;

typedef LONG CM_COMPARE(PCM_NODE Node, const VOID *Key); /* < 0: Node stands before Key */

PCM_NODE CmpTreeFind(PCM_NODE Root, CM_COMPARE *Compare, const VOID *Key);
/* The first node that does not stand before Key. */
PCM_NODE CmpTreeFirst(PCM_NODE Root, CM_COMPARE *Compare, const VOID *Key);
PCM_NODE CmpTreeNth(PCM_NODE Root, ULONG Index);
/* Behind all that are equal. */
VOID CmpTreeInsert(PCM_NODE *Root, PCM_NODE Node, CM_COMPARE *Compare, const VOID *Key);
/* Node stands where Compare says. Equal ones are told apart by their address. */
VOID CmpTreeRemove(PCM_NODE *Root, PCM_NODE Node, CM_COMPARE *Compare, const VOID *Key);
static inline ULONG CmpTreeCount(PCM_NODE Root)
{
    return Root ? Root->Count : 0;
}

/* ---- Keys and values (tree.c) --------------------------------------------------------------------------------------
 */

struct _CM_TRANSACTION;

/* What keys and values share: being one transaction's. */
typedef struct _CM_MARK {
    struct _CM_TRANSACTION *CreatedBy, *DeletedBy;
    LIST_ENTRY Entry; /* of the transaction that created or deleted it */
    BOOLEAN IsValue;
} CM_MARK, *PCM_MARK;

typedef struct _CM_VALUE {
    CM_NODE ByName, ByAge;
    CM_MARK Mark;
    struct _CM_KEY *Key;
    ULONG64 Age;
    UNICODE_STRING Name; /* Buffer is ours */
    ULONG Type, Bytes;
    PVOID Data;
} CM_VALUE, *PCM_VALUE;

typedef struct _CM_KEY {
    CM_NODE Node; /* in the parent's Children, name order */
    CM_MARK Mark;
    struct _CM_KEY *Parent; /* NULL = the root */
    PCM_NODE Children, Values, Aged;
    ULONG References; /* key objects, and deleted keys below */
    ULONG Flags;      /* CM_* */
    ULONG UserFlags, ControlFlags, Virtualization;
    struct _CM_TRANSACTION *Owner;
    ULONG Pending;      /* marks of it, on keys and values right below */
    LIST_ENTRY Watches; /* CM_WATCH */
    UNICODE_STRING Name, Class;
    PSECURITY_DESCRIPTOR Security; /* shared: ObLogSecurityDescriptor */
    LARGE_INTEGER WriteTime;
} CM_KEY, *PCM_KEY;

#define CM_DELETED 1
#define CM_VOLATILE 2
#define CM_LINK 4    /* its value SymbolicLinkValue names another key */
#define CM_HIVE 8    /* root of a hive: MACHINE\SYSTEM, what NtLoadKey loaded */
#define CM_LOADED 16 /* by NtLoadKey: it may be unloaded */
#define CM_FIXED 32  /* the root, MACHINE, USER: not to be deleted, renamed */

#define CM_NAME_MOST (255 * sizeof(WCHAR))
#define CM_VALUE_NAME_MOST (16383 * sizeof(WCHAR))
#define CM_DEPTH_MOST 512
#define CM_TAG '  MC'

PCM_KEY CmpBuildTree(VOID);
extern PCM_KEY CmpRoot;
extern PCM_KEY CmpAppRoot; /* \REGISTRY\A: no name leads below it */
/* As Transaction (NULL = none) sees it. */
PCM_KEY CmpFindKey(PCM_KEY Parent, PCUNICODE_STRING Name, struct _CM_TRANSACTION *Transaction);
PCM_KEY CmpNthKey(PCM_KEY Parent, ULONG Index, struct _CM_TRANSACTION *Transaction);
ULONG CmpKeyCount(PCM_KEY Parent, struct _CM_TRANSACTION *Transaction);
/* Security: a reference on a shared descriptor, which becomes the key's; NULL = what the parent passes on. */
PCM_KEY CmpMakeKey(PCM_KEY Parent, PCUNICODE_STRING Name, PSECURITY_DESCRIPTOR Security);
/* Take it out of its parent; what is below goes too. */
VOID CmpUnlinkKey(PCM_KEY Key);
VOID CmpUnlinkBelow(PCM_KEY Key);
VOID CmpRenameKey(PCM_KEY Key, PCUNICODE_STRING Name);
VOID CmpSetClass(PCM_KEY Key, PCUNICODE_STRING Class);
/* A tree of its own gets its place, and a name. */
VOID CmpAttachKey(PCM_KEY Parent, PCM_KEY Key, PCUNICODE_STRING Name);
/* The end of a tree of its own. */
VOID CmpDestroyTree(PCM_KEY Top);
/* From, a tree of its own, becomes part of Into: what both have is taken from it. Nothing of From remains. */
NTSTATUS CmpMergeTree(PCM_KEY Into, PCM_KEY From);
/* Each key of a tree in order, before those below it, also what transactions have made. Visit reaches no delivery point.
 * STATUS_NO_MORE_ENTRIES: not what is below it; an error ends the walk. */
typedef NTSTATUS CM_VISIT(PCM_KEY Key, PVOID Context);
NTSTATUS CmpWalkTree(PCM_KEY Top, CM_VISIT *Visit, PVOID Context);
/* How many key objects and deleted keys hang on Top and what is below it. */
ULONG CmpUsesBelow(PCM_KEY Top);
VOID CmpReferenceKey(PCM_KEY Key);
VOID CmpDereferenceKey(PCM_KEY Key);
ULONG CmpDepth(PCM_KEY Key);

PCM_VALUE CmpFindValue(PCM_KEY Key, PCUNICODE_STRING Name, struct _CM_TRANSACTION *Transaction);
PCM_VALUE CmpNthValue(PCM_KEY Key, ULONG Index, struct _CM_TRANSACTION *Transaction);
ULONG CmpValueCount(PCM_KEY Key, struct _CM_TRANSACTION *Transaction);
/* NULL = no memory. A value of that name must not exist. */
PCM_VALUE CmpMakeValue(PCM_KEY Key, PCUNICODE_STRING Name, ULONG Type, const VOID *Data, ULONG Bytes);
NTSTATUS CmpSetValue(PCM_KEY Key, PCUNICODE_STRING Name, ULONG Type, const VOID *Data, ULONG Bytes);
VOID CmpRemoveValue(PCM_VALUE Value);
VOID CmpTouch(PCM_KEY Key);
/* Path: "MACHINE\SYSTEM", below Parent. CmpMakePath makes what is missing. */
PCM_KEY CmpMakePath(PCM_KEY Parent, PCWSTR Path);

/* ---- Key objects (key.c) --------------------------------------------------------------------------------------------
 */

struct _CM_CONTEXT;

/* What a handle to a key refers to. */
typedef struct _CM_KEY_BODY {
    PCM_KEY Key;
    struct _CM_TRANSACTION *Transaction; /* it was opened in */
    struct _CM_WATCH *Watch;             /* NtNotifyChangeKey's */
    struct _CM_CONTEXT *Contexts;        /* of registry callbacks */
    ULONG HandleTags;
    PUNICODE_STRING Name; /* CmCallbackGetKeyObjectID gave it out */
} CM_KEY_BODY, *PCM_KEY_BODY;

extern POBJECT_TYPE CmpKeyType;
NTSTATUS CmpNewBody(PCM_KEY Key, struct _CM_TRANSACTION *Transaction, PVOID *Object);
NTSTATUS CmpReferenceBody(HANDLE Handle, ACCESS_MASK Access, PCM_KEY_BODY *Body);
/* By name. Options: REG_OPTION_BACKUP_RESTORE, where a privilege stands in for the key's security. */
NTSTATUS CmpOpenBody(POBJECT_ATTRIBUTES Attributes, ULONG Options, PCM_KEY_BODY *Body);
/* STATUS_SUCCESS when the key is there and may be changed (or read) through Body. */
NTSTATUS CmpMayRead(PCM_KEY_BODY Body);
NTSTATUS CmpMayWrite(PCM_KEY_BODY Body);
/* "\REGISTRY\MACHINE\..." of a key, in bytes; Buffer receives it when not NULL. */
ULONG CmpPathOf(PCM_KEY Key, PWSTR Buffer);

/* ---- Security (security.c) --------------------------------------------------------------------------------------- */

typedef enum _CM_DEFAULT_SECURITY {
    CmSecurityOpen,  /* all may read, administrators and the system everything: the root, MACHINE, USER, HARDWARE */
    CmSecurityHive,  /* users may read, who makes a subkey owns it: SOFTWARE, SYSTEM */
    CmSecurityClosed /* the system only, administrators may change that: SECURITY */
} CM_DEFAULT_SECURITY;

/* The shared descriptor of a new key below Parent; Explicit: its maker's, captured. */
NTSTATUS CmpMakeSecurity(PCM_KEY Parent, PSECURITY_DESCRIPTOR Explicit, PSECURITY_DESCRIPTOR *Shared);
VOID CmpSetDefaultSecurity(PCM_KEY Key, CM_DEFAULT_SECURITY Kind);
/* Takes over a reference on Shared. */
VOID CmpReplaceSecurity(PCM_KEY Key, PSECURITY_DESCRIPTOR Shared);
NTSTATUS CmpCheckKey(PCM_KEY Key, ACCESS_MASK Desired, KPROCESSOR_MODE Mode, PACCESS_MASK Granted);
NTSTATUS CmpCheckCreation(PCM_KEY Parent, BOOLEAN Link, ACCESS_MASK Desired, KPROCESSOR_MODE Mode,
                          PACCESS_MASK Granted);
BOOLEAN CmpAccessByPrivilege(KPROCESSOR_MODE Mode, PACCESS_MASK Granted);
OB_SECURITY_METHOD CmpSecurityMethod;

/* ---- Hives (hive.c) ----------------------------------------------------------------------------------------------- */

VOID CmpHiveChanges(PCM_KEY Key);  /* Key's hive, if it has a file, is to be written */
NTSTATUS CmpFlushKey(PCM_KEY Key); /* write it */
VOID CmpHiveReleased(VOID);        /* a key object has gone */

/* ---- Answers (reply.c) ----------------------------------------------------------------------------------------------
 */

NTSTATUS CmpFillValue(PCM_VALUE Value, ULONG Class, PVOID Buffer, ULONG Room, PULONG Returned);
NTSTATUS CmpFillWords(const VOID *Words, ULONG Bytes, PVOID Buffer, ULONG Room, PULONG Returned);
NTSTATUS CmpFillKey(PCM_KEY Key, struct _CM_TRANSACTION *Transaction, ULONG Class, PVOID Buffer, ULONG Room,
                    PULONG Returned);

/* ---- Notification (notify.c) ------------------------------------------------------------------------------------- */

/* Key (or, for a name, one right below it) has changed. Filter: REG_NOTIFY_CHANGE_*. */
VOID CmpNotify(PCM_KEY Key, ULONG Filter);
VOID CmpWatchedKeyGoes(PCM_KEY Key); /* it is deleted */
VOID CmpCloseWatch(PCM_KEY_BODY Body);

/* ---- Callbacks (callback.c) -------------------------------------------------------------------------------------- */

struct _CM_CALLED;

/* One operation that registry callbacks are told of. The two contexts lie in Information. */
typedef struct _CM_CALL {
    REG_NOTIFY_CLASS Pre, Post;
    PVOID Information, Object;
    PVOID *CallContext, *ObjectContext;
    struct _CM_CALLED *Called; /* whom, highest first */
    ULONG Count;
    BOOLEAN Filtered; /* a driver has decided: only those above it are told of the end */
} CM_CALL, *PCM_CALL;

#define CM_CALL_OF(PreClass, PostClass, Info)                                                                          \
    {                                                                                                                  \
        .Pre = PreClass, .Post = PostClass, .Information = &(Info), .Object = (Info).Object,                           \
        .CallContext = &(Info).CallContext, .ObjectContext = &(Info).ObjectContext                                     \
    }

/* TRUE: carry it out. FALSE: a driver has decided on *Status. CmpAfter follows in any case. */
BOOLEAN CmpBefore(PCM_CALL Call, PNTSTATUS Status);
/* The status the caller gets. Object: the operation's result for opens, else Call->Object. */
NTSTATUS CmpAfter(PCM_CALL Call, PVOID Object, NTSTATUS Status);
VOID CmpContextsGo(PCM_KEY_BODY Body);
BOOLEAN CmpInCallback(VOID); /* does this thread run one */

/* A service on a key object: the object by its handle, the callbacks before, the operation, the callbacks after. Asked is a
 * copy of the REG_..._INFORMATION that callbacks see: what they write into theirs changes nothing. */
typedef NTSTATUS CM_OPERATION(PCM_KEY_BODY Body, PVOID Asked);
NTSTATUS CmpRunOperation(HANDLE Handle, ACCESS_MASK Access, PCM_CALL Call, ULONG Bytes, CM_OPERATION *Operation);
#define CmpRun(Handle, Access, Name, Information, Operation)                                                           \
    CmpRunOperation(Handle, Access, &(CM_CALL)CM_CALL_OF(RegNtPre##Name, RegNtPost##Name, Information),                \
                    sizeof(Information), Operation)

/* ---- Transactions (transact.c) ----------------------------------------------------------------------------------- */

/* Key may be changed in Transaction (or, NULL, outside of any): it becomes the key's owner. */
NTSTATUS CmpOwn(PCM_KEY Key, struct _CM_TRANSACTION *Transaction);
BOOLEAN CmpSees(PCM_MARK Mark, struct _CM_TRANSACTION *Transaction);
VOID CmpMarkCreated(PCM_KEY Parent, PCM_MARK Mark, struct _CM_TRANSACTION *Transaction);
VOID CmpMarkDeleted(PCM_KEY Parent, PCM_MARK Mark, struct _CM_TRANSACTION *Transaction);
/* Mark, of a key or value below Parent, is nobody's any more. */
VOID CmpForget(PCM_MARK Mark, PCM_KEY Parent);
/* A handle's transaction as a registry's; takes a reference. */
NTSTATUS CmpEnlist(HANDLE Transaction, struct _CM_TRANSACTION **Result);
VOID CmpReferenceTransaction(struct _CM_TRANSACTION *Transaction);
VOID CmpDereferenceTransaction(struct _CM_TRANSACTION *Transaction);
BOOLEAN CmpIsActive(struct _CM_TRANSACTION *Transaction);
PVOID CmpTransactionObject(struct _CM_TRANSACTION *Transaction); /* KTRANSACTION */

/* ---- Services that others build on ------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtCreateKey(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG TitleIndex,
                           PUNICODE_STRING Class, ULONG Options, PULONG Disposition);
NTSTATUS NTAPI NtOpenKey(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes);
NTSTATUS NTAPI NtSetValueKey(HANDLE Handle, PUNICODE_STRING Name, ULONG TitleIndex, ULONG Type, PVOID Data,
                             ULONG Bytes);
NTSTATUS NTAPI NtQueryValueKey(HANDLE Handle, PUNICODE_STRING Name, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                               ULONG Room, PULONG Returned);
NTSTATUS NTAPI NtEnumerateKey(HANDLE Handle, ULONG Index, KEY_INFORMATION_CLASS Class, PVOID Buffer, ULONG Room,
                              PULONG Returned);
NTSTATUS NTAPI NtDeleteValueKey(HANDLE Handle, PUNICODE_STRING Name);
NTSTATUS NTAPI NtQueryValueKey(HANDLE Handle, PUNICODE_STRING Name, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                               ULONG Room, PULONG Returned);
NTSTATUS NTAPI NtEnumerateValueKey(HANDLE Handle, ULONG Index, KEY_VALUE_INFORMATION_CLASS Class, PVOID Buffer,
                                   ULONG Room, PULONG Returned);
