/*
 * Strings of bytes: the str family of the C runtime, as far as Windows' kernel exports it.
 *
 * Letters are ASCII letters here (the C locale). The _s forms answer EINVAL or ERANGE, leave an empty string behind and
 * call no handler, as the kernel has none. They do not fill the rest of the room.
 */
#include "nt.h"
#include "rtl/ascii.h"

size_t strlen(const char *Text)
{
    const char *End = Text;

    while (*End)
        End++;
    return (size_t)(End - Text);
}

size_t strnlen(const char *Text, size_t Limit)
{
    size_t Length = 0;

    while (Length < Limit && Text[Length])
        Length++;
    return Length;
}

int strcmp(const char *Left, const char *Right)
{
    return strncmp(Left, Right, (size_t)-1);
}

int strncmp(const char *Left, const char *Right, size_t Limit)
{
    for (; Limit; Limit--, Left++, Right++) {
        if (*Left != *Right)
            return (unsigned char)*Left < (unsigned char)*Right ? -1 : 1;
        if (!*Left)
            break;
    }
    return 0;
}

int _stricmp(const char *Left, const char *Right)
{
    return _strnicmp(Left, Right, (size_t)-1);
}

int _strnicmp(const char *Left, const char *Right, size_t Limit)
{
    for (; Limit; Limit--, Left++, Right++) {
        int A = RtlpAsciiLower((unsigned char)*Left), B = RtlpAsciiLower((unsigned char)*Right);
        if (A != B)
            return A - B;
        if (!A)
            break;
    }
    return 0;
}

char *strchr(const char *Text, int Unit)
{
    for (;; Text++) {
        if (*Text == (char)Unit)
            return (char *)Text;
        if (!*Text)
            return NULL;
    }
}

char *strrchr(const char *Text, int Unit)
{
    const char *Found = NULL;

    for (;; Text++) {
        if (*Text == (char)Unit)
            Found = Text;
        if (!*Text)
            return (char *)Found;
    }
}

char *strstr(const char *Text, const char *Part)
{
    size_t Length = strlen(Part);

    for (;; Text++) {
        if (!strncmp(Text, Part, Length))
            return (char *)Text;
        if (!*Text)
            return NULL;
    }
}

size_t strspn(const char *Text, const char *Set)
{
    size_t Length = 0;

    while (Text[Length] && strchr(Set, Text[Length]))
        Length++;
    return Length;
}

char *strcpy(char *To, const char *From)
{
    memcpy(To, From, strlen(From) + 1);
    return To;
}

char *strcat(char *To, const char *From)
{
    strcpy(To + strlen(To), From);
    return To;
}

char *strncpy(char *To, const char *From, size_t Limit)
{
    size_t Length = strnlen(From, Limit);

    memcpy(To, From, Length);
    memset(To + Length, 0, Limit - Length);
    return To;
}

char *strncat(char *To, const char *From, size_t Limit)
{
    size_t Length = strnlen(From, Limit);
    char *End = To + strlen(To);

    memcpy(End, From, Length);
    End[Length] = 0;
    return To;
}

char *_strlwr(char *Text)
{
    for (char *Next = Text; *Next; Next++)
        *Next = (char)RtlpAsciiLower((unsigned char)*Next);
    return Text;
}

char *_strupr(char *Text)
{
    for (char *Next = Text; *Next; Next++)
        *Next = (char)RtlpAsciiUpper((unsigned char)*Next);
    return Text;
}

char *_strrev(char *Text)
{
    char *Left = Text, *Right = Text + strlen(Text);

    while (Left < --Right) {
        char Unit = *Left;
        *Left++ = *Right;
        *Right = Unit;
    }
    return Text;
}

char *_strset(char *Text, int Unit)
{
    return _strnset(Text, Unit, (size_t)-1);
}

char *_strnset(char *Text, int Unit, size_t Limit)
{
    memset(Text, Unit, strnlen(Text, Limit));
    return Text;
}

/* ---- The _s forms ---------------------------------------------------------------------------------------------- */

/* Append at To + At, At inside Room. Cut: what does not fit is dropped, else it is an error. */
static errno_t RtlpAppend(char *To, size_t Room, size_t At, const char *From, size_t Length, BOOLEAN Cut)
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
    memcpy(To + At, From, Length);
    To[At + Length] = 0;
    return Cut ? STRUNCATE : 0;
}

errno_t strcpy_s(char *To, rsize_t Room, const char *From)
{
    return strncpy_s(To, Room, From, RTLP_WHOLE);
}

errno_t strncpy_s(char *To, size_t Room, const char *From, size_t Limit)
{
    if (!To && !Room && !Limit)
        return 0;
    if (!To || !Room)
        return EINVAL;
    if (!From) {
        To[0] = 0;
        return Limit ? EINVAL : 0;
    }
    return RtlpAppend(To, Room, 0, From, strnlen(From, Limit < Room ? Limit : Room), Limit == _TRUNCATE);
}

errno_t strcat_s(char *To, rsize_t Room, const char *From)
{
    return strncat_s(To, Room, From, RTLP_WHOLE);
}

errno_t strncat_s(char *To, size_t Room, const char *From, size_t Limit)
{
    size_t At;

    if (!To && !Room && !Limit)
        return 0;
    if (!To || !Room)
        return EINVAL;
    At = strnlen(To, Room);
    if (At == Room || (!From && Limit)) {
        To[0] = 0;
        return EINVAL;
    }
    return RtlpAppend(To, Room, At, From, From ? strnlen(From, Limit < Room ? Limit : Room) : 0, Limit == _TRUNCATE);
}

/* docs: _strset_s, _strnset_s; the string must end inside the room. */
errno_t _strset_s(char *Text, size_t Room, int Unit)
{
    return _strnset_s(Text, Room, Unit, RTLP_WHOLE);
}

errno_t _strnset_s(char *Text, size_t Room, int Unit, size_t Limit)
{
    size_t Length;

    if (!Text || !Room)
        return EINVAL;
    Length = strnlen(Text, Room);
    if (Length == Room) {
        Text[0] = 0;
        return EINVAL;
    }
    memset(Text, Unit, Length < Limit ? Length : Limit);
    return 0;
}

/* docs: strtok_s; the place to go on from is the caller's. */
char *strtok_s(char *Text, const char *Separators, char **Next)
{
    char *Token;

    if (!Next || !Separators || (!Text && !*Next))
        return NULL;
    if (!Text)
        Text = *Next;
    Token = Text + strspn(Text, Separators);
    for (Text = Token; *Text && !strchr(Separators, *Text);)
        Text++;
    *Next = Text;
    if (Text == Token)
        return NULL;
    if (*Text)
        *(*Next)++ = 0;
    return Token;
}

/* ---- Characters ------------------------------------------------------------------------------------------------ */

int tolower(int Unit)
{
    return RtlpAsciiLower(Unit);
}

int toupper(int Unit)
{
    return RtlpAsciiUpper(Unit);
}

int isdigit(int Unit)
{
    return Unit >= '0' && Unit <= '9';
}

int islower(int Unit)
{
    return Unit >= 'a' && Unit <= 'z';
}

int isupper(int Unit)
{
    return Unit >= 'A' && Unit <= 'Z';
}

int isprint(int Unit)
{
    return Unit >= ' ' && Unit <= '~';
}

int isspace(int Unit)
{
    return RtlpIsSpace(Unit);
}

int isxdigit(int Unit)
{
    return RtlpDigit(Unit) < 16;
}
