/*
 * The C runtime's further routines: characters, sets, numbers, memory without case.
 */
#include "nt.h"
#include "rtl/ascii.h"

int isalpha(int Unit)
{
    int Lower = RtlpAsciiLower(Unit);
    return Lower >= 'a' && Lower <= 'z';
}

int isalnum(int Unit)
{
    return isalpha(Unit) || (Unit >= '0' && Unit <= '9');
}

int iswalpha(wint_t Unit)
{
    return Unit < 128 ? isalpha(Unit) : RtlUpcaseUnicodeChar(Unit) != Unit || RtlDowncaseUnicodeChar(Unit) != Unit;
}

int iswxdigit(wint_t Unit)
{
    return Unit < 128 && RtlpDigit(Unit) < 16;
}

static const char *RtlpFirstOf(const char *Text, const char *Set)
{
    for (; *Text; Text++)
        for (const char *On = Set; *On; On++)
            if (*On == *Text)
                return Text;
    return Text;
}

size_t strcspn(const char *Text, const char *Set)
{
    return (size_t)(RtlpFirstOf(Text, Set) - Text);
}

char *strpbrk(const char *Text, const char *Set)
{
    const char *Found = RtlpFirstOf(Text, Set);
    return *Found ? (char *)Found : NULL;
}

wchar_t *wcspbrk(const wchar_t *Text, const wchar_t *Set)
{
    for (; *Text; Text++)
        for (const wchar_t *On = Set; *On; On++)
            if (*On == *Text)
                return (wchar_t *)Text;
    return NULL;
}

int _memicmp(const void *Left, const void *Right, size_t Bytes)
{
    const UCHAR *One = Left, *Other = Right;
    for (; Bytes; Bytes--, One++, Other++)
        if (RtlpAsciiLower(*One) != RtlpAsciiLower(*Other))
            return RtlpAsciiLower(*One) - RtlpAsciiLower(*Other);
    return 0;
}

void *_memccpy(void *To, const void *From, int Unit, size_t Bytes)
{
    for (size_t i = 0; i < Bytes; i++) {
        ((PUCHAR)To)[i] = ((const UCHAR *)From)[i];
        if (((const UCHAR *)From)[i] == (UCHAR)Unit)
            return (PUCHAR)To + i + 1;
    }
    return NULL;
}
