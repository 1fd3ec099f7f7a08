/* Transactions as a driver takes part in them (docs: "Kernel Transaction Manager", TmCreateEnlistment and its family). */
#pragma once

typedef struct _KTRANSACTION KTRANSACTION, *PKTRANSACTION, *RESTRICTED_POINTER PRKTRANSACTION;
typedef struct _KTM KTM, *PKTM, *RESTRICTED_POINTER PRKTM;
typedef struct _KENLISTMENT KENLISTMENT, *PKENLISTMENT, *RESTRICTED_POINTER PRKENLISTMENT;
typedef struct _KRESOURCEMANAGER KRESOURCEMANAGER, *PKRESOURCEMANAGER, *RESTRICTED_POINTER PRKRESOURCEMANAGER;
typedef NTSTATUS(NTAPI *PTM_RM_NOTIFICATION)(PKENLISTMENT EnlistmentObject, PVOID RMContext, PVOID TransactionContext,
                                             ULONG TransactionNotification, PLARGE_INTEGER TmVirtualClock,
                                             ULONG ArgumentLength, PVOID Argument);

NTKERNELAPI NTSTATUS NTAPI TmCommitTransaction(PKTRANSACTION Transaction, BOOLEAN Wait);
NTKERNELAPI NTSTATUS NTAPI TmRollbackTransaction(PKTRANSACTION Transaction, BOOLEAN Wait);
NTKERNELAPI VOID NTAPI TmGetTransactionId(PKTRANSACTION Transaction, PUOW TransactionId);
NTKERNELAPI BOOLEAN NTAPI TmIsTransactionActive(PKTRANSACTION Transaction);
NTKERNELAPI NTSTATUS NTAPI TmEnableCallbacks(PKRESOURCEMANAGER ResourceManager, PTM_RM_NOTIFICATION CallbackRoutine,
                                             PVOID RMKey);
NTKERNELAPI NTSTATUS NTAPI TmCreateEnlistment(PHANDLE EnlistmentHandle, KPROCESSOR_MODE PreviousMode,
                                              ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                              PRKRESOURCEMANAGER ResourceManager, PKTRANSACTION Transaction,
                                              ULONG CreateOptions, NOTIFICATION_MASK NotificationMask,
                                              PVOID EnlistmentKey);
NTKERNELAPI NTSTATUS NTAPI TmReferenceEnlistmentKey(PKENLISTMENT Enlistment, PVOID *Key);
NTKERNELAPI NTSTATUS NTAPI TmDereferenceEnlistmentKey(PKENLISTMENT Enlistment, PBOOLEAN LastReference);
NTKERNELAPI NTSTATUS NTAPI TmRecoverEnlistment(PKENLISTMENT Enlistment, PVOID EnlistmentKey);
NTKERNELAPI NTSTATUS NTAPI TmRecoverResourceManager(PKRESOURCEMANAGER ResourceManager);
NTKERNELAPI NTSTATUS NTAPI TmRecoverTransactionManager(PKTM Tm, PLARGE_INTEGER TargetVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmRenameTransactionManager(PUNICODE_STRING LogFileName,
                                                      LPGUID ExistingTransactionManagerGuid);
NTKERNELAPI NTSTATUS NTAPI TmCommitComplete(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmCommitEnlistment(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmPrePrepareComplete(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmPrePrepareEnlistment(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmPrepareComplete(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmPrepareEnlistment(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmReadOnlyEnlistment(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmRequestOutcomeEnlistment(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmRollbackComplete(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmRollbackEnlistment(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmSinglePhaseReject(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock);
