/* SHA-256 (FIPS 180-4), to tell files apart. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DIGEST_HEX 65 /* with the terminating zero */

struct digest {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
};

void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *bytes, size_t count);
void digest_end(struct digest *d, char hex[DIGEST_HEX]);

void digest_of(const void *bytes, size_t count, char hex[DIGEST_HEX]);
