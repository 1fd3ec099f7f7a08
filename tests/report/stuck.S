/*
 * A driver-shaped image for the report's tests: in assembly, so that its offsets are the same with every compiler, with the
 * assembler's own line table as debug data. Never run; the events that the tests feed name its addresses.
 */
	.intel_syntax noprefix
	.text

	.globl DriverEntry
	.def DriverEntry; .scl 2; .type 32; .endef
	.seh_proc DriverEntry
DriverEntry:
	sub rsp, 40
	.seh_stackalloc 40
	.seh_endprologue
	lea rcx, StuckTimer[rip]
	call [rip + __imp_KeSetTimerEx]
	call DbgPrint                  /* through a jump stub, as compilers do without dllimport */
	xor eax, eax
	add rsp, 40
	ret
	.seh_endproc

	.def TimerDpc; .scl 3; .type 32; .endef
	.seh_proc TimerDpc
TimerDpc:
	sub rsp, 40
	.seh_stackalloc 40
	.seh_endprologue
	mov rcx, [rcx]
	call [rip + __imp_ZwCreateFile]
	mov eax, [rax]                 /* a fault here is right behind a call */
	add rsp, 40
	ret
	.seh_endproc

DbgPrint:
	jmp [rip + __imp_DbgPrint]

	.data
	.globl Counter
Counter:
	.long 1
	.align 16
StuckTimer:
	.space 64
