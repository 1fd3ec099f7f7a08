/*
 * irqlab doctor: what this host offers, what is missing, and what that costs. Nothing here changes anything; each layer
 * of the sandbox is tried in a child process that ends at once.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "cli/command.h"
#include "cli/input.h"
#include "cli/options.h"
#include "report/symbolizer.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
enum { HWCAP2_FSGSBASE_BIT = 2 };

static const struct option table[] = {{0}};

static void row(bool good, const char *what, const char *have, const char *cost)
{
    printf("  %-7s %-22s %s\n", good ? "ok" : "missing", what, good ? have : cost);
}

static void show_host(void)
{
    char line[256] = "", *name = NULL;
    struct utsname u;
    FILE *cpu = fopen("/proc/cpuinfo", "re");
    while (cpu && !name && fgets(line, sizeof line, cpu))
        if (!strncmp(line, "model name", 10))
            name = strchr(line, ':');
    if (cpu)
        fclose(cpu);
    if (name)
        name[strcspn(name, "\n")] = 0;
    uname(&u);
    row(true, "kernel", u.release, "");
    row(true, "processor", name ? name + 2 : "unknown", "");
}

static bool guard_pages(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool good = p != MAP_FAILED && !madvise(p, 4096, MADV_GUARD_INSTALL);
    if (p != MAP_FAILED)
        munmap(p, 4096);
    return good;
}

int command_doctor(int argc, char **argv)
{
    struct options options = {.command = "doctor", .table = table};
    char path[4200];
    if (!options_parse(&options, argc, argv))
        return COMMAND_USAGE;
    if (options.help || options.count) {
        fputs("usage: irqlab doctor\n\nSays what this host offers to irqlab, what is missing, and what that costs.\n",
              options.help ? stdout : stderr);
        return options.help ? COMMAND_CLEAN : COMMAND_USAGE;
    }
    puts("irqlab " IRQLAB_VERSION);
    show_host();
    row(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT, "FSGSBASE", "processors are switched in nanoseconds",
        "a switch between processors costs a system call each (0.2 us)");
    row(guard_pages(), "guard pages", "100,000 threads and more",
        "needs Linux 6.13; about 32,000 threads are the limit");
    row(symbolizer_path(path, sizeof path), "llvm-symbolizer", path,
        "reports name functions but no source lines (Debian: apt-get install llvm)");
    bool kernel = input_kernel_dir(path, sizeof path);
    row(kernel, "ntoskrnl.exe", path, "nothing runs: build it (make), or install irqlab completely");
    return kernel ? COMMAND_CLEAN : COMMAND_INTERNAL;
}
