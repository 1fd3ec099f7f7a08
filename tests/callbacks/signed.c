/*
 * A driver linked with /INTEGRITYCHECK passes --force-integrity.
 * OPTIONS: --force-integrity
 * EXPECT: 4 checks, 0 failures
 */
#include "registers.h"

static VOID a_signed_driver_is_taken(VOID)
{
    OK(RegisterProcess());
    OK(PsSetCreateProcessNotifyRoutineEx(OnProcessEx, TRUE));
    OK(RegisterHandles());
    ObUnRegisterCallbacks(Handle);
    OK(RegisterPlain());
    UnregisterPlain();
}

TEST_MAIN(a_signed_driver_is_taken)
