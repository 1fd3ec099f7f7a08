/*
 * See symbolizer.h. The protocol: one line `CODE "path" 0xRVA`; the answer is for each frame a line with the function
 * and indented lines "  Key: value", "??" for what is unknown, and an empty line at the end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>
#include "report/symbolizer.h"

enum { ANSWER_TIMEOUT_MS = 10000, CPU_SECONDS = 60 };

struct symbolizer {
    pid_t child; /* 0 = not started, -1 = there is none, or it failed: don't ask again */
    int to, from;
    size_t have; /* bytes in buffer */
    char buffer[8192];
};

const char *symbolizer_path(char *path, size_t room)
{
    const char *search = getenv("PATH");
    for (int version = 0; version <= 14; version++) { /* the plain name first, then 22 down to 9 */
        char name[32];
        snprintf(name, sizeof name, version ? "llvm-symbolizer-%d" : "llvm-symbolizer", 23 - version);
        for (const char *p = search ? search : "/usr/bin:/bin"; p; p = strchr(p, ':') ? strchr(p, ':') + 1 : NULL) {
            int n = (int)strcspn(p, ":");
            if (n && (size_t)snprintf(path, room, "%.*s/%s", n, p, name) < room && !access(path, X_OK))
                return path;
        }
    }
    return NULL;
}

struct symbolizer *symbolizer_open(void)
{
    return calloc(1, sizeof(struct symbolizer));
}

static void give_up(struct symbolizer *s)
{
    if (s->child > 0) {
        close(s->to);
        close(s->from);
        kill(s->child, SIGKILL);
        while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    s->child = -1;
}

void symbolizer_close(struct symbolizer *s)
{
    if (!s)
        return;
    give_up(s);
    free(s);
}

static void become_symbolizer(const char *path, int in, int out)
{
    struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, file = {0, 0}, memory = {4ull << 30, 4ull << 30};
    int null = open("/dev/null", O_WRONLY);
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_FSIZE, &file);
    setrlimit(RLIMIT_CORE, &file);
    setrlimit(RLIMIT_AS, &memory);
    unsetenv("DEBUGINFOD_URLS"); /* it would ask the network */
    if (null < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0)
        _exit(127);
    close_range(3, ~0u, 0);
    signal(SIGPIPE, SIG_DFL);
    execl(path, "llvm-symbolizer", "--relative-address", "--inlines", "--functions=short", "--verbose", (char *)NULL);
    _exit(127);
}

static bool start(struct symbolizer *s)
{
    char path[1024];
    int to[2], from[2];
    if (s->child)
        return s->child > 0;
    s->child = -1;
    if (!symbolizer_path(path, sizeof path) || pipe2(to, O_CLOEXEC))
        return false;
    if (pipe2(from, O_CLOEXEC)) {
        close(to[0]);
        close(to[1]);
        return false;
    }
    pid_t child = fork();
    if (child == 0)
        become_symbolizer(path, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    s->to = to[1];
    s->from = from[0];
    if (child < 0) {
        close(s->to);
        close(s->from);
        return false;
    }
    s->child = child;
    return true;
}

/* One line of the answer without its newline; false when the child is gone or too slow. */
static bool read_line(struct symbolizer *s, char *line, size_t room)
{
    for (;;) {
        char *end = memchr(s->buffer, '\n', s->have);
        if (end) {
            size_t n = (size_t)(end - s->buffer);
            snprintf(line, room, "%.*s", (int)n, s->buffer);
            s->have -= n + 1;
            memmove(s->buffer, end + 1, s->have);
            return true;
        }
        if (s->have == sizeof s->buffer) /* a line as long as that is no use to anybody */
            s->have = 1;
        struct pollfd wait = {.fd = s->from, .events = POLLIN};
        int ready = poll(&wait, 1, ANSWER_TIMEOUT_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        ssize_t got = ready > 0 ? read(s->from, s->buffer + s->have, sizeof s->buffer - s->have) : 0;
        if (got <= 0)
            return false;
        s->have += (size_t)got;
    }
}

/* "  Line: 41" */
static void read_key(const char *text, struct symbolizer_frame *frame)
{
    static const struct {
        const char *key;
        size_t at;
    } numbers[] = {{"  Line: ", offsetof(struct symbolizer_frame, line)},
                   {"  Column: ", offsetof(struct symbolizer_frame, column)},
                   {"  Function start line: ", offsetof(struct symbolizer_frame, start_line)}};
    static const char file[] = "  Filename: ";
    if (!strncmp(text, file, sizeof file - 1) && strcmp(text + sizeof file - 1, "??"))
        snprintf(frame->file, sizeof frame->file, "%.511s", text + sizeof file - 1);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strncmp(text, numbers[i].key, strlen(numbers[i].key)))
            *(uint32_t *)((char *)frame + numbers[i].at) = (uint32_t)strtoul(text + strlen(numbers[i].key), NULL, 10);
}

/* A frame is complete when the next begins: keep it if it says anything. */
static unsigned keep_frame(const struct symbolizer_frame *frame, struct symbolizer_frame *frames, unsigned count,
                           unsigned room)
{
    if (count == room || (!*frame->function && !frame->line))
        return count;
    frames[count] = *frame;
    if (!frame->line)
        *frames[count].file = 0;
    return count + 1;
}

unsigned symbolizer_ask(struct symbolizer *s, const char *image, uint32_t rva, struct symbolizer_frame *frames,
                        unsigned room)
{
    char question[2048], text[1024];
    struct symbolizer_frame frame = {0};
    unsigned count = 0;
    for (const char *p = image; *p; p++) /* no way to quote these in the protocol */
        if (*p == '"' || (unsigned char)*p < 0x20)
            return 0;
    int n = snprintf(question, sizeof question, "CODE \"%s\" 0x%x\n", image, rva);
    if (n >= (int)sizeof question || !start(s))
        return 0;
    if (write(s->to, question, (size_t)n) != n) {
        give_up(s);
        return 0;
    }
    s->have = 0;
    for (bool answered = false; read_line(s, text, sizeof text); answered = true) {
        if (!*text && answered) /* the first line is a function's name, which may be empty */
            return keep_frame(&frame, frames, count, room);
        if (answered && !strncmp(text, "  ", 2)) {
            read_key(text, &frame);
            continue;
        }
        count = keep_frame(&frame, frames, count, room);
        memset(&frame, 0, sizeof frame);
        if (strcmp(text, "??"))
            snprintf(frame.function, sizeof frame.function, "%.255s", text);
    }
    give_up(s);
    return 0;
}
