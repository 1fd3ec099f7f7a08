/* In-machine tests that pass. */
#include <ntddk.h>
#include <irqlab/test.h>

TEST(RunsAtPassiveLevel)
{
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    CHECK(Driver->DriverUnload != NULL);
}

TEST(Pool)
{
    PVOID Block = ExAllocatePool2(POOL_FLAG_PAGED, 16, 'tseT');
    REQUIRE(Block != NULL);
    CHECK_STATUS(STATUS_SUCCESS, STATUS_SUCCESS);
    ExFreePool(Block);
}

/* Not a test: no capital follows. */
__declspec(dllexport) NTSTATUS NTAPI Testify(PDRIVER_OBJECT Driver)
{
    return STATUS_UNSUCCESSFUL;
}

TEST_DRIVER()
