/* See traps.h. */
#include "traps.h"

struct seen Seen;
uint64_t After;
int (*Hook)(struct door_trap *trap);
static struct door_up Up;
static uint64_t Page;

extern const char TrapEntry[], RunReturn[];
uint64_t RunCode(uint64_t code, uint64_t a, uint64_t b);
uint64_t RunStack; /* what RunReturn goes back to */

__asm__(
    ".globl TrapEntry\n"
    "TrapEntry:\n"
    "  pushq %rbx\n"
    "  subq $0x20, %rsp\n"
    "  movq %rcx, %rbx\n"
    "  callq TrapHandle\n"
    "  movq 16(%rbx), %r8\n"
    "  movl $-1, %eax\n"
    "  movl $-1, %edx\n"
    "  testq %r8, %r8\n"
    "  jz 1f\n"
    "  xrstor64 (%r8)\n"
    "1: leaq 32(%rbx), %rcx\n"
    "  pushq $0x2b\n"
    "  pushq 0x98(%rcx)\n"
    "  movl 0x44(%rcx), %eax\n"
    "  pushq %rax\n"
    "  pushq $0x33\n"
    "  pushq 0xf8(%rcx)\n"
    "  movq 0x78(%rcx), %rax\n  movq 0x88(%rcx), %rdx\n  movq 0x90(%rcx), %rbx\n"
    "  movq 0xa0(%rcx), %rbp\n  movq 0xa8(%rcx), %rsi\n  movq 0xb0(%rcx), %rdi\n"
    "  movq 0xb8(%rcx), %r8\n   movq 0xc0(%rcx), %r9\n   movq 0xc8(%rcx), %r10\n"
    "  movq 0xd0(%rcx), %r11\n  movq 0xd8(%rcx), %r12\n  movq 0xe0(%rcx), %r13\n"
    "  movq 0xe8(%rcx), %r14\n  movq 0xf0(%rcx), %r15\n  movq 0x80(%rcx), %rcx\n"
    "  iretq\n"
    ".globl RunCode\n"
    "RunCode:\n"
    "  pushq %rbx\n  pushq %rbp\n  pushq %rsi\n  pushq %rdi\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  subq $0x28, %rsp\n"
    "  movq %rsp, RunStack(%rip)\n"
    "  movq %rcx, %rax\n"
    "  movq %rdx, %rcx\n"
    "  movq %r8, %rdx\n"
    "  callq *%rax\n"
    "RunBack:\n"
    "  addq $0x28, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rdi\n  popq %rsi\n  popq %rbp\n  popq %rbx\n"
    "  retq\n"
    ".globl RunReturn\n"
    "RunReturn:\n"
    "  movl $0xdead, %eax\n"
    "  jmp RunBack\n");

void TrapHandle(struct door_trap *trap)
{
    Seen = (struct seen){.count = Seen.count + 1,
                         .vector = trap->vector,
                         .error = trap->error,
                         .address = trap->address,
                         .rip = REGISTER(trap, RIP),
                         .rsp = REGISTER(trap, RSP),
                         .trap = (uint64_t)trap,
                         .flags = *(uint32_t *)(trap->context + 0x44)};
    *(uint32_t *)(trap->context + 0x44) &= ~0x100u; /* a trap flag that was set by the code stays set otherwise */
    if (Hook && Hook(trap))
        return;
    if (After) {
        REGISTER(trap, RIP) = After;
        return;
    }
    REGISTER(trap, RIP) = (uint64_t)RunReturn;
    REGISTER(trap, RSP) = RunStack;
}

void TrapsInstall(void)
{
    Up.trap = (uint64_t)TrapEntry;
    Door->up = &Up;
    Page = Door->image_next;
    Door->image_next += DOOR_PAGE;
    Need(Door->map(Page, Door->ram_used, DOOR_PAGE, DOOR_READ | DOOR_WRITE | DOOR_EXECUTE) == DOOR_OK, "code page");
    Door->ram_used += DOOR_PAGE;
}

uint64_t CodePage(void)
{
    return Page;
}

uint64_t Run(const void *from, const void *to, uint64_t a, uint64_t b)
{
    Seen = (struct seen){.vector = 0xffff};
    memcpy((void *)Page, from, (size_t)((const char *)to - (const char *)from));
    return RunCode(Page, a, b);
}
