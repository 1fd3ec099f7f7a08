/*
 * The pool's routines. Each captures its caller's stack itself (that is why ExAllocatePoolWithTag and its kin do not
 * call each other), then asks the special or the tracked pool, or takes whole pages.
 *
 * Rules kept here (docs: ExAllocatePoolWithTag, ExAllocatePool2, ExFreePoolWithTag, bug check 0xC2): sizes of zero,
 * tags of zero, of "BIG " and without a letter or digit, must-succeed pool, frees of what is not a block, twice, or
 * with another tag. Levels are the contract rows' business.
 *
 * DIFFERS: quota is not charged. Session pool is ordinary pool: there is one session.
 */
#include "nt.h"
#include "ex/poolslab.h"

#define EX_TAG_NONE 'enoN'
#define EX_TAG_PROTECTED 0x80000000u

static ULONG ExpSequence;
static ULONG ExpGoodTag = EX_TAG_NONE; /* the last tag that was found to be in order */

VOID ExInitializePool(VOID)
{
    ExpSequence = 0;
    ExpSlabInitialize();
}

/* ---- One block ------------------------------------------------------------------------------------------------- */

static inline PVOID ExpFinishBlock(PEX_BLOCK Block, const EX_REQUEST *Request)
{
    if (!Block)
        return NULL;
    Block->Tag = Request->Tag;
    Block->Bytes = (ULONG)Request->Bytes;
    Block->Stack = Request->Stack;
    Block->Sequence = Request->Kind == ExPoolKernel ? 0 : ++ExpSequence;
    if (Request->Executable)
        Block->Flags |= EX_BLOCK_EXECUTABLE;
    else
        Block->Flags &= (UCHAR)~EX_BLOCK_EXECUTABLE;
    return (PVOID)Block->Address;
}

FORCEINLINE PEX_BLOCK ExpTakeBlock(const EX_REQUEST *Request)
{
    const EX_REQUEST Known = *Request; /* in registers, where what is not inline has seen the other */
    PEX_BLOCK Block;

    if (Known.Place)
        return ExpBigAllocate(Request);
    if (Known.Special && Known.Bytes <= DOOR_PAGE && (Block = ExpSpecialAllocate(Request)) != NULL)
        return Block;
    if (Known.Bytes <= EX_SMALL_MAXIMUM && (Block = ExpSlabAllocate(&Known)) != NULL)
        return Block;
    return ExpBigAllocate(Request);
}

DECLSPEC_NOINLINE static PEX_BLOCK ExpTakeTrimmed(const EX_REQUEST *Request)
{
    /* Both, for what the one gives back may be what the other lacks. */
    return ExpBigTrim() | ExpSlabTrim() ? ExpTakeBlock(Request) : NULL;
}

FORCEINLINE PVOID ExpAllocateBlock(const EX_REQUEST *Request)
{
    const EX_REQUEST Known = *Request;
    PEX_BLOCK Block;

    if (Known.Bytes >= MiPageCount * DOOR_PAGE)
        return NULL;
    Block = ExpTakeBlock(Request);
    return ExpFinishBlock(Block ? Block : ExpTakeTrimmed(Request), &Known);
}

PEX_BLOCK ExpBlockOf(UINT64 Address)
{
    UINT64 Physical;
    PMI_PAGE Page = MiPageOfView(Address, &Physical);

    /* A block of paged pool is one only at its address in the pageable view, and the other way round. */
    if (!Page || Page->Use < MiUseSlab || MiIsPagedView(Address) != ((Page->Flags & MI_PAGE_PAGED) != 0))
        return NULL;
    return Page->Use == MiUseSlab ? ExpSlabBlockOf(Page->Owner, Address) : Page->Owner;
}

PUCHAR ExpDamageOf(PEX_BLOCK Block)
{
    UINT64 Physical, Start, Behind = Block->Address + Block->Bytes, End;
    PUCHAR Bad;

    if (Block->Flags & EX_BLOCK_TRACKED)
        return ExpSlabDamageOf(Block);
    Start = Block->Address & ~(DOOR_PAGE - 1);
    End =
        MiPageOfView(Block->Address, &Physical)->Use == MiUseBig ? Start + Block->Pages * DOOR_PAGE : Start + DOOR_PAGE;
    Bad = ExpCheck(ExpLinear(Start), Block->Address - Start, EX_FILL_ZONE);
    return Bad ? Bad : ExpCheck(ExpLinear(Block->Address) + Block->Bytes, End - Behind, EX_FILL_ZONE);
}

static inline VOID ExpReleaseBlock(PEX_BLOCK Block)
{
    UINT64 Physical;

    Block->State = ExBlockFreed;
    if (Block->Flags & EX_BLOCK_TRACKED)
        ExpSlabFree(Block);
    else if (MiPageOfView(Block->Address, &Physical)->Use == MiUseSpecial)
        ExpSpecialFree(Block);
    else
        ExpBigFree(Block);
}

BOOLEAN ExpMayExecute(UINT64 Address)
{
    PEX_BLOCK Block = ExpBlockOf(Address);
    return Block && Block->State == ExBlockLive && (Block->Flags & EX_BLOCK_EXECUTABLE);
}

/* ---- The kernel's own ------------------------------------------------------------------------------------------- */

PVOID ExpTryAllocate(SIZE_T Bytes, ULONG Tag)
{
    return ExpAllocateBlock(&(EX_REQUEST){.Bytes = Bytes ? Bytes : 1, .Tag = Tag, .Kind = ExPoolKernel, .Zero = TRUE});
}

PVOID ExpAllocate(SIZE_T Bytes, ULONG Tag)
{
    PVOID Block = ExpTryAllocate(Bytes, Tag);

    if (!Block)
        KiInternalError("no memory for %I64u bytes of the kernel's own, tag %.4s", (UINT64)Bytes, (PCSTR)&Tag);
    return Block;
}

VOID ExpFree(PVOID Address)
{
    PEX_BLOCK Block = ExpBlockOf((UINT64)Address);
    PUCHAR Bad;

    if (!Block || Block->Address != (UINT64)Address || Block->State != ExBlockLive || Block->Kind != ExPoolKernel)
        KiInternalError("the kernel frees %p, which is no live block of its own", Address);
    if ((Bad = ExpDamageOf(Block)) != NULL)
        KiInternalError("the kernel's block %p (%u bytes) was damaged at %p", Address, Block->Bytes, Bad);
    ExpReleaseBlock(Block);
}

/* ---- Allocation by drivers -------------------------------------------------------------------------------------- */

static BOOLEAN ExpIsReadableTag(ULONG Tag)
{
    for (; Tag; Tag >>= 8) {
        UCHAR Letter = Tag & 0x7f;
        if ((Letter >= '0' && Letter <= '9') || ((Letter | 0x20) >= 'a' && (Letter | 0x20) <= 'z'))
            return TRUE;
    }
    return FALSE;
}

DECLSPEC_NOINLINE static VOID ExpCheckTag(ULONG Tag, ULONG Type, SIZE_T Bytes, PVOID Caller)
{
    if (!Tag)
        ExpReportRequest("pool.zero-tag", 0xC2, 0x9B, Type, Bytes, (UINT64)Caller,
                         "pool allocated with tag 0 (%I64u bytes)", (UINT64)Bytes);
    else if ((Tag & ~EX_TAG_PROTECTED) == ' GIB')
        ExpReportRequest("pool.reserved-tag", 0xC2, 0x9C, Type, Bytes, (UINT64)Caller,
                         "pool allocated with the reserved tag 'BIG ' (%I64u bytes)", (UINT64)Bytes);
    else if (!ExpIsReadableTag(Tag))
        ExpReportRequest("pool.unreadable-tag", 0xC2, 0x9D, Tag, Type, (UINT64)Caller,
                         "pool allocated with tag 0x%08x, which holds no letter or digit", Tag);
    else
        ExpGoodTag = Tag;
}

PVOID ExpAllocateForDriver(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag, BOOLEAN Zero, ULONG Stack, PVOID Caller)
{
    EX_REQUEST Request = {
        .Bytes = Bytes,
        .Tag = Tag,
        .Stack = Stack,
        .Kind = Type & PagedPool ? ExPoolPaged : ExPoolNonPaged,
        .Zero = Zero,
        .Executable = !(Type & (PagedPool | NonPagedPoolNx)),
        .CacheAligned = (Type & NonPagedPoolCacheAligned) != 0,
        .Special = (BOOLEAN)KiDoor->special_pool,
    };

    if (Tag != ExpGoodTag)
        ExpCheckTag(Tag, Type, Bytes, Caller);
    if (Type & NonPagedPoolMustSucceed)
        ExpReportRequest("pool.must-succeed", 0xC2, 0x9A, Type, Bytes, Tag,
                         "must-succeed pool asked for (%I64u bytes); Windows has it no more", (UINT64)Bytes);
    if (!Bytes) {
        ExpReportRequest("pool.zero-bytes", 0xC4, 0x0, KeGetCurrentIrql(), Type, 0, "pool allocation of zero bytes");
        Request.Bytes = 1; /* a free build gives out a smallest block */
    }
    return ExpAllocateBlock(&Request);
}

static PVOID ExpRaiseIfNull(PVOID Block, BOOLEAN Raise)
{
    if (!Block && Raise)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return Block;
}

#undef ExAllocatePool
PVOID NTAPI ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    PVOID Caller = __builtin_return_address(0);
    PVOID Block = ExpAllocateForDriver(PoolType, NumberOfBytes, EX_TAG_NONE, FALSE, VfCaptureStack(), Caller);

    return ExpRaiseIfNull(Block, (PoolType & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0);
}

PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    PVOID Caller = __builtin_return_address(0);
    PVOID Block = ExpAllocateForDriver(PoolType, NumberOfBytes, Tag, FALSE, VfCaptureStack(), Caller);

    return ExpRaiseIfNull(Block, (PoolType & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0);
}

PVOID NTAPI ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                          EX_POOL_PRIORITY Priority)
{
    PVOID Caller = __builtin_return_address(0);
    PVOID Block = ExpAllocateForDriver(PoolType, NumberOfBytes, Tag, FALSE, VfCaptureStack(), Caller);

    return ExpRaiseIfNull(Block, (PoolType & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0);
}

#undef ExAllocatePoolWithQuota
PVOID NTAPI ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    PVOID Caller = __builtin_return_address(0);
    PVOID Block = ExpAllocateForDriver(PoolType, NumberOfBytes, EX_TAG_NONE, FALSE, VfCaptureStack(), Caller);

    return ExpRaiseIfNull(Block, !(PoolType & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE));
}

#undef ExAllocatePoolWithQuotaTag
PVOID NTAPI ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    PVOID Caller = __builtin_return_address(0);
    PVOID Block = ExpAllocateForDriver(PoolType, NumberOfBytes, Tag, FALSE, VfCaptureStack(), Caller);

    return ExpRaiseIfNull(Block, !(PoolType & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE));
}

/* The POOL_TYPE that says the same; FALSE for flags that Windows refuses. docs: POOL_FLAGS. */
static BOOLEAN ExpTypeOfFlags(POOL_FLAGS Flags, POOL_TYPE *Type)
{
    POOL_FLAGS Where = Flags & (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED);
    ULONG Bits;

    if (Where == POOL_FLAG_NON_PAGED)
        Bits = NonPagedPoolNx;
    else if (Where == POOL_FLAG_NON_PAGED_EXECUTE)
        Bits = NonPagedPool;
    else if (Where == POOL_FLAG_PAGED)
        Bits = PagedPool;
    else
        return FALSE;
    if (Flags & (POOL_FLAG_RESERVED1 | POOL_FLAG_RESERVED2 | POOL_FLAG_RESERVED3 | 0xFFFFF800ull))
        return FALSE;
    if (Flags & POOL_FLAG_CACHE_ALIGNED)
        Bits |= NonPagedPoolCacheAligned;
    *Type = (POOL_TYPE)Bits;
    return TRUE;
}

PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    PVOID Caller = __builtin_return_address(0), Block = NULL;
    POOL_TYPE Type;

    if (ExpTypeOfFlags(Flags, &Type))
        Block = ExpAllocateForDriver(Type, NumberOfBytes, Tag, !(Flags & POOL_FLAG_UNINITIALIZED), VfCaptureStack(),
                                     Caller);
    else if (Flags & POOL_FLAG_RAISE_ON_FAILURE)
        ExRaiseStatus(STATUS_INVALID_PARAMETER_1);
    return ExpRaiseIfNull(Block, (Flags & POOL_FLAG_RAISE_ON_FAILURE) != 0);
}

/* Priority and node change nothing here. Secure pool needs a hypervisor: asked for as required, the call fails. */
PVOID NTAPI ExAllocatePool3(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag,
                            PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount)
{
    PVOID Caller = __builtin_return_address(0), Block = NULL;
    BOOLEAN Valid;
    POOL_TYPE Type;

    Valid = ExpTypeOfFlags(Flags, &Type);
    for (ULONG i = 0; i < ExtendedParametersCount; i++) {
        ULONG64 Kind = ExtendedParameters[i].Type;
        if (!ExtendedParameters[i].Optional && Kind != PoolExtendedParameterPriority &&
            Kind != PoolExtendedParameterNumaNode)
            Valid = FALSE;
    }
    if (Valid)
        Block = ExpAllocateForDriver(Type, NumberOfBytes, Tag, !(Flags & POOL_FLAG_UNINITIALIZED), VfCaptureStack(),
                                     Caller);
    return ExpRaiseIfNull(Block, (Flags & POOL_FLAG_RAISE_ON_FAILURE) != 0);
}

/* ---- Free by drivers -------------------------------------------------------------------------------------------- */

static BOOLEAN ExpIsLocked(PEX_BLOCK Block)
{
    UINT64 Physical;
    PMI_PAGE Page = MiPageOfView(Block->Address, &Physical);

    return MiAnyLocked(Physical, Page->Use == MiUseBig ? Block->Pages : 1);
}

FORCEINLINE VOID ExpFreeLive(PEX_BLOCK Block, PVOID Caller, ULONG Stack)
{
    PUCHAR Bad = Block->Flags & EX_BLOCK_TRACKED ? ExpSlabDamageOf(Block) : ExpDamageOf(Block);

    if (Bad)
        ExpReportDamage(Block, Bad);
    if (!(Block->Flags & EX_BLOCK_TRACKED) && ExpIsLocked(Block))
        ExpReportLocked(Block);
    VfRangeGoes(Block->Address, Block->Bytes, "freed");
    Block->FreedAt = Stack ? Stack : (UINT64)Caller;
    ExpReleaseBlock(Block);
}

PVOID ExpAllocatePlaced(SIZE_T Bytes, ULONG Tag, const MI_PLACE *Place, ULONG Stack)
{
    return ExpAllocateBlock(&(EX_REQUEST){.Bytes = Bytes,
                                          .Tag = Tag,
                                          .Stack = Stack,
                                          .Kind = ExPoolNonPaged,
                                          .Special = (BOOLEAN)KiDoor->special_pool,
                                          .Place = Place});
}

BOOLEAN ExpFreePlaced(UINT64 Address, ULONG Tag, PVOID Caller, ULONG Stack)
{
    PEX_BLOCK Block = ExpBlockOf(Address);

    if (!Block || Block->Address != Address || Block->State != ExBlockLive || !(Block->Flags & EX_BLOCK_PLACED) ||
        Block->Tag != Tag)
        return FALSE;
    ExpFreeLive(Block, Caller, Stack);
    return TRUE;
}

VOID ExpFreeForDriver(UINT64 Address, ULONG Tag, PVOID Caller, ULONG Stack)
{
    PEX_BLOCK Block = ExpBlockOf(Address);

    if (!Block || (Block->Flags & EX_BLOCK_PLACED) || Block->Address != Address || Block->State == ExBlockFresh ||
        Block->Kind == ExPoolKernel) {
        ExpReportBadFree(Address);
        return;
    }
    if (Block->State == ExBlockFreed) {
        ExpReportDoubleFree(Block);
        return;
    }
    /* docs: ExFreePoolWithTag: a tag of zero is not compared, unless the block was protected by its tag. */
    if (Tag != Block->Tag && (Tag || (Block->Tag & EX_TAG_PROTECTED)))
        ExpReportWrongTag(Block, Tag);
    ExpFreeLive(Block, Caller, Stack);
}

VOID NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    ExpFreeForDriver((UINT64)P, Tag, __builtin_return_address(0), ExpFreerStack());
}

#undef ExFreePool
VOID NTAPI ExFreePool(PVOID P)
{
    ExpFreeForDriver((UINT64)P, 0, __builtin_return_address(0), ExpFreerStack());
}

VOID NTAPI ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount)
{
    ExpFreeForDriver((UINT64)P, Tag, __builtin_return_address(0), ExpFreerStack());
}

/* docs: ExQueryPoolBlockSize. Quota is not charged. A block of whole pages has all of them; what was told to the driver is its own from
 * then on. */
SIZE_T NTAPI ExQueryPoolBlockSize(PVOID PoolBlock, PBOOLEAN QuotaCharged)
{
    PEX_BLOCK Block = ExpBlockOf((UINT64)PoolBlock);

    *QuotaCharged = FALSE;
    if (!Block || Block->Address != (UINT64)PoolBlock || Block->State != ExBlockLive)
        return 0;
    if (Block->Bytes > EX_SMALL_MAXIMUM && Block->Address % DOOR_PAGE == 0)
        Block->Bytes = (Block->Bytes + DOOR_PAGE - 1) & ~(ULONG)(DOOR_PAGE - 1);
    return Block->Bytes;
}
