/* Files through the door: more than fits a transfer, from memory that opens only when touched. */
#include "traps.h"

#define BYTES 700000ull
#define ROUNDED ((BYTES + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1))

static struct door_file File;
static unsigned Opened;

/* As the kernel's pageable memory: a touch opens one page. */
static int OpenPage(struct door_trap *trap)
{
    uint64_t page = trap->address & ~(DOOR_PAGE - 1);

    Need(trap->vector == DOOR_TRAP_PAGE_FAULT && page >= DOOR_PAGED_BASE, "a fault in pageable memory");
    Need(Door->protect(page, DOOR_PAGE, DOOR_READ | DOOR_WRITE) == DOOR_OK, "open");
    Opened++;
    return 1;
}

static uint8_t Byte(uint64_t i)
{
    return (uint8_t)(i * 7 + i / 4096);
}

static void Do(uint32_t op, uint64_t offset, void *buffer, uint64_t bytes, int error, const char *what)
{
    File.op = op;
    File.offset = offset;
    File.buffer = buffer;
    File.bytes = bytes;
    Need(Door->file(&File) == error, what);
}

void TestMain(void)
{
    uint8_t *linear = (uint8_t *)(DOOR_LINEAR_BASE + Door->ram_used),
            *paged = (uint8_t *)(DOOR_PAGED_BASE + Door->ram_used);

    TrapsInstall();
    Door->map((uint64_t)linear & ~0xfffull, Door->ram_used, ROUNDED, DOOR_READ | DOOR_WRITE);
    Door->map((uint64_t)paged & ~0xfffull, Door->ram_used, ROUNDED, DOOR_NONE);
    for (uint64_t i = 0; i < BYTES; i++)
        linear[i] = Byte(i);
    Hook = OpenPage;
    memcpy(File.path, "log.bin", 8);
    File.flags = DOOR_FILE_CREATE | DOOR_FILE_WRITABLE;
    Do(DOOR_FILE_OPEN, 0, 0, 0, DOOR_OK, "open");
    Need(File.created && File.stat.created == Door->boot_time + Door->now, "its time is the machine's");
    Do(DOOR_FILE_WRITE, 0, paged, BYTES, DOOR_OK, "write");
    Need(File.bytes == BYTES && Opened == ROUNDED / DOOR_PAGE, "every page was opened once");
    memset(linear, 0, BYTES);
    Do(DOOR_FILE_READ, 0, linear, BYTES + DOOR_PAGE, DOOR_OK, "read");
    Need(File.bytes == BYTES, "read to the end of the file");
    for (uint64_t i = 0; i < BYTES; i++)
        if (linear[i] != Byte(i))
            Need(0, "what was read is what was written");
    Do(DOOR_FILE_READ, BYTES, linear, 1, DOOR_END, "read behind the end");
    Do(DOOR_FILE_STAT, 0, 0, 0, DOOR_OK, "stat");
    Need(File.stat.size == BYTES, "size");
    Do(DOOR_FILE_CLOSE, 0, 0, 0, DOOR_OK, "close");
    Say("files");
}
