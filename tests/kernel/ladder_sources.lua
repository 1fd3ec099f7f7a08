-- The order of things for ladder_sources.c. Its thread stays at HIGH_LEVEL on processor 2 from 100 ms on.
nmi()
nmi(1)
profile_tick(2)
power_fail()
power_return()
assert(add_processor() == 5)
advance(0.101)
profile_tick(2)  -- held off
nmi(2)           -- not held off; ends the hold
advance(1)
