/* Addresses, networks, text, bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const uint8_t IPV4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool retrans_is_ipv4(const retrans_address *address) { return memcmp(address->bytes, IPV4, sizeof IPV4) == 0; }

int retrans_compare(const retrans_address *left, const retrans_address *right) {
    return memcmp(left->bytes, right->bytes, sizeof left->bytes);
}

static unsigned group(const retrans_address *address, int index) {
    return (unsigned)address->bytes[2 * index] << 8 | address->bytes[2 * index + 1];
}

const char *retrans_address_text(const retrans_address *address, char text[RETRANS_ADDRESS_TEXT]) {
    const uint8_t *bytes = address->bytes;
    if (retrans_is_ipv4(address)) {
        snprintf(text, RETRANS_ADDRESS_TEXT, "%u.%u.%u.%u", bytes[12], bytes[13], bytes[14], bytes[15]);
        return text;
    }
    /* The longest run of at least two zero groups is "::"; of several, the first one. */
    int start = -1, length = 1;
    for (int i = 0; i < 8; i++) {
        int end = i;
        while (end < 8 && group(address, end) == 0) end++;
        if (end - i > length) {
            start = i;
            length = end - i;
        }
        if (end > i) i = end;
    }
    size_t used = 0;
    for (int i = 0; i < 8; i++) {
        if (i == start) {
            used += (size_t)snprintf(text + used, RETRANS_ADDRESS_TEXT - used, "::");
            i += length - 1;
            continue;
        }
        const char *separator = i == 0 || i == start + length ? "" : ":";
        if (start < 0 && i > 0) separator = ":";
        used += (size_t)snprintf(text + used, RETRANS_ADDRESS_TEXT - used, "%s%x", separator, group(address, i));
    }
    return text;
}

static bool read_ipv4(const char *text, uint8_t bytes[4]) {
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *text++ != '.') return false;
        unsigned value = 0;
        int digits = 0;
        for (; *text >= '0' && *text <= '9'; text++, digits++) {
            if (digits == 3 || (digits == 1 && value == 0)) return false;
            value = value * 10 + (unsigned)(*text - '0');
        }
        if (digits == 0 || value > 255) return false;
        bytes[i] = (uint8_t)value;
    }
    return *text == 0;
}

static int hex(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool retrans_address_read(const char *text, retrans_address *address) {
    memset(address, 0, sizeof *address);
    if (!strchr(text, ':')) {
        memcpy(address->bytes, IPV4, sizeof IPV4);
        return read_ipv4(text, address->bytes + 12);
    }
    uint8_t bytes[16];
    int length = 0, gap = -1;
    if (text[0] == ':' && text[1] != ':') return false;
    while (*text) {
        if (text[0] == ':' && text[1] == ':') {
            if (gap >= 0) return false;
            gap = length;
            text += 2;
            continue;
        }
        if (*text == ':' && (length == 0 || gap == length || !*++text)) return false;
        if (length > 14) return false;
        if (strchr(text, '.') && !strchr(text, ':')) {
            if (length > 12 || !read_ipv4(text, bytes + length)) return false;
            length += 4;
            break;
        }
        unsigned value = 0;
        int digits = 0;
        for (; hex(*text) >= 0 && digits < 5; text++, digits++) value = value << 4 | (unsigned)hex(*text);
        if (digits == 0 || digits > 4 || (*text && *text != ':')) return false;
        bytes[length++] = (uint8_t)(value >> 8);
        bytes[length++] = (uint8_t)value;
    }
    if (gap < 0 ? length != 16 : length > 14) return false;
    size_t before = (size_t)(gap < 0 ? length : gap), after = (size_t)length - before;
    memcpy(address->bytes, bytes, before);
    memcpy(address->bytes + 16 - after, bytes + before, after);
    return true;
}

const char *retrans_network_read(const char *text, retrans_networks *networks) {
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    char address[RETRANS_ADDRESS_TEXT];
    if (length >= sizeof address) return "expected a network such as 10.0.0.0/8";
    memcpy(address, text, length);
    address[length] = 0;
    retrans_address first, mask = {{0}};
    if (!retrans_address_read(address, &first)) return "expected a network such as 10.0.0.0/8";
    unsigned most = strchr(address, ':') ? 128 : 32;
    unsigned long bits = most;
    if (slash) {
        char *end;
        bits = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || bits > most) return "it has too many bits, or none";
    }
    bits += 128 - most;
    for (unsigned bit = 0; bit < bits; bit++) mask.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    for (int i = 0; i < 16; i++)
        if (first.bytes[i] & ~mask.bytes[i]) return "it has bits after the first ones";
    struct retrans_network network;
    memcpy(network.first, first.bytes, sizeof network.first);
    memcpy(network.mask, mask.bytes, sizeof network.mask);
    networks->list = realloc(networks->list, (networks->count + 1) * sizeof network);
    if (!networks->list) abort();
    networks->list[networks->count++] = network;
    return NULL;
}

bool retrans_contains(const retrans_networks *networks, const retrans_address *address) {
    uint64_t words[2];
    memcpy(words, address->bytes, sizeof words);
    for (size_t i = 0; i < networks->count; i++) {
        const struct retrans_network *network = &networks->list[i];
        uint64_t high = (words[0] ^ network->first[0]) & network->mask[0];
        uint64_t low = (words[1] ^ network->first[1]) & network->mask[1];
        if ((high | low) == 0) return true;
    }
    return false;
}

bool retrans_is(retrans_text text, const char *other) {
    return strlen(other) == text.length && memcmp(text.bytes, other, text.length) == 0;
}

void *retrans_zeroed(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) abort();
    return memory;
}

char *retrans_copy(const char *text, size_t length) {
    char *copy = retrans_zeroed(length + 1, 1);
    memcpy(copy, text, length);
    return copy;
}

void retrans_put(retrans_bytes *to, const void *bytes, size_t length) {
    if (length > to->capacity - to->length) {
        size_t capacity = 2 * to->capacity + length + 64;
        to->bytes = realloc(to->bytes, capacity);
        if (!to->bytes) abort();
        to->capacity = capacity;
    }
    if (length) memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

/* The length of the character at the front of these bytes (RFC 3629); 0 if they begin with none. */
static size_t character(const uint8_t *bytes, size_t length) {
    uint8_t first = bytes[0], lowest = 0x80, highest = 0xbf;
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size > length) return 0;
    if (first == 0xe0) lowest = 0xa0;
    if (first == 0xed) highest = 0x9f;
    if (first == 0xf0) lowest = 0x90;
    if (first == 0xf4) highest = 0x8f;
    for (size_t i = 1; i < size; i++, lowest = 0x80, highest = 0xbf)
        if (bytes[i] < lowest || bytes[i] > highest) return 0;
    return size;
}

void retrans_mend(retrans_bytes *text, size_t from) {
    while (from < text->length) {
        size_t size = character(text->bytes + from, text->length - from);
        if (size == 0) text->bytes[from] = '?';
        from += size ? size : 1;
    }
}

bool retrans_take(retrans_bytes *from, void *bytes, size_t length) {
    if (length > from->length) return false;
    memcpy(bytes, from->bytes, length);
    from->bytes += length;
    from->length -= length;
    return true;
}

void retrans_print_list(retrans_bytes *to, const char *format, va_list arguments) {
    char text[512];
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(text, sizeof text, format, arguments);
    if (length >= 0 && (size_t)length < sizeof text) {
        retrans_put(to, text, (size_t)length);
    } else if (length >= 0) {
        char *longer = retrans_zeroed((size_t)length + 1, 1);
        vsnprintf(longer, (size_t)length + 1, format, again);
        retrans_put(to, longer, (size_t)length);
        free(longer);
    }
    va_end(again);
}

void retrans_put_text(retrans_bytes *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    retrans_print_list(to, format, arguments);
    va_end(arguments);
}

void retrans_print_json(retrans_bytes *to, const char *text) {
    retrans_put(to, "\"", 1);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') retrans_put(to, "\\", 1);
        if ((uint8_t)*text < 0x20) retrans_put_text(to, "\\u%04x", (unsigned)(uint8_t)*text);
        else retrans_put(to, text, 1);
    }
    retrans_put(to, "\"", 1);
}
