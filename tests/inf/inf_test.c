/*
 * INF files: how lines are read, which models and sections are chosen, what is bound and what goes to the registry; and, as
 * `inf_test fuzz CASES`, damaged files under ASan and UBSan. Same arguments, same cases.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>
#include "inf/inf.h"

static struct inf inf;
static struct registry_stream stream;
static struct inf_target target;
static char why[256];

static bool parse(const char *text)
{
    inf_free(&inf);
    *why = 0;
    return inf_parse(&inf, text, strlen(text), why);
}

/* Drivers whose names begin with a are missing. */
static bool is_given(void *context, const char *file)
{
    return tolower((unsigned char)*file) != 'a';
}

static bool install(const char *text)
{
    free(stream.bytes);
    stream = (struct registry_stream){0};
    target = (struct inf_target){.given = is_given, .registry = &stream, .major = 10, .build = 19045};
    return parse(text) && inf_install(&inf, &target, why);
}

/* The data of a value as characters, its bytes of zero as dots; NULL: it isn't there. */
static const char *value(const char *key, const char *name)
{
    static char text[512];
    struct registry_record r;
    for (size_t at = 0; registry_next(&stream, &at, &r);) {
        size_t n = 0, keys = r.header.key_bytes / 2u, names = r.header.name_bytes / 2u;
        while (n < keys && r.key[n] == (unsigned char)key[n])
            n++;
        if (n < keys || key[keys])
            continue;
        for (n = 0; n < names && r.name[n] == (unsigned char)name[n];)
            n++;
        if (n < names || name[names])
            continue;
        snprintf(text, sizeof text, "%u:", r.header.type);
        for (uint32_t i = 0; i < r.header.data_bytes; i++)
            sprintf(text + strlen(text),
                    r.data[i] > 31 && r.data[i] < 127 ? "%c"
                    : r.data[i]                       ? "<%02x>"
                                                      : ".",
                    r.data[i]);
        return text;
    }
    return NULL;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void fields_are_read(void **state)
{
    assert_true(parse(
        "; nothing\r\n[One]\r\n  key = a, \"b, ;\"\"c\" ,, d e ; rest\r\nHKR,,x,,\"p=q\"\r\nlong = 1, \\\r\n 2\r\n"
        "[ Two ]\n\"quoted key\"=%S%-%none%-%%\n[ONE]\nlast\n[strings]\ns=\"text; %none%\"\n"));
    const struct inf_line *line = inf_next(&inf, "one", NULL);
    assert_string_equal(line->key, "key");
    assert_int_equal(line->fields, 4);
    assert_string_equal(inf_field(line, 0), "a");
    assert_string_equal(inf_field(line, 1), "b, ;\"c");
    assert_string_equal(inf_field(line, 2), "");
    assert_string_equal(inf_field(line, 3), "d e");
    assert_string_equal(inf_field(line, 4), "");
    line = inf_next(&inf, "one", line);
    assert_null(line->key);
    assert_string_equal(inf_field(line, 4), "p=q");
    line = inf_next(&inf, "one", line);
    assert_string_equal(inf_field(line, 1), "2");
    assert_string_equal(inf_field(inf_next(&inf, "one", line), 0), "last");
    assert_null(inf_next(&inf, "one", inf_next(&inf, "one", line)));
    assert_true(inf_has(&inf, "two"));
    assert_false(inf_has(&inf, "three"));
    assert_string_equal(inf_field(inf_find(&inf, "Two", "QUOTED KEY"), 0), "text; %none%-%none%-%");
}

static void every_encoding_is_read(void **state)
{
    static const uint16_t wide[] = {0xfeff, '[', 'a', ']', '\n', 0xe9, '=', 0xd83d, 0xde00};
    inf_free(&inf);
    assert_true(inf_parse(&inf, wide, sizeof wide, why));
    assert_string_equal(inf_next(&inf, "a", NULL)->key, "\xc3\xa9");
    assert_string_equal(inf_field(inf_next(&inf, "a", NULL), 0), "\xf0\x9f\x98\x80");
    assert_true(parse("\xef\xbb\xbf[a]\nk=\xc3\xa9\n"));
    assert_string_equal(inf_field(inf_find(&inf, "a", "k"), 0), "\xc3\xa9");
    assert_true(parse("[a]\nk=\xe9\n"));
    assert_string_equal(inf_field(inf_find(&inf, "a", "k"), 0), "\xc3\xa9");
    assert_true(parse(""));
    assert_null(inf_next(&inf, "a", NULL));
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    static const char *const wrong[][2] = {{"\nx = 1\n", "line 2: a section begins with [name]"},
                                           {"[a\n", "line 1: a section's name ends with ]"},
                                           {"[a]\n\"x\n", "line 2: a quotation mark is missing"},
                                           {"[Strings]\nx\n", "line 2: a string is name = \"text\""}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(parse(wrong[i][0]));
        assert_string_equal(why, wrong[i][1]);
    }
    assert_false(install("[Manufacturer]\nm=M\n[M]\nd=I,ID\n[I.Services]\nAddService=s,2,S\n[S]\nServiceBinary=x.sys\n"
                         "[I]\nAddReg=R\n[R]\nHKX,,v\n"));
    assert_string_equal(why, "line 12: a registry root is HKR, HKLM, HKCR, HKU or HKCU");
    assert_false(
        install("[Manufacturer]\nm=M\n[M]\nd=I,I=D\n[I.Services]\nAddService=s,2,S\n[S]\nServiceBinary=x.sys\n"));
    assert_string_equal(why, "line 4: a device with such an id and such drivers can't be bound");
}

/* ---- What is installed ------------------------------------------------------------------------------------------- */

#define CONFIGURATION "MACHINE\\SYSTEM\\DriverDatabase\\Configurations\\"
#define MODEL(platforms) "[Manufacturer]\n%M%=M" platforms "\n[Strings]\nM=Maker\n"
#define SERVICE                                                                                                        \
    "[X.Services]\nAddService=s,2,S\nAddService=f,,F\n[S]\nServiceBinary=%12%\\x.sys\n[F]\nServiceBinary=%13%"         \
    "\\filter.sys\n"

static void models_of_the_newest_platform_are_taken(void **state)
{
    assert_true(install(MODEL(",NT,NTamd64.10.0...99999,NTamd64.10.0...17763,NTamd64.6.1,NTx86") SERVICE
                        "[M.NT]\nd=X,NT\n[M.NTamd64.10.0...99999]\nd=X,LATER\n[M.NTamd64.10.0...17763]\nd=X,A\\B,C\n"
                        "[M.NTamd64.6.1]\nd=X,OLD\n[M.NTx86]\nd=X,X86\n[M]\nd=X,PLAIN\n"));
    assert_int_equal(target.bindings, 2);
    assert_string_equal(target.binding[0], "A\\B=x.sys");
    assert_string_equal(target.binding[1], "C=x.sys");
    assert_string_equal(value(CONFIGURATION "A#B", "Mfg"), "1:M.a.k.e.r...");
    assert_true(install(MODEL("") SERVICE "[M]\nd=X,PLAIN\n"));
    assert_string_equal(target.binding[0], "PLAIN=x.sys");
    assert_true(install(MODEL(",NTx86,NTarm64") SERVICE "[M]\nd=X,PLAIN\n[M.NTx86]\nd=X,X86\n"));
    assert_int_equal(target.bindings, 0);
}

static void filters_are_bound(void **state)
{
    assert_true(install(MODEL("") SERVICE "[M]\nd=X,ID\n[X.HW]\nAddReg=H\n"
                                          "[H]\nHKR,,UpperFilters,0x10000,f,other\nHKR,,LowerFilters,0x10000,low\n"
                                          "HKLM,Class,UpperFilters,0x10008,class\n"));
    assert_string_equal(target.binding[0], "ID=x.sys,upper=filter.sys,upper=other.sys,lower=low.sys");
    assert_string_equal(value(CONFIGURATION "ID", "UpperFilters"), "7:f...o.t.h.e.r.....");
    assert_true(install(MODEL("") "[M]\nd=X,ID\n[X.Filters]\nAddFilter=f,,F\n[F]\nFilterPosition=Lower\n"));
    assert_string_equal(target.binding[0], "ID,lower=f.sys");
}

static void devices_of_missing_drivers_are_left_out(void **state)
{
    assert_true(
        install(MODEL("") "[M]\nd=X,ID\ne=Y,OTHER\n[X.Services]\nAddService=a,2,S\n[S]\nServiceBinary=a.sys\n"
                          "[Y.NT.Services]\nAddService=b,2,T\n[T]\nServiceBinary=b.sys\nStartType=0x3\nAddReg=R\n"
                          "[R]\nHKR,Parameters,n,0x00010001,01,02,00,00\nHKLM,Software\\K,,,v\nHKR,,gone,4\n"));
    assert_int_equal(target.bindings, 1);
    assert_string_equal(target.binding[0], "OTHER=b.sys");
    assert_string_equal(value("MACHINE\\SYSTEM\\CurrentControlSet\\Services\\b", "Start"), "4:<03>...");
    assert_string_equal(value("MACHINE\\SYSTEM\\CurrentControlSet\\Services\\b\\Parameters", "n"), "4:<01><02>..");
    assert_string_equal(value("MACHINE\\Software\\K", ""), "1:v...");
    assert_null(value("MACHINE\\SYSTEM\\CurrentControlSet\\Services\\b", "gone"));
    assert_null(value(CONFIGURATION "ID", "DeviceDesc"));
}

static void services_without_devices_are_installed(void **state)
{
    assert_true(
        install("[DefaultInstall.NTamd64.Services]\nAddService=b,,S\n[S]\nServiceBinary=b.sys\nLoadOrderGroup=Base\n"));
    assert_int_equal(target.bindings, 0);
    assert_string_equal(value("MACHINE\\SYSTEM\\CurrentControlSet\\Services\\b", "Group"), "1:B.a.s.e...");
}

/* ---- Damage ------------------------------------------------------------------------------------------------------ */

static uint64_t state = 88172645463325252u;

static uint32_t random_below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % n;
}

static void fuzz(unsigned cases)
{
    static const char seed[] =
        MODEL(",NTamd64.10.0...17763,NT") SERVICE "[M.NT]\n%M%=X,A\\B,C\n[M.NTamd64.10.0...17763]\nd=X,D\n[X]\nAddReg="
                                                  "R,Q\n[X.HW]\nAddReg=H\n[X.Filters]\nAddFilter=f,,F\n"
                                                  "[H]\nHKR,,UpperFilters,0x10000,f\n[R]\nHKR,a\\b,n,0x00010001,"
                                                  "0x12\nHKLM,k,b,1,de,ad\n[Q]\nHKR,,m,0x10000,\"x\",\\\n y;z\n";
    static const char pieces[] = "[]\"=%,;\\\n\r\0x019.SDHKRadX";
    unsigned good = 0;
    for (unsigned i = 0; i < cases; i++) {
        char *text = malloc(2 * sizeof seed);
        size_t size = sizeof seed - 1;
        memcpy(text, seed, size);
        for (unsigned n = 1 + random_below(6); n--;) {
            size_t at = random_below((uint32_t)size), length = random_below(24);
            char piece = pieces[random_below(sizeof pieces - 1)];
            switch (random_below(4)) {
            case 0:
                text[at] = (char)random_below(256);
                break;
            case 1:
                text[at] = piece;
                break;
            case 2: /* a piece of it comes again elsewhere */
                length = length < size - at ? length : size - at;
                memmove(text + random_below((uint32_t)(size - length + 1)), text + at, length);
                break;
            default:
                memmove(text + at + 1, text + at, size - at);
                text[at] = piece;
                size++;
            }
        }
        char *exact = malloc(size); /* so that a byte too far is seen */
        memcpy(exact, text, size);
        free(text);
        inf_free(&inf);
        free(stream.bytes);
        stream = (struct registry_stream){0};
        target = (struct inf_target){.given = is_given, .registry = &stream, .major = 10, .build = 19045};
        *why = 0;
        bool ok = inf_parse(&inf, exact, size, why) && inf_install(&inf, &target, why);
        good += ok;
        if (!ok && !*why)
            abort();
        free(exact);
    }
    printf("%u cases, %u of them good\n", cases, good);
    if (!good)
        exit(1);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "fuzz")) {
        fuzz((unsigned)atoi(argv[2]));
        inf_free(&inf);
        free(stream.bytes);
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_are_read),
                                       cmocka_unit_test(every_encoding_is_read),
                                       cmocka_unit_test(what_is_wrong_is_told_with_its_line),
                                       cmocka_unit_test(models_of_the_newest_platform_are_taken),
                                       cmocka_unit_test(filters_are_bound),
                                       cmocka_unit_test(devices_of_missing_drivers_are_left_out),
                                       cmocka_unit_test(services_without_devices_are_installed)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    inf_free(&inf);
    free(stream.bytes);
    return failed;
}
