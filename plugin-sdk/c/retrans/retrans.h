/* The SDK for plugins of retrans-host in C.
 *
 * A plugin is one struct, which RETRANS_PLUGIN defines. Its functions are called by one thread, one after the other,
 * for each event of the stream in order; the state of a plugin is its global variables. See docs/languages/c.md.
 *
 *     #include "retrans/retrans.h"
 *
 *     static retrans_verdict on_event(retrans_event *event) {
 *         return retrans_peer_port(event) == 443 ? RETRANS_KEEP : RETRANS_DROP;
 *     }
 *
 *     RETRANS_PLUGIN(.name = "https", .version = "0.1.0", .summary = "Keeps HTTPS", .on_event = on_event)
 */
#ifndef RETRANS_H
#define RETRANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Values ---- */

/* A time or a duration in ns. */
typedef uint64_t retrans_ns;

#define RETRANS_MILLISECOND ((retrans_ns)1000000)
#define RETRANS_SECOND ((retrans_ns)1000000000)

/* The time after a duration; the last one that there is, if it would be later. */
static inline retrans_ns retrans_after(retrans_ns time, retrans_ns duration) {
    return duration > UINT64_MAX - time ? UINT64_MAX : time + duration;
}

/* An address: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. */
typedef struct retrans_address {
    uint8_t bytes[16];
} retrans_address;

/* Room for the longest address as text, with its NUL. */
#define RETRANS_ADDRESS_TEXT 46

bool retrans_is_ipv4(const retrans_address *address);
/* The order of the bytes: less than 0, 0, or greater than 0. */
int retrans_compare(const retrans_address *left, const retrans_address *right);
/* Writes the text of an address (RFC 5952) and returns it. */
const char *retrans_address_text(const retrans_address *address, char text[RETRANS_ADDRESS_TEXT]);
/* Reads an address; false if the text is none. */
bool retrans_address_read(const char *text, retrans_address *address);

/* Text that need not end with a NUL. */
typedef struct retrans_text {
    const char *bytes;
    size_t length;
} retrans_text;

bool retrans_is(retrans_text text, const char *other);

/* Networks such as 10.0.0.0/8. */
typedef struct retrans_networks {
    struct retrans_network *list;
    size_t count;
} retrans_networks;

bool retrans_contains(const retrans_networks *networks, const retrans_address *address);

/* Texts of a setting. */
typedef struct retrans_texts {
    const char **list;
    size_t count;
} retrans_texts;

/* ---- Events ---- */

/* One retransmit. fields.h has a function for each field: retrans_peer_port(event), retrans_rto(event, &rto). A
 * function for a field that may be absent returns whether it is there. The event is valid until on_event returns. */
typedef struct retrans_event {
    uint8_t *record;
    uint32_t size;
    /* Position within the call, from 0. */
    uint32_t number;
    /* Whether a setter has changed the record: the next plugin sees the change. */
    bool changed;
} retrans_event;

#include "fields.h"

/* Whether an event goes on to the next plugin. RETRANS_FAIL(...) returns RETRANS_FAILED. */
typedef enum retrans_verdict { RETRANS_FAILED = 0, RETRANS_KEEP = 1, RETRANS_DROP = 2 } retrans_verdict;

/* The label with this key, set by the host, an earlier plugin or this one; false if there is none. */
bool retrans_label(const retrans_event *event, const char *key, retrans_text *value);
/* A label of an event. */
typedef struct retrans_label_entry {
    retrans_text key;
    retrans_text value;
} retrans_label_entry;

/* The labels of an event, in the order of their keys:
 *
 *     retrans_label_entry label = {0};
 *     while (retrans_next_label(event, &label)) …
 *
 * Texts of labels are valid until a label is set, and until on_event returns. */
bool retrans_next_label(const retrans_event *event, retrans_label_entry *label);
/* Sets a label. It replaces one with the same key. */
void retrans_set_label(retrans_event *event, const char *key, const char *value);

/* ---- Settings ---- */

typedef enum retrans_setting_type {
    RETRANS_INTEGER = 1, /* int64_t: from .min to .max, from .min on if .max is less, or any if both are 0 */
    RETRANS_NUMBER,      /* double */
    RETRANS_BOOL,        /* bool */
    RETRANS_TEXT,        /* const char * */
    RETRANS_CHOICE,      /* const char *, one of .choices, which are separated by | */
    RETRANS_DURATION,    /* retrans_ns, given as "10s" or "1m 30s" */
    RETRANS_NETWORKS,    /* retrans_networks, one or a list */
    RETRANS_TEXTS        /* retrans_texts */
} retrans_setting_type;

/* A setting. A list of them ends with {0}. */
typedef struct retrans_setting {
    const char *name;
    retrans_setting_type type;
    /* The variable that gets the value before configure is called. */
    void *value;
    /* The default, in the form in which a user gives it: "443", "2s", "true"; lists as "a,b". Without one, a list is
     * empty, and any other setting must be given. */
    const char *initial;
    const char *doc;
    int64_t min;
    int64_t max;
    const char *choices;
} retrans_setting;

/* ---- Output ---- */

/* Prints a line to the host's standard output; the line feed is added. As printf. */
void retrans_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

typedef enum retrans_severity { RETRANS_INFO, RETRANS_WARNING, RETRANS_CRITICAL } retrans_severity;

#define RETRANS_MAX_LABELS 16

/* An alert; name and labels identify it. */
typedef struct retrans_alert {
    const char *name;
    const char *summary;
    retrans_severity severity;
    /* It ends, instead of firing. */
    bool resolved;
    /* It is not about the event that on_event has. */
    bool without_event;
    /* Keys and values; the list ends with a key that is NULL. */
    struct {
        const char *key;
        const char *value;
    } labels[RETRANS_MAX_LABELS];
} retrans_alert;

/* Raises or resolves an alert. */
void retrans_emit(const retrans_alert *alert);

/* Counters, gauges and histograms of the plugin. Names have 1 to 64 bytes and no blanks; a value that is no finite
 * number is left out. */
void retrans_count(const char *name, uint64_t by);
void retrans_gauge(const char *name, double value);
void retrans_observe(const char *name, double value);

typedef enum retrans_level {
    RETRANS_LOG_ERROR,
    RETRANS_LOG_WARN,
    RETRANS_LOG_INFO,
    RETRANS_LOG_DEBUG,
    RETRANS_LOG_TRACE
} retrans_level;

/* Writes to the host's log. As printf. */
void retrans_log(retrans_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes the call fail, with a message that has the file and the line: return RETRANS_FAIL("port %d", port); */
#define RETRANS_FAIL(...) retrans_fail(__FILE__, __LINE__, __VA_ARGS__)
retrans_verdict retrans_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- The run ---- */

/* What is known of the run. Texts are NULL where it is not known, as before the first event. They are valid until the
 * next call of retrans_current_run. */
typedef struct retrans_run {
    const char *host;
    const char *kernel;
    /* "live" or "replay". */
    const char *source;
    /* Whether the source is known to be "live". */
    bool is_live;
    /* The version of the program that runs the plugin. */
    const char *version;
} retrans_run;

const retrans_run *retrans_current_run(void);

/* ---- The plugin ---- */

/* Bytes that grow, for the state. */
typedef struct retrans_bytes {
    uint8_t *bytes;
    size_t length;
    size_t capacity;
} retrans_bytes;

void retrans_put(retrans_bytes *to, const void *bytes, size_t length);
/* Appends text as printf does, without a NUL. */
void retrans_put_text(retrans_bytes *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes bytes from the front; false if there are fewer. */
bool retrans_take(retrans_bytes *from, void *bytes, size_t length);

/* All functions but on_event may be NULL. Those that return bool return true, or RETRANS_FAIL(...). */
typedef struct retrans_plugin {
    const char *name;
    const char *version;
    const char *summary;
    const retrans_setting *settings;
    /* Called once, when the settings have their values and before any event. */
    bool (*configure)(void);
    retrans_verdict (*on_event)(retrans_event *event);
    /* Events were lost before the next one. */
    bool (*on_lost)(uint64_t count);
    /* Called for every second of the stream, with the time since boot. */
    bool (*on_tick)(retrans_ns now);
    bool (*on_finish)(retrans_ns now);
    /* Writes the state, and restores it from bytes that may be damaged, or of another version. */
    uint32_t state_version;
    bool (*save)(retrans_bytes *state);
    bool (*restore)(uint32_t version, retrans_bytes *state);
} retrans_plugin;

extern const retrans_plugin retrans_the_plugin;

#define RETRANS_PLUGIN(...) const retrans_plugin retrans_the_plugin = {__VA_ARGS__};

/* ---- A map ---- */

/* A map from keys of bytes to values of a fixed size. RETRANS_MAP(Key, Value), with two types, is an empty one. */
typedef struct retrans_map {
    size_t key_size;
    size_t value_size;
    size_t count;
    size_t capacity;
    uint8_t *slots;
} retrans_map;

#define RETRANS_MAP(Key, Value) {sizeof(Key), sizeof(Value), 0, 0, NULL}

/* The value of a key; NULL if there is none. Valid until the map changes. */
void *retrans_map_get(const retrans_map *map, const void *key);
/* The value of a key, which is added with zeros if there is none. `added` may be NULL. */
void *retrans_map_add(retrans_map *map, const void *key, bool *added);
bool retrans_map_remove(retrans_map *map, const void *key);
void retrans_map_clear(retrans_map *map);
/* The keys in the order of their bytes, one after the other; to be freed. NULL if there are none. */
uint8_t *retrans_map_keys(const retrans_map *map);

#ifdef __cplusplus
}
#endif

#endif
