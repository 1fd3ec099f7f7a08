/*
 * Locking a process in, see sandbox.h. The order matters: what needs system calls comes before the filter.
 */
#define _GNU_SOURCE
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/filter.h"
#include "sandbox/syscall.h"

#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
#define MADVISE_GUARD_INSTALL 102

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

/* All rights of the first Landlock version, and what later ones added, by version. */
static uint64_t landlock_file_rights(long version)
{
    uint64_t rights = (1ull << 13) - 1;

    if (version >= 2)
        rights |= 1ull << 13; /* REFER */
    if (version >= 3)
        rights |= 1ull << 14; /* TRUNCATE */
    if (version >= 5)
        rights |= 1ull << 15; /* IOCTL_DEV */
    return rights;
}

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* A rule set without a rule: nothing is allowed. */
static bool enter_landlock(void)
{
    struct {
        uint64_t file, net, scope;
    } rights = {0};
    long version = landlock_version();
    size_t bytes = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    int fd;
    bool ok;

    if (version < 1)
        return false;
    rights.file = landlock_file_rights(version);
    rights.net = 3;   /* bind, connect */
    rights.scope = 3; /* abstract sockets, signals */
    fd = (int)syscall(SYS_landlock_create_ruleset, &rights, bytes, 0);
    if (fd < 0)
        return false;
    ok = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    close(fd);
    return ok;
}

static void limit(int what, rlim_t value)
{
    struct rlimit r = {value, value};

    setrlimit(what, &r);
}

/* The vdso answers clock questions without a system call, from pages that show the host's time: take both away. */
static bool drop_vdso(void)
{
    char line[256];
    FILE *maps = fopen("/proc/self/maps", "re");
    uint64_t from[4], to[4];
    int n = 0;

    if (!maps)
        return false;
    while (n < 4 && fgets(line, sizeof(line), maps))
        if (strstr(line, "[vdso]") || strstr(line, "[vvar"))
            if (sscanf(line, "%lx-%lx", &from[n], &to[n]) == 2)
                n++;
    fclose(maps);
    while (n--)
        munmap((void *)from[n], to[n] - from[n]);
    return true;
}

/* The kernel would write the number of the host's processor into our thread's memory. */
static void drop_rseq(void)
{
    if (__rseq_size)
        syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1 /* unregister */, RSEQ_SIG);
}

static bool enter_filter(const struct sandbox_rules *rules)
{
    struct sock_filter program[FILTER_LIMIT];
    struct sock_fprog filter = {.filter = program, .len = (unsigned short)filter_build(rules, program)};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

const char *sandbox_enter(const struct sandbox_rules *rules)
{
    int scores;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return "no new privileges: refused";
    scores = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); /* when memory ends, it ends here */
    if (scores >= 0) {
        if (write(scores, "1000", 4) < 0)
            errno = 0;
        close(scores);
    }
    drop_vdso();
    drop_rseq();
    unshare(NAMESPACES);
    enter_landlock();
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, rules->guests ? (rlim_t)rules->descriptors : 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_MEMLOCK, 0);
    if (!rules->debugger)
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (!rules->guests)
        prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
    if (!enter_filter(rules))
        return "the seccomp filter was refused";
    return NULL;
}

/* ---- What the host offers --------------------------------------------------------------------------------------- */

static void set(struct sandbox_report *report, enum sandbox_layer layer, const char *name, bool present, bool required,
                const char *detail)
{
    report->layer[layer].name = name;
    report->layer[layer].present = present;
    report->layer[layer].required = required;
    snprintf(report->layer[layer].detail, sizeof(report->layer[layer].detail), "%s", detail);
}

/* Run a test in a child; its errno, 0 = it worked. */
static int try(int (*test)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(test());
    if (pid < 0)
        return errno;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int try_namespaces(void)
{
    return unshare(NAMESPACES) < 0 ? errno : 0;
}

static int try_filter(void)
{
    const struct sandbox_rules rules = {.wake = 3, .ram = 4, .high = 1ull << 45};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return errno;
    if (!enter_filter(&rules))
        return errno;
    sandbox_syscall(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    return EPERM;
}

static int try_no_gain(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : 0;
}

static int try_time(void)
{
    return prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) < 0 ? errno : 0;
}

static int try_guards(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED || madvise(at, 4096, MADVISE_GUARD_INSTALL) < 0 ? errno : 0;
}

static void probe(struct sandbox_report *report, enum sandbox_layer layer, const char *name, int (*test)(void),
                  bool required)
{
    int error = try(test);

    set(report, layer, name, error == 0, required, error ? strerror(error) : "");
}

void sandbox_probe(struct sandbox_report *report)
{
    long version = landlock_version();
    char detail[96];
    bool fsgsbase = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;

    probe(report, SANDBOX_FILTER, "seccomp filter", try_filter, true);
    if (version > 0)
        snprintf(detail, sizeof(detail), "version %ld", version);
    else
        snprintf(detail, sizeof(detail), "%s", strerror(errno));
    set(report, SANDBOX_LANDLOCK, "Landlock", version > 0, false, detail);
    probe(report, SANDBOX_NAMESPACES, "namespaces", try_namespaces, false);
    probe(report, SANDBOX_NO_GAIN, "no new privileges", try_no_gain, true);
    probe(report, SANDBOX_TIME, "trapping rdtsc", try_time, false);
    probe(report, SANDBOX_GUARDS, "stack guards without mappings", try_guards, false);
    if (!report->layer[SANDBOX_GUARDS].present)
        snprintf(report->layer[SANDBOX_GUARDS].detail, sizeof(detail),
                 "Linux 6.15 or later; at most some 32,000 threads");
    set(report, SANDBOX_FSGSBASE, "FSGSBASE instructions", fsgsbase, false,
        fsgsbase ? "" : "processor switches take longer");
}
