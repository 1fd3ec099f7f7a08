# Switching: between the threads of a processor, between processors, to the DPC stack; and the start of a thread.
# Microsoft x64 convention: rbx rbp rdi rsi r12-r15 xmm6-xmm15 survive a call. A switch is a call, so that is all to save.

        .set    THREAD_KERNEL_STACK, 0x40       # _KTHREAD.KernelStack
        .set    PROCESSOR_SUSPENDED, 0x1020     # _KI_PROCESSOR.SuspendedStack
        .set    PROCESSOR_THREAD, 0x188         # _KI_PROCESSOR.CurrentThread

        .macro  save_nonvolatile
        pushq   %rbp
        .seh_pushreg %rbp
        pushq   %rbx
        .seh_pushreg %rbx
        pushq   %rdi
        .seh_pushreg %rdi
        pushq   %rsi
        .seh_pushreg %rsi
        pushq   %r12
        .seh_pushreg %r12
        pushq   %r13
        .seh_pushreg %r13
        pushq   %r14
        .seh_pushreg %r14
        pushq   %r15
        .seh_pushreg %r15
        subq    $0xa8, %rsp
        .seh_stackalloc 0xa8
        .seh_endprologue
        movaps  %xmm6, 0x00(%rsp)
        movaps  %xmm7, 0x10(%rsp)
        movaps  %xmm8, 0x20(%rsp)
        movaps  %xmm9, 0x30(%rsp)
        movaps  %xmm10, 0x40(%rsp)
        movaps  %xmm11, 0x50(%rsp)
        movaps  %xmm12, 0x60(%rsp)
        movaps  %xmm13, 0x70(%rsp)
        movaps  %xmm14, 0x80(%rsp)
        movaps  %xmm15, 0x90(%rsp)
        .endm

        # Ends in a jump: a return would always be mispredicted here.
        .macro  restore_nonvolatile_and_return
        movaps  0x00(%rsp), %xmm6
        movaps  0x10(%rsp), %xmm7
        movaps  0x20(%rsp), %xmm8
        movaps  0x30(%rsp), %xmm9
        movaps  0x40(%rsp), %xmm10
        movaps  0x50(%rsp), %xmm11
        movaps  0x60(%rsp), %xmm12
        movaps  0x70(%rsp), %xmm13
        movaps  0x80(%rsp), %xmm14
        movaps  0x90(%rsp), %xmm15
        addq    $0xa8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rsi
        popq    %rdi
        popq    %rbx
        popq    %rbp
        popq    %rcx
        jmp     *%rcx
        .endm

        .text

# VOID KiSwapContext(PKTHREAD Old, PKTHREAD New): returns in New's last KiSwapContext. DISPATCH_LEVEL.
        .globl  KiSwapContext
        .def    KiSwapContext; .scl 2; .type 32; .endef
        .seh_proc KiSwapContext
KiSwapContext:
        save_nonvolatile
        movq    %rsp, THREAD_KERNEL_STACK(%rcx)
        movq    %rdx, %gs:PROCESSOR_THREAD
        movq    THREAD_KERNEL_STACK(%rdx), %rsp
        restore_nonvolatile_and_return
        .seh_endproc

# VOID KiSwapProcessor(PKI_PROCESSOR From, PKI_PROCESSOR To): the flow of From stops here, that of To goes on.
        .globl  KiSwapProcessor
        .def    KiSwapProcessor; .scl 2; .type 32; .endef
        .seh_proc KiSwapProcessor
KiSwapProcessor:
        save_nonvolatile
        movq    %rsp, PROCESSOR_SUSPENDED(%rcx)
        wrgsbase %rdx
        movq    PROCESSOR_SUSPENDED(%rdx), %rsp
        restore_nonvolatile_and_return
        .seh_endproc

# VOID KiSwapProcessorByDoor(From, To, DOOR_CALL Select): the same where wrgsbase is not allowed.
        .globl  KiSwapProcessorByDoor
        .def    KiSwapProcessorByDoor; .scl 2; .type 32; .endef
        .seh_proc KiSwapProcessorByDoor
KiSwapProcessorByDoor:
        save_nonvolatile
        movq    %rsp, PROCESSOR_SUSPENDED(%rcx)
        movq    %rdx, %rbx
        movq    %rdx, %rdi              # System V: first argument
        callq   *%r8
        movq    PROCESSOR_SUSPENDED(%rbx), %rsp
        restore_nonvolatile_and_return
        .seh_endproc

# Where the first switch to a new thread or processor arrives: rbx = routine, r12 = its argument (see KiBuildStack).
        .globl  KiStackStart
        .def    KiStackStart; .scl 2; .type 32; .endef
        .seh_proc KiStackStart
KiStackStart:
        .seh_endprologue
        movq    %r12, %rcx
        callq   *%rbx
        ud2
        .seh_endproc

# VOID KiCallOnStack(VOID (*Routine)(VOID), PVOID StackBase): the walk of a stack ends at its base.
        .globl  KiCallOnStack
        .def    KiCallOnStack; .scl 2; .type 32; .endef
        .seh_proc KiCallOnStack
KiCallOnStack:
        pushq   %rbx
        .seh_pushreg %rbx
        .seh_endprologue
        movq    %rsp, %rbx
        leaq    -0x20(%rdx), %rsp
        callq   *%rcx
        movq    %rbx, %rsp
        popq    %rbx
        retq
        .seh_endproc
