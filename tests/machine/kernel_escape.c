/* A driver's code tries to reach the host. Every attempt must trap. */
#include "traps.h"

extern const char Call[], Call_end[], Call32[], Call32_end[], Enter[], Enter_end[], Jump[], Jump_end[], Store[],
    Store_end[];
__asm__(
    "Call: movq %rcx, %rax\n leaq name(%rip), %rdi\n movq %rdi, %rsi\n movl $7, %edx\n xorl %r10d, %r10d\n"
    "  xorl %r8d, %r8d\n xorl %r9d, %r9d\n syscall\n retq\n name: .asciz \"/etc/passwd\"\nCall_end:\n"
    "Call32: movq %rcx, %rax\n movq %rbx, %r11\n xorl %ebx, %ebx\n int $0x80\n movq %r11, %rbx\n retq\nCall32_end:\n"
    "Enter: movq %rcx, %rax\n sysenter\n retq\nEnter_end:\n"
    /* call the address in rcx as sandbox_syscall(rdx, ...), System V */
    "Jump: movq %rcx, %rax\n movq %rdx, %rdi\n movl $0, %esi\n movl $4096, %edx\n movl $7, %ecx\n xorl %r8d, %r8d\n"
    "  xorl %r9d, %r9d\n subq $0x28, %rsp\n movq $0, (%rsp)\n callq *%rax\n addq $0x28, %rsp\n retq\nJump_end:\n"
    "Store: movb $0x90, (%rcx)\n retq\nStore_end:\n");

static unsigned Attempts;

static void Raw(uint32_t number)
{
    Run(Call, Call_end, number, 0);
    Need(Seen.count == 1 && Seen.vector == DOOR_TRAP_SYSTEM_CALL && Seen.address == number, "raw system call");
    Attempts++;
}

static void RawCalls(void)
{
    static const uint16_t numbers[] = {
        0 /* read */,
        1 /* write */,
        2 /* open */,
        9 /* mmap */,
        10 /* mprotect */,
        13 /* rt_sigaction */,
        15 /* rt_sigreturn */,
        25 /* mremap */,
        39 /* getpid */,
        41 /* socket */,
        56 /* clone */,
        57 /* fork */,
        58 /* vfork */,
        59 /* execve */,
        60 /* exit */,
        62 /* kill */,
        101 /* ptrace */,
        105 /* setuid */,
        157 /* prctl */,
        158 /* arch_prctl */,
        165 /* mount */,
        200 /* tkill */,
        231 /* exit_group */,
        234 /* tgkill */,
        257 /* openat */,
        272 /* unshare */,
        308 /* setns */,
        310 /* process_vm_readv */,
        311 /* process_vm_writev */,
        317 /* seccomp */,
        319 /* memfd_create */,
        321 /* bpf */,
        322 /* execveat */,
        323 /* userfaultfd */,
        424 /* pidfd_send_signal */,
        425 /* io_uring_setup */,
        435 /* clone3 */,
        437 /* openat2 */,
        440 /* process_madvise */,
        9999,
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        Raw(numbers[i]);
    Run(Call32, Call32_end, 20, 0);
    Need(Seen.count == 1 && Seen.vector == DOOR_TRAP_SYSTEM_CALL, "int 80h");
    Run(Enter, Enter_end, 39, 0);
    Need(Seen.count == 1 && Seen.vector == DOOR_TRAP_SYSTEM_CALL, "sysenter");
    Run(Jump, Jump_end, 0xffffffffff600000, 0);
    Need(Seen.count == 1, "vsyscall page");
    Attempts += 3;
}

/* Read host memory that may not be there. */
static int Missed;
static int SkipRead(struct door_trap *trap)
{
    Missed = 1;
    REGISTER(trap, RIP) += 3;
    return 1;
}

static uint8_t Peek(uint64_t address)
{
    register uint64_t r9 __asm__("r9") = address;
    uint8_t byte;

    __asm__ volatile("movb (%%r9), %%al" : "=a"(byte) : "r"(r9), "a"(0) : "memory"); /* three bytes long */
    return byte;
}

/* Where in the host's program a system call instruction stands. */
static uint64_t FindCall(uint64_t from, uint64_t to)
{
    Hook = SkipRead;
    Missed = 0;
    while (from < to && !(Peek(from) == 0x0f && Peek(from + 1) == 0x05))
        from = Missed ? (Missed = 0, (from & ~0xfffull) + 0x1000) : from + 1;
    Hook = 0;
    return from < to ? from : 0;
}

/* The worker's own stub, called with calls it must not make and arguments it must not give. */
static void Stub(void)
{
    static const uint16_t numbers[] = {2, 57, 59, 41, 62, 101, 257};
    uint64_t text = (uint64_t)Door->map & ~0xfffull;
    uint64_t at, start;

    for (at = text - 0x40000; (at = FindCall(at, text + 0x40000)); at++)
        if (Peek(at + 2) == 0xc3)
            break;
    Need(at != 0, "the stub was found");
    start = at - 22; /* its first instruction: seven moves before the call */
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        Run(Jump, Jump_end, start, numbers[i]);
        Need(Seen.count == 1 && Seen.vector == DOOR_TRAP_SYSTEM_CALL && Seen.address == numbers[i], "stub misused");
        Attempts++;
    }
}

/* System call instructions of libc, jumped to. */
static void Library(void)
{
    uint64_t thread, at, tried = 0;

    __asm__ volatile("movq %%fs:0, %0" : "=r"(thread));
    for (at = thread; tried < 4 && (at = FindCall(at, thread + 0x400000)); at += 2) {
        Run(Jump, Jump_end, at, 0);
        if (Seen.vector != DOOR_TRAP_SYSTEM_CALL)
            continue; /* bytes that look like one, in data */
        tried++;
        Attempts++;
    }
    Need(tried > 0, "libc was found");
}

static void WriteHostText(void)
{
    Run(Store, Store_end, (uint64_t)Door->map, 0);
    Need(Seen.count == 1 && Seen.vector == DOOR_TRAP_PAGE_FAULT, "write to the host's code");
    Attempts++;
}

void TestMain(void)
{
    TrapsInstall();
    RawCalls();
    Stub();
    Library();
    WriteHostText();
    SayNumber("attempts", Attempts);
    Say("contained");
}
