/*
 * One machine from outside: see supervisor.h. The worker asks, we answer; between two of its requests we read its event
 * record now and then and look whether it is still alive.
 */
#define _GNU_SOURCE
#include "loader/image.h"
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temporary.h"
#include "supervisor/part.h"
#include "supervisor/handles.h"

/* ---- The end ------------------------------------------------------------------------------------------------- */

static void set_end(struct supervisor *s, enum supervisor_outcome outcome, const char *detail)
{
    if (s->ended)
        return;
    s->ended = true;
    s->end.outcome = outcome;
    snprintf(s->end.detail, sizeof(s->end.detail), "%s", detail);
}

static void kill_worker(struct supervisor *s)
{
    if (!s->pid)
        return;
    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}

static void crashed(struct supervisor *s, const char *detail)
{
    kill_worker(s);
    set_end(s, SUPERVISOR_CRASHED, detail);
}

/* The socket is closed: the worker has ended or is ending. */
static void reap(struct supervisor *s)
{
    char detail[64];
    int status = 0;

    if (!s->pid)
        return;
    while (waitpid(s->pid, &status, 0) < 0)
        if (errno != EINTR)
            break;
    s->pid = 0;
    if (WIFSIGNALED(status))
        snprintf(detail, sizeof(detail), "SIG%s",
                 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        snprintf(detail, sizeof(detail), "exit %d", WEXITSTATUS(status));
    set_end(s, SUPERVISOR_CRASHED, detail);
}

static void halted(struct supervisor *s)
{
    uint32_t how = s->channel->halt;
    char why[sizeof(s->channel->why)];

    memcpy(why, s->channel->why, sizeof(why));
    why[sizeof(why) - 1] = 0;
    if (how == DOOR_HALT_CLEAN && s->end_sent)
        set_end(s, SUPERVISOR_CLEAN, why);
    else if (how == DOOR_HALT_STOP)
        set_end(s, SUPERVISOR_STOPPED, why);
    else if (how == DOOR_HALT_INTERNAL)
        set_end(s, SUPERVISOR_INTERNAL, why);
    else if (how == DOOR_HALT_WRECKED)
        set_end(s, SUPERVISOR_CRASHED, why);
    else
        set_end(s, SUPERVISOR_CRASHED, "halted unasked");
    if (s->snapshot && (s->end.outcome == SUPERVISOR_CLEAN || s->end.outcome == SUPERVISOR_STOPPED))
        s->halted = true;
    else
        kill_worker(s);
}

/* ---- Requests ------------------------------------------------------------------------------------------------ */

static void answer(struct supervisor *s, bool command)
{
    s->answered = true;
    if (s->board && command)
        guests_answer(s);
    else if (send(s->wake, "a", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1 && errno != EPIPE && errno != ECONNRESET)
        crashed(s, "the worker does not read its answers");
}

static void serve_file(struct supervisor *s)
{
    struct door_file request;

    memcpy(&request, &s->channel->file, sizeof(request));
    request.path[sizeof(request.path) - 1] = 0;
    s->channel->error = (uint32_t)volume_serve(s->volume, &request, s->channel->transfer, CHANNEL_TRANSFER);
    memcpy(&s->channel->file, &request, sizeof(request));
}

/* Bytes [from, to) of an image, to their place in the file that the worker sees. */
static bool copy_image(struct supervisor *s, const char *bytes, uint64_t from, uint64_t to)
{
    while (from < to) {
        ssize_t n = pwrite(s->images_fd, bytes + from, to - from, (off_t)(s->images_end + from));
        if (n <= 0)
            return false;
        from += (uint64_t)n;
    }
    return true;
}

/* Debugging information, most of the kernel's image, stays out where no check sum covers it: copying it would take as long as all the
 * rest of a start. */
static bool add_image(struct supervisor *s, const char *name, const void *bytes, uint64_t size)
{
    uint32_t count = atomic_load(&s->directory->count);
    struct channel_image *entry = &s->directory->image[count];
    uint64_t hole = 0, after = 0;
    struct image_file file;

    if (count == CHANNEL_IMAGES || size > CHANNEL_IMAGES_BYTES - s->images_end || strlen(name) >= sizeof(entry->name))
        return false;
    if (image_parse(&file, bytes, size) && file.info.check_sum == 0)
        image_unmapped(&file, &hole, &after);
    if (!copy_image(s, bytes, 0, hole) || !copy_image(s, bytes, after, size))
        return false;
    strcpy(entry->name, name);
    entry->offset = s->images_end;
    entry->bytes = size;
    s->images_end = (s->images_end + size + 4095) & ~4095ull;
    atomic_store(&s->directory->count, count + 1);
    return true;
}

static void serve_image(struct supervisor *s)
{
    char path[sizeof(s->channel->path)];
    uint64_t size;
    void *bytes = NULL;
    int error;

    memcpy(path, s->channel->path, sizeof(path));
    path[sizeof(path) - 1] = 0;
    error = volume_read_all(s->volume, path, &bytes, &size);
    if (!error && !add_image(s, strrchr(path, '/') ? strrchr(path, '/') + 1 : path, bytes, size))
        error = DOOR_NO_SPACE;
    free(bytes);
    s->channel->image = atomic_load(&s->directory->count) - 1;
    s->channel->error = (uint32_t)error;
}

static void serve_request(struct supervisor *s)
{
    if (!record_drain(s)) {
        crashed(s, "the event record is damaged");
        return;
    }
    switch (s->channel->request) {
    case CHANNEL_DRAIN:
        answer(s, false);
        break;
    case CHANNEL_COMMAND:
        s->asked = true;
        break;
    case CHANNEL_FILE:
        serve_file(s);
        answer(s, false);
        break;
    case CHANNEL_IMAGE:
        serve_image(s);
        answer(s, false);
        break;
    case CHANNEL_DISK:
        disk_serve(s);
        answer(s, false);
        break;
    case CHANNEL_HALT:
        halted(s);
        break;
    default:
        crashed(s, "the worker sent a request that does not exist");
    }
}

static volatile sig_atomic_t interrupted;

void supervisor_interrupt(void)
{
    interrupted = 1;
}

/* The socket's own time-out (spawn.c) ends the wait now and then. False: nothing was said. */
static bool receive(struct supervisor *s, int flags)
{
    char byte;
    ssize_t n = recv(s->wake, &byte, 1, flags);

    if (interrupted) {
        crashed(s, "interrupted");
        return false;
    }
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        reap(s);
    else if (byte == 'r')
        serve_request(s);
    else if (byte == 'c' && s->board)
        s->asked = true;
    else if (byte != 'e') /* some of the record is to be read, which follows anyway */
        crashed(s, "the worker said something that has no meaning");
    return true;
}

/* Nothing has been heard of the worker for a while. */
static void guard(struct supervisor *s)
{
    const char *reason = guard_check(s);

    if (reason)
        crashed(s, reason);
}

/* Serve until the kernel asks for a command or the machine has ended. */
static void serve(struct supervisor *s)
{
    while (!s->asked && !s->ended) {
        if (!receive(s, 0) && !s->ended)
            guard(s);
        if (!s->ended && !record_drain(s))
            crashed(s, "the event record is damaged");
    }
}

bool supervisor_look(struct supervisor *s, bool quiet)
{
    while (!s->ended && receive(s, MSG_DONTWAIT))
        ;
    if (!s->ended && quiet)
        guard(s);
    if (!s->ended && !record_drain(s))
        crashed(s, "the event record is damaged");
    return !s->ended;
}

int supervisor_news(const struct supervisor *s)
{
    return s->wake;
}

/* ---- The interface ------------------------------------------------------------------------------------------- */

static bool read_file(const char *directory, const char *name, void **bytes, size_t *size, char why[256])
{
    char path[4096];
    struct stat st;
    int fd;

    *bytes = NULL;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size = (size_t)st.st_size;
        *bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (*bytes == MAP_FAILED)
            *bytes = NULL;
    }
    if (!*bytes)
        snprintf(why, 256, "cannot read %.180s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return *bytes != NULL;
}

const char *const supervisor_modules[] = {"ntoskrnl.exe", "hal.dll", "wmilib.sys", NULL};

static bool offer_kernel(struct supervisor *s, const char *directory, char why[256])
{
    for (const char *const *name = supervisor_modules; *name; name++) {
        void *bytes;
        size_t size;
        bool ok;

        if (!read_file(directory, *name, &bytes, &size, why))
            return false;
        ok = add_image(s, *name, bytes, size);
        munmap(bytes, size);
        if (!ok) {
            snprintf(why, 256, "cannot copy %s", *name);
            return false;
        }
        s->channel->machine.boot_images++;
    }
    return true;
}

static bool open_volume(struct supervisor *s, const char *directory, bool copied, char why[256])
{
    if (!directory || copied) {
        int error = temporary_directory(s->volume_path, sizeof(s->volume_path), "");
        if (error) {
            snprintf(why, 256, "cannot make a volume directory %.150s: %s", s->volume_path, strerror(error));
            return false;
        }
        s->own_volume = true;
        error = directory ? volume_copy(directory, s->volume_path) : 0;
        if (error) {
            snprintf(why, 256, "cannot copy the volume directory %.150s: %s", directory, strerror(error));
            return false;
        }
        directory = s->volume_path;
    }
    handles_raise_limit();
    s->volume = volume_open(directory);
    if (!s->volume)
        snprintf(why, 256, "cannot open the volume directory %.150s: %s", directory, strerror(errno));
    return s->volume != NULL;
}

static void describe(struct supervisor *s, const struct supervisor_options *options)
{
    s->debugger = options->debugger;
    s->channel->schedule = (struct door_schedule){.every = 1000};
    s->watchdog_ns = (options->watchdog_ms ? options->watchdog_ms : 2000) * 1000000ull;
    s->channel->machine = (struct channel_machine){
        .processors = options->processors,
        .stop_on_finding = options->stop_on_finding,
        .free_build = options->free_build,
        .special_pool = options->special_pool,
        .force_integrity = options->force_integrity,
        .points = options->points,
        .races = options->races,
        .trace_level = options->trace_level,
        .trace_io = options->trace_io,
        .dry_run = options->dry_run,
        .os_major = options->os_major,
        .os_minor = options->os_minor,
        .os_build = options->os_build,
        .watchdog_ms = options->debugger ? 0 : (uint32_t)(s->watchdog_ns / 1000000),
        .debugger = options->debugger,
        .snapshots = options->snapshots,
        .guests = options->guests,
        .boot_images = s->channel->machine.boot_images,
        .disk_sectors = s->channel->machine.disk_sectors,
        .disk_read_only = options->disk_read_only,
        .ram_bytes = options->ram_bytes,
        .seed = options->seed,
        .benigns = options->benigns,
    };
    memcpy(s->channel->machine.benign, options->benign, sizeof(options->benign));
}

static bool open_record(struct supervisor *s, const char *path, char why[256])
{
    if (!path)
        return true;
    s->record_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->record_fd < 0)
        snprintf(why, 256, "cannot write %s: %s", path, strerror(errno));
    return s->record_fd >= 0;
}

struct supervisor *supervisor_start(const struct supervisor_options *options, supervisor_event_fn *sink, void *context,
                                    char why[256])
{
    struct supervisor *s = calloc(1, sizeof(*s));
    struct supervisor_end end;
    bool ok;

    *why = 0;
    if (!s) {
        snprintf(why, 256, "out of memory");
        return NULL;
    }
    s->wake = s->channel_fd = s->images_fd = s->ram_fd = s->board_fd = s->record_fd = s->disk_fd = s->scratch.fd = -1;
    s->files[0] = s->files[1] = -1;
    s->sink = sink;
    s->context = context;
    ok = spawn_prepare(s, why) && (!options->guests || guests_open(s, why)) &&
         offer_kernel(s, options->kernel_dir, why) && open_volume(s, options->volume_dir, options->scratch, why) &&
         open_record(s, options->record_path, why) &&
         disk_open(s, options->disk_path, options->disk_read_only, options->scratch, why);
    if (ok) {
        describe(s, options);
        ok = spawn_worker(s, why);
    }
    if (ok) {
        guard_reset(s);
        serve(s);
        ok = s->asked;
    }
    if (ok)
        return s;
    supervisor_finish(s, &end);
    if (!*why)
        snprintf(why, 256, "the machine did not start: %.200s", end.detail);
    return NULL;
}

bool supervisor_offer(struct supervisor *s, const char *name, const void *bytes, size_t size)
{
    return add_image(s, name, bytes, size);
}

bool supervisor_command(struct supervisor *s, struct door_command *command)
{
    if (s->ended || !s->asked)
        return false;
    s->channel->command = *command;
    if (command->code == DOOR_COMMAND_END)
        s->end_sent = true;
    s->asked = false;
    answer(s, true);
    serve(s);
    if (!s->asked)
        return false;
    command->status = s->channel->command.status;
    command->value = s->channel->command.value;
    if (command->code == DOOR_COMMAND_REGISTRY_ANSWER)
        memcpy(command->text, s->channel->command.text, sizeof command->text);
    return true;
}

struct door_schedule *supervisor_schedule(struct supervisor *s)
{
    return &s->channel->schedule;
}

struct door_user *supervisor_user(struct supervisor *s)
{
    return &s->channel->user;
}

void supervisor_schedule_met(const struct supervisor *s, struct door_schedule *met)
{
    const struct door_schedule *from = &s->channel->schedule;
    uint32_t points;

    memcpy(met, from, offsetof(struct door_schedule, plan));
    met->plan_picks = 0; /* the plan is not told again */
    met->points = from->points;
    met->made_picks = from->made_picks;
    met->flows = from->flows;
    met->unmet = from->unmet;
    if (met->made_picks > DOOR_MADE_PICKS)
        met->made_picks = DOOR_MADE_PICKS;
    memcpy(met->made, from->made, met->made_picks * sizeof(met->made[0]));
    points = met->points < DOOR_POINTS ? met->points : DOOR_POINTS;
    memcpy(met->possible, from->possible, points);
}

bool supervisor_ended(const struct supervisor *s, struct supervisor_end *end)
{
    if (s->ended)
        *end = s->end;
    return s->ended;
}

/* One of the commands that the kernel never sees. */
static bool own_command(struct supervisor *s, enum channel_command code)
{
    s->channel->command = (struct door_command){.code = code};
    s->asked = s->halted = s->ended = false;
    s->end_sent = s->channel->batch_count && s->channel->batch[s->channel->batch_count - 1].code == DOOR_COMMAND_END;
    answer(s, true);
    serve(s);
    return s->asked && s->channel->command.status == DOOR_OK;
}

bool supervisor_snapshot(struct supervisor *s)
{
    if (s->ended || !s->asked || s->snapshot || !own_command(s, CHANNEL_SNAPSHOT))
        return false;
    s->snapshot = true;
    s->then.images = atomic_load(&s->directory->count);
    s->then.images_end = s->images_end;
    volume_mark(s->volume);
    disk_mark(s);
    return true;
}

/* False: there is no way back. Else the machine was there; it may have ended since. */
static bool go_back(struct supervisor *s)
{
    if (!s->snapshot || !(s->asked || s->halted) || !volume_back(s->volume) || !disk_back(s))
        return false;
    atomic_store(&s->directory->count, s->then.images);
    s->images_end = s->then.images_end;
    own_command(s, CHANNEL_RESTORE);
    return !s->ended || s->end.outcome != SUPERVISOR_INTERNAL || strcmp(s->end.detail, CHANNEL_LOST);
}

bool supervisor_restore(struct supervisor *s)
{
    return go_back(s) && s->asked;
}

bool supervisor_again(struct supervisor *s, struct door_command *commands, unsigned count)
{
    bool back;

    memcpy(s->channel->batch, commands, count * sizeof(*commands));
    s->channel->batch_next = 0;
    s->channel->batch_count = count;
    back = go_back(s);
    memcpy(commands, s->channel->batch, count * sizeof(*commands));
    s->channel->batch_next = s->channel->batch_count = 0;
    return back;
}

static void close_all(struct supervisor *s)
{
    int fds[] = {s->wake, s->channel_fd, s->images_fd, s->ram_fd, s->record_fd};

    disk_close(s);
    guests_close(s);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (s->channel)
        munmap(s->channel, sizeof(*s->channel));
    if (s->directory)
        munmap(s->directory, sizeof(*s->directory));
    if (s->volume)
        volume_close(s->volume);
    if (s->own_volume)
        volume_remove_tree(s->volume_path);
}

void supervisor_finish(struct supervisor *s, struct supervisor_end *end)
{
    struct door_command command = {.code = DOOR_COMMAND_END};

    while (!s->ended && s->asked && supervisor_command(s, &command))
        ;
    kill_worker(s);
    if (s->channel && !record_drain(s))
        set_end(s, SUPERVISOR_CRASHED, "the event record is damaged");
    set_end(s, SUPERVISOR_CRASHED, "not started");
    *end = s->end;
    close_all(s);
    free(s);
}
