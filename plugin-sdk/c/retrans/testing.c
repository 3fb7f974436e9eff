/* The stream of a test, and the process in which the plugin runs over it. Not for WebAssembly. */
#ifndef __wasm__
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "test_host.h"
#include "testing.h"

#define RECORD_SIZE 384
#define MAX_CALL 256

typedef enum item_kind { EVENT, TICK, LOST, FINISH, RELOAD } item_kind;

typedef struct item {
    item_kind kind;
    /* A time, or a number of events. */
    uint64_t number;
    uint8_t record[RECORD_SIZE];
    /* Labels of earlier plugins, as "key=value" lines. */
    retrans_bytes labels;
} item;

static item *items;
static size_t item_count;
static retrans_ns last_time;
static retrans_event last_event;
static int failures;

static item *add(item_kind kind, uint64_t number) {
    items = realloc(items, (item_count + 1) * sizeof *items);
    if (!items) abort();
    memset(&items[item_count], 0, sizeof *items);
    items[item_count].kind = kind;
    items[item_count].number = number;
    return &items[item_count++];
}

retrans_event *retrans_test_event(const char *peer, uint16_t port) {
    item *added = add(EVENT, 0);
    last_event = (retrans_event){added->record, RECORD_SIZE, 0, false};
    retrans_address address, local;
    if (!retrans_address_read(peer, &address) || !retrans_address_read("192.0.2.254", &local)) {
        fprintf(stderr, "retrans_test_event: %s is no address\n", peer);
        exit(2);
    }
    retrans_write(added->record, 4, RECORD_SIZE);
    retrans_set_peer_address(&last_event, address);
    retrans_set_peer_port(&last_event, port);
    retrans_set_local_address(&last_event, local);
    retrans_set_local_port(&last_event, 33000);
    retrans_set_ip_version(&last_event, retrans_is_ipv4(&address) ? 4 : 6);
    retrans_set_state(&last_event, RETRANS_TCP_STATE_ESTABLISHED);
    retrans_set_kind(&last_event, RETRANS_KIND_FAST);
    retrans_test_at(&last_event, last_time ? last_time : 100 * RETRANS_SECOND);
    return &last_event;
}

void retrans_test_at(retrans_event *event, retrans_ns time) {
    last_time = time;
    /* boot_time_ns, which plugins cannot set. */
    retrans_write(event->record + 24, 8, time);
}

void retrans_test_label(const char *key, const char *value) {
    retrans_put_text(&items[item_count - 1].labels, "%s=%s\n", key, value);
}

void retrans_test_tick(retrans_ns now) { add(TICK, now); }
void retrans_test_lost(uint64_t count) { add(LOST, count); }
void retrans_test_finish(retrans_ns now) { add(FINISH, now); }
void retrans_test_reload(void) { add(RELOAD, 0); }

/* Whether a value is JSON as it stands. */
static bool is_json(const char *value, size_t length) {
    static const char *const WORDS[] = {"true", "false"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (length == strlen(WORDS[i]) && strncmp(value, WORDS[i], length) == 0) return true;
    return *value == '"' || *value == '[' || (length > 0 && strspn(value, "-0123456789.") >= length);
}

/* Whether a setting takes a list: then the host takes several values with commas. */
static bool takes_list(const char *key, size_t length) {
    const retrans_setting *setting = retrans_the_plugin.settings;
    for (; setting && setting->name; setting++)
        if (strlen(setting->name) == length && strncmp(setting->name, key, length) == 0)
            return setting->type == RETRANS_NETWORKS || setting->type == RETRANS_TEXTS;
    return false;
}

/* Settings of a test as a JSON object, as the host makes it of KEY=VALUE: values that are no JSON are text. */
static void print_settings(retrans_bytes *to, const char *settings) {
    retrans_put_text(to, "{");
    for (const char *separator = ""; settings && *settings; separator = ",") {
        size_t key = strcspn(settings, "=");
        const char *value = settings + key + (settings[key] == '=');
        size_t length = *value == '"' ? strcspn(value + 1, "\"") + 2 : strcspn(value, " ");
        retrans_put_text(to, "%s\"%.*s\":", separator, (int)key, settings);
        if (is_json(value, length)) {
            retrans_put(to, value, length);
        } else if (takes_list(settings, key)) {
            retrans_put_text(to, "[\"");
            for (size_t i = 0; i < length; i++)
                value[i] == ',' ? retrans_put_text(to, "\",\"") : retrans_put(to, value + i, 1);
            retrans_put_text(to, "\"]");
        } else {
            retrans_put_text(to, "\"%.*s\"", (int)length, value);
        }
        settings = value + length + strspn(value + length, " ");
    }
    retrans_put_text(to, "}");
}

static bool configure(const char *settings) {
    retrans_bytes text = {0};
    print_settings(&text, settings);
    bindings_string_t given = {text.bytes, text.length}, error = {0};
    return exports_retrans_plugin_processor_configure(&given, &error) || retrans_test_failed(&error);
}

/* Passes events to the plugin; `number` is the position of the first one in the stream. */
static bool process(const item *const *events, size_t count, uint32_t number) {
    /* The plugin takes one copy, and the host compares it with the other. */
    retrans_bytes records = {0}, unchanged = {0};
    for (size_t i = 0; i < count; i++) {
        retrans_put(&records, events[i]->record, RECORD_SIZE);
        retrans_put(&unchanged, events[i]->record, RECORD_SIZE);
    }
    retrans_test_begin_call(number, count, unchanged.bytes);
    for (size_t i = 0; i < count; i++)
        retrans_test_set_labels((uint32_t)i, (const char *)events[i]->labels.bytes, events[i]->labels.length);
    bindings_list_u8_t given = {records.bytes, records.length};
    exports_retrans_plugin_processor_keep_t keep;
    bindings_string_t error = {0};
    bool is_done = exports_retrans_plugin_processor_process((uint32_t)count, RECORD_SIZE, &given, &keep, &error);
    free(unchanged.bytes);
    if (!is_done) return retrans_test_failed(&error);
    retrans_test_end_call(&keep);
    return true;
}

/* Runs items up to the next reload, and returns the one behind it. */
static size_t run_items(size_t from, size_t cut) {
    const item *events[MAX_CALL];
    size_t count = 0;
    uint32_t number = 0;
    for (size_t i = 0; i < from; i++) number += items[i].kind == EVENT;
    bool is_well = true;
    for (size_t i = from; i < item_count && is_well; i++) {
        const item *now = &items[i];
        if (now->kind == EVENT) events[count++] = now;
        bool is_full = count == cut || i + 1 == item_count || items[i + 1].kind != EVENT;
        if (count && is_full) {
            is_well = process(events, count, number);
            number += (uint32_t)count;
            count = 0;
        }
        bindings_string_t error = {0};
        if (now->kind != EVENT && now->kind != LOST) retrans_test_begin_call(0, 0, NULL);
        if (now->kind == LOST) retrans_test_add_lost(now->number);
        if (now->kind == RELOAD) return i + 1;
        if (now->kind == TICK && !exports_retrans_plugin_timer_tick(now->number, &error))
            is_well = retrans_test_failed(&error);
        if (now->kind == FINISH && !exports_retrans_plugin_timer_finish(now->number, &error))
            is_well = retrans_test_failed(&error);
    }
    return item_count;
}

/* What a process has to say: the next item, the state with its version, and the answers. */
typedef struct ended {
    size_t next;
    uint32_t version;
    retrans_bytes state;
    retrans_bytes answers;
} ended;

static void put_part(FILE *to, const void *bytes, size_t length) {
    fwrite(&length, sizeof length, 1, to);
    if (length) fwrite(bytes, 1, length, to);
}

static void take_part(FILE *from, retrans_bytes *to) {
    size_t length = 0;
    if (fread(&length, sizeof length, 1, from) != 1 || length == 0) return;
    uint8_t *bytes = retrans_zeroed(length, 1);
    retrans_put(to, bytes, fread(bytes, 1, length, from));
    free(bytes);
}

/* In a process of its own, so that each instance has new global variables. */
static void instance(FILE *to, const char *settings, size_t cut, ended *before) {
    ended after = {.next = item_count};
    bindings_tuple2_u32_list_u8_t saved = {0};
    bindings_string_t error = {0};
    if (before->next > 0) {
        bindings_list_u8_t state = {before->state.bytes, before->state.length};
        bool is_restored =
            configure(settings) &&
            (exports_retrans_plugin_state_restore(before->version, &state, &error) || retrans_test_failed(&error));
        if (is_restored) after.next = run_items(before->next, cut);
    } else if (configure(settings)) {
        after.next = run_items(0, cut);
    }
    if (after.next < item_count && !exports_retrans_plugin_state_save(&saved, &error)) retrans_test_failed(&error);
    retrans_bytes answers = {0};
    retrans_test_answers(&answers);
    fwrite(&after.next, sizeof after.next, 1, to);
    fwrite(&saved.f0, sizeof saved.f0, 1, to);
    put_part(to, saved.f1.ptr, saved.f1.len);
    put_part(to, answers.bytes, answers.length);
}

static bool run_instance(const char *settings, size_t cut, ended *state) {
    int pipes[2];
    if (pipe(pipes) != 0) return false;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) return false;
    if (child == 0) {
        close(pipes[0]);
        FILE *to = fdopen(pipes[1], "w");
        instance(to, settings, cut, state);
        fclose(to);
        _exit(0);
    }
    close(pipes[1]);
    FILE *from = fdopen(pipes[0], "r");
    state->state.length = 0;
    bool is_read = fread(&state->next, sizeof state->next, 1, from) == 1;
    is_read = is_read && fread(&state->version, sizeof state->version, 1, from) == 1;
    take_part(from, &state->state);
    take_part(from, &state->answers);
    fclose(from);
    int status;
    waitpid(child, &status, 0);
    return is_read && status == 0;
}

static char *run_in(const char *settings, size_t cut) {
    ended state = {0};
    do {
        if (!run_instance(settings, cut, &state)) {
            retrans_put_text(&state.answers, "error: the plugin crashed\n");
            break;
        }
    } while (state.next < item_count);
    retrans_put(&state.answers, "", 1);
    free(state.state.bytes);
    return (char *)state.answers.bytes;
}

const char *retrans_test_run(const char *settings) {
    static char *answers;
    free(answers);
    answers = run_in(settings, MAX_CALL);
    static const size_t CUTS[] = {1, 7};
    for (size_t i = 0; i < sizeof CUTS / sizeof CUTS[0]; i++) {
        char *other = run_in(settings, CUTS[i]);
        char where[64];
        snprintf(where, sizeof where, "calls of %zu events", CUTS[i]);
        retrans_test_check(where, 0, other, answers);
        free(other);
    }
    return answers;
}

void retrans_test_check(const char *file, int line, const char *found, const char *expected) {
    if (strcmp(found, expected) == 0) return;
    failures++;
    fprintf(stderr, "%s:%d: found\n%s\nexpected\n%s\n", file, line, found, expected);
}

void retrans_test_check_has(const char *file, int line, const char *found, const char *part) {
    if (!strstr(found, part)) retrans_test_check(file, line, found, part);
}

int retrans_test_main(const retrans_test *tests, size_t count) {
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        failures = 0;
        item_count = 0;
        last_time = 0;
        tests[i].run();
        printf("%s: %s\n", failures ? "FAILED" : "ok", tests[i].name);
        failed += failures != 0;
    }
    printf("%zu passed, %zu failed\n", count - failed, failed);
    return failed ? 1 : 0;
}

#endif
