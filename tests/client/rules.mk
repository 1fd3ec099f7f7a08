# Programs of this folder use the client library; drivers lie in tests/user and examples.
CLIENTTESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/client/*.c))
$(CLIENTTESTS): $(B)/tests/client/%: tests/client/%.c $(B)/client/libirqlab-client.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iclient -o $@ $< $(B)/client/libirqlab-client.a -pthread
tests: $(CLIENTTESTS)
