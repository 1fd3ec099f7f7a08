/*
 * I/O manager, drivers and devices, files on volumes, and the operator that carries out the host's commands.
 */
#pragma once

VOID IoInitialize(VOID);
/* Load and start (DriverEntry on a system thread of its own), or unload, by file name. */
NTSTATUS IopLoadDriver(PCSTR FileName, PDRIVER_OBJECT *Driver);
NTSTATUS IopUnloadDriver(PCSTR FileName); /* "" = all, last loaded first */
/* The first thread of the machine: asks the host for commands until END. */
VOID IopOperator(PVOID Context);
