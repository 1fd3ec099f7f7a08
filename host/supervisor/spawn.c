/*
 * Starting the worker: the program itself again, with fixed addresses, an empty environment and only the descriptors it
 * needs, at the numbers channel.h gives.
 */
#define _GNU_SOURCE
#include "supervisor/part.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <unistd.h>

/* RAM, then the stacks: a sparse file. */
#define RAM_FILE_BYTES (DOOR_STACK_PA + (DOOR_IMAGE_BASE - DOOR_STACK_BASE))

static int memory_file(const char *name, uint64_t bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd >= 0 && ftruncate(fd, (off_t)bytes) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool spawn_prepare(struct supervisor *s, char why[256])
{
    s->channel_fd = memory_file("irqlab-channel", sizeof(struct channel));
    s->images_fd = memory_file("irqlab-images", CHANNEL_IMAGES_BYTES);
    s->ram_fd = memory_file("irqlab-ram", RAM_FILE_BYTES);
    if (s->channel_fd < 0 || s->images_fd < 0 || s->ram_fd < 0) {
        snprintf(why, 256, "cannot make the machine's memory files: %s", strerror(errno));
        return false;
    }
    s->channel = mmap(NULL, sizeof(struct channel), PROT_READ | PROT_WRITE, MAP_SHARED, s->channel_fd, 0);
    s->directory = mmap(NULL, sizeof(struct channel_directory), PROT_READ | PROT_WRITE, MAP_SHARED, s->images_fd, 0);
    s->images_end = (sizeof(struct channel_directory) + 4095) & ~4095ull;
    s->channel = s->channel == MAP_FAILED ? NULL : s->channel;
    s->directory = s->directory == MAP_FAILED ? NULL : s->directory;
    if (!s->channel || !s->directory)
        snprintf(why, 256, "cannot map the machine's memory files: %s", strerror(errno));
    return s->channel && s->directory;
}

/* In the child: put the descriptors where the worker expects them, close the rest. */
static void arrange_descriptors(const struct supervisor *s, int wake)
{
    int from[] = {wake, s->ram_fd, s->files[1], s->channel_fd, s->images_fd, s->board_fd};
    const int count = sizeof(from) / sizeof(*from);
    int null;

    for (int i = 0; i < count; i++)
        if (from[i] >= 0 && (from[i] = fcntl(from[i], F_DUPFD, 64)) < 0)
            _exit(72);
    for (int i = 0; i < count; i++)
        if (from[i] >= 0 ? dup2(from[i], CHANNEL_FD_WAKE + i) < 0 : (close(CHANNEL_FD_WAKE + i), 0))
            _exit(72);
    null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3 && null >= 0; i++)
        if (i < 2 || !s->debugger)
            dup2(null, i);
    if (syscall(SYS_close_range, CHANNEL_FD_WAKE + count, ~0u, 0) < 0)
        for (int fd = CHANNEL_FD_WAKE + count; fd < 1024; fd++)
            close(fd);
}

static void __attribute__((noreturn)) become_worker(const struct supervisor *s, int wake, pid_t parent)
{
    static char *const argv[] = {CHANNEL_WORKER_NAME, NULL};
    static char *const environment[] = {NULL};
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(72);
    setpgid(0, 0); /* the terminal's signals are for the supervisor */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    /* Where this is refused, host addresses vary from run to run; the machine's do not. */
    personality(ADDR_NO_RANDOMIZE);
    arrange_descriptors(s, wake);
    execve("/proc/self/exe", argv, environment);
    _exit(72);
}

bool spawn_worker(struct supervisor *s, char why[256])
{
    const struct timeval look = {.tv_usec = 100000}; /* then the guard looks at the worker */
    int pair[2];
    pid_t parent = getpid();

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look)) < 0) {
        snprintf(why, 256, "cannot make a socket pair: %s", strerror(errno));
        return false;
    }
    s->wake = pair[0];
    s->pid = fork();
    if (s->pid == 0)
        become_worker(s, pair[1], parent);
    close(pair[1]);
    if (s->pid < 0) {
        s->pid = 0;
        snprintf(why, 256, "cannot start the worker: %s", strerror(errno));
        return false;
    }
    return true;
}
