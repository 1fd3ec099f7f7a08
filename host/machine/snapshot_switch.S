# Where the machine stood when the snapshot was taken, and back there; see snapshot.c. System V convention.

        .section .note.GNU-stack, "", @progbits
        .text

# int snapshot_save(registers): 0; and again 1 after snapshot_load
        .globl  snapshot_save
        .type   snapshot_save, @function
snapshot_save:
        movq    %rbx, 0(%rdi)
        movq    %rbp, 8(%rdi)
        movq    %r12, 16(%rdi)
        movq    %r13, 24(%rdi)
        movq    %r14, 32(%rdi)
        movq    %r15, 40(%rdi)
        leaq    8(%rsp), %rax
        movq    %rax, 48(%rdi)
        movq    (%rsp), %rax
        movq    %rax, 56(%rdi)
        stmxcsr 64(%rdi)
        fnstcw  68(%rdi)
        xorl    %eax, %eax
        ret
        .size   snapshot_save, . - snapshot_save

# void snapshot_load(registers)
        .globl  snapshot_load
        .type   snapshot_load, @function
snapshot_load:
        movq    0(%rdi), %rbx
        movq    8(%rdi), %rbp
        movq    16(%rdi), %r12
        movq    24(%rdi), %r13
        movq    32(%rdi), %r14
        movq    40(%rdi), %r15
        fninit
        fldcw   68(%rdi)
        ldmxcsr 64(%rdi)
        cld
        movl    $1, %eax
        movq    48(%rdi), %rsp
        jmpq    *56(%rdi)
        .size   snapshot_load, . - snapshot_load

# void snapshot_leave(stack, call): call on another stack
        .globl  snapshot_leave
        .type   snapshot_leave, @function
snapshot_leave:
        movq    %rdi, %rsp
        xorl    %ebp, %ebp
        callq   *%rsi
        ud2
        .size   snapshot_leave, . - snapshot_leave
