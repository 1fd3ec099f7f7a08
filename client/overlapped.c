/*
 * Requests under way. Their IO_STATUS_BLOCK, and buffers that are no memory of VirtualAlloc, lie in memory of the library's; when
 * the program asks, what is done is copied into its own.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "part.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pending *list;

void pending_add(struct pending *p)
{
    pthread_mutex_lock(&lock);
    p->next = list;
    list = p;
    pthread_mutex_unlock(&lock);
}

/* Is it done? Then the results are in the program's memory. */
static bool look(struct pending *p)
{
    uint64_t *block = here(p->iosb);
    NTSTATUS status = (NTSTATUS)__atomic_load_n(block, __ATOMIC_ACQUIRE); /* the machine writes it last */
    if (status == STATUS_PENDING)
        return false;
    uint64_t information = block[1], bytes = p->whole ? p->bytes : information;
    if (p->to && (p->whole || (uint32_t)status < 0xC0000000))
        guarded_copy(p->to, here(p->buffer), bytes < p->bytes ? bytes : p->bytes);
    p->overlapped->InternalHigh = (ULONG_PTR)information;
    __atomic_store_n(&p->overlapped->Internal, (ULONG_PTR)(uint32_t)status, __ATOMIC_RELEASE);
    memory_put(p->iosb, p->region_bytes);
    return true;
}

void pending_collect(void)
{
    if (!__atomic_load_n(&list, __ATOMIC_RELAXED))
        return;
    pthread_mutex_lock(&lock);
    for (struct pending **at = &list; *at;) {
        struct pending *p = *at;
        if (look(p)) {
            *at = p->next;
            free(p);
        } else
            at = &p->next;
    }
    pthread_mutex_unlock(&lock);
}

uint64_t pending_iosb(HANDLE file, LPOVERLAPPED overlapped)
{
    uint64_t iosb = 0;
    pthread_mutex_lock(&lock);
    for (struct pending *p = list; p && !iosb; p = p->next)
        if (p->overlapped == overlapped && p->file == file)
            iosb = p->iosb;
    pthread_mutex_unlock(&lock);
    return iosb;
}

static bool is_pending(LPOVERLAPPED overlapped)
{
    return (NTSTATUS)__atomic_load_n(&overlapped->Internal, __ATOMIC_ACQUIRE) == STATUS_PENDING;
}

BOOL HasOverlappedIoCompleted(LPOVERLAPPED overlapped)
{
    if (is_pending(overlapped))
        pending_collect();
    return !is_pending(overlapped);
}

BOOL GetOverlappedResult(HANDLE file, LPOVERLAPPED overlapped, LPDWORD bytes, BOOL wait)
{
    HANDLE event = (HANDLE)((uintptr_t)overlapped->hEvent & ~(uintptr_t)1);
    pending_collect();
    if (is_pending(overlapped) && wait && WaitForSingleObject(event ? event : file, INFINITE) == WAIT_FAILED)
        return FALSE;
    if (is_pending(overlapped)) {
        last_error = ERROR_IO_INCOMPLETE;
        return FALSE;
    }
    if (bytes)
        *bytes = (DWORD)overlapped->InternalHigh;
    return settle((NTSTATUS)overlapped->Internal);
}

/* ---- Waits --------------------------------------------------------------------------------------------------------------- */

/* The time-out as NT has it; 0: none is passed. */
static uint64_t put_time(struct link *l, DWORD milliseconds)
{
    int64_t time = -(int64_t)milliseconds * 10000;
    if (milliseconds == INFINITE)
        return 0;
    request_in(place(l, PLACE_WORD), &time, sizeof time);
    return place(l, PLACE_WORD);
}

static DWORD waited(NTSTATUS status)
{
    pending_collect();
    if (settle(status))
        return (DWORD)status; /* WAIT_OBJECT_0 + n, WAIT_ABANDONED_0 + n, WAIT_TIMEOUT are NT's own numbers */
    return WAIT_FAILED;
}

DWORD WaitForSingleObject(HANDLE handle, DWORD milliseconds)
{
    struct link *l = link_get();
    if (!l)
        return WAIT_FAILED;
    request_begin(l, DOOR_SERVICE_WaitForSingleObject);
    uint64_t time = put_time(l, milliseconds);
    return waited(request_go(l, 3, (uint64_t)(uintptr_t)handle, 0ull, time));
}

DWORD WaitForMultipleObjects(DWORD count, const HANDLE *handles, BOOL all, DWORD milliseconds)
{
    uint64_t wide[MAXIMUM_WAIT_OBJECTS];
    struct link *l = link_get();
    if (!l)
        return WAIT_FAILED;
    if (!count || count > MAXIMUM_WAIT_OBJECTS || !handles) {
        last_error = ERROR_INVALID_PARAMETER;
        return WAIT_FAILED;
    }
    for (DWORD i = 0; i < count; i++)
        wide[i] = (uint64_t)(uintptr_t)handles[i];
    request_begin(l, DOOR_SERVICE_WaitForMultipleObjects);
    request_in(place(l, PLACE_STRUCT), wide, count * 8ull);
    uint64_t time = put_time(l, milliseconds);
    return waited(request_go(l, 5, (uint64_t)count, place(l, PLACE_STRUCT), all ? 0ull : 1ull, 0ull, time));
}

void Sleep(DWORD milliseconds)
{
    int64_t time = milliseconds == INFINITE ? INT64_MIN : -(int64_t)milliseconds * 10000;
    struct link *l = link_get();
    if (!l)
        return;
    request_begin(l, DOOR_SERVICE_DelayExecution);
    request_in(place(l, PLACE_WORD), &time, sizeof time);
    request_go(l, 2, 0ull, place(l, PLACE_WORD));
}

static BOOL cancel(HANDLE file, enum door_service service, uint64_t which)
{
    struct link *l = link_get();
    if (!l)
        return FALSE;
    request_begin(l, service);
    uint64_t iosb = place(l, PLACE_IOSB), handle = (uint64_t)(uintptr_t)file;
    bool good = settle(service == DOOR_SERVICE_CancelIoFile ? request_go(l, 2, handle, iosb)
                                                            : request_go(l, 3, handle, which, iosb));
    pending_collect();
    return good;
}

BOOL CancelIo(HANDLE file)
{
    return cancel(file, DOOR_SERVICE_CancelIoFile, 0);
}

/* docs: CancelIoEx: one request, or all of the file; ERROR_NOT_FOUND when there is none. */
BOOL CancelIoEx(HANDLE file, LPOVERLAPPED overlapped)
{
    uint64_t which = overlapped ? pending_iosb(file, overlapped) : 0;
    if (!overlapped || which)
        return cancel(file, DOOR_SERVICE_CancelIoFileEx, which);
    last_error = ERROR_NOT_FOUND;
    return FALSE;
}
