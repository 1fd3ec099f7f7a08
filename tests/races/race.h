/*
 * What the seeded mistakes share: threads to race each other, and a check of what must hold afterwards.
 *
 * Each folder has a mistake, bad.c, and its correct twin, good.c. The head comment of bad.c tells the mistake and its depth
 * (how many preemptions in the wrong places it takes), and what the explorer is to find, as a regular expression for the
 * finding's rule. See check.
 */
#pragma once

#include <ntifs.h>

#define MUST(Condition) ((Condition) ? (VOID)0 : KeBugCheckEx(0xE2, __LINE__, 0, 0, 0))
#ifndef KeMemoryBarrier
#define KeMemoryBarrier() __sync_synchronize()
#endif
#define MILLISECONDS(Count)                                                                                            \
    {                                                                                                                  \
        .QuadPart = (Count) * -10000ll                                                                                 \
    }

static inline PKTHREAD race_start(PKSTART_ROUTINE routine, PVOID context)
{
    HANDLE handle;
    PKTHREAD thread;

    MUST(NT_SUCCESS(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, routine, context)));
    ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, NULL, KernelMode, (PVOID *)&thread, NULL);
    ZwClose(handle);
    return thread;
}

static inline VOID race_join(PKTHREAD thread)
{
    KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(thread);
}

/* Run both, and wait until both have ended. */
static inline VOID race(PKSTART_ROUTINE one, PKSTART_ROUTINE other)
{
    PKTHREAD first = race_start(one, NULL), second = race_start(other, NULL);

    race_join(first);
    race_join(second);
}

static inline VOID race_sleep(LONG milliseconds)
{
    LARGE_INTEGER time = MILLISECONDS(milliseconds);

    KeDelayExecutionThread(KernelMode, FALSE, &time);
}
