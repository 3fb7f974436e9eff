/* A plugin that does what the tests of the SDK ask for in its settings. */
#include "retrans/retrans.h"

#include <stdlib.h>
#include <string.h>

static int64_t number;
static double real;
static bool is_on;
static const char *text;
static const char *word;
static retrans_ns duration;
static retrans_networks networks;
static retrans_texts texts;

static const retrans_setting settings[] = {
    {"number", RETRANS_INTEGER, &number, .initial = "-3", .min = -5, .max = 5, .doc = "A number."},
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
    else
        retrans_line("%s is no address", given);
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
