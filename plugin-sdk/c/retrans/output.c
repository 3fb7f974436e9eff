/* What a plugin has to say in a call: lines, alerts, log lines, failures. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Lines of the call, which the host gets when it ends. */
static retrans_bytes lines;
static retrans_bytes failure;
static const retrans_event *current;

/* Texts of the alert that is passed: memory that every alert uses again. */
static retrans_bytes texts;

/* Appends text to `texts` in UTF-8, and returns its length. */
static size_t add_text(const char *text) {
    size_t start = texts.length;
    if (text) retrans_put(&texts, text, strlen(text));
    retrans_mend(&texts, start);
    return texts.length - start;
}

/* The next text of `texts`; `at` moves behind it. */
static bindings_string_t take_text(uint8_t **at, size_t length) {
    bindings_string_t taken = {*at, length};
    *at += length;
    return taken;
}

void retrans_line(const char *format, ...) {
    size_t start = lines.length;
    va_list arguments;
    va_start(arguments, format);
    retrans_print_list(&lines, format, arguments);
    va_end(arguments);
    retrans_mend(&lines, start);
    retrans_put(&lines, "\n", 1);
}

void retrans_emit(const retrans_alert *alert) {
    bindings_tuple2_string_string_t labels[RETRANS_MAX_LABELS];
    size_t lengths[2 + 2 * RETRANS_MAX_LABELS];
    size_t count = 0;
    texts.length = 0;
    lengths[0] = add_text(alert->name);
    lengths[1] = add_text(alert->summary);
    for (; count < RETRANS_MAX_LABELS && alert->labels[count].key; count++) {
        lengths[2 + 2 * count] = add_text(alert->labels[count].key);
        lengths[3 + 2 * count] = add_text(alert->labels[count].value);
    }
    /* The texts have their final place only now. */
    uint8_t *at = texts.bytes;
    retrans_plugin_host_alert_t emitted = {
        .severity = (uint8_t)alert->severity,
        .state = alert->resolved,
        .labels = {labels, count},
        .event = {current && !alert->without_event, current ? current->number : 0},
    };
    emitted.name = take_text(&at, lengths[0]);
    emitted.summary = take_text(&at, lengths[1]);
    for (size_t i = 0; i < count; i++) {
        labels[i].f0 = take_text(&at, lengths[2 + 2 * i]);
        labels[i].f1 = take_text(&at, lengths[3 + 2 * i]);
    }
    retrans_plugin_host_emit(&emitted);
}

void retrans_log(retrans_level level, const char *format, ...) {
    retrans_bytes message = {0};
    va_list arguments;
    va_start(arguments, format);
    retrans_print_list(&message, format, arguments);
    va_end(arguments);
    retrans_mend(&message, 0);
    bindings_string_t logged = {message.bytes, message.length};
    retrans_plugin_host_log((uint8_t)level, &logged);
    free(message.bytes);
}

retrans_verdict retrans_fail(const char *file, int line, const char *format, ...) {
    failure.length = 0;
    va_list arguments;
    va_start(arguments, format);
    retrans_print_list(&failure, format, arguments);
    va_end(arguments);
    if (file) {
        const char *slash = strrchr(file, '/');
        retrans_put_text(&failure, " (%s:%d)", slash ? slash + 1 : file, line);
    }
    retrans_mend(&failure, 0);
    return RETRANS_FAILED;
}

retrans_bytes retrans_take_failure(void) {
    retrans_bytes taken = failure;
    failure = (retrans_bytes){0};
    return taken;
}

void retrans_set_current(const retrans_event *event) { current = event; }

/* ---- Calls ---- */

void retrans_begin_call(void) {
    lines.length = failure.length = 0;
    current = NULL;
    retrans_begin_labels();
    retrans_begin_metrics();
}

void retrans_end_call(void) {
    retrans_pass_labels();
    if (lines.length) {
        bindings_list_u8_t written = {lines.bytes, lines.length};
        retrans_plugin_host_write(&written);
    }
    retrans_pass_metrics();
}
