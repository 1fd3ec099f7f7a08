/* `irqlab run` from the outside, on the real machine: exit statuses, what is said, and that a run repeats exactly. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define STUCK "build/examples/stuck.sys"
#define SOLVED "build/examples/solved.sys"
#define FAILS "build/tests/report/fails.sys"
#define MISSING "build/tests/report/missing.sys"

static char folder[] = "/tmp/irqlab-run-XXXXXX", text[1 << 20];

/* Runs a command with $D as a folder of its own; all it says is in text. Its exit status. */
static int run(const char *command)
{
    char line[4096];
    snprintf(line, sizeof line, "D=%s; exec 2>&1; %s", folder, command);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t n = fread(text, 1, sizeof text - 1, pipe);
    text[n] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void expect(const char *command, int status, const char *says)
{
    int got = run(command);
    if (got != status || !strstr(text, says))
        fail_msg("%s: status %d (%d expected), should say: %s\n%s", command, got, status, says, text);
}

static void script(const char *name, const char *lines)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(lines, file);
    fclose(file);
}

static void finding_is_status_1(void **state)
{
    expect("build/irqlab run " STUCK, 1,
           "irqlab: stop 0x0000000A IRQL_NOT_LESS_OR_EQUAL: ZwCreateFile called at DISPATCH_LEVEL\n");
    assert_non_null(strstr(text, "\n    #1 DPC of timer 'StuckTimer'\n"));
    assert_non_null(strstr(text, "\n  rule: ZwCreateFile may be called at PASSIVE_LEVEL only.\n"));
    assert_non_null(strstr(text, "\n  instead: let the DPC queue a work item"));
    assert_non_null(strstr(text, "\n  again: irqlab run --seed 0 " STUCK "\n"));
    assert_non_null(strstr(text, "\nSUMMARY: irqlab: irql.call-too-high stuck.c:"));
    assert_null(strchr(text, '\033'));
}

static void clean_is_status_0(void **state)
{
    expect("mkdir $D/c && build/irqlab run --for 3s --volume $D/c " SOLVED, 0, "irqlab: clean: solved.sys, 3.000 s");
    expect("wc -l <$D/c/talk.log", 0, "3\n");
}

static void failed_start_is_status_1(void **state)
{
    expect("build/irqlab run " FAILS, 1, "irqlab: fails.sys: DriverEntry returned 0xC000000E STATUS_NO_SUCH_DEVICE\n");
    assert_null(strstr(text, "clean"));
}

static void stack_lost_in_an_epilogue_is_status_1(void **state)
{
    expect("build/irqlab run build/tests/report/epilogue.sys", 1,
           "SUMMARY: irqlab: driver.exception epilogue.S:19 in DriverEntry\n");
}

static void missing_routine_is_status_3(void **state)
{
    expect("build/irqlab run " MISSING, 3, "KeThisDoesNotExist");
    assert_non_null(strstr(text, "missing.c:11"));
    expect("build/irqlab imports " MISSING, 3, "KeThisDoesNotExist                       missing");
}

static void going_on_is_repeated_in_again(void **state)
{
    expect("build/irqlab run --on-finding=continue --for 3500ms " STUCK, 1,
           "  again: irqlab run --seed 0 --on-finding continue --for 3500ms " STUCK);
    assert_non_null(strstr(text, "irqlab: finding 0x0000000A"));
}

/* The same bytes, also from another folder's point of view, with another environment and as another process. */
static void run_repeats_exactly(void **state)
{
    expect("for i in 1 2 3; do env -i A=$i build/irqlab run --seed 7 --cpus 3 --json $D/$i.json " STUCK
           " >$D/$i.txt; done;"
           "cmp $D/1.txt $D/2.txt && cmp $D/2.txt $D/3.txt && cmp $D/1.json $D/2.json && cmp $D/2.json $D/3.json && "
           "echo same",
           0, "same\n");
}

static void scenario_expects(void **state)
{
    script("stop.lua", "expect_bugcheck(0xA)\nprint('before')\nadvance(5)\nprint('after')\n");
    expect("build/irqlab run --scenario $D/stop.lua " STUCK, 0,
           "irqlab: bug check 0xA came, as the scenario expects\n");
    assert_non_null(strstr(text, "before\n"));
    assert_null(strstr(text, "after\n"));
    expect("build/irqlab run --scenario $D/stop.lua " SOLVED, 1, "irqlab: bug check 0xA did not come");
    script("other.lua", "expect_bugcheck(0xD1) advance(5)\n");
    expect("build/irqlab run --scenario $D/other.lua " STUCK, 1, "SUMMARY: irqlab: irql.call-too-high");
    script("again.lua", "advance(1.5) unload('solved.sys') load('solved.sys') advance(2.5)\n");
    expect("build/irqlab run --scenario $D/again.lua " SOLVED, 0, "irqlab: clean: solved.sys, 4.000 s");
    script("bad.lua", "advance(1)\nadvance('x')\n");
    expect("cd $D && $OLDPWD/build/irqlab run --scenario bad.lua $OLDPWD/" SOLVED, 2,
           "irqlab: bad.lua:2: bad argument #1 to 'advance'");
}

static void script_that_is_none_is_said_before_drivers_run(void **state)
{
    script("none.lua", "int x\n");
    expect("build/irqlab run --scenario $D/none.lua " FAILS, 2, "/none.lua:1: syntax error near 'x'\n");
    assert_null(strstr(text, "DriverEntry"));
}

static void full_disk_is_said(void **state)
{
    expect("build/irqlab run --json /dev/full " SOLVED, 70, "irqlab: /dev/full: could not be written");
    expect("{ build/irqlab run " SOLVED " >/dev/full; }", 70,
           "irqlab: cannot write the report: No space left on device\n");
    expect("{ build/irqlab explain ladder >/dev/full; }", 70,
           "irqlab: cannot write the report: No space left on device\n");
}

/* Outputs that are closed or that nobody reads. The supervisor's files must not take the place of a closed one. */
/* A pipe whose reader has closed it before anything is written: the writer waits until then. */
#define INTO_CLOSED_PIPE(command)                                                                                      \
    "rm -f $D/go; mkfifo $D/go; { cat $D/go; " command                                                                 \
    "; echo status $? >$D/said; } | { exec <&-; : >$D/go; }; cat $D/said"

static void nobody_listens(void **state)
{
    expect("build/irqlab run " STUCK " >&-", 70, "irqlab: cannot write the report: Bad file descriptor\n");
    expect("build/irqlab run " STUCK " >&- 2>&-; echo status $?", 0, "status 70\n");
    expect("build/irqlab run " STUCK " <&-", 1, "SUMMARY: irqlab: irql.call-too-high");
    expect(INTO_CLOSED_PIPE("build/irqlab run " STUCK), 0, "status 141\n");
    expect(INTO_CLOSED_PIPE("build/irqlab explain ladder"), 0, "status 141\n");
    assert_null(strstr(text, "irqlab:"));
}

static void places_that_cannot_be_used_are_said(void **state)
{
    expect("cd /proc && $OLDPWD/build/irqlab run $OLDPWD/" STUCK, 1, "SUMMARY: irqlab: irql.call-too-high");
    expect("TMPDIR=/nosuch build/irqlab run " SOLVED, 2, "irqlab: /nosuch: No such file or directory\n");
    expect("TMPDIR=/dev/null build/irqlab run " SOLVED, 2, "irqlab: /dev/null: is not a directory\n");
    expect("TMPDIR=/proc build/irqlab run " SOLVED, 2,
           "irqlab: /proc: No such file or directory, and there the machine's "
           "volume would be (see TMPDIR, --volume)\n");
    expect("d=$D/$(printf %0200d 0); mkdir $d; TMPDIR=$d build/irqlab run " SOLVED " && ls $d | wc -l", 0, "\n0\n");
    expect("build/irqlab run --volume " STUCK " " SOLVED, 2, "irqlab: " STUCK ": is not a directory\n");
    expect("truncate -s 1G $D/zeros && build/irqlab run $D/zeros", 2, "more than a driver image may have");
    expect("truncate -s 200M $D/zeros && build/irqlab run $D/zeros", 2, "/zeros: ");
    expect(": >$D/empty && build/irqlab run $D/empty", 2, "/empty: is empty\n");
    /* As a user who may not read it, where root can become one. */
    if (getuid() == 0 && system("setpriv --reuid 65534 --clear-groups true 2>/dev/null") == 0) {
        expect("mkdir -m 0 $D/closed; chmod a+rx $D; TMPDIR=/tmp setpriv --reuid 65534 --clear-groups build/irqlab run "
               "--volume $D/closed " SOLVED,
               2, "/closed: Permission denied\n");
    }
}

/* Interrupted in the middle: what was recorded is there, the status is the signal's, no process and no folder stays. */
static void interruption_leaves_nothing(void **state)
{
    script("wait.sh", "exec build/irqlab run --for 100000h " SOLVED "\n");
    /* -m: without job control a shell lets what it starts in the background ignore SIGINT. */
    script("stop.sh", "D=$2; set -m; rm -f $D/out; mkdir -p $D/t; TMPDIR=$D/t sh $D/wait.sh >$D/out & p=$!\n"
                      "while ! grep -q tick $D/out 2>/dev/null; do :; done\n"
                      "kill -$1 $p; wait $p; echo status $?; ls $D/t | wc -l; tail -n 1 $D/out\n");
    expect("bash $D/stop.sh TERM $D 2>$D/jobs", 0, "status 143\n0\nirqlab: interrupted\n");
    expect("bash $D/stop.sh INT $D 2>$D/jobs", 0, "status 130\n0\nirqlab: interrupted\n");
}

/* Source lines and a back trace through driver and kernel. */
static void debugger_sees_driver_and_kernel(void **state)
{
    script("gdb", "break DriverEntry\nrun\nbt\nkill\n");
    run("gdb -q -batch -nx -x contrib/gdb/irqlab.py -x $D/gdb --args build/irqlab run --gdb " STUCK);
    if (strstr(text, "gdb: not found") || strstr(text, "Operation not permitted") ||
        strstr(text, "hardware breakpoint"))
        skip(); /* no debugger here, or one that may not trace or has no breakpoints */
    const char *driver = strstr(text, "#0  DriverEntry (");
    if (!driver || !strstr(driver, "examples/talk/stuck.c:") || !strstr(driver, "nt/io/driver.c:"))
        fail_msg("no back trace from the driver into the kernel:\n%s", text);
}

static int prepare(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
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
        cmocka_unit_test(finding_is_status_1),
        cmocka_unit_test(clean_is_status_0),
        cmocka_unit_test(failed_start_is_status_1),
        cmocka_unit_test(stack_lost_in_an_epilogue_is_status_1),
        cmocka_unit_test(missing_routine_is_status_3),
        cmocka_unit_test(going_on_is_repeated_in_again),
        cmocka_unit_test(run_repeats_exactly),
        cmocka_unit_test(scenario_expects),
        cmocka_unit_test(script_that_is_none_is_said_before_drivers_run),
        cmocka_unit_test(full_disk_is_said),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(places_that_cannot_be_used_are_said),
        cmocka_unit_test(interruption_leaves_nothing),
        cmocka_unit_test(debugger_sees_driver_and_kernel),
    };
    return cmocka_run_group_tests_name("run", tests, prepare, clean);
}
