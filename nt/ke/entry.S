# Entries that the host's traps, patched driver code and import thunks come in by.

        .set    GS_IRQL, 0x50
        .set    GS_INTERRUPT_FLAG, 0x1000
        .set    GS_BUDGET, 0x1004               # DOOR_PCR_BUDGET
        .set    GS_PENDING, 0x1010              # _KI_PROCESSOR.PendingLevels
        .set    GS_RAISE, 0x1240                # _KI_PROCESSOR.Raise
        .set    GS_THREAD, 0x188                # _KI_PROCESSOR.CurrentThread
        .set    THREAD_PREVIOUS_MODE, 0x48      # _KTHREAD.PreviousMode
        .set    KI_CAUSE_RAISE, 1               # KiCauseRaise

        .set    TRAP_XSTATE, 16                 # struct door_trap
        .set    TRAP_XSTATE_MASK, 24
        .set    TRAP_CONTEXT, 32
        .set    CONTEXT_MXCSR, 0x34
        .set    CONTEXT_EFLAGS, 0x44
        .set    CONTEXT_RAX, 0x78
        .set    CONTEXT_RCX, 0x80
        .set    CONTEXT_RDX, 0x88
        .set    CONTEXT_RBX, 0x90
        .set    CONTEXT_RSP, 0x98
        .set    CONTEXT_RBP, 0xa0
        .set    CONTEXT_RSI, 0xa8
        .set    CONTEXT_RDI, 0xb0
        .set    CONTEXT_R8, 0xb8
        .set    CONTEXT_R9, 0xc0
        .set    CONTEXT_R10, 0xc8
        .set    CONTEXT_R11, 0xd0
        .set    CONTEXT_R12, 0xd8
        .set    CONTEXT_R13, 0xe0
        .set    CONTEXT_R14, 0xe8
        .set    CONTEXT_R15, 0xf0
        .set    CONTEXT_RIP, 0xf8
        .set    CONTEXT_XMM0, 0x1a0
        .set    CONTEXT_BYTES, 0x4d0

        .text

# Entered by the host with rcx = struct door_trap on the interrupted stack. What the handler leaves in the trap's context
# is continued. The machine frame is for the unwinder: behind it lies what was interrupted, whose registers that survive a
# call are still in place.
        .globl  KiTrap
        .def    KiTrap; .scl 2; .type 32; .endef
        .seh_proc KiTrap
KiTrap:
        pushq   $0x2b
        pushq   TRAP_CONTEXT+CONTEXT_RSP(%rcx)
        pushq   $0
        pushq   $0x33
        pushq   TRAP_CONTEXT+CONTEXT_RIP(%rcx)
        .seh_pushframe
        pushq   %rbx
        .seh_pushreg %rbx
        subq    $0x28, %rsp
        .seh_stackalloc 0x28
        .seh_endprologue
        movq    %rcx, %rbx
        callq   KiTrapDispatch
        movq    %rbx, %rcx
        jmp     KiResumeTrap
        .seh_endproc

# rcx = struct door_trap: continue what was interrupted, with every register as it was.
        .globl  KiResumeTrap
        .def    KiResumeTrap; .scl 2; .type 32; .endef
KiResumeTrap:
        movq    TRAP_XSTATE(%rcx), %r8
        testq   %r8, %r8
        jz      1f
        movl    TRAP_XSTATE_MASK(%rcx), %eax
        movl    TRAP_XSTATE_MASK+4(%rcx), %edx
        xrstor64 (%r8)
1:      leaq    TRAP_CONTEXT(%rcx), %rcx
        jmp     RtlpRestoreContext

# Patched `mov cr8, reg`: the value was pushed. Raising and lowering with nothing pending is a store.
        .globl  KiPatchedWriteCr8
        .def    KiPatchedWriteCr8; .scl 2; .type 32; .endef
        .seh_proc KiPatchedWriteCr8
KiPatchedWriteCr8:
        pushq   %rax
        .seh_pushreg %rax
        pushq   %rcx
        .seh_pushreg %rcx
        pushq   %rdx
        .seh_pushreg %rdx
        .seh_endprologue
        movq    0x20(%rsp), %rcx
        cmpq    $15, %rcx
        ja      2f
        movzbl  %gs:GS_IRQL, %eax
        cmpl    %eax, %ecx
        jbe     1f
        cmpl    $2, %ecx                # raising: to DISPATCH_LEVEL or above open windows must be closed
        jb      3f
        cmpl    $0, MiOpenWindows(%rip)
        jne     2f
3:      movb    %cl, %gs:GS_IRQL
        leaq    (%rcx,%rcx,2), %rdx     # KI_RAISE has 24 bytes
        movl    $KI_CAUSE_RAISE, %gs:GS_RAISE(,%rdx,8)
        movb    %al, %gs:GS_RAISE+4(,%rdx,8)
        movq    0x18(%rsp), %rax
        movq    %rax, %gs:GS_RAISE+8(,%rdx,8)
        jmp     4f
1:      movl    %gs:GS_PENDING, %eax    # lowering: does something wait for it?
        shrl    %cl, %eax
        shrl    $1, %eax
        jnz     2f
        movb    %cl, %gs:GS_IRQL
4:      popq    %rdx
        popq    %rcx
        popq    %rax
        retq
2:      callq   KiPatchedSlow
        .long   0                       # which: write_cr8
        popq    %rdx
        popq    %rcx
        popq    %rax
        retq
        .seh_endproc

        .globl  KiPatchedEnableInterrupts
        .def    KiPatchedEnableInterrupts; .scl 2; .type 32; .endef
        .seh_proc KiPatchedEnableInterrupts
KiPatchedEnableInterrupts:
        pushq   %rax
        .seh_pushreg %rax
        pushq   %rcx
        .seh_pushreg %rcx
        pushq   %rdx
        .seh_pushreg %rdx
        .seh_endprologue
        callq   KiPatchedSlow
        .long   1
        popq    %rdx
        popq    %rcx
        popq    %rax
        retq
        .seh_endproc

        .globl  KiPatchedPause
        .def    KiPatchedPause; .scl 2; .type 32; .endef
        .seh_proc KiPatchedPause
KiPatchedPause:
        pushq   %rax
        .seh_pushreg %rax
        pushq   %rcx
        .seh_pushreg %rcx
        pushq   %rdx
        .seh_pushreg %rdx
        .seh_endprologue
        callq   KiPatchedSlow
        .long   2
        popq    %rdx
        popq    %rcx
        popq    %rax
        retq
        .seh_endproc

# Called as above, rcx = argument, a number behind the call: save everything a C routine may change, call
# KiPatchedInstruction(Which, Argument, Site, StackPointer), restore, return behind the number.
        .def    KiPatchedSlow; .scl 3; .type 32; .endef
        .seh_proc KiPatchedSlow
KiPatchedSlow:
        pushfq
        .seh_stackalloc 8
        pushq   %rbp
        .seh_pushreg %rbp
        movq    %rsp, %rbp
        .seh_setframe %rbp, 0
        .seh_endprologue
        cld
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        movq    %rcx, %r10
        movl    KiXstateBytes(%rip), %r11d
        subq    %r11, %rsp
        andq    $-64, %rsp
        movq    $0, 0x200(%rsp)         # XSAVE header
        movq    $0, 0x208(%rsp)
        movq    $0, 0x210(%rsp)
        movq    $0, 0x218(%rsp)
        movq    $0, 0x220(%rsp)
        movq    $0, 0x228(%rsp)
        movq    $0, 0x230(%rsp)
        movq    $0, 0x238(%rsp)
        movl    $-1, %eax
        movl    $-1, %edx
        xsave64 (%rsp)
        movq    0x10(%rbp), %rax        # return address: points at the number
        movl    (%rax), %ecx
        movq    %r10, %rdx
        movq    0x30(%rbp), %r8         # return address into the driver's stub or code
        leaq    0x38(%rbp), %r9
        subq    $0x20, %rsp
        callq   KiPatchedInstruction
        addq    $0x20, %rsp
        movl    $-1, %eax
        movl    $-1, %edx
        xrstor64 (%rsp)
        leaq    -0x20(%rbp), %rsp
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rbp
        addq    $4, 8(%rsp)             # skip the number
        popfq
        retq
        .seh_endproc

# An access of a driver to memory is due as a delivery point: rcx = the address, the original rcx was pushed before the call,
# a struct door_access lies behind it. An access to the own stack is none; the next one is due instead.
        .globl  KiPatchedAccess
        .def    KiPatchedAccess; .scl 2; .type 32; .endef
        .seh_proc KiPatchedAccess
KiPatchedAccess:
        pushfq
        .seh_stackalloc 8
        pushq   %rbp
        .seh_pushreg %rbp
        movq    %rsp, %rbp
        .seh_setframe %rbp, 0
        .seh_endprologue
        pushq   %rax
        movq    %rsp, %rax
        xorq    %rcx, %rax
        shrq    $16, %rax               # DOOR_STACK_SLOT
        jnz     1f
        movl    $1, %gs:GS_BUDGET
        popq    %rax
        jmp     2f
1:      leaq    -CONTEXT_BYTES-8(%rsp), %rsp
        andq    $-16, %rsp
        movq    -8(%rbp), %rax
        movq    %rax, CONTEXT_RAX(%rsp)
        movq    0x18(%rbp), %rax
        movq    %rax, CONTEXT_RCX(%rsp)
        movq    %rdx, CONTEXT_RDX(%rsp)
        movq    %rbx, CONTEXT_RBX(%rsp)
        leaq    0x18(%rbp), %rax        # below the pushed rcx: what goes with the return address
        movq    %rax, CONTEXT_RSP(%rsp)
        movq    (%rbp), %rax
        movq    %rax, CONTEXT_RBP(%rsp)
        movq    %rsi, CONTEXT_RSI(%rsp)
        movq    %rdi, CONTEXT_RDI(%rsp)
        movq    %r8, CONTEXT_R8(%rsp)
        movq    %r9, CONTEXT_R9(%rsp)
        movq    %r10, CONTEXT_R10(%rsp)
        movq    %r11, CONTEXT_R11(%rsp)
        movq    %r12, CONTEXT_R12(%rsp)
        movq    %r13, CONTEXT_R13(%rsp)
        movq    %r14, CONTEXT_R14(%rsp)
        movq    %r15, CONTEXT_R15(%rsp)
        movq    0x10(%rbp), %rax
        movq    %rax, CONTEXT_RIP(%rsp)
        movq    %rsp, %r8
        movq    %rcx, %r9
        cld
        movl    KiXstateBytes(%rip), %r11d
        subq    %r11, %rsp
        andq    $-64, %rsp
        xorl    %edx, %edx              # XSAVE header
        movq    %rdx, 0x200(%rsp)
        movq    %rdx, 0x208(%rsp)
        movq    %rdx, 0x210(%rsp)
        movq    %rdx, 0x218(%rsp)
        movq    %rdx, 0x220(%rsp)
        movq    %rdx, 0x228(%rsp)
        movq    %rdx, 0x230(%rsp)
        movq    %rdx, 0x238(%rsp)
        movq    %rax, %rcx              # Site
        movl    $-1, %eax
        movl    $-1, %edx
        xsave64 (%rsp)
        movq    %r9, %rdx               # Address; r8 = Context
        pushq   %r8
        subq    $0x28, %rsp
        callq   VfAccess
        addq    $0x28, %rsp
        popq    %r8
        movl    $-1, %eax
        movl    $-1, %edx
        xrstor64 (%rsp)
        movq    CONTEXT_RAX(%r8), %rax
        movq    CONTEXT_RDX(%r8), %rdx
        movq    CONTEXT_R9(%r8), %r9
        movq    CONTEXT_R10(%r8), %r10
        movq    CONTEXT_R11(%r8), %r11
        movq    CONTEXT_R8(%r8), %r8
2:      movq    %rbp, %rsp
        popq    %rbp
        addq    $8, 8(%rsp)             # over the struct door_access
        popfq
        retq
        .seh_endproc

# Import thunks come here when the level may be wrong or a delivery point is due: r10d = thunk number, eax = why.
# Everything a callee may read as an argument is kept.
        .globl  VfThunkSlow
        .def    VfThunkSlow; .scl 2; .type 32; .endef
        .seh_proc VfThunkSlow
VfThunkSlow:
        subq    $(CONTEXT_BYTES + 0x38), %rsp
        .seh_stackalloc (CONTEXT_BYTES + 0x38)
        .seh_endprologue
        movq    %rax, 0x20+CONTEXT_RAX(%rsp)
        movq    %rcx, 0x20+CONTEXT_RCX(%rsp)
        movq    %rdx, 0x20+CONTEXT_RDX(%rsp)
        movq    %rbx, 0x20+CONTEXT_RBX(%rsp)
        movq    %rbp, 0x20+CONTEXT_RBP(%rsp)
        movq    %rsi, 0x20+CONTEXT_RSI(%rsp)
        movq    %rdi, 0x20+CONTEXT_RDI(%rsp)
        movq    %r8, 0x20+CONTEXT_R8(%rsp)
        movq    %r9, 0x20+CONTEXT_R9(%rsp)
        movq    %r12, 0x20+CONTEXT_R12(%rsp)
        movq    %r13, 0x20+CONTEXT_R13(%rsp)
        movq    %r14, 0x20+CONTEXT_R14(%rsp)
        movq    %r15, 0x20+CONTEXT_R15(%rsp)
        movaps  %xmm0, 0x20+CONTEXT_XMM0(%rsp)
        movaps  %xmm1, 0x20+CONTEXT_XMM0+0x10(%rsp)
        movaps  %xmm2, 0x20+CONTEXT_XMM0+0x20(%rsp)
        movaps  %xmm3, 0x20+CONTEXT_XMM0+0x30(%rsp)
        leaq    (CONTEXT_BYTES + 0x38 + 8)(%rsp), %r11
        movq    %r11, 0x20+CONTEXT_RSP(%rsp)
        movq    (CONTEXT_BYTES + 0x38)(%rsp), %r11
        movq    %r11, 0x20+CONTEXT_RIP(%rsp)
        movl    %r10d, %ecx
        movl    %eax, %edx
        leaq    0x20(%rsp), %r8
        callq   VfThunkCheck            # rax = where to go on
        movq    %rax, %r10
        movq    0x20+CONTEXT_RCX(%rsp), %rcx
        movq    0x20+CONTEXT_RDX(%rsp), %rdx
        movq    0x20+CONTEXT_R8(%rsp), %r8
        movq    0x20+CONTEXT_R9(%rsp), %r9
        movaps  0x20+CONTEXT_XMM0(%rsp), %xmm0
        movaps  0x20+CONTEXT_XMM0+0x10(%rsp), %xmm1
        movaps  0x20+CONTEXT_XMM0+0x20(%rsp), %xmm2
        movaps  0x20+CONTEXT_XMM0+0x30(%rsp), %xmm3
        xorl    %eax, %eax
        addq    $(CONTEXT_BYTES + 0x38), %rsp
        jmp     *%r10
        .seh_endproc

# A routine that returns 0 at once: where calls go that are not made.
        .globl  VfReturnZero
        .def    VfReturnZero; .scl 2; .type 32; .endef
VfReturnZero:
        xorl    %eax, %eax
        retq

# VOID KiCaptureFrame(PCONTEXT Context): what a walk from the caller of the caller's frame needs; much less than
# RtlCaptureContext.
        .globl  KiCaptureFrame
        .def    KiCaptureFrame; .scl 2; .type 32; .endef
KiCaptureFrame:
        movq    %rbx, CONTEXT_RBX(%rcx)
        movq    %rbp, CONTEXT_RBP(%rcx)
        movq    %rsi, CONTEXT_RSI(%rcx)
        movq    %rdi, CONTEXT_RDI(%rcx)
        movq    %r12, CONTEXT_R12(%rcx)
        movq    %r13, CONTEXT_R13(%rcx)
        movq    %r14, CONTEXT_R14(%rcx)
        movq    %r15, CONTEXT_R15(%rcx)
        leaq    8(%rsp), %rax
        movq    %rax, CONTEXT_RSP(%rcx)
        movq    (%rsp), %rax
        movq    %rax, CONTEXT_RIP(%rcx)
        retq

# A driver's call of a Zw routine on a user thread: r11 = the service, which finds PreviousMode = KernelMode. Arguments as the
# caller passed them, up to twelve.
        .globl  KiKernelService
        .def    KiKernelService; .scl 2; .type 32; .endef
        .seh_proc KiKernelService
KiKernelService:
        pushq   %rbp
        .seh_pushreg %rbp
        subq    $0x60, %rsp
        .seh_stackalloc 0x60
        leaq    0x60(%rsp), %rbp
        .seh_setframe %rbp, 0x60
        .seh_endprologue
        movq    0x30(%rbp), %rax        # the fifth lies behind rbp, the return address and the home area
        movq    %rax, 0x20(%rsp)
        movq    0x38(%rbp), %rax
        movq    %rax, 0x28(%rsp)
        movq    0x40(%rbp), %rax
        movq    %rax, 0x30(%rsp)
        movq    0x48(%rbp), %rax
        movq    %rax, 0x38(%rsp)
        movq    0x50(%rbp), %rax
        movq    %rax, 0x40(%rsp)
        movq    0x58(%rbp), %rax
        movq    %rax, 0x48(%rsp)
        movq    0x60(%rbp), %rax
        movq    %rax, 0x50(%rsp)
        movq    0x68(%rbp), %rax
        movq    %rax, 0x58(%rsp)
        movq    %gs:GS_THREAD, %rax
        movb    $0, THREAD_PREVIOUS_MODE(%rax)
        callq   *%r11
        movq    %gs:GS_THREAD, %rcx
        movb    $1, THREAD_PREVIOUS_MODE(%rcx)
        leaq    (%rbp), %rsp
        popq    %rbp
        retq
        .seh_endproc
