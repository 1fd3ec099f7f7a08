/* A few contract rows for the report's tests, so that their golden files do not change with the real tables. */
#include "report/contracts.h"

#define WORK_ITEM "queue a work item (ExQueueWorkItem); its routine runs at PASSIVE_LEVEL."

const struct contract_row contract_rows[] = {
    {.name = "KeSetTimerEx",
     .module = "ntoskrnl.exe",
     .max = 2,
     .rule = "KeSetTimerEx may be called at DISPATCH_LEVEL or below."},
    {.name = "ZwCreateFile",
     .module = "ntoskrnl.exe",
     .remedy = WORK_ITEM,
     .rule = "ZwCreateFile may be called at PASSIVE_LEVEL only."},
    {.name = "ZwWriteFile",
     .module = "ntoskrnl.exe",
     .max = 2,
     .remedy_condition = WORK_ITEM,
     .rule = "ZwWriteFile may be called at DISPATCH_LEVEL or below.",
     .conditions = "PASSIVE_LEVEL at most when it waits"},
};
const size_t contract_row_count = 3;

const struct contract_level contract_levels[] = {
    {.name = "HIGH_LEVEL", .low = 15, .high = 15},   {.name = "DIRQL", .low = 3, .high = 14},
    {.name = "DISPATCH_LEVEL", .low = 2, .high = 2}, {.name = "APC_LEVEL", .low = 1, .high = 1},
    {.name = "PASSIVE_LEVEL", .low = 0, .high = 0},
};
const size_t contract_level_count = 5;

const struct contract_rule contract_rules[] = {
    {"irql.call-too-high", 0xa, "A routine may only be called at its levels.", NULL},
    {"memory.paged-at-dispatch", 0xd1, "Paged memory may be touched below DISPATCH_LEVEL only.", "use nonpaged pool."},
    {"unload.timer", 0xce, "A driver's timers are cancelled before it is unloaded.", "call KeCancelTimer."},
};
const size_t contract_rule_count = 3;

const struct contract_remedy contract_remedies[] = {{"work-item", WORK_ITEM}};
const size_t contract_remedy_count = 1;

const struct contract_bugcheck contract_bugchecks[] = {
    {0xa,
     "IRQL_NOT_LESS_OR_EQUAL",
     {"referenced address", "IRQL at fault", "access kind", "faulting instruction address"}},
    {0xd1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL", {"referenced address", "IRQL", "access kind", NULL}},
};
const size_t contract_bugcheck_count = 2;
