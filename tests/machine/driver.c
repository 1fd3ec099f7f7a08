/* A driver for kernel_images: imports by two names of the kernel, exports one routine. */
__declspec(dllimport) int KernelAdd(int a, int b);

static int Table[2] = {3, 4};
static int *Pointer = &Table[1]; /* needs a relocation */

__declspec(dllexport) int DriverSum(int x)
{
    return KernelAdd(x, *Pointer);
}

/* Instructions that would answer for the host. */
__declspec(dllexport) unsigned DriverCpuid(unsigned leaf, unsigned *b)
{
    unsigned a = leaf, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(*b), "+c"(c), "=d"(d));
    return a;
}

__declspec(dllexport) unsigned long long DriverRandom(unsigned char *valid)
{
    unsigned long long value;

    __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=m"(*valid));
    return value;
}

__declspec(dllexport) unsigned DriverTables(unsigned char table[10])
{
    unsigned word;

    __asm__ volatile("sidt %0" : "=m"(*(unsigned char(*)[10])table));
    __asm__ volatile("smsw %0" : "=r"(word));
    return word;
}

__declspec(dllexport) unsigned long long DriverFlags(void)
{
    unsigned long long flags;

    __asm__ volatile("cli; pushfq; popq %0; sti" : "=r"(flags));
    return flags;
}

int DriverEntry(void *object, void *path)
{
    return 0;
}
