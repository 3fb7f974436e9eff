/* The host of a test: the functions that a plugin imports, which note what it does. Not for WebAssembly. */
#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_host.h"

static retrans_bytes events, lines, alerts, errors, logs;
static uint32_t first_event;
static size_t event_count;
/* Of each event of the call: labels of earlier plugins, those of this one, and the fields that it changed. */
static struct {
    retrans_bytes earlier;
    retrans_bytes own;
    retrans_bytes changed;
} *of_event;
static const uint8_t *records_of_call;
static uint64_t lost;

typedef enum metric_kind { COUNTER, GAUGE, HISTOGRAM } metric_kind;

/* Metrics in the order of their first use. */
static struct metric {
    char name[65];
    metric_kind kind;
    uint64_t sum;
    /* The last value of a gauge, or all of a histogram. */
    retrans_bytes values;
} metrics[64];
static size_t metric_count;

void retrans_test_begin_call(uint32_t first, size_t count, const uint8_t *records) {
    first_event = first;
    records_of_call = records;
    for (size_t i = 0; i < event_count; i++) {
        free(of_event[i].earlier.bytes);
        free(of_event[i].own.bytes);
        free(of_event[i].changed.bytes);
    }
    free(of_event);
    event_count = count;
    of_event = retrans_zeroed(count, sizeof *of_event);
}

void retrans_test_set_labels(uint32_t event, const char *text, size_t length) {
    retrans_put(&of_event[event].earlier, text, length);
}

void retrans_test_add_lost(uint64_t count) { lost += count; }

static bool is_kept(const exports_retrans_plugin_processor_keep_t *keep, size_t event) {
    if (keep->tag != EXPORTS_RETRANS_PLUGIN_PROCESSOR_KEEP_BITS)
        return keep->tag == EXPORTS_RETRANS_PLUGIN_PROCESSOR_KEEP_ALL;
    return keep->val.bits.ptr[event / 8] >> event % 8 & 1;
}

void retrans_test_end_call(const exports_retrans_plugin_processor_keep_t *keep) {
    lost = 0;
    for (size_t i = 0; i < event_count; i++) {
        retrans_put_text(&events, "event %u: %s", first_event + (unsigned)i, is_kept(keep, i) ? "kept" : "dropped");
        retrans_put(&events, of_event[i].own.bytes, of_event[i].own.length);
        if (of_event[i].changed.length) retrans_put_text(&events, " changed");
        retrans_put(&events, of_event[i].changed.bytes, of_event[i].changed.length);
        retrans_put(&events, "\n", 1);
    }
}

bool retrans_test_failed(bindings_string_t *error) {
    retrans_put_text(&errors, "error: %.*s\n", (int)error->len, (const char *)error->ptr);
    return false;
}

void retrans_test_answers(retrans_bytes *to) {
    const retrans_bytes *parts[] = {&events, &lines, &alerts};
    for (size_t i = 0; i < 3; i++) retrans_put(to, parts[i]->bytes, parts[i]->length);
    static const char *const WORDS[] = {"count", "gauge", "observed"};
    for (size_t i = 0; i < metric_count; i++) {
        retrans_put_text(to, "%s: %s", WORDS[metrics[i].kind], metrics[i].name);
        if (metrics[i].kind == COUNTER) retrans_put_text(to, " %llu", (unsigned long long)metrics[i].sum);
        retrans_put(to, metrics[i].values.bytes, metrics[i].values.length);
        retrans_put(to, "\n", 1);
    }
    retrans_put(to, logs.bytes, logs.length);
    retrans_put(to, errors.bytes, errors.length);
}

/* ---- The functions that plugins import ---- */

uint64_t retrans_plugin_host_lost(void) {
    uint64_t count = lost;
    lost = 0;
    return count;
}

static bindings_string_t copied(const char *text, size_t length) {
    return (bindings_string_t){(uint8_t *)retrans_copy(text, length), length};
}

void retrans_plugin_host_run(bindings_list_tuple2_string_string_t *pairs) {
    static const char *const KNOWN[][2] = {{"host", "test"}, {"kernel", "6.12.0"}, {"source", "replay"}};
    pairs->len = sizeof KNOWN / sizeof KNOWN[0];
    pairs->ptr = retrans_zeroed(pairs->len, sizeof *pairs->ptr);
    for (size_t i = 0; i < pairs->len; i++) {
        pairs->ptr[i].f0 = copied(KNOWN[i][0], strlen(KNOWN[i][0]));
        pairs->ptr[i].f1 = copied(KNOWN[i][1], strlen(KNOWN[i][1]));
    }
}

/* A column for each label of each event: the SDK takes any number of them. */
void retrans_plugin_host_labels(retrans_plugin_host_list_label_column_t *columns) {
    *columns = (retrans_plugin_host_list_label_column_t){0};
    for (uint32_t event = 0; event < event_count; event++) {
        const char *line = (const char *)of_event[event].earlier.bytes;
        const char *end = line ? line + of_event[event].earlier.length : NULL;
        while (line < end) {
            size_t key = strcspn(line, "="), value = strcspn(line + key + 1, "\n");
            columns->ptr = realloc(columns->ptr, (columns->len + 1) * sizeof *columns->ptr);
            if (!columns->ptr) abort();
            uint32_t *numbers = retrans_zeroed(1, sizeof *numbers), *ends = retrans_zeroed(1, sizeof *ends);
            numbers[0] = event;
            ends[0] = (uint32_t)value;
            columns->ptr[columns->len++] = (retrans_plugin_host_label_column_t){
                copied(line, key), {numbers, 1}, {ends, 1}, copied(line + key + 1, value)};
            line += key + value + 2;
        }
    }
}

void retrans_plugin_host_list_label_column_free(retrans_plugin_host_list_label_column_t *columns) {
    for (size_t i = 0; i < columns->len; i++) {
        free(columns->ptr[i].key.ptr);
        free(columns->ptr[i].events.ptr);
        free(columns->ptr[i].ends.ptr);
        free(columns->ptr[i].text.ptr);
    }
    free(columns->ptr);
}

void retrans_plugin_host_change(bindings_list_u32_t *numbers, bindings_list_u8_t *records) {
    size_t size = records->len / numbers->len;
    for (size_t i = 0; i < numbers->len; i++) {
        uint32_t number = numbers->ptr[i];
        retrans_test_print_changes(&of_event[number].changed, records_of_call + number * size, records->ptr + i * size,
                                   (uint32_t)size);
    }
}

void retrans_plugin_host_annotate(retrans_plugin_host_label_column_t *column) {
    uint32_t start = 0;
    for (size_t i = 0; i < column->events.len; i++) {
        uint32_t end = column->ends.ptr[i];
        retrans_put_text(&of_event[column->events.ptr[i]].own, " %.*s=%.*s", (int)column->key.len,
                         (const char *)column->key.ptr, (int)(end - start), (const char *)column->text.ptr + start);
        start = end;
    }
}

void retrans_plugin_host_emit(retrans_plugin_host_alert_t *alert) {
    static const char *const SEVERITIES[] = {"info", "warning", "critical"};
    retrans_put_text(&alerts, "alert: %s %s %.*s", alert->state ? "resolved" : "firing", SEVERITIES[alert->severity],
                     (int)alert->name.len, (const char *)alert->name.ptr);
    for (size_t i = 0; i < alert->labels.len; i++) {
        const bindings_tuple2_string_string_t *label = &alert->labels.ptr[i];
        retrans_put_text(&alerts, " %.*s=%.*s", (int)label->f0.len, (const char *)label->f0.ptr, (int)label->f1.len,
                         (const char *)label->f1.ptr);
    }
    if (alert->event.is_some) retrans_put_text(&alerts, " event %u", first_event + alert->event.val);
    retrans_put_text(&alerts, ": %.*s\n", (int)alert->summary.len, (const char *)alert->summary.ptr);
}

void retrans_plugin_host_write(bindings_list_u8_t *written) {
    const char *line = (const char *)written->ptr, *end = line + written->len;
    for (size_t length; line < end; line += length + 1) {
        length = strcspn(line, "\n");
        retrans_put_text(&lines, "line: %.*s\n", (int)length, line);
    }
}

static struct metric *metric_of(metric_kind kind, const bindings_string_t *name) {
    size_t i = 0;
    for (; i < metric_count; i++) {
        bool is_name = strlen(metrics[i].name) == name->len && memcmp(metrics[i].name, name->ptr, name->len) == 0;
        if (is_name && metrics[i].kind == kind) return &metrics[i];
    }
    if (i == sizeof metrics / sizeof metrics[0] || name->len >= sizeof metrics[0].name) {
        fprintf(stderr, "a test has at most 64 metrics, with names of at most 64 bytes\n");
        abort();
    }
    memcpy(metrics[i].name, name->ptr, name->len);
    metrics[i].kind = kind;
    metric_count++;
    return &metrics[i];
}

void retrans_plugin_host_count(bindings_string_t *metric, uint64_t by) {
    uint64_t *sum = &metric_of(COUNTER, metric)->sum;
    *sum = by > UINT64_MAX - *sum ? UINT64_MAX : *sum + by;
}

void retrans_plugin_host_gauge(bindings_string_t *metric, double value) {
    retrans_bytes *last = &metric_of(GAUGE, metric)->values;
    last->length = 0;
    retrans_put_text(last, " %g", value);
}

void retrans_plugin_host_observe(bindings_string_t *metric, bindings_list_f64_t *values) {
    retrans_bytes *all = &metric_of(HISTOGRAM, metric)->values;
    for (size_t i = 0; i < values->len; i++) retrans_put_text(all, " %g", values->ptr[i]);
}

void retrans_plugin_host_log(retrans_plugin_host_level_t level, bindings_string_t *message) {
    static const char *const LEVELS[] = {"error", "warn", "info", "debug", "trace"};
    retrans_put_text(&logs, "log: %s: %.*s\n", LEVELS[level], (int)message->len, (const char *)message->ptr);
}

void bindings_string_free(bindings_string_t *text) { free(text->ptr); }
void bindings_list_u8_free(bindings_list_u8_t *list) { free(list->ptr); }
void bindings_list_tuple2_string_string_free(bindings_list_tuple2_string_string_t *list) {
    for (size_t i = 0; i < list->len; i++) {
        free(list->ptr[i].f0.ptr);
        free(list->ptr[i].f1.ptr);
    }
    free(list->ptr);
}

#endif
