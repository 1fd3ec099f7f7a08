/*
 * A hive file's bytes as a tree of keys (hive.h).
 *
 * The bytes come from anywhere. First every bin and every cell's length is looked at, and where cells in use begin is
 * marked. A cell is then reached by CmpTake alone, which says how long it is and takes the mark away: each cell belongs to
 * one key only (descriptors excepted), so there are no circles and no more keys than the file has room for.
 *
 * What a log would add is not there: a file whose writing was interrupted is taken as it is, if it is whole.
 */
#include "nt.h"
#include "cm/cmp.h"
#include "cm/hive.h"

/* A descriptor that was read. */
typedef struct _CM_KNOWN {
    CM_NODE Node;
    ULONG Cell;
    PSECURITY_DESCRIPTOR Shared;
} CM_KNOWN, *PCM_KNOWN;

/* A key whose subkeys are being read. */
typedef struct _CM_OPENED {
    PCM_KEY Key;
    LARGE_INTEGER WriteTime;
    PULONG Cell; /* of its subkeys */
    ULONG Count, Next;
} CM_OPENED, *PCM_OPENED;

typedef struct _CM_READER {
    PUCHAR Bins;
    ULONG Size;
    PUCHAR Mark; /* a bit for each 8 bytes */
    BOOLEAN Volatile;
    PCM_NODE Descriptors;
    PCM_KEY Top;
    ULONG Depth, Most;
    CM_OPENED Level[CM_DEPTH_MOST];
} CM_READER, *PCM_READER;

/* ---- Cells ------------------------------------------------------------------------------------------------------- */

/* All cells of one bin lie in it, without gaps. */
static BOOLEAN CmpMarkBin(PCM_READER Reader, ULONG Start, ULONG End)
{
    for (ULONG At = Start + sizeof(CM_BIN); At < End;) {
        LONG Length = *(PLONG)(Reader->Bins + At);
        ULONG Bytes = Length < 0 ? 0u - (ULONG)Length : (ULONG)Length;
        if (Bytes < 8 || Bytes % 8 || Bytes > End - At)
            return FALSE;
        if (Length < 0)
            Reader->Mark[At / 64] |= (UCHAR)(1 << At / 8 % 8);
        At += Bytes;
    }
    return TRUE;
}

static BOOLEAN CmpMarkCells(PCM_READER Reader)
{
    for (ULONG At = 0; At < Reader->Size;) {
        PCM_BIN Bin = (PCM_BIN)(Reader->Bins + At);
        if (Bin->Signature != CM_HBIN || Bin->Offset != At || !Bin->Size || Bin->Size % 0x1000 ||
            Bin->Size > Reader->Size - At || !CmpMarkBin(Reader, At, At + Bin->Size))
            return FALSE;
        At += Bin->Size;
    }
    return TRUE;
}

/* A cell in use of at least Least bytes; *Bytes: how many it has. Keep: others may refer to it as well. */
static PVOID CmpLook(PCM_READER Reader, ULONG Cell, ULONG Least, PULONG Bytes, BOOLEAN Keep)
{
    if (Cell % 8 || Cell >= Reader->Size || !(Reader->Mark[Cell / 64] & 1 << Cell / 8 % 8))
        return NULL;
    *Bytes = 0u - (ULONG) * (PLONG)(Reader->Bins + Cell) - sizeof(LONG);
    if (*Bytes < Least)
        return NULL;
    if (!Keep)
        Reader->Mark[Cell / 64] &= (UCHAR) ~(1 << Cell / 8 % 8);
    return Reader->Bins + Cell + sizeof(LONG);
}

static PVOID CmpTake(PCM_READER Reader, ULONG Cell, ULONG Least, PULONG Bytes)
{
    return CmpLook(Reader, Cell, Least, Bytes, FALSE);
}

/* ---- Names, descriptors ------------------------------------------------------------------------------------------ */

/* Buffer is to be freed by the caller. FALSE: no name, or no memory. */
static BOOLEAN CmpReadName(PUCHAR Name, ULONG Bytes, BOOLEAN Narrow, PUNICODE_STRING Text)
{
    ULONG Characters = Narrow ? Bytes : Bytes / sizeof(WCHAR);
    *Text = (UNICODE_STRING){0};
    if ((!Narrow && Bytes % sizeof(WCHAR)) || Characters > 0x7ffe)
        return FALSE;
    Text->Buffer = ExpTryAllocate((Characters + 1) * sizeof(WCHAR), CM_TAG);
    if (!Text->Buffer)
        return FALSE;
    Text->Length = Text->MaximumLength = (USHORT)(Characters * sizeof(WCHAR));
    for (ULONG i = 0; i < Characters; i++)
        Text->Buffer[i] = Narrow ? Name[i] : (WCHAR)(Name[2 * i] | Name[2 * i + 1] << 8);
    return TRUE;
}

static BOOLEAN CmpIsKeyName(PCUNICODE_STRING Name)
{
    if (!Name->Length || Name->Length > CM_NAME_MOST)
        return FALSE;
    for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++)
        if (Name->Buffer[i] == L'\\')
            return FALSE;
    return TRUE;
}

static LONG CmpCompareKnown(PCM_NODE Node, const VOID *Cell)
{
    ULONG One = CONTAINING_RECORD(Node, CM_KNOWN, Node)->Cell, Other = *(const ULONG *)Cell;
    return One < Other ? -1 : One > Other;
}

/* *Shared: a reference; NULL where the file has none, and the key gets its parent's. */
static BOOLEAN CmpReadDescriptor(PCM_READER Reader, ULONG Cell, PSECURITY_DESCRIPTOR *Shared)
{
    PCM_NODE Node = CmpTreeFind(Reader->Descriptors, CmpCompareKnown, &Cell);
    ULONG Bytes;
    *Shared = NULL;
    if (Cell == CM_NONE)
        return TRUE;
    if (!Node) {
        PCM_SECURITY_CELL Security = CmpLook(Reader, Cell, sizeof(CM_SECURITY_CELL), &Bytes, TRUE);
        if (!Security || Security->Signature != CM_SK || Security->Bytes > Bytes - sizeof(CM_SECURITY_CELL) ||
            !RtlValidRelativeSecurityDescriptor(Security->Descriptor, Security->Bytes, 0))
            return FALSE;
        PCM_KNOWN Known = ExpAllocate(sizeof(*Known), CM_TAG);
        Known->Cell = Cell;
        if (!NT_SUCCESS(ObLogSecurityDescriptor(Security->Descriptor, &Known->Shared, 1))) {
            ExpFree(Known);
            return FALSE;
        }
        CmpTreeInsert(&Reader->Descriptors, &Known->Node, CmpCompareKnown, &Cell);
        Node = &Known->Node;
    }
    *Shared = CONTAINING_RECORD(Node, CM_KNOWN, Node)->Shared;
    ObReferenceSecurityDescriptor(*Shared, 1);
    return TRUE;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static PUCHAR CmpReadPieces(PCM_READER Reader, PCM_BIG_DATA Big, ULONG Bytes)
{
    ULONG Room, Count = (Bytes + CM_PIECE - 1) / CM_PIECE;
    PULONG List = CmpTake(Reader, Big->List, Big->Count * sizeof(ULONG), &Room);
    if (Big->Signature != CM_DB || !List || Big->Count != Count)
        return NULL;
    PUCHAR Data = ExpTryAllocate(Bytes, CM_TAG);
    for (ULONG i = 0; Data && i < Count; i++) {
        ULONG Part = min(CM_PIECE, Bytes - i * CM_PIECE);
        PVOID Piece = CmpTake(Reader, List[i], Part, &Room);
        if (!Piece) {
            ExpFree(Data);
            return NULL;
        }
        RtlCopyMemory(Data + i * CM_PIECE, Piece, Part);
    }
    return Data;
}

/* The value's data: in the file, or (*Block) in memory to be freed. */
static PVOID CmpReadData(PCM_READER Reader, PCM_VALUE_CELL Cell, ULONG Bytes, PUCHAR *Block)
{
    ULONG Room;
    *Block = NULL;
    if (Cell->Bytes & CM_INLINE)
        return Bytes <= sizeof(ULONG) ? &Cell->Data : NULL;
    if (!Bytes)
        return &Cell->Data;
    PVOID Data = CmpTake(Reader, Cell->Data, sizeof(CM_BIG_DATA), &Room);
    if (Data && Room < Bytes)
        Data = Bytes > CM_PIECE ? (*Block = CmpReadPieces(Reader, Data, Bytes)) : NULL;
    return Data;
}

static BOOLEAN CmpReadValue(PCM_READER Reader, PCM_KEY Key, ULONG At)
{
    ULONG Room;
    UNICODE_STRING Name;
    PUCHAR Block;
    PCM_VALUE_CELL Cell = CmpTake(Reader, At, sizeof(CM_VALUE_CELL), &Room);
    if (!Cell || Cell->Signature != CM_VK || Cell->NameBytes > Room - sizeof(CM_VALUE_CELL))
        return FALSE;
    ULONG Bytes = Cell->Bytes & ~CM_INLINE;
    PVOID Data = CmpReadData(Reader, Cell, Bytes, &Block);
    if (!Data || !CmpReadName(Cell->Name, Cell->NameBytes, Cell->Flags & CM_VK_NARROW, &Name))
        return FALSE;
    BOOLEAN Good = Name.Length <= CM_VALUE_NAME_MOST && !CmpFindValue(Key, &Name, NULL) &&
                   CmpMakeValue(Key, &Name, Cell->Type, Data, Bytes);
    ExpFree(Name.Buffer);
    if (Block)
        ExpFree(Block);
    return Good;
}

static BOOLEAN CmpReadValues(PCM_READER Reader, PCM_KEY Key, PCM_KEY_NODE Node)
{
    ULONG Room;
    if (!Node->Values)
        return TRUE;
    PULONG List = CmpTake(Reader, Node->ValueList, sizeof(ULONG), &Room);
    if (!List || Node->Values > Room / sizeof(ULONG))
        return FALSE;
    for (ULONG i = 0; i < Node->Values; i++)
        if (!CmpReadValue(Reader, Key, List[i]))
            return FALSE;
    return TRUE;
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

/* Entries of one list of subkeys behind those that are there. */
static BOOLEAN CmpReadLeaf(PCM_OPENED Level, PCM_LIST_CELL List, ULONG Room, ULONG Most)
{
    ULONG Step = List->Signature == CM_LI ? 1 : 2;
    if (List->Signature != CM_LI && List->Signature != CM_LF && List->Signature != CM_LH)
        return FALSE;
    if (List->Count * Step > (Room - sizeof(CM_LIST_CELL)) / sizeof(ULONG) || List->Count > Most - Level->Count)
        return FALSE;
    for (ULONG i = 0; i < List->Count; i++)
        Level->Cell[Level->Count++] = List->Entry[i * Step];
    return TRUE;
}

static BOOLEAN CmpReadSubkeyList(PCM_READER Reader, PCM_OPENED Level, PCM_KEY_NODE Node)
{
    ULONG Room, LeafRoom;
    if (!Node->SubKeys)
        return TRUE;
    PCM_LIST_CELL List = CmpTake(Reader, Node->SubKeyList, sizeof(CM_LIST_CELL), &Room), Leaf;
    if (!List || Node->SubKeys > Reader->Size / sizeof(CM_KEY_NODE))
        return FALSE;
    Level->Cell = ExpTryAllocate(Node->SubKeys * sizeof(ULONG), CM_TAG);
    if (!Level->Cell)
        return FALSE;
    if (List->Signature != CM_RI)
        return CmpReadLeaf(Level, List, Room, Node->SubKeys) && Level->Count == Node->SubKeys;
    if (List->Count > (Room - sizeof(CM_LIST_CELL)) / sizeof(ULONG))
        return FALSE;
    for (ULONG i = 0; i < List->Count; i++)
        if (!(Leaf = CmpTake(Reader, List->Entry[i], sizeof(CM_LIST_CELL), &LeafRoom)) ||
            !CmpReadLeaf(Level, Leaf, LeafRoom, Node->SubKeys))
            return FALSE;
    return Level->Count == Node->SubKeys;
}

/* What stands in the key's cell besides its name. */
static BOOLEAN CmpFillKeyFrom(PCM_READER Reader, PCM_KEY Key, PCM_KEY_NODE Node)
{
    ULONG Room, ClassBytes = Node->ClassBytes;
    Key->Flags = (Reader->Volatile ? CM_VOLATILE : 0) | (Node->Flags & CM_NK_LINK ? CM_LINK : 0);
    Key->UserFlags = Node->MaxName >> 16 & 0xf;
    Key->Virtualization = Node->MaxName >> 20 & 0x7;
    if (ClassBytes && Node->Class != CM_NONE) {
        PVOID Class = CmpTake(Reader, Node->Class, ClassBytes, &Room);
        if (!Class || ClassBytes % sizeof(WCHAR))
            return FALSE;
        CmpSetClass(Key, &(UNICODE_STRING){(USHORT)ClassBytes, (USHORT)ClassBytes, Class});
    }
    return CmpReadValues(Reader, Key, Node);
}

/* A key below Parent (NULL: the file's first), and the next level. What was made of it hangs on Parent. */
static BOOLEAN CmpReadKey(PCM_READER Reader, PCM_KEY Parent, ULONG Cell)
{
    ULONG Room;
    UNICODE_STRING Name;
    PSECURITY_DESCRIPTOR Shared;
    PCM_KEY Key = NULL;
    PCM_KEY_NODE Node = CmpTake(Reader, Cell, sizeof(CM_KEY_NODE), &Room);
    if (Reader->Depth >= Reader->Most || !Node || Node->Signature != CM_NK ||
        Node->NameBytes > Room - sizeof(CM_KEY_NODE) ||
        !CmpReadName(Node->Name, Node->NameBytes, (Node->Flags & CM_NK_NARROW) != 0, &Name))
        return FALSE;
    if ((!Parent || (CmpIsKeyName(&Name) && !CmpFindKey(Parent, &Name, NULL))) &&
        CmpReadDescriptor(Reader, Node->Security, &Shared))
        Key = CmpMakeKey(Parent, &Name, Shared);
    ExpFree(Name.Buffer);
    if (!Key)
        return FALSE;
    if (!Parent)
        Reader->Top = Key;
    PCM_OPENED Level = &Reader->Level[Reader->Depth++];
    *Level = (CM_OPENED){.Key = Key, .WriteTime = Node->WriteTime};
    return CmpFillKeyFrom(Reader, Key, Node) && CmpReadSubkeyList(Reader, Level, Node);
}

static VOID CmpLeaveLevel(PCM_READER Reader)
{
    PCM_OPENED Level = &Reader->Level[--Reader->Depth];
    Level->Key->WriteTime = Level->WriteTime; /* making what is below it has changed it */
    if (Level->Cell)
        ExpFree(Level->Cell);
}

static BOOLEAN CmpReadTree(PCM_READER Reader, ULONG Root)
{
    BOOLEAN Good = CmpReadKey(Reader, NULL, Root);
    while (Good && Reader->Depth) {
        PCM_OPENED Level = &Reader->Level[Reader->Depth - 1];
        if (Level->Next < Level->Count)
            Good = CmpReadKey(Reader, Level->Key, Level->Cell[Level->Next++]);
        else
            CmpLeaveLevel(Reader);
    }
    while (Reader->Depth)
        CmpLeaveLevel(Reader);
    return Good;
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static NTSTATUS CmpCheckBase(PCM_BASE_BLOCK Base, ULONG Bytes)
{
    if (Bytes < sizeof(*Base) + sizeof(CM_BIN) || Base->Signature != CM_REGF)
        return STATUS_NOT_REGISTRY_FILE;
    if (Base->CheckSum != CmpCheckSum(Base) || Base->Major != 1 || Base->Minor < 3 || Base->Minor > 6 || Base->Type ||
        Base->Format != 1 || !Base->Length || Base->Length % 0x1000 || Base->Length > Bytes - sizeof(*Base))
        return STATUS_REGISTRY_CORRUPT;
    return STATUS_SUCCESS;
}

NTSTATUS CmpReadHive(PUCHAR Image, ULONG Bytes, ULONG Levels, BOOLEAN Volatile, PCM_KEY *Top)
{
    PCM_BASE_BLOCK Base = (PCM_BASE_BLOCK)Image;
    NTSTATUS Status = CmpCheckBase(Base, Bytes);
    *Top = NULL;
    if (!NT_SUCCESS(Status))
        return Status;
    PCM_READER Reader = ExpTryAllocate(sizeof(*Reader), CM_TAG);
    PUCHAR Mark = ExpTryAllocate(Base->Length / 64, CM_TAG);
    if (Reader && Mark) {
        RtlZeroMemory(Reader, sizeof(*Reader));
        RtlZeroMemory(Mark, Base->Length / 64);
        Reader->Bins = Image + sizeof(*Base);
        Reader->Size = Base->Length;
        Reader->Mark = Mark;
        Reader->Volatile = Volatile;
        Reader->Most = min(Levels, CM_DEPTH_MOST);
        if (!CmpMarkCells(Reader) || !CmpReadTree(Reader, Base->RootCell))
            Status = STATUS_REGISTRY_CORRUPT;
        if (!NT_SUCCESS(Status) && Reader->Top)
            CmpDestroyTree(Reader->Top);
        else
            *Top = Reader->Top;
        while (Reader->Descriptors) {
            PCM_KNOWN Known = CONTAINING_RECORD(Reader->Descriptors, CM_KNOWN, Node);
            CmpTreeRemove(&Reader->Descriptors, &Known->Node, CmpCompareKnown, &Known->Cell);
            ObDereferenceSecurityDescriptor(Known->Shared, 1);
            ExpFree(Known);
        }
    } else
        Status = STATUS_INSUFFICIENT_RESOURCES;
    if (Reader)
        ExpFree(Reader);
    if (Mark)
        ExpFree(Mark);
    return Status;
}
