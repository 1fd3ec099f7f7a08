/*
 * irqlab cc: builds a driver with one of three compilers. What it adds to a compiler's own command is what a driver
 * needs: where the headers are (ours in front of the system's), no run-time library, unwind data, debug data, a native
 * image with DriverEntry, and import libraries of all that exists here. Everything else on the command line goes through.
 *
 * The same flags are what `irqlab-driver.pc` gives (tools/install asks --cflags and --libs).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/cc_clang.h"
#include "cli/command.h"
#include "cli/options.h"

#define SYSTEM_HEADERS "/usr/share/mingw-w64/include"

enum { WORDS = 4096 };

struct toolchain {
    const char *name, *program, *package;
    const char *compile; /* words, a blank between them; %D = our headers, %W = the system's */
    const char *link;    /* %L = the import libraries' folder, %E = the entry, %P = the output with .pdb */
};

/*
 * -mno-stack-arg-probe: frames beyond a page need no helper of a library; the guard below a kernel stack is wide.
 * -fasync-exceptions: accesses inside __try are guarded too, by clang 16 and later (/EHa of Microsoft's compiler).
 * -Wno-error=...: what Microsoft's compiler takes with a warning.
 */
#define COMMON                                                                                                         \
    "-O2 -g -Wall -ffreestanding -fno-strict-aliasing -fno-stack-protector -mno-stack-arg-probe -mno-red-zone -mcx16 " \
    "-mxsave -mrdrnd "                                                                                                 \
    "-D_WIN32_WINNT=0x0A00 -DNTDDI_VERSION=0x0A000008 -D_AMD64_ -D_WIN64 -D_KERNEL_MODE=1 "                            \
    "-D__USE_MINGW_ANSI_STDIO=0 "
#define CLANG                                                                                                          \
    COMMON "-fms-extensions -funwind-tables -Wno-unknown-pragmas -Wno-ignored-attributes -Wno-pragma-pack "            \
           "-Wno-inconsistent-dllimport -Wno-microsoft-anon-tag -Wno-four-char-constants -Wno-multichar "              \
           "-fno-exceptions -fno-rtti -fno-threadsafe-statics -Wno-writable-strings -Wno-c++11-narrowing "             \
           "-Xclang -fasync-exceptions -Wno-nonportable-include-path -D_CLANG_DISABLE_CRT_DEPRECATION_WARNINGS "       \
           "-Wno-error=int-conversion -Wno-error=incompatible-function-pointer-types "                                 \
           "-Wno-error=implicit-function-declaration "
#define MINGW_LINK "-nostdlib -shared -Wl,--subsystem,native -Wl,--entry,%E -Wl,--dynamicbase -L%L"

static const struct toolchain toolchains[] = {
    {"clang", "clang", "clang-19 and lld-19",
     "--target=x86_64-w64-mingw32 " CLANG "-gdwarf-4 -isystem %D -isystem %W -isystem %W/ddk",
     "-fuse-ld=lld " MINGW_LINK},
    {"gcc", "x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64",
     COMMON "-gdwarf-4 -Wno-multichar -Wno-array-bounds -Wno-unknown-pragmas -isystem %D -isystem %W/ddk", MINGW_LINK},
    {"msvc", "clang", "clang-19 and lld-19",
     "--target=x86_64-pc-windows-msvc -fgnuc-version=4.2.1 " CLANG "-gcodeview -isystem %D -isystem %W -isystem %W/ddk",
     "-fuse-ld=lld -nostdlib -Wl,/driver,/subsystem:native,/entry:%E,/nodefaultlib,/dynamicbase,/debug,/pdb:%P"},
};
enum { TOOLCHAINS = sizeof toolchains / sizeof *toolchains };

struct build {
    const struct toolchain *with;
    const char *program, *output, *entry;
    bool compile_only, show, print_compile, print_link;
    char headers[4200], libraries[4200], database[4200];
    char *word[WORDS];
    int words;
    int sources;
};

/* Ours lie beside the program: in the tree as built, or as installed. */
static bool find_places(struct build *b)
{
    static const char *const places[][2] = {{"../include/ddk", "nt/lib"}, {"../include/irqlab/ddk", "../lib/irqlab"}};
    char self[4096], probe[4300];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(probe, sizeof probe, "%s/%s/ntddk.h", self, places[i][0]);
        if (access(probe, R_OK))
            continue;
        snprintf(probe, sizeof probe, "%s/%s", self, places[i][0]);
        char *headers = realpath(probe, NULL);
        snprintf(probe, sizeof probe, "%s/%s", self, places[i][1]);
        char *libraries = realpath(probe, NULL);
        if (headers && libraries) {
            snprintf(b->headers, sizeof b->headers, "%s", headers);
            snprintf(b->libraries, sizeof b->libraries, "%s", libraries);
        }
        free(headers);
        free(libraries);
        if (*b->libraries)
            return true;
    }
    fputs("irqlab: cc: the headers for drivers are missing (include/ddk beside the program)\n", stderr);
    return false;
}

static bool add(struct build *b, const char *text)
{
    if (b->words + 1 == WORDS) {
        fputs("irqlab: cc: too many arguments\n", stderr);
        return false;
    }
    b->word[b->words] = strdup(text);
    return b->word[b->words++] != NULL;
}

/* The words of a toolchain's line, with places filled in. */
static bool add_line(struct build *b, const char *line)
{
    char word[9000];
    while (*line) {
        size_t used = 0;
        for (; *line && *line != ' '; line++) {
            const char *place = NULL;
            if (*line == '%')
                switch (line[1]) {
                case 'D':
                    place = b->headers;
                    break;
                case 'W':
                    place = SYSTEM_HEADERS;
                    break;
                case 'L':
                    place = b->libraries;
                    break;
                case 'E':
                    place = b->entry;
                    break;
                case 'P':
                    place = b->database;
                    break;
                }
            if (place) {
                used += (size_t)snprintf(word + used, sizeof word - used, "%s", place);
                line++;
            } else
                word[used++] = *line;
            if (used + 2 > sizeof word)
                return false;
        }
        word[used] = 0;
        if (!add(b, word))
            return false;
        line += *line == ' ';
    }
    return true;
}

static bool is_source(const char *path)
{
    static const char *const ends[] = {".c", ".cc", ".cpp", ".cxx", ".C", ".CPP", ".S", ".s"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (!strcmp(dot, ends[i]))
            return true;
    return false;
}

static bool is_clang(const struct build *b)
{
    return !strcmp(b->with->program, "clang");
}

/* Windows finds a header in any case. The words are not shown with -v: the file is gone when we are. */
static bool add_overlay(struct build *b, int argc, char **argv)
{
    static const char *const systems[] = {SYSTEM_HEADERS, SYSTEM_HEADERS "/ddk"};
    struct overlay *o = is_clang(b) ? overlay_new() : NULL;
    if (!o)
        return true;
    overlay_add(o, b->headers, 1);
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
        overlay_add(o, systems[i], 0);
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "-I", 2))
            overlay_add(o, argv[i][2] ? argv[i] + 2 : argv[i + 1] ? argv[i + 1] : ".", 2);
        if (argv[i][0] == '-' || !is_source(argv[i]))
            continue;
        const char *slash = strrchr(argv[i], '/');
        char folder[4096];
        snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - argv[i]) + 1 : 1, slash ? argv[i] : ".");
        overlay_add(o, folder, 2);
    }
    const char *path = overlay_path(o);
    return !path || (add(b, "-ivfsoverlay") && add(b, path));
}

/* Microsoft's C++17, not the target's own default. Mixed with C, no -std is one for both. */
static bool add_standard(struct build *b, int argc, char **argv)
{
    bool cplusplus = false;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "-std=", 5) || !strcmp(argv[i], "-x"))
            return true;
        if (argv[i][0] == '-' || !is_source(argv[i]))
            continue;
        if (strpbrk(strrchr(argv[i], '.'), "pxP") || !strcmp(strrchr(argv[i], '.'), ".cc"))
            cplusplus = true;
        else
            return true;
    }
    return !cplusplus || add(b, "-std=gnu++17");
}

static bool has_try(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[4096];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, "__try") || strstr(line, "__except");
    if (f)
        fclose(f);
    return found;
}

/* An old clang builds, but a fault inside __try is not caught: said where that matters, not left to be found out. */
static void warn_of_old_clang(const struct build *b, int argc, char **argv)
{
    int version = is_clang(b) && !strcmp(b->program, "clang") ? clang_version(b->program) : 0;
    if (!version || version >= CLANG_GUARDS_ACCESSES)
        return;
    for (int i = 0; i < argc; i++)
        if (argv[i][0] != '-' && is_source(argv[i]) && has_try(argv[i])) {
            fprintf(stderr,
                    "irqlab: cc: note: %s uses __try, of which clang %d guards the calls only, not accesses to memory; "
                    "clang %d and later do (Debian: clang-19 lld-19)\n",
                    argv[i], version, CLANG_GUARDS_ACCESSES);
            return;
        }
}

/* Both kinds of linker take the libraries by their path; behind the objects that need them. */
static bool add_libraries(struct build *b)
{
    static const char *const names[] = {"libwdmsec.a", "libintrin.a", "libntoskrnl.a", "libhal.a", "libwmilib.a"};
    char path[4300];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", b->libraries, names[i]);
        if (!add(b, path))
            return false;
    }
    return true;
}

static const struct toolchain *toolchain_named(const char *name)
{
    for (int i = 0; i < TOOLCHAINS; i++)
        if (!strcmp(toolchains[i].name, name))
            return &toolchains[i];
    fprintf(stderr, "irqlab: cc: --compiler: '%s' is not one of: clang gcc msvc\n", name);
    return NULL;
}

/* Options of compilers whose value is the next word. */
static bool takes_next(const char *text)
{
    static const char *const names[] = {"-I", "-D",       "-U",      "-L",  "-l",  "-include", "-isystem",   "-imacros",
                                        "-x", "-Xlinker", "-Xclang", "-MF", "-MT", "-MQ",      "-idirafter", "-iquote"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i]))
            return true;
    return false;
}

static void help(void)
{
    puts("usage: irqlab cc [OPTIONS] FILE.c... -o DRIVER.sys\n\n"
         "Builds a driver on Linux, with debug data, from source written for Windows' kit.\n"
         "  --compiler clang|gcc|msvc  clang for mingw (__try, DWARF; the default), mingw gcc, or clang for the\n"
         "                             MSVC target (__try, a PDB beside the driver)\n"
         "  -o FILE                    the driver (default: the first source's name with .sys)\n"
         "  -c                         compile only\n"
         "  --entry NAME               the entry point (DriverEntry)\n"
         "  -v, --show                 show the compiler's command\n"
         "  --cflags, --libs           print the flags and do nothing (what pkg-config irqlab-driver says)\n"
         "Everything else (-I, -D, -O, -W..., objects, libraries) goes to the compiler.\n"
         "Exit status: 0 built, 2 the source is no good or something is missing.");
}

/* One argument; `next` is used up when it belongs to it. False: a line was written. */
static bool take(struct build *b, char **argv, int *i)
{
    const char *text = argv[*i], *value = NULL;
    char *next = argv[*i + 1];
    const char *const named[] = {"--compiler", "--entry", "-o"};
    for (int n = 0; n < 3; n++) {
        size_t bytes = strlen(named[n]);
        if (strncmp(text, named[n], bytes) || (text[bytes] && text[bytes] != '=' && n < 2))
            continue;
        value = text[bytes] ? text + bytes + (n < 2) : next;
        *i += !text[bytes];
        if (!value || !*value) {
            fprintf(stderr, "irqlab: cc: %s needs a value\n", named[n]);
            return false;
        }
        if (n == 0)
            return (b->with = toolchain_named(value)) != NULL;
        *(n == 1 ? &b->entry : &b->output) = value;
        return true;
    }
    if (!strcmp(text, "-v") || !strcmp(text, "--show"))
        return b->show = true;
    if (!strcmp(text, "-c"))
        return b->compile_only = true;
    if (!strcmp(text, "--cflags"))
        return b->print_compile = true;
    if (!strcmp(text, "--libs"))
        return b->print_link = true;
    return true;
}

static bool is_ours(const char *text)
{
    return !strcmp(text, "-v") || !strcmp(text, "--show") || !strcmp(text, "-c") || !strcmp(text, "--cflags") ||
           !strcmp(text, "--libs") || !strncmp(text, "--compiler", 10) || !strncmp(text, "--entry", 7) ||
           !strncmp(text, "-o", 2);
}

static bool read_arguments(struct build *b, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            help();
            exit(COMMAND_CLEAN);
        }
    for (int i = 0; i < argc; i++) {
        if (is_ours(argv[i])) {
            if (!take(b, argv, &i))
                return false;
        } else if (takes_next(argv[i]) && i + 1 < argc)
            i++;
        else if (argv[i][0] != '-')
            b->sources++;
    }
    return true;
}

static bool add_passed(struct build *b, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (is_ours(argv[i])) {
            struct build ignored = *b;
            take(&ignored, argv, &i);
        } else if (!add(b, argv[i]) || (takes_next(argv[i]) && i + 1 < argc && !add(b, argv[++i])))
            return false;
    }
    return true;
}

static void choose_output(struct build *b, int argc, char **argv)
{
    static char made[4200];
    for (int i = 0; i < argc && !b->output && !b->compile_only; i++)
        if (argv[i][0] != '-' && is_source(argv[i])) {
            const char *slash = strrchr(argv[i], '/'), *name = slash ? slash + 1 : argv[i];
            snprintf(made, sizeof made, "%.*s.sys", (int)(strrchr(name, '.') - name), name);
            b->output = made;
        }
    if (b->output) {
        const char *dot = strrchr(b->output, '.'), *slash = strrchr(b->output, '/');
        int stem = dot && (!slash || dot > slash) ? (int)(dot - b->output) : (int)strlen(b->output);
        snprintf(b->database, sizeof b->database, "%.*s.pdb", stem, b->output);
    }
}

static void print_words(const struct build *b, FILE *out)
{
    for (int i = 0; i < b->words; i++) {
        char quoted[9100] = "";
        options_quote(quoted, sizeof quoted, b->word[i]);
        fprintf(out, "%s%s", i ? " " : "", quoted);
    }
    fputc('\n', out);
}

static bool make_command(struct build *b, int argc, char **argv)
{
    bool flags = b->print_compile || b->print_link;
    if (!flags && (!add(b, b->program) || !add_line(b, b->with->compile) || !add_standard(b, argc, argv) ||
                   !add_passed(b, argc, argv)))
        return false;
    if (b->print_compile && !add_line(b, b->with->compile))
        return false;
    if (!flags && b->output && (!add(b, "-o") || !add(b, b->output)))
        return false;
    if (!flags && b->compile_only)
        return add(b, "-c");
    return (flags && !b->print_link) || (add_line(b, b->with->link) && add_libraries(b));
}

int command_cc(int argc, char **argv)
{
    static struct build b = {.with = &toolchains[0], .entry = "DriverEntry"};
    if (!read_arguments(&b, argc, argv) || !find_places(&b))
        return COMMAND_USAGE;
    if (!b.sources && !b.print_compile && !b.print_link) {
        fputs("irqlab: cc: which source? (irqlab cc [OPTIONS] FILE.c... -o DRIVER.sys)\n", stderr);
        return COMMAND_USAGE;
    }
    choose_output(&b, argc, argv);
    b.program = is_clang(&b) ? clang_choose() : b.with->program;
    if (!make_command(&b, argc, argv))
        return COMMAND_USAGE;
    if (b.print_compile || b.print_link || b.show)
        print_words(&b, b.show ? stderr : stdout);
    if (b.print_compile || b.print_link)
        return COMMAND_CLEAN;
    warn_of_old_clang(&b, argc, argv);
    if (!add_overlay(&b, argc, argv))
        return COMMAND_USAGE;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execvp(b.word[0], b.word);
        fprintf(stderr, "irqlab: cc: %s: %s (it comes with %s)\n", b.program, strerror(errno), b.with->package);
        _exit(COMMAND_USAGE);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) && !WEXITSTATUS(status) ? COMMAND_CLEAN : COMMAND_USAGE;
}
