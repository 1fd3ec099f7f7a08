/*
 * Processes and threads as objects.
 *
 * A thread object lies at the top of its own stack's slot: the page is touched anyway, so 100,000 threads cost no
 * memory beside their stacks. The slot is given back with the object's last reference.
 */
#pragma once

typedef struct _EPROCESS {
    struct _KPROCESS Pcb;
    HANDLE UniqueProcessId;
    LIST_ENTRY ActiveProcessLinks;
    LARGE_INTEGER CreateTime;
    NTSTATUS ExitStatus;
    CHAR ImageFileName[16];
} EPROCESS;

typedef struct _ETHREAD {
    struct _KTHREAD Tcb;
    CLIENT_ID Cid;
    LARGE_INTEGER CreateTime;
    LONG ExitStatus;
    BOOLEAN Terminating, Started;
    PKSTART_ROUTINE StartRoutine;
    PVOID StartContext;
    LIST_ENTRY IrpList; /* requests this thread has issued and that are not complete */
    ULONG_PTR TopLevelIrp;
    struct _VF_CALLBACK *Start; /* the callback that is the thread's routine */
} ETHREAD;

VOID PsInitialize(VOID);
/* A kernel thread of the System process; Driver routine or the kernel's own. Referenced once by itself and once for
 * the caller. */
NTSTATUS PspCreateSystemThread(PKSTART_ROUTINE Routine, PVOID Context, BOOLEAN OfDriver, PETHREAD *Thread);
extern PEPROCESS PsInitialSystemProcess;

/* Number of the current thread for reports: its id; 0 for an idle thread. */
ULONG PspCurrentThreadNumber(VOID);
ULONG PspThreadNumber(PKTHREAD Thread);
/* Walk all threads in order of creation; NULL = the first. NULL is returned behind the last. */
PKTHREAD PspNextThread(PKTHREAD Thread);
extern PEPROCESS PsIdleProcess;
extern POBJECT_TYPE PspThreadType, PspProcessType;

/* ---- Between the files of ps ------------------------------------------------------------------------------------- */

VOID PspInitializeThreads(VOID);
HANDLE PspNewId(PVOID Object);
VOID PspForgetId(HANDLE Id);
VOID PspNotifyThread(PETHREAD Thread, BOOLEAN Created);
/* Modules: what PsLoadedModuleList shows. */
PVOID PspEnterModule(struct _MI_IMAGE *Image, PCUNICODE_STRING FullName);
VOID PspRemoveModule(PVOID Module);
