/* A program that uses every call of the library on the echo device. Each CHECK is a promise of the documentation. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "irqlab-client.h"

static int failures, checks;
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        checks++;                                                                                                      \
        if (!(condition)) {                                                                                            \
            failures++;                                                                                                \
            printf("FAIL line %d: %s (last error %u)\n", __LINE__, #condition, GetLastError());                        \
        }                                                                                                              \
    } while (0)

#define CODE(number, method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (number), method, FILE_ANY_ACCESS)

static HANDLE open_echo(DWORD flags)
{
    return CreateFileA("\\\\.\\Echo", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, flags, NULL);
}

static void methods(HANDLE h)
{
    static const unsigned codes[] = {CODE(0, METHOD_BUFFERED), CODE(1, METHOD_OUT_DIRECT), CODE(2, METHOD_NEITHER)};
    char out[64];
    DWORD bytes;
    for (int i = 0; i < 3; i++) {
        memset(out, 'x', sizeof out);
        bytes = 99;
        CHECK(DeviceIoControl(h, codes[i], "hello, world", 12, out, sizeof out, &bytes, NULL));
        CHECK(bytes == 12 && !memcmp(out, "hello, worldx", 13));
    }
    CHECK(!DeviceIoControl(h, CODE(77, 0), NULL, 0, NULL, 0, &bytes, NULL) && GetLastError() == ERROR_INVALID_FUNCTION);
    CHECK(!ReadFile(h, out, 4, &bytes, NULL) && GetLastError() == ERROR_INVALID_FUNCTION);
}

static void large(HANDLE h)
{
    enum { BYTES = 1536 * 1024 };
    char *in = malloc(BYTES), *out = calloc(1, BYTES);
    DWORD bytes = 0;
    for (int i = 0; i < BYTES; i++)
        in[i] = (char)(i * 7 >> 3);
    CHECK(DeviceIoControl(h, CODE(1, METHOD_OUT_DIRECT), in, BYTES, out, BYTES, &bytes, NULL));
    CHECK(bytes == BYTES && !memcmp(in, out, BYTES));
    CHECK(!DeviceIoControl(h, CODE(1, METHOD_OUT_DIRECT), in, 0x7fffffff, out, 16, &bytes, NULL));
    free(in);
    free(out);
}

static void handles(void)
{
    CHECK(CreateFileA("\\\\.\\Nothing", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE);
    CHECK(GetLastError() == ERROR_FILE_NOT_FOUND);
    CHECK(CreateFileA("", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE);
    CHECK(CreateFileA("\\\\.\\Echo", GENERIC_READ, 0, NULL, 9, 0, NULL) == INVALID_HANDLE_VALUE);
    CHECK(GetLastError() == ERROR_INVALID_PARAMETER);
    CHECK(CreateFileW(u"\\\\.\\Nothing", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE);
    CHECK(!CloseHandle((HANDLE)0x1234) && GetLastError() == ERROR_INVALID_HANDLE);
    CHECK(!CloseHandle(NULL) && GetLastError() == ERROR_INVALID_HANDLE);
}

static void events(void)
{
    HANDLE e = CreateEventA(NULL, FALSE, TRUE, NULL), m = CreateEventA(NULL, TRUE, FALSE, NULL), both[2] = {e, m};
    CHECK(e && m && e != m);
    CHECK(WaitForSingleObject(e, 0) == WAIT_OBJECT_0);
    CHECK(WaitForSingleObject(e, 0) == WAIT_TIMEOUT);
    CHECK(WaitForSingleObject(e, 3600000) == WAIT_TIMEOUT); /* an hour of virtual time */
    CHECK(SetEvent(m) && WaitForMultipleObjects(2, both, FALSE, INFINITE) == WAIT_OBJECT_0 + 1);
    CHECK(WaitForMultipleObjects(2, both, TRUE, 10) == WAIT_TIMEOUT);
    CHECK(SetEvent(e) && WaitForMultipleObjects(2, both, TRUE, INFINITE) == WAIT_OBJECT_0);
    CHECK(ResetEvent(m) && WaitForSingleObject(m, 10) == WAIT_TIMEOUT);
    CHECK(WaitForMultipleObjects(65, both, TRUE, 10) == WAIT_FAILED && GetLastError() == ERROR_INVALID_PARAMETER);
    CHECK(WaitForSingleObject((HANDLE)0x4444, 10) == WAIT_FAILED && GetLastError() == ERROR_INVALID_HANDLE);
    CHECK(CloseHandle(e) && CloseHandle(m));
}

static void files(void)
{
    char text[32];
    DWORD bytes;
    HANDLE f = CreateFileA("C:\\new.txt", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
    CHECK(f != INVALID_HANDLE_VALUE);
    CHECK(WriteFile(f, "one line\n", 9, &bytes, NULL) && bytes == 9);
    CHECK(CreateFileA("C:\\new.txt", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE);
    CHECK(GetLastError() == ERROR_SHARING_VIOLATION);
    CHECK(CloseHandle(f));
    CHECK(CreateFileA("C:\\new.txt", GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL) == INVALID_HANDLE_VALUE);
    CHECK(GetLastError() == ERROR_FILE_EXISTS);
    f = CreateFileA("new.txt", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(ReadFile(f, text, sizeof text, &bytes, NULL) && bytes == 9 && !memcmp(text, "one line\n", 9));
    CHECK(ReadFile(f, text, sizeof text, &bytes, NULL) && bytes == 0); /* the end */
    CHECK(CloseHandle(f));
    CHECK(CreateFileA("C:\\no\\such\\path", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE);
    CHECK(GetLastError() == ERROR_PATH_NOT_FOUND);
}

static void overlapped(void)
{
    HANDLE h = open_echo(FILE_FLAG_OVERLAPPED);
    OVERLAPPED o = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    char out[32] = "";
    DWORD bytes = 0;
    BOOL done = DeviceIoControl(h, CODE(0, METHOD_BUFFERED), "later", 5, out, sizeof out, NULL, &o);
    CHECK(done || GetLastError() == ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(h, &o, &bytes, TRUE) && bytes == 5 && !memcmp(out, "later", 5));
    CHECK(HasOverlappedIoCompleted(&o));
    CHECK(CloseHandle(o.hEvent) && CloseHandle(h));
}

static void *thread(void *unused)
{
    HANDLE h = open_echo(0);
    char out[16];
    DWORD bytes, id = GetCurrentThreadId();
    for (int i = 0; i < 100; i++)
        if (!DeviceIoControl(h, CODE(0, METHOD_BUFFERED), &id, 4, out, 16, &bytes, NULL) || memcmp(&id, out, 4))
            return unused;
    CloseHandle(h);
    return NULL;
}

static void threads(void)
{
    pthread_t t[8];
    void *failed = NULL;
    for (int i = 0; i < 8; i++)
        CHECK(!pthread_create(&t[i], NULL, thread, &failures));
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], &failed);
        CHECK(!failed);
    }
}

int main(void)
{
    HANDLE h = open_echo(0);
    CHECK(h != INVALID_HANDLE_VALUE);
    CHECK(GetCurrentProcessId() > 4);
    methods(h);
    large(h);
    handles();
    events();
    files();
    overlapped();
    threads();
    CHECK(CloseHandle(h));
    CHECK(!DeviceIoControl(h, CODE(0, 0), NULL, 0, NULL, 0, NULL, NULL) && GetLastError() == ERROR_INVALID_HANDLE);
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
