power_fail()
power_return()
advance(30)
