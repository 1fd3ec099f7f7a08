# The parts of the scenario language that are written in Lua; see part.h.

        .section .note.GNU-stack, "", @progbits
        .section .rodata

        .macro  script name
        .globl  scenario_\name\()_lua, scenario_\name\()_lua_end
scenario_\name\()_lua:
        .incbin "host/scenario/\name\().lua"
scenario_\name\()_lua_end:
        .endm

        script  pairs
        script  process
        script  registry
