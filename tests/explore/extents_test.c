/* The list of what is mapped, against one entry for each page; and the way back from any list to any earlier one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "door.h"
#include "machine/extents.h"

enum { PAGES = 96, BASE = 0x10 }; /* pages BASE..BASE + PAGES */

struct page {
    uint64_t pa; /* 0 = not mapped */
    uint32_t protection;
};

static struct page page[PAGES], then[PAGES];
static struct extent saved[EXTENTS_LIMIT];
static uint64_t seed = 1;

static uint32_t roll(uint32_t sides)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % sides;
}

static uint64_t va(uint32_t n)
{
    return (BASE + n) * DOOR_PAGE;
}

static void step(void)
{
    uint32_t first = roll(PAGES), count = 1 + roll(PAGES - first), what = roll(3);
    uint64_t pa = (1 + roll(50)) * DOOR_PAGE;
    uint32_t protection = roll(4);
    if (what == 0)
        extents_map(va(first), pa, count * DOOR_PAGE, protection);
    else if (what == 1)
        extents_unmap(va(first), count * DOOR_PAGE);
    else
        extents_protect(va(first), count * DOOR_PAGE, protection);
    for (uint32_t i = first; i < first + count; i++) {
        if (what == 0)
            page[i] = (struct page){pa + (i - first) * DOOR_PAGE, protection};
        else if (what == 1)
            page[i].pa = 0;
        else
            page[i].protection = protection;
    }
}

static void compare(void)
{
    uint32_t count, at = 0;
    const struct extent *list = extents_list(&count);
    assert_non_null(list);
    for (uint32_t i = 0; i < PAGES; i++) {
        while (at < count && list[at].end <= va(i))
            at++;
        bool mapped = at < count && list[at].va <= va(i);
        assert_int_equal(mapped, page[i].pa != 0);
        if (mapped) {
            assert_int_equal(list[at].pa + (va(i) - list[at].va), page[i].pa);
            assert_int_equal(list[at].protection, page[i].protection);
        }
    }
    for (uint32_t i = 1; i < count; i++) { /* ascending, and as long as can be */
        assert_true(list[i - 1].end <= list[i].va && list[i].va < list[i].end);
        assert_false(list[i - 1].end == list[i].va && list[i - 1].protection == list[i].protection &&
                     list[i - 1].pa + (list[i - 1].end - list[i - 1].va) == list[i].pa);
    }
}

static void a_list_holds_what_is_mapped(void **state)
{
    for (int i = 0; i < 20000; i++) {
        step();
        compare();
    }
}

static bool change(const struct extent *now, const struct extent *old)
{
    const struct extent *range = now ? now : old;
    for (uint64_t at = range->va; at < range->end; at += DOOR_PAGE) {
        struct page *p = &page[at / DOOR_PAGE - BASE];
        assert_int_equal(now != NULL, p->pa != 0);
        *p = (struct page){0};
        if (old)
            *p = (struct page){old->pa + (at - old->va), old->protection};
    }
    return true;
}

static void the_difference_leads_back(void **state)
{
    for (int round = 0; round < 2000; round++) {
        uint32_t count;
        const struct extent *list = extents_list(&count);
        memcpy(saved, list, count * sizeof *saved);
        memcpy(then, page, sizeof page);
        for (uint32_t steps = roll(8); steps--;)
            step();
        assert_true(extents_difference(saved, count, change));
        extents_set_list(saved, count);
        for (uint32_t i = 0; i < PAGES; i++) {
            assert_int_equal(page[i].pa, then[i].pa);
            if (page[i].pa)
                assert_int_equal(page[i].protection, then[i].protection);
        }
        step();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_list_holds_what_is_mapped),
                                       cmocka_unit_test(the_difference_leads_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
