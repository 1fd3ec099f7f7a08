/*
 * Symbolic links: objects with a target, which the walk through the namespace (name.c) follows. Each knows who made it, for
 * those that a driver leaves behind. (docs: ZwCreateSymbolicLinkObject, ZwQuerySymbolicLinkObject, IoCreateSymbolicLink)
 */
#include "nt.h"
#include "ob/link.h"

static LIST_ENTRY ObpLinks = {&ObpLinks, &ObpLinks};

/* ---- The object -------------------------------------------------------------------------------------------------- */

static VOID ObpDeleteLink(PVOID Body)
{
    POBP_LINK Link = Body;
    RemoveEntryList(&Link->Entry);
    if (Link->Target.Buffer)
        ExpFree(Link->Target.Buffer);
}

static NTSTATUS ObpNewLink(PCUNICODE_STRING Target, ULONG Stack, PVOID *Body)
{
    if (!Target || Target->Length > 0xfff0)
        return STATUS_INVALID_PARAMETER;
    if (Target->Length && !Target->Buffer)
        return STATUS_ACCESS_VIOLATION;
    NTSTATUS Status = ObpAllocateObject(ObpSymbolicLinkType, sizeof(OBP_LINK), Body);
    if (!NT_SUCCESS(Status))
        return Status;
    POBP_LINK Link = *Body;
    InsertTailList(&ObpLinks, &Link->Entry);
    Link->Stack = Stack;
    Link->CreateTime.QuadPart = KiSystemTime();
    Link->Target.Buffer = ExpAllocate(Target->Length + sizeof(WCHAR), OBP_NAME_TAG);
    Link->Target.Length = Target->Length;
    Link->Target.MaximumLength = Target->Length + (Target->MaximumLength > Target->Length ? sizeof(WCHAR) : 0);
    Link->Target.Buffer[Target->Length / sizeof(WCHAR)] = 0;
    RtlCopyMemory(Link->Target.Buffer, Target->Buffer, Target->Length);
    return STATUS_SUCCESS;
}

/* The first link behind Previous (NULL = from the start) that was made by code of this image. */
PVOID ObpNextLinkOf(PVOID Previous, UINT64 Base, UINT64 Bytes)
{
    PLIST_ENTRY Entry = Previous ? ((POBP_LINK)Previous)->Entry.Flink : ObpLinks.Flink;
    for (; Entry != &ObpLinks; Entry = Entry->Flink) {
        POBP_LINK Link = CONTAINING_RECORD(Entry, OBP_LINK, Entry);
        UINT64 Frames[DOOR_FRAMES];
        ULONG Count = VfStackFrames(Link->Stack, Frames);
        for (ULONG i = 0; i < Count; i++)
            if (Frames[i] - Base < Bytes)
                return Link;
    }
    return NULL;
}

ULONG ObpLinkStack(PVOID Link)
{
    return ((POBP_LINK)Link)->Stack;
}

/* ---- Services ---------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtCreateSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                                          PUNICODE_STRING Target)
{
    PVOID Body;
    NTSTATUS Status = ObpNewLink(Target, VfCaptureStack(), &Body);
    return NT_SUCCESS(Status) ? ObpInsertObject(Body, Attributes, Access, Handle) : Status;
}

NTSTATUS NTAPI NtOpenSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    *Handle = NULL; /* also when it fails */
    return ObpOpen(Attributes, ObpSymbolicLinkType, Access, NULL, Handle);
}

/* docs: ZwQuerySymbolicLinkObject. Who asks for the length is told of, and given, the terminator as well, where the target
 * was made with room for one; who does not gets the text alone. */
NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE Handle, PUNICODE_STRING Target, PULONG Returned)
{
    POBP_LINK Link;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 1, ObpSymbolicLinkType, KernelMode, (PVOID *)&Link, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    USHORT Bytes = Returned ? Link->Target.MaximumLength : Link->Target.Length;
    if (Returned)
        *Returned = Bytes;
    if (Target->MaximumLength < Bytes)
        Status = STATUS_BUFFER_TOO_SMALL;
    else {
        RtlCopyMemory(Target->Buffer, Link->Target.Buffer, Bytes);
        Target->Length = Link->Target.Length;
    }
    ObfDereferenceObject(Link);
    return Status;
}

/* A permanent link, removed by IoDeleteSymbolicLink only. Security NULL = it has none. */
NTSTATUS ObpNameLink(PUNICODE_STRING Name, PUNICODE_STRING Target, PSECURITY_DESCRIPTOR Security, ULONG Stack)
{
    PVOID Body;
    NTSTATUS Status = ObpNewLink(Target, Stack, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Security)
        Status = ObpAssignSecurity(Body, NULL, Security);
    if (NT_SUCCESS(Status))
        Status = ObpInsertName(Body, Name, OBJ_CASE_INSENSITIVE | OBJ_PERMANENT);
    ObfDereferenceObject(Body);
    return Status;
}

/* The kernel's own: no driver is to be blamed for it. */
NTSTATUS ObpCreateLink(PUNICODE_STRING Name, PUNICODE_STRING Target)
{
    return ObpNameLink(Name, Target, NULL, 0);
}

NTSTATUS NTAPI IoDeleteSymbolicLink(PUNICODE_STRING Name)
{
    PVOID Link;
    NTSTATUS Status = ObpLookupName(Name, OBJ_CASE_INSENSITIVE, ObpSymbolicLinkType, 0, NULL, &Link);
    if (!NT_SUCCESS(Status))
        return Status;
    ObpRemoveName(Link);
    ObfDereferenceObject(Link);
    return STATUS_SUCCESS;
}

VOID ObpInitializeLinks(VOID)
{
    ObpSymbolicLinkType = ObpCreateType(
        &(OB_TYPE_INIT){.Name = L"SymbolicLink",
                        .BodyBytes = sizeof(OBP_LINK),
                        .ValidAccess = SYMBOLIC_LINK_ALL_ACCESS,
                        .Mapping = {STANDARD_RIGHTS_READ | SYMBOLIC_LINK_QUERY, STANDARD_RIGHTS_WRITE,
                                    STANDARD_RIGHTS_EXECUTE | SYMBOLIC_LINK_QUERY, SYMBOLIC_LINK_ALL_ACCESS},
                        .Delete = ObpDeleteLink,
                        .CaseInsensitive = TRUE});
}
