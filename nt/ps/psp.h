/*
 * Processes and threads as objects.
 *
 * A thread object lies at the top of its own stack's slot: the page is touched anyway, so 100,000 threads cost no
 * memory beside their stacks. The slot is given back with the object's last reference.
 */
#pragma once

/* The fields that drivers are known to reach by offset lie where Windows 10 19041 and later has them. */
typedef struct _EPROCESS {
    struct _KPROCESS Pcb;
    UCHAR Fill0[0x440 - sizeof(struct _KPROCESS)];
    HANDLE UniqueProcessId;
    LIST_ENTRY ActiveProcessLinks;
    UCHAR Fill1[0x468 - 0x458];
    LARGE_INTEGER CreateTime;
    UCHAR Fill2[0x518 - 0x470];
    PVOID SectionObject;
    PVOID SectionBaseAddress;
    UCHAR Fill3[0x540 - 0x528];
    HANDLE InheritedFromUniqueProcessId;
    UCHAR Fill4[0x550 - 0x548];
    PVOID Peb; /* user address */
    UCHAR Fill5[0x570 - 0x558];
    struct _OBP_TABLE *ObjectTable; /* NULL = the kernel's own */
    PVOID DebugPort;
    PVOID Wow64Process; /* the 32-bit PEB, user address */
    UCHAR Fill6[0x5a8 - 0x588];
    CHAR ImageFileName[16];

    /* Ours from here on. */
    NTSTATUS ExitStatus;
    LARGE_INTEGER ExitTime;
    struct _SEP_TOKEN *Token; /* NULL = not asked for yet, see SepPrimaryToken */
    struct _MI_SPACE *Space;  /* NULL = has no user memory: Idle */
    UNICODE_STRING ImagePath; /* "\Device\HarddiskVolume1\..." */
    UNICODE_STRING OpenPath;  /* "\??\C:\..." as the creator gave it */
    UNICODE_STRING CommandLine;
    PFILE_OBJECT ImageFile;
    PVOID NtdllBase;
    ULONG Sequence;  /* among the processes of this boot */
    SIZE_T Quota[2]; /* nonpaged, paged pool */
    SIZE_T QuotaPeak[2];
    IO_COUNTERS Io;   /* io/count.c */
    LONG LockedPages; /* of its memory, by MDLs */
    BOOLEAN Ending, Announced, Exited;
    PVOID LastCall;               /* that ended it, when no thread of its own made it */
    ULONG LiveThreads;            /* that have not begun to end */
    struct _ETHREAD *FirstThread; /* not referenced: an address to compare with */
    struct _EJOB *Job;            /* referenced; NULL = none */
    BOOLEAN LeftJob;              /* it has ended */
} EPROCESS;
C_ASSERT(FIELD_OFFSET(EPROCESS, UniqueProcessId) == 0x440);
C_ASSERT(FIELD_OFFSET(EPROCESS, SectionBaseAddress) == 0x520);
C_ASSERT(FIELD_OFFSET(EPROCESS, InheritedFromUniqueProcessId) == 0x540);
C_ASSERT(FIELD_OFFSET(EPROCESS, Peb) == 0x550);
C_ASSERT(FIELD_OFFSET(EPROCESS, ObjectTable) == 0x570);
C_ASSERT(FIELD_OFFSET(EPROCESS, Wow64Process) == 0x580);
C_ASSERT(FIELD_OFFSET(EPROCESS, ImageFileName) == 0x5a8);

typedef struct _ETHREAD {
    struct _KTHREAD Tcb;
    CLIENT_ID Cid;
    LARGE_INTEGER CreateTime;
    LONG ExitStatus;
    BOOLEAN Terminating, Started;
    PKSTART_ROUTINE StartRoutine;
    PVOID StartContext;
    LIST_ENTRY IrpList;   /* requests this thread has issued and that are not complete */
    LIST_ENTRY TimerList; /* timers whose routine it is to call (nt/ob/timer.c) */
    ULONG_PTR TopLevelIrp;
    SEP_IMPERSONATION Impersonation; /* Token NULL = acts as its process */
    BOOLEAN HardErrorsDisabled;
    LARGE_INTEGER ExitTime;
    /* Of a user thread: what its program wants done (user.c). */
    KEVENT Work;
    LIST_ENTRY Calls;
    NTSTATUS EndsWith;
    PVOID LastCall;                /* that ended it */
    UINT64 UserStack;              /* lowest address */
    PDEVICE_OBJECT DeviceToVerify; /* IoSetHardErrorOrVerifyDevice */
    GUID ActivityId;               /* EtwActivityIdControl's */
    LPCGUID IoActivity;            /* IoSetActivityIdThread's, before that one */
    struct _VF_CALLBACK *Start;    /* the callback that is the thread's routine */
    PVOID IoObject;                /* IoCreateSystemThread's: held */
} ETHREAD;

VOID PsInitialize(VOID);
/* A kernel thread of the System process; Driver routine or the kernel's own. Referenced once by itself and once for
 * the caller. */
NTSTATUS PspCreateSystemThread(PKSTART_ROUTINE Routine, PVOID Context, BOOLEAN OfDriver, PETHREAD *Thread);
NTSTATUS PspCreateThreadIn(PEPROCESS Process, PKSTART_ROUTINE Routine, PVOID Context, BOOLEAN OfDriver,
                           PETHREAD *Thread);
NTSTATUS PspMakeThread(PEPROCESS Process, PKSTART_ROUTINE System, PKSTART_ROUTINE Routine, PVOID Context,
                       PETHREAD *Result);
extern PEPROCESS PsInitialSystemProcess, PsIdleProcess;

/* Number of the current thread for reports: its id; 0 for an idle thread. */
ULONG PspCurrentThreadNumber(VOID);
ULONG PspThreadNumber(PKTHREAD Thread);
/* Walk all threads in order of creation; NULL = the first. NULL is returned behind the last. */
PKTHREAD PspNextThread(PKTHREAD Thread);
extern LIST_ENTRY PspProcesses;
extern POBJECT_TYPE PspThreadType, PspProcessType;

/* ---- User mode ----------------------------------------------------------------------------------------------------- */

/* The operator's side of door.user. Post: the call goes to its thread (or is answered at once); Done: it was. */
VOID PspPostCall(ULONG Index);
BOOLEAN PspCallIsDone(ULONG Index);
ULONG PspTakeDone(VOID); /* calls done since the last time */
extern KEVENT PspCallDone;
/* The machine goes down: every process ends. */
VOID PspEndProcesses(VOID);
/* The process at Process's id; referenced. NULL = none. */
PEPROCESS PspFindProcess(ULONG Id);
/* System and Idle are none. */
#define PspIsUser(Process) ((Process)->ObjectTable != NULL)
static inline PEPROCESS PspCurrentProcess(VOID)
{
    PKPROCESS Process = KeGetCurrentThread()->ApcState.Process;
    return Process ? (PEPROCESS)Process : PsIdleProcess;
}

/* Services that no public header declares. */
NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE Process, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG Protect,
                                      PULONG Old);
NTSTATUS NTAPI NtTerminateProcess(HANDLE Process, NTSTATUS ExitStatus);
NTSTATUS NTAPI NtTerminateThread(HANDLE Thread, NTSTATUS ExitStatus);
NTSTATUS NTAPI NtDelayExecution(BOOLEAN Alertable, PLARGE_INTEGER Interval);
NTSTATUS NTAPI NtYieldExecution(VOID);

NTSTATUS ExpQueryFirmwareTable(PVOID Buffer, ULONG Length, PULONG Returned); /* nt/ex/firmtable.c */
NTSTATUS PspQueryModules(PVOID Buffer, ULONG Bytes, PULONG Returned);
NTSTATUS PspQueryModulesEx(PVOID Buffer, ULONG Bytes, PULONG Returned);
/* An answer of fixed size: STATUS_INFO_LENGTH_MISMATCH for room of any other. */
NTSTATUS PspGive(PVOID Buffer, ULONG Bytes, PULONG Returned, const VOID *Answer, ULONG Size);

/* create.c */
typedef struct _PSP_LAUNCH {
    PCSTR Image, CommandLine; /* UTF-8 */
    ULONG Flags;              /* enum door_launch */
    ULONG Slot;
} PSP_LAUNCH;
/* By the current thread, for Parent. Referenced. */
NTSTATUS PspLaunch(PEPROCESS Parent, const PSP_LAUNCH *Launch, PEPROCESS *Process, PETHREAD *Thread);
NTSTATUS PspCreateUserThread(PEPROCESS Process, PETHREAD *Thread); /* not started yet; referenced */
VOID PspStartUserThread(PETHREAD Thread);
VOID PspDeleteProcess(PVOID Body);
PEPROCESS PspMakeProcess(PCSTR Name);

ULONG NTAPI PsGetCurrentProcessSessionId(VOID);

/* job.c */
VOID PspInitializeJobs(VOID);
NTSTATUS PspInheritJob(PEPROCESS Process, PEPROCESS Parent);
VOID PspLeaveJob(PEPROCESS Process);  /* it ends */
VOID PspForgetJob(PEPROCESS Process); /* it is deleted */
BOOLEAN PspMayCommit(PEPROCESS Process, UINT64 Pages);

/* exit.c */
DECLSPEC_NORETURN VOID PspExitThread(NTSTATUS Status);
VOID PspEndThread(PETHREAD Thread, NTSTATUS Status);
VOID PspEndProcess(PEPROCESS Process, NTSTATUS Status);

/* user.c: what a user thread does */
VOID NTAPI PspUserThread(PVOID Context);
VOID PspForgetCalls(PETHREAD Thread);
LPCGUID PspActivityOf(PETHREAD Thread); /* io/activity.c; NULL: none */
VOID PspAnswerLast(PVOID *LastCall);

/* notify.c */
/* The routines may refuse a new process: their status. Created FALSE: it ends. */
NTSTATUS PspNotifyProcess(PEPROCESS Process, PETHREAD Creator, BOOLEAN Created);
/* File: NULL = not known. */
VOID PspNotifyImage(PCUNICODE_STRING Name, HANDLE ProcessId, PVOID Base, SIZE_T Bytes, BOOLEAN System,
                    PFILE_OBJECT File);

/* ---- Between the files of ps ------------------------------------------------------------------------------------- */

VOID PspInitializeThreads(VOID);
HANDLE PspNewId(PVOID Object);
VOID PspForgetId(HANDLE Id);
VOID PspNotifyThread(PETHREAD Thread, BOOLEAN Created);
VOID PspNotifyNewThread(PETHREAD Thread); /* by itself, first of all; a user thread */
VOID PspReap(PKTHREAD Thread);
extern LIST_ENTRY PsLoadedModuleList;
/* Modules: what PsLoadedModuleList shows. */
PVOID PspEnterModule(struct _MI_IMAGE *Image, PCUNICODE_STRING FullName);
VOID PspRemoveModule(PVOID Module);
PUNICODE_STRING PspModulePath(PVOID Module);
#define PSP_MODULE_KNOWN 0x90 /* bytes of an entry of that list that debuggers know */
PCUNICODE_STRING PspModuleName(PLIST_ENTRY Link);
