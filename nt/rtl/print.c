/*
 * The sprintf family, narrow and wide. Everything goes through RtlpPrint.
 *
 * The unbounded and the counted forms follow the C runtime in Windows' kernel, not ISO C: the counted ones
 * (_snprintf, _vsnwprintf, ...) return -1 when the text does not fit and then leave the buffer full and without a
 * terminator; text that fills it exactly is not terminated either (docs: _snprintf, _vsnprintf). The _s forms always
 * terminate: what does not fit leaves an empty string and -1, or is cut when the count is _TRUNCATE.
 */
#include "nt.h"
#include "rtl/format.h"

#define RTLP_NO_LIMIT ((SIZE_T)MAXLONG)

static VOID RtlpTerminate(const RTLP_SINK *Sink, SIZE_T At)
{
    if (Sink->Encoding == RtlpWide)
        ((PWSTR)Sink->Buffer)[At] = 0;
    else
        ((PCHAR)Sink->Buffer)[At] = 0;
}

static int RtlpPrintUnbounded(PVOID Buffer, BOOLEAN Wide, const VOID *Format, va_list Arguments)
{
    RTLP_SINK Sink = {Wide ? RtlpWide : RtlpAnsi, Buffer, RTLP_NO_LIMIT, 0, 0};

    RtlpPrint(&Sink, Wide, Format, Arguments);
    RtlpTerminate(&Sink, Sink.Length);
    return (int)Sink.Length;
}

/* docs: _vsnprintf; no buffer and no count asks for the length. */
static int RtlpPrintCounted(PVOID Buffer, SIZE_T Count, BOOLEAN Wide, const VOID *Format, va_list Arguments)
{
    RTLP_SINK Sink = {Wide ? RtlpWide : RtlpAnsi, Buffer, Count, 0, 0};

    if (!Buffer && Count)
        return -1;
    RtlpPrint(&Sink, Wide, Format, Arguments);
    if (!Buffer)
        return (int)Sink.Length;
    if (Sink.Length > Count)
        return -1;
    if (Sink.Length < Count)
        RtlpTerminate(&Sink, Sink.Length);
    return (int)Sink.Length;
}

/* docs: _vsnprintf_s. Room holds the terminator, Count does not. */
static int RtlpPrintSafe(PVOID Buffer, SIZE_T Room, SIZE_T Count, BOOLEAN Wide, const VOID *Format, va_list Arguments)
{
    RTLP_SINK Sink = {Wide ? RtlpWide : RtlpAnsi, Buffer, 0, 0, 0};
    BOOLEAN Cut = Count == _TRUNCATE || Count < Room;

    if (!Buffer || !Room || !Format)
        return -1;
    Sink.Room = Count < Room ? Count : Room - 1;
    RtlpPrint(&Sink, Wide, Format, Arguments);
    if (Sink.Length <= Sink.Room) {
        RtlpTerminate(&Sink, Sink.Length);
        return (int)Sink.Length;
    }
    RtlpTerminate(&Sink, Cut ? Sink.Room : 0);
    return -1;
}

int _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments)
{
    return RtlpPrintCounted(Buffer, Count, FALSE, Format, Arguments);
}

int _vsnwprintf(wchar_t *Buffer, size_t Count, const wchar_t *Format, va_list Arguments)
{
    return RtlpPrintCounted(Buffer, Count, TRUE, Format, Arguments);
}

int vsprintf(char *Buffer, const char *Format, va_list Arguments)
{
    return RtlpPrintUnbounded(Buffer, FALSE, Format, Arguments);
}

int _vswprintf(wchar_t *Buffer, const wchar_t *Format, va_list Arguments)
{
    return RtlpPrintUnbounded(Buffer, TRUE, Format, Arguments);
}

int _vsnprintf_s(char *Buffer, size_t Room, size_t Count, const char *Format, va_list Arguments)
{
    return RtlpPrintSafe(Buffer, Room, Count, FALSE, Format, Arguments);
}

int _vsnwprintf_s(wchar_t *Buffer, size_t Room, size_t Count, const wchar_t *Format, va_list Arguments)
{
    return RtlpPrintSafe(Buffer, Room, Count, TRUE, Format, Arguments);
}

int vsprintf_s(char *Buffer, size_t Room, const char *Format, va_list Arguments)
{
    return RtlpPrintSafe(Buffer, Room, Room, FALSE, Format, Arguments);
}

int vswprintf_s(wchar_t *Buffer, size_t Room, const wchar_t *Format, va_list Arguments)
{
    return RtlpPrintSafe(Buffer, Room, Room, TRUE, Format, Arguments);
}

/* The forms with arguments in place of a list: one line each. */
#define RTLP_VARIADIC(Call)                                                                                            \
    {                                                                                                                  \
        va_list Arguments;                                                                                             \
        va_start(Arguments, Format);                                                                                   \
        int Result = Call;                                                                                             \
        va_end(Arguments);                                                                                             \
        return Result;                                                                                                 \
    }

int sprintf(char *Buffer, const char *Format, ...) RTLP_VARIADIC(vsprintf(Buffer, Format, Arguments))

    int swprintf(wchar_t *Buffer, const wchar_t *Format, ...) RTLP_VARIADIC(_vswprintf(Buffer, Format, Arguments))

        int _swprintf(wchar_t *Buffer, const wchar_t *Format, ...) RTLP_VARIADIC(_vswprintf(Buffer, Format, Arguments))

            int _snprintf(char *Buffer, size_t Count, const char *Format,
                          ...) RTLP_VARIADIC(_vsnprintf(Buffer, Count, Format, Arguments))

                int _snwprintf(wchar_t *Buffer, size_t Count, const wchar_t *Format,
                               ...) RTLP_VARIADIC(_vsnwprintf(Buffer, Count, Format, Arguments))

                    int sprintf_s(char *Buffer, size_t Room, const char *Format, ...)
                        RTLP_VARIADIC(vsprintf_s(Buffer, Room, Format, Arguments))

                            int swprintf_s(wchar_t *Buffer, size_t Room, const wchar_t *Format, ...)
                                RTLP_VARIADIC(vswprintf_s(Buffer, Room, Format, Arguments))

                                    int _snprintf_s(char *Buffer, size_t Room, size_t Count, const char *Format, ...)
                                        RTLP_VARIADIC(_vsnprintf_s(Buffer, Room, Count, Format, Arguments))

                                            int _snwprintf_s(wchar_t *Buffer, size_t Room, size_t Count,
                                                             const wchar_t *Format, ...)
                                                RTLP_VARIADIC(_vsnwprintf_s(Buffer, Room, Count, Format, Arguments))
