/* Completion ports. A packet carries the address of the OVERLAPPED, which the machine takes for a number. */
#include <string.h>
#include "part.h"

HANDLE CreateIoCompletionPort(HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads)
{
    struct link *l = link_get();
    uint64_t value = (uint64_t)(uintptr_t)port;
    if (!l)
        return NULL;
    if (file == INVALID_HANDLE_VALUE && port) {
        last_error = ERROR_INVALID_PARAMETER;
        return NULL;
    }
    if (!port) {
        request_begin(l, DOOR_SERVICE_CreateIoCompletion);
        if (!settle(request_go(l, 4, place(l, PLACE_WORD), 0x1F0003ull, 0ull, (uint64_t)threads)))
            return NULL;
        memcpy(&value, here(place(l, PLACE_WORD)), 8);
    }
    if (file != INVALID_HANDLE_VALUE) {
        uint64_t both[2] = {value, key};
        request_begin(l, DOOR_SERVICE_SetInformationFile);
        request_in(place(l, PLACE_STRUCT), both, sizeof both);
        NTSTATUS status = request_go(l, 5, (uint64_t)(uintptr_t)file, place(l, PLACE_IOSB), place(l, PLACE_STRUCT),
                                     (uint64_t)sizeof both, 30ull /* FileCompletionInformation */);
        if (!settle(status)) {
            DWORD error = last_error;
            if (!port)
                CloseHandle((HANDLE)(uintptr_t)value);
            last_error = error;
            return NULL;
        }
    }
    return (HANDLE)(uintptr_t)value;
}

BOOL GetQueuedCompletionStatus(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED *overlapped, DWORD milliseconds)
{
    struct link *l = link_get();
    int64_t time = -(int64_t)milliseconds * 10000;
    uint64_t packet[2], words[2];
    *overlapped = NULL;
    if (!l)
        return FALSE;
    uint64_t at = place(l, PLACE_STRUCT);
    request_begin(l, DOOR_SERVICE_RemoveIoCompletion);
    if (milliseconds != INFINITE)
        request_in(at, &time, sizeof time);
    NTSTATUS status = request_go(l, 5, (uint64_t)(uintptr_t)port, place(l, PLACE_WORD), place(l, PLACE_WORD) + 8,
                                 place(l, PLACE_IOSB), milliseconds != INFINITE ? at : 0ull);
    if (status == 0x102) {
        last_error = WAIT_TIMEOUT;
        return FALSE;
    }
    if (!settle(status))
        return FALSE;
    memcpy(words, here(place(l, PLACE_WORD)), sizeof words);
    memcpy(packet, here(place(l, PLACE_IOSB)), sizeof packet);
    pending_collect();
    *key = (ULONG_PTR)words[0];
    *overlapped = (LPOVERLAPPED)(uintptr_t)words[1];
    *bytes = (DWORD)packet[1];
    return settle((NTSTATUS)packet[0]);
}

BOOL PostQueuedCompletionStatus(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED overlapped)
{
    struct link *l = link_get();
    if (!l)
        return FALSE;
    request_begin(l, DOOR_SERVICE_SetIoCompletion);
    return settle(request_go(l, 5, (uint64_t)(uintptr_t)port, (uint64_t)key, (uint64_t)(uintptr_t)overlapped, 0ull,
                             (uint64_t)bytes));
}

BOOL SetFileCompletionNotificationModes(HANDLE file, BYTE flags)
{
    struct link *l = link_get();
    uint32_t modes = flags;
    if (!l)
        return FALSE;
    if (flags & ~(FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE)) {
        last_error = ERROR_INVALID_PARAMETER;
        return FALSE;
    }
    request_begin(l, DOOR_SERVICE_SetInformationFile);
    request_in(place(l, PLACE_STRUCT), &modes, sizeof modes);
    return settle(request_go(l, 5, (uint64_t)(uintptr_t)file, place(l, PLACE_IOSB), place(l, PLACE_STRUCT),
                             (uint64_t)sizeof modes, 41ull /* FileIoCompletionNotificationInformation */));
}
