/* Of the kit: warnings of the analyser about routines not to be used. Nothing to say to a compiler. */
#pragma once
