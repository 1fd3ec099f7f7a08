/*
 * A volume whose directory is full of what could lead out of it, and whose directory changes while it is used: nothing
 * outside is read, written, made or removed, nothing hangs, and each case has a clear answer.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "supervisor/volume.h"

static char base[64], root[96], outside[96];
static struct volume *volume;
static struct door_file request;
static char transfer[4096] __attribute__((aligned(8)));

static const char *in(const char *dir, const char *name)
{
    static char path[4][600];
    static unsigned turn;
    char *p = path[turn++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void assert_text(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_int_equal(fread(got, 1, sizeof(got) - 1, f), strlen(text));
    fclose(f);
    assert_string_equal(got, text);
}

/* base/volume is the machine's; base/outside is not. */
static int make(void **state)
{
    strcpy(base, "/tmp/irqlab-test-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    strcpy(root, in(base, "volume"));
    strcpy(outside, in(base, "outside"));
    if (mkdir(root, 0777) || mkdir(outside, 0777))
        return -1;
    put_file(in(outside, "secret"), "secret");
    volume = volume_open(root);
    return volume ? 0 : -1;
}

static int unmake(void **state)
{
    volume_close(volume);
    volume_remove_tree(base);
    return access(base, F_OK) == 0 ? -1 : 0;
}

static int serve(uint32_t op)
{
    request.op = op;
    return volume_serve(volume, &request, transfer, sizeof(transfer));
}

static int open_file(const char *path, uint32_t flags)
{
    memset(&request, 0, sizeof(request));
    snprintf(request.path, sizeof(request.path), "%s", path);
    request.flags = flags;
    return serve(DOOR_FILE_OPEN);
}

static int put(const char *text)
{
    strcpy(transfer, text);
    request.offset = 0;
    request.bytes = strlen(text);
    return serve(DOOR_FILE_WRITE);
}

static int list_from(const char *name)
{
    snprintf(request.path, sizeof(request.path), "%s", name);
    request.flags = 0;
    request.bytes = sizeof(transfer);
    return serve(DOOR_FILE_LIST);
}

static int entries(void)
{
    int n = 0;

    assert_int_equal(open_file("", DOOR_FILE_DIRECTORY), DOOR_OK);
    if (list_from("") == DOOR_OK)
        for (uint64_t at = 0; at < request.bytes; at += ((struct door_entry *)(transfer + at))->bytes)
            n++;
    serve(DOOR_FILE_CLOSE);
    return n;
}

/* Not there for any way of opening it; nor can it be made, for the name is taken. */
static void assert_hidden(const char *path)
{
    assert_int_equal(open_file(path, 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file(path, DOOR_FILE_WRITABLE | DOOR_FILE_TRUNCATE), DOOR_NOT_FOUND);
    assert_int_equal(open_file(path, DOOR_FILE_DIRECTORY), DOOR_NOT_FOUND);
    assert_int_equal(open_file(path, DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_DENIED);
    assert_int_equal(open_file(path, DOOR_FILE_CREATE | DOOR_FILE_DIRECTORY), DOOR_DENIED);
}

static void links_of_every_kind_are_not_there(void **state)
{
    assert_int_equal(symlink(outside, in(root, "absolute")), 0);
    assert_int_equal(symlink("../outside", in(root, "relative")), 0);
    assert_int_equal(symlink("../outside/secret", in(root, "file")), 0);
    assert_int_equal(symlink("nowhere", in(root, "dangling")), 0);
    assert_int_equal(symlink(".", in(root, "here")), 0);
    assert_int_equal(symlink("loop", in(root, "loop")), 0);
    assert_int_equal(symlink("/proc/self/root", in(root, "magic")), 0);
    put_file(in(root, "plain"), "plain");
    assert_hidden("absolute");
    assert_hidden("relative");
    assert_hidden("file");
    assert_hidden("dangling");
    assert_hidden("here");
    assert_hidden("loop");
    assert_hidden("magic");
    assert_int_equal(open_file("relative/secret", 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file("here/plain", 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file("RELATIVE/secret", 0), DOOR_NOT_FOUND);
    assert_int_equal(open_file("plain/secret", 0), DOOR_NOT_DIRECTORY);
    assert_int_equal(entries(), 1);
    assert_int_equal(access(in(root, "nowhere"), F_OK), -1);
}

static void a_link_is_no_target_of_a_rename(void **state)
{
    assert_int_equal(symlink("../outside/secret", in(root, "file")), 0);
    assert_int_equal(symlink("../outside", in(root, "dir")), 0);
    put_file(in(root, "plain"), "plain");
    assert_int_equal(open_file("plain", DOOR_FILE_WRITABLE), DOOR_OK);
    strcpy(request.path, "dir/plain");
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_NOT_FOUND);
    strcpy(request.path, "../outside/plain");
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_BAD_NAME);
    strcpy(request.path, "file");
    request.flags = DOOR_FILE_REPLACE;
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_OK); /* the link itself is replaced */
    assert_text(in(outside, "secret"), "secret");
    assert_text(in(root, "file"), "plain");
}

static void special_files_are_not_there_and_nothing_waits(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(mkfifo(in(root, "pipe"), 0666), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", in(root, "socket"));
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof(address)), 0);
    if (mknod(in(root, "null"), S_IFCHR | 0666, makedev(1, 3)) == 0) /* root may */
        assert_hidden("null");
    assert_hidden("pipe");
    assert_hidden("socket");
    assert_int_equal(entries(), 0);
    close(s);
}

static void dots_and_separators_lead_nowhere(void **state)
{
    static const char *const paths[] = {"..",
                                        "../outside/secret",
                                        "d/../../outside/secret",
                                        "d/..",
                                        "./d",
                                        "/etc/passwd",
                                        "d//f",
                                        "..\\f",
                                        "d/.",
                                        "C:/d",
                                        "d/...:x"};

    assert_int_equal(mkdir(in(root, "d"), 0777), 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (open_file(paths[i], DOOR_FILE_CREATE | DOOR_FILE_WRITABLE) != DOOR_BAD_NAME)
            fail_msg("%s", paths[i]);
    }
    assert_int_equal(access(in(outside, "f"), F_OK), -1);
}

/* What a name of the machine cannot say does not exist, though the host has it. */
static void names_of_the_host_that_windows_has_not(void **state)
{
    static const char *const names[] = {"\xff\xfe", "\xc3", "a:b",  "a?",   "a|b",
                                        "a\"",      "<a>",  "a\\b", "a\nb", "\xed\xa0\x80"};
    char longest[256];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put_file(in(root, names[i]), "x");
        assert_int_equal(open_file(names[i], 0), DOOR_BAD_NAME);
    }
    assert_int_equal(entries(), 0);
    memset(longest, 'n', 255);
    longest[255] = 0;
    assert_int_equal(open_file(longest, DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_OK);
    for (int i = 0; i < 254; i += 2) /* 127 letters and a half: more than 255 bytes when one more is added */
        memcpy(longest + i, "\xc3\xa9", 2);
    longest[254] = 0;
    assert_int_equal(open_file(longest, DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_OK);
    assert_int_equal(entries(), 2);
    memset(request.path, 0, sizeof(request.path));
    memset(request.path, 'n', 256);
    request.flags = DOOR_FILE_CREATE;
    assert_int_equal(serve(DOOR_FILE_OPEN), DOOR_BAD_NAME);
}

/* A second link of the host's is a file like any other; removing it leaves the bytes the other name has. */
static void a_hard_link_is_a_file(void **state)
{
    put_file(in(root, "a"), "both");
    assert_int_equal(link(in(root, "a"), in(root, "b")), 0);
    assert_int_equal(open_file("b", DOOR_FILE_WRITABLE), DOOR_OK);
    assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_OK);
    assert_text(in(root, "a"), "both");
    assert_int_equal(access(in(root, "b"), F_OK), -1);
}

static void what_may_not_be_read_is_denied(void **state)
{
    bool privileged = geteuid() == 0;

    assert_int_equal(mkdir(in(root, "closed"), 0777), 0);
    put_file(in(root, "closed/f"), "x");
    put_file(in(root, "locked"), "x");
    assert_int_equal(chmod(in(root, "locked"), 0200), 0);
    assert_int_equal(chmod(in(root, "closed"), 0), 0);
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(chmod(base, 0755), 0);
    if (privileged)
        setfsuid(65534);
    assert_int_equal(open_file("closed", DOOR_FILE_DIRECTORY), DOOR_DENIED);
    assert_int_equal(open_file("closed/f", 0), DOOR_DENIED);
    assert_int_equal(open_file("locked", 0), DOOR_DENIED);
    if (privileged) /* the root belongs to another */
        assert_int_equal(open_file("new", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_DENIED);
    setfsuid(geteuid());
    assert_int_equal(chmod(in(root, "closed"), 0700), 0);
}

static void a_file_that_cannot_grow_says_so(void **state)
{
    struct rlimit was, small;

    getrlimit(RLIMIT_FSIZE, &was);
    small = was;
    small.rlim_cur = 4;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(open_file("f", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE), DOOR_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int whole = put("12345678"), bytes = (int)request.bytes;
    int again = (request.offset = 4, request.bytes = 1, serve(DOOR_FILE_WRITE));
    int size = (request.offset = 100, serve(DOOR_FILE_SET_SIZE));
    setrlimit(RLIMIT_FSIZE, &was);
    assert_int_equal(whole, DOOR_NO_SPACE);
    assert_int_equal(bytes, 4);
    assert_int_equal(again, DOOR_NO_SPACE);
    assert_int_equal(size, DOOR_NO_SPACE);
    assert_text(in(root, "f"), "1234");
}

/* ---- The directory changes while it is used ---------------------------------------------------------------------- */

static void what_is_open_stays_itself(void **state)
{
    uint64_t dir, file;

    assert_int_equal(mkdir(in(root, "d"), 0777), 0);
    put_file(in(root, "d/f"), "mine");
    put_file(in(outside, "f"), "other");
    assert_int_equal(open_file("d", DOOR_FILE_DIRECTORY), DOOR_OK);
    dir = request.handle;
    assert_int_equal(open_file("d/f", DOOR_FILE_WRITABLE), DOOR_OK);
    file = request.handle;

    assert_int_equal(rename(in(root, "d"), in(base, "gone")), 0); /* its parent leaves, a link takes the place */
    assert_int_equal(symlink("../outside", in(root, "d")), 0);
    request.handle = file;
    assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_NOT_DIRECTORY);
    strcpy(request.path, "moved");
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_NOT_DIRECTORY);
    request.handle = dir;
    assert_int_equal(list_from(""), DOOR_NOT_FOUND);
    assert_int_equal(open_file("d/f", 0), DOOR_NOT_FOUND);
    assert_text(in(outside, "f"), "other");
    assert_text(in(base, "gone/f"), "mine");

    assert_int_equal(unlink(in(root, "d")), 0); /* another directory with a file of the same name */
    assert_int_equal(mkdir(in(root, "d"), 0777), 0);
    put_file(in(root, "d/f"), "another");
    request.handle = file;
    assert_int_equal(serve(DOOR_FILE_REMOVE), DOOR_NOT_FOUND);
    strcpy(request.path, "moved");
    assert_int_equal(serve(DOOR_FILE_RENAME), DOOR_NOT_FOUND);
    assert_text(in(root, "d/f"), "another");
}

static bool stop;

/* "swap" is now a directory with a file, now a link to outside, and "file" a file or a pipe; without a moment between. */
static void *exchange(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        renameat2(AT_FDCWD, in(root, "swap"), AT_FDCWD, in(root, "link"), RENAME_EXCHANGE);
        renameat2(AT_FDCWD, in(root, "file"), AT_FDCWD, in(root, "pipe"), RENAME_EXCHANGE);
    }
    return NULL;
}

static void exchanged_links_never_lead_out(void **state)
{
    pthread_t thread;
    unsigned opened = 0, refused = 0;

    assert_int_equal(mkdir(in(root, "swap"), 0777), 0);
    put_file(in(root, "swap/secret"), "public");
    assert_int_equal(symlink("../outside", in(root, "link")), 0);
    put_file(in(root, "file"), "public");
    assert_int_equal(mkfifo(in(root, "pipe"), 0666), 0);
    stop = false;
    assert_int_equal(pthread_create(&thread, NULL, exchange, NULL), 0);
    for (int i = 0; i < 4000; i++) {
        int error = open_file(i & 1 ? "swap/secret" : "file", i & 2 ? DOOR_FILE_WRITABLE : 0);
        if (error) {
            refused++;
            continue;
        }
        opened++;
        request.bytes = 6;
        if (serve(DOOR_FILE_READ) != DOOR_OK || memcmp(transfer, "public", 6))
            fail_msg("not the volume's");
        if (i & 2 && put("public") != DOOR_OK)
            fail_msg("not written");
        serve(DOOR_FILE_CLOSE);
        if (open_file("swap/new", DOOR_FILE_CREATE | DOOR_FILE_WRITABLE) == DOOR_OK) {
            serve(DOOR_FILE_REMOVE);
            serve(DOOR_FILE_CLOSE);
        }
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_int_equal(opened + refused, 4000);
    assert_text(in(outside, "secret"), "secret");
    assert_int_equal(access(in(outside, "new"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links_of_every_kind_are_not_there, make, unmake),
        cmocka_unit_test_setup_teardown(a_link_is_no_target_of_a_rename, make, unmake),
        cmocka_unit_test_setup_teardown(special_files_are_not_there_and_nothing_waits, make, unmake),
        cmocka_unit_test_setup_teardown(dots_and_separators_lead_nowhere, make, unmake),
        cmocka_unit_test_setup_teardown(names_of_the_host_that_windows_has_not, make, unmake),
        cmocka_unit_test_setup_teardown(a_hard_link_is_a_file, make, unmake),
        cmocka_unit_test_setup_teardown(what_may_not_be_read_is_denied, make, unmake),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_grow_says_so, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_open_stays_itself, make, unmake),
        cmocka_unit_test_setup_teardown(exchanged_links_never_lead_out, make, unmake),
    };

    return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
