/*
 * Share access: a file's opens beside each other, with and without the right to write, and files with several links.
 * (docs: IoCheckShareAccess, IoCheckShareAccessEx, IoCheckLinkShareAccess)
 */
#include "test.h"

#define READ FILE_READ_DATA
#define WRITE FILE_WRITE_DATA
#define UPDATE IO_CHECK_SHARE_ACCESS_UPDATE_SHARE_ACCESS

/* Only the fields that the routines set are looked at. */
static FILE_OBJECT First, Second, Third;

static VOID readers_share_and_writers_do_not(VOID)
{
    SHARE_ACCESS Share;

    IoSetShareAccess(READ, FILE_SHARE_READ, &First, &Share);
    CHECK(Share.OpenCount == 1 && Share.Readers == 1 && Share.SharedRead == 1 && !Share.SharedWrite);
    OK(IoCheckShareAccess(READ, FILE_SHARE_READ, &Second, &Share, TRUE));
    CHECK(Share.OpenCount == 2);
    STATUS(IoCheckShareAccess(WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &Third, &Share, TRUE),
           STATUS_SHARING_VIOLATION);
    CHECK(Share.OpenCount == 2 && Third.WriteAccess && Third.SharedWrite);
    STATUS(IoCheckShareAccess(READ, 0, &Third, &Share, FALSE), STATUS_SHARING_VIOLATION);
    OK(IoCheckShareAccess(FILE_READ_ATTRIBUTES, 0, &Third, &Share, TRUE));
    CHECK(Share.OpenCount == 2);
    IoRemoveShareAccess(&Second, &Share);
    IoRemoveShareAccess(&First, &Share);
    CHECK(!Share.OpenCount && !Share.Readers && !Share.SharedRead);
}

static VOID who_may_not_write_cannot_shut_out_readers(VOID)
{
    SHARE_ACCESS Share;
    BOOLEAN May = FALSE;

    IoSetShareAccessEx(READ, 0, &First, &Share, &May);
    CHECK(First.SharedRead && Share.SharedRead == 1);
    OK(IoCheckShareAccessEx(READ, 0, &Second, &Share, TRUE, &May));
    CHECK(Share.OpenCount == 2 && Second.SharedRead);
    May = TRUE;
    STATUS(IoCheckShareAccessEx(READ, 0, &Third, &Share, TRUE, &May), STATUS_SHARING_VIOLATION);
    STATUS(IoCheckShareAccessEx(READ, 0, &Third, &Share, TRUE, NULL), STATUS_SHARING_VIOLATION);
}

static VOID deleting_is_checked_against_the_link(VOID)
{
    SHARE_ACCESS Share;
    LINK_SHARE_ACCESS One, Other = {0};

    IoSetLinkShareAccess(READ, FILE_SHARE_READ, &First, &Share, &One, 0);
    CHECK(One.OpenCount == 1 && !One.Deleters && !One.SharedDelete);
    /* Through the same link nobody may delete; through another one may. */
    STATUS(IoCheckLinkShareAccess(DELETE, FILE_SHARE_READ, &Second, &Share, &One, UPDATE), STATUS_SHARING_VIOLATION);
    OK(IoCheckLinkShareAccess(DELETE, FILE_SHARE_READ, &Second, &Share, &Other, UPDATE));
    CHECK(Other.OpenCount == 1 && Other.Deleters == 1 && Share.OpenCount == 2);
    STATUS(IoCheckLinkShareAccess(DELETE, FILE_SHARE_READ | FILE_SHARE_DELETE, &Third, &Share, &Other,
                                  IO_CHECK_SHARE_ACCESS_FORCE_USING_SCB),
           STATUS_SHARING_VIOLATION);
    IoRemoveLinkShareAccess(&Second, &Share, &Other);
    CHECK(!Other.OpenCount && !Other.Deleters && Share.OpenCount == 1);
    IoUpdateLinkShareAccess(&Second, &Share, &Other);
    CHECK(Other.OpenCount == 1);
}

static VOID checks_can_be_left_out(VOID)
{
    SHARE_ACCESS Share;

    RtlZeroMemory(&Third, sizeof(Third));
    IoSetShareAccess(READ | WRITE, 0, &First, &Share);
    STATUS(IoCheckLinkShareAccess(READ, 7, &Third, &Share, NULL, IO_CHECK_SHARE_ACCESS_DONT_UPDATE_FILE_OBJECT),
           STATUS_SHARING_VIOLATION);
    CHECK(!Third.ReadAccess);
    OK(IoCheckLinkShareAccess(READ, 7, &Third, &Share, NULL, IO_CHECK_SHARE_ACCESS_DONT_CHECK_READ));
    CHECK(Third.ReadAccess && Share.OpenCount == 1);
    OK(IoCheckLinkShareAccess(WRITE, 7, NULL, &Share, NULL, IO_CHECK_SHARE_ACCESS_DONT_CHECK_WRITE));
    STATUS(IoCheckLinkShareAccess(FILE_READ_ATTRIBUTES, 0, NULL, &Share, NULL, IO_CHECK_SHARE_ACCESS_FORCE_CHECK),
           STATUS_SHARING_VIOLATION);
}

TEST_MAIN(readers_share_and_writers_do_not, who_may_not_write_cannot_shut_out_readers,
          deleting_is_checked_against_the_link, checks_can_be_left_out)
