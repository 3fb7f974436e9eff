/* Keeps the retransmits of one service, and drops all others. */
#include "retrans/retrans.h"

static int64_t port;

static const retrans_setting settings[] = {
    {"port", RETRANS_INTEGER, &port, .initial = "443", .max = 65535, .doc = "Port of the service, at the peer."},
    {0},
};

static retrans_verdict on_event(retrans_event *event) {
    return retrans_peer_port(event) == port ? RETRANS_KEEP : RETRANS_DROP;
}

RETRANS_PLUGIN(.name = "{{name}}", .version = "0.1.0", .summary = "{{summary}}", .settings = settings,
               .on_event = on_event)
