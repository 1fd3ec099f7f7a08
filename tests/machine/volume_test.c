/*
 * Volumes: what the machine sees of a host directory, and that it sees nothing else.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "supervisor/nameindex.h"
#include "supervisor/names.h"
#include "supervisor/volume.h"

static char root[64], outside[64];
static struct volume *volume;
static struct door_file request;
static char transfer[4096] __attribute__((aligned(8)));

static int make(void **state)
{
    strcpy(root, "/tmp/irqlab-test-XXXXXX");
    strcpy(outside, "/tmp/irqlab-test-XXXXXX");
    if (!mkdtemp(root) || !mkdtemp(outside))
        return -1;
    volume = volume_open(root);
    return volume ? 0 : -1;
}

static int unmake(void **state)
{
    volume_close(volume);
    volume_remove_tree(root);
    volume_remove_tree(outside);
    return access(root, F_OK) == 0 ? -1 : 0;
}

static void host_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int serve(uint32_t op)
{
    request.op = op;
    return volume_serve(volume, &request, transfer, sizeof(transfer));
}

static int open_file(const char *path, uint32_t flags)
{
    memset(&request, 0, sizeof(request));
    strcpy(request.path, path);
    request.flags = flags;
    request.stat.written = 777;
    return serve(DOOR_FILE_OPEN);
}

static int put(const char *text)
{
    strcpy(transfer, text);
    request.bytes = strlen(text);
    request.stat.written = 888;
    return serve(DOOR_FILE_WRITE);
}

static const char *get(void)
{
    static char text[sizeof(transfer) + 1];

    request.offset = 0;
    request.bytes = sizeof(transfer);
    if (serve(DOOR_FILE_READ) != DOOR_OK)
        return "";
    memcpy(text, transfer, request.bytes);
    text[request.bytes] = 0;
    return text;
}

static int list_from(const char *name, uint32_t flags)
{
    strcpy(request.path, name);
    request.flags = flags;
    request.bytes = sizeof(transfer);
    return serve(DOOR_FILE_LIST);
}

static struct door_entry *listed(unsigned index)
{
    for (uint64_t at = 0; at < request.bytes; index--) {
        struct door_entry *entry = (struct door_entry *)(transfer + at);
        if (!index)
            return entry;
        at += entry->bytes;
    }
    return NULL;
}

/* Two scans of one directory, of which the second began after files were removed: the first one misses none. */
static void a_listing_goes_on_behind_a_name(void **state)
{
    char name[8];

    for (char c = 'a'; c <= 'f'; c++)
        host_file(root, (snprintf(name, sizeof(name), "%c", c), name), "x");
    assert_int_equal(open_file("", DOOR_FILE_DIRECTORY), DOOR_OK);
    uint64_t dir = request.handle;
    assert_int_equal(list_from("", 0), DOOR_OK);
    assert_string_equal(listed(2)->name, "c");
    for (char c = 'a'; c <= 'c'; c++) {
        assert_int_equal(open_file((snprintf(name, sizeof(name), "%c", c), name), 0), DOOR_OK);
        assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_OK);
        assert_int_equal(serve(DOOR_FILE_CLOSE), DOOR_OK);
    }
    request.handle = dir;
    assert_int_equal(list_from("", 0), DOOR_OK);
    assert_string_equal(listed(0)->name, "d");
    assert_int_equal(list_from("c", 0), DOOR_OK);
    assert_string_equal(listed(0)->name, "d");
    request.bytes = sizeof(struct door_entry) + 8; /* room for one */
    request.path[0] = 0;
    assert_int_equal(serve(DOOR_FILE_LIST), DOOR_OK);
    assert_string_equal(listed(0)->name, "d");
    assert_null(listed(1));
}

static void files_are_made_written_and_read(void **state)
{
    assert_int_equal(open_file("a.txt", 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file("a.txt", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_OK);
    assert_int_equal(request.created, 1);
    assert_int_equal(put("hello"), DOOR_OK);
    assert_string_equal(get(), "hello");
    assert_int_equal(serve(DOOR_FILE_STAT), DOOR_OK);
    assert_int_equal(request.stat.size, 5);
    assert_int_equal(request.stat.created, 777);
    assert_int_equal(request.stat.written, 888);
    request.offset = 5;
    request.bytes = 10;
    assert_int_equal(serve(DOOR_FILE_READ), DOOR_END);
    request.offset = 2;
    assert_int_equal(serve(DOOR_FILE_SET_SIZE), DOOR_OK);
    assert_string_equal(get(), "he");
    assert_int_equal(serve(DOOR_FILE_CLOSE), DOOR_OK);
    assert_int_equal(serve(DOOR_FILE_STAT), DOOR_IO);
    assert_int_equal(open_file("a.txt", DOOR_FILE_CREATE | DOOR_FILE_EXCLUSIVE), DOOR_EXISTS);
    assert_int_equal(open_file("a.txt", 0), DOOR_OK);
    assert_int_equal(put("x"), DOOR_DENIED);
}

static void names_match_without_letter_case(void **state)
{
    mkdir((snprintf(transfer, sizeof(transfer), "%s/Windows", root), transfer), 0777);
    host_file(root, "Windows/Grüße.TXT", "x");
    host_file(root, "B", "capital");
    host_file(root, "b", "small");
    assert_int_equal(open_file("WINDOWS/GRÜßE.txt", 0), DOOR_OK);
    assert_int_equal(open_file("b", 0), DOOR_OK);
    assert_string_equal(get(), "small");
    assert_int_equal(open_file("B", 0), DOOR_OK);
    assert_string_equal(get(), "capital");
    assert_int_equal(open_file("", DOOR_FILE_DIRECTORY), DOOR_OK);
    assert_int_equal(list_from("", 0), DOOR_OK);
    assert_string_equal(listed(0)->name, "B");
    assert_string_equal(listed(1)->name, "Windows");
    assert_int_equal(listed(1)->stat.directory, 1);
    assert_null(listed(2));
    assert_int_equal(list_from("b", 0), DOOR_OK);
    assert_string_equal(listed(0)->name, "Windows");
    assert_int_equal(list_from("WINDOWS", 0), DOOR_END);
    assert_int_equal(list_from("WINDOWS", DOOR_FILE_ONLY), DOOR_OK);
    assert_string_equal(listed(0)->name, "Windows");
    assert_int_equal(list_from("nothing", DOOR_FILE_ONLY), DOOR_END);
}

static void nothing_outside_is_reached(void **state)
{
    char path[256];

    host_file(outside, "secret", "secret");
    snprintf(path, sizeof(path), "%s/link", root);
    assert_int_equal(symlink(outside, path), 0);
    snprintf(path, sizeof(path), "%s/file-link", root);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/pipe", root);
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_int_equal(open_file("link/secret", 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file("file-link", 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file("file-link", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_DENIED);
    assert_int_equal(open_file("pipe", 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file("../secret", 0), DOOR_BAD_NAME);
    assert_int_equal(open_file("./a", DOOR_FILE_CREATE), DOOR_BAD_NAME);
    assert_int_equal(open_file("/etc/passwd", 0), DOOR_BAD_NAME);
    assert_int_equal(open_file("a//b", 0), DOOR_BAD_NAME);
    assert_int_equal(open_file("", DOOR_FILE_DIRECTORY), DOOR_OK);
    assert_int_equal(list_from("", 0), DOOR_END);
    assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_DENIED);
}

static void windows_names_only(void **state)
{
    static const char *const bad[] = {"a:b", "a*", "a?", "a\"", "a<", "a>", "a|", "a\\b", "a\x01", "\xff", "\xc0\x80"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(open_file(bad[i], DOOR_FILE_CREATE), DOOR_BAD_NAME);
    assert_int_equal(names_compare("straße", "STRASSE") != 0, 1);
    assert_int_equal(names_compare("ÄÖÜ.Log", "äöü.log"), 0);
    assert_int_equal(names_compare("Привет", "пРИВЕТ"), 0);
}

static void directories_and_renames(void **state)
{
    uint64_t dir, file;

    assert_int_equal(open_file("d", DOOR_FILE_CREATE | DOOR_FILE_DIRECTORY), DOOR_OK);
    dir = request.handle;
    assert_int_equal(open_file("d/f", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_OK);
    assert_int_equal(put("1"), DOOR_OK);
    file = request.handle;
    request.handle = dir;
    assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_NOT_EMPTY);
    strcpy(request.path, "E");
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_DENIED); /* something below is open */
    request.handle = file;
    assert_int_equal(serve(DOOR_FILE_CLOSE), DOOR_OK);
    request.handle = dir;
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_OK);
    assert_int_equal(open_file("e/F", DOOR_FILE_WRITABLE), DOOR_OK);
    strcpy(request.path, "e/f2");
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_OK);
    assert_int_equal(open_file("e/f3", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_OK);
    strcpy(request.path, "e/F2");
    request.flags = 0;
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_EXISTS);
    request.flags = DOOR_FILE_REPLACE;
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_OK);
    assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_OK);
    request.handle = dir;
    assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_OK);
    assert_int_equal(open_file("e", 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file("x/y", DOOR_FILE_CREATE), DOOR_NOT_FOUND);
}

static void read_only_files_stay(void **state)
{
    char path[256];

    host_file(root, "ro", "x");
    snprintf(path, sizeof(path), "%s/ro", root);
    chmod(path, 0444);
    assert_int_equal(open_file("ro", DOOR_FILE_WRITABLE), DOOR_DENIED);
    assert_int_equal(open_file("ro", 0), DOOR_OK);
    assert_int_equal(request.stat.read_only, 1);
    assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_DENIED);
}

static void handles_end_and_come_back(void **state)
{
    assert_int_equal(open_file("f", DOOR_FILE_CREATE), DOOR_OK);
    for (int i = 1; i < 5000; i++)
        assert_int_equal(open_file("f", 0), DOOR_OK);
    request.handle = 5;
    assert_int_equal(serve(DOOR_FILE_CLOSE), DOOR_OK);
    assert_int_equal(serve(DOOR_FILE_READ), DOOR_IO);
    assert_int_equal(open_file("f", 0), DOOR_OK);
    assert_int_equal(request.handle, 5);
    request.handle = ~0ull;
    assert_int_equal(serve(DOOR_FILE_READ), DOOR_IO);
}

/* ---- More open than the process may have descriptors -------------------------------------------------------------- */

#define FEW 100 /* descriptors */

static struct rlimit usual;

static int make_few(void **state)
{
    struct rlimit few;

    getrlimit(RLIMIT_NOFILE, &usual);
    few = usual;
    few.rlim_cur = FEW;
    return setrlimit(RLIMIT_NOFILE, &few) < 0 ? -1 : make(state);
}

static int unmake_few(void **state)
{
    int failed = unmake(state);

    return setrlimit(RLIMIT_NOFILE, &usual) < 0 ? -1 : failed;
}

static uint64_t open_numbered(int i, uint32_t flags)
{
    char name[16], text[16];

    snprintf(name, sizeof(name), "d/f%d", i);
    assert_int_equal(open_file(name, flags), DOOR_OK);
    if (flags & DOOR_FILE_CREATE) {
        snprintf(text, sizeof(text), "text %d", i);
        assert_int_equal(put(text), DOOR_OK);
    }
    return request.handle;
}

/* 5 * FEW files with their text: handle[i] is of "d/fi". */
static void open_many(uint64_t *handle)
{
    assert_int_equal(open_file("d", DOOR_FILE_CREATE | DOOR_FILE_DIRECTORY), DOOR_OK);
    serve(DOOR_FILE_CLOSE);
    for (int i = 0; i < 5 * FEW; i++)
        handle[i] = open_numbered(i, DOOR_FILE_CREATE | DOOR_FILE_WRITABLE);
}

static void any_number_of_files_is_open_at_once(void **state)
{
    uint64_t handle[5 * FEW];
    char text[16];

    open_many(handle);
    for (int i = 0; i < 5 * FEW; i++) {
        request.handle = handle[i * 7 % (5 * FEW)];
        snprintf(text, sizeof(text), "text %d", i * 7 % (5 * FEW));
        assert_string_equal(get(), text);
        assert_int_equal(put("new"), DOOR_OK);
    }
    for (int i = 0; i < 5 * FEW; i += 2) { /* renamed or removed by handles without a descriptor */
        request.handle = handle[i];
        request.flags = 0;
        snprintf(request.path, sizeof(request.path), "d/g%d", i);
        assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_OK);
    }
    for (int i = 0; i < 5 * FEW; i++) {
        request.handle = handle[i];
        memset(transfer, 0, sizeof(transfer));
        assert_int_equal(memcmp(get(), "new", 3), 0);
        assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_OK);
        assert_int_equal(serve(DOOR_FILE_CLOSE), DOOR_OK);
    }
}

/* The host puts another file, or a link that leads out, in the place of one whose descriptor was given up. */
static void a_file_without_descriptor_is_itself_or_nothing(void **state)
{
    uint64_t handle[5 * FEW];
    char path[128], target[128];

    host_file(outside, "secret", "secret");
    open_many(handle);
    snprintf(path, sizeof(path), "%s/d/f0", root);
    assert_int_equal(unlink(path), 0);
    host_file(root, "d/f0", "other");
    snprintf(path, sizeof(path), "%s/d/f1", root);
    assert_int_equal(unlink(path), 0);
    snprintf(target, sizeof(target), "%s/secret", outside);
    assert_int_equal(symlink(target, path), 0);
    for (int i = 0; i < 2; i++) {
        request.handle = handle[i];
        request.bytes = 6;
        request.offset = 0;
        assert_int_not_equal(serve(DOOR_FILE_READ), DOOR_OK);
        assert_int_not_equal(serve(DOOR_FILE_REMOVE), DOOR_OK);
        assert_int_not_equal(put("changed"), DOOR_OK);
    }
    assert_int_equal(open_file("d/f0", 0), DOOR_OK);
    assert_string_equal(get(), "other");
}

/* A descriptor that could not be had again is kept: of a file without a name, and of one that may no more be written. */
static void what_could_not_be_opened_again_stays_open(void **state)
{
    uint64_t handle[5 * FEW], gone, locked;
    struct door_stat read_only = {.attributes = 0x20, .read_only = 1};
    char path[128];

    gone = (open_file("gone", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), request.handle);
    assert_int_equal(put("gone"), DOOR_OK);
    snprintf(path, sizeof(path), "%s/gone", root);
    assert_int_equal(unlink(path), 0);
    locked = (open_file("locked", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), request.handle);
    request.stat = read_only;
    assert_int_equal(serve(DOOR_FILE_SET_STAT), DOOR_OK);
    open_many(handle);
    request.handle = gone;
    assert_string_equal(get(), "gone");
    request.handle = locked;
    assert_int_equal(put("still"), DOOR_OK);
}

/* The way back from a mark: what was opened since is closed, and numbers are given as they were then. */
static void handles_go_back_to_the_mark(void **state)
{
    uint64_t first, second;

    host_file(root, "f", "x");
    assert_int_equal(open_file("f", 0), DOOR_OK);
    assert_int_equal(open_file("f", 0), DOOR_OK);
    request.handle = 1;
    assert_int_equal(serve(DOOR_FILE_CLOSE), DOOR_OK);
    volume_mark(volume);
    for (int i = 0; i < 3; i++) {
        first = (open_file("f", 0), request.handle);
        second = (open_file("f", 0), request.handle);
        assert_int_equal(first, 1);
        assert_int_equal(second, 3);
        assert_int_equal(serve(DOOR_FILE_CLOSE), DOOR_OK);
        assert_true(volume_back(volume));
    }
    request.handle = 2;
    assert_string_equal(get(), "x");
    assert_int_equal(serve(DOOR_FILE_CLOSE), DOOR_OK);
    assert_false(volume_back(volume));
}

/* ---- The index of a directory's names ------------------------------------------------------------------------------ */

/* The host makes a name in the same tick of its clock in which we made one: the directory's time tells nothing. */
static void a_name_made_in_the_same_tick_is_found(void **state)
{
    struct indexes all = {.quiet = 0};
    struct timespec times[2];
    struct stat st;
    int dir = open(root, O_RDONLY | O_DIRECTORY);

    assert_non_null(index_of(&all, dir));
    host_file(root, "ours", "x");
    index_made(&all, dir, "ours");
    assert_int_equal(fstat(dir, &st), 0);
    host_file(root, "THEIRS", "x");
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    assert_int_equal(futimens(dir, times), 0);
    assert_string_equal(index_find(index_of(&all, dir), "theirs"), "THEIRS");
    assert_string_equal(index_find(index_of(&all, dir), "OURS"), "ours");
    indexes_clear(&all);
    close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_made_written_and_read, make, unmake),
        cmocka_unit_test_setup_teardown(names_match_without_letter_case, make, unmake),
        cmocka_unit_test_setup_teardown(a_listing_goes_on_behind_a_name, make, unmake),
        cmocka_unit_test_setup_teardown(nothing_outside_is_reached, make, unmake),
        cmocka_unit_test_setup_teardown(windows_names_only, make, unmake),
        cmocka_unit_test_setup_teardown(directories_and_renames, make, unmake),
        cmocka_unit_test_setup_teardown(read_only_files_stay, make, unmake),
        cmocka_unit_test_setup_teardown(handles_end_and_come_back, make, unmake),
        cmocka_unit_test_setup_teardown(any_number_of_files_is_open_at_once, make_few, unmake_few),
        cmocka_unit_test_setup_teardown(a_file_without_descriptor_is_itself_or_nothing, make_few, unmake_few),
        cmocka_unit_test_setup_teardown(what_could_not_be_opened_again_stays_open, make_few, unmake_few),
        cmocka_unit_test_setup_teardown(handles_go_back_to_the_mark, make, unmake),
        cmocka_unit_test_setup_teardown(a_name_made_in_the_same_tick_is_found, make, unmake),
    };

    return cmocka_run_group_tests_name("volume", tests, NULL, NULL);
}
