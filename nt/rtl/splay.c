/*
 * Splay trees: intrusive links; the root's parent is the root itself. A splay lifts a node to the root, by two levels
 * at a time, so that what was used last is found first. The caller keeps the root pointer and the lock.
 */
#include "nt.h"

static BOOLEAN RtlpIsRootLink(const RTL_SPLAY_LINKS *Links)
{
    return Links->Parent == Links;
}

/* Put Child (or NULL) where Links hangs in its parent. */
static VOID RtlpReplaceLink(PRTL_SPLAY_LINKS Links, PRTL_SPLAY_LINKS Child)
{
    PRTL_SPLAY_LINKS Parent = Links->Parent;

    if (RtlpIsRootLink(Links)) {
        if (Child)
            Child->Parent = Child;
        return;
    }
    if (Parent->LeftChild == Links)
        Parent->LeftChild = Child;
    else
        Parent->RightChild = Child;
    if (Child)
        Child->Parent = Parent;
}

/* Links and its parent change places; the order stays. */
static VOID RtlpLift(PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Parent = Links->Parent, Inner;

    RtlpReplaceLink(Parent, Links);
    if (Parent->LeftChild == Links) {
        Inner = Parent->LeftChild = Links->RightChild;
        Links->RightChild = Parent;
    } else {
        Inner = Parent->RightChild = Links->LeftChild;
        Links->LeftChild = Parent;
    }
    if (Inner)
        Inner->Parent = Parent;
    Parent->Parent = Links;
}

PRTL_SPLAY_LINKS NTAPI RtlSplay(PRTL_SPLAY_LINKS Links)
{
    while (!RtlpIsRootLink(Links)) {
        PRTL_SPLAY_LINKS Parent = Links->Parent;
        if (!RtlpIsRootLink(Parent)) {
            BOOLEAN Straight = (Parent->LeftChild == Links) == (Parent->Parent->LeftChild == Parent);
            RtlpLift(Straight ? Parent : Links);
        }
        RtlpLift(Links);
    }
    return Links;
}

PRTL_SPLAY_LINKS NTAPI RtlSubtreeSuccessor(PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Node = Links->RightChild;

    while (Node && Node->LeftChild)
        Node = Node->LeftChild;
    return Node;
}

PRTL_SPLAY_LINKS NTAPI RtlSubtreePredecessor(PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Node = Links->LeftChild;

    while (Node && Node->RightChild)
        Node = Node->RightChild;
    return Node;
}

PRTL_SPLAY_LINKS NTAPI RtlRealSuccessor(PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Node = RtlSubtreeSuccessor(Links);

    if (Node)
        return Node;
    while (!RtlpIsRootLink(Links) && Links->Parent->RightChild == Links)
        Links = Links->Parent;
    return RtlpIsRootLink(Links) ? NULL : Links->Parent;
}

PRTL_SPLAY_LINKS NTAPI RtlRealPredecessor(PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Node = RtlSubtreePredecessor(Links);

    if (Node)
        return Node;
    while (!RtlpIsRootLink(Links) && Links->Parent->LeftChild == Links)
        Links = Links->Parent;
    return RtlpIsRootLink(Links) ? NULL : Links->Parent;
}

/* Take Links out. Returns a node near its place, from which the root can be reached; NULL when the tree is empty now.
 */
static PRTL_SPLAY_LINKS RtlpTakeOut(PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Near, Child;

    if (Links->LeftChild && Links->RightChild) {
        PRTL_SPLAY_LINKS Heir = RtlSubtreePredecessor(Links);
        Near = Heir->Parent == Links ? Heir : Heir->Parent;
        RtlpReplaceLink(Heir, Heir->LeftChild);
        RtlpReplaceLink(Links, Heir);
        Heir->LeftChild = Links->LeftChild;
        Heir->RightChild = Links->RightChild;
        if (Heir->LeftChild)
            Heir->LeftChild->Parent = Heir;
        Heir->RightChild->Parent = Heir;
        return Near;
    }
    Child = Links->LeftChild ? Links->LeftChild : Links->RightChild;
    Near = RtlpIsRootLink(Links) ? Child : Links->Parent;
    RtlpReplaceLink(Links, Child);
    return Near;
}

PRTL_SPLAY_LINKS NTAPI RtlDelete(PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Near = RtlpTakeOut(Links);

    return Near ? RtlSplay(Near) : NULL;
}

VOID NTAPI RtlDeleteNoSplay(PRTL_SPLAY_LINKS Links, PRTL_SPLAY_LINKS *Root)
{
    PRTL_SPLAY_LINKS Near = RtlpTakeOut(Links);

    while (Near && !RtlpIsRootLink(Near))
        Near = Near->Parent;
    *Root = Near;
}
