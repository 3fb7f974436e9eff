/* Labels retransmits to networks of our own. */
#include "retrans/retrans.h"

static retrans_networks networks;
static const char *name;

static const retrans_setting settings[] = {
    {"networks", RETRANS_NETWORKS, &networks, .doc = "The networks, such as 10.0.0.0/8."},
    {"name", RETRANS_TEXT, &name, .initial = "internal", .doc = "Value of the label for peers in one of them."},
    {0},
};

static retrans_verdict on_event(retrans_event *event) {
    retrans_address peer = retrans_peer_address(event);
    if (retrans_contains(&networks, &peer)) retrans_set_label(event, "network", name);
    return RETRANS_KEEP;
}

RETRANS_PLUGIN(.name = "{{name}}", .version = "0.1.0", .summary = "{{summary}}", .settings = settings,
               .on_event = on_event)
