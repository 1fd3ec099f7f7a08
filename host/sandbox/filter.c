/*
 * The filter on system calls, as a classic BPF program.
 *
 * First the place: the address behind the syscall instruction must be one of the two in syscall.S, else the call traps
 * (SIGSYS), whatever it is; so does one by the 32-bit entry (int 80h). Then the number, then arguments. Addresses are
 * checked by their upper halves: that is exact to 4 GiB, and the machine's ranges begin and end on such bounds save for
 * the lowest pages, where nothing of the host ever lies.
 *
 * What is allowed: wait for and wake the supervisor, and programs in the memory shared with them; take their files from one
 * socket; map such a file or the RAM file, shared and at a fixed place in the machine; change and remove such mappings; give RAM back, and ask which of it is in use; set GS;
 * return from a signal; end.
 */
#define _GNU_SOURCE
#include "sandbox/filter.h"

#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/syscall.h"

#define MADVISE_GUARD_INSTALL 102
#define MADVISE_GUARD_REMOVE 103

struct writer {
    struct sock_filter *at;
};

static void emit(struct writer *w, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    *w->at++ = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = k};
}

static void load(struct writer *w, uint32_t offset)
{
    emit(w, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void allow(struct writer *w)
{
    emit(w, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static void refuse(struct writer *w)
{
    emit(w, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
}

static uint32_t low_of(int argument)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)argument);
}

static uint32_t high_of(int argument)
{
    return low_of(argument) + 4;
}

/* Refuse unless the accumulator is k. */
static void need(struct writer *w, uint32_t k)
{
    emit(w, BPF_JMP | BPF_JEQ | BPF_K, k, 1, 0);
    refuse(w);
}

static void need_word(struct writer *w, uint32_t offset, uint32_t value)
{
    load(w, offset);
    need(w, value);
}

static void need_argument(struct writer *w, int argument, uint64_t value)
{
    need_word(w, low_of(argument), (uint32_t)value);
    need_word(w, high_of(argument), (uint32_t)(value >> 32));
}

/* Only these bits may be set. */
static void need_bits(struct writer *w, int argument, uint32_t bits)
{
    load(w, low_of(argument));
    emit(w, BPF_JMP | BPF_JSET | BPF_K, ~bits, 0, 1);
    refuse(w);
    need_word(w, high_of(argument), 0);
}

/* [argument 0, argument 0 + argument 1) lies below `high`, which is a multiple of 4 GiB. */
static void need_range(struct writer *w, uint64_t high)
{
    uint32_t end = (uint32_t)(high >> 32);

    load(w, high_of(0));
    emit(w, BPF_JMP | BPF_JGE | BPF_K, end, 0, 1);
    refuse(w);
    load(w, high_of(1));
    emit(w, BPF_JMP | BPF_JGE | BPF_K, end, 0, 1);
    refuse(w);
    /* The lower halves may carry into the upper ones once: address + length < (h0 + h1 + 2) * 4 GiB. */
    emit(w, BPF_MISC | BPF_TAX, 0, 0, 0);
    load(w, high_of(0));
    emit(w, BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0);
    emit(w, BPF_ALU | BPF_ADD | BPF_K, 1, 0, 0);
    emit(w, BPF_JMP | BPF_JGE | BPF_K, end, 0, 1);
    refuse(w);
}

/* Begin the rules of one call; the returned place is closed by call_end. */
static struct sock_filter *call_begin(struct writer *w, uint32_t number)
{
    struct sock_filter *jump = w->at;

    emit(w, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0);
    return jump;
}

static void call_end(struct writer *w, struct sock_filter *jump)
{
    allow(w);
    jump->jf = (uint8_t)(w->at - jump - 1);
}

/* The accumulator holds the number at the start of each, and the jump past a call's rules keeps it. */
static void memory_calls(struct writer *w, const struct sandbox_rules *rules)
{
    struct sock_filter *call = call_begin(w, SYS_mmap);

    need_range(w, rules->high);
    need_bits(w, 2, PROT_READ | PROT_WRITE | PROT_EXEC);
    load(w, low_of(3));
    emit(w, BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)MAP_POPULATE, 0, 0);
    need(w, MAP_SHARED | MAP_FIXED);
    need_word(w, high_of(3), 0);
    need_word(w, high_of(4), 0);
    load(w, low_of(4));
    if (rules->guests)
        emit(w, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)rules->first, 2, 0);
    need(w, (uint32_t)rules->ram);
    call_end(w, call);

    call = call_begin(w, SYS_mprotect);
    need_range(w, rules->high);
    need_bits(w, 2, PROT_READ | PROT_WRITE | PROT_EXEC);
    call_end(w, call);

    call = call_begin(w, SYS_munmap);
    need_range(w, rules->high);
    call_end(w, call);

    call = call_begin(w, SYS_madvise);
    need_range(w, rules->high);
    need_word(w, high_of(2), 0);
    load(w, low_of(2));
    emit(w, BPF_JMP | BPF_JEQ | BPF_K, MADVISE_GUARD_INSTALL, 2, 0);
    need(w, MADVISE_GUARD_REMOVE);
    call_end(w, call);

    call = call_begin(w, SYS_fallocate);
    need_argument(w, 0, (uint64_t)rules->ram);
    need_argument(w, 1, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    call_end(w, call);

    call = call_begin(w, SYS_lseek); /* which pages of RAM exist */
    need_argument(w, 0, (uint64_t)rules->ram);
    need_word(w, high_of(2), 0);
    load(w, low_of(2));
    emit(w, BPF_JMP | BPF_JEQ | BPF_K, SEEK_DATA, 2, 0);
    need(w, SEEK_HOLE);
    call_end(w, call);

    call = call_begin(w, SYS_fstat); /* and how much */
    need_argument(w, 0, (uint64_t)rules->ram);
    call_end(w, call);
}

static void guest_calls(struct writer *w, const struct sandbox_rules *rules)
{
    struct sock_filter *call =
        call_begin(w, SYS_futex); /* shared ones in the programs' memory: wait without end, wake */

    load(w, high_of(0));
    emit(w, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(rules->guests >> 32), 3, 0);
    emit(w, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(rules->shared >> 32), 0, 1);
    emit(w, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(rules->shared_end >> 32), 0, 1);
    refuse(w);
    need_word(w, high_of(1), 0);
    need_argument(w, 3, 0);
    load(w, low_of(1));
    emit(w, BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAIT, 2, 0);
    need(w, FUTEX_WAKE);
    call_end(w, call);

    call = call_begin(w, SYS_recvmsg);
    need_argument(w, 0, (uint64_t)rules->files);
    need_argument(w, 2, MSG_DONTWAIT);
    call_end(w, call);

    call = call_begin(w, SYS_close);
    need_word(w, high_of(0), 0);
    load(w, low_of(0));
    emit(w, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)rules->first, 1, 0);
    refuse(w);
    call_end(w, call);
}

static void other_calls(struct writer *w, const struct sandbox_rules *rules)
{
    static const uint32_t transfers[] = {SYS_read, SYS_write};
    struct sock_filter *call;

    for (int i = 0; i < 2; i++) {
        call = call_begin(w, transfers[i]);
        need_argument(w, 0, (uint64_t)rules->wake);
        need_argument(w, 2, 1);
        call_end(w, call);
    }
    if (rules->guests)
        guest_calls(w, rules);
    call = call_begin(w, SYS_arch_prctl);
    need_argument(w, 0, ARCH_SET_GS);
    call_end(w, call);
    call_end(w, call_begin(w, SYS_exit_group));
    call_end(w, call_begin(w, SYS_restart_syscall));
}

unsigned filter_build(const struct sandbox_rules *rules, struct sock_filter *program)
{
    const uint32_t ip = offsetof(struct seccomp_data, instruction_pointer);
    uint64_t stub = (uint64_t)sandbox_syscall_end, restorer = (uint64_t)sandbox_restorer_end;
    struct writer w = {program};
    struct sock_filter *jump;

    need_word(&w, offsetof(struct seccomp_data, arch), AUDIT_ARCH_X86_64);
    need_word(&w, ip + 4, (uint32_t)(stub >> 32));
    load(&w, ip);
    jump = call_begin(&w, (uint32_t)restorer);
    need_word(&w, offsetof(struct seccomp_data, nr), SYS_rt_sigreturn);
    call_end(&w, jump);
    need(&w, (uint32_t)stub);
    load(&w, offsetof(struct seccomp_data, nr));
    memory_calls(&w, rules);
    other_calls(&w, rules);
    refuse(&w);
    return (unsigned)(w.at - program);
}
