/*
 * Pageable memory. A pageable range is closed until it is touched below DISPATCH_LEVEL: the fault opens a window of up
 * to 64 KiB, and the next raise to DISPATCH_LEVEL closes all open windows. So a touch at a level where Windows could
 * not page in is caught always, not only on the day the page happened to be out. (Driver Verifier's "force IRQL
 * checking" empties the working set at each raise for the same reason.)
 *
 * Two kinds of range: paged pool, of which the page database knows every page, and registered ranges (PAGE sections of
 * images). A window never reaches beyond pages that are in use, so freed paged pool is closed memory.
 *
 * Nobody here takes locks: no delivery point lies between two steps. When a processor whose IRQL is DISPATCH_LEVEL or
 * above goes on, the windows opened by another one must have been closed by the switch.
 */
#include "nt.h"
#include "mm/space.h"

#define MI_WINDOWS 64
#define MI_RANGES 512
#define MI_FEW 4 /* up to this many windows are closed one by one; more, in one call over what they span */

typedef struct _MI_RANGE {
    UINT64 Start, End;
    ULONG Protection;
    LONG Pins;
} MI_RANGE;

typedef struct _MI_OPENING {
    UINT64 Start, End;
} MI_OPENING;

ULONG MiOpenWindows, MiUserWindows;
PKPROCESS MiUserWindowsOf;
ULONG MiFaultCode;
NTSTATUS MiFaultStatus;
static MI_OPENING MiWindow[MI_WINDOWS];
static MI_RANGE MiRange[MI_RANGES]; /* Start 0 = unused */
static ULONG MiRangeLimit;

static MI_RANGE *MiRangeOf(UINT64 Address)
{
    for (ULONG i = 0; i < MiRangeLimit; i++)
        if (Address - MiRange[i].Start < MiRange[i].End - MiRange[i].Start)
            return &MiRange[i];
    return NULL;
}

VOID MiRegisterPageable(UINT64 Start, UINT64 Bytes, ULONG Protection)
{
    for (ULONG i = 0; i < MI_RANGES; i++) {
        if (MiRange[i].Start)
            continue;
        MiRange[i] = (MI_RANGE){Start, Start + Bytes, Protection, 0};
        if (i >= MiRangeLimit)
            MiRangeLimit = i + 1;
        MiProtect(Start, Bytes, DOOR_NONE);
        return;
    }
    /* DIFFERS: beyond 512 PAGE sections at a time, further ones are resident. They keep the loader's protection. */
}

/* The caller unmaps the memory or gives it another protection. */
VOID MiUnregisterPageable(UINT64 Start)
{
    MI_RANGE *Range = MiRangeOf(Start);

    if (!Range || Range->Start != Start)
        return;
    MiClosePaged(Start, Range->End - Start);
    *Range = (MI_RANGE){0};
}

BOOLEAN MiPinPageable(UINT64 Start, LONG Delta)
{
    MI_RANGE *Range = MiRangeOf(Start);

    if (!Range || Range->Pins + Delta < 0)
        return FALSE;
    if (!Range->Pins)
        MiClosePaged(Range->Start, Range->End - Range->Start); /* forget windows into it */
    Range->Pins += Delta;
    MiProtect(Range->Start, Range->End - Range->Start, Range->Pins ? Range->Protection : DOOR_NONE);
    return TRUE;
}

UINT64 MiPageableOf(UINT64 Address, UINT64 *Bytes)
{
    MI_RANGE *Range = MiRangeOf(Address);

    if (!Range)
        return 0;
    *Bytes = Range->End - Range->Start;
    return Range->Start;
}

BOOLEAN MiIsWindowOpen(UINT64 Address)
{
    for (ULONG i = 0; i < MiOpenWindows; i++)
        if (Address - MiWindow[i].Start < MiWindow[i].End - MiWindow[i].Start)
            return TRUE;
    return FALSE;
}

static BOOLEAN MiIsUserWindow(const MI_OPENING *Window)
{
    return Window->Start < DOOR_USER_END;
}

static VOID MiCloseOne(const MI_OPENING *Window)
{
    if (MiIsUserWindow(Window))
        KiDoor->unmap(Window->Start, Window->End - Window->Start);
    else
        MiProtect(Window->Start, Window->End - Window->Start, DOOR_NONE);
}

VOID MiCloseWindows(VOID)
{
    ULONG Count = MiOpenWindows, Paged = 0;
    UINT64 Low = ~0ull, High = 0;

    MiOpenWindows = MiUserWindows = 0;
    for (ULONG i = 0; i < Count; i++) {
        if (!MiIsPagedView(MiWindow[i].Start))
            continue;
        Paged++;
        if (MiWindow[i].Start < Low)
            Low = MiWindow[i].Start;
        if (MiWindow[i].End > High)
            High = MiWindow[i].End;
    }
    for (ULONG i = 0; i < Count; i++)
        if (Paged <= MI_FEW || !MiIsPagedView(MiWindow[i].Start))
            MiCloseOne(&MiWindow[i]);
    if (Paged > MI_FEW)
        MiProtect(Low, High - Low, DOOR_NONE);
}

VOID MiClosePaged(UINT64 Start, UINT64 Bytes)
{
    BOOLEAN Touched = FALSE;

    for (ULONG i = 0; i < MiOpenWindows;) {
        if (MiWindow[i].Start >= Start + Bytes || MiWindow[i].End <= Start) {
            i++;
            continue;
        }
        Touched = TRUE;
        if (MiWindow[i].Start >= Start && MiWindow[i].End <= Start + Bytes)
            MiWindow[i] = MiWindow[--MiOpenWindows];
        else
            i++;
    }
    if (Touched)
        MiProtect(Start, Bytes, DOOR_NONE);
}

VOID MiCloseUserWindows(VOID)
{
    for (ULONG i = 0; i < MiOpenWindows;) {
        if (!MiIsUserWindow(&MiWindow[i])) {
            i++;
            continue;
        }
        MiCloseOne(&MiWindow[i]);
        MiWindow[i] = MiWindow[--MiOpenWindows];
    }
    MiUserWindows = 0;
}

/* Memory of a process is given back, or gets another protection. */
VOID MiCloseUserRange(PMI_SPACE Space, UINT64 Start, UINT64 End)
{
    if (!MiUserWindows || MiUserWindowsOf != &Space->Process->Pcb)
        return;
    for (ULONG i = 0; i < MiOpenWindows;) {
        if (MiWindow[i].Start >= End || MiWindow[i].End <= Start) {
            i++;
            continue;
        }
        MiCloseOne(&MiWindow[i]);
        MiWindow[i] = MiWindow[--MiOpenWindows];
        MiUserWindows--;
    }
}

VOID MiOpenUserWindow(UINT64 Start, UINT64 End, UINT64 Physical, ULONG Protection)
{
    if (MiOpenWindows == MI_WINDOWS)
        MiCloseWindows();
    if (MiUserWindows)
        MiCloseUserRange(MiCurrentSpace(), Start, End);
    if (KiDoor->map(Start, Physical, End - Start, Protection) != DOOR_OK)
        KiInternalError("user memory at %I64x cannot be shown", Start);
    MiWindow[MiOpenWindows++] = (MI_OPENING){Start, End};
    MiUserWindows++;
    MiUserWindowsOf = KeGetCurrentThread()->ApcState.Process;
}

static VOID MiOpenWindow(UINT64 Start, UINT64 End, ULONG Protection)
{
    if (MiOpenWindows == MI_WINDOWS)
        MiCloseWindows();
    MiProtect(Start, End - Start, Protection);
    for (ULONG i = 0; i < MiOpenWindows; i++)
        if (MiWindow[i].Start <= Start && MiWindow[i].End >= End)
            return;
    MiWindow[MiOpenWindows++] = (MI_OPENING){Start, End};
}

/* Paged pool that holds a block, or could hold one: what a window may open. */
static BOOLEAN MiIsOpenable(PMI_PAGE Page)
{
    return (Page->Flags & (MI_PAGE_PAGED | MI_PAGE_CLOSED)) == MI_PAGE_PAGED &&
           (Page->Use == MiUseSlab || Page->Use == MiUseBig);
}

static BOOLEAN MiOpenPagedPool(UINT64 Address, PMI_PAGE Page)
{
    UINT64 Start = Address & ~(DOOR_PAGE - 1), End = Start + DOOR_PAGE;
    UINT64 Low = Address & ~(MI_WINDOW - 1), High = Low + MI_WINDOW;
    PMI_PAGE Near;

    if (!(Page->Flags & MI_PAGE_PAGED))
        return FALSE;
    if (Page->Use == MiUseSpecial) {
        /* The neighbours are guards: its window is the page itself. Closed marks a freed block. */
        if (Page->Flags & MI_PAGE_CLOSED)
            return FALSE;
    } else if (MiIsOpenable(Page)) {
        for (Near = Page; Start > Low && Near > MiPages && MiIsOpenable(Near - 1); Near--)
            Start -= DOOR_PAGE;
        for (Near = Page; End < High && Near + 1 < MiPages + MiPageCount && MiIsOpenable(Near + 1); Near++)
            End += DOOR_PAGE;
    } else {
        return FALSE;
    }
    MiOpenWindow(Start, End, DOOR_READ | DOOR_WRITE);
    return TRUE;
}

static BOOLEAN MiOpenRange(UINT64 Address, ULONG Error, MI_RANGE *Range)
{
    UINT64 Start = Address & ~(MI_WINDOW - 1), End = Start + MI_WINDOW;

    if (Range->Pins || ((Error & 2) && !(Range->Protection & DOOR_WRITE)) ||
        ((Error & 16) && !(Range->Protection & DOOR_EXECUTE)))
        return FALSE;
    if (Start < Range->Start)
        Start = Range->Start;
    if (End > Range->End)
        End = Range->End;
    MiOpenWindow(Start, End, Range->Protection);
    return TRUE;
}

/* Memory of type NonPagedPool (not Nx) may be executed. Few drivers do, so the page is opened for it on first use. */
static BOOLEAN MiOpenExecution(UINT64 Address, PMI_PAGE Page)
{
    if (MiIsPagedView(Address) || (Page->Flags & (MI_PAGE_CLOSED | MI_PAGE_EXECUTABLE)) || !ExpMayExecute(Address))
        return FALSE;
    Page->Flags |= MI_PAGE_EXECUTABLE;
    return KiDoor->protect(Address & ~(DOOR_PAGE - 1), DOOR_PAGE, DOOR_READ | DOOR_WRITE | DOOR_EXECUTE) == DOOR_OK;
}

static PCSTR MiDescribeImage(UINT64 Address, PMI_IMAGE Image)
{
    static CHAR Text[128];
    const struct door_section *Section = MiSectionOf(Image, Address);

    if (!Section)
        RtlpFormat(Text, sizeof(Text), "image of %s", Image->Name);
    else if (Image->InitDiscarded && MiIsInitSection(Section))
        RtlpFormat(Text, sizeof(Text), "discarded %s section of %s", Section->name, Image->Name);
    else
        RtlpFormat(Text, sizeof(Text), "%s section of %s", Section->name, Image->Name);
    return Text;
}

static PCSTR MiDescribe(UINT64 Address, ULONG *Stack)
{
    static CHAR Text[160];
    ULONG AllocatedAt = 0, FreedAt = 0;
    PMI_IMAGE Image;
    BOOLEAN Was = FALSE;

    if (ExpDescribePool(Address, Text, sizeof(Text), &AllocatedAt, &FreedAt)) {
        *Stack = FreedAt ? FreedAt : AllocatedAt;
        return Text;
    }
    if ((Image = MmImageOf(Address)) != NULL)
        return MiDescribeImage(Address, Image);
    if ((Image = MiUnloadedImageOf(Address)) != NULL) {
        RtlpFormat(Text, sizeof(Text), "unloaded driver %s", Image->Name);
        MiFaultCode = 0xCE; /* DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS */
        return Text;
    }
    if (MiIsStack(Address))
        return MiIsStackPage(Address | (DOOR_STACK_SLOT - 1)) ? "guard page of a kernel stack" : "no memory";
    MiMappedPhysical(Address, &Was);
    if (Was)
        return "a mapping that was taken away";
    if (Address < DOOR_USER_BASE)
        return "the null page";
    if (Address < DOOR_USER_END) {
        PEPROCESS Owner = MmOtherOwner(Address), Own = PspCurrentProcess();
        if (!Owner)
            return "user memory";
        RtlpFormat(Text, sizeof(Text), "user memory of process %u (%s) in the context of process %u (%s)",
                   (ULONG)(UINT64)Owner->UniqueProcessId, Owner->ImageFileName, (ULONG)(UINT64)Own->UniqueProcessId,
                   Own->ImageFileName);
        return Text;
    }
    return "no memory";
}

BOOLEAN MmAccessFault(UINT64 Address, ULONG Error, KIRQL Irql, PCSTR *What, ULONG *Stack)
{
    UINT64 Physical;
    PMI_PAGE Page = MiPageOfView(Address, &Physical);
    MI_RANGE *Range = MiRangeOf(Address);

    MiFaultCode = 0;
    *Stack = 0;
    if (Address < DOOR_USER_END && Irql < DISPATCH_LEVEL) {
        if (MiOpenUser(Address, Error, &MiFaultStatus))
            return TRUE;
        *What = MiDescribe(Address, Stack);
        return FALSE;
    }
    if (Irql < DISPATCH_LEVEL || KiDoor->free_build) { /* on a free build what happens to be resident can be touched */
        if (Page && MiIsPagedView(Address) && !(Error & 16) && MiOpenPagedPool(Address, Page))
            return TRUE;
        if (Range && MiOpenRange(Address, Error, Range))
            return TRUE;
    }
    if (Page && (Error & 16) && MiOpenExecution(Address, Page))
        return TRUE;
    *What = MiDescribe(Address, Stack);
    if ((Error & 16) && MmIsAddressValid((PVOID)Address))
        MiFaultCode = 0xFC; /* ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY */
    if (Page && Page->Use == MiUseGuard)
        MiFaultCode = 0xD6; /* DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION */
    else if (Page && Page->Use == MiUseSpecial && (Page->Flags & MI_PAGE_CLOSED))
        MiFaultCode = 0xD5; /* DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL */
    else if (Page && Page->Use == MiUseBig && (Page->Flags & MI_PAGE_CLOSED))
        MiFaultCode = 0xD5;
    return FALSE;
}
