/* The patcher: what patched code does when it runs, what is left alone, the side table, and the way back for unwinders.
 */
#define _GNU_SOURCE
#include "tests.h"
#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

extern const uint8_t code_begin[], code_end[], code_data[], code_data_end[], code_pointer[], code_constant_table[];
extern const uint8_t code_return_address[];
extern const uint8_t *const code_functions[];
extern const uint8_t up_write_cr8[], up_enable_interrupts[], up_pause[];
void run_with(uint64_t registers[16], const void *routine);

#define TEXT BUILT_TEXT

/* A machine with one processor and one image. */
static uint8_t *area;   /* the processor's */
static uint8_t *shared; /* KUSER_SHARED_DATA */
static struct patch_table table;
static struct image_file file;
static uint8_t *memory;
static uint64_t va;

static const struct door_up *entries(void)
{
    static struct door_up up;
    up.write_cr8 = (uint64_t)up_write_cr8;
    up.enable_interrupts = (uint64_t)up_enable_interrupts;
    up.pause = (uint64_t)up_pause;
    return &up;
}

static bool protect(void *context, uint64_t at, uint64_t bytes, uint32_t protection)
{
    return mprotect((void *)at, bytes,
                    (protection & DOOR_READ ? PROT_READ : 0) | (protection & DOOR_WRITE ? PROT_WRITE : 0) |
                        (protection & DOOR_EXECUTE ? PROT_EXEC : 0)) == 0;
}

static bool map(const void *bytes, size_t size, const char **reason)
{
    if (!image_parse(&file, bytes, size))
        fail_msg("%s", file.info.reason);
    memory =
        mmap(NULL, file.info.bytes + file.info.extra_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    va = (uint64_t)memory;
    struct image_mapper mapper = {.bind = note_bind,
                                  .protect = protect,
                                  .shared_data = (uint64_t)shared,
                                  .patch = true,
                                  .up = entries(),
                                  .table = &table};
    return image_map(&file, va, &mapper, reason);
}

static void unmap(void)
{
    patch_remove(&table, va, file.info.bytes);
    munmap(memory, file.info.bytes + file.info.extra_bytes);
    assert_int_equal(table.count, 0);
}

/* An image whose text is code.S. */
static uint8_t *build(size_t *size, bool unwind)
{
    uint8_t *bytes = file_build(size, code_begin, (uint32_t)(code_end - code_begin));
    struct pe_headers *h = file_headers(bytes);
    struct pe_section *s = file_sections(bytes);

    /* .reloc: the one pointer, which leads to what follows the tables. */
    uint8_t *rdata = bytes + s[1].raw;
    uint32_t pointer = (uint32_t)(code_pointer - code_begin);
    pe_put32(rdata, TEXT + (pointer & ~0xfffu));
    pe_put32(rdata + 4, 12);
    pe_put32(rdata + 8, 0xa000 | (pointer & 0xfff));
    h->directory[PE_DIR_RELOC] = (struct pe_directory){s[1].rva, 12};
    pe_put64(bytes + 0x400 + pointer, h->image_base + TEXT + (code_return_address - code_begin));

    struct pe_function *f = (void *)(rdata + 0x100);
    uint32_t count = 0;
    rdata[0x80] = 1;
    rdata[0x84] = 1 | PE_UNWIND_CHAINED << 3;
    for (; unwind && code_functions[3 * count]; count++)
        f[count] = (struct pe_function){(uint32_t)(code_functions[3 * count] - code_begin) + TEXT,
                                        (uint32_t)(code_functions[3 * count + 1] - code_begin) + TEXT,
                                        s[1].rva + (code_functions[3 * count + 2] ? 0x84 : 0x80)};
    h->directory[PE_DIR_EXCEPTION] = (struct pe_directory){unwind ? s[1].rva + 0x100 : 0, count * 12};
    return bytes;
}

static int load_code(void **state)
{
    size_t size;
    const char *reason = "";
    uint8_t *bytes = build(&size, true);
    memset(area, 0, DOOR_PROCESSOR_BYTES);
    pe_put32(area + DOOR_PCR_INTERRUPT_FLAG, 1);
    if (!map(bytes, size, &reason))
        fail_msg("%s", reason);
    *state = bytes;
    return 0;
}

static int unload_code(void **state)
{
    unmap();
    free(*state);
    return 0;
}

/* The rva of a label of code.S, and a call of the patched function there. */
#define RVA(name)                                                                                                      \
    ({                                                                                                                 \
        extern const uint8_t code_##name[];                                                                            \
        (uint32_t)(code_##name - code_begin) + TEXT;                                                                   \
    })
#define CALL(name, ...) ((uint64_t(*)(uint64_t, ...))(va + RVA(name)))(__VA_ARGS__)

static uint32_t interrupt_flag(void)
{
    return pe_get32(area + DOOR_PCR_INTERRUPT_FLAG);
}

/* Calls into the kernel so far. */
static uint64_t writes(void)
{
    return pe_get64(area + 0x2000);
}

static uint64_t enables(void)
{
    return pe_get64(area + 0x2008);
}

static uint64_t pauses(void)
{
    return pe_get64(area + 0x2010);
}

static bool jumps(uint32_t rva)
{
    return memory[rva] == 0xe9;
}

/* ---- What stubs do ---------------------------------------------------------------------------------------------- */

static void cr8_is_read_and_written(void **state)
{
    area[DOOR_PCR_IRQL] = 2;
    assert_int_equal(CALL(read_cr8, 0), 2);
    area[DOOR_PCR_IRQL] = 15;
    assert_int_equal(CALL(read_cr8_r9, 0), 15);
    assert_int_equal(CALL(write_cr8, 11), 77);
    assert_int_equal(area[DOOR_PCR_IRQL], 11);
    assert_int_equal(CALL(write_cr8_r12, 5), 5);
    assert_int_equal(area[DOOR_PCR_IRQL], 5);
    assert_int_equal(writes(), 2);
    assert_true(jumps(RVA(read_cr8)) && jumps(RVA(write_cr8)) && jumps(RVA(read_cr8_r9)));
}

static void a_neighbour_relative_to_rip_reads_what_it_read(void **state)
{
    assert_true(jumps(RVA(rip_neighbour)));
    assert_int_equal(CALL(rip_neighbour, 0), 4711);
    assert_int_equal(interrupt_flag(), 0);
}

static void sti_keeps_the_flags(void **state)
{
    pe_put32(area + DOOR_PCR_INTERRUPT_FLAG, 0);
    assert_int_equal(CALL(sti_keeps_flags, 3, 4), 1);
    assert_int_equal(CALL(sti_keeps_flags, 4, 3), 0);
    assert_int_equal(interrupt_flag(), 1);
    assert_int_equal(enables(), 2);
}

static void branches_move_along(void **state)
{
    assert_true(jumps(RVA(spin)) && jumps(RVA(far_condition)) && jumps(RVA(jump_away)));
    assert_int_equal(CALL(spin, 6), 5);
    assert_int_equal(pauses(), 6);
    assert_int_equal(CALL(far_condition, 0), 2);
    assert_int_equal(CALL(far_condition, 1), 1);
    assert_int_equal(interrupt_flag(), 0);
    assert_int_equal(CALL(jump_away, 0), 31);
    assert_int_equal(interrupt_flag(), 1);
}

static void instructions_before_the_site_move_when_a_label_follows(void **state)
{
    assert_true(jumps(RVA(backward) + 2));
    assert_int_equal(CALL(backward, 0), 3);
    assert_int_equal(interrupt_flag(), 0);
}

static void a_moved_call_returns_to_the_original(void **state)
{
    assert_true(jumps(RVA(call_behind_return) - 6) && jumps(RVA(call_through_pointer_return) - 7));
    assert_true(jumps(RVA(call_through_register_return) - 5));
    assert_int_equal(CALL(call_behind, 0), va + RVA(call_behind_return));
    assert_int_equal(interrupt_flag(), 0);
    assert_int_equal(CALL(call_through_pointer, 0), va + RVA(call_through_pointer_return));
    assert_int_equal(interrupt_flag(), 1);
    assert_int_equal(CALL(call_through_register, 0), va + RVA(call_through_register_return));
    assert_int_equal(interrupt_flag(), 0);
}

static void flag_moves_carry_the_simulated_interrupt_flag(void **state)
{
    assert_int_equal(CALL(push_flags, 0), 0x10201);
    pe_put32(area + DOOR_PCR_INTERRUPT_FLAG, 0);
    assert_int_equal(CALL(push_flags, 0), 0x10001);
    assert_int_equal(CALL(pop_flags, 0x203), 1);
    assert_int_equal(interrupt_flag(), 1);
    assert_int_equal(enables(), 1);
    assert_int_equal(CALL(pop_flags, 0x002), 0);
    assert_int_equal(interrupt_flag(), 0);
    assert_int_equal(enables(), 1);
}

static void registers_and_stack_are_kept(void **state)
{
    uint64_t registers[16], expected[16];
    for (int i = 0; i < 16; i++)
        registers[i] = expected[i] = 0x1111111111111111ull * (uint64_t)i + 0x0102030405060708ull;
    area[DOOR_PCR_IRQL] = 9;
    expected[1] = 9;
    run_with(registers, (void *)(va + RVA(all_registers)));
    assert_memory_equal(registers, expected, sizeof registers);
    assert_int_equal(enables(), 4);
    assert_int_equal(pauses(), 1);
    assert_int_equal(writes(), 1);
}

static void shared_data_constants_lead_to_the_page(void **state)
{
    pe_put64(shared + 0x14, 1000);
    pe_put64(shared + 0x320, 234);
    assert_int_equal(CALL(shared_data, 0), 1234);
    assert_int_equal(table.figures.constants, 2);
}

/* ---- What is left alone ----------------------------------------------------------------------------------------- */

static void a_jump_target_is_never_covered(void **state)
{
    assert_int_equal(memory[RVA(no_room_cli) + 2], 0xfa); /* traps by itself */
    assert_true(table.figures.left >= 1);
}

static void table_labels_are_targets_too(void **state)
{
    /* `cli` before label 11: only the mov before it may move. */
    assert_int_equal(CALL(switch, 0), 101);
    assert_int_equal(interrupt_flag(), 0);
    memset(area + DOOR_PCR_INTERRUPT_FLAG, 1, 1);
    assert_int_equal((uint32_t)CALL(switch, 1) - (uint32_t)(va + RVA(switch)),
                     22 + 1); /* label 11's offset, plus one */
    assert_int_equal(interrupt_flag(), 1);
}

static void data_between_functions_stays(void **state)
{
    assert_memory_equal(memory + RVA(data), code_data, code_data_end - code_data);
    assert_memory_equal(memory + RVA(constant_table), code_constant_table, 8);
}

static void tables_of_rvas_are_seen_in_code(void **state)
{
    assert_int_equal(CALL(switch_by_rva, 2, va), 8);
    assert_int_equal(interrupt_flag(), 0);
    pe_put32(area + DOOR_PCR_INTERRUPT_FLAG, 1);
    assert_int_equal(CALL(switch_by_rva, 0, va), 16);
    assert_int_equal(CALL(switch_by_rva, 1, va), 4);
    assert_int_equal(interrupt_flag(), 1);
    assert_memory_equal(memory + RVA(rva_table), code_begin + RVA(rva_table) - TEXT, 20);
}

static void tables_in_another_part_stay(void **state)
{
    extern const uint8_t code_case_table_end[];
    assert_memory_equal(memory + RVA(jump_table), code_begin + RVA(jump_table) - TEXT,
                        code_case_table_end - (code_begin + RVA(jump_table) - TEXT));
    assert_true(memory[RVA(switch_middle) + 5] != 0xfa); /* code before them is patched */
    assert_int_equal(CALL(switch_in_parts, 0), 2);
    assert_int_equal(interrupt_flag(), 0);
    assert_int_equal(CALL(switch_in_parts, 5), 3);
    assert_int_equal(CALL(switch_in_parts, 14), 1);
}

static void sites_close_together_move_together(void **state)
{
    assert_int_equal(CALL(close_pair, 20), 61);
    assert_int_equal(enables(), 1);
    assert_true(jumps(RVA(close_pair)));
    assert_int_equal(CALL(end_of_function, 0), 0);
    assert_int_equal(enables(), 2);
    assert_true(jumps(RVA(end_of_function) + 2));
}

static void a_leaf_function_is_found_by_its_call(void **state)
{
    assert_true(jumps(RVA(leaf)));
    assert_int_equal(CALL(call_leaf, 0), 99);
    assert_int_equal(interrupt_flag(), 0);
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

static void instructions_that_answer_for_the_host_are_marked(void **state)
{
    static const struct {
        uint8_t kind, length;
    } expected[] = {
        {PATCH_CPUID, 2},  {PATCH_RDRAND, 3}, {PATCH_RDSEED, 4}, {PATCH_SGDT, 5},  {PATCH_SIDT, 3},
        {PATCH_SLDT, 3},   {PATCH_STR, 4},    {PATCH_SMSW, 3},   {PATCH_SMSW, 3},  {PATCH_NONE, 2},
        {PATCH_XGETBV, 3}, {PATCH_RDPID, 4},  {PATCH_RDTSC, 2},  {PATCH_RDTSC, 3},
    };
    uint32_t rva = RVA(answers);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; rva += expected[i++].length) {
        const struct patch_site *site = patch_find(&table, va + rva);
        if (expected[i].kind == PATCH_NONE) {
            assert_null(site);
            continue;
        }
        assert_non_null(site);
        assert_int_equal(site->kind, expected[i].kind);
        assert_int_equal(site->length, expected[i].length);
        assert_memory_equal(site->bytes, code_begin + rva - TEXT, site->length);
        assert_int_equal(memory[rva], 0xf4);
        assert_memory_equal(memory + rva + 1, code_begin + rva - TEXT + 1, site->length - 1u);
        assert_null(patch_find(&table, va + rva + 1));
    }
}

static void pause_without_room_is_marked(void **state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table.count; i++)
        if (table.site[i].kind == PATCH_PAUSE) {
            assert_in_range(table.site[i].va - va, RVA(no_room), RVA(no_room) + 20);
            count++;
        }
    assert_int_equal(count, 1);
}

static void the_table_keeps_images_apart(void **state)
{
    struct patch_site storage[8];
    struct patch_table t = {.site = storage, .capacity = 8};
    const uint64_t order[] = {0x5000, 0x1000, 0x3000, 0x2000, 0x4000, 0x2800, 0x1800, 0x800};
    for (int i = 0; i < 8; i++)
        assert_true(patch_add(&t, &(struct patch_site){.va = order[i], .kind = PATCH_CPUID, .length = (uint8_t)i}));
    assert_false(patch_add(&t, &(struct patch_site){.va = 0x6000}));
    assert_true(patch_add(&t, &(struct patch_site){.va = 0x3000, .length = 15})); /* known: replaced */
    for (int i = 0; i < 8; i++)
        assert_int_equal(patch_find(&t, order[i])->length, i == 2 ? 15 : i);
    patch_remove(&t, 0x1800, 0x1800);
    assert_int_equal(t.count, 5);
    assert_null(patch_find(&t, 0x2000));
    assert_non_null(patch_find(&t, 0x1000));
    assert_non_null(patch_find(&t, 0x3000));
}

static void a_full_table_or_little_scratch_refuses_the_image(void **state)
{
    struct patch_table kept = table;
    const char *reason = NULL;
    size_t size;
    uint8_t *bytes = build(&size, true);
    table.capacity = 3;
    assert_false(map(bytes, size, &reason));
    assert_non_null(strstr(reason, "emulate"));
    unmap();
    table = kept;
    table.scratch_bytes = 1000;
    assert_false(map(bytes, size, &reason));
    assert_non_null(strstr(reason, "examine"));
    unmap();
    table = kept;
    free(bytes);
}

/* ---- For unwinders ---------------------------------------------------------------------------------------------- */

static void every_stub_leads_back(void **state)
{
    struct door_stubs head;
    struct door_stub stub, previous = {0};
    memcpy(&head, memory + file.info.bytes, sizeof head);
    assert_true(head.count >= table.figures.stubs * 2);
    assert_int_equal(head.first + head.count * sizeof stub, file.info.bytes + file.info.extra_bytes);
    for (uint32_t i = 0; i < head.count; i++, previous = stub) {
        memcpy(&stub, memory + head.first + i * sizeof stub, sizeof stub);
        assert_true(stub.rva >= file.info.bytes + sizeof head && stub.rva < head.first);
        assert_true(stub.rva >= previous.rva);
        assert_true(stub.original >= TEXT && stub.original <= RVA(end));
        assert_true(stub.pushed == 0 || stub.pushed == 8);
    }
    /* The first: read_cr8's move, then its return. */
    memcpy(&stub, memory + head.first, sizeof stub);
    assert_int_equal(stub.original, RVA(read_cr8));
    assert_int_equal(stub.rva, RVA(read_cr8) + 5 + pe_get32(memory + RVA(read_cr8) + 1));
}

/* ---- Whole images ----------------------------------------------------------------------------------------------- */

static int no_code(void **state)
{
    memset(area, 0, DOOR_PROCESSOR_BYTES);
    pe_put32(area + DOOR_PCR_INTERRUPT_FLAG, 1);
    return 0;
}

static void code_without_unwind_data_is_swept_whole(void **state)
{
    size_t size;
    const char *reason = "";
    uint8_t *bytes = build(&size, false);
    assert_true(map(bytes, size, &reason));
    assert_int_equal(CALL(rip_neighbour, 0), 4711);
    assert_int_equal(CALL(call_leaf, 0), 99);
    assert_int_equal(CALL(spin, 2), 5);
    unmap();
    free(bytes);
}

#define MSCALL(name, result, ...)                                                                                      \
    ((result(__attribute__((ms_abi)) *)(uint64_t, ...))(                                                               \
        va + image_export_find(memory, file.info.bytes, name, 0, NULL)))(__VA_ARGS__)

static void compiled_drivers_run_patched(void **state)
{
    static const char *const kinds[] = {"gcc.sys", "clang.sys", "msvc.sys", "bare.sys"};
    for (int i = 0; i < 4; i++) {
        size_t size;
        const char *reason = "";
        uint8_t *bytes = file_read(kinds[i], &size);
        no_code(NULL);
        assert_true(map(bytes, size, &reason));
        area[DOOR_PCR_IRQL] = 1;
        assert_int_equal(MSCALL("RaiseAndLower", uint32_t, 7), 0x701);
        assert_int_equal(area[DOOR_PCR_IRQL], 1);
        assert_int_equal(writes(), 2);
        assert_int_equal(MSCALL("MaskInterrupts", uint32_t, 10), 35);
        assert_int_equal(enables(), 1);
        pe_put64(shared + 0x320, 987654321);
        assert_int_equal(MSCALL("ReadTicks", uint64_t, 0), 987654321);
        assert_int_equal(MSCALL("Switch", uint32_t, 0), 11);
        assert_int_equal(interrupt_flag(), 0);
        assert_int_equal(MSCALL("Switch", uint32_t, 2), 25);
        assert_int_equal(interrupt_flag(), 1);
        assert_int_equal(MSCALL("Switch", uint32_t, 3), 6);
        assert_int_equal(MSCALL("Switch", uint32_t, 5), 7);
        assert_int_equal(MSCALL("Switch", uint32_t, 1), 6);
        assert_int_equal(MSCALL("Switch", uint32_t, 6), 7);
        assert_int_equal(MSCALL("Switch", uint32_t, 9), 7);
        assert_int_equal(table.figures.left, 0);
        print_message("%s: %u stubs, %u markers, %u constants\n", kinds[i], table.figures.stubs, table.figures.markers,
                      table.figures.constants);
        unmap();
        free(bytes);
    }
}

/* The same image at the same place gives the same bytes, whatever was there before. */
static void patching_is_repeatable(void **state)
{
    size_t size;
    const char *reason = "";
    uint8_t *bytes = build(&size, true), *place = NULL, *first = NULL;
    assert_true(image_parse(&file, bytes, size));
    size_t whole = file.info.bytes + file.info.extra_bytes;
    place = aligned_alloc(DOOR_PAGE, whole);
    for (int round = 0; round < 2; round++) {
        struct image_mapper mapper = {.bind = note_bind,
                                      .protect = note_protect,
                                      .context = &(struct notes){0},
                                      .shared_data = 0x5000,
                                      .patch = true,
                                      .up = entries(),
                                      .table = &table};
        memset(place, 0x5a + round, whole);
        memset(table.scratch, 0x5a + round, table.scratch_bytes);
        assert_true(image_map(&file, (uint64_t)place, &mapper, &reason));
        if (!first) {
            first = malloc(whole);
            memcpy(first, place, whole);
        }
        assert_memory_equal(first, place, whole);
    }
    patch_remove(&table, (uint64_t)place, whole);
    free(first);
    free(place);
    free(bytes);
}

#define WITH_CODE(test) cmocka_unit_test_setup_teardown(test, load_code, unload_code)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CODE(cr8_is_read_and_written),
        WITH_CODE(a_neighbour_relative_to_rip_reads_what_it_read),
        WITH_CODE(sti_keeps_the_flags),
        WITH_CODE(branches_move_along),
        WITH_CODE(instructions_before_the_site_move_when_a_label_follows),
        WITH_CODE(a_moved_call_returns_to_the_original),
        WITH_CODE(flag_moves_carry_the_simulated_interrupt_flag),
        WITH_CODE(registers_and_stack_are_kept),
        WITH_CODE(shared_data_constants_lead_to_the_page),
        WITH_CODE(a_jump_target_is_never_covered),
        WITH_CODE(table_labels_are_targets_too),
        WITH_CODE(tables_of_rvas_are_seen_in_code),
        WITH_CODE(tables_in_another_part_stay),
        WITH_CODE(sites_close_together_move_together),
        WITH_CODE(data_between_functions_stays),
        WITH_CODE(a_leaf_function_is_found_by_its_call),
        WITH_CODE(instructions_that_answer_for_the_host_are_marked),
        WITH_CODE(pause_without_room_is_marked),
        WITH_CODE(every_stub_leads_back),
        cmocka_unit_test(the_table_keeps_images_apart),
        cmocka_unit_test(a_full_table_or_little_scratch_refuses_the_image),
        cmocka_unit_test(code_without_unwind_data_is_swept_whole),
        cmocka_unit_test(compiled_drivers_run_patched),
        cmocka_unit_test(patching_is_repeatable),
    };
    static struct patch_site sites[256];
    static uint64_t scratch[1 << 16];
    table = (struct patch_table){.site = sites, .capacity = 256, .scratch = scratch, .scratch_bytes = sizeof scratch};
    area = mmap(NULL, DOOR_PROCESSOR_BYTES + DOOR_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared = area + DOOR_PROCESSOR_BYTES;
    if (area == MAP_FAILED || syscall(SYS_arch_prctl, ARCH_SET_GS, area) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
