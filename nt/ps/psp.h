/*
 * Processes and threads as objects.
 */
#pragma once

struct _EPROCESS {
    struct _KPROCESS Pcb;
    HANDLE UniqueProcessId;
    LIST_ENTRY ActiveProcessLinks;
    LARGE_INTEGER CreateTime;
    CHAR ImageFileName[16];
};

struct _ETHREAD {
    struct _KTHREAD Tcb;
    CLIENT_ID Cid;
    LARGE_INTEGER CreateTime;
    LONG ExitStatus;
    BOOLEAN Terminating;
};

VOID PsInitialize(VOID);
/* A kernel thread of the System process; Driver routine or the kernel's own. Referenced once by itself. */
NTSTATUS PspCreateSystemThread(PKSTART_ROUTINE Routine, PVOID Context, BOOLEAN OfDriver, PETHREAD *Thread);
extern PEPROCESS PsInitialSystemProcess;

/* Number of the current thread for reports: its id; 0 for an idle thread. */
ULONG PspCurrentThreadNumber(VOID);
/* Walk all threads in order of creation; NULL = the first. NULL is returned behind the last. */
PKTHREAD PspNextThread(PKTHREAD Thread);
