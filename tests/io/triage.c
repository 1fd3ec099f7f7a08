/* The small dump of a thread in memory: what those that ask for it look for (KeCapturePersistentThreadState). */
#include "test.h"

NTKERNELAPI ULONG NTAPI KeCapturePersistentThreadState(PCONTEXT, PKTHREAD, ULONG, ULONG_PTR, ULONG_PTR, ULONG_PTR,
                                                       ULONG_PTR, PVOID);
extern LIST_ENTRY *Modules __asm__("__imp_PsLoadedModuleList");

#define AT(Type, Offset) (*(Type *)(Dump + (Offset)))

static VOID a_small_dump_has_the_thread_and_the_modules(VOID)
{
    PUCHAR Dump = ExAllocatePoolWithTag(NonPagedPoolNx, 0x40000, 'tseT');
    volatile UINT64 Mark = 0x1122334455667788;
    CONTEXT Context;
    BOOLEAN Found = FALSE, Own = FALSE;
    ULONG Stack, Bytes, Drivers;

    RtlCaptureContext(&Context);
    CHECK(KeCapturePersistentThreadState(&Context, KeGetCurrentThread(), 0x1234, 1, 2, 3, 4, Dump) == 0x40000);
    CHECK(AT(ULONG, 0) == 'EGAP' && AT(ULONG, 4) == '46UD' && AT(ULONG, 0xf98) == 4);
    CHECK(AT(ULONG, 0x38) == 0x1234 && AT(UINT64, 0x40) == 1 && AT(UINT64, 0x58) == 4);
    CHECK(!memcmp(Dump + 0x348, &Context, sizeof(Context)));
    CHECK(AT(ULONG, 0x2000 + 8) == 0x3fffc && AT(ULONG, 0x3fffc) == 'DGRT');
    /* the debugger's data */
    CHECK(AT(ULONG, 0x2070) == 0x2080 && AT(ULONG, 0x2090) == 'GBDK' && AT(ULONG, 0x2094) == AT(ULONG, 0x2074));
    CHECK(AT(PLIST_ENTRY, 0x2080 + 0x48) == Modules && *AT(PUSHORT, 0x2080 + 0x18) == 0x5a4d);
    /* the stack, with what is on it */
    Stack = AT(ULONG, 0x2028);
    Bytes = AT(ULONG, 0x202c);
    CHECK(AT(UINT64, 0x2048) == Context.Rsp && Bytes >= 64);
    for (ULONG i = 0; i + 8 <= Bytes; i += 8)
        Found |= AT(UINT64, Stack + i) == Mark;
    CHECK(Found);
    /* the modules: the kernel first, this driver among them */
    Drivers = AT(ULONG, 0x2030);
    CHECK(AT(PVOID, Drivers + 8 + 0x30) == AT(PVOID, 0x2080 + 0x18));
    for (ULONG i = 0; i < AT(ULONG, 0x2034); i++) {
        ULONG Name = AT(ULONG, Drivers + i * 0x98);
        CHECK(AT(ULONG, Name) < 40);
        Own |= AT(PVOID, Drivers + i * 0x98 + 8 + 0x30) == Driver->DriverStart && AT(ULONG, Name) == 10 &&
               !memcmp(Dump + Name + 4, L"triage.sys", 20);
    }
    CHECK(Own);
    ExFreePoolWithTag(Dump, 'tseT');
}

static VOID the_kernel_takes_no_memory_for_its_debugging_information(VOID)
{
    PUCHAR Module = (PUCHAR)Modules->Flink, Base = *(PUCHAR *)(Module + 0x30);
    ULONG Size = *(PULONG)(Module + 0x40), Header = *(PULONG)(Base + 0x3c);

    CHECK(*(PULONG)(Base + Header + 0x50) == Size && Size < 4 << 20);
    /* Its last section ends where it does. */
    USHORT Sections = *(PUSHORT)(Base + Header + 6), Optional = *(PUSHORT)(Base + Header + 20);
    ULONG End = 0;
    for (USHORT i = 0; i < Sections; i++) {
        PULONG Section = (PULONG)(Base + Header + 24 + Optional + i * 40);
        if (Section[3] < Size)
            End = Section[3] + Section[2];
    }
    CHECK(((End + 0xfff) & ~0xfffu) == Size);
}

TEST_MAIN(the_kernel_takes_no_memory_for_its_debugging_information, a_small_dump_has_the_thread_and_the_modules)
