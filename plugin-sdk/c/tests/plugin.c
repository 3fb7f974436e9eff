/* A plugin that does what the tests of the SDK ask for in its settings. */
#include "retrans/retrans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t number, positive;
static double real;
static bool is_on;
static const char *text;
static const char *word;
static retrans_ns duration;
static retrans_networks networks;
static retrans_texts texts;

/* Tests change what is declared. */
static retrans_setting settings[] = {
    {"number", RETRANS_INTEGER, &number, .initial = "-3", .min = -5, .max = 5, .doc = "A number."},
    {"positive", RETRANS_INTEGER, &positive, .initial = "1", .min = 1},
    {"real", RETRANS_NUMBER, &real, .initial = "0.5", .doc = "A \"real\" number."},
    {"is_on", RETRANS_BOOL, &is_on, .initial = "true"},
    {"text", RETRANS_TEXT, &text, .initial = "none"},
    {"word", RETRANS_CHOICE, &word, .initial = "one", .choices = "one|two"},
    {"duration", RETRANS_DURATION, &duration, .initial = "1m 30s"},
    {"networks", RETRANS_NETWORKS, &networks},
    {"texts", RETRANS_TEXTS, &texts},
    {0},
};

static retrans_map seen = RETRANS_MAP(uint16_t, uint64_t);

static void print_settings(void) {
    retrans_line("number %lld real %g is_on %d text %s word %s duration %llu networks %zu texts %zu", (long long)number,
                 real, is_on, text, word, (unsigned long long)duration, networks.count, texts.count);
    for (size_t i = 0; i < texts.count; i++) retrans_line("text %s", texts.list[i]);
}

/* Reads an address as text, and prints it as it is shown. */
static void print_address(retrans_event *event) {
    retrans_text label;
    if (!retrans_label(event, "address", &label)) return;
    char given[64] = {0}, shown[RETRANS_ADDRESS_TEXT];
    memcpy(given, label.bytes, label.length < sizeof given ? label.length : sizeof given - 1);
    retrans_address address;
    if (retrans_address_read(given, &address))
        retrans_line("%s is %s%s", given, retrans_address_text(&address, shown),
                     retrans_contains(&networks, &address) ? ", contained" : "");
    else retrans_line("%s is no address", given);
}

/* Ports of peers, which say what to do. */
enum { LABELS = 60101, METRICS, TEXTS, RUN, SHORT };

static void print_labels(retrans_event *event) {
    retrans_set_label(event, "b", "own");
    retrans_set_label(event, "a", "own");
    retrans_set_label(event, "d", "own");
    retrans_label_entry label = {0};
    while (retrans_next_label(event, &label))
        retrans_line("%.*s=%.*s", (int)label.key.length, label.key.bytes, (int)label.value.length, label.value.bytes);
}

/* Text that is no UTF-8, everywhere; and text that the kernel has cut. */
static void print_wrong_text(retrans_event *event) {
    char name[RETRANS_NAME] = "";
    retrans_set_owner_comm(event, "fifteen bytes..\xc3\xa4");
    if (retrans_owner_comm(event, name)) retrans_line("%s", name);
    retrans_set_label(event, "wrong\xff", "a\xe2\x82");
    retrans_line("\xc0\xaf \xed\xa0\x80 \xe2\x82\xac \xf0\x9f\x98\x80");
    retrans_emit(&(retrans_alert){.name = "n\xff", .summary = "s\xff", .labels = {{"k\xff", "v\xff"}, {"k2", NULL}}});
    retrans_log(RETRANS_LOG_INFO, "l\xff");
}

static retrans_verdict on_event(retrans_event *event) {
    uint16_t port = retrans_peer_port(event);
    switch (port) {
    case 1: print_settings(); return RETRANS_DROP;
    case 2: print_address(event); return RETRANS_DROP;
    case 3: {
        uint32_t mark;
        char name[RETRANS_NAME] = "";
        retrans_ns rto;
        if (retrans_mark(event, &mark)) return RETRANS_FAIL("a mark that was not set: %u", mark);
        retrans_set_mark(event, 0xfedcba98);
        retrans_set_owner_comm(event, "a name that is too long");
        retrans_set_rto(event, 1500 * RETRANS_MILLISECOND);
        if (!retrans_mark(event, &mark) || !retrans_owner_comm(event, name) || !retrans_rto(event, &rto))
            return RETRANS_FAIL("a field that was set is absent");
        retrans_line("mark %x comm %s rto %llu", mark, name, (unsigned long long)rto);
        retrans_clear_mark(event);
        return retrans_mark(event, &mark) ? RETRANS_FAIL("a field that was cleared is there") : RETRANS_KEEP;
    }
    case 4:
        retrans_set_label(event, "a", "first");
        retrans_set_label(event, "a", "second");
        retrans_set_label(event, "b", "");
        retrans_count("labels", 3);
        retrans_log(RETRANS_LOG_INFO, "%d labels", 3);
        return RETRANS_KEEP;
    case LABELS: print_labels(event); return RETRANS_KEEP;
    case METRICS:
        for (int i = 0; i < 300; i++) retrans_count("many", 1);
        retrans_count("all", UINT64_MAX);
        retrans_count("none", 0);
        retrans_gauge("last", (double)event->number);
        retrans_gauge("last", 7);
        retrans_gauge("none", NAN);
        retrans_observe("seconds", 0.5);
        retrans_observe("seconds", INFINITY);
        return RETRANS_KEEP;
    case TEXTS: print_wrong_text(event); return RETRANS_KEEP;
    case RUN: {
        const retrans_run *run = retrans_current_run();
        run = retrans_current_run();
        retrans_line("host %s kernel %s source %s live %d version %s", run->host, run->kernel, run->source,
                     run->is_live, run->version ? "known" : "unknown");
        return RETRANS_KEEP;
    }
    case SHORT: {
        /* A record of a host whose records end before this field. */
        retrans_event shorter = *event;
        uint32_t uid;
        shorter.size = 340;
        retrans_set_last_uid(&shorter, 5);
        retrans_line("%d %d", retrans_last_uid(&shorter, &uid), retrans_last_uid(event, &uid));
        return RETRANS_KEEP;
    }
    default: {
        uint64_t *count = retrans_map_add(&seen, &port, NULL);
        ++*count;
        if (port % 3 == 0) retrans_map_remove(&seen, &port);
        return RETRANS_KEEP;
    }
    }
}

static bool on_finish(retrans_ns now) {
    (void)now;
    uint16_t *ports = (uint16_t *)retrans_map_keys(&seen);
    uint64_t sum = 0;
    for (size_t i = 0; i < seen.count; i++) sum += *(uint64_t *)retrans_map_get(&seen, &ports[i]);
    retrans_line("%zu ports, %llu events", seen.count, (unsigned long long)sum);
    free(ports);
    return true;
}

RETRANS_PLUGIN(.name = "tested", .version = "0.1.0", .summary = "Does what tests ask for", .settings = settings,
               .on_event = on_event, .on_finish = on_finish)
