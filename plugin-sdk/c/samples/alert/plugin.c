/* Raises an alert for each peer whose retransmission timeout is long, and resolves it when it has been short for a
 * while. */
#include "retrans/retrans.h"

#include <stdio.h>
#include <stdlib.h>

static retrans_ns timeout, hold;

static const retrans_setting settings[] = {
    {"timeout", RETRANS_DURATION, &timeout, .initial = "2s", .doc = "Timeout from which a peer is slow."},
    {"hold", RETRANS_DURATION, &hold, .initial = "60s",
     .doc = "How long a peer's timeouts must have been short before its alert is resolved."},
    {0},
};

/* The most peers that have an alert at the same time. Remote hosts choose the addresses of peers. */
#define MAX_PEERS 1000

/* The last time at which each peer with an active alert was slow. */
static retrans_map active = RETRANS_MAP(retrans_address, retrans_ns);

static void emit(const retrans_address *peer, const char *summary, bool resolved) {
    char text[RETRANS_ADDRESS_TEXT];
    retrans_emit(&(retrans_alert){
        .name = "slow-peer",
        .severity = RETRANS_WARNING,
        .resolved = resolved,
        .summary = summary,
        .labels = {{"peer", retrans_address_text(peer, text)}},
    });
}

static retrans_verdict on_event(retrans_event *event) {
    retrans_ns rto;
    if (!retrans_rto(event, &rto) || rto < timeout) return RETRANS_KEEP;
    retrans_address peer = retrans_peer_address(event);
    if (active.count >= MAX_PEERS && !retrans_map_get(&active, &peer)) return RETRANS_KEEP;
    bool added;
    retrans_ns *last = retrans_map_add(&active, &peer, &added);
    if (added) {
        char summary[64];
        snprintf(summary, sizeof summary, "retransmission timeout of %llu ms",
                 (unsigned long long)(rto / RETRANS_MILLISECOND));
        emit(&peer, summary, false);
    }
    if (retrans_time(event) > *last) *last = retrans_time(event);
    return RETRANS_KEEP;
}

static bool on_tick(retrans_ns now) {
    size_t count = active.count;
    retrans_address *peers = (retrans_address *)retrans_map_keys(&active);
    for (size_t i = 0; i < count; i++) {
        retrans_ns *last = retrans_map_get(&active, &peers[i]);
        /* A later time is that of an earlier boot: a replay may have several. */
        if (*last > now) *last = now;
        if (retrans_after(*last, hold) > now) continue;
        emit(&peers[i], "its timeouts are short again", true);
        retrans_map_remove(&active, &peers[i]);
    }
    free(peers);
    return true;
}

/* The state: an address and a time for each peer. */
static bool save(retrans_bytes *state) {
    size_t count = active.count;
    retrans_address *peers = (retrans_address *)retrans_map_keys(&active);
    for (size_t i = 0; i < count; i++) {
        retrans_put(state, &peers[i], sizeof peers[i]);
        retrans_put(state, retrans_map_get(&active, &peers[i]), sizeof(retrans_ns));
    }
    free(peers);
    return true;
}

static bool restore(uint32_t version, retrans_bytes *state) {
    if (version != 1) return RETRANS_FAIL("the state has version %u", version);
    while (state->length) {
        retrans_address peer;
        retrans_ns last;
        if (!retrans_take(state, &peer, sizeof peer) || !retrans_take(state, &last, sizeof last))
            return RETRANS_FAIL("the state ends within a peer");
        *(retrans_ns *)retrans_map_add(&active, &peer, NULL) = last;
    }
    return true;
}

RETRANS_PLUGIN(.name = "{{name}}", .version = "0.1.0", .summary = "{{summary}}", .settings = settings,
               .on_event = on_event, .on_tick = on_tick, .state_version = 1, .save = save, .restore = restore)
