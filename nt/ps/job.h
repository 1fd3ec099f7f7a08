/* Jobs: job.c has the objects and who is in them, jobinfo.c what is asked and set. */
#pragma once

/* Rights to a job. */
#define PSP_JOB_ASSIGN 1
#define PSP_JOB_SET 2
#define PSP_JOB_QUERY 4
#define PSP_JOB_TERMINATE 8

/* Limits (docs: JOBOBJECT_BASIC_LIMIT_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION). */
#define PSP_LIMIT_PROCESS_TIME 0x2
#define PSP_LIMIT_JOB_TIME 0x4
#define PSP_LIMIT_ACTIVE 0x8
#define PSP_LIMIT_PRESERVE_TIME 0x40
#define PSP_LIMIT_PROCESS_MEMORY 0x100
#define PSP_LIMIT_JOB_MEMORY 0x200
#define PSP_LIMIT_NO_BOX 0x400 /* no error box: nobody is there to see one */
#define PSP_LIMIT_BREAKAWAY 0x800
#define PSP_LIMIT_SILENT_BREAKAWAY 0x1000
#define PSP_LIMIT_KILL_ON_CLOSE 0x2000

/* Messages to the job's port (docs: JOBOBJECT_ASSOCIATE_COMPLETION_PORT). */
enum {
    PspJobActiveLimit = 3,
    PspJobActiveZero = 4,
    PspJobNewProcess = 6,
    PspJobExit = 7,
    PspJobAbnormalExit = 8,
    PspJobProcessMemory = 9,
    PspJobMemory = 10,
};

typedef struct _EJOB {
    KEVENT Event;         /* set by the end of its time, which never comes */
    struct _EJOB *Parent; /* referenced; NULL = none */
    ULONG Session;
    ULONG Total, Active, Terminated; /* processes, with those of jobs below */
    LONGLONG ProcessTime, JobTime;
    ULONG Limits, ActiveLimit, UiRestrictions;
    SIZE_T ProcessMemory, JobMemory, ProcessPeak, JobPeak; /* the limits in bytes; the most there was, in pages */
    IO_COUNTERS Io;                                        /* of processes that have ended */
    PVOID Port, Key;                                       /* the first is referenced; NULL = none */
} EJOB;

NTSTATUS PspReferenceJob(HANDLE Handle, ULONG Access, PEJOB *Job);
VOID PspTellJob(PEJOB Job, ULONG Message, HANDLE Process);
BOOLEAN PspIsInJob(PEPROCESS Process, PEJOB Job);
UINT64 PspJobPages(PEJOB Job); /* committed by its processes */
