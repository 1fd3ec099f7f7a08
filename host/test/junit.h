/* The results as JUnit XML, as CI systems read it. */
#pragma once

#include <stdio.h>
#include "test/collect.h"

/* What went wrong, in a few words; NULL: it passed. */
const char *test_verdict(const struct test *test);

void junit_write(FILE *out, const struct test *tests, size_t count);
