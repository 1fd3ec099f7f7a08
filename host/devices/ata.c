/*
 * An ATA disk: registers, commands, the PIO protocol, and the disk's side of DMA. (ATA/ATAPI-6; the general purpose
 * subset without packets.) Sectors come from the run's image file.
 *
 * The disk is device 0 of the first channel; there is no device 1. It is busy for a constant time after each command
 * and between the sectors of a PIO transfer, then raises its interrupt, which reading the status register or writing a
 * command takes back.
 *
 * Not done: READ and WRITE MULTIPLE (the disk says that it does not know them), power management beyond accepting the
 * commands, security, SMART.
 */
#include "devices/state.h"

#include <string.h>

/* 100 ns */
enum { COMMAND_TIME = 1000, SECTOR_TIME = 50, DMA_SECTOR_TIME = 40, RESET_TIME = 20000 };

enum { DATA, ERROR, COUNT, LOW, MIDDLE, HIGH, SELECT, STATUS, CONTROL };
enum { ERR = 0x01, DRQ = 0x08, SEEK = 0x10, FAULT = 0x20, READY = 0x40, BUSY = 0x80 };
enum { ABORTED = 0x04, NOT_FOUND = 0x10, UNCORRECTABLE = 0x40 };
enum { NO_INTERRUPT = 0x02, SOFT_RESET = 0x04, HIGH_BYTES = 0x80 };
enum { SECOND = 0x10, LBA = 0x40 };
enum { HEADS = 16, TRACK = 63 };

enum kind {
    KIND_NONE,
    KIND_READ,
    KIND_WRITE,
    KIND_READ_DMA,
    KIND_WRITE_DMA,
    KIND_VERIFY,
    KIND_IDENTIFY,
    KIND_FEATURES,
    KIND_FLUSH,
    KIND_ACCEPT,
    KIND_POWER,
    KIND_SIZE,
    KIND_DIAGNOSE
};

static const struct {
    uint8_t code, kind;
    bool wide; /* 48-bit */
} commands[] = {
    {0x10, KIND_ACCEPT, false},    {0x20, KIND_READ, false},     {0x21, KIND_READ, false},
    {0x24, KIND_READ, true},       {0x25, KIND_READ_DMA, true},  {0x27, KIND_SIZE, true},
    {0x30, KIND_WRITE, false},     {0x31, KIND_WRITE, false},    {0x34, KIND_WRITE, true},
    {0x35, KIND_WRITE_DMA, true},  {0x40, KIND_VERIFY, false},   {0x41, KIND_VERIFY, false},
    {0x42, KIND_VERIFY, true},     {0x90, KIND_DIAGNOSE, false}, {0x91, KIND_ACCEPT, false},
    {0xc8, KIND_READ_DMA, false},  {0xc9, KIND_READ_DMA, false}, {0xca, KIND_WRITE_DMA, false},
    {0xcb, KIND_WRITE_DMA, false}, {0xe0, KIND_ACCEPT, false},   {0xe1, KIND_ACCEPT, false},
    {0xe2, KIND_ACCEPT, false},    {0xe3, KIND_ACCEPT, false},   {0xe5, KIND_POWER, false},
    {0xe7, KIND_FLUSH, false},     {0xea, KIND_FLUSH, true},     {0xec, KIND_IDENTIFY, false},
    {0xef, KIND_FEATURES, false},  {0xf8, KIND_SIZE, false},
};

static enum kind kind_of(uint8_t code, bool *wide)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (commands[i].code == code) {
            *wide = commands[i].wide;
            return commands[i].kind;
        }
    *wide = false;
    return KIND_NONE;
}

/* What a device shows after a reset: "I am an ATA disk, and found nothing wrong". */
static void show_signature(struct ata *a)
{
    a->error = 1;
    a->count[0] = a->low[0] = 1;
    a->middle[0] = a->high[0] = a->select = 0;
    a->status = READY | SEEK;
}

void ata_reset(uint64_t sectors, bool read_only)
{
    struct ata *a = &devices.ata;

    memset(a, 0, sizeof(*a));
    a->present = sectors != 0;
    a->sectors = sectors;
    a->read_only = read_only;
    a->due = DEVICES_NEVER;
    show_signature(a);
}

bool ata_line(void)
{
    return devices.ata.interrupt && !(devices.ata.control & NO_INTERRUPT);
}

static void raise_interrupt(struct ata *a)
{
    a->interrupt = true;
    busmaster_interrupt();
}

static void busy_for(struct ata *a, enum ata_phase phase, uint64_t time)
{
    a->phase = phase;
    a->status = (uint8_t)((a->status & ~(DRQ | ERR | FAULT)) | BUSY);
    a->due = devices_host->now() + time;
}

static void finish(struct ata *a, uint8_t error)
{
    a->phase = ATA_IDLE;
    a->due = DEVICES_NEVER;
    a->error = error;
    a->status = READY | SEEK | (error ? ERR : 0);
    raise_interrupt(a);
}

/* ---- Addresses --------------------------------------------------------------------------------------------------- */

static uint64_t address_of(const struct ata *a, bool wide)
{
    uint64_t low = a->low[0] | (uint64_t)a->middle[0] << 8 | (uint64_t)a->high[0] << 16;

    if (wide)
        return low | (uint64_t)a->low[1] << 24 | (uint64_t)a->middle[1] << 32 | (uint64_t)a->high[1] << 40;
    if (a->select & LBA)
        return low | (uint64_t)(a->select & 15) << 24;
    return a->low[0] ? ((low >> 8) * HEADS + (a->select & 15)) * TRACK + a->low[0] - 1 : DEVICES_NEVER;
}

/* The registers name the sector that failed, or the last one of the disk. */
static void show_address(struct ata *a, bool wide, uint64_t sector)
{
    a->low[0] = (uint8_t)sector;
    a->middle[0] = (uint8_t)(sector >> 8);
    a->high[0] = (uint8_t)(sector >> 16);
    if (wide) {
        a->low[1] = (uint8_t)(sector >> 24);
        a->middle[1] = (uint8_t)(sector >> 32);
        a->high[1] = (uint8_t)(sector >> 40);
    } else {
        a->select = (uint8_t)((a->select & 0xf0) | (sector >> 24 & 15));
    }
}

static bool take_range(struct ata *a, bool wide)
{
    a->sector = address_of(a, wide);
    a->left = a->count[0] | (wide ? (uint32_t)a->count[1] << 8 : 0);
    if (!a->left)
        a->left = wide ? 65536 : 256;
    return a->sector < a->sectors && a->left <= a->sectors - a->sector;
}

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

static void put_text(uint16_t *to, size_t words, const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < words; i++) {
        uint8_t first = 2 * i < length ? (uint8_t)text[2 * i] : ' ';
        uint8_t second = 2 * i + 1 < length ? (uint8_t)text[2 * i + 1] : ' ';
        to[i] = (uint16_t)(first << 8 | second);
    }
}

static void identify(struct ata *a)
{
    uint16_t w[256] = {0};
    uint32_t narrow = a->sectors < 0x0fffffff ? (uint32_t)a->sectors : 0x0fffffff;
    uint64_t cylinders = a->sectors / (HEADS * TRACK);

    w[0] = 0x0040; /* fixed disk */
    w[1] = w[54] = (uint16_t)(cylinders > 16383 ? 16383 : cylinders);
    w[3] = w[55] = HEADS;
    w[6] = w[56] = TRACK;
    put_text(w + 10, 10, "IRQLAB0001");
    put_text(w + 23, 4, "1.0");
    put_text(w + 27, 20, "IRQLAB EMULATED DISK");
    w[47] = 0x8000;
    w[49] = 0x0300; /* LBA, DMA */
    w[53] = 7;
    memcpy(w + 60, &narrow, sizeof(narrow));
    w[63] = (uint16_t)(7 | (a->transfer_mode >> 3 == 4 ? 0x100 << (a->transfer_mode & 7) : 0));
    w[64] = 3;
    w[65] = w[66] = w[67] = w[68] = 120;
    w[80] = 0x7e; /* ATA-1 to ATA-6 */
    w[82] = 0x0020;
    w[83] = 0x7400; /* 48-bit addresses, FLUSH CACHE, FLUSH CACHE EXT */
    w[84] = w[87] = 0x4000;
    w[85] = a->write_cache ? 0x0020 : 0;
    w[86] = 0x3400;
    w[88] = (uint16_t)(0x3f | (a->transfer_mode >> 3 == 8 ? 0x100 << (a->transfer_mode & 7) : 0));
    w[93] = 0x600b;
    memcpy(w + 100, &a->sectors, sizeof(a->sectors));
    memcpy(a->buffer, w, sizeof(a->buffer));
}

static uint8_t set_features(struct ata *a)
{
    uint8_t mode = a->count[0];

    switch (a->feature[0]) {
    case 0x02:
    case 0x82:
        a->write_cache = a->feature[0] == 0x02;
        return 0;
    case 0x03: /* PIO 0-4, multiword DMA 0-2, Ultra DMA 0-5 */
        if (mode <= 1 || (mode >= 0x08 && mode <= 0x0c) || (mode >= 0x20 && mode <= 0x22) ||
            (mode >= 0x40 && mode <= 0x45)) {
            a->transfer_mode = mode;
            return 0;
        }
        return ABORTED;
    default:
        return ABORTED;
    }
}

/* The block in the buffer is for the driver to read, or the buffer is for it to fill. */
static void offer_block(struct ata *a, enum ata_phase phase, bool interrupt)
{
    a->phase = phase;
    a->due = DEVICES_NEVER;
    a->place = 0;
    a->error = 0;
    a->status = READY | SEEK | DRQ;
    if (interrupt)
        raise_interrupt(a);
}

static void fail_at(struct ata *a, bool wide, uint8_t error)
{
    show_address(a, wide, a->sector);
    finish(a, error);
}

static void read_block(struct ata *a, bool wide)
{
    if (!devices_host->disk(a->sector, a->buffer, false)) {
        fail_at(a, wide, UNCORRECTABLE);
        return;
    }
    a->sector++;
    a->left--;
    offer_block(a, ATA_DATA_IN, true);
}

static void move_by_dma(struct ata *a, bool wide, bool to_memory)
{
    if (!busmaster_started()) {
        a->phase = ATA_DMA_WAITS;
        a->due = DEVICES_NEVER;
        a->status = READY | SEEK | DRQ;
        return;
    }
    for (; a->left; a->sector++, a->left--) {
        enum busmaster_result result;

        if (to_memory && !devices_host->disk(a->sector, a->buffer, false))
            break;
        result = busmaster_move(a->buffer, ATA_SECTOR, to_memory);
        if (result == BUSMASTER_STOPPED) { /* it waits for more, for ever if need be */
            a->phase = ATA_DMA_WAITS;
            a->due = DEVICES_NEVER;
            return;
        }
        if (result == BUSMASTER_FAILED) {
            fail_at(a, wide, ABORTED);
            return;
        }
        if (!to_memory && !devices_host->disk(a->sector, a->buffer, true))
            break;
    }
    if (a->left) {
        fail_at(a, wide, UNCORRECTABLE);
        return;
    }
    busmaster_end();
    finish(a, 0);
}

static void run_command(struct ata *a)
{
    bool wide;
    enum kind kind = kind_of(a->command, &wide);
    bool writes = kind == KIND_WRITE || kind == KIND_WRITE_DMA;

    if (writes || kind == KIND_READ || kind == KIND_READ_DMA || kind == KIND_VERIFY) {
        if (writes && a->read_only) {
            finish(a, ABORTED);
            return;
        }
        if (!take_range(a, wide)) {
            finish(a, NOT_FOUND);
            return;
        }
    }
    switch (kind) {
    case KIND_READ:
        read_block(a, wide);
        break;
    case KIND_WRITE:
        offer_block(a, ATA_DATA_OUT, false); /* the first block comes without an interrupt */
        break;
    case KIND_READ_DMA:
    case KIND_WRITE_DMA:
        move_by_dma(a, wide, !writes);
        break;
    case KIND_IDENTIFY:
        identify(a);
        a->left = 0;
        offer_block(a, ATA_DATA_IN, true);
        break;
    case KIND_FEATURES:
        finish(a, set_features(a));
        break;
    case KIND_FLUSH:
        finish(a, devices_host->disk(0, NULL, true) ? 0 : UNCORRECTABLE);
        break;
    case KIND_POWER:
        a->count[0] = 0xff; /* active */
        finish(a, 0);
        break;
    case KIND_SIZE:
        show_address(a, wide, wide || a->sectors <= 0x0fffffff ? a->sectors - 1 : 0x0ffffffe);
        finish(a, 0);
        break;
    case KIND_DIAGNOSE:
        show_signature(a);
        finish(a, 0);
        a->error = 1;
        break;
    case KIND_VERIFY:
    case KIND_ACCEPT:
        finish(a, 0);
        break;
    case KIND_NONE:
        finish(a, ABORTED);
    }
}

void ata_run(uint64_t now)
{
    struct ata *a = &devices.ata;
    bool wide;
    enum kind kind = kind_of(a->command, &wide);

    if (a->due > now)
        return;
    switch (a->phase) {
    case ATA_COMMAND:
        run_command(a);
        break;
    case ATA_DATA_IN:
        read_block(a, wide);
        break;
    case ATA_DATA_OUT: /* a block is complete */
        if (!devices_host->disk(a->sector, a->buffer, true)) {
            fail_at(a, wide, UNCORRECTABLE);
            break;
        }
        a->sector++;
        if (--a->left)
            offer_block(a, ATA_DATA_OUT, true);
        else
            finish(a, 0);
        break;
    case ATA_DMA_WAITS:
        move_by_dma(a, wide, kind == KIND_READ_DMA);
        break;
    case ATA_RESET:
        a->phase = ATA_IDLE;
        a->due = DEVICES_NEVER;
        show_signature(a);
        break;
    case ATA_IDLE:
        a->due = DEVICES_NEVER;
    }
}

void ata_dma_starts(void)
{
    struct ata *a = &devices.ata;

    if (a->phase == ATA_DMA_WAITS && a->left)
        a->due = devices_host->now() + SECTOR_TIME + (uint64_t)a->left * DMA_SECTOR_TIME;
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static void start_command(struct ata *a, uint8_t code)
{
    uint64_t time = COMMAND_TIME;
    bool wide;
    enum kind kind = kind_of(code, &wide);

    if (a->select & SECOND && kind != KIND_DIAGNOSE)
        return;
    a->command = code;
    a->interrupt = false;
    if ((kind == KIND_READ_DMA || kind == KIND_WRITE_DMA) && take_range(a, wide))
        time += (uint64_t)a->left * DMA_SECTOR_TIME;
    busy_for(a, ATA_COMMAND, time);
}

static void write_control(struct ata *a, uint8_t value)
{
    bool was = a->control & SOFT_RESET;

    a->control = value;
    if (value & SOFT_RESET) {
        a->interrupt = false;
        a->status = BUSY;
        a->phase = ATA_RESET;
        a->due = DEVICES_NEVER;
    } else if (was) {
        busy_for(a, ATA_RESET, RESET_TIME);
    }
}

/* The value of before stays behind the new one, for 48-bit commands. */
static void push(uint8_t pair[2], uint8_t value)
{
    pair[1] = pair[0];
    pair[0] = value;
}

static void write_register(struct ata *a, uint32_t number, uint8_t value)
{
    if (number == CONTROL) {
        write_control(a, value);
        return;
    }
    a->control &= (uint8_t)~HIGH_BYTES;
    if (a->status & (BUSY | DRQ))
        return; /* such writes have no effect */
    switch (number) {
    case ERROR:
        push(a->feature, value);
        break;
    case COUNT:
        push(a->count, value);
        break;
    case LOW:
        push(a->low, value);
        break;
    case MIDDLE:
        push(a->middle, value);
        break;
    case HIGH:
        push(a->high, value);
        break;
    case SELECT:
        a->select = value;
        break;
    default:
        start_command(a, value);
    }
}

static uint8_t read_register(struct ata *a, uint32_t number)
{
    unsigned which = a->control & HIGH_BYTES ? 1 : 0;

    if (number == STATUS || number == CONTROL) {
        if (a->select & SECOND)
            return 0; /* nobody there */
        if (number == STATUS)
            a->interrupt = false;
        return a->status;
    }
    if (a->status & BUSY)
        return a->status;
    switch (number) {
    case ERROR:
        return a->error;
    case COUNT:
        return a->count[which];
    case LOW:
        return a->low[which];
    case MIDDLE:
        return a->middle[which];
    case HIGH:
        return a->high[which];
    default:
        return a->select | 0xa0;
    }
}

/* The data port: 2 or 4 bytes at a time, when a block is offered. */
static uint32_t move_data(struct ata *a, uint32_t bytes, bool write, uint32_t value)
{
    uint32_t answer = 0, left = ATA_SECTOR - a->place;

    if (a->phase != (write ? ATA_DATA_OUT : ATA_DATA_IN) || !(a->status & DRQ) || a->select & SECOND || bytes < 2)
        return bytes >= 4 ? 0xffffffff : (1u << 8 * bytes) - 1;
    if (write)
        memcpy(a->buffer + a->place, &value, bytes < left ? bytes : left);
    else
        memcpy(&answer, a->buffer + a->place, bytes < left ? bytes : left);
    a->place += bytes;
    if (a->place < ATA_SECTOR)
        return answer;
    if (write || a->left) {
        busy_for(a, a->phase, SECTOR_TIME);
    } else {
        a->phase = ATA_IDLE;
        a->status = READY | SEEK;
    }
    return answer;
}

uint32_t ata_port(uint32_t number, uint32_t bytes, bool write, uint32_t value)
{
    struct ata *a = &devices.ata;

    if (number == DATA)
        return move_data(a, bytes, write, value);
    if (bytes != 1) /* the bus splits a wide access; only the first register answers here */
        value &= 0xff;
    if (write) {
        write_register(a, number, (uint8_t)value);
        return 0;
    }
    return read_register(a, number);
}
