-- Fires the sources that ladder.c cannot fire itself.
advance(0.01)  -- its timers
profile_tick()
power_fail()
power_return()
nmi()
