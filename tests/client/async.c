/* Overlapped requests on a device that keeps them (tests/user/queue.c): events, completion ports, cancelling, dying. */
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

#define CODE(number) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (number), METHOD_BUFFERED, FILE_ANY_ACCESS)

static HANDLE queue, control;

static HANDLE open_queue(DWORD flags)
{
    return CreateFileA("\\\\.\\Queue", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, flags, NULL);
}

static BOOL start(OVERLAPPED *o, DWORD *out)
{
    return !DeviceIoControl(queue, CODE(0), NULL, 0, out, sizeof *out, NULL, o) && GetLastError() == ERROR_IO_PENDING;
}

static BOOL release(void)
{
    return DeviceIoControl(control, CODE(2), NULL, 0, NULL, 0, NULL, NULL);
}

static DWORD pending(void)
{
    DWORD out[2] = {99, 99}, bytes;
    CHECK(DeviceIoControl(control, CODE(1), NULL, 0, out, sizeof out, &bytes, NULL) && bytes == 8);
    return out[0];
}

static void by_event(void)
{
    OVERLAPPED o = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    DWORD out = 0, bytes = 77;
    CHECK(start(&o, &out));
    CHECK(!HasOverlappedIoCompleted(&o));
    CHECK(!GetOverlappedResult(queue, &o, &bytes, FALSE) && GetLastError() == ERROR_IO_INCOMPLETE);
    CHECK(WaitForSingleObject(o.hEvent, 10) == WAIT_TIMEOUT);
    CHECK(pending() == 1 && out == 0);
    CHECK(release());
    CHECK(WaitForSingleObject(o.hEvent, INFINITE) == WAIT_OBJECT_0);
    CHECK(HasOverlappedIoCompleted(&o) && out == 0x1234);
    CHECK(GetOverlappedResult(queue, &o, &bytes, TRUE) && bytes == 4);
    CHECK(!release() && GetLastError() == ERROR_NOT_FOUND);
    CHECK(CloseHandle(o.hEvent));
}

static void cancelled(void)
{
    OVERLAPPED a = {0}, b = {0};
    DWORD out, bytes;
    CHECK(start(&a, &out) && start(&b, &out) && pending() == 2);
    CHECK(CancelIoEx(queue, &b) && pending() == 1);
    CHECK(!GetOverlappedResult(queue, &b, &bytes, TRUE) && GetLastError() == ERROR_OPERATION_ABORTED);
    CHECK(!HasOverlappedIoCompleted(&a));
    CHECK(!CancelIoEx(queue, &b) && GetLastError() == ERROR_NOT_FOUND);
    CHECK(CancelIoEx(queue, NULL) && pending() == 0);
    CHECK(!GetOverlappedResult(queue, &a, &bytes, TRUE) && GetLastError() == ERROR_OPERATION_ABORTED);
    CHECK(!CancelIoEx(queue, NULL) && GetLastError() == ERROR_NOT_FOUND);
    CHECK(start(&a, &out) && CancelIo(queue) && pending() == 0);
    CHECK(!GetOverlappedResult(queue, &a, &bytes, TRUE) && GetLastError() == ERROR_OPERATION_ABORTED);
}

static BOOL at_once(OVERLAPPED *o)
{
    DWORD out[2], bytes;
    return DeviceIoControl(queue, CODE(1), NULL, 0, out, sizeof out, &bytes, o);
}

static void by_port(void)
{
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    OVERLAPPED o = {0}, own = {0}, *got = &own;
    DWORD out = 0, bytes = 0;
    ULONG_PTR key = 0;
    CHECK(port != NULL);
    CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &got, 10) && GetLastError() == WAIT_TIMEOUT && !got);
    CHECK(CreateIoCompletionPort(queue, port, 4711, 0) == port);
    CHECK(start(&o, &out) && release());
    CHECK(GetQueuedCompletionStatus(port, &bytes, &key, &got, INFINITE) && got == &o && key == 4711 && bytes == 4 &&
          out == 0x1234);
    CHECK(start(&o, &out) && CancelIoEx(queue, &o));
    CHECK(!GetQueuedCompletionStatus(port, &bytes, &key, &got, INFINITE) && GetLastError() == ERROR_OPERATION_ABORTED &&
          got == &o);
    CHECK(PostQueuedCompletionStatus(port, 5, 6, &own));
    CHECK(GetQueuedCompletionStatus(port, &bytes, &key, &got, INFINITE) && got == &own && key == 6 && bytes == 5);
    CHECK(at_once(&o) && GetQueuedCompletionStatus(port, &bytes, &key, &got, 0) && got == &o);
    CHECK(SetFileCompletionNotificationModes(queue, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
    CHECK(at_once(&o) && !GetQueuedCompletionStatus(port, &bytes, &key, &got, 0) && GetLastError() == WAIT_TIMEOUT);
    CHECK(!SetFileCompletionNotificationModes(queue, 8) && GetLastError() == ERROR_INVALID_PARAMETER);
    CHECK(CreateIoCompletionPort(INVALID_HANDLE_VALUE, port, 0, 0) == NULL);
    CHECK(CloseHandle(port));
}

/* Another thread waits for what this one releases. */
static void *waits(void *argument)
{
    DWORD out = 0, bytes = 0;
    HANDLE own = open_queue(0);
    BOOL good = DeviceIoControl(own, CODE(0), NULL, 0, &out, sizeof out, &bytes, NULL);
    CloseHandle(own);
    return good && out == 0x1234 && bytes == 4 ? argument : NULL;
}

static void by_thread(void)
{
    pthread_t thread;
    void *good = NULL;
    CHECK(!pthread_create(&thread, NULL, waits, &failures));
    while (pending() == 0)
        Sleep(1);
    CHECK(release());
    pthread_join(thread, &good);
    CHECK(good);
}

int main(int argc, char **argv)
{
    DWORD out;
    OVERLAPPED o = {0};
    queue = open_queue(FILE_FLAG_OVERLAPPED);
    control = open_queue(0);
    CHECK(queue != INVALID_HANDLE_VALUE && control != INVALID_HANDLE_VALUE);
    by_event();
    cancelled();
    by_thread();
    by_port();
    CHECK(start(&o, &out));
    printf("%d checks, %d failures\n", checks, failures);
    fflush(stdout);
    if (argc > 1)
        abort();
    return failures != 0; /* with a request under way */
}
