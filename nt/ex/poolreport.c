/*
 * What the pool says of a driver: findings at a request or a free, leaks and damaged blocks at unload, and the
 * description of an address for the reports of others.
 *
 * Codes are those Windows gives with Driver Verifier's pool options on (docs: bug checks 0xC1, 0xC2, 0xC4, 0x19). After
 * a finding that the user lets pass, the call goes on as in a free build: a wrong tag frees, a bad free does nothing.
 */
#include "nt.h"
#include "ex/poolp.h"

#define EX_LEAK_GROUPS 128

typedef struct _EX_LEAK {
    ULONG Stack, Tag, Count, FirstSequence;
    UINT64 Bytes, PagedBytes;
} EX_LEAK;

typedef struct _EX_LEAKS {
    UINT64 Base;
    ULONG Groups;
    ULONG Total;
} EX_LEAKS;

static EX_LEAK ExpLeak[EX_LEAK_GROUPS];

static VOID ExpTagText(ULONG Tag, CHAR Text[5])
{
    for (ULONG i = 0; i < 4; i++, Tag >>= 8) {
        CHAR Letter = (CHAR)(Tag & 0x7f);
        Text[i] = Letter >= ' ' && Letter < 0x7f ? Letter : '.';
    }
    Text[4] = 0;
}

ULONG ExpNameBlock(PEX_BLOCK Block, PCHAR Buffer, ULONG Bytes)
{
    CHAR Tag[5];

    ExpTagText(Block->Tag, Tag);
    return RtlpFormat(Buffer, Bytes, "%spool block #%u '%s' (%u bytes)", Block->Kind == ExPoolPaged ? "paged " : "",
                      Block->Sequence, Tag, Block->Bytes);
}

ULONG ExpFreedStack(PEX_BLOCK Block)
{
    if (Block->State != ExBlockFreed)
        return 0;
    return Block->FreedAt >> 32 ? VfStackOf(&Block->FreedAt, 1) : (ULONG)Block->FreedAt;
}

BOOLEAN ExpWasFreed(PVOID Address, ULONG Tag, ULONG *FreedAt)
{
    PEX_BLOCK Block = ExpBlockOf((UINT64)Address);

    if (!Block || Block->Address != (UINT64)Address || Block->State != ExBlockFreed || Block->Tag != Tag)
        return FALSE;
    *FreedAt = ExpFreedStack(Block);
    return TRUE;
}

BOOLEAN ExpDescribePool(UINT64 Address, PCHAR Buffer, ULONG Bytes, ULONG *AllocatedAt, ULONG *FreedAt)
{
    PEX_BLOCK Block = ExpBlockOf(Address);
    CHAR Name[80];

    *AllocatedAt = *FreedAt = 0;
    if (!Block)
        return FALSE;
    if (Block->State == ExBlockFresh) {
        RtlpFormat(Buffer, Bytes, "pool memory that was never allocated");
        return TRUE;
    }
    if (Block->Kind == ExPoolKernel) {
        RtlpFormat(Buffer, Bytes, "the kernel's own pool");
        return TRUE;
    }
    *AllocatedAt = Block->Stack;
    *FreedAt = ExpFreedStack(Block);
    ExpNameBlock(Block, Name, sizeof(Name));
    if (Address < Block->Address)
        RtlpFormat(Buffer, Bytes, "memory 0x%I64x before %s%s", Block->Address - Address,
                   Block->State == ExBlockFreed ? "freed " : "", Name);
    else if (Address >= Block->Address + Block->Bytes)
        RtlpFormat(Buffer, Bytes, "memory 0x%I64x behind the end of %s%s", Address - Block->Address - Block->Bytes,
                   Block->State == ExBlockFreed ? "freed " : "", Name);
    else
        RtlpFormat(Buffer, Bytes, "%s%s + 0x%I64x", Block->State == ExBlockFreed ? "freed " : "", Name,
                   Address - Block->Address);
    return TRUE;
}

/* ---- Findings at a call ------------------------------------------------------------------------------------------ */

VOID ExpReportRequest(PCSTR Rule, ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4, PCSTR Format, ...)
{
    CHAR Text[160];
    va_list Arguments;

    va_start(Arguments, Format);
    RtlpFormatV(Text, sizeof(Text), Format, Arguments);
    va_end(Arguments);
    VfFinding(Rule, Code, P1, P2, P3, P4);
    VfSubject("pool");
    VfText("%s", Text);
    VfNoteCaller(NULL);
    VfCommit();
}

static VOID ExpNoteHistory(PEX_BLOCK Block)
{
    VfNote(DOOR_NOTE_OBJECT, Block->Stack, NULL, NULL, "The block was allocated at:");
    if (Block->State == ExBlockFreed)
        VfNote(DOOR_NOTE_OBJECT, ExpFreedStack(Block), NULL, NULL, "The block was freed at:");
}

VOID ExpReportBadFree(UINT64 Address)
{
    PEX_BLOCK Block = ExpBlockOf(Address);
    UINT64 PageOffset = (Address - DOOR_PAGED_BASE) / DOOR_PAGE;
    CHAR Name[80];

    if (Block && Block->State == ExBlockLive && Block->Kind != ExPoolKernel && Address > Block->Address &&
        Address - Block->Address < Block->Bytes) {
        /* The middle of a block. */
        if (Block->Kind == ExPoolPaged)
            VfFinding("pool.bad-free", 0xC2, 0x41286, 0, 0, PageOffset);
        else
            VfFinding("pool.bad-free", 0xC2, 0x46, Address, 0, 0);
        VfSubject("pool");
        ExpNameBlock(Block, Name, sizeof(Name));
        VfText("%s freed at 0x%I64x bytes past its beginning", Name, Address - Block->Address);
        VfNoteCaller(NULL);
        ExpNoteHistory(Block);
        VfCommit();
        return;
    }
    if (Address < DOOR_KERNEL_BASE)
        VfFinding("pool.bad-free", 0xC2, 0x40, Address, DOOR_KERNEL_BASE, 0);
    else if (MiIsPagedView(Address))
        VfFinding("pool.bad-free", 0xC2, 0x50, Address, PageOffset, MiPageCount * DOOR_PAGE);
    else
        VfFinding("pool.bad-free", 0xC2, 0x42, Address, 0, 0);
    VfSubject("pool");
    if (!Address)
        VfText("a null pointer was freed");
    else if (MiIsStack(Address))
        VfText("an address on a stack was freed, which is no pool block");
    else
        VfText("an address was freed that is no pool block");
    VfNoteCaller(NULL);
    VfCommit();
}

VOID ExpReportLocked(PEX_BLOCK Block)
{
    CHAR Name[80];

    ExpNameBlock(Block, Name, sizeof(Name));
    /* PFN_LIST_CORRUPT: a page was freed that is locked for I/O. */
    VfFinding("pool.freed-locked", 0x4E, 0x9A, ((UINT64)ExpLinear(Block->Address) - DOOR_LINEAR_BASE) / DOOR_PAGE, 0,
              0);
    VfSubject("pool");
    VfText("%s freed while an MDL holds its pages locked", Name);
    VfNoteCaller(NULL);
    ExpNoteHistory(Block);
    VfCommit();
}

VOID ExpReportDoubleFree(PEX_BLOCK Block)
{
    CHAR Name[80];

    ExpNameBlock(Block, Name, sizeof(Name));
    VfFinding("pool.double-free", 0xC2, 0x7, 0, Block->Tag, Block->Address);
    VfSubject("pool");
    VfText("%s freed twice", Name);
    VfNoteCaller(NULL);
    VfNote(DOOR_NOTE_OBJECT, ExpFreedStack(Block), NULL, NULL, "It was freed before at:");
    VfNote(DOOR_NOTE_OBJECT, Block->Stack, NULL, NULL, "It was allocated at:");
    VfCommit();
}

VOID ExpReportWrongTag(PEX_BLOCK Block, ULONG Tag)
{
    CHAR Name[80], Given[5];

    ExpNameBlock(Block, Name, sizeof(Name));
    ExpTagText(Tag, Given);
    VfFinding("pool.wrong-tag", 0xC2, 0xA, Block->Address, Block->Tag, Tag);
    VfSubject("pool");
    VfText("%s freed with the tag '%s'", Name, Given);
    VfNoteCaller(NULL);
    ExpNoteHistory(Block);
    VfCommit();
}

VOID ExpReportDamage(PEX_BLOCK Block, PUCHAR At)
{
    UINT64 Physical, Start = (UINT64)ExpLinear(Block->Address), Address = Block->Address + ((UINT64)At - Start);
    BOOLEAN Behind = (UINT64)At >= Start, Special = MiPageOfView(Block->Address, &Physical)->Use == MiUseSpecial;
    PCSTR Rule = Behind ? "pool.overrun" : "pool.underrun";
    CHAR Name[80];

    ExpNameBlock(Block, Name, sizeof(Name));
    if (Special)
        VfFinding(Rule, 0xC1, Block->Address, Address, 0, Behind ? 0x24 : 0x23);
    else
        VfFinding(Rule, 0x19, Behind ? 0x21 : 0x20, Block->Address, Behind ? Block->Bytes : Address, *At);
    VfSubject("pool");
    if (Behind)
        VfText("%s was written to past its end (byte %I64u)", Name, (UINT64)At - Start);
    else
        VfText("%s was written to before its beginning (byte -%I64u)", Name, Start - (UINT64)At);
    VfNoteCaller(NULL);
    ExpNoteHistory(Block);
    VfCommit();
}

/* Found when the block is about to serve again: who wrote is not known, who had it is. */
VOID ExpReportStaleWrite(PEX_BLOCK Block, PUCHAR At)
{
    CHAR Name[80];

    if (Block->Kind == ExPoolKernel)
        KiInternalError("the kernel wrote to its own freed block %I64x, tag %.4s", Block->Address, (PCSTR)&Block->Tag);
    ExpNameBlock(Block, Name, sizeof(Name));
    VfFinding("pool.write-after-free", 0x19, 0xD, Block->Address, (UINT64)At - (UINT64)ExpLinear(Block->Address), *At);
    VfSubject("pool");
    VfText("%s was written to after it was freed (byte %I64u)", Name, (UINT64)At - (UINT64)ExpLinear(Block->Address));
    VfNote(DOOR_NOTE_CALLER, ExpFreedStack(Block), NULL, NULL, "It was freed at:");
    VfNote(DOOR_NOTE_OBJECT, Block->Stack, NULL, NULL, "It was allocated at:");
    VfCommit();
}

/* ---- At unload ----------------------------------------------------------------------------------------------------
 */

static VOID ExpVisitLeak(PEX_BLOCK Block, PVOID Context)
{
    EX_LEAKS *Leaks = Context;
    EX_LEAK *Leak = ExpLeak, *End = ExpLeak + Leaks->Groups;

    while (Leak < End && (Leak->Stack != Block->Stack || Leak->Tag != Block->Tag))
        Leak++;
    if (Leak == End) {
        PUCHAR Bad;
        if (!VfStackIsOf(Block->Stack, Leaks->Base))
            return;
        if ((Bad = ExpDamageOf(Block)) != NULL)
            ExpReportDamage(Block, Bad);
        if (Leaks->Groups < EX_LEAK_GROUPS)
            *(Leak = &ExpLeak[Leaks->Groups++]) = (EX_LEAK){Block->Stack, Block->Tag, 0, Block->Sequence, 0, 0};
        else
            Leak = &ExpLeak[EX_LEAK_GROUPS - 1]; /* further places are counted with the last one */
    } else {
        PUCHAR Bad = ExpDamageOf(Block);
        if (Bad)
            ExpReportDamage(Block, Bad);
    }
    Leaks->Total++;
    Leak->Count++;
    Leak->Bytes += Block->Bytes;
    if (Block->Sequence < Leak->FirstSequence)
        Leak->FirstSequence = Block->Sequence;
}

static VOID ExpReportLeak(const EX_LEAK *Leak, PCSTR Name)
{
    CHAR Tag[5];

    ExpTagText(Leak->Tag, Tag);
    VfFinding("pool.leak", 0xC4, 0x62, (UINT64)Name, 0, Leak->Count);
    VfSubject("pool");
    if (Leak->Count == 1)
        VfText("%s was unloaded and left a pool block behind: '%s', %I64u bytes", Name, Tag, Leak->Bytes);
    else
        VfText("%s was unloaded and left %u pool blocks behind: '%s', %I64u bytes together", Name, Leak->Count, Tag,
               Leak->Bytes);
    VfNote(DOOR_NOTE_CALLER, Leak->Stack, NULL, NULL,
           Leak->Count == 1 ? "It was allocated at:" : "They were allocated at:");
    VfCommit();
}

VOID ExpReportLeaks(UINT64 Base, UINT64 Bytes, PCSTR Name)
{
    EX_LEAKS Leaks = {.Base = Base};

    ExpSlabEnumerate(ExpVisitLeak, &Leaks);
    ExpSpecialEnumerate(ExpVisitLeak, &Leaks);
    ExpBigEnumerate(ExpVisitLeak, &Leaks);
    for (ULONG Reported = 0; Reported < Leaks.Groups; Reported++) {
        EX_LEAK *First = NULL;
        for (EX_LEAK *Leak = ExpLeak; Leak < ExpLeak + Leaks.Groups; Leak++)
            if (Leak->Count && (!First || Leak->FirstSequence < First->FirstSequence))
                First = Leak;
        ExpReportLeak(First, Name);
        First->Count = 0;
    }
}
