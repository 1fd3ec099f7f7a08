/*
 * The only place from which the worker may make system calls once sandbox_enter has been called: the filter knows the
 * two return addresses. Nothing in the worker may call into libc for anything that makes a system call from then on.
 */
#pragma once

long sandbox_syscall(long number, long a1, long a2, long a3, long a4, long a5, long a6);
void sandbox_restorer(void); /* SA_RESTORER of the worker's signal handlers; never called */

extern const char sandbox_syscall_end[], sandbox_restorer_end[]; /* addresses behind the syscall instructions */
