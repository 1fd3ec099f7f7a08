/*
 * Single characters in the C locale, for both widths.
 */
#pragma once

static inline int RtlpAsciiLower(int Unit)
{
    return Unit >= 'A' && Unit <= 'Z' ? Unit + ('a' - 'A') : Unit;
}

static inline int RtlpAsciiUpper(int Unit)
{
    return Unit >= 'a' && Unit <= 'z' ? Unit - ('a' - 'A') : Unit;
}

static inline int RtlpIsSpace(int Unit)
{
    return Unit == ' ' || (Unit >= '\t' && Unit <= '\r');
}

/* Value of a digit in bases up to 36; 99 = no digit. */
static inline ULONG RtlpDigit(int Unit)
{
    if (Unit >= '0' && Unit <= '9')
        return (ULONG)(Unit - '0');
    Unit = RtlpAsciiLower(Unit);
    return Unit >= 'a' && Unit <= 'z' ? (ULONG)(Unit - 'a' + 10) : 99;
}

/* Count for the _s forms that take no count: everything. It differs from _TRUNCATE. */
#define RTLP_WHOLE ((size_t)-2)
