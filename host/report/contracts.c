/*
 * Look-ups in the tables that the build makes from contracts/.
 *
 * Names are looked up exactly; guessing what somebody meant by a misspelt one is `explain`'s business, which walks the
 * tables itself.
 */
#include "report/contracts.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Every table starts its records with the name it is sorted by. */
static int compare_name(const void *name, const void *record)
{
    return strcmp(name, *(const char *const *)record);
}

const struct contract_row *contract_find(const char *name)
{
    return bsearch(name, contract_rows, contract_row_count, sizeof contract_rows[0], compare_name);
}

const struct contract_rule *contract_rule_find(const char *id)
{
    return bsearch(id, contract_rules, contract_rule_count, sizeof contract_rules[0], compare_name);
}

const char *contract_remedy_find(const char *key)
{
    const struct contract_remedy *found =
        bsearch(key, contract_remedies, contract_remedy_count, sizeof contract_remedies[0], compare_name);
    return found ? found->text : NULL;
}

const char *contract_remedy_at(const struct contract_row *row, int level)
{
    if (row->max >= 0 && level > row->max)
        return row->remedy;
    if (row->min >= 0 && level < row->min)
        return row->remedy_low;
    return row->remedy_condition;
}

/* Is `word` the level name in [name, name + length), where "_LEVEL" may be left out? */
static bool same_level(const char *word, const char *name, size_t length)
{
    size_t bytes = strlen(word);
    if (bytes == length)
        return strncasecmp(word, name, length) == 0;
    return length == bytes + 6 && strncasecmp(name + bytes, "_LEVEL", 6) == 0 && strncasecmp(word, name, bytes) == 0;
}

const struct contract_level *contract_level_find(const char *name)
{
    for (size_t i = 0; i < contract_level_count; i++) {
        const struct contract_level *level = &contract_levels[i];
        if (same_level(name, level->name, strlen(level->name)))
            return level;
        for (const char *alias = level->aliases; alias && *alias;) {
            size_t length = strcspn(alias, " ");
            if (same_level(name, alias, length))
                return level;
            alias += length + strspn(alias + length, " ");
        }
    }
    return NULL;
}

const struct contract_level *contract_level_at(int irql)
{
    for (size_t i = 0; i < contract_level_count; i++)
        if (irql >= contract_levels[i].low && irql <= contract_levels[i].high)
            return &contract_levels[i];
    return NULL;
}

const char *contract_level_name(int irql)
{
    const struct contract_level *level = contract_level_at(irql);
    return level ? level->name : "an IRQL that does not exist";
}

const struct contract_bugcheck *contract_bugcheck_code(uint32_t code)
{
    for (size_t i = 0; i < contract_bugcheck_count; i++)
        if (contract_bugchecks[i].code == code)
            return &contract_bugchecks[i];
    return NULL;
}

const struct contract_bugcheck *contract_bugcheck_find(const char *name_or_code)
{
    for (size_t i = 0; i < contract_bugcheck_count; i++)
        if (strcasecmp(contract_bugchecks[i].name, name_or_code) == 0)
            return &contract_bugchecks[i];
    if (!isxdigit((unsigned char)name_or_code[0]))
        return NULL;
    char *end;
    unsigned long long code = strtoull(name_or_code, &end, 16);
    return *end == '\0' && code <= UINT32_MAX ? contract_bugcheck_code((uint32_t)code) : NULL;
}
