/* A program that ends in the way its argument says. `wait` hangs in a wait that ends with the machine only. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "irqlab-client.h"

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    volatile int *volatile nowhere = NULL;
    if (!event)
        return 1;
    if (!strcmp(how, "segv"))
        *nowhere = 1;
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "kill"))
        raise(SIGKILL);
    if (!strcmp(how, "_exit"))
        _exit(0);
    if (!strcmp(how, "exit"))
        ExitProcess(77);
    if (!strcmp(how, "return"))
        return 5;
    if (!strcmp(how, "killed_waiting")) { /* by a shell's timeout */
        WaitForSingleObject(event, INFINITE);
        return 0;
    }
    if (!strcmp(how, "wait")) { /* when all are there */
        if (write(3, "\n", 1) != 1 || getchar() == EOF)
            return 2;
        DWORD got = WaitForSingleObject(event, INFINITE);
        printf("the wait ended: %u, error %u\n", got, GetLastError());
        return got == WAIT_FAILED && GetLastError() == ERROR_NOT_READY ? 0 : 1;
    }
    return 0;
}
