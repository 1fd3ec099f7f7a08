/*
 * What the drivers of this folder share: each is one attempt to get out of the machine. An attempt that gets anywhere
 * says "escaped"; check looks for that, for what it would leave behind, and that there is a finding instead.
 */
#pragma once

#include <ntddk.h>
#include "door.h"

#ifndef VICTIM
#define VICTIM "/nowhere" /* a directory on the host that drivers must not reach; see rules.mk */
#endif
#define SECRET VICTIM "/secret"
#define KERNEL DOOR_IMAGE_BASE /* where ntoskrnl.exe lies, in every run */

/* Linux' numbers. */
enum {
    SYS_read = 0,
    SYS_write = 1,
    SYS_mmap = 9,
    SYS_mprotect = 10,
    SYS_munmap = 11,
    SYS_rt_sigaction = 13,
    SYS_rt_sigreturn = 15,
    SYS_socket = 41,
    SYS_clone = 56,
    SYS_fork = 57,
    SYS_execve = 59,
    SYS_kill = 62,
    SYS_ptrace = 101,
    SYS_prctl = 157,
    SYS_arch_prctl = 158,
    SYS_iopl = 172,
    SYS_ioperm = 173,
    SYS_futex = 202,
    SYS_exit_group = 231,
    SYS_openat = 257,
    SYS_unshare = 272,
    SYS_process_vm_readv = 310,
    SYS_seccomp = 317,
    SYS_memfd_create = 319,
    SYS_bpf = 321,
    SYS_io_uring_setup = 425,
    SYS_clone3 = 435,
};
enum { AT_FDCWD = -100, O_WRONLY = 1, O_CREAT = 64 };

static VOID Attempt(VOID);

static inline LONG64 Syscall(UINT64 Number, UINT64 A, UINT64 B, UINT64 C, UINT64 D, UINT64 E)
{
    register UINT64 R10 __asm__("r10") = D, R8 __asm__("r8") = E, R9 __asm__("r9") = 0;
    LONG64 Result;

    __asm__ volatile("syscall"
                     : "=a"(Result)
                     : "a"(Number), "D"(A), "S"(B), "d"(C), "r"(R10), "r"(R8), "r"(R9)
                     : "rcx", "r11", "memory");
    return Result;
}

/* Call code of the host by its own convention. */
static inline LONG64 HostCall(UINT64 Code, UINT64 A, UINT64 B, UINT64 C, UINT64 D, UINT64 E, UINT64 F, UINT64 G)
{
    return ((LONG64(__attribute__((sysv_abi)) *)(UINT64, UINT64, UINT64, UINT64, UINT64, UINT64, UINT64))Code)(
        A, B, C, D, E, F, G);
}

static inline VOID Escaped(PCSTR How)
{
    DbgPrint("escaped: %s\n", How);
}

static inline VOID Try(PCSTR Name, LONG64 Result)
{
    if (Result >= 0)
        Escaped(Name);
    else
        DbgPrint("%s: error %d\n", Name, (int)Result);
}

/* The host's table of calls: the first address in the kernel's data that is none of the machine's. */
static inline struct door *FindDoor(VOID)
{
    PUCHAR Base = (PUCHAR)KERNEL, Header = Base + *(ULONG *)(Base + 0x3c);
    PUCHAR Section = Header + 24 + *(USHORT *)(Header + 20);

    for (USHORT i = 0; i < *(USHORT *)(Header + 6); i++, Section += 40) {
        UINT64 *At = (UINT64 *)(Base + *(ULONG *)(Section + 12)), *End = At + *(ULONG *)(Section + 8) / 8;
        if (*(ULONG *)(Section + 36) & 0x80000000) /* writable */
            for (; At < End; At++)
                if (*At >= DOOR_KERNEL_END && *At < 0x800000000000 && *At % 8 == 0)
                    return (struct door *)*At;
    }
    return NULL;
}

/* A system call instruction followed by `ret` near the host's code: the worker's own stub. */
static inline UINT64 FindStub(VOID)
{
    UINT64 Text = (UINT64)FindDoor()->map & ~0xfffull;

    for (UINT64 Distance = 0; Distance < 0x40000; Distance++)
        for (int Up = 0; Up < 2; Up++) {
            const volatile UCHAR *At = (const volatile UCHAR *)(Up ? Text + Distance : Text - Distance);
            if (At[0] == 0x0f && At[1] == 0x05 && At[2] == 0xc3)
                return (UINT64)At - 22; /* seven moves come before it */
        }
    return 0;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    Attempt();
    return STATUS_SUCCESS;
}
