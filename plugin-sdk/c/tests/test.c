/* Tests of the SDK. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrans/internal.h"
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
    CHECK_HAS(retrans_test_run("duration=soon"), "error: duration: soon: expected a duration such as");
    CHECK_HAS(retrans_test_run("networks=10.0.0.0/33"), "error: networks: 10.0.0.0/33: it has too many bits");
    CHECK_HAS(retrans_test_run("nothing=1"), "error: nothing: unknown setting");
    CHECK_HAS(retrans_test_run("number=\"many\""), "error: number: many: expected a whole number");
    CHECK_HAS(retrans_test_run("number=6"), "error: number: 6: expected a number from -5 to 5");
    CHECK_HAS(retrans_test_run("positive=0"), "error: positive: 0: expected a number from 1 to 9223372036854775807");
    CHECK_HAS(retrans_test_run("positive=99999999999999999999"), "expected a number from 1 to");
    CHECK_HAS(retrans_test_run("real=\"x\""), "error: real: x: expected a number");
}

static void a_text_is_one_item_and_commas_make_several(void) {
    retrans_test_event("192.0.2.1", 1);
    CHECK_HAS(retrans_test_run("texts=\"one text, with a comma\""), "texts 1\nline: text one text, with a comma\n");
    CHECK_HAS(retrans_test_run("texts=a,b"), "texts 2\nline: text a\nline: text b\n");
}

/* The setting of the plugin with this name, to be changed. */
static retrans_setting *declared(const char *name) {
    retrans_setting *setting = (retrans_setting *)(uintptr_t)retrans_the_plugin.settings;
    while (strcmp(setting->name, name) != 0) setting++;
    return setting;
}

static void the_schema_says_what_settings_take(void) {
    declared("text")->initial = NULL;
    declared("texts")->initial = "a,b";
    retrans_bytes schema = {0};
    retrans_schema(&schema);
    retrans_put(&schema, "", 1);
    const char *text = (const char *)schema.bytes;
    CHECK_HAS(text, "\"number\":{\"type\":\"integer\",\"minimum\":-5,\"maximum\":5,\"description\":\"A number.\","
                    "\"default\":-3}");
    CHECK_HAS(text, "\"positive\":{\"type\":\"integer\",\"minimum\":1,\"default\":1}");
    CHECK_HAS(text, "\"description\":\"A \\\"real\\\" number.\",\"default\":0.5}");
    CHECK_HAS(text, "\"enum\":[\"one\",\"two\"],\"default\":\"one\"}");
    CHECK_HAS(text, "\"text\":{\"type\":\"string\"}");
    CHECK_HAS(text, "\"texts\":{\"anyOf\":[{\"type\":\"array\",\"items\":{\"type\":\"string\"}},{\"type\":\"string\"}],"
                    "\"default\":[\"a\",\"b\"]}");
    CHECK_HAS(text, "},\"required\":[\"text\"]}");
    free(schema.bytes);
    retrans_test_event("192.0.2.1", 1);
    CHECK(retrans_test_run(""), "error: text: no value: it must be given\n");
    CHECK_HAS(retrans_test_run("text=given"), "text given word one");
    CHECK_HAS(retrans_test_run("text=given"), "texts 2\nline: text a\nline: text b\n");
    declared("text")->initial = "none";
    declared("texts")->initial = NULL;
}

static void durations_are_read_as_in_rust(void) {
    static const struct {
        const char *text;
        retrans_ns ns;
    } READ[] = {
        {"0", 0},
        {"10s", 10 * RETRANS_SECOND},
        {" 1h 30m", 5400 * RETRANS_SECOND},
        {"1h30m", 5400 * RETRANS_SECOND},
        {"0.29s", 290 * RETRANS_MILLISECOND},
        {"1.5h", 5400 * RETRANS_SECOND},
        {"5 \xc2\xb5s", 5000},
        {"7 nanos", 7},
        {"1w 2days", 9 * 86400 * RETRANS_SECOND},
        {"1month", 2630016 * RETRANS_SECOND},
        {"2 yrs", 2 * 31557600 * RETRANS_SECOND},
        {"18446744073709551615ns", UINT64_MAX},
    };
    static const char *const WRONG[] = {"",    " 0",    "10",      "s",  "-1s",  "1 fortnight",           "1.s", "1e3s",
                                        "1s-", "0.5ns", "0.0001h", "1S", "600y", "18446744073709551616ns"};
    retrans_ns read;
    for (size_t i = 0; i < sizeof READ / sizeof READ[0]; i++) {
        char found[32] = "error", expected[32];
        if (retrans_duration_read(READ[i].text, &read)) snprintf(found, sizeof found, "%llu", (unsigned long long)read);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)READ[i].ns);
        retrans_test_check(READ[i].text, 0, found, expected);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        retrans_test_check(WRONG[i], 0, retrans_duration_read(WRONG[i], &read) ? "read" : "refused", "refused");
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
    CHECK(retrans_test_run(""), "event 0: kept changed rto=1500000000 owner_comm=a name that is t\n"
                                "line: mark fedcba98 comm a name that is t rto 1500000000\n");
    retrans_event *event = retrans_test_event("192.0.2.1", 5);
    retrans_ns rto = 0;
    retrans_set_rto(event, 5000 * RETRANS_SECOND);
    if (!retrans_rto(event, &rto) || rto != UINT32_MAX * (retrans_ns)1000) CHECK("a long timeout", "the longest one");
}

static void fields_beyond_the_record_are_absent(void) {
    retrans_set_last_uid(retrans_test_event("192.0.2.1", 60105), 7);
    CHECK(retrans_test_run(""), "event 0: kept\nline: 0 1\n");
}

static void labels_are_listed_in_the_order_of_their_keys(void) {
    retrans_test_event("192.0.2.1", 60101);
    retrans_test_label("c", "host");
    retrans_test_label("b", "host");
    retrans_test_event("192.0.2.1", 60101);
    CHECK(retrans_test_run(""), "event 0: kept b=own a=own d=own\nevent 1: kept b=own a=own d=own\n"
                                "line: a=own\nline: b=own\nline: c=host\nline: d=own\n"
                                "line: a=own\nline: b=own\nline: d=own\n");
}

static void metrics_are_passed_once_a_call_and_only_finite(void) {
    retrans_test_event("192.0.2.1", 60102);
    retrans_test_event("192.0.2.1", 60102);
    CHECK_HAS(retrans_test_run(""), "count: many 600\ncount: all ");
    CHECK_HAS(retrans_test_run(""), "\ngauge: last 7\nobserved: seconds 0.5 0.5\n");
    if (strstr(retrans_test_run(""), "none")) CHECK("none", "nothing");
}

static void text_that_is_no_utf8_is_mended(void) {
    retrans_test_event("192.0.2.1", 60103);
    CHECK(retrans_test_run(""), "event 0: kept wrong?=a?? changed owner_comm=fifteen bytes..\n"
                                "line: fifteen bytes..\nline: ?? ??? \xe2\x82\xac \xf0\x9f\x98\x80\n"
                                "alert: firing info n? k?=v? k2= event 0: s?\nlog: info: l?\n");
}

static void the_run_is_known(void) {
    retrans_test_event("192.0.2.1", 60104);
    CHECK(retrans_test_run(""), "event 0: kept\nline: host test kernel 6.12.0 source replay live 0 version unknown\n");
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
              {"a text is one item, and commas make several", a_text_is_one_item_and_commas_make_several},
              {"the schema says what settings take", the_schema_says_what_settings_take},
              {"durations are read as in Rust", durations_are_read_as_in_rust},
              {"addresses are read and shown", addresses_are_read_and_shown},
              {"fields are set and cleared", fields_are_set_and_cleared},
              {"fields beyond the record are absent", fields_beyond_the_record_are_absent},
              {"labels are listed in the order of their keys", labels_are_listed_in_the_order_of_their_keys},
              {"metrics are passed once a call, and only finite ones", metrics_are_passed_once_a_call_and_only_finite},
              {"text that is no UTF-8 is mended", text_that_is_no_utf8_is_mended},
              {"the run is known", the_run_is_known},
              {"of two values of a label the later one is kept", of_two_values_of_a_label_the_later_one_is_kept},
              {"a map finds what is left after many removals", a_map_finds_what_is_left_after_many_removals})
