/*
 * Acquires a resource outside of a critical region, in a program's thread, which could be suspended.
 *
 * EXPECT: resource\.apcs-enabled bad\.c:@ in Use
 * OPTIONS: --scenario tests/rules/opened.lua
 */
#include <ntddk.h>

static ERESOURCE Resource;
#define BEGIN() ExInitializeResourceLite(&Resource)
#define END() ExDeleteResourceLite(&Resource)

static void Use(void)
{
    ExAcquireResourceExclusiveLite(&Resource, TRUE); /* @ */
    ExReleaseResourceLite(&Resource);
}
#define OPENED() Use()
#include "../opened.h"
