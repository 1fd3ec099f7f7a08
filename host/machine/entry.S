# Into the machine, and the copy routine of its signal handlers.

        .section .note.GNU-stack, "", @progbits
        .text

# void entry_boot(stack, entry, door): Microsoft's convention: rcx, 32 bytes of home space, stack 16-byte aligned at the call.
        .globl  entry_boot
        .type   entry_boot, @function
entry_boot:
        movq    %rdi, %rsp
        andq    $-16, %rsp
        subq    $0x20, %rsp
        movq    %rdx, %rcx
        xorl    %ebp, %ebp
        cld
        callq   *%rsi
        leaq    returned(%rip), %rsi
        movl    $2, %edi                # DOOR_HALT_INTERNAL
        callq   machine_halt
        ud2
        .size   entry_boot, . - entry_boot

        .section .rodata
returned:
        .asciz  "KiSystemStartup returned"

        .text
# size_t trap_copy(to, from, bytes): for signal handlers; a fault ends it early. Returns the bytes not copied.
        .globl  trap_copy, trap_copy_instruction, trap_copy_failed
        .type   trap_copy, @function
trap_copy:
        movq    %rdx, %rcx
trap_copy_instruction:
        rep movsb
trap_copy_failed:
        movq    %rcx, %rax
        ret
        .size   trap_copy, . - trap_copy
