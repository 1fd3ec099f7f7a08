/*
 * The load-time patcher. It makes privileged instructions of a driver cheap and hidden ones visible.
 *
 * Hot instructions (moves from and to cr8, cli, sti, pause, pushf, popf) are replaced by a jump to a stub behind the
 * image that does the same to the simulated processor in about a nanosecond. A jump has five bytes and most of these
 * have fewer, so neighbours move into the stub with them, re-encoded where they are relative to their place. Nothing is
 * ever written over a byte that could be jumped to. Where there is no room the instruction stays: cr8 moves, cli and
 * sti trap by themselves into the complete handler, only slower.
 *
 * Instructions that would neither trap nor do the right thing here (cpuid, rdrand, sgdt and so on: they answer for the
 * host; pause and the flag moves when no stub was possible) get a marker: their first byte becomes `hlt`, which always
 * faults in user mode, and the side table keeps the original bytes for the trap handler to emulate. (rdtsc and rdtscp trap
 * by PR_SET_TSC as well, where the sandbox sets that: code made at run time has no markers.)
 *
 * With image_mapper.points, accesses to memory that may be shared become delivery points too, see access.c.
 *
 * Constants that are addresses in KUSER_SHARED_DATA (0xFFFFF780`00000000 to +FFFh) are changed in place.
 *
 * The table is the caller's memory: one for all images of a machine. Not thread-safe; no allocation.
 */
#pragma once

#include "image.h"

enum patch_kind {
    PATCH_NONE,
    PATCH_ACCESS,   /* stubs; else left alone */
    PATCH_READ_CR8, /* stubs; else left to trap */
    PATCH_WRITE_CR8,
    PATCH_CLI,
    PATCH_STI,
    PATCH_PAUSE, /* stubs; else markers */
    PATCH_PUSHF,
    PATCH_POPF,
    PATCH_CPUID, /* markers */
    PATCH_RDTSC,
    PATCH_RDRAND,
    PATCH_RDSEED,
    PATCH_RDPID,
    PATCH_XGETBV,
    PATCH_SGDT,
    PATCH_SIDT,
    PATCH_SLDT,
    PATCH_STR,
    PATCH_SMSW,
};

/* A marker. bytes is the original instruction, length bytes long; in memory only its first byte differs. */
struct patch_site {
    uint64_t va;
    uint8_t kind, length;
    uint8_t bytes[15];
};

struct patch_table {
    struct patch_site *site; /* storage, sorted by va */
    uint32_t count, capacity;
    void *scratch; /* used during image_map only; 8-byte aligned; patch_scratch_bytes(file) are needed */
    size_t scratch_bytes;
    struct { /* of the image mapped last */
        uint32_t stubs, markers, constants;
        uint32_t left; /* hot instructions left to trap, accesses left alone */
    } figures;
};

/* The marker at exactly va, or NULL. */
const struct patch_site *patch_find(const struct patch_table *table, uint64_t va);
/* False when the table is full. */
bool patch_add(struct patch_table *table, const struct patch_site *site);
/* Forget all markers in [va, va + bytes). */
void patch_remove(struct patch_table *table, uint64_t va, uint64_t bytes);

/* Room wanted behind the image for stubs, in bytes, a multiple of pages; 0 when there is nothing to patch. */
uint32_t patch_room(const struct image_file *file);
/* The room wanted in addition when accesses to memory shall be delivery points. */
uint32_t patch_points_room(const struct image_file *file);
/* Scratch memory that patching this image takes: half a byte for each byte of code and 128 KiB. */
size_t patch_scratch_bytes(const struct image_file *file);

/* Called by image_map when the image is copied, relocated and bound. False: *reason says why it cannot be patched. */
bool patch_image(const struct image_file *file, uint64_t va, const struct image_mapper *mapper, const char **reason);
