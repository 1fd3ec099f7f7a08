/*
 * Structured exception handling end to end: faults and raised statuses, filters, termination handlers, nesting,
 * collided unwinds, continue-execution, longjmp. Each test writes the order of events into a trace.
 *
 * clang 14 drops handlers around accesses it can see, so the access that faults stands in a function of its own.
 */
#include "test.h"
#include "rtl/unwind.h"

#define NOINLINE __attribute__((noinline))

typedef struct _TEST_JUMP {
    UCHAR Bytes[0x100];
} __attribute__((aligned(16))) TEST_JUMP;

int TestSetJump(TEST_JUMP *Buffer, PVOID Frame) __asm__("_setjmp") __attribute__((returns_twice));
DECLSPEC_NORETURN void __cdecl test_longjmp(TEST_JUMP *Buffer, int Value) __asm__("longjmp");

static CHAR Trace[256];
static ULONG TraceLength;

static NOINLINE VOID Mark(PCSTR Text)
{
    TraceLength += RtlpFormat(Trace + TraceLength, sizeof(Trace) - TraceLength, "%s ", Text);
}

static VOID Begin(VOID)
{
    TraceLength = 0;
    Trace[0] = 0;
}

static NOINLINE ULONG Touch(volatile ULONG *Address)
{
    ULONG Value = *Address;
    __asm__ volatile("" ::: "memory");
    return Value;
}

static NOINLINE LONG Divide(volatile LONG Left, volatile LONG Right)
{
    LONG Result = Left / Right;
    __asm__ volatile("" ::"r"(Result));
    return Result;
}

#define NOWHERE ((ULONG *)0x10000)

/* ---- One frame ------------------------------------------------------------------------------------------------- */

static NOINLINE ULONG CatchTouch(ULONG *Address)
{
    ULONG Code = 0;

    __try {
        Mark("try");
        Touch(Address);
        Mark("not reached");
    } __except (Mark("filter"), EXCEPTION_EXECUTE_HANDLER) {
        Code = GetExceptionCode();
        Mark("except");
    }
    return Code;
}

static VOID Fault(VOID)
{
    Begin();
    EQUAL(CatchTouch(NOWHERE), (ULONG)STATUS_ACCESS_VIOLATION);
    SAME(Trace, "try filter except ");
}

static NOINLINE ULONG CatchConstant(VOID)
{
    __try {
        Divide(1, 0);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return GetExceptionCode();
    }
    return 0;
}

static VOID DivideError(VOID)
{
    EQUAL(CatchConstant(), (ULONG)STATUS_INTEGER_DIVIDE_BY_ZERO);
}

static NOINLINE LONG Deep(ULONG Depth)
{
    volatile UCHAR Room[128];

    Room[Depth] = 1;
    if (!Depth)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return Deep(Depth - 1) + Room[Depth];
}

static ULONG64 RaisedAt;

static LONG RecordFilter(PEXCEPTION_POINTERS Pointers)
{
    PEXCEPTION_RECORD Record = Pointers->ExceptionRecord;

    RaisedAt = (ULONG64)Record->ExceptionAddress;
    CHECK(Record->ExceptionFlags & EXCEPTION_NONCONTINUABLE);
    CHECK(Pointers->ContextRecord->Rip == RaisedAt);
    return Record->ExceptionCode == STATUS_INSUFFICIENT_RESOURCES ? EXCEPTION_EXECUTE_HANDLER
                                                                  : EXCEPTION_CONTINUE_SEARCH;
}

static NOINLINE NTSTATUS CatchDeep(VOID)
{
    __try {
        Deep(20);
    } __except (RecordFilter(GetExceptionInformation())) {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static VOID RaiseStatus(VOID)
{
    EQUAL(CatchDeep(), STATUS_INSUFFICIENT_RESOURCES);
    CHECK(RaisedAt > (ULONG64)Deep && RaisedAt < (ULONG64)Deep + 256);
}

/* Values that live in nonvolatile registers, rbp and xmm among them, come back when the handler is in an outer frame.
 */
static NOINLINE ULONG64 KeepRegisters(ULONG64 Seed)
{
    register ULONG64 A = Seed * 3, B = Seed * 5, C = Seed * 7, D = Seed * 11, E = Seed * 13, F = Seed * 17;
    double X = (double)Seed, Y = X * 2, Z = X * 3;

    __asm__ volatile("" : "+r"(A), "+r"(B), "+r"(C), "+r"(D), "+r"(E), "+r"(F), "+x"(X), "+x"(Y), "+x"(Z));
    CatchTouch(NOWHERE);
    CatchDeep();
    return A + B + C + D + E + F + (ULONG64)(X + Y + Z);
}

static VOID Registers(VOID)
{
    EQUAL(KeepRegisters(1000), 1000 * (3 + 5 + 7 + 11 + 13 + 17 + 1 + 2 + 3));
}

/* ---- Nesting --------------------------------------------------------------------------------------------------- */

static NOINLINE VOID InnerFrame(VOID)
{
    __try {
        __try {
            Mark("body");
            Touch(NOWHERE);
        } __except (Mark("declines"), EXCEPTION_CONTINUE_SEARCH) {
            Mark("wrong");
        }
    } __finally {
        Mark(AbnormalTermination() ? "abnormal" : "normal");
    }
}

static NOINLINE VOID OuterFrame(VOID)
{
    __try {
        InnerFrame();
    } __except (Mark("accepts"), EXCEPTION_EXECUTE_HANDLER) {
        Mark("handled");
    }
}

static VOID Nested(VOID)
{
    Begin();
    OuterFrame();
    SAME(Trace, "body declines accepts abnormal handled ");
}

static NOINLINE VOID NormalFinally(VOID)
{
    __try {
        Mark("body");
    } __finally {
        Mark(AbnormalTermination() ? "abnormal" : "normal");
    }
}

static VOID FinallyWithoutException(VOID)
{
    Begin();
    NormalFinally();
    SAME(Trace, "body normal ");
}

/* The filter itself faults and handles its own fault. */
static NOINLINE LONG FaultingFilter(VOID)
{
    Mark("filter");
    CatchTouch(NOWHERE + 1);
    return EXCEPTION_EXECUTE_HANDLER;
}

static NOINLINE VOID FilterHandlesOwnFault(VOID)
{
    __try {
        Touch(NOWHERE);
    } __except (FaultingFilter()) {
        Mark("outer");
    }
}

static VOID FaultInFilter(VOID)
{
    Begin();
    FilterHandlesOwnFault();
    SAME(Trace, "filter try filter except outer ");
}

/* The filter raises: it is asked about its own exception too, marked as nested; then the outer handler is, unmarked. */
static ULONG NestedFlags;

static NOINLINE LONG RaisingFilter(PEXCEPTION_POINTERS Pointers)
{
    Mark("raises");
    if (Pointers->ExceptionRecord->ExceptionFlags & EXCEPTION_NESTED_CALL)
        return EXCEPTION_CONTINUE_SEARCH;
    ExRaiseStatus(STATUS_UNSUCCESSFUL);
}

static NOINLINE VOID RaiseInFilter(VOID)
{
    __try {
        Touch(NOWHERE);
    } __except (RaisingFilter(GetExceptionInformation())) {
        Mark("wrong");
    }
}

static NOINLINE LONG SecondFilter(PEXCEPTION_POINTERS Pointers)
{
    NestedFlags = Pointers->ExceptionRecord->ExceptionFlags;
    Mark("second");
    return Pointers->ExceptionRecord->ExceptionCode == STATUS_UNSUCCESSFUL;
}

static NOINLINE VOID CatchNested(VOID)
{
    __try {
        RaiseInFilter();
    } __except (SecondFilter(GetExceptionInformation())) {
        Mark("handled");
    }
}

static VOID ExceptionInFilter(VOID)
{
    Begin();
    CatchNested();
    SAME(Trace, "raises raises second handled ");
    CHECK(!(NestedFlags & EXCEPTION_NESTED_CALL)); /* the handler lies outside the nested range */
}

/* A termination handler raises during the unwind: the unwind goes on from there to the second exception's handler. */
static NOINLINE VOID RaiseInFinally(VOID)
{
    __try {
        __try {
            Touch(NOWHERE);
            __asm__ volatile("nop"); /* clang 14 lets the next guarded range begin at the return address */
        } __finally {
            Mark("finally1");
            ExRaiseStatus(STATUS_UNSUCCESSFUL);
        }
    } __finally {
        Mark("finally2");
    }
}

static NOINLINE VOID MiddleFinally(VOID)
{
    __try {
        RaiseInFinally();
    } __finally {
        Mark("finally3");
    }
}

static NOINLINE NTSTATUS CatchCollided(VOID)
{
    __try {
        __try {
            MiddleFinally();
        } __except (Mark("inner"), GetExceptionCode() == STATUS_UNSUCCESSFUL) {
            Mark("handled");
            return GetExceptionCode();
        }
    } __except (Mark("outer"), EXCEPTION_EXECUTE_HANDLER) {
        Mark("first");
        return GetExceptionCode();
    }
    return 0;
}

static VOID Collided(VOID)
{
    Begin();
    EQUAL(CatchCollided(), STATUS_UNSUCCESSFUL);
    SAME(Trace, "inner outer finally1 inner finally2 finally3 handled ");
}

/* A termination handler in whose call an exception is raised and handled does not disturb the unwind. */
static NOINLINE VOID HandledInFinally(VOID)
{
    __try {
        Touch(NOWHERE);
    } __finally {
        CatchTouch(NOWHERE);
        Mark("finally");
    }
}

static NOINLINE VOID CatchHandledInFinally(VOID)
{
    __try {
        HandledInFinally();
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Mark("handled");
    }
}

static VOID ExceptionInsideFinally(VOID)
{
    Begin();
    CatchHandledInFinally();
    SAME(Trace, "try filter except finally handled ");
}

/* ---- Leaving by jump ------------------------------------------------------------------------------------------- */

static NOINLINE ULONG LeaveLoop(VOID)
{
    ULONG Turns = 0;

    while (Turns < 10) {
        __try {
            Turns++;
            if (Turns == 3)
                break;
            if (Turns == 1)
                continue;
            Mark("body");
        } __finally {
            Mark("finally");
        }
    }
    return Turns;
}

static VOID LocalUnwind(VOID)
{
    Begin();
    EQUAL(LeaveLoop(), 3);
    SAME(Trace, "finally body finally finally ");
}

static TEST_JUMP Jump;

static NOINLINE VOID JumpOut(VOID)
{
    __try {
        Mark("jumps");
        test_longjmp(&Jump, 7);
    } __finally {
        Mark("finally");
    }
}

static NOINLINE int SetAndJump(BOOLEAN Unwind)
{
    int Value = TestSetJump(&Jump, Unwind ? __builtin_frame_address(0) : NULL);

    if (Value)
        return Value;
    JumpOut();
    return 0;
}

static VOID LongJump(VOID)
{
    Begin();
    EQUAL(SetAndJump(FALSE), 7);
    SAME(Trace, "jumps ");
}

/* ---- Continue execution ---------------------------------------------------------------------------------------- */

typedef struct _ALL_REGISTERS {
    UINT64 Integer[16]; /* in encoding order; rsp unused */
    UINT64 Flags;
    M128A Xmm[16];
} ALL_REGISTERS;

/* Loads every register with a pattern, faults (or raises a breakpoint), and stores what it finds afterwards. */
VOID TestFaultWithPattern(ALL_REGISTERS *After);

static LONG RepairFilter(PEXCEPTION_POINTERS Pointers)
{
    static ULONG Good;
    PCONTEXT Context = Pointers->ContextRecord;

    CHECK(Pointers->ExceptionRecord->ExceptionCode == STATUS_ACCESS_VIOLATION);
    EQUAL(Pointers->ExceptionRecord->ExceptionInformation[0], 0);
    EQUAL(Pointers->ExceptionRecord->ExceptionInformation[1], 0x10101);
    Context->Rbx = (UINT64)&Good;
    for (volatile ULONG i = 0; i < 10; i++) /* disturb the flags and registers */
        Mark("x");
    return EXCEPTION_CONTINUE_EXECUTION;
}

static NOINLINE VOID Resume(ALL_REGISTERS *After)
{
    __try {
        TestFaultWithPattern(After);
        Mark("resumed");
    } __except (RepairFilter(GetExceptionInformation())) {
        Mark("wrong");
    }
}

static VOID ContinueExecution(VOID)
{
    static ALL_REGISTERS After;

    Begin();
    Resume(&After);
    SAME(Trace, "x x x x x x x x x x resumed ");
    for (ULONG i = 0; i < 16; i++) {
        if (i != 4 && i != 3 && i != 0) /* rsp; rbx was repaired; rax was loaded */
            EQUAL(After.Integer[i], 0x1111111111111111ull * i);
        EQUAL(After.Xmm[i].Low, 0x0101010101010101ull * (i + 1));
    }
    EQUAL(After.Integer[0], 0);
    EQUAL(After.Flags & 0xcd5, 0xcd5 & ~0x400);
}

/* ---- Frames that are odd --------------------------------------------------------------------------------------- */

/* A function with a frame register and a variable stack. */
static NOINLINE ULONG Variable(ULONG Bytes)
{
    volatile UCHAR *Room = __builtin_alloca(Bytes);

    Room[0] = 3;
    Mark("variable");
    Touch(NOWHERE);
    return Room[0];
}

static NOINLINE VOID CatchVariable(VOID)
{
    __try {
        Variable(3000);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Mark("handled");
    }
}

static VOID FrameRegister(VOID)
{
    Begin();
    CatchVariable();
    SAME(Trace, "variable handled ");
}

/* A fault at each instruction of a function, prologue and epilogue included: single steps, caught each time. */
static ULONG Steps, StepsInside;
VOID TestStepped(VOID); /* a function of all unwind codes */
extern UCHAR TestSteppedEnd[];

static LONG StepFilter(PEXCEPTION_POINTERS Pointers)
{
    PCONTEXT Context = Pointers->ContextRecord;
    CONTEXT Copy = *Context;
    ULONG64 Base, Frame;
    PVOID Data;
    PRUNTIME_FUNCTION Function;

    if (Pointers->ExceptionRecord->ExceptionCode != STATUS_SINGLE_STEP)
        return EXCEPTION_EXECUTE_HANDLER;
    Steps++;
    if (Context->Rip >= (UINT64)TestStepped && Context->Rip < (UINT64)TestSteppedEnd) {
        StepsInside++;
        Function = RtlLookupFunctionEntry(Copy.Rip, &Base, NULL);
        RtlVirtualUnwind(UNW_FLAG_NHANDLER, Base, Copy.Rip, Function, &Copy, &Data, &Frame, NULL);
        /* TestStepCaller put known values in all nonvolatile registers before it called. */
        EQUAL(Copy.Rbx, 0x1b);
        EQUAL(Copy.Rbp, 0x1c);
        EQUAL(Copy.Rsi, 0x1d);
        EQUAL(Copy.Rdi, 0x1e);
        EQUAL(Copy.R12, 0x12);
        EQUAL(Copy.R13, 0x13);
        EQUAL(Copy.R14, 0x14);
        EQUAL(Copy.R15, 0x15);
        EQUAL(Copy.Xmm6.Low, 0x66);
        EQUAL(Copy.Xmm15.Low, 0xff);
        Function = RtlLookupFunctionEntry(Copy.Rip, &Base, NULL);
        RtlVirtualUnwind(UNW_FLAG_NHANDLER, Base, Copy.Rip, Function, &Copy, &Data, &Frame, NULL);
        CHECK(Copy.Rip > (UINT64)RtlpWalkStack - 0x100000 && Copy.Rip < (UINT64)RtlpWalkStack + 0x100000);
    }
    return EXCEPTION_CONTINUE_EXECUTION;
}

VOID TestStepCaller(VOID (*Routine)(VOID)); /* sets the registers and the trap flag, calls, clears it */

static NOINLINE VOID StepThrough(VOID)
{
    __try {
        TestStepCaller(TestStepped);
        Mark("done");
    } __except (StepFilter(GetExceptionInformation())) {
        Mark("wrong");
    }
}

static VOID EveryInstruction(VOID)
{
    Begin();
    Steps = StepsInside = 0;
    StepThrough();
    SAME(Trace, "done ");
    EQUAL(StepsInside, 27);
}

/* ---- Walks ----------------------------------------------------------------------------------------------------- */

static PVOID Walked[64];
static ULONG WalkedCount;

static NOINLINE ULONG WalkHere(ULONG Depth)
{
    volatile ULONG Keep = Depth;

    if (Depth)
        return WalkHere(Depth - 1) + Keep;
    WalkedCount = RtlCaptureStackBackTrace(0, 64, Walked, NULL);
    return Keep;
}

static NOINLINE ULONG WalkThroughVariable(ULONG Bytes)
{
    volatile UCHAR *Room = __builtin_alloca(Bytes);

    Room[0] = 0;
    return WalkHere(5) + Room[0];
}

static BOOLEAN Within(ULONG Frame, PVOID Routine)
{
    return (ULONG64)Walked[Frame] > (ULONG64)Routine && (ULONG64)Walked[Frame] < (ULONG64)Routine + 300;
}

static VOID Walk(VOID)
{
    PVOID Before[64];
    ULONG Count;

    for (ULONG Round = 0; Round < 3; Round++) {
        WalkThroughVariable(1000 + Round * 500);
        CHECK(WalkedCount > 8);
        for (ULONG i = 0; i < 6; i++)
            CHECK(Within(i, WalkHere));
        CHECK(Within(6, WalkThroughVariable) && Within(7, Walk));
        if (Round)
            EQUAL(memcmp(Before, Walked, WalkedCount * sizeof(PVOID)), 0);
        memcpy(Before, Walked, sizeof(Before));
        RtlpForgetFrames();
    }
    Count = RtlCaptureStackBackTrace(2, 3, Before, NULL);
    EQUAL(Count, WalkedCount - 7 - 2 > 3 ? 3 : WalkedCount - 7 - 2);
}

/* The walker at full speed and the unwinder agree on a ruined stack: both stop, neither faults. */
static VOID RuinedStack(VOID)
{
    CONTEXT Context;
    UINT64 Frames[16];

    KiCaptureFrame(&Context);
    Context.Rsp = 0x1234;
    CHECK(RtlpWalkStack(&Context, Frames, 16) >= 1);
    Context.Rsp = RtlpStackEnd((UINT64)&Context) - 8;
    CHECK(RtlpWalkStack(&Context, Frames, 16) >= 1);
    Context.Rip = 0;
    CHECK(RtlpWalkStack(&Context, Frames, 16) >= 1);
    KiCaptureFrame(&Context);
    Context.Rsp += 1;
    CHECK(RtlpWalkStack(&Context, Frames, 16) == 1);
}

const RTL_TEST SehTests[] = {
    {"a_fault_in_a_callee_is_handled", Fault},
    {"a_divide_error_is_handled", DivideError},
    {"a_raised_status_reaches_an_outer_frame", RaiseStatus},
    {"nonvolatile_registers_survive_an_unwind", Registers},
    {"filters_run_before_termination_handlers", Nested},
    {"a_termination_handler_runs_without_exception", FinallyWithoutException},
    {"a_filter_may_fault_and_handle_it", FaultInFilter},
    {"an_exception_in_a_filter_is_nested", ExceptionInFilter},
    {"an_exception_in_a_termination_handler_collides", Collided},
    {"an_exception_handled_inside_a_termination_handler", ExceptionInsideFinally},
    {"leaving_a_try_runs_its_termination_handler", LocalUnwind},
    {"longjmp_without_frame_jumps", LongJump},
    {"continue_execution_restores_every_register", ContinueExecution},
    {"frames_with_a_frame_register_unwind", FrameRegister},
    {"every_instruction_of_a_function_unwinds", EveryInstruction},
    {"stack_walks_see_every_frame", Walk},
    {"a_ruined_stack_ends_the_walk", RuinedStack},
    {0},
};
