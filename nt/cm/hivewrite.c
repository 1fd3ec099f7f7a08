/*
 * A key and what is below it as the bytes of a hive file (hive.h).
 *
 * Cells are laid one behind the other. A key's cell comes before those of its subkeys, its list of subkeys with it, as long
 * as it will be; entries are filled in as the subkeys are written. Pointers into the image are good until the next cell.
 */
#include "cm/cmp.h"
#include "cm/hive.h"
#include "nt.h"

#define CM_LEAF 500u /* entries of one list of subkeys: it stays within a bin of 4096 bytes */
#define CM_IMAGE_MOST 0x7ff00000u

/* A descriptor that has its cell. */
typedef struct _CM_WRITTEN {
    CM_NODE Node;
    PSECURITY_DESCRIPTOR Descriptor;
    ULONG Cell;
} CM_WRITTEN, *PCM_WRITTEN;

/* A key whose subkeys are being written. */
typedef struct _CM_LEVEL {
    PCM_KEY Key;
    ULONG Cell, List, Count; /* List: of Count subkeys to be saved */
    ULONG Next, Written;     /* the number of the next subkey; how many were saved */
} CM_LEVEL, *PCM_LEVEL;

typedef struct _CM_WRITER {
    PUCHAR Image;
    ULONG Size, Room, End; /* End: where the open bin's next cell goes, counted from the first bin */
    BOOLEAN Latest, Volatile, Failed;
    PCM_NODE Descriptors;
    ULONG FirstDescriptor;
    CM_LEVEL Level[CM_DEPTH_MOST + 1];
} CM_WRITER, *PCM_WRITER;

/* ---- Cells ------------------------------------------------------------------------------------------------------- */

#define CmpAt(Writer, Cell) ((PVOID)((Writer)->Image + sizeof(CM_BASE_BLOCK) + (Cell) + sizeof(LONG)))

static BOOLEAN CmpGrow(PCM_WRITER Writer, ULONG More)
{
    if (More > CM_IMAGE_MOST - Writer->Size)
        return FALSE;
    if (Writer->Size + More > Writer->Room) {
        ULONG Room = max(Writer->Size + More, min(Writer->Room * 2ull, CM_IMAGE_MOST));
        PUCHAR Larger = ExpTryAllocate(Room, CM_TAG);
        if (!Larger)
            return FALSE;
        RtlCopyMemory(Larger, Writer->Image, Writer->Size);
        if (Writer->Image)
            ExpFree(Writer->Image);
        Writer->Image = Larger;
        Writer->Room = Room;
    }
    RtlZeroMemory(Writer->Image + Writer->Size, More);
    Writer->Size += More;
    return TRUE;
}

/* What is left of the open bin becomes a free cell. */
static VOID CmpCloseBin(PCM_WRITER Writer)
{
    ULONG Rest = Writer->Size - sizeof(CM_BASE_BLOCK) - Writer->End;
    if (Rest)
        *(PLONG)(Writer->Image + sizeof(CM_BASE_BLOCK) + Writer->End) = (LONG)Rest;
    Writer->End += Rest;
}

static BOOLEAN CmpOpenBin(PCM_WRITER Writer, ULONG Need)
{
    ULONG Bytes = (Need + sizeof(CM_BIN) + 0xfff) & ~0xfffu, Offset;
    CmpCloseBin(Writer);
    Offset = Writer->End;
    if (Bytes < Need || !CmpGrow(Writer, Bytes))
        return FALSE;
    PCM_BIN Bin = (PCM_BIN)(Writer->Image + sizeof(CM_BASE_BLOCK) + Offset);
    *Bin = (CM_BIN){.Signature = CM_HBIN, .Offset = Offset, .Size = Bytes};
    if (!Offset)
        Bin->TimeStamp.QuadPart = KiSystemTime();
    Writer->End = Offset + sizeof(CM_BIN);
    return TRUE;
}

/* A new cell of zeros; CM_NONE = there is no room. */
static ULONG CmpNewCell(PCM_WRITER Writer, ULONG Bytes)
{
    ULONG Need = (Bytes + sizeof(LONG) + 7) & ~7u, Cell;
    if (Writer->Failed || Need < Bytes)
        return CM_NONE;
    if (Need > Writer->Size - sizeof(CM_BASE_BLOCK) - Writer->End && !CmpOpenBin(Writer, Need)) {
        Writer->Failed = TRUE;
        return CM_NONE;
    }
    Cell = Writer->End;
    *(PLONG)(Writer->Image + sizeof(CM_BASE_BLOCK) + Cell) = -(LONG)Need;
    Writer->End += Need;
    return Cell;
}

static ULONG CmpDataCell(PCM_WRITER Writer, const VOID *Data, ULONG Bytes)
{
    ULONG Cell = CmpNewCell(Writer, Bytes);
    if (Cell != CM_NONE)
        RtlCopyMemory(CmpAt(Writer, Cell), Data, Bytes);
    return Cell;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static BOOLEAN CmpIsNarrow(PCUNICODE_STRING Name)
{
    for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++)
        if (Name->Buffer[i] > 0xff)
            return FALSE;
    return TRUE;
}

static ULONG CmpNameBytes(PCUNICODE_STRING Name)
{
    return CmpIsNarrow(Name) ? Name->Length / sizeof(WCHAR) : Name->Length;
}

static VOID CmpPutName(PUCHAR To, PCUNICODE_STRING Name)
{
    if (!CmpIsNarrow(Name))
        RtlCopyMemory(To, Name->Buffer, Name->Length);
    else
        for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++)
            To[i] = (UCHAR)Name->Buffer[i];
}

/* What stands beside a subkey in its list: its first letters (lf), or a hash of its name (lh). */
static ULONG CmpHint(PCUNICODE_STRING Name, BOOLEAN Latest)
{
    ULONG Hint = 0, n = Name->Length / sizeof(WCHAR);
    if (Latest)
        for (ULONG i = 0; i < n; i++)
            Hint = Hint * 37 + RtlUpcaseUnicodeChar(Name->Buffer[i]);
    else
        for (ULONG i = 0; i < n && i < 4 && CmpIsNarrow(Name); i++)
            Hint |= (ULONG)Name->Buffer[i] << 8 * i;
    return Hint;
}

/* ---- Descriptors ------------------------------------------------------------------------------------------------- */

static LONG CmpCompareWritten(PCM_NODE Node, const VOID *Descriptor)
{
    ULONG_PTR One = (ULONG_PTR)CONTAINING_RECORD(Node, CM_WRITTEN, Node)->Descriptor, Other = (ULONG_PTR)Descriptor;
    return One < Other ? -1 : One > Other;
}

/* Each different one has one cell; all of them stand in a ring. */
static ULONG CmpDescriptorCell(PCM_WRITER Writer, PSECURITY_DESCRIPTOR Descriptor)
{
    PCM_NODE Node = CmpTreeFind(Writer->Descriptors, CmpCompareWritten, Descriptor);
    if (Node) {
        PCM_WRITTEN Written = CONTAINING_RECORD(Node, CM_WRITTEN, Node);
        ((PCM_SECURITY_CELL)CmpAt(Writer, Written->Cell))->References++;
        return Written->Cell;
    }
    ULONG Bytes = RtlLengthSecurityDescriptor(Descriptor), Cell = CmpNewCell(Writer, sizeof(CM_SECURITY_CELL) + Bytes);
    PCM_WRITTEN Written = ExpAllocate(sizeof(*Written), CM_TAG);
    Written->Descriptor = Descriptor;
    Written->Cell = Cell;
    CmpTreeInsert(&Writer->Descriptors, &Written->Node, CmpCompareWritten, Descriptor);
    if (Cell == CM_NONE)
        return Cell;
    PCM_SECURITY_CELL New = CmpAt(Writer, Cell);
    *New = (CM_SECURITY_CELL){.Signature = CM_SK, .Next = Cell, .Previous = Cell, .References = 1, .Bytes = Bytes};
    RtlCopyMemory(New->Descriptor, Descriptor, Bytes);
    if (Writer->FirstDescriptor == CM_NONE) {
        Writer->FirstDescriptor = Cell;
    } else {
        PCM_SECURITY_CELL First = CmpAt(Writer, Writer->FirstDescriptor);
        New->Next = Writer->FirstDescriptor;
        New->Previous = First->Previous;
        ((PCM_SECURITY_CELL)CmpAt(Writer, New->Previous))->Next = Cell;
        First->Previous = Cell;
    }
    return Cell;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static ULONG CmpLongData(PCM_WRITER Writer, PUCHAR Data, ULONG Bytes)
{
    ULONG Count = (Bytes + CM_PIECE - 1) / CM_PIECE, Big = CmpNewCell(Writer, sizeof(CM_BIG_DATA));
    ULONG List = CmpNewCell(Writer, Count * sizeof(ULONG));
    if (List == CM_NONE)
        return CM_NONE;
    *(PCM_BIG_DATA)CmpAt(Writer, Big) = (CM_BIG_DATA){.Signature = CM_DB, .Count = (USHORT)Count, .List = List};
    for (ULONG i = 0; i < Count && !Writer->Failed; i++) {
        ULONG Piece = CmpDataCell(Writer, Data + i * CM_PIECE, min(CM_PIECE, Bytes - i * CM_PIECE));
        ((PULONG)CmpAt(Writer, List))[i] = Piece;
    }
    return Big;
}

static ULONG CmpValueCell(PCM_WRITER Writer, PCM_VALUE Value)
{
    ULONG Data = 0, Bytes = Value->Bytes, NameBytes = CmpNameBytes(&Value->Name);
    if (Bytes <= sizeof(ULONG)) {
        RtlCopyMemory(&Data, Value->Data, Bytes);
        Bytes |= CM_INLINE;
    } else if (Writer->Latest && Bytes > CM_PIECE && Bytes <= CM_PIECE * 0xffff)
        Data = CmpLongData(Writer, Value->Data, Bytes);
    else
        Data = CmpDataCell(Writer, Value->Data, Bytes);
    ULONG Cell = CmpNewCell(Writer, sizeof(CM_VALUE_CELL) + NameBytes);
    if (Cell == CM_NONE)
        return Cell;
    PCM_VALUE_CELL New = CmpAt(Writer, Cell);
    *New = (CM_VALUE_CELL){.Signature = CM_VK,
                           .NameBytes = (USHORT)NameBytes,
                           .Bytes = Bytes,
                           .Data = Data,
                           .Type = Value->Type,
                           .Flags = CmpIsNarrow(&Value->Name) ? CM_VK_NARROW : 0};
    CmpPutName(New->Name, &Value->Name);
    return Cell;
}

static ULONG CmpValueList(PCM_WRITER Writer, PCM_KEY Key, ULONG Count)
{
    ULONG List = Count ? CmpNewCell(Writer, Count * sizeof(ULONG)) : CM_NONE;
    for (ULONG i = 0; i < Count && !Writer->Failed; i++) {
        ULONG Cell = CmpValueCell(Writer, CmpNthValue(Key, i, NULL));
        ((PULONG)CmpAt(Writer, List))[i] = Cell;
    }
    return List;
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static BOOLEAN CmpIsSaved(PCM_WRITER Writer, PCM_KEY Key)
{
    return Writer->Volatile || !(Key->Flags & CM_VOLATILE);
}

static ULONG CmpCountSaved(PCM_WRITER Writer, PCM_KEY Key)
{
    ULONG Count = 0;
    PCM_KEY Child;
    for (ULONG i = 0; (Child = CmpNthKey(Key, i, NULL)); i++)
        Count += CmpIsSaved(Writer, Child);
    return Count;
}

/* The list of Count subkeys, still without them. */
static ULONG CmpSubkeyList(PCM_WRITER Writer, ULONG Count)
{
    USHORT Leaf = Writer->Latest ? CM_LH : CM_LF;
    ULONG Leaves = (Count + CM_LEAF - 1) / CM_LEAF, Top = CM_NONE;
    if (Leaves > 1) {
        Top = CmpNewCell(Writer, sizeof(CM_LIST_CELL) + Leaves * sizeof(ULONG));
        if (Top != CM_NONE)
            *(PCM_LIST_CELL)CmpAt(Writer, Top) = (CM_LIST_CELL){.Signature = CM_RI, .Count = (USHORT)Leaves};
    }
    for (ULONG i = 0; i < Leaves && !Writer->Failed; i++) {
        ULONG Entries = min(CM_LEAF, Count - i * CM_LEAF);
        ULONG Cell = CmpNewCell(Writer, sizeof(CM_LIST_CELL) + Entries * 2 * sizeof(ULONG));
        if (Cell == CM_NONE)
            break;
        *(PCM_LIST_CELL)CmpAt(Writer, Cell) = (CM_LIST_CELL){.Signature = Leaf, .Count = (USHORT)Entries};
        if (Leaves == 1)
            return Cell;
        ((PCM_LIST_CELL)CmpAt(Writer, Top))->Entry[i] = Cell;
    }
    return Top;
}

static VOID CmpEnterSubkey(PCM_WRITER Writer, PCM_LEVEL Level, PCM_KEY Child, ULONG Cell)
{
    PCM_LIST_CELL List = CmpAt(Writer, Level->List);
    ULONG Index = Level->Written++;
    if (List->Signature == CM_RI) {
        List = CmpAt(Writer, List->Entry[Index / CM_LEAF]);
        Index %= CM_LEAF;
    }
    List->Entry[2 * Index] = Cell;
    List->Entry[2 * Index + 1] = CmpHint(&Child->Name, Writer->Latest);
}

/* The key's cell with all that hangs on it but subkeys, and the level its subkeys are written at. */
static ULONG CmpKeyCell(PCM_WRITER Writer, PCM_KEY Key, ULONG Parent, PCM_LEVEL Level)
{
    ULONG NameBytes = CmpNameBytes(&Key->Name), Values = CmpValueCount(Key, NULL);
    ULONG Cell = CmpNewCell(Writer, sizeof(CM_KEY_NODE) + NameBytes);
    *Level = (CM_LEVEL){.Key = Key, .Cell = Cell, .Count = CmpCountSaved(Writer, Key), .List = CM_NONE};
    if (Level->Count)
        Level->List = CmpSubkeyList(Writer, Level->Count);
    CM_KEY_NODE Node = {.Signature = CM_NK,
                        .Flags = (Parent == CM_NONE ? CM_NK_ROOT | CM_NK_NO_DELETE : 0) |
                                 (Key->Flags & CM_LINK ? CM_NK_LINK : 0) | (CmpIsNarrow(&Key->Name) ? CM_NK_NARROW : 0),
                        .WriteTime = Key->WriteTime,
                        .Parent = Parent,
                        .SubKeys = Level->Count,
                        .SubKeyList = Level->List,
                        .VolatileList = CM_NONE,
                        .Values = Values,
                        .ValueList = CmpValueList(Writer, Key, Values),
                        .Security = Key->Security ? CmpDescriptorCell(Writer, Key->Security) : CM_NONE,
                        .Class =
                            Key->Class.Length ? CmpDataCell(Writer, Key->Class.Buffer, Key->Class.Length) : CM_NONE,
                        .MaxName = (Key->Children ? Key->Children->Most[0] & 0xffff : 0) |
                                   (Key->UserFlags & 0xf) << 16 | (Key->Virtualization & 0xf) << 20,
                        .MaxClass = Key->Children ? Key->Children->Most[1] : 0,
                        .MaxValueName = Key->Values ? Key->Values->Most[0] : 0,
                        .MaxValueData = Key->Values ? Key->Values->Most[1] : 0,
                        .NameBytes = (USHORT)NameBytes,
                        .ClassBytes = Key->Class.Length};
    if (Writer->Failed)
        return CM_NONE;
    PCM_KEY_NODE At = CmpAt(Writer, Cell);
    *At = Node;
    CmpPutName(At->Name, &Key->Name);
    return Cell;
}

static ULONG CmpWriteTree(PCM_WRITER Writer, PCM_KEY Top)
{
    ULONG Depth = 0, Root = CmpKeyCell(Writer, Top, CM_NONE, &Writer->Level[0]);
    while (!Writer->Failed) {
        PCM_LEVEL Level = &Writer->Level[Depth];
        PCM_KEY Child = CmpNthKey(Level->Key, Level->Next++, NULL);
        if (!Child && !Depth)
            break;
        if (!Child) {
            Depth--;
        } else if (CmpIsSaved(Writer, Child) && Depth == CM_DEPTH_MOST) {
            Writer->Failed = TRUE; /* deeper than keys can be made */
        } else if (CmpIsSaved(Writer, Child)) {
            ULONG Cell = CmpKeyCell(Writer, Child, Level->Cell, &Writer->Level[Depth + 1]);
            if (!Writer->Failed)
                CmpEnterSubkey(Writer, Level, Child, Cell);
            Depth++;
        }
    }
    return Root;
}

ULONG CmpCheckSum(const CM_BASE_BLOCK *Base)
{
    ULONG Sum = 0;
    for (const ULONG *Word = (const ULONG *)Base; Word != &Base->CheckSum; Word++)
        Sum ^= *Word;
    return Sum == 0 ? 1 : Sum == CM_NONE ? CM_NONE - 1 : Sum;
}

NTSTATUS CmpWriteHive(PCM_KEY Top, BOOLEAN Latest, PUCHAR *Image, PULONG Bytes)
{
    PCM_WRITER Writer = ExpAllocate(sizeof(*Writer), CM_TAG);
    RtlZeroMemory(Writer, sizeof(*Writer));
    Writer->Latest = Latest;
    Writer->Volatile = (Top->Flags & CM_VOLATILE) != 0;
    Writer->FirstDescriptor = CM_NONE;
    Writer->Failed = !CmpGrow(Writer, sizeof(CM_BASE_BLOCK));
    ULONG Root = CmpWriteTree(Writer, Top);
    BOOLEAN Failed = Writer->Failed;
    if (!Failed) {
        CmpCloseBin(Writer);
        PCM_BASE_BLOCK Base = (PCM_BASE_BLOCK)Writer->Image;
        *Base = (CM_BASE_BLOCK){.Signature = CM_REGF,
                                .Sequence1 = 1,
                                .Sequence2 = 1,
                                .TimeStamp.QuadPart = KiSystemTime(),
                                .Major = 1,
                                .Minor = Latest ? 5 : 3,
                                .Format = 1,
                                .RootCell = Root,
                                .Length = Writer->Size - sizeof(CM_BASE_BLOCK),
                                .Cluster = 1};
        Base->CheckSum = CmpCheckSum(Base);
        *Image = Writer->Image;
        *Bytes = Writer->Size;
    } else if (Writer->Image)
        ExpFree(Writer->Image);
    while (Writer->Descriptors) {
        PCM_WRITTEN Written = CONTAINING_RECORD(Writer->Descriptors, CM_WRITTEN, Node);
        CmpTreeRemove(&Writer->Descriptors, &Written->Node, CmpCompareWritten, Written->Descriptor);
        ExpFree(Written);
    }
    ExpFree(Writer);
    return Failed ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}
