/* hal.dll of the test kernels: imports from the kernel, so that boot linking is exercised. */
__declspec(dllimport) void KiSystemStartup(void *);
void *HalpEntry(void)
{
    return (void *)KiSystemStartup;
}
