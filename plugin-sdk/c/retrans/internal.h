/* What the parts of the SDK share. */
#ifndef RETRANS_INTERNAL_H
#define RETRANS_INTERNAL_H

#include <stdarg.h>

#include "bindings.h"
#include "retrans.h"

/* The first address, and the bits that count, in words of the machine's byte order. */
struct retrans_network {
    uint64_t first[2];
    uint64_t mask[2];
};

/* Memory of zeros. Without memory the plugin traps, which the host tells. */
void *retrans_zeroed(size_t count, size_t size);

void retrans_print_list(retrans_bytes *to, const char *format, va_list arguments);
/* Appends text as a string of JSON. */
void retrans_print_json(retrans_bytes *to, const char *text);
/* Makes bytes from this position on UTF-8, as the host takes no other text: each wrong byte becomes "?". */
void retrans_mend(retrans_bytes *text, size_t from);
/* Text that ends with a NUL, in memory of its own. */
char *retrans_copy(const char *text, size_t length);

bool retrans_duration_read(const char *text, retrans_ns *duration);
/* The pattern of durations in the schema, and the words of an error. */
extern const char *const retrans_duration_pattern;
/* Adds a network such as 10.0.0.0/8. Returns an error, or NULL. */
const char *retrans_network_read(const char *text, retrans_networks *networks);

/* Writes the JSON schema of the plugin's settings. */
void retrans_schema(retrans_bytes *to);
/* Sets all settings from a JSON object. False with an error, which retrans_fail has noted. */
bool retrans_configure(const char *json, size_t length);

/* Before and after a call: labels, lines and metrics of a call are passed to the host together. */
void retrans_begin_call(void);
void retrans_end_call(void);
void retrans_begin_labels(void);
void retrans_pass_labels(void);
void retrans_begin_metrics(void);
void retrans_pass_metrics(void);
/* The event that on_event has; NULL outside of it. */
void retrans_set_current(const retrans_event *event);
/* What retrans_fail has noted; empty if nothing. It is forgotten. */
retrans_bytes retrans_take_failure(void);

#endif
