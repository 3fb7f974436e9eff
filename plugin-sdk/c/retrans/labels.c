/* Labels of the events of a call: one column of values for each key, which are passed to the host together. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* The values of one key that this plugin has set in the call, in the order of the events. */
typedef struct column {
    char *key;
    bindings_list_u32_t events;
    bindings_list_u32_t ends;
    size_t capacity;
    retrans_bytes text;
} column;

/* Columns that are kept from call to call, with their memory. */
#define MAX_COLUMNS 256

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

/* The newest values are those of the current event. */
static bool own_value(const column *of, const retrans_event *event, retrans_text *value) {
    size_t last = of->events.len;
    return last && of->events.ptr[last - 1] == event->number && value_at(of->ends.ptr, of->text.bytes, last - 1, value);
}

static bool earlier_value(const retrans_plugin_host_label_column_t *of, const retrans_event *event,
                          retrans_text *value) {
    size_t low = 0, high = of->events.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (of->events.ptr[middle] < event->number) low = middle + 1;
        else high = middle;
    }
    return low < of->events.len && of->events.ptr[low] == event->number &&
           value_at(of->ends.ptr, of->text.ptr, low, value);
}

static void fetch_earlier(void) {
    if (has_earlier) return;
    retrans_plugin_host_labels(&earlier);
    has_earlier = true;
}

static retrans_text key_of(const retrans_plugin_host_label_column_t *of) {
    return (retrans_text){(const char *)of->key.ptr, of->key.len};
}

bool retrans_label(const retrans_event *event, const char *key, retrans_text *value) {
    for (size_t i = 0; i < own_count; i++)
        if (strcmp(own[i].key, key) == 0 && own_value(&own[i], event, value)) return true;
    fetch_earlier();
    for (size_t i = 0; i < earlier.len; i++)
        if (retrans_is(key_of(&earlier.ptr[i]), key) && earlier_value(&earlier.ptr[i], event, value)) return true;
    return false;
}

static int compare(retrans_text left, retrans_text right) {
    size_t shorter = left.length < right.length ? left.length : right.length;
    int order = shorter ? memcmp(left.bytes, right.bytes, shorter) : 0;
    return order ? order : (left.length > right.length) - (left.length < right.length);
}

/* Takes a label as the next one if its key is behind `after`, and before that of the one found so far. */
static void take_if_next(retrans_text key, retrans_text value, const retrans_label_entry *after,
                         retrans_label_entry *next) {
    if (after->key.bytes && compare(key, after->key) <= 0) return;
    if (!next->key.bytes || compare(key, next->key) < 0) *next = (retrans_label_entry){key, value};
}

bool retrans_next_label(const retrans_event *event, retrans_label_entry *label) {
    retrans_label_entry next = {{NULL, 0}, {NULL, 0}};
    retrans_text value;
    /* Own ones come first: of two with the same key, the first is taken. */
    for (size_t i = 0; i < own_count; i++) {
        retrans_text key = {own[i].key, strlen(own[i].key)};
        if (own_value(&own[i], event, &value)) take_if_next(key, value, label, &next);
    }
    fetch_earlier();
    for (size_t i = 0; i < earlier.len; i++)
        if (earlier_value(&earlier.ptr[i], event, &value)) take_if_next(key_of(&earlier.ptr[i]), value, label, &next);
    if (!next.key.bytes) return false;
    *label = next;
    return true;
}

static column *column_of(const char *key) {
    for (size_t i = 0; i < own_count; i++)
        if (strcmp(own[i].key, key) == 0) return &own[i];
    own = realloc(own, (own_count + 1) * sizeof *own);
    if (!own) abort();
    retrans_bytes copy = {0};
    retrans_put(&copy, key, strlen(key));
    retrans_mend(&copy, 0);
    retrans_put(&copy, "", 1);
    own[own_count] = (column){.key = (char *)copy.bytes};
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
    size_t start = to->text.length;
    retrans_put(&to->text, value, strlen(value));
    retrans_mend(&to->text, start);
    to->events.ptr[count] = event->number;
    to->ends.ptr[count] = (uint32_t)to->text.length;
    to->events.len = to->ends.len = count + 1;
}

void retrans_begin_labels(void) {
    /* The host takes as many columns a call: more of them are of generated keys, which must not accumulate. */
    for (; own_count > MAX_COLUMNS; own_count--) {
        free(own[own_count - 1].key);
        free(own[own_count - 1].events.ptr);
        free(own[own_count - 1].ends.ptr);
        free(own[own_count - 1].text.bytes);
    }
    for (size_t i = 0; i < own_count; i++) {
        own[i].events.len = own[i].ends.len = 0;
        own[i].text.length = 0;
    }
    if (has_earlier) retrans_plugin_host_list_label_column_free(&earlier);
    has_earlier = false;
}

void retrans_pass_labels(void) {
    for (size_t i = 0; i < own_count; i++) {
        if (own[i].events.len == 0) continue;
        retrans_plugin_host_label_column_t passed = {
            .key = {(uint8_t *)own[i].key, strlen(own[i].key)},
            .events = own[i].events,
            .ends = own[i].ends,
            .text = {own[i].text.bytes, own[i].text.length},
        };
        retrans_plugin_host_annotate(&passed);
    }
}
