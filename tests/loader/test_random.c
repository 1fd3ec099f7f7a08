/*
 * Patched code does what unpatched code does. Random functions of hot instructions, arithmetic, branches, calls and
 * reads through rip are run twice: as they are, with every privileged instruction trapping into a handler that emulates
 * it, and patched. All registers, the interrupt flag and the IRQL must come out the same. test_random [FUNCTIONS [SEED]]
 */
#define _GNU_SOURCE
#include "tests.h"
#include <asm/prctl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <cmocka.h>

extern const uint8_t up_write_cr8_exact[], up_enable_interrupts[], up_pause[];
void run_with(uint64_t registers[16], const void *routine);

static uint64_t seed = 1, functions = 2000, traps;
static uint8_t *area;
static struct patch_table table;
static struct sigaction before; /* cmocka's */

static uint32_t random_below(uint32_t limit)
{
    seed += 0x9e3779b97f4a7c15ull;
    uint64_t mix = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9ull;
    mix = (mix ^ mix >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)((mix ^ mix >> 31) >> 16) % limit;
}

/* ---- The trap handler, in small --------------------------------------------------------------------------------- */

static void trap(int number, siginfo_t *info, void *context)
{
    static const int places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                   REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *at = (const uint8_t *)g[REG_RIP];
    const struct patch_site *site = patch_find(&table, (uint64_t)at);

    traps++;
    if (site && site->kind == PATCH_PAUSE) {
        g[REG_RIP] += 2;
    } else if (*at == 0xfa || *at == 0xfb) {
        pe_put32(area + DOOR_PCR_INTERRUPT_FLAG, *at == 0xfb);
        g[REG_RIP]++;
    } else if ((*at & 0xfe) == 0x44 && at[1] == 0x0f && (at[2] & 0xfd) == 0x20) {
        greg_t *r = &g[places[(at[3] & 7) + (*at & 1) * 8]];
        if (at[2] == 0x20)
            *r = area[DOOR_PCR_IRQL];
        else
            area[DOOR_PCR_IRQL] = (uint8_t)*r;
        g[REG_RIP] += 4;
    } else {
        sigaction(SIGSEGV, &before, NULL); /* a wrong patch: cmocka fails the test at the same instruction */
    }
}

/* ---- Random functions ------------------------------------------------------------------------------------------- */

#define PIECES 40

struct program {
    uint8_t code[1024];
    uint32_t used, leaf, constant;
    uint32_t start[PIECES + 1];
    struct {
        uint32_t at, bytes, to; /* displacement's place and size; the piece it leads to, or more for the others */
    } fix[PIECES];
    uint32_t fixes;
};

enum { TO_LEAF = 1000, TO_CONSTANT };

static void emit(struct program *p, int count, ...)
{
    va_list list;
    va_start(list, count);
    while (count--)
        p->code[p->used++] = (uint8_t)va_arg(list, int);
    va_end(list);
}

static void emit_fix(struct program *p, uint32_t bytes, uint32_t to)
{
    p->fix[p->fixes].at = p->used;
    p->fix[p->fixes].bytes = bytes;
    p->fix[p->fixes++].to = to;
    p->used += bytes;
}

static int any_register(void)
{
    int r = (int)random_below(15);
    return r >= 4 ? r + 1 : r;
}

static void emit_piece(struct program *p, uint32_t piece)
{
    int r = any_register(), s = any_register(), condition = (int)random_below(16);
    uint32_t ahead = piece + 1 + random_below(5);
    if (ahead > PIECES)
        ahead = PIECES;

    switch (random_below(20)) {
    case 0: case 1:
        emit(p, 1, 0xfa);
        break;
    case 2: case 3:
        emit(p, 1, 0xfb);
        break;
    case 4: case 5:
        emit(p, 2, 0xf3, 0x90);
        break;
    case 6:
        emit(p, 4, 0x44 | r >> 3, 0x0f, 0x20, 0xc0 | (r & 7)); /* mov r, cr8 */
        break;
    case 7:
        emit(p, 4, 0x44 | r >> 3, 0x0f, 0x22, 0xc0 | (r & 7)); /* mov cr8, r */
        break;
    case 8:
        emit(p, 3, 0x40 | r >> 3, 0xff, 0xc0 | (r & 7)); /* inc r32 */
        break;
    case 9:
        emit(p, 4, 0x48 | r >> 3, 0x83, 0xc0 | (r & 7), (int)random_below(256)); /* add r, imm8 */
        break;
    case 10:
        emit(p, 3, 0x48 | (r >> 3) << 2, 0x8b, 0x05 | (r & 7) << 3); /* mov r, [rip + constant] */
        emit_fix(p, 4, TO_CONSTANT);
        break;
    case 11: case 12:
        emit(p, 1, 0x70 | condition);
        emit_fix(p, 1, ahead);
        break;
    case 13:
        emit(p, 2, 0x0f, 0x80 | condition);
        emit_fix(p, 4, ahead);
        break;
    case 14:
        emit(p, 1, 0xeb);
        emit_fix(p, 1, ahead);
        break;
    case 15:
        emit(p, 4, 0x40 | r >> 3, 0x50 | (r & 7), 0x40 | s >> 3, 0x58 | (s & 7)); /* push r; pop s */
        break;
    case 16:
        emit(p, 1, 0xe8);
        emit_fix(p, 4, TO_LEAF);
        break;
    case 17:
        emit(p, 3, 0x48 | (r >> 3) << 2 | s >> 3, 0x39, 0xc0 | (r & 7) << 3 | (s & 7)); /* cmp s, r */
        break;
    case 18:
        emit(p, 4, 0x40 | r >> 3, 0x0f, 0x90 | condition, 0xc0 | (r & 7)); /* setcc r */
        break;
    case 19:
        emit(p, 4, 0x48 | (r >> 3) << 2 | s >> 3, 0x0f, 0x40 | condition, 0xc0 | (r & 7) << 3 | (s & 7)); /* cmovcc */
        break;
    }
}

static void generate(struct program *p)
{
    memset(p, 0, sizeof *p);
    for (uint32_t piece = 0; piece < PIECES; piece++) {
        p->start[piece] = p->used;
        emit_piece(p, piece);
    }
    p->start[PIECES] = p->used;
    emit(p, 1, 0xc3);
    p->leaf = p->used;
    emit(p, 5, 0x48, 0x8d, 0x40, 0x03, 0xc3); /* lea rax, [rax + 3]; ret */
    p->constant = p->used = (p->used + 8) & ~7u;
    emit(p, 8, 0xfa, 0xfb, 0xf3, 0x90, 0x12, 0x34, 0x56, 0x78);
    for (uint32_t i = 0; i < p->fixes; i++) {
        uint32_t to = p->fix[i].to == TO_LEAF ? p->leaf : p->fix[i].to == TO_CONSTANT ? p->constant : p->start[p->fix[i].to];
        uint32_t distance = to - (p->fix[i].at + p->fix[i].bytes);
        memcpy(p->code + p->fix[i].at, &distance, p->fix[i].bytes);
    }
}

/* ---- The comparison --------------------------------------------------------------------------------------------- */

static bool no_protect(void *context, uint64_t at, uint64_t bytes, uint32_t protection)
{
    return true;
}

struct outcome {
    uint64_t registers[16];
    uint32_t interrupt_flag, irql;
};

static void run(const struct program *p, bool patch, uint8_t *memory, uint64_t bytes, struct outcome *out)
{
    struct door_up entries = {0};
    struct image_file file;
    const char *reason = "";
    size_t size;
    uint8_t *image = file_build(&size, p->code, p->used);
    struct pe_headers *h = file_headers(image);

    /* The function has unwind data, the leaf behind it is found by its calls. */
    pe_put32(image + file_sections(image)[1].raw, BUILT_TEXT);
    pe_put32(image + file_sections(image)[1].raw + 4, BUILT_TEXT + p->leaf);
    h->directory[PE_DIR_EXCEPTION] = (struct pe_directory){file_sections(image)[1].rva, 12};
    entries.write_cr8 = (uint64_t)up_write_cr8_exact;
    entries.enable_interrupts = (uint64_t)up_enable_interrupts;
    entries.pause = (uint64_t)up_pause;
    struct image_mapper mapper = {.bind = note_bind, .protect = no_protect, .patch = patch, .up = &entries, .table = &table};

    assert_true(image_parse(&file, image, size));
    assert_true(file.info.bytes + file.info.extra_bytes <= bytes);
    assert_true(image_map(&file, (uint64_t)memory, &mapper, &reason));
    memset(area, 0, DOOR_PROCESSOR_BYTES);
    for (int i = 0; i < 16; i++)
        out->registers[i] = 0x0123456789abcdefull * (uint64_t)(i + 1);
    run_with(out->registers, memory + BUILT_TEXT);
    out->interrupt_flag = pe_get32(area + DOOR_PCR_INTERRUPT_FLAG);
    out->irql = area[DOOR_PCR_IRQL];
    patch_remove(&table, (uint64_t)memory, file.info.bytes);
    free(image);
}

static void patched_code_does_what_unpatched_code_does(void **state)
{
    static struct program p;
    uint64_t bytes = 1 << 16, stubs = 0, left = 0, markers = 0;
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
    assert_true(memory != MAP_FAILED);
    sigaction(SIGSEGV, &action, &before);
    for (uint64_t i = 0; i < functions; i++) {
        struct outcome plain = {0}, patched = {0};
        uint64_t first = seed;
        generate(&p);
        run(&p, false, memory, bytes, &plain);
        run(&p, true, memory, bytes, &patched);
        if (memcmp(&plain, &patched, sizeof plain) != 0)
            fail_msg("function %llu differs: test_random 1 0x%llx", (unsigned long long)i, (unsigned long long)first);
        stubs += table.figures.stubs;
        markers += table.figures.markers;
        left += table.figures.left;
    }
    print_message("%llu functions: %llu stubs, %llu markers, %llu left to trap\n", (unsigned long long)functions,
                  (unsigned long long)stubs, (unsigned long long)markers, (unsigned long long)left);
    sigaction(SIGSEGV, &before, NULL);
    munmap(memory, bytes);
}

int main(int argc, char **argv)
{
    static struct patch_site sites[256];
    static uint64_t scratch[1 << 15];
    const struct CMUnitTest tests[] = {cmocka_unit_test(patched_code_does_what_unpatched_code_does)};

    if (argc > 1)
        functions = strtoull(argv[1], NULL, 0);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    table = (struct patch_table){.site = sites, .capacity = 256, .scratch = scratch, .scratch_bytes = sizeof scratch};
    area = mmap(NULL, DOOR_PROCESSOR_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED || syscall(SYS_arch_prctl, ARCH_SET_GS, area) != 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
