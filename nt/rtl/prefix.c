/*
 * Prefix tables of Unicode names (docs: RtlInitializeUnicodePrefix, RtlInsertUnicodePrefix, RtlFindUnicodePrefix,
 * RtlRemoveUnicodePrefix, RtlNextUnicodePrefix).
 *
 * Names with the same number of components ("\a\b": two) are one splay tree, ordered without case; names equal but for
 * their case are a ring (CaseMatch) at one node of it. Trees hang off the table from the most components down. The
 * entries are the caller's; NodeTypeCode tells a tree's root, a node and a ring's further members apart.
 */
#include "nt.h"

enum { RtlpTable = 0x800, RtlpRoot = 0x801, RtlpNode = 0x802, RtlpTwin = 0x803 };

#define RtlpEntryOf(ALink) CONTAINING_RECORD(ALink, UNICODE_PREFIX_TABLE_ENTRY, Links)

static CSHORT RtlpComponents(PCUNICODE_STRING Name)
{
    ULONG Characters = Name->Length / sizeof(WCHAR);
    CSHORT Count = Characters > 1; /* the root alone has none */
    for (ULONG i = 1; i < Characters; i++)
        Count += Name->Buffer[i] == L'\\';
    return Count;
}

/* The order of a tree: without case, the separator before all else, so that a name stands before those that go on with
 * more characters in the same component, and a prefix is met on the way to where its names would stand. */
static LONG RtlpOrder(PCUNICODE_STRING One, PCUNICODE_STRING Other, ULONG OtherLength)
{
    ULONG Count[2] = {One->Length / sizeof(WCHAR), OtherLength / sizeof(WCHAR)};
    for (ULONG i = 0; i < Count[0] && i < Count[1]; i++) {
        LONG Left = RtlUpcaseUnicodeChar(One->Buffer[i]), Right = RtlUpcaseUnicodeChar(Other->Buffer[i]);
        Left = Left == L'\\' ? -1 : Left;
        Right = Right == L'\\' ? -1 : Right;
        if (Left != Right)
            return Left - Right;
    }
    return (LONG)Count[0] - (LONG)Count[1];
}

/* Prefix against as many characters of Name; *IsPrefix: equal, and Name goes on with a new component or ends. */
static LONG RtlpComparePrefix(PCUNICODE_STRING Prefix, PCUNICODE_STRING Name, BOOLEAN *IsPrefix)
{
    LONG Order = RtlpOrder(Prefix, Name, min(Name->Length, Prefix->Length));
    ULONG n = Prefix->Length / sizeof(WCHAR);
    *IsPrefix = Order == 0 &&
                (Name->Length == Prefix->Length || Name->Buffer[n] == L'\\' || (n && Prefix->Buffer[n - 1] == L'\\'));
    return Order;
}

VOID NTAPI RtlInitializeUnicodePrefix(PUNICODE_PREFIX_TABLE Table)
{
    Table->NodeTypeCode = RtlpTable;
    Table->NameLength = 0;
    Table->NextPrefixTree = NULL;
    Table->LastNextEntry = NULL;
}

/* The place in the chain of trees: the first tree with no more components. */
static PUNICODE_PREFIX_TABLE_ENTRY *RtlpTreeFor(PUNICODE_PREFIX_TABLE Table, CSHORT Components)
{
    PUNICODE_PREFIX_TABLE_ENTRY *Place = &Table->NextPrefixTree;
    while (*Place && (*Place)->NameLength > Components)
        Place = &(*Place)->NextPrefixTree;
    return Place;
}

/* The tree's root is Links now. */
static VOID RtlpSetRoot(PUNICODE_PREFIX_TABLE_ENTRY *Place, PRTL_SPLAY_LINKS Links)
{
    PUNICODE_PREFIX_TABLE_ENTRY Old = *Place, New = RtlpEntryOf(Links);
    if (Old == New)
        return;
    New->NextPrefixTree = Old->NextPrefixTree;
    New->NodeTypeCode = RtlpRoot;
    Old->NextPrefixTree = NULL;
    Old->NodeTypeCode = RtlpNode;
    *Place = New;
}

static BOOLEAN RtlpAddTwin(PUNICODE_PREFIX_TABLE_ENTRY On, PUNICODE_PREFIX_TABLE_ENTRY Entry)
{
    PUNICODE_PREFIX_TABLE_ENTRY Twin = On;
    do {
        if (RtlEqualUnicodeString(Twin->Prefix, Entry->Prefix, FALSE))
            return FALSE;
        Twin = Twin->CaseMatch;
    } while (Twin != On);
    Entry->NodeTypeCode = RtlpTwin;
    Entry->CaseMatch = On->CaseMatch;
    On->CaseMatch = Entry;
    return TRUE;
}

BOOLEAN NTAPI RtlInsertUnicodePrefix(PUNICODE_PREFIX_TABLE Table, PUNICODE_STRING Prefix,
                                     PUNICODE_PREFIX_TABLE_ENTRY Entry)
{
    CSHORT Components = RtlpComponents(Prefix);
    PUNICODE_PREFIX_TABLE_ENTRY *Place = RtlpTreeFor(Table, Components);
    Entry->Prefix = Prefix;
    Entry->NameLength = Components;
    Entry->CaseMatch = Entry;
    Entry->NextPrefixTree = NULL;
    RtlInitializeSplayLinks(&Entry->Links);
    if (!*Place || (*Place)->NameLength != Components) {
        Entry->NodeTypeCode = RtlpRoot;
        Entry->NextPrefixTree = *Place;
        *Place = Entry;
        return TRUE;
    }
    for (PUNICODE_PREFIX_TABLE_ENTRY On = *Place;;) {
        LONG Order = RtlpOrder(On->Prefix, Prefix, Prefix->Length);
        if (Order == 0)
            return RtlpAddTwin(On, Entry);
        PRTL_SPLAY_LINKS Next = Order > 0 ? On->Links.LeftChild : On->Links.RightChild;
        if (Next) {
            On = RtlpEntryOf(Next);
            continue;
        }
        Entry->NodeTypeCode = RtlpNode;
        if (Order > 0) {
            RtlInsertAsLeftChild(&On->Links, &Entry->Links);
        } else {
            RtlInsertAsRightChild(&On->Links, &Entry->Links);
        }
        RtlpSetRoot(Place, RtlSplay(&Entry->Links));
        return TRUE;
    }
}

VOID NTAPI RtlRemoveUnicodePrefix(PUNICODE_PREFIX_TABLE Table, PUNICODE_PREFIX_TABLE_ENTRY Entry)
{
    PUNICODE_PREFIX_TABLE_ENTRY Twin = Entry->CaseMatch;
    Table->LastNextEntry = NULL;
    if (Twin != Entry) {
        PUNICODE_PREFIX_TABLE_ENTRY Before = Twin;
        while (Before->CaseMatch != Entry)
            Before = Before->CaseMatch;
        Before->CaseMatch = Twin;
        if (Entry->NodeTypeCode == RtlpTwin)
            return;
        /* the next of the ring takes its place in the tree */
        Twin->NodeTypeCode = Entry->NodeTypeCode;
        Twin->NextPrefixTree = Entry->NextPrefixTree;
        Twin->Links = Entry->Links;
        if (RtlIsRoot(&Entry->Links)) {
            Twin->Links.Parent = &Twin->Links;
            *RtlpTreeFor(Table, Entry->NameLength) = Twin;
        } else if (RtlIsLeftChild(&Entry->Links))
            Entry->Links.Parent->LeftChild = &Twin->Links;
        else
            Entry->Links.Parent->RightChild = &Twin->Links;
        if (Twin->Links.LeftChild)
            Twin->Links.LeftChild->Parent = &Twin->Links;
        if (Twin->Links.RightChild)
            Twin->Links.RightChild->Parent = &Twin->Links;
        return;
    }
    PUNICODE_PREFIX_TABLE_ENTRY *Place = RtlpTreeFor(Table, Entry->NameLength), Rest = (*Place)->NextPrefixTree;
    PRTL_SPLAY_LINKS Root = RtlDelete(&Entry->Links);
    if (!Root) {
        *Place = Rest;
        return;
    }
    PUNICODE_PREFIX_TABLE_ENTRY New = RtlpEntryOf(Root), Old = *Place;
    if (Old != New && Old != Entry) {
        Old->NodeTypeCode = RtlpNode;
        Old->NextPrefixTree = NULL;
    }
    New->NodeTypeCode = RtlpRoot;
    New->NextPrefixTree = Rest;
    *Place = New;
}

/* With a case that matters: the member of the ring whose letters are Name's. */
static PUNICODE_PREFIX_TABLE_ENTRY RtlpTwinOf(PUNICODE_PREFIX_TABLE_ENTRY On, PCUNICODE_STRING Name,
                                              ULONG CaseInsensitiveIndex)
{
    PUNICODE_PREFIX_TABLE_ENTRY Twin = On;
    if (!CaseInsensitiveIndex)
        do {
            if (RtlPrefixUnicodeString(Twin->Prefix, Name, FALSE))
                return Twin;
            Twin = Twin->CaseMatch;
        } while (Twin != On);
    /* Characters before the index must agree exactly, those behind it need not. */
    do {
        ULONG n = min(CaseInsensitiveIndex, Twin->Prefix->Length / sizeof(WCHAR));
        UNICODE_STRING Front = {(USHORT)(n * sizeof(WCHAR)), (USHORT)(n * sizeof(WCHAR)), Twin->Prefix->Buffer};
        if (CaseInsensitiveIndex && RtlPrefixUnicodeString(&Front, Name, FALSE))
            return Twin;
        Twin = Twin->CaseMatch;
    } while (Twin != On);
    return NULL;
}

/* docs: RtlFindUnicodePrefix: the longest prefix. CaseInsensitiveIndex: from this character on case does not matter; 0:
 * it does everywhere. */
PUNICODE_PREFIX_TABLE_ENTRY NTAPI RtlFindUnicodePrefix(PUNICODE_PREFIX_TABLE Table, PUNICODE_STRING FullName,
                                                       ULONG CaseInsensitiveIndex)
{
    PUNICODE_PREFIX_TABLE_ENTRY *Place = RtlpTreeFor(Table, RtlpComponents(FullName));
    for (; *Place; Place = &(*Place)->NextPrefixTree) {
        PRTL_SPLAY_LINKS Links = &(*Place)->Links;
        while (Links) {
            PUNICODE_PREFIX_TABLE_ENTRY On = RtlpEntryOf(Links);
            BOOLEAN IsPrefix;
            LONG Order = RtlpComparePrefix(On->Prefix, FullName, &IsPrefix);
            if (IsPrefix) {
                PUNICODE_PREFIX_TABLE_ENTRY Found = RtlpTwinOf(On, FullName, CaseInsensitiveIndex);
                if (Found)
                    RtlpSetRoot(Place, RtlSplay(Links));
                if (Found)
                    return Found;
                break;
            }
            /* a prefix of the name that ends within a component stands before the one that is looked for */
            Links = Order > 0 ? Links->LeftChild : Links->RightChild;
        }
    }
    return NULL;
}

static PUNICODE_PREFIX_TABLE_ENTRY RtlpFirstOf(PUNICODE_PREFIX_TABLE_ENTRY Root)
{
    PRTL_SPLAY_LINKS Links = &Root->Links;
    while (Links->LeftChild)
        Links = Links->LeftChild;
    return RtlpEntryOf(Links);
}

/* docs: RtlNextUnicodePrefix: all entries, tree by tree; Restart begins. */
PUNICODE_PREFIX_TABLE_ENTRY NTAPI RtlNextUnicodePrefix(PUNICODE_PREFIX_TABLE Table, BOOLEAN Restart)
{
    PUNICODE_PREFIX_TABLE_ENTRY Last = Table->LastNextEntry, Next = NULL;
    if (Restart || !Last) {
        Next = Table->NextPrefixTree ? RtlpFirstOf(Table->NextPrefixTree) : NULL;
    } else if (Last->CaseMatch->NodeTypeCode == RtlpTwin) {
        Next = Last->CaseMatch; /* the ring's further members follow the node */
    } else {
        PUNICODE_PREFIX_TABLE_ENTRY Node = Last->CaseMatch; /* back at the node, or alone */
        PRTL_SPLAY_LINKS Links = RtlRealSuccessor(&Node->Links);
        PUNICODE_PREFIX_TABLE_ENTRY Root = *RtlpTreeFor(Table, Node->NameLength);
        if (Links)
            Next = RtlpEntryOf(Links);
        else if (Root->NextPrefixTree)
            Next = RtlpFirstOf(Root->NextPrefixTree);
    }
    Table->LastNextEntry = Next;
    return Next;
}
