/* Settings: the schema that the host enforces, and values from the JSON object that it passes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Prints words as a list of JSON. */
static void print_words(retrans_bytes *to, const char *words, const char *separators) {
    retrans_put_text(to, "[");
    for (const char *comma = ""; *words; comma = ",") {
        size_t length = strcspn(words, separators);
        char *word = retrans_copy(words, length);
        retrans_put_text(to, "%s", comma);
        retrans_print_json(to, word);
        free(word);
        words += length;
        words += strspn(words, separators);
    }
    retrans_put_text(to, "]");
}

static bool is_list(const retrans_setting *setting) {
    return setting->type == RETRANS_NETWORKS || setting->type == RETRANS_TEXTS;
}

/* Where items of a list end in a default. */
#define LIST_SEPARATORS ", "

static bool is_required(const retrans_setting *setting) { return !setting->initial && !is_list(setting); }

static int64_t least(const retrans_setting *setting) {
    return setting->min == 0 && setting->max == 0 ? INT64_MIN : setting->min;
}

static int64_t greatest(const retrans_setting *setting) {
    return (setting->min == 0 && setting->max == 0) || setting->max < setting->min ? INT64_MAX : setting->max;
}

static void print_default(retrans_bytes *to, const retrans_setting *setting) {
    const char *initial = setting->initial ? setting->initial : "";
    switch (setting->type) {
    case RETRANS_INTEGER:
    case RETRANS_NUMBER:
    case RETRANS_BOOL: retrans_put_text(to, "%s", initial); break;
    case RETRANS_TEXT:
    case RETRANS_CHOICE:
    case RETRANS_DURATION: retrans_print_json(to, initial); break;
    case RETRANS_NETWORKS:
    case RETRANS_TEXTS: print_words(to, initial, LIST_SEPARATORS); break;
    }
}

static void print_schema(retrans_bytes *to, const retrans_setting *setting) {
    retrans_print_json(to, setting->name);
    retrans_put_text(to, ":{");
    switch (setting->type) {
    case RETRANS_INTEGER:
        retrans_put_text(to, "\"type\":\"integer\"");
        if (least(setting) != INT64_MIN) retrans_put_text(to, ",\"minimum\":%lld", (long long)least(setting));
        if (greatest(setting) != INT64_MAX) retrans_put_text(to, ",\"maximum\":%lld", (long long)greatest(setting));
        break;
    case RETRANS_NUMBER: retrans_put_text(to, "\"type\":\"number\""); break;
    case RETRANS_BOOL: retrans_put_text(to, "\"type\":\"boolean\""); break;
    case RETRANS_TEXT: retrans_put_text(to, "\"type\":\"string\""); break;
    case RETRANS_CHOICE:
        retrans_put_text(to, "\"type\":\"string\",\"enum\":");
        print_words(to, setting->choices, "|");
        break;
    case RETRANS_DURATION:
        retrans_put_text(to, "\"type\":\"string\",\"pattern\":\"%s\",\"examples\":[\"10s\",\"250ms\",\"1m30s\"]",
                         retrans_duration_pattern);
        break;
    case RETRANS_NETWORKS:
    case RETRANS_TEXTS:
        retrans_put_text(to, "\"anyOf\":[{\"type\":\"array\",\"items\":{\"type\":\"string\"}},{\"type\":\"string\"}]");
        break;
    }
    if (setting->doc) {
        retrans_put_text(to, ",\"description\":");
        retrans_print_json(to, setting->doc);
    }
    if (!is_required(setting)) {
        retrans_put_text(to, ",\"default\":");
        print_default(to, setting);
    }
    retrans_put_text(to, "}");
}

void retrans_schema(retrans_bytes *to) {
    retrans_put_text(to, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    const retrans_setting *setting = retrans_the_plugin.settings;
    for (const char *separator = ""; setting && setting->name; setting++, separator = ",") {
        retrans_put_text(to, "%s", separator);
        print_schema(to, setting);
    }
    retrans_put_text(to, "},\"required\":[");
    setting = retrans_the_plugin.settings;
    for (const char *separator = ""; setting && setting->name; setting++) {
        if (!is_required(setting)) continue;
        retrans_put_text(to, "%s", separator);
        retrans_print_json(to, setting->name);
        separator = ",";
    }
    retrans_put_text(to, "]}");
}

/* ---- Values ---- */

/* Notes what is wrong with a setting; returns false. */
static bool refuse(const retrans_setting *setting, const char *given, const char *why) {
    retrans_fail(NULL, 0, "%s: %s: %s", setting->name, given, why);
    return false;
}

static bool set_integer(const retrans_setting *setting, const char *text) {
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (*end || end == text) return refuse(setting, text, "expected a whole number");
    if (errno || number < least(setting) || number > greatest(setting)) {
        char why[80];
        snprintf(why, sizeof why, "expected a number from %lld to %lld", (long long)least(setting),
                 (long long)greatest(setting));
        return refuse(setting, text, why);
    }
    *(int64_t *)setting->value = number;
    return true;
}

static bool set_number(const retrans_setting *setting, const char *text) {
    char *end;
    *(double *)setting->value = strtod(text, &end);
    return (!*end && end != text) || refuse(setting, text, "expected a number");
}

static void add_text(retrans_texts *texts, const char *text) {
    texts->list = realloc(texts->list, (texts->count + 1) * sizeof *texts->list);
    if (!texts->list) abort();
    texts->list[texts->count++] = retrans_copy(text, strlen(text));
}

/* Sets a setting from text: what a user gives, or an item of a list. */
static bool set(const retrans_setting *setting, const char *text) {
    switch (setting->type) {
    case RETRANS_INTEGER: return set_integer(setting, text);
    case RETRANS_NUMBER: return set_number(setting, text);
    case RETRANS_BOOL: *(bool *)setting->value = strcmp(text, "true") == 0; return true;
    case RETRANS_TEXT:
    case RETRANS_CHOICE: *(const char **)setting->value = retrans_copy(text, strlen(text)); return true;
    case RETRANS_DURATION:
        return retrans_duration_read(text, setting->value) ||
               refuse(setting, text, "expected a duration such as \"10s\", \"250ms\" or \"1m30s\"");
    case RETRANS_NETWORKS: {
        const char *error = retrans_network_read(text, setting->value);
        return !error || refuse(setting, text, error);
    }
    case RETRANS_TEXTS: add_text(setting->value, text); return true;
    }
    return refuse(setting, text, "the setting has no type");
}

/* Sets a setting from its default, in which a list has several items. */
static bool set_default(const retrans_setting *setting) {
    if (!is_list(setting)) return set(setting, setting->initial);
    char *items = retrans_copy(setting->initial, strlen(setting->initial));
    bool is_set = true;
    for (char *item = strtok(items, LIST_SEPARATORS); is_set && item; item = strtok(NULL, LIST_SEPARATORS))
        is_set = set(setting, item);
    free(items);
    return is_set;
}

/* Text of JSON that is read: the host has made it, and checked it by the schema. */
typedef struct json {
    const char *at;
    const char *end;
} json;

static char next(json *from) {
    while (from->at < from->end && strchr(" \t\r\n", *from->at)) from->at++;
    return from->at < from->end ? *from->at : 0;
}

static bool eat(json *from, char expected) {
    if (next(from) != expected) return false;
    from->at++;
    return true;
}

static void put_utf8(retrans_bytes *to, uint32_t code) {
    char bytes[4];
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3f));
    static const uint8_t FIRST[] = {0, 0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(FIRST[length] | code);
    retrans_put(to, bytes, length);
}

static uint32_t read_hex(json *from) {
    char digits[5] = {0};
    for (int i = 0; i < 4 && from->at < from->end; i++) digits[i] = *from->at++;
    return (uint32_t)strtoul(digits, NULL, 16);
}

static void read_escape(json *from, retrans_bytes *to) {
    char escape = *from->at++;
    static const char FROM[] = "bfnrt", TO[] = "\b\f\n\r\t";
    const char *known = strchr(FROM, escape);
    if (escape == 'u') {
        uint32_t code = read_hex(from);
        if (code >= 0xd800 && code < 0xdc00 && from->end - from->at > 6) {
            from->at += 2;
            code = 0x10000 + ((code - 0xd800) << 10) + (read_hex(from) - 0xdc00);
        }
        put_utf8(to, code);
    } else {
        retrans_put(to, known && *known ? TO + (known - FROM) : &escape, 1);
    }
}

/* A string, or a number or word as it stands; NULL where there is none. To be freed. */
static char *read_scalar(json *from) {
    retrans_bytes text = {0};
    if (eat(from, '"')) {
        while (from->at < from->end && *from->at != '"') {
            if (*from->at == '\\' && from->at + 1 < from->end) {
                from->at++;
                read_escape(from, &text);
            } else {
                retrans_put(&text, from->at++, 1);
            }
        }
        eat(from, '"');
    } else {
        next(from);
        while (from->at < from->end && !strchr(",]} \t\r\n", *from->at)) retrans_put(&text, from->at++, 1);
        if (text.length == 0) return NULL;
    }
    retrans_put(&text, "", 1);
    return (char *)text.bytes;
}

static bool read_value(json *from, const retrans_setting *setting) {
    bool has_items = eat(from, '[');
    if (has_items && eat(from, ']')) return true;
    do {
        char *text = read_scalar(from);
        if (!text) {
            retrans_fail(NULL, 0, "%s: expected a value", setting->name);
            return false;
        }
        bool is_set = set(setting, text);
        free(text);
        if (!is_set) return false;
    } while (has_items && eat(from, ','));
    return !has_items || eat(from, ']');
}

static const retrans_setting *find(const char *name) {
    const retrans_setting *setting = retrans_the_plugin.settings;
    while (setting && setting->name && strcmp(setting->name, name) != 0) setting++;
    return setting && setting->name ? setting : NULL;
}

static void make_empty(const retrans_setting *setting) {
    if (setting->type == RETRANS_NETWORKS) *(retrans_networks *)setting->value = (retrans_networks){NULL, 0};
    if (setting->type == RETRANS_TEXTS) *(retrans_texts *)setting->value = (retrans_texts){NULL, 0};
}

static bool set_defaults(void) {
    const retrans_setting *setting = retrans_the_plugin.settings;
    for (; setting && setting->name; setting++) {
        make_empty(setting);
        if (setting->initial && !set_default(setting)) return false;
    }
    return true;
}

/* Reads one key with its value, and notes that it was given. */
static bool read_setting(json *from, bool *given) {
    char *name = read_scalar(from);
    const retrans_setting *setting = find(name);
    if (!setting) retrans_fail(NULL, 0, "%s: unknown setting", name);
    free(name);
    if (!setting || !eat(from, ':')) return false;
    make_empty(setting);
    given[setting - retrans_the_plugin.settings] = true;
    return read_value(from, setting);
}

bool retrans_configure(const char *text, size_t length) {
    json from = {text, text + length};
    const retrans_setting *settings = retrans_the_plugin.settings;
    size_t count = 0;
    while (settings && settings[count].name) count++;
    if (!set_defaults() || !eat(&from, '{')) return false;
    bool *given = retrans_zeroed(count, sizeof *given);
    bool is_set = true;
    while (is_set && next(&from) == '"') {
        is_set = read_setting(&from, given);
        if (!eat(&from, ',')) break;
    }
    for (size_t i = 0; is_set && i < count; i++)
        if (is_required(&settings[i]) && !given[i]) is_set = refuse(&settings[i], "no value", "it must be given");
    free(given);
    return is_set && eat(&from, '}');
}
