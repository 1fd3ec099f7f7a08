/* What the walk through the namespace (name.c) needs of symbolic links (link.c). */
#pragma once

#define OBP_NAME_TAG 'mNbO'

typedef struct _OBP_LINK {
    LIST_ENTRY Entry; /* in ObpLinks */
    UNICODE_STRING Target;
    LARGE_INTEGER CreateTime;
    ULONG Stack; /* who made it */
} OBP_LINK, *POBP_LINK;

VOID ObpInitializeLinks(VOID);
