/*
 * What the command line answers to bad input of every kind: one clear line, the right exit status, and nothing left
 * behind. Runs build/irqlab through the shell, in a folder of its own.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct cli_case {
    const char *arguments;
    int status;
    const char *says; /* in the output; the only line of it when alone */
};

static char folder[] = "/tmp/irqlab-cli-XXXXXX", top[4096];

/* All output of the command; its exit status, or 1000 + the signal that ended it. */
static int output_of(const char *arguments, char *text, size_t room)
{
    char command[8192];
    snprintf(command, sizeof command, "cd %s && exec 2>&1 && timeout 60 %s/build/irqlab %s", folder, top, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(text, 1, room - 1, pipe);
    text[n] = 0;
    while (fgetc(pipe) != EOF)
        ;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void check(const struct cli_case *cases, size_t count, bool one_line)
{
    char text[65536];
    for (size_t i = 0; i < count; i++) {
        int status = output_of(cases[i].arguments, text, sizeof text);
        const char *end = strchr(text, '\n');
        if (status != cases[i].status || !strstr(text, cases[i].says) || (one_line && (!end || end[1])))
            fail_msg("irqlab %s: status %d (%d expected), should say: %s\n%s", cases[i].arguments, status,
                     cases[i].status, cases[i].says, text);
    }
}
#define CHECK(cases, one_line) check(cases, sizeof(cases) / sizeof *(cases), one_line)

static void bad_files(void **state)
{
    static const struct cli_case cases[] = {
        {"run none.sys", 2, "irqlab: none.sys: No such file or directory"},
        {"run .", 2, "irqlab: .: is a directory, not a driver image"},
        {"run empty.sys", 2, "irqlab: empty.sys: is empty"},
        {"run zeros.sys", 2, "irqlab: zeros.sys: "},
        {"run zeros1m.sys", 2, "irqlab: zeros1m.sys: refused with 0xC000012F STATUS_INVALID_IMAGE_NOT_MZ"},
        {"run pipe.sys", 2, "irqlab: pipe.sys: is not a regular file"},
        {"run /dev/zero", 2, "irqlab: /dev/zero: is not a regular file"},
        {"run loop.sys", 2, "irqlab: loop.sys: "},
        {"run text.sys", 2, "irqlab: text.sys: refused with 0xC000012F"},
        {"run \"$(printf 'x%.0s' $(seq 300))\"", 2, "the file's name is too long"},
        {"run good.sys GOOD.SYS", 2, "irqlab: GOOD.SYS: there is a driver of that name already: good.sys"},
        {"imports none.sys", 2, "irqlab: none.sys: No such file or directory"},
        {"imports empty.sys", 2, "irqlab: empty.sys: is empty"},
        {"run --volume none good.sys", 2, "irqlab: none: No such file or directory"},
        {"run --volume text.sys good.sys", 2, "irqlab: text.sys: is not a directory"},
        {"run --symbols text.sys good.sys", 2, "irqlab: text.sys: is not a directory"},
        {"run --json none/x.json good.sys", 2, "irqlab: none/x.json: No such file or directory"},
        {"run --json . good.sys", 2, "irqlab: .: Is a directory"},
        {"run --record none/x good.sys", 2, "irqlab: none/x: No such file or directory"},
        {"run --scenario none.lua good.sys", 2, "irqlab: none.lua: No such file or directory"},
        {"run --scenario . good.sys", 2, "irqlab: .: is a directory, not a scenario"},
    };
    CHECK(cases, true);
}

static void bad_options(void **state)
{
    static const struct cli_case cases[] = {
        {"rum x", 2, "irqlab: unknown command 'rum': did you mean run?"},
        {"xyzzy", 2, "irqlab: unknown command 'xyzzy' (try irqlab --help)"},
        {"run", 2, "irqlab: run: which driver?"},
        {"run --sed 1 good.sys", 2, "irqlab: run: unknown option --sed: did you mean --seed?"},
        {"run --seed", 2, "irqlab: run: --seed needs a value: a number"},
        {"run --seed -1 good.sys", 2, "irqlab: run: --seed: '-1' is not a number"},
        {"run --seed 18446744073709551616 good.sys", 2, "is not a number"},
        {"run --seed= good.sys", 2, "irqlab: run: --seed: '' is not a number"},
        {"run --cpus 0 good.sys", 2, "irqlab: run: --cpus: '0' is not a number from 1 to 64"},
        {"run --cpus 65 good.sys", 2, "irqlab: run: --cpus: '65' is not a number from 1 to 64"},
        {"run --for soon good.sys", 2, "irqlab: run: --for: 'soon' is not a time such as 500ms, 10s, 2m or 1h"},
        {"run --ram 1M good.sys", 2, "irqlab: run: --ram: '1M' is not a size from 32M to"},
        {"run --on-finding=perhaps good.sys", 2, "irqlab: run: --on-finding: 'perhaps' is not one of: stop continue"},
        {"run --os 10.0 good.sys", 2, "irqlab: run: --os: '10.0' is not a version such as 10.0.19045"},
        {"run --no-color=yes good.sys", 2, "irqlab: run: --no-color takes no value"},
        {"explain", 2, "irqlab: explain: what?"},
        {"explain ExInitalizeWorkItem", 2, "irqlab: explain: ExInitalizeWorkItem: did you mean ExInitializeWorkItem?"},
        {"explain Xyzzy_Plugh", 2, "no routine, level, bug check or rule of that name is known"},
        {"imports", 2, "irqlab: imports: of which driver?"},
    };
    CHECK(cases, true);
}

static void explanations(void **state)
{
    static const struct cli_case cases[] = {
        {"--version", 0, "irqlab "},
        {"--help", 0, "usage: irqlab COMMAND"},
        {"", 2, "usage: irqlab COMMAND"},
        {"help run", 0, "usage: irqlab run [OPTIONS] DRIVER.sys..."},
        {"run --help", 0, "--on-finding stop|continue"},
        {"explain --help", 0, "usage: irqlab explain NAME..."},
        {"explain ladder", 0, "DISPATCH_LEVEL"},
        {"explain dispatch", 0, "DISPATCH_LEVEL: IRQL 2"},
        {"explain DIRQL", 0, "DIRQL: IRQL 3-11"},
        {"explain ZwCreateFile", 0, "ZwCreateFile may be called at PASSIVE_LEVEL only."},
        {"explain zwcreatefile", 0, "ZwCreateFile may be called at PASSIVE_LEVEL only."},
        {"explain KDEFERRED_ROUTINE", 0, "is called at DISPATCH_LEVEL"},
        {"explain 0xA", 0, "0x0000000A IRQL_NOT_LESS_OR_EQUAL: bug check"},
        {"explain a", 0, "0x0000000A IRQL_NOT_LESS_OR_EQUAL: bug check"},
        {"explain irql_not_less_or_equal", 0, "0x0000000A IRQL_NOT_LESS_OR_EQUAL: bug check"},
        {"explain 0xC0000005", 0, "0xC0000005 STATUS_ACCESS_VIOLATION: NTSTATUS"},
        {"explain pool.double-free", 0, "A pool block is freed once."},
    };
    CHECK(cases, false);
}

/* Every documented name is answered, and each line fits a terminal. */
static void all_names_are_explained(void **state)
{
    char line[4096], name[256];
    FILE *facts = fopen("contracts/ddi.tsv", "r");
    assert_non_null(facts);
    snprintf(line, sizeof line, "xargs build/irqlab explain >%s/explained", folder);
    FILE *pipe = popen(line, "w");
    assert_non_null(pipe);
    unsigned names = 0, headings = 0;
    while (fgets(line, sizeof line, facts)) {
        if (*line == '#' || sscanf(line, "%255[^\t\n]", name) != 1)
            continue;
        fprintf(pipe, "%s\n", name);
        names++;
    }
    fclose(facts);
    assert_int_equal(pclose(pipe), 0);
    snprintf(line, sizeof line, "%s/explained", folder);
    FILE *explained = fopen(line, "r");
    while (fgets(line, sizeof line, explained)) {
        headings += *line != ' ' && *line != '\n';
        if (strlen(line) > 101) /* its newline counted */
            fail_msg("too wide: %s", line);
    }
    fclose(explained);
    assert_int_equal(headings, names);
    assert_true(names > 6800);
}

static void imports_say_what_is_missing(void **state)
{
    char text[4096];
    int status = output_of("imports good.sys", text, sizeof text);
    assert_non_null(strstr(text, "KeSetTimerEx"));
    assert_non_null(strstr(text, "3 imports, "));
    assert_true(status == 0 || status == 3);
    assert_int_equal(status == 3, strstr(text, "missing") != NULL);
}

static int prepare(void **state)
{
    char command[8192];
    if (!mkdtemp(folder) || !getcwd(top, sizeof top))
        return -1;
    snprintf(command, sizeof command,
             "cd %s && : >empty.sys && truncate -s 1G zeros.sys && truncate -s 1M zeros1m.sys && mkfifo pipe.sys && "
             "ln -s loop.sys loop.sys && echo hello >text.sys && cp %s/build/tests/report/stuck.sys good.sys && "
             "cp good.sys GOOD.SYS",
             folder, top);
    return system(command);
}

static int clean(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(explanations),
        cmocka_unit_test(all_names_are_explained),
        cmocka_unit_test(imports_say_what_is_missing),
    };
    return cmocka_run_group_tests_name("command line", tests, prepare, clean);
}
