/*
 * Files and devices. Names are turned into the machine's as Windows' library does it: \\.\X and C:\X lie in \??, and a name
 * without either is relative to C:\.
 */
#include <stdlib.h>
#include <string.h>
#include "part.h"

enum { NAME = 2048 };

/* ---- Names ------------------------------------------------------------------------------------------------------------- */

/* UTF-8 to UTF-16; what is no UTF-8 counts as Latin-1. Returns the number of units, at most room. */
static size_t widen(const char *text, WCHAR *to, size_t room)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t n = 0;
    while (*at && n + 2 <= room) {
        unsigned bytes = *at < 0x80 ? 1 : *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc2 ? 2 : 0;
        uint32_t c = bytes > 1 ? *at & (0x7fu >> bytes) : *at;
        for (unsigned i = 1; i < bytes; i++) {
            if ((at[i] & 0xc0) != 0x80) {
                bytes = 0;
                break;
            }
            c = c << 6 | (at[i] & 0x3f);
        }
        if (!bytes) {
            bytes = 1;
            c = *at;
        }
        if (c >= 0x10000) {
            to[n++] = (WCHAR)(0xd800 + ((c - 0x10000) >> 10));
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        to[n++] = (WCHAR)c;
        at += bytes;
    }
    return *at ? room + 1 : n;
}

static bool starts(LPCWSTR name, const char *with)
{
    while (*with && *name == (unsigned char)*with)
        name++, with++;
    return !*with;
}

/* Bytes of the NT name, 0 = it is none. */
static size_t nt_name(LPCWSTR name, WCHAR *to)
{
    size_t n = 0, skip = 0;
    bool absolute = starts(name, "\\\\.\\") || starts(name, "\\\\?\\");
    bool native = starts(name, "\\??\\");
    bool drive = name[0] && name[1] == ':';
    const char *before = native ? "" : absolute || drive ? "\\??\\" : "\\??\\C:\\";
    skip = absolute ? 4 : !native && !drive && (name[0] == '\\' || name[0] == '/') ? 1 : 0;
    while (*before)
        to[n++] = (unsigned char)*before++;
    for (name += skip; *name; name++) {
        if (n == NAME)
            return 0;
        to[n++] = *name == '/' ? '\\' : *name;
    }
    return n * sizeof(WCHAR);
}

/* OBJECT_ATTRIBUTES with a name at `at` in the process; bytes 0: without one. */
static void object_in(uint64_t at, const WCHAR *name, size_t bytes)
{
    struct {
        uint32_t length, pad;
        uint64_t root, name;
        uint32_t attributes, pad2;
        uint64_t security, quality;
        uint16_t name_length, name_room;
        uint32_t pad3;
        uint64_t buffer;
    } object = {.length = 48,
                .attributes = 0x40,
                .name = bytes ? at + 48 : 0,
                .name_length = (uint16_t)bytes,
                .name_room = (uint16_t)bytes,
                .buffer = at + sizeof object};
    request_in(at, &object, sizeof object);
    if (bytes)
        request_in(at + sizeof object, name, bytes);
}

/* ---- Opening and closing ------------------------------------------------------------------------------------------------ */

HANDLE CreateFileW(LPCWSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition,
                   DWORD flags, HANDLE pattern)
{
    static const uint32_t dispositions[] = {0, 2, 5, 1, 3, 4}; /* FILE_CREATE, OVERWRITE_IF, OPEN, OPEN_IF, OVERWRITE */
    WCHAR full[NAME];
    struct link *l = link_get();
    (void)security;
    (void)pattern;
    if (!l)
        return INVALID_HANDLE_VALUE;
    size_t bytes = name ? nt_name(name, full) : 0;
    if (disposition < CREATE_NEW || disposition > TRUNCATE_EXISTING || !bytes) {
        last_error = bytes           ? ERROR_INVALID_PARAMETER
                     : name && *name ? 206 /* ERROR_FILENAME_EXCED_RANGE */
                                     : ERROR_PATH_NOT_FOUND;
        return INVALID_HANDLE_VALUE;
    }
    uint64_t options = flags & FILE_FLAG_BACKUP_SEMANTICS ? 0x4000 : 0x40;
    options |= flags & FILE_FLAG_OVERLAPPED ? 0 : 0x20;
    options |= flags & FILE_FLAG_WRITE_THROUGH ? 2 : 0;
    options |= flags & FILE_FLAG_NO_BUFFERING ? 8 : 0;
    options |= flags & FILE_FLAG_SEQUENTIAL_SCAN ? 4 : 0;
    options |= flags & FILE_FLAG_RANDOM_ACCESS ? 0x800 : 0;
    options |= flags & FILE_FLAG_DELETE_ON_CLOSE ? 0x1000 : 0;
    access |= flags & FILE_FLAG_DELETE_ON_CLOSE ? 0x10000u : 0;
    request_begin(l, DOOR_SERVICE_CreateFile);
    object_in(place(l, PLACE_STRUCT), full, bytes);
    NTSTATUS status = request_go(l, 11, place(l, PLACE_WORD), (uint64_t)access | 0x100080, place(l, PLACE_STRUCT),
                                 place(l, PLACE_IOSB), 0ull, (uint64_t)(flags & 0x7fff), (uint64_t)share,
                                 (uint64_t)dispositions[disposition], options, 0ull, 0ull);
    if (!settle(status)) {
        if (status == (NTSTATUS)0xC0000035 && disposition == CREATE_NEW)
            last_error = ERROR_FILE_EXISTS;
        return INVALID_HANDLE_VALUE;
    }
    uint64_t value, information;
    memcpy(&value, here(place(l, PLACE_WORD)), 8);
    memcpy(&information, here(place(l, PLACE_IOSB) + 8), 8);
    bool was_there =
        (disposition == CREATE_ALWAYS && information == 3) || (disposition == OPEN_ALWAYS && information == 1);
    last_error = was_there ? ERROR_ALREADY_EXISTS : 0;
    return (HANDLE)(uintptr_t)value;
}

HANDLE CreateFileA(LPCSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition,
                   DWORD flags, HANDLE pattern)
{
    WCHAR wide[NAME + 1];
    size_t n = name ? widen(name, wide, NAME) : 0;
    if (n > NAME) {
        last_error = 206;
        return INVALID_HANDLE_VALUE;
    }
    wide[n] = 0;
    return CreateFileW(wide, access, share, security, disposition, flags, pattern);
}

BOOL CloseHandle(HANDLE handle)
{
    struct link *l = link_get();
    if (!l)
        return FALSE;
    request_begin(l, DOOR_SERVICE_Close);
    bool good = settle(request_go(l, 1, (uint64_t)(uintptr_t)handle));
    pending_collect();
    return good;
}

BOOL FlushFileBuffers(HANDLE file)
{
    struct link *l = link_get();
    if (!l)
        return FALSE;
    request_begin(l, DOOR_SERVICE_FlushBuffersFile);
    return settle(request_go(l, 2, (uint64_t)(uintptr_t)file, place(l, PLACE_IOSB)));
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------ */

/* What ReadFile, WriteFile and DeviceIoControl have in common. */
struct transfer {
    enum door_service service;
    HANDLE file;
    DWORD code;
    const void *in;
    DWORD in_bytes;
    void *out;
    DWORD out_bytes;
    LPDWORD done;
    LPOVERLAPPED overlapped;
    /* in the process: */
    uint64_t iosb, offset, at_in, at_out;
    uint64_t room; /* bytes of memory that buffers need which do not lie there already */
};

/* Where the buffers lie; a missing one lies at 0, whatever its length. One that is nowhere goes to the machine as it is: no
 * address of a program lies there. */
static void find_buffers(struct transfer *t)
{
    t->at_in = t->in ? memory_of(t->in, t->in_bytes) : 0;
    t->at_out = t->out ? memory_of(t->out, t->out_bytes) : 0;
    t->room = (t->in && !t->at_in ? (t->in_bytes + 15ull) & ~15ull : 0) + (t->out && !t->at_out ? t->out_bytes : 0);
}

/* METHOD_IN_DIRECT, METHOD_OUT_DIRECT and METHOD_NEITHER: the driver reads and writes the output buffer itself, whatever it says
 * of it afterwards. */
static bool is_whole(const struct transfer *t)
{
    return t->service == DOOR_SERVICE_DeviceIoControlFile && (t->code & 3);
}

/* The stack's part when it is large enough, else memory that stays with the thread. 0: there is none. */
static uint64_t room(struct link *l, uint64_t bytes)
{
    if (bytes <= PLACE_ROOM)
        return place(l, PLACE_BUFFER);
    if (bytes > l->large_bytes) {
        if (l->large)
            memory_put(l->large, l->large_bytes);
        l->large = memory_get(l, bytes);
        l->large_bytes = l->large ? bytes : 0;
    }
    return l->large;
}

static NTSTATUS send_transfer(struct link *l, const struct transfer *t)
{
    uint64_t event = t->overlapped ? (uint64_t)(uintptr_t)t->overlapped->hEvent & ~1ull : 0;
    /* docs: GetQueuedCompletionStatus: an event handle with its lowest bit set keeps the packet from the port. */
    uint64_t context =
        t->overlapped && !((uintptr_t)t->overlapped->hEvent & 1) ? (uint64_t)(uintptr_t)t->overlapped : 0;
    uint64_t file = (uint64_t)(uintptr_t)t->file;
    switch (t->service) {
    case DOOR_SERVICE_DeviceIoControlFile:
        return request_go(l, 10, file, event, 0ull, context, t->iosb, (uint64_t)t->code, t->at_in,
                          (uint64_t)t->in_bytes, t->at_out, (uint64_t)t->out_bytes);
    case DOOR_SERVICE_WriteFile:
        return request_go(l, 9, file, event, 0ull, context, t->iosb, t->at_in, (uint64_t)t->in_bytes, t->offset, 0ull);
    default:
        return request_go(l, 9, file, event, 0ull, context, t->iosb, t->at_out, (uint64_t)t->out_bytes, t->offset,
                          0ull);
    }
}

/* Its first byte stays what it is. */
static bool is_writable(void *buffer)
{
    char byte;
    return guarded_copy(&byte, buffer, 1) && guarded_copy(buffer, &byte, 1);
}

/* Data go to where the driver shall find them. offset: of the file, in the OVERLAPPED. True: the output buffer must be copied
 * back. */
static bool put_transfer(struct link *l, struct transfer *t, uint64_t base)
{
    uint64_t start[3] = {(uint32_t)STATUS_PENDING, 0, 0};
    bool back = t->out && !t->at_out && t->out_bytes;
    if (t->overlapped)
        start[2] = (uint64_t)t->overlapped->OffsetHigh << 32 | t->overlapped->Offset;
    t->offset = t->overlapped && t->service != DOOR_SERVICE_DeviceIoControlFile ? t->iosb + 16 : 0;
    request_in(t->iosb, start, sizeof start);
    if (t->in && !t->at_in) {
        t->at_in = base;
        base += (t->in_bytes + 15ull) & ~15ull;
        if (!guarded_copy(here(t->at_in), t->in, t->in_bytes))
            t->at_in = (uint64_t)(uintptr_t)t->in;
    }
    if (t->out && !t->at_out)
        t->at_out = base;
    if (back && (is_whole(t) ? !guarded_copy(here(t->at_out), t->out, t->out_bytes) : !is_writable(t->out))) {
        t->at_out = (uint64_t)(uintptr_t)t->out;
        back = false;
    }
    request_begin(l, t->service);
    return back;
}

static bool transfer_now(struct link *l, struct transfer *t)
{
    find_buffers(t);
    uint64_t base = room(l, t->room), result[2];
    if (!base) {
        last_error = ERROR_NO_SYSTEM_RESOURCES;
        return false;
    }
    t->iosb = place(l, PLACE_IOSB);
    bool back = put_transfer(l, t, base);
    NTSTATUS status = send_transfer(l, t);
    if (status == STATUS_PENDING) { /* a handle for overlapped requests, used without: Windows waits for the file */
        WaitForSingleObject(t->file, INFINITE);
        memcpy(&status, here(t->iosb), 4);
    }
    memcpy(result, here(t->iosb), 16);
    bool warned =
        status < 0 && (uint32_t)status < 0xC0000000; /* docs: DeviceIoControl: ERROR_MORE_DATA comes with data */
    uint64_t bytes = status >= 0 || warned ? result[1] : 0, moved = is_whole(t) ? t->out_bytes : bytes;
    if (back && moved && !l->lost &&
        !guarded_copy(t->out, here(t->at_out), moved < t->out_bytes ? moved : t->out_bytes))
        status = STATUS_ACCESS_VIOLATION;
    if (t->done)
        *t->done = (DWORD)bytes;
    if (status == (NTSTATUS)0xC0000011 && t->service == DOOR_SERVICE_ReadFile)
        return true; /* docs: ReadFile: at the end of a file, without OVERLAPPED: TRUE and no bytes */
    return settle(status);
}

static bool transfer_overlapped(struct link *l, struct transfer *t)
{
    const uint64_t before = 0x40; /* status block and file offset */
    find_buffers(t);
    struct pending *p = calloc(1, sizeof *p);
    uint64_t bytes = t->room + before, region = p ? memory_get(l, bytes) : 0;
    if (!region) {
        free(p);
        last_error = ERROR_NO_SYSTEM_RESOURCES;
        return false;
    }
    LPOVERLAPPED o = t->overlapped;
    t->iosb = region;
    bool back = put_transfer(l, t, region + before);
    *p = (struct pending){.overlapped = o,
                          .file = t->file,
                          .iosb = region,
                          .region_bytes = bytes,
                          .buffer = t->at_out,
                          .to = back ? t->out : NULL,
                          .bytes = t->out_bytes,
                          .whole = is_whole(t)};
    o->Internal = (ULONG_PTR)STATUS_PENDING;
    o->InternalHigh = 0;
    NTSTATUS status = send_transfer(l, t);
    if (status < 0 && (uint32_t)status >= 0xC0000000) { /* an error is told by the call alone */
        if (p->to && p->whole)
            guarded_copy(p->to, here(p->buffer), p->bytes);
        memory_put(region, bytes);
        free(p);
        o->Internal = (ULONG_PTR)(uint32_t)status;
        return settle(status);
    }
    pending_add(p);
    if (status == STATUS_PENDING) {
        last_error = ERROR_IO_PENDING;
        return false;
    }
    pending_collect();
    if (t->done)
        *t->done = (DWORD)o->InternalHigh;
    return settle(status);
}

static BOOL transfer(struct transfer *t)
{
    struct link *l = link_get();
    if (t->done)
        *t->done = 0;
    if (!l)
        return FALSE;
    return t->overlapped ? transfer_overlapped(l, t) : transfer_now(l, t);
}

BOOL ReadFile(HANDLE file, LPVOID buffer, DWORD bytes, LPDWORD done, LPOVERLAPPED overlapped)
{
    return transfer(&(struct transfer){.service = DOOR_SERVICE_ReadFile,
                                       .file = file,
                                       .out = buffer,
                                       .out_bytes = bytes,
                                       .done = done,
                                       .overlapped = overlapped});
}

BOOL WriteFile(HANDLE file, LPCVOID buffer, DWORD bytes, LPDWORD done, LPOVERLAPPED overlapped)
{
    return transfer(&(struct transfer){.service = DOOR_SERVICE_WriteFile,
                                       .file = file,
                                       .in = buffer,
                                       .in_bytes = bytes,
                                       .done = done,
                                       .overlapped = overlapped});
}

BOOL DeviceIoControl(HANDLE device, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes, LPDWORD done,
                     LPOVERLAPPED overlapped)
{
    return transfer(&(struct transfer){.service = DOOR_SERVICE_DeviceIoControlFile,
                                       .file = device,
                                       .code = code,
                                       .in = in,
                                       .in_bytes = in_bytes,
                                       .out = out,
                                       .out_bytes = out_bytes,
                                       .done = done,
                                       .overlapped = overlapped});
}

/* ---- Events: here because of their names ------------------------------------------------------------------------------ */

HANDLE CreateEventW(LPSECURITY_ATTRIBUTES security, BOOL manual, BOOL state, LPCWSTR name)
{
    WCHAR full[NAME];
    static const char folder[] = "\\BaseNamedObjects\\";
    size_t n = 0;
    struct link *l = link_get();
    (void)security;
    if (!l)
        return NULL;
    for (const char *at = folder; name && *at; at++)
        full[n++] = (unsigned char)*at;
    for (; name && *name && n < NAME; name++)
        full[n++] = *name;
    request_begin(l, DOOR_SERVICE_CreateEvent);
    if (name)
        object_in(place(l, PLACE_STRUCT), full, n * sizeof(WCHAR));
    NTSTATUS status = request_go(l, 5, place(l, PLACE_WORD), 0x1F0003ull, name ? place(l, PLACE_STRUCT) : 0ull,
                                 manual ? 0ull : 1ull, state ? 1ull : 0ull);
    uint64_t value = 0;
    if (settle(status)) {
        memcpy(&value, here(place(l, PLACE_WORD)), 8);
        last_error = status == 0x40000000 ? ERROR_ALREADY_EXISTS : 0;
    }
    return (HANDLE)(uintptr_t)value;
}

HANDLE CreateEventA(LPSECURITY_ATTRIBUTES security, BOOL manual, BOOL state, LPCSTR name)
{
    WCHAR wide[NAME + 1];
    size_t n = name ? widen(name, wide, NAME) : 0;
    if (n > NAME) {
        last_error = 206;
        return NULL;
    }
    wide[n] = 0;
    return CreateEventW(security, manual, state, name ? wide : NULL);
}

static BOOL change_event(HANDLE event, enum door_service service)
{
    struct link *l = link_get();
    if (!l)
        return FALSE;
    request_begin(l, service);
    return settle(request_go(l, 2, (uint64_t)(uintptr_t)event, 0ull));
}

BOOL SetEvent(HANDLE event)
{
    return change_event(event, DOOR_SERVICE_SetEvent);
}

BOOL ResetEvent(HANDLE event)
{
    return change_event(event, DOOR_SERVICE_ResetEvent);
}
