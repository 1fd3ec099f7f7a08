/* See near.h. */
#include <ctype.h>
#include <string.h>
#include "cli/near.h"

enum { NAME_LIMIT = 127 };

unsigned near_distance(const char *a, const char *b, unsigned limit)
{
    unsigned char rows[3][NAME_LIMIT + 1]; /* distances are at most NAME_LIMIT */
    size_t m = strlen(a), n = strlen(b);
    if (m > NAME_LIMIT || n > NAME_LIMIT || m > n + limit || n > m + limit)
        return limit + 1;
    unsigned char *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n; j++)
        above[j] = (unsigned char)j;
    for (size_t i = 1; i <= m; i++) {
        unsigned least = row[0] = (unsigned char)i;
        for (size_t j = 1; j <= n; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            unsigned best = above[j - 1] + (x != y);
            if (above[j] + 1u < best)
                best = above[j] + 1u;
            if (row[j - 1] + 1u < best)
                best = row[j - 1] + 1u;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && y == tolower((unsigned char)a[i - 2]) &&
                before[j - 2] + 1u < best)
                best = before[j - 2] + 1u;
            row[j] = (unsigned char)best;
            if (best < least)
                least = best;
        }
        if (least > limit)
            return limit + 1;
        unsigned char *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[n] <= limit ? above[n] : limit + 1;
}

void near_begin(struct near *n, const char *wanted)
{
    size_t bytes = strlen(wanted);
    *n = (struct near){.wanted = wanted,
                       .limit = bytes < 4       ? 1
                                : bytes < 8     ? 2
                                : bytes / 4 < 5 ? (unsigned)bytes / 4
                                                : 5};
}

void near_offer(struct near *n, const char *name)
{
    unsigned distance = near_distance(n->wanted, name, n->limit), i = n->count;
    if (distance > n->limit)
        return;
    while (i > 0 && distance < n->distance[i - 1])
        i--;
    if (i == NEAR_NAMES)
        return;
    unsigned last = n->count < NEAR_NAMES ? n->count++ : NEAR_NAMES - 1;
    for (unsigned k = last; k > i; k--) {
        n->best[k] = n->best[k - 1];
        n->distance[k] = n->distance[k - 1];
    }
    n->best[i] = name;
    n->distance[i] = distance;
}
