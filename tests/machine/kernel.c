/*
 * The start of each test kernel, see kernel.h.
 */
#include "kernel.h"

struct door *Door;

void *memcpy(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((volatile char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memset(void *to, int byte, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((volatile char *)to)[i] = (char)byte;
    return to;
}

static size_t length(const char *text)
{
    size_t n = 0;

    while (text[n])
        n++;
    return n;
}

void Say(const char *text)
{
    struct door_event event = {.payload = (uint32_t)length(text), .type = DOOR_EVENT_NOTE, .time = Door->now};

    Door->record(&event, text);
}

void SayNumber(const char *text, uint64_t value)
{
    char line[100];
    size_t n = 0;
    int shift = 60;

    for (; text[n] && n < 70; n++)
        line[n] = text[n];
    memcpy(line + n, " 0x", 3);
    n += 3;
    while (shift && !(value >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        line[n++] = "0123456789abcdef"[value >> shift & 15];
    line[n] = 0;
    Say(line);
}

void Need(int condition, const char *text)
{
    if (!condition)
        Door->halt(DOOR_HALT_INTERNAL, text);
}

static struct door_command command;

int Asked(const char *text)
{
    size_t n = 0;

    while (text[n] && text[n] == command.text[n])
        n++;
    return text[n] == command.text[n];
}

void KiSystemStartup(struct door *door)
{
    Door = door;
    Need(door->version == DOOR_VERSION && door->bytes == sizeof(*door), "door version");
    Need(door->map(DOOR_PROCESSOR_BASE, door->ram_used, DOOR_PROCESSOR_BYTES, DOOR_READ | DOOR_WRITE) == DOOR_OK,
         "area");
    door->ram_used += DOOR_PROCESSOR_BYTES;
    *(volatile uint32_t *)(DOOR_PROCESSOR_BASE + DOOR_PCR_INTERRUPT_FLAG) = 1;
    door->operator_next(&command);
    TestMain();
    for (;;) {
        command.status = command.code == DOOR_COMMAND_END ? 0 : 0xC0000002;
        door->operator_next(&command);
        if (command.code == DOOR_COMMAND_END)
            door->halt(DOOR_HALT_CLEAN, "");
    }
}
