/*
 * A driver for run_test.c whose stack pointer is lost just before its routine's end: the first instruction of the epilogue
 * faults, and what the epilogue would do can't be done by the unwinder either.
 */
	.intel_syntax noprefix
	.text

	.globl DriverEntry
	.def DriverEntry; .scl 2; .type 32; .endef
	.seh_proc DriverEntry
DriverEntry:
	push rbx
	.seh_pushreg rbx
	push rsi
	.seh_pushreg rsi
	.seh_endprologue
	xor eax, eax
	mov esp, 0x1000
	pop rsi
	pop rbx
	ret
	.seh_endproc
