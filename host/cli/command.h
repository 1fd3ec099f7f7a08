/*
 * The commands of the tool: one file and one row of the table in main.c each.
 */
#pragma once

#define IRQLAB_VERSION "0.1.0"

/* Exit statuses, the same for all commands. */
enum command_status {
    COMMAND_CLEAN = 0,
    COMMAND_FINDINGS = 1,
    COMMAND_USAGE = 2,    /* also input that is no good */
    COMMAND_MISSING = 3,  /* the driver needs something that does not exist here */
    COMMAND_INTERNAL = 70 /* we are wrong, or the host failed us */
};

/* argv: what follows the command's name. Returns an exit status. */
int command_run(int argc, char **argv);
int command_explore(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_shrink(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_imports(int argc, char **argv);
int command_test(int argc, char **argv);
int command_client(int argc, char **argv);
int command_cc(int argc, char **argv);
int command_doctor(int argc, char **argv);
