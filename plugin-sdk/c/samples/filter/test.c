#include "retrans/testing.h"

static void other_ports_are_dropped(void) {
    retrans_test_event("192.0.2.1", 443);
    retrans_test_event("192.0.2.1", 80);
    retrans_test_event("2001:db8::1", 443);
    CHECK(retrans_test_run(""), "event 0: kept\nevent 1: dropped\nevent 2: kept\n");
    CHECK(retrans_test_run("port=80"), "event 0: dropped\nevent 1: kept\nevent 2: dropped\n");
}

RETRANS_TESTS({"other ports are dropped", other_ports_are_dropped})
