/*
 * Ordered trees that know how many nodes they have and the largest of two sizes: treaps, whose depth is logarithmic by
 * the nodes' heat, random numbers that are the same in every run.
 */
#include "nt.h"
#include "cm/cmp.h"

static ULONG CmpNextHeat(VOID)
{
    static ULONG64 State;
    ULONG64 z = (State += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (ULONG)(z >> 32);
}

static PCM_NODE CmpSum(PCM_NODE Node)
{
    Node->Count = 1 + CmpTreeCount(Node->Left) + CmpTreeCount(Node->Right);
    for (ULONG i = 0; i < 2; i++) {
        Node->Most[i] = Node->Own[i];
        if (Node->Left)
            Node->Most[i] = max(Node->Most[i], Node->Left->Most[i]);
        if (Node->Right)
            Node->Most[i] = max(Node->Most[i], Node->Right->Most[i]);
    }
    return Node;
}

static PCM_NODE CmpJoin(PCM_NODE Left, PCM_NODE Right)
{
    if (!Left || !Right)
        return Left ? Left : Right;
    if (Left->Heat >= Right->Heat) {
        Left->Right = CmpJoin(Left->Right, Right);
        return CmpSum(Left);
    }
    Right->Left = CmpJoin(Left, Right->Left);
    return CmpSum(Right);
}

/* Before: nodes that stand before Key or are equal to it; Behind: the others. */
static VOID CmpSplit(PCM_NODE Root, CM_COMPARE *Compare, const VOID *Key, PCM_NODE *Before, PCM_NODE *Behind)
{
    if (!Root) {
        *Before = *Behind = NULL;
    } else if (Compare(Root, Key) <= 0) {
        CmpSplit(Root->Right, Compare, Key, &Root->Right, Behind);
        *Before = CmpSum(Root);
    } else {
        CmpSplit(Root->Left, Compare, Key, Before, &Root->Left);
        *Behind = CmpSum(Root);
    }
}

VOID CmpTreeInsert(PCM_NODE *Root, PCM_NODE Node, CM_COMPARE *Compare, const VOID *Key)
{
    Node->Heat = CmpNextHeat();
    while (*Root && (*Root)->Heat >= Node->Heat) { /* sums of the way down first: the node counts */
        PCM_NODE On = *Root;
        On->Count++;
        for (ULONG i = 0; i < 2; i++)
            On->Most[i] = max(On->Most[i], Node->Own[i]);
        Root = Compare(On, Key) <= 0 ? &On->Right : &On->Left;
    }
    CmpSplit(*Root, Compare, Key, &Node->Left, &Node->Right);
    *Root = CmpSum(Node);
}

static BOOLEAN CmpTakeOut(PCM_NODE *Root, PCM_NODE Node, CM_COMPARE *Compare, const VOID *Key)
{
    PCM_NODE On = *Root;
    if (!On)
        return FALSE;
    if (On == Node) {
        *Root = CmpJoin(On->Left, On->Right);
        return TRUE;
    }
    LONG Order = Compare(On, Key);
    BOOLEAN Done = (Order >= 0 && CmpTakeOut(&On->Left, Node, Compare, Key)) ||
                   (Order <= 0 && CmpTakeOut(&On->Right, Node, Compare, Key));
    if (Done)
        CmpSum(On);
    return Done;
}

VOID CmpTreeRemove(PCM_NODE *Root, PCM_NODE Node, CM_COMPARE *Compare, const VOID *Key)
{
    BOOLEAN Done = CmpTakeOut(Root, Node, Compare, Key);
    KI_ASSERT(Done);
    Node->Left = Node->Right = NULL;
}

PCM_NODE CmpTreeFirst(PCM_NODE Root, CM_COMPARE *Compare, const VOID *Key)
{
    PCM_NODE First = NULL;
    while (Root) {
        if (Compare(Root, Key) < 0)
            Root = Root->Right;
        else {
            First = Root;
            Root = Root->Left;
        }
    }
    return First;
}

PCM_NODE CmpTreeFind(PCM_NODE Root, CM_COMPARE *Compare, const VOID *Key)
{
    PCM_NODE First = CmpTreeFirst(Root, Compare, Key);
    return First && Compare(First, Key) == 0 ? First : NULL;
}

PCM_NODE CmpTreeNth(PCM_NODE Root, ULONG Index)
{
    while (Root) {
        ULONG Before = CmpTreeCount(Root->Left);
        if (Index == Before)
            return Root;
        if (Index < Before)
            Root = Root->Left;
        else {
            Index -= Before + 1;
            Root = Root->Right;
        }
    }
    return NULL;
}
