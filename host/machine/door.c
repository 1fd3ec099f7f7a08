/*
 * The table of calls the kernel makes. Each is a line or two here; the work is done by the part it belongs to.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "sandbox/syscall.h"

#define DOOR_BOOT_TIME 132223104000000000ull /* 1 Jan 2020 00:00 UTC in 100 ns since 1601 */

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

struct machine machine;

static int DOOR_CALL door_map(uint64_t va, uint64_t pa, uint64_t bytes, uint32_t protection)
{
    machine_enter();
    int error = memory_map(va, pa, bytes, protection);
    machine_leave();
    return error;
}

static int DOOR_CALL door_unmap(uint64_t va, uint64_t bytes)
{
    machine_enter();
    int error = memory_unmap(va, bytes);
    machine_leave();
    return error;
}

static int DOOR_CALL door_protect(uint64_t va, uint64_t bytes, uint32_t protection)
{
    machine_enter();
    int error = memory_protect(va, bytes, protection);
    machine_leave();
    return error;
}

static int DOOR_CALL door_discard(uint64_t pa, uint64_t bytes)
{
    machine_enter();
    int error = memory_discard(pa, bytes);
    machine_leave();
    return error;
}

static int DOOR_CALL door_stacks(uint64_t slot, uint64_t count)
{
    machine_enter();
    int error = stacks_map(slot, count);
    machine_leave();
    return error;
}

static int DOOR_CALL door_share(uint32_t slot, uint32_t on)
{
    int error;

    machine_enter();
    error = share_open(slot, on);
    machine_leave();
    return error;
}

static void DOOR_CALL door_processor_select(uint64_t area)
{
    machine.area = area;
    if (machine.door.fsgsbase)
        __asm__ volatile("wrgsbase %0" : : "r"(area) : "memory");
    else
        sandbox_syscall(SYS_arch_prctl, ARCH_SET_GS, (long)area, 0, 0, 0, 0);
}

/* What a file written or made now shall show. */
static uint64_t file_time(void)
{
    return machine.door.boot_time + machine.door.now;
}

static uint64_t file_move(struct door_file *request)
{
    uint8_t *buffer = request->buffer;
    uint64_t left = request->bytes, done = 0;

    channel->error = DOOR_OK;
    while (left) {
        uint64_t part = left < CHANNEL_TRANSFER ? left : CHANNEL_TRANSFER;

        channel->file = (struct door_file){.op = request->op, .volume = request->volume, .handle = request->handle};
        channel->file.offset = request->offset + done;
        channel->file.stat.written = request->flags & DOOR_FILE_KEEP_TIMES ? 0 : file_time();
        channel->file.bytes = part;
        if (request->op == DOOR_FILE_WRITE)
            memcpy(channel->transfer, buffer + done, part);
        channel_ask(CHANNEL_FILE);
        part = channel->file.bytes < part ? channel->file.bytes : part;
        if (channel->error)
            break;
        if (request->op == DOOR_FILE_READ)
            memcpy(buffer + done, channel->transfer, part);
        done += part;
        left -= part;
        if (part < CHANNEL_TRANSFER)
            break;
    }
    return done;
}

static int DOOR_CALL door_file(struct door_file *request)
{
    machine_enter();
    if (request->op == DOOR_FILE_READ || request->op == DOOR_FILE_WRITE) {
        uint64_t done = file_move(request);
        if (done && channel->error == DOOR_END)
            channel->error = DOOR_OK;
        request->bytes = done;
    } else {
        void *buffer = request->buffer;
        channel->file = *request;
        channel->file.buffer = NULL;
        if (request->op != DOOR_FILE_SET_STAT)
            channel->file.stat.written = file_time();
        if (request->bytes > CHANNEL_TRANSFER)
            channel->file.bytes = CHANNEL_TRANSFER;
        channel_ask(CHANNEL_FILE);
        if (request->op == DOOR_FILE_LIST && channel->error == DOOR_OK && channel->file.bytes <= request->bytes)
            memcpy(buffer, channel->transfer, channel->file.bytes);
        *request = channel->file;
        request->buffer = buffer;
    }
    machine_leave();
    return (int)channel->error;
}

static void DOOR_CALL door_record(const struct door_event *event, const void *payload)
{
    machine_enter();
    channel_record(event, payload);
    machine_leave();
}

/* What the supervisor said to do next: the batch, or one command. */
static void ask_operator(void)
{
    for (;;) {
        channel_ask(CHANNEL_COMMAND);
        if (channel->command.code == CHANNEL_RESTORE)
            snapshot_restore();
        if (channel->command.code != CHANNEL_SNAPSHOT)
            return;
        channel->command.status = (uint32_t)snapshot_take(); /* comes back here after each RESTORE */
        if (channel->batch_next < channel->batch_count)
            return;
    }
}

/* The next one of the batch after `done`, or NULL. */
static struct door_command *next_of_batch(const struct door_command *done)
{
    bool failed = done && done->code == DOOR_COMMAND_LOAD && done->status >= 0x80000000;

    while (channel->batch_next < channel->batch_count && channel->batch_next < CHANNEL_BATCH) {
        struct door_command *next = &channel->batch[channel->batch_next++];
        if (!failed || next->code == DOOR_COMMAND_UNLOAD || next->code == DOOR_COMMAND_END)
            return next;
    }
    return NULL;
}

static void DOOR_CALL door_operator_next(struct door_command *command)
{
    struct door_command *next = NULL;
    uint32_t at = channel->batch_next;

    machine_enter();
    if (channel->machine.guests) {
        guests_next(command);
        machine_leave();
        return;
    }
    if (at && at <= channel->batch_count && at <= CHANNEL_BATCH) {
        channel->batch[at - 1] = *command;
        next = next_of_batch(command);
    }
    if (!next) {
        channel->batch_next = channel->batch_count = 0;
        channel->command = *command;
        ask_operator();
        next = next_of_batch(NULL);
    }
    *command = next ? *next : channel->command;
    machine_leave();
}

static uint32_t DOOR_CALL door_port(uint32_t port, uint32_t bytes, uint32_t write, uint32_t value)
{
    machine_enter();
    value = bus_port(port, bytes, write, value);
    machine_leave();
    return value;
}

static void DOOR_CALL door_device_run(struct door_interrupts *interrupts)
{
    machine_enter();
    bus_run(interrupts);
    machine_leave();
}

static void DOOR_CALL __attribute__((noreturn)) door_halt(uint32_t how, const char *why)
{
    machine_enter();
    if (snapshot_present() && how != DOOR_HALT_INTERNAL) {
        channel->halt = how;
        text_copy(channel->why, sizeof(channel->why), why);
        channel_ask(CHANNEL_HALT);
        if (channel->command.code == CHANNEL_RESTORE)
            snapshot_restore();
    }
    machine_halt(how, why);
}

static void fill_processor(struct door *door)
{
    unsigned a, b, c, d;

    door->fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
    __cpuid_count(0xd, 0, a, b, c, d);
    door->xstate_bytes = (b + 63) & ~63u;
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    door->xstate_mask = a | (uint64_t)d << 32;
}

void door_fill(void)
{
    const struct channel_machine *options = &channel->machine;
    struct door *door = &machine.door;

    *door = (struct door){
        .version = DOOR_VERSION,
        .bytes = sizeof(*door),
        .processors = options->processors,
        .stop_on_finding = options->stop_on_finding,
        .free_build = options->free_build,
        .special_pool = options->special_pool,
        .force_integrity = options->force_integrity,
        .points = options->points,
        .races = options->races,
        .trace_level = options->trace_level,
        .trace_io = options->trace_io,
        .shares = options->guests,
        .dry_run = options->dry_run,
        .os_major = options->os_major,
        .os_minor = options->os_minor,
        .os_build = options->os_build,
        .ram_bytes = options->ram_bytes,
        .ram_used = DOOR_PAGE, /* physical page 0 stays unused */
        .seed = options->seed,
        .boot_time = DOOR_BOOT_TIME,
        .image_next = DOOR_IMAGE_BASE,
        .map = door_map,
        .unmap = door_unmap,
        .protect = door_protect,
        .discard = door_discard,
        .share = door_share,
        .stacks = door_stacks,
        .processor_select = door_processor_select,
        .image_open = images_open,
        .image_map = images_map,
        .image_forget = images_forget,
        .image_export = images_export,
        .file = door_file,
        .record = door_record,
        .operator_next = door_operator_next,
        .port = door_port,
        .device_run = door_device_run,
        .device_due = UINT64_MAX,
        .halt = door_halt,
    };
    fill_processor(door);
    door->schedule = &channel->schedule;
    door->benign = options->benign;
    door->benigns = options->benigns < DOOR_BENIGN ? options->benigns : DOOR_BENIGN;
    door->user = &channel->user;
}
