#include "retrans/testing.h"

static void counts_survive_a_reload(void) {
    retrans_test_tick(100 * RETRANS_SECOND);
    retrans_test_event("192.0.2.1", 443);
    retrans_set_kind(retrans_test_event("192.0.2.1", 443), RETRANS_KIND_TIMEOUT);
    retrans_test_reload();
    retrans_set_kind(retrans_test_event("192.0.2.1", 443), 99);
    retrans_test_lost(7);
    retrans_test_tick(110 * RETRANS_SECOND);
    CHECK(retrans_test_run(""),
          "event 0: kept\nevent 1: kept\nevent 2: kept\n"
          "line: {\"type\":\"kind_summary\",\"boot_time_ns\":110000000000,\"events\":3,\"lost\":7,"
          "\"kinds\":{\"fast\":1,\"other(99)\":1,\"timeout\":1}}\n"
          "count: summaries 1\n");
}

static void lines_go_on_in_the_next_boot(void) {
    retrans_test_tick(5000 * RETRANS_SECOND);
    retrans_test_event("192.0.2.1", 443);
    retrans_test_tick(1 * RETRANS_SECOND);
    retrans_test_tick(11 * RETRANS_SECOND);
    CHECK(retrans_test_run(""),
          "event 0: kept\n"
          "line: {\"type\":\"kind_summary\",\"boot_time_ns\":11000000000,\"events\":1,\"lost\":0,"
          "\"kinds\":{\"fast\":1}}\n"
          "count: summaries 1\n");
}

static void a_short_time_is_refused(void) {
    CHECK_HAS(retrans_test_run("every=100ms"), "error: every: expected at least 1s (plugin.c:");
}

RETRANS_TESTS({"counts survive a reload", counts_survive_a_reload},
              {"lines go on in the next boot", lines_go_on_in_the_next_boot},
              {"a short time is refused", a_short_time_is_refused})
