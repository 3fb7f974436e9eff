/* Prints how many retransmits of each kind there were, once in a while. */
#include "retrans/retrans.h"

#include <stdlib.h>
#include <string.h>

static retrans_ns every;

static const retrans_setting settings[] = {
    {"every", RETRANS_DURATION, &every, .initial = "10s", .doc = "Time between two lines."},
    {0},
};

/* What a new version goes on with. Kinds are numbers of one byte. */
static struct {
    uint64_t kinds[256];
    uint64_t lost;
    /* When the next line is due; 0 before the first tick. */
    retrans_ns next;
} counted;

static bool configure(void) { return every >= RETRANS_SECOND || RETRANS_FAIL("every: expected at least 1s"); }

static retrans_verdict on_event(retrans_event *event) {
    counted.kinds[retrans_kind(event)]++;
    return RETRANS_KEEP;
}

static bool on_lost(uint64_t count) {
    counted.lost += count;
    return true;
}

typedef struct named {
    char name[24];
    uint64_t count;
} named;

static int by_name(const void *left, const void *right) {
    return strcmp(((const named *)left)->name, ((const named *)right)->name);
}

/* Prints what was counted, if anything, and begins anew. */
static void print(retrans_ns now) {
    named kinds[256];
    size_t count = 0;
    uint64_t events = 0;
    for (unsigned kind = 0; kind < 256; kind++) {
        if (counted.kinds[kind] == 0) continue;
        strncpy(kinds[count].name, retrans_kind_name((uint8_t)kind), sizeof kinds[count].name - 1);
        kinds[count].name[sizeof kinds[count].name - 1] = 0;
        kinds[count++].count = counted.kinds[kind];
        events += counted.kinds[kind];
    }
    if (events == 0 && counted.lost == 0) return;
    qsort(kinds, count, sizeof kinds[0], by_name);
    retrans_bytes list = {0};
    for (size_t i = 0; i < count; i++)
        retrans_put_text(&list, "%s\"%s\":%llu", i ? "," : "", kinds[i].name, (unsigned long long)kinds[i].count);
    retrans_put(&list, "", 1);
    retrans_line("{\"type\":\"kind_summary\",\"boot_time_ns\":%llu,\"events\":%llu,\"lost\":%llu,\"kinds\":{%s}}",
                 (unsigned long long)now, (unsigned long long)events, (unsigned long long)counted.lost, list.bytes);
    free(list.bytes);
    retrans_count("summaries", 1);
    memset(counted.kinds, 0, sizeof counted.kinds);
    counted.lost = 0;
}

static bool on_tick(retrans_ns now) {
    /* A time too far ahead is that of an earlier boot: a replay may have several. */
    if (counted.next == 0 || counted.next > retrans_after(now, every)) counted.next = retrans_after(now, every);
    if (now >= counted.next) {
        print(now);
        while (counted.next <= now) counted.next = retrans_after(counted.next, every);
    }
    return true;
}

static bool on_finish(retrans_ns now) {
    print(now);
    return true;
}

static bool save(retrans_bytes *state) {
    retrans_put(state, &counted, sizeof counted);
    return true;
}

static bool restore(uint32_t version, retrans_bytes *state) {
    if (version != 1 || state->length != sizeof counted) return RETRANS_FAIL("the state is of another version");
    return retrans_take(state, &counted, sizeof counted);
}

RETRANS_PLUGIN(.name = "{{name}}", .version = "0.1.0", .summary = "{{summary}}", .settings = settings,
               .configure = configure, .on_event = on_event, .on_lost = on_lost, .on_tick = on_tick,
               .on_finish = on_finish, .state_version = 1, .save = save, .restore = restore)
