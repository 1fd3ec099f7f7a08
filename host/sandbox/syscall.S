# The two system call instructions of the worker; see syscall.h.

        .section .note.GNU-stack, "", @progbits
        .text

# long sandbox_syscall(number, a1, a2, a3, a4, a5, a6)
        .globl  sandbox_syscall, sandbox_syscall_end
        .type   sandbox_syscall, @function
sandbox_syscall:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
        syscall
sandbox_syscall_end:
        ret
        .size   sandbox_syscall, . - sandbox_syscall

        .globl  sandbox_restorer, sandbox_restorer_end
        .type   sandbox_restorer, @function
sandbox_restorer:
        movl    $15, %eax               # rt_sigreturn
        syscall
sandbox_restorer_end:
        ud2
        .size   sandbox_restorer, . - sandbox_restorer
