# Functions for the exception tests that need exact instructions.
        .text

# VOID TestFaultWithPattern(ALL_REGISTERS *After): registers hold number * 0x11..11, rbx an address that is not mapped.
        .globl  TestFaultWithPattern
        .def    TestFaultWithPattern; .scl 2; .type 32; .endef
        .seh_proc TestFaultWithPattern
TestFaultWithPattern:
        pushq   %rbx
        .seh_pushreg %rbx
        pushq   %rbp
        .seh_pushreg %rbp
        pushq   %rsi
        .seh_pushreg %rsi
        pushq   %rdi
        .seh_pushreg %rdi
        pushq   %r12
        .seh_pushreg %r12
        pushq   %r13
        .seh_pushreg %r13
        pushq   %r14
        .seh_pushreg %r14
        pushq   %r15
        .seh_pushreg %r15
        subq    $0xb8, %rsp
        .seh_stackalloc 0xb8
        movaps  %xmm6, 0x10(%rsp)
        .seh_savexmm %xmm6, 0x10
        movaps  %xmm7, 0x20(%rsp)
        .seh_savexmm %xmm7, 0x20
        movaps  %xmm8, 0x30(%rsp)
        .seh_savexmm %xmm8, 0x30
        movaps  %xmm9, 0x40(%rsp)
        .seh_savexmm %xmm9, 0x40
        movaps  %xmm10, 0x50(%rsp)
        .seh_savexmm %xmm10, 0x50
        movaps  %xmm11, 0x60(%rsp)
        .seh_savexmm %xmm11, 0x60
        movaps  %xmm12, 0x70(%rsp)
        .seh_savexmm %xmm12, 0x70
        movaps  %xmm13, 0x80(%rsp)
        .seh_savexmm %xmm13, 0x80
        movaps  %xmm14, 0x90(%rsp)
        .seh_savexmm %xmm14, 0x90
        movaps  %xmm15, 0xa0(%rsp)
        .seh_savexmm %xmm15, 0xa0
        .seh_endprologue
        movq    %rcx, (%rsp)
        .irp    x, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        movabsq $(0x0101010101010101 * (\x + 1)), %rax
        movq    %rax, %xmm\x
        .endr
        pushq   $0xad5                          # every arithmetic flag set
        popfq
        movabsq $0x1111111111111111, %rcx
        movabsq $0x2222222222222222, %rdx
        movl    $0x10101, %ebx
        movabsq $0x5555555555555555, %rbp
        movabsq $0x6666666666666666, %rsi
        movabsq $0x7777777777777777, %rdi
        movabsq $0x8888888888888888, %r8
        movabsq $0x9999999999999999, %r9
        movabsq $0xaaaaaaaaaaaaaaaa, %r10
        movabsq $0xbbbbbbbbbbbbbbbb, %r11
        movabsq $0xcccccccccccccccc, %r12
        movabsq $0xdddddddddddddddd, %r13
        movabsq $0xeeeeeeeeeeeeeeee, %r14
        movabsq $0xffffffffffffffff, %r15
        movl    (%rbx), %eax                    # the fault; zero after the repair
        pushfq
        pushq   %rbx
        movq    0x10(%rsp), %rbx
        movq    %rax, 0x00(%rbx)
        movq    %rcx, 0x08(%rbx)
        movq    %rdx, 0x10(%rbx)
        movq    %rbp, 0x28(%rbx)
        movq    %rsi, 0x30(%rbx)
        movq    %rdi, 0x38(%rbx)
        movq    %r8, 0x40(%rbx)
        movq    %r9, 0x48(%rbx)
        movq    %r10, 0x50(%rbx)
        movq    %r11, 0x58(%rbx)
        movq    %r12, 0x60(%rbx)
        movq    %r13, 0x68(%rbx)
        movq    %r14, 0x70(%rbx)
        movq    %r15, 0x78(%rbx)
        movq    8(%rsp), %rax
        movq    %rax, 0x80(%rbx)
        .irp    x, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        movups  %xmm\x, (0x90 + 0x10 * \x)(%rbx)
        .endr
        addq    $0x10, %rsp
        movaps  0x10(%rsp), %xmm6
        movaps  0x20(%rsp), %xmm7
        movaps  0x30(%rsp), %xmm8
        movaps  0x40(%rsp), %xmm9
        movaps  0x50(%rsp), %xmm10
        movaps  0x60(%rsp), %xmm11
        movaps  0x70(%rsp), %xmm12
        movaps  0x80(%rsp), %xmm13
        movaps  0x90(%rsp), %xmm14
        movaps  0xa0(%rsp), %xmm15
        addq    $0xb8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rdi
        popq    %rsi
        popq    %rbp
        popq    %rbx
        retq
        .seh_endproc

# VOID TestStepCaller(VOID (*Routine)(VOID)): known values in the nonvolatile registers, trap flag set around the call.
        .globl  TestStepCaller
        .def    TestStepCaller; .scl 2; .type 32; .endef
        .seh_proc TestStepCaller
TestStepCaller:
        pushq   %rbx
        .seh_pushreg %rbx
        pushq   %rbp
        .seh_pushreg %rbp
        pushq   %rsi
        .seh_pushreg %rsi
        pushq   %rdi
        .seh_pushreg %rdi
        pushq   %r12
        .seh_pushreg %r12
        pushq   %r13
        .seh_pushreg %r13
        pushq   %r14
        .seh_pushreg %r14
        pushq   %r15
        .seh_pushreg %r15
        subq    $0x48, %rsp
        .seh_stackalloc 0x48
        movaps  %xmm6, 0x20(%rsp)
        .seh_savexmm %xmm6, 0x20
        movaps  %xmm15, 0x30(%rsp)
        .seh_savexmm %xmm15, 0x30
        .seh_endprologue
        movq    %rcx, %rax
        movl    $0x66, %ebx
        movq    %rbx, %xmm6
        movl    $0xff, %ebx
        movq    %rbx, %xmm15
        movl    $0x1b, %ebx
        movl    $0x1c, %ebp
        movl    $0x1d, %esi
        movl    $0x1e, %edi
        movl    $0x12, %r12d
        movl    $0x13, %r13d
        movl    $0x14, %r14d
        movl    $0x15, %r15d
        callq   TestTrapFlagOn
        callq   *%rax
        callq   TestTrapFlagOff
        nop
        movaps  0x20(%rsp), %xmm6
        movaps  0x30(%rsp), %xmm15
        addq    $0x48, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rdi
        popq    %rsi
        popq    %rbp
        popq    %rbx
        retq
        .seh_endproc

        .macro  trap_flag Name, Instruction, Mask
        .def    \Name; .scl 3; .type 32; .endef
        .seh_proc \Name
\Name:
        pushfq
        .seh_stackalloc 8
        .seh_endprologue
        \Instruction \Mask, (%rsp)
        popfq
        retq
        .seh_endproc
        .endm

        trap_flag TestTrapFlagOn, orl, $0x100
        trap_flag TestTrapFlagOff, andl, $0xfffffeff

# A function with most of what unwind codes can say: pushes, a large allocation, a frame register with an offset, saves
# of integer and xmm registers near and far, and an epilogue by lea.
        .globl  TestStepped
        .def    TestStepped; .scl 2; .type 32; .endef
        .seh_proc TestStepped
TestStepped:
        pushq   %rbp
        .seh_pushreg %rbp
        pushq   %r12
        .seh_pushreg %r12
        pushq   %rbx
        .seh_pushreg %rbx
        subq    $0x1200, %rsp
        .seh_stackalloc 0x1200
        leaq    0x80(%rsp), %rbp
        .seh_setframe %rbp, 0x80
        movq    %rsi, 0x100(%rsp)
        .seh_savereg %rsi, 0x100
        movq    %rdi, 0x108(%rsp)
        .seh_savereg %rdi, 0x108
        movups  %xmm6, 0x110(%rsp)
        .seh_savexmm %xmm6, 0x110
        movups  %xmm15, 0x120(%rsp)
        .seh_savexmm %xmm15, 0x120
        .seh_endprologue
        subq    $0x200, %rsp            # as alloca does
        xorl    %ebx, %ebx
        xorl    %r12d, %r12d
        movl    $1, %esi
        movl    $2, %edi
        movq    %rsi, %xmm6
        movq    %rdi, %xmm15
        callq   TestStepLeaf
        leaq    -0x80(%rbp), %rsp
        movq    0x100(%rsp), %rsi
        movq    0x108(%rsp), %rdi
        movups  0x110(%rsp), %xmm6
        movups  0x120(%rsp), %xmm15
        leaq    0x1180(%rbp), %rsp
        popq    %rbx
        popq    %r12
        popq    %rbp
        retq
        .seh_endproc
        .globl  TestSteppedEnd
TestSteppedEnd:

# A leaf: no table at all.
        .def    TestStepLeaf; .scl 3; .type 32; .endef
TestStepLeaf:
        movl    $3, %eax
        retq

# Entered by the harness, rcx = struct door_trap, as KiTrap is: the machine frame lets unwinding go on in what was
# interrupted, with every register that survives a call still in place.
        .globl  TestTrapEntry
        .def    TestTrapEntry; .scl 2; .type 32; .endef
        .seh_proc TestTrapEntry
TestTrapEntry:
        pushq   $0x2b
        pushq   0xb8(%rcx)              # Rsp
        pushq   $0
        pushq   $0x33
        pushq   0x118(%rcx)             # Rip
        .seh_pushframe
        pushq   %rbx
        .seh_pushreg %rbx
        subq    $0x28, %rsp
        .seh_stackalloc 0x28
        .seh_endprologue
        movq    %rcx, %rbx
        callq   TestTrap
        leaq    0x20(%rbx), %rcx
        callq   RtlpRestoreContext
        nop
        .seh_endproc

        .globl  KiCaptureFrame
        .def    KiCaptureFrame; .scl 2; .type 32; .endef
KiCaptureFrame:
        movq    %rbx, 0x90(%rcx)
        movq    %rbp, 0xa0(%rcx)
        movq    %rsi, 0xa8(%rcx)
        movq    %rdi, 0xb0(%rcx)
        movq    %r12, 0xd8(%rcx)
        movq    %r13, 0xe0(%rcx)
        movq    %r14, 0xe8(%rcx)
        movq    %r15, 0xf0(%rcx)
        leaq    8(%rsp), %rax
        movq    %rax, 0x98(%rcx)
        movq    (%rsp), %rax
        movq    %rax, 0xf8(%rcx)
        retq
