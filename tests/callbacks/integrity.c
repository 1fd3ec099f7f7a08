/*
 * With --force-integrity a driver that does not ask to be checked may not register callbacks with which it could deny
 * something. (docs: PsSetCreateProcessNotifyRoutineEx, ObRegisterCallbacks: STATUS_ACCESS_DENIED)
 * OPTIONS: --force-integrity
 * EXPECT: 3 checks, 0 failures
 */
#include "registers.h"

static VOID an_unsigned_driver_is_refused(VOID)
{
    STATUS(RegisterProcess(), STATUS_ACCESS_DENIED);
    STATUS(RegisterHandles(), STATUS_ACCESS_DENIED);
    OK(RegisterPlain()); /* the old routine cannot deny */
    UnregisterPlain();
}

TEST_MAIN(an_unsigned_driver_is_refused)
