/*
 * Runs a PE test image in this process: maps it at its preferred base, gives it a processor area behind GS and a stack
 * in the machine's stack range, turns host signals into traps as host/traps does, and calls its entry point.
 *
 *     harness [--figures | --verbose] test.exe
 *
 * The images import nothing and are trusted; nothing is checked that the linker guarantees. No part of the product.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "rtltest.h"

static struct rtltest_host host;
static uint64_t entry;

static void die(const char *what)
{
    perror(what);
    exit(70);
}

static void *map_fixed(uint64_t va, size_t bytes)
{
    void *p =
        mmap((void *)va, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

#define FIELD(type, p) (*(const type *)(p))

/* Map a PE32+ file at `base`, which must be its preferred base. */
static void map_image(const char *name, uint64_t base)
{
    struct stat st;
    int fd = open(name, O_RDONLY);

    if (fd < 0 || fstat(fd, &st) < 0)
        die(name);
    const uint8_t *file = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED)
        die(name);
    const uint8_t *nt = file + FIELD(uint32_t, file + 0x3c), *opt = nt + 24;
    const uint8_t *section = opt + FIELD(uint16_t, nt + 20);
    if (FIELD(uint64_t, opt + 24) != base) {
        fprintf(stderr, "%s: not linked for %#llx\n", name, (unsigned long long)base);
        exit(70);
    }
    uint32_t bytes = FIELD(uint32_t, opt + 56);
    uint8_t *image = map_fixed(base, bytes);
    memcpy(image, file, FIELD(uint32_t, opt + 60));
    for (int i = 0; i < FIELD(uint16_t, nt + 6); i++, section += 40) {
        uint32_t raw = FIELD(uint32_t, section + 16), virtual = FIELD(uint32_t, section + 8);
        memcpy(image + FIELD(uint32_t, section + 12), file + FIELD(uint32_t, section + 20),
               raw < virtual ? raw : virtual);
    }
    entry = base + FIELD(uint32_t, opt + 16);
}

static DOOR_CALL void host_print(const char *text)
{
    fputs(text, stdout);
}

static DOOR_CALL void __attribute__((noreturn)) host_exit(int status)
{
    fflush(stdout);
    _exit(status);
}

static DOOR_CALL uint64_t host_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* The register order of CONTEXT from 78h on: rax rcx rdx rbx rsp rbp rsi rdi r8..r15, then rip. */
static const int order[17] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8,
                              REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;

    if ((uint64_t)g[REG_RIP] < DOOR_KERNEL_BASE || (uint64_t)g[REG_RIP] >= DOOR_KERNEL_END || !host.trap) {
        fflush(stdout);
        fprintf(stderr, "harness: signal %d outside the image, at %#llx, address %p\n", number, g[REG_RIP],
                info->si_addr);
        _exit(70);
    }
    struct door_trap *t = (void *)(((uint64_t)g[REG_RSP] - 128 - sizeof(*t)) & ~63ull);
    memset(t, 0, sizeof(*t));
    t->vector = (uint32_t)g[REG_TRAPNO];
    t->error = (uint32_t)g[REG_ERR];
    t->address = (uint64_t)info->si_addr;
    uint8_t *c = t->context;
    for (int i = 0; i < 17; i++)
        memcpy(c + 0x78 + 8 * i, &g[order[i]], 8);
    *(uint32_t *)(c + 0x30) = 0x10000f;
    *(uint16_t *)(c + 0x38) = 0x33;
    *(uint16_t *)(c + 0x42) = 0x2b;
    *(uint32_t *)(c + 0x44) = (uint32_t)g[REG_EFL];
    memcpy(c + 0x100, uc->uc_mcontext.fpregs, 512);
    *(uint32_t *)(c + 0x34) = uc->uc_mcontext.fpregs->mxcsr;
    g[REG_RCX] = (greg_t)t;
    g[REG_RSP] = (greg_t)t - 8;
    g[REG_RIP] = (greg_t)host.trap;
    g[REG_EFL] &= ~0x500;
}

static void run(void)
{
    ((void(__attribute__((ms_abi)) *)(struct rtltest_host *))entry)(&host);
}

int main(int argc, char **argv)
{
    static uint8_t alternate[65536];
    static ucontext_t here, there;
    int first = 1;

    if (argc > 1 && argv[1][0] == '-') {
        host.figures = !strcmp(argv[1], "--figures");
        host.verbose = !host.figures;
        first = 2;
    }
    if (argc <= first) {
        fprintf(stderr, "usage: harness [--figures | --verbose] test.exe\n");
        return 2;
    }
    map_image(argv[first], RTLTEST_IMAGE_BASE);
    host.print = host_print;
    host.exit = host_exit;
    host.nanoseconds = host_nanoseconds;

    uint8_t *area = map_fixed(DOOR_PROCESSOR_BASE, DOOR_PROCESSOR_BYTES);
    *(uint8_t **)(area + 0x18) = area;
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, area))
        die("arch_prctl");

    stack_t ss = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    sigaltstack(&ss, NULL);
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGFPE, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
    sigaction(SIGTRAP, &sa, NULL);

    /* The slot below is left unmapped, so a walk that runs out of the stack is a fault. */
    uint64_t top = DOOR_STACK_BASE + 2 * DOOR_STACK_SLOT;
    map_fixed(top - DOOR_STACK_SLOT, DOOR_STACK_SLOT);
    getcontext(&there);
    there.uc_stack.ss_sp = (void *)(top - DOOR_STACK_SLOT);
    there.uc_stack.ss_size = DOOR_STACK_SLOT;
    there.uc_link = &here;
    makecontext(&there, run, 0);
    swapcontext(&here, &there);
    fflush(stdout);
    return 0;
}
