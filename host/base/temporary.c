#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/temporary.h"

const char *temporary_base(void)
{
    const char *base = getenv("TMPDIR");
    return base && *base ? base : "/tmp";
}

int temporary_directory(char *path, size_t bytes, const char *what)
{
    int length = snprintf(path, bytes, "%s/irqlab%s-XXXXXX", temporary_base(), what);
    if (length < 0 || (size_t)length >= bytes)
        return ENAMETOOLONG;
    return mkdtemp(path) ? 0 : errno;
}
