/*
 * A program that starts as each of the images named, and says what becomes of it: guard.c denies some by name.
 *
 *     irqlab run --client "build/examples/guard-client notepad.exe evil.exe" build/examples/guard.sys
 *
 * A Linux program becomes a process of the machine with its first call. When a driver denies that, there is no process: the
 * program has no id, and its calls fail with the driver's error. Each image is tried in a Linux process of its own, for a
 * process is launched once.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <irqlab-client.h>

static void start_as(const char *image)
{
    irqlab_machine(NULL, image, FALSE);
    if (CreateEventA(NULL, FALSE, FALSE, NULL))
        printf("%s runs as process %u\n", image, GetCurrentProcessId());
    else
        printf("%s: error %u\n", image, GetLastError());
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        int status = 0;
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            start_as(argv[i]);
            return 0;
        }
        failed |= child < 0 || waitpid(child, &status, 0) < 0 || status;
    }
    return failed;
}
