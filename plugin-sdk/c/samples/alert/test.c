#include "retrans/testing.h"

static void slow(retrans_ns timeout, retrans_ns second) {
    retrans_event *event = retrans_test_event("192.0.2.1", 443);
    retrans_set_rto(event, timeout);
    retrans_test_at(event, second * RETRANS_SECOND);
}

static void an_alert_rises_and_ends(void) {
    slow(RETRANS_SECOND, 100);
    slow(3 * RETRANS_SECOND, 101);
    slow(4 * RETRANS_SECOND, 102);
    retrans_test_tick(161 * RETRANS_SECOND);
    retrans_test_tick(162 * RETRANS_SECOND);
    CHECK(retrans_test_run(""),
          "event 0: kept\nevent 1: kept\nevent 2: kept\n"
          "alert: firing warning slow-peer peer=192.0.2.1 event 1: retransmission timeout of 3000 ms\n"
          "alert: resolved warning slow-peer peer=192.0.2.1: its timeouts are short again\n");
}

static void a_new_version_knows_the_alert(void) {
    slow(3 * RETRANS_SECOND, 101);
    retrans_test_reload();
    slow(3 * RETRANS_SECOND, 102);
    retrans_test_tick(200 * RETRANS_SECOND);
    CHECK(retrans_test_run("hold=10s"),
          "event 0: kept\n"
          "alert: firing warning slow-peer peer=192.0.2.1 event 0: retransmission timeout of 3000 ms\n"
          "event 1: kept\n"
          "alert: resolved warning slow-peer peer=192.0.2.1: its timeouts are short again\n");
}

static void an_alert_of_an_earlier_boot_ends(void) {
    slow(3 * RETRANS_SECOND, 5000);
    retrans_test_tick(1 * RETRANS_SECOND);
    retrans_test_tick(61 * RETRANS_SECOND);
    CHECK(retrans_test_run(""),
          "event 0: kept\n"
          "alert: firing warning slow-peer peer=192.0.2.1 event 0: retransmission timeout of 3000 ms\n"
          "alert: resolved warning slow-peer peer=192.0.2.1: its timeouts are short again\n");
}

RETRANS_TESTS({"an alert rises and ends", an_alert_rises_and_ends},
              {"a new version knows the alert", a_new_version_knows_the_alert},
              {"an alert of an earlier boot ends", an_alert_of_an_earlier_boot_ends})
