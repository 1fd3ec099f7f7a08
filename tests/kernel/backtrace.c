/*
 * The call stack as a driver takes it: who is in it, how many at most, the hash of the addresses; memory that is not there. Built by
 * clang. (docs: RtlCaptureStackBackTrace; RtlWalkFrameChain's declaration)
 */
#include "check.h"

NTKERNELAPI ULONG NTAPI RtlWalkFrameChain(PVOID *, ULONG, ULONG);
NTKERNELAPI PVOID NTAPI RtlPcToFileHeader(PVOID, PVOID *);

#define FRAMES 5
#define UNTOUCHED 0x5555555555555555

static PVOID Return[FRAMES], Frame[FRAMES + 1];
static volatile ULONG NotATail;

static ULONG Fill(void)
{
    RtlFillMemory(Frame, sizeof(Frame), 0x55);
    return 0x55555555;
}

static __attribute__((noinline)) void Walk(void);

/* The first of Count frames lies in Walk, the rest are the return addresses on the way there. */
static void FramesAre(ULONG Count)
{
    CHECK((ULONG_PTR)Frame[0] > (ULONG_PTR)Walk && (ULONG_PTR)Frame[0] < (ULONG_PTR)Walk + 0x1000);
    for (ULONG i = 1; i < Count; i++)
        CHECK_IS(Frame[i], Return[FRAMES - 1 - i]);
    CHECK_IS(Frame[Count], UNTOUCHED);
}

static ULONG SumOf(ULONG Count)
{
    ULONG Sum = 0;

    for (ULONG i = 0; i < Count; i++)
        Sum += (ULONG)(ULONG_PTR)Frame[i];
    return Sum;
}

static __attribute__((noinline)) void Walk(void)
{
    NTSTATUS Caught = STATUS_SUCCESS;
    ULONG Hash = 0;

    Return[3] = __builtin_return_address(0);
    CHECK_IS(RtlWalkFrameChain(NULL, FRAMES, 0), 0);
    Fill();
    CHECK_IS(RtlWalkFrameChain(Frame, 0, 0), 0);
    CHECK_IS(Frame[0], UNTOUCHED);
    CHECK_IS(RtlWalkFrameChain(Frame, FRAMES, 0), FRAMES);
    FramesAre(FRAMES);
    Fill();
    CHECK_IS(RtlWalkFrameChain(Frame, 4, 0), 4);
    FramesAre(4);
    __try {
        RtlCaptureStackBackTrace(0, FRAMES, NULL, NULL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_ACCESS_VIOLATION);
    Hash = Fill();
    CHECK_IS(RtlCaptureStackBackTrace(0, 0, Frame, &Hash), 0);
    CHECK_IS(Hash, 0x55555555);
    CHECK_IS(Frame[0], UNTOUCHED);
    CHECK_IS(RtlCaptureStackBackTrace(0, 1, Frame, NULL), 1);
    FramesAre(1);
    CHECK_IS(RtlCaptureStackBackTrace(0, FRAMES, Frame, &Hash), FRAMES);
    FramesAre(FRAMES);
    CHECK_IS(Hash, SumOf(FRAMES));
    Fill();
    CHECK_IS(RtlCaptureStackBackTrace(1, 4, Frame, &Hash), 4);
    CHECK_IS(Hash, SumOf(4));
    for (ULONG i = 0; i < 4; i++)
        CHECK_IS(Frame[i], Return[3 - i]);
    CHECK_IS(Frame[4], UNTOUCHED);
}

static __attribute__((noinline)) void Third(void)
{
    Return[2] = __builtin_return_address(0);
    Walk();
    NotATail++;
}

static __attribute__((noinline)) void Second(void)
{
    Return[1] = __builtin_return_address(0);
    Third();
    NotATail++;
}

static __attribute__((noinline)) void First(void)
{
    Return[0] = __builtin_return_address(0);
    Second();
    NotATail++;
}

TEST(the_stack_is_walked_from_here_outward)
{
    First();
    NotATail++;
}

TEST(an_address_belongs_to_an_image_or_to_none)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"KeBugCheckEx");
    PVOID Base = NULL, Kernel = NULL, Found;

    CHECK_IS(RtlPcToFileHeader((PVOID)(ULONG_PTR)FramesAre, &Base), CheckDriver->DriverStart);
    CHECK_IS(Base, CheckDriver->DriverStart);
    Found = RtlPcToFileHeader(MmGetSystemRoutineAddress(&Name), &Kernel);
    CHECK(Found && Found == Kernel && Kernel != Base);
    CHECK_IS(RtlPcToFileHeader((PVOID)0x10000, &Base), NULL);
    CHECK_IS(Base, NULL);
}

CHECK_DRIVER(T(the_stack_is_walked_from_here_outward), T(an_address_belongs_to_an_image_or_to_none))
