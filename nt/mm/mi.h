/*
 * Memory: physical pages, kernel address space, stacks, pageable windows, images.
 *
 * Nonpaged memory is the linear view of RAM (DOOR_LINEAR_BASE + physical address). Paged pool is the pageable view
 * (DOOR_PAGED_BASE + physical address). Pageable ranges are closed (DOOR_NONE) by default; a touch below
 * DISPATCH_LEVEL opens a 64 KiB window, a raise to DISPATCH_LEVEL or above closes the open ones.
 */
#pragma once

#define MI_TAG_MDL ' ldM'

#define MI_WINDOW 0x10000ull

VOID MmInitialize(VOID);
VOID MmInitializeSections(VOID); /* needs objects */
VOID MmNamePhysicalMemory(VOID); /* needs \Device, and a thread */
extern POBJECT_TYPE MiSectionType;
NTSTATUS NTAPI MmCreateSection(PVOID *SectionObject, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                               PLARGE_INTEGER MaximumSize, ULONG Protection, ULONG AllocationAttributes,
                               HANDLE FileHandle, PFILE_OBJECT File);

/* Physically contiguous pages, zeroed. 0 = no memory. Any IRQL up to DISPATCH_LEVEL. */
UINT64 MiAllocatePages(UINT64 Count);
VOID MiFreePages(UINT64 Physical, UINT64 Count);
UINT64 MiFreePageCount(VOID);
static inline PVOID MiLinear(UINT64 Physical)
{
    return (PVOID)(DOOR_LINEAR_BASE + Physical);
}
/* Physical address behind any mapped kernel address; (UINT64)-1 if there is none. */
UINT64 MiPhysical(PVOID Address);

/* A range that is pageable: Protection is what a window gives (DOOR_READ | ...). */
VOID MiRegisterPageable(UINT64 Start, UINT64 Bytes, ULONG Protection);
VOID MiUnregisterPageable(UINT64 Start);
/* Number of windows open now; a raise to DISPATCH_LEVEL closes them when not 0. */
extern ULONG MiOpenWindows;
VOID MiCloseWindows(VOID);
/* Those of them that show user memory, and whose; a thread of another process comes to run: it must not see them. */
extern ULONG MiUserWindows;
extern PKPROCESS MiUserWindowsOf;
VOID MiCloseUserWindows(VOID);
static inline VOID MiEnterProcess(PKPROCESS Process)
{
    if (MiUserWindows && MiUserWindowsOf != Process)
        MiCloseUserWindows();
}

/*
 * User memory of the current process (that the current thread is in or attached to), for services: no fault, no window;
 * a status instead of an exception (STATUS_ACCESS_VIOLATION, STATUS_GUARD_PAGE_VIOLATION,
 * STATUS_DATATYPE_MISALIGNMENT).
 */
NTSTATUS MmReadUser(PVOID To, const VOID *User, SIZE_T Bytes);
NTSTATUS MmWriteUser(PVOID User, const VOID *From, SIZE_T Bytes);
/* The status last, and in one piece: a program may look at any time. */
NTSTATUS MmWriteUserStatus(PVOID User, const IO_STATUS_BLOCK *Iosb);
NTSTATUS MmProbeUser(const VOID *User, SIZE_T Bytes, ULONG Alignment, BOOLEAN Write);
PEPROCESS MmOtherOwner(UINT64 Address); /* of user memory; see user.c */
struct _MI_SPACE;
VOID MmWriteProcess(struct _MI_SPACE *Space, UINT64 User, const VOID *From,
                    SIZE_T Bytes); /* where it surely is writable */
VOID MmDeleteProcessMemory(PEPROCESS Process);
/* MmProbeAndLockPages with a status instead of the exception. */
NTSTATUS MmTryLockPages(PMDL Mdl, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation);

/* A page fault at any level. TRUE: the page is there now, go on. FALSE: the kernel decides (exception or bug check);
 * *What then names the memory if it is known ("paged pool", "freed pool", "guard page of ...", "PAGE section of x.sys",
 * "discarded INIT section of x.sys", "no memory"), for reports; *Stack is a stack id of its history or 0. */
BOOLEAN MmAccessFault(UINT64 Address, ULONG Error, KIRQL Irql, PCSTR *What, ULONG *Stack);
/* After FALSE: the bug check that says it best (0xD5 freed special pool, 0xD6 beyond a block, 0xCE unloaded driver,
 * 0xFC executed data), or 0. */
extern ULONG MiFaultCode;
/* And for a user address below DISPATCH_LEVEL: the exception. */
extern NTSTATUS MiFaultStatus;

/* Kernel stacks. Returns FALSE when there is no memory. */
BOOLEAN MmCreateKernelStack(UINT64 *Slot);
VOID MmDeleteKernelStack(UINT64 Slot);
#define MiStackBase(Slot) (DOOR_STACK_BASE + ((Slot) + 1) * DOOR_STACK_SLOT)

/* Images. Boot images are entered by MmInitialize. */
typedef struct _MI_IMAGE {
    LIST_ENTRY Entry;
    UINT64 Base;
    ULONG Bytes;
    ULONG MappedBytes; /* with the room for patched code */
    UINT64 Physical;
    BOOLEAN Driver; /* checked */
    BOOLEAN InitDiscarded;
    CHAR Name[64];
    struct door_image Info;
} MI_IMAGE, *PMI_IMAGE;

/* Load from the operator (FromVolume FALSE) or from a path on C:. Reports nothing; *Reason (static text) explains. */
NTSTATUS MmLoadImage(PCSTR Source, PCSTR Name, BOOLEAN FromVolume, PMI_IMAGE *Image, PCSTR *Reason);
VOID MmUnloadImage(PMI_IMAGE Image);
UINT64 MiReserveImageSpace(UINT64 Bytes); /* addresses in the image range, never given back; 0 = none left */
VOID MmDiscardInit(PMI_IMAGE Image);
PMI_IMAGE MmImageOf(UINT64 Address);             /* NULL = in none */
BOOLEAN MmVerifyCallbackFunction(PVOID Routine); /* may it be registered where Windows wants a signed image */
extern LIST_ENTRY MiImages;                      /* in load order */

/* Called by pool and stacks: is Address on the stack of Thread, or of any thread. */
static inline BOOLEAN MiIsStack(UINT64 Address)
{
    return Address >= DOOR_STACK_BASE && Address < DOOR_IMAGE_BASE;
}

/* Patched code: the original of an instruction pointer into a driver's stubs, see stub.c. */
BOOLEAN MmUnpatch(UINT64 *Rip, UINT64 *Rsp);

/* segment.c: a file's data section (SECTION_OBJECT_POINTERS.DataSectionObject, or NULL) has its pages from the file's cache
 * while there is one. */
VOID MiJoinCache(PVOID Data);     /* the file is cached from now on */
BOOLEAN MiLeaveCache(PVOID Data); /* no more; FALSE: pages of the cache are still seen */
NTSTATUS MiFlushData(PVOID Data, UINT64 Start, UINT64 End, PULONG Written);
/* What was written through views becomes dirty in the cache. */
VOID MiNoteWrites(PVOID Data, UINT64 Start, UINT64 End);
/* Pages are given up, written or not; FALSE: somebody maps them. */
BOOLEAN MiPurgeData(PVOID Data, UINT64 Start, UINT64 End);
/* A file that is not cached was written: what is mapped of it is read anew. */
VOID MiRefreshData(PVOID Data, UINT64 Start, UINT64 End);
