/*
 * Names of files: taken apart, compared with each other and with patterns, judged.
 *
 * A pattern is matched by walking the name once with the set of all places in the pattern where the match may stand, so
 * no pattern takes longer than its length times the name's. (docs: FsRtlIsNameInExpression)
 */
#include "nt.h"

#define FSRTLP_ONES_FEWEST 256 /* pattern places that need no pool */

/* ---- Characters ----------------------------------------------------------------------------------------------------
 */

#define ALL (FSRTL_FAT_LEGAL | FSRTL_HPFS_LEGAL | FSRTL_NTFS_LEGAL | FSRTL_OLE_LEGAL)
#define NOT_FAT (FSRTL_HPFS_LEGAL | FSRTL_NTFS_LEGAL | FSRTL_OLE_LEGAL)
#define WILD (FSRTL_WILD_CHARACTER | FSRTL_OLE_LEGAL)
static const UCHAR FsRtlpLegal[128] = {
    [0x01 ... 0x1f] = FSRTL_OLE_LEGAL,
    [' ' ... '!'] = ALL,
    ['"'] = WILD,
    ['#' ... ')'] = ALL,
    ['*'] = WILD,
    ['+' ... ','] = NOT_FAT,
    ['-' ... '.'] = ALL,
    ['0' ... '9'] = ALL,
    [':'] = FSRTL_NTFS_LEGAL,
    [';'] = NOT_FAT,
    ['<'] = WILD,
    ['='] = NOT_FAT,
    ['>' ... '?'] = WILD,
    ['@' ... 'Z'] = ALL,
    ['['] = NOT_FAT,
    [']'] = NOT_FAT,
    ['^' ... '{'] = ALL,
    ['|'] = FSRTL_OLE_LEGAL,
    ['}' ... 0x7f] = ALL,
};

const UCHAR *const FsRtlLegalAnsiCharacterArray = FsRtlpLegal;

static BOOLEAN FsRtlpIsWild(WCHAR c)
{
    return c < 0x40 && (FsRtlpLegal[c] & FSRTL_WILD_CHARACTER);
}

/* ---- Parts ---------------------------------------------------------------------------------------------------------
 */

/* docs: FsRtlDissectName: the first component, and what follows the backslash behind it. */
VOID NTAPI FsRtlDissectName(UNICODE_STRING Name, PUNICODE_STRING First, PUNICODE_STRING Remaining)
{
    USHORT Start = 0, End, Characters = Name.Length / sizeof(WCHAR);
    RtlZeroMemory(First, sizeof(*First));
    RtlZeroMemory(Remaining, sizeof(*Remaining));
    if (!Characters)
        return;
    if (Name.Buffer[0] == L'\\')
        Start = 1;
    for (End = Start; End < Characters && Name.Buffer[End] != L'\\'; End++)
        ;
    First->Length = First->MaximumLength = (End - Start) * sizeof(WCHAR);
    First->Buffer = Name.Buffer + Start;
    if (End < Characters) {
        Remaining->Length = Remaining->MaximumLength = (Characters - End - 1) * sizeof(WCHAR);
        Remaining->Buffer = Name.Buffer + End + 1;
    }
}

VOID NTAPI FsRtlDissectDbcs(ANSI_STRING Name, PANSI_STRING First, PANSI_STRING Remaining)
{
    USHORT Start = 0, End;
    RtlZeroMemory(First, sizeof(*First));
    RtlZeroMemory(Remaining, sizeof(*Remaining));
    if (!Name.Length)
        return;
    if (Name.Buffer[0] == '\\')
        Start = 1;
    for (End = Start; End < Name.Length && Name.Buffer[End] != '\\'; End++)
        ;
    First->Length = First->MaximumLength = End - Start;
    First->Buffer = Name.Buffer + Start;
    if (End < Name.Length) {
        Remaining->Length = Remaining->MaximumLength = Name.Length - End - 1;
        Remaining->Buffer = Name.Buffer + End + 1;
    }
}

BOOLEAN NTAPI FsRtlDoesNameContainWildCards(PUNICODE_STRING Name)
{
    for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++)
        if (FsRtlpIsWild(Name->Buffer[i]))
            return TRUE;
    return FALSE;
}

BOOLEAN NTAPI FsRtlDoesDbcsContainWildCards(PANSI_STRING Name)
{
    for (ULONG i = 0; i < Name->Length; i++)
        if (FsRtlpIsWild((UCHAR)Name->Buffer[i]))
            return TRUE;
    return FALSE;
}

static WCHAR FsRtlpUpcase(WCHAR c, PCWCH Table)
{
    return Table ? Table[c] : RtlUpcaseUnicodeChar(c);
}

BOOLEAN NTAPI FsRtlAreNamesEqual(PCUNICODE_STRING One, PCUNICODE_STRING Two, BOOLEAN IgnoreCase, PCWCH Table)
{
    if (One->Length != Two->Length)
        return FALSE;
    for (ULONG i = 0; i < One->Length / sizeof(WCHAR); i++)
        if (One->Buffer[i] != Two->Buffer[i] &&
            (!IgnoreCase || FsRtlpUpcase(One->Buffer[i], Table) != FsRtlpUpcase(Two->Buffer[i], Table)))
            return FALSE;
    return TRUE;
}

/* docs: FsRtlRemoveDotsFromPath: "." and ".." disappear; a path that would leave its beginning is refused. */
NTSTATUS NTAPI FsRtlRemoveDotsFromPath(PWSTR Path, USHORT Bytes, USHORT *NewLength)
{
    ULONG Characters = Bytes / sizeof(WCHAR), In = 0, Out = 0, Root;
    if (Characters && Path[0] == L'\\')
        In = Out = 1;
    Root = Out;
    while (In < Characters) {
        ULONG End = In;
        while (End < Characters && Path[End] != L'\\')
            End++;
        ULONG Length = End - In, Next = End < Characters ? End + 1 : End;
        if (Length == 2 && Path[In] == L'.' && Path[In + 1] == L'.') {
            if (Out == Root)
                return STATUS_IO_REPARSE_DATA_INVALID;
            Out--; /* the separator behind the component that goes */
            while (Out > Root && Path[Out - 1] != L'\\')
                Out--;
            if (End == Characters && Out > Root)
                Out--;
        } else if (Length == 1 && Path[In] == L'.') {
            if (End == Characters && Out > Root)
                Out--;
        } else {
            RtlMoveMemory(Path + Out, Path + In, (Next - In) * sizeof(WCHAR));
            Out += Next - In;
        }
        In = Next;
    }
    if (Out < Characters)
        Path[Out] = 0; /* as Windows leaves it, for who takes it as a C string */
    *NewLength = (USHORT)(Out * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

/* ---- Patterns ------------------------------------------------------------------------------------------------------
 */

/* Both strings as the matcher sees them: bytes or wide characters, the name's upcased on the way. */
typedef struct _FSRTLP_MATCH {
    PCWSTR Wide, WideName;
    PCSTR Narrow, NarrowName;
    ULONG Places, Length; /* of the pattern, of the name */
    ULONG LastDot;        /* in the name; Length if there is none */
    BOOLEAN IgnoreCase, UpcasePattern;
    PCWCH Table;
} FSRTLP_MATCH, *PFSRTLP_MATCH;

static WCHAR FsRtlpPatternAt(PFSRTLP_MATCH Match, ULONG Place)
{
    WCHAR c = Match->Wide ? Match->Wide[Place] : (UCHAR)Match->Narrow[Place];
    return Match->UpcasePattern ? FsRtlpUpcase(c, Match->Table) : c;
}

static WCHAR FsRtlpNameAt(PFSRTLP_MATCH Match, ULONG i)
{
    return Match->Wide ? Match->WideName[i] : (UCHAR)Match->NarrowName[i];
}

/* Places that are reached without a character. i is the next character's index. Dots are those behind which '>' may
 * match nothing. */
static VOID FsRtlpSpread(PFSRTLP_MATCH Match, PUCHAR Set, ULONG i)
{
    BOOLEAN End = i == Match->Length, Dot = !End && FsRtlpNameAt(Match, i) == L'.';
    for (ULONG Place = 0; Place < Match->Places; Place++) {
        if (!Set[Place])
            continue;
        WCHAR p = FsRtlpPatternAt(Match, Place);
        if (p == L'*' || p == L'<' || (p == L'>' && (End || Dot)) || (p == L'"' && End))
            Set[Place + 1] = TRUE;
    }
}

/* Where a character leads: 0 = nowhere, 1 = stay, 2 = the next place. */
static ULONG FsRtlpTake(PFSRTLP_MATCH Match, WCHAR p, WCHAR c, ULONG i)
{
    switch (p) {
    case L'*':
        return 1;
    case L'<': /* anything up to the last dot, and that dot as the end of it */
        return c != L'.' || i != Match->LastDot ? 1 : 2;
    case L'?':
        return 2;
    case L'>':
        return c != L'.' ? 2 : 0;
    case L'"':
        return c == L'.' ? 2 : 0;
    }
    if (Match->IgnoreCase)
        c = FsRtlpUpcase(c, Match->Table);
    return p == c ? 2 : 0;
}

static BOOLEAN FsRtlpMatch(PFSRTLP_MATCH Match)
{
    UCHAR Few[2 * FSRTLP_ONES_FEWEST];
    ULONG Bytes = Match->Places + 1;
    PUCHAR Memory = Bytes <= FSRTLP_ONES_FEWEST ? Few : ExpTryAllocate(2 * Bytes, 'tmRF'), Set = Memory;
    if (!Memory)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    PUCHAR Next = Memory + Bytes;
    RtlZeroMemory(Memory, 2 * Bytes);
    Match->LastDot = Match->Length;
    for (ULONG i = 0; i < Match->Length; i++)
        if (FsRtlpNameAt(Match, i) == L'.')
            Match->LastDot = i;
    Set[0] = TRUE;
    FsRtlpSpread(Match, Set, 0);
    for (ULONG i = 0; i < Match->Length; i++) {
        WCHAR c = FsRtlpNameAt(Match, i);
        RtlZeroMemory(Next, Bytes);
        for (ULONG Place = 0; Place < Match->Places; Place++)
            if (Set[Place]) {
                ULONG Led = FsRtlpTake(Match, FsRtlpPatternAt(Match, Place), c, i);
                if (Led)
                    Next[Place + Led - 1] = TRUE;
            }
        PUCHAR Old = Set;
        Set = Next;
        Next = Old;
        FsRtlpSpread(Match, Set, i + 1);
    }
    BOOLEAN Result = Set[Match->Places];
    if (Memory != Few)
        ExpFree(Memory);
    return Result;
}

/* docs: FsRtlIsNameInExpression: the expression is upper case already when case does not count. */
BOOLEAN NTAPI FsRtlIsNameInExpression(PUNICODE_STRING Expression, PUNICODE_STRING Name, BOOLEAN IgnoreCase,
                                      PWCHAR Table)
{
    FSRTLP_MATCH Match = {.Wide = Expression->Buffer,
                          .WideName = Name->Buffer,
                          .Places = Expression->Length / sizeof(WCHAR),
                          .Length = Name->Length / sizeof(WCHAR),
                          .IgnoreCase = IgnoreCase,
                          .Table = Table};
    if (!Match.Places || !Match.Length)
        return !Match.Places && !Match.Length;
    return FsRtlpMatch(&Match);
}

BOOLEAN NTAPI FsRtlIsNameInUnUpcasedExpression(PUNICODE_STRING Expression, PUNICODE_STRING Name, BOOLEAN IgnoreCase,
                                               PWCHAR Table)
{
    FSRTLP_MATCH Match = {.Wide = Expression->Buffer,
                          .WideName = Name->Buffer,
                          .Places = Expression->Length / sizeof(WCHAR),
                          .Length = Name->Length / sizeof(WCHAR),
                          .IgnoreCase = IgnoreCase,
                          .UpcasePattern = IgnoreCase,
                          .Table = Table};
    if (!Match.Places || !Match.Length)
        return !Match.Places && !Match.Length;
    return FsRtlpMatch(&Match);
}

BOOLEAN NTAPI FsRtlIsDbcsInExpression(PANSI_STRING Expression, PANSI_STRING Name)
{
    FSRTLP_MATCH Match = {
        .Narrow = Expression->Buffer, .NarrowName = Name->Buffer, .Places = Expression->Length, .Length = Name->Length};
    if (!Match.Places || !Match.Length)
        return !Match.Places && !Match.Length;
    return FsRtlpMatch(&Match);
}

/* ---- Legal names ----------------------------------------------------------------------------------------------------
 */

static BOOLEAN FsRtlpIsDots(PCSTR Name, ULONG Length)
{
    return (Length == 1 && Name[0] == '.') || (Length == 2 && Name[0] == '.' && Name[1] == '.');
}

/* Bytes above 0x7f are letters of the code page, whose lead bytes do not exist here (docs: the OEM code page is 1252).
 */
static BOOLEAN FsRtlpAllLegal(PCSTR Name, ULONG Length, UCHAR Flag, BOOLEAN Wild)
{
    for (ULONG i = 0; i < Length; i++) {
        UCHAR c = (UCHAR)Name[i];
        if (c < 0x80 && !(FsRtlpLegal[c] & (Flag | (Wild ? FSRTL_WILD_CHARACTER : 0))))
            return FALSE;
    }
    return TRUE;
}

/* One component of 8.3. */
static BOOLEAN FsRtlpIsFat(PCSTR Name, ULONG Length, BOOLEAN Wild)
{
    ANSI_STRING Text = {(USHORT)Length, (USHORT)Length, (PCHAR)Name};
    ULONG Dot = Length;
    if (FsRtlpIsDots(Name, Length))
        return TRUE;
    if (!Length || !FsRtlpAllLegal(Name, Length, FSRTL_FAT_LEGAL, Wild))
        return FALSE;
    if (Wild && FsRtlDoesDbcsContainWildCards(&Text))
        return TRUE; /* how long what it matches may be nobody knows */
    for (ULONG i = 0; i < Length; i++)
        if (Name[i] == '.') {
            if (Dot != Length || i == 0 || Name[i - 1] == ' ')
                return FALSE;
            Dot = i;
        }
    return Dot <= 8 && (Dot == Length || Length - Dot - 1 <= 3) && Name[Length - 1] != ' ' && Name[Length - 1] != '.';
}

static BOOLEAN FsRtlpIsHpfs(PCSTR Name, ULONG Length, BOOLEAN Wild)
{
    if (FsRtlpIsDots(Name, Length))
        return TRUE;
    return Length && Length <= 255 && FsRtlpAllLegal(Name, Length, FSRTL_HPFS_LEGAL, Wild) && Name[Length - 1] != ' ' &&
           Name[Length - 1] != '.';
}

static BOOLEAN FsRtlpIsLegal(ANSI_STRING Name, BOOLEAN Wild, BOOLEAN Path, BOOLEAN Leading,
                             BOOLEAN (*Component)(PCSTR, ULONG, BOOLEAN))
{
    PCSTR Text = Name.Buffer;
    ULONG Left = Name.Length;
    if (!Left)
        return FALSE;
    if (Text[0] == '\\') {
        if (!Leading)
            return FALSE;
        Text++;
        if (--Left == 0)
            return TRUE;
    }
    if (!Path)
        return Component(Text, Left, Wild);
    for (;;) {
        ULONG n = 0;
        while (n < Left && Text[n] != '\\')
            n++;
        if (!Component(Text, n, Wild))
            return FALSE;
        if (n == Left || n + 1 == Left) /* a path may end in a backslash */
            return TRUE;
        Text += n + 1;
        Left -= n + 1;
    }
}

BOOLEAN NTAPI FsRtlIsFatDbcsLegal(ANSI_STRING Name, BOOLEAN Wild, BOOLEAN Path, BOOLEAN Leading)
{
    return FsRtlpIsLegal(Name, Wild, Path, Leading, FsRtlpIsFat);
}

BOOLEAN NTAPI FsRtlIsHpfsDbcsLegal(ANSI_STRING Name, BOOLEAN Wild, BOOLEAN Path, BOOLEAN Leading)
{
    return FsRtlpIsLegal(Name, Wild, Path, Leading, FsRtlpIsHpfs);
}
