/* Tests of the SDK. */
#include "retrans/testing.h"

static void settings_have_their_defaults_and_types(void) {
    retrans_test_event("192.0.2.1", 1);
    CHECK(retrans_test_run(""), "event 0: dropped\nline: number -3 real 0.5 is_on 1 text none word one duration "
                                "90000000000 networks 0 texts 0\n");
    CHECK(retrans_test_run("number=5 real=2.25 is_on=false text=\"a \\u00e4 b\" word=two duration=250ms "
                           "networks=10.0.0.0/8,::1 texts=[\"x\",\"y\"]"),
          "event 0: dropped\nline: number 5 real 2.25 is_on 0 text a \xc3\xa4 b word two duration 250000000 networks 2 "
          "texts 2\nline: text x\nline: text y\n");
}

static void wrong_settings_are_named(void) {
    CHECK_HAS(retrans_test_run("duration=soon"), "error: duration: expected a duration such as");
    CHECK_HAS(retrans_test_run("networks=10.0.0.0/33"), "error: networks: 10.0.0.0/33: it has too many bits");
    CHECK_HAS(retrans_test_run("nothing=1"), "error: nothing: unknown setting");
    CHECK_HAS(retrans_test_run("number=\"many\""), "error: number: many is no number");
}

static void address(const char *text) {
    retrans_test_event("192.0.2.1", 2);
    retrans_test_label("address", text);
}

static void addresses_are_read_and_shown(void) {
    address("192.0.2.1");
    address("2001:DB8:0:0:1:0:0:1");
    address("::");
    address("::1");
    address("1::");
    address("2001:db8:0:1:1:1:1:1");
    address("::ffff:10.1.2.3");
    address("10.1.2");
    address("10.1.2.300");
    address("1:2:3");
    address("1::2::3");
    address("12345::");
    address(":1::");
    CHECK(retrans_test_run("networks=10.0.0.0/8,2001:db8::/33"),
          "event 0: dropped\nevent 1: dropped\nevent 2: dropped\nevent 3: dropped\nevent 4: dropped\nevent 5: dropped\n"
          "event 6: dropped\nevent 7: dropped\nevent 8: dropped\nevent 9: dropped\nevent 10: dropped\n"
          "event 11: dropped\nevent 12: dropped\n"
          "line: 192.0.2.1 is 192.0.2.1\n"
          "line: 2001:DB8:0:0:1:0:0:1 is 2001:db8::1:0:0:1, contained\n"
          "line: :: is ::\nline: ::1 is ::1\nline: 1:: is 1::\n"
          "line: 2001:db8:0:1:1:1:1:1 is 2001:db8:0:1:1:1:1:1, contained\n"
          "line: ::ffff:10.1.2.3 is 10.1.2.3, contained\n"
          "line: 10.1.2 is no address\nline: 10.1.2.300 is no address\nline: 1:2:3 is no address\n"
          "line: 1::2::3 is no address\nline: 12345:: is no address\nline: :1:: is no address\n");
}

static void fields_are_set_and_cleared(void) {
    retrans_test_event("192.0.2.1", 3);
    CHECK(retrans_test_run(""), "event 0: kept changed\nline: mark fedcba98 comm a name that is t rto 1500000000\n");
}

static void of_two_values_of_a_label_the_later_one_is_kept(void) {
    retrans_test_event("192.0.2.1", 4);
    retrans_test_event("192.0.2.1", 9);
    retrans_test_event("192.0.2.1", 4);
    CHECK(retrans_test_run(""), "event 0: kept a=second b=\nevent 1: kept\nevent 2: kept a=second b=\n"
                                "count: labels 6\nlog: info: 3 labels\nlog: info: 3 labels\n");
}

static void a_map_finds_what_is_left_after_many_removals(void) {
    unsigned left = 0;
    for (unsigned i = 0; i < 3000; i++) {
        uint16_t port = (uint16_t)(5 + i * 7919 % 60000);
        retrans_test_event("192.0.2.1", port);
        left += port % 3 != 0;
    }
    retrans_test_finish(200 * RETRANS_SECOND);
    retrans_bytes text = {0};
    retrans_put_text(&text, "line: %u ports, %u events\n", left, left);
    retrans_put(&text, "", 1);
    CHECK_HAS(retrans_test_run(""), (const char *)text.bytes);
}

RETRANS_TESTS({"settings have their defaults and types", settings_have_their_defaults_and_types},
              {"wrong settings are named", wrong_settings_are_named},
              {"addresses are read and shown", addresses_are_read_and_shown},
              {"fields are set and cleared", fields_are_set_and_cleared},
              {"of two values of a label the later one is kept", of_two_values_of_a_label_the_later_one_is_kept},
              {"a map finds what is left after many removals", a_map_finds_what_is_left_after_many_removals})
