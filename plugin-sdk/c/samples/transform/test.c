#include "retrans/testing.h"

static void peers_in_a_network_get_the_label(void) {
    retrans_test_event("10.1.2.3", 443);
    retrans_test_event("192.0.2.1", 443);
    retrans_test_event("2001:db8::1", 443);
    CHECK(retrans_test_run("networks=10.0.0.0/8,2001:db8::/32 name=ours"),
          "event 0: kept network=ours\nevent 1: kept\nevent 2: kept network=ours\n");
}

static void a_wrong_network_is_refused(void) {
    CHECK(retrans_test_run("networks=10.0.0.1/8"), "error: networks: 10.0.0.1/8: it has bits after the first ones\n");
}

RETRANS_TESTS({"peers in a network get the label", peers_in_a_network_get_the_label},
              {"a wrong network is refused", a_wrong_network_is_refused})
