/* Of the kit: warnings of the analyser that are silenced. Nothing to say to a compiler. */
#pragma once
