/* Each kind of trap, and each instruction that is emulated. */
#include "traps.h"

/* A snippet between two labels, run as driver code: rcx and rdx are the arguments, rax the result. */
#define SNIPPET(name, code)                                                                                            \
    extern const char name[], name##_end[];                                                                            \
    __asm__(".globl " #name ", " #name "_end\n" #name ":\n" code "\n ret\n" #name "_end:\n")
#define RUN(name, a, b) Run(name, name##_end, (uint64_t)(a), (uint64_t)(b))

SNIPPET(ReadCr8, "movq %cr8, %rax");
SNIPPET(WriteCr8, "movq %rcx, %cr8");
SNIPPET(ReadCr0, "movq %cr0, %rax");
SNIPPET(ReadCr4, "movq %cr4, %r9; movq %r9, %rax");
SNIPPET(SetCr0, "movq %rcx, %cr0; movl $1, %eax");
SNIPPET(Debug, "movq %rcx, %dr2; movq %dr2, %rax");
SNIPPET(Cli, "cli");
SNIPPET(Sti, "sti; movl $7, %eax");
SNIPPET(Hlt, "hlt");
SNIPPET(Int29, "movl $3, %ecx; int $0x29");
SNIPPET(Int2C, "int $0x2c");
SNIPPET(Int2D, "int $0x2d");
SNIPPET(Int3, "int3");
SNIPPET(Int99, "int $0x99");
SNIPPET(Ud2, "ud2");
SNIPPET(Divide, "xorl %edx, %edx; movl $1, %eax; divl %edx");
SNIPPET(Load, "movq (%rcx), %rax");
SNIPPET(Store, "movq %rdx, (%rcx)");
SNIPPET(LoadIndexed, "movq 0x10(%rcx,%rdx,8), %rax");
SNIPPET(Jump, "jmp *%rcx");
SNIPPET(ReadMsr, "xorl %eax, %eax; rdmsr; shlq $32, %rdx; orq %rdx, %rax");
SNIPPET(WriteMsr, "movq %rdx, %rax; shrq $32, %rdx; wrmsr; movl $1, %eax");
SNIPPET(Time, "rdtsc; shlq $32, %rdx; orq %rdx, %rax");
SNIPPET(TimeP, "rdtscp; movl %ecx, %eax");
SNIPPET(InByte, "movq %rcx, %rdx; xorl %eax, %eax; inb %dx, %al");
SNIPPET(InWord, "movq %rcx, %rdx; xorl %eax, %eax; inw %dx, %ax");
SNIPPET(InLong, "movq %rcx, %rdx; xorl %eax, %eax; inl %dx, %eax");
SNIPPET(Out, "movq %rcx, %rdx; movl $5, %eax; outb %al, %dx; outl %eax, $0x80; movl $1, %eax");
SNIPPET(InString, "movq %rcx, %rdi; movl $4, %ecx; movl $0x60, %edx; cld; rep insl; movq %rcx, %rax");
SNIPPET(Caches, "wbinvd; invd; invlpg (%rsp); clts; movl $1, %eax");
SNIPPET(Swapgs, "swapgs");
SNIPPET(LoadIdt, "lidt (%rsp)");
SNIPPET(SharedMove, "movl 0x320(%rcx), %eax");
SNIPPET(SharedSame, "movq 0x320(%rcx), %rcx; movq %rcx, %rax");
SNIPPET(SharedCompare, "xorl %eax, %eax; cmpl $0x1234, 0x320(%rcx); sete %al");
SNIPPET(SharedAbsolute, "movabsq 0xfffff78000000320, %rax");
SNIPPET(SharedString, "movq %rcx, %rsi; movq %rdx, %rdi; movl $16, %ecx; cld; rep movsb; movq %rsi, %rax");
SNIPPET(Syscall, "movl $39, %eax; syscall");
SNIPPET(Int80, "movl $20, %eax; int $0x80");
SNIPPET(Step, "pushfq; orl $0x100, (%rsp); popfq; nop");
SNIPPET(Overflow, "movq %rsp, %r11; 1: pushq %rax; jmp 1b");
SNIPPET(WildStack, "movq %rsp, %r11; movq %rcx, %rsp; pushq %rax");
SNIPPET(WildStackMapped, "movq %rsp, %r11; movq %rcx, %rsp; ud2");
SNIPPET(Vector, "movups (%rcx), %xmm6; movq %cr8, %rax; hlt; movups %xmm6, (%rdx)");
SNIPPET(Misaligned, "movaps (%rcx), %xmm0");
SNIPPET(LoadGs, "xorl %eax, %eax; movw %ax, %gs; ud2");

static void Trap(uint64_t result, uint32_t vector, uint64_t rip, const char *what)
{
    Need(result == 0xdead && Seen.count == 1, what);
    Need(Seen.vector == vector, what);
    Need(Seen.rip == CodePage() + rip, what);
}

static int Continue(struct door_trap *trap)
{
    return 1;
}

static uint8_t Area(uint32_t offset)
{
    return *(volatile uint8_t *)(DOOR_PROCESSOR_BASE + offset);
}

static void Registers(void)
{
    *(volatile uint8_t *)(DOOR_PROCESSOR_BASE + DOOR_PCR_IRQL) = 2;
    Need(RUN(ReadCr8, 0, 0) == 2 && Seen.count == 0, "mov rax, cr8");
    *(volatile uint8_t *)(DOOR_PROCESSOR_BASE + DOOR_PCR_IRQL) = 0;
    Trap(RUN(WriteCr8, 5, 0), DOOR_TRAP_WRITE_CR8, 4, "mov cr8, rcx");
    Need(Seen.address == 5, "the new value of cr8");
    Need(RUN(ReadCr0, 0, 0) == 0x80050033, "mov rax, cr0");
    Need(RUN(ReadCr4, 0, 0) == 0x306f8, "mov r9, cr4");
    Need(RUN(SetCr0, 0x80050033, 0) == 1, "cr0 with the value it has");
    Trap(RUN(SetCr0, 0x80040033, 0), DOOR_TRAP_PROTECTION, 0, "cr0 without write protection");
    Need(RUN(Debug, 0x1234, 0) == 0x1234, "debug register");
    Need(RUN(ReadMsr, 0xc0000080, 0) == 0xd01, "EFER");
    Need(RUN(ReadMsr, 0xc0000101, 0) == DOOR_PROCESSOR_BASE, "GS_BASE");
    Trap(RUN(ReadMsr, 0x12345, 0), DOOR_TRAP_PROTECTION, 2, "MSR that does not exist");
    Need(RUN(WriteMsr, 0xc0000080, 0xd01) == 1, "MSR with the value it has");
    Trap(RUN(WriteMsr, 0xc0000082, 1), DOOR_TRAP_PROTECTION, 7, "system call entry");
    Need(RUN(Caches, 0, 0) == 1 && Seen.count == 0, "cache instructions");
    Trap(RUN(Swapgs, 0, 0), DOOR_TRAP_PROTECTION, 0, "swapgs");
    Trap(RUN(LoadIdt, 0, 0), DOOR_TRAP_PROTECTION, 0, "lidt");
}

static void Interrupts(void)
{
    RUN(Cli, 0, 0);
    Need(Seen.count == 0 && Area(DOOR_PCR_INTERRUPT_FLAG) == 0, "cli");
    Trap(RUN(Ud2, 0, 0), DOOR_TRAP_INVALID_OPCODE, 0, "ud2");
    Need(!(Seen.flags & 0x200), "EFlags show the machine's interrupt flag");
    *(volatile uint8_t *)(DOOR_PROCESSOR_BASE + DOOR_PCR_INTERRUPT_FLAG) = 1;
    Trap(RUN(Sti, 0, 0), DOOR_TRAP_ENABLE_INTERRUPTS, 1, "sti");
    Hook = Continue;
    Need(RUN(Sti, 0, 0) == 7 && Seen.count == 1, "sti goes on");
    Hook = 0;
    Trap(RUN(Hlt, 0, 0), DOOR_TRAP_HALT, 1, "hlt");
    Trap(RUN(Int29, 0, 0), DOOR_TRAP_FAST_FAIL, 5, "int 29h");
    Trap(RUN(Int2C, 0, 0), DOOR_TRAP_ASSERT, 0, "int 2Ch");
    Trap(RUN(Int2D, 0, 0), DOOR_TRAP_DEBUG_SERVICE, 0, "int 2Dh");
    Trap(RUN(Int3, 0, 0), DOOR_TRAP_BREAKPOINT, 0, "int3");
    Trap(RUN(Int99, 0, 0), DOOR_TRAP_PROTECTION, 0, "int 99h");
    Trap(RUN(Divide, 0, 0), DOOR_TRAP_DIVIDE, 7, "division by zero");
    Trap(RUN(Step, 0, 0), DOOR_TRAP_DEBUG, 10, "trap flag");
}

static void Faults(void)
{
    Trap(RUN(Load, 0, 0), DOOR_TRAP_PAGE_FAULT, 0, "load from 0");
    Need(Seen.address == 0 && Seen.error == 0, "load from 0: address");
    Trap(RUN(Store, 0x123456789000, 0), DOOR_TRAP_PAGE_FAULT, 0, "store to nowhere");
    Need(Seen.address == 0x123456789000 && Seen.error == 2, "store to nowhere: address");
    Trap(RUN(Load, 0xffff800000001000, 0), DOOR_TRAP_PAGE_FAULT, 0, "load from the upper half");
    Need(Seen.address == 0xffff800000001000, "load from the upper half: address");
    Trap(RUN(LoadIndexed, 0x8000000000000000, 2), DOOR_TRAP_PROTECTION, 0, "address that is not canonical");
    Need(Seen.address == 0x8000000000000020, "address that is not canonical: address");
    Trap(RUN(Misaligned, CodePage() + 8, 0), DOOR_TRAP_PROTECTION, 0, "movaps misaligned");
    Need(Seen.address == CodePage() + 8, "movaps misaligned: address");
    RUN(Jump, 0x190000000000, 0);
    Need(Seen.vector == DOOR_TRAP_PAGE_FAULT && Seen.rip == 0x190000000000 && Seen.error & 16, "jump to nowhere");
    Need(*(uint64_t *)(Seen.trap - 0x28) == Seen.rip && Seen.trap % 16 == 0, "shape of the trap's stack");
    Trap(RUN(Syscall, 0, 0), DOOR_TRAP_SYSTEM_CALL, 5, "syscall");
    Need(Seen.address == 39, "syscall: number");
    Trap(RUN(Int80, 0, 0), DOOR_TRAP_SYSTEM_CALL, 5, "int 80h");
}

static void TimeAndPorts(void)
{
    uint64_t now = Door->now, buffer[3] = {0, 0, 0x77};

    Need(RUN(Time, 0, 0) == (now + 1) * 300 && Door->now == now + 1, "rdtsc");
    Need(RUN(TimeP, 0, 0) == 0, "rdtscp");
    Need(RUN(InByte, 0x60, 0) == 0xff, "in al, dx");
    Need(RUN(InWord, 0x60, 0) == 0xffff, "in ax, dx");
    Need(RUN(InLong, 0x60, 0) == 0xffffffff, "in eax, dx");
    Need(RUN(Out, 0x60, 0) == 1, "out");
    Need(RUN(InString, buffer, 0) == 0 && buffer[0] == ~0ull && buffer[1] == ~0ull && buffer[2] == 0x77, "rep insd");
    Need(RUN(InString, 0x123456780000, 0) == 0xdead && Seen.vector == DOOR_TRAP_PAGE_FAULT, "rep insd to nowhere");
    Need(Seen.address == 0x123456780000 && Seen.error == 2, "rep insd to nowhere: address");
}

static void SharedData(void)
{
    const uint64_t upper = 0xfffff78000000000;
    uint8_t copy[24];

    Trap(RUN(SharedMove, upper, 0), DOOR_TRAP_PAGE_FAULT, 0, "shared data before it is mapped");
    Need(Seen.address == upper + 0x320, "shared data before it is mapped: address");
    Need(Door->map(DOOR_SHARED_DATA, Door->ram_used, DOOR_PAGE, DOOR_READ | DOOR_WRITE) == DOOR_OK, "shared data page");
    Door->ram_used += DOOR_PAGE;
    *(volatile uint64_t *)(DOOR_SHARED_DATA + 0x320) = 0x1234;
    memcpy((void *)DOOR_SHARED_DATA, "0123456789abcdef", 16);
    Need(RUN(SharedMove, upper, 0) == 0x1234 && Seen.count == 0, "shared data: mov");
    Need(RUN(SharedSame, upper, 0) == 0x1234 && Seen.count == 0, "shared data: mov to the base register");
    Need(RUN(SharedCompare, upper, 0) == 1 && Seen.count == 0, "shared data: cmp");
    Need(RUN(SharedAbsolute, 0, 0) == 0x1234 && Seen.count == 0, "shared data: absolute");
    Need(RUN(SharedString, upper, copy) == upper + 16 && Seen.count == 0, "shared data: rep movsb");
    Need(copy[0] == '0' && copy[15] == 'f', "shared data: what was copied");
    Trap(RUN(Store, upper + 8, 0), DOOR_TRAP_PAGE_FAULT, 0, "store to shared data");
}

static void Stacks(void)
{
    uint64_t rsp;

    RUN(Overflow, 0, 0);
    Need(Seen.vector == DOOR_TRAP_STACK_OVERFLOW, "stack overflow");
    Need(Seen.address == DOOR_STACK_BASE + DOOR_STACK_SLOT - DOOR_STACK_USABLE - 8, "stack overflow: address");
    rsp = Seen.rsp;
    RUN(Hlt, 0, 0);
    RUN(Overflow, 0, 0);
    Need(Seen.vector == DOOR_TRAP_STACK_OVERFLOW && Seen.rsp == rsp, "the guard has closed again");
    RUN(WildStack, 0x123456780000, 0);
    Need(Seen.vector == DOOR_TRAP_PAGE_FAULT && Seen.address == 0x123456780000 - 8, "push on a wild stack");
    RUN(WildStack, 0x8000000000000000, 0);
    Need(Seen.vector == DOOR_TRAP_PROTECTION, "push on a stack that is not canonical");
    RUN(WildStackMapped, CodePage() + 0x800, 0);
    Need(Seen.vector == DOOR_TRAP_INVALID_OPCODE && Seen.rsp == CodePage() + 0x800, "ud2 on a wild stack");
    RUN(LoadGs, 0, 0);
    Need(Seen.vector == DOOR_TRAP_INVALID_OPCODE, "ud2 without GS");
}

static int SkipHalt(struct door_trap *trap)
{
    /* whatever the kernel does to vector registers, the driver must not see it */
    __asm__ volatile("xorps %%xmm6, %%xmm6" : : : "xmm6");
    return 1;
}

static void Kept(void)
{
    uint8_t in[16] = "vector registers", out[16] = {0};

    Hook = SkipHalt;
    RUN(Vector, in, out);
    Hook = 0;
    Need(Seen.count == 1 && out[0] == 'v' && out[15] == 's', "vector registers survive a trap");
}

void TestMain(void)
{
    TrapsInstall();
    Registers();
    Interrupts();
    Faults();
    TimeAndPorts();
    SharedData();
    Stacks();
    Kept();
    Say("all traps");
}
