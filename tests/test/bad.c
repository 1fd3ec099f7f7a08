/* In-machine tests of which each fails in its own way; the middle one is the driver's fault, the last prints what XML may not hold. */
#include <ntddk.h>
#include <irqlab/test.h>

TEST(CheckThatDoesNotHold)
{
    CHECK(1 + 1 == 3);
    CHECK_STATUS(STATUS_PENDING, STATUS_SUCCESS);
}

TEST(LeavesPoolBehind)
{
    ExAllocatePool2(POOL_FLAG_PAGED, 16, 'tseT');
}

TEST(PrintsOddly)
{
    DbgPrint("<&\"]]> \x01\x1b\xff \xc3\xa9\n");
    CHECK(FALSE);
}

TEST(Passes)
{
}

TEST_DRIVER()
