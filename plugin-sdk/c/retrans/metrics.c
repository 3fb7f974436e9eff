/* Counters, gauges and histograms of a plugin: the host gets what a call says of each of them together, because it
 * takes few of them a call. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

typedef enum metric_kind { COUNTER, GAUGE, HISTOGRAM } metric_kind;

typedef struct metric {
    char *name;
    metric_kind kind;
    /* Whether this call uses it. */
    bool is_used;
    uint64_t by;
    double value;
    bindings_list_f64_t observed;
    size_t capacity;
} metric;

static metric *metrics;
static size_t metric_count;

static metric *metric_of(metric_kind kind, const char *name) {
    for (size_t i = 0; i < metric_count; i++) {
        if (metrics[i].kind != kind || strcmp(metrics[i].name, name) != 0) continue;
        metrics[i].is_used = true;
        return &metrics[i];
    }
    metrics = realloc(metrics, (metric_count + 1) * sizeof *metrics);
    if (!metrics) abort();
    metrics[metric_count] = (metric){.name = retrans_copy(name, strlen(name)), .kind = kind, .is_used = true};
    return &metrics[metric_count++];
}

void retrans_count(const char *name, uint64_t by) {
    metric *counter = metric_of(COUNTER, name);
    counter->by = by > UINT64_MAX - counter->by ? UINT64_MAX : counter->by + by;
}

/* The difference is 0 for finite numbers, and no number for others. */
static bool is_finite(double value) { return value - value == 0; }

void retrans_gauge(const char *name, double value) {
    if (is_finite(value)) metric_of(GAUGE, name)->value = value;
}

void retrans_observe(const char *name, double value) {
    if (!is_finite(value)) return;
    metric *histogram = metric_of(HISTOGRAM, name);
    if (histogram->observed.len == histogram->capacity) {
        histogram->capacity = 2 * histogram->capacity + 64;
        histogram->observed.ptr = realloc(histogram->observed.ptr, histogram->capacity * sizeof(double));
        if (!histogram->observed.ptr) abort();
    }
    histogram->observed.ptr[histogram->observed.len++] = value;
}

void retrans_begin_metrics(void) {
    /* Those that the last call did not use are forgotten: generated names must not accumulate. */
    size_t left = 0;
    for (size_t i = 0; i < metric_count; i++) {
        if (!metrics[i].is_used) {
            free(metrics[i].name);
            free(metrics[i].observed.ptr);
            continue;
        }
        metrics[left] = metrics[i];
        metrics[left].is_used = false;
        metrics[left].by = 0;
        metrics[left++].observed.len = 0;
    }
    metric_count = left;
}

void retrans_pass_metrics(void) {
    for (size_t i = 0; i < metric_count; i++) {
        metric *passed = &metrics[i];
        if (!passed->is_used) continue;
        bindings_string_t name = {(uint8_t *)passed->name, strlen(passed->name)};
        switch (passed->kind) {
        case COUNTER:
            if (passed->by > 0) retrans_plugin_host_count(&name, passed->by);
            break;
        case GAUGE: retrans_plugin_host_gauge(&name, passed->value); break;
        case HISTOGRAM: retrans_plugin_host_observe(&name, &passed->observed); break;
        }
    }
}
