/*
 * Security descriptors of devices as text (docs: "SDDL for Device Objects"): "D:" with flags, then entries
 * "(type;flags;rights;;;sid)". Only the access list; owner, group and auditing are not for devices.
 */
#pragma once

#include <ntifs.h>

/* The access list that Text describes, from nonpaged pool; generic rights are mapped as files'. Errors leave *Acl alone. */
NTSTATUS SddlAclFromText(PCUNICODE_STRING Text, PACL *Acl, PSECURITY_DESCRIPTOR_CONTROL Control);

#define SDDL_TAG 'lddS'
