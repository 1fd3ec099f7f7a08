/*
 * The door between the two worlds.
 *
 * host/ is an ELF program: the hardware and the operator. nt/ is the kernel: PE images. This is the only header both
 * include, so what is not said here one side cannot know of the other. Fixed-width types only; no pointer of the host
 * ever lies in the machine's memory except this table's own.
 *
 * Downward calls (struct door) are made by the kernel on whatever kernel stack it is on, by the System V convention.
 * Upward entries (struct door_up) are filled in by the kernel's entry point, KiSystemStartup(struct door *).
 *
 * A call that can fail returns an enum door_error. Nothing here blocks except operator_next, file and record (which
 * waits for the supervisor when the record is full); the machine's virtual time stands still meanwhile.
 */
#pragma once

#include <stdint.h>

#define DOOR_VERSION 6
#define DOOR_CALL __attribute__((sysv_abi))

/*
 * The map of the machine's address space: the same in every run. Everything of the host (program, libraries, stacks)
 * lies above DOOR_KERNEL_END.
 */
#define DOOR_PAGE 0x1000ull
#define DOOR_USER_BASE 0x0000000000010000ull
#define DOOR_USER_END 0x00000fffffff0000ull    /* MmUserProbeAddress */
#define DOOR_KERNEL_BASE 0x0000100000000000ull /* MmSystemRangeStart */
#define DOOR_LINEAR_BASE 0x0000100000000000ull /* all RAM, one to one: nonpaged memory */
#define DOOR_PAGED_BASE 0x0000140000000000ull  /* all RAM again: pageable view, closed by default */
#define DOOR_STACK_BASE 0x0000180000000000ull  /* kernel stacks, one slot each */
#define DOOR_IMAGE_BASE 0x00001a0000000000ull  /* kernel modules, drivers, thunks: 2 GiB, so that rel32 reaches */
#define DOOR_IMAGE_END 0x00001a0080000000ull
#define DOOR_MAPPING_BASE 0x00001c0000000000ull   /* MDL and device mappings */
#define DOOR_PROCESSOR_BASE 0x00001e0000000000ull /* one processor area each */
#define DOOR_SHARED_DATA 0x00001e8000000000ull    /* the page drivers know as 0xFFFFF78000000000 */
#define DOOR_KERNEL_END 0x0000200000000000ull

#define DOOR_PROCESSORS 64
#define DOOR_PROCESSOR_BYTES 0x4000ull
#define DOOR_STACK_SLOT 0x10000ull     /* address space of one stack */
#define DOOR_STACK_USABLE 0x6000ull    /* 24 KiB, what Windows gives; the rest of the slot is guarded */
#define DOOR_STACK_PA 0x10000000000ull /* physical address of stack slot 0: stacks lie above RAM in the RAM file */
#define DOOR_DEVICE_PA 0xf000000000ull /* physical addresses of device memory; above any RAM */
#define DOOR_DEVICE_BYTES 0x1000000ull
#define DOOR_SHARE_PA                                                                                                  \
    0x30000000000ull /* memory shared with programs of the host: a file for each, in slots; see door.share */
#define DOOR_SHARE_BYTES 0x40000000ull /* of one of them */
#define DOOR_SHARES 256

/* Fields of a processor area (GS base) that the host, patched driver code and thunks reach. */
#define DOOR_PCR_IRQL 0x50             /* u8: current IRQL */
#define DOOR_PCR_INTERRUPT_FLAG 0x1000 /* u32: 1 = interrupts enabled (RFLAGS.IF) */
#define DOOR_PCR_BUDGET 0x1004         /* u32: calls left until the next delivery point is taken */
#define DOOR_PCR_POINTS 0x1008         /* u64: delivery points taken; the watchdog's sign of life */

enum door_error {
    DOOR_OK,
    DOOR_NOT_FOUND,
    DOOR_EXISTS,
    DOOR_IS_DIRECTORY,
    DOOR_NOT_DIRECTORY,
    DOOR_NOT_EMPTY,
    DOOR_DENIED,
    DOOR_NO_SPACE,
    DOOR_NO_MEMORY,
    DOOR_BAD_NAME,
    DOOR_BAD_IMAGE,
    DOOR_IO,
    DOOR_END, /* of file or directory */
};

enum door_protection { DOOR_NONE = 0, DOOR_READ = 1, DOOR_WRITE = 2, DOOR_EXECUTE = 4 };

/* ---- Traps: what the processor tells the kernel ---------------------------------------------------------------- */

/* Hardware vectors keep their numbers; those from 0x100 on are instructions that need the kernel. */
enum door_vector {
    DOOR_TRAP_DIVIDE = 0,
    DOOR_TRAP_DEBUG = 1,
    DOOR_TRAP_BREAKPOINT = 3, /* Rip at the int3 */
    DOOR_TRAP_OVERFLOW = 4,
    DOOR_TRAP_INVALID_OPCODE = 6,
    DOOR_TRAP_STACK_OVERFLOW = 8, /* as Windows has it: a double fault on the guard page */
    DOOR_TRAP_PROTECTION = 13,    /* privileged instruction not emulated, or non-canonical address */
    DOOR_TRAP_PAGE_FAULT = 14,    /* error: bit 0 present, 1 write, 4 execute; address: the linear address */
    DOOR_TRAP_FLOAT = 16,
    DOOR_TRAP_ALIGNMENT = 17,
    DOOR_TRAP_SIMD = 19,
    DOOR_TRAP_FAST_FAIL = 0x29,
    DOOR_TRAP_ASSERT = 0x2c,
    DOOR_TRAP_DEBUG_SERVICE = 0x2d,
    DOOR_TRAP_WRITE_CR8 = 0x100, /* address: the new value; Rip behind the instruction, as for those below */
    DOOR_TRAP_ENABLE_INTERRUPTS = 0x101,
    DOOR_TRAP_HALT = 0x102,
    DOOR_TRAP_PAUSE = 0x103,
    DOOR_TRAP_SYSTEM_CALL = 0x104, /* raw syscall, sysenter or int 80h; Rip at the instruction */
    DOOR_TRAP_WATCHDOG = 0x105,    /* this code has not reached a delivery point for too long */
    DOOR_TRAP_DEVICE = 0x106,      /* after an access to a device: look at device_due and the time */
};

/*
 * Built by the host on the interrupted stack (below its red zone), then control goes to door_up.trap with RCX pointing
 * here, RSP 16-byte aligned minus 8. context is Windows' CONTEXT (0x4D0 bytes) with control, integer, segment and
 * floating point parts filled. xstate is the processor's XSAVE image, for what CONTEXT does not hold.
 */
struct door_trap {
    uint32_t vector;
    uint32_t error;
    uint64_t address;
    uint64_t xstate; /* address, 64-byte aligned */
    uint64_t xstate_mask;
    uint8_t context[0x4d0] __attribute__((aligned(16)));
};

/* ---- Images ---------------------------------------------------------------------------------------------------- */

#define DOOR_IMAGE_SECTIONS 96 /* Windows' limit */

struct door_section {
    char name[9];
    uint32_t rva, bytes;      /* bytes: virtual size rounded up to pages */
    uint32_t characteristics; /* IMAGE_SCN_* */
};

struct door_image {
    uint32_t status;  /* NTSTATUS that Windows gives for this file; 0 = loadable */
    char reason[160]; /* one sentence when status is not 0 */
    uint64_t preferred_base;
    uint32_t bytes;       /* SizeOfImage */
    uint32_t extra_bytes; /* room wanted behind the image for patched code */
    uint32_t entry;       /* rva, 0 = none */
    uint32_t check_sum, time_stamp;
    uint32_t dll_characteristics;  /* IMAGE_DLLCHARACTERISTICS_* */
    uint32_t unwind, unwind_bytes; /* .pdata, rva */
    uint32_t section_count;
    struct door_section section[DOOR_IMAGE_SECTIONS];
};

/*
 * Patched code. When an image was mapped with extra_bytes, a struct door_stubs lies at its base + bytes, and the code
 * that was moved out of the image behind it. To unwind from an address in [base + bytes, base + bytes + extra_bytes):
 * take the last entry whose rva is not above it, use `original` in place of the address for every look-up (function,
 * offset in the prologue, line), and add `pushed` to RSP first. The code bytes at `original` have been overwritten: do
 * not decode them in search of an epilogue. Nor is a jmp from the image into that range an epilogue's tail jump.
 */
struct door_stub {
    uint32_t rva; /* of an instruction of moved code */
    uint32_t
        original;    /* rva of the instruction it stands for, or of the one behind that when it has been carried out */
    uint32_t pushed; /* bytes by which RSP is lower here than it was in the original */
};

struct door_stubs {
    uint32_t count;
    uint32_t first;     /* rva of the entries: ascending struct door_stub */
    uint64_t target[4]; /* what moved code calls: write_cr8, enable_interrupts, pause, access */
};

/*
 * An access to memory as a delivery point: what lies behind the call of door_up.access, which returns behind it. RCX holds
 * the address, the original RCX was pushed before the call.
 */
enum door_access_flags {
    DOOR_ACCESS_READ = 1,
    DOOR_ACCESS_WRITE = 2,
    DOOR_ACCESS_ATOMIC = 4,    /* locked */
    DOOR_ACCESS_UPDATE = 8,    /* a store of what was made from this place's former value, loaded shortly before */
    DOOR_ACCESS_REPEATED = 16, /* original RCX times */
};

enum { DOOR_VALUE_CONSTANT = 16, DOOR_VALUE_UNKNOWN = 255 };

struct door_access {
    uint8_t bytes, flags;
    uint8_t value; /* what a store writes: a register by its number, or enum above */
    uint8_t reserved;
    int32_t constant;
};

/* One import being bound; the kernel decides what the importer's table shall hold. */
struct door_import {
    uint64_t importer;  /* base address of the importing image */
    const char *module; /* as the importer names it, e.g. "ntoskrnl.exe" */
    const char *name;   /* NULL when imported by ordinal */
    uint32_t ordinal;
    uint64_t exporter; /* base address of the image that has it, after forwarders; 0 = does not exist here */
    uint64_t target;   /* its address; 0 = does not exist here */
};

/* ---- Files of volumes ------------------------------------------------------------------------------------------ */

enum door_file_op {
    DOOR_FILE_OPEN, /* path, flags, stat's attributes for what is made, 0 = the usual ones -> handle, stat */
    DOOR_FILE_CLOSE,
    DOOR_FILE_READ, /* handle, offset, buffer, bytes -> bytes */
    DOOR_FILE_WRITE,
    DOOR_FILE_STAT,     /* handle -> stat */
    DOOR_FILE_SET_SIZE, /* handle, offset = the new size */
    DOOR_FILE_REMOVE,   /* handle: unlink the file or empty directory it names; flags: READ_ONLY_TOO */
    DOOR_FILE_RENAME,   /* handle, path = the new name, flags: REPLACE */
    DOOR_FILE_LIST,     /* handle, path, buffer, bytes -> struct door_entry in name order, bytes; DOOR_END. From the
                           first name behind path; path empty: from the first; flags ONLY: the one of this name */
    DOOR_FILE_FLUSH,
    DOOR_FILE_VOLUME,   /* -> stat.size = total bytes, stat.allocated = free bytes */
    DOOR_FILE_SET_STAT, /* handle, stat: its times and attributes, those that are not 0 */
    DOOR_FILE_EMPTY, /* handle of a directory: could it be removed, or is there something, seen by the machine or not */
    DOOR_FILE_LINK,  /* handle, path = one more name, flags: REPLACE */
};

enum door_file_flags {
    DOOR_FILE_CREATE = 1,    /* make it when missing */
    DOOR_FILE_EXCLUSIVE = 2, /* fail when present */
    DOOR_FILE_TRUNCATE = 4,
    DOOR_FILE_DIRECTORY = 8, /* with CREATE: make a directory; else: must be one */
    DOOR_FILE_WRITABLE = 16,
    DOOR_FILE_REPLACE = 32,
    DOOR_FILE_KEEP_TIMES = 64, /* WRITE: the file's times stay as they are */
    DOOR_FILE_ONLY = 128,
    DOOR_FILE_READ_ONLY_TOO = 256,
};

struct door_stat {
    uint64_t size, allocated;
    uint64_t created, accessed, written, changed; /* 100 ns since 1601, virtual for files the machine wrote */
    uint64_t id;
    uint32_t directory, read_only;
    uint32_t
        attributes; /* FILE_ATTRIBUTE_ archive, hidden, system, temporary, not content indexed; as set, for this run */
    uint32_t links;
};

/* One of a directory's entries; `bytes` further comes the next. */
struct door_entry {
    struct door_stat stat;
    uint32_t bytes, reserved;
    char name[]; /* UTF-8, ends with zero */
};

/* Paths: UTF-8, '/' between components, no leading '/', relative to the volume; letter case does not count. */
struct door_file {
    uint32_t op, flags;
    uint32_t volume;  /* 0 = C: */
    uint32_t created; /* out, OPEN: 1 = it was made now */
    uint64_t handle;
    uint64_t offset;
    uint64_t bytes;
    void *buffer;
    struct door_stat stat;
    char path[1024];
};

/* ---- Schedules -------------------------------------------------------------------------------------------------- */

/*
 * At a delivery point the kernel lists what could happen next: 0 = go on, then the other processors, the next thread, the
 * next timer. A strategy picks. Points at which there was more than one possibility are counted from the moment the schedule
 * began; a schedule is fully told by the picks other than 0.
 */
enum door_strategy {
    DOOR_IN_ORDER, /* go on; the next processor after each thousandth call */
    DOOR_PLAN,     /* the picks of `plan`, else go on: search and replay */
    DOOR_RANDOM,   /* one of the possibilities, at every eighth point or so */
    DOOR_PCT,      /* random priorities of flows, lowered at depth - 1 random points */
};

#define DOOR_PLAN_PICKS 8192
#define DOOR_MADE_PICKS 8192
#define DOOR_POINTS 65536

struct door_pick {
    uint32_t point;
    uint16_t pick;
    uint16_t possible; /* how many there were (made); unused in a plan */
};

/* In memory both sides see. The host fills the first part before DOOR_COMMAND_SCHEDULE. */
struct door_schedule {
    uint32_t strategy;
    uint32_t every; /* calls of a driver into the kernel from one delivery point to the next */
    uint64_t seed;
    uint32_t depth;   /* PCT */
    uint32_t length;  /* PCT: points to expect */
    uint32_t stop_at; /* point at which the kernel tells what could happen (DOOR_EVENT_NOTE); 0 = none, 1 = the first */
    uint32_t debugger; /* and then executes a breakpoint */
    uint32_t plan_picks;
    struct door_pick plan[DOOR_PLAN_PICKS]; /* ascending by point */

    uint32_t points; /* met so far */
    uint32_t made_picks;
    uint32_t flows; /* PCT: threads, DPCs and so on told apart so far */
    uint32_t unmet; /* replay: a pick of the plan was not possible where it should have been */
    struct door_pick made[DOOR_MADE_PICKS];
    uint8_t possible[DOOR_POINTS]; /* of each point */
};

/* ---- The operator ---------------------------------------------------------------------------------------------- */

/* A thread of the System process asks for the next command, carries it out, and says how it went. */
enum door_command_code {
    DOOR_COMMAND_LOAD = 1,           /* text: file name of the image, e.g. "stuck.sys"; reply value: base address */
    DOOR_COMMAND_UNLOAD = 2,         /* text: the same name; "" = every driver still loaded, last loaded first */
    DOOR_COMMAND_ADVANCE = 3,        /* value: let this much virtual time pass, in 100 ns */
    DOOR_COMMAND_END = 4,            /* stop the machine cleanly */
    DOOR_COMMAND_SCHEDULE = 5,       /* begin the schedule that door.schedule tells */
    DOOR_COMMAND_NMI = 6,            /* value: processor; a non-maskable interrupt */
    DOOR_COMMAND_MACHINE_CHECK = 7,  /* value: processor; an error that cannot be corrected */
    DOOR_COMMAND_PROFILE_TICK = 8,   /* value: processor; its performance counters overflow */
    DOOR_COMMAND_POWER = 9,          /* value: 0 = the mains fail, 1 = they are back */
    DOOR_COMMAND_ADD_PROCESSOR = 10, /* one more starts; reply value: how many there are */
    DOOR_COMMAND_CALL = 11, /* value: index of a call in door.user; go on until it is done, or until `limit` has passed
                                (STATUS_TIMEOUT: it is posted and goes on whenever the machine does) */
    DOOR_COMMAND_POST = 12, /* value: the same; it is posted, nothing runs yet */
    DOOR_COMMAND_SERVE =
        13, /* value: virtual time that may pass, 0 = none: run what can run now. Ends as soon as a posted
                                call is done. Reply value: the calls done since the command before */
    DOOR_COMMAND_TIME = 14,     /* value: the new system time, in 100 ns since 1601; reply value: the one before */
    DOOR_COMMAND_REGISTRY = 48, /* text: a part of a stream of struct door_registry; value: its bytes, with the last one
                                   DOOR_REGISTRY_LAST: carry it out. Reply value: bytes of the answer, a stream too */
    DOOR_COMMAND_REGISTRY_ANSWER = 49, /* value: from which byte on; reply: text, value: bytes there */
    DOOR_COMMAND_TEST = 40, /* text: "driver.sys!Routine", an exported routine to be called; status: what it returned */
    DOOR_COMMAND_DEVICE = 64, /* value: enum door_device; text: a device */
    DOOR_COMMAND_SYSTEM_POWER =
        65, /* value: the system state to go to (2 = S1 ... 5 = hibernation), and back; 6: off */
    DOOR_COMMAND_POWER_SETTING = 66, /* text: a setting's name or GUID; value: its value */
    DOOR_COMMAND_SESSION =
        67, /* text: "create", "connect", "logon", "logoff", "disconnect" or "terminate"; value: which */
};

/* Named by its instance path, the beginning of one, or a hardware id. */
enum door_device {
    DOOR_DEVICE_BIND,     /* text: "ID[=DRIVER][,upper=DRIVER][,lower=DRIVER]"; a root device comes with its driver */
    DOOR_DEVICE_ARRIVES,  /* the same, at once; or a device that was removed and is still there */
    DOOR_DEVICE_REMOVE,   /* asks first */
    DOOR_DEVICE_SURPRISE, /* it is pulled out */
    DOOR_DEVICE_EJECT,
    DOOR_DEVICE_REBALANCE, /* stopped and started */
    DOOR_DEVICE_PAGING,    /* a paging file is put on it */
    DOOR_DEVICE_NO_PAGING,
    DOOR_DEVICE_PROFILE, /* no device: the hardware profile changes */
};

struct door_command {
    uint32_t code;
    uint32_t status; /* reply: NTSTATUS */
    uint64_t value;  /* argument, reply */
    uint64_t limit;  /* virtual time the command may take, in 100 ns, 0 = any */
    char text[512];
};

/* ---- The registry ----------------------------------------------------------------------------------------------- */

#define DOOR_REGISTRY_LAST 0x10000

enum door_registry_op {
    DOOR_REGISTRY_CREATE = 1, /* a key with all above it; in an answer: the key */
    DOOR_REGISTRY_SET,        /* a value; in an answer: the value */
    DOOR_REGISTRY_DELETE_VALUE,
    DOOR_REGISTRY_DELETE_KEY, /* with all below it */
    DOOR_REGISTRY_GET,        /* a value -> SET */
    DOOR_REGISTRY_LIST,       /* a key's subkeys and values -> CREATE and SET, without paths */
    DOOR_REGISTRY_EXPORT,     /* a key and all below it that is not volatile -> CREATE and SET, with paths */
    DOOR_REGISTRY_LOAD,       /* data: a hive file, which goes over the key */
    DOOR_REGISTRY_SAVE,       /* a key -> a hive file's bytes, no records */
    DOOR_REGISTRY_COUNTERS,   /* key: a performance counter set; name: a pattern of instances; type: 1 = with values ->
                                 CREATE for an instance (its id is the type), SET for each of its counters */
};

/* Behind it: key and name in UTF-16, data; then padding to a multiple of 8. Keys are below \REGISTRY ("MACHINE\SYSTEM"). */
struct door_registry {
    uint16_t op, key_bytes, name_bytes, reserved;
    uint32_t type, data_bytes;
};

/* ---- User mode ------------------------------------------------------------------------------------------------- */

/*
 * A user process has memory, handles and threads in the machine; what its program does is decided outside. So a thread in
 * user mode waits for a call: it makes the program's accesses to its own memory (copies before), enters the kernel by a
 * system service, and makes the accesses to the results (copies after). See docs/user-mode.md.
 */
/* clang-format off */
#define DOOR_SERVICES(X)                                                                                              \
    X(Close) X(CreateFile) X(OpenFile) X(ReadFile) X(WriteFile) X(DeviceIoControlFile) X(FsControlFile)               \
    X(CancelIoFile) X(CancelIoFileEx) X(FlushBuffersFile) X(QueryInformationFile) X(SetInformationFile)               \
    X(QueryVolumeInformationFile) X(QueryFullAttributesFile) X(QueryDirectoryFile) X(DeleteFile) X(CreateEvent)       \
    X(OpenEvent) X(SetEvent) X(ResetEvent) X(ClearEvent) X(PulseEvent) X(CreateTimer) X(SetTimer) X(CancelTimer)      \
    X(WaitForSingleObject) X(WaitForMultipleObjects) X(DelayExecution) X(TestAlert) X(DuplicateObject) X(QueryObject) \
    X(CreateIoCompletion) X(SetIoCompletion) X(RemoveIoCompletion) X(AllocateVirtualMemory) X(FreeVirtualMemory)      \
    X(ProtectVirtualMemory) X(QueryVirtualMemory) X(FlushVirtualMemory) X(CreateSection) X(OpenSection)               \
    X(MapViewOfSection) X(UnmapViewOfSection) X(QuerySection) X(OpenProcess) X(OpenThread) X(TerminateProcess)        \
    X(TerminateThread) X(QueryInformationProcess) X(QueryInformationThread) X(SetInformationProcess)                  \
    X(SetInformationThread) X(QuerySystemInformation) X(CreateKey) X(OpenKey) X(OpenKeyEx) X(DeleteKey) X(RenameKey)  \
    X(FlushKey) X(SetValueKey) X(DeleteValueKey) X(QueryValueKey) X(EnumerateValueKey) X(QueryKey) X(EnumerateKey)    \
    X(SetInformationKey) X(NotifyChangeKey) X(SaveKey) X(SaveKeyEx) X(RestoreKey) X(LoadKey) X(LoadKey2) X(UnloadKey) \
    X(UnloadKey2) X(UnloadKeyEx) X(ReplaceKey) X(QuerySecurityObject) X(SetSecurityObject) X(OpenProcessToken)        \
    X(AdjustPrivilegesToken) X(QuerySystemTime) X(SetSystemTime) X(OpenThreadToken) X(DuplicateToken)                 \
    X(QueryInformationToken) X(SetInformationToken) X(CreateJobObject) X(OpenJobObject) X(AssignProcessToJobObject)  \
    X(TerminateJobObject) X(IsProcessInJob) X(QueryInformationJobObject) X(SetInformationJobObject)                                                                   \
    X(YieldExecution)
/* clang-format on */

enum door_service {
#define DOOR_SERVICE_NUMBER(Name) DOOR_SERVICE_##Name,
    DOOR_SERVICES(DOOR_SERVICE_NUMBER)
#undef DOOR_SERVICE_NUMBER
        DOOR_SERVICE_COUNT
};

enum door_call_kind {
    DOOR_CALL_LAUNCH = 1, /* process: the creator, 4 = System. data: image path and command line, each with its zero;
                             argument[0]: enum door_launch, argument[1]: the slot of its shared memory. value: the new process's id,
                             argument[0]: its first thread's, argument[1]: the lowest address of that thread's stack, DOOR_USER_STACK
                             bytes the program may use as it likes; argument[2]: where its shared memory begins, argument[3]: bytes */
    DOOR_CALL_THREAD,     /* one more thread; value and argument[0]: its id; argument[1]: its stack */
    DOOR_CALL_SERVICE,    /* service with its arguments as user mode passes them; value: what it returned */
    DOOR_CALL_COPY,       /* only the copies */
    DOOR_CALL_RAISE,      /* an exception that nobody handles: argument[0] = its code. The process ends */
};

#define DOOR_USER_STACK 0x100000ull

enum door_launch {
    DOOR_LAUNCH_WOW64 = 1,
    DOOR_LAUNCH_SHARED = 2, /* its private memory lies in a slot, at the same distance from the beginning */
};

enum door_call_state { DOOR_CALL_FREE, DOOR_CALL_POSTED, DOOR_CALL_DONE };

/* The program's access to its memory. One that faults ends the call there with STATUS_ACCESS_VIOLATION. */
enum door_copy_when { DOOR_COPY_IN = 1, DOOR_COPY_OUT = 2, DOOR_COPY_OUT_ON_SUCCESS = 3 };

struct door_copy {
    uint64_t address; /* in the process */
    uint32_t offset;  /* in the call's data */
    uint32_t bytes;
    uint32_t when;
    uint32_t reserved;
};

/* An asynchronous procedure call that user mode would run now. */
struct door_apc {
    uint64_t routine, argument[3];
};

#define DOOR_CALLS 256  /* the supervisor's */
#define DOOR_GUESTS 256 /* and one for each connection of a program of the host, behind them */
#define DOOR_CALL_ARGUMENTS 12
#define DOOR_CALL_COPIES 12
#define DOOR_CALL_APCS 8
#define DOOR_USER_DATA (16ull << 20)

struct door_call {
    uint32_t state; /* the host posts, the kernel says when it is done */
    uint32_t kind;
    uint32_t process, thread; /* ids; thread 0 = the process's first */
    uint32_t service;
    uint32_t status; /* reply: NTSTATUS */
    uint64_t argument[DOOR_CALL_ARGUMENTS];
    uint64_t value;
    uint64_t data, bytes; /* the call's part of door_user.data; the other side may write to it at any time */
    uint32_t copies, apcs;
    struct door_copy copy[DOOR_CALL_COPIES];
    struct door_apc apc[DOOR_CALL_APCS]; /* reply */
};

/* In memory both sides see. */
struct door_user {
    struct door_call call[DOOR_CALLS + DOOR_GUESTS];
    uint8_t data[DOOR_USER_DATA];
};

/* ---- The event record ------------------------------------------------------------------------------------------ */

enum door_event_type {
    DOOR_EVENT_PRINT = 1, /* payload: text, UTF-8, without terminator; may hold or lack its newline */
    DOOR_EVENT_IMAGE,     /* struct door_event_image */
    DOOR_EVENT_UNIMAGE,   /* struct door_event_image */
    DOOR_EVENT_FINDING,   /* struct door_finding */
    DOOR_EVENT_STOP,      /* struct door_finding's code and parameters: the blue screen; last event of a machine */
    DOOR_EVENT_NOTE,      /* text: a remark of the kernel to the user (e.g. "stuck.sys: no unload routine") */
    DOOR_EVENT_MISSING,   /* text "module!name": something that does not exist here was called (exit status 3) */
    DOOR_EVENT_IGNORED,   /* struct door_finding: what a free build does not look at */
    DOOR_EVENT_WMI = 64,  /* struct door_event_wmi */
    DOOR_EVENT_ETW = 32,  /* struct door_event_etw and the event's data */
    DOOR_EVENT_IO = 33,   /* struct door_event_io */
};

enum door_etw_kind { DOOR_ETW_EVENT = 1, DOOR_ETW_MESSAGE /* WPP: provider and id alone */ };

/* GUIDs as they lie in the machine's memory. */
struct door_event_etw {
    uint8_t kind, version, channel, level;
    uint8_t opcode, reserved[3];
    uint16_t id, task;
    uint32_t bytes; /* of the data behind this structure */
    uint64_t keyword;
    uint8_t provider[16], activity[16], related[16];
};

enum door_io {
    DOOR_IO_SENT = 1,  /* to a device: function, parameters, whose request it is */
    DOOR_IO_RETURNED,  /* the device's dispatch routine: status */
    DOOR_IO_COMPLETED, /* IoCompleteRequest, by the driver of the location where it stood: status and information */
    DOOR_IO_ROUTINE,   /* a completion routine is called */
    DOOR_IO_KEPT,      /* it returned STATUS_MORE_PROCESSING_REQUIRED */
    DOOR_IO_BACK,      /* the result is with the issuer; process 0: whose thread is gone */
};

/* A step of a request. Fields that do not belong to what are 0. */
struct door_event_io {
    uint32_t what;                             /* enum door_io */
    uint32_t irp;                              /* its number: requests are numbered as they are first sent */
    uint8_t major, minor, location, locations; /* location: 1 = the top one */
    uint32_t status;
    uint64_t information;
    uint64_t routine;             /* address of the completion routine */
    uint32_t code, input, output; /* control code, bytes */
    uint32_t process;             /* 0 = no thread's request */
    char driver[64], device[128]; /* "echo.sys", "\Device\Echo" or "" */
};

struct door_event {
    uint32_t bytes;   /* of this header and the payload, a multiple of 8 */
    uint32_t payload; /* exact bytes of the payload */
    uint16_t type;
    uint8_t processor;
    uint8_t irql;
    uint32_t thread; /* id, 0 = none */
    uint64_t time;   /* 100 ns since boot */
};

struct door_event_image {
    uint64_t base;
    uint32_t bytes;
    uint32_t driver; /* 1 = a checked driver, 0 = a module of the kernel */
    char name[64];   /* "stuck.sys" */
};

enum door_wmi { DOOR_WMI_REGISTERED = 1, DOOR_WMI_UNREGISTERED, DOOR_WMI_EVENT };

struct door_event_wmi {
    uint32_t what;     /* enum door_wmi */
    uint32_t provider; /* a device's number */
    uint32_t count;    /* of instances */
    uint32_t bytes;    /* of the event's data; the first of them are here: */
    uint8_t guid[16];
    uint8_t data[64];
};

#define DOOR_FRAMES 12
#define DOOR_NOTES 6

enum door_note_kind {
    DOOR_NOTE_CALLER = 1, /* the stack that did it; frame[0] is the place of the finding */
    DOOR_NOTE_LEVEL,      /* how the level came about */
    DOOR_NOTE_OBJECT,     /* an object's history: initialised, queued, allocated, freed at */
    DOOR_NOTE_OTHER,      /* the other party: holder of a lock, other thread */
};

/*
 * One explaining part of a finding: a sentence, then the frames (return addresses, innermost first; driver and kernel),
 * then what the outermost frame was called by. In text and origin "%o" stands for the object's name, which the reader
 * makes from its address (a symbol, or module+offset).
 */
struct door_note {
    uint32_t kind;
    uint32_t frames;
    uint64_t frame[DOOR_FRAMES];
    uint64_t object;
    char text[160];   /* "The timer was set at:" */
    char origin[128]; /* "DPC of timer %o" */
};

struct door_finding {
    char rule[40];    /* "irql.call-too-high" */
    char subject[64]; /* the routine or object kind it is about: "ZwCreateFile" */
    char text[192];   /* the verdict: "ZwCreateFile called at DISPATCH_LEVEL" */
    uint32_t code;    /* bug check */
    uint32_t notes;
    uint64_t parameter[4];
    struct door_note note[DOOR_NOTES];
};

/* ---- Devices --------------------------------------------------------------------------------------------------- */

#define DOOR_LINES 24

/* What has become of interrupts since the last call. A message: vector, destination processor << 8. */
struct door_interrupts {
    uint32_t lines; /* bit n: line n is asserted now */
    uint32_t rose;  /* bit n: line n was asserted anew */
    uint32_t messages;
    uint32_t message[16];
};

/* ---- Both tables ----------------------------------------------------------------------------------------------- */

/* WRECKED, by the host's side alone: memory that only the machine itself writes is damaged. */
enum door_halt { DOOR_HALT_CLEAN, DOOR_HALT_STOP, DOOR_HALT_INTERNAL, DOOR_HALT_WRECKED };

enum door_races { DOOR_RACES_NONE, DOOR_RACES_HARMFUL, DOOR_RACES_ALL };

/* A function, a variable or any stretch of a driver's image that races are not reported of. */
#define DOOR_BENIGN 32
struct door_benign {
    char image[64];
    uint32_t low, high; /* offsets in the image; high is the first one behind */
};

/* Kernel -> host. */
struct door {
    uint32_t version, bytes;

    /* The machine as built, constant. Physical memory below ram_used is taken: page 0 is unused,
     * the boot images follow one behind the other. */
    uint32_t processors;
    uint32_t stop_on_finding;
    uint32_t free_build;      /* 1 = what a free build of Windows has no check for is ignored */
    uint32_t special_pool;    /* 1 = guard pages around blocks (the default), 0 = red zones only */
    uint32_t points;          /* 1 = accesses of drivers to memory are delivery points */
    uint32_t races;           /* what of them is reported: enum door_races */
    uint32_t trace_level;     /* events of providers up to this level are recorded; 0 = providers are not enabled */
    uint32_t trace_io;        /* 1 = each step of a request is recorded */
    uint32_t force_integrity; /* 1 = some callbacks are taken only from images linked with /INTEGRITYCHECK */
    uint32_t shares;          /* 1 = processes may share memory with programs of the host */
    uint32_t dry_run;         /* 1 = checked calls are checked, then not made: the contract tests */
    uint32_t os_major, os_minor, os_build;
    uint32_t xstate_bytes; /* XSAVE area this processor needs */
    uint64_t xstate_mask;
    uint64_t ram_bytes, ram_used;
    uint64_t seed;
    uint64_t boot_time;   /* 100 ns since 1601, a constant of the machine, not the host's clock */
    uint64_t image_next;  /* first free address in the image range */
    uint32_t fsgsbase;    /* 1 = wrgsbase may be used in place of processor_select */
    uint32_t image_count; /* the boot images, in load order */
    struct door_event_image image[4];

#define DOOR_CYCLES 300 /* of the processor's time stamp counter in 100 ns: 3 GHz */
    /* Virtual time, 100 ns since boot. The kernel advances it; the host reads it for rdtsc and adds a tick a read. */
    volatile uint64_t now;
    /* The time at which device_run must be called; -1 = never. The host sets it whenever it changes. */
    volatile uint64_t device_due;

    /* Memory. Addresses and sizes are page multiples inside the kernel or user range. Device memory can be mapped too; each
     * access to it then reaches the device. */
    int(DOOR_CALL *map)(uint64_t va, uint64_t pa, uint64_t bytes, uint32_t protection);
    int(DOOR_CALL *unmap)(uint64_t va, uint64_t bytes);
    int(DOOR_CALL *protect)(uint64_t va, uint64_t bytes, uint32_t protection);
    int(DOOR_CALL *discard)(uint64_t pa, uint64_t bytes); /* contents become zero, memory goes back to the host */
    /* A slot's memory shows in the linear view from now on (the supervisor has handed its file over), or no more. */
    int(DOOR_CALL *share)(uint32_t slot, uint32_t on);
    /* Map `count` stack slots from `slot` on and close everything but the top DOOR_STACK_USABLE of each. */
    int(DOOR_CALL *stacks)(uint64_t slot, uint64_t count);

    void(DOOR_CALL *processor_select)(uint64_t area); /* GS base */

    /* Images. source: file name as given to LOAD, or a path on volume 0. The id is small and positive. */
    int(DOOR_CALL *image_open)(const char *source, uint32_t from_volume, uint32_t *id, struct door_image *image);
    /* Fill [va, va + bytes + extra_bytes), which the kernel has mapped read-write: copy, relocate, bind (calling
     * door_up.bind), patch, set section protections. */
    int(DOOR_CALL *image_map)(uint32_t id, uint64_t va, const char *name, struct door_image *image);
    int(DOOR_CALL *image_forget)(uint64_t va);                        /* no more exports, no more traps from it */
    uint64_t(DOOR_CALL *image_export)(uint64_t va, const char *name); /* 0 = has none; va 0 = all kernel modules */

    int(DOOR_CALL *file)(struct door_file *request);
    void(DOOR_CALL *record)(const struct door_event *event, const void *payload);
    void(DOOR_CALL *operator_next)(struct door_command *command); /* in: the reply to the previous one, code 0 = none */
    uint32_t(DOOR_CALL *port)(uint32_t port, uint32_t bytes, uint32_t write, uint32_t value);
    /* Let the devices do what is due by now. */
    void(DOOR_CALL *device_run)(struct door_interrupts *interrupts);
    __attribute__((noreturn)) void(DOOR_CALL *halt)(uint32_t how, const char *why);

    struct door_up *up;
    struct door_schedule *schedule;
    const struct door_benign *benign;
    uint32_t benigns;
    struct door_user *user;
};

/* Host -> kernel. */
struct door_up {
    uint64_t trap;   /* code address; see struct door_trap */
    uint64_t resume; /* code address: RCX = struct door_trap *, continues what was interrupted */
    /* For patched code, called in place of the instruction; the argument of write_cr8 was pushed before the call. All
     * registers are kept; flags too, save by write_cr8. */
    uint64_t write_cr8, enable_interrupts, pause;
    uint64_t access; /* see struct door_access */
    uint64_t(DOOR_CALL *bind)(const struct door_import *import);
};
