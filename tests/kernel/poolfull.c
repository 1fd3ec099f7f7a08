/* The pool when memory runs out: NULL, no harm, and everything is there again once it was freed. */
#include "check.h"

#define TAG 'lluF'

typedef struct _LINK {
    struct _LINK *Next;
    SIZE_T Bytes;
} LINK;

/* Take blocks of one size until there are no more; returns how many, and gives them back. */
static ULONG Fill(POOL_TYPE Type, SIZE_T Bytes)
{
    LINK *First = NULL, *Link;
    ULONG Count = 0;

    while ((Link = ExAllocatePoolWithTag(Type, Bytes, TAG)) != NULL) {
        Link->Next = First;
        Link->Bytes = Bytes;
        First = Link;
        Count++;
    }
    while (First) {
        Link = First;
        First = Link->Next;
        if (Link->Bytes != Bytes)
            return 0;
        ExFreePoolWithTag(Link, TAG);
    }
    return Count;
}

TEST(all_memory_can_be_taken_again_and_again)
{
    ULONG Large = Fill(NonPagedPoolNx, 1 << 20), Small, Paged;

    CHECK(Large > 150); /* of 256 MiB */
    Small = Fill(NonPagedPoolNx, 2000);
    CHECK(Small > 80000);
    Paged = Fill(PagedPool, 5000);
    CHECK(Paged > 15000);
    CHECK(Fill(NonPagedPoolNx, 1 << 20) > Large / 2);
    CHECK(Fill(NonPagedPoolNx, 2000) > Small / 2);
}

TEST(raising_allocations_fail_by_null_where_told_so)
{
    CHECK(ExAllocatePoolWithQuotaTag(NonPagedPoolNx | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, 1ull << 40, TAG) == NULL);
}

CHECK_DRIVER(T(all_memory_can_be_taken_again_and_again), T(raising_allocations_fail_by_null_where_told_so))
