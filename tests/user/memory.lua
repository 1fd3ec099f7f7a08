-- drivers: memory
-- expect: checks, 0 failures
advance(0)
