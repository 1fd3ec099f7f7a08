/*
 * What is mapped where, kept while the machine may be asked for a snapshot: a list of extents in ascending order, each
 * as long as it can be. Linux keeps the same list as the process's mappings and allows some 65,000 of them; so do we.
 * The guards of stacks are not in it, see stacks.c.
 *
 * Going back to an earlier list needs no log of what happened in between: both lists are walked side by side, and where
 * they differ the old mapping is made again.
 */
#include "machine/extents.h"

#include <string.h>

static struct extent list[EXTENTS_LIMIT + 2];
static uint32_t count;
static bool overflow; /* for good: what was mapped since is not known */

const struct extent *extents_list(uint32_t *n)
{
    *n = count;
    return overflow ? NULL : list;
}

void extents_set_list(const struct extent *extents, uint32_t n)
{
    memcpy(list, extents, n * sizeof(*list));
    count = n;
}

/* Index of the first extent that ends above va. */
static uint32_t find(uint64_t va)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (list[middle].end <= va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool insert(uint32_t at, struct extent extent)
{
    if (count >= EXTENTS_LIMIT) {
        overflow = true;
        return false;
    }
    memmove(list + at + 1, list + at, (count - at) * sizeof(*list));
    list[at] = extent;
    count++;
    return true;
}

/* Make va a boundary. */
static bool split(uint64_t va)
{
    uint32_t at = find(va);
    struct extent upper;

    if (at == count || list[at].va >= va)
        return true;
    upper = list[at];
    upper.pa += va - upper.va;
    upper.va = va;
    if (!insert(at + 1, upper))
        return false;
    list[at].end = va;
    return true;
}

static bool continues(const struct extent *a, const struct extent *b)
{
    return a->end == b->va && a->protection == b->protection && a->pa + (a->end - a->va) == b->pa;
}

/* Join what continues in [first - 1, last + 1]. */
static void join(uint32_t first, uint32_t last)
{
    uint32_t from = first ? first - 1 : 0, to = from;

    for (uint32_t i = from + 1; i < count && i <= last + 1; i++) {
        if (continues(&list[to], &list[i]))
            list[to].end = list[i].end;
        else
            list[++to] = list[i];
        from = i;
    }
    if (from != to) {
        memmove(list + to + 1, list + from + 1, (count - from - 1) * sizeof(*list));
        count -= from - to;
    }
}

void extents_unmap(uint64_t va, uint64_t bytes)
{
    uint32_t first, last;

    if (overflow || !split(va) || !split(va + bytes))
        return;
    first = find(va);
    for (last = first; last < count && list[last].va < va + bytes; last++)
        ;
    memmove(list + first, list + last, (count - last) * sizeof(*list));
    count -= last - first;
}

void extents_map(uint64_t va, uint64_t pa, uint64_t bytes, uint32_t protection)
{
    uint32_t at;

    extents_unmap(va, bytes);
    at = find(va);
    if (!overflow && insert(at, (struct extent){va, va + bytes, pa, protection}))
        join(at, at);
}

void extents_protect(uint64_t va, uint64_t bytes, uint32_t protection)
{
    uint32_t first, last;

    if (overflow || !split(va) || !split(va + bytes))
        return;
    first = find(va);
    for (last = first; last < count && list[last].va < va + bytes; last++)
        list[last].protection = protection;
    if (last > first)
        join(first, last - 1);
}

/* ---- Differences ----------------------------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The part of `e` from pos on as one piece up to `end`; va 0: nothing is mapped at pos. *next: where that changes. */
static struct extent piece(const struct extent *e, bool there, uint64_t pos, uint64_t *next)
{
    if (!there)
        return (struct extent){0};
    if (e->va > pos) {
        *next = least(*next, e->va);
        return (struct extent){0};
    }
    *next = least(*next, e->end);
    return (struct extent){pos, e->end, e->pa + (pos - e->va), e->protection};
}

bool extents_difference(const struct extent *to, uint32_t n, extents_change_fn *change)
{
    uint32_t i = 0, j = 0;
    uint64_t pos = 0;

    while (i < count || j < n) {
        uint64_t next = ~0ull;
        struct extent now = piece(&list[i], i < count, pos, &next), then = piece(&to[j], j < n, pos, &next);

        now.end = then.end = next;
        if ((now.va || then.va) && (now.va != then.va || now.pa != then.pa || now.protection != then.protection) &&
            !change(now.va ? &now : NULL, then.va ? &then : NULL))
            return false;
        pos = next;
        i += i < count && list[i].end <= pos;
        j += j < n && to[j].end <= pos;
    }
    return true;
}
