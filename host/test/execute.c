/* See execute.h. Waiting is for the processes themselves (pidfd): nothing here looks again and again. */
#define _GNU_SOURCE
#include "test/execute.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS = 256, OUTPUT_LIMIT = 1 << 20 };

struct job {
    struct test *test; /* NULL: free */
    pid_t pid;
    int process, output; /* descriptors */
    double began;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void __attribute__((noreturn)) become(char **command, int output)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0);
    signal(SIGINT, SIG_DFL);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(output, 1);
    dup2(output, 2);
    execve("/proc/self/exe", command, environ);
    _exit(70);
}

static bool start(const struct execution *e, struct job *job, struct test *test)
{
    char **command = e->command(e->context, test);
    test->ran = true;
    if (!command) {
        test->status = 2;
        return false;
    }
    *job =
        (struct job){.test = test, .output = memfd_create("irqlab-test", MFD_CLOEXEC), .process = -1, .began = now()};
    job->pid = job->output < 0 ? -1 : fork();
    if (job->pid == 0)
        become(command, job->output);
    if (job->pid > 0)
        job->process = (int)syscall(SYS_pidfd_open, job->pid, 0);
    for (char **word = command; *word; word++)
        free(*word);
    free(command);
    if (job->pid > 0 && job->process >= 0)
        return true;
    if (job->pid > 0)
        kill(job->pid, SIGKILL);
    close(job->output);
    job->test = NULL;
    test->status = 70;
    test->output = strdup("irqlab: test: cannot start a process\n");
    test->output_bytes = test->output ? strlen(test->output) : 0;
    return false;
}

/* The output's beginning and end, when it is long. */
static void keep_output(struct job *job)
{
    struct stat st;
    size_t bytes = fstat(job->output, &st) ? 0 : (size_t)st.st_size, room = bytes < OUTPUT_LIMIT ? bytes : OUTPUT_LIMIT;
    char *text = malloc(room + 1);
    if (!text)
        return;
    ssize_t got = pread(job->output, text, room, (off_t)(bytes - room));
    job->test->output_bytes = got > 0 ? (size_t)got : 0;
    text[job->test->output_bytes] = 0;
    job->test->output = text;
}

static void finish(const struct execution *e, struct job *job)
{
    int status = 0;
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        ;
    struct test *test = job->test;
    test->seconds = now() - job->began;
    test->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    keep_output(job);
    close(job->process);
    close(job->output);
    job->test = NULL;
    e->ended(e->context, test);
}

/* Milliseconds until the next test has had its time; those that have are killed, and end by that. */
static int remaining(const struct execution *e, struct job *jobs)
{
    double least = 3600;
    for (unsigned i = 0; i < e->jobs; i++) {
        if (!jobs[i].test || jobs[i].test->timed_out)
            continue;
        double left = jobs[i].began + e->limit - now();
        if (left <= 0) {
            jobs[i].test->timed_out = true;
            kill(-jobs[i].pid, SIGKILL);
        } else if (left < least)
            least = left;
    }
    return (int)(least * 1000) + 1;
}

static void wait_for_some(const struct execution *e, struct job *jobs)
{
    struct pollfd polls[JOBS];
    nfds_t count = 0;
    for (unsigned i = 0; i < e->jobs; i++)
        polls[count++] = (struct pollfd){.fd = jobs[i].test ? jobs[i].process : -1, .events = POLLIN};
    if (poll(polls, count, remaining(e, jobs)) <= 0)
        return;
    for (unsigned i = 0; i < e->jobs; i++)
        if (jobs[i].test && polls[i].revents)
            finish(e, &jobs[i]);
}

bool execute(const struct execution *given, struct test *tests, size_t count)
{
    struct job jobs[JOBS] = {0};
    struct execution e = *given;
    struct sigaction act = {.sa_handler = on_interrupt}, before[2];
    size_t next = 0, running = 0;
    bool told = false;
    if (e.jobs > JOBS)
        e.jobs = JOBS;
    sigaction(SIGINT, &act, &before[0]);
    sigaction(SIGTERM, &act, &before[1]);
    do {
        for (unsigned i = 0; i < e.jobs && next < count && !interrupted; i++)
            while (!jobs[i].test && next < count) {
                struct test *test = &tests[next++];
                e.began(e.context, test);
                if (!start(&e, &jobs[i], test))
                    e.ended(e.context, test);
            }
        for (unsigned i = 0; i < e.jobs && interrupted && !told; i++)
            if (jobs[i].test)
                kill(-jobs[i].pid, SIGINT);
        told = interrupted;
        running = 0;
        for (unsigned i = 0; i < e.jobs; i++)
            running += jobs[i].test != NULL;
        if (running)
            wait_for_some(&e, jobs);
    } while (running || (next < count && !interrupted));
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
    return !interrupted;
}
