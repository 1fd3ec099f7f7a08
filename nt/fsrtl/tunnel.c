/*
 * The tunnel cache: what a file system keeps of a deleted or renamed file for fifteen seconds, so that a file made anew
 * under the same name gets its short name and creation time again. (docs: FsRtlAddToTunnelCache)
 *
 * Entries are in order of age. Every call first drops those that are too old.
 */
#include "nt.h"

#define FSRTLP_TUNNEL_AGE (15ll * 10000000)
#define FSRTLP_TUNNEL_MOST 256
#define FSRTLP_TUNNEL_TAG 'nuTF'

typedef struct _FSRTLP_TUNNELED {
    LIST_ENTRY Entry;
    LONGLONG Time;
    ULONGLONG Directory;
    BOOLEAN KeyByShortName;
    UNICODE_STRING Short, Long; /* their text follows the data */
    ULONG Bytes;
    PVOID Data;
} FSRTLP_TUNNELED, *PFSRTLP_TUNNELED;

VOID NTAPI FsRtlInitializeTunnelCache(PTUNNEL Cache)
{
    ExInitializeFastMutex(&Cache->Mutex);
    Cache->Cache = NULL;
    InitializeListHead(&Cache->TimerQueue);
    Cache->NumEntries = 0;
}

static VOID FsRtlpForgetTunneled(PTUNNEL Cache, PFSRTLP_TUNNELED Entry)
{
    RemoveEntryList(&Entry->Entry);
    Cache->NumEntries--;
    ExpFree(Entry);
}

static VOID FsRtlpAgeTunnel(PTUNNEL Cache)
{
    while (!IsListEmpty(&Cache->TimerQueue)) {
        PFSRTLP_TUNNELED Oldest = CONTAINING_RECORD(Cache->TimerQueue.Flink, FSRTLP_TUNNELED, Entry);
        if ((LONGLONG)KiDoor->now - Oldest->Time < FSRTLP_TUNNEL_AGE && Cache->NumEntries <= FSRTLP_TUNNEL_MOST)
            break;
        FsRtlpForgetTunneled(Cache, Oldest);
    }
}

static PFSRTLP_TUNNELED FsRtlpFindTunneled(PTUNNEL Cache, ULONGLONG Directory, PCUNICODE_STRING Name)
{
    for (PLIST_ENTRY Entry = Cache->TimerQueue.Flink; Entry != &Cache->TimerQueue; Entry = Entry->Flink) {
        PFSRTLP_TUNNELED Node = CONTAINING_RECORD(Entry, FSRTLP_TUNNELED, Entry);
        if (Node->Directory == Directory &&
            RtlEqualUnicodeString(Node->KeyByShortName ? &Node->Short : &Node->Long, Name, TRUE))
            return Node;
    }
    return NULL;
}

static VOID FsRtlpPlace(PUNICODE_STRING To, PUCHAR *Room, PUNICODE_STRING From)
{
    To->Length = To->MaximumLength = From ? From->Length : 0;
    To->Buffer = (PWCH)*Room;
    if (To->Length)
        RtlCopyMemory(To->Buffer, From->Buffer, To->Length);
    *Room += To->Length;
}

VOID NTAPI FsRtlAddToTunnelCache(PTUNNEL Cache, ULONGLONG Directory, PUNICODE_STRING Short, PUNICODE_STRING Long,
                                 BOOLEAN KeyByShortName, ULONG Bytes, PVOID Data)
{
    ULONG Names = (Short ? Short->Length : 0) + (Long ? Long->Length : 0);
    PFSRTLP_TUNNELED Node = ExpTryAllocate(sizeof(*Node) + Bytes + sizeof(WCHAR) + Names, FSRTLP_TUNNEL_TAG);
    if (!Node)
        return; /* nothing but a convenience is lost */
    PUCHAR Room = (PUCHAR)(Node + 1);
    Node->Time = (LONGLONG)KiDoor->now;
    Node->Directory = Directory;
    Node->KeyByShortName = KeyByShortName;
    Node->Bytes = Bytes;
    Node->Data = Room;
    RtlCopyMemory(Room, Data, Bytes);
    Room += (Bytes + 1) & ~1u;
    FsRtlpPlace(&Node->Short, &Room, Short);
    FsRtlpPlace(&Node->Long, &Room, Long);
    PFSRTLP_TUNNELED Old = FsRtlpFindTunneled(Cache, Directory, KeyByShortName ? &Node->Short : &Node->Long);
    if (Old)
        FsRtlpForgetTunneled(Cache, Old);
    InsertTailList(&Cache->TimerQueue, &Node->Entry);
    Cache->NumEntries++;
    FsRtlpAgeTunnel(Cache);
}

/* docs: FsRtlFindInTunnelCache: a long name that does not fit is put in paged pool, which is the caller's then. */
BOOLEAN NTAPI FsRtlFindInTunnelCache(PTUNNEL Cache, ULONGLONG Directory, PUNICODE_STRING Name, PUNICODE_STRING Short,
                                     PUNICODE_STRING Long, PULONG Bytes, PVOID Data)
{
    FsRtlpAgeTunnel(Cache);
    PFSRTLP_TUNNELED Node = FsRtlpFindTunneled(Cache, Directory, Name);
    if (!Node)
        return FALSE;
    if (Node->Long.Length > Long->MaximumLength) {
        PWCH Room = ExAllocatePoolWithTag(PagedPool, Node->Long.Length, '4nuT');
        if (!Room)
            return FALSE;
        Long->Buffer = Room;
        Long->MaximumLength = Node->Long.Length;
    }
    RtlCopyUnicodeString(Long, &Node->Long);
    RtlCopyUnicodeString(Short, &Node->Short);
    RtlCopyMemory(Data, Node->Data, Node->Bytes);
    *Bytes = Node->Bytes;
    return TRUE;
}

VOID NTAPI FsRtlDeleteKeyFromTunnelCache(PTUNNEL Cache, ULONGLONG Directory)
{
    for (PLIST_ENTRY Entry = Cache->TimerQueue.Flink, Next; Entry != &Cache->TimerQueue; Entry = Next) {
        Next = Entry->Flink;
        if (CONTAINING_RECORD(Entry, FSRTLP_TUNNELED, Entry)->Directory == Directory)
            FsRtlpForgetTunneled(Cache, CONTAINING_RECORD(Entry, FSRTLP_TUNNELED, Entry));
    }
    FsRtlpAgeTunnel(Cache);
}

VOID NTAPI FsRtlDeleteTunnelCache(PTUNNEL Cache)
{
    while (!IsListEmpty(&Cache->TimerQueue))
        FsRtlpForgetTunneled(Cache, CONTAINING_RECORD(Cache->TimerQueue.Flink, FSRTLP_TUNNELED, Entry));
}
