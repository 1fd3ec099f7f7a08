/*
 * For drivers: swprintf and vswprintf as source for Windows calls them, with the room's size (the newer form) or without (what the
 * kernel exports). The library's own would want the rest of that library.
 */
#pragma once
#ifdef _KERNEL_MODE
#ifndef _INC_SWPRINTF_INL
#define _INC_SWPRINTF_INL
#endif
#ifndef __NO_ISOCEXT
#define __NO_ISOCEXT
#endif
#endif
#include_next <wchar.h>
#ifdef _KERNEL_MODE
#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif
int __cdecl swprintf(wchar_t *To, const wchar_t *Format, ...);
int __cdecl _vswprintf(wchar_t *To, const wchar_t *Format, va_list Arguments);
int __cdecl _vsnwprintf(wchar_t *To, size_t Room, const wchar_t *Format, va_list Arguments);

static __inline__ __attribute__((__unused__)) int IrqlabPrintCounted(wchar_t *To, size_t Room, const wchar_t *Format,
                                                                     va_list Arguments)
{
    int Count = _vsnwprintf(To, Room, Format, Arguments);
    if (Count >= 0 && (size_t)Count < Room)
        return Count;
    if (Room)
        To[Room - 1] = 0;
    return -1;
}
#ifdef __cplusplus
}
static inline int vswprintf(wchar_t *To, const wchar_t *Format, va_list Arguments)
{
    return _vswprintf(To, Format, Arguments);
}
static inline int vswprintf(wchar_t *To, size_t Room, const wchar_t *Format, va_list Arguments)
{
    return IrqlabPrintCounted(To, Room, Format, Arguments);
}
static inline int swprintf(wchar_t *To, size_t Room, const wchar_t *Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    int Count = IrqlabPrintCounted(To, Room, Format, Arguments);
    va_end(Arguments);
    return Count;
}
#else
static __inline__ __attribute__((__unused__)) int IrqlabPrint(wchar_t *To, size_t Room, const wchar_t *Format, ...)
{
    va_list Arguments;
    int Count;
    va_start(Arguments, Format);
    Count = IrqlabPrintCounted(To, Room, Format, Arguments);
    va_end(Arguments);
    return Count;
}
#define IRQLAB_IS_TEXT(Second, Plain, Counted)                                                                         \
    _Generic((Second), wchar_t * : Plain, const wchar_t * : Plain, default : Counted)
#define swprintf(To, Second, ...) IRQLAB_IS_TEXT(Second, swprintf, IrqlabPrint)(To, Second, ##__VA_ARGS__)
#define vswprintf(To, Second, ...) IRQLAB_IS_TEXT(Second, _vswprintf, IrqlabPrintCounted)(To, Second, ##__VA_ARGS__)
#endif
#endif
