/*
 * Calls every routine the kernel exports, at every IRQL, with arguments for which each condition of its contract holds
 * in turn. Loaded in a dry run: the kernel checks each call and then does not make it, so arguments may be nonsense.
 *
 * The order is level by level, variant by variant, routine by routine; tools/contracts/tests.lua writes the findings
 * down in the same order, and contracts_test.c compares. IRQL is changed by mov cr8 alone, which a driver's inlined
 * KeRaiseIrql is too, and which is no finding. Nothing but CR8 changes on the way, so the one call site serves all.
 */
#include <stddef.h>
#include <stdint.h>
#include "door.h"

#define ARGUMENTS 12 /* as many as the longest routine with a condition, and some */

typedef uint64_t routine(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                         uint64_t, uint64_t, uint64_t);

enum value {
    ZERO,
    ONE,
    NULL_POINTER,
    NO_TIME,
    SOME_TIME,
    NONPAGED_POOL_NX,
    PAGED_POOL,
    PAGED_POOL_CACHE_ALIGNED,
    FLAG_NON_PAGED,
    FLAG_PAGED,
    NARROW_FORMAT,
    WIDE_S_FORMAT,
    WIDE_STRING_FORMAT,
    WIDE_COUNTED_FORMAT,
    WIDE_CHARACTER_FORMAT,
    NONPAGED_BLOCK,
    PAGED_BLOCK,
};

static const int64_t no_time, some_time = -10000;

static uint64_t value_of(enum value value)
{
    switch (value) {
    case ZERO:
    case NULL_POINTER:
        return 0;
    case ONE:
    case PAGED_POOL:
        return 1;
    case NO_TIME:
        return (uint64_t)&no_time;
    case SOME_TIME:
        return (uint64_t)&some_time;
    case NONPAGED_POOL_NX:
        return 512;
    case PAGED_POOL_CACHE_ALIGNED:
        return 5;
    case FLAG_NON_PAGED:
        return 0x40;
    case FLAG_PAGED:
        return 0x100;
    case NARROW_FORMAT:
        return (uint64_t) "%s of %Z: %5.2d %% %p\n";
    case WIDE_S_FORMAT:
        return (uint64_t) "%d %S\n";
    case WIDE_STRING_FORMAT:
        return (uint64_t) "%%: %-10ws\n";
    case WIDE_COUNTED_FORMAT:
        return (uint64_t) "%Z is not %wZ\n";
    case WIDE_CHARACTER_FORMAT:
        return (uint64_t) "%lc\n";
    case NONPAGED_BLOCK:
        return DOOR_LINEAR_BASE + 0x100000;
    case PAGED_BLOCK:
        return DOOR_PAGED_BASE + 0x100000;
    }
    return 0;
}

#define ROUTINE(Name, Count, ...) extern routine *const __imp_##Name;
#include "contract_calls.h"
#undef ROUTINE

struct argument {
    uint8_t number; /* 1-based, 0 = none */
    uint8_t value;
};

static const struct {
    routine *const *import;
    unsigned variants;
    struct argument variant[MOST_VARIANTS][2];
} routines[] = {
#define ROUTINE(Name, Count, ...) {&__imp_##Name, Count, __VA_ARGS__},
#include "contract_calls.h"
};

#define ROUTINES (sizeof(routines) / sizeof(routines[0]))

static void set_irql(uint64_t irql)
{
    __asm__ volatile("mov %0, %%cr8" : : "r"(irql) : "memory");
}

static void call(size_t index, unsigned variant)
{
    uint64_t a[ARGUMENTS] = {0};

    for (unsigned i = 0; i < 2; i++) {
        const struct argument *argument = &routines[index].variant[variant][i];
        if (argument->number)
            a[argument->number - 1] = value_of(argument->value);
    }
    (*routines[index].import)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]);
}

/* Fails on purpose when done, so that the image is unloaded again. */
int32_t DriverEntry(void *driver, void *path)
{
    for (uint64_t level = 0; level <= TOP_LEVEL; level++) {
        set_irql(level);
        for (unsigned variant = 0; variant < MOST_VARIANTS; variant++)
            for (size_t i = 0; i < ROUTINES; i++)
                if (variant < routines[i].variants)
                    call(i, variant);
        set_irql(0);
    }
    return (int32_t)0xC0000120; /* STATUS_CANCELLED */
}
