/*
 * Processors as drivers ask for them: one group, numbers that are indices, and the floating point state, which every
 * switch keeps on x64. (docs: KeGetProcessorNumberFromIndex, KeSaveFloatingPointState, KeSaveExtendedProcessorState)
 */
#include "nt.h"

volatile CCHAR KeNumberProcessors;

ULONG KeGetProcessorIndexFromNumber(PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcNumber->Group || ProcNumber->Reserved || ProcNumber->Number >= KiDoor->processors)
        return INVALID_PROCESSOR_INDEX;
    return ProcNumber->Number;
}

NTSTATUS KeGetProcessorNumberFromIndex(ULONG ProcIndex, PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcIndex >= KiDoor->processors)
        return STATUS_INVALID_PARAMETER;
    ProcNumber->Group = 0;
    ProcNumber->Number = (UCHAR)ProcIndex;
    ProcNumber->Reserved = 0;
    return STATUS_SUCCESS;
}

KAFFINITY KeQueryGroupAffinity(USHORT GroupNumber)
{
    return GroupNumber ? 0 : KeQueryActiveProcessors();
}

VOID KeSetSystemGroupAffinityThread(PGROUP_AFFINITY Affinity, PGROUP_AFFINITY PreviousAffinity)
{
    GROUP_AFFINITY New = *Affinity; /* both may be the same structure */

    if (PreviousAffinity)
        RtlZeroMemory(PreviousAffinity, sizeof(*PreviousAffinity));
    if (New.Group || !(New.Mask & KeQueryActiveProcessors()))
        return;
    New.Mask = KeSetSystemAffinityThreadEx(New.Mask);
    if (PreviousAffinity)
        PreviousAffinity->Mask = New.Mask;
}

VOID KeRevertToUserGroupAffinityThread(PGROUP_AFFINITY PreviousAffinity)
{
    KeRevertToUserAffinityThreadEx(PreviousAffinity->Mask);
}

ULONG KeGetRecommendedSharedDataAlignment(VOID)
{
    return 64;
}

NTSTATUS KiExportKeSaveFloatingPointState(PVOID FloatSave)
{
    return STATUS_SUCCESS;
}

NTSTATUS KiExportKeRestoreFloatingPointState(PVOID FloatSave)
{
    return STATUS_SUCCESS;
}

/* Run a routine with more stack than is left. DIFFERS: a stack has its 24 KiB and the room behind them that is the
 * kernel's own; the routine runs in that. */
NTSTATUS KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size, BOOLEAN Wait,
                                         PVOID Context)
{
    if (Size > MAXIMUM_EXPANSION_SIZE)
        return STATUS_INVALID_PARAMETER_3;
    if (Context)
        return STATUS_INVALID_PARAMETER_5;
    Callout(Parameter);
    return STATUS_SUCCESS;
}

NTSTATUS KeExpandKernelStackAndCallout(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size)
{
    return KeExpandKernelStackAndCalloutEx(Callout, Parameter, Size, TRUE, NULL);
}

/* ---- Groups, nodes, relations: one group, one node, one package; a core a processor ---------------------------------- */

USHORT KeQueryMaximumGroupCount(VOID)
{
    return 1;
}

USHORT KeQueryHighestNodeNumber(VOID)
{
    return 0;
}

USHORT KeGetCurrentNodeNumber(VOID)
{
    return 0;
}

USHORT KeQueryNodeMaximumProcessorCount(USHORT NodeNumber)
{
    return NodeNumber ? 0 : DOOR_PROCESSORS;
}

VOID KeQueryNodeActiveAffinity(USHORT NodeNumber, PGROUP_AFFINITY Affinity, PUSHORT Count)
{
    KAFFINITY Active = NodeNumber ? 0 : KeQueryActiveProcessors();

    if (Affinity) {
        RtlZeroMemory(Affinity, sizeof(*Affinity));
        Affinity->Mask = Active;
    }
    if (Count)
        *Count = (USHORT)__builtin_popcountll(Active);
}

/* docs: KeQueryNodeActiveProcessorCount: of all groups; zero for a number that no node has. */
ULONG KeQueryNodeActiveProcessorCount(USHORT NodeNumber)
{
    USHORT Count;

    KeQueryNodeActiveAffinity(NodeNumber, NULL, &Count);
    return Count;
}

/* docs: KeQueryNodeActiveAffinity2: an affinity for each group that the node has processors in. */
NTSTATUS KeQueryNodeActiveAffinity2(USHORT NodeNumber, PGROUP_AFFINITY Affinities, USHORT Count, PUSHORT Required)
{
    if (NodeNumber > KeQueryHighestNodeNumber())
        return STATUS_INVALID_PARAMETER;
    *Required = 1;
    if (Count < 1)
        return STATUS_BUFFER_TOO_SMALL;
    KeQueryNodeActiveAffinity(NodeNumber, &Affinities[0], NULL);
    return STATUS_SUCCESS;
}

/* Where the next record goes, as far as there is room. */
typedef struct _KI_RELATIONS {
    PUCHAR Buffer;
    ULONG Room, Used;
} KI_RELATIONS;

static PSYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX KiAddRelation(KI_RELATIONS *Relations,
                                                              LOGICAL_PROCESSOR_RELATIONSHIP Kind, ULONG Bytes)
{
    static SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX Nowhere;
    PSYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX Record = &Nowhere;

    Bytes += FIELD_OFFSET(SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX, Processor);
    if (Relations->Used + Bytes <= Relations->Room)
        Record = (PVOID)(Relations->Buffer + Relations->Used);
    Relations->Used += Bytes;
    RtlZeroMemory(Record, Bytes);
    Record->Relationship = Kind;
    Record->Size = Bytes;
    return Record;
}

static VOID KiAddProcessors(KI_RELATIONS *Relations, LOGICAL_PROCESSOR_RELATIONSHIP Kind, KAFFINITY Mask)
{
    PSYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX Record = KiAddRelation(Relations, Kind, sizeof(PROCESSOR_RELATIONSHIP));

    Record->Processor.GroupCount = 1;
    Record->Processor.GroupMask[0].Mask = Mask;
}

static VOID KiAddGroup(KI_RELATIONS *Relations)
{
    PSYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX Record =
        KiAddRelation(Relations, RelationGroup, sizeof(GROUP_RELATIONSHIP));

    Record->Group.MaximumGroupCount = Record->Group.ActiveGroupCount = 1;
    Record->Group.GroupInfo[0].MaximumProcessorCount = DOOR_PROCESSORS;
    Record->Group.GroupInfo[0].ActiveProcessorCount = (UCHAR)KiDoor->processors;
    Record->Group.GroupInfo[0].ActiveProcessorMask = KeQueryActiveProcessors();
}

/* (docs: KeQueryLogicalProcessorRelationship) No caches are told of: the machine has none. */
NTSTATUS KeQueryLogicalProcessorRelationship(PPROCESSOR_NUMBER ProcessorNumber,
                                             LOGICAL_PROCESSOR_RELATIONSHIP RelationshipType,
                                             PSYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX Information, PULONG Length)
{
    KI_RELATIONS Relations = {(PUCHAR)Information, Information ? *Length : 0, 0};
    LOGICAL_PROCESSOR_RELATIONSHIP Kind = RelationshipType;
    ULONG Only = ProcessorNumber ? KeGetProcessorIndexFromNumber(ProcessorNumber) : 0;

    if (Only == INVALID_PROCESSOR_INDEX)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < KiDoor->processors; i++)
        if ((Kind == RelationProcessorCore || Kind == RelationAll) && (!ProcessorNumber || i == Only))
            KiAddProcessors(&Relations, RelationProcessorCore, 1ull << i);
    if (Kind == RelationNumaNode || Kind == RelationAll)
        KiAddRelation(&Relations, RelationNumaNode, sizeof(NUMA_NODE_RELATIONSHIP))->NumaNode.GroupMask.Mask =
            KeQueryActiveProcessors();
    if (Kind == RelationProcessorPackage || Kind == RelationAll)
        KiAddProcessors(&Relations, RelationProcessorPackage, KeQueryActiveProcessors());
    if (Kind == RelationGroup || Kind == RelationAll)
        KiAddGroup(&Relations);
    *Length = Relations.Used;
    return Relations.Used <= Relations.Room ? STATUS_SUCCESS : STATUS_INFO_LENGTH_MISMATCH;
}
