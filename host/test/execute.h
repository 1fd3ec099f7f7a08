/* Tests as processes of their own: several at a time, each with its output kept and a limit on its time. */
#pragma once

#include "test/collect.h"

struct execution {
    unsigned jobs;
    double limit; /* seconds of the host a test may take */
    /* The command line of a test; NULL: test->output says why there is none (then it has failed, status 2). Freed by us. */
    char **(*command)(void *context, struct test *test);
    void (*began)(void *context, const struct test *test);
    void (*ended)(void *context, const struct test *test);
    void *context;
};

/* False: it was interrupted. */
bool execute(const struct execution *e, struct test *tests, size_t count);
