/*
 * User memory: what a touch of it does, and how the kernel itself reads and writes it.
 *
 * A fault in the process that is current brings the page in and opens a window around it: the neighbours within 64 KiB
 * that have memory, as far as they lie in one piece. The kernel's services go by the linear view instead; they see the
 * protections a program would see, and answer with a status.
 */
#include "nt.h"
#include "mm/space.h"

PMI_SPACE MiCurrentSpace(VOID)
{
    PKPROCESS Process = KeGetCurrentThread()->ApcState.Process;

    return Process ? ((PEPROCESS)Process)->Space : NULL;
}

BOOLEAN MiIsProtection(ULONG Protection)
{
    return Protection && Protection <= PAGE_EXECUTE_WRITECOPY && !(Protection & (Protection - 1));
}

static BOOLEAN MiAllows(UINT64 Entry, BOOLEAN Write)
{
    ULONG Protection = (ULONG)(Entry & MI_ENTRY_PROTECTION);

    if (Write)
        return (Protection & (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)) != 0;
    return Protection && Protection != PAGE_NOACCESS;
}

/* What a window may show of a page that is there. */
ULONG MiDoorProtection(UINT64 Entry)
{
    if (!MiAllows(Entry, FALSE) || (Entry & MI_ENTRY_GUARD))
        return DOOR_NONE;
    return Entry & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE) ? DOOR_READ | DOOR_WRITE : DOOR_READ;
}

BOOLEAN MiIsCommitted(PMI_SPACE Space, UINT64 Va)
{
    PMI_VAD Vad = MiFindVad(Space, Va);
    UINT64 *Entry = Vad ? MiEntry(Vad, Va, FALSE) : NULL;

    return Entry && MiAllows(*Entry, FALSE);
}

/* ---- Pages ----------------------------------------------------------------------------------------------------------
 */

VOID MiFreeUserPage(UINT64 Physical)
{
    PMI_PAGE Page = MiPageOf(Physical);

    if (Physical >= DOOR_SHARE_PA && Page->Locks)
        MiKeepShared(Physical);
    else if (Physical >= DOOR_SHARE_PA)
        MiFreeShared(Physical);
    else if (Page->Locks)
        Page->Flags |= MI_PAGE_DYING;
    else
        MiFreePages(Physical, 1);
}

/* Memory for a page without any, and for those right behind it that will be wanted next: in one piece. */
static BOOLEAN MiFillZero(PMI_VAD Vad, UINT64 Va, UINT64 *Entry)
{
    UINT64 Count = 1, Physical, End = (Va & ~(MI_GRANULARITY - 1)) + MI_GRANULARITY;

    if (End > Vad->End)
        End = Vad->End;
    for (UINT64 Next = Va + DOOR_PAGE; Next < End; Next += DOOR_PAGE, Count++) {
        UINT64 *Near = MiEntry(Vad, Next, FALSE);
        if (!Near || !(*Near & MI_ENTRY_PROTECTION) || MI_ENTRY_PHYSICAL(*Near))
            break;
    }
    Physical = MiAllocatePages(Count);
    if (!Physical && Count > 1)
        Physical = MiAllocatePages(Count = 1);
    if (!Physical)
        return FALSE;
    MiSetPages(Physical, Count, MiUseUser, 0, NULL);
    for (UINT64 i = 0; i < Count; i++)
        *MiEntry(Vad, Va + i * DOOR_PAGE, FALSE) |= Physical + i * DOOR_PAGE + MI_ENTRY_PRIVATE;
    return TRUE;
}

/* A page of a section that is written to under copy-on-write becomes the process's own. */
static BOOLEAN MiCopyPage(UINT64 *Entry, UINT64 From)
{
    UINT64 Physical = MiAllocatePages(1);
    ULONG Protection = *Entry & PAGE_WRITECOPY ? PAGE_READWRITE : PAGE_EXECUTE_READWRITE;

    if (!Physical)
        return FALSE;
    MiSetPages(Physical, 1, MiUseUser, 0, NULL);
    __movsq(MiLinear(Physical), MiLinear(From), DOOR_PAGE / 8);
    *Entry = Physical | Protection | MI_ENTRY_PRIVATE;
    return TRUE;
}

UINT64 MiUserPage(PMI_SPACE Space, UINT64 Va, BOOLEAN Write, NTSTATUS *Status)
{
    PMI_VAD Vad = Space ? MiFindVad(Space, Va) : NULL;
    UINT64 *Entry = Vad ? MiEntry(Vad, Va, FALSE) : NULL, Physical;

    *Status = STATUS_ACCESS_VIOLATION;
    if (!Entry || !MiAllows(*Entry, Write))
        return 0;
    if (*Entry & MI_ENTRY_GUARD) { /* docs: Creating Guard Pages: once */
        *Entry &= ~MI_ENTRY_GUARD;
        *Status = STATUS_GUARD_PAGE_VIOLATION;
        return 0;
    }
    *Status = STATUS_NO_MEMORY;
    Va &= ~(DOOR_PAGE - 1);
    if (!MI_ENTRY_PHYSICAL(*Entry) && !Vad->Segment && !MiFillZero(Vad, Va, Entry))
        return 0;
    if (Vad->Segment && !(*Entry & MI_ENTRY_PRIVATE)) {
        BOOLEAN Copies = Write && (*Entry & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)) != 0;
        Physical = MiSegmentPage(Vad->Segment, Vad->Offset + (Va - Vad->Start), Write && !Copies, Status);
        if (!Physical)
            return 0;
        Vad = MiFindVad(Space, Va); /* reading may have taken time */
        Entry = Vad && Vad->Segment ? MiEntry(Vad, Va, FALSE) : NULL;
        if (!Entry || !MiAllows(*Entry, Write)) {
            *Status = STATUS_ACCESS_VIOLATION;
            return 0;
        }
        if (!Copies)
            *Entry = Physical | (*Entry & (DOOR_PAGE - 1));
        else if (MiCopyPage(Entry, Physical))
            MiCloseUserRange(Space, Va, Va + DOOR_PAGE);
        else
            return 0;
    }
    *Status = STATUS_SUCCESS;
    return MI_ENTRY_PHYSICAL(*Entry);
}

/* Another process than the current one that has memory at this address; NULL = the current one has, or none. */
PEPROCESS MmOtherOwner(UINT64 Address)
{
    if (MiCurrentSpace() && MiIsCommitted(MiCurrentSpace(), Address))
        return NULL;
    for (PLIST_ENTRY Entry = PspProcesses.Flink; Entry != &PspProcesses; Entry = Entry->Flink) {
        PEPROCESS Process = CONTAINING_RECORD(Entry, EPROCESS, ActiveProcessLinks);
        if (Process != PspCurrentProcess() && Process->Space && MiIsCommitted(Process->Space, Address))
            return Process;
    }
    return NULL;
}

/* ---- Windows --------------------------------------------------------------------------------------------------------
 */

BOOLEAN MiOpenUser(UINT64 Address, ULONG Error, NTSTATUS *Status)
{
    PMI_SPACE Space = MiCurrentSpace();
    UINT64 Va = Address & ~(DOOR_PAGE - 1), Start = Va, End = Va + DOOR_PAGE, Physical, First;
    UINT64 Low = Address & ~(MI_WINDOW - 1), High = Low + MI_WINDOW;
    ULONG Protection;
    PMI_VAD Vad;

    *Status = STATUS_ACCESS_VIOLATION;
    if (Error & 16) /* no kernel code executes what a program has written */
        return FALSE;
    if (!Space || !(Physical = MiUserPage(Space, Address, (Error & 2) != 0, Status)))
        return FALSE;
    Vad = MiFindVad(Space, Address);
    Protection = MiDoorProtection(*MiEntry(Vad, Va, FALSE));
    First = Physical;
    if (Vad->Segment) { /* the first write to each page must be seen */
        High = End;
        Low = Start;
        if (!(Error & 2))
            Protection &= ~(ULONG)DOOR_WRITE;
    }
    while (Start > Low && Start > Vad->Start) {
        UINT64 *Near = MiEntry(Vad, Start - DOOR_PAGE, FALSE);
        if (!Near || MI_ENTRY_PHYSICAL(*Near) != First - DOOR_PAGE || MiDoorProtection(*Near) != Protection)
            break;
        Start -= DOOR_PAGE;
        First -= DOOR_PAGE;
    }
    while (End < High && End < Vad->End) {
        UINT64 *Near = MiEntry(Vad, End, FALSE);
        if (!Near || MI_ENTRY_PHYSICAL(*Near) != Physical + (End - Va) || MiDoorProtection(*Near) != Protection)
            break;
        End += DOOR_PAGE;
    }
    MiOpenUserWindow(Start, End, First, Protection);
    return TRUE;
}

/* ---- The kernel's own accesses --------------------------------------------------------------------------------------
 */

static NTSTATUS MiMoveUser(PMI_SPACE Space, PUCHAR Kernel, UINT64 User, SIZE_T Bytes, BOOLEAN Write, SIZE_T *Done)
{
    NTSTATUS Status = STATUS_SUCCESS;

    *Done = 0;
    if (User + Bytes < User || User + Bytes > DOOR_USER_END)
        return STATUS_ACCESS_VIOLATION;
    while (*Done < Bytes) {
        UINT64 Offset = (User + *Done) & (DOOR_PAGE - 1);
        UINT64 Run = DOOR_PAGE - Offset < Bytes - *Done ? DOOR_PAGE - Offset : Bytes - *Done;
        UINT64 Physical = MiUserPage(Space, User + *Done, Write, &Status);
        if (!Physical)
            return Status;
        if (Write)
            RtlCopyMemory((PUCHAR)MiLinear(Physical) + Offset, Kernel + *Done, Run);
        else
            RtlCopyMemory(Kernel + *Done, (PUCHAR)MiLinear(Physical) + Offset, Run);
        *Done += Run;
    }
    return STATUS_SUCCESS;
}

NTSTATUS MmReadUser(PVOID To, const VOID *User, SIZE_T Bytes)
{
    SIZE_T Done;
    return MiMoveUser(MiCurrentSpace(), To, (UINT64)User, Bytes, FALSE, &Done);
}

NTSTATUS MmWriteUser(PVOID User, const VOID *From, SIZE_T Bytes)
{
    SIZE_T Done;
    return MiMoveUser(MiCurrentSpace(), (PUCHAR)From, (UINT64)User, Bytes, TRUE, &Done);
}

NTSTATUS MmWriteUserStatus(PVOID User, const IO_STATUS_BLOCK *Iosb)
{
    UINT64 At = (UINT64)User, Physical;
    NTSTATUS Status;

    if (At & (sizeof(UINT64) - 1) || At >= DOOR_USER_END)
        return MmWriteUser(User, Iosb, sizeof(*Iosb));
    Status = MmWriteUser((PVOID)(At + sizeof(UINT64)), &Iosb->Information, sizeof(UINT64));
    if (!NT_SUCCESS(Status) || !(Physical = MiUserPage(MiCurrentSpace(), At, TRUE, &Status)))
        return Status;
    __atomic_store_n((UINT64 *)((PUCHAR)MiLinear(Physical) + (At & (DOOR_PAGE - 1))), *(const UINT64 *)Iosb,
                     __ATOMIC_RELEASE);
    return STATUS_SUCCESS;
}

VOID MmWriteProcess(PMI_SPACE Space, UINT64 User, const VOID *From, SIZE_T Bytes)
{
    SIZE_T Done;
    MiMoveUser(Space, (PUCHAR)From, User, Bytes, TRUE, &Done);
}

/* Would each page of it be readable or writable. */
NTSTATUS MmProbeUser(const VOID *User, SIZE_T Bytes, ULONG Alignment, BOOLEAN Write)
{
    UINT64 Start = (UINT64)User, End = Start + Bytes;
    PMI_SPACE Space = MiCurrentSpace();
    NTSTATUS Status;

    if (!Bytes)
        return STATUS_SUCCESS;
    if (Start & (Alignment - 1))
        return STATUS_DATATYPE_MISALIGNMENT;
    if (End < Start || End > DOOR_USER_END)
        return STATUS_ACCESS_VIOLATION;
    for (UINT64 At = Start; Write && At < End; At = (At | (DOOR_PAGE - 1)) + 1)
        if (!MiUserPage(Space, At, TRUE, &Status))
            return Status;
    return STATUS_SUCCESS;
}

/* docs (undocumented, widely used): MmCopyVirtualMemory. In pages, through a buffer of the kernel's. */
NTSTATUS NTAPI MmCopyVirtualMemory(PEPROCESS FromProcess, PVOID From, PEPROCESS ToProcess, PVOID To, SIZE_T Bytes,
                                   KPROCESSOR_MODE Mode, PSIZE_T Returned)
{
    NTSTATUS Status = STATUS_SUCCESS;
    SIZE_T Done = 0, Part;
    PUCHAR Buffer;

    *Returned = 0;
    if (!Bytes)
        return STATUS_SUCCESS;
    if (Mode != KernelMode && ((UINT64)From + Bytes > DOOR_USER_END || (UINT64)To + Bytes > DOOR_USER_END ||
                               (UINT64)From + Bytes < Bytes || (UINT64)To + Bytes < Bytes))
        return STATUS_ACCESS_VIOLATION;
    if (!(Buffer = ExpTryAllocate(DOOR_PAGE, 'pCmM')))
        return STATUS_INSUFFICIENT_RESOURCES;
    while (Done < Bytes && NT_SUCCESS(Status)) {
        SIZE_T Want = Bytes - Done < DOOR_PAGE ? Bytes - Done : DOOR_PAGE;
        UINT64 Source = (UINT64)From + Done, Target = (UINT64)To + Done;
        if (Source >= DOOR_KERNEL_BASE) {
            RtlCopyMemory(Buffer, (PVOID)Source, Part = Want);
        } else {
            Status = MiMoveUser(FromProcess->Space, Buffer, Source, Want, FALSE, &Part);
        }
        if (Target >= DOOR_KERNEL_BASE) {
            RtlCopyMemory((PVOID)Target, Buffer, Part);
        } else if (Part) {
            SIZE_T Read = Part;
            NTSTATUS Written = MiMoveUser(ToProcess->Space, Buffer, Target, Read, TRUE, &Part);
            if (!NT_SUCCESS(Written))
                Status = Written;
        }
        Done += Part;
    }
    ExpFree(Buffer);
    *Returned = Done;
    return NT_SUCCESS(Status) ? STATUS_SUCCESS : Done ? STATUS_PARTIAL_COPY : Status;
}
