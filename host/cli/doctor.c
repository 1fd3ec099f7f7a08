/*
 * irqlab doctor: what this host offers, what is missing, and what that costs. Nothing here changes anything; each layer
 * of the sandbox is tried in a child process that ends at once.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include "cli/command.h"
#include "cli/input.h"
#include "cli/options.h"
#include "report/symbolizer.h"
#include "sandbox/sandbox.h"

/* What it costs when a layer is missing, where the detail that sandbox_probe gives says only why. */
static const char *const costs[SANDBOX_LAYERS] = {
    [SANDBOX_FILTER] = "nothing runs: without it a driver could reach the host",
    [SANDBOX_LANDLOCK] = "one layer less between a driver and files; the filter still holds",
    [SANDBOX_NAMESPACES] = "one layer less between a driver and the network; the filter still holds",
    [SANDBOX_NO_GAIN] = "nothing runs: the filter needs it",
    [SANDBOX_TIME] = "rdtsc shows the host's clock: runs of drivers that read it differ",
    [SANDBOX_GUARDS] = "about 32,000 threads are the limit, rather than 100,000 and more",
    [SANDBOX_FSGSBASE] = "a switch between processors costs a system call (0.2 us)",
};

static const struct option table[] = {{0}};

static void row(bool good, const char *what, const char *have, const char *cost)
{
    printf("  %-7s %-29s %s\n", good ? "ok" : "missing", what, good ? have : cost);
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

/* False when something is missing without which nothing runs. */
static bool show_layers(void)
{
    struct sandbox_report report;
    bool good = true;
    sandbox_probe(&report);
    for (int i = 0; i < SANDBOX_LAYERS; i++) {
        char text[300];
        bool present = report.layer[i].present;
        snprintf(text, sizeof text, "%s%s%s", report.layer[i].detail, *report.layer[i].detail ? "; " : "", costs[i]);
        row(present, report.layer[i].name, report.layer[i].detail, text);
        good &= present || !report.layer[i].required;
    }
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
    bool good = show_layers();
    row(symbolizer_path(path, sizeof path), "llvm-symbolizer", path,
        "reports name functions but no source lines (Debian: apt-get install llvm)");
    bool kernel = input_kernel_dir(path, sizeof path);
    row(kernel, "ntoskrnl.exe", path, "nothing runs: build it (make), or install irqlab completely");
    return kernel && good ? COMMAND_CLEAN : COMMAND_INTERNAL;
}
