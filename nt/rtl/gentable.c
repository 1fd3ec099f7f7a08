/*
 * Generic tables on splay trees: the caller gives routines to compare, allocate and free, and holds a lock around every
 * call. Each access splays, except the enumeration that says it does not (docs: RtlInitializeGenericTable).
 *
 * An element in memory is links, a place in the list of insertion order, then the caller's data.
 */
#include "nt.h"

typedef struct _RTLP_ELEMENT {
    RTL_SPLAY_LINKS Links;
    LIST_ENTRY InsertOrder;
    LONGLONG Data[];
} RTLP_ELEMENT, *PRTLP_ELEMENT;

VOID NTAPI RtlInitializeGenericTable(PRTL_GENERIC_TABLE Table, PRTL_GENERIC_COMPARE_ROUTINE CompareRoutine,
                                     PRTL_GENERIC_ALLOCATE_ROUTINE AllocateRoutine,
                                     PRTL_GENERIC_FREE_ROUTINE FreeRoutine, PVOID TableContext)
{
    RtlZeroMemory(Table, sizeof(*Table));
    InitializeListHead(&Table->InsertOrderList);
    Table->OrderedPointer = &Table->InsertOrderList;
    Table->CompareRoutine = CompareRoutine;
    Table->AllocateRoutine = AllocateRoutine;
    Table->FreeRoutine = FreeRoutine;
    Table->TableContext = TableContext;
}

static TABLE_SEARCH_RESULT RtlpSearch(PRTL_GENERIC_TABLE Table, PVOID Buffer, PRTLP_ELEMENT *NodeOrParent)
{
    PRTLP_ELEMENT Node = (PRTLP_ELEMENT)Table->TableRoot;

    *NodeOrParent = NULL;
    while (Node) {
        RTL_GENERIC_COMPARE_RESULTS Order = Table->CompareRoutine(Table, Buffer, Node->Data);
        PRTL_SPLAY_LINKS Next = Order == GenericLessThan ? Node->Links.LeftChild : Node->Links.RightChild;
        *NodeOrParent = Node;
        if (Order == GenericEqual)
            return TableFoundNode;
        if (!Next)
            return Order == GenericLessThan ? TableInsertAsLeft : TableInsertAsRight;
        Node = (PRTLP_ELEMENT)Next;
    }
    return TableEmptyTree;
}

/* ---- Find, insert, delete -------------------------------------------------------------------------------------- */

PVOID NTAPI RtlLookupElementGenericTableFull(PRTL_GENERIC_TABLE Table, PVOID Buffer, PVOID *NodeOrParent,
                                             TABLE_SEARCH_RESULT *SearchResult)
{
    PRTLP_ELEMENT Node;

    *SearchResult = RtlpSearch(Table, Buffer, &Node);
    *NodeOrParent = Node;
    if (*SearchResult != TableFoundNode)
        return NULL;
    Table->TableRoot = RtlSplay(&Node->Links);
    return Node->Data;
}

PVOID NTAPI RtlLookupElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer)
{
    PVOID NodeOrParent;
    TABLE_SEARCH_RESULT Result;

    return RtlLookupElementGenericTableFull(Table, Buffer, &NodeOrParent, &Result);
}

static PRTLP_ELEMENT RtlpNewElement(PRTL_GENERIC_TABLE Table, PVOID Buffer, CLONG Bytes, PRTLP_ELEMENT Parent,
                                    TABLE_SEARCH_RESULT Result)
{
    PRTLP_ELEMENT Node;

    if (Bytes > MAXULONG - sizeof(*Node))
        return NULL;
    Node = Table->AllocateRoutine(Table, (CLONG)sizeof(*Node) + Bytes);
    if (!Node)
        return NULL;
    Node->Links = (RTL_SPLAY_LINKS){&Parent->Links, NULL, NULL};
    if (Result == TableEmptyTree)
        Node->Links.Parent = &Node->Links;
    else if (Result == TableInsertAsLeft)
        Parent->Links.LeftChild = &Node->Links;
    else
        Parent->Links.RightChild = &Node->Links;
    InsertTailList(&Table->InsertOrderList, &Node->InsertOrder);
    Table->NumberGenericTableElements++;
    memcpy(Node->Data, Buffer, Bytes);
    return Node;
}

PVOID NTAPI RtlInsertElementGenericTableFull(PRTL_GENERIC_TABLE Table, PVOID Buffer, CLONG BufferSize,
                                             PBOOLEAN NewElement, PVOID NodeOrParent, TABLE_SEARCH_RESULT SearchResult)
{
    PRTLP_ELEMENT Node = NodeOrParent;
    BOOLEAN New = SearchResult != TableFoundNode;

    if (New)
        Node = RtlpNewElement(Table, Buffer, BufferSize, Node, SearchResult);
    if (NewElement)
        *NewElement = New && Node;
    if (!Node)
        return NULL;
    Table->TableRoot = RtlSplay(&Node->Links);
    return Node->Data;
}

PVOID NTAPI RtlInsertElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer, CLONG BufferSize, PBOOLEAN NewElement)
{
    PRTLP_ELEMENT Node;
    TABLE_SEARCH_RESULT Result = RtlpSearch(Table, Buffer, &Node);

    return RtlInsertElementGenericTableFull(Table, Buffer, BufferSize, NewElement, Node, Result);
}

BOOLEAN NTAPI RtlDeleteElementGenericTable(PRTL_GENERIC_TABLE Table, PVOID Buffer)
{
    PRTLP_ELEMENT Node;

    if (RtlpSearch(Table, Buffer, &Node) != TableFoundNode)
        return FALSE;
    Table->TableRoot = RtlDelete(&Node->Links);
    RemoveEntryList(&Node->InsertOrder);
    Table->NumberGenericTableElements--;
    Table->WhichOrderedElement = 0;
    Table->OrderedPointer = &Table->InsertOrderList;
    Table->FreeRoutine(Table, Node);
    return TRUE;
}

/* ---- All elements ---------------------------------------------------------------------------------------------- */

static PRTL_SPLAY_LINKS RtlpFirst(PRTL_GENERIC_TABLE Table)
{
    PRTL_SPLAY_LINKS Node = Table->TableRoot;

    while (Node && Node->LeftChild)
        Node = Node->LeftChild;
    return Node;
}

/* In order of the keys. The root is the place reached, so another access in between disturbs the enumeration. */
PVOID NTAPI RtlEnumerateGenericTable(PRTL_GENERIC_TABLE Table, BOOLEAN Restart)
{
    PRTL_SPLAY_LINKS Node;

    if (!Table->TableRoot)
        return NULL;
    Node = Restart ? RtlpFirst(Table) : RtlRealSuccessor(Table->TableRoot);
    if (!Node)
        return NULL;
    Table->TableRoot = RtlSplay(Node);
    return ((PRTLP_ELEMENT)Node)->Data;
}

PVOID NTAPI RtlEnumerateGenericTableWithoutSplaying(PRTL_GENERIC_TABLE Table, PVOID *RestartKey)
{
    PRTL_SPLAY_LINKS Node;

    if (!Table->TableRoot)
        return NULL;
    Node = *RestartKey ? RtlRealSuccessor(*RestartKey) : RtlpFirst(Table);
    if (!Node)
        return NULL;
    *RestartKey = Node;
    return ((PRTLP_ELEMENT)Node)->Data;
}

/* docs: RtlGetElementGenericTable; the I-th element, from 0, in order of insertion. The last place asked for is kept.
 */
PVOID NTAPI RtlGetElementGenericTable(PRTL_GENERIC_TABLE Table, ULONG I)
{
    ULONG Wanted = I + 1; /* 0 is the list's head */

    if (I >= Table->NumberGenericTableElements)
        return NULL;
    for (; Table->WhichOrderedElement < Wanted; Table->WhichOrderedElement++)
        Table->OrderedPointer = Table->OrderedPointer->Flink;
    for (; Table->WhichOrderedElement > Wanted; Table->WhichOrderedElement--)
        Table->OrderedPointer = Table->OrderedPointer->Blink;
    return CONTAINING_RECORD(Table->OrderedPointer, RTLP_ELEMENT, InsertOrder)->Data;
}

ULONG NTAPI RtlNumberGenericTableElements(PRTL_GENERIC_TABLE Table)
{
    return Table->NumberGenericTableElements;
}

BOOLEAN NTAPI RtlIsGenericTableEmpty(PRTL_GENERIC_TABLE Table)
{
    return !Table->TableRoot;
}
