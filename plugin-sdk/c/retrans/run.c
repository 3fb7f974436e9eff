/* The functions that a component exports: they run the plugin. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Records of this size have all fields that no record is without. */
#define CORE_SIZE 88

static const char *nonempty(const char *text) { return text ? text : ""; }

static void duplicate(bindings_string_t *to, const char *text, size_t length) {
    to->ptr = (uint8_t *)retrans_copy(text, length);
    to->len = length;
}

static bool fail(bindings_string_t *error, const char *otherwise) {
    retrans_bytes failure = retrans_take_failure();
    if (failure.length) duplicate(error, (const char *)failure.bytes, failure.length);
    else duplicate(error, otherwise, strlen(otherwise));
    free(failure.bytes);
    return false;
}

void exports_retrans_plugin_processor_describe(bindings_list_tuple2_string_string_t *described) {
    retrans_bytes schema = {0};
    retrans_schema(&schema);
    retrans_put(&schema, "", 1);
    const char *pairs[][2] = {
        {"name", nonempty(retrans_the_plugin.name)},
        {"version", nonempty(retrans_the_plugin.version)},
        {"summary", nonempty(retrans_the_plugin.summary)},
        {"settings", (const char *)schema.bytes},
    };
    described->len = sizeof pairs / sizeof pairs[0];
    described->ptr = retrans_zeroed(described->len, sizeof *described->ptr);
    for (size_t i = 0; i < described->len; i++) {
        duplicate(&described->ptr[i].f0, pairs[i][0], strlen(pairs[i][0]));
        duplicate(&described->ptr[i].f1, pairs[i][1], strlen(pairs[i][1]));
    }
    free(schema.bytes);
}

bool exports_retrans_plugin_processor_configure(bindings_string_t *settings, bindings_string_t *error) {
    bool is_set = retrans_configure((const char *)settings->ptr, settings->len);
    bindings_string_free(settings);
    if (!is_set) return fail(error, "the settings are no JSON object");
    if (retrans_the_plugin.configure && !retrans_the_plugin.configure())
        return fail(error, "the plugin refused its settings");
    return true;
}

/* Tells of events that were lost before this call. */
static bool tell_losses(void) {
    if (!retrans_the_plugin.on_lost) return true;
    uint64_t lost = retrans_plugin_host_lost();
    return lost == 0 || retrans_the_plugin.on_lost(lost);
}

bool exports_retrans_plugin_processor_process(uint32_t count, uint32_t size, bindings_list_u8_t *records,
                                              exports_retrans_plugin_processor_keep_t *keep, bindings_string_t *error) {
    if (size < CORE_SIZE || records->len != (size_t)count * size) return fail(error, "the records have another size");
    retrans_begin_call();
    size_t bytes = (count + 7) / 8;
    uint8_t *bits = retrans_zeroed(bytes, 1);
    uint32_t kept = 0, changed = 0;
    uint32_t *changes = NULL;
    bool is_done = tell_losses();
    /* The compiler must not know which function it is: inlined, it would not be named where it traps. */
    retrans_verdict (*on_event)(retrans_event *event) = retrans_the_plugin.on_event;
    __asm__("" : "+r"(on_event));
    for (uint32_t i = 0; is_done && i < count; i++) {
        retrans_event event = {records->ptr + (size_t)i * size, size, i, false};
        retrans_set_current(&event);
        retrans_verdict verdict = on_event(&event);
        retrans_set_current(NULL);
        if (verdict == RETRANS_FAILED) is_done = false;
        if (verdict != RETRANS_KEEP) continue;
        bits[i / 8] |= (uint8_t)(1u << i % 8);
        kept++;
        if (event.changed) {
            if (!changes) changes = retrans_zeroed(count, sizeof *changes);
            changes[changed++] = i;
        }
    }
    if (is_done && changed) {
        /* Changed records move to the front: the others are of no use any more. */
        for (uint32_t i = 0; i < changed; i++)
            memmove(records->ptr + (size_t)i * size, records->ptr + (size_t)changes[i] * size, size);
        bindings_list_u32_t events = {changes, changed};
        bindings_list_u8_t changed_records = {records->ptr, (size_t)changed * size};
        retrans_plugin_host_change(&events, &changed_records);
    }
    free(changes);
    bindings_list_u8_free(records);
    if (!is_done) {
        free(bits);
        return fail(error, "the plugin failed without a message");
    }
    retrans_end_call();
    if (kept == 0 || kept == count) {
        keep->tag =
            kept == count ? EXPORTS_RETRANS_PLUGIN_PROCESSOR_KEEP_ALL : EXPORTS_RETRANS_PLUGIN_PROCESSOR_KEEP_NONE;
        free(bits);
    } else {
        keep->tag = EXPORTS_RETRANS_PLUGIN_PROCESSOR_KEEP_BITS;
        keep->val.bits = (bindings_list_u8_t){bits, bytes};
    }
    return true;
}

static bool timed(bool (*call)(retrans_ns now), retrans_ns now, bindings_string_t *error) {
    __asm__("" : "+r"(call));
    retrans_begin_call();
    if (!tell_losses() || (call && !call(now))) return fail(error, "the plugin failed without a message");
    retrans_end_call();
    return true;
}

bool exports_retrans_plugin_timer_tick(uint64_t now, bindings_string_t *error) {
    return timed(retrans_the_plugin.on_tick, now, error);
}

bool exports_retrans_plugin_timer_finish(uint64_t now, bindings_string_t *error) {
    return timed(retrans_the_plugin.on_finish, now, error);
}

bool exports_retrans_plugin_state_save(bindings_tuple2_u32_list_u8_t *saved, bindings_string_t *error) {
    retrans_bytes state = {0};
    if (retrans_the_plugin.save && !retrans_the_plugin.save(&state)) {
        free(state.bytes);
        return fail(error, "the plugin could not save its state");
    }
    saved->f0 = retrans_the_plugin.state_version;
    saved->f1 = (bindings_list_u8_t){state.bytes, state.length};
    return true;
}

bool exports_retrans_plugin_state_restore(uint32_t version, bindings_list_u8_t *state, bindings_string_t *error) {
    retrans_bytes bytes = {state->ptr, state->len, state->len};
    bool is_restored = !retrans_the_plugin.restore || retrans_the_plugin.restore(version, &bytes);
    bindings_list_u8_free(state);
    return is_restored || fail(error, "the plugin could not restore its state");
}

/* Sets a text of the run, in place of the last one. */
static void set_text(const char **to, const bindings_string_t *value) {
    free((void *)(uintptr_t)*to);
    *to = value ? retrans_copy((const char *)value->ptr, value->len) : NULL;
}

const retrans_run *retrans_current_run(void) {
    static retrans_run run;
    const struct {
        const char *key;
        const char **to;
    } known[] = {{"host", &run.host}, {"kernel", &run.kernel}, {"source", &run.source}, {"version", &run.version}};
    bindings_list_tuple2_string_string_t pairs;
    retrans_plugin_host_run(&pairs);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const bindings_string_t *value = NULL;
        for (size_t j = 0; j < pairs.len; j++) {
            bindings_string_t *key = &pairs.ptr[j].f0;
            if (retrans_is((retrans_text){(const char *)key->ptr, key->len}, known[i].key)) value = &pairs.ptr[j].f1;
        }
        set_text(known[i].to, value);
    }
    bindings_list_tuple2_string_string_free(&pairs);
    run.is_live = run.source && strcmp(run.source, "live") == 0;
    return &run;
}
