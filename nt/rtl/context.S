# Exceptions, the parts that need exact registers: capture and restore of a context, the calls of language handlers,
# stack probes, setjmp.

        .set    CONTEXT_FLAGS, 0x30
        .set    CONTEXT_MXCSR, 0x34
        .set    CONTEXT_SEG_CS, 0x38
        .set    CONTEXT_SEG_DS, 0x3a
        .set    CONTEXT_SEG_ES, 0x3c
        .set    CONTEXT_SEG_FS, 0x3e
        .set    CONTEXT_SEG_GS, 0x40
        .set    CONTEXT_SEG_SS, 0x42
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
        .set    CONTEXT_FLTSAVE, 0x100
        .set    CONTEXT_XMM0, 0x1a0

        .set    DISPATCHER_HANDLER, 0x30        # DISPATCHER_CONTEXT.LanguageHandler
        .set    HANDLER_FRAME_DISPATCHER, 0x20  # RTLP_HANDLER_FRAME: where the dispatcher context's address is kept

        .macro  routine Name
        .globl  \Name
        .def    \Name; .scl 2; .type 32; .endef
        .seh_proc \Name
\Name:
        .endm

        .text

# VOID RtlCaptureContext(PCONTEXT): the caller's registers, as they are when this returns.
routine RtlCaptureContext
        pushfq
        .seh_stackalloc 8
        .seh_endprologue
        movq    %rax, CONTEXT_RAX(%rcx)
        movq    %rcx, CONTEXT_RCX(%rcx)
        movq    %rdx, CONTEXT_RDX(%rcx)
        movq    %rbx, CONTEXT_RBX(%rcx)
        movq    %rbp, CONTEXT_RBP(%rcx)
        movq    %rsi, CONTEXT_RSI(%rcx)
        movq    %rdi, CONTEXT_RDI(%rcx)
        movq    %r8, CONTEXT_R8(%rcx)
        movq    %r9, CONTEXT_R9(%rcx)
        movq    %r10, CONTEXT_R10(%rcx)
        movq    %r11, CONTEXT_R11(%rcx)
        movq    %r12, CONTEXT_R12(%rcx)
        movq    %r13, CONTEXT_R13(%rcx)
        movq    %r14, CONTEXT_R14(%rcx)
        movq    %r15, CONTEXT_R15(%rcx)
        fxsave64 CONTEXT_FLTSAVE(%rcx)
        stmxcsr CONTEXT_MXCSR(%rcx)
        movw    %cs, CONTEXT_SEG_CS(%rcx)
        movw    %ds, CONTEXT_SEG_DS(%rcx)
        movw    %es, CONTEXT_SEG_ES(%rcx)
        movw    %fs, CONTEXT_SEG_FS(%rcx)
        movw    %gs, CONTEXT_SEG_GS(%rcx)
        movw    %ss, CONTEXT_SEG_SS(%rcx)
        movl    (%rsp), %eax
        movl    %eax, CONTEXT_EFLAGS(%rcx)
        leaq    0x10(%rsp), %rax
        movq    %rax, CONTEXT_RSP(%rcx)
        movq    8(%rsp), %rax
        movq    %rax, CONTEXT_RIP(%rcx)
        movl    $0x10000f, CONTEXT_FLAGS(%rcx)  # control, integer, segments, floating point
        movq    CONTEXT_RAX(%rcx), %rax
        addq    $8, %rsp
        retq
        .seh_endproc

# VOID RtlpRestoreContext(const CONTEXT *): never returns. The interrupt return loads Rip, Rsp and the flags at once from
# a frame on the stack in use, so nothing is written below the stack pointer that is restored, nor anywhere above it.
routine RtlpRestoreContext
        subq    $0x28, %rsp
        .seh_stackalloc 0x28
        .seh_endprologue
        ldmxcsr CONTEXT_MXCSR(%rcx)
        movaps  CONTEXT_XMM0+0x00(%rcx), %xmm0
        movaps  CONTEXT_XMM0+0x10(%rcx), %xmm1
        movaps  CONTEXT_XMM0+0x20(%rcx), %xmm2
        movaps  CONTEXT_XMM0+0x30(%rcx), %xmm3
        movaps  CONTEXT_XMM0+0x40(%rcx), %xmm4
        movaps  CONTEXT_XMM0+0x50(%rcx), %xmm5
        movaps  CONTEXT_XMM0+0x60(%rcx), %xmm6
        movaps  CONTEXT_XMM0+0x70(%rcx), %xmm7
        movaps  CONTEXT_XMM0+0x80(%rcx), %xmm8
        movaps  CONTEXT_XMM0+0x90(%rcx), %xmm9
        movaps  CONTEXT_XMM0+0xa0(%rcx), %xmm10
        movaps  CONTEXT_XMM0+0xb0(%rcx), %xmm11
        movaps  CONTEXT_XMM0+0xc0(%rcx), %xmm12
        movaps  CONTEXT_XMM0+0xd0(%rcx), %xmm13
        movaps  CONTEXT_XMM0+0xe0(%rcx), %xmm14
        movaps  CONTEXT_XMM0+0xf0(%rcx), %xmm15
        movq    CONTEXT_RIP(%rcx), %rax
        movq    %rax, 0x00(%rsp)
        movl    %cs, %eax
        movq    %rax, 0x08(%rsp)
        movl    CONTEXT_EFLAGS(%rcx), %eax
        movq    %rax, 0x10(%rsp)
        movq    CONTEXT_RSP(%rcx), %rax
        movq    %rax, 0x18(%rsp)
        movl    %ss, %eax
        movq    %rax, 0x20(%rsp)
        movq    CONTEXT_RAX(%rcx), %rax
        movq    CONTEXT_RDX(%rcx), %rdx
        movq    CONTEXT_RBX(%rcx), %rbx
        movq    CONTEXT_RBP(%rcx), %rbp
        movq    CONTEXT_RSI(%rcx), %rsi
        movq    CONTEXT_RDI(%rcx), %rdi
        movq    CONTEXT_R8(%rcx), %r8
        movq    CONTEXT_R9(%rcx), %r9
        movq    CONTEXT_R10(%rcx), %r10
        movq    CONTEXT_R11(%rcx), %r11
        movq    CONTEXT_R12(%rcx), %r12
        movq    CONTEXT_R13(%rcx), %r13
        movq    CONTEXT_R14(%rcx), %r14
        movq    CONTEXT_R15(%rcx), %r15
        movq    CONTEXT_RCX(%rcx), %rcx
        iretq
        .seh_endproc

# EXCEPTION_DISPOSITION RtlpExecuteHandlerForException(PEXCEPTION_RECORD, PVOID EstablisherFrame, PCONTEXT,
# PDISPATCHER_CONTEXT): call the language handler. An exception in it meets this frame's own handler.
routine RtlpExecuteHandlerForException
        subq    $0x28, %rsp
        .seh_stackalloc 0x28
        .seh_handler RtlpNestedHandler, @except
        .seh_endprologue
        movq    %r9, HANDLER_FRAME_DISPATCHER(%rsp)
        callq   *DISPATCHER_HANDLER(%r9)
        nop
        addq    $0x28, %rsp
        retq
        .seh_endproc

# The same while unwinding.
routine RtlpExecuteHandlerForUnwind
        subq    $0x28, %rsp
        .seh_stackalloc 0x28
        .seh_handler RtlpCollidedHandler, @unwind, @except
        .seh_endprologue
        movq    %r9, HANDLER_FRAME_DISPATCHER(%rsp)
        callq   *DISPATCHER_HANDLER(%r9)
        nop
        addq    $0x28, %rsp
        retq
        .seh_endproc

# Called before a large frame is made, rax = its bytes: touches each page of it from above, so that the guard page is
# met in order. Keeps every register but r10, r11 and the flags.
        .globl  ___chkstk_ms
        .def    ___chkstk_ms; .scl 2; .type 32; .endef
routine __chkstk
___chkstk_ms:
        .seh_endprologue
        leaq    8(%rsp), %r10           # the caller's stack pointer
        movq    %r10, %r11
        subq    %rax, %r11              # where it will be
        cmovbq  %rax, %r11              # below address 0: the first touch tells
        cmpq    $0x1000, %rax
        jb      2f
1:      subq    $0x1000, %r10
        testb   %al, (%r10)
        cmpq    %r11, %r10
        ja      1b
2:      testb   %al, (%r11)
        retq
        .seh_endproc

        .set    JUMP_FRAME, 0x00        # _JUMP_BUFFER
        .set    JUMP_RBX, 0x08
        .set    JUMP_RSP, 0x10
        .set    JUMP_RBP, 0x18
        .set    JUMP_RSI, 0x20
        .set    JUMP_RDI, 0x28
        .set    JUMP_R12, 0x30
        .set    JUMP_R13, 0x38
        .set    JUMP_R14, 0x40
        .set    JUMP_R15, 0x48
        .set    JUMP_RIP, 0x50
        .set    JUMP_MXCSR, 0x58
        .set    JUMP_FPCSR, 0x5c
        .set    JUMP_XMM6, 0x60

# int _setjmp(jmp_buf, PVOID Frame), int _setjmpex(jmp_buf, PVOID Frame): compilers pass the frame for both. With a frame
# longjmp unwinds to it, so __finally blocks run.
        .globl  _setjmpex
        .def    _setjmpex; .scl 2; .type 32; .endef
routine _setjmp
_setjmpex:
        .seh_endprologue
        movq    %rdx, JUMP_FRAME(%rcx)
        movq    %rbx, JUMP_RBX(%rcx)
        leaq    8(%rsp), %rax
        movq    %rax, JUMP_RSP(%rcx)
        movq    %rbp, JUMP_RBP(%rcx)
        movq    %rsi, JUMP_RSI(%rcx)
        movq    %rdi, JUMP_RDI(%rcx)
        movq    %r12, JUMP_R12(%rcx)
        movq    %r13, JUMP_R13(%rcx)
        movq    %r14, JUMP_R14(%rcx)
        movq    %r15, JUMP_R15(%rcx)
        movq    (%rsp), %rax
        movq    %rax, JUMP_RIP(%rcx)
        stmxcsr JUMP_MXCSR(%rcx)
        fnstcw  JUMP_FPCSR(%rcx)
        movaps  %xmm6, JUMP_XMM6+0x00(%rcx)
        movaps  %xmm7, JUMP_XMM6+0x10(%rcx)
        movaps  %xmm8, JUMP_XMM6+0x20(%rcx)
        movaps  %xmm9, JUMP_XMM6+0x30(%rcx)
        movaps  %xmm10, JUMP_XMM6+0x40(%rcx)
        movaps  %xmm11, JUMP_XMM6+0x50(%rcx)
        movaps  %xmm12, JUMP_XMM6+0x60(%rcx)
        movaps  %xmm13, JUMP_XMM6+0x70(%rcx)
        movaps  %xmm14, JUMP_XMM6+0x80(%rcx)
        movaps  %xmm15, JUMP_XMM6+0x90(%rcx)
        xorl    %eax, %eax
        retq
        .seh_endproc
