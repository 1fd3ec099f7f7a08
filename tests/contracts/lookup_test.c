/* The host's look-ups over the tables made from contracts/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "report/contracts.h"

static void every_row_is_found_by_its_name(void **state)
{
    assert_true(contract_row_count > 6900);
    for (size_t i = 0; i < contract_row_count; i++) {
        const struct contract_row *row = &contract_rows[i];
        assert_ptr_equal(contract_find(row->name), row);
        assert_true(row->min <= row->max && row->max <= 15 && row->min >= -1);
        assert_int_equal(row->min < 0, row->max < 0);
        assert_non_null(row->rule);
        if (i)
            assert_true(strcmp(contract_rows[i - 1].name, row->name) < 0);
    }
    assert_null(contract_find("ExInitalizeWorkItem"));
    assert_null(contract_find(""));
}

static void a_passive_routine_refers_to_work_items(void **state)
{
    const struct contract_row *row = contract_find("ZwCreateFile");

    assert_int_equal(row->min, 0);
    assert_int_equal(row->max, 0);
    assert_string_equal(row->rule, "ZwCreateFile may be called at PASSIVE_LEVEL only.");
    assert_string_equal(row->header, "wdm.h");
    assert_non_null(strstr(contract_remedy_at(row, 2), "ExQueueWorkItem"));
    assert_null(contract_remedy_at(row, 0));
}

static void a_callback_says_its_level(void **state)
{
    const struct contract_row *row = contract_find("KDEFERRED_ROUTINE");

    assert_int_equal(row->kind, CONTRACT_CALLBACK);
    assert_int_equal(row->min, 2);
    assert_int_equal(row->max, 2);
    assert_non_null(strstr(row->rule, "DISPATCH_LEVEL"));
}

static void levels_are_found_by_name_alias_and_value(void **state)
{
    for (int irql = 0; irql <= 15; irql++) {
        const struct contract_level *level = contract_level_at(irql);
        assert_non_null(level);
        assert_true(irql >= level->low && irql <= level->high);
    }
    assert_null(contract_level_at(16));
    assert_null(contract_level_at(-1));
    assert_string_equal(contract_level_name(2), "DISPATCH_LEVEL");
    assert_string_equal(contract_level_name(5), "DIRQL");
    assert_ptr_equal(contract_level_find("dispatch"), contract_level_at(2));
    assert_ptr_equal(contract_level_find("DISPATCH_LEVEL"), contract_level_at(2));
    assert_ptr_equal(contract_level_find("CLOCK2"), contract_level_at(13));
    assert_ptr_equal(contract_level_find("low_level"), contract_level_at(0));
    assert_non_null(contract_level_find("POWER"));
    assert_null(contract_level_find("DISPATCH_LEVE"));
    assert_null(contract_level_find("_LEVEL"));
}

static void rules_and_remedies_are_in_order(void **state)
{
    for (size_t i = 0; i < contract_rule_count; i++)
        assert_ptr_equal(contract_rule_find(contract_rules[i].id), &contract_rules[i]);
    for (size_t i = 0; i < contract_remedy_count; i++)
        assert_ptr_equal(contract_remedy_find(contract_remedies[i].key), contract_remedies[i].text);
    assert_null(contract_rule_find("pool.no-such-rule"));
    assert_null(contract_remedy_find(""));
}

static void bug_checks_are_found_by_name_and_code(void **state)
{
    const struct contract_bugcheck *b = contract_bugcheck_code(0xa);

    assert_string_equal(b->name, "IRQL_NOT_LESS_OR_EQUAL");
    assert_ptr_equal(contract_bugcheck_find("irql_not_less_or_equal"), b);
    assert_ptr_equal(contract_bugcheck_find("0x0000000A"), b);
    assert_ptr_equal(contract_bugcheck_find("a"), b);
    assert_null(contract_bugcheck_find("0xA0000000000000000A"));
    assert_null(contract_bugcheck_find("zz"));
    assert_null(contract_bugcheck_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_name),  cmocka_unit_test(a_passive_routine_refers_to_work_items),
        cmocka_unit_test(a_callback_says_its_level),       cmocka_unit_test(levels_are_found_by_name_alias_and_value),
        cmocka_unit_test(rules_and_remedies_are_in_order), cmocka_unit_test(bug_checks_are_found_by_name_and_code),
    };
    return cmocka_run_group_tests_name("contracts", tests, NULL, NULL);
}
