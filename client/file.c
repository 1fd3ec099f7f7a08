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
static void object_in(struct link *l, uint64_t at, const WCHAR *name, size_t bytes)
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
    request_in(l, at, &object, sizeof object);
    if (bytes)
        request_in(l, at + sizeof object, name, bytes);
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
    object_in(l, place(l, PLACE_STRUCT), full, bytes);
    const void *handle = request_out(l, place(l, PLACE_WORD), 8), *iosb = request_out(l, place(l, PLACE_IOSB), 16);
    NTSTATUS status = request_go(l, 11, place(l, PLACE_WORD), (uint64_t)access | 0x100080, place(l, PLACE_STRUCT),
                                 place(l, PLACE_IOSB), 0ull, (uint64_t)(flags & 0x7fff), (uint64_t)share,
                                 (uint64_t)dispositions[disposition], options, 0ull, 0ull);
    if (!settle(status)) {
        if (status == (NTSTATUS)0xC0000035 && disposition == CREATE_NEW)
            last_error = ERROR_FILE_EXISTS;
        return INVALID_HANDLE_VALUE;
    }
    uint64_t value, information;
    memcpy(&value, handle, 8);
    memcpy(&information, (const char *)iosb + 8, 8);
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
};

/* The stack's part when it is large enough, else memory that stays with the thread. 0: there is none. */
static uint64_t room(struct link *l, uint64_t bytes)
{
    if (bytes <= PLACE_ROOM)
        return place(l, PLACE_BUFFER);
    if (bytes > l->large_bytes) {
        if (l->large)
            memory_free(l, l->large);
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

/* Structures and data go with the request. offset: of the file, in the OVERLAPPED. */
static bool put_transfer(struct link *l, struct transfer *t, uint64_t base)
{
    uint64_t start[3] = {(uint32_t)STATUS_PENDING, 0, 0};
    bool file = t->service != DOOR_SERVICE_DeviceIoControlFile;
    if (t->overlapped)
        start[2] = (uint64_t)t->overlapped->OffsetHigh << 32 | t->overlapped->Offset;
    t->offset = t->overlapped && file ? t->iosb + 16 : 0;
    t->at_in = t->in ? base : 0;
    t->at_out = t->out ? base + ((t->in_bytes + 15ull) & ~15ull) : 0;
    request_begin(l, t->service);
    /* METHOD_IN_DIRECT and METHOD_NEITHER may look at what is in the output buffer. */
    bool control = !file && t->out && (t->code & 1);
    return request_in(l, t->iosb, start, sizeof start) &&
           (!t->in_bytes || !t->in || request_in(l, t->at_in, t->in, t->in_bytes)) &&
           (!control || !t->out_bytes || request_in(l, t->at_out, t->out, t->out_bytes));
}

static bool transfer_now(struct link *l, struct transfer *t)
{
    uint64_t base = room(l, (uint64_t)t->in_bytes + t->out_bytes + 32), result[2];
    t->iosb = place(l, PLACE_IOSB);
    if (!base || !put_transfer(l, t, base)) {
        last_error = ERROR_NO_SYSTEM_RESOURCES;
        return false;
    }
    const void *iosb = request_out(l, t->iosb, 16);
    const void *out = t->out && t->out_bytes ? request_out(l, t->at_out, t->out_bytes) : NULL;
    if (!iosb || (t->out && t->out_bytes && !out)) {
        last_error = ERROR_NO_SYSTEM_RESOURCES;
        return false;
    }
    NTSTATUS status = send_transfer(l, t);
    if (status == STATUS_PENDING) { /* a handle for overlapped requests, used without: Windows waits for the file */
        WaitForSingleObject(t->file, INFINITE);
        request_begin(l, DOOR_SERVICE_Close);
        iosb = request_out(l, t->iosb, 16);
        out = out ? request_out(l, t->at_out, t->out_bytes) : NULL;
        status = request_copy(l);
        if (status >= 0)
            memcpy(&status, iosb, 4);
    }
    memcpy(result, iosb, 16);
    bool warned =
        status < 0 && (uint32_t)status < 0xC0000000; /* docs: DeviceIoControl: ERROR_MORE_DATA comes with data */
    uint64_t bytes = status >= 0 || warned ? result[1] : 0;
    if (out && bytes)
        memcpy(t->out, out, bytes < t->out_bytes ? bytes : t->out_bytes);
    if (t->done)
        *t->done = (DWORD)bytes;
    if (status == (NTSTATUS)0xC0000011 && t->service == DOOR_SERVICE_ReadFile)
        return true; /* docs: ReadFile: at the end of a file, without OVERLAPPED: TRUE and no bytes */
    return settle(status);
}

static bool transfer_overlapped(struct link *l, struct transfer *t)
{
    struct pending *p = calloc(1, sizeof *p);
    uint64_t region = p ? memory_get(l, (uint64_t)t->in_bytes + t->out_bytes + 0x80) : 0;
    t->iosb = region;
    if (!region || !put_transfer(l, t, region + 0x40)) {
        if (region)
            memory_free(l, region);
        free(p);
        last_error = ERROR_NO_SYSTEM_RESOURCES;
        return false;
    }
    LPOVERLAPPED o = t->overlapped;
    *p = (struct pending){NULL, o, t->file, t->iosb, t->at_out, region, t->out, t->out_bytes};
    o->Internal = (ULONG_PTR)STATUS_PENDING;
    o->InternalHigh = 0;
    NTSTATUS status = send_transfer(l, t);
    if (status < 0 && (uint32_t)status >= 0xC0000000) { /* an error is told by the call alone */
        memory_free(l, region);
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
        object_in(l, place(l, PLACE_STRUCT), full, n * sizeof(WCHAR));
    const void *handle = request_out(l, place(l, PLACE_WORD), 8);
    NTSTATUS status = request_go(l, 5, place(l, PLACE_WORD), 0x1F0003ull, name ? place(l, PLACE_STRUCT) : 0ull,
                                 manual ? 0ull : 1ull, state ? 1ull : 0ull);
    uint64_t value = 0;
    if (settle(status)) {
        memcpy(&value, handle, 8);
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
