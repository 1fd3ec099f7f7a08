// Driver code in small for test_patch.c: it is copied into the .text of a hand-made image, mapped, patched and called by
// the System V convention. FUNCTION..END regions get a .pdata entry; what lies between them is a gap, as leaf functions
// and jump tables are in real images. Then the kernel's side: the routines that patched code calls, and a harness that
// runs a function with known registers.

    .macro FUNCTION name
    .p2align 4, 0xcc
    .globl code_\name
code_\name:
    .pushsection .data.functions, "aw"
    .quad code_\name, 9f, 0
    .popsection
    .endm
    .macro PART name            // a further part of the function before it, with an entry of its own
    .globl code_\name
code_\name:
    .pushsection .data.functions, "aw"
    .quad code_\name, 9f, 1
    .popsection
    .endm
    .macro LEAF name            // no unwind data
    .p2align 4, 0xcc
    .globl code_\name
code_\name:
    .endm
    .macro END
9:
    .endm

    .section .data.functions, "aw"
    .globl code_functions
code_functions:

    .text
    .p2align 12
    .globl code_begin
code_begin:

FUNCTION read_cr8               // 4 bytes and the return: exactly a jump's five
    mov %cr8, %rax
    ret
END
FUNCTION read_cr8_r9
    mov %cr8, %r9
    mov %r9, %rax
    ret
END
FUNCTION write_cr8
    mov %rdi, %cr8
    mov $77, %eax
    ret
END
FUNCTION write_cr8_r12
    push %r12
    mov %rdi, %r12
    mov %r12, %cr8
    mov %r12, %rax
    pop %r12
    ret
END
FUNCTION rip_neighbour          // the neighbour reads through rip
    cli
    mov constant(%rip), %eax
    ret
END
FUNCTION sti_keeps_flags
    xor %eax, %eax
    cmp %rsi, %rdi
    sti
    setb %al
    ret
END
FUNCTION spin                   // the loop's branch moves along and leads back to the site
1:  pause
    dec %edi
    jne 1b
    mov $5, %eax
    ret
END
FUNCTION far_condition          // a two-byte jump becomes a six-byte one
    cli
    test %edi, %edi
    je 1f
    mov $1, %eax
    ret
    .fill 60, 1, 0x90
1:  mov $2, %eax
    ret
END
FUNCTION backward               // a label follows the site: what stands before it moves
    xor %eax, %eax
    mov $3, %edi
    cli
1:  inc %eax
    dec %edi
    jne 1b
    ret
END
FUNCTION no_room                // labels before and behind: nothing can move
    xor %eax, %eax
    test %edi, %edi
    jne 2f
1:  inc %eax
    cmp $4, %eax
    jge 3f
2:  pause
3:  inc %eax
    cmp $9, %eax
    jb 1b
    ret
END
FUNCTION no_room_cli
    xor %eax, %eax
1:  cli
2:  inc %eax
    cmp $4, %eax
    jb 2b
    cmp $9, %eax
    jb 1b
    ret
END
FUNCTION call_behind            // the callee sees the return address of the original; a label keeps what is before
    sub $8, %rsp
    test %edi, %edi
    je 1f
    nop
1:  cli
    call return_address
    .globl code_call_behind_return
code_call_behind_return:
    add $8, %rsp
    ret
END
FUNCTION call_through_pointer
    sub $8, %rsp
    test %edi, %edi
    je 1f
    nop
1:  sti
    call *pointer(%rip)
    .globl code_call_through_pointer_return
code_call_through_pointer_return:
    add $8, %rsp
    ret
END
FUNCTION call_through_register
    sub $8, %rsp
    lea return_address(%rip), %rax
    test %edi, %edi
    je 1f
    nop
1:  sti
    cli
    nop
    call *%rax
    .globl code_call_through_register_return
code_call_through_register_return:
    add $8, %rsp
    ret
END
FUNCTION jump_away
    sti
    jmp 1f
    .fill 140, 1, 0xcc
1:  mov $31, %eax
    ret
END
FUNCTION shared_data
    movabs $0xFFFFF78000000014, %rax
    mov (%rax), %rdx
    movabs 0xFFFFF78000000320, %rax
    add %rdx, %rax
    ret
END
FUNCTION push_flags
    xor %eax, %eax
    stc
    pushfq
    setc %al
    pop %rdx
    and $0x201, %edx
    shl $16, %eax
    or %edx, %eax
    ret
END
FUNCTION pop_flags
    push %rdi
    popfq
    mov $0, %eax
    setc %al
    ret
END
FUNCTION all_registers          // with run_with
    cli
    sti
    pause
    mov %cr8, %rcx
    mov %rcx, %cr8
    sti
    sti
    sti
    ret
END
FUNCTION answers                // not run: must all be marked
    cpuid
    rdrand %eax
    rdseed %rbx
    sgdt 16(%rsp)
    sidt (%rax)
    sldt %eax
    str %cx
    smsw %ecx
    smsw (%rdi)
    xor %ecx, %ecx
    xgetbv
    rdpid %rax
    rdtsc
    rdtscp
    ret
END
FUNCTION call_leaf
    sub $8, %rsp
    call code_leaf
    add $8, %rsp
    ret
END
FUNCTION switch                 // a table relative to itself: its labels are nowhere else
    lea table(%rip), %rdx
    movslq (%rdx,%rdi,4), %rax
    add %rdx, %rax
    jmp *%rax
10: mov $100, %eax
    cli
11: add $1, %eax
12: ret
END
FUNCTION switch_by_rva          // as MSVC does: rvas in the code section; rsi is the image's base
    mov 40f-code_begin+0x1000(%rsi,%rdi,4), %eax
    add %rsi, %rax
    jmp *%rax
30: mov $8, %eax
    cli
    ret
31: mov $2, %eax
    sti
32: add %eax, %eax
    ret
33: mov $8, %eax
    jmp 32b
END
    .p2align 2
    .globl code_rva_table
code_rva_table:
40: .long 33b-code_begin+0x1000, 31b-code_begin+0x1000, 30b-code_begin+0x1000, 0xfafafafa, 0xfafafafa
FUNCTION switch_in_parts        // as MSVC does when it shrink-wraps: the tables are a part of their own behind the code
    lea code_begin-0x1000(%rip), %r9
    movzbl code_case_table-code_begin+0x1000(%r9,%rdi), %eax
    mov code_jump_table-code_begin+0x1000(%r9,%rax,4), %ecx
    add %r9, %rcx
    jmp *%rcx
50: mov $1, %eax
    ret
END
PART switch_middle
51: mov $2, %eax
    cli
    ret
52: mov $3, %eax
    ret
END
PART jump_table
    .long 50b-code_begin+0x1000, 51b-code_begin+0x1000, 52b-code_begin+0x1000
    .globl code_case_table
code_case_table:
    .byte 1, 0x0f, 0x31, 0x0f, 0xa2, 2, 0xfa, 0x90, 0x90, 0x90, 0x90, 0xfb, 0xf3, 0x90, 0, 0x9c
    .globl code_case_table_end
code_case_table_end:
END
FUNCTION close_pair             // each alone would take the instructions that the other needs
    cli
    lea 1(%rdi,%rdi,2), %eax
    sti
    ret
END
FUNCTION end_of_function        // nothing but padding behind
    xor %eax, %eax
    sti
    ret
END
LEAF leaf
    cli
    mov $99, %eax
    ret
    .globl code_data
code_data:                      // never reached: stays as it is
    .byte 0xfa, 0xfa, 0xfa, 0xfb, 0xfb, 0x0f, 0xa2, 0xf3, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3
    .globl code_data_end
code_data_end:
    .p2align 2
table:
    .long 10b - table, 11b - table, 12b - table
    .globl code_constant_table
code_constant_table:
    .long 0xfafafafa, 0xfbfbfbfb
LEAF return_address
return_address:
    mov (%rsp), %rax
    ret
    .p2align 3
constant:
    .long 4711
    .p2align 3
    .globl code_pointer
code_pointer:
pointer:
    .quad 0
    .globl code_end
code_end:

// ---- The kernel's side. Counters lie in the processor area behind what the door fixes. ----

    .globl up_write_cr8_exact, up_write_cr8, up_enable_interrupts, up_pause
up_write_cr8:                   // argument at 8(%rsp); registers kept, flags deliberately not
    push %rax
    mov 16(%rsp), %rax
    mov %al, %gs:0x50
    incq %gs:0x2000
    xor %eax, %eax
    pop %rax
    ret
up_write_cr8_exact:             // keeps flags too
    push %rax
    mov 16(%rsp), %rax
    mov %al, %gs:0x50
    pop %rax
    ret
up_enable_interrupts:
    pushfq
    movl $1, %gs:0x1000
    incq %gs:0x2008
    popfq
    ret
up_pause:
    pushfq
    incq %gs:0x2010
    popfq
    ret

// void run_with(uint64_t registers[16], void *routine): by encoding order; rsp's place is unused.
    .globl run_with
run_with:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    push %rsi
    mov %rdi, %rax
    xor %ecx, %ecx              // the same flags each time
    mov 8(%rax), %rcx
    mov 16(%rax), %rdx
    mov 24(%rax), %rbx
    mov 40(%rax), %rbp
    mov 48(%rax), %rsi
    mov 56(%rax), %rdi
    mov 64(%rax), %r8
    mov 72(%rax), %r9
    mov 80(%rax), %r10
    mov 88(%rax), %r11
    mov 96(%rax), %r12
    mov 104(%rax), %r13
    mov 112(%rax), %r14
    mov 120(%rax), %r15
    mov 0(%rax), %rax
    call *(%rsp)
    push %rax
    mov 16(%rsp), %rax
    mov %rcx, 8(%rax)
    mov %rdx, 16(%rax)
    mov %rbx, 24(%rax)
    mov %rbp, 40(%rax)
    mov %rsi, 48(%rax)
    mov %rdi, 56(%rax)
    mov %r8, 64(%rax)
    mov %r9, 72(%rax)
    mov %r10, 80(%rax)
    mov %r11, 88(%rax)
    mov %r12, 96(%rax)
    mov %r13, 104(%rax)
    mov %r14, 112(%rax)
    mov %r15, 120(%rax)
    pop %rcx
    mov %rcx, 0(%rax)
    pop %rsi
    pop %rdi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .data.functions, "aw"
    .quad 0
    .section .note.GNU-stack, "", @progbits
