/*
 * Generic tables on AVL trees. As gentable.c, but looking something up changes nothing, so readers may share the lock.
 *
 * BalancedRoot is no element: its right child is the tree. A node's balance is the height of its right subtree minus
 * that of its left one. An element in memory is links, then the caller's data (docs: RtlInitializeGenericTableAvl).
 */
#include "nt.h"

typedef PRTL_BALANCED_LINKS RTLP_NODE;

static PVOID RtlpDataOf(RTLP_NODE Node)
{
    return Node ? Node + 1 : NULL;
}

static inline RTLP_NODE *RtlpSide(RTLP_NODE Node, CHAR Side)
{
    return Side < 0 ? &Node->LeftChild : &Node->RightChild;
}

static inline CHAR RtlpSideOf(RTLP_NODE Node)
{
    return Node->Parent->LeftChild == Node ? -1 : 1;
}

VOID NTAPI RtlInitializeGenericTableAvl(PRTL_AVL_TABLE Table, PRTL_AVL_COMPARE_ROUTINE CompareRoutine,
                                        PRTL_AVL_ALLOCATE_ROUTINE AllocateRoutine, PRTL_AVL_FREE_ROUTINE FreeRoutine,
                                        PVOID TableContext)
{
    RtlZeroMemory(Table, sizeof(*Table));
    Table->BalancedRoot.Parent = &Table->BalancedRoot;
    Table->CompareRoutine = CompareRoutine;
    Table->AllocateRoutine = AllocateRoutine;
    Table->FreeRoutine = FreeRoutine;
    Table->TableContext = TableContext;
}

/* ---- Balance --------------------------------------------------------------------------------------------------- */

/* Node and its parent change places; the order stays. */
static VOID RtlpPromote(RTLP_NODE Node)
{
    RTLP_NODE Parent = Node->Parent, Inner;
    CHAR Side = RtlpSideOf(Node), ParentSide = RtlpSideOf(Parent);

    Inner = *RtlpSide(Parent, Side) = *RtlpSide(Node, -Side);
    if (Inner)
        Inner->Parent = Parent;
    *RtlpSide(Node, -Side) = Parent;
    *RtlpSide(Parent->Parent, ParentSide) = Node;
    Node->Parent = Parent->Parent;
    Parent->Parent = Node;
}

/* Node is too heavy on Side by one. Returns the subtree's new top; *Lower: the subtree has lost a level. */
static RTLP_NODE RtlpRebalance(RTLP_NODE Node, CHAR Side, BOOLEAN *Lower)
{
    RTLP_NODE Child = *RtlpSide(Node, Side), Inner;

    *Lower = TRUE;
    if (Child->Balance != -Side) {
        RtlpPromote(Child);
        *Lower = Child->Balance != 0; /* only after a deletion */
        Node->Balance = *Lower ? 0 : Side;
        Child->Balance = *Lower ? 0 : -Side;
        return Child;
    }
    Inner = *RtlpSide(Child, -Side);
    RtlpPromote(Inner);
    RtlpPromote(Inner);
    Node->Balance = Inner->Balance == Side ? -Side : 0;
    Child->Balance = Inner->Balance == -Side ? Side : 0;
    Inner->Balance = 0;
    return Inner;
}

static VOID RtlpGrown(PRTL_AVL_TABLE Table, RTLP_NODE Node)
{
    BOOLEAN Lower;

    for (;; Node = Node->Parent) {
        CHAR Side = RtlpSideOf(Node);
        RTLP_NODE Parent = Node->Parent;
        if (Parent == &Table->BalancedRoot) {
            Table->DepthOfTree++;
            return;
        }
        Parent->Balance = (CHAR)(Parent->Balance + Side);
        if (!Parent->Balance)
            return;
        if (Parent->Balance != Side) {
            Parent->Balance = Side;
            RtlpRebalance(Parent, Side, &Lower);
            return;
        }
    }
}

/* The subtree of Node on Side has lost a level. */
static VOID RtlpShrunk(PRTL_AVL_TABLE Table, RTLP_NODE Node, CHAR Side)
{
    while (Node != &Table->BalancedRoot) {
        BOOLEAN Lower = TRUE;
        if (!Node->Balance) {
            Node->Balance = -Side;
            return;
        }
        if (Node->Balance == Side)
            Node->Balance = 0;
        else
            Node = RtlpRebalance(Node, -Side, &Lower);
        if (!Lower)
            return;
        Side = RtlpSideOf(Node);
        Node = Node->Parent;
    }
    Table->DepthOfTree--;
}

/* ---- Order ----------------------------------------------------------------------------------------------------- */

static RTLP_NODE RtlpOutermost(RTLP_NODE Node, CHAR Side)
{
    while (Node && *RtlpSide(Node, Side))
        Node = *RtlpSide(Node, Side);
    return Node;
}

/* The neighbour of Node in order, on Side; NULL at the end. */
static RTLP_NODE RtlpNeighbour(PRTL_AVL_TABLE Table, RTLP_NODE Node, CHAR Side)
{
    if (*RtlpSide(Node, Side))
        return RtlpOutermost(*RtlpSide(Node, Side), -Side);
    while (Node->Parent != &Table->BalancedRoot && RtlpSideOf(Node) == Side)
        Node = Node->Parent;
    return Node->Parent == &Table->BalancedRoot ? NULL : Node->Parent;
}

/* ---- Find, insert, delete -------------------------------------------------------------------------------------- */

static TABLE_SEARCH_RESULT RtlpSearch(PRTL_AVL_TABLE Table, PVOID Buffer, RTLP_NODE *NodeOrParent)
{
    RTLP_NODE Node = Table->BalancedRoot.RightChild, Next;

    *NodeOrParent = NULL;
    for (; Node; Node = Next) {
        RTL_GENERIC_COMPARE_RESULTS Order = Table->CompareRoutine(Table, Buffer, RtlpDataOf(Node));
        *NodeOrParent = Node;
        if (Order == GenericEqual)
            return TableFoundNode;
        Next = *RtlpSide(Node, Order == GenericLessThan ? -1 : 1);
        if (!Next)
            return Order == GenericLessThan ? TableInsertAsLeft : TableInsertAsRight;
    }
    return TableEmptyTree;
}

PVOID NTAPI RtlLookupElementGenericTableFullAvl(PRTL_AVL_TABLE Table, PVOID Buffer, PVOID *NodeOrParent,
                                                TABLE_SEARCH_RESULT *SearchResult)
{
    RTLP_NODE Node;

    *SearchResult = RtlpSearch(Table, Buffer, &Node);
    *NodeOrParent = Node;
    return *SearchResult == TableFoundNode ? RtlpDataOf(Node) : NULL;
}

PVOID NTAPI RtlLookupElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer)
{
    RTLP_NODE Node;

    return RtlpSearch(Table, Buffer, &Node) == TableFoundNode ? RtlpDataOf(Node) : NULL;
}

/* docs: RtlLookupFirstMatchingElementGenericTableAvl; the leftmost of equal ones, where the compare routine sees a
 * range as equal. */
PVOID NTAPI RtlLookupFirstMatchingElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer, PVOID *RestartKey)
{
    RTLP_NODE Node, Before;

    *RestartKey = NULL;
    if (RtlpSearch(Table, Buffer, &Node) != TableFoundNode)
        return NULL;
    while ((Before = RtlpNeighbour(Table, Node, -1)) &&
           Table->CompareRoutine(Table, Buffer, RtlpDataOf(Before)) == GenericEqual)
        Node = Before;
    *RestartKey = Node;
    return RtlpDataOf(Node);
}

static RTLP_NODE RtlpNewNode(PRTL_AVL_TABLE Table, PVOID Buffer, CLONG Bytes, RTLP_NODE Parent,
                             TABLE_SEARCH_RESULT Result)
{
    RTLP_NODE Node;

    if (Bytes > MAXULONG - sizeof(*Node))
        return NULL;
    Node = Table->AllocateRoutine(Table, (CLONG)sizeof(*Node) + Bytes);
    if (!Node)
        return NULL;
    RtlZeroMemory(Node, sizeof(*Node));
    Node->Parent = Result == TableEmptyTree ? &Table->BalancedRoot : Parent;
    *RtlpSide(Node->Parent, Result == TableInsertAsLeft ? -1 : 1) = Node;
    Table->NumberGenericTableElements++;
    Table->WhichOrderedElement = 0;
    Table->OrderedPointer = NULL;
    memcpy(RtlpDataOf(Node), Buffer, Bytes);
    RtlpGrown(Table, Node);
    return Node;
}

PVOID NTAPI RtlInsertElementGenericTableFullAvl(PRTL_AVL_TABLE Table, PVOID Buffer, CLONG BufferSize,
                                                PBOOLEAN NewElement, PVOID NodeOrParent,
                                                TABLE_SEARCH_RESULT SearchResult)
{
    RTLP_NODE Node = NodeOrParent;
    BOOLEAN New = SearchResult != TableFoundNode;

    if (New)
        Node = RtlpNewNode(Table, Buffer, BufferSize, Node, SearchResult);
    if (NewElement)
        *NewElement = New && Node;
    return RtlpDataOf(Node);
}

PVOID NTAPI RtlInsertElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer, CLONG BufferSize, PBOOLEAN NewElement)
{
    RTLP_NODE Node;
    TABLE_SEARCH_RESULT Result = RtlpSearch(Table, Buffer, &Node);

    return RtlInsertElementGenericTableFullAvl(Table, Buffer, BufferSize, NewElement, Node, Result);
}

/* Leaves is a node with at most one child that leaves its place: Node itself, or its neighbour, which then takes
 * Node's. */
static VOID RtlpUnlink(PRTL_AVL_TABLE Table, RTLP_NODE Node)
{
    RTLP_NODE Leaves = Node, Child, Parent;
    CHAR Side;

    if (Node->LeftChild && Node->RightChild)
        Leaves = RtlpNeighbour(Table, Node, Node->Balance < 0 ? -1 : 1);
    Child = Leaves->LeftChild ? Leaves->LeftChild : Leaves->RightChild;
    Parent = Leaves->Parent;
    Side = RtlpSideOf(Leaves);
    *RtlpSide(Parent, Side) = Child;
    if (Child)
        Child->Parent = Parent;
    RtlpShrunk(Table, Parent, Side);
    if (Leaves == Node)
        return;
    Side = RtlpSideOf(Node);
    *Leaves = *Node;
    *RtlpSide(Leaves->Parent, Side) = Leaves;
    if (Leaves->LeftChild)
        Leaves->LeftChild->Parent = Leaves;
    if (Leaves->RightChild)
        Leaves->RightChild->Parent = Leaves;
}

BOOLEAN NTAPI RtlDeleteElementGenericTableAvl(PRTL_AVL_TABLE Table, PVOID Buffer)
{
    RTLP_NODE Node;

    if (RtlpSearch(Table, Buffer, &Node) != TableFoundNode)
        return FALSE;
    if (Table->RestartKey == Node)
        Table->RestartKey = RtlpNeighbour(Table, Node, -1);
    Table->DeleteCount++;
    RtlpUnlink(Table, Node);
    Table->NumberGenericTableElements--;
    Table->WhichOrderedElement = 0;
    Table->OrderedPointer = NULL;
    Table->FreeRoutine(Table, Node);
    return TRUE;
}

/* ---- All elements, in order of the keys ------------------------------------------------------------------------ */

PVOID NTAPI RtlEnumerateGenericTableWithoutSplayingAvl(PRTL_AVL_TABLE Table, PVOID *RestartKey)
{
    RTLP_NODE Node =
        *RestartKey ? RtlpNeighbour(Table, *RestartKey, 1) : RtlpOutermost(Table->BalancedRoot.RightChild, -1);

    if (Node)
        *RestartKey = Node;
    return RtlpDataOf(Node);
}

PVOID NTAPI RtlEnumerateGenericTableAvl(PRTL_AVL_TABLE Table, BOOLEAN Restart)
{
    PVOID Key = Restart ? NULL : Table->RestartKey, Data;

    Data = RtlEnumerateGenericTableWithoutSplayingAvl(Table, &Key);
    if (Data)
        Table->RestartKey = Key;
    return Data;
}

/*
 * docs: RtlEnumerateGenericTableLikeADirectory; goes on behind RestartKey, or, when something was deleted since (the
 * counts differ), behind where Buffer would be. NextFlag FALSE asks for that element itself first.
 */
PVOID NTAPI RtlEnumerateGenericTableLikeADirectory(PRTL_AVL_TABLE Table, PRTL_AVL_MATCH_FUNCTION MatchFunction,
                                                   PVOID MatchData, ULONG NextFlag, PVOID *RestartKey,
                                                   PULONG DeleteCount, PVOID Buffer)
{
    RTLP_NODE Node = *RestartKey;

    if (!Table->BalancedRoot.RightChild) {
        *RestartKey = NULL;
        return NULL;
    }
    if (*DeleteCount != Table->DeleteCount)
        Node = NULL;
    if (Node) {
        if (NextFlag)
            Node = RtlpNeighbour(Table, Node, 1);
    } else {
        TABLE_SEARCH_RESULT Result = RtlpSearch(Table, Buffer, &Node);
        if (Result == TableInsertAsRight || (Result == TableFoundNode && NextFlag))
            Node = RtlpNeighbour(Table, Node, 1);
    }
    while (Node && MatchFunction) {
        NTSTATUS Status = MatchFunction(Table, RtlpDataOf(Node), MatchData);
        if (Status == STATUS_SUCCESS)
            break;
        if (Status != STATUS_NO_MATCH) { /* it ends the enumeration */
            Node = NULL;
            break;
        }
        Node = RtlpNeighbour(Table, Node, 1);
    }
    *RestartKey = Node;
    *DeleteCount = Table->DeleteCount;
    return RtlpDataOf(Node);
}

/* The I-th element, from 0. The last place asked for is kept until the table changes. */
PVOID NTAPI RtlGetElementGenericTableAvl(PRTL_AVL_TABLE Table, ULONG I)
{
    RTLP_NODE Node = Table->OrderedPointer;

    if (I >= Table->NumberGenericTableElements)
        return NULL;
    if (!Node) {
        Node = RtlpOutermost(Table->BalancedRoot.RightChild, -1);
        Table->WhichOrderedElement = 0;
    }
    for (; Table->WhichOrderedElement < I; Table->WhichOrderedElement++)
        Node = RtlpNeighbour(Table, Node, 1);
    for (; Table->WhichOrderedElement > I; Table->WhichOrderedElement--)
        Node = RtlpNeighbour(Table, Node, -1);
    Table->OrderedPointer = Node;
    return RtlpDataOf(Node);
}

ULONG NTAPI RtlNumberGenericTableElementsAvl(PRTL_AVL_TABLE Table)
{
    return Table->NumberGenericTableElements;
}

BOOLEAN NTAPI RtlIsGenericTableEmptyAvl(PRTL_AVL_TABLE Table)
{
    return !Table->NumberGenericTableElements;
}
