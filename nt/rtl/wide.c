/*
 * Strings of UTF-16 units: the wcs family of the C runtime, as far as Windows' kernel exports it.
 *
 * As in narrow.c, the comparing and converting routines know ASCII letters only; towlower and towupper use the tables
 * of RtlDowncaseUnicodeChar and RtlUpcaseUnicodeChar. Text need not be aligned to its units on this processor.
 */
#include "nt.h"
#include "rtl/ascii.h"
#include "rtl/codepage.h"

size_t wcslen(const wchar_t *Text)
{
    const wchar_t *End = Text;

    while (*End)
        End++;
    return (size_t)(End - Text);
}

size_t wcsnlen(const wchar_t *Text, size_t Limit)
{
    size_t Length = 0;

    while (Length < Limit && Text[Length])
        Length++;
    return Length;
}

int wcscmp(const wchar_t *Left, const wchar_t *Right)
{
    return wcsncmp(Left, Right, (size_t)-1);
}

int wcsncmp(const wchar_t *Left, const wchar_t *Right, size_t Limit)
{
    for (; Limit; Limit--, Left++, Right++) {
        if (*Left != *Right)
            return *Left < *Right ? -1 : 1;
        if (!*Left)
            break;
    }
    return 0;
}

int _wcsicmp(const wchar_t *Left, const wchar_t *Right)
{
    return _wcsnicmp(Left, Right, (size_t)-1);
}

int _wcsnicmp(const wchar_t *Left, const wchar_t *Right, size_t Limit)
{
    for (; Limit; Limit--, Left++, Right++) {
        int A = RtlpAsciiLower(*Left), B = RtlpAsciiLower(*Right);
        if (A != B)
            return A - B;
        if (!A)
            break;
    }
    return 0;
}

wchar_t *wcschr(const wchar_t *Text, wchar_t Unit)
{
    for (;; Text++) {
        if (*Text == Unit)
            return (wchar_t *)Text;
        if (!*Text)
            return NULL;
    }
}

wchar_t *wcsrchr(const wchar_t *Text, wchar_t Unit)
{
    const wchar_t *Found = NULL;

    for (;; Text++) {
        if (*Text == Unit)
            Found = Text;
        if (!*Text)
            return (wchar_t *)Found;
    }
}

wchar_t *wcsstr(const wchar_t *Text, const wchar_t *Part)
{
    size_t Length = wcslen(Part);

    for (;; Text++) {
        if (!wcsncmp(Text, Part, Length))
            return (wchar_t *)Text;
        if (!*Text)
            return NULL;
    }
}

size_t wcsspn(const wchar_t *Text, const wchar_t *Set)
{
    size_t Length = 0;

    while (Text[Length] && wcschr(Set, Text[Length]))
        Length++;
    return Length;
}

size_t wcscspn(const wchar_t *Text, const wchar_t *Set)
{
    size_t Length = 0;

    while (Text[Length] && !wcschr(Set, Text[Length]))
        Length++;
    return Length;
}

wchar_t *wcscpy(wchar_t *To, const wchar_t *From)
{
    memcpy(To, From, (wcslen(From) + 1) * sizeof(wchar_t));
    return To;
}

wchar_t *wcscat(wchar_t *To, const wchar_t *From)
{
    wcscpy(To + wcslen(To), From);
    return To;
}

wchar_t *wcsncpy(wchar_t *To, const wchar_t *From, size_t Limit)
{
    size_t Length = wcsnlen(From, Limit);

    memcpy(To, From, Length * sizeof(wchar_t));
    memset(To + Length, 0, (Limit - Length) * sizeof(wchar_t));
    return To;
}

wchar_t *wcsncat(wchar_t *To, const wchar_t *From, size_t Limit)
{
    size_t Length = wcsnlen(From, Limit);
    wchar_t *End = To + wcslen(To);

    memcpy(End, From, Length * sizeof(wchar_t));
    End[Length] = 0;
    return To;
}

wchar_t *_wcslwr(wchar_t *Text)
{
    for (wchar_t *Next = Text; *Next; Next++)
        *Next = (wchar_t)RtlpAsciiLower(*Next);
    return Text;
}

wchar_t *_wcsupr(wchar_t *Text)
{
    for (wchar_t *Next = Text; *Next; Next++)
        *Next = (wchar_t)RtlpAsciiUpper(*Next);
    return Text;
}

wchar_t *_wcsrev(wchar_t *Text)
{
    wchar_t *Left = Text, *Right = Text + wcslen(Text);

    while (Left < --Right) {
        wchar_t Unit = *Left;
        *Left++ = *Right;
        *Right = Unit;
    }
    return Text;
}

wchar_t *_wcsnset(wchar_t *Text, wchar_t Unit, size_t Limit)
{
    for (size_t i = 0; i < Limit && Text[i]; i++)
        Text[i] = Unit;
    return Text;
}

/* ---- The _s forms ---------------------------------------------------------------------------------------------- */

/* Append at To + At, At inside Room. Cut: what does not fit is dropped, else it is an error. */
static errno_t RtlpAppend(wchar_t *To, size_t Room, size_t At, const wchar_t *From, size_t Length, BOOLEAN Cut)
{
    if (Length >= Room - At) {
        if (!Cut) {
            To[0] = 0;
            return ERANGE;
        }
        Length = Room - At - 1;
    } else {
        Cut = FALSE;
    }
    memcpy(To + At, From, Length * sizeof(wchar_t));
    To[At + Length] = 0;
    return Cut ? STRUNCATE : 0;
}

errno_t wcscpy_s(wchar_t *To, rsize_t Room, const wchar_t *From)
{
    return wcsncpy_s(To, Room, From, RTLP_WHOLE);
}

errno_t wcsncpy_s(wchar_t *To, size_t Room, const wchar_t *From, size_t Limit)
{
    if (!To && !Room && !Limit)
        return 0;
    if (!To || !Room)
        return EINVAL;
    if (!From) {
        To[0] = 0;
        return Limit ? EINVAL : 0;
    }
    return RtlpAppend(To, Room, 0, From, wcsnlen(From, Limit < Room ? Limit : Room), Limit == _TRUNCATE);
}

errno_t wcscat_s(wchar_t *To, rsize_t Room, const wchar_t *From)
{
    return wcsncat_s(To, Room, From, RTLP_WHOLE);
}

errno_t wcsncat_s(wchar_t *To, size_t Room, const wchar_t *From, size_t Limit)
{
    size_t At;

    if (!To && !Room && !Limit)
        return 0;
    if (!To || !Room)
        return EINVAL;
    At = wcsnlen(To, Room);
    if (At == Room || (!From && Limit)) {
        To[0] = 0;
        return EINVAL;
    }
    return RtlpAppend(To, Room, At, From, From ? wcsnlen(From, Limit < Room ? Limit : Room) : 0, Limit == _TRUNCATE);
}

errno_t _wcsset_s(wchar_t *Text, size_t Room, wchar_t Unit)
{
    return _wcsnset_s(Text, Room, Unit, RTLP_WHOLE);
}

errno_t _wcsnset_s(wchar_t *Text, size_t Room, wchar_t Unit, size_t Limit)
{
    if (!Text || !Room)
        return EINVAL;
    if (wcsnlen(Text, Room) == Room) {
        Text[0] = 0;
        return EINVAL;
    }
    _wcsnset(Text, Unit, Limit);
    return 0;
}

static errno_t RtlpConvertCase(wchar_t *Text, size_t Room, wchar_t *(*Convert)(wchar_t *))
{
    if (!Text)
        return EINVAL;
    if (wcsnlen(Text, Room) == Room) {
        if (Room)
            Text[0] = 0;
        return EINVAL;
    }
    Convert(Text);
    return 0;
}

errno_t _wcslwr_s(wchar_t *Text, size_t Room)
{
    return RtlpConvertCase(Text, Room, _wcslwr);
}

errno_t _wcsupr_s(wchar_t *Text, size_t Room)
{
    return RtlpConvertCase(Text, Room, _wcsupr);
}

/* ---- Characters and conversion --------------------------------------------------------------------------------- */

wint_t towlower(wint_t Unit)
{
    return RtlDowncaseUnicodeChar(Unit);
}

wint_t towupper(wint_t Unit)
{
    return RtlUpcaseUnicodeChar(Unit);
}

int iswdigit(wint_t Unit)
{
    return Unit >= '0' && Unit <= '9';
}

int iswspace(wint_t Unit)
{
    return RtlpIsSpace(Unit) || Unit == 0x85 || Unit == 0xa0 || Unit == 0x3000 || (Unit >= 0x2000 && Unit <= 0x200a);
}

/* A letter is what has two cases in our tables; ASCII and Latin-1 besides. */
int iswalnum(wint_t Unit)
{
    return iswdigit(Unit) || RtlUpcaseUnicodeChar(Unit) != RtlDowncaseUnicodeChar(Unit) || Unit == 0xaa ||
           Unit == 0xb5 || Unit == 0xba || Unit == 0xdf;
}

/* docs: mbstowcs; without a buffer it counts. Narrow text is code page 1252, one byte a character. */
size_t mbstowcs(wchar_t *To, const char *From, size_t Limit)
{
    size_t Length = 0;

    for (; (!To || Length < Limit) && From[Length]; Length++)
        if (To)
            To[Length] = RtlpAnsiToWide((UCHAR)From[Length]);
    if (To && Length < Limit)
        To[Length] = 0;
    return Length;
}

size_t wcstombs(char *To, const wchar_t *From, size_t Limit)
{
    size_t Length = 0;

    for (; (!To || Length < Limit) && From[Length]; Length++)
        if (To)
            To[Length] = (char)RtlpWideToAnsi(From[Length]);
    if (To && Length < Limit)
        To[Length] = 0;
    return Length;
}

int mbtowc(wchar_t *To, const char *From, size_t Limit)
{
    if (!From || !Limit)
        return 0;
    if (To)
        *To = RtlpAnsiToWide((UCHAR)*From);
    return *From != 0;
}

int wctomb(char *To, wchar_t Unit)
{
    if (!To)
        return 0;
    *To = (char)RtlpWideToAnsi(Unit);
    return *To == '?' && Unit != '?' ? -1 : 1;
}
