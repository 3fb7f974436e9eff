/* What a plugin has to say in a call: lines, alerts, metrics, labels, log lines, failures. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Lines of the call, which the host gets when it ends. */
static retrans_bytes lines;
static retrans_bytes failure;
static const retrans_event *current;

static bindings_string_t text(const char *text) {
    return (bindings_string_t){(uint8_t *)(uintptr_t)text, strlen(text)};
}

void retrans_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    retrans_print_list(&lines, format, arguments);
    va_end(arguments);
    retrans_put(&lines, "\n", 1);
}

void retrans_emit(const retrans_alert *alert) {
    bindings_tuple2_string_string_t labels[RETRANS_MAX_LABELS];
    size_t count = 0;
    for (; count < RETRANS_MAX_LABELS && alert->labels[count].key; count++) {
        labels[count].f0 = text(alert->labels[count].key);
        labels[count].f1 = text(alert->labels[count].value ? alert->labels[count].value : "");
    }
    retrans_plugin_host_alert_t emitted = {
        .name = text(alert->name ? alert->name : ""),
        .severity = (uint8_t)alert->severity,
        .state = alert->resolved,
        .summary = text(alert->summary ? alert->summary : ""),
        .labels = {labels, count},
        .event = {current && !alert->without_event, current ? current->number : 0},
    };
    retrans_plugin_host_emit(&emitted);
}

void retrans_count(const char *name, uint64_t by) {
    bindings_string_t metric = text(name);
    retrans_plugin_host_count(&metric, by);
}

void retrans_gauge(const char *name, double value) {
    bindings_string_t metric = text(name);
    retrans_plugin_host_gauge(&metric, value);
}

void retrans_observe(const char *name, double value) {
    bindings_string_t metric = text(name);
    bindings_list_f64_t values = {&value, 1};
    retrans_plugin_host_observe(&metric, &values);
}

void retrans_log(retrans_level level, const char *format, ...) {
    retrans_bytes message = {0};
    va_list arguments;
    va_start(arguments, format);
    retrans_print_list(&message, format, arguments);
    va_end(arguments);
    bindings_string_t logged = {message.bytes, message.length};
    retrans_plugin_host_log((uint8_t)level, &logged);
    free(message.bytes);
}

int retrans_fail(const char *file, int line, const char *format, ...) {
    failure.length = 0;
    va_list arguments;
    va_start(arguments, format);
    retrans_print_list(&failure, format, arguments);
    va_end(arguments);
    if (file) {
        const char *slash = strrchr(file, '/');
        retrans_put_text(&failure, " (%s:%d)", slash ? slash + 1 : file, line);
    }
    return RETRANS_FAILED;
}

retrans_bytes retrans_take_failure(void) {
    retrans_bytes taken = failure;
    failure = (retrans_bytes){0};
    return taken;
}

void retrans_set_current(const retrans_event *event) { current = event; }

/* ---- Labels ---- */

/* The values of one key that this plugin has set in the call, in the order of the events. */
typedef struct column {
    char *key;
    bindings_list_u32_t events;
    bindings_list_u32_t ends;
    size_t capacity;
    retrans_bytes text;
} column;

static column *own;
static size_t own_count;
/* Those of the host and of earlier plugins. */
static retrans_plugin_host_list_label_column_t earlier;
static bool has_earlier;

static bool value_at(const uint32_t *ends, const void *bytes, size_t index, retrans_text *value) {
    uint32_t start = index ? ends[index - 1] : 0;
    *value = (retrans_text){(const char *)bytes + start, ends[index] - start};
    return true;
}

bool retrans_label(const retrans_event *event, const char *key, retrans_text *value) {
    for (size_t i = 0; i < own_count; i++) {
        column *found = &own[i];
        /* The newest values are those of the current event. */
        size_t last = found->events.len;
        if (last && found->events.ptr[last - 1] == event->number && strcmp(found->key, key) == 0)
            return value_at(found->ends.ptr, found->text.bytes, last - 1, value);
    }
    if (!has_earlier) {
        retrans_plugin_host_labels(&earlier);
        has_earlier = true;
    }
    for (size_t i = 0; i < earlier.len; i++) {
        retrans_plugin_host_label_column_t *found = &earlier.ptr[i];
        if (found->key.len != strlen(key) || memcmp(found->key.ptr, key, found->key.len) != 0) continue;
        size_t low = 0, high = found->events.len;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (found->events.ptr[middle] < event->number) low = middle + 1;
            else high = middle;
        }
        if (low < found->events.len && found->events.ptr[low] == event->number)
            return value_at(found->ends.ptr, found->text.ptr, low, value);
    }
    return false;
}

static column *column_of(const char *key) {
    for (size_t i = 0; i < own_count; i++)
        if (strcmp(own[i].key, key) == 0) return &own[i];
    own = realloc(own, (own_count + 1) * sizeof *own);
    if (!own) abort();
    own[own_count] = (column){.key = retrans_copy(key, strlen(key))};
    return &own[own_count++];
}

void retrans_set_label(retrans_event *event, const char *key, const char *value) {
    column *to = column_of(key);
    size_t count = to->events.len;
    if (count && to->events.ptr[count - 1] == event->number) {
        to->text.length = count > 1 ? to->ends.ptr[count - 2] : 0;
        count--;
    }
    if (count == to->capacity) {
        to->capacity = 2 * to->capacity + 64;
        to->events.ptr = realloc(to->events.ptr, to->capacity * sizeof(uint32_t));
        to->ends.ptr = realloc(to->ends.ptr, to->capacity * sizeof(uint32_t));
        if (!to->events.ptr || !to->ends.ptr) abort();
    }
    retrans_put(&to->text, value, strlen(value));
    to->events.ptr[count] = event->number;
    to->ends.ptr[count] = (uint32_t)to->text.length;
    to->events.len = to->ends.len = count + 1;
}

/* ---- Calls ---- */

void retrans_begin_call(void) {
    lines.length = 0;
    for (size_t i = 0; i < own_count; i++) {
        own[i].events.len = own[i].ends.len = 0;
        own[i].text.length = 0;
    }
    if (has_earlier) retrans_plugin_host_list_label_column_free(&earlier);
    has_earlier = false;
    current = NULL;
}

void retrans_end_call(void) {
    for (size_t i = 0; i < own_count; i++) {
        if (own[i].events.len == 0) continue;
        retrans_plugin_host_label_column_t column = {
            .key = text(own[i].key),
            .events = own[i].events,
            .ends = own[i].ends,
            .text = {own[i].text.bytes, own[i].text.length},
        };
        retrans_plugin_host_annotate(&column);
    }
    if (lines.length) {
        bindings_list_u8_t written = {lines.bytes, lines.length};
        retrans_plugin_host_write(&written);
    }
}
