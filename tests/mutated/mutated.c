/*
 * Damaged images through the whole tool, as a user would give them to it: parse, map, bind, run, report, in a process
 * of their own each. Whatever the damage, irqlab ends by itself with one of its exit statuses, never with "internal
 * error"; what it refuses it refuses with one line; and it leaves nothing behind.
 *
 * usage: mutated IRQLAB CASES FIRST DRIVER.sys...     (same arguments, same cases; as many at a time as processors)
 */
#define _GNU_SOURCE
#define IMAGES "."
#include "tests.h"
#include "mutate.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_BYTES 65536
#define LIMIT_SECONDS                                                                                                  \
    60 /* real time, for one case on a busy host; the watchdog ends a driver that spins long before  \
                          */

static const char *irqlab;
static char place[] = "/tmp/irqlab-mutated-XXXXXX";

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The exit status of irqlab run on path, or -1 (it did not end), or 128 and the signal. Its words go to text. */
static int run_tool(const char *path, char text[TEXT_BYTES])
{
    int out[2], status;
    size_t used = 0;
    double end = now() + LIMIT_SECONDS;
    pid_t pid;

    if (pipe(out) || (pid = fork()) < 0)
        exit((perror("mutated"), 1));
    if (pid == 0) {
        dup2(out[1], 1), dup2(out[1], 2), close(out[0]), close(out[1]);
        setenv("TMPDIR", place, 1);
        execl(irqlab, irqlab, "run", "--no-color", "--for", "100ms", "--watchdog", "100ms", path, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    for (;;) {
        struct pollfd p = {.fd = out[0], .events = POLLIN};
        char rest[4096];
        double left = end - now();
        if (left < 0 || poll(&p, 1, (int)(left * 1000) + 1) == 0) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            close(out[0]);
            return -1;
        }
        ssize_t n =
            used < TEXT_BYTES - 1 ? read(out[0], text + used, TEXT_BYTES - 1 - used) : read(out[0], rest, sizeof rest);
        if (n <= 0)
            break;
        if (used < TEXT_BYTES - 1)
            used += (size_t)n;
    }
    text[used] = 0;
    close(out[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char *complaint(int status, const char *text)
{
    size_t length = strlen(text);

    if (status < 0)
        return "did not end";
    if (status > 3)
        return "a status that is none of irqlab's for bad input";
    if (!length)
        return "said nothing";
    if (status == 2 && (strncmp(text, "irqlab: ", 8) || strchr(text, '\n') != text + length - 1))
        return "is refused with something else than one line";
    return NULL;
}

/* Directories of volumes and the like in place. */
static int left_behind(void)
{
    DIR *d = opendir(place);
    int count = 0;

    for (struct dirent *e; (e = readdir(d));)
        count += e->d_name[0] != '.' && !strstr(e->d_name, ".sys");
    closedir(d);
    return count;
}

static int run_cases(uint64_t first, uint64_t cases, uint64_t step, uint64_t lane, int count, char **driver)
{
    static char text[TEXT_BYTES];
    uint64_t by_status[4] = {0};
    int failed = 0;
    char path[128];

    for (uint64_t i = lane; i < cases; i += step) {
        size_t size;
        uint8_t *good = file_read(driver[(first + i) % (uint64_t)count], &size);
        random_state = first + i;
        uint8_t *bytes = mutated(good, &size);
        snprintf(path, sizeof path, "%s/%llu.sys", place, (unsigned long long)(first + i));
        int f = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
        if (f < 0 || write(f, bytes, size) != (ssize_t)size || close(f))
            exit((perror(path), 1));
        int status = run_tool(path, text);
        const char *wrong = complaint(status, text);
        if (wrong) {
            printf("case %llu: %s (status %d): %.400s\n", (unsigned long long)(first + i), wrong, status, text);
            failed = 1;
        } else {
            by_status[status]++;
        }
        if (!wrong || !getenv("KEEP"))
            unlink(path);
        free(bytes), free(good);
    }
    printf("clean %llu, findings %llu, refused %llu, something missing %llu\n", (unsigned long long)by_status[0],
           (unsigned long long)by_status[1], (unsigned long long)by_status[2], (unsigned long long)by_status[3]);
    fflush(stdout);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc < 5 || !mkdtemp(place))
        return fprintf(stderr, "usage: %s IRQLAB CASES FIRST DRIVER.sys...\n", argv[0]), 2;
    irqlab = argv[1];
    uint64_t lanes = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN), cases = strtoull(argv[2], NULL, 0);
    int failed = 0, status;

    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (uint64_t lane = 0; lane < lanes; lane++)
        if (fork() == 0) {
            status = run_cases(strtoull(argv[3], NULL, 0), cases, lanes, lane, argc - 4, argv + 4);
            fflush(stdout);
            _exit(status);
        }
    while (wait(&status) > 0)
        failed |= status != 0;
    int left = left_behind();
    if (left)
        failed |= printf("%d things are left behind in %s\n", left, place) > 0;
    if (!left && !getenv("KEEP"))
        rmdir(place);
    return failed;
}
