/*
 * Upper and lower case of single UTF-16 units, by rule.
 *
 * Windows maps one unit to one unit, with a table (l_intl.nls) that knows no locale. Here the same pairs come from the
 * regularities of the scripts: a run of letters whose other case lies at a fixed distance, or a run where capital and
 * small letter take turns. Units whose other case would need two units, or whose mapping is not its own inverse (the
 * Turkish i, long s, sharp s, final sigma), map to themselves as in Windows' table.
 *
 * DIFFERS: pairs of rare scripts and single exceptions outside the runs below map to themselves.
 */
#include "nt.h"
#include "rtl/codepage.h"

typedef struct _RTLP_CASE_RUN {
    WCHAR First, Last; /* of the capital letters; of both in a run that takes turns */
    SHORT Distance;    /* from capital to small; 1 = they take turns, capital first */
} RTLP_CASE_RUN;

/* clang-format off */
static const RTLP_CASE_RUN CaseRuns[] = {
    {0x0041, 0x005a, 32},     /* ASCII */
    {0x00c0, 0x00d6, 32},     /* Latin-1 */
    {0x00d8, 0x00de, 32},
    {0x0100, 0x012f, 1},      /* Latin Extended-A; 0130 and 0131 are Turkish */
    {0x0132, 0x0137, 1},
    {0x0139, 0x0148, 1},
    {0x014a, 0x0177, 1},
    {0x0178, 0x0178, -121},   /* Y with diaeresis */
    {0x0179, 0x017e, 1},
    {0x0182, 0x0185, 1},      /* Latin Extended-B */
    {0x01a0, 0x01a5, 1},
    {0x01cd, 0x01dc, 1},
    {0x01de, 0x01ef, 1},
    {0x01f8, 0x021f, 1},
    {0x0222, 0x0233, 1},
    {0x0386, 0x0386, 38},     /* Greek with tonos */
    {0x0388, 0x038a, 37},
    {0x038c, 0x038c, 64},
    {0x038e, 0x038f, 63},
    {0x0391, 0x03a1, 32},     /* Greek */
    {0x03a3, 0x03ab, 32},
    {0x03d8, 0x03ef, 1},      /* Archaic Greek, Coptic */
    {0x0400, 0x040f, 80},     /* Cyrillic */
    {0x0410, 0x042f, 32},
    {0x0460, 0x0481, 1},
    {0x048a, 0x04bf, 1},
    {0x04c1, 0x04ce, 1},
    {0x04d0, 0x052f, 1},
    {0x0531, 0x0556, 48},     /* Armenian */
    {0x1e00, 0x1e95, 1},      /* Latin Extended Additional */
    {0x1ea0, 0x1eff, 1},      /* Vietnamese */
    {0x1f08, 0x1f0f, -8},     /* Greek with breathings */
    {0x1f18, 0x1f1d, -8},
    {0x1f28, 0x1f2f, -8},
    {0x1f38, 0x1f3f, -8},
    {0x1f48, 0x1f4d, -8},
    {0x1f68, 0x1f6f, -8},
    {0x2160, 0x216f, 16},     /* Roman numerals */
    {0x24b6, 0x24cf, 26},     /* circled letters */
    {0x2c00, 0x2c2e, 48},     /* Glagolitic */
    {0x2c80, 0x2ce3, 1},      /* Coptic */
    {0xa640, 0xa66d, 1},      /* Cyrillic Extended-B */
    {0xa680, 0xa69b, 1},
    {0xa722, 0xa72f, 1},      /* Latin Extended-D */
    {0xa732, 0xa76f, 1},
    {0xff21, 0xff3a, 32},     /* full width */
};
/* clang-format on */

WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR SourceCharacter)
{
    WCHAR Unit = SourceCharacter;

    if (Unit < 0x80)
        return Unit >= 'a' && Unit <= 'z' ? Unit - 32 : Unit;
    for (ULONG i = 1; i < ARRAYSIZE(CaseRuns); i++) {
        const RTLP_CASE_RUN *Run = &CaseRuns[i];
        if (Run->Distance == 1) {
            if (Unit >= Run->First && Unit <= Run->Last)
                return (Unit - Run->First) & 1 ? Unit - 1 : Unit;
        } else if (Unit >= Run->First + Run->Distance && Unit <= Run->Last + Run->Distance) {
            return (WCHAR)(Unit - Run->Distance);
        }
    }
    return Unit;
}

WCHAR NTAPI RtlDowncaseUnicodeChar(WCHAR SourceCharacter)
{
    WCHAR Unit = SourceCharacter;

    if (Unit < 0x80)
        return Unit >= 'A' && Unit <= 'Z' ? Unit + 32 : Unit;
    for (ULONG i = 1; i < ARRAYSIZE(CaseRuns); i++) {
        const RTLP_CASE_RUN *Run = &CaseRuns[i];
        if (Unit >= Run->First && Unit <= Run->Last) {
            if (Run->Distance == 1)
                return (Unit - Run->First) & 1 ? Unit : Unit + 1;
            return (WCHAR)(Unit + Run->Distance);
        }
    }
    return Unit;
}

/* docs: RtlUpperChar; the ANSI code page, so a letter whose capital is not in the page stays as it is. */
CHAR NTAPI RtlUpperChar(CHAR Character)
{
    UCHAR Byte = (UCHAR)Character, Upper;

    if (Byte < 0x80)
        return Byte >= 'a' && Byte <= 'z' ? (CHAR)(Byte - 32) : Character;
    Upper = RtlpWideToAnsi(RtlUpcaseUnicodeChar(RtlpAnsiToWide(Byte)));
    return Upper == '?' ? Character : (CHAR)Upper;
}
